"""read_results: what the BIDS App left in an output folder, as tidy tables and as images that are read when asked for.

A *result* is one map and entry, or the consensus of a set, as its sidecar tells of it. Tables are put together when
they are first asked for; nothing is computed, and nothing is written.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_regions.api.given import Given, take_map
from bids_regions.api.pictures import Piece, Shown, plot_regions, show_image
from bids_regions.api.regions import frame_of, rows_html, table_html
from bids_regions.api.words import in_python
from bids_regions.entity_names import short_key
from bids_regions.errors import BadDataset, Contradiction, Fault, MissingInput
from bids_regions.extraction.statistics import Statistic
from bids_regions.figures import SheetMark
from bids_regions.figures.plotting import Plot
from bids_regions.files import read_json, read_text
from bids_regions.frozen import dataclass
from bids_regions.images.handed import load_image
from bids_regions.pages.marks import marks_of_table
from bids_regions.results.ownership import find_linked_root
from bids_regions.results.uris import read_source
from bids_regions.results.walk import find_sidecars
from bids_regions.tables import NO_VALUE, rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result", "Results", "read_results"]

SIDECAR, TABLE, PEAKS = "_dseg.json", "_dseg.tsv", "_peaks.tsv"
LABELS = ("_dseg.nii.gz", "_dseg.dlabel.nii")
PEOPLE = ("participant", "participant_id", "sub", "subject")
MAPS = ("participant_id", "session")  # columns that come first
COUNTS = (
    ("RegionsKept", "n_regions"), ("RegionsRemoved", "n_removed_regions"), ("VoxelsAboveThreshold", "n_above"),
)  # fmt: skip
RUN_GROUP = "Run the group level first: bids_regions BIDS_DIR OUTPUT_DIR group"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """One map and entry as the app left it, or the consensus of a set (`is_consensus`)."""

    sidecar: Path
    output_dir: Path
    record: Mapping[str, Any]  # the sidecar's content
    dataset: Path | None  # where the maps came from, as far as it is known

    @property
    def is_consensus(self) -> bool:
        """Whether the regions are those that participants share."""
        return "Consensus" in self.record

    @property
    def entities(self) -> dict[str, str]:
        """The labels of the map's name by short key, verbatim."""
        told = self.record.get("SourceEntities") or self.record.get("SharedEntities") or {}
        return {str(key): str(label) for key, label in told.items()}

    @property
    def entry(self) -> str:
        """The name of the threshold's entry: its files have `desc-<entry>`."""
        return str(self.record.get("RegionsEntry", ""))

    @property
    def participant_id(self) -> str | None:
        """Such as sub-01; None of a group map and of a consensus."""
        label = self.entities.get("sub")
        return f"sub-{label}" if label else None

    @property
    def source(self) -> Path | None:
        """The map that the regions are of, where it is known where its dataset lies."""
        paths = self._sources()
        return paths[0] if paths else None

    def to_dataframe(self) -> "pd.DataFrame":
        """The table of regions."""
        return frame_of(read_text(self._beside(TABLE)))

    def peaks_dataframe(self) -> "pd.DataFrame":
        """The table of peaks."""
        return frame_of(read_text(self._beside(PEAKS)))

    def image(self) -> Any:
        """The label image of nibabel, its data still on disk; of two hemispheres a tuple, the left one first."""
        made = tuple(load_image(path) for path in self.label_files())
        return made[0] if len(made) == 1 else made

    def map_image(self) -> Any:
        """The map that the regions are of, as nibabel has it; of two hemispheres a tuple.

        Raises
        ------
        MissingInput
            It is not known where its dataset lies: `read_results(OUTPUT_DIR, dataset=BIDS_DIR)`.
        """
        made = tuple(load_image(path) for path in self._known_sources())
        return made[0] if len(made) == 1 else made

    def label_files(self) -> list[Path]:
        """The files of labels, the left hemisphere's first."""
        whole = [path for path in map(self._beside, LABELS) if path.is_file()]
        if whole:
            return whole
        names = self.record.get("Outputs", {})
        return [self.sidecar.with_name(name) for name in sorted(names) if name.endswith(".label.gii")]

    def plot(self, kind: Any = None, **look: Any) -> Plot:
        """A figure of matplotlib: `plot_regions(result, kind, **look)`."""
        return plot_regions(self, kind, **look)

    @cached_property
    def shown(self) -> Shown:
        """What pictures are made of."""
        paths = self._known_sources()
        given = take_map(self._one_volume(_one_or_pair(paths)), None)
        labels = take_map(_one_or_pair(self.label_files()), None)
        rows = rows_of(read_text(self._beside(TABLE)))
        threshold, told = self.record["Threshold"], self.record["Statistic"]
        in_mni = given.grid is not None and given.grid.in_mni
        return Shown(
            data=given.data,
            labels=labels.data.astype(np.int32),
            statistic=Statistic(told["Kind"], scale=told.get("PScale")),
            cutoff=float(threshold.get("Cutoff", np.inf)),
            tail=threshold["Tail"],
            space=self.entities.get("space") or str(self.record.get("AssumedSpace", "")) or ("MNI" if in_mni else ""),
            affine=None if given.grid is None else given.grid.affine,
            pieces=_pieces(given),
            marks=tuple(marks_of_table(rows, self.sidecar.name)) if given.grid is not None else (),
            sheet_marks=tuple(_sheet_mark(row) for row in rows if row.get("n_vertices", NO_VALUE) != NO_VALUE),
        )

    def cells(self) -> dict[str, str]:
        """What tells this result from others, as the first cells of a row."""
        own = self.entities
        others = {_heading(key): label for key, label in own.items() if key not in ("sub", "ses")}
        session = f"ses-{own['ses']}" if "ses" in own else NO_VALUE  # as the tables of the group have it
        first = {"participant_id": self.participant_id or NO_VALUE, "session": session}
        kind = "consensus" if self.is_consensus else "map"
        return {**first, **others, "entry": self.entry, "kind": kind}

    def _one_volume(self, path: Any) -> Any:
        """The file of the map; of a 4-D one the image of its volume."""
        volume = self.entities.get("volume", "")
        if not volume.isdecimal() or not isinstance(path, Path) or not path.name.endswith((".nii", ".nii.gz")):
            return path
        image = load_image(path)
        return image.slicer[..., int(volume) - 1] if len(image.shape) == 4 else path

    def _beside(self, ending: str) -> Path:
        return self.sidecar.with_name(self.sidecar.name.removesuffix(SIDECAR) + ending)

    def _sources(self) -> list[Path]:
        names = [name for uri in self.record.get("Sources", []) if (name := read_source(uri))]
        if self.dataset is None or not names:
            return []
        first = names[0]
        other = [name for name in names[1:] if name.replace("hemi-R", "hemi-L") == first.replace("hemi-R", "hemi-L")]
        return [self.dataset / name for name in (first, *other[:1])]

    def _known_sources(self) -> list[Path]:
        paths = self._sources()
        if self.is_consensus or not paths:
            what = "a consensus is of many maps" if self.is_consensus else "it is not known where its dataset lies"
            raise MissingInput(
                f"the map of {self.sidecar.name} cannot be shown: {what}",
                hint="Give read_results the dataset of the maps by dataset=, and take a result of one map",
            )
        return paths

    def __repr__(self) -> str:
        words = ", ".join(f"{key} {value}" for key, value in self.cells().items() if value != NO_VALUE)
        n = self.record.get("Counts", {}).get("RegionsKept", "?")
        return f"<Result: {n} region{'' if n == 1 else 's'}; {words}>"

    def _repr_html_(self) -> str:
        table = table_html(read_text(self._beside(TABLE)))
        return f"<p>{escape(repr(self)[1:-1])}</p>{table}{show_image(self)}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Results:
    """Everything that stands in an output folder; iterating gives each `Result`."""

    output_dir: Path
    results: tuple[Result, ...]
    problems: tuple[str, ...]  # sentences on what could not be read

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __getitem__(self, index: int) -> Result:
        return self.results[index]

    def __repr__(self) -> str:
        people = {one.participant_id for one in self.results} - {None}
        entries = sorted({one.entry for one in self.results})
        n, m = len(self.results), len(people)
        words = f"{n} result{'' if n == 1 else 's'} of {m} participant{'' if m == 1 else 's'}"
        return f"<{words}; entries {', '.join(entries) or 'none'}; in {self.output_dir}>"

    def _repr_html_(self) -> str:
        rows = [row for one in self.results for row in _map_rows(one)]
        columns = [*_first_columns(self.results), *dict(COUNTS).values(), "cutoff"]
        return f"<p>{escape(repr(self)[1:-1])}</p>{rows_html(rows, columns, '.maps')}"

    def select(self, **wanted: Any) -> "Results":
        """The results with these labels: entities by short or long name, `entry`, `participant` with or without sub-.

        A list of labels takes any of them. `kind="map"` leaves consensus regions out, `kind="consensus"` takes these.

        Raises
        ------
        Contradiction
            No result has an entity of that name.
        """
        found = self.results
        for name, labels in wanted.items():
            many = labels if isinstance(labels, list | tuple | set | frozenset) else [labels]
            allowed = {_plain(name, str(each)) for each in many}
            if name not in (*PEOPLE, "entry", "kind") and not any(_label(one, name) for one in self.results):
                known = sorted({key for one in self.results for key in one.entities})
                raise Contradiction(
                    f"no result has an entity {name}", hint=f"There are {', '.join(known)}, entry, kind, participant"
                )
            found = tuple(one for one in found if (label := _label(one, name)) and _plain(name, label) in allowed)
        return replace(self, results=found)

    @cached_property
    def maps(self) -> "pd.DataFrame":
        """A row per result: its entities, entry, how many regions it has, the cutoff used, warnings, its files."""
        return self._frame(_map_rows)

    @cached_property
    def regions(self) -> "pd.DataFrame":
        """A row per region of every map: the map's entities, then the columns of `*_dseg.tsv`; no consensus."""
        return self._frame(lambda one: _table_rows(one, TABLE))

    @cached_property
    def peaks(self) -> "pd.DataFrame":
        """A row per peak of every map: the map's entities, then the columns of `*_peaks.tsv`."""
        return self._frame(lambda one: _table_rows(one, PEAKS))

    @cached_property
    def consensus(self) -> "pd.DataFrame":
        """A row per consensus region of every set."""
        return _tidy([row for one in self.results if one.is_consensus for row in _table_rows(one, TABLE)], self.results)

    @property
    def values(self) -> "pd.DataFrame":
        """Participant x region: `group_values.tsv`."""
        return self.group_table("values")

    @property
    def agreement(self) -> "pd.DataFrame":
        """`group_agreement.tsv`."""
        return self.group_table("agreement")

    @property
    def reliability(self) -> "pd.DataFrame":
        """`group_reliability.tsv`, of participants with several sessions or runs."""
        return self.group_table("reliability")

    @property
    def participants(self) -> "pd.DataFrame":
        """`group_participants.tsv`."""
        return self.group_table("participants")

    @in_python
    def group_table(self, name: str) -> "pd.DataFrame":
        """One of the tables of the group level, `group_<name>.tsv`.

        Raises
        ------
        MissingInput
            It is not there.
        """
        path = self.output_dir / f"group_{name}.tsv"
        if not path.is_file():
            there = sorted(each.stem.removeprefix("group_") for each in self.output_dir.glob("group_*.tsv"))
            hint = f"There are {', '.join(there)}" if there else RUN_GROUP
            raise MissingInput(f"{path} is not there", hint=hint)
        text = read_text(path)
        first = text.partition("\n")[0].split("\t")
        known = {_heading(key) for one in self.results for key in one.entities}
        return frame_of(text, strings=[name for name in first if name in known or name in (*MAPS, "set", "entry")])

    def _frame(self, rows: Callable[[Result], list[dict[str, str]]]) -> "pd.DataFrame":
        wanted = [one for one in self.results if not one.is_consensus or rows is _map_rows]
        return _tidy([row for one in wanted for row in rows(one)], self.results)


@in_python
def read_results(output_dir: str | os.PathLike[str], dataset: str | os.PathLike[str] | None = None) -> Results:
    """What the BIDS App left in an output folder.

    Parameters
    ----------
    output_dir
        The app's OUTPUT_DIR.
    dataset
        The dataset of the maps, for pictures; by itself where `dataset_description.json` says it is.

    Returns
    -------
    Results
        `results.regions`, `.peaks`, `.maps`, `.values` are tables of pandas; each result has its label image,
        `image()`, and its picture, `plot()`.

    Raises
    ------
    MissingInput
        The folder is not there, or holds no results.
    """
    if not isinstance(output_dir, str | os.PathLike):
        raise Contradiction(f"output_dir is a {type(output_dir).__name__}", hint="Give the OUTPUT_DIR of the app")
    folder = Path(output_dir).expanduser()
    if not folder.is_dir():
        raise MissingInput(f"{folder} is not there or no folder", hint="Give the OUTPUT_DIR of the app")
    source = Path(dataset).expanduser() if dataset is not None else _there(find_linked_root(folder))
    if dataset is not None and source is not None and not source.is_dir():
        raise MissingInput(f"{source} is not there or no folder", hint="Give the dataset that the maps are in")
    owners = sorted(each for each in folder.iterdir() if each.is_dir() and each.name.startswith(("sub-", "tpl-")))
    found, problems = [], []
    for path in (path for owner in owners for path in find_sidecars(owner)):
        try:
            content = read_json(path)
            if not isinstance(content, dict) or "RegionsEntry" not in content:
                raise BadDataset(f"{path.name} is no record of a map")
            found.append(Result(sidecar=path, output_dir=folder, record=content, dataset=source))
        except Fault as fault:
            problems.append(str(fault))
    if not found:
        raise MissingInput(f"{folder} holds no results", hint="Give the OUTPUT_DIR of a run of the app")
    return Results(output_dir=folder, results=tuple(found), problems=tuple(problems))


def _there(folder: Path | None) -> Path | None:
    """A folder, where it is one, without turns on the way."""
    return Path(os.path.normpath(folder)) if folder and folder.is_dir() else None


def _label(one: Result, name: str) -> str | None:
    """What a result has under a name that a user gives."""
    if name in PEOPLE:
        return one.participant_id
    if name in ("entry", "kind"):
        return one.cells()[name]
    return one.entities.get(name) or one.entities.get(short_key(name))


def _plain(name: str, label: str) -> str:
    """A label without the prefix that a user may have typed."""
    return label.removeprefix("sub-" if name in PEOPLE else "ses-" if name in ("session", "ses") else "")


def _heading(key: str) -> str:
    """The column of an entity; those that tables of regions have themselves get a name of their own."""
    return f"entity_{key}" if key in ("name", "index", "sign", "value", "rank", "kind", "entry", "color") else key


def _map_rows(one: Result) -> list[dict[str, str]]:
    counts, threshold = one.record.get("Counts", {}), one.record.get("Threshold", {})
    told = {column: str(counts.get(key, NO_VALUE)) for key, column in COUNTS}
    cutoff = {"threshold": str(threshold.get("Asked", NO_VALUE)), "cutoff": str(threshold.get("Cutoff", NO_VALUE))}
    words = " ".join(" ".join(one.record.get("Warnings", [])).split()) or NO_VALUE
    labels = one.label_files()
    files = {
        "map": str(one.source or NO_VALUE),
        "labels": str(labels[0]) if labels else NO_VALUE,
    }
    return [{**one.cells(), **told, **cutoff, "warnings": words, **files}]


def _table_rows(one: Result, ending: str) -> list[dict[str, str]]:
    return [{**one.cells(), **row} for row in rows_of(read_text(one._beside(ending)))]


def _first_columns(results: Sequence[Result]) -> list[str]:
    """The columns that tell results apart, in their order."""
    found = list(dict.fromkeys(name for one in results for name in one.cells()))
    tail = [name for name in ("entry", "kind") if name in found]
    return [*MAPS, *(name for name in found if name not in (*MAPS, *tail)), *tail]


def _tidy(rows: Sequence[Mapping[str, str]], results: Sequence[Result]) -> "pd.DataFrame":
    """Rows as a table: the union of their columns, those that tell maps apart first; labels stay texts."""
    first = _first_columns(results)
    others = list(dict.fromkeys(name for row in rows for name in row if name not in first))
    names = [*first, *others]
    lines = ["\t".join(names), *("\t".join(row.get(name, NO_VALUE) for name in names) for row in rows)]
    return frame_of("\n".join(lines) + "\n", strings=[*first, "threshold"])


def _one_or_pair(paths: Sequence[Path]) -> Any:
    if not paths:
        raise MissingInput("the label files of the result are not there", hint="Run the app again")
    return paths[0] if len(paths) == 1 else tuple(paths)


def _pieces(given: Given) -> tuple[Piece, ...]:
    found, start = [], 0
    for part in given.sheets.map.parts if given.sheets else ():
        held = part.ijk if part.ijk is not None else part.vertices
        rows = slice(start, start + (part.n_vertices if held is None else len(held)))
        if part.ijk is None:
            found.append(Piece(structure=part.structure, n_vertices=part.n_vertices, rows=rows, vertices=part.vertices))
        start = rows.stop
    return tuple(found)


def _sheet_mark(row: Mapping[str, str]) -> SheetMark:
    return SheetMark(
        index=int(row["index"]), color=row["color"], n_vertices=int(row["n_vertices"]),
        peak_value=0.0 if row["peak_value"] == NO_VALUE else float(row["peak_value"]),
        side="R" if row["hemi"] == "R" else "L", vertex=int(row["peak_vertex"]),
    )  # fmt: skip
