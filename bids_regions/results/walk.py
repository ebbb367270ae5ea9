"""What stands in an output folder: the one walk over it.

An *owner* is a folder at its top: `sub-01` for a participant, `tpl-S` for what belongs to none. A *sidecar* is the file
of a record, `*_dseg.json`. The walk leaves out figures and hidden files, and tells paths in their order.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from bids_regions.dataset import MapFile, SourceDataset, read_map_name
from bids_regions.results.placement import SIDECAR, OutputPaths, place_found
from bids_regions.results.records import Record, read_record
from bids_regions.results.uris import read_source

__all__ = ["find_records", "find_sidecars"]


def find_sidecars(folder: Path) -> list[Path]:
    """Every sidecar below one owner's folder."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "figures"]
        found += (Path(place, name) for name in names if name.endswith(SIDECAR) and name[0] != ".")
    return sorted(found)


def find_records(output_dir: Path, owner: str, dataset: SourceDataset) -> Iterator[tuple[MapFile, OutputPaths, Record]]:
    """Every finished map and entry of one owner, with the map it came from."""
    for path in find_sidecars(output_dir / owner):
        record = read_record(path)
        if record is None:
            continue
        source = read_source(str((record.content.get("Sources") or [""])[0]))
        if source is None:
            continue  # a consensus of the group
        mapfile = read_map_name(dataset.root, source)
        place = place_found(path, str(record.content.get("RegionsEntry", "")), output_dir, owner, mapfile.relpath)
        if place is not None:
            yield mapfile, place, record
