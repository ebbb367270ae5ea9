"""One participant's map as the rows of its set: values, labels, signs, and where it has data.

A volume is resampled to the grid of the set; a map on surfaces is laid on the set's vertices by structure and number,
whatever the order of its file. Only what the records tell is read. *Known* is what a first reading found that a second
need not look for again. What the rows are counted or measured for is not known here.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import ParticipantMap, participant_map
from bids_regions.dataset import MapFile, SourceDataset
from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.errors import Fault, MissingInput
from bids_regions.extraction.presence import Presence, find_presence
from bids_regions.extraction.statistics import Statistic
from bids_regions.files import hash_bytes, read_text
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import Ground, SheetGround, VolumeGround
from bids_regions.group.members import Member
from bids_regions.images import Seen, StoredGrid, count_volumes, load_again, load_label_image, load_mask, load_statmap
from bids_regions.images.cifti import Grayordinates
from bids_regions.maps.sheet_files import load_label_rows
from bids_regions.maps.sheet_maps import SheetLayout, SheetMap, load_sheet_map
from bids_regions.maps.sheets import reload_mask
from bids_regions.tables import rows_in

__all__ = [
    "ChangedError",
    "GoneError",
    "Known",
    "Loaded",
    "Rows",
    "Source",
    "load_member",
    "load_second",
    "map_of",
    "read_table",
    "rows_in_ground",
]

AGAIN = "Run the participant level again"
SIGNS = {"positive": 1, "negative": -1}  # of a region, as its table tells it: the values of a map of p tell none

Array = NDArray[Any]
Rows = list[dict[str, str]]  # of a table


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a set's maps and results are read from."""

    dataset: SourceDataset
    output_dir: Path
    ground: Ground  # of the set


class GoneError(MissingInput):
    """The map or its mask is not there any more."""


class ChangedError(Fault, ValueError):
    """The map is not the one that the results were made from."""


class Known(NamedTuple):
    """What the first reading of a map found, and the second need not look for again."""

    seen: Seen
    presence: Presence


class Loaded(NamedTuple):
    """One member as its set takes it."""

    one: ParticipantMap  # its map, labels and data area as rows of the set
    blind: bool  # nobody can tell its zeros from data
    table: Rows  # its regions, where they were asked for
    known: Known | None  # for the next reading; None of what is read anew each time


def load_member(member: Member, source: Source, *, table: bool = False, known: Known | None = None) -> Loaded:
    """One member's map; its `table` where that is asked for. An earlier reading may have told what is `known`.

    Raises
    ------
    GoneError
        The map or its mask is not there any more.
    ChangedError
        The map is another one than the results were made from.
    BadMap, StorageFault
        One of the images cannot be read.
    """
    for name in member.sources:
        if not (source.dataset.root / name).is_file():
            raise GoneError(f"its map {name} is not there any more")
    ground = source.ground
    if isinstance(ground, VolumeGround):
        read = _read_volume(member, source, ground, known)
    else:
        read = _read(member, source, ground)
    is_p = Statistic(member.kind).rule.is_p
    rows = read_table(member, source.output_dir) if table or is_p else []
    laid = participant_map(
        read.labels,
        read.data,
        read.mask,
        zeros=read.presence.zeros_count,
        signs={int(row["index"]): SIGNS.get(row["sign"], 0) for row in rows} if is_p else None,
        finite=read.finite,
    )
    blind = read.presence.thresholded and not read.masked
    return Loaded(one=laid, blind=blind, table=rows, known=read.seen and Known(read.seen, read.presence))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """A member's rows."""

    labels: Array
    data: Array  # 0 at a background constant
    mask: NDArray[np.bool_] | None
    presence: Presence
    masked: bool  # a mask tells its zeros from data
    finite: bool = False  # all values are known to be
    seen: Seen | None = None  # what to know the map by when it is read again


def _read_volume(member: Member, source: Source, ground: VolumeGround, known: Known | None) -> _Read:
    """The images of a volume, resampled to the grid of the set."""
    path = source.dataset.root / member.source
    again = load_again(path, known.seen) if known else None
    statmap = again or load_statmap(path, member.volume)
    _check_source(member, statmap.content_hash)
    image = load_label_image(source.output_dir / member.labels)
    _compare(member.labels, image.content_hash, member.output_hashes[:-1])
    labels, grid, to = image.labels, image.grid, ground.grid
    if not grid.same_as(statmap.grid):
        raise ChangedError(f"its label image does not lie on the grid of {member.source}", hint=AGAIN)
    mask = _load_mask(member, source, statmap.grid)
    presence = known.presence if known and again else find_presence(statmap.data, mask, Statistic(member.kind))
    return _Read(
        labels=to.flatten(grid.resample(labels, to)),
        data=to.flatten(grid.resample(_cleared(statmap.data, presence), to)),
        mask=None if mask is None else to.flatten(grid.resample(mask, to)),
        presence=presence,
        masked=mask is not None,
        finite=True,
        seen=statmap.seen,
    )


def _read(member: Member, source: Source, ground: SheetGround) -> _Read:
    """The files of a map on surfaces, laid on the vertices and voxels of the set."""
    mapfile = map_of(member, source.dataset)
    sheetmap = load_sheet_map(mapfile, mapfile.paths)
    _check_source(member, sheetmap.content_hash)
    labels = np.zeros(ground.domain.size, np.int32)
    for number, name in enumerate(member.label_files):
        found = load_label_rows(source.output_dir / name)
        _compare(name, found.content_hash, member.output_hashes[number : number + 1])
        rows = rows_in_ground(found.layout, ground)
        there = rows >= 0
        labels[there] = found.labels[rows[there]]
    mask = _load_sheet_mask(member, mapfile, sheetmap, source)
    presence = find_presence(sheetmap.data, mask, Statistic(member.kind))
    return _Read(
        labels=labels,
        data=_laid(_cleared(sheetmap.data, presence), sheetmap, ground),
        mask=None if mask is None else _laid(mask, sheetmap, ground),
        presence=presence,
        masked=mask is not None,
    )


def _cleared(data: Array, presence: Presence) -> Array:
    if presence.background is None:
        return data
    return np.where(data == data.dtype.type(presence.background), data.dtype.type(0), data)


def _check_source(member: Member, digest: str) -> None:
    if member.source_hash and digest != member.source_hash:
        raise ChangedError(f"its map {member.source} has changed since its regions were found", hint=AGAIN)


def _laid(row: Array, layout: SheetMap, ground: SheetGround) -> Array:
    """Numbers of a map as a row of the set; 0 where the map has no such vertex or voxel."""
    rows = rows_in_ground(layout, ground)
    if rows.size == row.size and (rows == np.arange(rows.size)).all():
        return row
    laid = row[rows]
    laid[rows < 0] = 0
    return laid


def rows_in_ground(layout: SheetMap | SheetLayout, ground: SheetGround) -> NDArray[np.intp]:
    """For each row of the set the number of the same vertex or voxel in a map; -1 where the map has none."""
    return _find_rows(layout.grayordinates or tuple(part.shape for part in layout.parts), ground)


@lru_cache(maxsize=16)
def _find_rows(found: Grayordinates | tuple[tuple[str, int, int], ...], ground: SheetGround) -> NDArray[np.intp]:
    """The same for the brain models of a CIFTI file, or whole meshes."""
    rows, start = [], 0
    own: dict[tuple[str, bool], tuple[int, Array]] = {}
    if isinstance(found, tuple):
        for structure, size, _ in found:
            own[structure, True] = start, np.arange(size)
            start += size
    else:
        for model in found.models:
            keys = model.vertices if model.vertices is not None else _numbers(np.asarray(model.ijk), ground)
            own[model.structure, model.vertices is not None] = model.offset, keys
    for part in ground.layout.parts:
        wanted = part.vertices if part.ijk is None else _numbers(part.ijk, ground)
        wanted = np.arange(part.n_vertices) if wanted is None else wanted
        first, keys = own.get((part.structure, part.ijk is None), (0, np.zeros(0, np.intp)))
        rows.append(_find(wanted, keys, first))
    return np.concatenate(rows)


def _find(wanted: Array, keys: Array, first: int) -> NDArray[np.intp]:
    """Where each wanted key stands among `keys`, counted from `first`; -1 where it does not."""
    if not keys.size:
        return np.full(wanted.size, -1)
    order = np.argsort(keys, kind="stable")
    at = order[np.searchsorted(keys, wanted, sorter=order).clip(max=keys.size - 1)]
    return np.where(keys[at] == wanted, at + first, -1)


def _numbers(ijk: Array, ground: SheetGround) -> Array:
    """Voxels as numbers of the volume."""
    assert ground.layout.grayordinates is not None
    assert ground.layout.grayordinates.volume_shape is not None
    return np.asarray(np.ravel_multi_index(tuple(ijk.T), ground.layout.grayordinates.volume_shape))


def map_of(member: Member, dataset: SourceDataset) -> MapFile:
    """The map of a member, both hemispheres of it."""
    mapfile = read_map_names(dataset.root, member.sources)
    return mapfile.take_volume(member.volume) if member.volume else mapfile


def _load_sheet_mask(member: Member, mapfile: MapFile, sheetmap: SheetMap, source: Source) -> NDArray[np.bool_] | None:
    if not member.mask:
        return None
    named = tuple(os.fspath(source.dataset.root / name) for name in member.mask_files)
    for path in named:
        if not Path(path).is_file():
            raise GoneError(f"its mask {path} is not there any more")
    mask, told = reload_mask(sheetmap, mapfile, source.dataset, member.space, named)
    if told != member.mask:
        raise GoneError(f"its mask {member.mask} is not there any more")
    return mask


def load_second(member: Member, source: Source) -> Array:
    """The second map of a member (--values-from) as a row of its set."""
    ground = source.ground
    if isinstance(ground, SheetGround):
        mapfile = map_of(member, source.dataset)
        paths = [source.dataset.root / name for name in member.value_files]
        sheetmap = load_sheet_map(mapfile, paths)
        return _laid(sheetmap.data, sheetmap, ground)
    path = source.dataset.root / member.value_files[0]
    several = member.volume is not None and count_volumes(path) > 1
    second = load_statmap(path, member.volume if several else None)
    return ground.grid.flatten(second.grid.resample(second.data, ground.grid))


def read_table(member: Member, output_dir: Path) -> Rows:
    """The rows of a member's table of regions.

    Raises
    ------
    ChangedError, MissingInput, BadDataset, StorageFault
        The table is another one than its record tells of, or cannot be read.
    """
    text = read_text(output_dir / member.table)
    _compare(member.table, hash_bytes(text.encode()), member.output_hashes[-1:])
    return rows_in(text, output_dir / member.table)


def _compare(name: str, digest: str, told: tuple[str, ...]) -> None:
    """Refuse a result that is not the one its record tells of: damaged, or written again while we are reading."""
    if told and told[0] != digest:
        raise ChangedError(f"{name.rpartition('/')[2]} is not the one that its record tells of", hint=AGAIN)


def _load_mask(member: Member, source: Source, grid: StoredGrid) -> NDArray[np.bool_] | None:
    if not member.mask:
        return None
    path = source.dataset.root / member.mask
    if not path.is_file():
        raise GoneError(f"its mask {member.mask} is not there any more")
    return load_mask(path, grid)[0]
