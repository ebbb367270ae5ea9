"""Text too long to be held: it appears whole or not at all, and an equal file is left alone."""

import pytest

from bids_regions.errors import MissingInput, OutputRefused
from bids_regions.files import open_atomic


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def break_half_way(path):
    with open_atomic(path) as stream:
        stream.write("new")
        raise MissingInput("gone")


def test_the_file_appears_when_all_of_it_is_there(tmp_path):
    path = tmp_path / "new" / "table.tsv"
    with open_atomic(path) as stream:
        stream.write("a\tb\n")
        assert not path.exists()
    assert path.read_bytes() == b"a\tb\n"
    assert names_in(path.parent) == ["table.tsv"]


def test_what_breaks_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(MissingInput, match="gone"):
        break_half_way(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["table.tsv"]


@pytest.mark.parametrize(("text", "kept"), [("same", True), ("else", False), ("longer", False)])
def test_an_equal_file_is_not_written_again(tmp_path, text, kept):
    path = tmp_path / "table.tsv"
    path.write_text("same")
    before = path.stat().st_ino
    with open_atomic(path, only_if_changed=True) as stream:
        stream.write(text)
    assert path.read_text() == text
    assert (path.stat().st_ino == before) is kept
    assert names_in(tmp_path) == ["table.tsv"]


def test_a_folder_that_cannot_be_made_is_refused_with_its_name(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputRefused, match=r"file/table\.tsv cannot be written"),
        open_atomic(tmp_path / "file" / "table.tsv"),
    ):
        pass
