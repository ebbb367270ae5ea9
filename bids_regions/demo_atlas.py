"""A small atlas that is made of boxes and says so: anatomy for nobody, names for demonstrations and tests."""

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass

SIDES = (("Left", -72.0, 0.0), ("Right", 0.0, 72.0))  # name, from and to in mm along x
DEPTHS = (("Back", -108.0, -60.0), ("Middle", -60.0, -12.0), ("Front", -12.0, 36.0), ("Foremost", 36.0, 78.0))  # y
HEIGHTS = (("Lower", -50.0, -6.0), ("Upper", -6.0, 38.0), ("Top", 38.0, 82.0))  # z


@dataclass(frozen=True, kw_only=True, eq=False)
class DemoAtlas:
    """What the files of the atlas hold."""

    labels: NDArray[np.uint8]  # 3-D; 0 outside every box
    affine: NDArray[np.float64]  # 4 x 4, voxel -> mm, RAS+
    tsv: str  # the BIDS table: index, name
    sidecar: dict[str, str]  # *_dseg.json


def make_demo_atlas(spacing: float = 3.0) -> DemoAtlas:
    """24 boxes over the brain of MNI space, on a grid of `spacing` mm."""
    first, last = np.array([-96.0, -132.0, -78.0]), np.array([96.0, 96.0, 114.0])
    shape = tuple(int(n) for n in (last - first) // spacing + 1)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = first
    labels, lines = np.zeros(shape, dtype=np.uint8), ["index\tname"]
    axes = [first[axis] + spacing * np.arange(shape[axis]) for axis in range(3)]
    boxes = [(x, y, z) for x in SIDES for y in DEPTHS for z in HEIGHTS]
    for index, box in enumerate(boxes, start=1):
        inside = [(axis >= low) & (axis < high) for axis, (_, low, high) in zip(axes, box, strict=True)]
        labels[np.ix_(*inside)] = index
        lines.append(f"{index}\t{box[0][0]} {box[1][0]} {box[2][0]} Box")
    return DemoAtlas(
        labels=labels,
        affine=affine,
        tsv="\n".join(lines) + "\n",
        sidecar={
            "Name": "Boxes",
            "Description": "24 boxes over MNI space, made for demonstrations; they follow no anatomy",
            "Version": "1",
            "License": "CC0-1.0",
            "HowToAcknowledge": "Boxes made by the demonstration of bids_regions; not an anatomical atlas",
        },
    )
