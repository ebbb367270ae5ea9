"""The group level by vertex: a cohort on a flat mesh whose every answer is known in closed form or by brute force."""

import shutil

import numpy as np
import pytest
from cohorts import contents, find, people, read_json, rows, run
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from surface_bytes import data_array, gifti, mesh, metadata, put
from surface_cohort import MAPS, NO_DATA, STRUCTURES, A, B, N, noise, numbers, on_plane, put_person, start
from surface_trees import SIDE, plane
from validator import validate

from bids_regions.aggregate import prevalence_lower

AREA = 4.0  # mm2 of an inner vertex: squares of 2 mm


HAS = {side: np.array([np.nan_to_num(one[side]) != 0 for one in MAPS]) for side in "LR"}


SIGNED = {
    side: np.array([np.where(np.abs(np.nan_to_num(one[side])) >= 3, np.sign(one[side]), 0) for one in MAPS])
    for side in "LR"
}


def share(side, sign):
    """Prevalence, counted vertex by vertex."""
    return (SIGNED[side] == sign).sum(axis=0) / HAS[side].sum(axis=0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = start(tmp_path_factory.mktemp("vertices") / "maps")
    for k in range(N):
        put_person(root, k)
    ages = "".join(f"sub-{k:02d}\t{20 + k}\t{'young' if k % 2 else 'old'}\n" for k in range(N))
    (root / "participants.tsv").write_text("participant_id\tage\tgroup\n" + ages)
    return root


@pytest.fixture(scope="module")
def out(cohort):
    folder = cohort.parent / "out"
    assert on_plane(cohort, folder) == 0
    return folder


@pytest.mark.parametrize("side", "LR")
def test_prevalence_and_coverage_are_fractions_counted_vertex_by_vertex(out, side):
    for name, sign in (("Pos", 1), ("Neg", -1)):
        found = numbers(out, f"{name}SurfacePrevalence_probseg.shape.gii", side)
        np.testing.assert_array_equal(found, share(side, sign).astype(np.float32))
    coverage = numbers(out, "SurfaceCoverage_probseg.shape.gii", side)
    np.testing.assert_array_equal(coverage, HAS[side].mean(axis=0).astype(np.float32))


def test_the_planted_patches_have_their_known_prevalence():
    assert share("L", 1)[A.ravel()].min() == 5 / 8
    assert share("L", 1).max() == 6 / 8
    assert share("R", -1)[(B & NO_DATA).ravel()].tolist() == [5 / 6] * 8
    assert share("R", -1)[(B & ~NO_DATA).ravel()].tolist() == [5 / 8] * 12


def test_lower_bounds_are_those_of_the_counts(out):
    rate = read_json(find(out, "Consensus_dseg.json"))["Consensus"]["FalsePositiveRate"]
    for side in "LR":
        found = numbers(out, "NegSurfacePrevalenceLower_probseg.shape.gii", side)
        expected = prevalence_lower((SIGNED[side] == -1).sum(axis=0), HAS[side].sum(axis=0), rate)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_consensus_regions_are_the_components_of_a_graph_of_edges(out):
    _, triangles = plane()
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    table = rows(find(out, "Consensus_dseg.tsv"))
    found = 0
    for side in "LR":
        labels = numbers(out, "Consensus_dseg.label.gii", side)
        assert labels.dtype == np.int32
        for sign in (1, -1):
            kept = share(side, sign) >= 0.5
            inner = edges[kept[edges].all(axis=1)]
            graph = coo_array((np.ones(len(inner)), inner.T), shape=(kept.size, kept.size))
            for component in np.unique(connected_components(graph)[1][kept]):
                own = kept & (connected_components(graph)[1] == component)
                number = set(labels[own].tolist())
                assert len(number) == 1
                row = table[number.pop() - 1]
                assert (labels == int(row["index"])).sum() == own.sum() == int(row["n_vertices"])
                assert (row["hemi"], row["sign"]) == (side, {1: "positive", -1: "negative"}[sign])
                found += 1
        assert set(np.unique(labels)) - {0} <= {int(row["index"]) for row in table}
    assert found == len(table) == 2
    assert [row["n_sharing"] for row in table] == ["6", "5"]
    assert [row["n_with_data"] for row in table] == ["8", "6"]
    assert float(table[0]["peak_value"]) == 0.75
    assert float(table[0]["area_mm2"]) == pytest.approx(AREA * A.sum())
    assert (table[0]["n_voxels"], table[0]["peak_i"]) == ("n/a", "n/a")


def test_values_of_every_participant_and_region(out):
    """Mean, extreme, vertices and Dice, recomputed in plain words from the maps."""
    table = rows(out / "group_values.tsv")
    regions = {row["index"]: row for row in rows(find(out, "Consensus_dseg.tsv"))}
    assert len(table) == N * len(regions)
    for row in table:
        k, region = int(row["participant_id"][4:]), regions[row["region"]]
        side, sign = region["hemi"], {"positive": 1, "negative": -1}[region["sign"]]
        inside = numbers(out, "Consensus_dseg.label.gii", side) == int(row["region"])
        own, data = SIGNED[side][k] == sign, inside & HAS[side][k]
        values = np.asarray(MAPS[k][side], float)[data]
        assert (row["hemi"], row["structure"], row["n_voxels"]) == (side, region["structure"], "n/a")
        assert int(row["n_vertices"]) == (own & inside).sum()
        assert float(row["mean_value"]) == pytest.approx(values.mean())
        assert float(row["peak_value"]) == pytest.approx((sign * values).max() * sign)
        touching = own if (own & inside).any() else np.zeros_like(own)
        dice = 2 * (own & inside).sum() / (touching.sum() + inside.sum()) if touching.any() else 0
        assert float(row["dice"]) == pytest.approx(dice)
        counts = (SIGNED[side] == sign).sum(axis=0)
        spared = inside & (((counts - 1) / HAS[side].sum(axis=0) >= 0.5) | ~own)
        enough = AREA * spared.sum() >= 30
        assert row["n_vertices_loo"] == (str(spared.sum()) if enough else "n/a")
        assert row["age"] == str(20 + k)


def test_agreement_is_dice_over_the_vertices_of_both_hemispheres(out):
    table = rows(out / "group_agreement.tsv")
    whole = np.concatenate([SIGNED["L"], SIGNED["R"]], axis=1)
    assert len(table) == N * (N - 1) // 2
    for row in table:
        one, other = (whole[int(row[name][4:])] for name in ("participant_id", "other_participant_id"))
        both = np.count_nonzero(one) + np.count_nonzero(other)
        shared = 2 * np.count_nonzero((one == other) & (one != 0))
        assert row["dice"] == "n/a" if not both else float(row["dice"]) == pytest.approx(shared / both)


def test_participants_have_areas_where_volumes_have_mm3(out):
    table = rows(out / "group_participants.tsv")
    assert [(row["n_vertices"], row["volume_mm3"]) for row in table[:1]] == [(str(A.sum() + B.sum()), "n/a")]
    assert float(table[0]["area_mm2"]) == pytest.approx(AREA * (A.sum() + B.sum()))
    assert people(out) == {f"sub-{k:02d}": "ok" if k < 6 else "empty" for k in range(N)}


def test_all_regions_of_all_participants_stand_in_one_table(out):
    table = rows(out / "group_regions.tsv")
    assert {(row["hemi"], row["n_vertices"]) for row in table} == {("L", str(A.sum())), ("R", str(B.sum()))}
    assert len(table) == 6 + 5


def test_sidecars_say_what_the_files_are(out):
    record = read_json(find(out, "Consensus_dseg.json"))
    assert record["Consensus"]["MinArea"] == 30
    assert "Connectivity" not in record["Consensus"]
    assert record["Surfaces"]["CORTEX_LEFT"] == {"Mesh": "L.surf.gii", "Areas": "of this surface"}
    assert len(record["Sources"]) == 10  # of both hemispheres: two prevalences, their bounds, the coverage
    assert record["Participants"] == {"Total": 8, "Counted": 8, "WithRegions": 6, "Empty": 2, "NotCounted": {}}
    assert "SpatialReference" in record
    assert "vertex" in read_json(find(out, "PosSurfacePrevalence_probseg.json"))["Description"]


def test_the_output_has_no_error_of_the_validator(out):
    assert validate(out) == []


def test_workers_and_labels_of_participants_change_no_byte(cohort, out, tmp_path):
    again = cohort.parent / "again"
    assert on_plane(cohort, again, "--nprocs", 2) == 0
    assert contents(again) == contents(out)
    turned = start(tmp_path / "turned" / "maps")
    for k in range(N):
        put_person(turned, N - 1 - k, data=MAPS[k])
    assert on_plane(turned, tmp_path / "turned" / "out") == 0
    for path in out.glob("tpl-*/*.gii"):
        assert (tmp_path / "turned" / "out" / "tpl-plane" / path.name).read_bytes() == path.read_bytes()


def test_a_group_run_again_finds_the_meshes_of_the_participants_run(cohort, out, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    before = contents(folder)
    assert run(cohort, folder, "--min-region-area", 30, levels=["group"]) == 0
    assert {k: v for k, v in contents(folder).items() if k.endswith(".gii")} == {
        k: v for k, v in before.items() if k.endswith(".gii")
    }


def test_meshes_that_are_gone_leave_the_set_apart_with_what_to_do(cohort, out, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    for log in folder.glob("logs/log-*.json"):
        log.unlink()
    assert run(cohort, folder, "--min-region-area", 30, levels=["group"]) == 0
    reasons = {row["reason"] for row in rows(folder / "group_participants.tsv")}
    assert len(reasons) == 1
    assert "Give its --surfaces" in reasons.pop()


def test_consensus_regions_have_the_names_of_the_atlas(tmp_path):
    root = start(tmp_path / "maps")
    for k in range(3):
        put_person(root, k)
    names = '<LabelTable><Label Key="4" Red="1" Green="0" Blue="0" Alpha="1">V1</Label></LabelTable>'
    for side in "LR":
        keys = np.full(SIDE * SIDE, 4, np.int32)
        front = metadata(AnatomicalStructurePrimary=STRUCTURES[side]) + names
        put(tmp_path / f"atlas_hemi-{side}_dseg.label.gii", gifti(data_array(keys, "LABEL"), front=front))
    files = [tmp_path / f"atlas_hemi-{side}_dseg.label.gii" for side in "LR"]
    assert on_plane(root, tmp_path / "out", "--atlas", *files, "--atlas-space-unchecked") == 0
    table = rows(find(tmp_path / "out", "Consensus_dseg.tsv"))
    assert [row["name"] for row in table] == ["Left V1", "Right V1"]
    assert run(root, tmp_path / "out", levels=["group"]) == 0
    assert [row["name"] for row in rows(find(tmp_path / "out", "Consensus_dseg.tsv"))] == ["Left V1", "Right V1"]


def test_peaks_lie_apart_along_the_surface(tmp_path):
    xyz, triangles = plane()
    folded = xyz.copy()
    folded[:, 2] = 6 * np.abs(folded[:, 0] - 8)  # a sharp fold across the patch
    flat = xyz * (np.sqrt(37), 1, 1)  # the same, laid flat
    root = tmp_path / "maps"
    start(root)
    for side in "LR":
        put(tmp_path / f"{side}.surf.gii", mesh(folded.astype(np.float32), triangles))
    peaks = [SIDE * (2 + k) + 2 + k for k in range(4)]
    for k, peak in enumerate(peaks):
        data = {side: noise(k, side) for side in "LR"}
        data["L"][A] += 5
        data["L"].ravel()[peak] = 20
        put_person(root, k, data={side: values.ravel() for side, values in data.items()})
    assert on_plane(root, tmp_path / "out") == 0
    (region,) = rows(find(tmp_path / "out", "Consensus_dseg.tsv"))
    top = int(region["peak_vertex"])
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    lengths = np.linalg.norm(flat[ends[:, 0]] - flat[ends[:, 1]], axis=1)
    graph = np.full((SIDE**2, SIDE**2), np.inf)
    graph[ends[:, 0], ends[:, 1]] = graph[ends[:, 1], ends[:, 0]] = lengths
    ways = dijkstra(graph, indices=top)
    found = [float(row["peak_distance_mm"]) for row in rows(tmp_path / "out" / "group_values.tsv")]
    for peak, away in zip(peaks, found, strict=True):
        assert np.linalg.norm(flat[peak] - flat[top]) - 1e-3 <= away <= ways[peak] + 1e-3
    straight = np.linalg.norm(folded[peaks] - folded[top], axis=1)
    assert (np.array(found) > straight + 1).any()
