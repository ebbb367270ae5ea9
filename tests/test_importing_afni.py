"""The way in from AFNI: sub-bricks, either file, several coefficients, broken headers."""

import nibabel as nib
import numpy as np
import pytest
from foreign_trees import afni, images, run, sidecar, stored
from trees import AFFINE, make_data

__all__ = ["run"]  # fixture


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
