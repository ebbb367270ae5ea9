"""The record of one map and entry: the sidecar `*_dseg.json`, written last, read by reports and the group level.

A *record* says what went in (sources, criteria), what was found (threshold, counts), what the columns of the tables
mean, and holds hashes of what went in (content and settings) and of what came out; by them a rerun knows whether
anything is left to do. Each field stands beside its key in JSON, once. How regions are found is not known here.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import scipy  # its name and number alone: nibabel loads as much of it

from bids_regions.dataset import is_standard_space
from bids_regions.errors import BadDataset, Fault
from bids_regions.extraction.statistics import P_SCALES, Freedom, PScale
from bids_regions.extraction.tails import Tail
from bids_regions.files import encode_json, hash_file, hash_of, read_json, write_text
from bids_regions.frozen import dataclass
from bids_regions.images import NIBABEL_VERSION
from bids_regions.results.keys import decode, encode, key, one_of, texts
from bids_regions.tables import peak_columns, region_columns
from bids_regions.version import __version__

__all__ = [
    "DEFINED",
    "CountsFound",
    "FieldTheoryUsed",
    "MaskUsed",
    "Record",
    "SmoothnessUsed",
    "StatisticUsed",
    "ThresholdUsed",
    "hash_settings",
    "library_versions",
    "load_record",
    "read_finished",
    "spatial_fields",
    "write_record",
]

DEFINED = ("index", "name", "color")  # columns that BIDS itself defines must not be described again
FORM = 1  # raised when the outputs of unchanged settings change their form, but for the columns of their tables
COLUMNS = tuple(column.name for column in (*region_columns(fields=True, values=True), *peak_columns(fields=True)))
HASH = "RecordHash"
STATEMENTS = frozenset({"Description", "Units"})  # a key of a record that holds these describes a column


def _described(content: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """The columns among the keys of a record."""
    return {
        name: value
        for name, value in content.items()
        if isinstance(value, dict) and "Description" in value and value.keys() <= STATEMENTS
    }


def _freedom(value: Any) -> Freedom:
    """One number, or two for F."""
    if isinstance(value, list):
        numerator, denominator = value
        return float(numerator), float(denominator)
    return float(value)


@dataclass(frozen=True, kw_only=True)
class StatisticUsed:
    """What the numbers of the map are."""

    kind: str = field(metadata=key("Kind"))  # z, t, F, ...
    dof: Freedom | None = field(default=None, metadata=key("DegreesOfFreedom", _freedom))
    p_scale: PScale | None = field(default=None, metadata=key("PScale", one_of(P_SCALES)))  # of a map of p


@dataclass(frozen=True, kw_only=True)
class ThresholdUsed:
    """The cutoff that was used, and how it came about."""

    asked: str = field(metadata=key("Asked"))  # as typed
    kind: str = field(metadata=key("Kind"))  # value, percentile, p, ...
    cutoff: float | None = field(default=None, metadata=key("Cutoff", float))  # magnitude, in the map's unit
    cutoff_range: tuple[float, ...] | None = field(default=None, metadata=key("CutoffRange", tuple))  # voxel by voxel
    nothing_passes: bool = field(default=False, metadata=key("NothingPasses", bool))
    population: str = field(metadata=key("Population"))
    population_size: int = field(metadata=key("PopulationSize", int))  # voxels
    n_tested: int | None = field(default=None, metadata=key("NumberTested", int))
    dof: Freedom | None = field(default=None, metadata=key("DegreesOfFreedom", _freedom))
    tail: Tail = field(metadata=key("Tail", one_of(get_args(Tail))))
    precision: str = field(metadata=key("Precision"))  # float32 or float64

    @property
    def height(self) -> float:
        """The cutoff as a number: inf where nothing could pass."""
        return float("inf") if self.cutoff is None else self.cutoff


@dataclass(frozen=True, kw_only=True)
class CountsFound:
    """What was found, in numbers."""

    above: int = field(metadata=key("VoxelsAboveThreshold", int))
    kept: int = field(metadata=key("RegionsKept", int))
    removed: int = field(metadata=key("RegionsRemoved", int))
    removed_voxels: int = field(metadata=key("VoxelsRemoved", int))
    nonfinite: int = field(metadata=key("NonFiniteVoxels", int))  # NaN and infinite
    infinite: int = field(default=0, metadata=key("InfiniteVoxels", int))


@dataclass(frozen=True, kw_only=True)
class MaskUsed:
    """The mask, or none."""

    source: str = field(metadata=key("Source"))  # a BIDS URI, a path relative to the source dataset, or "none"
    files: tuple[str, ...] = field(default=(), metadata=key("Files", texts))  # named for hemispheres, as Source
    note: str = field(default="", metadata=key("Note"))


@dataclass(frozen=True, kw_only=True)
class SmoothnessUsed:
    """How smooth the map is, where inference asked for it."""

    dlh: float = field(metadata=key("dlh", float))  # per voxel
    volume: int = field(metadata=key("Volume", int))  # voxels searched
    voxels_per_resel: float = field(metadata=key("VoxelsPerResel", float))  # the product of the FWHM in voxels
    fwhm: tuple[float, ...] | None = field(default=None, metadata=key("FWHM", tuple))  # mm
    origin: str = field(metadata=key("Origin"))  # map, sidecar or option


@dataclass(frozen=True, kw_only=True)
class FieldTheoryUsed:
    """What random field theory says of the map, as the footer of an SPM table does; of `rft`."""

    search_volume: int = field(metadata=key("SearchVolume", int))  # voxels
    fwhm: tuple[float, ...] = field(metadata=key("FWHM", tuple))  # mm
    resels: tuple[float, ...] = field(metadata=key("Resels", tuple))  # R0 to R3
    expected_voxels: float | None = field(default=None, metadata=key("ExpectedVoxels", float))  # per cluster
    expected_clusters: float = field(metadata=key("ExpectedClusters", float))  # of at least the smallest size kept
    set_clusters: int = field(metadata=key("SetClusters", int))  # found, of at least the smallest size kept
    set_p: float = field(metadata=key("SetP", float))  # of so many or more
    fwe_p: float | None = field(default=None, metadata=key("FWEp", float))  # height of family-wise p 0.05
    fdr_p: float | None = field(default=None, metadata=key("FDRp", float))  # lowest maximum with q of at most 0.05
    fwe_c: int | None = field(default=None, metadata=key("FWEc", int))  # voxels of the smallest cluster with p <= 0.05
    fdr_c: int | None = field(default=None, metadata=key("FDRc", int))  # the same with q <= 0.05


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished map and entry."""

    description: str = field(metadata=key("Description"))
    sources: tuple[str, ...] = field(metadata=key("Sources", texts))  # BIDS URIs, the map's first
    entities: Mapping[str, str] = field(metadata=key("SourceEntities", dict))  # of the map, verbatim
    spatial_reference: str | None = field(default=None, metadata=key("SpatialReference"))  # a BIDS URI
    resolution: str | None = field(default=None, metadata=key("Resolution"))
    density: Mapping[str, str] | None = field(default=None, metadata=key("Density", dict))  # what den- stands for
    surfaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict, metadata=key("Surfaces", dict))
    assumed_space: str | None = field(default=None, metadata=key("AssumedSpace"))  # where the name tells none
    component: str | None = field(default=None, metadata=key("ComponentName"))  # of a volume, as its table names it
    entry: str = field(metadata=key("RegionsEntry"))
    values: str | None = field(default=None, metadata=key("ValuesSource"))  # BIDS URI of the second map
    values_files: tuple[str, ...] = field(default=(), metadata=key("ValuesFiles", texts))  # of its hemispheres
    criteria: Mapping[str, Any] = field(metadata=key("Criteria", dict))  # every resolved choice by its option's name
    statistic: StatisticUsed = field(metadata=key("Statistic", StatisticUsed))
    threshold: ThresholdUsed = field(metadata=key("Threshold", ThresholdUsed))
    counts: CountsFound = field(metadata=key("Counts", CountsFound))
    mask: MaskUsed = field(metadata=key("Mask", MaskUsed))
    peaks_from: str | None = field(default=None, metadata=key("PeaksFrom"))  # the map that tells peaks and values
    warnings: tuple[str, ...] = field(metadata=key("Warnings", texts))
    smoothness: SmoothnessUsed | None = field(default=None, metadata=key("Smoothness", SmoothnessUsed))
    field_theory: FieldTheoryUsed | None = field(default=None, metadata=key("FieldTheory", FieldTheoryUsed))
    atlases: tuple[Mapping[str, Any], ...] = field(default=(), metadata=key("Atlases", tuple))
    versions: Mapping[str, str] = field(metadata=key("Versions", dict))
    columns: Mapping[str, Mapping[str, str]] = field(metadata=key("", _described, spread=True))  # of the table
    peak_columns: Mapping[str, Mapping[str, str]] = field(metadata=key("PeaksColumns", dict))
    outputs: Mapping[str, str] = field(default_factory=dict, metadata=key("Outputs", dict))  # hashes by file name
    source_hash: str = field(default="", metadata=key("SourceHash"))  # of the map's file
    input_hash: str = field(metadata=key("InputHash"))
    settings_hash: str = field(metadata=key("SettingsHash"))

    @property
    def second(self) -> tuple[str, ...]:
        """BIDS URIs of the second map."""
        return self.values_files or (() if self.values is None else (self.values,))

    @property
    def source(self) -> str:
        """The map's BIDS URI."""
        return self.sources[0] if self.sources else ""


def hash_settings(options: Mapping[str, Any]) -> str:
    """The hash of everything in an entry that decides the results, and of the version that makes them."""
    return hash_of({"options": options, "version": __version__, "form": FORM, "columns": COLUMNS})


def load_record(path: Path) -> Record:
    """The record at `path`, whoever made it.

    Raises
    ------
    Fault
        It is not there, is no record of a map, or cannot be read.
    """
    try:
        return decode(Record, read_json(path))
    except BadDataset as error:
        raise BadDataset(f"{path.name} is no record of a map: {error.sentence}") from error


def read_finished(path: Path, *, input_hash: str, settings_hash: str) -> Record | None:
    """The record at `path` if it is of this input and these settings and nothing is damaged; else None."""
    try:
        content = read_json(path)
        record = decode(Record, content)
    except Fault:
        return None
    own = {name: value for name, value in content.items() if name != HASH}
    same = (record.input_hash, record.settings_hash) == (input_hash, settings_hash)
    return record if same and content.get(HASH) == hash_of(own) and _intact(path.parent, record.outputs) else None


def _intact(folder: Path, outputs: Mapping[str, str]) -> bool:
    try:
        return bool(outputs) and all(hash_file(folder / name) == digest for name, digest in outputs.items())
    except Fault:
        return False


def write_record(path: Path, record: Record) -> None:
    """Write a record, with the hash of its own content."""
    content = encode(record)
    write_text(path, encode_json({**content, HASH: hash_of(content)}))


def library_versions() -> dict[str, str]:
    """The versions of what computes, without asking the slow metadata of installed packages."""
    return {
        "bids_regions": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "nibabel": NIBABEL_VERSION,
    }


def spatial_fields(space: str | None, resolution: str | None, reference: str) -> dict[str, str]:
    """The sidecar fields that place an image: `reference` is the BIDS URI of the map whose grid it shares.

    >>> spatial_fields("MNI152NLin2009cAsym", None, "bids:input:a.nii.gz")
    {}
    >>> spatial_fields(None, "2", "bids:input:a.nii.gz")
    {'SpatialReference': 'bids:input:a.nii.gz', 'Resolution': 'as the source map, res-2'}
    """
    known = space is not None and is_standard_space(space)
    told = {} if known else {"SpatialReference": reference}
    if resolution is not None:
        told["Resolution"] = f"as the source map, res-{resolution}"
    return told
