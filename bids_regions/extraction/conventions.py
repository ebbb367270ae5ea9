"""The peers' conventions as data: one peer's setting of every knob, the words for it, what to cite.

A *knob* is one choice (the connectivity, the minimum size, ...). BUILT_IN holds ours; a convention is a block of PEERS
that names where a peer differs. A new convention is a new block: options, reports, methods and --explain read it here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bids_regions.extraction.grammar import Citation

__all__ = ["BUILT_IN", "CONVENTIONS", "convention_knobs", "kept_words", "minimum_words"]

BUILT_IN: Mapping[str, Any] = MappingProxyType(
    {
        "threshold": "3.0",
        "percentile_over": "image",
        "tail": "bi",
        "connectivity": 6,
        "extract_type": "connected_components",
        "smoothing_fwhm": 6.0,
        "min_region_size": 1500.0,
        "min_region_voxels": None,
        "smallest_area": 100.0,  # mm2, on surfaces
        "smallest_in_structure": 200.0,  # mm3, of the voxels of grayordinates
        "max_peaks": 3,
        "min_peak_distance": 8.0,
        "mask": "auto",
        "strict": False,  # a voxel equal to the cutoff is left out
        "percentile_offset": 0.0,  # added to a percentile
        "size_strict": False,  # a region of exactly the minimum is left out
        "peak_neighbourhood": 26,  # neighbours that a maximum must not lie below
        "peak_neighbourhood_by_faces": None,  # the same where connectivity is 6, if another
        "peak_distance_inclusive": False,  # two peaks at exactly the minimum distance are both kept
        "infinite_is_zero": False,  # infinities are no data
        "order": "size",  # or "scan": by the first voxel in the scan of the file's axes
        "walker": "exact",  # or "nilearn": whose rule splits a component
        "voxels_only": False,  # fails a map on surfaces
        "surfaces_only": False,  # fails a volume
        "reference": None,  # what to cite
    }
)

PEERS: dict[str, dict[str, Any]] = {
    "nilearn": {
        "tail": "two",
        "extract_type": "local_regions",
        "min_region_size": 1350.0,
        "smallest_area": None,
        "smallest_in_structure": None,
        "max_peaks": 4,
        "mask": "none",
        "percentile_offset": 1e-5,
        "size_strict": True,
        "infinite_is_zero": True,
        "order": "scan",
        "walker": "nilearn",
        "reference": Citation("Nilearn contributors. Nilearn.", "10.5281/zenodo.8397156"),
    },
    "fsl": {
        "tail": "positive",
        "connectivity": 26,
        "min_region_size": None,
        "min_region_voxels": 1,
        "max_peaks": 6,
        "min_peak_distance": 0.0,
        "peak_neighbourhood_by_faces": 6,
        "peak_distance_inclusive": True,
        "mask": "none",
        "voxels_only": True,
    },
    "spm": {
        "tail": "positive",
        "connectivity": 18,
        "min_region_size": None,
        "min_region_voxels": 1,
        "mask": "none",
        "strict": True,
        "peak_neighbourhood": 18,
        "voxels_only": True,
    },
    "afni": {
        "min_region_size": None,
        "min_region_voxels": 1,
        "max_peaks": 1,
        "mask": "none",
        "voxels_only": True,
    },
    "workbench": {
        "tail": "positive",
        "min_region_size": None,
        "smallest_area": 0.0,
        "smallest_in_structure": 0.0,
        "max_peaks": 1,
        "mask": "none",
        "strict": True,
        "size_strict": True,
        "order": "scan",
        "surfaces_only": True,
        "reference": Citation(
            "Marcus et al. (2011). Informatics and data mining tools and strategies for the Human Connectome Project. "
            "Frontiers in Neuroinformatics 5, 4.",
            "10.3389/fninf.2011.00004",
        ),
    },
}
ON_SURFACES: dict[str, dict[str, Any]] = {  # where a peer's rule for vertices is another than for voxels
    "nilearn": {"tail": "bi", "extract_type": "connected_components", "percentile_offset": 0.0},
}
CONVENTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {name: MappingProxyType({**BUILT_IN, **knobs}) for name, knobs in PEERS.items()}
)


def convention_knobs(name: object, *, on_surfaces: bool = False) -> Mapping[str, Any]:
    """The knobs of a convention; the built-in ones for None, and for a name that an older record may hold."""
    knobs = CONVENTIONS.get(str(name), BUILT_IN)
    return {**knobs, **ON_SURFACES.get(str(name), {})} if on_surfaces else knobs


def kept_words(knobs: Mapping[str, Any]) -> tuple[str, str]:
    """Where a voxel must lie to be kept, in words and as a sign.

    >>> kept_words(CONVENTIONS["spm"]), kept_words(BUILT_IN)
    (('above', '>'), ('at or above', '>='))
    """
    return ("above", ">") if knobs["strict"] else ("at or above", ">=")


def minimum_words(knobs: Mapping[str, Any]) -> tuple[str, str]:
    """How large a region must be to be kept, in words and as a sign.

    >>> minimum_words(CONVENTIONS["nilearn"]), minimum_words(BUILT_IN)
    (('more than', '>'), ('at least', '>='))
    """
    return ("more than", ">") if knobs["size_strict"] else ("at least", ">=")
