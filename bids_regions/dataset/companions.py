"""The files that belong to a map: its brain mask, its siblings, its participant's anatomy.

A mask fits a map when it says nothing that the map does not say: same participant, same space, every entity of its
name with the same label in the map's name. Of several that fit, the one with most entities is taken. Folders are
sought in this order: the map's own; its participant's (and session's) folder, `func/` and `anat/` in the same dataset;
the same in the datasets that `DatasetLinks` names.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bids_regions.dataset.mapfiles import MapFile, same_label
from bids_regions.dataset.names import Entities, split_name
from bids_regions.dataset.source import SourceDataset, list_folders
from bids_regions.entity_names import short_key
from bids_regions.errors import Fault
from bids_regions.extraction.statistics import kind_of_word, told_kind
from bids_regions.files import list_names

__all__ = [
    "find_anatomical",
    "find_mask",
    "find_segmentation",
    "find_sibling",
    "find_signed_sibling",
    "linked_datasets",
    "list_folders_of",
    "says_no_more",
]

VOLUMES = (".nii.gz", ".nii")
NATIVE = "T1w"  # the space label of maps in the participant's own anatomy, whose images name no space


def find_mask(mapfile: MapFile, dataset: SourceDataset) -> tuple[Path | None, str]:
    """The brain mask that belongs to a map, and a note on it in words."""
    best = _find_fitting("mask", mapfile, dataset, lambda e: _without_desc(e, mapfile), mapfile.entity("space"))
    if best is None:
        return None, "no brain mask with the map's entities was found"
    return best, _show(best, dataset)


def find_segmentation(
    mapfile: MapFile, dataset: SourceDataset, wanted: Iterable[tuple[str, str]], *, space: str | None
) -> Path | None:
    """The segmentation (`_dseg`) of the map's own participant in `space` whose name has the `wanted` entities."""
    if mapfile.participant is None:
        return None
    named = [(short_key(key), label) for key, label in wanted]

    def without_wanted(entities: Entities) -> dict[str, str] | None:
        labels = dict(entities)
        has_all = all(key in labels and same_label(key, labels.pop(key), label) for key, label in named)
        return labels if has_all else None

    return _find_fitting("dseg", mapfile, dataset, without_wanted, space)


def _find_fitting(
    suffix: str,
    mapfile: MapFile,
    dataset: SourceDataset,
    leave: Callable[[Entities], dict[str, str] | None],
    space: str | None,
) -> Path | None:
    """Of the images that say nothing but what the map says, once `leave` took out what was asked for, the fullest."""
    best: tuple[int, Path] | None = None
    for folder in list_folders_of(mapfile, dataset):
        for name, entities in _images_in(folder, suffix, dataset.root):
            labels = leave(entities)
            native = NATIVE if folder.name == "anat" else None
            fits = labels is not None and _says_no_more_in(space, labels, mapfile, native)
            if fits and (best is None or len(entities) > best[0]):
                best = len(entities), folder / name
    return best[1] if best else None


def find_sibling(mapfile: MapFile, changes: Mapping[str, str | None]) -> Path | None:
    """The map beside `mapfile` whose name differs in just these entities; None as a label means without it."""
    of_file = dict(mapfile.entities)
    if mapfile.volume is not None:
        of_file.pop("volume")  # neither a name nor a folder tells it: a sibling has as many
    wanted = dict(of_file)
    for name, label in changes.items():
        key = name if name in wanted else short_key(name)
        if label is None:
            wanted.pop(key, None)
        else:
            wanted[key] = label
    folder = mapfile.path.parent
    own_name = dict(split_name(mapfile.path.name)[0])
    folders_say = {key: label for key, label in of_file.items() if key not in own_name}
    for name, entities in _images_in(folder, mapfile.suffix, mapfile.root):
        own = folders_say | dict(entities)
        if _same_labels(own, wanted):
            return folder / name
    return None


def find_signed_sibling(mapfile: MapFile) -> Path | None:
    """The one z map, else the one t map, beside `mapfile` whose name differs in nothing but what tells its kind."""
    told_by_desc = not mapfile.stat and kind_of_word(mapfile.suffix) is None
    apart = {"stat", "desc"} if told_by_desc else {"stat"}
    wanted = {key: label for key, label in mapfile.entities if key not in apart}
    own = dict(split_name(mapfile.path.name)[0])
    folders_say = {key: label for key, label in mapfile.entities if key not in own}
    found: dict[str, list[Path]] = {"z": [], "t": []}
    for name in list_names(mapfile.path.parent, strict=True):
        entities, suffix, extension = split_name(name)
        others = {key: label for key, label in (folders_say | dict(entities)).items() if key not in apart}
        if name[0] == "." or extension not in VOLUMES or not _same_labels(others, wanted):
            continue
        labels = dict(entities)
        if suffix != mapfile.suffix and (kind_of_word(suffix) is None or mapfile.stat):
            continue
        word, kind = told_kind(labels.get("stat", ""), (suffix, labels.get("desc", "")))
        if kind.both and word in found:
            found[word].append(mapfile.path.parent / name)
    z, t = found["z"], found["t"]
    return z[0] if len(z) == 1 else t[0] if len(t) == 1 and not z else None


def _same_labels(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one.keys() == other.keys() and all(same_label(key, one[key], other[key]) for key in one)


def find_anatomical(mapfile: MapFile, dataset: SourceDataset) -> Path | None:
    """The preprocessed T1-weighted image of the map's participant in the map's space."""
    space = mapfile.entity("space")
    if mapfile.participant is None:
        return None
    for folder in list_folders_of(mapfile, dataset, beside=True):
        try:
            found = _images_in(folder, "T1w", dataset.root)
        except Fault:
            continue  # a picture only
        for name, entities in found:
            labels = dict(entities)
            same = labels.get("space", NATIVE) == space and labels.get("sub") == mapfile.participant
            if same and labels.get("desc") == "preproc" and labels.get("ses") in (None, mapfile.entity("ses")):
                return folder / name
    return None


def linked_datasets(dataset: SourceDataset) -> list[Path]:
    """The folders on this machine that the dataset's DatasetLinks lead to."""
    links = dataset.description.get("DatasetLinks")
    paths = (_local_path(link) for link in links.values()) if isinstance(links, dict) else ()
    folders = {Path(os.path.normpath(dataset.root / path)) for path in paths}
    return sorted(folder for folder in folders if folder != dataset.root and os.path.isdir(folder))  # noqa: PTH112 # False, not an error, for a name too long


def _local_path(link: object) -> str:
    """The path of a relative link or a file URI; empty for anything else."""
    if not isinstance(link, str):
        return ""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    path = unquote(parts.path)
    return path if parts.scheme in ("", "file") and parts.netloc in ("", "localhost") and "\0" not in path else ""


def says_no_more(entities: Iterable[tuple[str, str]], mapfile: MapFile) -> bool:
    """Whether a map has each of `entities` with the same label."""
    for key, label in entities:
        own = mapfile.entity(key)
        if own is None or not same_label(key, own, label):
            return False
    return True


def list_folders_of(mapfile: MapFile, dataset: SourceDataset, *, beside: bool = False) -> Iterator[Path]:
    """Where companions of a map may lie, nearest first; with `beside`, the other derivatives of the raw dataset too."""
    yield mapfile.path.parent
    if mapfile.participant is None:
        return
    roots = [dataset.root, *linked_datasets(dataset)]
    if beside and dataset.root.parent.name == "derivatives":
        roots += list_folders(dataset.root.parent)
    session = mapfile.entity("ses")
    for root in roots:
        person = root / f"sub-{mapfile.participant}"
        for top in (person / f"ses-{session}", person) if session else (person,):
            for folder in (top / "func", top, top / "anat"):
                if folder != mapfile.path.parent:
                    yield folder


def _images_in(folder: Path, suffix: str, root: Path) -> list[tuple[str, Entities]]:
    """The NIfTI files of a folder with this suffix, in the order of their names, and their entities.

    A folder of the dataset at `root` that cannot be listed is a fault: to go on without its mask would change results.
    """
    endings = tuple(suffix + extension for extension in VOLUMES)
    names = [name for name in list_names(folder, strict=folder.is_relative_to(root)) if name.endswith(endings)]
    return [(name, split_name(name)[0]) for name in names if name[0] != "." and split_name(name)[1] == suffix]


def _without_desc(entities: Entities, mapfile: MapFile) -> dict[str, str] | None:
    labels = dict(entities)
    return labels if labels.pop("desc", "brain") in ("brain", mapfile.entity("desc")) else None


def _says_no_more_in(space: str | None, labels: dict[str, str], mapfile: MapFile, native: str | None) -> bool:
    """Whether an image in `native`, where its name tells no space, fits a map of the space `space`."""
    if labels.pop("space", native) != space or labels.get("sub") != mapfile.participant:
        return False
    if mapfile.entity("res") is None:
        labels.pop("res", None)  # the map does not say its resolution: grids are compared when the mask is loaded
    return says_no_more(labels.items(), mapfile)


def _show(path: Path, dataset: SourceDataset) -> str:
    return path.relative_to(dataset.root).as_posix() if path.is_relative_to(dataset.root) else str(path)
