"""Break the code in one place at a time, and see whether a test tells: `python tools/mutate.py --minutes 30 --seed 1`.

A mutant is the package with one operator, constant, condition or statement changed. Mutants are drawn by the seed from
every such place of the rooms below, so that a run of any length is a sample of all of them, and a longer run with the
same seed begins with the same ones. The quick tests that run its line (line_tests.py) are run on each, those of its
room first, until one fails that does not fail on the sound code: the mutant is killed. One that none tells from the
code survives, and is printed with its place and its text. One whose tests take three times the processor time that they
take on the sound code, and half a minute, does not end: killed. What cannot change a result (the words of an error, a
docstring, an annotation) is not drawn.

The libraries are imported once, and each mutant is run by a fork of that process, on a copy of the repository: nothing
here is changed. `--scripts N` breaks the page's scripts in N places too, for the browser tests. Prints a table of rooms
and the survivors as Markdown, which stands in docs/reliability.md.
"""

import argparse
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import line_tests
from line_tests import LineTests
from mutants import ROOT, Mutant, find_mutants

PACKAGE = "bids_regions"
MEASURED = ROOT / ".mutate-lines"
COPIED = (PACKAGE, "tests", "docs", "tools", "benchmarks", "container", "pyproject.toml", "README.md", "CHANGELOG.md",
          "CONTRIBUTING.md", "SECURITY.md", "boutiques.json", "Makefile", "Dockerfile", "LICENSE",
          "hatch_build.py", "recipe", "noxfile.py", "codemeta.json", "CITATION.cff", ".github", ".gitignore",
          ".dockerignore")  # fmt: skip
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
FIRST = 25  # tests that are tried before the others
NOT_FOUND = 4  # pytest's exit code
FAILED = re.compile(r"^(?:FAILED|ERROR) (.*?::.*?)(?: - .*)?$", flags=re.MULTILINE)
LIMIT = 300  # seconds of processor time
PATIENCE = 20  # times the seconds of processor time that a mutant may take, in all, on a machine with other work


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

    survived: bool = True
    seconds: float  # of processor time
    killer: str = ""  # the test that failed
    absent: bool = False  # a test that was named is not there, as its parameters come of the broken code


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
        self.log = folder / "last.log"
        self.unsound = set[str]()  # tests that fail without a mutant
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

    def run(self, tests: Sequence[str], most: int, *more: str) -> Ended:
        """Run tests in a fork, which may take `most` seconds of processor time; what it started ends with it."""
        self.log.write_text("")
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):  # whatever it is, the fork must not go on as its parent
                resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
                os._exit(self._test([*more, *tests]))
            os._exit(1)
        began = time.monotonic()
        while not (ended := os.wait4(child, os.WNOHANG))[0]:
            if time.monotonic() - began > PATIENCE * most:  # it waits for something
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        _, status, usage = ended
        seconds, failed = usage.ru_utime + usage.ru_stime, FAILED.search(self.log.read_text())
        code = os.waitstatus_to_exitcode(status)
        killer = failed[1] if code and failed else ""
        return Ended(survived=code == 0, seconds=seconds, killer=killer, absent=code == NOT_FOUND)

    def _test(self, tests: Sequence[str]) -> int:
        os.setsid()
        os.chdir(self.copy)
        sys.path.insert(0, str(self.copy))
        quiet = os.open(os.devnull, os.O_RDWR)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream, target in ((0, quiet), (1, log), (2, log)):
            os.dup2(target, stream)
        import pytest  # noqa: PLC0415 # is loaded already, in the process that was forked

        without = ("-p no:cacheprovider", "-p no:randomly", "-p no:xdist", "-p no:cov")
        options = (
            *("-x", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning", f"--rootdir={self.copy}"),
            *(word for plugin in without for word in plugin.split()),
            *(f"--deselect={test}" for test in self.unsound),
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
            ended = self.run(tests, most)
            return self.run(list(dict.fromkeys(test.split("::")[0] for test in tests)), most) if ended.absent else ended
        finally:
            path.write_bytes(source)
            shutil.rmtree(self.copy.parent / "tmp", ignore_errors=True)
            (self.copy.parent / "tmp").mkdir()

    def failing(self, tests: Sequence[str]) -> set[str]:
        """Which of the tests fail on the sound code."""
        self.run(tests, LIMIT, "--maxfail=0") if tests else None
        return set(FAILED.findall(self.log.read_text())) if tests else set()


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


def report(tried: Mapping[Mutant, Ended], sources: dict[str, bytes]) -> str:
    """The table and the survivors, as Markdown."""
    rooms: dict[str, list[bool]] = {}
    for mutant, ended in tried.items():
        rooms.setdefault(mutant.room, []).append(not ended.survived)
    lines = ["| room | mutants | killed |", "|---|---|---|"]
    for room, killed in [*rooms.items(), ("all", [kill for words in rooms.values() for kill in words])]:
        lines.append(f"| {room} | {len(killed)} | {sum(killed)} ({sum(killed) / max(1, len(killed)):.0%}) |")
    survivors = [mutant.describe(sources[mutant.path]) for mutant, ended in tried.items() if ended.survived]
    return "\n".join([*lines, "", *(f"* {line}" for line in survivors)])


def choose_tests(bench: Bench, mutant: Mutant, measured: LineTests, changed: set[str]) -> list[str]:
    """The tests of a mutant, the nearest first: those that run its line, where it is known which these are."""
    near = nearest_tests(bench.copy, mutant)
    if mutant.path.endswith(".js") or mutant.path in changed:
        return near
    files = [Path(file).relative_to(bench.copy).as_posix() for file in near]
    running = measured.running(ROOT, mutant.path, mutant.line)
    if running == {""}:  # by processes of their own alone
        return near
    tests = measured.ordered(running, files)
    return tests + [file for file in files if file in changed]  # with the tests written since, in the room's files


def run_all(bench: Bench, sample: Sequence[Mutant], end: float, measured: LineTests) -> dict[Mutant, Ended]:
    """Try the mutants one by one until the time is over."""
    tried = dict[Mutant, Ended]()
    changed, waiting = measured.changed(ROOT), list(sample)
    bench.run(["--collect-only", "tests", PACKAGE], LIMIT)  # compiles all once, for every mutant
    while waiting:
        for mutant in waiting:
            if time.monotonic() > end and mutant not in tried:
                break
            tests = choose_tests(bench, mutant, measured, changed)
            named = all("::" in test for test in tests)
            most = int(3 * sum(measured.seconds.get(test, 0.0) for test in tests) + 30) if named else LIMIT
            tried[mutant] = Ended(seconds=0)
            for some in (tests[:FIRST], tests[FIRST:]):  # to collect hundreds takes longer than to run the first
                if some and tried[mutant].survived:
                    tried[mutant] = bench.try_mutant(mutant, some, most)
            word = "survived" if tried[mutant].survived else f"killed by {tried[mutant].killer}"
            tell(f"{word} {tried[mutant].seconds:.0f} s {mutant.describe((bench.copy / mutant.path).read_bytes())}")
        # a test that fails on the sound code too tells nothing
        bench.unsound |= bench.failing(sorted({ended.killer for ended in tried.values()} - {""}))
        waiting = [mutant for mutant, ended in tried.items() if ended.killer in bench.unsound]
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
    parser.add_argument("--trust", action="store_true", help="keep the measure of lines for modules as it knows")
    parser.add_argument("--list", action="store_true", help="only print the sample")
    asked = parser.parse_args()
    sample = draw(asked)
    sources = {mutant.path: (ROOT / mutant.path).read_bytes() for mutant in sample}
    if asked.list:
        print(*(mutant.describe(sources[mutant.path]) for mutant in sample), sep="\n")  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        end = time.monotonic() + 60 * asked.minutes
        bench, measured = Bench(Path(folder)), line_tests.kept(MEASURED)
        if measured is None or (not asked.trust and any(path.startswith(PACKAGE) for path in measured.changed(ROOT))):
            tell("Measures which tests run which lines: some ten minutes of processor time")
            line_tests.measure(bench.copy, MEASURED)
            measured = line_tests.kept(MEASURED)
        tried = run_all(bench, sample, end, measured)
    print(report(tried, sources))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
