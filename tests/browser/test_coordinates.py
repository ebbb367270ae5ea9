"""What the viewer says of a place is what nibabel says of it, on straight, flipped, permuted and oblique grids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from browser import samples
from browser.conftest import Opened, Opener
from nibabel.affines import apply_affine
from nibabel.eulerangles import euler2mat

from bids_regions.report import pages, payload

pytestmark = pytest.mark.browser

SHAPE = (14, 17, 11)
PLANES = {"sagittal": (1, 2), "coronal": (0, 2), "axial": (0, 1)}


def matrix(linear: Any, shift: Any = (-20.0, 13.5, -7.25)) -> np.ndarray[Any, Any]:
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = shift
    return affine


GRIDS = {
    "RAS": matrix(np.diag([2.0, 2.0, 2.0])),
    "LAS": matrix(np.diag([-2.0, 2.0, 2.0])),
    "anisotropic": matrix(np.diag([1.5, -0.9, 4.0])),
    "permuted": matrix([[0, 0, -3.0], [2.5, 0, 0], [0, 2.0, 0]]),
    "oblique": matrix(euler2mat(0.3, -0.2, 0.45) @ np.diag([2.0, 2.5, 3.0])),
    "oblique flipped": matrix(euler2mat(-0.5, 0.1, 0.2) @ np.diag([-2.0, 1.5, 2.0])),
    "sheared": matrix([[2.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.2, 0.0, 2.5]]),
}
STRAIGHT = {"RAS", "LAS", "anisotropic", "permuted"}


@pytest.fixture(scope="module")
def data() -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).normal(0, 2, SHAPE).astype(np.float32)


def box_of(affine: Any) -> tuple[Any, Any]:
    """The box around all voxels, by nibabel from the corners of the image."""
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in SHAPE])).reshape(3, -1).T
    places = apply_affine(affine, corners)
    return places.min(axis=0), places.max(axis=0)


def open_grid(opened: Opener, folder: Path, data: Any, affine: Any) -> Opened:
    page = samples.grid_page(data, affine, threshold="1.0")
    return opened(samples.write_page(pages.render_participant(page), folder / "grid.html")).ready()


def click(shown: Opened, plane: str, right: float, down: float) -> tuple[float, float]:
    """Click into a plane, at fractions of its width and height; gives the fractions that were truly hit."""
    canvas = shown.page.locator(f"#viewer [data-part={plane}] canvas")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    assert frame is not None
    x, y = round(frame["x"] + right * frame["width"]), round(frame["y"] + down * frame["height"])
    shown.page.mouse.click(x, y)
    return (x - frame["x"]) / frame["width"], (y - frame["y"]) / frame["height"]


SPOTS = [(0.5, 0.5), (0.31, 0.62), (0.77, 0.4), (0.12, 0.5), (0.5, 0.88), (0.64, 0.21)]


@pytest.mark.parametrize("name", GRIDS)
def test_a_click_reads_the_voxel_that_nibabel_finds_there(opened: Opener, tmp_path: Path, data: Any, name: str) -> None:
    affine = GRIDS[name]
    low, high = box_of(affine)
    shown = open_grid(opened, tmp_path, data, affine)
    hit = 0
    for plane, (across, up) in PLANES.items():
        for spot in SPOTS:
            clicked = np.array(shown.read()["mm"])
            right, down = click(shown, plane, *spot)
            clicked[across] = low[across] + right * (high[across] - low[across])
            clicked[up] = high[up] - down * (high[up] - low[up])
            hit += check_reading(shown.read(), clicked, nib.Nifti1Image(data, affine), straight=name in STRAIGHT)
    assert hit >= 8  # most spots lie in the image, so that values were truly compared
    assert not shown.complaints


def check_reading(read: dict[str, Any], clicked: Any, image: Any, *, straight: bool) -> bool:
    """Compare what is read with the image at the place in mm that was clicked; true where it lies in the image."""
    voxel = np.floor(apply_affine(np.linalg.inv(image.affine), clicked) + 0.5).astype(int)
    centre = apply_affine(image.affine, voxel).tolist()
    assert read["voxel"] == voxel.tolist()
    assert read["mm"] == pytest.approx(centre if straight else clicked.tolist(), abs=1e-6)
    assert read["text"]["mm"].split() == [f"{v:g}" for v in np.round(np.array(read["mm"]) * 100) / 100]
    if not ((voxel >= 0) & (voxel < image.shape)).all():
        assert read["text"]["value"] == "no value"
        assert read["text"]["voxel"] == "outside the map"
        return False
    data = np.asarray(image.dataobj)
    step = payload.pack_volume(data, image.affine, key="x", name="x").step
    assert abs(read["value"] - float(data[tuple(voxel)])) <= step / 2 + 1e-9
    if not straight:
        said = [float(v) for v in read["text"]["centre"].removeprefix("centre").split()]
        assert said == pytest.approx(centre, abs=0.0051)
    return True


@pytest.mark.parametrize("name", GRIDS)
def test_the_picture_shows_a_voxel_where_nibabel_places_it(opened: Opener, tmp_path: Path, name: str) -> None:
    """One voxel is red: its middle in each plane's pixels, as mm, is where the affine puts it."""
    affine = GRIDS[name]
    data = np.zeros(SHAPE, np.float32)
    data[2, 12, 7] = 5
    centre = apply_affine(affine, (2, 12, 7))
    low, high = box_of(affine)
    shown = open_grid(opened, tmp_path, data, affine)
    assert shown.read()["voxel"] == [2, 12, 7]  # the first region's peak
    shown.page.locator("#viewer [data-part=contours]").uncheck()
    shown.settle(100)
    for plane, (across, up) in PLANES.items():
        right, down, width, height = shown.page.locator(f"#viewer [data-part={plane}] canvas").evaluate(RED_MIDDLE)
        mm_right = low[across] + right / width * (high[across] - low[across])
        mm_up = high[up] - down / height * (high[up] - low[up])
        pixel = (high[across] - low[across]) / width
        assert mm_right == pytest.approx(centre[across], abs=2.5 * pixel), plane
        assert mm_up == pytest.approx(centre[up], abs=2.5 * pixel), plane


RED_MIDDLE = """canvas => {
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [n, x, y] = [0, 0, 0];
  for (let at = 0; at < width * height; at++) {
    const [r, g, b] = data.slice(at * 4, at * 4 + 3);
    if (r - b > 40 && r - g > 60) { n += 1; x += at % width + 0.5; y += Math.floor(at / width) + 0.5; }
  }
  return [x / n, y / n, width, height];
}"""


@pytest.mark.parametrize("name", ["RAS", "permuted", "anisotropic"])
def test_keys_move_by_one_voxel_of_the_file(opened: Opener, tmp_path: Path, data: Any, name: str) -> None:
    affine = GRIDS[name]
    shown = open_grid(opened, tmp_path, data, affine)
    keys: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
        "ArrowRight": lambda across, up, through: (across, 1),
        "ArrowLeft": lambda across, up, through: (across, -1),
        "ArrowUp": lambda across, up, through: (up, 1),
        "ArrowDown": lambda across, up, through: (up, -1),
        "PageUp": lambda across, up, through: (through, 1),
        "PageDown": lambda across, up, through: (through, -1),
    }
    for plane, (across, up) in PLANES.items():
        through = 3 - across - up
        click(shown, "sagittal", 0.5, 0.5)
        click(shown, "axial", 0.5, 0.5)
        shown.page.locator(f"#viewer [data-part={plane}] canvas").focus()
        for key, which in keys.items():
            axis, sign = which(across, up, through)
            before = shown.read()
            shown.page.keyboard.press(key)
            after = shown.read()
            column = int(np.argmax(np.abs(affine[axis, :3])))
            moved = np.zeros(3, int)
            moved[column] = sign * int(np.sign(affine[axis, column]))
            assert (np.array(after["voxel"]) - before["voxel"]).tolist() == moved.tolist(), (plane, key)
            assert (np.array(after["mm"]) - before["mm"])[axis] * sign > 0
    before = shown.read()["mm"]
    shown.page.keyboard.press("Shift+PageUp")
    assert shown.read()["mm"][2] - before[2] == pytest.approx(5 * np.abs(affine[2, :3]).max())


def test_the_crosshair_stops_at_the_border(opened: Opener, tmp_path: Path, data: Any) -> None:
    shown = open_grid(opened, tmp_path, data, GRIDS["RAS"])
    shown.page.locator("#viewer [data-part=axial] canvas").focus()
    for _ in range(10):
        shown.page.keyboard.press("Shift+ArrowLeft")
    assert shown.read()["voxel"][0] == 0
    for _ in range(10):
        shown.page.keyboard.press("Shift+ArrowRight")
    assert shown.read()["voxel"][0] == SHAPE[0] - 1


def test_dragging_moves_the_crosshair_along(opened: Opener, tmp_path: Path, data: Any) -> None:
    shown = open_grid(opened, tmp_path, data, GRIDS["LAS"])
    frame = shown.page.locator("#viewer [data-part=coronal] canvas").bounding_box()
    assert frame is not None
    shown.page.mouse.move(frame["x"] + 0.2 * frame["width"], frame["y"] + 0.5 * frame["height"])
    shown.page.mouse.down()
    start = shown.read()
    shown.page.mouse.move(frame["x"] + 0.8 * frame["width"], frame["y"] + 0.5 * frame["height"], steps=5)
    end = shown.read()
    shown.page.mouse.up()
    shown.page.mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + 0.2 * frame["height"])
    assert end["mm"][0] > start["mm"][0]  # to the right of the picture is to the right of the brain
    assert end["voxel"][0] < start["voxel"][0]  # the file's first axis runs to the left
    assert shown.read() == end  # released: moving on changes nothing
