"""Large images are read in parts: the same numbers as at once, and no memory for what is zero."""

import gzip
import math
import mmap
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from nifti_bytes import AFFINE, nifti, put, ramp
from processes import HANG

from bids_regions.errors import BadMap
from bids_regions.images import load_labels, load_mask, load_statmap, load_volumes, make_grid, reading

SHAPE = (7, 6, 5)
IN_PARTS = {"LARGE": 0, "STEP": 50, "PAGE": 8}  # five parts, the last of ten numbers: a page and two


def half_empty(dtype="f4"):
    """A map with pages of zeros at both ends and in its middle, and numbers beside them."""
    data = ramp(SHAPE, dtype)
    flat = data.reshape(-1, order="F").copy()
    flat[:19] = flat[60:99] = flat[-3:] = 0
    return flat.reshape(SHAPE, order="F")


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("fields", [{}, {"scl_slope": 0.5}, {"scl_slope": -1, "scl_inter": 3}])
def test_a_map_in_parts_is_the_map_at_once(tmp_path, name, order, dtype, fields):
    path = put(tmp_path / name, nifti(half_empty(dtype), order=order, **fields))
    whole = load_statmap(path)
    with patch.multiple(reading, **IN_PARTS):
        parts = load_statmap(path)
    assert parts.data.dtype == whole.data.dtype
    assert np.array_equal(parts.data, whole.data)
    assert parts.data.strides == whole.data.strides
    assert not parts.data.flags.writeable
    assert (parts.content_hash, parts.notes) == (whole.content_hash, whole.notes)
    assert np.array_equal(parts.affine, whole.affine)


def test_what_is_not_finite_is_counted_over_all_parts(tmp_path):
    data = half_empty()
    data[0, 0, 0], data[3, 3, 2], data[6, 5, 4] = math.nan, math.inf, -math.inf
    path = put(tmp_path / "x.nii", nifti(data))
    with patch.multiple(reading, **IN_PARTS):
        found = load_statmap(path)
    assert (found.n_nan, found.infinite.size) == (1, 2)
    largest = np.abs(data[np.isfinite(data)]).max()
    assert np.array_equal(found.data, np.clip(np.nan_to_num(data, nan=0), -largest, largest))


def test_the_largest_magnitude_is_counted_over_all_parts(tmp_path):
    data = np.zeros(SHAPE, np.float32, order="F")
    data[:, 0, 1], data[:, 5, 2], data[:, 3, 4] = 4, -4, 4  # in three of the parts
    path = put(tmp_path / "x.nii", nifti(data))
    with patch.multiple(reading, **IN_PARTS):
        assert load_statmap(path).notes[0].startswith("21 voxels share the largest magnitude, 4:")


def test_masks_and_labels_in_parts(tmp_path):
    labels = put(tmp_path / "x.nii.gz", nifti(half_empty("u1")))
    mask = put(tmp_path / "y.nii.gz", nifti(half_empty("i2"), scl_slope=2))
    grid = make_grid(SHAPE, AFFINE)
    with patch.multiple(reading, **IN_PARTS):
        assert np.array_equal(load_labels(labels)[0], half_empty("u1"))
        assert load_labels(labels)[0].dtype == np.uint8
        assert np.array_equal(load_mask(mask, grid)[0], half_empty("i2") > 0)


def test_all_bytes_that_are_missing_are_counted(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(gzip.compress(nifti(half_empty(), dim={3: 9})))
    with patch.multiple(reading, **IN_PARTS), pytest.raises(BadMap) as in_parts:
        load_statmap(path)
    with pytest.raises(BadMap) as at_once:
        load_statmap(path)
    assert str(in_parts.value) == str(at_once.value)
    assert f"is truncated: {7 * 6 * 4 * 4} bytes of its voxels are missing" in str(in_parts.value)


def test_all_volumes_that_are_missing_are_counted(tmp_path):
    content = nifti(ramp((2, 2, 2, 4)))
    (tmp_path / "x.nii").write_bytes(gzip.compress(content[: -2 * 8 * 4 - 1]))  # 65 of the 128 bytes of all volumes
    with pytest.raises(BadMap, match="65 bytes of its voxels are missing"):
        list(load_volumes(tmp_path / "x.nii"))


def test_no_room_for_a_large_map_is_told(tmp_path, monkeypatch):
    path = put(tmp_path / "x.nii", nifti(half_empty()))

    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with (
        patch.multiple(reading, **IN_PARTS),
        pytest.raises(BadMap, match=r"x.nii does not fit into memory\. Give more"),
    ):
        load_statmap(path)


@pytest.mark.parametrize("kernel", ["with huge pages", "without", "that has no word for them"])
def test_pages_are_asked_to_be_small_where_that_can_be_asked(tmp_path, monkeypatch, kernel):
    path, asked = put(tmp_path / "x.nii", nifti(half_empty())), []

    class Kernel(mmap.mmap):
        def madvise(self, advice, *_):
            asked.append(advice)
            if kernel == "without":
                raise OSError(22, "Invalid argument")

    wanted = [] if kernel == "that has no word for them" else [mmap.MADV_NOHUGEPAGE]
    if not wanted:
        monkeypatch.delattr(mmap, "MADV_NOHUGEPAGE")
    monkeypatch.setattr(mmap, "mmap", Kernel)
    with patch.multiple(reading, **IN_PARTS):
        assert np.array_equal(load_statmap(path).data, half_empty())
    assert asked == wanted


@pytest.mark.parametrize(("dtype", "fields", "n"), [("f4", {}, 4), ("i2", {"scl_slope": 0.5}, 8), ("f8", {}, 8)])
def test_what_is_large_is_decided_by_the_bytes_that_are_held(tmp_path, monkeypatch, dtype, fields, n):
    path = put(tmp_path / "x.nii", nifti(half_empty(dtype), **fields))
    blanks = []
    blank = reading._blank
    monkeypatch.setattr(reading, "_blank", lambda *of: blanks.append(of) or blank(*of))
    monkeypatch.setattr(reading, "LARGE", 7 * 6 * 5 * n + 1)
    load_statmap(path)
    assert not blanks
    monkeypatch.setattr(reading, "LARGE", 7 * 6 * 5 * n)
    load_statmap(path)
    assert [size for size, _ in blanks] == [7 * 6 * 5]


GROWTH = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from bids_regions.images import load_statmap

    def resident(name):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

    load_statmap(Path(sys.argv[1]))  # what is loaded on the way
    before = resident("VmRSS:")
    Path("/proc/self/clear_refs").write_text("5")
    found = load_statmap(Path(sys.argv[2]))
    assert (found.data != 0).sum() == int(sys.argv[3])  # read once, for which nothing more is held
    print(resident("VmHWM:") - before)
    """
)


def test_zeros_of_a_large_map_take_no_memory(tmp_path):
    """A tenth of the planes of a 1 mm map is filled; the test for zeros takes a byte a voxel, a quarter of the map."""
    data = np.zeros((182, 218, 182), np.float32)
    data[:, :, 80:98] = np.random.default_rng(0).standard_normal((182, 218, 18)) + 9
    small, large = put(tmp_path / "small.nii.gz", nifti()), put(tmp_path / "large.nii.gz", nifti(data))
    command = [sys.executable, "-c", GROWTH, str(small), str(large), str(182 * 218 * 18)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True, env=environment)
    assert int(done.stdout) < 0.45 * data.nbytes
