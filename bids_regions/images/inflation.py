"""The bytes of a file, inflated where they are gzip, forward only and in blocks, so that no file decides our memory.

Gzip is known by its magic bytes and not by the file's name. Where the size of what is to come is known and the file
agrees, libdeflate inflates it at once in less than half of zlib's time. The rest is inflated block by block: by isal in
about half of zlib's time where a member begins as usual, else by zlib itself. This module does not know what the bytes
mean.
"""

import errno
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import deflate
import numpy as np
from isal import isal_zlib

from bids_regions.errors import BadMap, Fault, StorageFault

__all__ = ["FETCH_AGAIN", "ByteStream", "Seen"]

CHUNK = 1 << 16  # bytes read at once; small, because each gzip member copies the rest of its chunk
FIRST = 1 << 12  # bytes inflated at first: a header, after which the rest may be inflated at once
BLOCK = 1 << 18  # bytes inflated at most at once, so that they are still in the processor's cache when copied
BEYOND = 1 << 24  # bytes after an image that are passed over at least
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31  # zlib's number, and isal's, for "a gzip header, the largest window"
GZIP_HEADER, FLAGS, NAME = 10, 3, 8  # bytes of it without optional fields, where its flags are, the flag of a file name
FETCH_AGAIN = "Fetch or compute this file again"
GET_CONTENT = "Get its content, with `datalad get` for instance"
OURS_TO_NAME = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is not there",
    errno.EACCES: "may not be read",
    errno.EPERM: "may not be read",
    errno.ELOOP: "is a loop of symbolic links",
    errno.ENAMETOOLONG: "has a path that is too long for this system",
    errno.EISDIR: "is a folder and no file",
}


class Seen(NamedTuple):
    """A file that was read to its end: what tells whether it is still the same, and the hash of its bytes."""

    mark: tuple[int, ...]  # file, size, and when its content and its entry changed; () where nobody may rely on it
    digest: str  # SHA-256, in hexadecimal digits


class ByteStream:
    """The inflated bytes of one file, read once from front to end, with the hash of the bytes as they are on disk.

    Of a file that was `seen` and did not change since, hash and soundness are known and not worked out again.
    """

    def __init__(self, path: Path, seen: Seen | None = None) -> None:
        self.path = path
        self._seen, self.unchanged = seen, False
        self._at_once = False  # whether it was inflated at once, so that all of it was seen
        self.name = path.name  # what sentences call it; the caller knows the folder
        self._digest = hashlib.sha256()
        self._pending = memoryview(b"")  # inflated, not yet asked for
        try:
            _refuse_special(path)
            self._file: RawIOBase = path.open("rb", buffering=0)
        except Fault:
            raise
        except (OSError, ValueError) as error:
            raise _fault(path, error) from error
        self.size = 0  # bytes on disk
        self._n_read = 0  # of them
        self._n_passed = 0  # inflated bytes that were asked for
        self.n_beyond = 0  # bytes after those asked for, known once the end is reached; zeros after gzip's end are none
        try:
            found = os.fstat(self._file.fileno())
            self._mark = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            self.unchanged = seen is not None and seen.mark == self._mark
            self._first = first = self._read()
            self.size = found.st_size
        except BaseException:
            self._file.close()
            raise
        self.is_gzip = first.startswith(GZIP_MAGIC)
        self._blocks = self._inflated(first) if self.is_gzip else self._plain(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def peek(self, n: int) -> bytes:
        """The next `n` bytes, or fewer at the end, without passing them."""
        self._pending = self._pending or memoryview(next(self._blocks, b""))  # mostly enough, without a copy
        if len(self._pending) < n:
            held = bytearray(self._pending)
            while len(held) < n and (block := next(self._blocks, b"")):
                held += block
            self._pending = memoryview(bytes(held))
        return bytes(self._pending[:n])

    def read_rest(self, n: int) -> memoryview:
        """The last `n` bytes, writable; a file that ends before is truncated."""
        whole = self._inflate_at_once(self._n_passed + n) if self.is_gzip else None
        if whole is not None:
            self._pending, self._blocks = memoryview(b""), iter(())
            return memoryview(whole)[self._n_passed :]
        target = np.empty(n, dtype=np.uint8).data
        self.read_into(target)
        return target

    def skip(self, n: int) -> None:
        """Pass over the next `n` bytes; a file that ends before is truncated."""
        room = memoryview(bytearray(min(n, BLOCK)))
        while n:
            part = room[: min(n, len(room))]
            self.read_into(part, later=n - len(part))
            n -= len(part)

    def read_into(self, target: memoryview, later: int = 0) -> None:
        """Fill all of `target` with the next bytes; a file that ends before is truncated.

        `later` tells how many more will be asked for, which are missing then too.
        """
        at = 0
        while at < len(target):
            if not self._pending:
                block = next(self._blocks, b"")
                self._pending = memoryview(block)
            part = self._pending[: len(target) - at]
            if not part:
                missing = len(target) - at + later
                raise BadMap(f"{self.name} is truncated: {missing} bytes of its voxels are missing", hint=FETCH_AGAIN)
            target[at : at + len(part)] = part
            self._pending = self._pending[len(part) :]
            at += len(part)
        self._n_passed += at

    def blocks(self) -> Iterator[bytes | memoryview]:
        """All bytes that are left, in pieces, for who can take them as they come."""
        if self._pending:
            pending, self._pending = self._pending, memoryview(b"")
            yield pending
        yield from self._blocks

    def finish(self) -> str:
        """The SHA-256 of the file, once its end is reached; what is left before the end is counted and not kept.

        Padding or a note is short. A file that goes on for longer than what was asked for holds something else.
        """
        self._pass_over(len(self._pending))
        self._pending = memoryview(b"")
        for block in self._blocks:
            self._pass_over(len(block))
        return self._seen.digest if self._seen and self.unchanged else self._digest.hexdigest()

    def see(self) -> Seen:
        """As `finish`, with what to know the file by when it is read again; of one read in parts nothing is."""
        return Seen(self._mark if self._at_once else (), self.finish())

    def _pass_over(self, n: int) -> None:
        self.n_beyond += n
        if self.n_beyond > max(BEYOND, self._n_passed):
            raise BadMap(f"{self.name} holds more data than its header promises", hint=FETCH_AGAIN)

    def _read(self, n: int = CHUNK) -> bytes:
        with _faults(self.path):
            chunk = self._file.read(n)
        self._hash(chunk)
        self._n_read += len(chunk)
        return chunk

    def _hash(self, chunk: bytes | memoryview) -> None:
        if not self.unchanged:
            self._digest.update(chunk)

    def _read_whole(self) -> bytearray:
        """The whole file, of which the first chunk was read before; nothing if it is not as long as it was then."""
        held, at = bytearray(self.size), len(self._first)
        held[:at] = self._first
        with memoryview(held) as view:
            while at < self.size:
                with _faults(self.path):
                    n = self._file.readinto(view[at:]) or 0
                if not n:
                    return bytearray()
                self._hash(view[at : at + n])
                self._n_read, at = self._n_read + n, at + n
        return bytearray() if self._read(1) else held

    def _inflate_at_once(self, size: int) -> bytearray | None:
        """All bytes of a file that is one sound gzip member of `size` bytes; else None, as if it had not been asked."""
        here, digest = self._n_read, self._digest.copy()
        if here != len(self._first) or self.size > size + (size >> 8) + CHUNK:  # no deflater makes data longer
            return None
        held = self._read_whole()
        end = held[-8:]  # CRC-32 and size of the last member, and of no other, as it occurs once
        if end[4:] == (size % (1 << 32)).to_bytes(4, "little") and (self.unchanged or held.rfind(end, 0, -1) < 0):
            try:
                whole: bytearray = deflate.gzip_decompress(held, size)
            except deflate.DeflateError:
                whole = bytearray()
            # libdeflate compares the CRC-32 of the first member, and stops there: that the file ends with it says that
            # no other member follows
            if len(whole) == size and (self.unchanged or deflate.crc32(whole) == int.from_bytes(end[:4], "little")):
                self._at_once = True
                return whole
        self._file.seek(here)
        self._n_read, self._digest = here, digest
        return None

    def _plain(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            yield chunk
            chunk = self._read()

    def _inflated(self, chunk: bytes) -> Iterator[bytes]:
        limit = FIRST
        while chunk:
            member = (isal_zlib if _begins_as_usual(chunk) else zlib).decompressobj(GZIP_WINDOW)
            while not member.eof:
                chunk = chunk or self._read()
                if not chunk:
                    raise BadMap(f"{self.name} is truncated: its gzip data ends too early", hint=FETCH_AGAIN)
                try:
                    block = member.decompress(chunk, limit)
                except (zlib.error, isal_zlib.error) as error:  # type: ignore[misc] # stubs: an instance, no class
                    raise BadMap(f"{self.name} is damaged: its gzip data is broken", hint=FETCH_AGAIN) from error
                chunk = member.unconsumed_tail
                if block:
                    yield block
                limit = BLOCK
            chunk = self._next_member(member.unused_data)

    def _next_member(self, rest: bytes) -> bytes:
        """The beginning of the next gzip member, nothing at the file's end.

        Zeros may pad, as `gzip` itself allows; what is no gzip is counted and passed over, as `gzip` does.
        """
        rest = rest.lstrip(b"\0")
        while len(rest) < len(GZIP_MAGIC) and (more := self._read()):
            rest = (rest + more).lstrip(b"\0")
        if not rest or rest.startswith(GZIP_MAGIC):
            return rest
        while rest:
            self._pass_over(len(rest))
            rest = self._read()
        return b""


def _begins_as_usual(member: bytes) -> bool:
    """Whether a gzip member's header is here as a whole and has no optional field but a name.

    isal loses its place in headers with more fields that lie in two chunks, and does not mind flags that are reserved.
    """
    if len(member) < GZIP_HEADER or member[FLAGS] not in (0, NAME):
        return False
    return not member[FLAGS] or member.find(b"\0", GZIP_HEADER) >= 0


def _refuse_special(path: Path) -> None:
    """Refuse what is no plain file before it is opened: a pipe would wait for ever, a device would never end."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise BadMap(f"{path.name} is no plain file but a pipe, socket or device", hint=FETCH_AGAIN)
    if not found.st_size:
        raise BadMap(f"{path.name} is empty (0 bytes)", hint=FETCH_AGAIN)


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: OSError | ValueError) -> Fault:
    if not isinstance(error, OSError):  # a NUL in the name
        return BadMap(f"{path.name} is no name of a file", hint="Name a file")
    if error.errno == errno.ENOENT and path.is_symlink():
        return BadMap(f"{path.name} is a symbolic link to a file that is not there", hint=GET_CONTENT)
    if error.errno in OURS_TO_NAME:
        return BadMap(f"{path.name[:255]} {OURS_TO_NAME[error.errno]}", hint="Check the path and its permissions")
    return StorageFault(f"{path.name} could not be read: {error.strerror}", hint="Fix the storage and run again")
