"""The cortex in the viewer: what is painted is the label file, and a row turns a hemisphere until its peak is seen."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.in_view import DEPTH, SIZES, check, seen
from browser.test_reading import open_whole, violations
from playwright.sync_api import expect
from test_app_surface_pages import write_map

from bids_regions.cli import main
from bids_regions.meshes import load_inflated
from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser

N = 10242
# Places on the inflated sheets, mm: outside, on top between the hemispheres, below, where no standard view looks.
BLOBS = {"L": [(-60.0, 10.0, 20.0, 6.0), (0.0, -20.0, -60.0, -5.0)], "R": [(60.0, -30.0, 10.0, 7.0)]}
NAME = "sub-01_task-x_hemi-{}_space-fsaverage5_contrast-a_stat-z_statmap.func.gii"


def blobs(side: str) -> np.ndarray:
    """A map on one hemisphere: a cone around the vertex nearest to each place, on faint waves."""
    sheet = load_inflated("fsaverage5", N, side)
    assert sheet
    values = 0.5 * np.sin(sheet.xyz[:, 1] / 7)
    for x, y, z, height in BLOBS[side]:
        centre = sheet.xyz[np.linalg.norm(sheet.xyz - (x, y, z), axis=1).argmin()]
        far = np.linalg.norm(sheet.xyz - centre, axis=1)
        values += np.sign(height) * np.maximum(0, abs(height) - far / 6)
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant with one map on both hemispheres, thresholded in two ways."""
    folder = tmp_path_factory.mktemp("cortex")
    root = folder / "in"
    (root / "sub-01").mkdir(parents=True)
    about = {"Name": "sheets", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "test"}]}
    (root / "dataset_description.json").write_text(json.dumps(about))
    for side in "LR":
        array = nib.gifti.GiftiDataArray(blobs(side), intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32")
        nib.save(nib.gifti.GiftiImage(darrays=[array]), root / "sub-01" / NAME.format(side))
    words = ("--threshold", "3.0", "99%", "--min-region-area", "20", "--nprocs", "1")
    assert main([str(root), str(folder / "out"), "participant", *words]) == 0
    return folder / "out"


def table_of(out: Path) -> list[dict[str, str]]:
    (path,) = out.rglob("*desc-thr3p0_dseg.tsv")
    return list(rows_of(path.read_text()))


@pytest.fixture
def shown(made: Path, opened: Opener) -> Opened:
    return opened(made / "sub-01.html", viewport={"width": 1440, "height": 900}).ready()


def choose(shown: Opened, number: int) -> None:
    shown.page.locator(".workbench .table tbody tr:visible").nth(number - 1).click()
    shown.page.locator(f"#viewer [data-part=readout][data-region='{number}']").wait_for()


def test_every_vertex_is_painted_as_the_label_files_have_it(shown: Opened, made: Path) -> None:
    """At the cutoff a vertex is painted in full just where it is labelled; the labels are those of the files."""
    found: dict[str, Any] = shown.page.evaluate(
        """() => {
          const { viewer } = page;
          const look = viewer.lookOf();
          const { data, step } = viewer.volume;
          const painted = Array.from(data, (stored, at) => coverage(stored * step, viewer.labels.data[at], look));
          return { labels: Array.from(viewer.labels.data), painted, threshold: look.threshold };
        }"""
    )
    stored = [nib.load(path).darrays[0].data for path in sorted(made.rglob("*desc-thr3p0_dseg.label.gii"))]
    assert found["threshold"] == 3
    assert (np.array(found["labels"]) == np.concatenate(stored)).all()
    assert ((np.array(found["painted"]) == 1) == (np.concatenate(stored) > 0)).all()
    assert np.count_nonzero(stored[0]) > 100


def test_the_ring_is_as_wide_on_a_dense_screen(made: Path, opened: Opener) -> None:
    """Twice the pixels, twice their number in its radius and in its two lines."""
    shown = opened(made / "sub-01.html", viewport={"width": 1440, "height": 900}, device_scale_factor=2).ready()
    shown.page.evaluate(
        """() => {
          window.rings = [];
          const { arc, stroke } = CanvasRenderingContext2D.prototype;
          let radius = 0;
          CanvasRenderingContext2D.prototype.arc = function (...words) { radius = words[2]; arc.apply(this, words); };
          CanvasRenderingContext2D.prototype.stroke = function () {
            rings.push([radius, this.lineWidth]);
            stroke.call(this);
          };
        }"""
    )
    choose(shown, 1)
    shown.settle(0)
    assert {tuple(ring) for ring in shown.page.evaluate("() => rings")} == {(14, 8), (14, 4)}


def test_a_row_shows_its_peak_wherever_it_lies(shown: Opened, made: Path) -> None:
    for row in table_of(made):
        choose(shown, int(row["index"]))
        assert shown.page.locator("[data-part=voxel]").inner_text() == row["peak_vertex"]
        assert shown.page.locator("[data-part=mm]").inner_text() == {"L": "left", "R": "right"}[row["hemi"]]
        assert shown.read()["value"] == pytest.approx(float(row["peak_value"]))
        frames = shown.page.evaluate(
            """() => page.viewer.cortex.frames.map((frame) => {
              const { side, pose, yaw, pitch } = frame;
              return [side, pose, yaw, pitch, page.viewer.cortex.pixelOf(frame)];
            })"""
        )
        assert [frame for frame in frames if frame[0] == row["hemi"] and frame[4]], "seen in one of its views"
    assert shown.complaints == []
    assert [one for one in shown.requests if not one.startswith(("file:", "data:", "blob:"))] == []


def test_a_place_that_is_seen_from_neither_side_turns_a_hemisphere(shown: Opened) -> None:
    """The first vertex that no view shows as the hemisphere stands: the eye comes to look at it."""
    found = shown.page.evaluate(
        """() => {
          const { viewer } = page;
          const { cortex, sheets: [sheet] } = viewer;
          const own = cortex.frames.filter((frame) => frame.sheet === sheet);
          const seen = (row) => own.some((frame) => ((cortex.row = row), cortex.pixelOf(frame)));
          let row = 0;
          while (row < sheet.size && seen(row)) row++;
          viewer.goTo([row, 0, 0]);
          return { hidden: row < sheet.size, seen: seen(row), turned: own.some(({ yaw, pitch }) => yaw || pitch) };
        }"""
    )
    assert found == {"hidden": True, "seen": True, "turned": True}
    after = shown.page.evaluate(
        """() => {
          const { cortex, sheets: [sheet] } = page.viewer;
          const own = cortex.frames.filter((frame) => frame.sheet === sheet);
          const led = own.find(({ yaw, pitch }) => yaw || pitch);
          const clear = own.find((frame) => frame !== led);
          const { vertex, width, height } = cortex.shotOf(clear);
          const middle = sheet.first + vertex[Math.floor(height / 2) * width + Math.floor(width / 2)];
          page.viewer.goTo([middle, 0, 0]);
          const back = own.every(({ yaw, pitch }) => yaw === 0 && pitch === 0);
          cortex.turn(led, 20, 0);
          page.viewer.goTo([middle, 0, 0]);
          return { back, byHand: led.yaw };
        }"""
    )
    assert after == {"back": True, "byHand": 20}, "what a place had turned, and not what the reader has"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_row_and_a_hemisphere_are_in_view_together(made: Path, opened: Opener, size: tuple[int, int]) -> None:
    shown = opened(made / "sub-01.html", viewport={"width": size[0], "height": size[1]}).ready()
    key = shown.page.locator(".workbench .table:visible").first.get_attribute("id")
    for row in table_of(made):
        choose(shown, int(row["index"]))
        check(seen(shown, f"#{key}", int(row["index"])))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_first_table_lies_in_the_first_screen_of_its_map(made: Path, opened: Opener, size: tuple[int, int]) -> None:
    shown = opened(made / "sub-01.html", viewport={"width": size[0], "height": size[1]}).ready()
    assert shown.page.locator(".map").first.evaluate(DEPTH) < size[1]


def test_a_phone_reads_the_vertex_and_cuts_no_number(made: Path, opened: Opener) -> None:
    shown = opened(made / "sub-01.html", viewport={"width": 390, "height": 844}).ready()
    expect(shown.page.locator("#viewer [data-part=voxel]")).to_be_visible()
    assert shown.page.locator(".sheet canvas").first.evaluate("(canvas) => canvas.clientWidth") > 150
    inside = shown.page.evaluate(
        """() => {
          const { slices } = page.viewer;
          const pen = document.createElement("canvas").getContext("2d");
          Object.assign(pen.canvas, { width: 100, height: 50 });
          const written = [];
          slices.write = (_, text, x, y) => written.push(x > 6 && x < 94 && y > 6 && y < 44);
          slices.drawNumbers(pen, new Map([[1, { x: 0, y: 0, length: 1 }], [2, { x: 99, y: 49, length: 1 }]]), {}, 1);
          return written;
        }"""
    )
    assert inside == [True, True]


def test_a_click_takes_the_vertex_under_it_and_a_drag_turns(shown: Opened) -> None:
    canvas = shown.page.locator(".sheet[data-side=R][data-pose=lateral] canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click(position={"x": 90, "y": 60})
    shown.page.locator("[data-part=mm]", has_text="right").wait_for()
    before = shown.read()["mm"][0]
    vertex = int(shown.page.locator("[data-part=voxel]").inner_text())
    box = canvas.bounding_box()
    assert box
    x, y = box["x"] + 90, box["y"] + 60
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 40, y + 10, steps=4)
    shown.page.mouse.up()
    assert shown.read()["mm"][0] == before, "a drag chooses nothing"
    yaw = "() => page.viewer.cortex.frames.find((f) => f.side === 'R' && f.pose === 'lateral').yaw"
    assert shown.page.evaluate(yaw) != 0
    canvas.press("Home")
    assert shown.page.evaluate(yaw) == 0
    canvas.press("ArrowRight")
    next_one = int(shown.page.locator("[data-part=voxel]").inner_text())
    sheet = load_inflated("fsaverage5", N, "R")
    assert sheet
    corners = sheet.triangles[(sheet.triangles == vertex).any(axis=1)]
    assert next_one in set(corners.ravel().tolist()) - {vertex}


def test_typed_vertices_maxima_and_links_lead_to_places(shown: Opened, made: Path, opened: Opener) -> None:
    field = shown.page.locator("[data-part=go]")
    field.fill("R 5")
    field.press("Enter")
    assert shown.read()["mm"][0] == N + 5
    field.fill("nowhere")
    field.press("Enter")
    assert field.get_attribute("aria-invalid") == "true"
    shown.page.locator("[data-part=global]").click()
    top = max(table_of(made), key=lambda row: abs(float(row["peak_value"])))
    assert shown.page.locator("[data-part=voxel]").inner_text() == top["peak_vertex"]
    place = shown.page.evaluate("() => page.place()")
    again = opened(Path(made / "sub-01.html"), viewport={"width": 1440, "height": 900})
    again.page.goto((made / "sub-01.html").as_uri() + place)
    again.page.reload()
    again.ready()
    assert again.read()["mm"] == shown.read()["mm"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(made: Path, opened: Opener, scheme: str) -> None:
    assert violations(open_whole(opened, made / "sub-01.html", color_scheme=scheme)) == []


def test_voxels_of_a_cifti_file_are_told_as_the_file_counts_them(tmp_path: Path, opened: Opener) -> None:
    """The page holds a box of the file's volume; its voxels and peaks are read as the table has them."""
    write_map(tmp_path / "in", "sub-01")
    run = [str(tmp_path / "in"), str(tmp_path / "out"), "participant", "group", "--threshold", "3.0", "-q"]
    assert main(run) == 0
    found = {"sub-01.html": "sub-01/**/*_dseg.tsv", "group.html": "tpl-*/*Consensus_dseg.tsv"}
    for page, tables in found.items():
        (path,) = (tmp_path / "out").glob(tables)
        row = next(row for row in rows_of(path.read_text()) if row["n_voxels"] != "n/a")
        shown = opened(tmp_path / "out" / page).ready()
        choose(shown, int(row["index"]))
        assert shown.read()["voxel"] == [int(row[f"peak_{axis}"]) for axis in "ijk"]
        assert shown.read()["text"]["voxel"].split() == [row[f"peak_{axis}"] for axis in "ijk"]
        assert shown.read()["text"]["note"].endswith(f"the peak of region {row['index']}")
