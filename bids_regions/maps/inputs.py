"""What an entry needs beside the map itself: mask, degrees of freedom, second map, smoothness, atlases.

Gathering only finds and hashes, so that a rerun with nothing to do stays cheap; loading reads the images.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.atlases import AtlasUser, Fitting, misplaced
from bids_regions.dataset import MapFile, SourceDataset, find_dof, find_mask, find_sibling, read_metadata, read_sidecars
from bids_regions.errors import BadMap, Fault, MissingInput, UnsuitableMap
from bids_regions.extraction import Smoothness, Statistic
from bids_regions.extraction.smoothness import smoothness_from_fwhm, smoothness_from_metadata
from bids_regions.files import hash_file, hash_of
from bids_regions.images import StatMap, load_mask, load_statmap
from bids_regions.results.records import MaskUsed
from bids_regions.results.uris import source_uri
from bids_regions.settings import Entry

__all__ = ["MASK_HINT", "LoadedInputs", "MapInputs", "find_inputs", "hash_inputs", "mask_misfit"]

Array = npt.NDArray[Any]
MASK_HINT = "Give --mask a mask in the map's space, or auto"
KINDS = {"z": "z", "t": "t", "f": "F"}


@dataclass(frozen=True, kw_only=True)
class LoadedInputs:
    """The inputs as arrays and numbers."""

    statistic: Statistic
    mask: npt.NDArray[np.bool_] | None
    mask_used: MaskUsed  # as the record tells it
    mask_note: str  # what a reader must know of it: resampled
    values: Array | None
    smoothness: Smoothness | None
    metadata: Mapping[str, Any]  # the sidecar, where something in it may matter


@dataclass(frozen=True, kw_only=True)
class MapInputs:
    """Which files and numbers an entry takes for a map."""

    mapfile: MapFile
    dataset: SourceDataset
    entry: Entry
    mask: Path | None
    mask_note: str  # why there is none
    unread: tuple[Fault, ...]  # what is wrong with sidecars that cannot be read
    dof: float | None  # of a t map, where options, sidecar or sibling tell it
    dof_map: Path | None
    values: Path | None
    metadata: Mapping[str, Any]  # read only where cluster p needs it
    fittings: tuple[Fitting, ...]  # atlases for the map's space
    hashes: Mapping[str, str]  # of the files above

    @property
    def sources(self) -> tuple[str, ...]:
        """BIDS URIs of what went in, the map's first."""
        paths = [self.mapfile.path, *(path for path in (self.mask, self.values) if path)]
        named = [name_source(path, self.dataset) for path in paths]
        return tuple(name for name in named if name.startswith("bids:"))

    @property
    def values_source(self) -> str | None:
        """The BIDS URI of the second map."""
        return name_source(self.values, self.dataset) if self.values else None

    def load(self, statmap: StatMap) -> LoadedInputs:
        """Read the images.

        Raises
        ------
        BadMap
            A second map or mask that does not fit the map, or does not exist.
        """
        mask, note = load_mask(self.mask, statmap.grid) if self.mask else (None, "")
        return LoadedInputs(
            statistic=self._statistic(statmap),
            mask=mask,
            mask_used=MaskUsed(
                source=name_source(self.mask, self.dataset) if self.mask else "none", note=note or self.mask_note
            ),
            mask_note=note,
            values=self._load_values(statmap) if self.values else None,
            smoothness=self._smoothness(statmap, mask) if self.entry.criteria.takes_smoothness else None,
            metadata=self.metadata,
        )

    def _statistic(self, statmap: StatMap) -> Statistic:
        kind = KINDS.get(self.mapfile.stat.lower(), self.mapfile.stat) or statmap.intent_name or "unknown"
        dof = self.dof
        if kind == "t" and dof is None and self.dof_map:
            dof = _constant_dof(self.dof_map)
        if kind == "t" and dof is None and statmap.intent_name == "t":
            dof = statmap.intent_dof
        return Statistic(kind, dof if kind == "t" else None)

    def _load_values(self, statmap: StatMap) -> Array:
        assert self.values
        try:
            second = load_statmap(self.values)
        except UnsuitableMap as error:
            raise BadMap(str(error), hint="Fix the second map or --values-from") from error
        if not second.grid.same_as(statmap.grid):
            raise BadMap(
                f"{self.values} lies on another grid than {self.mapfile.path}", hint="Resample it to the map's grid"
            )
        return second.data

    def _smoothness(self, statmap: StatMap, mask: npt.NDArray[np.bool_] | None) -> Smoothness | None:
        n_voxels = int(np.count_nonzero(statmap.data if mask is None else mask))
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
    mask, note = _choose_mask(mapfile, dataset, entry, space)
    values = _choose_values(mapfile, entry)
    dof, dof_map = _choose_dof(mapfile, entry)
    files = {"mask": mask, "values": values, "dof": dof_map}
    return MapInputs(
        mapfile=mapfile,
        dataset=dataset,
        entry=entry,
        mask=mask,
        mask_note=note,
        unread=read_sidecars(mapfile)[1],
        dof=dof,
        dof_map=dof_map,
        values=values,
        metadata=read_metadata(mapfile) if entry.criteria.takes_smoothness and not entry.smoothness else {},
        fittings=fittings,
        hashes={name: _hash_once(path, *_stamp(path)) for name, path in files.items() if path},
    )


def hash_inputs(map_digest: str, inputs: MapInputs) -> str:
    """The hash of everything that went in: the map, the files beside it, the numbers their sidecars tell."""
    return hash_of(
        {
            "map": map_digest,
            "files": dict(inputs.hashes),
            "dof": inputs.dof,
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


def _choose_dof(mapfile: MapFile, entry: Entry) -> tuple[float | None, Path | None]:
    if mapfile.stat.lower() not in ("t", ""):  # without a statistic in its name a map's header may still say t
        return None, None
    if entry.dof is not None:
        return entry.dof, None
    found = find_dof(mapfile)
    return found.value, found.map_path if found.value is None else None


def _constant_dof(path: Path) -> float:
    """The degrees of freedom in a map of them; where they vary the smallest is taken, which is on the safe side."""
    data = load_statmap(path).data
    inside = data[data > 0]
    if not inside.size:
        raise BadMap(f"{path} holds no degrees of freedom", hint="Give --dof")
    return float(inside.min())


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
