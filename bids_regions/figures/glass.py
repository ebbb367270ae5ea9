"""All regions at once, seen through the brain from three sides, with the histogram of the map beside them.

A *shadow* is how much brain lies on each line of sight along x, y and z. It is cast once for an anatomy, since the maps
drawn on it only change what lies before it. A *projection* is the value of largest magnitude on each line of sight,
of the voxels of regions alone. *Bins* divide the world's axes, an edge of a voxel each where axes are not oblique, so
that no gaps and no stripes come from one grid lying on another.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import AIR, Legend, color_levels
from bids_regions.figures.drawing import Drawing
from bids_regions.figures.histogram import FONT, PANEL, draw_histogram, known_values, opaque
from bids_regions.figures.layers import Layer
from bids_regions.figures.lettering import (
    CAP_HEIGHT,
    Anchor,
    Letters,
    rings,
    text_width,
)
from bids_regions.figures.panels import FigureStyle
from bids_regions.figures.slices import Mark, Underlay, find_filled, voxel_sizes, world_bounds, world_steps
from bids_regions.frozen import dataclass

__all__ = ["Inside", "Shadow", "cast_shadow", "compose_glass", "compose_histogram"]

Axis = Literal[0, 1, 2]
SIGHTS: Mapping[Axis, tuple[Axis, Axis, str, str, str]] = {  # along an axis: what runs right and up, its ends, whence
    0: (1, 2, "P", "A", "from the right"),
    1: (0, 2, "L", "R", "from behind"),
    2: (0, 1, "L", "R", "from above"),
}
WIDE, TALL, GAP = 720, 230, 14  # pixels: of the picture, of a sight at most, between sights
SPARE = 3.0  # mm around what is seen
COARSE = 2.5  # mm: anatomy need not be finer
TONES = 12  # thicknesses of a brain that are told apart
THINNEST, THICKEST = 231, 199  # its grey levels
NUMBERED = 24  # regions that are numbered, the largest


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """The world's axes in pieces."""

    low: npt.NDArray[np.float64]  # (3,) mm, the edge where x, y and z begin
    step: npt.NDArray[np.float64]  # (3,) mm
    counts: npt.NDArray[np.intp]  # (3,)

    def of(self, ijk: npt.NDArray[np.float64], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """The (3, n) bins of (3, n) places of a grid."""
        mm = affine[:3, :3] @ ijk + affine[:3, 3:]
        found = np.floor((mm - self.low[:, None]) / self.step[:, None] + 1e-6).astype(np.intp)
        return np.clip(found, 0, self.counts[:, None] - 1)

    def reach(self, cells: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """The (2, 3) lowest and highest mm of some bins, their edges included."""
        ends = np.stack([cells.min(axis=1), cells.max(axis=1) + 1])
        reached: npt.NDArray[np.float64] = self.low + ends * self.step
        return reached

    def flat(self, cells: npt.NDArray[np.intp], axis: Axis) -> npt.NDArray[np.intp]:
        """The pixel of each bin seen along an axis: row by row, the highest first."""
        right, up = SIGHTS[axis][:2]
        numbers: npt.NDArray[np.intp] = (self.counts[up] - 1 - cells[up]) * self.counts[right] + cells[right]
        return numbers

    def shape(self, axis: Axis) -> tuple[int, int]:
        """Rows and columns of what is seen along an axis."""
        right, up = SIGHTS[axis][:2]
        return int(self.counts[up]), int(self.counts[right])


@dataclass(frozen=True, kw_only=True, eq=False)
class Shadow:
    """A brain from three sides."""

    bins: Bins
    planes: Mapping[Axis, npt.NDArray[np.uint8]]  # (rows, columns): 0 beside it, 1 to TONES the thicker
    bounds: npt.NDArray[np.float64] | None  # (2, 3) mm of where there is any; None where there is none


def is_oblique(affine: npt.NDArray[np.float64]) -> bool:
    """Whether the axes of a grid are not those of the world.

    >>> is_oblique(np.diag([-2.0, 2.0, 2.0, 1.0]))
    False
    """
    share = np.abs(affine[:3, :3]) / voxel_sizes(affine)
    return not bool((share.max(axis=0) > 0.9999).all())


def is_straight(affine: npt.NDArray[np.float64]) -> bool:
    """Whether each axis of a grid is one of the world, to the last digit.

    >>> is_straight(np.array([[0, 2.0, 0, 9], [-2.0, 0, 0, 9], [0, 0, 3.0, 9], [0, 0, 0, 1]]))
    True
    """
    steps = affine[:3, :3] != 0
    return bool((steps.sum(axis=0) == 1).all() and (steps.sum(axis=1) == 1).all())


def make_bins(affine: npt.NDArray[np.float64], shape: Sequence[int], step: float | None = None) -> Bins:
    """Bins over a whole grid, of the size of its voxels or of `step` mm."""
    low, high = world_bounds(affine, shape)
    steps = world_steps(affine) if step is None else np.full(3, step)
    return Bins(low=low - steps / 2, step=steps, counts=np.rint((high - low) / steps).astype(np.intp) + 1)


def cast_shadow(background: Underlay) -> Shadow:
    """How thick the brain is along each axis; what is darker than any tissue is none.

    >>> cube = np.ones((2, 3, 4))
    >>> shadow = cast_shadow(Underlay(data=cube, affine=np.diag([3.0, 3.0, 3.0, 1.0])))
    >>> shadow.planes[0].shape, shadow.bounds.tolist()
    ((4, 3), [[-1.5, -1.5, -1.5], [4.5, 7.5, 10.5]])
    """
    strides = np.maximum(1, np.rint(COARSE / voxel_sizes(background.affine))).astype(int)
    data = background.data[tuple(slice(None, None, int(stride)) for stride in strides)]
    affine = background.affine @ np.diag([*strides, 1.0])
    some = data[(data > 0) & np.isfinite(data)].astype(np.float32)  # of flags, too
    inside = data > AIR * float(np.percentile(some, 99.5)) if some.size else np.zeros(data.shape, bool)
    bins = make_bins(affine, data.shape, 2 * float(voxel_sizes(affine).max()) if is_oblique(affine) else None)
    if is_straight(affine):
        thick = _sum_straight(inside, affine)
    else:
        thick = _count_lines(bins.of(np.array(find_filled(inside), np.float64), affine), bins)
    planes = {
        axis: np.ceil(plane * (TONES / max(1, int(plane.max(initial=0))))).astype(np.uint8)
        for axis, plane in thick.items()
    }
    return Shadow(bins=bins, planes=planes, bounds=_bounds_of(thick, bins))


def _count_lines(cells: npt.NDArray[np.intp], bins: Bins) -> dict[Axis, npt.NDArray[np.intp]]:
    """How many of these bins lie on each line of sight: (rows, columns) as seen along each axis."""
    return {
        axis: np.bincount(bins.flat(cells, axis), minlength=math.prod(bins.shape(axis))).reshape(bins.shape(axis))
        for axis in SIGHTS
    }


def _sum_straight(inside: npt.NDArray[np.bool_], affine: npt.NDArray[np.float64]) -> dict[Axis, npt.NDArray[np.intp]]:
    """The same of a grid along the world's axes, where a bin is a voxel, in a tenth of the time."""
    lies = np.abs(affine[:3, :3]).argmax(axis=1)  # x, y, z -> i, j, k
    steps = [1 if affine[axis, lies[axis]] > 0 else -1 for axis in range(3)]
    turned = np.transpose(inside, lies.tolist())[tuple(slice(None, None, step) for step in steps)]
    return {axis: turned.sum(axis=axis, dtype=np.intp).T[::-1] for axis in SIGHTS}


def _bounds_of(thick: Mapping[Axis, npt.NDArray[np.intp]], bins: Bins) -> npt.NDArray[np.float64] | None:
    """The (2, 3) lowest and highest mm of what is there; None where there is nothing."""
    if not thick[0].any():
        return None
    front, side = thick[2], thick[0]  # of x and y, of y and z
    most = front.max(axis=0), front.max(axis=1)[::-1], side.max(axis=1)[::-1]
    return bins.reach(np.array([np.flatnonzero(line)[[0, -1]] for line in most]))


def compose_glass(
    data: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    marks: Sequence[Mark],
    view: FigureStyle,
    shadow: Shadow,
) -> Drawing:
    """Regions through the brain from the right, from behind and from above, and the histogram of the map.

    Parameters
    ----------
    data
        (i, j, k), the map's unit, 0 where there is no data; any memory order.
    labels
        (i, j, k), integers on the same grid: 0 or a region's number.
    affine
        (4, 4), voxel -> mm, RAS+; may be oblique.
    marks
        The regions; the largest are numbered at their peaks.
    view
        Cutoff, tail and unit; its `scale` is the largest magnitude that colours and histogram know.
    shadow
        The brain.

    Raises
    ------
    ValueError
        Where the grids of map and labels differ.
    """
    if data.ndim != 3 or data.shape != labels.shape:
        raise ValueError(f"a map of {data.shape} and labels of {labels.shape} are not on one 3-D grid")
    there, legend = known_values(data, view)
    inside = Inside(data=data, labels=labels, affine=affine, marks=marks, shadow=shadow)
    return _beside(inside, there, labels, legend, "voxels")


@dataclass(frozen=True, kw_only=True, eq=False)
class Inside:
    """What is seen through the brain: regions of voxels, as `compose_glass` takes them."""

    data: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    marks: Sequence[Mark]
    shadow: Shadow


def _beside(inside: Inside, there: npt.NDArray[Any], labels: npt.NDArray[Any], legend: Legend, units: str) -> Drawing:
    """Regions seen through the brain, and beside them the histogram of values, of these voxels or of more."""
    bins, cells, values = seen_voxels(inside.data, inside.labels, inside.affine)
    shadow, colors = inside.shadow, opaque(legend)
    sights = lay_sights(box_of(shadow, bins, cells))
    height = max(sight.top + sight.height for sight in sights) + round(1.7 * FONT)
    layers: list[Layer] = []
    letters: list[Letters] = []
    for sight in sights:
        layers += sight.lay(shadow.bins, shadow.planes[sight.axis], SHADES, smooth=True)
        layers += sight.lay(bins, project(bins, cells, values, sight.axis, legend), colors)
        letters += sight.letters(inside.marks)
    corner = WIDE - PANEL[0] - GAP, max(GAP, (height - PANEL[1]) // 2 - FONT)
    panel = draw_histogram(there, labels, legend, corner, units)
    height = max(height, panel.bottom)
    return Drawing(
        layers=(*layers, *panel.layers),
        labels=np.zeros((height, WIDE), np.uint8),
        colors={},
        letters=(*letters, *panel.letters),
        alt=f"The regions seen through the brain from the right, from behind and from above; {panel.words}",
    )


def compose_histogram(
    data: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    view: FigureStyle,
    *,
    units: str = "voxels",
    inside: Inside | None = None,
) -> Drawing:
    """The histogram of a map that no line of sight goes through, beside what it has `inside`; arrays of any shape."""
    there, legend = known_values(data, view)
    if inside is not None:
        return _beside(inside, there, labels, legend, units)
    panel = draw_histogram(there, labels, legend, (3 * GAP, 2 * GAP), units)
    words = f"{panel.words[0].upper()}{panel.words[1:]}"
    size = panel.bottom, PANEL[0] + 6 * GAP
    return Drawing(layers=panel.layers, labels=np.zeros(size, np.uint8), colors={}, letters=panel.letters, alt=words)


SHADES = np.full((TONES + 1, 4), 255, np.uint8)
SHADES[1:, :3] = np.linspace(THINNEST, THICKEST, TONES).round().astype(np.uint8)[:, None]
SHADES[0] = THINNEST, THINNEST, THINNEST, 0


def seen_voxels(
    data: npt.NDArray[Any], labels: npt.NDArray[Any], affine: npt.NDArray[np.float64]
) -> tuple[Bins, npt.NDArray[np.intp], npt.NDArray[Any]]:
    """The bins of a map's grid, those of each voxel of a region, and its value; the strongest last.

    On an oblique grid a voxel counts at eight places inside it, so that none of its lines of sight is missed.
    """
    bins = make_bins(affine, data.shape)
    where = find_filled(labels)
    values = np.nan_to_num(data[where], posinf=0, neginf=0)
    ijk = np.array(where, np.float64)
    if is_oblique(affine):
        corners = np.array(np.meshgrid(*[(-0.25, 0.25)] * 3)).reshape(3, 1, -1)
        ijk = (ijk[:, :, None] + corners).reshape(3, -1)
        values = np.repeat(values, corners.shape[2])
    order = np.argsort(np.abs(values), kind="stable")
    return bins, bins.of(ijk[:, order], affine), values[order]


def project(
    bins: Bins, cells: npt.NDArray[np.intp], values: npt.NDArray[Any], axis: Axis, legend: Legend
) -> npt.NDArray[np.uint8]:
    """The number of the colour of the strongest value along each line of sight; 0 where there is none."""
    rows, columns = bins.shape(axis)
    levels = np.zeros(rows * columns, np.uint8)
    levels[bins.flat(cells, axis)] = np.maximum(color_levels(values, legend), 1)  # what is written last, stays
    return levels.reshape(rows, columns)


def box_of(shadow: Shadow, bins: Bins, cells: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """The (2, 3) lowest and highest mm of what there is to see."""
    ends = [shadow.bounds] if shadow.bounds is not None else []
    ends += [bins.reach(cells)] if cells.size else []
    every = np.stack(ends or [np.stack([bins.low, bins.low + bins.counts * bins.step])])
    return np.stack([every[:, 0].min(axis=0) - SPARE, every[:, 1].max(axis=0) + SPARE])


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """What is seen along one axis, in its place."""

    axis: Axis
    left: int  # pixels, as the next three
    top: int
    width: int
    height: int
    low: float  # mm of its left edge
    high: float  # mm of its upper edge
    scale: float  # pixels of a millimetre

    def place(self, right: float, up: float) -> tuple[float, float]:
        """The pixel of a place in mm."""
        return self.left + (right - self.low) * self.scale, self.top + (self.high - up) * self.scale

    def lay(
        self, bins: Bins, pixels: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8], *, smooth: bool = False
    ) -> list[Layer]:
        """What bins show along the axis, without its empty rim; nothing where they are all empty."""
        right, up = SIGHTS[self.axis][:2]
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if not rows.size:
            return []
        edge = bins.low[up] + bins.counts[up] * bins.step[up]
        first = self.place(bins.low[right] + columns[0] * bins.step[right], float(edge - rows[0] * bins.step[up]))
        last = self.place(
            bins.low[right] + (columns[-1] + 1) * bins.step[right], float(edge - (rows[-1] + 1) * bins.step[up])
        )
        (left, top), (end, bottom) = map(round, first), map(round, last)
        part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return [
            Layer(left=left, top=top, width=max(1, end - left), height=max(1, bottom - top), pixels=part,
                  palette=palette, smooth=smooth)
        ]  # fmt: skip

    def letters(self, marks: Sequence[Mark]) -> list[Letters]:
        """The names of its ends, whence it is seen, and the numbers of the largest regions at their peaks."""
        right, up, begins, ends, words = SIGHTS[self.axis]
        size, middle = FONT * 0.86, self.top + self.height / 2 + FONT * 0.86 * CAP_HEIGHT / 2
        sides: tuple[tuple[float, str, Anchor], ...] = (
            (self.left + 1.0, begins, "start"), (self.left + self.width - 1.0, ends, "end"),
        )  # fmt: skip
        letters = [
            Letters(x=x, y=middle, text=text, size=size, anchor=anchor, bold=True, halo=1.5)
            for x, text, anchor in sides
        ]
        line = self.top + self.height + FONT * 1.15
        letters.append(Letters(x=self.left + self.width / 2, y=line, text=words, size=FONT * 0.93))
        edge, half = float(FONT), self.height / 2
        taken = [(0.0, half - edge / 2, edge, half + edge / 2)]
        taken.append((self.width - edge, half - edge / 2, float(self.width), half + edge / 2))
        for mark in sorted(marks, key=lambda m: (-m.n_voxels, m.index))[:NUMBERED]:
            x, y = self.place(mark.peak_xyz[right], mark.peak_xyz[up])
            letters += self._number(taken, str(mark.index), (x - self.left, y - self.top))
        return letters

    def _number(
        self, taken: list[tuple[float, float, float, float]], text: str, peak: tuple[float, float]
    ) -> list[Letters]:
        """A number at a peak, or as near to it as no other text is in the way."""
        size, halo = FONT * 0.9, FONT * 0.14
        across, up = text_width(text, size, True) / 2 + halo, size * CAP_HEIGHT / 2 + halo
        for right, down, _ in rings(float(size * CAP_HEIGHT + 2 * halo)).tolist():  # the nearest first
            x, y = peak[0] + right, peak[1] + down
            box = x - across, y - up, x + across, y + up
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= self.width and box[3] <= self.height
            if inside and not any(_overlap(box, other) for other in taken):
                break
        else:
            return []
        taken.append(box)
        line = self.top + y + size * CAP_HEIGHT / 2
        return [Letters(x=self.left + x, y=line, text=text, size=size, bold=True, halo=halo)]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Whether two boxes of left, top, right, bottom have anything in common."""
    return one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]


def lay_sights(box: npt.NDArray[np.float64]) -> list[Sight]:
    """The three sights side by side, of one scale, their middles in a line."""
    extent = box[1] - box[0]
    across = sum(float(extent[SIGHTS[axis][0]]) for axis in SIGHTS)
    up = max(float(extent[SIGHTS[axis][1]]) for axis in SIGHTS)
    scale = min((WIDE - PANEL[0] - 5 * GAP) / across, TALL / up)
    tall, left, sights = round(up * scale), GAP, []
    for axis, (right, upward, *_) in SIGHTS.items():
        width, height = (max(1, round(float(extent[k]) * scale)) for k in (right, upward))
        sights.append(
            Sight(
                axis=axis, left=left, top=GAP + (tall - height) // 2, width=width, height=height,
                low=float(box[0, right]), high=float(box[1, upward]), scale=scale,
            )
        )  # fmt: skip
        left += width + GAP
    return sights
