"""The long tests, and the page that tells their counts: `make soak` writes docs/reliability.md."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"
TEXT = """# Reliability: what was done to it, and what it survived

This page is written by `make soak` (`tests/soak.py`); each run of the tests does a smaller, seeded part of the same.

| what | counts | seconds |
|---|---|---|
{rows}

* **kills**: a run over participant and group level, with one worker and with two in turn, is killed (SIGKILL, the whole
  process group) at a seeded moment. Every file visible under its final name was whole; the next run completed the tree
  to the very bytes of an uninterrupted run, and left no temporary file.
* **faults**: one call (open, rename, make folder, read, list) below the dataset or the output fails, with ENOSPC,
  EDQUOT, EROFS, EACCES, ENOENT, EIO or ESTALE. The run ended in one sentence with a right exit code, without a
  traceback; the next run completed the tree to the same bytes.
* **fuzz**: damaged NIfTI files, of which each was read or refused in a sentence, within a time and memory limit.
"""


def measure(script: str, *words: str) -> tuple[dict[str, object], float]:
    """One long test; its counts and seconds."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, HERE / script, *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script} {' '.join(words)} failed")
    return json.loads(done.stdout.splitlines()[-1]), time.monotonic() - begun


def main() -> None:
    """Run them all and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", default="100")
    parser.add_argument("--faults", default="600")
    parser.add_argument("--seconds", default="180")
    given = parser.parse_args()
    runs = {
        "kills": ("kills.py", "--kills", given.kills),
        "faults": ("faults.py", "--faults", given.faults),
        "fuzz": ("fuzz_images.py", "--seconds", given.seconds),
    }
    rows = []
    for name, words in runs.items():
        counts, seconds = measure(*words)
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counts.items())
        rows.append(f"| {name} | {told} | {seconds:.0f} |")
    PAGE.write_text(TEXT.format(rows="\n".join(rows)))


if __name__ == "__main__":
    main()
