"""A Dask scheduler and four worker processes on the loopback, for one run of the app: prints its exit code as JSON.

`python tests/dask_cluster.py BIDS_DIR OUTPUT_DIR [--kill]`; with --kill the worker that first reads a map is killed
as it does.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import dask.config
from distributed import LocalCluster

N_WORKERS = 4  # more than deaths: on a busy machine Dask may give up starting another worker for one that died
KILLER = """
import os, signal
from bids_regions.images import load_statmap as real
from bids_regions.maps import maps

def load(*words, **named):
    try:
        os.close(os.open({killed!r}, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return real(*words, **named)
    os.kill(os.getpid(), signal.SIGKILL)

maps.load_statmap = load
"""  # in each worker before its first task: whatever the pace, one dies in the midst of its work, and one only


def main() -> int:
    """Run the app against a cluster of its own."""
    bids_dir, output_dir, *more = sys.argv[1:]
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})  # the libraries are loaded once
    with tempfile.TemporaryDirectory() as folder:
        killed = Path(folder) / "killed"
        if "--kill" in more:
            preload = Path(folder) / "killer.py"
            preload.write_text(KILLER.format(killed=str(killed)))
            dask.config.set({"distributed.worker.preload": [str(preload)]})
        run = run_app(bids_dir, output_dir)
        told = {"exit_code": run.returncode, "killed": killed.exists(), "said": run.stderr[-2000:]}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def run_app(bids_dir: str, output_dir: str) -> subprocess.CompletedProcess[str]:
    """The app on both levels, its tasks done by the cluster."""
    with LocalCluster(
        n_workers=N_WORKERS, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        command = [sys.executable, "-m", "bids_regions", bids_dir, output_dir, "participant", "group", "--threshold",
                   "3.0", "--min-region-voxels", "5", "-q", "--executor", "dask", "--scheduler-address",
                   cluster.scheduler_address]  # fmt: skip
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
