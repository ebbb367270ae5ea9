"""Maps whose numbers are p: their scales, where a probability lies on each, and how improbable a voxel is.

A scale is p itself, 1 - p, -log10 p or ln p; the logarithms may be signed, and their magnitude counts. *Significance*
is -log10 p with the map's sign. Arrays in and out; which map has which scale the table of kinds tells.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.statistics import PScale, Statistic

__all__ = ["as_shown", "carry_cutoff", "check_p_map", "find_significance", "is_signed", "p_values"]

Array = npt.NDArray[Any]

CARRY: Mapping[str, Callable[[float], float]] = {
    "p": float,
    "1-p": lambda alpha: 1 - alpha,
    "log10": lambda alpha: -math.log10(alpha),
    "ln": lambda alpha: -math.log(alpha),
}
LEAST = 1e-6  # by how much rounding may carry a stored p over the ends of its range


def carry_cutoff(alpha: float, scale: PScale) -> float:
    """Where p = alpha lies on a scale.

    >>> carry_cutoff(0.05, "1-p"), round(carry_cutoff(0.05, "log10"), 6)
    (0.95, 1.30103)
    """
    return CARRY[scale](alpha)


def p_values(values: Array, scale: PScale) -> Array:
    """The p that values stand for, float64.

    >>> p_values(np.array([2.0, -2.0]), "log10").tolist()
    [0.01, 0.01]
    """
    stored = values.astype(np.float64)
    if scale == "p":
        return stored
    if scale == "1-p":
        return 1 - stored
    return np.asarray(np.power(10.0, -np.abs(stored)) if scale == "log10" else np.exp(-np.abs(stored)))


def is_signed(data: Array, statistic: Statistic) -> bool:
    """Whether the signs of a p map are those of the effect: logarithms alone have them, and no map of positives needs
    them; the logarithms of NIfTI's intents count as unsigned also where all are negative.
    """
    if not statistic.rule.both or not bool(np.any(data < 0)):
        return False
    return not statistic.one_sign or bool(np.any(data > 0))


def find_significance(values: Array, scale: PScale, *, signed: bool = False) -> Array:
    """-log10 p of values, float64, with their signs where they are signed; inf where p is 0, 0 where it is unknown.

    >>> find_significance(np.array([0.01, 1.0, np.nan]), "p").tolist()
    [2.0, 0.0, 0.0]
    >>> find_significance(np.array([-3.0, 2.0]), "log10", signed=True).tolist()
    [-3.0, 2.0]
    """
    stored = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale in ("p", "1-p"):
            found = -np.log10(np.maximum(p_values(stored, scale), 0))
        else:
            found = np.abs(stored) / (1 if scale == "log10" else math.log(10))
    found = np.where(np.isnan(found), 0, np.maximum(found, 0))
    return np.where(stored < 0, -found, found) if signed else found


def as_shown(data: Array, cutoff: float, statistic: Statistic) -> tuple[Array, float]:
    """Values and cutoff as a picture shows them: of a map of p -log10 p, so that more is more; others as they are.

    >>> as_shown(np.array([0.01, 1.0]), 0.05, Statistic("p"))[0].tolist()
    [2.0, 0.0]
    """
    scale = statistic.scale
    if scale is None:
        return data, cutoff
    shown = find_significance(data, scale, signed=is_signed(data, statistic))
    endless = np.isinf(shown)
    if endless.any():
        shown[endless] = np.copysign(np.abs(shown[~endless]).max(initial=1), shown[endless])
    height = float(np.abs(find_significance(np.array([cutoff]), scale))[0]) if math.isfinite(cutoff) else math.inf
    return shown.astype(data.dtype), height


def check_p_map(values: Array, statistic: Statistic) -> None:
    """Refuse numbers that cannot be p on the scale they are said to have.

    Raises
    ------
    BadMap
        A p, or 1 - p, that does not lie between 0 and 1.
    """
    if statistic.scale not in ("p", "1-p") or not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if low < -LEAST or high > 1 + LEAST:
        raise BadMap(
            f"the {statistic.kind} map holds values from {low:.4g} to {high:.4g}, which are no p on the scale "
            f"{statistic.scale}",
            hint="Give --p-scale log10, or the scale that it has",
        )
