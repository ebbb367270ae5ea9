"""What a reader must know of a result: a sentence each, in the sidecar and beside the table."""

import numpy as np

from bids_regions.extraction import Extraction
from bids_regions.extraction.smoothness import misread_smoothness
from bids_regions.images import StatMap
from bids_regions.maps.inputs import LoadedInputs
from bids_regions.settings import Entry

__all__ = ["find_warnings"]

MANY_ZEROS = 0.2  # share of zero voxels from which a percentile over the whole image says more of the background


def find_warnings(statmap: StatMap, entry: Entry, loaded: LoadedInputs, extraction: Extraction) -> tuple[str, ...]:
    """Sentences about the map, the mask and the threshold."""
    sentences = [*statmap.notes, loaded.mask_note]
    if statmap.n_nonfinite:
        sentences.append(f"{statmap.n_nonfinite} voxels were not finite and count as 0")
    sentences.append(_percentile_warning(statmap, entry))
    if entry.criteria.takes_smoothness and not entry.smoothness:
        sentences += misread_smoothness(loaded.metadata)
    if loaded.statistic.kind == "t" and loaded.statistic.dof is None:
        sentences.append("t map without known degrees of freedom: the cutoff is a t value, with no p behind it")
    return tuple(dict.fromkeys(s for s in (*sentences, *extraction.warnings) if s))


def _percentile_warning(statmap: StatMap, entry: Entry) -> str:
    criteria = entry.criteria
    if criteria.spec.rule.population != "ranked" or criteria.percentile_over != "image":
        return ""
    share = 1 - np.count_nonzero(statmap.data) / max(1, statmap.data.size)
    if share < MANY_ZEROS:
        return ""
    return (
        f"{share:.0%} of the image are zero voxels, and the percentile is taken over all of it; "
        "--percentile-over mask or nonzero leaves them out"
    )
