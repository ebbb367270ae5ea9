"""To disk: labels where their map lies, as other readers see it."""

import pickle
import zlib

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from nifti_bytes import AFFINE, OBLIQUE, nifti, put, ramp

from bids_regions.images import StoredGrid, load_labels, load_statmap, make_grid, save_labels, save_map

# ---- to disk


def itk_place(path):
    image = SimpleITK.ReadImage(str(path))
    return image.GetOrigin(), image.GetSpacing(), image.GetDirection(), image.GetSize()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("forms", [(0, 0), (0, 1), (4, 0), (4, 1)])
@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_labels_lie_where_the_map_lies(tmp_path, version, order, forms, oblique, suffix):
    sform, qform = forms
    affine = rotation() if oblique else AFFINE  # ITK takes no sheared sform
    source = put(
        tmp_path / f"map{suffix}",
        nifti(affine=affine, version=version, order=order, sform=sform, qform=qform, xyzt_units=10),
    )
    grid = load_statmap(source).grid
    labels = np.arange(60).reshape(grid.shape)
    save_labels(tmp_path / f"x{suffix}", labels, grid)
    asked, found = nib.load(source), nib.load(tmp_path / f"x{suffix}")
    assert np.array_equal(np.asanyarray(found.dataobj), labels)
    assert np.array_equal(found.affine, asked.affine)
    assert type(found) is type(asked)
    for name in ("sform_code", "qform_code", "xyzt_units", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_z"):
        assert np.array_equal(found.header[name], asked.header[name]), name
    assert np.array_equal(found.header["pixdim"][:4], asked.header["pixdim"][:4])
    assert int(found.header["intent_code"]) == 1002
    assert found.header["cal_max"] == found.header["cal_min"] == 0
    if version == 1:  # ITK reads no NIfTI-2
        assert np.allclose(np.hstack(itk_place(tmp_path / f"x{suffix}")), np.hstack(itk_place(source)), atol=1e-6)
        assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / f"x{suffix}")), labels.T)


def rotation():
    turn = np.array([[0.8, -0.6, 0, -10], [0.6, 0.8, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1.0]])
    return turn @ np.diag([2, 3, 4, 1.0])


@pytest.mark.parametrize(
    ("top", "dtype"), [(0, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "i4"), (2**31 - 1, "i4")]
)
@pytest.mark.parametrize("order", "CF")
def test_labels_take_the_smallest_type_that_fits(tmp_path, top, dtype, order):
    labels = np.zeros((4, 5, 3), dtype=np.int64, order=order)
    labels[1, 2, 0], labels[3, 4, 2] = top, top // 2
    save_labels(tmp_path / "x.nii.gz", labels, make_grid((4, 5, 3), AFFINE))
    found = nib.load(tmp_path / "x.nii.gz")
    assert found.get_data_dtype() == np.dtype(dtype)
    assert np.array_equal(np.asanyarray(found.dataobj), labels)
    assert np.array_equal(load_labels(tmp_path / "x.nii.gz")[0], labels)


@pytest.mark.parametrize("bad", [-1, 2**31])
def test_labels_that_no_type_holds(tmp_path, bad):
    with pytest.raises(ValueError, match="between 0 and int32's end"):
        save_labels(tmp_path / "x.nii.gz", np.full((4, 5, 3), bad), make_grid((4, 5, 3), AFFINE))


def test_data_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"data of shape \(5, 4, 3\) cannot lie on a grid of shape \(4, 5, 3\)"):
        save_map(tmp_path / "x.nii.gz", ramp((5, 4, 3)), make_grid((4, 5, 3), AFFINE))


def test_equal_labels_are_equal_bytes(tmp_path):
    grid = make_grid((4, 5, 3), AFFINE)
    save_labels(tmp_path / "a.nii.gz", np.arange(60).reshape(4, 5, 3), grid)
    save_labels(tmp_path / "b.nii.gz", np.asfortranarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)), grid)
    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[4:8] == bytes(4)  # no time
    assert zlib.decompress(content, 31)[352:] == np.arange(60).reshape(4, 5, 3).astype("u1").tobytes(order="F")


@pytest.mark.parametrize("intent", [0, 5, 3, 4])
@pytest.mark.parametrize("volumes", [(), (3,)])
def test_maps_are_float32(tmp_path, intent, volumes):
    data = ramp((4, 5, 3, *volumes), np.float64) / 3
    source = load_statmap(put(tmp_path / "map.nii.gz", nifti(affine=OBLIQUE, sform=4, qform=4)))
    save_map(tmp_path / "x.nii.gz", data, source.grid, intent=intent)
    found = nib.load(tmp_path / "x.nii.gz")
    assert found.get_data_dtype() == np.float32
    assert np.array_equal(np.asanyarray(found.dataobj), data.astype(np.float32))
    assert int(found.header["intent_code"]) == intent
    assert np.array_equal(found.affine, source.affine)
    if not volumes:
        again = load_statmap(tmp_path / "x.nii.gz")
        assert again.intent == intent
        assert again.grid.same_as(source.grid)
        assert np.array_equal(again.data, data.astype(np.float32))


def test_a_made_grid_is_what_nibabel_reads_back(tmp_path):
    grid = make_grid((4, 5, 3), rotation())
    save_map(tmp_path / "x.nii", ramp(), grid)
    found = nib.load(tmp_path / "x.nii")
    assert np.array_equal(found.affine, grid.affine)
    assert np.allclose(found.affine, rotation(), atol=1e-5)
    assert np.allclose(found.get_qform(), rotation(), atol=1e-4)
    assert grid.zooms == pytest.approx((2, 3, 4))


def test_grids_travel_between_processes_and_cannot_be_changed():
    grid = make_grid((4, 5, 3), AFFINE)
    again: StoredGrid = pickle.loads(pickle.dumps(grid))  # noqa: S301 -- our own bytes
    assert grid.same_as(again)
    assert again.header == grid.header
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 1
