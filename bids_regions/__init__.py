"""From a statistical map to its regions: find_regions for arrays, a BIDS App for datasets.

The public names load when they are first used, so that `bids_regions --help` answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bids_regions.version import __version__

if TYPE_CHECKING:
    from bids_regions.extraction import CONVENTIONS, Criteria, Extraction, Region, Statistic, find_regions

__all__ = ["CONVENTIONS", "Criteria", "Extraction", "Region", "Statistic", "__version__", "find_regions"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("bids_regions.extraction"), name)
    raise AttributeError(f"module 'bids_regions' has no attribute {name!r}")
