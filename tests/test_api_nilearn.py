"""At home beside nilearn: its images come in, and our label images and tables go into its maskers and pictures."""

import warnings

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest
from nilearn import image as nilearn_image
from nilearn import plotting
from nilearn.datasets import load_sample_motor_activation_image
from nilearn.maskers import NiftiLabelsMasker, SurfaceLabelsMasker
from nilearn.surface import SurfaceImage

from bids_regions import find_regions
from bids_regions.demo import make_surface_demo


@pytest.fixture(scope="module")
def motor():
    return nilearn_image.load_img(load_sample_motor_activation_image())


@pytest.fixture(scope="module")
def found(motor):
    return find_regions(motor, threshold=3.0)


def test_images_that_nilearn_makes_come_in(motor, found):
    for made in (
        nilearn_image.new_img_like(motor, motor.get_fdata()),
        nilearn_image.math_img("a * 1.0", a=motor),
        nilearn_image.index_img(nilearn_image.concat_imgs([motor, motor]), 0),
    ):
        assert [region.n_voxels for region in find_regions(made, threshold=3.0)] == [r.n_voxels for r in found]
    thresholded = nilearn_image.threshold_img(motor, 3.0, cluster_threshold=55, two_sided=True, copy_header=True)
    assert np.array_equal(thresholded.get_fdata() != 0, find_regions(motor, threshold=3.0).labels > 0)


def test_the_masker_takes_our_labels_and_our_table(motor, found):
    """Its mean of each region is ours, and its look-up table keeps our names."""
    table = found.to_dataframe()
    masker = NiftiLabelsMasker(found.to_image(), lut=table, standardize=None)
    means = masker.fit_transform(motor)
    assert np.allclose(np.ravel(means), table.mean_value)
    names = masker.lut_.set_index("index")["name"]
    assert names[table["index"]].tolist() == table.name.tolist()
    assert list(masker.region_names_.values()) == table.name.tolist()


def test_the_masker_takes_the_files_of_the_app(motor, found, tmp_path):
    nib.save(found.to_image(), tmp_path / "a_dseg.nii.gz")
    found.to_dataframe().to_csv(tmp_path / "a_dseg.tsv", sep="\t", index=False, na_rep="n/a")
    masker = NiftiLabelsMasker(str(tmp_path / "a_dseg.nii.gz"), lut=str(tmp_path / "a_dseg.tsv"), standardize=None)
    assert np.allclose(np.ravel(masker.fit_transform(motor)), found.to_dataframe().mean_value)


def test_pictures_of_nilearn_take_our_labels(found, motor):
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    display = plotting.plot_roi(found.to_image(), bg_img=None, display_mode="z", cut_coords=[52], colorbar=False)
    assert display is not None
    plt.close("all")
    plt.switch_backend(backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn's own, of the colours it takes for labels
        view = plotting.view_img(found.to_image(), bg_img=None, resampling_interpolation="nearest")
    assert "<html" in view.html.lower() or "<div" in view.html.lower()
    view = plotting.view_img(motor, bg_img=None, threshold=3.0)
    assert len(view.html) > 1000


def test_labels_on_surfaces_go_into_its_masker(tmp_path):
    from nilearn.datasets import load_fsaverage  # noqa: PLC0415

    from bids_regions.demo import find_real_map  # noqa: PLC0415

    make_surface_demo(tmp_path, find_real_map())
    left, right = (nib.load(path).agg_data() for path in sorted(tmp_path.rglob("*_statmap.func.gii")))
    image = SurfaceImage(load_fsaverage("fsaverage5")["pial"], {"left": left, "right": right})
    found = find_regions(image, threshold=3.0)
    masker = SurfaceLabelsMasker(found.to_image(), lut=found.to_dataframe(), standardize=None)
    assert np.allclose(np.ravel(masker.fit_transform(image)), found.to_dataframe().mean_value, atol=1e-5)
