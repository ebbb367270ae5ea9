"""The files that a user names: each is opened before any map is touched, and is what it must be, or nothing is done."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bids_regions.dataset import read_participants
from bids_regions.errors import BadMap, Fault, MissingInput, UnsuitableMap
from bids_regions.images import check_mask, load_grid, load_label_image
from bids_regions.settings import Settings

__all__ = ["check_named_files"]

Check = Callable[[Path], tuple[str, ...]]  # what a user should know of a file that will do
WORDS = ("auto", "none")
SHEETS = (".gii", ".dscalar.nii", ".dlabel.nii", ".dtseries.nii")  # judged with the surfaces they belong to
MOUNTS = "Check the path; in a container, the mounts"


def check_named_files(settings: Settings) -> tuple[str, ...]:
    """What a user should know of the named files, a sentence each.

    Raises
    ------
    MissingInput
        A file is not there, cannot be read, or is not what its option asks for.
    """
    notes: dict[str, None] = {}
    for option, path, check in dict.fromkeys(_named(settings)):
        if not path.is_file():
            raise MissingInput(f"{option}: {path} is not there", hint=MOUNTS)
        if path.name.lower().endswith(SHEETS):
            continue
        try:
            notes |= dict.fromkeys(check(path))
        except (BadMap, UnsuitableMap) as fault:
            sentence = fault.sentence.removeprefix("The mask ").removeprefix(f"{path.name} ")
            raise MissingInput(f"{option}: {path} {sentence}", hint=fault.hint) from fault
        except Fault as fault:
            raise MissingInput(f"{option}: {fault.sentence}", hint=fault.hint) from fault
    return tuple(notes)


def _named(settings: Settings) -> Iterator[tuple[str, Path, Check]]:
    if settings.participants_tsv:
        yield "--participants-tsv", settings.participants_tsv, _check_participants
    if settings.regions_from:
        yield "--regions-from", settings.regions_from, _check_regions
    for entry in settings.entries:
        if entry.mask not in WORDS:
            yield "mask", Path(entry.mask), _check_mask
        if entry.background not in WORDS:
            yield "background", Path(entry.background), _check_background


def _check_participants(path: Path) -> tuple[str, ...]:
    read_participants(path)
    return ()


def _check_regions(path: Path) -> tuple[str, ...]:
    image = load_label_image(path)
    if not np.any(image.labels > 0):
        raise BadMap(f"{path.name} has no region: no voxel is above 0", hint="Give another label image")
    return image.notes


def _check_mask(path: Path) -> tuple[str, ...]:
    check_mask(path)
    return ()


def _check_background(path: Path) -> tuple[str, ...]:
    load_grid(path)
    return ()
