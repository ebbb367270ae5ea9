"""Where enough participants share a region, and where they would without any one of them.

The *consensus* is the voxels where the prevalence of a sign is high enough among enough participants with data. A voxel
of it is *spared* where the others alone reach the full set's count even if the one who is left out has a region there:
values of the one who is left out, taken in those voxels, took no part in choosing them by their count.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate.tally import Array, Floats, Tally, coverage, prevalence

__all__ = ["find_consensus", "find_spared", "least_participants"]


def find_consensus(tally: Tally, *, min_prevalence: float, min_coverage: float) -> Floats:
    """The signed prevalence where it reaches `min_prevalence` and coverage reaches `min_coverage`, 0 elsewhere.

    Equal is enough. Where both signs reach it the larger wins; a tie is neither, so that negating all maps negates the
    consensus. The result is what a signed statistical map is to region extraction: its regions are the consensus
    regions.

    Examples
    --------
    >>> tally = Tally(n=4, positive=np.array([2, 1, 2]), negative=np.array([2, 3, 1]), data=np.array([4, 4, 4]))
    >>> find_consensus(tally, min_prevalence=0.5, min_coverage=0.5).tolist()
    [0.0, -0.75, 0.5]
    """
    positive, negative = prevalence(tally, +1), prevalence(tally, -1)
    allowed = (coverage(tally) >= min_coverage) & (tally.data > 0)
    up = allowed & (positive >= min_prevalence) & (positive > negative)
    down = allowed & (negative >= min_prevalence) & (negative > positive)
    consensus = np.zeros(positive.shape)
    consensus[up] = positive[up]
    consensus[down] = -negative[down]
    return consensus


def find_spared(tally: Tally, consensus: Array, *, min_prevalence: float) -> NDArray[np.bool_]:
    """Row: the consensus voxels that still have the full set's count when one with a region there is taken away.

    Examples
    --------
    >>> tally = Tally(n=4, positive=np.array([2, 3, 0]), negative=np.array([0, 0, 1]), data=np.array([4, 4, 1]))
    >>> consensus = find_consensus(tally, min_prevalence=0.5, min_coverage=0.25)
    >>> find_spared(tally, consensus, min_prevalence=0.5).tolist()
    [False, True, False]
    """
    counts = np.where(consensus > 0, tally.positive, tally.negative).astype(np.int64)
    others = np.maximum(counts - 1, 0)
    share = np.divide(others, tally.data, out=np.zeros(counts.shape), where=tally.data > 0)
    spared: NDArray[np.bool_] = (consensus != 0) & (others > 0) & (share >= min_prevalence)
    return spared


def least_participants(n: int, min_prevalence: float) -> int:
    """How many of `n` participants with data make a consensus voxel: the fewest whose share reaches the prevalence.

    >>> [least_participants(n, 0.5) for n in (1, 2, 4, 5)], least_participants(10, 0.7)
    ([1, 1, 2, 3], 7)
    """
    about = max(1, math.floor(min_prevalence * n) - 1)
    return next((k for k in range(about, n) if k / n >= min_prevalence), n)
