"""The viewer's tools: copies and links, typed coordinates, maxima, zoom, the glass brain, what is painted."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import samples
from browser.conftest import Opened, Opener
from browser.in_view import check, seen
from playwright.sync_api import expect

from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser


# ------------------------------------------------------------------------------------------------ copy and links

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


def clipboard(shown: Opened) -> str:
    shown.settle(100)
    text: str = shown.page.evaluate("() => navigator.clipboard.readText()")
    return text


def test_the_largest_negative_region_is_copied_in_a_handful_of_keys(opened: Opener) -> None:
    shown = opened("motor", **CLIPBOARD).ready()
    entry = samples.motor_page().sections[0].entries[0]
    assert entry.regions is not None
    rows = rows_of(entry.regions.tsv)
    largest = max((row for row in rows if row["sign"] == "negative"), key=lambda row: int(row["n_voxels"]))
    keys = ["Tab", "Tab", "Enter", "-", "c"]
    for key in keys:
        shown.page.keyboard.press(key)
    assert clipboard(shown) == entry.regions.tsv.splitlines()[int(largest["index"])]
    assert shown.read()["region"] == int(largest["index"])
    shown.page.keyboard.press("s")
    sentence = clipboard(shown)
    x, y, z = (float(largest[f"peak_{axis}"]) for axis in "xyz")
    assert sentence.startswith(f"A negative cluster of {int(largest['n_voxels']):,} voxels (")
    assert f"x = {x:g}, y = {y:g}, z = {z:g} mm".replace("-", "−") in sentence
    assert f"(z = {float(largest['peak_value']):.4g}).".replace("-", "−") in sentence


def test_a_row_is_copied_by_its_buttons(opened: Opener) -> None:
    shown = opened("motor", **CLIPBOARD).ready()
    entry = samples.motor_page().sections[0].entries[0]
    assert entry.regions is not None
    shown.page.locator("#motor-1-regions .go").nth(4).click()
    shown.page.locator("#motor-1-regions").get_by_role("button", name="Copy row").click()
    assert clipboard(shown) == entry.regions.tsv.splitlines()[5]
    shown.page.locator("#motor-1-regions").get_by_role("button", name="As a sentence").click()
    assert clipboard(shown).startswith("A negative cluster of ")


def test_a_link_opens_the_page_at_its_place(opened: Opener, sample: Callable[[str], Path]) -> None:
    shown = opened("motor", **CLIPBOARD).ready()
    shown.page.locator("#motor [role=tab]").nth(1).click()
    shown.ready()
    shown.page.locator("#motor-2-regions .go").nth(2).click()
    place = shown.read()
    shown.page.locator("#viewer [data-part=link]").click()
    address = clipboard(shown)
    assert address.startswith(f"{sample('motor').as_uri()}#motor/thr3p0/3/")
    again = opened("none")
    again.page.goto(address)
    again.ready()
    expect(again.page.locator("#viewer [data-part=view] option:checked")).to_have_text("thr3p0")
    assert again.read()["mm"] == place["mm"]
    check(seen(again, "#motor-2-regions", 3))


def test_a_link_to_no_place_of_the_page_opens_it_as_ever(opened: Opener, sample: Callable[[str], Path]) -> None:
    shown = opened("none")
    for hash_ in ("#motor/none/99/a,b,c", "#gone/x/1/1,2,3", "#motor/x/1/1,2"):
        shown.page.goto("about:blank")
        shown.page.goto(sample("motor").as_uri() + hash_)
        shown.ready()
        assert shown.read()["region"] == 1
    assert shown.complaints == []


# ------------------------------------------------------------------------------------------------ the viewer's tools


def part(shown: Opened, name: str) -> Any:
    return shown.page.locator(f"#viewer [data-part={name}]")


@pytest.mark.parametrize("typed", ["15 -52 -20", "15, −52, -20", "x=15 y=-52 z=-20"])
def test_coordinates_are_typed(opened: Opener, typed: str) -> None:
    shown = opened("motor").ready()
    part(shown, "go").fill(typed)
    part(shown, "go").press("Enter")
    assert shown.read()["mm"] == [15, -52, -20]
    part(shown, "go").fill("12")
    part(shown, "go").press("Enter")
    assert shown.read()["mm"] == [15, -52, -20]
    expect(part(shown, "go")).to_have_attribute("aria-invalid", "true")


def test_maxima_are_found(opened: Opener) -> None:
    shown = opened("motor").ready()
    data, _ = samples.motor_map()
    part(shown, "global").click()
    assert abs(data[tuple(shown.read()["voxel"])]) == abs(data).max()
    part(shown, "go").fill("30 -70 10")
    part(shown, "go").press("Enter")
    part(shown, "nearest").click()
    i, j, k = shown.read()["voxel"]
    around = abs(data[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2])
    assert abs(data[i, j, k]) == around.max()


def test_zoom_keeps_clicks_true(opened: Opener) -> None:
    shown = opened("motor").ready()
    for _ in range(3):
        part(shown, "zoom-in").click()
    canvas = part(shown, "axial").locator("canvas")
    frame = canvas.bounding_box()
    assert frame is not None
    window = shown.page.evaluate("() => page.viewer.slices.view")
    spot = (round(frame["x"] + 0.3 * frame["width"]), round(frame["y"] + 0.6 * frame["height"]))
    shown.page.mouse.click(*spot)
    right, down = (spot[0] - frame["x"]) / frame["width"], (spot[1] - frame["y"]) / frame["height"]
    wanted = [
        window[0][0] + right * (window[1][0] - window[0][0]),
        window[1][1] - down * (window[1][1] - window[0][1]),
    ]
    assert shown.read()["mm"][:2] == pytest.approx(wanted, abs=1.6)  # half a voxel of 3 mm
    assert window[1][0] - window[0][0] < 80


COUNT_COLOURS = """() => {
  const counts = [0, 0, 0];
  for (const canvas of document.querySelectorAll("#viewer [data-part=planes] canvas")) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) {
      const [r, g, b] = data.slice(at, at + 3);
      counts[0] += r > b + 60;
      counts[1] += b > r + 60;
      counts[2] += Math.max(r, g, b) < 30;
    }
  }
  return counts;
}"""


def test_the_glass_brain_numbers_every_region(opened: Opener) -> None:
    shown = opened("motor").ready()
    written = shown.page.evaluate(
        """async () => {
          const seen = new Set();
          const write = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text) {
            seen.add(text);
            return write.apply(this, arguments);
          };
          document.querySelector("#viewer [data-part=glass]").click();
          await new Promise((done) => setTimeout(done, 600));
          CanvasRenderingContext2D.prototype.fillText = write;
          return [...seen];
        }"""
    )
    assert {str(number) for number in range(1, 7)} <= set(written)
    red, blue, dark = shown.page.evaluate(COUNT_COLOURS)  # of regions of either sign, and of the letters on them
    assert min(red, blue) > 500
    assert dark < red + blue
    frame = part(shown, "axial").locator("canvas").bounding_box()
    assert frame is not None
    x, y = shown.page.evaluate(
        """() => {
          const { slices, regions } = page.viewer;
          const [low, high] = slices.view;
          const { mm } = regions.list[3];
          return [(mm[0] - low[0]) / (high[0] - low[0]), (high[1] - mm[1]) / (high[1] - low[1])];
        }"""
    )
    shown.page.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
    assert shown.read()["region"] == 4


def test_the_view_is_saved_with_its_caption(opened: Opener) -> None:
    shown = opened("motor").ready()
    with shown.page.expect_download() as waiting:
        part(shown, "save").click()
    path = waiting.value.path()
    assert path.read_bytes().startswith(b"\x89PNG")
    caption = shown.page.evaluate("() => page.viewer.caption()")
    assert caption[0] == "task-motor, run-1 · contrast leftVsRight, z · pct97, threshold 2.595"
    assert caption[1] == "x, y, z = 6, -10, 52 mm; value 7.941 z; region 1"


def test_the_share_that_was_kept_stands_under_the_histogram(opened: Opener) -> None:
    shown = opened("motor").ready()
    data, _ = samples.motor_map()
    entry = samples.motor_page().sections[0].entries[0]
    assert entry.regions is not None
    kept = sum(int(row["n_voxels"]) for row in rows_of(entry.regions.tsv))
    expect(part(shown, "share")).to_contain_text(f"In regions: {kept:,} of {np.count_nonzero(data):,} voxels with data")
    part(shown, "threshold").press("End")
    expect(part(shown, "share")).to_contain_text("Past the slider: ")


PAINTED = """() => {
  const { volume, labels, view, instruments } = page.viewer;
  const look = { ...view, threshold: instruments.value, fade: true };
  let wrong = 0;
  for (let at = 0; at < volume.data.length; at++) {
    const label = labels ? labels.data[at] : 0;
    wrong += (coverage(volume.data[at] * volume.step, label, look) === 1) !== (label !== 0);
  }
  return wrong;
}"""


@pytest.mark.parametrize("name", ["motor", "zero", "one", "regions200"])
def test_what_is_painted_in_full_is_the_label_image(opened: Opener, name: str) -> None:
    shown = opened(name).ready()
    for tab in range(max(1, shown.page.locator(".tabs").first.locator("[role=tab]").count() if name == "motor" else 1)):
        if tab:
            shown.page.locator(".tabs").first.locator("[role=tab]").nth(tab).click()
            shown.ready()
        assert shown.page.evaluate(PAINTED) == 0


def test_every_contour_stands_out_from_its_outline(opened: Opener) -> None:
    """By WCAG's contrast, computed here once more: at least 3 to 1 for every colour a region may have."""
    shown = opened("regions200").ready()
    pairs = shown.page.evaluate("() => [...page.viewer.regions.colours.values()].map((one) => [one, outlineOf(one)])")

    def luminance(rgb: Sequence[int]) -> float:
        linear = [v / 255 / 12.92 if v / 255 <= 0.03928 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for colour, outline in pairs:
        low, high = sorted([luminance(colour), luminance(outline)])
        assert (high + 0.05) / (low + 0.05) >= 3


def test_few_numbers_are_written_where_there_are_many_regions(opened: Opener) -> None:
    shown = opened("regions200").ready()
    count = """(all) => {
      document.querySelector("#viewer [data-part=numbers]").checked = all;
      let count = 0;
      const write = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text) {
        count += /^\\d+$/.test(text);
        return write.apply(this, arguments);
      };
      page.viewer.slices.draw(page.viewer.lookOf());
      CanvasRenderingContext2D.prototype.fillText = write;
      return count;
    }"""
    few, every = (shown.page.evaluate(count, choice) for choice in (False, True))
    assert 3 <= few <= 24 < every
