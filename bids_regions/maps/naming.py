"""The names of regions: from the atlases where some were given, else a number.

*Cells* are the columns that atlases add to the tables. Where an atlas lies and which maps it fits was settled before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bids_regions.atlases import Fitting, Naming, Places, describe_atlas, describe_places, name_regions, place_atlas
from bids_regions.extraction import Extraction, Region
from bids_regions.space import Grid
from bids_regions.tables import Cells

__all__ = ["NamedRegions", "name_extraction"]


@dataclass(frozen=True, kw_only=True)
class NamedRegions:
    """Regions with their names, and what the atlases add to the tables and the sidecar."""

    regions: tuple[Region, ...]
    region_cells: tuple[Cells, ...] = ()
    peak_cells: tuple[Cells, ...] = ()
    atlases: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()  # atlases that could not be used


def name_extraction(
    extraction: Extraction, grid: Grid | None, fittings: Sequence[Fitting], *, sided: bool
) -> NamedRegions:
    """Names from the first atlas that fits, region-1, region-2, ... without one; `sided` as in `name_regions`.

    Raises
    ------
    MissingInput
        An atlas that was there when the run began and cannot be read any more.
    """
    placed = [place_atlas(fitting.atlas, grid) if fitting.atlas and grid else None for fitting in fittings]
    naming = name_regions(extraction.labels, extraction.regions, placed, sided=sided)
    pairs = zip(extraction.regions, naming.names, strict=True)
    named = tuple(region if name == region.name else replace(region, name=name) for region, name in pairs)
    columns = [_cells(fitting, named, places) for fitting, places in zip(fittings, naming.places, strict=True)]
    return NamedRegions(
        regions=named,
        region_cells=tuple(cells for at_peak, overlap, _ in columns for cells in (at_peak, overlap)),
        peak_cells=tuple(cells for _, _, cells in columns),
        atlases=_describe(fittings, naming),
        warnings=tuple(f"{each.reason}: its columns are n/a" for each in fittings if each.atlas is None),
    )


def _cells(fitting: Fitting, regions: Sequence[Region], places: Sequence[Places]) -> tuple[Cells, Cells, Cells]:
    words = describe_places(fitting.name, probabilistic=fitting.atlas is not None and fitting.atlas.probabilistic)
    peak, overlap = words
    sub_peaks = [
        text
        for region, place in zip(regions, places, strict=True)
        for text in place.peaks or ("n/a",) * len(region.peaks)
    ]
    return (
        Cells(name=peak, description=words[peak], cells=tuple(place.peak for place in places)),
        Cells(name=overlap, description=words[overlap], cells=tuple(place.overlap for place in places)),
        Cells(name=peak, description=words[peak], cells=tuple(sub_peaks)),
    )


def _describe(fittings: Sequence[Fitting], naming: Naming) -> tuple[dict[str, Any], ...]:
    """What the sidecar says of each atlas, with every region's overlaps in full."""
    described = []
    for fitting, places in zip(fittings, naming.places, strict=True):
        overlaps = {str(n): _overlaps(place) for n, place in enumerate(places, start=1) if place.overlaps}
        described.append(describe_atlas(fitting) | ({"Overlaps": overlaps} if overlaps else {}))
    return tuple(described)


def _overlaps(place: Places) -> list[dict[str, Any]]:
    return [
        {"Label": each.label, "PercentOfRegion": round(each.of_region, 2)}
        | ({"PercentOfLabel": round(each.of_label, 2)} if each.of_label is not None else {})
        for each in place.overlaps
    ]
