"""Tables as a reader wants them: which columns come first, how many digits they show, what their heads say.

The text of the TSV file stays the truth; the page shows it rounded, and gives it back whole on copy and download.
`table.js` makes the same rows from the same text, so both round alike: half away from zero, as JavaScript does.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from bids_regions.frozen import dataclass
from bids_regions.report.model import Section, Table
from bids_regions.tables import NO_VALUE, is_named, region_columns

__all__ = [
    "PLAIN_ROWS",
    "Cell",
    "Head",
    "Row",
    "ShownTable",
    "count_rows",
    "overview_table",
    "parse_tsv",
    "show_number",
    "show_table",
]

PLAIN_ROWS = 500  # rows a table has in the page itself; the script shows all of them, for any number
_SAMPLE = 2000  # rows that decide whether a column holds numbers, and how many digits they need

SHOWN = {"map": "folded", "session": "where known"}  # of the columns that the group puts before a region's own
_COLUMNS = {column.name: column for column in region_columns(fields=True, values=True, sheets=True)}
_LONG = 30  # characters of a cell from which a column of text is kept narrow, whole on hovering

_ALWAYS = frozenset({"region", "region_name", "sign", "n_voxels", "peak_value", "mean_value", "outlier"})
_LESS = ("values_peak", "mean_value", "volume_mm3")  # of regions: folded first where a table is too wide, in this order
_ATLAS_PEAK = re.compile(r"(?!values_).+_peak")
_SIDE = re.compile(r"^(Left|Right) ")  # what leads a name, where the side is known
_ORDINAL = re.compile(r" \(\d+\)$")  # what tells regions of one name apart
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PROBABILITY = re.compile(r"[pq]_|.*_p$|.*_[pq]_")  # columns of p and q values
_INTEGER = re.compile(r"[-+]?\d+")


@dataclass(frozen=True, kw_only=True)
class Head:
    """One column of a shown table."""

    column: str  # its name in the TSV file
    heading: str
    unit: str
    title: str  # what it is, in a sentence
    kind: str  # "id", "number", "link", "text"
    decimals: str  # how many; "": four digits each; "w": as written; "p": a probability, never as 0.0000; "%": a share
    # in per cent; "of:a:b": a share as the counts in the columns a and b
    minor: bool
    long: bool = False  # text too long for a line: cut on the screen, broken anywhere on paper

    @property
    def classes(self) -> str:
        """Its class in the page."""
        end = self.long and self.column == "set"  # names of sets differ at their ends
        return self.kind + " long" * self.long + " end" * end + " minor" * self.minor


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell as shown, with the file's text where that is longer."""

    head: Head
    text: str
    exact: str = ""
    colour: str = ""
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row; a sub-peak's row stands under its region's."""

    cells: tuple[Cell, ...]
    is_peak: bool = False


@dataclass(frozen=True, kw_only=True)
class ShownTable:
    """A table ready for the template."""

    table: Table
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    n_rows: int  # of the file; `rows` may hold fewer
    n_shown: int  # rows of the file among `rows`
    dense: bool = False  # set closer, to fit its page


def parse_tsv(text: str, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    r"""Header and rows of a TSV text, at most the first `most` rows; short rows are filled with empty cells.

    >>> parse_tsv("a\tb\n1\t2\n3\n")
    (['a', 'b'], [['1', '2'], ['3', '']])
    >>> parse_tsv("a\tb\n1\t2\n3\n", most=1)
    (['a', 'b'], [['1', '2']])
    """
    lines = text.split("\n") if most is None else text.split("\n", most + 1)[: most + 1]
    if not lines[0]:
        return [], []
    header = lines[0].split("\t")
    rows = [line.split("\t") for line in lines[1:] if line]
    return header, [(row + [""] * len(header))[: len(header)] for row in rows]


def count_rows(text: str) -> int:
    r"""Rows of a TSV text below its header.

    >>> count_rows("a\n1\n2\n"), count_rows("a\n1\n2"), count_rows("")
    (2, 2, 0)
    """
    return max(0, text.rstrip("\n").count("\n"))


def show_number(text: str, decimals: str = "") -> str:
    """A number as the page shows it; anything else as it is. `decimals` as in `Head`.

    >>> [show_number(t) for t in ("7.941344261", "12", "0.00001234", "15678.9", "n/a")]
    ['7.941', '12', '1.2e-5', '15679', 'n/a']
    >>> show_number("-22.5", "2"), show_number("39", "1"), show_number("3.1e-11", "p"), show_number("0.04321", "p")
    ('-22.50', '39.0', '3.1e-11', '0.0432')
    >>> show_number("-0.8333", "%"), show_number("0.0231", "of:n_sharing:n_with_data"), show_number("0.9997", "%")
    ('83 %', '2.3 %', '> 99 %')
    """
    value = _float(text) + 0.0  # no minus zero, as in the script
    if decimals == "w" or not math.isfinite(value):
        return text
    size = abs(value)
    if decimals.startswith(("%", "of:")):
        if 0.995 <= size < 1:
            return "> 99 %"  # not all
        return f"{_fixed(100 * size, 0 if size >= 0.1 or size == 0 else 1)} %"
    if size >= 1e15:
        return _scientific(value, 3)
    if decimals == "p":
        return "0" if value == 0 else _scientific(value, 1) if size < 0.001 else _fixed(value, 4)
    return _fixed(value, int(decimals)) if decimals else _four_digits(text, value)


def _four_digits(text: str, value: float) -> str:
    size = abs(value)
    if value == 0 or _INTEGER.fullmatch(text):
        return text
    if size < 0.001:
        return _scientific(value, 1)
    if size >= 1000:
        return _fixed(value, 0)
    fixed = _fixed(value, 3 - math.floor(math.log10(size)))
    return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed


def _fixed(value: float, digits: int) -> str:
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _scientific(value: float, digits: int) -> str:
    """As JavaScript writes it: 1.2e-5, 3.000e+20."""
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(exponent):+d}"


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _decimals(column: str, texts: list[str]) -> str:
    """How many decimals show a column's numbers in four digits or so, one above the other."""
    written = [text for text in texts if math.isfinite(_float(text))]
    if all(_INTEGER.fullmatch(text) for text in written):
        return "w"
    if _PROBABILITY.match(column):
        return "p"
    if column in _COLUMNS and _COLUMNS[column].units == "mm":
        return "1"
    sizes = [abs(float(text)) for text in written if float(text) != 0]
    if not sizes:
        return ""
    decimals = min(4, max(0, 3 - math.floor(math.log10(max(sizes)))))
    return "" if min(sizes) < 0.5 * 10**-decimals else str(decimals)  # none of them is shown as nothing


def _head(table: Table, column: str, texts: list[str], *, regions: bool) -> Head:
    values = [text for text in texts if text not in {NO_VALUE, ""}]
    numeric = bool(values) and all(not math.isnan(_float(text)) for text in values)
    kind = "id" if regions and column == "index" else "link" if column == table.link_column else "text"
    kind = "number" if kind == "text" and numeric else kind
    known = _COLUMNS.get(column) if regions else None
    description = table.descriptions.get(column, known.description if known else "")
    own = table.headings.get(column, "")
    unit = known.units.replace("mm3", "mm³").replace("mm2", "mm²") if known and not own else ""
    spoken = table.words.get(column, {})
    return Head(
        column=column,
        heading=own or (((known and known.heading) or column.replace("_", " ")) if regions else column),
        unit=unit,
        title=f"{column}: {description}" if description else column,
        kind=kind,
        decimals=_decimals_of(table, column, values) if kind == "number" else "",
        minor=column in table.folded or (_is_minor(column, values) if regions else not values),
        long=kind == "text" and any(len(spoken.get(value, value)) > _LONG for value in values),
    )


def _decimals_of(table: Table, column: str, values: list[str]) -> str:
    counts = table.shares.get(column)
    return _decimals(column, values) if counts is None else ":".join(("of", *counts)) if counts else "%"


def _is_minor(column: str, values: list[str]) -> bool:
    shown = _COLUMNS[column].shown if column in _COLUMNS else SHOWN.get(column, "always")
    unknown = not values and (shown == "where known" or column in _COLUMNS)  # as voxels are on the cortex
    return shown == "folded" or unknown or column.endswith("_overlap")


def _fold_numbers(heads: list[Head], columns: list[list[str]]) -> list[Head]:
    """Fold the names of regions in a table of values where they are no more than numbers."""
    texts = {head.column: column for head, column in zip(heads, columns, strict=True)}
    plain = not any(map(is_named, texts.get("region", []), texts.get("region_name", [])))
    return [replace(head, minor=True) if plain and head.column == "region_name" else head for head in heads]


def _fold_repeats(heads: list[Head], columns: list[list[str]]) -> list[Head]:
    """Fold what is told already: names that are numbers; atlases that say what names say, all but one of the others.

    A structure that is the cortex of the hemisphere beside it is told, too, and so is the side that leads a name there.
    """
    texts = {head.column: column for head, column in zip(heads, columns, strict=True)}
    names = [_ORDINAL.sub("", text) for text in texts.get("name", [])]
    sideless = [_SIDE.sub("", name) for name in names] if "hemi" in texts else names
    atlases = [head.column for head in heads if _ATLAS_PEAK.fullmatch(head.column) and head.kind == "text"]
    told = [column for column in atlases if texts[column] not in (names, sideless)]
    folded = set(atlases) - set(told[:1])
    if not any(map(is_named, texts["index"], texts.get("name", []))):
        folded.add("name")
    if "hemi" in texts and set(texts["structure"]) <= {"CORTEX_LEFT", "CORTEX_RIGHT"}:
        folded.add("structure")
    return [replace(head, minor=True) if head.column in folded else head for head in heads]


_ROOM = 1090  # CSS pixels of a table on a page of 1440
_LETTER, _PADDING, _SWATCHES = 8.0, 19.5, 60.0  # CSS pixels of a letter, of a cell's sides, of what leads a region
_DENSE_LETTER, _DENSE_PADDING = 7.3, 11.5  # the same in a table set dense
_LONGEST = {True: 240.0, False: 448.0}  # CSS pixels that text is given at most: where it is cut, where it is not


def _letters(table: Table, head: Head, texts: list[str]) -> float:
    """The letters of the widest cell of a column, or of its heading, which is bold."""
    words = table.words.get(head.column, {})
    shown = {show_number(text, head.decimals) if head.kind == "number" else text for text in set(texts)}
    heading = len(head.heading) + len(head.unit) + bool(head.unit)
    return max(1.1 * heading, *(len(words.get(text, text)) for text in shown), 0)


def _width(head: Head, letters: float, *, dense: bool) -> float:
    """About how many CSS pixels a column takes."""
    width = (_DENSE_LETTER if dense else _LETTER) * letters + (_SWATCHES if head.kind == "id" else 0.0)
    padding = _DENSE_PADDING if dense else _PADDING
    return padding + (min(width, _LONGEST[head.long]) if head.kind == "text" else width)


def _fit(heads: list[Head], letters: list[float], *, regions: bool) -> tuple[list[Head], bool]:
    """A table no wider than its page: set dense, then with columns folded, so that nothing is cut."""

    def room(dense: bool) -> float:
        widths = [_width(h, n, dense=dense) for h, n in zip(heads, letters, strict=True) if not h.minor]
        return _ROOM - sum(widths)

    if room(dense=False) >= 0:
        return heads, False
    left, fitted = room(dense=True), list(heads)
    order = [at for name in _LESS for at, head in enumerate(heads) if head.column == name]
    order = order if regions else [at for at in reversed(range(len(heads))) if heads[at].column not in _ALWAYS]
    for at in order:
        if left < 0 and not heads[at].minor and heads[at].kind != "link":
            fitted[at] = replace(heads[at], minor=True)
            left += _width(heads[at], letters[at], dense=True)
    return fitted, True


def _cell(table: Table, head: Head, cells: Mapping[str, str], colour: str = "") -> Cell:
    text = cells[head.column]
    shown = show_number(text, head.decimals) if head.kind == "number" else text
    if head.decimals.startswith("of:") and text != NO_VALUE:
        shown = " of ".join(f"{int(cells[column]):,}" for column in head.decimals.split(":")[1:])
    shown = table.words.get(head.column, {}).get(shown, shown)
    href = (table.links or {}).get(text, "") if head.kind == "link" else ""
    whole = text if shown != text or head.long else ""
    exact = (table.tips or {}).get(head.column, {}).get(cells.get("index", ""), "") or whole
    return Cell(head=head, text=shown, exact=exact, colour=colour if head.kind == "id" else "", href=href)


def show_table(table: Table, peaks: str = "", plain_rows: int = PLAIN_ROWS) -> ShownTable:
    """The head of a table and its first rows, each region's sub-peaks under it."""
    header, rows = parse_tsv(table.tsv, most=max(_SAMPLE, plain_rows))
    regions = "index" in header and "peak_value" in header
    columns = [[row[at] for row in rows[:_SAMPLE]] for at in range(len(header))]
    heads = [_head(table, column, texts, regions=regions) for column, texts in zip(header, columns, strict=True)]
    heads = _fold_repeats(heads, columns) if regions else _fold_numbers(heads, columns)
    letters = [_letters(table, head, texts) for head, texts in zip(heads, columns, strict=True)]
    heads, dense = _fit(heads, letters, regions=regions)
    plain = [head for head in heads if not head.minor]  # the script makes rows with all columns
    below = _peak_rows(plain, peaks)
    shown: list[Row] = []
    for row in rows[:plain_rows]:
        cells = dict(zip(header, row, strict=True))
        colour = cells.get("color", "") if regions and _COLOUR.fullmatch(cells.get("color", "")) else ""
        shown.append(Row(cells=tuple(_cell(table, head, cells, colour) for head in plain)))
        shown += below.get(cells["index"], []) if regions else []
    n_rows = count_rows(table.tsv)
    n_shown = min(n_rows, plain_rows)
    return ShownTable(table=table, heads=tuple(heads), rows=tuple(shown), n_rows=n_rows, n_shown=n_shown, dense=dense)


def _peak_rows(heads: list[Head], peaks: str) -> dict[str, list[Row]]:
    """Rows of the sub-peaks by the number of their region; rank 1 is the region's own row."""
    header, rows = parse_tsv(peaks)
    found: dict[str, list[Row]] = {}
    for row in rows:
        peak = dict(zip(header, row, strict=True))
        if peak.get("rank") != "1":
            below = Row(cells=tuple(_peak_cell(head, peak) for head in heads), is_peak=True)
            found.setdefault(peak["index"], []).append(below)
    return found


def _peak_cell(head: Head, peak: dict[str, str]) -> Cell:
    if head.kind == "id":
        return Cell(head=head, text=f"peak {peak['rank']}")
    name = "value" if head.column == "peak_value" else re.sub(r"^peak_([xyzijk])$", r"\1", head.column)
    text = peak.get(name, "") if name != "index" else ""
    shown = show_number(text, head.decimals) if head.kind == "number" else text
    return Cell(head=head, text=shown, exact=text if shown != text or head.long else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _largest(columns: list[str], rows: list[list[str]]) -> dict[str, str]:
    """The row of the region with most voxels, by column; empty where there is none."""
    if not rows:
        return {}
    size = columns.index("n_voxels")
    largest = max(rows, key=lambda row: _float(row[size]))
    return dict(zip(columns, largest, strict=True))


def _tell_apart(sections: Sequence[Section]) -> list[str]:
    """A name for each map that no other has: its title, with its group or else its file where titles are equal."""
    plain = [section.title for section in sections]
    plain_counts = Counter(plain)
    grouped = [f"{section.title} ({section.group})" if section.group else section.title for section in sections]
    found = [_one_line(g if plain_counts[p] > 1 else p) for p, g in zip(plain, grouped, strict=True)]
    twice = {name for name, number in Counter(found).items() if number > 1}
    return [
        _one_line(f"{section.title} ({section.source or section.key})") if name in twice else name
        for name, section in zip(found, sections, strict=True)
    ]


def overview_table(sections: Sequence[Section]) -> Table:
    """One row per map and entry: how many regions, the largest one, its peak. Its links lead down the page."""
    header = ["map", "of", "entry", "regions", "largest_voxels", "peak_value", "peak_x", "peak_y", "peak_z"]
    lines, links = [header], {}
    for title, section in zip(_tell_apart(sections), sections, strict=True):
        links[title] = f"#{section.key}"
        for entry in section.entries:
            columns, rows = parse_tsv(entry.regions.tsv if entry.regions else "")
            first = _largest(columns, rows)
            found = [first.get(name, NO_VALUE) for name in ("n_voxels", "peak_value", "peak_x", "peak_y", "peak_z")]
            lines.append(
                [
                    title,
                    _one_line(section.group) or NO_VALUE,
                    _one_line(entry.title or entry.name),
                    str(entry.n_regions),
                    *found,
                ]
            )
    descriptions = {
        "map": "the map, as the headings below name it",
        "of": "session, task, run and what else the map belongs to",
        "entry": "the set of criteria",
        "regions": "regions that survived",
        "largest_voxels": "voxels of the largest region",
        "peak_value": "value at the largest region's peak, signed",
    } | {f"peak_{axis}": "place of that peak, mm, RAS+" for axis in "xyz"}
    return Table(
        key="overview-table",
        caption="All maps and their entries",
        tsv="".join("\t".join(line) + "\n" for line in lines),
        file_name="overview.tsv",
        descriptions=descriptions,
        headings={"entry": "rule", "largest_voxels": "voxels of the largest", "peak_value": "its peak"}
        | {f"peak_{axis}": f"{axis}, mm" for axis in "xyz"},
        links=links,
        link_column="map",
    )
