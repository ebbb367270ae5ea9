"""Hostile and broken images: each case with its sentence, and nothing allocated that the file cannot hold."""

import gzip
import math
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
from nifti_bytes import AFFINE, nifti, put, ramp
from processes import HANG

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.images import (
    count_volumes,
    headers,
    load_labels,
    load_mask,
    load_statmap,
    load_volumes,
    make_grid,
)

AGAIN = r" Fetch or compute this file again\."
HEADER = r" Compute this map again, or fix its header\."
TEN = np.zeros((10, 10, 10), np.float32)


def negative_extension(size, room=32):
    return size.to_bytes(4, "little", signed=True) + (6).to_bytes(4, "little") + bytes(room - 8)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        # the file
        (b"", r"x.nii is empty \(0 bytes\)\." + AGAIN),
        (b"x", r"x.nii is too short for a NIfTI header \(1 bytes\)\." + AGAIN),
        (nifti()[:347], r"x.nii is too short for a NIfTI header \(347 bytes\)"),
        (nifti(version=2)[:500], r"x.nii is no NIfTI file: it does not begin with a NIfTI header\." + AGAIN),
        (b"<html>" * 100, "x.nii is no NIfTI file: it does not begin with a NIfTI header"),
        (bytes(1000), "x.nii is no NIfTI file: it does not begin with a NIfTI header"),
        (
            b"/annex/objects/MD5E-s1--d41d8.nii.gz\n",
            r"x.nii is a git-annex pointer without its content\. Get its conte",
        ),
        (b"../.git/annex/objects/MD5E-s1--d41d8.nii\n", "x.nii is a git-annex pointer without its content"),
        (b"version https://git-lfs.github.com/spec/v1\n", "x.nii is a Git LFS pointer without its content"),
        (nifti(magic=b"ni1"), r"x.nii is the header of an .hdr and .img pair; only single NIfTI files are read"),
        (nifti(version=2, magic=b"ni2"), "x.nii is the header of an .hdr and .img pair"),
        (nifti(magic=b""), r"x.nii is no NIfTI file: its magic is b''\." + HEADER),
        (nifti(magic=b"n+7"), r"x.nii is no NIfTI file: its magic is b'n\+7'"),
        (nifti(version=2, eol_check=(10, 26, 10, 0)), "x.nii is damaged: its line ends were changed on the way"),
        # sizes
        (nifti()[:-1], r"x.nii has a header that promises 592 bytes and is truncated: it has 591 bytes\." + AGAIN),
        (nifti(dim={0: 0}), "x.nii has a header that claims 0 dimensions"),
        (nifti(dim={0: 8}), "x.nii has a header that claims 8 dimensions"),
        (nifti(dim={0: -3}), "x.nii has a header that claims -3 dimensions"),
        (nifti(dim={2: 0}), r"x.nii has a header with a dimension of size 0\." + HEADER),
        (nifti(dim={1: -4}), "x.nii has a header with a dimension of size -4"),
        (nifti(version=2, dim={1: -(1 << 62)}), "x.nii has a header with a dimension of size -4611686018427387904"),
        (
            nifti(dim={1: 32767, 2: 32767, 3: 32767}),
            "x.nii has a header that promises 128 TiB and is truncated: it has",
        ),
        (nifti(version=2, dim={1: 1 << 40, 2: 1 << 40, 3: 1 << 40}), r"promises 4\.61e\+18 EiB and is truncated"),
        (nifti(dim={0: 4, 4: 400}), "x.nii has a header that promises 94.1 KiB and is truncated: it has 592 bytes"),
        (nifti(datatype=64), "x.nii has a header that promises 832 bytes and is truncated: it has 592 bytes"),
        (nifti(vox_offset=100), r"x.nii has a header that begins the voxels at byte 100\." + HEADER),
        (nifti(vox_offset=-352), "x.nii has a header that begins the voxels at byte -352"),
        (nifti(vox_offset=352.5), "x.nii has a header that begins the voxels at byte 352.5"),
        (nifti(vox_offset=np.nan), "x.nii has a header that begins the voxels at byte nan"),
        (nifti(vox_offset=np.inf), "x.nii has a header that begins the voxels at byte inf"),
        (nifti(vox_offset=1e30), r"x.nii has a header that begins the voxels at byte 1e\+30"),
        (nifti(version=2, vox_offset=1 << 62), r"x.nii has a header that begins the voxels at byte 4.61169e\+18"),
        (nifti(vox_offset=368), "x.nii has a header that promises 608 bytes and is truncated: it has 592 bytes"),
        (nifti(extensions=negative_extension(16, 16), vox_offset=0), "does not say where its voxels begin"),
        (nifti(extensions=negative_extension(-16)), r"x.nii has a broken header extension of -16 bytes\." + HEADER),
        (nifti(extensions=negative_extension(0)), "x.nii has a broken header extension of 0 bytes"),
        (nifti(extensions=negative_extension(7)), "x.nii has a broken header extension of 7 bytes"),
        (nifti(extensions=negative_extension(1 << 30)), "x.nii has a broken header extension of 1073741824 bytes"),
        (nifti(extensions=negative_extension(16, 16) + negative_extension(-1)), "broken header extension of -1 bytes"),
        # numbers
        (nifti(datatype=0), r"x.nii has voxels of data type 0, which cannot be read\. Store this map as float32\."),
        (nifti(datatype=1), "x.nii has voxels of data type 1, which cannot be read"),
        (nifti(datatype=1536), "x.nii has voxels of data type 1536, which cannot be read"),
        (nifti(datatype=-5), "x.nii has voxels of data type -5, which cannot be read"),
        (nifti(scl_slope=2, scl_inter=np.nan), "x.nii has a header whose scl_inter is nan"),
        (nifti(scl_slope=2, scl_inter=np.inf), "x.nii has a header whose scl_inter is inf"),
        # places
        (nifti(srow_x=[np.nan] * 4), r"x.nii has an affine with numbers that are not finite\." + HEADER),
        (nifti()[:284] + b"\1\0\x80\x7f" + nifti()[288:], "x.nii has an affine with numbers"),  # a signalling NaN
        (nifti(srow_z=[0, 0, 4, np.inf]), "x.nii has an affine with numbers that are not finite"),
        (nifti(sform=0, qform=1, qoffset_x=np.nan), "x.nii has an affine with numbers that are not finite"),
        (nifti(sform=0, qform=1, quatern_c=np.nan), "x.nii has (an affine with numbers|a header whose qform)"),
        (nifti(sform=0, qform=1, quatern_b=2), "x.nii has a header whose qform is no rotation"),
        (nifti(srow_y=[0, 0, 0, 0]), r"x.nii has a singular affine: its voxels have no volume\." + HEADER),
        (nifti(srow_y=[-3, 0, 0, 90]), "x.nii has a singular affine"),
        (nifti(srow_x=[0, 3, 0, 90]), "x.nii has a singular affine"),
        (nifti(srow_x=[3, 3, 0, 0], srow_y=[2, 2, 0, 0]), "x.nii has a singular affine"),
        (nifti(sform=0, qform=1, pixdim={2: 0}), "x.nii has a singular affine"),
        (nifti(sform=0, qform=0, pixdim={1: 0, 2: 0, 3: 0}), "x.nii has a singular affine"),
        (nifti(sform=0, qform=0, pixdim={3: np.nan}), "x.nii has an affine with numbers that are not finite"),
        (nifti(srow_y=[0, 1e30, 0, 0]), r"x.nii has an affine that no scan can have: voxels of 3 x 1e\+30 x 4 mm"),
        (nifti(srow_y=[0, 1e-30, 0, 0]), "x.nii has an affine that no scan can have: voxels of 3 x 1e-30 x 4 mm"),
        (nifti(srow_y=[0, 1e7, 0, 0]), r"x.nii has an affine that no scan can have: voxels of 3 x 1e\+07 x 4 mm"),
        (nifti(srow_y=[0, 3, 0, 1e20]), "x.nii has an affine that no scan can have"),
    ],
)
def test_broken_files(tmp_path, content, sentence):
    path = put(tmp_path / "x.nii", content)
    with pytest.raises(BadMap, match=sentence):
        load_statmap(path)
    with pytest.raises(BadMap, match=sentence):
        load_labels(path)
    with pytest.raises(BadMap, match=sentence):
        load_mask(path, make_grid((4, 5, 3), AFFINE))
    with pytest.raises(BadMap, match=sentence):
        list(load_volumes(path))


def test_broken_series(tmp_path):
    path = put(tmp_path / "x.nii.gz", nifti(ramp((4, 5, 3, 6)))[:-4])
    assert count_volumes(path) == 6
    volumes = load_volumes(path)
    assert [next(volumes)[0].shape for _ in range(5)] == [(4, 5, 3)] * 5
    with pytest.raises(BadMap, match=r"x\.nii\.gz is truncated: 4 bytes of its voxels are missing"):
        next(volumes)
    for content in (nifti(ramp((4, 5, 3, 1, 2))), nifti(ramp((4, 5))), nifti(ramp((4, 5, 3, 2), "c8"))):
        with pytest.raises(UnsuitableMap, match=r"z\.nii (is [25]-D|holds complex numbers)"):
            count_volumes(put(tmp_path / "z.nii", content))


RGB = np.zeros((4, 5, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
RGBA = np.zeros((4, 5, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")])
CIFTI = nifti(ramp((1, 1, 1, 1, 6, 7)), version=2, intent_code=3006)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            nifti(ramp((4, 5, 3, 2))),
            r"x.nii is 4-D \(4 x 5 x 3 x 2\) and no 3-D map\. Take its volumes by --volumes all, or by their numbers\.",
        ),
        (nifti(ramp((4, 5, 3, 1, 3))), r"x.nii is 5-D \(4 x 5 x 3 x 1 x 3\) and no 3-D map"),
        (nifti(ramp((4, 5))), r"x.nii is 2-D \(4 x 5\) and no 3-D map"),
        (nifti(ramp((4,)), affine=None), r"x.nii is 1-D \(4\) and no 3-D map"),
        (nifti(RGB), r"x.nii holds colours \(RGB\) and no map\."),
        (nifti(RGBA), r"x.nii holds colours \(RGBA\) and no map\."),
        (nifti(ramp(dtype="c8")), r"x.nii holds complex numbers and no map of real ones\."),
        (nifti(ramp(dtype="c16")), "x.nii holds complex numbers"),
        (nifti(datatype=2048), "x.nii holds complex numbers"),
        (CIFTI, r"x.nii is a CIFTI file: surfaces are not handled\."),
        (
            b'<?xml version="1.0"?>\n<GIFTI Version="1.0">' + bytes(500),
            "x.nii is a GIFTI file: surfaces are not handled",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_sound_files_that_are_no_map(tmp_path, content, sentence, packed):
    path = put(tmp_path / "x.nii", content, compress=packed)
    with pytest.raises(UnsuitableMap, match=sentence):
        load_statmap(path)
    with pytest.raises(BadMap, match=r"x\.nii"):
        load_labels(path)


# ---- gzip


def broken_in_the_middle():
    packed = bytearray(gzip.compress(nifti(np.random.default_rng(0).standard_normal((20, 20, 20))), 1))
    packed[len(packed) // 2] ^= 0x55
    return bytes(packed)


def wrong_checksum():
    packed = bytearray(gzip.compress(nifti(), mtime=0))
    packed[-8] ^= 1
    return bytes(packed)


def wrong_length():
    packed = bytearray(gzip.compress(nifti(), mtime=0))
    packed[-1] ^= 1
    return bytes(packed)


PACKED = gzip.compress(nifti(ramp((20, 20, 20))), mtime=0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x1f\x8b", r"x.nii.gz is truncated: its gzip data ends too early\." + AGAIN),
        (PACKED[:60], "x.nii.gz is truncated: its gzip data ends too early"),
        (PACKED[: len(PACKED) // 2], "x.nii.gz is truncated: its gzip data ends too early"),
        (PACKED[:-1], "x.nii.gz is truncated: its gzip data ends too early"),
        (PACKED[:-8], "x.nii.gz is truncated: its gzip data ends too early"),
        (b"\x1f\x8b" + bytes(100), r"x.nii.gz is damaged: its gzip data is broken\." + AGAIN),
        (broken_in_the_middle(), "x.nii.gz is (damaged|truncated): its gzip data"),
        (wrong_checksum(), "x.nii.gz is damaged: its gzip data is broken"),
        (wrong_length(), "x.nii.gz is damaged: its gzip data is broken"),
        (PACKED + PACKED[:40], "x.nii.gz is truncated: its gzip data ends too early"),
        (gzip.compress(nifti() + bytes(17 << 20), 1, mtime=0), "x.nii.gz holds more data than its header promises"),
        (gzip.compress(nifti()[:-4], mtime=0), r"x.nii.gz is truncated: 4 bytes of its voxels are missing\." + AGAIN),
        (gzip.compress(nifti()[:351], mtime=0), "x.nii.gz is truncated"),
        (gzip.compress(nifti()[:200], mtime=0), r"x.nii.gz is too short for a NIfTI header \(200 bytes\)"),
        (gzip.compress(b"", mtime=0), r"x.nii.gz is too short for a NIfTI header \(0 bytes\)"),
        (gzip.compress(gzip.compress(nifti(), mtime=0), mtime=0), "x.nii.gz is (no NIfTI file|too short)"),
        (
            gzip.compress(nifti(dim={1: 32767, 2: 32767, 3: 32767}), mtime=0),
            "promises 128 TiB, which [0-9]+ bytes of gzip cannot",
        ),
        (
            gzip.compress(nifti(dim={1: 500, 2: 500}), mtime=0),
            r"promises 2.86 MiB, which [0-9]+ bytes of gzip cannot hold\." + AGAIN,
        ),
        (
            gzip.compress(nifti(dim={0: 4, 4: 2000}), mtime=0),
            "promises 469 KiB, which [0-9]+ bytes of gzip cannot hold",
        ),
        (gzip.compress(nifti(dim={0: 4, 4: 300}, datatype=512), mtime=0), "x.nii.gz is 4-D"),
    ],
)
def test_broken_gzip(tmp_path, content, sentence):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(content)
    with pytest.raises((BadMap, UnsuitableMap), match=sentence):
        load_statmap(path)


def deflated_zeros(header, size):
    """A gzip file of `header` and `size` zeros, whole MiB; one is deflated alone, so that it may stand many times."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(1 << 20)
    first = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(header)
    for _ in range(size >> 20):
        checksum = zlib.crc32(block, checksum)
    tail = packer.flush() + struct.pack("<II", checksum, (len(header) + size) & 0xFFFFFFFF)
    return bytes.fromhex("1f8b08000000000000ff") + first + zeros * (size >> 20) + tail


PROBE = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from bids_regions.errors import Fault
    from bids_regions.images import load_statmap
    with open("/proc/self/statm") as stream:
        now = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[2]), now + int(sys.argv[2])))
    try:
        print("read", load_statmap(Path(sys.argv[1])).data.shape)
    except Fault as fault:
        print(type(fault).__name__, fault)
    """
)


def probe(path, memory):
    """What reading `path` says when only so much memory can be had beyond what the imports took."""
    command = [sys.executable, "-c", PROBE, str(path), str(memory)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True, env=environment)
    return done.stdout.strip()


def test_a_gzip_bomb_is_refused_by_its_header(tmp_path):
    """A file of 0.3 MB that truly holds 300 MB, as its header says; and one that holds more than its header says."""
    n = 1 << 28
    head = nifti(TEN.astype("u1"), dim={1: 1024, 2: 1024, 3: 256})[:352]
    path = tmp_path / "x.nii.gz"
    path.write_bytes(deflated_zeros(head, n))
    assert path.stat().st_size < n / 900
    said = probe(path, 64 << 20)
    assert said.startswith("BadMap x.nii.gz has 268435456 voxels in ")
    assert said.endswith("bytes of gzip, too many to be a map. Compute this map again, or fix its header.")
    path.write_bytes(deflated_zeros(nifti(TEN)[:352], n))
    assert probe(path, 64 << 20).startswith("BadMap x.nii.gz holds more data than its header promises.")


def test_a_map_that_does_not_fit_into_memory_is_told(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(TEN, dim={1: 300, 2: 300, 3: 300})[:352])
    os.truncate(path, 352 + 4 * 300**3)  # a sparse file: zeros without room on disk
    assert probe(path, 60 << 20) == "BadMap x.nii does not fit into memory. Give more memory to each worker."
    assert probe(path, 200 << 20) == "read (300, 300, 300)"  # no room for it twice


def test_more_voxels_than_can_be_numbered(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(TEN.astype("u1"), dim={1: 2048, 2: 1024, 3: 1024})[:352])
    os.truncate(path, 352 + (1 << 31))
    with pytest.raises(BadMap, match=r"x.nii has 2147483648 voxels, more than can be numbered"):
        load_statmap(path)


def test_a_map_of_zeros_is_no_bomb(tmp_path):
    path = put(tmp_path / "x.nii.gz", nifti(np.zeros((182, 218, 182), np.float32)))
    assert path.stat().st_size * 200 < 182 * 218 * 182 * 4
    assert not load_statmap(path).data.any()


def test_a_file_of_tiny_gzip_members_is_read_in_linear_time(tmp_path):
    content = nifti(ramp((20, 20, 20), np.uint8))
    (tmp_path / "x.nii.gz").write_bytes(b"".join(gzip.compress(content[at : at + 1]) for at in range(len(content))))
    assert np.array_equal(load_statmap(tmp_path / "x.nii.gz").data, ramp((20, 20, 20), np.uint8))


FREESURFER = [10 * 4**k + 2 for k in range(3, 8)]  # an icosahedron's vertices, each edge halved k times
FSLR = [4002, 7842, 32492, 59292]  # 4k, 8k, 32k, 59k
CORTEX = (29696, 29716)  # left and right vertices of fsLR 32k without the medial wall
SUBCORTEX = 31870  # voxels of the Human Connectome Project's grayordinates


@pytest.mark.parametrize(
    "vertices",
    [*FREESURFER, *FSLR, 2 * FREESURFER[-1], 2 * 32492, *CORTEX, sum(CORTEX), sum(CORTEX) + SUBCORTEX,
     2 * 32492 + SUBCORTEX],
)  # fmt: skip
def test_the_vertices_of_a_mesh_in_use_are_no_volume_however_they_are_cut(vertices):
    """Into two factors: one row is longer than any scan's and needs no such list."""
    side = max(k for k in range(1, math.isqrt(vertices) + 1) if vertices % k == 0)
    assert headers._is_surface((vertices // side, 1, side))
    assert not headers._is_surface((101, 1, 103))
    assert vertices in headers.VERTICES
