"""A few of the kills of `make soak`, in every run of the tests."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_run_killed_anywhere_is_completed_by_the_next():
    script = Path(__file__).parent / "kills.py"
    done = subprocess.run(
        [sys.executable, script, "--kills", "4", "--seed", "11"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["kills"] == 4
    assert counts["files"] > 100
