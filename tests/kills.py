"""Kill runs at seeded moments and look at what they leave: `python tests/kills.py --kills 100 --seed 1`.

Each trial starts the app in a process group of its own, kills the group with SIGKILL, checks that every file that is
visible under its final name is whole (its bytes are those of an uninterrupted run), runs the app again, and checks
that the tree is then the uninterrupted one, without a temporary file. With `--stop` the app alone is sent SIGTERM
instead: it must end within five seconds with 143, and leave no temporary file itself. Prints the counts as one line of
JSON.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import trees
from processes import catches, living, slowness

from bids_regions import cli

PARTICIPANTS = ("01", "02", "03")
ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT  # asked of a child, which is then still there to be waited for
PATIENCE = 5.0  # seconds between SIGTERM and the end
WORDS = ("participant", "group", "--threshold", "3.0", "90%", "--min-region-voxels", "5", "-q")


def make_dataset(root: Path, *, small: bool = False) -> Path:
    """Three participants with two maps each and a group map; small: two with one."""
    trees.describe(root)
    for label in PARTICIPANTS[: 2 if small else 3]:
        for contrast in ("a", "b")[: 1 if small else 2]:
            name = f"sub-{label}_task-x_space-MNI152Lin_contrast-{contrast}_stat-z_statmap.nii.gz"
            trees.write_map(root / f"sub-{label}" / "func" / name)
    trees.write_map(root / "group" / "space-MNI152Lin_contrast-a_stat-z_statmap.nii.gz")
    return root


def digests(out: Path) -> dict[str, str]:
    """Hashes of all files outside logs/, by path."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.relative_to(out).parts[0] != "logs"
    }


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names that only one tree has, or whose bytes differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def temporaries(out: Path) -> list[str]:
    """Files under temporary names, logs/ included."""
    return [path.name for path in out.rglob(".*.tmp")]


SAID = Path(tempfile.gettempdir()) / f"bids_regions-kills-{os.getpid()}.txt"  # what the latest run said


def start(dataset: Path, out: Path, nprocs: int) -> int:
    """The app in a child process with a group of its own; its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    code: object = 70
    sys.argv[1:] = [str(dataset), str(out), *WORDS, "--nprocs", str(nprocs)]
    with SAID.open("w") as sys.stderr:
        try:
            cli.run()
        except SystemExit as end:
            code = end.code
        finally:
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 70)


def finish(dataset: Path, out: Path, nprocs: int) -> float:
    """Run to the end; the seconds it took."""
    begun = time.monotonic()
    _, status = os.waitpid(start(dataset, out, nprocs), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"a run that nobody killed ended with {os.waitstatus_to_exitcode(status)}: {SAID.read_text()}")
    return time.monotonic() - begun


def end(pid: int, out: Path, *, stop: bool) -> bool:
    """Kill or stop the run; whether it was still running."""
    if os.waitpid(pid, os.WNOHANG) != (0, 0):
        return False
    if not stop:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while any(group == pid for _, _, group in living()):  # one that has not heard it yet still holds its locks
            time.sleep(0.002)
        return True
    slow = slowness()
    while not catches(pid, signal.SIGTERM) and not os.waitid(os.P_PID, pid, ENDED):
        time.sleep(0.002)  # on a slow machine it has not begun yet
    os.kill(pid, signal.SIGTERM)
    begun = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    took = time.monotonic() - begun
    said = SAID.read_text()
    assert code in (0, 143), f"exit code {code} after SIGTERM: {said}"  # 0: it was over before the signal was heard
    assert took < PATIENCE * max(slow, slowness()), f"{took:.1f} s between SIGTERM and the end"
    assert "Traceback" not in said, said
    assert not temporaries(out), f"left by a stopped run: {temporaries(out)}"
    return code == 143


def trial(dataset: Path, reference: dict[str, str], nprocs: int, delay: float, *, stop: bool) -> bool:
    """Kill or stop one run after `delay` seconds and complete it; whether it was still running."""
    out = dataset.parent / "out"  # always there: the description of the output names the dataset by a relative path
    try:
        pid = start(dataset, out, nprocs)
        time.sleep(delay)
        running = end(pid, out, stop=stop)
        seen = {name: digest for name, digest in digests(out).items() if not name.endswith(".tmp")}
        half = [name for name, digest in seen.items() if reference.get(name) != digest]
        assert not half, f"visible and not whole after {delay:.3f} s: {half}"
        finish(dataset, out, nprocs)
        assert digests(out) == reference, f"after {delay:.3f} s: {differences(digests(out), reference)}"
        assert not temporaries(out), f"left after {delay:.3f} s: {temporaries(out)}"
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return running


def warm_up(dataset: Path, out: Path) -> None:
    """Run once in this process: the forks find all libraries loaded, and are killed at their work."""
    with SAID.open("w") as said, contextlib.redirect_stderr(said):
        code = cli.main([str(dataset), str(out), *WORDS, "--nprocs", "1"])
    assert code == 0, SAID.read_text()
    shutil.rmtree(out)


def run(kills: int, seed: int, *, stop: bool = False, small: bool = False) -> dict[str, int]:
    """Kill or stop `kills` runs before their end, single and parallel in turn; the counts."""
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # where killed runs leave their small folders
        dataset, out = make_dataset(Path(folder) / "in", small=small), Path(folder) / "out"
        warm_up(dataset, Path(folder) / "warm")
        length = {1: finish(dataset, out, 1)}
        reference = digests(out)
        shutil.rmtree(out)
        length[2] = finish(dataset, Path(folder) / "out2", 2)
        moments = random.Random(seed)  # noqa: S311 # seeded on purpose
        hit = late = 0
        while hit < kills:
            nprocs = 1 + hit % 2
            if trial(dataset, reference, nprocs, moments.uniform(0, length[nprocs]), stop=stop):
                hit += 1
            else:  # the run had ended: this machine is faster than it was when the length was measured
                late += 1
                length[nprocs] *= 0.95
        SAID.unlink()
        tempfile.tempdir = None
    return {"stops" if stop else "kills": kills, "late": late, "seed": seed, "files": len(reference)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop", action="store_true", help="SIGTERM to the app instead of SIGKILL to all of it")
    parser.add_argument("--small", action="store_true", help="fewer participants and maps, for runs that take less")
    given = parser.parse_args()
    sys.stdout.write(json.dumps(run(given.kills, given.seed, stop=given.stop, small=given.small)) + "\n")
