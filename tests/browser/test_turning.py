"""Views of two hemispheres: which vertex is seen and pointed at, how keys, drags and a chosen place turn them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.standing import FACES, FIRST, PLACES, SIZE, around, normals_of, pose_of, stand_cortex

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    """A page without maps, with two hemispheres."""
    made = opened("none")
    stand_cortex(made)
    yield made
    assert not made.complaints


# ------------------------------------------------------------------------------------------------ rows and views


def test_rows_are_told_by_side_and_vertex(shown: Opened) -> None:
    ask = """([first, size]) => ({
      rows: [["L", 0], ["L", size - 1], ["L", size], ["R", 0], ["R", size], ["M", 0]].map(
        (one) => cortex.rowOf(...one)),
      words: [first, first + size - 1, first + size].map((row) => cortex.words(row)),
      beside: [first - 1, first + 2 * size].map((row) => cortex.sheetOf(row) ?? null),
      frames: [first - 1, first, first + size].map((row) => cortex.framesOf(row).map(({ side, pose }) => side + pose)),
    })"""
    last = SIZE - 1
    assert shown.page.evaluate(ask, [FIRST, SIZE]) == {
        "rows": [FIRST, FIRST + last, None, FIRST + SIZE, None, None],
        "words": [
            {"side": "left", "number": "0"},
            {"side": "left", "number": str(last)},
            {"side": "right", "number": "0"},
        ],
        "beside": [None, None],
        "frames": [[], ["Llateral", "Lmedial"], ["Rlateral", "Rmedial"]],
    }


def test_uphill_goes_over_edges_to_where_no_neighbour_is_stronger(shown: Opened) -> None:
    heights = np.random.default_rng(8).permutation(SIZE).tolist()
    ask = """([heights, first]) => heights.map((_, vertex) =>
      cortex.uphill(first + vertex, (row) => heights[row - first]) - first)"""
    for start, found in enumerate(shown.page.evaluate(ask, [heights, FIRST])):
        at = start
        while (best := max(around(at), key=lambda vertex: heights[vertex])) != at:
            at = best
        assert found == at


def test_a_side_without_a_sheet_is_hidden_and_the_same_sheets_keep_their_turn(shown: Opened) -> None:
    ask = """() => {
      const { scene } = cortex;
      const state = () => cortex.frames.map(({ frame, yaw }) => [frame.hidden, yaw]);
      for (const frame of cortex.frames) cortex.turn(frame, 30, 0);
      cortex.open({ ...scene });
      const same = state();
      cortex.open({ sheets: [right] });
      return [same, state(), cortex.canvases.length];
    }"""
    assert shown.page.evaluate(ask) == [[[False, 30]] * 4, [[True, 0]] * 2 + [[False, 0]] * 2, 2]


def test_a_turn_is_kept_within_one_and_the_poles(shown: Opened) -> None:
    ask = """(turns) => turns.map(([yaw, pitch]) => {
      const frame = frameOf("L", "lateral");
      Object.assign(frame, { led: true, shot: {} });
      cortex.turn(frame, yaw, pitch);
      return [frame.yaw, frame.pitch, frame.shot, frame.led];
    })"""
    turns = {(190, 0): (-170, 0), (-190, 120): (170, 90), (360, -91): (0, -90), (179, 45): (179, 45)}
    assert shown.page.evaluate(ask, list(turns)) == [[*wanted, None, False] for wanted in turns.values()]


def test_a_vertex_is_seen_where_a_pixel_shows_it_or_its_neighbour(shown: Opened) -> None:
    ask = """([asked, first, size]) => {
      const frame = frameOf(asked[0], asked[1]);
      cortex.turn(frame, asked[2], asked[3]);
      const { px, py, vertex, width, height } = cortex.shotOf(frame);
      const rows = [...Array(size).keys()].map((own) => {
        cortex.row = first + own;
        return cortex.pixelOf(frame);
      });
      const beside = [first - 1, first + size].map((row) => { cortex.row = row; return cortex.pixelOf(frame); });
      return { rows, beside, px: [...px], py: [...py], vertex: [...vertex], width, height };
    }"""
    for asked in (("L", "lateral", 0, 0), ("L", "medial", 50, 20)):
        found = shown.page.evaluate(ask, [asked, FIRST, SIZE])
        assert found["beside"] == [None, None]
        picture = np.full((found["height"] + 4, found["width"] + 4), -1)
        picture[2:-2, 2:-2] = np.array(found["vertex"]).reshape(found["height"], found["width"])
        hidden = 0
        for own, (row, x, y) in enumerate(zip(found["rows"], found["px"], found["py"], strict=True)):
            close = picture[int(y) : int(y) + 5, int(x) : int(x) + 5]
            visible = bool(set(close.ravel().tolist()) & around(own))
            assert row == ([x, y] if visible else None)
            hidden += not visible
        assert 20 < hidden < SIZE - 20


def test_a_vertex_near_the_rim_looks_no_further_than_the_picture(shown: Opened) -> None:
    """Beyond a picture's last pixel of a line the next line begins: that is no neighbour."""
    ask = """([first]) => {
      const [width, height] = [10, 6];
      const see = (x, y, at) => {
        const vertex = new Int32Array(width * height).fill(-1);
        vertex[at] = 0;
        const frame = { sheet: left };
        const { shotOf } = cortex;
        cortex.row = first;
        cortex.shotOf = () => ({ px: [x], py: [y], vertex, width, height });
        const seen = cortex.pixelOf(frame);
        cortex.shotOf = shotOf;
        return seen !== null;
      };
      return [
        see(9.5, 2.5, 40), see(0.5, 2.5, 19), see(9.5, 2.5, 29), see(7.5, 2.5, 29), see(6.5, 2.5, 29), see(0.5, 0.5, 0),
        see(2.5, 0.5, 0), see(3.5, 0.5, 0), see(0.5, 3.5, 0), see(0.5, 2.5, 0), see(0.5, 5.5, 50), see(0.5, 3.5, 50),
        see(0.5, 2.5, 50),
      ];
    }"""
    assert shown.page.evaluate(ask, [FIRST]) == [
        False, False, True, True, False, True, True, False, False, True, True, True, False,
    ]  # fmt: skip


def test_a_step_goes_to_the_neighbour_that_lies_most_in_its_direction(shown: Opened) -> None:
    ask = """([first, size, steps]) => {
      const frame = frameOf("L", "lateral");
      const { px, py } = cortex.shotOf(frame);
      const rows = [...Array(size).keys()].map((own) => steps.map(
        (step) => cortex.besideOf(frame, first + own, ...step)));
      return { rows, px: [...px], py: [...py] };
    }"""
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    found = shown.page.evaluate(ask, [FIRST, SIZE, steps])
    places = np.array([found["px"], found["py"]]).T
    for own, rows in enumerate(found["rows"]):
        others = sorted(around(own) - {own})
        ways = places[others] - places[own]
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        for step, row in zip(steps, rows, strict=True):
            along = ways @ step
            chosen = row - FIRST
            if along.max() > 0.2:
                assert along[others.index(chosen)] == pytest.approx(along.max(), abs=1e-5)
            else:
                assert chosen == own


def test_the_eye_goes_no_further_than_until_a_vertex_is_seen(shown: Opened) -> None:
    """A quarter of the way at a time; at the end it looks straight down on the vertex, in the view nearer to it."""
    ask = """([first, size]) => [...Array(size).keys()].map((own) => {
      const frames = [frameOf("L", "lateral"), frameOf("L", "medial")];
      for (const frame of frames) cortex.turn(frame, 0, 0);
      const { pixelOf } = cortex;
      const looks = [];
      cortex.row = first + own;
      cortex.pixelOf = ({ yaw, pitch, pose }) => {
        looks.push([pose, yaw, pitch]);
        return own % 4 < looks.length - 1 ? [0, 0] : null;
      };
      cortex.face(frames);
      cortex.pixelOf = pixelOf;
      return { looks, led: frames.map((frame) => frame.led) };
    })"""
    normals = normals_of(PLACES, FACES)
    for own, found in enumerate(shown.page.evaluate(ask, [FIRST, SIZE])):
        looks = found["looks"]
        assert len(looks) == min(4, own % 4 + 2)
        pose, yaw, pitch = looks[0]
        eyes = {one: pose_of("L", one, 0, 0)[2] @ normals[own] for one in ("lateral", "medial")}
        if abs(eyes["lateral"]) > 1e-3:
            assert pose == max(eyes, key=lambda one: eyes[one])
        assert found["led"] == [pose == "lateral", pose == "medial"]
        assert pose_of("L", pose, 4 * yaw, 4 * pitch)[2] == pytest.approx(normals[own], abs=1e-3)
        for share, look in enumerate(looks, start=1):
            assert look == [pose, pytest.approx(share * yaw, abs=1e-9), pytest.approx(share * pitch, abs=1e-9)]


# ------------------------------------------------------------------------------------------------ hands


def test_a_pointer_reads_the_vertex_under_it_and_nothing_beside_the_sheet(shown: Opened) -> None:
    ask = """([first]) => {
      const frame = frameOf("L", "medial");
      const { vertex, width, height } = cortex.shotOf(frame);
      const box = frame.canvas.getBoundingClientRect();
      const under = (x, y) => cortex.under(frame, { clientX: box.left + x, clientY: box.top + y });
      const rows = [];
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rows.push(under(x + 0.5, y + 0.5));
      const wrong = rows.filter((row, at) => row !== (vertex[at] < 0 ? -1 : first + vertex[at])).length;
      const out = [[-0.5, 100], [width + 0.5, 100], [120, -0.5], [120, height + 0.5]].map(([x, y]) => under(x, y));
      return { wrong, out, sheet: rows.filter((row) => row >= 0).length, size: [width, height] };
    }"""
    found = shown.page.evaluate(ask, [FIRST])
    assert (found["wrong"], found["out"], found["size"]) == (0, [-1] * 4, [240, 200])
    assert 1000 < found["sheet"] < 240 * 200 - 1000


def test_the_first_vertex_of_a_sheet_can_be_pointed_at(shown: Opened) -> None:
    ask = """() => {
      const box = { left: 5, top: 3, width: 4, height: 2 };
      const frame = { sheet: { first: 0 }, canvas: { getBoundingClientRect: () => box } };
      const { shotOf } = cortex;
      cortex.shotOf = () => ({ width: 2, height: 1, vertex: [0, -1] });
      const found = [[5, 3], [7, 4], [4.9, 3], [9, 3], [5, 5]].map(
        ([clientX, clientY]) => cortex.under(frame, { clientX, clientY }));
      cortex.shotOf = shotOf;
      return found;
    }"""
    assert shown.page.evaluate(ask) == [0, -1, -1, -1, -1]


def test_arrows_go_over_vertices_and_turn_with_shift(shown: Opened) -> None:
    ask = """([keys, first]) => keys.map(([key, modifiers]) => {
      const frame = frameOf("L", "lateral");
      cortex.turn(frame, 10, 5);
      cortex.row = first;
      told.length = 0;
      let stopped = 0;
      cortex.onKey(frame, { key, preventDefault: () => (stopped += 1), ...modifiers });
      return [frame.yaw, frame.pitch, stopped, told.length ? (told[0] === "draw" ? "draw" : "goTo") : ""];
    })"""
    shift = {"shiftKey": True}
    keys: dict[tuple[str, str], tuple[dict[str, bool], list[Any]]] = {
        ("ArrowRight", "shift"): (shift, [25, 5, 1, "draw"]),
        ("ArrowLeft", "shift"): (shift, [-5, 5, 1, "draw"]),
        ("ArrowUp", "shift"): (shift, [10, 20, 1, "draw"]),
        ("ArrowDown", "shift"): (shift, [10, -10, 1, "draw"]),
        ("ArrowUp", ""): ({}, [10, 5, 1, "goTo"]),
        ("Home", ""): ({}, [0, 0, 1, "draw"]),
        ("a", ""): ({}, [10, 5, 0, ""]),
        ("Home", "control"): ({"ctrlKey": True}, [10, 5, 0, ""]),
        ("Home", "meta"): ({"metaKey": True}, [10, 5, 0, ""]),
        ("Home", "alt"): ({"altKey": True}, [10, 5, 0, ""]),
    }
    sent = [[key, modifiers] for (key, _), (modifiers, _) in keys.items()]
    found = shown.page.evaluate(ask, [sent, FIRST])
    assert found == [wanted for _, wanted in keys.values()]
    other = """([first, size]) => {
      cortex.row = first + size; // of the other sheet
      told.length = 0;
      cortex.onKey(frameOf("L", "lateral"), { key: "ArrowUp", preventDefault() {} });
      return told;
    }"""
    assert shown.page.evaluate(other, [FIRST, SIZE]) == ["draw"]


TURNED = """() => {
  const { yaw, pitch, held } = frameOf("L", "lateral");
  return [yaw, pitch, Boolean(held), told.splice(0).length];
}"""


def test_a_drag_of_four_pixels_turns_by_half_a_turn_over_the_canvas(shown: Opened) -> None:
    """Less is a click, which leads to the vertex under it."""
    canvas = shown.page.locator("figure[data-side=L][data-pose=lateral] canvas")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + 120, box["y"] + 100
    mouse = shown.page.mouse
    mouse.move(x, y)
    mouse.down()
    for right, down, wanted in ((3, 0, [0, 0, True, 0]), (4, 0, [-3, 0, True, 1]), (0, 12, [0, 9, True, 1]),
                                (-12, -12, [9, -9, True, 1])):  # fmt: skip
        mouse.move(x + right, y + down)
        assert shown.page.evaluate(TURNED) == wanted
    mouse.up()
    assert shown.page.evaluate(TURNED) == [9, -9, False, 0]
    canvas.dblclick(position={"x": 2, "y": 2})
    assert shown.page.evaluate(TURNED) == [0, 0, False, 1]
    spot = shown.page.evaluate(
        """([first]) => {
          const { vertex, width } = cortex.shotOf(frameOf("L", "lateral"));
          const at = vertex.findIndex((one) => one >= 0);
          return [at % width, Math.floor(at / width), first + vertex[at]];
        }""",
        [FIRST],
    )
    mouse.click(box["x"] + spot[0] + 0.5, box["y"] + spot[1] + 0.5)
    assert shown.page.evaluate("() => told") == [[[spot[2], 0, 0], {"follow": False}]]


def test_no_other_button_and_no_moving_without_one_does_anything(shown: Opened) -> None:
    box = shown.page.locator("figure[data-side=L][data-pose=lateral] canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + 120, box["y"] + 100
    mouse = shown.page.mouse
    mouse.move(x, y)
    mouse.move(x + 9, y)
    assert shown.page.evaluate(TURNED) == [0, 0, False, 0]
    mouse.move(x, y)
    mouse.down(button="middle")
    mouse.move(x + 12, y)
    assert shown.page.evaluate(TURNED) == [0, 0, False, 0]
    mouse.up(button="middle")
