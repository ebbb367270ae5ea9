"""A connected component split into local regions, one around each of its peaks.

A *seed* is the voxel a local region grows from. A *random walker* that starts on a voxel steps to a neighbour with a
probability that falls with the difference of their values; the voxel belongs to the seed that the walker most probably
meets first (Grady 2006, IEEE Trans Pattern Anal Mach Intell 28:1768-1783; Abraham et al. 2014, MICCAI, for its use on
brain maps). nilearn's rule for it is in `nilearn_walker`; this is ours, which keeps every voxel and every sign.

The definition, component by component, each of one sign and each by itself:

1. Seeds. |value| inside the component, zero elsewhere, is smoothed with a Gaussian of `smoothing_fwhm` mm (cut at four
   standard deviations; not at all for 0). A voxel is a seed when its smoothed value exceeds a tenth of the component's
   maximum and no voxel of the component within ten voxels along every axis has a higher one; of equal ones only the
   first counts, in the order of x, then y, then z. So each component has a seed, however low it is beside another one,
   and a component that fits into eleven voxels along every axis has exactly one and stays whole.
2. Links. Neighbours (6, 18 or 26, as the component was made) are linked with the weight exp(-13 d^2 / s) + 1e-10,
   d the difference of their values and s the standard deviation of the thresholded map of that sign over the whole
   grid, zeros included (nilearn's weights: beta 130, tenfold standard deviation, no account of the voxels' shape).
3. Probabilities. For all seeds of the component the linear equations of the walk are solved to rounding: by sparse LU,
   or for large bulky components by conjugate gradients with a multigrid cycle, either one corrected until no
   probability would change by 1e-9.
4. Regions. A voxel goes to its most probable seed; of probabilities equal within 1e-8 to the earlier seed, in the order
   of step 1.
5. Whole regions. With three and more seeds the voxels of one seed may lie in several parts. The part around the seed
   stays; every other goes, whole, to the neighbouring region it is linked to most strongly (the sum of its links; of
   equal sums the earlier seed), those first that touch a region, until none is left. Every region is connected.

Where tails are merged a component may hold both signs: step 1 takes |value|, step 2 the signed values and the standard
deviation of the whole thresholded map. All of it works on voxels in canonical order (along the axes nearest to RAS+),
so that storage order does not matter to the last bit.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.random_walk import Links, first_seeds
from bids_regions.libraries import Late
from bids_regions.space import Elements, Grid
from bids_regions.space.grid import find_zooms, grid_under, neighbour_steps

if TYPE_CHECKING:
    from scipy import ndimage, sparse
    from scipy.sparse import csgraph
else:
    ndimage = Late("scipy.ndimage")
    sparse = Late("scipy.sparse")
    csgraph = Late("scipy.sparse.csgraph")

__all__ = ["find_seeds", "join_stranded", "smoothing_deviation", "split_exact"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

REACH = 10  # voxels: two seeds of a component are farther apart along some axis
RELATIVE_HEIGHT = 0.1  # of the component's highest smoothed value: a seed lies above
CUT = 4.0  # standard deviations: where the Gaussian ends
STEEPNESS = 130 / 10  # of the fall of a link's weight with the squared difference
LEAST_WEIGHT = 1e-10  # of a link, so that every component holds together


def split_exact(
    voxels: Elements,
    components: npt.NDArray[np.integer[Any]],
    *,
    connectivity: int,
    smoothing_fwhm: float,
    merged: bool = False,
) -> Integers:
    """Components split into local regions; the definition stands at the head of this file.

    Parameters
    ----------
    voxels
        Those above the cutoff, in canonical order.
    components
        (n,) the component of each, 0, 1, ..., as `label_components` gives them.
    connectivity
        6, 18 or 26, as the components were made.
    smoothing_fwhm
        mm, of the Gaussian that is used to find seeds; 0 for none.
    merged
        Components hold both signs.

    Returns
    -------
    ndarray
        (n,) local region of each voxel, 0, 1, ..., in the order of the components and of their seeds.

    Examples
    --------
    A ridge with a saddle, and a blob of its own, too low and too near to have a seed by nilearn's rule:

    >>> from bids_regions.extraction.components import label_components
    >>> from bids_regions.space import Grid
    >>> data = np.zeros((30, 1, 1))
    >>> data[:25, 0, 0] = 4 + 3 * np.cos(np.arange(25) / 24 * 4 * np.pi - np.pi)
    >>> data[27:, 0, 0] = 1.0
    >>> above = np.flatnonzero(data)
    >>> voxels = Grid.of(data, np.eye(4)).at(above, data.ravel()[above])
    >>> components = label_components(voxels, 6)
    >>> np.bincount(components).tolist()
    [25, 3]
    >>> np.bincount(split_exact(voxels, components, connectivity=6, smoothing_fwhm=0.0)).tolist()
    [13, 12, 3]
    """
    grid = grid_under(voxels, "local_regions")
    component: Integers = components.astype(np.intp, copy=False)
    if not component.size:
        return component
    seeds = _several_seeds(voxels, component, grid, smoothing_fwhm)
    counts = np.ones(int(component.max()) + 1, np.intp)
    counts[list(seeds)] = [found.size for found in seeds.values()]
    regions: Integers = (np.cumsum(counts) - counts)[component]
    if seeds:
        split = np.flatnonzero(counts[component] > 1)
        regions[split] += _walk(voxels, component, split, seeds, connectivity, merged)
    return regions


def _several_seeds(voxels: Elements, component: Integers, grid: Grid, smoothing_fwhm: float) -> dict[int, Integers]:
    """The seeds of those components that have more than one, by their numbers among the component's voxels."""
    order = np.argsort(component, kind="stable")
    first = np.flatnonzero(np.diff(component[order], prepend=-1))
    last = np.append(first[1:], component.size)
    ijk = grid.ijk(voxels.rank)[:, order]
    extent = np.maximum.reduceat(ijk, first, axis=1) - np.minimum.reduceat(ijk, first, axis=1)
    magnitude = np.abs(voxels.values[order])
    deviation = smoothing_deviation(smoothing_fwhm, grid.canonical.affine)
    large = np.flatnonzero((extent > REACH).any(axis=0)).tolist()  # any other has one seed
    seeds = {c: find_seeds(ijk[:, first[c] : last[c]], magnitude[first[c] : last[c]], deviation) for c in large}
    return {c: found for c, found in seeds.items() if found.size > 1}


def smoothing_deviation(fwhm: float, affine: Floats) -> Floats:
    """The standard deviations in voxels, along the three axes of an affine, of a Gaussian of `fwhm` mm.

    >>> smoothing_deviation(6.0, np.diag([2.0, 2.0, 3.0, 1.0])).round(3)
    array([1.274, 1.274, 0.849])
    """
    return np.asarray(fwhm / (math.sqrt(8 * math.log(2)) * np.array(find_zooms(affine))))


def find_seeds(ijk: npt.NDArray[np.int32], magnitude: npt.NDArray[Any], deviation: Floats) -> Integers:
    """The seeds of one component.

    Parameters
    ----------
    ijk
        (3, n) its voxels.
    magnitude
        (n,) positive.
    deviation
        (3,) voxels: standard deviation of the Gaussian along each axis; 0 for no smoothing.

    Returns
    -------
    ndarray
        (k,) positions among the n, by x, then y, then z; at least one.

    Examples
    --------
    >>> line = np.stack([np.arange(30), np.zeros(30), np.zeros(30)]).astype(np.int32)
    >>> height = np.ones(30)
    >>> height[[4, 14, 25]] = 3.0, 2.0, 2.0
    >>> find_seeds(line, height, np.zeros(3)).tolist()      # the second lies ten voxels from a higher one
    [4, 25]
    """
    low = ijk.min(axis=1, keepdims=True)
    x, y, z = ijk - low
    box = np.zeros((x.max() + 1, y.max() + 1, z.max() + 1), np.float32)
    box[x, y, z] = magnitude / magnitude.max()
    smoothed = np.zeros_like(box)
    smoothed[x, y, z] = _smooth(box, deviation)[x, y, z]
    highest = ndimage.maximum_filter(smoothed, size=2 * REACH + 1, mode="constant")
    is_seed = (smoothed == highest) & (smoothed > RELATIVE_HEIGHT * smoothed.max())
    seeds = np.flatnonzero(is_seed)
    if np.unique(smoothed.reshape(-1)[seeds]).size < seeds.size:
        # equal maxima within reach of each other: only the first counts
        rank = np.full(box.shape, box.size, np.intp)
        rank.reshape(-1)[seeds] = seeds
        first = ndimage.minimum_filter(rank, size=2 * REACH + 1, mode="constant", cval=box.size)
        seeds = seeds[first.reshape(-1)[seeds] == seeds]
    flat = np.ravel_multi_index((x, y, z), box.shape)
    by_number = np.argsort(flat)
    return np.asarray(by_number[np.searchsorted(flat, seeds, sorter=by_number)])


def _smooth(box: npt.NDArray[np.float32], deviation: Floats) -> npt.NDArray[np.float32]:
    for axis, sigma in enumerate(deviation.tolist()):
        radius = int(CUT * sigma + 0.5)
        if radius:
            kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
            box = ndimage.correlate1d(box, kernel / kernel.sum(), axis=axis, mode="constant")
    return box


def _walk(
    voxels: Elements, components: Integers, split: Integers, seeds: dict[int, Integers], connectivity: int, merged: bool
) -> Integers:
    """For the voxels at `split`, those of components with several seeds: the seed of their region."""
    inside, component = voxels.only(split), components[split]
    order = np.argsort(component, kind="stable")
    number = np.empty(split.size, np.intp)  # of a voxel among those of its component
    starts = np.searchsorted(component[order], list(seeds))
    sizes = np.diff(np.append(starts, split.size))
    number[order] = np.arange(split.size) - np.repeat(starts, sizes)
    one, other = _neighbours(inside, component, connectivity)
    weight = _weights(voxels, inside.values[one], inside.values[other], merged)
    by_component = np.argsort(component[one], kind="stable")
    one, other, weight = one[by_component], other[by_component], weight[by_component]
    ends = np.searchsorted(component[one], list(seeds), side="right")
    regions = np.empty(split.size, np.intp)
    begin = 0
    for (_, found), start, size, end in zip(seeds.items(), starts, sizes, ends, strict=True):
        links = Links(number[one[begin:end]], number[other[begin:end]], weight[begin:end])
        begin = end
        region = join_stranded(first_seeds(size, links, found), links, found)
        regions[order[start : start + size]] = region
    return regions


def _neighbours(voxels: Elements, component: Integers, connectivity: int) -> tuple[Integers, Integers]:
    """The pairs of voxels of one component that are neighbours, each once."""
    pairs = []
    for step in neighbour_steps(grid_under(voxels, "local_regions"), connectivity):
        at = np.minimum(np.searchsorted(voxels.rank, voxels.rank + step), voxels.rank.size - 1)
        one = np.flatnonzero((voxels.rank[at] == voxels.rank + step) & (component[at] == component))
        pairs.append((one, at[one]))
    ones, others = zip(*pairs, strict=True)
    return np.concatenate(ones), np.concatenate(others)


def _weights(voxels: Elements, one: npt.NDArray[Any], other: npt.NDArray[Any], merged: bool) -> Floats:
    values = voxels.values.astype(np.float64)
    unit = float(np.abs(values).max())  # keeps the squares of any float64 map finite
    cells = voxels.domain.size
    weight = np.ones(one.size)
    difference = (one.astype(np.float64) - other) / unit
    for chosen, links in [(values != 0, one != 0)] if merged else [(values > 0, one > 0), (values < 0, one < 0)]:
        part = values[chosen] / unit
        mean = float(np.sum(part)) / cells
        variance = (float(np.sum((part - mean) ** 2)) + (cells - part.size) * mean**2) / cells
        if variance > 0:
            with np.errstate(over="ignore"):
                fall = STEEPNESS * unit * (difference[links] ** 2 / math.sqrt(variance))
            weight[links] = np.exp(-fall)
    return weight + LEAST_WEIGHT


def join_stranded(regions: Integers, links: Links, seeds: Integers) -> Integers:
    """The same regions with each part that is cut off from its seed given to the neighbour it is linked to most.

    Parameters
    ----------
    regions
        (n,) 0, 1, ..., k - 1.
    links
        Of the n nodes, a connected graph.
    seeds
        (k,) a node of each region.

    Examples
    --------
    Region 1 has its seed at node 4 and a stranded node 0:

    >>> chain = Links(np.arange(4), np.arange(1, 5), np.ones(4))
    >>> join_stranded(np.array([1, 0, 0, 1, 1]), chain, np.array([2, 4])).tolist()
    [0, 0, 0, 1, 1]
    """
    n, k = regions.size, seeds.size
    same = regions[links.one] == regions[links.other]
    inner = (links.one[same], links.other[same])
    graph = sparse.coo_array((np.ones(inner[0].size, np.int8), inner), shape=(n, n))
    n_parts, part = csgraph.connected_components(graph, directed=False)
    region_of = np.full(n_parts, -1, np.intp)
    region_of[part[seeds]] = np.arange(k)
    if n_parts == k:
        return regions
    one, other = part[links.one[~same]], part[links.other[~same]]
    near, far = np.concatenate([one, other]), np.concatenate([other, one])
    weight = np.tile(links.weight[~same], 2)
    while (region_of < 0).any():
        open_ = (region_of[near] < 0) & (region_of[far] >= 0)
        touching, row = np.unique(near[open_], return_inverse=True)
        shared = np.bincount(row * k + region_of[far[open_]], weight[open_], touching.size * k)
        region_of[touching] = shared.reshape(-1, k).argmax(axis=1)
    return np.asarray(region_of[part], np.intp)
