"""How files of hemispheres are named and packed in the wild: sides in other words, compressed, or not told at all."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import trees
from surface_bytes import data_array, gifti, put
from surface_trees import bumps, labels, planes, put_pair, record, run, table

from bids_regions.dataset import Selection, find_maps, open_dataset

__all__ = ["planes"]  # fixture


STEM = "sub-01_task-x_{hemi}_space-plane_contrast-a_stat-z_statmap"


def meshes(folder):
    """The meshes of both sides."""
    return "--surfaces", folder / "mesh.L.32k.surf.gii", folder / "mesh.R.32k.surf.gii", "--min-region-vertices", 1


def emptied(folder):
    """The folder of the participant, without the maps that were there."""
    for path in (folder / "in" / "sub-01").iterdir():
        path.unlink()
    return folder / "in" / "sub-01"


@pytest.mark.parametrize("words", [("left", "right"), ("lh", "rh"), ("l", "r"), ("Left", "Right"), ("LH", "RH")])
def test_sides_in_other_words_are_one_map_all_the_same(planes, words):
    assert run(planes / "in", planes / "usual", *meshes(planes)) == 0
    folder = emptied(planes)
    for word, seed in zip(words, (1, 2), strict=True):
        put(folder / (STEM.format(hemi=f"hemi-{word}") + ".func.gii"), gifti(data_array(bumps(seed))))
    assert run(planes / "in", planes / "out", *meshes(planes)) == 0
    assert table(planes / "out") == table(planes / "usual")
    for side in "LR":
        assert np.array_equal(labels(planes / "out", side), labels(planes / "usual", side))


def test_three_files_of_two_sides_are_no_pair(planes, capsys):
    put_pair(planes / "in" / "sub-01", left=bumps(3))
    assert run(planes / "in", planes / "out", *meshes(planes)) == 16
    assert "would both become" in capsys.readouterr().err


def test_compressed_files_are_read_as_they_are(planes):
    assert run(planes / "in", planes / "usual", *meshes(planes), "--threshold", "95%") == 0
    for path in (planes / "in" / "sub-01").iterdir():
        if "hemi-L" in path.name:  # the other stays as it is
            put(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))
            path.unlink()
    for side in "LR":
        mask = gifti(data_array((np.arange(144) < 72).astype(np.uint8)))
        put(planes / "in" / "sub-01" / f"sub-01_task-x_hemi-{side}_space-plane_mask.gii.gz", gzip.compress(mask))
    assert run(planes / "in", planes / "out", *meshes(planes), "--threshold", "95%", "--mask", "none") == 0
    assert table(planes / "out") == table(planes / "usual")
    assert run(planes / "in", planes / "out", *meshes(planes), "--threshold", "95%", "--mask", "none") == 0
    assert run(planes / "in", planes / "masked", *meshes(planes), "--threshold", "95%") == 0
    assert "_mask.gii.gz" in record(planes / "masked")["Mask"]["Source"]
    assert not any(labels(planes / "masked", side)[72:].any() for side in "LR")


def test_siblings_are_found_compressed_or_not(planes):
    for stat, seed in (("effect", 5), ("t", 7)):
        put_pair(planes / "in" / "sub-01", STEM.replace("stat-z", f"stat-{stat}"), L=bumps(seed), R=bumps(seed + 1))
    for path in list((planes / "in" / "sub-01").iterdir()):
        if ("hemi-L" in path.name) != ("stat-z" in path.name):
            put(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))
            path.unlink()
    assert run(planes / "in", planes / "out", *meshes(planes), "--values-from", "stat=effect") == 0
    rows = table(planes / "out")  # of z alone: the t has a z sibling
    assert rows
    for row in rows:
        second = bumps(5 if row["hemi"] == "L" else 6)[int(row["peak_vertex"])]
        assert float(row["values_at_peak"]) == pytest.approx(float(second))


def test_a_compressed_file_beside_the_same_is_left_and_said(planes):
    for path in (planes / "in" / "sub-01").iterdir():
        put(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))
    found = find_maps(open_dataset(planes / "in"), Selection())
    (one,) = found.maps
    assert one.extension == ".func.gii.gz"
    assert len(one.others) == 1
    assert [("hemi-L" in left.relpath, "which is taken" in left.reason) for left in found.skipped] == [
        (True, True),
        (False, True),
    ]
    put_pair(planes / "in" / "sub-01", L=bumps(5), R=bumps(6))
    assert run(planes / "in", planes / "out", *meshes(planes)) == 16  # others would have the same names


def test_a_bomb_in_a_compressed_file_fails_its_map(planes, capsys):
    folder = emptied(planes)
    bomb = gifti(data_array(np.zeros(4, np.float32), Dim0="2000000000"))
    put(folder / (STEM.format(hemi="hemi-L") + ".func.gii.gz"), gzip.compress(bomb))
    assert run(planes / "in", planes / "out", *meshes(planes)) == 1
    assert "bytes cannot hold" in capsys.readouterr().err


def test_a_side_that_nothing_tells_has_results_and_a_page(tmp_path):
    trees.describe(tmp_path / "in")
    put_pair(tmp_path / "in" / "sub-01", "sub-01_task-x_space-fsaverage5_stat-z_statmap", L=wave(10242))
    assert run(tmp_path / "in", tmp_path / "out", "--min-region-vertices", 1) == 0
    rows = table(tmp_path / "out")
    assert {(row["hemi"], row["structure"]) for row in rows} == {("n/a", "n/a")}
    (path,) = (tmp_path / "out").rglob("*_dseg.label.gii")
    assert "hemi-" not in path.name
    assert nib.load(path).darrays[0].data.max() == len(rows)
    assert "on a side that no file tells" in (tmp_path / "out" / "sub-01.html").read_text()


def wave(n):
    """Values of some thousand vertices that pass a threshold of 3."""
    return (4 * np.sin(np.arange(n) / 500)).astype(np.float32)


def test_a_hemisphere_that_nothing_tells_is_said_to_be_just_that(planes, capsys):
    numbers = np.zeros(32492, np.float32)
    numbers[:300] = 5
    name = "sub-01_task-x_hemi-B_space-fsLR_contrast-a_stat-z_statmap.func.gii"
    put(emptied(planes) / name, gifti(data_array(numbers)))
    assert run(planes / "in", planes / "out") == 1
    said = capsys.readouterr().err
    assert "neither name nor metadata tells its hemisphere. Tell it by hemi-L or hemi-R in its name" in said
    assert "no mesh of" not in said
