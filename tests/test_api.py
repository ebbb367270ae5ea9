"""The package in a notebook: images, paths and arrays in; tables and label images out."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from atlas_files import save as save_image
from scipy import stats

import bids_regions
from bids_regions import Criteria, Region, Statistic, find_regions
from bids_regions.errors import BadMap, Contradiction, Fault, MissingInput, UnsuitableMap, WrongCall

AFFINE = np.array([[-3.0, 0, 0, 30], [0, 3, 0, -20], [0, 0, 3, -10], [0, 0, 0, 1]])
FAR = nib.affines.from_matvec(np.eye(3), [900, 900, 900])
COLUMNS = ["index", "name", "sign", "n_voxels", "volume_mm3", "peak_value", "peak_x", "peak_y", "peak_z"]


@pytest.fixture
def data():
    found = np.zeros((12, 13, 14), np.float32)
    found[2:5, 2:5, 2:5] = 4.0
    found[3, 3, 3] = 6.5
    found[8:10, 8:10, 8:10] = -5.0
    return found


def image_of(data, intent=None):
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_intent(*intent) if intent else None
    return image


def test_an_image_a_path_and_an_array_give_the_same(data, tmp_path):
    image, path = image_of(data), tmp_path / "a_stat-z_statmap.nii.gz"
    nib.save(image, path)
    tables = [
        found.to_dataframe()
        for found in (
            find_regions(image, threshold=3.0, min_region_voxels=1),
            find_regions(path, threshold=3.0, min_region_voxels=1),
            find_regions(str(path), criteria=Criteria(threshold="3.0", min_region_voxels=1)),
            find_regions(data, AFFINE, Criteria(threshold=3.0, min_region_voxels=1)),
            find_regions(image_of(data[..., None]), threshold=3.0, min_region_voxels=1),
        )
    ]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    assert tables[0].n_voxels.tolist() == [27, 8]
    assert tables[0].columns[: len(COLUMNS)].tolist() == COLUMNS
    assert tables[0].peak_value.tolist() == [6.5, -5.0]


def test_what_was_found_can_be_compared_kept_in_sets_and_used_as_a_key(data):
    one, other = (find_regions(data, AFFINE, threshold=3.0, min_region_voxels=1) for _ in range(2))
    assert one == one  # noqa: PLR0124 # the point
    assert one != other
    assert len({one, other}) == 2
    assert {one: "a", other: "b"}[other] == "b"
    assert one[0] == other[0]  # a region holds no array: its numbers are compared
    assert len({one[0], other[0]}) == 1
    assert bids_regions.find_regions(data, AFFINE, threshold=3.0).criteria == find_regions(data, AFFINE).criteria


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_what_an_array_masks_is_no_data(data, dtype):
    hidden = np.zeros(data.shape, bool)
    hidden[2:5, 2:5, 2:5] = True
    given = np.ma.masked_array(data.astype(dtype), hidden)
    found = find_regions(given, AFFINE, threshold=3.0, min_region_size=0)
    assert [region.sign for region in found.regions] == ["negative"]
    whole = find_regions(np.ma.masked_array(data.astype(dtype)), AFFINE, threshold=3.0, min_region_size=0)
    assert len(whole.regions) == 2
    outside = find_regions(data, AFFINE, threshold=3.0, min_region_size=0, mask=np.ma.masked_array(~hidden, hidden))
    assert len(outside.regions) == 1


def test_the_label_image_lies_on_the_grid_of_the_map_in_every_bit(data):
    image = image_of(data)
    image.set_sform(AFFINE, code=4)
    image.set_qform(AFFINE, code=1)
    labels = find_regions(image, threshold=3.0, min_region_voxels=1).to_image()
    assert np.array_equal(labels.affine, image.affine)
    assert (int(labels.header["sform_code"]), int(labels.header["qform_code"])) == (4, 1)
    assert int(labels.header["intent_code"]) == 1002
    assert labels.get_data_dtype() == np.uint8
    assert set(np.unique(labels.dataobj)) == {0, 1, 2}
    assert nib.Nifti1Image.from_bytes(labels.to_bytes()).shape == data.shape


def test_a_big_endian_and_a_nifti2_image_and_another_format_work(data):
    swapped = nib.Nifti1Image.from_bytes(image_of(data).to_bytes())
    swapped = nib.Nifti1Image(data.astype(">f4"), AFFINE, swapped.header.as_byteswapped(">"))
    for image in (swapped, nib.Nifti2Image(data, AFFINE), nib.MGHImage(data, AFFINE)):
        found = find_regions(image, threshold=3.0, min_region_voxels=1)
        assert [region.n_voxels for region in found] == [27, 8]
        assert np.allclose(found.to_image().affine, image.affine)


def test_peaks_come_as_a_table(data):
    peaks = find_regions(image_of(data), threshold=3.0, min_region_voxels=1).peaks_dataframe()
    assert peaks.columns[:3].tolist() == ["index", "rank", "value"]
    assert peaks["index"].tolist() == [1, 2]


def test_a_map_without_regions_has_empty_tables_with_all_columns(data):
    found = find_regions(image_of(data), threshold=50.0)
    assert len(found) == len(found.to_dataframe()) == len(found.peaks_dataframe()) == 0
    assert found.to_dataframe().columns[: len(COLUMNS)].tolist() == COLUMNS
    assert not np.asanyarray(found.to_image().dataobj).any()


@pytest.mark.parametrize(
    "asked",
    [
        {"threshold": "p=0.001"},
        {"threshold": "fdr=0.05"},
        {"threshold": "bonferroni=0.05"},
        {"threshold": "3.2", "grf": True},
        {"threshold": "3.2", "rft": True},
        {"threshold": "fwe=0.05"},
        {"threshold": "3.2", "tdp": True},
    ],
)
def test_what_needs_a_p_is_refused_where_nothing_tells_the_statistic(data, asked):
    for given in ((data, AFFINE), (image_of(data),)):
        with pytest.raises(BadMap, match="statistic") as refused:
            find_regions(*given, **asked)
        assert "nothing tells what the map's numbers are" in str(refused.value)
    mask = np.ones(data.shape, bool)
    noisy = np.where(data == 0, np.random.default_rng(0).uniform(-1, 1, data.shape), data)
    told = {"statistic": "z", "mask": mask, "smoothness": (9.0, 9.0, 9.0)}
    assert len(find_regions(noisy, AFFINE, min_region_voxels=1, **told, **asked)) == 2


def test_a_t_map_is_never_taken_for_z(data, tmp_path):
    asked = {"threshold": "p=0.001", "tail": "positive", "min_region_voxels": 1}
    z = find_regions(image_of(data, ("z score",)), **asked)
    t = find_regions(image_of(data, ("t test", (20,))), **asked)
    assert round(z.cutoff.value, 3) == 3.090
    assert round(t.cutoff.value, 3) == 3.552
    nib.save(image_of(data), tmp_path / "a_stat-t_statmap.nii.gz")
    with pytest.raises(BadMap, match="degrees of freedom are not known"):
        find_regions(tmp_path / "a_stat-t_statmap.nii.gz", **asked)
    with pytest.raises(BadMap, match="degrees of freedom are not known"):
        find_regions(nib.load(tmp_path / "a_stat-t_statmap.nii.gz"), **asked)
    told = find_regions(tmp_path / "a_stat-t_statmap.nii.gz", statistic=Statistic("t", dof=20), **asked)
    assert told.cutoff == t.cutoff
    assert find_regions(data, AFFINE, threshold=3.0, min_region_voxels=1).regions  # a value needs no p


def test_masks_and_second_maps_come_in_every_form(data, tmp_path):
    mask = np.zeros(data.shape, bool)
    mask[:6] = True
    nib.save(image_of(mask.astype(np.uint8)), tmp_path / "mask.nii.gz")
    coarse = nib.Nifti1Image(np.ones((3, 13, 14), np.uint8), AFFINE @ np.diag([2.0, 1, 1, 1]))
    for given in (mask, image_of(mask.astype(np.uint8)), tmp_path / "mask.nii.gz", coarse):
        found = find_regions(image_of(data), threshold=3.0, min_region_voxels=1, mask=given)
        assert [region.sign for region in found] == ["positive"]
    nib.save(image_of(2 * data), tmp_path / "second.nii.gz")
    for given in (2 * data, image_of(2 * data), tmp_path / "second.nii.gz"):
        table = find_regions(image_of(data), threshold=3.0, min_region_voxels=1, values=given).to_dataframe()
        assert table.values_at_peak.tolist() == [13.0, -10.0]


def test_an_atlas_names_the_regions(data, tmp_path):
    atlas = np.zeros(data.shape, np.uint8)
    atlas[:6], atlas[6:] = 1, 2
    path = tmp_path / "tpl-MNI152NLin6Asym_atlas-Halves_dseg.nii.gz"
    save_image(path, atlas, AFFINE)
    path.with_name(path.name.replace(".nii.gz", ".tsv")).write_text("index\tname\n1\tnear\n2\tfar\n")
    found = find_regions(image_of(data), threshold=3.0, min_region_voxels=1, atlas=path)
    assert [region.name.split()[-1] for region in found] == ["near", "far"]
    assert any("space is not told" in sentence for sentence in found.warnings)
    table = found.to_dataframe()
    assert table.columns[-2:].tolist() == ["Halves_peak", "Halves_overlap"]
    assert table.Halves_peak.tolist() == ["near", "far"]
    assert found.peaks_dataframe().columns[-1] == "Halves_peak"
    known = find_regions(image_of(data), threshold=3.0, min_region_voxels=1, atlas=[str(path)], space="MNI152NLin6Asym")
    assert known.warnings == ()
    with pytest.raises(Contradiction, match="MNI152NLin6Asym"):
        find_regions(image_of(data), threshold=3.0, atlas=path, space="MNI152NLin2009cAsym")


def test_reprs_are_short(data):
    found = find_regions(data, AFFINE, threshold=3.0, min_region_voxels=1)
    assert repr(found) == "<2 regions, 35 of 35 above the cutoff; threshold 3.0, cutoff 3, tail bi>"
    region = next(iter(found))
    assert isinstance(region, Region)
    assert repr(Criteria()) == "Criteria()"
    for criteria in (Criteria(convention="fsl", connectivity=6), Criteria(grf=True, threshold=3.1)):
        assert eval(repr(criteria)) == criteria  # noqa: S307 # our own text
    assert repr(region) == "<Region 1: region-1, positive, 27 voxels, peak 6.5 at (21, -11, -1)>"


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        (lambda d, _: ("nowhere.nii.gz",), MissingInput, "nowhere.nii.gz is not there"),
        (lambda d, _: (d,), BadMap, "does not say where its voxels lie"),
        (lambda d, _: (d, np.eye(3)), BadMap, "no 4 x 4 matrix"),
        (lambda d, _: (d, np.zeros((4, 4))), BadMap, "no 4 x 4 matrix"),
        (lambda d, _: (d[0], AFFINE), BadMap, "is not 3-D"),
        (lambda d, _: (object(), AFFINE), BadMap, "no array of real numbers"),
        (lambda d, _: ([[1], [1, 2]], AFFINE), BadMap, "no array of numbers"),
        (lambda d, _: (d.astype(complex), AFFINE), BadMap, "no array of real numbers"),
        (lambda d, _: (image_of(d), AFFINE), Contradiction, "beside an image"),
        (lambda d, _: (nib.Nifti1Image(np.stack([d, d], -1), AFFINE),), UnsuitableMap, "is not 3-D"),
        (lambda d, _: (nib.Nifti1Image(d.astype(np.complex64), AFFINE),), UnsuitableMap, "no real numbers"),
        (lambda d, _: (d, AFFINE, {"threshold": 3}), Contradiction, "criteria is a dict"),
        (lambda d, _: ("",), MissingInput, "the path is empty"),
        (lambda d, _: (), WrongCall, "missing a required argument: 'image'"),
        (lambda d, _: (d, AFFINE, None, None), WrongCall, "too many positional arguments"),
    ],
)
def test_a_fault_is_ours_with_a_hint(data, tmp_path, given, kind, told):
    with pytest.raises(kind, match=told) as refused:
        find_regions(*given(data, tmp_path))
    assert isinstance(refused.value, Fault)
    assert refused.value.hint


def test_choices_are_refused_by_name(data):
    with pytest.raises(Contradiction, match="no choice named thresh"):
        find_regions(data, AFFINE, thresh=3)
    with pytest.raises(Contradiction, match="beside each other"):
        find_regions(data, AFFINE, Criteria(), threshold=3)
    with pytest.raises(Contradiction, match="statistic is a int"):
        find_regions(data, AFFINE, statistic=3)
    with pytest.raises(Contradiction, match="not three FWHM"):
        find_regions(data, AFFINE, smoothness=(8, 8))
    with pytest.raises(MissingInput, match=r"the mask .* is not there"):
        find_regions(data, AFFINE, mask="nowhere.nii")
    with pytest.raises(BadMap, match="another grid"):
        find_regions(data, AFFINE, values=nib.Nifti1Image(data, np.eye(4)))


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ({"atlas": 3}, Contradiction, "atlas is a int"),
        ({"space": 3}, Contradiction, "space is a int"),
        ({"min_region_size": "a"}, Contradiction, "min_region_size = 'a' must be a finite number"),
        ({"connectivity": 7}, Contradiction, "connectivity = 7 is none of 6, 18, 26"),
        ({"convention": "workbench"}, BadMap, "the convention workbench is for surfaces"),
        ({"mask": np.zeros((12, 13, 14))}, BadMap, "the mask is empty"),
        ({"values": np.ones((2, 2, 2))}, BadMap, "the second map has shape"),
        ({"mask": ""}, MissingInput, "the path of the mask is empty"),
        ({"mask": nib.Nifti1Image(np.ones((3, 3, 3)), FAR)}, BadMap, "does not overlap the map"),
        ({"threshold": "97%", "percentile_over": "mask"}, BadMap, "Give mask, or percentile_over="),
        ({"threshold": "p=0.01", "statistic": "F"}, BadMap, r'or statistic=Statistic\("F", dof=\(2, 98\)\)\.$'),
        ({"statistic": Statistic("F", 3)}, Contradiction, r"dof = 3: F takes a pair of numbers above 0"),
        (
            {"statistic": Statistic("t", -3)},
            Contradiction,
            r'dof = -3: t takes one number above 0. Give Statistic\("t"',
        ),
        ({"statistic": Statistic("t", float("nan"))}, Contradiction, "takes one number above 0"),
        ({"statistic": Statistic("t", "a")}, Contradiction, "dof = 'a'"),
        ({"statistic": Statistic("t", True)}, Contradiction, "dof = True: t takes one number above 0"),
        ({"statistic": Statistic("F", (True, 98))}, Contradiction, "F takes a pair of numbers above 0"),
        ({"min_region_voxels": True}, Contradiction, "min_region_voxels = True must be a finite number"),
        ({"max_peaks": np.True_}, Contradiction, "max_peaks = .*True.* must be a finite number"),
        ({"cluster_alpha": True}, Contradiction, "cluster_alpha = True is no probability"),
        ({"smoothness": (8, 8, True)}, Contradiction, "is not three FWHM in mm"),
        ({"grf": "no"}, Contradiction, "grf = 'no' must be True or False"),
        ({"tdp": 1}, Contradiction, "tdp = 1 must be True or False"),
        ({"min_region_voxels": 2.5}, Contradiction, "min_region_voxels = 2.5 must be a whole number"),
        ({"thresh": 3}, WrongCall, "no choice named thresh. It has threshold, "),
    ],
)
def test_every_fault_is_told_in_words_of_python(data, asked, kind, told):
    with pytest.raises(kind, match=told) as refused:
        find_regions(data, AFFINE, **asked)
    assert refused.value.hint
    assert "--" not in str(refused.value)


def test_volumes_of_a_file_are_asked_for_as_python_can(data, tmp_path):
    nib.save(nib.Nifti1Image(np.stack([data, data], -1), AFFINE), tmp_path / "a.nii")
    with pytest.raises(UnsuitableMap, match=r"Give one of its volumes, such as image\.slicer\[\.\.\., 0\]\.$"):
        find_regions(tmp_path / "a.nii")


@pytest.mark.parametrize(("kind", "dof", "same"), [("F", [2, 98], (2, 98)), ("t", (20,), 20), ("t", [20], 20)])
def test_degrees_of_freedom_may_stand_in_a_list(data, kind, dof, same):
    given, plain = (
        find_regions(data, AFFINE, statistic=Statistic(kind, each), threshold="p=0.01") for each in (dof, same)
    )
    assert given.cutoff == plain.cutoff


def test_what_a_statistic_or_criteria_cannot_be_is_our_fault_to_tell():
    with pytest.raises(Contradiction, match="statistic is a int"):
        Statistic(3)
    with pytest.raises(Contradiction, match="scale = 'q' is none of p, 1-p, log10"):
        Statistic("p", scale="q")
    with pytest.raises(WrongCall, match="Criteria has no choice named foo") as refused:
        Criteria(foo=1)
    assert isinstance(refused.value, TypeError)  # as Python has it


def test_no_mask_may_be_said(data):
    assert len(find_regions(data, AFFINE, threshold=3.0, min_region_voxels=1, mask="none")) == 2


def test_dir_lists_the_public_names_and_nothing_is_loaded_before_it_is_used():
    assert dir(bids_regions) == sorted(bids_regions.__all__)
    assert all(hasattr(bids_regions, name) for name in dir(bids_regions))
    with pytest.raises(AttributeError, match="find_region"):
        bids_regions.find_region  # noqa: B018
    code = "import bids_regions, sys; dir(bids_regions); print(sorted({'numpy', 'nibabel', 'pandas'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    code = (
        "import sys, numpy as np; from bids_regions import find_regions; "
        "find_regions(np.ones((3, 3, 3)), np.eye(4)); print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_names_that_spm_and_fsl_number_tell_what_the_map_is(data, tmp_path):
    image = image_of(data)
    image.header["descrip"] = b"SPM{T_[98.0]} - contrast 1"
    for name in ("zstat1.nii.gz", "spmT_0001.nii", "t1.nii"):
        nib.save(image, tmp_path / name)
    cutoffs = [
        find_regions(tmp_path / name, threshold="p=0.001").cutoff.value for name in ("zstat1.nii.gz", "spmT_0001.nii")
    ]
    assert cutoffs == pytest.approx([3.290527, stats.t.isf(0.0005, 98)])
    with pytest.raises(BadMap, match="nothing tells what the map's numbers are"):
        find_regions(tmp_path / "t1.nii", threshold="p=0.001")


def test_a_whole_number_may_be_written_with_a_point(data):
    counts = {"max_peaks": 2, "min_region_voxels": 5}
    found, pointed = (
        find_regions(data, AFFINE, threshold=1.0, **{name: kind(n) for name, n in counts.items()})
        for kind in (int, float)
    )
    assert repr(pointed.criteria) == repr(found.criteria)
    assert pointed.peaks_dataframe().equals(found.peaks_dataframe())
