"""Results on surfaces in their files: labels and numbers of a row, hemisphere by hemisphere or as one CIFTI file.

A *row* holds a number for each vertex or grayordinate; its *layout* tells which of them lie in which file. What the
numbers mean is not known here.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.extraction import Region
from bids_regions.frozen import dataclass
from bids_regions.images.cifti import Grayordinates, read_cifti, read_grayordinates, save_cifti_labels, save_cifti_map
from bids_regions.images.gifti import Gifti, read_gifti, save_gifti_labels, save_gifti_map
from bids_regions.images.structures import CORTEX, find_side
from bids_regions.maps.sheet_maps import Part, SheetLayout, SheetMap
from bids_regions.results.placement import OutputPaths

__all__ = ["LabelRows", "find_layout", "load_label_rows", "save_sheet_labels", "save_sheet_shares"]

Array = NDArray[Any]
Layout = SheetMap | SheetLayout
GIVE_LABELS = "Give a file with a label for each vertex: .label.gii for each hemisphere, or .dlabel.nii"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelRows:
    """The labels in one file."""

    labels: Array  # (n,) whole numbers
    names: Mapping[int, str]  # as the file's own table has them
    layout: SheetLayout
    content_hash: str


def load_label_rows(path: Path) -> LabelRows:
    """The labels of a hemisphere or of grayordinates in the file `path`.

    Raises
    ------
    BadMap
        The file is broken or holds no whole numbers.
    StorageFault
        The file system failed.
    """
    with _must_hold_labels():
        if path.name.endswith(".nii"):
            found = read_cifti(path)
            values, digest, named = found.data, found.content_hash, found.labels
            layout = _of_cifti(found.grayordinates, path)
        else:
            gifti = read_gifti(path)
            values, digest, named = _first(gifti, path), gifti.content_hash, gifti.labels
            layout = _of_hemisphere(gifti, values.size, path)
    labels = np.nan_to_num(values).astype(np.int64)
    if not np.array_equal(labels, values):
        raise BadMap(f"{path.name} holds numbers that are no labels: they are not whole", hint=GIVE_LABELS)
    names = {int(key): label.name for key, label in named.items() if label.name}
    return LabelRows(labels=labels, names=names, layout=layout, content_hash=digest)


def find_layout(path: Path) -> SheetLayout:
    """Which vertices and voxels a file of labels has; its numbers are passed over.

    Raises
    ------
    BadMap
        The file is broken or no file of labels.
    StorageFault
        The file system failed.
    """
    with _must_hold_labels():
        if path.name.endswith(".nii"):
            return _of_cifti(read_grayordinates(path), path)
        found = read_gifti(path, lambda _number, _intent: False)
    arrays = found.of_values()
    if not arrays:
        raise BadMap(f"{path.name} holds no labels", hint=GIVE_LABELS)
    return _of_hemisphere(found, math.prod(arrays[0].shape), path)


@contextmanager
def _must_hold_labels() -> Iterator[None]:
    """A sound file of another kind is no map that is passed over here, but a fault."""
    try:
        yield
    except UnsuitableMap as error:
        raise BadMap(error.sentence, hint=GIVE_LABELS) from error


def _first(found: Gifti, path: Path) -> Array:
    arrays = found.of_values()
    if not arrays or arrays[0].values is None:
        raise BadMap(f"{path.name} holds no labels", hint=GIVE_LABELS)
    return arrays[0].values.ravel()


def _of_hemisphere(found: Gifti, n: int, path: Path) -> SheetLayout:
    structure = found.structure or CORTEX.get(find_side(path.name), "")
    part = Part(structure=structure, n_vertices=n, vertices=None, ijk=None, path=path)
    return SheetLayout(parts=(part,), grayordinates=None)


def _of_cifti(found: Grayordinates, path: Path) -> SheetLayout:
    parts = (
        Part(structure=m.structure, n_vertices=m.n_vertices, vertices=m.vertices, ijk=m.ijk, path=path)
        for m in found.models
    )
    return SheetLayout(parts=tuple(parts), grayordinates=found)


def save_sheet_labels(paths: OutputPaths, labels: Array, layout: Layout, regions: Sequence[Region]) -> dict[str, str]:
    """Write the row of labels as the label files of `paths`: their hashes by name."""
    table = [(region.index, region.name, region.color) for region in regions]
    if layout.grayordinates is not None:
        return {paths.labels.name: save_cifti_labels(paths.labels, labels, layout.grayordinates, table, paths.entry)}
    written = {}
    for part, own, path in _cut(labels, layout, paths.label_files):
        here = [row for row, region in zip(table, regions, strict=True) if (region.structure or "") == part.structure]
        written[path.name] = save_gifti_labels(path, own, part.structure, here)
    return written


def save_sheet_shares(paths: OutputPaths, shares: Array, layout: Layout) -> dict[str, str]:
    """Write the row of fractions as the image files of `paths`: their hashes by name."""
    if layout.grayordinates is not None:
        (path,) = paths.share_files
        return {path.name: save_cifti_map(path, shares, layout.grayordinates, paths.entry)}
    cut = _cut(shares, layout, paths.share_files)
    return {path.name: save_gifti_map(path, own, part.structure) for part, own, path in cut}


def _cut(row: Array, layout: Layout, paths: Sequence[Path]) -> Iterator[tuple[Part, Array, Path]]:
    """The row part by part, each with its file."""
    ends = np.cumsum([part.size for part in layout.parts]).tolist()
    for part, path, end in zip(layout.parts, paths, ends, strict=True):
        yield part, row[end - part.size : end], path
