"""A grid as a NIfTI header stores it: where its voxels lie is `bids_regions.space`'s to say."""

from dataclasses import field
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.space import Grid

__all__ = ["StoredGrid", "grid_of", "make_grid"]

MNI = 4  # the code of NIfTI's xform that stands for a space of the MNI family


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredGrid(Grid):
    """Where the voxels of an image lie, and the header that says so."""

    header: bytes = field(repr=False)  # little-endian NIfTI header it was read from: its sform and qform as stored

    @property
    def in_mni(self) -> bool:
        """Whether the header says that the mm are those of a space of the MNI family."""
        kind = Nifti1Header if len(self.header) == Nifti1Header.sizeof_hdr else Nifti2Header
        header = kind(self.header, endianness="<", check=False)
        return MNI in (int(header["sform_code"]), int(header["qform_code"]))


def make_grid(shape: tuple[int, int, int], affine: NDArray[Any]) -> StoredGrid:
    """The grid of `shape` and `affine` (4 x 4, ijk -> mm RAS+), stored as a scanner-frame sform and qform.

    >>> make_grid((2, 3, 4), np.diag([2.0, 2, 2, 1])).zooms
    (2.0, 2.0, 2.0)
    """
    header = Nifti1Header(endianness="<")
    header.set_data_shape(shape)
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner", strip_shears=True)  # the zooms with it
    header.set_xyzt_units(xyz="mm")
    return grid_of(shape, header.get_sform(), header.binaryblock)


def grid_of(shape: tuple[int, int, int], affine: NDArray[np.float64], header: bytes) -> StoredGrid:
    """A grid whose arrays cannot be written to."""
    affine = np.array(affine, dtype=np.float64)
    affine.setflags(write=False)
    return StoredGrid(shape=shape, affine=affine, header=header)
