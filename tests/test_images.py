"""Images that are as they should be: every kind NIfTI allows comes out with the values and the place nibabel gives."""

import gzip
import hashlib
import math
import pickle
import tracemalloc
import zlib
from itertools import pairwise, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from nifti_bytes import AFFINE, OBLIQUE, nifti, put, ramp
from scipy import ndimage

from bids_regions.errors import BadMap
from bids_regions.images import (
    Grid,
    count_volumes,
    load_grid,
    load_labels,
    load_mask,
    load_sparse,
    load_statmap,
    load_volumes,
    make_grid,
    resample_linear,
    resample_nearest,
    same_grid,
    save_labels,
    save_map,
)

NUMBERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_number_type_comes_out_as_nibabel_reads_it(tmp_path, dtype, order, version, suffix):
    path = put(tmp_path / f"x{suffix}", nifti(ramp(dtype=dtype), version=version, order=order))
    found, asked = load_statmap(path), nib.load(path)
    assert found.data.dtype == (np.float32 if dtype == "f4" else np.float64)
    assert np.array_equal(found.data, asked.get_fdata())
    assert np.array_equal(found.affine, asked.affine)
    assert found.grid.shape == asked.shape
    assert found.data.flags.f_contiguous
    assert found.data.dtype.isnative
    assert not found.data.flags.writeable
    assert found.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.notes == ()


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize(("slope", "inter"), [(0.5, 3), (-2, 0), (1, -4), (1e-3, 1e3), (0, 7), (math.nan, 1)])
def test_scaling_is_done_in_float64_and_a_slope_of_zero_or_nan_is_none(tmp_path, dtype, slope, inter):
    path = put(tmp_path / "x.nii.gz", nifti(ramp(dtype=dtype), scl_slope=slope, scl_inter=inter))
    found = load_statmap(path).data
    assert np.array_equal(found, nib.load(path).get_fdata())
    scaled = not math.isnan(slope) and slope != 0
    assert found.dtype == (np.float32 if dtype == "f4" and not scaled else np.float64)


def test_a_slope_of_one_is_no_scaling(tmp_path):
    assert load_statmap(put(tmp_path / "x.nii", nifti(scl_slope=1))).data.dtype == np.float32


def test_plain_float32_is_not_copied_after_inflating(tmp_path):
    data = np.random.default_rng(0).standard_normal((64, 64, 64)).astype(np.float32)
    path = put(tmp_path / "x.nii.gz", nifti(data))
    load_statmap(path)
    tracemalloc.start()
    try:
        load_statmap(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < data.nbytes + (3 << 18) + (1 << 16)  # and a few blocks on the way


def test_what_is_not_finite_becomes_zero_and_is_counted(tmp_path):
    data = ramp()
    data[0, 0, 0], data[1, 2, 1], data[3, 4, 2] = math.nan, math.inf, -math.inf
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(data)))
    assert found.n_nonfinite == 3
    assert found.data[0, 0, 0] == found.data[1, 2, 1] == found.data[3, 4, 2] == 0
    kept = np.isfinite(data)
    assert np.array_equal(found.data[kept], data[kept])


def test_numbers_that_scaling_carries_beyond_float64_are_not_finite(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(np.full((2, 1, 1), 1e300), scl_slope=1e30)))
    assert found.n_nonfinite == 2
    assert not found.data.any()


@pytest.mark.parametrize("fill", [math.nan, 0.0, 4.25])
def test_maps_of_one_value(tmp_path, fill):
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(np.full((3, 4, 5), fill, np.float32))))
    assert found.n_nonfinite == (60 if math.isnan(fill) else 0)
    assert (found.data == (0 if math.isnan(fill) else fill)).all()
    assert bool(found.notes) == (fill == 4.25)


def test_one_voxel(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(np.full((1, 1, 1), 5, np.uint8))))
    assert found.data.tolist() == [[[5.0]]]


@pytest.mark.parametrize("shape", [(4, 5, 3, 1), (4, 5, 3, 1, 1), (4, 5, 1), (4, 5, 3, 1, 1, 1, 1)])
def test_one_volume_counts_as_3d(tmp_path, shape):
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(ramp(shape))))
    assert np.array_equal(found.data, ramp(shape).reshape(shape[:3]))
    assert found.grid.shape == shape[:3]


def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path):
    content = nifti()
    plain = load_statmap(put(tmp_path / "a.nii.gz", content, compress=False))
    packed = load_statmap(put(tmp_path / "b.nii", content, compress=True))
    assert np.array_equal(plain.data, packed.data)


def test_gzip_of_many_members_and_padding(tmp_path):
    content = nifti(ramp((20, 20, 20)))
    cuts = [0, 1, 1, 352, 400, 20000, len(content)]
    members = [gzip.compress(content[a:b]) for a, b in pairwise(cuts)]
    (tmp_path / "x.nii.gz").write_bytes(b"".join(members) + bytes(1000))
    assert np.array_equal(load_statmap(tmp_path / "x.nii.gz").data, ramp((20, 20, 20)))
    (tmp_path / "y.nii.gz").write_bytes((b"\0" * 65535).join(members))
    assert np.array_equal(load_statmap(tmp_path / "y.nii.gz").data, ramp((20, 20, 20)))


@given(cuts=st.lists(st.integers(0, 65540), max_size=6), seed=st.integers(0, 99))
def test_gzip_members_may_end_anywhere(tmp_path_factory, cuts, seed):
    content = nifti(np.random.default_rng(seed).standard_normal((26, 26, 25)).astype(np.float32))
    edges = [0, *sorted(cuts), len(content)]
    path = tmp_path_factory.mktemp("members") / "x.nii.gz"
    path.write_bytes(b"".join(gzip.compress(content[a:b], 1) for a, b in pairwise(edges)))
    assert load_statmap(path).data.tobytes(order="F") == content[352:]


def test_extensions_and_an_unsaid_offset(tmp_path):
    comment = (32).to_bytes(4, "little") + (6).to_bytes(4, "little") + b"made by hand".ljust(24, b"\0")
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(extensions=comment * 3)))
    assert np.array_equal(found.data, ramp())
    assert np.array_equal(load_statmap(put(tmp_path / "y.nii.gz", nifti(vox_offset=0))).data, ramp())


@pytest.mark.parametrize("name", ["sub-é_statmap.nii.gz", "脳.nii.gz", "a b\tc\n.nii.gz", "x" * 240 + ".nii.gz"])
def test_names_of_any_kind(tmp_path, name):
    assert np.array_equal(load_statmap(put(tmp_path / name, nifti())).data, ramp())


def test_a_name_that_is_not_unicode(tmp_path):
    path = Path(str(tmp_path) + "/sub-\udcff.nii.gz")
    assert np.array_equal(load_statmap(put(path, nifti())).data, ramp())


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link.nii.gz").symlink_to(put(tmp_path / "x.nii.gz", nifti()))
    assert np.array_equal(load_statmap(tmp_path / "link.nii.gz").data, ramp())


@pytest.mark.parametrize(("code", "name"), [(3, "t"), (4, "F"), (5, "z"), (0, ""), (2, ""), (1001, "")])
def test_the_statistic_the_header_names(tmp_path, code, name):
    found = load_statmap(put(tmp_path / "x.nii", nifti(intent_code=code, intent_p1=17)))
    assert found.intent_name == name
    assert found.intent_dof == (17 if name in ("t", "F") else None)


@pytest.mark.parametrize("dof", [0, -3, math.nan, math.inf])
def test_degrees_of_freedom_that_are_none(tmp_path, dof):
    assert load_statmap(put(tmp_path / "x.nii", nifti(intent_code=3, intent_p1=dof))).intent_dof is None


# ---- only some voxels


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("slope", [0, 0.25])
@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 41, 42), (64, 32, 32)])
def test_a_sparse_map_is_the_dense_one_where_voxels_pass(tmp_path, dtype, order, slope, shape):
    data = np.random.default_rng(3).normal(0, 40, shape).clip(-120, 120).astype("i1").astype(dtype)
    if data.dtype.kind == "f" and data.size > 1:
        data[0, 0, 0], data[5, 6, 7], data[-1, -1, -1] = math.nan, math.inf, -math.inf
    path = put(tmp_path / "x.nii.gz", nifti(data, order=order, scl_slope=slope, intent_code=3, intent_p1=8))
    seen = []

    def passes(values):
        seen.append(values.copy())
        return np.abs(values) >= 10

    dense, sparse = load_statmap(path), load_sparse(path, passes)
    flat = dense.data.ravel(order="F")
    assert np.array_equal(np.concatenate(seen), flat)
    assert sparse.memory.dtype == np.int32
    assert np.array_equal(sparse.memory, np.flatnonzero(np.abs(flat) >= 10))
    assert sparse.values.dtype == dense.data.dtype
    assert np.array_equal(sparse.values, flat[sparse.memory])
    for name in ("n_nonfinite", "intent_name", "intent_dof", "content_hash", "notes"):
        assert getattr(sparse, name) == getattr(dense, name)
    assert same_grid(sparse.grid, dense.grid)


def test_a_sparse_map_takes_little_memory(tmp_path):
    path = put(tmp_path / "x.nii.gz", nifti(ramp((128, 128, 64))))
    load_sparse(path, lambda values: values > 520_000)
    tracemalloc.start()
    try:
        assert len(load_sparse(path, lambda values: values > 520_000).values) == 4287
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 128 * 128 * 64 * 4 / 2


# ---- many volumes


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
@pytest.mark.parametrize("slope", [0, 2])
@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 3, 1), (4, 5, 3, 7)])
def test_volumes_come_one_at_a_time(tmp_path, dtype, slope, shape):
    data = ramp(shape, dtype)
    if dtype == "f4":
        data[0, 0, 0] = math.nan
    path = put(tmp_path / "x.nii.gz", nifti(data, order=">", scl_slope=slope))
    asked = np.nan_to_num(nib.load(path).get_fdata()).reshape(4, 5, 3, -1)
    found = list(load_volumes(path))
    assert count_volumes(path) == len(found) == asked.shape[3]
    assert np.array_equal(np.stack([volume for volume, _ in found], axis=3), asked)
    assert all(np.array_equal(grid.affine, AFFINE) and grid.shape == (4, 5, 3) for _, grid in found)


def test_a_grid_alone_is_read_from_the_header(tmp_path):
    path = put(tmp_path / "x.nii.gz", nifti(affine=OBLIQUE))
    grid = load_grid(path)
    assert same_grid(grid, load_statmap(path).grid)
    path.write_bytes(path.read_bytes()[:-4])  # what comes after the header is not looked at
    assert same_grid(load_grid(path), grid)


# ---- where voxels lie


@pytest.mark.parametrize(("sform", "qform"), [(0, 0), (0, 1), (1, 0), (4, 1), (7, 1), (-1, 0)])
@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE])
@pytest.mark.parametrize("order", "<>")
def test_the_affine_is_nibabels(tmp_path, sform, qform, affine, order):
    path = put(
        tmp_path / "x.nii", nifti(affine=affine, order=order, qform=1, sform=1, sform_code=sform, qform_code=qform)
    )
    assert np.array_equal(load_statmap(path).affine, nib.load(path).affine)


def test_no_form_at_all_is_said(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(sform=0, qform=0)))
    assert found.notes == (
        "The header has neither sform nor qform: coordinates in mm are guessed from the voxel sizes",
    )


def test_forms_that_disagree_are_said(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(sform=1, qform=1, qoffset_x=60)))
    assert found.notes == ("The header's sform and qform place the image up to 30 mm apart; the sform is taken",)
    assert found.affine[0, 3] == 90
    close = load_statmap(put(tmp_path / "y.nii", nifti(sform=1, qform=1, qoffset_x=89)))
    assert close.notes == ()


def test_a_broken_qform_beside_a_good_sform_is_said(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(sform=1, qform=1, quatern_b=3)))
    assert found.notes == ("The header's sform and qform place the image differently; the sform is taken",)


@pytest.mark.parametrize(("unit", "words"), [(1, "metres"), (3, "micrometres")])
def test_units_other_than_mm_are_said(tmp_path, unit, words):
    (note,) = load_statmap(put(tmp_path / "x.nii", nifti(xyzt_units=unit | 8))).notes
    assert note == f"The header gives coordinates in {words}; they are taken as mm, as other tools do"


def test_zero_zooms_beside_a_good_sform_do_no_harm(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(pixdim={1: 0, 2: math.nan, 3: -4})))
    assert np.array_equal(found.affine, AFFINE)
    assert found.grid.zooms == (3, 3, 4)
    save_labels(tmp_path / "y.nii", np.zeros((4, 5, 3), int), found.grid)
    assert nib.load(tmp_path / "y.nii").header.get_zooms() == (3, 3, 4)


def test_a_clipped_map_is_said(tmp_path):
    data = ramp((9, 9, 9))
    data[data < -340] = -365
    found = load_statmap(put(tmp_path / "x.nii", nifti(data)))
    assert found.notes == (
        "25 voxels share the largest magnitude, 365: the map looks clipped, so that a peak among them is one of many",
    )
    large = np.zeros((41, 40, 50), np.float32)
    large[:30, 0, 0], large[:25, 39, 49] = 5, 9
    (note,) = load_statmap(put(tmp_path / "x.nii", nifti(large))).notes
    assert note.startswith("25 voxels share the largest magnitude, 9:")
    data[data > 340] = 365
    (note,) = load_statmap(put(tmp_path / "x.nii", nifti(data))).notes
    assert note.startswith("48 voxels")


# ---- labels and masks


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_labels_of_any_type_are_integers(tmp_path, dtype):
    labels = np.arange(60).reshape(4, 5, 3).astype(dtype)
    found, grid = load_labels(put(tmp_path / "x.nii.gz", nifti(labels)))
    assert found.dtype.kind in "iu"
    assert found.dtype.itemsize <= 4
    assert np.array_equal(found, labels)
    assert np.array_equal(grid.affine, AFFINE)


def test_scaled_labels_and_nan(tmp_path):
    found, _ = load_labels(put(tmp_path / "x.nii", nifti(ramp(dtype="i2"), scl_slope=2)))
    assert np.array_equal(found, 2 * ramp(dtype=int))
    data = ramp()
    data[0] = math.nan
    assert not load_labels(put(tmp_path / "y.nii", nifti(data)))[0][0].any()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (np.full((2, 2, 2), 1.5, np.float32), "x.nii holds fractions and no labels"),
        (np.full((2, 2, 2), 1 << 31, np.int64), "x.nii holds labels beyond 2147483647"),
        (np.full((2, 2, 2), -(1 << 40), np.int64), "x.nii holds labels beyond 2147483647"),
        (np.full((2, 2, 2), 3e9), "x.nii holds labels beyond 2147483647"),
        (np.ones((2, 2, 2, 5), np.uint8), r"x.nii is 4-D \(2 x 2 x 2 x 5\) and no 3-D map. Give a 3-D image"),
    ],
)
def test_what_is_no_label_image(tmp_path, data, sentence):
    path = put(tmp_path / "x.nii", nifti(data))
    with pytest.raises(BadMap, match=sentence):
        load_labels(path)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_a_mask_is_what_is_above_zero(tmp_path, dtype):
    grid = load_statmap(put(tmp_path / "map.nii", nifti())).grid
    data = ramp(dtype=dtype)
    if data.dtype.kind == "f":
        data[0, 0, 0], data[1, 1, 1] = math.nan, 0.01
    mask, note = load_mask(put(tmp_path / "mask.nii", nifti(data)), grid)
    assert note == ""
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, np.nan_to_num(data) > 0)


def test_a_scaled_mask(tmp_path):
    grid = load_statmap(put(tmp_path / "map.nii", nifti())).grid
    mask, _ = load_mask(put(tmp_path / "mask.nii", nifti(ramp(dtype="i2"), scl_slope=-1, scl_inter=0)), grid)
    assert np.array_equal(mask, ramp() < 0)


def test_a_mask_on_another_grid_is_resampled_and_said(tmp_path):
    coarse = np.zeros((4, 4, 4), np.uint8)
    coarse[1:3, 1:3, 1:3] = 1
    path = put(tmp_path / "mask.nii", nifti(coarse, np.diag([4.0, 4, 4, 1])))
    shifted = np.diag([2.0, 2, 2, 1])
    shifted[:3, 3] = -1  # two fine voxels to a coarse one
    mask, note = load_mask(path, make_grid((8, 8, 8), shifted))
    assert np.array_equal(mask, coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(bool))
    assert note == (
        "The mask mask.nii lies on another grid (4 x 4 x 4 voxels of 4 x 4 x 4 mm) and was resampled (nearest)"
    )


@pytest.mark.parametrize(
    ("data", "affine", "sentence"),
    [
        (np.zeros((4, 5, 3)), AFFINE, "The mask m.nii is empty: no voxel is above 0. Give another mask, or none."),
        (np.full((4, 5, 3), math.nan), AFFINE, "The mask m.nii is empty: no voxel is above 0"),
        (np.ones((4, 5, 3)), AFFINE + np.diag([0, 0, 0, 0.0]) + np.eye(4)[:, :1] @ [[0, 0, 0, 500.0]], "not overlap"),
        (np.ones((4, 5, 3, 2)), AFFINE, "m.nii is 4-D"),
    ],
)
def test_masks_that_cannot_be_used(tmp_path, data, affine, sentence):
    path = put(tmp_path / "m.nii", nifti(data, affine))
    with pytest.raises(BadMap, match=sentence):
        load_mask(path, make_grid((4, 5, 3), AFFINE))


# ---- from grid to grid


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
