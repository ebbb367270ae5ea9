"""From grid to grid and to disk: resampling as done by hand and by scipy, labels where their map lies."""

import pickle
import zlib
from itertools import product

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from nifti_bytes import AFFINE, OBLIQUE, nifti, put, ramp
from scipy import ndimage

from bids_regions.images import (
    Grid,
    load_labels,
    load_statmap,
    make_grid,
    resample_linear,
    resample_nearest,
    same_grid,
    save_labels,
    save_map,
)


def nearest_by_hand(data, grid_from, grid_to):
    """The nearest voxel, one at a time; a tie goes to the lower index."""
    found = np.zeros(grid_to.shape, data.dtype)
    back = np.linalg.inv(grid_from.affine)
    for ijk in np.ndindex(*grid_to.shape):
        place = (back @ grid_to.affine @ [*ijk, 1])[:3]
        at = np.ceil(np.round(place - 0.5, 4)).astype(int)
        if (at >= 0).all() and (at < grid_from.shape).all():
            found[ijk] = data[tuple(at)]
    return found


def permuted(affine, order, flips, shape):
    """The affine of an image stored with other axes and directions, and how to store it so."""
    affine = affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:, 3] += affine[:, axis] * (shape[order[axis]] - 1)
            affine[:, axis] *= -1
    return affine


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", list(product([0, 1], repeat=3))[::3])
@pytest.mark.parametrize("step", [1, 2, 0.7])
def test_nearest_resampling_is_the_one_done_by_hand(order, flips, step):
    data = np.random.default_rng(1).integers(0, 1 << 30, (6, 5, 4))
    source = make_grid((6, 5, 4), AFFINE)
    target = permuted(AFFINE, order, flips, (6, 5, 4))
    target[:3, :3] *= step
    target[:3, 3] += 1.3
    asked = make_grid((7, 6, 8), target)
    found = resample_nearest(data, source, asked)
    assert found.dtype == data.dtype
    assert found.flags.f_contiguous
    assert np.array_equal(found, nearest_by_hand(data, source, asked))
    assert found.any()


def test_nearest_resampling_of_oblique_grids():
    data = np.random.default_rng(1).integers(0, 1 << 30, (6, 5, 4))
    source, asked = make_grid((6, 5, 4), OBLIQUE), make_grid((7, 6, 5), OBLIQUE @ np.diag([0.9, 1.1, 1, 1]) + 0.05)
    turned = make_grid(
        (9, 9, 9), np.array([[1.4, 0.6, 0, -82], [-0.6, 1.4, 0.2, -96], [0, -0.2, 1.5, -61], [0, 0, 0, 1]])
    )
    for grid in (asked, turned):
        found = resample_nearest(data, source, grid)
        assert np.array_equal(found, nearest_by_hand(data, source, grid))
        assert (found > 0).sum() > 40
        mask = resample_nearest(data > (1 << 29), source, grid)
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, found > (1 << 29))


def test_midway_goes_to_the_lower_voxel_also_where_grids_are_oblique():
    data = np.arange(1, 9).reshape(8, 1, 1)
    turn = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    fine = np.diag([0.5, 1, 1, 1.0])
    for rotation in (np.eye(4), turn):
        found = resample_nearest(data, make_grid((8, 1, 1), rotation), make_grid((16, 1, 1), rotation @ fine))
        assert found.ravel().tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]


@pytest.mark.parametrize("start", [-90.3, -90, 0.1, 0])
@pytest.mark.parametrize("zoom", [2.3, 3.3, 2])
def test_midway_goes_to_the_lower_voxel_whatever_headers_round(start, zoom):
    affine = np.diag([zoom, zoom, zoom, 1])
    affine[:3, 3] = start
    shifted = affine + np.outer([1, 0, 0, 0], [0, 0, 0, zoom / 2])
    data = np.arange(1, 41).reshape(40, 1, 1)
    found = resample_nearest(data, make_grid((40, 1, 1), affine), make_grid((40, 1, 1), shifted))
    assert np.array_equal(found, data)


def test_the_same_grid_is_handed_through():
    data, grid = ramp(), make_grid((4, 5, 3), AFFINE)
    assert resample_nearest(data, grid, make_grid((4, 5, 3), AFFINE + 1e-5)) is data
    assert resample_linear(data, grid, grid) is data
    assert not same_grid(grid, make_grid((4, 5, 3), AFFINE + np.eye(4)[:, :1] @ [[0, 0, 0, 0.1]]))
    assert not same_grid(grid, make_grid((4, 5, 2), AFFINE))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_linear_resampling_keeps_a_linear_field(dtype):
    source = make_grid((20, 20, 20), np.diag([2.0, 2, 2, 1]))
    i, j, k = np.mgrid[:20, :20, :20]
    data = (3 * i - 2 * j + k).astype(dtype)
    turn = np.array([[1.2, 0.5, 0, 8], [-0.5, 1.2, 0.3, 12], [0, -0.3, 1.3, 10], [0, 0, 0, 1]])
    asked = make_grid((10, 10, 10), turn)
    x, y, z = np.tensordot(turn[:3, :3], np.mgrid[:10, :10, :10], 1) + turn[:3, 3].reshape(3, 1, 1, 1)
    found = resample_linear(data, source, asked)
    assert found.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert np.allclose(found, 3 * x / 2 - y + z / 2, atol=1e-4)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 0, 1)])
@pytest.mark.parametrize(("step", "shift"), [(0.5, 0.3), (1.7, -4.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_resampling_of_aligned_grids_is_scipys(order, flips, step, shift, dtype):
    """Also at the border, where a map fades to 0."""
    data = np.random.default_rng(2).standard_normal((9, 8, 7)).astype(dtype)
    target = permuted(AFFINE, order, flips, (9, 8, 7))
    target[:3, :3] *= step
    target[:3, 3] += shift
    source, asked = make_grid((9, 8, 7), AFFINE), make_grid((7, 9, 11), target)
    matrix = np.linalg.solve(source.affine, asked.affine)
    expected = ndimage.affine_transform(
        data.astype(float), matrix, output_shape=asked.shape, order=1, mode="grid-constant"
    )
    found = resample_linear(data, source, asked)
    assert found.dtype == dtype
    assert found.flags.f_contiguous
    assert np.allclose(found, expected, atol=1e-5 if dtype == np.float32 else 1e-12)
    assert (found == 0).any() == (expected == 0).any()


def test_far_away_is_zero():
    far = make_grid((3, 3, 3), AFFINE + np.eye(4)[:, :1] @ [[0, 0, 0, 1e4]])
    assert not resample_linear(ramp(), make_grid((4, 5, 3), AFFINE), far).any()
    assert not resample_nearest(ramp(), make_grid((4, 5, 3), AFFINE), far).any()


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


@pytest.mark.parametrize(("intent", "code"), [("none", 0), ("z", 5), ("t", 3), ("F", 4)])
@pytest.mark.parametrize("volumes", [(), (3,)])
def test_maps_are_float32(tmp_path, intent, code, volumes):
    data = ramp((4, 5, 3, *volumes), np.float64) / 3
    source = load_statmap(put(tmp_path / "map.nii.gz", nifti(affine=OBLIQUE, sform=4, qform=4)))
    save_map(tmp_path / "x.nii.gz", data, source.grid, intent=intent)
    found = nib.load(tmp_path / "x.nii.gz")
    assert found.get_data_dtype() == np.float32
    assert np.array_equal(np.asanyarray(found.dataobj), data.astype(np.float32))
    assert int(found.header["intent_code"]) == code
    assert np.array_equal(found.affine, source.affine)
    if not volumes:
        again = load_statmap(tmp_path / "x.nii.gz")
        assert again.intent_name == intent.replace("none", "")
        assert same_grid(again.grid, source.grid)
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
    again: Grid = pickle.loads(pickle.dumps(grid))  # noqa: S301 -- our own bytes
    assert same_grid(grid, again)
    assert again.header == grid.header
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 1
