"""What the participant level left for the group: one member per participant's map and entry, read from its record.

A *member* is one participant's finished map under one entry. An *absence* is a participant that a set lacks, and why,
in words. File names are never taken apart here: all comes from the records (`*_dseg.json`) and the notes of failures.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, get_args

from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.dataset.mapfiles import Form, MapFile
from bids_regions.errors import Fault
from bids_regions.extraction.tails import Tail
from bids_regions.frozen import dataclass
from bids_regions.group.rates import voxel_rate
from bids_regions.pages.telling import rule_title
from bids_regions.results.failures import find_failed_owners, find_failures
from bids_regions.results.placement import ALL_LABELS, LABELS, SIDECAR, TABLE
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
    form: Form
    sources: tuple[str, ...]  # the map's files, one or of two hemispheres, relative to the source dataset
    volume: int | None  # of a 4-D file, from 1
    stem: str  # its results in OUTPUT_DIR, relative, without _dseg and extension
    mask: str  # relative to the source dataset, or out of it; on surfaces what its record says; "" for none
    mask_files: tuple[str, ...]  # on surfaces the files that were named, as `mask`
    value_files: tuple[str, ...]  # of the second map (--values-from), as `sources`; none without one
    kind: str  # z, t, ...: what the map's values are
    tail: Tail
    cutoff: float  # magnitude; inf where nothing could pass
    rate: float  # false-positive rate of a voxel in one tail; nan where it is not known
    n_regions: int
    source_hash: str  # of the map's files when it was worked on
    settings_hash: str
    criteria: Mapping[str, Any] = field(compare=False)  # every choice by its option's name; one for equal hashes
    version: str  # of bids_regions, that made it
    rule: str  # its entry's rule in words
    label_names: tuple[str, ...]  # of its label image, or one for each hemisphere
    output_hashes: tuple[str, ...]  # of these and of its table; none where its record does not tell
    columns: tuple[str, ...]  # of its table
    described: Mapping[str, Mapping[str, str]] = field(compare=False)  # these; one for equal columns

    @property
    def source(self) -> str:
        """The map, of two hemispheres the first one's."""
        return self.sources[0]

    @property
    def title(self) -> str:
        """What tells its map from all others, as `MapFile.title` does."""
        return self.source if self.volume is None else f"{self.source} (volume {self.volume})"

    @property
    def values(self) -> bool:
        """Whether there is a second map."""
        return bool(self.value_files)

    @property
    def label_files(self) -> tuple[str, ...]:
        """Its label image, or one for each hemisphere, relative to OUTPUT_DIR."""
        folder = self.stem.rpartition("/")[0]
        return tuple(f"{folder}/{name}" for name in self.label_names)

    @property
    def labels(self) -> str:
        """The first of them."""
        return self.label_files[0]

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
    form: Form
    entry: str  # "" where the note holds for every entry
    reason: str
    mapfile: MapFile  # by what its name tells


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """A participant that a set lacks, and why."""

    participant: str  # "sub-01"
    status: Status
    reason: str
    met: str = ""  # the map, where it was this run that met the failure, at the group level
    noted: str = ""  # the map, where it was the participant level, of this run or of an earlier one


def read_members(output_dir: Path, participants: frozenset[str]) -> tuple[list[Member], list[Absence]]:
    """All finished maps below the participants' folders of OUTPUT_DIR (labels without sub-; none: all), and records
    that cannot be read.
    """
    members: list[Member] = []
    unread: list[Absence] = []
    shared: dict[Any, Any] = {}  # what is equal of ten thousand participants is held once
    for owner in find_owners(output_dir, participants):
        for path in find_sidecars(output_dir / owner):
            try:
                members.append(_member(owner, path, output_dir, load_record(path), shared))
            except Fault as fault:
                where = path.relative_to(output_dir).as_posix()
                unread.append(Absence(participant=owner, status="failed", reason=f"{where}: {fault}"))
    return members, unread


def _member(owner: str, path: Path, output_dir: Path, record: Record, shared: dict[Any, Any]) -> Member:
    entities = tuple((name, label) for name, label in record.entities.items() if name != "sub")
    columns = tuple(record.columns)
    stem = path.name.removesuffix(SIDECAR)
    rule = _rule_of(record)
    names = tuple(name for name in sorted(record.outputs) if name.endswith(ALL_LABELS)) or (stem + LABELS,)
    hashes = tuple(record.outputs.get(name, "") for name in (*names, stem + TABLE))
    form = next(form for form, ending in zip(get_args(Form), ALL_LABELS, strict=True) if names[0].endswith(ending))
    return Member(
        participant=owner,
        entities=shared.setdefault(entities, entities),
        space=dict(entities).get("space", record.assumed_space or ""),
        entry=record.entry,
        form=form,
        sources=tuple(map(_path_of, record.sources[: len(names) if form == "gifti" else 1])),  # a file per hemisphere
        volume=_volume_of(record),
        stem=path.relative_to(output_dir).as_posix().removesuffix(SIDECAR),
        mask="" if record.mask.source == "none" else _path_of(record.mask.source),
        mask_files=tuple(_path_of(name) for name in record.mask.files),
        value_files=tuple(_path_of(name) for name in record.second),
        kind=record.statistic.kind,
        tail=record.threshold.tail,
        cutoff=record.threshold.height,
        rate=voxel_rate(record.statistic, record.threshold),
        n_regions=record.counts.kept,
        source_hash=record.source_hash,
        settings_hash=record.settings_hash,
        criteria=shared.setdefault(("criteria", record.settings_hash), record.criteria),
        version=record.versions.get("bids_regions", "unknown"),
        rule=shared.setdefault(rule, rule),
        label_names=names,
        output_hashes=hashes if all(hashes) else (),
        columns=shared.setdefault(columns, columns),
        described=shared.setdefault(("described", columns), record.columns),
    )


def _rule_of(record: Record) -> str:
    """The rule in words; an entry's name where a later version, or another hand, wrote what has none here."""
    try:
        return rule_title(record)
    except (KeyError, ValueError):
        return record.entry


def _volume_of(record: Record) -> int | None:
    """The volume of a 4-D file that a record is of; a name that tells a volume itself is that of a 3-D one."""
    return _volume_told(record.entities, record.source)


def _volume_told(entities: Mapping[str, str], source: str) -> int | None:
    label = entities.get("volume", "")
    return int(label) if label.isdecimal() and "_volume-" not in source else None


def _path_of(source: str) -> str:
    """A source's path relative to the source dataset; it may lead out of it."""
    return source if (path := read_source(source)) is None else path


def read_failures(output_dir: Path, root: Path, participants: frozenset[str]) -> list[FailureNote]:
    """The notes that the participants' failed maps left."""
    notes = []
    for owner in find_failed_owners(output_dir, participants):
        for _, failure in find_failures(output_dir, owner):
            mapfile = read_map_names(root, [failure.source])
            entities = failure.entities or dict(mapfile.entities)  # a note may tell none
            volume = _volume_told(entities, failure.source)
            notes.append(
                FailureNote(
                    participant=owner,
                    entities=tuple((name, label) for name, label in entities.items() if name != "sub"),
                    form=mapfile.form,
                    entry=failure.entry,
                    reason=failure.reason or "it failed",
                    mapfile=mapfile if volume is None else mapfile.take_volume(volume),
                )
            )
    return notes
