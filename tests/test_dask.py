"""A Dask cluster does the same work as this process: the same bytes, also when a worker is killed on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kills import digests, make_dataset
from processes import HANG

from bids_regions.cli import main

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def test_a_cluster_that_loses_a_worker_writes_the_same_bytes(tmp_path):
    dataset = make_dataset(tmp_path / "in")
    words = ["participant", "group", "--threshold", "3.0", "--min-region-voxels", "5", "-q", "--nprocs", "1"]
    assert main([str(dataset), str(tmp_path / "here"), *words]) == 0
    command = [sys.executable, HERE / "dask_cluster.py", dataset, tmp_path / "there", "--kill"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["exit_code"] == 0, told["said"]
    assert told["killed"]
    assert digests(tmp_path / "there") == digests(tmp_path / "here")
