"""A rerun does what is missing or changed, and nothing else: told by the times at which files were written."""

import errno
import gzip
import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest
import trees

from bids_regions.cli import main
from bids_regions.demo import find_real_map, make_demo
from bids_regions.maps import drawing, maps
from bids_regions.pages import page as participant_page
from bids_regions.results import records

LABELS = ("01", "02")
OPTIONS = ("--threshold", "3.0", "2.0", "--min-region-voxels", "5")
ENDINGS = ("_dseg.nii.gz", "_dseg.tsv", "_dseg.json", "_peaks.tsv")


def run(root, *words):
    return main([str(root / "in"), str(root / "out"), "participant", *OPTIONS, "--nprocs", "1", "-q", *words])


def times(root):
    """When each file outside logs/ was written, and which file it is: a renamed one is another."""
    found = (path for path in sorted((root / "out").rglob("*")) if path.is_file())
    out = {path.relative_to(root / "out").as_posix(): path.stat() for path in found}
    return {name: (stat.st_mtime_ns, stat.st_ino) for name, stat in out.items() if not name.startswith("logs/")}


def contents(root):
    return {name: (root / "out" / name).read_bytes() for name in times(root)}


def written(root, before):
    """Names of what was written or removed since."""
    now = times(root)
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("reruns")
    trees.describe(root / "in")
    for label in LABELS:
        for contrast in ("a", "b"):
            name = f"sub-{label}_task-x_space-MNI152Lin_contrast-{contrast}_stat-z_statmap.nii.gz"
            trees.write_map(root / "in" / f"sub-{label}" / "func" / name)
    assert run(root) == 0
    return root


@pytest.fixture
def done(sample, tmp_path):
    """A dataset of two participants with two maps each, and the finished results of two entries."""
    shutil.copytree(sample, tmp_path, dirs_exist_ok=True)
    return tmp_path


def stem(label="02", contrast="a", entry="thr3p0"):
    name = f"sub-{label}_task-x_space-MNI152Lin_seg-contrast+{contrast}+stat+z_desc-{entry}"
    return f"sub-{label}/func/{name}"


def test_nothing_to_do_writes_nothing(done):
    before = times(done)
    assert len(before) > 20
    assert run(done) == 0
    assert written(done, before) == set()


def harm(path, damage):
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lost_output_brings_back_its_entry_of_its_map_and_nothing_else(done, ending, damage):
    before, whole = times(done), contents(done)
    path = done / "out" / (stem() + ending)
    harm(path, damage)
    assert run(done) == 0
    assert contents(done) == whole
    again = written(done, before)
    assert stem() + ending in again
    assert again <= {stem() + each for each in ENDINGS}


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
@pytest.mark.parametrize("what", ["sub-02.html", "figures"])
def test_a_lost_page_or_figure_is_drawn_again_and_nothing_is_computed(done, what, damage):
    before, whole = times(done), contents(done)
    name = what if what.endswith("html") else next(n for n in before if n.startswith("sub-02/figures/"))
    path = done / "out" / name
    harm(path, damage)
    assert run(done) == 0
    assert contents(done) == whole
    assert written(done, before) - {"sub-02.html"} == {name} - {"sub-02.html"}


def test_a_changed_map_is_done_again_alone(done):
    before = times(done)
    (path,) = (done / "in" / "sub-02").rglob("*contrast-a*")
    image = nib.load(path)
    nib.save(nib.Nifti1Image(image.get_fdata(dtype=np.float32) * np.float32(1.5), image.affine), path)
    assert run(done) == 0
    again = written(done, before)
    results = {stem(entry=entry) + ending for entry in ("thr3p0", "thr2p0") for ending in ENDINGS}
    assert again & {name for name in before if name.endswith(ENDINGS)} <= results
    assert {stem(entry=entry) + "_dseg.json" for entry in ("thr3p0", "thr2p0")} <= again
    assert {name for name in again if not name.startswith("sub-02/")} == {"sub-02.html"}
    assert {name for name in again if "contrast+b" in name} == set()


def test_a_changed_option_is_done_again_where_it_counts(done):
    """Another name of entry stands beside the others; another size under the same name takes its place."""
    before = times(done)
    assert run(done, "--threshold", "4.0") == 0
    again = written(done, before)
    assert {name for name in again if name.endswith(ENDINGS)} == {
        stem(label, contrast, "thr4p0") + ending for label in LABELS for contrast in "ab" for ending in ENDINGS
    }
    before = times(done)
    assert run(done, "--threshold", "4.0", "--min-region-voxels", "20") == 0
    again = written(done, before)
    records_then = {name for name in again if name.endswith("_dseg.json")}
    entries = ("thr2p0", "thr3p0", "thr4p0")  # of all three: thresholds add up, the size is everybody's
    assert records_then == {
        stem(label, contrast, entry) + "_dseg.json" for label in LABELS for contrast in "ab" for entry in entries
    }
    record = json.loads((done / "out" / (stem(entry="thr4p0") + "_dseg.json")).read_text())
    assert record["Criteria"]["min_region_voxels"] == 20


def test_another_version_does_all_again(done, monkeypatch):
    before = times(done)
    monkeypatch.setattr(records, "__version__", "99.0")
    assert run(done) == 0
    again = written(done, before)
    everything = {name for name in before if name.endswith("_dseg.json")}
    assert len(everything) == 8
    assert everything | {"sub-01.html", "sub-02.html"} <= again
    record = json.loads((done / "out" / (stem() + "_dseg.json")).read_text())
    assert record["Versions"]["bids_regions"] == "99.0"


def test_force_does_all_again_and_changes_no_byte(done):
    before, whole = times(done), contents(done)
    assert run(done, "--force") == 0
    (log,) = (path for path in (done / "out" / "logs").glob("log-*.json") if "--force" in path.read_text())
    assert json.loads(log.read_text())["counts"]["computed"] == 8
    assert {name for name in before if name.endswith("_dseg.json")} <= written(done, before)
    assert contents(done) == whole


def test_the_log_tells_what_was_computed(done):
    assert run(done) == 0
    (done / "out" / (stem() + "_dseg.tsv")).unlink()
    assert run(done) == 0
    logs = sorted((done / "out" / "logs").glob("log-*.json"), key=lambda path: path.stat().st_mtime_ns)
    assert [json.loads(log.read_text())["counts"].get("computed", 0) for log in logs] == [8, 0, 1]


def test_a_rerun_computes_draws_and_writes_nothing(tmp_path, monkeypatch):
    """What a rerun costs is what it does: it loads no map, draws no section, and touches no file outside logs/."""
    make_demo(tmp_path / "in", find_real_map())
    two = ("--participant-label", "01", "02")
    assert run(tmp_path, *two) == 0
    before, calls = times(tmp_path), []
    for name in ("load_statmap", "draw_section"):
        real = getattr(maps, name)
        monkeypatch.setattr(maps, name, lambda *given, real=real: calls.append(real.__name__) or real(*given))
    assert run(tmp_path, *two) == 0
    assert (times(tmp_path), calls) == (before, [])
    assert run(tmp_path, *two, "--force") == 0
    n_maps = len(list((tmp_path / "in").glob("sub-0[12]/**/*_statmap.nii.gz")))
    assert n_maps == 2
    assert sorted(calls) == ["draw_section"] * n_maps + ["load_statmap"] * n_maps


def test_a_folder_that_can_be_read_again_is_no_failure_any_more(done, monkeypatch):
    """The note of its failure names no map, so that no map's success would take it away."""
    whole, scandir = contents(done), os.scandir

    def deny(path="."):
        if str(path).endswith("in/sub-02/func"):
            raise OSError(5, "Input/output error")
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", deny)
        assert run(done) == 1
    assert "cannot be read" in (done / "out" / "sub-02.html").read_text()
    assert run(done) == 0
    assert contents(done) == whole
    assert not list((done / "out" / "logs" / "failed").rglob("*.json"))


def test_a_page_that_could_not_be_drawn_is_a_failure_and_drawn_by_the_next_run(done, monkeypatch, capsys):
    whole = contents(done)
    (done / "out" / "sub-02.html").unlink()

    def fail(*_):
        raise RuntimeError("out of ink")

    with monkeypatch.context() as patched:
        patched.setattr(drawing, "draw_section", fail)
        assert run(done) == 1
    assert "finished, but cannot be drawn: RuntimeError: out of ink" in capsys.readouterr().err
    assert "out of ink" in (done / "out" / "sub-02.html").read_text()
    assert run(done) == 0
    assert contents(done) == whole


def test_a_page_shows_what_another_run_finished_while_it_was_made(done, monkeypatch):
    """The other run's page is written before ours, which was begun without its entry: ours is made once more."""
    render, turns = participant_page.render_participant, []

    def meanwhile(page):
        turns.append(page)
        if len(turns) == 1:
            assert run(done, "--participant-label", "02", "--threshold", "4.0") == 0
        return render(page)

    (done / "out" / "sub-02.html").unlink()
    monkeypatch.setattr(participant_page, "render_participant", meanwhile)
    assert run(done, "--participant-label", "02") == 0
    assert len(turns) == 3  # ours, the other's, ours again
    page = (done / "out" / "sub-02.html").read_text()
    assert all(entry in page for entry in ("thr2p0", "thr3p0", "thr4p0"))


def test_a_map_that_is_gone_keeps_its_results_and_is_no_failure(done):
    (path,) = (done / "in" / "sub-02").rglob("*contrast-a*")
    path.unlink()
    (done / "out" / "sub-02.html").unlink()
    assert run(done) == 0
    assert (done / "out" / (stem() + "_dseg.json")).exists()
    assert "cannot be drawn" in (done / "out" / "sub-02.html").read_text()


def test_a_broken_map_that_was_taken_out_is_no_failure_any_more(done):
    whole = contents(done)
    bad = trees.touch(done / "in" / "sub-02" / "func" / "sub-02_task-x_contrast-bad_stat-z_statmap.nii.gz", b"x")
    assert run(done) == 1
    assert run(done, "--contrast", "a") == 0  # which asks for another map: the failure stays
    assert "contrast-bad" in (done / "out" / "sub-02.html").read_text()
    bad.unlink()
    assert run(done) == 0
    assert contents(done) == whole


def test_gzip_headers_hold_no_time_and_no_name(done):
    packed = list((done / "out").rglob("*.gz"))
    assert packed
    for path in packed:
        assert path.read_bytes()[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        assert gzip.decompress(path.read_bytes())[344:348] == b"n+1\0"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_mask_that_cannot_be_looked_for_is_not_taken_for_none(done, monkeypatch, number):
    """Regions found without the mask would be other regions, with nothing to tell of it."""
    anat = done / "in" / "sub-02" / "anat"
    trees.write_mask(anat / "sub-02_space-MNI152Lin_desc-brain_mask.nii.gz")
    assert run(done) == 0
    whole, scandir = contents(done), os.scandir

    def deny(path="."):
        if str(path) == str(anat):
            raise OSError(number, os.strerror(number))
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", deny)
        assert run(done) == (1 if number == errno.EACCES else 74)
    assert {n: c for n, c in contents(done).items() if "/" in n} == {n: c for n, c in whole.items() if "/" in n}
    assert run(done) == 0
    assert contents(done) == whole


def test_while_results_are_written_no_record_says_that_they_stand(done, monkeypatch, capsys):
    """The disk is full in the middle: what the old record names is no longer of one run, so there is no record."""
    record = done / "out" / f"{stem()}_dseg.json"
    assert record.exists()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(maps, "peaks_table", full)
    assert run(done, "--force") == 74
    assert "No space left" in capsys.readouterr().err
    assert not (done / "out" / f"{stem('01')}_dseg.json").exists()
    assert record.exists()  # not begun yet
