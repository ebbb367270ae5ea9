"""The two hemispheres of one map: GIFTI files whose names differ in nothing but `hemi-`.

A *map on surfaces* is a CIFTI file, or one or two GIFTI files; its entities are those that both files have, so without
`hemi-`. Names only; what the files hold is not known here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.dataset.mapfiles import MapFile, read_map_name

__all__ = ["HEMI", "join_hemispheres", "read_map_names", "side_of"]

HEMI = "hemi"
SIDES = {**dict.fromkeys(("l", "lh", "left"), "L"), **dict.fromkeys(("r", "rh", "right"), "R")}  # BIDS has L and R


def side_of(label: str | None) -> str:
    """The hemisphere that a label of `hemi-` names, L or R; "" for none.

    >>> side_of("R"), side_of("lh"), side_of("Left"), side_of("both"), side_of(None)
    ('R', 'L', 'L', '', '')
    """
    return SIDES.get((label or "").lower(), "")


def join_hemispheres(maps: Sequence[MapFile]) -> list[MapFile]:
    """The maps, left and right files of one as one; each stands where its first file stood."""
    found: dict[object, list[MapFile]] = {}
    for mapfile in maps:
        found.setdefault(_key(mapfile), []).append(mapfile)
    joined: list[MapFile] = []
    for files in found.values():
        by_side = {side_of(mapfile.entity(HEMI)): mapfile for mapfile in files}
        if len(files) == len(by_side) and by_side.keys() == {"L", "R"}:
            left, right = by_side["L"], by_side["R"]
            joined.append(_without_hemi(left, (right.relpath,)))
        else:
            joined += [_without_hemi(mapfile, ()) if mapfile.form == "gifti" else mapfile for mapfile in files]
    return joined


def read_map_names(root: Path, relpaths: Iterable[str]) -> MapFile:
    """The map of the first path; of the others those that are its other hemisphere belong to it."""
    first, *others = relpaths
    mapfile = read_map_name(root, first)
    if mapfile.form != "gifti":
        return mapfile
    named = (read_map_name(root, other) for other in others)
    pair = [other for other in named if other.form == "gifti" and _key(other) == _key(mapfile)]
    return join_hemispheres([mapfile, *pair])[0]


def _key(mapfile: MapFile) -> object:
    if mapfile.form != "gifti":
        return mapfile.relpath
    others = frozenset(pair for pair in mapfile.entities if pair[0] != HEMI)
    return mapfile.relpath.rpartition("/")[0], others, mapfile.suffix, mapfile.extension.removesuffix(".gz")


def _without_hemi(mapfile: MapFile, others: tuple[str, ...]) -> MapFile:
    return replace(
        mapfile,
        entities=tuple(pair for pair in mapfile.entities if pair[0] != HEMI),
        described=tuple(pair for pair in mapfile.described if pair[0] != HEMI),
        others=others,
        sides=(side_of(mapfile.entity(HEMI)), *("R" for _ in others)),
    )
