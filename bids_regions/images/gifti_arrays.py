"""The numbers of a GIFTI data array, decoded as their text comes: never more in memory than the array itself.

A *declaration* is what a `DataArray` element promises: the type, shape and encoding of its numbers. It is checked
before anything is allocated, and what comes is held against it.
"""

import binascii
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import hash_file
from bids_regions.frozen import dataclass
from bids_regions.images.inflation import FETCH_AGAIN, ByteStream

__all__ = ["Declaration", "Decoder", "declare"]

TYPES = {
    **{f"NIFTI_TYPE_FLOAT{bits}": np.dtype(f"f{bits // 8}") for bits in (32, 64)},
    **{f"NIFTI_TYPE_{sign}INT{bits}": np.dtype(f"{kind}{bits // 8}")
       for sign, kind in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)},
}  # fmt: skip
ORDERS: dict[str, Literal["<", ">"]] = {"LittleEndian": "<", "BigEndian": ">"}
ENCODINGS = ("ASCII", "Base64Binary", "GZipBase64Binary", "ExternalFileBinary")
MAX_DEFLATE = 1032  # bytes one byte of deflate can become at most
MAX_SIZE = (1 << 31) - 1  # numbers of an array
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
PIECE = 1 << 14  # characters decoded at once
ZLIB, GZIP = 15, 31  # windows, by zlib's numbers; GIFTI says zlib, some writers take gzip
STORE_AGAIN = "Store this file again, with wb_command or nibabel for instance"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a data array promises."""

    intent: str  # without NIFTI_INTENT_: "ZSCORE", "POINTSET", "NONE"
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # of the stored numbers, in the file's byte order
    column_major: bool
    encoding: str
    external: str  # the name of a file of its own that holds the numbers; "" where they are here
    external_offset: int  # bytes before the first one there

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)


def declare(attributes: Mapping[str, str], stream: ByteStream) -> Declaration:
    """What the attributes of a `DataArray` promise, if a file like `stream` can hold it.

    Raises
    ------
    BadMap
        They are missing, contradict each other, or promise more than the file can hold.
    UnsuitableMap
        The array holds no real numbers.
    """
    name = stream.name
    kind = attributes.get("DataType", "")
    if kind not in TYPES:
        raise UnsuitableMap(f"{name} holds numbers of the type {kind[:40] or 'nothing'!r}, which are no map's")
    encoding = attributes.get("Encoding", "")
    if encoding not in ENCODINGS:
        _bad(name, f"has a data array of the unknown encoding {encoding[:40]!r}")
    order = attributes.get("Endian", "")
    if order not in ORDERS and encoding != "ASCII":
        _bad(name, f"has a data array of the unknown byte order {order[:40]!r}")
    declared = Declaration(
        intent=attributes.get("Intent", "").removeprefix("NIFTI_INTENT_") or "NONE",
        shape=_find_shape(attributes, name), dtype=TYPES[kind].newbyteorder(ORDERS.get(order, "=")),
        column_major=attributes.get("ArrayIndexingOrder", "RowMajorOrder") == "ColumnMajorOrder",
        encoding=encoding, external=attributes.get("ExternalFileName", "") if encoding == "ExternalFileBinary" else "",
        external_offset=_whole(attributes.get("ExternalFileOffset") or "0", name),
    )  # fmt: skip
    _check_promise(declared, stream)
    return declared


def _find_shape(attributes: Mapping[str, str], name: str) -> tuple[int, ...]:
    n_dim = _whole(attributes.get("Dimensionality", "1"), name)
    if not 1 <= n_dim <= 6:
        _bad(name, f"has a data array of {n_dim} dimensions")
    shape = [_whole(attributes.get(f"Dim{k}", ""), name) for k in range(n_dim)]
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _whole(text: str, name: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text) <= 18):
        _bad(name, f"has a data array whose size is given as {text[:40]!r}")
    return int(text)


def _check_promise(declared: Declaration, stream: ByteStream) -> None:
    """Refuse before anything is allocated what a file of this size cannot hold."""
    if declared.size > MAX_SIZE:
        _bad(stream.name, f"has a data array of {declared.size} numbers, more than can be numbered")
    least = {"ASCII": 2 * declared.size - 1, "Base64Binary": declared.size * declared.dtype.itemsize * 4 // 3}
    packed = stream.is_gzip + (declared.encoding == "GZipBase64Binary")
    promised = least.get(declared.encoding, declared.size * declared.dtype.itemsize)
    if not declared.external and promised > stream.size * (MAX_DEFLATE if packed else 1):
        sentence = f"{stream.name} promises an array of {declared.size} numbers, which {stream.size} bytes cannot hold"
        raise BadMap(sentence, hint=FETCH_AGAIN)


def _bad(name: str, what: str) -> NoReturn:
    raise BadMap(f"{name} {what}", hint=STORE_AGAIN)


class Decoder:
    """Takes the text of one data array, piece by piece, and gives its numbers."""

    def __init__(self, declared: Declaration, path: Path) -> None:
        self.declared, self.path = declared, path
        self.values: NDArray[Any] = np.empty(declared.size, declared.dtype)
        self._target = self.values.data.cast("B") if declared.size else memoryview(bytearray())
        self._at = 0  # bytes, in ASCII numbers, that are there
        self._pieces: list[str] = []
        self._held = 0  # characters in them
        self._inflater: Any = None
        self.external_hash = ""  # of the file beside this one that held the numbers

    def feed(self, text: str) -> None:
        """More of the text."""
        self._pieces.append(text)
        self._held += len(text)
        if self._held >= PIECE:
            self._decode(last=False)

    def take(self, text: bytes) -> bool:
        """More of the text, if it is base64 and nothing else, not even white space; False where nothing was done."""
        if self.declared.encoding not in ("Base64Binary", "GZipBase64Binary"):
            return False
        text = "".join(self._pieces).encode() + text
        n = len(text) - len(text) % 4
        if text[n:].strip(BASE64):
            return False
        try:
            content = binascii.a2b_base64(text[:n], strict_mode=True)
        except ValueError:
            return False
        self._take_content(content)
        self._pieces, self._held = [text[n:].decode()], len(text) - n
        return True

    def finish(self) -> NDArray[Any]:
        """The numbers, native and in the shape that was promised."""
        declared = self.declared
        if declared.encoding == "ExternalFileBinary":
            self._read_external()
        else:
            self._decode(last=True)
        if self._inflater is not None and not self._inflater.eof:
            self._truncated()
        if self._at != (self.values.size if declared.encoding == "ASCII" else self.values.nbytes):
            self._truncated()
        values = self.values
        if not values.dtype.isnative:
            values = values.byteswap(inplace=True).view(values.dtype.newbyteorder("="))
        return values.reshape(declared.shape, order="F" if declared.column_major else "C")

    def _decode(self, *, last: bool) -> None:
        text = "".join(self._pieces)
        if self.declared.encoding == "ASCII":
            rest = "" if last or not text or text[-1].isspace() else text.rsplit(None, 1)[-1]
            self._take_numbers(text[: len(text) - len(rest)])
        else:
            text = "".join(text.split())
            rest = text[len(text) - len(text) % 4 :]
            self._take_base64(text[: len(text) - len(rest)])
            if last and rest:
                self._truncated()
        self._pieces, self._held = [rest], len(rest)

    def _take_numbers(self, text: str) -> None:
        try:
            numbers = np.array(text.split(), dtype=np.float64)
        except ValueError as error:
            raise BadMap(f"{self.path.name} has text among its numbers", hint=STORE_AGAIN) from error
        if self._at + numbers.size > self.values.size:
            self._too_long()
        with np.errstate(all="ignore"):
            self.values[self._at : self._at + numbers.size] = numbers
        self._at += numbers.size

    def _take_base64(self, text: str) -> None:
        if not text:
            return
        try:
            content = binascii.a2b_base64(text, strict_mode=True)
        except ValueError as error:
            raise BadMap(f"{self.path.name} is damaged: its base64 is broken", hint=FETCH_AGAIN) from error
        self._take_content(content)

    def _take_content(self, content: bytes) -> None:
        if self.declared.encoding == "Base64Binary":
            self._put(content)
        else:
            self._inflate(content)

    def _inflate(self, content: bytes) -> None:
        if self._inflater is None:
            self._inflater = isal_zlib.decompressobj(GZIP if content[:2] == b"\x1f\x8b" else ZLIB)
        try:
            more = True
            while (content or more) and not self._inflater.eof:  # isal may hold back some when all is taken in
                limit = min(len(self._target) - self._at + 1, PIECE)
                piece = self._inflater.decompress(content, limit)
                self._put(piece)
                content, more = self._inflater.unconsumed_tail, len(piece) == limit
        except (zlib.error, isal_zlib.error) as error:  # type: ignore[misc] # stubs: an instance, no class
            raise BadMap(f"{self.path.name} is damaged: its compressed data is broken", hint=FETCH_AGAIN) from error
        if content and not self._inflater.unused_data:
            self._too_long()

    def _put(self, content: bytes) -> None:
        if self._at + len(content) > len(self._target):
            self._too_long()
        self._target[self._at : self._at + len(content)] = content
        self._at += len(content)

    def _read_external(self) -> None:
        """The numbers from a file beside this one, and from nowhere else."""
        name = self.declared.external
        if not name or os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:  # noqa: PTH117 # no path yet
            sentence = (
                f"{self.path.name} keeps its numbers in {name[:100]!r}, which is no file beside it: it is not read"
            )
            raise BadMap(sentence, hint="Put the file beside it and name it so, or store it as GZipBase64Binary")
        try:
            self._take_from(self.path.parent / name)
        except BadMap as fault:
            told = f"{self.path.name} keeps its numbers in a file beside it: {fault.sentence}"
            raise BadMap(told, hint=fault.hint) from fault

    def _take_from(self, path: Path) -> None:
        declared = self.declared
        with ByteStream(path) as stream:
            if stream.is_gzip or declared.external_offset + self.values.nbytes > stream.size:
                raise BadMap(f"{path.name} is too short for what is said to be in it", hint=FETCH_AGAIN)
            skipped = bytearray(min(declared.external_offset, PIECE))
            for at in range(0, declared.external_offset, PIECE):
                stream.read_into(memoryview(skipped)[: declared.external_offset - at])
            stream.read_into(self._target)
        self._at, self.external_hash = self.values.nbytes, hash_file(path)

    def _too_long(self) -> NoReturn:
        raise BadMap(f"{self.path.name} holds more data than it promises", hint=FETCH_AGAIN)

    def _truncated(self) -> NoReturn:
        raise BadMap(f"{self.path.name} is truncated: numbers of a data array are missing", hint=FETCH_AGAIN)
