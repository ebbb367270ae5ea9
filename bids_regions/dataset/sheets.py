"""The files that belong to a map on surfaces: midthickness meshes, areas and masks of its hemispheres, its siblings.

Like a volume's companions they say nothing that the map does not say, but for `hemi-` and `den-`: what mesh a file is
of is known when it is read. A *template* is the folder of a space in TemplateFlow.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bids_regions.dataset.companions import list_folders_of, says_no_more
from bids_regions.dataset.hemispheres import HEMI, side_of
from bids_regions.dataset.mapfiles import MapFile, same_label
from bids_regions.dataset.names import Entities, split_name
from bids_regions.dataset.source import SourceDataset
from bids_regions.errors import Fault
from bids_regions.files import list_names

__all__ = ["DENSITIES", "find_own_masks", "find_own_surfaces", "find_sheet_siblings", "find_template_files"]

NATIVE = "fsnative"  # the space of a participant's own mesh, whose files name none
MIDTHICKNESS, AREAS = ("midthickness", ".surf.gii"), ("midthickness", ".shape.gii")
MASKS = (".gii", ".label.gii", ".shape.gii", ".func.gii")
MASK_DESCS = (None, "brain", "cortex")
DENSITIES = {"3k": 2562, "10k": 10242, "32k": 32492, "41k": 40962, "59k": 59292, "164k": 163842}  # vertices
FREE = (HEMI, "den")  # entities that a map need not share

Found = Mapping[str, tuple[Path, ...]]  # by hemisphere, L and R; those that say most of the map first


Wanted = Callable[[dict[str, str], str, str], bool]  # labels, suffix, ending


def find_own_surfaces(mapfile: MapFile, dataset: SourceDataset, space: str) -> Found:
    """The midthickness surfaces of the map's participant in the map's `space`, beside the map or in linked datasets."""
    found = _fitting(mapfile, dataset, space, lambda entities, suffix, ending: (
        (suffix, ending.removesuffix(".gz")) == MIDTHICKNESS and "desc" not in entities
    ))  # fmt: skip
    return _by_side(found)


def find_own_masks(mapfile: MapFile, dataset: SourceDataset, space: str) -> Found:
    """The masks of the map's hemispheres: `_mask.gii`, or the cortex of the participant."""
    allowed = (*MASK_DESCS, mapfile.entity("desc"))
    found = _fitting(mapfile, dataset, space, lambda entities, suffix, ending: (
        suffix == "mask" and ending.removesuffix(".gz") in MASKS and entities.get("desc") in allowed
    ), but=("desc",))  # fmt: skip
    return _by_side(found)


def find_template_files(space: str, *, areas: bool = False) -> Found:
    """The template's midthickness surfaces, or the mean areas of people, in TEMPLATEFLOW_HOME; nothing is fetched."""
    home = os.environ.get("TEMPLATEFLOW_HOME")
    template = "fsaverage" if space.startswith("fsaverage") else space
    if not home or not template.isalnum():
        return {}
    folder, wanted = Path(home) / f"tpl-{template}", AREAS if areas else MIDTHICKNESS
    found = []
    for name in _names(folder):
        entities, suffix, ending = split_name(name)
        labels = dict(entities)
        if (suffix, ending) == wanted and labels.get("desc") == ("vaavg" if areas else None):
            found.append((len(entities), folder / name, side_of(labels.get(HEMI))))
    return _by_side(found)


def find_sheet_siblings(mapfile: MapFile, changes: Mapping[str, str]) -> tuple[Path, ...] | None:
    """For each file of the map the one beside it whose name differs in just these entities; None where one lacks."""
    siblings = []
    for path in mapfile.paths:
        wanted = dict(split_name(path.name)[0]) | dict(changes)
        for name in list_names(path.parent):
            entities, suffix, ending = split_name(name)
            labels = dict(entities)
            same = labels.keys() == wanted.keys() and all(same_label(key, labels[key], wanted[key]) for key in labels)
            if same and (suffix, ending.removesuffix(".gz")) == (mapfile.suffix, mapfile.extension.removesuffix(".gz")):
                siblings.append(path.parent / name)
                break
        else:
            return None
    return tuple(siblings)


def _fitting(
    mapfile: MapFile, dataset: SourceDataset, space: str, is_wanted: Wanted, but: tuple[str, ...] = ()
) -> Iterator[tuple[int, Path, str]]:
    """The files that say no more than the map, once `but` is left out: how much they say, where, which side."""
    for folder in list_folders_of(mapfile, dataset):
        names = list_names(folder, strict=folder.is_relative_to(dataset.root))  # one that cannot be listed is a fault
        for name in names:
            entities, suffix, ending = split_name(name)
            labels = dict(entities)
            if (
                name[0] == "."
                or not is_wanted(labels, suffix, ending)
                or labels.get("space", NATIVE) != (space or NATIVE)
            ):
                continue
            rest: Entities = tuple(pair for pair in entities if pair[0] not in (*FREE, *but, "space"))
            if says_no_more(rest, mapfile):
                yield len(rest), folder / name, side_of(labels.get(HEMI))


def _by_side(found: Iterator[tuple[int, Path, str]] | list[tuple[int, Path, str]]) -> Found:
    sides: dict[str, list[Path]] = {"L": [], "R": []}
    for _, path, side in sorted(found, key=lambda each: -each[0]):
        if side in sides:
            sides[side].append(path)
    return {side: tuple(paths) for side, paths in sides.items() if paths}


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in list_names(folder, strict=False) if name[0] != "."]
    except Fault:
        return []
