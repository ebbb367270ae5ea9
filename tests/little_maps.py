"""Little maps: cubes, smooth noise, grids turned and flipped."""

import numpy as np
from scipy import ndimage

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
