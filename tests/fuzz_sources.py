"""Damage what tells of maps, and look: `python tests/fuzz_sources.py --seconds 60 --seed 1`.

Design files of FEAT, SPM.mat, HEAD files of AFNI, PALM's record, and a dataset's JSON, tables and configuration: one
of them is damaged at random, and the import or the app is run on it. It must end in one sentence with a right exit
code, or do its work; never in a traceback, never without an end. Prints the counts, and the seconds of processor time
of the slowest, as one line of JSON; what ended in another way is kept.
"""

import argparse
import contextlib
import io
import json
import logging
import random
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import trees
from foreign_trees import afni, feat, gfeat, palm, spm
from fuzz_images import ENDLESS, SPITE

from bids_regions.cli import main as run_app
from bids_regions.importing.cli import main as run_import

CODES = {0, 1, 2, 16, 18, 64, 66, 73, 74}
MEMORY = 6 << 30  # bytes of address space: what a damaged number may ask for is refused long before
WORDS = (  # what is put somewhere into a text
    b"nan", b"inf", b"-1", b"0", b"1e400", b"99999999999999999999", b"\0", b"\n", b"\t", b"\r", b"{", b"}", b"[", b"]",
    b"\"", b"'", b"null", b"NaN", b"Infinity", b"true", b",", b":", b"~", b"=", b"#", b"../..", b"/etc/passwd",
    b"type = ", b"count = 9999999", b"set fmri(level) 7\n", b"/Matrix\n", b"/ContrastName1\t", b"\xff\xfe", b"\xc3",
    b"<script>", b"[" * 3000, b'{"a":' * 500, b"9" * 5000, "größe".encode(), b"sub-", b"_", b"n/a",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Something sound, the files of it that are damaged, and how it is run; `{out}` is a folder that is not there."""

    name: str
    files: tuple[Path, ...]
    command: Callable[[Sequence[str] | None], int]
    words: tuple[str, ...]


def make_grounds(root: Path) -> list[Ground]:
    """One of every sort."""
    told = ("--participant-label", "01", "--task", "x")
    sources = {
        "FEAT": feat(root / "a.feat"),
        "gfeat": gfeat(root / "a.gfeat"),
        "SPM": spm(root / "spm"),
        "PALM": palm(root / "palm" / "one") if (root / "palm").mkdir() is None else root,
        "AFNI": afni(root / "afni" / "stats.FT+tlrc"),
    }
    damaged = {"FEAT": "a.feat/**/*", "gfeat": "a.gfeat/**/*", "SPM": "spm/SPM.mat", "PALM": "palm/*.txt",
               "AFNI": "afni/*.HEAD"}  # fmt: skip
    grounds = []
    for name, path in sources.items():
        files = tuple(one for one in sorted(root.glob(damaged[name])) if one.is_file() and ".nii" not in one.name)
        words = (str(path), "{out}", *(told if name in ("FEAT", "SPM") else ()))
        grounds.append(Ground(name=name, files=files, command=run_import, words=words))
    dataset = make_dataset(root / "dataset")
    files = (*dataset.rglob("*.json"), dataset / "participants.tsv", root / "filter.json", root / "c.toml")
    (root / "filter.json").write_text('{"statmap": {"task": ["a", "b"], "run": null, "contrast": "*"}}')
    (root / "c.toml").write_text(
        'min_region_size = 200\n[[regions]]\nname = "one"\nthreshold = "p=0.01"\nsmoothness = [8, 8, 8]\n'
        'match = { stat = ["t"], run = false }\n'
    )
    words = (str(dataset), "{out}", "participant", "group", "--nprocs", "1", "--stat", "t", "--bids-filter-file",
             str(root / "filter.json"), "--config-file", str(root / "c.toml"))  # fmt: skip
    return [*grounds, Ground(name="BIDS", files=files, command=run_app, words=words)]


def make_dataset(root: Path) -> Path:
    """One participant with one t map, its sidecar, a description and a table."""
    trees.describe(root, GeneratedBy=[{"Name": "made", "Version": "1"}], Authors=["A. One"], License="CC0")
    name = "sub-01_task-a_space-MNI152Lin_contrast-x_stat-t_statmap"
    trees.write_map(root / "sub-01" / "func" / f"{name}.nii")
    facts = {"DegreesOfFreedom": 20, "Smoothness": {"FWHM": [8.0, 8.0, 8.0]}, "PScale": "p", "Description": "größe"}
    trees.write_json(root / "sub-01" / "func" / f"{name}.json", facts)
    (root / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-01\t20\ta\n")
    return root


def damage(content: bytes, chance: random.Random) -> bytes:
    """With something put in, taken out, doubled, or changed."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.choice((0, 0, 1, 2, 8, 60)))
        kind = chance.random()
        if kind < 0.5:
            changed[at:end] = chance.choice((*WORDS, *SPITE))
        elif kind < 0.6:
            changed[at:end] = changed[at:end] * 3
        elif kind < 0.75:
            digits = [k for k, byte in enumerate(changed) if chr(byte).isdigit()] or [0]
            place = chance.choice(digits)
            changed[place : place + 1] = chance.choice((b"0", b"7", b"-3", b"1e9", b"99999", b"x"))
        elif kind < 0.9:
            changed[at:end] = chance.randbytes(end - at)
        else:
            del changed[at : at + chance.choice((1, 10, 1000))]
    return bytes(changed[: chance.randrange(len(changed) + 1)]) if chance.random() < 0.1 else bytes(changed)


def check(ground: Ground, out: Path) -> int:
    """Run on what is damaged; the exit code, after what was said has been looked at."""
    said, start = io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = ground.command([word.replace("{out}", str(out)) for word in ground.words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 70
    text = said.getvalue()
    assert code in CODES, f"exit code {code}: {text}"
    assert "Traceback" not in text, text
    assert "This is a defect" not in text, text
    assert text.rstrip().endswith(f"(exit code {code})") or code == 2, text
    assert max(map(len, text.splitlines()), default=0) < 7000, text
    assert time.process_time() - start < ENDLESS, "it does not end"
    return code


def fuzz(seconds: float, most: int, seed: int) -> tuple[Counter[str], float]:
    """Damage and run until the time is over or it was done so often.

    How often each sort was done, and ended well; and the seconds of processor time that the slowest took.
    """
    chance, counts, end = random.Random(seed), Counter[str](), time.monotonic() + seconds  # noqa: S311 # no secret
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="error"):
        grounds, out = make_grounds(Path(folder)), Path(folder) / "out"
        while time.monotonic() < end and counts.total() < most:
            ground = chance.choice(grounds)
            path = chance.choice(ground.files)
            content = path.read_bytes()
            path.write_bytes(damage(content, chance))
            try:
                start = time.process_time()
                code = check(ground, out)
                slowest = max(slowest, time.process_time() - start)
            except BaseException:
                kept = Path(tempfile.gettempdir()) / f"fuzz_sources_{seed}_{counts.total()}_{ground.name}_{path.name}"
                kept.write_bytes(path.read_bytes())
                sys.stderr.write(f"kept {kept}\n")
                raise
            counts[f"{ground.name} {'done' if code == 0 else 'refused'}"] += 1
            path.write_bytes(content)
            shutil.rmtree(out, ignore_errors=True)
    return counts, slowest


def main() -> int:
    """Fuzz for some seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)  # nibabel tells what it mends
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    counts, slowest = fuzz(asked.seconds, asked.most, asked.seed)
    refused = sum(number for name, number in counts.items() if name.endswith("refused"))
    told = {"files": counts.total(), "done": counts.total() - refused, "refused": refused, "slowest": slowest}
    sys.stdout.write(json.dumps({"target": "sources", **told, **dict(sorted(counts.items()))}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
