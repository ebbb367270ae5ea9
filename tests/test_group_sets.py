"""Which maps are put together, by name, column and selection, and what a set holds."""

import json
import re
import shutil

import numpy as np
import pytest
from cohorts import (
    SHAPE,
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

from bids_regions.group.members import read_members

__all__ = ["out", "root"]  # fixtures


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
    assert run(root, out, "--group-by", "group", "--group_by", "group") == 0  # twice is once
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
    assert not out.exists(), "seen before any map is touched"


def test_a_table_that_nobody_asked_for_ends_no_run(root, out, tmp_path, capsys):
    fill(root, ("01", "02"))
    bad = root / "participants.tsv"
    bad.write_bytes("participant_id\tnote\nsub-01\tGröße\n".encode("latin-1"))
    assert run(root, out) == 0
    assert f"note: {bad} is not UTF-8 text: the tables are without its columns" in capsys.readouterr().err
    assert len(rows(out / "group_participants.tsv")) == 2
    assert run(root, tmp_path / "asked", "--group-by", "note") == 66
    assert not (tmp_path / "asked").exists(), "seen before any map is touched"
    assert run(root, out, "--participants-tsv", bad) == 66


def test_participants_tsv_may_lie_anywhere(root, out, tmp_path):
    fill(root, ("01",))
    path = tmp_path / "people.tsv"
    path.write_text("participant_id\thand\nsub-01\tleft\n")
    assert run(root, out, "--participants-tsv", path) == 0
    assert [row["hand"] for row in rows(out / "group_values.tsv")] == ["left"]


def test_entities_in_another_order_are_the_same_entities(root, out):
    fill(root, ("01",))
    name = "sub-02_contrast-a_task-x_stat-z_space-MNI152NLin2009cAsym_statmap.nii.gz"
    write_image(root / "sub-02" / "func" / name, person("02", a=True))
    assert run(root, out) == 0
    assert people(out) == {"sub-01": "ok", "sub-02": "ok"}
    assert len(set_names(out)) == 1


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
