"""Smoothness: estimated from noise of a known one and voxel by voxel, read from sidecars, and warned of where rough."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bids_regions.errors import BadMap
from bids_regions.extraction.smoothness import (
    Smoothness,
    estimate_smoothness,
    misread_smoothness,
    smoothness_from_fwhm,
    smoothness_from_metadata,
    smoothness_warning,
)

ZOOMS = (2.0, 2.0, 2.0)
RESEL = (4 * math.log(2)) ** 1.5  # roughness times voxels per resel


def smooth_noise(fwhm_voxels, shape=(60, 64, 56), seed=0):
    sigma = np.array(fwhm_voxels) / math.sqrt(8 * math.log(2))
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
    return noise / noise.std()


def test_the_smoothness_of_smoothed_noise_is_found_again():
    found = estimate_smoothness(smooth_noise((3.0, 4.0, 5.0)), np.ones((60, 64, 56), bool), (2.0, 3.0, 4.0))
    np.testing.assert_allclose(found.fwhm_mm, (6.0, 12.0, 20.0), rtol=0.06)
    assert found.volume == 60 * 64 * 56
    assert found.origin == "map"
    np.testing.assert_allclose(found.dlh * found.voxels_per_resel, (4 * math.log(2)) ** 1.5, rtol=1e-12)
    np.testing.assert_allclose(found.voxels_per_resel, math.prod(found.fwhm_mm) / 24, rtol=1e-12)


def smoothness_by_loops(z, mask):
    """Voxel by voxel, in FSL's order: x from right to left."""
    z, mask = z[::-1], mask[::-1]
    same, power = np.zeros(3), np.zeros(3)
    for i, j, k in itertools.product(*(range(1, n) for n in z.shape)):
        before = [(i - 1, j, k), (i, j - 1, k), (i, j, k - 1)]
        if mask[i, j, k] and all(mask[b] for b in before):
            for axis, b in enumerate(before):
                same[axis] += z[i, j, k] * z[b]
                power[axis] += 0.5 * (z[i, j, k] ** 2 + z[b] ** 2)
    variance = -1 / (4 * np.log(np.abs(same / power)))
    return 1 / math.sqrt(8 * np.prod(variance))


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_smoothness_counts_the_voxels_that_fsl_counts(seed):
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(rng.standard_normal((9, 8, 7)), 0.8).astype(np.float32)
    mask = rng.random(z.shape) > 0.2
    mask[3:6, 3:6, 3:6] = True
    found = estimate_smoothness(z, mask, ZOOMS)
    np.testing.assert_allclose(found.dlh, smoothness_by_loops(z.astype(np.float64), mask), rtol=1e-10)
    assert found.volume == np.count_nonzero(mask)


def test_what_lies_outside_the_mask_does_not_count():
    z = smooth_noise((3.0, 3.0, 3.0), (20, 20, 20))
    mask = np.zeros(z.shape, bool)
    mask[4:16, 4:16, 4:16] = True
    strange = np.where(mask, z, 1e6)
    assert estimate_smoothness(z, mask, ZOOMS) == estimate_smoothness(strange, mask, ZOOMS)


def test_an_extremely_smooth_map_is_capped_as_fsl_caps_it():
    found = estimate_smoothness(np.full((4, 4, 4), 2.0), np.ones((4, 4, 4), bool), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(found.fwhm_mm[0], math.sqrt(8 * math.log(2) * -1 / (4 * math.log(0.99999))))


@pytest.mark.parametrize(
    ("z", "mask", "words"),
    [
        (np.ones((5, 5, 5)), np.zeros((5, 5, 5), bool), "no voxel of the mask has neighbours along all three axes"),
        (np.ones((5, 5, 1)), np.ones((5, 5, 1), bool), "no voxel of the mask has neighbours along all three axes"),
        (np.zeros((5, 5, 5)), np.ones((5, 5, 5), bool), "the map is empty or not smooth at all"),
        ((-1.0) ** np.indices((5, 5, 5)).sum(axis=0), np.ones((5, 5, 5), bool), "the map is empty or not smooth"),
    ],
)
def test_smoothness_is_refused_where_there_is_none(z, mask, words):
    with pytest.raises(BadMap, match=words):
        estimate_smoothness(z, mask, ZOOMS)


@pytest.mark.parametrize(
    ("told", "dlh", "volume"),
    [
        ({"dlh": 0.7, "volume": 38344}, 0.7, 38344),
        ({"DLH": 0.7, "VOLUME": 38344, "RESELS": 99}, 0.7, 38344),
        ({"Smoothness": {"dlh": 0.7}, "dlh": 3}, 0.7, 500),
        ({"Smoothness": {"VoxelsPerResel": 6.595284}}, 0.7, 500),
        ({"Smoothness": {"FWHM": [6, 8, 10]}}, RESEL * 8 / 480, 500),
        ({"smoothness": {"fwhm": 8.0, "volume": 7}}, RESEL * 8 / 512, 7),
        ({"noiseFWHMInVoxels": [3, 4, 5]}, RESEL / 60, 500),
        ({"nidm_noiseFWHMInVoxels": "[3, 4, 5]"}, RESEL / 60, 500),
        ({"noiseFWHMInUnits": [6, 8, 10]}, RESEL / 60, 500),
        ({"noiseFWHM": [6, 8, 10]}, RESEL / 60, 500),
        ({"noiseFWHM": [6, 8, 10], "FWHM": [1, 1, 1]}, RESEL / 60, 500),
    ],
)
def test_smoothness_is_read_from_a_sidecar(told, dlh, volume):
    found = smoothness_from_metadata(told, n_voxels=500, zooms=ZOOMS)
    np.testing.assert_allclose(found.dlh, dlh, rtol=1e-5)
    np.testing.assert_allclose(found.dlh * found.voxels_per_resel, RESEL, rtol=1e-5)
    assert found.volume == volume
    assert found.origin == "sidecar"
    assert found.given


def test_the_voxels_of_an_unequal_grid_make_noise_in_voxels_millimetres():
    found = smoothness_from_metadata({"noiseFWHMInVoxels": [2, 2, 3]}, n_voxels=1, zooms=(2.0, 3.0, 4.0))
    assert found.fwhm_mm == (4.0, 6.0, 12.0)
    assert found.fwhm_voxels((2.0, 3.0, 4.0)) == (2.0, 2.0, 3.0)


def test_what_fsl_printed_is_taken_as_a_whole():
    """Voxels per resel beside a roughness that they agree with; others are not of this smoothness."""
    fsl = {"DLH": 0.700797, "VOLUME": 38344, "RESELS": 6.60989}
    found = smoothness_from_metadata({"Smoothness": fsl}, n_voxels=1, zooms=ZOOMS)
    assert (found.dlh, found.volume, found.voxels_per_resel, found.fwhm_mm) == (0.700797, 38344, 6.60989, None)
    other = smoothness_from_metadata({"Smoothness": fsl | {"RESELS": 3155.8}}, n_voxels=1, zooms=ZOOMS)
    assert other.voxels_per_resel == pytest.approx(RESEL / 0.700797)


def test_where_only_the_product_is_known_the_noise_is_taken_as_equal_in_millimetres():
    found = Smoothness(dlh=RESEL / 27, volume=1, voxels_per_resel=27.0, fwhm_mm=None)
    np.testing.assert_allclose(found.fwhm_voxels((1.0, 2.0, 4.0)), (6.0, 3.0, 1.5))


def test_smoothness_may_be_asked_for():
    asked = smoothness_from_fwhm((8.0, 7.0, 6.0), volume=900, voxel_volume=8.0, origin="option")
    assert (asked.volume, asked.voxels_per_resel, asked.fwhm_mm, asked.given) == (900, 42.0, (8.0, 7.0, 6.0), True)


@pytest.mark.parametrize(
    "told", [{}, {"volume": 100}, {"TaskName": "rest", "Smoothness": "high"}, {"FWHM": 6}, {"resels": 6.6}]
)
def test_a_sidecar_without_smoothness_tells_none(told):
    assert smoothness_from_metadata(told, n_voxels=500, zooms=ZOOMS) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"FWHM": 6}, "FWHM is not used: outside of `Smoothness` it often is that of the kernel"),
        ({"resels": 3155.8}, "resels are not used: FSL prints the voxels per resel .* SPM the number of resels"),
        ({"Smoothness": {"Resels": 6.6}}, "resels are not used"),
    ],
)
def test_what_nobody_can_be_sure_of_is_said(told, words):
    (said,) = misread_smoothness(told)
    assert re.search(words, said)


@pytest.mark.parametrize(
    "told", [{}, {"FWHM": 6, "Smoothness": {"FWHM": 8}}, {"dlh": 0.7, "resels": 6.6}, {"Smoothness": {"FWHM": 8}}]
)
def test_nothing_is_said_of_a_clear_sidecar(told):
    assert list(misread_smoothness(told)) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"dlh": -1}, r"sidecar's dlh is -1. It must be a positive number"),
        ({"dlh": "0.7"}, r"sidecar's dlh is '0.7'"),
        ({"dlh": True}, r"sidecar's dlh is True"),
        ({"Smoothness": {"VoxelsPerResel": math.inf}}, r"sidecar's VoxelsPerResel is inf"),
        ({"dlh": 0.7, "volume": 0}, r"sidecar's volume is 0"),
        ({"Smoothness": {"fwhm": [6, 6]}}, r"sidecar's FWHM is \[6, 6\]. Give one number or three"),
        ({"Smoothness": {"fwhm": [6, 6, None]}}, r"sidecar's FWHM is None"),
        ({"noiseFWHMInVoxels": "wide"}, r"sidecar's FWHM is 'wide'"),
    ],
)
def test_nonsense_in_a_sidecar_is_refused(told, words):
    with pytest.raises(BadMap, match=words):
        smoothness_from_metadata(told, n_voxels=500, zooms=ZOOMS)


@pytest.mark.parametrize(
    ("fwhm", "words"),
    [((4.0, 4.0, 4.0), ""), ((8.0, 3.9, 8.0), "can be too small"), ((8.0, 8.0, 1.9), "are too small")],
)
def test_noise_that_is_hardly_smooth_is_warned_of(fwhm, words):
    said = smoothness_warning(smoothness_from_fwhm(fwhm, volume=1, voxel_volume=8.0, origin="option"), ZOOMS)
    assert words in said
    assert bool(said) == bool(words)
