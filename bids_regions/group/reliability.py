"""Reliability: what a person's regions and values say of themselves in another session or run.

An *occasion* is one session or one run. A *family* is the sets that differ in the occasion alone. Its regions are those
of --regions-from, else of a consensus over the maps of all occasions pooled; per region it has the intraclass
correlations of the mean values, per participant the Dice overlap of the regions of every two occasions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import Reliability, dice_of_signs, index_regions, intraclass, mean_in_regions, merge_tallies
from bids_regions.errors import Fault
from bids_regions.executors import WorkerLost
from bids_regions.extraction.measures import numbered_name
from bids_regions.files import remove_file
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import SheetGround
from bids_regions.group.measures import SetResult, Study
from bids_regions.group.members import Member
from bids_regions.group.outputs import write_set
from bids_regions.group.passes import MORE_MEMORY, Counted, count_set, in_order, parts
from bids_regions.group.positions import DomainPositions
from bids_regions.group.reading import Source, load_member
from bids_regions.group.regions import lay_regions
from bids_regions.group.sets import MapSet, name_set_outputs, ordered
from bids_regions.group.tables import write_table
from bids_regions.images import expect_many
from bids_regions.tables import Column

__all__ = [
    "RELIABILITY_COLUMNS",
    "RETEST_COLUMNS",
    "Family",
    "FamilyResult",
    "RegionReliability",
    "Retest",
    "find_families",
    "study_family",
    "write_reliability",
]

OCCASIONS = {"ses": "sessions", "run": "runs"}  # entities that tell occasions of one and the same measurement

FOUND_HERE = (
    "These regions were found in the same maps: the coefficients are those of what people share in this very sample, "
    "and regions from elsewhere would have others"
)

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Sets that differ in session or run alone."""

    name: str  # as the tables call it
    entity: str  # "ses" or "run"
    occasions: tuple[str, ...]  # labels, in order
    results: tuple[SetResult, ...]  # of each occasion
    pooled: MapSet  # the maps of all of them

    @property
    def words(self) -> str:
        """What the occasions are."""
        return OCCASIONS[self.entity]


@dataclass(frozen=True, kw_only=True)
class RegionReliability:
    """One row of group_reliability.tsv."""

    family: str
    region: int  # label
    name: str
    found: Reliability


@dataclass(frozen=True, kw_only=True)
class Retest:
    """One row of group_retest.tsv: one participant on two occasions."""

    family: str
    participant: str
    first: str  # ses-1
    second: str
    dice: float


@dataclass(frozen=True, kw_only=True)
class FamilyResult:
    """All that is found of a family."""

    family: Family
    regions: tuple[RegionReliability, ...]
    retests: tuple[Retest, ...]
    circular: bool  # the regions were found in the same maps
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        people = len({retest.participant for retest in self.retests})
        told = f"{people} participant{'s' if people > 1 else ''} on {len(self.family.occasions)} {self.family.words}"
        dice = [retest.dice for retest in self.retests if np.isfinite(retest.dice)]
        if dice:
            told += f", median Dice of a person's regions with itself {np.median(dice):.2f}"
        values = [row.found.icc3.value for row in self.regions if np.isfinite(row.found.icc3.value)]
        if values:
            where = "one region" if len(values) == 1 else f"{len(values)} regions"
            told += f", median ICC(3,1) of the mean values in {where} {np.median(values):.2f}"
        return told


def _coefficients() -> Iterator[Column]:
    words = {
        "icc1": "ICC(1,1): one-way, any difference between occasions is error",
        "icc2": "ICC(2,1): two-way random, agreement; a shift of a whole occasion is error",
        "icc3": "ICC(3,1): two-way mixed, consistency; a shift of a whole occasion is none",
    }
    for name, what in words.items():
        short = what[: len("ICC(1,1)")]
        yield Column(name=name, heading=short, description=f"{what}; of the mean values in the region, single occasion",
                     of=lambda row, name=name: getattr(row.found, name).value)  # type: ignore[misc] # fmt: skip
        for end in ("low", "high"):
            yield Column(name=f"{name}_{end}", heading=f"{short} {'from' if end == 'low' else 'to'}",
                         description=f"{end.capitalize()}er limit (95 %) of {name}",
                         of=lambda row, name=name, end=end: getattr(getattr(row.found, name), end))  # type: ignore[misc] # fmt: skip


RELIABILITY_COLUMNS: tuple[Column, ...] = (
    Column(name="set", description="The sets that differ in session or run alone, by what their names share",
           of=lambda row: row.family),
    Column(name="region", description="Number of the region: its value in the label image", of=lambda row: row.region),
    Column(name="region_name", heading="name", description="Name of the region, as in the table beside its label image",
           of=lambda row: row.name),
    Column(name="n", heading="participants",
           description="Participants with a value on every occasion", of=lambda row: row.found.n),
    *_coefficients(),
)  # fmt: skip

RETEST_COLUMNS: tuple[Column, ...] = (
    Column(name="set", description="The sets that differ in session or run alone, by what their names share",
           of=lambda row: row.family),
    Column(name="participant_id", heading="participant",
           description="Participant, as in participants.tsv", of=lambda row: row.participant),
    Column(name="occasion", description="One session or run", of=lambda row: row.first),
    Column(name="other_occasion", heading="and", description="The other session or run", of=lambda row: row.second),
    Column(name="dice", heading="Dice", description="Dice overlap of the participant's regions on both, signs included",
           of=lambda row: row.dice),
)  # fmt: skip


def find_families(results: Sequence[SetResult], output_dir: Path) -> tuple[list[Family], tuple[str, ...]]:
    """The families among sets that were put together, by name, and which occasions cannot be compared, in words."""
    families, apart = [], []
    for entity in OCCASIONS:
        alike: dict[Any, dict[Any, dict[str, SetResult]]] = defaultdict(lambda: defaultdict(dict))
        for result in results:
            one = result.one
            entities = dict(one.entities)
            if result.consensus is not None and entity in entities:
                rest = tuple(sorted(pair for pair in one.entities if pair[0] != entity))
                rest = tuple(pair for pair in ordered(rest) if pair[0] != "den" or one.form == "volume")
                kind = (one.entry, one.space, one.form, rest, one.split)
                alike[kind][_mesh_of(one)][entities[entity]] = result
        for meshes in alike.values():
            families += [_make_family(entity, found, output_dir) for found in meshes.values() if len(found) > 1]
            apart += [_tell_apart(entity, meshes)] if len(meshes) > 1 else []
    known = (family for family in families if _people(family))
    return sorted(known, key=lambda family: (family.name, family.entity)), tuple(sorted(apart))


def _mesh_of(one: MapSet) -> tuple[int, ...]:
    """The vertices of the meshes that a set lies on; none of volumes, which are resampled to one grid."""
    if not isinstance(one.ground, SheetGround):
        return ()
    return tuple(sorted({part.n_vertices for part in one.ground.layout.parts if part.ijk is None}))


def _tell_apart(entity: str, meshes: Mapping[tuple[int, ...], Mapping[str, SetResult]]) -> str:
    """That the occasions of one measurement lie on different meshes, whose vertices do not correspond."""
    by_mesh = sorted(meshes.items())
    name = by_mesh[0][1][min(by_mesh[0][1])].one.name
    occasions = " and ".join(", ".join(sorted(found)) for _, found in by_mesh)
    counts = " and ".join("/".join(map(str, mesh)) for mesh, _ in by_mesh)
    return (
        f"{name} and its like: {OCCASIONS[entity]} {occasions} lie on different meshes ({counts} vertices per "
        "hemisphere), and their agreement cannot be told"
    )


def _make_family(entity: str, found: Mapping[str, SetResult], output_dir: Path) -> Family:
    occasions = sorted(found, key=lambda label: (not label.isdigit(), int(label) if label.isdigit() else 0, label))
    results = tuple(found[label] for label in occasions)
    most = max(results, key=lambda result: len(result.one.members)).one
    shared = tuple(pair for pair in most.entities if pair[0] != entity)
    sides = most.ground.sides if most.ground else ()
    paths = name_set_outputs(shared, most.split, (most.entry, most.space, most.form), output_dir).on_sides(sides)
    name = f"{paths.consensus.base}_desc-{most.entry}"
    members = [member for result in results for member in result.one.members]
    words = f"Maps of {len(results)} {OCCASIONS[entity]} ({', '.join(occasions)}) are pooled"
    pooled = replace(
        most,
        name=name,
        paths=paths,
        entities=shared,
        members=tuple(sorted(members, key=lambda member: (member.participant, member.entities))),
        absent=(),
        notes=(words,),
    )
    return Family(name=name, entity=entity, occasions=tuple(occasions), results=results, pooled=pooled)


def _people(family: Family) -> list[tuple[Member | None, ...]]:
    """Of each participant with two occasions or more its map on each."""
    maps: dict[str, dict[int, Member]] = defaultdict(dict)
    for at, result in enumerate(family.results):
        for member in result.one.members:
            maps[member.participant][at] = member
    n = len(family.occasions)
    return [tuple(own.get(at) for at in range(n)) for _, own in sorted(maps.items()) if len(own) > 1]


def write_reliability(families: Sequence[Family], study: Study) -> list[FamilyResult]:
    """Study every family and write both tables; where there is none, those of an earlier run are removed.

    Raises
    ------
    Fault
        A worker was lost.
    """
    folder, others = study.settings.output_dir, study.others
    paths = (folder / "group_reliability.tsv", folder / "group_retest.tsv")
    if not families:
        for path in paths:
            remove_file(path)
            remove_file(path.with_suffix(".json"))
        return []
    results = [study_family(family, study) for family in families]
    where = "consensus regions over the maps of all occasions pooled"
    where = f"the label image {study.settings.regions_name}" if others else where
    about = {
        "Description": "Reliability of the mean values in each region over sessions or runs: intraclass correlations",
        "Regions": where,
        **({"Circularity": FOUND_HERE} if any(result.circular for result in results) else {}),
    }
    with write_table(paths[0], RELIABILITY_COLUMNS, about) as table:
        for result in results:
            for row in result.regions:
                table.add(row)
    about = {"Description": "Overlap of each participant's regions on every two sessions or runs"}
    with write_table(paths[1], RETEST_COLUMNS, about) as table:
        for result in results:
            for retest in result.retests:
                table.add(retest)
    return results


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shard:
    people: tuple[tuple[Member | None, ...], ...]
    source: Source
    regions: Array  # row of labels


@dataclass(frozen=True, kw_only=True, eq=False)
class _Person:
    participant: str
    means: Floats  # (occasions, regions); nan without the map
    dice: tuple[tuple[int, int, float], ...]  # of every two occasions


def study_family(family: Family, study: Study) -> FamilyResult:
    """One more pass over the maps of a family.

    Raises
    ------
    Fault
        A worker was lost.
    """
    pooled, others = family.pooled, study.others
    ground = pooled.ground
    assert ground is not None
    source = Source(dataset=study.dataset, output_dir=study.settings.output_dir, ground=ground)
    notes: tuple[str, ...] = ()
    if others:
        laid = lay_regions(others, ground)
        labels, names, notes = laid.labels, laid.names, laid.notes
        circular = any(laid.is_circular(r.one.members, r.consensus) for r in family.results if r.consensus)
    else:
        consensus = write_set(pooled, _tally(family, source, study), study.settings, study.atlases, pooled=True)
        labels, circular = ground.domain.flatten(consensus.extraction.labels), True
        names = {region.index: region.name for region in consensus.naming.regions}
    people = list(_measure(family, source, labels, study))
    return FamilyResult(
        family=family,
        regions=tuple(_reliabilities(family, labels, people, names)),
        retests=tuple(_retests(family, people)),
        circular=circular and bool(labels.any()),
        notes=(*pooled.notes, *notes),
    )


def _tally(family: Family, source: Source, study: Study) -> Any:
    """The counts of all occasions together; counted again only where their grounds differ."""
    found = [result.consensus for result in family.results if result.consensus]
    if all(consensus.ground.domain.same_as(source.ground.domain) for consensus in found):
        return merge_tallies(consensus.tally for consensus in found)
    return sum(count_set(family.pooled.members, source, study.workers), Counted()).tally


def _measure(family: Family, source: Source, regions: Array, study: Study) -> Iterator[_Person]:
    shards = [_Shard(people=part, source=source, regions=regions) for part in parts(_people(family), study.workers)]
    for found in in_order(_measure_shard, shards, study.workers):
        if isinstance(found, WorkerLost):
            raise Fault(f"a worker of the group level was lost: {found}", hint=MORE_MEMORY)
        yield from found


def _measure_shard(shard: _Shard) -> list[_Person]:
    expect_many()
    index = index_regions(shard.regions, DomainPositions(shard.source.ground.domain))
    people = []
    for maps in shard.people:
        means = np.full((len(maps), index.number.size), np.nan)
        signs = {}
        for at, member in enumerate(maps):
            if member is not None:
                one = load_member(member, shard.source).one
                means[at] = mean_in_regions(index, one.data, one.covered)
                signs[at] = one.sign_map()
        dice = tuple((a, b, dice_of_signs(signs[a], signs[b])) for a, b in combinations(signs, 2))
        who = next(member.participant for member in maps if member)
        people.append(_Person(participant=who, means=means, dice=dice))
    return people


def _reliabilities(
    family: Family, labels: Array, people: Sequence[_Person], names: Mapping[int, str]
) -> Iterator[RegionReliability]:
    numbers = np.unique(labels[labels > 0]).tolist()
    means = np.array([person.means for person in people]).reshape(len(people), len(family.occasions), len(numbers))
    for at, number in enumerate(numbers):
        yield RegionReliability(
            family=family.name,
            region=number,
            name=names.get(number, numbered_name(number)),
            found=intraclass(means[:, :, at]),
        )


def _retests(family: Family, people: Sequence[_Person]) -> Iterator[Retest]:
    called = [f"{family.entity}-{label}" for label in family.occasions]
    for person in people:
        for a, b, dice in person.dice:
            yield Retest(
                family=family.name, participant=person.participant, first=called[a], second=called[b], dice=dice
            )
