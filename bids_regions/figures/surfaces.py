"""A map on cortical sheets as a picture: each hemisphere from outside and from inside, drawn without a graphics card.

A *pose* is a direction from which a hemisphere is looked at. A *shot* is a mesh in a pose, as pixels: which vertex and
which triangle each pixel shows. It is made once for a mesh, since the maps on it only change the colours. A pixel has
the colour of its nearest vertex, so that what is painted is the map's own vertices and nothing in between. This module
knows no file and no template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import PAPER, Legend, color_levels, color_palette
from bids_regions.figures.drawing import Drawing
from bids_regions.figures.layers import GREYS, Layer
from bids_regions.figures.lettering import CAP_HEIGHT, Letters, Slice, free_place, spoken_number, text_width
from bids_regions.figures.mosaic import PanelLayout
from bids_regions.figures.panels import NOTHING, FigureStyle, Framed, add_bar, add_heads
from bids_regions.figures.planes import make_legend
from bids_regions.frozen import dataclass

__all__ = ["Hemisphere", "Sheet", "SheetMark", "SheetView", "compose_surfaces", "stack_drawings", "view_sheets"]

Side = Literal["L", "R"]
SIDES: Mapping[Side, str] = {"L": "left", "R": "right"}
LATERAL, MEDIAL = "lateral", "medial"
SULCUS, GYRUS = 120.0, 205.0  # grey levels below a map
FLAT = 178.0  # grey level where there is no folding to show
LIGHT = 0.55  # how much of a surface's brightness comes from where it faces; the rest is ambient
EDGE = -1e-9  # a pixel's centre on the edge of a triangle belongs to it, rounding aside
NONE_ON_TOP = "No region on the cortex"  # of a map that has some below


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The mesh that a hemisphere is drawn on; two are equal when their fingerprints are."""

    fingerprint: str  # of its content
    xyz: npt.NDArray[np.floating[Any]] = field(compare=False)  # (vertices, 3) mm, RAS+
    triangles: npt.NDArray[np.integer[Any]] = field(compare=False)  # (triangles, 3) vertex numbers
    folding: npt.NDArray[np.floating[Any]] | None = field(default=None, compare=False)  # (vertices,), sulci positive


@dataclass(frozen=True, kw_only=True, eq=False)
class Hemisphere:
    """One side of a map."""

    side: Side
    sheet: Sheet
    values: npt.NDArray[Any]  # (vertices,), the map's unit, 0 or NaN where there is no data
    labels: npt.NDArray[Any]  # (vertices,), integers: 0 or a region's number


@dataclass(frozen=True, kw_only=True)
class SheetMark:
    """A region of vertices, as a picture tells of it."""

    index: int
    color: str  # "#rrggbb"
    n_vertices: int
    peak_value: float  # signed, the map's unit
    side: Side
    vertex: int  # of the peak


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shot:
    """A mesh in a pose."""

    vertex: npt.NDArray[np.int32]  # (height, width): the nearest vertex, -1 beside the mesh
    grey: npt.NDArray[np.uint8]  # (height, width): the bare sheet, PAPER beside it


def compose_surfaces(
    hemispheres: Sequence[Hemisphere], marks: Sequence[SheetMark], view: FigureStyle, *, n_below: int = 0
) -> Drawing:
    """A map on its hemispheres as a drawing: lateral and medial views side by side, the colour bar to their right.

    Parameters
    ----------
    hemispheres
        One or two, the left one first.
    marks
        The regions of vertices. None, and none below: the whole map is shown without fading, and the picture says so.
    view
        Cutoff, tail, unit and layout; its cuts are not used. `layout.columns` views stand side by side.
    n_below
        How many regions the map has in voxels below the cortex, which are not drawn here.

    Raises
    ------
    ValueError
        There is no hemisphere, or values, labels and mesh differ in their number of vertices.
    """
    check_hemispheres(hemispheres)
    every = np.concatenate([np.nan_to_num(each.values, posinf=0, neginf=0) for each in hemispheres])
    found = len(marks) + n_below
    legend = make_legend(every, view, faded=found > 0)
    tiles = [_tile(each, pose, legend, view.layout) for each, pose in _order(hemispheres)]
    placed, corners = _set(tiles, view.layout, color_palette(legend))
    letters = _names(hemispheres, tiles, corners, view.layout)
    if view.layout.annotated:
        letters += _numbers(hemispheres, tiles, corners, marks, view.layout)
        reach = corners[0][1], corners[-1][1] + tiles[-1].labels.shape[0]
        framed = add_bar(replace(placed, letters=tuple(letters)), reach, legend, view.layout, int(FLAT))
    else:
        framed = replace(placed, letters=tuple(letters))
    framed = add_heads(framed, found, view)
    return Drawing(
        layers=framed.layers,
        labels=framed.labels,
        colors={mark.index: mark.color for mark in marks},
        letters=framed.letters,
        alt=alt_text(marks) if marks or not n_below else NONE_ON_TOP,
    )


def check_hemispheres(hemispheres: Sequence[Hemisphere]) -> None:
    """Refuse what cannot be drawn, as a ValueError."""
    if not hemispheres:
        raise ValueError("a picture of surfaces needs a hemisphere")
    for each in hemispheres:
        if not len(each.values) == len(each.labels) == len(each.sheet.xyz):
            raise ValueError(
                f"{len(each.values)} values and {len(each.labels)} labels on {len(each.sheet.xyz)} vertices"
            )


def alt_text(marks: Sequence[SheetMark]) -> str:
    """The result in one sentence.

    >>> one = SheetMark(index=1, color="#ff0000", n_vertices=252, peak_value=7.941, side="L", vertex=1234)
    >>> alt_text([one])
    '1 region on the cortex; 252 vertices, peak 7.94 at vertex 1234 of the left hemisphere'
    """
    if not marks:
        return NOTHING
    largest = min(marks, key=lambda mark: (-mark.n_vertices, mark.index))
    counted = f"{len(marks)} regions on the cortex; largest" if len(marks) > 1 else "1 region on the cortex;"
    vertices = "vertex" if largest.n_vertices == 1 else "vertices"
    place = f"vertex {largest.vertex} of the {SIDES[largest.side]} hemisphere"
    return f"{counted} {largest.n_vertices} {vertices}, peak {spoken_number(largest.peak_value)} at {place}"


def stack_drawings(upper: Drawing, lower: Drawing) -> Drawing:
    """Two drawings of one map as one, such as the cortex over slices of what lies below it."""
    wide, tall = max(upper.labels.shape[1], lower.labels.shape[1]), upper.labels.shape[0]
    labels = [np.pad(e.labels.astype(np.int64), ((0, 0), (0, wide - e.labels.shape[1]))) for e in (upper, lower)]
    moved = tuple(Letters(**{**vars(letter), "y": letter.y + tall}) for letter in lower.letters)
    return Drawing(
        layers=(*upper.layers, *(layer.moved(0, tall) for layer in lower.layers)),
        labels=np.concatenate(labels),
        colors={**upper.colors, **lower.colors},
        letters=(*upper.letters, *moved),
        alt=f"{upper.alt}; in the volume below: {lower.alt}",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetView:
    """A hemisphere as it is seen from one side, as pixels."""

    hemisphere: Hemisphere
    pose: str  # lateral, medial
    vertex: npt.NDArray[np.int32]  # (height, width): the nearest vertex, -1 beside the mesh
    grey: npt.NDArray[np.uint8]  # (height, width): the bare sheet


def view_sheets(hemispheres: Sequence[Hemisphere], size: int) -> list[SheetView]:
    """Every hemisphere from outside and from inside, each view `size` pixels wide, in the order they stand."""
    check_hemispheres(hemispheres)
    found = []
    for each, pose in _order(hemispheres):
        shot = _shoot(each.sheet, each.side, pose, size)
        found.append(SheetView(hemisphere=each, pose=pose, vertex=shot.vertex, grey=shot.grey))
    return found


def _order(hemispheres: Sequence[Hemisphere]) -> list[tuple[Hemisphere, str]]:
    """Left from outside and inside, right from inside and outside: the two inner views lie beside each other."""
    poses = {"L": (LATERAL, MEDIAL), "R": (MEDIAL, LATERAL)}
    return [(each, pose) for each in hemispheres for pose in poses[each.side]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tile:
    """One view of a hemisphere."""

    side: Side
    pose: str
    vertex: npt.NDArray[np.int32]  # (height, width), as a shot's
    grey: npt.NDArray[np.uint8]  # (height, width): the bare sheet
    levels: npt.NDArray[np.uint8]  # (height, width): the number of each value's colour
    labels: npt.NDArray[Any]  # (height, width) region numbers


def _tile(hemisphere: Hemisphere, pose: str, legend: Legend, layout: PanelLayout) -> _Tile:
    shot = _shoot(hemisphere.sheet, hemisphere.side, pose, round(layout.tile * 1.45))
    shown = shot.vertex >= 0
    at = np.where(shown, shot.vertex, 0)
    values = np.nan_to_num(np.asarray(hemisphere.values, np.float32), posinf=0, neginf=0)
    return _Tile(
        side=hemisphere.side,
        pose=pose,
        vertex=shot.vertex,
        grey=shot.grey,
        levels=np.where(shown, color_levels(values, legend)[at], 0).astype(np.uint8),
        labels=np.where(shown, hemisphere.labels[at], 0),
    )


def _set(
    tiles: Sequence[_Tile], layout: PanelLayout, palette: npt.NDArray[np.uint8]
) -> tuple[Framed, list[tuple[int, int]]]:
    """The tiles in their places, and the left and top pixel of each."""
    columns = min(len(tiles), 4 if layout.columns > 4 else 2)
    gap, caption = layout.gap, round(layout.font * 1.7)
    wide = max(tile.labels.shape[1] for tile in tiles) + gap
    tall = max(tile.labels.shape[0] for tile in tiles) + gap + caption
    rows = -(-len(tiles) // columns)
    labels = np.zeros((rows * tall + gap, columns * wide + gap), np.int64)
    corners, layers = [], []
    for n, tile in enumerate(tiles):
        height, width = tile.labels.shape
        left = gap + n % columns * wide + (wide - gap - width) // 2
        top = gap + n // columns * tall + (tall - gap - caption - height) // 2
        labels[top : top + height, left : left + width] = tile.labels
        corners.append((left, top))
        for pixels, colors in ((tile.grey, GREYS), (tile.levels, palette)):
            layers.append(Layer(left=left, top=top, width=width, height=height, pixels=pixels, palette=colors))
    return Framed(layers=tuple(layers), labels=labels, letters=()), corners


def _names(
    hemispheres: Sequence[Hemisphere], tiles: Sequence[_Tile], corners: Sequence[tuple[int, int]], layout: PanelLayout
) -> list[Letters]:
    size, tall = layout.font * 0.93, max(tile.labels.shape[0] for tile in tiles)
    letters = []
    for tile, (left, top) in zip(tiles, corners, strict=True):
        height, width = tile.labels.shape
        line = top + (height + tall) / 2 + layout.font * 1.15
        words = f"{SIDES[tile.side]} {tile.pose}" if len(hemispheres) > 1 or layout.annotated else tile.pose
        letters.append(Letters(x=left + width / 2, y=line, text=words, size=size))
    return letters


def _numbers(
    hemispheres: Sequence[Hemisphere],
    tiles: Sequence[_Tile],
    corners: Sequence[tuple[int, int]],
    marks: Sequence[SheetMark],
    layout: PanelLayout,
) -> list[Letters]:
    """The number of each region, once, in the view that shows most of it; the largest regions find a place first."""
    size, halo = layout.font * 0.93, layout.font * 0.14
    slices = [Slice(tile.labels, []) for tile in tiles]
    most = max((mark.index for mark in marks), default=0) + 1
    areas = np.stack([np.bincount(tile.labels.ravel(), minlength=most)[:most] for tile in tiles])
    letters = []
    for mark in sorted(marks, key=lambda m: (-m.n_vertices, m.index)):
        best = int(areas[:, mark.index].argmax())
        if not areas[best, mark.index]:
            continue
        anchor = _anchor(tiles[best], mark)
        box = text_width(str(mark.index), size, True) + 2 * halo, size * CAP_HEIGHT + 2 * halo
        place = free_place(slices[best], anchor, mark.index, box)
        if place is None:
            continue
        x, y = place
        slices[best].taken.append((x - box[0] / 2, y - box[1] / 2, x + box[0] / 2, y + box[1] / 2))
        left, top = corners[best]
        line = top + y + size * CAP_HEIGHT / 2
        letters.append(Letters(x=left + x, y=line, text=str(mark.index), size=size, bold=True, halo=halo))
    return letters


def _anchor(tile: _Tile, mark: SheetMark) -> tuple[float, float]:
    """The pixel of a region's peak, or of its middle where the peak is not seen."""
    rows, columns = np.nonzero(tile.vertex == mark.vertex)
    if not rows.size or tile.labels[rows[0], columns[0]] != mark.index:
        rows, columns = np.nonzero(tile.labels == mark.index)
    middle = (np.abs(rows - rows.mean()) + np.abs(columns - columns.mean())).argmin()
    return float(columns[middle]), float(rows[middle])


@lru_cache(maxsize=16)
def _shoot(sheet: Sheet, side: Side, pose: str, size: int) -> _Shot:
    """The mesh in a pose, `size` pixels wide: a buffer of depths, filled triangle by triangle, all triangles at once.

    Every pixel whose centre lies in a projected triangle is a candidate; of several the one nearest to the eye is
    shown. Brightness and folding are interpolated within the triangle; the vertex is the one with the largest weight.
    """
    flat, depth = _project(sheet.xyz, side, pose)
    low, high = flat.min(axis=0), flat.max(axis=0)
    zoom = (size - 2) / max(float(high[0] - low[0]), 1e-6)
    flat = (flat - low) * zoom + 1
    height = int(np.ceil((high[1] - low[1]) * zoom)) + 2
    pixel, triangle, weights = _candidates(flat, sheet.triangles, size, height)
    corners = sheet.triangles[triangle]
    near = np.argsort((weights * depth[corners]).sum(axis=1), kind="stable")
    shown = np.full(height * size, -1, np.intp)
    shown[pixel[near]] = near  # the last one, nearest to the eye, stays
    seen = np.flatnonzero(shown >= 0)
    of, its = corners[shown[seen]], weights[shown[seen]]
    vertex = np.full(height * size, -1, np.int32)
    vertex[seen] = of[np.arange(len(of)), its.argmax(axis=1)]
    grey = np.full(height * size, PAPER, np.uint8)
    facing = np.abs(_facing(sheet, side, pose))
    tone = (its * _tones(sheet)[of]).sum(axis=1) * ((1 - LIGHT) + LIGHT * (its * facing[of]).sum(axis=1))
    grey[seen] = np.clip(np.rint(tone), 0, 254)
    return _Shot(vertex=vertex.reshape(height, size), grey=grey.reshape(height, size))


def _project(xyz: npt.NDArray[Any], side: Side, pose: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Right and down on the picture, and nearness to the eye, in mm: the eye looks along x, up is up."""
    from_right = (side == "R") == (pose == LATERAL)
    x, y, z = np.asarray(xyz, np.float64).T
    return np.stack([y if from_right else -y, -z], axis=1), x if from_right else -x


def _candidates(
    flat: npt.NDArray[np.float64], triangles: npt.NDArray[np.integer[Any]], width: int, height: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The pixels whose centres lie in each projected triangle: (m,) pixels, (m,) triangles, (m, 3) weights."""
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    first = np.ceil(np.minimum(np.minimum(a, b), c) - 0.5).astype(np.intp)
    last = np.floor(np.maximum(np.maximum(a, b), c) - 0.5).astype(np.intp)
    usable = np.flatnonzero((twice != 0) & (last >= first).all(axis=1))
    extent = last[usable] - first[usable]
    found = []
    for down in range(int(extent[:, 1].max(initial=-1)) + 1):
        in_row = usable[extent[:, 1] >= down]
        reach = last[in_row, 0] - first[in_row, 0]
        for right in range(int(reach.max(initial=-1)) + 1):
            its = in_row[reach >= right]
            x, y = first[its, 0] + right, first[its, 1] + down
            px, py = x + 0.5, y + 0.5
            of_b = ((px - a[its, 0]) * (c[its, 1] - a[its, 1]) - (py - a[its, 1]) * (c[its, 0] - a[its, 0])) / twice[
                its
            ]
            of_c = ((b[its, 0] - a[its, 0]) * (py - a[its, 1]) - (b[its, 1] - a[its, 1]) * (px - a[its, 0])) / twice[
                its
            ]
            weights = np.stack([1 - of_b - of_c, of_b, of_c], axis=1)
            inside = (weights >= EDGE).all(axis=1) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            found.append((y[inside] * width + x[inside], its[inside], weights[inside]))
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 3))
    pixels, owners, weights = (np.concatenate(each) for each in zip(*found, strict=True))
    return pixels, owners, weights


def _facing(sheet: Sheet, side: Side, pose: str) -> npt.NDArray[np.float64]:
    """The cosine between each vertex's normal and the direction to the eye."""
    a, b, c = (np.asarray(sheet.xyz, np.float64)[sheet.triangles[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    summed = np.stack(
        [
            np.bincount(sheet.triangles.ravel(), np.repeat(normal[:, axis], 3), minlength=len(sheet.xyz))
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.maximum(np.linalg.norm(summed, axis=1), 1e-30)
    towards = 1.0 if (side == "R") == (pose == LATERAL) else -1.0
    cosines: npt.NDArray[np.float64] = summed[:, 0] * towards / length
    return cosines


def _tones(sheet: Sheet) -> npt.NDArray[np.float64]:
    """The grey level of each vertex before light: dark in sulci, from the 5th to the 95th percentile of the folding."""
    if sheet.folding is None:
        return np.full(len(sheet.xyz), FLAT / ((1 - LIGHT) + LIGHT * 0.8))
    folding = np.nan_to_num(np.asarray(sheet.folding, np.float64))
    low, high = np.percentile(folding, (5, 95))
    share = np.clip((folding - low) / (high - low), 0, 1) if high > low else np.zeros(len(folding))
    tones: npt.NDArray[np.float64] = (GYRUS + (SULCUS - GYRUS) * share) / ((1 - LIGHT) + LIGHT * 0.8)
    return tones
