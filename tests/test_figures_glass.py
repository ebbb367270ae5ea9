"""The glass brain of a report: what each line of sight shows, against plain loops; nothing depends on storage order."""

import itertools

import numpy as np
import pytest
from nibabel.affines import apply_affine, from_matvec
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff
from scipy import ndimage
from scipy.spatial.transform import Rotation

from bids_regions.figures import FigureStyle, Mark, Underlay, cast_shadow, compose_glass, encode, glass
from bids_regions.figures.colors import Legend, color_levels

AFFINE = from_matvec(np.diag([2.0, 3.0, 4.0]), [-10, -20, -30])
STYLE = FigureStyle(cuts=(), cutoff=3.0, scale=9.0)


def scene(seed: int = 0, shape: tuple[int, int, int] = (7, 9, 6)) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and as labels what is far from zero, every sign a region."""
    data = np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)
    return data, np.select([data >= 3, data <= -3], [1, 2], 0).astype(np.uint8)


def marks_of(data: np.ndarray, labels: np.ndarray, affine: np.ndarray) -> list[Mark]:
    found = []
    for index in np.unique(labels[labels > 0]).tolist():
        at = np.unravel_index(np.where(labels == index, np.abs(data), 0).argmax(), data.shape)
        xyz = tuple(float(v) for v in apply_affine(affine, at))
        n = int((labels == index).sum())
        found.append(Mark(index=index, color="#123456", n_voxels=n, peak_value=float(data[at]), peak_xyz=xyz))
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_a_straight_grid_casts_the_shadow_that_its_voxels_one_by_one_do(
    order: tuple[int, ...], flips: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = np.zeros((7, 9, 6))
    cube[1:5, 2:9, 1:6] = np.random.default_rng(1).random((4, 7, 5))
    orientation = np.array(list(zip(order, flips, strict=True)))
    turned = apply_orientation(cube, orientation)
    affine = AFFINE @ inv_ornt_aff(orientation, cube.shape)
    summed = cast_shadow(Underlay(data=turned, affine=affine))
    monkeypatch.setattr(glass, "is_straight", lambda _: False)
    counted = cast_shadow(Underlay(data=turned, affine=affine))
    assert np.array_equal(summed.bounds, counted.bounds)
    assert all(np.array_equal(summed.planes[axis], counted.planes[axis]) for axis in (0, 1, 2))
    assert summed.planes[2].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_line_of_sight_shows_its_strongest_kept_value(axis: int) -> None:
    data, labels = scene()
    legend = Legend(cutoff=3.0, tail="bi", unit="z", scale=9.0)
    bins, cells, values = glass.seen_voxels(data, labels, AFFINE)
    kept = np.where(labels > 0, data, 0)
    strongest = np.take_along_axis(kept, np.abs(kept).argmax(axis=axis, keepdims=True), axis=axis).squeeze(axis)
    expected = np.where(strongest != 0, color_levels(strongest, legend), 0).T[::-1]  # right is the first of two axes
    assert (glass.project(bins, cells, values, axis, legend) == expected).all()


def test_an_oblique_block_is_seen_without_gaps() -> None:
    turn = Rotation.from_euler("xyz", [20, 35, 10], degrees=True).as_matrix()
    data = np.zeros((24, 24, 24), np.float32)
    data[4:20, 4:20, 4:20] = 5
    bins, cells, values = glass.seen_voxels(data, (data > 0).astype(np.uint8), from_matvec(turn * 2, [5, 6, 7]))
    legend = Legend(cutoff=3.0, tail="bi", unit="z", scale=9.0)
    for axis in (0, 1, 2):
        seen = glass.project(bins, cells, values, axis, legend) > 0
        assert (ndimage.binary_fill_holes(seen) == seen).all()
        assert seen.sum() * 4 > 32 * 32  # mm2: no side of the block is smaller


@pytest.mark.parametrize("codes", ["LPI", "ASR", "IRP"])
def test_the_order_of_storage_changes_nothing(codes: str) -> None:
    data, labels = scene()
    marks, below = marks_of(data, labels, AFFINE), Underlay(data=np.abs(data), affine=AFFINE)
    ornt = axcodes2ornt(codes)
    affine = AFFINE @ inv_ornt_aff(ornt, data.shape)
    turned = [apply_orientation(array, ornt) for array in (data, labels, below.data)]
    expected = encode(compose_glass(data, labels, AFFINE, marks, STYLE, cast_shadow(below)))
    shadow = cast_shadow(Underlay(data=turned[2], affine=affine))
    assert encode(compose_glass(turned[0], turned[1], affine, marks, STYLE, shadow)).data == expected.data


def test_the_histogram_tells_the_share_that_regions_kept() -> None:
    data, labels = scene()
    drawing = compose_glass(data, labels, AFFINE, [], STYLE, cast_shadow(Underlay(data=data, affine=AFFINE)))
    share = 100 * np.count_nonzero(labels) / np.count_nonzero(data)
    texts = [item.text for item in drawing.letters]
    assert f"{round(share, 1):g} % in regions" in texts
    assert {"−9", "9", "−3", "3"} <= set(texts)
    assert drawing.alt.endswith(f"histogram of {data.size} voxels, {round(share, 1):g} % in regions")


def test_the_largest_regions_are_numbered_on_each_sight_and_no_number_covers_another() -> None:
    data, labels = np.zeros((40, 40, 40), np.float32), np.zeros((40, 40, 40), np.uint8)
    places = np.random.default_rng(1).choice(40**3, 30, replace=False)
    data.flat[places], labels.flat[places] = 5, np.arange(1, 31)
    affine = from_matvec(np.eye(3) * 4, [-80, -80, -80])
    marks = [
        Mark(index=k + 1, color="#123456", n_voxels=100 - k, peak_value=5.0,
             peak_xyz=tuple(float(v) for v in apply_affine(affine, np.unravel_index(at, data.shape))))
        for k, at in enumerate(places.tolist())
    ]  # fmt: skip
    shadow = cast_shadow(Underlay(data=np.ones_like(data), affine=affine))
    drawing = compose_glass(data, labels, affine, marks, STYLE, shadow)
    numbers = [item for item in drawing.letters if item.text.isdigit() and item.halo]
    assert sorted(int(item.text) for item in numbers) == sorted([*range(1, 25)] * 3)
    for one in numbers:
        for other in numbers:
            apart = abs(one.y - other.y) > 0.73 * one.size or abs(one.x - other.x) > 0.6 * one.size
            assert one is other or apart


def test_a_map_without_regions_shows_the_brain_and_its_values() -> None:
    data, _ = scene()
    nothing = np.zeros(data.shape, np.uint8)
    drawing = compose_glass(data, nothing, AFFINE, [], STYLE, cast_shadow(Underlay(data=data, affine=AFFINE)))
    assert drawing.alt.endswith("0 % in regions")
    empty = np.zeros(data.shape, np.float32)
    blank = compose_glass(empty, nothing, AFFINE, [], STYLE, cast_shadow(Underlay(data=empty, affine=AFFINE)))
    assert blank.alt.endswith("no data")


def test_flags_and_hostile_anatomy_cast_a_shadow() -> None:
    data = np.ones((6, 6, 6), np.float32)
    data[0, 0, 0], data[0, 0, 1] = np.inf, np.nan
    for below in (data, data > 0):
        shadow = cast_shadow(Underlay(data=below, affine=AFFINE))
        assert all(plane.all() for plane in shadow.planes.values())


def test_grids_that_differ_are_refused() -> None:
    data, labels = scene()
    with pytest.raises(ValueError, match="are not on one 3-D grid"):
        compose_glass(data, labels[1:], AFFINE, [], STYLE, cast_shadow(Underlay(data=data, affine=AFFINE)))
