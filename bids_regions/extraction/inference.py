"""From t to z: the value of a normal distribution with the same tail probability."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bids_regions.errors import BadMap

__all__ = ["t_to_z"]

SMALLEST = 1e-290  # survival functions below it are computed as logarithms


def t_to_z(t: NDArray[np.floating[Any]] | float, dof: float | NDArray[np.floating[Any]]) -> NDArray[np.float64]:
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


def _each_to_z(t: NDArray[np.float64], dof: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
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


def _log_survival_far(t: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
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
