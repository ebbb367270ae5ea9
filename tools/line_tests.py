"""Which tests run which lines of the package, measured by one run of the quick tests under coverage: for mutate.py.

The measure is kept in `.mutate-lines/`, and is made again when the package is not what was measured. A place inside of
a function is tested by the tests that run its statement. A constant, a field or a default is only run on import: the
tests that run a line that names it (or its class, or its function's body) test it.
"""

import ast
import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

QUICK = "not slow and not browser and not container"
MOST_SECONDS = 60  # of tests that are run on one mutant, which survives if these do not tell
MOST_TESTS = 300


@dataclass(frozen=True, kw_only=True)
class LineTests:
    """What ran what."""

    coverage: Path  # coverage.py's file, with a context for each test
    seconds: dict[str, float]  # of each test that took more than 5 ms
    failed: list[str]  # tests that failed under coverage: not asked
    contents: dict[str, str]  # SHA-256 of each file of the package and of the tests

    def changed(self, root: Path) -> set[str]:
        """The files that are not what was measured, as paths from the root."""
        now = hash_files(root)
        return {path for path in {*now, *self.contents} if now.get(path) != self.contents.get(path)}

    def running(self, root: Path, path: str, line: int) -> set[str]:
        """The tests of a place; "" is among them where a run of it is known whose test is not."""
        around = _around(ast.parse((root / path).read_bytes()), line)
        functions = [node for node in around if isinstance(node, ast.FunctionDef)]
        if not functions:
            return self._naming(root, {name for node in around for name in _names(node)})
        if functions[-1] is around[-1]:  # a default
            body = functions[-1].body
            return self._of(path, [(body[0].lineno, _last(body[-1]))])
        return self._of(path, [_header(around[-1])])

    def _of(self, path: str, spans: Sequence[tuple[int, int]]) -> set[str]:
        ran = (
            "SELECT DISTINCT context_id FROM arc WHERE file_id = ? AND (fromno BETWEEN ? AND ? OR tono BETWEEN ? AND ?)"
        )
        found: set[int] = set()
        with sqlite3.connect(self.coverage) as data:
            names = dict(data.execute("SELECT id, context FROM context"))
            for (file,) in data.execute("SELECT id FROM file WHERE path LIKE ?", (f"%/{path}",)).fetchall():
                for span in spans:
                    found |= {number for (number,) in data.execute(ran, (file, *span, *span))}
        return {names[number].rpartition("|")[0] for number in found} - set(self.failed)

    def _naming(self, root: Path, names: set[str]) -> set[str]:
        """The tests of every line that has one of the names."""
        found: set[str] = set()
        pattern = re.compile(rf"\b({'|'.join(names)})\b")
        for file in sorted((root / "bids_regions").rglob("*.py")) if names else ():
            lines = [at for at, text in enumerate(file.read_text().splitlines(), start=1) if pattern.search(text)]
            found |= self._of(file.relative_to(root).as_posix(), [(at, at) for at in lines])
        return found

    def ordered(self, tests: set[str], near: Sequence[str]) -> list[str]:
        """Those of the nearest files first, then the files of quick tests, file by file; no more than a limit."""
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(tests - {""}, key=lambda test: (self.seconds.get(test, 0.0), test)):
            by_file[test.split("::")[0]].append(test)
        place = {file: at for at, file in enumerate(near)}

        def cost(file: str) -> tuple[int, float]:
            seconds = sum(self.seconds.get(test, 0.0) for test in by_file[file])
            return place.get(file, len(place)), seconds / len(by_file[file])

        total, kept = 0.0, list[str]()
        for test in [test for file in sorted(by_file, key=cost) for test in by_file[file]][:MOST_TESTS]:
            total += self.seconds.get(test, 0.0)
            if total > MOST_SECONDS and kept:
                break
            kept.append(test)
        return kept


def _around(tree: ast.AST, line: int) -> list[ast.stmt]:
    """The statements that a line stands in, the outermost first."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _first(node) <= line <= _last(node)]


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _header(node: ast.stmt) -> tuple[int, int]:
    """The lines of a statement without the statements in it."""
    body = getattr(node, "body", None)
    last = _first(body[0]) - 1 if body else _last(node)
    return node.lineno, max(node.lineno, last)


def _names(node: ast.stmt) -> Iterator[str]:
    """What a statement outside of functions defines."""
    if isinstance(node, ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    yield from (each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name))


def hash_files(root: Path) -> dict[str, str]:
    """SHA-256 of each file of the package and of the tests."""
    files = [*(root / "bids_regions").rglob("*.py"), *(root / "tests").rglob("*.py")]
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def measure(copy: Path, folder: Path) -> None:
    """Run the quick tests of a copy of the repository under coverage, by one process, and keep what was measured."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", QUICK, "--cov",
               "--cov-context=test", "--cov-branch", "--cov-report=", "--cov-fail-under=0",
               "--durations=0")  # fmt: skip
    ended = subprocess.run(  # noqa: S603 # the tests of the repository
        command, cwd=copy, capture_output=True, text=True, check=False
    )
    if not (copy / ".coverage").exists():
        sys.exit(f"The tests cannot be measured: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    keep(copy, ended.stdout, folder)


def keep(copy: Path, said: str, folder: Path) -> None:
    """What coverage measured, and what pytest said of durations and failures."""
    seconds: dict[str, float] = defaultdict(float)
    for took, test in re.findall(r"^(\d+\.\d+)s (?:setup|call|teardown) +(.*)$", said, flags=re.MULTILINE):
        seconds[test] += float(took)
    failed = {test.split(" - ")[0] for test in re.findall(r"^(?:FAILED|ERROR) (.*)$", said, flags=re.MULTILINE)}
    told = {"seconds": seconds, "failed": sorted(failed), "contents": hash_files(copy)}
    folder.mkdir(exist_ok=True)
    shutil.copy2(copy / ".coverage", folder / "coverage")
    (folder / "tests.json").write_text(json.dumps(told))


def kept(folder: Path) -> LineTests | None:
    """What was measured last."""
    if not (folder / "tests.json").exists():
        return None
    return LineTests(coverage=folder / "coverage", **json.loads((folder / "tests.json").read_text()))
