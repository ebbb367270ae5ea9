"""Many participants' regions in one row order: how often, where, how alike, how reliable, and who stands out.

This room knows arrays only: no file, no participant's name, no grid and no mesh but the row order that its caller has
brought everything to. `tally` counts, `bounds` tells how small a prevalence may still be, `consensus` what is shared
and what would be without one, `values` measures a participant in regions, `overlap` compares, `reliability` is over
sessions, `outliers` names who stands out.
"""

from bids_regions.aggregate.bounds import prevalence_lower
from bids_regions.aggregate.consensus import find_consensus, find_spared, least_participants
from bids_regions.aggregate.outliers import Measure, Outlying, describe_outliers, find_outliers
from bids_regions.aggregate.overlap import (
    Bits,
    ConsensusOverlap,
    dice_of_signs,
    mean_agreement,
    order_by_agreement,
    pack_signs,
    pairwise_dice,
)
from bids_regions.aggregate.reliability import Coefficient, Reliability, intraclass
from bids_regions.aggregate.tally import (
    ParticipantMap,
    Tally,
    coverage,
    merge_tallies,
    participant_map,
    prevalence,
    tally_maps,
)
from bids_regions.aggregate.values import (
    Positions,
    RegionIndex,
    RegionValues,
    index_regions,
    mean_in_regions,
    measure_map,
)

__all__ = [
    "Bits",
    "Coefficient",
    "ConsensusOverlap",
    "Measure",
    "Outlying",
    "ParticipantMap",
    "Positions",
    "RegionIndex",
    "RegionValues",
    "Reliability",
    "Tally",
    "coverage",
    "describe_outliers",
    "dice_of_signs",
    "find_consensus",
    "find_outliers",
    "find_spared",
    "index_regions",
    "intraclass",
    "least_participants",
    "mean_agreement",
    "mean_in_regions",
    "measure_map",
    "merge_tallies",
    "order_by_agreement",
    "pack_signs",
    "pairwise_dice",
    "participant_map",
    "prevalence",
    "prevalence_lower",
    "tally_maps",
]
