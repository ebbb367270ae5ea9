"""The group level on a cohort whose every answer is known in closed form."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from cohorts import (
    AFFINE,
    SHAPE,
    A,
    B,
    array,
    columns_of,
    find,
    person,
    read_json,
    rows,
    run,
    start,
    write_image,
    write_person,
)

N = 10
NO_DATA = np.s_[7:, :, :]  # sub-08 and sub-09 lack data here, where the negative blob lies
MASKED_OUT = np.s_[:, 10:, :]  # sub-07 has values here, outside its mask
LABELS = [f"{k:02d}" for k in range(N)]


def planted(k):
    """A in 7 of 10, in sub-03 moved by one voxel; B in 6 of the 8 that have data there."""
    return person(LABELS[k], a=k < 7, b=k < 6, shift=k == 3, no_data=NO_DATA if k >= 8 else None)


def has_data(k):
    inside = planted(k) != 0
    if k == 7:
        inside[MASKED_OUT] = False
    return inside


DATA = [planted(k) for k in range(N)]
HAS = np.array([has_data(k) for k in range(N)])
SIGNED = np.array([np.where(np.abs(data) >= 3, np.sign(data), 0) for data in DATA]).astype(int)
with np.errstate(invalid="ignore"):
    POSITIVE, NEGATIVE = (np.nan_to_num((sign == SIGNED).sum(0) / HAS.sum(0)) for sign in (1, -1))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = start(tmp_path_factory.mktemp("truth") / "maps")
    for k, label in enumerate(LABELS):
        mask = None
        if k == 7:
            mask = np.ones(SHAPE, bool)
            mask[MASKED_OUT] = False
        write_person(root, label, DATA[k], mask=mask)
    lines = [f"sub-{label}\t{20 + k}\t{'young' if k < 5 else 'old'}" for k, label in enumerate(LABELS)]
    (root / "participants.tsv").write_text("participant_id\tage\tsign\n" + "\n".join(lines) + "\n")
    write_text = (root / "participants.json").write_text
    write_text('{"age": {"Description": "Age at the scan", "Units": "years"}}')
    return root


@pytest.fixture(scope="module")
def out(cohort):
    folder = cohort.parent / "out"
    assert run(cohort, folder) == 0
    return folder


def test_prevalence_is_the_fraction_among_those_with_data(out):
    np.testing.assert_array_equal(array(find(out, "PosPrevalence_probseg.nii.gz")), POSITIVE.astype(np.float32))
    np.testing.assert_array_equal(array(find(out, "NegPrevalence_probseg.nii.gz")), NEGATIVE.astype(np.float32))
    assert POSITIVE[3, 3, 4] == 0.7
    assert POSITIVE[1, 3, 4] == 0.6
    assert POSITIVE[5, 3, 4] == 0.1
    assert NEGATIVE[9, 7, 3] == 6 / 8


def test_coverage_is_the_fraction_that_has_data_inside_its_mask(out):
    coverage = array(find(out, "Coverage_probseg.nii.gz"))
    np.testing.assert_array_equal(coverage, HAS.mean(0).astype(np.float32))
    assert set(np.unique(coverage.round(6)).tolist()) == {np.float32(v).round(6).item() for v in (1, 0.9, 0.8, 0.7)}


def test_prevalence_maps_lie_on_the_grid_of_the_maps(out):
    for ending in ("PosPrevalence_probseg.nii.gz", "Coverage_probseg.nii.gz", "Consensus_dseg.nii.gz"):
        image = nib.load(find(out, ending))
        np.testing.assert_array_equal(image.affine, AFFINE)
        assert image.shape == SHAPE


def test_consensus_regions_are_the_components_of_prevalence(out):
    labels = array(find(out, "Consensus_dseg.nii.gz"))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels == 1, POSITIVE >= 0.5)
    np.testing.assert_array_equal(labels == 2, NEGATIVE >= 0.5)
    table = rows(find(out, "Consensus_dseg.tsv"))
    assert [(row["index"], row["sign"], row["n_voxels"]) for row in table] == [
        ("1", "positive", "64"),
        ("2", "negative", "64"),
    ]
    assert [float(row["peak_value"]) for row in table] == [0.7, -0.75]
    assert float(table[0]["mean_value"]) == pytest.approx((48 * 0.7 + 16 * 0.6) / 64)


def test_values_of_every_participant_and_region(out):
    """Mean, peak, voxels, Dice and distance, recomputed in plain words from the maps."""
    table = rows(out / "group_values.tsv")
    regions = rows(find(out, "Consensus_dseg.tsv"))
    labels = array(find(out, "Consensus_dseg.nii.gz"))
    assert [(row["participant_id"], row["region"]) for row in table] == [
        (f"sub-{label}", str(number)) for label in LABELS for number in (1, 2)
    ]
    for row in table:
        k, number = int(row["participant_id"][4:]), int(row["region"])
        sign = 1 if number == 1 else -1
        region, inside = labels == number, (labels == number) & HAS[k]
        own = (SIGNED[k] == sign) & region
        assert row["sign"] == ("positive", "negative")[number - 1]
        assert int(row["n_voxels"]) == own.sum()
        if not inside.any():
            assert {row[name] for name in ("mean_value", "peak_value", "dice", "peak_distance_mm")} == {"n/a"}
            continue
        values = DATA[k][inside].astype(float)
        assert float(row["mean_value"]) == pytest.approx(values.mean(), rel=1e-9)
        peak = np.argwhere(inside)[(sign * values).argmax()]
        assert float(row["peak_value"]) == pytest.approx(float(DATA[k][tuple(peak)]), rel=1e-9)
        shared = 2 * own.sum() / (64 + 64) if own.any() else 0
        assert float(row["dice"]) == pytest.approx(shared)
        there = [float(regions[number - 1][f"peak_{axis}"]) for axis in "xyz"]
        distance = np.linalg.norm(AFFINE[:3, :3] @ peak + AFFINE[:3, 3] - there)
        assert float(row["peak_distance_mm"]) == pytest.approx(distance, abs=1e-6)


def test_the_columns_of_participants_tsv_join_the_values(out):
    table = rows(out / "group_values.tsv")
    assert {row["participant_id"]: row["age"] for row in table} == {f"sub-{x}": str(20 + int(x)) for x in LABELS}
    assert {row["participants_sign"] for row in table[:10]} == {"young"}  # a name that is taken is told apart
    sidecar = columns_of(out / "group_values.json")
    assert sidecar["age"] == {"Description": "Age at the scan", "Units": "years"}
    assert sidecar["participants_sign"] == {"Description": "Column sign of participants.tsv"}
    assert set(table[0]) <= set(sidecar)


def test_values_in_regions_of_the_same_maps_are_called_circular(out):
    assert "one-sample tests on the values are circular" in read_json(out / "group_values.json")["Circularity"]
    assert "one-sample tests on the values are circular" in (out / "group.html").read_text()


def test_group_regions_holds_the_rows_of_all_tables(out):
    table = rows(out / "group_regions.tsv")
    expected = [(f"sub-{label}", row) for label in LABELS for row in rows(find(out, "_dseg.tsv", f"sub-{label}/func"))]
    assert len(table) == len(expected) == 7 + 6
    for found, (participant, row) in zip(table, expected, strict=True):
        assert found["participant_id"] == participant
        assert found["map"].startswith(f"{participant}/func/{participant}_task-x")
        assert {name: found[name] for name in row} == row
    assert set(table[0]) <= set(columns_of(out / "group_regions.json"))


def test_participants_are_told_with_their_numbers(out):
    table = rows(out / "group_participants.tsv")
    assert [row["status"] for row in table] == ["ok"] * 7 + ["empty"] * 3
    assert [row["n_regions"] for row in table] == ["2"] * 6 + ["1"] + ["0"] * 3
    assert [float(row["volume_mm3"]) for row in table] == [128 * 64.0] * 6 + [64 * 64.0] + [0.0] * 3
    consensus = np.where(POSITIVE >= 0.5, 1, np.where(NEGATIVE >= 0.5, -1, 0))
    for k, row in enumerate(table):
        both = (SIGNED[k] != 0).sum() + 128
        shared = ((SIGNED[k] == consensus) & (consensus != 0)).sum()
        assert float(row["dice_consensus"]) == pytest.approx(2 * shared / both)
        assert float(row["max_abs_value"]) == pytest.approx(float(np.abs(DATA[k]).max()), rel=1e-9)
        assert float(row["coverage"]) == pytest.approx(HAS[k].mean())
    assert set(table[0]) <= set(columns_of(out / "group_participants.json"))


def test_agreement_of_every_pair(out):
    table = rows(out / "group_agreement.tsv")
    assert len(table) == N * (N - 1) // 2
    found = {(row["participant_id"], row["other_participant_id"]): row["dice"] for row in table}
    for i, j in itertools.combinations(range(N), 2):
        both = (SIGNED[i] != 0).sum() + (SIGNED[j] != 0).sum()
        dice = found[f"sub-{LABELS[i]}", f"sub-{LABELS[j]}"]
        if both == 0:
            assert dice == "n/a"
        else:
            shared = ((SIGNED[i] == SIGNED[j]) & (SIGNED[i] != 0)).sum()
            assert float(dice) == pytest.approx(2 * shared / both)


def test_sidecars_say_where_it_comes_from(out):
    record = read_json(find(out, "Consensus_dseg.json"))
    assert record["Participants"] == {"Total": 10, "Counted": 10, "WithRegions": 7, "Empty": 3, "NotCounted": {}}
    assert record["Consensus"]["MinPrevalence"] == 0.5
    assert record["SharedEntities"] == {"task": "x", "space": "MNI152NLin2009cAsym", "contrast": "a", "stat": "z"}
    for uri in record["Sources"]:
        assert (out / uri.removeprefix("bids::")).is_file()
    prevalence = read_json(find(out, "PosPrevalence_probseg.json"))
    assert len(prevalence["Sources"]) == 10
    assert all((out / uri.removeprefix("bids::")).is_file() for uri in prevalence["Sources"])
    coverage = read_json(find(out, "Coverage_probseg.json"))
    assert coverage["Sources"][0].startswith("bids:input:sub-00/func/sub-00_task-x")


def test_the_page_names_and_links_participants(out):
    page = (out / "group.html").read_text()
    assert 'href="sub-00.html"' in page
    assert "empty: no region survived" in page
    assert "2 regions" in page


def test_thresholds_of_prevalence_and_coverage_can_be_set(cohort, tmp_path, out):
    """A reaches 0.7 in 48 voxels; B has coverage 0.8, which is too little."""
    link = tmp_path / "out"
    copy_results(out, link)
    assert run(cohort, link, "--min-prevalence", "0.7", "--min-coverage", "0.85", levels=("group",)) == 0
    labels = array(find(link, "Consensus_dseg.nii.gz"))
    np.testing.assert_array_equal(labels == 1, POSITIVE >= 0.7)
    assert labels.max() == 1
    assert (POSITIVE >= 0.7).sum() == 48


def copy_results(out, target):
    """The participants' results alone, as after array jobs."""
    import shutil  # noqa: PLC0415

    shutil.copytree(out, target, ignore=shutil.ignore_patterns("tpl-*", "group*"))


def test_values_in_regions_from_elsewhere(cohort, tmp_path, out):
    """An atlas of two blocks, at half the voxel size: one over A, one where nobody has a region."""
    link = tmp_path / "out"
    copy_results(out, link)
    atlas = np.zeros(tuple(2 * n for n in SHAPE), np.int16)
    atlas[2:10, 4:12, 6:14], atlas[2:10, 18:22, 6:14] = 40, 7
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 1
    path = write_image(tmp_path / "atlas.nii.gz", atlas, affine)
    assert run(cohort, link, "--regions-from", path, levels=("group",)) == 0
    table = rows(link / "group_values.tsv")
    assert [row["region"] for row in table[:2]] == ["7", "40"]
    assert {row["sign"] for row in table} == {"both"}
    assert {row["peak_distance_mm"] for row in table} == {"n/a"}
    for row in table[1::2]:
        k = int(row["participant_id"][4:])
        assert float(row["mean_value"]) == pytest.approx(DATA[k][A].mean(dtype=float), rel=1e-9)
        assert int(row["n_voxels"]) == np.count_nonzero(SIGNED[k][A])
    sidecar = read_json(link / "group_values.json")
    assert "Circularity" not in sidecar
    assert sidecar["Regions"] == "the label image atlas.nii.gz"
    page = (link / "group.html").read_text()
    assert "atlas.nii.gz lies on another grid and was resampled" in page
    assert "circular" not in page
    assert array(find(link, "Consensus_dseg.nii.gz")).max() == 2  # the consensus is made all the same


def test_regions_of_another_study_of_ours_bring_signs_and_peaks(cohort, tmp_path, out):
    link = tmp_path / "out"
    copy_results(out, link)
    source = find(out, "Consensus_dseg.nii.gz")
    assert run(cohort, link, "--regions-from", source, levels=("group",)) == 0
    own, other = rows(out / "group_values.tsv"), rows(link / "group_values.tsv")
    assert own == other


def test_a_region_that_lies_outside_the_maps_is_told(cohort, tmp_path, out):
    link = tmp_path / "out"
    copy_results(out, link)
    atlas = np.zeros((30, 12, 10), np.uint8)
    atlas[A], atlas[20:22] = 1, 2
    path = write_image(tmp_path / "wide.nii", atlas)
    assert run(cohort, link, "--regions-from", path, levels=("group",)) == 0
    assert {row["region"] for row in rows(link / "group_values.tsv")} == {"1"}
    assert "wide.nii has regions without any voxel on the grid of the maps: 2" in (link / "group.html").read_text()


def test_blobs_are_where_the_test_thinks_they_are():
    assert SIGNED[0][A].min() == 1
    assert SIGNED[0][B].max() == -1
    assert np.count_nonzero(SIGNED[0]) == 128
