"""The record of one map and entry: the sidecar `*_dseg.json`, written last, read by reports and the group level.

A record holds hashes of what went in (content and settings) and of what came out; by them a rerun knows whether
anything is left to do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from bids_regions.dataset import MapFile, is_standard_space
from bids_regions.errors import Fault
from bids_regions.extraction import Cutoff, Extraction
from bids_regions.extraction.statistics import Freedom
from bids_regions.files import encode_json, hash_file, hash_of, read_json, write_text
from bids_regions.images import NIBABEL_VERSION
from bids_regions.settings import Entry
from bids_regions.tables import PEAK_COLUMNS, REGION_COLUMNS, VALUE_COLUMNS, Cells, describe_columns
from bids_regions.version import __version__

__all__ = [
    "Findings",
    "Record",
    "compose_record",
    "hash_settings",
    "library_versions",
    "read_record",
    "spatial_fields",
    "write_record",
]

DEFINED = ("index", "name", "color")  # columns that BIDS itself defines must not be described anew
LAYOUT = 1  # raised when the outputs of unchanged settings change their form


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that one entry made of one map, before it is written."""

    extraction: Extraction
    statistic: str  # z, t, F, ...
    dof: Freedom | None
    sources: tuple[str, ...]  # BIDS URIs, the map's first
    mask: Mapping[str, Any]
    n_nonfinite: int
    warnings: tuple[str, ...]
    atlases: tuple[Mapping[str, Any], ...]  # what the sidecar says of each
    region_cells: tuple[Cells, ...]
    peak_cells: tuple[Cells, ...]
    space: str | None  # of the map's name, or assumed
    assumed_space: str | None  # where the name tells none
    source_hash: str  # of the map's file
    input_hash: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished map and entry, as its sidecar tells it."""

    path: Path
    content: Mapping[str, Any]
    digest: str  # of the sidecar's bytes


def hash_settings(options: Mapping[str, Any]) -> str:
    """The hash of everything in an entry that decides the results, and of the version that makes them."""
    return hash_of({"options": options, "version": __version__, "layout": LAYOUT})


def read_record(path: Path, *, input_hash: str = "", settings_hash: str = "") -> Record | None:
    """The record at `path`; None where it is missing or unreadable, or belongs to other input or settings.

    With hashes given, the record and its outputs must also be undamaged.
    """
    try:
        content = read_json(path)
        digest = hash_file(path)
    except Fault:
        return None
    asked = {"InputHash": input_hash, "SettingsHash": settings_hash}
    if any(wanted and content.get(key) != wanted for key, wanted in asked.items()):
        return None
    own = {key: value for key, value in content.items() if key != "RecordHash"}
    if input_hash and (content.get("RecordHash") != hash_of(own) or not _intact(path.parent, content.get("Outputs"))):
        return None
    return Record(path=path, content=content, digest=digest)


def write_record(path: Path, content: Mapping[str, Any]) -> Record:
    """Write a record's content to `path`; the record as `read_record` would find it."""
    text = encode_json(content)
    return Record(path=path, content=json.loads(text), digest=write_text(path, text))


def _intact(folder: Path, outputs: object) -> bool:
    if not isinstance(outputs, dict) or not outputs:
        return False
    try:
        return all(hash_file(folder / str(name)) == digest for name, digest in outputs.items())
    except Fault:
        return False


def library_versions() -> dict[str, str]:
    """The versions of what computes, without asking the slow metadata of installed packages."""
    return {
        "bids_regions": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "nibabel": NIBABEL_VERSION,
    }


def compose_record(mapfile: MapFile, entry: Entry, findings: Findings, outputs: Mapping[str, str]) -> dict[str, Any]:
    """The sidecar's content, keys in the order a reader wants them; `outputs` are hashes by file name."""
    extraction = findings.extraction
    content: dict[str, Any] = {
        "Description": f"Connected regions of {mapfile.relpath.rpartition('/')[2]}, one number per region",
        "Sources": list(findings.sources),
        "SourceEntities": dict(mapfile.entities),
        **spatial_fields(findings.space, mapfile.entity("res"), findings.sources[0]),
        **_given("AssumedSpace", findings.assumed_space),
        "RegionsEntry": entry.name,
        "Criteria": entry.as_options(),
        "Statistic": {"Kind": findings.statistic, **_given("DegreesOfFreedom", findings.dof)},
        "Threshold": _threshold(extraction.cutoff),
        "Counts": {
            "VoxelsAboveThreshold": extraction.n_above,
            "RegionsKept": len(extraction.regions),
            "RegionsRemoved": extraction.n_removed_regions,
            "VoxelsRemoved": extraction.n_removed_voxels,
            "NonFiniteVoxels": findings.n_nonfinite,
        },
        "Mask": dict(findings.mask),
        "Warnings": list(findings.warnings),
    }
    if extraction.smoothness is not None:
        content["Smoothness"] = _smoothness(extraction.smoothness)
    if findings.atlases:
        content["Atlases"] = [dict(atlas) for atlas in findings.atlases]
    values = VALUE_COLUMNS if entry.values_from else ()
    content["Versions"] = library_versions()
    described = (column for column in REGION_COLUMNS if column.name not in DEFINED)
    content |= describe_columns((*described, *values, *findings.region_cells))
    content["PeaksColumns"] = describe_columns((*PEAK_COLUMNS, *findings.peak_cells))
    content["Outputs"] = dict(outputs)
    content["SourceHash"] = findings.source_hash
    content["InputHash"] = findings.input_hash
    content["SettingsHash"] = hash_settings(content["Criteria"])
    return {**content, "RecordHash": hash_of(content)}


def spatial_fields(space: str | None, resolution: str | None, reference: str) -> dict[str, str]:
    """The sidecar fields that place an image: `reference` is the BIDS URI of the map whose grid it shares.

    >>> spatial_fields("MNI152NLin2009cAsym", None, "bids:input:a.nii.gz")
    {}
    >>> spatial_fields(None, "2", "bids:input:a.nii.gz")
    {'SpatialReference': 'bids:input:a.nii.gz', 'Resolution': 'as the source map, res-2'}
    """
    known = space is not None and is_standard_space(space)
    fields = {} if known else {"SpatialReference": reference}
    if resolution is not None:
        fields["Resolution"] = f"as the source map, res-{resolution}"
    return fields


def _given(key: str, value: object) -> dict[str, Any]:
    return {} if value is None else {key: value}


def _threshold(cutoff: Cutoff) -> dict[str, Any]:
    finite = cutoff.value < float("inf")
    return {
        "Asked": cutoff.asked,
        "Kind": cutoff.kind,
        **({"Cutoff": cutoff.value} if finite else {"NothingPasses": True}),
        "Population": cutoff.population,
        "PopulationSize": cutoff.population_size,
        **_given("NumberTested", cutoff.n_tested),
        **_given("DegreesOfFreedom", cutoff.dof),
        "Tail": cutoff.tail,
        "Precision": cutoff.dtype,
    }


def _smoothness(smoothness: Any) -> dict[str, Any]:
    return {
        "dlh": smoothness.dlh,
        "Volume": smoothness.volume,
        "VoxelsPerResel": smoothness.voxels_per_resel,
        **_given("FWHM", list(smoothness.fwhm_mm) if smoothness.fwhm_mm else None),
        "Origin": smoothness.origin,
    }
