"""CIFTI files through the command: dscalar and dtseries, as FitLins and HCP name them; what space they lie in."""

import nibabel as nib
import numpy as np
import pytest
import trees
from scipy import ndimage
from surface_bytes import cifti, cifti_xml, put
from surface_trees import fslr, methods_of, record, run, table

from bids_regions.tables import rows_of


def check_voxels(found, data, axis):
    """Scipy's components within each structure are ours."""
    for name, part, model in axis.iter_structures():
        if "THALAMUS" in name:
            own, numbers = np.zeros((6, 6, 6)), np.zeros((6, 6, 6), int)
            own[tuple(model.voxel.T)] = data[part]
            numbers[tuple(model.voxel.T)] = found[part]
            for sign in (1, -1):
                expected, n = ndimage.label(sign * own >= 5)
                for k in range(1, n + 1):
                    assert len(np.unique(numbers[expected == k])) == 1
                assert len(np.unique(numbers[sign * own >= 5])) == n


def test_a_dscalar_as_fitlins_names_it(tmp_path):
    trees.describe(tmp_path / "in")
    folder = tmp_path / "in" / "node-run" / "sub-01"
    folder.mkdir(parents=True)
    put(folder / "sub-01_task-x_space-fsLR_contrast-a_stat-z_statmap.dscalar.nii", fslr())
    put(folder / "sub-01_task-x_space-fsLR_contrast-a_stat-effect_statmap.dscalar.nii", fslr())
    out = tmp_path / "out"
    words = ("--threshold", 5, "--min-region-area", 20, "--min-region-voxels", 1, "--values-from", "stat=effect")
    assert run(tmp_path / "in", out, *words) == 0
    rows = table(out)
    assert {row["structure"] for row in rows} == {"CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT", "THALAMUS_RIGHT"}
    (path,) = out.rglob("*_dseg.dlabel.nii")
    assert path.parent == out / "sub-01"
    assert path.name.startswith("sub-01_task-x_space-fsLR_seg-node+run+contrast+a+stat+z_desc-")
    image = nib.load(path)
    found, axis = np.asarray(image.dataobj)[0], image.header.get_axis(1)
    data = np.asarray(nib.load(next(folder.glob("*stat-z*"))).dataobj)[0]
    check_voxels(found, data, axis)
    for row in rows:
        inside = found == int(row["index"])
        assert int(row["n_vertices"] if "CORTEX" in row["structure"] else row["n_voxels"]) == inside.sum()
        assert float(row["values_mean"]) == pytest.approx(float(data[inside].mean()), rel=1e-5)
        if row["n_voxels"] != "n/a":
            assert float(row["volume_mm3"]) == 8 * inside.sum()
            assert (row["area_mm2"], row["peak_vertex"]) == ("n/a", "n/a")
        else:
            assert float(row["area_mm2"]) >= 20


def test_hcp_files_put_into_bids_names(tmp_path):
    trees.describe(tmp_path / "in")
    folder = tmp_path / "in" / "sub-100307"
    folder.mkdir()
    stem = "sub-100307_task-MOTOR_space-fsLR_den-91k_contrast-{}_stat-z_statmap"
    series = cifti_xml(names="", kind="SERIES")
    put(folder / (stem.format("cope1") + ".dtseries.nii"), fslr(intent_code=3002))
    put(folder / (stem.format("T") + ".dscalar.nii"), fslr(order=("R", "L")))
    put(folder / (stem.format("merged") + ".dscalar.nii"), cifti(np.ones((3, 5), np.float32), series))
    out = tmp_path / "out"
    assert run(tmp_path / "in", out, "--threshold", 5, "--min-region-area", 20) == 0
    first, second = (rows_of(path.read_text()) for path in sorted(out.rglob("*_dseg.tsv")))
    assert first == second  # the order of brain models changes nothing
    assert "holds 3 maps" in (out / "sub-100307.html").read_text()


def test_the_very_vertices_of_fslrs_cortex_tell_the_space(tmp_path):
    trees.describe(tmp_path / "in")
    (tmp_path / "in" / "sub-01").mkdir()
    put(tmp_path / "in" / "sub-01" / "sub-01_stat-z_statmap.dscalar.nii", fslr())
    assert run(tmp_path / "in", tmp_path / "out", "--threshold", "97%") == 0
    said = record(tmp_path / "out")
    assert said["Surfaces"]["CORTEX_LEFT"]["Mesh"].startswith("fsLR triangles")
    assert said["Threshold"]["Population"] == "every grayordinate of the image"


def test_the_methods_of_a_run_over_volumes_and_cifti_tell_both(tmp_path):
    source = trees.describe(tmp_path / "in")
    trees.write_map(source / "sub-01" / "func" / "sub-01_task-x_space-MNI152NLin6Asym_contrast-a_stat-z_statmap.nii.gz")
    put(source / "sub-01" / "sub-01_task-y_space-fsLR_contrast-a_stat-z_statmap.dscalar.nii", fslr())
    assert run(source, tmp_path / "out") == 0
    told = [line for line in methods_of(tmp_path / "out").splitlines() if line.startswith("Entry thr3p0")]
    assert len(told) == 2
    assert "6-connectivity (shared faces); those of at least 1500 mm3" in told[0]
    assert "holding grayordinates of one sign" in told[1]
    assert "at least 100 mm2 on the cortex, or 200 mm3 in voxels were kept" in told[1]
    assert "The vertices and voxels are those that the files name." in told[1]
