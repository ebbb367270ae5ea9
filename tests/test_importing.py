"""The way in: the page's commands, names, links, labels and refusals, whatever the program."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from foreign_trees import FEAT_NAMES, afni, feat, gfeat, images, randomise, run, sidecar, spm
from trees import describe, make_data, touch, write_map
from validator import validate

from bids_regions.cli import main as run_app
from bids_regions.importing.cli import main
from bids_regions.tables import rows_of

__all__ = ["run"]  # fixture


# the page of the documentation

PAGE = (Path(__file__).parent.parent / "docs" / "from-fsl-and-spm.md").read_text()


COMMANDS = [
    line.split()
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("bids_regions") and "SOURCE" not in line
]


def test_the_commands_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    feat(tmp_path / "motor.feat")
    gfeat(tmp_path / "all.gfeat")
    spm(tmp_path / "glm" / "spm")
    afni(tmp_path / "subject" / "stats.FT+tlrc")
    (tmp_path / "permutations").mkdir()
    randomise(tmp_path / "permutations" / "one")
    for program, *arguments in COMMANDS:
        run_it = main if program == "bids_regions-import" else run_app
        assert (arguments, run_it(arguments)) == (arguments, 0)
    assert len(COMMANDS) > 9
    (fwe,) = (tmp_path / "fsl-regions").rglob("*toneCounting+stat+z_desc-fwe0p05_dseg.json")
    resels = 960 // 80  # of stats/smoothness
    cutoff = json.loads(fwe.read_text())["Threshold"]["Cutoff"]
    assert resels * 0.11694 * (cutoff**2 - 1) * np.exp(-(cutoff**2) / 2) == pytest.approx(0.05, rel=5e-3)
    (rft,) = (tmp_path / "spm-regions").rglob("*toneCounting+stat+t_desc-p0p001_dseg.json")
    record = json.loads(rft.read_text())
    assert record["FieldTheory"]["FWHM"] == record["Smoothness"]["FWHM"] == [10, 9, 8]
    assert record["FieldTheory"]["SearchVolume"] == 960
    head, *rows = rft.with_suffix(".tsv").read_text().splitlines()
    assert "p_cluster_unc\tq_cluster\tp_peak\tq_peak" in head
    assert rows
    assert "n/a" not in rows[0].split("\t")[-4:]
    (corrected,) = (tmp_path / "perm-regions").rglob("*stat+tfceCorrp_desc-p0p05_dseg.tsv")
    (peak, *_) = rows_of(corrected.read_text())
    at = tuple(int(peak[f"peak_{axis}"]) for axis in "ijk")
    assert float(peak["peak_value"]) == pytest.approx(float(make_data("one_tstat1.nii.gz")[at]))
    assert len(list((tmp_path / "spm-regions").rglob("*allEffects+stat+F_desc-p0p001_dseg.tsv"))) == 1


# names, links, refusals


def test_names_that_clash_are_told_apart(tmp_path, run):
    one, two = feat(tmp_path / "one.feat", ("face", "Face", "--")), feat(tmp_path / "two.feat", ("face",))
    code, said = run(one, two)
    assert code == 0
    names = set(images(tmp_path / "out"))
    assert "sub-07_task-tones_space-func_name-one_contrast-Face2_stat-z_statmap" in names
    assert "sub-07_task-tones_space-func_name-one_contrast-3_stat-z_statmap" in names
    assert "sub-07_task-tones_space-func_name-two_contrast-face_stat-z_statmap" in names
    assert "sub-07_task-tones_space-func_name-two_desc-brain_mask" in names
    assert "contrast 2 'Face' is named Face2" in said
    assert "two.feat: its images are told from others of the same names by name-two" in said


def test_names_that_clash_all_the_same_are_refused_before_anything_is_written(tmp_path, run):
    one, two = feat(tmp_path / "a" / "x.feat"), feat(tmp_path / "b" / "x.feat")
    code, said = run(one, two)
    assert code == 64
    assert f"{one} and {two} would both be written under the same names" in said
    assert not (tmp_path / "out").exists()
    assert run(one, two, "--participant-label", "01", "02")[0] == 0


def test_a_second_import_adds_and_never_replaces_what_came_from_elsewhere(tmp_path, run):
    one, two = feat(tmp_path / "a" / "x.feat"), feat(tmp_path / "b" / "x.feat")
    assert run(one)[0] == 0
    before = {path: path.lstat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    assert run(one)[0] == 0
    assert before == {path: path.lstat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    code, said = run(two)
    assert code == 64
    assert "is there already, from ../a/x.feat/" in said
    assert run(two, "--participant-label", "08")[0] == 0
    assert len(images(tmp_path / "out")) == 2 * len(FEAT_NAMES)


def test_a_second_import_knows_the_names_of_the_first(tmp_path, run):
    one, two = feat(tmp_path / "one.feat"), feat(tmp_path / "two.feat")
    for calls in [((one, two), (two,), (two, one)), ((one,), (one, two), (one,), (two,))]:
        for sources in calls:
            assert run(*sources, out=f"out{len(calls)}")[0] == 0
        assert len(images(tmp_path / f"out{len(calls)}")) == 2 * len(FEAT_NAMES)


@pytest.mark.parametrize("space", ["", "MNI152NLin6Asym"])
def test_a_mask_tells_its_reference_where_bids_knows_no_space_of_its_name(tmp_path, run, space):
    assert run(feat(tmp_path / "tones.feat"), *(["--space", space] if space else []))[0] == 0
    reference = sidecar(tmp_path / "out", "_mask").get("SpatialReference")
    stem = "sub-07/func/sub-07_task-tones_space-func_contrast-facesGtHouses_stat"
    assert reference == (None if space else f"bids::{stem}-effect_statmap.nii.gz")
    if reference:
        assert (tmp_path / "out" / reference.removeprefix("bids::")).is_file()
    assert validate(tmp_path / "out") == []


def test_masks_of_names_that_bids_does_not_know_are_no_error(tmp_path, run):
    assert run(gfeat(tmp_path / "all.gfeat"), "--participant-label", "09")[0] == 0
    assert run(feat(tmp_path / "one.feat"), feat(tmp_path / "two.feat"))[0] == 0
    names = sorted(name for name in images(tmp_path / "out") if name.endswith("_mask"))
    assert [re.sub(r"^.*Asym_|^.*func_|-.*", "", name) for name in names] == ["name", "name", *["taskcontrast"] * 2]
    assert validate(tmp_path / "out") == []


def test_copies_are_made_where_they_are_asked_for(tmp_path, run):
    folder = feat(tmp_path / "tones.feat")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    code, said = run(folder, "--copy")
    assert code == 0
    assert not any(path.is_symlink() for path in images(tmp_path / "out").values())
    assert "were copied" not in said
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def test_links_end_where_no_folder_but_the_root_holds_both(tmp_path, run, monkeypatch):
    monkeypatch.setattr(os.path, "commonpath", lambda _: os.sep)
    code, said = run(feat(tmp_path / "tones.feat"))
    assert code == 0
    assert not any(path.is_symlink() for path in images(tmp_path / "out").values())
    assert "10 images were copied: no folder but / holds both" in said


def test_a_linked_dataset_holds_when_its_folder_is_reached_by_a_link(tmp_path, run):
    folder = feat(tmp_path / "deep" / "er" / "tones.feat")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "elsewhere")
    assert run(folder, out="way/out")[0] == 0
    assert all(path.stat().st_size for path in images(tmp_path / "elsewhere" / "out").values())


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda root: root / "nothing.feat", 66, "is not there. Give a FEAT or gfeat folder"),
        (lambda root: describe(root / "bids"), 66, "is a folder of none of the kinds"),
        (
            lambda root: feat(root / "study" / "a.feat").parent,
            66,
            "none of the kinds that can be imported. It holds a.f",
        ),
        (lambda root: touch(root / "no" / "spmT_0001.nii").parent, 66, "has images of SPM and no SPM.mat. Give the"),
        (lambda root: touch(root / "notes.txt"), 66, "is nothing that can be imported"),
        (lambda root: touch(root / "half.feat" / "design.con").parent, 66, "without statistical images in stats/"),
        (lambda root: touch(root / "half.gfeat" / "design.fsf").parent, 66, "holds no cope1.feat"),
        (lambda root: feat(root / "who.feat", source="/data/bold"), 64, "does not tell which one. Give --participant"),
    ],
)
def test_what_cannot_be_imported_has_its_sentence(tmp_path, run, make, code, words):
    found, said = run(make(tmp_path))
    assert found == code
    assert words in said
    assert said.rstrip().endswith(f"(exit code {code})")
    assert not (tmp_path / "out").exists()


def test_one_bad_source_of_several_fails_alone(tmp_path, run):
    code, said = run(feat(tmp_path / "tones.feat"), tmp_path / "nothing.feat")
    assert code == 1
    assert "nothing.feat is not there" in said
    assert "1 of 2 sources failed (exit code 1)" in said
    assert set(images(tmp_path / "out")) == FEAT_NAMES


def test_the_dataset_may_be_no_part_of_a_source_and_no_dataset_of_others(tmp_path, run):
    folder = feat(tmp_path / "tones.feat")
    assert run(folder, out="tones.feat/out")[0] == 64
    write_map(tmp_path / "full" / "a.nii.gz")
    code, said = run(folder, out="full")
    assert code == 73
    assert "holds something else than an import" in said
    touch(tmp_path / "file")
    assert run(folder, out="file/out")[0] == 73


def test_one_label_is_not_that_of_a_group_among_the_sources(tmp_path, run):
    sources = feat(tmp_path / "a.feat"), gfeat(tmp_path / "all.gfeat")
    assert run(*sources, "--participant-label", "09")[0] == 0
    folders = {path.relative_to(tmp_path / "out").parts[0] for path in images(tmp_path / "out").values()}
    assert folders == {"sub-09", "group"}
    assert run(sources[1], "--participant-label", "09", out="own")[0] == 0
    assert {path.relative_to(tmp_path / "own").parts[0] for path in images(tmp_path / "own").values()} == {"sub-09"}


def test_labels_are_one_for_all_or_one_for_each(tmp_path, run, capsys):
    code, said = run(feat(tmp_path / "a.feat"), "--participant-label", "1", "2", "3")
    assert code == 64
    assert "3 participants for 1 sources" in said
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "a.feat"), "out", "--space", "no space"])
    assert ended.value.code == 2
    assert "is no BIDS label" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--participant-label", "05", "a.feat", "new"),
        ("--participant-label", "sub-05", "--", "a.feat", "new"),
        ("a.feat", "--participant-label", "05", "new"),
        ("a.feat", "new", "--participant-label", "05"),
        ("--participant-label", "05", "--task", "x", "a.feat", "new"),
        ("--participant-label", "05", "afolder", "new"),
    ],
)
def test_a_dataset_that_is_yet_to_be_made_is_no_participant(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    feat(tmp_path / "a.feat", source="/data/bold")
    (tmp_path / "afolder").symlink_to("a.feat")
    assert main(list(words)) == 0
    assert {path.relative_to(tmp_path / "new").parts[0] for path in images(tmp_path / "new").values()} == {"sub-05"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--participant-label", "a b", "a.feat", "new"), "--participant-label: 'a b' is no BIDS label"),
        (("--task", "a b", "a.feat", "new"), "--task: 'a b' is no BIDS label"),
        (("a.feat", "new", "--bogus"), "unrecognized arguments: --bogus. bids_regions-import --help lists all"),
        (("a.feat",), "a SOURCE and the DATASET are needed"),
        (("--participant-label", "05"), "a SOURCE and the DATASET are needed"),
    ],
)
def test_a_bad_value_is_answered_by_a_sentence(words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert line.endswith("(exit code 2)")


def test_nothing_asked_prints_the_help_and_the_module_runs(tmp_path):
    assert main([]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "bids_regions.importing", str(feat(tmp_path / "a.feat")), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert set(images(tmp_path / "out")) == FEAT_NAMES


def test_the_command_is_installed():
    declared = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = declared["bids_regions-import"].partition(":")
    assert callable(getattr(import_module(module), name))


def test_help_pays_for_no_library(tmp_path):
    code = (
        "import sys\nfrom bids_regions.importing.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'scipy', 'nibabel'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
