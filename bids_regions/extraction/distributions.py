"""From a probability to a value of z, t, F or chi-squared, and back: one tail's p of each statistic that has one.

Precise as far as a p is a number (1e-300), which the plain inverses of libraries are not. No map, no file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from bids_regions.extraction.inference import t_to_z
from bids_regions.extraction.statistics import Freedom, Statistic

__all__ = ["OneTail", "inverse_survival", "one_tail"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OneTail:
    """The upper tail of one statistic."""

    inverse: Callable[[float], float]  # the value whose p this is
    log_p: Callable[[Array], Array]  # the logarithm of the p of values, float64; -inf where p is no number any more


def one_tail(statistic: Statistic) -> OneTail | None:
    """The tail of a statistic; None where it has no p, or its degrees of freedom are not known.

    >>> round(one_tail(Statistic("F", dof=(2, 98))).inverse(0.001), 5)
    7.41837
    >>> one_tail(Statistic("effect")) is None, one_tail(Statistic("t")) is None
    (True, True)
    """
    kind, dof = statistic.rule.distribution, statistic.dof
    if kind == "normal":
        return OneTail(inverse_survival, lambda z: special.log_ndtr(-z.astype(np.float64)))
    if kind is None or not _suits(dof, statistic.rule.n_dof):
        return None
    if kind == "F":
        effect, error = dof  # type: ignore[misc] # two, see above
        return OneTail(lambda p: _inverse_f(p, effect, error), lambda f: _log(_survival_f(f, effect, error)))
    v = float(dof)  # type: ignore[arg-type] # one, see above
    if kind == "chi2":
        return OneTail(lambda p: float(special.chdtri(v, p)), lambda x: _log(special.chdtrc(v, x.astype(np.float64))))
    return OneTail(lambda p: inverse_survival(p, v), lambda t: special.log_ndtr(-t_to_z(t, v)))


def _suits(dof: Freedom | None, n: int) -> bool:
    numbers = dof if isinstance(dof, tuple) else () if dof is None else (dof,)
    return len(numbers) == n and all(number > 0 for number in numbers)


def _log(p: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p))


def _survival_f(f: Array, effect: float, error: float) -> Array:
    x = np.maximum(f.astype(np.float64), 0)
    return np.asarray(special.betainc(error / 2, effect / 2, error / (error + effect * x)))


def _inverse_f(p: float, effect: float, error: float) -> float:
    """By the incomplete beta function, of which the survival function is one (Abramowitz & Stegun 1964, 26.6.2)."""
    y = float(special.betaincinv(error / 2, effect / 2, p))
    return error * (1 - y) / (effect * y) if y > 0 else math.inf


def inverse_survival(p: float, dof: float = math.inf) -> float:
    """The z (infinite dof) or t value whose one-sided p this is; p from 1e-300 to 1.

    Examples
    --------
    >>> round(inverse_survival(0.001), 6), round(inverse_survival(0.001, dof=20), 6)
    (3.090232, 3.551808)
    """
    if math.isinf(dof):
        return -float(special.ndtri(p))
    if p >= 1e-10:
        return -float(special.stdtrit(dof, p))
    z, low, high = -special.ndtri(p), 0.0, 709.0  # the library's inverse fails far out: bisect log t
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if t_to_z(math.exp(middle), dof) < z else (low, middle)
    return math.exp(high)
