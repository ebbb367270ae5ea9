"""From labelled voxels to what is said of them: regions, their peaks, their order and their colours.

A *peak* is a local maximum of |value| among the voxels of one region; voxels of equal value that touch are one
*plateau* and give one peak, the voxel of the plateau nearest to its middle.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.components import Runs, Voxels, join, row_steps
from bids_regions.extraction.criteria import Criteria

__all__ = ["PALETTE", "Peak", "Region", "describe_regions", "find_peaks", "local_maxima", "order_regions", "scan_order"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[Any]  # int32 or intp

# Seven colours of Okabe & Ito (2008, https://jfly.uni-koeln.de/color/), then each the one farthest from those before it
# in OKLab (Ottosson 2020), the nearest of normal vision and full deuter-, prot- and tritanopia (Machado et al. 2009).
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#692d2d", "#4bfff0", "#0000d2",
    "#5a2d87", "#a569ff", "#96d296", "#964b78", "#a53c0f", "#8700ff", "#0fd2d2", "#d200b4", "#c3f0b4", "#004b5a",
)  # fmt: skip
MM_RESOLUTION = 1e-4  # mm; places nearer than this are equal when ties are broken
DISTANCE_ROUNDING = 1e-6  # relative; a grid's distances carry the rounding of its float32 affine, so that a distance
# that is nominally the minimum counts as equal to it


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A local maximum of |value| within one region."""

    rank: int  # 1 is the region's main peak
    value: float  # signed, the map's units
    xyz: tuple[float, float, float]  # mm, RAS+
    ijk: tuple[int, int, int]  # voxel, 0-based, the file's own axes


@dataclass(frozen=True, kw_only=True)
class Region:
    """One set of voxels that passed, and its measures."""

    index: int  # its number in the label image, 1..n
    name: str  # region-1, region-2, ... until an atlas names it
    sign: str  # positive, negative; both where merged tails left voxels of both signs
    n_voxels: int
    volume_mm3: float  # mm3, n_voxels times |det(affine)|
    peak: Peak  # the main peak
    peaks: tuple[Peak, ...]  # by rank, the main peak first
    com_xyz: tuple[float, float, float]  # mm, RAS+, centre of mass weighted by |value|
    com_in_region: bool  # whether the voxel nearest to the centre of mass is one of the region's
    mean_value: float
    sd_value: float  # with n-1; nan for a single voxel
    sum_value: float
    p_cluster: float | None = None  # by Gaussian random field theory, on request
    tdp: float | None = None  # true-discovery proportion, on request
    values_mean: float | None = None  # of the second map, on request
    values_at_peak: float | None = None  # of the second map, on request
    color: str  # #rrggbb


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The measures of labelled voxels, an entry per region in the order of their numbers."""

    n_voxels: Integers
    sign: tuple[str, ...]
    sum_value: Array
    mean_value: Array
    sd_value: Array  # nan where there is one voxel
    com_xyz: Array  # (3, n) mm, RAS+
    com_in_region: npt.NDArray[np.bool_]


def measure_regions(voxels: Voxels, region: Integers, n_regions: int) -> Measured:
    """Sums over the voxels of each region, each in canonical order, in float64.

    Parameters
    ----------
    voxels
        The voxels of the regions.
    region
        (n,) the region of each voxel, 0 to `n_regions` - 1, each of which has voxels.
    n_regions
        How many.
    """
    values = voxels.values.astype(np.float64)
    count = np.bincount(region, minlength=n_regions)
    total = np.bincount(region, values, n_regions)
    mean = total / count
    deviation = mean[region]
    deviation -= values  # in place here and below: these are the largest arrays of an extraction
    squares = np.bincount(region, np.square(deviation, out=deviation), n_regions)
    sd = np.sqrt(np.divide(squares, count - 1, where=count > 1, out=np.full(n_regions, np.nan)))
    weight = np.abs(values, out=values)
    mass = np.bincount(region, weight, n_regions)
    com = np.stack([np.bincount(region, np.multiply(weight, axis, out=deviation)) for axis in voxels.ijk]) / mass
    n_positive = np.bincount(region[voxels.values > 0], minlength=n_regions)
    sign = [_sign(*counts) for counts in zip(n_positive.tolist(), count.tolist(), strict=True)]
    found = _find(voxels, voxels.frame.place(np.rint(com)))
    return Measured(
        n_voxels=count, sign=tuple(sign), sum_value=total, mean_value=mean, sd_value=sd,
        com_xyz=voxels.frame.to_mm(com), com_in_region=(found >= 0) & (region[found] == np.arange(n_regions)),
    )  # fmt: skip


def _sign(n_positive: int, n_voxels: int) -> str:
    return "positive" if n_positive == n_voxels else "both" if n_positive else "negative"


def _find(voxels: Voxels, place: Integers) -> Integers:
    """The number of the voxel at each place, -1 where none of the voxels is there."""
    at = np.searchsorted(voxels.place, place.astype(voxels.place.dtype, copy=False))
    there = voxels.place.take(at, mode="clip") == place
    return np.where(there, at, -1)


def local_maxima(voxels: Voxels, region: Integers, neighbourhood: int) -> Integers:
    """The voxels whose |value| no neighbour of the same region exceeds, one for each plateau.

    Parameters
    ----------
    voxels
        The voxels of the regions.
    region
        (n,) the region of each voxel.
    neighbourhood
        6, 18 or 26 neighbours.

    Returns
    -------
    ndarray
        Numbers of voxels, ascending.
    """
    magnitude = np.abs(voxels.values)
    runs = Runs.of(voxels.place, region, magnitude)
    region_of, height = region[runs.first], magnitude[runs.first]
    next_to = (runs.start[1:] - runs.end[:-1] == 1) & (region_of[1:] == region_of[:-1])
    lower = np.zeros(height.size, bool)
    lower[1:] = next_to & (height[1:] < height[:-1])
    lower[:-1] |= next_to & (height[:-1] < height[1:])
    top, level = np.flatnonzero(~lower), []
    both_ways = [(way * step, reach) for step, reach in row_steps(voxels.frame, neighbourhood) for way in (1, -1)]
    for step, reach in both_ways:  # most runs fall out at their first rows
        one, other = runs.touching(top, step, reach)
        here = region_of[one] == region_of[other]
        lower[one[here & (height[one] < height[other])]] = True
        equal = here & (height[one] == height[other])
        level.append((one[equal], other[equal]))
        top = top[~lower[top]]
    one, other = (np.concatenate(side) for side in zip(*level, strict=True))
    still = ~lower[one]
    one, other = one[still], other[still]
    lower[one[lower[other]]] = True  # flat, but the plateau goes up elsewhere; its other runs follow below
    return _one_of_each_plateau(voxels, runs, top, (one, other, lower))


def _one_of_each_plateau(
    voxels: Voxels, runs: Runs, top: Integers, flat: tuple[Integers, Integers, npt.NDArray[np.bool_]]
) -> Integers:
    """Of runs of equal voxels, joined in pairs to plateaus, the voxel of each plateau nearest to its middle."""
    one, other, spoiled = flat
    number = np.full(runs.first.size, -1)
    number[top] = np.arange(top.size)
    both = number[other] >= 0
    n, plateau = join(number[one[both]], number[other[both]], top.size)
    whole = np.bincount(plateau, spoiled[top], n) == 0
    length = (runs.end - runs.start)[top] + 1
    size = np.bincount(plateau, length, n)
    alone = whole[plateau] & (size[plateau] == 1)
    wide = np.flatnonzero(whole[plateau] & (size[plateau] > 1))
    if not wide.size:
        return np.asarray(runs.first[top[alone]])
    owner = np.repeat(plateau[wide], length[wide])
    skipped = np.repeat(np.cumsum(length[wide]) - length[wide], length[wide])
    member = np.repeat(runs.first[top[wide]], length[wide]) + np.arange(owner.size) - skipped
    xyz = voxels.frame.to_mm(voxels.frame.ijk(voxels.place[member]))
    middle = np.stack([np.bincount(owner, axis, n) for axis in xyz]) / np.maximum(size, 1)
    away = _coarse(np.sum((xyz - middle[:, owner]) ** 2, axis=0))
    least = np.full(n, np.inf)
    np.minimum.at(least, owner, away)
    near = np.flatnonzero(away == least[owner])
    near = near[np.lexsort((*_tie_keys(xyz[:, near])[::-1], owner[near]))]
    nearest = member[near[np.unique(owner[near], return_index=True)[1]]]
    return np.sort(np.concatenate([runs.first[top[alone]], nearest]))


def _coarse(mm: Array) -> Array:
    """Millimetres as whole numbers; the shift keeps the coordinates that grids have off the rounding's edges."""
    return np.asarray(np.floor(mm / MM_RESOLUTION + 0.2371))


def _tie_keys(xyz: Array) -> list[Array]:
    return [_coarse(axis) for axis in xyz]


def find_peaks(voxels: Voxels, region: Integers, criteria: Criteria) -> Integers:
    """The peaks of each region: the highest |value|, then in descending order each that is far from all before it.

    Farther than `min_peak_distance` mm (or at it, where the convention counts it in), at least one and at most
    `max_peaks` a region; equal values in the order of x, then y, then z in mm.

    Returns
    -------
    ndarray
        Numbers of voxels, by region and rank; every region has one.
    """
    top = local_maxima(voxels, region, criteria.peak_neighbourhood)
    ijk = voxels.frame.ijk(voxels.place[top])
    keys = _tie_keys(voxels.frame.to_mm(ijk))
    order = np.lexsort((*keys[::-1], -np.abs(voxels.values[top]), region[top]))
    top = top[order]
    rounding = -DISTANCE_ROUNDING if criteria.peak_distance_inclusive else DISTANCE_ROUNDING
    least = (criteria.min_peak_distance * (1 + rounding)) ** 2
    place, owner = voxels.frame.affine[:3, :3] @ ijk[:, order], region[top]
    left, kept = np.arange(top.size), []
    for _ in range(criteria.max_peaks):  # in all regions at once: keep the highest that is left, drop those near it
        if not left.size:
            break
        highest = np.append(True, owner[left[1:]] != owner[left[:-1]])
        kept.append(left[highest])
        from_it = place[:, left] - place[:, left[highest]][:, np.cumsum(highest) - 1]
        away = np.sum(from_it**2, axis=0)
        left = left[(away > least) & ~highest]
    return np.asarray(top[np.sort(np.concatenate(kept))])


def order_regions(voxels: Voxels, sizes: Integers, main: Integers, *, by_sign: bool) -> Integers:
    """The regions, number 1 first: positive (by_sign), voxels descending, |peak| descending, peak x, y, z ascending."""
    keys = _tie_keys(voxels.frame.to_mm(voxels.frame.ijk(voxels.place[main])))
    peak = voxels.values[main]
    tail = peak < 0 if by_sign else np.zeros(main.size, bool)
    return np.lexsort((*keys[::-1], -np.abs(peak), -sizes, tail))


def scan_order(voxels: Voxels, region: Integers, n_regions: int) -> Integers:
    """The regions, number 1 first, by their first voxel in the scan of the file's axes, the last axis fastest."""
    i, j, k = voxels.frame.to_file(voxels.ijk).astype(np.intp)
    _, nj, nk = voxels.frame.file_shape
    first = np.full(n_regions, np.iinfo(np.intp).max)
    np.minimum.at(first, region, (i * nj + j) * nk + k)
    return np.argsort(first)


def describe_regions(
    voxels: Voxels, region: Integers, peaks: Integers, order: Integers, facts: Mapping[str, Array]
) -> tuple[Region, ...]:
    """The regions in the order of their numbers.

    Parameters
    ----------
    voxels, region
        The voxels of the regions, and the region of each, 0 to n - 1.
    peaks
        Numbers of voxels, by region and rank.
    order
        The regions, number 1 first.
    facts
        What else is known of each region, by the names of Region's optional fields; nan for unknown.
    """
    measured = measure_regions(voxels, region, order.size)
    bounds = np.searchsorted(region[peaks], np.arange(order.size + 1)).tolist()
    every_peak = _make_peaks(voxels, region, peaks)
    columns = {
        "sign": measured.sign,
        "n_voxels": measured.n_voxels.tolist(),
        "volume_mm3": [_plain(mm3) for mm3 in (measured.n_voxels * voxels.frame.voxel_volume).tolist()],
        "com_xyz": list(zip(*measured.com_xyz.tolist(), strict=True)),
        "com_in_region": measured.com_in_region.tolist(),
        "mean_value": measured.mean_value.tolist(),
        "sd_value": measured.sd_value.tolist(),
        "sum_value": measured.sum_value.tolist(),
        **{name: [None if math.isnan(v) else v for v in column.tolist()] for name, column in facts.items()},
    }
    regions = []
    for index, k in enumerate(order.tolist(), start=1):
        ranked = every_peak[bounds[k] : bounds[k + 1]]
        row = {name: column[k] for name, column in columns.items()}
        color = PALETTE[(index - 1) % len(PALETTE)]
        regions.append(Region(index=index, name=f"region-{index}", peak=ranked[0], peaks=ranked, color=color, **row))
    return tuple(regions)


def _plain(number: float) -> float:
    """Without the last digits, which are the rounding of a determinant: 504 and not 503.9999999999999."""
    return float(f"{number:.12g}")


def _make_peaks(voxels: Voxels, region: Integers, peaks: Integers) -> tuple[Peak, ...]:
    owner, ijk = region[peaks], voxels.frame.ijk(voxels.place[peaks])
    rank = np.arange(peaks.size) - np.searchsorted(owner, owner) + 1
    xyz = zip(*voxels.frame.to_mm(ijk).tolist(), strict=True)
    file_ijk = zip(*voxels.frame.to_file(ijk).tolist(), strict=True)
    rows = zip(rank.tolist(), voxels.values[peaks].tolist(), xyz, file_ijk, strict=True)
    return tuple(Peak(rank=r, value=value, xyz=mm, ijk=voxel) for r, value, mm, voxel in rows)
