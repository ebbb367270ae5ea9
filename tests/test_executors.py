import multiprocessing
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


def send_much_or_die(n):
    """One worker is killed while the other, which no word stops, has more to send than a pipe holds."""
    if n == 0:
        time.sleep(0.5)
        kill_own_worker(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1.5)
    return bytes(1 << 22)


def pid_of_worker(_n):
    time.sleep(0.2)  # so that the other worker takes the other task
    return os.getpid()


def wait_until_gone(pids):
    """Until the processes have ended and the pool has seen it: it takes them off the list of children."""
    deadline = time.monotonic() + HANG
    while {child.pid for child in multiprocessing.active_children()} & pids and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_worker_that_sends_when_nobody_receives_does_not_hold_up_the_run():
    found = results(send_much_or_die, range(2), Workers(n=2))
    assert isinstance(found[0], WorkerLost)
    assert len(found[1]) == 1 << 22


def test_the_death_of_a_worker_that_has_nothing_to_do_loses_no_task():
    tasks, found = deque([Task(function=pid_of_worker, argument=n) for n in range(2)]), {}
    for task, result in run_tasks(tasks, Workers(n=2)):
        found[task.argument] = result
        if len(found) == 2:  # both are idle
            for pid in {found[0], found[1]}:
                os.kill(pid, signal.SIGKILL)
            wait_until_gone({found[0], found[1]})
            tasks.extend(Task(function=square, argument=n) for n in (5, 6))
    assert (found[5], found[6]) == (25, 36)


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
