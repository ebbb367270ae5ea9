"""Tidy values, what the others alone choose, bounds and warnings, through the app on maps whose answers are known."""

import csv
import io
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from cohorts import (
    AFFINE,
    SHAPE,
    A,
    B,
    array,
    columns_of,
    find,
    map_path,
    person,
    read_json,
    rows,
    run,
    start,
    write_image,
    write_person,
)
from scipy import ndimage, stats

LABELS = ("01", "02", "03", "04", "05")
LEAST = 1500 / 64  # mm3 of the entry in voxels


def blurred(k):
    """The positive blob moved along x and the negative one along y, different in each participant; data everywhere."""
    data = person(LABELS[k], a=True, shift=max(0, k - 1))
    data[8:12, 4 + k % 2 : 9 + k % 2, 2:6] -= 6
    return data


DATA = np.array([blurred(k) for k in range(5)])
SIGNED = np.where(np.abs(DATA) >= 3, np.sign(DATA), 0).astype(int)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = start(tmp_path_factory.mktemp("values") / "maps")
    for label, data in zip(LABELS, DATA, strict=True):
        write_person(root, label, data, ses="1")
        effect = map_path(root, label, ses="1").name.replace("stat-z", "stat-effect")
        write_image(map_path(root, label, ses="1").parent / effect, 10 * data)
    (root / "participants.tsv").write_text("participant_id\ttask\tage\n" + "".join(f"sub-{k}\tx\t30\n" for k in LABELS))
    return root


@pytest.fixture(scope="module")
def out(root):
    assert run(root, root.parent / "out", "--values-from", "stat=effect", "--min-region-size", "1500") == 0
    return root.parent / "out"


def test_the_columns_are_those_of_the_contract(out):
    header = (out / "group_values.tsv").read_text().partition("\n")[0].split("\t")
    assert header == [
        "ses", "task", "space", "contrast", "stat", "entry", "set", "participant_id", "session", "region",
        "region_name", "sign", "n_voxels", "mean_value", "n_voxels_loo", "mean_value_loo", "peak_value", "dice",
        "dice_loo", "peak_distance_mm", "values_mean", "participants_task", "age",
    ]  # fmt: skip
    described = columns_of(out / "group_values.json")
    assert all(described[name]["Description"] for name in header)
    first = rows(out / "group_values.tsv")[0]
    assert (first["ses"], first["session"], first["contrast"], first["entry"]) == ("1", "ses-1", "a", "thr3p0")


def test_pandas_and_readers_like_that_of_r_see_every_cell(out):
    for path in out.glob("group_*.tsv"):
        plain = [line.split("\t") for line in path.read_text().rstrip("\n").split("\n")]
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        assert [list(frame.columns), *frame.to_numpy().tolist()] == plain
        # R's read.delim: tabs, a double quote quotes, nothing begins a comment
        assert list(csv.reader(io.StringIO(path.read_text()), delimiter="\t", quotechar='"')) == plain
    values = pd.read_csv(out / "group_values.tsv", sep="\t")
    people = pd.read_csv(out.parent / "maps" / "participants.tsv", sep="\t")
    assert len(values.merge(people, on="participant_id")) == len(values) == 10


def test_regions_bear_the_names_of_the_consensus_table(out):
    names = {row["index"]: row["name"] for row in rows(find(out, "Consensus_dseg.tsv", "tpl-*"))}
    assert {row["region"]: row["region_name"] for row in rows(out / "group_values.tsv")} == names


def test_the_largest_regions_of_both_signs_have_strips_and_what_the_others_choose_beside_them(out):
    page = (out / "group.html").read_text()
    for number, sign in ((1, "positive"), (2, "negative")):
        name = f"mean in region {number} ({sign})"
        assert f"{name}, z" in page
        assert f"{name}, where the others alone choose, z" in page


def test_values_mean_is_that_of_the_second_map(out):
    for row in rows(out / "group_values.tsv"):
        assert float(row["values_mean"]) == pytest.approx(10 * float(row["mean_value"]), rel=1e-6)


def test_without_each_in_turn_the_others_choose_the_voxels(out):
    """Brute force: three of five make a consensus voxel; which do the other four alone bring to three?"""
    labels, fewer = array(find(out, "Consensus_dseg.nii.gz")), False
    for row in rows(out / "group_values.tsv"):
        k, number = LABELS.index(row["participant_id"][4:]), int(row["region"])
        sign = 1 if row["sign"] == "positive" else -1
        others = (sign == SIGNED).sum(0) - (SIGNED[k] == sign)
        chosen = (labels == number) & (others >= 3)
        own = SIGNED[k] == sign  # one component, which touches the region
        assert chosen.sum() > LEAST
        fewer |= chosen.sum() < (labels == number).sum()
        assert int(row["n_voxels_loo"]) == chosen.sum()
        assert float(row["mean_value_loo"]) == pytest.approx(DATA[k][chosen].mean(dtype=float), rel=1e-6)
        assert float(row["dice_loo"]) == pytest.approx(2 * (own & chosen).sum() / (own.sum() + chosen.sum()))
    assert fewer


def test_fewer_than_the_minimum_size_have_no_left_out_values(root, tmp_path):
    """The same maps, and a minimum between what the others choose without sub-01 and the whole region."""
    target = tmp_path / "out"
    assert run(root, target, "--min-region-voxels", "45") == 0
    labels, table = array(find(target, "Consensus_dseg.nii.gz")), rows(target / "group_values.tsv")
    assert table
    for row in table:
        k, sign = LABELS.index(row["participant_id"][4:]), 1 if row["sign"] == "positive" else -1
        others = (sign == SIGNED).sum(0) - (SIGNED[k] == sign)
        few = ((labels == int(row["region"])) & (others >= 3)).sum() < 45
        assert (row["n_voxels_loo"] == "n/a") == (row["mean_value_loo"] == "n/a") == (row["dice_loo"] == "n/a") == few
    assert {row["n_voxels_loo"] == "n/a" for row in table} == {True, False}


def test_consensus_regions_have_the_minimum_size_of_the_participants(root, tmp_path):
    target = tmp_path / "out"
    assert run(root, target, "--min-region-voxels", "64", "--min-prevalence", "0.8") == 0
    shared = [(sign == SIGNED).sum(0) >= 4 for sign in (1, -1)]
    sizes = sorted(int(n) for m in shared for n in np.bincount(ndimage.label(m)[0].ravel())[1:] if n >= 64)
    assert sorted(int(row["n_voxels"]) for row in rows(find(target, "Consensus_dseg.tsv"))) == sizes
    assert len(sizes) == 1


def test_bounds_are_those_of_the_binomial_test(out):
    """Z of 3 in two tails: a voxel without an effect is found in one of them with a probability of sf(3)."""
    alpha, record = stats.norm.sf(3.0), read_json(find(out, "Consensus_dseg.json"))
    assert record["Consensus"]["FalsePositiveRate"] == pytest.approx(alpha, rel=1e-9)
    for sign, name in ((1, "Pos"), (-1, "Neg")):
        k = (sign == SIGNED).sum(0)
        shown = np.where(k > 0, stats.beta.ppf(0.05, np.maximum(k, 1), 5 - k + 1), 0)
        expected = np.where(k > 0, np.maximum(0, (shown - alpha) / (1 - alpha)), 0)
        path = find(out, f"{name}PrevalenceLower_probseg.nii.gz")
        np.testing.assert_allclose(array(path), expected, rtol=1e-6)
        assert path.name in record["Outputs"]
        assert "95 %" in read_json(path.with_name(path.name.replace(".nii.gz", ".json")))["Description"]
    for row in rows(find(out, "Consensus_dseg.tsv")):
        at = tuple(int(row[f"peak_{axis}"]) for axis in "ijk")
        k = int(((1 if row["sign"] == "positive" else -1) == SIGNED).sum(0)[at])
        assert (row["n_sharing"], row["n_with_data"]) == (str(k), "5")
        shown = stats.beta.ppf(0.05, k, 5 - k + 1)
        assert float(row["prevalence_lower"]) == pytest.approx((shown - alpha) / (1 - alpha), rel=1e-6)


def test_a_percentile_tells_no_rate_and_leaves_no_bound_and_takes_away_an_older_one(root, tmp_path):
    target = tmp_path / "out"
    configuration = tmp_path / "c.toml"
    for threshold in ("3.0", "97%"):
        configuration.write_text(f'[[regions]]\nname = "one"\nthreshold = "{threshold}"\n')
        assert run(root, target, "--config-file", configuration, "--force") == 0
        known = threshold == "3.0"
        assert len(list(target.glob("tpl-*/*Lower_probseg.*"))) == (4 if known else 0)
        assert ("prevalence_lower" in rows(find(target, "Consensus_dseg.tsv"))[0]) == known
        assert ("FalsePositiveRate" in read_json(find(target, "Consensus_dseg.json"))["Consensus"]) == known


def circularity(out):
    return "Circularity" in read_json(out / "group_values.json"), "circular" in (out / "group.html").read_text()


def test_the_note_stays_when_the_own_consensus_comes_back(root, out, tmp_path):
    """From the output folder, copied with its record, copied alone; a plain atlas has none."""
    note = read_json(out / "group_values.json")["Circularity"]
    for words in ("one-sample tests on the values are circular", "--group-by", "need independent regions"):
        assert words in note
    target = tmp_path / "out"
    shutil.copytree(out, target, ignore=shutil.ignore_patterns("group*"))
    consensus = find(target, "Consensus_dseg.nii.gz")
    alone, whole = tmp_path / "regions.nii.gz", tmp_path / consensus.name
    for path in (alone, whole):
        shutil.copy(consensus, path)
    shutil.copy(find(target, "Consensus_dseg.json"), tmp_path)
    for path in (consensus, alone, whole):
        assert run(root, target, "--regions-from", path, levels=("group",)) == 0
        assert circularity(target) == (True, True), path.name
    labels = array(consensus).copy()
    labels[labels > 0] = 3 - labels[labels > 0]  # other regions than this run makes; the record tells
    write_image(whole, labels)
    assert run(root, target, "--regions-from", whole, levels=("group",)) == 0
    assert circularity(target) == (True, True)
    atlas = write_image(tmp_path / "atlas.nii", np.ones(SHAPE, np.uint8))
    assert run(root, target, "--regions-from", atlas, levels=("group",)) == 0
    assert circularity(target) == (False, False)
    assert {row["n_voxels_loo"] for row in rows(target / "group_values.tsv")} == {"n/a"}


def test_an_atlas_brings_its_names(root, out, tmp_path):
    target = tmp_path / "out"
    shutil.copytree(out, target, ignore=shutil.ignore_patterns("group*"))
    labels = np.zeros(SHAPE, np.uint8)
    labels[A], labels[B] = 4, 9
    path = write_image(tmp_path / "mine_dseg.nii.gz", labels)
    (tmp_path / "mine_dseg.tsv").write_text("index\tname\n4\tHere\n")
    assert run(root, target, "--regions-from", path, levels=("group",)) == 0
    assert {row["region"]: row["region_name"] for row in rows(target / "group_values.tsv")} == {
        "4": "Here",
        "9": "region-9",
    }


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (1, "One participant: the consensus is its own regions"),
        (2, "2 participants: the consensus is the union of their regions; 1 of 2 say only that at least 3 %"),
        (4, "4 participants: the consensus is where 2 or more have a region; 2 of 4 say only that at least 10 %"),
    ],
)
def test_few_participants_are_told_what_their_consensus_is(n, words, tmp_path):
    root = start(tmp_path / "maps")
    for label in LABELS[:n]:
        write_person(root, label, person(label, a=True))
    assert run(root, tmp_path / "out") == 0
    told = read_json(find(tmp_path / "out", "Consensus_dseg.json"))["Warnings"]
    assert any(words in sentence for sentence in told), told
    assert words[:30] in (tmp_path / "out" / "group.html").read_text()


def test_a_set_without_a_consensus_tells_how_far_it_is_from_one(tmp_path):
    root = start(tmp_path / "maps")
    for k, label in enumerate(LABELS[:4]):
        write_person(root, label, person(label, a=k == 0, b=k == 1))
    assert run(root, tmp_path / "out") == 0
    assert "at most 1 of 4 share a voxel; a consensus needs 2 of 4." in (tmp_path / "out" / "group.html").read_text()
    empty = start(tmp_path / "empty")
    for label in LABELS[:2]:
        write_person(empty, label, person(label))
    assert run(empty, tmp_path / "none") == 0
    assert "None of 2 participants has a region." in (tmp_path / "none" / "group.html").read_text()


def test_where_both_signs_are_as_frequent_a_voxel_belongs_to_neither(tmp_path):
    root = start(tmp_path / "maps")
    for k, label in enumerate(LABELS[:4]):
        data = person(label)
        data[A] += 5 if k % 2 else -7
        data[B] += 5 if k else -7
        write_person(root, label, data)
    assert run(root, tmp_path / "out") == 0
    (region,) = rows(find(tmp_path / "out", "Consensus_dseg.tsv"))
    assert (region["sign"], region["n_voxels"], region["n_sharing"]) == ("positive", "64", "3")


def test_a_map_that_was_thresholded_before_has_data_where_its_mask_is(tmp_path):
    root = start(tmp_path / "maps")
    mask = np.ones(SHAPE, bool)
    mask[:, :2] = False
    for k, label in enumerate(LABELS[:4]):
        data = person(label, a=k < 2)
        data[data < 3] = 0
        write_person(root, label, data, mask=mask if k else None)
    assert run(root, tmp_path / "out") == 0
    out = tmp_path / "out"
    counts = 3.0 * mask
    counts[A] += 1
    np.testing.assert_allclose(array(find(out, "Coverage_probseg.nii.gz")), counts / 4, rtol=1e-6)
    words = "1 of 4 maps were thresholded before and have no mask"
    assert any(
        words in one and "cannot be told from coverage" in one
        for one in read_json(find(out, "Consensus_dseg.json"))["Warnings"]
    )


def test_zeros_inside_a_mask_are_no_data_in_a_map_with_noise(tmp_path):
    root, mask = start(tmp_path / "maps"), np.ones(SHAPE, bool)
    for k, label in enumerate(LABELS[:2]):
        data = person(label, a=True, no_data=np.s_[8:] if k else None) * 0.9
        write_person(root, label, data, mask=mask)
    assert run(root, tmp_path / "out") == 0
    coverage = array(find(tmp_path / "out", "Coverage_probseg.nii.gz"))
    assert (np.unique(coverage[:8]), np.unique(coverage[8:])) == (1, 0.5)


def test_one_who_agrees_with_nobody_is_named_with_the_number(tmp_path):
    """Five of six share a blob; sub-06 has as large a blob elsewhere."""
    root = start(tmp_path / "maps")
    for k in range(1, 7):
        data = person(f"{k:02d}", a=k < 6, shift=0)
        if k == 6:
            data[8:12, 6:10, 2:6] += 5
        if k < 6:
            data[4, 2 + k % 3, 3] = 1  # no two overlap wholly
        write_person(root, f"{k:02d}", data)
    assert run(root, tmp_path / "out") == 0
    flags = {row["participant_id"]: row["outlier"] for row in rows(tmp_path / "out" / "group_participants.tsv")}
    assert flags.pop("sub-06").startswith("low Dice with the others (z=-")
    assert set(flags.values()) == {"n/a"}
    page = (tmp_path / "out" / "group.html").read_text()
    assert "5 of 6 share the largest, region 1 (positive), at its peak; 1 consensus region (1 positive)." in page
    assert "At least 42 % of all people have a region there (95 % lower bound). sub-06 agrees with nobody" in page


def test_the_sign_of_all_maps_turned_round_turns_the_tables_round(root, out, tmp_path):
    """What is positive becomes negative, voxel for voxel and value for value."""
    other = start(tmp_path / "maps")
    for label, data in zip(LABELS, DATA, strict=True):
        write_person(other, label, -data, ses="1")
    assert run(other, tmp_path / "out") == 0
    one, two = (find(folder, "Consensus_dseg.nii.gz") for folder in (out, tmp_path / "out"))
    np.testing.assert_array_equal(array(one) > 0, array(two) > 0)
    turned = {"positive": "negative", "negative": "positive"}

    def told(folder, flip):
        table = rows(folder / "group_values.tsv")
        signs = (turned[row["sign"]] if flip else row["sign"] for row in table)
        values = (-float(row["mean_value_loo"]) if flip else float(row["mean_value_loo"]) for row in table)
        return sorted(
            zip((row["participant_id"] for row in table), signs, values, (row["dice"] for row in table), strict=True)
        )

    assert told(tmp_path / "out", True) == told(out, False)


def test_group_tables_are_json_described_and_valid(out):
    for path in out.glob("group_*.tsv"):
        assert set(path.read_text().partition("\n")[0].split("\t")) <= set(columns_of(path.with_suffix(".json")))
    assert nib.load(find(out, "PosPrevalenceLower_probseg.nii.gz")).get_data_dtype() == np.float32
    np.testing.assert_allclose(nib.load(find(out, "PosPrevalenceLower_probseg.nii.gz")).affine, AFFINE)


def test_maps_of_p_count_by_the_sign_of_their_regions(tmp_path):
    """The values of p tell no sign: the z beside them does. A p of 0 counts as any other."""
    root = start(tmp_path / "maps")
    for label in LABELS[:2]:
        z = person(label, a=True, b=True)
        write_person(root, label, z, mask=np.ones(SHAPE, bool))
        p = 2 * stats.norm.sf(np.abs(z))
        p[B] = 0
        path = map_path(root, label)
        write_image(path.with_name(path.name.replace("stat-z", "stat-p")), p.astype(np.float32))
    assert run(root, tmp_path / "out", "--stat", "p", "--threshold", "p=0.001") == 0
    out = tmp_path / "out"
    found = {name: array(find(out, f"{name}Prevalence_probseg.nii.gz")) for name in ("Pos", "Neg")}
    expected = {"Pos": np.zeros(SHAPE), "Neg": np.zeros(SHAPE)}
    expected["Pos"][A] = expected["Neg"][B] = 1
    for name, image in found.items():
        np.testing.assert_array_equal(image, expected[name])
    assert np.unique(array(find(out, "Coverage_probseg.nii.gz"))).tolist() == [1.0]


def test_one_participant_has_no_strips_and_a_lead_of_its_own(tmp_path):
    root = start(tmp_path / "maps")
    write_person(root, "01", person("01", a=True, b=True))
    assert run(root, tmp_path / "out") == 0
    page = (tmp_path / "out" / "group.html").read_text()
    assert "One participant alone: 2 regions (1 positive and 1 negative); the largest is region 1." in page
    assert 'class="strip"' not in page
