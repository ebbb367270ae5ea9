"""Images from disk: a statistical map with finite values, integer labels, a mask on a map's grid.

Values come in the file's own memory order (Fortran), without a copy where the file holds plain float32 and is small.
A *large* image is read in parts, and of what is zero in it, mostly the space around the head, nothing is held.
"""

import math
import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.frozen import dataclass
from bids_regions.images.grids import StoredGrid
from bids_regions.images.headers import StoredLayout, read_layout
from bids_regions.images.inflation import ByteStream, Seen

__all__ = [
    "LabelImage",
    "StatMap",
    "check_mask",
    "count_volumes",
    "expect_many",
    "load_again",
    "load_grid",
    "load_label_image",
    "load_labels",
    "load_mask",
    "load_statmap",
    "load_volumes",
]

STEP = 1 << 16  # numbers looked at together, so that they stay in the processor's cache
PAGE = 1 << 10  # numbers that are held or not: in float32 the 4 KiB that most systems lend at once
LARGE = 1 << 24  # bytes that an image takes in memory, in float32 a map of 1.1 mm; below, reading all at once is faster
FREED = 1 << 24  # bytes of a block that was freed once: what all arrays of a map of 2 mm take, and some more
CLIPPED = 20  # voxels that share the largest magnitude; smooth maps have one
ROUNDING = 1e-3  # how far from whole a label may lie in floats
COARSEST = 0.05  # and in scaled whole numbers, whose own step may be larger
INT32 = np.iinfo(np.int32)
Convert = Callable[
    [NDArray[Any], StoredLayout], NDArray[Any]
]  # stored numbers, some of an image's, into what is wanted


@dataclass(frozen=True, kw_only=True, eq=False)
class StatMap:
    """A statistical map: one real number for each voxel of a grid."""

    data: NDArray[np.float32] | NDArray[np.float64]  # 3-D, the map's own units, Fortran order, read-only; finite, but
    # for NaN where it was asked for
    grid: StoredGrid
    n_nan: int  # voxels that were NaN in the file
    infinite: NDArray[np.intp]  # voxels that were infinite in the file, by their number in Fortran order; they have
    # the largest finite magnitude of the map here (1 where that is 0) and their own sign
    intent: int  # NIfTI code of what the numbers are, 0 where the header does not say
    dof: Mapping[int, tuple[float, ...]]  # degrees of freedom that the header tells, by the intent they hold for
    seen: Seen  # what to know the file by when the map is loaded again
    notes: tuple[str, ...]  # what a user should know of this file, a sentence each

    @property
    def content_hash(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal digits."""
        return self.seen.digest

    @property
    def affine(self) -> NDArray[np.float64]:
        """The 4 x 4 affine, ijk -> xyz in mm, RAS+."""
        return self.grid.affine

    @property
    def stored(self) -> NDArray[np.float32] | NDArray[np.float64]:
        """The values with their infinities, as the file has them."""
        if not self.infinite.size:
            return self.data
        flat = self.data.ravel(order="F").copy()
        flat[self.infinite] = np.copysign(np.inf, flat[self.infinite])
        return _shaped_as(flat, self.data.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelImage:
    """Whole numbers on a grid, and what a user should know of their file, a sentence each."""

    labels: NDArray[np.integer[Any]]  # 3-D, Fortran order, read-only
    grid: StoredGrid
    content_hash: str  # SHA-256 of the file's bytes, in hexadecimal digits
    notes: tuple[str, ...]


def expect_many() -> None:
    """Have the process keep the memory that one map after the other takes and frees.

    The C library hands freed memory back to the system beyond some megabytes, and asks for it again for the next map:
    then its pages cost as much time as all that is done with the map. Beyond which size it does is told by the largest
    block that was freed so far; here one is, of which no page was touched. Elsewhere than in glibc nothing happens.
    """
    bytes(FREED)


def load_statmap(path: Path, volume: int | None = None, *, nan: float = 0.0) -> StatMap:
    """The map in the NIfTI file `path`, compressed or not; of a 4-D file the `volume` with this number, from 1.

    Plain float32 stays float32; scaled float32 and any other type of number becomes float64. A 4-D file of one volume
    counts as 3-D. NaN becomes `nan`: 0, or NaN where the caller tells zeros from missing numbers.

    Raises
    ------
    BadMap
        The file is broken, not there, or lies about its content.
    UnsuitableMap
        The file is sound and no 3-D map of real numbers: it is skipped with this reason.
    StorageFault
        The file system failed.
    """
    tally = _Tally(nan=nan, keep_infinite=True)

    def convert(stored: NDArray[Any], layout: StoredLayout) -> NDArray[Any]:
        return tally.clean(_find_values(stored, layout))

    with _within_memory(path):
        layout, values, seen = _load(path, convert, volume)
        infinite = np.flatnonzero(np.isinf(values)) if tally.n_infinite else np.empty(0, np.intp)
        values[infinite] = np.copysign(tally.peak or 1, values[infinite])
    return StatMap(
        data=_shaped(values, layout),
        grid=layout.grid,
        n_nan=tally.n_nan,
        infinite=infinite,
        intent=layout.intent,
        dof=layout.dof,
        seen=seen if not (tally.n_nan or tally.n_infinite) else seen._replace(mark=()),
        notes=layout.notes + tally.notes,
    )


def load_again(path: Path, seen: Seen) -> StatMap | None:
    """The map that was loaded before, without another look at its numbers; None where it may be another by now.

    It has no notes: they were told.
    """
    if not seen.mark:
        return None
    with _within_memory(path):
        layout, values, found = _load(path, _find_values, seen=seen)
    if found != seen:
        return None
    none = np.empty(0, np.intp)
    return StatMap(
        data=_shaped(values, layout), grid=layout.grid, n_nan=0, infinite=none, intent=layout.intent, dof=layout.dof,
        seen=seen, notes=(),
    )  # fmt: skip


def load_labels(path: Path) -> tuple[NDArray[np.integer[Any]], StoredGrid]:
    """The labels of `load_label_image` and their grid."""
    image = load_label_image(path)
    return image.labels, image.grid


def load_label_image(path: Path) -> LabelImage:
    """The integer labels in the NIfTI file `path`, at most 32 bits wide; NaN counts as 0.

    Numbers that are whole but for rounding are rounded: within 0.001, or half of the step of scaled whole numbers.

    Raises
    ------
    BadMap
        The file is broken or not 3-D, or it holds fractions or numbers beyond int32.
    """
    notes: tuple[str, ...] = ()
    with _within_memory(path):
        layout, labels, seen = _load_asked_for(path, lambda stored, _: stored)
        if labels.dtype.kind == "f" or layout.slope is not None:
            labels, notes = _rounded(_Tally().clean(_find_values(labels, layout)), layout, path)
        if not np.can_cast(labels.dtype, np.int32):
            if labels.max() > INT32.max or labels.min() < INT32.min:
                raise BadMap(f"{path.name} holds labels beyond {INT32.max}", hint="Number the labels again")
            labels = labels.astype(np.int32)
    return LabelImage(labels=_shaped(labels, layout), grid=layout.grid, content_hash=seen.digest, notes=notes)


def _rounded(labels: NDArray[Any], layout: StoredLayout, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    whole = np.rint(labels)
    apart = float(np.abs(labels - whole).max(initial=0))
    if apart == 0:
        return labels, ()
    step = abs(layout.slope or 0) if layout.dtype.kind in "iu" else 0.0
    if apart > max(ROUNDING, min(step / 2, COARSEST)):
        raise BadMap(f"{path.name} holds fractions and no labels", hint="Give an image of whole numbers")
    return whole, (f"{path.name} holds numbers up to {apart:.2g} beside whole ones, which were rounded",)


def check_mask(path: Path) -> None:
    """Refuse what is no mask.

    Raises
    ------
    BadMap
        The file is broken or not 3-D, or no voxel is above 0.
    """
    with _within_memory(path):
        _, inside, _ = _load_asked_for(path, _is_inside)
    if not inside.any():
        raise BadMap(f"The mask {path.name} is empty: no voxel is above 0", hint="Give another mask, or none")


def load_mask(path: Path, grid: StoredGrid) -> tuple[NDArray[np.bool_], str]:
    """The mask in the NIfTI file `path` on `grid`, and a note where it had to be resampled.

    Returns
    -------
    mask
        Shape of `grid`, Fortran order; True where the file's value is above 0.
    note
        A sentence, or "" where the mask has the same grid.

    Raises
    ------
    BadMap
        The file is broken or not 3-D; the mask is empty, or has no voxel in the field of view of `grid`.
    """
    with _within_memory(path):
        layout, inside, _ = _load_asked_for(path, _is_inside)
    if not inside.any():
        raise BadMap(f"The mask {path.name} is empty: no voxel is above 0", hint="Give another mask, or none")
    mask = _shaped(inside, layout)
    if (same := layout.grid.reorder(mask, grid)) is not None:
        return same, ""
    mask = layout.grid.resample(mask, grid)
    if not mask.any():
        sentence = f"The mask {path.name} does not overlap the map: it has no voxel in the map's field of view"
        raise BadMap(sentence, hint="Give a mask of the same space, or none")
    shape, zooms = (" x ".join(map(str, layout.grid.shape)), " x ".join(f"{z:.3g}" for z in layout.grid.zooms))
    told = f"({shape} voxels of {zooms} mm)"
    return mask, f"The mask {path.name} lies on another grid {told} and was resampled (nearest)"


def load_grid(path: Path, *, series: bool = False) -> StoredGrid:
    """The grid of the 3-D NIfTI file `path`, with `series` of a 4-D one; only its header is read.

    Raises
    ------
    BadMap, UnsuitableMap, StorageFault
        As `load_statmap`, where the header shows it.
    """
    with ByteStream(path) as stream:
        return read_layout(stream, series=series).grid


def count_volumes(path: Path) -> int:
    """How many 3-D volumes the NIfTI file `path` promises; only its header is read."""
    with ByteStream(path) as stream:
        return read_layout(stream, series=True).n_volumes


def load_volumes(path: Path) -> Iterator[tuple[NDArray[np.floating[Any]], StoredGrid]]:
    """The volumes of the 3-D or 4-D NIfTI file `path`, one at a time, each with the grid of all; NaN becomes 0.

    Raises
    ------
    BadMap, UnsuitableMap, StorageFault
        As `load_statmap`, at the volume where it shows.
    """
    with _within_memory(path), ByteStream(path) as stream:
        layout = read_layout(stream, series=True)
        size = layout.n_voxels * layout.dtype.itemsize
        for n_later in reversed(range(layout.n_volumes)):
            raw = np.empty(size, dtype=np.uint8)
            stream.read_into(raw.data, later=n_later * size)
            values = _find_values(_native(raw, layout), layout)
            yield _shaped(_Tally().clean(values), layout), layout.grid
        stream.finish()


@contextmanager
def _within_memory(path: Path) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise BadMap(f"{path.name} does not fit into memory", hint="Give more memory to each worker") from error


def _load_asked_for(path: Path, convert: Convert) -> tuple[StoredLayout, NDArray[Any], Seen]:
    """An image somebody named: of the wrong kind it is a fault, where a map would be skipped."""
    try:
        return _load(path, convert)
    except UnsuitableMap as error:
        raise BadMap(error.sentence, hint="Give a 3-D image") from error


def _load(
    path: Path, convert: Convert, volume: int | None = None, seen: Seen | None = None
) -> tuple[StoredLayout, NDArray[Any], Seen]:
    """The converted numbers of an image, flat, and the hash of the file."""
    with ByteStream(path, seen) as stream:
        layout = read_layout(stream, series=volume is not None)
        stored = layout.dtype.itemsize
        dtype = convert(_native(np.empty(0, dtype=np.uint8), layout), layout).dtype
        if volume is not None:
            converted = convert(_read_volume(stream, layout, volume), layout)
        elif layout.n_voxels * max(stored, dtype.itemsize) < LARGE:
            raw = np.frombuffer(stream.read_rest(layout.n_voxels * stored), dtype=np.uint8)
            converted = convert(_native(raw, layout), layout)
        else:
            converted = _blank(layout.n_voxels, dtype)
            _read_in_parts(stream, layout, convert, converted)
        found = stream.see()
        if stream.n_beyond:
            layout = replace(layout, notes=(*layout.notes, f"{stream.n_beyond} bytes after the image were not read"))
        return layout, converted, found


def _read_volume(stream: ByteStream, layout: StoredLayout, volume: int) -> NDArray[Any]:
    """The stored numbers of one volume of several; the others are passed over."""
    if not 1 <= volume <= layout.n_volumes:
        raise BadMap(f"{stream.name} has {layout.n_volumes} volumes and none of number {volume}", hint="Name another")
    size = layout.n_voxels * layout.dtype.itemsize
    stream.skip((volume - 1) * size)
    raw = np.empty(size, dtype=np.uint8)
    stream.read_into(raw.data)
    stream.skip((layout.n_volumes - volume) * size)
    return _native(raw, layout)


def _read_in_parts(stream: ByteStream, layout: StoredLayout, convert: Convert, target: NDArray[Any]) -> None:
    room = np.empty(STEP * layout.dtype.itemsize, dtype=np.uint8)
    for at in range(0, layout.n_voxels, STEP):
        left = (layout.n_voxels - at) * layout.dtype.itemsize
        raw = room[:left]
        stream.read_into(raw.data, later=left - len(raw))
        _put(target[at : at + STEP], convert(_native(raw, layout), layout))


def _blank(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros that take no memory before they are written to, page by page."""
    try:
        room = mmap.mmap(-1, n * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError from error
    with suppress(AttributeError, OSError):  # a system without huge pages
        room.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(room, dtype)


def _put(target: NDArray[Any], part: NDArray[Any]) -> None:
    """Write `part` into blank `target`, but for its pages of zeros, whatever their signs."""
    n_pages = len(part) // PAGE
    paged = n_pages * PAGE
    pages = part[:paged].reshape(n_pages, PAGE)
    filled = pages.any(axis=1)
    target[:paged].reshape(n_pages, PAGE)[filled] = pages[filled]
    target[paged:] = part[paged:]


def _native(raw: NDArray[np.uint8], layout: StoredLayout) -> NDArray[Any]:
    stored: NDArray[Any] = raw.view(layout.dtype)
    if stored.dtype.isnative:
        return stored
    return stored.byteswap(inplace=True).view(stored.dtype.newbyteorder("="))


def _find_values(stored: NDArray[Any], layout: StoredLayout) -> NDArray[Any]:
    if layout.slope is None and stored.dtype == np.float32:
        return stored
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves float64's range is counted as not finite
        values = stored.astype(np.float64, copy=False)
        if layout.slope is not None:
            values *= layout.slope
            values += layout.inter
    return values


def _is_inside(stored: NDArray[Any], layout: StoredLayout) -> NDArray[Any]:
    return np.asarray((_find_values(stored, layout) if layout.slope is not None else stored) > 0)


@dataclass(kw_only=True)
class _Tally:
    """What is counted while the values of a map pass by."""

    nan: float = 0.0  # what NaN becomes
    keep_infinite: bool = False  # else it becomes 0
    n_nan: int = 0
    n_infinite: int = 0
    peak: float = 0.0  # the largest finite magnitude
    n_at_peak: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence where the map looks clipped."""
        if self.n_at_peak < CLIPPED:
            return ()
        shared = f"{self.n_at_peak} voxels share the largest magnitude, {self.peak:.6g}"
        return (f"{shared}: the map looks clipped, so that a peak among them is one of many",)

    def clean(self, values: NDArray[Any]) -> NDArray[Any]:
        """The same values; what is not finite is replaced in place, and counted."""
        for at in range(0, len(values), STEP):
            self._clean_part(values[at : at + STEP])
        return values

    def _clean_part(self, part: NDArray[Any]) -> None:
        top = _magnitude(part)
        if not math.isfinite(top):
            top = self._replace_nonfinite(part)
        if top < self.peak or top == 0:
            return
        if top > self.peak:
            self.peak, self.n_at_peak = top, 0
        self.n_at_peak += int(np.count_nonzero(part == top) + np.count_nonzero(part == -top))

    def _replace_nonfinite(self, part: NDArray[Any]) -> float:
        """Replace and count NaN and infinities; the largest magnitude of what is finite."""
        lost, endless = np.isnan(part), np.isinf(part)
        self.n_nan += int(np.count_nonzero(lost))
        self.n_infinite += int(np.count_nonzero(endless))
        part[lost] = self.nan
        if not self.keep_infinite:
            part[endless] = 0
        finite = part[np.isfinite(part)]
        return _magnitude(finite) if finite.size else 0.0


def _magnitude(part: NDArray[Any]) -> float:
    return max(float(part.max()), -float(part.min()))


def _shaped(flat: NDArray[Any], layout: StoredLayout) -> NDArray[Any]:
    return _shaped_as(flat, layout.grid.shape)


def _shaped_as(flat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    flat.setflags(write=False)
    return flat.reshape(shape, order="F")
