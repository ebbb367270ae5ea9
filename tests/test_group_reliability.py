"""Reliability over sessions and runs through the app, against plain recomputation and pingouin."""

import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pingouin
import pytest
from cohorts import (
    AFFINE,
    SHAPE,
    A,
    array,
    contents,
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
from scipy import ndimage

LABELS = ("01", "02", "03", "04", "05", "06")
NAME = "tpl-MNI152NLin2009cAsym_task-x_seg-contrast+a+stat+z_desc-thr3p0"


def visit(k, session):
    """A blob whose height is the person's and a little the session's, moved along x in some."""
    rng = np.random.default_rng(100 * k + session)
    data = person(LABELS[k], a=True, b=k % 2 == 0, shift=int(k == session))
    data[1:6, 2:6, 3:7] += 0.5 * k + rng.normal(0, 0.4)
    return data.astype(np.float32)


DATA = np.array([[visit(k, session) for session in (1, 2)] for k in range(6)])
SIGNED = np.where(np.abs(DATA) >= 3, np.sign(DATA), 0).astype(int)


def write_visits(root, **names):
    for k, label in enumerate(LABELS):
        for session in (1, 2):
            write_person(root, label, DATA[k, session - 1], ses=str(session), **names)
    write_person(root, "07", person("07", a=True), ses="1", **names)  # came once
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_visits(start(tmp_path_factory.mktemp("visits") / "maps"))


@pytest.fixture(scope="module")
def out(root):
    assert run(root, root.parent / "out") == 0
    return root.parent / "out"


def pooled(out):
    return out / "tpl-MNI152NLin2009cAsym" / (NAME + "PooledConsensus_dseg.nii.gz")


def test_the_regions_are_those_of_the_maps_of_all_sessions_together(out):
    once = person("07", a=True)
    signed = np.concatenate([SIGNED.reshape(-1, *SHAPE), [np.where(np.abs(once) >= 3, np.sign(once), 0)]])
    share = (signed == 1).mean(0)
    expected, n = ndimage.label((share >= 0.5) & (share > (signed == -1).mean(0)))
    assert n == 1
    np.testing.assert_array_equal(array(pooled(out)) == 1, expected == 1)
    record = read_json(str(pooled(out)).replace(".nii.gz", ".json"))
    assert record["Participants"] == {"Counted": 7}
    assert any("Maps of 2 sessions (1, 2) are pooled" in one for one in record["Warnings"])
    assert len(record["Sources"]) == 13


def test_the_table_has_the_columns_of_the_contract_and_the_numbers_of_pingouin(out):
    header = (out / "group_reliability.tsv").read_text().partition("\n")[0].split("\t")
    limits = [f"icc{k}{end}" for k in (1, 2, 3) for end in ("", "_low", "_high")]
    assert header == ["set", "region", "region_name", "n", *limits]
    assert all(read_json(out / "group_reliability.json")[name]["Description"] for name in header)
    table = rows(out / "group_reliability.tsv")
    labels = array(pooled(out))
    assert [row["region"] for row in table] == [str(k) for k in range(1, labels.max() + 1)]
    for row in table:
        assert (row["set"], row["n"], row["region_name"]) == (NAME, "6", f"region-{row['region']}")
        means = DATA[:, :, labels == int(row["region"])].mean(axis=-1, dtype=float)
        frame = pd.DataFrame({"who": np.repeat(range(6), 2), "when": [1, 2] * 6, "value": means.ravel()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pingouin's own, of the pandas it uses
            told = pingouin.intraclass_corr(frame, targets="who", raters="when", ratings="value").head(3)
        np.testing.assert_allclose([float(row[f"icc{k}"]) for k in (1, 2, 3)], told["ICC"], rtol=1e-5)
        limits = np.array(told.filter(like="CI95").iloc[:, 0].tolist())
        found = [[float(row[f"icc{k}_{end}"]) for end in ("low", "high")] for k in (1, 2, 3)]
        np.testing.assert_allclose(found, limits, atol=0.00501)


def test_each_participants_regions_are_compared_with_its_own(out):
    table = rows(out / "group_retest.tsv")
    assert [row["participant_id"] for row in table] == [f"sub-{label}" for label in LABELS]
    for k, row in enumerate(table):
        one, other = SIGNED[k]
        shared = ((one == other) & (one != 0)).sum()
        assert (row["occasion"], row["other_occasion"]) == ("ses-1", "ses-2")
        assert float(row["dice"]) == pytest.approx(2 * shared / ((one != 0).sum() + (other != 0).sum()))
    assert set(table[0]) <= set(read_json(out / "group_retest.json"))


def test_neither_workers_nor_a_second_run_change_a_byte(root, out):
    again = root.parent / "again"
    shutil.copytree(out, again, ignore=shutil.ignore_patterns("tpl-*", "group*"))
    assert run(root, again, "--nprocs", "3", levels=("group",)) == 0
    assert contents(again) == contents(out)


def test_none_takes_the_tables_away(root, out, tmp_path):
    target = tmp_path / "out"
    shutil.copytree(out, target)
    assert run(root, target, "--reliability", "none", levels=("group",)) == 0
    assert not list(target.glob("group_re[lt]*"))
    assert (target / "group_values.tsv").is_file()


def test_values_are_taken_in_the_regions_asked_for(root, out, tmp_path):
    target = tmp_path / "out"
    shutil.copytree(out, target, ignore=shutil.ignore_patterns("group*"))
    labels = np.zeros(SHAPE, np.uint8)
    labels[A] = 5
    path = write_image(tmp_path / "mine.nii.gz", labels)
    assert run(root, target, "--regions-from", path, levels=("group",)) == 0
    (row,) = rows(target / "group_reliability.tsv")
    assert (row["region"], row["region_name"]) == ("5", "region-5")
    means = DATA[:, :, labels == 5].mean(axis=-1, dtype=float)
    error = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    between, rest = 2 * means.mean(1).var(ddof=1), (error**2).sum() / 5
    assert float(row["icc3"]) == pytest.approx((between - rest) / (between + rest), rel=1e-6)
    assert "Circularity" not in read_json(target / "group_reliability.json")
    assert "Circularity" in read_json(out / "group_reliability.json")


def test_sessions_on_another_grid_are_brought_together(tmp_path):
    """The second session's files run from right to left: the same voxels, so the same numbers."""
    plain, flipped = start(tmp_path / "plain"), start(tmp_path / "flipped")
    flip = AFFINE @ np.diag([-1.0, 1, 1, 1])
    flip[:3, 3] = (AFFINE @ [SHAPE[0] - 1, 0, 0, 1])[:3]
    write_visits(plain)
    for k, label in enumerate(LABELS):
        write_person(flipped, label, DATA[k, 0], ses="1")
        write_person(flipped, label, DATA[k, 1][::-1], ses="2", affine=flip)
    write_person(flipped, "07", person("07", a=True), ses="1")
    for folder in (plain, flipped):
        assert run(folder, tmp_path / f"out-{folder.name}") == 0
    for name in ("group_reliability.tsv", "group_retest.tsv"):
        assert rows(tmp_path / "out-plain" / name) == rows(tmp_path / "out-flipped" / name)


def test_runs_are_occasions_too_and_three_of_them_make_three_pairs(tmp_path):
    root = start(tmp_path / "maps")
    for k, label in enumerate(LABELS[:3]):
        for number in (1, 2, 10):
            path = map_path(root, label)
            data = visit(k, number).astype(np.float32)
            write_image(path.with_name(path.name.replace("_space", f"_run-{number}_space")), data)
    assert run(root, tmp_path / "out") == 0
    table = rows(tmp_path / "out" / "group_retest.tsv")
    pairs = [(row["occasion"], row["other_occasion"]) for row in table[:3]]
    assert pairs == [("run-1", "run-2"), ("run-1", "run-10"), ("run-2", "run-10")]
    assert {row["n"] for row in rows(tmp_path / "out" / "group_reliability.tsv")} == {"3"}


def test_without_a_second_session_there_is_nothing_to_tell(tmp_path):
    root = start(tmp_path / "maps")
    for label in LABELS[:2]:
        write_person(root, label, person(label, a=True), ses="1")
    write_person(root, "03", person("03", a=True), ses="2")  # another person: no occasion of anybody
    assert run(root, tmp_path / "out") == 0
    assert not list((tmp_path / "out").glob("group_re[lt]*"))


def test_the_page_tells_it(out):
    page = (out / "group.html").read_text()
    assert "median ICC(3,1) of the mean values" in page
    assert "6 participants on 2 sessions" in page
    assert find(out, "ses-1_task-x_seg-contrast+a+stat+z_desc-thr3p0Consensus_dseg.tsv").is_file()


def test_reliabilities_of_one_title_are_told_apart_on_the_page(tmp_path):
    root, out = start(tmp_path / "maps"), tmp_path / "out"
    for label in ("01", "02"):
        for ses in "12":
            for number in "12":
                write_person(root, label, person(label, a=True), ses=ses, task=f"x_run-{number}")
    assert run(root, out) == 0
    page = (out / "group.html").read_text()
    names = re.findall(r'<section class="map reliability" [^>]*aria-labelledby="([^"]+)"', page)
    said = [
        " ".join(re.search(rf'id="{re.escape(key)}">([^<]+)<', page).group(1) for key in name.split()) for name in names
    ]
    assert len(set(said)) == len(said) == 4
    assert {words.rpartition("≥ 3.0 ")[2] for words in said} == {
        f"{which}, space-MNI152NLin2009cAsym"
        for which in ("ses-1, task-x", "ses-2, task-x", "task-x, run-1", "task-x, run-2")
    }
