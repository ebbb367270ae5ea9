"""Faults through the command line: unfit and broken files, names that would forge a line, siblings."""

import json

import numpy as np
import pytest
import trees
from app_runs import run, table
from validator import validate

from bids_regions.cli import main


def faulty(root):
    """One good map among every kind of unfit file."""
    trees.describe(root)
    folder = root / "sub-01" / "func"
    trees.write_map(folder / "sub-01_task-x_contrast-good_stat-z_statmap.nii.gz")
    trees.write_map(folder / "sub-01_task-x_contrast-four_stat-z_statmap.nii.gz", np.ones((4, 4, 4, 3), np.float32))
    trees.write_map(folder / "sub-01_task-x_contrast-good_stat-p_statmap.nii.gz")
    trees.touch(folder / "sub-01_task-x_hemi-L_contrast-good_stat-z_statmap.surf.gii")
    trees.touch(folder / "sub-01_task-x_contrast-good_stat-z_statmap.pscalar.nii")
    return folder


def test_unfit_files_are_skipped_with_their_reasons_and_exit_0(tmp_path, capsys):
    faulty(tmp_path / "in")
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--nprocs", "1"]) == 0
    told = capsys.readouterr().err
    for reason in ("GIFTI", "CIFTI", "4-D"):
        assert reason in told
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "GIFTI" in page
    assert told.splitlines()[-1].endswith("(exit code 0)")


def test_broken_files_fail_and_stop_no_other(tmp_path, capsys):
    folder = faulty(tmp_path / "in")
    whole = (folder / "sub-01_task-x_contrast-good_stat-z_statmap.nii.gz").read_bytes()
    trees.touch(folder / "sub-01_task-x_contrast-cut_stat-z_statmap.nii.gz", whole[: len(whole) // 2])
    trees.touch(folder / "sub-01_task-x_contrast-empty_stat-z_statmap.nii.gz", b"")
    (folder / "sub-01_task-x_contrast-gone_stat-z_statmap.nii.gz").symlink_to("nowhere")
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--nprocs", "1"]) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1].endswith("(exit code 1)")
    assert "Traceback" not in told
    assert list((tmp_path / "out").rglob("*good*_dseg.nii.gz"))
    page = (tmp_path / "out" / "sub-01.html").read_text()
    for name in ("contrast-cut", "contrast-empty", "contrast-gone"):
        assert name in told
        assert name in page
    notes = list((tmp_path / "out" / "logs" / "failed").rglob("*.json"))
    assert len(notes) == 3


def test_a_mended_map_loses_its_note_of_failure(tmp_path):
    trees.describe(tmp_path / "in")
    path = tmp_path / "in" / "sub-01" / "sub-01_contrast-a_stat-t_statmap.nii.gz"
    trees.write_map(path)
    words = (tmp_path / "in", tmp_path / "out", "participant", "--threshold", "p=0.001")
    assert run(*words) == 1
    (note,) = (tmp_path / "out" / "logs" / "failed").rglob("*.json")
    assert "--dof" in json.loads(note.read_text())["Hint"]
    assert run(*words, "--dof", "20") == 0
    assert not list((tmp_path / "out" / "logs" / "failed").rglob("*.json"))


def test_values_come_from_the_sibling_map(tmp_path):
    trees.describe(tmp_path / "in")
    folder = tmp_path / "in" / "sub-01"
    data = np.zeros((8, 8, 8), np.float32)
    data[1:4, 1:4, 1:4], data[2, 2, 2] = 5, 6
    trees.write_map(folder / "sub-01_contrast-a_stat-z_statmap.nii.gz", data)
    trees.write_map(folder / "sub-01_contrast-a_stat-effect_statmap.nii.gz", data * 10 + 1)
    words = (tmp_path / "in", tmp_path / "out", "participant", "--min-region-voxels", "1")
    assert run(*words, "--values-from", "stat=effect") == 0
    (row,) = table(tmp_path / "out", "thr3p0")
    assert float(row["values_at_peak"]) == 61
    assert float(row["values_mean"]) == pytest.approx((26 * 51 + 61) / 27)
    assert run(*words, "--values-from", "stat=variance") == 1


def test_names_are_escaped_and_forge_no_line(tmp_path, capsys):
    trees.describe(tmp_path / "in", Name="<script>alert(1)</script>")
    bad = tmp_path / "in" / "sub-01" / 'sub-01_contrast-a<script>"\nok_stat-z_statmap.nii.gz'
    trees.write_map(bad)
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--nprocs", "1", "-v"]) == 0
    told = capsys.readouterr().err
    assert not any(line.startswith("ok_stat") for line in told.splitlines())
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "<script>alert" not in page
    assert 'contrast-a<script>"' not in page
    assert validate(tmp_path / "out") == []


def test_an_unreadable_description_is_refused_or_passed_over_as_asked(tmp_path, capsys):
    trees.describe(tmp_path / "in")
    (tmp_path / "in" / "dataset_description.json").write_text("{")
    trees.write_map(tmp_path / "in" / "sub-01" / "sub-01_contrast-a_stat-z_statmap.nii.gz")
    assert run(tmp_path / "in", tmp_path / "out", "participant") == 16
    assert "not valid JSON" in capsys.readouterr().err
    assert run(tmp_path / "in", tmp_path / "out", "participant", "--skip_bids_validator") == 0
