"""Small atlases on disk and their peaks, for the tests of atlases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_regions.atlases import Fitting, PlacedAtlas, fit_atlases, place_atlas
from bids_regions.space import Grid

MNI = "MNI152NLin2009cAsym"
FSL = """<?xml version="1.0" encoding="ISO-8859-1"?>
<atlas version="1.0"><header><name>Toy</name><type>{type}</type>
<images><imagefile>/x</imagefile></images></header>
<data><label index="0" x="1" y="2" z="3">Frontal P\xf4le</label><label index="1" x="1" y="2" z="3">B &amp; C</label>
</data>
</atlas>"""


class Peak(NamedTuple):
    ijk: tuple[int, int, int]
    xyz: tuple[float, float, float]


@dataclass
class Region:
    peaks: tuple[Peak, ...]


def peak_at(ijk: tuple[int, int, int], affine: NDArray[np.float64]) -> Peak:
    x, y, z = (affine @ (*ijk, 1))[:3].tolist()
    return Peak(ijk, (x, y, z))


def line_of(*values: int) -> NDArray[np.int16]:
    """A row of voxels along x."""
    return np.array(values, dtype=np.int16).reshape(-1, 1, 1)


def save(path: Path, data: NDArray[Any], affine: NDArray[np.float64] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def save_pair(folder: Path, data: NDArray[Any], tsv: str, name: str = f"tpl-{MNI}_atlas-Toy_dseg") -> Path:
    (path := save(folder / f"{name}.nii.gz", data)).with_name(f"{name}.tsv").write_text(tsv, encoding="utf-8")
    return path


def fit(spec: object, space: str = MNI, *, unchecked: bool = False) -> Fitting:
    (fitting,) = fit_atlases([str(spec)], space=space, unchecked=unchecked)
    return fitting


def place(fitting: Fitting, grid: Grid) -> PlacedAtlas:
    assert fitting.atlas, fitting.reason
    return place_atlas(fitting.atlas, grid)


def save_probabilities(folder: Path, scale: float = 1.0, tsv: str = "index\tname\n1\tA\n2\tB\n") -> Path:
    """Two labels on five voxels: A 0.9 0.5 0.2 0 0, B 0 0.5 0.8 0.1 0."""
    data = np.array([[0.9, 0.5, 0.2, 0, 0], [0, 0.5, 0.8, 0.1, 0]], dtype=np.float32).T.reshape(5, 1, 1, 2)
    name = f"tpl-{MNI}_atlas-Soft_probseg"
    return save_pair(folder, data * np.float32(scale), tsv, name)
