"""From a statistical map to its regions: find_regions and its kin for notebooks, a BIDS App for datasets.

The public names are those of `api`; they load when they are first used, so that `bids_regions --help` answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bids_regions.version import __version__

if TYPE_CHECKING:
    from bids_regions.api import (
        CONVENTIONS,
        Criteria,
        Extraction,
        Peak,
        Plot,
        Region,
        Regions,
        Result,
        Results,
        Smoothness,
        Statistic,
        find_regions,
        plot_regions,
        read_results,
    )

__all__ = [
    "CONVENTIONS",
    "Criteria",
    "Extraction",
    "Peak",
    "Plot",
    "Region",
    "Regions",
    "Result",
    "Results",
    "Smoothness",
    "Statistic",
    "__version__",
    "find_regions",
    "plot_regions",
    "read_results",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("bids_regions.api"), name)
    raise AttributeError(f"module 'bids_regions' has no attribute {name!r}", name=name, obj=import_module(__name__))


def __dir__() -> list[str]:
    return sorted(__all__)
