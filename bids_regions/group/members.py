"""What the participant level left for the group: one member per participant's map and entry, read from its record.

A *member* is one participant's finished map under one entry. An *absence* is a participant that a set lacks, and why,
in words. File names are never taken apart here: all comes from the records (`*_dseg.json`) and the notes of failures.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bids_regions.dataset import read_map_name
from bids_regions.errors import Fault
from bids_regions.extraction.tails import Tail
from bids_regions.files import read_json
from bids_regions.group.rates import voxel_rate
from bids_regions.results.placement import LABELS, SIDECAR, TABLE
from bids_regions.results.uris import read_source
from bids_regions.results.walk import find_sidecars

__all__ = ["Absence", "FailureNote", "Member", "Status", "read_failures", "read_members"]

Status = Literal["ok", "empty", "failed", "missing", "changed", "left out"]
Entities = tuple[tuple[str, str], ...]

STATEMENTS = frozenset({"Description", "Units"})  # a key of a record that holds these describes a column


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One participant's finished map under one entry."""

    participant: str  # "sub-01"
    entities: Entities  # of the map, all but sub, verbatim
    space: str  # label; "" where neither the name nor the run that made it told one
    entry: str
    source: str  # the map, relative to the source dataset
    stem: str  # its results in OUTPUT_DIR, relative, without _dseg and extension
    mask: str  # relative to the source dataset, or out of it; "" for none
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
    for owner in _owners(output_dir, participants):
        for path in find_sidecars(output_dir / owner):
            try:
                members.append(_member(owner, path, output_dir, read_json(path), shared))
            except (Fault, KeyError, TypeError, AttributeError) as error:
                reason = str(error) if isinstance(error, Fault) else "the record lacks what the group level needs"
                where = path.relative_to(output_dir).as_posix()
                unread.append(Absence(participant=owner, status="failed", reason=f"{where}: {reason}"))
    return members, unread


def _owners(folder: Path, participants: frozenset[str]) -> list[str]:
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.name.startswith("sub-") and e.is_dir())
    except OSError:
        return []
    return [name for name in names if not participants or name[4:] in participants]


def _member(owner: str, path: Path, output_dir: Path, record: Mapping[str, Any], shared: dict[Any, Any]) -> Member:
    entities = tuple((str(k), str(v)) for k, v in record["SourceEntities"].items() if k != "sub")
    columns = tuple(key for key, value in record.items() if isinstance(value, dict) and _describes(value))
    mask = str(record["Mask"]["Source"])
    stem = path.name.removesuffix(SIDECAR)
    hashes = [record.get("Outputs", {}).get(stem + ending) for ending in (LABELS, TABLE)]
    return Member(
        participant=owner,
        entities=shared.setdefault(entities, entities),
        space=dict(entities).get("space", str(record.get("AssumedSpace", ""))),
        entry=str(record["RegionsEntry"]),
        source=_path_of(str(record["Sources"][0])),
        stem=path.relative_to(output_dir).as_posix().removesuffix(SIDECAR),
        mask="" if mask == "none" else _path_of(mask),
        kind=str(record["Statistic"]["Kind"]),
        tail=record["Threshold"]["Tail"],
        cutoff=float(record["Threshold"].get("Cutoff", "inf")),
        rate=voxel_rate(record),
        n_regions=int(record["Counts"]["RegionsKept"]),
        source_hash=str(record.get("SourceHash", "")),
        settings_hash=str(record["SettingsHash"]),
        output_hashes=tuple(map(str, hashes)) if all(hashes) else (),
        columns=shared.setdefault(columns, columns),
    )


def _path_of(source: str) -> str:
    """A source's path relative to the source dataset; it may lead out of it."""
    return source if (path := read_source(source)) is None else path


def _describes(value: Mapping[str, Any]) -> bool:
    return "Description" in value and value.keys() <= STATEMENTS


def read_failures(output_dir: Path, root: Path, participants: frozenset[str]) -> list[FailureNote]:
    """The notes that failed maps left in `logs/failed`."""
    folder = output_dir / "logs" / "failed"
    notes = []
    for owner in _owners(folder, participants):
        for path in sorted((folder / owner).glob("*.json")):
            try:
                note = read_json(path)
            except Fault:
                continue  # a note half a run wrote long ago; the participant is then missing, which is said as well
            entities = note.get("SourceEntities")
            if not isinstance(entities, dict):
                entities = dict(read_map_name(root, str(note.get("Source", ""))).entities)
            notes.append(
                FailureNote(
                    participant=owner,
                    entities=tuple((str(k), str(v)) for k, v in entities.items() if k != "sub"),
                    entry=str(note.get("RegionsEntry", "")),
                    reason=str(note.get("Reason", "it failed")),
                )
            )
    return notes
