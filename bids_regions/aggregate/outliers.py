"""Who stands out in a measure, with a known chance of naming anybody in a group where nobody does.

The rule is Rosner's generalized extreme Studentized deviate (1983, Technometrics 25, 165-172): the value farthest from
the others is tested against what the others tell, taken out, and so on; all up to the last that passes its limit stand
out. A value cannot hide another, and the limit grows with the number of participants.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["Measure", "Outlying", "describe_outliers", "find_outliers"]

Floats = NDArray[np.float64]

LEVEL = 0.05  # chance that a normal group has any flag at all, over all of its measures together
MINIMUM = 5  # participants; fewer say nothing about who stands out
SHARE = 4  # at most one in so many is looked for: more are no outliers but another group


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number per participant, on a scale where a group without outliers is about normal."""

    name: str
    values: Sequence[float]  # per participant; nan: no value
    floor: float  # smallest standard deviation that matters, on the scale of the values
    low_only: bool = False  # a large value is no fault


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlying:
    """A measure's verdict on each participant."""

    scores: Floats  # (n,), distance from the mean of those who do not stand out, in their standard deviations
    flags: NDArray[np.bool_]  # (n,)


def find_outliers(values: Floats, *, floor: float, level: float, low_only: bool = False) -> Outlying:
    """Test each value against the others.

    Parameters
    ----------
    values
        One per participant; nan is no value.
    floor
        Smallest standard deviation that matters: differences below it count for nothing however alike the others are.
    level
        Chance that a normal sample has any flag.
    low_only
        Only small values stand out.

    Examples
    --------
    >>> found = find_outliers(np.array([0.80, 0.82, 0.79, 0.81, 0.78, 0.02]), floor=0.01, level=0.01)
    >>> found.flags.tolist(), round(float(found.scores[-1]), 1)
    ([False, False, False, False, False, True], -49.3)
    """
    known = np.flatnonzero(np.isfinite(values))
    flags = np.zeros(values.shape, bool)
    if known.size < MINIMUM:
        return Outlying(scores=np.full(values.shape, np.nan), flags=flags)
    order = known[np.argsort(values[known], kind="stable")]
    low, high, n_low, n_high = 0, order.size, 0, 0  # those left: order[low:high]; those that stand out at either end
    for _ in range(max(1, order.size // SHARE)):
        left = values[order[low:high]]
        below, above = _deleted(left, floor)
        at_low = low_only or below >= above
        low, high = (low + 1, high) if at_low else (low, high - 1)
        tail = level / left.size if low_only else level / (2 * left.size)
        if (below if at_low else above) > special.stdtrit(left.size - 2, 1 - tail):
            n_low, n_high = low, order.size - high
    flags[order[:n_low]] = flags[order[order.size - n_high :]] = True
    usual = values[order[n_low : order.size - n_high]]
    scores: Floats = (values - usual.mean()) / max(float(usual.std(ddof=1)), floor)
    return Outlying(scores=scores, flags=flags)


def _deleted(ascending: Floats, floor: float) -> tuple[float, float]:
    """How far the least lies below, and the largest above, the mean of all others: Student's t with n - 2."""
    n = ascending.size
    centred = ascending - ascending.mean()
    total = float(centred @ centred)

    def distance(away: float) -> float:
        others = max(total - away * away * n / (n - 1), 0.0)  # squares of the others about their own mean
        spread = max(math.sqrt(others / (n - 2)), floor)
        return away * math.sqrt(n / (n - 1)) / spread

    return distance(-float(centred[0])), distance(float(centred[-1]))


def describe_outliers(measures: Sequence[Measure]) -> list[str]:
    """Per participant, what stands out in words: "low volume (z=-8.3)"; empty where nothing does.

    The measures share `LEVEL` evenly, so that the chance of any flag in a normal group stays below it.
    """
    level = LEVEL / max(1, len(measures))
    found: Mapping[str, Outlying] = {
        one.name: find_outliers(np.array(one.values, float), floor=one.floor, level=level, low_only=one.low_only)
        for one in measures
    }
    n = len(measures[0].values) if measures else 0
    words = ([_word(name, outlying, k) for name, outlying in found.items() if outlying.flags[k]] for k in range(n))
    return ["; ".join(own) for own in words]


def _word(name: str, outlying: Outlying, k: int) -> str:
    score = float(outlying.scores[k])
    return f"{'high' if score > 0 else 'low'} {name} (z={score:.1f})"
