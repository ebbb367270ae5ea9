"""The meshes that the package carries: triangles and mean areas of the common templates, and a sheet to draw on.

A *template* is a space, such as fsLR, and a number of vertices of a hemisphere. What is carried, from where and under
which licence stands in `data/NOTICE.md` and in docs/surfaces.md. The sheet to draw on is inflated: it shows where on
the cortex a vertex is, and has no coordinates in mm of any head.
"""

from functools import lru_cache
from importlib import resources
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.meshes.coding import unpack_floats, unpack_integers

__all__ = ["TEMPLATES", "Inflated", "find_template", "load_areas", "load_cortex", "load_inflated", "load_triangles"]

Kind = TypeVar("Kind", bound=np.generic)
FSLR, FSAVERAGE = "fsLR", "fsaverage"
LEVELS = {12: 0, 42: 1, 162: 2, 642: 3, 2562: 4, 10242: 5, 40962: 6, 163842: 7}  # of fsaverage, by vertices
TEMPLATES = {  # space: the numbers of vertices of a hemisphere that are carried
    FSLR: (32492,),
    FSAVERAGE: (2562, 10242, 40962, 163842),
    "fsaverage4": (2562,),
    "fsaverage5": (10242,),
    "fsaverage6": (40962,),
    "fsaverage7": (163842,),
}
AREA_ENDS, AREA_BITS = (np.log(0.05), np.log(12.0)), {FSLR: 16, FSAVERAGE: 12}  # of the logarithm of mm2
PLACE_BITS, FOLDING_BITS = 12, 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Inflated:
    """A sheet to draw on."""

    name: str  # what it is, for a reader
    xyz: NDArray[np.float64]  # (n, 3) mm of the picture, RAS+; no place in a head
    triangles: NDArray[np.int32]  # (m, 3)
    folding: NDArray[np.float64]  # (n,) -1 to 1, sulci positive


def find_template(space: str, n_vertices: int) -> str:
    """The template's family that is carried for a space and a number of vertices; "" for none.

    >>> find_template("fsaverage5", 10242), find_template("fsLR", 32492), find_template("onavg", 10242)
    ('fsaverage', 'fsLR', '')
    """
    if n_vertices not in TEMPLATES.get(space, ()):
        return ""
    return FSLR if space == FSLR else FSAVERAGE


@lru_cache(maxsize=16)
def load_triangles(space: str, n_vertices: int, side: str) -> NDArray[np.int32] | None:
    """The triangles of a hemisphere ("L" or "R"), (m, 3) vertices; None where they are not carried."""
    family = find_template(space, n_vertices)
    if family == FSLR:
        triangles = unpack_integers(_read("fsLR_den-32k_triangles"), 1).reshape(-1, 3)
        return _fixed(triangles if side == "L" else triangles[:, ::-1])  # the right is the left turned over
    return _fixed(_divide(LEVELS[n_vertices])) if family else None


def _divide(level: int) -> NDArray[np.int32]:
    """The icosahedron's triangles, each divided in four `level` times at vertices on the middles of its edges."""
    triangles, parents = (
        unpack_integers(_read("fsaverage_icosahedron"), 3),
        unpack_integers(_read("fsaverage_parents"), 2),
    )
    n = 12
    for _ in range(level):
        finer = 4 * n - 6
        one, other = parents[n - 12 : finer - 12].T.astype(np.int64)
        keys = one * finer + other
        order = np.argsort(keys)
        corners = triangles.astype(np.int64)
        edges = [np.sort(corners[:, pair], axis=1) for pair in ((0, 1), (1, 2), (2, 0))]
        ab, bc, ca = (n + order[np.searchsorted(keys[order], edge[:, 0] * finer + edge[:, 1])] for edge in edges)
        a, b, c = corners.T
        parts = ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))
        triangles = np.stack([np.stack(part, axis=1) for part in parts], axis=1).reshape(-1, 3).astype(np.int32)
        n = finer
    return triangles


@lru_cache(maxsize=16)
def load_areas(space: str, n_vertices: int, side: str) -> NDArray[np.float64] | None:
    """The mean area in mm2 that each vertex of a hemisphere has in people; None where it is not carried."""
    family = find_template(space, n_vertices)
    if not family:
        return None
    name = "fsLR_den-32k" if family == FSLR else "fsaverage_den-164k"
    areas = np.exp(unpack_floats(_read(f"{name}_hemi-{side}_areas"), AREA_ENDS, AREA_BITS[family]))
    if family == FSAVERAGE:
        areas = _gather(areas, n_vertices)
    return _fixed(areas)


def _gather(fine: NDArray[np.float64], n_vertices: int) -> NDArray[np.float64]:
    """Areas of a coarser mesh: a vertex that is left out leaves half of its area to each end of its edge."""
    parents, areas = unpack_integers(_read("fsaverage_parents"), 2), fine
    while areas.size > n_vertices:
        n = (areas.size + 6) // 4
        ends = parents[n - 12 : areas.size - 12]
        areas = areas[:n] + np.bincount(ends.ravel(), np.repeat(areas[n:] / 2, 2), n)
    return areas


@lru_cache(maxsize=4)
def load_cortex(space: str, n_vertices: int, side: str) -> NDArray[np.bool_] | None:
    """Which vertices are cortex and not medial wall; None where that is not carried."""
    if find_template(space, n_vertices) != FSLR:
        return None
    bits = np.frombuffer(_read(f"fsLR_den-32k_hemi-{side}_cortex"), np.uint8)
    return _fixed(np.unpackbits(bits, count=n_vertices).astype(bool))


@lru_cache(maxsize=8)
def load_inflated(space: str, n_vertices: int, side: str) -> Inflated | None:
    """The sheet that maps of a template are drawn on; of finer fsaverage meshes, new vertices on its edges' middles."""
    family, triangles = find_template(space, n_vertices), load_triangles(space, n_vertices, side)
    if not family or triangles is None:
        return None
    name = {FSLR: "fsLR_den-32k", FSAVERAGE: "fsaverage_den-10k"}[family]
    ends = (-130.0, 130.0)
    xyz = unpack_floats(_read(f"{name}_hemi-{side}_inflated"), ends, PLACE_BITS, 3)
    folding = unpack_floats(_read(f"{name}_hemi-{side}_folding"), (-1.0, 1.0), FOLDING_BITS)
    if len(xyz) != n_vertices:
        xyz, folding = _fit(xyz, n_vertices), _fit(folding[:, None], n_vertices)[:, 0]
    told = {
        FSLR: "S1200 very inflated surface (HCP)",
        FSAVERAGE: "fsaverage5 inflated surface (FreeSurfer)" + (", interpolated" if n_vertices > 10242 else ""),
    }
    return Inflated(name=told[family], xyz=_fixed(xyz), triangles=triangles, folding=_fixed(folding))


def _fit(values: NDArray[np.float64], n_vertices: int) -> NDArray[np.float64]:
    """Values of the vertices of a coarser mesh, or of the middles of edges."""
    parents, values = unpack_integers(_read("fsaverage_parents"), 2), values[:n_vertices]
    while len(values) < n_vertices:
        n = len(values)
        values = np.concatenate([values, values[parents[n - 12 : 4 * n - 18]].mean(axis=1)])
    return values


@lru_cache(maxsize=16)
def _read(name: str) -> bytes:
    return resources.files(__name__).joinpath("data", f"{name}.z").read_bytes()


def _fixed(array: NDArray[Kind]) -> NDArray[Kind]:
    array.setflags(write=False)
    return array
