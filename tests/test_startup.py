"""What a run over one participant loads: counted and named, for a second of start is fourteen hours of an array."""

import os
import subprocess
import sys

import pytest
import trees

ANCHOR = "import numpy, nibabel, jinja2"  # what no report can do without, and what comes with it
OWN = 150  # modules of the package that a map on a grid may need
OTHERS = 60  # modules of others, beside the anchor's: the language's, and what reads and packs files
ASLEEP = set(  # libraries that this run has no use for, but what the anchor loads of them
    "PIL bids bidsschematools concurrent distributed matplotlib multiprocessing pandas sqlalchemy".split()  # noqa: SIM905
)
ELSEWHERE = ("api", "aggregate", "group", "importing", "demo", "workflow.group_level", "workflow.explaining")


def loaded(program, *arguments, **environment):
    """The names of the modules that are there when a program ends."""
    told = "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", f"{told}\n{program}", *map(str, arguments)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.strip().rpartition("\n")[2].split())


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """The modules of a whole run with figures and a page, and of the anchor."""
    root = tmp_path_factory.mktemp("startup")
    trees.describe(root / "in", GeneratedBy=[{"Name": "made"}])
    trees.write_map(root / "in/sub-01/func/sub-01_task-a_space-MNI152NLin6Asym_contrast-x_stat-z_statmap.nii.gz")
    run = "import sys; from bids_regions.cli import main; assert main(sys.argv[1:]) == 0"
    options = ["participant", "--threshold", "2", "97%", "--nprocs", "4", "--min-region-size", "0"]
    names = loaded(run, root / "in", root / "out", *options)
    assert (root / "out" / "sub-01.html").is_file()
    assert len(list((root / "out" / "sub-01" / "figures").iterdir())) == 2
    return names, loaded(ANCHOR)


def own(names):
    return {name for name in names if name.partition(".")[0] == "bids_regions"}


def test_libraries_that_are_not_needed_sleep(ready):
    names, anchor = ready
    assert {name.partition(".")[0] for name in names - anchor} & ASLEEP == set()


def test_of_scipy_no_more_is_loaded_than_nibabel_loads(ready):
    names, anchor = ready
    assert {name for name in names - anchor if name.startswith("scipy")} == set()


def test_rooms_that_are_not_entered_stay_dark(ready):
    names, _ = ready
    doors = tuple(f"bids_regions.{room}" for room in ELSEWHERE)
    assert {name for name in names if name.startswith(doors)} == set()


def test_the_budget_of_own_modules_is_kept(ready):
    names, _ = ready
    assert len(own(names)) <= OWN, sorted(own(names))


def test_the_budget_of_other_modules_is_kept(ready):
    names, anchor = ready
    others = names - anchor - own(names)
    assert len(others) <= OTHERS, sorted(others)


@pytest.mark.parametrize(
    ("options", "wakes"),
    [(["--threshold", "p=0.001"], "scipy.special"), (["--convention", "nilearn"], "scipy.ndimage")],
)
def test_a_library_wakes_where_it_is_needed(ready, tmp_path, options, wakes):
    """The names above are right: this is how they would be found."""
    trees.describe(tmp_path / "in", GeneratedBy=[{"Name": "made"}])
    trees.write_map(tmp_path / "in/sub-01/func/sub-01_task-a_space-MNI152NLin6Asym_contrast-x_stat-z_statmap.nii.gz")
    run = "import sys; from bids_regions.cli import main; assert main(sys.argv[1:]) == 0"
    names = loaded(run, tmp_path / "in", tmp_path / "out", "participant", "--min-region-size", "0", *options)
    assert wakes in names - ready[0]
