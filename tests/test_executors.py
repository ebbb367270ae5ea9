import os
import signal
import time
from collections import deque

import pytest
from processes import HANG

from bids_regions.errors import BadMap, MissingInput
from bids_regions.executors import Task, WorkerLost, Workers, run_tasks

WORKERS = [Workers(n=1), Workers(n=2)]


def square(n):
    return n * n


def kill_own_worker(n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def fail(n):
    raise BadMap(f"map {n} is broken", hint="Mend it")


def slow(n):
    time.sleep(2 * HANG)


def results(function, numbers, workers):
    tasks = deque(Task(function=function, argument=n) for n in numbers)
    return {task.argument: result for task, result in run_tasks(tasks, workers)}


@pytest.mark.parametrize("workers", WORKERS)
def test_every_task_has_its_result(workers):
    assert results(square, range(20), workers) == {n: n * n for n in range(20)}


@pytest.mark.parametrize("workers", WORKERS)
def test_tasks_may_be_added_while_others_run(workers):
    tasks = deque([Task(function=square, argument=3)])
    seen = []
    for _, result in run_tasks(tasks, workers):
        seen.append(result)
        if result < 1000:
            tasks.append(Task(function=square, argument=result))
    assert seen == [9, 81, 6561]


def test_a_dead_worker_takes_only_its_own_task_along():
    found = results(kill_own_worker, range(8), Workers(n=2))
    assert isinstance(found.pop(3), WorkerLost)
    assert found == {n: n for n in range(8) if n != 3}


@pytest.mark.parametrize("workers", WORKERS)
def test_a_fault_travels_whole(workers):
    with pytest.raises(BadMap, match=r"map 1 is broken\. Mend it\."):
        results(fail, [1], workers)


def test_leaving_early_ends_the_workers():
    tasks = deque([Task(function=square, argument=1), Task(function=slow, argument=2)])
    started = time.monotonic()
    with pytest.raises(KeyError):  # noqa: PT012 # the loop is left by an error of its own
        for _ in run_tasks(tasks, Workers(n=2)):
            raise KeyError
    assert time.monotonic() - started < HANG


def test_a_scheduler_that_is_not_there_is_one_sentence(monkeypatch):
    import distributed  # noqa: PLC0415 # a second that only this test needs

    def refuse(*_, **__):
        raise OSError("refused")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(MissingInput, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        results(square, [1], Workers(n=2, executor="dask", scheduler_address="tcp://127.0.0.1:9"))
