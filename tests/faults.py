"""Let reads and writes fail, one at a time: `python tests/faults.py --faults 300 --seed 1`.

An uninterrupted run counts every opening, reading, writing, closing, renaming, removing, listing and status of a file
below BIDS_DIR and OUTPUT_DIR. Each trial lets one of these calls fail with one error (disk full, quota, read-only,
permission, gone, input/output, stale handle), checks that the run ends in one sentence and a right exit code, without
a traceback, that every visible file is whole, that no temporary file is left, and that the next run completes the tree.
Prints the counts as a line of JSON.
"""

import argparse
import contextlib
import errno
import gzip
import io
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import trees
from kills import differences, digests, temporaries
from surface_bytes import TETRAHEDRON, data_array, gifti, mesh

from bids_regions.cli import main

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EIO, errno.ESTALE)
WORDS = ("participant", "group", "--threshold", "3.0", "--min-region-voxels", "5", "--nprocs", "1")
REAL_OPEN = io.open
CODES = {0, 1, 16, 18, 66, 73, 74}
CALLS = (
    *((os, name) for name in ("open", "scandir", "listdir", "stat", "lstat", "mkdir", "replace", "unlink", "readlink")),
    (io, "open"),  # what Path.open, Path.read_text and Path.write_bytes call; its streams fail as well
)
STREAM_CALLS = ("read", "readinto", "readall", "write", "close")


class Injector:
    """Counts the calls that touch the dataset or the output, and lets the chosen one fail."""

    def __init__(self, root: Path, at: int = -1, number: int = 0) -> None:
        self.root, self.at, self.number = str(root), at, number
        self.calls = 0
        self.hit = ""

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            path = os.fsdecode(words[0]) if words and isinstance(words[0], str | bytes | os.PathLike) else ""
            if not path.startswith(self.root):
                return function(*words, **named)
            self.count(name, path)
            found = function(*words, **named)
            return Stream(found, path, self) if function is REAL_OPEN else found

        return call

    def count(self, name: str, path: str) -> None:
        """One call more; the chosen one fails."""
        self.calls += 1
        if self.calls - 1 == self.at:
            self.hit = f"{name} {Path(path).relative_to(self.root)}"
            raise OSError(self.number, os.strerror(self.number), path)


class Stream:
    """An open file whose reads, writes and closing can fail."""

    def __init__(self, real: Any, path: str, injector: Injector) -> None:
        self.real, self.path, self.injector = real, path, injector

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name not in STREAM_CALLS:
            return found

        def call(*words: Any) -> Any:
            if name == "close" and not self.real.closed:
                self.real.close()  # a close that fails has closed all the same
                self.injector.count(name, self.path)
                return None
            self.injector.count(name, self.path)
            return found(*words)

        return call

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Any:
        return next(self.real)


@contextlib.contextmanager
def injected(injector: Injector) -> Iterator[None]:
    """Every call in CALLS goes through the injector."""
    before = [(owner, name, getattr(owner, name)) for owner, name in CALLS]
    for owner, name, function in before:
        setattr(owner, name, injector.wrap(name, function))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def run_app(root: Path, injector: Injector) -> tuple[int, str]:
    """The exit code and what was said on stderr."""
    said = io.StringIO()
    with injected(injector), contextlib.redirect_stderr(said):
        code = main([str(root / "in"), str(root / "out"), *WORDS])
    return code, said.getvalue()


def whole(path: Path, digest: str, reference: dict[str, str]) -> bool:
    """A participant's results are those of a sound run; what tells of the failure as well is complete in its kind."""
    name = path.relative_to(next(p for p in path.parents if p.name == "out")).as_posix()
    if digest == reference.get(name):
        return True
    if name.startswith("sub-") and "/" in name:
        return False
    content = path.read_bytes()
    if name.endswith(".json"):
        return isinstance(json.loads(content), dict)
    if name.endswith(".gz"):
        return len(gzip.decompress(content)) > 352
    if name.endswith(".tsv"):
        return len({line.count("\t") for line in content.decode().splitlines()}) == 1 and content.endswith(b"\n")
    return content.endswith((b"</html>\n", b" -->\n"))


def trial(root: Path, reference: dict[str, str], at: int, number: int) -> str:
    """One run with one failing call, and the run that completes it; the exit code as text."""
    injector = Injector(root, at, number)
    code, said = run_app(root, injector)
    told = f"{injector.hit} fails with {errno.errorcode[number]}: exit code {code}\n{said}"
    assert code in CODES, told
    assert "Traceback" not in said, told
    assert said.rstrip().endswith(f"(exit code {code})"), told
    assert "This is a defect" not in said, told
    broken = [
        name for name, digest in digests(root / "out").items() if not whole(root / "out" / name, digest, reference)
    ]
    gone = number == errno.ENOENT and " in/" in injector.hit  # a file that is not there may be one that nobody needs
    assert gone or not broken, f"not whole: {broken}\n{told}"
    assert not temporaries(root / "out"), told
    code, said = run_app(root, Injector(root))
    assert code == 0, f"{told}\nthe next run: {said}"
    assert digests(root / "out") == reference, f"{differences(digests(root / 'out'), reference)}\n{told}"
    shutil.rmtree(root / "out")
    return str(code)


def make_dataset(root: Path) -> None:
    """Two participants, a mask, a sidecar, a table of participants."""
    trees.describe(root)
    for label in ("01", "02"):
        stem = root / f"sub-{label}" / "func" / f"sub-{label}_task-x_space-MNI152Lin"
        trees.write_map(Path(f"{stem}_contrast-a_stat-z_statmap.nii.gz"))
        trees.write_mask(Path(f"{stem}_desc-brain_mask.nii.gz"))
        sheet = root / f"sub-{label}" / f"sub-{label}_hemi-L_space-flat_contrast-b_stat-z_statmap.func.gii"
        sheet.write_bytes(gifti(data_array(4 * TETRAHEDRON[0][:, 0])))
        sheet.with_name(f"sub-{label}_hemi-L_space-flat_midthickness.surf.gii").write_bytes(mesh())
    (root / "participants.tsv").write_text("participant_id\tage\nsub-01\t20\nsub-02\t30\n")


def run(faults: int, seed: int) -> dict[str, int]:
    """Let `faults` calls fail, drawn from all pairs of call and error; the counts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_dataset(root / "in")
        counter = Injector(root)
        code, said = run_app(root, counter)
        assert code == 0, said
        reference = digests(root / "out")
        shutil.rmtree(root / "out")
        counter = Injector(root)
        run_app(root, counter)  # once more: what is only done once per process is done by now
        shutil.rmtree(root / "out")
        pairs = [(at, number) for at in range(counter.calls) for number in ERRORS]
        chosen = random.Random(seed).sample(pairs, min(faults, len(pairs)))  # noqa: S311 # seeded on purpose
        for at, number in sorted(chosen):
            trial(root, reference, at, number)
    return {"injected": len(chosen), "call_sites": counter.calls, "errors": len(ERRORS), "seed": seed}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(run(given.faults, given.seed)) + "\n")
