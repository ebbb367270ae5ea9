"""The app through its command line: real numbers, every dataset shape, reruns, the same bytes twice."""

import base64
import collections
import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 # its own documentation's name
import trees
from app_runs import digests, run, table
from validator import validate

from bids_regions.cli import main
from bids_regions.dataset import read_map_name
from bids_regions.demo import find_real_map, make_demo
from bids_regions.pages.page import MARK, seal_page
from bids_regions.pages.sections import section_key


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "dataset"
    make_demo(folder, find_real_map())
    return folder


@pytest.fixture(scope="module")
def finished(demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert run(demo, out, "participant", "group", "--threshold", "97%", "3.0") == 0
    return out


def test_the_real_maps_regions_are_those_published_for_it(finished):
    rows = table(finished, "pct97")
    sizes = [int(row["n_voxels"]) * (1 if row["sign"] == "positive" else -1) for row in rows]
    assert sizes == [2520, 433, -802, -404, -67, -56]
    assert [round(float(row["sum_value"]), 3) for row in rows[:2]] == [13587.494, 2156.639]
    assert [int(row["n_voxels"]) for row in table(finished, "thr3p0")] == [2237, 380, 718, 332]


def test_nilearns_rule_gives_nilearns_two_regions(demo, tmp_path):
    words = ("--participant-label", "01", "--threshold", "97%", "--convention", "nilearn", "--min-region-size", "1500")
    assert run(demo, tmp_path, "participant", *words) == 0
    assert [int(row["n_voxels"]) for row in table(tmp_path, "pct97")] == [2520, 433]


def test_label_image_table_and_record_agree(finished):
    for labels in finished.glob("sub-*/func/*_dseg.nii.gz"):
        image = nib.load(labels)
        stem = labels.name.removesuffix("_dseg.nii.gz")
        rows = list(csv.DictReader((labels.parent / f"{stem}_dseg.tsv").read_text().splitlines(), delimiter="\t"))
        record = json.loads((labels.parent / f"{stem}_dseg.json").read_text())
        counts = np.bincount(np.asanyarray(image.dataobj).ravel(), minlength=1)[1:]
        assert counts.tolist() == [int(row["n_voxels"]) for row in rows]
        assert record["Counts"]["RegionsKept"] == len(rows)
        for row in rows:
            ijk = [int(row[f"peak_{a}"]) for a in "ijk"]
            assert np.asanyarray(image.dataobj)[tuple(ijk)] == int(row["index"])
            xyz = nib.affines.apply_affine(image.affine, ijk)
            assert np.allclose(xyz, [float(row[f"peak_{a}"]) for a in "xyz"], atol=1e-6)


def test_labels_lie_on_the_grid_of_the_map_for_two_readers(demo, finished):
    source = nib.load(next((demo / "sub-01").rglob("*stat-z_statmap.nii.gz")))
    path = next((finished / "sub-01").rglob("*_desc-pct97_dseg.nii.gz"))
    image = nib.load(path)
    assert image.shape == source.shape
    assert np.array_equal(image.affine, source.affine)
    assert (image.header["sform_code"], image.header["qform_code"]) == (
        source.header["sform_code"], source.header["qform_code"])  # fmt: skip
    assert image.header["intent_code"] == 1002
    assert image.get_data_dtype() == np.uint8
    other = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(other.transpose(2, 1, 0), np.asanyarray(image.dataobj))


def test_the_official_validator_finds_no_error(finished):
    assert validate(finished) == []


def test_pybids_reads_the_outputs_back(finished):
    from bids import BIDSLayout  # noqa: PLC0415 # half a second, for one test

    layout = BIDSLayout(finished, validate=False, config=["bids", "derivatives"])
    found = layout.get(subject="01", task="localizer", space="MNI152Lin", desc="pct97", suffix="dseg",
                       extension=".nii.gz")  # fmt: skip
    assert [Path(one.path).parent.parent.name for one in found] == ["sub-01"]


def test_a_map_without_regions_has_an_empty_image_and_tables_of_one_line(finished):
    assert table(finished, "thr3p0", owner="sub-06") == []
    image = nib.load(next((finished / "sub-06").rglob("*thr3p0_dseg.nii.gz")))
    assert not np.asanyarray(image.dataobj).any()
    page = (finished / "sub-06.html").read_text()
    assert "No region survived" in page


def test_records_hold_no_null_and_name_the_cutoff(finished):
    record = json.loads(next((finished / "sub-01").rglob("*pct97_dseg.json")).read_text())
    assert "null" not in json.dumps(record)
    assert record["Threshold"]["Cutoff"] == pytest.approx(2.5946684, abs=1e-5)
    assert record["Threshold"]["PopulationSize"] == 153594
    assert record["SourceEntities"] == {
        "sub": "01", "task": "localizer", "space": "MNI152Lin", "contrast": "leftVsRight", "stat": "z"}  # fmt: skip
    assert record["Sources"][0].startswith("bids:input:sub-01/func/")


def test_two_workers_and_another_order_write_the_same_bytes(demo, finished, tmp_path):
    words = ("--threshold", "97%", "3.0")
    labels = [f"{n:02d}" for n in range(6, 0, -1)]
    assert run(demo, tmp_path, "participant", "--participant-label", *labels, *words, nprocs=2) == 0
    assert run(demo, tmp_path, "group", *words, nprocs=2) == 0
    ours, theirs = digests(tmp_path), digests(finished)
    assert {name: d for name, d in ours.items() if name != "dataset_description.json"} == {
        name: d for name, d in theirs.items() if name != "dataset_description.json"}  # fmt: skip


def test_a_hash_seed_changes_no_byte(demo, finished, tmp_path):
    command = [sys.executable, "-m", "bids_regions", demo, tmp_path, "participant", "--participant-label", "01",
               "--threshold", "97%", "3.0", "-q"]  # fmt: skip
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "12345"})
    ours = {n: d for n, d in digests(tmp_path).items() if n.startswith("sub-01")}
    assert ours == {n: d for n, d in digests(finished).items() if n.startswith("sub-01")}


def test_a_rerun_touches_nothing(demo, tmp_path):
    words = (demo, tmp_path, "participant", "--participant-label", "01", "02")
    assert run(*words) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert run(*words) == 0
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
@pytest.mark.parametrize("what", ["_dseg.nii.gz", "_dseg.tsv", "_peaks.tsv", "_dseg.json", "_figure.svg", ".html"])
def test_a_lost_or_damaged_output_is_made_again_and_nothing_else(demo, tmp_path, damage, what):
    words = (demo, tmp_path, "participant", "--participant-label", "01")
    assert run(*words) == 0
    before = digests(tmp_path)
    (path,) = (tmp_path.glob("sub-01*.html")) if what == ".html" else (tmp_path / "sub-01").rglob(f"*{what}")
    content = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert run(*words) == 0
    assert digests(tmp_path) == before


def test_a_changed_map_or_option_is_done_again_and_entries_coexist(demo, tmp_path):
    dataset = tmp_path / "in"
    shutil.copytree(demo, dataset)
    out = tmp_path / "out"
    assert run(dataset, out, "participant", "--participant-label", "01", "02") == 0
    before = digests(out)
    path = next((dataset / "sub-02").rglob("*stat-z_statmap.nii.gz"))
    image = nib.load(path)
    nib.save(nib.Nifti1Image(image.get_fdata(dtype=np.float32) * np.float32(1.5), image.affine, image.header), path)
    assert run(dataset, out, "participant", "--participant-label", "01", "02") == 0
    changed = {name for name, digest in digests(out).items() if before.get(name) != digest}
    assert changed
    assert all(name.startswith("sub-02") for name in changed)
    assert run(dataset, out, "participant", "--participant-label", "01", "--threshold", "5.0") == 0
    page = (out / "sub-01.html").read_text()
    assert "thr3p0" in page
    assert "thr5p0" in page


def test_reports_can_be_made_again_from_finished_results(demo, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "sub-03.html").unlink()
    assert run(demo, out, "participant", "--threshold", "97%", "3.0", "--reports-only") == 0
    assert (out / "sub-03.html").read_bytes() == (finished / "sub-03.html").read_bytes()


def test_reports_only_writes_every_page_anew(demo, finished, tmp_path):
    """A page of another template, whose inputs are the same: a rerun leaves it, --reports-only does not."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    page = out / "sub-03.html"
    good = page.read_bytes()
    body, _, trailer = good.rpartition(MARK)
    told = json.loads(base64.b64decode(trailer.removesuffix(b" -->\n")))
    page.write_bytes(seal_page(body.replace(b"<h1", b"<h1 "), told["key"], told["files"]))
    old = page.read_bytes()
    assert old != good
    words = ("participant", "--threshold", "97%", "3.0", "--participant-label", "03")
    assert run(demo, out, *words) == 0
    assert page.read_bytes() == old
    assert run(demo, out, *words, "--reports-only") == 0
    assert page.read_bytes() == good


def test_maps_whose_names_differ_in_punctuation_have_anchors_of_their_own(tmp_path):
    names = ("sub-01/a+b/sub-01_stat-z_statmap.nii.gz", "sub-01/a-b/sub-01_stat-z_statmap.nii.gz")
    assert len({section_key(read_map_name(tmp_path, name)) for name in names}) == 2


def reoriented(image, flip, order):
    """The same image stored with its axes permuted and the first of them reversed."""
    data, affine = np.asanyarray(image.dataobj).transpose(order), image.affine[:, [*order, 3]].copy()
    if flip:
        affine[:, 3] += affine[:, 0] * (data.shape[0] - 1)
        affine[:, 0] *= -1
        data = data[::-1]
    return nib.Nifti1Image(data, affine)


@pytest.mark.parametrize(("flip", "order"), [(True, (0, 1, 2)), (False, (2, 0, 1)), (True, (1, 2, 0))])
@pytest.mark.parametrize("extract_type", ["connected_components", "local_regions"])
def test_the_order_of_storage_changes_no_region(demo, tmp_path, flip, order, extract_type):
    original = nib.load(next((demo / "sub-01").rglob("*stat-z_statmap.nii.gz")))
    trees.describe(tmp_path / "in")
    for label, image in (("01", original), ("02", reoriented(original, flip, order))):
        path = tmp_path / "in" / f"sub-{label}" / f"sub-{label}_contrast-a_stat-z_statmap.nii.gz"
        path.parent.mkdir()
        nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine), path)
    words = ("--threshold", "2.5", "--extract-type", extract_type, "--min-region-voxels", "5")
    assert run(tmp_path / "in", tmp_path / "out", "participant", *words) == 0
    one, other = (table(tmp_path / "out", "thr2p5", owner=f"sub-{label}") for label in ("01", "02"))
    own_axes = {"peak_i", "peak_j", "peak_k"}
    assert [{k: v for k, v in row.items() if k not in own_axes} for row in one] == [
        {k: v for k, v in row.items() if k not in own_axes} for row in other]  # fmt: skip
    images = [nib.load(next((tmp_path / "out" / f"sub-{label}").glob("*_dseg.nii.gz"))) for label in ("01", "02")]
    back = reoriented(images[0], flip, order)
    assert np.array_equal(np.asanyarray(back.dataobj), np.asanyarray(images[1].dataobj))


SHAPES = [trees.fitlins, "nilearn_tree", trees.halfpipe, trees.fmriprep_like, trees.tedana]


@pytest.mark.filterwarnings("default")  # nilearn's own, where it makes its dataset
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: getattr(shape, "__name__", shape))
def test_every_shape_of_dataset_gives_a_valid_derivative(tmp_path, request, shape):
    root = request.getfixturevalue(shape) if isinstance(shape, str) else shape(tmp_path / "in")
    stats = ("--stat", "F", "--volumes", "1") if shape is trees.tedana else ()
    words = ("--min-region-voxels", "5", *stats)
    assert run(root, tmp_path / "out", "participant", "group", *words) == 0
    assert list((tmp_path / "out").rglob("*_dseg.nii.gz"))
    assert validate(tmp_path / "out") == []


def test_dry_run_and_boilerplate_write_no_result(demo, tmp_path, capsys):
    assert run(demo, tmp_path / "a", "participant", "--dry-run") == 0
    assert not (tmp_path / "a").exists()
    assert capsys.readouterr().out.count(" -> sub-") == 6
    assert run(demo, tmp_path / "b", "participant", "--boilerplate-only") == 0
    assert sorted(digests(tmp_path / "b")) == []
    assert "SciPy" in (tmp_path / "b" / "logs" / "CITATION.md").read_text()


def test_explain_compares_the_conventions_and_writes_nothing(demo, tmp_path, capsys):
    words = (demo, tmp_path / "out", "participant", "--participant-label", "01", "--explain")
    assert main([*map(str, words), "--nprocs", "1"]) == 0
    told = capsys.readouterr()
    assert not (tmp_path / "out").exists()
    assert "[1/" in told.err  # progress, map by map
    lines = told.out.splitlines()
    assert lines[-1] == "explained; no result was written (exit code 0)"
    rows = {line.split()[1]: line for line in lines if line.startswith("thr3p0")}
    assert list(rows) == ["yours", "nilearn", "fsl", "spm", "afni"]
    assert "tail 1050, size 27" in rows["fsl"]
    assert "size 157" in rows["afni"]


def test_explain_beside_reports_only_is_shown_on_the_page(demo, tmp_path):
    words = (demo, tmp_path, "participant", "--participant-label", "01")
    assert run(*words) == 0
    assert run(*words, "--explain", "--reports-only") == 0
    assert "what each convention would keep" in (tmp_path / "sub-01.html").read_text()


def test_explain_leaves_out_what_would_take_minutes(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bids_regions.maps.explain.MOST", 10)
    words = (demo, tmp_path / "out", "participant", "--participant-label", "01", "--explain", "--nprocs", "1")
    assert run(*words) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if " nilearn " in line]
    assert rows
    assert all("would take minutes" in row for row in rows)


def test_methods_name_connectivity_mask_and_peaks_and_the_group_has_its_paragraph(demo, tmp_path):
    assert run(demo, tmp_path, "participant", "--max-peaks", "2", "--min-peak-distance", "10") == 0
    text = (tmp_path / "logs" / "CITATION.md").read_text()
    assert "Clusters were defined with 6-connectivity (shared faces)" in text
    assert "Voxels outside the brain mask" in text
    assert "Up to 2 peaks of each region, more than 10 mm apart, are reported" in text
    assert run(demo, tmp_path, "group") == 0
    assert "Across participants, prevalence was computed" in (tmp_path / "logs" / "CITATION.md").read_text()


def test_also_written_images_hold_the_regions(demo, tmp_path):
    words = ("--participant-label", "01", "--threshold", "97%", "--also-write", "thresholded", "regions4d")
    assert run(demo, tmp_path, "participant", *words) == 0
    folder = tmp_path / "sub-01" / "func"
    source = nib.load(next((demo / "sub-01").rglob("*stat-z_statmap.nii.gz"))).get_fdata()
    labels = np.asanyarray(nib.load(next(folder.glob("*pct97_dseg.nii.gz"))).dataobj)
    thresholded = nib.load(next(folder.glob("*desc-pct97Thresholded_statmap.nii.gz"))).get_fdata()
    assert np.array_equal(thresholded, np.where(labels > 0, source, 0))
    volumes = nib.load(next(folder.glob("*desc-pct97Regions_statmap.nii.gz"))).get_fdata()
    assert volumes.shape == (*labels.shape, 6)
    assert np.array_equal(volumes[..., 2], np.where(labels == 3, source, 0))
    assert validate(tmp_path) == []
    assert run(demo, tmp_path, "participant", "--participant-label", "01", "--threshold", "97%") == 0
    assert not list(folder.glob("*_statmap.nii.gz"))


def test_without_verbosity_a_defect_is_one_sentence(demo, tmp_path, capsys, monkeypatch):
    from bids_regions.workflow import levels  # noqa: PLC0415

    def fail(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(levels, "make_plan", fail)
    assert run(demo, tmp_path, "participant") == 1
    told = capsys.readouterr().err
    assert "RuntimeError: out of order" in told
    assert "Traceback" not in told


def test_importing_the_package_and_the_parser_loads_nothing_heavy():
    code = (
        "import sys, bids_regions, bids_regions.cli; bids_regions.cli.build_parser(); "
        "heavy = ('bids', 'nibabel', 'numpy', 'scipy', 'matplotlib', 'hashlib', 'tempfile', 'tomllib'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_give_the_containers_numbers(finished):
    from bids_regions import CONVENTIONS, Criteria, find_regions  # noqa: PLC0415 # as a notebook would

    image = nib.load(find_real_map())
    found = find_regions(np.asanyarray(image.dataobj), image.affine, Criteria(threshold="97%"))
    assert [region.n_voxels for region in found.regions] == [int(row["n_voxels"]) for row in table(finished, "pct97")]
    assert set(CONVENTIONS) == {"nilearn", "fsl", "spm", "afni", "workbench"}


def test_figures_and_pages_name_their_numbers(finished):
    page = (finished / "sub-01.html").read_text()
    assert "6 regions; largest 2520 voxels" in page
    counts = collections.Counter(path.suffix for path in (finished / "sub-01" / "figures").iterdir())
    assert counts == {".svg": 2}


def test_the_demo_needs_nothing_of_nilearn_but_its_file():
    assert importlib.util.find_spec("nilearn")
    assert find_real_map().stat().st_size > 100_000


def test_where_a_mask_lies_changes_no_byte(tmp_path):
    trees.describe(tmp_path / "in")
    trees.write_map(tmp_path / "in" / "sub-01" / "sub-01_contrast-a_stat-z_statmap.nii.gz")
    made = []
    for place in ("here", "there"):
        mask = trees.write_mask(tmp_path / "in" / place / "mask.nii.gz")
        assert run(tmp_path / "in", tmp_path / "out", "participant", "--mask", mask) == 0
        made.append(json.loads(next((tmp_path / "out").rglob("*_dseg.json")).read_text()))
    assert made[0]["SettingsHash"] == made[1]["SettingsHash"]
    assert made[0]["InputHash"] == made[1]["InputHash"]
