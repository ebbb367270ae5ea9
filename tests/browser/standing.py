"""Displays of the viewer that stand by themselves on a page without maps, each told what it shows by its test."""

import json
from typing import Any

import numpy as np
from browser.conftest import Opened

from bids_regions.report.sheets import pack_sheet, unpack_sheet

Array = np.ndarray[Any, Any]

# ------------------------------------------------------------------------------------------- three planes

LOW, HIGH = [-70.0, -100.0, -50.0], [74.0, 70.0, 85.0]
AXES = {"Sagittal": (0, 1, 2), "Coronal": (1, 0, 2), "Axial": (2, 0, 1)}  # through, across, up
PLANES = """([low, high]) => {
  window.told = [];
  const element = make("div");
  for (const name of ["sagittal", "coronal", "axial"]) {
    const canvas = make("canvas");
    Object.assign(canvas.style, { width: "288px", height: "240px", display: "block" });
    const frame = make("figure", {}, canvas, make("output"));
    frame.dataset.part = name;
    frame.style.margin = "0";
    element.append(frame);
  }
  document.body.prepend(element);
  window.slices = new Planes({
    ...{ element, part: (name) => element.querySelector(`[data-part="${name}"]`) },
    millimetres: (value) => String(value),
    goTo: (mm, words) => told.push([mm, words]),
    move: (...words) => told.push(words),
  });
  window.scene = { box: [low, high], regions: { list: [], colours: new Map() } };
  slices.mm = [1, 2, 3];
  slices.open(scene);
  window.look = { ink: "#000000", paper: [255, 255, 255] };
  // A pen that writes down what it is told, and draws nothing.
  window.penOf = (width, height) => {
    const said = [];
    const pen = { canvas: { width, height }, said };
    for (const name of ["beginPath", "moveTo", "lineTo", "arc", "strokeText", "fillText"]) {
      pen[name] = (...words) => said.push([name, ...words]);
    }
    for (const name of ["stroke", "fill"]) {
      pen[name] = () => said.push([name, pen[`${name}Style`], ...(name === "stroke" ? [pen.lineWidth] : [])]);
    }
    return pen;
  };
}"""


def stand_planes(shown: Opened) -> None:
    """Give a page `slices`, in a `scene` of an empty box, and pens that write down what they are told."""
    shown.page.evaluate(PLANES, [LOW, HIGH])


# ------------------------------------------------------------------------------------------- two hemispheres

ROUND, ACROSS = 18, 10  # vertices around the torus, and around its tube
FIRST = 7  # the row of the left sheet's first vertex: some of another come before it


def torus() -> tuple[Array, Array]:
    """A closed sheet that hides parts of itself, of no round numbers, and turned out of the axes."""
    around, tube = np.meshgrid(np.arange(ROUND) * 2 * np.pi / ROUND, np.arange(ACROSS) * 2 * np.pi / ACROSS)
    around, tube = around.T.ravel(), tube.T.ravel()
    far = 20 + 8.3 * np.cos(tube)
    xyz = np.stack([9.1 * np.sin(tube), far * np.cos(around), 1.2 * far * np.sin(around)], axis=1)
    tilt = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    at = np.arange(ROUND * ACROSS).reshape(ROUND, ACROSS)
    right, up = np.roll(at, -1, axis=0), np.roll(at, -1, axis=1)
    both = np.roll(right, -1, axis=1)
    faces = np.concatenate([np.stack([at, right, both], -1), np.stack([at, both, up], -1)]).reshape(-1, 3)
    return xyz @ tilt.T + (-31.0, 5.0, 12.0), faces


SHEETS = {
    side: pack_sheet(xyz * sign, faces, np.sin(np.arange(len(xyz))), key=side, name="torus", side=side)
    for side, sign in (("L", (1, 1, 1)), ("R", (-1, 1, 1)))
    for xyz, faces in (torus(),)
}
SIZE = ROUND * ACROSS
PLACES, FACES = unpack_sheet(SHEETS["L"])
CORTEX = """async ([sheets, first]) => {
  for (const { side, header, ...blocks } of sheets) {
    const add = (id, textContent) => {
      const block = make("script", { type: "application/octet-stream", id, textContent });
      document.body.append(block);
      return block;
    };
    add(side, "").dataset.header = header;
    for (const [name, text] of Object.entries(blocks)) add(`${side}-${name}`, text);
  }
  window.left = await Sheet.load("L", first);
  window.right = await Sheet.load("R", first + left.size);
  const box = make("div");
  for (const [side, pose] of [["L", "lateral"], ["L", "medial"], ["R", "lateral"], ["R", "medial"]]) {
    const canvas = make("canvas");
    Object.assign(canvas.style, { width: "240px", height: "200px", display: "block" });
    const figure = make("figure", {}, canvas);
    Object.assign(figure.dataset, { side, pose });
    figure.style.margin = "0";
    box.append(figure);
  }
  document.body.prepend(box);
  window.told = [];
  window.cortex = new Cortex({
    part: () => box, draw: () => told.push("draw"), goTo: (place, words) => told.push([place, words]), slices: {},
  });
  cortex.open({ sheets: [left, right] });
  cortex.row = first;
  window.frameOf = (side, pose) => cortex.frames.find((frame) => frame.side === side && frame.pose === pose);
}"""


def stand_cortex(shown: Opened) -> None:
    """Give a page `cortex`, of the sheets `left` and `right`, in two views each."""
    sent = [
        {
            "side": side,
            "header": json.dumps({"side": side, "name": "torus", "step": sheet.step, "origin": sheet.origin}),
            "places": sheet.places,
            "triangles": sheet.triangles,
            "folding": sheet.folding,
        }
        for side, sheet in SHEETS.items()
    ]
    shown.page.evaluate(CORTEX, [sent, FIRST])


def around(vertex: int) -> set[int]:
    """The vertices that share a triangle with one, and itself."""
    return set(FACES[(vertex == FACES).any(axis=1)].ravel().tolist())


def normals_of(xyz: Array, faces: Array) -> Array:
    """Outwards at each vertex, the triangles there weighed by their areas."""
    a, b, c = (xyz[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    found = np.zeros_like(xyz)
    for corner in range(3):
        np.add.at(found, faces[:, corner], of_faces)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    normals: Array = found / lengths
    return normals


def pose_of(side: str, pose: str, yaw: float, pitch: float) -> tuple[Array, Array, Array]:
    """Right, up, and towards the eye: turned about the vertical, then risen; right stays level."""
    turn, rise = np.radians(yaw), np.radians(pitch)
    outward = {"L": -1, "R": 1}[side] * {"lateral": 1, "medial": -1}[pose]
    level = outward * np.array([np.cos(turn), np.sin(turn), 0])
    eye = level * np.cos(rise) + np.array([0, 0, np.sin(rise)])
    right = np.cross([0, 0, 1.0], level)
    return right, np.cross(eye, right), eye
