"""A map on surfaces as its part of the page: the cortex in four views, a viewer of it, and slices of what lies below.

A *row* is the map as the viewer has it: the values of every vertex of the left sheet, then of the right one, 0 where
the map has none. What a CIFTI map has in voxels is a second, small volume, with a view of its own. A map on a mesh for
which no sheet is carried has sentence and table alone, and the page says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset import MapFile
from bids_regions.errors import BadDataset
from bids_regions.extraction.probabilities import as_shown
from bids_regions.extraction.statistics import Statistic
from bids_regions.figures import (
    Drawing,
    FigureStyle,
    Hemisphere,
    PanelLayout,
    Sheet,
    choose_cuts,
    compose_map,
    compose_surfaces,
    encode,
    stack_drawings,
)
from bids_regions.figures.colors import full_scale
from bids_regions.files import hash_bytes, read_text, write_bytes
from bids_regions.frozen import dataclass
from bids_regions.images import cifti
from bids_regions.images.gifti import read_gifti
from bids_regions.pages.backgrounds import Anatomy, find_template, load_anatomy, pack_coverage
from bids_regions.pages.provenance import command_facts
from bids_regions.pages.sections import (
    HEADING,
    SIDE_BY_SIDE,
    Drawn,
    Finished,
    file_links,
    href_of,
    is_strict,
    mask_words,
    regions_table,
    section_key,
    shown_cutoff,
)
from bids_regions.pages.sheet_parts import (
    VOXEL_SPACE,
    Cortex,
    MapOnSheets,
    Solids,
    find_cortex,
    find_solids,
    histogram_figure,
    load_sheet,
    look_inside,
    on_sheet,
    sheet_mark,
    voxel_mark,
)
from bids_regions.pages.telling import entry_titles, opening
from bids_regions.pages.wording import counted, entry_facts, signed, spoken, threshold_sentence, title_of
from bids_regions.report import model
from bids_regions.report.payload import Height, pack_labels, pack_volume
from bids_regions.results.records import Record
from bids_regions.tables import NO_VALUE, is_named, rows_of

__all__ = ["NO_PICTURE", "draw_sheet_section"]

NO_PICTURE = (
    "No sheet to draw this mesh on is carried: its regions are in the table and the label files, without a picture."
)
SIDE_WORDS = {"L": "left", "R": "right"}
Array = NDArray[Any]


class NumbersOnSheets(MapOnSheets, Protocol):
    """A map on surfaces with its numbers."""

    @property
    def data(self) -> Array:
        """(n,) the map's unit, part by part."""


def draw_sheet_section(mapfile: MapFile, sheetmap: NumbersOnSheets, done: Sequence[Finished]) -> Drawn:
    """The entries of one map as tabs of one workbench; without a sheet to draw on, as sentences and tables."""
    titles = entry_titles([each.record for each in done])
    record = done[0].record
    cortex = find_cortex(sheetmap, mapfile.entity("space") or record.assumed_space or "")
    drawer = _Drawer.prepare(mapfile, sheetmap, done, cortex) if cortex else None
    drawn = [_show_entry(mapfile, each, title, drawer) for each, title in zip(done, titles, strict=True)]
    entities = dict(mapfile.entities)
    meshes, areas = (
        ", ".join(dict.fromkeys(used.get(key, "") for used in record.surfaces.values())) for key in ("Mesh", "Areas")
    )
    section = model.Section(
        key=section_key(mapfile),
        title=title_of(entities),
        lead="\n".join(_lead(each, title) for each, title in zip(done, titles, strict=True)),
        space=entities.get("space") or record.assumed_space or "",
        group=", ".join(f"{name}-{entities[name]}" for name in HEADING if name in entities),
        source=" and ".join((mapfile.relpath, *mapfile.others)),
        facts=(("mesh", meshes), ("areas of vertices", areas), ("mask", mask_words(done))),
        entries=tuple(entry for entry, _ in drawn),
        warnings=() if cortex else (NO_PICTURE,),
    )
    return Drawn(
        section=section,
        volumes=drawer.volumes if drawer else (),
        backgrounds=(drawer.ground,) if drawer and drawer.ground else (),
        sheets=drawer.sheets if drawer else (),
        files={name: digest for _, written in drawn for name, digest in written.items()},
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawer:
    """What the entries of one map share."""

    cortex: Cortex
    solids: Solids | None
    shown: Array  # the map's numbers as pictures have them
    volumes: tuple[model.Volume, ...]  # of the cortex, and of the voxels
    ground: model.Background | None  # under the voxels
    anatomy: Anatomy | None  # the same for figures
    sheets: tuple[model.PackedSheet, ...]
    drawn_on: tuple[Sheet, ...]
    layout: PanelLayout

    @classmethod
    def prepare(
        cls, mapfile: MapFile, sheetmap: NumbersOnSheets, done: Sequence[Finished], cortex: Cortex
    ) -> "_Drawer":
        record, key = done[0].record, section_key(mapfile)
        used = Statistic(record.statistic.kind, scale=record.statistic.p_scale)
        shown = as_shown(sheetmap.data, math.inf, used)[0] if used.rule.is_p else sheetmap.data
        one_sign = used.rule.sequential or (used.rule.is_p and record.threshold.tail == "positive")
        solids = find_solids(sheetmap)
        quantity = "-log10 p" if used.rule.is_p else record.statistic.kind
        heights = [Height(cutoff=shown_cutoff(each.record), strict=is_strict(each.record)) for each in done]
        arrays = [(f"{key}-cortex", cortex.spread(shown).reshape(-1, 1, 1), np.eye(4))]
        arrays += [(f"{key}-voxels", solids.spread(shown), solids.affine)] if solids else []
        volumes = [
            pack_volume(
                array, affine, key=name, name=title_of(dict(mapfile.entities)),
                quantity="" if quantity == "unknown" else quantity,
                palette="positive" if one_sign else "diverging", heights=heights,
            )
            for name, array, affine in arrays
        ]  # fmt: skip
        if solids:
            volumes[-1] = replace(volumes[-1], first=solids.first)
        found = [load_sheet(cortex.space, n, side) for side, n in zip(cortex.sides, cortex.sizes, strict=True)]
        ground, anatomy = None, load_anatomy(find_template(VOXEL_SPACE))[0] if solids else None
        if anatomy:
            ground = anatomy.packed
        elif solids:
            there = solids.spread(np.ones(sheetmap.data.size, np.float32))
            ground = pack_coverage(there, solids.affine, key=f"{key}-structures", name="the structures of the file")
        return cls(
            cortex=cortex, solids=solids, shown=shown, volumes=tuple(volumes), ground=ground, anatomy=anatomy,
            sheets=tuple(packed for _, packed in found), drawn_on=tuple(sheet for sheet, _ in found),
            layout=SIDE_BY_SIDE if len(done) > 1 else PanelLayout(),
        )  # fmt: skip

    def show(
        self, done: Finished, rows: Sequence[Mapping[str, str]]
    ) -> tuple[tuple[model.View, ...], tuple[model.Figure, ...], dict[str, str]]:
        """The views of an entry, its pictures, and the file of the first beside the page."""
        record, paths = done.record, done.paths
        labels = _load_labels(done)
        style = FigureStyle(
            cuts=(), cutoff=shown_cutoff(record), tail=record.threshold.tail, unit=self.volumes[0].quantity,
            sequential=self.volumes[0].palette == "positive", layout=self.layout,
        )  # fmt: skip
        drawing = self._draw(labels, rows, style)
        picture = encode(drawing)
        write_bytes(paths.figure, picture.data, only_if_changed=True)
        href = href_of(paths, paths.figure)
        names = dict.fromkeys(sheet.name for sheet in self.sheets)
        figure = model.Figure(
            data=picture.data, mime=picture.mime, alt=picture.alt, width=picture.width, height=picture.height,
            caption=f"Drawn on: {', '.join(names)}.", links=(model.Link(text="SVG for papers", href=href),),
        )  # fmt: skip
        figures = (figure, *self._count(labels, rows, style))
        return self._views(record, labels), figures, {href: hash_bytes(picture.data)}

    def _count(self, labels: Array, rows: Sequence[Mapping[str, str]], style: FigureStyle) -> tuple[model.Figure, ...]:
        """The histogram, as the viewer shows it, beside the regions of voxels; none where everything is zero."""
        if not np.any(self.shown):
            return ()
        units = "grayordinates" if self.solids else "vertices"
        inside = look_inside(self.solids, self.anatomy, self.shown, labels, rows)
        return (histogram_figure(self.shown, labels, style, units, inside),)

    def _views(self, record: Record, labels: Array) -> tuple[model.View, ...]:
        cutoff = None if record.threshold.cutoff is None else shown_cutoff(record)
        about: dict[str, Any] = {"cutoff": cutoff, "tail": record.threshold.tail, "strict": is_strict(record)}
        on_cortex = self.cortex.spread(labels).reshape(-1, 1, 1)
        views = [
            model.View(
                volume=self.volumes[0].key, name="cortex" if self.solids else "",
                sheets=tuple(sheet.key for sheet in self.sheets), labels=pack_labels(on_cortex), **about,
            )
        ]  # fmt: skip
        if self.solids and self.ground:
            own = pack_labels(self.solids.spread(labels))
            views.append(
                model.View(
                    volume=self.volumes[1].key, name="voxels below", background=self.ground.key, labels=own, **about
                )
            )
        return tuple(views)

    def _draw(self, labels: Array, rows: Sequence[Mapping[str, str]], style: FigureStyle) -> Drawing:
        values, numbers = self.cortex.spread(self.shown), self.cortex.spread(labels)
        parts = zip(self.cortex.cut(values), self.cortex.cut(numbers), strict=True)
        hemispheres = [
            Hemisphere(side=side, sheet=sheet, values=own, labels=regions)
            for side, sheet, (own, regions) in zip(self.cortex.sides, self.drawn_on, parts, strict=True)
        ]
        marks = [voxel_mark(row) for row in rows if not on_sheet(row)]
        on_top = [sheet_mark(row) for row in rows if on_sheet(row)]
        if not (self.solids and marks):
            return compose_surfaces(hemispheres, on_top, style, n_below=len(marks))
        style = replace(style, scale=full_scale(np.nan_to_num(self.shown, posinf=0, neginf=0), style.cutoff)[0])
        upper = compose_surfaces(hemispheres, on_top, style, n_below=len(marks))
        data, own = self.solids.spread(self.shown), self.solids.spread(labels)
        below = self.anatomy.drawn if self.anatomy else None
        n_cuts = max(2, min(style.layout.columns, 7))
        cuts = choose_cuts([marks], data, self.solids.affine, n=n_cuts)
        slices = replace(style, cuts=cuts, bar=False)  # the cortex has it, for both
        return stack_drawings(upper, compose_map(data, own, self.solids.affine, marks, slices, below))


def _show_entry(
    mapfile: MapFile, done: Finished, title: str, drawer: _Drawer | None
) -> tuple[model.EntryView, dict[str, str]]:
    paths, record, table = done.paths, done.record, read_text(done.paths.table)
    rows = list(rows_of(table))
    views: tuple[model.View, ...] = ()
    figures: tuple[model.Figure, ...] = ()
    written: dict[str, str] = {}
    if drawer:
        views, figures, written = drawer.show(done, rows)
    entry = model.EntryView(
        name=paths.entry,
        title=title,
        sentence=threshold_sentence(record),
        facts=(*entry_facts(record), *command_facts(record, mapfile, done.dataset, earlier=done.earlier)),
        n_regions=len(rows),
        figures=figures,
        views=views,
        regions=regions_table(paths, record, table, title),
        peaks=read_text(paths.peaks),
        warnings=record.warnings,
        links=file_links(paths),
    )
    return entry, written


def _load_labels(done: Finished) -> Array:
    """The region of each number of the map, from the label files."""
    found = []
    for path in done.paths.label_files:
        if done.paths.form == "cifti":
            found.append(cifti.read_cifti(path).data)
        else:
            values = read_gifti(path).of_values()[0].values
            if values is None:
                raise BadDataset(f"{path} has no labels", hint="Run again with --force")
            found.append(values)
    return np.concatenate(found).astype(np.int32)


def _lead(done: Finished, title: str) -> str:
    """How many regions by which rule, and the largest of them."""
    rows = list(rows_of(read_text(done.paths.table)))
    name = opening(title)
    if not rows:
        return f"{name}: no region survived."
    largest = max(rows, key=lambda row: float(row["n_vertices" if on_sheet(row) else "n_voxels"]))
    which = "the largest " if len(rows) > 1 else ""
    return f"{name}: {counted(len(rows), 'region')}, {which}{_words(largest, done.record.statistic.kind)}."


def _words(row: Mapping[str, str], statistic: str) -> str:
    named = f"{row['name']}, " if is_named(row["index"], row["name"]) else ""
    value = row["peak_value"] if row["peak_value"] == NO_VALUE else signed(float(row["peak_value"]))
    if not on_sheet(row):
        structure = row["structure"].lower().replace("_", " ")
        return f"{named}in the {structure}, {counted(int(row['n_voxels']), 'voxel')}, peak {statistic} = {value}"
    n = int(row["n_vertices"])
    size = counted(n, "vertex") if n == 1 else f"{n:,} vertices"
    if row["area_mm2"] != NO_VALUE:
        size += f", {spoken(float(row['area_mm2']) / 100, 3)} cm²"
    return f"{named}{_where(row)}, {size}, peak {statistic} = {value} at vertex {row['peak_vertex']}"


def _where(row: Mapping[str, str]) -> str:
    """The side of a region of vertices, or its structure where that has none."""
    if row["hemi"] in SIDE_WORDS:
        return f"on the {SIDE_WORDS[row['hemi']]}"
    structure = row["structure"].lower().replace("_", " ")
    return "on a side that no file tells" if row["structure"] == NO_VALUE else f"on the {structure}"
