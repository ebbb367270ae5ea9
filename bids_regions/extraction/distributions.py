"""From a probability to a value of z, t, F or chi-squared, and back; from t to z.

Precise as far as a p is a number (1e-300), which the plain inverses of libraries are not. No map, no file.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.statistics import Statistic
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["OneTail", "inverse_survival", "one_tail", "t_to_z"]

Array = npt.NDArray[Any]
SMALLEST = 1e-290  # survival functions below it are computed as logarithms


@dataclass(frozen=True, eq=False)
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
    numbers = dof if isinstance(dof, tuple) else () if dof is None else (dof,)
    if kind is None or len(numbers) != statistic.rule.n_dof or not all(number > 0 for number in numbers):
        return None
    if kind == "F":
        effect, error = dof  # type: ignore[misc] # two, see above
        return OneTail(lambda p: _inverse_f(p, effect, error), lambda f: _log(_survival_f(f, effect, error)))
    v = float(dof)  # type: ignore[arg-type] # one, see above
    if kind == "chi2":
        return OneTail(lambda p: float(special.chdtri(v, p)), lambda x: _log(special.chdtrc(v, x.astype(np.float64))))
    return OneTail(lambda p: inverse_survival(p, v), lambda t: special.log_ndtr(-t_to_z(t, v)))


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


def t_to_z(
    t: npt.NDArray[np.floating[Any]] | float, dof: float | npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """The z values with the same tail probability as t values, precise in both tails as far as z is finite.

    Parameters
    ----------
    t
        Any shape, finite.
    dof
        Degrees of freedom, positive; infinite ones leave t as it is. An array of them, of t's shape, is taken value
        by value; where it is 0, z is 0.

    Returns
    -------
    ndarray
        z, float64, same shape and sign.

    Raises
    ------
    BadMap
        The degrees of freedom are not positive.

    Examples
    --------
    >>> t_to_z(np.array([0.0, 2.0, -2.0]), 10).round(4)
    array([ 0.    ,  1.7904, -1.7904])
    >>> round(float(t_to_z(1000.0, 1000)), 3)       # its p is no longer a number
    83.107
    """
    x = np.asarray(t, dtype=np.float64)
    if isinstance(dof, np.ndarray):
        return _each_to_z(x, dof)
    if not dof > 0:
        raise BadMap(f"degrees of freedom of {dof!r} are not positive", hint="Give them with --dof")
    if math.isinf(dof):
        return x.copy()
    size = np.abs(x)
    survival = special.stdtr(dof, -size)
    z = np.asarray(-special.ndtri(np.maximum(survival, SMALLEST)))
    far = survival < SMALLEST
    if far.any():
        z[far] = -special.ndtri_exp(_log_survival_far(size[far], dof))
    return np.copysign(z, x)


def _each_to_z(t: npt.NDArray[np.float64], dof: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Each value by its own degrees of freedom; 0 where there are none."""
    known = (dof > 0) & (t != 0)
    some, theirs = np.abs(t[known]), np.asarray(dof[known], np.float64)
    survival = special.stdtr(theirs, -some)
    found = np.asarray(-special.ndtri(np.maximum(survival, SMALLEST)))
    for k in np.flatnonzero(survival < SMALLEST):
        found[k] = -special.ndtri_exp(_log_survival_far(some[k : k + 1], float(theirs[k])))[0]
    z = np.zeros_like(t)
    z[known] = np.copysign(found, t[known])
    return z


def _log_survival_far(t: npt.NDArray[np.float64], dof: float) -> npt.NDArray[np.float64]:
    """The logarithm of Student's survival function where the function itself is no longer a number.

    ln of I_x(a, 1/2) / 2 with a = dof / 2 and x = dof / (dof + t^2), by the continued fraction of the incomplete
    beta function (Abramowitz & Stegun 1964, 26.5.8), evaluated from the front by Lentz' method.
    """
    a, b = dof / 2, 0.5
    log_x = -np.logaddexp(0.0, 2 * np.log(t) - math.log(dof))
    x = np.exp(log_x)
    log_front = a * log_x + b * np.log1p(-x) - math.log(2 * a) - float(special.betaln(a, b))
    c, value = np.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    d = value
    for m in range(1, 10000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            value = value * d * c
        if np.all(np.abs(d * c - 1) < 1e-15):
            break
    return np.asarray(log_front + np.log(value))
