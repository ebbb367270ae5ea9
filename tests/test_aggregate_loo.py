"""Values of one participant where the others alone choose the voxels: by brute force, and on pure noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from bids_regions.aggregate import (
    Tally,
    find_consensus,
    find_spared,
    index_regions,
    least_participants,
    mean_in_regions,
    measure_map,
    participant_map,
    tally_maps,
)

SHAPE = (14, 12, 10)
LEAST = {"min_prevalence": 0.4, "min_coverage": 0.5}


class Lattice:
    """Voxels of 2 mm whose rows were raveled with the last axis fastest."""

    def xyz(self, numbers):
        return 2.0 * np.stack(np.unravel_index(numbers, SHAPE), axis=1)

    def extents(self, numbers):
        return np.full(numbers.size, 8.0)


def noise(n, *, seed, cutoff=1.5, effect=0.0):
    """Smooth noise, an effect in a box, regions of either sign above the cutoff; some lack data in a slab."""
    rng, people = np.random.default_rng(seed), []
    for k in range(n):
        data = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.8)
        data /= data.std()
        data[3:8, 3:8, 3:8] += effect
        if k % 3 == 2:
            data[:2] = 0
        up, n_up = ndimage.label(data >= cutoff)
        down, _ = ndimage.label(data <= -cutoff)
        people.append((np.where(down, down + n_up, up), data))
    return people


def laid(people):
    return [participant_map(labels.ravel(), data.ravel()) for labels, data in people]


def consensus_of(people, least=LEAST):
    maps = laid(people)
    tally = tally_maps(maps, maps[0].labels.size)
    consensus = find_consensus(tally, **least)
    up, n_up = ndimage.label(consensus.reshape(SHAPE) > 0)
    down, n_down = ndimage.label(consensus.reshape(SHAPE) < 0)
    signs = {k: 1 if k <= n_up else -1 for k in range(1, n_up + n_down + 1)}
    regions = np.where(down, down + n_up, up)
    spared = find_spared(tally, consensus, min_prevalence=least["min_prevalence"])
    return maps, regions, signs, index_regions(regions.ravel(), Lattice(), signs=signs, spared=spared)


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_five_people_have_the_values_of_brute_force(effect):
    """Without each participant in turn: which voxels do the other four alone bring to the count of the full set?"""
    people = noise(5, seed=3, effect=effect)
    maps, regions, signs, index = consensus_of(people)
    inside = {sign: np.array([(labels > 0) & (np.sign(data) == sign) for labels, data in people]) for sign in (1, -1)}
    has = np.array([(data != 0) for _, data in people])
    compared = 0
    for k, one in enumerate(maps):
        values = measure_map(index, one)
        for at, number in enumerate(sorted(signs)):
            sign = signs[number]
            needed = np.vectorize(lambda n: next(c for c in range(1, 7) if c / max(n, 1) >= 0.4))(has.sum(0))
            others = inside[sign].sum(0) - inside[sign][k]
            loo = (regions == number) & (others >= needed)
            assert values.n_loo[at] == loo.sum()
            assert values.extent_loo[at] == 8.0 * loo.sum()
            labels, data = people[k]
            measured = loo & has[k]
            mean = data[measured].mean() if measured.any() else np.nan
            np.testing.assert_allclose(values.mean_loo[at], mean, rtol=1e-12)
            own = inside[sign][k]
            touching = own & np.isin(labels, np.unique(labels[own & loo]))
            dice = 2 * (own & loo).sum() / (loo.sum() + touching.sum()) if loo.any() and measured.any() else np.nan
            if (has[k] & (regions == number)).any():
                np.testing.assert_allclose(values.dice_loo[at], dice, rtol=1e-12)
            compared += bool(loo.any())
    assert compared >= 5


def means_of(people, least):
    """Voxel-weighted mean per participant over all regions: in the sample, and left out; and per-region means."""
    maps, _, _, index = consensus_of(people, least)
    signs = index.sign
    inside, left, regions = [], [], []
    for one in maps:
        values = measure_map(index, one)
        inside.append(np.nansum(signs * values.mean * index.sizes) / index.sizes.sum())
        known = values.n_loo > 0
        left.append((signs * np.nan_to_num(values.mean_loo) * values.n_loo)[known].sum() / values.n_loo.sum())
        regions.append(signs * values.mean)
    return np.array(inside), np.array(left), np.array(regions)


def test_on_pure_noise_the_left_out_mean_is_nothing_and_the_other_is_not():
    """Ten participants, forty experiments: in the sample t is large in each; left out it is a t like any other."""
    tests = []
    for seed in range(40):
        people = [(labels, data) for labels, data in noise(10, seed=seed, cutoff=1.0)]
        inside, left, _ = means_of(people, {"min_prevalence": 0.4, "min_coverage": 0.5})
        tests.append((stats.ttest_1samp(inside, 0).statistic, left.mean(), left.std(ddof=1) / np.sqrt(10)))
    t, mean, error = np.array(tests).T
    assert t.min() > 5
    assert abs(mean.mean()) < 3 * mean.std(ddof=1) / np.sqrt(mean.size)
    assert abs(mean.mean()) < 0.05 < 0.5 * np.median(t * error)  # against what the regions' own maps give


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*(st.integers(0, 6),) * 3), min_size=1, max_size=30), st.floats(0.05, 1))
def test_spared_voxels_are_those_that_any_one_may_leave(counts, least):
    """By definition, one voxel at a time, in fractions."""
    tally = Tally(
        n=6, **{name: np.array([c[k] for c in counts]) for k, name in enumerate(("positive", "negative", "data"))}
    )
    consensus = find_consensus(tally, min_prevalence=least, min_coverage=0)
    spared = find_spared(tally, consensus, min_prevalence=least)
    for k, (up, down, data) in enumerate(counts):
        count = up if consensus[k] > 0 else down
        expected = consensus[k] != 0 and count > 1 and (count - 1) / data >= least
        assert spared[k] == expected


def test_negating_all_maps_negates_the_consensus():
    people = noise(6, seed=8)
    maps = laid(people)
    flipped = laid([(labels, -data) for labels, data in people])
    one, other = (
        find_consensus(tally_maps(m, m[0].labels.size), min_prevalence=0.1, min_coverage=0) for m in (maps, flipped)
    )
    assert (one != 0).any()
    np.testing.assert_array_equal(one, -other)


def test_regions_from_elsewhere_have_nothing_left_out():
    people = noise(4, seed=1)
    index = index_regions((np.arange(np.prod(SHAPE)) < 50).astype(int), Lattice())
    values = measure_map(index, laid(people)[0])
    assert values.n_loo.tolist() == [0]
    assert np.isnan([values.mean_loo[0], values.dice_loo[0]]).all()


def test_how_many_make_a_consensus_voxel():
    assert [least_participants(n, 0.5) for n in (1, 2, 3, 4, 6)] == [1, 1, 2, 2, 3]
    assert [least_participants(n, 1.0) for n in (1, 2, 400)] == [1, 2, 400]
    assert least_participants(10, 0.0) == 1
    for n in range(1, 200):
        k = least_participants(n, 0.7)
        assert k / n >= 0.7 > (k - 1) / n


def test_the_mean_of_a_second_map_leaves_out_what_it_lacks():
    index = index_regions(np.array([1, 1, 1, 2]), Lattice())
    second = np.array([1.0, np.nan, 3.0, np.inf])
    np.testing.assert_array_equal(mean_in_regions(index, second), [2.0, np.nan])
    within = np.array([True, True, False, True])
    np.testing.assert_array_equal(mean_in_regions(index, second, within), [1.0, np.nan])
