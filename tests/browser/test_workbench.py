"""Viewer and table as one bench: after every way of choosing a row, that row and the slices are in view together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import samples
from browser.conftest import DRAWN, Opened, Opener
from playwright.sync_api import expect

from bids_regions.report import model, pages
from bids_regions.tables import rows_of

pytestmark = pytest.mark.browser

SIZES = [(1440, 900), (1024, 768), (390, 844)]

# The share of each slice that is in the window and not covered, and of the row that is marked.
SEEN = """(row) => {
  const share = (element) => {
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    const [x, y] = [Math.min(right, innerWidth) - Math.max(left, 0), Math.min(bottom, innerHeight) - Math.max(top, 0)];
    return (Math.max(0, x) * Math.max(0, y)) / (width * height);
  };
  const first = row.cells[0].getBoundingClientRect();
  const at = document.elementFromPoint(first.left + 12, (first.top + first.bottom) / 2);
  const slices = [...document.querySelectorAll("#viewer canvas[tabindex]")].filter((one) => one.clientWidth).map(share);
  const box = row.getBoundingClientRect();
  const whole = box.top >= 0 && box.bottom <= innerHeight;
  const place = document.querySelector(".viewer-place").getBoundingClientRect();
  const covered = [];
  for (let y = Math.max(place.top, 0) + 4; y < Math.min(place.bottom, innerHeight); y += 8) {
    for (let x = place.left + 4; x < place.right; x += 24) {
      const there = document.elementFromPoint(x, y);
      if (there && !there.closest(".viewer-place")) covered.push(`${there.tagName} at ${x}, ${y}`);
    }
  }
  return { slices, row: whole && row.contains(at), covered };
}"""


def seen(shown: Opened, table: str, number: int) -> dict[str, Any]:
    """What is in view of the slices and of a region's row."""
    shown.settle(80)
    row = shown.page.locator(f"{table} tbody tr:not(.peak):not(.spacer)").filter(
        has=shown.page.locator(".go", has_text=str(number)).and_(shown.page.get_by_text(str(number), exact=True))
    )
    found: dict[str, Any] = row.first.evaluate(SEEN)
    return found


def check(found: dict[str, Any]) -> None:
    assert found["row"], found
    assert max(found["slices"]) >= 0.9, found
    assert not found["covered"], found


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "table", "rows"), [("motor", "#motor-1-regions", 6), ("regions200", "#blobs-1-regions", 200)]
)
def test_a_clicked_row_and_the_slices_are_in_view(
    opened: Opener, size: tuple[int, int], name: str, table: str, rows: int
) -> None:
    shown = opened(name, viewport={"width": size[0], "height": size[1]}).ready()
    for number in sorted({1, 2, rows // 2, rows}):
        shown.page.locator(f"{table} tbody tr:not(.peak)").nth(number - 1).locator("td.number").first.click()
        assert shown.read()["region"] == number
        check(seen(shown, table, number))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_row_chosen_by_keys_and_the_slices_are_in_view(opened: Opener, size: tuple[int, int]) -> None:
    shown = opened("regions200", viewport={"width": size[0], "height": size[1]}).ready()
    table = "#blobs-1-regions"
    shown.page.locator(f"{table} .go").first.focus()
    shown.page.evaluate("() => scrollTo(0, 0)")
    shown.page.keyboard.press("Enter")
    check(seen(shown, table, 1))
    keys: Sequence[tuple[str, int]] = [
        ("ArrowDown", 2),
        ("ArrowDown", 3),
        ("ArrowUp", 2),
        ("End", 200),
        ("ArrowUp", 199),
        ("Home", 1),
    ]
    for key, number in keys:
        shown.page.keyboard.press(key)
        assert shown.read()["region"] == number
        check(seen(shown, table, number))
    for name, number in (("next", 2), ("next", 3), ("previous", 2), ("previous", 1), ("previous", 200)):
        shown.page.locator(f"#viewer [data-part={name}]").click()
        assert shown.read()["region"] == number
        check(seen(shown, table, number))


def test_rows_of_two_thousand_regions_are_chosen_far_down(opened: Opener, tmp_path: Path) -> None:
    page = samples.blob_page(450)
    entry = page.sections[0].entries[0]
    assert entry.regions is not None
    head, *lines = entry.regions.tsv.splitlines()
    many = [line for copy in range(5) for line in lines]
    numbered = [f"{number}\t{line.partition(chr(9))[2]}" for number, line in enumerate(many, start=1)]
    table = replace(entry.regions, tsv="\n".join([head, *numbered]) + "\n")
    entry = replace(entry, regions=table, n_regions=len(numbered), peaks="")
    page = replace(page, sections=(replace(page.sections[0], entries=(entry,)),))
    shown = opened(samples.write_page(pages.render_participant(page), tmp_path / "many.html")).ready()
    expect(shown.page.locator("#blobs-1-regions")).to_have_class("table ready")
    shown.page.locator("#blobs-1-regions .go").first.focus()
    shown.page.keyboard.press("End")
    row = shown.page.locator(f"#blobs-1-regions tr[aria-rowindex='{len(numbered) + 1}']")
    check(row.evaluate(SEEN))
    expect(row).to_be_focused()


# From the top of a map to the first row of the first table that is seen of it.
DEPTH = """(map) => [...map.querySelectorAll(".workbench tbody tr")].find((row) => row.clientHeight)
  .getBoundingClientRect().bottom - map.getBoundingClientRect().top"""


def three_entries() -> model.ParticipantPage:
    """A map by three rules, each told in a long line, with the names of an atlas; and what holds for all of them."""
    page = samples.motor_page()
    section = page.sections[0]
    third = samples.make_entry("motor-3", "fdr0p05", *samples.motor_map(), volume="motor", threshold="2.8")
    rules = ("Strongest 3 % of the voxels", "|z| ≥ 3.0", "FDR 0.05 (|z| ≥ 2.8)")
    entries = [replace(e, title=r) for e, r in zip((*section.entries, third), rules, strict=True)]
    lines = [
        f"{rule}: 6 regions, the largest in Postcentral Gyrus, on the right, 2,520 voxels, peak 7.9 at 6, −10, 52 mm."
        for rule in rules
    ]
    section = replace(section, entries=tuple(entries), lead="\n".join([*lines, "It holds for all."]))
    return replace(page, sections=(section, *page.sections[1:]))


@pytest.mark.parametrize("size", [*SIZES, (1366, 768)], ids=str)
@pytest.mark.parametrize("rules", [2, 3])
def test_the_first_table_lies_in_the_first_screen_of_its_map(
    opened: Opener, tmp_path: Path, size: tuple[int, int], rules: int
) -> None:
    name: str | Path = "motor"
    if rules == 3:
        name = samples.write_page(pages.render_participant(three_entries()), tmp_path / "three.html")
    shown = opened(name, viewport={"width": size[0], "height": size[1]}).ready()
    assert shown.page.locator("#motor").evaluate(DEPTH) < size[1]


def test_the_line_of_the_chosen_entry_is_read_where_there_is_no_room_for_all(opened: Opener, tmp_path: Path) -> None:
    path = samples.write_page(pages.render_participant(three_entries()), tmp_path / "three.html")
    shown = opened(path).ready()
    line = shown.page.locator("#motor .lead span")
    shown.page.locator("#motor [role=tab]").nth(1).click()
    for at, seen_now in enumerate((False, True, False, True)):
        expect(line.nth(at)).to_be_visible(visible=seen_now)
    shown.page.emulate_media(media="print")
    for at in range(4):
        expect(line.nth(at)).to_be_visible()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_focus_is_never_hidden(opened: Opener, size: tuple[int, int]) -> None:
    """What has the focus is seen: under no viewer, no head of a table, no border of what scrolls around it."""
    shown = opened("motor", viewport={"width": size[0], "height": size[1]}).ready()
    covered = """() => {
      const at = document.activeElement;
      if (at === document.body) return "";
      const { left, top, width, height } = at.getBoundingClientRect();
      const [x, y] = [Math.max(left, 0) + Math.min(width / 2, 20), top + Math.min(height / 2, 20)];
      const middle = document.elementFromPoint(x, y);
      const own = at.contains(middle) || middle?.contains(at) || middle?.closest("label")?.contains(at);
      return own ? "" : `${at.outerHTML.slice(0, 120)} at ${x}, ${y} under ${middle?.outerHTML.slice(0, 80)}`;
    }"""
    for key in ["Tab"] * 60 + ["Shift+Tab"] * 58:
        shown.page.keyboard.press(key)
        shown.page.evaluate(DRAWN)
        for _ in range(100):  # browsers scroll to a focus when they come to it
            if not (hidden := shown.page.evaluate(covered)):
                break
            shown.settle(50)
        assert hidden == ""


def test_entries_are_tabs_and_their_contours_can_lie_over_each_other(opened: Opener) -> None:
    shown = opened("motor").ready()
    tabs = shown.page.locator("#motor [role=tab]")
    expect(tabs).to_have_count(2)
    tabs.first.focus()
    shown.page.keyboard.press("ArrowRight")
    shown.ready()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(shown.page.locator("#viewer [data-part=view] option:checked")).to_have_text("thr3p0")
    expect(shown.page.locator("#motor-2-regions")).to_be_visible()
    axial = "() => document.querySelector('#viewer [data-part=axial] canvas').toDataURL()"
    before = shown.page.evaluate(axial)
    shown.page.locator("#viewer [data-part=others]").check()
    shown.settle(150)
    assert shown.page.evaluate(axial) != before


def test_another_map_opens_at_its_own_peak_and_another_entry_where_one_was(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.locator("#motor-1-regions .go").nth(3).click()
    place = shown.read()["mm"]
    shown.page.locator("#motor [role=tab]").nth(1).click()
    shown.ready()
    assert shown.read()["mm"] == place
    shown.page.locator("#faint .explore").click()
    shown.ready()
    data, _ = samples.motor_map()
    strongest = np.unravel_index(abs(data).argmax(), data.shape)
    assert abs(data[tuple(shown.read()["voxel"])]) == abs(data[strongest])


def test_the_viewer_goes_along_with_the_reader(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.locator("#faint-title").evaluate("(title) => title.scrollIntoView()")
    shown.page.evaluate("() => scrollBy(0, 200)")
    expect(shown.page.locator("#faint #viewer")).to_be_visible()


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
