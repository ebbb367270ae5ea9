"""Nothing leaves the page and nothing from a dataset runs in it: requests, policy, escaping, side files."""

import shutil
from pathlib import Path

import pytest
from browser import samples
from browser.conftest import Opened, Opener
from playwright.sync_api import expect

from bids_regions.report import pages, parts

pytestmark = pytest.mark.browser

PAGES = ["motor", "none", "regions200", "group", "hostile"]


def use(shown: Opened) -> None:
    """Do what a reader does: wake every table, scroll through, move the crosshair, change the threshold."""
    shown.page.evaluate("async () => { for (const table of page.tables.values()) await table.ready(); }")
    shown.page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    if shown.page.locator("#viewer").count():
        shown.ready()
        shown.page.locator("#viewer [data-part=axial] canvas").click()
        shown.page.locator("#viewer [data-part=threshold]").press("ArrowRight")
    shown.settle(100)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_but_itself(opened: Opener, name: str) -> None:
    shown = opened(name)
    use(shown)
    asked = [url for url in shown.requests if not url.startswith("data:")]
    assert asked == [shown.page.url]
    assert asked[0].startswith("file://")
    assert shown.complaints == []  # a breach of the policy is a complaint


def test_a_page_asks_for_nothing_when_a_server_gives_it(opened: Opener, tmp_path: Path) -> None:
    """The same page from http: intercepted, so that no server is needed."""
    html = samples.write_page(samples.SAMPLES["motor"](), tmp_path / "page.html").read_text()
    shown = opened("none")
    asked: list[str] = []
    shown.page.route("http://report.test/**", lambda route: route.fulfill(body=html, content_type="text/html"))
    shown.page.on("request", lambda request: asked.append(request.url))
    shown.page.goto("http://report.test/sub-01.html")
    use(shown)
    assert [url for url in asked if not url.startswith("data:")] == ["http://report.test/sub-01.html"]
    assert shown.complaints == []


def test_names_from_a_dataset_are_text_wherever_they_stand(opened: Opener) -> None:
    shown = opened("hostile")
    use(shown)
    shown.page.locator("#viewer [data-part=view]").focus()
    shown.page.locator(".go").first.click()
    assert shown.page.evaluate("() => window.broken") is None
    assert shown.page.locator("img[src=x]").count() == 0
    evil = "\"><script>window.broken=1</script><img src=x onerror=window.broken=2>'</script><!--"
    assert shown.page.locator("h1").inner_text() == f"sub-{evil}"
    assert shown.page.locator("#blobs-title").inner_text() == evil
    assert shown.page.locator("#blobs .warnings li").first.inner_text() == f"Note. {evil}."
    assert shown.page.locator("#provenance .command").inner_text() == evil
    assert evil in shown.page.locator("#blobs-1-regions tbody").inner_text()
    assert evil in shown.page.locator("#viewer [data-part=region]").inner_text()
    assert shown.complaints == []


def test_no_file_name_becomes_an_address_that_runs_or_leaves(opened: Opener) -> None:
    shown = opened("hostile")
    addresses = shown.page.evaluate("() => [...document.querySelectorAll('a[href]')].map(a => a.href)")
    schemes = {address.partition(":")[0] for address in addresses}
    assert schemes == {"file", "https"}
    assert all(a.startswith("https://doi.org/") for a in addresses if a.startswith("https"))
    assert any(a.endswith("/a%20b/%252e%23c%3Fd.tsv") for a in addresses)


def test_the_policy_stops_what_is_not_the_pages_own(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.evaluate(
        """() => {
          const own = document.createElement("script");
          own.textContent = "window.hacked = 1";
          document.body.append(own);
          const far = document.createElement("script");
          far.src = "https://example.org/x.js";
          document.body.append(far);
          const near = document.createElement("script");
          near.src = "beside.js";
          document.body.append(near);
          const picture = new Image();
          picture.src = "https://example.org/x.png";
          const dressed = "<p id=styled style='color: red' onclick='window.hacked = 2'>x</p>";
          document.body.insertAdjacentHTML("beforeend", dressed);
          document.getElementById("styled").click();
          try { setTimeout("window.hacked = 3"); } catch { /* refused */ }
        }"""
    )
    shown.settle(300)
    assert shown.page.evaluate("() => window.hacked") is None
    assert shown.page.evaluate("() => getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    assert len([c for c in shown.complaints if "Content Security Policy" in c]) >= 6


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The motor page as if it were too heavy: its volumes and pictures stand beside it."""
    monkeypatch.setattr(parts, "HEAVY", 1000)
    return samples.write_page(pages.render_participant(samples.motor_page()), tmp_path / "out" / "sub-01.html")


def test_a_heavy_page_loads_its_volumes_from_files_beside_it(opened: Opener, beside: Path) -> None:
    folder = beside.parent / "sub-01" / "figures" / "report"
    assert {path.suffix for path in folder.iterdir()} == {".js", ".svg"}
    shown = opened(beside).ready()
    shown.page.locator("#faint .explore").click()
    expect(shown.page.locator("#faint #viewer")).to_be_visible()
    shown.ready()
    widths = """() => Promise.all([...document.querySelectorAll(".picture img")].map(async (picture) => {
      picture.loading = "eager";
      await picture.decode();
      return picture.naturalWidth;
    }))"""
    assert min(shown.page.evaluate(widths)) > 100
    inside = beside.parent.as_uri()
    assert all(url.startswith((inside, "data:")) for url in shown.requests)
    assert sum(url.endswith(".js") for url in shown.requests) == 4  # two volumes, one background, one set of labels
    assert shown.complaints == []


def test_a_missing_file_beside_a_page_is_named(opened: Opener, beside: Path) -> None:
    shutil.rmtree(beside.parent / "sub-01")
    shown = opened(beside)
    trouble = shown.page.locator("#viewer [data-part=trouble]")
    expect(trouble).to_contain_text("is not beside this page")
    expect(trouble).to_contain_text("sub-01/figures/report/")
    shown.page.locator("#motor-1-regions").scroll_into_view_if_needed()
    expect(shown.page.locator("#motor-1-regions tbody tr")).to_have_count(6)
