import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import trees

from bids_regions.cli import main
from bids_regions.dataset import describe_output, find_participants_tsv, open_dataset, read_participants
from bids_regions.errors import BadDataset, MissingInput

MAP = "sub-01/func/sub-01_task-a_space-T_contrast-x_stat-z_statmap.nii.gz"
TAG = {"BIDS_REGIONS_DOCKER_TAG": "0.1.0"}


def describe(tmp_path, source=None, environment=None, **fields):
    source = source or trees.describe(tmp_path / "study" / "maps", **fields)
    out = tmp_path / "study" / "out"
    describe_output(out, open_dataset(source), "0.1.0", environment or {})
    return json.loads((out / "dataset_description.json").read_text())


def test_the_description_says_what_made_it_from_what(tmp_path):
    content = describe(tmp_path, Name="My maps", Authors=["A", " ", 3, "B "], License="CC0", DatasetDOI="doi:10.1/x")
    assert content == {
        "Name": "Regions of statistical maps: My maps",
        "BIDSVersion": "1.11.0",
        "DatasetType": "derivative",
        "Authors": ["A", "B"],
        "License": "CC0",
        "HowToAcknowledge": "Cite the works that logs/CITATION.md names, and the source dataset.",
        "GeneratedBy": [{"Name": "bids_regions", "Version": "0.1.0"}],
        "SourceDatasets": [{"DOI": "doi:10.1/x"}],
        "DatasetLinks": {"input": "../maps"},
    }


def test_the_code_has_an_address_once_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setitem(describe_output.__globals__, "REPOSITORY", "https://example.org/code")
    (maker,) = describe(tmp_path)["GeneratedBy"]
    assert maker["CodeURL"] == "https://example.org/code"


def test_nothing_is_made_up_and_nothing_is_null(tmp_path):
    content = describe(tmp_path, Authors="me", License=None, DatasetDOI=3, GeneratedBy=None)
    assert {"Authors", "License", "SourceDatasets"}.isdisjoint(content)
    assert "null" not in json.dumps(content)


def test_the_container_is_named(tmp_path):
    maker = describe(tmp_path, environment=TAG)["GeneratedBy"][0]
    assert maker["Container"] == {"Type": "docker", "Tag": "0.1.0"}
    other = describe(tmp_path, environment={"BIDS_REGIONS_SINGULARITY_URL": "docker://x"})["GeneratedBy"][0]
    assert other["Container"] == {"Type": "singularity", "URI": "docker://x"}


def test_a_source_elsewhere_is_linked_by_a_file_uri(tmp_path, monkeypatch):
    monkeypatch.setattr("bids_regions.dataset.description.os.path.commonpath", lambda _: "/")
    source = trees.describe(tmp_path / "maps of ü")
    assert describe(tmp_path, source)["DatasetLinks"] == {"input": (tmp_path / "maps of ü").as_uri()}


def test_the_link_of_the_output_finds_the_maps_again(tmp_path):
    """Our own reader of DatasetLinks follows what we write, so that a later tool finds masks and anatomy."""
    from bids_regions.dataset import linked_datasets  # noqa: PLC0415
    from bids_regions.dataset.source import SourceDataset  # noqa: PLC0415

    description = describe(tmp_path, trees.describe(tmp_path / "maps of ü"))
    out = tmp_path / "study" / "out"
    output = SourceDataset(root=out, bids_dir=out, name="out", description=description)
    assert linked_datasets(output) == [tmp_path / "maps of ü"]


def test_bidsignore_has_the_lines_of_the_contract(tmp_path):
    describe(tmp_path)
    lines = (tmp_path / "study" / "out" / ".bidsignore").read_text().splitlines()
    assert lines == [
        "*_peaks.tsv",
        "*.html",
        "figures",
        "**/figures",
        "group_*.tsv",
        "group_*.json",
        "*_statmap.*",
        "*Surface*_probseg.*",
        "*SurfacePrevalence_probseg.*",
        "*SurfacePrevalenceLower_probseg.*",
        "*SurfaceCoverage_probseg.*",
    ]


def test_the_readme_is_long_enough_and_names_cannot_forge_lines(tmp_path):
    describe(tmp_path, Name="a\n# forged {version} \x1b[2J")
    text = (tmp_path / "study" / "out" / "README.md").read_text()
    assert len(text) > 150
    assert "a\\n# forged {version} \\x1b[2J" in text
    assert "\x1b" not in text


def test_runs_at_the_same_time_leave_whole_files_and_a_second_run_touches_none(tmp_path):
    source = open_dataset(trees.describe(tmp_path / "maps"))
    out = tmp_path / "out"
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda _: describe_output(out, source, "0.1.0", {}), range(32)))
    assert {path.name for path in out.iterdir()} == {"dataset_description.json", "README.md", ".bidsignore"}
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    describe_output(out, source, "0.1.0", {})
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


# ---- what stands in the output folder before


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("fields", [{"DatasetType": "raw"}, {"GeneratedBy": [{"Name": "nilearn"}]}, {}])
@pytest.mark.parametrize("asked", [[], ["--dry-run"], ["--force"], ["--reports-only"]])
def test_another_dataset_is_no_output_folder_and_stays_as_it_was(tmp_path, capsys, fields, asked):
    source = trees.describe(tmp_path / "in")
    trees.write_map(source / MAP)
    other = trees.describe(tmp_path / "other", **fields)
    trees.touch(other / "README.md", b"mine")
    before = content(other)
    assert main([str(source), str(other), "participant", *asked]) == 73
    said = capsys.readouterr().err
    assert f"OUTPUT_DIR {other} is another dataset, which bids_regions did not write. Give a folder of its own" in said
    assert content(other) == before


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]"])
def test_a_damaged_description_is_written_again(tmp_path, damaged):
    source = trees.describe(tmp_path / "in")
    trees.write_map(source / MAP)
    trees.touch(tmp_path / "out" / "dataset_description.json", damaged)
    assert main([str(source), str(tmp_path / "out"), "participant"]) == 0
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetType"] == "derivative"


@pytest.mark.parametrize(
    ("before", "kept"),
    [(b"My notes", True), (b"", False), (b"# Regions of st", False), (b"# Regions of statistical maps\nold", False)],
)
def test_a_readme_of_somebody_stays(tmp_path, before, kept):
    source = trees.describe(tmp_path / "in")
    readme = trees.touch(tmp_path / "out" / "README.md", before)
    describe_output(tmp_path / "out", open_dataset(source), "0.1.0", {})
    assert (readme.read_bytes() == before) is kept


def test_an_output_folder_within_a_participant_is_refused(tmp_path, capsys):
    source = trees.describe(tmp_path / "in")
    trees.write_map(source / MAP)
    assert main([str(source), str(source / "sub-01" / "func" / "x"), "participant"]) == 64
    assert "OUTPUT_DIR lies in sub-01 of BIDS_DIR, whose maps it would hide" in capsys.readouterr().err
    assert not (source / "sub-01" / "func" / "x").exists()


# ---- participants.tsv


def table(tmp_path, content):
    return read_participants(trees.touch(tmp_path / "participants.tsv", content))


@pytest.mark.parametrize(
    "content",
    [
        b"participant_id\tage\tgroup\nsub-01\t20\ta\nsub-02\tn/a\tb\n",
        b"\xef\xbb\xbfparticipant_id\tage\tgroup\r\nsub-01\t20\ta\r\nsub-02\t\tb\r\n\r\n",
        b'"participant_id"\t"age"\t"group"\r01\t20\t "a" \rsub-02\t\tb\t\t\r',
        b"participant_id\tage\tgroup\t\t\nsub-01\t20\ta\t\t\nsub-02\tn/a\tb\t\t\n",
        "participant_id\tage\tgroup\r\nsub-01\t20\ta\r\nsub-02\tn/a\tb\r\n".encode("utf-16"),
        b"\xfe\xff" + "participant_id\tage\tgroup\nsub-01\t20\ta\nsub-02\tn/a\tb\n".encode("utf-16-be"),
    ],
)
def test_participants_are_read_whatever_wrote_them(tmp_path, content):
    people = table(tmp_path, content)
    assert people.columns == ("age", "group")
    assert people.rows == {"01": {"age": "20", "group": "a"}, "02": {"age": "n/a", "group": "b"}}
    assert people.value("02", "group") == "b"
    assert people.value("03", "group") == people.value("01", "none") == "n/a"


def test_short_lines_are_filled_and_quotes_kept_inside(tmp_path):
    people = table(tmp_path, b'age\tparticipant_id\tnote\n20\tsub-01\n21\tsub-02\t"says ""hi"""\n22\tsub-03\t5" tall\n')
    assert [row["note"] for row in people.rows.values()] == ["n/a", 'says "hi"', '5" tall']


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column participant_id"),
        (b"participant_id,age\nsub-01,3\n", "no column participant_id"),
        (b"participant_id\nsub-01\nsub-02\n01\n", "has sub-01 twice"),
        (b"participant_id\tage\tage\n", "a column twice"),
        (b"participant_id\nsub-01\tx\n", "line 2 has more cells"),
        (b"participant_id\nsub-\xff\n", "not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused_in_a_sentence(tmp_path, content, words):
    with pytest.raises(BadDataset, match=words):
        table(tmp_path, content)


def test_a_table_that_is_not_there_is_missing_input(tmp_path):
    with pytest.raises(MissingInput):
        read_participants(tmp_path / "none.tsv")


def test_the_table_of_the_raw_dataset_is_found(tmp_path):
    root = trees.raw_with_derivatives(tmp_path / "raw")
    for named in (root, root / "derivatives" / "fitlins", root / "derivatives" / "fitlins" / "node-runLevel"):
        assert find_participants_tsv(open_dataset(named)) == root / "participants.tsv"


def test_the_dataset_s_own_table_comes_first(tmp_path):
    root = trees.raw_with_derivatives(tmp_path) / "derivatives" / "fitlins"
    own = trees.touch(root / "participants.tsv")
    assert find_participants_tsv(open_dataset(root)) == own


@pytest.mark.parametrize("place", ["sourcedata", "sourcedata/raw", "../linked"])
def test_the_table_of_a_source_is_found(tmp_path, place):
    root = trees.describe(tmp_path / "maps", DatasetLinks={"raw": "../linked"})
    assert find_participants_tsv(open_dataset(root)) is None
    found = trees.touch(root / place / "participants.tsv")
    assert find_participants_tsv(open_dataset(root)) == found.resolve()


def test_apptainer_tells_of_itself_also_in_an_image_made_for_docker(tmp_path):
    inside = {**TAG, "APPTAINER_CONTAINER": "/images/app.sif"}
    assert describe(tmp_path, environment=inside)["GeneratedBy"][0]["Container"] == {
        "Type": "singularity",
        "Tag": "0.1.0",
    }
    named = {**inside, "BIDS_REGIONS_SINGULARITY_URL": "oras://somewhere/app"}
    assert describe(tmp_path, environment=named)["GeneratedBy"][0]["Container"] == {
        "Type": "singularity",
        "URI": "oras://somewhere/app",
    }
