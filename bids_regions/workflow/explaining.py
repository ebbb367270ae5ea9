"""--explain by itself: what each convention would keep of each map, printed; no result is written.

How a map is explained, and what its table says, is `maps.explain`'s to know.
"""

from collections import deque

from bids_regions.errors import printable
from bids_regions.executors import Task, WorkerLost, Workers, run_tasks
from bids_regions.logbook import Logbook
from bids_regions.maps.explain import align_table, explain_table
from bids_regions.maps.maps import explain_job
from bids_regions.planning import Plan

__all__ = ["explain_plan"]


def explain_plan(plan: Plan, workers: Workers, logbook: Logbook) -> int:
    """Print the table of every map as it is done; the exit code."""
    jobs = [job for job in plan.jobs if job.entries]
    logbook.expect(len(jobs), len(jobs))
    failed = len(plan.broken)
    for task, result in run_tasks(deque(Task(function=explain_job, argument=job) for job in jobs), workers):
        title = printable(task.argument.mapfile.title)
        reason = "its worker process died twice" if isinstance(result, WorkerLost) else result.skipped
        logbook.show(f"{title}\n{reason or align_table(explain_table(result.explained))}\n")
        logbook.tick()
        logbook.step(title, "not explained" if reason else "explained")
        failed += bool(reason)
    logbook.show(f"explained; no result was written (exit code {int(failed > 0)})\n")
    return int(failed > 0)
