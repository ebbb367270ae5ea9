"""Aggregation written in images, where the room takes rows; participants with blobs in known fractions of them."""

import numpy as np

from bids_regions import aggregate
from bids_regions.aggregate import (
    Tally,
)

SHAPE = (12, 10, 8)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2.5, 0, -20], [0, 0, 3, -5], [0, 0, 0, 1]])
POSITIVE, NEGATIVE = np.s_[2:5, 2:5, 2:5], np.s_[7:10, 6:9, 3:6]


class Places:
    """Where the voxels of rows lie that were raveled in Fortran order: a plain reimplementation."""

    def __init__(self, shape, affine):
        self.shape, self.affine = shape, affine

    def xyz(self, numbers):
        ijk = np.array([np.unravel_index(number, self.shape, order="F") for number in numbers]).reshape(-1, 3)
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    def extents(self, numbers):
        return np.full(numbers.size, abs(np.linalg.det(self.affine[:3, :3])))


def row(image):
    return image.ravel(order="F")


def image(values, shape):
    return values.reshape(shape, order="F")


# the room takes rows; the tests are written in images


def participant_map(labels, data, mask=None, **options):
    return aggregate.participant_map(row(labels), row(data), None if mask is None else row(mask), **options)


def tally_maps(maps, shape):
    tally = aggregate.tally_maps(maps, int(np.prod(shape)))
    return Tally(n=tally.n, **{name: image(getattr(tally, name), shape) for name in ("positive", "negative", "data")})


def prevalence(tally, sign):
    return image(aggregate.prevalence(rows_of(tally), sign), tally.data.shape)


def coverage(tally):
    return image(aggregate.coverage(rows_of(tally)), tally.data.shape)


def find_consensus(tally, **least):
    return image(aggregate.find_consensus(rows_of(tally), **least), tally.data.shape)


def rows_of(tally):
    return Tally(n=tally.n, positive=row(tally.positive), negative=row(tally.negative), data=row(tally.data))


def index_regions(labels, affine, **about):
    return aggregate.index_regions(row(labels), Places(labels.shape, affine), **about)


def measure_map(index, one):
    return aggregate.measure_map(index, one)


def planted(fractions, n, *, no_data=0, seed=0):
    """Labels, maps and masks of n participants: blobs in known fractions of them, and some without data in a slab."""
    rng = np.random.default_rng(seed)
    people = []
    for k in range(n):
        data = rng.normal(0, 0.3, SHAPE).astype(np.float32)
        labels = np.zeros(SHAPE, np.uint8, order="F")
        for number, (where, sign, fraction) in enumerate(fractions, start=1):
            if k < round(fraction * n):
                data[where] = sign * (5 + rng.random((3, 3, 3)))
                labels[where] = number
        mask = np.ones(SHAPE, bool)
        if k < no_data:
            mask[:, 6:, :] = False
            data[~mask], labels[~mask] = 0, 0
        people.append((labels, np.asfortranarray(data), mask))
    return people


def tally_of(people):
    return tally_maps((participant_map(*person) for person in people), SHAPE)
