"""What may be said of a region beyond its size: how improbable it is, and how much of it is active.

*Smoothness* is how far the noise of a map reaches: the roughness `dlh` (square root of the determinant of the
covariance of the field's derivatives, per voxel), the searched `volume` in voxels, and the voxels per *resel*. From
the smoothness, Gaussian random field theory (GRF) gives the probability that noise alone makes a cluster as large
anywhere in the volume. The *true-discovery proportion* (TDP) of all-resolutions inference is a lower bound of the
fraction of a region's voxels that are active; it holds for every region at once, however the regions were chosen.

Everything here works on z values, `t_to_z` makes them from t values. This room knows no file and no region object.

Sources: Friston et al. 1994 (Hum Brain Mapp 1:210-220) and Worsley et al. 1992, 1996 (J Cereb Blood Flow Metab
12:900-918; Hum Brain Mapp 4:58-73) for the cluster p; Jenkinson 2000 and Flitney & Jenkinson 2000 (FMRIB technical
reports TR00MJ1 and TR00DF1) for FSL's form of it and for the smoothness of one map; Hommel 1988 (Biometrika
75:383-386), Goeman & Solari 2011 (Stat Sci 26:584-597) and Rosenblatt et al. 2018 (NeuroImage 181:786-796) for the TDP.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bids_regions.errors import BadMap, Contradiction

__all__ = [
    "Smoothness",
    "cluster_p_values",
    "estimate_smoothness",
    "field_theory_warning",
    "smoothness_from_metadata",
    "t_to_z",
    "true_discovery_proportions",
]

DLH_TIMES_RESEL = (4 * math.log(2)) ** 1.5  # roughness times voxels per resel, for every smoothness: 4.6167
EXTREME, CAPPED = 0.99999999, 0.99999  # a correlation from the first on is taken as the second, as FSL does
LOWEST_HEIGHT = 3.1  # z; below it cluster p of GRF is too small (Eklund, Nichols & Knutsson 2016, PNAS 113:7900)
SMALLEST = 1e-290  # survival functions below it are computed as logarithms


@dataclass(frozen=True, kw_only=True)
class Smoothness:
    """How smooth a map is, and the volume in which its regions were sought."""

    dlh: float  # per voxel: roughness, |Lambda|^(1/2)
    volume: int  # voxels searched
    resels: float  # voxels per resel, the product of the three FWHM in voxels (as FSL prints it)
    fwhm_mm: tuple[float, float, float] | None  # mm, along the axes it was estimated on
    origin: Literal["map", "sidecar"] = "map"  # estimated from the map and its mask, or given beside it


def estimate_smoothness(
    z: NDArray[np.floating[Any]], mask: NDArray[np.bool_], zooms: tuple[float, float, float]
) -> Smoothness:
    """The smoothness of one z map inside a mask, by the formulas of FSL's `smoothest -z -m`.

    Per axis, the correlation r of each voxel with the one before it gives sigma^2 = -1 / (4 ln|r|) voxels^2. A voxel
    counts when it and the three before it lie in the mask; "before" follows FSL's radiological order (from right to
    left, posterior to anterior, inferior to superior). A strong effect makes neighbours more alike than noise alone
    does: the estimate from a z map is then too smooth, and the cluster p on the safe side.

    Parameters
    ----------
    z
        The z map, 3-D, its axes in the order and direction nearest to RAS+, finite inside the mask.
    mask
        Same shape: the voxels searched.
    zooms
        Voxel sizes in mm along the three axes.

    Raises
    ------
    BadMap
        The mask has no voxel with all three neighbours, or the map is empty there.

    Examples
    --------
    >>> z = np.random.default_rng(0).standard_normal((40, 40, 40))
    >>> z[:-1] += z[1:]                      # neighbours along x now share half their variance
    >>> round(estimate_smoothness(z, np.ones(z.shape, bool), (2.0, 2.0, 2.0)).fwhm_mm[0], 1)
    2.9
    """
    inner = (slice(None, -1), slice(1, None), slice(1, None))
    before = ((slice(1, None), *inner[1:]), (inner[0], slice(None, -1), inner[2]), (*inner[:2], slice(None, -1)))
    counted = mask[inner] & mask[before[0]] & mask[before[1]] & mask[before[2]]
    if not counted.any():
        raise BadMap(
            "the smoothness cannot be estimated: no voxel of the mask has neighbours along all three axes",
            hint="Give a brain mask, or the smoothness (dlh and volume) in the map's sidecar",
        )
    here = z[inner][counted].astype(np.float64)
    correlations = [_correlation(here, z[there][counted].astype(np.float64)) for there in before]
    if not all(0 < abs(r) < 1 for r in correlations):
        raise BadMap(
            "the smoothness cannot be estimated: the map is empty or not smooth at all inside the mask",
            hint="Check that the mask fits the map",
        )
    sigma = [math.sqrt(-1 / (4 * math.log(abs(r)))) for r in correlations]
    fwhm = [math.sqrt(8 * math.log(2)) * s for s in sigma]
    x, y, z_ = (float(f * zoom) for f, zoom in zip(fwhm, zooms, strict=True))
    return Smoothness(
        dlh=1 / (math.sqrt(8) * math.prod(sigma)),
        volume=int(np.count_nonzero(mask)),
        resels=math.prod(fwhm),
        fwhm_mm=(x, y, z_),
    )


def _correlation(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    power = 0.5 * float(np.sum(here * here + there * there))
    if power == 0:
        return 0.0
    r = float(np.sum(here * there)) / power
    return CAPPED if r >= EXTREME else r


def smoothness_from_metadata(
    metadata: Mapping[str, Any], *, n_mask_voxels: int | None, voxel_volume: float
) -> Smoothness | None:
    """The smoothness that a map's sidecar tells, None where it tells none.

    Read, in any case of letters, at the top level or inside an object `Smoothness`: `dlh` (per voxel), or `resels`
    (voxels per resel, as `smoothest` prints it), or `fwhm` (mm, one number or three); and `volume` (voxels; without
    it the mask's). The first of the three that is there counts.

    Parameters
    ----------
    metadata
        The sidecar's content.
    n_mask_voxels
        Voxels of the mask in use, None without a mask.
    voxel_volume
        mm3.

    Raises
    ------
    BadMap
        A value that is no positive number, or no volume and no mask.

    Examples
    --------
    >>> smoothness_from_metadata({"Smoothness": {"FWHM": 6}}, n_mask_voxels=1000, voxel_volume=8.0).resels
    27.0
    """
    told = {str(key).lower(): value for key, value in metadata.items()}
    nested = told.get("smoothness")
    if isinstance(nested, Mapping):
        told.update((str(key).lower(), value) for key, value in nested.items())
    fwhm = None
    if told.get("dlh") is not None:
        dlh = _positive("dlh", told["dlh"])
    elif told.get("resels") is not None:
        dlh = DLH_TIMES_RESEL / _positive("resels", told["resels"])
    elif told.get("fwhm") is not None:
        fwhm = _three_fwhm(told["fwhm"])
        dlh = DLH_TIMES_RESEL * voxel_volume / math.prod(fwhm)
    else:
        return None
    volume = n_mask_voxels if told.get("volume") is None else _positive("volume", told["volume"])
    if not volume:
        raise BadMap(
            "the sidecar tells the smoothness but not the volume searched, and there is no mask",
            hint="Add the volume (voxels) to the sidecar or give a mask",
        )
    resels = DLH_TIMES_RESEL / dlh
    if fwhm is not None:
        resels = math.prod(fwhm) / voxel_volume
    return Smoothness(dlh=dlh, volume=round(volume), resels=resels, fwhm_mm=fwhm, origin="sidecar")


def _positive(name: str, value: object) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not (math.isfinite(number := float(value)) and number > 0):  # type: ignore[arg-type] # checked
        raise BadMap(f"the sidecar's {name} is {value!r}", hint="It must be a positive number")
    return number


def _three_fwhm(value: object) -> tuple[float, float, float]:
    values = value if isinstance(value, (list, tuple)) else [value] * 3
    if len(values) != 3:
        raise BadMap(f"the sidecar's FWHM is {value!r}", hint="Give one number or three, in mm")
    x, y, z = (_positive("FWHM", v) for v in values)
    return x, y, z


def field_theory_warning(height: float) -> str:
    """A sentence on a cluster-forming height (z) too low for the theory; empty where it is high enough.

    >>> field_theory_warning(3.1)
    ''
    """
    if height >= LOWEST_HEIGHT:
        return ""
    return (
        f"cluster p values are too small at a cluster-forming height of z = {height:.4g}: "
        f"random field theory needs at least z = {LOWEST_HEIGHT}"
    )


def cluster_p_values(
    sizes: NDArray[np.integer[Any]], *, height: float, smoothness: Smoothness, two_tailed: bool
) -> NDArray[np.float64]:
    """The family-wise p of clusters by their sizes, corrected for the volume searched (GRF, FSL's formulas).

    With the volume V, roughness dlh and height z: the expected number of clusters
    Em = V dlh (2 pi)^-2 (z^2 - 1) exp(-z^2 / 2), beta = (Gamma(5/2) Em / (V Phi(-z)))^(2/3), and
    p(k) = 1 - exp(-Em exp(-beta k^(2/3))). Assumes a stationary Gaussian field, smooth on the scale of the voxels,
    clusters of 26-connectivity, and a height fixed beforehand.

    Parameters
    ----------
    sizes
        Voxels of each cluster.
    height
        The cluster-forming threshold as z (see `t_to_z`).
    smoothness
        Of the map.
    two_tailed
        Clusters of both tails were sought: p is doubled, at most 1.

    Raises
    ------
    Contradiction
        The height is not above z = 1, where the theory says nothing.

    Examples
    --------
    Two rows of a table that FSL printed:

    >>> fsl = Smoothness(dlh=0.700797, volume=38344, resels=6.588, fwhm_mm=None)
    >>> p = cluster_p_values(np.array([521, 40]), height=2.3, smoothness=fsl, two_tailed=False)
    >>> [f"{x:.3g}" for x in p]
    ['6.02e-20', '0.0263']
    """
    if not height > 1:
        raise Contradiction(
            f"cluster p values do not exist at a cluster-forming height of z = {height:.4g}",
            hint=f"Give a threshold above z = 1, better of at least z = {LOWEST_HEIGHT}",
        )
    k = np.asarray(sizes, dtype=np.float64)
    if math.isinf(height):
        return np.zeros(k.shape)
    log_per_voxel = math.log(smoothness.dlh) - 2 * math.log(2 * math.pi) + math.log(height**2 - 1) - height**2 / 2
    log_beta = 2 / 3 * (float(special.gammaln(2.5)) + log_per_voxel - float(special.log_ndtr(-height)))
    log_expected = log_per_voxel + math.log(smoothness.volume) - math.exp(log_beta) * k ** (2 / 3)
    p: NDArray[np.float64] = -np.expm1(-np.exp(np.minimum(log_expected, 700.0)))
    return np.minimum(2 * p, 1.0) if two_tailed else p


def t_to_z(t: NDArray[np.floating[Any]] | float, dof: float) -> NDArray[np.float64]:
    """The z values with the same tail probability as t values, precise in both tails as far as z is finite.

    Parameters
    ----------
    t
        Any shape, finite.
    dof
        Degrees of freedom, positive; infinite ones leave t as it is.

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
    if not dof > 0:
        raise BadMap(f"degrees of freedom of {dof!r} are not positive", hint="Give them with --dof")
    x = np.asarray(t, dtype=np.float64)
    if math.isinf(dof):
        return x.copy()
    size = np.abs(x)
    survival = special.stdtr(dof, -size)
    z = np.asarray(-special.ndtri(np.maximum(survival, SMALLEST)))
    far = survival < SMALLEST
    if far.any():
        z[far] = -special.ndtri_exp(_log_survival_far(size[far], dof))
    return np.copysign(z, x)


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


def true_discovery_proportions(
    population: NDArray[np.floating[Any]],
    z: NDArray[np.floating[Any]],
    ids: NDArray[np.integer[Any]],
    *,
    n_regions: int,
    tail: Literal["bi", "two", "positive", "negative"],
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
    if tail == "two":
        return _proportions(2 * special.ndtr(-np.abs(population)), 2 * special.ndtr(-np.abs(z)), ids, n_regions, alpha)
    signs = {"bi": (1, -1), "positive": (1,), "negative": (-1,)}[tail]
    found = np.zeros(n_regions)
    for sign in signs:
        here = sign * z > 0
        p_all, p = special.ndtr(-sign * population), special.ndtr(-sign * z[here])
        found = np.maximum(found, _proportions(p_all, p, ids[here], n_regions, alpha / len(signs)))
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
    if low.size == m and (m == 1 or low[-1] < alpha):
        return 0
    if not low.size:
        return m
    k = np.arange(1, min(low.size, m - 1) + 1)
    slope = float(np.max((alpha - low[: k.size]) / (m - k)))
    return m if slope <= 0 else int(min(alpha / slope, m))
