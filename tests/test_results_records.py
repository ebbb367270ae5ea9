"""Records go out and come back: every field beside its key."""

import json
from dataclasses import dataclass, field, fields, replace

import pytest

from bids_regions.errors import BadDataset
from bids_regions.results import records
from bids_regions.results.keys import decode, encode, key, keys_of, texts
from bids_regions.results.records import Record, load_record, read_finished, write_record

WHOLE = Record(
    description="Regions",
    sources=("bids:input:a.nii.gz",),
    entities={"sub": "01", "stat": "z"},
    spatial_reference="bids:input:a.nii.gz",
    resolution="as the source map, res-2",
    assumed_space="MNI",
    entry="thr3p0",
    criteria={"threshold": "3.0", "also_write": ["thresholded"]},
    statistic=records.StatisticUsed(kind="t", dof=12.0),
    threshold=records.ThresholdUsed(
        asked="3.0", kind="value", cutoff=3.0, population="voxels with data", population_size=9, n_tested=9, dof=12.0,
        tail="bi", precision="float32",
    ),
    counts=records.CountsFound(above=5, kept=1, removed=2, removed_voxels=3, nonfinite=0),
    mask=records.MaskUsed(source="none", note="none was found"),
    warnings=(),
    smoothness=records.SmoothnessUsed(dlh=0.1, volume=9, voxels_per_resel=2.0, fwhm=(6.0, 6.0, 6.0), origin="map"),
    atlases=({"Name": "A"},),
    versions={"bids_regions": "1"},
    columns={"n_voxels": {"Description": "Number of voxels"}},
    peak_columns={"rank": {"Description": "Rank"}},
    density={"32k": "32492 vertices per hemisphere"},
    surfaces={"L": {"Geometry": "fsLR"}},
    component="Component 3",
    values="bids:input:b.nii.gz",
    values_files=("bids:input:b.nii.gz", "bids:input:c.nii.gz"),
    peaks_from="bids:input:z.nii.gz",
    field_theory=records.FieldTheoryUsed(
        search_volume=9, fwhm=(6.0, 6.0, 6.0), resels=(1.0, 2.0, 3.0, 4.0), expected_voxels=1.5, expected_clusters=0.5,
        set_clusters=1, set_p=0.4, fwe_p=4.5, fdr_p=4.0, fwe_c=7, fdr_c=8,
    ),
    outputs={},
    source_hash="a",
    input_hash="b",
    settings_hash="c",
)  # fmt: skip


@pytest.fixture
def written(tmp_path):
    (tmp_path / "a_dseg.tsv").write_text("index\n")
    outputs = {"a_dseg.tsv": records.hash_file(tmp_path / "a_dseg.tsv")}
    record = replace(WHOLE, outputs=outputs)
    write_record(tmp_path / "a_dseg.json", record)
    return tmp_path / "a_dseg.json", record


def test_a_record_comes_back_as_it_was(written):
    path, record = written
    assert load_record(path) == record
    assert read_finished(path, input_hash="b", settings_hash="c") == record
    assert "null" not in path.read_text()


def test_every_field_of_a_record_that_stands_in_json_is_written(written):
    path, _ = written
    assert {*json.loads(path.read_text()), ""} == {*keys_of(Record), records.HASH, "n_voxels"}
    assert all(each.metadata for each in fields(Record))


@pytest.mark.parametrize("other", [{"input_hash": "x"}, {"settings_hash": "x"}])
def test_a_record_of_other_input_or_settings_is_not_finished(written, other):
    path, _ = written
    assert read_finished(path, **{"input_hash": "b", "settings_hash": "c", **other}) is None


def test_damage_of_record_or_output_is_seen(written):
    path, record = written
    asked = {"input_hash": "b", "settings_hash": "c"}
    whole = path.read_text()
    path.write_text(whole.replace('"RegionsKept": 1', '"RegionsKept": 2'))
    assert read_finished(path, **asked) is None
    path.write_text(whole)
    path.with_name("a_dseg.tsv").write_text("index\n1\n")
    assert read_finished(path, **asked) is None
    path.with_name("a_dseg.tsv").unlink()
    assert read_finished(path, **asked) is None
    write_record(path, replace(record, outputs={}))
    assert read_finished(path, **asked) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Threshold": None}, "Threshold. is no JSON object"),
        ({"Counts": {}}, "it lacks Counts.VoxelsAboveThreshold"),
        ({"Sources": "a"}, "Sources is not what it must be"),
        ({"Threshold": {"Asked": "3", "Kind": "value", "Population": "", "PopulationSize": 1, "Precision": "float32",
                        "Tail": "left"}}, "Threshold.Tail is not what it must be"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_record_is_told_by_its_key(written, change, told):
    path, record = written
    path.write_text(json.dumps({**encode(record), **change}))
    with pytest.raises(BadDataset, match=told):
        load_record(path)


def test_nothing_passes_where_there_is_no_cutoff():
    none = replace(WHOLE.threshold, cutoff=None, nothing_passes=True)
    assert none.height == float("inf")
    assert "Cutoff" not in encode(none)
    assert WHOLE.threshold.height == 3.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    left: int = field(metadata=key("Left", int))
    right: tuple[str, ...] = field(default=(), metadata=key("Right", texts))
    kept: str = "here"  # no key: it does not travel


def test_defaults_are_not_written_and_unknown_keys_are_passed_over():
    assert encode(Pair(left=1)) == {"Left": 1}
    assert decode(Pair, {"Left": 2, "Right": ["a"], "Else": 3}) == Pair(left=2, right=("a",))


def test_a_table_of_other_columns_is_another_output(monkeypatch):
    """Finished outputs of the same version and settings, but of an older table, are never taken for current."""
    assert "kurtosis_of_nobody" not in records.COLUMNS
    assert {"sd_value", "q_cluster", "values_peak_x", "rank", "p_fwe"} <= set(records.COLUMNS)
    before = records.hash_settings({"threshold": "3.0"})
    assert records.hash_settings({"threshold": "3.0"}) == before
    monkeypatch.setattr(records, "COLUMNS", (*records.COLUMNS, "kurtosis_of_nobody"))
    assert records.hash_settings({"threshold": "3.0"}) != before
