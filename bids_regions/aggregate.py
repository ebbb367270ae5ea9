"""Many participants' regions on one grid: how often, where, how alike, and who stands out.

A *participant map* is one participant's labels, values and data area. A *tally* counts, per voxel, in how many of them
a positive region, a negative region, or data lies; counts are integers, so any order and any sharding of the
participants give the same tally. *Prevalence* is the fraction whose regions cover a voxel among those with data there,
*coverage* the fraction with data, *consensus* the voxels where prevalence is high enough. This room knows arrays only:
no file, no participant's name, no grid but the one that its caller has brought everything to.

Arrays are 3-D in the file's own axes; "flat" means raveled in Fortran order, which is how a NIfTI file lies on disk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ParticipantMap",
    "RegionIndex",
    "RegionValues",
    "Tally",
    "coverage",
    "describe_outlier",
    "dice_of_signs",
    "find_consensus",
    "index_regions",
    "lay_map",
    "mean_agreement",
    "measure_regions",
    "merge_tallies",
    "order_by_agreement",
    "pack_signs",
    "pairwise_dice",
    "prevalence",
    "robust_scores",
    "tally_maps",
]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Signs = NDArray[np.int8]
Bits = NDArray[np.uint64]

OUTLIER_SCORE = 3.5  # |robust z| above which a value stands out (Iglewicz and Hoaglin 1993)
OUTLIER_MINIMUM = 5  # participants; a median of fewer says nothing about who stands out
NORMAL_MAD = 1.482602218505602  # 1 / Phi^-1(3/4): median absolute deviation -> standard deviation
NORMAL_MEAN_AD = 1.2533141373155001  # sqrt(pi / 2): mean absolute deviation -> standard deviation
BLOCK = 8192  # 64-bit words of packed signs compared at a time, so that the block stays in the cache


@dataclass(frozen=True, kw_only=True)
class ParticipantMap:
    """One participant's map on the grid of its set, flat."""

    shape: tuple[int, int, int]  # voxels, file axes
    labels: Array  # flat integers, 0 outside regions
    data: Array  # flat values of the map, finite
    covered: NDArray[np.bool_]  # flat; where the participant has data
    voxels: NDArray[np.intp]  # flat indices of the voxels in regions, ascending
    signs: Signs  # +1 or -1 of the map at `voxels` (0 where the map is 0 there)

    def sign_map(self) -> Signs:
        """The signs of all voxels, flat: 0 outside regions."""
        dense = np.zeros(self.labels.size, np.int8)
        dense[self.voxels] = self.signs
        return dense


def lay_map(labels: Array, data: Array, mask: Array | None = None) -> ParticipantMap:
    """One participant's arrays, made ready to be counted.

    Parameters
    ----------
    labels
        Integers (x, y, z), 0 outside regions.
    data
        The map that the labels were made from, same shape; a non-finite value counts as no data.
    mask
        Where the participant has data, same shape; without one: where the map is finite and not zero. A voxel in a
        region always has data.

    Examples
    --------
    >>> laid = lay_map(np.array([[[0, 1, 2]]]), np.array([[[0.0, 4.0, -5.0]]]))
    >>> laid.covered.tolist(), laid.sign_map().tolist()
    ([False, True, True], [0, 1, -1])
    """
    if labels.shape != data.shape or (mask is not None and mask.shape != data.shape):
        raise ValueError(f"labels {labels.shape}, map {data.shape} and mask must share one shape")
    flat_labels, values = labels.ravel(order="F"), data.ravel(order="F")
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, 0)
    voxels = np.flatnonzero(flat_labels)
    covered = values != 0 if mask is None else mask.ravel(order="F") != 0
    covered[voxels] = True
    return ParticipantMap(
        shape=(data.shape[0], data.shape[1], data.shape[2]),
        labels=flat_labels,
        data=values,
        covered=covered,
        voxels=voxels,
        signs=np.sign(values[voxels]).astype(np.int8),
    )


@dataclass(frozen=True, kw_only=True)
class Tally:
    """In how many of `n` participants each voxel lies in a positive region, in a negative region, has data."""

    n: int  # participants
    positive: Array  # (x, y, z), participants, unsigned
    negative: Array  # (x, y, z), participants, unsigned
    data: Array  # (x, y, z), participants, unsigned


def tally_maps(maps: Iterable[ParticipantMap], shape: tuple[int, int, int]) -> Tally:
    """Count participants per voxel, one map in memory at a time.

    Examples
    --------
    >>> first = lay_map(np.array([[[0, 1, 2]]]), np.array([[[0.0, 4.0, -5.0]]]))
    >>> second = lay_map(np.array([[[0, 1, 0]]]), np.array([[[1.0, 6.0, 2.0]]]))
    >>> tally = tally_maps([first, second], (1, 1, 3))
    >>> tally.positive.tolist(), tally.negative.tolist(), tally.data.tolist()
    ([[[0, 2, 0]]], [[[0, 0, 1]]], [[[1, 2, 2]]])
    """
    n, size = 0, int(np.prod(shape))
    positive, negative, data = (np.zeros(size, np.uint32) for _ in range(3))
    for one in maps:
        if one.shape != tuple(shape):
            raise ValueError(f"a map of {one.shape} voxels cannot be counted on a grid of {tuple(shape)}")
        n += 1
        positive[one.voxels[one.signs > 0]] += 1
        negative[one.voxels[one.signs < 0]] += 1
        data += one.covered
    up, down, there = (a.astype(_count_type(n)).reshape(shape, order="F") for a in (positive, negative, data))
    return Tally(n=n, positive=up, negative=down, data=there)


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """The tally of all participants from tallies of shards of them, holding two at a time."""
    total: Tally | None = None
    for tally in tallies:
        total = tally if total is None else _add(total, tally)
    if total is None:
        raise ValueError("no tally to merge")
    return total


def _add(a: Tally, b: Tally) -> Tally:
    n = a.n + b.n
    kind = _count_type(n)
    return Tally(
        n=n,
        positive=np.add(a.positive, b.positive, dtype=kind),
        negative=np.add(a.negative, b.negative, dtype=kind),
        data=np.add(a.data, b.data, dtype=kind),
    )


def _count_type(n: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if n <= np.iinfo(np.uint16).max else np.uint32


def prevalence(tally: Tally, sign: int) -> Floats:
    """The fraction of participants with a region of this sign among those with data, (x, y, z); 0 where nobody has.

    Examples
    --------
    >>> one = lay_map(np.array([[[0, 1]]]), np.array([[[0.0, 4.0]]]))
    >>> other = lay_map(np.array([[[0, 0]]]), np.array([[[0.0, 2.0]]]))
    >>> prevalence(tally_maps([one, other], (1, 1, 2)), +1).tolist()
    [[[0.0, 0.5]]]
    """
    counts = tally.positive if sign > 0 else tally.negative
    fraction = np.zeros(tally.data.shape, order="F")
    return np.divide(counts, tally.data, out=fraction, where=tally.data > 0)


def coverage(tally: Tally) -> Floats:
    """The fraction of participants that have data, (x, y, z)."""
    return tally.data / float(max(tally.n, 1))


def find_consensus(tally: Tally, *, min_prevalence: float, min_coverage: float) -> Floats:
    """The signed prevalence where it reaches `min_prevalence` and coverage reaches `min_coverage`, 0 elsewhere.

    Equal is enough. Where both signs reach it the larger wins; a tie is positive. The result is what a signed
    statistical map is to region extraction: its regions are the consensus regions.

    Examples
    --------
    >>> tally = Tally(n=4, positive=np.array([[[2, 1, 0]]]), negative=np.array([[[2, 3, 1]]]),
    ...               data=np.array([[[4, 4, 1]]]))
    >>> find_consensus(tally, min_prevalence=0.5, min_coverage=0.5).tolist()
    [[[0.5, -0.75, 0.0]]]
    """
    positive, negative = prevalence(tally, +1), prevalence(tally, -1)
    allowed = (coverage(tally) >= min_coverage) & (tally.data > 0)
    up = allowed & (positive >= min_prevalence) & (positive >= negative)
    down = allowed & (negative >= min_prevalence) & (negative > positive)
    consensus = np.zeros(positive.shape, order="F")
    consensus[up] = positive[up]
    consensus[down] = -negative[down]
    return consensus


def dice_of_signs(a: Signs, b: Signs) -> float:
    """Dice overlap of two sign maps of one shape: 2 x voxels of equal sign / voxels of either; nan if both are empty.

    Dice (1945), Ecology 26, 297-302, on voxels that count as shared only where the signs agree.

    >>> dice_of_signs(np.array([1, 1, -1, 0], np.int8), np.array([1, -1, -1, 0], np.int8))
    0.6666666666666666
    """
    both = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    shared = int(np.count_nonzero((a == b) & (a != 0)))
    return 2 * shared / both if both else float("nan")


def pack_signs(signs: Signs) -> Bits:
    """A flat sign map as bits, positive before negative: 16 times smaller than the float32 map."""
    halves = [np.packbits(signs > 0), np.packbits(signs < 0)]
    packed = np.zeros(-(-(2 * halves[0].size) // 8) * 8, np.uint8)
    packed[: 2 * halves[0].size] = np.concatenate(halves)
    return packed.view(np.uint64)


def pairwise_dice(packed: Sequence[Bits]) -> Floats:
    """Dice overlap of every two packed sign maps, (n, n), 1 on the diagonal; nan where both are empty.

    Examples
    --------
    >>> maps = [np.array(m, np.int8) for m in ([1, 1, -1, 0], [1, -1, -1, 0], [0, 0, 0, 0])]
    >>> pairwise_dice([pack_signs(m) for m in maps]).round(3).tolist()
    [[1.0, 0.667, 0.0], [0.667, 1.0, 0.0], [0.0, 0.0, nan]]
    """
    n = len(packed)
    shared = np.zeros((n, n), np.int64)
    words = packed[0].size if n else 0
    for start in range(0, words, BLOCK):
        block = np.stack([bits[start : start + BLOCK] for bits in packed])
        for row in range(n):
            common = np.bitwise_count(block[row:] & block[row])
            shared[row, row:] += common.sum(axis=1, dtype=np.int64)
    shared = np.maximum(shared, shared.T)
    sizes = np.diagonal(shared)
    both = sizes[:, None] + sizes[None, :]
    dice = np.full((n, n), np.nan)
    np.divide(2.0 * shared, both, out=dice, where=both > 0)
    return dice


def order_by_agreement(dice: Floats) -> list[int]:
    """Rows of a pairwise Dice matrix from the most typical participant to the least; equal ones keep their order."""
    order: list[int] = np.argsort(-np.nan_to_num(mean_agreement(dice)), kind="stable").tolist()
    return order


def mean_agreement(dice: Floats) -> Floats:
    """Each participant's mean Dice with all others, (n,); nan where there is none to compare.

    >>> mean_agreement(np.array([[1, 0.5, 0.7], [0.5, 1, 0.3], [0.7, 0.3, 1]])).round(3).tolist()
    [0.6, 0.4, 0.5]
    """
    others = np.isfinite(dice) & ~np.eye(len(dice), dtype=bool)
    totals, counts = np.where(others, dice, 0).sum(axis=1), others.sum(axis=1)
    means = np.full(len(dice), np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means


@dataclass(frozen=True, kw_only=True)
class RegionIndex:
    """Where the regions lie in which participants are measured."""

    shape: tuple[int, int, int]  # voxels, file axes
    affine: Floats  # (4, 4), voxel -> mm, RAS+
    number: NDArray[np.int64]  # (n,), the label of each region, ascending
    sign: Signs  # (n,), the sign of participants' regions that count; 0: any
    peak_xyz: Floats  # (n, 3), mm, RAS+; nan for a region without a peak
    starts: NDArray[np.intp]  # (n,), where each region begins in `voxels`
    sizes: NDArray[np.int64]  # (n,), voxels
    voxels: NDArray[np.intp]  # flat indices, region by region, x, y, z (mm) ascending within


@dataclass(frozen=True, kw_only=True)
class RegionValues:
    """One participant's values in each region of a `RegionIndex`; nan where there is none."""

    n_voxels: NDArray[np.int64]  # (n,), voxels of the region that the participant's regions of its sign cover
    mean: Floats  # (n,), mean of the map over the region's voxels with data
    peak: Floats  # (n,), the value of largest magnitude there, signed
    dice: Floats  # (n,), Dice of the region and the participant's regions of its sign that touch it
    peak_distance: Floats  # (n,), mm, from the region's peak to the participant's


def index_regions(
    labels: Array,
    affine: Floats,
    *,
    signs: dict[int, int] | None = None,
    peaks: dict[int, Sequence[float]] | None = None,
) -> RegionIndex:
    """Find each region's voxels once, for all participants that will be measured there.

    Parameters
    ----------
    labels
        Integers (x, y, z), 0 outside regions.
    affine
        Voxel -> mm, RAS+.
    signs, peaks
        Sign (+1, -1, 0 for any) and peak (x, y, z, mm) by label; a label not in them has sign 0 and no peak.
    """
    flat = labels.ravel(order="F")
    voxels = np.flatnonzero(flat)
    number, which = np.unique(flat[voxels], return_inverse=True)
    x, y, z = (_to_mm(voxels, labels.shape, affine)).round(6).T
    order = np.lexsort((z, y, x, which))
    sizes = np.bincount(which, minlength=number.size).astype(np.int64)
    nowhere = (np.nan, np.nan, np.nan)
    return RegionIndex(
        shape=(labels.shape[0], labels.shape[1], labels.shape[2]),
        affine=affine,
        number=number.astype(np.int64),
        sign=np.array([(signs or {}).get(int(k), 0) for k in number], np.int8),
        peak_xyz=np.array([(peaks or {}).get(int(k), nowhere) for k in number], float).reshape(-1, 3),
        starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)[: number.size],
        sizes=sizes,
        voxels=voxels[order],
    )


def measure_regions(index: RegionIndex, one: ParticipantMap) -> RegionValues:
    """One participant's values in every region of `index`, in one pass over the regions' voxels.

    Examples
    --------
    >>> index = index_regions(np.array([[[1, 1, 1, 0]]]), np.eye(4), signs={1: 1}, peaks={1: (0, 0, 0)})
    >>> one = lay_map(np.array([[[0, 1, 1, 1]]]), np.array([[[2.0, 4.0, 6.0, 5.0]]]))
    >>> values = measure_regions(index, one)
    >>> [float(v[0]) for v in (values.n_voxels, values.mean, values.peak, values.peak_distance)]
    [2.0, 4.0, 6.0, 2.0]
    >>> round(float(values.dice[0]), 3)
    0.667
    """
    if one.shape != index.shape:
        raise ValueError(f"a map of {one.shape} voxels cannot be measured in regions of a grid of {index.shape}")
    n = index.number.size
    if n == 0:
        nothing = np.zeros(0)
        return RegionValues(
            n_voxels=np.zeros(0, np.int64), mean=nothing, peak=nothing, dice=nothing, peak_distance=nothing
        )
    values, covered = one.data[index.voxels], one.covered[index.voxels]
    n_data = np.add.reduceat(covered, index.starts, dtype=np.int64)
    empty = np.full(n, np.nan)
    sums = np.add.reduceat(np.where(covered, values, 0), index.starts, dtype=np.float64)
    magnitude = np.where(covered, np.abs(values), -1)
    top = np.maximum.reduceat(magnitude, index.starts)
    region = np.repeat(np.arange(n), index.sizes)
    reached = np.flatnonzero(magnitude == top[region])
    first = reached[np.unique(region[reached], return_index=True)[1]]
    distance = np.linalg.norm(_to_mm(index.voxels[first], index.shape, index.affine) - index.peak_xyz, axis=1)
    n_voxels, dice = _overlap(index, one, region)
    has_data = n_data > 0
    return RegionValues(
        n_voxels=n_voxels,
        mean=np.divide(sums, n_data, out=empty.copy(), where=has_data),
        peak=np.where(has_data, values[first], np.nan).astype(np.float64),
        dice=np.where(has_data, dice, np.nan),
        peak_distance=np.where(has_data, distance, np.nan),
    )


def _overlap(index: RegionIndex, one: ParticipantMap, region: NDArray[np.intp]) -> tuple[NDArray[np.int64], Floats]:
    """Voxels shared with the participant's regions of each region's sign, and Dice with those that touch it."""
    labels = one.labels[index.voxels].astype(np.int64)
    wanted = index.sign[region]
    fits = (labels > 0) & ((wanted == 0) | (np.sign(one.data[index.voxels]) == wanted))
    n_voxels = np.bincount(region[fits], minlength=index.number.size).astype(np.int64)
    width = int(one.labels.max()) + 1 if one.voxels.size else 1
    touched = np.unique(region[fits] * width + labels[fits])
    own = one.labels[one.voxels].astype(np.int64)
    by_sign = {s: np.bincount(own[one.signs == s], minlength=width) for s in (-1, 1)}
    by_sign[0] = np.bincount(own, minlength=width)
    toucher, label = np.divmod(touched, width)
    area = np.choose(index.sign[toucher] + 1, [by_sign[-1][label], by_sign[0][label], by_sign[1][label]])
    areas = np.bincount(toucher, weights=area, minlength=index.number.size)
    return n_voxels, 2.0 * n_voxels / (areas + index.sizes)


def _to_mm(voxels: NDArray[np.intp], shape: tuple[int, ...], affine: Floats) -> Floats:
    ijk = np.stack(np.unravel_index(voxels, shape, order="F"), axis=1)
    moved: Floats = ijk @ affine[:3, :3].T + affine[:3, 3]
    return moved


def robust_scores(values: Floats, *, floor: float = 0.0) -> Floats:
    """Robust z of each value: its distance from the median over the spread of all, (n,); nan stays nan.

    The spread is the scaled median absolute deviation, or, where more than half of the values are equal, the scaled
    mean absolute deviation (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers); never less than `floor`,
    the smallest difference that matters, in the values' own unit. Where all are equal every score is 0. With fewer
    than five values nothing can stand out: every score is nan.

    >>> robust_scores(np.array([1.0, 2.0, 3.0, 4.0, 30.0])).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 18.21]
    >>> robust_scores(np.array([1.0, 1.0, 1.0, 1.0, 2.0]), floor=1.0).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0]
    """
    known = values[np.isfinite(values)]
    if known.size < OUTLIER_MINIMUM:
        return np.full(values.shape, np.nan)
    middle = np.median(known)
    away = np.abs(known - middle)
    spread = NORMAL_MAD * float(np.median(away)) or NORMAL_MEAN_AD * float(away.mean())
    spread = max(spread, floor)
    if spread == 0:
        return np.where(np.isfinite(values), 0.0, np.nan)
    scores: Floats = (values - middle) / spread
    return scores


def describe_outlier(measure: str, score: float) -> str:
    """The score in words if it stands out, otherwise nothing.

    >>> describe_outlier("volume", 4.21), describe_outlier("volume", -1.0)
    ('high volume (z=4.2)', '')
    """
    if not abs(score) > OUTLIER_SCORE:
        return ""
    return f"{'high' if score > 0 else 'low'} {measure} (z={score:.1f})"
