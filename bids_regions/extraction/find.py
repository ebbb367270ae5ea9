"""find_regions: the steps from a map to its regions, in their order.

This room knows no file and no dataset: arrays and frozen dataclasses go in and come out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.extraction.criteria import Criteria
from bids_regions.extraction.inference import Smoothness
from bids_regions.extraction.measures import Region
from bids_regions.extraction.thresholds import Cutoff, Statistic

__all__ = ["Extraction", "find_regions"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """The regions of one map by one set of criteria."""

    labels: Array  # uint8, uint16 or int32; shape and axes of the map; 0 where there is no region
    regions: tuple[Region, ...]  # regions[k] has index k + 1
    cutoff: Cutoff
    n_above: int  # voxels that passed the cutoff
    n_removed_regions: int  # by the size rule or cluster_alpha
    n_removed_voxels: int  # voxels of the removed regions
    warnings: tuple[str, ...]  # sentences
    smoothness: Smoothness | None  # used for cluster p


def find_regions(  # noqa: PLR0913 # the four optional ones are independent facts about the map
    data: Array,
    affine: Array,
    criteria: Criteria | None = None,
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    statistic: Statistic | None = None,
    values: Array | None = None,
    smoothness: Smoothness | None = None,
) -> Extraction:
    """The connected regions of a statistical map."""
    raise NotImplementedError
