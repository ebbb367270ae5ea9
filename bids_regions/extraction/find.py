"""find_regions: the steps from a map to its regions, in their order.

This room knows no file and no dataset: arrays and frozen dataclasses go in and come out.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.components import label_components, select_voxels
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.discoveries import tested_freedom, true_discovery_proportions
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.field_theory import FieldTheory
from bids_regions.extraction.judging import (
    Judged,
    Question,
    as_field,
    family_wise_height,
    field_warnings,
    judge_clusters,
    peak_facts,
)
from bids_regions.extraction.local_regions import split_exact
from bids_regions.extraction.measures import (
    Region,
    describe_regions,
    describe_second,
    find_peaks,
    order_regions,
    scan_order,
    without_values,
)
from bids_regions.extraction.nilearn_walker import split_nilearn
from bids_regions.extraction.preparation import as_floats, finite_values, prepare_map
from bids_regions.extraction.smoothness import Smoothness
from bids_regions.extraction.tails import TAILS
from bids_regions.extraction.thresholds import Cutoff, Height, Statistic, find_height, thresholded_tail
from bids_regions.frozen import dataclass
from bids_regions.space import Domain, Elements, Extents, Grid, Mesh, as_domain
from bids_regions.space.grid import grid_of, grid_under

__all__ = ["Extraction", "find_regions"]

Array = npt.NDArray[Any]
Integers = npt.NDArray[Any]  # int32 or intp
Mask = npt.NDArray[np.bool_]

SIZE_ROUNDING = 1e-9  # relative; a volume of exactly the minimum is kept although its determinant is rounded


@dataclass(frozen=True, kw_only=True, eq=False)
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """One map, and what is asked of it."""

    data: Array  # float32 or float64, finite: what splits and measures regions
    searched: Array  # compared with the cutoff: infinities in their places
    peaks: Array | None  # another map that tells peaks and values
    domain: Domain  # as the data lie in memory
    criteria: Criteria
    statistic: Statistic
    mask: Mask | None  # tested, where anything is
    own_sign: bool  # the signs of the data are the map's own
    notes: tuple[str, ...]
    cutoff: Cutoff
    height: Height


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """Voxels or vertices with the region of each, and what is known of the regions so far."""

    elements: Elements
    region: Integers  # (n,) 0, 1, ...
    sizes: Integers  # elements per region
    n_above: int  # elements that passed the cutoff, those of removed regions counted
    split: Array  # (n,) values by whose signs the regions were split
    valueless: bool = False  # the map has infinities and nothing finite, so that its values mean nothing
    unmeasured: bool = False  # areas are not known, so the default minimum was not applied
    question: Question | None = None  # that random field theory was asked
    judged: Judged | None = None  # its answer

    def only(self, kept: npt.NDArray[np.bool_]) -> "_Found":
        """Without the regions that are not kept; the others are numbered anew in the same order."""
        if kept.all():
            return self
        chosen = np.flatnonzero(kept[self.region])
        elements = self.elements.only(chosen)
        return replace(
            self,
            elements=elements,
            split=elements.values if self.split is self.elements.values else self.split[chosen],
            region=(np.cumsum(kept, dtype=np.int32) - np.int32(1))[self.region[chosen]],
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
    peaks: Array | None = None,
    smoothness: Smoothness | None = None,
) -> Extraction:
    """The connected regions of a statistical map: label image, regions by number, cutoff, counts and warnings.

    Parameters
    ----------
    data
        The map, any memory order: 3-D on a grid, else a value for each vertex or voxel. float32 is compared in
        float32, everything else in float64. NaN is no data; infinite values pass every cutoff of their sign and
        stand in the measures as the largest finite magnitude.
    domain
        What it lies on: a voxel -> mm affine (4, 4), RAS+, for the grid of a 3-D map; a Mesh; Grayordinates.
    criteria
        What makes a region; the built-in defaults where not given.
    mask, statistic
        True where the map may have data, of which zeros are none; what the numbers are, z where not given.
    values, peaks
        Other maps on the same grid: one for `values_mean` and `values_at_peak`; one that tells peaks, order, centre
        and values, and the sign where the map itself has none: of a map of p the z or t map.
    smoothness
        For cluster p; estimated from map and mask where not given.

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
    _refuse_other_grids(data, values, peaks)
    task = _prepare((data, peaks, mask), domain, (criteria or Criteria(), statistic or Statistic("z")), smoothness)
    found = _label(task)
    n_found = found.sizes.size
    found = _without_small_ones(task, _judge(task, found, smoothness))  # those removed take no memory from here on
    labels, regions = _number(task, found, values)
    return Extraction(
        labels=labels, regions=regions, cutoff=task.cutoff, n_above=found.n_above,
        n_removed_regions=n_found - found.sizes.size, n_removed_voxels=found.n_above - found.region.size,
        warnings=tuple(_warnings(task, found)),
        smoothness=found.judged.smoothness if found.judged else smoothness if task.cutoff.kind == "fwe" else None,
        field_theory=found.judged.theory if found.judged else None,
    )  # fmt: skip


def _refuse_other_grids(data: Array, *others: Array | None) -> None:
    for other in others:
        if other is not None and other.shape != data.shape:
            raise BadMap(f"the second map has shape {other.shape}, the map {data.shape}", hint="Give maps of one grid")


def _prepare(
    arrays: tuple[Array, Array | None, Mask | None],
    where: Domain | Mesh | npt.ArrayLike,
    asked: tuple[Criteria, Statistic],
    smoothness: Smoothness | None,
) -> _Task:
    (data, peaks, mask), (criteria, statistic) = arrays, asked
    data = as_floats(data)
    domain = as_domain(data, where)  # flat views from here on: a copy of the map costs more than all that follows
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != data.shape:
            raise BadMap(f"the mask has shape {mask.shape}, the map {data.shape}", hint="Give a mask on the map's grid")
        if not mask.any():
            raise BadMap("the mask is empty", hint="Give another mask, or --mask none")
    ready = prepare_map(data, criteria, statistic, mask)
    question = None
    if criteria.spec.kind == "fwe":
        field, of = as_field(ready.standing, ready.statistic, statistic.dof_map)
        question = Question(
            grid=grid_of(domain, f"threshold {criteria.threshold}"), data=field, mask=ready.mask,
            criteria=criteria, statistic=of, tail=thresholded_tail(criteria, ready.statistic),
            height=math.inf, smoothness=smoothness,
        )  # fmt: skip
    height, cutoff = find_height(
        domain.flatten(ready.height), criteria, ready.statistic, _flat(domain, ready.mask),
        dof=_flat(domain, statistic.dof_map), mask_words=ready.mask_words,
        family_wise=partial(family_wise_height, question) if question else None,
    )  # fmt: skip
    return _Task(
        data=ready.standing, searched=ready.searched, peaks=None if peaks is None else finite_values(as_floats(peaks)),
        domain=domain, criteria=criteria, statistic=ready.statistic, mask=ready.mask, own_sign=ready.own_sign,
        notes=ready.notes, cutoff=cutoff, height=height,
    )  # fmt: skip


def _flat(domain: Domain, array: Array | None) -> Array | None:
    return None if array is None else domain.flatten(array)


def _label(task: _Task) -> _Found:
    """The regions before any is removed."""
    criteria, domain, height, tail = task.criteria, task.domain, task.height, task.cutoff.tail
    on = domain.flatten(task.searched) if height.on is None else height.on
    memory, passed = select_voxels(
        on, height.value, tail, strict=criteria.strict, below=height.below, mask=_flat(domain, task.mask)
    )
    endless = bool(np.isinf(passed).any())
    if endless or height.on is not None or task.searched is not task.data:  # others stand for those that passed
        passed = domain.flatten(finite_values(task.data) if endless else task.data)[memory]
    above = domain.at(memory, passed)
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
    split = above.values
    if task.peaks is not None:
        above = replace(above, values=domain.flatten(task.peaks)[above.memory])
    searched = task.searched
    valueless = endless and task.peaks is None and not bool(np.any(np.isfinite(searched) & (searched != 0)))
    return _Found(
        elements=above, split=split, region=region, sizes=np.bincount(region), n_above=n_above, valueless=valueless
    )


def _nilearn_regions(task: _Task, above: Elements, grid: Grid) -> Integers:
    """The region of each voxel by nilearn's rule, -1 where it drops the voxel; the two signs of `bi` one by one."""
    region, n = np.full(above.rank.size, -1), 0
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


def _judge(task: _Task, found: _Found, smoothness: Smoothness | None) -> _Found:
    """The regions with what random field theory says of them, where it was asked."""
    if not (task.criteria.grf or task.criteria.rft):
        return found
    question = _question(task, grid_under(found.elements, "random field theory"), smoothness)
    own = replace(found.elements, values=_judged_values(task, found)[0])
    return replace(found, question=question, judged=judge_clusters(question, own, found.sizes))


def _question(task: _Task, grid: Grid, smoothness: Smoothness | None) -> Question:
    data, statistic, height = task.data, task.statistic, task.cutoff.value
    if statistic.dof_map is not None:  # as a z map: each voxel has its own t
        of_height = np.where(statistic.dof_map > 0, height, 0)
        lowest = t_to_z(of_height, np.asarray(statistic.dof_map, np.float64))
        height = task.height.value if task.height.on is not None else float(lowest[statistic.dof_map > 0].min())
        data, statistic = as_field(data, statistic, statistic.dof_map)
    return Question(
        grid=grid, data=data, mask=task.mask, criteria=task.criteria, statistic=statistic,
        tail=task.cutoff.tail, height=height, smoothness=smoothness,
    )  # fmt: skip


def _judged_values(task: _Task, kept: _Found) -> tuple[Array, Statistic]:
    """The map's own values of elements, as a field."""
    dof = _flat(task.domain, task.statistic.dof_map)
    return as_field(kept.split, task.statistic, None if dof is None else dof[kept.elements.memory])


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
    volume = criteria.min_region_size if isinstance(task.domain, Grid) else criteria.smallest_in_structure
    for sheet, count, extent in (
        (False, criteria.min_region_voxels, volume),
        (True, criteria.min_region_vertices, criteria.smallest_area),
    ):
        other = extents.on_sheet != sheet
        if count is not None:
            kept &= other | (found.sizes >= count)
        if extent is not None:
            kept &= other | unknown | _extensive(task, extents, found.sizes, extent)
    if criteria.cluster_alpha is not None and found.judged is not None:
        kept &= found.judged.p_cluster < criteria.cluster_alpha
    found = found.only(kept)
    return replace(found, unmeasured=True) if criteria.smallest_area is not None and unknown.any() else found


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
    if n == 0:
        return task.domain.unflatten(np.zeros(task.data.size, smallest)), ()
    peaks = find_peaks(elements, kept.region, criteria)
    main = peaks[np.searchsorted(kept.region[peaks], np.arange(n))]
    merged = TAILS[task.cutoff.tail].merged
    signs = _signs(task, kept, main)
    negative = (signs == "negative") & (not merged)
    if criteria.order == "size":
        order = order_regions(elements, kept.sizes, main, negative)
    elif criteria.extract_type == "local_regions":
        order = np.arange(n)  # the walker's own
    else:  # nilearn scans the volume of both signs, and each sign of a surface
        order = scan_order(elements, kept.region, negative & (not isinstance(task.domain, Grid)))
    number = np.empty(n, smallest)
    number[order] = np.arange(1, n + 1)
    flat = np.zeros(task.data.size, smallest)  # not before: it is as large as the map
    flat[elements.memory] = number[kept.region]
    facts = {"sign": signs, **dict(_facts(task, kept, main, values))}
    own, field = _judged_values(task, kept)
    of_peaks = {} if task.peaks is not None or task.statistic.rule.is_p else peak_facts(own[peaks], field)
    if kept.judged:
        of_peaks |= kept.judged.of_peaks(own[peaks])
    regions = describe_regions(elements, kept.region, peaks, order, (facts, of_peaks))
    return task.domain.unflatten(flat), tuple(map(without_values, regions)) if kept.valueless else regions


def _signs(task: _Task, kept: _Found, main: Integers) -> Array:
    """The sign of each region: of the values it was split by, where the map has signs, else of its main peak."""
    if not task.own_sign:
        return np.where(kept.elements.values[main] < 0, "negative", "positive")
    n_positive = np.bincount(kept.region[kept.split > 0], minlength=main.size)
    return np.where(n_positive == kept.sizes, "positive", np.where(n_positive > 0, "both", "negative"))


def _facts(task: _Task, kept: _Found, main: Integers, values: Array | None) -> Iterator[tuple[str, Array]]:
    """What was asked for besides the measures of every region, by Region's fields."""
    elements, region = kept.elements, kept.region
    if kept.judged:
        yield from kept.judged.of_clusters().items()
        of_peaks = kept.judged.of_peaks(_judged_values(task, kept)[0][main])
        yield from zip(("p_peak", "q_peak"), of_peaks.values(), strict=False)
    if task.criteria.tdp:
        yield "tdp", _true_discoveries(task, kept)
    if values is not None:
        second = task.domain.flatten(values)[elements.memory].astype(np.float64)
        yield from describe_second(elements, region, main, second).items()


def _true_discoveries(task: _Task, kept: _Found) -> Array:
    dof = tested_freedom(task.statistic)
    tested = task.mask if task.mask is not None else task.data != 0
    of_all, of_kept = dof, dof
    if isinstance(dof, np.ndarray):
        of_all, of_kept = dof[tested], task.domain.flatten(dof)[kept.elements.memory]
    return true_discovery_proportions(
        t_to_z(task.data[tested], of_all), t_to_z(kept.split, of_kept), kept.region + 1,
        n_regions=kept.sizes.size, tail=task.cutoff.tail,
    )  # fmt: skip


def _tail_warnings(task: _Task) -> Iterator[str]:
    """What the signs of the map are, where that is not plain."""
    kind, is_p = task.statistic.kind, task.statistic.rule.is_p
    if is_p and task.peaks is None:
        sign = "" if task.own_sign else ", and the sign is positive"
        yield f"no z or t map beside the {kind} map tells peaks: -log10 p stands for the value{sign}"
    if task.cutoff.tail != task.criteria.tail:
        words = "has no sign: its one tail was thresholded" if is_p else "was thresholded in its positive tail only"
        yield f"the {kind} map {words}"


def _warnings(task: _Task, found: _Found) -> Iterator[str]:
    """What a reader of the result should know."""
    criteria, cutoff = task.criteria, task.cutoff
    yield from task.notes
    yield from _tail_warnings(task)
    if math.isinf(cutoff.value):
        yield f"no {'finite value' if found.n_above else 'voxel'} meets {cutoff.asked}"
    if found.question and found.judged:
        yield from field_warnings(found.question, found.judged)
    if criteria.tdp and task.mask is None:
        yield "the true-discovery proportions count every non-zero voxel as searched: there is no mask"
    if found.valueless:
        yield "the map has infinite values and no other: its regions have no values"
    if found.unmeasured:
        yield f"the vertices' areas are not known: the smallest area of {criteria.smallest_area:g} mm2 was not applied"
