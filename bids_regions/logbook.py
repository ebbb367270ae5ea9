"""What a run says while it works, and what it leaves in `logs/`: times, paths, the exact command.

The only place that speaks to the terminal; nothing that two equal runs would write differently stands elsewhere.
"""

import os
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bids_regions.errors import LONGEST, Contradiction, EmptySelection, Fault, StorageFault, printable
from bids_regions.files import write_json
from bids_regions.version import __version__

__all__ = ["Logbook", "count_words", "counted"]

BAR = 30  # characters
MINUTE = 60  # seconds
SHOWN_FAILURES = 5


class Logbook:
    """The voice and the memory of one run."""

    def __init__(self, output_dir: Path, facts: Mapping[str, Any], *, verbose: int = 0, quiet: bool = False) -> None:
        self._output_dir = output_dir
        self._facts = facts  # of the run, for the log alone: the command, paths, settings
        self._verbose, self._quiet = verbose, quiet
        self.started = time.time()
        self.run_id = time.strftime("%Y%m%d-%H%M%S_", time.gmtime(self.started)) + secrets.token_hex(4)
        self.counts: Counter[str] = Counter()
        self.failures: list[dict[str, Any]] = []
        self._failed: set[str] = set()  # maps that are counted as such
        self._failed_before: set[str] = set()  # by an earlier run, and lacking here
        self.notices: list[str] = []
        self._hints: dict[str, list[str] | None] = {}  # by entry; None where it does not hold for one map
        self._skipped: dict[str, list[tuple[str, str]]] = {}  # reason in general: files, each with its own
        self._bar = sys.stderr.isatty() and not quiet and not verbose
        self._shown = ""  # the bar as it stands on the terminal
        self._began = time.monotonic()
        self._steps = (0, 0)
        self._owners = (0, 0)

    def say(self, text: str, *, level: int = 0) -> None:
        """One line on stderr: level 0 unless -q, 1 with -v, 2 with -vv."""
        if level > self._verbose or (self._quiet and level == 0):
            return
        self._write(printable(text, 2000) + "\n")

    def show(self, lines: str) -> None:
        """What was asked for, whole lines on standard output."""
        with suppress(OSError):  # nobody listens any more
            sys.stdout.write(lines)

    def notice(self, text: str) -> None:
        """Something a user should know that is no failure."""
        if text not in self.notices:
            self.notices.append(text)
            self.say(f"note: {text}")

    def skip(self, source: str, reason: str) -> None:
        """A file that is left out; those of one reason are one line at the end, and each a line with -v."""
        self.counts["skipped"] += 1
        name = source.rpartition("/")[2]
        own = reason.replace(f"{name} is ", "").replace(f"{name} ", "")
        self._skipped.setdefault(_in_general(own), []).append((source, own))
        self.say(f"skipped: {source}: {reason}", level=1)

    def fail(self, source: str, fault: Fault, crash: str = "") -> None:
        """A map that failed; said at once."""
        self.failures.append({"source": printable(source), "reason": str(fault), "exit_code": fault.exit_code})
        self._write(f"failed: {printable(source)}: {fault}\n")
        if crash and self._verbose:
            self._write("".join(f"    {printable(line)}\n" for line in crash.splitlines()))

    def count_failed(self, source: str) -> None:
        """A map that failed is counted once, however many entries, levels and sets meet it."""
        self.counts["failed"] += printable(source) not in self._failed
        self._failed.add(printable(source))

    def count_failed_before(self, source: str) -> None:
        """A map whose failure stands noted, which is that of an earlier run where this one did not meet it."""
        if source not in self._failed:
            self._failed_before.add(source)

    def expect(self, steps: int, owners: int = 0) -> None:
        """How many maps there are to work on, of how many participants."""
        self._steps, self._owners, self._began = (0, steps), (0, owners), time.monotonic()

    def step(self, name: str, words: str) -> None:
        """One participant is finished: a line, where there is no bar."""
        done, total = self._owners[0] + 1, self._owners[1]
        self._owners = (done, total)
        if not self._bar:
            self.say(f"[{done}/{total}] {name}: {words}, {self._pace()}")

    def tick(self) -> None:
        """One map is finished."""
        done, total = self._steps[0] + 1, self._steps[1]
        self._steps = (done, total)
        if self._bar and total:
            filled = round(BAR * done / total)
            bar = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total} maps, {self._pace()}"
            before, self._shown = self._shown, bar if done < total else ""
            self._put(_cleared(before) + bar + ("" if self._shown else "\n"))

    def _pace(self) -> str:
        """How fast it goes, and how much longer at that rate."""
        done, total = self._steps
        rate = done / max(time.monotonic() - self._began, 1e-9)
        return f"{rate:.1f} maps/s, {_spoken((total - done) / rate) if done else 'some time'} left"

    def conclude(self, reason: str = "") -> int:
        """End the run by what was counted, and why it ended early where it did; the exit code."""
        counts = self.counts
        code = self._exit_code()
        told = ["there was nothing to do"] if code == EmptySelection.exit_code else []
        told += [
            *_done(counts),
            f"{counted(counts['empty'], 'result')} empty",
            f"{counted(counts['skipped'], 'file')} skipped",
            f"{counts['failed']} failed",
        ]
        if counts["sets"]:
            told.append(f"{counted(counts['sets'] - counts['refused'], 'set')} of participants put together")
        if counts["refused"]:
            told.append(f"{counted(counts['refused'], 'set')} refused, made with different settings")
        if self._failed_before:
            told.append(f"{counted(len(self._failed_before), 'map')} lacking that failed in an earlier run")
        self.close(code, f"{reason + ': ' if reason else ''}{', '.join(told)}")
        return code

    def _exit_code(self) -> int:
        counts = self.counts
        if any(failure["exit_code"] == StorageFault.exit_code for failure in self.failures):
            return StorageFault.exit_code
        if counts["refused"]:
            return Contradiction.exit_code
        if counts["failed"]:
            return 1
        nothing = counts["skipped"] and not (counts["maps"] or counts["sets"])  # nor had a participant results
        return EmptySelection.exit_code if nothing else 0

    def close(self, exit_code: int, reason: str) -> None:
        """Write the log of the run, and the last line, which agrees with the exit code."""
        record = {
            **self._facts,
            "version": __version__,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started, 3),
            "host": os.uname().nodename,
            "counts": dict(sorted(self.counts.items())),
            "failures": self.failures,
            "notices": self.notices,
            "skipped": [
                {"reason": printable(_shared(why, files)), "files": [printable(source) for source, _ in files]}
                for why, files in self._skipped.items()
            ],
            "exit_code": exit_code,
            "reason": printable(reason, LONGEST),
        }
        try:
            write_json(self._output_dir / "logs" / f"log-{self.run_id}.json", record)
        except Fault as fault:
            self._write(f"the log could not be written: {fault}\n")
        self._finish(exit_code, reason)

    def hint(self, entry: str, texts: list[str]) -> None:
        """What is told in the last lines where it is true of every map of an entry; no texts: not of this one."""
        known = self._hints.setdefault(entry, [])
        self._hints[entry] = None if known is None or not texts else texts

    def _finish(self, exit_code: int, reason: str) -> None:
        self._put(_cleared(self._shown))
        self._shown = ""
        for why, files in self._skipped.items():
            if len(files) == 1 and not self._verbose:
                self.say(f"skipped: {files[0][0]}: {files[0][1]}")
            elif len(files) > 1:
                self.say(f"skipped: {len(files)} files, such as {files[0][0]}: {_shared(why, files)}")
        if len(self.failures) > SHOWN_FAILURES:
            self._write(f"{len(self.failures)} failures are told above and in logs/log-{self.run_id}.json\n")
        hints = dict.fromkeys(hint for told in self._hints.values() for hint in told or ())
        for hint in hints:
            self._write(f"note: {printable(hint, 2000)}\n")
        self._write(f"bids_regions: {printable(reason, LONGEST)} (exit code {exit_code})\n")

    def _write(self, lines: str) -> None:
        """Whole lines; a bar on the terminal gives way to them and stands again below."""
        self._put(_cleared(self._shown) + lines + self._shown)

    def _put(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            return  # nobody listens any more; the log file still tells


IN_GENERAL = (  # what differs between files that are left out for one reason
    (re.compile(r" \(\d+(?: x \d+)+[^)]*\)"), ""),
    (re.compile(r"\b\d+ (arrays|maps)\b"), r"several \1"),
    (re.compile(r"of 1 to \d+, or all"), "or all"),
    (re.compile(r"[^\s:,]+_[^\s:,]+\.(?:nii|gii)(?:\.gz)?(?![.\w])"), "another file"),
)


def _in_general(reason: str) -> str:
    """Why a file is left out, without what is this file's alone.

    >>> _in_general("4-D (12 x 14 x 10 x 2) and no 3-D map. Take its volumes by --volumes all, or by their numbers.")
    '4-D and no 3-D map. Take its volumes by --volumes all, or by their numbers.'
    >>> _in_general("its content is that of sub-01_stat-z_statmap.nii.gz, which is taken")
    'its content is that of another file, which is taken'
    """
    for pattern, words in IN_GENERAL:
        reason = pattern.sub(words, reason)
    return reason


def _shared(why: str, files: Sequence[tuple[str, str]]) -> str:
    """The reason of several files: in full where it is one to the letter."""
    reasons = {own for _, own in files}
    return reasons.pop() if len(reasons) == 1 else why


def _cleared(shown: str) -> str:
    """What removes a bar from the terminal."""
    return f"\r{' ' * len(shown)}\r" if shown else ""


def _spoken(seconds: float) -> str:
    """A length of time in words.

    >>> [_spoken(seconds) for seconds in (0.2, 90, 600, 86_000)]
    ['0 s', '90 s', '10 min', '23 h 53 min']
    """
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _done(counts: Mapping[str, int]) -> Iterator[str]:
    """What this run did, and what an earlier one had."""
    found, regions_found = counts["maps_found"], counts["regions_found"]
    done, regions = counts["maps"] - found, counts["regions"] - regions_found
    if done or not found:
        yield f"{counted(done, 'map')} done with {counted(regions, 'region')}"
    if found:
        yield f"{counted(found, 'map')} already done with {counted(regions_found, 'region')}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "map"), counted(0, "region"), counted(12, "file")
    ('1 map', '0 regions', '12 files')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def count_words(counts: Sequence[tuple[int, str]]) -> str:
    """Counts as words.

    >>> count_words([(1, "maps"), (57, "regions"), (0, "failed"), (1, "empty")])
    '1 map, 57 regions, 1 empty'
    """
    return ", ".join(f"{n} {word.removesuffix('s') if n == 1 else word}" for n, word in counts if n)
