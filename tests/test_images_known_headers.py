"""A header that was met before is not parsed again; what the file behind it holds is checked all the same."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nifti_bytes import nifti, put, ramp

from bids_regions.errors import BadMap
from bids_regions.images import expect_many, headers, load_grid, load_statmap


def write(path: Path, seed: int, shape: tuple[int, int, int] = (5, 6, 7)) -> np.ndarray:
    """A map of noise, always with one header."""
    data = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    nib.Nifti1Image(data, np.diag([2.0, 2, 2, 1])).to_filename(path)
    return data


def test_maps_of_one_header_share_their_grid_and_keep_their_own_values(tmp_path: Path) -> None:
    written = [write(tmp_path / f"{n}.nii.gz", n) for n in range(3)]
    expect_many()  # changes what memory is kept, and nothing else
    loaded = [load_statmap(tmp_path / f"{n}.nii.gz") for n in range(3)]
    assert loaded[0].grid is loaded[1].grid is loaded[2].grid
    assert all(np.array_equal(one.data, own) for one, own in zip(loaded, written, strict=True))
    assert len({one.content_hash for one in loaded}) == 3


def test_a_known_header_does_not_excuse_a_file_that_holds_less(tmp_path: Path) -> None:
    path = tmp_path / "map.nii"
    write(path, 0)
    load_statmap(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BadMap, match="truncated"):
        load_statmap(path)
    with pytest.raises(BadMap, match="truncated"):
        load_grid(path)


def test_headers_with_extensions_are_parsed_each_time(tmp_path: Path) -> None:
    path = tmp_path / "map.nii"
    image = nib.Nifti1Image(np.ones((5, 6, 7), np.float32), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"16 bytes of text"))
    image.to_filename(path)
    load_statmap(path)
    block = bytearray(path.read_bytes())
    block[352:356] = (1 << 20).to_bytes(4, "little")  # the extension's size, which its header does not tell
    path.write_bytes(block)
    with pytest.raises(BadMap, match="broken header extension"):
        load_statmap(path)


def test_a_header_that_says_no_offset_is_looked_behind_each_time(tmp_path: Path) -> None:
    """The flag of extensions stands after it: where they follow, nobody can tell where the voxels begin."""
    extension = (16).to_bytes(4, "little") + (6).to_bytes(4, "little") + bytes(8)
    assert np.array_equal(load_statmap(put(tmp_path / "a.nii", nifti(vox_offset=0))).data, ramp())
    with pytest.raises(BadMap, match="header with extensions, which does not say where its voxels begin"):
        load_statmap(put(tmp_path / "b.nii", nifti(extensions=extension, vox_offset=0)))


def test_only_some_headers_are_kept(tmp_path: Path) -> None:
    for n in range(headers.KEPT + 5):
        write(tmp_path / "map.nii", 0, (5, 6, 7 + n))
        load_grid(tmp_path / "map.nii")
    assert len(headers._KNOWN) <= headers.KEPT
