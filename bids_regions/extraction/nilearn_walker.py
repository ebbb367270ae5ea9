"""nilearn's local regions, voxel for voxel: `connected_regions(extract_type="local_regions")` of version 0.14.1.

Kept for comparison with published results; our own rule stands in `local_regions` and says what it does differently.
nilearn's rule works on the whole thresholded map at once: seeds are the maxima of the smoothed map within ten voxels
that exceed a tenth of its maximum (so no negative value, and no blob close to a higher one, has a seed); seeds and the
non-zero voxels connected to them by faces are walked, everything else is dropped; the equations are solved by
conjugate gradients up to a relative residual of 1e-3, one seed after the other. At that tolerance the order of the
floating-point operations decides voxels. Each step here is therefore carried out in the precision and the order that
gives nilearn's bits (found by comparison), but on the bounding box of the map and its nodes alone.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bids_regions.libraries import Late
from bids_regions.space.grid import find_zooms

if TYPE_CHECKING:
    from scipy import ndimage, sparse
    from scipy.sparse import linalg
else:
    ndimage = Late("scipy.ndimage")
    sparse = Late("scipy.sparse")
    linalg = Late("scipy.sparse.linalg")

__all__ = ["split_nilearn"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.intp]
Box = tuple[slice, slice, slice]

REACH = 10  # voxels: no seed within this distance of a higher one along all axes
RELATIVE_HEIGHT = 0.1  # of the highest maximum
TOLERANCE = 1e-3  # of the relative residual
LEAST_WEIGHT = 1e-10


def split_nilearn(thresholded: Array, affine: Array, smoothing_fwhm: float | None) -> npt.NDArray[np.int32]:
    """The local regions of a thresholded map by nilearn's rule, before small ones are removed.

    Parameters
    ----------
    thresholded
        3-D, float32 or float64, finite, 0 where the threshold was not reached. nilearn's result depends on the order
        in memory of the array that it is given; so does this.
    affine
        (4, 4), voxel to mm.
    smoothing_fwhm
        mm, of the Gaussian that is used to find seeds; 0 or None for none.

    Returns
    -------
    ndarray
        int32, same shape: 1, 2, ... in the order of the seeds' first voxels (last axis fastest), 0 for none.

    Examples
    --------
    The rule loses the smaller of two separate blobs; `split_exact` keeps both:

    >>> two = np.zeros((12, 4, 4))
    >>> two[1:5, 1:3, 1:3], two[7:10, 1:3, 1:3] = 5.0, 4.0
    >>> split_nilearn(two, np.eye(4), 3.0)[:, 1, 1].tolist()
    [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    """
    labels = np.zeros(thresholded.shape, np.int32)
    if not thresholded.any():
        return labels
    sizes = np.array(find_zooms(affine))
    # the Gaussian's standard deviation in voxels along each axis
    deviation: list[float] = (np.asarray([smoothing_fwhm or 0.0]) / (np.sqrt(8 * np.log(2)) * sizes)).tolist()
    box = _box_around(thresholded, deviation)
    data = np.ascontiguousarray(thresholded[box])
    seeds = _seeds(data, deviation, whole=data.shape == thresholded.shape)
    seeds[data == 0] = -1
    found = np.maximum(seeds, 0)
    active = _walked(seeds)
    if active.any():
        found = np.zeros_like(seeds)
        found[active] = _walk(data, active, seeds, _spread(thresholded))
    values = np.unique(found)
    labels[box] = np.searchsorted(values[values > 0], found, side="right")
    return labels


def _box_around(data: Array, deviation: list[float]) -> Box:
    """Where the smoothed map may differ from zero."""
    ends = []
    for axis, sigma in enumerate(deviation):
        used = np.flatnonzero(data.any(axis=tuple({0, 1, 2} - {axis})))
        margin = int(4 * sigma + 0.5)
        ends.append(slice(max(int(used[0]) - margin, 0), int(used[-1]) + margin + 1))
    x, y, z = ends
    return x, y, z


def _seeds(data: Array, deviation: list[float], *, whole: bool) -> Integers:
    """The maxima of the smoothed map, numbered by connected group."""
    smoothed = data.copy()
    for axis, sigma in enumerate(deviation):
        if sigma > 0:
            ndimage.gaussian_filter1d(smoothed, sigma, output=smoothed, axis=axis)
    none: Integers = np.zeros(data.shape, np.intp)
    if whole and (smoothed == smoothed.flat[0]).all():
        return none
    highest = smoothed == ndimage.maximum_filter(smoothed, size=2 * REACH + 1, mode="constant")
    height = smoothed * highest
    ndimage.label(height > height.max() * RELATIVE_HEIGHT, output=none)
    return none


def _spread(thresholded: Array) -> Any:
    """The standard deviation over the whole grid, in the map's own precision and nilearn's order of memory."""
    return (thresholded if thresholded.flags.f_contiguous else np.ascontiguousarray(thresholded)).std()


def _walked(seeds: Integers) -> npt.NDArray[np.bool_]:
    """The voxels that take part: those connected by faces to both a seed and a voxel without a seed."""
    component, n = ndimage.label(seeds >= 0)
    has_seed, has_open = np.zeros(n + 1, bool), np.zeros(n + 1, bool)
    has_seed[component[seeds > 0]] = True
    has_open[component[seeds == 0]] = True
    return np.asarray((has_seed & has_open)[component] & (component > 0))


def _walk(data: Array, active: npt.NDArray[np.bool_], seeds: Integers, spread: Any) -> Integers:
    """The label of each active voxel, in the order of the box."""
    seed = seeds[active]
    present = np.unique(seeds[seeds > 0])
    seed[seed > 0] = np.searchsorted(present, seed[seed > 0]) + 1
    laplacian = _laplacian(data, active, spread)
    free, fixed = np.flatnonzero(seed == 0), np.flatnonzero(seed > 0)
    to_free = laplacian[free]
    inner, to_seeds = to_free[:, free], to_free[:, fixed].tocoo()
    highest, label = np.full(free.size, -math.inf), np.ones(free.size, np.intp)
    for k in range(1, int(seed.max()) + 1):
        mine = seed[fixed][to_seeds.col] == k
        drive = -np.bincount(to_seeds.row[mine], to_seeds.data[mine], free.size)
        probability, _ = linalg.cg(inner, drive, rtol=TOLERANCE, atol=0.0)
        higher = probability > highest
        highest[higher], label[higher] = probability[higher], k
    seed[free] = label
    return seed


def _laplacian(data: Array, active: npt.NDArray[np.bool_], spread: Any) -> Any:
    """Of the graph of active voxels and their faces: columns ascending, degrees summed towards later voxels first."""
    number = np.full(data.shape, -1, np.intp)
    n = int(np.count_nonzero(active))
    number[active] = np.arange(n)
    steepness = 130.0 / (10 * spread)  # rounded to the map's precision, as the spread is
    node, weight = np.full((7, n), -1, np.intp), np.zeros((7, n))
    node[3] = np.arange(n)
    for axis in range(3):
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        low, high = tuple(before), tuple(after)
        linked = active[low] & active[high]
        a, b = number[low][linked], number[high][linked]
        squared = np.abs(data[low][linked] - data[high][linked]).astype(np.float64) ** 2
        w = np.exp(-(squared * steepness)) + LEAST_WEIGHT
        node[6 - axis, a], weight[6 - axis, a] = b, -w
        node[axis, b], weight[axis, b] = a, -w
    for k in (4, 5, 6, 2, 1, 0):
        weight[3] -= weight[k]
    used = node.T >= 0
    start = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    return sparse.csr_array((weight.T[used], node.T[used], start), shape=(n, n))
