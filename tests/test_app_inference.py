"""Random field theory through the app: options, sidecars, columns, the record, refusals."""

import copyreg
import json

import numpy as np
import pytest
from scipy import ndimage
from tblib import pickling_support
from trees import describe, write_json, write_map

from bids_regions.cli import main
from bids_regions.errors import BadMap
from bids_regions.tables import rows_of

SHAPE = (26, 28, 24)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
NAME = "sub-01/sub-01_space-T_contrast-a_stat-{}_statmap"
THEORY = [
    "SearchVolume", "FWHM", "Resels", "ExpectedVoxels", "ExpectedClusters", "SetClusters", "SetP", "FWEp", "FDRp",
    "FWEc", "FDRc",
]  # fmt: skip


def smooth_map(fwhm=3.0, blob=6.0):
    """Smooth noise with a blob of either sign, and the mask it lies in."""
    noise = np.random.default_rng(1).standard_normal(SHAPE)
    noise = ndimage.gaussian_filter(noise, fwhm / 2.355) if fwhm else noise
    data = noise / noise.std()
    data[4:9, 4:9, 4:9] += blob
    data[15:20, 15:20, 12:17] -= blob
    mask = np.zeros(SHAPE, bool)
    mask[2:-2, 2:-2, 2:-2] = True
    return (data * mask).astype(np.float32), mask


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one t map with its mask; `sidecar` writes what its sidecar tells."""
    root = describe(tmp_path / "maps")
    data, mask = smooth_map()
    write_map(root / f"{NAME.format('t')}.nii.gz", data, AFFINE)
    write_map(root / "sub-01/sub-01_space-T_desc-brain_mask.nii.gz", mask.astype(np.uint8), AFFINE)
    sidecar(root, DegreesOfFreedom=40)
    return root


def sidecar(root, **content):
    write_json(root / f"{NAME.format('t')}.json", content)


def run(root, *words, out="out"):
    code = main([str(root), str(root.parent / out), "participant", *words])
    records = sorted((root.parent / out).rglob("*_dseg.json"))
    if code or not records:
        return code, None, None, None
    tables = [rows_of(records[0].with_name(records[0].name.replace(*names)).read_text())
              for names in (("_dseg.json", "_dseg.tsv"), ("_dseg.json", "_peaks.tsv"))]  # fmt: skip
    return code, json.loads(records[0].read_text()), *tables


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"Smoothness": {"FWHM": [6, 6.5, 7], "Volume": 9}}, ()),
        ({"noiseFWHMInVoxels": [3, 3.25, 3.5]}, ()),
        ({}, ("--smoothness", "6", "6.5", "7")),
        ({"Smoothness": {"FWHM": 20}}, ("--smoothness", "6", "6.5", "7")),
    ],
)
def test_the_smoothness_of_options_and_sidecars_ends_in_the_record(dataset, told, words):
    sidecar(dataset, DegreesOfFreedom=40, **told)
    code, record, regions, peaks = run(dataset, "--threshold", "p=0.01", "--rft", "--min-region-voxels", "5", *words)
    assert code == 0
    assert list(record["FieldTheory"]) == THEORY
    assert record["FieldTheory"]["FWHM"] == record["Smoothness"]["FWHM"] == [6, 6.5, 7]
    assert record["Smoothness"]["Origin"] == ("option" if words else "sidecar")
    assert record["FieldTheory"]["SearchVolume"] == 22 * 24 * 20
    assert record["Criteria"]["connectivity"] == 18
    for column in ("p_cluster", "p_cluster_unc", "q_cluster", "p_peak", "q_peak"):
        assert 0 <= float(regions[0][column]) <= 1
    assert list(peaks[0])[-4:] == ["z_equivalent", "p_unc", "p_fwe", "q_fdr"]
    assert (regions[0]["p_peak"], regions[0]["q_peak"]) == (peaks[0]["p_fwe"], peaks[0]["q_fdr"])
    assert {row["sign"] for row in regions} == {"positive", "negative"}
    assert all(float(row["z_equivalent"]) * float(row["value"]) > 0 for row in peaks)


def test_a_bare_fwhm_is_not_taken_and_said(dataset):
    sidecar(dataset, DegreesOfFreedom=40, FWHM=6)
    _, record, regions, _ = run(dataset, "--threshold", "p=0.01", "--rft", "--min-region-voxels", "5")
    assert record["Smoothness"]["Origin"] == "map"
    assert (regions[0]["p_peak"], regions[0]["q_peak"]) == ("n/a", "n/a")
    assert "FWEp" not in record["FieldTheory"]
    assert any("FWHM is not used" in warning for warning in record["Warnings"])
    assert any("p and q of peaks are left out" in warning for warning in record["Warnings"])


@pytest.mark.parametrize(("fwhm", "words"), [(0, "are too small"), (1.5, "can be too small"), (3.0, "")])
def test_rough_maps_are_warned_of(dataset, fwhm, words):
    write_map(dataset / f"{NAME.format('t')}.nii.gz", smooth_map(fwhm, blob=0)[0], AFFINE)
    _, record, _, _ = run(dataset, "--threshold", "3.5", "--grf")
    said = [warning for warning in record["Warnings"] if "hardly smooth" in warning]
    assert [words in warning for warning in said] == ([True] if words else [])


def test_what_is_wrong_with_a_map_travels_as_dask_sends_it(dataset, monkeypatch, capsys):
    """Dask's library sends the cause of a fault along, and the cause of that."""
    monkeypatch.setitem(copyreg.dispatch_table, BadMap, pickling_support.pickle_exception)
    assert run(dataset, "--threshold", "fwe=0.05")[0] == 1
    assert "needs the smoothness of the residuals, and nothing tells it" in capsys.readouterr().err


def test_a_family_wise_height_without_smoothness_fails_the_map(dataset, capsys):
    code, *_ = run(dataset, "--threshold", "fwe=0.05")
    assert code == 1
    assert "threshold fwe=0.05 needs the smoothness of the residuals, and nothing tells it" in capsys.readouterr().err
    code, record, _, _ = run(dataset, "--threshold", "fwe=0.05", "--smoothness", "6", "6", "6")
    assert code == 0
    assert (record["RegionsEntry"], record["Threshold"]["Kind"]) == ("fwe0p05", "fwe")
    assert (record["Smoothness"]["FWHM"], record["Smoothness"]["Origin"]) == ([6, 6, 6], "option")
    assert record["Threshold"]["NumberTested"] == 22 * 24 * 20


def test_a_convention_takes_the_mask_where_inference_needs_it(dataset):
    words = ("--convention", "spm", "--threshold", "p=0.01")
    _, plain, _, _ = run(dataset, *words, out="plain")
    _, asked, _, _ = run(dataset, *words, "--rft", "--smoothness", "6", "6", "6", out="asked")
    assert plain["Mask"]["Source"] == "none"
    assert asked["Mask"]["Source"].endswith("_mask.nii.gz")
    assert asked["Threshold"]["Cutoff"] == plain["Threshold"]["Cutoff"]


@pytest.mark.parametrize(
    "words",
    [("--grf", "--rft"), ("--rft", "--threshold", "97%"), ("--rft", "--extract-type", "local_regions"),
     ("--smoothness", "6", "6"), ("--grf", "--connectivity", "18")],
)  # fmt: skip
def test_contradictions_end_with_64(dataset, words):
    assert run(dataset, *words)[0] == 64


def test_the_configuration_file_knows_the_same(dataset, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        'threshold = "p=0.01"\nsmoothness = [6, 6.5, 7]\n[[regions]]\nname = "rft"\nrft = true\nmin_region_voxels = 5\n'
    )
    code, record, regions, _ = run(dataset, "--config-file", str(path))
    assert code == 0
    assert record["FieldTheory"]["FWHM"] == [6, 6.5, 7]
    assert regions[0]["q_cluster"] != "n/a"


def test_the_page_and_the_methods_text_tell_it(dataset):
    run(dataset, "--threshold", "p=0.01", "--rft", "--smoothness", "6", "6.5", "7", "--min-region-voxels", "5")
    page = (dataset.parent / "out" / "sub-01.html").read_text()
    told = (
        '<p class="footnote">Random field theory: FWHM 6 × 6.5 × 7 mm', "Expected in noise", "p of so many",
        "Significant at 0.05", "cluster q", "peak p",
    )  # fmt: skip
    assert [words for words in told if words not in page] == []
    methods = (dataset.parent / "out" / "logs" / "CITATION.md").read_text()
    assert "with the formulas of SPM12" in methods
    assert "given as an FWHM of 6, 6.5 and 7 mm along x, y and z" in methods
    assert "Chumbley" in methods
