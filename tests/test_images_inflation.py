"""Inflating at once and inflating in blocks decide alike on every file, sound or damaged."""

import gzip
import hashlib
import random
import tracemalloc

import numpy as np
import pytest

from bids_regions.errors import BadMap
from bids_regions.images.inflation import ByteStream

HEAD = 100  # bytes that are passed before the rest is asked for


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
    "two members": lambda chance, data, file: gzip.compress(data[:200]) + gzip.compress(data[200:]),
    "an empty member behind": lambda chance, data, file: file + gzip.compress(b"") + file[-8:],
    "garbage with its own trailer behind": lambda chance, data, file: file + b"garbage" + file[-8:],
    "too long": lambda chance, data, file: gzip.compress(data + b"x"),
    "too short": lambda chance, data, file: gzip.compress(data[:-3]),
}


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
        if kind in ("sound", "padded by zeros", "two members"):
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
        with pytest.raises(BadMap, match="bytes after its gzip data"):
            stream.finish()
