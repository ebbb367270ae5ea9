"""Vertices: which of them an edge joins, what area each stands for, and how far it is along the sheet.

A *mesh* is a sheet of triangles. Two vertices are neighbours when an edge of a triangle joins them. A vertex stands for
a third of each triangle that it is a corner of. The *geodesic* distance of two vertices is the shortest way along edges
and along straight lines across one edge, from the far corner of one of its two triangles to that of the other, where
both are laid flat and the line passes through the edge (the definition of Connectome Workbench, which approximates the
way along the sheet from above).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late
from bids_regions.space.domain import Array, Floats, Integers

if TYPE_CHECKING:
    from scipy import sparse, spatial
    from scipy.sparse import csgraph
else:
    sparse = Late("scipy.sparse")
    spatial = Late("scipy.spatial")
    csgraph = Late("scipy.sparse.csgraph")

__all__ = ["Mesh", "pairs_once"]

MOST = 1 << 21  # distances held at once
OFTEN = 16  # times that distances are asked of a mesh before its whole graph is made
BALL = 1 + 1e-6  # of the limit: how far off a vertex may lie, the coordinates' rounding included


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
        if self.coordinates is None:
            return np.zeros(one.size)
        self._asked.append(one.size)
        often = len(self._asked) > OFTEN or not np.isfinite(limit)
        return (self._all_ways if often else self.ways_near(other, limit)).between(one, other, limit)

    @cached_property
    def _asked(self) -> list[int]:
        """The pairs of each time that distances were asked for: a mesh of many maps is worth its whole graph."""
        return []

    @cached_property
    def _all_ways(self) -> "Ways":
        at = np.asarray(self.coordinates, np.float64)
        return Ways(graph=_graph(self.triangles, at), number=np.arange(self.n_vertices))

    def ways_near(self, sources: Integers, limit: float) -> "Ways":
        """All ways up to a limit from some vertices; the whole graph would take thirty times as long to make.

        No way along the sheet is shorter than the straight one: what lies farther off than the limit is left out.
        """
        at, near = self._tree.data, np.zeros(self.n_vertices, bool)
        for around in self._tree.query_ball_point(at[sources], limit * BALL):
            near[around] = True
        first, second, third = self._corners
        triangles = self.triangles[near[first] | near[second] | near[third]]  # also round a line between two of them
        near[triangles] = True
        kept = np.flatnonzero(near)
        number = np.full(self.n_vertices, -1, np.int32)
        number[kept] = np.arange(kept.size)
        return Ways(graph=_graph(number[triangles], at[kept]), number=number)

    @cached_property
    def _tree(self) -> "spatial.cKDTree":
        return spatial.cKDTree(np.asarray(self.coordinates, np.float64))

    @cached_property
    def _corners(self) -> Integers:
        """(3, m) the triangles' vertices, as is fast to look up."""
        return np.ascontiguousarray(self.triangles.T)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ways:
    """Edges and lines across them near some vertices, by their lengths in mm."""

    graph: "sparse.csr_array"
    number: Integers  # (n_vertices,) of each vertex in the graph; -1 where it has none

    def between(self, one: Integers, other: Integers, limit: float) -> Floats:
        """The distance in mm of each pair, inf beyond the limit; the other one is a vertex that the ways start from."""
        away = np.full(one.size, np.inf)
        sources, source = np.unique(other, return_inverse=True)
        together = max(1, MOST // max(self.graph.shape[0], 1))
        for start in range(0, sources.size, together):
            some = self.number[sources[start : start + together]]
            found = csgraph.dijkstra(self.graph, indices=some, limit=limit)
            mine = np.flatnonzero((source >= start) & (source < start + together) & (self.number[one] >= 0))
            away[mine] = found[source[mine] - start, self.number[one[mine]]]
        return away


def _graph(triangles: Integers, at: Floats) -> "sparse.csr_array":
    """The graph of edges and of the lines across them; of two lines between the same ends both stand in it."""
    begin, end = triangles.T.ravel(), np.roll(triangles, -1, axis=1).T.ravel()
    corner = np.roll(triangles, -2, axis=1).T.ravel()
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    order = np.lexsort((high, low))
    low, high, corner = low[order], high[order], corner[order]
    start = np.flatnonzero(np.append(True, (np.diff(low) != 0) | (np.diff(high) != 0))[: low.size])
    two = np.diff(np.append(start, low.size)) == 2  # triangles at the edge
    one, other = low[start], high[start]
    along = at[other] - at[one]
    length = np.linalg.norm(along, axis=1)
    two &= length > 0
    far = corner[start[two]], corner[start[two] + 1]
    through, across = _lines_across([at[k] - at[one[two]] for k in far], along[two] / length[two, None], length[two])
    ends = np.concatenate([one, other, far[0][through], far[1][through]])
    others = np.concatenate([other, one, far[1][through], far[0][through]])
    lengths = np.concatenate([length, length, across, across])
    row = np.argsort(ends, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(ends, minlength=len(at)))).astype(np.int32)
    others = others[row].astype(np.int32)  # scipy before 1.15 finds ways along nothing else
    return sparse.csr_array((lengths[row], others, starts), shape=(len(at), len(at)))


def _lines_across(
    corners: Sequence[Floats], unit: Floats, length: Floats
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Of edges of two triangles: whether the line of the far corners meets the edge when laid flat, and its mm there.

    The far corners are seen from the edge's first vertex; `unit` is its direction.
    """
    (x1, y1), (x2, y2) = (_laid_flat(corner, unit) for corner in corners)
    with np.errstate(invalid="ignore"):  # two triangles without any height: no line
        meets = x1 + (x2 - x1) * (y1 / (y1 + y2))
    through = (meets >= 0) & (meets <= length)
    return through, np.hypot(x1 - x2, y1 + y2)[through]


def _laid_flat(corner: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """How far along an edge (of unit direction) a corner lies, and how far from the edge's line."""
    along = np.sum(corner * unit, axis=1)
    return along, np.linalg.norm(corner - along[:, None] * unit, axis=1)


def pairs_once(one: Integers, other: Integers, n: int) -> Integers:
    """(2, m) pairs of n things without direction, the lower first, each pair once, ascending."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    apart = low != high
    upper = sparse.csr_array((np.ones(np.count_nonzero(apart), np.int8), (low[apart], high[apart])), shape=(n, n))
    upper.sum_duplicates()
    return np.stack([np.repeat(np.arange(n), np.diff(upper.indptr)), upper.indices])
