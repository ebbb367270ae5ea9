"""From labelled voxels to what is said of them: regions, their peaks, their order and their colours."""

from dataclasses import dataclass

__all__ = ["Peak", "Region"]


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A local maximum of |value| within one region."""

    rank: int  # 1 is the region's main peak
    value: float  # signed, the map's units
    xyz: tuple[float, float, float]  # mm, RAS+
    ijk: tuple[int, int, int]  # voxel, 0-based, the file's own axes


@dataclass(frozen=True, kw_only=True)
class Region:
    """One connected set of voxels that passed, and its measures."""

    index: int  # its number in the label image, 1..n
    name: str  # positive-1, negative-2, ...: the sign and the index
    sign: str  # positive, negative; both only where tails are merged
    n_voxels: int
    volume_mm3: float  # mm3, n_voxels times |det(affine)|
    peak: Peak  # the main peak
    peaks: tuple[Peak, ...]  # by rank, the main peak first
    com_xyz: tuple[float, float, float]  # mm, RAS+, centre of mass weighted by |value|
    com_in_region: bool  # whether the voxel nearest to the centre of mass is one of the region's
    mean_value: float
    sd_value: float  # with n-1; nan for a single voxel
    sum_value: float
    p_cluster: float | None  # by Gaussian random field theory, on request
    tdp: float | None  # true-discovery proportion, on request
    values_mean: float | None  # of the second map, on request
    values_at_peak: float | None  # of the second map, on request
    color: str  # #rrggbb
