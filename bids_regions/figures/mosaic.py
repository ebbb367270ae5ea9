"""Slices side by side: sampled, coloured and laid in their places, with their regions outlined.

A *tile* is one slice in the picture. Layers hold the colours; an array of the picture's size holds region numbers, from
which outlines are made, as pixels or as paths. This room writes no text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import (
    COVERAGE,
    Legend,
    color_levels,
    color_palette,
    grey_levels,
    hex_rgb,
    on_grey,
)
from bids_regions.figures.layers import GREYS, Layer, enlarge
from bids_regions.figures.slices import Raster, Underlay, find_filled, sample_nearest, voxel_sizes
from bids_regions.frozen import dataclass

__all__ = ["Mosaic", "PanelLayout", "draw_bar", "outline_paths", "outline_pixels", "set_tiles", "tile_size"]


@dataclass(frozen=True, kw_only=True)
class PanelLayout:
    """How large things are, in pixels."""

    columns: int = 7  # slices side by side
    tile: int = 180  # wished width of a slice; voxels are enlarged by a whole number, so it is met only roughly
    font: int = 14
    annotated: bool = True  # region numbers, z positions, colour bar; L and R are always there

    @property
    def gap(self) -> int:
        """Between slices, and around all of them."""
        return max(4, round(self.font * 1.1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Mosaic:
    """Slices on a canvas."""

    layers: tuple[Layer, ...]  # bottom first
    labels: npt.NDArray[Any]  # (height, width) region numbers, 0 none
    corners: tuple[tuple[int, int], ...]  # pixels: left and top of each tile, in the order of the cuts
    tile: tuple[int, int]  # pixels: width and height of every tile
    rim: int  # pixels of paper that belong to a tile on its left and right, where it is too slim for its letters
    raster: Raster  # what the tiles show
    pixel: float  # mm of a pixel's edge

    def place(self, cut: int, x: float, y: float) -> tuple[float, float]:
        """The pixel at which a point of a cut is shown; x and y in mm."""
        left, top = self.corners[cut]
        across = (x - self.raster.x[0] + self.raster.step[0] / 2) / self.pixel
        down = (self.raster.y[0] - y + self.raster.step[1] / 2) / self.pixel
        return left + across, top + down


def tile_size(raster: Raster, layout: PanelLayout) -> tuple[int, int, float]:
    """Width and height of a tile in pixels, and the mm of a pixel: a whole number of pixels for the finest voxel edge.

    >>> grid = Raster(x=np.arange(0, 180, 2.0), y=np.arange(0, 210, 2.0)[::-1], z=np.zeros(1), step=(2.0, 2.0))
    >>> tile_size(grid, PanelLayout(tile=180))
    (180, 210, 1.0)
    """
    across, down = raster.x.size * raster.step[0], raster.y.size * raster.step[1]
    finest = min(raster.step)
    enlarged = layout.tile * finest / max(across, 0.7 * down)
    pixel = finest / max(1, round(enlarged)) if enlarged >= 0.75 else finest / enlarged
    return max(1, round(across / pixel)), max(1, round(down / pixel)), pixel


def anatomy(background: Underlay, raster: Raster, size: tuple[int, int], pixel: float) -> npt.NDArray[np.uint8]:
    """Grey levels of the background over the tiles: its own voxels, (cuts, rows, columns), not more than pixels."""
    width, height = size
    finest = max(float(voxel_sizes(background.affine).min()), pixel)
    across, down = width * pixel, height * pixel
    n_x, n_y = max(1, round(across / finest)), max(1, round(down / finest))
    left, top = raster.x[0] - raster.step[0] / 2, raster.y[0] + raster.step[1] / 2
    x = left + (np.arange(n_x) + 0.5) * across / n_x
    y = top - (np.arange(n_y) + 0.5) * down / n_y
    own = Raster(x=x, y=y, z=raster.z, step=(across / n_x, down / n_y))
    return grey_levels(sample_nearest(background.data, background.affine, own))


def set_tiles(
    volumes: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    raster: Raster,
    legend: Legend,
    layout: PanelLayout,
    background: Underlay | None,
) -> Mosaic:
    """Colour the planes of a map and set them, over the anatomy, in their places; with those of its labels."""
    planes, numbers = volumes
    width, height, pixel = tile_size(raster, layout)
    numbers = enlarge(numbers, width, height)
    n, gap, caption = len(planes), layout.gap, round(layout.font * 1.7) if layout.annotated else 0
    columns = max(1, min(n, layout.columns))
    rows = -(-n // columns)
    rim = max(0, round(layout.font * (5 if layout.annotated else 2.5) - width) // 2 + 1)
    across, down = width + 2 * rim + gap, max(height, layout.font) + gap + caption
    corners = [(gap + rim + cut % columns * across, gap + cut // columns * down) for cut in range(n)]
    labels = np.zeros((rows * down + gap, columns * across + gap), dtype=numbers.dtype)
    for (left, top), part in zip(corners, numbers, strict=True):
        labels[top : top + height, left : left + width] = part
    palette, layers = color_palette(legend), []
    if background is None:
        palette = on_grey(palette, COVERAGE)
    else:
        layers += _lay(anatomy(background, raster, (width, height), pixel), GREYS, corners, (width, height))
    layers += _lay(color_levels(planes, legend), palette, corners, (width, height))
    return Mosaic(
        layers=tuple(layers), labels=labels, corners=tuple(corners), tile=(width, height), rim=rim, raster=raster,
        pixel=pixel,
    )  # fmt: skip


def _lay(
    planes: npt.NDArray[np.uint8],
    palette: npt.NDArray[np.uint8],
    corners: Sequence[tuple[int, int]],
    size: tuple[int, int],
) -> list[Layer]:
    """A layer of each plane; grey levels are smooth."""
    return [
        Layer(left=left, top=top, width=size[0], height=size[1], pixels=plane, palette=palette, smooth=palette is GREYS)
        for (left, top), plane in zip(corners, planes, strict=True)
    ]


def draw_bar(legend: Legend, place: tuple[int, int, int, int], below: int) -> Layer:
    """A colour bar at left, top, width and height, the largest value on top, as the map's colours look over a grey."""
    left, top, width, height = place
    low = 0.0 if legend.sequential else -legend.scale
    levels = color_levels(np.linspace(legend.scale, low, height, dtype=np.float32)[:, None], legend)
    palette = on_grey(color_palette(legend), below)
    palette[0] = below, below, below, 255
    return Layer(left=left, top=top, width=width, height=height, pixels=levels, palette=palette)


def outline_pixels(
    canvas: npt.NDArray[np.uint8], labels: npt.NDArray[Any], colors: Mapping[int, str]
) -> npt.NDArray[np.uint8]:
    """The canvas with a line around each region: a pixel inside and one outside in its colour, then a dark hairline.

    The hairline keeps a pale colour visible on a pale map. The canvas has an empty rim, so no line leaves it.
    """
    table = np.zeros((int(labels.max(initial=0)) + 1, 3), np.uint8)
    for index, color in colors.items():
        if index < len(table):
            table[index] = hex_rgb(color)
    outlined = canvas.copy()
    painted, owner = outlined.reshape(-1, 3), labels.ravel().copy()
    beside = np.array([1, -1, labels.shape[1], -labels.shape[1]])
    own = np.flatnonzero(owner)
    own = own[np.argsort(owner[own], kind="stable")]  # where two regions reach for one pixel, the later one has it
    around = own[:, None] + beside
    inner = own[(owner[around] != owner[own][:, None]).any(axis=1)]
    reached = owner[around] == 0
    outer = around[reached]
    owner[outer] = np.broadcast_to(owner[own][:, None], around.shape)[reached]
    for line in (inner, outer):
        painted[line] = table[owner[line]]
    hairline = (outer[:, None] + beside).ravel()  # some twice, which are divided once all the same
    painted[hairline[owner[hairline] == 0]] //= 3
    return outlined


def edge_runs(framed: npt.NDArray[Any]) -> dict[int, list[list[int]]]:
    """Row, first column and length of each run of edges of each label, all labels in one pass.

    An edge of a label lies between a pixel of it and one of another label in the next row.
    """
    row, column = find_filled(framed[:-1] != framed[1:])
    owner = np.concatenate([framed[row, column], framed[row + 1, column]])
    row, column = np.tile(row, 2), np.tile(column, 2)
    order = np.lexsort((column, row, owner))
    owner, row, column = owner[order], row[order], column[order]
    begins = np.ones(owner.size, bool)
    begins[1:] = (np.diff(owner) != 0) | (np.diff(row) != 0) | (np.diff(column) != 1)
    first = np.flatnonzero(begins)
    runs = np.stack([row[first], column[first], np.diff(np.append(first, owner.size))], axis=1)
    return {int(label): runs[owner[first] == label].tolist() for label in np.unique(owner)}


def outline_paths(labels: npt.NDArray[Any], indices: Sequence[int]) -> dict[int, str]:
    """SVG path data along the pixel edges of each region that a canvas shows.

    >>> outline_paths(np.array([[0, 0, 0], [0, 5, 5], [0, 0, 0]]), [5])
    {5: 'M1 1h2M1 2h2M1 1v1M3 1v1'}
    """
    if not indices:
        return {}
    framed = np.pad(labels, 1)
    across, down = edge_runs(framed[:, 1:-1]), edge_runs(framed.T[:, 1:-1])
    paths = {}
    for index in indices:
        if index in across:
            path = [f"M{x} {y}h{n}" for y, x, n in across[index]] + [f"M{x} {y}v{n}" for x, y, n in down[index]]
            paths[index] = "".join(path)
    return paths
