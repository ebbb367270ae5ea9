"""From what was asked to a number: the cutoff that a voxel's magnitude must reach.

A voxel's *magnitude* is |value| for two tails, its value for the positive tail, minus its value for the negative one.
The *population* is the set of voxels a percentile is taken over, or that are tested at once.

>>> def cutoff(**asked):
...     z = np.array([-4.0, 0.0, 0.0, 1.0, 2.0, 3.0])
...     return round(find_height(z, Criteria(**asked), Statistic("z"))[1].value, 6)
>>> cutoff(threshold="50%"), cutoff(threshold="50%", percentile_over="nonzero"), cutoff(threshold="bonferroni=0.05")
(1.5, 2.5, 2.497705)
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.distributions import OneTail, inverse_survival, one_tail, t_to_z
from bids_regions.extraction.grammar import ThresholdSpec
from bids_regions.extraction.probabilities import carry_cutoff, p_values
from bids_regions.extraction.statistics import Freedom, PScale, Statistic
from bids_regions.extraction.tails import TAILS, Tail
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = [
    "Cutoff",
    "Height",
    "Searched",
    "Statistic",
    "find_height",
    "inverse_survival",
    "thresholded_tail",
]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

BLOCK = 1 << 17  # voxels handled at once: a block and its flags stay in the processor's cache
SAMPLE = 1 << 13  # voxels looked at to guess where a percentile lies
WORDS = {"image": "every voxel of the image", "mask": "voxels in the mask", "nonzero": "non-zero voxels"}
DOF_HINT = (
    "Give --dof N, or put the degrees of freedom into its JSON sidecar, its NIfTI intent or a stat-dof map beside it; "
    "a threshold by value or percentile needs none"
)
DOF_HINTS = {
    1: DOF_HINT,
    2: "Give --dof N N (of the effect and of the error), or put the pair into its JSON sidecar (DegreesOfFreedom) or "
    "its NIfTI intent; a threshold by value or percentile needs none",
}


@dataclass(frozen=True, kw_only=True)
class Cutoff:
    """The magnitude that decides, and how it came about."""

    kind: str  # a name in grammar.THRESHOLDS
    asked: str  # the threshold's text as typed
    value: float  # magnitude in the map's units; inf when no voxel can pass; the lowest where it differs by voxel
    range: tuple[float, float] | None = None  # the lowest and the highest, where it differs by voxel
    population: str  # in words, the voxels it was taken over or applied to
    population_size: int  # voxels
    n_tested: int | None  # tests corrected for; kinds that correct only
    tail: Tail  # the tail that was thresholded
    dof: Freedom | None  # degrees of freedom used: of a probability only
    dtype: str  # float32 or float64: the cutoff is rounded to it and compared in it


@dataclass(frozen=True, kw_only=True, eq=False)
class Searched:
    """A map as a threshold sees it: one row of numbers, and the voxels that count."""

    flat: Array  # (n,) float32 or float64
    mask: Mask | None  # (n,) the population where it is the mask's voxels
    over: str  # a key in WORDS: the population
    tail: Tail
    criteria: Criteria
    statistic: Statistic
    family_wise: Callable[[float], float] | None = None  # from an alpha of one tail to the height; `fwe` alone

    @property
    def spec(self) -> ThresholdSpec:
        """What the threshold's text asks for."""
        return self.criteria.spec

    @property
    def alpha(self) -> float:
        """The probability asked for, of one tail."""
        return self.spec.number / len(TAILS[self.tail].signs)

    @property
    def size(self) -> int:
        """Voxels tested: in the mask, or not zero."""
        return int(np.count_nonzero(self.flat if self.mask is None else self.mask))


@dataclass(frozen=True, kw_only=True, eq=False)
class Height:
    """Which array is thresholded, and at which magnitude: what a row of THRESHOLDS finds."""

    value: float  # magnitude in the units of what is thresholded; inf when no voxel can pass
    size: int  # voxels of the population
    on: Array | None = None  # (n,) thresholded in place of the map that is measured; None: the map itself
    below: bool = False  # what lies at or below the value passes, zeros too: a map of p


def find_height(  # noqa: PLR0913 # independent facts about the map
    data: Array,
    criteria: Criteria,
    statistic: Statistic,
    mask: Mask | None = None,
    *,
    dof: Array | None = None,
    mask_words: str = "",
    family_wise: Callable[[float], float] | None = None,
) -> tuple[Height, Cutoff]:
    """What is thresholded at which magnitude, and how that came about.

    Parameters
    ----------
    data
        The map, any shape, float32 or float64; finite, unless the threshold is a value.
    criteria
        Its threshold, percentile_over, tail and convention are read.
    statistic
        What the numbers are; p, fdr and bonferroni need z, or t with degrees of freedom.
    mask
        True where the map has data; same shape.
    dof
        Degrees of freedom of each voxel, 0 where there are none, of a t map that has them so; same shape.
    mask_words
        What the voxels of the mask are called; the usual words where not given.
    family_wise
        From an alpha of one tail to the height by random field theory; `fwe` alone.

    Raises
    ------
    BadMap
        The map cannot be thresholded as asked: a probability asked of a t map without degrees of freedom or of another
        statistic, a tail that the statistic does not have, a percentile over a mask where there is none.

    Notes
    -----
    Percentiles interpolate linearly between order statistics. Probabilities are one-sided; for two tails alpha is
    halved. The false discovery rate is that of Benjamini and Hochberg (1995): the smallest magnitude whose
    p <= i/n alpha, where i is its rank from the top; two tails are pooled on p = 2 sf(|z|).
    """
    spec, tail, over = criteria.spec, thresholded_tail(criteria, statistic), _population(criteria, mask)
    searched = Searched(
        flat=data.reshape(-1), mask=mask.reshape(-1) if mask is not None and over == "mask" else None, over=over,
        tail=tail, criteria=criteria, statistic=statistic, family_wise=family_wise,
    )  # fmt: skip
    if dof is not None and spec.rule.population == "tested":
        height, limits = _find_by_voxel(searched, dof.reshape(-1))
    else:
        height, limits = _find(searched), None
    cutoff = Cutoff(
        kind=spec.kind, asked=spec.text, value=limits[0] if limits else height.value, range=limits,
        population=_population_words(searched, mask_words), population_size=height.size,
        n_tested=height.size if spec.rule.corrects else None, tail=tail,
        dof=statistic.dof if statistic.rule.n_dof and spec.rule.population == "tested" else None, dtype=str(data.dtype),
    )  # fmt: skip
    return height, cutoff


def _find_by_voxel(searched: Searched, dof: Array) -> tuple[Height, tuple[float, float]]:
    """The height of a t map as z, each voxel by its own degrees of freedom; and the lowest and highest t of it."""
    known = dof > 0
    tested = known & (searched.flat != 0) if searched.mask is None else searched.mask & known
    as_z = replace(searched, flat=t_to_z(searched.flat, dof), mask=tested, statistic=Statistic("z"))
    height = replace(_find(as_z), on=as_z.flat)
    return height, _limits(height.value, dof[tested])


def _population_words(searched: Searched, mask_words: str) -> str:
    over, tail = searched.over, searched.tail
    words = mask_words or WORDS["mask"] if over == "mask" else WORDS[over]
    if searched.spec.rule.population == "ranked" and not TAILS[tail].both:
        words += f", {tail} values" + ("" if over == "nonzero" else " and zeros")
    return words


def _limits(z: float, dof: Array) -> tuple[float, float]:
    """The t of most and of fewest degrees of freedom that are as improbable as z."""
    if math.isinf(z) or not dof.size:
        return math.inf, math.inf
    p = float(special.ndtr(-z))
    return inverse_survival(p, float(dof.max())), inverse_survival(p, float(dof.min()))


def _find(searched: Searched) -> Height:
    """By the function that the table names for the map; voxel by voxel where the degrees of freedom are."""
    rule, statistic = searched.spec.rule, searched.statistic
    if statistic.rule.is_p and not rule.on_p:
        raise BadMap(
            f"threshold {searched.spec.text} was asked of the {statistic.kind} map, whose numbers are p",
            hint="write a probability, such as p=0.05",
        )
    find: Callable[[Searched], Height] = globals()[rule.on_p if statistic.rule.is_p else rule.height]
    return find(searched)


def thresholded_tail(criteria: Criteria, statistic: Statistic) -> Tail:
    """The tail that is thresholded: as asked; maps without a second tail have the positive one."""
    if statistic.rule.both:
        return criteria.tail
    if criteria.tail == "negative":
        raise BadMap(f"the negative tail was asked of the {statistic.kind} map", hint="Use --tail positive for it")
    return "positive"


def _population(criteria: Criteria, mask: Mask | None) -> str:
    """The key in WORDS of the voxels that count."""
    population = criteria.spec.rule.population
    if population != "ranked":
        unmasked = "nonzero" if population == "tested" else "image"
        return unmasked if mask is None else "mask"
    if criteria.percentile_over == "mask" and mask is None:
        raise BadMap(
            f"threshold {criteria.threshold} over the mask, and the map has no mask",
            hint="Give --mask PATH, or --percentile-over nonzero",
        )
    return criteria.percentile_over


def height_by_value(searched: Searched) -> Height:
    """The value asked for."""
    size = searched.flat.size if searched.mask is None else int(np.count_nonzero(searched.mask))
    return Height(value=searched.spec.number, size=size)


def height_by_rank(searched: Searched) -> Height:
    """The percentile asked for, or that which leaves the fraction asked for."""
    spec = searched.spec
    assert spec.rule.percent, "a kind that is held by rank has one"
    percent = spec.rule.percent(spec.number)
    value, size = _percentile(searched.flat, searched.mask, percent, (searched.over, searched.tail))
    return Height(value=value + searched.criteria.percentile_offset, size=size)


def height_by_p(searched: Searched) -> Height:
    """Where one tail's p is the alpha asked for."""
    return Height(value=_inverse(searched, searched.alpha), size=searched.size)


def height_by_bonferroni(searched: Searched) -> Height:
    """Where one tail's p is the alpha asked for, divided by the number of tests."""
    size = searched.size
    _tail_of(searched)
    return Height(value=_inverse(searched, searched.alpha / size) if size else math.inf, size=size)


def height_by_false_discovery(searched: Searched) -> Height:
    """The smallest magnitude whose p is at most its rank from the top times alpha / n."""
    size, flat = searched.size, searched.flat
    log_p = _tail_of(searched).log_p
    if size == 0:
        return Height(value=math.inf, size=size)
    least = np.nextafter(flat.dtype.type(_inverse(searched, searched.alpha)), flat.dtype.type(0))
    _, top = _upper_part(_magnitudes(flat, searched.mask, "mask", searched.tail), least)  # rank n is held to alpha
    return Height(value=_false_discovery(top, searched.alpha / size, log_p), size=size)


def height_by_family_wise_error(searched: Searched) -> Height:
    """Where the family-wise p of one tail is the alpha asked for."""
    if searched.family_wise is None:
        raise BadMap(
            f"threshold {searched.spec.text} needs the voxels' places and the smoothness of the residuals",
            hint="Use find_regions",
        )
    return Height(value=searched.family_wise(searched.alpha), size=searched.size)


def _magnitudes(flat: Array, mask: Mask | None, over: str, tail: str) -> Iterator[Array]:
    """The population's magnitudes, block by block; of one tail, with the zeros where they are counted."""
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        if mask is not None:
            block = block[mask[start : start + BLOCK]]
        if tail == "negative":
            block = -block
        block = np.abs(block) if TAILS[tail].both else block[block >= 0]
        yield block[block != 0] if over == "nonzero" else block


def _percentile(flat: Array, mask: Mask | None, percent: float, population: tuple[str, str]) -> tuple[float, int]:
    """The percentile of the population's magnitudes by linear interpolation, and the population's size."""
    sample_step = max(1, flat.size // SAMPLE)
    sample_mask = None if mask is None else mask[::sample_step]
    guess = np.concatenate([*_magnitudes(flat[::sample_step], sample_mask, *population), np.zeros(1, flat.dtype)])
    least = np.quantile(guess, max(0.0, percent / 100 - 0.02))
    size, top = _upper_part(_magnitudes(flat, mask, *population), least)
    if size == 0:
        return math.inf, 0
    position = percent / 100.0 * (size - 1)
    if int(position) < size - top.size:  # the guess was too high: everything counts
        size, top = _upper_part(_magnitudes(flat, mask, *population), 0)
    low = int(position) - (size - top.size)
    if int(position) == position:
        return float(np.partition(top, low)[low]), size
    ordered = np.partition(top, low)
    above = ordered[low + 1 :].min()
    weight = np.array([int(position) + 1 - position, position - int(position)])
    return float((ordered[low] * weight[0] + above * weight[1]) / weight.sum()), size


def _upper_part(blocks: Iterator[Array], least: Any) -> tuple[int, Array]:
    """How many magnitudes there are, and those of at least `least`."""
    size, kept = 0, []
    for block in blocks:
        size += block.size
        kept.append(block[np.flatnonzero(block >= least)])
    return size, np.concatenate(kept) if kept else np.empty(0)


def _tail_of(searched: Searched) -> OneTail:
    """The distribution that p comes from.

    Raises
    ------
    BadMap
        The map has none, or its degrees of freedom are not known.
    """
    spec, statistic = searched.spec, searched.statistic
    found = one_tail(statistic)
    if found:
        return found
    rule = statistic.rule
    if rule.distribution is None:
        raise BadMap(
            f"threshold {spec.text} was asked of the {statistic.kind} map, and p is known for z, t, F and chi2 only",
            hint="Give a value, a percentile or a ratio",
        )
    raise BadMap(
        f"threshold {spec.text} was asked of the {rule.name} map, which has {_known(statistic)} degrees of freedom",
        hint=DOF_HINTS[rule.n_dof],
    )


def _known(statistic: Statistic) -> str:
    dof = statistic.dof
    if dof is None:
        return "no"
    return ", ".join(f"{number:g}" for number in (dof if isinstance(dof, tuple) else (dof,)))


def _inverse(searched: Searched, alpha: float) -> float:
    """The magnitude whose one-sided p is alpha; not below 0."""
    return max(0.0, _tail_of(searched).inverse(alpha))


def _false_discovery(top: Array, step: float, log_p: Callable[[Array], Array]) -> float:
    """The smallest magnitude whose p is at most its rank from the top times `step`."""
    ordered = np.sort(top)[::-1].astype(np.float64)
    bound = np.log(np.arange(1, ordered.size + 1)) + math.log(step)
    passing = np.flatnonzero(log_p(ordered) <= bound + 1e-12)  # equality passes, rounding aside
    return float(ordered[passing[-1]]) if passing.size else math.inf


def p_height_by_value(searched: Searched) -> Height:
    """The value asked for, on the scale that the map has; on that of p itself nobody means one."""
    if searched.statistic.scale == "p":
        number = searched.spec.number
        hint = f"write p={searched.spec.text}" if 0 < number < 1 else "write a probability, such as p=0.05"
        raise BadMap(
            f"threshold {searched.spec.text} was asked of the {searched.statistic.kind} map, whose numbers are p",
            hint=hint,
        )
    return height_by_value(searched)


def p_height_by_p(searched: Searched) -> Height:
    """Where the p asked for lies on the map's scale; the map's p stands as it is, whatever the tails."""
    return _height_on_scale(searched, searched.spec.number)


def p_height_by_bonferroni(searched: Searched) -> Height:
    """The p asked for, divided by the number of tests."""
    _refuse_corrected(searched)
    size = searched.size
    return _height_on_scale(searched, searched.spec.number / size if size else 0.0)


def p_height_by_false_discovery(searched: Searched) -> Height:
    """The largest p of the map that is at most its rank times alpha / n."""
    _refuse_corrected(searched)
    flat = searched.flat[searched.flat != 0 if searched.mask is None else searched.mask]
    p = np.sort(p_values(flat, _scale(searched)))
    passing = np.flatnonzero(p <= np.arange(1, p.size + 1) * (searched.spec.number / max(1, p.size)) * (1 + 1e-12))
    if not passing.size:
        return _height_on_scale(searched, 0.0)
    least_extreme = np.argsort(p_values(flat, _scale(searched)), kind="stable")[passing[-1]]
    value = float(np.abs(flat[least_extreme]))  # as stored: carried there and back it would not be the same number
    return Height(value=value, size=searched.size, below=_scale(searched) == "p")


def _height_on_scale(searched: Searched, alpha: float) -> Height:
    scale = _scale(searched)
    below = scale == "p"
    value = carry_cutoff(alpha, scale) if alpha > 0 else -math.inf if below else math.inf
    return Height(value=value, size=searched.size, below=below)


def _scale(searched: Searched) -> PScale:
    assert searched.statistic.scale, "a map of unknown scale is skipped before"
    return searched.statistic.scale


def _refuse_corrected(searched: Searched) -> None:
    if not searched.statistic.uncorrected:
        raise BadMap(
            f"threshold {searched.spec.text} was asked of the {searched.statistic.kind} map, whose p may be corrected "
            "for multiple tests already",
            hint=f"write p={searched.spec.digits}",
        )
