"""Images in memory: what nibabel and nilearn hand around, as a map on its grid; and labels as such an image.

Nothing is read from disk but what an image loads when its data are asked for. Values stay as they are, also where they
are not finite: whoever takes them says what becomes of those.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Header, Nifti2Image
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.frozen import dataclass
from bids_regions.images.grids import StoredGrid, grid_of, make_grid
from bids_regions.images.headers import find_header_dof
from bids_regions.images.writing import LABELS, make_header, smallest_labels
from bids_regions.space.grid import is_singular

__all__ = ["Volume", "image_of_labels", "is_image", "volume_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A 3-D image of real numbers."""

    data: NDArray[Any]  # 3-D, the map's own units
    grid: StoredGrid
    intent: int = 0  # NIfTI code
    dof: Mapping[int, tuple[float, ...]] = field(default_factory=dict)  # degrees of freedom by intent, as in a StatMap
    name: str = ""  # of the file it came from, where it came from one


def is_image(value: object) -> bool:
    """Whether this is an image of nibabel or nilearn."""
    return isinstance(value, SpatialImage)


def volume_of(image: Any) -> Volume:
    """The map that an image holds; a 4-D image of one volume counts as 3-D.

    Raises
    ------
    UnsuitableMap
        It is no 3-D image of real numbers.
    BadMap
        It does not say where its voxels lie.
    """
    data = np.asanyarray(image.dataobj)
    if data.dtype.kind not in "biuf":
        raise UnsuitableMap(f"the image holds {data.dtype} and no real numbers", hint="Give a statistical map")
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise UnsuitableMap(
            f"the image has the shape {data.shape} and is not 3-D", hint="Give one volume, such as image.slicer[..., 0]"
        )
    shape = (int(data.shape[0]), int(data.shape[1]), int(data.shape[2]))
    header = image.header if isinstance(image.header, Nifti1Header) else None
    path = image.get_filename()
    return Volume(
        data=data,
        grid=_grid(image, shape, header),
        intent=int(header["intent_code"]) if header is not None else 0,
        dof=find_header_dof(header) if header is not None else {},
        name=Path(path).name if isinstance(path, str) else "",
    )


def _grid(image: Any, shape: tuple[int, int, int], header: Nifti1Header | None) -> StoredGrid:
    affine = image.affine
    if affine is None or not np.isfinite(affine).all() or is_singular(affine):
        raise BadMap("the image's affine does not place its voxels in mm", hint="Give an image with a usable affine")
    if header is None:
        return make_grid(shape, affine)
    return grid_of(shape, affine, bytes(header.as_byteswapped("<").binaryblock))


def image_of_labels(labels: NDArray[np.integer[Any]], grid: StoredGrid) -> Nifti1Pair:
    """Labels as an image on the exact grid of the map, the smallest type that fits, as files of labels have it."""
    labels = smallest_labels(labels)
    block = make_header(grid.header, labels.dtype, labels.shape, LABELS)
    if len(block) == Nifti1Header.sizeof_hdr:
        return Nifti1Image(labels, grid.affine, Nifti1Header(block))
    return Nifti2Image(labels, grid.affine, Nifti2Header(block))
