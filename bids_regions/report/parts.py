"""What a page is made of, gathered section by section: packed data, views, tables, pictures.

A *block* is packed data in the page. Where volumes and pictures would make it heavier than sixty megabytes they stand
beside it, in `figures` folders: volumes as scripts (a page opened from disk may load a script, but not read a file),
pictures as they are. What the page looks like is not known here.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any
from urllib.parse import quote

from bids_regions.frozen import dataclass
from bids_regions.report.cohort import agreement_array, lay_out_thumbs
from bids_regions.report.model import (
    Background,
    EntryView,
    Figure,
    GroupSet,
    Packed,
    PackedSheet,
    Section,
    Table,
    Volume,
)
from bids_regions.report.payload import pack_array, pack_text
from bids_regions.report.presentation import PLAIN_ROWS, ShownTable, count_rows, show_table

__all__ = ["HEAVY", "Parts", "add_cohort_blocks", "add_sheets", "address_of", "gather_parts", "show_tables"]

HEAVY = 60_000_000  # bytes of packed volumes and pictures that a page holds itself
_VOLUME = ("step", "limit", "quantity", "palette", "highest", "lowest")  # what the viewer is told of a volume
_PAGE_ROWS = 6_000  # plain rows of all tables of a page together; the script shows every row anyway
_IN_ADDRESS = '%#<>"` \t\n{}|^\\'  # what text in an address is written without; the sign of it first
_SUFFIXES = {"image/webp": "webp", "image/png": "png", "image/svg+xml": "svg", "image/jpeg": "jpg"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Packed data in the page, or in a file beside it."""

    id: str
    header: str  # JSON
    text: str  # base64
    src: str = ""


@dataclass(kw_only=True)
class Parts:
    """What a page is made of, gathered section by section."""

    folder: str  # of side files, relative to the page
    heavy: bool
    n_sections: int
    blocks: list[Block] = field(default_factory=list)
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
            self.blocks.append(Block(id=identity, header=written, text=text))
            return
        name = f"{self.folder}/{identity}.js"
        self.side_files[name] = f"bidsRegionsSide({json.dumps(identity)}, {json.dumps(text)});\n".encode()
        self.blocks.append(Block(id=identity, header=written, text="", src=address_of(name)))

    def source(self, figure: Figure) -> str:
        """The address of a picture: its data, or a file beside a heavy page."""
        if not self.heavy:
            if figure.mime == "image/svg+xml":  # text, whose pixels are base64 already
                return f"data:{figure.mime},{_as_address(figure.data.decode('utf-8'))}"
            return f"data:{figure.mime};base64,{base64.b64encode(figure.data).decode('ascii')}"
        digest = hashlib.sha256(figure.data).hexdigest()[:16]
        name = f"{self.folder}/picture-{digest}.{_SUFFIXES.get(figure.mime, 'bin')}"
        self.side_files[name] = figure.data
        return address_of(name)


def gather_parts(
    sections: Sequence[Section],
    volumes: Iterable[Volume],
    backgrounds: Iterable[Background],
    folder: str,
    pictures: Iterable[Figure] = (),
) -> Parts:
    """The parts of a page's sections, in their order; heavy where volumes and pictures are."""
    volumes, backgrounds = tuple(volumes), tuple(backgrounds)
    _refuse_equal_keys([section.key for section in sections], [v.key for v in volumes], [b.key for b in backgrounds])
    entries = [entry for section in sections for entry in section.entries]
    arrays = [volume.array for volume in volumes] + [background.array for background in backgrounds]
    arrays += [entry.labels for entry in entries if entry.labels]
    figures = [figure for entry in entries for figure in entry.figures]
    weight = sum(len(array.text) for array in arrays) + sum(len(f.data) * 4 // 3 for f in (*figures, *pictures))
    parts = Parts(folder=folder, heavy=weight > HEAVY, n_sections=len(sections))
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
        if any(volume.first):
            extra["first"] = volume.first
        parts.add_block(f"volume-{volume.key}", volume.array.text, _header(volume.array, volume) | extra)
    for section in sections:
        for number, entry in enumerate(section.entries, start=1):
            _add_entry(parts, section, entry, f"{section.key}-{number}")
    return parts


def add_sheets(parts: Parts, sheets: Iterable[PackedSheet]) -> None:
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


def _add_entry(parts: Parts, section: Section, entry: EntryView, key: str) -> None:
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


def add_cohort_blocks(parts: Parts, one: GroupSet) -> None:
    """What a set's strips, agreement and later pages of thumbnails are made of."""
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
                "href": address_of(item.href),  # empty where the participant has no page
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


def show_tables(parts: Parts) -> dict[str, ShownTable]:
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
            addresses = {text: address_of(href) for text, href in table.links.items()}
            parts.add_block(f"links-{key}", pack_text(json.dumps(addresses)), may_leave=False)
        for name, told in (("tips", table.tips), ("words", table.words)):
            if told:
                texts = {column: dict(own) for column, own in told.items()}
                parts.add_block(f"{name}-{key}", pack_text(json.dumps(texts)), may_leave=False)
    return shown


def address_of(href: str) -> str:
    """A path relative to the page as an address. Its colons are escaped, so that no file name becomes a scheme."""
    return href if href.startswith("#") else quote(href, safe="/+,=@~!$()*;", errors="surrogateescape")


def _as_address(text: str) -> str:
    """Text as an address holds it.

    >>> _as_address('<a b="50%">')
    '%3Ca%20b=%2250%25%22%3E'
    """
    for character in _IN_ADDRESS:  # each once over all of it: faster than character by character
        text = text.replace(character, f"%{ord(character):02X}")
    return text
