"""Regions that come from elsewhere (--regions-from): an atlas, another study, or a consensus of the very same maps."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import Fault
from bids_regions.files import read_json
from bids_regions.frozen import dataclass
from bids_regions.group.members import Member
from bids_regions.group.outputs import Consensus, fingerprint
from bids_regions.images import StoredGrid, load_labels
from bids_regions.tables import read_rows

__all__ = ["OtherRegions", "lay_other_regions", "load_other_regions"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class OtherRegions:
    """Regions that come from elsewhere."""

    name: str  # of the file
    labels: Array
    grid: StoredGrid
    names: Mapping[int, str] = field(default_factory=dict)
    signs: Mapping[int, int] = field(default_factory=dict)
    peaks: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)  # mm, RAS+
    made_from: frozenset[str] = frozenset()  # fingerprints of the maps that its regions are the consensus of

    def is_circular(self, members: Sequence[Member], consensus: Consensus) -> bool:
        """Whether they were found in a set's own maps: by the record beside them, or because they are the same."""
        if any(fingerprint(member) in self.made_from for member in members):
            return True
        own = consensus.extraction.labels
        return bool(self.labels.any()) and own.shape == self.labels.shape and bool(np.array_equal(own, self.labels))


def load_other_regions(path: Path | None) -> OtherRegions | None:
    """The regions of --regions-from; names, signs and peaks where a table (`*_dseg.tsv`) stands beside the image.

    Raises
    ------
    BadMap
        The image cannot be read, or holds no whole numbers.
    """
    if path is None:
        return None
    labels, grid = load_labels(path)
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    names: dict[int, str] = {}
    signs: dict[int, int] = {}
    peaks: dict[int, tuple[float, float, float]] = {}
    try:
        for row in read_rows(path.with_name(stem + ".tsv")):
            number = int(row["index"])
            names[number] = row["name"]
            signs[number] = {"positive": 1, "negative": -1}.get(row.get("sign", ""), 0)
            if "peak_x" in row:
                peaks[number] = (float(row["peak_x"]), float(row["peak_y"]), float(row["peak_z"]))
    except (Fault, KeyError, ValueError):
        names, signs, peaks = {}, {}, {}  # no table of regions: they have neither name nor sign nor peak
    return OtherRegions(
        name=path.name,
        labels=np.maximum(labels, 0),
        grid=grid,
        names=names,
        signs=signs,
        peaks=peaks,
        made_from=_made_from(path.with_name(stem + ".json")),
    )


def _made_from(sidecar: Path) -> frozenset[str]:
    """The maps that a consensus of ours was made from, as its record tells."""
    try:
        found = read_json(sidecar).get("Consensus")
    except Fault:
        return frozenset()
    told = found.get("Maps") if isinstance(found, dict) else None
    return frozenset(map(str, told)) if isinstance(told, list) else frozenset()


def lay_other_regions(others: OtherRegions, grid: StoredGrid) -> tuple[Array, tuple[str, ...]]:
    """The other regions on the grid of a set, and what is to be said of it."""
    labels = others.grid.resample(others.labels, grid)
    notes = [f"Values are taken in the regions of {others.name}, which is taken to lie in the space of the maps"]
    if not others.grid.same_as(grid):
        notes.append(f"{others.name} lies on another grid and was resampled (nearest)")
    lost = sorted(set(np.unique(others.labels).tolist()) - set(np.unique(labels).tolist()) - {0})
    if lost:
        notes.append(f"{others.name} has regions without any voxel on the grid of the maps: {_some(lost)}")
    return labels, tuple(notes)


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
