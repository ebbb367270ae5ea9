"""How a picture is put together, of planes and of hemispheres: its pixels, and what is laid over what, if asked for."""

from typing import Any

import pytest
from browser.conftest import Opened, Opener
from browser.standing import FIRST, SIZE, stand_cortex, stand_planes

pytestmark = pytest.mark.browser

# Write down what is painted, in its order, with its reach in pixels; the pictures themselves are made all the same.
LISTEN = """() => {
  window.painted = [];
  for (const name of ["sampleLinear", "sampleNearest", "paintVoxels", "paintDashes", "paintContours"]) {
    const real = window[name];
    window[name] = (...words) => {
      painted.push(name.startsWith("sample") || name === "paintVoxels" ? [name] : [name, words.at(-1)]);
      if (name === "paintVoxels") window.voxels = words;
      return real(...words);
    };
  }
  window.lookOf = (words) => ({
    ...{ tail: "two", cutoff: 3, threshold: 3, strict: false, decides: true, fade: true, numbers: false, opacity: 1 },
    ...{ contours: false, others: false, paper: [255, 255, 255], ink: "#000000", dark: 30, bright: 200 },
    ...{ colours: colourTable(), ...words },
  });
}"""


def planes(opened: Opener, **context: Any) -> Opened:
    """Three planes of a small map with two regions, a background and another entry."""
    shown = opened("none", **context)
    stand_planes(shown)
    shown.page.evaluate(LISTEN)
    shown.page.evaluate(
        """() => {
          const grid = new Grid([4, 4, 4], [[40, 0, 0, -60], [0, 40, 0, -90], [0, 0, 40, -40]]);
          const numbers = (of) => Float32Array.from({ length: 64 }, (_, at) => of(at));
          Object.assign(scene, {
            grid, volume: { data: numbers((at) => at % 7), step: 1, limit: 8 },
            labels: { data: numbers((at) => (at % 4 < 2 ? 1 : 2)) }, others: [{ data: numbers(() => 1) }],
            background: { grid, data: numbers(() => 100) },
          });
          scene.regions.colours = new Map([[1, [200, 0, 0, 255]], [2, [0, 0, 200, 255]]]);
          window.draw = (words, own) => {
            painted.length = 0;
            slices.scene = { ...scene, ...own };
            slices.drawCrosshair = () => painted.push(["crosshair"]);
            slices.drawNumbers = (pen, places) => painted.push(["numbers", places.size]);
            slices.drawEnds = () => painted.push(["ends"]);
            slices.drawPlane(slices.planes[2], lookOf(words));
            const { width, height } = slices.planes[2].canvas;
            return { painted: [...painted], size: [width, height] };
          };
        }"""
    )
    return shown


MAP = [["sampleLinear"], ["sampleNearest"], ["sampleNearest"], ["paintVoxels"]]


def test_a_plane_has_what_is_asked_for_in_its_order(opened: Opener) -> None:
    shown = planes(opened)

    def draw(words: dict[str, Any], own: dict[str, Any] | None = None) -> Any:
        return shown.page.evaluate("([words, own]) => draw(words, own)", [words, own or {}])["painted"]

    over, ends = [["crosshair"]], [["ends"]]
    assert draw({}) == [*MAP, *over, *ends]
    assert draw({"contours": True}) == [*MAP, ["paintContours", 1], *over, ["numbers", 2], *ends]
    assert draw({"others": True}) == [*MAP, ["sampleNearest"], ["paintDashes", 1], *over, *ends]
    bare = [["sampleNearest"], ["paintVoxels"]]
    assert draw({"contours": True}, {"labels": None, "background": None}) == [*bare, *over, *ends]
    assert shown.page.evaluate("() => [voxels[1].length === 288 * 240, voxels[1].some(Boolean), voxels[3]]") == [
        True, False, None,
    ]  # fmt: skip
    assert not shown.complaints


@pytest.mark.parametrize(("scale", "density"), [(1, 1), (1.5, 1.5), (2, 2), (3, 2)])
def test_a_picture_has_the_pixels_of_its_screen_but_no_more_than_twice(
    opened: Opener, scale: float, density: float
) -> None:
    shown = planes(opened, device_scale_factor=scale)
    found = shown.page.evaluate("() => draw({ contours: true, others: true }, {})")
    assert found["size"] == [round(288 * density), round(240 * density)]
    reach = 2 if density > 1 else 1
    assert ["paintDashes", reach] in found["painted"]
    assert ["paintContours", reach] in found["painted"]
    hidden = """() => {
      slices.planes[2].canvas.style.display = "none";
      return draw({}, {}).size;
    }"""
    assert shown.page.evaluate(hidden) == [1, 1]
    stand_cortex(shown)
    ask = """() => {
      const frame = frameOf("L", "lateral");
      const { width, height, density } = cortex.shotOf(frame);
      cortex.turn(frame, 0, 0);
      frame.canvas.style.display = "none";
      const none = cortex.shotOf(frame);
      return [width, height, density, none.width, none.height];
    }"""
    assert shown.page.evaluate(ask) == [round(240 * density), round(200 * density), density, 1, 1]
    assert not shown.complaints


def test_a_hemisphere_has_what_is_asked_for_in_its_order(opened: Opener) -> None:
    """Rows of its own sheet alone, under the light of the sheet; and nothing at all where it is not seen."""
    shown = opened("none")
    stand_cortex(shown)
    shown.page.evaluate(LISTEN)
    ask = """([first, size, words, own]) => {
      painted.length = 0;
      const numbers = (of) => Float32Array.from({ length: first + 2 * size }, (_, row) => of(row));
      const frame = frameOf("R", "medial");
      cortex.scene = {
        sheets: [left, right], volume: { data: numbers((row) => row), step: 0.01, limit: 8 },
        labels: { data: numbers((row) => (row < first + size ? 9 : 1 + (row % 2))) },
        regions: { colours: new Map([[1, [200, 0, 0, 255]]]) }, others: [{ data: numbers(() => 1) }], ...own,
      };
      cortex.drawCrosshair = () => painted.push(["crosshair"]);
      cortex.viewer.slices.drawNumbers = (_, places) => painted.push(["numbers", ...[...places.keys()].sort()]);
      cortex.drawFrame(frame, lookOf(words));
      const [, grey, stored, labels, , look] = voxels;
      const { vertex, grey: light } = cortex.shotOf(frame);
      const right_ = vertex.every((one, at) => stored[at] === (one < 0 ? 0 : right.first + one));
      const { canvas } = frame;
      return [painted, right_, grey === light, labels === null, look.dark, look.bright,
              canvas.getAttribute("aria-label"), [canvas.width, canvas.height]];
    }"""
    after = [True, True, False, 0, 255, "Right hemisphere, medial view", [240, 200]]
    found = shown.page.evaluate(ask, [FIRST, SIZE, {}, {}])
    assert found == [[["paintVoxels"], ["crosshair"]], *after]
    found = shown.page.evaluate(ask, [FIRST, SIZE, {"contours": True, "others": True}, {}])
    over = [["paintDashes", 1], ["paintContours", 1], ["crosshair"], ["numbers", 1, 2]]
    assert found == [[["paintVoxels"], *over], *after]
    found = shown.page.evaluate(
        ask, [FIRST, SIZE, {"contours": True, "others": True}, {"labels": None, "others": None}]
    )
    assert found == [[["paintVoxels"], ["crosshair"]], True, True, True, *after[3:]]
    shown.page.evaluate("() => { frameOf('R', 'medial').canvas.style.display = 'none'; }")
    assert shown.page.evaluate(ask, [FIRST, SIZE, {}, {}])[0] == []
    assert not shown.complaints
