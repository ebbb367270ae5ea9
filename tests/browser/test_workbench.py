"""Viewer and table as one bench: after every way of choosing a row, that row and the slices are in view together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import samples
from browser.conftest import DRAWN, Opener
from browser.in_view import DEPTH, SEEN, SIZES, check, seen
from playwright.sync_api import expect

from bids_regions.report import model, pages

pytestmark = pytest.mark.browser


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
