"""In how many participants each voxel lies in a region or has data: tallies, prevalence, coverage.

A *row* is an image as one flat array, in the order that the caller has chosen for all of them: voxels of a grid,
vertices of a mesh, grayordinates. A *participant map* is one participant's labels, values and data area as rows. A
*tally* counts, per voxel, in how many of them a positive region, a negative region, or data lies; counts are integers,
so any order and any sharding of the participants give the same tally. *Prevalence* is the fraction whose regions cover
a voxel among those with data there, *coverage* the fraction with data.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass

__all__ = ["ParticipantMap", "Tally", "coverage", "merge_tallies", "participant_map", "prevalence", "tally_maps"]

BYTE = 255  # maps that a count of one byte holds

Array = NDArray[Any]
Floats = NDArray[np.float64]
Signs = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True, eq=False)
class ParticipantMap:
    """One participant's map in the row order of its set."""

    labels: Array  # row of integers, 0 outside regions
    data: Array  # row of the map's values, finite
    covered: NDArray[np.bool_]  # row; where the participant has data
    voxels: NDArray[np.intp]  # numbers in the row of the voxels in regions, ascending
    signs: Signs  # +1 or -1 at `voxels` (0 where the map is 0 there and nothing else tells)

    def sign_map(self) -> Signs:
        """The signs of all voxels as a row: 0 outside regions."""
        dense = np.zeros(self.labels.size, np.int8)
        dense[self.voxels] = self.signs
        return dense


def participant_map(
    labels: Array,
    data: Array,
    mask: Array | None = None,
    *,
    zeros: bool = False,
    signs: Mapping[int, int] | None = None,
    finite: bool = False,
) -> ParticipantMap:
    """One participant's rows, made ready to be counted.

    Parameters
    ----------
    labels
        Row of integers, 0 outside regions.
    data
        Row of the map that the labels were made from; NaN is no data, an infinite value stands as the largest finite
        magnitude.
    mask
        Row that tells where the participant was measured; without one, everywhere. There it has data where the map is
        neither NaN nor zero. A voxel in a region always has data.
    zeros
        Zeros inside the mask are data as well, as in a map that was thresholded before.
    signs
        Sign (+1, -1) by label, of maps whose values tell none (maps of p); without it, and of labels that are not in
        it, the sign of the value.
    finite
        The caller knows that all values are; then nobody looks.

    Examples
    --------
    >>> laid = participant_map(np.array([0, 1, 2]), np.array([0.0, 4.0, -np.inf]))
    >>> laid.covered.tolist(), laid.sign_map().tolist(), laid.data.tolist()
    ([False, True, True], [0, 1, -1], [0.0, 4.0, -4.0])
    """
    if labels.ndim != 1 or labels.shape != data.shape or (mask is not None and mask.shape != data.shape):
        raise ValueError(f"labels {labels.shape}, map {data.shape} and mask must be rows of one length")
    values, known = (data, None) if finite else _clear(data)
    everywhere = zeros and mask is not None
    covered = values != 0 if not everywhere else np.ones(data.size, bool) if known is None else known
    if mask is not None:
        covered = covered & (mask != 0)
    voxels = np.flatnonzero(labels != 0)  # of flags: several times as fast as of numbers
    covered[voxels] = True
    there = data[voxels]
    own = (there > 0).astype(np.int8) - (there < 0)
    if signs:
        told = np.zeros(int(labels.max(initial=0)) + 1, np.int8)
        for number, sign in signs.items():
            if 0 < number < told.size:
                told[number] = sign
        of_label = told[labels[voxels].astype(np.intp)]
        own = np.where(of_label != 0, of_label, own)
    return ParticipantMap(labels=labels, data=values, covered=covered, voxels=voxels, signs=own)


def _clear(data: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The values, finite, and where they are not NaN."""
    finite = np.isfinite(data)
    if finite.all():
        return data, finite
    known: NDArray[np.bool_] = ~np.isnan(data)
    largest = np.abs(data[finite]).max(initial=0)
    return np.where(known, np.clip(data, -largest, largest), 0), known


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """In how many of `n` participants each voxel lies in a positive region, in a negative region, has data."""

    n: int  # participants
    positive: Array  # row, participants, unsigned
    negative: Array  # row, participants, unsigned
    data: Array  # row, participants, unsigned

    def of(self, sign: int) -> Array:
        """The row of one sign."""
        return self.positive if sign > 0 else self.negative


def tally_maps(maps: Iterable[ParticipantMap], size: int) -> Tally:
    """Count participants per voxel over rows of `size` voxels, one map in memory at a time.

    Examples
    --------
    >>> first = participant_map(np.array([0, 1, 2]), np.array([0.0, 4.0, -5.0]))
    >>> second = participant_map(np.array([0, 1, 0]), np.array([1.0, 6.0, 2.0]))
    >>> tally = tally_maps([first, second], 3)
    >>> tally.positive.tolist(), tally.negative.tolist(), tally.data.tolist()
    ([0, 2, 0], [0, 0, 1], [1, 2, 2])
    """
    n = 0
    positive, negative, data = (np.zeros(size, np.uint32) for _ in range(3))
    few = np.zeros(size, np.uint8)  # counts of the latest maps: adding bytes takes a tenth of the time
    for one in maps:
        if one.labels.size != size:
            raise ValueError(f"a map of {one.labels.size} voxels cannot be counted over rows of {size}")
        n += 1
        positive[one.voxels[one.signs > 0]] += 1
        negative[one.voxels[one.signs < 0]] += 1
        few += one.covered.view(np.uint8)
        if n % BYTE == 0:
            data += few
            few[:] = 0
    data += few
    up, down, there = (counts.astype(_count_type(n)) for counts in (positive, negative, data))
    return Tally(n=n, positive=up, negative=down, data=there)


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """The tally of all participants from tallies of shards of them, holding two at a time."""
    total: Tally | None = None
    for tally in tallies:
        total = tally if total is None else _add(total, tally)
    if total is None:
        raise ValueError("no tally to merge")
    return total


def _add(a: Tally, b: Tally) -> Tally:
    n = a.n + b.n
    kind = _count_type(n)
    return Tally(
        n=n,
        positive=np.add(a.positive, b.positive, dtype=kind),
        negative=np.add(a.negative, b.negative, dtype=kind),
        data=np.add(a.data, b.data, dtype=kind),
    )


def _count_type(n: int) -> type[np.uint8] | type[np.uint16] | type[np.uint32]:
    """The smallest that holds the count: a worker's few maps travel as bytes."""
    if n <= BYTE:
        return np.uint8
    return np.uint16 if n <= np.iinfo(np.uint16).max else np.uint32


def prevalence(tally: Tally, sign: int) -> Floats:
    """The fraction of participants with a region of this sign among those with data, as a row; 0 where nobody has.

    Examples
    --------
    >>> one = participant_map(np.array([0, 1]), np.array([0.0, 4.0]))
    >>> other = participant_map(np.array([0, 0]), np.array([0.0, 2.0]))
    >>> prevalence(tally_maps([one, other], 2), +1).tolist()
    [0.0, 0.5]
    """
    return np.divide(tally.of(sign), tally.data, out=np.zeros(tally.data.shape), where=tally.data > 0)


def coverage(tally: Tally) -> Floats:
    """The fraction of participants that have data, as a row."""
    return tally.data / float(max(tally.n, 1))
