"""The participant level: the workers do all maps of all participants, and a page as soon as a participant is done.

An *owner* is the participant (or `tpl-S`) that a page belongs to. How a map is worked on, and what a page is made of,
is not known here.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from bids_regions.errors import Fault, printable
from bids_regions.executors import Task, WorkerLost, Workers, run_tasks
from bids_regions.logbook import Logbook, count_words, counted
from bids_regions.maps.drawing import DrawJob
from bids_regions.maps.explain import align_table, explain_table
from bids_regions.maps.map_warnings import HINTS
from bids_regions.maps.maps import (
    EntryOutcome,
    MapJob,
    MapOutcome,
    process_map,
)
from bids_regions.pages.page import (
    PageContext,
    write_page,
)
from bids_regions.pages.sections import Drawn
from bids_regions.report import model
from bids_regions.results.failures import write_failure
from bids_regions.results.hemispheres import tell_hemispheres_apart
from bids_regions.workflow.pending_pages import PendingPage

__all__ = ["StopEarlyError", "process_owners", "run_participants"]

LOST = Fault(
    "its worker process died twice, killed for memory most likely",
    hint="Give more memory, or fewer workers by --nprocs or --mem",
)


class StopEarlyError(Exception):
    """--stop-on-first-crash met a failure."""


def run_participants(
    jobs: Mapping[str, Sequence[MapJob]],
    context: PageContext,
    workers: Workers,
    logbook: Logbook,
    *,
    stop_early: bool = False,
) -> None:
    """Process all jobs by owner and write the owners' pages.

    Raises
    ------
    OutputRefused, StorageFault
        Results cannot be written.
    StopEarlyError
        A map failed and the run was asked to stop there.
    """
    pending = {
        owner: PendingPage(owner=owner, jobs=own, context=context, waiting=len(own)) for owner, own in jobs.items()
    }
    tasks = deque(Task(function=process_map, argument=job, key=owner) for owner, own in jobs.items() for job in own)
    logbook.expect(len(tasks), len(jobs))
    for task, result in run_tasks(tasks, workers):
        page = pending[str(task.key)]
        follow: list[Task] = []
        if task.function is write_page:
            follow = _take_page(page, result, logbook)
        elif task.function is process_map:
            outcome = _lost_map(task.argument) if isinstance(result, WorkerLost) else result
            page.take(outcome)
            _tell(outcome, logbook)
            if outcome.failures and stop_early:
                raise StopEarlyError
        else:
            lost = model.Problem(source=task.argument.job.mapfile.title, reason=str(LOST))
            _take_section(page, task.argument, lost if isinstance(result, WorkerLost) else result, logbook)
        if task.function is not write_page and page.waiting == 0:
            follow = page.plan_page()
        tasks.extendleft(reversed(follow))
        if page.waiting == 0 and not follow:
            _finish(page, logbook)
            del pending[page.owner]


def _take_section(page: PendingPage, drawing: DrawJob, result: Drawn | model.Problem, logbook: Logbook) -> None:
    """A section of a page; a map of this run that could not be drawn has failed, though its results stand."""
    page.take_drawn(drawing, result)
    if isinstance(result, model.Problem) and drawing.job.entries:  # without: of an earlier run, and gone since perhaps
        page.undrawn = True
        if not page.has_failed(drawing.job.mapfile.title):
            logbook.count_failed(drawing.job.mapfile.title)
            logbook.fail(result.source, Fault(result.reason))


def _take_page(page: PendingPage, result: object, logbook: Logbook) -> list[Task]:
    """What a written page leaves to do; a page that was lost is a failure of its own."""
    if not isinstance(result, WorkerLost):
        return page.check_page()
    logbook.counts["failed"] += 1
    logbook.fail(f"{page.owner}.html", LOST)
    return []


def process_owners(jobs: Sequence[MapJob], workers: Workers, logbook: Logbook, *, stop_early: bool) -> list[MapOutcome]:
    """Process maps that share one page written elsewhere: the group maps of the dataset."""
    tasks = deque(Task(function=process_map, argument=job) for job in jobs)
    logbook.expect(len(tasks))
    outcomes = []
    for task, result in run_tasks(tasks, workers):
        outcome = _lost_map(task.argument) if isinstance(result, WorkerLost) else result
        _tell(outcome, logbook)
        outcomes.append(outcome)
        if outcome.failures and stop_early:
            raise StopEarlyError
    return sorted(outcomes, key=lambda outcome: outcome.mapfile.title)


def _lost_map(job: MapJob) -> MapOutcome:
    for paths in job.outputs:
        write_failure(job.mapfile, paths, LOST)
    entries = tuple(
        EntryOutcome(name=entry.name, paths=paths, fault=LOST)
        for entry, paths in zip(job.entries, job.outputs, strict=True)
    )
    return MapOutcome(mapfile=job.mapfile, entries=entries)


def _tell(outcome: MapOutcome, logbook: Logbook) -> None:
    logbook.tick()
    if outcome.skipped:
        logbook.skip(outcome.mapfile.title, outcome.skipped)
        return
    for failure in outcome.failures:
        assert failure.fault
        logbook.fail(f"{outcome.mapfile.title} ({failure.name})", failure.fault, failure.crash)
    if outcome.failures:
        logbook.count_failed(outcome.mapfile.title)
    done = any(entry.record for entry in outcome.entries)  # else its owner's maps are broken, or it has no results yet
    logbook.counts["maps"] += done and not outcome.failures
    found = done and not any(entry.fresh or entry.fault for entry in outcome.entries)
    logbook.counts["maps_found"] += found
    for entry in outcome.entries:
        if entry.record:
            n_regions = entry.record.counts.kept
            logbook.counts["regions_found"] += n_regions * found
            logbook.counts["results"] += 1
            logbook.counts["computed"] += entry.fresh
            logbook.counts["regions"] += n_regions
            logbook.counts["empty"] += n_regions == 0
            logbook.hint(entry.name, [text for text in entry.record.warnings if any(hint in text for hint in HINTS)])
    logbook.say(f"{outcome.mapfile.title}: {_map_words(outcome)}", level=1)
    if outcome.explained:
        logbook.show(f"{printable(outcome.mapfile.title)}\n{align_table(explain_table(outcome.explained))}\n")


def _map_words(outcome: MapOutcome) -> str:
    return ", ".join(
        f"{e.name} {counted(e.record.counts.kept, 'region')}{'' if e.fresh else ' (finished before)'}"
        if e.record
        else f"{e.name} failed"
        for e in outcome.entries
    )


def _finish(page: PendingPage, logbook: Logbook) -> None:
    tell_hemispheres_apart(page.jobs[0].output_dir / page.owner)
    records = [e.record for o in page.outcomes for e in o.entries if e.record]
    regions = [record.counts.kept for record in records]
    failed = sum(bool(outcome.failures) for outcome in page.outcomes)
    maps = sum(any(entry.record or entry.fault for entry in outcome.entries) for outcome in page.outcomes)
    counts = ((maps, "maps"), (sum(regions), "regions"), (regions.count(0), "empty"), (failed, "failed"))
    logbook.step(page.owner, count_words(counts) or "no results")
