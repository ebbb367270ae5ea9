"""GIFTI files: numbers or labels of a hemisphere's vertices, its mesh; read with care, written plainly.

A vertex is known by its number, 0-based. A file tells the structure its vertices belong to, or does not: then its name
may. Broken and hostile files end here, each with a sentence.
"""

import base64
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import hash_bytes, write_bytes
from bids_regions.frozen import dataclass
from bids_regions.images.gifti_arrays import Declaration, Decoder, declare
from bids_regions.images.inflation import FETCH_AGAIN, ByteStream
from bids_regions.images.structures import in_cifti, in_gifti
from bids_regions.images.xml import Bulk, parse_xml

__all__ = [
    "DataArray",
    "Gifti",
    "LabelName",
    "Surface",
    "count_arrays",
    "encode_gifti_labels",
    "load_surface",
    "read_gifti",
    "save_gifti_labels",
    "save_gifti_map",
]

MAX_TEXT = 1 << 16  # characters of a name or value that is kept; provenance may have a million
MAX_LABELS = 1 << 20
PIECE = 1 << 14  # numbers that are packed at once
NOT_VALUES = {"POINTSET", "TRIANGLE", "NODE_INDEX", "VECTOR", "RGB_VECTOR", "RGBA_VECTOR", "GENMATRIX"}
GIVE_SURFACE = "Give a surface (.surf.gii): a file with coordinates and triangles"


@dataclass(frozen=True, kw_only=True, eq=False)
class DataArray:
    """One array of a file."""

    intent: str  # without NIFTI_INTENT_: "ZSCORE", "POINTSET", "NONE"
    values: NDArray[Any] | None  # the stored type, native; None where it was not wanted
    shape: tuple[int, ...]  # that the file promises
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LabelName:
    """A key of a label table."""

    name: str
    rgba: tuple[float, float, float, float]  # 0 to 1


@dataclass(frozen=True, kw_only=True)
class Gifti:
    """A file's arrays in their order, and what it says of them."""

    arrays: tuple[DataArray, ...]
    structure: str  # CIFTI's word: CORTEX_LEFT; "" where the file does not say
    labels: Mapping[int, LabelName]
    content_hash: str  # SHA-256 of the file's bytes, those of a file beside it included

    def of_intent(self, intent: str) -> tuple[DataArray, ...]:
        """The arrays of one intent."""
        return tuple(array for array in self.arrays if array.intent == intent)

    def of_values(self) -> tuple[DataArray, ...]:
        """The arrays that hold a number for each vertex."""
        return tuple(array for array in self.arrays if array.intent not in NOT_VALUES)


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """A mesh in space."""

    xyz: NDArray[np.float64]  # (n, 3) mm, RAS+
    triangles: NDArray[np.int32]  # (m, 3) numbers of vertices
    structure: str  # CORTEX_LEFT; "" where the file does not say
    content_hash: str


Wanted = Callable[[int, str], bool]  # the number of an array, counted among those of its intent, and that intent


def read_gifti(path: Path, wanted: Wanted = lambda _number, _intent: True) -> Gifti:
    """The GIFTI file `path`; the numbers of arrays that are not wanted are passed over and take no memory.

    Raises
    ------
    BadMap
        The file is broken, not there, or lies about its content.
    UnsuitableMap
        It is no GIFTI file, or its numbers are no real ones.
    StorageFault
        The file system failed.
    """
    with ByteStream(path) as stream:
        document = _Document(stream, wanted)
        if b"<GIFTI" not in stream.peek(4096):
            raise BadMap(f"{path.name} is no GIFTI file: it does not begin as one", hint=FETCH_AGAIN)
        try:
            parse_xml(stream.blocks(), document, path.name, Bulk(tag=b"<Data>", take=document.take))
        except MemoryError as error:
            raise BadMap(f"{path.name} does not fit into memory", hint="Give more memory to each worker") from error
        content_hash = stream.finish()
    if document.external_hashes:
        content_hash = hash_bytes("".join([content_hash, *document.external_hashes]).encode())
    return Gifti(
        arrays=tuple(document.arrays), structure=document.structure, labels=document.labels, content_hash=content_hash
    )


def count_arrays(path: Path) -> int:
    """How many arrays with a number for each vertex the GIFTI file `path` has; its numbers are passed over."""
    return len(read_gifti(path, lambda _number, _intent: False).of_values())


@dataclass(kw_only=True)
class _Array:
    """A data array that is being read."""

    declared: Declaration
    decoder: Decoder | None
    metadata: dict[str, str] = field(default_factory=dict)


class _Document:
    """Listens to the elements of a GIFTI file."""

    def __init__(self, stream: ByteStream, wanted: Wanted) -> None:
        self.stream, self.wanted = stream, wanted
        self.arrays: list[DataArray] = []
        self.labels: dict[int, LabelName] = {}
        self.structure = ""
        self.external_hashes: list[str] = []
        self._array: _Array | None = None
        self._counts: dict[str, int] = {}
        self._decoding = False
        self._words: list[str] | None = None  # of the text that is being kept
        self._n_kept = 0
        self._metadata_name = ""
        self._label: Mapping[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in STARTS:
            STARTS[name](self, attributes)
        if name in ("Name", "Value", "Label"):
            self._words, self._n_kept = [], 0

    def text(self, text: str) -> None:
        if self._decoding and self._array and self._array.decoder:
            self._array.decoder.feed(text)
        elif self._words is not None and self._n_kept < MAX_TEXT:
            self._words.append(text[: MAX_TEXT - self._n_kept])
            self._n_kept += len(self._words[-1])

    def end(self, name: str) -> None:
        if name in ENDS:
            ENDS[name](self)

    def take(self, text: bytes) -> bool:
        decoder = self._array.decoder if self._decoding and self._array else None
        return decoder is not None and decoder.take(text)

    def _kept(self) -> str:
        text, self._words = "".join(self._words or ()), None
        return text

    def _start_array(self, attributes: Mapping[str, str]) -> None:
        if self._array is not None:
            raise BadMap(f"{self.stream.name} is damaged: it has a data array within another", hint=FETCH_AGAIN)
        declared = declare(attributes, self.stream)
        number = self._counts.get(declared.intent, 0)
        self._counts[declared.intent] = number + 1
        wanted = self.wanted(number, declared.intent)
        self._array = _Array(declared=declared, decoder=Decoder(declared, self.stream.path) if wanted else None)

    def _start_data(self, _: Mapping[str, str]) -> None:
        self._decoding = True

    def _end_data(self) -> None:
        self._decoding = False

    def _end_array(self) -> None:
        array = self._array
        if array is None:
            return
        values = array.decoder.finish() if array.decoder else None
        if array.decoder and array.decoder.external_hash:
            self.external_hashes.append(array.decoder.external_hash)
        declared = array.declared
        found = DataArray(intent=declared.intent, values=values, shape=declared.shape, metadata=array.metadata)
        self.arrays.append(found)
        self._array = None

    def _end_name(self) -> None:
        self._metadata_name = self._kept()

    def _end_value(self) -> None:
        name, value = self._metadata_name, self._kept()
        if name == "AnatomicalStructurePrimary" and not self.structure:
            self.structure = in_cifti(value)
        if self._array is not None and len(self._array.metadata) < 100:
            self._array.metadata[name] = value

    def _start_label(self, attributes: Mapping[str, str]) -> None:
        self._label = attributes

    def _end_label(self) -> None:
        name, attributes = self._kept(), self._label
        try:
            key = int(attributes.get("Key", attributes.get("Index", "")))
            red, green, blue, alpha = (float(attributes.get(c, default)) for c, default in
                                       (("Red", 0), ("Green", 0), ("Blue", 0), ("Alpha", 1)))  # fmt: skip
        except ValueError as error:
            raise BadMap(
                f"{self.stream.name} has a label whose key or colour is no number", hint=FETCH_AGAIN
            ) from error
        if len(self.labels) >= MAX_LABELS or not all(map(math.isfinite, (red, green, blue, alpha))):
            raise BadMap(f"{self.stream.name} has a label table that cannot be believed", hint=FETCH_AGAIN)
        self.labels[key] = LabelName(name=name, rgba=(red, green, blue, alpha))


STARTS: Mapping[str, Callable[[_Document, Mapping[str, str]], None]] = {
    "DataArray": _Document._start_array, "Data": _Document._start_data, "Label": _Document._start_label,
}  # fmt: skip
ENDS: Mapping[str, Callable[[_Document], None]] = {
    "DataArray": _Document._end_array, "Data": _Document._end_data, "Label": _Document._end_label,
    "Name": _Document._end_name, "Value": _Document._end_value,
}  # fmt: skip


def load_surface(path: Path) -> Surface:
    """The mesh in the GIFTI file `path`: its coordinates and its triangles.

    Raises
    ------
    BadMap
        The file is broken or holds no mesh, or one that no surface is.
    """
    try:
        found = read_gifti(path, lambda number, intent: number == 0 and intent in ("POINTSET", "TRIANGLE"))
    except UnsuitableMap as error:
        raise BadMap(error.sentence, hint=GIVE_SURFACE) from error
    places, corners = found.of_intent("POINTSET"), found.of_intent("TRIANGLE")
    if not places or not corners or places[0].values is None or corners[0].values is None:
        raise BadMap(f"{path.name} holds no mesh", hint=GIVE_SURFACE)
    xyz, triangles = places[0].values, corners[0].values
    problem = _find_problem(xyz, triangles)
    if problem:
        raise BadMap(f"{path.name} holds no mesh: {problem}", hint=GIVE_SURFACE)
    return Surface(
        xyz=xyz.astype(np.float64), triangles=triangles.astype(np.int32), structure=found.structure,
        content_hash=found.content_hash,
    )  # fmt: skip


def _find_problem(xyz: NDArray[Any], triangles: NDArray[Any]) -> str:
    if xyz.ndim != 2 or xyz.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        return f"coordinates of shape {xyz.shape}, triangles of shape {triangles.shape}"
    if not np.isfinite(xyz).all():
        return "coordinates that are not finite"
    if triangles.dtype.kind not in "iu":
        return "triangles that are no whole numbers"
    if triangles.size and not 0 <= int(triangles.min()) <= int(triangles.max()) < len(xyz):
        return f"triangles of vertices {triangles.min()} to {triangles.max()}, of which there are {len(xyz)}"
    return ""


def save_gifti_labels(
    path: Path, labels: NDArray[np.integer[Any]], structure: str, table: Sequence[tuple[int, str, str]]
) -> str:
    """Write a label for each vertex as GIFTI, int32, with the `table` of (key, name, #rrggbb); 0 is no label.

    Returns the hash of the file. Equal content gives equal bytes.
    """
    return write_bytes(path, encode_gifti_labels(labels, structure, table), only_if_changed=True)


def encode_gifti_labels(
    labels: NDArray[np.integer[Any]], structure: str, table: Sequence[tuple[int, str, str]]
) -> bytes:
    """The bytes of such a file."""
    rows = ['<Label Key="0" Red="0" Green="0" Blue="0" Alpha="0">???</Label>']
    rows += [f"<Label Key={quoteattr(str(key))} {in_rgba(color)}>{escape(name)}</Label>" for key, name, color in table]
    array = _in_xml(labels, "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32", "<i4")
    return _in_document(structure, rows, array)


def save_gifti_map(path: Path, data: NDArray[Any], structure: str, *, intent: str = "NONE") -> str:
    """Write a number for each vertex as GIFTI, float32; the hash of the file."""
    array = _in_xml(data, f"NIFTI_INTENT_{intent}", "NIFTI_TYPE_FLOAT32", "<f4")
    return write_bytes(path, _in_document(structure, [], array), only_if_changed=True)


def in_rgba(color: str) -> str:
    """A colour, #rrggbb, as the attributes of a label; thousandths, which give the same byte back.

    >>> in_rgba("#e69f00")
    'Red="0.902" Green="0.624" Blue="0" Alpha="1"'
    """
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return " ".join(
        f'{name}="{value:.3g}"' for name, value in zip(("Red", "Green", "Blue", "Alpha"), (*parts, 1), strict=True)
    )


def _in_document(structure: str, labels: Sequence[str], array: str) -> bytes:
    metadata = (
        f"<MD><Name>AnatomicalStructurePrimary</Name><Value>{in_gifti(structure)}</Value></MD>" if structure else ""
    )
    lines = (
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">',
        '<GIFTI Version="1.0" NumberOfDataArrays="1">',
        f"<MetaData>{metadata}</MetaData>",
        "<LabelTable>" + "".join(f"\n{row}" for row in labels) + "</LabelTable>",
        array,
        "</GIFTI>\n",
    )
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _in_xml(values: NDArray[Any], intent: str, kind: str, stored: str) -> str:
    """The array as XML, its numbers of the type `stored`, which are not in memory all at once."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    pieces = (values[at : at + PIECE].astype(stored).data.cast("B") for at in range(0, values.size, PIECE))
    packed = b"".join([*map(packer.compress, pieces), packer.flush()])
    attributes = (
        f'Intent="{intent}" DataType="{kind}" ArrayIndexingOrder="RowMajorOrder" Dimensionality="1" '
        f'Dim0="{values.size}" Encoding="GZipBase64Binary" Endian="LittleEndian" ExternalFileName="" '
        'ExternalFileOffset=""'
    )
    data = base64.b64encode(packed).decode()
    return f"<DataArray {attributes}>\n<MetaData></MetaData>\n<Data>{data}</Data>\n</DataArray>"
