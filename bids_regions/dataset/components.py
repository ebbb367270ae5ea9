"""The names of tedana's components: what its tables call the volumes of a `*_components` file.

Beside the file stands the mixing matrix with a column for each component (`desc-ICA_mixing.tsv`); of a file that holds
the accepted components alone, the table of metrics tells which these are.
"""

import re
from pathlib import Path

from bids_regions.dataset.mapfiles import MapFile
from bids_regions.errors import Fault
from bids_regions.files import read_text

__all__ = ["find_component_name"]

SUFFIX = "components"
PREFIX = re.compile(r"^(?:(?P<prefix>.*?)_)?(?:echo-[^_]*_)?desc-(?P<method>ICA|PCA)(?P<rest>[^_]*)_")


def find_component_name(mapfile: MapFile) -> str:
    """The name of the component that a volume is; empty where no table tells it."""
    found = PREFIX.match(mapfile.path.name)
    if mapfile.volume is None or mapfile.suffix != SUFFIX or not found:
        return ""
    beside = f"{found['prefix']}_" if found["prefix"] else ""
    if found["rest"] == "Accepted":
        names = _accepted(_cells(mapfile.path.with_name(f"{beside}desc-tedana_metrics.tsv")))
    else:
        names = (_cells(mapfile.path.with_name(f"{beside}desc-{found['method']}_mixing.tsv")) or [[]])[0]
    return names[mapfile.volume - 1] if mapfile.volume <= len(names) else ""


def _accepted(rows: list[list[str]]) -> list[str]:
    if not rows or "classification" not in rows[0]:
        return []
    at = rows[0].index("classification")
    return [row[0] for row in rows[1:] if len(row) > at and row[at] == "accepted"]


def _cells(path: Path) -> list[list[str]]:
    try:
        return [line.split("\t") for line in read_text(path).splitlines()]
    except Fault:
        return []  # a name is no result
