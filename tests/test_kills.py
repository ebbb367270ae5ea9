"""A few of the kills and stops of `make soak`, in every run of the tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def count(*words):
    script = Path(__file__).parent / "kills.py"
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_killed_anywhere_is_completed_by_the_next():
    counts = count("--kills", "2", "--seed", "11", "--small")
    assert counts["kills"] == 2
    assert counts["files"] > 40


def test_a_run_stopped_anywhere_ends_within_five_seconds_and_is_completed_by_the_next():
    """Discovery, maps, pages and the group alike: the moments are spread over the whole run."""
    counts = count("--kills", "2", "--seed", "3", "--stop", "--small")
    assert counts["stops"] == 2
