"""Where the elements of a row lie: what the arrays of `aggregate` ask of a domain.

What the elements hold is not known here, nor which file they come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import RegionIndex
from bids_regions.frozen import dataclass
from bids_regions.space import Domain, Elements, Grayordinates

__all__ = [
    "DomainPositions",
    "RegionPositions",
    "find_region_positions",
    "measure_ways",
    "regions_on_sheet",
]

DETOUR = 2  # a way along a sheet is seldom this much longer than the straight one

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DomainPositions:
    """Where the elements of a domain's rows lie, by their ascending numbers in a row."""

    domain: Domain

    def xyz(self, numbers: NDArray[np.intp]) -> Floats:
        """Positions, (n, 3), mm RAS+; nan where there are no coordinates."""
        elements = self.domain.at(numbers, numbers)
        return _by_row(numbers, elements, self.domain.xyz(elements).T)

    def extents(self, numbers: NDArray[np.intp]) -> Floats:
        """Volumes or areas, (n,), mm3 or mm2; nan where they are not known."""
        elements, n = self.domain.at(numbers, numbers), numbers.size
        return _by_row(numbers, elements, self.domain.extents(elements, np.arange(n), np.ones(n, np.intp)).size)


def measure_ways(domain: Domain, labels: Array, peaks: Mapping[int, Sequence[float]]) -> Floats | None:
    """How far each element of a region lies from the region's peak: along the sheet, straight in voxels of structures.

    A row of mm, nan outside of regions, without coordinates, and where no way leads to the peak; None on a plain grid.
    """
    if not isinstance(domain, Grayordinates):
        return None
    row, numbers = np.full(labels.size, np.nan), np.flatnonzero(labels)
    elements = domain.at(numbers, numbers)
    xyz, region = domain.xyz(elements), labels[elements.memory]
    peak, straight = np.zeros(numbers.size, np.intp), np.full(numbers.size, np.nan)
    for label, at in peaks.items():
        own = np.flatnonzero(region == label)
        away = np.linalg.norm(xyz[:, own].T - np.asarray(at, float), axis=1)
        if own.size and np.isfinite(away).any():
            peak[own], straight[own] = own[np.nanargmin(away)], away
    asked = np.flatnonzero(np.isfinite(straight))
    if asked.size:
        limit = DETOUR * float(straight[asked].max())
        row[elements.memory[asked]] = _ways(domain, elements, (asked, peak[asked]), limit)
    return row


def _ways(domain: Grayordinates, elements: Elements, pairs: tuple[Array, Array], limit: float) -> Floats:
    """The distance of each pair of elements; the whole sheet is searched for those that lie beyond the limit."""
    found = domain.distances(elements, limit)(*pairs)
    beyond = np.isinf(found)
    if beyond.any():
        found[beyond] = domain.distances(elements, np.inf)(pairs[0][beyond], pairs[1][beyond])
    return np.where(np.isfinite(found), found, np.nan)


def _by_row(numbers: NDArray[np.intp], elements: Elements, found: Floats) -> Floats:
    """What was found of elements in canonical order, in the order of their rows."""
    rows = np.empty_like(found)
    rows[np.searchsorted(numbers, elements.memory)] = found
    return rows


@dataclass(frozen=True, kw_only=True)
class RegionPositions:
    """What the regions of an index lie in."""

    on_sheet: tuple[bool, ...]  # whether each is one of vertices
    structures: tuple[str | None, ...]  # CORTEX_LEFT, ...; None on a plain grid, or of voxels in several


def find_region_positions(domain: Domain, index: RegionIndex) -> RegionPositions:
    """What each region of an index lies in."""
    n = index.number.size
    if not isinstance(domain, Grayordinates):
        return RegionPositions(on_sheet=(False,) * n, structures=(None,) * n)
    numbers = np.sort(index.voxels)
    elements = domain.at(numbers, numbers)
    row = dict(zip(elements.memory.tolist(), domain.address(elements).structure, strict=True))
    owners: list[set[str | None]] = [set() for _ in range(n)]
    for region, number in zip(index.region.tolist(), index.voxels.tolist(), strict=True):
        owners[region].add(row[number])
    structures = tuple(next(iter(own)) if len(own) == 1 else None for own in owners)
    return RegionPositions(on_sheet=tuple(regions_on_sheet(domain, index).tolist()), structures=structures)


def regions_on_sheet(domain: Domain, index: RegionIndex) -> NDArray[np.bool_]:
    """Whether each region is one of vertices, by its first element."""
    first = np.sort(index.voxels[index.starts])
    elements, n = domain.at(first, first), first.size
    found = domain.extents(elements, np.arange(n), np.ones(n, np.intp)).on_sheet
    by_number = dict(zip(elements.memory.tolist(), found.tolist(), strict=True))
    return np.array([by_number[number] for number in index.voxels[index.starts].tolist()], bool)
