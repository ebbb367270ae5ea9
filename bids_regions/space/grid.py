"""Voxels: where they lie in mm, which of them touch, when two grids are the same, and the way from one to another.

Frames: ijk are 0-based voxel indices in the file's own axes; xyz are mm, RAS+ (x to the right, y to the front, z up).
The canonical order of voxels follows the axes and directions of the file nearest to RAS+, x fastest, z slowest. Its
ranks are numbers in a canonical grid with one empty column and row added, so that a step to a neighbour is one
constant and never wraps around.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import permutations
from typing import Self

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.frozen import dataclass
from bids_regions.space.domain import (
    Addresses,
    Array,
    Centres,
    Domain,
    Elements,
    Extents,
    Flags,
    Floats,
    Integers,
    Numbers,
    Reach,
)
from bids_regions.space.resampling import find_displacement, resample_nearest

__all__ = [
    "Grid",
    "Runs",
    "find_zooms",
    "grid_of",
    "grid_under",
    "is_singular",
    "neighbour_steps",
    "to_mm",
    "voxel_volume",
]

SAME = 0.01  # of a voxel: corners nearer than this are the same place (float32 headers round at 1e-5)
PLANE = 1e-6  # of a box's volume: an affine whose voxels have less lies in a plane
FEW = 1024  # runs for which a second bisection costs less than going from run to run
MM_RESOLUTION = 1e-4  # mm; coordinates nearer than this are equal when ties are broken


@dataclass(frozen=True, kw_only=True, eq=False)
class _Canonical:
    """Where the canonical axes lie in the file and in space."""

    axes: tuple[int, int, int]  # the file's axis that is canonical x, y, z
    flipped: tuple[bool, bool, bool]  # canonical x, y, z runs against the file's axis
    shape: tuple[int, int, int]  # canonical
    affine: Floats  # canonical voxel -> mm, RAS+
    strides: tuple[int, int, int]  # of ranks


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Where the voxels of an image lie, and in which order a map of it stands in memory."""

    shape: tuple[int, int, int]  # voxels along i, j, k
    affine: Floats  # (4, 4) ijk -> xyz in mm, RAS+
    memory: tuple[int, int, int] = (2, 1, 0)  # the file's axes from the slowest to the fastest; as NIfTI stores them

    @classmethod
    def of(cls, data: Array, affine: Array) -> Self:
        """The grid of a 3-D array of any memory order with its voxel-to-mm affine (RAS+).

        >>> grid = Grid.of(np.zeros((4, 5, 6), order="F"), np.diag([-2.0, 2.0, 2.0, 1.0]))
        >>> grid.memory, grid.canonical.axes, grid.canonical.flipped
        ((2, 1, 0), (0, 1, 2), (True, False, False))
        """
        n0, n1, n2 = data.shape
        return cls(shape=(n0, n1, n2), affine=np.asarray(affine, np.float64), memory=_memory_order(data))

    @property
    def units(self) -> str:
        """Of extents."""
        return "mm3"

    @property
    def size(self) -> int:
        """Voxels."""
        return int(np.prod(self.shape))

    @cached_property
    def zooms(self) -> tuple[float, float, float]:
        """Mm between neighbouring voxels along i, j and k."""
        return find_zooms(self.affine)

    @cached_property
    def zooms_ras(self) -> tuple[float, float, float]:
        """Mm between neighbouring voxels along the axes nearest to x, y and z."""
        return find_zooms(self.canonical.affine)

    @cached_property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm3: |det| of the affine."""
        return voxel_volume(self.affine)

    @cached_property
    def canonical(self) -> _Canonical:
        """Where the canonical axes lie."""
        axes, flipped = _nearest_to_ras(self.affine[:3, :3])
        affine = np.array(self.affine)
        for k, (axis, flip) in enumerate(zip(axes, flipped, strict=True)):
            affine[:3, k] = -self.affine[:3, axis] if flip else self.affine[:3, axis]
            if flip:
                affine[:3, 3] += self.affine[:3, axis] * (self.shape[axis] - 1)
        x, y, z = (self.shape[axis] for axis in axes)
        return _Canonical(
            axes=axes, flipped=flipped, shape=(x, y, z), affine=affine, strides=(1, x + 1, (x + 1) * (y + 1))
        )

    def fit(self, data: Array) -> Self:
        """The grid of a map as it lies in memory."""
        if data.ndim != 3:
            raise BadMap(f"the map has {data.ndim} dimensions", hint="Give a 3-D map")
        if data.shape != self.shape:
            raise BadMap(f"the map has shape {data.shape}, its grid {self.shape}", hint="Give the map's own grid")
        return replace(self, memory=_memory_order(data))

    def flatten(self, data: Array) -> Array:
        """An array on the grid as one row in the order of the map's memory; a view where it can be."""
        return data.transpose(self.memory).reshape(-1)

    def unflatten(self, row: Array) -> Array:
        """The inverse of `flatten`: a view with the file's axes."""
        return row.reshape([self.shape[a] for a in self.memory]).transpose(np.argsort(self.memory))

    def along_ras(self, array: Array) -> Array:
        """An array on the file's grid as a view with the canonical axes and directions."""
        x, y, z = (slice(None, None, -1 if flip else 1) for flip in self.canonical.flipped)
        return array.transpose(self.canonical.axes)[x, y, z]

    def at(self, numbers: Numbers, values: Array) -> Elements:
        """The voxels with some numbers in the flat map, brought into canonical order."""
        rest, rank = numbers, np.zeros_like(numbers)
        canonical = self.canonical
        for axis in reversed(self.memory):
            size, k = self.shape[axis], canonical.axes.index(axis)
            whole = rest // size
            along = rest - whole * size
            rank += (size - 1 - along if canonical.flipped[k] else along) * canonical.strides[k]
            rest = whole
        order = _ascending(rank)
        if order is not None:
            numbers, rank, values = numbers[order], rank[order], values[order]
        return Elements(domain=self, memory=numbers, rank=rank, values=values)

    def ijk(self, rank: Numbers) -> npt.NDArray[np.int32]:
        """Ranks as canonical voxel indices, (3, n)."""
        _, y, z = self.canonical.strides
        slab = rank // z
        within = rank - slab * z
        row = within // y
        out = np.empty((3, rank.size), np.int32)
        out[0], out[1], out[2] = within - row * y, row, slab
        return out

    def rank(self, ijk: Array) -> Numbers:
        """Canonical voxel indices, (3, n), as ranks."""
        x, y, z = ijk.astype(np.intp)
        return np.asarray(x + y * self.canonical.strides[1] + z * self.canonical.strides[2])

    def to_file(self, ijk: Array) -> Array:
        """Canonical voxel indices, (3, n), as indices along the file's own axes."""
        out = np.empty_like(ijk)
        canonical = self.canonical
        for k, (axis, flip) in enumerate(zip(canonical.axes, canonical.flipped, strict=True)):
            out[axis] = canonical.shape[k] - 1 - ijk[k] if flip else ijk[k]
        return out

    def xyz(self, elements: Elements) -> Floats:
        """(3, n) mm, RAS+."""
        return to_mm(self.canonical.affine, self.ijk(elements.rank))

    def positions(self, elements: Elements) -> Floats:
        """(3, n) mm: a plateau gives the voxel nearest to its middle."""
        return elements.xyz

    def address(self, elements: Elements) -> Addresses:
        """The voxel of each element."""
        ijk = list(zip(*self.to_file(self.ijk(elements.rank)).tolist(), strict=True))
        return Addresses(structure=[None] * len(ijk), ijk=ijk, vertex=[None] * len(ijk))

    def extents(self, elements: Elements, region: Integers, counts: Integers) -> Extents:
        """Voxels times the volume of one."""
        del elements, region
        return Extents(size=counts * self.voxel_volume, on_sheet=np.zeros(counts.size, bool))

    def chains(self, elements: Elements, *keys: Array) -> "Runs":
        """Runs of voxels along x."""
        return Runs.of(elements.rank, *keys)

    def reaches(self, neighbourhood: int) -> Sequence[Reach]:
        """To each later row that may touch, and how far an interval reaches beyond its ends there."""
        _, y, z = self.canonical.strides
        if neighbourhood == 6:
            return [(y, 0), (z, 0)]
        diagonal = 1 if neighbourhood == 26 else 0
        return [(y, 1), (z, 1), (z - y, diagonal), (z + y, diagonal)]

    def centres(self, elements: Elements, weight: Floats, region: Integers, n: int) -> Centres:
        """The centres of mass, and the voxels there."""
        mass, product = np.bincount(region, weight, n), np.empty_like(weight)
        ijk = self.ijk(elements.rank)
        com = np.stack([np.bincount(region, np.multiply(weight, axis, out=product), n) for axis in ijk]) / mass
        there = _find(elements.rank, self.rank(np.rint(com)))
        inside = (there >= 0) & (region[there] == np.arange(n))
        return Centres(xyz=to_mm(self.canonical.affine, com), inside=tuple(inside.tolist()), nearest=there)

    def distances(self, elements: Elements, limit: float) -> Callable[[Integers, Integers], Floats]:
        """The straight way."""
        del limit
        at = elements.xyz

        def between(one: Integers, other: Integers) -> Floats:
            return np.asarray(np.sqrt(np.sum((at[:, one] - at[:, other]) ** 2, axis=0)))

        return between

    def ties(self, elements: Elements) -> Sequence[Array]:
        """The x, y and z in steps of 0.1 micrometre."""
        return [coarse_mm(axis) for axis in elements.xyz]

    def scan(self, elements: Elements) -> Integers:
        """By the file's axes, the last one fastest."""
        i, j, k = self.to_file(self.ijk(elements.rank)).astype(np.intp)
        return np.asarray((i * self.shape[1] + j) * self.shape[2] + k)

    def same_as(self, other: Domain) -> bool:
        """Whether both have one shape and place no corner voxel further apart than a hundredth of a voxel.

        >>> one, longer = Grid(shape=(2, 3, 4), affine=np.eye(4)), Grid(shape=(2, 3, 5), affine=np.eye(4))
        >>> one.same_as(Grid(shape=(2, 3, 4), affine=np.eye(4) + 1e-6)), one.same_as(longer)
        (True, False)
        """
        if other is self:
            return True
        if not isinstance(other, Grid) or self.shape != other.shape:
            return False
        return find_displacement(self.shape, self.affine, other.affine) <= SAME * min(self.zooms)

    def resample(self, data: Array, to: Domain) -> Array:
        """A map at the voxels of another grid, each taking the value of the nearest centre; 0 outside this grid.

        The same grid gives the map itself. A centre midway between two voxels takes the one of the lower index.

        >>> coarse = Grid(shape=(2, 1, 1), affine=np.diag([2.0, 2, 2, 1]))
        >>> fine = Grid(shape=(4, 1, 1), affine=np.diag([1.0, 2, 2, 1]))
        >>> coarse.resample(np.array([7, 9]).reshape(2, 1, 1), fine).ravel().tolist()
        [7, 7, 9, 9]
        """
        if not isinstance(to, Grid):
            raise BadMap("a map of voxels cannot be brought to vertices", hint="Give maps of one kind")
        if self.same_as(to):
            return data
        return resample_nearest(data, np.linalg.solve(self.affine, to.affine), to.shape)

    def reorder(self, data: Array, to: "Grid") -> Array | None:
        """A map in the storage order of another grid of the very same voxels; None where it has others.

        >>> turned = Grid(shape=(2, 1, 1), affine=np.array([[-1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
        >>> turned.reorder(np.array([7, 9]).reshape(2, 1, 1), Grid(shape=(2, 1, 1), affine=np.eye(4))).ravel().tolist()
        [9, 7]
        """
        if self.same_as(to):
            return data
        step = np.rint(np.linalg.solve(self.affine, to.affine))
        axes = np.abs(step[:3, :3])
        corners = step @ np.array([[0, 0, 0, 1], [*(n - 1 for n in to.shape), 1]]).T
        swaps = bool((axes.sum(axis=0) == 1).all() and (axes.sum(axis=1) == 1).all())
        fits = swaps and tuple((axes @ to.shape).tolist()) == self.shape
        if not fits or (corners[:3].min(axis=1) != 0).any():
            return None
        apart = find_displacement(to.shape, self.affine @ step, to.affine)
        return resample_nearest(data, step, to.shape) if apart <= SAME * min(self.zooms) else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Voxels in a row along x without a gap, by the number of the first voxel and the ranks of first and last."""

    first: Integers
    start: Numbers
    end: Numbers

    @classmethod
    def of(cls, rank: Numbers, *keys: Array) -> Self:
        """The runs of voxels that are equal in every key."""
        breaks = np.diff(rank) != 1
        for key in keys:
            breaks |= key[1:] != key[:-1]
        first = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        return cls(first=first, start=rank[first], end=rank[np.append(first[1:], rank.size) - 1])

    @property
    def lengths(self) -> Integers:
        """Voxels of each run."""
        return np.asarray(self.end - self.start + 1)

    @property
    def follows(self) -> Flags:
        """Whether each run and the next lie in one row without a gap."""
        return np.asarray(self.start[1:] - self.end[:-1] == 1)

    def touching(self, some: Integers, step: int, reach: int) -> tuple[Integers, Integers]:
        """The pairs of runs (one of `some`, other) where the one, moved by `step` and widened by `reach`, meets it."""
        some = some.astype(np.intp, copy=False)  # numpy's own indices: pairs of rows are few, and looked up often
        low, high = self.start[some] + (step - reach), self.end[some] + (step + reach)
        other = self.end.searchsorted(low)  # the first run that does not end before
        if some.size < FEW:
            n = self.start.searchsorted(high, "right") - other
            one, shift = some.repeat(n), other - (n.cumsum() - n)
            return one, shift.repeat(n) + np.arange(one.size)
        pairs = []
        while some.size:
            meets = ((self.start.take(other, mode="clip") <= high) & (other < self.start.size)).nonzero()[0]
            some, other, high = some[meets], other[meets], high[meets]
            pairs.append((some, other))
            other = other + 1
        if not pairs:
            return some, other
        return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def find_zooms(affine: Array) -> tuple[float, float, float]:
    """The mm between neighbouring voxels along i, j and k.

    >>> find_zooms(np.diag([2.0, 2.0, 3.0, 1.0]))
    (2.0, 2.0, 3.0)
    """
    x, y, z = np.sqrt(np.sum(np.asarray(affine)[:3, :3] ** 2, axis=0)).tolist()
    return x, y, z


def is_singular(affine: Array) -> bool:
    """Whether voxels have no volume: columns of no length, or so nearly in one plane that the rest is rounding.

    >>> is_singular(np.diag([2.0, 2.0, 0.0, 1.0])), is_singular(np.diag([2.0, 2.0, 1e-5, 1.0]))
    (True, False)
    """
    zooms = np.array(find_zooms(affine))
    return bool(zooms.min() == 0 or abs(np.linalg.det(np.asarray(affine, np.float64)[:3, :3] / zooms)) < PLANE)


def voxel_volume(affine: Array) -> float:
    """The volume of a voxel in mm3: |det| of the affine."""
    return abs(float(np.linalg.det(np.asarray(affine, np.float64)[:3, :3])))


def to_mm(affine: Array, ijk: Array) -> Floats:
    """Voxel indices, (3, n), as mm, RAS+.

    >>> to_mm(np.diag([2.0, 2.0, 3.0, 1.0]), np.array([[1], [2], [3]])).ravel().tolist()
    [2.0, 4.0, 9.0]
    """
    x, y, z = ijk  # no matrix product: its rounding may depend on n
    xyz = np.empty((3, *np.shape(x)))
    for k, (of_x, of_y, of_z, shift) in enumerate(affine[:3].tolist()):
        xyz[k] = of_x * x + of_y * y + of_z * z + shift
    return xyz


def coarse_mm(mm: Array) -> Array:
    """Millimetres as whole numbers; the shift keeps the coordinates that grids have off the rounding's edges."""
    return np.asarray(np.floor(mm / MM_RESOLUTION + 0.2371))


def grid_under(elements: Elements, what: str) -> Grid:
    """The grid that elements lie on; BadMap where it is none, since `what` is known for voxels only."""
    return grid_of(elements.domain, what)


def grid_of(domain: Domain, what: str) -> Grid:
    """The domain if it is a grid; BadMap where it is none, since `what` is known for voxels only."""
    if not isinstance(domain, Grid):
        raise BadMap(f"{what} was asked of a surface map, and is known for voxels only", hint="Leave it out for it")
    return domain


def neighbour_steps(grid: Grid, neighbourhood: int) -> list[int]:
    """The steps in rank to half of the 6, 18 or 26 neighbours, x first; the other half are their negatives.

    >>> len(neighbour_steps(Grid.of(np.zeros((4, 5, 6)), np.eye(4)), 18))
    9
    """
    faces = {6: 1, 18: 2, 26: 3}[neighbourhood]  # how many coordinates may change at once
    offsets = [(x, y, z) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    near = sorted((sum(map(abs, o)), int(np.dot(o, grid.canonical.strides))) for o in offsets)
    return [step for changed, step in near if 0 < changed <= faces and step > 0]


def _memory_order(data: Array) -> tuple[int, int, int]:
    """The axes of an array from the slowest to the fastest in memory."""
    slow, middle, fast = np.argsort([-abs(s) for s in data.strides], kind="stable").tolist()
    return slow, middle, fast


def _nearest_to_ras(matrix: Array) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """For x, y, z: the column nearest to it, by the largest sum of |cosines|, and whether it points the other way."""
    cosines = (matrix / np.linalg.norm(matrix, axis=0)).tolist()
    to_x, to_y, to_z = ([abs(float(cosine)) for cosine in row] for row in cosines)

    def score(order: tuple[int, ...]) -> float:
        return round(to_x[order[0]] + to_y[order[1]] + to_z[order[2]], 9)

    x, y, z = max(permutations(range(3)), key=score)  # the first of equal ones
    return (x, y, z), (cosines[0][x] < 0, cosines[1][y] < 0, cosines[2][z] < 0)


def _ascending(rank: Numbers) -> Integers | None:
    """The order in which ranks, each of them once, ascend; None where they do.

    Most files store x from right to left: then each row descends and is turned round, which costs less than to sort.

    >>> _ascending(np.array([2, 1, 0, 7, 9, 8])).tolist(), _ascending(np.array([3, 1, 2])).tolist()
    ([2, 1, 0, 3, 5, 4], [1, 2, 0])
    """
    up = rank[1:] > rank[:-1]
    if up.all():
        return None
    bounds = np.concatenate([[0], up.nonzero()[0] + 1, [rank.size]])
    first, end = bounds[:-1], bounds[1:]
    if np.all(rank[first[:-1]] < rank[end[1:] - 1]):  # all of a row before all of the next
        return np.repeat(first + end - 1, end - first) - np.arange(rank.size)
    return np.argsort(rank, kind="stable")


def _find(ranks: Numbers, wanted: Integers) -> Integers:
    """The number of the element at each wanted rank, -1 where there is none."""
    at = np.searchsorted(ranks, wanted.astype(ranks.dtype, copy=False))
    there = ranks.take(at, mode="clip") == wanted
    return np.where(there, at, -1)
