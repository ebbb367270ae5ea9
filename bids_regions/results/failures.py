"""Word of a map that failed: a note in `logs/failed`, where reports and the group level find it.

A *failure* is one map and entry that could not be done, with the reason; a later success removes it. Notes that cannot
be read are passed over: the map is then missing, which is told as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from bids_regions.dataset import MapFile
from bids_regions.errors import Fault, printable
from bids_regions.files import list_names, read_json, write_json
from bids_regions.frozen import dataclass
from bids_regions.results.keys import decode, encode, key
from bids_regions.results.placement import OutputPaths, failures_folder

__all__ = ["Failure", "find_failed_owners", "find_failures", "write_failure"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A map and entry that failed."""

    source: str = field(default="", metadata=key("Source"))  # relative to the source dataset, printable
    entities: Mapping[str, str] = field(default_factory=dict, metadata=key("SourceEntities", dict))
    entry: str = field(default="", metadata=key("RegionsEntry"))
    reason: str = field(default="", metadata=key("Reason"))
    hint: str = field(default="", metadata=key("Hint"))
    exit_code: int = field(default=0, metadata=key("ExitCode", int))
    crash: str = field(default="", metadata=key("Crash"))  # the traceback of what no one foresaw


def write_failure(mapfile: MapFile, paths: OutputPaths, fault: Fault, crash: str = "") -> None:
    """Leave word of a failure."""
    note = Failure(
        source=printable(mapfile.relpath),
        entities=dict(mapfile.entities),
        entry=paths.entry,
        reason=fault.sentence,
        hint=fault.hint,
        exit_code=fault.exit_code,
        crash=crash,
    )
    write_json(paths.failure, encode(note))


def find_failed_owners(output_dir: Path, participants: frozenset[str]) -> list[str]:
    """The participants that have notes of failures, "sub-01"; only those of the labels, where some are given."""
    names = (name.replace("=", "-") for name in list_names(failures_folder(output_dir), strict=False))
    return [name for name in names if name.startswith("sub-") and (not participants or name[4:] in participants)]


def find_failures(output_dir: Path, owner: str) -> Iterator[tuple[Path, Failure]]:
    """The notes of failures of one owner, in the order of their paths."""
    for path in sorted(failures_folder(output_dir, owner).glob("*.json")):
        try:
            yield path, decode(Failure, read_json(path))
        except Fault:
            continue
