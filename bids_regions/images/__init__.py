"""NIfTI files on disk and what they hold: a statistical map, a label image, a mask, each on its grid.

A grid is a shape with the affine that places its voxels in mm, RAS+. Hostile and broken files end here, each with a
sentence. This room does not know what a region is, nor where in a dataset a file lies.
"""

from nibabel import __version__ as NIBABEL_VERSION  # noqa: N812

from bids_regions.images.foreign import Bricks, load_bricks, save_as_nifti, voxel_axes
from bids_regions.images.grids import StoredGrid, make_grid
from bids_regions.images.inflation import Seen
from bids_regions.images.memory import Volume, image_of_labels, is_image, volume_of
from bids_regions.images.reading import (
    LabelImage,
    StatMap,
    check_mask,
    count_volumes,
    expect_many,
    load_again,
    load_grid,
    load_label_image,
    load_labels,
    load_mask,
    load_statmap,
    load_volumes,
)
from bids_regions.images.writing import save_labels, save_map

__all__ = [
    "NIBABEL_VERSION",
    "Bricks",
    "LabelImage",
    "Seen",
    "StatMap",
    "StoredGrid",
    "Volume",
    "check_mask",
    "count_volumes",
    "expect_many",
    "image_of_labels",
    "is_image",
    "load_again",
    "load_bricks",
    "load_grid",
    "load_label_image",
    "load_labels",
    "load_mask",
    "load_statmap",
    "load_volumes",
    "make_grid",
    "save_as_nifti",
    "save_labels",
    "save_map",
    "volume_of",
    "voxel_axes",
]
