"""What stands in an output folder: the one walk over it.

An *owner* is a folder at its top: `sub-01` for a participant, `tpl-S` for what belongs to none. A *sidecar* is the file
of a record, `*_dseg.json`; a *result* is a finished map and entry, a *log* what one run told. The walk leaves out
figures and hidden files, and tells paths in their order. Why something stands there is not asked.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bids_regions.dataset import MapFile, SourceDataset
from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.errors import Fault
from bids_regions.files import hash_file, read_json
from bids_regions.frozen import dataclass
from bids_regions.results.hemispheres import is_of_side
from bids_regions.results.placement import SIDECAR, OutputPaths, name_found
from bids_regions.results.records import Record, load_record
from bids_regions.results.uris import read_source

__all__ = ["Result", "find_owners", "find_results", "find_sidecars", "read_logs"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished map and entry, as it stands."""

    mapfile: MapFile
    paths: OutputPaths
    record: Record
    digest: str  # of the record's bytes


def find_sidecars(folder: Path) -> list[Path]:
    """Every sidecar below one owner's folder, but those of single hemispheres, which are no records."""
    found: list[Path] = []
    for below, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "figures"]
        records = (name for name in names if name.endswith(SIDECAR) and name[0] != "." and not is_of_side(name))
        found += (Path(below, name) for name in records)
    return sorted(found)


def find_owners(folder: Path, participants: frozenset[str]) -> list[str]:
    """The participants that have a folder in `folder`, "sub-01"; only those of the labels, where some are given."""
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.name.startswith("sub-") and e.is_dir())
    except OSError:
        return []
    return [name for name in names if not participants or name[4:] in participants]


def _mapfile_of(record: Record, sources: list[str], dataset: SourceDataset) -> MapFile:
    """The map of a record: a file, or the volume of one that its entities tell and its name does not."""
    mapfile = read_map_names(dataset.root, sources)
    volume = record.entities.get("volume", "")
    return mapfile.take_volume(int(volume)) if volume.isdecimal() and mapfile.entity("volume") is None else mapfile


def find_results(output_dir: Path, owner: str, dataset: SourceDataset) -> Iterator[Result]:
    """Every finished map and entry of one owner; what cannot be read, or is none (a consensus), is passed over."""
    for path in find_sidecars(output_dir / owner):
        try:
            record, digest = load_record(path), hash_file(path)
        except Fault:
            continue
        sources = [source for uri in record.sources if (source := read_source(uri)) is not None]
        own = bool(sources) and read_source(record.source) == sources[0]
        mapfile = _mapfile_of(record, sources, dataset) if own else None
        paths = mapfile and name_found(path, record.entry, output_dir, owner, mapfile)
        if mapfile and paths:
            yield Result(mapfile=mapfile, paths=paths, record=record, digest=digest)


def read_logs(output_dir: Path, key: str) -> Iterator[Mapping[str, Any]]:
    """What runs logged under a key, the latest first; a log that cannot be read is passed over."""
    for path in sorted(output_dir.glob("logs/log-*.json"), reverse=True):
        try:
            told = read_json(path).get(key)
        except Fault:
            continue
        if isinstance(told, dict):
            yield told
