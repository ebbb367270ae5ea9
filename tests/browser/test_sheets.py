"""How a cortical sheet is drawn: places, normals, poses and pixels of cortex.js beside numpy's, on a small torus."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.standing import FACES, FIRST, PLACES, SIZE, normals_of, pose_of, stand_cortex

pytestmark = pytest.mark.browser

Array = np.ndarray[Any, Any]
WIDTH, HEIGHT = 60, 44


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    """A page without maps, with two hemispheres."""
    made = opened("none")
    stand_cortex(made)
    yield made
    assert not made.complaints


def test_a_sheet_is_what_was_packed(shown: Opened) -> None:
    found = shown.page.evaluate(
        """() => ({
          xyz: [...left.xyz], triangles: [...left.triangles], tones: [...left.tones], normals: [...left.normals],
          ...{ middle: left.middle, extent: left.extent, size: left.size, first: left.first, second: right.first },
          around: [...Array(left.size).keys()].map((vertex) => [...left.neighbours(vertex)].sort((a, b) => a - b)),
          alone: left.neighbours(left.size).size,
        })"""
    )
    assert np.array(found["xyz"]).reshape(-1, 3) == pytest.approx(PLACES, abs=1e-4)
    assert np.array(found["triangles"]).reshape(-1, 3).tolist() == FACES.tolist()
    assert np.array(found["normals"]).reshape(-1, 3) == pytest.approx(normals_of(PLACES, FACES), abs=1e-4)
    assert found["middle"] == pytest.approx(((PLACES.min(axis=0) + PLACES.max(axis=0)) / 2).tolist(), abs=1e-4)
    assert found["extent"] == pytest.approx(np.ptp(PLACES, axis=0).tolist(), abs=1e-4)
    assert (found["size"], found["first"], found["second"]) == (SIZE, FIRST, FIRST + SIZE)
    pairs = np.concatenate([FACES[:, [one, other]] for one in range(3) for other in range(3) if one != other])
    assert found["around"] == [np.unique(pairs[pairs[:, 0] == vertex, 1]).tolist() for vertex in range(SIZE)]
    assert found["alone"] == 0
    folding = np.sin(np.arange(SIZE))
    low, high = np.percentile(folding, (5, 95))
    depth = np.clip((folding - low) / (high - low), 0, 1)
    assert found["tones"] == pytest.approx(250 - 130 * depth, abs=3.2)  # of 32 steps


def test_vertices_of_no_triangle_have_no_neighbours_and_no_direction(shown: Opened) -> None:
    ask = """() => {
      const folded = Uint16Array.from([0, 20, 0, 0, 0, 0, 20, 0, 0, 0, 0, 20]); // three corners, and one above them
      const sheet = new Sheet({ side: "L", step: 1, origin: [0, 0, 0] }, folded, Uint32Array.from([0, 2, 2]),
                              new Uint8Array(4), 0);
      return [[...sheet.triangles], [...sheet.normals.slice(9)], sheet.neighbours(3).size];
    }"""
    assert shown.page.evaluate(ask) == [[0, 1, 2], [0, 0, 0], 0]


POSES = [("L", "lateral", 0, 0), ("R", "lateral", 0, 0), ("L", "medial", 0, 0), ("R", "medial", 25, -35),
         ("L", "lateral", 70, 40), ("L", "medial", -110, 90), ("R", "lateral", 200, 10)]  # fmt: skip


def test_a_pose_is_a_turn_and_then_a_rise(shown: Opened) -> None:
    ask = "(asked) => asked.map((one) => Object.values(poseOf(...one)))"
    for asked, found in zip(POSES, shown.page.evaluate(ask, POSES), strict=True):
        assert np.array(found) == pytest.approx(np.array(pose_of(*asked)), abs=1e-9), asked


def cast(asked: tuple[str, str, float, float], scale: float) -> tuple[Array, Array, Array]:
    """By brute force: the vertex and the grey of each pixel, and whether they are beyond doubt."""
    right, up, eye = pose_of(*asked)
    low, high = PLACES.min(axis=0), PLACES.max(axis=0)
    own = PLACES - (low + high) / 2
    x, y, z = WIDTH / 2 + scale * own @ right, HEIGHT / 2 - scale * own @ up, own @ eye
    folding = np.sin(np.arange(SIZE))
    ends = np.percentile(folding, (5, 95))
    depth = np.rint(np.rint(np.clip((folding - ends[0]) / (ends[1] - ends[0]), 0, 1) * 31) * (255 / 31))
    tones = np.trunc(250 - 130 * depth / 255)
    light = tones * (0.45 + 0.55 * np.maximum(0, normals_of(PLACES, FACES) @ eye))
    right_of, down_of = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    nearest, vertex = np.full(right_of.shape, -np.inf), np.full(right_of.shape, -1)
    grey, sure = np.zeros(right_of.shape), np.ones(right_of.shape, bool)
    for face in FACES:
        corners = np.array([x[face], y[face], np.ones(3)])
        if np.linalg.det(corners) >= 0:  # seen from behind
            continue
        weights = np.einsum("ij,jkl->ikl", np.linalg.inv(corners), np.stack([right_of, down_of, np.ones_like(grey)]))
        inside = (weights >= 0).all(axis=0)
        sure &= np.abs(weights.min(axis=0)) > 1e-3
        near = np.einsum("i,ikl->kl", z[face], weights)
        front = inside & (near > nearest)
        nearest[front] = near[front]
        vertex[front] = face[weights.argmax(axis=0)][front]
        grey[front] = np.einsum("i,ikl->kl", light[face], weights)[front]
        first, second = np.sort(weights, axis=0)[[2, 1]]
        sure &= ~front | (first - second > 1e-3)
    return vertex, grey, sure


@pytest.mark.parametrize("scale", [0.7, 2.4], ids=["whole", "beyond every rim"])
@pytest.mark.parametrize("asked", POSES[::2], ids=str)
def test_a_pixel_shows_the_vertex_that_is_nearest_to_the_eye(
    shown: Opened, asked: tuple[str, str, float, float], scale: float
) -> None:
    ask = """([asked, scale, width, height]) => {
      const { vertex, grey } = shoot(left, poseOf(...asked), scale, width, height);
      return [[...vertex], [...grey]];
    }"""
    found = shown.page.evaluate(ask, [asked, scale, WIDTH, HEIGHT])
    vertex, grey = (np.array(part).reshape(HEIGHT, WIDTH) for part in found)
    wanted, light, sure = cast(asked, scale)
    assert np.count_nonzero(wanted[sure] >= 0) > 150
    assert scale > 1 or np.count_nonzero(wanted[sure] < 0) > 20
    assert (vertex[sure] == wanted[sure]).all()
    assert grey[sure] == pytest.approx(np.maximum(light, wanted >= 0)[sure], abs=1.05)


def test_a_turned_sheet_fills_its_canvas_and_is_never_cut(shown: Opened) -> None:
    """An ellipsoid of the sheet's box reaches 96 % of the way to the nearer rim, in whatever pose."""
    ask = """([yaw, pitch, width, height]) => {
      const frame = frameOf("L", "lateral");
      Object.assign(frame.canvas.style, { width: `${width}px`, height: `${height}px` });
      cortex.turn(frame, yaw, pitch);
      const { right, up } = poseOf("L", "lateral", yaw, pitch);
      const shot = cortex.shotOf(frame);
      const kept = cortex.shotOf(frame) === shot;
      const seen = (direction) => Math.hypot(...direction.map((part, axis) => part * left.extent[axis]));
      const apart = right.map((part, axis) => part * (left.xyz[3 + axis] - left.xyz[axis]));
      const scale = (shot.px[1] - shot.px[0]) / (apart[0] + apart[1] + apart[2]);
      return [shot.width, shot.height, kept, scale * seen(right) / width, scale * seen(up) / height];
    }"""
    for yaw, pitch, width, height in ((0, 0, 300, 80), (40, 30, 90, 300), (-75, -60, 200, 150)):
        found = shown.page.evaluate(ask, [yaw, pitch, width, height])
        assert found[:3] == [width, height, True]
        assert max(found[3:]) == pytest.approx(0.96, abs=1e-3)
