"""The app in a process of its own, forked from this one, which has loaded all that it needs; and patience.

A test of how a process starts (its streams, locale, limits of memory, hash seed) starts one afresh. Any other that asks
for an exit code and what was said may fork: the app runs in the child as in any process, without the second of imports.
"""

import gc
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
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


class Forked:
    """The command in a fork of this process, as `subprocess.Popen` would have it; `stdout` and `stderr` when it ended.

    `prepare` is called in the child before the app: what it patches is patched there alone.
    """

    def __init__(
        self,
        *words: object,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
        session: bool = False,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._said = [Path(self._folder.name) / name for name in ("stdout", "stderr")]
        self.returncode: int | None = None
        self.stdout = self.stderr = ""
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of threads, which do not fork
            self.pid = os.fork()
        if self.pid == 0:
            _become_app([str(word) for word in words], self._said, environment or {}, prepare, session=session)
        while session and self.poll() is None and os.getpgid(self.pid) != self.pid:
            time.sleep(0.001)  # until it can be signalled with all that it starts

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
                self.stdout, self.stderr = (path.read_text(encoding="utf-8") for path in self._said)
                self._folder.cleanup()
        return self.returncode

    def wait(self) -> Ended:
        """How it ended; killed, and an error, if it never does."""
        end = time.monotonic() + HANG
        while self.poll() is None:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"the app did not end in {HANG} s")
            time.sleep(0.002)
        assert self.returncode is not None
        return Ended(returncode=self.returncode, stdout=self.stdout, stderr=self.stderr)


def fork_app(*words: object, environment: Mapping[str, str] | None = None) -> Ended:
    """Run the command in a fork of this process."""
    return Forked(*words, environment=environment).wait()


def forget_pytest() -> None:
    """Leave behind, in a fork, what watches the tests, and would hold an exception that Python drops until they end."""
    sys.settrace(None)  # what is measured of a fork is never written
    gc.callbacks.clear()
    sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
    warnings.simplefilter("default")


def _become_app(
    words: list[str],
    said: list[Path],
    environment: Mapping[str, str],
    prepare: Callable[[], None] | None,
    *,
    session: bool,
) -> None:
    code: object = 70
    try:
        forget_pytest()
        if session:
            os.setsid()
        for number, path in enumerate(said, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        os.environ.update(environment)
        sys.argv[1:] = words
        if prepare:
            prepare()
        cli.run()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 # whatever it is, the child tells it and ends
        traceback.print_exc()
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
