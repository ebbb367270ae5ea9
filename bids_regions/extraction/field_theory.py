"""Random field theory: how probable it is that noise alone has such a peak, such a cluster, so many clusters.

A *resel* is a block of one FWHM along each axis; a search region has *resel counts* R0 to R3 (Euler characteristic,
diameter, half of the surface, volume). The *density* of dimension d says how many maxima a field has above a height per
unit of R_d. From both come the expected number of clusters E[m] above a height, and all p. Two ways stand here: FSL's
(`cluster_p_values`, `feat_height`), which knows the volume alone and z, and the full one of z, t and F fields
(`FieldStatistic`, `Search`, `judge`), whose columns are those of an SPM table. This room knows no file and no region
object.

Sources: Friston et al. 1994 (Hum Brain Mapp 1:210-220), Worsley et al. 1992, 1996 (J Cereb Blood Flow Metab 12:900-918;
Hum Brain Mapp 4:58-73) and Friston et al. 1996 (NeuroImage 4:223-235) for peaks, clusters and sets; Chumbley et al.
2010 (NeuroImage 49:3057-3064) for q of peaks and clusters; Jenkinson 2000 and Flitney & Jenkinson 2000 (FMRIB technical
reports TR00MJ1 and TR00DF1) for FSL's form.
"""

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import Contradiction
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.smoothness import Smoothness
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import special
else:
    special = Late("scipy.special")

__all__ = [
    "FieldStatistic",
    "FieldTheory",
    "Search",
    "adjust_for_discoveries",
    "cluster_p_values",
    "count_resels",
    "ec_densities",
    "expected_clusters",
    "feat_height",
    "field_theory_warning",
    "height_of_fwe",
    "judge",
    "peak_p_values",
    "quantile_of_z",
    "survival",
    "z_equivalent",
]

Array = NDArray[np.float64]
Four = tuple[float, float, float, float]

LN16 = 4 * math.log(2)
LOWEST_HEIGHT = 3.1  # z; below it cluster p can be too small (Eklund, Nichols & Knutsson 2016, PNAS 113:7900)
SIGNIFICANT = 0.05  # the level of the critical heights and sizes that are told
RESEL_OF_PEAKS = 0.11694  # LN16 ** 1.5 / (2 pi) ** 2, rounded as FSL's ptoz has it
BRACKET = (2.0, 100.0, 0.001)  # z: where ptoz begins to bisect, and how narrow it stops
LARGEST = 1e50  # the densities of larger values are no numbers
FARTHEST = 1e6  # no height lies beyond


@dataclass(frozen=True, kw_only=True)
class FieldStatistic:
    """The distribution of a field's values at one voxel.

    Examples
    --------
    >>> FieldStatistic(kind="F", dof=98, dof_effect=2).kind
    'F'
    """

    kind: Literal["z", "t", "F"] = "z"
    dof: float = math.inf  # of the error; t and F
    dof_effect: float = 1.0  # of the effect; F


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where something was sought, in units of the noise's smoothness."""

    n_voxels: int  # voxels with data
    resels: Four  # R0 to R3
    voxels_per_resel: float  # product of the three FWHM in voxels
    fwhm_mm: tuple[float, float, float] | None = None  # mm, along the axes nearest to x, y, z


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldTheory:
    """What random field theory says of the clusters and maxima above one height."""

    search: Search
    p_cluster: Array  # of each cluster, family-wise
    p_cluster_unc: Array  # of each cluster, one tail
    q_cluster: Array  # of each cluster, among all clusters above the height
    p_peak: Array | None  # of each maximum, family-wise; None where the smoothness is the map's own
    q_peak: Array | None  # of each maximum, among all maxima above the height
    expected_voxels: float | None  # per cluster; None where nothing can pass the height
    expected_clusters: float  # of at least the extent threshold
    set_clusters: int  # found, of at least the extent threshold
    set_p: float  # of so many or more
    critical_height: float | None  # family-wise p of 0.05
    critical_peak_q: float | None  # the lowest maximum with q of at most 0.05
    critical_size: int | None  # voxels of the smallest cluster with family-wise p of at most 0.05
    critical_size_q: int | None  # voxels of the smallest cluster with q of at most 0.05


def survival(values: NDArray[Any] | float, field: FieldStatistic) -> Array:
    """The probability of a value or a larger one at one voxel.

    >>> survival(7.418374, FieldStatistic(kind="F", dof=98, dof_effect=2)).round(6)
    np.float64(0.001)
    """
    x = np.asarray(values, np.float64)
    if field.kind == "F":
        return np.asarray(special.fdtrc(field.dof_effect, field.dof, np.maximum(x, 0.0)))
    if math.isinf(field.dof):  # few values, of maxima: the language's own function needs no library
        return np.reshape([math.erfc(z / math.sqrt(2)) / 2 for z in x.ravel().tolist()], x.shape)
    return np.asarray(special.stdtr(field.dof, -x))


def z_equivalent(values: NDArray[Any], field: FieldStatistic) -> Array:
    """The z of the same tail probability; inf where that is no number any more.

    >>> z_equivalent(np.array([7.418374]), FieldStatistic(kind="F", dof=98, dof_effect=2)).round(4)
    array([3.0902])
    """
    if field.kind == "F":
        return np.asarray(-special.ndtri(survival(values, field)))
    return t_to_z(values, field.dof)


def quantile_of_z(z: float, field: FieldStatistic) -> float:
    """The value of the field with the tail probability of z.

    >>> round(quantile_of_z(3.0902323, FieldStatistic(kind="t", dof=98)), 4)
    3.1755
    """
    if math.isinf(field.dof):
        return z
    low, high = 0.0, 1.0
    while float(z_equivalent(np.array(high), field)) < z:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if float(z_equivalent(np.array(middle), field)) < z else (low, middle)
    return high


def ec_densities(values: NDArray[Any] | float, field: FieldStatistic) -> Array:
    """The Euler characteristic densities of dimension 0 to 3 per resel (Worsley et al. 1996), on a new first axis."""
    x = np.clip(np.asarray(values, np.float64), -LARGEST, LARGEST)
    rest: list[Any]
    if field.kind == "F":
        rest = _densities_of_f(x, field.dof_effect, field.dof)
    else:
        v, gauss = field.dof, math.isinf(field.dof)
        power = -(x**2) / 2 if gauss else (1 - v) / 2 * np.log1p(x**2 / v)
        slope = 1.0 if gauss else math.exp(special.gammaln((v + 1) / 2) - special.gammaln(v / 2)) / math.sqrt(v / 2)
        bend = x**2 - 1 if gauss else (v - 1) / v * x**2 - 1
        factors = (np.ones_like(x), slope * x, bend)
        rest = [LN16 ** (d / 2) / (2 * math.pi) ** ((d + 1) / 2) * f * np.exp(power) for d, f in enumerate(factors, 1)]
    return np.stack([survival(x, field), *rest])


def _densities_of_f(f: Array, k: float, v: float) -> list[Array]:
    x = k * np.maximum(f, 0.0) / v
    bends = (
        np.ones_like(x),
        (v - 1) * x - (k - 1),
        (v - 1) * (v - 2) * x**2 - (2 * v * k - v - k - 1) * x + (k - 1) * (k - 2),
    )
    densities = []
    for d, bend in enumerate(bends, 1):
        constant = float(special.gammaln((v + k - d) / 2) - special.gammaln(v / 2) - special.gammaln(k / 2))
        log_front = constant - (v + k - 2) / 2 * np.log1p(x) + (2 - d) / 2 * math.log(2)
        densities.append((LN16 / (2 * math.pi)) ** (d / 2) * np.exp(log_front) * x ** ((k - d) / 2) * bend)
    return densities


def count_resels(mask: NDArray[np.bool_], fwhm_voxels: tuple[float, float, float]) -> Four:
    """The resel counts R0 to R3 of a mask (Worsley et al. 1996): its lattice of points, edges, faces and cubes.

    Parameters
    ----------
    mask
        3-D, the voxels searched.
    fwhm_voxels
        The noise's FWHM in voxels along the mask's axes.

    Examples
    --------
    A box of 5 x 4 x 3 voxels, 4 x 3 x 2 cubes between their centres, at an FWHM of 2 voxels:

    >>> count_resels(np.ones((5, 4, 3), bool), (2.0, 2.0, 2.0))
    (1.0, 4.5, 6.5, 3.0)
    """
    mask = np.asarray(mask, bool)
    x, y, z = mask[:-1] & mask[1:], mask[:, :-1] & mask[:, 1:], mask[:, :, :-1] & mask[:, :, 1:]
    xy, xz, yz = x[:, :-1] & x[:, 1:], x[:, :, :-1] & x[:, :, 1:], y[:, :, :-1] & y[:, :, 1:]
    cubes = int(np.count_nonzero(xy[:, :, :-1] & xy[:, :, 1:]))
    points, *edges = (int(np.count_nonzero(part)) for part in (mask, x, y, z))
    n_xy, n_xz, n_yz = (int(np.count_nonzero(part)) for part in (xy, xz, yz))
    rx, ry, rz = (1 / fwhm for fwhm in fwhm_voxels)
    lengths = (edges[0] - n_xy - n_xz + cubes, edges[1] - n_xy - n_yz + cubes, edges[2] - n_xz - n_yz + cubes)
    return (
        float(points - sum(edges) + n_xy + n_xz + n_yz - cubes),
        rx * lengths[0] + ry * lengths[1] + rz * lengths[2],
        rx * ry * (n_xy - cubes) + rx * rz * (n_xz - cubes) + ry * rz * (n_yz - cubes),
        rx * ry * rz * cubes,
    )


def expected_clusters(values: NDArray[Any] | float, field: FieldStatistic, search: Search) -> Array:
    """E[m]: how many clusters noise has above each height, of one tail."""
    return np.asarray(np.tensordot(np.array(search.resels), ec_densities(values, field), 1))


def peak_p_values(values: NDArray[Any], field: FieldStatistic, search: Search, *, tails: int = 1) -> Array:
    """The family-wise p of maxima: the smaller of random field theory's and Bonferroni's.

    Examples
    --------
    The height at which an SPM12 table of 98 degrees of freedom says p = 0.050:

    >>> spm = Search(n_voxels=223057, resels=(6, 97.81405923, 965.9388193, 3155.841933), voxels_per_resel=65.578)
    >>> peak_p_values(np.array([5.309631]), FieldStatistic(kind="t", dof=98), spm).round(6)
    array([0.05])
    """
    field_p = -np.expm1(-np.maximum(expected_clusters(values, field, search), 0.0))
    return np.asarray(np.minimum(tails * np.minimum(field_p, search.n_voxels * survival(values, field)), 1.0))


def height_of_fwe(alpha: float, field: FieldStatistic, search: Search, *, tails: int = 1) -> float:
    """The height whose family-wise p is `alpha`.

    >>> spm = Search(n_voxels=223057, resels=(6, 97.81405923, 965.9388193, 3155.841933), voxels_per_resel=65.578)
    >>> round(height_of_fwe(0.05, FieldStatistic(kind="F", dof=98, dof_effect=2), spm), 3)
    17.712
    """

    def p(height: float) -> float:
        return float(peak_p_values(np.array([height]), field, search, tails=tails)[0])

    low = high = 2.0  # the theory is of high heights: below, the number of maxima falls again
    while p(high) > alpha and high < FARTHEST:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if p(middle) > alpha else (low, middle)
    return high


def feat_height(alpha: float, smoothness: Smoothness) -> float:
    """The z of family-wise p `alpha` as FEAT and FSL's `ptoz` find it: a whole number of resels, and a bisection.

    p = resels 0.11694 (z^2 - 1) exp(-z^2 / 2); the bracket [2, 100] is halved until it is not wider than 0.001, and its
    upper end is the height.

    Examples
    --------
    >>> round(feat_height(0.05, Smoothness(dlh=0.70114, volume=38352, voxels_per_resel=6.6067, fwhm_mm=None)), 6)
    5.042313
    """
    resels = max(int(smoothness.volume / smoothness.voxels_per_resel), 1)
    low, high, narrow = BRACKET
    while high - low > narrow:
        middle = (low + high) / 2
        p = resels * RESEL_OF_PEAKS * (middle**2 - 1) * math.exp(-(middle**2) / 2)
        low, high = (middle, high) if p > alpha else (low, middle)
    return high


def adjust_for_discoveries(p: NDArray[Any]) -> Array:
    """The q of each p by Benjamini & Hochberg (1995, J R Stat Soc B 57:289-300).

    >>> adjust_for_discoveries(np.array([0.01, 0.04, 0.03])).round(4)
    array([0.03, 0.04, 0.04])
    """
    order = np.argsort(p)[::-1]
    q = np.empty(p.size)
    ratio = p[order] * p.size / np.arange(p.size, 0, -1)
    q[order] = np.minimum(np.minimum.accumulate(ratio), 1.0) if p.size else ratio
    return q


def judge(  # noqa: PLR0913 # the independent facts of one table
    sizes: NDArray[Any],
    maxima: NDArray[Any],
    *,
    height: float,
    field: FieldStatistic,
    search: Search,
    least_size: int = 0,
    tails: int = 1,
    peaks: bool = True,
    q_peak: Array | None = None,
) -> FieldTheory:
    """Every p and q of the clusters and maxima above a height: the columns and the footer of an SPM table.

    With E[n] = rho_0 / rho_3 resels per cluster and beta = (Gamma(5/2) / E[n])^(2/3), a cluster of k resels has the
    uncorrected p exp(-beta k^(2/3)) and the family-wise p 1 - exp(-E[m] p). So many clusters of at least the extent
    threshold have the Poisson probability of the set. q is over all clusters and all maxima above the height.

    Parameters
    ----------
    sizes
        Voxels of each cluster above the height, before any is removed.
    maxima
        Magnitude of each local maximum above the height, before any is removed.
    height, field, search
        The cluster-forming threshold in the map's units, the statistic, and the region searched.
    least_size
        The extent threshold in voxels; 0 or 1 for none.
    tails
        Two where both signs were sought: family-wise p are doubled, and both signs count in the set.
    peaks
        False where the smoothness was estimated from the map itself, by which p of peaks would be too small.
    q_peak
        Of each maximum, where it is not that of the maxima themselves.

    Raises
    ------
    Contradiction
        A height so low that the theory says nothing.
    """
    clusters, per_cluster, dimension = _expected(height, field, search)
    least = least_size if least_size > 1 else 0
    resels, least_resels = np.asarray(sizes, np.float64) / search.voxels_per_resel, least / search.voxels_per_resel
    p_unc, p_least = (_p_of_extent(k, per_cluster, dimension) for k in (resels, np.array(least_resels)))
    p_cluster, q_cluster = np.minimum(-tails * np.expm1(-clusters * p_unc), 1.0), adjust_for_discoveries(p_unc)
    expected, found = tails * clusters * float(p_least), int(np.count_nonzero(np.asarray(sizes) >= least))
    p_peak = peak_p_values(maxima, field, search, tails=tails) if peaks else None
    if not peaks:
        q_peak = None
    elif q_peak is None:
        conditional = expected_clusters(maxima, field, search) / (clusters or 1.0)
        q_peak = adjust_for_discoveries(np.minimum(conditional, 1.0))
    return FieldTheory(
        search=search, p_cluster=p_cluster, p_cluster_unc=p_unc, q_cluster=q_cluster, p_peak=p_peak, q_peak=q_peak,
        expected_voxels=None if math.isinf(height) else per_cluster * search.voxels_per_resel,
        expected_clusters=expected, set_clusters=found,
        set_p=float(special.gammainc(found, expected)) if found else 1.0,
        critical_height=height_of_fwe(SIGNIFICANT, field, search, tails=tails) if peaks else None,
        critical_peak_q=_least(maxima, q_peak),
        critical_size=_whole(_least(sizes, p_cluster)), critical_size_q=_whole(_least(sizes, q_cluster)),
    )  # fmt: skip


def _p_of_extent(resels: Array, per_cluster: float, dimension: int) -> Array:
    """The uncorrected p of clusters of so many resels, where one has `per_cluster` on average."""
    beta = (math.gamma(dimension / 2 + 1) / per_cluster) ** (2 / dimension)
    return np.asarray(np.exp(-beta * resels ** (2 / dimension)))


def _expected(height: float, field: FieldStatistic, search: Search) -> tuple[float, float, int]:
    """Clusters of one tail above a height, resels per cluster, and the dimension of the search."""
    dimension = max(d for d in range(4) if d == 0 or search.resels[d] > 0)
    if math.isinf(height):
        return 0.0, math.inf, max(dimension, 1)
    density, clusters = ec_densities(height, field), float(expected_clusters(height, field, search))
    if not (dimension and density[dimension] > 0 and clusters > 0):
        raise Contradiction(
            f"p values of random field theory do not exist at a height of {height:.4g}",
            hint=f"Give a higher threshold, better of at least z = {LOWEST_HEIGHT}, and a mask that is no thin line",
        )
    return clusters, float(density[0] / density[dimension]), dimension


def _least(what: NDArray[Any], p: Array | None) -> float | None:
    significant = np.asarray(what)[p <= SIGNIFICANT] if p is not None else np.empty(0)
    return float(significant.min()) if significant.size else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def field_theory_warning(height: float) -> str:
    """A sentence on a cluster-forming height (z) too low for the theory; empty where it is high enough.

    >>> field_theory_warning(3.1)
    ''
    """
    if height >= LOWEST_HEIGHT:
        return ""
    return (
        f"cluster p values at a cluster-forming height of z = {height:.4g} can be too small on real data: "
        f"z = {LOWEST_HEIGHT} or more is safer"
    )


def cluster_p_values(
    sizes: NDArray[np.integer[Any]], *, height: float, smoothness: Smoothness, two_tailed: bool
) -> Array:
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

    >>> fsl = Smoothness(dlh=0.700797, volume=38344, voxels_per_resel=6.588, fwhm_mm=None)
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
    p: Array = -np.expm1(-np.exp(np.minimum(log_expected, 700.0)))
    return np.minimum(2 * p, 1.0) if two_tailed else p
