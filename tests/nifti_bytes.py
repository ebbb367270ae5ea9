"""NIfTI files made byte by byte, so that a test can say exactly what is wrong with one."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
OBLIQUE = np.array([[2.0, -0.3, 0.1, -80], [0.25, 2.5, -0.4, -100], [0.05, 0.5, 3.0, -60], [0, 0, 0, 1]])


def ramp(shape: tuple[int, ...] = (4, 5, 3), dtype: Any = np.float32) -> np.ndarray:
    """Numbers that are all different, some negative where the type allows."""
    n = int(np.prod(shape))
    start = 0 if np.dtype(dtype).kind == "u" else -n // 2
    return np.arange(start, start + n).astype(dtype).reshape(shape)


def nifti(
    data: np.ndarray | None = None,
    affine: np.ndarray | None = AFFINE,
    *,
    version: int = 1,
    order: str = "<",
    extensions: bytes = b"",
    sform: int = 2,
    qform: int = 0,
    **fields: Any,
) -> bytes:
    """The bytes of a single NIfTI file; `fields` overwrite those of the header, whatever they say.

    `dim` and `pixdim` may be given as {place: value}.
    """
    data = ramp() if data is None else data
    header = (Nifti1Header if version == 1 else Nifti2Header)(endianness=order)
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    if affine is not None:
        header.set_zooms((*np.sqrt((affine[:3, :3] ** 2).sum(axis=0)), *[1] * (data.ndim - 3))[: data.ndim])
        header.set_sform(affine, sform)
        header.set_qform(affine, qform, strip_shears=True)
    header["vox_offset"] = header.single_vox_offset + len(extensions)
    header["scl_slope"], header["scl_inter"] = 0, 0
    for name, value in fields.items():
        if isinstance(value, dict):
            for place, number in value.items():
                header[name][place] = number
        else:
            header[name] = value
    stored = data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")
    return header.binaryblock + (b"\1\0\0\0" if extensions else b"\0\0\0\0") + extensions + stored


def put(path: Path, content: bytes, *, compress: bool | None = None) -> Path:
    """Write `content`, gzipped where the name says so (or `compress` does)."""
    compress = path.suffix == ".gz" if compress is None else compress
    path.write_bytes(gzip.compress(content, 1, mtime=0) if compress else content)
    return path
