"""What a process finds where it starts, put right before anything else: streams, the encoding of names, a home.

A *surrounding* that is not needed may be missing: standard streams that a daemon closed, a locale that knows no UTF-8,
a user whom no file lists and who has no home. Knows nothing of maps, options or datasets.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from bids_regions.stopping import STOPPED

__all__ = ["count_processors", "ensure_home", "ensure_streams", "restart_in_utf8", "run_command"]

STREAMS = ("stdin", "stdout", "stderr")  # by number
NO_HOME = "/nonexistent"  # as system users have it: nobody can put anything there


def ensure_streams() -> None:
    """Give each closed standard stream the null device, and let none fail for a character that it cannot encode.

    A number below 3 that stays free would be taken by the next file that is opened, and what a library writes to
    "standard error" would then land in a result.
    """
    for number, name in enumerate(STREAMS):
        if getattr(sys, name) is None:
            _fill_number(number)
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115 # as long as the process lives
            setattr(sys, name, stream)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


def _fill_number(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def run_command(main: Callable[[], int]) -> None:
    """What a console script does: `main` in good surroundings, and its exit code."""
    signal.signal(signal.SIGTERM, _end)  # at once: process 1 of a container hears no signal that it has not asked for
    ensure_streams()
    restart_in_utf8()
    try:
        sys.exit(main())
    finally:
        _flush_streams()


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(STOPPED)


def _flush_streams() -> None:
    """Send what was said; where nobody listens any more the rest goes to the null device, without a word."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(stream)


def _silence(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def restart_in_utf8(words: Sequence[str] | None = None) -> None:
    """Begin again in Python's UTF-8 mode where the locale has another encoding: names in BIDS are UTF-8 everywhere.

    Does not return then; the command's bytes, the process and its number stay the same.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    again = [sys.executable, "-X", "utf8", *(sys.orig_argv[1:] if words is None else words)]
    with contextlib.suppress(OSError):  # an interpreter that may not be started again: names stay as they are read
        os.execv(sys.executable, again)  # noqa: S606 # ourselves


def ensure_home() -> None:
    """Give a process without a home one that is not there: libraries ask for it when they load, and need none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME


def count_processors() -> int:
    """The processors that this process may use, where the system tells; else those there are."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1
