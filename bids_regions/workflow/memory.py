"""How many maps may be worked on at once within a given memory."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["fit_workers"]

OWN = 250 * 2**20  # bytes: the libraries, loaded
PER_BYTE = 8  # copies of the inflated map that a worker may hold at once, its float64 form and figures included


def fit_workers(workers: int, memory: int | None, maps: Iterable[Path]) -> int:
    """At most `workers`, and so many that the largest of `maps` fits into `memory` (bytes) that often; at least one."""
    if memory is None:
        return workers
    largest = max((_inflated_size(path) for path in maps), default=0)
    return max(1, min(workers, memory // (OWN + PER_BYTE * largest)))


def _inflated_size(path: Path) -> int:
    """The size of a file when inflated: a gzip file tells it in its last four bytes."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            size = stream.seek(0, os.SEEK_END)
            if not packed or size < 18:
                return size
            stream.seek(-4, os.SEEK_END)
            return int.from_bytes(stream.read(4), "little")
    except OSError:
        return 0  # it will fail with a sentence of its own
