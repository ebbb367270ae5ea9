"""A map that is loaded a second time: its numbers are looked at again only where the file may be another by now."""

import os

import nibabel as nib
import numpy as np
import pytest

from bids_regions.images import load_again, load_statmap

DATA = np.random.default_rng(5).normal(size=(9, 8, 7)).astype(np.float32)


def save(path, data=DATA):
    nib.save(nib.Nifti1Image(data, np.diag([2.0, 2, 2, 1])), path)
    return path


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "x_statmap.nii.gz")


def test_an_unchanged_map_is_the_same_map(path):
    first = load_statmap(path)
    again = load_again(path, first.seen)
    np.testing.assert_array_equal(again.data, first.data)
    assert (again.grid.header, again.content_hash, again.n_nan) == (first.grid.header, first.content_hash, 0)


def test_the_hash_of_an_unchanged_map_is_not_worked_out_again(path):
    seen = load_statmap(path).seen._replace(digest="as told")
    assert load_again(path, seen).content_hash == "as told"


def test_a_map_that_was_written_again_is_not_taken_for_the_first(path):
    first = load_statmap(path)
    later = path.stat().st_mtime_ns + 1_000_000_000  # sizes may be equal, and both lie within one tick of a clock
    os.utime(save(path, DATA[::-1]), ns=(later, later))
    assert load_again(path, first.seen) is None
    assert load_statmap(path).content_hash != first.content_hash


def test_a_map_that_another_took_the_place_of_is_not_taken_for_the_first(path, tmp_path):
    first = load_statmap(path)
    other = save(tmp_path / "y_statmap.nii.gz", DATA + 1)
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert load_again(path, first.seen) is None


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_map_with_numbers_to_be_mended_is_looked_at_each_time(tmp_path, odd):
    data = DATA.copy()
    data[1, 2, 3] = odd
    path = save(tmp_path / "x_statmap.nii.gz", data)
    assert load_again(path, load_statmap(path).seen) is None


def test_a_file_that_is_not_inflated_at_once_is_looked_at_each_time(tmp_path, path):
    plain = save(tmp_path / "x_statmap.nii")
    assert load_again(plain, load_statmap(plain).seen) is None
    path.write_bytes(path.read_bytes() + path.read_bytes())  # two members of gzip
    assert load_again(path, load_statmap(path).seen) is None
