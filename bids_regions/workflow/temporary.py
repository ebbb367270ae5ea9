"""Where libraries keep small files while a run lasts.

The *temporary folder* is the run's own and is gone when it ends. Results never pass through it (`files` writes them
beside where they go), and which library keeps what in it is not known here.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bids_regions.files import make_folder

__all__ = ["temporary_folder"]

USUAL = (os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 # compared, not written to


@contextmanager
def temporary_folder(work_dir: Path | None, logs: Path) -> Iterator[None]:
    """A small folder for what libraries keep beside us; in the output's logs where the system offers none."""
    if work_dir:
        make_folder(work_dir)
    folder = Path(tempfile.mkdtemp(prefix="bids_regions-", dir=work_dir or _writable_temporary(logs)))
    before, tempfile.tempdir = tempfile.tempdir, os.fspath(folder)  # where every library asks
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _writable_temporary(logs: Path) -> str:
    """The system's folder for temporary files; Python's last resort, the working directory, is a user's own."""
    with suppress(OSError):
        folder = tempfile.gettempdir()
        if folder != os.getcwd() or folder in USUAL:  # noqa: PTH109 # as gettempdir asks
            return folder
    make_folder(logs)
    tempfile.tempdir = os.fspath(logs)  # for libraries as well
    return tempfile.tempdir
