"""How small the prevalence of an effect may still be, given how many participants show it: 95 % lower bounds.

A voxel of a participant without the effect is found all the same with a chance `alpha`, the false-positive rate of a
voxel in that tail. With prevalence g each participant shows the voxel with a chance of at least alpha + (1 - alpha) g,
however strong the effect is in those who have it: k of n therefore bound g from below.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["prevalence_lower"]

LEVEL = 0.95


def prevalence_lower(found: NDArray[Any], tested: NDArray[Any], alpha: float) -> NDArray[np.float64]:
    """The 95 % lower bound of the prevalence where `found` of `tested` participants have a region; 0 where none has.

    The Clopper-Pearson bound of the chance to show the voxel, carried to the prevalence by removing the false
    positives. Where all show it, it is the bound of Friston, Holmes & Worsley (1999, NeuroImage 10, 1-5).

    Parameters
    ----------
    found, tested
        Participants with a region of the sign, and with data; integers of one shape.
    alpha
        Chance that a voxel of a participant without the effect is in a region of that sign, at most; 0 to below 1.

    Examples
    --------
    >>> prevalence_lower(np.array([0, 5, 10]), np.array([10, 10, 10]), 0.0).round(4).tolist()
    [0.0, 0.2224, 0.7411]
    >>> prevalence_lower(np.array([4]), np.array([4]), 0.05).round(4).tolist()  # (0.05^(1/4) - 0.05) / 0.95
    [0.4451]
    """
    if not 0 <= alpha < 1:
        raise ValueError(f"the false-positive rate of a voxel is between 0 and 1, not {alpha}")
    k, n = np.asarray(found, np.int64).ravel(), np.asarray(tested, np.int64).ravel()
    if ((k < 0) | (k > n)).any():
        raise ValueError("participants with a region are among those with data")
    width = int(n.max(initial=0)) + 1
    pairs, which = np.unique(k * width + n, return_inverse=True)  # few: a bound is computed once for each
    at, of = np.divmod(pairs, width)
    shown = special.betaincinv(np.maximum(at, 1), np.maximum(of - at, 0) + 1.0, 1 - LEVEL)
    bound = np.where(at > 0, np.maximum(0.0, (shown - alpha) / (1 - alpha)), 0.0)
    lower: NDArray[np.float64] = bound[which].reshape(np.shape(found))
    return lower
