"""The app in a process of its own, forked from this one, which has loaded all that it needs; and patience.

A test of how a process starts (its streams, locale, limits of memory, hash seed) starts one afresh. Any other that asks
for an exit code and what was said may fork: the app runs in the child as in any process, without the second of imports.
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_regions import cli

HANG = 1800  # seconds: longer than anything takes on any machine with any load; what is not over then never ends


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


def fork_app(*words: object, environment: Mapping[str, str] | None = None) -> Ended:
    """Run the command in a fork of this process."""
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        child = os.fork()
        if child == 0:
            _become_app([str(word) for word in words], said, environment or {})
        _, status = os.waitpid(child, 0)
        stdout, stderr = (path.read_text(encoding="utf-8") for path in said)
        return Ended(returncode=os.waitstatus_to_exitcode(status), stdout=stdout, stderr=stderr)


def _become_app(words: list[str], said: list[Path], environment: Mapping[str, str]) -> None:
    code: object = 70
    try:
        for number, path in enumerate(said, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        os.environ.update(environment)
        warnings.simplefilter("default")
        sys.argv[1:] = words
        cli.run()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 70)


def living() -> Iterator[tuple[int, int, int]]:
    """Process id, parent and group of each process that has not ended; one that waits to be reaped has."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if state not in "ZX":
            yield int(stat.parent.name), int(parent), int(group)


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (number - 1) & 1)


def slowness() -> float:
    """Seconds that a second of work takes on this machine now, with all that it does besides; at least 1."""
    began, worked = time.monotonic(), time.process_time()
    while time.process_time() - worked < 0.1:
        sum(range(1000))
    return max(1.0, (time.monotonic() - began) / 0.1)
