"""Pages as bytes: what the templates need is prepared here, and the policy that the finished page obeys.

A page is one file, and the files that stand beside it where it would be heavy (`parts`). The same model gives the same
bytes. What the data mean, and where the page lies, is not known here.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from itertools import chain, groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bids_regions.report.bytecode import TEMPLATES, CompiledTemplates
from bids_regions.report.cohort import lay_out_matrix, lay_out_strip, lay_out_thumbs
from bids_regions.report.model import (
    GroupPage,
    GroupSet,
    ParticipantPage,
    ReliabilityView,
    Rendered,
    Section,
)
from bids_regions.report.parts import Parts, add_cohort_blocks, add_sheets, address_of, gather_parts, show_tables
from bids_regions.report.presentation import ShownTable, overview_table

__all__ = ["compile_templates", "render_group", "render_participant"]

_MANY_SECTIONS = 40  # above it the script fills sections one after the other, so that the page opens at once

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


def render_participant(page: ParticipantPage) -> Rendered:
    """The page of one participant, and the side files it needs where it is heavy."""
    parts = gather_parts(page.sections, page.volumes, page.backgrounds, f"{page.participant}/figures/report")
    add_sheets(parts, page.sheets)
    overview = None
    if len(page.sections) > 1:
        overview = overview_table(page.sections)
        parts.tables[overview.key] = (overview, "")
    for table in page.appendix:
        parts.tables[table.key] = (table, "")
    shown = show_tables(parts)
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
    parts = gather_parts([*pseudo, *page.sections], page.volumes, page.backgrounds, "figures/report", pictures)
    add_sheets(parts, page.sheets)
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
        add_cohort_blocks(parts, one)
    shown = show_tables(parts)
    return _render("group.html.j2", page, parts, shown, context | {"guide": _guide(parts)})


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


def _guide(parts: Parts, skip: str = "") -> list[tuple[str, str]]:
    """Every described column of the page's tables, once."""
    described: dict[str, str] = {}
    for key, (table, _) in parts.tables.items():
        if key != skip:
            for column, description in table.descriptions.items():
                described.setdefault(column, description)
    return list(described.items())


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
        "address": address_of,
        "count": _count,
        "doi": lambda doi: quote(doi, safe="/"),
        "groups": lambda items: [(group, list(members)) for group, members in groupby(items, lambda item: item.group)],
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
    parts: Parts,
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
