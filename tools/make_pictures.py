"""The pictures of README and docs, from the pages of the demonstration as a reader sees them.

    python -m bids_regions.demo DEMO && bids_regions DEMO/dataset DEMO/regions participant group --threshold 97% 3.0 \
        --min-region-size 1500 --atlas DEMO/atlas/tpl-MNI152Lin/tpl-MNI152Lin_atlas-Boxes_dseg.nii.gz
    python tools/make_pictures.py DEMO/regions docs/images

Needs Chromium, found as the browser tests find it, and Pillow.
"""

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT, DENSITY = 1440, 900, 1.5  # CSS pixels, and how many of the picture each one is
PICTURES = {"sub-01.html": "report.webp", "group.html": "group.webp"}
QUALITY = 82


def shoot(page: Page, address: str) -> Image.Image:
    """The first screen of a page, once its viewer shows a map."""
    page.goto(address)
    page.locator("#viewer [data-part=readout][data-mm]").wait_for()
    page.locator("#viewer:not([aria-busy])").wait_for()
    page.locator(".table.ready tr[aria-current]").first.wait_for()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def main(results: Path, folder: Path) -> None:
    """Shoot each page and write its picture."""
    browser_path = os.environ.get("CHROMIUM") or next(path for name in NAMES if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        size = {"width": WIDTH, "height": HEIGHT}
        page = browser.new_page(viewport=size, device_scale_factor=DENSITY, color_scheme="light")
        page.set_default_timeout(120_000)
        for name, picture in PICTURES.items():
            shoot(page, (results / name).resolve().as_uri()).save(folder / picture, quality=QUALITY, method=6)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
