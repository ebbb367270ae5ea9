"""Inflating at once and inflating in blocks decide alike on every file, sound or damaged."""

import gzip
import hashlib
import itertools
import random
import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest

from bids_regions.errors import BadMap
from bids_regions.images import inflation
from bids_regions.images.inflation import ByteStream

HEAD = 100  # bytes that are passed before the rest is asked for


@cache
def packed(size, number):
    data = np.random.default_rng(number).integers(0, 4, size, dtype=np.uint8).tobytes()
    return data, gzip.compress(data, 6, mtime=0)


def flip_a_bit(chance, data, file):
    at = chance.randrange(len(file))
    return file[:at] + bytes([file[at] ^ 1 << chance.randrange(8)]) + file[at + 1 :]


KINDS = {
    "sound": lambda chance, data, file: file,
    "a bit flipped": flip_a_bit,
    "cut": lambda chance, data, file: file[: chance.randrange(20, len(file))],
    "padded by zeros": lambda chance, data, file: file + bytes(chance.randrange(1, 40)),
    "twice": lambda chance, data, file: file + file,
    "two members": lambda chance, data, file: gzip.compress(data[:200]) + gzip.compress(data[200:], 1),
    "an empty member behind": lambda chance, data, file: file + gzip.compress(b"") + file[-8:],
    "garbage with its own trailer behind": lambda chance, data, file: file + b"garbage" + file[-8:],
    "too long": lambda chance, data, file: gzip.compress(data + b"x", 1),
    "too short": lambda chance, data, file: gzip.compress(data[:-3], 1),
}


FIELDS = {  # of a gzip header: its flag, its bytes
    "extra": (4, b"\x06\0AB\x02\0xy"),
    "name": (8, b"map.nii\0"),
    "comment": (16, b"by hand\0"),
    "checksum": (2, b""),
}


def with_header(names, data):
    """`data` as a gzip member whose header has some of the optional fields."""
    file = gzip.compress(data, 6, mtime=0)
    head = file[:3] + bytes([sum(FIELDS[name][0] for name in names)]) + file[4:10]
    head += b"".join(FIELDS[name][1] for name in FIELDS if name in names)
    return head + ((zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if "checksum" in names else b"") + file[10:]


@pytest.mark.parametrize("names", [c for n in range(5) for c in itertools.combinations(FIELDS, n)])
@pytest.mark.parametrize("chunk", [2, 3, 5, 7, 11, 13, 17, 29, 1 << 16])
def test_headers_with_optional_fields_in_two_chunks(tmp_path, monkeypatch, names, chunk):
    monkeypatch.setattr(inflation, "CHUNK", chunk)
    monkeypatch.setattr(ByteStream._read, "__defaults__", (chunk,))
    data = bytes(range(250)) * 4
    file = with_header(names, data[:600]) + with_header(names, data[600:])
    assert gzip.decompress(file) == data
    (tmp_path / "x.nii.gz").write_bytes(file)
    found = outcome(tmp_path / "x.nii.gz", len(data), at_once=False)
    assert found == (data[HEAD:], hashlib.sha256(file).hexdigest())


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_reserved_flags_of_a_header_are_refused(tmp_path, flag):
    data, file = packed(1000, 0)
    (tmp_path / "x.nii.gz").write_bytes(file[:3] + bytes([flag]) + file[4:])
    said = outcome(tmp_path / "x.nii.gz", len(data), at_once=False)
    assert said.startswith("x.nii.gz is damaged: its gzip data is broken")


def outcome(path, size, *, at_once):
    try:
        with ByteStream(path) as stream:
            stream.peek(HEAD)
            stream.read_into(memoryview(bytearray(HEAD)))
            rest = bytearray(size - HEAD)
            if at_once:
                rest[:] = stream.read_rest(len(rest))
            else:
                stream.read_into(memoryview(rest))
            return bytes(rest), stream.finish()
    except BadMap as fault:
        return str(fault)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [500, 70_000, 400_000])
def test_both_ways_decide_alike(tmp_path, kind, size):
    chance, path = random.Random(size), tmp_path / "x.nii.gz"  # noqa: S311 # damage, not secrets
    for number in range(4):
        data, file = packed(size, number)
        path.write_bytes(KINDS[kind](chance, data, file))
        found = outcome(path, size, at_once=True)
        assert found == outcome(path, size, at_once=False)
        if kind not in ("a bit flipped", "cut", "too short"):
            assert found[0] == data[HEAD:]
        else:
            assert isinstance(found, str)


def test_a_file_that_is_too_long_for_its_promise_is_not_held_in_memory(tmp_path):
    data, file = packed(1000, 0)
    (tmp_path / "x.nii.gz").write_bytes(file + bytes(1 << 22))
    tracemalloc.start()
    try:
        with ByteStream(tmp_path / "x.nii.gz") as stream:
            assert bytes(stream.read_rest(1000)) == data
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_sound_file_is_inflated_at_once(tmp_path, monkeypatch):
    data, file = packed(400_000, 0)
    (tmp_path / "x.nii.gz").write_bytes(file)
    with ByteStream(tmp_path / "x.nii.gz") as stream:
        stream.read_into(memoryview(bytearray(HEAD)))
        monkeypatch.setattr(stream, "read_into", None)  # by blocks
        assert bytes(stream.read_rest(len(data) - HEAD)) == data[HEAD:]


@pytest.mark.parametrize(("behind", "asked"), [(0, True), (50, True), (1000, False)])
def test_a_file_is_inflated_at_once_unless_it_is_longer_than_deflate_makes_it(tmp_path, monkeypatch, behind, asked):
    """Random bytes: deflate stores them, in some bytes more than they are."""
    data = np.random.default_rng(0).bytes(70_000)
    file = gzip.compress(data, 6, mtime=0)
    assert len(data) < len(file) < len(data) + 100
    (tmp_path / "x.nii.gz").write_bytes(file + bytes(behind))
    monkeypatch.setattr(inflation, "CHUNK", 0)
    whole = []
    with ByteStream(tmp_path / "x.nii.gz") as stream:
        stream.read_into(memoryview(bytearray(HEAD)))
        read = stream._read_whole
        monkeypatch.setattr(stream, "_read_whole", lambda: whole.append(1) or read())
        assert bytes(stream.read_rest(len(data) - HEAD)) == data[HEAD:]
    assert bool(whole) == asked


@pytest.mark.parametrize("change", [-1, 1, 5000])
def test_a_file_that_changes_its_length_while_it_is_read_is_read_in_blocks(tmp_path, change):
    """Its length was asked when it was opened; what is there now decides."""
    data, file = packed(400_000, 0)
    (tmp_path / "x.nii.gz").write_bytes(file)
    with ByteStream(tmp_path / "x.nii.gz") as stream:
        stream.size += change
        stream.read_into(memoryview(bytearray(HEAD)))
        assert bytes(stream.read_rest(len(data) - HEAD)) == data[HEAD:]
        assert stream.finish() == hashlib.sha256(file).hexdigest()


def test_what_is_written_behind_a_file_while_it_is_read_is_seen(tmp_path):
    data, file = packed(400_000, 0)
    (tmp_path / "x.nii.gz").write_bytes(file + b"garbage")
    with ByteStream(tmp_path / "x.nii.gz") as stream:
        stream.size = len(file)
        stream.read_into(memoryview(bytearray(HEAD)))
        assert bytes(stream.read_rest(len(data) - HEAD)) == data[HEAD:]
        assert stream.finish() == hashlib.sha256(file + b"garbage").hexdigest()
        assert stream.n_beyond == 7
