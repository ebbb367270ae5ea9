"""Vertices: which of them an edge joins, what area each stands for, and how far it is along the sheet.

A *mesh* is a sheet of triangles. Two vertices are neighbours when an edge of a triangle joins them. A vertex stands for
a third of each triangle that it is a corner of. The *geodesic* distance of two vertices is the shortest way along edges
and along straight lines across one edge, from the far corner of one of its two triangles to that of the other, where
both are laid flat and the line passes through the edge (the definition of Connectome Workbench, which approximates the
way along the sheet from above).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from bids_regions.errors import BadMap
from bids_regions.space.domain import Array, Floats, Integers

__all__ = ["Mesh", "pairs_once"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """A sheet of triangles; where it lies and how large it is may be unknown.

    Raises
    ------
    BadMap
        Triangles of vertices that there are not, or coordinates or areas that do not fit the number of vertices.

    Examples
    --------
    A square of two triangles; the way across the diagonal is one straight line:

    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> square = Mesh(n_vertices=4, triangles=np.array([[0, 1, 2], [0, 2, 3]]), coordinates=corners)
    >>> square.edges.tolist()
    [[0, 0, 0, 1, 2], [1, 2, 3, 2, 3]]
    >>> square.areas.round(3).tolist()
    [0.333, 0.167, 0.333, 0.167]
    >>> square.distances(np.array([1]), np.array([3]), limit=5.0).round(3).tolist()
    [1.414]
    """

    n_vertices: int
    triangles: Integers  # (m, 3) vertices, 0-based
    coordinates: Array | None = None  # (n_vertices, 3) mm, RAS+
    given_areas: Array | None = None  # (n_vertices,) mm2 of each vertex, in place of the coordinates' own

    def __post_init__(self) -> None:
        triangles = np.asarray(self.triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3:
            raise BadMap(f"the mesh's triangles have shape {triangles.shape}", hint="Give three vertices for each")
        if triangles.size and not 0 <= triangles.min() <= triangles.max() < self.n_vertices:
            raise BadMap(
                f"the mesh has triangles of vertices up to {triangles.max()}, and {self.n_vertices} vertices",
                hint="Give a whole surface file",
            )
        for name, array, width in (("coordinates", self.coordinates, (3,)), ("areas", self.given_areas, ())):
            if array is not None and np.shape(array) != (self.n_vertices, *width):
                raise BadMap(
                    f"the mesh has {self.n_vertices} vertices, and {name} of shape {np.shape(array)}",
                    hint="Give files of one mesh",
                )

    @cached_property
    def edges(self) -> Integers:
        """(2, e) the lower and the higher vertex of each edge, each edge once, ascending."""
        return pairs_once(np.roll(self.triangles, 1, axis=1).T.ravel(), self.triangles.T.ravel(), self.n_vertices)

    @cached_property
    def areas(self) -> Floats | None:
        """(n_vertices,) mm2: those given, or a third of each triangle at the vertex; None where neither is known."""
        if self.given_areas is not None:
            return np.asarray(self.given_areas, np.float64)
        if self.coordinates is None:
            return None
        a, b, c = np.asarray(self.coordinates, np.float64)[self.triangles.T]
        third = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
        return np.asarray(np.bincount(self.triangles.ravel(), np.repeat(third, 3), self.n_vertices), np.float64)

    def distances(self, one: Integers, other: Integers, limit: float) -> Floats:
        """The geodesic distance in mm of each pair of vertices; inf beyond the limit, 0 without coordinates."""
        away = np.zeros(one.size)
        if self.coordinates is None:
            return away
        for source in np.unique(other).tolist():
            mine = other == source
            away[mine] = dijkstra(self._ways, indices=source, limit=limit)[one[mine]]
        return away

    @cached_property
    def _ways(self) -> csr_array:
        """The graph of edges and lines across them, by their lengths in mm."""
        at = np.asarray(self.coordinates, np.float64)
        one, other = self.edges
        far_one, far_other, across = self._lines_across(at)
        low = np.concatenate([one, np.minimum(far_one, far_other)])
        high = np.concatenate([other, np.maximum(far_one, far_other)])
        length = np.concatenate([np.linalg.norm(at[one] - at[other], axis=1), across])
        order = np.lexsort((length, high, low))
        low, high, length = low[order], high[order], length[order]
        first = np.append(True, (np.diff(low) != 0) | (np.diff(high) != 0))  # the shortest of each pair
        low, high, length = low[first], high[first], length[first]
        ends = (np.concatenate([low, high]), np.concatenate([high, low]))
        return csr_array((np.tile(length, 2), ends), shape=(self.n_vertices, self.n_vertices))

    def _lines_across(self, at: Floats) -> tuple[Integers, Integers, Floats]:
        """For each edge of two triangles whose line meets it: their far corners, and the mm between them laid flat."""
        begin, end = self.triangles.T.ravel(), np.roll(self.triangles, -1, axis=1).T.ravel()
        corner = np.roll(self.triangles, -2, axis=1).T.ravel()
        low, high = np.minimum(begin, end).astype(np.int64), np.maximum(begin, end)
        key = low * self.n_vertices + high
        order = np.argsort(key, kind="stable")
        _, start, count = np.unique(key[order], return_index=True, return_counts=True)
        first = order[start[count == 2]]
        second = order[start[count == 2] + 1]
        origin, along = at[low[first]], at[high[first]] - at[low[first]]
        length = np.linalg.norm(along, axis=1)
        usable = length > 0
        first, second, origin = first[usable], second[usable], origin[usable]
        unit, length = along[usable] / length[usable, None], length[usable]
        (x1, y1), (x2, y2) = (_laid_flat(at[corner[k]] - origin, unit) for k in (first, second))
        with np.errstate(invalid="ignore"):  # two triangles without any height: no line
            meets = x1 + (x2 - x1) * (y1 / (y1 + y2))
        through = (meets >= 0) & (meets <= length)
        return corner[first[through]], corner[second[through]], np.hypot(x1 - x2, y1 + y2)[through]


def _laid_flat(corner: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """How far along an edge (of unit direction) a corner lies, and how far from the edge's line."""
    along = np.sum(corner * unit, axis=1)
    return along, np.linalg.norm(corner - along[:, None] * unit, axis=1)


def pairs_once(one: Integers, other: Integers, n: int) -> Integers:
    """(2, m) pairs of n things without direction, the lower first, each pair once, ascending."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    apart = low != high
    upper = csr_array((np.ones(np.count_nonzero(apart), np.int8), (low[apart], high[apart])), shape=(n, n))
    upper.sum_duplicates()
    return np.stack([np.repeat(np.arange(n), np.diff(upper.indptr)), upper.indices])
