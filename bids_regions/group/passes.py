"""The two passes over a set's maps: count first, measure second, one participant's map in memory at a time.

A *shard* is a few members of a set; what shards give is put together in the members' order, so that neither the number
of workers nor who finishes first changes a byte.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import (
    Bits,
    ConsensusOverlap,
    ParticipantMap,
    RegionIndex,
    RegionValues,
    Tally,
    index_regions,
    mean_in_regions,
    measure_map,
    merge_tallies,
    pack_signs,
    tally_maps,
)
from bids_regions.errors import Fault
from bids_regions.executors import Task, WorkerLost, Workers, run_tasks
from bids_regions.figures import FigureStyle, Picture
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import Ground, Smallest
from bids_regions.group.members import Absence, Member
from bids_regions.group.positions import DomainPositions, regions_on_sheet
from bids_regions.group.reading import ChangedError, GoneError, Known, Rows, Source, load_member, load_second
from bids_regions.group.thumbnails import draw_member
from bids_regions.images import expect_many

__all__ = [
    "Counted",
    "MemberMeasures",
    "SetReference",
    "count_set",
    "in_order",
    "measure_set",
    "parts",
]

MORE_MEMORY = "Give more memory, or fewer workers by --nprocs"
SHARD = 25  # members of a shard at most: enough that starting it costs nothing, few enough that all workers have some

Array = NDArray[Any]
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What one map is, in numbers."""

    participant: str
    n_elements: int  # voxels or vertices in regions
    sizes: Mapping[str, float]  # what these take together, by the column of a table
    max_abs: float  # largest magnitude of the map, its own unit
    blind: bool  # it was thresholded before and has no mask: its zeros may be data or none


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The first pass over a set or some of its members: per voxel how many, per member what, and whom the set loses."""

    tally: Tally | None = None  # None where no map could be read
    members: tuple[Member, ...] = ()
    summaries: tuple[Summary, ...] = ()  # of the members
    known: tuple[Known | None, ...] = ()  # of the members, for the second pass
    lost: tuple[Absence, ...] = ()
    tables: tuple[Rows, ...] = ()  # of the members of one shard: those of a whole set are too much to hold

    def __add__(self, other: "Counted") -> "Counted":
        tallies = [tally for tally in (self.tally, other.tally) if tally is not None]
        return Counted(
            tally=merge_tallies(tallies) if tallies else None,
            members=self.members + other.members,
            summaries=self.summaries + other.summaries,
            known=self.known + other.known,
            lost=self.lost + other.lost,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SetReference:
    """What every member of a set is measured against."""

    regions: Array  # row of labels of the regions that values are taken in
    signs: Mapping[int, int]  # by label: +1, -1, 0 for any
    peaks: Mapping[int, tuple[float, float, float]]  # by label, mm RAS+
    ways: NDArray[np.float64] | None  # row: mm from the peak of a region along its sheet; None on a plain grid
    consensus: NDArray[np.int8]  # row of signs
    spared: NDArray[np.bool_]  # row: consensus voxels that the others alone choose, whoever is left out
    names: Mapping[int, str]  # of the regions, by label
    in_consensus: bool  # the regions were found in the set's own maps
    smallest: Smallest  # region, as the participants' entry has it
    core: NDArray[np.bool_]  # row: where enough participants have data
    union: NDArray[np.intp] | None  # numbers in the row where anyone has a region; None: no pairwise agreement
    view: FigureStyle  # of the thumbnails
    thumbnails: frozenset[str]  # participants that have one

    def index(self, ground: Ground) -> RegionIndex:
        """Where the regions lie on the ground of the set."""
        return index_regions(
            self.regions,
            DomainPositions(ground.domain),
            signs=dict(self.signs),
            peaks=dict(self.peaks),
            ways=self.ways,
            spared=self.spared if self.in_consensus and self.consensus[self.regions > 0].all() else None,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MemberMeasures:
    """The second pass: one member against the set."""

    member: Member
    values: RegionValues
    large_loo: NDArray[np.bool_]  # per region, whether what the others alone choose of it has the minimum size
    second: NDArray[np.float64] | None  # per region, mean of the second map; None without one
    dice: float  # with the consensus; nan where both are empty
    dice_loo: float  # with what the others alone make of it
    coverage: float  # share of the core where it has data
    bits: Bits | None  # its signs where anyone has a region
    thumbnail: Picture | None


@dataclass(frozen=True, kw_only=True)
class _Shard:
    members: tuple[Member, ...]
    source: Source
    known: tuple[Known | None, ...] = ()  # of the members, in the second pass
    reference: SetReference | None = None
    tables: bool = False  # whether the first pass reads the members' tables


def count_set(
    members: Sequence[Member], source: Source, workers: Workers, *, tables: bool = False
) -> Iterator[Counted]:
    """The first pass over the maps of a set, shard by shard in the members' order; with their `tables` if asked for."""
    shards = [_Shard(members=part, source=source, tables=tables) for part in parts(members, workers)]
    return _count_shards(shards, workers)


def _count_shards(shards: Sequence[_Shard], workers: Workers) -> Iterator[Counted]:
    """The shards in order; one whose worker died is counted a member at a time, and who kills its worker is lost."""
    for shard, found in zip(shards, in_order(_count_shard, shards, workers), strict=True):
        if not isinstance(found, WorkerLost):
            yield found
        elif len(shard.members) > 1:
            yield from _count_shards([replace(shard, members=(member,)) for member in shard.members], workers)
        else:
            (member,) = shard.members
            reason = f"{member.source}: {found}, killed for memory most likely"
            absence = Absence(participant=member.participant, status="failed", reason=reason, met=member.title)
            yield Counted(lost=(absence,))


def measure_set(
    counted: Counted, source: Source, reference: SetReference, workers: Workers
) -> Iterator[MemberMeasures]:
    """The second pass: each member of the set in order."""
    every = parts(counted.members, workers), parts(counted.known, workers)
    shards = [
        _Shard(members=members, source=source, reference=reference, known=known)
        for members, known in zip(*every, strict=True)
    ]
    for found in in_order(_measure_shard, shards, workers):
        if isinstance(found, WorkerLost):
            raise Fault(f"a worker of the group level was lost: {found}", hint=MORE_MEMORY)
        yield from found


def parts(members: Sequence[Job], workers: Workers) -> list[tuple[Job, ...]]:
    """Shards of a few members each."""
    size = max(1, min(SHARD, -(-len(members) // (2 * workers.n))))
    return [tuple(members[at : at + size]) for at in range(0, len(members), size)]


def in_order(function: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers) -> Iterator[Result | WorkerLost]:
    """Results in the order of the jobs, whoever finishes first."""
    waiting: dict[int, Result | WorkerLost] = {}
    due = 0
    tasks = deque(Task(function=function, argument=job, key=number) for number, job in enumerate(jobs))
    for task, result in run_tasks(tasks, workers):
        waiting[cast(int, task.key)] = result
        while due in waiting:
            yield waiting.pop(due)
            due += 1


def _count_shard(shard: _Shard) -> Counted:
    expect_many()
    kept: list[Member] = []
    summaries: list[Summary] = []
    known: list[Known | None] = []
    lost: list[Absence] = []
    tables: list[Rows] = []

    def maps() -> Iterator[ParticipantMap]:
        for member in shard.members:
            try:
                loaded = load_member(member, shard.source, table=shard.tables)
            except ChangedError as change:
                lost.append(Absence(participant=member.participant, status="changed", reason=str(change)))
                continue
            except GoneError as fault:
                lost.append(Absence(participant=member.participant, status="missing", reason=str(fault)))
                continue
            except Fault as fault:
                reason = str(fault)
                lost.append(Absence(participant=member.participant, status="failed", reason=reason, met=member.title))
                continue
            kept.append(member)
            summaries.append(_summarize(member, loaded.one, shard.source.ground, blind=loaded.blind))
            known.append(loaded.known)
            tables.append(loaded.table)
            yield loaded.one

    tally = tally_maps(maps(), shard.source.ground.domain.size)
    return Counted(
        tally=tally if kept else None,
        members=tuple(kept),
        summaries=tuple(summaries),
        known=tuple(known),
        lost=tuple(lost),
        tables=tuple(tables),
    )


def _summarize(member: Member, one: ParticipantMap, ground: Ground, *, blind: bool) -> Summary:
    return Summary(
        participant=member.participant,
        n_elements=int(one.voxels.size),
        sizes=ground.sizes(one.voxels),
        max_abs=float(max(one.data.max(initial=0), -one.data.min(initial=0))),
        blind=blind,
    )


def _measure_shard(shard: _Shard) -> list[MemberMeasures]:
    expect_many()
    reference, ground = shard.reference, shard.source.ground
    assert reference is not None
    index, overlap = reference.index(ground), ConsensusOverlap.of(reference.consensus, reference.spared)
    on_sheet = regions_on_sheet(ground.domain, index)
    n_core = max(1, int(np.count_nonzero(reference.core)))
    measured = []
    for member, known in zip(shard.members, shard.known, strict=True):
        # A thumbnail's numbers stand in the table, which is read once more: a tenth of what its images take, and less
        # than to hold the tables of a set between the passes and send them to a worker.
        drawn = member.participant in reference.thumbnails
        one, _, rows, _ = load_member(member, shard.source, table=drawn, known=known)
        values, (dice, dice_loo) = measure_map(index, one), overlap.dice(one)
        second = load_second(member, shard.source) if member.value_files else None
        measured.append(
            MemberMeasures(
                member=member,
                values=values,
                large_loo=reference.smallest.reached(values.n_loo, values.extent_loo, on_sheet),
                second=None if second is None else mean_in_regions(index, second, one.covered & (second != 0)),
                dice=dice,
                dice_loo=dice_loo,
                coverage=int(np.count_nonzero(one.covered & reference.core)) / n_core,
                bits=None if reference.union is None else pack_signs(one.sign_map()[reference.union]),
                thumbnail=draw_member(member, one, rows, ground, reference.view) if drawn else None,
            )
        )
    return measured
