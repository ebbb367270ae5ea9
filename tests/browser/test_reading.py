"""Who reads the page how: axe on every sample, keyboard only, dark, narrow, still, printed, without scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from browser import samples
from browser.conftest import Opened, Opener
from playwright.sync_api import expect

from bids_regions.report import pages

pytestmark = pytest.mark.browser

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ["motor", "none", "zero", "regions200", "group", "hostile"]


def violations(shown: Opened) -> list[str]:
    """Everything axe-core objects to, with the element."""
    shown.page.evaluate(AXE)
    report: dict[str, Any] = shown.page.evaluate(
        "rules => axe.run(document, { runOnly: { type: 'tag', values: rules } })", RULES
    )
    assert len(report["passes"]) > 15  # it truly looked
    return [f"{one['id']}: {node['html'][:160]}" for one in report["violations"] for node in one["nodes"]]


def open_whole(opened: Opener, name: str | Path, **context: Any) -> Opened:
    """A page with every table awake, every fold open and every section laid out, also those far from view."""
    shown = opened(name, **context)
    if shown.page.locator("#viewer").count():
        shown.ready()
    shown.page.evaluate("async () => { for (const table of page.tables.values()) await table.ready(); }")
    shown.page.evaluate("() => { for (const fold of document.querySelectorAll('details')) fold.open = true; }")
    laid_out = "() => { for (const map of document.querySelectorAll('.map')) map.style.contentVisibility = 'visible'; }"
    shown.page.evaluate(laid_out)
    return shown


@pytest.mark.parametrize(
    ("name", "scheme"), [(name, "light") for name in PAGES] + [(name, "dark") for name in ("motor", "group", "hostile")]
)
def test_axe_finds_nothing(opened: Opener, name: str, scheme: str) -> None:
    shown = open_whole(opened, name, color_scheme=scheme)
    assert violations(shown) == []


@pytest.mark.parametrize("name", ["motor", "group"])
def test_axe_finds_nothing_on_a_narrow_page_and_without_scripts(
    opened: Opener, sample: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    assert violations(open_whole(opened, name, viewport={"width": 320, "height": 640})) == []
    html = sample(name).read_text()
    still = tmp_path / "still.html"  # axe itself needs a script: the page's own ones are taken out instead
    still.write_text(html[: html.rindex("</div>") + 6] + "</body></html>")
    assert violations(opened(still)) == []


def test_axe_would_find_something(opened: Opener) -> None:
    """The checker checks: a picture without alt text is seen."""
    shown = open_whole(opened, "motor")
    shown.page.evaluate("() => document.querySelector('.picture img').removeAttribute('alt')")
    assert any(found.startswith("image-alt") for found in violations(shown))


@pytest.mark.parametrize("name", [*PAGES, "maps300"])
def test_no_page_scrolls_sideways(opened: Opener, name: str) -> None:
    shown = open_whole(opened, name)
    for width in (320, 480, 768, 1100, 1920):
        shown.page.set_viewport_size({"width": width, "height": 700})
        shown.settle(100)
        assert shown.page.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["motor", "group", "hostile"])
def test_long_names_wrap_and_squeeze_nothing(opened: Opener, name: str) -> None:
    shown = open_whole(opened, name, viewport={"width": 320, "height": 640})
    longer = "() => document.querySelectorAll('caption span').forEach((e) => { e.textContent += '_more'.repeat(40); })"
    shown.page.evaluate(longer)
    wide = """() => [...document.querySelectorAll('.scroll')].filter((scroll) =>
      scroll.querySelector('caption span').getBoundingClientRect().width > scroll.clientWidth).length"""
    assert shown.page.evaluate(wide) == 0
    heights = "() => [...document.querySelectorAll('.tally')].map((tally) => tally.getBoundingClientRect().height)"
    assert max(shown.page.evaluate(heights)) < 40  # one line


WHERE = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  return { tag: at.tagName, id: at.id, text: at.textContent.trim().slice(0, 40), kind: at.type ?? "",
           label: at.getAttribute("aria-label") ?? "",
           ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
}"""


def test_the_keyboard_reaches_everything_and_its_place_is_seen(opened: Opener) -> None:
    shown = open_whole(opened, "motor")
    seen: list[dict[str, Any]] = []
    for _ in range(150):
        shown.page.keyboard.press("Tab")
        seen.append(shown.page.evaluate(WHERE))
        if seen[-1]["tag"] == "BODY":
            break
    assert seen.pop()["tag"] == "BODY"  # through the whole page, and out of it: no trap
    assert seen[0]["text"] == "Skip to the results"
    assert [stop for stop in seen if not stop["ringed"]] == []
    assert [stop["tag"] for stop in seen].count("CANVAS") == 3
    reached = {stop[name] for stop in seen for name in ("id", "text", "label", "kind")}
    assert reached >= {
        "viewer-threshold", "checkbox", "search", "Region 1: show its peak", "2 sub-peaks of region 1",
        "Copy the methods text", "Copy the command", "Show this map in the viewer", "label image",
        "What the program said",
    }  # fmt: skip


def test_the_skip_link_leads_to_the_results(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.keyboard.press("Tab")
    expect(shown.page.get_by_text("Skip to the results")).to_be_in_viewport()
    shown.page.keyboard.press("Enter")
    expect(shown.page.locator("main")).to_be_focused()


def test_language_title_and_landmarks_are_set(opened: Opener) -> None:
    shown = opened("motor").ready()
    assert shown.page.locator("html").get_attribute("lang") == "en"
    assert shown.page.title() == "sub-01 · regions · Motor"
    for landmark in ("main", "nav", "h1"):
        assert shown.page.locator(landmark).count() == 1


def test_dark_is_dark_and_light_is_light(opened: Opener) -> None:
    background = "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)"
    assert max(opened("motor", color_scheme="dark").page.evaluate(background)) < 40
    assert min(opened("motor", color_scheme="light").page.evaluate(background)) > 240


def test_nothing_moves_of_itself(opened: Opener) -> None:
    shown = open_whole(opened, "group", reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll("*")].filter((element) => {
      const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(element);
      return animationName !== "none" || transitionDuration !== "0s" || scrollBehavior !== "auto";
    }).map((element) => element.outerHTML.slice(0, 80))"""
    assert shown.page.evaluate(moving) == []


PRINTED_AWAY = (".contents", "#viewer", ".tools", ".copy", ".explore", ".skip", ".pager", ".find")


@pytest.mark.parametrize("name", ["motor", "group", "maps300"])
def test_print_has_every_figure_and_table_and_no_controls(opened: Opener, name: str, tmp_path: Path) -> None:
    shown = opened(name, color_scheme="dark").ready()
    shown.page.emulate_media(media="print")
    shown.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    for away in PRINTED_AWAY:
        assert shown.page.locator(f"{away}:visible").count() == 0, away
    assert shown.page.locator("noscript.later").count() == 0
    for kind in (".picture img", "table"):
        number = shown.page.locator(kind).count()
        assert number > 0
        expect(shown.page.locator(f"{kind}:visible")).to_have_count(number)
    clipped = "() => [...document.querySelectorAll('.scroll')].filter(a => a.scrollHeight > a.clientHeight + 2).length"
    assert shown.page.evaluate(clipped) == 0
    loaded = "async () => { for (const picture of document.images) await picture.decode(); return true; }"
    assert shown.page.evaluate(loaded)
    light = "() => getComputedStyle(document.documentElement).backgroundColor"
    assert shown.page.evaluate(light) == "rgb(255, 255, 255)"
    shown.page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")


def test_a_printed_page_is_a_pdf_with_its_pictures(opened: Opener) -> None:
    shown = opened("motor").ready()
    paper = shown.page.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Subtype /Image") >= 3  # the three figures; the viewer is left away
    assert 2 <= paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page /") <= 8


@pytest.mark.parametrize("name", ["motor", "group", "regions200", "maps300"])
def test_without_scripts_everything_is_there(opened: Opener, name: str) -> None:
    shown = opened(name, java_script_enabled=False)
    for kind in (".picture img", "table"):
        number = shown.page.locator(kind).count()
        assert number > 0
        expect(shown.page.locator(f"{kind}:visible")).to_have_count(number)
    assert shown.page.locator("tbody tr:visible").count() > 5
    for control in ("#viewer", ".tools", ".copy", ".explore", ".pager", ".find"):
        assert shown.page.locator(f"{control}:visible").count() == 0, control


def test_without_scripts_sub_peaks_stand_under_their_regions(opened: Opener) -> None:
    shown = opened("motor", java_script_enabled=False)
    rows = shown.page.locator("#motor-1-regions tbody tr")
    assert rows.nth(0).locator("td").first.inner_text().strip() == "1"
    assert rows.nth(1).locator("td").first.inner_text().strip() == "peak 2"


def test_counts_come_first_and_lead_to_their_sections(opened: Opener) -> None:
    shown = opened("motor").ready()
    tiles = shown.page.locator(".tile")
    assert [" ".join(text.split()) for text in tiles.all_inner_texts()] == [
        "2 maps", "10 regions", "1 without a region", "1 skipped", "1 failed",
    ]  # fmt: skip
    tiles.last.get_by_role("link").click()
    expect(shown.page.locator("#errors-title")).to_be_in_viewport()
    expect(shown.page.locator("#errors")).to_contain_text("The file ends too early. Fetch it again.")
    expect(opened("zero").page.locator("#errors")).to_contain_text("No errors to report.")


def test_the_contents_lead_to_maps_and_show_where_one_is(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.locator(".contents").get_by_role("link", name="contrast faint").click()
    expect(shown.page.locator("#faint-title")).to_be_in_viewport()
    expect(shown.page.locator(".contents a[aria-current=true]")).to_contain_text("contrast faint")


def test_maps_can_be_found_among_many(opened: Opener) -> None:
    shown = opened("maps300").ready()
    shown.page.get_by_label("Find a map in the contents").fill("c217")
    expect(shown.page.locator(".contents .maps li:visible")).to_have_count(1)
    expect(shown.page.locator(".contents .group + .maps:visible")).to_have_count(1)
    headings = shown.page.locator(".contents .group:visible").all_text_contents()
    assert headings == [
        shown.page.locator(".contents .maps:visible").evaluate("(list) => list.previousElementSibling.textContent")
    ]
    shown.page.locator(".contents .maps li:visible a").click()
    expect(shown.page.locator("#map-217-title")).to_be_in_viewport()
    expect(shown.page.locator("#map-217 .picture img")).to_be_visible()


def test_the_methods_text_can_be_copied(opened: Opener) -> None:
    shown = opened("motor", permissions=["clipboard-read", "clipboard-write"]).ready()
    shown.page.get_by_role("button", name="Copy the methods text").click()
    copied = shown.page.evaluate("() => navigator.clipboard.readText()")
    assert samples.METHODS.paragraphs[0] in copied
    assert "10.1038/s41586-020-2649-2" in copied


def test_pictures_have_the_result_as_their_text_and_their_size(opened: Opener) -> None:
    shown = opened("motor").ready()
    alts = [image.get_attribute("alt") or "" for image in shown.page.locator(".picture img").all()]
    assert alts[0].startswith("6 regions; largest 2520 voxels, peak 7.94 at ")
    assert alts[2] == "No region survived"
    assert all(image.get_attribute("width") for image in shown.page.locator(".picture img").all())


def test_two_renderings_are_the_same_bytes() -> None:
    assert pages.render_participant(samples.motor_page()) == pages.render_participant(samples.motor_page())
    assert pages.render_group(samples.group_page(7)) == pages.render_group(samples.group_page(7))
