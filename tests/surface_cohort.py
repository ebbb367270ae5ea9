"""A cohort on a flat mesh of two hemispheres whose every answer is known in closed form or by brute force."""

import nibabel as nib
import numpy as np
import trees
from cohorts import find, run
from surface_bytes import data_array, gifti, mesh, metadata, put
from surface_trees import SIDE, plane

N = 8  # participants
A = np.zeros((SIDE, SIDE), bool)
A[2:7, 2:8] = True  # where the positive patch of the left hemisphere lies
B = np.zeros((SIDE, SIDE), bool)
B[1:5, 6:11] = True  # the negative one of the right hemisphere
NO_DATA = np.zeros((SIDE, SIDE), bool)
NO_DATA[:, 9:] = True
STRUCTURES = {"L": "CortexLeft", "R": "CortexRight"}


def noise(k, side):
    """Values near one: data everywhere, regions nowhere."""
    return np.random.default_rng([k, ord(side)]).normal(1, 0.1, (SIDE, SIDE)).astype(np.float32)


def person(k):
    """A in six of eight, in the third moved by one row; B in five; the last two lack data at one edge of the right."""
    left, right = noise(k, "L"), noise(k, "R")
    if k < 6:
        left[np.roll(A, int(k == 2), axis=0)] += 5
    if k < 5:
        right[B] -= 6
    if k >= 6:
        right[NO_DATA] = (0, np.nan)[k - 6]
    return {"L": left.ravel(), "R": right.ravel()}


MAPS = [person(k) for k in range(N)]


def put_person(root, k, sides="LR", data=None, *, space="plane", den="", ses=""):
    folder = root / f"sub-{k:02d}" / (f"ses-{ses}" if ses else "")
    folder.mkdir(parents=True, exist_ok=True)
    for side in sides:
        session, density = f"_ses-{ses}" if ses else "", f"_den-{den}" if den else ""
        name = f"sub-{k:02d}{session}_task-x_hemi-{side}_space-{space}{density}_contrast-a_stat-z_statmap.func.gii"
        front = metadata(AnatomicalStructurePrimary=STRUCTURES[side])
        put(folder / name, gifti(data_array((MAPS[k] if data is None else data)[side]), front=front))


def start(root):
    root.mkdir(parents=True)
    trees.describe(root)
    for side in "LR":
        put(root.parent / f"{side}.surf.gii", mesh(*plane()))
    return root


def on_plane(root, out, *words, levels=("participant", "group")):
    surfaces = [root.parent / f"{side}.surf.gii" for side in "LR"]
    return run(root, out, "--surfaces", *surfaces, "--min-region-area", 30, *words, levels=levels)


def numbers(out, ending, side):
    """The numbers of one hemisphere in the one file with this ending."""
    return nib.load(find(out, f"_hemi-{side}_*{ending}")).darrays[0].data
