"""Which voxels of a map have data: what counts as tested, and what is background.

Zeros are no data, nor is NaN. A *background constant* is one value other than 0 that fills the space around the head.
A map is *thresholded already* where its small values are gone: then its zeros say nothing about data. Arrays and the
table of kinds; no file.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.statistics import Statistic
from bids_regions.frozen import dataclass

__all__ = ["Presence", "find_presence"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

BLOCK = 1 << 16  # voxels looked at together
AGREES = 0.01  # share of the constant's voxels that may lie inside a mask which agrees with it
P_OF_ONE = {"p": 1.0}  # what a p of 1 is on a scale, where it is not 0


@dataclass(frozen=True, kw_only=True)
class Presence:
    """What tells data from no data in one map."""

    background: float | None  # the constant; None where there is none
    n_background: int  # voxels that hold it
    thresholded: bool  # the map was thresholded before
    zeros_count: bool  # zeros inside a mask are data: of a p map, of a map thresholded before

    def has_data(self, data: Array, mask: Mask | None = None) -> Mask:
        """True where the map has data; the shape of `data`, which is as it was stored.

        >>> z = np.array([0.0, 0.5, -3.0, np.nan])
        >>> find_presence(z).has_data(z).tolist(), find_presence(z).has_data(z, np.array([1, 1, 0, 1], bool)).tolist()
        ([False, True, True, False], [False, True, False, False])
        """
        known: Mask = ~np.isnan(data)
        if self.background is not None:
            known &= data != data.dtype.type(self.background)
        if mask is not None:
            known &= mask
        if mask is None or not self.zeros_count:
            known &= data != 0
        return known


def find_presence(
    data: Array, mask: Mask | None = None, statistic: Statistic | None = None, *, counted: bool = True
) -> Presence:
    """What tells data from no data in a map.

    Parameters
    ----------
    data
        The map as it was stored, NaN and infinities in their places; float32 or float64. Of a map on a grid 3-D, else
        any shape: only a grid has a border.
    mask
        The mask that belongs to the map, the same shape.
    statistic
        What the numbers are; z where not given.
    counted
        False where nobody asks how many voxels have data: then none looks whether the map was thresholded.

    Notes
    -----
    The background constant is the value of most voxels of the grid's border; where that is 0 or NaN there is none.
    Where the border has no such value it is that of over half of the voxels, if the mask leaves nearly all of them
    out, or if it is a p of 1. A map of one value and zeros has no background. A z or t map without any value
    between 0 and 1 in magnitude was thresholded already, an empty one too.
    """
    statistic = statistic or Statistic("z")
    background = _background(data, mask, statistic)
    thresholded = counted and statistic.rule.distribution in ("normal", "t") and _lacks_small(data, background)
    return Presence(
        background=background,
        n_background=0 if background is None else int(np.count_nonzero(data == data.dtype.type(background))),
        thresholded=thresholded,
        zeros_count=thresholded or statistic.scale == "p",
    )


def _background(data: Array, mask: Mask | None, statistic: Statistic) -> float | None:
    if data.ndim == 3 and min(data.shape) > 2:
        if _is_empty_around(data):
            return None
        found = _value_of_most(np.concatenate([face.ravel(order="K") for face in _faces(data)]))
        if found is not None:
            return found if _others(data, found) else None
    found = _value_of_most(data)
    if not found or not _others(data, found):  # 0 is no data as it is
        return None
    if found == P_OF_ONE.get(statistic.scale or ""):
        return found
    if mask is None:
        return None
    constant = data == data.dtype.type(found)
    return found if np.count_nonzero(mask & constant) <= AGREES * np.count_nonzero(constant) else None


def _is_empty_around(data: Array) -> bool:
    """Whether most of a grid's border is 0, or most of it NaN; looks at no more faces than tell it."""
    size: int = data.size - math.prod(length - 2 for length in data.shape)
    faces = list(_faces(data.transpose(sorted(range(3), key=lambda axis: -abs(data.strides[axis])))))
    zeros = 0
    for face in faces:  # what lies together in memory first
        zeros += face.size - int(np.count_nonzero(face))
        if 2 * zeros > size:
            return True
    nans = sum(int(np.count_nonzero(np.isnan(face))) for face in faces)
    return bool(2 * nans > size)


def _faces(data: Array) -> Iterator[Array]:
    """The six faces of a grid, each voxel once."""
    inner = slice(1, -1)
    for before in ((), (inner,), (inner, inner)):
        yield data[(*before, 0)]
        yield data[(*before, -1)]


def _value_of_most(data: Array) -> float | None:
    """The finite value that more than half of the numbers have: it is also that of more than half of some block."""
    for candidate in {_value_of_most_in(block) for block in _blocks(data)} - {None}:
        if 2 * sum(int(np.count_nonzero(block == candidate)) for block in _blocks(data)) > data.size:
            return candidate
    return None


def _value_of_most_in(values: Array) -> float | None:
    """The same of one row of numbers, of which copies are made."""
    known = np.isfinite(values)
    finite = values if known.all() else values[known]
    if 2 * finite.size <= values.size:
        return None
    twice = finite[1:][finite[1:] == finite[:-1]]  # what more than half of a ring are stands twice in a row somewhere
    if not (twice.any() or (finite[0] and finite[0] == finite[-1])):  # only 0 does, if any
        return 0.0 if 2 * (finite.size - np.count_nonzero(finite)) > values.size else None
    middle = (finite.size - 1) // 2, finite.size // 2  # a value of more than half stands in the middle of the sorted
    for candidate in {float(each) for each in np.partition(finite, middle)[list(middle)]}:
        if 2 * np.count_nonzero(finite == candidate) > values.size:
            return candidate
    return None


def _others(data: Array, value: float) -> bool:
    """Whether there is any number beside `value` and 0."""
    return any(bool(np.any(np.isfinite(b) & (b != 0) & (b != value))) for b in _blocks(data))


def _lacks_small(data: Array, background: float | None) -> bool:
    """Whether no value lies between 0 and 1 in magnitude."""
    for block in _blocks(data):
        size = np.abs(block)
        small = (size < 1) & (size > 0)  # neither is true of NaN
        if background is not None:
            small &= block != block.dtype.type(background)
        if small.any():
            return False
    return True


def _blocks(data: Array) -> Iterator[Array]:
    flat = data.ravel(order="K")
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK]
