"""4-D files volume by volume, and maps of other suffixes: equal to nilearn's regions of each volume by itself."""

import gzip
import json
import warnings

import nibabel as nib
import numpy as np
import pytest
import trees
from nifti_bytes import nifti, ramp

from bids_regions.cli import main
from bids_regions.errors import BadMap
from bids_regions.images import load_statmap
from bids_regions.results.placement import LABELS

N = 3
SERIES = np.stack([trees.make_data(f"volume {number}") * (1 + number / 4) for number in range(N)], axis=-1)
WORDS = ("--threshold", "3.0", "--min-region-size", "500", "-q")


def dataset(root, *names):
    trees.describe(root)
    for name in names or ("sub-01/func/sub-01_task-a_space-T_contrast-x_stat-z_statmap.nii.gz",):
        trees.write_map(root / name, SERIES)
    return root


def run(root, *words):
    return main([str(root / "in"), str(root / "out"), *map(str, words), *WORDS])


def labels_of(output, contains=""):
    return sorted(path for path in output.rglob(f"*{LABELS}") if contains in path.name)


# ---- reading


@pytest.mark.parametrize("volume", [1, 2, 3])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_a_volume_is_read_alone(tmp_path, volume, extension):
    content = nifti(ramp((4, 5, 3, 3), np.int16), scl_slope=0.5)
    path = trees.touch(tmp_path / f"x{extension}", gzip.compress(content) if extension == ".nii.gz" else content)
    found = load_statmap(path, volume)
    assert np.array_equal(found.data, nib.load(path).get_fdata()[..., volume - 1])
    assert found.notes == ()


def test_a_volume_that_is_not_there_or_cut_is_told(tmp_path):
    path = trees.touch(tmp_path / "x.nii", nifti(ramp((4, 5, 3, 3))))
    with pytest.raises(BadMap, match=r"x\.nii has 3 volumes and none of number 4"):
        load_statmap(path, 4)
    trees.touch(tmp_path / "x.nii.gz", gzip.compress(nifti(ramp((4, 5, 3, 3)))[:-4]))
    with pytest.raises(BadMap, match="4 bytes of its voxels are missing"):
        load_statmap(tmp_path / "x.nii.gz", 2)


# ---- the app


def test_each_volume_is_a_map_of_its_own(tmp_path):
    dataset(tmp_path / "in")
    assert run(tmp_path, "participant", "--volumes", "all") == 0
    found = labels_of(tmp_path / "out")
    stem = "sub-01_task-a_space-T_seg-contrast+x+stat+z+volume+{}_desc-thr3p0_dseg.nii.gz"
    assert [path.name for path in found] == [stem.format(number) for number in (1, 2, 3)]
    for number, path in enumerate(found):
        record = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert record["SourceEntities"]["volume"] == str(number + 1)
        assert record["Sources"][0].endswith("_contrast-x_stat-z_statmap.nii.gz")
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert all(f"(volume {number})" in page for number in (1, 2, 3))


def test_volumes_equal_single_maps_of_the_same_numbers(tmp_path):
    dataset(tmp_path / "in")
    assert run(tmp_path, "participant", "--volumes", "2", "3", "--also-write", "thresholded") == 0
    for number in (2, 3):
        name = f"sub-01/func/sub-01_task-a_space-T_contrast-v{number}_stat-z_statmap.nii.gz"
        trees.write_map(trees.describe(tmp_path / "single" / "in") / name, SERIES[..., number - 1])
    assert run(tmp_path / "single", "participant", "--also-write", "thresholded") == 0
    for number in (2, 3):
        for ending in ("_dseg.nii.gz", "_dseg.tsv", "_peaks.tsv", "Thresholded_statmap.nii.gz"):
            (one,) = (tmp_path / "out").rglob(f"*volume+{number}_*{ending}")
            (other,) = (tmp_path / "single" / "out").rglob(f"*contrast+v{number}+*{ending}")
            assert one.read_bytes() == other.read_bytes()


def test_what_stands_beside_a_series_is_found_for_each_volume(tmp_path):
    t, effect, dof, p = (
        f"sub-01/func/sub-01_task-a_space-T_contrast-x_stat-{s}_statmap.nii.gz" for s in ("t", "effect", "dof", "p")
    )
    root = dataset(tmp_path / "in", t)
    trees.write_map(root / effect, SERIES * 10)
    trees.write_map(root / dof, np.full(SERIES.shape[:3], 40, dtype="f4"))  # of all volumes
    words = ("--stat", "t", "--volumes", "all", "--values-from", "stat=effect")
    assert run(tmp_path, "participant", *words, "--threshold", "p=0.001") == 0
    records = sorted((tmp_path / "out").rglob("*desc-p0p001_dseg.json"))
    assert [json.loads(path.read_text())["Threshold"]["DegreesOfFreedom"] for path in records] == [40, 40, 40]
    for path in records:
        header, *rows = (line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines())
        peak, values = header.index("peak_value"), header.index("values_at_peak")
        assert rows
        assert [float(row[values]) for row in rows] == pytest.approx([10 * float(row[peak]) for row in rows])
    trees.write_map(root / p, np.where(np.abs(SERIES) > 3, 0.001, 0.5).astype("f4"))
    words = ("--stat", "p", "--volumes", "3", "--peaks-from", "stat=effect", "--threshold", "p=0.01", "-q")
    assert main([str(root), str(tmp_path / "out"), "participant", *words]) == 0
    (path,) = (tmp_path / "out").rglob("*desc-p0p01_dseg.json")
    assert json.loads(path.read_text())["PeaksFrom"].endswith("_stat-effect_statmap.nii.gz")


def test_nilearns_regions_of_a_series_volume_by_volume(tmp_path):
    from nilearn.regions import connected_regions  # noqa: PLC0415 # 2 s, for this test

    dataset(tmp_path / "in")
    words = ["--threshold", "97%", "--convention", "nilearn", "--extract-type", "connected_components", "-q"]
    words += ["--volumes", "all", "--also-write", "regions4d"]
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", *words]) == 0
    found = sorted((tmp_path / "out").rglob("*Regions_statmap.nii.gz"))
    assert len(found) == N
    ours = [nib.load(path).get_fdata() for path in found]
    image = nib.Nifti1Image(SERIES, trees.AFFINE)
    from bids_regions.extraction import Criteria, find_regions  # noqa: PLC0415 # the cutoff is ours, the regions theirs

    for number, volumes in enumerate(ours):
        criteria = Criteria(convention="nilearn", threshold="97%", extract_type="connected_components")
        cutoff = find_regions(SERIES[..., number], trees.AFFINE, criteria).cutoff.value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cut = np.where(np.abs(SERIES[..., number]) >= cutoff, SERIES[..., number], 0)
            theirs, _ = connected_regions(
                nib.Nifti1Image(cut, image.affine), min_region_size=1350, extract_type="connected_components"
            )
        assert np.array_equal(volumes, theirs.get_fdata())


def test_without_volumes_the_hint_names_the_option(tmp_path, capsys):
    dataset(tmp_path / "in")
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant"]) == 18
    assert "Take its volumes by --volumes all" in capsys.readouterr().err


def test_a_volume_that_no_file_has_leaves_it_out_with_a_reason(tmp_path, capsys):
    dataset(tmp_path / "in")
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--volumes", "7"]) == 18
    assert "it has no volume 7" in capsys.readouterr().err


def test_a_file_of_one_volume_stays_a_map(tmp_path):
    dataset(tmp_path / "in")
    trees.write_map(tmp_path / "in/sub-02/func/sub-02_task-a_space-T_contrast-x_stat-z_statmap.nii.gz", SERIES[..., :1])
    assert run(tmp_path, "participant", "--volumes", "1") == 0
    assert [("volume" in path.name) for path in labels_of(tmp_path / "out")] == [True, False]


def test_volumes_are_matched_and_filtered(tmp_path):
    dataset(tmp_path / "in")
    (tmp_path / "c.toml").write_text(
        '[[regions]]\nname = "a"\nthreshold = "3"\nmatch = { volume = [1, 3] }\n'
        '[[regions]]\nname = "b"\nthreshold = "4"\nmatch = { volume = 2 }\n'
    )
    words = ["participant", "--volumes", "all", "-q"]
    config = ["--config-file", str(tmp_path / "c.toml")]
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), *words, *config]) == 0
    assert [path.name.partition("+z")[2].removesuffix("dseg.nii.gz") for path in labels_of(tmp_path / "out")] == [
        "+volume+1_desc-a_",
        "+volume+2_desc-b_",
        "+volume+3_desc-a_",
    ]
    trees.write_json(tmp_path / "f.json", {"statmap": {"volume": 3}})
    filtered = ["--bids-filter-file", str(tmp_path / "f.json")]
    assert main([str(tmp_path / "in"), str(tmp_path / "filtered"), *words, *filtered]) == 0
    assert ["volume+3" in path.name for path in labels_of(tmp_path / "filtered")] == [True]


def test_a_rerun_of_volumes_does_nothing(tmp_path, capsys):
    dataset(tmp_path / "in")
    assert run(tmp_path, "participant", "--volumes", "all") == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if "logs" not in path.parts}
    assert run(tmp_path, "participant", "--volumes", "all") == 0
    assert "3 maps already done" in capsys.readouterr().err.splitlines()[-1]
    files = [path for path in before if path.is_file()]
    assert {path: path.stat().st_mtime_ns for path in files} == {path: before[path] for path in files}


# ---- other suffixes


def test_maps_of_a_named_suffix_are_taken_whatever_their_stat(tmp_path):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / "sub-01/sub-01_task-x_space-MNI_desc-0001_spmT.nii")
    trees.write_map(root / "sub-01/sub-01_task-x_space-MNI_contrast-x_stat-z_statmap.nii")
    assert run(tmp_path, "participant", "--suffix", "spmT") == 0
    assert [path.name for path in labels_of(tmp_path / "out")] == [
        "sub-01_task-x_space-MNI_seg-desc+0001_desc-thr3p0_dseg.nii.gz"
    ]


def test_the_filter_files_key_may_be_the_suffix(tmp_path):
    root = trees.describe(tmp_path / "in")
    for desc in ("0001", "0002"):
        trees.write_map(root / f"sub-01/sub-01_task-x_space-MNI_desc-{desc}_spmT.nii")
    trees.write_json(tmp_path / "f.json", {"spmT": {"desc": "0002"}})
    assert run(tmp_path, "participant", "--suffix", "spmT", "--bids-filter-file", tmp_path / "f.json") == 0
    assert ["0002" in path.name for path in labels_of(tmp_path / "out")] == [True]


def test_a_raw_dataset_leads_to_derivatives_of_the_suffix(tmp_path):
    trees.describe(tmp_path / "in", DatasetType="raw")
    dataset(tmp_path / "in" / "derivatives" / "tedana", "sub-01/func/sub-01_task-a_desc-ICA_components.nii.gz")
    assert run(tmp_path, "participant", "--suffix", "components", "--volumes", "1") == 0
    assert len(labels_of(tmp_path / "out")) == 1


def test_no_map_of_the_suffix_anywhere_is_66(tmp_path, capsys):
    dataset(tmp_path / "in")
    assert run(tmp_path, "participant", "--suffix", "components") == 66
    assert "*_components.nii.gz" in capsys.readouterr().err


def test_components_have_the_names_of_tedanas_tables(tmp_path):
    trees.tedana(tmp_path / "in")
    words = ["participant", "--suffix", "components", "--volumes", "1", "8", "--min-region-size", "500", "-q"]
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), *words]) == 0
    names = {}
    for path in (tmp_path / "out").rglob("*_dseg.json"):
        record = json.loads(path.read_text())
        file = record["Sources"][0].rpartition("sub-01_task-rest_")[2].removesuffix("_components.nii.gz")
        names[file, record["SourceEntities"]["volume"]] = record.get("ComponentName")
    assert names["desc-ICA", "1"] == names["echo-1_desc-ICA", "1"] == names["desc-ICA_stat-z", "1"] == "ICA_0"
    assert names["desc-ICA", "8"] == "ICA_7"
    assert names["desc-ICAAccepted", "1"] == "ICA_2"
    assert ("desc-ICAAccepted", "8") not in names
    assert names["desc-PCA_stat-z", "1"] is None
    assert "ICA_0" in (tmp_path / "out" / "sub-01.html").read_text()


# ---- the group


def names(label):
    return f"sub-{label}/func/sub-{label}_task-a_space-MNI152NLin6Asym"


def test_volumes_of_statistical_maps_pool_each_by_itself(tmp_path):
    dataset(tmp_path / "in", *(f"{names(label)}_stat-z_statmap.nii.gz" for label in ("01", "02", "03")))
    assert run(tmp_path, "participant", "group", "--volumes", "all") == 0
    assert len(list((tmp_path / "out").rglob("*Consensus_dseg.nii.gz"))) == N


def test_a_choice_of_volumes_and_suffixes_holds_for_the_group_too(tmp_path):
    endings = ("contrast-a_stat-z_statmap", "contrast-b_stat-z_zmap")
    dataset(tmp_path / "in", *(f"{names(label)}_{end}.nii.gz" for label in ("01", "02") for end in endings))
    both = ("--suffix", "statmap", "zmap")
    assert run(tmp_path, "participant", "--volumes", "all", *both) == 0
    assert run(tmp_path, "group", "--volumes", "2", "3", "--suffix", "zmap") == 0
    sets = {line.split("\t")[0] for line in (tmp_path / "out" / "group_regions.tsv").read_text().splitlines()[1:]}
    assert len(sets) == 2
    assert all("volume+2" in name or "volume+3" in name for name in sets)
    assert all("contrast+b" in name for name in sets)


def test_components_never_pool_and_are_listed(tmp_path):
    dataset(tmp_path / "in", *(f"{names(label)}_desc-ICA_components.nii.gz" for label in ("01", "02")))
    assert run(tmp_path, "participant", "group", "--suffix", "components", "--volumes", "all") == 0
    assert not list((tmp_path / "out").rglob("*Consensus_dseg.nii.gz"))
    table = (tmp_path / "out" / "group_participants.tsv").read_text()
    assert "volume+3" in table
    assert "component 3 of one is not component 3 of another" in (tmp_path / "out" / "group.html").read_text()
