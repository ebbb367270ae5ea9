"""What a killed process leaves of its measure of coverage: a database half written, which would end the whole run.

Coverage writes its files without a journal. Where a test kills a worker in that moment, or ends a pool, the file holds
some of its pages; most of these are passed over with a warning, but on some the putting together of all files fails,
after every test has passed.
"""

import contextlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Error

from coverage import CoverageData
from coverage.exceptions import CoverageException


def is_sound(path: Path) -> bool:
    """Whether the file can be put together with others."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.closing(CoverageData(no_disk=True)) as together,
            contextlib.closing(CoverageData(path.as_posix())) as one,
        ):
            one.read()
            together.update(one)
    except (CoverageException, Error):
        return False
    return True


def drop_broken(paths: Iterable[Path]) -> list[Path]:
    """Remove the files that are not sound; which they were."""
    broken = [path for path in paths if not is_sound(path)]
    for path in broken:
        path.unlink(missing_ok=True)
    return broken
