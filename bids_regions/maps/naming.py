"""The names of regions: from the atlases where some were given, else a number.

*Cells* are the columns that atlases add to the tables. Where an atlas lies and which maps it fits was settled before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bids_regions.atlases import (
    Fitting,
    Location,
    Naming,
    PlacedAtlas,
    describe_atlas,
    describe_locations,
    name_regions,
    place_atlas,
    place_on_sheets,
)
from bids_regions.extraction import Extraction, Region
from bids_regions.frozen import dataclass
from bids_regions.space import Grayordinates, Grid
from bids_regions.tables import NO_VALUE, Cells

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
    extraction: Extraction, grid: Grid | Grayordinates | None, fittings: Sequence[Fitting], *, sided: bool
) -> NamedRegions:
    """Names from the first atlas that fits, region-1, region-2, ... without one; `sided` as in `name_regions`.

    Raises
    ------
    MissingInput
        An atlas that was there when the run began and cannot be read any more.
    """
    placed, fittings = _place(fittings, grid)
    naming = name_regions(extraction.labels, extraction.regions, placed, sided=sided)
    pairs = zip(extraction.regions, naming.names, strict=True)
    named = tuple(region if name == region.name else replace(region, name=name) for region, name in pairs)
    columns = [_cells(fitting, named, locations) for fitting, locations in zip(fittings, naming.locations, strict=True)]
    return NamedRegions(
        regions=named,
        region_cells=tuple(cells for at_peak, overlap, _ in columns for cells in (at_peak, overlap)),
        peak_cells=tuple(cells for _, _, cells in columns),
        atlases=_describe(fittings, naming),
        warnings=tuple(f"{each.reason}: its columns are n/a" for each in fittings if each.atlas is None),
    )


def _place(
    fittings: Sequence[Fitting], domain: Grid | Grayordinates | None
) -> tuple[list[PlacedAtlas | None], list[Fitting]]:
    """The atlases on what a map lies on, and the fittings, where an atlas of another mesh is none any more."""
    placed: list[PlacedAtlas | None] = []
    fitted = []
    for each in fittings:
        found: PlacedAtlas | str | None = None
        if each.atlas and domain is not None:
            if isinstance(domain, Grayordinates):
                found = place_on_sheets(each.atlas, domain)
            else:
                found = place_atlas(each.atlas, domain)
        lost = isinstance(found, str)
        placed.append(None if isinstance(found, str) else found)
        fitted.append(replace(each, atlas=None, reason=str(found)) if lost else each)
    return placed, fitted


def _cells(fitting: Fitting, regions: Sequence[Region], locations: Sequence[Location]) -> tuple[Cells, Cells, Cells]:
    atlas = fitting.atlas
    words = describe_locations(
        fitting.name,
        probabilistic=atlas is not None and atlas.probabilistic,
        on_surfaces=atlas is not None and bool(atlas.labels),
    )
    peak, overlap = words
    sub_peaks = [
        text
        for region, location in zip(regions, locations, strict=True)
        for text in location.peaks or (NO_VALUE,) * len(region.peaks)
    ]
    return (
        Cells(name=peak, description=words[peak], cells=tuple(location.peak for location in locations)),
        Cells(name=overlap, description=words[overlap], cells=tuple(location.overlap for location in locations)),
        Cells(name=peak, description=words[peak], cells=tuple(sub_peaks)),
    )


def _describe(fittings: Sequence[Fitting], naming: Naming) -> tuple[dict[str, Any], ...]:
    """What the sidecar says of each atlas, with every region's overlaps in full."""
    described = []
    for fitting, locations in zip(fittings, naming.locations, strict=True):
        overlaps = {str(n): _overlaps(location) for n, location in enumerate(locations, start=1) if location.overlaps}
        described.append(describe_atlas(fitting) | ({"Overlaps": overlaps} if overlaps else {}))
    return tuple(described)


def _overlaps(location: Location) -> list[dict[str, Any]]:
    return [
        {"Label": each.label, "PercentOfRegion": round(each.of_region, 2)}
        | ({"PercentOfLabel": round(each.of_label, 2)} if each.of_label is not None else {})
        for each in location.overlaps
    ]
