"""The steps together: invariants of every extraction, sizes and counts, conventions, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from little_maps import MM2, cube, oblique

from bids_regions.errors import BadMap, Contradiction
from bids_regions.extraction import Criteria, Statistic, find_regions


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


def test_criteria_default_and_the_package_offers_the_names():
    import bids_regions  # noqa: PLC0415 # the lazy names are what is tested

    assert bids_regions.extraction.find_regions is find_regions
    assert bids_regions.find_regions(cube((1, 1, 1), side=6), MM2, statistic="z").cutoff.asked == "3.0"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bids_regions.extraction.nonsense  # noqa: B018 # reading it is the test
