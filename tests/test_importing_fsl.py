"""The way in from FSL and PALM: first and higher levels of FEAT, randomise, the scale of p."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign_trees import FEAT_NAMES, feat, gfeat, images, palm, randomise, run, sidecar, stored
from trees import make_data

from bids_regions.extraction.statistics import kind_of_word
from bids_regions.importing.permutation import _of_palm, _of_randomise

__all__ = ["run"]  # fixture


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
    lacking = ("mask.nii.gz", "design.con", "design.fts", "stats/dof", "stats/smoothness", "stats/tstat2")
    for name in lacking:
        (folder / (f"{name}.nii.gz" if name == "stats/tstat2" else name)).unlink()
    (folder / "stats" / "cope1.nii.gz").unlink()
    (folder / "stats" / "cope1.nii.gz").symlink_to("nowhere.nii.gz")
    code, said = run(folder)
    assert code == 0
    assert all(name in said for name in (*lacking, "stats/cope1"))
    assert "stats/zstat1" not in said
    names = {name.partition("contrast-")[2] for name in images(tmp_path / "out")}
    assert names == {
        "1_stat-t_statmap", "1_stat-z_statmap", "1_stat-variance_statmap", "2_stat-z_statmap", "2_stat-effect_statmap",
        "2_stat-variance_statmap", "F1_stat-F_statmap",
    }  # fmt: skip
    assert "DegreesOfFreedom" not in sidecar(tmp_path / "out", "stat-F")


def test_every_piece_that_feat_would_have_is_named_by_itself(tmp_path, run):
    whole = feat(tmp_path / "whole.feat")
    assert " no " not in run(whole)[1]
    images_of_feat = [f"stats/{kind}{n}" for kind in ("zstat", "tstat", "cope", "varcope") for n in (1, 2)]
    for piece in ("design.con", "design.fsf", "design.fts", "stats/fstat1", *images_of_feat):
        folder = shutil.copytree(whole, tmp_path / "half.feat")
        (folder / f"{piece}{'.nii.gz' * piece.startswith('stats/')}").unlink()
        code, said = run(folder, "--participant-label", "07", out=f"out/{piece.replace('/', '.')}")
        assert (code, f"half.feat has no {piece}" in said) == (0, True)
        shutil.rmtree(folder)


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
