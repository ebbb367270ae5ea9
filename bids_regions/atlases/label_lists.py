"""Lists of labels as the field writes them, read into {value in the image: name}.

A *label list* is a BIDS table (`index`, `name`), a CSV, an XML description as FSL and AAL ship it, or plain text with
`index name [r g b a]` on each line. Names are keyed by the value that the label has in a label image, which for a
4-D probabilistic image is the number of its volume counted from one. This room knows no image.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.parsers import expat

from bids_regions.errors import MissingInput, printable
from bids_regions.frozen import dataclass
from bids_regions.tables import NO_VALUE

__all__ = ["LABEL_LIST_SUFFIXES", "LabelList", "clean_name", "read_label_list", "unusable"]

LABEL_LIST_SUFFIXES = (".tsv", ".csv", ".xml", ".txt", ".lut", ".ctab")  # in the order in which a pair is looked for
SIZE_LIMIT = 16 * 1024 * 1024  # bytes; the longest list in use (FreeSurfer's) has a hundredth of it
NAME_LIMIT = 200  # characters
INDEX_COLUMNS = ("index", "component", "id", "value")  # BIDS says index; DiFuMo's tables say Component
BESIDE_NAMES = (  # what stands on the lines of text lists beside index and name
    r"^(?:\d+(?:\.\d+)?[\t ]+){3,}",  # colours in front, as in cerebellar .lut files
    r"(?:[\t ]+\d{1,3}){4}$",  # red green blue alpha
    r"(?:[\t ]+\d{1,3}){3}$",
    r"(?<=\S)[\t ]+\d+$",  # a second number, as AAL and MRIcron have
)
NAME_COLUMNS = ("name", "difumo_names", "label", "region")


@dataclass(frozen=True, kw_only=True)
class LabelList:
    """The names of an atlas's values, and what was remarkable in their list."""

    names: dict[int, str]  # value in a label image, or volume counted from one -> name, cleaned
    notes: tuple[str, ...] = ()  # sentences


Rows = list[tuple[str, str, str]]  # where ("line 3"), index and name as written


def read_label_list(path: Path) -> LabelList:
    """The names in `path`, whose kind its suffix tells; everything without a known suffix is plain text.

    Raises
    ------
    MissingInput
        The list is not there, cannot be read, or names one value twice; the sentence names the line.
    """
    content = _read_bytes(path)
    suffix = path.suffix.lower()
    notes: tuple[str, ...] = ()
    if suffix == ".xml":
        rows = _xml_rows(path, content)
    elif suffix == ".tsv":
        rows, notes = _tsv_rows(path, _decode(path, content))
    elif suffix == ".csv":
        rows = _csv_rows(path, _decode(path, content))
    else:
        rows, notes = _text_rows(path, _decode(path, content))
    return _collect(path, rows, notes)


def clean_name(text: str) -> str:
    """A label as every table can carry it: one line, no `;` (it separates labels) and no `"` (it opens a quoted cell).

    >>> clean_name('Gyrus; "left"  part')
    "Gyrus, 'left' part"
    """
    shown = printable(" ".join(text.split()), NAME_LIMIT)
    return shown.replace(";", ",").replace('"', "'").strip(" ,")


def unusable(path: Path, what: str, hint: str) -> MissingInput:
    """The fault of a named atlas file that cannot be used."""
    return MissingInput(f"The atlas file {path} {what}", hint=hint)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise unusable(path, f"cannot be read: {error.strerror or error}", "Check the path") from error
    if len(content) > SIZE_LIMIT:
        raise unusable(path, f"is larger than {SIZE_LIMIT >> 20} MiB: no list of labels", "Name the right file")
    if not content.strip():
        raise unusable(path, "is empty", "Give a list with an index and a name for each label")
    return content


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unusable(path, "is not UTF-8 text", "Save it as UTF-8") from error


def _lines(text: str) -> list[tuple[int, str]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _tsv_rows(path: Path, text: str) -> tuple[Rows, tuple[str, ...]]:
    lines = _lines(text)
    header = lines[0][1].split("\t")
    notes: tuple[str, ...] = ()
    if len(header) == 1 and header[0].strip().lower() == "indexname":
        # TemplateFlow's GlasserHCPMMP1 table lost the tab of its header
        header = ["index", "name"]
        notes = (f"The header of {path.name} lacks its tab: read as index and name",)
    return _table_rows(path, header, [(number, line.split("\t")) for number, line in lines[1:]]), notes


def _csv_rows(path: Path, text: str) -> Rows:
    try:
        cells = [row for row in csv.reader(text.splitlines(), strict=True) if any(c.strip() for c in row)]
    except csv.Error as error:
        raise unusable(path, f"is not valid CSV ({error})", "Fix its quotes") from error
    numbered = list(enumerate(cells, start=1))
    if _as_index(cells[0][0]) is not None and len(cells[0]) > 1:
        return [(f"line {number}", row[0], row[1] if len(row) > 1 else "") for number, row in numbered]
    return _table_rows(path, cells[0], numbered[1:])


def _table_rows(path: Path, header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> Rows:
    columns = [cell.strip().lower() for cell in header]
    index = next((columns.index(c) for c in INDEX_COLUMNS if c in columns), None)
    name = next((columns.index(c) for c in NAME_COLUMNS if c in columns), None)
    if index is None or name is None:
        found = ", ".join(repr(c) for c in header[:6])
        raise unusable(
            path,
            f"has no header with the columns index and name (its first line holds {found})",
            "Give it the first line 'index<tab>name' as BIDS asks for",
        )
    table: Rows = []
    for number, cells in rows:
        if len(cells) <= max(index, name):
            raise unusable(path, f"has only {len(cells)} cell(s) in line {number}", "Complete or remove that line")
        table.append((f"line {number}", cells[index], cells[name]))
    return table


def _text_rows(path: Path, text: str) -> tuple[Rows, tuple[str, ...]]:
    lines = [(number, line.strip()) for number, line in _lines(text) if not line.lstrip().startswith(("#", "//"))]
    if not lines:
        raise unusable(path, "holds only comments", "Give a list with an index and a name on each line")
    starts = [re.match(r"(\d+)(?:[\s,:=]+(.*))?$", line) for _, line in lines]
    if not any(starts):
        note = f"{path.name} has no index: its names are taken for the values 1 to {len(lines)} in their order"
        return [(f"line {n}", str(k), line) for k, (n, line) in enumerate(lines, start=1)], (note,)
    table: Rows = []
    for (number, line), start in zip(lines, starts, strict=True):
        if start is None:
            what = f"has no index at the start of line {number} ({printable(line, 40)!r})"
            raise unusable(path, what, "Begin each line with the index")
        table.append((f"line {number}", start[1], start[2] or ""))
    names = _without_colours([name for _, _, name in table])
    return [(where, index, name) for (where, index, _), name in zip(table, names, strict=True)], ()


def _without_colours(names: list[str]) -> list[str]:
    """Names without what else stands on their lines, where every line has it: colours, or AAL's second number."""
    quoted = [re.search(r'"([^"]+)"\s*$', name) for name in names]
    if all(quoted):  # ITK-SNAP: index, colour, visibility, then the name in quotes
        return [found[1] for found in quoted if found]
    for pattern in BESIDE_NAMES:
        shorter = [re.sub(pattern, "", name.strip()) for name in names]
        # where names would fall together the numbers are part of them: "Area 1", "Area 2"
        if all(s != n.strip() for s, n in zip(shorter, names, strict=True)) and len(set(shorter)) == len(set(names)):
            return shorter
    return names


def _xml_rows(path: Path, content: bytes) -> Rows:
    """The `label` elements of an FSL or AAL description.

    FSL counts from 0; its maximum-probability images hold index + 1 (type Probabilistic), its label images the index
    itself (type Label), unless a `value` attribute says it. AAL has child elements `index` and `name`.
    """
    reader = _XmlReader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    parser.StartDoctypeDeclHandler = reader.refuse  # a declaration is where entities, also external ones, come from
    try:
        parser.Parse(content, True)
    except _DoctypeFoundError:
        hint = "Remove the DOCTYPE: a list of labels needs none, and it can make a reader open or blow up other files"
        raise unusable(path, "has a document type declaration, which is refused", hint) from None
    except expat.ExpatError as error:
        raise unusable(path, f"is not valid XML ({error})", "Fix it") from error
    if not reader.labels:
        raise unusable(path, "has no label element", "Name the atlas's own description")
    return [_xml_row(number, label, reader.kind) for number, label in enumerate(reader.labels, start=1)]


def _xml_row(number: int, label: dict[str, str], kind: str) -> tuple[str, str, str]:
    where, index = f"label {number}", label.get("index", "").strip()
    if "value" in label:
        return where, label["value"], label["name"]
    zero_based = "child" not in label and not kind.startswith("label")
    known = _as_index(index)
    return where, str(known + 1) if zero_based and known is not None else index, label["name"]


class _DoctypeFoundError(Exception):
    """The document declares a type."""


class _XmlReader:
    """Collects the labels and the type of an atlas description; elements inside a label are its index and name."""

    def __init__(self) -> None:
        self.labels: list[dict[str, str]] = []
        self.kind = ""
        self.text: list[str] = []
        self._open: dict[str, str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.text.clear()
        if tag == "label":
            self._open = {key: value for key, value in attributes.items() if key in {"index", "value"}}

    def end(self, tag: str) -> None:
        text = "".join(self.text).strip()
        self.text.clear()
        if self._open is None:
            self.kind = text.lower() if tag == "type" else self.kind
        elif tag == "label":
            self.labels.append({"name": text} | self._open)
            self._open = None
        elif tag in {"index", "name"}:
            self._open |= {tag: text, "child": "yes"}

    def refuse(self, *_: object) -> None:
        raise _DoctypeFoundError


def _as_index(text: str) -> int | None:
    found = re.fullmatch(r"\s*(\d{1,9})(?:\.0*)?\s*", text)
    return int(found[1]) if found else None


def _collect(path: Path, rows: Rows, notes: tuple[str, ...]) -> LabelList:
    names: dict[int, str] = {}
    lines: dict[int, str] = {}
    for where, written, name in rows:
        index = _as_index(written)
        if index is None:
            what = f"has no whole number as index in {where} but {printable(written, 40)!r}"
            raise unusable(path, what, "Give every label the integer that it has in the image")
        label = clean_name(name)
        label = f"label {index}" if label.lower() in {"", NO_VALUE} else label
        if names.setdefault(index, label) != label:
            what = f"names the index {index} twice: {names[index]!r} in {lines[index]} and {label!r} in {where}"
            raise unusable(path, what, "Leave one of them")
        lines.setdefault(index, where)
    if not names:
        raise unusable(path, "has a header but no label", "Give a line for each label")
    return LabelList(names=names, notes=notes)
