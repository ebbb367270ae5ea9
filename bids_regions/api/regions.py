"""What find_regions found, and what can be made of it: tables, label images, figures, a view in a notebook.

Everything is made when it is asked for, from the arrays that the extraction left; no file of the input is read again.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from bids_regions.api.given import Given
from bids_regions.api.pictures import Piece, Shown, plot_regions, show_image
from bids_regions.errors import BadMap, MissingInput
from bids_regions.extraction import Criteria, Extraction, Region, Statistic
from bids_regions.figures import SheetMark
from bids_regions.figures.plotting import Plot
from bids_regions.frozen import dataclass
from bids_regions.images import StoredGrid, image_of_labels
from bids_regions.images.handed import gifti_of_labels
from bids_regions.maps.naming import NamedRegions
from bids_regions.pages.marks import marks_of
from bids_regions.space import Grayordinates, Sheet
from bids_regions.tables import NO_VALUE, peaks_table, regions_table, rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Regions", "frame_of", "rows_html", "table_html"]

MOST_ROWS = 20  # of a table in a notebook
LEFT, RIGHT = (f' style="text-align: {side}; white-space: nowrap"' for side in ("left", "right"))  # words, numbers
SHORT = (
    "index", "name", "sign", "hemi", "n_voxels", "volume_mm3", "n_vertices", "area_mm2", "peak_value", "peak_x",
    "peak_y", "peak_z", "peak_vertex", "mean_value", "p_cluster", "tdp",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Regions(Extraction):
    """The regions of one map, and what can be made of them; iterating gives each `Region`."""

    criteria: Criteria
    naming: NamedRegions
    with_values: bool  # a second map was measured as well
    given: Given
    statistic: Statistic
    space: str  # of the map; "" where it is not known
    domain: Any = field(default=None)  # Grayordinates of a map on surfaces

    def __len__(self) -> int:
        return len(self.regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self.regions)

    def __getitem__(self, index: int) -> Region:
        return self.regions[index]

    @property
    def grid(self) -> StoredGrid | None:
        """Where the voxels of the map lie; None on a surface."""
        return self.given.grid

    def to_dataframe(self) -> "pd.DataFrame":
        """A row per region, with the columns of `*_dseg.tsv`; no value is NaN."""
        return frame_of(self._table())

    def peaks_dataframe(self) -> "pd.DataFrame":
        """A row per peak, with the columns of `*_peaks.tsv`."""
        sheets = self.domain is not None
        return frame_of(
            peaks_table(self.regions, fields=self.criteria.rft, sheets=sheets, extra=self.naming.peak_cells)
        )

    def to_image(self) -> Any:
        """The label image, 0 for background, on exactly what the map lies on and in the form in which it was given.

        Of voxels nibabel's NIfTI image; of GIFTI nibabel's label file, of a pair of them a tuple, the left hemisphere
        first; of CIFTI a dlabel; of nilearn's SurfaceImage such an image.

        Raises
        ------
        BadMap
            An array on structures that no file was told of.
        """
        if self.grid is not None:
            return image_of_labels(self.labels, self.grid)
        table = [(region.index, region.name, region.color) for region in self.regions]
        if self.given.sheets is not None:
            return self.given.sheets.image_of(self.labels, table)
        pieces = self._pieces()
        if sum(piece.n_vertices for piece in pieces) != self.labels.size:
            raise BadMap("the array lies on parts of structures, which no image holds", hint="Use found.labels")
        made = tuple(gifti_of_labels(self.labels[piece.rows], piece.structure, table) for piece in pieces)
        return made[0] if len(made) == 1 else made

    def plot(self, kind: Any = None, **look: Any) -> Plot:
        """A figure of matplotlib: `plot_regions(found, kind, **look)`."""
        return plot_regions(self, kind, **look)

    @cached_property
    def shown(self) -> Shown:
        """What pictures are made of."""
        on_sheets = [region for region in self.regions if region.n_vertices is not None]
        return Shown(
            data=self.given.data,
            labels=self.labels,
            statistic=self.statistic,
            cutoff=self.cutoff.value,
            tail=self.cutoff.tail,
            space=self.space or ("MNI" if self.grid is not None and self.grid.in_mni else ""),
            affine=None if self.grid is None else self.grid.affine,
            pieces=tuple(self._pieces()),
            marks=tuple(marks_of(self.regions)) if self.grid is not None else (),
            sheet_marks=tuple(_sheet_mark(region) for region in on_sheets),
        )

    def _table(self) -> str:
        return regions_table(
            self.regions, fields=self.criteria.rft, values=self.with_values, sheets=self.domain is not None,
            extra=self.naming.region_cells,
        )  # fmt: skip

    def _pieces(self) -> list[Piece]:
        if not isinstance(self.domain, Grayordinates):
            return []
        found, start = [], 0
        for piece in self.domain.pieces:
            rows = slice(start, start + piece.rows.size)
            if isinstance(piece, Sheet):
                found.append(
                    Piece(
                        structure=piece.structure, n_vertices=piece.mesh.n_vertices, rows=rows,
                        vertices=piece.vertices, mesh=piece.mesh,
                    )
                )  # fmt: skip
            start = rows.stop
        return found

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{table_html(self._table())}{show_image(self)}"


def _sheet_mark(region: Region) -> SheetMark:
    return SheetMark(
        index=region.index, color=region.color, n_vertices=region.n_elements, peak_value=region.peak.value,
        side="R" if region.hemi == "R" else "L", vertex=region.peak.vertex or 0,
    )  # fmt: skip


def table_html(table: str, most: int = MOST_ROWS) -> str:
    """The first rows of a table of ours as HTML, with the columns that say most."""
    rows = rows_of(table)
    return rows_html(rows, SHORT, "to_dataframe()", most) if rows else "<p>No region survived.</p>"


def rows_html(rows: Sequence[Mapping[str, str]], columns: Sequence[str], whole: str, most: int = MOST_ROWS) -> str:
    """The first rows as HTML, with those of the columns that tell something; `whole` is what has all of them."""
    names = [name for name in columns if any(row.get(name, "n/a") != "n/a" for row in rows)]
    sides = {name: RIGHT if all(_is_number(row.get(name, "n/a")) for row in rows) else LEFT for name in names}
    lines = ["".join(f"<th{sides[name]}>{escape(name)}</th>" for name in names)]
    lines += [
        "".join(f"<td{sides[name]}>{escape(_rounded(row.get(name, 'n/a')))}</td>" for name in names)
        for row in rows[:most]
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = f"<p>and {len(rows) - most} more: see {whole}</p>" if len(rows) > most else ""
    return f"<table>{body}</table>{more}"


def _is_number(cell: str) -> bool:
    return cell == "n/a" or cell.lstrip("-").replace(".", "", 1).split("e", 1)[0].isdigit()


def _rounded(cell: str) -> str:
    """A cell with four significant digits, where it is a number with fractions; labels, as 1e3, have no point."""
    try:
        return f"{float(cell):.4g}" if "." in cell or "e-" in cell else cell
    except ValueError:
        return cell


def frame_of(table: str, strings: Sequence[str] = ()) -> "pd.DataFrame":
    """A table's text as pandas has it; the columns `strings` stay texts, so that 01 is no number.

    Raises
    ------
    MissingInput
        pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 # loaded when a table is asked for
    except ImportError as error:
        raise MissingInput("pandas, which holds tables, is not installed", hint="pip install pandas") from error
    kinds = dict.fromkeys(strings, str)
    return pd.read_csv(io.StringIO(table), sep="\t", na_values=[NO_VALUE], keep_default_na=False, dtype=kinds)
