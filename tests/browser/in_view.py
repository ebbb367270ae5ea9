"""What of a row and of the slices is in view, at three sizes of the window."""

from typing import Any

from browser.conftest import Opened

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


# From the top of a map to the first row of the first table that is seen of it.
DEPTH = """(map) => [...map.querySelectorAll(".workbench tbody tr")].find((row) => row.clientHeight)
  .getBoundingClientRect().bottom - map.getBoundingClientRect().top"""
