"""Cluster p and true discoveries through all steps: published numbers, tails, t, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from little_maps import MM2, cube, flipped, smooth_noise

from bids_regions.errors import BadMap, Contradiction
from bids_regions.extraction import Criteria, Statistic, find_regions
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.smoothness import Smoothness

# --- cluster p, true discoveries --------------------------------------------------------------------------------------

FSL = Smoothness(dlh=0.700797, volume=38344, voxels_per_resel=6.588, fwhm_mm=None)


def lines(*lengths):
    data = np.zeros((max(lengths) + 1, 3 * len(lengths), 1))
    for k, length in enumerate(lengths):
        data[:length, 3 * k] = 5.0
    data[-1, -1] = 0.1  # a map without small values would have been thresholded already
    return data


def test_cluster_p_of_the_published_table_and_its_smallest_significant_size():
    criteria = Criteria(threshold="2.3", tail="positive", grf=True, min_region_voxels=1)
    found = find_regions(lines(3130, 521, 40, 36, 35), MM2, criteria, smoothness=FSL)
    p = [region.p_cluster for region in found.regions]
    assert p[0] == pytest.approx(6.02e-20, rel=1e-2)
    assert p[2] == pytest.approx(0.0263, abs=5e-5)
    assert p[3] < 0.05 < p[4]
    assert found.smoothness == FSL
    assert "z = 2.3" in found.warnings[0]
    kept = find_regions(lines(3130, 521, 40, 36, 35), MM2, replace(criteria, cluster_alpha=0.05), smoothness=FSL)
    assert [r.n_voxels for r in kept.regions] == [3130, 521, 40, 36]
    assert (kept.n_removed_regions, kept.n_removed_voxels) == (1, 35)


def test_a_cluster_whose_p_is_alpha_is_not_below_it():
    criteria = Criteria(threshold="2.3", tail="positive", grf=True, min_region_voxels=1)
    p = find_regions(lines(40, 35), MM2, criteria, smoothness=FSL).regions[1].p_cluster
    for alpha, n in ((p, 1), (np.nextafter(p, 1), 2)):
        kept = find_regions(lines(40, 35), MM2, replace(criteria, cluster_alpha=float(alpha)), smoothness=FSL)
        assert len(kept.regions) == n


def test_cluster_p_is_doubled_for_two_tails_and_at_most_one():
    one, two = (
        find_regions(
            lines(40, 1), MM2, Criteria(threshold="3.2", tail=tail, grf=True, min_region_voxels=1), smoothness=FSL
        )
        for tail in ("positive", "bi")
    )
    assert two.regions[0].p_cluster == 2 * one.regions[0].p_cluster
    assert two.regions[1].p_cluster <= 1
    assert one.warnings == two.warnings
    assert "below 2" in one.warnings[0]


def test_the_smoothness_is_estimated_from_map_and_mask_whatever_the_storage():
    data, mask = smooth_noise(0).astype(float), np.ones((30, 34, 26), bool)
    mask[:4] = False
    criteria = Criteria(threshold="2.5", grf=True, min_region_voxels=1)
    found = find_regions(data, MM2, criteria, mask=mask)
    assert found.smoothness.volume == mask.sum()
    assert 1 < found.smoothness.fwhm_mm[0] / 2 / 3 * 1 < 1.6
    there, affine = flipped(data, MM2)
    again = find_regions(there, affine, criteria, mask=mask[::-1])
    assert again.smoothness == found.smoothness
    assert [r.p_cluster for r in again.regions] == [r.p_cluster for r in found.regions]


def test_t_is_made_z_for_cluster_p():
    data, t = lines(40), Statistic("t", dof=10)
    height = float(t_to_z(4.0, 10))
    of_t = find_regions(
        data, MM2, Criteria(threshold="4.0", grf=True, min_region_voxels=1), statistic=t, smoothness=FSL
    )
    of_z = find_regions(data, MM2, Criteria(threshold=str(height), grf=True, min_region_voxels=1), smoothness=FSL)
    assert of_t.regions[0].p_cluster == pytest.approx(of_z.regions[0].p_cluster, rel=1e-9)


def test_of_several_degrees_of_freedom_the_lowest_height_judges_the_clusters():
    """A t of 4 is the least improbable where the degrees of freedom are fewest: p is rather too large."""
    data = lines(40)
    dof = np.full(data.shape, 100.0)
    dof[: data.shape[0] // 2] = 10
    asked = Criteria(threshold="4.0", grf=True, min_region_voxels=1)
    of_t = find_regions(data, MM2, asked, statistic=Statistic("t", dof_map=dof), smoothness=FSL)
    height = str(float(t_to_z(4.0, 10)))
    of_z = find_regions(data, MM2, replace(asked, threshold=height), smoothness=FSL)
    assert of_t.regions[0].p_cluster == pytest.approx(of_z.regions[0].p_cluster, rel=1e-9)


def test_cluster_p_and_true_discoveries_are_refused_where_they_make_no_sense():
    data = lines(40)
    grf, tdp = Criteria(threshold="3.2", grf=True), Criteria(threshold="3.2", tdp=True, min_region_voxels=1)
    with pytest.raises(BadMap, match=r"without a mask and without a known smoothness.*--mask auto or a path"):
        find_regions(data, MM2, grf)
    for criteria, what in ((grf, "cluster p"), (tdp, "a true-discovery proportion")):
        with pytest.raises(BadMap, match=rf"{what} was asked of a t map without degrees of freedom.*--dof"):
            find_regions(data, MM2, criteria, statistic=Statistic("t"), smoothness=FSL)
        with pytest.raises(BadMap, match=f"{what} was asked of the F map"):
            find_regions(data, MM2, criteria, statistic=Statistic("F"), smoothness=FSL)
    with pytest.raises(Contradiction, match=r"height of z = 0\.9"):
        find_regions(data, MM2, Criteria(threshold="0.9", grf=True), smoothness=FSL)


def test_cluster_p_where_nothing_survives():
    faint = np.linspace(0.1, 0.2, 64).reshape(4, 4, 4)
    for statistic in (Statistic("z"), Statistic("t", dof=3)):
        found = find_regions(
            faint, MM2, Criteria(threshold="bonferroni=0.05", grf=True), smoothness=FSL, statistic=statistic
        )
        assert found.regions == ()


def test_true_discoveries_of_each_region():
    data = cube((1, 1, 1), value=8.0)
    data[9:12, 9:12, 9:12] = 3.3
    data[data == 0] = np.linspace(0.05, 0.15, np.count_nonzero(data == 0))
    criteria = Criteria(threshold="3.0", tdp=True, min_region_voxels=1, tail="positive")
    strong, weak = find_regions(data, MM2, criteria, mask=np.ones(data.shape, bool)).regions
    assert strong.tdp == 1
    assert weak.tdp < 0.2
    searched_there_only = find_regions(data, MM2, criteria, mask=data > 1).regions[1]
    assert searched_there_only.tdp > weak.tdp
    outside = find_regions(data, MM2, criteria)
    assert outside.warnings == (
        "the true-discovery proportions count every non-zero voxel as searched: there is no mask",
    )


def test_t_is_made_z_for_true_discoveries():
    t = np.random.default_rng(1).standard_t(6, (20, 20, 20))
    t[4:9, 4:9, 4:9] += 14
    criteria = Criteria(threshold="3.0", tdp=True, min_region_voxels=20)
    of_t = find_regions(t, MM2, criteria, statistic=Statistic("t", dof=6))
    of_z = find_regions(t_to_z(t, 6), MM2, replace(criteria, threshold=str(float(t_to_z(3.0, 6)))))
    assert [r.tdp for r in of_t.regions] == [r.tdp for r in of_z.regions]
    assert 0 < of_t.regions[0].tdp < 1


@pytest.mark.parametrize(("knob", "column"), [("grf", "p_cluster"), ("tdp", "tdp")])
def test_inference_counts_nan_as_no_data_and_infinities_as_the_largest_magnitude(knob, column):
    """It looks at every voxel of the map, not only at those that pass."""
    data = smooth_noise(3) + cube((14, 16, 12), side=4, value=4.0, shape=(30, 34, 26))
    data[:2], data[20:], data[9, 9, 9] = np.nan, np.inf, -np.inf
    criteria = Criteria(threshold="2.5", min_region_voxels=1, **{knob: True})
    mask = np.ones(data.shape, bool)
    largest = np.abs(data[np.isfinite(data)]).max()
    zeroed = np.nan_to_num(data, nan=0, posinf=largest, neginf=-largest)
    found, expected = (find_regions(each, MM2, criteria, mask=mask).regions for each in (data, zeroed))
    assert [getattr(region, column) for region in found] == [getattr(region, column) for region in expected]
    assert max(getattr(region, column) for region in found) > 0
