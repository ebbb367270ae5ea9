"""BIDS: which maps there are, where their results go, what describes them.

A map file is a statistical map as its name describes it; a selection is what a user asks for; a place is the set of
output paths of one map and entry. This room reads names, JSON and TSV; it never opens an image.
"""

from bids_regions.dataset.mapfiles import Discovery, MapFile, Selection, Skipped, matches, read_map_name
from bids_regions.dataset.placement import (
    GroupPaths,
    OutputPaths,
    check_collisions,
    place_group_outputs,
    place_outputs,
)

__all__ = [
    "Discovery",
    "GroupPaths",
    "MapFile",
    "OutputPaths",
    "Selection",
    "Skipped",
    "check_collisions",
    "matches",
    "place_group_outputs",
    "place_outputs",
    "read_map_name",
]
