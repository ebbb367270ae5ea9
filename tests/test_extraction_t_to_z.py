"""t to z against SciPy's tails and an integration of Student's density."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from bids_regions.errors import BadMap
from bids_regions.extraction import distributions
from bids_regions.extraction.distributions import t_to_z


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


@pytest.mark.parametrize("dof", [0.7, 3.0, 12.0, 100.0, 1000.0, 20000.0])
def test_the_logarithm_of_far_tails_is_that_of_scipy_where_both_are_numbers(dof):
    """Abramowitz and Stegun's fraction against the survival function itself, whose logarithm scipy can still take."""
    t = np.geomspace(6, 36, 40)
    survival = special.stdtr(dof, -t)
    some = survival > 1e-290
    assert some.sum() > 25
    np.testing.assert_allclose(distributions._log_survival_far(t[some], dof), np.log(survival[some]), rtol=1e-11)
