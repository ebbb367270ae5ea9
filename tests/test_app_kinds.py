"""Maps of every kind through the command line: what is selected, skipped, refused, recorded and drawn."""

import json
import re

import nibabel as nib
import numpy as np
import pytest
from scipy import stats
from trees import AFFINE, describe, write_json, write_map

from bids_regions.cli import main

SHAPE = (12, 14, 10)
NAME = "sub-01_task-a_space-T_contrast-x"
BRAIN = np.zeros(SHAPE, bool)
BRAIN[1:-1, 1:-1, 1:-1] = True
T = np.random.default_rng(0).normal(size=SHAPE) * BRAIN
T[3:6, 3:6, 3:6], T[7:10, 8:11, 5:8] = 5, -6
T[4, 4, 4], T[8, 9, 6] = 7, -8
P = np.where(BRAIN, 2 * stats.norm.sf(np.abs(T)), 1).astype(np.float32)


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the app on maps by `stat-` (or by whatever stands before _statmap) and gives code, words, records, rows."""
    root, folder = describe(tmp_path / "in"), tmp_path / "in" / "sub-01" / "func"

    def go(maps, *words, sidecars=(), mask=True):
        for told, data in maps.items():
            entity = told if "-" in told else f"stat-{told}"
            write_map(folder / f"{NAME}_{entity}_statmap.nii.gz", np.asarray(data, np.float32))
        for told, content in dict(sidecars).items():
            write_json(folder / f"{NAME}_stat-{told}_statmap.json", content)
        if mask:
            write_map(folder / "sub-01_task-a_space-T_desc-brain_mask.nii.gz", BRAIN.astype(np.uint8))
        asked = ["participant", "--nprocs", "1", "--min-region-voxels", "5", *words]
        code = main([str(root), str(tmp_path / "out"), *asked])
        found = sorted((tmp_path / "out").rglob("*_dseg.json"))
        return code, capsys.readouterr().err, found

    return go


def rows(record):
    lines = record.with_suffix(".tsv").read_text().rstrip("\n").split("\n")
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


def labels(record):
    return np.asanyarray(nib.load(record.with_suffix(".nii.gz")).dataobj)


@pytest.mark.parametrize("word", ["p", "pFWE"])
def test_no_page_calls_the_p_of_a_map_uncorrected_or_halved(run, tmp_path, word):
    """Whether its p are corrected is the map's own word's to say; p=0.05 is p <= 0.05 as it stands."""
    run({word: P}, "--stat", word, "--p-scale", "p", "--threshold", "p=0.001")
    page, text = (tmp_path / "out" / "sub-01.html").read_text(), (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    assert f"{word} ≤ 0.001: 2 regions" in page
    for words in (page, text):
        assert "maps of p were thresholded where their p is 0.001 or less, as it stands, for both signs" in words
        assert "ncorrected p" not in words
        assert "halved" not in words


def test_maps_of_p_and_of_z_under_one_rule_are_told_apart(run, tmp_path):
    run({"p": P, "z": T}, "--stat", "p", "z", "--threshold", "p=0.001")
    text = (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    of_p = "maps of p where their p is 0.001 or less, as it stands"
    both = f"at an uncorrected p of 0.001, halved for the two tails ({of_p})"
    assert f"maps were thresholded {both}" in text


def test_a_rule_that_is_one_for_maps_of_p_and_of_z_is_told_once(run, tmp_path):
    run({"p": P, "z": T}, "--stat", "p", "z", "--threshold", "fdr=0.05")
    text = (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    assert "maps were thresholded at a false discovery rate of 0.05 (Benjamini-Hochberg), for both signs" in text


def test_a_map_of_p_with_the_z_beside_it(run):
    code, _, (record,) = run({"p": P, "z": T, "t": T * 2}, "--stat", "p", "--threshold", "p=0.001")
    content = json.loads(record.read_text())
    assert code == 0
    assert content["Statistic"] == {"Kind": "p", "PScale": "p"}
    assert content["Threshold"]["Cutoff"] == 0.001
    assert content["PeaksFrom"].endswith("stat-z_statmap.nii.gz")
    assert content["PeaksFrom"] in content["Sources"]
    assert [(row["sign"], row["peak_value"]) for row in rows(record)] == [("positive", "7"), ("negative", "-8")]
    assert np.array_equal(labels(record) > 0, np.isin(labels(record), (1, 2)))
    page = (record.parents[2] / "sub-01.html").read_text()
    assert "p at or below 0.001, p=0.001 as the map has it; without signs" in page
    assert "p ≤ 0.001" in page


def test_peaks_from_the_sibling_that_is_named(run):
    _, _, (record,) = run({"p": P, "z": T, "t": T * 2}, "--stat", "p", "--threshold", "p=0.001",
                          "--peaks-from", "stat=t")  # fmt: skip
    assert [row["peak_value"] for row in rows(record)] == ["14", "-16"]


@pytest.mark.parametrize("how", ["option", "sidecar"])
def test_the_scale_of_a_corrected_map_is_told(run, how):
    words = ("--p-scale", "1-p") if how == "option" else ()
    sidecars = {"corrp": {"PScale": "1-p"}} if how == "sidecar" else {}
    code, _, (record,) = run({"corrp": 1 - P}, "--stat", "corrp", "--threshold", "p=0.001",
                             "--min-region-voxels", "1", *words, sidecars=sidecars)  # fmt: skip
    assert code == 0
    assert json.loads(record.read_text())["Statistic"] == {"Kind": "corrp", "PScale": "1-p"}
    assert np.array_equal(labels(record) > 0, np.float32(0.001) >= P)


def test_a_scale_that_nobody_tells_is_skipped(run):
    code, words, records = run({"fwep": P}, "--stat", "fwep", "--threshold", "p=0.05")
    assert (code, records) == (18, [])
    assert "a p map whose scale is not told (fwep)" in words
    assert "--p-scale" in words


def test_a_bare_value_on_p_fails_with_what_to_write(run):
    code, words, records = run({"p": P}, "--stat", "p", "--threshold", "0.05")
    assert (code, records) == (1, [])
    assert "write p=0.05" in words


def test_nan_on_a_map_of_p_is_no_p_of_zero(run):
    data = P.copy()
    data[4, 4, 4] = np.nan
    data[3, 3, 3] = 0
    _, _, (record,) = run({"p": data}, "--stat", "p", "--threshold", "p=0.001", "--also-write", "thresholded")
    assert labels(record)[4, 4, 4] == 0
    assert labels(record)[3, 3, 3] > 0
    (kept,) = record.parent.glob("*Thresholded_statmap.nii.gz")
    written = nib.load(kept)
    assert np.array_equal(written.get_fdata() == 1, labels(record) == 0)
    assert int(written.header["intent_code"]) == 22


def test_without_stat_the_suffix_desc_and_intent_tell(run, tmp_path):
    path = tmp_path / "in" / "sub-01" / "func" / f"{NAME}_desc-smooth_statmap.nii.gz"
    image = nib.Nifti1Image((T**2).astype(np.float32), AFFINE)
    image.header.set_intent("f test", (2, 98))
    path.parent.mkdir(parents=True)
    nib.save(image, path)
    _, _, (record,) = run({}, "--threshold", "p=0.001")
    content = json.loads(record.read_text())
    assert content["Statistic"] == {"Kind": "F", "DegreesOfFreedom": [2.0, 98.0]}
    assert content["Threshold"]["Cutoff"] == pytest.approx(stats.f.isf(0.001, 2, 98))


@pytest.mark.parametrize(
    ("words", "sidecar", "dof"),
    [(("--dof", "2", "98"), {"DegreesOfFreedom": [3, 50]}, (2, 98)), ((), {"DegreesOfFreedom": [3, 50]}, (3, 50))],
)
def test_the_two_degrees_of_freedom_of_f(run, words, sidecar, dof):
    code, _, (record,) = run({"F": T**2}, "--stat", "F", "--threshold", "p=0.001", *words, sidecars={"F": sidecar})
    assert code == 0
    assert json.loads(record.read_text())["Threshold"]["Cutoff"] == pytest.approx(stats.f.isf(0.001, *dof))


def test_a_map_of_degrees_of_freedom_is_taken_voxel_by_voxel(run):
    dof = np.where(np.arange(SHAPE[0])[:, None, None] < 6, 8.0, 40.0) * BRAIN
    _, _, (record,) = run({"t": T, "dof": dof}, "--threshold", "p=0.001", "--min-region-voxels", "1")
    cutoffs = np.where(dof > 0, stats.t.isf(0.0005, np.maximum(dof, 1)), np.inf)
    assert np.array_equal(labels(record) > 0, np.abs(T.astype(np.float32)) >= cutoffs)
    threshold = json.loads(record.read_text())["Threshold"]
    assert threshold["CutoffRange"] == pytest.approx([stats.t.isf(0.0005, 40), stats.t.isf(0.0005, 8)])


def test_what_stands_beside_a_map_may_be_stored_in_another_order(run, tmp_path):
    dof = np.where(np.arange(SHAPE[0])[:, None, None] < 6, 8.0, 40.0) * BRAIN
    words = ("--threshold", "p=0.001", "--values-from", "stat=effect", "--force")
    _, _, (record,) = run({"t": T, "dof": dof, "effect": T / 3}, *words)
    before, table = labels(record), rows(record)
    for path in (tmp_path / "in").rglob("*"):
        if re.search("stat-(dof|effect)|mask", path.name):
            image = nib.load(path)
            turned = nib.orientations.axcodes2ornt("PIL")
            moved = image.as_reoriented(
                nib.orientations.ornt_transform(nib.orientations.io_orientation(image.affine), turned)
            )
            nib.save(nib.Nifti1Image(np.asarray(moved.dataobj), moved.affine), path)
    code, said, (record,) = run({}, *words, mask=False)
    assert code == 0, said
    assert np.array_equal(labels(record), before)
    assert rows(record) == table
    assert "another grid" not in record.read_text()


def test_a_map_of_infinities_alone_is_a_result(run):
    data = np.zeros(SHAPE)
    data[3:6, 3:6, 3:6] = np.inf
    code, _, (record,) = run({"z": data}, mask=False)
    (row,) = rows(record)
    assert (code, row["n_voxels"], row["peak_value"], row["mean_value"]) == (0, "27", "n/a", "n/a")
    content = json.loads(record.read_text())
    assert (content["Counts"]["NonFiniteVoxels"], content["Counts"]["InfiniteVoxels"]) == (27, 27)
    assert content["Warnings"][0].endswith("(27 of them lie in regions)")  # there is no largest finite magnitude


def test_a_cutoff_that_infinite_values_alone_meet_is_told_so(run):
    data = np.random.default_rng(0).normal(0, 0.3, SHAPE)
    data[3:6, 3:6, 3:6] = np.inf
    _, _, (record,) = run({"z": data}, "--threshold", "fdr=0.05", mask=False)
    warnings = json.loads(record.read_text())["Warnings"]
    assert len(rows(record)) == 1
    assert warnings[-1] == "no finite value meets fdr=0.05"


def test_a_background_constant_is_no_sign_of_clipping(run):
    data = np.where(BRAIN, T, -9.5)
    _, _, (record,) = run({"z": data}, mask=False)
    (told,) = json.loads(record.read_text())["Warnings"]
    assert told.endswith("have the one value -9.5: taken as background, which is no data")


def test_one_sided_maps_are_taken_only_when_asked_for(run):
    code, words, records = run({"desc-tsnr": np.abs(T)})
    assert (code, records) == (18, [])
    assert "a map of tsnr, which is taken only where --stat asks for it" in words
    code, _, records = run({}, "--stat", "tsnr")
    assert (code, len(records)) == (0, 1)
