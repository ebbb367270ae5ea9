"""Pictures: cuts, sides, colours, numbers, words, bytes."""

import base64
import io
import itertools
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import nibabel as nib
import nilearn.datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from PIL import Image
from scipy import ndimage

from bids_regions import figures
from bids_regions.figures import FigureStyle, Mark, PanelLayout, Prevalence, Underlay
from bids_regions.figures.colors import (
    Legend,
    color_levels,
    color_palette,
    color_table,
    color_values,
    full_scale,
    grey_levels,
    hex_rgb,
)
from bids_regions.figures.drawing import Drawing, pixels
from bids_regions.figures.layers import Layer, enlarge, paint_layers, png_bytes, solid
from bids_regions.figures.lettering import Letters, load_font, text_width
from bids_regions.figures.matplotlib_tables import LETTERS
from bids_regions.figures.mosaic import outline_paths, outline_pixels
from bids_regions.figures.planes import make_legend
from bids_regions.figures.slices import Raster, make_raster, occupied, sample_nearest, world_steps

MOTOR = Path(nilearn.datasets.__file__).parent / "data" / "image_10426.nii.gz"
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
RED, BLUE = (200, 60, 40), (40, 100, 200)


def find_marks(data: Any, affine: Any, cutoff: float, smallest: int) -> tuple[Any, list[Mark]]:
    """Components of both signs as labels and marks, without the program's own extraction."""
    labels = np.zeros(data.shape, np.uint16)
    marks: list[Mark] = []
    for sign in (1, -1):
        components, n = ndimage.label(sign * data >= cutoff)
        for component in range(1, n + 1):
            inside = components == component
            if inside.sum() < smallest:
                continue
            index = len(marks) + 1
            labels[inside] = index
            ijk = np.unravel_index(np.where(inside, sign * data, -np.inf).argmax(), data.shape)
            x, y, z = (affine[:3, :3] @ ijk + affine[:3, 3]).tolist()
            color = COLORS[(index - 1) % len(COLORS)]
            value = float(data[ijk])
            marks.append(
                Mark(index=index, color=color, n_voxels=int(inside.sum()), peak_value=value, peak_xyz=(x, y, z))
            )
    return labels, marks


@pytest.fixture(scope="module")
def motor() -> tuple[Any, Any, Any, list[Mark]]:
    image = nib.load(MOTOR)
    data = np.nan_to_num(np.asanyarray(image.dataobj).astype(np.float32))
    labels, marks = find_marks(data, image.affine, 3.0, 56)
    return data, labels, image.affine, marks


def one_blob(affine: Any, shape: tuple[int, ...], xyz: tuple[float, float, float]) -> tuple[Any, Any, Mark]:
    """A map of 1 everywhere with a blob of 9 in the voxel at `xyz` and its neighbours."""
    data = np.ones(shape, np.float32)
    labels = np.zeros(shape, np.uint8)
    ijk = np.rint(np.linalg.inv(affine) @ (*xyz, 1)).astype(int)[:3]
    box = tuple(slice(max(0, i - 1), i + 2) for i in ijk)
    data[box], labels[box] = 9.0, 1
    mark = Mark(index=1, color="#009e73", n_voxels=int(labels.sum()), peak_value=9.0, peak_xyz=xyz)
    return data, labels, mark


def where_red(drawing: Drawing, width: int) -> tuple[float, float]:
    """Centre of the strongly red pixels among the first `width` columns, as x and y."""
    canvas = drawing.canvas[:, :width].astype(int)
    rows, columns = np.nonzero((canvas[..., 0] - canvas[..., 2] > 60) & (canvas[..., 2] < 120))
    return float(columns.mean()), float(rows.mean())


RAS = np.array([[3.0, 0, 0, -60], [0, 3, 0, -60], [0, 0, 3, -60], [0, 0, 0, 1]])
LAS = np.array([[-3.0, 0, 0, 60], [0, 3, 0, -60], [0, 0, 3, -60], [0, 0, 0, 1]])
LPS = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 60], [0, 0, 3, -60], [0, 0, 0, 1]])
PERMUTED = np.array([[0.0, 0, 3, -60], [-3, 0, 0, 60], [0, 3, 0, -60], [0, 0, 0, 1]])
TURN = math.radians(17)
OBLIQUE = np.array(
    [
        [3 * math.cos(TURN), -3 * math.sin(TURN), 0, -45],
        [3 * math.sin(TURN), 3 * math.cos(TURN), 0, -75],
        [0, 0, 3, -60],
        [0, 0, 0, 1],
    ]
)


class TestSides:
    @pytest.mark.parametrize("affine", [RAS, LAS, LPS, PERMUTED, OBLIQUE], ids=["RAS", "LAS", "LPS", "perm", "obl"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_a_blob_in_the_right_front_is_drawn_right_and_above(self, affine: Any, order: Any) -> None:
        data, labels, mark = one_blob(affine, (41, 41, 41), (30.0, 24.0, 12.0))
        drawing = figures.compose_map(
            np.asarray(data, order=order),
            np.asarray(labels, order=order),
            affine,
            [mark],
            FigureStyle(cuts=(12.0,), cutoff=3),
        )
        left, right = (next(item.x for item in drawing.letters if item.text == side) for side in "LR")
        top, below = next(item.y for item in drawing.letters if item.text == "L"), drawing.canvas.shape[0]
        x, y = where_red(drawing, int(right))
        # the tile's middle is x = 0, y = 0 in mm on the upright grids
        assert x > (left + right) / 2 + 10
        assert y < (top + below) / 2 - 10

    @pytest.mark.parametrize("affine", [RAS, LAS, LPS, PERMUTED], ids=["RAS", "LAS", "LPS", "permuted"])
    def test_any_storage_of_one_map_is_one_picture(self, motor: Any, affine: Any) -> None:
        """Flipped and permuted axes with their affine give the same canvas, letter for letter."""
        data, labels, _, _marks = (*one_blob(RAS, (41, 41, 41), (30.0, 24.0, 12.0)), None)
        orientation = nib.orientations.ornt_transform(
            nib.orientations.io_orientation(RAS), nib.orientations.io_orientation(affine)
        )
        view = FigureStyle(cuts=(12.0, 0.0), cutoff=3.0)
        stored = [nib.orientations.apply_orientation(a, orientation) for a in (data, labels)]
        moved = RAS @ nib.orientations.inv_ornt_aff(orientation, data.shape)
        one = figures.encode(figures.compose_map(data, labels, RAS, [_], view))
        two = figures.encode(figures.compose_map(stored[0], stored[1], moved, [_], view))
        assert one.data == two.data

    @pytest.mark.parametrize("size", [0.1, 0.3, 0.7, 1.1, 2.3])
    def test_points_halfway_between_voxels_all_go_to_the_same_side(self, size: float) -> None:
        """The higher one, however the halves were rounded."""
        volume = np.arange(1, 401).reshape(400, 1, 1)
        affine = np.diag([size, size, size, 1.0])
        affine[0, 3] = -7 * size
        halves = np.arange(399) * size - 7 * size + size / 2
        raster = Raster(x=halves, y=np.zeros(1), z=np.zeros(1), step=(size, size))
        assert np.array_equal(sample_nearest(volume, affine, raster).ravel(), np.arange(2, 401))

    def test_sampling_meets_the_voxel_that_holds_the_point(self) -> None:
        """Against a plain loop, on an oblique anisotropic grid."""
        rng = np.random.default_rng(3)
        affine = OBLIQUE @ np.diag([1.0, 1.4, 0.7, 1.0])
        volume = rng.integers(1, 1000, (9, 8, 7))
        raster = make_raster(affine, volume.shape, (-58.0, -52.5))
        sampled = sample_nearest(volume, affine, raster)
        inverse = np.linalg.inv(affine)
        expected = np.zeros_like(sampled)
        for k, z in enumerate(raster.z):
            for j, y in enumerate(raster.y):
                for i, x in enumerate(raster.x):
                    ijk = np.floor(inverse[:3] @ (x, y, z, 1) + 0.5 + 1e-6).astype(int)
                    if (ijk >= 0).all() and (ijk < volume.shape).all():
                        expected[k, j, i] = volume[tuple(ijk)]
        np.testing.assert_array_equal(sampled, expected)
        assert 0.3 < (sampled > 0).mean() < 1

    def test_left_and_right_are_named_on_every_slice(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(-26.0, 13.0, 46.0), cutoff=3.0))
        for side in "LR":
            assert sum(item.text == side for item in drawing.letters) == 3
        thumbnail = figures.compose_map(
            data, labels, affine, marks, FigureStyle(cuts=(-26.0, 13.0), cutoff=3.0, layout=figures.THUMBNAIL)
        )
        assert sum(item.text in "LR" for item in thumbnail.letters) == 4


class TestCuts:
    def test_peaks_come_first_the_largest_region_before_all(self, motor: Any) -> None:
        data, _, affine, marks = motor
        largest = max(marks, key=lambda mark: mark.n_voxels)
        assert figures.choose_cuts([marks], data, affine, n=1) == (largest.peak_xyz[2],)
        cuts = figures.choose_cuts([marks], data, affine)
        assert {mark.peak_xyz[2] for mark in marks} <= set(cuts)
        assert list(cuts) == sorted(cuts)
        assert len(cuts) == 7
        assert min(np.diff(cuts)) >= 8

    def test_peaks_closer_than_8_mm_share_a_cut(self) -> None:
        marks = [
            Mark(index=i, color="#000000", n_voxels=100 - i, peak_value=4.0, peak_xyz=(0.0, 0.0, z))
            for i, z in enumerate((10.0, 17.9, 18.0, 2.5), start=1)
        ]
        assert figures.choose_cuts([marks], np.ones((2, 2, 40)), np.eye(4), n=2) == (10.0, 18.0)

    def test_entries_are_pooled(self) -> None:
        marks = [Mark(index=1, color="#000000", n_voxels=9, peak_value=4.0, peak_xyz=(0, 0, z)) for z in (3.0, 33.0)]
        data = np.ones((2, 2, 40))
        both = figures.choose_cuts([[marks[0]], [marks[1]]], data, np.eye(4), n=4)
        assert {3.0, 33.0} < set(both)

    def test_without_peaks_the_cuts_cover_the_data_evenly(self, motor: Any) -> None:
        data, _, affine, _ = motor
        cuts = figures.choose_cuts([[]], data, affine)
        z = affine[2, 2] * np.nonzero(data.any(axis=(0, 1)))[0] + affine[2, 3]
        assert len(cuts) == 7
        assert np.ptp(np.diff(cuts)) <= 3.0 + 1e-9
        assert z.min() < cuts[0] < z.min() + 30
        assert z.max() - 30 < cuts[-1] < z.max()

    def test_every_cut_is_a_plane_of_an_upright_grid(self, motor: Any) -> None:
        data, _, affine, marks = motor
        for chosen in (figures.choose_cuts([marks], data, affine), figures.choose_cuts([[]], data, affine)):
            planes = (np.array(chosen) - affine[2, 3]) / affine[2, 2]
            np.testing.assert_allclose(planes, np.rint(planes), atol=1e-5)

    @pytest.mark.parametrize(("planes", "expected"), [(1, 1), (2, 2), (5, 5), (12, 7)])
    def test_a_map_of_few_planes_has_few_cuts(self, planes: int, expected: int) -> None:
        data = np.ones((3, 3, planes))
        peak = [Mark(index=1, color="#000000", n_voxels=2, peak_value=4.0, peak_xyz=(0.0, 0.0, 0.0))]
        assert len(figures.choose_cuts([[]], data, np.eye(4))) == expected
        assert len(figures.choose_cuts([peak], data, np.eye(4))) == expected

    def test_a_map_without_any_data_is_cut_over_its_grid(self) -> None:
        assert figures.choose_cuts([[]], np.zeros((3, 3, 9)), np.eye(4), n=3) == (2.0, 4.0, 6.0)

    def test_one_lonely_voxel_is_met(self) -> None:
        data = np.zeros((80, 80, 80), np.float32)
        data[40, 2, 66] = 1
        assert figures.choose_cuts([[]], data, np.eye(4)) == (66.0,)

    @settings(max_examples=40, deadline=None)
    @given(
        z=st.lists(st.floats(-50, 50).map(lambda v: round(v, 1)), max_size=12),
        n=st.integers(1, 9),
        size=st.sampled_from([0.7, 2.0, 3.3]),
    )
    def test_cuts_are_sorted_distinct_and_not_too_many(self, z: list[float], n: int, size: float) -> None:
        affine = np.diag([size, size, size, 1.0])
        affine[2, 3] = -60
        marks = [
            Mark(index=i, color="#000000", n_voxels=5, peak_value=3.0, peak_xyz=(0.0, 0.0, v))
            for i, v in enumerate(z, start=1)
        ]
        cuts = figures.choose_cuts([marks], np.ones((2, 2, int(120 / size))), affine, n=n)
        assert 1 <= len(cuts) == n
        assert all(b - a > size * 0.49 for a, b in itertools.pairwise(cuts))


class TestColors:
    LEGEND = Legend(cutoff=4.0, tail="bi", unit="z", scale=8.0)

    def test_opacity_falls_with_the_square_below_the_cutoff(self) -> None:
        _, opacity = color_values(np.array([0, 1, 2, 4, 8, -2, -4, -9.0]), self.LEGEND)
        np.testing.assert_allclose(opacity, [0, 1 / 16, 1 / 4, 1, 1, 1 / 4, 1, 1], rtol=1e-5)

    @pytest.mark.parametrize(("tail", "up", "down"), [("positive", 1, 0.35), ("negative", 0.35, 1), ("two", 1, 1)])
    def test_the_side_that_is_not_tested_stays_faint(self, tail: str, up: float, down: float) -> None:
        legend = Legend(cutoff=4.0, tail=tail, unit="z", scale=8.0)
        np.testing.assert_allclose(color_values(np.array([7.0, -7.0]), legend)[1], [up, down], rtol=1e-5)

    def test_where_nothing_can_pass_the_largest_value_is_the_measure(self) -> None:
        legend = Legend(cutoff=math.inf, tail="bi", unit="z", scale=8.0)
        np.testing.assert_allclose(color_values(np.array([4.0, 8.0]), legend)[1], [0.25, 1])
        assert legend.cutoffs == ()

    def test_the_colours_diverge_evenly_around_zero(self) -> None:
        colors, _ = color_values(np.array([-8.0, 0.0, 8.0]), self.LEGEND)
        table = color_table("RdBu_r")
        np.testing.assert_array_equal(colors, table[[0, 128, 255]])
        assert colors[0, 2] > colors[0, 0]  # negative is blue
        assert colors[2, 0] > colors[2, 2]  # positive is red

    @pytest.mark.parametrize("unit", ["F", "chisq"])
    def test_a_statistic_without_sign_has_its_own_colours(self, unit: str) -> None:
        legend = Legend(cutoff=4.0, tail="bi", unit=unit, scale=8.0)
        colors, _ = color_values(np.array([0.0, 8.0]), legend)
        np.testing.assert_array_equal(colors, color_table("YlOrRd")[[0, 255]])
        assert legend.cutoffs == (4.0,)

    def test_one_artefact_does_not_wash_out_a_map(self) -> None:
        values = np.linspace(-5, 5, 100_000)
        assert full_scale(values, 3.0) == (5.0, False)
        values[17] = 500.0
        scale, clipped = full_scale(values, 3.0)
        assert 4.9 < scale <= 5.0
        assert clipped

    @pytest.mark.parametrize("cutoff", [3.0, math.inf])
    def test_a_map_of_zeros_has_a_scale(self, cutoff: float) -> None:
        scale, _ = full_scale(np.zeros(10), cutoff)
        assert math.isfinite(scale)
        assert scale > 0

    def test_anatomy_is_robust_against_rubbish(self) -> None:
        levels = grey_levels(np.array([np.nan, np.inf, -5.0, 0.0, 100.0]))
        assert levels.tolist() == [255, 255, 255, 255, 220]


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


class TestTables:
    """What is carried of matplotlib is what the installed one has."""

    @pytest.mark.parametrize("name", ["RdBu_r", "YlOrRd"])
    def test_colours_are_those_of_matplotlib(self, name: str) -> None:
        np.testing.assert_array_equal(color_table(name), colormaps[name](np.arange(256), bytes=True)[:, :3])

    @pytest.mark.parametrize("bold", [False, True])
    def test_letters_are_as_wide_as_in_its_font(self, bold: bool) -> None:
        font = load_font(2048.0, bold)
        assert all(text_width(letter, 2048.0, bold) == font.getlength(letter) for letter in LETTERS)
        for text in ("-12.5", "z \N{MINUS SIGN}26 mm", "No region survived: the map is shown", "Größe > faces"):
            assert text_width(text, 14.0, bold) == pytest.approx(load_font(14.0, bold).getlength(text), rel=0.05)

    def test_a_letter_that_is_not_in_the_table_has_room(self) -> None:
        assert text_width("\N{CJK UNIFIED IDEOGRAPH-8111}", 10.0) == 10.0


class TestBar:
    @pytest.mark.parametrize(
        ("tail", "unit", "expected"),
        [
            ("bi", "z", {"3": True, "−3": True, "7.94": False, "−7.94": False, "0": False}),
            ("two", "t", {"3": True, "−3": True, "7.94": False, "−7.94": False, "0": False}),
            ("positive", "z", {"3": True, "7.94": False, "−7.94": False, "0": False}),
            ("negative", "z", {"−3": True, "7.94": False, "−7.94": False, "0": False}),
            ("positive", "F", {"3": True, "7.94": False, "0": False}),
        ],
    )
    def test_ticks_name_the_cutoff_and_the_ends(self, motor: Any, tail: str, unit: str, expected: Any) -> None:
        data, labels, affine, marks = motor
        view = FigureStyle(cuts=(46.0, 73.0), cutoff=3.0, tail=tail, unit=unit)
        drawing = figures.compose_map(data, labels, affine, marks, view)
        ticks = {item.text: item.bold for item in drawing.letters if item.anchor == "start" and item.text != "L"}
        assert ticks == expected
        assert any(item.text == unit and item.bold for item in drawing.letters)

    def test_the_tick_stands_where_the_bar_has_the_cutoff(self, motor: Any) -> None:
        """The dark line and the bold number are at one height, 3 / 7.94 of the upper half above the middle."""
        data, labels, affine, marks = motor
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0,), cutoff=3.0))
        at = {item.text: item.y for item in drawing.letters if item.anchor == "start"}
        assert (at["0"] - at["3"]) / (at["0"] - at["7.94"]) == pytest.approx(3 / 7.9413, abs=0.01)
        column = int(next(item.x for item in drawing.letters if item.text == "3")) - 9
        dark = np.flatnonzero((drawing.canvas[:, column] == hex_rgb("#1a1a1a")).all(axis=1))
        assert abs(dark.min() - (at["3"] - 14 * 0.93 * 0.365)) <= 1.5

    def test_an_infinite_cutoff_has_no_tick(self, motor: Any) -> None:
        data, labels, affine, _ = motor
        drawing = figures.compose_map(data, 0 * labels, affine, [], FigureStyle(cuts=(46.0,), cutoff=math.inf))
        assert not [item for item in drawing.letters if item.bold and item.anchor == "start" and item.text == "3"]
        assert "inf" not in " ".join(item.text for item in drawing.letters)

    def test_a_clipped_bar_says_so(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0,), cutoff=3.0, scale=6.0))
        assert {"≥6", "≤−6"} <= {item.text for item in drawing.letters}

    def test_ticks_never_touch(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        for cutoff in (0.05, 3.0, 7.6, 7.94):
            drawing = figures.compose_map(data, labels, affine, marks, FigureStyle(cuts=(46.0,), cutoff=cutoff))
            lines = sorted(item.y for item in drawing.letters if item.anchor == "start" and item.text != "L")
            assert min(np.diff(lines)) > 13


def boxes(drawing: Drawing, texts: set[str]) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the letters whose text is among some."""
    found = []
    for item in drawing.letters:
        if item.text in texts:
            width = load_font(item.size, item.bold).getlength(item.text)
            left = item.x - {"start": 0, "middle": width / 2, "end": width}[item.anchor]
            found.append((left, item.y - 0.73 * item.size, left + width, item.y))
    return found


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


class TestAnyGrid:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (5, 4, 6), (1, 300, 5), (300, 1, 2), (900, 40, 3)])
    @pytest.mark.parametrize("filled", [True, False])
    def test_tiny_and_slim_maps_have_a_picture(self, shape: tuple[int, int, int], filled: bool) -> None:
        data = np.full(shape, 4.0 if filled else 0.0)
        mark = Mark(index=1, color="#d55e00", n_voxels=data.size, peak_value=4.0, peak_xyz=(0.0, 0.0, 0.0))
        marks = [mark] if filled else []
        cuts = figures.choose_cuts([marks], data, np.eye(4))
        drawing = figures.compose_map(
            data, (data > 0).astype(np.int32), np.eye(4), marks, FigureStyle(cuts=cuts, cutoff=3.0)
        )
        height, width = drawing.canvas.shape[:2]
        assert 60 < width < 3000
        assert 60 < height < 1000
        sides = boxes(drawing, {"L", "R"})
        assert all(b[0] >= a[2] for a, b in itertools.pairwise(sides))

    def test_voxels_keep_their_shape(self) -> None:
        """A 4 x 2 mm voxel is drawn twice as wide as tall."""
        affine = np.diag([4.0, 2.0, 2.0, 1.0])
        data = np.zeros((9, 18, 3))
        data[:, 0], data[:, -1], data[0], data[-1] = 0.1, 0.1, 0.1, 0.1
        labels = np.zeros(data.shape, np.uint8)
        labels[4, 9, 1] = 1
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=1.0, peak_xyz=(16.0, 18.0, 2.0))
        drawing = figures.compose_map(data, labels, affine, [mark], FigureStyle(cuts=(2.0,), cutoff=3.0))
        rows, columns = np.nonzero(drawing.labels)
        assert np.ptp(columns) + 1 == 2 * (np.ptp(rows) + 1)
        assert (drawing.labels > 0).sum() == (np.ptp(columns) + 1) * (np.ptp(rows) + 1)

    def test_steps_of_an_oblique_grid_are_the_finest_voxel(self) -> None:
        assert world_steps(OBLIQUE @ np.diag([1.0, 0.5, 2.0, 1.0])).tolist() == pytest.approx([1.5, 1.5, 1.5])

    def test_a_very_fine_map_is_thinned(self) -> None:
        raster = make_raster(np.diag([0.2, 0.2, 0.2, 1.0]), (1000, 1100, 10), (1.0,), most=270)
        assert raster.x.size <= 270
        assert raster.y.size <= 270
        assert raster.step == pytest.approx((0.8, 1.0))

    def test_infinite_values_do_no_harm(self, motor: Any) -> None:
        data, labels, affine, marks = motor
        broken, mended = data.copy(), data.copy()
        broken[20:23, 20:23], mended[20:23, 20:23] = np.array([np.nan, np.inf, -np.inf])[:, None, None], 0
        one, two = (
            figures.encode(figures.compose_map(m, labels, affine, marks, FigureStyle(cuts=(46.0,), cutoff=3.0)))
            for m in (broken, mended)
        )
        assert one.data == two.data

    def test_slices_are_cut_to_what_they_show(self) -> None:
        planes = np.zeros((2, 50, 40), bool)
        planes[0, 10:20, 5:9] = True
        planes[1, 15:30, 8] = True
        raster = make_raster(np.eye(4), (40, 50, 2), (0.0, 1.0))
        assert occupied(planes, raster) == (slice(7, 33), slice(2, 12))

    @pytest.mark.parametrize("labels", [np.zeros((3, 3, 4), int), np.zeros((3, 3), int)])
    def test_grids_that_differ_are_refused(self, labels: Any) -> None:
        with pytest.raises(ValueError, match="not on one 3-D grid"):
            figures.encode(
                figures.compose_map(np.ones((3, 3, 3)), labels, np.eye(4), [], FigureStyle(cuts=(0.0,), cutoff=1.0))
            )

    def test_no_cut_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one cut"):
            figures.encode(
                figures.compose_map(
                    np.ones((3, 3, 3)), np.zeros((3, 3, 3), int), np.eye(4), [], FigureStyle(cuts=(), cutoff=1.0)
                )
            )


class TestBackground:
    def test_anatomy_lies_where_its_own_affine_says(self) -> None:
        """A bright block in the left back of an LAS background at 1 mm, under a 3 mm RAS map that is almost nothing."""
        data = np.full((41, 41, 41), 0.01)
        anatomy = np.full((121, 121, 121), 40.0)
        affine = np.array([[-1.0, 0, 0, 60], [0, 1, 0, -60], [0, 0, 1, -60], [0, 0, 0, 1]])
        ijk = (np.linalg.inv(affine) @ (-36, -30, 0, 1)).astype(int)
        anatomy[ijk[0] - 6 : ijk[0] + 6, ijk[1] - 6 : ijk[1] + 6] = 200.0
        view = FigureStyle(cuts=(0.0,), cutoff=3.0)
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=1.0, peak_xyz=(0.0, 0.0, 0.0))
        drawing = figures.compose_map(
            data, np.zeros(data.shape, int), RAS, [mark], view, Underlay(data=anatomy, affine=affine)
        )
        right = next(item.x for item in drawing.letters if item.text == "R")
        tile = drawing.canvas[20:-45, 20 : int(right) - 5].astype(int)
        rows, columns = np.nonzero((tile[..., 0] > 190) & (tile[..., 0] < 235))
        assert columns.mean() / tile.shape[1] == pytest.approx(0.2, abs=0.04)
        assert rows.mean() / tile.shape[0] == pytest.approx(0.75, abs=0.05)

    def test_beyond_the_anatomy_is_paper(self) -> None:
        data = np.zeros((30, 30, 3))
        data[5:25, 5:25] = 0.001
        anatomy = np.zeros((30, 30, 3))
        anatomy[:12] = 100.0
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=1.0, peak_xyz=(0.0, 0.0, 0.0))
        affine = np.diag([3.0, 3.0, 3.0, 1.0])
        drawing = figures.compose_map(
            data,
            np.zeros(data.shape, int),
            affine,
            [mark],
            FigureStyle(cuts=(3.0,), cutoff=3.0),
            Underlay(data=anatomy, affine=affine),
        )
        middle = drawing.canvas[drawing.canvas.shape[0] // 2 - 10, :200, 0]
        assert (middle == 220).sum() > 25
        assert (middle == 222).sum() < 5
        assert (middle == 255).sum() > 60


class TestPrevalence:
    def test_the_more_frequent_sign_is_shown_and_a_tie_is_positive(self) -> None:
        shape = (40, 20, 3)
        positive, negative = np.zeros(shape), np.zeros(shape)
        positive[2:12], negative[2:12] = 0.9, 0.2
        positive[15:25], negative[15:25] = 0.3, 0.9
        positive[28:38], negative[28:38] = 0.8, 0.8
        prevalence = Prevalence(positive=positive, negative=negative, coverage=np.ones(shape))
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=0.9, peak_xyz=(6.0, 0.0, 0.0))
        drawing = figures.compose_prevalence(
            prevalence,
            np.zeros(shape, int),
            np.diag([3.0, 3.0, 3.0, 1.0]),
            [mark],
            FigureStyle(cuts=(3.0,), cutoff=0.5),
        )
        image = np.asarray(Image.open(io.BytesIO(figures.encode(drawing, "png").data)).convert("RGB")).astype(int)
        row = image[image.shape[0] // 2 - 10, 15:195]
        redder = row[:, 0] - row[:, 2]
        thirds = [redder[int(f * len(row))] for f in (0.17, 0.5, 0.82)]
        assert thirds[0] > 60
        assert thirds[1] < -60
        assert thirds[2] > 60

    def test_the_bar_counts_per_cent(self) -> None:
        shape = (10, 10, 3)
        half = np.full(shape, 0.25)
        prevalence = Prevalence(positive=half, negative=0 * half, coverage=0 * half + 1)
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=0.25, peak_xyz=(4.0, 4.0, 1.0))
        drawing = figures.compose_prevalence(
            prevalence, np.zeros(shape, int), np.eye(4), [mark], FigureStyle(cuts=(1.0,), cutoff=0.5)
        )
        written = {letter.text for letter in drawing.letters}
        assert {"%", "100", "50", "0", "\N{MINUS SIGN}50", "\N{MINUS SIGN}100"} <= written

    def test_anatomy_takes_the_place_of_the_coverage(self) -> None:
        shape, affine = (10, 10, 3), np.eye(4)
        flat = np.full(shape, 0.25)
        prevalence = Prevalence(positive=flat, negative=0 * flat, coverage=0 * flat + 1)
        mark = Mark(index=1, color="#d55e00", n_voxels=1, peak_value=0.9, peak_xyz=(4.0, 4.0, 1.0))
        labels, view = np.zeros(shape, int), FigureStyle(cuts=(1.0,), cutoff=0.5)
        anatomy = Underlay(data=np.indices(shape)[0] + 1.0, affine=affine)
        plain = figures.compose_prevalence(prevalence, labels, affine, [mark], view)
        drawn = figures.compose_prevalence(prevalence, labels, affine, [mark], view, anatomy)
        assert (plain.canvas != drawn.canvas).any()


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


def test_sampling_does_not_depend_on_how_a_volume_lies_in_memory():
    volume = np.random.default_rng(0).normal(size=(7, 8, 9))
    affine = np.array([[2.0, 0.3, 0, -6], [-0.3, 2.0, 0, -7], [0, 0, 2.0, -8], [0, 0, 0, 1]])
    raster = make_raster(affine, volume.shape, (-4.0, 0.0, 3.0))
    padded = np.zeros((9, 10, 12))
    padded[1:8, 1:9, 2:11] = volume
    first, *others = (
        sample_nearest(one, affine, raster)
        for one in (
            volume,
            np.asfortranarray(volume),
            padded[1:8, 1:9, 2:11],
            volume.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        )
    )
    assert first.any()
    for other in others:
        np.testing.assert_array_equal(first, other)
