"""A real Chromium for the tests of the pages, opened from disk as a reader opens them.

Nothing here touches the pages' own policy: a test that would only pass with it switched off must fail.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import samples
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--enable-precise-memory-info"]
PATIENCE = 60_000  # ms: test machines are shared
ENDLESS = 300  # seconds of a page's processor time: more than any takes on any machine, but one that never ends
expect.set_options(timeout=PATIENCE)
HOW = "the pages are tested in a real browser and none was found: apt-get install chromium, or set CHROMIUM to its path"


def find_chromium(playwright: Playwright) -> str:
    """The browser of this machine; its absence is a failure, here as in CI."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES] + [playwright.chromium.executable_path]
    for path in found:
        if path and Path(path).exists():
            return path
    pytest.fail(HOW, pytrace=False)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a sample page, made once per session."""
    folder = tmp_path_factory.mktemp("pages")

    def path_of(name: str) -> Path:
        path = folder / name / "page.html"
        return path if path.exists() else samples.write_page(samples.SAMPLES[name](), path)

    return path_of


class Opened:
    """A page in a browser, with everything it asked for and complained about."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.session = context.new_cdp_session(self.page)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )

    def read(self) -> dict[str, Any]:
        """What the viewer reads at the crosshair."""
        found: dict[str, Any] = self.page.evaluate(READ)
        return found

    def work(self) -> float:
        """Seconds of processor time that the page has cost so far, whatever else the machine was doing."""
        self.session.send("Performance.enable")
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime"))

    def heap(self) -> float:
        """Megabytes of script heap in use, when what is not needed any more has been given back."""
        self.session.send("HeapProfiler.collectGarbage")
        return float(self.page.evaluate("() => performance.memory.usedJSHeapSize / 1e6"))

    def settle(self, milliseconds: int) -> None:
        """Wait so long, and until what was asked for is drawn: the page may not have had its turn on a busy machine."""
        self.page.wait_for_timeout(milliseconds)
        self.page.evaluate(DRAWN)
        self.page.locator("#viewer[aria-busy]").wait_for(state="detached")

    def ready(self) -> "Opened":
        """Wait until the viewer shows a map."""
        self.page.locator("#viewer [data-part=readout][data-mm]").wait_for()
        self.page.locator("#viewer:not([aria-busy])").wait_for()
        return self


DRAWN = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn))))"
READ = """() => {
  const part = (name) => document.querySelector(`#viewer [data-part=${name}]`);
  const { mm, voxel, value, region } = part("readout").dataset;
  const numbers = (text) => text.split(" ").map(Number);
  const text = {};
  for (const name of ["mm", "voxel", "value", "unit", "region", "note", "centre", "threshold-text"]) {
    text[name] = part(name).textContent;
  }
  return { mm: numbers(mm), voxel: numbers(voxel), value: Number(value), region: Number(region), text };
}"""

Opener = Callable[..., Opened]


@pytest.fixture
def opened(chromium: Browser, sample: Callable[[str], Path]) -> Iterator[Opener]:
    """Open a sample, or a page at a path; keyword arguments go to the browser's context."""
    contexts = []

    def open_page(what: str | Path, **context: Any) -> Opened:
        path = what if isinstance(what, Path) else sample(what)
        contexts.append(chromium.new_context(**({"viewport": {"width": 1280, "height": 1100}} | context)))
        contexts[-1].set_default_timeout(PATIENCE)
        shown = Opened(contexts[-1])
        shown.page.goto(path.as_uri())
        return shown

    yield open_page
    for context in contexts:
        context.close()
