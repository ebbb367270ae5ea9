"""Local regions: nilearn's rule against nilearn itself, and what ours mends, each failure beside its mending."""

import itertools
import warnings
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nilearn.regions import connected_regions
from scipy import ndimage

from bids_regions.extraction import local_regions
from bids_regions.extraction.components import label_components, select_voxels
from bids_regions.extraction.local_regions import find_seeds, join_stranded, split_exact
from bids_regions.extraction.nilearn_walker import split_nilearn
from bids_regions.extraction.random_walk import Links
from bids_regions.space import Grid

MOTOR = nib.load(Path(nilearn.__file__).parent / "datasets" / "data" / "image_10426.nii.gz")
MM3 = np.diag([3.0, 3.0, 3.0, 1.0])
NEIGHBOURS = {c: ndimage.generate_binary_structure(3, rank) for c, rank in ((6, 1), (18, 2), (26, 3))}


def motor(cutoff=3.0):
    """The motor map, its voxels below the cutoff set to 0."""
    data = np.asanyarray(MOTOR.dataobj)
    return np.where(np.abs(data) >= cutoff, data, np.float32(0))


def split(thresholded, *, affine=MM3, connectivity=6, fwhm=6.0, merged=False):
    """Our rule as a label image: 1, 2, ... and 0 for zero voxels."""
    frame = Grid.of(thresholded, affine)
    flat = frame.flatten(thresholded)
    voxels = frame.at(*select_voxels(flat, 0.0, "bi"))
    components = label_components(voxels, connectivity, merged=merged)
    labels = np.zeros(flat.size, int)
    labels[voxels.memory] = 1 + split_exact(
        voxels, components, connectivity=connectivity, smoothing_fwhm=fwhm, merged=merged
    )
    return frame.unflatten(labels)


def sizes(labels):
    return sorted(np.bincount(labels.ravel())[1:].tolist(), reverse=True)


def pieces(labels, connectivity=6):
    """Of each region, the number of connected pieces."""
    return [ndimage.label(labels == k, NEIGHBOURS[connectivity])[1] for k in range(1, labels.max() + 1)]


def nilearn_itself(thresholded, affine, fwhm):
    """Nilearn's label of each voxel, from the volumes it returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = nib.Nifti1Image(thresholded, affine)
        regions, _ = connected_regions(image, min_region_size=0, extract_type="local_regions", smoothing_fwhm=fwhm)
    labels = np.zeros(thresholded.shape, int)
    if regions is not None:
        volumes = np.asanyarray(regions.dataobj)
        for k in range(volumes.shape[3]):
            labels[volumes[..., k] != 0] = k + 1
    return labels


def oblique(angle=0.3, zooms=(2.0, 3.0, 3.5)):
    c, s = np.cos(angle), np.sin(angle)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag(zooms)
    return affine


# nilearn's rule


WAYS = ("as it is", "negated", "flipped", "permuted", "float64", "in C order")


@pytest.mark.parametrize(
    ("cutoff", "turned", "fwhm"),
    [
        *((cutoff, turned, 6) for cutoff in (3.0, 2.1069351) for turned in WAYS),
        *((3.0, turned, fwhm) for turned in ("as it is", "permuted") for fwhm in (None, 4.5)),
    ],
)
def test_nilearn_rule_equals_nilearn_on_its_map(cutoff, turned, fwhm):
    data = motor(cutoff)
    data = {
        "as it is": data,
        "negated": -data,
        "flipped": np.asfortranarray(data[::-1]),
        "permuted": np.asfortranarray(data.transpose(2, 0, 1)),
        "float64": data.astype(np.float64),
        "in C order": np.ascontiguousarray(data),
    }[turned]
    ours = split_nilearn(data, MOTOR.affine, fwhm)
    assert ours.max() >= 2
    np.testing.assert_array_equal(ours, nilearn_itself(data, MOTOR.affine, fwhm))


def test_nilearn_rule_equals_nilearn_on_an_oblique_grid():
    np.testing.assert_array_equal(split_nilearn(motor(), oblique(), 5.0), nilearn_itself(motor(), oblique(), 5.0))


@st.composite
def small_maps(draw):
    """Smooth, integer-valued, saturated, two-valued or constant, of any small shape, either precision and order."""
    shape = draw(st.tuples(*[st.integers(1, 12)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    data = ndimage.gaussian_filter(rng.standard_normal(shape), draw(st.sampled_from([0.0, 0.7, 1.5])))
    kind = draw(st.sampled_from(["smooth", "integers", "saturated", "two values", "constant"]))
    if kind == "integers":
        data = np.round(data * 8)
    elif kind == "saturated":
        data = np.clip(data, -0.4, 0.4)
    elif kind == "two values":
        data = np.sign(data) * 1.1
    elif kind == "constant":
        data = np.full(shape, data.flat[0])
    data = np.where(np.abs(data) >= draw(st.sampled_from([0.0, 0.2, 0.5])), data, 0)
    return np.array(data, dtype=draw(st.sampled_from([np.float32, np.float64])), order=draw(st.sampled_from("CF")))


@given(small_maps(), st.sampled_from([None, 2.0, 6.0]))
@settings(max_examples=25, deadline=None)
def test_nilearn_rule_equals_nilearn_on_small_maps(data, fwhm):
    np.testing.assert_array_equal(split_nilearn(data, oblique(), fwhm), nilearn_itself(data, oblique(), fwhm))


def two_plates():
    """A thin high plate and a thick lower one near it, whose smoothed value is the higher; the rest is empty."""
    data = np.zeros((40, 12, 12), np.float32)
    data[15, 2:10, 2:10], data[18:23, 2:10, 2:10] = 5.0, 3.5
    return data


@pytest.mark.parametrize("data", [two_plates(), two_plates()[::-1], np.pad(np.full((3, 3, 3), 5.0), 3)])
@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_nilearn_rule_equals_nilearn_beside_empty_space(data, fwhm):
    """Cutting the map to what is not zero neither adds to its edges nor makes it constant."""
    ours = split_nilearn(data, MM3, fwhm)
    assert ours.max() == 1
    np.testing.assert_array_equal(ours, nilearn_itself(data, MM3, fwhm))


def test_nilearn_rule_gives_voxels_to_a_seed_that_takes_no_part():
    """A seed without neighbours is number 1, is dropped, and yet gets what the solver has not reached when it ends."""
    rough = np.exp(8 * np.random.default_rng(0).random((60, 1, 1)))
    data = np.concatenate([np.full((1, 1, 1), 1.1 * rough.max()), np.zeros((1, 1, 1)), rough])
    ours = split_nilearn(data, np.eye(4), None)
    assert ours[0] == 0
    assert np.count_nonzero(ours == 1) > 0
    np.testing.assert_array_equal(ours, nilearn_itself(data, np.eye(4), None))


def test_nilearn_rule_leaves_an_empty_map_empty():
    found = split_nilearn(np.zeros((4, 5, 6), np.float32), np.eye(4), 6.0)
    assert found.dtype == np.int32
    assert not found.any()


def test_nilearn_rule_without_smoothing_may_be_asked_by_zero():
    np.testing.assert_array_equal(split_nilearn(motor(), MM3, 0), split_nilearn(motor(), MM3, None))


# what ours mends


def blob(shape, *boxes):
    data = np.zeros(shape)
    for corner, edge, value in boxes:
        data[tuple(slice(c, c + edge) for c in corner)] = value
    return data


def test_negative_blobs_are_kept():
    data = blob((40, 12, 12), ((2, 4, 4), 4, 5.0), ((30, 4, 4), 4, -5.0))
    assert sizes(split_nilearn(data, MM3, 6.0)) == [64]
    assert sizes(split(data)) == [64, 64]


def test_a_map_of_negative_blobs_alone_has_regions():
    data = blob((20, 12, 12), ((2, 4, 4), 4, -5.0))
    assert sizes(split_nilearn(data, MM3, 6.0)) == []
    assert sizes(split(data)) == [64]


def test_a_blob_far_below_the_highest_is_kept():
    data = blob((40, 12, 12), ((2, 4, 4), 4, 100.0), ((30, 4, 4), 4, 5.0))
    assert sizes(split_nilearn(data, MM3, 6.0)) == [64]
    assert sizes(split(data)) == [64, 64]


def test_a_blob_near_a_higher_one_is_kept():
    data = blob((20, 12, 12), ((2, 4, 4), 4, 5.0), ((9, 4, 4), 4, 4.0))
    assert sizes(split_nilearn(data, MM3, 6.0)) == [64]
    assert sizes(split(data)) == [64, 64]


def test_touching_blobs_of_opposite_sign_are_two_regions():
    data = blob((20, 12, 12), ((2, 4, 4), 4, 5.0), ((6, 4, 4), 4, -5.0))
    labels = split_nilearn(data, MM3, 6.0)
    assert {np.sign(v) for v in data[labels == 1]} == {-1.0, 1.0}
    labels = split(data)
    assert sizes(labels) == [64, 64]
    assert all(np.unique(np.sign(data[labels == k])).size == 1 for k in (1, 2))


def test_a_constant_map_is_one_region():
    data = np.full((6, 7, 8), 2.5)
    assert sizes(split_nilearn(data, MM3, 6.0)) == []
    assert sizes(split(data)) == [6 * 7 * 8]


@pytest.mark.parametrize(("cutoff", "fwhm"), [(2.8, 6.0), (3.0, 0.0)])
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_every_region_of_a_real_map_is_connected(cutoff, fwhm, connectivity):
    """With and without smoothing, however many pieces nilearn's fall into: the processor and its threads decide."""
    data = motor(cutoff)
    theirs = nilearn_itself(np.maximum(data, 0), MM3, fwhm)
    assert pieces(split_nilearn(np.maximum(data, 0), MM3, fwhm)) == pieces(theirs)
    labels = split(data, connectivity=connectivity, fwhm=fwhm)
    assert set(pieces(labels, connectivity)) == {1}
    assert np.count_nonzero(labels) == np.count_nonzero(data)


def test_neither_a_flip_nor_a_permutation_moves_a_voxel():
    """All 48 ways to store the same map, each with its affine; nilearn may move voxels with a single flip."""
    data = motor(2.1069351)[:, 8:52]
    expected = split(data, affine=MOTOR.affine, fwhm=4.0)
    assert expected.max() > label_count(data)
    for order, *signs in itertools.product(itertools.permutations(range(3)), *[(1, -1)] * 3):
        affine = MOTOR.affine.copy()
        for axis, sign in enumerate(signs):
            if sign < 0:
                affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
                affine[:3, axis] *= -1
        flip = tuple(slice(None, None, s) for s in signs)
        stored = np.asfortranarray(data[flip].transpose(order))
        found = split(stored, affine=affine[:, [*order, 3]], fwhm=4.0)
        np.testing.assert_array_equal(found.transpose(np.argsort(order))[flip], expected)
    flipped = np.asfortranarray(data[::-1])
    np.testing.assert_array_equal(split_nilearn(flipped, MM3, 4.0), nilearn_itself(flipped, MM3, 4.0))


def label_count(data):
    return sum(ndimage.label(sign * data > 0)[1] for sign in (1, -1))


# what ours is


@st.composite
def islands(draw):
    """Maps of smooth islands, some of them wider than eleven voxels, in either sign."""
    shape = draw(st.sampled_from([(26, 9, 7), (15, 16, 14), (40, 4, 3)]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    data = ndimage.gaussian_filter(rng.standard_normal(shape), draw(st.sampled_from([0.8, 1.5])))
    data /= data.std()
    if draw(st.booleans()):
        data = np.round(data * 2) / 2
    return np.where(np.abs(data) >= draw(st.sampled_from([0.2, 0.8])), data, 0)


@given(islands(), st.sampled_from([6, 18, 26]), st.sampled_from([0.0, 4.0, 8.0]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_regions_are_connected_parts_of_components(data, connectivity, fwhm, merged):
    """Each voxel has a region, each region is connected and lies in one component, and numbers have no gaps."""
    labels = split(data, connectivity=connectivity, fwhm=fwhm, merged=merged)
    np.testing.assert_array_equal(labels > 0, data != 0)
    assert set(pieces(labels, connectivity)) <= {1}
    assert np.unique(labels[labels > 0]).tolist() == list(range(1, labels.max() + 1))
    for sign in [0] if merged else [1, -1]:
        chosen = data * sign > 0 if sign else data != 0
        component, _ = ndimage.label(chosen, NEIGHBOURS[connectivity])
        pairs = np.unique(np.stack([labels[chosen], component[chosen]]), axis=1)
        assert np.unique(pairs[0]).size == pairs.shape[1]
        for k, box in enumerate(ndimage.find_objects(component), 1):
            if max(s.stop - s.start for s in box) <= 11:
                assert np.unique(labels[component == k]).size == 1


@given(islands(), st.sampled_from([0.0, 4.0]))
@settings(max_examples=30, deadline=None)
def test_a_change_of_sign_changes_no_region(data, fwhm):
    one, other = split(data, fwhm=fwhm), split(-data, fwhm=fwhm)
    np.testing.assert_array_equal(one, other)


def seeds_by_definition(ijk, magnitude, deviation):
    """Step 1 of the definition, voxel by voxel, the Gaussian summed over every pair of voxels."""
    apart = ijk.T[:, None, :] - ijk.T[None, :, :]
    weight = np.ones(apart.shape[:2])
    for axis, sigma in enumerate(deviation):
        radius = int(4 * sigma + 0.5)
        offsets = np.arange(-radius, radius + 1)
        kernel = np.exp(-0.5 * (offsets / (sigma or 1)) ** 2)
        inside = np.abs(apart[..., axis]) <= radius
        weight *= np.where(inside, np.exp(-0.5 * (apart[..., axis] / (sigma or 1)) ** 2) / kernel.sum(), 0)
    height = weight @ magnitude
    highest_near = np.array([height[near].max() for near in (np.abs(apart) <= 10).all(axis=2)])
    return [
        np.flatnonzero((height >= highest_near * (1 - slack)) & (height > (0.1 + slack) * height.max())).tolist()
        for slack in (0.0, 1e-5)
    ]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.8, 1.6]))
@settings(max_examples=20, deadline=None)
def test_seeds_are_those_of_the_definition(seed, sigma):
    rng = np.random.default_rng(seed)
    data = ndimage.gaussian_filter(rng.standard_normal((34, 5, 13)), 1.0)
    component, _ = ndimage.label(data > 0)
    ijk = np.array(np.nonzero(component == np.bincount(component[component > 0]).argmax())).astype(np.int32)
    magnitude = data[tuple(ijk)]
    expected, nearly = seeds_by_definition(ijk, magnitude, [sigma, sigma / 2, sigma])
    assume(expected == nearly)  # ours are smoothed in float32
    assert find_seeds(ijk, magnitude, np.array([sigma, sigma / 2, sigma])).tolist() == expected


def test_of_equal_maxima_within_reach_the_first_along_x_is_the_seed():
    ijk = np.array([[8, 0, 4, 4], [0, 0, 3, 0], [0, 0, 0, 0]], np.int32)
    assert find_seeds(ijk, np.array([2.0, 2.0, 2.0, 1.0]), np.zeros(3)).tolist() == [1]


def test_a_plateau_has_one_seed_however_long():
    ijk = np.array([np.arange(50), np.zeros(50), np.zeros(50)], np.int32)
    assert find_seeds(ijk, np.full(50, 3.0), np.zeros(3)).tolist() == [0]


def test_a_seed_must_exceed_a_tenth_of_its_component():
    ijk = np.array([np.arange(30), np.zeros(30), np.zeros(30)], np.int32)
    height = np.full(30, 0.01)
    height[[2, 15, 28]] = 10.0, 1.0, 1.1
    assert find_seeds(ijk, height, np.zeros(3)).tolist() == [2, 28]


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_values_of_any_size_are_split(scale):
    data = np.zeros((30, 1, 1))
    data[:, 0, 0] = (2 + np.cos(np.arange(30) / 29 * 4 * np.pi)) * scale
    assert len(sizes(split(data, fwhm=0.0))) >= 2


def test_a_map_without_any_difference_has_links_of_one():
    """The spread of a constant map is zero; its links are not 0 / 0."""
    frame = Grid.of(np.full((3, 1, 1), 0.1), np.eye(4))
    voxels = frame.at(np.arange(3), np.full(3, 0.1))
    one = np.full(2, 0.1)
    assert local_regions._weights(voxels, one, one, merged=False).tolist() == [1 + 1e-10] * 2


def test_voxels_that_touch_at_corners_are_walked_over_corners():
    """A diagonal line of 26-connectivity has no face at all."""
    data = np.zeros((30, 30, 30))
    line = np.arange(30)
    data[line, line, line] = 3 + np.cos(line / 29 * 4 * np.pi)
    assert sizes(split(data, connectivity=26, fwhm=0.0)) == [20, 5, 5]
    assert sizes(split(data, connectivity=18, fwhm=0.0)) == [1] * 30


def test_merged_tails_are_divided_where_the_sign_changes():
    """Where both signs have a seed, the step between them is the steepest there is."""
    data = np.zeros((34, 1, 1))
    data[:17, 0, 0] = 6 - np.abs(np.arange(17) - 5) / 10
    data[17:, 0, 0] = -6 + np.abs(np.arange(17, 34) - 28) / 10
    labels = split(data, fwhm=0.0, merged=True)
    assert sizes(labels) == [17, 17]
    assert np.unique(np.sign(data[labels == 1])).size == 1


def test_voxels_cut_off_from_their_seed_join_a_neighbour(monkeypatch):
    """On rough ground, eight voxels have the highest probability for a seed that lies behind another region."""
    data = np.exp(3 * np.random.default_rng(5).random((60, 60, 1)))
    labels = split(data, fwhm=0.0)
    assert set(pieces(labels)) == {1}
    monkeypatch.setattr(local_regions, "join_stranded", lambda regions, links, seeds: regions)
    torn = split(data, fwhm=0.0)
    assert max(pieces(torn)) > 1
    assert np.count_nonzero(torn != labels) == 8


def test_a_fragment_joins_the_neighbour_it_is_linked_to_most():
    """Nodes 0 and 1, stranded from seed 5, touch region 0 by 0.5 + 0.5 and region 1 by 1.5."""
    links = Links(
        np.array([0, 0, 1, 1, 2, 3, 4]), np.array([1, 2, 2, 4, 3, 5, 6]), np.array([9.0, 0.5, 0.5, 1.5, 1.0, 1.0, 1.0])
    )
    regions = np.array([2, 2, 0, 0, 1, 2, 1])
    assert join_stranded(regions, links, np.array([3, 6, 5])).tolist() == [1, 1, 0, 0, 1, 2, 1]


def test_fragments_behind_fragments_follow_in_turn():
    chain = Links(np.arange(5), np.arange(1, 6), np.ones(5))
    regions = np.array([2, 1, 2, 0, 1, 2])  # nodes 0, 1, 2 are stranded one behind the other
    assert join_stranded(regions, chain, np.array([3, 4, 5])).tolist() == [0, 0, 0, 0, 1, 2]


def test_no_voxel_at_all_is_split_into_nothing():
    assert not split(np.zeros((3, 4, 5))).any()


@given(islands())
@settings(max_examples=20, deadline=None)
def test_a_component_is_split_as_if_it_were_alone(data):
    """Up to the spread of the map, which the weights share: here the others are moved, not removed."""
    component, n = ndimage.label(data > 0)
    assume(n >= 2)
    wide = np.zeros((2 * data.shape[0] + 3, *data.shape[1:]))
    wide[: data.shape[0]] = data
    apart = wide.copy()
    others = (component > 1) | (data < 0)
    apart[: data.shape[0]][others] = 0
    apart[data.shape[0] + 3 :][others] = data[others]
    one, other = split(wide, fwhm=6.0)[: data.shape[0]], split(apart, fwhm=6.0)[: data.shape[0]]
    chosen = component == 1
    pairs = np.unique(np.stack([one[chosen], other[chosen]]), axis=1)
    assert pairs.shape[1] == np.unique(one[chosen]).size == np.unique(other[chosen]).size
