"""Cutoffs against scipy's percentile, nilearn's false discovery rate, closed forms and plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nilearn.glm import fdr_threshold
from scipy import stats

from bids_regions.errors import BadMap
from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.thresholds import Statistic, find_height, inverse_survival

Z = Statistic("z")
STEPS = np.array([-4.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0])


def cutoff_of(data, threshold, *, statistic=Z, mask=None, **knobs):
    return find_height(np.asarray(data), Criteria(threshold=threshold, **knobs), statistic, mask)[1]


def noise(seed=0, shape=(20, 21, 22), dtype=np.float32):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * (rng.random(shape) < 0.4)).astype(dtype)


# --- value, percentile, ratio -----------------------------------------------------------------------------------------


def test_a_value_is_taken_as_it_is_and_the_population_is_what_it_applies_to():
    found = cutoff_of(STEPS, "2.5")
    assert (found.kind, found.asked, found.value, found.n_tested, found.dof) == ("value", "2.5", 2.5, None, None)
    assert (found.population, found.population_size, found.dtype) == ("every voxel of the image", 8, "float64")
    masked = cutoff_of(STEPS, "2.5", mask=STEPS > 0)
    assert (masked.population, masked.population_size) == ("voxels in the mask", 3)


@pytest.mark.parametrize(
    ("over", "tail", "expected", "size", "words"),
    [
        ("image", "bi", 1.0, 8, "every voxel of the image"),  # 0 0 0 1 1 2 3 4
        ("image", "two", 1.0, 8, "every voxel of the image"),
        ("image", "positive", 0.5, 6, "every voxel of the image, positive values and zeros"),  # 0 0 0 1 2 3
        ("image", "negative", 0.0, 5, "every voxel of the image, negative values and zeros"),  # 0 0 0 1 4
        ("nonzero", "bi", 2.0, 5, "non-zero voxels"),  # 1 1 2 3 4
        ("nonzero", "positive", 2.0, 3, "non-zero voxels, positive values"),
        ("nonzero", "negative", 2.5, 2, "non-zero voxels, negative values"),
        ("mask", "bi", 1.5, 4, "voxels in the mask"),  # 0 1 2 3
        ("mask", "negative", 0.0, 1, "voxels in the mask, negative values and zeros"),
    ],
)
def test_the_population_of_a_percentile(over, tail, expected, size, words):
    mask = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)
    found = cutoff_of(STEPS, "50%", percentile_over=over, tail=tail, mask=mask)
    assert (found.value, found.population_size, found.population, found.tail) == (expected, size, words, tail)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("percent", ["0%", "1%", "50%", "70%", "90%", "95%", "97%", "99.99%", "100%"])
def test_a_percentile_is_that_of_scipy_to_the_last_bit(percent, dtype):
    for seed, tail in itertools.product(range(3), ("two", "positive")):
        data = noise(seed, dtype=dtype)
        magnitudes = np.abs(data) if tail == "two" else data[data >= 0]
        score = stats.scoreatpercentile(magnitudes, float(percent[:-1]))
        assert cutoff_of(data, percent, tail=tail).value == float(score)
        assert cutoff_of(data, percent, tail=tail, convention="nilearn").value == float(score + 1e-5)


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, st.integers(1, 40), elements=st.integers(-3, 3).map(float)),
    st.integers(0, 1000).map(lambda tenths: f"{tenths / 10}%"),
    st.sampled_from(["bi", "positive", "negative"]),
)
def test_a_percentile_of_few_tied_values_is_that_of_scipy(data, percent, tail):
    magnitudes = {"bi": np.abs(data), "positive": data[data >= 0], "negative": -data[data <= 0]}[tail]
    expected = stats.scoreatpercentile(magnitudes, float(percent[:-1])) if magnitudes.size else math.inf
    assert cutoff_of(data, percent, tail=tail).value == float(expected)


def test_a_percentile_whose_guess_fails_is_still_exact():
    """Every 2nd value of a map of that many voxels is looked at for the guess; here those alone are large."""
    data = np.zeros(1 << 14, np.float32)
    data[::2] = np.arange(1 << 13)
    assert cutoff_of(data, "60%").value == float(stats.scoreatpercentile(data, 60))


def test_a_ratio_is_the_percentile_of_the_rest():
    data = noise()
    for ratio, percent in (("ratio=0.05", "95%"), ("ratio=0.03", "97%"), ("ratio=0.07", "93%"), ("ratio=1", "0%")):
        assert cutoff_of(data, ratio).value == cutoff_of(data, percent).value
    assert cutoff_of(data, "ratio=0.05").kind == "ratio"
    line = np.geomspace(1, 1e6, 1001)
    for ratio, percent in ((0.278, 72.2), (0.323, 67.7), (0.328, 67.2)):  # 100 - 100 * ratio is a hair off
        assert cutoff_of(line, f"ratio={ratio}").value == cutoff_of(line, f"{percent}%").value


def test_nothing_passes_where_the_population_is_empty():
    assert cutoff_of(np.zeros(9), "97%", percentile_over="nonzero").value == math.inf
    assert cutoff_of(-np.ones(9), "97%", tail="positive").value == math.inf


# --- p, bonferroni ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tail", "alpha"), [("bi", 0.0005), ("two", 0.0005), ("positive", 0.001), ("negative", 0.001)])
def test_p_is_halved_for_two_tails(tail, alpha):
    assert cutoff_of(STEPS, "p=0.001", tail=tail).value == pytest.approx(stats.norm.isf(alpha), rel=1e-14)
    found = cutoff_of(STEPS, "p=0.001", tail=tail, statistic=Statistic("t", dof=11))
    assert found.value == pytest.approx(stats.t.isf(alpha, 11), rel=1e-12)
    assert (found.dof, found.n_tested, found.population, found.population_size) == (11, None, "non-zero voxels", 5)


def test_bonferroni_divides_by_the_mask_or_else_by_the_voxels_that_are_not_zero():
    found = cutoff_of(STEPS, "bonferroni=0.05", tail="positive")
    assert (found.n_tested, found.population) == (5, "non-zero voxels")
    assert found.value == pytest.approx(stats.norm.isf(0.01), rel=1e-14)
    masked = cutoff_of(STEPS, "bonferroni=0.05", tail="positive", mask=np.arange(8) < 2)
    assert (masked.n_tested, masked.population) == (2, "voxels in the mask")
    assert masked.value == pytest.approx(stats.norm.isf(0.025), rel=1e-14)


def test_a_p_beyond_one_half_never_reaches_into_the_other_tail():
    assert cutoff_of(STEPS, "p=0.9", tail="positive").value == 0
    assert cutoff_of(STEPS, "p=0.9", tail="bi").value == pytest.approx(stats.norm.isf(0.45))


def test_the_far_tail_by_closed_forms():
    """Student's t has closed forms for 1 and 2 degrees of freedom; the normal has none, but its library value holds."""
    for p in (1e-5, 1e-11, 1e-50, 1e-140, 1e-300):
        t = inverse_survival(p, dof=2)
        assert 1 / ((2 + t * t) + t * math.sqrt(2 + t * t)) == pytest.approx(p, rel=1e-10)
    for p in (1e-5, 1e-11, 1e-50, 1e-140):
        assert math.atan(1 / inverse_survival(p, dof=1)) / math.pi == pytest.approx(p, rel=1e-10)
    for dof, p in ((5, 1e-300), (3, 1e-200), (11, 1e-250)):  # so far out sf(t) = C t^-dof, to the last bit
        log_c = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - math.log(dof * math.pi) / 2
        log_c += (dof - 1) / 2 * math.log(dof)
        assert math.log(inverse_survival(p, dof)) == pytest.approx((log_c - math.log(p)) / dof, rel=1e-12)
    assert inverse_survival(1e-300) == pytest.approx(37.0470962993612, rel=1e-14)
    assert inverse_survival(1e-300, dof=1e7) == pytest.approx(37.0470962993612, rel=1e-3)


def test_statistics_without_a_known_distribution_take_no_probability():
    for spec in ("p=0.001", "fdr=0.05", "bonferroni=0.05"):
        with pytest.raises(BadMap, match="of the effect map, and p is known for z, t, F and chi2 only"):
            cutoff_of(STEPS, spec, statistic=Statistic("effect"))
        with pytest.raises(BadMap, match=r"F map, which has no degrees of freedom.*--dof N N"):
            cutoff_of(STEPS, spec, statistic=Statistic("F"))
        with pytest.raises(BadMap, match=r"F map, which has 98 degrees of freedom"):
            cutoff_of(STEPS, spec, statistic=Statistic("F", dof=98))
        with pytest.raises(BadMap, match=r"t map, which has no degrees of freedom.*--dof"):
            cutoff_of(STEPS, spec, statistic=Statistic("t"))
        with pytest.raises(BadMap, match="t map, which has 0 degrees of freedom"):
            cutoff_of(STEPS, spec, statistic=Statistic("t", dof=0))
        with pytest.raises(BadMap, match="t map, which has nan degrees of freedom"):
            cutoff_of(STEPS, spec, statistic=Statistic("t", dof=math.nan))


def test_a_t_map_is_never_taken_for_z():
    t = cutoff_of(STEPS, "p=0.001", statistic=Statistic("t", dof=5)).value
    assert t > 2 * cutoff_of(STEPS, "p=0.001").value
    assert cutoff_of(STEPS, "3.0", statistic=Statistic("t")).value == 3.0


def test_other_statistics_have_the_positive_tail():
    assert cutoff_of(STEPS, "50%", statistic=Statistic("F")).tail == "positive"
    assert cutoff_of(STEPS, "50%", statistic=Statistic("F")).value == 0.5
    with pytest.raises(BadMap, match="negative tail was asked of the F map"):
        cutoff_of(STEPS, "50%", statistic=Statistic("F"), tail="negative")


def test_a_percentile_over_the_mask_needs_one():
    with pytest.raises(BadMap, match=r"97% over the mask, and the map has no mask.*--mask PATH"):
        cutoff_of(STEPS, "97%", percentile_over="mask")


# --- false discovery rate ---------------------------------------------------------------------------------------------


def step_up(p, alpha):
    """How many p values Benjamini and Hochberg's procedure rejects, read off its definition."""
    ordered = sorted(p)
    return max((i for i, value in enumerate(ordered, 1) if value <= i / len(p) * alpha), default=0)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.05, 1e-3])
@pytest.mark.parametrize("tail", ["bi", "positive", "negative"])
@pytest.mark.parametrize("dof", [math.inf, 7])
def test_fdr_is_the_step_up_procedure(alpha, tail, dof):
    rng = np.random.default_rng(3)
    for shift in (0, 1, 3):
        data = rng.standard_normal(500) + shift * (rng.random(500) < 0.2) * rng.choice([-1, 1], 500)
        statistic = Z if math.isinf(dof) else Statistic("t", dof=dof)
        sf = stats.norm.sf if math.isinf(dof) else stats.t(dof).sf
        p = {"bi": 2 * sf(np.abs(data)), "positive": sf(data), "negative": sf(-data)}[tail]
        magnitude = {"bi": np.abs(data), "positive": data, "negative": -data}[tail]
        n = step_up(p, alpha)
        found = cutoff_of(data, f"fdr={alpha}", tail=tail, statistic=statistic)
        assert found.n_tested == 500
        assert np.count_nonzero(magnitude >= found.value) == n
        assert found.value == (np.sort(magnitude)[-n] if n else math.inf)


@pytest.mark.parametrize("seed", range(5))
def test_fdr_agrees_with_nilearn_which_subtracts_a_hair(seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(4000) + 2.5 * (rng.random(4000) < 0.1)
    for alpha in (0.3, 0.05, 0.001):
        ours = cutoff_of(z, f"fdr={alpha}", tail="positive").value
        assert ours == pytest.approx(fdr_threshold(z, alpha) + 1e-12, abs=1e-11)


def test_fdr_counts_ties_together():
    """Four equal p of 0.04 among four tests: the fourth is held to alpha, and so all pass at 0.05."""
    z = np.full(4, stats.norm.isf(0.04))
    assert cutoff_of(z, "fdr=0.05", tail="positive").value == z[0]
    assert cutoff_of(z, "fdr=0.03", tail="positive").value == math.inf


def test_fdr_keeps_a_p_that_equals_its_bound():
    z = stats.norm.isf(np.array([0.01, 0.02, 0.03, 0.04, 0.05]))
    assert cutoff_of(z, "fdr=0.05", tail="positive").value == z[-1]


def test_fdr_keeps_the_last_of_all_voxels_whose_p_is_alpha_but_for_rounding():
    """Rank n is held to alpha itself: a number just below the cutoff that p = alpha gives has that p as well."""
    last = stats.norm.isf(0.05)
    z = np.array([5, 4, 3, np.nextafter(last, 0)])
    assert cutoff_of(z, "fdr=0.05", tail="positive").value == z[-1]
    assert cutoff_of(np.array([5, 4, 3, last - 1e-9]), "fdr=0.05", tail="positive").value == 3


def test_fdr_keeps_a_p_that_equals_the_bound_of_its_rank_but_for_rounding():
    z = stats.norm.isf(np.array([0.01, 0.02, 0.03, 0.6, 0.9]))
    z[2] *= 1 - 1e-14
    assert cutoff_of(z, "fdr=0.05", tail="positive").value == z[2]
    z[2] *= 1 - 1e-9
    assert cutoff_of(z, "fdr=0.05", tail="positive").value == z[1]


def test_fdr_passes_every_voxel_and_none():
    assert cutoff_of(np.linspace(5, 9, 30), "fdr=0.05").value == 5
    assert cutoff_of(np.full(30, 0.1), "fdr=0.05").value == math.inf
    assert cutoff_of(np.zeros(30), "fdr=0.05").value == math.inf
    assert cutoff_of(np.zeros(30), "fdr=0.05").n_tested == 0
    assert cutoff_of(np.zeros(30), "bonferroni=0.05").value == math.inf


def test_fdr_beyond_the_range_of_numbers():
    """At z = 60 p is 10^-784, which no double holds, and passes 1e-300; z = 37.1 (2e-301) among many does not."""
    z = np.concatenate([[60.0, 37.1], np.full(98, 0.5)])
    assert cutoff_of(z, "fdr=1e-300", tail="positive").value == 60
    assert cutoff_of(z[:2], "fdr=1e-300", tail="positive").value == 37.1
    t = np.concatenate([[1e90, 1e10], np.full(98, 0.5)])
    assert cutoff_of(t, "fdr=1e-200", tail="positive", statistic=Statistic("t", dof=3)).value == 1e90


def test_fdr_counts_the_voxels_of_the_mask_or_those_that_are_not_zero():
    data = np.concatenate([np.zeros(1000), np.full(10, 3.0), np.full(90, 0.1)])
    assert cutoff_of(data, "fdr=0.05").n_tested == 100
    assert cutoff_of(data, "fdr=0.05").value == 3.0
    everywhere = cutoff_of(data, "fdr=0.05", mask=np.ones(1100, bool))
    assert (everywhere.n_tested, everywhere.value) == (1100, math.inf)


def test_float32_ties_are_decided_in_float32():
    z = np.float32([3.1, 3.1, 0.1])
    found = cutoff_of(z, "fdr=0.01", tail="positive")
    assert np.float32(found.value) == np.float32(3.1)
    assert found.dtype == "float32"
