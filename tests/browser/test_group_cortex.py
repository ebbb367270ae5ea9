"""The group page on surfaces: a row of the consensus turns to its peak, read out as so many of so many people."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser.conftest import Opener
from browser.test_cortex import NAME, blobs
from browser.test_reading import violations

from bids_regions.cli import main
from bids_regions.meshes import load_inflated
from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser


def label_file(folder: Path, side: str) -> Path:
    """An atlas with names as long as those of people's atlases."""
    table, sheet = nib.gifti.GiftiLabelTable(), load_inflated("fsaverage5", 10242, side)
    assert sheet
    for key, name in enumerate(("???", "Superior frontal gyrus, medial part", "Lateral occipitotemporal sulcus")):
        label = nib.gifti.GiftiLabel(key, 1, 0, 0, 1)
        label.label = name
        table.labels.append(label)
    keys = np.where(sheet.xyz[:, 1] > 0, 1, 2).astype(np.int32)
    array = nib.gifti.GiftiDataArray(keys, intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32")
    path = folder / f"tpl-fsaverage_hemi-{side}_den-10k_atlas-Long_dseg.label.gii"
    nib.save(nib.gifti.GiftiImage(darrays=[array], labeltable=table), path)
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people on fsaverage5; the third has none of it on the right."""
    folder = tmp_path_factory.mktemp("group")
    root = folder / "in"
    for k in range(1, 4):
        (root / f"sub-0{k}").mkdir(parents=True)
        for side in "LR":
            values = blobs(side) if k < 3 or side == "L" else np.ones_like(blobs(side))
            array = nib.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32")
            name = NAME.format(side).replace("sub-01", f"sub-0{k}")
            nib.save(nib.gifti.GiftiImage(darrays=[array]), root / f"sub-0{k}" / name)
    about = {"Name": "sheets", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "test"}]}
    (root / "dataset_description.json").write_text(json.dumps(about))
    sides = [label_file(folder, side) for side in "LR"]
    words = ("--threshold", "3.0", "--min-region-area", "20", "--nprocs", "1", "--atlas", *map(str, sides))
    assert main([str(root), str(folder / "out"), "participant", "group", *words]) == 0
    return folder / "out"


def test_a_row_of_the_consensus_leads_to_its_peak_and_counts_people(out: Path, opened: Opener) -> None:
    shown = opened(out / "group.html").ready()
    (path,) = out.glob("tpl-*/*Consensus_dseg.tsv")
    rows = rows_of(path.read_text())
    assert {row["hemi"]: row["n_sharing"] for row in rows} == {"L": "3", "R": "2"}
    for number, row in enumerate(rows):
        shown.page.locator("table[id*=consensus] tbody tr, [id*=consensus] table tbody tr").nth(number).click()
        shown.page.wait_for_function(
            f"document.querySelector('#viewer [data-part=readout]').dataset.region == {row['index']}"
        )
        said = shown.read()["text"]
        assert (said["value"], said["unit"]) == (f"{row['n_sharing']} of 3", "participants")
        assert said["voxel"] == row["peak_vertex"]
    assert shown.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_group_page_on_surfaces_has_no_barrier(out: Path, opened: Opener, scheme: str) -> None:
    assert violations(opened(out / "group.html", color_scheme=scheme).ready()) == []


def test_no_table_of_the_cortex_is_wider_than_its_page_and_areas_have_a_unit(out: Path, opened: Opener) -> None:
    shown = opened(out / "group.html", viewport={"width": 1440, "height": 900}).ready()
    shown.settle(300)
    page = shown.page
    wide = page.evaluate(
        """() => [...document.querySelectorAll("table")].filter((one) => one.clientWidth)
          .map((one) => [one.caption.textContent, one.offsetWidth - one.parentElement.clientWidth])"""
    )
    assert len(wide) == 4
    assert [pair for pair in wide if pair[1] > 0] == []
    heads = page.locator("table th", has_text="area").all_inner_texts()
    assert heads
    assert all("mm²" in head for head in heads)


@pytest.mark.parametrize(("width", "beside"), [(1280, 4), (390, 1)])
def test_everybodys_picture_stands_beside_others_where_there_is_room(
    out: Path, opened: Opener, width: int, beside: int
) -> None:
    page = opened(out / "group.html", viewport={"width": width, "height": 844}, java_script_enabled=False).page
    tops = [box["y"] for one in page.locator(".thumbs li").all() if (box := one.bounding_box())]
    assert len(tops) == 3
    assert sum(top == tops[0] for top in tops) == min(beside, 3)


def test_the_methods_and_notes_of_the_group_speak_of_vertices(out: Path, opened: Opener) -> None:
    page = opened(out / "group.html").ready().page
    assert "Clusters were connected along the edges of the mesh" in page.locator("#methods").inner_text()
    assert "at least 20 mm2 were kept" in page.locator("#methods").inner_text()
    notes = page.locator(".warnings").all_inner_texts()
    assert any("values where the others alone choose" in note for note in notes)
    assert "2 × 10,242 vertices" in page.locator(".facts").all_inner_texts()[1]


def test_the_consensus_on_the_cortex_has_its_histogram_as_a_picture(out: Path, opened: Opener) -> None:
    """Without scripts, too: how many vertices how many people share, of those in anybody's regions."""
    shown = opened(out / "group.html", java_script_enabled=False)
    histogram = shown.page.locator(".entry .picture img").nth(1)
    (path,) = out.glob("tpl-*/*Consensus_dseg.tsv")
    kept = sum(int(row["n_vertices"]) for row in rows_of(path.read_text()))
    alt = histogram.get_attribute("alt") or ""
    found = re.fullmatch(r"Histogram of ([\d,]+) vertices, ([\d.]+) % in regions", alt)
    assert found, alt
    assert float(found[2]) == pytest.approx(100 * kept / int(found[1].replace(",", "")), abs=0.051)
    histogram.scroll_into_view_if_needed()
    assert histogram.evaluate("(image) => image.complete && image.naturalWidth > 0")
