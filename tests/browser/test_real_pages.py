"""The pages of a real run, from the command line to the browser: what they say is what the files beside them hold."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser.conftest import Opener
from browser.in_view import SEEN
from browser.test_reading import open_whole, violations
from nibabel.affines import apply_affine
from playwright.sync_api import expect

from bids_regions.cli import main
from bids_regions.demo import find_real_map, make_demo

pytestmark = pytest.mark.browser

OWNERS = ["sub-01", "sub-06", "group"]  # the real map, one with an empty result, all of them


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's dataset and results."""
    where = tmp_path_factory.mktemp("real")
    make_demo(where / "in", find_real_map())
    words = [str(where / "in"), str(where / "out"), "participant", "group", "--threshold", "97%", "3.0"]
    assert main([*words, "--nprocs", "1", "-q"]) == 0
    return where


@pytest.mark.parametrize("owner", OWNERS)
def test_real_pages_are_accessible_narrow_and_alone(opened: Opener, folder: Path, owner: str) -> None:
    shown = open_whole(opened, folder / "out" / f"{owner}.html")
    assert violations(shown) == []
    shown.page.set_viewport_size({"width": 320, "height": 640})
    shown.settle(100)
    assert shown.page.evaluate("() => document.documentElement.scrollWidth") == 320
    assert violations(shown) == []
    assert [url for url in shown.requests if not url.startswith("data:")] == [shown.page.url]
    assert shown.complaints == []


def test_every_row_leads_to_the_voxel_that_the_images_hold(opened: Opener, folder: Path) -> None:
    source = nib.load(next((folder / "in" / "sub-01").rglob("*_stat-z_statmap.nii.gz")))
    labels = nib.load(next((folder / "out" / "sub-01").rglob("*_desc-pct97_dseg.nii.gz")))
    data, numbers = np.asarray(source.dataobj), np.asarray(labels.dataobj)
    shown = opened(folder / "out" / "sub-01.html").ready()
    rows = shown.page.locator(".table").first.locator("tbody tr:not(.peak)")
    expect(rows).to_have_count(int(numbers.max()))
    for number in range(int(numbers.max())):
        rows.nth(number).locator(".go").click()
        read = shown.read()
        voxel = tuple(read["voxel"])
        assert numbers[voxel] == read["region"] == number + 1
        assert read["mm"] == pytest.approx(apply_affine(source.affine, voxel).tolist(), abs=1e-6)
        assert read["value"] == pytest.approx(float(data[voxel]), rel=1e-9)
        assert read["text"]["value"] == f"{data[voxel]:.4g}"  # as the table has it, not a file's ten digits
        assert abs(data[voxel]) == np.abs(data[numbers == number + 1]).max()
        assert read["text"]["note"] == f"the peak of region {number + 1}"


def test_without_an_atlas_a_number_is_the_whole_name(opened: Opener, folder: Path) -> None:
    for owner in ("sub-01", "group"):
        shown = opened(folder / "out" / f"{owner}.html").ready()
        assert shown.read()["text"]["region"] == "1"
        expect(shown.page.locator(".table.ready th[data-column=name]").first).to_be_hidden()


def test_prevalence_is_read_from_the_groups_own_images(opened: Opener, folder: Path) -> None:
    image = nib.load(next((folder / "out").rglob("*_desc-pct97PosPrevalence_probseg.nii.gz")))
    cover = nib.load(next((folder / "out").rglob("*_desc-pct97Coverage_probseg.nii.gz")))
    shown = opened(folder / "out" / "group.html").ready()
    read = shown.read()
    voxel = tuple(read["voxel"])
    have = round(6 * float(cover.dataobj[voxel]))
    assert read["text"]["value"] == f"{round(have * float(image.dataobj[voxel]))} of {have}"
    assert read["text"]["unit"] == "participants"
    assert read["text"]["note"].startswith("positive")
    shown.page.locator("#viewer [data-part=view]").select_option(label="consensus · coverage")
    shown.ready()
    assert shown.read()["text"]["value"] == "6 of 6"
    assert shown.complaints == []


def test_a_row_of_any_table_of_the_group_shows_its_region(opened: Opener, folder: Path) -> None:
    shown = opened(folder / "out" / "group.html").ready()
    for table in shown.page.locator(".table[data-shows]").all()[:3]:
        table.evaluate("(element) => page.tables.get(element.id).ready()")
        row = table.locator("tbody tr").nth(2)
        row.locator("td.number").first.click()
        shown.settle(300)
        shown.ready()
        found = row.evaluate(SEEN)
        assert found["row"], found
        assert max(found["slices"]) >= 0.9, found
        expect(row).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize(("owner", "n"), [("sub-01", 2), ("group", 2)])
def test_paper_and_browsers_without_scripts_have_the_glass_brain_of_every_entry(
    opened: Opener, folder: Path, owner: str, n: int
) -> None:
    path = folder / "out" / f"{owner}.html"
    still = opened(path, java_script_enabled=False)
    seen = still.page.locator("img[alt^='The regions seen through the brain']")
    expect(seen).to_have_count(n)
    for number in range(n):
        expect(seen.nth(number)).to_be_visible()
    shown = opened(path).ready()
    shown.page.emulate_media(media="print")
    shown.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    printed = shown.page.locator("img[alt^='The regions seen through the brain']")
    for number in range(n):
        expect(printed.nth(number)).to_be_visible()
        assert printed.nth(number).evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0
