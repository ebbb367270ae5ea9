"""Makes the anatomical picture that the package carries from the T1w that nilearn ships: brain, 2 mm, 6 bits of grey.

Run `python tools/make_anatomy.py` where nilearn is installed. The licence stands beside the picture.
"""

import gzip
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np

SOURCE = Path(nilearn.__file__).parent / "datasets" / "data" / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
FOLDER = Path(__file__).parents[1] / "bids_regions" / "anatomy"
TARGET = FOLDER / "ICBM152NLin2009aSym_res-2mm_T1w.nii.gz"
GREYS = 63  # levels of grey: more than the eye tells apart behind a map


def main() -> None:
    """Halve, crop, and store."""
    image = nib.load(SOURCE)
    data = np.asarray(image.dataobj, np.float64)
    even = tuple(n // 2 * 2 for n in data.shape)
    blocks = data[: even[0], : even[1], : even[2]].reshape(even[0] // 2, 2, even[1] // 2, 2, even[2] // 2, 2)
    inside = (blocks > 0).sum(axis=(1, 3, 5))
    means = blocks.sum(axis=(1, 3, 5)) / np.maximum(inside, 1)
    means[inside < 4] = 0
    low, high = np.percentile(means[means > 0], (0.5, 99.8))
    greys = np.where(means > 0, np.clip(np.rint(1 + (GREYS - 1) * (means - low) / (high - low)), 1, GREYS), 0)
    filled = [np.flatnonzero(greys.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    start = [int(found[0]) for found in filled]
    cropped = greys[tuple(slice(found[0], found[-1] + 1) for found in filled)].astype(np.uint8)
    affine = image.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (image.affine @ np.array([*(2 * np.array(start) + 0.5), 1.0]))[:3]
    small = nib.Nifti1Image(cropped, affine)
    small.set_sform(affine, code="mni")
    small.set_qform(affine, code="mni")
    TARGET.write_bytes(gzip.compress(small.to_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main()
