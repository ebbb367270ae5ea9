"""Voxels, millimetres and packed numbers: grid.js and payload.js beside nibabel and numpy, on every kind of grid."""

import itertools
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opener
from browser.test_coordinates import GRIDS, STRAIGHT
from nibabel.affines import apply_affine, voxel_sizes

from bids_regions.report.payload import pack_array, pack_text

pytestmark = pytest.mark.browser

SHAPE = (4, 5, 3)
ASK = """([affine, shape, voxels, places, data]) => {
  const grid = new Grid(shape, affine);
  return {
    inverse: grid.inverse, place: voxels.map((one) => grid.place(one)), voxel: places.map((one) => grid.voxel(one)),
    offset: voxels.map((one) => grid.offset(one)), sizes: grid.sizes, straight: grid.straight, box: grid.box,
    along: [0, 1, 2].map((axis) => grid.fileAxis(axis)), pace: [0, 1, 2].map((axis) => grid.pace(axis)),
    snap: places.map((one) => grid.snap(one)), filled: data.map((one) => grid.filledBox(one)),
  };
}"""


def box_of(affine: Any, low: Any, high: Any) -> Any:
    """Around voxels, their borders included."""
    corners = itertools.product(*zip(np.array(low) - 0.5, np.array(high) + 0.5, strict=True))
    places = apply_affine(affine, np.array(list(corners)))
    return np.array([places.min(axis=0), places.max(axis=0)])


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_says_what_nibabel_says(opened: Opener, name: str) -> None:
    affine = GRIDS[name]
    rng = np.random.default_rng(2)
    voxels = np.array(list(itertools.product(*[range(-1, n + 1) for n in SHAPE])))
    places = apply_affine(affine, rng.uniform(-2, 6, (80, 3)))
    filled = [np.zeros(SHAPE), *(np.zeros(SHAPE) for _ in range(3)), np.ones(SHAPE)]
    filled[1][1, 2, 1] = 5
    filled[2][[0, 3, 2], [2, 1, 4], [2, 0, 1]] = -1
    filled[3][[1, 2], [3, 1], [1, 2]] = 1
    sent = [affine.tolist(), SHAPE, voxels.tolist(), places.tolist(), [one.ravel(order="F").tolist() for one in filled]]
    found = opened("none").page.evaluate(ASK, sent)
    assert np.array(found["inverse"]) == pytest.approx(np.linalg.inv(affine)[:3], abs=1e-12)
    assert np.array(found["place"]) == pytest.approx(apply_affine(affine, voxels))
    nearest = np.floor(apply_affine(np.linalg.inv(affine), places) + 0.5)
    assert found["voxel"] == nearest.tolist()
    inside = ((voxels >= 0) & (voxels < SHAPE)).all(axis=1)
    offsets = np.where(inside, voxels @ [1, SHAPE[0], SHAPE[0] * SHAPE[1]], -1)
    assert found["offset"] == offsets.tolist()
    assert found["sizes"] == pytest.approx(voxel_sizes(affine))
    along = np.abs(affine[:3, :3] / voxel_sizes(affine)).argmax(axis=1)
    assert found["along"] == along.tolist()
    assert found["pace"] == pytest.approx(voxel_sizes(affine)[along])
    assert found["straight"] == (name in STRAIGHT)
    snapped = apply_affine(affine, nearest) if name in STRAIGHT else places
    assert np.array(found["snap"]) == pytest.approx(snapped)
    whole = box_of(affine, (0, 0, 0), np.array(SHAPE) - 1)
    assert np.array(found["box"]) == pytest.approx(whole)
    for data, box in zip(filled, found["filled"], strict=True):
        at = np.argwhere(data)
        wanted = box_of(affine, at.min(axis=0), at.max(axis=0)) if len(at) else whole
        assert np.array(box) == pytest.approx(wanted)


def test_a_grid_is_straight_but_for_the_rounding_of_its_file(opened: Opener) -> None:
    """A ten-thousandth of a voxel's size beside the axis is still straight, on each axis; more is not."""
    ask = "(affines) => affines.map((affine) => new Grid([4, 4, 4], affine).straight)"
    affines = []
    for size, (row, column) in itertools.product((1.0, 4.0), itertools.permutations(range(3), 2)):
        for off in (0.9e-4, -0.9e-4, 1.1e-4, -1.1e-4):
            affine = np.diag([size, size, size, 1])
            affine[row, column] = off * size
            affines.append(affine.tolist())
    assert opened("none").page.evaluate(ask, affines) == [True, True, False, False] * 12


def test_a_position_half_way_belongs_to_the_voxel_above(opened: Opener) -> None:
    ask = """(mm) => {
      const found = new Grid([9, 9, 9], [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]).voxel(mm);
      return [...found, ...found.map((one) => Object.is(one, -0))];
    }"""
    assert opened("none").page.evaluate(ask, [1, 0.98, -0.5]) == [1, 0, 0, False, False, False]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "uint16", "uint32", "float32"])
def test_numbers_are_unpacked_as_they_were_packed(opened: Opener, dtype: Any) -> None:
    """Of every type and number of bytes, with places that hold nothing, and of a size that is no multiple of eight."""
    rng = np.random.default_rng(5)
    info = (-1e30, 1e30) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    data = (rng.uniform(0, 1, (5, 3, 7)) * (info[1] - info[0]) + info[0]).astype(dtype)
    data[rng.random(data.shape) < 0.4] = 0
    packed = pack_array(data, dtype)
    shown = opened("none")
    ask = """async ([header, textContent]) => {
      const block = make("script", { type: "application/octet-stream", id: "numbers", textContent });
      block.dataset.header = JSON.stringify({ name: "n", ...header });
      document.body.append(block);
      const { name, data } = await payload.array("numbers");
      return [name, data.constructor.name.toLowerCase(), [...data]];
    }"""
    name, kind, numbers = shown.page.evaluate(ask, [{"shape": packed.shape, "dtype": dtype}, packed.text])
    assert (name, kind) == ("n", f"{dtype}array")
    assert np.array(numbers, dtype).tolist() == data.ravel(order="F").tolist()


def test_a_block_of_text_keeps_its_letters(opened: Opener) -> None:
    ask = """async (textContent) => {
      document.body.append(make("script", { type: "application/octet-stream", id: "text", textContent }));
      return payload.text("text");
    }"""
    text = "index\tname\n1\tGyrus β, 左\n"
    assert opened("none").page.evaluate(ask, f"\n{pack_text(text)}\n") == text
