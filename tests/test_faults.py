"""A few of the failing calls of `make soak`, in every run of the tests; and a disk that is really full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trees
from processes import fork_app

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def test_a_failing_call_is_one_sentence_and_the_next_run_completes():
    done = subprocess.run(
        [sys.executable, HERE / "faults.py", "--faults", "12", "--seed", "7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["injected"] == 12
    assert counts["call_sites"] > 100


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 300 kB; only root may make one, elsewhere /dev/full stands in for the full disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        yield None
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_ends_with_74_and_what_is_done_stays(tmp_path, small_disk, workers):
    if small_disk is None:
        with pytest.raises(OSError, match="No space"), Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")
        return
    trees.describe(tmp_path / "in")
    for n in range(12):
        trees.write_map(tmp_path / "in" / f"sub-{n:02d}" / f"sub-{n:02d}_contrast-a_stat-z_statmap.nii.gz")
    words = (tmp_path / "in", small_disk / "out", "participant", "group", "--nprocs", workers)
    done = fork_app(*words)
    assert done.returncode == 74
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert done.stderr.rstrip().endswith("(exit code 74)")
    assert "Traceback" not in done.stderr
    assert not list(small_disk.rglob(".*.tmp"))
    finished = list(small_disk.rglob("sub-*_dseg.json"))
    assert finished
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert fork_app(*words).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == before
    assert len(list(small_disk.rglob("sub-*_dseg.json"))) == 12
    assert (small_disk / "out" / "group.html").exists()
