"""The picture under a map: the participant's own anatomy, a template, or nothing but where the map has data.

An *anatomy* is one such picture in two forms: drawn into figures, and packed for the viewer. Nothing is downloaded.
A template is TemplateFlow's of that very space where it is installed, else the one that the package carries, for maps
whose name or header says that they are in a space of the MNI family. What is drawn over it is not known here.
"""

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.anatomy import CARRIED_NAME, carried_anatomy
from bids_regions.dataset import MapFile, SourceDataset, find_anatomical
from bids_regions.errors import Fault, MissingInput
from bids_regions.figures import Shadow, Underlay, cast_shadow
from bids_regions.frozen import dataclass
from bids_regions.images import load_grid, load_statmap
from bids_regions.pages.wording import slug
from bids_regions.report.model import Background
from bids_regions.report.payload import pack_array, pack_background

__all__ = ["Anatomy", "describe_background", "find_background", "find_template", "load_anatomy", "pack_coverage"]

COVERAGE = 200  # of 255: a light grey


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """One background, for figures and for the viewer."""

    drawn: Underlay
    packed: Background
    name: str  # what it is, as the pages say it

    @cached_property
    def shadow(self) -> Shadow:
        """Its shape, which regions are seen through; cast once for all maps that lie on it."""
        return cast_shadow(self.drawn)


def find_background(mapfile: MapFile, dataset: SourceDataset, asked: str, assume_space: str | None) -> Path | None:
    """The file to draw `mapfile` on; None draws on the map's own coverage.

    Raises
    ------
    MissingInput
        A named background that is not there.
    """
    if asked == "none":
        return None
    if asked != "auto":
        path = Path(asked)
        if not path.is_file():
            raise MissingInput(f"the background {path} is not there", hint="Fix --background")
        return path
    space = mapfile.entity("space") or assume_space
    return find_anatomical(mapfile, dataset) or find_template(space or _space_by_header(mapfile.path))


def _space_by_header(path: Path) -> str | None:
    """The MNI family where a map without `space-` says so in its header; None where it does not."""
    try:
        return "MNI" if load_grid(path).in_mni else None
    except (Fault, OSError):
        return None


def find_template(space: str | None) -> Path | None:
    """A T1w of `space`: TemplateFlow's where TEMPLATEFLOW_HOME holds it, else the carried one; never downloaded."""
    return _find_in_templateflow(space) or carried_anatomy(space)


def _find_in_templateflow(space: str | None) -> Path | None:
    home = os.environ.get("TEMPLATEFLOW_HOME")
    if not home or not space or not space.isalnum():
        return None
    folder = Path(home) / f"tpl-{space}"
    for resolution in ("_res-02", "_res-2", "_res-01", "_res-1", ""):
        path = folder / f"tpl-{space}{resolution}_T1w.nii.gz"
        if path.is_file() and path.stat().st_size:
            return path
    return None


def describe_background(path: Path | None) -> str:
    """What tells one background from another without reading it, wherever it lies."""
    try:
        return f"{path.name}, {path.stat().st_size} bytes" if path else "none"
    except OSError:
        return "unreadable"


def load_anatomy(path: Path | None) -> tuple[Anatomy | None, str]:
    """The background at `path`, read and packed once per process, and a note where it cannot be read."""
    if path is None:
        return None, ""
    try:
        return _load_once(path, path.stat().st_mtime_ns), ""
    except (Fault, OSError):  # a picture only: the regions stand without it
        return None, f"The background {path.name} cannot be read; what is shown lies on the coverage of the data"


@lru_cache(maxsize=2)
def _load_once(path: Path, _mtime: int) -> Anatomy:
    image = load_statmap(path)
    stem = path.name.partition(".")[0]
    name = CARRIED_NAME if path == carried_anatomy("MNI") else stem
    return Anatomy(
        drawn=Underlay(data=image.data, affine=image.affine),
        packed=pack_background(image.data, image.affine, key=f"bg-{slug(stem)}", name=name),
        name=name,
    )


def pack_coverage(cover: NDArray[Any], affine: NDArray[np.float64], *, key: str, name: str) -> Background:
    """Where there are data as an even grey, fainter where fewer have them: `cover` from 0 to 1, (x, y, z)."""
    grey = np.empty(cover.shape, np.uint8, order="F")
    for k in range(cover.shape[2]):  # slice by slice, as numbers with fractions take four times the room
        grey[..., k] = np.rint(cover[..., k] * np.float32(COVERAGE))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    return Background(key=key, name=name, array=pack_array(grey, "uint8"), affine=rows, plain=True)
