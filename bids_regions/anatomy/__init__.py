"""The anatomical picture that the package carries, to draw maps of any MNI space on where there is nothing nearer.

Spaces of the MNI family differ by millimetres: behind a map that does no harm, as long as the picture's name is written
under it. Its licence stands beside it in NOTICE.txt.
"""

from pathlib import Path

__all__ = ["CARRIED_NAME", "carried_anatomy"]

CARRIED_NAME = "ICBM 152 2009a symmetric, T1w, 2 mm (© 1993-2004 Louis Collins, McGill; carried by bids_regions)"
FAMILY = ("mni", "icbm")  # how the labels of its spaces begin


def carried_anatomy(space: str | None) -> Path | None:
    """The picture for maps in `space`; None where the space is not of the MNI family.

    >>> carried_anatomy("MNI152NLin6Asym").name
    'ICBM152NLin2009aSym_res-2mm_T1w.nii.gz'
    >>> carried_anatomy("T1w") is None, carried_anatomy(None) is None
    (True, True)
    """
    if not space or not space.lower().startswith(FAMILY):
        return None
    return Path(__file__).with_name("ICBM152NLin2009aSym_res-2mm_T1w.nii.gz")
