"""Everybody the group level knows of, before any image is read: results, failures, maps, participants.tsv.

The *cohort* is all of them; which of their maps are comparable is decided in `sets`.
"""

from collections.abc import Sequence

from bids_regions.dataset import (
    Discovery,
    MapFile,
    Participants,
    Skipped,
    SourceDataset,
    matches,
    read_table,
)
from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.dataset.mapfiles import Selection, is_selected
from bids_regions.errors import Contradiction
from bids_regions.group.members import Absence, Entities, FailureNote, Member, read_failures, read_members
from bids_regions.group.reading import map_of
from bids_regions.group.sets import Cohort, name_some
from bids_regions.results.placement import name_owner, name_participant
from bids_regions.settings import GroupSettings
from bids_regions.tables import NO_VALUE

__all__ = ["gather_cohort"]


def gather_cohort(
    settings: GroupSettings, dataset: SourceDataset, discovery: Discovery, selection: Selection
) -> tuple[Cohort, list[Absence], tuple[str, ...]]:
    """The cohort of a run, the records that cannot be read, and what a user should know of participants.tsv.

    Raises
    ------
    MissingInput
        --group-by without any participants.tsv.
    Contradiction
        --group-by names a column that participants.tsv does not have, or has for none of the participants.
    """
    table, notes = read_table(dataset, settings.participants_tsv, settings.group_by)
    participants = frozenset(name_participant(label).removeprefix("sub-") for label in settings.participants)
    members, unread = read_members(settings.output_dir, participants)
    noted = read_failures(settings.output_dir, dataset.root, participants)
    members, failures = _selected(members, noted, dataset, selection)
    maps = {_key_of(mapfile): mapfile.relpath for mapfile in discovery.maps if mapfile.participant}
    known = {member.participant for member in members} | {name for name, _ in maps}
    known |= {note.participant for note in failures} | {absence.participant for absence in unread}
    known |= {name_participant(one.participant) for one in (*discovery.failed, *discovery.skipped) if one.participant}
    if table:
        table = table.matched({name.removeprefix("sub-") for name in known})
        _refuse_unanswered(table, sorted({member.participant for member in members}), settings.group_by)
        known |= {f"sub-{label}" for label in table.rows if not participants or label in participants}
    cohort = Cohort(
        members=members,
        failures=failures,
        maps=maps,
        broken=_reasons(dataset, discovery.failed),
        skipped=_reasons(dataset, discovery.skipped),
        unread={absence.participant: absence.reason for absence in unread},
        known=sorted(known),
        table=table,
        group_by=settings.group_by,
    )
    return cohort, unread, notes


def _refuse_unanswered(table: Participants, names: Sequence[str], group_by: Sequence[str]) -> None:
    for column in group_by:
        if names and all(table.value(name.removeprefix("sub-"), column) == NO_VALUE for name in names):
            there = name_some([f"sub-{label}" for label in table.rows]) or "no participant"
            raise Contradiction(
                f"--group-by {column}: none of the {len(names)} participants with results has a value in {table.path}",
                hint=f"Fill that column; the file has {there}",
            )


def _selected(
    members: Sequence[Member], failures: Sequence[FailureNote], dataset: SourceDataset, selection: Selection
) -> tuple[list[Member], list[FailureNote]]:
    """Results and failures of the maps that the selection asks for; without one, all of them."""
    labels = {key: frozenset(asked) for key, asked in selection.labels().items() if key != "sub"}
    if not (labels or selection.filters or selection.suffixes or selection.volumes):
        return list(members), list(failures)

    def is_asked(mapfile: MapFile, space: str) -> bool:
        fits = not selection.suffixes or mapfile.suffix in selection.suffixes
        fits = fits and (mapfile.volume is None or selection.takes_volume(mapfile.volume))
        fits = fits and is_selected(mapfile, labels, space or selection.assume_space)
        return fits and matches(mapfile, selection.filters)

    asked = [member for member in members if is_asked(map_of(member, dataset), member.space)]
    return asked, [note for note in failures if is_asked(note.mapfile, dict(note.entities).get("space", ""))]


def _key_of(mapfile: MapFile) -> tuple[str, Entities]:
    return name_owner(mapfile), tuple(pair for pair in mapfile.entities if pair[0] != "sub")


def _reasons(dataset: SourceDataset, left: Sequence[Skipped]) -> dict[tuple[str, Entities], str]:
    """Why a participant's map cannot be used, by participant and entities."""
    return {
        _key_of(read_map_names(dataset.root, [one.relpath])): f"{one.relpath}: {one.reason}"
        for one in left
        if one.participant
    }
