"""The group level by vertex: participants with a pair of fsLR 32k maps each; seconds of the processor, as JSON.

python benchmarks/group_surfaces.py [--participants 100]. Maps are smooth noise that people share in part, so that each
has some dozens of regions and the consensus as many. Measured is the command of each level on one process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from surfaces import SIDES, smooth

from bids_regions.images.gifti import save_gifti_map
from bids_regions.meshes import load_cortex, load_triangles

N = 32492
POOL = 12  # different maps; people beyond share them with noise of their own


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--participants", type=int, default=100)
    n = parser.parse_args().participants
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder) / "in", n)
        found = {level: measure(Path(folder), level) for level in ("participant", "group")}
    print(json.dumps({"participants": n, **found}, indent=2))


def simulate(root: Path, n: int) -> None:
    """A dataset of `n` participants."""
    root.mkdir()
    (root / "dataset_description.json").write_text('{"Name": "surfaces", "BIDSVersion": "1.10.0"}')
    for side, (structure, _) in SIDES.items():
        triangles, cortex = load_triangles("fsLR", N, side), load_cortex("fsLR", N, side)
        assert triangles is not None
        assert cortex is not None
        shared = smooth(triangles, N, ord(side))
        own = [smooth(triangles, N, 1000 * k + ord(side)) for k in range(POOL)]
        for k in range(n):
            rough = np.random.default_rng([k, ord(side)]).normal(0, 0.2, N)
            values = np.where(cortex, shared + 0.5 * own[k % POOL] + rough, 0)
            folder = root / f"sub-{k:04d}"
            folder.mkdir(exist_ok=True)
            name = f"sub-{k:04d}_hemi-{side}_space-fsLR_den-32k_contrast-a_stat-z_statmap.func.gii"
            save_gifti_map(folder / name, values, structure)


def measure(folder: Path, level: str) -> dict[str, Any]:
    """One level: seconds of the processor and on the clock, and the largest memory of a process."""
    command = [sys.executable, "-m", "bids_regions", folder / "in", folder / "out", level, "-q", "--nprocs", "1"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the {level} level ended with {process.returncode}")
    cpu, wall = usage.ru_utime + usage.ru_stime, time.perf_counter() - started
    return {"cpu_s": round(cpu, 1), "wall_s": round(wall, 1)}


if __name__ == "__main__":
    main()
