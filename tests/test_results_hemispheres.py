"""Label files of hemispheres beside maps whose names lack an entity of theirs: valid BIDS, and no record more."""

import json
import shutil
import subprocess
import sys

import pytest
from validator import validate

from bids_regions import demo, read_results
from bids_regions.cli import main
from bids_regions.files import list_names
from bids_regions.results import hemispheres
from bids_regions.results.placement import LOCK


@pytest.fixture
def dataset(tmp_path):
    """One person's real map on both hemispheres: of a run, of all runs together, and with its density."""
    root = tmp_path / "in"
    demo.make_surface_demo(root, demo.find_real_map())
    for path in sorted(root.rglob("*_statmap.func.gii")):
        for words in ("_run-1_hemi-", "_den-10k_hemi-"):
            shutil.copy(path, path.with_name(path.name.replace("_hemi-", words)))
    return root


def sides(out):
    return {path.relative_to(out).as_posix() for path in out.rglob("*_hemi-*_dseg.json")}


def test_what_lacks_an_entity_leaves_both_hemispheres_valid(dataset, tmp_path):
    out = tmp_path / "out"
    assert main([str(dataset), str(out), "participant", "group", "-q"]) == 0
    assert validate(out) == []
    assert len(read_results(out)) == 6
    made = sides(out)
    assert len(made) == 8  # two hemispheres of the run and of the density, of the person and of the group
    assert all("_run-1_" in name or "_den-10k_" in name for name in made)
    (one,) = (name for name in made if name.startswith("sub-") and "hemi-L" in name and "run-1" in name)
    record = json.loads(next(out.glob("sub-*/*_run-1_space*_dseg.json")).read_text())
    keys = ("Description", "Sources", "SpatialReference")
    assert json.loads((out / one).read_text()) == {key: record[key] for key in keys}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*_dseg.json")}
    assert main([str(dataset), str(out), "participant", "group", "-q"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*_dseg.json")}
    (out / one).unlink()
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    assert sides(out) == made


def test_a_record_that_is_alone_is_that_of_both_hemispheres(dataset, tmp_path):
    out = tmp_path / "out"
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    assert len(sides(out)) == 4
    for path in (path for path in out.rglob("*_dseg.*") if "_run-1_" not in path.name):
        path.unlink()
    for path in (path for path in dataset.rglob("*_statmap.func.gii") if "_run-1_" not in path.name):
        path.unlink()
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    assert sides(out) == set()
    assert validate(out) == []


def test_a_damaged_record_of_another_map_ends_no_run(dataset, tmp_path):
    out = tmp_path / "out"
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    made = sides(out)
    damaged = next(out.glob("sub-*/*_run-1_space*_dseg.json"))
    damaged.write_text("{")
    without_run = tmp_path / "filter.json"
    without_run.write_text('{"statmap": {"run": null, "den": null}}')
    asked = [str(dataset), str(out), "participant", "--bids-filter-file", str(without_run), "--force", "-q"]
    assert main(asked) == 0
    assert (sides(out), damaged.read_text()) == (made, "{")
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    assert validate(out) == []


def test_a_sidecar_that_is_of_no_record_stays(dataset, tmp_path):
    out = tmp_path / "out"
    folder = out / next(dataset.glob("sub-*")).name
    folder.mkdir(parents=True)
    other = folder / f"{folder.name}_hemi-L_atlas-other_dseg.label.gii"
    other.write_text("of another program")
    sidecar = other.with_name(other.name.replace(".label.gii", ".json"))
    sidecar.write_text("{}")
    assert main([str(dataset), str(out), "participant", "-q"]) == 0
    assert sidecar.read_text() == "{}"


def test_two_runs_of_one_person_take_turns(tmp_path, monkeypatch):
    """While one looks which sidecars are needed another process cannot have the lock of that person."""
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01" / "sub-01_hemi-L_desc-a_dseg.label.gii").touch()
    asked = f"""from pathlib import Path
from bids_regions.files import locked
for name in ("sub-01", "sub-02"):
    with locked(Path({str(tmp_path / LOCK)!r}), name, wait=False) as ours:
        print(ours)"""
    said = []

    def look(folder):
        said.append(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout)
        return list_names(folder)

    monkeypatch.setattr(hemispheres, "list_names", look)
    hemispheres.tell_hemispheres_apart(tmp_path / "sub-01")
    assert said == ["False\nTrue\n"]
