"""Outputs of randomise and PALM, by their prefix: statistics, and p of their inference with the scale told.

A *prefix* is what all outputs of one call begin with. How the result is written is `writing`'s.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bids_regions.errors import Contradiction, Fault, MissingInput
from bids_regions.files import list_names, read_text
from bids_regions.importing.labels import label_of
from bids_regions.importing.model import Find, Source, left_out

__all__ = ["has_prefix", "read_prefix"]

RANDOMISE = re.compile(r"(?:(vox|tfce|clustere|clusterm)_(p|corrp)_)?([tf])stat(\d+)")
PALM = re.compile(
    r"(vox|dpv|dpx|dat|tfce|clustere|clusterm)_(z?[tf]stat|[a-z]+stat)"
    r"(?:_(uncp|fwep|fdrp|cfwep|cfdrp|mfwep|mfdrp|mcfwep|mcfdrp))?((?:_[mdc]\d+)*)"
)
ENDING = re.compile(r"\.nii(\.gz)?$")
SCALES = {"p": "p", "1-p": "1-p", "log10": "log10"}
VOXELS = ("vox", "dpv", "dpx", "dat")  # of the statistic itself, at each voxel
KINDS = {"tstat": "t", "fstat": "F", "ztstat": "z"}


def has_prefix(path: Path) -> bool:
    """Whether images of randomise or PALM begin with this path."""
    return any(RANDOMISE.fullmatch(rest) or PALM.fullmatch(rest) for rest, _ in _images(path))


def _images(path: Path) -> Iterator[tuple[str, Path]]:
    """What follows the prefix, and the image."""
    for name in list_names(path.parent):
        stem = ENDING.sub("", name)
        if stem != name and stem.startswith(f"{path.name}_") and (path.parent / name).is_file():
            yield stem[len(path.name) + 1 :], path.parent / name


def read_prefix(path: Path, *, p_scale: str | None = None) -> Source:
    """All images of one prefix.

    Parameters
    ----------
    path
        Folder and beginning of the names.
    p_scale
        p, 1-p or log10: of PALM's p, where its own record does not tell it.

    Raises
    ------
    MissingInput
        None of them is a statistic or p.
    Contradiction
        The scale of PALM's p is not known.
    """
    finds: list[Find] = []
    strange: list[str] = []
    for rest, image in _images(path):
        told = _of_randomise(rest) or _of_palm(rest, path, p_scale)
        if told is None:
            strange.append(image.name)
            continue
        contrast, stat, scale = told
        entities = (("contrast", contrast), ("stat", stat))
        finds.append(Find(path=image, entities=entities, sidecar={"PScale": scale} if scale else {}))
    if not finds:
        raise MissingInput(f"{path}: no image of randomise or PALM begins so", hint="Give the prefix of the outputs")
    name = label_of(path.name)
    notes = left_out(path, strange, "for what they hold is not known")
    notes += (
        f"{path}: the images do not tell degrees of freedom: give --dof to bids_regions where p of t or F is asked",
    )
    finds = [replace(find, entities=(("name", name), *find.entities)) for find in finds] if name else finds
    return Source(path=path, kind="permutation", finds=tuple(finds), notes=notes)


def _of_randomise(rest: str) -> tuple[str, str, str] | None:
    """Contrast, stat and scale of an image: randomise writes 1 - p."""
    match = RANDOMISE.fullmatch(rest)
    if not match:
        return None
    over, p, letter, number = match.groups()
    contrast = number if letter == "t" else f"F{number}"
    if over is None:
        return contrast, "t" if letter == "t" else "F", ""
    return contrast, _word(over, "corrp" if p == "corrp" else "uncp"), "1-p"


def _of_palm(rest: str, path: Path, p_scale: str | None) -> tuple[str, str, str] | None:
    match = PALM.fullmatch(rest)
    if not match:
        return None
    over, statistic, p, parts = match.groups()
    numbers = dict(re.findall(r"_([mdc])(\d+)", parts))
    contrast = numbers.get("c", "1") + "".join(f"{key}{numbers[key]}" for key in "md" if key in numbers)
    contrast = f"F{contrast}" if statistic.endswith("fstat") else contrast
    if p:
        return contrast, _word(over, p), _palm_scale(path, p_scale)
    if over not in VOXELS or statistic not in KINDS:
        return None  # an enhanced or another statistic: no t
    return contrast, KINDS[statistic], ""


def _word(over: str, p: str) -> str:
    """The label of a p: `corrp` by voxel, `tfceCorrp`, `clustereFwep`, ... else."""
    return p if over in VOXELS else over + p.capitalize()


def _palm_scale(path: Path, p_scale: str | None) -> str:
    """As told, or as PALM's record of its options tells: p, unless -save1-p or -logp was given."""
    if p_scale:
        return SCALES[p_scale]
    try:
        words = read_text(path.parent / f"{path.name}_palmconfig.txt").split()
    except Fault as fault:
        raise Contradiction(
            f"{path}: whether PALM wrote p, 1 - p or -log10 p is not told", hint="Give --p-scale p, 1-p or log10"
        ) from fault
    return "log10" if "-logp" in words else "1-p" if "-save1-p" in words else "p"
