"""The app with --atlas: columns, record, report and methods text, through the command line."""

import base64
import csv
import json
import os
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from atlas_files import MNI, save, save_pair
from trees import AFFINE, describe, write_map
from validator import validate

from bids_regions.cli import main

TSV = 'index\tname\n3\tGyrus, längs; "a"\n5\tLeft Cortex\n9\tnowhere\n'
RECORD = {"Version": "2", "License": "CC-BY-4.0", "HowToAcknowledge": "Toy (2020). <b>Toys</b>."}


def make_dataset(root: Path, spaces: tuple[str, ...] = (MNI,)) -> Path:
    """One participant; in each space a map with a positive region on the left and a negative one on the right."""
    describe(root)
    for space in spaces:
        data = np.random.default_rng(1).normal(0, 0.4, (12, 14, 10)).astype(np.float32)
        data[2:6, 3:7, 3:7] += 5  # x from -14 to -2
        data[8:11, 8:12, 4:8] -= 4.5  # x from 10 to 18
        name = "sub-01_task-x_" + (f"space-{space}_" if space else "") + "contrast-c_stat-z_statmap.nii.gz"
        write_map(root / "sub-01" / "func" / name, data)
    return root


def make_atlas(folder: Path) -> Path:
    """On the grid of the maps: the left region wholly in label 3, of the right one half in label 5."""
    labels = np.zeros((12, 14, 10), np.uint8)
    labels[:6] = 3
    labels[6:10] = 5
    path = save(folder / f"tpl-{MNI}_atlas-Toy_dseg.nii.gz", labels, AFFINE)
    path.with_name(f"tpl-{MNI}_atlas-Toy_dseg.tsv").write_text(TSV)
    path.with_name(f"tpl-{MNI}_atlas-Toy_dseg.json").write_text(json.dumps(RECORD))
    return path


def run(dataset: Path, out: Path, *options: object) -> int:
    return main([str(each) for each in (dataset, out, "participant", "--nprocs", "1", *options)])


def rows(out: Path, ending: str, space: str = MNI) -> list[dict[str, str]]:
    (path,) = [p for p in out.rglob(f"*_{ending}.tsv") if f"space-{space}" in p.name]
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))  # as a reader who knows of quotes would


def record(out: Path, space: str = MNI) -> dict[str, Any]:
    (path,) = [p for p in out.rglob("*_dseg.json") if f"space-{space}" in p.name]
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with one atlas."""
    folder = tmp_path_factory.mktemp("app")
    dataset, atlas = make_dataset(folder / "data"), make_atlas(folder / "atlas")
    assert run(dataset, folder / "out", "--atlas", atlas) == 0
    return folder / "out"


def test_the_table_names_regions_and_lists_what_they_overlap(made: Path) -> None:
    first, second = rows(made, "dseg")
    assert (first["name"], first["Toy_peak"], first["Toy_overlap"]) == (
        "Left Gyrus, längs, 'a'",
        "Gyrus, längs, 'a'",
        "Gyrus, längs, 'a' 100%",
    )
    assert second["Toy_overlap"] == "Left Cortex 67%; unlabelled 33%"
    assert second["name"] in ("Left Cortex", "near Left Cortex"), "the label's own side stands"
    assert list(first)[-2:] == ["Toy_peak", "Toy_overlap"]


def test_every_sub_peak_has_its_label(made: Path) -> None:
    peaks = rows(made, "peaks")
    assert list(peaks[0])[-1] == "Toy_peak"
    mains = {row["index"]: row["Toy_peak"] for row in peaks if row["rank"] == "1"}
    assert mains == {row["index"]: row["Toy_peak"] for row in rows(made, "dseg")}
    for row in peaks:
        i = int(row["i"])
        distance = re.search(r"\((\d+\.\d) mm\)$", row["Toy_peak"])
        assert (distance is None) == (i < 10)
        if distance:
            assert float(distance[1]) == 4 * (i - 9)


def test_the_record_holds_the_atlas_and_every_overlap(made: Path) -> None:
    content = record(made)
    (atlas,) = content["Atlases"]
    assert {key: atlas[key] for key in ("Name", "Version", "License", "Citation", "Space")} == {
        "Name": "Toy",
        "Version": "2",
        "License": "CC-BY-4.0",
        "Citation": "Toy (2020). <b>Toys</b>.",
        "Space": MNI,
    }
    assert len(atlas["SHA256"]) == 64
    assert "9" in atlas["Notes"][0]
    assert atlas["Overlaps"]["2"][0]["Label"] == "Left Cortex"
    assert atlas["Overlaps"]["2"][0]["PercentOfRegion"] == 66.67
    assert 0 < atlas["Overlaps"]["2"][0]["PercentOfLabel"] < 100
    assert "PercentOfLabel" not in atlas["Overlaps"]["2"][-1]
    assert "of Toy at the peak" in content["Toy_peak"]["Description"]
    assert "of Toy at the peak" in content["PeaksColumns"]["Toy_peak"]["Description"]
    assert str(made.parent / "atlas") not in json.dumps(content["Atlases"])


def test_the_page_shows_the_columns_with_both_percents_and_escapes_names(made: Path) -> None:
    page = (made / "sub-01.html").read_text()
    assert "Gyrus, längs, &#39;a&#39;" in page
    packed = re.search(r'id="tips-[^"]*"[^>]*>([^<]+)<', page)
    assert packed
    tips = json.loads(zlib.decompress(base64.b64decode(packed[1])))["Toy_overlap"]
    told = r"Left Cortex: 66\.67 % of the region, [\d.]+ % of the label; unlabelled: 33\.33 % of the region"
    assert re.fullmatch(told, tips["2"])
    assert "Toy (2020). &lt;b&gt;Toys&lt;/b&gt;." in page
    assert "<b>Toys" not in page


def test_the_methods_text_names_and_cites_the_atlas(made: Path) -> None:
    text = (made / "logs" / "CITATION.md").read_text()
    assert "named by the atlas Toy (version 2)" in text
    assert "at least 10 % of the region" in text
    assert "Toy: Toy (2020)" in text


def test_results_with_an_atlas_are_valid_bids(made: Path) -> None:
    assert validate(made) == []


def test_a_rerun_does_nothing_and_a_changed_atlas_does_it_anew(tmp_path: Path) -> None:
    dataset, atlas = make_dataset(tmp_path / "data"), make_atlas(tmp_path / "atlas")
    out = tmp_path / "out"
    assert run(dataset, out, "--atlas", atlas) == 0
    (sidecar,) = out.rglob("*_dseg.json")
    before = sidecar.stat().st_mtime_ns
    assert run(dataset, out, "--atlas", atlas) == 0
    assert sidecar.stat().st_mtime_ns == before
    atlas.with_name(atlas.name.replace(".nii.gz", ".tsv")).write_text(TSV.replace("Cortex", "Bark"))
    assert run(dataset, out, "--atlas", atlas) == 0
    assert sidecar.stat().st_mtime_ns != before
    assert "Bark" in rows(out, "dseg")[1]["Toy_peak"]


def test_where_an_atlas_lies_changes_no_byte(tmp_path: Path) -> None:
    dataset, here, there = make_dataset(tmp_path / "data"), tmp_path / "here", tmp_path / "over" / "there"
    trees = []
    for out, folder in ((tmp_path / "one", here), (tmp_path / "two", there)):
        atlas = make_atlas(folder)
        assert run(dataset, out, "--atlas", atlas) == 0
        assert main([str(dataset), str(out), "group"]) == 0
        assert "Left Cortex" in next(out.rglob("*Consensus_dseg.tsv")).read_text()
        shutil.rmtree(folder)
        files = sorted(p for p in out.rglob("*") if p.is_file() and "logs" not in p.relative_to(out).parts)
        trees.append({p.relative_to(out): p.read_bytes() for p in files})
    assert trees[0] == trees[1]
    assert not [name for name, content in trees[0].items() if os.fsencode(tmp_path) in content]


def test_maps_of_another_space_keep_their_columns_and_are_told(tmp_path: Path) -> None:
    dataset, atlas = make_dataset(tmp_path / "data", (MNI, "T1w")), make_atlas(tmp_path / "atlas")
    out = tmp_path / "out"
    assert run(dataset, out, "--atlas", atlas) == 0
    other = rows(out, "dseg", "T1w")
    assert {row["Toy_peak"] for row in other} | {row["Toy_overlap"] for row in other} == {"n/a"}
    assert [row["name"] for row in other] == ["region-1", "region-2"]
    assert {row["Toy_peak"] for row in rows(out, "peaks", "T1w")} == {"n/a"}
    content = record(out, "T1w")
    reason = f"The atlas Toy is in the space {MNI} and the maps are in T1w"
    assert content["Atlases"] == [{"Name": "Toy", "NotUsed": reason}]
    assert any(reason in warning for warning in content["Warnings"])
    assert rows(out, "dseg")[0]["Toy_peak"] != "n/a"


def test_an_atlas_that_fits_no_map_ends_the_run_before_anything_is_written(tmp_path: Path, capsys: Any) -> None:
    dataset, atlas = make_dataset(tmp_path / "data", ("T1w",)), make_atlas(tmp_path / "atlas")
    assert run(dataset, tmp_path / "out", "--atlas", atlas) == 64
    assert f"is in the space {MNI} and the maps are in T1w" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/sub-*"))
    assert run(dataset, tmp_path / "out", "--atlas", atlas, "--atlas-space-unchecked") == 0
    named = [row["name"] for row in rows(tmp_path / "out", "dseg", "T1w")]
    assert named[0] == "Gyrus, längs, 'a'", "a scanner's x = 0 is no midline: no side"


def test_a_faulty_atlas_is_named_and_ends_the_run(tmp_path: Path, capsys: Any) -> None:
    dataset = make_dataset(tmp_path / "data")
    atlas = save_pair(tmp_path, np.ones((2, 2, 2), np.uint8), "1\tA\n")
    assert run(dataset, tmp_path / "out", "--atlas", atlas) == 66
    assert "has no header with the columns index and name" in capsys.readouterr().err
    assert run(dataset, tmp_path / "out", "--atlas", tmp_path / "none.nii.gz") == 66
    assert run(dataset, tmp_path / "out", "--atlas", "templateflow:") == 64
    assert not (tmp_path / "out" / "sub-01").exists()


def test_several_atlases_stand_side_by_side_and_the_first_names(tmp_path: Path) -> None:
    dataset, atlas = make_dataset(tmp_path / "data"), make_atlas(tmp_path / "atlas")
    other = save(tmp_path / "other" / "boxes.nii.gz", np.ones((12, 14, 10), np.uint8), AFFINE)
    other.with_name("boxes.txt").write_text("1 Everything 255 0 0 0\n")
    assert run(dataset, tmp_path / "out", "--atlas", f"{other}?space={MNI}", atlas) == 0
    first = rows(tmp_path / "out", "dseg")[0]
    assert list(first)[-4:] == ["boxes_peak", "boxes_overlap", "Toy_peak", "Toy_overlap"]
    assert first["name"] == "Left Everything"


def test_a_map_without_regions_has_the_columns_alone(tmp_path: Path) -> None:
    dataset, atlas = make_dataset(tmp_path / "data"), make_atlas(tmp_path / "atlas")
    assert run(dataset, tmp_path / "out", "--atlas", atlas, "--threshold", "50") == 0
    (table,) = tmp_path.glob("out/sub-01/func/*_dseg.tsv")
    header, rest = table.read_text().split("\n", 1)
    assert header.endswith("Toy_peak\tToy_overlap")
    assert rest == ""


def make_natives(root: Path, labels: tuple[str, ...] = ("01", "02", "03")) -> Path:
    """Participants with a map in their own anatomy; those but 03 with a segmentation, named as fMRIPrep does."""
    describe(root)
    for label in labels:
        data = np.zeros((12, 14, 10), np.float32)
        data[2:6, 3:7, 3:7] = 5
        write_map(
            root / f"sub-{label}" / "func" / f"sub-{label}_task-x_space-T1w_contrast-c_stat-z_statmap.nii.gz", data
        )
        if label != "03":
            values = np.full((12, 14, 10), int(label), np.uint8)
            save(root / f"sub-{label}" / "anat" / f"sub-{label}_desc-aparcaseg_dseg.nii.gz", values, AFFINE)
    (root / "desc-aparcaseg_dseg.tsv").write_text("index\tname\n1\tof the first\n2\tof the second\n")
    return root


def peak_names(out: Path, label: str, column: str = "aparcaseg_peak") -> list[str]:
    (path,) = (out / f"sub-{label}").rglob("*_dseg.tsv")
    with path.open(encoding="utf-8") as stream:
        return [row[column] for row in csv.DictReader(stream, delimiter="\t")]


def test_each_participants_regions_are_named_by_its_own_segmentation(tmp_path: Path) -> None:
    data = make_natives(tmp_path / "data")
    assert run(data, tmp_path / "out", "--atlas", "desc=aparcaseg") == 0
    assert [peak_names(tmp_path / "out", label) for label in ("01", "02", "03")] == [
        ["of the first"],
        ["of the second"],
        ["n/a"],
    ]
    (path,) = (tmp_path / "out" / "sub-03").rglob("*_dseg.json")
    told = "No desc-aparcaseg segmentation in the space T1w was found of sub-03: its columns are n/a"
    assert told in json.loads(path.read_text())["Warnings"]


def test_the_own_segmentation_may_lie_in_a_linked_dataset(tmp_path: Path) -> None:
    linked = make_natives(tmp_path / "fmriprep")
    data = tmp_path / "data"
    describe(data)
    content = json.loads((data / "dataset_description.json").read_text()) | {"DatasetLinks": {"prep": "../fmriprep"}}
    (data / "dataset_description.json").write_text(json.dumps(content))
    for path in linked.rglob("*_statmap.nii.gz"):
        (moved := data / path.relative_to(linked)).parent.mkdir(parents=True)
        path.rename(moved)
    config = tmp_path / "regions.toml"
    config.write_text('[[regions]]\nname = "own"\natlas = ["desc=aparcaseg"]\n')
    assert run(data, tmp_path / "out", "--config-file", config) == 0
    assert peak_names(tmp_path / "out", "02") == ["of the second"]


def test_one_persons_segmentation_names_nobody_else(tmp_path: Path) -> None:
    data = make_natives(tmp_path / "data")
    image = data / "sub-01" / "anat" / "sub-01_desc-aparcaseg_dseg.nii.gz"
    assert run(data, tmp_path / "out", "--atlas", f"{image}?space=T1w&name=own") == 0
    assert peak_names(tmp_path / "out", "01", "own_peak") == ["of the first"]
    assert peak_names(tmp_path / "out", "02", "own_peak") == ["n/a"]


def test_a_segmentation_that_nobody_has_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_natives(tmp_path / "data"), tmp_path / "out", "--atlas", "desc=aparc") == 66
    assert "No desc-aparc segmentation" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*_dseg.*"))


def test_a_mask_of_another_space_or_brain_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = make_natives(tmp_path / "data"), tmp_path / "out"
    ones = np.ones((12, 14, 10), np.uint8)
    foreign = save(tmp_path / f"tpl-{MNI}_desc-brain_mask.nii.gz", ones, AFFINE)
    assert run(data, out, "--mask", foreign) == 64
    assert f"is in the space {MNI} and the map is in T1w" in capsys.readouterr().err
    own = save(tmp_path / "sub-01_space-T1w_desc-brain_mask.nii.gz", ones, AFFINE)
    assert run(data, out, "--mask", own) == 1
    assert {path.parts[-3] for path in out.rglob("*_dseg.json")} == {"sub-01"}
    assert "of sub-01 and may not be laid on a map of sub-02" in capsys.readouterr().err
    anonymous = save(tmp_path / "mask.nii.gz", ones, AFFINE)
    assert run(data, tmp_path / "third", "--mask", anonymous) == 0
