"""Intraclass correlations against the table of Shrout & Fleiss and a package that shares no code."""

import warnings

import numpy as np
import pandas as pd
import pingouin
import pytest

from bids_regions.aggregate import intraclass

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def numbers(found):
    return [[one.value, one.low, one.high] for one in (found.icc1, found.icc2, found.icc3)]


def test_the_table_of_shrout_and_fleiss():
    """Psychological Bulletin 86, table 4: .17, .29, .71."""
    found = intraclass(SHROUT_FLEISS)
    assert found.n == 6
    assert [round(value, 2) for value, _, _ in numbers(found)] == [0.17, 0.29, 0.71]


@pytest.mark.parametrize(("n", "k"), [(6, 2), (12, 3), (40, 2), (200, 4)])
@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
def test_pingouin_says_the_same(n, k, between):
    rng = np.random.default_rng(n * 10 + k)
    table = between * rng.normal(size=(n, 1)) + rng.normal(size=(n, k)) + 0.7 * np.arange(k)
    frame = pd.DataFrame(
        {"person": np.repeat(np.arange(n), k), "occasion": np.tile(np.arange(k), n), "value": table.ravel()}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pingouin's own, of the pandas it uses
        told = pingouin.intraclass_corr(frame, targets="person", raters="occasion", ratings="value").head(3)
    found = numbers(intraclass(table))
    np.testing.assert_allclose([value for value, _, _ in found], told["ICC"], rtol=1e-9)
    limits = told.filter(like="CI95").iloc[:, 0].tolist()  # rounded to two digits there
    np.testing.assert_allclose([found_one[1:] for found_one in found], limits, atol=0.00501)


def test_two_people_and_two_sessions_are_enough():
    """By the mean squares of the two-way table in plain numbers."""
    found = intraclass(np.array([[1.0, 2.0], [4.0, 7.0]]))
    between, error, occasions = 16.0, 1.0, 4.0
    within = (0.5 + 4.5) / 2
    assert found.n == 2
    assert found.icc1.value == pytest.approx((between - within) / (between + within))
    assert found.icc2.value == pytest.approx((between - error) / (between + error + occasions - error))
    assert found.icc3.value == pytest.approx((between - error) / (between + error))


def test_who_lacks_an_occasion_is_left_out():
    table = np.vstack([SHROUT_FLEISS, [[1, 2, np.nan, 4]]])
    assert intraclass(table) == intraclass(SHROUT_FLEISS)


def test_the_unit_of_the_values_makes_no_difference():
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(numbers(intraclass(SHROUT_FLEISS * scale)), numbers(intraclass(SHROUT_FLEISS)))


def test_a_shift_of_a_whole_session_counts_for_agreement_and_not_for_consistency():
    table = np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [7.0, 8.0]])
    found = intraclass(table)
    assert found.icc3.value == found.icc3.low == found.icc3.high == 1
    assert found.icc2.value < 1
    assert found.icc1.value < 1


def test_equal_sessions_agree_wholly_and_equal_people_tell_nothing():
    table = np.array([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])
    assert numbers(intraclass(table)) == [[1, 1, 1]] * 3
    assert np.isnan(numbers(intraclass(np.full((4, 2), 3.0)))).all()


def test_two_persons_are_enough():
    """By hand: mean squares of 9 between, 0.5 within, 0 of the occasions, 1 of what is left."""
    found = intraclass(np.array([[1.0, 2.0], [5.0, 4.0]]))
    np.testing.assert_allclose([value for value, _, _ in numbers(found)], [8.5 / 9.5, 8 / 9, 8 / 10])


@pytest.mark.parametrize("table", [np.zeros((0, 2)), np.ones((1, 2)), np.ones((5, 1))])
def test_one_person_or_one_session_tells_nothing(table):
    found = intraclass(table)
    assert found.n == len(table)
    assert np.isnan(numbers(found)).all()
