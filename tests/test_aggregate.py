"""Aggregation against answers known in closed form."""

import itertools

import numpy as np
import pytest
from aggregate_images import (
    AFFINE,
    NEGATIVE,
    POSITIVE,
    SHAPE,
    coverage,
    find_consensus,
    index_regions,
    measure_map,
    participant_map,
    planted,
    prevalence,
    tally_maps,
    tally_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_regions import aggregate
from bids_regions.aggregate import (
    Tally,
    dice_of_signs,
    mean_agreement,
    merge_tallies,
    order_by_agreement,
    pack_signs,
    pairwise_dice,
)


def test_prevalence_is_the_planted_fraction():
    tally = tally_of(planted([(POSITIVE, 1, 0.7), (NEGATIVE, -1, 0.4)], 10))
    positive, negative = prevalence(tally, 1), prevalence(tally, -1)
    assert np.unique(positive[POSITIVE]).tolist() == [0.7]
    assert np.unique(negative[NEGATIVE]).tolist() == [0.4]
    assert np.count_nonzero(positive) == np.count_nonzero(negative) == 27
    assert np.unique(coverage(tally)).tolist() == [1.0]


def test_people_without_data_there_are_no_part_of_the_denominator():
    """8 of 10 carry the negative blob, 5 of all have no data there, all 5 among the 8: 3 of 5 remain."""
    tally = tally_of(planted([(NEGATIVE, -1, 0.8)], 10, no_data=5))
    assert np.unique(prevalence(tally, -1)[NEGATIVE]).tolist() == [3 / 5]
    assert np.unique(coverage(tally)[:, 6:, :]).tolist() == [0.5]
    assert np.unique(coverage(tally)[:, :6, :]).tolist() == [1.0]


def test_where_nobody_has_data_prevalence_and_coverage_are_zero():
    tally = tally_of(planted([], 3, no_data=3))
    assert prevalence(tally, 1)[:, 6:, :].max() == coverage(tally)[:, 6:, :].max() == 0


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_without_a_mask_zero_and_nan_voxels_have_no_data(value):
    data = np.ones((1, 1, 3))
    data[0, 0, 1] = value
    laid = participant_map(np.zeros((1, 1, 3), int), data)
    assert laid.covered.tolist() == [True, False, True]
    assert np.isfinite(laid.data).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_an_infinite_voxel_is_data_of_its_sign_and_stands_as_the_largest_finite_magnitude(sign):
    data = np.array([[[1.0, sign * np.inf, -7.0, np.nan]]])
    laid = participant_map(np.array([[[0, 1, 0, 0]]]), data)
    assert laid.covered.tolist() == [True, True, True, False]
    assert laid.data.tolist() == [1.0, sign * 7.0, -7.0, 0.0]
    assert laid.sign_map().tolist() == [0, sign, 0, 0]


def test_of_a_map_of_p_the_regions_tell_the_sign():
    labels, data = np.array([[[1, 1, 2, 3, 0]]]), np.array([[[0.0, 0.001, 0.002, 0.003, 0.5]]])
    laid = participant_map(labels, data, np.ones((1, 1, 5)), zeros=True, signs={1: -1, 2: 1})
    assert laid.sign_map().tolist() == [-1, -1, 1, 1, 0]
    index = index_regions(np.array([[[1, 1, 1, 1, 1]]]), np.eye(4), signs={1: -1})
    assert measure_map(index, laid).n_voxels.tolist() == [2]


def test_inside_the_mask_zero_is_no_data_unless_it_is_said_and_outside_it_a_value_is_none():
    data, mask, none = np.array([[[0.0, 2.0, 3.0, np.nan]]]), np.array([[[1, 1, 0, 1]]]), np.zeros((1, 1, 4), int)
    assert participant_map(none, data, mask).covered.tolist() == [False, True, False, False]
    assert participant_map(none, data, mask, zeros=True).covered.tolist() == [True, True, False, False]
    assert participant_map(none, data, zeros=True).covered.tolist() == [False, True, True, False]


def test_a_voxel_in_a_region_has_data_whatever_the_mask_says():
    laid = participant_map(np.array([[[1]]]), np.array([[[4.0]]]), np.array([[[0]]]))
    assert laid.covered.tolist() == [True]


def test_a_region_that_merges_both_signs_counts_each_voxel_by_its_own_sign():
    tally = tally_maps([participant_map(np.array([[[1, 1]]]), np.array([[[4.0, -4.0]]]))], (1, 1, 2))
    assert tally.positive.tolist() == [[[1, 0]]]
    assert tally.negative.tolist() == [[[0, 1]]]


def test_a_labelled_voxel_where_the_map_is_zero_has_no_sign():
    tally = tally_maps([participant_map(np.array([[[1]]]), np.array([[[0.0]]]))], (1, 1, 1))
    assert (tally.positive.item(), tally.negative.item(), tally.data.item()) == (0, 0, 1)


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match="must be rows of one length"):
        participant_map(np.zeros((1, 1, 2), int), np.zeros((1, 1, 3)))
    with pytest.raises(ValueError, match="must be rows of one length"):
        participant_map(np.zeros((1, 1, 2), int), np.zeros((1, 1, 2)), np.zeros((1, 3, 1)))
    small = participant_map(np.zeros((1, 1, 2), int), np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="cannot be counted over rows of 3"):
        tally_maps([small], (1, 3, 1))
    with pytest.raises(ValueError, match="cannot be measured in regions of rows of 3"):
        measure_map(index_regions(np.ones((1, 3, 1), int), np.eye(4)), small)
    with pytest.raises(ValueError, match="no tally"):
        merge_tallies([])


@pytest.mark.parametrize(
    ("positive", "negative", "data", "expected"),
    [
        (7, 0, 10, 0.7),  # exactly the least prevalence is enough, also where 0.7 x 10 is above 7 in floats
        (6, 0, 10, 0.0),
        (0, 7, 10, -0.7),
        (7, 7, 10, 0.0),  # a tie is neither
        (7, 8, 10, -0.8),
        (3, 0, 4, 0.0),  # coverage 0.4 is too little
        (4, 0, 5, 0.8),  # coverage 0.5 is enough
        (0, 0, 0, 0.0),
    ],
)
def test_consensus_by_hand(positive, negative, data, expected):
    up, down, there = (np.full((1, 1, 1), count) for count in (positive, negative, data))
    tally = Tally(n=10, positive=up, negative=down, data=there)
    assert find_consensus(tally, min_prevalence=0.7, min_coverage=0.5).tolist() == [[[expected]]]


def test_with_no_least_prevalence_voxels_without_any_region_stay_out():
    tally = Tally(n=2, positive=np.zeros((1, 1, 1)), negative=np.zeros((1, 1, 1)), data=np.full((1, 1, 1), 2))
    assert find_consensus(tally, min_prevalence=0, min_coverage=0).tolist() == [[[0.0]]]


def test_dice_of_a_blob_shifted_by_one_voxel():
    a, b = np.zeros(SHAPE, np.int8), np.zeros(SHAPE, np.int8)
    a[2:5, 2:5, 2:5], b[3:6, 2:5, 2:5] = 1, 1
    assert dice_of_signs(a, b) == 2 * 18 / 54
    assert dice_of_signs(a, -b) == 0
    assert np.isnan(dice_of_signs(a * 0, b * 0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(1, 200), st.randoms(use_true_random=False))
def test_pairwise_dice_of_bits_is_dice_of_signs(n, size, random):
    maps = [np.array([random.choice([-1, 0, 0, 1]) for _ in range(size)], np.int8) for _ in range(n)]
    dice = pairwise_dice([pack_signs(m) for m in maps])
    assert dice.shape == (n, n)
    for i, j in itertools.product(range(n), repeat=2):
        np.testing.assert_equal(dice[i, j], dice_of_signs(maps[i], maps[j]))


def test_pairwise_dice_beyond_one_block_of_words():
    rng = np.random.default_rng(1)
    maps = [rng.integers(-1, 2, 400_000).astype(np.int8) for _ in range(2)]
    assert pairwise_dice([pack_signs(m) for m in maps])[0, 1] == dice_of_signs(*maps)


def test_the_most_typical_participant_comes_first_and_one_without_regions_last():
    maps = [np.array(m, np.int8) for m in ([0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0])]
    dice = pairwise_dice([pack_signs(m) for m in maps])
    assert order_by_agreement(dice) == [2, 3, 1, 0]
    assert np.isnan(mean_agreement(np.array([[1.0]]))).all()
    assert order_by_agreement(np.array([[np.nan, np.nan], [np.nan, np.nan]])) == [0, 1]


def test_only_regions_of_the_regions_own_sign_count():
    labels = np.array([[[1, 1, 1, 1]]])
    one = participant_map(np.array([[[1, 2, 2, 0]]]), np.array([[[4.0, -6.0, -5.0, 1.0]]]))
    found = {sign: measure_map(index_regions(labels, np.eye(4), signs={1: sign}), one) for sign in (-1, 0, 1)}
    assert [int(found[sign].n_voxels[0]) for sign in (-1, 0, 1)] == [2, 3, 1]
    assert [float(found[sign].dice[0]) for sign in (-1, 0, 1)] == [4 / 6, 6 / 7, 2 / 5]
    assert [float(found[sign].peak[0]) for sign in (-1, 0, 1)] == [-6.0, -6.0, 4.0]  # in the region's own direction


def test_of_a_region_that_merges_both_signs_only_the_voxels_of_the_right_sign_count():
    labels = np.array([[[1, 1, 0, 0]]])
    one = participant_map(np.array([[[1, 1, 1, 1]]]), np.array([[[4.0, 5.0, -6.0, 4.0]]]))
    values = measure_map(index_regions(labels, np.eye(4), signs={1: 1}), one)
    assert values.dice.tolist() == [2 * 2 / (2 + 3)]


def test_a_region_without_data_has_no_values_and_one_untouched_has_dice_zero():
    labels = np.array([[[1, 2]]])
    values = measure_map(index_regions(labels, np.eye(4)), participant_map(labels * 0, np.array([[[0.0, 2.0]]])))
    assert np.isnan([values.mean[0], values.peak[0], values.dice[0], values.peak_distance[0]]).all()
    assert (values.mean[1], values.peak[1], values.dice[1]) == (2.0, 2.0, 0.0)
    assert np.isnan(values.peak_distance[1])  # a region without a peak of its own
    assert values.n_voxels.tolist() == [0, 0]


def test_no_region_gives_no_value():
    index = index_regions(np.zeros(SHAPE, int), AFFINE)
    values = measure_map(index, participant_map(np.zeros(SHAPE, int), np.ones(SHAPE)))
    assert index.starts.size == values.mean.size == values.n_voxels.size == 0


def test_of_equal_peaks_the_one_lowest_in_x_y_z_is_taken_however_the_file_lies():
    """The affine flips x: the voxel with the largest i has the smallest x."""
    labels, data = np.zeros(SHAPE, int), np.ones(SHAPE)
    labels[2:5, 2:5, 2:5] = 1
    lowest = AFFINE[:3, :3] @ (4, 2, 2) + AFFINE[:3, 3]
    index = index_regions(labels, AFFINE, peaks={1: tuple(lowest)})
    assert measure_map(index, participant_map(labels * 0, data)).peak_distance.tolist() == [0.0]
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SHAPE[0] - 1
    flipped = index_regions(labels[::-1], AFFINE @ flip, peaks={1: tuple(lowest)})
    assert measure_map(flipped, participant_map(labels * 0, data[::-1])).peak_distance.tolist() == [0.0]


def test_a_regions_voxels_have_one_order_however_its_coordinates_are_rounded():
    """Sums are the same to the last bit then; here rows of equal x that the file's rotation leaves a hair apart."""
    labels = np.zeros(SHAPE, int)
    labels[2:6, 2:6, 2:6] = 1
    tilted = AFFINE.copy()
    tilted[:3, :3] += np.random.default_rng(0).uniform(-1e-9, 1e-9, (3, 3))
    order = index_regions(labels, AFFINE).voxels.tolist()
    assert index_regions(labels, tilted).voxels.tolist() == order


def test_of_equal_peaks_x_decides_before_y_and_y_before_z():
    data = np.ones(SHAPE)
    data[2, 3, 4] = data[3, 2, 2] = data[2, 4, 2] = 5
    index = index_regions(np.ones(SHAPE, int), np.eye(4), peaks={1: (2, 3, 4)})
    assert measure_map(index, participant_map(np.zeros(SHAPE, int), data)).peak_distance.tolist() == [0.0]


def test_regions_of_the_other_sign_share_nothing_with_the_consensus():
    consensus = np.array([1, -1, 1, 0], np.int8)
    one = aggregate.participant_map(np.array([1, 2, 3, 0]), np.array([4.0, 5.0, -6.0, 0.0]))
    overlap = aggregate.ConsensusOverlap.of(consensus, np.array([True, True, True, False]))
    assert overlap.dice(one) == (2 * 1 / (3 + 3), 2 * 1 / (3 + 3))
