"""Pictures: colours, their bar, prevalence."""

import io
import math
from typing import Any

import numpy as np
import pytest
from figure_maps import motor
from matplotlib import colormaps
from PIL import Image

from bids_regions import figures
from bids_regions.figures import FigureStyle, Mark, Prevalence, Underlay
from bids_regions.figures.colors import (
    Legend,
    color_table,
    color_values,
    full_scale,
    grey_levels,
    hex_rgb,
)
from bids_regions.figures.lettering import load_font, text_width
from bids_regions.figures.matplotlib_tables import LETTERS

__all__ = ["motor"]  # fixture


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
