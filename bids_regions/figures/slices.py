"""Where a picture cuts a map, and what it meets there.

A *cut* is an axial plane, named by its z in mm (RAS+). A *raster* is the grid of points that a picture shows: the same
x and y for every cut, in world millimetres whatever the map's own axes are, x from left to right, y from front to
back. *Sampling* is always nearest: a picture shows voxels, not guesses between them. A *mark* is what a picture has to
know of one region. This room knows no colour.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.frozen import dataclass
from bids_regions.space.grid import find_zooms

__all__ = ["Mark", "Raster", "Underlay", "choose_cuts", "make_raster", "occupied", "sample_nearest"]

MIN_CUT_DISTANCE = 8.0  # mm, between cuts through peaks
AXIS_TOLERANCE = 0.02  # voxels: a world axis that moves an index by less than this over a whole raster leaves it alone


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One region, as far as a picture shows it."""

    index: int  # its number in the label image, 1..n
    color: str  # "#rrggbb"
    n_voxels: int
    peak_value: float  # signed, the map's unit
    peak_xyz: tuple[float, float, float]  # mm, RAS+


@dataclass(frozen=True, kw_only=True, eq=False)
class Underlay:
    """Anatomy to draw a map on, with a grid of its own."""

    data: npt.NDArray[Any]  # 3-D, any intensity
    affine: npt.NDArray[np.float64]  # (4, 4), voxel -> mm, RAS+


@dataclass(frozen=True, kw_only=True, eq=False)
class Raster:
    """The points that a picture shows."""

    x: npt.NDArray[np.float64]  # (columns,) mm, ascending: the left of the picture is the left of the brain
    y: npt.NDArray[np.float64]  # (rows,) mm, descending: the top of the picture is the front of the brain
    z: npt.NDArray[np.float64]  # (cuts,) mm
    step: tuple[float, float]  # mm between columns, between rows

    def box(self, rows: slice, columns: slice) -> "Raster":
        """The part of the raster inside some rows and columns."""
        return Raster(x=self.x[columns], y=self.y[rows], z=self.z, step=self.step)


def voxel_sizes(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Edge lengths of a voxel in mm, in the order of the file's axes.

    >>> voxel_sizes(np.diag([-2.0, 3.0, 4.0, 1.0])).tolist()
    [2.0, 3.0, 4.0]
    """
    return np.array(find_zooms(affine))


def world_steps(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The spacing in mm at which x, y and z meet every voxel: the axis' own size, or the finest where axes are oblique.

    >>> world_steps(np.array([[0, 3.0, 0, 0], [-2.0, 0, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])).tolist()
    [3.0, 2.0, 4.0]
    """
    sizes = voxel_sizes(affine)
    share = np.abs(affine[:3, :3]) / sizes
    if (share.max(axis=0) > 0.9999).all() and len(set(share.argmax(axis=0))) == 3:
        return sizes[np.argsort(share.argmax(axis=0))]
    return np.full(3, sizes.min())


def world_bounds(affine: npt.NDArray[np.float64], shape: Sequence[int]) -> npt.NDArray[np.float64]:
    """The (2, 3) lowest and highest mm of the voxel centres of a grid.

    >>> world_bounds(np.diag([-2.0, 2.0, 2.0, 1.0]), (3, 1, 2)).tolist()
    [[-4.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    """
    ends = affine[:3, :3] * (np.asarray(shape[:3]) - 1.0)
    low, high = np.minimum(ends, 0).sum(axis=1), np.maximum(ends, 0).sum(axis=1)
    bounds: npt.NDArray[np.float64] = np.stack([low, high]) + affine[:3, 3]
    return bounds


def coverage_of_z(data: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and highest z in mm at which a map has data; of the whole grid where it has none."""
    strides = [max(1, length // 32) for length in data.shape]
    coarse = data[tuple(slice(stride // 2, None, stride) for stride in strides)]
    ijk = np.nonzero(coarse)
    if not ijk[0].size:
        strides, ijk = [1, 1, 1], np.nonzero(data)
    if not ijk[0].size:
        low, high = world_bounds(affine, data.shape)[:, 2]
        return float(low), float(high)
    z = affine[2, 3] + sum(
        affine[2, axis] * (stride // 2 + stride * index)
        for axis, (stride, index) in enumerate(zip(strides, ijk, strict=True))
    )
    return float(z.min()), float(z.max())


def choose_cuts(
    entries: Sequence[Sequence[Mark]], data: npt.NDArray[Any], affine: npt.NDArray[np.float64], n: int = 7
) -> tuple[float, ...]:
    """The axial cuts that show a map best: through the peaks first, then evenly over what the map covers.

    Parameters
    ----------
    entries
        The marks of every entry of the map, so that all of them are shown at the same cuts. The peak of the largest
        region comes first; peaks closer than 8 mm in z to a cut that is already chosen have no cut of their own.
    data
        (i, j, k), finite; zero is no data.
    affine
        (4, 4), voxel -> mm, RAS+.
    n
        At most so many cuts; fewer where the map has fewer planes.

    Returns
    -------
    z in mm, RAS+, ascending.

    Examples
    --------
    >>> data = np.ones((2, 2, 31))
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> small = Mark(index=2, color="#ff0000", n_voxels=10, peak_value=4.0, peak_xyz=(0.0, 0.0, 10.0))
    >>> large = Mark(index=1, color="#00ff00", n_voxels=90, peak_value=5.0, peak_xyz=(0.0, 0.0, 14.0))
    >>> choose_cuts([[large, small]], data, affine, n=3)
    (14.0, 28.0, 44.0)
    >>> choose_cuts([[]], data, affine, n=3)
    (14.0, 30.0, 46.0)
    """
    plane = float(world_steps(affine)[2])
    cuts: list[float] = []
    pooled = [mark for marks in entries for mark in marks]
    for mark in sorted(pooled, key=lambda m: (-m.n_voxels, -abs(m.peak_value), m.index, m.peak_xyz)):
        z = float(mark.peak_xyz[2])
        if len(cuts) < n and all(abs(z - cut) >= max(MIN_CUT_DISTANCE, plane / 2) for cut in cuts):
            cuts.append(z)
    low, high = coverage_of_z(data, affine)
    origin = float(world_bounds(affine, data.shape)[0, 2])
    planes = origin + plane * np.arange(
        np.ceil((low - origin) / plane - 0.01), np.floor((high - origin) / plane + 1.01)
    )
    if not cuts:
        even = low - plane / 2 + (high - low + plane) * (np.arange(n) + 1.0) / (n + 1.0)
        nearest = [float(planes[np.abs(planes - z).argmin()]) for z in even]
        return tuple(sorted(set(nearest))) if planes.size > n else tuple(planes.tolist())
    while len(cuts) < n:
        room = np.abs(planes[:, None] - np.array(cuts)).min(axis=1, initial=np.inf)
        room[room < plane * 0.9] = 0
        # from the rim of the data, half a voxel beyond its last plane, a cut needs half as much room as from a cut
        room = np.minimum(room, 2 * np.minimum(planes - low, high - planes) + plane)
        if not room.size or room.max() <= 0:
            break
        cuts.append(float(planes[room.argmax()]))
    return tuple(sorted(cuts))


def make_raster(
    affine: npt.NDArray[np.float64], shape: Sequence[int], cuts: Sequence[float], most: int = 400
) -> Raster:
    """The raster of a whole grid: one point a voxel, never more than `most` points along x or y.

    >>> raster = make_raster(np.diag([-2.0, 2.0, 2.0, 1.0]), (3, 2, 2), (2.0,))
    >>> raster.x.tolist(), raster.y.tolist(), raster.step
    ([-4.0, -2.0, 0.0], [2.0, 0.0], (2.0, 2.0))
    """
    (low_x, low_y, _), (high_x, high_y, _) = world_bounds(affine, shape)
    step_x, step_y, _ = world_steps(affine)
    n_x, n_y = round((high_x - low_x) / step_x) + 1, round((high_y - low_y) / step_y) + 1
    thin_x, thin_y = -(-n_x // most), -(-n_y // most)
    x = low_x + step_x * np.arange(thin_x // 2, n_x, thin_x)
    y = low_y + step_y * np.arange(thin_y // 2, n_y, thin_y)[::-1]
    step = (float(step_x * thin_x), float(step_y * thin_y))
    return Raster(x=x, y=y, z=np.asarray(cuts, dtype=np.float64), step=step)


def sample_nearest(volume: npt.NDArray[Any], affine: npt.NDArray[np.float64], raster: Raster) -> npt.NDArray[Any]:
    """What a volume holds at each point of a raster.

    Parameters
    ----------
    volume
        (i, j, k), any dtype and memory order.
    affine
        (4, 4), voxel -> mm, RAS+; may be oblique.
    raster
        The points, mm.

    Returns
    -------
    (cuts, rows, columns) of the volume's dtype; 0 outside the grid.

    Examples
    --------
    >>> volume = np.array([[[1.0]], [[2.0]]])  # i = 0 is the RIGHT voxel of this LAS grid
    >>> affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    >>> sample_nearest(volume, affine, make_raster(affine, volume.shape, (0.0,)))[0].tolist()
    [[2.0, 1.0]]
    """
    inverse = np.linalg.inv(affine)
    world = (raster.x[None, None, :], raster.y[None, :, None], raster.z[:, None, None])
    inside: Any = True
    ijk = []
    for axis, length in enumerate(volume.shape):
        position: Any = np.full((1, 1, 1), inverse[axis, 3] + 0.5)
        for slope, points in zip(inverse[axis, :3], world, strict=True):
            still = abs(slope) * np.ptp(points) < AXIS_TOLERANCE if points.size else True
            position = position + slope * (points.mean() if still and points.size else points)
        # a hair above the half, so that rounding errors of the affine do not send neighbours apart
        index = np.floor(position + 1e-6).astype(np.intp)
        inside = inside & (index >= 0) & (index < length)
        ijk.append(np.clip(index, 0, length - 1))
    found = _take(volume, (ijk[0], ijk[1], ijk[2]))
    whole = np.broadcast_to(found, (raster.z.size, raster.y.size, raster.x.size))
    return whole if np.all(inside) else np.where(inside, whole, np.zeros((), dtype=volume.dtype))


def _take(volume: npt.NDArray[Any], ijk: tuple[npt.NDArray[np.intp], ...]) -> npt.NDArray[Any]:
    """What stands at indices, by one number each where the volume lies in one piece: in a third of the time."""
    if not volume.flags.forc:
        return np.asarray(volume[ijk])
    order: Literal["C", "F"] = "F" if volume.flags.f_contiguous else "C"
    steps = [stride // volume.itemsize for stride in volume.strides]
    numbers = ijk[0] * steps[0] + ijk[1] * steps[1] + ijk[2] * steps[2]
    return np.asarray(volume.ravel(order=order).take(numbers))


def find_filled(array: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], ...]:
    """The indices of what is not zero along each axis, in the order of memory: np.nonzero in a fifth of the time.

    >>> [axis.tolist() for axis in find_filled(np.array([[0, 4], [7, 0]]).T)]
    [[1, 0], [0, 1]]
    """
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous else "C"
    flags = array if array.dtype == np.bool_ else array != 0
    return np.unravel_index(np.flatnonzero(flags.ravel(order=order)), array.shape, order=order)


def occupied(planes: npt.NDArray[np.bool_], raster: Raster, margin: float = 3.0) -> tuple[slice, slice]:
    """The rows and columns in which any plane has something, with a margin in mm; all of them where there is nothing.

    >>> planes = np.zeros((1, 5, 9), bool)
    >>> planes[0, 2, 3] = True
    >>> grid = Raster(x=np.arange(9.0), y=np.arange(5.0)[::-1], z=np.zeros(1), step=(1.0, 1.0))
    >>> occupied(planes, grid, margin=1.0)
    (slice(1, 4, None), slice(2, 5, None))
    """
    spans = []
    for axis, step in ((2, raster.step[1]), (1, raster.step[0])):
        seen = np.flatnonzero(planes.any(axis=(0, axis)))
        length = planes.shape[1 if axis == 2 else 2]
        extra = int(np.ceil(margin / step))
        spans.append(
            slice(max(0, int(seen[0]) - extra), min(length, int(seen[-1]) + 1 + extra))
            if seen.size
            else slice(0, length)
        )
    return spans[0], spans[1]
