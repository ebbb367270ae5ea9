"""The way in: folders of FSL, SPM, randomise, PALM and AFNI, generated: their names, facts, links and refusals."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from foreign_trees import afni, feat, gfeat, palm, randomise, spm, stored
from scipy import io
from trees import AFFINE, describe, make_data, touch, write_map

from bids_regions.cli import main as run_app
from bids_regions.extraction.statistics import kind_of_word
from bids_regions.importing.cli import main
from bids_regions.importing.permutation import _of_palm, _of_randomise
from bids_regions.tables import rows_of

FEAT_NAMES = {
    f"sub-07_task-tones_space-func_contrast-{contrast}_stat-{stat}_statmap"
    for contrast in ("facesGtHouses", "toneCounting")
    for stat in ("z", "t", "effect", "variance")
} | {"sub-07_task-tones_space-func_contrast-F1_stat-F_statmap", "sub-07_task-tones_space-func_desc-brain_mask"}


@pytest.fixture
def run(tmp_path, capsys):
    """Import into tmp_path / "out" and look: exit code and what was said."""

    def imported(*arguments, out="out"):
        code = main([*map(str, arguments), str(tmp_path / out)])
        return code, capsys.readouterr().err

    return imported


def images(root):
    return {path.name.partition(".")[0]: path for path in sorted(root.rglob("*.nii*"))}


def sidecar(root, part):
    (path,) = [path for path in root.rglob("*.json") if part in path.name]
    return json.loads(path.read_text())


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


# FSL


def test_a_first_level_of_feat(tmp_path, run):
    code, said = run(feat(tmp_path / "tones.feat"))
    found = images(tmp_path / "out")
    assert code == 0
    assert said.splitlines()[-1].endswith("9 maps of 1 source are in " + str(tmp_path / "out") + " (exit code 0)")
    assert set(found) == FEAT_NAMES
    z = found["sub-07_task-tones_space-func_contrast-facesGtHouses_stat-z_statmap"]
    assert z.parent == tmp_path / "out" / "sub-07" / "func"
    assert z.readlink() == Path("../../../tones.feat/stats/zstat1.nii.gz")
    np.testing.assert_array_equal(stored(z), make_data("zstat1.nii.gz"))
    t = sidecar(tmp_path / "out", "facesGtHouses_stat-t")
    assert t["Smoothness"] == {"dlh": 0.0577, "Volume": 960, "VoxelsPerResel": 80}
    assert (t["DegreesOfFreedom"], t["ContrastName"]) == (102, "faces > houses")
    assert sidecar(tmp_path / "out", "stat-F")["DegreesOfFreedom"] == [2, 102]
    assert "zfstat1.nii.gz" in said


def test_space_participant_and_task_speak_louder_than_the_source(tmp_path, run):
    folder = feat(tmp_path / "tones.feat")
    assert run(folder, "--space", "MNI152NLin6Asym", "--participant-label", "sub-12", "--task", "other")[0] == 0
    assert all(name.startswith("sub-12_task-other_space-MNI152NLin6Asym_") for name in images(tmp_path / "out"))


def test_what_a_feat_folder_lacks_is_named_and_left_out(tmp_path, run):
    folder = feat(tmp_path / "tones.feat")
    for name in ("mask.nii.gz", "design.con", "design.fts", "stats/dof", "stats/smoothness", "stats/tstat2.nii.gz"):
        (folder / name).unlink()
    (folder / "stats" / "cope1.nii.gz").unlink()
    (folder / "stats" / "cope1.nii.gz").symlink_to("nowhere.nii.gz")
    code, said = run(folder)
    assert code == 0
    assert all(f"no {word}" in said for word in ("stats/smoothness", "stats/dof", "design.con", "mask.nii.gz"))
    names = {name.partition("contrast-")[2] for name in images(tmp_path / "out")}
    assert names == {
        "1_stat-t_statmap", "1_stat-z_statmap", "1_stat-variance_statmap", "2_stat-z_statmap", "2_stat-effect_statmap",
        "2_stat-variance_statmap", "F1_stat-F_statmap",
    }  # fmt: skip
    assert "DegreesOfFreedom" not in sidecar(tmp_path / "out", "stat-F")


def test_names_may_stand_in_design_fsf_and_the_fwhm_in_newer_smoothness(tmp_path, run):
    folder = feat(tmp_path / "tones.feat")
    (folder / "design.con").unlink()
    with (folder / "design.fsf").open("a") as design:
        design.write('set fmri(conname_real.1) "left hand"\n')
    (folder / "stats" / "smoothness").write_text(
        "DLH 0.0577\nVOLUME 960\nRESELS 80\nFWHMvoxel 4.5 4.25 4.183\nFWHMmm 18 17 16.732\n"
    )
    assert run(folder)[0] == 0
    told = sidecar(tmp_path / "out", "leftHand_stat-z")
    assert told["Smoothness"] == {"dlh": 0.0577, "Volume": 960, "VoxelsPerResel": 80, "FWHM": [18, 17, 16.732]}


def test_a_group_of_feat_has_both_contrasts_and_degrees_of_freedom_by_voxel(tmp_path, run):
    code, _ = run(gfeat(tmp_path / "all.gfeat"))
    found = images(tmp_path / "out")
    assert code == 0
    assert all(path.parent == tmp_path / "out" / "group" for path in found.values())
    stem = "space-MNI152NLin6Asym_taskcontrast-{}_contrast-groupMean_stat-{}_statmap"
    assert {stem.format(lower, stat) for lower in ("facesGtHouses", "toneCounting") for stat in "zt"} <= set(found)
    assert stem.format("toneCounting", "dof") in found
    assert "space-MNI152NLin6Asym_taskcontrast-toneCounting_desc-brain_mask" in found
    assert "DegreesOfFreedom" not in sidecar(tmp_path / "out", "taskcontrast-toneCounting_contrast-groupMean_stat-t")
    assert sidecar(tmp_path / "out", "taskcontrast-toneCounting_contrast-F1")["DegreesOfFreedom"] == [2, 102]


def test_a_group_of_one_participants_runs_is_that_participants(tmp_path, run):
    folder = gfeat(tmp_path / "all.gfeat", sources="/data/sub-05/run-{}.feat")
    assert run(folder)[0] == 0
    assert all(name.startswith("sub-05_space-") for name in images(tmp_path / "out"))


def test_a_half_group_is_told_and_the_rest_is_taken(tmp_path, run):
    folder = gfeat(tmp_path / "all.gfeat")
    shutil.rmtree(folder / "cope2.feat" / "stats")
    (folder / "cope1.feat" / "design.lev").write_text("\n")
    code, said = run(folder)
    assert code == 0
    assert "cope2.feat is a FEAT folder without statistical images" in said
    assert any("taskcontrast-cope1" in name for name in images(tmp_path / "out"))


def test_randomise_is_taken_by_its_prefix_with_the_scale_of_its_p(tmp_path, run):
    code, said = run(randomise(tmp_path / "one"), "--space", "MNI152NLin6Asym")
    found = images(tmp_path / "out")
    assert code == 0
    stats = ("1_stat-t", "2_stat-t", "F1_stat-F", "1_stat-corrp", "1_stat-tfceCorrp", "1_stat-clustereCorrp")
    assert set(found) == {f"space-MNI152NLin6Asym_name-one_contrast-{stat}_statmap" for stat in stats}
    assert sidecar(tmp_path / "out", "stat-tfceCorrp")["PScale"] == "1-p"
    assert "PScale" not in sidecar(tmp_path / "out", "1_stat-t_")
    assert "degrees of freedom: give --dof" in said


def test_every_word_of_a_permutation_is_one_of_p():
    overs = ("vox", "tfce", "clustere", "clusterm")
    words = {_of_randomise(f"{over}_{p}_tstat1")[1] for over in overs for p in ("p", "corrp")}
    for p in ("uncp", "fwep", "fdrp", "cfwep", "cfdrp", "mfwep", "mfdrp", "mcfwep", "mcfdrp"):
        words |= {_of_palm(f"{over}_tstat_{p}_c1", Path("x"), "p")[1] for over in ("dpv", *overs)}
    assert [word for word in words if not (kind_of_word(word) and kind_of_word(word).is_p)] == []
    assert {"corrp", "tfceCorrp", "fwep", "uncp"} <= words


@pytest.mark.parametrize(("options", "scale"), [("-n 500", "p"), ("-n 500 -save1-p", "1-p"), ("-n 500 -logp", "log10")])
def test_the_scale_of_palm_is_that_of_its_record(tmp_path, run, options, scale):
    assert run(palm(tmp_path / "palm", options))[0] == 0
    assert sidecar(tmp_path / "out", "stat-fwep")["PScale"] == scale
    assert sidecar(tmp_path / "out", "stat-tfceFwep")["PScale"] == scale
    assert len(images(tmp_path / "out")) == 4  # the enhanced statistic is no t


def test_the_scale_of_palm_is_asked_for_where_nothing_tells_it(tmp_path, run):
    prefix = palm(tmp_path / "palm", None)
    code, said = run(prefix)
    assert code == 64
    assert "whether PALM wrote p, 1 - p or -log10 p is not told. Give --p-scale" in said
    assert not (tmp_path / "out").exists()
    assert run(prefix, "--p-scale", "1-p")[0] == 0
    assert sidecar(tmp_path / "out", "stat-uncp")["PScale"] == "1-p"


# SPM


def test_a_first_level_of_spm(tmp_path, run):
    code, said = run(spm(tmp_path / "glm" / "spm"))
    found = images(tmp_path / "out")
    assert code == 0
    assert set(found) == {
        "sub-03_task-tones_contrast-toneCounting_stat-t_statmap",
        "sub-03_task-tones_contrast-toneCounting_stat-effect_statmap",
        "sub-03_task-tones_contrast-allEffects_stat-F_statmap",
        "sub-03_task-tones_desc-brain_mask",
    }
    t, f = sidecar(tmp_path / "out", "stat-t"), sidecar(tmp_path / "out", "stat-F")
    assert t["DegreesOfFreedom"] == pytest.approx(98, abs=1e-3)
    assert f["DegreesOfFreedom"] == pytest.approx([2, 98], abs=1e-3)
    assert t["Smoothness"] == {"FWHM": [10, 9, 8], "Volume": 960}  # mm: 2.5, 2.25 and 2 voxels of 4
    assert "the space is not told by" in said


def test_the_smoothness_of_permuted_axes_is_that_along_x_y_z(tmp_path, run):
    folder = spm(tmp_path / "spm")
    design = io.loadmat(folder / "SPM.mat", struct_as_record=False, squeeze_me=True)["SPM"]
    design.xVol.M = np.array([[0, 2.0, 0, 0], [-3.0, 0, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])
    io.savemat(folder / "SPM.mat", {"SPM": design})
    assert run(folder / "SPM.mat")[0] == 0
    assert sidecar(tmp_path / "out", "stat-t")["Smoothness"]["FWHM"] == [4.5, 7.5, 8]


def test_a_second_level_of_spm_belongs_to_nobody(tmp_path, run):
    scans = [f"/data/sub-0{n}/con_0001.nii,1" for n in (1, 2, 3)]
    assert run(spm(tmp_path / "spm", scans=scans, first_level=False), "--space", "IXI549Space")[0] == 0
    assert set(images(tmp_path / "out")) == {
        "space-IXI549Space_contrast-toneCounting_stat-t_statmap",
        "space-IXI549Space_contrast-toneCounting_stat-effect_statmap",
        "space-IXI549Space_contrast-allEffects_stat-F_statmap",
        "space-IXI549Space_desc-brain_mask",
    }


def test_what_an_spm_folder_lacks_is_named_and_left_out(tmp_path, run):
    folder = spm(tmp_path / "spm", [("a", "T"), ("b", "T"), ("c", "P")])
    for name in ("spmT_0002.nii", "con_0002.nii", "mask.nii"):
        (folder / name).unlink()
    code, said = run(folder)
    assert code == 0
    assert len(images(tmp_path / "out")) == 2
    for told in ("no spmT_0002.nii", "no con_0002.nii", "no mask.nii", "contrast 3 is left out: it is neither T nor F"):
        assert told in said


def test_images_of_old_spm_are_written_as_nifti(tmp_path, run):
    folder = spm(tmp_path / "spm", [("a", "T")])
    data = stored(folder / "spmT_0001.nii")
    (folder / "spmT_0001.nii").unlink()
    nib.save(nib.Nifti1Pair(data, AFFINE), folder / "spmT_0001.img")
    design = io.loadmat(folder / "SPM.mat", struct_as_record=False, squeeze_me=True)["SPM"]
    design.xCon.Vspm.fname = "spmT_0001.img"
    io.savemat(folder / "SPM.mat", {"SPM": design})
    assert run(folder)[0] == 0
    (image,) = [path for name, path in images(tmp_path / "out").items() if "stat-t" in name]
    assert not image.is_symlink()
    np.testing.assert_array_equal(stored(image), data)
    np.testing.assert_array_equal(nib.load(image).affine, AFFINE)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b" " * 8 + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" * 9,
         r"is a MATLAB v7.3 file, which cannot be read. Load it in MATLAB and save it again"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), r"is a MATLAB v7.3 file"),
        (b"no matrices at all", r"SPM.mat cannot be read: .* Give a whole SPM.mat"),
        (b"", r"SPM.mat cannot be read"),
    ],
)  # fmt: skip
def test_an_unreadable_design_has_its_sentence(tmp_path, run, content, words):
    folder = spm(tmp_path / "spm")
    (folder / "SPM.mat").write_bytes(content)
    code, said = run(folder)
    assert code == 66
    assert re.search(words, said)


def test_a_design_without_contrasts_or_images_has_its_sentence(tmp_path, run):
    folder = spm(tmp_path / "spm", [])
    assert (run(folder)[0], "holds no contrast" in run(folder)[1]) == (66, True)
    other = spm(tmp_path / "other", [("a", "T")])
    (other / "spmT_0001.nii").unlink()
    assert "holds no image of its contrasts" in run(other)[1]
    io.savemat(other / "SPM.mat", {"SPM": 3})
    assert "holds no design named SPM" in run(other)[1]


# AFNI


def test_the_sub_bricks_of_afni(tmp_path, run):
    path = afni(tmp_path / "stats.FT+tlrc")
    afni(tmp_path / "full_mask.FT+tlrc", [("mask", 0, ())])
    code, said = run(path)
    found = images(tmp_path / "out")
    assert code == 0
    names = {name.removeprefix("sub-FT_space-Talairach_") for name in found}
    assert names == {
        "contrast-Full_stat-F_statmap", "contrast-vis_stat-effect_statmap", "contrast-vis_stat-t_statmap",
        "contrast-VMinusA_stat-effect_statmap", "contrast-VMinusA_stat-t_statmap", "desc-brain_mask",
    }  # fmt: skip
    image = found["sub-FT_space-Talairach_contrast-VMinusA_stat-t_statmap"]
    np.testing.assert_allclose(stored(image), make_data("V-A_GLT#0_Tstat"), atol=2e-4)
    np.testing.assert_array_equal(nib.load(image).affine, AFFINE)
    assert sidecar(tmp_path / "out", "contrast-Full")["DegreesOfFreedom"] == [2, 98]
    assert sidecar(tmp_path / "out", "vis_stat-t")["DegreesOfFreedom"] == 98
    assert "vis_R^2" in said


@pytest.mark.parametrize("ending", [".HEAD", ".BRIK"])
def test_afni_may_be_named_by_either_file(tmp_path, run, ending):
    path = afni(tmp_path / "group+tlrc", [("A_mean", 0, ()), ("A_Zscr", 5, ())], history="3dttest++", space="MNI")
    code, said = run(path.with_name(path.name + ending))
    assert code == 0
    assert set(images(tmp_path / "out")) == {"contrast-A_stat-effect_statmap", "contrast-A_stat-z_statmap"}
    assert "the space is not told" in said


def test_several_coefficients_of_one_contrast_stay_apart(tmp_path, run):
    bricks = [("vis#0_Coef", 0, ()), ("vis#0_Tstat", 3, (98,)), ("vis#1_Coef", 0, ()), ("vis#1_Tstat", 3, (98,))]
    assert run(afni(tmp_path / "stats.FT+orig", bricks, space=""))[0] == 0
    names = {name.partition("contrast-")[2] for name in images(tmp_path / "out")}
    assert len(names) == 4
    assert all(name.startswith("sub-FT_space-orig_") for name in images(tmp_path / "out"))


def test_broken_afni_has_its_sentence(tmp_path, run):
    path = afni(tmp_path / "stats.FT+tlrc")
    (tmp_path / "stats.FT+tlrc.BRIK").unlink()
    assert run(path)[0] == 66
    path = afni(tmp_path / "stats.GT+tlrc")
    (tmp_path / "stats.GT+tlrc.HEAD").write_text("nonsense")
    assert "cannot be read" in run(path)[1]
    (tmp_path / "stats.GT+tlrc.HEAD").unlink()
    assert "has no .HEAD" in run(path)[1]
    assert "no sub-brick that is a statistic" in run(afni(tmp_path / "anat+tlrc", [("T1", 0, ())]))[1]


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


def test_numbers_of_a_design_that_are_none_are_no_fault(tmp_path, run):
    folder = spm(tmp_path / "spm", [("a", "F")])
    design = io.loadmat(folder / "SPM.mat", struct_as_record=False, squeeze_me=True)["SPM"]
    design.xX.erdf, design.xVol.FWHM = "many", np.array([1.0, 2.0])
    io.savemat(folder / "SPM.mat", {"SPM": design})
    code, said = run(folder)
    assert code == 0
    assert "does not tell the smoothness" in said
    assert not {"DegreesOfFreedom", "Smoothness"} & set(sidecar(tmp_path / "out", "stat-F"))
