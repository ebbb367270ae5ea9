"""Smoothness: estimated from noise of a known one and voxel by voxel, read from sidecars, and warned of where rough."""

import itertools
import math

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
        ({"RESELS": 6.595284}, 0.7, 500),
        ({"Smoothness": {"FWHM": [6, 8, 10]}}, 8 * (4 * math.log(2)) ** 1.5 / 480, 500),
        ({"fwhm": 8.0, "volume": 7}, 8 * (4 * math.log(2)) ** 1.5 / 512, 7),
    ],
)
def test_smoothness_is_read_from_a_sidecar(told, dlh, volume):
    found = smoothness_from_metadata(told, n_mask_voxels=500, voxel_volume=8.0)
    np.testing.assert_allclose(found.dlh, dlh, rtol=1e-5)
    np.testing.assert_allclose(found.dlh * found.voxels_per_resel, (4 * math.log(2)) ** 1.5, rtol=1e-12)
    assert found.volume == volume
    assert found.origin == "sidecar"


@pytest.mark.parametrize("told", [{}, {"volume": 100}, {"TaskName": "rest", "Smoothness": "high"}])
def test_a_sidecar_without_smoothness_tells_none(told):
    assert smoothness_from_metadata(told, n_mask_voxels=500, voxel_volume=8.0) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"dlh": -1}, r"sidecar's dlh is -1. It must be a positive number"),
        ({"dlh": "0.7"}, r"sidecar's dlh is '0.7'"),
        ({"dlh": True}, r"sidecar's dlh is True"),
        ({"resels": math.inf}, r"sidecar's resels is inf"),
        ({"dlh": 0.7, "volume": 0}, r"sidecar's volume is 0"),
        ({"fwhm": [6, 6]}, r"sidecar's FWHM is \[6, 6\]. Give one number or three"),
        ({"fwhm": [6, 6, None]}, r"sidecar's FWHM is None"),
        ({"dlh": 0.7}, r"tells the smoothness but not the volume searched"),
    ],
)
def test_nonsense_in_a_sidecar_is_refused(told, words):
    with pytest.raises(BadMap, match=words):
        smoothness_from_metadata(told, n_mask_voxels=None, voxel_volume=8.0)


