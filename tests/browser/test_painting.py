"""What a pixel of a plane shows: each rule of slices.js on arrays of its own, beside the same rule told by numpy."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener
from browser.test_coordinates import GRIDS
from nibabel.affines import apply_affine

pytestmark = pytest.mark.browser

Array = np.ndarray[Any, Any]
SHAPE = (9, 7, 6)
AXES = {"Sagittal": (0, 1, 2), "Coronal": (1, 0, 2), "Axial": (2, 0, 1)}  # through, across, up
WIDTH, HEIGHT = 41, 33
RDBU = ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b", "67001f"]


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    """A page without maps: its scripts are there, and nothing else is to do."""
    made = opened("none")
    yield made
    assert not made.complaints


def window(affine: Array) -> tuple[list[float], list[float]]:
    """A box that reaches beyond the image on every side, of no round numbers."""
    corners = np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in SHAPE])))
    places = apply_affine(affine, corners)
    return (places.min(axis=0) - 3.21).tolist(), (places.max(axis=0) + 4.37).tolist()


def places_of(name: str, cursor: Sequence[float], box: tuple[list[float], list[float]]) -> Array:
    """The place in mm of every pixel of a plane, row by row from the top; left is left."""
    through, across, up = AXES[name]
    low, high = box
    found = np.empty((HEIGHT, WIDTH, 3))
    found[..., through] = cursor[through]
    found[..., across] = (low[across] + (np.arange(WIDTH) + 0.5) / WIDTH * (high[across] - low[across]))[None, :]
    found[..., up] = (high[up] - (np.arange(HEIGHT) + 0.5) / HEIGHT * (high[up] - low[up]))[:, None]
    return found


SAMPLE = """([affine, shape, data, plane, cursor, box, width, height]) => {
  const grid = new Grid(shape, affine);
  const pixels = pixelsOf(PLANES.find((one) => one.name === plane), cursor, box, width, height);
  const nearest = sampleNearest(grid, Float32Array.from(data), pixels);
  const linear = sampleLinear(grid, Uint8Array.from(data), pixels);
  return [[...nearest], [...linear]];
}"""


@pytest.mark.parametrize("name", ["LAS", "permuted", "oblique flipped", "sheared"])
def test_every_pixel_has_its_nearest_voxel_or_none(shown: Opened, name: str) -> None:
    """And a background what lies between its eight voxels; both nothing outside of the image, on each side."""
    affine = GRIDS[name]
    data = np.random.default_rng(3).integers(1, 256, SHAPE)
    data[np.random.default_rng(4).random(SHAPE) < 0.3] = 0
    box = window(affine)
    middle = apply_affine(affine, (np.array(SHAPE) - 1) / 2) + np.array([0.13, -0.29, 0.17])
    for plane in AXES:
        sent = [affine.tolist(), SHAPE, data.ravel(order="F").tolist(), plane, middle.tolist(), box, WIDTH, HEIGHT]
        nearest, linear = map(np.array, shown.page.evaluate(SAMPLE, sent))
        voxels = apply_affine(np.linalg.inv(affine), places_of(plane, middle, box)).reshape(-1, 3)
        at = np.floor(voxels + 0.5).astype(int)
        inside = ((at >= 0) & (at < SHAPE)).all(axis=1)
        assert 0 < np.count_nonzero(inside) < len(inside)
        assert (nearest[~inside] == 0).all()
        assert (nearest[inside] == data[tuple(at[inside].T)]).all()
        check_linear(linear, voxels, data)


def check_linear(found: Array, voxels: Array, data: Array) -> None:
    """Between the voxels that hold something, where these weigh more than half."""
    low = np.floor(voxels).astype(int)
    inside = ((low >= 0) & (low + 1 < SHAPE)).all(axis=1)
    total, weight = np.zeros(len(voxels)), np.zeros(len(voxels))
    for corner in itertools.product((0, 1), repeat=3):
        at = np.clip(low + corner, 0, np.array(SHAPE) - 1)
        share = np.where(corner, voxels - low, 1 - (voxels - low)).prod(axis=1)
        grey = data[tuple(at.T)]
        total += share * grey
        weight += share * (grey > 0)
    sure = np.abs(weight - 0.5) > 1e-9
    seen = inside & (weight > 0.5)
    assert np.count_nonzero(seen & sure) > 50
    assert np.count_nonzero(inside & ~seen) > 20
    assert (found[~seen & sure] == 0).all()
    assert found[seen & sure] == pytest.approx(total[seen & sure] / weight[seen & sure], abs=0.5001)


def test_the_colours_are_those_of_the_brewer_in_even_steps(shown: Opened) -> None:
    table = np.array(shown.page.evaluate("() => [...colourTable()]")).reshape(255, 3)
    anchors = np.array([[int(text[at : at + 2], 16) for at in (0, 2, 4)] for text in RDBU])
    wanted = [np.interp(np.arange(255) / 25.4, np.arange(11), anchors[:, channel]) for channel in range(3)]
    assert table == pytest.approx(np.array(wanted).T, abs=0.5001)


# ------------------------------------------------------------------------------------------- what covers the picture

VALUES = (-7.0, -3.0, -2.0, -0.5, 0.0, 0.5, 2.0, 3.0, 7.0)


def passes(value: float, threshold: float, look: dict[str, Any]) -> bool:
    """On the tails asked for, and as strictly as the regions were made, at their own cutoff alone."""
    signs = {"positive": (1,), "negative": (-1,), "two": (-1, 1)}[look["tail"]]
    if np.sign(value) not in signs:
        return False
    strict = look["strict"] and threshold == look["cutoff"]
    return abs(value) > threshold or (abs(value) == threshold and not strict)


def coverage(value: float, label: int, look: dict[str, Any]) -> float:
    """How strongly a voxel is painted."""
    threshold, cutoff = look["threshold"], look["cutoff"]
    beyond = passes(value, threshold, look)
    if look["decides"] and threshold >= cutoff:
        if label and (beyond or threshold == cutoff):
            return 1
        if beyond:
            return 0.8 if look["fade"] else 0
    elif beyond:
        return 1
    if not look["fade"] or threshold == 0:
        return 0
    wrong = (look["tail"], np.sign(value)) in {("positive", -1), ("positive", 0), ("negative", 1), ("negative", 0)}
    return min(1.0, abs(value) / threshold) ** 2 * (0.35 if wrong else 1)


def looks() -> list[dict[str, Any]]:
    """Every rule of a view with the slider at zero, below, at and above the cutoff."""
    found = itertools.product(
        ("two", "positive", "negative"), (False, True), (False, True), (False, True), (0, 2, 3, 7, 9)
    )
    names = ("tail", "strict", "decides", "fade", "threshold")
    return [dict(zip(names, values, strict=True)) | {"cutoff": 3} for values in found]


def test_what_passes_is_painted_and_the_wrong_tail_is_faint(shown: Opened) -> None:
    """Each rule, with every value, in a region and in none."""
    ask = """([looks, values]) => looks.map((look) => values.map((value) => [
      passes(value, look.threshold, look), coverage(value, 0, look), coverage(value, 4, look)]))"""
    for look, found in zip(looks(), shown.page.evaluate(ask, [looks(), VALUES]), strict=True):
        for value, (beyond, alone, labelled) in zip(VALUES, found, strict=True):
            assert beyond == passes(value, look["threshold"], look), (value, look)
            assert alone == pytest.approx(coverage(value, 0, look)), (value, look)
            assert labelled == pytest.approx(coverage(value, 4, look)), (value, look)
    faint = {"tail": "positive", "threshold": 4, "cutoff": 4, "fade": True, "strict": False, "decides": True}
    assert shown.page.evaluate("(look) => [coverage(-2, 0, look), coverage(2, 0, look)]", faint) == [0.0875, 0.25]


PAINT = """([greys, stored, labels, volume, look]) => {
  const image = new ImageData(greys.length, 1);
  paintVoxels(image, greys, stored, labels, volume, { ...look, colours: colourTable() });
  return [...image.data];
}"""


@pytest.mark.parametrize("with_labels", [True, False])
def test_a_pixel_is_the_background_under_the_maps_colour(shown: Opened, with_labels: bool) -> None:
    look = {"tail": "two", "strict": False, "decides": True, "fade": True, "threshold": 4, "cutoff": 3}
    look |= {"paper": [250, 240, 230], "dark": 20, "bright": 220, "opacity": 0.75}
    volume = {"step": 0.5, "limit": 8}
    cases = list(itertools.product((0, 1, 100, 255), (-40, -16, -8, -3, 0, 1, 7, 8, 16, 40), (0, 2)))
    greys, stored, labels = (list(column) for column in zip(*cases, strict=True))
    sent = [greys, stored, labels if with_labels else None, volume, look]
    found = np.array(shown.page.evaluate(PAINT, sent)).reshape(-1, 4)
    table = np.array(shown.page.evaluate("() => [...colourTable()]")).reshape(255, 3)
    for (grey, value, label), pixel in zip(cases, found, strict=True):
        under = np.array(look["paper"] if grey == 0 else [20 + grey * 200 / 255] * 3)
        entry = int(np.clip(np.floor(127 + value * 0.5 / 8 * 127 + 0.5), 0, 254))
        own = label if with_labels else 0
        cover = 0 if value == 0 and not own else 0.75 * coverage(value * 0.5, own, look)
        assert pixel[3] == 255
        assert pixel[:3] == pytest.approx(under + cover * (table[entry] - under), abs=1.01), (grey, value, label)


def test_zero_is_painted_only_where_a_region_has_it(shown: Opened) -> None:
    """A p map may hold zeros in a region; outside of one they are no data, wherever the slider stands."""
    look = {"tail": "two", "strict": False, "decides": True, "fade": True, "threshold": 3, "cutoff": 3}
    look |= {"paper": [255, 255, 255], "dark": 0, "bright": 255, "opacity": 1}
    sent = [[0, 0], [0, 0], [0, 1], {"step": 1, "limit": 8}, look]
    assert shown.page.evaluate(PAINT, sent) == [255, 255, 255, 255, 247, 247, 247, 255]


# ------------------------------------------------------------------------------------------- borders and numbers

LABELS = np.zeros((24, 30), int)
LABELS[3:12, 4:15] = 2
LABELS[8:16, 15:22] = 5  # beside 2
LABELS[0:4, 24:30] = 7  # at two rims
LABELS[18:24, 0:9] = 9  # at the other two
LABELS[20, 14:27] = 2  # a second piece of 2, its longest row
LABELS[14, 4] = 11  # one pixel, without a colour of its own
COLOURS = [(2, [200, 30, 30, 255]), (5, [255, 230, 60, 255]), (7, [20, 20, 120, 255]), (9, [120, 200, 120, 255])]


def shifted(labels: Array, right: int, down: int) -> Array:
    """What lies so many pixels to the right and down; 0 beyond the rim."""
    wide = np.pad(labels, 8)
    return wide[8 + down : 8 + down + labels.shape[0], 8 + right : 8 + right + labels.shape[1]]


@pytest.mark.parametrize("reach", [1, 2])
def test_borders_lie_inside_their_region_and_outlines_around_it(shown: Opened, reach: int) -> None:
    """The region at the crosshair has a border of twice the width; the pixels between are as they were."""
    ask = """([labels, width, colours, active, reach]) => {
      const image = new ImageData(width, labels.length / width);
      paintContours(image, labels, new Map(colours), active, reach);
      return [[...image.data], colours.map(([, colour]) => outlineOf(colour))];
    }"""
    sent = [LABELS.ravel().tolist(), LABELS.shape[1], COLOURS, 5, reach]
    data, outlines = shown.page.evaluate(ask, sent)
    image = np.array(data).reshape(*LABELS.shape, 4)
    outline = {label: tone for (label, _), tone in zip(COLOURS, outlines, strict=True)}
    assert list(outline.values()) == [[255] * 4, [0, 0, 0, 255], [255] * 4, [0, 0, 0, 255]]
    colours = dict(COLOURS)
    far = np.where(LABELS == 5, 2 * reach, reach)
    for y, x in np.ndindex(*LABELS.shape):
        own, r = LABELS[y, x], int(far[y, x])
        around = [int(shifted(LABELS, *step)[y, x]) for step in ((-r, 0), (r, 0), (0, -r), (0, r))]
        wanted = [0, 0, 0, 0]
        beside = next((label for label in around if label), 0)
        if own == 0:
            wanted = outline.get(beside, wanted)
        elif set(around) != {own}:
            wanted = colours.get(int(own), wanted)
        assert image[y, x].tolist() == wanted, (y, x)


@pytest.mark.parametrize("reach", [1, 2])
def test_the_borders_of_another_entry_are_dashes(shown: Opened, reach: int) -> None:
    ask = """([labels, width, reach]) => {
      const image = new ImageData(width, labels.length / width);
      paintDashes(image, labels, reach);
      return [...image.data];
    }"""
    data = shown.page.evaluate(ask, [LABELS.ravel().tolist(), LABELS.shape[1], reach])
    image = np.array(data).reshape(*LABELS.shape, 4)
    steps = ((-reach, 0), (reach, 0), (0, -reach), (0, reach))
    border = (LABELS > 0) & np.any([shifted(LABELS, *step) != LABELS for step in steps], axis=0)
    y, x = np.indices(LABELS.shape)
    white = (x + y) // (3 * reach) % 2 == 0
    assert ((image[..., 3] == 255) == border).all()
    assert (image[border & white] == 255).all()
    assert (image[border & ~white][:, :3] == 0).all()


def test_a_number_stands_in_the_middle_of_its_longest_row(shown: Opened) -> None:
    """The first of equal rows; a region of two pieces has one number, and a row at the rim ends there."""
    ask = "([labels, width]) => [...numberPlaces(labels, width, labels.length / width)]"
    found = shown.page.evaluate(ask, [LABELS.ravel().tolist(), LABELS.shape[1]])
    assert {label: (place["x"], place["y"], place["length"]) for label, place in found} == {
        2: (20.5, 20, 13), 5: (18.5, 8, 7), 7: (27, 0, 6), 9: (4.5, 18, 9), 11: (4.5, 14, 1),
    }  # fmt: skip


def test_numbers_leave_room_for_each_other_the_chosen_ones_first(shown: Opened) -> None:
    places = [[3, 0, 0], [1, 14, 0], [2, 14.5, 0], [4, 0, 11], [5, 0, 11.5], [6, 100, 100], [7, 200, 100]]
    ask = """([places, active, most, size]) => pickNumbers(
      new Map(places.map(([label, x, y]) => [label, { x, y }])), active, most, size).map(({ label }) => label)"""
    for active, most, size in itertools.product((0, 2, 5, 6), (0, 1, 3, 99), (0, 10)):
        order = sorted(places, key=lambda one: (one[0] != active, one[0]))
        picked: list[list[float]] = []
        for one in order:
            apart = [abs(one[1] - other[1]) > 1.4 * size or abs(one[2] - other[2]) > 1.1 * size for other in picked]
            if len(picked) < most and (size == 0 or all(apart)):
                picked.append(one)
        assert shown.page.evaluate(ask, [places, active, most, size]) == [one[0] for one in picked]
