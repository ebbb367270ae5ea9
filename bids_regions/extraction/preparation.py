"""A map made ready: what is thresholded, what stands in the measures, and which voxels have data.

*Searched* values are compared with the cutoff: the map's own, infinities in their places, 0 for no data (1 on a map of
p). *Standing* values are finite and signed: they split regions by sign and are measured; of a map of p they are its
significance. The *tested* voxels are those that have data. A named convention keeps what its tool keeps.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.presence import Presence, find_presence
from bids_regions.extraction.probabilities import check_p_map, find_significance, is_signed
from bids_regions.extraction.statistics import Statistic
from bids_regions.frozen import dataclass

__all__ = ["Prepared", "as_floats", "finite_values", "prepare_map"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

TESTED = "voxels in the mask that have data"
WITH_DATA = "voxels that have data"


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """One map ready to be thresholded and measured; arrays of the map's shape."""

    searched: Array  # compared with the cutoff
    height: Array  # finite: what percentiles and false discovery rates are taken of; over the image all of it
    standing: Array  # finite, signed: what splits and measures regions
    mask: Mask | None  # where voxels may pass and are tested
    mask_words: str  # what the voxels of `mask` are called; "" for the usual words
    statistic: Statistic  # with the tails that the map turned out to have
    own_sign: bool  # the signs of the standing values are the map's own
    notes: tuple[str, ...]  # what a reader must know, a sentence each


def as_floats(data: Array) -> Array:
    """The map as float32 or float64."""
    if data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        data = data.astype(np.float32 if data.dtype.newbyteorder("=") == np.float32 else np.float64)
    return data


def prepare_map(data: Array, criteria: Criteria, statistic: Statistic, mask: Mask | None) -> Prepared:
    """Make a map ready.

    Raises
    ------
    BadMap
        A map that was thresholded before, where tests have to be counted; numbers that cannot be p on their scale.
    """
    data = as_floats(data)
    if criteria.infinite_is_zero:
        data = _replaced(data, np.isinf, 0)
    counted = criteria.needs_p or statistic.rule.is_p
    presence = find_presence(data, mask, statistic, counted=counted)
    if presence.thresholded and criteria.counts_tests:
        raise BadMap(
            f"{criteria.asks} was asked of a {statistic.kind} map that was thresholded already: no value lies between "
            "0 and 1, so that the number of tests is not known",
            hint="Give the map before it was thresholded, or a threshold by value or p",
        )
    taken = presence if criteria.convention is None else replace(presence, background=None)
    prepare = _prepare_p if statistic.rule.is_p else _prepare_statistic
    if not counted and criteria.spec.rule.population == "applied":  # voxels are looked at one by one, and few pass
        prepared = _prepare_lightly(data, statistic, taken)
    else:
        prepared = prepare(data, statistic, mask if counted else None, taken)
    last: dict[str, Any] = {"notes": (*prepared.notes, *_notes(data, presence, prepared, (mask, criteria, counted)))}
    if not (criteria.spec.rule.population == "ranked" and criteria.percentile_over == "image"):
        last["height"] = prepared.searched if statistic.rule.is_p else prepared.standing
    if not counted:
        last["mask"] = mask
    return replace(prepared, **last)


def _prepare_lightly(data: Array, statistic: Statistic, presence: Presence) -> Prepared:
    """The same, but for what is not finite: NaN passes no cutoff, and infinities are met where they do."""
    searched = data
    if presence.background is not None:
        constant = data.dtype.type(presence.background)
        searched = _replaced(searched, lambda values: values == constant, 0)
    return Prepared(
        searched=searched, height=searched, standing=searched, mask=None, mask_words="", statistic=statistic,
        own_sign=statistic.rule.both, notes=(),
    )  # fmt: skip


def _prepare_statistic(data: Array, statistic: Statistic, mask: Mask | None, presence: Presence) -> Prepared:
    tested = None if mask is None else presence.has_data(data, mask)
    complete = _is_finite(data)
    searched = data if complete else _replaced(data, np.isnan, 0)
    ranked = searched if complete else finite_values(searched)
    if presence.background is not None:
        constant = data.dtype.type(presence.background)
        searched = _replaced(searched, lambda values: values == constant, 0)
    standing = searched if complete else finite_values(searched)
    return Prepared(
        searched=searched,
        height=ranked,
        standing=standing,
        mask=tested,
        mask_words="" if tested is None or mask is None or np.array_equal(tested, mask) else TESTED,
        statistic=statistic,
        own_sign=statistic.rule.both,
        notes=(),
    )


def _prepare_p(data: Array, statistic: Statistic, mask: Mask | None, presence: Presence) -> Prepared:
    scale = statistic.scale
    if scale is None:
        raise BadMap(
            f"the scale of the {statistic.kind} map of p is not told",
            hint=f'Give Statistic("{statistic.kind}", scale="1-p"), or p, log10 or ln',
        )
    tested = presence.has_data(data, mask)
    check_p_map(data[tested], statistic)
    searched = np.where(tested, data, data.dtype.type(1 if scale == "p" else 0))
    signed = is_signed(searched, statistic)
    if statistic.rule.both and not signed:
        searched = np.abs(searched)
    significance = find_significance(searched, scale, signed=signed)
    words = WITH_DATA if mask is None else "" if np.array_equal(tested, mask) else TESTED
    return Prepared(
        searched=searched,
        height=searched,
        standing=finite_values(significance),
        mask=tested,
        mask_words=words,
        statistic=replace(statistic, rule=replace(statistic.rule, both=signed)),
        own_sign=signed,
        notes=(),
    )


def finite_values(data: Array) -> Array:
    """The values that stand in measures: infinities as the largest finite magnitude, 1 where that is 0; NaN as 0.

    >>> finite_values(np.array([1.0, -3.0, np.inf, -np.inf, np.nan])).tolist()
    [1.0, -3.0, 3.0, -3.0, 0.0]
    """
    if _is_finite(data):
        return data
    values = np.where(np.isnan(data), data.dtype.type(0), data)
    endless = np.isinf(values)
    largest = np.abs(values[~endless]).max(initial=0)
    values[endless] = np.copysign(largest or 1, values[endless])
    return values


def _is_finite(data: Array) -> bool:
    with np.errstate(all="ignore"):  # one pass without a temporary; a sum may overflow, so look closer then
        return bool(np.isfinite(np.sum(data))) or bool(np.isfinite(data).all())


def _replaced(data: Array, where: Any, value: float) -> Array:
    chosen = where(data)
    if not chosen.any():
        return data
    data = data.copy(order="K")
    data[chosen] = value
    return data


def _notes(
    data: Array, presence: Presence, prepared: Prepared, asked: tuple[Mask | None, Criteria, bool]
) -> Iterator[str]:
    mask, criteria, counted = asked
    if presence.background is not None:
        share = presence.n_background / max(1, data.size)
        words = (
            f"{presence.n_background} voxels ({share:.0%} of the image) have the one value {presence.background:.6g}"
        )
        if criteria.convention is None:
            yield f"{words}: taken as background, which is no data"
        else:
            yield f"{words}, which looks like background; the convention of {criteria.convention} counts it as data"
    if counted and mask is not None and prepared.mask is not None:
        n_mask, n_tested = int(np.count_nonzero(mask)), int(np.count_nonzero(prepared.mask))
        if n_tested < n_mask:
            yield f"{n_mask - n_tested} of the {n_mask} voxels of the mask have no data (0 or NaN) and are not tested"
