"""Arrays and texts made small enough for a page: little endian, zlib, base64; the same bytes for the same input.

A map is stored in 16 bits, or as float32 where those are too coarse. A *step* is the quantum of that display: the value
of one stored unit. A *height* is a cutoff with its strictness: rounding to the step never carries a voxel over one, so
that what a page draws as kept is what was kept. Voxels lie with the file's first axis fastest, as in NIfTI; numbers of
several bytes lie in *planes*, all lowest bytes first, which deflates better.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import deflate
import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.report.model import Affine, Background, Packed, Volume

__all__ = [
    "Height",
    "draw_matrix",
    "find_extreme",
    "matrix_colour",
    "pack_array",
    "pack_background",
    "pack_labels",
    "pack_text",
    "pack_volume",
    "png_bytes",
    "unpack",
]

_LEVEL = 1  # of libdeflate: maps are noise, which 7 makes a hundredth smaller in twice the time
_COARSE = 0.001  # of the map's standard deviation: above it a step would be read out, so the map keeps its floats
_TOP = 32767  # the largest number of 16 bits
_EQUAL = 1e-9  # of the largest magnitude: a spread below it is the rounding of equal values
_LARGE = 2_000_000  # voxels: a background above it is halved until it is below; nobody sees more on a page
_BLOCK = 1 << 16  # voxels looked at together
_LIGHT, _DARK = np.array([255.0, 255.0, 255.0]), np.array([18.0, 60.0, 105.0])  # of an agreement of 0 and of 1
_NONE = np.array([244.0, 214.0, 206.0])  # of no value

_Palette = Literal["diverging", "positive", "negative"]
_Dtype = Literal["int8", "int16", "uint8", "uint16", "uint32", "float32"]
_Stored = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Height:
    """A cutoff that a page marks on a volume."""

    cutoff: float  # magnitude, in the map's unit
    strict: bool = False  # only what is larger is kept


def pack_text(text: str | bytes | memoryview) -> str:
    r"""Text, or bytes, as base64 of their zlib form.

    >>> zlib.decompress(base64.b64decode(pack_text("index\tname\n")))
    b'index\tname\n'
    """
    raw = text.encode(errors="replace") if isinstance(text, str) else text
    return base64.b64encode(deflate.zlib_compress(raw, _LEVEL)).decode("ascii")


def pack_array(array: NDArray[Any], dtype: _Dtype, none: int = 0) -> Packed:
    """A 3-D array in the given type; what is not a number is stored as `none`."""
    i, j, k = array.shape
    known = np.where(np.isnan(array), none, array) if array.dtype.kind == "f" else array
    stored = known.astype(np.dtype(dtype).newbyteorder("<"), order="F", copy=False).ravel(order="F")
    filled = stored != 0
    return _packed((i, j, k), dtype, np.packbits(filled, bitorder="little"), stored[filled])


def _packed(shape: tuple[int, int, int], dtype: _Dtype, flags: NDArray[np.uint8], values: NDArray[Any]) -> Packed:
    """A bit for each voxel that holds something, the first axis fastest, then all values in planes of bytes."""
    raw = np.empty(flags.size + values.nbytes, np.uint8)
    raw[: flags.size] = flags
    raw[flags.size :].reshape(values.itemsize, values.size)[:] = values.view(np.uint8).reshape(-1, values.itemsize).T
    return Packed(shape=shape, dtype=dtype, text=pack_text(raw.data))


def unpack(packed: Packed) -> NDArray[Any]:
    """The stored array of `packed`: what the viewer sees."""
    raw = zlib.decompress(base64.b64decode(packed.text))
    dtype = np.dtype(packed.dtype).newbyteorder("<")
    size = math.prod(packed.shape)
    flags, planes = np.split(np.frombuffer(raw, np.uint8), [-(-size // 8)])
    filled = np.unpackbits(flags, count=size, bitorder="little").astype(bool)
    stored = np.zeros(size, dtype)
    stored[filled] = np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T).view(dtype).ravel()
    return stored.reshape(packed.shape, order="F")


def _rows(affine: NDArray[np.floating]) -> Affine:
    return tuple(tuple(float(value) for value in row) for row in np.asarray(affine, np.float64))


def pack_volume(  # noqa: PLR0913 # the fields of a Volume, by name
    data: NDArray[np.floating],
    affine: NDArray[np.floating],
    *,
    key: str,
    name: str,
    quantity: str = "",
    palette: _Palette = "diverging",
    heights: Sequence[Height] = (),
) -> Volume:
    """A map for the viewer, in 16 bits, or as float32 where 16 bits would be too coarse.

    Parameters
    ----------
    data
        3-D, in the map's unit, on the file's own axes; any memory order. What is not finite is drawn as the largest
        finite magnitude, or as no data.
    affine
        4 x 4, voxel -> mm, RAS+; oblique and sheared ones too.
    key, name, quantity, palette
        The fields of `Volume`.
    heights
        The cutoffs that the page marks: a stored number passes one just where the value does, compared in the
        precision of `data`.

    Returns
    -------
    Volume
        `step` times the stored number is the value, off by a step at most.

    Raises
    ------
    ValueError
        `data` is not 3-D.

    Examples
    --------
    >>> volume = pack_volume(np.array([[[-2.0, 0.0, 1.0]]]), np.eye(4), key="m", name="a map", quantity="z")
    >>> unpack(volume.array), volume.limit
    (array([[[-32767,      0,  16384]]], dtype=int16), 2.0)
    """
    if data.ndim != 3:
        msg = f"a volume has three axes, this array has {data.ndim}"
        raise ValueError(msg)
    i, j, k = data.shape
    flat = data.ravel(order="F")
    limit = _limit(flat)
    flags, stored, step = _quantize(flat, limit, heights)
    return Volume(
        key=key,
        name=name,
        array=_packed((i, j, k), "int16" if stored.dtype == np.int16 else "float32", flags, stored),
        affine=_rows(affine),
        step=step,
        limit=limit,
        highest=_extreme(data, limit, 1),
        lowest=_extreme(data, limit, -1),
        quantity=quantity,
        palette=palette,
    )


def _extreme(data: NDArray[np.floating], limit: float, sign: int) -> tuple[int, int, int, float] | None:
    """The voxel that lies furthest from zero on one side, and its value; None where there is none."""
    found = find_extreme(data, sign)
    if found is None:
        return None
    i, j, k = found
    return i, j, k, float(np.clip(data[i, j, k], -limit, limit))


def find_extreme(data: NDArray[np.floating], sign: int) -> tuple[int, ...] | None:
    """Where the value lies that is furthest from zero on one side; of equal ones the first along i, then j, then k.

    None where no value has that sign. The array is walked as it lies in memory.

    >>> find_extreme(np.array([[0.0, 7.0], [7.0, np.nan]]), 1), find_extreme(np.ones((2, 2)), -1)
    ((0, 1), None)
    """
    order: Literal["C", "F"] = "F" if data.flags.f_contiguous else "C"
    flat = data.ravel(order=order)
    top = flat.max(initial=0) if sign > 0 else flat.min(initial=0)
    if np.isnan(top):  # which max() and min() do not pass over, but are four times as fast
        top = (np.fmax if sign > 0 else np.fmin).reduce(flat, initial=0)
    if not top * sign > 0:
        return None
    ijk = np.unravel_index(np.flatnonzero(flat == top), data.shape, order=order)
    first = int(np.ravel_multi_index(ijk, data.shape).argmin())
    return tuple(int(axis[first]) for axis in ijk)


def _quantize(
    flat: NDArray[np.floating], limit: float, heights: Sequence[Height]
) -> tuple[NDArray[np.uint8], _Stored, float]:
    """A bit for each value that is not zero, the numbers stored for these, and the step that makes them values."""
    wanted = sorted({height for height in heights if 0 < height.cutoff < math.inf}, key=lambda height: height.cutoff)
    step = limit / _TOP
    dtype: np.dtype[Any] = np.dtype("<i2")
    # a stored number between two heights that lie within a step could not be on both right sides
    close = any(high.cutoff - low.cutoff <= 3 * step for low, high in pairwise(wanted))
    if close or _is_coarse(flat, limit, step):
        step, dtype = 1.0, np.dtype("<f4")
    flags, stored = [np.zeros(0, np.uint8)], [np.zeros(0, dtype)]
    for at in range(0, flat.size, _BLOCK):  # in parts: the whole in float64 would be the largest array of a run
        block = flat[at : at + _BLOCK]
        filled = block != 0
        flags.append(np.packbits(filled, bitorder="little"))
        stored.append(_store(block[filled], limit, step, dtype, wanted))
    return np.concatenate(flags), np.concatenate(stored), step


def _limit(flat: NDArray[np.floating]) -> float:
    """The largest finite magnitude; 1 where everything is zero."""
    largest = max(float(flat.max(initial=0)), -float(flat.min(initial=0)))
    if not math.isfinite(largest):
        known = flat[np.isfinite(flat)]
        largest = float(np.abs(known).max(initial=0))
    return largest or 1.0


def _store(some: NDArray[Any], limit: float, step: float, dtype: np.dtype[Any], heights: Sequence[Height]) -> _Stored:
    """Values other than 0 in stored numbers, each on the right side of every height."""
    values = some.astype(np.float64)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, posinf=limit, neginf=-limit)
    whole = dtype.kind == "i"
    size = np.abs(np.rint(values / step) if whole else values.astype(dtype))
    if whole:
        np.maximum(size, values != 0, out=size)  # what is not zero stays so: it counts as data
    magnitude = np.abs(some)
    for height in heights:
        cutoff = some.dtype.type(height.cutoff)
        kept = magnitude > cutoff if height.strict else magnitude >= cutoff
        if height.cutoff > limit and not kept.any():
            continue  # nothing comes near it
        least = _least_whole(height, step) if whole else _least_float(height)
        carried = (kept != (size >= least)).nonzero()[0]  # over the height by rounding, either way
        below = least - 1 if whole else np.nextafter(least, np.float32(0))
        size[carried] = np.where(kept[carried], least, below)
    return np.copysign(size, values, out=size).astype(dtype)


def _least_whole(height: Height, step: float) -> int:
    """The smallest whole number that, times the step, the viewer finds past `height`."""
    least = math.floor(height.cutoff / step) - 1
    while least * step < height.cutoff or (height.strict and least * step == height.cutoff):
        least += 1
    return least


def _least_float(height: Height) -> np.float32:
    """The smallest float32 past `height`, compared in double precision as JavaScript does."""
    least = np.float32(height.cutoff)
    while float(least) < height.cutoff or (height.strict and float(least) == height.cutoff):
        least = np.nextafter(least, np.float32(np.inf))
    return least


def _is_coarse(flat: NDArray[np.floating], limit: float, step: float) -> bool:
    """Whether values spread so little beside the largest that a step of 16 bits would be read out; not equal values.

    Most maps spread so much that the fourth part of their blocks tells.
    """
    if _spread(flat, every=4) * _COARSE >= step:
        return False
    return limit * _EQUAL < _spread(flat) * _COARSE < step


def _spread(flat: NDArray[np.floating], every: int = 1) -> float:
    """The standard deviation of what is neither zero nor infinite, by distances from one of them.

    With `every`, no more than it: as if the blocks that are passed over held nothing but the mean of the others.
    """
    n, total, squares, origin = 0, 0.0, 0.0, None
    for at in range(0, flat.size, _BLOCK * every):
        block = flat[at : at + _BLOCK]
        usable = block[block != 0].astype(np.float64)
        if not np.isfinite(usable).all():
            usable = usable[np.isfinite(usable)]
        if usable.size:
            origin = usable[0] if origin is None else origin
            usable -= origin
            n, total = n + usable.size, total + float(usable.sum())
            squares += float(np.square(usable, out=usable).sum())  # by no library whose threads or kernels matter
    starts = range(0, flat.size, _BLOCK)
    of_all = n if every == 1 else sum(int(np.count_nonzero(flat[at : at + _BLOCK] != 0)) for at in starts)
    return math.sqrt(max(0.0, squares - total * total / max(n, 1)) / max(of_all, 1))


def pack_labels(labels: NDArray[np.integer]) -> Packed:
    """Region numbers, 0 outside, in the smallest unsigned type that holds them."""
    largest = int(labels.max(initial=0))
    return pack_array(labels, "uint8" if largest < 2**8 else "uint16" if largest < 2**16 else "uint32")


def pack_background(
    data: NDArray[Any], affine: NDArray[np.floating], *, key: str, name: str, crop: bool = True
) -> Background:
    """A picture to draw maps on: 0 stays 0 (outside), the rest goes to 1..255 between its 1st and 99th percentile.

    A picture of more than two million voxels is halved along each axis until it has less; with `crop` the empty
    border is left away. Both keep every remaining voxel's place in mm.
    """
    picture = np.asarray(data, np.float32)
    matrix = np.asarray(affine, np.float64).copy()
    while picture.size > _LARGE:
        picture, matrix = _halve(picture, matrix)
    if crop and picture.any():
        picture, matrix = _crop(picture, matrix)
    i, j, k = picture.shape
    flat = picture.ravel(order="F")
    inside = flat != 0
    values = flat[inside]
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 0.0)
    scaled = 1 + 254 * (values - low) / (high - low) if high > low else np.full(values.shape, 200.0)
    stored = np.clip(np.rint(scaled), 1, 255).astype(np.uint8)
    array = _packed((i, j, k), "uint8", np.packbits(inside, bitorder="little"), stored)
    return Background(key=key, name=name, array=array, affine=_rows(matrix))


def _halve(
    picture: NDArray[np.float32], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Means of 2 x 2 x 2 voxels; their centre lies half a voxel further along each axis."""
    even = [n // 2 * 2 for n in picture.shape]
    cut = picture[: even[0], : even[1], : even[2]]
    blocks = cut.reshape(even[0] // 2, 2, even[1] // 2, 2, even[2] // 2, 2).mean(axis=(1, 3, 5))
    step = np.diag([2.0, 2.0, 2.0, 1.0])
    step[:3, 3] = 0.5
    return blocks, matrix @ step


def _crop(picture: NDArray[np.float32], matrix: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    starts, stops = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(picture.any(axis=others))
        starts.append(int(filled[0]))
        stops.append(int(filled[-1]) + 1)
    shift = np.eye(4)
    shift[:3, 3] = starts
    return picture[starts[0] : stops[0], starts[1] : stops[1], starts[2] : stops[2]], matrix @ shift


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    r"""A PNG of `pixels` (height x width x 3), written by hand: the report room draws nothing else.

    >>> png_bytes(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\x89PNG'
    """
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big") for name, body in chunks
    )


def matrix_colour(fraction: float | None) -> str:
    """The colour of a fraction, or of no value, in `draw_matrix`.

    >>> matrix_colour(0), matrix_colour(1), matrix_colour(None)
    ('#ffffff', '#123c69', '#f4d6ce')
    """
    colour = _NONE if fraction is None else _LIGHT + (_DARK - _LIGHT) * fraction
    return "#" + "".join(f"{round(value):02x}" for value in colour)


def draw_matrix(values: NDArray[np.floating]) -> bytes:
    """A square matrix of fractions as a PNG, one pixel per cell: 0 white, 1 dark blue, none light red."""
    share = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0, 1)[..., None]
    pixels = _LIGHT + (_DARK - _LIGHT) * share
    pixels[np.isnan(values)] = _NONE
    return png_bytes(np.rint(pixels).astype(np.uint8))
