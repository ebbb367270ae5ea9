"""The group level: group maps as any other map, then sets of participants' maps put together, in two passes each.

It decides the order and tells the log; how sets are found, measured and written is `group`'s.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bids_regions.dataset import Discovery, Selection, SourceDataset
from bids_regions.errors import Contradiction, EmptySelection, Fault, OutputRefused
from bids_regions.executors import Workers
from bids_regions.files import locked
from bids_regions.frozen import dataclass
from bids_regions.group.cohort import gather_cohort
from bids_regions.group.measures import SetResult, Study, study_set
from bids_regions.group.members import Absence
from bids_regions.group.methods import write_group_methods
from bids_regions.group.page import GroupResults, write_group_page
from bids_regions.group.regions import OtherRegions, load_other_regions
from bids_regions.group.reliability import FamilyResult, find_families, write_reliability
from bids_regions.group.sets import Cohort, MapSet, find_sets, name_some
from bids_regions.group.tables import (
    AGREEMENT_COLUMNS,
    PARTICIPANT_COLUMNS,
    cohort_columns,
    pair_rows,
    write_group_regions,
    write_table,
)
from bids_regions.group.values import CIRCULAR, leading_columns, value_columns
from bids_regions.logbook import Logbook
from bids_regions.maps.maps import MapJob, MapOutcome
from bids_regions.pages.backgrounds import Anatomy, find_template, load_anatomy
from bids_regions.pages.methods import write_citation
from bids_regions.pages.page import PageContext, told_failures
from bids_regions.report import model
from bids_regions.results.placement import check_collisions
from bids_regions.results.records import load_record
from bids_regions.settings import Entry, GroupSettings, Settings, make_entry
from bids_regions.workflow.participants import process_owners

__all__ = ["GroupInput", "run_group"]

LOCK = "logs/.lock-group"  # of the output folder: one group at a time
THUMBNAILS = 1000  # on a page at most, all sets together: what a page can hold
OF_A_SET = 300  # thumbnails of a set at most: more than anybody looks through


@dataclass(frozen=True, kw_only=True)
class GroupInput:
    """What the group level starts from."""

    dataset: SourceDataset
    discovery: Discovery  # all selected maps, participants' included
    selection: Selection
    jobs: Sequence[MapJob]  # the maps that belong to no participant


def run_group(settings: Settings, given: GroupInput, context: PageContext, workers: Workers, logbook: Logbook) -> None:
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
    with locked(settings.output_dir / LOCK, "group", wait=False) as ours:
        if not ours:
            raise OutputRefused(
                f"another run of the group level is writing to {settings.output_dir}",
                hint="Run again when it has ended",
            )
        _run_group(settings, given, context, workers, logbook)


def _run_group(settings: Settings, given: GroupInput, context: PageContext, workers: Workers, logbook: Logbook) -> None:
    cohort, unread, told = gather_cohort(settings.group, given.dataset, given.discovery, given.selection)
    others = load_other_regions(settings.group.regions_from)
    sets = find_sets(cohort, settings.output_dir)
    check_collisions([*(one.paths.consensus for one in sets), *(place for job in given.jobs for place in job.places)])
    jobs = [replace(job, draw=True) for job in given.jobs]
    outcomes = process_owners(jobs, workers, logbook, stop_early=settings.stop_on_first_crash)
    _tell_unread(unread, logbook)
    for text in told:
        logbook.notice(text)
    results, families = _study(sets, cohort, others, _Means(settings=settings.group, given=given, workers=workers))
    unread += write_group_regions([result.one for result in results], settings.output_dir)
    _write_people(results, cohort, settings)
    for result in results:
        _tell(result, logbook)
    for found in families:
        logbook.say(f"{found.family.name}: {found.sentence}")
    anatomies, notices = _anatomies(results, settings)
    findings = GroupResults(
        results=results,
        families=families,
        group_maps=outcomes,
        n_known=len(cohort.known),
        failures=_failures(results, unread, outcomes, settings),
        anatomy=anatomies,
        notices=(*context.notices, *told, *notices),
        value_columns=value_columns(cohort, sets),
    )
    methods = _methods(findings, context, settings)
    write_citation(settings.output_dir, methods)
    write_group_page(findings, settings.group, context, methods)
    pooled = any(mapfile.form == "volume" for mapfile in given.discovery.maps)
    if pooled and not (cohort.members or cohort.failures or outcomes):
        raise EmptySelection(
            "no participant has results in OUTPUT_DIR", hint="Run the participant level first, with the same OUTPUT_DIR"
        )


@dataclass(frozen=True, kw_only=True)
class _Means:
    settings: GroupSettings
    given: GroupInput
    workers: Workers


def _study(
    sets: Sequence[MapSet], cohort: Cohort, others: OtherRegions | None, means: _Means
) -> tuple[list[SetResult], list[FamilyResult]]:
    """Every set in turn, then reliability; values and agreement go into their tables as they are found."""
    settings = means.settings
    about: dict[str, str] = {
        "Description": "Each participant's map in each region: one row per set, participant and region",
        "Regions": f"the label image {others.name}" if others else "the consensus regions of each set",
    }
    pairs_about = {"Description": "Agreement of every two participants of a set, up to 300 participants"}
    with ExitStack() as stack:
        values = stack.enter_context(
            write_table(settings.output_dir / "group_values.tsv", value_columns(cohort, sets), about)
        )
        pairs = stack.enter_context(
            write_table(settings.output_dir / "group_agreement.tsv", AGREEMENT_COLUMNS, pairs_about)
        )
        study = Study(
            settings=settings,
            dataset=means.given.dataset,
            workers=means.workers,
            values=values,
            told_once=len(leading_columns(sets)) + 2,  # entry and set
            told_last=len(cohort.table.columns) if cohort.table else 0,
            others=others,
            thumbnails=max(1, min(OF_A_SET, THUMBNAILS // max(1, len(sets)))),
        )
        results = []
        for one in sets:
            result = study_set(one, study)
            if result.dice is not None:
                for row in pair_rows(result.one, result.dice):
                    pairs.add(row)
            results.append(result)
        if not others or any(result.circular for result in results):
            about["Circularity"] = CIRCULAR
    families = find_families(results, settings.output_dir) if settings.reliability == "auto" else []
    check_collisions(family.pooled.paths.pooled for family in families)
    return results, write_reliability(families, study)


def _write_people(results: Iterable[SetResult], cohort: Cohort, settings: Settings) -> None:
    extra = cohort_columns(cohort, PARTICIPANT_COLUMNS, lambda row: row.participant)
    about = {"Description": "Every participant in every set: counted or why not, and what stands out"}
    path = settings.output_dir / "group_participants.tsv"
    with write_table(path, (*PARTICIPANT_COLUMNS, *extra), about) as table:
        for result in results:
            for row in result.rows:
                table.add(row)


def _tell_unread(unread: Sequence[Absence], logbook: Logbook) -> None:
    for absence in unread:
        logbook.counts["failed"] += 1
        logbook.fail(absence.participant, Fault(absence.reason, hint="Run the participant level again"))


def _tell(result: SetResult, logbook: Logbook) -> None:
    """One line for a set, one for those it lacks; the log keeps each by name."""
    one = result.one
    logbook.counts["sets"] += 1
    if one.refusal:
        logbook.counts["refused"] += 1
        logbook.fail(one.name, Contradiction(one.refusal, hint="Run the participant level on all of them again"))
        return
    for absence in one.absent:
        if absence.here:
            logbook.counts["failed"] += 1
            logbook.fail(f"{absence.participant} ({one.name})", Fault(absence.reason))
    statuses = Counter(row.status for row in result.rows)
    n_regions = len(result.consensus.naming.regions) if result.consensus else 0
    told = [f"{one.name}: {statuses['ok'] + statuses['empty']} participants", f"{n_regions} consensus regions"]
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


def _failures(
    results: Sequence[SetResult], unread: Sequence[Absence], outcomes: Sequence[MapOutcome], settings: Settings
) -> list[model.Problem]:
    """What the page's list of errors holds: refused sets, unreadable results, failed maps."""
    problems = [
        model.Problem(source=result.one.name, reason=f"refused: {result.one.refusal}", hint="Run these again")
        for result in results
        if result.one.refusal
    ]
    problems += [model.Problem(source=absence.participant, reason=absence.reason) for absence in unread]
    owners = sorted({place.owner for outcome in outcomes for place in (e.place for e in outcome.entries)})
    for owner in owners:
        problems += told_failures(settings.output_dir, owner)
    problems += [
        model.Problem(source=f"{row.participant} ({row.set_name})", reason=row.reason)
        for result in results
        for row in result.rows
        if row.status == "failed"
    ]
    return problems


def _anatomies(results: Sequence[SetResult], settings: Settings) -> tuple[dict[str, Anatomy | None], list[str]]:
    """What to draw each space on, as asked or its template where there is one at hand, and notes on what is unread."""
    asked = next((entry.background for entry in settings.entries if entry.background != "auto"), "auto")
    spaces = sorted({result.one.space for result in results if result.consensus})
    paths = {
        space: find_template(space) if asked == "auto" else None if asked == "none" else Path(asked) for space in spaces
    }
    loaded = {space: load_anatomy(path) for space, path in paths.items()}
    notes = dict.fromkeys(note for _, note in loaded.values() if note)
    return {space: anatomy for space, (anatomy, _) in loaded.items()}, list(notes)


def _methods(findings: GroupResults, context: PageContext, settings: Settings) -> model.Methods:
    """How the participants' maps were worked on, as their records tell, and how they were put together."""
    entries: dict[str, Entry] = {}
    for result in findings.results:
        members = result.one.members
        if members and result.one.entry not in entries:
            record = load_record(settings.output_dir / members[0].sidecar)
            entries[result.one.entry] = make_entry(result.one.entry, record.criteria)
    if not entries:
        return context.methods
    return write_group_methods(
        tuple(entries[name] for name in sorted(entries)),
        settings.group,
        bounded=any(result.consensus and math.isfinite(result.consensus.rate) for result in findings.results),
        occasions=sorted({found.family.words for found in findings.families}),
    )
