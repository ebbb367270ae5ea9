"""Random field theory against tables that FSL and SPM printed, published formulas, and fields made on purpose."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bids_regions.errors import Contradiction
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.field_theory import (
    FieldStatistic,
    Search,
    adjust_for_discoveries,
    cluster_p_values,
    count_resels,
    ec_densities,
    feat_height,
    field_theory_warning,
    height_of_fwe,
    judge,
    peak_p_values,
    survival,
)
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


def test_clusters_at_an_infinite_height_cannot_come_by_chance():
    assert p_values(1, 40, height=math.inf).tolist() == [0.0, 0.0]


def test_an_expected_number_beyond_all_numbers_is_certain():
    endless = Smoothness(dlh=0.01, volume=10**400, voxels_per_resel=1.0, fwhm_mm=None)
    assert p_values(1, height=1.5, smoothness=endless).tolist() == [1.0]


@pytest.mark.parametrize("height", [1.0, 0.0, -3.0, math.nan])
def test_cluster_p_is_refused_where_the_theory_says_nothing(height):
    with pytest.raises(Contradiction, match=r"do not exist at a cluster-forming height of z = .* above z = 1"):
        p_values(40, height=height)


def test_a_low_height_is_warned_of():
    assert field_theory_warning(3.1) == field_theory_warning(math.inf) == ""
    assert "z = 2.3" in field_theory_warning(2.3)


# SPM's columns: numbers that SPM12 printed for one t map (98 degrees of freedom), with the map's own values beside them

TABLES = json.loads((Path(__file__).parent / "spm_tables.json").read_text())
PRINTED = (".3f", ".0f", ".3f", ".3f", ".0f", ".3f", ".3f", ".3f", ".2f", ".2f", ".3f")  # set p and c, cluster, peak
SPM_T = FieldStatistic(kind="t", dof=TABLES["spm_voxelwise_p0001"]["dof"])
SPM_SEARCH = Search(
    n_voxels=TABLES["spm_voxelwise_p0001"]["voxels"],
    resels=tuple(TABLES["spm_voxelwise_p0001"]["resels"]),
    voxels_per_resel=math.prod(TABLES["spm_voxelwise_p0001"]["fwhm_voxels"]),
)


def judged(table):
    fwe = table["height"] == "5.309631"
    height = height_of_fwe(0.05, SPM_T, SPM_SEARCH) if fwe else stats.t.isf(0.001, SPM_T.dof)
    assert f"{height:.6f}" == table["height"]
    sizes, maxima = np.array(table["sizes"]), np.array(table["maxima"])
    return judge(sizes, maxima, height=height, field=SPM_T, search=SPM_SEARCH, least_size=table["extent"])


@pytest.mark.parametrize("name", TABLES)
def test_every_printed_number_of_spm_is_found_again(name):
    table = TABLES[name]
    found, sizes, maxima = judged(table), np.array(table["sizes"]), np.array(table["maxima"])
    for *printed, value in table["rows"]:
        peak = int(np.argmin(np.abs(maxima - value)))
        values = [found.p_peak[peak], found.q_peak[peak], value, t_to_z(value, SPM_T.dof), survival(value, SPM_T)]
        if len(printed) > 5:
            cluster = int(np.flatnonzero(sizes == printed[-7])[0])
            of_cluster = (found.p_cluster, found.q_cluster, sizes, found.p_cluster_unc)
            values = [column[cluster] for column in of_cluster] + values
        if len(printed) > 9:
            values = [found.set_p, found.set_clusters, *values]
        formats = PRINTED[-len(printed) :]
        assert [float(f"{float(v):{f}}") for v, f in zip(values, formats, strict=True)] == printed


@pytest.mark.parametrize("name", TABLES)
def test_the_footer_of_spm_is_found_again(name):
    table, found = TABLES[name], judged(TABLES[name])
    footer = (
        f"{found.critical_height:.3f}, FDRp: {found.critical_peak_q:.3f}, "
        f"FWEc: {found.critical_size}, FDRc: {found.critical_size_q}"
    )
    assert footer == table["footer"]
    assert f"{found.expected_voxels:.3f}" == table["expected_voxels"]
    assert f"{found.expected_clusters:.2f}" == table["expected_clusters"]


def test_the_critical_height_of_an_f_field_is_that_of_spm():
    field = FieldStatistic(kind="F", dof=SPM_T.dof, dof_effect=2)
    assert f"{height_of_fwe(0.05, field, SPM_SEARCH):.3f}" == "17.712"
    assert f"{height_of_fwe(0.05, SPM_T, SPM_SEARCH):.3f}" == "5.310"


def test_the_formula_of_feat_gives_the_height_of_feat():
    """FEAT's log: ptoz 0.05 -g 5805 -> 5.042313; the smoothness of another run of the same data ends in the bracket."""
    for dlh, volume, resel in ((0.70114, 38352, 6.6067), (0.700797, 38344, 6.60989)):
        smoothness = Smoothness(dlh=dlh, volume=volume, voxels_per_resel=resel, fwhm_mm=None)
        assert f"{feat_height(0.05, smoothness):.6f}" == "5.042313"


# resels and densities


def resels_by_definition(mask, fwhm):
    """Points, edges, faces and cubes one by one."""
    points = set(map(tuple, np.argwhere(mask)))
    counts = {}
    for base in points:
        for extent in itertools.product((0, 1), repeat=3):
            corners = itertools.product(*[(b, b + e) if e else (b,) for b, e in zip(base, extent, strict=True)])
            counts[extent] = counts.get(extent, 0) + all(c in points for c in corners)
    r = [1 / f for f in fwhm]
    found = [0.0] * 4
    for shape, n in counts.items():  # every cell of dimension d adds +-the intrinsic volumes of a box
        axes = [a for a in range(3) if shape[a]]
        for d in range(len(axes) + 1):
            for chosen in itertools.combinations(axes, d):
                found[d] += (-1) ** (len(axes) - d) * n * math.prod(r[a] for a in chosen)
    return found


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_resels_are_the_intrinsic_volumes_of_the_masks_lattice(seed):
    rng = np.random.default_rng(seed)
    mask, fwhm = rng.random((5, 4, 6)) > 0.3, tuple(rng.uniform(1, 4, 3))
    np.testing.assert_allclose(count_resels(mask, fwhm), resels_by_definition(mask, fwhm), atol=1e-9)


@pytest.mark.parametrize("t", [2.5, 4.0, 9.0])
def test_an_f_field_of_one_effect_is_a_t_field_of_both_signs(t):
    one = FieldStatistic(kind="F", dof=30.0, dof_effect=1.0)
    both = 2 * ec_densities(t, FieldStatistic(kind="t", dof=30.0))
    np.testing.assert_allclose(ec_densities(t * t, one), both, rtol=1e-10)


@pytest.mark.parametrize("height", [2.5, 4.0, 6.0])
def test_a_t_field_of_very_many_degrees_of_freedom_is_a_gaussian_field(height):
    z, t = ec_densities(height, FieldStatistic()), ec_densities(height, FieldStatistic(kind="t", dof=1e8))
    np.testing.assert_allclose(t, z, rtol=1e-5)
    of_f = ec_densities(height**2, FieldStatistic(kind="F", dof=1e8, dof_effect=1.0))
    np.testing.assert_allclose(of_f, 2 * z, rtol=1e-5)


def test_the_survival_of_every_kind_is_that_of_scipy():
    x = np.array([0.5, 3.0, 12.0])
    np.testing.assert_allclose(survival(x, FieldStatistic()), stats.norm.sf(x))
    np.testing.assert_allclose(survival(x, FieldStatistic(kind="t", dof=7)), stats.t.sf(x, 7))
    np.testing.assert_allclose(survival(x, FieldStatistic(kind="F", dof=20, dof_effect=3)), stats.f.sf(x, 3, 20))
    assert survival(-4.0, FieldStatistic(kind="F", dof=20, dof_effect=3)) == 1


# judging

SIZES, MAXIMA = np.array([400, 90, 12, 3]), np.array([7.0, 5.5, 5.2, 4.1, 3.6, 3.3])


def test_two_tails_double_what_is_family_wise_and_nothing_else():
    args = {"height": 3.2, "field": SPM_T, "search": SPM_SEARCH}
    one, two = judge(SIZES, MAXIMA, **args), judge(SIZES, MAXIMA, **args, tails=2)
    np.testing.assert_allclose(two.p_cluster, np.minimum(2 * one.p_cluster, 1))
    np.testing.assert_allclose(two.p_peak, np.minimum(2 * one.p_peak, 1))
    for same in ("p_cluster_unc", "q_cluster", "q_peak"):
        np.testing.assert_array_equal(getattr(two, same), getattr(one, same))
    assert two.expected_clusters == 2 * one.expected_clusters
    assert two.critical_height == pytest.approx(height_of_fwe(0.025, SPM_T, SPM_SEARCH))


def test_p_of_peaks_are_left_out_where_the_smoothness_is_the_maps_own():
    found = judge(SIZES, MAXIMA, height=3.2, field=SPM_T, search=SPM_SEARCH, peaks=False)
    assert (found.p_peak, found.q_peak, found.critical_height, found.critical_peak_q) == (None,) * 4
    assert found.p_cluster[0] < 0.05


def test_a_small_search_is_corrected_by_bonferroni_where_that_is_less():
    few = Search(n_voxels=8, resels=(1.0, 3.0, 3.0, 1.0), voxels_per_resel=1.0)
    assert peak_p_values(np.array([3.0]), FieldStatistic(), few)[0] == pytest.approx(8 * stats.norm.sf(3.0))


def test_the_extent_threshold_changes_the_set_alone():
    args = {"height": 3.2, "field": SPM_T, "search": SPM_SEARCH}
    every, large = judge(SIZES, MAXIMA, **args), judge(SIZES, MAXIMA, **args, least_size=50)
    assert (every.set_clusters, large.set_clusters) == (4, 2)
    assert large.expected_clusters < every.expected_clusters
    assert large.set_p == pytest.approx(stats.poisson.sf(1, large.expected_clusters))
    np.testing.assert_array_equal(every.q_cluster, large.q_cluster)
    assert judge(SIZES, MAXIMA, **args, least_size=1).expected_clusters == every.expected_clusters


def test_nothing_found_is_judged_too():
    none = np.empty(0)
    for height in (3.2, math.inf):
        found = judge(none, none, height=height, field=SPM_T, search=SPM_SEARCH)
        assert (found.set_clusters, found.set_p, found.critical_size, found.critical_peak_q) == (0, 1.0, None, None)
        assert found.p_cluster.size == found.q_cluster.size == 0


def test_a_flat_search_has_clusters_of_two_dimensions():
    flat = Search(n_voxels=400, resels=(1.0, 20.0, 100.0, 0.0), voxels_per_resel=4.0)
    density = ec_densities(3.2, FieldStatistic())
    assert judge(SIZES, MAXIMA, height=3.2, field=FieldStatistic(), search=flat).expected_voxels == pytest.approx(
        4 * density[0] / density[2]
    )


@pytest.mark.parametrize("height", [0.0, 0.9, 1.0])
def test_the_columns_are_refused_where_the_theory_says_nothing(height):
    with pytest.raises(Contradiction, match=r"do not exist at a height of .*higher threshold"):
        judge(SIZES, MAXIMA, height=height, field=FieldStatistic(), search=SPM_SEARCH)


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_q_is_that_of_scipy(p):
    np.testing.assert_allclose(adjust_for_discoveries(np.array(p)), stats.false_discovery_control(p), rtol=1e-12)
