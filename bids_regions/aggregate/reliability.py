"""How well a value taken again agrees with itself: intraclass correlations with their 95 % limits.

Rows of a table are participants, columns are occasions (sessions or runs). ICC(1,1), (2,1) and (3,1) are the single
measure coefficients of Shrout & Fleiss (1979, Psychological Bulletin 86, 420-428); the limits are theirs in the exact F
form of McGraw & Wong (1996, Psychological Methods 1, 30-46).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = ["Coefficient", "Reliability", "intraclass"]

Floats = NDArray[np.float64]

ROUNDING = 8 * np.finfo(float).eps  # of the largest value: what the rounding of means leaves
UPPER = 0.975  # two-sided limits of 95 %


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """An intraclass correlation with its 95 % limits; nan where it cannot be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The three single-measure coefficients of one table."""

    n: int  # participants with a value on every occasion
    icc1: Coefficient  # one-way: any difference between occasions is error
    icc2: Coefficient  # two-way random, absolute agreement: a shift of a whole occasion counts as error
    icc3: Coefficient  # two-way mixed, consistency: a shift of a whole occasion does not count


@dataclass(frozen=True, kw_only=True)
class _Squares:
    n: int  # participants
    k: int  # occasions
    between: float  # mean square between participants
    within: float  # mean square within participants
    occasions: float  # mean square between occasions
    error: float  # residual mean square


def intraclass(table: Floats) -> Reliability:
    """ICC(1,1), (2,1), (3,1) of a table (participants, occasions); participants with a nan are left out.

    Examples
    --------
    The six subjects and four judges of Shrout & Fleiss (1979), table 2:

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = intraclass(np.array(table, float))
    >>> [round(one.value, 2) for one in (found.icc1, found.icc2, found.icc3)]
    [0.17, 0.29, 0.71]
    """
    complete = table[np.isfinite(table).all(axis=1)]
    n, k = complete.shape
    if n < 2 or k < 2:
        unknown = Coefficient(value=np.nan, low=np.nan, high=np.nan)
        return Reliability(n=n, icc1=unknown, icc2=unknown, icc3=unknown)
    squares = _squares(complete)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Reliability(
            n=n,
            icc1=_consistent(squares, squares.within, n * (k - 1)),
            icc2=_absolute(squares),
            icc3=_consistent(squares, squares.error, (n - 1) * (k - 1)),
        )


def _squares(table: Floats) -> _Squares:
    n, k = table.shape
    scale = float(np.abs(table).max()) or 1.0
    table = table / scale  # so that neither 1e-200 nor 1e200 leaves the range when squared
    centred = table - table.mean()
    rows, columns = centred.mean(axis=1), centred.mean(axis=0)
    residual = centred - rows[:, None] - columns[None, :]
    own = centred - rows[:, None]
    for part in (rows, columns, residual, own):
        part[np.abs(part) < ROUNDING] = 0
    return _Squares(
        n=n,
        k=k,
        between=k * float(rows @ rows) / (n - 1),
        within=float((own**2).sum()) / (n * (k - 1)),
        occasions=n * float(columns @ columns) / (k - 1),
        error=float((residual**2).sum()) / ((n - 1) * (k - 1)),
    )


def _consistent(squares: _Squares, noise: float, df: int) -> Coefficient:
    """ICC(1,1) with the mean square within, ICC(3,1) with the residual one; `df` are the noise's degrees of freedom."""
    k, df_between = squares.k, squares.n - 1
    ratio = np.float64(squares.between) / noise

    def of(f: float) -> float:
        return 1.0 if np.isinf(f) else float((f - 1) / (f + k - 1))

    return Coefficient(
        value=of(float(ratio)),
        low=of(float(ratio / special.fdtri(df_between, df, UPPER))),
        high=of(float(ratio * special.fdtri(df, df_between, UPPER))),
    )


def _absolute(squares: _Squares) -> Coefficient:
    """ICC(2,1); its limits take the degrees of freedom that Satterthwaite's approximation gives."""
    n, k = squares.n, squares.k
    between, error, occasions = np.float64(squares.between), np.float64(squares.error), np.float64(squares.occasions)
    icc = (between - error) / (between + (k - 1) * error + k * (occasions - error) / n)
    if error == 0:
        limit = np.nan if occasions else float(icc)  # not known; or perfect agreement
        return Coefficient(value=float(icc), low=limit, high=limit)
    shift, rest = k * icc * occasions / error, n * (1 + (k - 1) * icc) - k * icc
    df = (k - 1) * (n - 1) * (shift + rest) ** 2 / ((n - 1) * shift**2 + rest**2)
    of_error = (k * n - k - n) * error
    low, high = special.fdtri(n - 1, df, UPPER), special.fdtri(df, n - 1, UPPER)
    return Coefficient(
        value=float(icc),
        low=float(n * (between - low * error) / (low * (k * occasions + of_error) + n * between)),
        high=float(n * (high * between - error) / (k * occasions + of_error + n * high * between)),
    )
