"""BIDS: which maps there are, and what describes them.

A map file is a statistical map as its name describes it; a selection is what a user asks for. This room reads names,
JSON and TSV; it never opens an image.
"""

from bids_regions.dataset.companions import (
    find_anatomical,
    find_mask,
    find_segmentation,
    find_sibling,
    find_signed_sibling,
    linked_datasets,
)
from bids_regions.dataset.components import find_component_name
from bids_regions.dataset.description import check_output, describe_output
from bids_regions.dataset.discovery import check_selection, find_maps, read_filter_file
from bids_regions.dataset.mapfiles import Discovery, MapFile, Selection, Skipped, matches, read_map_name
from bids_regions.dataset.metadata import DegreesOfFreedom, find_dof, read_metadata, read_sidecars, tell_p_scale
from bids_regions.dataset.participants import Participants, find_participants_tsv, read_participants, read_table
from bids_regions.dataset.source import LINK, SourceDataset, open_dataset
from bids_regions.dataset.vocabulary import is_standard_space, pybids_configuration

__all__ = [
    "LINK",
    "DegreesOfFreedom",
    "Discovery",
    "MapFile",
    "Participants",
    "Selection",
    "Skipped",
    "SourceDataset",
    "check_output",
    "check_selection",
    "describe_output",
    "find_anatomical",
    "find_component_name",
    "find_dof",
    "find_maps",
    "find_mask",
    "find_participants_tsv",
    "find_segmentation",
    "find_sibling",
    "find_signed_sibling",
    "is_standard_space",
    "linked_datasets",
    "matches",
    "open_dataset",
    "pybids_configuration",
    "read_filter_file",
    "read_map_name",
    "read_metadata",
    "read_participants",
    "read_sidecars",
    "read_table",
    "tell_p_scale",
]
