"""What a value looks like: colour tables, fading below the cutoff, grey for anatomy.

A *legend* says how values become colours; the colour bar is drawn by the same functions as the map, so the two cannot
disagree. This room knows no voxel's place.
"""

import math
from base64 import b64decode
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.statistics import told_kind
from bids_regions.extraction.tails import TAILS, Tail
from bids_regions.figures.matplotlib_tables import COLORS
from bids_regions.frozen import dataclass

__all__ = ["Legend", "color_levels", "color_palette", "color_values", "full_scale", "grey_levels", "hex_rgb", "on_grey"]

WRONG_TAIL = 0.35  # how much is left of a value's opacity where the test does not look
WHOLE = 0.8  # opacity of a map without a threshold: the anatomy stays visible
PAPER = 255  # the card a picture stands on, grey level
AIR = 0.05  # of the brightest anatomy: darker than any tissue
COVERAGE = 222  # where a map has data and there is no anatomy, grey level


@dataclass(frozen=True, kw_only=True)
class Legend:
    """How values become colours."""

    cutoff: float  # magnitude in the map's unit; inf where nothing can pass
    tail: Tail
    unit: str  # "z", "t", "F", ...
    scale: float  # magnitude at the ends of the colour bar, > 0
    clipped: bool = False  # whether the map goes beyond the scale
    one_signed: bool = False  # the values have one sign, whatever their unit
    faded: bool = True  # False shows the whole map, as where no region survived

    @property
    def sequential(self) -> bool:
        """Whether the values have one sign by their nature."""
        return self.one_signed or told_kind(self.unit)[1].sequential

    @property
    def cutoffs(self) -> tuple[float, ...]:
        """The signed cutoffs that belong on the colour bar.

        >>> Legend(cutoff=3.0, tail="bi", unit="z", scale=8.0).cutoffs
        (-3.0, 3.0)
        >>> Legend(cutoff=math.inf, tail="bi", unit="z", scale=8.0).cutoffs
        ()
        """
        if not 0 < self.cutoff <= self.scale:
            return ()
        signs = (1,) if self.sequential else TAILS[self.tail].signs
        return tuple(sorted(sign * self.cutoff for sign in signs))


@lru_cache(maxsize=4)
def color_table(name: str) -> npt.NDArray[np.uint8]:
    """A (256, 3) colour table of matplotlib's."""
    return np.frombuffer(b64decode(COLORS[name]), np.uint8).reshape(256, 3)


def hex_rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb".

    >>> hex_rgb("#ff8000")
    (255, 128, 0)
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def full_scale(values: npt.NDArray[Any], cutoff: float) -> tuple[float, bool]:
    """The magnitude at the ends of the colour bar, and whether some values lie beyond it.

    The largest magnitude, unless a few voxels stand far above all others: then the 99.9th percentile of what is not
    zero, so that one artefact does not wash out a map. Never below the cutoff, which has to have its place on the bar.

    >>> full_scale(np.array([0.0, -7.94, 3.0]), 3.0)
    (7.94, False)
    >>> full_scale(np.zeros(3), 3.0)
    (3.0, False)
    """
    magnitudes = np.abs(values[values != 0])
    largest = float(magnitudes.max()) if magnitudes.size else 0.0
    scale = largest
    if magnitudes.size > 1000:
        rank = int(magnitudes.size * 0.999)
        usual = float(np.partition(magnitudes, rank)[rank])
        scale = usual if largest > 1.8 * usual else largest
    if math.isfinite(cutoff):
        scale = max(scale, cutoff)
    return (scale if scale > 0 else 1.0), largest > scale


def color_values(values: npt.NDArray[Any], legend: Legend) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Colours and opacities of values.

    Parameters
    ----------
    values
        Any shape, signed, the map's unit.
    legend
        The scale and the cutoff. Below the cutoff c, opacity falls as (|v| / c) ** 2, as Taylor et al. 2023
        (doi:10.1016/j.neuroimage.2023.120138) propose: what is faint stays visible.

    Returns
    -------
    (..., 3) colours, and opacities 0 to 1 of the values' shape.

    Examples
    --------
    >>> legend = Legend(cutoff=4.0, tail="positive", unit="z", scale=8.0)
    >>> color_values(np.array([8.0, 2.0, 0.0, -4.0]), legend)[1].round(2)
    array([1.  , 0.25, 0.  , 0.35], dtype=float32)
    """
    ratio = np.clip(np.divide(values, legend.scale, dtype=np.float32), -1, 1)
    if legend.sequential:
        table, level = color_table("YlOrRd"), np.maximum(ratio, 0) * 255 + 0.5
    else:
        table, level = color_table("RdBu_r"), ratio * 127.5 + 128
    colors = table[np.clip(level, 0, 255).astype(np.uint8)]
    if not legend.faded:
        return colors, np.where(ratio != 0, np.float32(WHOLE), np.float32(0))
    reference = legend.cutoff / legend.scale if math.isfinite(legend.cutoff) else 1.0
    opacity = np.minimum(np.abs(ratio) / max(reference, 1e-6), 1) ** 2
    signs = TAILS[legend.tail].signs
    if len(signs) == 1:
        opacity = np.where(ratio * signs[0] < 0, opacity * WRONG_TAIL, opacity)
    return colors, opacity.astype(np.float32)


def color_levels(values: npt.NDArray[Any], legend: Legend) -> npt.NDArray[np.uint8]:
    """The number of each value's colour in the palette of a legend; 0 where the value is 0.

    >>> legend = Legend(cutoff=4.0, tail="bi", unit="z", scale=8.0)
    >>> color_levels(np.array([-9.0, 0.0, 0.001, 8.0]), legend)
    array([  1,   0, 128, 255], dtype=uint8)
    """
    ratio = np.clip(np.divide(values, legend.scale, dtype=np.float32), 0 if legend.sequential else -1, 1)
    levels = np.rint(ratio * (254 if legend.sequential else 127)).astype(np.int16) + (1 if legend.sequential else 128)
    return np.where(values == 0, 0, levels).astype(np.uint8)


def color_palette(legend: Legend) -> npt.NDArray[np.uint8]:
    """(256, 4) red, green, blue and opacity (0 to 255) of what `color_levels` tells."""
    level = np.arange(256, dtype=np.float32)
    ratio = (level - 1) / 254 if legend.sequential else (level - 128) / 127
    ratio[ratio == 0] = 1e-6  # a value so small is one all the same
    colors, opacity = color_values(ratio * np.float32(legend.scale), legend)
    opacity[0] = 0
    return np.concatenate([colors, np.rint(opacity * 255).astype(np.uint8)[:, None]], axis=1)


def on_grey(palette: npt.NDArray[np.uint8], grey: int) -> npt.NDArray[np.uint8]:
    """A palette whose colours lie on a grey level, so that nothing is seen through them; what has none stays so."""
    weight = palette[:, 3:].astype(np.int32)
    laid = grey + ((palette[:, :3].astype(np.int32) - grey) * weight + 127) // 255
    whole = np.full(len(palette), 255)
    whole[0] = 0
    return np.concatenate([laid, whole[:, None]], axis=1).astype(np.uint8)


def grey_levels(planes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Anatomy as grey levels, dark enough to be seen and light enough to stay behind the map; air becomes paper.

    >>> grey_levels(np.array([0.0, 1.0, 50.0, 100.0])).tolist()
    [255, 255, 144, 220]
    """
    finite = np.nan_to_num(planes.astype(np.float32), posinf=0, neginf=0)
    some = finite[finite > 0]
    top = max(float(np.percentile(some, 99.5)), 1e-30) if some.size else 1.0
    levels = np.minimum(finite, top) * np.float32(152 / top) + np.float32(68.5)
    levels[finite < AIR * top] = PAPER
    return levels.astype(np.uint8)
