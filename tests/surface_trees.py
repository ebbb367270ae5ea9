"""Datasets of maps on surfaces: a plane of two hemispheres, the cortex of fsLR; short ways to run and read them."""

import json

import nibabel as nib
import numpy as np
import pytest
import trees
from scipy import ndimage
from surface_bytes import cifti, cifti_xml, data_array, gifti, mesh, put

from bids_regions.cli import main
from bids_regions.meshes import load_cortex
from bids_regions.tables import rows_of

SIDE = 12  # of the plane


def plane():
    """A plane of squares of 2 mm, each cut in two by the same diagonal."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    number = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]))
    xyz = np.stack([2 * x.ravel(), 2 * y.ravel(), np.zeros(x.size)], axis=1).astype(np.float32)
    return xyz, np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32)


def bumps(seed=0):
    """Smooth noise on the plane."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((SIDE, SIDE)), 1.2)
    return (3 * noise / noise.std()).astype(np.float32).ravel()


def put_pair(folder, stem="sub-01_task-x_{hemi}_space-plane_contrast-a_stat-z_statmap", ending=".func.gii", **sides):
    """Maps of one or two hemispheres."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, values in sides.items():
        put(folder / (stem.format(hemi=f"hemi-{side}") + ending), gifti(data_array(values)))
    return folder


def run(source, out, *words):
    return main([str(source), str(out), "participant", "--nprocs", "1", *map(str, words)])


def table(out, ending="_dseg.tsv"):
    (path,) = out.rglob(f"*{ending}")
    return rows_of(path.read_text())


def record(out):
    (path,) = out.rglob("*_dseg.json")
    return json.loads(path.read_text())


def labels(out, side):
    (path,) = out.rglob(f"*hemi-{side}_*_dseg.label.gii")
    return nib.load(path).darrays[0].data


@pytest.fixture
def planes(tmp_path):
    """A dataset of two hemispheres, and meshes for it."""
    trees.describe(tmp_path / "in")
    put_pair(tmp_path / "in" / "sub-01", L=bumps(1), R=bumps(2))
    for side in "LR":
        put(tmp_path / f"{side}.surf.gii", mesh(*plane()))
        put(tmp_path / f"mesh.{side}.32k.surf.gii", mesh(*plane()))
    return tmp_path


def fslr(order=("L", "R"), **fields):
    """A CIFTI file of the cortex of fsLR 32k and two structures of voxels, smooth along the vertices' numbers."""
    models, at, values = [], 0, []
    for side in order:
        vertices = np.flatnonzero(load_cortex("fsLR", 32492, side))
        name = {"L": "LEFT", "R": "RIGHT"}[side]
        models.append(
            f'<BrainModel IndexOffset="{at}" IndexCount="{vertices.size}" ModelType="CIFTI_MODEL_TYPE_SURFACE" '
            f'BrainStructure="CIFTI_STRUCTURE_CORTEX_{name}" SurfaceNumberOfVertices="32492">'
            f'<VertexIndices>{" ".join(map(str, vertices.tolist()))}</VertexIndices></BrainModel>'
        )  # fmt: skip
        full = ndimage.gaussian_filter1d(np.random.default_rng(ord(side)).standard_normal(32492), 20)
        values.append(3 * (full / full.std())[vertices])
        at += vertices.size
    box = np.argwhere(np.ones((6, 6, 6)))
    blob = np.random.default_rng(3).standard_normal(len(box)) * 3
    for name, half in (("THALAMUS_LEFT", box[:, 0] < 3), ("THALAMUS_RIGHT", box[:, 0] >= 3)):
        models.append(
            f'<BrainModel IndexOffset="{at}" IndexCount="{half.sum()}" ModelType="CIFTI_MODEL_TYPE_VOXELS" '
            f'BrainStructure="CIFTI_STRUCTURE_{name}"><VoxelIndicesIJK>'
            f'{" ".join(map(str, box[half].ravel().tolist()))}</VoxelIndicesIJK></BrainModel>'
        )  # fmt: skip
        values.append(blob[half])
        at += int(half.sum())
    volume = (
        '<Volume VolumeDimensions="6,6,6"><TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent="-3">'
        "-2 0 0 90 0 2 0 -126 0 0 2 -72 0 0 0 1</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>"
    )
    data = np.concatenate(values).astype(np.float32)[None]
    return cifti(data, cifti_xml(volume + "".join(models)), **fields)


def methods_of(out):
    return (out / "logs" / "CITATION.md").read_text()
