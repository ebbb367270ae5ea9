"""Who is missing from a set, failed or changed, in words."""

import json
import os

import numpy as np
import pytest
from cohorts import (
    array,
    fill,
    find,
    map_path,
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

__all__ = ["out", "root"]  # fixtures


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


@pytest.mark.parametrize("kept", [0, 1000])  # bytes of the map
def test_what_an_earlier_run_met_is_told_as_such(root, out, capsys, kept):
    fill(root, ("01", "02", "03"))
    map_path(root, "02").write_bytes(map_path(root, "02").read_bytes()[:kept])
    both = ("--threshold", "3.0", "3.5")
    assert run(root, out, *both) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert ", 1 failed, " in last
    assert "earlier" not in last
    assert run(root, out, *both, levels=("group",)) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert ", 0 failed, " in last
    assert ", 1 map lacking that failed in an earlier run (exit code 0)" in last


def test_a_failure_of_a_map_that_is_not_asked_for_opens_no_set(root, out, capsys):
    fill(root, ("01", "02"))
    fill(root, ("01", "02"), task="y")
    map_path(root, "02", task="y").write_bytes(b"")
    assert run(root, out, levels=("participant",)) == 1
    for note in (out / "logs").rglob("*.json"):
        told = read_json(note)
        if told.pop("SourceEntities", None):  # its name tells them too
            note.write_text(json.dumps(told))
    for words, tasks, lacking in ((("--task-id", "x"), "x", False), ((), "xy", True)):
        capsys.readouterr()
        assert run(root, out, *words, levels=("group",)) == 0
        assert ("1 map lacking that failed in an earlier run" in capsys.readouterr().err) is lacking
        found = {row["set"].partition("_task-")[2][0] for row in rows(out / "group_participants.tsv")}
        assert found == set(tasks)
