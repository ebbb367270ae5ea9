"""group_values.tsv: one row per set, participant and region, tidy, with everything that tells the rows apart.

A row's *set*, *entry* and entities tell it apart from all others. How the values are measured is `aggregate`'s; how the
file is written is `tables`'.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bids_regions.aggregate import RegionIndex
from bids_regions.extraction.measures import numbered_name
from bids_regions.frozen import dataclass
from bids_regions.group.passes import MemberMeasures
from bids_regions.group.positions import RegionPositions
from bids_regions.group.sets import Cohort, MapSet
from bids_regions.group.tables import SIGNS, cohort_columns, session_column, set_column, with_sheets
from bids_regions.tables import Column

__all__ = [
    "CIRCULAR",
    "CIRCULAR_ON_PAGE",
    "SHEET_VALUES",
    "VALUES",
    "ValueRow",
    "leading_columns",
    "value_columns",
    "value_rows",
]

_CIRCULAR = (
    "These regions were found in the same maps that the values come from: one-sample tests on the values are circular, "
    "and so are comparisons of groups that have regions of their own{by}. The {columns} reduce the selection and do "
    "not remove it: tests need independent regions{taken}"
)
CIRCULAR = _CIRCULAR.format(by=" (--group-by)", columns="_loo columns", taken=", which --regions-from takes")
CIRCULAR_ON_PAGE = _CIRCULAR.format(by="", columns="values where the others alone choose", taken="")
LOO = "where the others alone reach the full set's count; n/a below the minimum size"


@dataclass(frozen=True, kw_only=True)
class ValueRow:
    """One participant in one region."""

    one: MapSet
    measured: MemberMeasures
    positions: RegionPositions
    region: int  # label
    name: str  # of the region
    sign: int
    at: int  # of the region in the measured values

    @property
    def structure(self) -> str | None:
        """The structure that the region lies in, as CIFTI names it."""
        return self.positions.structures[self.at]

    def count(self, counts: Any, *, on_sheet: bool = False, loo: bool = False) -> int | float | None:
        """A count of the region's voxels, or of its vertices; None of what it has none of."""
        if self.positions.on_sheet[self.at] != on_sheet:
            return None
        number = int(counts[self.at])
        return self.loo(number) if loo else number

    def loo(self, value: float) -> float | None:
        """A value of the voxels that the others alone choose; None where these are too few."""
        return value if bool(self.measured.large_loo[self.at]) else None

    @property
    def mean_of_second(self) -> float | None:
        """The mean of the second map; None where there is none."""
        second = self.measured.second
        return None if second is None else float(second[self.at])


VALUES: tuple[Column, ...] = (
    Column(name="entry", shown="folded", description="The entry: the regions' criteria, as desc- names them",
           of=lambda row: row.one.entry),
    set_column(lambda row: row.one.name),
    Column(name="participant_id", heading="participant", description="Participant, as in participants.tsv",
           of=lambda row: row.measured.member.participant),
    session_column(lambda row: row.measured.member.session),
    Column(name="region", description="Number of the region: its value in the label image", of=lambda row: row.region),
    Column(name="region_name", heading="name", description="Name of the region, as in the table beside its label image",
           of=lambda row: row.name),
    Column(name="sign", description="Sign of the region; both for a region that tells none",
           of=lambda row: SIGNS[row.sign]),
    Column(name="n_voxels", heading="voxels",
           description="Voxels of the region that the participant's own regions of its sign cover",
           of=lambda row: row.count(row.measured.values.n_voxels)),
    Column(name="mean_value", heading="mean",
           description="Mean of the participant's map over the region's voxels with data",
           of=lambda row: float(row.measured.values.mean[row.at])),
    Column(name="n_voxels_loo", heading="voxels, others choose", shown="folded",
           description=f"Voxels of the region {LOO}",
           of=lambda row: row.count(row.measured.values.n_loo, loo=True)),
    Column(name="mean_value_loo", heading="mean, others choose",
           description=f"Mean of the participant's map over those voxels of the region {LOO}",
           of=lambda row: row.loo(float(row.measured.values.mean_loo[row.at]))),
    Column(name="peak_value", heading="peak",
           description="Extreme value of the participant's map in the region, in the region's own "
           "direction; of largest magnitude where the region tells no sign",
           of=lambda row: float(row.measured.values.peak[row.at])),
    Column(name="dice", heading="Dice",
           description="Dice overlap of the region with the participant's own regions of its sign that "
           "touch it; 0 where none does", of=lambda row: float(row.measured.values.dice[row.at])),
    Column(name="dice_loo", heading="Dice, others choose",
           description=f"The same with those voxels of the region {LOO}",
           of=lambda row: row.loo(float(row.measured.values.dice_loo[row.at]))),
    Column(name="peak_distance_mm", heading="off by mm",
           description="Distance from the region's peak to the participant's in the region; on a surface along it",
           units="mm", of=lambda row: float(row.measured.values.peak_distance[row.at])),
)  # fmt: skip

# Where there are maps on surfaces: the columns that follow each of those above.
SHEET_VALUES: dict[str, tuple[Column, ...]] = {
    "sign": (
        Column(name="hemi", description="Hemisphere of the region, L or R, where its structure is on one side",
               of=lambda row: {"LEFT": "L", "RIGHT": "R"}.get((row.structure or "").rpartition("_")[2])),
        Column(name="structure", shown="folded", description="Structure that the region lies in, as CIFTI names it",
               of=lambda row: row.structure),
        Column(name="n_vertices", heading="vertices",
               description="Vertices of the region that the participant's own regions of its sign cover",
               of=lambda row: row.count(row.measured.values.n_voxels, on_sheet=True)),
    ),
    "n_voxels_loo": (
        Column(name="n_vertices_loo", heading="vertices, others choose", shown="folded",
               description=f"Vertices of the region {LOO}",
               of=lambda row: row.count(row.measured.values.n_loo, on_sheet=True, loo=True)),
    ),
}  # fmt: skip

SECOND = Column(
    name="values_mean",
    heading="mean of the second map",
    description="Mean of the participant's second map (--values-from) over the region's voxels with data",
    of=lambda row: row.mean_of_second,
)


def value_columns(cohort: Cohort, sets: Sequence[MapSet]) -> tuple[Column, ...]:
    """The columns: each entity that the maps have, the values, those of participants.tsv."""
    second = (SECOND,) if any(member.values for one in sets for member in one.members) else ()
    own = (*with_sheets(VALUES, SHEET_VALUES, sets), *second)
    entities = leading_columns(sets)
    return (*entities, *own, *cohort_columns(cohort, (*entities, *own), lambda row: row.measured.member.participant))


def leading_columns(sets: Sequence[MapSet]) -> tuple[Column, ...]:
    """A column for each entity of the maps, as they are met; entity_<name> where the name is taken."""
    sheets = (column for columns in SHEET_VALUES.values() for column in columns)
    taken = {column.name for column in (*VALUES, *sheets, SECOND)}

    def column(key: str) -> Column:
        return Column(
            name=f"entity_{key}" if key in taken else key,
            description=f"Entity {key} of the map's name",
            of=lambda row: dict(row.one.entities).get(key),
        )

    return tuple(column(key) for key in dict.fromkeys(key for one in sets for key, _ in one.entities))


def value_rows(
    one: MapSet, index: RegionIndex, positions: RegionPositions, measured: MemberMeasures, names: Mapping[int, str]
) -> Iterator[Any]:
    """One participant's rows: every region of the set."""
    for at, (number, sign) in enumerate(zip(index.number.tolist(), index.sign.tolist(), strict=True)):
        name = names.get(number, numbered_name(number))
        yield ValueRow(one=one, measured=measured, positions=positions, region=number, name=name, sign=sign, at=at)
