"""The names of brain structures, CIFTI's for record and table, GIFTI's in its files, and the side they are on."""

import re

__all__ = ["CORTEX", "HEMISPHERES", "find_side", "in_cifti", "in_gifti"]

CORTEX = {"L": "CORTEX_LEFT", "R": "CORTEX_RIGHT"}
HEMISPHERES = {structure: side for side, structure in CORTEX.items()}
SIDE_IN_NAME = (  # what a file's name says, in the order in which it is believed
    re.compile(r"(?:^|_)hemi-(?P<side>L|R)(?:_|\.|$)", re.IGNORECASE),
    re.compile(r"(?:^|\.)(?P<side>[LR])\."),
    re.compile(r"(?:^|[._-])(?P<side>[lr])h(?:[._-]|$)"),
    re.compile(r"(?P<side>left|right)", re.IGNORECASE),
)


def in_cifti(name: str) -> str:
    """A structure's name as CIFTI spells it, without the prefix; "" for none.

    >>> in_cifti("CortexLeft"), in_cifti("CIFTI_STRUCTURE_THALAMUS_LEFT"), in_cifti("Invalid")
    ('CORTEX_LEFT', 'THALAMUS_LEFT', '')
    """
    spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).upper().removeprefix("CIFTI_STRUCTURE_")
    return "" if spelled in ("INVALID", "UNKNOWN") or not re.fullmatch(r"[0-9A-Z_]{1,80}", spelled) else spelled


def in_gifti(structure: str) -> str:
    """A structure's name as GIFTI files spell it.

    >>> in_gifti("CORTEX_LEFT")
    'CortexLeft'
    """
    return "".join(word.capitalize() for word in structure.split("_"))


def find_side(name: str, structure: str = "") -> str:
    """The hemisphere of a file, "L", "R" or "" where nothing tells: by its metadata, else by its name.

    >>> find_side("sub-01_hemi-R_midthickness.surf.gii"), find_side("S1200.L.midthickness.32k_fs_LR.surf.gii")
    ('R', 'L')
    >>> find_side("lh.white.gii"), find_side("pial_right.gii"), find_side("pial_right.gii", "CORTEX_LEFT")
    ('L', 'R', 'L')
    >>> find_side("midthickness.surf.gii")
    ''
    """
    if structure.endswith(("_LEFT", "_RIGHT")):
        return structure.rsplit("_", 1)[1][0]
    for pattern in SIDE_IN_NAME:
        found = {match["side"][0].upper() for match in pattern.finditer(name)}
        if len(found) == 1:
            return found.pop()
    return ""
