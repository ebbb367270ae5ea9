"""Who stands out: the chance of naming anybody in a normal group, and that who does is found."""

import numpy as np
import pytest
from scipy import stats

from bids_regions.aggregate import Measure, describe_outliers, find_outliers

ROSNER = [-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70,
          1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40,
          2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42,
          6.01]  # fmt: skip


def test_the_example_of_rosner():
    """Technometrics 25 (1983): 54 values, at a level of 5 % the three largest stand out, and no other."""
    found = find_outliers(np.array(ROSNER), floor=1e-9, level=0.05)
    assert np.flatnonzero(found.flags).tolist() == [51, 52, 53]


@pytest.mark.parametrize("n", [5, 8, 20, 60])
def test_a_normal_group_has_a_flag_in_fewer_than_one_of_ten(n):
    """Five measures of people who are all alike, two of which go together."""
    rng, experiments = np.random.default_rng(n), 400
    flagged = 0
    for _ in range(experiments):
        values = rng.normal(size=(5, n))
        values[1] = 0.8 * values[0] + 0.6 * values[1]
        measures = [Measure(name=str(k), values=own, floor=1e-6, low_only=k > 2) for k, own in enumerate(values)]
        flagged += any(describe_outliers(measures))
    assert flagged / experiments < 0.1
    assert flagged > 0  # the rule does flag


@pytest.mark.parametrize("n", [6, 10, 40])
def test_one_who_agrees_with_nobody_is_found_among_those_who_agree(n):
    rng = np.random.default_rng(n)
    dice = np.append(rng.normal(0.75, 0.06, n - 1), 0.02)
    words = describe_outliers(
        [Measure(name="Dice", values=dice, floor=0.01, low_only=True)]
        + [Measure(name=f"m{k}", values=rng.normal(size=n), floor=1e-6) for k in range(4)]
    )
    assert words[-1].startswith("low Dice (z=-")
    assert words[:-1] == [""] * (n - 1)


def test_one_does_not_hide_another():
    values = np.append(np.random.default_rng(0).normal(size=30), [50.0, 52.0, 55.0])
    assert np.flatnonzero(find_outliers(values, floor=1e-6, level=0.01).flags).tolist() == [30, 31, 32]


def test_the_first_step_is_the_test_of_grubbs():
    """The largest deleted t against Student's with n - 2 degrees of freedom: the same verdict as Grubbs' ratio."""
    rng, n = np.random.default_rng(4), 9
    for _ in range(300):
        values = rng.normal(size=n)
        values[0] += rng.choice([0, 6])
        ratio = np.abs(values - values.mean()).max() / values.std(ddof=1)
        t = stats.t.isf(0.05 / (2 * n), n - 2)
        grubbs = ratio > (n - 1) / np.sqrt(n) * np.sqrt(t**2 / (n - 2 + t**2))
        ours = find_outliers(values, floor=1e-9, level=0.05)
        if not ours.flags.sum() > 1:  # of two, the second may pass where the first alone does not
            assert ours.flags.any() == grubbs


def test_only_the_low_side_where_a_large_value_is_no_fault():
    values = np.array([0.5, 0.51, 0.49, 0.52, 0.5, 0.48, 0.99])
    assert find_outliers(values, floor=0.01, level=0.05).flags[-1]
    assert not find_outliers(values, floor=0.01, level=0.05, low_only=True).flags.any()


def test_what_hardly_differs_does_not_stand_out():
    nearly = np.array([0.95] * 19 + [0.9499])
    assert not find_outliers(nearly, floor=0.01, level=0.05).flags.any()
    assert find_outliers(nearly, floor=1e-9, level=0.05).flags.tolist() == [False] * 19 + [True]
    assert find_outliers(np.full(7, 3.0), floor=0.01, level=0.05).scores.tolist() == [0.0] * 7


def test_fewer_than_five_flag_nobody_and_who_has_no_value_is_not_flagged():
    assert not find_outliers(np.array([1.0, 1, 1, 900]), floor=0.1, level=0.05).flags.any()
    found = find_outliers(np.array([1.0, 1.1, 0.9, 1.05, 0.95, np.nan, 40.0]), floor=0.1, level=0.05)
    assert found.flags.tolist() == [False] * 6 + [True]
    assert np.isnan(found.scores[5])
    assert describe_outliers([]) == []


def test_of_one_measure_and_of_none_everybody_is_described():
    one = Measure(name="volume", values=np.append(np.linspace(9, 11, 9), 90.0), floor=1e-6)
    words = describe_outliers([one])
    assert words[:-1] == [""] * 9
    assert words[-1].startswith("high volume (z=")
    assert describe_outliers([]) == []
