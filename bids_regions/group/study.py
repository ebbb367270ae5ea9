"""The sets of a run, studied in turn: their tables written as they are found, and what the page tells beside them.

To *study* is to pass over the maps of a set (`measures`), and of sets of several sessions (`reliability`). Who runs it,
and what is said meanwhile, is not known here.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bids_regions.atlases import AtlasReader
from bids_regions.dataset import SourceDataset
from bids_regions.executors import Workers
from bids_regions.extraction.statistics import kind_of_word
from bids_regions.group.measures import SetResult, Study, study_set
from bids_regions.group.members import Absence
from bids_regions.group.methods import write_group_methods
from bids_regions.group.page import GroupResults
from bids_regions.group.regions import OtherRegions
from bids_regions.group.reliability import FamilyResult, find_families, write_reliability
from bids_regions.group.sets import Cohort, MapSet
from bids_regions.group.tables import (
    AGREEMENT_COLUMNS,
    REGIONS_ABOUT,
    cohort_columns,
    pair_rows,
    participant_columns,
    regions_columns,
    write_table,
)
from bids_regions.group.values import CIRCULAR, leading_columns, value_columns
from bids_regions.maps.maps import MapOutcome
from bids_regions.pages.backgrounds import Anatomy, find_template, load_anatomy
from bids_regions.pages.page import told_failures
from bids_regions.report import model
from bids_regions.results.placement import check_collisions
from bids_regions.settings import Entry, GroupSettings, make_entry

__all__ = ["list_failures", "load_anatomies", "study_sets", "write_cohort_methods", "write_people"]

THUMBNAILS = 1000  # on a page at most, all sets together: what a page can hold
OF_A_SET = 300  # thumbnails of a set at most: more than anybody looks through


def study_sets(
    sets: Sequence[MapSet],
    cohort: Cohort,
    others: tuple[OtherRegions, ...],
    *,
    settings: GroupSettings,
    dataset: SourceDataset,
    workers: Workers,
) -> tuple[list[SetResult], list[FamilyResult], tuple[str, ...]]:
    """Every set in turn, then reliability, and what has none; regions, values and agreement are written meanwhile."""
    about: dict[str, str] = {
        "Description": "Each participant's map in each region: one row per set, participant and region",
        "Regions": f"the label image {settings.regions_name}" if others else "the consensus regions of each set",
    }
    pairs_about = {"Description": "Agreement of every two participants of a set, up to 300 participants"}
    with ExitStack() as stack:
        values = stack.enter_context(
            write_table(settings.output_dir / "group_values.tsv", value_columns(cohort, sets), about)
        )
        pairs = stack.enter_context(
            write_table(settings.output_dir / "group_agreement.tsv", AGREEMENT_COLUMNS, pairs_about)
        )
        regions = stack.enter_context(
            write_table(settings.output_dir / "group_regions.tsv", regions_columns(sets), REGIONS_ABOUT)
        )
        study = Study(
            settings=settings,
            dataset=dataset,
            workers=workers,
            values=values,
            told_once=len(leading_columns(sets)) + 2,  # entry and set
            told_last=len(cohort.table.columns) if cohort.table else 0,
            regions=regions,
            atlases=AtlasReader.remembering(),
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
    families, apart = find_families(results if settings.reliability == "auto" else (), settings.output_dir)
    check_collisions(family.pooled.paths.pooled for family in families)
    return results, write_reliability(families, study), apart


def write_people(results: Sequence[SetResult], cohort: Cohort, output_dir: Path) -> None:
    """The table of every participant in every set."""
    columns = participant_columns([result.one for result in results])
    extra = cohort_columns(cohort, columns, lambda row: row.participant)
    about = {"Description": "Every participant in every set: counted or why not, and what stands out"}
    path = output_dir / "group_participants.tsv"
    with write_table(path, (*columns, *extra), about) as table:
        for result in results:
            for row in result.rows:
                table.add(row)


def list_failures(
    results: Sequence[SetResult], unread: Sequence[Absence], outcomes: Sequence[MapOutcome], output_dir: Path
) -> list[model.Problem]:
    """What the page's list of errors holds: refused sets, unreadable results, failed maps."""
    problems = [
        model.Problem(source=result.one.name, reason=f"refused: {result.one.refusal}", hint="Run these again")
        for result in results
        if result.one.refusal
    ]
    lost = (*unread, *(absence for result in results for absence in result.unread))
    problems += [model.Problem(source=absence.participant, reason=absence.reason) for absence in lost]
    owners = sorted({paths.owner for outcome in outcomes for paths in (e.paths for e in outcome.entries)})
    for owner in owners:
        problems += told_failures(output_dir, owner)
    problems += [
        model.Problem(source=f"{row.participant} ({row.set_name})", reason=row.reason)
        for result in results
        for row in result.rows
        if row.status == "failed"
    ]
    return problems


def load_anatomies(
    results: Sequence[SetResult], entries: Sequence[Entry]
) -> tuple[dict[str, Anatomy | None], list[str]]:
    """What to draw each space on, as asked or its template where there is one at hand, and notes on what is unread."""
    asked = next((entry.background for entry in entries if entry.background != "auto"), "auto")
    spaces = sorted({result.one.space for result in results if result.consensus})
    paths = {
        space: find_template(space) if asked == "auto" else None if asked == "none" else Path(asked) for space in spaces
    }
    loaded = {space: load_anatomy(path) for space, path in paths.items()}
    notes = dict.fromkeys(note for _, note in loaded.values() if note)
    return {space: anatomy for space, (anatomy, _) in loaded.items()}, list(notes)


def write_cohort_methods(findings: GroupResults, usual: model.Methods, settings: GroupSettings) -> model.Methods:
    """How the participants' maps were worked on, as their records tell, and how they were put together."""
    known: dict[tuple[str, str], Entry] = {}
    of_p: dict[str, set[bool]] = {}
    for result in findings.results:
        members, form = result.one.members, result.one.form
        kinds = [kind_of_word(member.kind) for member in members]
        of_p.setdefault(result.one.entry, set()).update(kind is not None and kind.is_p for kind in kinds)
        if members and (result.one.entry, form) not in known:
            (known[result.one.entry, form],) = make_entry(result.one.entry, members[0].criteria).in_forms([form])
    if not known:
        return usual
    told = [key for key in sorted(known) if key[1] != "gifti" or (key[0], "cifti") not in known]
    return write_group_methods(
        tuple(known[key] for key in told),
        settings,
        of_p=of_p,
        bounded=any(result.consensus and math.isfinite(result.consensus.rate) for result in findings.results),
        occasions=sorted({found.family.words for found in findings.families}),
    )
