"""Folders: which are opened, which stay closed, links, what cannot be read."""

import os

import pytest
import trees
from trees import find, names

from bids_regions.dataset import Selection, find_maps, open_dataset
from bids_regions.dataset.walk import Walk


def test_halfpipe_features_and_group_folders_are_found(tmp_path):
    found = find(trees.halfpipe(tmp_path))
    assert [(m.participant, m.entity("feature"), m.entity("model")) for m in found.maps] == [
        (None, "seedCorr", "intercept"),
        (None, "seedCorr", "intercept"),
        ("01", "seedCorr", None),
        ("02", "seedCorr", None),
    ]


def test_a_z_map_in_another_folder_is_no_sibling(tmp_path):
    for folder, stat in (("first", "z"), ("second", "t")):
        trees.touch(tmp_path / "sub-01" / folder / f"sub-01_stat-{stat}_statmap.nii.gz")
    assert [m.stat for m in find(tmp_path).maps] == ["z", "t"]


def test_a_map_in_the_folder_of_another_participant_fails(tmp_path):
    trees.touch(tmp_path / "sub-01" / "sub-02_stat-z_statmap.nii.gz")
    assert "named for sub-02" in find(tmp_path).failed[0].reason


# Folders


def on_listing(monkeypatch, see):
    """Call `see` with each folder before it is listed."""

    def seen(listing):
        def wrapped(path):
            see(os.fspath(path))
            return listing(path)

        return wrapped

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, seen(getattr(os, name)))


def spy_on_listings(monkeypatch, root):
    """The folders that are listed from here on, relative to `root`."""
    opened = []
    on_listing(monkeypatch, lambda path: opened.append(os.path.relpath(path, root)))
    return opened


def deny_listing(monkeypatch, end):
    def deny(path):
        if path.endswith(end):
            raise PermissionError(13, "Permission denied")

    on_listing(monkeypatch, deny)


def test_only_the_folders_of_the_participants_asked_for_are_opened(tmp_path, monkeypatch):
    root = trees.many(tmp_path, 30, unrelated=1)
    dataset = open_dataset(root)
    opened = spy_on_listings(monkeypatch, root)
    assert len(find_maps(dataset, Selection(asked={"sub": ("00003",)})).maps) == 1
    assert opened == [".", "sub-00003", "sub-00003/func"]


def test_participants_that_nobody_asked_for_are_passed_over_by_their_names_alone(tmp_path):
    root = trees.many(tmp_path, 30, unrelated=1)
    walk = Walk(root=str(root), labels={"sub": ("00003",)})
    with walk._entries(str(root), "") as entries:
        assert {entry.name for entry in entries} == {"dataset_description.json", "sub-00003"}


def test_what_one_participant_has_is_found_wherever_it_lies(tmp_path, monkeypatch):
    """Beside the folder of the same name: below nodes, behind links, in files that lie side by side."""
    trees.describe(tmp_path)
    for label in ("01", "02", "011"):
        name = f"sub-{label}_task-{{}}_stat-z_statmap.nii.gz"
        trees.touch(tmp_path / name.format("flat"))
        trees.touch(tmp_path / f"sub-{label}" / "func" / name.format("folder"))
        trees.touch(tmp_path / "node-a" / f"sub-{label}" / name.format("node"))
        trees.touch(tmp_path / f"sub-{label}.html")
        trees.touch(tmp_path / f"sub-{label}.old" / name.format("old"))
    trees.touch(tmp_path.parent / "store" / "sub-01_task-link_stat-z_statmap.nii.gz")
    (tmp_path / "more" / "x").mkdir(parents=True)
    (tmp_path / "more" / "x" / "sub-01").symlink_to(tmp_path.parent / "store")
    opened = spy_on_listings(monkeypatch, tmp_path.resolve())
    found = find(tmp_path, participants=("01",))
    assert {m.entity("task") for m in found.maps} == {"flat", "folder", "node", "link"}
    assert not found.failed
    assert not {folder for folder in opened if "02" in folder or "011" in folder or "old" in folder}


@pytest.mark.parametrize("folder", ["derivatives/other", "sourcedata", "code", "work", ".git", "figures"])
def test_folders_of_other_things_stay_closed(tmp_path, folder):
    trees.describe(tmp_path)
    trees.write_map(tmp_path / "sub-01_stat-z_statmap.nii.gz")
    trees.touch(tmp_path / folder / "sub-02_stat-z_statmap.nii.gz")
    assert names(find(tmp_path)) == ["sub-01_stat-z_statmap.nii.gz"]


def test_our_own_output_inside_the_dataset_is_no_input(tmp_path):
    trees.describe(tmp_path)
    trees.touch(tmp_path / "sub-01_stat-z_statmap.nii.gz")
    own = trees.describe(tmp_path / "regions", GeneratedBy=[{"Name": "bids_regions"}])
    trees.touch(own / "sub-01" / "sub-01_seg-stat+z_desc-xThresholded_statmap.nii.gz")
    assert names(find(tmp_path, stats=())) == ["sub-01_stat-z_statmap.nii.gz"]
    assert find(tmp_path).n_found == 1


def test_links_to_folders_are_followed_once_and_without_end(tmp_path):
    root = trees.describe(tmp_path / "data")
    trees.touch(tmp_path / "store" / "sub-01_stat-z_statmap.nii.gz")
    trees.touch(root / "sub-02" / "sub-02_stat-z_statmap.nii.gz")
    (root / "sub-01").symlink_to(tmp_path / "store")
    (root / "again").symlink_to(root / "sub-02")
    (root / "sub-02" / "loop").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "self").symlink_to(root / "self")
    found = find(root)
    assert names(found) == ["sub-01/sub-01_stat-z_statmap.nii.gz", "sub-02/sub-02_stat-z_statmap.nii.gz"]
    assert [n.split(" ")[0] for n in found.notices] == ["above", "sub-02/loop"]


def test_links_below_linked_folders_are_followed_too(tmp_path):
    root = trees.describe(tmp_path / "data")
    trees.touch(tmp_path / "far" / "sub-01_stat-z_statmap.nii.gz")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "node-a").symlink_to(tmp_path / "far")
    (root / "a").symlink_to(tmp_path / "near")
    (root / "b").symlink_to(tmp_path / "near")
    assert names(find(root)) == ["a/node-a/sub-01_stat-z_statmap.nii.gz"]


def test_a_participant_whose_link_is_broken_has_failed(tmp_path):
    trees.describe(tmp_path)
    (tmp_path / "sub-01").symlink_to(tmp_path / "gone")
    failed = find(tmp_path).failed
    assert (failed[0].relpath, failed[0].participant) == ("sub-01", "01")
    assert "leads nowhere" in failed[0].reason


def test_a_folder_that_cannot_be_read_has_failed(tmp_path, monkeypatch):
    trees.fitlins(tmp_path, stats=("z",))
    dataset = open_dataset(tmp_path)
    deny_listing(monkeypatch, "node-runLevel/sub-02")
    found = find_maps(dataset, Selection())
    assert found.failed[0].relpath == "node-runLevel/sub-02"
    assert found.failed[0].participant == "02"
    assert len(found.maps) == 5


def test_a_folder_of_participants_that_cannot_be_read_has_failed(tmp_path, monkeypatch):
    trees.fitlins(tmp_path, stats=("z",))
    dataset = open_dataset(tmp_path)
    whole = find_maps(dataset, Selection(asked={"sub": ("01",)}))
    deny_listing(monkeypatch, "node-runLevel")
    found = find_maps(dataset, Selection(asked={"sub": ("01",)}))
    assert found.failed[0].relpath == "node-runLevel"
    assert 0 < len(found.maps) < len(whole.maps)


def test_a_folder_of_participants_that_may_be_listed_but_not_entered_has_failed(tmp_path, monkeypatch):
    trees.fitlins(tmp_path, stats=("z",))
    dataset = open_dataset(tmp_path)
    stat = os.stat

    def deny(path, **how):
        if os.fspath(path).endswith("node-runLevel/."):
            raise PermissionError(13, "Permission denied")
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", deny)
    failed = find_maps(dataset, Selection(asked={"sub": ("01",)})).failed
    assert [(one.relpath, one.reason) for one in failed] == [
        ("node-runLevel", "the folder cannot be read: Permission denied")
    ]


def test_names_that_are_no_utf8_and_names_with_line_breaks_are_read(tmp_path):
    trees.describe(tmp_path)
    odd = os.fsencode(tmp_path) + b"/sub-01_contrast-\xff_stat-z_statmap.nii.gz"
    with open(odd, "wb") as stream:  # noqa: PTH123 # bytes
        stream.write(b"x")
    trees.touch(tmp_path / "sub-01_contrast-a\nb_stat-z_statmap.nii.gz")
    assert len(find(tmp_path).maps) == 2
