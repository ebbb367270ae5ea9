"""Images that are as they should be: every kind NIfTI allows comes out with the values and the place nibabel gives."""

import gzip
import hashlib
import math
import tracemalloc
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nifti_bytes import AFFINE, OBLIQUE, nifti, put, ramp

from bids_regions.errors import BadMap
from bids_regions.images import (
    count_volumes,
    load_grid,
    load_labels,
    load_mask,
    load_statmap,
    load_volumes,
    make_grid,
    save_labels,
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
    assert peak < data.nbytes + path.stat().st_size + (1 << 18)


def test_what_is_not_finite_is_replaced_and_counted_apart(tmp_path):
    """NaN by 0, infinities by the largest finite magnitude with their sign; `stored` has the infinities."""
    data = ramp()
    data[0, 0, 0], data[1, 2, 1], data[3, 4, 2] = math.nan, math.inf, -math.inf
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(data)))
    assert (found.n_nan, found.infinite.size) == (1, 2)
    kept = np.isfinite(data)
    largest = np.abs(data[kept]).max()
    assert (found.data[0, 0, 0], found.data[1, 2, 1], found.data[3, 4, 2]) == (0, largest, -largest)
    assert np.array_equal(found.data[kept], data[kept])
    assert np.array_equal(found.stored, np.where(np.isnan(data), 0, data))
    assert np.array_equal(load_statmap(tmp_path / "x.nii.gz", nan=math.nan).stored, data, equal_nan=True)


def test_numbers_that_scaling_carries_beyond_float64_are_not_finite(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(np.full((2, 1, 1), 1e300), scl_slope=1e30)))
    assert found.infinite.tolist() == [0, 1]
    assert (found.data == 1).all()
    assert np.isposinf(found.stored).all()


@pytest.mark.parametrize("fill", [math.nan, 0.0, 4.25])
def test_maps_of_one_value(tmp_path, fill):
    found = load_statmap(put(tmp_path / "x.nii.gz", nifti(np.full((3, 4, 5), fill, np.float32))))
    assert found.n_nan == (60 if math.isnan(fill) else 0)
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


@pytest.mark.parametrize(
    ("code", "dof"), [(3, {3: (17,)}), (4, {4: (17, 98)}), (6, {6: (17,)}), (5, {}), (0, {}), (2, {}), (1001, {})]
)
def test_the_statistic_the_header_names(tmp_path, code, dof):
    found = load_statmap(put(tmp_path / "x.nii", nifti(intent_code=code, intent_p1=17, intent_p2=98)))
    assert (found.intent, found.dof) == (code, dof)


@pytest.mark.parametrize(
    ("words", "dof"),
    [
        (b"SPM{T_[98.0]} - contrast 1: a > b", {3: (98,)}),
        (b"SPM{F_[2.0,98.0]} - contrast 2: all", {4: (2, 98)}),
        (b"SPM{F_[98.0]}", {}),
        (b"SPM{F_[ 2.0 , 98.0 ]}", {4: (2, 98)}),
        (b"SPM{T_[0.0]}", {}),
        (b"SPM{T_[9.8.0]}", {}),
        (b"T map", {}),
    ],
)
def test_degrees_of_freedom_in_the_words_of_spm(tmp_path, words, dof):
    assert load_statmap(put(tmp_path / "x.nii", nifti(descrip=words))).dof == dof


def test_an_intent_speaks_before_the_words_of_spm(tmp_path):
    found = load_statmap(put(tmp_path / "x.nii", nifti(intent_code=3, intent_p1=17, descrip=b"SPM{T_[98.0]}")))
    assert found.dof == {3: (17,)}


@pytest.mark.parametrize("dof", [0, -3, math.nan, math.inf])
def test_degrees_of_freedom_that_are_none(tmp_path, dof):
    assert load_statmap(put(tmp_path / "x.nii", nifti(intent_code=3, intent_p1=dof))).dof == {}


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
    assert grid.same_as(load_statmap(path).grid)
    path.write_bytes(path.read_bytes()[:-4])  # what comes after the header is not looked at
    assert load_grid(path).same_as(grid)


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


@pytest.mark.parametrize(("apart", "said"), [(1.5, 0), (1.51, 1), (-1.5, 0), (-1.51, 1)])
def test_forms_agree_up_to_half_of_the_smallest_voxel(tmp_path, apart, said):
    """Of 3 x 3 x 4 mm."""
    found = load_statmap(put(tmp_path / "x.nii", nifti(sform=1, qform=1, qoffset_x=90 + apart)))
    assert len(found.notes) == said


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
