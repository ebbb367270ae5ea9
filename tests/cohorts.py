"""Cohorts of participants with planted blobs, whose group results are known, and short ways to run and read them."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_regions.cli import main

SHAPE = (14, 12, 10)
AFFINE = np.array([[4.0, 0, 0, -26], [0, 4.0, 0, -22], [0, 0, 4.0, -18], [0, 0, 0, 1]])
SPACE = "MNI152NLin2009cAsym"
A, B = np.s_[1:5, 2:6, 3:7], np.s_[8:12, 6:10, 2:6]  # where the positive and the negative blob lie: 64 voxels each
MASK_NAME = "sub-{label}_task-x_space-{space}_desc-brain_mask.nii.gz"


def noise(label, shape=SHAPE):
    """Values near one, nowhere zero: data everywhere, regions nowhere."""
    return np.random.default_rng(int(label)).normal(1, 0.1, shape).astype(np.float32)


def person(label, *, a=False, b=False, shift=0, no_data=None, shape=SHAPE):
    """One participant's map: with the positive blob, moved along x by `shift`, the negative one, zeros in `no_data`."""
    data = noise(label, shape)
    if a:
        data[(slice(1 + shift, 5 + shift), *A[1:])] += 5
    if b:
        data[B] -= 6
    if no_data is not None:
        data[no_data] = 0
    return data


def write_image(path, data, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def map_path(root, label, *, ses="", space=SPACE, task="x", contrast="a"):
    folder = root / f"sub-{label}" / (f"ses-{ses}" if ses else "") / "func"
    session, where = f"_ses-{ses}" if ses else "", f"_space-{space}" if space else ""
    return folder / f"sub-{label}{session}_task-{task}{where}_contrast-{contrast}_stat-z_statmap.nii.gz"


def write_person(root, label, data, *, affine=AFFINE, mask=None, **names):
    """A participant's map in a dataset, with a brain mask where one is given."""
    path = write_image(map_path(root, label, **names), data, affine)
    if mask is not None:
        name = MASK_NAME.format(label=label, space=names.get("space", SPACE))
        write_image(path.parent / name, mask.astype(np.uint8), affine)
    return path


def start(root):
    """An empty dataset of derivatives."""
    root.mkdir(parents=True)
    content = {"Name": "planted", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "Authors": ["A. One", "B. Two"]}
    (root / "dataset_description.json").write_text(json.dumps(content))
    return root


def run(root, out, *arguments, levels=("participant", "group")):
    """The exit code of a run on one process."""
    extra = () if "--nprocs" in arguments else ("--nprocs", "1")
    return main([str(root), str(out), *levels, *map(str, arguments), *extra])


def rows(path):
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def columns_of(sidecar):
    """What a sidecar says of the columns; those that are named as an entity stand apart."""
    content = read_json(sidecar)
    return content | content.get("EntityColumns", {})


def find(out, ending, where="tpl-*"):
    """The one file with this ending below the template folders."""
    found = sorted(out.glob(f"{where}/*{ending}"))
    assert len(found) == 1, f"{ending}: {[path.name for path in found]}"
    return found[0]


def array(path):
    return np.asanyarray(nib.load(path).dataobj)


def people(out):
    """Status by participant."""
    return {row["participant_id"]: row["status"] for row in rows(out / "group_participants.tsv")}


def contents(out):
    """Every file outside `logs/`, as bytes."""
    found = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in found if p.relative_to(out).parts[0] != "logs"}


@pytest.fixture
def root(tmp_path):
    return start(tmp_path / "maps")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def fill(root, labels, **names):
    """Participants who all have the positive blob."""
    for label in labels:
        write_person(root, label, person(label, a=True), **names)


def set_names(out):
    return sorted({row["set"] for row in rows(out / "group_participants.tsv")})


def reasons(out):
    return {row["participant_id"]: row["reason"] for row in rows(out / "group_participants.tsv")}
