"""Inference against FSL's published table, SciPy's tails, nilearn's all-resolutions inference, and closed testing."""

import itertools
import math
import warnings
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.glm import cluster_level_inference
from scipy import integrate, ndimage, special, stats

from bids_regions.errors import BadMap, Contradiction
from bids_regions.extraction.inference import (
    Smoothness,
    cluster_p_values,
    estimate_smoothness,
    field_theory_warning,
    smoothness_from_metadata,
    t_to_z,
    true_discovery_proportions,
)

FSL = Smoothness(dlh=0.700797, volume=38344, resels=6.60989, fwhm_mm=None)  # of the table that FSL printed
ZOOMS = (2.0, 2.0, 2.0)


def p_values(*sizes, height=2.3, smoothness=FSL, two_tailed=False):
    return cluster_p_values(np.array(sizes), height=height, smoothness=smoothness, two_tailed=two_tailed)


# cluster p


def test_cluster_p_reproduces_the_table_of_fsl():
    p = p_values(3130, 521, 167, 99, 43, 41, 40)
    assert [f"{x:.3g}" for x in p[1:]] == ["6.02e-20", "1.7e-08", "1.58e-05", "0.017", "0.0227", "0.0263"]
    assert [f"{-math.log10(x):.3g}" for x in p] == ["68.9", "19.2", "7.77", "4.8", "1.77", "1.64", "1.58"]


def test_the_smallest_significant_cluster_of_that_table_has_36_voxels():
    assert p_values(36)[0] < 0.05 < p_values(35)[0]


def test_two_tails_double_p_up_to_one():
    one, two = p_values(1, 40, 521), p_values(1, 40, 521, two_tailed=True)
    assert one[0] > 0.5
    np.testing.assert_allclose(two, [1.0, 2 * one[1], 2 * one[2]], rtol=1e-15)


@given(st.floats(1.5, 37), st.floats(0.01, 5), st.integers(100, 10**7))
@settings(max_examples=100, deadline=None)
def test_larger_clusters_are_never_more_probable(height, dlh, volume):
    smoothness = Smoothness(dlh=dlh, volume=volume, resels=1.0, fwhm_mm=None)
    p = p_values(*range(1, 2000, 37), height=height, smoothness=smoothness)
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p) <= 0)


def test_a_height_that_nothing_passes_has_no_clusters_to_judge():
    assert p_values(height=math.inf).tolist() == []


@pytest.mark.parametrize("height", [1.0, 0.0, -3.0, math.nan])
def test_cluster_p_is_refused_where_the_theory_says_nothing(height):
    with pytest.raises(Contradiction, match=r"do not exist at a cluster-forming height of z = .* above z = 1"):
        p_values(40, height=height)


def test_a_low_height_is_warned_of():
    assert field_theory_warning(3.1) == field_theory_warning(math.inf) == ""
    assert "z = 2.3" in field_theory_warning(2.3)


# smoothness


def smooth_noise(fwhm_voxels, shape=(60, 64, 56), seed=0):
    sigma = np.array(fwhm_voxels) / math.sqrt(8 * math.log(2))
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
    return noise / noise.std()


def test_the_smoothness_of_smoothed_noise_is_found_again():
    found = estimate_smoothness(smooth_noise((3.0, 4.0, 5.0)), np.ones((60, 64, 56), bool), (2.0, 3.0, 4.0))
    np.testing.assert_allclose(found.fwhm_mm, (6.0, 12.0, 20.0), rtol=0.06)
    assert found.volume == 60 * 64 * 56
    assert found.origin == "map"
    np.testing.assert_allclose(found.dlh * found.resels, (4 * math.log(2)) ** 1.5, rtol=1e-12)
    np.testing.assert_allclose(found.resels, math.prod(found.fwhm_mm) / 24, rtol=1e-12)


def smoothness_by_loops(z, mask):
    """Voxel by voxel, in FSL's order: x from right to left."""
    z, mask = z[::-1], mask[::-1]
    same, power = np.zeros(3), np.zeros(3)
    for i, j, k in itertools.product(*(range(1, n) for n in z.shape)):
        before = [(i - 1, j, k), (i, j - 1, k), (i, j, k - 1)]
        if mask[i, j, k] and all(mask[b] for b in before):
            for axis, b in enumerate(before):
                same[axis] += z[i, j, k] * z[b]
                power[axis] += 0.5 * (z[i, j, k] ** 2 + z[b] ** 2)
    variance = -1 / (4 * np.log(np.abs(same / power)))
    return 1 / math.sqrt(8 * np.prod(variance))


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_smoothness_counts_the_voxels_that_fsl_counts(seed):
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(rng.standard_normal((9, 8, 7)), 0.8).astype(np.float32)
    mask = rng.random(z.shape) > 0.2
    mask[3:6, 3:6, 3:6] = True
    found = estimate_smoothness(z, mask, ZOOMS)
    np.testing.assert_allclose(found.dlh, smoothness_by_loops(z.astype(np.float64), mask), rtol=1e-10)
    assert found.volume == np.count_nonzero(mask)


def test_what_lies_outside_the_mask_does_not_count():
    z = smooth_noise((3.0, 3.0, 3.0), (20, 20, 20))
    mask = np.zeros(z.shape, bool)
    mask[4:16, 4:16, 4:16] = True
    strange = np.where(mask, z, 1e6)
    assert estimate_smoothness(z, mask, ZOOMS) == estimate_smoothness(strange, mask, ZOOMS)


def test_an_extremely_smooth_map_is_capped_as_fsl_caps_it():
    found = estimate_smoothness(np.full((4, 4, 4), 2.0), np.ones((4, 4, 4), bool), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(found.fwhm_mm[0], math.sqrt(8 * math.log(2) * -1 / (4 * math.log(0.99999))))


@pytest.mark.parametrize(
    ("z", "mask", "words"),
    [
        (np.ones((5, 5, 5)), np.zeros((5, 5, 5), bool), "no voxel of the mask has neighbours along all three axes"),
        (np.ones((5, 5, 1)), np.ones((5, 5, 1), bool), "no voxel of the mask has neighbours along all three axes"),
        (np.zeros((5, 5, 5)), np.ones((5, 5, 5), bool), "the map is empty or not smooth at all"),
        ((-1.0) ** np.indices((5, 5, 5)).sum(axis=0), np.ones((5, 5, 5), bool), "the map is empty or not smooth"),
    ],
)
def test_smoothness_is_refused_where_there_is_none(z, mask, words):
    with pytest.raises(BadMap, match=words):
        estimate_smoothness(z, mask, ZOOMS)


@pytest.mark.parametrize(
    ("told", "dlh", "volume"),
    [
        ({"dlh": 0.7, "volume": 38344}, 0.7, 38344),
        ({"DLH": 0.7, "VOLUME": 38344, "RESELS": 99}, 0.7, 38344),
        ({"Smoothness": {"dlh": 0.7}, "dlh": 3}, 0.7, 500),
        ({"RESELS": 6.595284}, 0.7, 500),
        ({"Smoothness": {"FWHM": [6, 8, 10]}}, 8 * (4 * math.log(2)) ** 1.5 / 480, 500),
        ({"fwhm": 8.0, "volume": 7}, 8 * (4 * math.log(2)) ** 1.5 / 512, 7),
    ],
)
def test_smoothness_is_read_from_a_sidecar(told, dlh, volume):
    found = smoothness_from_metadata(told, n_mask_voxels=500, voxel_volume=8.0)
    np.testing.assert_allclose(found.dlh, dlh, rtol=1e-5)
    np.testing.assert_allclose(found.dlh * found.resels, (4 * math.log(2)) ** 1.5, rtol=1e-12)
    assert found.volume == volume
    assert found.origin == "sidecar"


@pytest.mark.parametrize("told", [{}, {"volume": 100}, {"TaskName": "rest", "Smoothness": "high"}])
def test_a_sidecar_without_smoothness_tells_none(told):
    assert smoothness_from_metadata(told, n_mask_voxels=500, voxel_volume=8.0) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"dlh": -1}, r"sidecar's dlh is -1. It must be a positive number"),
        ({"dlh": "0.7"}, r"sidecar's dlh is '0.7'"),
        ({"dlh": True}, r"sidecar's dlh is True"),
        ({"resels": math.inf}, r"sidecar's resels is inf"),
        ({"dlh": 0.7, "volume": 0}, r"sidecar's volume is 0"),
        ({"fwhm": [6, 6]}, r"sidecar's FWHM is \[6, 6\]. Give one number or three"),
        ({"fwhm": [6, 6, None]}, r"sidecar's FWHM is None"),
        ({"dlh": 0.7}, r"tells the smoothness but not the volume searched"),
    ],
)
def test_nonsense_in_a_sidecar_is_refused(told, words):
    with pytest.raises(BadMap, match=words):
        smoothness_from_metadata(told, n_mask_voxels=None, voxel_volume=8.0)


# t to z


@pytest.mark.parametrize("dof", [1, 2.5, 10, 150, 4000])
@pytest.mark.parametrize("p", [0.4, 0.05, 1e-5, 1e-16, 1e-40, 1e-120])
def test_t_and_z_have_the_same_tail_probability(dof, p):
    t = stats.t.isf(p, dof)
    z = t_to_z(np.array([t, -t]), dof)
    np.testing.assert_allclose(z, [stats.norm.isf(p), -stats.norm.isf(p)], rtol=1e-9)


@pytest.mark.parametrize("p", [1e-5, 1e-100, 1e-200, 1e-289, 1e-291, 1e-300])
def test_the_tail_of_one_degree_of_freedom_reaches_to_1e300(p):
    """There t is 1 / (pi p), and scipy's own inverse is infinite."""
    np.testing.assert_allclose(t_to_z(1 / (math.pi * p), 1), stats.norm.isf(p), rtol=1e-9)


@pytest.mark.parametrize("dof", [150, 4000])
@pytest.mark.parametrize("p", [1e-289, 1e-300])
def test_many_degrees_of_freedom_reach_as_far(dof, p):
    np.testing.assert_allclose(t_to_z(stats.t.isf(p, dof), dof), stats.norm.isf(p), rtol=1e-9)


def log_survival_by_integration(t, dof):
    """The tail of Student's density, integrated over the logarithm of its argument."""
    constant = special.gammaln((dof + 1) / 2) - special.gammaln(dof / 2) - 0.5 * math.log(dof * math.pi)
    height = np.log1p(t * (t / dof))

    def relative(u):
        return math.exp(u - (dof + 1) / 2 * (np.log1p(t * math.exp(u) * (t * math.exp(u) / dof)) - height))

    tail, _ = integrate.quad(relative, 0, 60 / dof + 0.5, epsabs=0, epsrel=1e-11, limit=500)
    return constant - (dof + 1) / 2 * height + math.log(t) + math.log(tail)


@pytest.mark.parametrize(("t", "dof"), [(60.0, 1000), (1000.0, 1000), (1e9, 50), (40.0, 1e5), (1e70, 5)])
def test_z_is_finite_and_exact_where_p_is_no_longer_a_number(t, dof):
    expected = -special.ndtri_exp(log_survival_by_integration(t, dof))
    np.testing.assert_allclose(t_to_z(t, dof), expected, rtol=1e-9)
    assert expected > 36


@given(st.floats(0.5, 1e6), st.lists(st.floats(-200, 200), min_size=2, max_size=20))
@settings(max_examples=100, deadline=None)
def test_z_rises_with_t_lies_nearer_to_zero_and_is_odd(dof, values):
    t = np.sort(np.array(values))
    z = t_to_z(t, dof)
    assert np.all(np.isfinite(z))
    assert np.all(np.diff(z) >= -1e-9)
    assert np.all(np.abs(z) <= np.abs(t) * (1 + 1e-9) + 1e-12)
    np.testing.assert_array_equal(t_to_z(-t, dof), -z)


def test_the_far_and_the_near_tail_meet():
    t = stats.t.isf(np.array([1.01e-290, 0.99e-290]), 30)
    assert np.diff(t_to_z(t, 30))[0] == pytest.approx(np.diff(stats.norm.isf([1.01e-290, 0.99e-290]))[0], rel=1e-3)


def test_infinite_degrees_of_freedom_leave_t_as_it_is():
    t = np.array([-3.0, 0.0, 5.0], np.float32)
    assert t_to_z(t, math.inf).tolist() == [-3.0, 0.0, 5.0]
    np.testing.assert_allclose(t_to_z(t, 1e9), t, atol=1e-6)


@pytest.mark.parametrize("dof", [0, -4, math.nan])
def test_degrees_of_freedom_must_be_positive(dof):
    with pytest.raises(BadMap, match=r"degrees of freedom of .* are not positive. Give them with --dof"):
        t_to_z(np.array([2.0]), dof)


# true-discovery proportions

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


def test_nothing_is_claimed_of_noise_nor_of_a_region_without_voxels():
    z = np.linspace(-1, 1, 101)
    found = true_discovery_proportions(z, z[90:], np.ones(11, int), n_regions=2, tail="positive")
    assert found.tolist() == [0.0, 0.0]


def test_a_population_is_needed():
    with pytest.raises(BadMap, match="need the voxels that were searched"):
        true_discovery_proportions(np.empty(0), np.ones(1), np.ones(1, int), n_regions=1, tail="positive")
