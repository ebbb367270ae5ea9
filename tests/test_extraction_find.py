"""The steps together: invariants of every extraction, sizes and counts, conventions, inference, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from bids_regions.errors import BadMap, Contradiction
from bids_regions.extraction import Criteria, Statistic, find_regions
from bids_regions.extraction.distributions import t_to_z
from bids_regions.extraction.smoothness import Smoothness

MM2 = np.diag([2.0, 2.0, 2.0, 1.0])


def smooth_noise(seed, shape=(30, 34, 26), fwhm=3.0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), fwhm / 2.355)
    return (noise / noise.std()).astype(np.float32)


def cube(*corners, side=3, value=5.0, shape=(16, 16, 16)):
    data = np.zeros(shape)
    for x, y, z in corners:
        data[x : x + side, y : y + side, z : z + side] = value
    return data


def oblique(affine):
    turn = np.eye(4)
    turn[:3, :3] = [[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]]
    return turn @ affine


def flipped(data, affine):
    affine = affine.copy()
    affine[:3, 3] += affine[:3, 0] * (data.shape[0] - 1)
    affine[:3, 0] *= -1
    return data[::-1], affine


@pytest.mark.parametrize("name", ["min_region_voxels", "min_region_vertices", "max_peaks"])
def test_a_count_must_be_whole(name):
    with pytest.raises(Contradiction, match=f"{name} = 2.5 must be a whole number"):
        Criteria(threshold="3.0", **{name: 2.5})


# --- invariants -------------------------------------------------------------------------------------------------------

little_maps = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int16]),
    st.tuples(*[st.integers(1, 6)] * 3),
    elements=st.integers(-5, 5),
)
little_criteria = st.builds(
    Criteria,
    threshold=st.sampled_from(["1", "2", "80%", "ratio=0.3", "p=0.05", "fdr=0.2"]),
    tail=st.sampled_from(["bi", "two", "positive", "negative"]),
    connectivity=st.sampled_from([6, 18, 26]),
    extract_type=st.sampled_from(["connected_components", "local_regions"]),
    min_region_voxels=st.integers(0, 4),
    convention=st.sampled_from([None, "fsl", "spm", "afni"]),
)


def found_in(data, criteria, affine=MM2):
    """The regions of whole numbers, which look thresholded already: where tests are counted that is refused."""
    looks_thresholded = not np.any((data != 0) & (np.abs(data) < 1))
    if criteria.counts_tests and looks_thresholded:
        with pytest.raises(BadMap, match="was thresholded already"):
            find_regions(data, affine, criteria)
        reject()
    return find_regions(data, affine, criteria)


@settings(max_examples=150, deadline=None)
@given(little_maps, little_criteria)
def test_what_holds_of_every_extraction(data, criteria):
    """Labels are 1..n in the order of the rules; every labelled voxel passes; tails do not mix; peaks lie inside."""
    found = found_in(data, criteria)
    values = data.astype(data.dtype if data.dtype == np.float32 else np.float64)
    cutoff = values.dtype.type(found.cutoff.value)
    assert found.labels.shape == data.shape
    assert np.array_equal(np.unique(found.labels[found.labels > 0]), np.arange(1, len(found.regions) + 1))
    inside = found.labels > 0
    assert np.all(np.abs(values[inside]) > cutoff if criteria.strict else np.abs(values[inside]) >= cutoff)
    assert np.all(values[inside] != 0)
    keys = []
    for region in found.regions:
        voxels = values[found.labels == region.index]
        assert region.n_voxels == voxels.size >= criteria.min_region_voxels
        assert region.sign == ("positive" if np.all(voxels > 0) else "negative" if np.all(voxels < 0) else "both")
        assert region.sign != "both" or criteria.tail == "two"
        assert all(found.labels[peak.ijk] == region.index for peak in region.peaks)
        assert region.peak == region.peaks[0]
        assert abs(region.peak.value) == np.abs(voxels).max()
        tail = criteria.tail != "two" and region.sign == "negative"
        keys.append((tail, -region.n_voxels, -abs(region.peak.value), *region.peak.xyz))
    assert keys == sorted(keys)
    kept = sum(region.n_voxels for region in found.regions)
    assert kept + found.n_removed_voxels == found.n_above


@settings(max_examples=100, deadline=None)
@given(little_maps, little_criteria, st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_storage_does_not_matter(data, criteria, order, flips):
    """The same map with flipped and permuted axes: the same regions, to the last bit."""
    affine = np.array([[2.0, 0, 0, -10], [0, 3, 0, 5], [0, 0, 4, 0], [0, 0, 0, 1]])
    found = found_in(data, criteria, affine)
    for axis, flip in enumerate(flips):
        if flip:
            data = np.flip(data, axis)
            affine = affine.copy()
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
    data, affine = data.transpose(order), affine[:, [*order, 3]]
    again = find_regions(data, affine, criteria)

    def without_ijk(region):
        peaks = tuple(replace(peak, ijk=(0, 0, 0)) for peak in region.peaks)
        return repr(replace(region, peak=peaks[0], peaks=peaks, volume_mm3=round(region.volume_mm3, 9)))

    assert [without_ijk(r) for r in again.regions] == [without_ijk(r) for r in found.regions]
    back = again.labels.transpose(np.argsort(order))
    assert np.array_equal(np.flip(back, [axis for axis in range(3) if flips[axis]]), found.labels)


@settings(max_examples=60, deadline=None)
@given(little_maps, little_criteria)
def test_the_negated_map_swaps_the_tails(data, criteria):
    other = {"positive": "negative", "negative": "positive"}.get(criteria.tail, criteria.tail)
    here = found_in(data.astype(np.float64), criteria)
    there = find_regions(-data.astype(np.float64), MM2, replace(criteria, tail=other))
    swap = {"positive": "negative", "negative": "positive", "both": "both"}

    def facts(regions, sign):
        return sorted((sign(r.sign), r.n_voxels, abs(r.peak.value), abs(r.sum_value), r.com_xyz) for r in regions)

    assert facts(here.regions, str) == facts(there.regions, swap.get)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, ">f4", ">f8"])
def test_any_dtype_and_memory_order(dtype, order):
    data = np.array(cube((1, 1, 1), (9, 9, 9)), dtype=dtype, order=order)
    found = find_regions(data, MM2, Criteria(min_region_voxels=1))
    assert [(r.n_voxels, r.peak.value, r.peak.ijk) for r in found.regions] == [
        (27, 5, (2, 2, 2)),
        (27, 5, (10, 10, 10)),
    ]
    assert found.labels.dtype == np.uint8
    assert found.labels.flags.f_contiguous == (order == "F"), "laid out as the map is, to be written without a copy"
    assert found.cutoff.dtype == ("float32" if np.dtype(dtype).newbyteorder("=") == np.float32 else "float64")


def test_the_map_is_not_changed_and_may_be_read_only():
    data = cube((1, 1, 1))
    data[0, 0, 0] = np.nan
    data.setflags(write=False)
    assert len(find_regions(data, MM2, Criteria(min_region_voxels=1)).regions) == 1
    assert np.isnan(data[0, 0, 0])


# --- none, all, sizes, counts -----------------------------------------------------------------------------------------


def test_nothing_survives_and_that_is_a_result():
    for data, spec in (
        (np.zeros((4, 4, 4)), "3.0"),
        (np.full((4, 4, 4), 0.1), "fdr=0.05"),
        (np.zeros((2, 2, 2)), "97%"),
    ):
        for extract_type in ("connected_components", "local_regions"):
            found = find_regions(data, MM2, Criteria(threshold=spec, extract_type=extract_type))
            assert (found.regions, found.n_above, found.n_removed_regions, found.n_removed_voxels) == ((), 0, 0, 0)
            assert found.labels.shape == data.shape
            assert found.labels.dtype == np.uint8
            assert not found.labels.any()
    assert find_regions(np.full((4, 4, 4), 0.1), MM2, Criteria(threshold="fdr=0.05")).warnings == (
        "no voxel meets fdr=0.05",
    )


def test_everything_survives():
    found = find_regions(np.full((4, 5, 6), 4.0), np.eye(4), Criteria(min_region_voxels=1))
    assert found.labels.all()
    assert found.regions[0].n_voxels == 120


def test_zeros_survive_no_cutoff():
    data = np.zeros((5, 5, 5))
    data[1, 1, 1], data[3, 3, 3] = 1e-30, -1e-30
    for spec in ("0", "0%", "50%", "ratio=1"):
        found = find_regions(data, np.eye(4), Criteria(threshold=spec, min_region_voxels=1))
        assert [r.n_voxels for r in found.regions] == [1, 1]


@pytest.mark.parametrize(
    ("knobs", "n"),
    [
        ({}, 1),  # 216 mm3 < 1500
        ({"min_region_size": 216}, 2),
        ({"min_region_size": 216.0001}, 1),
        ({"min_region_voxels": 27}, 2),
        ({"min_region_voxels": 28}, 1),
        ({"min_region_voxels": 1, "min_region_size": 217}, 1),
        ({"min_region_voxels": 28, "min_region_size": 1}, 1),
        ({"convention": "nilearn", "min_region_size": 216, "extract_type": "connected_components"}, 1),
        ({"convention": "nilearn", "min_region_size": 215.9, "extract_type": "connected_components"}, 2),
        ({"convention": "nilearn", "min_region_voxels": 27, "extract_type": "connected_components"}, 2),
        ({"convention": "fsl"}, 2),
    ],
)
def test_the_size_rules(knobs, n):
    """27 voxels of 8 mm3: exactly the minimum is kept, by nilearn's rule it is not."""
    data = cube((1, 1, 1))
    data[6:16, 6:16, 6:16] = 4
    found = find_regions(data, MM2, Criteria(**knobs))
    assert len(found.regions) == n
    assert found.n_removed_regions == 2 - n
    assert found.n_removed_voxels == 27 * (2 - n)
    assert found.n_above == 1027


def test_a_volume_of_exactly_the_minimum_is_kept_whatever_its_rounding():
    """56 voxels of 3 mm: det is 27.000000000000004 or so for a turned grid, and 56 * 27 = 1512."""
    data = np.zeros((16, 16, 16))
    data.reshape(-1)[:56] = 5
    for affine in (
        np.diag([3.0, 3, 3, 1]),
        oblique(np.diag([3.0, 3, 3, 1])),
        np.diag([-3.0, 3, 3, 1])[:, [1, 0, 2, 3]],
    ):
        data = np.zeros((16, 16, 16))
        data[:7, :8, 0] = 5
        assert len(find_regions(data, affine, Criteria(min_region_size=1512)).regions) == 1
        assert len(find_regions(data, affine, Criteria(min_region_size=1512.001)).regions) == 0


@pytest.mark.parametrize(("n", "dtype"), [(255, np.uint8), (256, np.uint16), (65536, np.int32)])
def test_labels_are_of_the_smallest_type_that_fits(n, dtype):
    data = np.zeros((2 * n, 1, 1), np.float32)
    data[::2] = 5
    found = find_regions(data, np.eye(4), Criteria(min_region_voxels=1, max_peaks=1))
    assert found.labels.dtype == dtype
    assert found.labels.max() == n == len(found.regions)


def test_voxels_outside_the_mask_are_in_no_region():
    data = cube((1, 1, 1), (9, 9, 9))
    mask = np.zeros(data.shape, bool, order="F")
    mask[:8] = True
    found = find_regions(data, MM2, Criteria(min_region_voxels=1), mask=mask)
    assert [r.peak.ijk for r in found.regions] == [(2, 2, 2)]
    assert found.n_above == 27
    assert (found.cutoff.population, found.cutoff.population_size) == ("voxels in the mask", mask.sum())


# --- conventions ------------------------------------------------------------------------------------------------------


def sizes_by(convention, data, **knobs):
    found = find_regions(data, MM2, Criteria(threshold="3.0", convention=convention, **knobs))
    return [region.n_voxels for region in found.regions]


def test_where_the_conventions_part():
    """A voxel exactly at the threshold, an edge pair, a corner pair, and a negative voxel."""
    data = np.zeros((20, 3, 3))
    data[0, 0, 0] = 3.0  # exactly at the threshold
    data[3, 0, 0] = data[4, 1, 0] = 4.0  # an edge apart
    data[8, 0, 0] = data[9, 1, 1] = 4.0  # a corner apart
    data[14, 0, 0] = data[15, 0, 0] = -4.0  # negative
    assert sizes_by("fsl", data) == [2, 2, 1]  # 26, >=, positive
    assert sizes_by("spm", data) == [2, 1, 1]  # 18, >, positive
    assert sizes_by("afni", data) == [1, 1, 1, 1, 1, 2]  # 6, >=, both signs
    assert sizes_by("afni", data, tail="two") == [2, 1, 1, 1, 1, 1]
    assert sizes_by("nilearn", data, min_region_voxels=1, extract_type="connected_components") == [1] * 5 + [2]
    assert sizes_by(None, data, min_region_voxels=1) == sizes_by("afni", data)
    assert sizes_by(None, data) == sizes_by("nilearn", data) == []


@pytest.mark.parametrize(("convention", "n"), [(None, 3), ("nilearn", 4), ("fsl", 6), ("spm", 3), ("afni", 1)])
def test_how_many_peaks_a_convention_lists(convention, n):
    data = np.full((90, 2, 2), 3.5)
    data[5::10] = np.arange(9).reshape(-1, 1, 1) + 4.0
    knobs = {"convention": convention, "extract_type": "connected_components"}
    (region,) = find_regions(data, MM2, Criteria(**knobs)).regions
    assert [p.rank for p in region.peaks] == list(range(1, n + 1))
    assert [p.value for p in region.peaks] == [12 - k for k in range(n)]


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


# --- refusals and warnings --------------------------------------------------------------------------------------------


def test_one_tailed_statistics_are_thresholded_in_their_tail():
    data = cube((1, 1, 1))
    data[9:12, 9:12, 9:12] = -5
    found = find_regions(data, MM2, Criteria(min_region_voxels=1), statistic=Statistic("F"))
    assert [r.sign for r in found.regions] == ["positive"]
    assert found.warnings == ("the F map was thresholded in its positive tail only",)
    assert find_regions(data, MM2, Criteria(tail="positive"), statistic=Statistic("F")).warnings == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((4, 4))}, "has 2 dimensions"),
        ({"domain": np.zeros((4, 4))}, "affine is no invertible"),
        ({"domain": np.full((4, 4), np.nan)}, "affine is no invertible"),
        ({"domain": np.eye(3)}, "affine is no invertible"),
        ({"mask": np.ones((4, 4, 5), bool)}, r"mask has shape \(4, 4, 5\), the map \(4, 4, 4\)"),
        ({"mask": np.zeros((4, 4, 4), bool)}, "mask is empty"),
        ({"values": np.zeros((4, 4, 5))}, r"second map has shape \(4, 4, 5\)"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(change, message):
    good = {"data": np.zeros((4, 4, 4)), "domain": np.eye(4)}
    with pytest.raises(BadMap, match=message) as refused:
        find_regions(**(good | change))
    assert refused.value.hint


def test_nan_counts_as_zero_and_infinities_as_the_largest_magnitude():
    """In a percentile too: the median of |x| is that of 0 0.5 2 3 4 5 5 5; nilearn's infinities are 0."""
    data = np.array([np.nan, np.inf, -np.inf, 0.5, -2, 3, -4, 5]).reshape(2, 2, 2)
    assert find_regions(data, MM2, Criteria(threshold="50%")).cutoff.value == 3.5
    assert find_regions(data, MM2, Criteria(threshold="fdr=0.5")).cutoff.n_tested == 7
    assert find_regions(data, MM2, Criteria(threshold="2.5")).n_above == 5
    assert find_regions(data, MM2, Criteria(threshold="9")).n_above == 2
    nilearn = Criteria(threshold="50%", convention="nilearn", extract_type="connected_components")
    assert find_regions(data, MM2, nilearn).cutoff.value == 1.25 + 1e-5  # of 0 0 0 0.5 2 3 4 5
    huge = np.full((2, 2, 2), 3e38, np.float32)  # the sum overflows although each is finite
    for threshold in ("3.0", "10%"):
        assert find_regions(huge, MM2, Criteria(threshold=threshold, min_region_voxels=1)).regions[0].n_voxels == 8


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


def test_criteria_default_and_the_package_offers_the_names():
    import bids_regions  # noqa: PLC0415 # the lazy names are what is tested

    assert bids_regions.extraction.find_regions is find_regions
    assert bids_regions.find_regions(cube((1, 1, 1), side=6), MM2, statistic="z").cutoff.asked == "3.0"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bids_regions.extraction.nonsense  # noqa: B018 # reading it is the test
