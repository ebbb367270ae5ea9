"""The participant level: the workers do all maps of all participants, and a page as soon as a participant is done.

An *owner* is the participant (or `tpl-S`) that a page belongs to; a *pending page* collects what its maps give. How a
map is worked on or drawn is not known here.
"""

import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from bids_regions.dataset import MapFile
from bids_regions.errors import Fault, printable
from bids_regions.executors import Task, WorkerLost, Workers, run_tasks
from bids_regions.frozen import dataclass
from bids_regions.images import load_statmap
from bids_regions.logbook import Logbook, count_words, counted
from bids_regions.maps.explain import EXPLAIN_COLUMNS, align_table, explain_table
from bids_regions.maps.map_warnings import PERCENT_HINT
from bids_regions.maps.maps import (
    EntryOutcome,
    MapJob,
    MapOutcome,
    add_anatomy,
    choose_background,
    process_map,
)
from bids_regions.maps.sheet_maps import load_sheet_map
from bids_regions.pages.backgrounds import describe_background
from bids_regions.pages.page import (
    PageContext,
    PageJob,
    is_current,
    neighbours_of,
    page_key,
    told_failures,
    write_page,
)
from bids_regions.pages.sections import Drawn, draw_section, section_key
from bids_regions.pages.sheet_sections import draw_sheet_section
from bids_regions.report import model
from bids_regions.results.failures import write_failure
from bids_regions.results.walk import Result, find_results

__all__ = ["DrawJob", "draw_map_section", "process_owners", "run_participants"]

LOST = Fault(
    "its worker process died twice, killed for memory most likely",
    hint="Give more memory, or fewer workers by --nprocs or --mem",
)


Seen = tuple[tuple[Path, str], ...]  # records with their hashes


@dataclass(frozen=True, kw_only=True)
class DrawJob:
    """One map with all its finished entries, to be drawn again."""

    job: MapJob
    done: tuple[Result, ...]


def draw_map_section(drawing: DrawJob) -> Drawn | model.Problem:
    """The map's part of the page; a problem where the map can no longer be read."""
    mapfile = drawing.job.mapfile
    backgrounds = {entry.name: entry for entry in drawing.job.entries}
    try:
        done = [
            add_anatomy(drawing.job, backgrounds.get(each.place.entry), each.place, each.record)
            for each in drawing.done
        ]
        if mapfile.form != "volume":
            return draw_sheet_section(mapfile, load_sheet_map(mapfile, mapfile.paths), done)
        return draw_section(mapfile, load_statmap(mapfile.path, mapfile.volume), done)
    except Fault as fault:
        return model.Problem(source=mapfile.title, reason=f"finished, but cannot be drawn: {fault}")
    except Exception as error:  # noqa: BLE001 # a picture's defect must not take the page along
        reason = f"finished, but cannot be drawn: {type(error).__name__}: {error}"
        return model.Problem(source=mapfile.title, reason=reason, details=traceback.format_exc())


@dataclass(kw_only=True)
class _PendingPage:
    """One owner's maps while they come in, until the page can be written."""

    owner: str
    jobs: Sequence[MapJob]
    context: PageContext
    outcomes: list[MapOutcome] = field(default_factory=list)
    drawn: dict[str, Drawn] = field(default_factory=dict)  # by the map's relative path
    problems: list[model.Problem] = field(default_factory=list)
    waiting: int = 0
    undrawn: bool = False  # a map of this run could not be drawn: the next run tries again
    seen: Seen = ()  # the records that the page was made of

    def take(self, result: MapOutcome) -> None:
        self.outcomes.append(result)
        self.waiting -= 1
        if result.drawn:
            self.drawn[result.mapfile.title] = result.drawn

    def take_drawn(self, drawing: DrawJob, result: Drawn | model.Problem) -> None:
        self.waiting -= 1
        if isinstance(result, Drawn):
            self.drawn[drawing.job.mapfile.title] = result
        else:
            self.problems.append(result)
            self.drawn.pop(drawing.job.mapfile.title, None)

    def plan_page(self) -> list[Task]:
        """The sections still to be drawn, or else the page; nothing where the page stands as it should."""
        found = self._results()
        self.seen = _digests(found)
        key = page_key((each for results in found.values() for each in results), self._told())
        if not self.context.redraw and is_current(self.jobs[0].output_dir, self.owner, key):
            return []
        known = {problem.source for problem in self.problems}
        missing = [
            self._drawing(mapfile, results)
            for mapfile, results in found.items()
            if mapfile.title not in known and not self._is_drawn(mapfile, results)
        ]
        if missing:
            self.waiting = len(missing)
            return [Task(function=draw_map_section, argument=drawing, key=self.owner) for drawing in missing]
        drawn = tuple(self.drawn[m.title] for m in found if m.title in self.drawn)
        return [Task(function=write_page, argument=self._page("" if self.undrawn else key, drawn), key=self.owner)]

    def check_page(self) -> list[Task]:
        """The work to do once more where another run has finished records while the page was being made."""
        if _digests(self._results()) == self.seen:
            return []
        self.drawn.clear()
        return self.plan_page()

    def _results(self) -> dict[MapFile, list[Result]]:
        """Every finished entry by map; this run's entries in their order, others after them."""
        first = self.jobs[0]
        order = {entry.name: n for job in self.jobs for n, entry in enumerate(job.entries)}
        found: dict[MapFile, list[Result]] = {}
        by_path: dict[str, MapFile] = {}
        for each in find_results(first.output_dir, self.owner, first.dataset):
            known = by_path.setdefault(each.mapfile.title, each.mapfile)
            found.setdefault(known, []).append(each)
        for results in found.values():
            results.sort(key=lambda each: (order.get(each.place.entry, len(order)), each.place.entry))
        return dict(sorted(found.items(), key=lambda item: item[0].title))

    def _is_drawn(self, mapfile: MapFile, results: Sequence[Result]) -> bool:
        drawn = self.drawn.get(mapfile.title)
        return drawn is not None and [e.name for e in drawn.section.entries] == [each.place.entry for each in results]

    def _drawing(self, mapfile: MapFile, results: Sequence[Result]) -> DrawJob:
        own = next((job for job in self.jobs if job.mapfile.title == mapfile.title), None)
        job = own or replace(self.jobs[0], mapfile=mapfile, entries=(), places=(), fittings=())
        return DrawJob(job=job, done=tuple(results))

    def _told(self) -> dict[str, object]:
        failures = told_failures(self.jobs[0].output_dir, self.owner)
        context = self.context
        return {
            "failures": [repr(f) for f in failures],
            "skipped": [repr(s) for s in self._skipped()],
            "notices": list(context.notices),
            "methods": repr(context.methods),
            "provenance": repr(context.provenance),
            "dataset": context.dataset_name,
            "appendix": [table.tsv for table in self._appendix()],
            "backgrounds": self._backgrounds(),
            "neighbours": [link.text for link in self._neighbours()],
        }

    def _backgrounds(self) -> list[str]:
        """What the maps are drawn on: no record knows it, and the page is another where it changes."""
        return [
            f"{job.mapfile.title} {entry.name}: {describe_background(choose_background(job, entry))}"
            for job in sorted(self.jobs, key=lambda job: job.mapfile.title)
            for entry in job.entries
        ]

    def _appendix(self) -> tuple[model.Table, ...]:
        """What --explain found, a table per map."""
        return tuple(
            model.Table(
                key=f"explain-{section_key(outcome.mapfile)}",
                caption=f"Conventions on {outcome.mapfile.title}",
                tsv=explain_table(outcome.explained),
                file_name=f"{section_key(outcome.mapfile)}_conventions.tsv",
                descriptions={column.name: column.description for column in EXPLAIN_COLUMNS},
            )
            for outcome in sorted(self.outcomes, key=lambda each: each.mapfile.title)
            if outcome.explained
        )

    def _skipped(self) -> tuple[model.Problem, ...]:
        unsuitable = [
            model.Problem(source=outcome.mapfile.title, reason=outcome.skipped)
            for outcome in self.outcomes
            if outcome.skipped
        ]
        return tuple(sorted((*self.context.skipped.get(self.owner, ()), *unsuitable), key=lambda p: p.source))

    def _page(self, key: str, drawn: tuple[Drawn, ...]) -> PageJob:
        output_dir = self.jobs[0].output_dir
        return PageJob(
            owner=self.owner,
            output_dir=output_dir,
            key=key,
            drawn=drawn,
            skipped=self._skipped(),
            failures=(*told_failures(output_dir, self.owner), *self.problems),
            notices=self.context.notices,
            methods=self.context.methods,
            provenance=self.context.provenance,
            dataset_name=self.context.dataset_name,
            neighbours=self._neighbours(),
            appendix=self._appendix(),
        )

    def _neighbours(self) -> tuple[model.Link, ...]:
        return neighbours_of(self.owner, self.jobs[0].dataset.root)


def _digests(found: Mapping[MapFile, Sequence[Result]]) -> Seen:
    return tuple((each.place.sidecar, each.digest) for results in found.values() for each in results)


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
        owner: _PendingPage(owner=owner, jobs=own, context=context, waiting=len(own)) for owner, own in jobs.items()
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


def _take_section(page: _PendingPage, drawing: DrawJob, result: Drawn | model.Problem, logbook: Logbook) -> None:
    """A section of a page; a map of this run that could not be drawn has failed, though its results stand."""
    page.take_drawn(drawing, result)
    if isinstance(result, model.Problem) and drawing.job.entries:  # without: of an earlier run, and gone since perhaps
        page.undrawn = True
        logbook.counts["failed"] += 1
        logbook.fail(result.source, Fault(result.reason))


def _take_page(page: _PendingPage, result: object, logbook: Logbook) -> list[Task]:
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
    for place in job.places:
        write_failure(job.mapfile, place, LOST)
    entries = tuple(
        EntryOutcome(name=entry.name, place=place, fault=LOST)
        for entry, place in zip(job.entries, job.places, strict=True)
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
    logbook.counts["failed"] += bool(outcome.failures)
    logbook.counts["maps"] += bool(outcome.entries) and not outcome.failures  # no entries: all maps of an owner broken
    found = bool(outcome.entries) and not any(entry.fresh or entry.fault for entry in outcome.entries)
    logbook.counts["maps_found"] += found
    for entry in outcome.entries:
        if entry.record:
            n_regions = entry.record.counts.kept
            logbook.counts["regions_found"] += n_regions * found
            logbook.counts["results"] += 1
            logbook.counts["computed"] += entry.fresh
            logbook.counts["regions"] += n_regions
            logbook.counts["empty"] += n_regions == 0
            logbook.hint(entry.name, [text for text in entry.record.warnings if PERCENT_HINT in text])
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


def _finish(page: _PendingPage, logbook: Logbook) -> None:
    records = [e.record for o in page.outcomes for e in o.entries if e.record]
    regions = [record.counts.kept for record in records]
    failed = sum(bool(outcome.failures) for outcome in page.outcomes)
    maps = sum(bool(outcome.entries) for outcome in page.outcomes)
    counts = ((maps, "maps"), (sum(regions), "regions"), (regions.count(0), "empty"), (failed, "failed"))
    logbook.step(page.owner, count_words(counts) or "no map that can be read")
