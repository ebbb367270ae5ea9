"""What maps on surfaces need: meshes, areas, masks, several arrays, sides; what does not fit is refused."""

import json

import nibabel as nib
import numpy as np
import pytest
import trees
from surface_bytes import data_array, gifti, mesh, metadata, put
from surface_trees import SIDE, bumps, labels, plane, planes, put_pair, record, run, table

__all__ = ["planes"]  # fixture


def test_the_participants_own_midthickness_comes_before_what_is_carried(tmp_path, monkeypatch):
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    source, out = tmp_path / "in", tmp_path / "out"
    trees.describe(source, DatasetLinks={"anat": "../fmriprep"})
    put_pair(source / "sub-01", "sub-01_task-x_{hemi}_space-fsnative_contrast-a_stat-z_statmap", L=bumps(1))
    anat = tmp_path / "fmriprep" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    trees.describe(tmp_path / "fmriprep")
    assert run(source, tmp_path / "none") == 1  # nothing is known of this mesh
    put(anat / "sub-01_hemi-L_midthickness.surf.gii", mesh(*plane()))
    put(anat / "._sub-01_hemi-L_midthickness.surf.gii", b"what macOS leaves beside a file")
    put(anat / "sub-01_hemi-L_white.surf.gii", mesh(plane()[0] * 9, plane()[1]))
    inside = np.zeros(SIDE * SIDE, np.float32)
    inside[: SIDE * 6] = 1
    put(anat / "sub-01_hemi-L_desc-cortex_mask.label.gii", gifti(data_array(inside)))
    assert run(source, out, "--min-region-vertices", 1) == 0
    assert record(out)["Surfaces"]["CORTEX_LEFT"] == {
        "Mesh": "sub-01_hemi-L_midthickness.surf.gii", "Areas": "of this surface"
    }  # fmt: skip
    assert record(out)["Mask"]["Source"] == "sub-01_hemi-L_desc-cortex_mask.label.gii"
    assert record(out)["SpatialReference"].endswith("hemi-L_space-fsnative_contrast-a_stat-z_statmap.func.gii")
    assert (labels(out, "L")[SIDE * 6 :] == 0).all()


def test_templateflows_mesh_has_the_mean_areas_of_people(tmp_path, monkeypatch):
    home = tmp_path / "templateflow" / "tpl-plane"
    home.mkdir(parents=True)
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home.parent))
    put(home / "tpl-plane_den-144_hemi-L_midthickness.surf.gii", mesh(*plane()))
    put(home / "tpl-plane_den-144_hemi-L_inflated.surf.gii", mesh(plane()[0] * 9, plane()[1]))
    put(
        home / "tpl-plane_hemi-L_den-144_desc-vaavg_midthickness.shape.gii",
        gifti(data_array(np.full(144, 7, np.float32))),
    )
    trees.describe(tmp_path / "in")
    put_pair(tmp_path / "in" / "sub-01", L=bumps(1))
    assert run(tmp_path / "in", tmp_path / "out", "--min-region-area", 7) == 0
    for row in table(tmp_path / "out"):
        assert float(row["area_mm2"]) == 7 * int(row["n_vertices"])
        assert row["peak_x"] != "n/a"
    assert record(tmp_path / "out")["Surfaces"]["CORTEX_LEFT"]["Areas"].endswith("desc-vaavg_midthickness.shape.gii")
    assert record(tmp_path / "out")["Surfaces"]["CORTEX_LEFT"]["Mesh"].endswith("_midthickness.surf.gii")


def test_named_areas_masks_and_a_single_file_for_the_only_hemisphere(planes):
    (planes / "in" / "sub-01" / "sub-01_task-x_hemi-R_space-plane_contrast-a_stat-z_statmap.func.gii").unlink()
    areas, inside = np.full(SIDE * SIDE, 3, np.float32), np.zeros(SIDE * SIDE, np.float32)
    areas[0], inside[: SIDE * 6] = -1, 1
    put(planes / "areas.gii", gifti(data_array(areas)))
    put(planes / "mask.gii", gifti(data_array(inside)))
    words = ("--surfaces", planes / "L.surf.gii", "--vertex-areas", planes / "areas.gii", "--mask", planes / "mask.gii")
    assert run(planes / "in", planes / "out", *words, "--min-region-vertices", 1) == 0
    own = labels(planes / "out", "L")
    assert (own[SIDE * 6 :] == 0).all()
    for row in table(planes / "out"):
        inside = own == int(row["index"])
        assert float(row["area_mm2"]) == 3 * (inside.sum() - inside[0])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--surfaces", "{}/wrong.L.surf.gii", "{}/mesh.R.32k.surf.gii"], 1, "has 4 vertices, the map"),
        (["--surfaces", "{}/L.shape.gii", "{}/mesh.R.32k.surf.gii"], 66, "holds no mesh"),
        (["--surfaces", "{}/mesh.L.32k.surf.gii"], 1, "no file for CORTEX_RIGHT"),
        (["--surfaces", "{}/nowhere.surf.gii"], 66, "is not there"),
        (["--vertex-areas", "{}/wrong.L.surf.gii", "{}/R.shape.gii"], 66, "a mesh and no numbers"),
        ([], 1, "no mesh of 144 vertices is known for space plane"),
        (["--convention", "fsl"], 1, "is for voxels"),
        (["--grf"], 64, "for voxels alone"),
        (["--connectivity", "26"], 64, "for voxels alone"),
        (["--smoothing-fwhm", "4"], 64, "for voxels alone"),
        (
            ["--surfaces", "{}/L.surf.gii", "{}/R.surf.gii", "--surfaces", "{}/R.surf.gii"],
            64,
            "neither one word nor a file for each hemisphere",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(planes, capsys, words, code, told):
    put(planes / "wrong.L.surf.gii", mesh())
    for side in "LR":
        put(planes / f"{side}.shape.gii", gifti(data_array(np.ones(144, np.float32))))
    assert run(planes / "in", planes / "out", *(word.format(planes) for word in words)) == code
    said = capsys.readouterr().err
    assert told in said
    assert "Add that, or leave it out" not in said  # what is refused cannot be made to have an effect


def test_areas_that_are_not_known(planes, capsys, monkeypatch):
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    trees.describe(planes / "fs")
    values = np.zeros(10242, np.float32)
    values[:30] = 5
    stem = "sub-01_{hemi}_space-fsaverage5_stat-z_statmap"
    put_pair(planes / "fs" / "sub-01", stem, L=values)
    assert run(planes / "fs", planes / "out", "--vertex-areas", "none") == 0
    assert any("was not applied" in text for text in record(planes / "out")["Warnings"])
    assert {row["area_mm2"] for row in table(planes / "out")} == {"n/a"}
    assert run(planes / "fs", planes / "other", "--vertex-areas", "none", "--min-region-area", 50) == 1
    assert "Give --surfaces or --vertex-areas" in capsys.readouterr().err


def test_voxel_options_hold_for_the_volumes_of_a_run_over_both(planes):
    stem = "sub-01_task-x_space-MNI152NLin2009cAsym_contrast-a_stat-z_statmap.nii.gz"
    trees.write_map(planes / "in" / "sub-01" / "func" / stem)
    words = ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii")
    assert run(planes / "in", planes / "out", *words, "--connectivity", 18, "--min-region-vertices", 1) == 0
    found = {p.parent.name: json.loads(p.read_text()) for p in (planes / "out").rglob("*_dseg.json")}
    assert found["func"]["Criteria"]["connectivity"] == 18
    assert "connectivity" not in found["sub-01"]["Criteria"]
    assert any("without --connectivity" in text for text in found["sub-01"]["Warnings"])
    assert not any("without" in text for text in found["func"]["Warnings"])


def test_the_convention_of_workbench_fails_a_volume(tmp_path, capsys):
    trees.describe(tmp_path / "in")
    trees.write_map(tmp_path / "in" / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    assert run(tmp_path / "in", tmp_path / "out", "--convention", "workbench") == 1
    assert "is for surfaces" in capsys.readouterr().err


def test_sides_are_told_by_metadata_before_names(planes):
    for path in (planes / "in" / "sub-01").iterdir():
        structure = "CortexRight" if "hemi-L" in path.name else "CortexLeft"
        values = nib.load(path).darrays[0].data
        put(path, gifti(data_array(values), front=metadata(AnatomicalStructurePrimary=structure)))
    words = ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii", "--min-region-vertices", 1)
    assert run(planes / "in", planes / "out", *words) == 0
    (left,) = (planes / "out").rglob("*hemi-L_*.label.gii")
    assert nib.load(left).meta["AnatomicalStructurePrimary"] == "CortexLeft"
    kept = np.flatnonzero(nib.load(left).darrays[0].data)
    assert (np.abs(bumps(2))[kept] >= 3).all()  # the map named hemi-R


def test_one_broken_hemisphere_fails_its_map_and_no_other(planes, capsys):
    put(planes / "in" / "sub-01" / "sub-01_task-x_hemi-R_space-plane_contrast-a_stat-z_statmap.func.gii", b"")
    put_pair(planes / "in" / "sub-02", "sub-02_{hemi}_space-plane_stat-z_statmap", L=bumps(1))
    words = ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii")
    assert run(planes / "in", planes / "out", *words) == 1
    assert "empty file" in capsys.readouterr().err
    assert list((planes / "out" / "sub-02").rglob("*.label.gii"))


def test_several_arrays_and_sparse_ones(planes, capsys):
    for path in (planes / "in" / "sub-01").iterdir():
        path.unlink()
    folder, stem = planes / "in" / "sub-01", "sub-01_task-x_hemi-L_space-plane_contrast-{}_stat-z_statmap.func.gii"
    put(folder / stem.format("many"), gifti(data_array(bumps(1)), data_array(bumps(2))))
    words = ("--surfaces", planes / "L.surf.gii", "--min-region-vertices", 1)
    assert run(planes / "in", planes / "out", *words) == 18
    assert "holds 2 arrays" in capsys.readouterr().err


def test_arrays_and_maps_are_taken_by_volumes(planes):
    for path in (planes / "in" / "sub-01").iterdir():
        path.unlink()
    stem = "sub-01_task-x_hemi-{}_space-plane_contrast-many_stat-z_statmap.func.gii"
    for side, seeds in (("L", (1, 2)), ("R", (3, 4))):
        put(planes / "in" / "sub-01" / stem.format(side), gifti(*[data_array(bumps(seed)) for seed in seeds]))
    words = ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii", "--min-region-vertices", 1)
    assert run(planes / "in", planes / "out", *words, "--volumes", "2") == 0
    (left,) = (planes / "out").rglob("*hemi-L_*volume+2*.label.gii")
    assert (np.abs(bumps(2))[nib.load(left).darrays[0].data > 0] >= 3).all()
    assert run(planes / "in", planes / "all", *words, "--volumes", "all") == 0
    assert len(list((planes / "all").rglob("*_dseg.json"))) == 2
