"""What the participant level left for the group: one member per participant's map and entry, read from its record.

A *member* is one participant's finished map under one entry. An *absence* is a participant that a set lacks, and why,
in words. File names are never taken apart here: all comes from the records (`*_dseg.json`) and the notes of failures.
"""

from pathlib import Path
from typing import Any, Literal

from bids_regions.dataset import read_map_name
from bids_regions.errors import Fault
from bids_regions.extraction.tails import Tail
from bids_regions.frozen import dataclass
from bids_regions.group.rates import voxel_rate
from bids_regions.results.failures import find_failed_owners, find_failures
from bids_regions.results.placement import LABELS, SIDECAR, TABLE
from bids_regions.results.records import Record, load_record
from bids_regions.results.uris import read_source
from bids_regions.results.walk import find_owners, find_sidecars

__all__ = ["Absence", "FailureNote", "Member", "Status", "read_failures", "read_members"]

Status = Literal["ok", "empty", "failed", "missing", "changed", "left out"]
Entities = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One participant's finished map under one entry."""

    participant: str  # "sub-01"
    entities: Entities  # of the map, all but sub, verbatim
    space: str  # label; "" where neither the name nor the run that made it told one
    entry: str
    source: str  # the map, relative to the source dataset
    volume: int | None  # of a 4-D file, from 1
    stem: str  # its results in OUTPUT_DIR, relative, without _dseg and extension
    mask: str  # relative to the source dataset, or out of it; "" for none
    values: str  # the second map (--values-from), relative to the source dataset; "" for none
    kind: str  # z, t, ...: what the map's values are
    tail: Tail
    cutoff: float  # magnitude; inf where nothing could pass
    rate: float  # false-positive rate of a voxel in one tail; nan where it is not known
    n_regions: int
    source_hash: str  # of the map's file when it was worked on
    settings_hash: str
    output_hashes: tuple[str, ...]  # of its label image and table; none where its record does not tell
    columns: tuple[str, ...]  # of its table

    @property
    def labels(self) -> str:
        """Its label image, relative to OUTPUT_DIR."""
        return self.stem + LABELS

    @property
    def table(self) -> str:
        """Its table of regions, relative to OUTPUT_DIR."""
        return self.stem + TABLE

    @property
    def sidecar(self) -> str:
        """Its record, relative to OUTPUT_DIR."""
        return self.stem + SIDECAR

    @property
    def session(self) -> str:
        """Its session as BIDS writes it, "ses-1"; empty without one."""
        label = dict(self.entities).get("ses")
        return f"ses-{label}" if label else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureNote:
    """A participant's map that failed."""

    participant: str
    entities: Entities  # all but sub
    entry: str  # "" where the note holds for every entry
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """A participant that a set lacks, and why."""

    participant: str  # "sub-01"
    status: Status
    reason: str
    here: bool = False  # it was met in this run, at the group level


def read_members(output_dir: Path, participants: frozenset[str]) -> tuple[list[Member], list[Absence]]:
    """All finished maps below the participants' folders of OUTPUT_DIR (labels without sub-; none: all), and records
    that cannot be read.
    """
    members: list[Member] = []
    unread: list[Absence] = []
    shared: dict[Any, Any] = {}  # equal tuples of ten thousand participants are held once
    for owner in find_owners(output_dir, participants):
        for path in find_sidecars(output_dir / owner):
            try:
                record = load_record(path)
                if not record.surfaces:  # maps on surfaces are not pooled
                    members.append(_member(owner, path, output_dir, record, shared))
            except Fault as fault:
                where = path.relative_to(output_dir).as_posix()
                unread.append(Absence(participant=owner, status="failed", reason=f"{where}: {fault}"))
    return members, unread


def _member(owner: str, path: Path, output_dir: Path, record: Record, shared: dict[Any, Any]) -> Member:
    entities = tuple((name, label) for name, label in record.entities.items() if name != "sub")
    columns = tuple(record.columns)
    stem = path.name.removesuffix(SIDECAR)
    hashes = tuple(record.outputs.get(stem + ending, "") for ending in (LABELS, TABLE))
    return Member(
        participant=owner,
        entities=shared.setdefault(entities, entities),
        space=dict(entities).get("space", record.assumed_space or ""),
        entry=record.entry,
        source=_path_of(record.source),
        volume=_volume_of(record),
        stem=path.relative_to(output_dir).as_posix().removesuffix(SIDECAR),
        mask="" if record.mask.source == "none" else _path_of(record.mask.source),
        values="" if record.values is None else _path_of(record.values),
        kind=record.statistic.kind,
        tail=record.threshold.tail,
        cutoff=record.threshold.height,
        rate=voxel_rate(record.statistic, record.threshold),
        n_regions=record.counts.kept,
        source_hash=record.source_hash,
        settings_hash=record.settings_hash,
        output_hashes=hashes if all(hashes) else (),
        columns=shared.setdefault(columns, columns),
    )


def _volume_of(record: Record) -> int | None:
    """The volume of a 4-D file that a record is of; a name that tells a volume itself is that of a 3-D one."""
    label = record.entities.get("volume", "")
    return int(label) if label.isdecimal() and "_volume-" not in record.source else None


def _path_of(source: str) -> str:
    """A source's path relative to the source dataset; it may lead out of it."""
    return source if (path := read_source(source)) is None else path


def read_failures(output_dir: Path, root: Path, participants: frozenset[str]) -> list[FailureNote]:
    """The notes that the participants' failed maps left."""
    notes = []
    for owner in find_failed_owners(output_dir, participants):
        for _, failure in find_failures(output_dir, owner):
            told = failure.entities
            entities = dict(read_map_name(root, failure.source).entities) if told is None else told
            notes.append(
                FailureNote(
                    participant=owner,
                    entities=tuple((name, label) for name, label in entities.items() if name != "sub"),
                    entry=failure.entry,
                    reason=failure.reason or "it failed",
                )
            )
    return notes
