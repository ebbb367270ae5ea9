"""SIGTERM as an exception that unwinds the stack, and that nothing swallows.

Python runs a signal's handler wherever the main thread happens to be. In a finalizer, a callback of the garbage
collector or a hook around fork an exception goes no further: it is printed and dropped, and the run would go on. So the
exception is watched, by a weak reference, until the run has ended: where it is gone and we are still here, it is raised
again. While it travels nothing is raised a second time, so that whoever cleans up is left to finish.
"""

import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["STOPPED", "Stopped", "terminable"]

STOPPED = 143  # the exit code: 128 + SIGTERM
WATCH = 0.2  # seconds between two looks


class Stopped(SystemExit):
    """SIGTERM arrived: a time limit, scancel, docker stop."""


class _Watch:
    """The exception that is on its way, if one is."""

    def __init__(self) -> None:
        self._travelling: weakref.ref[Stopped] | None = None

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of SIGTERM and of the clock that looks after it."""
        if self._travelling is None or self._travelling() is None:
            signal.setitimer(signal.ITIMER_REAL, WATCH, WATCH)
            raise self._sent(Stopped(STOPPED))  # no name for it here: this frame would keep it alive

    def _sent(self, stopped: Stopped) -> Stopped:
        self._travelling = weakref.ref(stopped)
        return stopped


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises `Stopped` inside, also in processes forked there."""
    watch = _Watch()
    try:
        before = {number: signal.signal(number, watch.stop) for number in (signal.SIGTERM, signal.SIGALRM)}
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
