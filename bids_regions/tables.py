"""The columns of the tables, once: header, cells and descriptions of every TSV come from the tuples here.

A *table* is the text of a TSV file: a header line and a line per row, `n/a` where there is no value. This room does not
know where a table is written.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from bids_regions.entity_names import ENTITY_NAMES
from bids_regions.errors import BadDataset
from bids_regions.extraction import Peak, Region
from bids_regions.extraction.measures import numbered_name
from bids_regions.files import read_text
from bids_regions.frozen import dataclass

__all__ = [
    "FIELD_COLUMNS",
    "NO_VALUE",
    "PEAK_COLUMNS",
    "PEAK_FIELD_COLUMNS",
    "REGION_COLUMNS",
    "SHEET_COLUMNS",
    "SHEET_PEAK_COLUMNS",
    "VALUE_COLUMNS",
    "Cells",
    "Column",
    "describe_columns",
    "format_cell",
    "is_named",
    "peak_columns",
    "peaks_table",
    "read_rows",
    "region_columns",
    "regions_table",
    "rows_in",
    "rows_of",
    "show_control",
    "table_lines",
    "table_text",
]

NO_VALUE = "n/a"  # BIDS's word in a cell
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# on a page: folded away until asked for, always or where all are n/a
Shown = Literal["always", "folded", "where known"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what it is called, what it is, where its value comes from, and how a page shows it."""

    name: str
    description: str
    units: str = ""
    heading: str = ""  # on a page, where the name is not the plainest word
    shown: Shown = "always"
    of: Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A column whose cells were made elsewhere (by an atlas), one per row."""

    name: str
    description: str
    units: str = ""
    cells: tuple[str, ...]


def _axes(
    name: str, what: str, of: Callable[[Any], Sequence[float]], heading: str = "", shown: Shown = "always"
) -> tuple[Column, ...]:
    return tuple(
        Column(name=f"{name}_{letter}", description=f"{letter} of {what}, RAS+", units="mm",
               heading=f"{heading} {letter}".strip(), shown=shown, of=lambda row, axis=axis: of(row)[axis])  # type: ignore[misc]
        for axis, letter in enumerate("xyz")
    )  # fmt: skip


def _voxel(prefix: str, of: Callable[[Any], Sequence[int] | None]) -> tuple[Column, ...]:
    return tuple(
        Column(name=f"{prefix}{letter}", description=f"{letter} of the peak voxel, 0-based, in the file's own axes",
               heading=letter, shown="folded", of=lambda row, axis=axis: (of(row) or (None,) * 3)[axis])  # type: ignore[misc]
        for axis, letter in enumerate("ijk")
    )  # fmt: skip


REGION_COLUMNS: tuple[Column, ...] = (
    Column(name="index", heading="region",
           description="Number of the region: its value in the label image", of=lambda r: r.index),
    Column(name="name", description="Name of the region: side and atlas label of its peak where an atlas was given",
           of=lambda r: r.name),
    Column(name="sign", description="positive, negative, or both where the tails are merged", of=lambda r: r.sign),
    Column(name="n_voxels", heading="voxels", description="Number of voxels", of=lambda r: r.n_voxels),
    Column(name="volume_mm3", heading="volume",
           description="Volume: voxels times the absolute determinant of the affine", units="mm3",
           of=lambda r: r.volume_mm3),
    Column(name="peak_value", heading="peak", description="Value of the voxel with the largest magnitude, signed",
           of=lambda r: r.peak.value),
    *_axes("peak", "the peak voxel", lambda r: r.peak.xyz),
    *_voxel("peak_", lambda r: r.peak.ijk),
    *_axes("com", "the centre of mass, weighted by |value|", lambda r: r.com_xyz, "centre", "folded"),
    Column(name="com_in_region", heading="centre inside", shown="folded",
           description="Whether the voxel nearest to the centre of mass belongs to the region",
           of=lambda r: r.com_in_region),
    Column(name="mean_value", heading="mean", description="Mean of the voxels' values", of=lambda r: r.mean_value),
    Column(name="sd_value", heading="SD", shown="folded",
           description="Standard deviation of the voxels' values (n - 1)", of=lambda r: r.sd_value),
    Column(name="sum_value", heading="sum", shown="folded",
           description="Sum of the voxels' values", of=lambda r: r.sum_value),
    Column(name="p_cluster", heading="cluster p", shown="where known",
           description="Cluster p by random field theory, corrected for the search volume",
           of=lambda r: r.p_cluster),
    Column(name="tdp", heading="true share", shown="where known",
           description="Lower bound of the proportion of true discoveries among the region's voxels",
           of=lambda r: r.tdp),
    Column(name="color", shown="folded",
           description="Colour of the region in every figure, sRGB", of=lambda r: r.color),
)  # fmt: skip

FIELD_COLUMNS: tuple[Column, ...] = (
    Column(name="p_cluster_unc", heading="cluster p unc.", shown="where known",
           description="Cluster p by random field theory, of one tail, uncorrected",
           of=lambda r: r.p_cluster_unc),
    Column(name="q_cluster", heading="cluster q", shown="where known",
           description="False discovery rate of the cluster among all clusters above the height",
           of=lambda r: r.q_cluster),
    Column(name="p_peak", heading="peak p", shown="where known",
           description="p of the main peak by random field theory, corrected for the search volume",
           of=lambda r: r.p_peak),
    Column(name="q_peak", heading="peak q", shown="where known",
           description="False discovery rate of the main peak among all maxima above the height",
           of=lambda r: r.q_peak),
)  # fmt: skip

# Of maps on surfaces: the columns that follow each of those above.
SHEET_COLUMNS: dict[str, tuple[Column, ...]] = {
    "sign": (
        Column(name="hemi", description="Hemisphere, L or R, where the structure is on one side", of=lambda r: r.hemi),
        Column(name="structure", description="Structure as CIFTI names it, such as CORTEX_LEFT or THALAMUS_RIGHT",
               of=lambda r: r.structure),
        Column(name="n_vertices", heading="vertices", description="Number of vertices", of=lambda r: r.n_vertices),
        Column(name="area_mm2", heading="area", description="Area: the sum of the vertices' areas", units="mm2",
               of=lambda r: r.area_mm2),
    ),
    "peak_z": (
        Column(name="peak_vertex", description="Number of the peak vertex in its mesh, 0-based",
               of=lambda r: r.peak.vertex),
    ),
}  # fmt: skip

VALUE_COLUMNS: tuple[Column, ...] = (
    Column(name="values_mean", description="Mean of the second map over the region", of=lambda r: r.values_mean),
    Column(name="values_at_peak", description="Value of the second map at the region's peak voxel",
           of=lambda r: r.values_at_peak),
    Column(name="values_peak", heading="second map's peak",
           description="Extremum of the second map over the region, in the region's direction",
           of=lambda r: r.values_peak),
    *_axes("values_peak", "the second map's extremum", lambda r: (r.values_peak_x, r.values_peak_y, r.values_peak_z),
           "its", "folded"),
)  # fmt: skip

PEAK_COLUMNS: tuple[Column, ...] = (
    Column(name="index", description="Number of the region the peak lies in", of=lambda row: row[0]),
    Column(name="rank", description="1 is the main peak of its region", of=lambda row: row[1].rank),
    Column(name="value", description="Value of the peak voxel, signed", of=lambda row: row[1].value),
    *(Column(name=letter, description=f"{letter} of the peak voxel, RAS+", units="mm",
             of=lambda row, axis=axis: row[1].xyz[axis]) for axis, letter in enumerate("xyz")),  # type: ignore[misc]
    *_voxel("", lambda row: row[1].ijk),
    Column(name="z_equivalent", description="z of the same tail probability, with the sign of the value",
           of=lambda row: row[1].z_equivalent),
    Column(name="p_unc", description="p of the value in one tail, uncorrected", of=lambda row: row[1].p_unc),
)  # fmt: skip

PEAK_FIELD_COLUMNS: tuple[Column, ...] = (
    Column(name="p_fwe", description="p of the peak by random field theory, corrected for the search volume",
           of=lambda row: row[1].p_fwe),
    Column(name="q_fdr", description="False discovery rate of the peak among all maxima above the height",
           of=lambda row: row[1].q_fdr),
)  # fmt: skip


SHEET_PEAK_COLUMNS: dict[str, tuple[Column, ...]] = {
    "rank": (
        Column(name="hemi", description="Hemisphere, L or R", of=lambda row: row[2].hemi),
        Column(name="structure", description="Structure as CIFTI names it", of=lambda row: row[2].structure),
    ),
    "z": (Column(name="vertex", description="Number of the vertex in its mesh, 0-based",
                 of=lambda row: row[1].vertex),),
}  # fmt: skip


def _with(columns: Sequence[Column], after: dict[str, tuple[Column, ...]]) -> tuple[Column, ...]:
    return tuple(each for column in columns for each in (column, *after.get(column.name, ())))


def format_cell(value: object) -> str:
    r"""One cell: ten significant digits hold every float32 exactly and every millimetre; `n/a` where there is no value.

    >>> [format_cell(v) for v in (39.0, -7.941444396972656, None, True, float("nan"), "a\tb")]
    ['39', '-7.941444397', 'n/a', 'true', 'n/a', 'a b']
    """
    if isinstance(value, float):  # most cells
        text = f"{value:.10g}"
        return NO_VALUE if "n" in text else "0" if text == "-0" else text  # nan, inf
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return str(value).lower()
    return show_control(" ".join(str(value).split())) or NO_VALUE


def show_control(text: str) -> str:
    r"""Text with control characters as they are written in a log or an atlas name, for no reader takes them whole.

    >>> show_control("old\x00er"), show_control("Größe")
    ('old\\x00er', 'Größe')
    """
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _format_column(values: Sequence[object]) -> list[str]:
    """The cells of a column, as `format_cell` has them; those of one type all at once, in a third of the time."""
    types = set(map(type, values))
    if types == {int}:
        return list(map(str, values))
    if types == {float}:
        cells = [f"{value:.10g}" for value in values]
        if "-0" not in cells and "n" not in "".join(cells):
            return cells
    if types == {str} and all(values):
        text = "".join(cast(Sequence[str], values))
        if text.split() == [text] and not CONTROL.search(text):  # no white space
            return list(cast(Sequence[str], values))
    return list(map(format_cell, values))


def is_named(index: str, name: str) -> bool:
    """Whether a region's name says more than its number, both as the cells of a table.

    >>> is_named("2", "region-2"), is_named("2", "n/a"), is_named("2", "Left Precentral Gyrus")
    (False, False, True)
    """
    return name not in ("", NO_VALUE, numbered_name(index))


def table_text(columns: Sequence[Column | Cells], rows: Sequence[object]) -> str:
    """The text of a TSV file."""
    return "\t".join(column.name for column in columns) + "\n" + "".join(table_lines(columns, rows))


def table_lines(columns: Sequence[Column | Cells], rows: Sequence[object]) -> list[str]:
    """The lines of a TSV file below its header."""
    cells = [c.cells if isinstance(c, Cells) else _format_column([c.of(row) for row in rows]) for c in columns]
    return ["\t".join(line) + "\n" for line in zip(*cells, strict=True)]


def region_columns(*, fields: bool = False, values: bool = False, sheets: bool = False) -> tuple[Column, ...]:
    """The columns of a `*_dseg.tsv`: with those of random field theory, of a second map, of a map on surfaces."""
    columns = (*REGION_COLUMNS, *(FIELD_COLUMNS if fields else ()), *(VALUE_COLUMNS if values else ()))
    return _with(columns, SHEET_COLUMNS) if sheets else columns


def peak_columns(*, fields: bool = False, sheets: bool = False) -> tuple[Column, ...]:
    """The columns of a `*_peaks.tsv`."""
    columns = (*PEAK_COLUMNS, *(PEAK_FIELD_COLUMNS if fields else ()))
    return _with(columns, SHEET_PEAK_COLUMNS) if sheets else columns


def regions_table(
    regions: Sequence[Region],
    *,
    fields: bool = False,
    values: bool = False,
    sheets: bool = False,
    extra: Iterable[Cells] = (),
) -> str:
    """The text of a `*_dseg.tsv`: a row per region."""
    return table_text((*region_columns(fields=fields, values=values, sheets=sheets), *extra), regions)


def peaks_table(
    regions: Sequence[Region], *, fields: bool = False, sheets: bool = False, extra: Iterable[Cells] = ()
) -> str:
    """The text of a `*_peaks.tsv`: a row per peak, by region and rank."""
    rows: list[tuple[int, Peak, Region]] = [(region.index, peak, region) for region in regions for peak in region.peaks]
    return table_text((*peak_columns(fields=fields, sheets=sheets), *extra), rows)


def describe_columns(columns: Iterable[Column | Cells]) -> dict[str, Any]:
    """What a sidecar says of the columns, by their names; of those named as an entity below `EntityColumns`.

    pybids takes a key of a sidecar that is named as an entity for the entity itself.
    """
    described = {
        column.name: {"Description": column.description} | ({"Units": column.units} if column.units else {})
        for column in columns
    }
    entities = {name: described.pop(name) for name in list(described) if name in ENTITY_NAMES}
    return described | ({"EntityColumns": entities} if entities else {})


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a table's text, by column name."""
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def rows_in(text: str, path: Path) -> list[dict[str, str]]:
    """The rows of the table that was read from `path`.

    Raises
    ------
    BadDataset
        A row is not as long as the header.
    """
    rows = rows_of(text)
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise BadDataset(f"{path}: line {number} is not as long as the header", hint="Fix or remove this file")
    return rows


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of the table at `path`.

    Raises
    ------
    MissingInput
        The file is not there.
    BadDataset
        A row is not as long as the header.
    """
    return rows_in(read_text(path), path)
