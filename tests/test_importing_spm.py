"""The way in from SPM: first and second levels, smoothness, old images, designs that cannot be read."""

import os
import re
import signal

import nibabel as nib
import numpy as np
import pytest
from foreign_trees import images, run, sidecar, spm, stored
from scipy import io
from trees import AFFINE

__all__ = ["run"]  # fixture


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


def test_numbers_of_a_design_that_are_none_are_no_fault(tmp_path, run):
    folder = spm(tmp_path / "spm", [("a", "F")])
    design = io.loadmat(folder / "SPM.mat", struct_as_record=False, squeeze_me=True)["SPM"]
    design.xX.erdf, design.xVol.FWHM = "many", np.array([1.0, 2.0])
    io.savemat(folder / "SPM.mat", {"SPM": design})
    code, said = run(folder)
    assert code == 0
    assert "does not tell the smoothness" in said
    assert not {"DegreesOfFreedom", "Smoothness"} & set(sidecar(tmp_path / "out", "stat-F"))


def test_a_file_that_ends_scipy_s_reader_ends_no_import(tmp_path, run, monkeypatch):
    """Some damage makes it look where it may not, and the system ends it by a signal."""
    folder = spm(tmp_path / "spm")
    monkeypatch.setattr(io, "loadmat", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    code, said = run(folder)
    assert code == 66
    assert f"{folder / 'SPM.mat'} cannot be read: it ends its reader. Give a whole SPM.mat" in said
