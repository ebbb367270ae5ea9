"""Regions that come from elsewhere (--regions-from): an atlas, another study, or a consensus of the very same maps.

They are a label image for volumes, or label files of a template's vertices for maps on surfaces. There a region is a
label of one structure: a key that two hemispheres share is two regions, and that of the right one is counted up. What
is measured in them is not known here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import Contradiction, Fault
from bids_regions.extraction.measures import numbered_name
from bids_regions.files import read_json
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import Ground, SheetGround, VolumeGround
from bids_regions.group.members import Member
from bids_regions.group.outputs import Consensus, fingerprint
from bids_regions.group.reading import rows_in_ground
from bids_regions.images import StoredGrid, load_labels
from bids_regions.maps.sheet_files import LabelRows, load_label_rows
from bids_regions.tables import NO_VALUE, read_rows

__all__ = ["LaidRegions", "OtherRegions", "lay_regions", "load_other_regions"]

ON_SHEETS = (".gii", ".gii.gz", ".dlabel.nii", ".dlabel.nii.gz")
SIDE_WORDS = {"CORTEX_LEFT": "Left", "CORTEX_RIGHT": "Right"}

Array = NDArray[Any]
Row = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherRegions:
    """Regions that come from elsewhere, as their files have them."""

    name: str  # of the files
    labels: Array | None = None  # of a label image
    grid: StoredGrid | None = None  # of that
    sheets: tuple[LabelRows, ...] = ()  # of label files on surfaces
    names: Mapping[int, str] = field(default_factory=dict)
    signs: Mapping[int, int] = field(default_factory=dict)
    peaks: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)  # mm, RAS+
    made_from: frozenset[str] = frozenset()  # fingerprints of the maps that its regions are the consensus of

    @property
    def on_sheets(self) -> bool:
        """Whether they are of vertices."""
        return bool(self.sheets)


@dataclass(frozen=True, kw_only=True, eq=False)
class LaidRegions:
    """Regions as a row of a set."""

    labels: Row
    names: Mapping[int, str] = field(default_factory=dict)
    signs: Mapping[int, int] = field(default_factory=dict)
    peaks: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)  # mm, RAS+
    notes: tuple[str, ...] = ()
    made_from: frozenset[str] = frozenset()

    def is_circular(self, members: Sequence[Member], consensus: Consensus) -> bool:
        """Whether they were found in a set's own maps: by the record beside them, or because they are the same."""
        if any(fingerprint(member) in self.made_from for member in members):
            return True
        own = consensus.ground.domain.flatten(consensus.extraction.labels)
        return bool(self.labels.any()) and bool(np.array_equal(own, self.labels))


def load_other_regions(paths: Sequence[Path]) -> tuple[OtherRegions, ...]:
    """The regions of --regions-from: those of a label image, those of label files on surfaces, or both.

    Names, signs and peaks are told by a table (`*_dseg.tsv`) beside the files; of surfaces the names by the files.

    Raises
    ------
    BadMap
        A file cannot be read, or holds no whole numbers.
    Contradiction
        More files than can be of one set.
    """
    sheets = [path for path in paths if path.name.lower().endswith(ON_SHEETS)]
    volumes = [path for path in paths if path not in sheets]
    if len(volumes) > 1 or len(sheets) > 2:
        raise Contradiction(
            f"--regions-from names {len(paths)} files: {', '.join(path.name for path in paths)}",
            hint="Give one label image, and on surfaces one file for each hemisphere or one dlabel file",
        )
    found = [_load_image(path) for path in volumes]
    return (*found, *([_load_sheets(sheets)] if sheets else []))


def _load_image(path: Path) -> OtherRegions:
    labels, grid = load_labels(path)
    stem = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii"))
    told = OtherRegions(name=path.name, labels=np.maximum(labels, 0), grid=grid)
    return _with_table(told, stem)


def _load_sheets(paths: Sequence[Path]) -> OtherRegions:
    first = re.sub(r"_hemi-[LR](?=_)", "", paths[0].name)
    stem = paths[0].with_name(re.sub(r"(\.label\.gii|\.gii|\.dlabel\.nii)(\.gz)?$", "", first))
    sheets = tuple(load_label_rows(path) for path in paths)
    return _with_table(OtherRegions(name=" and ".join(path.name for path in paths), sheets=sheets), stem)


def _with_table(others: OtherRegions, stem: Path) -> OtherRegions:
    """Regions with what the table and the record at a stem tell of them; of one that tells nothing, as they are."""
    names: dict[int, str] = {}
    signs: dict[int, int] = {}
    peaks: dict[int, tuple[float, float, float]] = {}
    try:
        for row in read_rows(stem.with_name(stem.name + ".tsv")):
            number = int(row["index"])
            names[number] = row["name"]
            signs[number] = {"positive": 1, "negative": -1}.get(row.get("sign", ""), 0)
            if row.get("peak_x", NO_VALUE) != NO_VALUE:
                peaks[number] = (float(row["peak_x"]), float(row["peak_y"]), float(row["peak_z"]))
    except (Fault, KeyError, ValueError):
        names, signs, peaks = {}, {}, {}  # no table of regions: they have neither name nor sign nor peak
    made_from = _made_from(stem.with_name(stem.name + ".json"))
    return replace(others, names=names, signs=signs, peaks=peaks, made_from=made_from)


def _made_from(sidecar: Path) -> frozenset[str]:
    """The maps that a consensus of ours was made from, as its record tells."""
    try:
        found = read_json(sidecar).get("Consensus")
    except Fault:
        return frozenset()
    told = found.get("Maps") if isinstance(found, dict) else None
    return frozenset(map(str, told)) if isinstance(told, list) else frozenset()


def lay_regions(others: Sequence[OtherRegions], ground: Ground) -> LaidRegions:
    """The regions that are of a set's kind as a row of the set, and what is to be said of it."""
    wanted = isinstance(ground, SheetGround)
    found = next((each for each in others if each.on_sheets == wanted), None)
    if found is None:
        names = " and ".join(each.name for each in others)
        kinds = ("maps on surfaces", "volumes") if wanted else ("volumes", "surfaces")
        note = f"{names} is of {kinds[1]}: no values of these {kinds[0]} are taken"
        return LaidRegions(labels=np.zeros(ground.domain.size, np.int64), notes=(note,))
    laid = _lay_on_sheets(found, ground) if isinstance(ground, SheetGround) else _lay_image(found, ground)
    told = f"Values are taken in the regions of {found.name}, which is taken to lie in the space of the maps"
    return replace(laid, notes=(told, *laid.notes), made_from=found.made_from)


def _lay_image(others: OtherRegions, ground: VolumeGround) -> LaidRegions:
    assert others.grid is not None
    assert others.labels is not None
    labels = others.grid.resample(others.labels, ground.grid)
    notes = []
    if not others.grid.same_as(ground.grid):
        notes.append(f"{others.name} lies on another grid and was resampled (nearest)")
    lost = sorted(set(np.unique(others.labels).tolist()) - set(np.unique(labels).tolist()) - {0})
    if lost:
        notes.append(f"{others.name} has regions without any voxel on the grid of the maps: {_some(lost)}")
    return LaidRegions(
        labels=ground.grid.flatten(labels), names=others.names, signs=others.signs, peaks=others.peaks,
        notes=tuple(notes),
    )  # fmt: skip


def _lay_on_sheets(others: OtherRegions, ground: SheetGround) -> LaidRegions:
    """Each label of each structure as a region of its own."""
    keys = np.zeros(ground.domain.size, np.int64)
    names: dict[int, str] = {}
    notes = []
    for sheet in others.sheets:
        wrong = _misfit(sheet, ground, others.name)
        if wrong:
            notes.append(wrong)
            continue
        rows = rows_in_ground(sheet.layout, ground)
        there = rows >= 0
        keys[there] = np.maximum(sheet.labels[rows[there]], 0)
        names |= sheet.names
    labels, known = _numbered(keys, ground, names | dict(others.names))
    if not labels.any() and not notes:
        notes.append(f"{others.name} has no region on the vertices of the maps")
    return LaidRegions(labels=labels, names=known, signs=others.signs, peaks=others.peaks, notes=tuple(notes))


def _numbered(keys: Row, ground: SheetGround, names: Mapping[int, str]) -> tuple[Row, dict[int, str]]:
    """The keys as numbers that no two structures share, and the name of each number."""
    labels = keys.copy()
    known: dict[int, str] = {}
    step, taken = 10 ** len(str(int(keys.max(initial=0)))), set[int]()
    for structure, rows in _structures(ground):
        own = np.unique(keys[rows])
        own = own[own > 0]
        shared = taken.intersection(own.tolist())
        taken |= set(own.tolist())
        for key in own.tolist():
            number, name = key, names.get(key, numbered_name(key))
            if key in shared:
                number = key + step
                while number in known:
                    number += step
                labels[rows[keys[rows] == key]] = number
                first = known.get(key, "")
                if first == name:
                    name = f"{SIDE_WORDS.get(structure, structure)} {name}"
                    known[key] = f"Left {first}" if structure == "CORTEX_RIGHT" else first
            known[number] = name
    return labels, known


def _structures(ground: SheetGround) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """The rows of each mesh, then of all voxels together."""
    start, voxels = 0, []
    for part in ground.layout.parts:
        rows = np.arange(start, start + part.size)
        start += part.size
        if part.ijk is None:
            yield part.structure, rows
        else:
            voxels.append(rows)
    if voxels:
        yield "voxels", np.concatenate(voxels)


def _misfit(sheet: LabelRows, ground: SheetGround, name: str) -> str:
    """Why a file of labels cannot be laid on the vertices of a set; empty where it can."""
    own = {part.structure: part.n_vertices for part in ground.layout.parts if part.ijk is None}
    meshes = {part.structure: part.n_vertices for part in sheet.layout.parts if part.ijk is None}
    for structure, n in meshes.items():
        if own.get(structure, n) != n:
            return f"{name} has {n} vertices in {structure}, the maps {own[structure]}: no values are taken there"
    found, ours = sheet.layout.grayordinates, ground.layout.grayordinates
    if found is None or ours is None or found.affine is None or ours.affine is None:
        return ""
    alike = found.volume_shape == ours.volume_shape and np.allclose(found.affine, ours.affine, atol=1e-3)
    return "" if alike else f"{name} has its voxels on another grid than the maps: no values are taken there"


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
