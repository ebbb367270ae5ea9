"""What is found in folders is found in the order of its names, whatever order the file system lists them in."""

import errno
import os
from pathlib import Path

import pytest
from listings import list_by_name

from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.dataset.source import list_folders
from bids_regions.errors import BadMap
from bids_regions.files import write_json
from bids_regions.results.failures import Failure, find_failed_owners, find_failures, write_failure
from bids_regions.results.placement import failures_folder, name_outputs
from bids_regions.results.walk import find_owners, find_sidecars

PEOPLE = ("sub-01", "sub-02", "sub-10", "sub-9")


@pytest.fixture(params=[False, True], ids=["a to z", "backwards"])
def output(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with results and failures of participants, in a file system of one order."""
    for name in ("sub-10", "sub-01", "sub-9", "sub-02"):
        for session in ("ses-b", "ses-a"):
            for ending in ("desc-y_dseg.json", "desc-x_dseg.json", "desc-x_dseg.nii.gz"):
                write_json(tmp_path / name / session / "func" / f"{name}_{session}_{ending}", {})
        for note in ("b.json", "a.json"):
            write_json(failures_folder(tmp_path, name) / note, {"Reason": note})
    (tmp_path / "sub-03").touch()
    (tmp_path / "sub-01" / "figures").mkdir()
    write_json(tmp_path / "sub-01" / "figures" / "sub-01_dseg.json", {})
    write_json(tmp_path / "sub-01" / "ses-a" / ".sub-01_dseg.json", {})
    list_by_name(monkeypatch, backwards=request.param)
    return tmp_path


def test_sidecars_are_found_in_the_order_of_their_paths(output: Path) -> None:
    found = [path.relative_to(output / "sub-01").as_posix() for path in find_sidecars(output / "sub-01")]
    of_session = [f"ses-{s}/func/sub-01_ses-{s}_desc-{d}_dseg.json" for s in "ab" for d in "xy"]
    assert found == of_session


def test_owners_are_found_in_the_order_of_their_names(output: Path) -> None:
    assert find_owners(output, frozenset()) == list(PEOPLE)
    assert find_owners(output, frozenset({"9", "02", "03", "4"})) == ["sub-02", "sub-9"]
    assert find_owners(output / "none", frozenset()) == []


def test_failures_are_found_in_the_order_of_their_names(output: Path) -> None:
    assert find_failed_owners(output, frozenset()) == list(PEOPLE)
    assert find_failed_owners(output, frozenset({"9", "02", "4"})) == ["sub-02", "sub-9"]
    assert [note.reason for _, note in find_failures(output, "sub-10")] == ["a.json", "b.json"]


def test_the_note_of_a_failure_comes_back_as_it_was(tmp_path: Path) -> None:
    mapfile = read_map_names(tmp_path, ["sub-01/func/sub-01_stat-z_statmap.nii.gz"])
    place = name_outputs(mapfile, "a", tmp_path / "out")
    write_failure(mapfile, place, BadMap("it is bad", hint="Fix it"), "a traceback")
    ((path, note),) = find_failures(tmp_path / "out", "sub-01")
    assert path == place.failure
    assert note == Failure(
        source=mapfile.relpath, entities={"sub": "01", "stat": "z"}, entry="a", reason="it is bad", hint="Fix it",
        exit_code=BadMap.exit_code, crash="a traceback",
    )  # fmt: skip


def test_where_one_may_not_look_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    write_json(failures_folder(tmp_path, "sub-01") / "a.json", {"Reason": "a"})
    assert find_failed_owners(tmp_path, frozenset()) == ["sub-01"]
    monkeypatch.setattr(os, "scandir", deny)
    monkeypatch.setattr(os, "listdir", deny)
    assert find_failed_owners(tmp_path, frozenset()) == []
    assert find_owners(tmp_path, frozenset()) == []
    assert list_folders(tmp_path) == []


def test_folders_are_listed_in_the_order_of_their_names(output: Path) -> None:
    assert [path.name for path in list_folders(output)] == ["logs", *PEOPLE]
    assert list_folders(output / "none") == []
