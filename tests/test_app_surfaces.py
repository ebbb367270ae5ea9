"""Maps on surfaces through the command: nilearn's own GLM output, dscalar and dtseries files, meshes, masks, faults."""

import html
import json
import re
import shlex
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import trees
from bids import BIDSLayout
from nilearn.datasets import load_fsaverage
from nilearn.glm.first_level import FirstLevelModel
from nilearn.interfaces.bids import save_glm_to_bids
from nilearn.surface import SurfaceImage
from scipy import ndimage
from surface_bytes import cifti, cifti_xml, data_array, gifti, mesh, metadata, put
from test_app import validate

from bids_regions.cli import main
from bids_regions.dataset import pybids_configuration
from bids_regions.meshes import load_areas, load_cortex, load_triangles
from bids_regions.tables import rows_of

SIDE = 12  # of the plane


def plane():
    """A plane of squares of 2 mm, each cut in two by the same diagonal."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    number = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]))
    xyz = np.stack([2 * x.ravel(), 2 * y.ravel(), np.zeros(x.size)], axis=1).astype(np.float32)
    return xyz, np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32)


def bumps(seed=0):
    """Smooth noise on the plane."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((SIDE, SIDE)), 1.2)
    return (3 * noise / noise.std()).astype(np.float32).ravel()


def put_pair(folder, stem="sub-01_task-x_{hemi}_space-plane_contrast-a_stat-z_statmap", ending=".func.gii", **sides):
    """Maps of one or two hemispheres."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, values in sides.items():
        put(folder / (stem.format(hemi=f"hemi-{side}") + ending), gifti(data_array(values)))
    return folder


def run(source, out, *words):
    return main([str(source), str(out), "participant", "--nprocs", "1", *map(str, words)])


def table(out, ending="_dseg.tsv"):
    (path,) = out.rglob(f"*{ending}")
    return rows_of(path.read_text())


def record(out):
    (path,) = out.rglob("*_dseg.json")
    return json.loads(path.read_text())


def labels(out, side):
    (path,) = out.rglob(f"*hemi-{side}_*_dseg.label.gii")
    return nib.load(path).darrays[0].data


@pytest.fixture
def planes(tmp_path):
    """A dataset of two hemispheres, and meshes for it."""
    trees.describe(tmp_path / "in")
    put_pair(tmp_path / "in" / "sub-01", L=bumps(1), R=bumps(2))
    for side in "LR":
        put(tmp_path / f"{side}.surf.gii", mesh(*plane()))
        put(tmp_path / f"mesh.{side}.32k.surf.gii", mesh(*plane()))
    return tmp_path


@pytest.fixture(scope="module")
def glm(tmp_path_factory):
    """What nilearn writes of a GLM that it ran on fsaverage5, one contrast of noise with two bumps."""
    folder, meshes, rng = tmp_path_factory.mktemp("glm"), load_fsaverage("fsaverage5")["pial"], np.random.default_rng(0)
    boxes, data = np.tile(np.repeat([0.0, 1], 5), 4), {}
    for name in ("left", "right"):
        xyz = meshes.parts[name].coordinates
        effect = sum(s * np.exp(-((xyz - xyz[k]) ** 2).sum(axis=1) / 400) for s, k in ((3, 3000), (-3, 7000)))
        data[name] = (effect[:, None] * boxes + rng.standard_normal((len(xyz), boxes.size))).astype(np.float32)
    events = pd.DataFrame({"onset": 10.0 + 20 * np.arange(4), "duration": 10.0, "trial_type": "a"})
    with warnings.catch_warnings(action="ignore"):  # nilearn's own
        model = FirstLevelModel(t_r=2, hrf_model=None, drift_model=None, minimize_memory=False)
        model = model.fit(SurfaceImage(mesh=meshes, data=data), events)
        save_glm_to_bids(model, contrasts={"a": "a"}, out_dir=folder, prefix="sub-01_task-x_space-fsaverage5")
    return folder


def test_the_commands_of_entries_on_surfaces_give_the_same_bytes(planes):
    def made(out):
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in (out / "sub-01").rglob("*")
            if path.is_file() and path.parent.name != "figures"
        }

    meshes = [planes / "L.surf.gii", planes / "R.surf.gii"]
    words = ["--surfaces", *meshes, "--min-region-area", 20, "--mask", "none", "--threshold", "1.5", "90%"]
    assert run(planes / "in", planes / "out", *words) == 0
    commands = re.findall(r"<dt[^>]*>command</dt>\s*<dd[^>]*>(.*?)</dd>", (planes / "out" / "sub-01.html").read_text())
    assert len(commands) == 2
    for command in commands:
        told = shlex.split(html.unescape(command))[4:]
        assert run(planes / "in", planes / "again", *(next(planes.glob(word), word) for word in told)) == 0
    assert made(planes / "again") == made(planes / "out")
    assert len(made(planes / "again")) == 2 * 5


def test_of_a_file_that_could_not_be_read_once_nothing_stays(planes):
    """Its failure is noted under the name of its map, without hemi-: the results of the next run take its place."""
    source, out = planes / "in", planes / "out"
    meshes = [str(planes / f"{side}.surf.gii") for side in "LR"]
    words = [str(source), str(out), "participant", "group", "--nprocs", "1", "--surfaces", *meshes, "--mask", "none"]
    (right,) = source.rglob("*hemi-R*")
    right.unlink()
    (left,) = source.rglob("*hemi-L*")
    left.rename(planes / "kept.gii")
    left.symlink_to("nothing")
    assert main(words) == 1
    assert len(list((out / "logs" / "failed").rglob("*.json"))) == 1
    left.unlink()
    (planes / "kept.gii").rename(left)
    assert main(words) == 0
    assert not list((out / "logs" / "failed").rglob("*.json"))
    assert "failed" not in (out / "group_participants.tsv").read_text()


def test_nilearns_own_glm_output(glm, tmp_path):
    out = tmp_path / "out"
    assert run(glm, out, "--threshold", 3, "--min-region-vertices", 20) == 0
    values = {side: nib.load(next(glm.rglob(f"*hemi-{side}_*stat-z_statmap.gii"))).darrays[0].data for side in "LR"}
    rows = table(out)
    assert {row["hemi"] for row in rows} == {"L", "R"}
    for row in rows:
        own, data = labels(out, row["hemi"]) == int(row["index"]), values[row["hemi"]]
        assert row["structure"] == {"L": "CORTEX_LEFT", "R": "CORTEX_RIGHT"}[row["hemi"]]
        assert own.sum() == int(row["n_vertices"]) >= 20
        assert (np.abs(data[own]) >= 3).all()
        assert (data[own] > 0).all() if row["sign"] == "positive" else (data[own] < 0).all()
        peak = int(row["peak_vertex"])
        assert own[peak]
        assert abs(data[peak]) == np.abs(data[own]).max()
        assert float(row["peak_value"]) == pytest.approx(float(data[peak]))
        assert float(row["area_mm2"]) == pytest.approx(load_areas("fsaverage5", 10242, row["hemi"])[own].sum())
        assert (row["n_voxels"], row["peak_i"], row["com_in_region"], row["peak_x"]) == ("n/a",) * 4
    said = record(out)
    assert said["Threshold"]["PopulationSize"] == 2 * 10242
    assert said["Density"] == {"10242": "10242 vertices per hemisphere"}
    assert said["Surfaces"]["CORTEX_LEFT"]["Mesh"] == "fsaverage5 triangles, carried by bids_regions"
    assert "_mask.gii" in said["Mask"]["Source"]
    page = (out / "sub-01.html").read_text()
    assert "fsaverage5 inflated surface (FreeSurfer)" in page
    assert "regions on the cortex; largest" in page


def test_every_region_is_connected_and_as_large_as_a_flood_fill_makes_it(glm, tmp_path):
    out = tmp_path / "out"
    assert run(glm, out, "--threshold", 3, "--min-region-vertices", 1) == 0
    for side in "LR":
        values = nib.load(next(glm.rglob(f"*hemi-{side}_*stat-z_statmap.gii"))).darrays[0].data
        near = [set() for _ in values]
        for a, b, c in load_triangles("fsaverage5", 10242, side).tolist():
            for one, other in ((a, b), (b, c), (c, a)):
                near[one].add(other)
                near[other].add(one)
        found = set()
        for sign in (1, -1):
            left = set(np.flatnonzero(sign * values >= 3).tolist())
            while left:
                group, wave = set(), {left.pop()}
                while wave:
                    group |= wave
                    wave = {other for one in wave for other in near[one]} & left
                    left -= wave
                found.add(frozenset(group))
        own = labels(out, side)
        assert {frozenset(np.flatnonzero(own == k).tolist()) for k in np.unique(own) if k} == found


def test_a_tree_of_volume_pair_cifti_and_sessions_is_valid_and_opens_in_pybids(planes):
    source, out = planes / "in", planes / "out"
    trees.write_map(
        source / "sub-01" / "func" / "sub-01_task-x_space-MNI152NLin2009cAsym_contrast-a_stat-z_statmap.nii.gz"
    )
    stem = "sub-01_ses-2_task-x_dir-AP_run-1_{hemi}_space-plane_contrast-a_stat-z_den-144_statmap"
    put_pair(source / "sub-01" / "ses-2", stem, L=bumps(3))
    put(source / "sub-01" / "sub-01_task-y_space-fsLR_den-91k_contrast-a_stat-z_statmap.dscalar.nii", fslr())
    put_pair(source, "{hemi}_space-plane_contrast-b_stat-z_statmap", L=bumps(5), R=bumps(6))
    meshes = (planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii")
    config = put(planes / "a.toml", f"""
        min_region_voxels = 1
        min_region_vertices = 1
        [[regions]]
        name = "flat"
        match = {{ space = "plane" }}
        surfaces = ["{meshes[0]}", "{meshes[1]}"]
        [[regions]]
        name = "other"
        match = {{ space = ["fsLR", "MNI152NLin2009cAsym"] }}
    """.encode())  # fmt: skip
    words = [str(source), str(out), "participant", "group", "--nprocs", "1", "--config-file", str(config)]
    assert main(words) == 0
    names = {path.relative_to(out).as_posix() for path in out.rglob("*_dseg.*") if "tpl" not in path.parts[-2]}
    stem = "sub-01/ses-2/sub-01_ses-2_task-x_run-1"
    assert f"{stem}_hemi-L_space-plane_seg-dir+AP+contrast+a+stat+z_den-144_desc-flat_dseg.label.gii" in names
    assert f"{stem}_space-plane_seg-dir+AP+contrast+a+stat+z_den-144_desc-flat_dseg.tsv" in names
    assert "sub-01/sub-01_task-y_space-fsLR_seg-contrast+a+stat+z_den-91k_desc-other_dseg.dlabel.nii" in names
    assert validate(out) == []
    layout = BIDSLayout(out, validate=False, config=pybids_configuration())
    assert layout.get_sessions() == ["2"]
    assert len(layout.get(suffix="dseg", extension=".label.gii", subject="01", hemi="L")) == 2
    assert len(layout.get(suffix="dseg", extension=".dlabel.nii", subject="01", den="91k")) == 1


def fslr(order=("L", "R"), **fields):
    """A CIFTI file of the cortex of fsLR 32k and two structures of voxels, smooth along the vertices' numbers."""
    models, at, values = [], 0, []
    for side in order:
        vertices = np.flatnonzero(load_cortex("fsLR", 32492, side))
        name = {"L": "LEFT", "R": "RIGHT"}[side]
        models.append(
            f'<BrainModel IndexOffset="{at}" IndexCount="{vertices.size}" ModelType="CIFTI_MODEL_TYPE_SURFACE" '
            f'BrainStructure="CIFTI_STRUCTURE_CORTEX_{name}" SurfaceNumberOfVertices="32492">'
            f'<VertexIndices>{" ".join(map(str, vertices.tolist()))}</VertexIndices></BrainModel>'
        )  # fmt: skip
        full = ndimage.gaussian_filter1d(np.random.default_rng(ord(side)).standard_normal(32492), 20)
        values.append(3 * (full / full.std())[vertices])
        at += vertices.size
    box = np.argwhere(np.ones((6, 6, 6)))
    blob = np.random.default_rng(3).standard_normal(len(box)) * 3
    for name, half in (("THALAMUS_LEFT", box[:, 0] < 3), ("THALAMUS_RIGHT", box[:, 0] >= 3)):
        models.append(
            f'<BrainModel IndexOffset="{at}" IndexCount="{half.sum()}" ModelType="CIFTI_MODEL_TYPE_VOXELS" '
            f'BrainStructure="CIFTI_STRUCTURE_{name}"><VoxelIndicesIJK>'
            f'{" ".join(map(str, box[half].ravel().tolist()))}</VoxelIndicesIJK></BrainModel>'
        )  # fmt: skip
        values.append(blob[half])
        at += int(half.sum())
    volume = (
        '<Volume VolumeDimensions="6,6,6"><TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent="-3">'
        "-2 0 0 90 0 2 0 -126 0 0 2 -72 0 0 0 1</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>"
    )
    data = np.concatenate(values).astype(np.float32)[None]
    return cifti(data, cifti_xml(volume + "".join(models)), **fields)


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


def test_hemispheres_are_one_map_and_swapped_swap(planes):
    out, other = planes / "out", planes / "other"
    words = ("--threshold", 3, "--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii")
    assert run(planes / "in", out, *words, "--min-region-area", 8) == 0
    trees.describe(planes / "swapped")
    put_pair(planes / "swapped" / "sub-01", L=bumps(2), R=bumps(1))
    assert run(planes / "swapped", other, *words, "--min-region-area", 8) == 0
    plain = [
        {k: v for k, v in row.items() if k not in ("index", "name", "hemi", "structure", "color")} for row in table(out)
    ]
    swapped = [
        {k: v for k, v in row.items() if k not in ("index", "name", "hemi", "structure", "color")}
        for row in table(other)
    ]
    assert sorted(map(str, plain)) == sorted(map(str, swapped))
    assert [row["hemi"] for row in table(out)].count("L") == [row["hemi"] for row in table(other)].count("R")
    for side, seed in (("L", 1), ("R", 2)):
        grid = bumps(seed).reshape(SIDE, SIDE)
        diagonal = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])  # as the squares are cut
        own = labels(out, side).reshape(SIDE, SIDE)
        for sign in (1, -1):
            expected, n = ndimage.label(sign * grid >= 3, diagonal)
            kept = [k for k in range(1, n + 1) if (own[expected == k] > 0).all()]
            for k in range(1, n + 1):
                assert len(np.unique(own[expected == k])) == 1
            assert len({int(own[expected == k][0]) for k in kept}) == len(kept)
    assert float(table(out)[0]["area_mm2"]) >= 8
    x, y = divmod(int(table(out)[0]["peak_vertex"]), SIDE)
    assert [float(table(out)[0][f"peak_{axis}"]) for axis in "xyz"] == [2 * x, 2 * y, 0]


def test_two_runs_give_the_same_bytes_and_the_second_does_nothing(planes):
    words = ("--threshold", "90%", "--min-region-vertices", 1)
    words += ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii")
    assert run(planes / "in", planes / "out", *words) == 0
    first = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (planes / "out" / "sub-01").rglob("*") if p.is_file()}
    assert run(planes / "in", planes / "out", *words) == 0
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in first} == first
    assert run(planes / "in", planes / "again", *words) == 0
    for path, (content, _) in first.items():
        assert (planes / "again" / path.relative_to(planes / "out")).read_bytes() == content
    put(planes / "mesh.L.32k.surf.gii", mesh(plane()[0] * 2, plane()[1]))  # another mesh: done again
    area = table(planes / "out")[0]["area_mm2"]
    assert run(planes / "in", planes / "out", *words) == 0
    assert {row["area_mm2"] for row in table(planes / "out") if row["hemi"] == "L"} != {area}


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


def test_a_p_map_on_a_surface_takes_signs_and_peaks_from_its_z_sibling(planes):
    from scipy import stats  # noqa: PLC0415 # here alone

    for side, seed in (("L", 1), ("R", 2)):
        p = (2 * stats.norm.sf(np.abs(bumps(seed)))).astype(np.float32)
        name = f"sub-01_task-x_hemi-{side}_space-plane_contrast-a_stat-p_statmap.func.gii"
        put(planes / "in" / "sub-01" / name, gifti(data_array(p)))
    words = ("--surfaces", planes / "mesh.L.32k.surf.gii", planes / "mesh.R.32k.surf.gii", "--min-region-vertices", 1)
    words += ("--mask", "none")
    assert run(planes / "in", planes / "out", *words, "--stat", "p", "--threshold", "p=0.01") == 0
    rows = table(planes / "out")
    assert rows
    for row in rows:
        own = labels(planes / "out", row["hemi"]) == int(row["index"])
        values = bumps(1 if row["hemi"] == "L" else 2)
        assert float(row["peak_value"]) == pytest.approx(float(values[own][np.argmax(np.abs(values[own]))]))


def test_the_very_vertices_of_fslrs_cortex_tell_the_space(tmp_path):
    trees.describe(tmp_path / "in")
    (tmp_path / "in" / "sub-01").mkdir()
    put(tmp_path / "in" / "sub-01" / "sub-01_stat-z_statmap.dscalar.nii", fslr())
    assert run(tmp_path / "in", tmp_path / "out", "--threshold", "97%") == 0
    said = record(tmp_path / "out")
    assert said["Surfaces"]["CORTEX_LEFT"]["Mesh"].startswith("fsLR triangles")
    assert said["Threshold"]["Population"] == "every grayordinate of the image"


def methods_of(out):
    return (out / "logs" / "CITATION.md").read_text()


def test_the_methods_say_how_vertices_became_regions(planes):
    words = ("--surfaces", planes / "L.surf.gii", planes / "R.surf.gii", "--threshold", 2)
    assert run(planes / "in", planes / "out", *words, "--min-region-area", 50) == 0
    text = methods_of(planes / "out")
    for part in (
        "each region holding vertices of one sign. Clusters were connected along the edges of the mesh",
        "those of at least 50 mm2 were kept",
        "apart along the surface",
        "outside the mask that the dataset holds for a map, or else on fsLR outside the cortex",
    ):
        assert part in text
    assert not [word for word in ("voxel", "mm3", "-connectivity") if word in text]
    page = (planes / "out" / "sub-01.html").read_text()
    assert "those of at least 50 mm2 were kept" in page
    mask = put(planes / "m.L.gii", gifti(data_array(np.ones(SIDE * SIDE, np.float32))))
    other = put(planes / "m.R.gii", gifti(data_array(np.ones(SIDE * SIDE, np.float32))))
    assert run(planes / "in", planes / "two", *words, "--min-region-vertices", 7, "--mask", mask, other) == 0
    assert "at least 7 vertices were kept" in methods_of(planes / "two")
    assert "Vertices outside the mask m.L.gii and m.R.gii were left out." in methods_of(planes / "two")
    assert run(planes / "in", planes / "none", *words, "--mask", "none") == 0
    assert "at least 100 mm2 were kept" in methods_of(planes / "none")
    assert "No mask was applied." in methods_of(planes / "none")


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
