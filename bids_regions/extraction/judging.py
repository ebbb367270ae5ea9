"""How improbable the clusters and peaks of one map are: what random field theory is asked, and what it answers.

Two ways: `grf`, FSL's formulas of z, and `rft`, the columns of an SPM table, of z, t and F. The search region is the
voxels with data. This module brings map, mask and smoothness to `field_theory`; regions and files are not known here.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.field_theory import (
    FieldStatistic,
    FieldTheory,
    Search,
    adjust_for_discoveries,
    cluster_p_values,
    count_resels,
    feat_height,
    field_theory_warning,
    height_of_fwe,
    judge,
    peak_p_values,
    quantile_of_z,
    survival,
    z_equivalent,
)
from bids_regions.extraction.measures import local_maxima
from bids_regions.extraction.smoothness import Smoothness, estimate_smoothness, smoothness_warning
from bids_regions.extraction.statistics import Statistic
from bids_regions.extraction.tails import TAILS, Tail
from bids_regions.extraction.thresholds import DOF_HINT
from bids_regions.frozen import dataclass
from bids_regions.space import Elements, Grid

__all__ = [
    "Judged",
    "Question",
    "as_field",
    "family_wise_height",
    "field_of",
    "field_warnings",
    "judge_clusters",
    "least_voxels",
    "peak_facts",
    "search_of",
]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

EDGES = 18  # neighbours: of the clusters and maxima that the full theory is about
SMOOTHNESS_HINT = "Give --smoothness X Y Z (mm, of the residuals), or `Smoothness` in the map's sidecar"


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One map, and what is asked of random field theory."""

    grid: Grid
    data: Array  # 3-D, finite
    mask: Mask | None  # voxels with data; None: those that are not zero
    criteria: Criteria
    statistic: Statistic
    tail: Tail  # that was thresholded
    height: float  # the cutoff, a magnitude in the map's units; inf where nothing passes
    smoothness: Smoothness | None  # as given

    @property
    def asks(self) -> str:
        """In words."""
        return (
            "--rft"
            if self.criteria.rft
            else "cluster p"
            if self.criteria.grf
            else f"threshold {self.criteria.threshold}"
        )

    @property
    def searched(self) -> Mask:
        """The voxels with data, on the file's axes."""
        return self.data != 0 if self.mask is None else self.mask

    @property
    def field(self) -> FieldStatistic:
        """The field that the map is one of."""
        if self.statistic.rule.distribution == "F" and self.criteria.grf:
            raise BadMap(
                f"{self.asks} was asked of the {self.statistic.kind} map, and is known for z and t only",
                hint="Leave out --grf and --cluster-alpha for it; --rft knows F",
            )
        return field_of(self.statistic, self.asks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What random field theory says of the clusters of one map, and of any peak."""

    smoothness: Smoothness
    p_cluster: Array  # of each cluster, family-wise
    p_cluster_unc: Array | None = None
    q_cluster: Array | None = None
    theory: FieldTheory | None = None  # of `rft`
    field: FieldStatistic | None = None  # of `rft`
    tails: int = 1
    maxima: Array | None = None  # ascending magnitudes of all maxima above the height, where q of peaks is known
    q_maxima: Array | None = None  # of these

    def only(self, kept: Mask) -> "Judged":
        """Without the clusters that are not kept."""
        return replace(self, **{name: column[kept] for name, column in self.of_clusters().items()})  # type: ignore[arg-type] # arrays all

    def of_clusters(self) -> dict[str, Array]:
        """The columns of clusters that there are."""
        columns = {"p_cluster": self.p_cluster, "p_cluster_unc": self.p_cluster_unc, "q_cluster": self.q_cluster}
        return {name: column for name, column in columns.items() if column is not None}

    def of_peaks(self, values: Array) -> dict[str, Array]:
        """`p_fwe` and `q_fdr` of peaks by their values; nothing where the smoothness is the map's own."""
        if self.theory is None or self.field is None or self.maxima is None or self.q_maxima is None:
            return {}
        magnitude = np.abs(values.astype(np.float64))
        at = np.minimum(np.searchsorted(self.maxima, magnitude), max(self.maxima.size - 1, 0))
        return {
            "p_fwe": peak_p_values(magnitude, self.field, self.theory.search, tails=self.tails),
            "q_fdr": self.q_maxima[at],
        }


def field_of(statistic: Statistic, asks: str) -> FieldStatistic:
    """The field whose values a map holds.

    Raises
    ------
    BadMap
        The map is none of z, t and F, or its degrees of freedom are not known.
    """
    kind, dof = statistic.rule.distribution, statistic.dof
    if kind == "normal":
        return FieldStatistic()
    if kind == "t" and isinstance(dof, int | float) and dof > 0:
        return FieldStatistic(kind="t", dof=float(dof))
    if kind == "F" and isinstance(dof, tuple) and min(dof) > 0:
        return FieldStatistic(kind="F", dof=dof[1], dof_effect=dof[0])
    if kind in ("t", "F"):
        raise BadMap(f"{asks} was asked of a {kind} map without degrees of freedom", hint=DOF_HINT)
    raise BadMap(
        f"{asks} was asked of the {statistic.kind} map, and is known for z, t and F only",
        hint="Leave it out for this map",
    )


def as_field(values: Array, statistic: Statistic, dof: Array | None) -> tuple[Array, Statistic]:
    """Values as a field that theory knows: of a t map with degrees of freedom voxel by voxel the z of the same p."""
    if dof is None:
        return values, statistic
    return t_to_z(values, np.asarray(dof, np.float64)), Statistic("z")


def search_of(grid: Grid, searched: Mask, smoothness: Smoothness) -> Search:
    """The search region in resels."""
    fwhm = smoothness.fwhm_voxels(grid.zooms_ras)
    return Search(
        n_voxels=int(np.count_nonzero(searched)),
        resels=count_resels(grid.along_ras(searched), fwhm),
        voxels_per_resel=math.prod(fwhm),
        fwhm_mm=smoothness.fwhm_used(grid.zooms_ras),
    )


def least_voxels(criteria: Criteria, voxel_volume: float) -> int:
    """The voxels of the smallest cluster that the size rules keep."""
    least = criteria.min_region_voxels or 0
    if criteria.min_region_size is None:
        return least
    ratio = round(criteria.min_region_size / voxel_volume, 6)
    return max(least, math.floor(ratio) + 1 if criteria.size_strict else math.ceil(ratio))


def family_wise_height(question: Question, alpha: float) -> float:
    """The height whose family-wise p is `alpha` in one tail: as FEAT finds it under its convention, else by the theory.

    Raises
    ------
    BadMap
        The smoothness is not given: one estimated from a map with signal would make the height too low.
    """
    smoothness, field = question.smoothness, question.field
    if smoothness is None or not smoothness.given:
        raise BadMap(
            f"threshold {question.criteria.threshold} needs the smoothness of the residuals, and nothing tells it",
            hint=SMOOTHNESS_HINT,
        )
    if question.criteria.convention == "fsl":
        return quantile_of_z(feat_height(alpha, smoothness), field)
    return height_of_fwe(alpha, field, search_of(question.grid, question.searched, smoothness))


def judge_clusters(question: Question, elements: Elements, sizes: Array) -> Judged:
    """What the theory says of clusters, all that there are above the height.

    Raises
    ------
    BadMap
        The map is none that the theory knows, or its smoothness is not known and cannot be estimated.
    Contradiction
        The height is too low for the theory.
    """
    smoothness = question.smoothness or _estimated(question)
    tails = 2 if TAILS[question.tail].both else 1
    if not question.criteria.rft:
        height = float(z_equivalent(np.array(question.height), question.field))
        p_cluster = cluster_p_values(sizes, height=height, smoothness=smoothness, two_tailed=tails == 2)
        return Judged(smoothness=smoothness, p_cluster=p_cluster, tails=tails)
    field, search = question.field, search_of(question.grid, question.searched, smoothness)
    maxima = np.sort(np.abs(elements.values[_every_maximum(elements, question.tail)]).astype(np.float64))
    voxel_q = _voxel_q(question, maxima) if question.criteria.spec.kind == "fdr" else None
    theory = judge(
        sizes, maxima, height=question.height, field=field, search=search, tails=tails, peaks=smoothness.given,
        least_size=least_voxels(question.criteria, question.grid.voxel_volume), q_peak=voxel_q,
    )  # fmt: skip
    return Judged(
        smoothness=smoothness, p_cluster=theory.p_cluster, p_cluster_unc=theory.p_cluster_unc,
        q_cluster=theory.q_cluster, theory=theory, field=field, tails=tails,
        maxima=maxima if theory.q_peak is not None else None, q_maxima=theory.q_peak,
    )  # fmt: skip


def _every_maximum(elements: Elements, tail: Tail) -> Array:
    """The maxima of the whole map above the height: of each sign, or of |value| where the tails are merged."""
    if not elements.values.size:
        return np.empty(0, np.intp)
    sign = (elements.values < 0).astype(np.intp) if not TAILS[tail].merged else np.zeros(elements.values.size, np.intp)
    return local_maxima(elements, sign, EDGES)


def _voxel_q(question: Question, maxima: Array) -> Array:
    """The q of maxima among all voxels with data, as a table of SPM has it where the height is one of voxel FDR."""
    values = question.data[question.searched].astype(np.float64)
    tail = TAILS[question.tail]
    magnitude = np.sort(np.abs(values) if tail.both else tail.signs[0] * values)
    p = survival(magnitude, question.field) * (2 if tail.both else 1)
    q = adjust_for_discoveries(np.minimum(p, 1.0))
    at = np.minimum(np.searchsorted(magnitude, maxima), max(magnitude.size - 1, 0))
    return np.asarray(q[at]) if magnitude.size else np.ones(maxima.size)


def _estimated(question: Question) -> Smoothness:
    """From the map and its mask."""
    if question.mask is None:
        raise BadMap(
            f"{question.asks} was asked of a map without a mask and without a known smoothness",
            hint="Give --mask auto or a path, --smoothness X Y Z, or `Smoothness` in the map's sidecar",
        )
    grid = question.grid
    z = z_equivalent(grid.along_ras(question.data), question.field)
    z = np.where(np.isfinite(z), z, 0)
    return estimate_smoothness(z, grid.along_ras(question.mask), grid.zooms_ras)


def peak_facts(values: Array, statistic: Statistic) -> dict[str, Array]:
    """`z_equivalent`, with the value's sign, and `p_unc`, of one tail, of peaks by their values; nan where unknown."""
    try:
        field = field_of(statistic, "")
    except BadMap:
        unknown = np.full(values.size, np.nan)
        return {"z_equivalent": unknown, "p_unc": unknown}
    magnitude = np.abs(values.astype(np.float64))
    return {
        "z_equivalent": np.copysign(z_equivalent(magnitude, field), values),
        "p_unc": survival(magnitude, field),
    }


def field_warnings(question: Question, judged: Judged) -> Iterator[str]:
    """What a reader of the p has to know."""
    field = question.field
    if warning := field_theory_warning(float(z_equivalent(np.array(question.height), field))):
        yield warning
    if warning := smoothness_warning(judged.smoothness, question.grid.zooms_ras):
        yield warning
    if not question.criteria.rft:
        return
    if not judged.smoothness.given:
        yield (
            "the smoothness was estimated from the map itself, for the clusters alone: p and q of peaks are left out, "
            "for they would be too small; give --smoothness"
        )
    if question.criteria.connectivity != EDGES:
        yield f"--rft with connectivity {question.criteria.connectivity}: the columns of SPM are of clusters of 18"
    if question.mask is None:
        yield "--rft counts every non-zero voxel as searched: there is no mask"
