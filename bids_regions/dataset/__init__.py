"""BIDS: which maps there are, where their results go, what describes them.

A map file is a statistical map as its name describes it; a selection is what a user asks for; a place is the set of
output paths of one map and entry. This room reads names, JSON and TSV; it never opens an image.
"""

from bids_regions.dataset.companions import find_anatomical, find_mask, find_sibling, linked_datasets
from bids_regions.dataset.description import describe_output
from bids_regions.dataset.discovery import check_selection, find_maps, read_filter_file
from bids_regions.dataset.mapfiles import Discovery, MapFile, Selection, Skipped, matches, read_map_name
from bids_regions.dataset.metadata import DegreesOfFreedom, find_dof, read_metadata
from bids_regions.dataset.participants import Participants, find_participants_tsv, read_participants
from bids_regions.dataset.placement import (
    GroupPaths,
    OutputPaths,
    check_collisions,
    name_owner,
    place_group_outputs,
    place_outputs,
)
from bids_regions.dataset.source import LINK, SourceDataset, open_dataset, source_uri
from bids_regions.dataset.vocabulary import is_standard_space, pybids_configuration

__all__ = [
    "LINK",
    "DegreesOfFreedom",
    "Discovery",
    "GroupPaths",
    "MapFile",
    "OutputPaths",
    "Participants",
    "Selection",
    "Skipped",
    "SourceDataset",
    "check_collisions",
    "check_selection",
    "describe_output",
    "find_anatomical",
    "find_dof",
    "find_maps",
    "find_mask",
    "find_participants_tsv",
    "find_sibling",
    "is_standard_space",
    "linked_datasets",
    "matches",
    "name_owner",
    "open_dataset",
    "place_group_outputs",
    "place_outputs",
    "pybids_configuration",
    "read_filter_file",
    "read_map_name",
    "read_metadata",
    "read_participants",
    "source_uri",
]
