"""Atlases on surfaces: a file of labels for each hemisphere, or a dlabel file, and where they lie on a map's vertices.

A *key* is the number a file has for a label. A label is known by its structure and its key, so that one of the left
cortex is never counted with one of the right. Keys of 0 and below are no label, nor is one that is called "???".
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.atlases.label_lists import clean_name, read_label_list, unusable
from bids_regions.atlases.naming import UNLABELLED, Counts, PlacedAtlas, RegionToName
from bids_regions.errors import BadMap, Fault, UnsuitableMap
from bids_regions.files import hash_bytes
from bids_regions.frozen import dataclass
from bids_regions.images.cifti import read_cifti, read_grayordinates
from bids_regions.images.gifti import read_gifti
from bids_regions.images.structures import CORTEX, HEMISPHERES, find_side
from bids_regions.space import Grayordinates, Grid, Sheet, Solid
from bids_regions.space.grid import to_mm

__all__ = ["SheetContent", "check_sheets", "count_vertices", "is_dlabel", "is_sheet_file", "place_on_sheets"]

ENDINGS = (".gii", ".gii.gz", ".dlabel.nii", ".dlabel.nii.gz")
NO_LABEL = "???"
VOXELS = "voxels"  # the structure of all labels of voxels: a structure's voxels may lie in any label
Integers = NDArray[np.integer[Any]]
Label = tuple[str, int]  # structure and key


def is_sheet_file(path: Path) -> bool:
    """Whether a file is one of labels on surfaces, as its name tells."""
    return path.name.lower().endswith(ENDINGS)


def is_dlabel(path: Path) -> bool:
    """Whether a file is CIFTI's, of both hemispheres, as its name tells."""
    return is_sheet_file(path) and ".gii" not in path.name.lower()[-7:]


def count_vertices(path: Path) -> int:
    """The vertices of a hemisphere's mesh that a file has labels of; 0 where it cannot tell, as when it is broken."""
    try:
        state = path.stat()
        return _count_once(path, state.st_size, state.st_mtime_ns)
    except (OSError, Fault):
        return 0  # whoever reads its labels tells what is wrong


@lru_cache(maxsize=256)
def _count_once(path: Path, _size: int, _changed: int) -> int:
    if is_dlabel(path):
        models = read_grayordinates(path).models
        return next((model.n_vertices for model in models if model.structure in HEMISPHERES), 0)
    arrays = read_gifti(path, lambda _number, _intent: False).of_values()
    return arrays[0].shape[0] if arrays and arrays[0].shape else 0


class SheetAtlas(Protocol):
    """What placing asks of an atlas on surfaces; equal ones have the same content."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files, one for each hemisphere or one of all."""

    @property
    def names(self) -> Mapping[int, str]:
        """Code from one -> name."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """Of the codes from one."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class SheetContent:
    """What the files of an atlas say."""

    names: dict[int, str]  # code from one -> name
    labels: tuple[Label, ...]  # of the codes from one
    file_hash: str  # SHA-256 of the bytes, of two files of both hashes
    notes: tuple[str, ...]  # sentences


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """The keys of one structure's vertices, or of all voxels of a file."""

    structure: str  # CORTEX_LEFT; "" where nothing tells the side; VOXELS
    keys: Integers  # (n,) of every vertex of the mesh, or flat in C order of the volume
    grid: Grid | None = None  # of voxels


@dataclass(frozen=True, kw_only=True, eq=False)
class _File:
    """What one file holds."""

    pieces: tuple[_Piece, ...]
    names: dict[int, str]  # as its own table has them
    n_maps: int
    content_hash: str


def check_sheets(paths: Sequence[Path], find_list: Callable[[Path], Path], *, listed: bool) -> SheetContent:
    """The labels of the files at `paths`, named by their own tables, or by a list where they have none.

    Where `listed`, a list was asked for, which replaces the tables.

    Raises
    ------
    MissingInput
        A file is broken or holds no labels, or two files are of one hemisphere.
    """
    names: list[str] = []
    labels: list[Label] = []
    notes: list[str] = []
    hashes = []
    for path in paths:
        found = _load(path)
        hashes.append(found.content_hash)
        if found.n_maps > 1:
            notes.append(f"{path.name} holds {found.n_maps} maps of labels: the first is taken")
        table = found.names
        if listed or not any(key > 0 for key in table):
            from_list = read_label_list(find_list(path))
            table = from_list.names
            notes += from_list.notes
        for piece in found.pieces:
            keys = [key for key in np.unique(piece.keys).tolist() if key > 0 and table.get(key) != NO_LABEL]
            labels += [(piece.structure, key) for key in keys]
            names += [table.get(key) or f"label {key}" for key in keys]
    if not labels:
        raise unusable(paths[0], "has no label: every vertex is 0", "Name another file")
    if len(set(labels)) < len(labels):
        raise unusable(paths[-1], f"is of the same hemisphere as {paths[0].name}", "Name their sides by hemi-")
    return SheetContent(
        names=dict(enumerate(names, start=1)),
        labels=tuple(labels),
        file_hash=hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode()),
        notes=tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _PlacedOnSheets(PlacedAtlas):
    """An atlas on the rows of a map of vertices and voxels."""

    domain: Grayordinates

    def find_rows(self, regions: Sequence[RegionToName]) -> NDArray[np.intp]:
        """The row of every peak of all regions."""
        table = self._rows_by_structure()
        rows = []
        for region in regions:
            for peak in region.peaks:
                number = peak.vertex if peak.vertex is not None else peak.ijk
                rows.append(table[region.structure or ""][number])
        return np.array(rows, dtype=np.intp)

    def _rows_by_structure(self) -> dict[str, dict[Any, int]]:
        table: dict[str, dict[Any, int]] = {}
        start = 0
        for piece in self.domain.pieces:
            numbers = piece.rows.tolist() if isinstance(piece, Sheet) else map(tuple, np.asarray(piece.ijk).T.tolist())
            table.setdefault(piece.structure, {}).update({number: row for row, number in enumerate(numbers, start)})
            start += piece.rows.size
        return table

    def find_nearest(self, xyz: Counts) -> tuple[NDArray[np.intp], Counts]:
        """None: the straight way to a label may lead across a sulcus."""
        return np.zeros(len(xyz), dtype=np.intp), np.full(len(xyz), np.inf)

    def side_of(self, region: RegionToName, *, sided: bool) -> str:
        """The side of a region's structure."""
        del sided
        return {"LEFT": "Left", "RIGHT": "Right"}.get((region.structure or "").rpartition("_")[2], "")


@lru_cache(maxsize=8)
def place_on_sheets(atlas: SheetAtlas, domain: Grayordinates) -> PlacedAtlas | str:
    """`atlas` on the rows of a map; why not, where its meshes are others.

    Raises
    ------
    MissingInput
        A file cannot be read any more.
    """
    pieces = {piece.structure: piece for path in atlas.paths for piece in _load(path).pieces}
    sheets = [piece for piece in domain.pieces if isinstance(piece, Sheet)]
    if "" in pieces and len(sheets) == 1:
        pieces[sheets[0].structure] = pieces[""]  # a single file belongs to the only hemisphere
    shared = [piece for piece in sheets if piece.structure in pieces]
    for piece in shared:
        n = pieces[piece.structure].keys.size
        if n != piece.mesh.n_vertices:
            its = f"The atlas {atlas.name} has {n} vertices in {piece.structure or 'its hemisphere'}"
            return f"{its}, the map {piece.mesh.n_vertices}"
    if not shared and VOXELS not in pieces:
        return f"The atlas {atlas.name} has no hemisphere that the map has"
    table = {label: code for code, label in enumerate(atlas.labels, start=1)}
    codes = np.concatenate([_codes(piece, pieces, table) for piece in domain.pieces])
    weights = _weights(domain)
    names = (UNLABELLED, *(atlas.names[code] for code in range(1, len(table) + 1)))
    return _PlacedOnSheets(
        names=names, shape=(codes.size,), affine=None, codes=codes, weights=weights, domain=domain,
        totals=np.bincount(codes, weights, len(names)).astype(np.float64),
    )  # fmt: skip


def _codes(piece: Sheet | Solid, pieces: Mapping[str, _Piece], table: Mapping[Label, int]) -> NDArray[np.intp]:
    own = pieces.get(piece.structure if isinstance(piece, Sheet) else VOXELS)
    if own is None:
        return np.zeros(piece.rows.size, np.intp)
    if isinstance(piece, Sheet):
        keys = own.keys[piece.rows]
    else:
        assert own.grid is not None
        keys = _keys_at(own, own.grid, to_mm(piece.grid.affine, np.asarray(piece.ijk, np.float64)))
    distinct, where = np.unique(keys, return_inverse=True)
    structures = {own.structure}
    of_key = {key: code for (structure, key), code in table.items() if structure in structures}
    return np.array([of_key.get(key, 0) for key in distinct.tolist()], np.intp)[where]


def _keys_at(own: _Piece, grid: Grid, xyz: Counts) -> Integers:
    """The keys of the voxels that points (3, n) in mm lie in; 0 outside the volume."""
    inverse = np.linalg.inv(grid.affine)
    ijk = np.rint(to_mm(inverse, xyz)).astype(np.intp)
    inside = ((ijk >= 0) & (ijk < np.array(grid.shape)[:, None])).all(axis=0)
    keys = np.zeros(ijk.shape[1], own.keys.dtype)
    i, j, k = ijk[:, inside]
    keys[inside] = own.keys[np.ravel_multi_index((i, j, k), grid.shape)]
    return keys


def _weights(domain: Grayordinates) -> Counts:
    """(rows,) the area of each vertex and the volume of each voxel; 1 where a piece has no areas."""
    elements = domain.at(np.arange(domain.size), np.ones(domain.size))
    one = np.ones(domain.size, np.intp)
    weights = np.empty(domain.size)
    weights[elements.memory] = domain.extents(elements, np.arange(domain.size), one).size
    return np.where(np.isnan(weights), 1.0, weights)


def _load(path: Path) -> _File:
    try:
        state = path.stat()
        return _load_once(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise unusable(path, f"cannot be read: {error.strerror or error}", "Check the path") from error
    except (BadMap, UnsuitableMap) as error:
        raise unusable(path, f"cannot be used: {error.sentence}", error.hint) from error


@lru_cache(maxsize=8)
def _load_once(path: Path, _size: int, _changed: int) -> _File:
    return _load_cifti(path) if is_dlabel(path) else _load_gifti(path)


def _load_gifti(path: Path) -> _File:
    found = read_gifti(path, lambda number, _intent: number == 0)
    arrays = found.of_values()
    if not arrays or arrays[0].values is None or arrays[0].values.ndim != 1 or found.of_intent("NODE_INDEX"):
        raise unusable(path, "holds no label for each vertex", "Give a .label.gii file")
    structure = found.structure or CORTEX.get(find_side(path.name), "")
    piece = _Piece(structure=structure, keys=_whole(path, arrays[0].values))
    names = {key: clean_name(label.name) for key, label in found.labels.items()}
    return _File(pieces=(piece,), names=names, n_maps=len(arrays), content_hash=found.content_hash)


def _load_cifti(path: Path) -> _File:
    found = read_cifti(path, 0)
    keys, gray, pieces = _whole(path, found.data), found.grayordinates, []
    volume = None
    if gray.volume_shape is not None and gray.affine is not None:
        volume = np.zeros(gray.volume_shape, keys.dtype)
    for model in gray.models:
        own = keys[model.offset : model.offset + model.size]
        if model.vertices is not None:
            whole = np.zeros(model.n_vertices, keys.dtype)
            whole[model.vertices] = own
            pieces.append(_Piece(structure=model.structure, keys=whole))
        elif volume is not None and model.ijk is not None:
            volume[tuple(model.ijk.T)] = own
    if volume is not None and gray.affine is not None and volume.any():
        grid = Grid(shape=volume.shape, affine=gray.affine)
        pieces.append(_Piece(structure=VOXELS, keys=volume.ravel(), grid=grid))
    names = {key: clean_name(label.name) for key, label in found.labels.items()}
    return _File(pieces=tuple(pieces), names=names, n_maps=found.n_maps, content_hash=found.content_hash)


def _whole(path: Path, values: NDArray[Any]) -> Integers:
    if not np.isfinite(values).all() or not np.array_equal(values, np.rint(values)):
        raise unusable(path, "holds numbers that are no labels: they are not whole", "Give a file of labels")
    return values.astype(np.int64)
