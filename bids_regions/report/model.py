"""What a page shows, as plain values: the only thing the report room knows of the world.

A *page* belongs to one participant or to the group. It holds *sections*, one per map; a section holds *entries*, one
per threshold that was asked of that map, shown side by side. An entry has *views*: a volume for the viewer, with the
cutoff to mark. *Volumes* (packed maps) and *backgrounds* (packed pictures to draw them on) are held once per page and
named by their keys. Tables travel as the very text of their TSV files, so that copy and download give the file back.

Everything here is text, numbers and bytes; nothing is a path that this room would open. An address (`href`) is relative
to the page, with `/` between its parts, as it is on disk: the page escapes it.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from bids_regions.frozen import dataclass

__all__ = [
    "Agreement",
    "Background",
    "EntryView",
    "Figure",
    "GroupPage",
    "GroupSet",
    "Link",
    "Methods",
    "Metric",
    "Packed",
    "PackedSheet",
    "ParticipantPage",
    "Point",
    "Problem",
    "Provenance",
    "Reference",
    "Rendered",
    "Section",
    "Table",
    "Thumbnail",
    "View",
    "Volume",
]

Affine = tuple[tuple[float, ...], ...]  # 4 x 4, voxel of the file's own axes -> mm, RAS+


@dataclass(frozen=True, kw_only=True)
class Link:
    """Something to open beside the page."""

    text: str
    href: str  # relative to the page


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with the sentence that replaces it for who cannot see it."""

    data: bytes  # the picture file itself
    mime: str  # "image/webp", "image/png", "image/svg+xml"
    alt: str  # the result in words: "6 regions; largest 2520 voxels, peak 7.94 at 39, -22, 58"
    width: int  # pixels, so that the page does not jump while it loads
    height: int  # pixels
    caption: str = ""
    links: tuple[Link, ...] = ()  # the same picture for papers: SVG, PNG


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An array as text, which `payload.py` packs and the viewer unpacks: base64 of the zlib form of a bit for each
    voxel that is not zero, the first axis fastest, and of the values of those, their lowest bytes first.
    """

    shape: tuple[int, int, int]  # voxels along i, j, k
    dtype: Literal["int8", "int16", "uint8", "uint16", "uint32", "float32"]
    text: str  # base64


@dataclass(frozen=True, kw_only=True)
class Background:
    """A picture to draw maps on, with a grid of its own; 0 is outside."""

    key: str
    name: str  # in words, under the picture: "T1w of sub-01", "where the map has data"
    array: Packed  # uint8
    affine: Affine
    plain: bool = False  # no anatomy: only where there are data


@dataclass(frozen=True, kw_only=True)
class PackedSheet:
    """One hemisphere's mesh as text: zigzag differences, bytes in planes, zlib, base64. `sheets.py` packs it."""

    key: str
    name: str  # in words, under the picture: "fsLR 32k, inflated"
    side: Literal["L", "R"]
    n_vertices: int
    n_triangles: int
    origin: tuple[float, float, float]  # mm of the lowest corner
    step: float  # mm of one unit
    places: str  # (vertices x 3) uint16
    triangles: str  # (triangles x 3) uint32, wound so that their normals point outwards
    folding: str  # (vertices,) uint8: 0 the top of a gyrus, 255 the bottom of a sulcus; 128 where nothing is known


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A map for the viewer: value = stored number x step."""

    key: str
    name: str  # "contrast leftVsRight, z"
    array: Packed  # int16, or float32 where 16 bits are too coarse
    affine: Affine
    step: float  # the quantum of the display, in the map's unit
    limit: float  # the largest magnitude, in the map's unit; the end of the colour bar
    highest: tuple[int, int, int, float] | None = None  # voxel and value of the largest positive one, if any
    lowest: tuple[int, int, int, float] | None = None  # of the largest negative one
    quantity: str = ""  # "z", "t", "of participants": the unit beside a value
    palette: Literal["diverging", "positive", "negative"] = "diverging"
    first: tuple[int, int, int] = (0, 0, 0)  # the voxel of the file that the array begins with
    people: int = 0  # a fraction of so many participants, read out as a count; 0: no such map
    companions: Mapping[str, str] = field(default_factory=dict)  # what is read beside it -> key of a Volume:
    # "coverage" (the fraction of participants with data), "minor" (the rarer sign's prevalence)


@dataclass(frozen=True, kw_only=True)
class View:
    """One volume with the cutoff that the entry used on it."""

    volume: str  # key of a Volume
    name: str = ""  # told apart by it where an entry has several: "positive prevalence"
    cutoff: float | None  # magnitude, in the map's unit; None where nothing could pass
    tail: Literal["bi", "two", "positive", "negative"] = "bi"
    strict: bool = False  # only what is beyond the cutoff was kept, not what equals it
    decides: bool = True  # the labels are what the cutoff made of this very volume
    background: str = ""  # key of a Background; empty: none
    sheets: tuple[str, ...] = ()  # keys of PackedSheets: the volume is a row of their vertices, one after the other
    labels: Packed | None = None  # this view's own; None: the entry's


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as the text of its TSV file."""

    key: str  # unique on the page, [a-zA-Z0-9_-]
    caption: str
    tsv: str  # header line, rows, tabs; exactly the file's text
    file_name: str  # what a download is called
    descriptions: Mapping[str, str]  # column -> what it is
    href: str = ""  # the file itself, relative to the page
    links: Mapping[str, str] | None = None  # text of a cell in `link_column` -> address relative to the page
    link_column: str = ""
    tips: Mapping[str, Mapping[str, str]] | None = None  # column -> index of a region -> more about that cell
    shows: Mapping[str, str] = field(default_factory=dict)  # where rows speak of another table's regions: text of the
    # column `set` -> key of that table; "" -> for every row
    headings: Mapping[str, str] = field(default_factory=dict)  # column -> what a reader calls it
    folded: frozenset[str] = frozenset()  # columns that are shown when asked for
    shares: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # columns of fractions of people -> the columns
    # with the two counts of that fraction ("5 of 6"); none: as per cent
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # column -> text of a cell -> as a reader says


@dataclass(frozen=True, kw_only=True)
class EntryView:
    """What one set of criteria made of one map."""

    name: str  # of the entry: "pct97"
    title: str = ""  # for people: "strongest 3 % of the voxels"; empty: the name
    sentence: str  # the threshold in words: "|z| at or above 3.12, the 97th percentile of 153,594 voxels; ..."
    facts: tuple[tuple[str, str], ...] = ()  # counts for the reader: ("voxels above the threshold", "4282")
    n_regions: int
    figures: tuple[Figure, ...] = ()
    views: tuple[View, ...] = ()
    labels: Packed | None = None  # region numbers on the grid of the volumes; None: no regions, or no viewer
    regions: Table | None = None  # *_dseg.tsv
    peaks: str = ""  # text of *_peaks.tsv; shown folded under their regions
    footnote: str = ""  # under the regions: what their p rest on
    warnings: tuple[str, ...] = ()  # what a reader must know
    links: tuple[Link, ...] = ()  # label image, sidecar, ...


@dataclass(frozen=True, kw_only=True)
class Section:
    """One map, with its entries side by side."""

    key: str  # unique on the page, [a-zA-Z0-9_-]: the anchor
    title: str  # "contrast leftVsRight, z"
    lead: str = ""  # what was found, a line for each entry
    group: str = ""  # heading in the navigation: "ses-1, task-motor, run-1"
    space: str = ""  # of the coordinates: "MNI152NLin2009cAsym"
    source: str = ""  # the map's file, relative to the dataset
    facts: tuple[tuple[str, str], ...] = ()  # ("grid", "53 x 63 x 46, 3 mm"), ("mask", "none")
    entries: tuple[EntryView, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that was skipped or failed, or a participant that is missing, with the reason in words."""

    source: str  # the file or the participant
    reason: str
    hint: str = ""  # what to do about it
    details: str = ""  # the text of a crash, folded


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A citation as plain text, with its DOI where it has one."""

    text: str
    doi: str = ""  # "10.1006/nimg.2001.1037"


@dataclass(frozen=True, kw_only=True)
class Methods:
    """Text to paste into a paper."""

    paragraphs: tuple[str, ...]
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the page comes from. No time and no absolute path: two runs give the same bytes."""

    command: str  # canonical
    settings: tuple[tuple[str, str], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()  # ("bids_regions", "0.2.0")
    inputs: tuple[tuple[str, str], ...] = ()  # ("dataset", "name of the dataset")


@dataclass(frozen=True, kw_only=True)
class ParticipantPage:
    """All of one participant."""

    participant: str  # "sub-01"
    dataset: str  # the source dataset's name; may be empty
    version: str  # of bids_regions
    sections: tuple[Section, ...]
    volumes: tuple[Volume, ...] = ()
    backgrounds: tuple[Background, ...] = ()
    sheets: tuple[PackedSheet, ...] = ()
    skipped: tuple[Problem, ...] = ()
    failures: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    methods: Methods
    provenance: Provenance
    neighbours: tuple[
        Link, ...
    ] = ()  # pages that stand beside this one: the group's, the participants' before and after
    appendix: tuple[Table, ...] = ()  # comparisons that were asked for


@dataclass(frozen=True, kw_only=True)
class Point:
    """One participant in a strip plot."""

    participant: str
    value: float | None  # in the metric's unit; None: no value
    href: str = ""  # the participant's page
    flag: str = ""  # an outlier in words: "high volume (robust z = 4.2)"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A strip plot: one number per participant."""

    key: str
    name: str  # "number of regions"
    unit: str = ""
    points: tuple[Point, ...]
    bounds: tuple[float | None, float | None] = (None, None)  # what the quantity can be, so that no axis goes beyond
    beside: bool = False  # one of two that are compared: in the sample, and where the others alone choose


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Pairwise agreement of participants, in the order to show it."""

    name: str = "Dice"
    participants: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]  # n x n, 0 to 1; None: no value
    sentence: str = ""  # how it was ordered


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One participant's small picture."""

    participant: str
    figure: Figure
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class GroupSet:
    """Comparable maps of many participants: prevalence, consensus, values."""

    key: str  # unique on the page, [a-zA-Z0-9_-]
    title: str
    lead: str = ""  # what was found, in a sentence or three
    group: str = ""
    space: str = ""
    source: str = ""  # what its files share in their names
    facts: tuple[tuple[str, str], ...] = ()  # ("participants", "28"), ("grids", "one")
    consensus: EntryView  # its views are the prevalence and coverage maps; its regions the consensus table
    metrics: tuple[Metric, ...] = ()
    tables: tuple[Table, ...] = ()  # values, regions, outliers
    agreement: Agreement | None = None
    outliers: tuple[str, ...] = ()  # in words, one participant each
    problems: tuple[Problem, ...] = ()  # participants that are missing, failed, empty or changed
    notes: tuple[str, ...] = ()  # "one-sample tests on these values are circular: ..."
    thumbnails: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReliabilityView:
    """What people's maps say of themselves on another occasion."""

    key: str  # unique on the page, [a-zA-Z0-9_-]
    title: str
    lead: str  # what was found, in a sentence
    group: str = ""  # what tells it from others of one title, e.g. "task-x, run-1"
    notes: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupPage:
    """All participants together, and the maps that belong to none."""

    dataset: str  # the source dataset's name; may be empty
    version: str  # of bids_regions
    counts: tuple[tuple[str, int], ...]  # ("participants", 30), ("with regions", 28), ("empty", 1), ("failed", 1)
    sets: tuple[GroupSet, ...]
    sections: tuple[Section, ...] = ()  # group maps of the dataset itself
    volumes: tuple[Volume, ...] = ()
    backgrounds: tuple[Background, ...] = ()
    sheets: tuple[PackedSheet, ...] = ()
    reliability: tuple[ReliabilityView, ...] = ()
    tables: tuple[Table, ...] = ()  # tables over all sets
    skipped: tuple[Problem, ...] = ()
    failures: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    methods: Methods
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A page's bytes, and the files that stand beside it where it would be too heavy alone."""

    html: bytes
    side_files: tuple[tuple[str, bytes], ...] = ()  # address relative to the page, content
