"""Measure: functions side by side in alternation, commands with all they start, the peak of memory; JSON out."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def alternate(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    fewer: Mapping[str, int] | None = None,
    before: Callable[[], object] = lambda: None,
) -> dict[str, dict[str, Any]]:
    """Medians in ms of each way, done in turn, `rounds` times; `fewer` rounds for what is slow.

    What is done `before` each is not timed. Work in turns meets the same disturbances on a shared machine, so that
    ratios hold where times do not.
    """
    walls: dict[str, list[float]] = {name: [] for name in ways}
    cpus: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(rounds):
        for name, way in ways.items():
            if k >= (fewer or {}).get(name, rounds):
                continue
            before()
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            cpus[name].append(1000 * (time.process_time() - cpu))
            walls[name].append(1000 * (time.perf_counter() - wall))
    return {name: _summary(walls[name], cpus[name]) for name in ways}


def alternate_commands(
    ways: Mapping[str, Callable[[], Sequence[Any]]], rounds: int, *, warm: bool = False
) -> dict[str, dict[str, Any]]:
    """As `alternate`, for commands; each way prepares its command, which is not timed. Children's time is counted.

    With `warm` each runs once before: then byte-code is there, as it is where a package was installed.
    """
    for prepare in ways.values() if warm else ():
        run_command(prepare())
    walls: dict[str, list[float]] = {name: [] for name in ways}
    cpus: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, prepare in ways.items():
            command = prepare()
            wall, cpu = run_command(command)
            walls[name].append(1000 * wall)
            cpus[name].append(1000 * cpu)
    return {name: _summary(walls[name], cpus[name]) for name in ways}


def run_command(command: Sequence[Any]) -> tuple[float, float]:
    """Wall and processor seconds of a command and of all it waited for."""
    started = time.perf_counter()
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [os.fspath(word) for word in command],
        env={**kept, **ONE_THREAD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def peak_growth(work: Callable[[], object]) -> int:
    """How far the process's resident memory rises above where it was, in bytes, while `work` is done (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _high_water()
    work()
    return _high_water() - before


def _high_water() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _summary(walls: list[float], cpus: list[float]) -> dict[str, Any]:
    return {
        "wall_ms": round(statistics.median(walls), 3),
        "cpu_ms": round(statistics.median(cpus), 3),
        "rounds": len(walls),
        "cpu_ms_of_each": [round(one, 3) for one in cpus],
    }


def save(name: str, found: Mapping[str, Any]) -> None:
    """Keep what was found, with the machine's load at the end, and show it."""
    load = [round(one, 1) for one in os.getloadavg()]
    machine = {"cores": len(os.sched_getaffinity(0)), "load": load, "python": sys.version.split()[0]}
    text = json.dumps({"machine": machine, **found}, indent=2) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text)
    print(text)
