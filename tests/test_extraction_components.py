"""Components against a flood fill, in every storage order; frames and selection by literal arrays."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bids_regions.extraction.components import label_components, select_voxels
from bids_regions.space import Grid
from bids_regions.space.grid import neighbour_steps

TAILS = ("bi", "two", "positive", "negative")
INF = float("inf")


def flood_fill(above, connectivity, groups):
    """Components of a boolean array whose members share a value of `groups`, by the definition, without a library."""
    reach = {6: 1, 18: 2, 26: 3}[connectivity]
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, o)) <= reach]
    labels, n = np.zeros(above.shape, int), 0
    for start in zip(*np.nonzero(above), strict=True):
        if labels[start]:
            continue
        n, stack = n + 1, [start]
        labels[start] = n
        while stack:
            at = stack.pop()
            for offset in offsets:
                near = tuple(a + o for a, o in zip(at, offset, strict=True))
                inside = all(0 <= c < s for c, s in zip(near, above.shape, strict=True))
                if inside and above[near] and not labels[near] and groups[near] == groups[at]:
                    labels[near] = n
                    stack.append(near)
    return labels


def same_partition(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return all(np.unique(row).size == pairs.shape[1] for row in pairs)


def passing(row, *args, **kwargs):
    """The numbers of the voxels that pass, whose values are looked at too."""
    memory, values = select_voxels(row, *args, **kwargs)
    assert values.dtype == row.dtype
    assert np.array_equal(values, row[memory])
    return memory.tolist()


def found_components(data, affine, cutoff, connectivity, tail):
    frame = Grid.of(data, affine)
    flat = frame.flatten(data)
    voxels = frame.at(*select_voxels(flat, cutoff, tail))
    labels = np.zeros(data.size, int)
    component = label_components(voxels, connectivity, merged=tail == "two")
    labels[voxels.memory] = component + 1
    return frame.unflatten(labels), component, voxels


def stored(data, how):
    """The same numbers, laid out in memory in another way."""
    return {
        "C": np.ascontiguousarray(data),
        "Fortran": np.asfortranarray(data),
        "middle axis fastest": np.ascontiguousarray(data.transpose(2, 0, 1)).transpose(1, 2, 0),
        "backwards": np.ascontiguousarray(data[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        "every second": np.repeat(np.repeat(data, 2, axis=2), 2, axis=0)[::2, :, ::2],
    }[how]


small_maps = arrays.arrays(
    np.float32,
    st.tuples(*[st.integers(1, 6)] * 3),
    elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0, -2.0, -3.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    small_maps,
    st.sampled_from(["C", "Fortran", "middle axis fastest", "backwards", "every second"]),
    st.sampled_from([6, 18, 26]),
    st.sampled_from(TAILS),
    st.permutations(range(3)),
    st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
)
def test_components_equal_a_flood_fill(data, how, connectivity, tail, axes, signs):
    """Whatever the storage and the orientation; each sign by itself unless the tails are merged."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag(signs)[:, axes]
    labels, component, voxels = found_components(stored(data, how), affine, 2.0, connectivity, tail)
    above = {
        "bi": np.abs(data) >= 2, "two": np.abs(data) >= 2, "positive": data >= 2, "negative": data <= -2
    }[tail]  # fmt: skip
    groups = np.zeros(data.shape) if tail == "two" else np.sign(data)
    assert same_partition(labels, flood_fill(above, connectivity, groups))
    assert np.array_equal(labels != 0, above)
    first_seen = np.unique(component, return_index=True)
    assert np.array_equal(first_seen[0], np.arange(first_seen[0].size)), "numbered 0, 1, ... without a gap"
    assert np.all(np.diff(first_seen[1]) > 0), "in the order of their first voxels"
    assert np.all(np.diff(voxels.rank) > 0)


@pytest.mark.parametrize("pair", [((2, 0, 0), (0, 1, 0)), ((2, 2, 0), (0, 0, 1)), ((0, 2, 0), (0, 0, 1))])
def test_edges_of_the_grid_do_not_touch_each_other(pair):
    """The last voxel of a row and the first of the next are neighbours in memory only."""
    for order, connectivity in itertools.product("CF", (6, 18, 26)):
        data = np.zeros((3, 3, 3), order=order)
        data[pair[0]] = data[pair[1]] = 5
        assert found_components(data, np.eye(4), 1, connectivity, "bi")[1].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("second", "n"),
    [
        ((1, 0, 0), (1, 1, 1)),
        ((1, 1, 0), (2, 1, 1)),
        ((0, 1, 1), (2, 1, 1)),
        ((1, 1, 1), (2, 2, 1)),
        ((2, 0, 0), (2, 2, 2)),
    ],
)
def test_a_pair_by_its_offset(second, n):
    """Faces join at 6, edges at 18, corners at 26."""
    data = np.zeros((3, 3, 3))
    data[0, 0, 0] = data[second] = 4.0
    assert tuple(found_components(data, np.eye(4), 3, c, "bi")[1].max() + 1 for c in (6, 18, 26)) == n


def test_neighbour_steps_are_half_of_the_neighbours_faces_first():
    frame = Grid.of(np.zeros((4, 5, 6)), np.eye(4))
    assert neighbour_steps(frame, 6) == [1, 5, 30]
    assert [len(neighbour_steps(frame, n)) for n in (6, 18, 26)] == [3, 9, 13]
    assert neighbour_steps(frame, 26)[:9] == neighbour_steps(frame, 18)


# --- selection --------------------------------------------------------------------------------------------------------

ROW = np.array([-4.0, -3.0, -1.0, -0.0, 0.0, 1.0, 3.0, 4.0, np.nan, np.inf, -np.inf])


@pytest.mark.parametrize(
    ("tail", "strict", "cutoff", "expected"),
    [
        ("bi", False, 3.0, [0, 1, 6, 7, 9, 10]),
        ("two", False, 3.0, [0, 1, 6, 7, 9, 10]),
        ("bi", True, 3.0, [0, 7, 9, 10]),
        ("positive", False, 3.0, [6, 7, 9]),
        ("positive", True, 3.0, [7, 9]),
        ("negative", False, 3.0, [0, 1, 10]),
        ("negative", True, 3.0, [0, 10]),
        ("bi", False, 0.0, [0, 1, 2, 5, 6, 7, 9, 10]),
        ("positive", False, 0.0, [5, 6, 7, 9]),
        ("bi", False, INF, [9, 10]),
        ("positive", True, INF, [9]),
    ],
)
def test_which_voxels_pass(tail, strict, cutoff, expected):
    """Equality passes unless strict; zeros and NaN never do, infinities whatever the cutoff."""
    for dtype in (np.float32, np.float64):
        assert passing(ROW.astype(dtype), cutoff, tail, strict=strict) == expected


def test_the_cutoff_is_compared_in_the_precision_of_the_map():
    """0.1 rounds up in float32: a voxel that holds float32(0.1) equals the cutoff 0.1 and passes, unless strict."""
    for number in (0.1, 2.3, 3.090232):
        row = np.array([number], np.float32)
        assert passing(row, number, "bi") == [0]
        assert passing(row, number, "positive", strict=True) == []
    assert passing(np.array([np.float32(0.7)], np.float64), 0.7, "bi") == []
    assert passing(np.array([1e30], np.float32), 1e300, "bi") == []


def test_a_mask_holds_voxels_back_in_every_block():
    row = np.full(600_000, 5.0, np.float32)
    mask = np.zeros(row.size, bool)
    mask[[0, 299_999, 599_999]] = True
    assert passing(row, 3, "bi", mask=mask) == [0, 299_999, 599_999]
    assert len(passing(row, 3, "bi")) == row.size
    assert passing(row[:0], 3, "bi") == []


# --- frames -----------------------------------------------------------------------------------------------------------


def oblique(angle=0.3):
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2.0, 3.0, 4.0])
    affine[:3, 3] = (-10.0, 20.0, 30.0)
    return affine


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_every_storage_of_a_map_has_the_same_frame(order, flips):
    """The same voxels in space, whatever the file's axes: same canonical order, values and mm."""
    data = np.arange(4 * 5 * 6, dtype=float).reshape(4, 5, 6)
    reference = Grid.of(data, oblique())
    voxels = reference.at(np.arange(data.size), data.ravel())
    affine, other = oblique(), data
    for axis, flip in enumerate(flips):
        if flip:
            other = np.flip(other, axis)
            affine = affine.copy()
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
    other, affine = other.transpose(order), affine[:, [*order, 3]]
    frame = Grid.of(other, affine)
    flat = frame.flatten(other)
    again = frame.at(np.arange(flat.size), flat)
    assert np.array_equal(again.values, voxels.values)
    assert np.array_equal(again.rank, voxels.rank)
    assert np.allclose(frame.xyz(again), reference.xyz(voxels), atol=1e-9)
    assert frame.voxel_volume == pytest.approx(24)
    i, j, k = frame.to_file(frame.ijk(again.rank))
    assert np.array_equal(other[i, j, k], again.values), "to_file finds each voxel in the file's own axes"
    assert np.allclose(affine[:3, :3] @ np.stack([i, j, k]) + affine[:3, 3:], frame.xyz(again))
    assert np.array_equal(frame.along_ras(other), reference.along_ras(data))
    assert np.array_equal(frame.unflatten(flat), other)
    assert np.array_equal(frame.rank(frame.ijk(again.rank)), again.rank)


def test_flattening_a_file_in_its_own_order_copies_nothing():
    for order in ("C", "F"):
        data = np.zeros((4, 5, 6), order=order)
        frame = Grid.of(data, np.eye(4))
        assert np.shares_memory(frame.flatten(data), data)


def test_some_voxels_of_many():
    data = np.arange(8.0).reshape(2, 2, 2)
    frame = Grid.of(data, np.eye(4))
    voxels = frame.at(np.arange(8), data.ravel())
    assert voxels.values.tolist() == [0, 4, 2, 6, 1, 5, 3, 7], "x is the fastest"
    some = voxels.only(voxels.values > 4)
    assert some.values.tolist() == [6, 5, 7]
    assert frame.ijk(some.rank).T.tolist() == [[1, 1, 0], [1, 0, 1], [1, 1, 1]]
    assert some.memory.tolist() == [6, 5, 7]
