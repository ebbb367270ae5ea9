"""A participant's page while its maps come in: what is still to be drawn, and when it can be written.

An *owner* is the participant (or `tpl-S`) that a page belongs to; its *pending page* collects what its maps give, and
the finished results of earlier runs. How a map is worked on or drawn is not known here, nor who does the tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from bids_regions.dataset import MapFile
from bids_regions.executors import Task
from bids_regions.frozen import dataclass
from bids_regions.maps.drawing import DrawJob, draw_map_section
from bids_regions.maps.explain import EXPLAIN_COLUMNS, explain_table
from bids_regions.maps.maps import (
    MapJob,
    MapOutcome,
    choose_background,
)
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
from bids_regions.pages.sections import Drawn, section_key
from bids_regions.report import model
from bids_regions.results.walk import Result, find_results

__all__ = ["PendingPage"]

Seen = tuple[tuple[Path, str], ...]  # records with their hashes


@dataclass(kw_only=True)
class PendingPage:
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
        """A map is done."""
        self.outcomes.append(result)
        self.waiting -= 1
        if result.drawn:
            self.drawn[result.mapfile.title] = result.drawn

    def take_drawn(self, drawing: DrawJob, result: Drawn | model.Problem) -> None:
        """A map is drawn, or cannot be."""
        self.waiting -= 1
        if isinstance(result, Drawn):
            self.drawn[drawing.job.mapfile.title] = result
        else:
            self.problems.append(result)
            self.drawn.pop(drawing.job.mapfile.title, None)

    def has_failed(self, title: str) -> bool:
        """Whether nothing could be made of a map in this run, which was told: that its earlier results are not drawn
        is no failure of its own.
        """
        own = (outcome for outcome in self.outcomes if outcome.mapfile.title == title)
        return any(outcome.entries and len(outcome.failures) == len(outcome.entries) for outcome in own)

    def plan_page(self) -> list[Task]:
        """The sections still to be drawn, or else the page; nothing where the page stands as it should."""
        found = self._results()
        self.seen = _digests(found)
        key = page_key((each for results in found.values() for each in results), self._told())
        if not self.context.redraw and is_current(self.jobs[0].output_dir, self.owner, key):
            return []
        known = {problem.source for problem in self.problems}
        missing = []
        for mapfile, results in found.items():
            if mapfile.title not in known and not self._is_drawn(mapfile, results):
                own = (job for job in self.jobs if job.mapfile.title == mapfile.title)
                other = replace(self.jobs[0], mapfile=mapfile, entries=(), outputs=(), fittings=())
                missing.append(DrawJob(job=next(own, other), done=tuple(results)))
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
            results.sort(key=lambda each: (order.get(each.paths.entry, len(order)), each.paths.entry))
        return dict(sorted(found.items(), key=lambda item: item[0].title))

    def _is_drawn(self, mapfile: MapFile, results: Sequence[Result]) -> bool:
        drawn = self.drawn.get(mapfile.title)
        return drawn is not None and [e.name for e in drawn.section.entries] == [each.paths.entry for each in results]

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
            failures=(
                *told_failures(output_dir, self.owner),
                *(problem for problem in self.problems if not self.has_failed(problem.source)),
            ),
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
    return tuple((each.paths.sidecar, each.digest) for results in found.values() for each in results)
