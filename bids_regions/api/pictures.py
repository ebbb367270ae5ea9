"""Pictures of regions: figures of matplotlib to change and to save, and the report's own picture for a notebook.

What is drawn is a *shown*: a map's values as pictures have them, its labels, and what both lie on. It is made from
regions just found or from an output folder, so that both have the same pictures.
"""

import base64
import math
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.api.words import in_python
from bids_regions.errors import BadMap, Contradiction, Fault, MissingInput
from bids_regions.extraction.criteria import is_number
from bids_regions.extraction.probabilities import as_shown
from bids_regions.extraction.statistics import Statistic
from bids_regions.extraction.tails import Tail
from bids_regions.figures import (
    Drawing,
    FigureStyle,
    Hemisphere,
    Mark,
    PanelLayout,
    Sheet,
    SheetMark,
    Underlay,
    choose_cuts,
    compose_map,
    compose_surfaces,
    encode,
)
from bids_regions.figures.plotting import Axis, Look, MapScene, Plot, SheetScene, plot_glass, plot_sheets, plot_slices
from bids_regions.files import hash_bytes
from bids_regions.frozen import dataclass
from bids_regions.images import is_image, load_statmap, volume_of
from bids_regions.images.structures import HEMISPHERES
from bids_regions.meshes import find_template as find_mesh
from bids_regions.meshes import load_inflated, load_triangles
from bids_regions.pages.backgrounds import find_template
from bids_regions.space import Mesh

__all__ = ["Piece", "Shown", "plot_regions", "show_image"]

Array = NDArray[Any]
Kind = Literal["slices", "glass", "surfaces"]
KINDS: tuple[Kind, ...] = ("slices", "glass", "surfaces")
N_CUTS = 7
SIDES = ("L", "R")
CARRIED = ("fsLR", "fsaverage")  # families of meshes that there are sheets of
NO_SHEET = "Give find_regions the meshes by surfaces=, or draw the labels with nilearn"


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """What a map has on one sheet."""

    structure: str  # CORTEX_LEFT, ...
    n_vertices: int  # of the mesh
    rows: slice  # of the map's numbers
    vertices: Array | None  # of these numbers; None: all in their order
    mesh: Mesh | None = None

    def spread(self, numbers: Array) -> Array:
        """Numbers of the map for every vertex of the mesh; 0 where there are none."""
        own = numbers[self.rows]
        if self.vertices is None:
            return own
        whole = np.zeros(self.n_vertices, own.dtype)
        whole[self.vertices] = own
        return whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A map with its regions as pictures have them."""

    data: Array  # the map's unit, infinities in their places
    labels: Array
    statistic: Statistic
    cutoff: float  # magnitude, in the map's unit
    tail: Tail
    space: str  # "" where it is not known
    affine: NDArray[np.float64] | None = None  # of voxels
    pieces: tuple[Piece, ...] = ()  # of a map on surfaces
    marks: tuple[Mark, ...] = ()
    sheet_marks: tuple[SheetMark, ...] = ()

    @property
    def values(self) -> Array:
        """Finite, of p maps -log10 p."""
        shown = as_shown(self.data, math.inf, self.statistic)[0]
        finite = np.isfinite(shown)
        if finite.all():
            return shown
        top = np.abs(shown[finite]).max(initial=0) or 1
        return np.nan_to_num(shown, nan=0, posinf=top, neginf=-top)

    @property
    def n_below(self) -> int:
        """How many regions a map on surfaces has in voxels below the cortex, which no sheet shows."""
        return int(np.max(self.labels, initial=0)) - len(self.sheet_marks)

    def style(self, *, cuts: Sequence[float] = (), columns: int = N_CUTS, scale: float | None = None) -> FigureStyle:
        """How the map is looked at."""
        rule = self.statistic.rule
        return FigureStyle(
            cuts=tuple(float(cut) for cut in cuts),
            cutoff=as_shown(np.zeros(1), self.cutoff, self.statistic)[1],
            tail=self.tail,
            unit="-log10 p" if rule.is_p else "" if self.statistic.kind == "unknown" else self.statistic.kind,
            sequential=rule.sequential or (rule.is_p and self.tail == "positive"),
            scale=scale,
            layout=PanelLayout(columns=columns),
        )

    def hemispheres(self) -> list[Hemisphere]:
        """The sheets of the map with their values.

        Raises
        ------
        BadMap
            There is none, or nothing to draw one on.
        """
        values, found = self.values, []
        for piece in self.pieces:
            side = HEMISPHERES.get(piece.structure, "")
            if side not in SIDES:
                continue
            sheet = _sheet(piece, side, self.space)
            found.append(
                Hemisphere(side=side, sheet=sheet, values=piece.spread(values), labels=piece.spread(self.labels))  # type: ignore[arg-type]
            )
        if not found:
            raise BadMap("the map has no hemisphere of the cortex that could be drawn", hint="Draw slices of it")
        return sorted(found, key=lambda each: each.side)


@in_python
def plot_regions(  # noqa: PLR0913 # independent choices of one picture
    found: Any,
    kind: Kind | None = None,
    *,
    axis: Axis = "z",
    cuts: int | Sequence[float] = N_CUTS,
    columns: int = N_CUTS,
    background: Any = "auto",
    title: str = "",
    outlines: bool = True,
    numbers: bool = True,
    colorbar: bool = True,
    scale: float | None = None,
    width: float = 7.2,
    figure: Any = None,
) -> Plot:
    """A map with its regions as a figure of matplotlib.

    Parameters
    ----------
    found
        What `find_regions` found, or one result of `read_results`.
    kind
        "slices", "glass" (the regions seen through the brain along x, y and z) or "surfaces"; by itself what the map
        lies on.
    axis
        Along which slices are cut: "x", "y" or "z".
    cuts
        How many slices, chosen as the report chooses them (through the peaks first), or where: mm, RAS+.
    columns
        Pictures side by side.
    background
        Under slices: "auto" for TemplateFlow's or the carried template where the map's space is known, None for where
        the map has data, or an image or a path.
    title, outlines, numbers, colorbar
        What stands over and beside the values.
    scale
        The magnitude at the ends of the colour bar; by itself the map's own.
    width
        Of a new figure, in inches.
    figure
        A Figure or SubFigure of matplotlib to draw into, in place of a new one.

    Returns
    -------
    Plot
        `figure, axes = plot_regions(found)`; everything on them can be changed, and `plot.savefig("name.pdf")` saves
        PDF, SVG or PNG.

    Raises
    ------
    Contradiction
        A kind or axis that there is not, or that the map has not.
    """
    shown = _shown(found)
    kind = kind or ("slices" if shown.affine is not None else "surfaces")
    _refuse((("kind", kind, KINDS), ("axis", axis, ("x", "y", "z"))), cuts)
    _refuse_numbers({"columns": columns, "scale": scale, "width": width}, title, figure)
    look = Look(
        axis=axis, outlines=outlines, numbers=numbers, colorbar=colorbar, title=title, width=float(width), figure=figure
    )
    if kind == "surfaces":
        return plot_sheets(_scene_on_sheets(shown, columns=columns, scale=scale), look)
    chosen, n = ((), int(cuts)) if isinstance(cuts, Integral) else (tuple(cuts), int(columns))  # type: ignore[arg-type]
    style = shown.style(cuts=chosen, columns=n, scale=scale)
    if kind == "glass":
        return plot_glass(_scene_in_voxels(shown, style, None), look)
    return plot_slices(_scene_in_voxels(shown, style, background), look, int(columns))


def _scene_on_sheets(shown: Shown, *, columns: int, scale: float | None) -> SheetScene:
    if not shown.pieces:
        raise Contradiction("the map lies in voxels and not on surfaces", hint='Ask for kind="slices" or "glass"')
    style = shown.style(columns=columns, scale=scale)
    return SheetScene(hemispheres=shown.hemispheres(), marks=shown.sheet_marks, view=style, n_below=shown.n_below)


def _scene_in_voxels(shown: Shown, style: FigureStyle, background: Any) -> MapScene:
    if shown.affine is None:
        raise Contradiction("the map lies on surfaces and has no slices", hint='Ask for kind="surfaces"')
    return MapScene(
        data=shown.values, labels=shown.labels, affine=shown.affine, marks=shown.marks, view=style,
        background=_background(background, shown),
    )  # fmt: skip


def _shown(found: Any) -> Shown:
    shown = getattr(found, "shown", None)
    if not isinstance(shown, Shown):
        raise Contradiction(
            f"a {type(found).__name__} is nothing that was found", hint="Give what find_regions or read_results gives"
        )
    return shown


def _refuse(words: Sequence[tuple[str, object, Sequence[str]]], cuts: Any) -> None:
    for name, word, known in words:
        if word not in known:
            raise Contradiction(f"{name} = {word!r} is none of {', '.join(known)}", hint=f"Use one of them as {name}")
    if isinstance(cuts, Integral):
        if cuts < 1 or not is_number(cuts):
            raise Contradiction(f"cuts = {cuts} are no slices", hint="Give a number above 0, or places in mm")
        return
    try:
        places = [float(cut) if is_number(cut) else math.nan for cut in cuts]
    except TypeError:
        places = []
    if not places or not all(map(math.isfinite, places)):
        raise Contradiction(f"cuts = {cuts!r} are no places in mm", hint="Give a number of slices, or places in mm")


def _refuse_numbers(numbers: Mapping[str, Any], title: Any, figure: Any) -> None:
    for name, value in numbers.items():
        if not (is_number(value) and 0 < float(value) < math.inf) and not (name == "scale" and value is None):
            raise Contradiction(f"{name} = {value!r} is no number above 0", hint=f"Give such a number as {name}")
    if not isinstance(title, str):
        raise Contradiction(f"title is a {type(title).__name__}", hint="Give a text as title")
    if figure is not None and not hasattr(figure, "subplots"):
        raise Contradiction(
            f"figure is a {type(figure).__name__}", hint="Give a Figure or SubFigure of matplotlib, or leave it out"
        )


def _background(asked: Any, shown: Shown) -> Underlay | None:
    if asked is None or (isinstance(asked, str) and asked == "none"):
        return None
    if is_image(asked):
        image = volume_of(asked)
        return Underlay(data=np.nan_to_num(image.data), affine=image.grid.affine)
    if isinstance(asked, str) and asked == "auto":
        path = find_template(shown.space or None)
        return _underlay(path, path.stat().st_mtime_ns) if path else None
    if not isinstance(asked, str | os.PathLike):
        raise Contradiction(f"background is a {type(asked).__name__}", hint='Give "auto", None, an image or a path')
    path = Path(asked).expanduser()
    if not path.is_file():
        raise MissingInput(f"the background {path} is not there", hint="Check the path")
    return _underlay(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _underlay(path: Path, _mtime: int) -> Underlay:
    image = load_statmap(path)
    return Underlay(data=image.data, affine=image.affine)


def _sheet(piece: Piece, side: str, space: str) -> Sheet:
    """What a hemisphere is drawn on: the inflated sheet of its template, else the mesh itself."""
    for family in (space, *CARRIED):
        inflated = load_inflated(family, piece.n_vertices, side) if _is_of(family, piece, side) else None
        if inflated:
            key = f"{find_mesh(family, piece.n_vertices)}-{piece.n_vertices}-{side}"
            return Sheet(fingerprint=key, xyz=inflated.xyz, triangles=inflated.triangles, folding=inflated.folding)
    if piece.mesh is None or piece.mesh.coordinates is None:
        raise BadMap(f"no sheet is known to draw {piece.n_vertices} vertices on", hint=NO_SHEET)
    xyz, triangles = piece.mesh.coordinates, piece.mesh.triangles
    # by what the mesh is, not where it lies in memory: another one may come to lie there
    places, corners = np.ascontiguousarray(xyz, np.float64), np.ascontiguousarray(triangles, np.int64)
    fingerprint = hash_bytes(str(places.shape).encode(), places.tobytes(), corners.tobytes())
    return Sheet(fingerprint=fingerprint, xyz=xyz, triangles=triangles)


def _is_of(family: str, piece: Piece, side: str) -> bool:
    """Whether a mesh is the template's: it has its triangles, however they are written; an unknown one its number."""
    if not find_mesh(family, piece.n_vertices):
        return False
    if piece.mesh is None:
        return True
    theirs = load_triangles(family, piece.n_vertices, side)
    return theirs is not None and np.array_equal(_written_once(piece.mesh.triangles), _written_once(theirs))


def _written_once(triangles: Array) -> Array:
    corners = np.sort(np.asarray(triangles), axis=1)
    return corners[np.lexsort(corners.T[::-1])]


def show_image(found: Any) -> str:
    """The report's picture of what was found as HTML with its words; where there can be none, a sentence that says why.

    The table of a notebook stands beside it, and is worth having when the map or a library is gone.
    """
    try:
        shown = found.shown
        picture = encode(_drawn(shown), "webp")
    except Fault as fault:
        return f"<p>No picture: {escape(str(fault))}</p>"
    data = base64.b64encode(picture.data).decode("ascii")
    n = 0 if shown.affine is not None else shown.n_below
    below = f"<p>Not in the picture: {n} region{'s' * (n > 1)} in voxels below the cortex.</p>" if n else ""
    return f'<img src="data:{picture.mime};base64,{data}" alt="{picture.alt}" style="max-width: 100%">{below}'


def _drawn(shown: Shown) -> Drawing:
    if shown.affine is None:
        return compose_surfaces(shown.hemispheres(), shown.sheet_marks, shown.style(), n_below=shown.n_below)
    cuts = choose_cuts([shown.marks], shown.values, shown.affine, n=N_CUTS)
    background = _background("auto", shown)
    return compose_map(shown.values, shown.labels, shown.affine, shown.marks, shown.style(cuts=cuts), background)
