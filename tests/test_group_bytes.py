"""The group's files: the same bytes however the work was done, nothing written without need, and valid BIDS."""

import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from cohorts import AFFINE, SHAPE, A, array, contents, find, map_path, person, read_json, rows, run, start, write_person
from validator import issues_of

LABELS = ("01", "02", "03", "04", "05")


def cohort_of(root, labels=LABELS, sources=LABELS, **names):
    """Participants called `labels`, whose maps are those of `sources`: one is empty, one on another grid."""
    moved = AFFINE.copy()
    moved[0, 3] += 4
    for label, source in zip(labels, sources, strict=True):
        data = person(source, a=source != "03", b=source in ("01", "02"), shift=int(source == "02"))
        mask = np.ones(SHAPE, bool)
        mask[:, 9 + int(source) % 3 :] = False
        affine = moved if source == "05" else AFFINE
        write_person(root, label, data, affine=affine, mask=mask if source != "04" else None, **names)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return cohort_of(start(tmp_path_factory.mktemp("bytes") / "maps"))


@pytest.fixture(scope="module")
def out(root):
    assert run(root, root.parent / "out") == 0
    return root.parent / "out"


def without_group(out, target):
    shutil.copytree(out, target, ignore=shutil.ignore_patterns("tpl-*", "group*"))
    return target


@pytest.mark.parametrize("workers", ["2", "3"])
def test_any_number_of_workers_writes_the_same_bytes(root, out, workers):
    again = without_group(out, root.parent / f"again{workers}")  # beside: DatasetLinks are relative
    assert run(root, again, "--nprocs", workers, levels=("group",)) == 0
    assert contents(again) == contents(out)


def test_a_second_run_writes_nothing(root, out):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and "logs" not in path.parts}
    names = set(contents(out))
    assert run(root, out, levels=("group",)) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(contents(out)) == names


def test_what_was_lost_or_damaged_comes_back(root, out):
    whole = contents(out)
    find(out, "PosPrevalence_probseg.nii.gz").unlink()
    find(out, "Consensus_dseg.json").write_text("{}")
    (out / "group_values.tsv").write_text("damaged")
    (out / "group.html").unlink()
    assert run(root, out, levels=("group",)) == 0
    assert contents(out) == whole


def test_calling_participants_otherwise_changes_no_map_and_no_value(root, out, tmp_path):
    """The maps go by other labels, in another order: the images are the same bytes, the values the same rows."""
    other = cohort_of(start(tmp_path / "maps"), ("05", "03", "01", "02", "04"))
    target = tmp_path / "out"
    assert run(other, target) == 0
    for ending in ("PosPrevalence_probseg.nii.gz", "NegPrevalence_probseg.nii.gz", "Coverage_probseg.nii.gz",
                   "Consensus_dseg.nii.gz", "Consensus_dseg.tsv"):  # fmt: skip
        assert find(target, ending).read_bytes() == find(out, ending).read_bytes(), ending
    called = dict(zip(LABELS, ("05", "03", "01", "02", "04"), strict=True))
    renamed = [
        {**row, "participant_id": f"sub-{called[row['participant_id'][4:]]}"} for row in rows(out / "group_values.tsv")
    ]
    table = rows(target / "group_values.tsv")
    assert sorted(map(tuple, map(dict.values, table))) == sorted(map(tuple, map(dict.values, renamed)))


def test_maps_stored_with_flipped_axes_give_the_same_values(tmp_path):
    """Half of the participants' files run from right to left: another grid with the same voxels, resampled exactly."""
    flip = AFFINE @ np.diag([-1.0, 1, 1, 1])
    flip[:3, 3] = (AFFINE @ [SHAPE[0] - 1, 0, 0, 1])[:3]
    plain, flipped = start(tmp_path / "plain"), start(tmp_path / "flipped")
    for label in LABELS:
        data = person(label, a=True, b=label < "04")
        write_person(plain, label, data)
        write_person(flipped, label, data[::-1] if label > "03" else data, affine=flip if label > "03" else AFFINE)
    for folder in (plain, flipped):
        assert run(folder, tmp_path / f"out-{folder.name}") == 0
    one, other = (tmp_path / f"out-{folder.name}" for folder in (plain, flipped))
    np.testing.assert_array_equal(*(array(find(folder, "PosPrevalence_probseg.nii.gz")) for folder in (one, other)))
    assert rows(one / "group_values.tsv") == rows(other / "group_values.tsv")


def test_a_participant_more_changes_what_depends_on_it(tmp_path):
    root = cohort_of(start(tmp_path / "maps"))
    out = tmp_path / "out"
    assert run(root, out) == 0
    before = array(find(out, "PosPrevalence_probseg.nii.gz"))[A].max()
    write_person(root, "06", person("06"))
    assert run(root, out) == 0
    assert array(find(out, "PosPrevalence_probseg.nii.gz"))[A].max() == pytest.approx(before * 5 / 6)


def validate(out):
    return sorted({(issue["severity"], issue["code"], issue.get("subCode", "")) for issue in issues_of(out)})


def test_the_output_is_valid_bids(tmp_path):
    """Sessions, a split by group, a space that is not told, a space that is no standard, a resolution: no error."""
    root = start(tmp_path / "maps")
    cohort_of(root, ses="1")
    cohort_of(root, ("01", "02"), ("01", "02"), task="rest", contrast="two_back+x")
    for label in ("01", "02"):
        write_person(root, label, person(label, a=True), space="")
        write_person(root, label, person(label, a=True), space="MNI152NLin6Asym_res-2")
        write_person(root, label, person(label, a=True), space="ourTemplate")
    table = "participant_id\tour group\n" + "".join(f"sub-{label}\tg {int(label) % 2}\n" for label in LABELS)
    (root / "participants.tsv").write_text(table)
    out = tmp_path / "out"
    assert run(root, out, "--group-by", "our group") == 0
    assert len(list(out.glob("tpl-*/*Consensus_dseg.nii.gz"))) == 2 * 5
    found = validate(out)
    assert [issue for issue in found if issue[0] == "error"] == []
    recommended = ("warning", "SIDECAR_KEY_RECOMMENDED", "SpatialReference")  # of standard spaces, which need none
    assert [issue for issue in found if issue != recommended] == []


def test_names_from_the_dataset_cannot_forge_a_table_or_a_page(tmp_path):
    root = start(tmp_path / "maps")
    write_person(root, "01", person("01", a=True))
    (root / "participants.tsv").write_text("participant_id\tnote\nsub-01\t<script>alert(1)</script>\n")
    (root / "participants.json").write_text('{"note": {"Description": "</script><b>"}}')
    out = tmp_path / "out"
    assert run(root, out, "--group-by", "note") == 0
    assert rows(out / "group_values.tsv")[0]["note"] == "<script>alert(1)</script>"
    page = (out / "group.html").read_text()
    assert "<script>alert" not in page
    assert "</script><b>" not in page
    assert not map_path(out, "alert").exists()
    assert read_json(find(out, "Consensus_dseg.json"))["GroupBy"] == {"note": "<script>alert(1)</script>"}


COUNTED = """
import os, sys
def count(event, told):
    if event == "open" and isinstance(told[0], (str, bytes)) and not told[2] & os.O_ACCMODE:
        print("OPENED", os.path.basename(os.fsdecode(told[0])), file=sys.stderr)
sys.addaudithook(count)
from bids_regions.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_what_participants_left_is_read_once_and_each_image_once_in_a_pass(root, out):
    """A record once; a table in the first pass, and once more where a thumbnail is drawn, as an image is."""
    again = without_group(out, root.parent / "counted")
    command = [sys.executable, "-c", COUNTED, str(root), str(again), "group", "--nprocs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    opened = Counter(line.split(maxsplit=1)[1] for line in done.stderr.splitlines() if line.startswith("OPENED"))
    of = {ending: [n for name, n in opened.items() if name.startswith("sub-") and name.endswith(ending)] for ending in
          ("_dseg.json", "_dseg.tsv", "_statmap.nii.gz", "_dseg.nii.gz")}  # fmt: skip
    assert {ending: set(found) for ending, found in of.items()} == {
        "_dseg.json": {1},
        "_dseg.tsv": {2},
        "_statmap.nii.gz": {2},
        "_dseg.nii.gz": {3},  # its grid first of all
    }
    assert {len(found) for found in of.values()} == {len(LABELS)}
