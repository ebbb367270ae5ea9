"""Time and memory for 100, 1,000 and 10,000 simulated participants: a sample of them, and the group level; as JSON.

A pool of participants with 2 mm maps made from a real one goes through the participant level once; a cohort's results
are links to the pool's under other labels, so that ten thousand participants need no more disk than forty. What is
measured is the command `bids_regions BIDS_DIR OUTPUT_DIR participant` for twenty of them, and then `... group`: its
wall and processor time, and the largest sum of memory of all of its processes (shared pages counted once), sampled four
times a second.

    python benchmarks/group.py [--participants 100 1000 10000] [--nprocs 2] [--folder DIR]
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from simulating import POOL, make_participants

SAMPLE = 20  # participants
MIB = 2**20


def main() -> None:
    """Measure each cohort and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--participants", nargs="+", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--nprocs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None, help="where the simulated data go (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        pool = simulate(Path(folder))
        found = [measure(pool, n, options.nprocs) for n in options.participants]
    print(json.dumps({"nprocs": options.nprocs, "cohorts": found}, indent=2))


def simulate(folder: Path) -> Path:
    """As many participants as there are different maps, and their results."""
    make_participants(folder / "pool", POOL, 1)
    command = [sys.executable, "-m", "bids_regions", folder / "pool", folder / "pool-out", "participant", "-q"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return folder


def link_cohort(folder: Path, n: int) -> tuple[Path, Path]:
    """A dataset and its participants' results: links to the pool's under other labels, records rewritten."""
    root, out = make_participants(folder / f"maps-{n}", n, 1), folder / f"out-{n}"
    for k in range(n):
        label, source = f"{k:05d}", f"{k % POOL:05d}"
        where = out / f"sub-{label}" / "func"
        where.mkdir(parents=True)
        for path in (folder / "pool-out" / f"sub-{source}" / "func").iterdir():
            renamed = where / path.name.replace(f"sub-{source}", f"sub-{label}")
            if path.suffix == ".json":
                renamed.write_text(path.read_text().replace(f"sub-{source}", f"sub-{label}"))
            else:
                os.link(path, renamed)
    return root, out


def measure(folder: Path, n: int, nprocs: int) -> dict[str, object]:
    """The group level on a cohort of `n` participants."""
    root, out = link_cohort(folder, n)
    sample = measure_sample(root, folder / "sample", n, nprocs)
    before, started = processor_seconds(), time.perf_counter()
    command = [sys.executable, "-m", "bids_regions", root, out, "group", "--nprocs", str(nprocs)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        peak = watch(process)
        told = process.stderr.read() if process.stderr else ""
    seconds, processor = time.perf_counter() - started, processor_seconds() - before
    if process.returncode:
        raise SystemExit(told)
    found = {
        "participants": n,
        **sample,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "ms_per_participant": round(1000 * seconds / n, 1),
        "peak_mib": round(peak() / MIB),
        "rows_of_values": sum(1 for _ in (out / "group_values.tsv").open()) - 1,
        "page_mib": round((out / "group.html").stat().st_size / MIB, 1),
    }
    shutil.rmtree(root)
    shutil.rmtree(out)
    return found


def measure_sample(root: Path, out: Path, n: int, nprocs: int) -> dict[str, object]:
    """The participant level on twenty participants of the `n`, figures and reports included."""
    labels = [f"{k:05d}" for k in range(0, n, max(1, n // SAMPLE))][:SAMPLE]
    command = [sys.executable, "-m", "bids_regions", root, out, "participant", "--nprocs", str(nprocs)]
    before, started = processor_seconds(), time.perf_counter()
    subprocess.run([*command, "-q", "--participant-label", *labels], check=True, stderr=subprocess.DEVNULL)
    seconds, processor = time.perf_counter() - started, processor_seconds() - before
    shutil.rmtree(out)
    return {"sample": len(labels), "sample_seconds": round(seconds, 1), "sample_processor_seconds": round(processor, 1)}


def processor_seconds() -> float:
    """Of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def watch(process: subprocess.Popen[str]):  # a closure
    """Sample the memory of a process and all below it until it ends; call the result for the largest sum, in bytes."""
    largest = 0

    def sample() -> None:
        nonlocal largest
        while process.poll() is None:
            largest = max(largest, sum(memory_of(pid) for pid in family(process.pid)))
            time.sleep(0.25)

    thread = threading.Thread(target=sample)
    thread.start()

    def peak() -> int:
        thread.join()
        return largest

    return peak


def family(pid: int) -> list[int]:
    """A process and everything it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def memory_of(pid: int) -> int:
    """The proportional set size of a process in bytes: what it shares is divided among those who share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
