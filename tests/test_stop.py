"""SIGTERM: a time limit, scancel, docker stop. The app ends within five seconds with 143, and a rerun does the rest."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from processes import HANG, Forked, catches, living, slowness
from trees import describe, write_map

from bids_regions.maps import maps

pytestmark = pytest.mark.slow

PATIENCE = 5.0  # seconds between SIGTERM and the end
SHAPE = (32, 40, 32)
N_PARTICIPANTS = 7
COMMAND = (sys.executable, "-m", "bids_regions")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


def hold_last() -> None:
    """The last map is never read: however fast the machine is, the run is not over before it is stopped."""
    real, last = maps.load_statmap, f"sub-{N_PARTICIPANTS:02d}_"

    def load(path: Path, *words: object, **named: object) -> object:
        while last in str(path):
            time.sleep(0.01)
        return real(path, *words, **named)  # type: ignore[arg-type]

    maps.load_statmap = load  # type: ignore[assignment]


def run_app(dataset: Path, out: Path, workers: int, prepare: Callable[[], None] | None = None) -> Forked:
    return Forked(dataset, out, "participant", "--nprocs", workers, prepare=prepare, session=True)


def complete(dataset: Path, out: Path, workers: int) -> None:
    ended = run_app(dataset, out, workers).wait()
    assert ended.returncode == 0, ended.stderr


def contents(out: Path) -> dict[str, str]:
    """Every result with a hash of its bytes; not the logs, which tell of times."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.relative_to(out).parts[0] != "logs"
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Participants with smooth maps that take a while."""
    root = describe(tmp_path_factory.mktemp("stop") / "maps")
    for n in range(1, N_PARTICIPANTS + 1):
        random = np.random.default_rng(n)
        data = np.kron(random.normal(0, 3, [side // 8 for side in SHAPE]), np.ones((8, 8, 8))).astype(np.float32)
        label = f"sub-{n:02d}"
        write_map(root / label / f"{label}_task-a_space-S_contrast-x_stat-z_statmap.nii.gz", data)
    return root


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run that nobody stopped leaves."""
    out = tmp_path_factory.mktemp("whole") / "out"
    complete(dataset, out, 1)
    return contents(out)


def wait_for_work(app: Forked, out: Path, finished: int) -> None:
    """Until the output is begun and so many records stand."""
    end = time.monotonic() + HANG
    while not (out / "dataset_description.json").exists() or len(list(out.rglob("*_dseg.json"))) < finished:
        assert app.poll() is None, "the run was over before it could be stopped"
        if time.monotonic() > end:
            os.killpg(app.pid, signal.SIGKILL)
            raise AssertionError(f"no {finished} records in {HANG} s")
        time.sleep(0.01)


def to_the_app(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def to_all_its_processes(pid: int) -> None:
    os.killpg(pid, signal.SIGTERM)


@pytest.mark.parametrize(
    ("workers", "finished", "stop"),
    [
        (1, 0, to_the_app),
        (1, 3, to_the_app),
        (2, 0, to_the_app),
        (2, 3, to_the_app),
        (2, 3, to_all_its_processes),
    ],
)
def test_sigterm_ends_it_and_a_rerun_completes(
    dataset: Path, whole: dict[str, str], tmp_path: Path, workers: int, finished: int, stop: Callable[[int], None]
) -> None:
    out = tmp_path / "out"
    slow = slowness()
    app = run_app(dataset, out, workers, hold_last)
    wait_for_work(app, out, finished)
    workers_then = {pid for pid, parent, _ in living() if parent == app.pid}
    stop(app.pid)
    before = time.monotonic()
    said = app.wait().stderr
    took = time.monotonic() - before
    assert app.returncode == 143
    assert took < PATIENCE * max(slow, slowness())
    assert said.splitlines()[-1].endswith("(exit code 143)"), said
    assert not workers_then & {pid for pid, _, _ in living()}
    assert not list(out.rglob("*.tmp"))
    left = contents(out)
    assert sum(name.endswith("_dseg.json") for name in left) < N_PARTICIPANTS
    logged = [json.loads(log.read_text()) for log in (out / "logs").glob("log-*.json")]
    assert [log["exit_code"] for log in logged] == [143]

    complete(dataset, out, workers)
    assert contents(out) == whole
    assert not list(out.rglob("*.tmp"))


SWALLOWS = """
import os, signal, time
from bids_regions.stopping import terminable

class Swallows:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

with terminable():
    try:
        thing = Swallows()
        del thing
        time.sleep(3600)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
        print("cleaned up", flush=True)
"""


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    """How a program ended; one that did not hear its signal sleeps for an hour."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=HANG
    )


def test_sigterm_that_python_swallows_is_raised_again_and_no_clean_up_is_disturbed() -> None:
    ended = run_code(SWALLOWS)
    assert ended.returncode == 143
    assert ended.stdout == "cleaned up\n"
    assert "Exception ignored in" in ended.stderr


AT_NUMPY = """
import runpy, sys, time

class Hold:
    def find_spec(self, name, *_):
        if name == "numpy":
            print("numpy is wanted", flush=True)
            time.sleep(3600)

sys.meta_path.insert(0, Hold())
runpy.run_module("bids_regions", run_name="__main__", alter_sys=True)
"""


def stop_in_a_finalizer() -> None:
    """SIGTERM arrives where Python drops what it raises, in the middle of the reading of a map."""
    real = maps.load_statmap

    class Dropped:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    def load(*words: object, **named: object) -> object:
        Dropped()
        time.sleep(HANG)
        return real(*words, **named)  # type: ignore[arg-type]

    maps.load_statmap = load  # type: ignore[assignment]


def test_sigterm_that_is_dropped_in_a_fork_of_the_tests_ends_the_app_all_the_same(
    dataset: Path, tmp_path: Path
) -> None:
    ended = run_app(dataset, tmp_path / "out", 1, stop_in_a_finalizer).wait()
    assert ended.returncode == 143, ended.stderr
    assert ended.stderr.splitlines()[-1].endswith("(exit code 143)")


def test_sigterm_is_heard_before_the_libraries_are_loaded(dataset: Path, tmp_path: Path) -> None:
    """As process 1 of a container the app would otherwise be deaf to it."""
    words = (sys.executable, "-c", AT_NUMPY, dataset, tmp_path / "out", "participant", "--nprocs", "1")
    app = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert app.stdout
    assert app.stdout.readline() == "numpy is wanted\n"
    heard = catches(app.pid, signal.SIGTERM)
    app.send_signal(signal.SIGTERM)
    said = app.communicate(timeout=HANG)[1]
    assert heard
    assert app.returncode == 143
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


FORKS = """
import os, signal, time
from collections import deque
from bids_regions.executors import Workers, Task, run_tasks
from bids_regions.stopping import terminable

def wait(_):
    time.sleep(3600)

parent = os.getpid()
os.register_at_fork(after_in_parent=lambda: os.kill(parent, signal.SIGTERM))
with terminable():
    for _ in run_tasks(deque(Task(function=wait, argument=n) for n in range(4)), Workers(n=2)):
        pass
"""


def test_sigterm_while_workers_are_forked_is_neither_lost_nor_doubled() -> None:
    ended = run_code(FORKS)
    assert ended.returncode == 143
    assert ended.stderr == ""
