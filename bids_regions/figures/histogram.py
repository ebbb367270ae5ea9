"""The histogram of a map: how many of its elements have which value, in the colours of the map.

What the elements are, and what is drawn beside it, is not known here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import Legend, color_levels, color_palette, hex_rgb, on_grey
from bids_regions.figures.layers import Layer, solid
from bids_regions.figures.lettering import INK, Letters, spoken_number, text_width, typeset
from bids_regions.figures.panels import FigureStyle
from bids_regions.frozen import dataclass

__all__ = ["FONT", "PANEL", "Panel", "draw_histogram", "known_values", "opaque"]

FONT = 15  # pixels, of letters
BINS, ROWS, PANEL = 56, 48, (168, 96)  # bins, steps of height; pixels wide and high
BELOW = 205  # the grey level that its faint colours stand on


def known_values(data: npt.NDArray[Any], view: FigureStyle) -> tuple[npt.NDArray[Any], Legend]:
    """The values of what has data, and how they become colours."""
    there = data.ravel(order="K")
    there = there[there != 0]
    there = there if np.isfinite(there).all() else there[np.isfinite(there)]
    scale = view.scale or float(np.abs(there).max(initial=0)) or 1.0
    scale = max(scale, view.cutoff) if np.isfinite(view.cutoff) else scale  # where nothing reaches it, it is told too
    legend = Legend(cutoff=view.cutoff, tail=view.tail, unit=view.unit, scale=scale, one_signed=view.sequential)
    return there, legend


def opaque(legend: Legend) -> npt.NDArray[np.uint8]:
    """The colours of a legend as nothing shines through them."""
    return on_grey(color_palette(legend), BELOW)


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A histogram, drawn."""

    layers: tuple[Layer, ...]
    letters: tuple[Letters, ...]
    bottom: int  # pixels: the picture reaches so far
    words: str


def draw_histogram(
    there: npt.NDArray[Any], labels: npt.NDArray[Any], legend: Legend, corner: tuple[int, int], units: str = "voxels"
) -> Panel:
    """How many units have which value, by the logarithm of their number, with the cutoff and the share of regions."""
    left, top = corner
    wide, tall = PANEL
    low = 0.0 if legend.sequential or not (there < 0).any() else -legend.scale
    number = ((there - low) * (BINS / (legend.scale - low))).astype(np.intp)
    counts = np.bincount(np.clip(number, 0, BINS - 1), minlength=BINS)
    high = np.ceil(np.log1p(counts) * (ROWS / max(float(np.log1p(counts.max(initial=0))), 1e-9)))
    middles = low + (np.arange(BINS) + 0.5) * (legend.scale - low) / BINS
    levels = np.maximum(color_levels(middles.astype(np.float32), legend), 1)
    pixels = np.where(np.arange(ROWS, 0, -1)[:, None] <= high, levels, 0).astype(np.uint8)
    layers = [
        Layer(left=left, top=top, width=wide, height=tall, pixels=pixels, palette=opaque(legend)),
        solid(left, top + tall, wide, 1, (120, 120, 120)),
    ]

    def across(value: float) -> float:
        return left + (value - low) / (legend.scale - low) * wide

    lines = [cutoff for cutoff in legend.cutoffs if cutoff >= low]
    layers += [solid(round(across(cutoff)) - 1, top - 4, 2, tall + 8, hex_rgb(INK)) for cutoff in lines]
    kept, n = int(np.count_nonzero(labels)), there.size
    share = f"{spoken_number(100 * kept / n, 1)} % in regions" if n else "no data"
    size = FONT * 0.86
    letters = [
        Letters(x=left + wide / 2, y=top - FONT * 0.75, text=legend.unit or "value", size=FONT * 0.93, bold=True),
        *_ticks(lines, low, legend.scale, across, top + tall + FONT * 1.2),
        Letters(x=left + wide / 2, y=top + tall + FONT * 2.5, text=share, size=size),
    ]
    return Panel(
        layers=tuple(layers),
        letters=tuple(letters),
        bottom=top + tall + round(FONT * 3),
        words=f"histogram of {n:,} {units}, {share}",
    )


def _ticks(lines: Sequence[float], low: float, high: float, across: Any, line: float) -> list[Letters]:
    """The numbers below the histogram: cutoffs in bold, and the ends where they do not touch them."""
    size = FONT * 0.86
    asked = [(value, typeset(value), True) for value in lines]
    if len(lines) == 2 and across(lines[1]) - across(lines[0]) < text_width(typeset(lines[0]), size, True) + 6:
        asked = [(0.0, "±" + typeset(lines[1]), True)]
    asked += [(low, typeset(low), False), (high, typeset(high), False)]
    letters: list[Letters] = []
    taken: list[tuple[float, float]] = []
    for value, text, bold in asked:
        half, x = text_width(text, size, bold) / 2, across(value)
        if any(x - half < end + 3 and x + half > begin - 3 for begin, end in taken):
            continue
        taken.append((x - half, x + half))
        letters.append(Letters(x=x, y=line, text=text, size=size, bold=bold))
    return letters
