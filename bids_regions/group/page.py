"""The group page: what the group level found, as the report room wants it.

It fills the model from finished results; it computes nothing and makes no HTML.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bids_regions.aggregate import order_by_agreement
from bids_regions.figures import (
    FigureStyle,
    Picture,
    Prevalence,
    Underlay,
    cast_shadow,
    choose_cuts,
    compose_glass,
    compose_prevalence,
    encode,
)
from bids_regions.files import write_bytes
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import VolumeGround
from bids_regions.group.leads import lead_of
from bids_regions.group.measures import SetResult
from bids_regions.group.members import Status
from bids_regions.group.outputs import Consensus
from bids_regions.group.page_command import command_of, settings_of
from bids_regions.group.page_links import Pages, find_participant_pages, links_of
from bids_regions.group.page_reliability import show_families
from bids_regions.group.page_sheets import SheetConsensus
from bids_regions.group.page_strips import finite, strips_of
from bids_regions.group.page_tables import all_regions_table, consensus_table, set_tables
from bids_regions.group.reliability import FamilyResult
from bids_regions.group.tables import ParticipantRow
from bids_regions.group.titles import set_group, set_title
from bids_regions.group.values import CIRCULAR_ON_PAGE
from bids_regions.maps.maps import MapOutcome
from bids_regions.pages.backgrounds import Anatomy, pack_coverage
from bids_regions.pages.marks import marks_of
from bids_regions.pages.page import PageContext
from bids_regions.pages.sections import Drawn, glass_figure
from bids_regions.pages.wording import slug, spoken
from bids_regions.report import model
from bids_regions.report.pages import render_group
from bids_regions.report.payload import Height, pack_labels, pack_volume
from bids_regions.settings import GroupSettings
from bids_regions.tables import Column, peaks_table, regions_table
from bids_regions.version import __version__

__all__ = ["GroupResults", "write_group_page"]

ONE_SIDED: Mapping[tuple[int, ...], str] = {(1,): "positive", (-1,): "negative"}  # by the signs of a consensus
PERCENT = 100.0
FLAGGED = 24  # participants that stand out, a line each
LISTED = 200  # participants listed by name on the page; all are in the table
NOT_COUNTED: tuple[Status, ...] = ("failed", "missing", "changed", "left out")


@dataclass(frozen=True, kw_only=True)
class GroupResults:
    """Everything the page is made of."""

    results: Sequence[SetResult]
    families: Sequence[FamilyResult]
    group_maps: Sequence[MapOutcome]
    n_known: int  # participants
    failures: Sequence[model.Problem]
    anatomy: dict[str, Anatomy | None]  # by space
    notices: Sequence[str]
    value_columns: Sequence[Column]


def write_group_page(
    findings: GroupResults, settings: GroupSettings, context: PageContext, methods: model.Methods
) -> None:
    """Fill the model, render it, write group.html and what stands beside it."""
    pages = find_participant_pages(settings.output_dir)
    drawn = [outcome.drawn for outcome in findings.group_maps if outcome.drawn]
    titles = {result.one.name: set_title(result.one) for result in findings.results}
    shown = [_show_set(result, findings, settings, pages) for result in findings.results]
    every: list[_ShownSet | Drawn] = [*shown, *drawn]
    volumes = [volume for each in every for volume in each.volumes]
    backgrounds = [background for each in every for background in each.backgrounds]
    sheets = [sheet for each in every for sheet in each.sheets]
    page = model.GroupPage(
        dataset=context.dataset_name,
        version=__version__,
        counts=_counts(findings),
        sets=tuple(each.one for each in shown),
        sections=tuple(one.section for one in drawn),
        volumes=tuple(volumes),
        backgrounds=tuple({background.key: background for background in backgrounds}.values()),
        sheets=tuple({sheet.key: sheet for sheet in sheets}.values()),
        reliability=show_families(findings.families, pages),
        tables=(all_regions_table(settings.output_dir, pages, findings.results, titles),),
        skipped=context.skipped.get("", ()),
        failures=tuple(findings.failures),
        notices=tuple(findings.notices),
        methods=methods,
        provenance=replace(context.provenance, command=command_of(settings, context), settings=settings_of(settings)),
    )
    rendered = render_group(page)
    for name, content in rendered.side_files:
        write_bytes(settings.output_dir / name, content, only_if_changed=True)
    write_bytes(settings.output_dir / "group.html", rendered.html, only_if_changed=True)


def _counts(findings: GroupResults) -> tuple[tuple[str, int], ...]:
    """Counts over all sets: a participant counts once for each map."""
    statuses = Counter(row.status for result in findings.results for row in result.rows)
    told = [("participants", findings.n_known), ("sets of maps", len(findings.results))]
    rare = [("maps with regions", statuses["ok"]), ("maps where no region survived", statuses["empty"])]
    rare += [("failed", statuses["failed"]), ("missing", statuses["missing"])]
    rare += [("changed since", statuses["changed"]), ("left out", statuses["left out"])]
    rare.append(("group maps", len(findings.group_maps)))
    return tuple(told + [pair for pair in rare if pair[1]])


@dataclass(frozen=True, kw_only=True)
class _ShownSet:
    """A set as the page has it, and what its viewer takes."""

    one: model.GroupSet
    volumes: tuple[model.Volume, ...] = ()
    backgrounds: tuple[model.Background, ...] = ()
    sheets: tuple[model.PackedSheet, ...] = ()


def _show_set(result: SetResult, findings: GroupResults, settings: GroupSettings, pages: Pages) -> _ShownSet:
    one, consensus = result.one, result.consensus
    key = "set-" + slug(one.name)
    anatomy = findings.anatomy.get(one.space)
    builder: _ConsensusBuilder | SheetConsensus = (
        _ConsensusBuilder(key=key, result=result, settings=settings, anatomy=anatomy)
        if one.form == "volume"
        else SheetConsensus(key=key, result=result, settings=settings)
    )
    shown = model.GroupSet(
        key=key,
        title=set_title(one),
        group=set_group(one),
        lead=lead_of(result, settings.min_prevalence),
        space=one.space or "",
        source=one.name,
        facts=_facts(result),
        consensus=builder.show(consensus) if consensus else _nothing(result),
        metrics=strips_of(result, pages),
        tables=set_tables(key, result, findings.value_columns, pages),
        agreement=_agreement(result),
        outliers=_outliers(result.rows),
        problems=_problems(result.rows),
        notes=(*one.notes, *((CIRCULAR_ON_PAGE,) if result.circular else ())),
        thumbnails=tuple(
            model.Thumbnail(participant=name, figure=_figure(picture), href=pages.get(name, ""))
            for name, picture in result.thumbnails
        ),
    )
    if consensus is None:
        return _ShownSet(one=shown)
    return _ShownSet(
        one=shown,
        volumes=tuple(builder.volumes()),
        backgrounds=tuple(builder.backgrounds()),
        sheets=tuple(builder.packed()),
    )


def _figure(picture: Picture) -> model.Figure:
    return model.Figure(
        data=picture.data, mime=picture.mime, alt=picture.alt, width=picture.width, height=picture.height
    )


def _facts(result: SetResult) -> tuple[tuple[str, str], ...]:
    counts = Counter(row.status for row in result.rows)
    counted = counts["ok"] + counts["empty"]
    facts = [("participants counted", spoken(counted)), ("of these without any region", spoken(counts["empty"]))]
    facts += [(status, spoken(counts[status])) for status in NOT_COUNTED if counts[status]]
    ground = result.one.ground
    if ground is not None:
        facts.append(("grid" if ground.form == "volume" else "mesh", ground.describe().replace(" x ", " × ")))
    if ground is not None and ground.form == "volume":
        facts.append(("grids among the maps", spoken(result.one.n_grids)))
    if len(result.thumbnails) < len(result.one.members) and result.thumbnails:
        facts.append(("pictures", f"of the first {spoken(len(result.thumbnails))} participants"))
    return tuple(facts)


def _nothing(result: SetResult) -> model.EntryView:
    """A set of which nothing was put together, with the reason."""
    why = result.one.refusal or result.one.apart or "None of its maps could be counted"
    return model.EntryView(name="consensus", sentence=f"{why[0].upper()}{why[1:]}.", n_regions=0)


@dataclass(frozen=True, kw_only=True)
class _ConsensusBuilder:
    """A set's pictures and volumes."""

    key: str
    result: SetResult
    settings: GroupSettings
    anatomy: Anatomy | None

    @property
    def affine(self) -> Any:
        """Of the set's grid: ijk -> mm, RAS+."""
        ground = self.result.one.ground
        assert isinstance(ground, VolumeGround)
        return ground.grid.affine

    def backgrounds(self) -> list[model.Background]:
        """What the viewer draws under the maps: the anatomy of the space, else where participants have data."""
        if self.anatomy:
            return [self.anatomy.packed]
        consensus = self.result.consensus
        assert consensus is not None
        return [pack_coverage(consensus.coverage, self.affine, key=f"{self.key}-ground", name="coverage")]

    def packed(self) -> list[model.PackedSheet]:
        """No sheets: these are volumes."""
        return []

    def volumes(self) -> list[model.Volume]:
        """The prevalence maps and the coverage, for the viewer."""
        consensus, one = self.result.consensus, self.result.one
        assert consensus is not None
        palette = ONE_SIDED.get(tuple(consensus.signs), "diverging")
        maps: tuple[tuple[str, Any, Any, tuple[float, ...]], ...] = (
            ("prevalence", consensus.signed, palette, (self.settings.min_prevalence,)),
            ("minor", np.minimum(consensus.positive, consensus.negative), "positive", ()),
            ("coverage", consensus.coverage, "positive", (self.settings.min_coverage,)),
        )
        beside = {name: f"{self.key}-{name}" for name in ("coverage", "minor")}
        return [
            replace(
                pack_volume(
                    data,
                    self.affine,
                    key=f"{self.key}-{name}",
                    name=f"{one.name}: {name}",
                    quantity="of participants",
                    palette=colours,
                    heights=[Height(cutoff=cutoff) for cutoff in cutoffs],
                ),
                people=len(one.members),
                companions=beside if name == "prevalence" else {},
            )
            for name, data, colours, cutoffs in maps
        ]

    def show(self, consensus: Consensus) -> model.EntryView:
        """The consensus as an entry of the page."""
        regions, paths = consensus.naming.regions, self.result.one.paths
        text = regions_table(regions, extra=consensus.naming.region_cells)
        return model.EntryView(
            name="consensus",
            sentence=self._sentence(),
            facts=(("consensus regions", spoken(len(regions))), ("voxels", spoken(consensus.extraction.n_above))),
            n_regions=len(regions),
            figures=(self._figure(consensus), *self._glass(consensus)),
            views=tuple(self._views(consensus)),
            labels=pack_labels(consensus.extraction.labels) if regions else None,
            regions=consensus_table(self.key, paths.consensus, consensus.record, text),
            peaks=peaks_table(regions, extra=consensus.naming.peak_cells),
            links=links_of(paths, consensus.signs, self.settings.output_dir),
        )

    def _sentence(self) -> str:
        prevalence, coverage = 100 * self.settings.min_prevalence, 100 * self.settings.min_coverage
        return (
            f"Voxels that lie in regions of at least {prevalence:.4g} % of the participants with data there, where at "
            f"least {coverage:.4g} % of the participants have data; "
            "connected as the participants' regions are. Where both signs reach it the larger wins."
        )

    def _views(self, consensus: Consensus) -> list[model.View]:
        background = self.anatomy.packed.key if self.anatomy else f"{self.key}-ground"
        tail = ONE_SIDED.get(tuple(consensus.signs), "bi")
        cutoffs: tuple[tuple[str, float, Any], ...] = (
            ("prevalence", self.settings.min_prevalence, tail),
            ("coverage", self.settings.min_coverage, "positive"),
        )
        return [
            model.View(
                volume=f"{self.key}-{name}",
                name=name,
                cutoff=cutoff,
                tail=own,
                decides=name == "prevalence",
                background=background,
            )
            for name, cutoff, own in cutoffs
        ]

    def _figure(self, consensus: Consensus) -> model.Figure:
        one = self.result.one
        marks = marks_of(consensus.naming.regions)
        prevalence = Prevalence(positive=consensus.positive, negative=consensus.negative, coverage=consensus.coverage)
        cuts = choose_cuts([marks], consensus.coverage, self.affine)
        view = FigureStyle(cuts=cuts, cutoff=self.settings.min_prevalence)
        background: Underlay | None = self.anatomy.drawn if self.anatomy else None
        labels = consensus.extraction.labels
        drawing = compose_prevalence(prevalence, labels, self.affine, marks, view, background)
        path = one.paths.consensus.figure
        shown = encode(drawing)
        write_bytes(path, shown.data, only_if_changed=True)
        paper = model.Link(text="SVG for papers", href=path.relative_to(self.settings.output_dir).as_posix())
        return replace(_figure(shown), links=(paper,))

    def _glass(self, consensus: Consensus) -> list[model.Figure]:
        """The consensus regions seen through the brain, and how many voxels have which prevalence."""
        if not np.any(consensus.signed):
            return []
        cutoff = PERCENT * self.settings.min_prevalence
        view = FigureStyle(cuts=(), cutoff=cutoff, unit="% of participants", scale=PERCENT)
        ground = Underlay(data=consensus.coverage, affine=self.affine)
        shadow = self.anatomy.shadow if self.anatomy else cast_shadow(ground)
        marks, labels = marks_of(consensus.naming.regions), consensus.extraction.labels
        return [glass_figure(compose_glass(PERCENT * consensus.signed, labels, self.affine, marks, view, shadow))]


def _agreement(result: SetResult) -> model.Agreement | None:
    if result.dice is None:
        return None
    order = order_by_agreement(result.dice)
    values = result.dice[np.ix_(order, order)]
    return model.Agreement(
        participants=tuple(result.one.members[at].participant for at in order),
        values=tuple(tuple(finite(cell) for cell in row) for row in values.tolist()),
        sentence="Dice overlap of every two participants' regions, signs included; from the one that agrees most with "
        "the others to the one that agrees least.",
    )


def _outliers(rows: Sequence[ParticipantRow]) -> tuple[str, ...]:
    """Who stands out and how; of many the first.

    >>> _outliers([ParticipantRow(set_name="x", participant=f"sub-{n}", session="", status="ok", outlier="low Dice")
    ...     for n in range(30)])[-2:]
    ('sub-23: low Dice', '6 more, told in the column outlier of group_participants.tsv')
    """
    told = [f"{row.participant}: {row.outlier}" for row in rows if row.outlier]
    more = len(told) - FLAGGED
    rest = [f"{spoken(more)} more, told in the column outlier of group_participants.tsv"] if more > 0 else []
    return (*told[:FLAGGED], *rest)


def _problems(rows: Sequence[ParticipantRow]) -> tuple[model.Problem, ...]:
    """Participants that are not counted, or have nothing, in words; those of one reason together."""
    lacking = [row for row in rows if row.status != "ok"]
    reasons: dict[str, list[str]] = {}
    for row in lacking[:LISTED]:
        reason = "no region survived; counted all the same" if row.status == "empty" else row.reason
        reasons.setdefault(f"{row.status}: {reason}", []).append(row.participant)
    told = [model.Problem(source=", ".join(names), reason=reason) for reason, names in reasons.items()]
    if len(lacking) > LISTED:
        told.append(model.Problem(source=f"{len(lacking) - LISTED} more", reason="listed in group_participants.tsv"))
    return tuple(told)
