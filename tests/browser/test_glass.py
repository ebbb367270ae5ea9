"""The glass brain's shadows: what falls on each bin of a projection, and what its pixels show of it, beside numpy's."""

from typing import Any

import numpy as np
import pytest
from browser.conftest import Opener
from browser.standing import AXES
from browser.test_coordinates import GRIDS
from nibabel.affines import apply_affine, voxel_sizes

pytestmark = pytest.mark.browser

Array = np.ndarray[Any, Any]
SHAPE, BELOW = (8, 9, 7), (11, 6, 8)
CAST = """([volume, labels, background, box, look, width, height]) => {
  const of = ({ affine, shape, data }) => ({ grid: new Grid(shape, affine), data: Float32Array.from(data) });
  const { grid, data } = of(volume);
  const scene = { grid, volume: { data, step: volume.step, limit: volume.limit }, box };
  scene.labels = labels ? { data: labels } : null;
  scene.background = background ? of(background) : null;
  const words = { ...look, colours: colourTable() };
  const shadows = castShadows(scene, PLANES, words);
  const view = box.map((side, at) => side.map((value) => value + (at ? 5.3 : -4.1))); // beyond every rim
  return PLANES.map((plane) => {
    const image = new ImageData(width, height);
    paintShadow(image, shadows.get(plane.name), scene, pixelsOf(plane, [0, 0, 0], view, width, height), plane, words);
    const { values, brain } = shadows.get(plane.name);
    const numbers = (raster) => ({ ...raster, data: [...raster.data] });
    return { values: numbers(values), brain: numbers(brain), pixels: [...image.data] };
  });
}"""


def raster_of(plane: str, sizes: Array, box: Array) -> tuple[float, int, int]:
    """Bins of a voxel's smallest edge, but of 1 mm at least: how wide, how many across and down."""
    _, across, up = AXES[plane]
    wide = max(1.0, float(sizes.min()))
    columns, rows = (int(np.ceil((box[1][axis] - box[0][axis]) / wide)) for axis in (across, up))
    return wide, columns, rows


def drop(plane: str, places: Array, box: Array, raster: tuple[float, int, int]) -> tuple[Array, Array]:
    """The row and column of each place, and whether it lies in the raster."""
    _, across, up = AXES[plane]
    wide, columns, rows = raster
    column = np.floor((places[:, across] - box[0][across]) / wide).astype(int)
    row = np.floor((box[1][up] - places[:, up]) / wide).astype(int)
    return np.stack([row, column]), (column >= 0) & (row >= 0) & (column < columns) & (row < rows)


CASES = {
    "labels on a background": ("oblique", "sheared", True, True),
    "labels by themselves": ("anisotropic", None, True, True),
    "a map that decides nothing": ("LAS", "oblique flipped", True, False),
    "no labels": ("permuted", None, False, True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_projection_shows_the_largest_magnitude_over_the_brain(opened: Opener, case: str) -> None:
    name, below, with_labels, decides = CASES[case]
    shown = opened("none")
    rng = np.random.default_rng(11)
    affine = GRIDS[name] + np.array([[0, 0, 0, 0.137], [0, 0, 0, 0.211], [0, 0, 0, 0.093], [0, 0, 0, 0]])
    stored = rng.integers(-90, 90, SHAPE) * (rng.random(SHAPE) < 0.6)
    labels = (rng.random(SHAPE) < 0.1).astype(int) * 3
    under, under_affine = stored, affine
    if below:
        under, under_affine = rng.integers(1, 200, BELOW) * (rng.random(BELOW) < 0.7), GRIDS[below]
    places = apply_affine(affine, np.argwhere(np.ones(SHAPE)))
    box = np.array([places.min(axis=0) + 2.3, places.max(axis=0) - 1.9])  # voxels lie beyond each side of it
    look = {"cutoff": 5.0, "tail": "positive", "strict": False, "decides": decides, "ink": "#203040"}
    look["paper"] = [240, 230, 220]

    def sent(affine: Array, data: Array) -> dict[str, Any]:
        return {"affine": affine.tolist(), "shape": data.shape, "data": data.ravel(order="F").tolist()}

    volume, background = sent(affine, stored) | {"step": 0.1, "limit": 8}, sent(under_affine, under) if below else None
    asked = [volume, labels.ravel(order="F").tolist() if with_labels else None, background, box.tolist(), look, 50, 40]
    kept = labels.ravel() > 0 if with_labels and decides else stored.ravel() >= 50
    for plane, found in zip(AXES, shown.page.evaluate(CAST, asked), strict=True):
        raster = raster_of(plane, voxel_sizes(affine), box)
        assert [found["values"][word] for word in ("bin", "columns", "rows")] == pytest.approx(list(raster))
        wanted = largest(plane, places[kept], 0.1 * stored.ravel()[kept], box, raster)
        seen = np.array(found["values"]["data"]).reshape(wanted.shape)
        assert np.count_nonzero(wanted) > 3
        assert np.abs(seen) == pytest.approx(wanted, abs=1e-5)
        brain_raster = raster_of(plane, voxel_sizes(under_affine), box)
        brain = density(plane, apply_affine(under_affine, np.argwhere(under)), box, brain_raster)
        assert np.array(found["brain"]["data"]).reshape(brain.shape) == pytest.approx(brain, abs=1e-6)
        check_pixels(plane, np.array(found["pixels"]).reshape(40, 50, 4), box, (seen, raster), (brain, brain_raster))


def largest(plane: str, places: Array, values: Array, box: Array, raster: tuple[float, int, int]) -> Array:
    """The largest magnitude that falls on each bin."""
    at, inside = drop(plane, places, box, raster)
    found = np.zeros(raster[:0:-1])
    np.maximum.at(found, tuple(at[:, inside]), np.abs(values[inside]))
    return found


def density(plane: str, places: Array, box: Array, raster: tuple[float, int, int]) -> Array:
    """How many places fall on each bin, of the most."""
    at, inside = drop(plane, places, box, raster)
    found = np.zeros(raster[:0:-1])
    np.add.at(found, tuple(at[:, inside]), 1)
    counted: Array = found / found.max()
    return counted


def check_pixels(plane: str, found: Array, box: Array, values: tuple[Array, Any], brain: tuple[Array, Any]) -> None:
    """What each pixel shows of the two rasters: the map's colour, else ink over paper by how much brain there is."""
    _, across, up = AXES[plane]
    view = np.array([box[0] - 4.1, box[1] + 5.3])
    x = view[0][across] + (np.arange(50) + 0.5) / 50 * (view[1][across] - view[0][across]) - box[0][across]
    y = box[1][up] - (view[1][up] - (np.arange(40) + 0.5) / 40 * (view[1][up] - view[0][up]))

    def look_up(data: Array, raster: tuple[float, int, int]) -> Array:
        wide, columns, rows = raster
        column, row = np.floor(x / wide).astype(int), np.floor(y / wide).astype(int)
        padded = np.zeros((rows + 2, columns + 2))
        padded[1:-1, 1:-1] = data
        seen: Array = padded[np.ix_(np.clip(row, -1, rows) + 1, np.clip(column, -1, columns) + 1)]
        return seen

    value, cover = look_up(*values), look_up(*brain)
    cover = np.where(cover > 0, 0.1 + 0.14 * cover, 0)
    paper, ink = np.array([240, 230, 220]), np.array([0x20, 0x30, 0x40])
    wanted = paper + cover[..., None] * (ink - paper)
    assert (found[..., 3] == 255).all()
    bare = value == 0
    assert found[bare][:, :3] == pytest.approx(wanted[bare], abs=0.51)
    assert np.count_nonzero(bare & (cover > 0)) > 20
    table = np.array([[5, 48, 97], [247, 247, 247], [103, 0, 31]])
    far = np.clip(np.floor(127 + value[~bare] / 8 * 127 + 0.5), 0, 254)
    assert len(far) > 5
    for entry, pixel in zip(far, found[~bare][:, :3], strict=True):
        assert (pixel[0] > pixel[2]) == (entry > 127)
        if entry in {0, 127, 254}:
            assert pixel.tolist() == table[int(entry / 127)].tolist()
