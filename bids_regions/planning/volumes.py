"""The volumes of 4-D files, arrays and maps of surface files, as maps of their own, where they are asked for."""

from collections.abc import Iterator
from dataclasses import replace

from bids_regions.dataset import Discovery, MapFile, Selection, Skipped, matches
from bids_regions.errors import Fault
from bids_regions.images import count_volumes
from bids_regions.images.cifti import count_maps
from bids_regions.images.gifti import count_arrays

__all__ = ["take_volumes"]

ENTITY = "volume"
COUNTS = {"volume": count_volumes, "gifti": count_arrays, "cifti": count_maps}  # by the form of a file


def take_volumes(discovery: Discovery, selection: Selection) -> Discovery:
    """The discovery with each 4-D map as its volumes, of which a filter may want some alone; none asked: as it is.

    A file of one volume is a map as ever; one that cannot be read is left to whoever works on it.
    """
    wanted = {ENTITY: selection.filters[ENTITY]} if ENTITY in selection.filters else {}
    if not selection.volumes and not wanted:
        return discovery
    maps: list[MapFile] = []
    skipped = list(discovery.skipped)
    for mapfile in discovery.maps:
        found = list(_volumes(mapfile, selection)) if selection.volumes else [mapfile]
        maps += (one for one in found if matches(one, wanted))
        if not found:
            reason = f"it has no volume {' '.join(selection.volumes)}"
            skipped.append(Skipped(relpath=mapfile.relpath, reason=reason, participant=mapfile.participant))
    return replace(discovery, maps=tuple(maps), skipped=tuple(sorted(skipped, key=lambda one: one.relpath)))


def _volumes(mapfile: MapFile, selection: Selection) -> Iterator[MapFile]:
    try:
        n_volumes = COUNTS[mapfile.form](mapfile.path)
    except Fault:
        n_volumes = 1
    if n_volumes == 1:
        yield mapfile
        return
    for number in range(1, n_volumes + 1):
        if selection.takes_volume(number):
            yield mapfile.take_volume(number)
