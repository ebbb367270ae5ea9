"""Fuzzing of the reading of images: damaged NIfTI, GIFTI and CIFTI files, each of which is read or refused in words.

`python tests/fuzz_images.py --seconds 180` is what `make soak` runs; its last line is a JSON object of counts. A file
that brings anything but a map or a fault of ours, takes long or takes much memory is kept and ends the run.
"""

import argparse
import contextlib
import gzip
import json
import logging
import random
import sys
import tempfile
import time
import tracemalloc
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nibabel as nib
import numpy as np
import scipy.ndimage  # noqa: F401 # a mask on another grid loads it, which is no file's memory
from nifti_bytes import AFFINE, nifti, ramp
from surface_bytes import DOCTYPE, cifti, cifti_xml, data_array, gifti, mesh, metadata

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.images import StatMap, load_labels, load_mask, load_statmap, load_volumes, make_grid, reading
from bids_regions.images.cifti import read_cifti
from bids_regions.images.gifti import load_surface, read_gifti

EXTENSION = (32).to_bytes(4, "little") + (6).to_bytes(4, "little") + bytes(24)
SEEDS = (
    nifti(),
    nifti(ramp(dtype=np.int16), scl_slope=0.5, order=">", qform=1),
    nifti(ramp(dtype=np.uint8), version=2, sform=0, qform=2),
    nifti(ramp((4, 5, 3, 1), np.float64), extensions=EXTENSION, intent_code=3, intent_p1=9),
    nifti(ramp((30, 30, 30))),
    nifti(ramp((3, 3, 3, 4), np.complex64), version=2, order=">"),
)
SHEETS = (
    gifti(*[data_array(ramp((40,)), "ZSCORE", Encoding=how, Endian="BigEndian")
            for how in ("ASCII", "Base64Binary", "GZipBase64Binary")],
          front=metadata(AnatomicalStructurePrimary="CortexLeft")),
    gifti(data_array(ramp((9, 2)), Encoding="ExternalFileBinary", ExternalFileName="a.dat", Data=" "),
          front='<LabelTable><Label Key="1" Red="1">A</Label></LabelTable>'),
    mesh(),
    cifti(),
    cifti(ramp((3, 5), np.int16), order=">", scl_slope=0.5),
    cifti(xml=cifti_xml(names="", kind="SERIES"), intent_code=3002),
)  # fmt: skip
SPITE = (  # what is put somewhere into XML
    DOCTYPE.replace(">", ' [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>').encode(),
    b"&b;", b"&lt;", b"<!--", b"<![CDATA[", b"]]>", b"<Data>", b"</Data>", b"</DataArray>", b"<A>" * 30, b"x" * 5000,
    b'"', b"<", b">", b" ", b"\0", b"-1", b"99999999999999999999", b"2147483647", b"nan", b"1e308", b"/etc/passwd",
    b"../../etc/passwd", b"====", b'<?xml version="1.0" encoding="UTF-16"?>', "\ud7ff\u20ac".encode(), b"\xff\xfe",
)  # fmt: skip
NASTY = (0, 1, 2, 3, 4, 127, 128, 255, 0x7F80, 0x7FC0, 0x7FFF, 0x8000, 0xFFFF, 1 << 31, (1 << 31) - 1, (1 << 32) - 1)
INFLATION, MEMORY = 1032, 8 << 20  # what a byte of gzip can become at most, and bytes beside that
ENDLESS = 600.0  # seconds of processor time for one file: longer than anything takes on any machine


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What is done to a sound file, before and after it is compressed."""

    edits: tuple[tuple[int, bytes], ...] = ()  # place, bytes that stand there then
    cut: int | None = None  # bytes that are kept
    tail: bytes = b""  # added at the end
    packed: bool = False
    packed_edits: tuple[tuple[int, bytes], ...] = ()
    packed_cut: int | None = None
    packed_tail: bytes = b""

    def apply(self, content: bytes) -> bytes:
        """The damaged file."""
        content = _edit(content, self.edits, self.cut) + self.tail
        if self.packed:
            content = _edit(gzip.compress(content, 1, mtime=0), self.packed_edits, self.packed_cut) + self.packed_tail
        return content


def _edit(content: bytes, edits: tuple[tuple[int, bytes], ...], cut: int | None) -> bytes:
    changed = bytearray(content)
    for place, new in edits:
        at = place % max(len(changed), 1)
        changed[at : at + len(new)] = new[: len(changed) - at]
    return bytes(changed[:cut])


def draw_damage(chance: random.Random) -> Damage:
    """Some damage, most of it in the header, where it hurts."""

    def edits(limit: int, most: int) -> tuple[tuple[int, bytes], ...]:
        places = (chance.randrange(limit) for _ in range(chance.randint(0, most)))
        return tuple((place, _draw_bytes(chance)) for place in places)

    packed = chance.random() < 0.5
    return Damage(
        edits=edits(chance.choice((48, 120, 352, 560, 2000)), 4),
        cut=chance.randrange(2000) if chance.random() < 0.1 else None,
        tail=bytes(chance.randrange(600)) if chance.random() < 0.1 else b"",
        packed=packed,
        packed_edits=edits(chance.choice((20, 2000)), 1) if chance.random() < 0.3 else (),
        packed_cut=chance.randrange(2000) if chance.random() < 0.1 else None,
        packed_tail=chance.choice((b"\0" * 9, b"\x1f\x8b", b"x", b"\x1f\x8b\x08" + bytes(15)))
        * (chance.random() < 0.1),
    )


def _draw_bytes(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(1, 8))
    return chance.choice(NASTY).to_bytes(4, chance.choice(("little", "big")))[: chance.choice((1, 2, 4))]


def draw_spite(chance: random.Random) -> bytes:
    """A surface or CIFTI file with something put in, taken out or doubled, or with bytes changed."""
    content = bytearray(chance.choice(SHEETS))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(content) + 1)
        end = min(len(content), at + chance.choice((0, 0, 1, 4, 30, 400)))
        kind = chance.random()
        if kind < 0.6:
            content[at:end] = chance.choice(SPITE) if kind < 0.4 else chance.randbytes(end - at)
        elif kind < 0.7:
            content[at:end] = content[at:end] * 3
        elif kind < 0.9:
            digits = [k for k, byte in enumerate(content) if chr(byte).isdigit()] or [0]
            content[(k := chance.choice(digits)) : k + 1] = str(chance.choice((0, 7, 99, 1 << 31, 10**15))).encode()
        else:
            del content[at:end]
    packed = gzip.compress(content, 1, mtime=0) if chance.random() < 0.2 else bytes(content)
    return packed[: chance.randrange(len(packed) + 1)] if chance.random() < 0.1 else packed


def read_sheet(path: Path) -> str:
    """Read a surface or CIFTI file in every way there is."""
    ends = []
    for read in (read_gifti, load_surface, read_cifti, lambda path: read_cifti(path, 1)):
        refused = None
        try:
            read(path)  # type: ignore[operator]
            ends.append("read")
        except (BadMap, UnsuitableMap) as error:
            refused = error.with_traceback(None)
            ends.append(type(refused).__name__)
        if refused:
            assert path.name in str(refused)
            assert len(str(refused)) < 400, str(refused)
            assert "memory" not in str(refused)
    return "sheet " + ("read" if "read" in ends else ends[0])


def check(path: Path, read: Callable[[Path], str] | None = None) -> str:
    """Read `path` in every way there is, and say how it ended; anything but a sound answer is raised."""
    tracemalloc.start()
    start = time.process_time()
    try:
        outcome = (read or _read)(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < INFLATION * path.stat().st_size + MEMORY, f"{peak >> 20} MiB for {path.stat().st_size} bytes"
    assert time.process_time() - start < ENDLESS, "it does not end"
    return outcome


def _read(path: Path) -> str:
    found = _load(path)
    with patch.multiple(reading, LARGE=0, STEP=64, PAGE=8):  # in parts, as large maps are
        _check_same(found, _load(path))
    if isinstance(found, StatMap):
        _check_map(found, path)
    with contextlib.suppress(BadMap):
        load_labels(path)
    with contextlib.suppress(BadMap):
        load_mask(path, make_grid((4, 5, 3), AFFINE))
    with contextlib.suppress(BadMap, UnsuitableMap):
        for volume, _ in load_volumes(path):
            assert np.isfinite(volume).all()
    if isinstance(found, StatMap):
        return "read"
    assert path.name in str(found)
    assert len(str(found)) < 400
    assert "memory" not in str(found)  # a refused allocation is one that should never have been tried
    return type(found).__name__


def _load(path: Path) -> StatMap | BadMap | UnsuitableMap:
    try:
        return load_statmap(path)
    except (BadMap, UnsuitableMap) as refused:
        return refused.with_traceback(None)  # whose frames hold arrays


def _check_same(one: StatMap | BadMap | UnsuitableMap, other: StatMap | BadMap | UnsuitableMap) -> None:
    if not isinstance(one, StatMap) or not isinstance(other, StatMap):
        assert str(one) == str(other)
        return
    assert one.data.dtype == other.data.dtype
    assert np.array_equal(one.data, other.data)
    assert np.array_equal(one.infinite, other.infinite)
    for name in ("n_nan", "content_hash", "notes"):
        assert getattr(one, name) == getattr(other, name)


def _inflate(content: bytes) -> bytes:
    """Every member of a gzip file; what follows the last one is not read."""
    whole = b""
    while content[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(wbits=31)
        whole += member.decompress(content)
        content = member.unused_data
    return whole


def _check_map(found: StatMap, path: Path) -> None:
    assert found.data.ndim == 3
    assert np.isfinite(found.data).all()
    assert np.isfinite(found.affine).all()
    assert np.linalg.det(found.affine[:3, :3]) != 0
    content = path.read_bytes()
    content = _inflate(content) if content[:2] == b"\x1f\x8b" else content
    kind = nib.Nifti2Image if 540 in (content[0] + 256 * content[1], content[3] + 256 * content[2]) else nib.Nifti1Image
    asked = kind.from_bytes(content)  # what we read, nibabel reads, and reads the same
    assert np.array_equal(asked.affine, found.affine)
    if asked.dataobj.offset == 0:  # nibabel takes the header for voxels then
        return
    with np.errstate(all="ignore"):
        values = asked.get_fdata().reshape(found.data.shape)
    largest = np.abs(values[np.isfinite(values)]).max(initial=0) or 1  # what stands for an infinite value
    values = np.where(np.isinf(values), np.copysign(largest, values), values)
    assert np.array_equal(np.where(np.isnan(values), 0, values), found.data)


def main() -> int:
    """Fuzz for some seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)  # nibabel tells what it mends
    chance, counts, end = random.Random(asked.seed), Counter[str](), time.monotonic() + asked.seconds  # noqa: S311 -- no secret
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="error"):
        (Path(folder) / "a.dat").write_bytes(ramp((9, 2)).tobytes())
        while time.monotonic() < end:
            on_sheet = chance.random() < 0.4
            path = Path(folder) / f"{chance.choice('ab')}.nii{chance.choice(('', '.gz'))}"
            path.write_bytes(draw_spite(chance) if on_sheet else draw_damage(chance).apply(chance.choice(SEEDS)))
            try:
                start = time.process_time()
                counts[check(path, read_sheet if on_sheet else None)] += 1
                slowest = max(slowest, time.process_time() - start)
            except BaseException:
                kept = (
                    Path(tempfile.gettempdir()) / f"fuzz_images_{asked.seed}_{counts.total()}{''.join(path.suffixes)}"
                )
                kept.write_bytes(path.read_bytes())
                print(f"kept {kept}", file=sys.stderr)  # noqa: T201 -- a command of its own
                raise
    print(json.dumps({"target": "images", "files": counts.total(), "slowest": slowest, **dict(sorted(counts.items()))}))  # noqa: T201 -- as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
