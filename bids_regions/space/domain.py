"""The questions that are asked of what a map lies on, whatever it is: a grid of voxels, vertices of meshes, or both.

A *domain* is what a map has values on: a `Grid` of voxels, or the `Grayordinates` of meshes and structures. Its
*elements* are voxels or vertices. A map's values in one row are *flat*; an element's number in it is its *memory*. The
*canonical* order of elements is the same however the file stores them, so that sums are equal to the last bit; a
*rank* is an element's number in it, with gaps where that is of use. *Chains* are elements that follow one another in
canonical order and are neighbours, looked at as one: rows of voxels, or single vertices. A *reach* says which later (or
earlier) chains may be neighbours.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from bids_regions.frozen import dataclass

__all__ = ["Addresses", "Centres", "Chains", "Domain", "Elements", "Extents", "Reach"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[Any]  # int32 or intp
Numbers = npt.NDArray[Any]  # int32 wherever it holds them all
Reach = tuple[int, int]  # the step to the other chain in ranks, its sign the direction; by how much it may miss


@dataclass(frozen=True, kw_only=True, eq=False)
class Elements:
    """Some elements of a map in canonical order; as few bytes for each as can be, for there may be millions."""

    domain: "Domain"
    memory: Numbers  # (n,) number in the row that the domain's `flatten` makes
    rank: Numbers  # (n,) ascending
    values: Array  # (n,) signed, the map's own precision

    @cached_property
    def xyz(self) -> Floats:
        """(3, n) mm, RAS+, as the domain tells them."""
        return self.domain.xyz(self)

    def only(self, chosen: Array) -> "Elements":
        """Some of these elements, by flags or ascending numbers."""
        return Elements(
            domain=self.domain, memory=self.memory[chosen], rank=self.rank[chosen], values=self.values[chosen]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Extents:
    """How large regions are."""

    size: Floats  # (n,) mm3, or mm2 on a sheet; nan where it is not known
    on_sheet: Flags  # (n,) whether the region is one of vertices


@dataclass(frozen=True, kw_only=True, eq=False)
class Centres:
    """The centres of mass of regions."""

    xyz: Floats  # (3, n) mm, RAS+; nan where there are no coordinates
    inside: tuple[bool | None, ...]  # whether the voxel nearest to it is one of the region's; None on a sheet
    nearest: Integers  # (n,) the element there, or the region's vertex nearest to it; -1 where there is none


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where elements stand in the file, an entry for each; None for what does not apply."""

    structure: Sequence[str | None]  # CORTEX_LEFT, THALAMUS_LEFT, ...
    ijk: Sequence[tuple[int, int, int] | None]  # voxel, 0-based, the file's own axes
    vertex: Sequence[int | None]  # number in the mesh, 0-based


class Chains(Protocol):
    """Elements in chains: chain k holds the elements from number `first[k]` on, `lengths[k]` of them."""

    @property
    def first(self) -> Integers:
        """(n,) the number of each chain's first element."""

    @property
    def lengths(self) -> Integers:
        """(n,) elements in each chain."""

    @property
    def follows(self) -> Flags:
        """(n - 1,) whether the end of each chain and the beginning of the next are neighbours."""

    def touching(self, some: Integers, step: int, reach: int) -> tuple[Integers, Integers]:
        """The pairs of chains (one of `some`, other) that are neighbours by a reach."""


class Domain(Protocol):
    """What a map lies on. Regions are arrays: `region` holds the region of each element, 0 to `n` - 1."""

    @property
    def units(self) -> str:
        """Of extents: mm3 or mm2; of both kinds of pieces where it says mm2 and some are voxels."""

    @property
    def size(self) -> int:
        """How many elements a map has."""

    def fit(self, data: Array) -> Self:
        """The domain of a map as it lies in memory; BadMap where it is not a map of this domain."""

    def flatten(self, data: Array) -> Array:
        """A map as one row; a view where it can be."""

    def unflatten(self, row: Array) -> Array:
        """The inverse of `flatten`: a view with the shape of the map."""

    def at(self, numbers: Numbers, values: Array) -> Elements:
        """The elements with some numbers in the flat map, ascending, brought into canonical order."""

    def extents(self, elements: Elements, region: Integers, counts: Integers) -> Extents:
        """How large each region is, of which (n,) `counts` are the elements."""

    def xyz(self, elements: Elements) -> Floats:
        """(3, n) mm, RAS+; nan where there are no coordinates."""

    def address(self, elements: Elements) -> Addresses:
        """Where each element stands in the file."""

    def chains(self, elements: Elements, *keys: Array) -> Chains:
        """The chains of elements that are equal in every key, at least one element."""

    def reaches(self, neighbourhood: int) -> Sequence[Reach]:
        """To every later neighbour (6, 18 or 26 of a voxel, all along edges of a vertex); negated, to the earlier."""

    def centres(self, elements: Elements, weight: Floats, region: Integers, n: int) -> Centres:
        """The centre of each region by weights of its elements; they are multiplied by the extent of each."""

    def distances(self, elements: Elements, limit: float) -> Callable[[Integers, Integers], Floats]:
        """A measure in mm of pairs of numbers of elements of one region; inf is enough beyond the limit.

        Straight between voxels, along the sheet between vertices; 0 where there are no coordinates.
        """

    def positions(self, elements: Elements) -> Floats:
        """(3, n) mm: the middle of a plateau is sought in it; all equal where its first element is taken."""

    def ties(self, elements: Elements) -> Sequence[Array]:
        """Keys that order equals, the first counts most: x, y, z in mm, or structure and vertex."""

    def scan(self, elements: Elements) -> Integers:
        """Each element's number in the scan of the file."""

    def same_as(self, other: "Domain") -> bool:
        """Whether maps of both can be compared element by element."""

    def resample(self, data: Array, to: "Domain") -> Array:
        """A map of this domain on another, by the nearest element; BadMap where there is no way."""
