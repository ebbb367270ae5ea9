import pytest
import trees

from bids_regions.dataset import Selection, find_maps, open_dataset
from bids_regions.dataset.source import has_maps
from bids_regions.errors import BadDataset, MissingInput
from bids_regions.results.uris import source_uri


def test_a_derivative_dataset_is_taken_as_it_is(tmp_path):
    dataset = open_dataset(trees.fitlins(tmp_path / "out"))
    assert (dataset.root, dataset.bids_dir, dataset.name) == (tmp_path / "out", tmp_path / "out", "FitLins")
    assert dataset.notices == ()


def test_a_raw_dataset_gives_its_one_derivative_with_maps_and_says_so(tmp_path):
    dataset = open_dataset(trees.raw_with_derivatives(tmp_path / "raw"))
    assert dataset.root == tmp_path / "raw" / "derivatives" / "fitlins"
    assert dataset.bids_dir == tmp_path / "raw"
    assert "those of derivatives/fitlins are taken" in dataset.notices[0]


def test_several_derivatives_with_maps_must_be_named(tmp_path):
    root = trees.raw_with_derivatives(tmp_path, names=("fitlins", "other"))
    with pytest.raises(BadDataset, match=r"fitlins, other.*--derivatives fitlins") as caught:
        open_dataset(root)
    assert caught.value.exit_code == 16
    assert open_dataset(root, derivatives=["other"]).root == root / "derivatives" / "other"


def test_several_derivatives_can_be_taken_together(tmp_path):
    root = trees.raw_with_derivatives(tmp_path, names=("fitlins", "other"))
    dataset = open_dataset(root, derivatives=["fitlins", "other"])
    found = find_maps(dataset, Selection(asked={"sub": ("01",)}))
    assert dataset.root == root
    assert {m.relpath.split("/")[1] for m in found.maps} == {"fitlins", "other"}
    assert len(found.maps) == 6


def test_a_named_derivative_that_is_not_there_is_missing_input(tmp_path):
    root = trees.raw_with_derivatives(tmp_path)
    for name in ("nilearn", "..", "../..", ""):
        with pytest.raises(MissingInput, match="It has: fitlins, fmriprep"):
            open_dataset(root, derivatives=[name])


def test_a_named_derivative_never_leads_out_of_the_dataset(tmp_path):
    root = trees.raw_with_derivatives(tmp_path / "raw")
    trees.fitlins(tmp_path / "elsewhere")
    trees.fitlins(root / "elsewhere")
    for name in ("../elsewhere", "../../elsewhere", "fitlins/../../elsewhere", "fitlins/..", "x" * 5000, "a\0b"):
        with pytest.raises(MissingInput, match="has no derivatives named"):
            open_dataset(root, derivatives=[name])


def test_a_folder_of_derivatives_is_read_like_a_raw_dataset(tmp_path):
    root = trees.raw_with_derivatives(tmp_path) / "derivatives"
    assert open_dataset(root).root == root / "fitlins"


def test_a_folder_of_maps_and_of_a_dataset_is_itself_a_dataset(tmp_path):
    trees.fitlins(tmp_path / "fitlins")
    trees.touch(tmp_path / "node-a" / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    assert open_dataset(tmp_path).root == tmp_path


def test_a_dataset_that_holds_others_is_taken_itself(tmp_path):
    root = trees.describe(tmp_path)
    trees.fitlins(root / "more")
    assert open_dataset(root).root == root


def test_hidden_derivatives_stay_hidden(tmp_path):
    root = trees.raw_with_derivatives(tmp_path)
    trees.fitlins(root / "derivatives" / ".old")
    trees.touch(root / "derivatives" / "README_statmap.nii")
    assert open_dataset(root).root.name == "fitlins"


def test_maps_of_the_dataset_itself_come_before_its_derivatives(tmp_path):
    root = trees.raw_with_derivatives(tmp_path)
    trees.write_map(root / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    assert open_dataset(root).root == root


def test_a_derivative_whose_first_hundred_participants_have_no_map_is_found(tmp_path):
    raw = trees.raw_dataset(tmp_path)
    root = trees.describe(raw / "derivatives" / "late")
    for number in range(105):
        (root / f"sub-{number:03}").mkdir()
    trees.touch(root / "sub-104" / "sub-104_stat-z_statmap.nii.gz")
    assert open_dataset(raw).root == root
    assert open_dataset(raw, participants=["104"]).root == root


def test_a_sidecar_of_maps_is_no_map(tmp_path):
    root = trees.raw_with_derivatives(tmp_path)
    trees.write_json(root / "statmap.json", {})
    trees.write_json(root / "task-x_statmap.json", {})
    assert open_dataset(root).root.name == "fitlins"


def test_our_own_output_among_the_derivatives_is_not_taken(tmp_path):
    root = trees.raw_with_derivatives(tmp_path)
    own = trees.describe(root / "derivatives" / "regions", GeneratedBy=[{"Name": "bids_regions"}])
    trees.touch(own / "sub-01" / "sub-01_desc-xThresholded_statmap.nii.gz")
    assert open_dataset(root).root.name == "fitlins"


def test_our_own_output_is_no_input(tmp_path):
    with pytest.raises(BadDataset, match="is the output of bids_regions"):
        open_dataset(trees.describe(tmp_path, GeneratedBy=[{"Name": "bids_regions"}]))


def test_a_missing_description_is_a_notice(tmp_path):
    trees.write_map(tmp_path / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    dataset = open_dataset(tmp_path)
    assert "no dataset_description.json" in dataset.notices[0]
    assert dataset.name == tmp_path.name


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1, "a": 2}', '{"a":' * 2000, "\xff"])
def test_a_description_that_cannot_be_parsed_is_refused(tmp_path, content):
    (tmp_path / "dataset_description.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(BadDataset, match=r"dataset_description\.json") as caught:
        open_dataset(tmp_path)
    assert caught.value.exit_code == 16


def test_nan_in_a_description_is_read_as_absent(tmp_path):
    trees.write_map(tmp_path / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    (tmp_path / "dataset_description.json").write_text('{"Name": NaN}')
    assert open_dataset(tmp_path).name == tmp_path.name


@pytest.mark.parametrize(
    "fields",
    [{"Name": ["x"]}, {"Name": "  "}, {"Name": 3}, {"GeneratedBy": "bids_regions"}, {"GeneratedBy": [3, {"Name": 4}]}],
)
def test_a_description_with_wrong_types_is_lived_with(tmp_path, fields):
    trees.describe(tmp_path, **fields)
    assert open_dataset(tmp_path).name == tmp_path.name


def test_a_folder_that_is_not_there_is_missing_input(tmp_path):
    with pytest.raises(MissingInput, match=r"does not exist.*mounted") as caught:
        open_dataset(tmp_path / "none")
    assert caught.value.exit_code == 66


def test_a_file_is_no_dataset(tmp_path):
    with pytest.raises(MissingInput, match="not a folder"):
        open_dataset(trees.touch(tmp_path / "file"))


def test_the_uri_of_a_map_holds_any_name(tmp_path):
    trees.describe(tmp_path)
    trees.touch(tmp_path / "sub-01" / "sub-01_contrast-a b%\n_stat-z_statmap.nii.gz")
    mapfile = find_maps(open_dataset(tmp_path), Selection()).maps[0]
    assert source_uri(mapfile.relpath) == "bids:input:sub-01/sub-01_contrast-a%20b%25%0A_stat-z_statmap.nii.gz"


def test_maps_of_participants_beyond_the_first_hundred_are_found(tmp_path):
    """A derivative is looked into a hundred participants deep, and where none has a map to its end."""
    root = trees.raw_with_derivatives(tmp_path, names=("empty", "late"))
    for name in ("empty", "late"):
        trees_of = root / "derivatives" / name
        for path in trees_of.rglob("*statmap*"):
            path.unlink()
        for k in range(101):
            (trees_of / f"sub-A{k:03}" / "func").mkdir(parents=True)
    late = root / "derivatives" / "late"
    assert not has_maps(late)
    (late / "sub-A100" / "func" / "sub-A100_stat-z_statmap.nii.gz").touch()
    assert has_maps(late)
    assert open_dataset(root).root == late
