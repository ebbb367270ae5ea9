"""A map and its regions as a picture: axial slices in mm, left is left, on a white card of their own.

Every picture is an opaque white card, so that its colours mean the same on a light page, on a dark page and on paper.
Arrays go in, bytes come out; this room knows no file and no dataset. It is the one home of matplotlib, whose colours
and letter widths it carries as tables, and of Pillow, which matplotlib brings: a report's pictures need neither.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import COVERAGE
from bids_regions.figures.drawing import Drawing, Kind, Picture, encode
from bids_regions.figures.glass import Inside, Shadow, cast_shadow, compose_glass, compose_histogram
from bids_regions.figures.lettering import spoken_number
from bids_regions.figures.mosaic import PanelLayout, set_tiles
from bids_regions.figures.panels import NOTHING, FigureStyle, frame
from bids_regions.figures.planes import lay_planes
from bids_regions.figures.slices import Mark, Underlay, choose_cuts
from bids_regions.figures.surfaces import Hemisphere, Sheet, SheetMark, compose_surfaces, stack_drawings
from bids_regions.frozen import dataclass

__all__ = [
    "Drawing",
    "FigureStyle",
    "Hemisphere",
    "Inside",
    "Kind",
    "Mark",
    "PanelLayout",
    "Picture",
    "Prevalence",
    "Shadow",
    "Sheet",
    "SheetMark",
    "Underlay",
    "alt_text",
    "cast_shadow",
    "choose_cuts",
    "compose_glass",
    "compose_histogram",
    "compose_map",
    "compose_prevalence",
    "compose_surfaces",
    "draw_thumbnail",
    "encode",
    "stack_drawings",
]

THUMBNAIL = PanelLayout(columns=5, tile=136, font=18, annotated=False)


def alt_text(marks: Sequence[Mark]) -> str:
    """The result in one sentence.

    >>> one = Mark(index=1, color="#ff0000", n_voxels=2520, peak_value=7.941, peak_xyz=(39.0, -22.0, 58.0))
    >>> two = Mark(index=2, color="#00ff00", n_voxels=404, peak_value=-5.1, peak_xyz=(-36.0, -25.0, 60.5))
    >>> alt_text([one, two])
    '2 regions; largest 2520 voxels, peak 7.94 at 39, -22, 58'
    >>> alt_text([two])
    '1 region; 404 voxels, peak -5.1 at -36, -25, 60.5'
    >>> alt_text([])
    'No region survived'
    """
    if not marks:
        return NOTHING
    largest = min(marks, key=lambda mark: (-mark.n_voxels, mark.index))
    xyz = ", ".join(spoken_number(round(v, 1), 1) for v in largest.peak_xyz)
    counted = f"{len(marks)} regions; largest" if len(marks) > 1 else "1 region;"
    voxels = "voxel" if largest.n_voxels == 1 else "voxels"
    return f"{counted} {largest.n_voxels} {voxels}, peak {spoken_number(largest.peak_value)} at {xyz}"


def compose_map(
    data: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    marks: Sequence[Mark],
    view: FigureStyle,
    background: Underlay | None = None,
) -> Drawing:
    """A map with its regions as a drawing, to be encoded once or several times.

    Parameters
    ----------
    data
        (i, j, k), the map's unit, finite, 0 where there is no data; any memory order.
    labels
        (i, j, k), integers on the same grid: 0 or a region's number.
    affine
        (4, 4), voxel -> mm, RAS+; may be oblique.
    marks
        The regions. None: the whole map is shown without fading, and the picture says that no region survived.
    view
        Cuts, cutoff and layout.
    background
        Anatomy on a grid of its own; None draws where the map has data.

    Returns
    -------
    The drawing: left is left on every slice, L and R say so.

    Raises
    ------
    ValueError
        Where the grids of map and labels differ, or there is no cut.
    """
    laid = lay_planes(data, labels, affine, view, faded=bool(marks))
    mosaic = set_tiles((laid.values, laid.labels), laid.raster, laid.legend, view.layout, background)
    framed = frame(mosaic, marks, laid.legend, view, COVERAGE if background is None else 140)
    return Drawing(
        layers=framed.layers,
        labels=framed.labels,
        colors={mark.index: mark.color for mark in marks},
        letters=framed.letters,
        alt=alt_text(marks),
    )


def draw_thumbnail(
    data: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    marks: Sequence[Mark],
    view: FigureStyle,
) -> Picture:
    """A map in one row of small slices without numbers and colour bar, a few kB, to be shown at half its size."""
    return encode(compose_map(data, labels, affine, marks, replace(view, title="", layout=THUMBNAIL)), "webp")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prevalence:
    """In how many participants a voxel lies in a region; all three on one grid of (i, j, k)."""

    positive: npt.NDArray[Any]  # fraction of those who have data there, 0 to 1
    negative: npt.NDArray[Any]  # as positive
    coverage: npt.NDArray[Any]  # fraction of all participants who have data there, 0 to 1


def compose_prevalence(
    prevalence: Prevalence,
    labels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    marks: Sequence[Mark],
    view: FigureStyle,
    background: Underlay | None = None,
) -> Drawing:
    """The prevalence of both signs with the consensus regions, as a drawing to be encoded.

    Where both signs occur in a voxel the more frequent one is shown, a tie as positive, as in the consensus. Positive
    is red, negative is blue; the colour bar counts per cent from the middle both ways. Without anatomy the grey below
    is the coverage: the darker, the fewer participants have data there.
    """
    signed = np.where(prevalence.positive >= prevalence.negative, prevalence.positive, -prevalence.negative)
    shown = replace(view, cutoff=100 * view.cutoff, tail="bi", unit="%", scale=100.0)
    if background is None:
        lighter = np.where(prevalence.coverage > 0, 0.5 + 0.5 * prevalence.coverage, 0.0)
        background = Underlay(data=lighter, affine=affine)
    return compose_map(100 * signed, labels, affine, marks, shown, background)
