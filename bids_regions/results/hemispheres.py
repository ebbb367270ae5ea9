"""Sidecars of single hemispheres, where BIDS would take another map's record for theirs as well.

A record has no `hemi-`, for it is that of both label files. BIDS has a sidecar describe each file of its folder whose
name has all of its entities; where two do, as those of a run and of all runs together, one must be named exactly as the
file is, or none is valid. Such a file repeats what BIDS asks of the record, and is none itself.
"""

import os
from pathlib import Path

from bids_regions.dataset.names import split_name
from bids_regions.errors import Fault
from bids_regions.files import list_names, locked, read_json, remove_file, write_json
from bids_regions.results.placement import GIFTI_LABELS, LOCK, SIDECAR

__all__ = ["is_of_side", "tell_hemispheres_apart"]

REPEATED = ("Description", "Sources", "SpatialReference", "Density")


def is_of_side(name: str) -> bool:
    """Whether a sidecar's name is that of one hemisphere.

    >>> is_of_side("sub-01_hemi-L_space-fsLR_desc-a_dseg.json"), is_of_side("sub-01_seg-hemi+L_desc-a_dseg.json")
    (True, False)
    """
    return "_hemi-" in name


def tell_hemispheres_apart(owner: Path) -> None:
    """Write the sidecars that hemispheres below one owner's folder need, and remove those that they need no more.

    The folder lies in OUTPUT_DIR; of two runs in it at once one waits for the other here.

    Raises
    ------
    OutputRefused, StorageFault
        One cannot be written.
    """
    for below, folders, names in os.walk(owner):
        folders[:] = [name for name in folders if name != "figures"]
        if any(name.endswith(GIFTI_LABELS) for name in names):
            with locked(owner.parent / LOCK, owner.name):  # who comes last sees the records of all
                _tell_apart(Path(below))


def _tell_apart(folder: Path) -> None:
    names = list_names(folder)
    records = {name: set(split_name(name)[0]) for name in names if name.endswith(SIDECAR) and not is_of_side(name)}
    for name in (name for name in names if name.endswith(GIFTI_LABELS) and is_of_side(name)):
        own, sidecar = set(split_name(name)[0]), name.removesuffix(GIFTI_LABELS) + SIDECAR
        fitting = sorted((record for record, told in records.items() if told <= own), key=lambda r: len(records[r]))
        if len(fitting) > 1:
            _repeat(folder / fitting[-1], folder / sidecar)
        elif fitting and sidecar in names:  # where no record fits it is not ours
            remove_file(folder / sidecar)


def _repeat(record: Path, sidecar: Path) -> None:
    """Write what BIDS asks of a record; one that is damaged, or in another run's hands, is left to who makes it."""
    try:
        told = read_json(record)
    except Fault:
        return
    write_json(sidecar, {key: told[key] for key in REPEATED if key in told}, only_if_changed=True)
