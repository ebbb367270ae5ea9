"""What a run takes and where it stops, told by the command line: each selection option, --work-dir, a first crash."""

import tempfile
from pathlib import Path

import pytest
import trees

from bids_regions.cli import main

FIRST = {"ses": "1", "task": "a", "run": "1", "space": "A", "contrast": "x"}
OPTIONS = {
    "--session-label": "ses", "--task-id": "task", "--run-id": "run", "--space": "space", "--contrast": "contrast",
    "--participant-label": "sub",
}  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """One map, and for each entity another that differs from it in that alone."""
    root = trees.describe(tmp_path_factory.mktemp("named"))
    for other, label in (("", ""), ("sub", "02"), ("ses", "2"), ("task", "b"), ("run", "2"), ("space", "B"),
                         ("contrast", "y")):  # fmt: skip
        e = {"sub": "01", **FIRST, other: label}
        name = (
            f"sub-{e['sub']}_ses-{e['ses']}_task-{e['task']}_run-{e['run']}_space-{e['space']}"
            f"_contrast-{e['contrast']}_stat-z_statmap.nii.gz"
        )
        trees.touch(root / f"sub-{e['sub']}" / f"ses-{e['ses']}" / "func" / name)
    return root


def planned(capsys, root, *words):
    assert main([str(root), str(root.parent / "out"), "participant", "--dry-run", *words]) == 0
    return {Path(line.split(" -> ")[0]).name for line in capsys.readouterr().out.splitlines() if " -> " in line}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_selection_takes_its_maps_and_no_others(named, capsys, option):
    entity = OPTIONS[option]
    other = {"sub": "02", "ses": "2", "task": "b", "run": "2", "space": "B", "contrast": "y"}[entity]
    assert len(planned(capsys, named)) == 7
    taken = planned(capsys, named, option, other)
    assert len(taken) == 1
    assert f"{entity}-{other}_" in taken.pop()
    assert len(planned(capsys, named, option, {"sub": "01", **FIRST}[entity])) == 6


def test_the_temporary_folder_stands_in_the_work_dir_and_is_gone_at_the_end(tmp_path, monkeypatch):
    root, folders = trees.fitlins(tmp_path / "in", participants=("01",), stats=("z",)), []
    real = tempfile.mkdtemp

    def spy(*words, **named):
        made = real(*words, **named)
        folders.extend([Path(made)] if named.get("prefix") == "bids_regions-" else [])
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", spy)
    words = [str(root), str(tmp_path / "out"), "participant", "--nprocs", "1", "-q"]
    assert main([*words, "--work-dir", str(tmp_path / "work" / "new")]) == 0
    assert main(words) == 0
    assert [folder.parent == tmp_path / "work" / "new" for folder in folders] == [True, False]
    assert list((tmp_path / "work" / "new").iterdir()) == []


@pytest.mark.parametrize("level", ["participant", "group"])
@pytest.mark.parametrize("damage", ["empty", "truncated"])
def test_a_first_crash_stops_the_run_where_it_was_asked_to(tmp_path, capsys, level, damage):
    """A broken map comes before sound ones: one that is seen to be broken by its size, one that has to be read."""
    root = trees.describe(tmp_path / "in")
    stem = "sub-01/func/sub-01_task-x" if level == "participant" else "group/task-x"
    first, *_ = [
        trees.write_map(root / f"{stem}_space-S_contrast-{contrast}_stat-z_statmap.nii.gz") for contrast in "abc"
    ]
    first.write_bytes(b"" if damage == "empty" else first.read_bytes()[:-2000])
    words = [str(root), str(tmp_path / "out"), level, "--nprocs", "1"]
    assert main([*words, "--stop-on-first-crash"]) == 1
    assert list((tmp_path / "out").rglob("*_dseg.json")) == []
    assert "stopped at the first failure" in capsys.readouterr().err.splitlines()[-1]
    assert main(words) == 1
    assert len(list((tmp_path / "out").rglob("*_dseg.json"))) == 2
