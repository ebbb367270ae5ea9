"""Maps and datasets to measure on: a real map, datasets of any size made from it, smooth Gaussian noise.

python benchmarks/simulating.py FOLDER [--participants 100] [--contrasts 1] [--zoom 2]
"""

import argparse
import os
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from scipy import ndimage

from bids_regions.demo import find_real_map

NAME = "sub-{label}_task-x_space-MNI152NLin6Asym_contrast-{contrast}_stat-z_statmap.nii.gz"
EXTENT = (182, 218, 182)  # mm
FWHM = 8.0  # mm
SCALE, FULL_SCALE = 1.8, 1.29  # of the z values: two per cent of all voxels lie beyond 3, in a head and without one
HEAD = 0.61  # squared radius of the head in half extents: a quarter of the voxels, as in MNI152
POOL = 40  # different maps in a dataset; beyond them files are links, which need no room on the disk
GAINS = (0.4, 1.2)  # of the real map in a participant
NOISE_FWHM = 6.0  # mm; noise of standard deviation 1 is added in the brain


def smooth_map(zoom: int, seed: int = 0, *, head: bool = True) -> nib.Nifti1Image:
    """A smooth Gaussian map in float32 at `zoom` mm, zero outside of a head."""
    shape, affine = grid(zoom)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    field = ndimage.gaussian_filter(noise, FWHM / 2.3548 / zoom)
    field *= (SCALE if head else FULL_SCALE) / field.std()
    if head:
        field[sum(axis**2 for axis in axes) > HEAD] = 0
    return nib.Nifti1Image(field, affine)


def grid(zoom: int) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape and affine of the MNI152 field of view at `zoom` mm."""
    affine = np.diag([-zoom, zoom, zoom, 1.0])
    affine[:3, 3] = (90, -126, -72)
    return tuple(extent // zoom for extent in EXTENT), affine


@cache
def real_map(zoom: int | None = None) -> nib.Nifti1Image:
    """The motor map of 3 mm that comes with nilearn, in float32; or resampled to `zoom` mm."""
    loaded = nib.load(find_real_map())
    image = nib.Nifti1Image(np.asanyarray(loaded.dataobj).astype(np.float32), loaded.affine)
    return image if zoom is None else resample_from_to(image, grid(zoom), order=1)


@cache
def varied_map(number: int, zoom: int) -> nib.Nifti1Image:
    """The real map as of one more participant: times a gain, with smooth Gaussian noise in the brain."""
    image, random = real_map(zoom), np.random.default_rng(number)
    data = image.get_fdata(dtype=np.float32)
    noise = ndimage.gaussian_filter(random.standard_normal(data.shape, np.float32), NOISE_FWHM / 2.3548 / zoom)
    noise /= noise[data != 0].std()
    field = np.where(data != 0, random.uniform(*GAINS) * data + noise, 0)
    return nib.Nifti1Image(field.astype(np.float32), image.affine)


def describe(root: Path) -> None:
    """An empty derivatives dataset."""
    root.mkdir(parents=True, exist_ok=True)
    text = '{"Name": "simulated", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "x"}]}'
    (root / "dataset_description.json").write_text(text)


def find_place(root: Path, label: str, contrast: str) -> Path:
    """The path of a map in a dataset, whose folder is made."""
    path = root / f"sub-{label}" / "func" / NAME.format(label=label, contrast=contrast)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def place_map(root: Path, image: nib.Nifti1Image) -> Path:
    """The only map of a dataset, in its place."""
    path = find_place(root, "01", "a")
    nib.save(image, path)
    return path


def make_participants(root: Path, participants: int, contrasts: int, zoom: int = 2) -> Path:
    """A dataset of any size from the real map: map number n is `varied_map` number n modulo POOL."""
    describe(root)
    written: list[Path] = []
    for n in range(participants * contrasts):
        path = find_place(root, f"{n // contrasts:05d}", f"c{n % contrasts}")
        if n < POOL:
            nib.save(varied_map(n, zoom), path)
            written.append(path)
        else:
            os.link(written[n % POOL], path)
    return root


def main() -> None:
    """Make a dataset."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--participants", type=int, default=100)
    parser.add_argument("--contrasts", type=int, default=1)
    parser.add_argument("--zoom", type=int, default=2, metavar="MM")
    options = parser.parse_args()
    make_participants(options.folder, options.participants, options.contrasts, options.zoom)


if __name__ == "__main__":
    main()
