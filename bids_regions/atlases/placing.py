"""The image of an atlas: what its values are called, and where they lie on the grid of a map.

Resampling is nearest and done once for each atlas and grid; what was placed is kept in memory, the last few of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.atlases.label_lists import unusable
from bids_regions.atlases.naming import UNLABELLED, PlacedAtlas
from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import hash_file
from bids_regions.frozen import dataclass
from bids_regions.images import LabelImage, count_volumes, load_label_image, load_volumes
from bids_regions.libraries import Late
from bids_regions.space import Grid

if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = Late("scipy.sparse")

__all__ = ["Content", "check_names", "place_atlas"]

PLACED_AT_ONCE = 8  # a cortical atlas on a 2 mm grid takes 2 MB, a probabilistic one some 20 MB
LOADED_AT_ONCE = 2  # a label image of 1 mm takes 14 to 28 MB
LONGEST_TABLE = 1 << 22  # values above it are looked up by bisection
SHOWN = 5  # values a sentence names
BACKGROUND = {"background", "unknown", "clear label", "outside", "label 0", "???", "none"}  # fitting names of 0
SAID_AS_PERCENT = 10.0  # the largest of percentages is above it, no weight of a decomposition is meant to be
MADE_FOR_IT = "Name the list that belongs to this image"
MADE_OF_PROBABILITIES = "Give an atlas whose volumes hold probabilities from 0 to 1, or percentages"


class AtlasImage(Protocol):
    """What placing asks of an atlas; equal ones have the same content."""

    @property
    def path(self) -> Path:
        """The image."""

    @property
    def names(self) -> Mapping[int, str]:
        """Value, or volume counted from one -> name."""

    @property
    def probabilistic(self) -> bool:
        """Whether the image is 4-D, a volume of probabilities for each label."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Content:
    """What an atlas's image and its list say together."""

    names: dict[int, str]  # of every value, or volume counted from one, that the image has
    probabilistic: bool
    file_hash: str  # SHA-256 of the image's bytes
    notes: tuple[str, ...]  # sentences


def check_names(path: Path, listed: Mapping[int, str]) -> Content:
    """Compare the values of the image `path` with the names that were `listed` for them.

    Raises
    ------
    MissingInput
        The image is broken or no atlas, or it and its list have nothing in common.
    """
    with _told_of(path):
        n_volumes = count_volumes(path)
        if n_volumes > 1:
            names, notes = _names_of_volumes(path, listed, n_volumes)
        else:
            names, notes = _names_of_values(path, listed)
    return Content(names=names, probabilistic=n_volumes > 1, file_hash=hash_file(path), notes=notes)


def place_atlas(atlas: AtlasImage, grid: Grid) -> PlacedAtlas:
    """`atlas` on the voxels of `grid`; outside its field of view nothing is labelled.

    Raises
    ------
    MissingInput
        The image cannot be read any more, or is 4-D and holds no probabilities.
    """
    return _place(atlas, _Target(shape=grid.shape, affine=grid.affine.tobytes(), grid=grid))


@dataclass(frozen=True, kw_only=True)
class _Target:
    """A grid; two are equal when shape and affine are."""

    shape: tuple[int, int, int]
    affine: bytes
    grid: Grid = field(compare=False)


@lru_cache(maxsize=PLACED_AT_ONCE)
def _place(atlas: AtlasImage, target: _Target) -> PlacedAtlas:
    with _told_of(atlas.path):
        place = _place_volumes if atlas.probabilistic else _place_labels
        return place(atlas, target.grid)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Tell what is wrong with an image as a fault of the atlas, not of a map."""
    try:
        yield
    except (BadMap, UnsuitableMap) as error:
        raise unusable(path, f"cannot be used: {error.sentence}", error.hint) from error


@lru_cache(maxsize=LOADED_AT_ONCE)
def _load(path: Path, _size: int, _changed: int) -> LabelImage:
    image = load_label_image(path)
    return replace(image, labels=np.maximum(image.labels, 0)) if image.labels.min() < 0 else image


def _load_once(path: Path) -> LabelImage:
    state = path.stat()
    return _load(path, state.st_size, state.st_mtime_ns)


def _names_of_values(path: Path, listed: Mapping[int, str]) -> tuple[dict[int, str], tuple[str, ...]]:
    image = _load_once(path)
    flat = image.labels.ravel(order="K")
    values = np.unique(flat) if flat.max() > LONGEST_TABLE else np.flatnonzero(np.bincount(flat))
    values = values[values > 0]
    known, wanted = set(values.tolist()), set(listed) - {0}
    if not known:
        raise unusable(path, "has no label: every voxel is 0", "Name another image")
    if not known & wanted:
        what = f"has none of the {len(wanted)} values that its list names, but {_shown(known)}"
        raise unusable(path, what, MADE_FOR_IT)
    notes = image.notes + _tell_differences(path, known - wanted, wanted - known)
    if listed.get(0, "background").lower() not in BACKGROUND:
        notes += (f"The list of {path.name} calls the value 0 {listed[0]!r}: 0 is taken as unlabelled all the same",)
    return {value: listed.get(value, f"label {value}") for value in sorted(known)}, notes


def _tell_differences(path: Path, unnamed: set[int], absent: set[int]) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if unnamed:
        one = min(unnamed)
        notes += (f"{path.name} has values that its list does not name ({_shown(unnamed)}): 'label {one}' and so on",)
    if absent:
        notes += (f"The list of {path.name} names {len(absent)} value(s) that no voxel has ({_shown(absent)})",)
    return notes


def _shown(values: Iterable[int]) -> str:
    ordered = sorted(values)
    return ", ".join(map(str, ordered[:SHOWN])) + (", ..." if len(ordered) > SHOWN else "")


def _names_of_volumes(path: Path, listed: Mapping[int, str], n: int) -> tuple[dict[int, str], tuple[str, ...]]:
    if 0 in listed and max(listed) == n - 1:
        listed = {index + 1: name for index, name in listed.items()}  # counted from zero
    beyond = sorted(index for index in listed if index > n)
    if beyond:
        raise unusable(path, f"has {n} volumes and its list names volume {_shown(beyond)}", MADE_FOR_IT)
    unnamed = set(range(1, n + 1)) - listed.keys()
    return {index: listed.get(index, f"label {index}") for index in range(1, n + 1)}, _tell_differences(
        path, unnamed, set()
    )


def _place_labels(atlas: AtlasImage, grid: Grid) -> PlacedAtlas:
    image = _load_once(atlas.path)
    labels, own_grid = image.labels, image.grid
    values = np.array(sorted(atlas.names))
    flat = grid.flatten(own_grid.resample(labels, grid))
    dtype = np.min_scalar_type(len(values))
    if values[-1] <= LONGEST_TABLE:
        table = np.zeros(values[-1] + 1, dtype=dtype)
        table[values] = np.arange(1, len(values) + 1)
        codes = table[flat]
    else:
        codes = (np.searchsorted(values, flat) + 1).astype(dtype)
        codes[flat == 0] = 0
    totals = np.bincount(codes, minlength=len(values) + 1).astype(np.float64)
    return _placed(atlas, grid, codes, None, totals)


def _place_volumes(atlas: AtlasImage, grid: Grid) -> PlacedAtlas:
    n_voxels = int(np.prod(grid.shape))
    best, codes = np.zeros(n_voxels, dtype=np.float32), np.zeros(n_voxels, dtype=np.min_scalar_type(len(atlas.names)))
    largest, columns, voxels = 0.0, [], []
    for code, (volume, own_grid) in enumerate(load_volumes(atlas.path), start=1):
        if volume.min() < 0:
            raise unusable(atlas.path, f"has negative values in volume {code}: no probabilities", MADE_OF_PROBABILITIES)
        largest = max(largest, float(volume.max()))
        flat = grid.flatten(own_grid.resample(volume, grid))
        where = np.flatnonzero(flat)
        values = flat[where].astype(np.float32)
        higher = values > best[where]  # so that of equal ones the first stays
        best[where[higher]], codes[where[higher]] = values[higher], code
        columns.append(values)
        voxels.append(where)
    data = np.concatenate(columns) / np.float32(_find_unit(atlas.path, largest))
    ends = np.cumsum([0, 0, *(len(column) for column in columns)])
    shape = (n_voxels, len(columns) + 1)
    probabilities = sparse.csc_array((data, np.concatenate(voxels), ends), shape=shape).tocsr()
    totals = np.asarray(probabilities.sum(axis=0, dtype=np.float64))
    return _placed(atlas, grid, codes, probabilities, totals)


def _find_unit(path: Path, largest: float) -> float:
    """What certainty is called in this image: 1, or 100 where it holds percentages as FSL's do."""
    if largest <= 1.0 + 1e-3:
        return 1.0
    if SAID_AS_PERCENT < largest <= 100.0:
        return 100.0
    what = f"holds values up to {largest:.6g}: neither probabilities nor percentages"
    raise unusable(path, what, MADE_OF_PROBABILITIES)


def _placed(
    atlas: AtlasImage,
    grid: Grid,
    codes: NDArray[np.integer[Any]],
    probabilities: "sparse.csr_array | None",
    totals: NDArray[np.float64],
) -> PlacedAtlas:
    names = (UNLABELLED, *(atlas.names[value] for value in sorted(atlas.names)))
    return PlacedAtlas(
        names=names, shape=grid.shape, affine=grid.affine, codes=codes, probabilities=probabilities, totals=totals
    )
