"""From what was asked to a number: the cutoff that a voxel's magnitude must reach."""

from dataclasses import dataclass

__all__ = ["Cutoff", "Statistic"]


@dataclass(frozen=True)
class Statistic:
    """What the numbers of a map are.

    Examples
    --------
    >>> Statistic("t", dof=12).kind
    't'
    """

    kind: str = "z"  # z, t, F, or any other word: effect, variance, ...
    dof: float | None = None  # degrees of freedom; only a t map needs them


@dataclass(frozen=True, kw_only=True)
class Cutoff:
    """The magnitude that decides, and how it came about."""

    kind: str  # value, percentile, p, fdr, bonferroni, ratio
    asked: str  # the threshold's text as typed
    value: float  # magnitude in the map's units, as compared; inf when no voxel can pass
    population: str  # in words, the voxels it was derived from, or was applied to
    population_size: int  # voxels
    n_tested: int | None  # voxels tested at once: fdr and bonferroni
    tail: str  # bi, two, positive, negative: the tail thresholded
    dof: float | None  # degrees of freedom used; only for t and a probability
    dtype: str  # float32 or float64: the precision of the comparison
