"""From a finished map to its part of the page: figures, volumes, tables, sentences, all read from the records.

A *section* is one map on a page, an *entry* one way of thresholding it, drawn at the cuts that all entries of the map
share. HTML is not known here: `report` makes it of the model's values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bids_regions.dataset import MapFile, SourceDataset, is_standard_space
from bids_regions.extraction.conventions import convention_knobs
from bids_regions.extraction.probabilities import as_shown
from bids_regions.extraction.statistics import Statistic
from bids_regions.figures import (
    Drawing,
    FigureStyle,
    Mark,
    PanelLayout,
    Shadow,
    Underlay,
    cast_shadow,
    choose_cuts,
    compose_glass,
    compose_map,
    encode,
)
from bids_regions.files import hash_bytes, read_text, write_bytes
from bids_regions.frozen import dataclass
from bids_regions.images import StatMap, load_labels
from bids_regions.pages.backgrounds import Anatomy, pack_coverage
from bids_regions.pages.marks import marks_of_table
from bids_regions.pages.provenance import command_facts
from bids_regions.pages.telling import Told, entry_titles, lead_of, tell_entry
from bids_regions.pages.wording import entry_facts, footnote, slug, spoken, threshold_sentence, title_of
from bids_regions.report import model
from bids_regions.report.payload import Height, pack_labels, pack_volume
from bids_regions.results.placement import OutputPaths
from bids_regions.results.records import Record
from bids_regions.results.uris import read_source
from bids_regions.tables import rows_of

__all__ = [
    "HEADING",
    "SIDE_BY_SIDE",
    "Drawn",
    "Finished",
    "draw_section",
    "file_links",
    "glass_figure",
    "href_of",
    "is_strict",
    "mask_words",
    "regions_table",
    "section_key",
    "shown_cutoff",
]

SIDE_BY_SIDE = PanelLayout(columns=4, font=21)  # two entries share the width of the page
SEEN_THROUGH = (
    "Regions seen through the brain: the strongest value along each line of sight, numbered as in the table; beside "
    "them how many voxels have which value, by the logarithm of their number, with the cutoff."
)
HEADING = ("ses", "task", "acq", "dir", "run", "space")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One entry of a map, ready to be drawn."""

    paths: OutputPaths
    record: Record
    dataset: SourceDataset
    anatomy: Anatomy | None
    note: str = ""  # on the anatomy
    earlier: bool = False  # made with other settings than those of the run


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One map's part of a page."""

    section: model.Section
    volumes: tuple[model.Volume, ...]
    backgrounds: tuple[model.Background, ...]
    sheets: tuple[model.PackedSheet, ...] = ()  # of a map on surfaces
    files: Mapping[str, str]  # figure files beside the page: path relative to the output folder, hash


def section_key(mapfile: MapFile) -> str:
    """The anchor of a map: its path in letters, digits, `-` and `_`."""
    volume = f"-volume-{mapfile.volume}" if mapfile.volume else ""
    return "map-" + slug(mapfile.relpath.partition(".nii")[0]) + volume


def draw_section(mapfile: MapFile, statmap: StatMap, done: Sequence[Finished]) -> Drawn:
    """Draw the entries of one map side by side, at identical cuts."""
    key = section_key(mapfile)
    entities = dict(mapfile.entities)
    record = done[0].record
    statistic = record.statistic.kind
    used = Statistic(statistic, scale=record.statistic.p_scale)
    if used.rule.is_p:
        statmap = _significance(statmap, used, done)
        statistic = "-log10 p"
    sequential = used.rule.sequential or (used.rule.is_p and record.threshold.tail == "positive")
    volume = pack_volume(
        statmap.data,
        statmap.affine,
        key=f"{key}-volume",
        name=title_of(entities),
        quantity="" if statistic == "unknown" else statistic,
        palette="positive" if sequential else "diverging",
        heights=[Height(cutoff=shown_cutoff(each.record), strict=is_strict(each.record)) for each in done],
    )
    titles = entry_titles([each.record for each in done])
    tables = [read_text(each.paths.table) for each in done]
    marks = [marks_of_table(rows_of(table), each.paths.table.name) for each, table in zip(done, tables, strict=True)]
    cuts = choose_cuts(marks, statmap.data, statmap.affine, n=8 if len(done) > 1 else 7)
    layout = SIDE_BY_SIDE if len(done) > 1 else PanelLayout()
    builder = _EntryBuilder(mapfile=mapfile, statmap=statmap, volume=volume, cuts=cuts, layout=layout)
    drawn = [
        builder.draw(each, title, table, marked)
        for each, title, table, marked in zip(done, titles, tables, marks, strict=True)
    ]
    space = entities.get("space") or record.assumed_space or ""
    shape = " × ".join(map(str, statmap.grid.shape))
    zooms = " × ".join(dict.fromkeys(spoken(float(zoom)) for zoom in statmap.grid.zooms))
    section = model.Section(
        key=key,
        title=", ".join(part for part in (title_of(entities), done[0].record.component) if part),
        lead=lead_of([told for _, _, told in drawn], volume.quantity or "value", sided=is_standard_space(space)),
        space=space,
        group=", ".join(f"{name}-{entities[name]}" for name in HEADING if name in entities),
        source=mapfile.title,
        facts=(("grid", f"{shape} voxels of {zooms} mm"), ("mask", mask_words(done))),
        entries=tuple(entry for entry, _, _ in drawn),
        warnings=tuple(dict.fromkeys(each.note for each in done if each.note)),
    )
    return Drawn(
        section=section,
        volumes=(volume,),
        backgrounds=tuple({b.key: b for b in map(builder.ground, done)}.values()),
        files={name: digest for _, written, _ in drawn for name, digest in written.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _EntryBuilder:
    """What the entries of one map share."""

    mapfile: MapFile
    statmap: StatMap
    volume: model.Volume
    cuts: tuple[float, ...]  # mm, RAS+
    layout: PanelLayout

    @cached_property
    def coverage(self) -> model.Background:
        """What lies under a picture that has no anatomy."""
        key, there = f"{section_key(self.mapfile)}-coverage", self.statmap.data != 0
        return pack_coverage(there, self.statmap.affine, key=key, name="where the map has data")

    @cached_property
    def shadow(self) -> Shadow:
        """The shape of what has data, where there is no anatomy."""
        return cast_shadow(Underlay(data=self.statmap.data != 0, affine=self.statmap.affine))

    def ground(self, done: Finished) -> model.Background:
        """What lies under the pictures of an entry."""
        return done.anatomy.packed if done.anatomy else self.coverage

    def draw(
        self, done: Finished, title: str, table: str, marks: Sequence[Mark]
    ) -> tuple[model.EntryView, dict[str, str], Told]:
        """The entry as the page shows it, the figure files beside the page, and what the lead tells of it."""
        paths, record = done.paths, done.record
        labels, _ = load_labels(paths.labels)
        figure, written = self._draw_figure(done, labels, marks)
        view = model.View(
            volume=self.volume.key,
            cutoff=None if record.threshold.cutoff is None else shown_cutoff(record),
            tail=record.threshold.tail,
            strict=is_strict(record),
            background=self.ground(done).key,
        )
        entry = model.EntryView(
            name=paths.entry,
            title=title,
            sentence=threshold_sentence(record),
            facts=(*entry_facts(record), *command_facts(record, self.mapfile, done.dataset, earlier=done.earlier)),
            n_regions=len(marks),
            figures=(figure, *self._draw_glass(done, labels, marks)),
            views=(view,),
            labels=pack_labels(labels) if marks else None,
            regions=regions_table(paths, record, table, title),
            peaks=read_text(paths.peaks),
            footnote=footnote(record),
            warnings=record.warnings,
            links=file_links(paths),
        )
        told = tell_entry(record, title, list(rows_of(table)), (self.statmap.data, labels, self.statmap.affine))
        return entry, written, told

    def _style(self, done: Finished) -> FigureStyle:
        return FigureStyle(
            cuts=self.cuts,
            cutoff=shown_cutoff(done.record),
            tail=done.record.threshold.tail,
            unit=self.volume.quantity,
            sequential=self.volume.palette == "positive",
            layout=self.layout,
        )

    def _draw_glass(self, done: Finished, labels: Any, marks: Sequence[Mark]) -> tuple[model.Figure, ...]:
        """All regions at once and the histogram, which paper and browsers without scripts have from here alone."""
        if self.volume.highest is None and self.volume.lowest is None:
            return ()  # everything is zero
        view = replace(self._style(done), scale=self.volume.limit)
        shadow = done.anatomy.shadow if done.anatomy else self.shadow
        return (glass_figure(compose_glass(self.statmap.data, labels, self.statmap.affine, marks, view, shadow)),)

    def _draw_figure(self, done: Finished, labels: Any, marks: Sequence[Mark]) -> tuple[model.Figure, dict[str, str]]:
        paths, view = done.paths, self._style(done)
        background = done.anatomy.drawn if done.anatomy else None
        drawing = compose_map(self.statmap.data, labels, self.statmap.affine, marks, view, background)
        shown = encode(drawing)
        write_bytes(paths.figure, shown.data, only_if_changed=True)
        figure = model.Figure(
            data=shown.data,
            mime=shown.mime,
            alt=shown.alt,
            width=shown.width,
            height=shown.height,
            caption=f"Drawn on: {done.anatomy.name}." if done.anatomy else "",
            links=(model.Link(text="SVG for papers", href=href_of(paths, paths.figure)),),
        )
        return figure, {href_of(paths, paths.figure): hash_bytes(shown.data)}


def glass_figure(drawing: Drawing) -> model.Figure:
    """Regions seen through the brain, as the page has them."""
    shown = encode(drawing)
    return model.Figure(
        data=shown.data, mime=shown.mime, alt=shown.alt, width=shown.width, height=shown.height, caption=SEEN_THROUGH
    )


def is_strict(record: Record) -> bool:
    """Whether what equals the cutoff was left out."""
    return bool(convention_knobs(record.criteria.get("convention"))["strict"])


def shown_cutoff(record: Record) -> float:
    """The cutoff on the scale that pictures have."""
    used = Statistic(record.statistic.kind, scale=record.statistic.p_scale)
    return as_shown(np.zeros(1), record.threshold.height, used)[1]


def _significance(statmap: StatMap, statistic: Statistic, done: Sequence[Finished]) -> StatMap:
    """A map of p as -log10 p; a p of 0 outside of every region is no data."""
    shown, _ = as_shown(statmap.data, math.inf, statistic)
    if statistic.scale == "p":
        inside = np.zeros(shown.shape, bool)
        for each in done:
            inside |= load_labels(each.paths.labels)[0] > 0
        shown = np.where((statmap.data == 0) & ~inside, shown.dtype.type(0), shown)
    return replace(statmap, data=shown)


def file_links(paths: OutputPaths) -> tuple[model.Link, ...]:
    """The files of an entry."""
    labels = [("label image", path) for path in paths.label_files]
    if len(labels) > 1:
        labels = [(f"labels {side}", path) for side, path in zip(paths.sides, paths.label_files, strict=True)]
    files = (*labels, ("table", paths.table), ("peaks", paths.peaks), ("sidecar", paths.sidecar))
    return tuple(model.Link(text=text, href=href_of(paths, path)) for text, path in files)


def regions_table(paths: OutputPaths, record: Record, table: str, title: str) -> model.Table:
    """The table of an entry."""
    columns = table.partition("\n")[0].split("\t")
    return model.Table(
        key=slug(paths.stem),
        caption=f"Regions at {title}" if title[0] in "|−" else f"Regions: {title}",
        tsv=table,
        file_name=paths.table.name,
        descriptions={name: record.columns[name]["Description"] for name in columns if name in record.columns},
        href=href_of(paths, paths.table),
        tips=_overlap_tips(record.atlases),
    )


def _overlap_tips(atlases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """For each atlas's column of overlaps, what each region shares with each label, both ways."""
    return {
        f"{atlas['Name']}_overlap": {
            index: "; ".join(_overlap_words(overlap, probabilistic=atlas["Probabilistic"]) for overlap in overlaps)
            for index, overlaps in atlas["Overlaps"].items()
        }
        for atlas in atlases
        if "Overlaps" in atlas
    }


def _overlap_words(overlap: Mapping[str, Any], *, probabilistic: bool) -> str:
    share = "mean probability" if probabilistic else "of the region"
    words = f"{overlap['Label']}: {overlap['PercentOfRegion']:g} % {share}"
    return words + (f", {overlap['PercentOfLabel']:g} % of the label" if "PercentOfLabel" in overlap else "")


def href_of(paths: OutputPaths, path: Path) -> str:
    """The address of an output, relative to the page."""
    return path.relative_to(paths.output_dir).as_posix()


def mask_words(done: Sequence[Finished]) -> str:
    """The mask as a path inside the dataset, as the map's own; with the entry's name where entries differ."""
    masks = {}
    for each in done:
        source = each.record.mask.source
        path = source if (inside := read_source(source)) is None else inside
        masks[each.paths.entry] = "none: every voxel counts" if source == "none" else path
    if len(set(masks.values())) == 1:
        return next(iter(masks.values()))
    return "; ".join(f"{mask} ({entry})" for entry, mask in masks.items())
