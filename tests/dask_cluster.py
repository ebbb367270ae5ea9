"""A Dask scheduler and two worker processes on the loopback, for one run of the app: prints its exit code as JSON.

`python tests/dask_cluster.py BIDS_DIR OUTPUT_DIR [--kill]`; with --kill one worker is killed while the run goes on.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from distributed import LocalCluster


def kill_one(cluster: LocalCluster, done: threading.Event) -> None:
    """SIGKILL to one worker once it works, so that its tasks are lost; its nanny starts another."""
    while not done.is_set():
        busy = [w for w in cluster.scheduler.workers.values() if w.processing]
        if busy:
            time.sleep(0.05)
            os.kill(cluster.workers[busy[0].name].pid, signal.SIGKILL)
            return
        time.sleep(0.005)


def main() -> int:
    """Run the app against a cluster of its own."""
    bids_dir, output_dir, *more = sys.argv[1:]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        done = threading.Event()
        killer = threading.Thread(target=kill_one, args=(cluster, done), daemon=True)
        if "--kill" in more:
            killer.start()
        command = [sys.executable, "-m", "bids_regions", bids_dir, output_dir, "participant", "group", "--threshold",
                   "3.0", "--min-region-voxels", "5", "-q", "--executor", "dask", "--scheduler-address",
                   cluster.scheduler_address]  # fmt: skip
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        killed = "--kill" in more and not killer.is_alive()
        done.set()
    sys.stdout.write(json.dumps({"exit_code": run.returncode, "killed": killed, "said": run.stderr[-2000:]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
