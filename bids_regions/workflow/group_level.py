"""The group level: group maps as any other map, then sets of participants' maps put together, in two passes each.

It decides the order and tells the log; how sets are found, measured and written is `group`'s.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bids_regions.dataset import Discovery, Selection, SourceDataset
from bids_regions.errors import Contradiction, EmptySelection, Fault, OutputRefused
from bids_regions.executors import Workers
from bids_regions.files import locked
from bids_regions.frozen import dataclass
from bids_regions.group.cohort import gather_cohort
from bids_regions.group.earlier import sidecar_of, tell_earlier_sets
from bids_regions.group.measures import SetResult
from bids_regions.group.page import GroupResults, write_group_page
from bids_regions.group.regions import load_other_regions
from bids_regions.group.sets import find_sets, name_some
from bids_regions.group.sheet_sets import Meshes
from bids_regions.group.study import (
    list_failures,
    load_anatomies,
    study_sets,
    write_cohort_methods,
    write_people,
)
from bids_regions.group.values import value_columns
from bids_regions.logbook import Logbook, counted
from bids_regions.maps.maps import MapJob
from bids_regions.pages.methods import write_citation
from bids_regions.pages.page import PageContext
from bids_regions.results.hemispheres import tell_hemispheres_apart
from bids_regions.results.placement import check_collisions
from bids_regions.settings import Entry, GroupSettings
from bids_regions.workflow.participants import process_owners

__all__ = ["GroupInput", "run_group"]

LOCK = "logs/.lock-group"  # of the output folder: one group at a time


@dataclass(frozen=True, kw_only=True)
class GroupInput:
    """What the group level starts from."""

    dataset: SourceDataset
    discovery: Discovery  # all selected maps, participants' included
    selection: Selection
    entries: Sequence[Entry]
    jobs: Sequence[MapJob]  # the maps that belong to no participant
    stop_early: bool  # at the first failure


def run_group(
    asked: GroupSettings, given: GroupInput, context: PageContext, workers: Workers, logbook: Logbook
) -> None:
    """Extract the group maps, put the participants' results together, write tables, images and group.html.

    Raises
    ------
    MissingInput, Contradiction
        --group-by cannot be answered.
    BadDataset
        Two sets would be written under one name.
    EmptySelection
        There are participants' maps and no results of them.
    OutputRefused, StorageFault
        Results cannot be written or read, or another run of the group level is at it.
    """
    with locked(asked.output_dir / LOCK, "group", wait=False) as ours:
        if not ours:
            raise OutputRefused(
                f"another run of the group level is writing to {asked.output_dir}",
                hint="Run again when it has ended",
            )
        _run_group(asked, given, context, workers, logbook)


def _run_group(
    asked: GroupSettings, given: GroupInput, context: PageContext, workers: Workers, logbook: Logbook
) -> None:
    cohort, unread, told = gather_cohort(asked, given.dataset, given.discovery, given.selection)
    others = load_other_regions(asked.regions_from)
    sets = find_sets(cohort, asked.output_dir, Meshes(dataset=given.dataset, settings=asked))
    check_collisions([*(one.paths.consensus for one in sets), *(paths for job in given.jobs for paths in job.outputs)])
    jobs = [replace(job, draw=True) for job in given.jobs]
    outcomes = process_owners(jobs, workers, logbook, stop_early=given.stop_early)
    for absence in unread:
        logbook.counts["failed"] += 1
        logbook.fail(absence.participant, Fault(absence.reason, hint="Run the participant level again"))
    for text in told:
        logbook.notice(text)
    results, families, apart = study_sets(sets, cohort, others, settings=asked, dataset=given.dataset, workers=workers)
    write_people(results, cohort, asked.output_dir)
    for folder in asked.output_dir.glob("tpl-*"):
        tell_hemispheres_apart(folder)
    for result in results:
        _tell(result, logbook)
    for found in families:
        logbook.say(f"{found.family.name}: {found.sentence}")
    made = [result.one.paths.consensus.sidecar for result in results if result.consensus]
    made += [] if others else [found.family.pooled.paths.pooled.sidecar for found in families]
    earlier = tell_earlier_sets(asked.output_dir, [*made, *map(sidecar_of, asked.regions_from)])
    for text in (*apart, *earlier):
        logbook.notice(text)
    anatomies, notices = load_anatomies(results, given.entries)
    findings = GroupResults(
        results=results,
        families=families,
        group_maps=outcomes,
        n_known=len(cohort.known),
        failures=list_failures(results, unread, outcomes, asked.output_dir),
        anatomy=anatomies,
        notices=(*context.notices, *told, *notices, *apart, *earlier),
        value_columns=value_columns(cohort, sets),
    )
    methods = write_cohort_methods(findings, context.methods, asked)
    write_citation(asked.output_dir, methods)
    write_group_page(findings, asked, context, methods)
    if not (cohort.members or cohort.failures or outcomes):
        raise EmptySelection(
            "no participant has results in OUTPUT_DIR", hint="Run the participant level first, with the same OUTPUT_DIR"
        )


def _tell(result: SetResult, logbook: Logbook) -> None:
    """One line for a set, one for those it lacks; the log keeps each by name."""
    one = result.one
    logbook.counts["sets"] += 1
    if one.refusal:
        logbook.counts["refused"] += 1
        logbook.fail(one.name, Contradiction(one.refusal, hint="Run the participant level on all of them again"))
        return
    for absence in one.absent:
        if absence.met:
            logbook.count_failed(absence.met)
            logbook.fail(f"{absence.participant} ({one.name})", Fault(absence.reason))
        if absence.noted:
            logbook.count_failed_before(absence.noted)
    statuses = Counter(row.status for row in result.rows)
    n_regions = len(result.consensus.naming.regions) if result.consensus else 0
    n = statuses["ok"] + statuses["empty"]
    told = [f"{one.name}: {counted(n, 'participant')}", counted(n_regions, "consensus region")]
    told += [f"{number} {status}" for status, number in sorted(statuses.items()) if status != "ok"]
    logbook.say(", ".join(told))
    for text in (*one.notes, *([one.apart] if one.apart else [])):
        logbook.notice(f"{one.name}: {text}")
    for status in ("changed", "failed", "left out", "missing"):
        lacking = [row.participant for row in result.rows if row.status == status]
        if lacking:
            logbook.say(f"{one.name}: {status}: {name_some(lacking)}")
    logbook.notices += [
        f"{one.name}: {row.participant}: {row.status}" + (f": {row.reason}" if row.reason else "")
        for row in result.rows
        if row.status != "ok"
    ]
