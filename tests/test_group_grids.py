"""Which maps lie on one grid, in one space, and what is put together of those that do not."""

import numpy as np
import pytest
from cohorts import (
    AFFINE,
    SHAPE,
    A,
    array,
    fill,
    find,
    out,
    people,
    person,
    read_json,
    reasons,
    root,
    rows,
    run,
    set_names,
    write_image,
    write_person,
)

from bids_regions.images import load_grid

__all__ = ["out", "root"]  # fixtures


def test_maps_on_another_grid_are_resampled_to_the_most_common_one_and_it_is_said(root, out):
    """sub-03 lies on a grid twice as fine, with the same blob at the same place."""
    fill(root, ("01", "02"))
    fine = np.kron(person("03", a=True), np.ones((2, 2, 2), np.float32))
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 1
    write_person(root, "03", fine, affine=affine)
    assert run(root, out) == 0
    prevalence = array(find(out, "PosPrevalence_probseg.nii.gz"))
    assert prevalence.shape == SHAPE
    assert np.unique(prevalence[A]).tolist() == [1]
    assert np.count_nonzero(prevalence) == 64
    grid = "14 x 12 x 10 voxels of 4 mm"
    words = f"1 of 3 maps lie on another grid than most ({grid}) and were resampled to it (nearest): sub-03"
    assert words in read_json(find(out, "Consensus_dseg.json"))["Warnings"]
    assert words in (out / "group.html").read_text()
    values = rows(out / "group_values.tsv")
    assert [float(row["mean_value"]) for row in values] == pytest.approx(
        [person(label, a=True)[A].mean(dtype=float) for label in ("01", "02", "03")], rel=1e-9
    )


def test_of_two_grids_as_common_the_finer_one_is_taken_whoever_has_it(root, out):
    fine = np.kron(person("02", a=True), np.ones((2, 2, 2), np.float32))
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 1
    write_person(root, "01", person("01", a=True))
    write_person(root, "02", fine, affine=affine)
    assert run(root, out) == 0
    assert array(find(out, "Coverage_probseg.nii.gz")).shape == tuple(2 * n for n in SHAPE)


def test_several_spaces_are_several_sets(root, out):
    fill(root, ("01",))
    fill(root, ("01", "02"), space="MNI152Lin")
    assert run(root, out) == 0
    assert [name.partition("_")[0] for name in set_names(out)] == ["tpl-MNI152Lin", "tpl-MNI152NLin2009cAsym"]


def test_maps_in_the_participants_own_space_are_not_put_on_top_of_each_other(root, out):
    fill(root, ("01", "02"), space="T1w")
    assert run(root, out) == 0
    assert not list(out.glob("tpl-*/*Prevalence*"))
    assert people(out) == {"sub-01": "left out", "sub-02": "left out"}
    assert "each participant's own space" in reasons(out)["sub-01"]
    assert len(rows(out / "group_regions.tsv")) == 2
    assert "not comparable" in (out / "group.html").read_text()


def test_maps_without_a_space_are_compared_where_their_grids_are_equal_and_it_is_said(root, out):
    """Two share one grid, two share another, one has a grid of its own."""
    moved, far = AFFINE.copy(), AFFINE.copy()
    moved[0, 3] += 8
    far[0, 3] += 40
    for label, affine in (("01", AFFINE), ("02", AFFINE), ("03", AFFINE), ("04", moved), ("05", moved), ("06", far)):
        write_person(root, label, person(label, a=True), space="", affine=affine)
    assert run(root, out) == 0
    names = set_names(out)
    assert names == [
        "tpl-group_task-x_seg-contrast+a+stat+z+grid+2_desc-thr3p0",
        "tpl-group_task-x_seg-contrast+a+stat+z_desc-thr3p0",
    ]
    counted = [(row["set"] == names[1], row["participant_id"]) for row in rows(out / "group_values.tsv")]
    assert counted == [(False, "sub-04"), (False, "sub-05"), (True, "sub-01"), (True, "sub-02"), (True, "sub-03")]
    assert people(out)["sub-06"] == "left out"
    assert reasons(out)["sub-06"] == "its space is not told and no other map has its grid"
    warnings = read_json(find(out, "z_desc-thr3p0Consensus_dseg.json"))["Warnings"]
    assert "No space is told by the maps' names" in warnings[0]
    assert "SpatialReference" in read_json(find(out, "z_desc-thr3p0Consensus_dseg.json"))


def test_an_assumed_space_is_remembered_from_the_participant_level(root, out):
    fill(root, ("01", "02"), space="")
    assert run(root, out, "--assume-space", "MNI152Lin", levels=("participant",)) == 0
    assert run(root, out, levels=("group",)) == 0
    assert [name.partition("_")[0] for name in set_names(out)] == ["tpl-MNI152Lin"]


def test_when_no_two_maps_without_a_space_share_a_grid_nothing_is_put_together(root, out):
    for number, label in enumerate(("01", "02")):
        affine = AFFINE.copy()
        affine[2, 3] += 12 * number
        write_person(root, label, person(label, a=True), space="", affine=affine)
    assert run(root, out) == 0
    assert people(out) == {"sub-01": "left out", "sub-02": "left out"}
    assert not list(out.glob("tpl-*/*Prevalence*"))


def test_a_label_image_on_another_grid_than_its_map_belongs_to_another_map(root, out):
    fill(root, ("01", "02"))
    assert run(root, out, levels=("participant",)) == 0
    path = next((out / "sub-02").rglob("*_dseg.nii.gz"))
    write_image(path, np.zeros((5, 5, 5), np.uint8))
    assert run(root, out, levels=("group",)) == 0
    assert people(out) == {"sub-01": "ok", "sub-02": "changed"}


@pytest.mark.parametrize("first", ["01", "02"])
def test_of_nearly_equal_grids_the_same_one_is_written_whoever_has_it(root, out, first):
    """Grids apart by less than a hundredth of a voxel are one grid; which header is kept is not up to the labels."""
    near = AFFINE.copy()
    near[0, 3] += 1e-3
    for label in ("01", "02"):
        write_person(root, label, person("07", a=True), affine=near if label == first else AFFINE)
    assert run(root, out) == 0
    assert load_grid(find(out, "PosPrevalence_probseg.nii.gz")).affine[0, 3] == pytest.approx(-26, abs=1e-4)
    assert "another grid" not in (out / "group.html").read_text()


def test_a_grid_is_read_from_the_header_alone(tmp_path):
    path = write_image(tmp_path / "x.nii", np.zeros(SHAPE, np.uint8))
    grid = load_grid(path)
    assert grid.shape == SHAPE
    np.testing.assert_array_equal(grid.affine, AFFINE)
