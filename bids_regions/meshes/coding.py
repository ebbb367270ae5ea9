"""How the numbers of a mesh are packed: differences along the stored order, their bytes in planes, deflated.

Neighbours in the order of vertices and triangles differ little, so that the upper plane is nearly all zeros. The lower
planes hold what is left. Both ways stand here: the package reads, `tools/make_meshes.py` writes.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_floats", "pack_integers", "unpack_floats", "unpack_integers"]

PLANES = 3  # bytes of a difference


def pack_integers(numbers: NDArray[Any]) -> bytes:
    """Whole numbers, one row of differences for each column.

    >>> unpack_integers(pack_integers(np.array([[5, 9], [4, 10]])), 2).tolist()
    [[5, 9], [4, 10]]
    """
    rows = np.atleast_2d(np.asarray(numbers, np.int64).T)
    steps = np.diff(rows, axis=1, prepend=0).ravel()
    folded = np.where(steps < 0, -2 * steps - 1, 2 * steps)
    if folded.max(initial=0) >= 1 << 8 * PLANES:
        raise ValueError("differences beyond 24 bits")
    return zlib.compress(b"".join(((folded >> 8 * k) & 255).astype(np.uint8).tobytes() for k in range(PLANES)), 9)


def unpack_integers(packed: bytes, n_columns: int = 1) -> NDArray[np.int32]:
    """The inverse of `pack_integers`: (n, n_columns), or (n,) where there is one."""
    planes = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(PLANES, -1).astype(np.int32)
    folded = planes[0] | planes[1] << 8 | planes[2] << 16
    steps = np.where(folded & 1, -(folded >> 1) - 1, folded >> 1)
    rows = np.cumsum(steps.reshape(n_columns, -1), axis=1, dtype=np.int32)
    return np.ascontiguousarray(rows.T) if n_columns > 1 else rows[0]


def pack_floats(numbers: NDArray[Any], low: float, high: float, bits: int) -> bytes:
    """Numbers between two ends in 2 ** `bits` steps."""
    return pack_integers(np.rint((np.asarray(numbers, np.float64) - low) / (high - low) * ((1 << bits) - 1)))


def unpack_floats(packed: bytes, ends: tuple[float, float], bits: int, n_columns: int = 1) -> NDArray[np.float64]:
    """The inverse of `pack_floats`, to within half a step.

    >>> unpack_floats(pack_floats(np.array([0.0, 1.0, 2.0]), 0, 2, 8), (0, 2), 8).round(2).tolist()
    [0.0, 1.0, 2.0]
    """
    low, high = ends
    steps: NDArray[np.float64] = unpack_integers(packed, n_columns).astype(np.float64)
    return low + steps * ((high - low) / ((1 << bits) - 1))
