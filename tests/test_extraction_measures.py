"""Peaks, measures, order and colours: literal arrays, and the definitions in plain loops."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from little_maps import MM2

from bids_regions.extraction import Criteria, find_regions
from bids_regions.extraction.measures import PALETTE, describe_regions
from bids_regions.space import Grid


def regions_of(data, affine=MM2, **knobs):
    knobs = {"threshold": "1", "min_region_voxels": 1, "max_peaks": 1000, "min_peak_distance": 0} | knobs
    return find_regions(np.asarray(data), affine, Criteria(**knobs)).regions


def row(*values):
    """Voxels 2 mm apart along x."""
    return np.array(values, float).reshape(-1, 1, 1)


def peaks_of(*args, **knobs):
    return [(p.ijk, p.value) for region in regions_of(*args, **knobs) for p in region.peaks]


def described(of_regions, of_peaks):
    grid = Grid(shape=(3, 1, 1), affine=MM2)
    elements = grid.at(np.arange(3), np.array([2.0, 5.0, 4.0]))
    facts = {"sign": np.array(["positive"]), **of_regions}
    return describe_regions(elements, np.zeros(3, int), np.array([1]), np.array([0]), (facts, of_peaks))[0]


def test_what_is_known_of_a_peak_stands_in_it_by_its_name():
    found = described({"tdp": np.array([0.5])}, {"p_unc": np.array([0.01]), "q_fdr": np.array([np.nan])})
    assert (found.tdp, found.peak.p_unc, found.peak.q_fdr, found.peak.p_fwe) == (0.5, 0.01, None, None)


@pytest.mark.parametrize("facts", [({"p_uncc": np.array([0.01])}, {}), ({}, {"p_uncc": np.array([0.01])})])
def test_what_neither_regions_nor_peaks_have_is_refused(facts):
    with pytest.raises(TypeError, match="p_uncc"):
        described(*facts)


# --- peaks ------------------------------------------------------------------------------------------------------------


def neighbours(at, labels, neighbourhood):
    """The voxels of the same region among the 6, 18 or 26 around one."""
    reach = {6: 1, 18: 2, 26: 3}[neighbourhood]
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, o)) <= reach]
    around = (tuple(np.add(at, offset).tolist()) for offset in offsets)
    inside = (n for n in around if min(n) >= 0 and all(c < s for c, s in zip(n, labels.shape, strict=True)))
    return [n for n in inside if labels[n] == labels[at]]


def plateau_of(start, data, labels, neighbourhood):
    plateau, stack = {start}, [start]
    while stack:
        level = {n for n in neighbours(stack.pop(), labels, neighbourhood) if abs(data[n]) == abs(data[start])}
        stack += level - plateau
        plateau |= level
    return plateau


def maxima_by_definition(data, labels, neighbourhood):
    """The voxels of each plateau (touching voxels of one region and value) that no neighbour in the region exceeds."""
    plateaus = {
        frozenset(plateau_of(start, data, labels, neighbourhood))
        for start in map(tuple, np.argwhere(labels).tolist())
    }  # fmt: skip
    return [
        plateau
        for plateau in plateaus
        if not any(abs(data[n]) > abs(data[at]) for at in plateau for n in neighbours(at, labels, neighbourhood))
    ]


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(-4, 5).map(float)),
    st.sampled_from([{}, {"convention": "spm", "tail": "bi"}, {"convention": "fsl", "connectivity": 6, "tail": "bi"}]),
    st.sampled_from(["two", "bi"]),
)
def test_every_maximum_gives_one_peak_inside_it(data, convention, tail):
    """As many peaks as plateaus that nothing exceeds; one voxel of each; neighbours outside the region do not count."""
    knobs = {"threshold": "1.5", "min_region_voxels": 1, "max_peaks": 10_000, "min_peak_distance": 0} | convention
    criteria = Criteria(**(knobs | {"tail": tail}))
    found = find_regions(data, MM2, criteria)
    peaks = [peak.ijk for region in found.regions for peak in region.peaks]
    expected = maxima_by_definition(data, found.labels, criteria.peak_neighbourhood)
    assert len(peaks) == len(expected)
    assert all(len(plateau & set(peaks)) == 1 for plateau in expected)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, st.tuples(*[st.integers(2, 9)] * 3), elements=st.integers(-4, 9).map(float)),
    st.sampled_from([0.0, 2.0, 3.0, 4.0, 5.5]),
    st.integers(1, 5),
    st.booleans(),
)
def test_peaks_keep_their_distance_from_every_peak_before(data, distance, most, inclusive):
    """Greedy by |value|: kept are those farther than the distance from all kept; nothing else is left out."""
    knobs = {"convention": "fsl"} if inclusive else {}
    far = (lambda a, b: math.dist(a, b) >= distance) if inclusive else (lambda a, b: math.dist(a, b) > distance)
    knobs |= {"connectivity": 26, "tail": "positive"}
    every = regions_of(data, **knobs)
    some = regions_of(data, max_peaks=most, min_peak_distance=distance, **knobs)
    for all_peaks, kept_peaks in zip((r.peaks for r in every), (r.peaks for r in some), strict=True):
        kept = []
        for peak in all_peaks:
            if len(kept) < most and all(far(peak.xyz, other.xyz) for other in kept):
                kept.append(peak)
        assert [p.xyz for p in kept_peaks] == [p.xyz for p in kept]
        assert [p.rank for p in kept_peaks] == list(range(1, len(kept) + 1))


def test_a_peak_rejected_by_the_first_is_not_readmitted_by_the_second():
    """The third is far from the second, which was looked at last: nilearn's table keeps it."""
    data = row(5, 1, 1, 3, *[1] * 9, 4)
    assert [p[1] for p in peaks_of(data, min_peak_distance=8)] == [5, 4]


@pytest.mark.parametrize(("knobs", "kept"), [({}, 1), ({"convention": "fsl"}, 2), ({"convention": "spm"}, 1)])
def test_a_peak_exactly_at_the_distance(knobs, kept):
    """FSL keeps it; SPM and we do not. The grid's float32 rounding (1.6 mm x 5) decides nothing."""
    assert len(peaks_of(row(5, 2, 2, 2, 4), threshold="1", min_peak_distance=8, **knobs)) == kept
    fine = np.diag(np.float64(np.float32([1.6, 1.6, 1.6, 1])))
    assert len(peaks_of(row(5, 2, 2, 2, 2, 4), affine=fine, min_peak_distance=8, **knobs)) == kept
    assert len(peaks_of(row(5, 2, 2, 2, 2, 4), min_peak_distance=8, **knobs)) == 2


def test_a_plateau_gives_the_voxel_nearest_to_its_middle():
    assert peaks_of(row(1, 3, 3, 3, 2)) == [((2, 0, 0), 3.0)]
    assert peaks_of(row(1, 3, 3, 2)) == [((1, 0, 0), 3.0)], "of two, the one with the smaller x"
    assert peaks_of(row(1, 3, 3, 2), affine=np.diag([-2.0, 2, 2, 1])) == [((2, 0, 0), 3.0)], "smaller in mm"
    ring = np.full((3, 3, 1), 7.0)
    ring[1, 1, 0] = 2
    ((ijk, value),) = peaks_of(ring)
    assert value == 7, "the middle of a ring is no voxel of it"
    assert ijk == (0, 1, 0)


def test_a_plateau_on_a_slope_gives_no_peak():
    assert peaks_of(row(2, 3, 3, 3, 4, 1)) == [((4, 0, 0), 4.0)]


def test_a_larger_neighbour_in_another_region_does_not_hide_a_peak():
    """The two touch by a corner: two regions at 6, in which the 26 neighbours do not see each other."""
    data = np.zeros((2, 2, 2))
    data[0, 0, 0], data[1, 1, 1] = 3, 5
    assert peaks_of(data) == [((1, 1, 1), 5.0), ((0, 0, 0), 3.0)]
    assert peaks_of(data, connectivity=26) == [((1, 1, 1), 5.0)]


def test_neighbourhoods_of_the_conventions():
    """Two voxels that share a corner in one region: both are maxima for SPM (18) and for FSL with connectivity 6."""
    data = np.zeros((5, 5, 5))
    data[1:4, 1:4, 1:4] = 2
    data[1, 1, 1], data[2, 2, 2] = 3, 5
    assert len(peaks_of(data, convention="spm")) == 2
    assert len(peaks_of(data, convention="fsl", connectivity=6)) == 2
    assert len(peaks_of(data, convention="fsl")) == 1
    assert len(peaks_of(data)) == 1


def test_peaks_less_than_a_millimetre_apart_are_not_equal_in_x():
    data = np.zeros((3, 6, 1))
    data[0, 5], data[1, 0] = 4.0, 4.0
    found = find_regions(data, np.diag([0.4, 0.4, 0.4, 1.0]), Criteria(threshold=1.0, min_region_voxels=1))
    assert [region.peak.ijk for region in found.regions] == [(0, 5, 0), (1, 0, 0)]


def test_equal_peaks_are_ranked_by_x_then_y_then_z_in_mm():
    data = np.full((5, 5, 5), 2.0)
    data[0, 4, 0] = data[0, 0, 4] = data[4, 0, 0] = data[0, 0, 0] = 5
    ranked = [(0, 0, 0), (0, 0, 4), (0, 4, 0), (4, 0, 0)]
    assert [ijk for ijk, _ in peaks_of(data)] == ranked
    flipped = np.diag([-2.0, 2, 2, 1])
    assert [ijk for ijk, _ in peaks_of(data, affine=flipped)] == [ranked[3], *ranked[:3]]


def test_many_maxima_of_a_noise_map_are_those_of_a_filter():
    """More candidates than are searched at once: against the maximum filter, on values without ties."""
    data = np.random.default_rng(0).standard_normal((30, 31, 32))
    (region,) = regions_of(data + 20, max_peaks=10_000)
    at = {peak.ijk for peak in region.peaks}
    padded = np.pad(data, 1, constant_values=-np.inf)
    shifts = [padded[1 + i : 31 + i, 1 + j : 32 + j, 1 + k : 33 + k]
              for i, j, k in itertools.product((-1, 0, 1), repeat=3) if (i, j, k) != (0, 0, 0)]  # fmt: skip
    expected = np.all([data > shifted for shifted in shifts], axis=0)
    assert at == set(map(tuple, np.argwhere(expected).tolist()))
    values = [peak.value for peak in region.peaks]
    assert values == sorted(values, reverse=True)


# --- measures ---------------------------------------------------------------------------------------------------------


def test_every_measure_of_a_region_a_reader_can_see():
    data = np.zeros((4, 3, 3), np.float32)
    data[1:4, 1, 1] = -2, -4, -6
    affine = np.array([[-2.0, 0, 0, 10], [0, 3, 0, 0], [0, 0, 4, -5], [0, 0, 0, 1]])
    (region,) = regions_of(data, affine)
    assert (region.index, region.name, region.sign, region.n_voxels) == (1, "region-1", "negative", 3)
    assert region.volume_mm3 == 72  # and not 71.99999999999997, as a determinant is rounded
    assert (region.peak.value, region.peak.ijk, region.peak.xyz, region.peak.rank) == (-6, (3, 1, 1), (4, 3, -1), 1)
    assert region.peaks == (region.peak,)
    assert region.com_xyz == pytest.approx((10 - 2 * (1 * 2 + 2 * 4 + 3 * 6) / 12, 3, -1))
    assert region.com_in_region is True
    assert (region.mean_value, region.sd_value, region.sum_value) == (-4, 2, -12)
    assert (region.p_cluster, region.tdp, region.values_mean, region.values_at_peak) == (None,) * 4
    assert region.color == PALETTE[0]


def test_a_single_voxel_has_no_standard_deviation():
    (region,) = regions_of(row(0, 5, 0))
    assert math.isnan(region.sd_value)
    assert (region.mean_value, region.n_voxels) == (5, 1)


def test_the_centre_of_a_ring_is_outside_it():
    ring = np.full((3, 3, 1), 7.0)
    ring[1, 1, 0] = 0
    assert regions_of(ring)[0].com_in_region is False
    assert regions_of(ring)[0].com_xyz == (2, 2, 0)
    ring[1, 1, 0] = -7
    assert regions_of(ring)[0].com_in_region is False, "the voxel there belongs to another region"


def test_measures_equal_those_of_each_region_by_itself():
    data = np.random.default_rng(5).standard_normal((12, 13, 14)).astype(np.float32)
    found = find_regions(data, MM2, Criteria(threshold="0.8", min_region_voxels=1))
    assert len(found.regions) > 50
    for region in found.regions:
        inside = found.labels == region.index
        values = data[inside].astype(float)
        assert region.n_voxels == values.size
        assert region.sum_value == pytest.approx(values.sum(), rel=1e-12)
        assert region.mean_value == pytest.approx(values.mean(), rel=1e-12)
        if values.size > 1:
            assert region.sd_value == pytest.approx(values.std(ddof=1), rel=1e-9)
        centre = np.average(np.argwhere(inside), axis=0, weights=np.abs(values))
        assert region.com_xyz == pytest.approx(2 * centre)
        assert abs(region.peak.value) == np.abs(values).max()
        assert data[region.peak.ijk] == region.peak.value
        assert found.labels[region.peak.ijk] == region.index


def test_merged_tails_tell_which_signs_they_hold():
    data = row(3, 4, -5, 0, -3, 0, 2)
    assert [(r.sign, r.n_voxels) for r in regions_of(data, tail="two")] == [
        ("both", 3), ("negative", 1), ("positive", 1)
    ]  # fmt: skip
    assert [r.sign for r in regions_of(data, tail="bi")] == ["positive", "positive", "negative", "negative"]
    assert regions_of(data, tail="two")[0].peak.value == -5


def test_values_of_a_second_map():
    data, second = row(3, 4, 0, -5), row(10, 20, 99, np.nan)
    found = find_regions(data, MM2, Criteria(threshold="1", min_region_voxels=1), values=second)
    assert [(r.values_mean, r.values_at_peak) for r in found.regions] == [(15, 20), (None, None)]
    second[1] = np.inf
    found = find_regions(data, MM2, Criteria(threshold="1", min_region_voxels=1), values=second)
    assert (found.regions[0].values_mean, found.regions[0].values_at_peak) == (10, None)


# --- order and colours ------------------------------------------------------------------------------------------------


def test_regions_are_numbered_by_sign_size_height_and_place():
    """Positive first, then voxels, |peak|, x, y, z; merged tails by all but the sign."""
    data = np.zeros((9, 5, 3))
    data[0:3, 0, 0] = -9  # 3 voxels, negative
    data[4, 0, 0] = 3  # 1 voxel, low
    data[6:8, 0, 0] = 2  # 2 voxels, lower
    data[4, 2, 0] = 5  # 1 voxel, high, small x
    data[6, 2, 0] = 5  # the same at a larger x
    data[4, 4, 0] = 5  # small x, larger y
    data[4, 4, 2] = 5  # small x, larger y, larger z
    expected = [(6, 0, 0), (4, 2, 0), (4, 4, 0), (4, 4, 2), (6, 2, 0), (4, 0, 0), (1, 0, 0)]
    assert [r.peak.ijk for r in regions_of(data)] == expected
    assert [r.peak.ijk for r in regions_of(data, tail="two")] == [expected[-1], *expected[:-1]]
    assert [r.index for r in regions_of(data)] == [1, 2, 3, 4, 5, 6, 7]


def test_nilearn_numbers_by_the_scan_of_the_file():
    data = np.zeros((5, 5, 5))
    data[0, 0, 4] = data[0, 4, 0] = data[4, 0, 0] = 2
    data[2, 2, 2] = -9
    knobs = {"convention": "nilearn", "extract_type": "connected_components"}
    for order in "CF":
        found = regions_of(np.array(data, order=order), affine=np.diag([-1.0, 1, 1, 1]), **knobs)
        assert [r.peak.ijk for r in found] == [(0, 0, 4), (0, 4, 0), (2, 2, 2), (4, 0, 0)]


def test_colours_are_distinct_and_come_round():
    assert len(set(PALETTE)) == 20
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in PALETTE)
    data = np.zeros((50, 1, 1))
    data[::2] = np.arange(25, 0, -1).reshape(-1, 1, 1) + 1.0
    assert [r.color for r in regions_of(data)] == [*PALETTE, *PALETTE[:5]]


def as_lab(colour):
    """Of an sRGB colour: lightness and two opponent axes of OKLab (Ottosson 2020)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
    opponent = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
    return opponent @ np.cbrt(cones @ linear)


def test_no_two_colours_look_alike():
    lab = np.array([as_lab(colour) for colour in PALETTE])
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(len(lab))
    assert apart.min() > 0.1
