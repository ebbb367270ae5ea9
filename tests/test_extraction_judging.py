"""Random field theory on maps: what find_regions says of clusters, peaks and heights, against its pieces."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from bids_regions.errors import BadMap
from bids_regions.extraction import Criteria, Statistic, find_regions
from bids_regions.extraction.field_theory import (
    FieldStatistic,
    Search,
    count_resels,
    feat_height,
    height_of_fwe,
    judge,
    survival,
)
from bids_regions.extraction.judging import least_voxels
from bids_regions.extraction.smoothness import Smoothness, smoothness_from_fwhm

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
FWHM = (7.0, 9.0, 12.0)  # mm
SHAPE = (24, 22, 20)
T = Statistic("t", dof=40)


def t_map(seed=0):
    """Smooth noise with two blobs of either sign, in a ball."""
    rng = np.random.default_rng(seed)
    sigma = [f / z / 2.355 for f, z in zip(FWHM, (2, 3, 4), strict=True)]
    noise = ndimage.gaussian_filter(rng.standard_normal(SHAPE), sigma)
    data = noise / noise.std()
    data[5:10, 5:10, 5:10] += 5
    data[14:18, 12:17, 10:14] -= 5
    mask = np.sum((np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2) ** 2, axis=0) < 100
    return np.where(mask, data, 0).astype(np.float32), mask


DATA, MASK = t_map()
GIVEN = smoothness_from_fwhm(FWHM, volume=int(MASK.sum()), voxel_volume=24.0, origin="option")
FIELD = FieldStatistic(kind="t", dof=40.0)
SEARCH = Search(
    n_voxels=int(MASK.sum()),
    resels=count_resels(MASK, (3.5, 3.0, 3.0)),
    voxels_per_resel=31.5,
)


def found(threshold="p=0.01", *, data=DATA, affine=AFFINE, mask=MASK, statistic=T, smoothness=GIVEN, **criteria):
    asked = Criteria(threshold=threshold, rft=True, **{"min_region_voxels": 1, "max_peaks": 50, **criteria})
    return find_regions(data, affine, asked, mask=mask, statistic=statistic, smoothness=smoothness)


def pieces(height, tail, neighbourhood=18):
    """Sizes and maxima above a height, by other means."""
    structure = ndimage.generate_binary_structure(3, 2)
    sizes, maxima = [], []
    for one in {"positive": (DATA,), "bi": (DATA, -DATA)}[tail]:
        labels, _ = ndimage.label(one >= height, structure)
        sizes += np.bincount(labels.ravel())[1:].tolist()
        top = ndimage.maximum_filter(one, footprint=structure, mode="constant")
        maxima += one[(one == top) & (one >= height)].tolist()
    return np.array(sizes), np.array(maxima)


@pytest.mark.parametrize(("tail", "tails"), [("positive", 1), ("bi", 2)])
def test_the_columns_are_those_of_all_clusters_and_maxima(tail, tails):
    regions = found(tail=tail)
    height = regions.cutoff.value
    sizes, maxima = pieces(np.float32(height), tail)
    expected = judge(sizes, maxima, height=height, field=FIELD, search=SEARCH, tails=tails)
    by_size = dict(zip(sizes.tolist(), zip(expected.p_cluster, expected.p_cluster_unc, expected.q_cluster, strict=True),
                       strict=True))  # fmt: skip
    for region in regions.regions:
        got = (region.p_cluster, region.p_cluster_unc, region.q_cluster)
        np.testing.assert_allclose(got, by_size[region.n_voxels], rtol=1e-9)
    by_value = dict(zip(maxima.tolist(), zip(expected.p_peak, expected.q_peak, strict=True), strict=True))
    peaks = [peak for region in regions.regions for peak in region.peaks]
    assert len(peaks) > 3
    for peak in peaks:
        np.testing.assert_allclose((peak.p_fwe, peak.q_fdr), by_value[abs(peak.value)], rtol=1e-9)
    main = regions.regions[0]
    assert (main.p_peak, main.q_peak) == (main.peak.p_fwe, main.peak.q_fdr)
    assert regions.field_theory.set_clusters == sizes.size
    assert regions.field_theory.expected_clusters == pytest.approx(expected.expected_clusters)


def test_peaks_say_their_z_with_its_sign_and_the_p_of_one_tail():
    for region in found(tail="bi").regions:
        for peak in region.peaks:
            assert peak.p_unc == pytest.approx(stats.t.sf(abs(peak.value), 40), rel=1e-9)
            assert peak.z_equivalent == pytest.approx(math.copysign(stats.norm.isf(peak.p_unc), peak.value), rel=1e-9)


@pytest.mark.parametrize(
    ("statistic", "known"),
    [(Statistic("z"), True), (Statistic("t", dof=9), True), (Statistic("t"), False), (Statistic("effect"), False),
     (Statistic("F", dof=(2, 30)), True), (Statistic("F"), False)],
)  # fmt: skip
def test_z_and_p_are_there_without_being_asked_for_where_the_distribution_is_known(statistic, known):
    peak = find_regions(DATA, AFFINE, Criteria(threshold=3, min_region_voxels=1), statistic=statistic).regions[0].peak
    assert (peak.z_equivalent is not None, peak.p_unc is not None) == (known, known)
    assert (peak.p_fwe, peak.q_fdr) == (None, None)


def test_an_f_map_has_the_columns_too():
    f = Statistic("F", dof=(3, 40))
    got = found("8", data=np.abs(DATA) * 3, statistic=f)
    main = got.regions[0].peak
    field = FieldStatistic(kind="F", dof=40.0, dof_effect=3.0)
    assert main.p_unc == pytest.approx(float(survival(main.value, field)))
    assert 0 < main.p_fwe < 1
    assert 0 < got.regions[0].p_cluster_unc < 1


def test_a_flipped_and_permuted_map_is_judged_alike():
    order = (2, 0, 1)
    data, mask = (np.flip(array.transpose(order), 1) for array in (DATA, MASK))
    matrix = AFFINE[:, [*order, 3]].copy()
    matrix[:3, 3] += matrix[:3, 1] * (data.shape[1] - 1)
    matrix[:3, 1] *= -1
    one, other = found(tail="bi"), found(tail="bi", data=data, mask=mask, affine=matrix)
    assert [(r.p_cluster, r.q_peak, r.peak.xyz) for r in one.regions] == [
        (r.p_cluster, r.q_peak, r.peak.xyz) for r in other.regions
    ]
    assert one.field_theory.search == other.field_theory.search


def test_with_voxel_fdr_q_of_a_peak_is_its_voxels():
    regions = found("fdr=0.05", tail="bi").regions
    q = stats.false_discovery_control(2 * stats.t.sf(np.abs(DATA[MASK].astype(float)), 40))
    by_value = dict(zip(DATA[MASK].tolist(), q.tolist(), strict=True))
    for region in regions:
        assert region.q_peak == pytest.approx(by_value[region.peak.value], rel=1e-9)


def test_an_estimated_smoothness_is_for_the_clusters_alone_and_said():
    got = found(smoothness=None, tail="positive")
    main = got.regions[0]
    assert main.p_cluster is not None
    assert (main.p_peak, main.q_peak, main.peak.p_fwe, main.peak.q_fdr) == (None,) * 4
    assert main.peak.z_equivalent is not None
    assert got.field_theory.critical_height is None
    assert any("estimated from the map itself, for the clusters alone" in warning for warning in got.warnings)


def test_without_a_mask_the_voxels_that_are_not_zero_are_searched():
    with_mask, without = found(tail="positive"), found(mask=None, tail="positive")
    assert without.field_theory.search == with_mask.field_theory.search
    assert any("counts every non-zero voxel as searched" in warning for warning in without.warnings)
    with pytest.raises(BadMap, match=r"--rft was asked of a map without a mask and without a known smoothness"):
        found(mask=None, smoothness=None)


def test_other_clusters_than_those_of_the_theory_are_said():
    assert any(
        "connectivity 26: the columns of SPM are of clusters of 18" in w for w in found(connectivity=26).warnings
    )
    assert not any("connectivity" in warning for warning in found().warnings)


def test_what_the_size_rules_remove_counts_in_q_and_not_in_the_set():
    every, large = found(tail="positive"), found(tail="positive", min_region_voxels=30)
    kept = {region.n_voxels: region for region in every.regions if region.n_voxels >= 30}
    assert 0 < len(kept) < len(every.regions)
    for region in large.regions:
        assert (region.q_cluster, region.q_peak) == (kept[region.n_voxels].q_cluster, kept[region.n_voxels].q_peak)
    assert large.field_theory.set_clusters == len(large.regions)
    assert large.field_theory.expected_clusters < every.field_theory.expected_clusters


def test_clusters_are_kept_by_their_p():
    every = found(tail="positive")
    kept = found(tail="positive", cluster_alpha=0.05)
    assert [r.n_voxels for r in kept.regions] == [r.n_voxels for r in every.regions if r.p_cluster < 0.05]
    assert len(kept.regions) < len(every.regions)


@pytest.mark.parametrize(
    ("rules", "least"),
    [({"min_region_voxels": 7}, 7), ({"min_region_size": 100.0}, 5), ({"min_region_size": 96.0}, 4),
     ({"min_region_size": 96.0, "convention": "nilearn"}, 5), ({"min_region_size": 96.0, "min_region_voxels": 9}, 9)],
)  # fmt: skip
def test_the_size_rules_in_voxels(rules, least):
    assert least_voxels(Criteria(**rules), 24.0) == least


# fwe


@pytest.mark.parametrize(("tail", "alpha"), [("positive", 0.05), ("bi", 0.025)])
def test_a_family_wise_height_is_that_of_the_peaks_p(tail, alpha):
    asked = Criteria(threshold="fwe=0.05", tail=tail, min_region_voxels=1)
    got = find_regions(DATA, AFFINE, asked, mask=MASK, statistic=T, smoothness=GIVEN)
    assert got.cutoff.value == pytest.approx(height_of_fwe(alpha, FIELD, SEARCH))
    assert (got.cutoff.kind, got.cutoff.n_tested, got.cutoff.dof) == ("fwe", int(MASK.sum()), 40)
    assert {region.sign for region in got.regions} == ({"positive"} if tail == "positive" else {"positive", "negative"})


@pytest.mark.parametrize("statistic", [Statistic("z"), T])
def test_under_the_convention_of_fsl_the_height_is_that_of_feat(statistic):
    fsl = Smoothness(dlh=0.700797, volume=38344, voxels_per_resel=6.60989, fwhm_mm=None, origin="sidecar")
    asked = Criteria(threshold="fwe=0.05", convention="fsl")
    got = find_regions(DATA, AFFINE, asked, mask=MASK, statistic=statistic, smoothness=fsl)
    z = feat_height(0.05, fsl)
    assert f"{z:.6f}" == "5.042313"
    expected = z if statistic.kind == "z" else stats.t.isf(stats.norm.sf(z), 40)
    assert got.cutoff.value == pytest.approx(expected, rel=1e-9)


def test_a_family_wise_height_is_never_that_of_an_estimated_smoothness():
    asked = Criteria(threshold="fwe=0.05")
    with pytest.raises(
        BadMap, match=r"fwe=0.05 needs the smoothness of the residuals, and nothing tells it.*--smoothness"
    ):
        find_regions(DATA, AFFINE, asked, mask=MASK, statistic=T)
    with pytest.raises(BadMap, match=r"threshold fwe=0.05 was asked of the effect map"):
        find_regions(DATA, AFFINE, asked, mask=MASK, statistic=Statistic("effect"), smoothness=GIVEN)


# the second map


def test_the_second_maps_extremum_lies_in_the_regions_direction():
    second = np.zeros(SHAPE)
    second[6, 6, 6], second[7, 7, 7] = -9, 4
    second[15, 13, 11], second[16, 14, 12] = 9, -4
    asked = Criteria(threshold=4, min_region_voxels=20)
    positive, negative = find_regions(DATA, AFFINE, asked, mask=MASK, values=second).regions
    assert (positive.values_peak, positive.values_peak_x, positive.values_peak_y, positive.values_peak_z) == (
        4,
        14,
        21,
        28,
    )
    assert (negative.values_peak, negative.values_peak_x, negative.values_peak_y, negative.values_peak_z) == (
        -4,
        32,
        42,
        48,
    )
    nowhere = find_regions(DATA, AFFINE, asked, mask=MASK, values=np.full(SHAPE, np.nan)).regions[0]
    assert (nowhere.values_peak, nowhere.values_peak_x, nowhere.values_mean) == (None, None, None)
