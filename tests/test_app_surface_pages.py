"""Pages of CIFTI maps, from the command line to the picture: cortex and voxels are one picture of one scale."""

import re

import nibabel as nib
import numpy as np
import trees
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis

from bids_regions.cli import main
from bids_regions.tables import rows_of

N = 32_492  # vertices of a hemisphere of fsLR 32k


THROUGH = "The regions seen through the brain from the right, from behind and from above; "


def write_map(root, person):
    """One person's map on the left cortex and in a box of voxels, the numbers of both."""
    folder = root / person
    folder.mkdir(parents=True)
    trees.describe(root)
    mask = np.zeros((91, 109, 91), bool)
    mask[40:50, 50:60, 36:42] = True
    affine = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    models = BrainModelAxis.from_surface(np.arange(N), N, "CortexLeft")
    models += BrainModelAxis.from_mask(mask, affine=affine, name="thalamus_left")
    data = np.full((1, N + mask.sum()), 0.5, np.float32)
    data[0, :2000] = 5.0  # the scale of the cortex alone
    data[0, N : N + 300] = 9.0  # and of the voxels
    name = f"{person}_task-x_space-fsLR_den-91k_contrast-a_stat-z_statmap.dscalar.nii"
    nib.save(Cifti2Image(data, (ScalarAxis(["a"]), models)), folder / name)
    return data


def kept_in(folder):
    """Grayordinates in the regions of one map."""
    (table,) = folder.rglob("*_dseg.tsv")
    sizes = [row[name] for row in rows_of(table.read_text()) for name in ("n_vertices", "n_voxels")]
    return sum(int(size) for size in sizes if size != "n/a")


def test_cortex_and_voxels_share_one_colour_bar_and_one_histogram_beside_the_voxels_seen_through(tmp_path):
    data = write_map(tmp_path / "in", "sub-01")
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--threshold", "3.0", "-q"]) == 0
    (picture,) = (tmp_path / "out" / "sub-01" / "figures").glob("*_figure.svg")
    text = picture.read_text()
    assert re.findall(r">(z)</text>", text) == ["z"]
    assert re.findall(r">([−\d]+)</text>", text).count("9") == 1  # the end of the bar, which colours both
    assert "z −" in text or "z 1" in text  # slices of what lies below
    page = (tmp_path / "out" / "sub-01.html").read_text()
    share = 100 * kept_in(tmp_path / "out" / "sub-01") / data.size
    assert f"{THROUGH}histogram of {data.size:,} grayordinates, {round(share, 1):g} % in regions" in page


def test_the_consensus_of_cifti_maps_has_its_histogram_beside_the_voxels_seen_through(tmp_path):
    for person in ("sub-01", "sub-02"):
        write_map(tmp_path / "in", person)
    run = [str(tmp_path / "in"), str(tmp_path / "out"), "participant", "group", "--threshold", "3.0", "-q"]
    assert main(run) == 0
    n = kept_in(tmp_path / "out" / "sub-01")  # the same of everybody: all of anybody's regions
    assert (
        f"{THROUGH}histogram of {n:,} grayordinates, 100 % in regions" in (tmp_path / "out" / "group.html").read_text()
    )
