"""A cohort of one 2 mm map each by one run, by a Slurm array of a task a participant, and by Dask; something is killed.

python benchmarks/clusters.py [--participants 1000]

Slurm is one node of this machine, started as the container tests start it (root, Debian); where it cannot be had, the
tasks are plain processes, two at a time, and the page says so. Of the array one task is killed while it works and then
submitted again; of Dask's two workers one is killed. All three must end with the same bytes outside `logs/`.
"""

import argparse
import hashlib
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import ONE_THREAD, save
from simulating import make_participants

SLURM = Path(__file__).parent.parent / "tests" / "container" / "slurm.sh"
APP = [sys.executable, "-m", "bids_regions"]
ASKED = ["participant", "--threshold", "3.0", "-q"]
KILLED = 7  # the task that is killed while it works
PLAIN = "for n in $(seq 1 {n}); do echo $n; done | xargs -P 2 -I % env SLURM_ARRAY_TASK_ID=% sh {task}"


def main() -> None:
    """Measure, compare and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--participants", type=int, default=1000)
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found: dict[str, Any] = {"participants": options.participants}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = make_participants(folder / "in", options.participants, 1)
        ways: dict[str, Callable[[Path, Path], str]] = {"one run": run_once, "array": run_array, "dask": run_dask}
        trees = {}
        for way, run in ways.items():
            started, before = time.perf_counter(), children_seconds()
            words = run(dataset, folder / way.replace(" ", "-"))
            spent = children_seconds() - before + tasks_seconds(folder / "array-times" if way == "array" else None)
            found[way] = {
                "words": words,
                "seconds": round(time.perf_counter() - started, 1),
                "processor": round(spent, 1),
            }
            trees[way] = hash_tree(folder / way.replace(" ", "-"))
    found["same bytes"] = len(set(trees.values())) == 1
    save("clusters", found)


def run_once(dataset: Path, out: Path) -> str:
    """One process with two workers."""
    subprocess.run([*APP, dataset, out, *ASKED, "--nprocs", "2"], check=True)
    return "one run, two workers"


def run_array(dataset: Path, out: Path) -> str:
    """A task a participant, two at a time; the one that is killed is submitted again, alone."""
    labels = sorted(path.name.removeprefix("sub-") for path in dataset.glob("sub-*"))
    times = out.with_name("array-times")
    times.mkdir()
    (out.with_name("labels")).write_text("\n".join(labels) + "\n")
    task = out.with_name("task.sh")
    app = shlex.join(map(str, [*APP, dataset, out, *ASKED, "--nprocs", "1", "--participant-label"]))
    task.write_text(
        "#!/bin/sh\n"
        f'label=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {shlex.quote(str(out.with_name("labels")))})\n'
        f'{app} "$label" & app=$!\n'
        f'if [ "$SLURM_ARRAY_TASK_ID" = {KILLED} ] && [ ! -e {times}/killed ]; then\n'
        f"  touch {times}/killed; sleep 0.3; kill -9 $app; fi\n"
        f'wait $app; code=$?; times >"{times}/$SLURM_ARRAY_TASK_ID.$code"; exit $code\n'
    )
    with slurm(out.with_name("slurm")) as there:
        n = len(labels)
        if there:
            submit = ["sbatch", "--wait", "--cpus-per-task=1", "--output=/dev/null"]
            subprocess.run([*submit, f"--array=1-{n}%2", task], check=False, stdout=subprocess.DEVNULL)
        else:
            subprocess.run(["sh", "-c", PLAIN.format(n=n, task=task)], check=False)
        failed = [path.name.partition(".")[0] for path in times.glob("*.137")]
        if failed != [str(KILLED)]:
            raise SystemExit(f"task {KILLED} was to be killed, and {failed} were")
        if there:
            subprocess.run([*submit, f"--array={KILLED}", task], check=True, stdout=subprocess.DEVNULL)
        else:
            subprocess.run(["sh", task], check=True, env={**os.environ, "SLURM_ARRAY_TASK_ID": str(KILLED)})
    return f"{'a Slurm array' if there else 'plain processes as an array starts them'}, two at a time, one killed"


@contextmanager
def slurm(folder: Path) -> Iterator[bool]:
    """A Slurm of one node while it is needed; False where there is none."""
    started = subprocess.run(["sh", SLURM, "up", folder], capture_output=True, text=True, check=False)
    if started.returncode:
        yield False
        return
    os.environ["SLURM_CONF"] = started.stdout.splitlines()[-1]
    try:
        yield True
    finally:
        subprocess.run(["sh", SLURM, "down", folder], check=False, stdout=subprocess.DEVNULL)


def run_dask(dataset: Path, out: Path) -> str:
    """Two Dask workers, of which one is killed once its first results stand; its nanny starts another."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 # the other ways do without

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            workers = client.run(os.getpid)
        command = [*APP, dataset, out, *ASKED, "--executor", "dask", "--scheduler-address", cluster.scheduler_address]
        with subprocess.Popen(command) as app:
            while not any(out.glob("sub-*/func/*_dseg.json")) and app.poll() is None:
                time.sleep(0.05)
            os.kill(next(iter(workers.values())), signal.SIGKILL)
        if app.returncode:
            raise SystemExit(f"the run over Dask ended with {app.returncode}")
    return "Dask, two workers, one killed"


def children_seconds() -> float:
    """Processor seconds of everything that ended below this process."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tasks_seconds(times: Path | None) -> float:
    """Processor seconds of the tasks of a Slurm, which are not below this process, as their shells tell them."""
    if times is None or not times.is_dir() or "SLURM_CONF" not in os.environ:
        return 0.0
    told = [part for path in times.glob("*.*") for part in re.findall(r"(\d+)m([\d.]+)s", path.read_text())]
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in told)


def hash_tree(root: Path) -> str:
    """One hash of the names and bytes of everything outside `logs/`."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.relative_to(root).parts[0] != "logs" and path.name[:5] != ".lock":
            digest.update(str(path.relative_to(root)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
