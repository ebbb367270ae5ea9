"""The viewer at work: threshold, fading, contours, entries, rows and peaks, with and without a graphics card."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import samples
from browser.conftest import ARGUMENTS, Opened, Opener, find_chromium
from matplotlib import colormaps
from playwright.sync_api import Locator, Playwright, expect

from bids_regions.report import pages
from bids_regions.report.presentation import show_number
from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser

# How many pixels of a plane are coloured (not grey), and how many have exactly a colour.
COLOURED = """(canvas, wanted) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [coloured, exact] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    const [r, g, b] = data.slice(at, at + 3);
    if (Math.max(r, g, b) - Math.min(r, g, b) > 12) coloured += 1;
    if (wanted && r === wanted[0] && g === wanted[1] && b === wanted[2]) exact += 1;
  }
  return { coloured, exact };
}"""


def coloured(shown: Opened, plane: str = "axial") -> int:
    shown.settle(120)
    return int(shown.page.locator(f"#viewer [data-part={plane}] canvas").evaluate(COLOURED)["coloured"])


def exactly(shown: Opened, colour: str, plane: str = "axial") -> int:
    shown.settle(120)
    rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int(shown.page.locator(f"#viewer [data-part={plane}] canvas").evaluate(COLOURED, rgb)["exact"])


def part(shown: Opened, name: str) -> Locator:
    return shown.page.locator(f"#viewer [data-part={name}]")


def rows_of_entry(number: int) -> list[dict[str, str]]:
    table = samples.motor_page().sections[0].entries[number].regions
    assert table is not None
    return rows_of(table.tsv)


def test_it_opens_on_the_first_regions_peak_with_its_value_as_the_table_has_it(opened: Opener) -> None:
    shown = opened("motor").ready()
    first = rows_of_entry(0)[0]
    read = shown.read()
    assert read["voxel"] == [int(first[f"peak_{axis}"]) for axis in "ijk"]
    assert read["value"] == float(first["peak_value"])
    assert read["text"]["value"] == show_number(first["peak_value"])
    assert part(shown, "value").get_attribute("title") == first["peak_value"]  # all of it on hovering
    assert read["text"]["note"] == "the peak of region 1"
    assert read["text"]["unit"] == "z"
    assert read["region"] == 1
    assert not shown.complaints


def test_a_value_beside_a_peak_is_the_maps_to_the_digits_shown(opened: Opener) -> None:
    shown = opened("motor").ready()
    data, _ = samples.motor_map()
    shown.page.locator("#viewer [data-part=axial] canvas").focus()
    for key in ("ArrowRight", "ArrowUp", "PageDown", "PageDown", "ArrowLeft"):
        shown.page.keyboard.press(key)
        read = shown.read()
        assert "±" not in read["text"]["value"]
        digits = len(read["text"]["value"].partition(".")[2])
        assert digits <= 3
        assert float(read["text"]["value"]) == pytest.approx(float(data[tuple(read["voxel"])]), abs=0.75 * 10**-digits)


def test_a_value_is_never_rounded_over_the_cutoff(opened: Opener) -> None:
    shown = opened("motor").ready()
    read = "([cutoff, value]) => page.viewer.valueWords.call({ view: { ...page.viewer.view, cutoff } }, value, 8)"
    for cutoff, value, text in (
        (3, 2.99996, "2.99996"), (3, 3.00001, "3"), (3, -2.99996, "-2.99996"), (3, 7.941345215, "7.941"),
        (3, 12345.678, "12346"), (0.0005, 0.00049996, "4.9996e-4"), (None, 0.00012345, "1.2e-4"),
    ):  # fmt: skip
        assert shown.page.evaluate(read, [cutoff, value]) == text, value


@pytest.mark.parametrize("width", [320, 1280])
def test_the_read_out_keeps_its_height_and_its_numbers_in_one_line(opened: Opener, width: int) -> None:
    shown = opened("motor", viewport={"width": width, "height": 900}).ready()
    readout = part(shown, "readout")
    at_peak = readout.bounding_box()
    shown.page.locator("#viewer [data-part=axial] canvas").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.read()["text"]["note"] == ""
    beside = readout.bounding_box()
    assert at_peak is not None
    assert beside is not None
    assert beside["height"] == at_peak["height"]
    one_line = shown.page.evaluate(
        """() => {
          const [value, unit] = ["value", "unit"].map((name) => document.querySelector(`#viewer [data-part=${name}]`));
          [value.textContent, unit.textContent] = ["-7.941345215", "z"];
          const [numbers, words] = [value.getClientRects(), unit.getClientRects()];
          return numbers.length === 1 && words.length === 1 && words[0].top < numbers[0].bottom;
        }"""
    )
    assert one_line


def test_rows_and_peaks_move_the_crosshair(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = shown.page.locator("#motor-1-regions")
    expect(table).to_have_class("table ready")
    for number, row in enumerate(rows_of_entry(0)):
        table.locator("tbody tr:not(.peak)").nth(number).locator("td.number").first.click()
        read = shown.read()
        assert read["mm"] == pytest.approx([float(row[f"peak_{axis}"]) for axis in "xyz"], abs=1e-6)
        assert read["value"] == float(row["peak_value"])
        assert read["text"]["value"] == show_number(row["peak_value"])
    table.get_by_role("checkbox", name="Sub-peaks").check()
    table.locator("tr.peak .go").first.click()
    peak = next(p for p in rows_of(samples.motor_page().sections[0].entries[0].peaks) if p["rank"] == "2")
    assert shown.read()["mm"] == pytest.approx([float(peak[axis]) for axis in "xyz"], abs=1e-6)
    assert shown.read()["text"]["note"] == f"peak 2 of region {peak['index']}"


def test_enter_on_a_row_shows_its_peak_and_arrows_go_from_row_to_row(opened: Opener) -> None:
    shown = opened("motor").ready()
    rows = rows_of_entry(0)
    shown.page.get_by_role("button", name="Region 2: show its peak").first.focus()
    shown.page.keyboard.press("Enter")
    assert shown.read()["region"] == 2
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("Enter")
    assert shown.read()["mm"] == pytest.approx([float(rows[2][f"peak_{axis}"]) for axis in "xyz"])
    shown.page.locator("#motor-1-regions tbody tr").nth(4).evaluate("row => row.focus()")
    shown.page.keyboard.press("Enter")
    assert shown.read()["region"] == 5


def test_the_crosshair_marks_the_row_of_its_region(opened: Opener) -> None:
    shown = opened("motor").ready()
    marked = shown.page.locator("#motor-1-regions tr[aria-current=true]")
    expect(marked).to_have_count(1)
    expect(marked.locator(".go")).to_have_text("1")
    shown.page.get_by_role("button", name="Region 3: show its peak").first.click()
    expect(marked.locator(".go")).to_have_text("3")
    shown.page.locator("#viewer [data-part=axial] canvas").click(position={"x": 5, "y": 5})  # outside the brain
    assert shown.read()["region"] == 0
    expect(marked).to_have_count(0)


def test_the_threshold_starts_at_the_cutoff_and_hides_what_is_below(opened: Opener) -> None:
    shown = opened("motor").ready()
    part(shown, "contours").uncheck()
    slider = part(shown, "threshold")
    cutoff = float(shown.read()["text"]["threshold-text"])
    assert cutoff == pytest.approx(samples.motor_page().sections[0].entries[0].views[0].cutoff, rel=1e-3)
    expect(part(shown, "reset")).to_be_disabled()
    faded = coloured(shown)
    part(shown, "fade").uncheck()
    at_cutoff = coloured(shown)
    assert 0 < at_cutoff < faded
    slider.focus()
    for _ in range(60):
        shown.page.keyboard.press("ArrowRight")
    assert float(shown.read()["text"]["threshold-text"]) > cutoff
    assert coloured(shown) < at_cutoff
    shown.page.keyboard.press("End")
    part(shown, "reset").click()
    assert float(shown.read()["text"]["threshold-text"]) == cutoff
    assert coloured(shown) == at_cutoff


def test_the_cutoff_is_marked_where_the_slider_stands_at_it(opened: Opener) -> None:
    shown = opened("motor").ready()
    mark, bar = part(shown, "cutoff").bounding_box(), part(shown, "bar").bounding_box()
    view = samples.motor_page().sections[0].entries[0].views[0]
    limit = samples.motor_page().volumes[0].limit
    assert mark is not None
    assert bar is not None
    assert view.cutoff is not None
    assert (mark["x"] + mark["width"] / 2 - bar["x"]) / bar["width"] == pytest.approx(view.cutoff / limit, abs=0.01)
    expect(part(shown, "cutoff-text")).to_have_text(f"cutoff {view.cutoff:.4g}")


def test_contours_have_the_colour_of_their_region_and_can_be_left_away(opened: Opener) -> None:
    shown = opened("motor").ready()
    colour = rows_of_entry(0)[0]["color"]
    assert exactly(shown, colour) > 20
    part(shown, "contours").uncheck()
    assert exactly(shown, colour) == 0


@pytest.mark.parametrize(("value", "cover"), [(4.0, 1.0), (-3.0, 1.0), (1.5, 0.25), (-2.0, 4 / 9)])
def test_colours_are_rdbu_and_fade_with_the_square_below_the_threshold(
    opened: Opener, tmp_path: Path, value: float, cover: float
) -> None:
    """An even map beside one region, on white: what matplotlib's map and Taylor's fading say, to two levels of 255."""
    data = np.full((9, 9, 9), value, np.float32)
    data[0, 0, 0] = 4
    page = samples.grid_page(data, np.diag([2.0, 2.0, 2.0, 1.0]), threshold="3.0")
    shown = opened(samples.write_page(pages.render_participant(page), tmp_path / "even.html")).ready()
    part(shown, "contours").uncheck()
    shown.settle(150)
    seen = (
        part(shown, "axial")
        .locator("canvas")
        .evaluate("c => [...c.getContext('2d').getImageData(c.width * 0.7, c.height * 0.3, 1, 1).data].slice(0, 3)")
    )
    full = np.array(colormaps["RdBu_r"](0.5 + value / 8)[:3]) * 255
    assert seen == pytest.approx((255 + cover * (full - 255)).tolist(), abs=3)


def test_the_swatch_the_contour_and_the_table_have_one_colour(opened: Opener) -> None:
    shown = opened("motor").ready()
    for number, row in enumerate(rows_of_entry(0)):
        line = shown.page.locator("#motor-1-regions tbody tr").nth(number)
        line.locator(".go").click()
        assert line.locator("rect").get_attribute("fill") == row["color"]
        rgb = ", ".join(str(int(row["color"][at : at + 2], 16)) for at in (1, 3, 5))
        expect(part(shown, "swatch")).to_have_css("background-color", f"rgb({rgb})")


def test_there_is_one_viewer_and_it_moves_to_the_map_in_use(opened: Opener) -> None:
    shown = opened("motor").ready()
    assert shown.page.locator("#viewer").count() == 1
    assert shown.page.locator("#motor #viewer").count() == 1
    shown.page.locator("#faint .explore").click()
    expect(shown.page.locator("#faint #viewer")).to_be_visible()
    expect(shown.page.locator("#motor .explore")).to_be_visible()
    expect(part(shown, "view").locator("option:checked")).to_have_text("thr3p0")
    part(shown, "view").select_option(label="pct97")
    expect(shown.page.locator("#motor #viewer")).to_be_visible()


def test_a_row_of_another_entry_shows_that_entry(opened: Opener) -> None:
    shown = opened("motor").ready()
    expect(shown.page.locator("#motor-2-regions")).to_be_hidden()
    shown.page.get_by_role("tab", name="thr3p0").click()
    expect(shown.page.locator("#motor-1-regions")).to_be_hidden()
    shown.page.locator("#motor-2-regions .go").nth(1).click()
    expect(part(shown, "view").locator("option:checked")).to_have_text("thr3p0")
    row = rows_of_entry(1)[1]
    expect(part(shown, "mm")).to_have_text("  ".join(row[f"peak_{axis}"] for axis in "xyz"))
    expect(shown.page.locator("#motor-2-regions tr[aria-current=true] .go")).to_have_text("2")
    expect(shown.page.locator("#motor-1-regions tr[aria-current=true]")).to_have_count(0)


def test_a_map_without_regions_can_be_looked_at(opened: Opener) -> None:
    shown = opened("zero").ready()
    assert shown.read()["region"] == 0
    expect(shown.page.get_by_text("No region survived.")).to_be_visible()
    expect(part(shown, "cutoff")).to_be_visible()
    assert coloured(shown) > 0


def test_a_cutoff_that_nothing_can_pass_shows_the_whole_map_faded(opened: Opener, tmp_path: Path) -> None:
    page = samples.blob_page(0)
    entry = page.sections[0].entries[0]
    entry = replace(entry, views=(replace(entry.views[0], cutoff=None),))
    page = replace(page, sections=(replace(page.sections[0], entries=(entry,)),))
    shown = opened(samples.write_page(pages.render_participant(page), tmp_path / "none.html")).ready()
    expect(part(shown, "cutoff")).to_be_hidden()
    expect(part(shown, "reset")).to_be_disabled()
    assert not shown.complaints


def test_a_page_without_maps_has_no_viewer(opened: Opener) -> None:
    shown = opened("none")
    expect(shown.page.get_by_role("heading", name="Maps")).to_be_visible()
    assert shown.page.locator("#viewer").count() == 0
    assert not shown.complaints


def test_it_needs_no_graphics_card(playwright: Playwright, sample: Callable[[str], Path]) -> None:
    arguments = [*ARGUMENTS, "--disable-3d-apis", "--disable-gpu"]
    browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=arguments)
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    shown = Opened(context)
    shown.page.goto(sample("motor").as_uri())
    shown.ready()
    assert shown.page.evaluate("() => document.createElement('canvas').getContext('webgl2')") is None
    assert coloured(shown) > 100
    browser.close()


def test_letters_name_the_sides(opened: Opener) -> None:
    """The letters are drawn, so what is checked is what is written to the canvas."""
    shown = opened("motor").ready()
    written = shown.page.evaluate(
        """async () => {
          const seen = [];
          const write = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
            const { width, height } = this.canvas;
            const side = x < width * 0.2 ? "left" : x > width * 0.8 ? "right" : y < height * 0.5 ? "top" : "bottom";
            seen.push(`${this.canvas.getAttribute("aria-label").split(" ")[0]} ${side} ${text}`);
            return write.apply(this, arguments);
          };
          page.viewer.draw();
          await new Promise((done) => setTimeout(done, 300));
          CanvasRenderingContext2D.prototype.fillText = write;
          return seen;
        }"""
    )
    sides = ["Axial left L", "Axial right R", "Axial top A", "Axial bottom P", "Coronal left L", "Coronal right R",
             "Coronal top S", "Coronal bottom I", "Sagittal left P", "Sagittal right A", "Sagittal top S",
             "Sagittal bottom I"]  # fmt: skip
    assert set(sides) <= set(written)


def test_a_damaged_map_says_so_and_the_rest_of_the_page_works(opened: Opener, tmp_path: Path) -> None:
    path = samples.write_page(pages.render_participant(samples.blob_page(1)), tmp_path / "damaged.html")
    html = path.read_text()
    at = html.index('id="volume-blobs"')
    start = html.index(">", at) + 1
    path.write_text(html[:start] + "AAAA" + html[start + 4 :])
    shown = opened(path)
    expect(part(shown, "trouble")).to_contain_text("This map cannot be shown here")
    expect(shown.page.locator("#blobs-1-regions tbody tr")).to_have_count(1)
