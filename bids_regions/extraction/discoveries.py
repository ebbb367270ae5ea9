"""At least how much of each region is active: the true-discovery proportion of all-resolutions inference.

The *true-discovery proportion* (TDP) is a lower bound of the fraction of a region's voxels that are active; it holds
for every region at once, however the regions were chosen. Everything here works on z values. This room knows no file
and no region object.

Sources: Hommel 1988 (Biometrika 75:383-386), Goeman & Solari 2011 (Stat Sci 26:584-597) and Rosenblatt et al. 2018
(NeuroImage 181:786-796).
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap
from bids_regions.extraction.statistics import Statistic
from bids_regions.extraction.tails import TAILS, Tail
from bids_regions.extraction.thresholds import DOF_HINT
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["tested_freedom", "true_discovery_proportions"]


def tested_freedom(statistic: Statistic) -> float | NDArray[Any]:
    """Degrees of freedom for making z of the map's values, one or for each voxel; infinite for z itself."""
    what = "a true-discovery proportion"
    if statistic.rule.distribution == "normal":
        return math.inf
    if statistic.rule.distribution != "t":
        raise BadMap(
            f"{what} was asked of the {statistic.kind} map, and is known for z and t only",
            hint="Leave out --tdp for it",
        )
    if statistic.dof_map is not None:
        return np.asarray(statistic.dof_map)
    dof = statistic.dof
    if not isinstance(dof, int | float) or not dof > 0:
        raise BadMap(f"{what} was asked of a t map without degrees of freedom", hint=DOF_HINT)
    return dof


def true_discovery_proportions(
    population: NDArray[np.floating[Any]],
    z: NDArray[np.floating[Any]],
    ids: NDArray[np.integer[Any]],
    *,
    n_regions: int,
    tail: Tail,
    alpha: float = 0.05,
) -> NDArray[np.float64]:
    """At least which fraction of each region's voxels is active, for all regions at once with confidence 1 - alpha.

    With Hommel's h over the whole population, a region S of n voxels has at least
    max over u >= 1 of (1 - u + #{i in S: h p_i <= u alpha}) true discoveries (Rosenblatt et al. 2018). p is one-sided;
    for `bi` each tail is tested at alpha / 2; for `two` p is two-sided. Assumes that Simes' inequality holds, as it
    does for the smooth fields of brain maps.

    Parameters
    ----------
    population
        z of every voxel searched (the mask's), 1-D, signed.
    z, ids
        z and region (1 to `n_regions`; 0 for none) of the regions' voxels, 1-D and parallel.
    n_regions, tail
        How many regions, and which tail they were sought in.
    alpha
        One minus the confidence.

    Returns
    -------
    ndarray
        float64, (n_regions,), each from 0 to 1.

    Raises
    ------
    BadMap
        The population is empty.

    Examples
    --------
    >>> z = np.array([6.0, 5.0, 4.0, 1.0, 0.5, 0.1])
    >>> true_discovery_proportions(z, z[:4], np.array([1, 1, 1, 1]), n_regions=1, tail="positive")
    array([0.75])
    """
    if not population.size:
        raise BadMap("true-discovery proportions need the voxels that were searched", hint="Give a mask with voxels")
    rule = TAILS[tail]
    if rule.merged:
        return _proportions(2 * special.ndtr(-np.abs(population)), 2 * special.ndtr(-np.abs(z)), ids, n_regions, alpha)
    found = np.zeros(n_regions)
    for sign in rule.signs:
        here = sign * z > 0
        p_all, p = special.ndtr(-sign * population), special.ndtr(-sign * z[here])
        found = np.maximum(found, _proportions(p_all, p, ids[here], n_regions, alpha / len(rule.signs)))
    return found


def _proportions(
    p_all: NDArray[np.float64],
    p: NDArray[np.float64],
    ids: NDArray[np.integer[Any]],
    n_regions: int,
    alpha: float,
) -> NDArray[np.float64]:
    need = np.maximum(np.ceil(_hommel_value(p_all, alpha) * p / alpha), 1)  # the smallest u that counts the voxel
    order = np.lexsort((need, ids))
    sizes = np.bincount(ids, minlength=n_regions + 1)[: n_regions + 1]
    rank = np.arange(1, p.size + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within the region, by p
    discoveries = np.zeros(n_regions + 1)
    np.maximum.at(discoveries, ids[order], 1 - need[order] + rank)
    return np.asarray(discoveries[1:] / np.maximum(sizes[1:], 1))


def _hommel_value(p_all: NDArray[np.float64], alpha: float) -> int:
    """Hommel's h: the largest number of the hypotheses that may all be true, found on the slopes of the small p."""
    m = p_all.size
    low = np.sort(p_all[p_all <= alpha])
    if low.size == m:  # each p is at most alpha: Simes rejects every set
        return 0
    if not low.size:
        return m
    k = np.arange(1, min(low.size, m - 1) + 1)
    slope = float(np.max((alpha - low[: k.size]) / (m - k)))
    return m if slope <= 0 else int(min(alpha / slope, m))
