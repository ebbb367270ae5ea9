"""Maps to draw: a real one, and blobs at known places on grids of every orientation; where letters stand."""

import math
from pathlib import Path
from typing import Any

import nibabel as nib
import nilearn.datasets
import numpy as np
import pytest
from scipy import ndimage

from bids_regions.figures import Mark
from bids_regions.figures.drawing import Drawing
from bids_regions.figures.lettering import load_font

MOTOR = Path(nilearn.datasets.__file__).parent / "data" / "image_10426.nii.gz"
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


def find_marks(data: Any, affine: Any, cutoff: float, smallest: int) -> tuple[Any, list[Mark]]:
    """Components of both signs as labels and marks, without the program's own extraction."""
    labels = np.zeros(data.shape, np.uint16)
    marks: list[Mark] = []
    for sign in (1, -1):
        components, n = ndimage.label(sign * data >= cutoff)
        for component in range(1, n + 1):
            inside = components == component
            if inside.sum() < smallest:
                continue
            index = len(marks) + 1
            labels[inside] = index
            ijk = np.unravel_index(np.where(inside, sign * data, -np.inf).argmax(), data.shape)
            x, y, z = (affine[:3, :3] @ ijk + affine[:3, 3]).tolist()
            color = COLORS[(index - 1) % len(COLORS)]
            value = float(data[ijk])
            marks.append(
                Mark(index=index, color=color, n_voxels=int(inside.sum()), peak_value=value, peak_xyz=(x, y, z))
            )
    return labels, marks


@pytest.fixture(scope="module")
def motor() -> tuple[Any, Any, Any, list[Mark]]:
    image = nib.load(MOTOR)
    data = np.nan_to_num(np.asanyarray(image.dataobj).astype(np.float32))
    labels, marks = find_marks(data, image.affine, 3.0, 56)
    return data, labels, image.affine, marks


def one_blob(affine: Any, shape: tuple[int, ...], xyz: tuple[float, float, float]) -> tuple[Any, Any, Mark]:
    """A map of 1 everywhere with a blob of 9 in the voxel at `xyz` and its neighbours."""
    data = np.ones(shape, np.float32)
    labels = np.zeros(shape, np.uint8)
    ijk = np.rint(np.linalg.inv(affine) @ (*xyz, 1)).astype(int)[:3]
    box = tuple(slice(max(0, i - 1), i + 2) for i in ijk)
    data[box], labels[box] = 9.0, 1
    mark = Mark(index=1, color="#009e73", n_voxels=int(labels.sum()), peak_value=9.0, peak_xyz=xyz)
    return data, labels, mark


RAS = np.array([[3.0, 0, 0, -60], [0, 3, 0, -60], [0, 0, 3, -60], [0, 0, 0, 1]])
LAS = np.array([[-3.0, 0, 0, 60], [0, 3, 0, -60], [0, 0, 3, -60], [0, 0, 0, 1]])
LPS = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 60], [0, 0, 3, -60], [0, 0, 0, 1]])
PERMUTED = np.array([[0.0, 0, 3, -60], [-3, 0, 0, 60], [0, 3, 0, -60], [0, 0, 0, 1]])
TURN = math.radians(17)
OBLIQUE = np.array(
    [
        [3 * math.cos(TURN), -3 * math.sin(TURN), 0, -45],
        [3 * math.sin(TURN), 3 * math.cos(TURN), 0, -75],
        [0, 0, 3, -60],
        [0, 0, 0, 1],
    ]
)


def boxes(drawing: Drawing, texts: set[str]) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the letters whose text is among some."""
    found = []
    for item in drawing.letters:
        if item.text in texts:
            width = load_font(item.size, item.bold).getlength(item.text)
            left = item.x - {"start": 0, "middle": width / 2, "end": width}[item.anchor]
            found.append((left, item.y - 0.73 * item.size, left + width, item.y))
    return found
