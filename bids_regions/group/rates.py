"""The false-positive rate of a voxel: how often one without an effect passes the cutoff by chance, in one tail.

It is known where the cutoff was fixed on a scale of probabilities before the map was seen: `p=...` of any map, and a
value, `bonferroni=...` or `fwe=...` of z, and of t, F and chi-squared with degrees of freedom. A percentile, a ratio
and a false-discovery rate depend on what the map holds, so that nothing is known of it.
"""

import math
from collections.abc import Mapping
from typing import Any

from scipy import special

from bids_regions.extraction import parse_threshold
from bids_regions.extraction.tails import TAILS

__all__ = ["voxel_rate"]

FIXED = frozenset({"value", "bonferroni", "fwe"})  # kinds of threshold whose cutoff no effect in the map can move

UNKNOWN = math.nan


def voxel_rate(record: Mapping[str, Any]) -> float:
    """The rate of one tail under the cutoff that a record tells; nan where it is not known.

    >>> round(voxel_rate({"Statistic": {"Kind": "z"}, "Threshold": {"Kind": "value", "Cutoff": 3.1, "Tail": "bi"}}), 6)
    0.000968
    >>> voxel_rate({"Statistic": {"Kind": "t"}, "Threshold": {"Kind": "p", "Asked": "p=0.001", "Tail": "bi"}})
    0.0005
    >>> voxel_rate({"Statistic": {"Kind": "z"}, "Threshold": {"Kind": "percentile", "Cutoff": 2.0, "Tail": "bi"}})
    nan
    """
    threshold, statistic = record["Threshold"], record["Statistic"]
    dof = threshold.get("DegreesOfFreedom", statistic.get("DegreesOfFreedom"))
    numbers = [float(one) for one in (dof if isinstance(dof, list | tuple) else [] if dof is None else [dof])]
    if threshold["Kind"] == "p":
        shared = len(TAILS[threshold["Tail"]].signs) if statistic["Kind"] in ("z", "t") else 1
        return parse_threshold(threshold["Asked"]).number / shared
    if threshold["Kind"] not in FIXED or "Cutoff" not in threshold or "CutoffRange" in threshold:
        return UNKNOWN
    return _survival(str(statistic["Kind"]), float(threshold["Cutoff"]), numbers)


def _survival(kind: str, cutoff: float, dof: list[float]) -> float:
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
