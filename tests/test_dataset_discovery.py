import json
import os

import pytest
import trees
from trees import find, names

from bids_regions.dataset import Selection, check_selection, find_maps, open_dataset, read_filter_file
from bids_regions.errors import EmptySelection, MissingInput

# Shapes of datasets


def test_fitlins_nodes_and_their_participants_are_found(tmp_path):
    found = find(trees.fitlins(tmp_path))
    assert [(m.entity("node"), m.participant, m.entity("run")) for m in found.maps] == [
        ("dataLevel", None, None),
        ("runLevel", "01", "1"),
        ("runLevel", "01", "2"),
        ("runLevel", "02", "1"),
        ("runLevel", "02", "2"),
        ("subjectLevel", "01", None),
        ("subjectLevel", "02", None),
    ]
    assert {m.stat for m in found.maps} == {"z"}


def test_what_nilearn_writes_is_found(nilearn_tree):
    stem = "task-faces_space-MNI152NLin2009cAsym_contrast-faces_stat-z_statmap.nii.gz"
    assert names(find(nilearn_tree)) == [
        "group/contrast-intercept_stat-z_statmap.nii.gz",
        f"sub-01/sub-01_{stem}",
        f"sub-02/sub-02_{stem}",
    ]


def test_sessions_below_participants_are_found(tmp_path):
    found = find(trees.fmriprep_like(tmp_path, sessions=("1", "2")), participants=("01",), sessions=("2",))
    assert {(m.participant, m.entity("ses")) for m in found.maps} == {("01", "2")}
    assert len(found.maps) == 4


def test_tedana_names_are_found_whatever_their_order(tmp_path):
    found = find(trees.tedana(tmp_path))
    assert "t2star+s0" in [m.entity("desc") for m in found.maps]
    components = find(tmp_path, suffixes=("components",)).maps
    assert {m.entity("desc") for m in components} == {"ICA", "ICAAveragingWeights", "PCA", "ICAAccepted"}
    assert len(components) == 7


# The statistic


def test_t_is_taken_only_where_there_is_no_z(tmp_path):
    found = find(trees.fmriprep_like(tmp_path, participants=("01",)))
    assert [(m.entity("contrast"), m.stat) for m in found.maps] == [("twoBack", "z"), ("zeroBack", "t")] * 2


@pytest.mark.parametrize(("asked", "found"), [("t", {"t"}), ("Effect", {"effect"}), ("stat-z", {"z"})])
def test_a_statistic_asked_for_is_taken_exactly(tmp_path, asked, found):
    assert {m.stat for m in find(trees.fitlins(tmp_path), stats=(asked,)).maps} == found


@pytest.mark.parametrize("stat", ["t", "effect"])
def test_a_statistic_in_the_filter_replaces_the_default(tmp_path, stat):
    assert {m.stat for m in find(trees.fitlins(tmp_path), filters={"stat": stat}).maps} == {stat}


def test_a_z_map_on_a_surface_is_no_sibling_of_a_volume(tmp_path):
    trees.touch(tmp_path / "sub-01" / "sub-01_stat-z_statmap.dscalar.nii")
    trees.touch(tmp_path / "sub-01" / "sub-01_stat-t_statmap.nii.gz")
    assert [m.stat for m in find(tmp_path).maps] == ["t", "z"]


# What is left out


def test_each_unfit_file_is_skipped_or_failed_with_its_reason(tmp_path):
    found = find(trees.faults(tmp_path))
    contrasts = [m.entity("contrast") for m in found.maps]
    assert contrasts == ["cifti", "fourD", "gifti", "oneVolume", "sound", "truncated"]  # only their contents can tell
    reasons = {one.relpath.split("contrast-")[1]: one.reason for one in (*found.skipped, *found.failed)}
    assert "git annex get" in reasons["annexed_stat-z_statmap.nii.gz"]
    assert "0 bytes" in reasons["empty_stat-z_statmap.nii.gz"]
    assert len(reasons) == 2
    assert {one.relpath.split("contrast-")[1][:5] for one in found.failed} == {"annex", "empty"}
    assert found.notices == ()
    assert {one.participant for one in (*found.skipped, *found.failed)} == {"01"}


def test_p_maps_are_taken_when_asked_for(tmp_path):
    found = find(trees.faults(tmp_path), stats=("p",))
    assert [name.rpartition("sound_")[2] for name in names(found)] == ["stat-p_statmap.nii.gz"]
    assert found.skipped == ()


def test_without_stat_all_is_taken_but_what_is_one_sided(tmp_path):
    for name in ("desc-beta_statmap", "statmap", "desc-z_statmap", "stat-foo_statmap", "desc-varcope_statmap"):
        trees.touch(tmp_path / f"sub-01_task-a_{name}.nii.gz")
    found = find(tmp_path)
    assert [name.partition("task-a_")[2] for name in names(found)] == [
        "desc-beta_statmap.nii.gz", "desc-z_statmap.nii.gz", "statmap.nii.gz",
    ]  # fmt: skip
    assert [one.reason for one in found.skipped] == ["a map of varcope, which is taken only where --stat asks for it"]
    asked = find(tmp_path, stats=("varcope",))
    assert [name.partition("task-a_")[2] for name in names(asked)] == ["desc-varcope_statmap.nii.gz"]


def test_a_suffix_that_is_named_is_taken_whatever_its_statistic(tmp_path):
    for name in ("stat-foo_spmT", "stat-foo_statmap", "stat-z_statmap"):
        trees.touch(tmp_path / f"sub-01_task-a_{name}.nii.gz")
    found = find(tmp_path, suffixes=("statmap", "spmT"))
    assert [name.partition("task-a_")[2] for name in names(found)] == [
        "stat-foo_spmT.nii.gz", "stat-foo_statmap.nii.gz", "stat-z_statmap.nii.gz",
    ]  # fmt: skip


@pytest.mark.parametrize(("other", "left"), [("zstat", ["zstat"]), ("Z", ["Z"]), ("zfstat", ["tstat", "zfstat"])])
def test_a_z_sibling_by_any_of_its_words(tmp_path, other, left):
    """The z of an F is no sibling: it has another question."""
    for stat in ("tstat", other):
        trees.touch(tmp_path / f"sub-01_stat-{stat}_statmap.nii.gz")
    assert [m.stat for m in find(tmp_path).maps] == left


def test_what_was_not_asked_for_is_not_told(tmp_path):
    found = find(trees.faults(tmp_path), contrasts=("fourD",))
    assert len(found.maps) == 1
    assert (found.skipped, found.failed, found.notices) == ((), (), ())


@pytest.mark.parametrize("ending", [".mgz", ".img", ".hdr"])
def test_other_images_are_skipped(tmp_path, ending):
    trees.touch(tmp_path / "sub-01" / f"sub-01_stat-z_statmap{ending}")
    assert "only NIfTI" in find(tmp_path).skipped[0].reason


@pytest.mark.parametrize(
    "name", ["sub-01_stat-z_statmap.json", "sub-01_statmaps.nii.gz", "._sub-01_stat-z_statmap.nii"]
)
def test_what_is_no_map_is_not_seen(tmp_path, name):
    trees.touch(tmp_path / "sub-01" / name)
    assert find(tmp_path).n_found == 0


def test_an_entity_without_a_label_is_skipped(tmp_path):
    trees.touch(tmp_path / "sub-_task-x_stat-z_statmap.nii.gz")
    assert "sub- without a label" in find(tmp_path).skipped[0].reason


def test_a_pipe_is_not_opened(tmp_path):
    (tmp_path / "sub-01").mkdir()
    os.mkfifo(tmp_path / "sub-01" / "sub-01_stat-z_statmap.nii.gz")
    assert find(tmp_path).failed[0].reason == "not a regular file"


# The selection


@pytest.mark.parametrize("label", ["01", "sub-01"])
def test_participants_are_named_with_or_without_sub(tmp_path, label):
    found = find(trees.fitlins(tmp_path), participants=(label,))
    assert {m.participant for m in found.maps} == {"01"}
    assert len(found.maps) == 3


def test_a_participant_label_is_text(tmp_path):
    assert names(find(trees.fitlins(tmp_path), participants=("1",))) == []


def test_runs_are_numbers(tmp_path):
    root = trees.fmriprep_like(tmp_path, participants=("01",))
    trees.touch(root / "sub-01" / "run-01" / "sub-01_stat-z_statmap.nii.gz")
    assert names(find(root, runs=("1",))) == names(find(root, runs=("01",)))
    assert len(find(root, runs=("1",)).maps) == 3


def test_all_selections_hold_together(tmp_path):
    root = trees.fmriprep_like(tmp_path)
    found = find(root, tasks=("nback",), spaces=("MNI152NLin6Asym",), contrasts=("zeroBack",), runs=("2",))
    assert len(found.maps) == 2
    assert names(find(root, tasks=("rest",))) == []


def test_maps_without_a_space_have_the_assumed_one(tmp_path):
    root = trees.fitlins(tmp_path)
    assert {m.entity("node") for m in find(root, spaces=("MNI",), assume_space="MNI").maps} == {
        "dataLevel",
        "subjectLevel",
    }
    assert names(find(root, spaces=("MNI",))) == []


def test_a_filter_selects_absent_entities(tmp_path):
    found = find(trees.fitlins(tmp_path), filters={"task": None, "subject": "*"})
    assert [m.entity("node") for m in found.maps] == ["subjectLevel", "subjectLevel"]


def test_labels_that_nothing_has_are_named(tmp_path):
    found = find(trees.fitlins(tmp_path), participants=("01", "99"), contrasts=("facesGtHouse",))
    text = " ".join(found.notices)
    assert "No statistical map has sub-99." in text
    assert "No statistical map has contrast-facesGtHouse; there is facesGtHouses." in text


def test_an_unknown_entity_of_the_filter_is_named(tmp_path):
    root = trees.fitlins(tmp_path)
    assert "'contarst'" in find(root, filters={"contarst": "x"}).notices[0]
    assert find(root, filters={"acquisition": None, "echo": False, "contrast": "none"}).notices == ()


def test_an_empty_selection_is_refused_with_what_was_missing(tmp_path):
    dataset = open_dataset(trees.fitlins(tmp_path))
    with pytest.raises(EmptySelection, match="has sub-99") as caught:
        check_selection(dataset, find_maps(dataset, Selection(asked={"sub": ("99",)})))
    assert caught.value.exit_code == 18


def test_a_participant_that_is_not_there_leaves_an_empty_selection_though_nothing_was_seen(tmp_path):
    dataset = open_dataset(trees.many(tmp_path, 2))
    with pytest.raises(EmptySelection, match="has sub-99"):
        check_selection(dataset, find_maps(dataset, Selection(asked={"sub": ("99",)})))


def test_a_dataset_without_any_map_is_missing_input(tmp_path):
    dataset = open_dataset(trees.describe(tmp_path))
    for selection in (Selection(), Selection(asked={"sub": ("01",)})):
        with pytest.raises(MissingInput, match="no statistical map") as caught:
            check_selection(dataset, find_maps(dataset, selection))
        assert caught.value.exit_code == 66


def test_skipped_maps_are_an_answer(tmp_path):
    trees.touch(tmp_path / "sub-01" / "sub-01_hemi-L_stat-z_statmap.surf.gii")
    dataset = open_dataset(tmp_path)
    check_selection(dataset, find_maps(dataset, Selection()))


# Filter files


def filter_file(tmp_path, content):
    path = tmp_path / "filter.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_statmap_query_of_a_filter_file_is_read(tmp_path):
    query = {"task": ["a", "b"], "run": None, "session": "*", "echo": 2}
    assert read_filter_file(filter_file(tmp_path, {"bold": {"task": "c"}, "statmap": query})) == query


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "no JSON object"),
        ({"bold": {}}, "no 'statmap' query"),
        ({"statmap": []}, "no 'statmap' query"),
        ({"statmap": {"task": {"a": 1}}}, "task wants no label"),
        ({"statmap": {"task": [["a"]]}}, "task wants no label"),
        ('{"statmap": {}, "statmap": {}}', "twice"),
    ],
)
def test_other_filter_files_are_refused(tmp_path, content, words):
    with pytest.raises(MissingInput, match=words) as caught:
        read_filter_file(filter_file(tmp_path, content))
    assert caught.value.exit_code == 66


def test_a_missing_filter_file_is_missing_input(tmp_path):
    with pytest.raises(MissingInput):
        read_filter_file(tmp_path / "none.json")


@pytest.mark.parametrize("broken", ["L", "R"])
def test_of_two_hemispheres_the_broken_one_is_named(tmp_path, broken):
    for side in "LR":
        trees.touch(tmp_path / "sub-01" / f"sub-01_hemi-{side}_stat-z_statmap.gii", b"" if side == broken else b"x")
    (failed,) = find(trees.describe(tmp_path)).failed
    named = {"L": "an empty file (0 bytes)", "R": "sub-01_hemi-R_stat-z_statmap.gii: an empty file (0 bytes)"}
    assert failed.relpath == "sub-01/sub-01_hemi-L_stat-z_statmap.gii"
    assert failed.reason == named[broken]
