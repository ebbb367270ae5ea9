"""Pictures: layers, outlines, numbers, words, bytes."""

import base64
import io
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from figure_maps import RAS, boxes, find_marks, motor, one_blob
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from bids_regions import figures
from bids_regions.figures import FigureStyle, Mark, PanelLayout
from bids_regions.figures.colors import (
    Legend,
    color_levels,
    color_palette,
    color_values,
)
from bids_regions.figures.drawing import Drawing, pixels
from bids_regions.figures.layers import Layer, enlarge, paint_layers, png_bytes, solid
from bids_regions.figures.lettering import Letters, load_font
from bids_regions.figures.mosaic import outline_paths, outline_pixels
from bids_regions.figures.planes import make_legend

__all__ = ["motor"]  # fixture


class TestLayers:
    LEGEND = Legend(cutoff=3.0, tail="bi", unit="z", scale=8.0)

    @pytest.mark.parametrize("legend", [
        LEGEND, replace(LEGEND, tail="negative"), replace(LEGEND, unit="F"), replace(LEGEND, faded=False),
        replace(LEGEND, cutoff=math.inf), replace(LEGEND, scale=0.002, cutoff=0.001),
    ])  # fmt: skip
    def test_a_level_has_the_colour_and_opacity_of_its_values(self, legend: Legend) -> None:
        low = 0.0 if legend.sequential else -legend.scale
        values = np.linspace(low, legend.scale, 2001).astype(np.float32)
        told = color_palette(legend)[color_levels(values, legend)].astype(int)
        colors, opacity = color_values(values, legend)
        assert np.abs(told[:, :3] - colors)[values != 0].max() <= 6  # a level is a 127th of the scale
        assert np.abs(told[:, 3] / 255 - opacity).max() <= 0.025

    def test_nothing_is_painted_where_there_is_nothing(self) -> None:
        palette = color_palette(replace(self.LEGEND, faded=False))
        assert palette[color_levels(np.array([0.0]), self.LEGEND)][0, 3] == 0
        assert palette[color_levels(np.array([1e-9]), self.LEGEND)][0, 3] > 150

    def test_a_png_holds_the_layers_pixels(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (7, 5), dtype=np.uint8)
        palette = np.random.default_rng(1).integers(0, 256, (256, 4), dtype=np.uint8)
        for smooth in (False, True):
            layer = Layer(left=0, top=0, width=5, height=7, pixels=pixels, palette=palette, smooth=smooth)
            image = Image.open(io.BytesIO(png_bytes(layer)))
            np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), palette[pixels])

    def test_layers_lie_over_each_other_by_their_opacity(self) -> None:
        half = Layer(left=1, top=0, width=4, height=2, pixels=np.array([[0, 1]], np.uint8),
                     palette=np.array([[0, 0, 0, 0], [200, 0, 0, 128]], np.uint8))  # fmt: skip
        canvas = paint_layers([solid(0, 0, 6, 2, (100, 100, 100)), half], (3, 7))
        assert canvas[0, :, 0].tolist() == [100, 100, 100, 150, 150, 100, 255]
        assert canvas[0, :, 1].tolist() == [100, 100, 100, 50, 50, 100, 255]
        assert (canvas[2] == 255).all()

    @settings(max_examples=60, deadline=None)
    @given(n=st.integers(1, 9), size=st.integers(1, 30))
    def test_enlarged_pixels_are_the_ones_they_lie_in(self, n: int, size: int) -> None:
        large = enlarge(np.arange(n)[None], size, 1)[0]
        assert large.tolist() == [int((k + 0.5) * n / size) for k in range(size)]

    def test_a_drawing_says_the_same_as_layers_and_as_pixels(self, motor: Any) -> None:
        """The pixels of the SVG's images, enlarged by who reads it, are those of the pictures made of pixels."""
        data, labels, affine, marks = motor
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0, 73.0), cutoff=3.0))
        root = ET.fromstring(figures.encode(drawing).data)  # noqa: S314  our own
        height, width = drawing.labels.shape
        paper = Image.new("RGBA", (width, height), "#ffffff")
        for element in root:
            kind = element.tag.rpartition("}")[2]
            if kind not in ("image", "rect"):
                continue
            box = [int(element.get(name, "0")) for name in ("x", "y", "width", "height")]
            if kind == "image":
                packed = element.attrib["href"].partition("base64,")[2]
                one = Image.open(io.BytesIO(base64.b64decode(packed))).convert("RGBA")
                one = one.resize((box[2], box[3]), Image.Resampling.NEAREST)
                assert element.get("image-rendering") == "pixelated"
            else:
                one = Image.new("RGBA", (box[2], box[3]), element.attrib["fill"])
            paper.alpha_composite(one, (box[0], box[1]))
        assert np.abs(np.asarray(paper)[..., :3].astype(int) - drawing.canvas).max() <= 1


class TestNumbers:
    def test_each_region_is_numbered_once_in_the_slice_of_its_peak(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        cuts = figures.choose_cuts([marks], data, affine)
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=cuts, cutoff=3.0))
        captions = {item.text: item.x for item in drawing.letters if item.text.endswith("mm")}
        spacing = np.diff(sorted(captions.values())).min()
        for mark in marks:
            numbers = [item for item in drawing.letters if item.text == str(mark.index) and item.halo]
            assert len(numbers) == 1
            caption = f"z {mark.peak_xyz[2]:g} mm".replace("-", "−")
            assert abs(numbers[0].x - captions[caption]) < spacing / 2

    def test_numbers_stand_near_their_region(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        cuts = figures.choose_cuts([marks], data, affine)
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=cuts, cutoff=3.0))
        for item in (item for item in drawing.letters if item.halo and item.text.isdigit()):
            rows, columns = np.nonzero(drawing.labels == int(item.text))
            assert np.hypot(columns - item.x, rows - (item.y - 5)).min() < 20

    def test_two_hundred_regions_leave_no_numbers_on_top_of_each_other(self) -> None:
        rng = np.random.default_rng(5)
        data = ndimage.gaussian_filter(rng.standard_normal((70, 80, 60)), 1.6).astype(np.float32)
        data /= data.std()
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        labels, marks = find_marks(data, affine, 2.2, 8)
        assert len(marks) > 200
        cuts = figures.choose_cuts([marks], data, affine)
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=cuts, cutoff=2.2))
        placed = boxes(drawing, {str(mark.index) for mark in marks} | {"L", "R"})
        assert len(placed) > 60
        for i, (left, top, right, bottom) in enumerate(placed):
            for other_left, other_top, other_right, other_bottom in placed[i + 1 :]:
                assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top

    def test_a_region_beside_all_cuts_has_no_number(self) -> None:
        data, labels, mark = one_blob(RAS, (41, 41, 41), (30.0, 24.0, 12.0))
        drawing = figures.compose_map(data, labels, RAS, [mark], FigureStyle(cuts=(-30.0,), cutoff=3))
        assert not [item for item in drawing.letters if item.text == "1"]

    def test_a_region_is_numbered_where_it_is_largest_if_its_peak_is_not_shown(self) -> None:
        data, labels, mark = one_blob(RAS, (41, 41, 41), (30.0, 24.0, 12.0))
        labels[5:20, 5:12, 30] = labels[9, 9, 3] = 1
        drawing = figures.compose_map(data, labels, RAS, [mark], FigureStyle(cuts=(30.0, -51.0), cutoff=3))
        number = next(item for item in drawing.letters if item.text == "1")
        first = next(item for item in drawing.letters if item.text == "z 30 mm")
        assert abs(number.x - first.x) < 100
        rows, columns = np.nonzero(drawing.labels)
        assert np.hypot(columns - number.x, rows - (number.y - 5)).min() < 20


class TestOutlines:
    LABELS = np.zeros((9, 9), np.uint8)
    LABELS[3:6, 3:6] = 1

    def test_a_line_inside_and_outside_in_the_regions_colour_then_a_dark_one(self) -> None:
        canvas = np.full((9, 9, 3), 240, np.uint8)
        outlined = outline_pixels(canvas, self.LABELS, {1: "#ff0000"})
        assert "".join("#" if (p == (255, 0, 0)).all() else "." for p in outlined[4]) == "..##.##.."
        assert outlined[4, :2, 0].tolist() == [240, 80]
        assert (canvas == 240).all()

    def test_regions_that_touch_keep_their_own_colours(self) -> None:
        labels = np.zeros((9, 10), np.uint8)
        labels[3:6, 3:5], labels[3:6, 5:7] = 1, 2
        row = outline_pixels(np.full((9, 10, 3), 240, np.uint8), labels, {1: "#ff0000", 2: "#0000ff"})[4]
        assert row[3:5].tolist() == [[255, 0, 0]] * 2
        assert row[5:7].tolist() == [[0, 0, 255]] * 2

    def test_a_map_of_which_nothing_survived_has_the_scale_of_its_own_values(self) -> None:
        view, values = FigureStyle(cuts=(0.0,), cutoff=3.0), np.array([[0.0, 1.5, -0.2]])
        assert make_legend(values, view, faded=False).scale == 1.5
        assert make_legend(values, view, faded=False).cutoffs == ()
        assert make_legend(values, view, faded=True).scale == 3.0
        assert make_legend(0 * values, view, faded=False).scale == 3.0

    def test_nothing_is_outlined_where_nothing_is(self) -> None:
        canvas = np.full((9, 9, 3), 240, np.uint8)
        np.testing.assert_array_equal(outline_pixels(canvas, 0 * self.LABELS, {}), canvas)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_paths_run_along_every_edge_of_a_region_once(self, seed: int) -> None:
        """A path's total length is its region's perimeter in pixel edges, and other regions do not change it."""
        labels = np.random.default_rng(seed).integers(0, 4, (7, 8), dtype=np.uint8)
        paths = outline_paths(labels, [1, 2, 3, 4])
        assert 4 not in paths
        for label in set(labels[labels > 0].tolist()):
            mine = labels == label
            framed = np.pad(mine, 1)
            perimeter = sum(int((np.diff(framed.astype(int), axis=axis) != 0).sum()) for axis in (0, 1))
            assert sum(int(n) for n in re.findall(r"[hv](\d+)", paths[label])) == perimeter
            assert outline_paths(mine.astype(np.uint8), [1])[1] == paths[label]

    def test_paths_of_regions_that_meet_at_a_corner_stay_apart(self) -> None:
        paths = outline_paths(np.array([[1, 0], [0, 2]]), [1, 2])
        assert paths == {1: "M0 0h1M0 1h1M0 0v1M1 0v1", 2: "M1 1h1M1 2h1M1 1v1M2 1v1"}


class TestWords:
    def test_an_empty_result_is_said_on_the_whole_map(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        view = FigureStyle(cuts=(46.0, 73.0), cutoff=3.0)
        empty = figures.compose_map(data, 0 * labels, affine, [], view)
        assert empty.alt == "No region survived"
        assert [item for item in empty.letters if item.text.startswith("No region survived")]
        full = figures.compose_map(data, labels, affine, marks, view)
        assert not [item for item in full.letters if item.text.startswith("No region")]
        # without a threshold, weak values are as opaque as strong ones
        height = full.canvas.shape[0]
        tinted = [np.ptp(d.canvas[-height:, :400].astype(int), axis=2) > 12 for d in (full, empty)]
        assert tinted[1].sum() > 1.5 * tinted[0].sum()

    def test_a_thumbnail_says_it_too_and_is_as_tall_as_the_others(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        view = FigureStyle(cuts=(-17.0, 13.0, 46.0), cutoff=3.0)
        some = figures.draw_thumbnail(data, labels, affine, marks, view)
        none = figures.draw_thumbnail(data, 0 * labels, affine, [], view)
        assert (some.width, some.height) == (none.width, none.height)
        assert 160 <= some.width <= 520
        assert len(some.data) < 20_000
        assert none.alt == "No region survived"

    def test_alt_texts_tell_the_result(self, motor: Any) -> None:
        _, _, _, marks = motor
        assert figures.alt_text(marks) == "4 regions; largest 2237 voxels, peak 7.94 at 60, -19, 46"
        single = Mark(index=1, color="#000000", n_voxels=1, peak_value=-0.001234, peak_xyz=(-2.25, 0.0, -0.04))
        assert figures.alt_text([single]) == "1 region; 1 voxel, peak -0.00123 at -2.2, 0, 0"

    def test_titles_from_a_dataset_cannot_break_a_picture(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        title = 'a<b>\n&"c" \x00' + "very long " * 60
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0,), cutoff=3.0, title=title))
        line = next(item for item in drawing.letters if "very long" in item.text)
        assert load_font(line.size, line.bold).getlength(line.text) < drawing.canvas.shape[1]
        for kind in ("webp", "png", "svg"):
            picture = figures.encode(drawing, kind)  # type: ignore[arg-type]
            assert picture.data
        assert ET.fromstring(picture.data).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  our own

    @pytest.mark.parametrize("columns", [3, 7])
    def test_everything_written_lies_on_the_picture(self, motor: Any, columns: int) -> None:
        data, labels, affine, marks = motor
        view = FigureStyle(
            cuts=figures.choose_cuts([marks], data, affine), cutoff=3.0, layout=PanelLayout(columns=columns)
        )
        drawing = figures.compose_map(data, labels, affine, marks, view)
        height, width = drawing.canvas.shape[:2]
        for left, top, right, bottom in boxes(drawing, {item.text for item in drawing.letters}):
            assert left >= 0
            assert top >= 0
            assert right <= width
            assert bottom <= height


class TestBytes:
    @pytest.mark.parametrize(("kind", "start"), [("webp", b"RIFF"), ("png", b"\x89PNG"), ("svg", b"<svg")])
    def test_each_kind_is_what_it_says(self, motor: Any, kind: Any, start: bytes) -> None:
        data, labels, affine, marks = motor
        picture = figures.encode(
            figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0, 73.0), cutoff=3.0)), kind
        )
        assert picture.data.startswith(start)
        assert picture.alt == figures.alt_text(marks)
        if kind != "svg":
            image = Image.open(io.BytesIO(picture.data))
            assert image.size == (picture.width, picture.height)
            assert f"image/{kind}" == picture.mime
            assert image.mode == "RGB"

    def test_a_vector_picture_can_be_searched(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        drawing = figures.compose_map(
            data, labels, affine, marks, FigureStyle(cuts=(46.0, 73.0), cutoff=3.0, title="a > b")
        )
        root = ET.fromstring(figures.encode(drawing, "svg").data)  # noqa: S314  our own
        svg = "{http://www.w3.org/2000/svg}"
        texts = [e.text for e in root.iter(f"{svg}text") if "aria-hidden" not in e.attrib]
        assert texts == [item.text for item in drawing.letters]
        colors = [e.attrib["stroke"] for e in root.iter(f"{svg}path") if e.find(f"{svg}title") is not None]
        assert colors == [mark.color for mark in marks if (drawing.labels == mark.index).any()]

    def test_two_processes_write_the_same_bytes(self, tmp_path: Path) -> None:
        """Another hash seed, another folder, no HOME: nothing of it is in the picture."""
        program = (
            "import sys, hashlib, numpy as np\n"
            "from bids_regions import figures as f\n"
            "rng = np.random.default_rng(1); d = rng.standard_normal((20, 24, 18)); l = (d > 2).astype('u1')\n"
            "m = [f.Mark(index=1, color='#009e73', n_voxels=9, peak_value=3.0, peak_xyz=(3.0, 4.0, 5.0))]\n"
            "x = f.compose_map(d, l, np.diag([3.0, 3, 3, 1]), m, f.FigureStyle(cuts=(6, 15), cutoff=2.0, title='t'))\n"
            "print([hashlib.sha256(f.encode(x, k).data).hexdigest() for k in ('webp', 'png', 'svg')])\n"
        )
        seen = set()
        for seed in ("1", "2"):
            folder = tmp_path / seed
            folder.mkdir()
            environment = {**os.environ, "PYTHONHASHSEED": seed, "MPLCONFIGDIR": str(folder)}
            environment["PYTHONPATH"] = str(Path(figures.__file__).parents[2])
            environment.pop("HOME", None)
            done = subprocess.run(
                [sys.executable, "-c", program], env=environment, cwd=folder, capture_output=True, text=True, check=True
            )
            seen.add(done.stdout)
        assert len(seen) == 1

    def test_importing_the_room_loads_no_matplotlib(self) -> None:
        program = "import sys, bids_regions.figures; print(sorted({'matplotlib', 'PIL'} & set(sys.modules)))"
        environment = {**os.environ, "PYTHONPATH": str(Path(figures.__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"


def test_letters_are_drawn_by_their_baseline() -> None:
    """The lowest ink of an L is at its y, in the pixel picture as in SVG."""
    letter = Letters(x=20, y=40, text="L", size=20, bold=True)
    drawing = Drawing(layers=(), labels=np.zeros((60, 40), int), colors={}, letters=(letter,), alt="")
    rows = np.nonzero(np.asarray(pixels(drawing)).min(axis=(1, 2)) < 100)[0]
    assert rows.max() == 39
    assert rows.min() == pytest.approx(40 - 0.73 * 20, abs=1)


@pytest.mark.parametrize("alphas", [(0, 255, 255), (255, 255, 255), (0, 0, 255), (0, 128, 255)])
def test_solid_layers_are_painted_as_blended_ones(alphas):
    """The oracle blends each pixel by its opacity, one layer after the other."""
    rng = np.random.default_rng(0)
    painted = []
    for left, top in ((0, 0), (3, 2), (5, 6)):
        palette = np.column_stack([rng.integers(0, 256, (3, 3)), alphas]).astype(np.uint8)
        pixels = rng.integers(0, 3, (4, 3)).astype(np.uint8)
        painted.append(Layer(left=left, top=top, width=6, height=8, pixels=pixels, palette=palette))
    wanted = np.full((15, 12, 3), 255)
    for layer in painted:
        for y in range(8):
            for x in range(6):
                *color, alpha = (int(v) for v in layer.palette[layer.pixels[y * 4 // 8, x * 3 // 6]])
                at = wanted[layer.top + y, layer.left + x]
                at[:] = [b + ((c - b) * alpha + 127) // 255 for c, b in zip(color, at.tolist(), strict=True)]
    np.testing.assert_array_equal(paint_layers(painted, (15, 12)), wanted)
