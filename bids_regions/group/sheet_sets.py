"""Which maps on surfaces can be compared, and the vertices and voxels that they have together.

Vertices correspond by their number in the mesh of a template, voxels of a CIFTI file by their place in its volume; the
order of a file's rows says nothing. Maps of meshes of another number of vertices, or of another volume, are another
*kind* and never mixed. What one map of a kind has and another lacks stays: there the other has no data. The numbers of
maps are not read here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset import SourceDataset
from bids_regions.dataset.sheets import DENSITIES
from bids_regions.errors import BadMap, Fault, MissingInput
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import SheetGround
from bids_regions.group.members import Absence, Member
from bids_regions.group.reading import map_of
from bids_regions.images.cifti import BrainModel, Grayordinates
from bids_regions.maps.sheet_files import find_layout
from bids_regions.maps.sheet_maps import Part, SheetLayout
from bids_regions.maps.sheets import lay_on_own_triangles, lay_on_template
from bids_regions.results.walk import read_logs
from bids_regions.settings import GroupSettings, make_entry

__all__ = ["MeshKind", "Meshes", "sort_by_mesh"]

CORTICES = ("CORTEX_LEFT", "CORTEX_RIGHT")
WORDS = ("auto", "none")
NAMED = 10  # participants named before it is said how many more there are

Array = NDArray[Any]
Key = tuple[tuple[int, ...], bool, bytes]  # vertices of the cortices, whether a side is not told, the volume


@dataclass(kw_only=True, eq=False)
class MeshKind:
    """Maps that can be compared, and what they have together; it grows as one map after another is met."""

    key: Key
    members: list[Member] = field(default_factory=list)
    first: SheetLayout | None = None  # where all are alike, this is what they have
    alike: bool = True
    _vertices: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # by structure: of its mesh
    _voxels: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # by structure: of the volume, flat, i fastest
    _volume: Grayordinates | None = None
    _sizes: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)  # by participant

    @property
    def counts(self) -> tuple[int, ...]:
        """Vertices of the cortices' meshes."""
        return self.key[0]

    @property
    def density(self) -> str:
        """The number of vertices as `den-` says it."""
        n = self.counts[0] if self.counts else 0
        return next((label for label, count in DENSITIES.items() if count == n), str(n))

    def add(self, member: Member, layout: SheetLayout) -> None:
        """One more map."""
        self.members.append(member)
        self._sizes[member.stem] = layout.size, frozenset(part.structure for part in layout.parts)
        if self.first is None:
            self.first = layout
        elif _alike(self.first, layout):
            return
        else:
            self.alike = False
        if layout.grayordinates is not None and layout.grayordinates.volume_shape is not None:
            self._volume = layout.grayordinates
        for part in layout.parts:
            self._add_part(part)

    def _add_part(self, part: Part) -> None:
        if part.ijk is None:
            known = self._vertices.setdefault(part.structure, np.zeros(part.n_vertices, bool))
            known[slice(None) if part.vertices is None else part.vertices] = True
            return
        assert self._volume is not None
        shape = self._volume.volume_shape
        assert shape is not None
        known = self._voxels.setdefault(part.structure, np.zeros(int(np.prod(shape)), bool))
        known[np.ravel_multi_index(tuple(part.ijk.T), shape, order="F")] = True

    def joined(self) -> SheetLayout:
        """What the maps have together: as their files have it where all are alike, else in canonical order."""
        assert self.first is not None
        if self.alike and (self.first.grayordinates is not None or len(self.first.parts) == 1):
            return self.first
        path = self.first.parts[0].path
        sheets = sorted(self._vertices, key=_rank)
        if self.first.grayordinates is None:
            whole = (_part(name, self._vertices[name].size, None, None, path) for name in sheets)
            return SheetLayout(parts=tuple(whole), grayordinates=None)
        parts = tuple(self._cifti_parts(sheets, path))
        models, offset = [], 0
        for part in parts:
            models.append(
                BrainModel(
                    structure=part.structure, offset=offset, vertices=part.vertices, n_vertices=part.n_vertices,
                    ijk=part.ijk,
                )
            )  # fmt: skip
            offset += part.size
        volume = self._volume
        found = Grayordinates(
            models=tuple(models), volume_shape=volume.volume_shape if volume else None,
            affine=volume.affine if volume else None,
        )  # fmt: skip
        return SheetLayout(parts=parts, grayordinates=found)

    def _cifti_parts(self, sheets: Sequence[str], path: Path) -> Iterator[Part]:
        for name in sheets:
            known = self._vertices[name]
            yield _part(name, known.size, np.flatnonzero(known).astype(np.int32), None, path)
        for name in sorted(self._voxels, key=_rank):
            assert self._volume is not None
            assert self._volume.volume_shape is not None
            where = np.unravel_index(np.flatnonzero(self._voxels[name]), self._volume.volume_shape, order="F")
            yield _part(name, 0, None, np.stack(where, axis=1).astype(np.int32), path)

    def differences(self, layout: SheetLayout) -> tuple[str, ...]:
        """What a reader must know of maps that lack something: whole structures, or some vertices and voxels."""
        everything = frozenset(part.structure for part in layout.parts)
        lacking: dict[tuple[str, ...], list[str]] = {}
        fewer = []
        for member in self.members:
            size, structures = self._sizes[member.stem]
            if structures != everything:
                lacking.setdefault(tuple(sorted(everything - structures, key=_rank)), []).append(member.participant)
            elif size < layout.size:
                fewer.append(member.participant)
        told = [
            f"{_some(names)} ha{'ve' if len(names) > 1 else 's'} no {_and(structures)}: no data there"
            for structures, names in sorted(lacking.items(), key=lambda pair: pair[1])
        ]
        if fewer:
            told.append(
                f"{len(fewer)} of {len(self.members)} maps lack some of the {layout.size} vertices and voxels that the "
                f"maps have together, and have no data there: {_some(fewer)}"
            )
        return tuple(told)


def sort_by_mesh(members: Iterable[Member], output_dir: Path) -> tuple[list[MeshKind], list[Absence]]:
    """The maps of each kind, the most common kind first, and those whose label files cannot be read."""
    kinds: dict[Key, MeshKind] = {}
    unread = []
    for member in members:
        try:
            layout = _layout_of(member, output_dir)
        except Fault as fault:
            unread.append(Absence(participant=member.participant, status="failed", reason=str(fault), met=member.title))
            continue
        key = _key_of(layout)
        kinds.setdefault(key, MeshKind(key=key)).add(member, layout)
    ordered = sorted(kinds.values(), key=lambda kind: (-len(kind.members), kind.key))
    return _without_volumes_joined(ordered, output_dir), unread


def _without_volumes_joined(kinds: list[MeshKind], output_dir: Path) -> list[MeshKind]:
    """Maps that have no voxels belong to the most common kind of the same meshes."""
    kept: list[MeshKind] = []
    for kind in kinds:
        others = (other for other in kinds if other is not kind and other.key[:2] == kind.key[:2] and other.key[2])
        host = next(others, None) if not kind.key[2] else None
        if host is None:
            kept.append(kind)
            continue
        for member in kind.members:
            host.add(member, _layout_of(member, output_dir))
        host.members.sort(key=lambda member: member.participant)
    return sorted(kept, key=lambda kind: (-len(kind.members), kind.key))


def _layout_of(member: Member, output_dir: Path) -> SheetLayout:
    """The vertices and voxels of a member's label files."""
    found = [find_layout(output_dir / name) for name in member.label_files]
    if len(found) == 1:
        return found[0]
    parts = sorted((part for layout in found for part in layout.parts), key=lambda part: _rank(part.structure))
    return SheetLayout(parts=tuple(parts), grayordinates=None)


def _key_of(layout: SheetLayout) -> Key:
    sheets = [part for part in layout.parts if part.ijk is None]
    cortices = [part for part in sheets if part.structure in CORTICES] or sheets
    found = layout.grayordinates
    volume = b""
    if found is not None and found.volume_shape is not None and any(part.ijk is not None for part in layout.parts):
        affine = np.zeros((4, 4)) if found.affine is None else np.asarray(found.affine, np.float64)
        volume = repr((found.volume_shape, (affine.round(4) + 0.0).tolist())).encode()
    return tuple(sorted({part.n_vertices for part in cortices})), any(not part.structure for part in sheets), volume


def _alike(one: SheetLayout, other: SheetLayout) -> bool:
    """Whether each number is of the same vertex or voxel in both."""
    if one.grayordinates is not None and one.grayordinates is other.grayordinates:
        return True
    return len(one.parts) == len(other.parts) and all(map(_same_part, one.parts, other.parts))


def _same_part(one: Part, other: Part) -> bool:
    pairs = ((one.vertices, other.vertices), (one.ijk, other.ijk))
    return one.shape == other.shape and all(
        a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
    )


def _part(structure: str, n_vertices: int, vertices: Array | None, ijk: Array | None, path: Path) -> Part:
    return Part(structure=structure, n_vertices=n_vertices, vertices=vertices, ijk=ijk, path=path)


def _rank(structure: str) -> tuple[int, str]:
    return (CORTICES.index(structure) if structure in CORTICES else len(CORTICES)), structure


def _and(structures: Sequence[str]) -> str:
    words = [name.lower().replace("_", " ") for name in structures]
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more structures" if len(words) > 3 else "")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(sorted(names)[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True, kw_only=True)
class Meshes:
    """Where the meshes of sets come from."""

    dataset: SourceDataset
    settings: GroupSettings

    def ground(self, kind: MeshKind, space: str) -> SheetGround:
        """What a kind of maps lies on.

        Raises
        ------
        BadMap
            No mesh is known for it, or one that was named does not fit.
        """
        layout, member = kind.joined(), kind.members[0]
        mapfile = map_of(member, self.dataset)
        entry = make_entry(member.entry, member.criteria)  # of the participants, which tells no folders
        surfaces, areas = self._found(entry.surfaces), self._found(entry.vertex_areas)
        entry = replace(entry, surfaces=surfaces, vertex_areas=areas).for_surfaces(member.form)
        try:
            domain, used = lay_on_template(layout, mapfile, entry, space)
        except BadMap:
            if entry.surfaces != ("auto",):
                raise
            domain, used = lay_on_own_triangles(layout, mapfile, self.dataset, space)
        return SheetGround(domain=domain, layout=layout, meshes=used, form=member.form)

    def _found(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Files as this run names them, or else as the latest run's log tells."""
        known = {Path(path).name: path for path in self.settings.sheet_files}
        return tuple(word if word in WORDS else known.get(word) or self._logged(word) for word in words)

    def _logged(self, name: str) -> str:
        for surfaces in read_logs(self.settings.output_dir, "surfaces"):
            told = surfaces.get(name)
            if isinstance(told, str) and Path(told).is_file():
                return told
        hint = "Give its --surfaces and --vertex-areas to the group level as well"
        raise MissingInput(f"the file {name} that the participants' maps were laid on is not where it was", hint=hint)
