"""How alike participants' regions are: Dice overlap, with the consensus and of every two.

A *sign map* is a row of +1, -1 and 0: where a participant's regions of either sign lie. Rows lie on one ground, which
whoever calls has seen to; no value of a map is known here.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate.tally import Floats, ParticipantMap, Signs
from bids_regions.frozen import dataclass

__all__ = [
    "Bits",
    "ConsensusOverlap",
    "dice_of_signs",
    "mean_agreement",
    "order_by_agreement",
    "pack_signs",
    "pairwise_dice",
]

Bits = NDArray[np.uint64]

BLOCK = 8192  # 64-bit words of packed signs compared at a time, so that the block stays in the cache


def dice_of_signs(a: Signs, b: Signs) -> float:
    """Dice overlap of two sign maps of one shape: 2 x voxels of equal sign / voxels of either; nan if both are empty.

    Dice (1945), Ecology 26, 297-302, on voxels that count as shared only where the signs agree.

    >>> dice_of_signs(np.array([1, 1, -1, 0], np.int8), np.array([1, -1, -1, 0], np.int8))
    0.6666666666666666
    """
    both = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    shared = int(np.count_nonzero((a == b) & (a != 0)))
    return _dice(shared, both)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsensusOverlap:
    """What each participant's regions are compared with: the consensus, and what the others alone make of it."""

    signs: Signs  # row
    spared: NDArray[np.bool_]  # row: consensus voxels that stay without any one who has a region there
    n: int  # voxels of the consensus

    @classmethod
    def of(cls, signs: Signs, spared: NDArray[np.bool_]) -> Self:
        """Count the consensus once."""
        return cls(signs=signs, spared=spared, n=int(np.count_nonzero(signs)))

    def dice(self, one: ParticipantMap) -> tuple[float, float]:
        """Dice overlap of a participant's signs with the consensus, and with what the others alone make of it.

        >>> from bids_regions.aggregate import participant_map
        >>> signs, spared = np.array([1, 1, -1, 0], np.int8), np.array([True, False, False, False])
        >>> one = participant_map(np.array([1, 1, 0, 2]), np.array([4.0, 5.0, 1.0, -6.0]))
        >>> ConsensusOverlap.of(signs, spared).dice(one)  # the second voxel is there because of this very participant
        (0.6666666666666666, 0.4)
        """
        theirs, n_own = self.signs[one.voxels], int(np.count_nonzero(one.signs))
        same = (theirs == one.signs) & (theirs != 0)
        shared, kept = int(np.count_nonzero(same)), int(np.count_nonzero(same & self.spared[one.voxels]))
        left = self.n - (shared - kept)
        return _dice(shared, self.n + n_own), _dice(kept, left + n_own)


def _dice(shared: int, both: int) -> float:
    return 2 * shared / both if both else float("nan")


def pack_signs(signs: Signs) -> Bits:
    """A flat sign map as bits, positive before negative: 16 times smaller than the float32 map."""
    halves = [np.packbits(signs > 0), np.packbits(signs < 0)]
    packed = np.zeros(-(-(2 * halves[0].size) // 8) * 8, np.uint8)
    packed[: 2 * halves[0].size] = np.concatenate(halves)
    return packed.view(np.uint64)


def pairwise_dice(packed: Sequence[Bits]) -> Floats:
    """Dice overlap of every two packed sign maps, (n, n), 1 on the diagonal; nan where both are empty.

    Examples
    --------
    >>> maps = [np.array(m, np.int8) for m in ([1, 1, -1, 0], [1, -1, -1, 0], [0, 0, 0, 0])]
    >>> pairwise_dice([pack_signs(m) for m in maps]).round(3).tolist()
    [[1.0, 0.667, 0.0], [0.667, 1.0, 0.0], [0.0, 0.0, nan]]
    """
    n = len(packed)
    shared = np.zeros((n, n), np.int64)
    words = packed[0].size if n else 0
    for start in range(0, words, BLOCK):
        block = np.stack([bits[start : start + BLOCK] for bits in packed])
        for row in range(n):
            common = np.bitwise_count(block[row:] & block[row])
            shared[row, row:] += common.sum(axis=1, dtype=np.int64)
    shared = np.maximum(shared, shared.T)
    sizes = np.diagonal(shared)
    both = sizes[:, None] + sizes[None, :]
    dice = np.full((n, n), np.nan)
    np.divide(2.0 * shared, both, out=dice, where=both > 0)
    return dice


def order_by_agreement(dice: Floats) -> list[int]:
    """Rows of a pairwise Dice matrix from the most typical participant to the least; equal ones keep their order."""
    order: list[int] = np.argsort(-np.nan_to_num(mean_agreement(dice)), kind="stable").tolist()
    return order


def mean_agreement(dice: Floats) -> Floats:
    """Each participant's mean Dice with all others, (n,); nan where there is none to compare.

    >>> mean_agreement(np.array([[1, 0.5, 0.7], [0.5, 1, 0.3], [0.7, 0.3, 1]])).round(3).tolist()
    [0.6, 0.4, 0.5]
    """
    others = np.isfinite(dice) & ~np.eye(len(dice), dtype=bool)
    totals, counts = np.where(others, dice, 0).sum(axis=1), others.sum(axis=1)
    means = np.full(len(dice), np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means
