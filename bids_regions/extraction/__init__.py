"""THE SCIENCE: arrays in, label images and frozen dataclasses out.

A *cutoff* is the magnitude a voxel must reach, a *component* a connected set of voxels that did, a *region* a component
(or a local region of one) that is large enough, a *peak* a local maximum within a region. This room knows no file, no
NIfTI and no BIDS. Its names load when they are first used: criteria alone need no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bids_regions.extraction.conventions import CONVENTIONS
    from bids_regions.extraction.criteria import Asked, Criteria
    from bids_regions.extraction.find import Extraction, find_regions
    from bids_regions.extraction.grammar import THRESHOLDS, ThresholdSpec, parse_threshold
    from bids_regions.extraction.measures import Peak, Region
    from bids_regions.extraction.smoothness import Smoothness
    from bids_regions.extraction.statistics import KINDS, Statistic
    from bids_regions.extraction.tails import TAILS
    from bids_regions.extraction.thresholds import Cutoff

__all__ = [
    "CONVENTIONS",
    "KINDS",
    "TAILS",
    "THRESHOLDS",
    "Asked",
    "Criteria",
    "Cutoff",
    "Extraction",
    "Peak",
    "Region",
    "Smoothness",
    "Statistic",
    "ThresholdSpec",
    "find_regions",
    "parse_threshold",
]

HOMES = {
    "conventions": ("CONVENTIONS",),
    "criteria": ("Asked", "Criteria"),
    "grammar": ("THRESHOLDS", "ThresholdSpec", "parse_threshold"),
    "statistics": ("KINDS", "Statistic"),
    "tails": ("TAILS",),
    "thresholds": ("Cutoff",),
    "measures": ("Peak", "Region"),
    "smoothness": ("Smoothness",),
    "find": ("Extraction", "find_regions"),
}


def __getattr__(name: str) -> Any:
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"bids_regions.extraction.{home}"), name)
    raise AttributeError(f"module 'bids_regions.extraction' has no attribute {name!r}")
