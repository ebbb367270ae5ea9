"""Pictures: where cuts lie and which side is which, on any grid."""

import itertools
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from figure_maps import LAS, LPS, OBLIQUE, PERMUTED, RAS, boxes, motor, one_blob
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_regions import figures
from bids_regions.figures import FigureStyle, Mark, Underlay
from bids_regions.figures.drawing import Drawing
from bids_regions.figures.slices import Raster, make_raster, occupied, sample_nearest, world_steps

__all__ = ["motor"]  # fixture


def where_red(drawing: Drawing, width: int) -> tuple[float, float]:
    """Centre of the strongly red pixels among the first `width` columns, as x and y."""
    canvas = drawing.canvas[:, :width].astype(int)
    rows, columns = np.nonzero((canvas[..., 0] - canvas[..., 2] > 60) & (canvas[..., 2] < 120))
    return float(columns.mean()), float(rows.mean())


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
