"""Text on a picture: what is written where, and where the number of each region finds its place.

Letters are placed by their baseline, so that pixels and SVG agree. The only fonts are the two that matplotlib brings.
"""

from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.errors import MissingInput
from bids_regions.figures.colors import Legend
from bids_regions.figures.matplotlib_tables import LETTERS, UNITS, WIDTHS
from bids_regions.figures.mosaic import Mosaic, PanelLayout
from bids_regions.figures.slices import Mark
from bids_regions.frozen import dataclass
from bids_regions.libraries import find_package

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = [
    "CAP_HEIGHT",
    "INK",
    "Anchor",
    "Letters",
    "bar_letters",
    "load_font",
    "number_letters",
    "rings",
    "slice_letters",
    "spoken_number",
    "text_width",
    "typeset",
]

CAP_HEIGHT = 0.73  # of the font size, DejaVu Sans
INK = "#1a1a1a"
Anchor = Literal["start", "middle", "end"]
MINUS = "\N{MINUS SIGN}"
OWN_FONTS = "Install matplotlib from PyPI or conda-forge, whose package holds its fonts"


@dataclass(frozen=True, kw_only=True)
class Letters:
    """One piece of text."""

    x: float  # pixels, of the anchor
    y: float  # pixels, of the baseline
    text: str
    size: float  # pixels
    anchor: Anchor = "middle"
    bold: bool = False
    halo: float = 0  # pixels of white around each letter
    color: str = INK


@lru_cache(maxsize=16)
def load_font(size: float, bold: bool) -> "FreeTypeFont":
    """DejaVu Sans as matplotlib brings it; its plain layout, so that no system library changes a letter."""
    from PIL import ImageFont  # noqa: PLC0415  only pictures made of pixels need it

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = find_package("matplotlib") / "mpl-data" / "fonts" / "ttf" / name
    try:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise MissingInput(f"{path}, letters of pictures, cannot be read", hint=OWN_FONTS) from error


@cache
def _widths(bold: bool) -> dict[str, int]:
    digits = WIDTHS[bold]
    return {letter: int(digits[3 * k : 3 * k + 3], 16) for k, letter in enumerate(LETTERS)}


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide some text is in pixels, in DejaVu Sans; a letter that is not in its table counts a whole em.

    >>> text_width("12", 10.0) == 2 * text_width("0", 10.0)
    True
    """
    known = _widths(bold)
    return sum(known.get(letter, UNITS) for letter in text) * size / UNITS


def spoken_number(value: float, places: int = 2) -> str:
    """A value as a reader says it: at most so many decimals for usual sizes, three digits for very small ones.

    >>> [spoken_number(v) for v in (7.9413, -3.0, 0.0, 0.00123, 1234.5, 3.2e7)]
    ['7.94', '-3', '0', '0.00123', '1234', '3.2e+07']
    """
    if value != 0 and not 0.1 <= abs(value) < 1e6:
        return f"{value:.3g}"
    text = f"{value:.{0 if abs(value) >= 1000 else places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def typeset(value: float, places: int = 2) -> str:
    """A number with a real minus sign.

    >>> typeset(-12.5)
    '−12.5'
    """
    return spoken_number(value, places).replace("-", MINUS)


def slice_letters(mosaic: Mosaic, layout: PanelLayout) -> list[Letters]:
    """L and R on every slice, and its z in mm below."""
    width, height = mosaic.tile
    small = layout.font * 0.86
    letters = []
    sides: tuple[tuple[float, str, Anchor], ...]
    for (left, top), z in zip(mosaic.corners, mosaic.raster.z.tolist(), strict=True):
        line = top + small * CAP_HEIGHT + 1
        sides = (left - mosaic.rim + 2.0, "L", "start"), (left + width + mosaic.rim - 2.0, "R", "end")
        for x, text, anchor in sides:
            letters.append(Letters(x=x, y=line, text=text, size=small, anchor=anchor, bold=True, halo=1.5))
        if layout.annotated:
            line = top + height + layout.font * 1.15
            letters.append(
                Letters(x=left + width / 2, y=line, text=f"z {typeset(round(z, 1), 1)} mm", size=layout.font * 0.93)
            )
    return letters


def bar_letters(legend: Legend, box: tuple[float, float, float, float], layout: PanelLayout) -> list[Letters]:
    """The unit above a colour bar and the numbers beside it; the cutoff in bold, and nothing that would touch it."""
    left, top, width, height = box
    size = layout.font * 0.93
    low = 0.0 if legend.sequential else -legend.scale
    room = size * 1.15

    def line(value: float) -> float:
        return top + (legend.scale - value) / (legend.scale - low) * (height - 1)

    letters = [Letters(x=left + width / 2, y=top - size * 0.7, text=legend.unit, size=layout.font, bold=True)]
    taken: list[float] = []
    beyond = "\N{GREATER-THAN OR EQUAL TO}", "\N{LESS-THAN OR EQUAL TO}"
    ticks = [(cutoff, True) for cutoff in legend.cutoffs] + [(legend.scale, False), (low, False), (0.0, False)]
    for value, bold in ticks:
        y = line(value)
        if any(abs(y - other) < room for other in taken):
            continue
        taken.append(y)
        sign = beyond[value < 0] if legend.clipped and abs(value) == legend.scale else ""
        x, base = left + width + size * 0.55, y + size * CAP_HEIGHT / 2
        letters.append(Letters(x=x, y=base, text=sign + typeset(value), size=size, anchor="start", bold=bold))
    return letters


def sums(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Summed areas with a leading zero row and column: any box's count in four look-ups."""
    table = np.zeros((seen.shape[0] + 1, seen.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(seen, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
    return table


def count(table: npt.NDArray[np.int32], boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """How many pixels lie in each of (n, 4) boxes of left, top, right, bottom."""
    height, width = table.shape[0] - 1, table.shape[1] - 1
    ends = np.minimum(np.maximum(np.rint(boxes), 0), (width, height, width, height)).astype(np.intp)
    left, top, right, bottom = ends.T
    counted: npt.NDArray[np.int32] = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return counted


@lru_cache(maxsize=4)
def rings(size: float) -> npt.NDArray[np.float64]:
    """(n, 3) places around an anchor, nearest first: pixels right and down, and the distance in letter heights."""
    around = [(0.0, 0.0, 0.0)]
    for ring in range(1, 9):
        radius = ring * 0.5
        for turn in range(16):
            angle = turn * np.pi / 8
            around.append((1.25 * radius * size * np.cos(angle), radius * size * np.sin(angle), radius))
    return np.array(around)


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice with what was placed on it."""

    labels: npt.NDArray[Any]  # (height, width) region numbers
    taken: list[tuple[float, float, float, float]]  # left, top, right, bottom of texts

    @cached_property
    def filled(self) -> npt.NDArray[np.int32]:
        """Summed areas of all regions."""
        return sums(self.labels != 0)


def free_place(
    tile: Slice, anchor: tuple[float, float], index: int, box: tuple[float, float]
) -> tuple[float, float] | None:
    """The best centre for a box near an anchor: off the region if that is near, off the others, off all other text."""
    width, height = box
    around = rings(height)
    centers = around[:, :2] + anchor
    half = np.array([width / 2, height / 2])
    boxes = np.concatenate([centers - half, centers + half], axis=1)
    free = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2] <= tile.labels.shape[1])
    free &= boxes[:, 3] <= tile.labels.shape[0]
    for left, top, right, bottom in tile.taken:
        free &= (boxes[:, 0] >= right) | (boxes[:, 2] <= left) | (boxes[:, 1] >= bottom) | (boxes[:, 3] <= top)
    if not free.any():
        return None
    reach = int(5.5 * height + width)
    x0, y0 = max(0, int(anchor[0]) - reach), max(0, int(anchor[1]) - reach)
    seen = tile.labels[y0 : int(anchor[1]) + reach, x0 : int(anchor[0]) + reach] == index
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    y0, x0 = y0 + rows[0], x0 + columns[0]  # beyond its own rows and columns there is nothing to count
    mine = sums(seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    corner = np.array([x0, y0, x0, y0])
    own = count(mine, np.rint(boxes) - corner) / max(1, min(width * height, int(mine[-1, -1])))
    wider = np.rint(boxes + 0.5 * height * np.array([-1, -1, 1, 1]))  # before the shift, so that all count alike
    other = count(tile.filled, wider) - count(mine, wider - corner)
    cost = 2.5 * own + 4 * other / (width * height) + 0.75 * (other > 0) + around[:, 2]
    best = int(np.where(free, cost, np.inf).argmin())
    return float(centers[best, 0]), float(centers[best, 1])


def find_anchor(mosaic: Mosaic, mark: Mark, areas: npt.NDArray[np.intp]) -> tuple[int, float, float] | None:
    """Where a region's number belongs: cut, and pixels in its tile. The slice of its peak, or where it is largest."""
    if mark.index >= areas.shape[1] or not areas[:, mark.index].any():
        return None
    nearest = int(np.abs(mosaic.raster.z - mark.peak_xyz[2]).argmin())
    left, top = mosaic.corners[nearest]
    width, height = mosaic.tile
    x, y = mosaic.place(nearest, mark.peak_xyz[0], mark.peak_xyz[1])
    inside = left <= x < left + width and top <= y < top + height
    if inside and mosaic.labels[int(y), int(x)] == mark.index:
        return nearest, x - left, y - top
    cut = int(areas[:, mark.index].argmax())
    left, top = mosaic.corners[cut]
    rows, columns = np.nonzero(mosaic.labels[top : top + height, left : left + width] == mark.index)
    middle = (np.abs(rows - rows.mean()) + np.abs(columns - columns.mean())).argmin()
    return cut, float(columns[middle]), float(rows[middle])


def number_letters(mosaic: Mosaic, marks: Sequence[Mark], layout: PanelLayout) -> list[Letters]:
    """The number of each region, once, where its peak is shown; where numbers would overlap the largest region wins."""
    width, height = mosaic.tile
    corner = float(max(0, layout.font - mosaic.rim))
    tiles = [
        Slice(labels, [(0.0, 0.0, corner, corner), (width - corner, 0.0, float(width), corner)])
        for labels in (mosaic.labels[top : top + height, left : left + width] for left, top in mosaic.corners)
    ]
    most = max((mark.index for mark in marks), default=0) + 1
    areas = np.stack([np.bincount(tile.labels[tile.labels != 0], minlength=most)[:most] for tile in tiles])
    size, halo = layout.font * 0.93, layout.font * 0.14
    letters = []
    for mark in sorted(marks, key=lambda m: (-m.n_voxels, m.index)):
        found = find_anchor(mosaic, mark, areas)
        if found is None:
            continue
        cut, x, y = found
        text = str(mark.index)
        box = text_width(text, size, True) + 2 * halo, size * CAP_HEIGHT + 2 * halo
        place = free_place(tiles[cut], (x, y), mark.index, box)
        if place is None:
            continue
        tiles[cut].taken.append(
            (place[0] - box[0] / 2, place[1] - box[1] / 2, place[0] + box[0] / 2, place[1] + box[1] / 2)
        )
        left, top = mosaic.corners[cut]
        line = top + place[1] + size * CAP_HEIGHT / 2
        letters.append(Letters(x=left + place[0], y=line, text=text, size=size, bold=True, halo=halo))
    return letters
