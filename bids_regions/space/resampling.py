"""From one grid to another by the nearest voxel. A *step* is the 4 x 4 matrix from the target's ijk to the source's."""

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.libraries import Late

if TYPE_CHECKING:
    from scipy import ndimage
else:
    ndimage = Late("scipy.ndimage")

__all__ = ["find_aligned_axes", "find_displacement", "resample_nearest"]

ALIGNED = 0.01  # of a voxel: axes that leave each other by less over the whole grid are parallel
TIE = 1e-4  # of a voxel: a centre midway between two voxels goes to the lower one, whatever float32 headers round

Affine = NDArray[np.float64]


def find_displacement(shape: tuple[int, int, int], first: Affine, second: Affine) -> float:
    """The largest distance in mm between the places two affines give to a corner voxel of `shape`."""
    corners = np.array([(*ijk, 1) for ijk in product(*((0, n - 1) for n in shape))], dtype=np.float64)
    return float(np.sqrt((((first - second) @ corners.T)[:3] ** 2).sum(axis=0)).max())


def resample_nearest(data: NDArray[Any], step: NDArray[np.floating[Any]], shape: tuple[int, int, int]) -> NDArray[Any]:
    """`data` at the voxels of another grid, each taking the value of the voxel whose centre is nearest.

    Parameters
    ----------
    data
        3-D labels, masks or values of any integer, bool or float dtype.
    step
        (4, 4), ijk of the target -> ijk of `data`.
    shape
        Of the target.

    Returns
    -------
    array
        Of `shape`, dtype of `data`, Fortran order; 0 outside the field of view of `data`.
    """
    matrix = np.array(step, dtype=np.float64)
    along = find_aligned_axes(matrix, shape)
    if along is None:
        matrix[:3, 3] -= TIE
        return _transform(data, matrix, shape)
    found = data.T  # axis by axis, in C order: twenty times faster than by index arrays
    for i, j in enumerate(along):
        nearest = np.ceil(matrix[i, j] * np.arange(shape[j]) + matrix[i, 3] - 0.5 - TIE).astype(np.intp)
        found = found.take(nearest, axis=2 - i, mode="clip")
        found.swapaxes(0, 2 - i)[(nearest < 0) | (nearest >= data.shape[i])] = 0
    return np.asfortranarray(found.T.transpose(np.argsort(along)))


def find_aligned_axes(matrix: Affine, shape: tuple[int, int, int]) -> list[int] | None:
    """For each axis of the source the one axis of the target it runs along, or None where the grids are oblique."""
    reach = np.abs(matrix[:3, :3]) * np.array(shape)  # voxels of the source passed along each axis of the target
    along = [int(j) for j in reach.argmax(axis=1)]
    rest = reach.sum(axis=1) - reach.max(axis=1)
    return along if sorted(along) == [0, 1, 2] and rest.max() < ALIGNED else None


def _transform(data: NDArray[Any], matrix: Affine, shape: tuple[int, int, int]) -> NDArray[Any]:
    raw: NDArray[Any] = data.view(np.uint8) if data.dtype == np.bool_ else data
    found: NDArray[Any] = np.zeros(shape, dtype=raw.dtype, order="F")
    # "grid-constant": the outer half of a border voxel belongs to the field of view, which "constant" cuts off
    ndimage.affine_transform(raw, matrix, output=found, order=0, mode="grid-constant", prefilter=False)
    return found.view(data.dtype)
