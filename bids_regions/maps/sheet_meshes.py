"""The meshes of maps on surfaces, read and made once in a process for the same files: their edges take longer than an
extraction.

A file is the same as long as its *stamp* is. Which files a map has, and which mesh is chosen, is not known here.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.frozen import dataclass
from bids_regions.images import cifti
from bids_regions.images.gifti import Surface, read_gifti
from bids_regions.images.gifti import load_surface as read_surface
from bids_regions.images.structures import find_side
from bids_regions.maps.sheet_maps import Part
from bids_regions.meshes import load_areas, load_triangles
from bids_regions.space import Grayordinates, Grid, Mesh, Sheet, Solid

__all__ = [
    "Areas", "find_numbers", "lay_out", "load_carried_mesh", "load_mesh", "load_numbers", "load_surface", "side_of",
]  # fmt: skip

Stamp = tuple[int, int]  # when a file was changed, and its bytes


@dataclass(frozen=True)
class Areas:
    """Where areas come from: a file, or what is carried."""

    path: Path | None = None
    stamp: Stamp = (0, 0)
    space: str = ""
    n: int = 0
    side: str = ""

    @classmethod
    def in_file(cls, path: Path) -> "Areas":
        """Those of a file as it is now."""
        return cls(path=path, stamp=_stamp_of(path))

    def load(self, n: int) -> NDArray[np.float64] | None:
        """Of each of `n` vertices in mm2, 0 where it is not known; None where the file has other vertices."""
        if self.path is None:
            return load_areas(self.space, self.n, self.side)
        values = find_numbers(self.path, n)
        return None if values is None else np.maximum(np.nan_to_num(values.astype(np.float64)), 0)  # -1: not known


def load_surface(path: Path) -> Surface:
    """The surface in a file."""
    return _surface(path, _stamp_of(path))


def load_mesh(path: Path, areas: Areas | None) -> Mesh:
    """The mesh of the surface in a file, with the areas given or else its own."""
    return _mesh(path, _stamp_of(path), areas)


@lru_cache(maxsize=16)
def load_carried_mesh(space: str, n: int, side: str, areas: Areas | None) -> Mesh:
    """The triangles that the package carries for a space, which have no coordinates."""
    triangles = load_triangles(space, n, side)
    assert triangles is not None
    return Mesh(n_vertices=n, triangles=triangles, given_areas=areas.load(n) if areas else None)


def find_numbers(path: Path, n: int) -> NDArray[Any] | None:
    """The numbers of a file with one for each of `n` vertices; None where it has others."""
    values = _numbers(path, _stamp_of(path))
    return values if values is not None and values.size == n else None


def load_numbers(path: Path, n: int) -> NDArray[Any]:
    """The same of a file that must fit.

    Raises
    ------
    BadMap
        It has others: the sentence tells both counts.
    """
    values = _numbers(path, _stamp_of(path))
    if values is None or values.size != n:
        count = 0 if values is None else values.size
        raise BadMap(f"{path.name} has {count} vertices, the map {n}", hint="Give a file of the map's mesh")
    return values


def side_of(path: Path) -> str:
    """L or R, as the file's name or its metadata tell; empty where neither does."""
    return _side_of(path, _stamp_of(path))


def lay_out(
    parts: tuple[Part, ...], meshes: tuple[Mesh | None, ...], grayordinates: cifti.Grayordinates | None
) -> Grayordinates:
    """The domain of a map: each part with its mesh, as the CIFTI file says where it is one."""
    structures = tuple(part.structure for part in parts)
    return _lay_cifti(meshes, grayordinates) if grayordinates is not None else _lay_sheets(meshes, structures)


@lru_cache(maxsize=64)
def _side_of(path: Path, _: Stamp) -> str:
    return find_side(path.name, read_gifti(path, lambda _number, _intent: False).structure)


@lru_cache(maxsize=32)
def _numbers(path: Path, _: Stamp) -> NDArray[Any] | None:
    """The first array of numbers in a GIFTI file."""
    try:
        arrays = read_gifti(path).of_values()
    except UnsuitableMap as error:
        raise BadMap(error.sentence, hint="Give a file of numbers, one for each vertex") from error
    return arrays[0].values.ravel() if arrays and arrays[0].values is not None else None


@lru_cache(maxsize=32)
def _surface(path: Path, _: Stamp) -> Surface:
    return read_surface(path)


@lru_cache(maxsize=32)
def _mesh(path: Path, stamp: Stamp, areas: Areas | None) -> Mesh:
    surface = _surface(path, stamp)
    given = areas.load(len(surface.xyz)) if areas else None
    return Mesh(n_vertices=len(surface.xyz), triangles=surface.triangles, coordinates=surface.xyz, given_areas=given)


@lru_cache(maxsize=16)
def _lay_sheets(meshes: tuple[Mesh, ...], structures: tuple[str, ...]) -> Grayordinates:
    pairs = zip(structures, meshes, strict=True)
    return Grayordinates(pieces=tuple(Sheet(structure=structure, mesh=mesh) for structure, mesh in pairs))


@lru_cache(maxsize=16)
def _lay_cifti(meshes: tuple[Mesh | None, ...], found: cifti.Grayordinates) -> Grayordinates:
    grid = None
    if found.volume_shape is not None and found.affine is not None:
        grid = Grid(shape=found.volume_shape, affine=found.affine)
    pieces: list[Sheet | Solid] = []
    for model, mesh in zip(found.models, meshes, strict=True):
        if mesh is not None:
            pieces.append(Sheet(structure=model.structure, mesh=mesh, vertices=model.vertices))
        elif grid is not None and model.ijk is not None:
            pieces.append(Solid(structure=model.structure, ijk=model.ijk.T, grid=grid))
    return Grayordinates(pieces=tuple(pieces))


def _stamp_of(path: Path) -> Stamp:
    """When a file was changed, and its size; zeros where it cannot be asked."""
    try:
        status = os.stat(path)  # noqa: PTH116 # as elsewhere
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
