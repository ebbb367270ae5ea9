"""How smooth the noise of a map is: given in its sidecar, or estimated from the map and its mask.

*Smoothness* is how far the noise reaches: its FWHM along the axes, the roughness `dlh` (square root of the determinant
of the covariance of the field's derivatives, per voxel), the voxels per *resel* (the product of the three FWHM in
voxels), and with it the searched `volume` in voxels. This room knows no file and no region object.

Sources: Jenkinson 2000 and Flitney & Jenkinson 2000 (FMRIB technical reports TR00MJ1 and TR00DF1) for the estimate from
one map; the FWHM that a dataset tells is that of the residuals (Kiebel et al. 1999, NeuroImage 10:756-766).
"""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap
from bids_regions.frozen import dataclass

__all__ = [
    "Smoothness",
    "estimate_smoothness",
    "misread_smoothness",
    "smoothness_from_fwhm",
    "smoothness_from_metadata",
    "smoothness_warning",
]

Three = tuple[float, float, float]

DLH_TIMES_RESEL = (4 * math.log(2)) ** 1.5  # roughness times voxels per resel, for every smoothness: 4.6167
EXTREME, CAPPED = 0.99999999, 0.99999  # a correlation from the first on is taken as the second, as FSL does
ROUGH, ROUGHEST = 2.0, 1.0  # voxels of FWHM; below them p can be, and are, too small
AGREEING = 0.02  # relative; a roughness and voxels per resel that agree so far are of one smoothness


@dataclass(frozen=True, kw_only=True)
class Smoothness:
    """How smooth a map's noise is, and the volume in which its regions were sought."""

    dlh: float  # per voxel: roughness, |Lambda|^(1/2)
    volume: int  # voxels searched
    voxels_per_resel: float  # the product of the three FWHM in voxels
    fwhm_mm: Three | None  # mm, along the voxel axes nearest to x, y, z; None where only their product is known
    origin: Literal["map", "sidecar", "option"] = "map"  # estimated from the map, told beside it, or asked for

    @property
    def given(self) -> bool:
        """Whether it is that of the residuals, as somebody who had them told it."""
        return self.origin != "map"

    def fwhm_used(self, zooms: Three) -> Three:
        """The FWHM in mm along x, y, z; where only their product is known, of noise that is equal along them."""
        if self.fwhm_mm is not None:
            return self.fwhm_mm
        mm = (self.voxels_per_resel * math.prod(zooms)) ** (1 / 3)
        return mm, mm, mm

    def fwhm_voxels(self, zooms: Three) -> Three:
        """The same in voxels."""
        x, y, z = (f / zoom for f, zoom in zip(self.fwhm_used(zooms), zooms, strict=True))
        return x, y, z


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
            hint="Give a brain mask, or the smoothness by --smoothness or in the map's sidecar",
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
        voxels_per_resel=math.prod(fwhm),
        fwhm_mm=(x, y, z_),
    )


def _correlation(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    power = 0.5 * float(np.sum(here * here + there * there))
    if power == 0:
        return 0.0
    r = float(np.sum(here * there)) / power
    return CAPPED if r >= EXTREME else r


def smoothness_from_fwhm(
    fwhm_mm: Three, *, volume: int, voxel_volume: float, origin: Literal["sidecar", "option"]
) -> Smoothness:
    """The smoothness of noise whose three FWHM are known.

    >>> round(smoothness_from_fwhm((6, 6, 6), volume=1000, voxel_volume=8.0, origin="option").voxels_per_resel, 9)
    27.0
    """
    resel = math.prod(fwhm_mm) / voxel_volume
    return Smoothness(
        dlh=DLH_TIMES_RESEL / resel, volume=volume, voxels_per_resel=resel, fwhm_mm=fwhm_mm, origin=origin
    )


def smoothness_from_metadata(metadata: Mapping[str, Any], *, n_voxels: int, zooms: Three) -> Smoothness | None:
    """The smoothness that a map's sidecar tells, None where it tells none.

    Read in any case of letters: the object `Smoothness` with `FWHM` (mm, one number or three, along the voxel axes
    nearest to x, y, z), `dlh` (per voxel), `VoxelsPerResel` and `Volume` (voxels); NIDM-Results' `noiseFWHMInVoxels`
    and `noiseFWHMInUnits` (mm), and `dlh` with `volume`, also at the top level. A `FWHM` at the top level is not read,
    for it often is that of the kernel the data were smoothed with; a bare `resels` neither, for FSL prints the voxels
    per resel under this name and SPM the number of resels.

    Parameters
    ----------
    metadata
        The sidecar's content.
    n_voxels
        Voxels with data, the volume where the sidecar tells none.
    zooms
        Voxel sizes in mm along the axes nearest to x, y, z.

    Raises
    ------
    BadMap
        A value that is no positive number.

    Examples
    --------
    >>> told = {"Smoothness": {"FWHM": 6}}
    >>> smoothness_from_metadata(told, n_voxels=1000, zooms=(2.0, 2.0, 2.0)).voxels_per_resel
    27.0
    >>> smoothness_from_metadata({"FWHM": 6}, n_voxels=1000, zooms=(2.0, 2.0, 2.0))     # the applied kernel?
    """
    told = _told(metadata)
    fwhm = _fwhm(told, zooms)
    dlh = _positive("dlh", told["dlh"]) if told.get("dlh") is not None else None
    resel = _voxels_per_resel(told, dlh)
    if fwhm is not None:
        resel = resel or math.prod(fwhm) / math.prod(zooms)
    if dlh is None and resel is None:
        return None
    dlh, resel = dlh or DLH_TIMES_RESEL / (resel or 1.0), resel or DLH_TIMES_RESEL / (dlh or 1.0)
    volume = n_voxels if told.get("volume") is None else round(_positive("volume", told["volume"]))
    return Smoothness(dlh=dlh, volume=volume, voxels_per_resel=resel, fwhm_mm=fwhm, origin="sidecar")


def misread_smoothness(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on what a sidecar tells and nobody can be sure of."""
    top = {str(key).lower(): value for key, value in metadata.items()}
    told = _told(metadata)
    if top.get("fwhm") is not None and not any(name in told for name in FWHM_NAMES):
        yield (
            "the sidecar's FWHM is not used: outside of `Smoothness` it often is that of the kernel applied; "
            "write it into `Smoothness` if it is that of the residuals"
        )
    dlh = told.get("dlh")
    known = told.get("voxelsperresel") is not None or any(name in told for name in FWHM_NAMES)
    if told.get("resels") is not None and dlh is None and not known:
        yield (
            "the sidecar's resels are not used: FSL prints the voxels per resel under this name, SPM the number of "
            "resels; write `VoxelsPerResel` into `Smoothness`"
        )


FWHM_NAMES = ("fwhm", "noisefwhm", "noisefwhminunits", "noisefwhminvoxels")


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a sidecar tells of smoothness, by names in lower case; FWHM only where it is sure to be the noise's."""
    top = {str(key).lower().removeprefix("nidm_"): value for key, value in metadata.items()}
    told = {key: value for key, value in top.items() if key in (*FWHM_NAMES[1:], "dlh", "volume", "resels")}
    inner = top.get("smoothness")
    if isinstance(inner, Mapping):
        told |= {str(key).lower().removeprefix("nidm_").replace("_", ""): value for key, value in inner.items()}
    return {key: value for key, value in told.items() if value is not None}


def _fwhm(told: Mapping[str, Any], zooms: Three) -> Three | None:
    """In mm."""
    for name in FWHM_NAMES:
        if name in told:
            x, y, z = _three_fwhm(told[name])
            unit = zooms if name.endswith("voxels") else (1.0, 1.0, 1.0)
            return x * unit[0], y * unit[1], z * unit[2]
    return None


def _voxels_per_resel(told: Mapping[str, Any], dlh: float | None) -> float | None:
    if "voxelsperresel" in told:
        return _positive("VoxelsPerResel", told["voxelsperresel"])
    if "resels" not in told or dlh is None:
        return None
    resels = _positive("resels", told["resels"])  # FSL's, if it agrees with the roughness beside it
    return resels if abs(resels * dlh / DLH_TIMES_RESEL - 1) < AGREEING else None


def _positive(name: str, value: object) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not (math.isfinite(number := float(value)) and number > 0):  # type: ignore[arg-type] # checked
        raise BadMap(f"the sidecar's {name} is {value!r}", hint="It must be a positive number")
    return number


def _three_fwhm(value: object) -> Three:
    if isinstance(value, str):  # NIDM-Results writes vectors as text
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    values = value if isinstance(value, (list, tuple)) else [value] * 3
    if len(values) != 3:
        raise BadMap(f"the sidecar's FWHM is {value!r}", hint="Give one number or three, in mm")
    x, y, z = (_positive("FWHM", v) for v in values)
    return x, y, z


def smoothness_warning(smoothness: Smoothness, zooms: Three) -> str:
    """A sentence on noise too rough for random field theory; empty where it is smooth enough."""
    least = min(smoothness.fwhm_voxels(zooms))
    if least >= ROUGH:
        return ""
    told = f"the noise is hardly smooth: its FWHM is {least:.2g} voxels along one axis at least"
    if least < ROUGHEST:
        return f"p values of random field theory are too small: {told}, below {ROUGHEST:g}"
    return f"p values of random field theory can be too small: {told}, below {ROUGH:g}"
