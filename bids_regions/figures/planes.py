"""A map and its labels sampled at cuts, with the legend of its values: what every picture of slices is made from.

The report's pictures and those for papers are both drawn from here, so that they show the same voxels in the same
colours. This module draws nothing.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import Legend, full_scale
from bids_regions.figures.panels import FigureStyle
from bids_regions.figures.slices import Raster, make_raster, occupied, sample_nearest
from bids_regions.frozen import dataclass

__all__ = ["Planes", "lay_planes", "make_legend"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Planes:
    """What a picture of slices shows."""

    values: npt.NDArray[Any]  # (cuts, rows, columns), the map's unit, finite
    labels: npt.NDArray[Any]  # (cuts, rows, columns), integers: 0 or a region's number
    raster: Raster  # the points of rows and columns, in mm
    legend: Legend


def lay_planes(
    data: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    view: FigureStyle,
    *,
    faded: bool,
) -> Planes:
    """The planes of a map at the cuts of a view, without the empty rim; arrays as in `compose_map`.

    Raises
    ------
    ValueError
        Where the grids of map and labels differ, or there is no cut.
    """
    if data.ndim != 3 or data.shape != labels.shape:
        raise ValueError(f"a map of {data.shape} and labels of {labels.shape} are not on one 3-D grid")
    if not view.cuts:
        raise ValueError("a picture needs at least one cut")
    raster = make_raster(affine, data.shape, view.cuts, most=round(view.layout.tile * 1.5))
    planes = np.nan_to_num(sample_nearest(data, affine, raster), posinf=0, neginf=0)
    numbers = sample_nearest(labels, affine, raster)
    rows, columns = occupied((planes != 0) | (numbers != 0), raster)
    return Planes(
        values=planes[:, rows, columns],
        labels=numbers[:, rows, columns],
        raster=raster.box(rows, columns),
        legend=make_legend(planes, view, faded=faded),
    )


def make_legend(values: npt.NDArray[Any], view: FigureStyle, *, faded: bool) -> Legend:
    """How values become colours: on the scale of the view, else on their own.

    A map that is not faded, as nothing of it survived, has the scale of its values even where the cutoff lies beyond.
    """
    own = not faded and bool(np.any(values))
    scale, clipped = full_scale(values, math.inf if own else view.cutoff)
    if view.scale is not None:
        scale, clipped = view.scale, scale > view.scale
    return Legend(
        cutoff=view.cutoff, tail=view.tail, unit=view.unit, scale=scale, clipped=clipped, one_signed=view.sequential,
        faded=faded,
    )  # fmt: skip
