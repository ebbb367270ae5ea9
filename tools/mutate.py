"""Break the code in one place at a time, and see whether a test tells: `python tools/mutate.py --minutes 30 --seed 1`.

A mutant is the package with one operator, constant, condition or statement changed. Mutants are drawn by the seed from
every such place of the rooms below, so that a run of any length is a sample of all of them, and a longer run with the
same seed begins with the same ones. The tests of its room run on each, the nearest first, until one fails: the mutant
is killed. One that no test of the room tells from the code survives, and is printed with its place and its text. One
whose tests take three times the processor time that they take on the sound code, and half a minute, does not end:
killed. What cannot change a result (the words of an error, a docstring, an annotation) is not drawn.

The libraries are imported once, and each mutant is run by a fork of that process, on a copy of the repository: nothing
here is changed. `--scripts N` breaks the page's scripts in N places too, for the browser tests. Prints a table of rooms
and the survivors as Markdown, which stands in docs/reliability.md.
"""

import argparse
import ast
import contextlib
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "bids_regions"
COPIED = (PACKAGE, "tests", "docs", "tools", "benchmarks", "container", "pyproject.toml", "README.md", "CHANGELOG.md",
          "CONTRIBUTING.md", "SECURITY.md", "boutiques.json", "Makefile", "Dockerfile", "LICENSE",
          "hatch_build.py")  # fmt: skip
LIBRARIES = ("scipy.sparse.csgraph", "scipy.sparse.linalg", "scipy.special", "scipy.ndimage", "scipy.stats",
             "scipy.spatial", "scipy.optimize", "nibabel", "pandas", "bids", "jinja2", "PIL.Image", "hypothesis",
             "matplotlib.figure", "matplotlib.backends.backend_agg", "nilearn.image",
             "nilearn.reporting", "nilearn.surface", "nilearn.regions")  # fmt: skip
NEAREST = {  # room: the beginnings of its tests' names, the nearest first; those of the module itself come before all
    "extraction": ("test_extraction", "test_app_kinds", "test_app_inference"),
    "space": ("test_space", "test_extraction_components", "test_extraction_measures"),
    "images": ("test_images", "test_volumes", "test_rough_files", "test_api"),
    "dataset": ("test_dataset", "test_volumes", "test_rough_files", "test_app_surfaces"),
    "results": ("test_results", "test_tables", "test_ownership", "test_reruns"),
    "aggregate": ("test_aggregate", "test_group_truth"),
    "settings": ("test_settings", "test_options", "test_app_selection", "test_exit_codes"),
}
NEAREST_PAGES = {  # script of the page: the beginnings of its tests' names, the nearest first
    "cortex": ("test_sheets", "test_turning", "test_pictures", "test_cortex", "test_group_cortex", "test_coordinates"),
    "group": ("test_cohort", "test_group_cortex"),
    "table": ("test_rows", "test_cells", "test_page_tables", "test_reading", "test_cohort"),
    "payload": ("test_grids", "test_safety", "test_viewer", "test_size"),
    "page": ("test_places", "test_workbench", "test_tools", "test_reading", "test_safety"),
    "grid": ("test_grids", "test_coordinates", "test_viewer"),
    "slices": ("test_painting", "test_viewer", "test_coordinates", "test_tools", "test_workbench"),
    "planes": (
        "test_planes",
        "test_glass",
        "test_pictures",
        "test_viewer",
        "test_coordinates",
        "test_tools",
        "test_workbench",
    ),
    "viewer": ("test_readout", "test_scenes", "test_viewer", "test_tools", "test_workbench", "test_coordinates"),
    "instruments": ("test_instruments", "test_tools", "test_workbench", "test_viewer"),
}
SWAPS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "sorted": "list"}
SCRIPTS = (("===", "!=="), ("!==", "==="), (" < ", " <= "), (" > ", " >= "), (" <= ", " < "), (" >= ", " > "),
           (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " / "), (" ? ", " && false ? "),
           ("Math.min", "Math.max"), ("Math.max", "Math.min"), ("Math.floor", "Math.ceil"), ("return ", "return void "),
           ("continue;", ";"))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One place of one file, with what stands there then."""

    path: str  # from the root
    line: int  # from 1
    start: int  # bytes
    end: int
    new: str

    @property
    def room(self) -> str:
        """The room that is broken."""
        return "scripts" if self.path.endswith(".js") else Path(self.path).with_suffix("").parts[1]

    def text(self, source: bytes) -> bytes:
        """The file's content, broken."""
        return source[: self.start] + self.new.encode() + source[self.end :]

    def describe(self, source: bytes) -> str:
        """The line before and after."""
        lines = [text.decode().splitlines()[self.line - 1].strip() for text in (source, self.text(source))]
        return f"{self.path}:{self.line} `{lines[0]}` -> `{lines[1]}`"


class _Places(ast.NodeVisitor):
    """Every place of a module where a mutant can be made."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source, self.found = path, source, list[Mutant]()
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def at(self, node: ast.AST, *, end: bool = False) -> int:
        line, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return self.starts[line - 1] + int(column)

    def add(self, node: ast.AST, new: str, span: tuple[int, int] | None = None) -> None:
        start, end = span or (self.at(node), self.at(node, end=True))
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(path=self.path, line=line, start=start, end=end, new=new))

    def swap(self, left: ast.AST, operator: ast.AST, right: ast.AST) -> None:
        """Change the operator between two operands; comments and brackets between them are left alone."""
        if type(operator) not in SWAPS:
            return
        old, new = SWAPS[type(operator)]
        start, end = self.at(left, end=True), self.at(right)
        match = re.fullmatch(
            rb"([\s)\\]*?)(?<![\w=<>!])" + re.escape(old.encode()) + rb"([\s(\\]*)", self.source[start:end]
        )
        if match:
            self.add(left, new, (start + match.end(1), start + match.end(1) + len(old)))

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands[:-1], node.ops, operands[1:], strict=True):
            self.swap(left, operator, right)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)):
            self.swap(node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values[:-1], node.values[1:], strict=True):
            self.swap(left, node.op, right)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add(node, str(not node.value))
        elif isinstance(node.value, int | float) and node.value == node.value:
            self.add(node, f"({node.value!r} + 1)")

    def visit_If(self, node: ast.If) -> None:
        test = self.source[self.at(node.test) : self.at(node.test, end=True)].decode()
        self.add(node.test, f"(not ({test}))")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        test = self.source[self.at(node.test) : self.at(node.test, end=True)].decode()
        self.add(node.test, f"(not ({test}))")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self.add(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.add(node, "pass")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NAMES and isinstance(node.ctx, ast.Load):
            self.add(node, NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NAMES:
            end = self.at(node, end=True)
            self.add(node, NAMES[node.attr], (end - len(node.attr), end))
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Its words are not drawn."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Its words are not drawn."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """It guards nothing that a user can cause."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """It changes no result."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in (*node.args.defaults, *(d for d in node.args.kw_defaults if d), *node.body):
            self.visit(child)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for child in node.body:
            self.visit(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


LIMIT = 300  # seconds of processor time
PATIENCE = 20  # times the seconds of processor time that a mutant may take, in all, on a machine with other work


def find_mutants(path: Path) -> list[Mutant]:
    """Every mutant of a module or script."""
    name, source = path.relative_to(ROOT).as_posix(), path.read_bytes()
    if path.suffix == ".js":
        return list(_script_mutants(name, source))
    places = _Places(name, source)
    with warnings.catch_warnings(action="ignore"):
        places.visit(ast.parse(source))
    return [mutant for mutant in places.found if mutant.text(source) != source]


def _script_mutants(name: str, source: bytes) -> Iterator[Mutant]:
    start = 0
    for number, line in enumerate(source.splitlines(keepends=True), start=1):
        code = re.split(rb"(?:^|\s)//", line)[0]
        if not code.lstrip().startswith((b"*", b"/*", b"//", b"throw")):
            for old, new in SCRIPTS:
                for match in re.finditer(re.escape(old.encode()), code):
                    yield Mutant(path=name, line=number, start=start + match.start(), end=start + match.end(), new=new)
        start += len(line)


def nearest_tests(copy: Path, mutant: Mutant) -> list[str]:
    """The files of tests that are nearest to a mutant, the nearest first."""
    tests = copy / "tests"
    parts = Path(mutant.path).with_suffix("").parts
    if mutant.path.endswith(".js"):
        return [(tests / "browser" / f"{name}.py").as_posix() for name in NEAREST_PAGES[parts[-1]]]
    room, module = parts[1], parts[-1]
    own = sorted(tests.glob(f"test_{room}_{module}*.py")) + ([tests / f"test_{room}.py"] if len(parts) == 2 else [])
    of_room = [file for start in NEAREST.get(room, ()) for file in sorted(tests.glob(f"{start}*.py"))]
    named = [file for file in of_room if re.search(rf"\b{module}\b", file.read_text())]
    ordered = dict.fromkeys([*own, copy / mutant.path, *named, *of_room])
    return [file.as_posix() for file in ordered if file.exists()]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What the tests said of a mutant."""

    survived: bool
    seconds: float  # of processor time


class Bench:
    """A copy of the repository, and the forks that test it broken."""

    def __init__(self, folder: Path) -> None:
        self.copy = folder / "repository"
        self.copy.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / name).exists():
                shutil.copy2(ROOT / name, self.copy / name)
        (folder / "tmp").mkdir()
        os.environ |= {
            "PYTHONPATH": str(self.copy), "TMPDIR": str(folder / "tmp"), "OPENBLAS_NUM_THREADS": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        }  # fmt: skip
        with warnings.catch_warnings(action="ignore"):
            for library in LIBRARIES:
                importlib.import_module(library)
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]

    def run(self, tests: Sequence[str], most: int) -> Ended:
        """Run tests in a fork, which may take `most` seconds of processor time; what it started ends with it."""
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):  # whatever it is, the fork must not go on as its parent
                resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
                os._exit(self._test(tests))
            os._exit(1)
        began = time.monotonic()
        while not (ended := os.wait4(child, os.WNOHANG))[0]:
            if time.monotonic() - began > PATIENCE * most:  # it waits for something
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        _, status, usage = ended
        return Ended(survived=os.waitstatus_to_exitcode(status) == 0, seconds=usage.ru_utime + usage.ru_stime)

    def _test(self, tests: Sequence[str]) -> int:
        os.setsid()
        os.chdir(self.copy)
        sys.path.insert(0, str(self.copy))
        quiet = os.open(os.devnull, os.O_RDWR)
        log = os.open(self.copy.parent / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream, target in ((0, quiet), (1, log), (2, log)):
            os.dup2(target, stream)
        import pytest  # noqa: PLC0415 # is loaded already, in the process that was forked

        options = (
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-p",
            "no:xdist",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            f"--rootdir={self.copy}",
        )
        return int(pytest.main([*options, *tests]))

    def try_mutant(self, mutant: Mutant, tests: Sequence[str], most: int) -> Ended:
        """Break the copy, run the tests, mend the copy."""
        path = self.copy / mutant.path
        source = path.read_bytes()
        caches = list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
        for cache in caches:
            cache.unlink()
        path.write_bytes(mutant.text(source))
        try:
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            return self.run(tests, most)
        finally:
            path.write_bytes(source)
            shutil.rmtree(self.copy.parent / "tmp", ignore_errors=True)
            (self.copy.parent / "tmp").mkdir()


def draw(asked: argparse.Namespace) -> list[Mutant]:
    """Mutants in the order of the sample: the rooms in turn, so that each has its part however short the run is."""
    chance = random.Random(asked.seed)  # noqa: S311 # no secret
    decks = []
    for room in asked.rooms:
        where = ROOT / PACKAGE / room
        deck = [mutant for path in sorted(where.rglob("*.py")) for mutant in find_mutants(path)]
        decks.append(chance.sample(deck, min(len(deck), asked.most)))
    pages = sorted((ROOT / PACKAGE / "report" / "static").glob("*.js"))
    scripts = [mutant for path in pages for mutant in find_mutants(path)]
    mixed = [deck[turn] for turn in range(max(map(len, decks), default=0)) for deck in decks if turn < len(deck)]
    return mixed[: asked.most] + chance.sample(scripts, min(asked.scripts, len(scripts)))


def report(tried: Sequence[tuple[Mutant, Ended]], sources: dict[str, bytes]) -> str:
    """The table and the survivors, as Markdown."""
    rooms: dict[str, list[bool]] = {}
    for mutant, ended in tried:
        rooms.setdefault(mutant.room, []).append(not ended.survived)
    lines = ["| room | mutants | killed |", "|---|---|---|"]
    for room, killed in [*rooms.items(), ("all", [kill for words in rooms.values() for kill in words])]:
        lines.append(f"| {room} | {len(killed)} | {sum(killed)} ({sum(killed) / max(1, len(killed)):.0%}) |")
    survivors = [mutant.describe(sources[mutant.path]) for mutant, ended in tried if ended.survived]
    return "\n".join([*lines, "", *(f"* {line}" for line in survivors)])


def run_all(
    bench: Bench, sample: Sequence[Mutant], sources: dict[str, bytes], end: float, *, trust: bool
) -> list[tuple[Mutant, Ended]]:
    """Try the mutants one by one until the time is over; the tests of a room must be green before it is broken."""
    tried, most = list[tuple[Mutant, Ended]](), dict[str, int]()
    for mutant in sample:
        if time.monotonic() > end:
            break
        tests = nearest_tests(bench.copy, mutant)
        if mutant.room not in most:
            most[mutant.room] = LIMIT
            if not trust:
                sound = bench.run(tests, LIMIT)
                if sound.survived:
                    most[mutant.room] = int(3 * sound.seconds + 30)
                else:
                    sys.exit(f"The tests of {mutant.room} fail without a mutant: {' '.join(tests)}")
        ended = bench.try_mutant(mutant, tests, most[mutant.room])
        tried.append((mutant, ended))
        word = "survived" if ended.survived else "killed"
        tell(f"{word} {ended.seconds:.0f} s {mutant.describe(sources[mutant.path])}")
    return tried


def tell(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 # a command of its own


def main() -> int:
    """Draw, break, test, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=300, help="mutants of the package")
    parser.add_argument("--scripts", type=int, default=0, help="mutants of the page's scripts, last")
    parser.add_argument("--rooms", nargs="+", default=list(NEAREST), choices=list(NEAREST))
    parser.add_argument("--trust", action="store_true", help="take it that the tests pass on the sound code")
    parser.add_argument("--list", action="store_true", help="only print the sample")
    asked = parser.parse_args()
    sample = draw(asked)
    sources = {mutant.path: (ROOT / mutant.path).read_bytes() for mutant in sample}
    if asked.list:
        print(*(mutant.describe(sources[mutant.path]) for mutant in sample), sep="\n")  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        end = time.monotonic() + 60 * asked.minutes
        tried = run_all(Bench(Path(folder)), sample, sources, end, trust=asked.trust)
    print(report(tried, sources))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
