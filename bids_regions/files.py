"""Bytes on disk: written whole or not at all, hashed, and read with limits.

A file appears under its final name only when all of it is there: it is written under a temporary name in the same
folder and renamed. This room does not know what the bytes mean.
"""

import codecs
import errno
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from bids_regions.errors import BadDataset, Fault, MissingInput, OutputRefused, StorageFault

__all__ = [
    "copy_file",
    "encode_json",
    "expand_home",
    "hash_bytes",
    "hash_file",
    "hash_of",
    "link_file",
    "list_names",
    "locked",
    "make_folder",
    "open_atomic",
    "read_json",
    "read_text",
    "remove_file",
    "same_inflated",
    "sweep_temporaries",
    "write_bytes",
    "write_json",
    "write_text",
]

JSON_LIMIT = 64 << 20  # bytes; a larger sidecar is not one
TEXT_LIMIT = 256 << 20  # bytes; no table is longer
PART = 1 << 20  # bytes compared at once
JSON_DEPTH = 100  # nested brackets; more is an attack on the parser
TEMPORARY = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}\.tmp")
STALE = 24 * 3600  # seconds; a temporary file of another machine is left alone until it is a day old
REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT),
    *(errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
ABSENT_NUMBER = object()  # NaN or Infinity in a JSON file
READ_ADVICE = "Check that it exists and that you may read it"


def write_bytes(path: Path, *content: bytes, only_if_changed: bool = False) -> str:
    """Write the parts of `content` to `path` so that no reader ever sees half of it; the hash of what was written.

    Raises
    ------
    OutputRefused
        The folder or file may not be written.
    StorageFault
        The file system failed on the way (full, lost); nothing is left under the final name.
    """
    if only_if_changed and _holds(path, content):
        return hash_bytes(*content)
    with _appearing(path) as temporary, _open_in_folder(temporary, "xb") as stream:
        stream.writelines(content)
    return hash_bytes(*content)


@contextmanager
def _appearing(path: Path, *, only_if_changed: bool = False) -> Iterator[Path]:
    """A temporary name beside `path`: what is written there takes its place at the end, or is gone."""
    temporary = path.parent / f".{_host()}-{os.getpid()}-{os.urandom(6).hex()}.tmp"
    try:
        try:
            yield temporary
            same = only_if_changed and path.is_file() and temporary.stat().st_size == path.stat().st_size
            if same and hash_file(temporary) == hash_file(path):
                temporary.unlink()
            else:
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except Fault:
        raise  # of whatever was read to make the file
    except OSError as error:
        raise _write_fault(path, error) from error


def write_text(path: Path, text: str, *, only_if_changed: bool = False) -> str:
    """Write `text` as UTF-8 and tell its hash; a lone surrogate of an undecodable name is written as its escape."""
    return write_bytes(path, text.encode("utf-8", "backslashreplace"), only_if_changed=only_if_changed)


@contextmanager
def open_atomic(path: Path, *, only_if_changed: bool = False) -> Iterator[TextIO]:
    """A stream for text too long to be held: the file appears under its name when all of it is there, or not at all."""
    with _appearing(path, only_if_changed=only_if_changed) as temporary:
        how = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
        with _open_in_folder(temporary, "x", **how) as stream:
            yield stream


def link_file(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, in the place of whatever file is there."""
    with _appearing(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.symlink_to(target)


def copy_file(path: Path, source: Path) -> None:
    """Make `path` a copy of the file `source`, in the place of whatever file is there."""
    with _readable(source) as stream, _appearing(path) as temporary, _open_in_folder(temporary, "xb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _read_fault(path, error) from error
    with stream:
        yield stream


def encode_json(content: object) -> str:
    """JSON text with keys in their given order and no NaN.

    The text is that of `json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)`, which takes three times as
    long: the library indents in Python, token by token.

    >>> print(encode_json({"a": [1, 2.5], "b": {}, "c": {"d": "µ"}}), end="")
    {
      "a": [
        1,
        2.5
      ],
      "b": {},
      "c": {
        "d": "µ"
      }
    }
    """
    return _indented(content, "\n") + "\n"


def _indented(value: object, line: str) -> str:
    """A value as JSON; `line` is a new line and the indentation of what it stands in."""
    if isinstance(value, str):
        return encode_basestring(value)
    deeper = line + "  "
    if isinstance(value, dict) and value and all(type(key) is str for key in value):
        items = [f"{encode_basestring(key)}: {_indented(own, deeper)}" for key, own in value.items()]
        return f"{{{deeper}{f',{deeper}'.join(items)}{line}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{deeper}{f',{deeper}'.join([_indented(own, deeper) for own in value])}{line}]"
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).replace("\n", line)


def write_json(path: Path, content: object, *, only_if_changed: bool = False) -> None:
    """Write `content` as JSON, atomically."""
    write_text(path, encode_json(content), only_if_changed=only_if_changed)


def make_folder(path: Path) -> None:
    """Make the folder `path` and its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _write_fault(path, error) from error


def remove_file(path: Path) -> None:
    """Remove `path` if it is there."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _write_fault(path, error) from error


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed runs left under temporary names; a file that a live process may be writing stays."""
    try:
        for entry in os.scandir(folder):
            found = TEMPORARY.fullmatch(entry.name)
            if found and _abandoned(entry, found):
                Path(entry.path).unlink(missing_ok=True)
    except OSError:
        return  # a folder that is not there, or that another run is cleaning, has nothing to sweep


@contextmanager
def locked(path: Path, name: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock `name`, a byte of the file `path`, against other processes, here and on other machines.

    Yields whether it is held: false where another process has it and there is no waiting. It is given back when its
    process ends, however it ends. Where the file system has no locks the work goes on without.
    """
    try:
        stream = _open_in_folder(path, "ab")
    except OSError:
        yield True  # whoever cannot write here is told so by the first real file
        return
    with stream:
        byte = int(hash_bytes(name.encode("utf-8", "surrogateescape"))[:7], 16)
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, byte)
        except OSError as error:
            yield error.errno not in {errno.EACCES, errno.EAGAIN}
            return
        yield True


def read_text(path: Path) -> str:
    """The text of `path`, UTF-8 with or without a byte order mark, or UTF-16 with one, as spreadsheets save it.

    Raises
    ------
    MissingInput, StorageFault
        The file is not there, or cannot be read.
    BadDataset
        The file is a pipe, huge, or no text; a device, which is how a shell lends a pipe, is the user's own choice.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir() and path.parts[:2] != ("/", "dev"):
            raise BadDataset(f"{path} is no plain file but a pipe, socket or device", hint="Remove or fix it")
        with path.open("rb") as stream:
            content = stream.read(TEXT_LIMIT + 1)
    except OSError as error:
        raise _read_fault(path, error) from error
    if len(content) > TEXT_LIMIT:
        raise BadDataset(f"{path} is larger than {TEXT_LIMIT >> 20} MiB", hint="Remove or fix it")
    try:
        marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if marked else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise BadDataset(f"{path} is not UTF-8 text", hint="Save it as UTF-8") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, refused if it is huge, deep, ambiguous (duplicate keys) or not an object.

    NaN and Infinity, which JSON has no word for and Python writes all the same, are read as absent: a key is left out,
    in a list stands None.

    Raises
    ------
    MissingInput, StorageFault
        The file is not there, or cannot be read.
    BadDataset
        The file is not a JSON object; the sentence names the file and the place.
    """
    try:
        if path.stat().st_size > JSON_LIMIT:
            raise BadDataset(f"{path} is larger than {JSON_LIMIT >> 20} MiB: no sidecar", hint="Remove or fix it")
    except OSError as error:
        raise _read_fault(path, error) from error
    text = read_text(path)
    absent: list[str] = []  # NaN and Infinity, as they are met

    def take_absent(word: str) -> object:
        absent.append(word)
        return ABSENT_NUMBER

    try:
        content = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=take_absent)
    except (ValueError, RecursionError) as error:
        raise BadDataset(f"{path} is not valid JSON ({error})", hint="Fix or remove this file") from error
    if not isinstance(content, dict):
        raise BadDataset(f"{path} holds no JSON object but a {type(content).__name__}", hint="Fix or remove this file")
    brackets = text.count("{") + text.count("[")  # no deeper than these are many
    if brackets > JSON_DEPTH and _depth(content) > JSON_DEPTH:
        raise BadDataset(f"{path} is nested deeper than {JSON_DEPTH} levels", hint="Fix or remove this file")
    read: dict[str, Any] = _without_absent(content) if absent else content
    return read


def expand_home(path: str) -> Path:
    """A path with a leading `~` as the home; as it stands for who has none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 # Path.expanduser raises there


def list_names(folder: Path, *, strict: bool = True) -> list[str]:
    """The sorted names in `folder`; none where there is no such folder, or, if not `strict`, where one may not look.

    Raises
    ------
    MissingInput, StorageFault
        The folder is there and cannot be listed: what it holds may matter.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except OSError as error:
        absent = ABSENT if strict else ABSENT | {errno.EACCES, errno.EPERM}
        if error.errno in absent:
            return []
        raise _read_fault(folder, error) from error


def hash_bytes(*content: bytes | memoryview) -> str:
    """SHA-256 of the parts of `content`, one after the other, in hexadecimal digits."""
    digest = hashlib.sha256()
    for part in content:
        digest.update(part)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of the bytes of `path`, in hexadecimal digits."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _read_fault(path, error) from error


def same_inflated(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes once inflated; false where one cannot be read to its end."""
    try:
        with _inflating(one) as first, _inflating(other) as second:
            while True:
                part = first.read(PART)
                if part != second.read(PART):
                    return False
                if not part:
                    return True
    except (OSError, EOFError, zlib.error):
        return False


def _inflating(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def hash_of(content: object) -> str:
    """SHA-256 of `content` as canonical JSON (sorted keys), in hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hash_bytes(text.encode())


def _open_in_folder(path: Path, mode: str, **how: Any) -> Any:
    """A stream to write to; the folder is made where it is missing, which is asked only then."""
    try:
        return path.open(mode, **how)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, **how)


def _holds(path: Path, content: Sequence[bytes]) -> bool:
    try:
        if path.stat().st_size != sum(map(len, content)):
            return False
        with path.open("rb") as stream:
            return all(stream.read(len(part)) == part for part in content)
    except OSError:
        return False


def _host() -> str:
    return hash_bytes(os.uname().nodename.encode())[:8]


def _abandoned(entry: os.DirEntry[str], name: re.Match[str]) -> bool:
    if name["host"] == _host():
        return not _alive(int(name["pid"]))
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return True  # a system without it, on which one that has ended and is not waited for looks alive


def _write_fault(path: Path, error: OSError) -> OutputRefused | StorageFault:
    words = error.strerror or str(error)
    if error.errno in REFUSALS:
        return OutputRefused(f"{path} cannot be written: {words}", hint="Give an output folder that you may write to")
    return StorageFault(f"{path} could not be written: {words}", hint="Free or fix the storage and run again")


def _read_fault(path: Path, error: OSError) -> MissingInput | StorageFault:
    words = error.strerror or str(error)
    if error.errno in REFUSALS | {errno.EISDIR}:
        return MissingInput(f"{path} cannot be read: {words}", hint=READ_ADVICE)
    return StorageFault(f"{path} could not be read: {words}", hint="Fix the storage and run again")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:n]))
        raise ValueError(f"the key {twice!r} stands twice")
    return content


def _without_absent(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_absent(value) for key, value in content.items() if value is not ABSENT_NUMBER}
    if isinstance(content, list):
        return [None if value is ABSENT_NUMBER else _without_absent(value) for value in content]
    return content


def _depth(content: object) -> int:
    level, deepest = [content], 0
    while level:
        deepest += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return deepest
