"""From labelled voxels or vertices to what is said of them: regions, their peaks, their order and their colours.

A *peak* is a local maximum of |value| among the elements of one region; elements of equal value that touch are one
*plateau* and give one peak: the voxel of the plateau nearest to its middle, or its first vertex.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.components import join
from bids_regions.extraction.criteria import Criteria
from bids_regions.frozen import dataclass
from bids_regions.space import Addresses, Chains, Elements, Extents
from bids_regions.space.grid import coarse_mm

__all__ = [
    "PALETTE",
    "Peak",
    "Region",
    "describe_regions",
    "describe_second",
    "find_peaks",
    "local_maxima",
    "order_regions",
    "scan_order",
    "without_values",
]

Array = npt.NDArray[Any]
Integers = npt.NDArray[Any]  # int32 or intp

# Seven colours of Okabe & Ito (2008, https://jfly.uni-koeln.de/color/), then each the one farthest from those before it
# in OKLab (Ottosson 2020), the nearest of normal vision and full deuter-, prot- and tritanopia (Machado et al. 2009).
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#692d2d", "#4bfff0", "#0000d2",
    "#5a2d87", "#a569ff", "#96d296", "#964b78", "#a53c0f", "#8700ff", "#0fd2d2", "#d200b4", "#c3f0b4", "#004b5a",
)  # fmt: skip
DISTANCE_ROUNDING = 1e-6  # relative; a grid's distances carry the rounding of its float32 affine, so that a distance
# that is nominally the minimum counts as equal to it


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A local maximum of the magnitude within one region."""

    rank: int  # 1 is the region's main peak
    value: float  # signed, the map's units
    xyz: tuple[float, float, float]  # mm, RAS+; nan on a surface without coordinates
    ijk: tuple[int, int, int] | None = None  # voxel, 0-based, the file's own axes; None for a vertex
    vertex: int | None = None  # number in the mesh, 0-based; None for a voxel
    z_equivalent: float | None = None  # z of the same tail probability, with the value's sign
    p_unc: float | None = None  # of one tail, uncorrected
    p_fwe: float | None = None  # by random field theory, on request
    q_fdr: float | None = None  # among all maxima above the height, on request


@dataclass(frozen=True, kw_only=True)
class Region:
    """One set of voxels or vertices that passed, and its measures; None for what does not apply to it."""

    index: int  # its number in the label image, 1..n
    name: str  # region-1, region-2, ... until an atlas names it
    sign: str  # positive, negative; both where merged tails left values of both signs
    structure: str | None = None  # CORTEX_LEFT, THALAMUS_LEFT, ...; None on a plain grid
    n_voxels: int | None = None
    n_vertices: int | None = None
    volume_mm3: float | None = None  # mm3, n_voxels times |det(affine)|
    area_mm2: float | None = None  # mm2, of the vertices; None where no areas are known
    peak: Peak  # the main peak
    peaks: tuple[Peak, ...]  # by rank, the main peak first
    com_xyz: tuple[float, float, float]  # mm, RAS+, centre of mass weighted by |value| (times area); nan as in Peak
    com_in_region: bool | None  # whether the voxel nearest to the centre of mass is one of the region's
    mean_value: float
    sd_value: float  # with n-1; nan for a single element
    sum_value: float
    p_cluster: float | None = None  # family-wise, by random field theory, on request; so are the four below
    p_cluster_unc: float | None = None  # of one tail, uncorrected
    q_cluster: float | None = None  # among all clusters above the height
    p_peak: float | None = None  # of the main peak, family-wise
    q_peak: float | None = None  # of the main peak, among all maxima above the height
    tdp: float | None = None  # true-discovery proportion, on request
    values_mean: float | None = None  # of the second map, on request
    values_at_peak: float | None = None  # of the second map, on request
    values_peak: float | None = None  # extremum of the second map in the region's direction, on request
    values_peak_x: float | None = None  # mm, RAS+, where that is
    values_peak_y: float | None = None
    values_peak_z: float | None = None
    color: str  # #rrggbb

    def __repr__(self) -> str:
        x, y, z = self.peak.xyz
        unit = "voxels" if self.n_vertices is None else "vertices"
        peak = f"peak {self.peak.value:.4g} at ({x:.4g}, {y:.4g}, {z:.4g})"
        return f"<Region {self.index}: {self.name}, {self.sign}, {self.n_elements} {unit}, {peak}>"

    @property
    def n_elements(self) -> int:
        """Voxels or vertices."""
        return self.n_voxels or self.n_vertices or 0

    @property
    def hemi(self) -> str | None:
        """L or R by the structure's name; None where it has no side."""
        return next((side[1] for side in ("_LEFT", "_RIGHT") if (self.structure or "").endswith(side)), None)


MADE_OF_VALUES = tuple(field.name for field in fields(Region) if field.type is float)  # nan where none is finite


def without_values(region: Region) -> Region:
    """The region without what is made of values: what stands for them weighs voxels and is no number of the map."""
    nothing: Any = math.nan
    peaks = tuple(
        replace(peak, value=nothing, z_equivalent=nothing, p_unc=nothing, p_fwe=nothing, q_fdr=nothing)
        for peak in region.peaks
    )
    return replace(
        region, peak=peaks[0], peaks=peaks, p_peak=nothing, q_peak=nothing, **dict.fromkeys(MADE_OF_VALUES, nothing)
    )


def measure_regions(elements: Elements, region: Integers, n_regions: int) -> dict[str, Sequence[Any]]:
    """The measures of labelled elements by Region's fields, an entry for each region; a new measure is a line here.

    Sums over the elements of each region, each in canonical order, in float64.

    Parameters
    ----------
    elements
        The elements of the regions.
    region
        (n,) the region of each element, 0 to `n_regions` - 1, each of which has elements.
    n_regions
        How many.
    """
    values = elements.values.astype(np.float64)
    count = np.bincount(region, minlength=n_regions)
    total = np.bincount(region, values, n_regions)
    mean = total / count
    deviation = mean[region]
    deviation -= values  # in place here and below: these are the largest arrays of an extraction
    squares = np.bincount(region, np.square(deviation, out=deviation), n_regions)
    sd = np.sqrt(np.divide(squares, count - 1, where=count > 1, out=np.full(n_regions, np.nan)))
    weight = np.abs(values, out=values)
    if not weight.all():
        weightless = np.bincount(region, weight, n_regions) == 0
        weight[weightless[region]] = 1
    centres = elements.domain.centres(elements, weight, region, n_regions)
    return {
        **_sizes(elements.domain.extents(elements, region, count), count.tolist()),
        "com_xyz": list(zip(*centres.xyz.tolist(), strict=True)),
        "com_in_region": centres.inside,
        "mean_value": mean.tolist(),
        "sd_value": sd.tolist(),
        "sum_value": total.tolist(),
    }


def _sizes(extents: Extents, counts: Sequence[int]) -> dict[str, Sequence[Any]]:
    """The counts and extents of voxels, and those of vertices."""
    sheet = extents.on_sheet.tolist()
    size = [None if math.isnan(mm) else _plain(mm) for mm in extents.size.tolist()]
    if not any(sheet):  # most maps
        return {"n_voxels": counts, "volume_mm3": size}
    return {
        f"{what}_{unit}": [value if is_sheet == wanted else None for value, is_sheet in zip(column, sheet, strict=True)]
        for what, unit, column, wanted in (
            ("n", "voxels", counts, False), ("volume", "mm3", size, False),
            ("n", "vertices", counts, True), ("area", "mm2", size, True),
        )
    }  # fmt: skip


def local_maxima(elements: Elements, region: Integers, neighbourhood: int) -> Integers:
    """The elements whose |value| no neighbour of the same region exceeds, one for each plateau.

    Parameters
    ----------
    elements
        The elements of the regions.
    region
        (n,) the region of each element.
    neighbourhood
        6, 18 or 26 neighbours of a voxel.

    Returns
    -------
    ndarray
        Numbers of elements, ascending.
    """
    magnitude = np.abs(elements.values)
    chains = elements.domain.chains(elements, region, magnitude)
    region_of, height = region[chains.first], magnitude[chains.first]
    next_to = chains.follows & (region_of[1:] == region_of[:-1])
    lower = np.zeros(height.size, bool)
    lower[1:] = next_to & (height[1:] < height[:-1])
    lower[:-1] |= next_to & (height[:-1] < height[1:])
    top, level = np.flatnonzero(~lower).astype(np.int32), []
    both_ways = [(way * step, reach) for step, reach in elements.domain.reaches(neighbourhood) for way in (1, -1)]
    for step, reach in both_ways:  # most chains fall out at their first rows
        one, other = chains.touching(top, step, reach)
        here = region_of[one] == region_of[other]
        lower[one[here & (height[one] < height[other])]] = True
        equal = here & (height[one] == height[other])
        level.append((one[equal], other[equal]))
        top = top[~lower[top]]
    one, other = (np.concatenate(side) for side in zip(*level, strict=True))
    still = ~lower[one]
    one, other = one[still], other[still]
    lower[one[lower[other]]] = True  # flat, but the plateau goes up elsewhere; its other chains follow below
    return _one_of_each_plateau(elements, chains, top, (one, other, lower))


def _one_of_each_plateau(
    elements: Elements, chains: Chains, top: Integers, flat: tuple[Integers, Integers, npt.NDArray[np.bool_]]
) -> Integers:
    """Of chains of equal elements, joined in pairs to plateaus, the element of each plateau nearest to its middle."""
    one, other, spoiled = flat
    number = np.full(chains.first.size, -1)
    number[top] = np.arange(top.size)
    both = number[other] >= 0
    n, plateau = join(number[one[both]], number[other[both]], top.size)
    whole = np.bincount(plateau, spoiled[top], n) == 0
    length = chains.lengths[top]
    size = np.bincount(plateau, length, n)
    alone = whole[plateau] & (size[plateau] == 1)
    wide = np.flatnonzero(whole[plateau] & (size[plateau] > 1))
    if not wide.size:
        return np.asarray(chains.first[top[alone]])
    owner = np.repeat(plateau[wide], length[wide])
    skipped = np.repeat(np.cumsum(length[wide]) - length[wide], length[wide])
    member = np.repeat(chains.first[top[wide]], length[wide]) + np.arange(owner.size) - skipped
    xyz = elements.domain.positions(elements.only(member))
    middle = np.stack([np.bincount(owner, axis, n) for axis in xyz]) / np.maximum(size, 1)
    away = coarse_mm(np.sum((xyz - middle[:, owner]) ** 2, axis=0))
    least = np.full(n, np.inf)
    np.minimum.at(least, owner, away)
    near = np.flatnonzero(away == least[owner])
    near = near[np.lexsort((*_reversed(elements.only(member[near])), owner[near]))]
    nearest = member[near[np.unique(owner[near], return_index=True)[1]]]
    return np.sort(np.concatenate([chains.first[top[alone]], nearest]))


def _reversed(elements: Elements) -> Sequence[Array]:
    """The keys that order equals, the last counts most."""
    return elements.domain.ties(elements)[::-1]


def find_peaks(elements: Elements, region: Integers, criteria: Criteria) -> Integers:
    """The peaks of each region: the highest |value|, then in descending order each that is far from all before it.

    Farther than `min_peak_distance` mm (or at it, where the convention counts it in), at least one and at most
    `max_peaks` a region; equal values in the order of x, then y, then z in mm, or of the vertices.

    Returns
    -------
    ndarray
        Numbers of elements, by region and rank; every region has one.
    """
    top = local_maxima(elements, region, criteria.peak_neighbourhood)
    maxima = elements.only(top)
    order = np.lexsort((*_reversed(maxima), -np.abs(maxima.values), region[top]))
    top, owner = top[order], region[top[order]]
    rounding = -DISTANCE_ROUNDING if criteria.peak_distance_inclusive else DISTANCE_ROUNDING
    least = criteria.min_peak_distance * (1 + rounding)
    between = elements.domain.distances(maxima, least)
    left, kept = np.arange(top.size), []
    for rank in range(1, criteria.max_peaks + 1):  # all regions at once: keep the highest left, drop those near it
        if not left.size:
            break
        highest = np.append(True, owner[left[1:]] != owner[left[:-1]])
        kept.append(left[highest])
        others = np.flatnonzero(~highest) if rank < criteria.max_peaks else np.empty(0, np.intp)
        from_it = left[highest][np.cumsum(highest)[others] - 1]
        left = left[others]
        left = left[between(order[left], order[from_it]) > least]
    return np.asarray(top[np.sort(np.concatenate(kept))])


def order_regions(elements: Elements, sizes: Integers, main: Integers, negative: npt.NDArray[np.bool_]) -> Integers:
    """The regions, number 1 first: those not negative, elements and |peak| descending, peak place ascending.

    Of voxels the place is x, y, z in mm, on sheets the structure and the vertex.
    """
    peaks = elements.only(main)
    return np.lexsort((*_reversed(peaks), -np.abs(peaks.values), -sizes, negative))


def scan_order(elements: Elements, region: Integers, negative: npt.NDArray[np.bool_]) -> Integers:
    """The regions, number 1 first: those that are not negative, then by their first element in the scan of the file."""
    first = np.full(negative.size, np.iinfo(np.intp).max)
    np.minimum.at(first, region, elements.domain.scan(elements))
    return np.lexsort((first, negative))


def describe_regions(
    elements: Elements,
    region: Integers,
    peaks: Integers,
    order: Integers,
    facts: tuple[Mapping[str, Array], Mapping[str, Array]],
) -> tuple[Region, ...]:
    """The regions in the order of their numbers.

    Parameters
    ----------
    elements, region
        The elements of the regions, and the region of each, 0 to n - 1.
    peaks
        Numbers of elements, by region and rank.
    order
        The regions, number 1 first.
    facts
        What else is known of each region, its sign before all, and of each peak, by the names of Region's and Peak's
        optional fields; nan for unknown.
    """
    bounds = np.searchsorted(region[peaks], np.arange(order.size + 1)).tolist()
    tops = elements.only(peaks)
    addresses = elements.domain.address(tops)
    every_peak = _make_peaks(tops, addresses, region[peaks], facts[1])
    columns: dict[str, Sequence[Any]] = {
        **measure_regions(elements, region, order.size),
        "structure": [addresses.structure[first] for first in bounds[:-1]],
        **_known(facts[0]),
    }
    regions = []
    for index, k in enumerate(order.tolist(), start=1):
        ranked = every_peak[bounds[k] : bounds[k + 1]]
        row = {name: column[k] for name, column in columns.items()}
        color = PALETTE[(index - 1) % len(PALETTE)]
        regions.append(Region(index=index, name=numbered_name(index), peak=ranked[0], peaks=ranked, color=color, **row))
    return tuple(regions)


def numbered_name(number: int | str) -> str:
    """The name of a region that no atlas named: it says no more than its number."""
    return f"region-{number}"


def _plain(number: float) -> float:
    """Without the last digits, which are the rounding of a determinant: 504 and not 503.9999999999999."""
    return float(f"{number:.12g}")


def _known(facts: Mapping[str, Array]) -> dict[str, list[Any]]:
    """The columns as lists, None for what is unknown."""
    return {
        name: column.tolist()
        if column.dtype.kind != "f" or np.isfinite(column).all()
        else [v if math.isfinite(v) else None for v in column.tolist()]
        for name, column in facts.items()
    }


def _make_peaks(peaks: Elements, addresses: Addresses, owner: Integers, facts: Mapping[str, Array]) -> tuple[Peak, ...]:
    rank = np.arange(owner.size) - np.searchsorted(owner, owner) + 1
    columns: dict[str, Sequence[Any]] = {
        "rank": rank.tolist(),
        "value": peaks.values.tolist(),
        "xyz": list(zip(*peaks.xyz.tolist(), strict=True)),
        "ijk": addresses.ijk,
        "vertex": addresses.vertex,
        **_known(facts),
    }
    return tuple([Peak(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)])


def describe_second(elements: Elements, region: Integers, main: Integers, second: Array) -> dict[str, Array]:
    """The measures of a second map, by Region's fields: mean, value at the main peak, extremum in its direction.

    Parameters
    ----------
    elements, region, main
        The elements of the regions, the region of each, and the number of each region's main peak.
    second
        (n,) float64, the second map's value of each element; what is not finite is unknown.
    """
    n, known = main.size, np.isfinite(second)
    count, total = np.bincount(region[known], minlength=n), np.bincount(region[known], second[known], n)
    direction = np.sign(elements.values[main]).astype(np.float64)
    at = _highest(elements, region, np.where(known, second * direction[region], np.nan), n)
    xyz, ascending = np.empty((3, n)), np.argsort(at)
    xyz[:, ascending] = elements.domain.xyz(elements.only(np.maximum(at[ascending], 0)))
    x, y, z = np.where(at >= 0, xyz, np.nan)
    return {
        "values_mean": np.divide(total, count, where=count > 0, out=np.full(n, np.nan)),
        "values_at_peak": np.where(known[main], second[main], np.nan),
        "values_peak": np.where(at >= 0, second[at], np.nan),
        "values_peak_x": x,
        "values_peak_y": y,
        "values_peak_z": z,
    }


def _highest(elements: Elements, region: Integers, score: Array, n_regions: int) -> Integers:
    """The element of the highest score of each region, -1 where all scores are nan; ties in canonical order."""
    known = np.flatnonzero(~np.isnan(score))
    keys = elements.domain.ties(elements.only(known))
    order = known[np.lexsort((*list(keys)[::-1], -score[known], region[known]))]
    first = np.searchsorted(region[order], np.arange(n_regions))
    there = first < order.size
    found = np.full(n_regions, -1)
    found[there] = order[first[there]]
    return np.where((found >= 0) & (region[found] == np.arange(n_regions)), found, -1)
