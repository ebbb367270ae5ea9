"""What draws maps on surfaces: the hemispheres of a map with their sheets, its voxels as a box, and marks of regions.

A *row* is the map as the viewer has it: the values of every vertex of the left sheet, then of the right one, 0 where
the map has none. A *sheet* is the mesh that a hemisphere is drawn on. Words, tables and records are not known here.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.figures import FigureStyle, Inside, Mark, Sheet, SheetMark, compose_histogram, encode
from bids_regions.frozen import dataclass
from bids_regions.images import cifti
from bids_regions.images.structures import HEMISPHERES
from bids_regions.meshes import load_inflated
from bids_regions.pages.backgrounds import Anatomy
from bids_regions.report import model
from bids_regions.report.sheets import pack_sheet
from bids_regions.tables import NO_VALUE

__all__ = [
    "VOXEL_SPACE",
    "Cortex",
    "MapOnSheets",
    "Solids",
    "find_cortex",
    "find_solids",
    "histogram_figure",
    "load_sheet",
    "look_inside",
    "on_sheet",
    "sheet_mark",
    "voxel_mark",
]

Side = Literal["L", "R"]
SIDES: tuple[Side, ...] = ("L", "R")
VOXEL_SPACE = "MNI152NLin6Asym"  # of the voxels that stand beside fsLR in CIFTI files
Array = NDArray[Any]


class PartOfMap(Protocol):
    """What a map has in one structure."""

    @property
    def structure(self) -> str:
        """CORTEX_LEFT, THALAMUS_LEFT, ...; "" where nothing tells the side."""

    @property
    def n_vertices(self) -> int:
        """Vertices of the whole mesh; 0 for voxels."""

    @property
    def vertices(self) -> Array | None:
        """(n,) of the map's numbers; None: every vertex in its order, or voxels."""

    @property
    def ijk(self) -> Array | None:
        """(n, 3) for voxels."""


class MapOnSheets(Protocol):
    """What drawing asks of what a map on surfaces lies on."""

    @property
    def parts(self) -> Sequence[PartOfMap]:
        """The structures, in the order of the numbers."""

    @property
    def grayordinates(self) -> cifti.Grayordinates | None:
        """Of a CIFTI file."""


def _size(part: PartOfMap) -> int:
    """How many numbers a map has in a part."""
    held = part.ijk if part.ijk is not None else part.vertices
    return part.n_vertices if held is None else len(held)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cortex:
    """A map's hemispheres, left first, each with its sheet."""

    space: str
    sides: tuple[Side, ...]
    sizes: tuple[int, ...]  # vertices of each sheet
    where: tuple[tuple[int, int, Array], ...]  # of each: first and last + 1 of the map's numbers, and their vertices

    def cut(self, row: Array) -> list[Array]:
        """The row that the viewer has, sheet by sheet."""
        return [row[first : first + size] for first, size in zip(self.firsts, self.sizes, strict=True)]

    def spread(self, numbers: Array) -> Array:
        """Numbers of the map as the row that the viewer has; 0 where there is none."""
        row = np.zeros(sum(self.sizes), numbers.dtype)
        for (start, stop, vertices), first in zip(self.where, self.firsts, strict=True):
            row[first + vertices] = numbers[start:stop]
        return row

    @property
    def firsts(self) -> tuple[int, ...]:
        """The row of each sheet's first vertex."""
        return tuple(np.cumsum((0, *self.sizes[:-1])).tolist())


@dataclass(frozen=True, kw_only=True, eq=False)
class Solids:
    """What a CIFTI map has in voxels, as a box of its volume."""

    numbers: Array  # of the map's row
    ijk: Array  # (n, 3) in the box
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]  # of the box: ijk -> mm, RAS+
    first: tuple[int, int, int]  # the voxel of the file's volume that the box begins with

    def spread(self, row: Array) -> Array:
        """Numbers of the map as a volume; 0 where there is none."""
        box = np.zeros(self.shape, row.dtype, order="F")
        box[tuple(self.ijk.T)] = row[self.numbers]
        return box


def find_cortex(sheetmap: MapOnSheets, space: str) -> Cortex | None:
    """The hemispheres of a map; None where one of them has no sheet to draw on."""
    found: dict[str, tuple[int, tuple[int, int, Array]]] = {}
    start = 0
    for part in sheetmap.parts:
        n = _size(part)
        side = HEMISPHERES.get(part.structure, "")
        if side and load_inflated(space, part.n_vertices, side):
            vertices = np.arange(n) if part.vertices is None else np.asarray(part.vertices)
            found[side] = part.n_vertices, (start, start + n, vertices)
        elif part.ijk is None:
            return None
        start += n
    sides = tuple(side for side in SIDES if side in found)
    if not sides:
        return None
    return Cortex(
        space=space,
        sides=sides,
        sizes=tuple(found[side][0] for side in sides),
        where=tuple(found[side][1] for side in sides),
    )


def find_solids(sheetmap: MapOnSheets) -> Solids | None:
    """What a CIFTI map has in voxels; None without any."""
    start, numbers, ijk = 0, [], []
    for part in sheetmap.parts:
        n = _size(part)
        if part.ijk is not None:
            numbers.append(np.arange(start, start + n))
            ijk.append(part.ijk)
        start += n
    grayordinates = sheetmap.grayordinates
    if not numbers or grayordinates is None or grayordinates.affine is None:
        return None
    voxels = np.concatenate(ijk)
    low = voxels.min(axis=0)
    shift = np.eye(4)
    shift[:3, 3] = low
    i, j, k = (voxels.max(axis=0) - low + 1).tolist()
    x, y, z = low.tolist()
    return Solids(
        numbers=np.concatenate(numbers), ijk=voxels - low, shape=(i, j, k), affine=grayordinates.affine @ shift,
        first=(x, y, z),
    )  # fmt: skip


@lru_cache(maxsize=8)
def load_sheet(space: str, n_vertices: int, side: Side) -> tuple[Sheet, model.PackedSheet]:
    """A hemisphere's sheet for pictures and for the viewer; made once however many maps lie on it."""
    found = load_inflated(space, n_vertices, side)
    assert found
    key = f"{space}-{n_vertices}-{side}"
    drawn = Sheet(fingerprint=key, xyz=found.xyz, triangles=found.triangles, folding=found.folding)
    packed = pack_sheet(found.xyz, found.triangles, found.folding, key=key, name=found.name, side=side)
    return drawn, packed


def on_sheet(row: Mapping[str, str]) -> bool:
    """Whether a region is one of vertices, by its row of the table."""
    return row["n_vertices"] != NO_VALUE


def sheet_mark(row: Mapping[str, str]) -> SheetMark:
    """The mark of a region of vertices, by its row of the table."""
    side: Side = "R" if row["hemi"] == "R" else "L"
    value = 0.0 if row["peak_value"] == NO_VALUE else float(row["peak_value"])
    return SheetMark(
        index=int(row["index"]), color=row["color"], n_vertices=int(row["n_vertices"]), peak_value=value, side=side,
        vertex=int(row["peak_vertex"]),
    )  # fmt: skip


def voxel_mark(row: Mapping[str, str]) -> Mark:
    """The mark of a region of voxels, by its row of the table."""
    x, y, z = (float(row[f"peak_{axis}"]) for axis in "xyz")
    value = 0.0 if row["peak_value"] == NO_VALUE else float(row["peak_value"])
    return Mark(
        index=int(row["index"]), color=row["color"], n_voxels=int(row["n_voxels"]), peak_value=value,
        peak_xyz=(x, y, z),
    )  # fmt: skip


def look_inside(
    solids: Solids | None, anatomy: Anatomy | None, shown: Array, labels: Array, rows: Sequence[Mapping[str, str]]
) -> Inside | None:
    """What the brain is seen through for: the regions of voxels; None where there are none, or no brain is at hand."""
    marks = [voxel_mark(row) for row in rows if not on_sheet(row)]
    if solids is None or anatomy is None or not marks:
        return None
    return Inside(
        data=solids.spread(shown), labels=solids.spread(labels), affine=solids.affine, marks=marks,
        shadow=anatomy.shadow,
    )  # fmt: skip


def histogram_figure(
    shown: Array, labels: Array, style: FigureStyle, units: str, inside: Inside | None
) -> model.Figure:
    """How many numbers of a map have which value, as the viewer shows it, beside what it has inside."""
    drawn = encode(compose_histogram(shown, labels, style, units=units, inside=inside))
    count = "many have which value, by the logarithm of their number, with the cutoff."
    return model.Figure(
        data=drawn.data, mime=drawn.mime, alt=drawn.alt, width=drawn.width, height=drawn.height,
        caption=f"Regions of voxels seen through the brain, numbered as in the table; beside them how {count}"
        if inside else f"How {count}",
    )  # fmt: skip
