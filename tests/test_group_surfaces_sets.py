"""Which surfaces are put together: meshes, spellings, sessions, hemispheres, masks, atlases."""

import nibabel as nib
import numpy as np
from cohorts import rows, run
from surface_bytes import data_array, gifti, put
from surface_cohort import numbers, on_plane, put_person, start
from surface_trees import SIDE

from bids_regions.meshes import load_triangles


def test_participants_with_one_hemisphere_have_no_data_on_the_other(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(4):
        put_person(root, k, sides="LR" if k else "L")
    assert on_plane(root, tmp_path / "out") == 0
    np.testing.assert_array_equal(numbers(tmp_path / "out", "SurfaceCoverage_probseg.shape.gii", "R"), 0.75)
    np.testing.assert_array_equal(numbers(tmp_path / "out", "SurfaceCoverage_probseg.shape.gii", "L"), 1)
    assert "sub-00 has no cortex right" in (tmp_path / "out" / "group.html").read_text()


def test_group_by_and_sessions_make_sets_and_reliability(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(4):
        for ses in ("1", "2"):
            put_person(root, k, ses=ses)
    lines = "".join(f"sub-{k:02d}\t{'a' if k < 2 else 'b'}\n" for k in range(4))
    (root / "participants.tsv").write_text("participant_id\tarm\n" + lines)
    assert on_plane(root, tmp_path / "out") == 0
    retest = rows(tmp_path / "out" / "group_retest.tsv")
    assert [row["dice"] for row in retest] == ["1"] * 4
    pooled = sorted((tmp_path / "out").glob("tpl-*/*hemi-L*PooledConsensus_dseg.label.gii"))
    assert len(pooled) == 1
    assert {row["n"] for row in rows(tmp_path / "out" / "group_reliability.tsv")} == {"4"}
    split = tmp_path / "split"
    assert on_plane(root, split, "--group-by", "arm") == 0
    names = sorted(path.name for path in split.glob("tpl-*/*hemi-L*_desc-thr3p0Consensus_dseg.label.gii"))
    assert len(names) == 4
    assert sum("arm+a" in name for name in names) == 2


def test_native_meshes_are_listed_and_never_pooled(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(3):
        put_person(root, k, space="fsnative")
    assert on_plane(root, tmp_path / "out") == 0
    table = rows(tmp_path / "out" / "group_participants.tsv")
    assert [row["status"] for row in table] == ["left out"] * 3
    assert "own mesh" in table[0]["reason"]
    assert list((tmp_path / "out").glob("tpl-*/*.gii")) == []


def on_sphere(n, k):
    """Noise without any region, but for a patch of neighbours of vertex 0 on the left."""
    data = {side: np.random.default_rng([k, ord(side)]).normal(1, 0.1, n).astype(np.float32) for side in "LR"}
    triangles = load_triangles("fsaverage5" if n == 10242 else "fsaverage4", n, "L")
    near = np.unique(triangles[(triangles == 0).any(axis=1)])
    data["L"][near] += 5
    return data


def test_meshes_of_other_numbers_of_vertices_are_never_mixed(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(3):
        put_person(root, k, space="fsaverage", data=on_sphere(10242, k))
    for k in range(3, 5):
        put_person(root, k, space="fsaverage", data=on_sphere(2562, k))
    put_person(root, 5, space="fsaverage", data={side: np.ones(144, np.float32) for side in "LR"})
    out = tmp_path / "out"
    assert run(root, out, "--min-region-vertices", 3) == 1  # nobody knows a mesh of 144 vertices of fsaverage
    found = {path.name: nib.load(path).darrays[0].data for path in out.glob("tpl-*/*hemi-L*Pos*Prevalence_probseg.*")}
    assert {data.size: data.max() for data in found.values()} == {10242: 1, 2562: 1}
    (few,) = (name for name, data in found.items() if data.size == 2562)
    assert "_den-3k_" in few
    status = {row["participant_id"]: row["status"] for row in rows(out / "group_participants.tsv")}
    assert status == {f"sub-{k:02d}": "ok" for k in range(5)} | {"sub-05": "failed"}


def test_a_second_map_and_a_named_mask_are_found_again(tmp_path):
    root = start(tmp_path / "maps")
    inside = {side: (np.arange(SIDE * SIDE) % 7 > 0) for side in "LR"}
    for side in "LR":
        put(tmp_path / f"{side}.mask.gii", gifti(data_array(inside[side].astype(np.float32))))
    for k in range(4):
        put_person(root, k)
        effect = {side: np.full(SIDE * SIDE, k + 1, np.float32) for side in "LR"}
        put_person(root, k, data=effect)
        for side in "LR":
            name = f"sub-{k:02d}/sub-{k:02d}_task-x_hemi-{side}_space-plane_contrast-a_stat-z_statmap.func.gii"
            (root / name).rename(root / name.replace("stat-z", "stat-effect"))
        put_person(root, k)
    masks = [tmp_path / f"{side}.mask.gii" for side in "LR"]
    out = tmp_path / "out"
    words = ("--values-from", "stat=effect", "--mask", *masks, "--min-region-vertices", 1)
    assert run(root, out, "--surfaces", *(tmp_path / f"{side}.surf.gii" for side in "LR"), *words) == 0
    assert {(row["participant_id"], row["values_mean"]) for row in rows(out / "group_values.tsv")} == {
        (f"sub-{k:02d}", str(k + 1)) for k in range(4)
    }
    for side in "LR":
        coverage = numbers(out, "SurfaceCoverage_probseg.shape.gii", side)
        np.testing.assert_array_equal(coverage, inside[side].astype(np.float32))
    (tmp_path / "L.mask.gii").unlink()
    assert run(root, out, "--min-region-vertices", 1, levels=["group"]) == 0
    assert {row["status"] for row in rows(out / "group_participants.tsv")} == {"missing"}


FEW = ("--min-region-vertices", 1, "--min-prevalence", 0.3, "--threshold", 6)  # of these maps of noise


def test_sessions_of_different_meshes_have_no_reliability_and_it_is_said(tmp_path, capsys):
    root = start(tmp_path / "maps")
    for k in range(3):
        for session, n in (("1", 2562), ("2", 10242), ("3", 2562)):
            values = {side: np.random.default_rng([k, n]).normal(0, 2, n).astype(np.float32) for side in "LR"}
            put_person(root, k, data=values, space="fsaverage", ses=session)
    assert run(root, tmp_path / "out", *FEW) == 0
    said = "sessions 1, 3 and 2 lie on different meshes (2562 and 10242 vertices per hemisphere)"
    assert said in capsys.readouterr().err
    assert said in (tmp_path / "out" / "group.html").read_text()
    table = rows(tmp_path / "out" / "group_retest.tsv")
    assert {(row["occasion"], row["other_occasion"]) for row in table} == {("ses-1", "ses-3")}
    assert {float(row["dice"]) for row in table} == {1.0}


def test_spellings_of_one_density_are_one_set(tmp_path):
    root = start(tmp_path / "maps")
    for k, den in enumerate(("10242", "10k", "10k", "10242")):
        values = {side: np.random.default_rng(k).normal(0, 2, 10242).astype(np.float32) for side in "LR"}
        put_person(root, k, data=values, space="fsaverage", den=den)
    assert run(root, tmp_path / "out", *FEW) == 0
    table = rows(tmp_path / "out" / "group_participants.tsv")
    assert len({row["set"] for row in table}) == 1
    assert [row["status"] for row in table] == ["ok"] * 4


def test_two_maps_of_a_participant_in_two_spellings_are_two_sets(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(2):
        for den in ("10242", "10k"):
            values = {side: np.random.default_rng(k).normal(0, 2, 10242).astype(np.float32) for side in "LR"}
            put_person(root, k, data=values, space="fsaverage", den=den)
    assert run(root, tmp_path / "out", *FEW) == 0
    table = rows(tmp_path / "out" / "group_participants.tsv")
    assert len({row["set"] for row in table}) == 2
    assert [row["status"] for row in table] == ["ok"] * 4


def test_of_maps_in_two_spellings_the_absent_are_told_by_their_own(tmp_path):
    root = start(tmp_path / "maps")
    for k, spellings in enumerate((("10242", "10k"), ("10242",), ("10k",))):
        for den in spellings:
            values = {side: np.random.default_rng(k).normal(0, 2, 10242).astype(np.float32) for side in "LR"}
            put_person(root, k, data=values, space="fsaverage", den=den)
    few = (*FEW, "--participant-label")
    assert run(root, tmp_path / "out", *few, "00", "02", levels=["participant"]) == 0
    assert run(root, tmp_path / "out", *FEW, levels=["group"]) == 0
    told = {}
    for row in rows(tmp_path / "out" / "group_participants.tsv"):
        told[row["set"].partition("_den-")[2].partition("_")[0], row["participant_id"]] = row["status"], row["reason"]
    assert told["10242", "sub-01"][1].startswith("no results for sub-01/sub-01_task-x_hemi-L_space-fsaverage_den-10242")
    assert told["10k", "sub-01"] == told["10242", "sub-02"] == ("missing", "no such map in the dataset")
    assert {told[den, "sub-00"][0] for den in ("10242", "10k")} == {told["10k", "sub-02"][0]} == {"ok"}
