"""Maps and datasets to measure on: smooth Gaussian z maps inside a head, and a real one."""

from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from bids_regions.demo import find_real_map

NAME = "sub-{label}_task-x_space-MNI152NLin6Asym_contrast-{contrast}_stat-z_statmap.nii.gz"
EXTENT = (182, 218, 182)  # mm
FWHM = 8.0  # mm
SCALE = 1.8  # of the z values: some two per cent of the voxels lie beyond 3
HEAD = 0.61  # squared radius of the head in half extents: a quarter of the voxels, as in MNI152


@cache
def smooth_map(zoom: int, seed: int = 0, *, head: bool = True) -> nib.Nifti1Image:
    """A smooth Gaussian map in float32 at `zoom` mm, zero outside of a head."""
    shape = tuple(extent // zoom for extent in EXTENT)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    field = ndimage.gaussian_filter(noise, FWHM / 2.3548 / zoom)
    field *= SCALE / field.std()
    if head:
        field[sum(axis**2 for axis in axes) > HEAD] = 0
    affine = np.diag([-zoom, zoom, zoom, 1.0])
    affine[:3, 3] = (90, -126, -72)
    return nib.Nifti1Image(field, affine)


def real_map() -> nib.Nifti1Image:
    """The motor map of 3 mm that comes with nilearn, in float32."""
    loaded = nib.load(find_real_map())
    return nib.Nifti1Image(np.asanyarray(loaded.dataobj).astype(np.float32), loaded.affine)


def describe(root: Path) -> None:
    """An empty derivatives dataset."""
    root.mkdir(parents=True, exist_ok=True)
    text = '{"Name": "simulated", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "x"}]}'
    (root / "dataset_description.json").write_text(text)


def place_map(root: Path, image: nib.Nifti1Image, label: str = "01", contrast: str = "a") -> Path:
    """A map in its place of a dataset."""
    path = root / f"sub-{label}" / "func" / NAME.format(label=label, contrast=contrast)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def make_participants(root: Path, participants: int, contrasts: int, zoom: int = 2) -> Path:
    """A dataset of smooth maps; there are five different ones, which recur."""
    describe(root)
    for k in range(participants):
        for c in range(contrasts):
            place_map(root, smooth_map(zoom, (k + c) % 5), f"{k + 1:02d}", "abcdefgh"[c])
    return root
