"""True-discovery proportions against nilearn's all-resolutions inference and closed testing by enumeration."""

import itertools
import warnings
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.glm import cluster_level_inference
from scipy import ndimage, special, stats

from bids_regions.errors import BadMap
from bids_regions.extraction.discoveries import true_discovery_proportions

MOTOR = nib.load(Path(nilearn.__file__).parent / "datasets" / "data" / "image_10426.nii.gz")


def proportions_by_nilearn(data, mask, threshold, alpha):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cluster_level_inference(
            nib.Nifti1Image(data, MOTOR.affine), nib.Nifti1Image(mask.astype(np.uint8), MOTOR.affine), threshold, alpha
        )
    return np.asanyarray(found.dataobj)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("threshold", "alpha"), [(2.5, 0.05), (3.5, 0.05), (3.5, 0.2), (1.0, 0.01)])
def test_proportions_equal_those_of_nilearn(sign, threshold, alpha):
    data = np.asanyarray(MOTOR.dataobj)
    mask = data != 0
    regions, n = ndimage.label(sign * data > threshold)
    inside = regions > 0
    found = true_discovery_proportions(
        data[mask], data[inside], regions[inside], n_regions=n, tail="positive" if sign > 0 else "negative", alpha=alpha
    )
    expected = ndimage.maximum(proportions_by_nilearn(sign * data, mask, threshold, alpha), regions, range(1, n + 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.max() > 0.1


def test_proportions_of_the_motor_map_are_the_known_ones():
    data = np.asanyarray(MOTOR.dataobj)
    regions, n = ndimage.label(data > 3.5)
    found = true_discovery_proportions(
        data[data != 0], data[regions > 0], regions[regions > 0], n_regions=n, tail="positive"
    )
    sizes = np.bincount(regions[regions > 0])[1:].tolist()
    assert {size: round(float(p), 4) for size, p in zip(sizes, found, strict=True)}[1551] == 0.8949


def test_both_tails_are_each_tested_at_half_the_level():
    z = np.random.default_rng(0).standard_normal(400) + np.repeat([3.0, -3.0, 0.0, 0.0], 100)
    ids = np.repeat([1, 2, 3, 0], 100)
    ids[(ids == 1) & (z <= 0)] = ids[(ids == 2) & (z >= 0)] = ids[(ids == 3) & (z <= 0)] = 0
    both = true_discovery_proportions(z, z[ids > 0], ids[ids > 0], n_regions=3, tail="bi", alpha=0.05)
    for tail, chosen in (("positive", [1, 3]), ("negative", [2])):
        here = np.isin(ids, chosen)
        one = true_discovery_proportions(z, z[here], ids[here], n_regions=3, tail=tail, alpha=0.025)
        np.testing.assert_array_equal(both[np.array(chosen) - 1], one[np.array(chosen) - 1])
    assert both[0] > 0.3
    assert both[2] == 0


def discoveries_by_closed_testing(p, region, alpha):
    """Simes' test on every set of hypotheses; the fewest false ones in the region that no test rules out."""
    m = len(p)
    sets = [frozenset(s) for k in range(1, m + 1) for s in itertools.combinations(range(m), k)]
    rejected = {s: any(q <= alpha * (i + 1) / len(s) for i, q in enumerate(sorted(p[j] for j in s))) for s in sets}
    true_sets = [s for s in sets if not rejected[s]]
    return len(region) - max((len(s & region) for s in true_sets), default=0)


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from(["positive", "negative", "two"]))
@settings(max_examples=60, deadline=None)
def test_proportions_are_those_of_closed_testing(seed, m, tail):
    """Over all sets of at most seven hypotheses, the definition that Hommel's h is a shortcut for."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(m) + rng.choice([0, 1.5, 3], m)
    one_sided = {"positive": z, "negative": -z, "two": np.abs(z)}[tail]
    p = stats.norm.sf(one_sided) * (2 if tail == "two" else 1)
    region = rng.random(m) < 0.6
    region[0] = True
    if tail != "two":
        region &= one_sided > 0
    if not region.any():
        return
    ids = np.ones(np.count_nonzero(region), int)
    found = true_discovery_proportions(z, z[region], ids, n_regions=1, tail=tail, alpha=0.1)
    expected = discoveries_by_closed_testing(p, frozenset(np.flatnonzero(region).tolist()), 0.1)
    assert round(found[0] * ids.size, 9) == expected


def test_a_proportion_never_exceeds_one():
    """Where every p of the population is small, or not a number any more (nilearn's bound then counts one too many)."""
    z = np.full(5, 50.0)
    ids = np.ones(5, int)
    assert true_discovery_proportions(z, z, ids, n_regions=1, tail="positive").tolist() == [1.0]
    wide = np.concatenate([z, np.zeros(1000)])
    assert true_discovery_proportions(wide, z, ids, n_regions=1, tail="positive").tolist() == [1.0]
    assert true_discovery_proportions(np.full(3, 3.0), np.full(3, 3.0), np.ones(3, int), n_regions=1, tail="bi") == 1


def test_one_voxel_is_judged_by_its_own_p():
    for z, expected in ((1.7, 1.0), (1.6, 0.0)):
        one = np.array([z])
        assert true_discovery_proportions(one, one, np.array([1]), n_regions=1, tail="positive").tolist() == [expected]


def test_a_p_of_exactly_alpha_is_ruled_out_by_no_other():
    """Of two hypotheses, one at alpha and one far above, Hommel's h is 2: neither is rejected."""
    z = np.array([1.7, 0.0])
    alpha = float(special.ndtr(-1.7))
    found = true_discovery_proportions(z, z[:1], np.ones(1, int), n_regions=1, tail="positive", alpha=alpha)
    assert found.tolist() == [0.0]


@pytest.mark.parametrize("z", [(1.7, 1.7), (1.7, 1.7, 1.7), (1.7, 3.0), (1.7, 1.7, 1.0), (1.7, 1.0)])
def test_a_p_of_exactly_alpha_counts_as_in_closed_testing(z):
    """Simes' test takes a p at its bound, so that hypotheses which all stand at alpha are all rejected."""
    z = np.array(z)
    alpha, ids = float(special.ndtr(-1.7)), np.ones(z.size, int)
    found = true_discovery_proportions(z, z, ids, n_regions=1, tail="positive", alpha=alpha)
    expected = discoveries_by_closed_testing(special.ndtr(-z), frozenset(range(z.size)), alpha)
    assert round(found[0] * z.size, 9) == expected


def test_nothing_is_claimed_of_noise_nor_of_a_region_without_voxels():
    z = np.linspace(-1, 1, 101)
    found = true_discovery_proportions(z, z[90:], np.ones(11, int), n_regions=2, tail="positive")
    assert found.tolist() == [0.0, 0.0]


def test_a_population_is_needed():
    with pytest.raises(BadMap, match="need the voxels that were searched"):
        true_discovery_proportions(np.empty(0), np.ones(1), np.ones(1, int), n_regions=1, tail="positive")
