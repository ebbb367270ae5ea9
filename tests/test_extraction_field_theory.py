"""Random field theory against tables that FSL and SPM printed, published formulas, and fields made on purpose."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_regions.errors import Contradiction
from bids_regions.extraction.field_theory import cluster_p_values, field_theory_warning
from bids_regions.extraction.smoothness import Smoothness

FSL = Smoothness(dlh=0.700797, volume=38344, voxels_per_resel=6.60989, fwhm_mm=None)  # of the table that FSL printed


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
    smoothness = Smoothness(dlh=dlh, volume=volume, voxels_per_resel=1.0, fwhm_mm=None)
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
