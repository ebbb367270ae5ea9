"""Images of other programs on their way to NIfTI: AFNI's datasets, and NIfTI or Analyze pairs.

A *brick* is one volume of an AFNI dataset. What a brick means, and what its file is called in BIDS, is not known here.
"""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel import brikhead
from nibabel.orientations import io_orientation

from bids_regions.errors import BadMap, MissingInput, tell_error
from bids_regions.frozen import dataclass
from bids_regions.images.grids import make_grid
from bids_regions.images.writing import save_map
from bids_regions.space.grid import find_zooms, is_singular

__all__ = ["Bricks", "load_bricks", "save_as_nifti", "voxel_axes"]

WHOLE = "Give a whole image with its header"


@dataclass(frozen=True, kw_only=True)
class Bricks:
    """What the header of an AFNI dataset tells."""

    labels: tuple[str, ...]  # of the sub-bricks
    statistics: dict[int, tuple[int, tuple[float, ...]]]  # sub-brick -> AFNI's code of its statistic, parameters
    space: str  # TEMPLATE_SPACE; may be empty
    history: str  # the commands that made it


def load_bricks(path: Path) -> Bricks:
    """The header of an AFNI dataset (.HEAD).

    Raises
    ------
    MissingInput
        The dataset cannot be read.
    """
    told = _load(path).header.info
    try:
        n_bricks = int(np.atleast_1d(told["DATASET_RANK"])[1])
        statistics = _statistics(list(np.atleast_1d(told.get("BRICK_STATAUX", []))))
    except (KeyError, IndexError, ValueError, OverflowError) as error:  # no number, or none that counts
        raise MissingInput(
            f"{path} cannot be read: DATASET_RANK or BRICK_STATAUX is damaged: {error}", hint=WHOLE
        ) from error
    labels = [label.strip() for label in str(told.get("BRICK_LABS", "")).split("~")][:n_bricks]
    labels += [f"#{n}" for n in range(len(labels), n_bricks)]
    return Bricks(
        labels=tuple(label or f"#{n}" for n, label in enumerate(labels)),
        statistics=statistics,
        space=str(told.get("TEMPLATE_SPACE", "")).strip("~ ").upper(),
        history=str(told.get("HISTORY_NOTE", "")),
    )


def _statistics(row: list[Any]) -> dict[int, tuple[int, tuple[float, ...]]]:
    """BRICK_STATAUX: sub-brick, code, number of parameters and these, one after the other."""
    found: dict[int, tuple[int, tuple[float, ...]]] = {}
    at = 0
    while at + 3 <= len(row):
        brick, code, n = int(row[at]), int(row[at + 1]), int(row[at + 2])
        found[brick] = code, tuple(float(number) for number in row[at + 3 : at + 3 + n])
        at += 3 + max(n, 0)
    return found


def _load(path: Path) -> Any:
    try:
        return brikhead.load(path) if path.suffix.upper() == ".HEAD" else nib.load(path)
    except Exception as error:
        raise MissingInput(f"{path} cannot be read: {tell_error(error)}", hint=WHOLE) from error


def save_as_nifti(source: Path, path: Path, volume: int | None = None) -> None:
    """Write an image, or one of its volumes (from 0), as NIfTI in float32.

    Raises
    ------
    MissingInput
        It cannot be read, or has another number of dimensions.
    """
    image = _load(source)
    try:
        data = np.asarray(image.dataobj if volume is None or len(image.shape) == 3 else image.dataobj[..., volume])
    except Exception as error:
        raise MissingInput(f"{source} cannot be read: {tell_error(error)}", hint=WHOLE) from error
    data = data.reshape([n for n in data.shape if n > 1 or data.ndim == 3])
    if data.ndim != 3:
        raise MissingInput(f"{source} is no 3-D image", hint="Leave it out")
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all() or is_singular(affine):
        raise MissingInput(f"{source} cannot be read: its matrix places no voxel in mm", hint=WHOLE)
    save_map(path, data.astype(np.float32), make_grid(data.shape, affine))


def voxel_axes(matrix: Any) -> tuple[tuple[int, float], ...]:
    """For x, y and z: the axis of the voxels that is nearest, and the mm between two of them.

    Raises
    ------
    BadMap
        The matrix places no voxel.

    Examples
    --------
    >>> voxel_axes([[0, 3, 0, 0], [-2, 0, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])
    ((1, 3.0), (0, 2.0), (2, 4.0))
    """
    affine = np.asarray(matrix, np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or is_singular(affine):
        raise BadMap("the matrix places no voxel in mm", hint="Give another image")
    nearest = io_orientation(affine)[:, 0].astype(int).tolist()  # of each voxel axis
    zooms = find_zooms(affine)
    return tuple((nearest.index(k), zooms[nearest.index(k)]) for k in range(3))
