"""CIFTI-2 files: a map of grayordinates, the vertices and voxels of brain structures, and labels on the same ones.

A *brain model* is the part of a file's grayordinates that lies in one structure: some vertices of its mesh, or some
voxels of the one volume of the file. What a header says of them takes longer to read than everything else; it is read
once and known again by its hash. Broken and hostile files end here, each with a sentence.
"""

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from nibabel.nifti2 import Nifti2Header
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import write_bytes
from bids_regions.frozen import dataclass
from bids_regions.images.cifti_header import BrainModel, Grayordinates, Matrix, read_matrix
from bids_regions.images.gifti import in_rgba
from bids_regions.images.inflation import FETCH_AGAIN, ByteStream

__all__ = [
    "BrainModel",
    "CiftiMap",
    "Grayordinates",
    "count_maps",
    "encode_cifti_labels",
    "is_cifti",
    "read_cifti",
    "read_grayordinates",
    "save_cifti_labels",
    "save_cifti_map",
]

HEADER = Nifti2Header.sizeof_hdr
UNKNOWN = 3000  # nibabel's own, where nobody says another: the XML tells what the file holds
INTENTS = {3002: "dtseries", 3006: "dscalar", 3007: "dlabel"}  # one number for each grayordinate
OTHER_INTENTS = {
    3001: "a matrix of connections (dconn)", 3003: "a matrix of parcels (pconn)", 3004: "parcels over time (ptseries)",
    3008: "numbers of parcels (pscalar), which have no place", 3009: "parcels and grayordinates (pdconn)",
    3010: "parcels and grayordinates (dpconn)",
}  # fmt: skip
EXTENSION_CODE = 32
UTF_16 = b"\xff\xfe"  # how a text of it begins, whose last byte is 0
MAX_XML = 1 << 26  # bytes; that of 91,282 grayordinates has 0.6 MB
MAX_NUMBERS = (1 << 31) - 1
PART = 1 << 20  # bytes of several maps looked at together
LABEL_TYPES = (np.uint8, np.uint16, np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class CiftiMap:
    """One map of a file."""

    data: NDArray[Any]  # (n,) native; float32 as stored, everything else float64; labels whole numbers as float64
    grayordinates: Grayordinates
    n_maps: int  # in the file
    map_name: str  # "" where it has none
    labels: Any  # Mapping[int, LabelName] of a dlabel file, else empty
    kind: str  # dtseries, dscalar, dlabel
    content_hash: str  # SHA-256 of the file's bytes
    notes: tuple[str, ...] = ()  # what a user should know of this file


def is_cifti(block: bytes) -> bool:
    """Whether a file that begins with `block` (540 bytes) is CIFTI, by its header's intent."""
    return _find_order(block) is not None and int(_header(block)["intent_code"]) in range(3000, 3100)


def read_cifti(path: Path, number: int | None = None) -> CiftiMap:
    """The map with the `number` (from 0) in the CIFTI-2 file `path`; without one, the only map of the file.

    Raises
    ------
    BadMap
        The file is broken, not there, or lies about its content; it has no map of that number.
    UnsuitableMap
        It is sound and holds no such map: several where one was asked for, parcels, connections.
    StorageFault
        The file system failed.
    """
    try:
        with ByteStream(path) as stream:
            header = _read_header(stream)
            matrix = _read_matrix(stream, int(header["vox_offset"]))
            n_maps, n = _find_extent(header, matrix, stream)
            chosen = _choose(n_maps, number, path.name)
            data = _read_numbers(stream, header, (n_maps, n), chosen)
            content_hash = stream.finish()
            beyond = stream.n_beyond
    except MemoryError as error:
        raise BadMap(f"{path.name} does not fit into memory", hint="Give more memory to each worker") from error
    shape = "dlabel" if any(matrix.labels) else "dtseries" if ".dtseries." in path.name else "dscalar"
    return CiftiMap(
        data=data, grayordinates=matrix.grayordinates, n_maps=n_maps,
        kind=INTENTS.get(int(header["intent_code"])) or shape,
        map_name=matrix.map_names[chosen] if chosen < len(matrix.map_names) else "",
        labels=matrix.labels[chosen] if chosen < len(matrix.labels) else {}, content_hash=content_hash,
        notes=(f"{beyond} bytes after the numbers were not read",) if beyond else (),
    )  # fmt: skip


def count_maps(path: Path) -> int:
    """How many maps the CIFTI-2 file `path` promises; only what stands before its numbers is read."""
    with ByteStream(path) as stream:
        header = _read_header(stream)
        return _find_extent(header, _read_matrix(stream, int(header["vox_offset"])), stream)[0]


def read_grayordinates(path: Path) -> Grayordinates:
    """Which vertices and voxels the CIFTI-2 file `path` has; only what stands before its numbers is read."""
    with ByteStream(path) as stream:
        return _read_matrix(stream, int(_read_header(stream)["vox_offset"])).grayordinates


def _bad(name: str, what: str) -> NoReturn:
    raise BadMap(f"{name} {what}", hint=FETCH_AGAIN)


def _find_order(block: bytes) -> str | None:
    if len(block) < HEADER:
        return None
    return next((order for order in "<>" if struct.unpack(order + "i", block[:4])[0] == HEADER), None)


def _header(block: bytes) -> Any:
    return Nifti2Header(block[:HEADER], endianness=_find_order(block), check=False)


def _read_header(stream: ByteStream) -> Any:
    block = stream.peek(HEADER)
    if _find_order(block) is None:
        _bad(stream.name, "is no CIFTI-2 file: it does not begin with a NIfTI-2 header")
    header = _header(block)
    intent = int(header["intent_code"])
    if intent in OTHER_INTENTS:
        raise UnsuitableMap(f"{stream.name} holds {OTHER_INTENTS[intent]}", hint="Give a map of grayordinates")
    if intent not in INTENTS and intent != UNKNOWN:
        _bad(stream.name, f"is no CIFTI file of grayordinates: its header has the intent {intent}")
    offset = int(header["vox_offset"])
    if not HEADER + 12 <= offset <= min(MAX_XML, 1 << 40) + HEADER:
        _bad(stream.name, f"has a header that begins the numbers at byte {offset}")
    if not stream.is_gzip and offset > stream.size:
        _bad(stream.name, f"is truncated: it has {stream.size} bytes, of which its header takes {offset}")
    return header


def _read_matrix(stream: ByteStream, offset: int) -> Matrix:
    """What the XML between the header and the numbers says."""
    front = bytearray(offset)
    stream.read_into(memoryview(front))
    order = _find_order(bytes(front[:HEADER])) or "<"
    at = HEADER + 4
    while front[HEADER] and at + 8 <= offset:
        size, code = struct.unpack_from(order + "ii", front, at)
        if size < 8 or at + size > offset:
            _bad(stream.name, f"has a broken header extension of {size} bytes")
        if code == EXTENSION_CODE:
            del front[at + size :], front[: at + 8]  # a megabyte, of which there is no copy
            return read_matrix(_unpadded(front), stream.name)
        at += size
    _bad(stream.name, "has no CIFTI header: nothing says which grayordinates its numbers belong to")


def _find_extent(header: Any, matrix: Matrix, stream: ByteStream) -> tuple[int, int]:
    """How many maps, and how many grayordinates each has."""
    n_dim, *sizes = (int(size) for size in header["dim"])
    n = matrix.grayordinates.size
    if n_dim not in (6, 7) or sizes[:4] != [1, 1, 1, 1] or sizes[5] != n or sizes[4] < 1:
        shape = " x ".join(map(str, sizes[4:n_dim])) if 5 <= n_dim <= 7 else f"{n_dim} dimensions"
        _bad(stream.name, f"contradicts itself: numbers of {shape}, where its XML names {n} grayordinates")
    if sizes[4] * n > MAX_NUMBERS:
        _bad(stream.name, f"promises {sizes[4]} maps of {n} grayordinates, more than can be numbered")
    return sizes[4], n


def _unpadded(xml: bytearray) -> bytearray:
    """The same XML without the zeros behind it, of which one belongs to the last letter of UTF-16."""
    n = len(xml)
    while n and not xml[n - 1]:
        n -= 1
    del xml[n:]
    if n % 2 and xml[:2] == UTF_16:
        xml.append(0)
    return xml


def _choose(n_maps: int, number: int | None, name: str) -> int:
    if number is None and n_maps > 1:
        hint = f"Name those to take with --volumes, of 1 to {n_maps}, or all"
        raise UnsuitableMap(f"{name} holds {n_maps} maps", hint=hint)
    if not 0 <= (number or 0) < n_maps:
        raise BadMap(f"{name} has no map {(number or 0) + 1}: it holds {n_maps}", hint="Name another with --volumes")
    return number or 0


def _read_numbers(stream: ByteStream, header: Any, extent: tuple[int, int], chosen: int) -> NDArray[Any]:
    """The numbers of one map; of several, which lie grayordinate by grayordinate, the rest is passed over."""
    n_maps, n = extent
    dtype = _find_dtype(header, stream.name)
    promised = n_maps * n * dtype.itemsize
    if not stream.is_gzip and int(header["vox_offset"]) + promised > stream.size:
        _bad(
            stream.name,
            f"is truncated: it has {stream.size} bytes and promises {n_maps} x {n} numbers after its header",
        )
    stored = np.empty(n, dtype)
    if n_maps == 1:
        stream.read_into(stored.data.cast("B"))
    else:
        step = max(1, PART // (n_maps * dtype.itemsize))
        room = np.empty(min(step, n) * n_maps, dtype)
        for at in range(0, n, step):
            some = room[: min(step, n - at) * n_maps]
            stream.read_into(some.data.cast("B"), later=(n - at) * n_maps * dtype.itemsize - some.nbytes)
            stored[at : at + step] = some[chosen::n_maps]
    if not dtype.isnative:
        stored = stored.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return _scaled(stored, float(header["scl_slope"]), float(header["scl_inter"]))


def _find_dtype(header: Any, name: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except Exception as error:  # nibabel's own kinds of error for an unknown code
        raise BadMap(f"{name} has numbers of the unknown type {int(header['datatype'])}", hint=FETCH_AGAIN) from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnsuitableMap(f"{name} holds numbers of the type {dtype.name}, which are no map's")
    return dtype


def _scaled(stored: NDArray[Any], slope: float, inter: float) -> NDArray[Any]:
    as_is = slope == 0 or not math.isfinite(slope) or (slope, inter) == (1, 0)
    if as_is and stored.dtype == np.float32:
        return stored
    values = stored.astype(np.float64)
    if not as_is:
        with np.errstate(all="ignore"):
            values *= slope
            values += inter if math.isfinite(inter) else 0
    return values


def save_cifti_labels(
    path: Path,
    labels: NDArray[np.integer[Any]],
    grayordinates: Grayordinates,
    table: Sequence[tuple[int, str, str]],
    map_name: str,
) -> str:
    """Write a label for each grayordinate as dlabel.nii, with the `table` of (key, name, #rrggbb); 0 is no label.

    The smallest of uint8, uint16 and int32 is taken. Returns the hash of the file. Equal content gives equal bytes.
    """
    content = _label_parts(labels, grayordinates, table, map_name)
    return write_bytes(path, *content, only_if_changed=True)


def encode_cifti_labels(
    labels: NDArray[np.integer[Any]],
    grayordinates: Grayordinates,
    table: Sequence[tuple[int, str, str]],
    map_name: str,
) -> bytes:
    """The bytes of such a file."""
    return b"".join(_label_parts(labels, grayordinates, table, map_name))


def _label_parts(
    labels: NDArray[np.integer[Any]],
    grayordinates: Grayordinates,
    table: Sequence[tuple[int, str, str]],
    map_name: str,
) -> list[bytes]:
    rows = ['<Label Key="0" Red="0" Green="0" Blue="0" Alpha="0">???</Label>']
    rows += [f"<Label Key={quoteattr(str(key))} {in_rgba(color)}>{escape(name)}</Label>" for key, name, color in table]
    named = f"<LabelTable>{''.join(rows)}</LabelTable>"
    high = int(labels.max(initial=0))
    dtype = next(kind for kind in LABEL_TYPES if high <= np.iinfo(kind).max)
    return _encode(labels.astype(dtype), grayordinates, (3007, "LABELS", map_name, named))


def save_cifti_map(path: Path, data: NDArray[Any], grayordinates: Grayordinates, map_name: str) -> str:
    """Write a number for each grayordinate as dscalar.nii, float32; the hash of the file."""
    content = _encode(data.astype(np.float32), grayordinates, (3006, "SCALARS", map_name, ""))
    return write_bytes(path, *content, only_if_changed=True)


def _encode(data: NDArray[Any], grayordinates: Grayordinates, what: tuple[int, str, str, str]) -> list[bytes]:
    """The file in parts: the brain models, larger than the numbers, are not copied."""
    intent, kind, map_name, named = what
    if data.shape != (grayordinates.size,):
        raise ValueError(f"data of shape {data.shape} cannot lie on {grayordinates.size} grayordinates")
    first = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CIFTI Version="2"><Matrix><MatrixIndicesMap '
        f'AppliesToMatrixDimension="0" IndicesMapToDataType="CIFTI_INDEX_TYPE_{kind}"><NamedMap>'
        f"<MapName>{escape(map_name)}</MapName>{named}</NamedMap></MatrixIndicesMap>"
    ).encode("utf-8", "backslashreplace")
    xml = [first, _models_xml(grayordinates), b"</Matrix></CIFTI>\n"]
    n = sum(map(len, xml))
    size = -(-(n + 8) // 16) * 16
    extension = [struct.pack("<4B2i", 1, 0, 0, 0, size, EXTENSION_CODE), *xml, bytes(size - 8 - n)]
    header = Nifti2Header(endianness="<")
    header.set_data_dtype(data.dtype)
    header["dim"] = [6, 1, 1, 1, 1, 1, data.size, 1]
    header["pixdim"] = [1] * 8
    header["vox_offset"] = HEADER + sum(map(len, extension))
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["xyzt_units"] = 10  # mm and seconds, as wb_command writes it
    header["intent_code"] = intent
    header["intent_name"] = {3006: b"ConnDenseScalar", 3007: b"ConnDenseLabel"}[intent]
    numbers = data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes()
    return [bytes(header.binaryblock), *extension, numbers]


@lru_cache(maxsize=8)
def _models_xml(grayordinates: Grayordinates) -> bytes:
    """The brain models as XML, the same for the same grayordinates however their source had spelled them."""
    parts = ['<MatrixIndicesMap AppliesToMatrixDimension="1" IndicesMapToDataType="CIFTI_INDEX_TYPE_BRAIN_MODELS">']
    if grayordinates.volume_shape is not None and grayordinates.affine is not None:
        rows = "\n".join(" ".join(f"{x:.9g}" for x in row) for row in grayordinates.affine.tolist())
        parts.append(
            f'<Volume VolumeDimensions="{",".join(map(str, grayordinates.volume_shape))}">'
            f'<TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent="-3">{rows}'
            "</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>"
        )
    for model in grayordinates.models:
        head = f'<BrainModel IndexOffset="{model.offset}" IndexCount="{model.size}" '
        name = f'BrainStructure="CIFTI_STRUCTURE_{model.structure}"'
        if model.vertices is not None:
            numbers = " ".join(map(str, model.vertices.tolist()))
            kind = f'ModelType="CIFTI_MODEL_TYPE_SURFACE" {name} SurfaceNumberOfVertices="{model.n_vertices}">'
            parts.append(f"{head}{kind}<VertexIndices>{numbers}</VertexIndices></BrainModel>")
        elif model.ijk is not None:
            numbers = "\n".join("%d %d %d" % tuple(ijk) for ijk in model.ijk.tolist())  # noqa: UP031 # twice as fast
            kind = f'ModelType="CIFTI_MODEL_TYPE_VOXELS" {name}>'
            parts.append(f"{head}{kind}<VoxelIndicesIJK>{numbers}</VoxelIndicesIJK></BrainModel>")
    return "".join([*parts, "</MatrixIndicesMap>"]).encode()
