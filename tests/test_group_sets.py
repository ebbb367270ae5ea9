"""Which maps are put together, which are not, and who is missing, in words."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from cohorts import (
    AFFINE,
    SHAPE,
    A,
    array,
    find,
    map_path,
    people,
    person,
    read_json,
    rows,
    run,
    start,
    write_image,
    write_person,
)

from bids_regions.group.members import read_members
from bids_regions.images import load_grid


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


def test_sessions_tasks_and_entries_are_sets_of_their_own(root, out):
    fill(root, ("01", "02"), ses="1")
    fill(root, ("01",), ses="2")
    fill(root, ("01",), task="y")
    assert run(root, out, "--threshold", "3.0", "99%") == 0
    names = set_names(out)
    assert len(names) == 6
    assert sum("_ses-1_task-x_" in name and name.endswith("_desc-thr3p0") for name in names) == 1
    values = rows(out / "group_values.tsv")
    assert {(row["participant_id"], row["session"]) for row in values if "_ses-1_" in row["set"]} == {
        ("sub-01", "ses-1"),
        ("sub-02", "ses-1"),
    }
    second = [row for row in rows(out / "group_participants.tsv") if "ses-2" in row["set"] and "thr" in row["set"]]
    assert {(row["participant_id"], row["status"]) for row in second} == {("sub-01", "ok"), ("sub-02", "missing")}


def test_a_column_of_participants_tsv_splits_the_sets(root, out):
    fill(root, ("01", "02", "03", "04"))
    table = (
        "participant_id\tgroup\tage\nsub-01\tpatient\t30\nsub-02\tcontrol\t31\nsub-03\tn/a\t32\nsub-05\tcontrol\t2\n"
    )
    (root / "participants.tsv").write_text(table)
    assert run(root, out, "--group-by", "group") == 0
    names = set_names(out)
    assert [name.split("seg-")[1] for name in names] == [
        f"contrast+a+stat+z+group+{group}_desc-thr3p0" for group in ("control", "patient")
    ]
    by_set = {name: {} for name in names}
    for row in rows(out / "group_participants.tsv"):
        by_set[row["set"]][row["participant_id"]] = (row["status"], row["reason"])
    control = by_set[names[0]]
    assert control["sub-02"] == ("ok", "n/a")
    assert control["sub-05"] == ("missing", "no such map in the dataset")
    assert control["sub-03"] == control["sub-04"] == ("left out", "participants.tsv has no value in group")
    assert "sub-01" not in control
    assert read_json(find(out, "patient_desc-thr3p0Consensus_dseg.json"))["GroupBy"] == {"group": "patient"}


def test_a_column_named_like_an_entity_does_not_pass_for_it(root, out):
    fill(root, ("01", "02"))
    (root / "participants.tsv").write_text("participant_id\trun\nsub-01\t1\nsub-02\t2\n")
    assert run(root, out, "--group-by", "run") == 0
    assert [name.split("seg-")[1] for name in set_names(out)] == [
        f"contrast+a+stat+z+byrun+{n}_desc-thr3p0" for n in (1, 2)
    ]


def test_two_groups_that_would_share_a_name_are_refused_before_anything_is_written(root, out, capsys):
    fill(root, ("01", "02"))
    (root / "participants.tsv").write_text("participant_id\tgroup\nsub-01\ta b\nsub-02\tA+B\n")
    assert run(root, out, "--group-by", "group") == 16
    assert "names that differ in case alone" in capsys.readouterr().err.splitlines()[-1]
    assert not list(out.glob("tpl-*"))


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ("participant_id\tage\nsub-01\t3\n", 64, "has no such column. It has age"),
        (None, 66, "needs a participants.tsv"),
    ],
)
def test_a_column_that_is_not_there_is_refused(root, out, capsys, table, code, words):
    fill(root, ("01",))
    if table:
        (root / "participants.tsv").write_text(table)
    assert run(root, out, "--group-by", "group") == code
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_table_that_nobody_asked_for_ends_no_run(root, out, tmp_path, capsys):
    fill(root, ("01", "02"))
    bad = root / "participants.tsv"
    bad.write_bytes("participant_id\tnote\nsub-01\tGröße\n".encode("latin-1"))
    assert run(root, out) == 0
    assert f"note: {bad} is not UTF-8 text: the tables are without its columns" in capsys.readouterr().err
    assert len(rows(out / "group_participants.tsv")) == 2
    assert run(root, out, "--group-by", "note") == 16
    assert run(root, out, "--participants-tsv", bad) == 66


def test_participants_tsv_may_lie_anywhere(root, out, tmp_path):
    fill(root, ("01",))
    path = tmp_path / "people.tsv"
    path.write_text("participant_id\thand\nsub-01\tleft\n")
    assert run(root, out, "--participants-tsv", path) == 0
    assert [row["hand"] for row in rows(out / "group_values.tsv")] == ["left"]


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


def test_participants_made_with_different_settings_are_refused_by_name_and_other_sets_are_done(root, out, capsys):
    fill(root, ("01", "02", "03"))
    fill(root, ("01", "02"), task="y")
    assert run(root, out, levels=("participant",)) == 0
    again = ("--min-region-size", "500", "--participant-label", "02", "--task-id", "x")
    assert run(root, out, *again, levels=("participant",)) == 0
    capsys.readouterr()
    assert run(root, out, levels=("group",)) == 64
    told = capsys.readouterr().err
    assert "sub-02 (min_region_size 500.0 / 1500.0)" in told
    assert "1 set refused" in told.splitlines()[-1]
    for name in ("group_values.tsv", "group_regions.tsv"):
        assert {row["set"].split("_")[1] for row in rows(out / name)} == {"task-y"}
    assert len(list(out.glob("tpl-*/*PosPrevalence_probseg.nii.gz"))) == 1
    assert "min_region_size 500.0 / 1500.0" in (out / "group.html").read_text()


def spoil(root, out):
    """Something else is wrong with each of sub-02 to sub-10."""
    fill(root, ("01", "02", "03", "04", "05", "06", "07"))
    write_person(root, "08", person("08"))
    map_path(root, "09").parent.mkdir(parents=True)
    map_path(root, "09").write_bytes(b"")
    (root / "participants.tsv").write_text("participant_id\n" + "".join(f"sub-{n:02d}\n" for n in range(1, 11)))
    assert run(root, out, levels=("participant",)) == 1
    write_person(root, "02", person("02", b=True))  # another map than the regions were found in
    map_path(root, "03").unlink()
    next((out / "sub-04").rglob("*_dseg.json")).unlink()
    label_image = next((out / "sub-05").rglob("*_dseg.nii.gz"))
    label_image.write_bytes(label_image.read_bytes()[:-20])
    next((out / "sub-06").rglob("*_dseg.tsv")).unlink()
    next((out / "sub-07").rglob("*_dseg.json")).write_text("{")


SPOILED = {
    "sub-02": ("changed", "has changed since its regions were found"),
    "sub-03": ("missing", "is not there any more"),
    "sub-04": ("missing", "run the participant level on it"),
    "sub-05": ("failed", "truncated"),
    "sub-06": ("failed", "_dseg.tsv cannot be read"),
    "sub-07": ("failed", "is not valid JSON"),
    "sub-08": ("empty", "n/a"),
    "sub-09": ("failed", "0 bytes"),
    "sub-10": ("missing", "no such map in the dataset"),
}


def test_who_is_missing_failed_changed_or_damaged_is_listed_in_words(root, out, capsys):
    spoil(root, out)
    capsys.readouterr()
    assert run(root, out, levels=("group",)) == 1
    assert people(out) == {"sub-01": "ok"} | {name: status for name, (status, _) in SPOILED.items()}
    said, page, told = reasons(out), (out / "group.html").read_text(), capsys.readouterr().err
    log = read_json(max(out.glob("logs/log-*.json"), key=os.path.getmtime))
    for name, (status, words) in SPOILED.items():
        assert words in said[name]
        assert name in page
        assert name in told or status == "empty"
        assert any(f"{name}: {status}" in notice for notice in log["notices"]), name
    assert told.splitlines()[-1].startswith("bids_regions: ")
    assert "3 failed" in told.splitlines()[-1]


def test_a_broken_map_counts_once_whatever_levels_and_sets_meet_it(root, out, capsys):
    fill(root, ("01", "02", "03"))
    both = ("--threshold", "3.0", "3.5")
    assert run(root, out, *both) == 0
    whole = map_path(root, "02").read_bytes()
    map_path(root, "02").write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert run(root, out, *both) == 1
    told = capsys.readouterr().err.splitlines()
    assert sum("1 failed" in line and "consensus region" in line for line in told) == 2  # each set lacks it
    assert ", 1 failed, " in told[-1]


@pytest.mark.parametrize("kept", [0, 1000])  # bytes of the map
def test_a_map_that_fails_under_other_settings_leaves_the_rest_a_set(root, out, capsys, kept):
    """Its results of the run before are those of other settings, which would else refuse the set."""
    fill(root, ("01", "02", "03"))
    assert run(root, out) == 0
    whole = map_path(root, "02").read_bytes()
    map_path(root, "02").write_bytes(whole[:kept])
    assert run(root, out, "--min-region-size", "500") == 1
    assert {row["participant_id"]: row["status"] for row in rows(out / "group_participants.tsv")} == {
        "sub-01": "ok",
        "sub-02": "failed",
        "sub-03": "ok",
    }
    map_path(root, "02").write_bytes(whole)
    capsys.readouterr()
    assert run(root, out, "--min-region-size", "500") == 0
    assert "3 participants" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["_dseg.nii.gz", "_dseg.tsv"])
def test_results_that_are_not_those_of_their_record_are_left_out(root, out, ending):
    """Whole and readable, but of another map: as a run that writes at the same time leaves them for a moment."""
    fill(root, ("01", "02", "03"))
    write_person(root, "02", person("02", b=True))
    assert run(root, out, levels=("participant",)) == 0
    mine, other = (next((out / f"sub-{label}").rglob(f"*{ending}")) for label in ("02", "01"))
    content = other.read_bytes()
    assert mine.read_bytes() != content
    mine.write_bytes(content)
    run(root, out, levels=("group",))
    assert people(out) == {"sub-01": "ok", "sub-02": "changed", "sub-03": "ok"}
    assert "is not the one that its record tells of" in reasons(out)["sub-02"]


def test_only_those_who_are_there_are_in_the_denominator(root, out):
    """Of sub-01 to sub-10 only sub-01, with the blob, and sub-08, empty, can be counted."""
    spoil(root, out)
    run(root, out, levels=("group",))
    assert np.unique(array(find(out, "Coverage_probseg.nii.gz"))).tolist() == [1]
    assert array(find(out, "PosPrevalence_probseg.nii.gz")).max() == 0.5


def test_one_participant_is_an_answer(root, out):
    fill(root, ("01",))
    assert run(root, out) == 0
    assert array(find(out, "PosPrevalence_probseg.nii.gz")).max() == 1
    assert len(rows(out / "group_values.tsv")) == 1
    assert rows(out / "group_agreement.tsv") == []


def test_nobody_with_regions_is_an_answer(root, out):
    for label in ("01", "02"):
        write_person(root, label, person(label))
    assert run(root, out) == 0
    assert people(out) == {"sub-01": "empty", "sub-02": "empty"}
    assert array(find(out, "Consensus_dseg.nii.gz")).max() == 0
    assert (
        rows(find(out, "Consensus_dseg.tsv")) == rows(out / "group_values.tsv") == rows(out / "group_regions.tsv") == []
    )
    assert [row["dice"] for row in rows(out / "group_agreement.tsv")] == ["n/a"]
    assert "No region survived" in (out / "group.html").read_text()


def test_a_dataset_of_group_maps_alone_is_an_answer(root, out):
    name = "task-x_space-MNI152NLin2009cAsym_contrast-a_stat-z_statmap.nii.gz"
    write_image(root / "group" / name, person("01", a=True))
    assert run(root, out, levels=("group",)) == 0
    assert len(rows(find(out, "_desc-thr3p0_dseg.tsv"))) == 1
    assert rows(out / "group_participants.tsv") == []
    assert "Group maps" in (out / "group.html").read_text()


def test_participants_without_any_result_yet_are_said_so(root, out, capsys):
    fill(root, ("01",))
    assert run(root, out, levels=("group",)) == 18
    assert "Run the participant level first" in capsys.readouterr().err.splitlines()[-1]
    assert (out / "group.html").is_file()


def test_when_every_map_failed_the_set_is_told_all_the_same(root, out):
    map_path(root, "01").parent.mkdir(parents=True)
    map_path(root, "01").write_bytes(b"\x1f\x8b broken")
    assert run(root, out) == 1
    assert people(out) == {"sub-01": "failed"}
    assert set_names(out) == ["tpl-MNI152NLin2009cAsym_task-x_seg-contrast+a+stat+z_desc-thr3p0"]
    assert not list(out.glob("tpl-*"))


def test_a_map_that_failed_at_the_participant_level_is_told_with_its_reason(root, out):
    fill(root, ("01",))
    map_path(root, "02").parent.mkdir(parents=True)
    map_path(root, "02").write_bytes(map_path(root, "01").read_bytes()[:-100])
    assert run(root, out, levels=("participant",)) == 1
    assert run(root, out, levels=("group",)) == 0  # the failure was that of the other level
    assert people(out) == {"sub-01": "ok", "sub-02": "failed"}
    assert "truncated" in reasons(out)["sub-02"]


def test_a_file_that_is_broken_before_anybody_worked_on_it_is_told_too(root, out):
    fill(root, ("01",))
    assert run(root, out, levels=("participant",)) == 0
    map_path(root, "02").parent.mkdir(parents=True)
    map_path(root, "02").write_bytes(b"")
    run(root, out, levels=("group",))
    assert people(out) == {"sub-01": "ok", "sub-02": "failed"}
    assert "an empty file" in reasons(out)["sub-02"]


def test_a_failure_counts_for_the_entry_that_failed(root, out):
    """A t map without degrees of freedom fails at a p, not at a value; its results at the value went missing."""
    for label in ("01", "02"):
        path = map_path(root, label)
        write_image(path.with_name(path.name.replace("stat-z", "stat-t")), person(label, a=True))
    side = map_path(root, "01").name.replace("stat-z_statmap.nii.gz", "stat-t_statmap.json")
    (map_path(root, "01").parent / side).write_text('{"DegreesOfFreedom": 20}')
    assert run(root, out, "--threshold", "3.0", "p=0.05", levels=("participant",)) == 1
    next((out / "sub-02").rglob("*thr3p0_dseg.json")).unlink()
    run(root, out, levels=("group",))
    told = {(row["set"][-6:], row["participant_id"]): row["status"] for row in rows(out / "group_participants.tsv")}
    assert told == {
        ("-p0p05", "sub-01"): "ok",
        ("-p0p05", "sub-02"): "failed",
        ("thr3p0", "sub-01"): "ok",
        ("thr3p0", "sub-02"): "missing",
    }


def test_a_label_image_on_another_grid_than_its_map_belongs_to_another_map(root, out):
    fill(root, ("01", "02"))
    assert run(root, out, levels=("participant",)) == 0
    path = next((out / "sub-02").rglob("*_dseg.nii.gz"))
    write_image(path, np.zeros((5, 5, 5), np.uint8))
    assert run(root, out, levels=("group",)) == 0
    assert people(out) == {"sub-01": "ok", "sub-02": "changed"}


def test_entities_in_another_order_are_the_same_entities(root, out):
    fill(root, ("01",))
    name = "sub-02_contrast-a_task-x_stat-z_space-MNI152NLin2009cAsym_statmap.nii.gz"
    write_image(root / "sub-02" / "func" / name, person("02", a=True))
    assert run(root, out) == 0
    assert people(out) == {"sub-01": "ok", "sub-02": "ok"}
    assert len(set_names(out)) == 1


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


def test_the_selection_holds_for_the_group_too(root, out):
    fill(root, ("01", "02"))
    fill(root, ("01", "02"), task="y")
    assert run(root, out, levels=("participant",)) == 0
    assert run(root, out, "--task-id", "y", "--participant-label", "02", levels=("group",)) == 0
    assert [(row["set"].split("_")[1], row["participant_id"]) for row in rows(out / "group_values.tsv")] == [
        ("task-y", "sub-02")
    ]


def test_a_bids_filter_holds_for_the_group_too(root, out, tmp_path):
    fill(root, ("01",))
    fill(root, ("01",), task="y")
    assert run(root, out, levels=("participant",)) == 0
    path = tmp_path / "filter.json"
    path.write_text('{"statmap": {"task": "y"}}')
    assert run(root, out, "--bids-filter-file", path, levels=("group",)) == 0
    assert {row["set"].split("_")[1] for row in rows(out / "group_values.tsv")} == {"task-y"}


def test_a_sign_that_nobody_looked_for_has_no_map(root, out):
    """The map of an earlier run that looked for it goes, too."""
    fill(root, ("01", "02"))
    assert run(root, out) == 0
    assert find(out, "NegPrevalence_probseg.nii.gz")
    assert run(root, out, "--tail", "positive") == 0
    assert not list(out.glob("tpl-*/*NegPrevalence*"))
    assert find(out, "PosPrevalence_probseg.nii.gz")


def test_regions_that_merge_both_signs_have_a_prevalence_per_sign(root, out):
    data = person("01", a=True)
    data[5:9, 2:6, 3:7] -= 7  # touches the positive blob: one region with both tails merged
    write_person(root, "01", data)
    assert run(root, out, "--tail", "two") == 0
    positive, negative = (array(find(out, f"{sign}Prevalence_probseg.nii.gz")) for sign in ("Pos", "Neg"))
    assert np.count_nonzero(positive) == np.count_nonzero(negative) == 64
    assert [row["sign"] for row in rows(out / "group_regions.tsv")] == ["both"]
    assert [(row["sign"], row["dice"]) for row in rows(out / "group_values.tsv")] == [
        ("positive", "1"),
        ("negative", "1"),
    ]


@pytest.mark.parametrize(("connectivity", "n"), [("6", 2), ("26", 1)])
def test_consensus_voxels_are_joined_as_the_participants_are(root, out, connectivity, n):
    """Two blobs that touch by one corner."""
    data = person("01", a=True)
    data[5:9, 6:10, 3:7] += 5
    write_person(root, "01", data)
    assert run(root, out, "--connectivity", connectivity) == 0
    assert len(rows(find(out, "Consensus_dseg.tsv"))) == n
    assert read_json(find(out, "Consensus_dseg.json"))["Consensus"]["Connectivity"] == int(connectivity)


def test_a_mask_that_went_away_leaves_its_participant_out(root, out):
    for label in ("01", "02"):
        write_person(root, label, person(label, a=True), mask=np.ones(SHAPE))
    assert run(root, out, levels=("participant",)) == 0
    next(root.rglob("sub-02*mask.nii.gz")).unlink()
    assert run(root, out, levels=("group",)) == 0
    assert people(out) == {"sub-01": "ok", "sub-02": "missing"}
    assert "mask" in reasons(out)["sub-02"]


def test_consensus_regions_are_named_as_the_participants_are(root, out, tmp_path):
    fill(root, ("01", "02"))
    atlas = np.zeros(SHAPE, np.uint8)
    atlas[:6], atlas[6:] = 1, 2
    path = write_image(tmp_path / "tpl-MNI152NLin2009cAsym_atlas-Halves_dseg.nii.gz", atlas)
    path.with_name("tpl-MNI152NLin2009cAsym_atlas-Halves_dseg.tsv").write_text("index\tname\n1\tWest\n2\tEast\n")
    assert run(root, out, "--atlas", path) == 0
    (row,) = rows(find(out, "Consensus_dseg.tsv"))
    assert "West" in row["name"]
    assert row["Halves_peak"] == "West"
    assert rows(out / "group_regions.tsv")[0]["Halves_peak"] == "West"
    assert "Description" in read_json(out / "group_regions.json")["Halves_peak"]
    path.unlink()
    assert run(root, out, levels=("group",)) == 0
    (row,) = rows(find(out, "Consensus_dseg.tsv"))
    assert row["name"] == "region-1"
    assert any("not named" in text for text in read_json(find(out, "Consensus_dseg.json"))["Warnings"])
    for log in out.glob("logs/log-*.json"):
        log.unlink()
    assert run(root, out, levels=("group",)) == 0
    assert any("--atlas to the group level" in text for text in read_json(find(out, "Consensus_dseg.json"))["Warnings"])


def test_without_anatomy_prevalence_is_shown_on_the_coverage(root, out):
    fill(root, ("01", "02"))
    assert run(root, out) == 0
    page = (out / "group.html").read_text()
    (ground,) = set(re.findall(r'id="background-([^"]+)"', page))
    views = json.loads(re.search(r'id="views"[^>]*>([^<]+)<', page)[1])
    assert {view["background"] for view in views} == {f"background-{ground}"}


def test_a_grid_is_read_from_the_header_alone(tmp_path):
    path = write_image(tmp_path / "x.nii", np.zeros(SHAPE, np.uint8))
    grid = load_grid(path)
    assert grid.shape == SHAPE
    np.testing.assert_array_equal(grid.affine, AFFINE)


def test_records_of_ten_thousand_participants_share_what_is_equal(root, out):
    fill(root, ("01", "02"))
    assert run(root, out, levels=("participant",)) == 0
    members, unread = read_members(out, frozenset())
    assert unread == []
    assert members[0].entities is members[1].entities
    assert members[0].columns is members[1].columns


def test_array_jobs_and_one_run_give_the_same_group(root, out, tmp_path):
    fill(root, ("01", "02", "03"))
    assert run(root, out) == 0
    other = tmp_path / "other"
    for label in ("03", "01", "02"):
        assert run(root, other, "--participant-label", label, levels=("participant",)) == 0
    assert run(root, other, levels=("group",)) == 0
    for path in sorted(out.glob("tpl-*/*")) + sorted(out.glob("group_*")):
        assert (other / path.relative_to(out)).read_bytes() == path.read_bytes(), path.name
    shutil.rmtree(other)


def test_sets_of_an_earlier_run_are_said_and_stay(root, out, capsys):
    fill(root, ("01", "02"), ses="1")
    fill(root, ("01", "02"), ses="2")
    (root / "participants.tsv").write_text("participant_id\tsite\nsub-01\ta\nsub-02\tb\n")

    def notes():
        return [line for line in capsys.readouterr().err.splitlines() if "an earlier run of the group level" in line]

    assert run(root, out) == 0
    assert run(root, out) == 0
    first = {path.name for path in out.rglob("*Consensus_dseg.json")}
    assert notes() == []
    assert run(root, out, "--group-by", "site", "--reliability", "none") == 0
    assert {path.name for path in out.rglob("*Consensus_dseg.json")} > first
    (note,) = notes()
    assert len(first) == 3  # of two sessions, and of both
    assert all(name.removesuffix("_dseg.json") in note for name in first)
    assert "+site+" not in note
    assert "an earlier run of the group level" in (out / "group.html").read_text()
    regions = find(out, "ses-1_task-x_seg-contrast+a+stat+z_desc-thr3p0Consensus_dseg.nii.gz")
    assert run(root, out, "--group-by", "site", "--reliability", "none", "--regions-from", regions) == 0
    (note,) = notes()
    assert "tpl-MNI152NLin2009cAsym_ses-1_task-x_seg-contrast+a+stat+z_desc" not in note  # it is in use
    assert "ses-2" in note


def test_participants_with_labels_that_names_fold_are_themselves(root, out):
    for label in ("Jü", "02"):
        write_person(root, label, person("02", a=True))
    (root / "participants.tsv").write_text("participant_id\tgroup\nSUB-Jü\ta\nsub-02\ta\n")
    assert run(root, out, "--group-by", "group", "--participant-label", "Jü", "02") == 0
    table = rows(out / "group_participants.tsv")
    assert [(row["participant_id"], row["status"], row["group"]) for row in table] == [
        ("sub-02", "ok", "a"),
        ("sub-Ju", "ok", "a"),
    ]
