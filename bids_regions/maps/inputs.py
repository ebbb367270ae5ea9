"""What an entry needs beside the map itself: mask, degrees of freedom, second map, smoothness, atlases.

Gathering only finds and hashes, so that a rerun with nothing to do stays cheap; loading reads the images.
*Inputs* are what was found, *loaded inputs* the arrays of it. What an extraction makes of them is not known here.
"""

import math
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bids_regions.atlases import AtlasUser, Fitting, misplaced
from bids_regions.dataset import (
    MapFile,
    SourceDataset,
    find_dof,
    find_mask,
    find_sibling,
    find_signed_sibling,
    read_map_name,
    read_metadata,
    read_sidecars,
    tell_p_scale,
)
from bids_regions.errors import BadMap, Fault, MissingInput, UnsuitableMap
from bids_regions.extraction import Smoothness, Statistic
from bids_regions.extraction.smoothness import smoothness_from_fwhm, smoothness_from_metadata
from bids_regions.extraction.statistics import P_LOGARITHMS, Freedom, Kind, PScale, on_scale
from bids_regions.files import hash_file, hash_of
from bids_regions.frozen import dataclass
from bids_regions.images import StatMap, count_volumes, load_mask, load_statmap
from bids_regions.maps.sheet_maps import SheetMap
from bids_regions.maps.sheets import MeshUsed, SheetFiles, find_sheet_files
from bids_regions.results.records import MaskUsed
from bids_regions.results.uris import source_uri
from bids_regions.settings import Entry
from bids_regions.space import Domain

__all__ = ["MASK_HINT", "LoadedInputs", "MapInputs", "find_inputs", "hash_inputs", "mask_misfit"]

Array = npt.NDArray[Any]
MASK_HINT = "Give --mask a mask in the map's space, or auto"


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedInputs:
    """The inputs as arrays and numbers."""

    stored: Array  # the map's values with their infinities; of a map of p with NaN, which is no p of 0
    statistic: Statistic
    mask: npt.NDArray[np.bool_] | None
    mask_used: MaskUsed  # as the record tells it
    mask_note: str  # what a reader must know of it: resampled
    values: Array | None
    peaks: Array | None  # a map on the same grid that tells peaks and their values
    peaks_source: str  # what it is called in the record
    smoothness: Smoothness | None
    metadata: Mapping[str, Any]  # the sidecar, where something in it may matter
    domain: Domain | Array  # what the map lies on; of a volume its affine
    meshes: tuple[MeshUsed, ...] = ()  # of a map on surfaces


@dataclass(frozen=True, kw_only=True)
class MapInputs:
    """Which files and numbers an entry takes for a map."""

    mapfile: MapFile
    dataset: SourceDataset
    entry: Entry
    mask: Path | None
    mask_note: str  # why there is none
    unread: tuple[Fault, ...]  # what is wrong with sidecars that cannot be read
    p_scale: PScale | None  # of a p map, where options or sidecar tell it
    peaks: Path | None  # the map that tells peaks and values
    values: Path | None
    metadata: Mapping[str, Any]  # the sidecar, where something in it may matter
    fittings: tuple[Fitting, ...]  # atlases for the map's space
    hashes: Mapping[str, str]  # of the files above
    sheets: SheetFiles | None = None  # of a map on surfaces

    @property
    def sources(self) -> tuple[str, ...]:
        """BIDS URIs of what went in, the map's first."""
        paths = [*self.mapfile.paths, *(path for path in (self.mask, self.values, self.peaks) if path)]
        paths += (*self.sheets.values, *self.sheets.peaks) if self.sheets else ()
        named = [name_source(path, self.dataset) for path in paths]
        return tuple(name for name in named if name.startswith("bids:"))

    @property
    def values_sources(self) -> tuple[str, ...]:
        """The BIDS URIs of the second map, one or of two hemispheres; none without one."""
        paths = self.sheets.values if self.sheets else (self.values,) if self.values else ()
        return tuple(name_source(path, self.dataset) for path in paths)

    def load(self, statmap: StatMap | SheetMap) -> LoadedInputs:
        """Read the images.

        Raises
        ------
        BadMap
            A second map or mask that does not fit the map, or does not exist.
        """
        if isinstance(statmap, SheetMap):
            return self._load_sheets(statmap)
        if self.entry.criteria.knobs["surfaces_only"]:
            raise BadMap(
                f"{self.mapfile.path} is a volume, and the convention {self.entry.criteria.convention} is for surfaces",
                hint="Match maps on surfaces alone, by extension for instance, or take another convention",
            )
        mask, note = load_mask(self.mask, statmap.grid) if self.mask else (None, "")
        statistic = self._statistic(statmap)
        peaks, peaks_source = None, ""
        if self.peaks and (statistic.rule.is_p or self.entry.peaks_from):
            peaks = self._load_beside(self.peaks, statmap, "peaks")
            peaks_source = name_source(self.peaks, self.dataset)
        reread = statistic.scale == "p" and statmap.n_nan > 0
        return LoadedInputs(
            stored=load_statmap(self.mapfile.path, self.mapfile.volume, nan=math.nan).stored
            if reread
            else statmap.stored,
            domain=statmap.grid,
            statistic=statistic,
            peaks=peaks,
            peaks_source=peaks_source,
            mask=mask,
            mask_used=MaskUsed(
                source=name_source(self.mask, self.dataset) if self.mask else "none", note=note or self.mask_note
            ),
            mask_note=note,
            values=self._load_beside(self.values, statmap, "--values-from") if self.values else None,
            smoothness=self._smoothness(statmap, mask) if self.entry.criteria.takes_smoothness else None,
            metadata=self.metadata,
        )

    def _load_sheets(self, sheetmap: SheetMap) -> LoadedInputs:
        assert self.sheets
        criteria = self.entry.criteria
        if criteria.knobs["voxels_only"]:
            raise BadMap(
                f"{self.mapfile.path} lies on surfaces, and the convention {criteria.convention} is for voxels",
                hint="Use workbench or nilearn, or leave surfaces out by --bids-filter-file",
            )
        domain, meshes = self.sheets.lay(sheetmap)
        mask, source, note = self.sheets.load_mask(sheetmap)
        named = tuple(name_source(Path(path), self.dataset) for path in self.entry.masks)
        left_out = ", ".join("--" + name.replace("_", "-") for name in self.entry.voxels_only)
        statistic, peaks = self._statistic(sheetmap), self.sheets.peaks
        peaks = peaks if statistic.rule.is_p or self.entry.peaks_from else ()
        return LoadedInputs(
            statistic=statistic, mask=mask, mask_used=MaskUsed(source=source, files=named, note=note),
            mask_note=f"done without {left_out}, which holds for voxels alone" if left_out else "",
            peaks=self.sheets.load_beside(peaks, sheetmap),
            peaks_source=name_source(peaks[0], self.dataset) if peaks else "",
            values=self.sheets.load_beside(self.sheets.values, sheetmap), smoothness=None, metadata=self.metadata,
            domain=domain,
            stored=sheetmap.stored,
            meshes=meshes,
        )  # fmt: skip

    def _statistic(self, statmap: StatMap | SheetMap) -> Statistic:
        word, rule = self.mapfile.told(statmap.intent)
        rule = on_scale(word, rule, self.p_scale)
        if rule.is_p and rule.scale is None:
            if self.unread:
                raise BadMap(self.unread[0].sentence, hint=self.unread[0].hint)
            raise UnsuitableMap(
                f"{self.mapfile.relpath.rpartition('/')[2]} is a p map whose scale is not told ({word})",
                hint="Give --p-scale p, 1-p or log10, or PScale in its sidecar",
            )
        dof, dof_map = self._freedom(rule, statmap)
        one_sign = statmap.intent in P_LOGARITHMS
        return Statistic(word, dof, rule=rule, scale=self.p_scale, dof_map=dof_map, one_sign=one_sign)

    def _freedom(self, rule: Kind, statmap: StatMap | SheetMap) -> tuple[Freedom | None, Array | None]:
        """The degrees of freedom of the map, as a number or two, or voxel by voxel; the first that are told."""
        if not rule.n_dof:
            return None, None
        if len(self.entry.dof) == rule.n_dof:
            return _one_or_two(self.entry.dof), None
        told = find_dof(self.mapfile, self.metadata, pair=rule.n_dof == 2)
        if told.value is not None:
            return told.value, None
        path = told.map_path if self.sheets is None else next(iter(self.sheets.dof), None)
        if path and rule.n_dof == 1:
            return self._load_freedom(path, statmap)
        header = next((statmap.dof[intent] for intent in rule.intents if intent in statmap.dof), ())
        return _one_or_two(header), None

    def _load_freedom(self, path: Path, statmap: StatMap | SheetMap) -> tuple[float | None, Array | None]:
        if isinstance(statmap, StatMap):
            data: Array | None = self._load_beside(path, statmap, "degrees of freedom")
        else:
            data = self.sheets.load_beside(self.sheets.dof, statmap) if self.sheets else None
        assert data is not None
        inside = data[(data > 0) & (statmap.data != 0)]
        if not inside.size:
            raise BadMap(f"{path} holds no degrees of freedom where the map has data", hint="Give --dof")
        if inside.min() == inside.max():
            return float(inside[0]), None
        return None, np.maximum(data, 0)

    def _load_beside(self, path: Path, statmap: StatMap, what: str) -> Array:
        """The values of another map of the same voxels, in the order of this one's."""
        try:
            several = self.mapfile.volume is not None and count_volumes(path) > 1
            second = load_statmap(path, self.mapfile.volume if several else None)
        except UnsuitableMap as error:
            raise BadMap(str(error), hint=f"Fix the map of {what}") from error
        data = second.grid.reorder(second.data, statmap.grid)
        if data is None:
            raise BadMap(f"{path} lies on another grid than {self.mapfile.path}", hint="Resample it to the map's grid")
        return data

    def _smoothness(self, statmap: StatMap, mask: npt.NDArray[np.bool_] | None) -> Smoothness | None:
        has_data = (statmap.data != 0) & ~np.isnan(statmap.data)
        n_voxels = int(np.count_nonzero(has_data if mask is None else has_data & mask))
        grid = statmap.grid
        if self.entry.smoothness:
            return smoothness_from_fwhm(
                self.entry.smoothness, volume=n_voxels, voxel_volume=grid.voxel_volume, origin="option"
            )
        return smoothness_from_metadata(self.metadata, n_voxels=n_voxels, zooms=grid.zooms_ras)


def find_inputs(
    mapfile: MapFile, dataset: SourceDataset, entry: Entry, space: str, fittings: tuple[Fitting, ...] = ()
) -> MapInputs:
    """Find and hash what `entry` needs for `mapfile`, which lies in `space` ("" where it is not known).

    Raises
    ------
    MissingInput
        A named mask or second map that is not there.
    BadMap
        A named mask of another space, or of another participant's own space.
    """
    sheets = find_sheet_files(mapfile, dataset, entry, space) if mapfile.form != "volume" else None
    mask, note = _choose_mask(mapfile, dataset, entry, space) if sheets is None else (None, "")
    values = _choose_values(mapfile, entry) if sheets is None else None
    named = mapfile if sheets is None else read_map_name(mapfile.root, mapfile.relpath)  # with its hemi-
    metadata, unread = read_sidecars(named)
    if entry.criteria.takes_smoothness and not entry.smoothness:
        metadata = read_metadata(named)
    p_scale = cast(PScale, entry.p_scale) if entry.p_scale != "auto" else tell_p_scale(metadata)
    peaks = _choose_peaks(mapfile, entry, p_scale) if sheets is None else None
    asks_dof = sheets is None and (mapfile.kind.n_dof == 1 or not mapfile.stat)
    dof_map = find_dof(mapfile, metadata).map_path if asks_dof else None
    files = {"mask": mask, "values": values, "dof": dof_map, "peaks": peaks, **(dict(sheets.paths) if sheets else {})}
    return MapInputs(
        mapfile=mapfile,
        dataset=dataset,
        entry=entry,
        mask=mask,
        mask_note=note,
        unread=unread,
        p_scale=p_scale,
        peaks=peaks,
        values=values,
        metadata=metadata,
        fittings=fittings,
        hashes={name: _hash_once(path, *_stamp(path)) for name, path in files.items() if path},
        sheets=sheets,
    )


def hash_inputs(map_digest: str, inputs: MapInputs) -> str:
    """The hash of everything that went in: the map, the files beside it, the numbers their sidecars tell."""
    return hash_of(
        {
            "map": map_digest,
            "files": dict(inputs.hashes),
            "metadata": dict(inputs.metadata),
            "mask_note": inputs.mask_note,
            **({"unread": [str(fault) for fault in inputs.unread]} if inputs.unread else {}),
            "atlases": [fit.atlas.fingerprint if fit.atlas else fit.reason for fit in inputs.fittings],
        }
    )


def name_source(path: Path, dataset: SourceDataset) -> str:
    """Where a source lies: a BIDS URI inside the dataset, a path relative to the dataset outside of it."""
    if path.is_relative_to(dataset.root):
        return source_uri(os.fspath(path.relative_to(dataset.root)))
    return os.path.relpath(path, dataset.root)


def _choose_mask(mapfile: MapFile, dataset: SourceDataset, entry: Entry, space: str) -> tuple[Path | None, str]:
    if entry.mask == "none":
        return None, ""
    if entry.mask == "auto":
        found, note = find_mask(mapfile, dataset)
        return found, "" if found else note
    path = Path(entry.mask)
    if not path.is_file():
        raise MissingInput(f"the mask {path} is not there", hint="Fix --mask")
    if wrong := mask_misfit(entry, space, mapfile.participant):
        raise BadMap(f"{mapfile.path}: {wrong}", hint=MASK_HINT)
    return path, ""


def mask_misfit(entry: Entry, space: str, participant: str | None) -> str:
    """Why the mask that `entry` names may not be laid on the maps of a participant in `space`; "" where it may."""
    wrong = misplaced(Path(entry.mask), AtlasUser(space=space, participant=participant))
    return f"the mask {entry.mask} {wrong}" if wrong else ""


def _choose_values(mapfile: MapFile, entry: Entry) -> Path | None:
    if entry.values_from is None:
        return None
    found = find_sibling(mapfile, dict([entry.values_from]))
    if found is None:
        wanted = "-".join(entry.values_from)
        raise MissingInput(
            f"{mapfile.path} has no sibling with {wanted}", hint="Fix --values-from, or leave this map out"
        )
    return found


def _choose_peaks(mapfile: MapFile, entry: Entry, p_scale: PScale | None) -> Path | None:
    if entry.peaks_from is not None:
        found = find_sibling(mapfile, dict([entry.peaks_from]))
        if found is None:
            wanted = "-".join(entry.peaks_from)
            raise MissingInput(
                f"{mapfile.path} has no sibling with {wanted}", hint="Fix --peaks-from, or leave this map out"
            )
        return None if found == mapfile.path else found
    word, kind = mapfile.told()
    may_be_p = on_scale(word, kind, p_scale).is_p or not (mapfile.stat or kind.distribution)
    return find_signed_sibling(mapfile) if may_be_p else None


def _one_or_two(numbers: Sequence[float]) -> Freedom | None:
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    return numbers[0] if numbers else None


def _stamp(path: Path | None) -> tuple[int, int]:
    if path is None:
        return 0, 0
    try:
        status = path.stat()
    except OSError:
        return 0, 0  # hashing the file says what is wrong
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=256)
def _hash_once(path: Path, _mtime: int, _size: int) -> str:
    """A mask or atlas that many maps share is hashed once per process."""
    return hash_file(path)
