"""Cortical sheets made small enough for a page, each held once however many maps lie on it.

A *sheet* is the mesh that a hemisphere is drawn on: places, triangles and folding of its vertices. Places are rounded
to a 2,048th of the sheet's extent; neighbours in the file are neighbours on the sheet, so that differences from one to
the next are small numbers, which deflate well. The viewer's `cortex.js` undoes each step.
"""

import base64
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.report.model import PackedSheet
from bids_regions.report.payload import pack_text

__all__ = ["pack_sheet", "unpack_sheet"]

_STEPS = 2047  # of the longest extent: 0.1 mm on a hemisphere of 200 mm
_TONES = 31  # steps of grey between the top of a gyrus and the bottom of a sulcus


def pack_sheet(
    xyz: NDArray[Any],
    triangles: NDArray[Any],
    folding: NDArray[Any] | None,
    *,
    key: str,
    name: str,
    side: Literal["L", "R"],
) -> PackedSheet:
    """A hemisphere's mesh for the viewer.

    Parameters
    ----------
    xyz
        (vertices, 3) mm, RAS+.
    triangles
        (triangles, 3) vertex numbers, all of one orientation; either one.
    folding
        (vertices,) sulci positive, or None.
    key, name, side
        The fields of `PackedSheet`.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])
    >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> sheet = pack_sheet(corners, faces, None, key="s", name="", side="L")
    >>> unpack_sheet(sheet)[0].round(6).tolist()[1], unpack_sheet(sheet)[1].tolist()[3]
    ([8.0, 0.0, 0.0], [1, 2, 3])
    """
    places = np.asarray(xyz, np.float64)
    origin = places.min(axis=0)
    step = max(float((places.max(axis=0) - origin).max()) / _STEPS, 1e-9)
    wound = np.asarray(triangles, np.int64)
    if _volume(places, wound) < 0:
        wound = wound[:, ::-1]
    tones = np.full(len(places), 128) if folding is None else _tones(np.nan_to_num(np.asarray(folding, np.float64)))
    return PackedSheet(
        key=key,
        name=name,
        side=side,
        n_vertices=len(places),
        n_triangles=len(wound),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        step=step,
        places=_pack(np.rint((places - origin) / step).astype(np.int64), 3, np.dtype("<u2")),
        triangles=_pack(wound.reshape(-1, 1), 1, np.dtype("<u4")),
        folding=pack_text(tones.astype(np.uint8).data),
    )


def unpack_sheet(sheet: PackedSheet) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places in mm and triangles: what the viewer sees."""
    places = _unpack(sheet.places, 3, np.dtype("<u2")) * sheet.step + np.array(sheet.origin)
    return places, _unpack(sheet.triangles, 1, np.dtype("<u4")).reshape(-1, 3)


def _volume(xyz: NDArray[np.float64], triangles: NDArray[np.int64]) -> float:
    """Six times the volume that a sheet encloses: positive where its triangles are wound outwards."""
    a, b, c = (xyz[triangles[:, corner]] - xyz.mean(axis=0) for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)))


def _tones(folding: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(folding, (5, 95))
    if not high > low:
        return np.full(len(folding), 128.0)
    tones: NDArray[np.float64] = np.rint(
        np.rint(np.clip((folding - low) / (high - low), 0, 1) * _TONES) * (255 / _TONES)
    )
    return tones


def _pack(numbers: NDArray[np.int64], columns: int, dtype: np.dtype[Any]) -> str:
    """Differences down each column, folded to unsigned numbers, all lowest bytes first."""
    steps = np.diff(numbers.reshape(-1, columns), axis=0, prepend=0)
    folded = np.where(steps < 0, -2 * steps - 1, 2 * steps).T.astype(dtype).ravel()
    planes = folded.view(np.uint8).reshape(folded.size, folded.itemsize).T
    return pack_text(np.ascontiguousarray(planes).ravel().data)


def _unpack(text: str, columns: int, dtype: np.dtype[Any]) -> NDArray[np.int64]:
    raw = zlib.decompress(base64.b64decode(text))
    planes = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    folded = np.ascontiguousarray(planes.T).view(dtype).astype(np.int64).reshape(columns, -1).T
    return np.cumsum(np.where(folded & 1, -(folded + 1) // 2, folded // 2), axis=0)
