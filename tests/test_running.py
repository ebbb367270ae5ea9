"""How a run uses the machine and what it says meanwhile: workers, memory, threads, progress."""

import gzip
import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trees
from processes import HANG

from bids_regions.cli import main
from bids_regions.errors import BadMap
from bids_regions.executors import OWN, PER_BYTE, fit_workers
from bids_regions.logbook import Logbook
from bids_regions.workflow import levels

MIB = 1 << 20


# Memory


def files_of(tmp_path, *sizes):
    """Files whose content has these sizes, gzipped and plain in turn."""
    paths = []
    for n, size in enumerate(sizes):
        path = tmp_path / f"{n}.nii{'' if n % 2 else '.gz'}"
        path.write_bytes(bytes(size) if n % 2 else gzip.compress(bytes(size), 1))
        paths.append(path)
    return paths


@pytest.mark.parametrize(
    ("memory", "workers"),
    [
        (None, 8),
        (100 * (OWN + PER_BYTE * 2 * MIB), 8),  # as many as asked for and no more
        (3 * (OWN + PER_BYTE * 2 * MIB), 3),
        (3 * (OWN + PER_BYTE * 2 * MIB) - 1, 2),
        (1, 1),  # one is tried whatever there is
    ],
)
def test_the_largest_map_when_inflated_decides_how_many_fit(tmp_path, memory, workers):
    assert fit_workers(8, memory, files_of(tmp_path, MIB, 2 * MIB, MIB // 2)) == workers
    assert fit_workers(8, memory, files_of(tmp_path, 2 * MIB, MIB)) == workers


def test_files_that_are_missing_or_too_short_for_gzip_decide_nothing(tmp_path):
    (tmp_path / "short.nii.gz").write_bytes(b"\x1f\x8b\x08")
    paths = [tmp_path / "short.nii.gz", tmp_path / "none.nii.gz"]
    assert fit_workers(8, 2 * (OWN + PER_BYTE * 3), paths) == 2
    assert fit_workers(8, 2 * OWN, []) == 2


@pytest.mark.parametrize(("memory", "workers"), [("900M", 3), ("300M", 1), ("9G", 4)])
def test_the_memory_that_is_given_limits_the_workers_of_a_run(tmp_path, monkeypatch, memory, workers):
    root, made = trees.fitlins(tmp_path / "in", stats=("z",)), []
    real = levels.Workers
    monkeypatch.setattr(levels, "Workers", lambda **asked: made.append(asked) or real(n=1))
    assert main([str(root), str(tmp_path / "out"), "participant", "--nprocs", "4", "--mem", memory, "-q"]) == 0
    assert [asked["n"] for asked in made] == [workers]


# Threads

THREADS = textwrap.dedent(
    """
    import os, sys
    from bids_regions.cli import main
    assert "numpy" not in sys.modules
    code = main(sys.argv[1:])
    import numpy, scipy.linalg, threadpoolctl
    pools = threadpoolctl.threadpool_info()
    print(code, [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")], bool(pools),
          max(pool["num_threads"] for pool in pools))
    """
)


@pytest.mark.parametrize("asked", [None, 2])
def test_the_libraries_take_as_many_threads_as_they_are_given(tmp_path, asked):
    root = trees.fitlins(tmp_path / "in", participants=("01",), stats=("z",))
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    words = ["--omp-nthreads", str(asked)] if asked else []
    done = subprocess.run(
        [sys.executable, "-c", THREADS, str(root), str(tmp_path / "out"), "participant", "--nprocs", "1", "-q", *words],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=True,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    n = asked or 1
    assert done.stdout.strip() == f"0 {[str(n)] * 3} True {min(n, len(os.sched_getaffinity(0)))}"


# Progress


def test_a_line_for_each_participant_tells_the_rate_and_the_time_left(tmp_path, capsys):
    root = trees.fitlins(tmp_path / "in", participants=("01", "02"), stats=("z",))
    assert main([str(root), str(tmp_path / "out"), "participant", "--nprocs", "1"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert len(lines) == 2
    for n, line in enumerate(lines, start=1):
        words = rf"\[{n}/2\] sub-0\d: \d+ maps?, (\d+ regions?, )?.*\d+\.\d maps/s, \d+ s left"
        assert re.fullmatch(words, line)
    assert lines[1].endswith(" 0 s left")


class Terminal(io.StringIO):
    """Understands new lines and carriage returns."""

    def isatty(self):
        return True

    @property
    def screen(self):
        rows = []
        for row in self.getvalue().split("\n"):
            cells = []
            for part in row.split("\r"):
                cells[: len(part)] = part
            rows.append("".join(cells).rstrip())
        return rows


def open_terminal(monkeypatch):
    """In a test's own body: pytest puts its own stderr in place between a fixture and the test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


@pytest.fixture
def clock(monkeypatch):
    """The seconds since some start, as a list that holds the present ones."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_terminal_has_one_bar_and_no_lines_of_participants(tmp_path, monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    logbook = Logbook(tmp_path, {})
    clock[0] += 50  # finding the maps is no work on them
    logbook.expect(3, 2)
    clock[0] += 0.5
    logbook.tick()
    logbook.step("sub-01", "1 map")
    assert terminal.screen == ["[##########....................] 1/3 maps, 2.0 maps/s, 1 s left"]
    clock[0] += 1000
    logbook.tick()
    assert terminal.screen == ["[####################..........] 2/3 maps, 0.0 maps/s, 8 min left"]
    clock[0] += 1000
    logbook.tick()
    logbook.step("sub-02", "2 maps")
    logbook.say("then the group")
    assert terminal.screen == ["[##############################] 3/3 maps, 0.0 maps/s, 0 s left", "then the group", ""]


def test_lines_stand_above_the_bar_and_none_below_when_the_run_ends(tmp_path, monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    logbook = Logbook(tmp_path, {})
    logbook.expect(4)
    clock[0] += 1
    logbook.tick()
    bar = "[########......................] 1/4 maps, 1.0 maps/s, 3 s left"
    logbook.notice("a word")
    logbook.fail("x.nii.gz", BadMap("x.nii.gz is empty (0 bytes)"))
    told = ["note: a word", "failed: x.nii.gz: x.nii.gz is empty (0 bytes)."]
    assert terminal.screen == [*told, bar]
    logbook.close(143, "stopped")
    assert terminal.screen == [*told, "bids_regions: stopped (exit code 143)", ""]


def test_quiet_and_verbose_runs_have_no_bar(tmp_path, monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    for wanted in ({"quiet": True}, {"verbose": 1}):
        logbook = Logbook(tmp_path, {}, **wanted)
        logbook.expect(1, 1)
        clock[0] += 1
        logbook.tick()
        logbook.step("sub-01", "1 map")
    assert terminal.screen == ["[1/1] sub-01: 1 map, 1.0 maps/s, 0 s left", ""]


def test_nothing_done_yet_takes_some_time(tmp_path, capsys):
    logbook = Logbook(tmp_path, {})
    logbook.expect(2, 2)
    logbook.step("sub-01", "no map that can be read")
    assert capsys.readouterr().err == "[1/2] sub-01: no map that can be read, 0.0 maps/s, some time left\n"
