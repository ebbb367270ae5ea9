"""The group page: prevalence in the viewer, strip plots, agreement, thumbnails."""

from dataclasses import replace
from pathlib import Path

import pytest
from browser import samples
from browser.conftest import Opener
from playwright.sync_api import expect

from bids_regions.report import pages

pytestmark = pytest.mark.browser


def test_prevalence_is_in_the_same_viewer(opened: Opener) -> None:
    shown = opened("group").ready()
    view = shown.page.locator("#viewer [data-part=view]")
    assert view.locator("option").all_inner_texts() == ["Consensus · positive", "Consensus · negative"]
    assert shown.read()["text"]["unit"] == "% of participants"
    assert shown.read()["text"]["note"] == ""  # the table's peak is about z here, so it is not taken for the value
    view.select_option(index=1)
    shown.ready()
    shown.page.locator("#motor-1-regions").scroll_into_view_if_needed()
    shown.page.locator("#motor-1-regions .go").nth(3).click()
    assert shown.read()["value"] < 0
    assert shown.page.locator("#viewer [data-part=view] option:checked").inner_text() == "Consensus · negative"


def test_points_name_their_participant_and_lead_to_them(opened: Opener) -> None:
    shown = opened("group").ready()
    dot = shown.page.locator('[data-strip="motor-n"] circle[data-participant="sub-0007"]')
    assert dot.locator("title").text_content().startswith("sub-0007: ")  # type: ignore[union-attr]
    assert dot.locator("xpath=..").get_attribute("href") == "sub-0007.html"
    assert shown.page.locator('[data-strip="motor-n"] circle').count() == 60
    flagged = shown.page.locator(".dot.flagged title")
    expect(flagged).to_have_count(1)
    assert "high volume (robust z = 8.1)" in (flagged.text_content() or "")


def test_dots_lie_at_their_value(opened: Opener) -> None:
    shown = opened("group").ready()
    points = samples.group_page().sets[0].metrics[2].points
    found = shown.page.evaluate(
        """() => {
          const plot = document.querySelector('[data-strip="motor-peak"]');
          const axis = plot.querySelector(".axis");
          const ends = [plot.dataset.low, plot.dataset.high, axis.getAttribute("x1"), axis.getAttribute("x2")];
          const [low, high, left, right] = ends.map(Number);
          const value = (dot) => low + ((dot.getAttribute("cx") - left) / (right - left)) * (high - low);
          const dots = [...plot.querySelectorAll("circle")];
          return Object.fromEntries(dots.map((dot) => [dot.dataset.participant, value(dot)]));
        }"""
    )
    assert found == {point.participant: pytest.approx(point.value, abs=0.01) for point in points}


def test_one_participant_is_found_in_every_plot(opened: Opener) -> None:
    shown = opened("group").ready()
    shown.page.get_by_label("Find a participant").fill("0004")
    expect(shown.page.locator(".ring")).to_have_count(4)
    expect(shown.page.locator("#found")).to_have_text("ringed in 4 plots")
    expect(shown.page.locator('[data-strip="motor-volume"] .ring text')).to_have_text("sub-0004: 61000")
    shown.page.get_by_label("Find a participant").fill("sub-77")
    expect(shown.page.locator("#found")).to_have_text("not found")
    expect(shown.page.locator(".ring")).to_have_count(0)
    shown.page.get_by_label("Find a participant").fill("")
    shown.page.locator(".dot.flagged").hover()
    expect(shown.page.locator(".ring")).to_have_count(4)


def test_a_participant_is_ringed_where_they_have_a_value(opened: Opener, tmp_path: Path) -> None:
    """One plot is one plot; where dots are too many to draw, the ring lies at the value on the axis."""
    page = samples.group_page(5)
    one = page.sets[0]
    metrics = tuple(replace(metric, points=metric.points[at > 0 :]) for at, metric in enumerate(reversed(one.metrics)))
    one = replace(one, metrics=metrics, agreement=None, thumbnails=(), outliers=())
    shown = opened(samples.write_page(pages.render_group(replace(page, sets=(one,))), tmp_path / "group.html")).ready()
    field = shown.page.get_by_label("Find a participant")
    field.fill("sub-0001")
    expect(shown.page.locator("#found")).to_have_text("ringed in 1 plot")
    ring = shown.page.locator(".ring circle")
    expect(ring).to_have_count(1)
    dot = shown.page.locator("circle[data-participant=sub-0001]")
    place = "(circle) => ['cx', 'cy'].map((name) => Number(circle.getAttribute(name)))"
    wanted = dot.evaluate(place)
    assert ring.evaluate(place) == wanted
    dot.evaluate("(dot) => dot.remove()")
    field.fill("0001")
    expect(shown.page.locator("#found")).to_have_text("ringed in 1 plot")
    expect(ring).to_have_attribute("cy", "46")
    assert ring.evaluate(place) == pytest.approx(wanted, abs=0.1)
    field.fill("")
    expect(shown.page.locator("#found")).to_have_text("")


def test_the_names_to_choose_from_are_given_once(opened: Opener) -> None:
    shown = opened("group").ready()
    field = shown.page.get_by_label("Find a participant")
    names = shown.page.locator("#participants option")
    for _ in range(2):
        field.focus()
        expect(names).to_have_count(60)
        field.blur()
    assert names.evaluate_all("(all) => new Set(all.map((one) => one.value)).size") == 60
    field.fill("sub-0002")
    expect(shown.page.locator(".ring text").first).to_contain_text("sub-0002")
    shown.page.locator(".dot.flagged").hover()  # of another participant
    expect(shown.page.locator("#found")).to_have_text("ringed in 4 plots")
    expect(shown.page.locator(".ring text").first).to_contain_text("sub-0002")
    field.fill("")
    shown.page.locator(".dot.flagged").hover()
    expect(shown.page.locator(".ring")).to_have_count(4)
    shown.page.locator("h1").hover()
    expect(shown.page.locator(".ring")).to_have_count(0)


def test_the_matrix_is_read_by_pointer_and_by_keys(opened: Opener) -> None:
    shown = opened("group").ready()
    agreement = samples.group_page().sets[0].agreement
    assert agreement is not None
    area = shown.page.locator(".matrix-picture")
    readout = shown.page.locator(".matrix-readout")
    picture = area.locator("img")
    picture.hover()
    shown.settle(300)  # tables above wake up
    frame = picture.bounding_box()
    assert frame is not None
    cell = frame["width"] / 60
    picture.hover(position={"x": 17.5 * cell, "y": 4.5 * cell})
    expect(readout).to_have_text(f"sub-0005 and sub-0018: Dice {agreement.values[4][17]:.2f}")
    area.focus()
    shown.page.keyboard.press("ArrowRight")
    expect(readout).to_have_text(f"sub-0005 and sub-0019: Dice {agreement.values[4][18]:.2f}")
    shown.page.keyboard.press("ArrowDown")
    expect(readout).to_have_text(f"sub-0006 and sub-0019: Dice {agreement.values[5][18]:.2f}")
    picture.hover(position={"x": 0.5 * cell, "y": 1.5 * cell})
    expect(readout).to_have_text("sub-0002 and sub-0001: Dice no value")


def test_keys_stop_at_the_rims_of_the_matrix(opened: Opener) -> None:
    shown = opened("group").ready()
    area, readout = shown.page.locator(".matrix-picture"), shown.page.locator(".matrix-readout")
    shown.page.evaluate("() => { window.keyOf = (key) => new KeyboardEvent('keydown', { key, cancelable: true }); }")
    rims = {
        "ArrowUp": "sub-0001 and sub-0001",
        "ArrowLeft": "sub-0001 and sub-0001",
        "ArrowDown": "sub-0060 and sub-0001",
        "ArrowRight": "sub-0060 and sub-0060",
    }
    for key, pair in rims.items():
        area.evaluate("(area, key) => { for (let n = 0; n < 61; n++) area.dispatchEvent(keyOf(key)); }", key)
        expect(readout).to_contain_text(pair)
    assert area.evaluate("(area) => area.dispatchEvent(keyOf('a'))")  # not taken: the browser's own
    assert not area.evaluate("(area) => area.dispatchEvent(keyOf('ArrowUp'))")


def test_thumbnails_come_in_pages_of_fifty(opened: Opener) -> None:
    shown = opened("group").ready()
    items = shown.page.locator(".thumbs li")
    expect(items).to_have_count(50)
    expect(shown.page.locator(".pager output")).to_have_text("page 1 of 2")
    shown.page.get_by_role("button", name="Next", exact=True).click()
    expect(items).to_have_count(10)
    expect(items.last).to_contain_text("sub-0060")
    assert items.last.get_by_role("link").get_attribute("href") == "sub-0060.html"
    assert items.last.locator("img").evaluate("async i => (await i.decode(), i.naturalWidth)") > 50
    expect(shown.page.get_by_role("button", name="Next", exact=True)).to_be_disabled()
    shown.page.get_by_role("button", name="Previous", exact=True).click()
    expect(items).to_have_count(50)


def test_outliers_failures_and_circular_tests_are_told_in_words(opened: Opener) -> None:
    text = opened("group").page.locator("#motor").inner_text()
    assert "sub-0004: high volume (robust z = 8.1)" in text
    assert "Its only map failed: the file ends too early." in text
    assert "a one-sample test of the values in them is circular" in text


def test_a_cohort_of_ten_thousand_shows_densities_and_flagged_dots(opened: Opener, tmp_path: Path) -> None:
    page = samples.group_page(10_000, regions=1, thumbnails=False)
    path = samples.write_page(pages.render_group(page), tmp_path / "group.html")
    assert path.stat().st_size < 12e6
    shown = opened(path).ready()
    assert shown.page.locator("circle.dot").count() == 1
    assert shown.page.locator(".density").count() > 50
    shown.page.get_by_label("Find a participant").fill("sub-9000")
    expect(shown.page.locator(".ring")).to_have_count(4)


def test_an_empty_group_says_so(opened: Opener, tmp_path: Path) -> None:
    page = replace(samples.group_page(5), sets=(), volumes=(), backgrounds=(), counts=(("participants", 0),))
    shown = opened(samples.write_page(pages.render_group(page), tmp_path / "group.html"))
    expect(shown.page.get_by_text("There is nothing to summarise")).to_be_visible()
    assert shown.complaints == []


def test_one_participant_makes_a_page_too(opened: Opener, tmp_path: Path) -> None:
    page = samples.group_page(5)
    one = page.sets[0]
    metrics = tuple(replace(metric, points=metric.points[:1]) for metric in one.metrics)
    one = replace(one, metrics=metrics, agreement=None, thumbnails=one.thumbnails[:1], outliers=())
    shown = opened(samples.write_page(pages.render_group(replace(page, sets=(one,))), tmp_path / "group.html")).ready()
    expect(shown.page.locator("circle.dot")).to_have_count(4)
    expect(shown.page.locator(".matrix")).to_have_count(0)
    assert shown.complaints == []
