"""Thirty participants against a plain reimplementation that shares no code; order, shards, many maps."""

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
from scipy import ndimage

from bids_regions.aggregate import (
    Tally,
    merge_tallies,
    pack_signs,
    pairwise_dice,
)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(9)), st.sets(st.integers(1, 8)))
def test_neither_order_nor_sharding_changes_a_count(order, cuts):
    people = planted([(POSITIVE, 1, 0.6), (NEGATIVE, -1, 0.5)], 9, no_data=3)
    whole = tally_of(people)
    edges = [0, *sorted(cuts), 9]
    shards = [tally_of([people[k] for k in order[a:b]]) for a, b in itertools.pairwise(edges)]
    merged = merge_tallies(shards)
    for name in ("positive", "negative", "data"):
        assert getattr(merged, name).tobytes(order="A") == getattr(whole, name).tobytes(order="A")
        assert getattr(merged, name).dtype == getattr(whole, name).dtype
    assert merged.n == 9


@pytest.mark.parametrize("n", [255, 256, 700])
def test_more_maps_than_a_byte_counts_are_counted(n):
    one = participant_map(np.array([[[1, 0]]]), np.array([[[4.0, 0.0]]]))
    tally = tally_maps([one] * n, (1, 1, 2))
    assert (tally.n, tally.data.tolist(), tally.positive.tolist()) == (n, [[[n, 0]]], [[[n, 0]]])


def test_counts_outgrow_sixteen_bits_with_the_participants():
    """Two shards that each fit into 16 bits do not when added."""
    full = np.full((1, 1, 1), 40_000, np.uint16)
    shard = Tally(n=40_000, positive=full, negative=full, data=full)
    assert merge_tallies([shard, shard]).data.tolist() == [[[80_000]]]
    assert merge_tallies([shard]).data.dtype == np.uint16


@pytest.mark.parametrize(
    ("n", "kind"),
    [(254, np.uint8), (255, np.uint8), (256, np.uint16), (65_535, np.uint16), (65_536, np.uint32)],
)
def test_counts_take_the_smallest_type_that_holds_all_participants(n, kind):
    shards = [
        Tally(n=one, positive=full, negative=np.zeros_like(full), data=full)
        for one in (n - 1, 1)
        for full in [np.full((1, 1, 1), one, kind)]
    ]
    merged = merge_tallies(shards)
    assert (merged.n, merged.positive.tolist(), merged.data.tolist()) == (n, [[[n]]], [[[n]]])
    assert {merged.positive.dtype, merged.negative.dtype, merged.data.dtype} == {np.dtype(kind)}


def test_values_in_a_region_known_by_hand():
    """A region of 8 voxels; the participant covers 4 of them and 2 beyond, lacks data in 2, peaks 2.5 mm off in y."""
    labels = np.zeros(SHAPE, int)
    labels[2:4, 2:4, 2:4] = 7
    data = np.zeros(SHAPE)
    data[2:4, 2:4, 2:4] = 1.0
    data[2, 2:4, 2:4] = 4.0
    data[2, 3, 2] = 9.0
    data[1, 2:4, 2] = 4.0
    mask = np.ones(SHAPE, bool)
    mask[3, 2, 2:4] = False
    own = np.zeros(SHAPE, int)
    own[2, 2:4, 2:4], own[1, 2:4, 2] = 3, 3
    peak = tuple(AFFINE[:3, :3] @ (2, 2, 2) + AFFINE[:3, 3])
    index = index_regions(labels, AFFINE, signs={7: 1}, peaks={7: peak})
    values = measure_map(index, participant_map(own, data, mask))
    assert index.number.tolist() == [7]
    assert values.n_voxels.tolist() == [4]
    assert values.mean.tolist() == [(4 * 3 + 9 + 2 * 1) / 6]
    assert values.peak.tolist() == [9.0]
    assert values.dice.tolist() == [2 * 4 / (8 + 6)]
    assert values.peak_distance.tolist() == [2.5]


def noisy_people(n):
    """Smooth noise, thresholded at 1.5 per sign with scipy, some people without data in up to three planes."""
    rng = np.random.default_rng(5)
    people = []
    for k in range(n):
        data = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.0)
        data = np.asfortranarray((data / data.std() * 2).astype(np.float32))
        mask = np.ones(SHAPE, bool)
        mask[: k % 4] = False
        data[~mask] = 0
        people.append((plain_regions(data, 1.5)[0], data, mask))
    return people


def plain_regions(data, cutoff):
    up, n_up = ndimage.label(data >= cutoff)
    down, n_down = ndimage.label(data <= -cutoff)
    signs = {number: 1 if number <= n_up else -1 for number in range(1, n_up + n_down + 1)}
    return np.where(down > 0, down + n_up, up), signs


def plain_prevalence(people):
    has = np.array([mask for *_, mask in people])
    signed = np.array([np.sign(data) * (labels > 0) for labels, data, _ in people]).astype(int)
    with np.errstate(invalid="ignore"):
        up, down = (np.nan_to_num((signed == sign).sum(0) / has.sum(0)) for sign in (1, -1))
    return up, down, has.mean(0), signed


def plain_consensus(people):
    up, down, cover, _ = plain_prevalence(people)
    return np.where((up >= 0.2) & (up > down), up, np.where((down >= 0.2) & (down > up), -down, 0)) * (cover >= 0.5)


def test_thirty_people_have_the_prevalence_and_consensus_of_a_plain_reimplementation():
    people = noisy_people(30)
    tally = tally_of(people)
    up, down, cover, _ = plain_prevalence(people)
    np.testing.assert_array_equal(prevalence(tally, 1), up)
    np.testing.assert_array_equal(prevalence(tally, -1), down)
    np.testing.assert_array_equal(coverage(tally), cover)
    expected = plain_consensus(people)
    assert (expected > 0).any()
    assert (expected < 0).any()
    np.testing.assert_array_equal(find_consensus(tally, min_prevalence=0.2, min_coverage=0.5), expected)


def test_thirty_people_have_the_values_of_a_plain_reimplementation():
    people = noisy_people(30)
    regions, signs = plain_regions(plain_consensus(people), 0.2)
    peaks = {number: (3.0 * number, -5.0, number - 4.0) for number in signs}
    index = index_regions(regions, AFFINE, signs=signs, peaks=peaks)
    for person in people:
        v = measure_map(index, participant_map(*person))
        for row, number in enumerate(sorted(signs)):
            plain = plain_values(person, regions == number, signs[number], peaks[number])
            ours = (v.n_voxels[row], v.mean[row], v.peak[row], v.dice[row], v.peak_distance[row])
            np.testing.assert_allclose(ours, plain, rtol=1e-12)


def test_thirty_people_have_the_pairwise_dice_of_a_plain_reimplementation():
    people = noisy_people(30)
    *_, signed = plain_prevalence(people)
    dice = pairwise_dice([pack_signs(participant_map(*person).sign_map()) for person in people])
    for i, j in itertools.combinations(range(30), 2):
        shared = ((signed[i] == signed[j]) & (signed[i] != 0)).sum()
        assert dice[i, j] == 2 * shared / ((signed[i] != 0).sum() + (signed[j] != 0).sum())


def plain_values(person, region, sign, peak):
    labels, data, mask = person
    own = (labels > 0) & (np.sign(data) == sign)
    n = int((own & region).sum())
    touching = np.isin(labels, np.unique(labels[own & region])) & own
    inside = region & mask
    if not inside.any():
        return n, np.nan, np.nan, np.nan, np.nan
    ijk = [tuple(v) for v in np.argwhere(inside)]
    best = max(ijk, key=lambda v: sign * data[v])
    xyz = AFFINE[:3, :3] @ best + AFFINE[:3, 3]
    return (
        n,
        data[inside].mean(dtype=np.float64),
        data[best],
        2 * n / (touching.sum() + region.sum()),
        np.linalg.norm(xyz - peak),
    )
