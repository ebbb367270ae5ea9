"""Pages as bytes: what the templates need is prepared here, and the policy that the finished page obeys.

A page is one file. Where its volumes and pictures would make it heavier than sixty megabytes they stand beside it, in
`figures` folders: volumes as scripts (a page opened from disk may load a script, but not read a file), pictures as they
are. The same model gives the same bytes.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cache
from itertools import chain, groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bids_regions.frozen import dataclass
from bids_regions.report.bytecode import TEMPLATES, CompiledTemplates
from bids_regions.report.cohort import agreement_array, lay_out_matrix, lay_out_strip, lay_out_thumbs
from bids_regions.report.model import (
    Background,
    EntryView,
    Figure,
    GroupPage,
    GroupSet,
    Packed,
    PackedSheet,
    ParticipantPage,
    ReliabilityView,
    Rendered,
    Section,
    Table,
    Volume,
)
from bids_regions.report.payload import pack_array, pack_text
from bids_regions.report.presentation import PLAIN_ROWS, ShownTable, count_rows, overview_table, show_table

__all__ = ["HEAVY", "compile_templates", "render_group", "render_participant"]

HEAVY = 60_000_000  # bytes of packed volumes and pictures that a page holds itself
_VOLUME = ("step", "limit", "quantity", "palette", "highest", "lowest")  # what the viewer is told of a volume
_MANY_SECTIONS = 40  # above it the script fills sections one after the other, so that the page opens at once
_PAGE_ROWS = 6_000  # plain rows of all tables of a page together; the script shows every row anyway
_IN_ADDRESS = {ord(character): f"%{ord(character):02X}" for character in '%#<>"` \t\n{}|^\\'}  # of text in an address
_SUFFIXES = {"image/webp": "webp", "image/png": "png", "image/svg+xml": "svg", "image/jpeg": "jpg"}

_VIEWER_SCRIPTS = (
    "payload.js",
    "grid.js",
    "slices.js",
    "planes.js",
    "cortex.js",
    "instruments.js",
    "viewer.js",
    "table.js",
)
_PARTICIPANT_SCRIPTS = (*_VIEWER_SCRIPTS, "page.js")
_GROUP_SCRIPTS = (*_VIEWER_SCRIPTS, "group.js", "page.js")


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Packed data in the page, or in a file beside it."""

    id: str
    header: str  # JSON
    text: str  # base64
    src: str = ""


@dataclass(kw_only=True)
class _Parts:
    """What a page is made of, gathered section by section."""

    folder: str  # of side files, relative to the page
    heavy: bool
    n_sections: int
    blocks: list[_Block] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    first_views: dict[str, str] = field(default_factory=dict)  # section -> view
    entry_views: dict[str, str] = field(default_factory=dict)  # section and number of the entry -> view
    tables: dict[str, tuple[Table, str]] = field(default_factory=dict)  # key -> table, peaks
    movable: set[str] = field(default_factory=set)  # tables whose rows move the crosshair
    quantities: dict[str, str] = field(default_factory=dict)  # volume -> its unit
    side_files: dict[str, bytes] = field(default_factory=dict)

    def add_block(
        self, identity: str, text: str, header: dict[str, Any] | None = None, *, may_leave: bool = True
    ) -> None:
        """Put packed text into the page, or beside it where the page is heavy."""
        written = json.dumps(header or {}, separators=(",", ":"))
        if not (self.heavy and may_leave):
            self.blocks.append(_Block(id=identity, header=written, text=text))
            return
        name = f"{self.folder}/{identity}.js"
        self.side_files[name] = f"bidsRegionsSide({json.dumps(identity)}, {json.dumps(text)});\n".encode()
        self.blocks.append(_Block(id=identity, header=written, text="", src=_address(name)))

    def source(self, figure: Figure) -> str:
        """The address of a picture: its data, or a file beside a heavy page."""
        if not self.heavy:
            if figure.mime == "image/svg+xml":  # text, whose pixels are base64 already
                return f"data:{figure.mime},{figure.data.decode('utf-8').translate(_IN_ADDRESS)}"
            return f"data:{figure.mime};base64,{base64.b64encode(figure.data).decode('ascii')}"
        digest = hashlib.sha256(figure.data).hexdigest()[:16]
        name = f"{self.folder}/picture-{digest}.{_SUFFIXES.get(figure.mime, 'bin')}"
        self.side_files[name] = figure.data
        return _address(name)


def render_participant(page: ParticipantPage) -> Rendered:
    """The page of one participant, and the side files it needs where it is heavy."""
    parts = _gather(page.sections, page.volumes, page.backgrounds, f"{page.participant}/figures/report")
    _add_sheets(parts, page.sheets)
    overview = None
    if len(page.sections) > 1:
        overview = overview_table(page.sections)
        parts.tables[overview.key] = (overview, "")
    for table in page.appendix:
        parts.tables[table.key] = (table, "")
    shown = _show_tables(parts)
    context = {
        "counts": _participant_counts(page),
        "overview": shown[overview.key] if overview else None,
        "guide": _guide(parts, skip="overview-table"),
    }
    return _render("participant.html.j2", page, parts, shown, context)


def render_group(page: GroupPage) -> Rendered:
    """The page of the group, and the side files it needs where it is heavy."""
    pseudo = [
        Section(key=s.key, title=s.title, group=s.group, space=s.space, entries=(s.consensus,)) for s in page.sets
    ]
    pictures = [thumb.figure for one in page.sets for thumb in one.thumbnails]
    parts = _gather([*pseudo, *page.sections], page.volumes, page.backgrounds, "figures/report", pictures)
    _add_sheets(parts, page.sheets)
    cohorts: tuple[GroupSet | ReliabilityView, ...] = (*page.sets, *page.reliability)
    for table in chain(page.tables, *(one.tables for one in cohorts)):
        parts.tables[table.key] = (table, "")
    strips = {one.key: [s for m in one.metrics if (s := lay_out_strip(m, one.key))] for one in cohorts}
    context = {
        "counts": [_group_count(words, number) for words, number in page.counts],
        "strips": strips,
        "has_strips": any(strips.values()),
        "matrices": {one.key: lay_out_matrix(one.agreement) if one.agreement else None for one in page.sets},
        "thumbs": {one.key: lay_out_thumbs(one.thumbnails) for one in page.sets},
    }
    for one in page.sets:
        _add_cohort_blocks(parts, one)
    shown = _show_tables(parts)
    return _render("group.html.j2", page, parts, shown, context | {"guide": _guide(parts)})


# ---------------------------------------------------------------------------------------------------- gathering


def _gather(
    sections: Sequence[Section],
    volumes: Iterable[Volume],
    backgrounds: Iterable[Background],
    folder: str,
    pictures: Iterable[Figure] = (),
) -> _Parts:
    volumes, backgrounds = tuple(volumes), tuple(backgrounds)
    _refuse_equal_keys([section.key for section in sections], [v.key for v in volumes], [b.key for b in backgrounds])
    entries = [entry for section in sections for entry in section.entries]
    arrays = [volume.array for volume in volumes] + [background.array for background in backgrounds]
    arrays += [entry.labels for entry in entries if entry.labels]
    figures = [figure for entry in entries for figure in entry.figures]
    weight = sum(len(array.text) for array in arrays) + sum(len(f.data) * 4 // 3 for f in (*figures, *pictures))
    parts = _Parts(folder=folder, heavy=weight > HEAVY, n_sections=len(sections))
    parts.quantities = {volume.key: volume.quantity for volume in volumes}
    for background in backgrounds:
        named = {"name": background.name, "plain": background.plain}
        parts.add_block(
            f"background-{background.key}", background.array.text, _header(background.array, background) | named
        )
    for volume in volumes:
        extra: dict[str, Any] = {name: getattr(volume, name) for name in _VOLUME}
        if volume.people:
            beside = {name: f"volume-{other}" for name, other in volume.companions.items()}
            extra |= {"people": volume.people, "companions": beside}
        parts.add_block(f"volume-{volume.key}", volume.array.text, _header(volume.array, volume) | extra)
    for section in sections:
        for number, entry in enumerate(section.entries, start=1):
            _add_entry(parts, section, entry, f"{section.key}-{number}")
    return parts


def _add_sheets(parts: _Parts, sheets: Iterable[PackedSheet]) -> None:
    """Meshes to draw on, each once however many maps lie on it."""
    for sheet in sheets:
        header = {
            "side": sheet.side,
            "name": sheet.name,
            "size": sheet.n_vertices,
            "step": sheet.step,
            "origin": sheet.origin,
        }
        parts.add_block(f"sheet-{sheet.key}", "", header, may_leave=False)
        for name in ("places", "triangles", "folding"):
            parts.add_block(f"sheet-{sheet.key}-{name}", getattr(sheet, name))


def _refuse_equal_keys(*families: list[str]) -> None:
    for keys in families:
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            msg = f"keys of a page must differ: {', '.join(twice)}"
            raise ValueError(msg)


def _header(array: Packed, placed: Volume | Background) -> dict[str, Any]:
    return {"shape": array.shape, "dtype": array.dtype, "affine": placed.affine}


def _add_entry(parts: _Parts, section: Section, entry: EntryView, key: str) -> None:
    if entry.labels:
        shape = {"shape": entry.labels.shape, "dtype": entry.labels.dtype}
        parts.add_block(f"labels-{key}", entry.labels.text, shape)
    if entry.regions and entry.n_regions:
        parts.tables[entry.regions.key] = (entry.regions, entry.peaks)
        if entry.views:
            parts.movable.add(entry.regions.key)
    for number, view in enumerate(entry.views, start=1):
        labels = f"labels-{key}" if entry.labels else ""
        if view.labels:
            labels = f"labels-{key}-{number}"
            parts.add_block(labels, view.labels.text, {"shape": view.labels.shape, "dtype": view.labels.dtype})
        parts.views.append(
            {
                "key": f"view-{key}-{number}",
                "section": section.key,
                "group": " · ".join(text for text in (section.group, section.title) if text),
                "entry": entry.name,
                "panel": f"panel-{key}",
                "name": " · ".join(text for text in (entry.title or entry.name, view.name) if text),
                "quantity": parts.quantities.get(view.volume, ""),
                "space": section.space,
                "volume": f"volume-{view.volume}",
                "labels": labels,
                "sheets": [f"sheet-{one}" for one in view.sheets],
                "background": f"background-{view.background}" if view.background else "",
                "cutoff": view.cutoff,
                "tail": view.tail,
                "strict": view.strict,
                "decides": view.decides,
                "table": entry.regions.key if entry.regions and entry.n_regions else "",
            }
        )
        parts.first_views.setdefault(section.key, f"view-{key}-{number}")
        parts.entry_views.setdefault(key, f"view-{key}-{number}")


def _add_cohort_blocks(parts: _Parts, one: GroupSet) -> None:
    points = {metric.key: {p.participant: p.value for p in metric.points} for metric in one.metrics}
    if points:
        parts.add_block(f"points-{one.key}", pack_text(json.dumps(points)), may_leave=False)
    if one.agreement and len(one.agreement.participants) > 1:
        array = pack_array(agreement_array(one.agreement)[:, :, None].round(4) * 10_000, "uint16", none=65535)
        header = {
            "shape": array.shape,
            "dtype": array.dtype,
            "participants": one.agreement.participants,
            "name": one.agreement.name,
        }
        parts.add_block(f"agreement-{one.key}", array.text, header)
    thumbs = lay_out_thumbs(one.thumbnails)
    for number, items in enumerate(thumbs.rest if thumbs else (), start=2):
        page = [
            {
                "participant": item.participant,
                "href": _address(item.href),  # empty where the participant has no page
                "alt": item.figure.alt,
                "width": item.figure.width,
                "height": item.figure.height,
                "source": parts.source(item.figure),
            }
            for item in items
        ]
        parts.add_block(
            f"thumbs-{one.key}-{number}", pack_text(json.dumps(page)), {"of": thumbs.n_pages if thumbs else 0}
        )


def _show_tables(parts: _Parts) -> dict[str, ShownTable]:
    """Every table with its plain rows; a page of very many rows keeps fewer of each, since the script has them all."""
    lengths = [count_rows(table.tsv) + count_rows(peaks) for table, peaks in parts.tables.values()]
    plain = PLAIN_ROWS
    while plain > 10 and sum(min(length, plain) for length in lengths) > _PAGE_ROWS:
        plain //= 2
    shown = {}
    for key, (table, peaks) in parts.tables.items():
        shown[key] = show_table(table, peaks, plain)
        parts.add_block(f"text-{key}", pack_text(table.tsv), may_leave=False)
        if peaks:
            parts.add_block(f"peaks-{key}", pack_text(peaks), may_leave=False)
        if table.links:
            addresses = {text: _address(href) for text, href in table.links.items()}
            parts.add_block(f"links-{key}", pack_text(json.dumps(addresses)), may_leave=False)
        for name, told in (("tips", table.tips), ("words", table.words)):
            if told:
                texts = {column: dict(own) for column, own in told.items()}
                parts.add_block(f"{name}-{key}", pack_text(json.dumps(texts)), may_leave=False)
    return shown


def _participant_counts(page: ParticipantPage) -> list[tuple[str, int, str, str]]:
    """(words, number, where it leads, tone), in the order a reader asks; what is none of is not told, but maps."""
    empty = sum(not any(entry.n_regions for entry in section.entries) for section in page.sections)
    counts = [
        (_plural(len(page.sections), "map"), len(page.sections), "", ""),
        (_plural(n := sum(e.n_regions for s in page.sections for e in s.entries), "region"), n, "", ""),
        ("without a region", empty, "", ""),
        ("skipped", len(page.skipped), "#skipped", ""),
        ("failed", len(page.failures), "#errors", "bad"),
    ]
    return [count for count in counts if count[1] or count[0] == "maps"]


def _group_count(words: str, number: int) -> tuple[str, int, str, str]:
    bad = words == "failed" and number > 0
    if number == 1:
        words = (
            words.replace("participants", "participant").replace("maps", "map").replace("sets of map", "set of maps")
        )
    return words, number, "#errors" if bad else "", "bad" if bad else "" if number else "quiet"


def _guide(parts: _Parts, skip: str = "") -> list[tuple[str, str]]:
    """Every described column of the page's tables, once."""
    described: dict[str, str] = {}
    for key, (table, _) in parts.tables.items():
        if key != skip:
            for column, description in table.descriptions.items():
                described.setdefault(column, description)
    return list(described.items())


# ---------------------------------------------------------------------------------------------------- rendering


def _address(href: str) -> str:
    """A path relative to the page as an address. Its colons are escaped, so that no file name becomes a scheme."""
    return href if href.startswith("#") else quote(href, safe="/+,=@~!$()*;", errors="surrogateescape")


def _plural(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {_plural(number, noun)}"


def _sentence(text: str) -> str:
    """What a record or a fault says, which ends without a full stop, as a sentence of the page.

    >>> _sentence("12 voxels were not finite"), _sentence("Fetch it again."), _sentence("")
    ('12 voxels were not finite.', 'Fetch it again.', '')
    """
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _options(command: str) -> list[str]:
    """A command in pieces that should not be broken over lines: the program, then each option with its values.

    >>> _options("bids_regions BIDS_DIR --threshold 97% 3.0 --grf")
    ['bids_regions BIDS_DIR', '--threshold 97% 3.0', '--grf']
    """
    return re.split(" (?=--)", command)


def _groups(items: Iterable[Section | GroupSet]) -> list[tuple[str, list[Section | GroupSet]]]:
    """Neighbours of one group together, in their order."""
    return [(group, list(members)) for group, members in groupby(items, key=lambda item: item.group)]


def _tally(section: Section) -> str:
    return " + ".join(str(entry.n_regions) for entry in section.entries)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bids_regions.report"),
        autoescape=True,
        undefined=StrictUndefined,
        bytecode_cache=CompiledTemplates(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "address": _address,
        "count": _count,
        "doi": lambda doi: quote(doi, safe="/"),
        "groups": _groups,
        "options": _options,
        "sentence": _sentence,
        "tally": _tally,
    }
    return environment


def compile_templates() -> None:
    """Compile every template, for an installation that no run may write to."""
    for path in sorted(TEMPLATES.glob("*.j2")):
        _environment().get_template(path.name)


@cache
def _static(name: str) -> str:
    """The text of a style or a script of ours."""
    loader = PackageLoader("bids_regions.report", "static")
    return loader.get_source(_environment(), name)[0]


def _policy(scripts: Iterable[str], style: str, *, side_files: bool) -> str:
    """What the page may do: run exactly its own scripts and styles, show its own pictures, and nothing else."""

    def fingerprint(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"

    beside = " 'self'" if side_files else ""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(fingerprint(script) for script in scripts)}{beside}",
            f"style-src {fingerprint(style)}",
            f"img-src data:{beside}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _render(
    template: str,
    page: ParticipantPage | GroupPage,
    parts: _Parts,
    shown: dict[str, ShownTable],
    context: dict[str, Any],
) -> Rendered:
    scripts = [_static(name) for name in (_GROUP_SCRIPTS if isinstance(page, GroupPage) else _PARTICIPANT_SCRIPTS)]
    style = _static("page.css")
    text = (
        _environment()
        .get_template(template)
        .render(
            page=page,
            source=parts.source,
            blocks=parts.blocks,
            views=parts.views,
            first_views=parts.first_views,
            entry_views=parts.entry_views,
            shown_tables=shown,
            movable=parts.movable,
            peaks_of={key for key, (_, peaks) in parts.tables.items() if peaks},
            scripts=[Markup(script) for script in scripts],  # noqa: S704  our own files
            style=Markup(style),  # noqa: S704  our own file
            side_files=parts.heavy,
            later=parts.n_sections > _MANY_SECTIONS,
            policy=_policy(scripts, style, side_files=parts.heavy),
            **context,
        )
    )
    return Rendered(html=text.encode(errors="replace"), side_files=tuple(sorted(parts.side_files.items())))
