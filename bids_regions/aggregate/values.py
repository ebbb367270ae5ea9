"""One participant's values in each region: means, extremes, overlap; and in what the others alone would have chosen.

A *region* is a number of a label row here, wherever the labels come from; *the others alone* are all participants but
one, whose choice of voxels does not depend on that one. How maps are read, and who the participants are, is not known
here.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate.tally import Array, Floats, ParticipantMap, Signs
from bids_regions.frozen import dataclass

__all__ = ["Positions", "RegionIndex", "RegionValues", "index_regions", "mean_in_regions", "measure_map"]

FEW = 1 << 20  # pairs of a region and a label that a table holds


class Positions(Protocol):
    """Where the voxels or vertices of a row lie, and how large they are."""

    def xyz(self, numbers: NDArray[np.intp], /) -> Floats:
        """Positions by number in the row, (n, 3), mm RAS+; nan where they are not known."""

    def extents(self, numbers: NDArray[np.intp], /) -> Floats:
        """Their sizes by number in the row, (n,), mm3 or mm2."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionIndex:
    """Where the regions lie in which participants are measured."""

    length: int  # voxels of a row
    number: NDArray[np.int64]  # (n,), the label of each region, ascending
    sign: Signs  # (n,), the sign of participants' regions that count; 0: any
    starts: NDArray[np.intp]  # (n,), where each region begins in `voxels`
    sizes: NDArray[np.int64]  # (n,), voxels
    voxels: NDArray[np.intp]  # numbers in the row, region by region, x, y, z (mm) ascending within
    away: Floats  # of the voxels, mm from the region's own peak; nan without one
    extents: Floats  # of the voxels, mm3 or mm2
    spared: NDArray[np.bool_] | None  # of the voxels: the others alone reach the count without one who has them

    @cached_property
    def region(self) -> NDArray[np.intp]:
        """Which region each voxel lies in, 0-based."""
        return np.repeat(np.arange(self.number.size), self.sizes)

    def sums(self, values: Array) -> Floats:
        """Sums of a value per voxel over each region, in the order of the voxels."""
        return self._reduce(np.add, values.astype(np.float64))

    def _reduce(self, how: np.ufunc, values: Floats) -> Floats:
        if self.number.size == 0:
            return np.zeros(0)
        reduced: Floats = how.reduceat(values, self.starts)
        return reduced

    def largest(self, values: Floats) -> Floats:
        """The largest of a value per voxel in each region."""
        return self._reduce(np.maximum, values)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionValues:
    """One participant's values in each region of a `RegionIndex`; nan where there is none.

    "loo" (leave one out): in those voxels of the region where the others alone reach the full set's count.
    """

    n_voxels: NDArray[np.int64]  # (n,), voxels of the region that the participant's regions of its sign cover
    mean: Floats  # (n,), mean of the map over the region's voxels with data
    peak: Floats  # (n,), the extreme there in the region's own direction; of largest magnitude where it has none
    dice: Floats  # (n,), Dice of the region and the participant's regions of its sign that touch it
    peak_distance: Floats  # (n,), mm, from the region's peak to the participant's
    n_loo: NDArray[np.int64]  # (n,), voxels that the others alone choose; 0 where nobody was left out
    extent_loo: Floats  # (n,), mm3 or mm2 of these
    mean_loo: Floats  # (n,), mean of the map over those of them with data
    dice_loo: Floats  # (n,), Dice of these voxels and the participant's regions of the sign that touch them


def index_regions(
    labels: Array,
    positions: Positions,
    *,
    signs: dict[int, int] | None = None,
    peaks: dict[int, Sequence[float]] | None = None,
    ways: Floats | None = None,
    spared: NDArray[np.bool_] | None = None,
) -> RegionIndex:
    """Find each region's voxels once, for all participants that will be measured there.

    Parameters
    ----------
    labels
        Row of integers, 0 outside regions.
    positions
        Where the row's voxels lie.
    signs, peaks
        Sign (+1, -1, 0 for any) and peak (x, y, z, mm) by label; a label not in them has sign 0 and no peak.
    ways
        Row: mm from the peak of a voxel's region; None where that is the straight way.
    spared
        Row: where the others alone reach the count without one who has a region there; None for regions that were not
        found in the participants' own maps.
    """
    voxels = np.flatnonzero(labels)
    number, which = np.unique(labels[voxels], return_inverse=True)
    xyz = positions.xyz(voxels)
    x, y, z = xyz.round(6).T
    order = np.lexsort((z, y, x, which))
    sizes = np.bincount(which, minlength=number.size).astype(np.int64)
    nowhere = (np.nan, np.nan, np.nan)
    tops = np.array([(peaks or {}).get(int(k), nowhere) for k in number], float).reshape(-1, 3)
    away = np.linalg.norm(xyz - tops[which], axis=1) if ways is None else ways[voxels]
    return RegionIndex(
        length=labels.size,
        number=number.astype(np.int64),
        sign=np.array([(signs or {}).get(int(k), 0) for k in number], np.int8),
        starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)[: number.size],
        sizes=sizes,
        voxels=voxels[order],
        away=away[order],
        extents=positions.extents(voxels)[order],
        spared=None if spared is None else spared[voxels[order]],
    )


def mean_in_regions(index: RegionIndex, data: Array, within: NDArray[np.bool_] | None = None) -> Floats:
    """The mean of a row over each region's voxels where it is finite (and `within`, a row); nan where there is none."""
    values = data[index.voxels]
    there = np.isfinite(values) if within is None else np.isfinite(values) & within[index.voxels]
    return _means(index, values, there)


def _means(index: RegionIndex, values: Array, there: NDArray[np.bool_]) -> Floats:
    n, sums = index.sums(there), index.sums(np.where(there, values, 0))
    means: Floats = np.divide(sums, n, out=np.full(n.shape, np.nan), where=n > 0)
    return means


def measure_map(index: RegionIndex, one: ParticipantMap) -> RegionValues:
    """One participant's values in every region of `index`, in one pass over the regions' voxels.

    Examples
    --------
    >>> from bids_regions.aggregate import participant_map
    >>> class Line:
    ...     def xyz(self, numbers): return np.stack([numbers, numbers * 0, numbers * 0], axis=1).astype(float)
    ...     def extents(self, numbers): return np.ones(numbers.size)
    >>> spared = np.array([True, True, False, True])
    >>> index = index_regions(np.array([1, 1, 1, 0]), Line(), signs={1: 1}, peaks={1: (0, 0, 0)}, spared=spared)
    >>> values = measure_map(index, participant_map(np.array([0, 1, 1, 1]), np.array([2.0, 4.0, 6.0, 5.0])))
    >>> [float(v[0]) for v in (values.n_voxels, values.mean, values.peak, values.peak_distance)]
    [2.0, 4.0, 6.0, 2.0]
    >>> [float(v[0]) for v in (values.n_loo, values.mean_loo)]  # the third voxel needs this very participant
    [2.0, 3.0]
    >>> [round(float(v[0]), 3) for v in (values.dice, values.dice_loo)]
    [0.667, 0.4]
    """
    if one.labels.size != index.length:
        raise ValueError(
            f"a map of {one.labels.size} voxels cannot be measured in regions of rows of {index.length} voxels"
        )
    values, covered = one.data[index.voxels].astype(np.float64), one.covered[index.voxels]
    peak, distance = _find_peaks(index, values, covered)
    labels = one.labels[index.voxels].astype(np.intp)
    wanted = index.sign[index.region]
    own = (labels > 0) & ((wanted == 0) | (one.sign_map()[index.voxels] == wanted))  # in its regions of the same sign
    loo = np.zeros(own.size, bool) if index.spared is None else index.spared | ~own
    has_data = index.sums(covered) > 0
    areas = _areas(one)
    n_voxels, dice = _overlap(index, labels, areas, own, index.sizes)
    n_loo = index.sums(loo).astype(np.int64)
    dice_loo = _overlap(index, labels, areas, own & loo, n_loo)[1]
    return RegionValues(
        n_voxels=n_voxels,
        mean=_means(index, values, covered),
        peak=peak,
        dice=np.where(has_data, dice, np.nan),
        peak_distance=distance,
        n_loo=n_loo,
        extent_loo=index.sums(np.where(loo, index.extents, 0)),
        mean_loo=_means(index, values, covered & loo),
        dice_loo=np.where(has_data & (n_loo > 0), dice_loo, np.nan),
    )


def _find_peaks(index: RegionIndex, values: Floats, covered: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The extreme value of each region in its own direction, and how far it lies from the region's own peak."""
    n, region = index.number.size, index.region
    direction = index.sign[region]
    height = np.where(covered, np.where(direction == 0, np.abs(values), direction * values), -np.inf)
    reached = np.flatnonzero(height == index.largest(height)[region])
    first = reached[np.unique(region[reached], return_index=True)[1]] if n else reached
    known = covered[first]
    return np.where(known, values[first], np.nan), np.where(known, index.away[first], np.nan)


def _overlap(
    index: RegionIndex,
    labels: NDArray[np.intp],
    areas_of: Floats,
    shared: NDArray[np.bool_],
    sizes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Floats]:
    """How many voxels of each region are `shared`, and its Dice with the participant's regions that touch it there.

    `labels` are the participant's at the regions' voxels, `areas_of` the sizes of its regions, `sizes` those of the
    regions, all of them or the part that counts.
    """
    n, width = index.number.size, areas_of.shape[1]
    region, label = index.region[shared], labels[shared]
    n_shared = np.bincount(region, minlength=n).astype(np.int64)
    if n * width <= FEW:
        met = np.zeros((n, width), bool)
        met[region, label] = True
        toucher, label = np.nonzero(met)
    else:
        toucher, label = np.divmod(np.unique(region * width + label), width)
    areas = np.bincount(toucher, weights=areas_of[index.sign[toucher] + 1, label], minlength=n)
    both = areas + sizes
    return n_shared, np.divide(2.0 * n_shared, both, out=np.zeros(n), where=both > 0)


def _areas(one: ParticipantMap) -> Floats:
    """Voxels of the participant's regions by label: of negative sign, all of them, of positive sign; (3, labels)."""
    own = one.labels[one.voxels].astype(np.intp)
    width = int(own.max(initial=0)) + 1
    return np.array(
        [np.bincount(own[keep], minlength=width) for keep in (one.signs < 0, slice(None), one.signs > 0)], float
    )
