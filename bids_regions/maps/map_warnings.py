"""What a reader must know of a result: a sentence each, in the sidecar and beside the table.

Warnings are about one map under one entry; what concerns a run or a dataset is the log's.
"""

import numpy as np

from bids_regions.extraction import Extraction
from bids_regions.extraction.smoothness import misread_smoothness
from bids_regions.images import StatMap
from bids_regions.maps.inputs import LoadedInputs
from bids_regions.maps.sheet_maps import SheetMap
from bids_regions.settings import Entry

__all__ = ["HINTS", "find_warnings"]

UNREACHED = "No value of the map"
MISREAD = "is a cutoff of 1 - p"
HINTS = (UNREACHED, MISREAD)  # in the sentences on a threshold that is not meant as it was typed

PERCENTILES = (50, 100)  # numbers that people take for percentiles
CLIPPED = "one of many"  # how the note on a clipped map ends
BACKGROUND = "taken as background, which is no data"  # and one on a background constant
HALF = 0.5  # below it a cutoff of 1 - p is meant as a p
MANY_ZEROS = 0.2  # share of zero voxels from which a percentile over the whole image says more of the background


def find_warnings(
    statmap: StatMap | SheetMap, entry: Entry, loaded: LoadedInputs, extraction: Extraction
) -> tuple[str, ...]:
    """Sentences about the map, the mask and the threshold."""
    sentences = [note for note in statmap.notes if not _misread_clipping(note, loaded, extraction)]
    sentences += [loaded.mask_note, _no_data_warning(statmap, loaded)]
    if statmap.n_nan:
        sentences.append(f"{statmap.n_nan} voxels were not a number (NaN) and count as no data")
    if statmap.infinite.size:
        sentences.append(_infinite_warning(statmap, entry, extraction))
    sentences += [_percentile_warning(statmap, entry), _height_warning(statmap, entry, loaded, extraction)]
    if entry.criteria.takes_smoothness and not entry.smoothness:
        sentences += misread_smoothness(loaded.metadata)
    rule, dof = loaded.statistic.rule, (loaded.statistic.dof, loaded.statistic.dof_map)
    if rule.n_dof and all(each is None for each in dof):
        name = rule.name
        article = "an" if name == "F" else "a"
        sentences.append(
            f"{name} map without known degrees of freedom: the cutoff is {article} {name} value, with no p behind it"
        )
    return tuple(dict.fromkeys(s for s in (*sentences, *extraction.warnings) if s))


def _no_data_warning(statmap: StatMap | SheetMap, loaded: LoadedInputs) -> str:
    """That there was nothing to find regions in: a map of zeros, or a mask beside it."""
    if loaded.statistic.rule.is_p:  # 0 is a p
        return ""
    if not np.any(statmap.data):
        return "The map has no data: every value is 0 or not a number"
    beside = loaded.mask is not None and not np.any(statmap.data[loaded.mask])
    return "The map has no data within the mask: all that is not 0 lies outside of it" if beside else ""


def _misread_clipping(note: str, loaded: LoadedInputs, extraction: Extraction) -> bool:
    """Whether a note on a clipped map is of no clipping: the voxels of p = 1, or those of the background."""
    if not note.endswith(CLIPPED):
        return False
    counted = note.partition(" voxels ")[0]
    backgrounds = (told for told in extraction.warnings if told.endswith(BACKGROUND))
    return loaded.statistic.rule.is_p or any(told.startswith(f"{counted} voxels (") for told in backgrounds)


def _height_warning(statmap: StatMap | SheetMap, entry: Entry, loaded: LoadedInputs, extraction: Extraction) -> str:
    """That a number is none of the map's, where it lies above all of it, or is a p on the scale of 1 - p."""
    spec = entry.criteria.spec
    if spec.kind != "value":
        return ""
    if loaded.statistic.scale == "1-p" and spec.number < HALF:
        return f"{spec.number:g} {MISREAD}, and keeps p up to {1 - spec.number:g}; p <= 0.05 is written p=0.05"
    return "" if extraction.n_above else _above_all(statmap, spec.number, loaded)


def _above_all(statmap: StatMap | SheetMap, number: float, loaded: LoadedInputs) -> str:
    if loaded.statistic.scale == "1-p" and number > 1:
        return f"{UNREACHED} can reach {number:g}, for its numbers are 1 - p; p <= 0.05 is written p=0.05"
    if PERCENTILES[0] <= number <= PERCENTILES[1]:
        return f"{UNREACHED} reaches {number:g}; a percentile is written {number:g}%"
    if number > 1 and np.count_nonzero(statmap.data) and np.abs(statmap.data).max() <= 1:
        return f"{UNREACHED} reaches {number:g}, for none lies outside of -1 to 1"
    return ""


def _infinite_warning(statmap: StatMap | SheetMap, entry: Entry, extraction: Extraction) -> str:
    n = statmap.infinite.size
    if entry.criteria.infinite_is_zero:
        return f"{n} voxels are infinite and count as 0, as nilearn has it"
    inside = int(np.count_nonzero(extraction.labels.ravel(order="F")[statmap.infinite]))
    told = f"{n} voxels are infinite: they pass every cutoff of their sign ({inside} of them lie in regions)"
    if np.count_nonzero(statmap.data) == n:  # nothing finite that they could stand for
        return told
    largest = float(np.abs(statmap.data.ravel(order="F")[statmap.infinite[0]]))
    return f"{told} and stand in the measures as the largest finite magnitude, {largest:.6g}"


def _percentile_warning(statmap: StatMap | SheetMap, entry: Entry) -> str:
    criteria = entry.criteria
    if criteria.spec.rule.population != "ranked" or criteria.percentile_over != "image":
        return ""
    share = 1 - np.count_nonzero(statmap.data) / max(1, statmap.data.size)
    if share < MANY_ZEROS or share == 1:
        return ""
    share_of = criteria.spec.rule.percent
    if share_of is None:
        return ""
    asked = share_of(criteria.spec.number)
    among = max(0.0, 100 * (1 - (1 - asked / 100) / (1 - share)))  # magnitudes: the zeros are the lowest
    zeros = f"{100 * share:.0f}" if share < 0.995 else f"{np.floor(1000 * share) / 10:g}"  # never 100 while it is less
    return (
        f"{zeros} % of the image are zero voxels, and the percentile is taken over all of it: "
        f"{asked:g} % of the image is the {among:.1f}th percentile of the non-zero voxels"
    )
