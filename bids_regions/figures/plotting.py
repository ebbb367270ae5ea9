"""Figures of matplotlib for papers and notebooks: slices, a glass brain, cortical sheets, each on axes of its own.

What is shown comes from where the report's pictures come from: the same planes, poses, colours, fading and outlines.
Here they are layers of matplotlib: an image of the anatomy, one of the values (whose colour map and limits can be
changed), lines around regions, texts. A figure stays its maker's: sizes, titles and colour bar can be changed. Nothing
of matplotlib is loaded before a figure is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.errors import Contradiction, MissingInput, OutputRefused
from bids_regions.figures.colors import COVERAGE, PAPER, Legend, color_values, grey_levels
from bids_regions.figures.mosaic import edge_runs
from bids_regions.figures.panels import NOTHING, FigureStyle
from bids_regions.figures.planes import Planes, lay_planes, make_legend
from bids_regions.figures.slices import (
    Mark,
    Raster,
    Underlay,
    choose_cuts,
    sample_nearest,
    voxel_sizes,
    world_bounds,
    world_steps,
)
from bids_regions.figures.surfaces import SIDES, Hemisphere, SheetMark, SheetView, view_sheets
from bids_regions.frozen import dataclass

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import FigureBase
    from matplotlib.image import AxesImage

__all__ = ["Axis", "Look", "MapScene", "Plot", "SheetScene", "plot_glass", "plot_sheets", "plot_slices"]

Axis = Literal["x", "y", "z"]
ORDER: Mapping[Axis, tuple[int, int, int]] = {"x": (1, 2, 0), "y": (0, 2, 1), "z": (0, 1, 2)}  # right, up, to the eye
ENDS: Mapping[Axis, tuple[str, str]] = {"x": ("P", "A"), "y": ("L", "R"), "z": ("L", "R")}
SHORT_UNIT = 2  # letters of a unit that stands upright over the colour bar
SHEET_PIXELS = 480  # across one view of a hemisphere
GLASS_GREY = 238
WIDTH = 7.2  # inches: two columns of most journals
MATERIAL: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "bids_regions"}  # letters stay letters
PROJECTED = 400  # points along an axis of a projection


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a figure has beside its values."""

    axis: Axis = "z"  # along which slices are cut
    outlines: bool = True
    numbers: bool = True
    colorbar: bool = True
    title: str = ""
    width: float = WIDTH  # inches
    figure: Any = None  # a Figure or SubFigure to draw into; None: a new one of pyplot's


DEFAULT = Look()


@dataclass(frozen=True, kw_only=True, eq=False)
class MapScene:
    """A map in voxels with its regions; arguments as of `compose_map`."""

    data: npt.NDArray[Any]  # (i, j, k), the map's unit, 0 where there is no data
    labels: npt.NDArray[Any]  # (i, j, k), 0 or a region's number
    affine: npt.NDArray[np.float64]  # (4, 4), voxel -> mm, RAS+
    marks: Sequence[Mark]
    view: FigureStyle
    background: Underlay | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetScene:
    """A map on hemispheres with its regions; arguments as of `compose_surfaces`."""

    hemispheres: Sequence[Hemisphere]
    marks: Sequence[SheetMark]
    view: FigureStyle
    n_below: int = 0  # regions of voxels below the cortex, which are not drawn


@dataclass(frozen=True, kw_only=True, repr=False)
class Plot:
    """A figure and its axes; it can be taken apart as those of `plt.subplots()`: `figure, axes = plot`."""

    figure: "FigureBase"
    axes: "tuple[Axes, ...]"  # of the pictures, in their order
    bar: "Colorbar | None"

    def __iter__(self) -> "Iterator[FigureBase | tuple[Axes, ...]]":
        yield self.figure
        yield self.axes

    def __repr__(self) -> str:
        n = len(self.axes)
        return f"<Plot of {n} picture{'' if n == 1 else 's'}: figure, axes = plot; plot.savefig('name.pdf')>"

    def __getattr__(self, name: str) -> Any:
        """What else a figure has: `set_size_inches`, `suptitle`, `text`, ..."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.figure, name)

    def savefig(self, path: Any, **options: Any) -> None:
        """Save the figure: PDF, SVG or PNG by the ending of `path`, 300 dpi; the same figure gives the same bytes.

        Raises
        ------
        Contradiction
            matplotlib has no such ending or option.
        OutputRefused
            The file cannot be written.
        """
        import matplotlib as mpl  # noqa: PLC0415 # only pictures need it

        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
        ending = str(options.get("format") or Path(str(path)).suffix[1:]).lower()
        options = {"dpi": 300, "metadata": dates.get(ending), "bbox_inches": "tight", **options}
        figure: Any = self.figure.figure  # the whole one, of a part of a figure
        try:
            with mpl.rc_context(MATERIAL):
                figure.savefig(path, **options)
        except (TypeError, ValueError) as error:
            raise Contradiction(f"{path}: {error}", hint="Give a name that ends in .pdf, .svg or .png") from error
        except OSError as error:
            raise OutputRefused(f"{path} cannot be written: {error.strerror}", hint="Give another place") from error


def plot_slices(scene: MapScene, look: Look = DEFAULT, columns: int | None = None) -> Plot:
    """Slices of a map along one axis, each on its own axes in mm.

    The cuts of the scene's view are along `look.axis`; where there are none as many as its layout has columns are
    chosen as the report does. `columns` is how many stand side by side.
    """
    data, labels, view = scene.data, scene.labels, scene.view
    turn = _turn(look.axis)
    turned = itemgetter(*ORDER[look.axis])
    affine = turn @ scene.affine
    marks = [replace(mark, peak_xyz=turned(mark.peak_xyz)) for mark in scene.marks]
    own = scene.background
    background = own and Underlay(data=own.data, affine=turn @ own.affine)
    cuts = view.cuts or choose_cuts([marks], data, affine, n=view.layout.columns)
    planes = lay_planes(data, labels, affine, replace(view, cuts=cuts), faded=bool(marks))
    raster = planes.raster
    reach = raster.x.size * raster.step[0], raster.y.size * raster.step[1]
    canvas = _open(look, len(cuts), columns or view.layout.columns, reach[1] / reach[0], _heading(look, len(marks)))
    below = _anatomy(background, raster) if background else np.where(planes.values != 0, COVERAGE, PAPER)
    for k, (axes, cut) in enumerate(zip(canvas.axes, raster.z, strict=True)):
        layers = _Layers(values=planes.values[k], labels=planes.labels[k], below=below[k], extent=_extent(raster))
        canvas.images.append(_draw(axes, layers, planes.legend, marks if look.outlines else ()))
        axes.set_title(f"{look.axis} = {cut:.4g} mm", fontsize="small")
        _name_ends(axes, look.axis)
    if look.numbers:
        _number_slices(canvas.axes, planes, marks)
    return canvas.close(planes.legend)


def plot_glass(scene: MapScene, look: Look = DEFAULT) -> Plot:
    """The regions of a map seen through the brain along x, y and z: at each point the value of largest magnitude.

    Grey is where the map has data. Without regions the whole map is projected.
    """
    data, marks, view = scene.data, scene.marks, scene.view
    shown = np.where(scene.labels > 0, data, 0) if marks else data
    projected = [_project(shown, data, scene.affine, axis) for axis in ("x", "y", "z")]
    legend = replace(make_legend(np.nan_to_num(data, posinf=0, neginf=0), view, faded=bool(marks)), faded=False)
    wide, tall = (np.ptp([_extent(each[3])[k : k + 2] for each in projected], axis=1) for k in (0, 2))
    canvas = _open(look, 3, 3, 1.08 * float(tall.max() / wide.mean()), _heading(look, len(marks)))
    canvas.share(wide)
    for axes, (axis, values, covered, raster) in zip(canvas.axes, projected, strict=True):
        below = np.where(covered, GLASS_GREY, PAPER)
        layers = _Layers(values=values, labels=np.zeros(values.shape, int), below=below, extent=_extent(raster))
        canvas.images.append(_draw(axes, layers, legend, ()))
        if min(covered.shape) > 1:
            axes.contour(raster.x, raster.y, covered, levels=[0.5], colors="0.45", linewidths=0.8)
        axes.set_title({"x": "from the right", "y": "from behind", "z": "from above"}[axis], fontsize="small")
        _name_ends(axes, axis)
        for mark in marks if look.numbers else ():
            right, up = (mark.peak_xyz[k] for k in ORDER[axis][:2])
            _write_number(axes, right, up, mark.index)
    return canvas.close(legend)


def plot_sheets(scene: SheetScene, look: Look = DEFAULT) -> Plot:
    """A map on its hemispheres from outside and inside, each view on its own axes, in pixels of the picture."""
    hemispheres, marks, view = scene.hemispheres, scene.marks, scene.view
    every = np.concatenate([np.nan_to_num(each.values, posinf=0, neginf=0) for each in hemispheres])
    found = len(marks) + scene.n_below
    legend = make_legend(every, view, faded=found > 0)
    views = view_sheets(hemispheres, SHEET_PIXELS)
    tall = max(each.grey.shape[0] for each in views) / SHEET_PIXELS
    canvas = _open(look, len(views), 4 if view.layout.columns > 4 else 2, tall, _heading(look, found))
    for axes, each in zip(canvas.axes, views, strict=True):
        layers = _sheet_layers(each)
        canvas.images.append(_draw(axes, layers, legend, marks if look.outlines else ()))
        axes.set_title(f"{SIDES[each.hemisphere.side]} {each.pose}", fontsize="small")
    for mark in marks if look.numbers else ():
        _number_sheet(canvas.axes, views, mark)
    return canvas.close(legend)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layers:
    """What lies over each other on one pair of axes; all (rows, columns)."""

    values: npt.NDArray[Any]  # the map's unit
    labels: npt.NDArray[Any]  # 0 or a region's number
    below: npt.NDArray[Any]  # grey levels, perhaps finer
    extent: tuple[float, float, float, float]  # left, right, bottom, top


@dataclass(frozen=True, kw_only=True)
class _Canvas:
    """A figure that is being drawn."""

    figure: Any
    axes: "list[Axes]"
    images: "list[AxesImage]"
    colorbar: bool

    def share(self, widths: npt.NDArray[Any]) -> None:
        """Give each pair of axes of one row its part of the width, so that a mm is as long on all of them."""
        self.axes[0].get_gridspec().set_width_ratios(widths.tolist())  # type: ignore[union-attr]
        for axes in self.axes:
            axes.set_anchor("N")  # titles on one line

    def close(self, legend: Legend) -> Plot:
        """The figure with its colour bar."""
        bar = None
        if self.colorbar:
            both = legend.clipped and not legend.sequential
            extend = "both" if both else "max" if legend.clipped else "neither"
            bar = self.figure.colorbar(
                self.images[-1], ax=self.axes, shrink=0.8, pad=0.02, aspect=25, extend=extend, panchor=False
            )  # which leaves the axes where they are anchored
            bar.solids.set_alpha(1)
            unit = "" if legend.unit == "unknown" else legend.unit
            if len(unit) <= SHORT_UNIT:
                bar.ax.set_title(unit, fontsize="small")  # z on its side would be read as N
            else:
                bar.set_label(unit)
            for cutoff in legend.cutoffs:
                bar.ax.axhline(cutoff, color="black", linewidth=1.2)
        return Plot(figure=self.figure, axes=tuple(self.axes), bar=bar)


def _open(look: Look, n: int, columns: int, aspect: float, heading: str) -> _Canvas:
    """A figure with `n` pairs of axes without ticks, each `aspect` times as high as wide."""
    columns = min(n, columns)
    rows = -(-n // columns)
    figure = look.figure
    if figure is None:
        height = look.width / (columns + 0.5 * look.colorbar) * aspect * rows + 0.25 * rows + 0.35 * bool(heading)
        figure = _pyplot().figure(figsize=(look.width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in grid[n:]:
        spare.remove()
    for axes in grid[:n]:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    if heading:
        figure.suptitle(heading, fontsize="medium")
    return _Canvas(figure=figure, axes=grid[:n], images=[], colorbar=look.colorbar)


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415 # only pictures need it
    except ImportError as error:
        raise MissingInput(
            "matplotlib, which draws figures, is not installed", hint="pip install matplotlib"
        ) from error
    return plt


def _heading(look: Look, n_regions: int) -> str:
    lost = "" if n_regions else f"{NOTHING}: the map is shown without a threshold"
    return "\n".join(filter(None, (look.title, lost)))


def _draw(axes: "Axes", layers: _Layers, legend: Legend, outlined: Sequence[Mark] | Sequence[SheetMark]) -> "AxesImage":
    """Anatomy, values over it, lines around regions; the image of the values."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 # only pictures need it

    _, opacity = color_values(layers.values, legend)
    axes.imshow(layers.below, cmap="gray", vmin=0, vmax=255, extent=layers.extent, interpolation="bilinear")
    low = 0.0 if legend.sequential else -legend.scale
    image = axes.imshow(
        layers.values, cmap="YlOrRd" if legend.sequential else "RdBu_r", vmin=low, vmax=legend.scale,
        alpha=np.asarray(opacity, np.float64), extent=layers.extent, interpolation="nearest",
    )  # fmt: skip
    lines = _outlines(layers)
    for mark in outlined:
        if mark.index in lines:
            axes.add_collection(LineCollection(lines[mark.index], colors="0.15", linewidths=1.6), autolim=False)
            axes.add_collection(LineCollection(lines[mark.index], colors=mark.color, linewidths=0.8), autolim=False)
    return image


def _outlines(layers: _Layers) -> dict[int, list[tuple[tuple[float, float], tuple[float, float]]]]:
    """The lines along the edges of each region, in the units of the axes."""
    framed = np.pad(layers.labels, 1)
    rows, columns = layers.labels.shape
    left, right, bottom, top = layers.extent
    across, down = (right - left) / columns, (bottom - top) / rows
    found: dict[int, list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    for label, runs in edge_runs(framed[:, 1:-1]).items():
        found[label] = [
            ((left + x * across, top + y * down), (left + (x + n) * across, top + y * down)) for y, x, n in runs
        ]
    for label, runs in edge_runs(framed.T[:, 1:-1]).items():
        found.setdefault(label, []).extend(
            ((left + x * across, top + y * down), (left + x * across, top + (y + n) * down)) for x, y, n in runs
        )
    return found


def _extent(raster: Raster) -> tuple[float, float, float, float]:
    """The edges of a raster in mm: left, right, bottom, top."""
    half_x, half_y = raster.step[0] / 2, raster.step[1] / 2
    return (
        float(raster.x[0] - half_x), float(raster.x[-1] + half_x),
        float(raster.y[-1] - half_y), float(raster.y[0] + half_y),
    )  # fmt: skip


def _anatomy(background: Underlay, raster: Raster) -> npt.NDArray[np.uint8]:
    """Grey levels of the background in the frame of a raster, at its own resolution."""
    finest = float(voxel_sizes(background.affine).min())
    left, right, bottom, top = _extent(raster)
    n_x, n_y = max(1, round((right - left) / finest)), max(1, round((top - bottom) / finest))
    step = (right - left) / n_x, (top - bottom) / n_y
    x = left + step[0] * (np.arange(n_x, dtype=np.float64) + 0.5)
    y = top - step[1] * (np.arange(n_y, dtype=np.float64) + 0.5)
    own = Raster(x=x, y=y, z=raster.z, step=step)
    return grey_levels(sample_nearest(background.data, background.affine, own))


def _turn(axis: Axis) -> npt.NDArray[np.float64]:
    """What makes the world's axes those of a picture that is cut along `axis`: right, up, towards the eye."""
    turn = np.zeros((4, 4))
    turn[[0, 1, 2, 3], [*ORDER[axis], 3]] = 1
    return turn


def _name_ends(axes: "Axes", axis: Axis) -> None:
    for where, words in zip((0.0, 1.0), ENDS[axis], strict=True):
        side = "left" if where == 0 else "right"
        axes.text(where, 0.0, words, transform=axes.transAxes, ha=side, va="bottom", fontsize="x-small", color="0.3")


def _number_slices(all_axes: "Sequence[Axes]", planes: Planes, marks: Sequence[Mark]) -> None:
    """The number of each region once, on the slice that shows most of it, at its peak where that is there."""
    raster = planes.raster
    for mark in marks:
        inside = planes.labels == mark.index
        most = inside.sum(axis=(1, 2))
        cut = int(np.argmax(most))
        if not most[cut]:
            continue
        rows, columns = np.nonzero(inside[cut])
        away = np.abs(raster.x[columns] - mark.peak_xyz[0]) + np.abs(raster.y[rows] - mark.peak_xyz[1])
        at = int(np.argmin(away))
        _write_number(all_axes[cut], float(raster.x[columns[at]]), float(raster.y[rows[at]]), mark.index)


def _number_sheet(all_axes: "Sequence[Axes]", views: Sequence[SheetView], mark: SheetMark) -> None:
    """The number of a region once, in the view that shows most of it: at its peak where that is seen."""
    seen = [np.where(v.vertex >= 0, np.asarray(v.hemisphere.labels)[v.vertex], 0) == mark.index for v in views]
    best = int(np.argmax([inside.sum() for inside in seen]))
    rows, columns = np.nonzero(seen[best] & (views[best].vertex == mark.vertex))
    if not rows.size:
        rows, columns = np.nonzero(seen[best])
    if rows.size:
        middle = int(np.argmin(np.abs(rows - rows.mean()) + np.abs(columns - columns.mean())))
        _write_number(all_axes[best], float(columns[middle]), float(rows[middle]), mark.index)


def _write_number(axes: "Axes", x: float, y: float, number: int) -> None:
    from matplotlib import patheffects  # noqa: PLC0415 # only pictures need it

    halo = [patheffects.withStroke(linewidth=2, foreground="white")]
    axes.text(x, y, str(number), ha="center", va="center", fontsize="small", fontweight="bold", path_effects=halo)


def _project(
    shown: npt.NDArray[Any], data: npt.NDArray[Any], affine: npt.NDArray[np.float64], axis: Axis
) -> tuple[Axis, npt.NDArray[Any], npt.NDArray[np.bool_], Raster]:
    """The value of largest magnitude along an axis, where the map has data along it, and the points of both."""
    turned = _turn(axis) @ affine
    low, high = world_bounds(turned, data.shape)
    steps = world_steps(turned)
    counts = [min(PROJECTED, round((high[k] - low[k]) / steps[k]) + 1) for k in range(3)]
    x, y, z = (low[k] + np.arange(counts[k]) * ((high[k] - low[k]) / max(counts[k] - 1, 1)) for k in range(3))
    step = tuple(float((high[k] - low[k]) / max(counts[k] - 1, 1)) or float(steps[k]) for k in (0, 1))
    raster = Raster(x=x, y=y[::-1], z=z, step=(step[0], step[1]))
    planes = np.nan_to_num(sample_nearest(shown, turned, raster), posinf=0, neginf=0)
    largest = np.abs(planes).argmax(axis=0)
    values = np.take_along_axis(planes, largest[None], axis=0)[0]
    covered = np.asarray(sample_nearest(data != 0, turned, raster).any(axis=0))
    return axis, values, covered, raster


def _sheet_layers(view: SheetView) -> _Layers:
    seen = view.vertex >= 0
    at = np.where(seen, view.vertex, 0)
    values = np.nan_to_num(np.asarray(view.hemisphere.values, np.float32), posinf=0, neginf=0)
    rows, columns = view.vertex.shape
    return _Layers(
        values=np.where(seen, values[at], 0),
        labels=np.where(seen, np.asarray(view.hemisphere.labels)[at], 0),
        below=view.grey,
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
    )
