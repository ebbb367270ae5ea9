"""Which participants' maps are comparable: sets, and who a set lacks.

A *set* is all maps of one entry that share every entity but `sub`, and every column of `--group-by`. Maps whose space
is not told are comparable where their grids are equal; maps in each participant's own space never are. The *ground* of
a set is the grid that most of its maps have, to which the others are resampled, or the vertices of its maps' template.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.dataset import Participants
from bids_regions.dataset.mapfiles import Form
from bids_regions.dataset.sheets import DENSITIES
from bids_regions.errors import Fault
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import Ground, VolumeGround
from bids_regions.group.members import Absence, Entities, FailureNote, Member
from bids_regions.group.sheet_sets import Meshes, MeshKind, sort_by_mesh
from bids_regions.images import StoredGrid, load_grid
from bids_regions.results.placement import GroupPaths, name_group_outputs
from bids_regions.tables import NO_VALUE

__all__ = ["Cohort", "MapSet", "find_sets", "name_set_outputs"]

OWN_SPACES = frozenset({"T1w", "T2w", "anat", "individual", "native", "orig", "func", "bold", "boldref", "scanner"})
OWN_MESHES = frozenset({"fsnative"})
RESERVED = frozenset({"ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "space", "res", "tpl"})
DENSITY = {  # the spellings of `den-`: vertices of a hemisphere, or everything that a CIFTI file of them has
    **{str(n): label for label, n in DENSITIES.items()},
    "64k": "32k",
    "64984": "32k",
    "91k": "32k",
    "91282": "32k",
    "170k": "59k",
    "170494": "59k",
}
COMPONENTS = "_components."  # in the names of 4-D files of which each volume is a component of one participant
NAMED = 10  # participants named in a sentence before it says how many more there are


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Everybody the group level knows of."""

    members: Sequence[Member]
    failures: Sequence[FailureNote]
    maps: Mapping[tuple[str, Entities], str]  # participant, entities: its map in the source dataset
    broken: Mapping[tuple[str, Entities], str]  # as maps: why its map cannot be read
    skipped: Mapping[tuple[str, Entities], str]  # as maps: why its map is none to work on
    unread: Mapping[str, str]  # participant: which record cannot be read, and why
    known: Sequence[str]  # "sub-01", sorted: with maps, with results, or in participants.tsv
    table: Participants | None
    group_by: tuple[str, ...] = ()
    spelled: frozenset[Entities] = frozenset()  # alike, of which somebody has results in several spellings

    def kind_of(self, entities: Entities) -> Entities:
        """What maps of one set have in common: the words themselves, where somebody has several spellings of them."""
        alike = ordered(entities)
        return tuple(sorted(entities)) if alike in self.spelled else alike

    def sorted_out(self) -> "Cohort":
        """The same with its maps by what they are."""
        found = Counter((m.entry, m.form, ordered(m.entities), m.participant) for m in self.members)
        twice = frozenset(entities for (_, _, entities, _), n in found.items() if n > 1)  # but for the words
        cohort = replace(self, spelled=twice)
        maps, broken, skipped = (
            {(owner, cohort.kind_of(entities)): told for (owner, entities), told in known.items()}
            for known in (self.maps, self.broken, self.skipped)
        )
        return replace(cohort, maps=maps, broken=broken, skipped=skipped)

    def column(self, participant: str, name: str) -> str:
        """What participants.tsv says of a participant; n/a where it says nothing."""
        return self.table.value(participant.removeprefix("sub-"), name) if self.table else NO_VALUE


@dataclass(frozen=True, kw_only=True)
class MapSet:
    """Comparable maps of one entry."""

    name: str  # as the tables call it
    paths: GroupPaths
    entities: Entities  # shared by the maps, verbatim
    split: tuple[tuple[str, str], ...]  # column of participants.tsv, value
    entry: str
    space: str  # label; "" where it is not known
    members: tuple[Member, ...]  # by participant
    absent: tuple[Absence, ...]  # by participant
    form: Form = "volume"  # of its maps
    ground: Ground | None = None  # None: no map that can be compared
    n_grids: int = 0  # different ones among the maps
    reference: str = ""  # a map on that ground, relative to the source dataset
    notes: tuple[str, ...] = ()  # what a reader must know
    refusal: str = ""  # who was made with other settings: nothing is made of the set
    apart: str = ""  # why no voxel of its maps can be compared: only their tables are put together


@dataclass(frozen=True, kw_only=True)
class _Key:
    entry: str
    space: str
    form: Form
    entities: Entities  # in the order of their keys
    split: tuple[tuple[str, str], ...]


def find_sets(cohort: Cohort, output_dir: Path, meshes: Meshes) -> list[MapSet]:
    """All sets, by name; a set that must be refused carries the reason and no grid."""
    shown: dict[Entities, Entities] = {}  # ordered -> verbatim
    members: dict[_Key, list[Member]] = defaultdict(list)
    cohort = cohort.sorted_out()
    for member in cohort.members:
        split = _split_of(cohort, member.participant)
        entities = cohort.kind_of(member.entities)
        shown.setdefault(entities, member.entities)
        if NO_VALUE not in dict(split).values():
            key = _Key(entry=member.entry, space=member.space, form=member.form, entities=entities, split=split)
            members[key].append(member)
    for note in cohort.failures:
        _open_set(cohort, note, members, shown)
    sets: list[MapSet] = []
    for key, found in members.items():
        whole = _make_set(key, found, shown[key.entities], cohort, output_dir)
        sets += _by_ground(whole, output_dir, meshes)
    return sorted(sets, key=lambda one: one.name)


def ordered(entities: Entities) -> Entities:
    """Entities in the order of their keys: names that say the same in other words or another order are alike."""
    return tuple(sorted((key, DENSITY.get(label, label) if key == "den" else label) for key, label in entities))


def _split_of(cohort: Cohort, participant: str) -> tuple[tuple[str, str], ...]:
    return tuple((column, cohort.column(participant, column)) for column in cohort.group_by)


def _open_set(
    cohort: Cohort, note: FailureNote, members: dict[_Key, list[Member]], shown: dict[Entities, Entities]
) -> None:
    """A set of which every map failed is a set all the same."""
    entities, split = cohort.kind_of(note.entities), _split_of(cohort, note.participant)
    known = any(key.entities == entities and key.entry == note.entry and key.split == split for key in members)
    if note.entry and not known and NO_VALUE not in dict(split).values():
        shown.setdefault(entities, note.entities)
        space = dict(entities).get("space", "")
        members[_Key(entry=note.entry, space=space, form=note.form, entities=entities, split=split)] = []


def name_set_outputs(entities: Entities, split: Entities, named: tuple[str, str, Form], output_dir: Path) -> GroupPaths:
    """Where the results of a set go: its entities, the columns that split it, and its entry, space and form."""
    entry, space, form = named
    extra = tuple((f"by{name}" if name in RESERVED else name, value) for name, value in split)
    return name_group_outputs((*entities, *extra), entry, output_dir, assume_space=space or None, form=form)


def _make_set(key: _Key, members: list[Member], shown: Entities, cohort: Cohort, output_dir: Path) -> MapSet:
    """A set with its paths and its absent ones; its ground is not yet known."""
    if _settings_differ(members):  # results that a failed run was to replace stand for nobody
        members = [member for member in members if member.participant not in _failed_of(key, cohort)]
    paths = name_set_outputs(shown, key.split, (key.entry, key.space, key.form), output_dir)
    alike = "grids are equal" if key.form == "volume" else "meshes have the same number of vertices"
    return MapSet(
        name=f"{paths.consensus.base}_desc-{key.entry}",
        paths=paths,
        entities=shown,
        split=key.split,
        entry=key.entry,
        space=key.space,
        members=tuple(sorted(members, key=lambda member: member.participant)),
        absent=_find_absent(key, {member.participant for member in members}, cohort),
        form=key.form,
        refusal=_settings_differ(members),
        apart=_of_each_alone(key, members),
        notes=(f"No space is told by the maps' names: they are compared because their {alike}",)
        if not key.space
        else (),
    )


def _failed_of(key: _Key, cohort: Cohort) -> dict[str, FailureNote]:
    """Whose map failed when it was last worked on."""
    return {
        note.participant: note
        for note in cohort.failures
        if cohort.kind_of(note.entities) == key.entities and note.entry in ("", key.entry)
    }


def _find_absent(key: _Key, present: set[str], cohort: Cohort) -> tuple[Absence, ...]:
    failed = _failed_of(key, cohort)
    absent = []
    for participant in cohort.known:
        split = _split_of(cohort, participant)
        unsorted = next((column for column, value in split if value == NO_VALUE), "")
        if participant in present or (split != key.split and not unsorted):
            continue
        if unsorted:
            why = ("left out", f"participants.tsv has no value in {unsorted}")
        else:
            why = _why_absent(participant, key.entities, failed, cohort)
        noted = failed[participant].mapfile.title if why[0] == "failed" and participant in failed else ""
        absent.append(Absence(participant=participant, status=why[0], reason=why[1], noted=noted))  # type: ignore[arg-type]
    return tuple(absent)


def _why_absent(
    participant: str, entities: Entities, failed: Mapping[str, FailureNote], cohort: Cohort
) -> tuple[str, str]:
    where = (participant, entities)
    if participant in failed:
        return "failed", failed[participant].reason
    if where in cohort.broken:
        return "failed", cohort.broken[where]
    if participant in cohort.unread:
        return "failed", cohort.unread[participant]
    if where in cohort.skipped:
        return "missing", f"skipped: {cohort.skipped[where]}"
    if where in cohort.maps:
        return "missing", f"no results for {cohort.maps[where]}; run the participant level on it"
    return "missing", "no such map in the dataset"


def _of_each_alone(key: _Key, members: Sequence[Member]) -> str:
    """Why maps of different participants never correspond; empty where they may."""
    n = len(members)
    if key.form != "volume" and key.space in (*OWN_SPACES, *OWN_MESHES) and n:
        return f"space-{key.space} is each participant's own mesh: vertices of different participants never correspond"
    if key.space in OWN_SPACES and n > 1:
        return f"space-{key.space} is each participant's own space: voxels of different participants are not comparable"
    if n > 1 and any(one.volume and COMPONENTS in one.source for one in members):
        return "volumes of components are each participant's own: component 3 of one is not component 3 of another"
    return ""


def _settings_differ(members: Sequence[Member]) -> str:
    """Who was made with other settings than most, and which; empty where all agree."""
    by_hash: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_hash[member.settings_hash].append(member)
    if len(by_hash) < 2:
        return ""
    most, *others = sorted(by_hash.values(), key=lambda alike: (-len(alike), alike[0].participant))
    usual = _settings_of(most[0])
    parts = []
    for alike in others:
        own = _settings_of(alike[0])
        names = sorted(name for name in usual.keys() | own.keys() if usual.get(name) != own.get(name))
        how = ", ".join(f"{name} {own.get(name, 'not set')} / {usual.get(name, 'not set')}" for name in names)
        parts.append(f"{name_some([m.participant for m in alike])}{f' ({how})' if how else ''}")
    return f"made with other settings than the {len(most)} of {most[0].participant}: {'; '.join(parts)}"


def _settings_of(member: Member) -> dict[str, object]:
    return {**member.criteria, "version": member.version}


def name_some(participants: Sequence[str], most: int = NAMED) -> str:
    """Participants in a sentence, the first `most` by name.

    >>> name_some([f"sub-{n}" for n in range(12)])
    'sub-0, sub-1, sub-2, sub-3, sub-4, sub-5, sub-6, sub-7, sub-8, sub-9 and 2 more'
    """
    rest = len(participants) - most
    return ", ".join(participants[:most]) + (f" and {rest} more" if rest > 0 else "")


def _by_ground(whole: MapSet, output_dir: Path, meshes: Meshes) -> list[MapSet]:
    """The set on the grid of most of its maps, or on its template's vertices; several sets where they cannot mix."""
    if whole.refusal or whole.apart or not whole.members:
        return [whole]
    if whole.form != "volume":
        return _by_mesh(whole, output_dir, meshes)
    kinds, unread = _sort_by_grid(whole.members, output_dir)
    whole = _without(whole, unread, [member for _, found in kinds for member in found])
    if not kinds:
        return [whole]
    if whole.space or len(kinds) == 1:
        grid, found = kinds[0]
        notes = whole.notes + _resampling_note(kinds)
        ground = VolumeGround(grid=grid)
        return [replace(whole, ground=ground, n_grids=len(kinds), reference=found[0].source, notes=notes)]
    return _split_by_grid(whole, kinds, output_dir)


def _without(whole: MapSet, unread: Sequence[Absence], readable: Sequence[Member]) -> MapSet:
    """The set of the members that could be read."""
    absent = tuple(sorted((*whole.absent, *unread), key=lambda absence: absence.participant))
    members = tuple(sorted(readable, key=lambda member: (member.participant, member.entities)))
    return replace(whole, absent=absent, members=members)


def _by_mesh(whole: MapSet, output_dir: Path, meshes: Meshes) -> list[MapSet]:
    """A set for each number of vertices, or volume, that several maps share; a map that is alone is left out."""
    kinds, unread = sort_by_mesh(whole.members, output_dir)
    whole = _without(whole, unread, [member for kind in kinds for member in kind.members])
    if len(kinds) < 2:
        return [_on_mesh(whole, kind, kind.members, meshes) for kind in kinds] or [whole]
    shared = [kind for kind in kinds if len(kind.members) > 1]
    if not shared:
        return [replace(whole, apart="no two of its maps lie on meshes of the same number of vertices")]
    left = [
        Absence(
            participant=member.participant,
            status="left out",
            reason=f"no other map lies on its mesh ({_counts(kind)}): maps of different meshes are never mixed",
        )
        for kind in kinds
        if len(kind.members) < 2
        for member in kind.members
    ]
    whole = _without(whole, left, whole.members)
    sets = []
    for number, kind in enumerate(shared):
        one = whole
        if number:
            told = ("vertices", kind.density) if "den" in dict(whole.entities) else ("den", kind.density)
            twin = any(other.counts == kind.counts for other in shared[:number])
            extra = (("volume", str(number + 1)),) if twin else (told,)
            named = (whole.entry, whole.space, whole.form)
            paths = name_set_outputs((*whole.entities, *extra), whole.split, named, output_dir)
            one = replace(whole, name=f"{paths.consensus.base}_desc-{whole.entry}", paths=paths)
        n, every = len(kind.members), len(whole.members)
        note = f"{n} of {every} maps are of this mesh ({_counts(kind)}); the others are apart"
        sets.append(_on_mesh(replace(one, notes=(*one.notes, note)), kind, kind.members, meshes))
    return sets


def _on_mesh(whole: MapSet, kind: MeshKind, members: Sequence[Member], meshes: Meshes) -> MapSet:
    try:
        ground = meshes.ground(kind, whole.space)
    except Fault as fault:
        return replace(whole, members=tuple(members), apart=f"{fault.sentence}. {fault.hint}")
    return replace(
        whole,
        members=tuple(members),
        paths=whole.paths.on_sides(ground.sides),
        ground=ground,
        n_grids=1,
        reference=members[0].source,
        notes=(*whole.notes, *kind.differences(ground.layout)),
    )


def _counts(kind: MeshKind) -> str:
    return " and ".join(map(str, kind.counts)) + " vertices per hemisphere"


Kind = tuple[StoredGrid, list[Member]]


def _sort_by_grid(members: Iterable[Member], output_dir: Path) -> tuple[list[Kind], list[Absence]]:
    """The members of each grid, the most common grid first; ties go by the grids themselves, never by who has them."""
    kinds: list[Kind] = []
    unread = []
    exact: dict[bytes, list[Member]] = {}
    for member in members:
        path = output_dir / member.labels
        try:
            grid = load_grid(path, series=member.volume is not None)
        except Fault as fault:
            unread.append(Absence(participant=member.participant, status="failed", reason=str(fault), met=member.title))
            continue
        if grid.header in exact:
            exact[grid.header].append(member)
            continue
        at = next((k for k, (other, _) in enumerate(kinds) if grid.same_as(other)), None)
        if at is None:
            kinds.append((grid, []))
            at = len(kinds) - 1
        elif grid.header < kinds[at][0].header:
            kinds[at] = (grid, kinds[at][1])
        exact[grid.header] = kinds[at][1]
        kinds[at][1].append(member)
    kinds.sort(key=lambda kind: (-len(kind[1]), kind[0].zooms, kind[0].shape, kind[0].header))
    return kinds, unread


def _resampling_note(kinds: Sequence[Kind]) -> tuple[str, ...]:
    if len(kinds) == 1:
        return ()
    most, *others = kinds
    moved = [member.participant for _, found in others for member in found]
    words = VolumeGround(grid=most[0]).describe()
    return (
        f"{len(moved)} of {len(moved) + len(most[1])} maps lie on another grid than most ({words}) "
        f"and were resampled to it (nearest): {name_some(sorted(moved))}",
    )


def _split_by_grid(whole: MapSet, kinds: Sequence[Kind], output_dir: Path) -> list[MapSet]:
    """A set for each grid that several maps share; a map with a grid of its own is left out, with the reason."""
    alone = [member for _, found in kinds if len(found) < 2 for member in found]
    reason = "its space is not told and no other map has its grid"
    left = tuple(Absence(participant=m.participant, status="left out", reason=reason) for m in alone)
    absent = tuple(sorted((*whole.absent, *left), key=lambda absence: absence.participant))
    shared = [(grid, found) for grid, found in kinds if len(found) > 1]
    if not shared:
        return [replace(whole, apart="the maps' space is not told, and no two of them share a grid")]
    sets = []
    for number, (grid, found) in enumerate(shared, 1):
        ground = VolumeGround(grid=grid)
        extra = (("grid", str(number)),) if number > 1 else ()
        paths = name_group_outputs((*whole.entities, *whole.split, *extra), whole.entry, output_dir)
        note = f"{len(found)} of {len(whole.members)} maps share this grid ({ground.describe()}); the others are apart"
        one = replace(
            whole,
            name=f"{paths.consensus.base}_desc-{whole.entry}",
            paths=paths,
            members=tuple(found),
            absent=absent,
            ground=ground,
            n_grids=1,
            reference=found[0].source,
            notes=(*whole.notes, note),
        )
        sets.append(one)
    return sets
