"""The long tests, and the page that tells their counts: `make soak` writes the first part of docs/reliability.md."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"
TEXT = """# Reliability: what was done to it, and what it survived

The table is written by `make soak` (`tests/soak.py`), when all of it has passed; every run of the tests does a smaller,
seeded part of the same. What is promised, and which test holds each promise, is in [SECURITY.md](../SECURITY.md).

| what was done | times | all survived | minutes |
|---|---|---|---|
{rows}

The slowest is the one file, or the one run, that took most processor time.

* **Killed.** A run over participant and group level, with one worker and with two in turn, is ended by SIGKILL, the
  whole process group at once, at a seeded moment. Every file visible under its final name was whole; the next run
  completed the tree to the very bytes of an uninterrupted run, and left no temporary file.
* **Stopped.** The same with SIGTERM to the app, as a time limit or `docker stop` sends it: it ended within five seconds
  with exit code 143, and left no temporary file itself. The next run completed the tree in the same way.
* **Faults.** One system call below the dataset or the output fails: opening, reading, writing, closing, renaming,
  removing, listing, making a folder, or asking for a file's status; with ENOSPC, EDQUOT, EROFS, EACCES, ENOENT, EIO or
  ESTALE. The calls and errors are drawn from all pairs. The run ended in one sentence with a right exit code, without a
  traceback; every result was whole, no temporary file was left, and the next run completed the tree to the same bytes.
* **Damaged files.** NIfTI files with bits, headers, lengths and gzip streams damaged at random, GIFTI and CIFTI files
  whose XML, numbers or bytes were changed, read in every way there is: each was read, NIfTI as NiBabel reads it, or
  refused in a sentence, and ended, within a limit of memory that its size on disk sets.
* **Damaged descriptions.** The design files of a FEAT and a gfeat folder, an SPM.mat, an AFNI HEAD file, PALM's record
  of its options, and a dataset's JSON files, participants.tsv, filter file and configuration, each changed at random:
  the import or the app did its work all the same, or ended in one sentence with a right exit code.
"""


def measure(script: str, *words: str) -> tuple[dict[str, float], float]:
    """One long test; its counts and minutes."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, HERE / script, *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {' '.join(words)} failed")
    return json.loads(done.stdout.splitlines()[-1]), (time.monotonic() - begun) / 60


def main() -> None:
    """Run them all, two at a time, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", default="100")
    parser.add_argument("--stops", default="20")
    parser.add_argument("--faults", default="600")
    parser.add_argument("--seconds", default="180")
    given = parser.parse_args()
    with ThreadPoolExecutor(2) as workers:
        kills = workers.submit(measure, "kills.py", "--kills", given.kills)
        fuzz = workers.submit(measure, "fuzz_images.py", "--seconds", given.seconds)
        faults = workers.submit(measure, "faults.py", "--faults", given.faults)
        sources = workers.submit(measure, "fuzz_sources.py", "--seconds", given.seconds)
        stops = workers.submit(measure, "kills.py", "--stop", "--kills", given.stops, "--seed", "2")
        rows = [
            ("killed (SIGKILL)", "{kills} runs before their end", kills),
            ("stopped (SIGTERM)", "{stops} runs before their end", stops),
            ("faults injected", "{injected}, among {call_sites} calls of a run and {errors} errors", faults),
            (
                "damaged files",
                "{files}: {read} read, {BadMap} refused, {UnsuitableMap} skipped; the slowest {slowest:.1f} s",
                fuzz,
            ),
            (
                "damaged descriptions",
                "{files}: {done} done all the same, {refused} refused; the slowest {slowest:.1f} s",
                sources,
            ),
        ]
        lines = [
            f"| {name} | {words.format_map(done.result()[0])} | yes | {done.result()[1]:.0f} |"
            for name, words, done in rows
        ]
    _, heading, rest = PAGE.read_text().partition("\n## ")  # what other runs have told
    PAGE.write_text(TEXT.format(rows="\n".join(lines)) + heading + rest)


if __name__ == "__main__":
    main()
