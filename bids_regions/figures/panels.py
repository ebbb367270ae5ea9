"""What stands around the slices: the colour bar, the title, and the words for an empty result.

Slices come as a mosaic of pixels and leave with their surroundings; no map, no label and no millimetre is known here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import printable
from bids_regions.extraction.tails import Tail
from bids_regions.figures.colors import Legend, hex_rgb
from bids_regions.figures.layers import Layer, solid
from bids_regions.figures.lettering import (
    CAP_HEIGHT,
    INK,
    Letters,
    bar_letters,
    number_letters,
    slice_letters,
    text_width,
)
from bids_regions.figures.mosaic import Mosaic, PanelLayout, draw_bar
from bids_regions.figures.slices import Mark
from bids_regions.frozen import dataclass

__all__ = ["NOTHING", "FigureStyle", "Framed", "add_bar", "add_heads", "frame"]

NOTHING = "No region survived"
CALL = "#5c3c00"  # words that must not be overlooked
CALL_PAPER = "#fff1c9"  # and what they stand on: a contrast of 9 to 1


@dataclass(frozen=True, kw_only=True)
class FigureStyle:
    """How a map is to be looked at."""

    cuts: tuple[float, ...]  # mm, RAS+; the same for every entry of a map
    cutoff: float  # magnitude in the map's unit; inf where nothing can pass
    tail: Tail = "bi"
    unit: str = "z"  # what the values are: z, t, F, ...
    sequential: bool = False  # the values have one sign, whatever the unit says
    title: str = ""  # printed above the slices
    scale: float | None = None  # magnitude at the ends of the colour bar; None: the map's own
    bar: bool = True  # the colour bar; a picture under another of the same colours needs none
    layout: PanelLayout = PanelLayout()


@dataclass(frozen=True, kw_only=True, eq=False)
class Framed:
    """Slices with everything around them."""

    layers: tuple[Layer, ...]  # bottom first
    labels: npt.NDArray[Any]  # (height, width) region numbers
    letters: tuple[Letters, ...]


def frame(mosaic: Mosaic, marks: Sequence[Mark], legend: Legend, view: FigureStyle, below: int) -> Framed:
    """The mosaic with its letters, colour bar and title, and with the words for an empty result.

    `below` is the grey level that the colour bar's faint colours stand on.
    """
    layout = view.layout
    letters = slice_letters(mosaic, layout)
    framed = Framed(layers=mosaic.layers, labels=mosaic.labels, letters=tuple(letters))
    if layout.annotated:
        letters += number_letters(mosaic, marks, layout)
        reach = mosaic.corners[0][1], mosaic.corners[-1][1] + mosaic.tile[1]
        framed = replace(framed, letters=tuple(letters))
        framed = add_bar(framed, reach, legend, layout, below) if view.bar else framed
    return add_heads(framed, len(marks), view)


def add_heads(framed: Framed, n_regions: int, view: FigureStyle) -> Framed:
    """A picture with its title, and with the words for an empty result, above it."""
    layout = view.layout
    strips = head_strips(n_regions, view)
    if not strips:
        return framed
    height = round(layout.font * 2)
    lead = height * len(strips)
    letters = [replace(item, y=item.y + lead) for item in framed.letters]
    layers = [layer.moved(0, lead) for layer in framed.layers]
    labels = np.pad(framed.labels, ((lead, 0), (0, 0)))
    wide = labels.shape[1]
    for row, words in enumerate(strips):
        text, size = fitted(words, layout.font, wide - 2 * layout.gap)
        line = row * height + (height + size * CAP_HEIGHT) / 2
        loud = words.startswith(NOTHING)
        color = CALL if loud else INK
        letters.append(Letters(x=layout.gap, y=line, text=text, size=size, anchor="start", bold=True, color=color))
        if loud:
            layers.append(solid(0, row * height, wide, height, hex_rgb(CALL_PAPER)))
    return Framed(layers=tuple(layers), labels=labels, letters=tuple(letters))


def head_strips(n_regions: int, view: FigureStyle) -> list[str]:
    """What is written above the slices.

    >>> head_strips(0, FigureStyle(cuts=(0.0,), cutoff=3.0, title="left > right"))
    ['left > right', 'No region survived: the map is shown without a threshold']
    """
    title = [printable(view.title)] if view.title else []
    if not n_regions:
        return [*title, f"{NOTHING}: the map is shown without a threshold" if view.layout.annotated else NOTHING]
    return title if view.layout.annotated else [*title, f"{n_regions} region{'s' * (n_regions > 1)}"]


def fitted(words: str, font: int, room: float) -> tuple[str, float]:
    """Words and a size at which they fit into some pixels: smaller first, then shorter."""
    size = font * 1.07
    size *= min(1.0, max(0.7, room / text_width(words, size, True)))
    while text_width(words, size, True) > room and len(words) > 1:
        words = words[: int(len(words) * 0.95) - 1].rstrip(" :…") + "…"
    return words, size


def add_bar(framed: Framed, reach: tuple[int, int], legend: Legend, layout: PanelLayout, below: int) -> Framed:
    """A picture with a colour bar to its right; `reach` is its first and last row."""
    font, (high, left) = layout.font, framed.labels.shape
    left += font
    top, bottom = reach
    height = max(4 * font, min(bottom - top - 2 * font, 14 * font))
    tall = max(high, height + 4 * font)
    upper = max(2 * font, round((top + bottom + font - height) / 2))
    width = font
    letters = bar_letters(legend, (left, upper, width, height), layout)
    needed = max(item.x + text_width(item.text, item.size, item.bold) for item in letters[1:])
    wide = int(np.ceil(needed)) + font
    layers = [
        solid(left - 1, upper - 1, width + 2, height + 2, (120, 120, 120)),
        draw_bar(legend, (left, upper, width, height), below),
    ]
    low = 0.0 if legend.sequential else -legend.scale
    thick = max(1, round(font / 9))
    for cutoff in legend.cutoffs:
        line = upper + round((legend.scale - cutoff) / (legend.scale - low) * (height - 1)) - thick // 2
        layers.append(solid(left - font // 3, line, width + 2 * (font // 3), thick, hex_rgb(INK)))
    labels = np.pad(framed.labels, ((0, tall - high), (0, wide - framed.labels.shape[1])))
    return Framed(layers=(*framed.layers, *layers), labels=labels, letters=(*framed.letters, *letters))
