"""Lower bounds of prevalence against closed forms, a Bayesian package that shares no code, and simulated coverage."""

import bayesprev
import numpy as np
import pytest
from scipy import stats

from bids_regions.aggregate import prevalence_lower


@pytest.mark.parametrize("alpha", [0.0, 0.001, 0.05])
@pytest.mark.parametrize("n", [1, 2, 5, 12, 100])
def test_where_all_show_it_the_bound_is_that_of_friston_and_others(n, alpha):
    """The conjunction of Friston, Holmes & Worsley (1999): gamma = (0.05^(1/n) - alpha) / (1 - alpha)."""
    expected = max(0.0, (0.05 ** (1 / n) - alpha) / (1 - alpha))
    np.testing.assert_allclose(
        prevalence_lower(np.array([n]), np.array([n]), alpha), [expected], rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize(("k", "n"), [(3, 5), (5, 10), (9, 10), (17, 40), (400, 500)])
def test_the_bound_is_the_binomial_test_turned_round(k, n):
    """At the bound's chance to show the voxel, k or more of n come about with a probability of exactly 5 %."""
    (gamma,) = prevalence_lower(np.array([k]), np.array([n]), 0.01)
    assert stats.binom.sf(k - 1, n, 0.01 + 0.99 * gamma) == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("n", [5, 12, 40, 150, 500])
def test_one_participant_fewer_makes_it_the_bayesian_bound_of_ince(n):
    """A uniform prior of k - 1 of n - 1 has our bound's beta distribution; alpha cuts nothing off it."""
    for k in range(max(2, n // 3), n + 1):
        if stats.beta.cdf(0.001, k, n - k + 1) > 1e-12:
            continue
        ours = prevalence_lower(np.array([k]), np.array([n]), 0.001)[0]
        assert ours == pytest.approx(bayesprev.bound(0.95, k - 1, n - 1, a=0.001, b=1), abs=1e-9)


def test_by_hand():
    lower = prevalence_lower(np.array([[0, 5], [10, 0]]), np.array([[10, 10], [10, 0]]), 0.0)
    np.testing.assert_allclose(lower, [[0, 0.2224411], [0.7411344, 0]], atol=1e-6)
    assert prevalence_lower(np.array([1]), np.array([40]), 0.05).tolist() == [0.0]  # fewer than chance alone makes
    assert prevalence_lower(np.zeros(0, int), np.zeros(0, int), 0.05).shape == (0,)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1, not 1"):
        prevalence_lower(np.array([1]), np.array([2]), 1)
    with pytest.raises(ValueError, match="are among those with data"):
        prevalence_lower(np.array([3]), np.array([2]), 0.1)


@pytest.mark.parametrize("gamma", [0.0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("n", [5, 20, 60])
def test_the_bound_lies_above_the_truth_in_at_most_one_of_twenty_experiments(n, gamma):
    """A participant with the effect shows it with a power below 1, one without it with a probability of alpha."""
    rng, alpha = np.random.default_rng(11), 0.01
    for power in (0.7, 1.0):
        chance = gamma * power + (1 - gamma) * alpha
        k = rng.binomial(n, chance, 20_000)
        above = prevalence_lower(k, np.full(k.size, n), alpha) > gamma
        assert above.mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / k.size)
