"""Images to disk: labels and maps on the exact grid of the map they come from, the same bytes for the same content.

What the numbers mean is not known here.
"""

import struct
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import deflate
import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from numpy.typing import NDArray

from bids_regions.files import write_bytes
from bids_regions.images.grids import StoredGrid

__all__ = ["LABELS", "gzip_bytes", "make_header", "save_labels", "save_map", "smallest_labels"]

LABELS = 1002  # the intent of label images
PLACE = ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
ROWS = ("srow_x", "srow_y", "srow_z", "xyzt_units")
LABEL_TYPES = (np.uint8, np.uint16, np.int32)
ZEROS = bytes(1 << 12)  # larger pieces are found less often, smaller ones take more room


def save_labels(path: Path, labels: NDArray[np.integer[Any]], grid: StoredGrid) -> str:
    """Write integer `labels` (shape of `grid`, 0 and above) as the smallest of uint8, uint16 and int32 that fits.

    Returns the hash of the file.
    """
    return _save(path, smallest_labels(labels), grid, LABELS)


def smallest_labels(labels: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The labels as the smallest of uint8, uint16 and int32 that fits, in Fortran order."""
    dtype: type[np.integer[Any]] = np.uint8
    if labels.dtype != np.uint8:
        low, high = labels.min(), labels.max()
        if low < 0 or high > np.iinfo(np.int32).max:
            raise ValueError(f"labels from {low} to {high}: they have to lie between 0 and int32's end")
        dtype = next(kind for kind in LABEL_TYPES if high <= np.iinfo(kind).max)
    return labels.astype(dtype, order="F", copy=False)


def save_map(path: Path, data: NDArray[Any], grid: StoredGrid, *, intent: int = 0) -> str:
    """Write `data` (shape of `grid`, or 4-D with volumes last) as float32; `intent` is a NIfTI code.

    Returns the hash of the file.
    """
    return _save(path, data.astype(np.float32, order="F", copy=False), grid, intent)


def _save(path: Path, data: NDArray[Any], grid: StoredGrid, intent: int) -> str:
    if data.shape[:3] != grid.shape:
        raise ValueError(f"data of shape {data.shape} cannot lie on a grid of shape {grid.shape}")
    data = np.asfortranarray(data).astype(data.dtype.newbyteorder("<"), copy=False)
    parts = make_header(grid.header, data.dtype, data.shape, intent), b"\0\0\0\0", data.ravel(order="K").data.cast("B")
    return write_bytes(path, gzip_bytes(*parts) if path.suffix == ".gz" else b"".join(parts), only_if_changed=True)


@lru_cache(maxsize=16)  # the maps of a dataset are of few kinds
def make_header(grid_header: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], intent: int) -> bytes:
    """The NIfTI header of an image on the grid that another header tells."""
    kind = Nifti1Header if len(grid_header) == Nifti1Header.sizeof_hdr else Nifti2Header
    source, header = kind(grid_header, endianness="<", check=False), kind(endianness="<")
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header["pixdim"][:4] = source["pixdim"][:4]
    for name in PLACE + ROWS:
        header[name] = source[name]
    header["vox_offset"] = header.single_vox_offset
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["intent_code"] = intent
    header["descrip"] = b"bids_regions"
    return bytes(header.binaryblock)


def gzip_bytes(*parts: bytes | memoryview) -> bytes:
    """The parts, one after the other, as one gzip member without time or name: equal content gives equal bytes.

    Run-length matching (Z_RLE) suits label images: half the size of plain level 1 in the same time. They are zeros
    for the most part; a piece of them is deflated once and then repeated, which a full flush before it allows.
    isal's deflater is several times faster, but chooses its kernels by the processor as it runs, and nothing shows that
    all of them give the same bytes; zlib's have one.
    """
    packer, zeros, crc, size = _packer(), _packer(), 0, 0
    deflated_zeros = zeros.compress(ZEROS) + zeros.flush(zlib.Z_FULL_FLUSH)
    body = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for part in parts:
        crc, size = deflate.crc32(part, crc), size + len(part)  # in a tenth of zlib's time
        for at in range(0, len(part), len(ZEROS)):
            piece = bytes(part[at : at + len(ZEROS)])
            if piece != ZEROS:
                body.append(packer.compress(piece))
            elif body[-1] is deflated_zeros:
                body.append(deflated_zeros)
            else:
                body += packer.flush(zlib.Z_FULL_FLUSH), deflated_zeros
    return b"".join([*body, packer.flush(), struct.pack("<II", crc, size & 0xFFFFFFFF)])


def _packer() -> Any:
    return zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
