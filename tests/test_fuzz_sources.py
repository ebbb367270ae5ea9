"""A few of the damaged descriptions of `make soak`, in every run of the tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import HANG

pytestmark = pytest.mark.slow


def test_damaged_design_files_and_descriptions_end_in_a_sentence_or_in_results():
    script = Path(__file__).parent / "fuzz_sources.py"
    command = [sys.executable, script, "--seconds", str(HANG), "--most", "40", "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["files"] == counts["done"] + counts["refused"] == 40
    assert counts["refused"] > 5
