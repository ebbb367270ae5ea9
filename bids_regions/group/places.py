"""Images of a grid as rows, and where the voxels of a row lie: the row order of the group level."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.images import Grid

__all__ = ["GridPlaces", "image_of", "row_of", "size_of", "voxel_volume"]

Array = NDArray[Any]
Floats = NDArray[np.float64]


def size_of(grid: Grid) -> int:
    """Voxels of a row."""
    return int(np.prod(grid.shape))


def voxel_volume(grid: Grid) -> float:
    """Volume of a voxel, mm3."""
    return float(abs(np.linalg.det(grid.affine[:3, :3])))


def row_of(image: Array) -> Array:
    """An image (x, y, z) as a row: x fastest, as a NIfTI file lies on disk."""
    return image.ravel(order="F")


def image_of(row: Array, grid: Grid) -> Array:
    """The inverse of `row_of`."""
    return row.reshape(grid.shape, order="F")


@dataclass(frozen=True)
class GridPlaces:
    """Where the voxels of a grid's rows lie."""

    grid: Grid

    def xyz(self, numbers: NDArray[np.intp]) -> Floats:
        """Positions, (n, 3), mm RAS+."""
        ijk = np.stack(np.unravel_index(numbers, self.grid.shape, order="F"), axis=1)
        moved: Floats = ijk @ self.grid.affine[:3, :3].T + self.grid.affine[:3, 3]
        return moved

    def extents(self, numbers: NDArray[np.intp]) -> Floats:
        """Volumes, (n,), mm3."""
        return np.full(numbers.shape, voxel_volume(self.grid))
