"""find_regions: the steps from a map to its regions, in their order.

This room knows no file and no dataset: arrays and frozen dataclasses go in and come out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.components import label_components, select_voxels
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.discoveries import true_discovery_proportions
from bids_regions.extraction.field_theory import FieldTheory
from bids_regions.extraction.inference import t_to_z
from bids_regions.extraction.judging import (
    Judged,
    Question,
    family_wise_height,
    field_warnings,
    judge_clusters,
    peak_facts,
)
from bids_regions.extraction.local_regions import split_exact
from bids_regions.extraction.measures import Region, describe_regions, extremum, find_peaks, order_regions, scan_order
from bids_regions.extraction.nilearn_walker import split_nilearn
from bids_regions.extraction.smoothness import Smoothness
from bids_regions.extraction.tails import TAILS
from bids_regions.extraction.thresholds import DOF_HINT, Cutoff, Height, Statistic, find_height, thresholded_tail
from bids_regions.space import Domain, Elements, Extents, Grid, Mesh, as_domain
from bids_regions.space.grid import grid_of, grid_under

__all__ = ["Extraction", "find_regions"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[Any]  # int32 or intp
Mask = npt.NDArray[np.bool_]

SIZE_ROUNDING = 1e-9  # relative; a volume of exactly the minimum is kept although its determinant is rounded


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """The regions of one map by one set of criteria."""

    labels: Array  # uint8, uint16 or int32; shape and axes of the map; 0 where there is no region
    regions: tuple[Region, ...]  # regions[k] has index k + 1
    cutoff: Cutoff
    n_above: int  # voxels or vertices that passed the cutoff
    n_removed_regions: int  # by the size rule or cluster_alpha
    n_removed_voxels: int  # voxels or vertices of the removed regions
    warnings: tuple[str, ...]  # sentences
    smoothness: Smoothness | None  # used for random field theory
    field_theory: FieldTheory | None = None  # what it says of clusters and maxima, those of removed regions counted

    def __repr__(self) -> str:
        n, cutoff = len(self.regions), self.cutoff
        inside = sum(region.n_elements for region in self.regions)
        asked = f"threshold {cutoff.asked}, cutoff {cutoff.value:.5g}, tail {cutoff.tail}"
        return f"<{n} region{'' if n == 1 else 's'}, {inside} of {self.n_above} above the cutoff; {asked}>"


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One map, and what is asked of it."""

    data: Array  # float32 or float64; finite where more is asked of it than which voxels reach a value
    domain: Domain  # as the data lie in memory
    criteria: Criteria
    statistic: Statistic
    mask: Mask | None
    cutoff: Cutoff
    height: Height


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Voxels or vertices with the region of each, and what is known of the regions so far."""

    elements: Elements
    region: Integers  # (n,) 0, 1, ...
    sizes: Integers  # elements per region
    n_above: int  # elements that passed the cutoff, those of removed regions counted
    unmeasured: bool = False  # areas are not known, so the default minimum was not applied
    judged: Judged | None = None  # by random field theory

    def only(self, kept: npt.NDArray[np.bool_]) -> "_Found":
        """Without the regions that are not kept; the others are numbered anew in the same order."""
        if kept.all():
            return self
        chosen = np.flatnonzero(kept[self.region])
        return replace(
            self,
            elements=self.elements.only(chosen),
            region=(np.cumsum(kept) - 1)[self.region[chosen]],
            sizes=self.sizes[kept],
            judged=self.judged and self.judged.only(kept),
        )


def find_regions(  # noqa: PLR0913 # the four optional ones are independent facts about the map
    data: Array,
    domain: Domain | Mesh | npt.ArrayLike,
    criteria: Criteria | None = None,
    *,
    mask: Mask | None = None,
    statistic: Statistic | None = None,
    values: Array | None = None,
    smoothness: Smoothness | None = None,
) -> Extraction:
    """The connected regions of a statistical map.

    Parameters
    ----------
    data
        The map, any memory order: 3-D on a grid, else a value for each vertex or voxel. float32 is compared in
        float32, everything else in float64. Values that are not finite count as 0.
    domain
        What it lies on: a voxel -> mm affine (4, 4), RAS+, for the grid of a 3-D map; a Mesh; Grayordinates.
    criteria
        What makes a region; the built-in defaults where not given.
    mask
        Same shape, True where the map has data; voxels outside are never part of a region.
    statistic
        What the numbers are; z where not given.
    values
        A second map on the same grid, for `values_mean` and `values_at_peak`.
    smoothness
        For cluster p; estimated from map and mask where not given.

    Returns
    -------
    Extraction
        Label image, regions in the order of their numbers, cutoff and counts.

    Raises
    ------
    BadMap
        The map cannot be treated as asked; the sentence says what to do.

    Examples
    --------
    >>> data = np.zeros((6, 5, 5))
    >>> data[1:3, 2, 2], data[4, 2, 2] = (4.0, 5.0), -6.0
    >>> found = find_regions(data, np.diag([2.0, 2.0, 2.0, 1.0]), Criteria(min_region_voxels=1))
    >>> [(r.index, r.sign, r.n_voxels, r.peak.value, r.peak.xyz) for r in found.regions]
    [(1, 'positive', 2, 5.0, (4.0, 4.0, 4.0)), (2, 'negative', 1, -6.0, (8.0, 4.0, 4.0))]
    >>> found.labels[:, 2, 2].tolist()
    [0, 1, 1, 0, 2, 0]
    """
    task = _prepare(data, domain, (criteria or Criteria(), statistic or Statistic("z")), (mask, smoothness))
    if values is not None and values.shape != data.shape:
        raise BadMap(f"the second map has shape {values.shape}, the map {data.shape}", hint="Give maps of one grid")
    found = _label(task)
    n_found = found.sizes.size
    question = None
    if task.criteria.grf or task.criteria.rft:
        question = _question(task, grid_under(found.elements, "random field theory"), smoothness)
        found = replace(found, judged=judge_clusters(question, found.elements, found.sizes))
    found = _without_small_ones(task, found)
    labels, regions = _number(task, found, values)
    return Extraction(
        labels=labels, regions=regions, cutoff=task.cutoff, n_above=found.n_above,
        n_removed_regions=n_found - found.sizes.size, n_removed_voxels=found.n_above - found.region.size,
        warnings=tuple(_warnings(task, found, question)),
        smoothness=found.judged.smoothness if found.judged else None,
        field_theory=found.judged.theory if found.judged else None,
    )  # fmt: skip


def _prepare(
    data: Array,
    where: Domain | Mesh | npt.ArrayLike,
    asked: tuple[Criteria, Statistic],
    known: tuple[Mask | None, Smoothness | None],
) -> _Task:
    (criteria, statistic), (mask, smoothness) = asked, known
    data = _as_floats(data)
    if criteria.spec.kind != "value" or criteria.grf or criteria.tdp:  # else voxels are looked at one by one
        data = _finite(data)
    domain = as_domain(data, where)  # flat views from here on: a copy of the map costs more than all that follows
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != data.shape:
            raise BadMap(f"the mask has shape {mask.shape}, the map {data.shape}", hint="Give a mask on the map's grid")
        if not mask.any():
            raise BadMap("the mask is empty", hint="Give another mask, or --mask none")
    flat_mask = None if mask is None else domain.flatten(mask)
    question = None
    if criteria.spec.kind == "fwe":
        question = Question(
            grid=grid_of(domain, f"threshold {criteria.threshold}"), data=data, mask=mask, criteria=criteria,
            statistic=statistic, tail=thresholded_tail(criteria, statistic), height=math.inf, smoothness=smoothness,
        )  # fmt: skip
    height, cutoff = find_height(
        domain.flatten(data), criteria, statistic, flat_mask,
        family_wise=partial(family_wise_height, question) if question else None,
    )  # fmt: skip
    return _Task(
        data=data, domain=domain, criteria=criteria, statistic=statistic, mask=mask, cutoff=cutoff, height=height
    )


def _as_floats(data: Array) -> Array:
    """The map as float32 or float64."""
    if data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        data = data.astype(np.float32 if data.dtype.newbyteorder("=") == np.float32 else np.float64)
    return data


def _finite(data: Array) -> Array:
    """The map with 0 for what is not finite."""
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(data)):  # one pass without a temporary; a sum may overflow, so look closer then
            return data
    finite = np.isfinite(data)
    if finite.all():
        return data
    data = data.copy(order="K")
    data[~finite] = 0
    return data


def _label(task: _Task) -> _Found:
    """The regions before any is removed."""
    flat, criteria, domain = task.domain.flatten(task.data), task.criteria, task.domain
    tail, mask = task.cutoff.tail, None if task.mask is None else domain.flatten(task.mask)
    memory, values = select_voxels(
        flat if task.height.on is None else task.height.on, task.height.value, tail, strict=criteria.strict, mask=mask
    )
    above = domain.at(memory, values if task.height.on is None else flat[memory])
    if criteria.extract_type == "local_regions" and criteria.walker == "nilearn":
        region = _nilearn_regions(task, above, grid_under(above, "local_regions"))
    else:
        region = label_components(above, criteria.connectivity, merged=TAILS[tail].merged)
        if criteria.extract_type == "local_regions":
            region = split_exact(
                above, region, connectivity=criteria.connectivity, smoothing_fwhm=criteria.smoothing_fwhm,
                merged=TAILS[tail].merged,
            )  # fmt: skip
    n_above = region.size
    if np.any(region < 0):
        inside = np.flatnonzero(region >= 0)
        above, region = above.only(inside), region[inside]
    return _Found(elements=above, region=region, sizes=np.bincount(region), n_above=n_above)


def _nilearn_regions(task: _Task, above: Elements, grid: Grid) -> Integers:
    """The region of each voxel by nilearn's rule, -1 where it drops the voxel; the two signs of `bi` one by one."""
    region, n = np.full(above.place.size, -1), 0
    rule = TAILS[task.cutoff.tail]
    for sign in (1,) if rule.merged else rule.signs:
        part = above.values != 0 if rule.merged else sign * above.values > 0
        thresholded = np.zeros(task.data.size, task.data.dtype)
        thresholded[above.memory[part]] = sign * above.values[part]
        split = split_nilearn(grid.unflatten(thresholded), grid.affine, task.criteria.smoothing_fwhm)
        labels = grid.flatten(split)[above.memory[part]].astype(np.intp)
        region[part] = np.where(labels > 0, labels - 1 + n, -1)
        n += int(labels.max(initial=0))
    return region


def _question(task: _Task, grid: Grid, smoothness: Smoothness | None) -> Question:
    return Question(
        grid=grid, data=task.data, mask=task.mask, criteria=task.criteria, statistic=task.statistic,
        tail=task.cutoff.tail, height=task.cutoff.value, smoothness=smoothness,
    )  # fmt: skip


def _dof(task: _Task) -> float:
    """Degrees of freedom for making z of the map's values; infinite for z itself."""
    what = "a true-discovery proportion"
    if task.statistic.rule.distribution == "normal":
        return math.inf
    if task.statistic.rule.distribution != "t":
        raise BadMap(
            f"{what} was asked of the {task.statistic.kind} map, and is known for z and t only",
            hint="Leave out --tdp for it",
        )
    dof = task.statistic.dof
    if not isinstance(dof, int | float) or not dof > 0:
        raise BadMap(f"{what} was asked of a t map without degrees of freedom", hint=DOF_HINT)
    return dof


def _without_small_ones(task: _Task, found: _Found) -> _Found:
    """By the size rules and cluster_alpha."""
    criteria = task.criteria
    extents = task.domain.extents(found.elements, found.region, found.sizes)
    unknown = np.isnan(extents.size)
    if criteria.min_region_area is not None and unknown.any():
        raise BadMap(
            f"a smallest area of {criteria.min_region_area:g} mm2 was asked, and the vertices' areas are not known",
            hint="Give --surfaces or --vertex-areas, or --min-region-vertices",
        )
    kept = np.ones(found.sizes.size, bool)
    for sheet, (count, extent) in (
        (False, _voxel_rules(task)),
        (True, (criteria.min_region_vertices, criteria.smallest_area)),
    ):
        other = extents.on_sheet != sheet
        if count is not None:
            kept &= other | (found.sizes >= count)
        if extent is not None:
            kept &= other | unknown | _extensive(task, extents, found.sizes, extent)
    if criteria.cluster_alpha is not None and found.judged is not None:
        kept &= found.judged.p_cluster < criteria.cluster_alpha
    return replace(found.only(kept), unmeasured=criteria.smallest_area is not None and bool(unknown.any()))


def _voxel_rules(task: _Task) -> tuple[int | None, float | None]:
    """The least voxels and mm3 of a region of voxels."""
    criteria = task.criteria
    size = criteria.min_region_size if isinstance(task.domain, Grid) else criteria.smallest_in_structure
    return criteria.min_region_voxels, size


def _extensive(task: _Task, extents: Extents, sizes: Integers, least: float) -> npt.NDArray[np.bool_]:
    """Whether each region has at least some mm3 or mm2, or more than that where the convention says so."""
    enough = extents.size >= least * (1 - SIZE_ROUNDING)
    if not task.criteria.size_strict:
        return enough
    if isinstance(task.domain, Grid):
        return np.asarray(sizes > least / task.domain.voxel_volume)
    return np.where(extents.on_sheet, extents.size > least, enough)


def _number(task: _Task, kept: _Found, values: Array | None) -> tuple[Array, tuple[Region, ...]]:
    """The label image and the regions, in the order of their numbers."""
    n, elements, criteria = kept.sizes.size, kept.elements, task.criteria
    smallest = np.uint8 if n < 1 << 8 else np.uint16 if n < 1 << 16 else np.int32
    flat = np.zeros(task.data.size, smallest)
    labels = task.domain.unflatten(flat)
    if n == 0:
        return labels, ()
    peaks = find_peaks(elements, kept.region, criteria)
    main = peaks[np.searchsorted(kept.region[peaks], np.arange(n))]
    apart = not TAILS[task.cutoff.tail].merged
    if criteria.order == "size":
        order = order_regions(elements, kept.sizes, main, by_sign=apart)
    elif criteria.extract_type == "local_regions":
        order = np.arange(n)  # the walker's own
    else:  # nilearn scans the volume of both signs, and each sign of a surface
        order = scan_order(elements, kept.region, main, by_sign=apart and not isinstance(task.domain, Grid))
    number = np.empty(n, smallest)
    number[order] = np.arange(1, n + 1)
    flat[elements.memory] = number[kept.region]
    facts = dict(_facts(task, kept, main, values))
    of_peaks = peak_facts(elements.values[peaks], task.statistic)
    if kept.judged:
        of_peaks |= kept.judged.of_peaks(elements.values[peaks])
    return labels, describe_regions(elements, kept.region, peaks, order, (facts, of_peaks))


def _facts(task: _Task, kept: _Found, main: Integers, values: Array | None) -> Iterator[tuple[str, Array]]:
    """What was asked for besides the measures of every region, by Region's fields."""
    elements, region, n = kept.elements, kept.region, kept.sizes.size
    if kept.judged:
        yield from kept.judged.of_clusters().items()
        of_peaks = kept.judged.of_peaks(elements.values[main])
        yield from zip(("p_peak", "q_peak"), of_peaks.values(), strict=False)
    if task.criteria.tdp:
        yield "tdp", _true_discoveries(task, kept)
    if values is not None:
        second = task.domain.flatten(values)[elements.memory].astype(np.float64)
        known = np.isfinite(second)
        count = np.bincount(region[known], minlength=n)
        total = np.bincount(region[known], second[known], n)
        yield "values_mean", np.divide(total, count, where=count > 0, out=np.full(n, np.nan))
        yield "values_at_peak", np.where(known[main], second[main], np.nan)
        yield from _second_extremum(kept, np.where(known, second, np.nan), main)


def _second_extremum(kept: _Found, second: Array, main: Integers) -> Iterator[tuple[str, Array]]:
    """Value and place of the second map's extremum, in the direction of each region's main peak."""
    sign = np.sign(kept.elements.values[main]).astype(np.float64)
    at = extremum(kept.elements, kept.region, second * sign[kept.region], main.size)
    there = at >= 0
    ascending = np.argsort(at)
    xyz = np.empty((3, at.size))
    xyz[:, ascending] = kept.elements.domain.xyz(kept.elements.only(np.maximum(at[ascending], 0)))
    yield "values_peak", np.where(there, second[at], np.nan)
    for axis, name in enumerate("xyz"):
        yield f"values_peak_{name}", np.where(there, xyz[axis], np.nan)


def _true_discoveries(task: _Task, kept: _Found) -> Array:
    dof = _dof(task)
    population = task.data[task.mask if task.mask is not None else task.data != 0]
    return true_discovery_proportions(
        t_to_z(population, dof), t_to_z(kept.elements.values, dof), kept.region + 1,
        n_regions=kept.sizes.size, tail=task.cutoff.tail,
    )  # fmt: skip


def _warnings(task: _Task, found: _Found, question: Question | None) -> Iterator[str]:
    """What a reader of the result should know."""
    criteria, cutoff = task.criteria, task.cutoff
    if cutoff.tail != criteria.tail:
        yield f"the {task.statistic.kind} map was thresholded in its positive tail only"
    if math.isinf(cutoff.value):
        yield f"no voxel meets {cutoff.asked}"
    if question and found.judged:
        yield from field_warnings(question, found.judged)
    if criteria.tdp and task.mask is None:
        yield "the true-discovery proportions count every non-zero voxel as searched: there is no mask"
    if found.unmeasured:
        yield f"the vertices' areas are not known: the smallest area of {criteria.smallest_area:g} mm2 was not applied"
