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


@pytest.mark.parametrize("number", ["NaN", "inf", "-inf", "1e400"])
def test_no_number_of_afni_s_statistics_ends_in_a_traceback(tmp_path, run, number):
    """Each number of BRICK_STATAUX in turn: the sub-brick, the code, how many follow, and these."""
    path = afni(tmp_path / "stats.FT+tlrc", [("vis#0_Coef", 0, ()), ("vis#0_Tstat", 3, (98,))])
    head = path.with_name(path.name + ".HEAD")
    whole = head.read_text()
    before, after = whole.rsplit("count = 4\n", 1)
    *values, rest = after.split(None, 4) if len(after.split()) > 4 else [*after.split(), ""]
    for at in range(4):
        head.write_text(f"{before}count = 4\n {' '.join([*values[:at], number, *values[at + 1 :]])}\n{rest}")
        code, said = run(path)
        if at < 3:
            assert code == 66
            assert f"{head} cannot be read: DATASET_RANK or BRICK_STATAUX is damaged: cannot convert" in said
        else:
            assert code == 0
            assert "DegreesOfFreedom" not in sidecar(tmp_path / "out", "stat-t")
    head.write_text(whole.replace(" 3 2 0", f" 3 {number} 0", 1))
    assert run(path)[0] == 66


def test_a_header_that_a_library_tells_whole_leaves_the_last_line_its_exit_code(tmp_path, run):
    path = afni(tmp_path / "stats.FT+tlrc")
    head = path.with_name(path.name + ".HEAD")
    head.write_text(head.read_text().replace("type = string-attribute", "type = st" + 9000 * "9", 1))
    code, said = run(path)
    assert code == 66
    assert said.rstrip().endswith(" Give a whole image with its header. (exit code 66)")
    assert max(map(len, said.splitlines())) < 5000


def test_an_afni_dataset_whose_matrix_places_no_voxel_has_its_sentence(tmp_path, run):
    path = afni(tmp_path / "stats.FT+tlrc")
    head = path.with_name(path.name + ".HEAD")
    before, after = head.read_text().split("name = IJK_TO_DICOM_REAL\ncount = 12\n", 1)
    rest = after.partition("\n")[2]
    head.write_text(f"{before}name = IJK_TO_DICOM_REAL\ncount = 12\n {' '.join(['0'] * 12)}\n{rest}")
    code, said = run(path)
    assert code == 66
    assert f"{head} cannot be read: its matrix places no voxel in mm" in said
