"""The three planes: windows, lines, letters, numbers and pointers of planes.js, each beside its own rule."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.standing import AXES, HIGH, LOW, stand_planes

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    """A page without maps, with three planes."""
    made = opened("none")
    stand_planes(made)
    yield made
    assert not made.complaints


# ------------------------------------------------------------------------------------------- what part is seen


@pytest.mark.parametrize("zoom", [1, 2.5, 8])
def test_a_window_lies_around_the_crosshair_and_within_the_box(shown: Opened, zoom: float) -> None:
    ask = """([zoom, places]) => places.map((mm) => {
      slices.mm = mm;
      slices.setZoom(zoom);
      return slices.view;
    })"""
    places = [[1.0, 2, 3], [-69.0, 69, 84], [200.0, -300, 0]]
    size = (np.array(HIGH) - LOW) / zoom
    for place, found in zip(places, shown.page.evaluate(ask, [zoom, places]), strict=True):
        low, high = np.array(found)
        assert high - low == pytest.approx(size)
        wanted = np.clip(np.array(place) - size / 2, LOW, np.array(HIGH) - size)
        assert low == pytest.approx(wanted if zoom > 1 else np.array(LOW))


def test_zoom_has_ends_and_another_map_begins_at_the_whole(shown: Opened) -> None:
    ask = """() => {
      const seen = [0.2, 30].map((zoom) => (slices.setZoom(zoom), slices.zoom));
      scene.volume = {};
      slices.scene = { ...scene };
      slices.open({ ...scene, box: scene.box });
      const same = slices.zoom;
      slices.open({ ...scene, volume: {} });
      return [...seen, same, slices.zoom, slices.shadows];
    }"""
    assert shown.page.evaluate(ask) == [1, 8, 8, 1, None]


def test_the_window_follows_a_crosshair_that_leaves_it(shown: Opened) -> None:
    """On any side and axis; within it, borders included, it stays where it is."""
    ask = """() => {
      slices.mm = [0, 0, 0];
      slices.setZoom(4);
      const view = slices.view;
      const moved = (mm) => {
        slices.view = view;
        slices.showPlace(mm);
        return slices.view !== view;
      };
      const found = [0, 1, 2].flatMap((axis) => [0, 1].flatMap((side) => [0, side ? 0.01 : -0.01].map((beyond) => {
        const mm = [0, 0, 0];
        mm[axis] = view[side][axis] + beyond;
        return moved(mm);
      })));
      return found;
    }"""
    assert shown.page.evaluate(ask) == [False, True] * 6


def test_planes_say_where_they_cut_and_projections_do_not(shown: Opened) -> None:
    ask = """(glass) => {
      slices.glass = glass;
      slices.showPlace([1.5, -2, 30]);
      return slices.planes.map(({ where, canvas }) => [where.textContent, canvas.getAttribute("aria-label")]);
    }"""
    assert shown.page.evaluate(ask, False) == [
        ["x = 1.5", "Sagittal plane at x = 1.5 mm"],
        ["y = -2", "Coronal plane at y = -2 mm"],
        ["z = 30", "Axial plane at z = 30 mm"],
    ]
    names = ["Sagittal", "Coronal", "Axial"]
    assert shown.page.evaluate(ask, True) == [["", f"{name} projection of all regions"] for name in names]


@pytest.mark.parametrize("large", [False, True])
def test_all_planes_have_one_scale_and_none_is_too_high(shown: Opened, large: bool) -> None:
    ask = """(large) => {
      slices.viewer.element.classList.toggle("large", large);
      slices.layOut();
      return slices.planes.map(({ frame, canvas }) => [
        frame.style.getPropertyValue("--share"), frame.style.maxWidth, canvas.style.aspectRatio]);
    }"""
    extent = np.array(HIGH) - LOW
    tallest = max(extent[up] for _, _, up in AXES.values())
    for (_, across, up), found in zip(AXES.values(), shown.page.evaluate(ask, large), strict=True):
        share, width, ratio = found
        assert float(share) == pytest.approx(extent[across], abs=0.001)
        most = 34 if large else 17
        assert float(width.removesuffix("rem")) == pytest.approx(most * extent[across] / tallest, abs=0.001)
        assert [float(part) for part in ratio.split("/")] == pytest.approx([extent[across], extent[up]], rel=1e-3)


# ------------------------------------------------------------------------------------------- lines, letters, numbers

PIXELS = "pixelsOf(plane, slices.mm, slices.view, 200, 100)"


def place_on(plane: str, mm: list[float]) -> tuple[float, float]:
    """A place in pixels of a plane of 200 x 100."""
    _, across, up = AXES[plane]
    x = 200 * (mm[across] - LOW[across]) / (HIGH[across] - LOW[across])
    return x, 100 * (HIGH[up] - mm[up]) / (HIGH[up] - LOW[up])


@pytest.mark.parametrize("plane", AXES)
def test_the_crosshair_leaves_its_voxel_free(shown: Opened, plane: str) -> None:
    """Two lines up to seven pixels of the screen from the place, dark on pale."""
    ask = f"""([name, density]) => {{
      const plane = slices.planes.find((one) => one.name === name);
      const pen = penOf(200, 100);
      slices.drawCrosshair(pen, plane, {PIXELS}, look, density);
      return pen.said;
    }}"""
    for density in (1, 2):
        x, y = place_on(plane, [1, 2, 3])
        gap = 7 * density
        ends = [[0, y], [x - gap, y], [x + gap, y], [200, y], [x, 0], [x, y - gap], [x, y + gap], [x, 100]]
        said = shown.page.evaluate(ask, [plane, density])
        lines = [words[1:] for words in said if words[0] in {"moveTo", "lineTo"}]
        assert [words[0] for words in said] == 2 * ["beginPath", *(4 * ["moveTo", "lineTo"]), "stroke"]
        assert np.array(lines) == pytest.approx(np.array(2 * ends))
        strokes = [words[1:] for words in said if words[0] == "stroke"]
        assert strokes == [["rgb(255 255 255 / 0.7)", 3 * density], ["#000000", density]]


def test_the_letters_of_the_sides_stand_at_the_middle_of_each_rim(shown: Opened) -> None:
    ask = """(density) => slices.planes.map((plane) => {
      const pen = penOf(200, 100);
      slices.drawEnds(pen, plane, look, density);
      return [pen.said.filter(([name]) => name === "fillText").map(([, ...words]) => words), pen.lineWidth, pen.font];
    })"""
    for density in (1, 2):
        rim = 9 * density
        spots = [[rim, 50], [200 - rim, 50], [100, 100 - rim], [100, rim]]
        for letters, (said, width, font) in zip(
            ("PAIS", "LRIS", "LRPA"), shown.page.evaluate(ask, density), strict=True
        ):
            assert said == [[letter, *spot] for letter, spot in zip(letters, spots, strict=True)]
            assert width == 3 * density
            assert font == f"600 {11 * density}px system-ui, sans-serif"


def test_numbers_on_a_plane_are_few_unless_all_are_asked_for(shown: Opened) -> None:
    """And none is cut at a rim: seven tenths of its size stay between."""
    ask = """([places, numbers, density]) => {
      const pen = penOf(200, 100);
      slices.region = 9;
      slices.drawNumbers(pen, new Map(places), { ...look, numbers }, density);
      return pen.said.filter(([name]) => name === "fillText").map(([, ...words]) => words);
    }"""
    places = [[number, {"x": 20 * number, "y": 50}] for number in range(1, 10)] + [[10, {"x": 21, "y": 51}]]
    assert shown.page.evaluate(ask, [places, False, 1]) == [
        ["9", 180, 50], *([str(number), 20 * number, 50] for number in range(1, 8)),
    ]  # fmt: skip
    assert len(shown.page.evaluate(ask, [places, True, 1])) == 10
    rims = [[1, {"x": 0, "y": 0}], [2, {"x": 200, "y": 100}], [3, {"x": 100, "y": 50}]]
    for density in (1, 2):
        rim = 7.7 * density
        found = shown.page.evaluate(ask, [rims, False, density])
        wanted = [["1", rim, rim], ["2", 200 - rim, 100 - rim], ["3", 100, 50]]
        assert found == [[text, pytest.approx(x), pytest.approx(y)] for text, x, y in wanted]


def test_peaks_are_numbered_on_a_projection_the_largest_on_top(shown: Opened) -> None:
    """The one at the crosshair has a wider ring; beyond three times eight of them those that touch are left out."""
    ask = f"""([regions, active, numbers, density]) => {{
      const plane = slices.planes[2];
      const pen = penOf(200, 100);
      scene.regions.list = regions;
      scene.regions.colours = new Map(regions.map(({{ index }}) => [index, [10 * index, 200, 30, 255]]));
      slices.region = active;
      slices.drawPeaks(pen, plane, {PIXELS}, {{ ...look, numbers }}, density);
      return pen.said;
    }}"""
    regions = [{"index": 1, "mm": [0, 10, 5]}, {"index": 2, "mm": [30, -20, 5]}, {"index": 3, "mm": [31, -20, 5]}]
    for density in (1, 2):
        said = shown.page.evaluate(ask, [regions, 2, False, density])
        drawn = [words[1] for words in said if words[0] == "fillText"]
        assert drawn == ["3", "1", "2"]
        at = {number: place_on("Axial", regions[number - 1]["mm"]) for number in (1, 2, 3)}  # type: ignore[arg-type]
        arcs = [words[1:] for words in said if words[0] == "arc"]
        for number, (x, y, radius, *_) in zip((3, 1, 2), arcs, strict=True):
            assert (x, y) == pytest.approx(at[number])
            assert radius == (10.5 if number == 2 else 8.5) * density
        texts = [words[2:] for words in said if words[0] == "fillText"]
        assert np.array(texts) == pytest.approx(np.array([at[n] for n in (3, 1, 2)]) + np.array([0, density / 2]))
        fills = [words[1] for words in said if words[0] == "fill"]
        assert fills == ["rgb(30 200 30)", "rgb(10 200 30)", "rgb(20 200 30)"]
        strokes = [words[1:] for words in said if words[0] == "stroke"]
        pale = ["rgb(255 255 255)", density]
        assert strokes == [pale, pale, ["#000000", 2.5 * density]]
    many = [{"index": number, "mm": [-60 + 5 * number, 0, 0]} for number in range(1, 25)]
    most = [*many, {"index": 25, "mm": [-55, 0, 0]}]

    def count(regions: list[dict[str, Any]], numbers: bool) -> int:
        return sum(words[0] == "arc" for words in shown.page.evaluate(ask, [regions, 0, numbers, 1]))

    assert count(many, False) == 24
    assert count(most, True) == 25
    x = [place_on("Axial", region["mm"])[0] for region in most]
    clear: list[float] = []
    for at_x in x:
        if all(abs(at_x - other) > 1.4 * 10.5 for other in clear):
            clear.append(at_x)
    assert count(most, False) == len(clear) < 24


def test_the_nearest_peak_within_a_fifteenth_of_the_width_is_meant(shown: Opened) -> None:
    ask = """([name, regions, places]) => {
      scene.regions.list = regions;
      const plane = slices.planes.find((one) => one.name === name);
      return places.map((mm) => slices.peakUnder(plane, mm)?.index ?? 0);
    }"""
    rng = np.random.default_rng(6)
    peaks, places = rng.uniform(-40, 60, (12, 3)), rng.uniform(-45, 65, (150, 3))
    regions = [{"index": number, "mm": peak} for number, peak in enumerate(peaks.tolist(), start=1)]
    for plane, (_, across, up) in AXES.items():
        found = shown.page.evaluate(ask, [plane, regions, places.tolist()])
        far = np.hypot(*(places[:, None, axis] - peaks[None, :, axis] for axis in (across, up)))
        wanted = np.where(far.min(axis=1) < (HIGH[across] - LOW[across]) / 15, far.argmin(axis=1) + 1, 0)
        assert found == wanted.tolist()
        assert 10 < np.count_nonzero(wanted) < 140


# ------------------------------------------------------------------------------------------- hands


def test_a_pointer_beyond_the_rim_means_the_rim(shown: Opened) -> None:
    ask = """([right, down]) => slices.planes.map((plane) => {
      const { left, top, width, height } = plane.canvas.getBoundingClientRect();
      return slices.under(plane, { clientX: left + right * width, clientY: top + down * height });
    })"""
    for right, down in ((0, 0), (0.25, 0.75), (-0.5, 1.5), (1.5, -0.5)):
        for (through, across, up), found in zip(AXES.values(), shown.page.evaluate(ask, [right, down]), strict=True):
            x, y = np.clip([right, down], 0, 1)
            assert found[through] == [1, 2, 3][through]
            assert found[across] == pytest.approx(LOW[across] + x * (HIGH[across] - LOW[across]), abs=0.01)
            assert found[up] == pytest.approx(HIGH[up] - y * (HIGH[up] - LOW[up]), abs=0.01)


def test_keys_go_along_a_plane_and_through_it(shown: Opened) -> None:
    ask = """([at, key, modifiers]) => {
      told.length = 0;
      let stopped = 0;
      slices.onKey(slices.planes[at], { key, preventDefault: () => (stopped += 1), ...modifiers });
      return [stopped, ...told];
    }"""
    for at, (through, across, up) in enumerate(AXES.values()):
        keys = {"ArrowRight": (across, 1), "ArrowLeft": (across, -1), "ArrowUp": (up, 1), "ArrowDown": (up, -1),
                "PageUp": (through, 1), "PageDown": (through, -1)}  # fmt: skip
        for key, step in keys.items():
            assert shown.page.evaluate(ask, [at, key, {}]) == [1, [*step, 1]]
            assert shown.page.evaluate(ask, [at, key, {"shiftKey": True}]) == [1, [*step, 5]]
            for modifier in ("ctrlKey", "metaKey", "altKey"):
                assert shown.page.evaluate(ask, [at, key, {modifier: True}]) == [0]
        assert shown.page.evaluate(ask, [at, "a", {}]) == [0]


def test_only_the_first_button_points_and_only_while_it_is_held(shown: Opened) -> None:
    box = shown.page.locator("[data-part=axial] canvas").bounding_box()
    assert box is not None
    mouse, count = shown.page.mouse, "() => told.splice(0).length"
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down(button="middle")
    mouse.move(box["x"] + 30, box["y"] + 20)
    mouse.up(button="middle")
    assert shown.page.evaluate(count) == 0
    mouse.down()
    assert shown.page.evaluate(count) == 1
    mouse.move(box["x"] + 40, box["y"] + 30)
    assert shown.page.evaluate(count) == 1
    mouse.up()
    mouse.move(box["x"] + 50, box["y"] + 30)
    assert shown.page.evaluate(count) == 0
    shown.page.evaluate("() => { slices.scene = null; }")  # nothing is shown yet
    mouse.down()
    mouse.move(box["x"] + 60, box["y"] + 30)
    mouse.up()
    assert shown.page.evaluate(count) == 0


def test_a_projection_leads_to_a_peak_and_a_plane_to_the_place(shown: Opened) -> None:
    ask = """([glass]) => {
      told.length = 0;
      slices.glass = glass;
      scene.regions.list = [{ index: 1, mm: [2, -15, 40] }];
      const { left, top, width, height } = slices.planes[2].canvas.getBoundingClientRect();
      for (const right of [0.5, 0.9]) {
        slices.point(slices.planes[2], { clientX: left + right * width, clientY: top + height / 2 });
      }
      return told;
    }"""
    middle = [pytest.approx(2, abs=0.01), pytest.approx(-15, abs=0.01), 3]
    beside = [pytest.approx(LOW[0] + 0.9 * (HIGH[0] - LOW[0]), abs=0.01), pytest.approx(-15, abs=0.01), 3]
    words = {"follow": False}
    assert shown.page.evaluate(ask, [False]) == [[middle, words], [beside, words]]
    assert shown.page.evaluate(ask, [True]) == [[[2, -15, 40], words], [beside, words]]
