"""The files that a user names: each is opened before any map is touched, and is what it must be, or nothing is done.

Whether a file fits the maps is seen when they are known.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bids_regions.dataset import read_participants
from bids_regions.errors import BadMap, Fault, MissingInput, UnsuitableMap
from bids_regions.images import LabelImage, check_mask, load_grid, load_label_image
from bids_regions.images.cifti import read_cifti
from bids_regions.images.gifti import load_surface, read_gifti
from bids_regions.maps.sheet_files import load_label_rows
from bids_regions.settings import Entry

__all__ = ["check_named_files"]

Check = Callable[[Path], object]  # what was read of a file that will do
WORDS = ("auto", "none")
SHEETS = (".gii", ".gii.gz", ".dscalar.nii", ".dlabel.nii", ".dtseries.nii")
MOUNTS = "Check the path; in a container, the mounts"


def check_named_files(
    entries: Sequence[Entry], participants_tsv: Path | None, regions_from: Sequence[Path]
) -> tuple[str, ...]:
    """What a user should know of the named files, a sentence each.

    Raises
    ------
    MissingInput
        A file is not there, cannot be read, or is not what its option asks for.
    """
    notes: dict[str, None] = {}
    asked: list[tuple[str, Path, Check]] = []
    if participants_tsv:
        asked.append(("--participants-tsv", participants_tsv, read_participants))
    asked += [("--regions-from", path, _check_regions) for path in regions_from]
    for option, path, check in dict.fromkeys((*asked, *_of_entries(entries))):
        if not path.is_file():
            there = "is a folder, and no file" if path.is_dir() else "is not there"
            raise MissingInput(f"{option}: {path} {there}", hint=MOUNTS)
        on_surfaces = path.name.lower().endswith(SHEETS)
        try:
            found = (SHEET_CHECKS.get(option, _check_numbers) if on_surfaces else check)(path)
        except (BadMap, UnsuitableMap) as fault:
            sentence = fault.sentence.removeprefix("The mask ").removeprefix(f"{path.name} ")
            raise MissingInput(f"{option}: {path} {sentence}", hint=fault.hint) from fault
        except Fault as fault:
            raise MissingInput(f"{option}: {fault.sentence}", hint=fault.hint) from fault
        notes |= dict.fromkeys(found.notes if isinstance(found, LabelImage) else ())
    return tuple(notes)


def _of_entries(entries: Sequence[Entry]) -> Iterator[tuple[str, Path, Check]]:
    for entry in entries:
        for path in entry.masks:
            yield "mask", Path(path), check_mask
        for option, paths in (("surfaces", entry.surfaces), ("vertex_areas", entry.vertex_areas)):
            yield from ((option, Path(path), SHEET_CHECKS[option]) for path in paths if path not in WORDS)
        if entry.background not in WORDS:
            yield "background", Path(entry.background), load_grid


def _check_regions(path: Path) -> LabelImage:
    image = load_label_image(path)
    if not np.any(image.labels > 0):
        raise BadMap(f"{path.name} has no region: no voxel is above 0", hint="Give another label image")
    return image


def _check_numbers(path: Path) -> None:
    """Whether a file of a surface has a number for each vertex, or for each grayordinate."""
    if path.name.lower().endswith(".nii"):
        read_cifti(path, 0)
    elif not read_gifti(path).of_values():
        raise BadMap(f"{path.name} holds a mesh and no numbers", hint="Give a file with a number for each vertex")


def _check_label_rows(path: Path) -> None:
    if not np.any(load_label_rows(path).labels > 0):
        raise BadMap(f"{path.name} has no region: no label is above 0", hint="Give another file of labels")


SHEET_CHECKS: dict[str, Check] = {
    "--regions-from": _check_label_rows, "surfaces": load_surface, "vertex_areas": _check_numbers,
    "mask": _check_numbers,
}  # fmt: skip
