"""From a map to labelled elements: which voxels or vertices pass the cutoff, and which of them touch.

Everything after the selection works on the *elements above the cutoff* alone, some percent of the map, in the canonical
order of what the map lies on (see `bids_regions.space`). The same map stored with flipped or permuted axes gives the
same elements in the same order, and so the same sums to the last bit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.tails import TAILS
from bids_regions.space import Elements

__all__ = ["join", "label_components", "select_voxels"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[Any]  # int32 or intp
Numbers = npt.NDArray[Any]  # int32 for every map that has fewer than 2^31 elements

BLOCK = 1 << 17  # voxels compared at once: their flags stay in the processor's cache

ROOM = 1 << 28  # voxels up to which int32 holds every rank: the empty columns and rows add at most threefold


def select_voxels(
    flat: Array, cutoff: float, tail: str, *, strict: bool = False, below: bool = False, mask: Array | None = None
) -> tuple[Numbers, Array]:
    """The voxels that pass a cutoff: their numbers in a flat map, ascending, and their values.

    Parameters
    ----------
    flat
        (n,) float32 or float64; the cutoff is rounded to its precision and compared in it.
    cutoff
        Magnitude, at least 0; inf passes nothing.
    tail
        bi, two, positive or negative.
    strict
        Leave out voxels equal to the cutoff.
    below
        The map holds p: what lies at or below the cutoff passes, zeros too.
    mask
        (n,) True where voxels may pass.

    Notes
    -----
    NaN never passes, nor does zero but of a map of p; an infinite value passes every cutoff of its sign.

    Examples
    --------
    >>> select_voxels(np.array([-3.0, 0.0, 1.0, 2.0, np.nan]), 2.0, "bi")
    (array([0, 3], dtype=int32), array([-3.,  2.]))
    >>> select_voxels(np.array([-3.0, 0.0, 1.0, 2.0, np.inf]), 2.0, "bi", strict=True)
    (array([0, 4], dtype=int32), array([-3., inf]))
    >>> select_voxels(np.array([0.0, 0.01, 0.05, 1.0]), 0.05, "positive", below=True)[0]
    array([0, 1, 2], dtype=int32)
    """
    found, number = [], np.int32 if flat.size < ROOM else np.int64
    with np.errstate(over="ignore"):
        least = flat.dtype.type(cutoff)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        if below:
            above = np.asarray(block < least if strict else block <= least)
        else:
            above = _passing(block, least, tail, strict)
        if mask is not None:
            above &= mask[start : start + BLOCK]
        found.append((above.nonzero()[0] + start).astype(number))
    memory = np.concatenate(found) if found else np.empty(0, number)
    values = flat[memory]
    usable = np.full(values.size, True) if below else values != 0
    return (memory, values) if usable.all() else (memory[usable], values[usable])


def _passing(block: Array, least: Any, tail: str, strict: bool) -> Array:
    over, under = (np.greater, np.less) if strict and np.isfinite(least) else (np.greater_equal, np.less_equal)
    signs = TAILS[tail].signs
    if 1 not in signs:
        return np.asarray(under(block, -least))
    above = np.asarray(over(block, least))
    if -1 in signs:
        above |= under(block, -least)
    return above


def label_components(elements: Elements, connectivity: int, *, merged: bool = False) -> npt.NDArray[np.int32]:
    """The connected components of some elements.

    The nodes of the graph are *chains*, on a grid the voxels in a row along x without a gap (and of one sign).

    Parameters
    ----------
    elements
        In canonical order.
    connectivity
        6 (faces), 18 (faces and edges) or 26 (faces, edges and corners) of voxels; vertices touch along edges.
    merged
        Join elements of opposite signs.

    Returns
    -------
    ndarray
        (n,) component of each element, 0, 1, ..., in the order of their first elements.

    Examples
    --------
    >>> from bids_regions.space import Grid
    >>> data = np.array([3.0, 4.0, -5.0, 0.0, 6.0]).reshape(5, 1, 1)
    >>> voxels = Grid.of(data, np.eye(4)).at(*select_voxels(data.reshape(-1), 3.0, "bi"))
    >>> label_components(voxels, 6).tolist(), label_components(voxels, 6, merged=True).tolist()
    ([0, 0, 1, 2], [0, 0, 0, 1])
    """
    if elements.rank.size == 0:
        return np.empty(0, np.int32)
    positive = elements.values > 0
    chains = elements.domain.chains(elements, *(() if merged else (positive,)))
    sign, lengths, everyone = positive[chains.first], chains.lengths, np.arange(chains.first.size, dtype=np.int32)
    pairs = [chains.touching(everyone, *reach) for reach in elements.domain.reaches(connectivity)]
    del chains  # of vertices it is as large as the map
    one, other = pairs[0] if len(pairs) == 1 else [np.concatenate(side) for side in zip(*pairs, strict=True)]
    del pairs
    if not merged:
        same = sign[one] == sign[other]
        one, other = one[same], other[same]
    _, component = join(one, other, sign.size)
    return np.repeat(component, lengths)


def join(one: Integers, other: Integers, n: int) -> tuple[int, npt.NDArray[np.int32]]:
    """How many groups n things form that are joined in pairs, and the group of each, in the order of first members.

    Every group is known by the lowest of its members. In a round each group that is paired with a lower one is hung
    below the lowest of these, and everyone then looks up to the end; pairs within a group are done. (Shiloach & Vishkin
    1982, An O(log n) parallel connectivity algorithm; a graph library would cost more to load than a map to label.)

    >>> join(np.array([1, 3]), np.array([4, 1]), 5)
    (3, array([0, 1, 2, 1, 1], dtype=int32))
    """
    lowest = np.arange(n, dtype=np.int32)
    one, other = np.asarray(one, np.int32), np.asarray(other, np.int32)
    while one.size:
        low, high = np.minimum(one, other), np.maximum(one, other)
        np.minimum.at(lowest, high, low)
        while True:
            higher = lowest[lowest]
            if (higher == lowest).all():
                break
            lowest = higher
        one, other = lowest[one], lowest[other]
        apart = (one != other).nonzero()[0]
        one, other = one[apart], other[apart]
    first = lowest == np.arange(n)
    number = np.cumsum(first, dtype=np.int32) - np.int32(1)
    return int(np.count_nonzero(first)), number[lowest]
