"""A set of maps on surfaces on the group page: prevalence and consensus on the cortex, with voxels below, and a table.

What the viewer has of a set are rows of the sheets' vertices: the prevalence of both signs in one, that of the rarer
sign, and the coverage. What CIFTI files have in voxels is a second, small volume of each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.figures import (
    Drawing,
    FigureStyle,
    Hemisphere,
    choose_cuts,
    compose_map,
    compose_surfaces,
    encode,
    stack_drawings,
)
from bids_regions.files import write_bytes
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import SheetGround
from bids_regions.group.measures import SetResult
from bids_regions.group.outputs import Consensus
from bids_regions.group.page_links import links_of
from bids_regions.group.page_tables import consensus_table
from bids_regions.pages.backgrounds import Anatomy, find_template, load_anatomy, pack_coverage
from bids_regions.pages.sheet_parts import (
    VOXEL_SPACE,
    Cortex,
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
from bids_regions.pages.sheet_sections import NO_PICTURE
from bids_regions.pages.wording import spoken
from bids_regions.report import model
from bids_regions.report.payload import Height, pack_labels, pack_volume
from bids_regions.settings import GroupSettings
from bids_regions.tables import peaks_table, regions_table, rows_of

__all__ = ["SheetConsensus"]

ONE_SIDED: Mapping[tuple[int, ...], Literal["positive", "negative"]] = {(1,): "positive", (-1,): "negative"}
PERCENT = 100.0
CUTS = 7  # slices of the voxels below, at most

Array = NDArray[Any]
Spread = Callable[[Array], Array]  # numbers of the set's rows as the array that the viewer has


@dataclass(frozen=True, kw_only=True)
class SheetConsensus:
    """A set's pictures and what its viewer takes."""

    key: str
    result: SetResult
    settings: GroupSettings

    @cached_property
    def consensus(self) -> Consensus:
        """What the set has in common."""
        assert self.result.consensus is not None
        return self.result.consensus

    @cached_property
    def ground(self) -> SheetGround:
        """What its maps lie on."""
        assert isinstance(self.consensus.ground, SheetGround)
        return self.consensus.ground

    @cached_property
    def cortex(self) -> Cortex | None:
        """The hemispheres to draw on; None where no sheet is carried for them."""
        return find_cortex(self.ground.layout, self.result.one.space)

    @cached_property
    def solids(self) -> Solids | None:
        """The voxels below."""
        return find_solids(self.ground.layout) if self.cortex else None

    @cached_property
    def anatomy(self) -> Anatomy | None:
        """What these are drawn on."""
        return load_anatomy(find_template(VOXEL_SPACE))[0] if self.solids else None

    @cached_property
    def sheets(self) -> list[Any]:
        """The sheets of the hemispheres, for pictures and for the viewer."""
        if self.cortex is None:
            return []
        cortex = self.cortex
        return [load_sheet(cortex.space, n, side) for side, n in zip(cortex.sides, cortex.sizes, strict=True)]

    def packed(self) -> list[model.PackedSheet]:
        """The sheets as the page holds them."""
        return [packed for _, packed in self.sheets]

    def backgrounds(self) -> list[model.Background]:
        """What the viewer draws under voxels: the template, else where the files have voxels."""
        if self.solids is None:
            return []
        if self.anatomy:
            return [self.anatomy.packed]
        there = self.solids.spread(np.ones(self.ground.domain.size, np.float32))
        words = "the structures of the files"
        return [pack_coverage(there, self.solids.affine, key=f"{self.key}-structures", name=words)]

    def _drawn_rows(self) -> Iterator[tuple[str, Spread, Array]]:
        """What the viewer has of a row: of the cortex, and of the voxels; with an affine."""
        cortex = self.cortex
        if cortex is not None:
            yield "cortex", lambda row: cortex.spread(row).reshape(-1, 1, 1), np.eye(4)
        if self.solids is not None:
            yield "voxels", self.solids.spread, self.solids.affine

    def volumes(self) -> list[model.Volume]:
        """The prevalence maps and the coverage, for the viewer."""
        consensus, one = self.consensus, self.result.one
        palette = ONE_SIDED.get(tuple(consensus.signs), "diverging")
        minor = np.minimum(consensus.positive, consensus.negative)
        maps: tuple[tuple[str, Array, Any, tuple[float, ...]], ...] = (
            ("prevalence", consensus.signed, palette, (self.settings.min_prevalence,)),
            ("minor", minor, "positive", ()),
            ("coverage", consensus.coverage, "positive", (self.settings.min_coverage,)),
        )
        return [
            replace(
                pack_volume(
                    spread(row), affine, key=f"{self.key}-{where}-{name}", name=f"{one.name}: {name}",
                    quantity="of participants", palette=colours,
                    heights=[Height(cutoff=cutoff) for cutoff in cutoffs],
                ),
                people=len(one.members),
                first=self.solids.first if self.solids and where == "voxels" else (0, 0, 0),
                companions={n: f"{self.key}-{where}-{n}" for n in ("coverage", "minor")}
                if name == "prevalence" else {},
            )
            for where, spread, affine in self._drawn_rows()
            for name, row, colours, cutoffs in maps
        ]  # fmt: skip

    def show(self, consensus: Consensus) -> model.EntryView:
        """The consensus as an entry of the page."""
        regions, units, paths = consensus.naming.regions, self.ground.units, self.result.one.paths
        text = regions_table(regions, sheets=True, extra=consensus.naming.region_cells)
        return model.EntryView(
            name="consensus",
            sentence=self._sentence(units) + ("" if self.cortex else f" {NO_PICTURE}"),
            facts=(("consensus regions", spoken(len(regions))), (units, spoken(consensus.extraction.n_above))),
            n_regions=len(regions),
            figures=self._figures(list(rows_of(text))) if self.cortex else (),
            views=tuple(self._views()),
            regions=consensus_table(self.key, paths.consensus, consensus.record, text),
            peaks=peaks_table(regions, sheets=True, extra=consensus.naming.peak_cells),
            links=links_of(paths, consensus.signs, self.settings.output_dir),
        )

    def _sentence(self, units: str) -> str:
        prevalence, coverage = PERCENT * self.settings.min_prevalence, PERCENT * self.settings.min_coverage
        return (
            f"{units[0].upper()}{units[1:]} that lie in regions of at least {prevalence:.4g} % of the participants "
            f"with data there, where at least {coverage:.4g} % of the participants have data; connected as the "
            "participants' regions are. Where both signs reach it the larger wins."
        )

    def _views(self) -> Iterator[model.View]:
        tail: Any = ONE_SIDED.get(tuple(self.consensus.signs), "bi")
        labels = self.consensus.extraction.labels
        asked: tuple[tuple[str, float, Any], ...] = (
            ("prevalence", self.settings.min_prevalence, tail),
            ("coverage", self.settings.min_coverage, "positive"),
        )
        sheets = tuple(packed.key for packed in self.packed())
        below = next((background.key for background in self.backgrounds()), "")
        for where, spread, _ in self._drawn_rows():
            for name, cutoff, own in asked:
                on_cortex = where == "cortex"
                yield model.View(
                    volume=f"{self.key}-{where}-{name}", name=name if on_cortex else f"{name}, voxels below",
                    cutoff=cutoff, tail=own, decides=name == "prevalence", sheets=sheets if on_cortex else (),
                    background="" if on_cortex else below, labels=pack_labels(spread(labels)),
                )  # fmt: skip

    def _figures(self, rows: Sequence[Mapping[str, str]]) -> tuple[model.Figure, ...]:
        """The cortex with slices below; and how many people share what, where anybody has a region."""
        shown, labels = PERCENT * self.consensus.signed, self.consensus.extraction.labels
        if not np.any(shown):
            return (self._figure(rows),)
        style = replace(self._style, unit="% of participants")
        inside = look_inside(self.solids, self.anatomy, shown, labels, rows)
        return self._figure(rows), histogram_figure(shown, labels, style, self.ground.units, inside)

    @property
    def _style(self) -> FigureStyle:
        return FigureStyle(cuts=(), cutoff=PERCENT * self.settings.min_prevalence, unit="%", scale=PERCENT)

    def _figure(self, rows: Sequence[Mapping[str, str]]) -> model.Figure:
        drawing = self._draw(rows)
        picture, path = encode(drawing), self.result.one.paths.consensus.figure
        write_bytes(path, picture.data, only_if_changed=True)
        names = dict.fromkeys(packed.name for packed in self.packed())
        href = path.relative_to(self.settings.output_dir).as_posix()
        return model.Figure(
            data=picture.data, mime=picture.mime, alt=f"Prevalence. {picture.alt}", width=picture.width,
            height=picture.height, caption=f"Drawn on: {', '.join(names)}.",
            links=(model.Link(text="SVG for papers", href=href),),
        )  # fmt: skip

    def _draw(self, rows: Sequence[Mapping[str, str]]) -> Drawing:
        assert self.cortex is not None
        cortex, shown = self.cortex, PERCENT * self.consensus.signed
        labels = self.consensus.extraction.labels
        style = self._style
        parts = zip(cortex.cut(cortex.spread(shown)), cortex.cut(cortex.spread(labels)), strict=True)
        hemispheres = [
            Hemisphere(side=side, sheet=drawn, values=values, labels=numbers)
            for side, (drawn, _), (values, numbers) in zip(cortex.sides, self.sheets, parts, strict=True)
        ]
        marks = [voxel_mark(row) for row in rows if not on_sheet(row)]
        on_top = [sheet_mark(row) for row in rows if on_sheet(row)]
        upper = compose_surfaces(hemispheres, on_top, style, n_below=len(marks))
        if self.solids is None or not marks:
            return upper
        data, own, affine = self.solids.spread(shown), self.solids.spread(labels), self.solids.affine
        cuts = choose_cuts([marks], data, affine, n=max(2, min(style.layout.columns, CUTS)))
        below = self.anatomy.drawn if self.anatomy else None
        return stack_drawings(upper, compose_map(data, own, affine, marks, replace(style, cuts=cuts, bar=False), below))
