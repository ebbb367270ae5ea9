"""Whose results stand where new ones would go: those of another source are not replaced without being asked.

A record belongs to a map where both have the same content, or the same name in the same dataset, `.gz` aside. Where the
source that a record names is gone, its name is free.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from bids_regions.dataset import LINK, MapFile, SourceDataset
from bids_regions.errors import BadDataset, Fault
from bids_regions.files import hash_file, read_json
from bids_regions.results.placement import OutputPaths
from bids_regions.results.records import load_record
from bids_regions.results.uris import read_source, source_uri

__all__ = ["check_owners", "find_linked_root"]

HEAD = 4096  # bytes of a record that hold the URI of its map, unless its name is very long
FIRST_SOURCE = re.compile(rb'"Sources": \[\s*"([^"]+)"')


def check_owners(
    claims: Iterable[tuple[MapFile, OutputPaths]], dataset: SourceDataset, output_dir: Path
) -> tuple[str, ...]:
    """What is replaced because its source is gone, a sentence each.

    Raises
    ------
    BadDataset
        A name is that of results of another source, which is still there.
    """
    root = find_linked_root(output_dir)
    same_dataset = root is not None and os.path.realpath(root) == os.path.realpath(dataset.root)
    notes, taken = [], []
    for mapfile, paths in claims:
        if same_dataset and _named_in(paths.sidecar) == _plain(source_uri(mapfile.relpath)):
            continue
        other = _other_source(paths.sidecar, mapfile, same_dataset=same_dataset)
        if other and root is not None and os.path.lexists(root / other):
            taken.append((mapfile.relpath, paths.labels.name, os.path.normpath(root / other)))
        elif other:
            notes.append(f"{paths.labels.name} held the results of {other}, which is gone, and is replaced")
    if taken:
        source, name, owner = taken[0]
        more = f", and {len(taken) - 1} more like it" if len(taken) > 1 else ""
        raise BadDataset(
            f"{source} would be written as {name}, which holds the results of {owner}{more}",
            hint="Give an output folder of its own, or replace what stands there by --force",
        )
    return tuple(notes)


def _plain(uri: str) -> str:
    return uri.removesuffix(".gz")


def _named_in(sidecar: Path) -> str:
    """The map that a record names, without reading all of it; empty where there is none."""
    try:
        with sidecar.open("rb") as stream:
            found = FIRST_SOURCE.search(stream.read(HEAD))
    except OSError:
        return ""
    return _plain(found[1].decode("ascii", "replace")) if found else ""


def _other_source(sidecar: Path, mapfile: MapFile, *, same_dataset: bool) -> str:
    """The source of the results that stand there, where it is another one; empty where not, or where none is told."""
    if not sidecar.exists():
        return ""
    try:
        record = load_record(sidecar)
        other = read_source(record.sources[0]) if record.sources else None
        if other is None or (same_dataset and _plain(other) == _plain(mapfile.relpath)):
            return ""
        return "" if record.source_hash == hash_file(mapfile.path) else other
    except Fault:
        return ""


def find_linked_root(output_dir: Path) -> Path | None:
    """The dataset that the results in a folder came from, as its description says."""
    try:
        links = read_json(output_dir / "dataset_description.json").get("DatasetLinks")
    except Fault:
        return None
    link = links.get(LINK) if isinstance(links, dict) else None
    if not isinstance(link, str):
        return None
    parts = urlsplit(link)
    return output_dir / os.fsdecode(unquote_to_bytes(parts.path)) if parts.scheme in ("", "file") else None
