"""Whatever is not needed may be missing: streams, a home, a locale, semaphores, a folder for temporary files."""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import pytest
import trees
from processes import HANG

from bids_regions.executors import Task, Workers, check_workers, run_tasks
from bids_regions.workflow import levels

pytestmark = pytest.mark.slow

ALONE, BOTH = ("participant", "--nprocs", "1"), ("participant", "group", "--nprocs", "2")
APP = [sys.executable, "-m", "bids_regions"]
PATH = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1])}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = trees.describe(tmp_path_factory.mktemp("surroundings") / "in")
    for label in ("01", "02"):
        trees.write_map(root / f"sub-{label}/func/sub-{label}_task-a_space-T_contrast-größe_stat-z_statmap.nii")
    return root


@pytest.fixture(scope="module")
def usual(dataset, tmp_path_factory):
    """What the dataset gives where nothing is missing: of its participants, and with the group."""
    output, given = tmp_path_factory.mktemp("surroundings") / "out", {}
    for asked in (ALONE, BOTH):
        done = run([*APP, dataset, output, *asked], {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, done.stderr
        given[asked] = bytes_of(output)
    return given


def run(command, environment, **how):
    return subprocess.run(
        [str(word) for word in command],
        env={**PATH, **environment},
        capture_output=True,
        check=False,
        timeout=HANG,
        **how,
    )


def bytes_of(output):
    """Every file outside logs/, and its bytes."""
    files = (path for path in output.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("closed", "levels"),
    [("<&-", ALONE), (">&-", ALONE), ("2>&-", ALONE), ("<&- >&- 2>&-", BOTH), ("2>/dev/full", ALONE)],
)
def test_streams_that_are_closed_or_full_change_no_result(dataset, usual, tmp_path, closed, levels):
    command = " ".join([*APP, str(dataset), str(tmp_path / "out"), *levels, closed])
    assert run(["sh", "-c", command], {"HOME": "/nonexistent"}).returncode == 0
    assert bytes_of(tmp_path / "out") == usual[levels]


@pytest.mark.parametrize("level", ["0", "1"])
def test_names_are_utf8_whatever_the_locale_says(dataset, usual, tmp_path, level):
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": level, "PYTHONUTF8": "0", "HOME": "/nonexistent"}
    done = run([*APP, dataset, tmp_path / "out", *BOTH], locale)
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "out") == usual[BOTH]


def test_a_locale_without_utf8_leaves_the_words_of_the_command_as_they_are(dataset, tmp_path):
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "HOME": "/nonexistent"}
    done = run([*APP, dataset, tmp_path / "größe", "participant", "--contrast", "größe", "-q"], locale)
    assert done.returncode == 0, done.stderr
    assert b"2 maps done" in done.stderr
    assert (tmp_path / "größe" / "sub-01.html").is_file()


def test_a_user_whom_no_file_lists_needs_no_home(dataset, usual, tmp_path):
    unknown = "import pwd, sys; pwd.getpwuid = pwd.struct_passwd; from bids_regions.cli import main; sys.exit(main())"
    program = unknown.replace("pwd.struct_passwd", "lambda uid: {}[uid]")
    done = run([sys.executable, "-c", program, dataset, tmp_path / "out", *ALONE], {})
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "out") == usual[ALONE]


def test_a_listener_who_leaves_is_no_fault(dataset, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*APP, dataset, tmp_path / "out", "participant", "--dry-run"]
    done = subprocess.run(
        command, env={**PATH, "HOME": "/"}, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=HANG
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_semaphores_one_process_does_all_and_says_so(monkeypatch):
    import multiprocessing.synchronize  # noqa: PLC0415 # the module itself is what is broken here

    def refuse(*_args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock", refuse)
    able, note = check_workers(Workers(n=3))
    assert able == Workers(n=1)
    assert "one process does it all (Function not implemented)" in note
    assert check_workers(Workers(n=1)) == (Workers(n=1), "")


def test_with_semaphores_the_crew_is_as_asked():
    assert check_workers(Workers(n=3)) == (Workers(n=3), "")


def square(n):
    return n * n


def test_where_no_process_may_be_started_the_tasks_are_done_here(monkeypatch):
    def refuse(_self):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.context.ForkProcess, "start", refuse)
    tasks = deque(Task(function=square, argument=n) for n in range(4))
    assert [result for _, result in run_tasks(tasks, Workers(n=2))] == [0, 1, 4, 9]


def test_no_folder_for_temporary_files_is_needed_but_the_output(dataset, usual, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path)])
    monkeypatch.chdir(tmp_path)  # Python's last resort
    assert levels.run_levels(settings(dataset, tmp_path / "out")) == 0
    assert tempfile.tempdir == str(tmp_path / "out" / "logs")
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".coverage"))
    assert left == ["out"]  # coverage writes where its processes stand
    assert not [path for path in (tmp_path / "out" / "logs").iterdir() if path.is_dir()]
    assert bytes_of(tmp_path / "out") == usual[BOTH]


def settings(dataset, output):
    from bids_regions.cli import build_parser  # noqa: PLC0415 # as the command does
    from bids_regions.settings import make_settings  # noqa: PLC0415

    return make_settings(build_parser().parse_args([str(dataset), str(output), *BOTH]))


def test_few_open_files_are_enough(dataset, usual, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    done = run([*APP, dataset, tmp_path / "out", *BOTH], {"HOME": "/"}, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "out") == usual[BOTH]
