"""A tuple of pieces, as CIFTI's brain models: vertices of meshes, and voxels of structures; pieces are never joined.

A *sheet* is some vertices of a mesh, a *solid* the voxels of one structure. A pair of hemispheres is two sheets, a
CIFTI file two sheets and some solids. Rows of a map stand piece by piece in the order of the file. The canonical order:
left cortex, right cortex, other sheets by name, solids by name; in a sheet by vertex, in a solid as in a grid.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt

from bids_regions.errors import BadMap
from bids_regions.frozen import dataclass
from bids_regions.libraries import Late
from bids_regions.space.domain import (
    Addresses,
    Array,
    Centres,
    Domain,
    Elements,
    Extents,
    Flags,
    Floats,
    Integers,
    Numbers,
    Reach,
)
from bids_regions.space.grid import Grid, coarse_mm, is_singular, neighbour_steps, to_mm
from bids_regions.space.mesh import Mesh

if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = Late("scipy.sparse")

__all__ = ["Grayordinates", "Sheet", "Solid", "as_domain"]

FIRST = ("CORTEX_LEFT", "CORTEX_RIGHT")  # structures that come before all others


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """Some or all vertices of a mesh."""

    structure: str  # CORTEX_LEFT, CORTEX_RIGHT, ...
    mesh: Mesh
    vertices: Integers | None = None  # (n,) vertex of each row; all in their order where not given

    @cached_property
    def rows(self) -> Integers:
        """(n,) vertex of each row."""
        if self.vertices is None:
            return np.arange(self.mesh.n_vertices)
        vertices = np.asarray(self.vertices, np.intp)
        if vertices.size and not 0 <= vertices.min() <= vertices.max() < self.mesh.n_vertices:
            raise BadMap(
                f"{self.structure}: the map has vertex {vertices.max()}, the mesh {self.mesh.n_vertices} vertices",
                hint="Give the mesh that the map was made on",
            )
        return vertices


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """Voxels of one structure."""

    structure: str  # THALAMUS_LEFT, BRAIN_STEM, ...
    ijk: Integers  # (3, n) voxel of each row, 0-based
    grid: Grid  # on which they lie

    @cached_property
    def rows(self) -> Numbers:
        """(n,) rank of each row in the grid's canonical order."""
        ijk, shape = np.asarray(self.ijk, np.intp), np.array(self.grid.shape)[:, None]
        if np.any((ijk < 0) | (ijk >= shape)):
            raise BadMap(f"{self.structure}: a voxel lies outside the volume", hint="Write the file again")
        canonical = self.grid.canonical
        along = [
            canonical.shape[k] - 1 - ijk[axis] if canonical.flipped[k] else ijk[axis]
            for k, axis in enumerate(canonical.axes)
        ]
        return self.grid.rank(np.stack(along))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Laid:
    """All elements in canonical order, and what is known of each."""

    row: Integers  # (size,) row of each rank
    rank: Integers  # (size,) rank of each row
    piece: Integers  # (size,) number of its piece in canonical order
    number: Integers  # (size,) vertex, or rank in the grid
    xyz: Floats  # (3, size) mm, RAS+; nan where there are no coordinates
    extent: Floats  # (size,) mm2 or mm3; nan where there are no areas
    on_sheet: Flags  # (size,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grayordinates:
    """Sheets and solids, in the order of the file's rows."""

    pieces: tuple[Sheet | Solid, ...]

    @cached_property
    def canonical(self) -> tuple[Sheet | Solid, ...]:
        """The pieces in canonical order."""
        return tuple(self.pieces[k] for k in self._piece_order)

    @cached_property
    def _piece_order(self) -> list[int]:
        def key(k: int) -> tuple[bool, int, str, int]:
            piece = self.pieces[k]
            rank = FIRST.index(piece.structure) if piece.structure in FIRST else len(FIRST)
            return isinstance(piece, Solid), rank, piece.structure, k

        return sorted(range(len(self.pieces)), key=key)

    @property
    def units(self) -> str:
        """Of extents: mm2 where there is any sheet."""
        return "mm2" if any(isinstance(piece, Sheet) for piece in self.pieces) else "mm3"

    @cached_property
    def size(self) -> int:
        """Vertices and voxels."""
        return sum(piece.rows.size for piece in self.pieces)

    @cached_property
    def _laid(self) -> _Laid:
        starts = np.cumsum([0, *(piece.rows.size for piece in self.pieces)])
        rows, numbers, xyz, extents = [], [], [], []
        for k in self._piece_order:
            piece = self.pieces[k]
            order = np.argsort(piece.rows, kind="stable")
            number = piece.rows[order]
            if np.any(np.diff(number) == 0):
                raise BadMap(f"{piece.structure}: an element stands twice in the map", hint="Write the file again")
            rows.append(order + starts[k])
            numbers.append(number)
            xyz.append(_xyz_of(piece, number))
            extents.append(_extent(piece, number))
        row, sizes = np.concatenate(rows), [number.size for number in numbers]
        rank = np.empty(row.size, np.int32)
        rank[row] = np.arange(row.size)
        return _Laid(
            row=row, rank=rank, piece=np.repeat(np.arange(len(sizes)), sizes), number=np.concatenate(numbers),
            xyz=np.concatenate(xyz, axis=1), extent=np.concatenate(extents),
            on_sheet=np.repeat([isinstance(piece, Sheet) for piece in self.canonical], sizes),
        )  # fmt: skip

    @cached_property
    def _later(self) -> "sparse.csr_array":
        """Which later ranks are neighbours of each rank."""
        laid, pairs = self._laid, []
        starts = np.searchsorted(laid.piece, np.arange(len(self.pieces) + 1))
        for k, piece in enumerate(self.canonical):
            number = laid.number[starts[k] : starts[k + 1]]
            pairs.append(starts[k] + (_edges(piece, number) if isinstance(piece, Sheet) else _faces(piece, number)))
        one, other = np.concatenate(pairs, axis=1)
        return sparse.csr_array((np.ones(one.size, np.int8), (one, other)), shape=(self.size, self.size))

    @cached_property
    def _earlier(self) -> "sparse.csr_array":
        return self._later.T.tocsr()

    def fit(self, data: Array) -> Self:
        """The domain itself, where the map has a value for each element."""
        if data.size != self.size:
            raise BadMap(
                f"the map has {data.size} values, its meshes and structures {self.size} vertices and voxels",
                hint="Give the mesh that the map was made on",
            )
        return self

    def flatten(self, data: Array) -> Array:
        """A map as one row."""
        return data.reshape(-1)

    def unflatten(self, row: Array) -> Array:
        """The row itself."""
        return row

    def at(self, numbers: Numbers, values: Array) -> Elements:
        """The elements of some rows, brought into canonical order."""
        rank = self._laid.rank[numbers]
        if np.any(rank[1:] < rank[:-1]):
            order = np.argsort(rank, kind="stable")
            numbers, rank, values = numbers[order], rank[order], values[order]
        return Elements(domain=self, memory=numbers, rank=rank, values=values)

    def extents(self, elements: Elements, region: Integers, counts: Integers) -> Extents:
        """The sum of the vertices' areas, or voxels times the volume of one."""
        size = np.bincount(region, self._laid.extent[elements.rank], counts.size).astype(np.float64, copy=False)
        on_sheet = np.bincount(region, self._laid.on_sheet[elements.rank], counts.size) > 0
        return Extents(size=size, on_sheet=on_sheet)

    def xyz(self, elements: Elements) -> Floats:
        """(3, n) mm, RAS+; nan where there are no coordinates."""
        return self._laid.xyz[:, elements.rank]

    def positions(self, elements: Elements) -> Floats:
        """(3, n) mm of voxels; a plateau on a sheet gives its first vertex, whichever geometry there is."""
        return np.where(self._laid.on_sheet[elements.rank], 0.0, self.xyz(elements))

    def address(self, elements: Elements) -> Addresses:
        """The structure of each element, and its vertex or voxel."""
        laid, at = self._laid, elements.rank
        ijk: list[tuple[int, int, int] | None] = []
        vertex: list[int | None] = []
        for piece, number in zip(laid.piece[at].tolist(), laid.number[at].tolist(), strict=True):
            part = self.canonical[piece]
            if isinstance(part, Sheet):
                vertex.append(number)
                ijk.append(None)
            else:
                i, j, k = part.grid.to_file(part.grid.ijk(np.array([number]))).ravel().tolist()
                vertex.append(None)
                ijk.append((i, j, k))
        structure = [self.canonical[piece].structure or None for piece in laid.piece[at].tolist()]
        return Addresses(structure=structure, ijk=ijk, vertex=vertex)

    def chains(self, elements: Elements, *keys: Array) -> "Singles":
        """Every element by itself."""
        del keys
        number = np.full(self.size, -1, np.int16 if elements.rank.size < 1 << 15 else np.int32)
        number[elements.rank] = np.arange(elements.rank.size)
        return Singles(rank=elements.rank, number=number, later=self._later, earlier=self._earlier)

    def reaches(self, neighbourhood: int) -> Sequence[Reach]:
        """Along edges, and by faces of voxels, whatever the neighbourhood."""
        del neighbourhood
        return [(1, 0)]

    def centres(self, elements: Elements, weight: Floats, region: Integers, n: int) -> Centres:
        """On sheets by |value| times area, with the vertex nearest to the centre; in solids as in a grid."""
        laid, at = self._laid, elements.rank
        xyz, nearest = np.full((3, n), np.nan), np.full(n, -1)
        inside: list[bool | None] = [None] * n
        piece = laid.piece[at]
        for k in np.flatnonzero(np.bincount(piece)).tolist():
            mine, part = np.flatnonzero(piece == k), self.canonical[k]
            if isinstance(part, Sheet) and part.mesh.coordinates is None:
                continue
            here = np.bincount(region[mine], minlength=n) > 0
            owners, owner = np.flatnonzero(here), (np.cumsum(here) - 1)[region[mine]]
            if isinstance(part, Sheet):
                found = _centres_on_sheet(laid.xyz[:, at[mine]], laid.extent[at[mine]], weight[mine], owner)
            else:
                inner = Elements(domain=part.grid, memory=mine, rank=laid.number[at[mine]], values=weight[mine])
                found = part.grid.centres(inner, weight[mine], owner, owners.size)
            xyz[:, owners] = found.xyz
            nearest[owners] = np.where(found.nearest < 0, -1, mine[found.nearest])
            for index, value in zip(owners.tolist(), found.inside, strict=True):
                inside[index] = value
        return Centres(xyz=xyz, inside=tuple(inside), nearest=nearest)

    def distances(self, elements: Elements, limit: float) -> Callable[[Integers, Integers], Floats]:
        """Along the sheet between vertices, straight between voxels; no way leads from a sheet to another piece."""
        laid, at = self._laid, elements.rank
        piece, number = laid.piece[at], laid.number[at]

        def between(one: Integers, other: Integers) -> Floats:
            away: Floats = np.linalg.norm(laid.xyz[:, at[one]] - laid.xyz[:, at[other]], axis=0)
            apart = (piece[one] != piece[other]) & (laid.on_sheet[at[one]] | laid.on_sheet[at[other]])
            away[apart] = np.inf
            for k in np.flatnonzero(np.bincount(piece[one])).tolist():
                part, mine = self.canonical[k], (piece[one] == k) & ~apart
                if isinstance(part, Sheet):
                    away[mine] = part.mesh.distances(number[one[mine]], number[other[mine]], limit)
            return away

        return between

    def ties(self, elements: Elements) -> Sequence[Array]:
        """The structure, then the vertex, or x, y and z."""
        laid, at = self._laid, elements.rank
        on_sheet, number = laid.on_sheet[at], laid.number[at]
        x, y, z = np.where(on_sheet, 0.0, laid.xyz[:, at])
        return [laid.piece[at], np.where(on_sheet, number, coarse_mm(x)), coarse_mm(y), coarse_mm(z)]

    def scan(self, elements: Elements) -> Integers:
        """The row in the file."""
        return elements.memory

    def same_as(self, other: Domain) -> bool:
        """Whether each row is the same vertex or voxel of the same structure in both."""
        return (
            isinstance(other, Grayordinates)
            and len(self.pieces) == len(other.pieces)
            and all(_same_piece(a, b) for a, b in zip(self.pieces, other.pieces, strict=True))
        )

    def resample(self, data: Array, to: Domain) -> Array:
        """A map of the same elements in the order of another file's rows; there is no way to other elements."""
        if self.same_as(to):
            return data
        if isinstance(to, Grayordinates) and Grayordinates(pieces=self._sorted()).same_as(
            Grayordinates(pieces=to._sorted())
        ):
            return data.reshape(-1)[self._laid.row][to._laid.rank]
        raise BadMap("maps of different meshes cannot be brought together", hint="Give maps of one mesh")

    def _sorted(self) -> tuple[Sheet | Solid, ...]:
        """The pieces in canonical order, and so their rows."""
        pieces: list[Sheet | Solid] = []
        for piece in self.canonical:
            if isinstance(piece, Sheet):
                pieces.append(Sheet(structure=piece.structure, mesh=piece.mesh, vertices=np.sort(piece.rows)))
            else:
                ijk = piece.grid.to_file(piece.grid.ijk(np.sort(piece.rows)))
                pieces.append(Solid(structure=piece.structure, ijk=ijk, grid=piece.grid))
        return tuple(pieces)


@dataclass(frozen=True, kw_only=True, eq=False)
class Singles:
    """Every element a chain of its own, with its neighbours in a graph of ranks."""

    rank: Numbers  # (n,) of each element
    number: Integers  # (size,) of the element at each rank, -1 where there is none
    later: "sparse.csr_array"
    earlier: "sparse.csr_array"

    @property
    def first(self) -> Integers:
        """Each element's own number."""
        return np.arange(self.rank.size)

    @property
    def lengths(self) -> Integers:
        """One each."""
        return np.ones(self.rank.size, np.intp)

    @property
    def follows(self) -> Flags:
        """Never: every neighbour is told by `touching`."""
        return np.zeros(max(self.rank.size - 1, 0), bool)

    def touching(self, some: Integers, step: int, reach: int) -> tuple[Integers, Integers]:
        """The pairs (one of `some`, other) of neighbours, the other later or earlier by the sign of the step."""
        del reach
        graph = self.later if step > 0 else self.earlier
        start = graph.indptr[self.rank[some]]
        count = graph.indptr[self.rank[some] + 1] - start
        at = np.repeat((start - (np.cumsum(count) - count)).astype(np.int32), count)
        at += np.arange(at.size, dtype=np.int32)
        other = self.number[graph.indices[at]]
        del at
        there = other >= 0
        return np.repeat(some, count)[there], other[there].astype(np.int32)


def as_domain(data: Array, where: "Domain | Mesh | npt.ArrayLike") -> Domain:
    """What a map lies on: a voxel-to-mm affine makes a grid, a mesh a sheet of its own.

    Raises
    ------
    BadMap
        The affine is no invertible matrix, or the map does not fit.
    """
    if isinstance(where, Mesh):
        return Grayordinates(pieces=(Sheet(structure="", mesh=where),)).fit(data)
    if hasattr(where, "flatten") and hasattr(where, "chains"):
        domain = cast("Domain", where)
        return domain.fit(data)
    affine = np.asarray(where, np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or is_singular(affine):
        raise BadMap("the affine is no invertible 4 x 4 matrix of numbers", hint="Repair the map's header")
    if data.ndim != 3:
        raise BadMap(f"the map has {data.ndim} dimensions", hint="Give a 3-D map")
    return Grid.of(data, affine)


def _xyz_of(piece: Sheet | Solid, number: Integers) -> Floats:
    if isinstance(piece, Solid):
        return to_mm(piece.grid.canonical.affine, piece.grid.ijk(number))
    if piece.mesh.coordinates is None:
        return np.full((3, number.size), np.nan)
    return np.asarray(piece.mesh.coordinates, np.float64)[number].T


def _extent(piece: Sheet | Solid, number: Integers) -> Floats:
    if isinstance(piece, Solid):
        return np.full(number.size, piece.grid.voxel_volume)
    return np.full(number.size, np.nan) if piece.mesh.areas is None else piece.mesh.areas[number]


def _edges(sheet: Sheet, vertices: Integers) -> Integers:
    """(2, m) the pairs of a sheet's ascending vertices that an edge joins, by their numbers among them."""
    edges = sheet.mesh.edges
    if vertices.size == sheet.mesh.n_vertices:
        return edges
    number = np.full(sheet.mesh.n_vertices, -1, np.intp)
    number[vertices] = np.arange(vertices.size)
    joined = number[edges]
    return joined[:, (joined >= 0).all(axis=0)]


def _faces(solid: Solid, ranks: Numbers) -> Integers:
    """(2, m) the pairs of a solid's ascending ranks that share a face, by their numbers among them."""
    pairs = []
    for step in neighbour_steps(solid.grid, 6):
        at = np.searchsorted(ranks, ranks + step)
        one = np.flatnonzero(ranks.take(at, mode="clip") == ranks + step)
        pairs.append(np.stack([one, at[one]]))
    return np.concatenate(pairs, axis=1)


def _centres_on_sheet(xyz: Floats, area: Floats, weight: Floats, region: Integers) -> Centres:
    n = int(region.max()) + 1
    mass = np.nan_to_num(area) * weight
    whole = np.bincount(region, mass, n)
    mass = np.where(whole[region] > 0, mass, weight)  # a medial wall may have areas of 0
    com = np.stack([np.bincount(region, mass * axis, n) for axis in xyz]) / np.bincount(region, mass, n)
    away = np.sum((xyz - com[:, region]) ** 2, axis=0)
    least = np.full(n, np.inf)
    np.fmin.at(least, region, away)
    near = np.flatnonzero(away == least[region])
    nearest = np.full(n, -1)
    nearest[region[near[::-1]]] = near[::-1]  # the first of equal ones
    return Centres(xyz=com, inside=(None,) * n, nearest=nearest)


def _same_piece(a: Sheet | Solid, b: Sheet | Solid) -> bool:
    if a.structure != b.structure or not np.array_equal(a.rows, b.rows):
        return False
    if isinstance(a, Sheet) and isinstance(b, Sheet):
        return a.mesh.n_vertices == b.mesh.n_vertices
    return isinstance(a, Solid) and isinstance(b, Solid) and a.grid.same_as(b.grid)
