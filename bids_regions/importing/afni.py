"""AFNI datasets: one image for each sub-brick, with the statistic and degrees of freedom that BRICK_STATAUX tells.

A *sub-brick* is one volume with its label. How the result is written is `writing`'s.
"""

import math
import re
from pathlib import Path
from typing import Any

from bids_regions.errors import MissingInput
from bids_regions.files import list_names
from bids_regions.images import Bricks, load_bricks
from bids_regions.importing.labels import distinct_labels, find_clues
from bids_regions.importing.model import Find, Source, left_out

__all__ = ["is_afni", "read_afni"]

NAME = re.compile(r"(?P<prefix>.+)\+(?P<view>tlrc|orig|acpc)(\.(HEAD|BRIK)(\.gz|\.bz2|\.Z)?)?", re.IGNORECASE)
STATISTICS = {3: "t", 4: "F", 5: "z", 6: "chi2"}  # AFNI's codes of functional types, as far as a map can be one
TYPE_WORDS = re.compile(r"(?:[_:# ](?:Coef|Tstat|Fstat|Zscr|Zstat|mean|b|t|z|stat))$|(?:#0)(?=_|$)", re.IGNORECASE)
NO_MAP = re.compile(r"R\^2|_R2$|Chisq|Lambda|Tau", re.IGNORECASE)
SPACES = {"TLRC": "Talairach", "MNI_2009C_ASYM": "MNI152NLin2009cAsym"}  # what TEMPLATE_SPACE tells for sure
FIRST_LEVEL = re.compile(r"\b3d(Deconvolve|REMLfit)\b")
MASKS = ("full_mask", "mask_epi_anat", "mask_group", "mask")


def is_afni(path: Path) -> bool:
    """Whether a path names an AFNI dataset, with or without .HEAD or .BRIK."""
    return NAME.fullmatch(path.name) is not None


def _head(path: Path) -> Path:
    match = NAME.fullmatch(path.name)
    assert match
    stem = f"{match['prefix']}+{match['view']}".lower()
    names = [name for name in list_names(path.parent) if name.lower() == f"{stem}.head"]
    if not names:
        raise MissingInput(f"{path} has no .HEAD", hint="Give a whole AFNI dataset: .HEAD and .BRIK")
    return path.parent / names[0]


def read_afni(path: Path) -> Source:
    """One AFNI dataset.

    Raises
    ------
    MissingInput
        It cannot be read, or no sub-brick is a statistic or an effect.
    """
    head = _head(path)
    bricks = load_bricks(head)
    match = NAME.fullmatch(head.stem)
    assert match
    native = match["view"].lower() != "tlrc"
    finds, notes = _finds(head, bricks)
    if not any(dict(find.entities)["stat"] != "effect" for find in finds):
        raise MissingInput(
            f"{path} has no sub-brick that is a statistic",
            hint="Give the dataset of 3dDeconvolve, 3dREMLfit, 3dttest++",
        )
    first_level = bool(FIRST_LEVEL.search(bricks.history)) or match["prefix"].startswith("stats.")
    clues = find_clues([str(head.absolute())])
    if first_level and "sub" not in clues and (named := re.match(r"stats\.([0-9a-zA-Z]+)", match["prefix"])):
        clues["sub"] = named[1]
    if mask := _mask(head, match["prefix"], match["view"]):
        finds.append(Find(path=mask, volume=0, convert=True, entities=(("desc", "brain"),), suffix="mask"))
    else:
        notes.append(f"{head.parent} has no mask of this dataset ({', '.join(MASKS)})")
    notes.append(
        f"{head}: AFNI datasets do not tell the smoothness of the residuals: give --smoothness where it is asked"
    )
    return Source(
        path=path, kind="AFNI dataset", finds=tuple(finds), clues=clues if first_level else {}, notes=tuple(notes),
        space="orig" if native else SPACES.get(bricks.space), of_participant=first_level,
    )  # fmt: skip


def _finds(head: Path, bricks: Bricks) -> tuple[list[Find], list[str]]:
    """A find for each sub-brick; those of one contrast have one label."""
    taken, strange = [], []
    bases: dict[str, int] = {}
    for volume, label in enumerate(bricks.labels):
        code, parameters = bricks.statistics.get(volume, (0, ()))
        stat = STATISTICS.get(code, "effect" if not code else None)
        if stat is None or NO_MAP.search(label):
            strange.append(label)
            continue
        base = _base(label)
        bases.setdefault(base, len(bases) + 1)
        taken.append((volume, label, base, stat, parameters))
    labels, notes = distinct_labels([(number, base) for base, number in bases.items()])
    finds, seen = [], set()
    for volume, label, base, stat, parameters in taken:
        contrast = labels[bases[base]]
        if (contrast, stat) in seen:  # another coefficient of one contrast
            contrast = f"{contrast}B{volume}"
        seen.add((contrast, stat))
        finds.append(
            Find(
                path=head, volume=volume, convert=True, entities=(("contrast", contrast), ("stat", stat)),
                sidecar={"ContrastName": label, **_dof(stat, parameters)},
            )
        )  # fmt: skip
    return finds, [f"{head}: {note}" for note in notes] + list(
        left_out(head, strange, "for they are no z, t, F or effect")
    )


def _base(label: str) -> str:
    """The contrast that a sub-brick's label names: `vis#0_Tstat` is of `vis`, `vis-aud_GLT#0_Coef` of `vis-aud`."""
    before = ""
    while before != label:
        before, label = label, TYPE_WORDS.sub("", label)
    return label.removesuffix("_GLT")


def _dof(stat: str, parameters: tuple[float, ...]) -> dict[str, Any]:
    wanted = {"t": 1, "chi2": 1, "F": 2}.get(stat, 0)
    if not wanted or len(parameters) < wanted or not all(0 < number < math.inf for number in parameters[:wanted]):
        return {}
    numbers = [int(number) if number == int(number) else number for number in parameters[:wanted]]
    return {"DegreesOfFreedom": numbers if wanted == 2 else numbers[0]}


def _mask(head: Path, prefix: str, view: str) -> Path | None:
    """A mask beside the dataset, by the names that AFNI's scripts give."""
    rest = prefix.removeprefix("stats")
    names = [f"{word}{end}+{view}.head" for word in MASKS for end in ([rest, ""] if rest.startswith(".") else [""])]
    there = {name.lower(): name for name in list_names(head.parent)}
    return next((head.parent / there[name.lower()] for name in names if name.lower() in there), None)
