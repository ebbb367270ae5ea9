"""A set, counted and measured: consensus written, all values in the table, agreement, who stands out.

To *study* a set is to pass over its maps twice: `count_set` makes the consensus, `measure_set` compares each
member with it. How a member is read and by which worker is `passes`' to know.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import (
    Measure,
    RegionIndex,
    coverage,
    describe_outliers,
    find_spared,
    least_participants,
    mean_agreement,
    pairwise_dice,
    prevalence_lower,
)
from bids_regions.atlases import AtlasReader
from bids_regions.dataset import SourceDataset
from bids_regions.executors import Workers
from bids_regions.extraction.measures import numbered_name
from bids_regions.figures import FigureStyle, Picture, choose_cuts
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import VolumeGround
from bids_regions.group.members import Absence
from bids_regions.group.outputs import Consensus, write_set
from bids_regions.group.passes import Counted, MemberMeasures, SetReference, count_set, measure_set
from bids_regions.group.positions import RegionPositions, find_region_positions, measure_ways
from bids_regions.group.reading import Source
from bids_regions.group.regions import LaidRegions, OtherRegions, lay_regions
from bids_regions.group.sets import MapSet
from bids_regions.group.tables import GroupTable, ParticipantRow, list_regions
from bids_regions.group.values import value_rows
from bids_regions.pages.marks import marks_of
from bids_regions.settings import GroupSettings

__all__ = ["SetResult", "Study", "study_set"]

PAIRS = 300  # participants up to which every two are compared
FEW = 10  # participants below which it is said what a consensus of them is
SHOWN_ROWS = 5000  # of the values table on the page; all of them are in the file
LEAST_OF_COUNTS = 1.0  # standard deviation of the roots of counts: that of chance alone (Poisson)
LEAST_OF_LOGS = 0.05  # of logarithms: sizes within some 5 % of one another are alike
LEAST_OF_SHARES = 0.01  # of coverage and Dice

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What all sets of a run are studied with."""

    settings: GroupSettings
    dataset: SourceDataset
    workers: Workers
    values: GroupTable
    told_once: int  # of its columns, the first ones, which are the same in all rows of a set
    told_last: int  # of its columns, the last ones, which are the same in all rows of a participant
    regions: GroupTable  # every region of every participant
    atlases: AtlasReader
    others: tuple[OtherRegions, ...]
    thumbnails: int  # of a set at most


@dataclass(frozen=True, kw_only=True, eq=False)
class SetResult:
    """All that the group level found of one set."""

    one: MapSet  # its members are those that were counted
    rows: tuple[ParticipantRow, ...]  # of every participant, also of those not counted
    consensus: Consensus | None = None  # None: nothing to put together
    circular: bool = False  # values are taken in regions that were found in the same maps
    region_numbers: tuple[int, ...] = ()  # of the regions that values are taken in
    region_names: tuple[str, ...] = ()  # of these
    region_signs: tuple[int, ...] = ()  # of these: +1, -1, 0
    region_sizes: tuple[int, ...] = ()  # of these, voxels
    region_means: tuple[tuple[float, ...], ...] = ()  # per member, in each region
    region_means_loo: tuple[tuple[float, ...], ...] = ()  # the same where the others alone choose; nan where too few
    dice: NDArray[np.float64] | None = None  # pairwise, in the order of the members
    values: str = ""  # the first rows of the values table, with its header, without the set's name
    n_values: int = 0  # rows of the values table
    thumbnails: tuple[tuple[str, Picture], ...] = ()  # participant, picture
    unread: tuple[Absence, ...] = ()  # of a set that is not counted: whose table cannot be read


def study_set(one: MapSet, study: Study) -> SetResult:
    """Both passes over a set; a set without comparable maps has only its list of participants."""
    output_dir = study.settings.output_dir
    if one.refusal or one.apart or one.ground is None:
        return SetResult(one=one, rows=_plain_rows(one), unread=list_regions(one, study.regions, output_dir))
    source = Source(dataset=study.dataset, output_dir=output_dir, ground=one.ground)
    counted = Counted()
    for part in count_set(one.members, source, study.workers, tables=True):
        for member, rows in zip(part.members, part.tables, strict=True):
            study.regions.add_regions(one.name, member, rows)
        counted += part
    absent = tuple(sorted((*one.absent, *counted.lost), key=lambda absence: absence.participant))
    one = replace(one, members=counted.members, absent=absent)
    if counted.tally is None:
        return SetResult(one=one, rows=_plain_rows(one))
    one = replace(one, notes=(*one.notes, *_warnings(counted, study.settings.min_prevalence)))
    consensus = write_set(one, counted.tally, study.settings, study.atlases)
    reference, notes = _make_reference(one, consensus, counted, study)
    one = replace(one, notes=one.notes + notes)
    return _measure(one, consensus, counted, (source, reference), study)


def _warnings(counted: Counted, min_prevalence: float) -> list[str]:
    """What a reader must know of a set's counts."""
    n, n_blind = len(counted.members), sum(summary.blind for summary in counted.summaries)
    told = [few] if (few := _few(n, min_prevalence)) else []
    if n_blind:
        told.append(
            f"{n_blind} of {n} maps were thresholded before and have no mask: where they are zero nobody can tell "
            "whether there was data, so that prevalence cannot be told from coverage"
        )
    return told


def _few(n: int, min_prevalence: float) -> str:
    """What a consensus of few participants is; empty where they are many."""
    least = least_participants(n, min_prevalence)
    if n == 1:
        return "One participant: the consensus is its own regions, and shows nothing that people share"
    if n >= FEW:
        return ""
    bound = float(prevalence_lower(np.array([least]), np.array([n]), 0.0)[0])
    what = "the union of their regions" if least == 1 else f"where {least} or more have a region"
    what = "where all of them have a region" if least == n else what
    return (
        f"{n} participants: the consensus is {what}; {least} of {n} say only that at least {100 * bound:.0f} % of all "
        "people have one there (95 % lower bound)"
    )


def _make_reference(
    one: MapSet, consensus: Consensus, counted: Counted, study: Study
) -> tuple[SetReference, tuple[str, ...]]:
    ground = consensus.ground
    regions = consensus.naming.regions
    laid = LaidRegions(
        labels=ground.domain.flatten(consensus.extraction.labels),
        names={region.index: region.name for region in regions},
        signs={region.index: 1 if region.sign == "positive" else -1 for region in regions},
        peaks={region.index: region.peak.xyz for region in regions},
    )
    if study.others:
        laid = lay_regions(study.others, ground)
    tally, settings = consensus.tally, study.settings
    reference = SetReference(
        regions=laid.labels,
        signs=laid.signs,
        peaks=laid.peaks,
        ways=measure_ways(ground.domain, laid.labels, laid.peaks),
        consensus=consensus.shared,
        spared=find_spared(tally, consensus.shared, min_prevalence=settings.min_prevalence),
        names=laid.names,
        in_consensus=not study.others or laid.is_circular(one.members, consensus),
        smallest=ground.smallest(consensus.usual),
        core=coverage(tally) >= settings.min_coverage,
        union=np.flatnonzero(tally.positive + tally.negative) if 1 < len(one.members) <= PAIRS else None,
        view=_thumbnail_view(one, consensus, counted),
        thumbnails=frozenset(member.participant for member in one.members[: study.thumbnails]),
    )
    return reference, laid.notes


def _thumbnail_view(one: MapSet, consensus: Consensus, counted: Counted) -> FigureStyle:
    """How all thumbnails of a set are drawn: same cuts, same colours."""
    member, ground = one.members[0], consensus.ground
    scale = float(np.median([summary.max_abs for summary in counted.summaries]))
    if np.isfinite(member.cutoff):
        scale = max(scale, 1.1 * member.cutoff)  # a colour bar reaches beyond its cutoff
    cuts: tuple[float, ...] = ()
    if isinstance(ground, VolumeGround):
        cuts = choose_cuts([marks_of(consensus.naming.regions)], consensus.coverage, ground.grid.affine, n=5)
    return FigureStyle(
        cuts=cuts,
        cutoff=member.cutoff,
        tail=member.tail,
        unit=member.kind,
        scale=scale or None,
    )


def _measure(
    one: MapSet, consensus: Consensus, counted: Counted, how: tuple[Source, SetReference], study: Study
) -> SetResult:
    """The second pass: rows of values as they come, everything else gathered per participant."""
    source, reference = how
    index = reference.index(source.ground)
    positions = find_region_positions(source.ground.domain, index)
    gathered = _Gathered(study=study, names=reference.names, positions=positions)
    for measured in measure_set(counted, source, reference, study.workers):
        gathered.add(one, index, measured, study.values)
    dice = pairwise_dice(gathered.bits) if reference.union is not None else None
    return SetResult(
        one=one,
        consensus=consensus,
        rows=_rows(one, counted, gathered, dice),
        circular=reference.in_consensus and index.number.size > 0,
        region_numbers=tuple(index.number.tolist()),
        region_names=tuple(reference.names.get(number, numbered_name(number)) for number in index.number.tolist()),
        region_signs=tuple(index.sign.tolist()),
        region_sizes=tuple(index.sizes.tolist()),
        region_means=tuple(gathered.means),
        region_means_loo=tuple(gathered.means_loo),
        dice=dice,
        values="".join(gathered.lines),
        n_values=gathered.n_values,
        thumbnails=tuple(gathered.thumbnails),
    )


def _without(n: int, line: str) -> str:
    """A row without its first cells, which are the same in all rows of a set."""
    return line.split("\t", n)[n]


class _Gathered:
    """What the second pass leaves for the tables and the page; small numbers per participant."""

    def __init__(self, *, study: Study, names: Mapping[int, str], positions: RegionPositions) -> None:
        self.skip, self.tail = study.told_once, study.told_last
        self.lines = [_without(self.skip, study.values.header)]
        self.names = names
        self.positions = positions
        self.n_values = 0
        self.means: list[tuple[float, ...]] = []
        self.means_loo: list[tuple[float, ...]] = []
        self.dice: list[float] = []
        self.dice_loo: list[float] = []
        self.coverage: list[float] = []
        self.bits: list[NDArray[np.uint64]] = []
        self.thumbnails: list[tuple[str, Picture]] = []

    def add(self, one: MapSet, index: RegionIndex, measured: MemberMeasures, table: GroupTable) -> None:
        rows = list(value_rows(one, index, self.positions, measured, self.names))
        lines = table.add_alike(rows, self.skip + 2, self.tail)  # the participant and its session as well
        self.lines += [_without(self.skip, line) for line in lines[: max(0, SHOWN_ROWS - self.n_values)]]
        self.n_values += len(lines)
        self.means.append(tuple(measured.values.mean.tolist()))
        self.means_loo.append(tuple(np.where(measured.large_loo, measured.values.mean_loo, np.nan).tolist()))
        self.dice.append(measured.dice)
        self.dice_loo.append(measured.dice_loo)
        self.coverage.append(measured.coverage)
        if measured.bits is not None:
            self.bits.append(measured.bits)
        if measured.thumbnail is not None:
            self.thumbnails.append((measured.member.participant, measured.thumbnail))


def _rows(
    one: MapSet, counted: Counted, gathered: _Gathered, dice: NDArray[np.float64] | None
) -> tuple[ParticipantRow, ...]:
    """Every participant of the set: the counted with their numbers and what stands out, the others with the reason."""
    agreement = [None] * len(one.members) if dice is None else mean_agreement(dice).tolist()
    sizes = [summary.sizes for summary in counted.summaries]
    size_name, extents = _extents(one, counted)
    largest = [summary.max_abs for summary in counted.summaries]
    numbers = [float(member.n_regions) for member in one.members]
    flags = describe_outliers(
        [
            Measure(name="number of regions", values=_roots(numbers), floor=LEAST_OF_COUNTS),
            Measure(name=size_name, values=_logs(extents), floor=LEAST_OF_LOGS),
            Measure(name="largest magnitude", values=_logs(largest), floor=LEAST_OF_LOGS),
            Measure(name="coverage", values=gathered.coverage, floor=LEAST_OF_SHARES, low_only=True),
            Measure(name="Dice with the others", values=gathered.dice_loo, floor=LEAST_OF_SHARES, low_only=True),
        ]
    )
    rows = [
        ParticipantRow(
            set_name=one.name,
            participant=member.participant,
            session=member.session,
            status="ok" if member.n_regions else "empty",
            n_regions=member.n_regions,
            sizes=sizes[k],
            max_abs=largest[k],
            coverage=gathered.coverage[k],
            dice=gathered.dice[k],
            dice_loo=gathered.dice_loo[k],
            mean_dice=agreement[k],
            outlier=flags[k],
        )
        for k, member in enumerate(one.members)
    ]
    return _ordered(rows + _absent_rows(one))


def _extents(one: MapSet, counted: Counted) -> tuple[str, list[float]]:
    """How large everybody's regions are together, and what that is called."""
    sizes = [summary.sizes for summary in counted.summaries]
    if one.form == "volume":
        return "volume", [each["volume_mm3"] for each in sizes]
    areas = [each["area_mm2"] for each in sizes]
    if one.form == "gifti" and all(map(math.isfinite, areas)):
        return "area", areas
    assert one.ground is not None
    return f"number of {one.ground.units}", [float(summary.n_elements) for summary in counted.summaries]


def _roots(counts: Sequence[float]) -> list[float]:
    """Counts on the scale where Poisson's have a standard deviation of 1 (Anscombe 1948)."""
    return [2 * math.sqrt(count + 0.375) for count in counts]


def _logs(sizes: Sequence[float]) -> list[float]:
    """Natural logarithms; nan of nothing."""
    return [math.log(size) if size > 0 else math.nan for size in sizes]


def _plain_rows(one: MapSet) -> tuple[ParticipantRow, ...]:
    """The participants of a set of which nothing is put together."""
    why = one.refusal or one.apart
    rows = [
        ParticipantRow(
            set_name=one.name,
            participant=member.participant,
            session=member.session,
            status="left out" if why else "ok",
            reason=why,
            n_regions=member.n_regions,
        )
        for member in one.members
    ]
    return _ordered(rows + _absent_rows(one))


def _absent_rows(one: MapSet) -> list[ParticipantRow]:
    label = dict(one.entities).get("ses")
    return [
        ParticipantRow(
            set_name=one.name,
            participant=absence.participant,
            session=f"ses-{label}" if label else "",
            status=absence.status,
            reason=absence.reason,
        )
        for absence in one.absent
    ]


def _ordered(rows: Sequence[ParticipantRow]) -> tuple[ParticipantRow, ...]:
    return tuple(sorted(rows, key=lambda row: row.participant))
