"""The same task on this process, on processes, or on a Dask cluster; how many at once.

A *task* is a function of a module and its one argument. Tasks may be added while others run. This room knows nothing of
what a task does; it knows what happens when the process that does it dies.
"""

import gc
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bids_regions.errors import Contradiction, MissingInput
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late
from bids_regions.stopping import STOPPED

if TYPE_CHECKING:
    import multiprocessing
    from concurrent import futures
    from concurrent.futures import Executor, Future
    from concurrent.futures import process as processes
    from multiprocessing.context import ForkContext
else:  # one process needs none of it
    multiprocessing = Late("multiprocessing")
    futures = Late("concurrent.futures")
    processes = Late("concurrent.futures.process")

__all__ = ["Task", "WorkerLost", "Workers", "check_workers", "fit_workers", "run_tasks"]

ALONE = "No semaphores can be had here, which processes share work by (/dev/shm): one process does it all"
GRACE = 3.0  # seconds in which a worker that is told to stop cleans up
OWN = 250 * 2**20  # bytes: the libraries, loaded
PER_BYTE = 8  # copies of the inflated file that a worker may hold at once, its float64 form and figures included
HELD = frozenset({signal.SIGTERM, signal.SIGALRM, signal.SIGINT})


class WorkerLost(Exception):
    """The process that did a task died, and again when it was tried once more: killed for memory, most likely."""


class _NoWorkersError(Exception):
    """Not one worker could be started."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function of a module, and its one argument."""

    function: Callable[[Any], Any]
    argument: Any
    key: object = None  # for whoever waits for the result


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Who does the work."""

    n: int = 1
    executor: Literal["process", "dask"] = "process"
    scheduler_address: str | None = None


def fit_workers(workers: int, memory: int | None, files: Iterable[Path]) -> int:
    """`workers`, or so many that the largest of `files` fits into `memory` (bytes) that often; at least one."""
    if memory is None:
        return workers
    largest = max((_inflated_size(path) for path in files), default=0)
    return max(1, min(workers, memory // (OWN + PER_BYTE * largest)))


def _inflated_size(path: Path) -> int:
    """The size of a file when inflated: a gzip file tells it in its last four bytes."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            size = stream.seek(0, os.SEEK_END)
            if not packed or size < 18:
                return size
            stream.seek(-4, os.SEEK_END)
            return int.from_bytes(stream.read(4), "little")
    except OSError:
        return 0  # it will fail with a sentence of its own


def check_workers(workers: Workers) -> tuple[Workers, str]:
    """The workers there can be here, and a sentence where these are others: without semaphores there is one."""
    if workers.executor != "process" or workers.n == 1:
        return workers, ""
    try:
        processes.ProcessPoolExecutor(1, mp_context=_forking()).shutdown()  # no process starts before the first task
    except (OSError, ImportError, NotImplementedError) as error:  # as the C library, and as Python built without them
        return replace(workers, n=1), f"{ALONE} ({getattr(error, 'strerror', None) or error})"
    return workers, ""


def run_tasks(tasks: deque[Task], workers: Workers) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, as they are finished; the caller may add to `tasks` meanwhile.

    A result is what the function returned. An exception of the function is raised here; the death of a worker is not:
    then the result is a `WorkerLost`, and the tasks that its pool held besides are done again.
    """
    if workers.executor == "process" and workers.n == 1:
        while tasks:
            task = tasks.popleft()
            yield task, task.function(task.argument)
        return
    try:
        with _pool(workers) as pool:
            lost = yield from _drain(tasks, pool, workers)
            if lost or tasks:
                _end_workers()  # the pool broke: who is sending what nobody receives any more would never end
    except _NoWorkersError:
        yield from run_tasks(tasks, replace(workers, n=1))
        return
    if lost or tasks:  # none is lost where a worker died that had nothing to do
        yield from _retry(lost, workers)
        yield from run_tasks(tasks, workers)


def _drain(tasks: deque[Task], pool: "Executor", workers: Workers) -> Generator[tuple[Task, Any], None, list[Task]]:
    """Run until all is done or the pool breaks; returns the tasks that were in it when it broke."""
    window = workers.n * (2 if workers.executor == "process" else 8)
    running: dict[Future[Any], Task] = {}
    while tasks or running:
        try:
            while tasks and len(running) < window:
                running[_submit(pool, tasks[0])] = tasks[0]
                tasks.popleft()
        except processes.BrokenProcessPool:
            return list(running.values())
        except (OSError, RuntimeError) as error:
            if running or workers.executor != "process":
                raise
            raise _NoWorkersError from error  # a limit of processes or threads: the first task starts them all
        done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
        for future in sorted(done, key=list(running).index):
            if isinstance(future.exception(), processes.BrokenProcessPool):
                return list(running.values())
            gave_up = type(future.exception()).__name__ == "KilledWorker"  # of Dask, an extra: not imported
            died = "its worker process died again and again"  # Dask itself has tried the task again
            yield running.pop(future), WorkerLost(died) if gave_up else future.result()
    return []


def _retry(lost: list[Task], workers: Workers) -> Iterator[tuple[Task, Any]]:
    """Each lost task in a pool of its own, so that the one that kills its worker is found."""
    for task in lost:
        with _pool(Workers(n=1, executor=workers.executor, scheduler_address=workers.scheduler_address)) as pool:
            future = _submit(pool, task)
            died = isinstance(future.exception(), processes.BrokenProcessPool)
            yield task, WorkerLost("its worker process died twice") if died else future.result()


def _submit(pool: "Executor", task: Task) -> "Future[Any]":
    """Hand a task to the pool. Signals wait meanwhile: the first task forks the workers, and an exception of a handler
    would be lost in a hook around fork, travel in the child as well, or leave half a pool.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        return pool.submit(_work, task.function, task.argument)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """A worker begins. What it has from its parent is no garbage of its own: unlooked at, its pages stay shared."""
    gc.freeze()
    try:  # to hear the signals that waited while it was forked; told to stop, it has done nothing yet
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    except SystemExit:
        os._exit(STOPPED)


def _work(function: Callable[[Any], Any], argument: Any) -> Any:
    """The function's result; a process of ours that was told to stop ends here, rather than take up the next task."""
    try:
        return function(argument)
    except SystemExit:
        if multiprocessing.parent_process() is None:
            raise
        os._exit(STOPPED)  # unwound: nothing of the task is left; the pool's own clean-up would wait for the others


@contextmanager
def _pool(workers: Workers) -> "Iterator[Executor]":
    if workers.executor == "dask":
        pool = _dask_pool(workers)
    else:  # forked: the libraries are loaded once, in the parent
        pool = processes.ProcessPoolExecutor(workers.n, mp_context=_forking(), initializer=_begin)
    try:
        yield pool
    except BaseException:
        _end_workers()
        pool.shutdown(wait=isinstance(pool, processes.ProcessPoolExecutor), cancel_futures=True)  # no thread stays
        raise
    pool.shutdown()


def _end_workers() -> None:
    """Every worker of ours is told to stop, and killed where it does not in good time."""
    workers = multiprocessing.active_children()
    for process in workers:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in workers:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()


def _forking() -> "ForkContext":
    return multiprocessing.get_context("fork")


def _dask_pool(workers: Workers) -> "Executor":
    try:
        from distributed import Client  # noqa: PLC0415 # an optional extra
    except ImportError as error:
        raise Contradiction("--executor dask needs Dask", hint="Install bids_regions[dask]") from error
    try:
        executor: Executor = Client(workers.scheduler_address, timeout=30).get_executor()
    except OSError as error:
        raise MissingInput(
            f"no Dask scheduler answers at {workers.scheduler_address}", hint="Start it, or fix --scheduler-address"
        ) from error
    return executor
