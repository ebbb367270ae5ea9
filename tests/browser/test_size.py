"""Big pages: three hundred maps, a thousand maps' volumes, in time and in memory."""

import time
from pathlib import Path

import pytest
from browser import samples
from browser.conftest import Opener
from playwright.sync_api import expect

from bids_regions.report import pages

pytestmark = pytest.mark.browser


def test_three_hundred_maps_load_at_once_and_stay_small(opened: Opener) -> None:
    """The promise is two seconds; it is kept in time the browser worked, since test machines are shared."""
    shown = opened("maps300")
    shown.ready()
    assert shown.work() < 2
    choice = shown.page.locator("#viewer [data-part=view]")
    for number in (30, 150, 299):
        choice.focus()
        choice.select_option(index=number)
        expect(shown.page.locator(f"#map-{number + 1} #viewer")).to_be_visible()
        shown.ready()
    assert shown.heap() < 150
    assert not shown.complaints


def test_a_map_is_unpacked_when_it_is_shown_and_no_other(opened: Opener) -> None:
    shown = opened("maps300").ready()
    shown.page.evaluate(
        """() => {
          const { bytes } = payload;
          window.unpacked = [];
          payload.bytes = (id) => { unpacked.push(id); return bytes(id); };
        }"""
    )
    choice = shown.page.locator("#viewer [data-part=view]")
    choice.focus()  # as a hand does: the viewer follows the window only where nobody works in it
    choice.select_option(index=150)
    expect(shown.page.locator("#map-151 #viewer")).to_be_visible()
    shown.ready()
    unpacked = shown.page.evaluate("() => unpacked.filter((id) => /^(volume|labels|background)-/.test(id))")
    assert sorted(unpacked) == ["labels-map-151-1", "volume-motor-151"]


def test_every_section_is_filled_while_one_looks_elsewhere(opened: Opener) -> None:
    """Kept as text at first, so that the page opens at once; then found by the browser's own search, too."""
    shown = opened("maps300").ready()
    expect(shown.page.locator("noscript.later")).to_have_count(0)
    assert shown.page.locator(".picture img").count() == 300
    assert shown.heap() < 150


def test_a_map_is_drawn_quickly(opened: Opener) -> None:
    shown = opened("motor").ready()
    before = shown.work()
    shown.page.evaluate("() => { for (let n = 0; n < 20; n++) page.viewer.slices.draw(page.viewer.lookOf()); }")
    assert (shown.work() - before) / 20 < 0.1  # seconds for three planes, without a graphics card


def test_thousands_of_maps_stand_beside_the_page(opened: Opener, tmp_path: Path) -> None:
    """Above sixty megabytes the page itself stays small; each map is one file."""
    page = samples.many_maps_page(900)
    start = time.process_time()
    rendered = pages.render_participant(page)
    assert time.process_time() - start < 20
    assert len(rendered.html) < 15e6
    assert len(rendered.side_files) > 900
    shown = opened(samples.write_page(rendered, tmp_path / "sub-01.html")).ready()
    choice = shown.page.locator("#viewer [data-part=view]")
    choice.focus()  # as a hand does: the viewer follows the window only where nobody works in it
    choice.select_option(index=850)
    shown.page.wait_for_function("() => page.viewer.view?.section === 'map-851' && !page.viewer.element.ariaBusy")
    expect(shown.page.locator("#map-851 #viewer")).to_be_visible()
    assert not shown.complaints
