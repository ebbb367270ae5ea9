"""Nilearn run live beside us: the same regions, voxel for voxel and in the same order, of real and random maps."""

import warnings
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pytest
from little_maps import flipped, oblique, smooth_noise
from nilearn.image import threshold_img
from nilearn.regions import connected_regions

from bids_regions.extraction import Criteria, find_regions

MOTOR = nib.load(Path(nilearn.__file__).parent / "datasets" / "data" / "image_10426.nii.gz")


def nilearn_maps():
    motor, affine = np.asanyarray(MOTOR.dataobj), MOTOR.affine
    yield "motor", motor, affine
    yield "negated", -motor, affine
    yield "flipped", *flipped(motor, affine)
    yield "oblique", motor, oblique(affine)
    yield "float64", motor.astype(np.float64) * 1.1, affine
    yield "permuted", motor.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]]
    for seed in range(3):
        yield f"noise {seed}", smooth_noise(seed), np.diag([2.0, 3.0, 4.0, 1.0])


MAPS = {name: (data, affine) for name, data, affine in nilearn_maps()}


def regions_by_nilearn(data, affine, threshold, mask=None, **options):
    """Nilearn's 4-D array of regions, with no volume where nothing survived."""
    asked = threshold if threshold.endswith("%") else float(threshold)
    two_sided = options.pop("two_sided")
    image = nib.Nifti1Image(data, affine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thresholded = threshold_img(image, asked, two_sided=two_sided, mask_img=mask, copy=True, copy_header=True)
        regions, _ = connected_regions(thresholded, mask_img=mask, **options)
    return np.zeros((*data.shape, 0), np.float32) if regions is None else regions.get_fdata(dtype=np.float32)


def regions_by_us(data, affine, criteria, mask=None):
    found = find_regions(data, affine, criteria, mask=mask)
    numbers = np.arange(1, len(found.regions) + 1)
    return np.where(found.labels[..., None] == numbers, data[..., None], 0).astype(np.float32)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("threshold", "tail"), [("97%", "two"), ("90%", "positive"), ("3.0", "positive"), ("2.3", "two")]
)
def test_components_equal_nilearn_bit_for_bit(name, threshold, tail):
    data, affine = MAPS[name]
    for size in (54, 1350):
        criteria = Criteria(convention="nilearn", extract_type="connected_components", threshold=threshold, tail=tail,
                            min_region_size=size)  # fmt: skip
        theirs = regions_by_nilearn(data, affine, threshold, two_sided=tail == "two", min_region_size=size,
                                    extract_type="connected_components")  # fmt: skip
        assert np.array_equal(regions_by_us(data, affine, criteria), theirs)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("threshold", "tail", "fwhm"), [("97%", "two", 6.0), ("3.0", "two", 0.0), ("2.3", "positive", 6.0)]
)
def test_local_regions_equal_nilearn_bit_for_bit(name, threshold, tail, fwhm):
    data, affine = MAPS[name]
    criteria = Criteria(convention="nilearn", threshold=threshold, tail=tail, smoothing_fwhm=fwhm)
    theirs = regions_by_nilearn(data, affine, threshold, two_sided=tail == "two", smoothing_fwhm=fwhm or None)
    assert np.array_equal(regions_by_us(data, affine, criteria), theirs)


@pytest.mark.parametrize("extract_type", ["connected_components", "local_regions"])
def test_nilearn_with_a_mask(extract_type):
    data, affine = MAPS["motor"]
    mask = np.zeros(data.shape, np.int8)
    mask[5:40, 10:50, 3:40] = 1
    criteria = Criteria(convention="nilearn", threshold="95%", percentile_over="mask", extract_type=extract_type)
    theirs = regions_by_nilearn(data, affine, "95%", nib.Nifti1Image(mask, affine), two_sided=True,
                                extract_type=extract_type)  # fmt: skip
    assert theirs.shape[-1] > 0
    assert np.array_equal(regions_by_us(data, affine, criteria, mask.astype(bool)), theirs)


def test_nilearn_on_a_map_with_values_that_are_not_finite():
    data, affine = MAPS["motor"]
    data = data.copy()
    data[20:24, 30, 20:30], data[25, 25, 25] = np.nan, np.inf
    criteria = Criteria(convention="nilearn", extract_type="connected_components", threshold="97%")
    theirs = regions_by_nilearn(data, affine, "97%", two_sided=True, extract_type="connected_components")
    ours = find_regions(data, affine, criteria)
    assert np.array_equal(
        np.where(ours.labels[..., None] == range(1, theirs.shape[-1] + 1), data[..., None], 0), theirs
    )
    assert not ours.labels[~np.isfinite(data)].any()


def test_the_numbers_of_the_issue():
    """The real map at 97 %, two tails, at least 1500 mm3."""
    data, affine = MAPS["motor"]
    by_nilearn = Criteria(
        threshold="97%", convention="nilearn", extract_type="connected_components", min_region_size=1500
    )
    components = find_regions(data, affine, by_nilearn)
    assert [(r.n_voxels, r.sign) for r in components.regions] == [
        (2520, "positive"), (404, "negative"), (433, "positive"), (67, "negative"), (802, "negative"), (56, "negative")
    ]  # fmt: skip
    assert [round(r.sum_value, 3) for r in components.regions] == [
        13587.494, -1841.938, 2156.639, -230.773, -4486.522, -224.267
    ]  # fmt: skip
    ours = find_regions(data, affine, Criteria(threshold="97%"))
    assert [(r.n_voxels, r.sign[0]) for r in ours.regions] == [
        (2520, "p"), (433, "p"), (802, "n"), (404, "n"), (67, "n"), (56, "n")
    ]  # fmt: skip
    assert ours.n_above == 4608
    assert ours.cutoff.value == pytest.approx(2.594668, abs=1e-6)
    local = find_regions(data, affine, Criteria(threshold="97%", convention="nilearn", min_region_size=1500))
    theirs = regions_by_nilearn(data, affine, "97%", two_sided=True, min_region_size=1500, smoothing_fwhm=6.0)
    assert [r.n_voxels for r in local.regions] == [int(np.count_nonzero(one)) for one in np.moveaxis(theirs, -1, 0)]


def test_thresholds_of_the_real_map_equal_nilearns():
    data, affine = MAPS["motor"]
    expected_cutoffs = {"p=0.001": 3.290527, "fdr=0.05": 2.843826, "fdr=0.001": 4.015718, "bonferroni=0.05": 4.872821}
    for spec, expected in expected_cutoffs.items():
        cutoff = find_regions(data, affine, Criteria(threshold=spec)).cutoff
        assert cutoff.value == pytest.approx(expected, abs=1e-6)
        assert cutoff.population_size == 45448


def test_the_signs_one_by_one_and_the_negative_one_by_nilearns_rule():
    """What nilearn cannot be asked for: its split of the positive tail, and of the negated map's."""
    data, affine = MAPS["motor"]
    positive, negative = (regions_by_nilearn(part, affine, "3.0", two_sided=False) for part in (data, -data))
    ours = {
        tail: regions_by_us(data, affine, Criteria(convention="nilearn", threshold="3.0", tail=tail))
        for tail in ("bi", "negative")
    }
    assert positive.shape[-1] == negative.shape[-1] == 2
    assert np.array_equal(ours["negative"], -negative)
    assert np.array_equal(ours["bi"], np.concatenate([positive, -negative], axis=-1))


@pytest.mark.parametrize(
    ("n", "least", "edge"),
    [(34, 216.0, 1.8520737569958248), (53, 1000.0, 2.662204276861164), (104, 1350.0, 2.350174680286454),
     (125, 1350.0, 2.2104188991842317)],
)  # fmt: skip
def test_a_region_of_just_the_minimum_is_judged_by_nilearns_own_division(n, least, edge):
    """Volumes whose product with the count is on one side of the minimum, and whose quotient on the other."""
    data, affine = np.zeros((n + 2, 3, 3), np.float32), np.diag([edge, edge, edge, 1.0])
    data[1 : n + 1, 1, 1] = 5
    volume = abs(np.linalg.det(affine[:3, :3]))
    assert (n * volume > least) != (n > least / volume)
    how = {"extract_type": "connected_components", "min_region_size": least}
    criteria = Criteria(convention="nilearn", threshold="3.0", **how)
    theirs = regions_by_nilearn(data, affine, "3.0", two_sided=True, **how)
    assert np.array_equal(regions_by_us(data, affine, criteria), theirs)
