"""Big pages: three hundred maps, a thousand maps' volumes, in few steps and in little memory.

What is promised in seconds is held by what is counted, which no machine decides: blocks unpacked, pixels sampled,
functions called; and by a time that only a page without an end exceeds.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from browser import samples
from browser.conftest import ENDLESS, Opener
from playwright.sync_api import expect

from bids_regions.report import pages

pytestmark = pytest.mark.browser

COUNT_UNPACKED = """
  window.unpacked = 0;
  const Own = window.DecompressionStream;
  window.DecompressionStream = class extends Own {
    constructor(...words) { super(...words); window.unpacked++; }
  };
"""
COUNT_SAMPLED = """() => {
  const counts = { pixels: 0, unpacked: 0, area: 0 };
  for (const name of ["sampleNearest", "sampleLinear"]) {
    const own = window[name];
    window[name] = (grid, data, pixels) => {
      counts.pixels += pixels.width * pixels.height;
      return own(grid, data, pixels);
    };
  }
  const { bytes } = payload;
  payload.bytes = (id) => { counts.unpacked++; return bytes(id); };
  for (let n = 0; n < 20; n++) page.viewer.slices.draw(page.viewer.lookOf());
  for (const canvas of page.viewer.element.querySelectorAll("[data-part=planes] canvas")) {
    counts.area += canvas.width * canvas.height;
  }
  return counts;
}"""


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    """How many functions of Python are called within."""
    calls = [0]

    def count(_frame: object, event: str, _argument: object) -> None:
        calls[0] += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def test_three_hundred_maps_load_at_once_and_stay_small(opened: Opener) -> None:
    """The promise is two seconds: of three hundred maps that are packed, one is unpacked, with its table."""
    shown = opened("maps300")
    shown.page.add_init_script(COUNT_UNPACKED)
    shown.page.reload()
    shown.ready()
    assert 0 < shown.page.evaluate("() => unpacked") < 10
    assert shown.work() < ENDLESS
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
    """Each pixel of the three planes is looked up once in the background, once in the map and once in its labels."""
    shown = opened("motor").ready()
    counts = shown.page.evaluate(COUNT_SAMPLED)
    assert counts["area"] > 10_000
    assert counts["area"] <= counts["pixels"] / 20 <= 3 * counts["area"]
    assert counts["unpacked"] == 0
    assert shown.work() < ENDLESS


def test_thousands_of_maps_stand_beside_the_page(opened: Opener, tmp_path: Path) -> None:
    """Above sixty megabytes the page itself stays small; each map is one file."""
    page = samples.many_maps_page(900)
    calls = []
    for count in (50, 100, 200):
        with counted_calls() as called:
            pages.render_participant(replace(page, sections=page.sections[:count], volumes=page.volumes[:count]))
        calls.append(called[0])
    assert calls[2] - calls[1] < 2.1 * (calls[1] - calls[0])  # twice the maps more, twice the work more
    rendered = pages.render_participant(page)
    assert len(rendered.html) < 15e6
    assert len(rendered.side_files) > 900
    shown = opened(samples.write_page(rendered, tmp_path / "sub-01.html")).ready()
    choice = shown.page.locator("#viewer [data-part=view]")
    choice.focus()  # as a hand does: the viewer follows the window only where nobody works in it
    choice.select_option(index=850)
    shown.page.wait_for_function("() => page.viewer.view?.section === 'map-851' && !page.viewer.element.ariaBusy")
    expect(shown.page.locator("#map-851 #viewer")).to_be_visible()
    assert not shown.complaints
