"""The false-positive rate of a voxel: how often one without an effect passes the cutoff by chance, in one tail.

It is known where the cutoff was fixed on a scale of probabilities before the map was seen: `p=...` of any map, and a
value, `bonferroni=...` or `fwe=...` of z, and of t, F and chi-squared with degrees of freedom. A percentile, a ratio
and a false-discovery rate depend on what the map holds, so that nothing is known of it.
"""

import math
from typing import TYPE_CHECKING

from bids_regions.extraction import parse_threshold
from bids_regions.extraction.tails import TAILS
from bids_regions.libraries import Late
from bids_regions.results.records import StatisticUsed, ThresholdUsed

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["voxel_rate"]

FIXED = frozenset({"value", "bonferroni", "fwe"})  # kinds of threshold whose cutoff no effect in the map can move

UNKNOWN = math.nan


def voxel_rate(statistic: StatisticUsed, threshold: ThresholdUsed) -> float:
    """The rate of one tail under the cutoff that a record tells; nan where it is not known.

    >>> asked = {"population": "image", "population_size": 9, "precision": "float32", "tail": "bi"}
    >>> z, t = StatisticUsed(kind="z"), StatisticUsed(kind="t")
    >>> round(voxel_rate(z, ThresholdUsed(kind="value", asked="3.1", cutoff=3.1, **asked)), 6)
    0.000968
    >>> voxel_rate(t, ThresholdUsed(kind="p", asked="p=0.001", **asked))
    0.0005
    >>> voxel_rate(z, ThresholdUsed(kind="percentile", asked="97%", cutoff=2.0, **asked))
    nan
    """
    if threshold.kind == "p":
        shared = len(TAILS[threshold.tail].signs) if statistic.kind in ("z", "t") else 1
        return parse_threshold(threshold.asked).number / shared
    if threshold.kind not in FIXED or threshold.cutoff is None or threshold.cutoff_range:
        return UNKNOWN
    dof = statistic.dof if threshold.dof is None else threshold.dof
    numbers = dof if isinstance(dof, tuple) else () if dof is None else (dof,)
    return _survival(statistic.kind, threshold.cutoff, numbers)


def _survival(kind: str, cutoff: float, dof: tuple[float, ...]) -> float:
    """The upper tail of a map's distribution; nan where it has none or its degrees of freedom are not known."""
    if kind == "z":
        return float(special.ndtr(-cutoff))
    if kind == "t" and len(dof) == 1:
        return float(special.stdtr(dof[0], -cutoff))
    if kind == "chi2" and len(dof) == 1:
        return float(special.chdtrc(dof[0], cutoff))
    if kind == "F" and len(dof) == 2:
        return float(special.fdtrc(dof[0], dof[1], cutoff))
    return UNKNOWN
