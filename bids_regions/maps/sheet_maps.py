"""A map on surfaces in its files: a number for each vertex, hemisphere by hemisphere, or for each grayordinate.

A *part* is what a map has in one structure: some vertices of a mesh, or voxels. Where they lie is not known here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset import MapFile
from bids_regions.dataset.names import clean_label
from bids_regions.dataset.sheets import DENSITIES
from bids_regions.errors import BadMap, Fault, UnsuitableMap
from bids_regions.files import hash_bytes
from bids_regions.frozen import dataclass
from bids_regions.images import cifti
from bids_regions.images.gifti import DataArray, Gifti, read_gifti
from bids_regions.images.structures import CORTEX, HEMISPHERES, find_side

__all__ = [
    "Part",
    "SheetLayout",
    "SheetMap",
    "count_vertices_of",
    "describe_density",
    "load_sheet_map",
    "sheet_map_of",
]

INTENTS = {  # NIfTI's codes by GIFTI's words
    "ZSCORE": 5, "TTEST": 3, "FTEST": 4, "CHISQ": 6, "PVAL": 22, "LOGPVAL": 23, "LOG10PVAL": 24,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What a map has in one structure."""

    structure: str  # CORTEX_LEFT, THALAMUS_LEFT, ...; "" where nothing tells the side
    n_vertices: int  # of the whole mesh; 0 for voxels
    vertices: NDArray[Any] | None  # (n,) of the map's numbers; None: every vertex in its order, or voxels
    ijk: NDArray[Any] | None  # (n, 3) for voxels
    path: Path  # the file that holds it

    @property
    def size(self) -> int:
        """How many numbers a map has in it."""
        held = self.ijk if self.ijk is not None else self.vertices
        return self.n_vertices if held is None else len(held)

    def find(self, vertex: int | None, ijk: tuple[int, int, int] | None) -> int:
        """Which a vertex or a voxel is among the numbers of this part."""
        if self.ijk is not None:
            return int(np.flatnonzero((self.ijk == ijk).all(axis=1))[0])
        assert vertex is not None
        return vertex if self.vertices is None else int(np.flatnonzero(self.vertices == vertex)[0])

    @property
    def shape(self) -> tuple[str, int, int]:
        """What a part of another map must share to lie on the same vertices or voxels."""
        n = len(self.ijk) if self.ijk is not None else 0 if self.vertices is None else len(self.vertices)
        return self.structure, self.n_vertices, n


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetLayout:
    """Which vertices and voxels a row of numbers has, without the numbers."""

    parts: tuple[Part, ...]
    grayordinates: cifti.Grayordinates | None  # of a CIFTI file

    @property
    def size(self) -> int:
        """Vertices and voxels."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetMap:
    """A statistical map on vertices, and on voxels of structures where it is CIFTI."""

    data: NDArray[Any]  # (n,) part by part, finite: NaN is 0, infinite values have the largest finite magnitude
    parts: tuple[Part, ...]
    grayordinates: cifti.Grayordinates | None  # of a CIFTI file
    n_nan: int  # numbers that were NaN in the files
    infinite: NDArray[np.intp]  # numbers that were infinite, by their place in the row
    intent: int  # NIfTI code of what the numbers are, 0 where the files do not say
    dof: Mapping[int, tuple[float, ...]]  # degrees of freedom that the files tell, by the intent they hold for
    content_hash: str
    notes: tuple[str, ...]

    @property
    def stored(self) -> NDArray[Any]:
        """The values with their infinities, as the files have them."""
        if not self.infinite.size:
            return self.data
        values = self.data.copy()
        values[self.infinite] = np.copysign(np.inf, values[self.infinite])
        return values


_About = tuple[tuple[Part, ...], cifti.Grayordinates | None, int, float | None, str]  # the fields that files tell


def load_sheet_map(mapfile: MapFile, paths: Sequence[Path]) -> SheetMap:
    """The map in its files.

    Raises
    ------
    BadMap
        A file is broken, or two files are of one hemisphere.
    UnsuitableMap
        The files are sound and hold no one number for each vertex.
    """
    volume = mapfile.entity("volume")
    number = int(volume) - 1 if volume else None
    if mapfile.form == "cifti":
        found = cifti.read_cifti(paths[0], number)
        parts = tuple(
            Part(structure=m.structure, n_vertices=m.n_vertices, vertices=m.vertices, ijk=m.ijk, path=paths[0])
            for m in found.grayordinates.models
        )
        about: _About = (parts, found.grayordinates, 0, None, found.content_hash)
        return _make(found.data, about, found.notes)
    sides = [_read_side(path, side, number) for path, side in zip(paths, mapfile.sides, strict=True)]
    if len({side.part.structure for side in sides}) < len(sides):
        raise BadMap(f"{paths[1].name} is of the same hemisphere as {paths[0].name}", hint="Name their sides by hemi-")
    hashes = [side.content_hash for side in sides]
    content_hash = hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode())
    sides.sort(key=lambda side: side.part.structure)
    told = {(side.intent, side.dof) for side in sides}
    intent, dof = told.pop() if len(told) == 1 else (0, None)
    about = (tuple(side.part for side in sides), None, intent, dof, content_hash)
    values = np.concatenate([side.values for side in sides])
    del sides  # the values are in memory once
    return _make(values, about, ())


def count_vertices_of(mapfile: MapFile) -> int:
    """The vertices of a hemisphere's mesh, its numbers left unread; 0 where the file is broken or holds none."""
    try:
        if mapfile.form == "cifti":
            models = cifti.read_grayordinates(mapfile.path).models
            return next((model.n_vertices for model in models if model.structure in HEMISPHERES), 0)
        found = read_gifti(mapfile.path, lambda _number, intent: intent == "NODE_INDEX")
    except Fault:
        return 0  # whoever reads the map tells what is wrong
    values, nodes = found.of_values(), found.of_intent("NODE_INDEX")
    if nodes and nodes[0].values is not None:
        return _mesh_of(nodes[0].values)
    return values[0].shape[0] if values and values[0].shape else 0


def sheet_map_of(values: NDArray[Any], parts: Sequence[Part]) -> SheetMap:
    """The map of numbers in memory, part by part."""
    return _make(np.array(values), (tuple(parts), None, 0, None, ""), ())


def describe_density(label: str, layout: SheetMap | SheetLayout) -> dict[str, str]:
    """What the label of `den-` stands for."""
    counts = {part.n_vertices for part in layout.parts if part.n_vertices}
    vertices = " and ".join(f"{n} vertices per hemisphere" for n in sorted(counts))
    size = sum(part.size for part in layout.parts)
    whole = f", {size} grayordinates in all" if layout.grayordinates is not None else ""
    return {clean_label(label): vertices + whole}


def _make(values: NDArray[Any], about: _About, notes: tuple[str, ...]) -> SheetMap:
    parts, grayordinates, intent, dof, content_hash = about
    data = values.astype(values.dtype if values.dtype == np.float32 else np.float64, copy=False)
    missing, infinite = np.isnan(data), np.flatnonzero(np.isinf(data))
    data[missing] = 0
    if infinite.size:
        top = np.abs(data[np.isfinite(data)]).max(initial=0) or 1
        data[infinite] = np.copysign(top, data[infinite])
    data.setflags(write=False)
    return SheetMap(
        data=data, parts=parts, grayordinates=grayordinates, n_nan=int(np.count_nonzero(missing)), infinite=infinite,
        intent=intent, dof={intent: (dof,)} if intent and dof else {}, content_hash=content_hash, notes=notes,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """The file of one hemisphere."""

    part: Part
    values: NDArray[Any]
    intent: int
    dof: float | None
    content_hash: str


def _read_side(path: Path, side: str, number: int | None) -> _Side:
    """A number for each vertex, and what the file says of them."""
    taken = 0 if number is None else number

    def is_wanted(k: int, intent: str) -> bool:
        return intent == "NODE_INDEX" or k == taken

    found = read_gifti(path, is_wanted)
    arrays = found.of_values()
    if not arrays:
        raise UnsuitableMap(f"{path.name} holds a mesh and no map", hint="Give a file of numbers, one for each vertex")
    if number is None and len(arrays) > 1:
        hint = f"Name those to take with --volumes, of 1 to {len(arrays)}, or all"
        raise UnsuitableMap(f"{path.name} holds {len(arrays)} arrays", hint=hint)
    if taken >= len(arrays):
        raise BadMap(f"{path.name} has no array {taken + 1}: it holds {len(arrays)}", hint="Name another")
    structure = found.structure or CORTEX.get(side, "") or CORTEX.get(find_side(path.name), "")
    values, (intent, dof) = _whole(arrays[taken], found, path, taken), _intent(found)
    part = Part(structure=structure, n_vertices=len(values), vertices=None, ijk=None, path=path)
    return _Side(part=part, values=values, intent=intent, dof=dof, content_hash=found.content_hash)


def _whole(array: DataArray, found: Gifti, path: Path, taken: int) -> NDArray[Any]:
    """A number for each vertex; vertices that a file with node indices leaves out have none, which is 0."""
    values = array.values
    if values is None:  # arrays of several intents: its number among its own was another
        values = read_gifti(path).of_values()[taken].values
    assert values is not None
    if values.ndim != 1:
        raise UnsuitableMap(f"{path.name} holds {' x '.join(map(str, values.shape))} numbers, not one for each vertex")
    nodes = found.of_intent("NODE_INDEX")
    if not nodes or nodes[0].values is None:
        return values
    index = nodes[0].values.ravel()
    if index.size != values.size or index.dtype.kind not in "iu" or (index.size and int(index.min()) < 0):
        raise BadMap(f"{path.name} has node indices that do not fit its numbers", hint="Store it with every vertex")
    spread = np.zeros(_mesh_of(index), values.dtype)
    spread[index] = values
    return spread


def _mesh_of(index: NDArray[Any]) -> int:
    """The vertices of the smallest known mesh that has all that node indices name."""
    most = int(index.max(initial=-1)) + 1
    return next((n for n in sorted({*DENSITIES.values()}) if n >= most), most)


def _intent(found: Gifti) -> tuple[int, float | None]:
    array = found.of_values()[0]
    try:
        dof = float(array.metadata.get("Intent_p1", ""))
    except ValueError:
        dof = 0.0
    return INTENTS.get(array.intent, 0), dof if dof > 0 else None
