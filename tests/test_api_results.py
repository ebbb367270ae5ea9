"""read_results: tidy tables and lazy images of what the app left, equal to the files themselves."""

import json
import re
import shutil

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_regions import demo, find_regions, read_results
from bids_regions.cli import main
from bids_regions.errors import Contradiction, MissingInput


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three participants of the demo, both levels."""
    folder = tmp_path_factory.mktemp("demo")
    demo.make_demo(folder / "dataset", demo.find_real_map())
    people = ["--participant-label", "01", "02", "06"]
    run = [str(folder / "dataset"), str(folder / "out"), "participant", "group", *people, "--nprocs", "1"]
    assert main([*run, "--threshold", "97%", "3.0"]) == 0
    return folder


@pytest.fixture
def results(made):
    return read_results(made / "out")


def read(path):
    return pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False)


def test_every_result_stands_once_and_says_what_it_is(results):
    assert len(results) == 8
    assert repr(results).startswith("<8 results of 3 participants; entries pct97, thr3p0; in ")
    assert results.problems == ()
    kinds = results.maps.kind.tolist()
    assert (kinds.count("map"), kinds.count("consensus")) == (6, 2)
    assert repr(results[0]).startswith("<Result: ")


def test_tables_are_those_of_the_files(made, results):
    tables = sorted((made / "out").glob("sub-*/func/*_dseg.tsv"))
    assert len(results.regions) == sum(len(read(path)) for path in tables)
    assert len(results.peaks) == sum(len(read(path)) for path in (made / "out").glob("sub-*/func/*_peaks.tsv"))
    own = results.regions.query("participant_id == 'sub-02' and entry == 'pct97'")
    theirs = read(next(path for path in tables if "sub-02" in path.name and "pct97" in path.name))
    pd.testing.assert_frame_equal(own[theirs.columns].reset_index(drop=True), theirs, check_dtype=False)
    assert results.regions.columns[:8].tolist() == [
        "participant_id", "session", "task", "space", "contrast", "stat", "entry", "kind"
    ]  # fmt: skip
    assert set(results.consensus.kind) == {"consensus"}
    assert results.values.participant_id.unique().tolist() == ["sub-01", "sub-02", "sub-06"]
    assert results.values.mean_value.equals(read(made / "out" / "group_values.tsv").mean_value)
    assert len(results.participants)
    assert len(results.agreement)


def test_counts_and_cutoffs_are_those_of_the_records(results):
    for one, row in zip(results, results.maps.to_dict("records"), strict=True):
        assert row["n_regions"] == one.record["Counts"]["RegionsKept"] == len(one.to_dataframe())
        if not one.is_consensus:
            assert row["cutoff"] == pytest.approx(one.record["Threshold"]["Cutoff"], abs=1e-9)
            assert row["map"] == str(one.source)


def test_images_are_read_when_asked_for(results):
    one = results.select(participant="01", entry="thr3p0")[0]
    labels, image = one.image(), one.map_image()
    assert nib.is_proxy(labels.dataobj)
    assert nib.is_proxy(image.dataobj)
    assert labels.shape == image.shape
    found = find_regions(image, threshold="3.0", mask=np.asanyarray(image.dataobj) != 0)
    assert np.array_equal(np.asanyarray(labels.dataobj), found.labels)
    assert len(one.peaks_dataframe()) == len(found.peaks_dataframe())


def test_a_result_has_the_figure_of_regions_just_found(results):
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    one = results.select(participant="sub-01", entry="thr3p0")[0]
    found = find_regions(one.source, threshold="3.0", mask=one.map_image().get_fdata() != 0)
    ours, theirs = one.plot(cuts=3), found.plot(cuts=3)
    for left, right in zip(ours.axes, theirs.axes, strict=True):
        assert np.array_equal(left.images[-1].get_array(), right.images[-1].get_array())
        assert [text.get_text() for text in left.texts] == [text.get_text() for text in right.texts]
    plt.close("all")
    plt.switch_backend(backend)
    assert "<img" in one._repr_html_()
    shown = results._repr_html_()
    assert re.search(r'<th style="text-align: left[^>]*>participant_id</th>', shown)
    assert re.search(r'<th style="text-align: right[^>]*>n_regions</th>', shown)
    assert "warnings" not in shown  # whole sentences, which make a row a screen high
    assert ".nii.gz" not in shown


def test_results_are_selected_by_entities_and_entry(results):
    assert len(results.select(kind="map", entry="pct97")) == 3
    assert len(results.select(participant=["01", "sub-06"], kind="map")) == 4
    assert len(results.select(task="localizer", contrast="leftVsRight")) == 8
    assert len(results.select(subject="01").regions) == len(results.regions.query("participant_id == 'sub-01'"))
    with pytest.raises(Contradiction, match="no result has an entity flavour"):
        results.select(flavour="sweet")


def test_labels_stay_texts(tmp_path):
    data = np.zeros((8, 8, 8), np.float32)
    data[1:4, 1:4, 1:4] = 5
    folder = tmp_path / "in" / "sub-007" / "ses-01"
    folder.mkdir(parents=True)
    (tmp_path / "in" / "dataset_description.json").write_text(
        json.dumps({"Name": "a", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    )
    image = nib.Nifti1Image(data, np.diag([3.0, 3, 3, 1]))
    for run in ("1", "02"):
        nib.save(image, folder / f"sub-007_ses-01_task-a_run-{run}_name-x_stat-z_statmap.nii.gz")
    out = tmp_path / "out"
    assert main([str(tmp_path / "in"), str(out), "participant", "--nprocs", "1", "--min-region-voxels", "1"]) == 0
    found = read_results(out)
    assert sorted(found.regions.run) == ["02", "1"]
    assert set(found.maps.session) == {"ses-01"}
    assert set(found.maps.entity_name) == {"x"}
    assert found.select(session="01", run="02")[0].participant_id == "sub-007"
    assert len(found.select(ses="ses-01")) == 2
    with pytest.raises(MissingInput, match="Run the group level first"):
        found.values  # noqa: B018
    with pytest.raises(MissingInput, match="nowhere is not there"):
        read_results(tmp_path / "nowhere")
    with pytest.raises(MissingInput, match="holds no results"):
        read_results(tmp_path / "in")


def test_what_cannot_be_read_is_told_and_the_rest_stands(made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made / "out", out)
    broken = next(out.glob("sub-01/func/*pct97_dseg.json"))
    broken.write_text("{")
    found = read_results(out)
    assert len(found) == 7
    assert broken.name in found.problems[0]
    one = found.select(participant="02")[0]
    assert one.source is None  # the dataset is not where the folder says
    with pytest.raises(MissingInput, match="not known where its dataset lies"):
        one.plot()
    assert "<table>" in one._repr_html_()
    assert "<p>No picture: " in one._repr_html_()
    assert "not known where its dataset lies" in one._repr_html_()
    there = read_results(out, dataset=made / "dataset").select(participant="02")[0]
    assert there.source.is_file()
    with pytest.raises(MissingInput, match="a consensus is of many maps"):
        found.select(kind="consensus")[0].plot()
    with pytest.raises(MissingInput, match="is not there or no folder"):
        read_results(out, dataset=tmp_path / "nowhere")
