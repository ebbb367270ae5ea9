"""What the viewer reads out and where it goes: each rule of viewer.js by itself, beside the same rule in Python."""

import itertools
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.test_coordinates import GRIDS
from nibabel.affines import apply_affine
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# A viewer of nothing but what is asked of it; its parts are made when they are first named.
START = """() => {
  const parts = new Map();
  window.partOf = (name) => {
    if (!parts.has(name)) parts.set(name, make("input"));
    return parts.get(name);
  };
  window.viewerOf = (own) => Object.assign(Object.create(Viewer.prototype), { part: partOf }, own);
}"""
SHAPE = (6, 7, 5)


@pytest.fixture
def shown(opened: Opener) -> Opened:
    made = opened("none")
    made.page.evaluate(START)
    return made


# ------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("tail", ["two", "positive", "negative"])
def test_the_nearest_maximum_is_uphill_over_all_neighbours(shown: Opened, tail: str) -> None:
    """From every voxel of a map of noise; from outside of it by way of the nearest voxel inside."""
    ask = """([affine, shape, data, tail, starts]) => {
      const grid = new Grid(shape, affine);
      const viewer = viewerOf({ grid, cortex: {}, volume: { data, step: 0.5 }, view: { tail } });
      return starts.map((ijk) => {
        viewer.cursor = grid.place(ijk);
        viewer.goTo = (mm) => (viewer.went = mm);
        viewer.nearestMaximum();
        return grid.voxel(viewer.went);
      });
    }"""
    data = np.random.default_rng(4).permutation(np.arange(-105, 105)).reshape(SHAPE)
    data[0, 0, 0] = {"two": -200, "positive": 200, "negative": -200}[tail]  # the file's first voxel is one like others
    height = {"two": np.abs(data), "positive": data, "negative": -data}[tail]
    starts = [list(at) for at in np.ndindex(*SHAPE)] + [[-2, 3, 2], [2, 9, 2], [3, 3, -1], [8, 8, 8]]
    affine = GRIDS["oblique"].tolist()
    found = shown.page.evaluate(ask, [affine, SHAPE, data.ravel(order="F").tolist(), tail, starts])
    for start, end in zip(starts, map(tuple, found), strict=True):
        at = tuple(int(value) for value in np.clip(start, 0, np.array(SHAPE) - 1))
        if tail == "two":  # several voxels may be as strong: it ends where none around is stronger
            low = [max(0, one - 1) for one in end]
            assert height[end] == height[tuple(slice(a, b + 2) for a, b in zip(low, end, strict=True))].max()
            assert height[end] >= height[at]
            continue
        while (best := max(around(at), key=lambda one: height[one])) != at:
            at = best
        assert end == at


def around(at: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A voxel and those that touch it by face, edge or corner, in the image."""
    steps = itertools.product((-1, 0, 1), repeat=3)
    near = [tuple(one + step for one, step in zip(at, way, strict=True)) for way in steps]
    return [one for one in near if all(0 <= value < size for value, size in zip(one, SHAPE, strict=True))]


def test_the_strongest_voxel_is_of_a_tail_that_was_asked_for(shown: Opened) -> None:
    ask = """([highest, lowest, tail]) => {
      const grid = new Grid([9, 9, 9], [[2, 0, 0, 1], [0, 2, 0, 0], [0, 0, 2, 0]]);
      return viewerOf({ volume: { highest, lowest }, view: { tail }, grid }).strongest();
    }"""
    high, low = [1, 2, 3, 5.0], [4, 5, 6, -7.0]
    at_high, at_low = [3, 4, 6], [9, 10, 12]
    cases = [
        ((high, low, "two"), at_low), ((high, low, "positive"), at_high), ((high, low, "negative"), at_low),
        ((high, [4, 5, 6, -4.0], "two"), at_high), ((high, None, "negative"), None), ((None, low, "positive"), None),
        ((None, None, "two"), None), ((high, None, "two"), at_high),
    ]  # fmt: skip
    for asked, wanted in cases:
        assert shown.page.evaluate(ask, asked) == wanted, asked


def test_a_place_beyond_the_box_is_its_border(shown: Opened) -> None:
    ask = """(mm) => {
      const grid = new Grid([9, 9, 9], [[2, 0.5, 0, 1], [0, 2, 0, 0], [0, 0, 2, 0]]);
      const told = [];
      const display = { showPlace: (place) => told.push(place) };
      const viewer = viewerOf({ grid, box: [[-1, -2, -3], [10, 20, 30]], displays: [display], slices: {} });
      Object.assign(viewer, { readOut: () => told.push("read"), draw: () => told.push("draw") });
      viewer.goTo(mm);
      return told;
    }"""
    assert shown.page.evaluate(ask, [3, 4, 5]) == [[3, 4, 5], "read", "draw"]
    assert shown.page.evaluate(ask, [-5, 24, 31])[0] == pytest.approx([-1, 20, 30], abs=2e-6)
    low, high, far = shown.page.evaluate(ask, [-5, 24, 31])[0]
    assert (low > -1, high < 20, far < 30) == (True, True, True)


def test_a_zoomed_window_follows_a_place_that_was_asked_for_but_no_pointer(shown: Opened) -> None:
    ask = """([follow, isShown, zoom]) => {
      let framed = 0;
      const slices = { shown: isShown, zoom, frame: () => (framed += 1) };
      const viewer = viewerOf({ grid: new Grid([9, 9, 9], [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]), slices });
      Object.assign(viewer, { box: [[0, 0, 0], [9, 9, 9]], displays: [], readOut() {}, draw() {} });
      viewer.goTo([1, 2, 3], follow === null ? undefined : { follow });
      return framed;
    }"""
    cases = {(None, True, 2): 1, (True, True, 1.5): 1, (False, True, 2): 0, (True, False, 2): 0, (True, True, 1): 0}
    assert [shown.page.evaluate(ask, list(case)) for case in cases] == list(cases.values())


@pytest.mark.parametrize("plain", [None, False, True])
def test_the_box_holds_the_map_and_the_picture_with_a_rim(shown: Opened, plain: bool | None) -> None:
    """3 mm around what is filled; a map by itself, or on a plain picture, is shown whole."""
    ask = """([affine, shape, data, plain]) => {
      const background = plain === null ? null : { plain, box: [[-5, -90, 0], [12, 3, 4]] };
      return viewerOf({}).boxOf(new Grid(shape, affine), { data }, background);
    }"""
    data = np.zeros(SHAPE)
    data[1:3, 2:5, 1:3] = 1
    affine = GRIDS["LAS"]
    found = np.array(shown.page.evaluate(ask, [affine.tolist(), SHAPE, data.ravel(order="F").tolist(), plain]))

    def box(low: Any, high: Any) -> Any:
        places = apply_affine(affine, np.array([np.array(low) - 0.5, np.array(high) - 0.5]))
        return places.min(axis=0), places.max(axis=0)

    if plain is False:
        low, high = box((1, 2, 1), (3, 5, 3))
        low, high = np.minimum(low, [-5, -90, 0]) - 3, np.maximum(high, [12, 3, 4]) + 3
    else:
        low, high = box((0, 0, 0), SHAPE)
    assert found == pytest.approx(np.array([low, high]))


def test_typed_places_have_three_numbers_in_whatever_form(shown: Opened) -> None:
    ask = """(typed) => {
      const viewer = viewerOf({ cortex: { shown: false } });
      viewer.goTo = (mm) => (viewer.went = mm);
      viewer.goToText(typed);
      return [viewer.went ?? null, partOf("go").getAttribute("aria-invalid"), partOf("go").validationMessage];
    }"""
    good = {"1 2 3": [1, 2, 3], "-1.5, 20; −30.25": [-1.5, 20, -30.25], "x=4 y=–5 z=6": [4, -5, 6]}
    for typed, wanted in good.items():
        assert shown.page.evaluate(ask, typed) == [wanted, "false", ""], typed
    for typed in ("", "1 2", "1 2 3 4", "left"):
        assert shown.page.evaluate(ask, typed) == [None, "true", "Three numbers, in mm: x y z"], typed


def test_typed_vertices_have_a_side_and_a_number(shown: Opened) -> None:
    ask = """(typed) => {
      const rowOf = (side, vertex) => (vertex < 10 ? (side === "L" ? 0 : 10) + vertex : null);
      const viewer = viewerOf({ cortex: { shown: true, rowOf } });
      viewer.goTo = (mm) => (viewer.went = mm);
      viewer.goToText(typed);
      return [viewer.went ?? null, partOf("go").getAttribute("aria-invalid"), partOf("go").validationMessage];
    }"""
    for typed, row in {"L 3": 3, "r0": 10, "right 9": 19, "L: 0": 0}.items():
        assert shown.page.evaluate(ask, typed) == [[row, 0, 0], "false", ""], typed
    for typed in ("", "3", "L", "L 10", "m 3"):
        words = "A side and the number of a vertex of it, such as L 1234"
        assert shown.page.evaluate(ask, typed) == [None, "true", words], typed


# ------------------------------------------------------------------------------------------- values


def test_a_value_is_the_peaks_own_where_the_table_is_about_this_map(shown: Opened) -> None:
    """Within a step of the map, or a millionth of the value; else the map's, with no word of the peak."""
    ask = """([stored, step, peak]) => {
      const volume = { step, people: 0, quantity: "z", data: [stored] };
      const viewer = viewerOf({ volume, view: { cutoff: null }, digits: 2 });
      const value = viewer.readValue(0, peak);
      return [value, ...["value", "unit", "note"].map((name) => partOf(name).textContent), partOf("value").title];
    }"""
    peak = {"index": "3", "rank": 1, "value": "5.123456"}
    assert shown.page.evaluate(ask, [512, 0.01, peak]) == [5.123456, "5.123", "z", "the peak of region 3", "5.123456"]
    assert shown.page.evaluate(ask, [511, 0.01, peak]) == [5.11, "5.11", "z", "", ""]
    assert shown.page.evaluate(ask, [512, 0.01, {**peak, "rank": "2"}])[3] == "peak 2 of region 3"
    assert shown.page.evaluate(ask, [512, 0.01, {**peak, "value": "5.12"}])[4] == ""  # all of it is shown
    assert shown.page.evaluate(ask, [512, 0.01, None]) == [5.12, "5.12", "z", "", ""]
    large = {**peak, "value": "1234567"}
    assert shown.page.evaluate(ask, [1234566, 1e-9, {**large, "value": "0.001234566"}])[3] == "the peak of region 3"
    assert shown.page.evaluate(ask, [1234566, 1, large])[0] == 1234567
    assert shown.page.evaluate(ask, [12345660, 0.1, {**large, "value": "1234566.5"}])[3] == "the peak of region 3"
    assert shown.page.evaluate(ask, [12345660, 0.1, {**large, "value": "1234568"}])[3] == ""


def test_outside_of_the_map_there_is_no_value(shown: Opened) -> None:
    ask = """() => {
      const viewer = viewerOf({ volume: { step: 1, people: 0, quantity: "z", data: [3] }, view: { cutoff: null } });
      const value = viewer.readValue(-1, undefined);
      return [Number.isNaN(value), ...["value", "unit", "note"].map((name) => partOf(name).textContent)];
    }"""
    assert shown.page.evaluate(ask) == [True, "no value", "", ""]


def test_values_have_four_digits_and_as_many_decimals_as_the_map(shown: Opened) -> None:
    ask = "([value, most]) => viewerOf({ view: { cutoff: null } }).valueWords(value, most)"
    cases = {(0, 8): "0", (7.94134, None): "7.941", (7.94134, 1): "7.9", (123.456, 8): "123.5", (12345.6, 2): "12346",
             (0.0123456, 8): "0.01235", (0.001, 8): "0.001", (0.00099, 8): "9.9e-4", (-0.5, 0): "-1",
             (-2.5e-5, 8): "-2.5e-5"}  # fmt: skip
    assert [shown.page.evaluate(ask, list(case)) for case in cases] == list(cases.values())


def test_a_voxel_past_the_cutoff_in_no_region_says_so(shown: Opened) -> None:
    ask = "([view, at, value]) => viewerOf({ view: { tail: 'two', ...view } }).outsideWords(at, value)"
    past = "none, though past the cutoff"
    rule = {"cutoff": 3, "decides": True}
    cases = [
        ((rule, 0, 4), past), ((rule, 0, 3), past), (({**rule, "strict": True}, 0, 3), "none"),
        ((rule, 0, 2), "none"), (({**rule, "decides": False}, 0, 4), "none"), ((rule, -1, 4), "none"),
        (({**rule, "cutoff": None}, 0, 4), "none"),
    ]  # fmt: skip
    for asked, wanted in cases:
        assert shown.page.evaluate(ask, asked) == wanted, asked


def test_a_share_is_told_as_the_people_it_came_from(shown: Opened) -> None:
    ask = """([people, value, coverage, minor]) => viewerOf({
      volume: { people },
      companions: {
        coverage: coverage === null ? undefined : { data: [coverage], step: 0.01 },
        minor: minor === null ? undefined : { data: [minor], step: 0.01 },
      },
    }).peopleWords(0, value)"""
    cases = [
        ((20, 0.25, None, None), ["5 of 20", "participants", "have data here"]),
        ((20, 0.5, 80, None), ["8 of 16", "participants", "positive"]),
        ((20, -0.5, 80, 25), ["8 of 16", "participants", "negative, positive in 4 of 16"]),
        ((20, 0.5, 80, 25), ["8 of 16", "participants", "positive, negative in 4 of 16"]),
        ((20, 0, 80, 0), ["0 of 16", "participants", ""]),
        ((20, 0.5, 0, 0), ["no data", "", ""]),
        ((2000, 0.75, 100, 0), ["1,500 of 2,000", "participants", "positive"]),
    ]
    for asked, wanted in cases:
        assert shown.page.evaluate(ask, asked) == wanted, asked


def test_millimetres_have_two_decimals_and_no_minus_zero(shown: Opened) -> None:
    ask = "(values) => values.map((value) => viewerOf({}).millimetres(value))"
    assert shown.page.evaluate(ask, [-0.001, 1.239, -12, 3.5]) == ["0", "1.24", "-12", "3.5"]


# ------------------------------------------------------------------------------------------- views


def test_the_other_entries_are_those_of_the_same_map_once_each(shown: Opened) -> None:
    ask = """() => {
      const view = (key, section, volume, labels) => ({ key, section, volume, labels });
      const views = [
        view("a", "s", "v", "1"), view("b", "s", "v", "2"), view("c", "s", "v", "2"), view("d", "s", "w", "3"),
        view("e", "t", "v", "4"), view("f", "s", "v", null), view("g", "s", "v", "1"),
      ];
      const viewer = viewerOf({ views });
      return views.map((one) => viewer.othersOf(one).map(({ key }) => key).join(""));
    }"""
    assert shown.page.evaluate(ask) == ["b", "a", "a", "", "", "", "b"]


def test_the_view_that_was_asked_for_last_is_shown_however_long_another_loads(opened: Opener) -> None:
    """The first one's map comes after the second one's: it changes nothing any more."""
    shown = opened("motor").ready()
    shown.page.evaluate(
        """() => {
          const { viewer } = page;
          const load = viewer.load.bind(viewer);
          const late = new Promise((go) => (window.letGo = go));
          const slow = viewer.views.find((view) => view.section === "faint");
          viewer.load = async (view) => {
            const scene = await load(view);
            if (view === slow) await late;
            return scene;
          };
          window.first = viewer.show(slow.key);
          window.second = viewer.show(viewer.views.find((view) => view.name.endsWith("thr3p0") && view !== slow).key);
        }"""
    )
    shown.page.evaluate("() => second")
    expect(shown.page.locator("#viewer [data-part=view] option:checked")).to_have_text("thr3p0")
    before = shown.page.evaluate("() => [page.viewer.view.section, page.viewer.view.key]")
    assert before[0] == "motor"
    shown.page.evaluate("() => { letGo(); return first; }")
    assert shown.page.evaluate("() => [page.viewer.view.section, page.viewer.view.key]") == before
    expect(shown.page.locator("#viewer:not([aria-busy])")).to_be_visible()
    assert not shown.complaints


@pytest.mark.parametrize("wide", [True, False])
def test_a_picture_has_the_planes_side_by_side_over_three_lines(shown: Opened, wide: bool) -> None:
    ask = """async (sizes) => {
      const canvases = sizes.map(([width, height]) => {
        const canvas = make("canvas", { width, height });
        const pen = canvas.getContext("2d");
        pen.fillStyle = "rgb(200 0 0)";
        pen.fillRect(0, 0, width, height);
        return canvas;
      });
      const viewer = viewerOf({ displays: [{ canvases }], look: { paper: [0, 0, 255], ink: "#ffffff" } });
      const written = [];
      const { fillText } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.fillText = function (text, ...words) {
        written.push([text, this.font, ...words]);
      };
      viewer.caption = () => ["one", "two", "three"];
      const image = await createImageBitmap(await viewer.picture());
      CanvasRenderingContext2D.prototype.fillText = fillText;
      const { width, height } = image;
      const pen = make("canvas", { width, height }).getContext("2d");
      pen.drawImage(image, 0, 0);
      return { written, width, height, data: [...pen.getImageData(0, 0, width, height).data] };
    }"""
    sizes = [(500, 40), (450, 60)] if wide else [(100, 40), (80, 60)]
    found = shown.page.evaluate(ask, sizes)
    width, height = (998 if wide else 900), 60 + 4 * 26 + 32
    assert (found["width"], found["height"]) == (width, height)
    seen = np.array(found["data"]).reshape(height, width, 4)
    wanted = np.zeros_like(seen)
    wanted[:] = (0, 0, 255, 255)
    x = 16
    for across, down in sizes:
        wanted[76 - down : 76, x : x + across] = (200, 0, 0, 255)
        x += across + 16
    assert (seen == wanted).all()
    font = "17px system-ui, sans-serif"
    assert found["written"] == [
        [text, f"{'600 ' if at == 0 else ''}{font}", 16, pytest.approx(76 + (at + 1.2) * 26), width - 32]
        for at, text in enumerate(("one", "two", "three"))
    ]


# ------------------------------------------------------------------------------------------- a real page's viewer


def test_a_values_decimals_are_those_of_the_maps_step(opened: Opener) -> None:
    ask = """(volumes) => volumes.map((volume) => {
      const own = Object.assign(Object.create(page.viewer), { goTo() {} });
      own.volume = { ...page.viewer.volume, ...volume };
      own.open(null);
      return own.digits;
    })"""
    steps = {0.01: 2, 0.003: 2, 0.0999: 1, 1.0: 0, 5.0: 0, 1e-12: 8}
    volumes = [{"dtype": "int16", "step": step} for step in steps] + [{"dtype": "float32", "step": 1}]
    assert opened("motor").ready().page.evaluate(ask, volumes) == [*steps.values(), None]


def test_a_map_without_regions_has_no_peaks_to_step_through(opened: Opener) -> None:
    """And one of a single entry no others to lay over it."""
    for name, alone in (("zero", True), ("motor", False)):
        shown = opened(name).ready()
        for button in ("previous", "next"):
            expect(shown.page.locator(f"#viewer [data-part={button}]")).to_be_enabled(enabled=not alone)
        hidden = "(box) => box.closest('label').hidden"
        assert shown.page.locator("#viewer [data-part=others]").evaluate(hidden) == alone
        assert shown.page.evaluate("() => page.viewer.cortex.shown") is False


def test_a_caption_says_where_no_region_is_and_names_no_threshold_that_is_not(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.page.evaluate("() => page.viewer.goTo([-1000, -1000, -1000])")
    assert shown.read()["region"] == 0
    caption = shown.page.evaluate("() => page.viewer.caption()")
    assert caption[0].endswith("pct97, threshold 2.595")
    assert caption[1].endswith("; in no region")
    assert caption[2] == "Drawn on: T1-weighted template; left is left; " + shown.page.title()
    ask = """() => {
      const own = Object.create(page.viewer);
      own.view = { ...own.view, cutoff: null };
      return own.caption()[0];
    }"""
    assert shown.page.evaluate(ask).endswith("pct97")


def test_zoom_has_an_end_and_switches_say_how_they_stand(opened: Opener) -> None:
    shown = opened("motor").ready()
    closer, back = (shown.page.locator(f"#viewer [data-part=zoom-{way}]") for way in ("in", "out"))
    zoom = "() => page.viewer.slices.zoom"
    for button, wanted in ((closer, 1.5), (closer, 2.25), (back, 1.5), (back, 1)):
        button.click()
        assert shown.page.evaluate(zoom) == pytest.approx(wanted)
        expect(back).to_be_enabled(enabled=wanted > 1)
    glass = shown.page.locator("#viewer [data-part=glass]")
    for pressed in (True, False):
        glass.click()
        expect(glass).to_have_attribute("aria-pressed", str(pressed).lower())
        assert shown.page.evaluate("() => page.viewer.slices.glass") is pressed
        expect(shown.page.locator("#viewer [data-part=axial] output")).to_have_text("" if pressed else "z = 52")


def test_several_wishes_before_a_frame_make_one_picture(opened: Opener) -> None:
    shown = opened("motor").ready()
    shown.settle(0)
    ask = """async () => {
      let drawn = 0;
      const { viewer } = page;
      viewer.displays = [{ draw: () => (drawn += 1) }];
      for (let n = 0; n < 3; n++) viewer.draw();
      const none = drawn;
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const one = drawn;
      viewer.draw();
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return [none, one, drawn];
    }"""
    assert shown.page.evaluate(ask) == [0, 1, 2]


def test_the_peak_that_is_read_is_that_of_the_voxel(opened: Opener) -> None:
    """A box of a file tells the file's own voxels; a swatch is there only with a region."""
    shown = opened("motor").ready()
    before = shown.read()["voxel"]
    shown.page.evaluate(
        "() => { page.viewer.volume = { ...page.viewer.volume, first: [10, 20, 30] }; page.viewer.readOut(); }"
    )
    read = shown.read()
    assert read["voxel"] == [at + first for at, first in zip(before, (10, 20, 30), strict=True)]
    assert read["text"]["voxel"].split() == [str(at) for at in read["voxel"]]
    swatch = shown.page.locator("#viewer [data-part=swatch]")
    assert swatch.evaluate("(one) => one.hidden") is False
    shown.page.evaluate("() => page.viewer.goTo([-1000, -1000, -1000])")
    assert swatch.evaluate("(one) => one.hidden") is True


def test_the_first_voxel_of_a_file_is_read_like_any_other(opened: Opener) -> None:
    shown = opened("motor").ready()
    ask = """() => {
      const { viewer } = page;
      viewer.labels = { data: viewer.labels.data.map(() => 2) };
      viewer.volume = { ...viewer.volume, data: viewer.volume.data.map(() => 3), step: 1 };
      viewer.box = viewer.grid.box;
      viewer.goTo(viewer.grid.place([0, 0, 0]));
    }"""
    shown.page.evaluate(ask)
    read = shown.read()
    assert (read["voxel"], read["region"], read["value"]) == ([0, 0, 0], 2, 3)
    assert read["text"]["region"] == "2"
