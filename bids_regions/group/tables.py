"""The tables of the group: values per participant and region, all regions, all participants, agreement of pairs.

Each is written line by line, so that no table is ever held as a whole, with a sidecar that describes its columns.
A *row* is whatever its columns can be taken of. How numbers are measured is not known here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadDataset, Fault, MissingInput
from bids_regions.files import open_atomic, read_json, write_json
from bids_regions.frozen import dataclass
from bids_regions.group.members import Absence, Member, Status
from bids_regions.group.reading import ChangedError, Rows, read_table
from bids_regions.group.sets import Cohort, MapSet
from bids_regions.results.records import library_versions
from bids_regions.tables import Column, describe_columns, format_cell, region_columns, table_lines

__all__ = [
    "AGREEMENT_COLUMNS",
    "PARTICIPANT_COLUMNS",
    "REGIONS_ABOUT",
    "SHEET_PARTICIPANT_COLUMNS",
    "SIGNS",
    "GroupTable",
    "PairRow",
    "ParticipantRow",
    "cohort_columns",
    "list_regions",
    "pair_rows",
    "participant_columns",
    "regions_columns",
    "session_column",
    "set_column",
    "with_sheets",
    "write_table",
]

REGIONS_ABOUT = {"Description": "Every region of every participant: the rows of all their *_dseg.tsv"}
SIGNS = {1: "positive", -1: "negative", 0: "both"}

Row = Any


@dataclass(frozen=True, kw_only=True)
class ParticipantRow:
    """One participant in one set: how it stands there."""

    set_name: str
    participant: str
    session: str
    status: Status
    reason: str = ""
    n_regions: int | None = None
    sizes: Mapping[str, float] = field(default_factory=dict)  # of all regions, by column
    max_abs: float | None = None
    coverage: float | None = None
    dice: float | None = None
    dice_loo: float | None = None
    mean_dice: float | None = None
    outlier: str = ""

    @property
    def volume_mm3(self) -> float | None:
        """Of all regions of voxels."""
        return self.sizes.get("volume_mm3")

    @property
    def n_vertices(self) -> int | None:
        """Of all regions on surfaces."""
        return None if "n_vertices" not in self.sizes else int(self.sizes["n_vertices"])

    @property
    def area_mm2(self) -> float | None:
        """The area of these."""
        return self.sizes.get("area_mm2")


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """Two participants of one set."""

    set_name: str
    session: str
    participant: str
    other: str
    dice: float


def set_column(of: Callable[[Row], str]) -> Column:
    """The set that a row belongs to."""
    return Column(name="set", description="The set of comparable maps: the name its prevalence maps share", of=of)


def session_column(of: Callable[[Row], str]) -> Column:
    """The session that a row belongs to."""
    return Column(name="session", description="Session of the map", shown="where known", of=of)


PARTICIPANT_COLUMNS: tuple[Column, ...] = (
    set_column(lambda row: row.set_name),
    Column(name="participant_id", heading="participant", description="Participant, as in participants.tsv",
           of=lambda row: row.participant),
    session_column(lambda row: row.session),
    Column(name="status", description="ok; empty: no region survived, and it counts; not counted: failed, missing, "
           "changed (the map is another one than the regions were found in), left out", of=lambda row: row.status),
    Column(name="reason", description="Why the participant is not counted", of=lambda row: row.reason),
    Column(name="n_regions", heading="regions", description="Number of regions", of=lambda row: row.n_regions),
    Column(name="volume_mm3", heading="volume mm³",
           description="Volume of all regions, on the grid of the set", units="mm3",
           of=lambda row: row.volume_mm3),
    Column(name="max_abs_value", heading="largest magnitude",
           description="Largest magnitude of the map", of=lambda row: row.max_abs),
    Column(name="coverage", description="Share of the voxels or vertices where enough participants have data "
           "(--min-coverage) in which this one has", of=lambda row: row.coverage),
    Column(name="dice_consensus", heading="Dice, oneself included", shown="folded",
           description="Dice overlap of the participant's regions and the consensus regions, signs included",
           of=lambda row: row.dice),
    Column(name="dice_consensus_loo", heading="Dice with the others' regions",
           description="The same with those consensus voxels or vertices that the others alone choose, without this "
           "participant", of=lambda row: row.dice_loo),
    Column(name="mean_pairwise_dice", heading="mean Dice of pairs",
           description="Mean Dice overlap with each other participant, signs included; up "
           "to 300 participants", of=lambda row: row.mean_dice),
    Column(name="outlier", heading="stands out", shown="where known",
           description="What stands out, by Rosner's generalized ESD test: a group in which nobody "
           "does has a flag with a chance of 5 % over all measures; z from those who do not stand out",
           of=lambda row: row.outlier),
)  # fmt: skip

# Where there are maps on surfaces: the columns that follow each of those above.
SHEET_PARTICIPANT_COLUMNS: dict[str, tuple[Column, ...]] = {
    "n_regions": (
        Column(name="n_vertices", heading="vertices", description="Vertices of all regions",
               of=lambda row: row.n_vertices),
        Column(name="area_mm2", heading="area mm²",
               description="Area of all regions on the mesh of the set", units="mm2",
               of=lambda row: row.area_mm2),
    ),
}  # fmt: skip

AGREEMENT_COLUMNS: tuple[Column, ...] = (
    set_column(lambda row: row.set_name),
    session_column(lambda row: row.session),
    Column(name="participant_id", description="One participant", of=lambda row: row.participant),
    Column(name="other_participant_id", description="The other participant", of=lambda row: row.other),
    Column(name="dice", description="Dice overlap of their regions, signs included", of=lambda row: row.dice),
)  # fmt: skip


def participant_columns(sets: Iterable[MapSet]) -> tuple[Column, ...]:
    """The columns of group_participants.tsv, with those of surfaces where a set lies on them."""
    return with_sheets(PARTICIPANT_COLUMNS, SHEET_PARTICIPANT_COLUMNS, sets)


def with_sheets(
    columns: Sequence[Column], after: Mapping[str, tuple[Column, ...]], sets: Iterable[MapSet]
) -> tuple[Column, ...]:
    """Columns, each followed by those of surfaces where a set lies on them."""
    if all(one.form == "volume" for one in sets):
        return tuple(columns)
    return tuple(each for column in columns for each in (column, *after.get(column.name, ())))


def cohort_columns(cohort: Cohort, taken: Sequence[Column], who: Callable[[Row], str]) -> tuple[Column, ...]:
    """The columns of participants.tsv; one whose name is taken is called participants_<name>."""
    if cohort.table is None:
        return ()
    told = _read_descriptions(cohort.table.path.with_suffix(".json"))
    names = {column.name for column in taken}

    def column(name: str) -> Column:
        what = told.get(name, {})
        return Column(
            name=f"participants_{name}" if name in names else name,
            description=str(what.get("Description", f"Column {name} of participants.tsv")),
            units=str(what.get("Units", "")),
            of=lambda row: cohort.column(who(row), name),
        )

    return tuple(column(name) for name in cohort.table.columns)


def _read_descriptions(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        content = read_json(path)
    except Fault:
        return {}  # participants.json is optional, and another validator's business
    return {name: what for name, what in content.items() if isinstance(what, dict)}


@dataclass(kw_only=True)
class GroupTable:
    """A table while it is written."""

    columns: tuple[Column, ...]
    stream: TextIO

    @property
    def header(self) -> str:
        """The first line."""
        return "\t".join(column.name for column in self.columns) + "\n"

    def add(self, row: Row) -> str:
        """Write one row; the line that was written."""
        line = "\t".join(format_cell(column.of(row)) for column in self.columns) + "\n"
        self.stream.write(line)
        return line

    def add_alike(self, rows: Sequence[Row], head: int, tail: int) -> list[str]:
        """Write rows whose first and last cells are equal; the lines that were written."""
        if not rows:
            return []
        cells = [format_cell(column.of(rows[0])) for column in self.columns]
        end = len(self.columns) - tail
        before, after = cells[:head], cells[end:]
        lines = ["\t".join([*before, own[:-1], *after]) + "\n" for own in table_lines(self.columns[head:end], rows)]
        self.stream.writelines(lines)
        return lines

    def add_regions(self, set_name: str, member: Member, rows: Rows) -> None:
        """Write a member's regions, where that is what the table holds."""
        self.stream.writelines(table_lines(self.columns, [(set_name, member, row) for row in rows]))


@contextmanager
def write_table(path: Path, columns: tuple[Column, ...], about: Mapping[str, Any]) -> Iterator[GroupTable]:
    """A table that appears at `path` when its last row is there, then its sidecar; what is equal stays untouched."""
    with open_atomic(path, only_if_changed=True) as stream:
        table = GroupTable(columns=columns, stream=stream)
        stream.write(table.header)
        yield table
    sidecar = {**about, **describe_columns(columns), "Versions": library_versions()}
    write_json(path.with_suffix(".json"), sidecar, only_if_changed=True)


def regions_columns(sets: Iterable[MapSet]) -> tuple[Column, ...]:
    """The columns of group_regions.tsv: those of the participants' tables behind whose they are."""
    members = [member for one in sets if not one.refusal for member in one.members]
    sheets = any(member.form != "volume" for member in members)
    own = {column.name: column for column in region_columns(fields=True, values=True, sheets=sheets)}
    named = dict.fromkeys(name for member in members for name in member.columns)
    names = [name for name in own if name in named or own[name] in region_columns(sheets=sheets)]
    names += [name for name in named if name not in own]
    told: dict[str, Mapping[str, str]] = {}
    for described in {member.columns: member.described for member in members}.values():
        told |= described

    def cell(name: str) -> Column:
        known = own.get(name)
        what = told.get(name, {})
        return Column(
            name=name,
            description=known.description if known else str(what.get("Description", name)),
            units=known.units if known else str(what.get("Units", "")),
            of=lambda row: row[2].get(name),
        )

    return (
        set_column(lambda row: row[0]),
        Column(name="participant_id", description="Participant, as in participants.tsv", of=lambda r: r[1].participant),
        session_column(lambda row: row[1].session),
        Column(name="map", description="The map, relative to the source dataset", of=lambda row: row[1].source),
        *(cell(name) for name in names),
    )


def list_regions(one: MapSet, table: GroupTable, output_dir: Path) -> tuple[Absence, ...]:
    """Write the regions of a set that is not counted, one table at a time; those whose table cannot be read."""
    unread = []
    for member in () if one.refusal else one.members:
        try:
            table.add_regions(one.name, member, read_table(member, output_dir))
        except (MissingInput, BadDataset, ChangedError) as fault:
            unread.append(Absence(participant=member.participant, status="failed", reason=str(fault)))
    return tuple(unread)


def pair_rows(one: MapSet, dice: NDArray[np.float64]) -> Iterator[PairRow]:
    """Every two participants of a set, once."""
    for i, first in enumerate(one.members):
        for j, second in enumerate(one.members[i + 1 :], i + 1):
            yield PairRow(
                set_name=one.name,
                session=first.session,
                participant=first.participant,
                other=second.participant,
                dice=float(dice[i, j]),
            )
