"""The same job by nilearn's public functions: threshold, regions, table, saved; two figures where asked for.

python benchmarks/peer.py OUTPUT_DIR MAP [MAP ...]   (with figures: what a user's script for a participant does)
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import nibabel as nib
from nilearn.image import threshold_img
from nilearn.plotting import plot_prob_atlas, plot_stat_map
from nilearn.regions import connected_regions
from nilearn.reporting import get_clusters_table

THRESHOLD = 3.0
MIN_SIZE = 1350.0  # mm3
SLICES = 7


def run_peer(path: Path, folder: Path, *, figures: bool) -> None:
    """One map, from the file to the saved results."""
    image = nib.load(path)
    volume = float(abs(nib.affines.voxel_sizes(image.affine).prod()))
    kept = threshold_img(image, THRESHOLD, two_sided=True, copy_header=True)
    regions, _ = connected_regions(kept, min_region_size=MIN_SIZE, extract_type="connected_components")
    regions.to_filename(folder / f"{path.name}_regions.nii.gz")
    table = get_clusters_table(image, THRESHOLD, cluster_threshold=int(MIN_SIZE / volume), two_sided=True)
    table.to_csv(folder / f"{path.name}.tsv", sep="\t")
    if figures:
        plot_stat_map(kept, display_mode="z", cut_coords=SLICES, output_file=folder / f"{path.name}_map.png")
        plot_prob_atlas(
            regions, view_type="contours", display_mode="z", cut_coords=SLICES, output_file=folder / f"{path.name}.png"
        )


def split_peer(image: nib.Nifti1Image) -> None:
    """Thresholding and the local regions of a loaded map."""
    kept = threshold_img(image, THRESHOLD, two_sided=True, copy_header=True)
    connected_regions(kept, min_region_size=MIN_SIZE, extract_type="local_regions", smoothing_fwhm=6)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        run_peer(Path(name), target, figures=True)
