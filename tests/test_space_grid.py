"""Voxels: from grid to grid as done by hand, ties, and which grids are the same."""

from itertools import product

import numpy as np
import pytest
from nifti_bytes import AFFINE, OBLIQUE, ramp

from bids_regions.errors import BadMap
from bids_regions.space import Grid
from bids_regions.space import grid as grid_module
from bids_regions.space.grid import Runs, coarse_mm, is_singular


def grid_of(shape, affine):
    return Grid(shape=shape, affine=affine)


def nearest_by_hand(data, grid_from, grid_to):
    """The nearest voxel, one at a time; a tie goes to the lower index."""
    found = np.zeros(grid_to.shape, data.dtype)
    back = np.linalg.inv(grid_from.affine)
    for ijk in np.ndindex(*grid_to.shape):
        place = (back @ grid_to.affine @ [*ijk, 1])[:3]
        at = np.ceil(np.round(place - 0.5, 4)).astype(int)
        if (at >= 0).all() and (at < grid_from.shape).all():
            found[ijk] = data[tuple(at)]
    return found


def permuted(affine, order, flips, shape):
    """The affine of an image stored with other axes and directions, and how to store it so."""
    affine = affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:, 3] += affine[:, axis] * (shape[order[axis]] - 1)
            affine[:, axis] *= -1
    return affine


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", list(product([0, 1], repeat=3))[::3])
@pytest.mark.parametrize("step", [1, 2, 0.7])
def test_nearest_resampling_is_the_one_done_by_hand(order, flips, step):
    data = np.random.default_rng(1).integers(0, 1 << 30, (6, 5, 4))
    source = grid_of((6, 5, 4), AFFINE)
    target = permuted(AFFINE, order, flips, (6, 5, 4))
    target[:3, :3] *= step
    target[:3, 3] += 1.3
    asked = grid_of((7, 6, 8), target)
    found = source.resample(data, asked)
    assert found.dtype == data.dtype
    assert found.flags.f_contiguous
    assert np.array_equal(found, nearest_by_hand(data, source, asked))
    assert found.any()


def test_nearest_resampling_of_oblique_grids():
    data = np.random.default_rng(1).integers(0, 1 << 30, (6, 5, 4))
    near = OBLIQUE @ np.diag([0.9, 1.1, 1, 1])
    near[:3] += 0.05
    source, asked = grid_of((6, 5, 4), OBLIQUE), grid_of((7, 6, 5), near)
    turned = grid_of(
        (9, 9, 9), np.array([[1.4, 0.6, 0, -82], [-0.6, 1.4, 0.2, -96], [0, -0.2, 1.5, -61], [0, 0, 0, 1]])
    )
    for grid in (asked, turned):
        found = source.resample(data, grid)
        assert np.array_equal(found, nearest_by_hand(data, source, grid))
        assert (found > 0).sum() > 40
        mask = source.resample(data > (1 << 29), grid)
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, found > (1 << 29))


def test_midway_goes_to_the_lower_voxel_also_where_grids_are_oblique():
    data = np.arange(1, 9).reshape(8, 1, 1)
    turn = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    fine = np.diag([0.5, 1, 1, 1.0])
    for rotation in (np.eye(4), turn):
        found = grid_of((8, 1, 1), rotation).resample(data, grid_of((16, 1, 1), rotation @ fine))
        assert found.ravel().tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]


@pytest.mark.parametrize("start", [-90.3, -90, 0.1, 0])
@pytest.mark.parametrize("zoom", [2.3, 3.3, 2])
def test_midway_goes_to_the_lower_voxel_whatever_headers_round(start, zoom):
    affine = np.diag([zoom, zoom, zoom, 1])
    affine[:3, 3] = start
    shifted = affine + np.outer([1, 0, 0, 0], [0, 0, 0, zoom / 2])
    data = np.arange(1, 41).reshape(40, 1, 1)
    found = grid_of((40, 1, 1), affine).resample(data, grid_of((40, 1, 1), shifted))
    assert np.array_equal(found, data)


def test_the_same_grid_is_handed_through():
    data, grid = ramp(), grid_of((4, 5, 3), AFFINE)
    assert grid.resample(data, grid_of((4, 5, 3), AFFINE + 1e-5)) is data
    assert not grid.same_as(grid_of((4, 5, 3), AFFINE + np.eye(4)[:, :1] @ [[0, 0, 0, 0.1]]))
    assert not grid.same_as(grid_of((4, 5, 2), AFFINE))


def test_far_away_is_zero():
    far = grid_of((3, 3, 3), AFFINE + np.eye(4)[:, :1] @ [[0, 0, 0, 1e4]])
    assert not grid_of((4, 5, 3), AFFINE).resample(ramp(), far).any()


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(BadMap, match=r"map has shape \(4, 5, 3\), its grid \(4, 5, 4\)"):
        grid_of((4, 5, 4), AFFINE).fit(ramp())
    with pytest.raises(BadMap, match="map has 2 dimensions"):
        grid_of((4, 5, 4), AFFINE).fit(np.zeros((4, 5)))


def test_an_affine_is_singular_where_its_voxels_lie_in_a_plane():
    flat = OBLIQUE.copy()
    flat[:3, 2] = flat[:3, 0] * 3 - flat[:3, 1]
    assert is_singular(flat)
    assert is_singular(np.diag([2.0, 0, 2, 1]))
    assert not is_singular(OBLIQUE * 1e-5)


def test_rounding_decides_no_axis_of_a_grid_that_is_turned_by_half_a_right_angle():
    """Either of two axes is as near to x: the earlier one is taken, however the numbers were rounded."""
    half, chance = np.sqrt(0.5), np.random.default_rng(0)
    turned = np.array([[half, -half, 0, 0], [half, half, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    noise = (1 + chance.normal(0, 1e-15, (4, 4)) for _ in range(50))
    assert {Grid.of(np.zeros((3, 4, 5)), turned * rounded).canonical.axes for rounded in noise} == {(0, 1, 2)}


@pytest.mark.parametrize("step", [0.05, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.7, 1.0, 1.25])
def test_places_that_are_equal_but_for_rounding_are_equal_in_ties(step):
    """A tenth of a micrometre is the finest place; the coordinates of grids lie off its edges."""
    mm = np.arange(-2000, 2000) * step
    noise = np.random.default_rng(0).uniform(-1e-11, 1e-11, mm.size)
    assert np.array_equal(coarse_mm(mm + noise), coarse_mm(mm))
    assert np.array_equal(coarse_mm(np.cumsum(np.full(4000, step)) - step + mm[0]), coarse_mm(mm))


@pytest.mark.parametrize(("same", "next_"), [(0, 1), (0, 2), (1, 2)])
def test_of_places_that_are_equal_but_for_rounding_the_next_axis_decides(same, next_):
    """Three steps of 0.1 mm are not 0.3 mm in binary: the place three steps on comes first by its next coordinate."""
    affine = np.eye(4)
    affine[same, :3], affine[next_, :3], affine[3 - same - next_, :3] = (0.1, 0.3, 0), (0, 1, 0), (0, 0, 1)
    grid = Grid.of(np.zeros((4, 2, 2)), affine)
    elements = grid.at(np.arange(grid.size), np.zeros(grid.size))
    xyz = np.asarray(elements.xyz)
    where = grid.address(elements).ijk
    three, one = where.index((3, 0, 0)), where.index((0, 1, 0))
    assert xyz[same, three] > xyz[same, one]
    assert xyz[next_, three] < xyz[next_, one]
    order = np.lexsort(tuple(grid.ties(elements))[::-1]).tolist()
    assert order.index(three) < order.index(one)


@pytest.mark.parametrize("few", [0, 1 << 20])
@pytest.mark.parametrize("reach", [0, 1])
def test_rows_that_touch_are_those_of_brute_force_however_many_there_are(monkeypatch, few, reach):
    monkeypatch.setattr(grid_module, "FEW", few)
    places = np.flatnonzero(np.random.default_rng(reach).random(900) < 0.5).astype(np.int32)
    runs = Runs.of(places)
    some = np.arange(0, runs.first.size, 2, dtype=np.int32)
    for step in (30, -30, 900, 0):
        one, other = runs.touching(some, step, reach)
        expected = {
            (a, b)
            for a in some.tolist()
            for b in range(runs.first.size)
            if runs.start[b] <= runs.end[a] + step + reach and runs.end[b] >= runs.start[a] + step - reach
        }
        assert len(one) == len(expected)
        assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("flips", list(product([1, -1], repeat=3)))
def test_voxels_stand_in_canonical_order_however_they_are_stored(order, flips):
    data = np.asarray(np.random.default_rng(3).random((5, 6, 7)), order=order)
    grid = Grid.of(data, np.diag([2.0 * flips[0], 2.0 * flips[1], 2.0 * flips[2], 1.0]))
    flat = grid.flatten(data)
    for numbers in (np.flatnonzero(flat > 0.6), np.arange(flat.size), np.array([3]), np.empty(0, np.intp)):
        elements = grid.at(numbers.astype(np.int32), flat[numbers])
        voxels = [np.unravel_index(number, [data.shape[a] for a in grid.memory]) for number in numbers.tolist()]
        xyz = {
            tuple(2.0 * flips[axis] * voxel[grid.memory.index(axis)] for axis in range(3)): data[
                tuple(voxel[grid.memory.index(axis)] for axis in range(3))
            ]
            for voxel in voxels
        }
        expected = sorted(xyz, key=lambda mm: mm[::-1])
        assert [tuple(mm) for mm in elements.xyz.T.tolist()] == expected
        assert elements.values.tolist() == [xyz[mm] for mm in expected]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("flips", list(product([0, 1], repeat=3)))
@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE])
def test_the_same_voxels_in_another_order_are_put_into_it(order, flips, affine):
    data = np.random.default_rng(1).normal(size=(6, 5, 4))
    turned = np.transpose(data, order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    whole, other = grid_of(data.shape, affine), grid_of(turned.shape, permuted(affine, order, flips, data.shape))
    assert np.array_equal(whole.reorder(data, other), turned)
    assert np.array_equal(other.reorder(turned, whole), data)


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        ((6, 5, 3), np.eye(4)),  # one slice less
        ((6, 5, 4), np.diag([1, 1, 1.02, 1])),  # other voxels
        ((6, 5, 4), np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),  # a voxel beside
        ((6, 5, 4), np.array([[1, 0, 0, 0.3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),  # less than one
        ((6, 5, 4), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])),  # sheared
        ((6, 5, 4), np.array([[-1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),  # turned, and a voxel beside
    ],
)
def test_other_voxels_are_no_other_order(shape, change):
    assert grid_of((6, 5, 4), AFFINE).reorder(np.ones((6, 5, 4)), grid_of(shape, AFFINE @ change)) is None
