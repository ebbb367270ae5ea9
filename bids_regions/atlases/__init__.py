"""Atlases: from a coordinate or a region to the names of the places it lies in.

An atlas gives a name to each value of a label image, or to each volume of a 4-D image of probabilities, in one space.
Nothing is bundled and nothing is downloaded. This room does not know how a region was found, nor where results go.
"""

from bids_regions.atlases.describing import cite_atlases, describe_atlas, describe_naming
from bids_regions.atlases.naming import Location, Naming, Overlap, PlacedAtlas, describe_locations, name_regions
from bids_regions.atlases.placing import place_atlas
from bids_regions.atlases.sheets import place_on_sheets
from bids_regions.atlases.sources import (
    Atlas,
    AtlasReader,
    AtlasUser,
    Fitting,
    asks_templateflow,
    fit_atlases,
    fit_to_maps,
    misplaced,
    own_entities,
)

__all__ = [
    "Atlas",
    "AtlasReader",
    "AtlasUser",
    "Fitting",
    "Location",
    "Naming",
    "Overlap",
    "PlacedAtlas",
    "asks_templateflow",
    "cite_atlases",
    "describe_atlas",
    "describe_locations",
    "describe_naming",
    "fit_atlases",
    "fit_to_maps",
    "misplaced",
    "name_regions",
    "own_entities",
    "place_atlas",
    "place_on_sheets",
]
