"""From a map to labelled voxels: which voxels pass the cutoff, and which of them touch.

Everything after the selection works on the *voxels above the cutoff* alone, some percent of the grid, in *canonical*
order: along the axes and directions of the file nearest to RAS+, x fastest, z slowest. The same map stored with
flipped or permuted axes gives the same voxels in the same order, and so the same sums to the last bit. A *place* is a
voxel's number in a canonical grid with one empty column and row added, so that a step to a neighbour is one constant
and never wraps around.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bids_regions.extraction.tails import TAILS

__all__ = ["Frame", "Runs", "Voxels", "join", "label_components", "neighbour_steps", "row_steps", "select_voxels"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.intp]
Places = npt.NDArray[Any]  # int32 for every grid that has fewer than 2^31 voxels

BLOCK = 1 << 17  # voxels compared at once: their flags stay in the processor's cache

ROOM = 1 << 28  # voxels up to which int32 holds every place: the empty columns and rows add at most threefold


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where the canonical axes lie in an array, in its memory, and in space."""

    file_shape: tuple[int, int, int]
    memory: tuple[int, int, int]  # the file's axes from the slowest to the fastest in memory
    axes: tuple[int, int, int]  # the file's axis that is canonical x, y, z
    flipped: tuple[bool, bool, bool]  # canonical x, y, z runs against the file's axis
    shape: tuple[int, int, int]  # canonical
    affine: npt.NDArray[np.float64]  # canonical voxel -> mm, RAS+
    voxel_volume: float  # mm3, |det| of the file's affine

    @classmethod
    def of(cls, data: Array, affine: Array) -> Self:
        """The frame of a 3-D array of any memory order with its voxel-to-mm affine (RAS+).

        >>> frame = Frame.of(np.zeros((4, 5, 6), order="F"), np.diag([-2.0, 2.0, 2.0, 1.0]))
        >>> frame.memory, frame.axes, frame.flipped
        ((2, 1, 0), (0, 1, 2), (True, False, False))
        """
        n0, n1, n2 = data.shape
        slow, middle, fast = np.argsort([-abs(s) for s in data.strides], kind="stable").tolist()
        axes, flipped = _nearest_to_ras(np.asarray(affine, np.float64)[:3, :3])
        canonical = np.array(affine, np.float64)
        for k, (axis, flip) in enumerate(zip(axes, flipped, strict=True)):
            canonical[:3, k] = -affine[:3, axis] if flip else affine[:3, axis]
            if flip:
                canonical[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
        x, y, z = (data.shape[axis] for axis in axes)
        return cls(
            file_shape=(n0, n1, n2), memory=(slow, middle, fast), axes=axes, flipped=flipped, shape=(x, y, z),
            affine=canonical, voxel_volume=abs(float(np.linalg.det(np.asarray(affine, np.float64)[:3, :3]))),
        )  # fmt: skip

    def flatten(self, array: Array) -> Array:
        """An array on the file's grid as one row in the order of the map's memory; a view where it can be."""
        return array.transpose(self.memory).reshape(-1)

    def unflatten(self, row: Array) -> Array:
        """The inverse of `flatten`: a view with the file's axes."""
        return row.reshape([self.file_shape[a] for a in self.memory]).transpose(np.argsort(self.memory))

    def canonical(self, array: Array) -> Array:
        """An array on the file's grid as a view with the canonical axes and directions."""
        x, y, z = (slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return array.transpose(self.axes)[x, y, z]

    def to_file(self, ijk: Array) -> Array:
        """Canonical voxel indices, (3, n), as indices along the file's own axes."""
        out = np.empty_like(ijk)
        for k, (axis, flip) in enumerate(zip(self.axes, self.flipped, strict=True)):
            out[axis] = self.shape[k] - 1 - ijk[k] if flip else ijk[k]
        return out

    def to_mm(self, ijk: Array) -> npt.NDArray[np.float64]:
        """Canonical voxel indices, (3, n), as mm, RAS+."""
        x, y, z = ijk  # no matrix product: its rounding may depend on n
        return np.stack([a[0] * x + a[1] * y + a[2] * z + a[3] for a in self.affine[:3]])

    def place(self, ijk: Array) -> Integers:
        """Canonical voxel indices, (3, n), as places."""
        x, y, z = ijk.astype(np.intp)
        return np.asarray(x + y * _strides(self)[1] + z * _strides(self)[2])

    def ijk(self, place: Array) -> npt.NDArray[np.int32]:
        """Places as canonical voxel indices, (3, n)."""
        _, y, z = _strides(self)
        slab = place // z
        within = place - slab * z
        row = within // y
        return np.stack([within - row * y, row, slab]).astype(np.int32, copy=False)


def _nearest_to_ras(matrix: Array) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """For x, y, z: the column nearest to it, by the largest sum of |cosines|, and whether it points the other way."""
    cosines = (matrix / np.linalg.norm(matrix, axis=0)).tolist()

    def score(order: tuple[int, ...]) -> float:
        return round(sum(abs(float(row[axis])) for row, axis in zip(cosines, order, strict=True)), 9)

    x, y, z = max(permutations(range(3)), key=score)  # the first of equal ones
    return (x, y, z), (cosines[0][x] < 0, cosines[1][y] < 0, cosines[2][z] < 0)


@dataclass(frozen=True, kw_only=True)
class Voxels:
    """Some voxels of a map in canonical order; as few bytes for each as can be, for there may be millions."""

    frame: Frame
    memory: Places  # (n,) number in the row that Frame.flatten makes
    place: Places  # (n,) ascending, see above
    values: Array  # (n,) signed, the map's own precision

    @classmethod
    def at(cls, frame: Frame, memory: Places, values: Array) -> Self:
        """The voxels with some numbers in the flattened map, brought into canonical order."""
        rest, place = memory, np.zeros_like(memory)
        for axis in reversed(frame.memory):
            size, k = frame.file_shape[axis], frame.axes.index(axis)
            whole = rest // size
            along = rest - whole * size
            place += (size - 1 - along if frame.flipped[k] else along) * _strides(frame)[k]
            rest = whole
        if np.any(place[1:] < place[:-1]):
            order = np.argsort(place, kind="stable")
            memory, place, values = memory[order], place[order], values[order]
        return cls(frame=frame, memory=memory, place=place, values=values)

    def only(self, chosen: Array) -> "Voxels":
        """Some of these voxels, by flags or ascending numbers."""
        return Voxels(
            frame=self.frame, memory=self.memory[chosen], place=self.place[chosen], values=self.values[chosen]
        )

    @property
    def ijk(self) -> npt.NDArray[np.int32]:
        """Canonical voxel indices, (3, n)."""
        return self.frame.ijk(self.place)


def _strides(frame: Frame) -> tuple[int, int, int]:
    return 1, frame.shape[0] + 1, (frame.shape[0] + 1) * (frame.shape[1] + 1)


def select_voxels(
    flat: Array, cutoff: float, tail: str, *, strict: bool = False, mask: Array | None = None
) -> tuple[Places, Array]:
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
    mask
        (n,) True where voxels may pass.

    Notes
    -----
    Zeros and values that are not finite never pass.

    Examples
    --------
    >>> select_voxels(np.array([-3.0, 0.0, 1.0, 2.0, np.nan]), 2.0, "bi")
    (array([0, 3], dtype=int32), array([-3.,  2.]))
    >>> select_voxels(np.array([-3.0, 0.0, 1.0, 2.0, np.inf]), 2.0, "bi", strict=True)
    (array([0], dtype=int32), array([-3.]))
    """
    found, number = [], np.int32 if flat.size < ROOM else np.int64
    with np.errstate(over="ignore"):
        least = flat.dtype.type(cutoff)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        above = _passing(block, least, tail, strict)
        if mask is not None:
            above &= mask[start : start + BLOCK]
        found.append((np.flatnonzero(above) + start).astype(number))
    memory = np.concatenate(found) if found else np.empty(0, number)
    values = flat[memory]
    usable = np.isfinite(values) & (values != 0)
    return (memory, values) if usable.all() else (memory[usable], values[usable])


def _passing(block: Array, least: Any, tail: str, strict: bool) -> Array:
    over, under = (np.greater, np.less) if strict else (np.greater_equal, np.less_equal)
    signs = TAILS[tail].signs
    if 1 not in signs:
        return np.asarray(under(block, -least))
    above = np.asarray(over(block, least))
    if -1 in signs:
        above |= under(block, -least)
    return above


def neighbour_steps(frame: Frame, neighbourhood: int) -> list[int]:
    """The steps in place to half of the 6, 18 or 26 neighbours, x first; the other half are their negatives.

    >>> len(neighbour_steps(Frame.of(np.zeros((4, 5, 6)), np.eye(4)), 18))
    9
    """
    faces = {6: 1, 18: 2, 26: 3}[neighbourhood]  # how many coordinates may change at once
    strides = _strides(frame)
    offsets = [(x, y, z) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    near = sorted((sum(map(abs, o)), int(np.dot(o, strides))) for o in offsets)
    return [step for changed, step in near if 0 < changed <= faces and step > 0]


def label_components(voxels: Voxels, connectivity: int, *, merged: bool = False) -> npt.NDArray[np.int32]:
    """The connected components of some voxels.

    The nodes of the graph are *runs*, voxels in a row along x without a gap (and of one sign); two runs in
    neighbouring rows are joined where their intervals meet.

    Parameters
    ----------
    voxels
        In canonical order.
    connectivity
        6 (faces), 18 (faces and edges) or 26 (faces, edges and corners).
    merged
        Join voxels of opposite signs.

    Returns
    -------
    ndarray
        (n,) component of each voxel, 0, 1, ..., in the order of their first voxels.

    Examples
    --------
    >>> data = np.array([3.0, 4.0, -5.0, 0.0, 6.0]).reshape(5, 1, 1)
    >>> voxels = Voxels.at(Frame.of(data, np.eye(4)), *select_voxels(data.reshape(-1), 3.0, "bi"))
    >>> label_components(voxels, 6).tolist(), label_components(voxels, 6, merged=True).tolist()
    ([0, 0, 1, 2], [0, 0, 0, 1])
    """
    if voxels.place.size == 0:
        return np.empty(0, np.int32)
    positive = voxels.values > 0
    runs = Runs.of(voxels.place, *(() if merged else (positive,)))
    sign, everyone = positive[runs.first], np.arange(runs.first.size)
    pairs = [runs.touching(everyone, *row) for row in row_steps(voxels.frame, connectivity)]
    one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
    if not merged:
        same = sign[one] == sign[other]
        one, other = one[same], other[same]
    _, component = join(one, other, runs.first.size)
    return np.repeat(component, runs.end - runs.start + 1)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Voxels in a row along x without a gap, by the number of the first voxel and the places of first and last."""

    first: Integers
    start: Places
    end: Places

    @classmethod
    def of(cls, place: Places, *keys: Array) -> Self:
        """The runs of voxels that are equal in every key."""
        breaks = np.diff(place) != 1
        for key in keys:
            breaks |= key[1:] != key[:-1]
        first = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        return cls(first=first, start=place[first], end=place[np.append(first[1:], place.size) - 1])

    def touching(self, some: Integers, step: int, reach: int) -> tuple[Integers, Integers]:
        """The pairs of runs (one of `some`, other) where the one, moved by `step` and widened by `reach`, meets it."""
        low, high = self.start[some] + (step - reach), self.end[some] + (step + reach)
        other = np.searchsorted(self.end, low)  # the first run that does not end before
        pairs = []
        while some.size:
            meets = np.flatnonzero((self.start.take(other, mode="clip") <= high) & (other < self.start.size))
            some, other, high = some[meets], other[meets], high[meets]
            pairs.append((some, other))
            other = other + 1
        if not pairs:
            return some, other
        return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def join(one: Integers, other: Integers, n: int) -> tuple[int, npt.NDArray[np.int32]]:
    """How many groups n things form that are joined in pairs, and the group of each, in the order of first members."""
    if not one.size:
        return n, np.arange(n, dtype=np.int32)
    graph = csr_array((np.ones(one.size), (one, other)), shape=(n, n))
    n_groups, group = connected_components(graph, directed=False)
    return int(n_groups), group.astype(np.int32, copy=False)


def row_steps(frame: Frame, connectivity: int) -> list[tuple[int, int]]:
    """(step to a later row, how far an interval reaches beyond its ends there) for each row that may touch."""
    _, y, z = _strides(frame)
    if connectivity == 6:
        return [(y, 0), (z, 0)]
    diagonal = 1 if connectivity == 26 else 0
    return [(y, 1), (z, 1), (z - y, diagonal), (z + y, diagonal)]
