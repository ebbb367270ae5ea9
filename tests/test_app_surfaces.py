"""Maps on surfaces through the command: nilearn's own GLM output, pairs, the same bytes, siblings, methods."""

import html
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
from nilearn.surface import SurfaceImage
from scipy import ndimage
from surface_bytes import data_array, gifti, mesh, put
from surface_trees import SIDE, bumps, fslr, labels, methods_of, plane, planes, put_pair, record, run, table
from validator import validate

from bids_regions.cli import main
from bids_regions.dataset import pybids_configuration
from bids_regions.meshes import load_areas, load_triangles

__all__ = ["planes"]  # fixture


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
        trees.save_glm(model, contrasts={"a": "a"}, out_dir=folder, prefix="sub-01_task-x_space-fsaverage5")
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
