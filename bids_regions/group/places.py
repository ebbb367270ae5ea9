"""Where the elements of a row lie: what the arrays of `aggregate` ask of a domain."""

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.space import Domain, Elements

__all__ = ["DomainPlaces"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DomainPlaces:
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


def _by_row(numbers: NDArray[np.intp], elements: Elements, found: Floats) -> Floats:
    """What was found of elements in canonical order, in the order of their rows."""
    rows = np.empty_like(found)
    rows[np.searchsorted(numbers, elements.memory)] = found
    return rows
