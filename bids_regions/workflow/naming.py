"""The names of regions: from the atlases where some were given, else a number."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bids_regions.extraction import Extraction, Region
from bids_regions.tables import Cells

__all__ = ["NamedRegions", "name_plainly"]


@dataclass(frozen=True, kw_only=True)
class NamedRegions:
    """Regions with their names, and what the atlases add to the tables and the sidecar."""

    regions: tuple[Region, ...]
    region_cells: tuple[Cells, ...] = ()
    peak_cells: tuple[Cells, ...] = ()
    atlases: tuple[Mapping[str, Any], ...] = ()


def name_plainly(extraction: Extraction) -> NamedRegions:
    """Names without an atlas: region-1, region-2, ..."""
    return NamedRegions(regions=tuple(replace(region, name=f"region-{region.index}") for region in extraction.regions))
