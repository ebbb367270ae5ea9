"""What a set leaves in OUTPUT_DIR: prevalence, coverage, consensus regions, each with its sidecar, the record last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import Tally, coverage, find_consensus, prevalence
from bids_regions.atlases import fit_atlases
from bids_regions.dataset import is_standard_space
from bids_regions.errors import Fault, MissingInput
from bids_regions.extraction import Criteria, Extraction, find_regions
from bids_regions.extraction.tails import SIGN_WORDS, TAILS
from bids_regions.files import hash_file, hash_of, read_json, remove_file, write_json, write_text
from bids_regions.group.sets import MapSet
from bids_regions.images import save_labels, save_map
from bids_regions.maps.naming import NamedRegions, name_extraction
from bids_regions.results.records import DEFINED, library_versions, spatial_fields
from bids_regions.results.uris import output_uri, source_uri
from bids_regions.settings import Settings, without_folders
from bids_regions.tables import PEAK_COLUMNS, REGION_COLUMNS, describe_columns, peaks_table, regions_table

__all__ = ["Consensus", "write_set"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """What the first pass made of a set."""

    positive: Floats  # prevalence, (x, y, z)
    negative: Floats  # prevalence, (x, y, z)
    coverage: Floats  # fraction of participants with data, (x, y, z)
    signed: Floats  # prevalence in consensus voxels, negative for the negative sign, (x, y, z)
    signs: tuple[int, ...]  # those that were looked for
    extraction: Extraction  # consensus regions of the signed prevalence
    naming: NamedRegions
    record: dict[str, Any]  # the sidecar's content


def write_set(one: MapSet, tally: Tally, settings: Settings) -> Consensus:
    """Find the consensus regions of a set and write its images, tables and sidecars; what is equal stays untouched."""
    assert one.grid is not None
    maps = {1: prevalence(tally, 1), -1: prevalence(tally, -1)}
    signs = TAILS[one.members[0].tail].signs
    signed = find_consensus(tally, min_prevalence=settings.min_prevalence, min_coverage=settings.min_coverage)
    usual = read_json(settings.output_dir / one.members[0].sidecar)["Criteria"]
    extraction = find_regions(signed, one.grid.affine, _criteria(usual))
    naming = _name(extraction, one, usual, settings)
    scribe = _Scribe(one=one, settings=settings, usual=usual)
    for sign, path in ((1, one.paths.positive), (-1, one.paths.negative)):
        if sign in signs:
            scribe.write_map(path, maps[sign], _prevalence_words(sign), scribe.label_sources())
        else:
            _remove(path)  # of an earlier run that looked for this sign
    cover = coverage(tally)
    scribe.write_map(one.paths.coverage, cover, "Fraction of the participants that have data", scribe.map_sources())
    record = scribe.write_consensus(extraction, naming, signs)
    return Consensus(
        positive=maps[1],
        negative=maps[-1],
        coverage=cover,
        signed=signed,
        signs=signs,
        extraction=extraction,
        naming=naming,
        record=record,
    )


def _criteria(usual: Mapping[str, Any]) -> Criteria:
    """How consensus voxels become regions: connected as the participants' are, however small, whatever is left."""
    return Criteria(
        threshold="0",
        tail="bi",
        connectivity=usual["connectivity"],
        extract_type="connected_components",
        min_region_voxels=1,
        max_peaks=usual["max_peaks"],
        min_peak_distance=usual["min_peak_distance"],
    )


def _name(extraction: Extraction, one: MapSet, usual: Mapping[str, Any], settings: Settings) -> NamedRegions:
    """Names as the participants' regions have them: from their atlases, where these are still at hand."""
    if not usual.get("atlas"):
        return NamedRegions(regions=extraction.regions)
    cohort = dict(one.entities).get("cohort")
    space = f"{one.space}+{cohort}" if one.space and cohort and "+" not in one.space else one.space
    assert one.grid is not None
    try:
        specs = [_find_again(spec, settings) for spec in usual["atlas"]]
        fittings = fit_atlases(specs, space=space, unchecked=bool(usual.get("atlas_space_unchecked")))
        return name_extraction(extraction, one.grid, fittings, sided=is_standard_space(one.space))
    except Fault as fault:
        return NamedRegions(regions=extraction.regions, warnings=(f"regions are not named: {fault}",))


def _find_again(spec: str, settings: Settings) -> str:
    """A request for an atlas with its folders, as this run has it or else as the latest run's log tells.

    Raises
    ------
    MissingInput
        No run with this output folder tells, or the atlas is no longer where it was.
    """
    known = {without_folders(own): own for entry in settings.entries for own in entry.atlas}
    if spec in known or spec.startswith("templateflow:"):
        return known.get(spec, spec)
    for log in sorted(settings.output_dir.glob("logs/run-*.json"), reverse=True):
        found = _atlases_of(log).get(spec)
        if found is None:
            continue
        if not Path(found.partition("?")[0]).is_file():
            break
        return str(found)
    raise MissingInput(f"the atlas {spec} is not where it was", hint="Give its --atlas to the group level as well")


def _atlases_of(log: Path) -> Mapping[str, Any]:
    try:
        atlases = read_json(log).get("atlases")
    except Fault:
        return {}
    return atlases if isinstance(atlases, dict) else {}


def _prevalence_words(sign: int) -> str:
    return (
        f"Prevalence of {SIGN_WORDS[sign]} regions: the fraction of participants whose {SIGN_WORDS[sign]} regions "
        "cover the voxel, among those that have data there; 0 where nobody has"
    )


def _remove(path: Path) -> None:
    remove_file(path)
    remove_file(_sidecar(path))


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


@dataclass(frozen=True, kw_only=True)
class _Scribe:
    """What the sidecars of a set share."""

    one: MapSet
    settings: Settings
    usual: Mapping[str, Any]  # the participants' criteria

    def label_sources(self) -> list[str]:
        return [output_uri(member.labels) for member in self.one.members]

    def map_sources(self) -> list[str]:
        return [source_uri(member.source) for member in self.one.members]

    def write_map(self, path: Path, data: Floats, words: str, sources: Sequence[str]) -> None:
        assert self.one.grid is not None
        save_map(path, data, self.one.grid)
        write_json(
            _sidecar(path),
            {"Description": words, "Sources": list(sources), **self._shared(), "Versions": library_versions()},
            only_if_changed=True,
        )

    def write_consensus(self, extraction: Extraction, naming: NamedRegions, signs: tuple[int, ...]) -> dict[str, Any]:
        assert self.one.grid is not None
        place = self.one.paths.consensus
        save_labels(place.labels, extraction.labels, self.one.grid)
        write_text(place.table, regions_table(naming.regions, extra=naming.region_cells), only_if_changed=True)
        write_text(place.peaks, peaks_table(naming.regions, extra=naming.peak_cells), only_if_changed=True)
        maps = [path for sign, path in ((1, self.one.paths.positive), (-1, self.one.paths.negative)) if sign in signs]
        sources = [*maps, self.one.paths.coverage]
        record = {
            "Description": self._consensus_words(),
            "Sources": [output_uri(path.relative_to(self.settings.output_dir).as_posix()) for path in sources],
            **self._shared(),
            "RegionsEntry": self.one.entry,
            "Criteria": dict(self.usual),
            "Consensus": {
                "MinPrevalence": self.settings.min_prevalence,
                "MinCoverage": self.settings.min_coverage,
                "Connectivity": self.usual["connectivity"],
                "SignsLookedFor": [SIGN_WORDS[sign] for sign in signs],
                "BothSigns": "the larger prevalence wins, a tie is positive",
            },
            "Participants": self._participants(),
            "Counts": {"RegionsKept": len(extraction.regions), "VoxelsAboveThreshold": extraction.n_above},
            "Warnings": [*self.one.notes, *naming.warnings],
            **({"Atlases": [dict(atlas) for atlas in naming.atlases]} if naming.atlases else {}),
            "Versions": library_versions(),
            **describe_columns([*(c for c in REGION_COLUMNS if c.name not in DEFINED), *naming.region_cells]),
            "PeaksColumns": describe_columns((*PEAK_COLUMNS, *naming.peak_cells)),
            "Outputs": {path.name: hash_file(path) for path in (place.labels, place.table, place.peaks, *sources)},
            "InputHash": hash_of([[m.participant, m.source_hash, m.settings_hash] for m in self.one.members]),
        }
        write_json(place.sidecar, record, only_if_changed=True)
        return record

    def _shared(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"SharedEntities": dict(self.one.entities)}
        if self.one.split:
            fields["GroupBy"] = dict(self.one.split)
        reference = source_uri(self.one.reference)
        resolution = dict(self.one.entities).get("res")
        return fields | spatial_fields(self.one.space or None, resolution, reference)

    def _consensus_words(self) -> str:
        return (
            "Consensus regions, one number per region: connected voxels that lie in regions of at least "
            f"{self.settings.min_prevalence:.4g} of the participants with data there, where at least "
            f"{self.settings.min_coverage:.4g} of the participants have data. The values of the tables are "
            "prevalences, negative for negative regions"
        )

    def _participants(self) -> dict[str, Any]:
        members = self.one.members
        statuses = Counter(absence.status for absence in self.one.absent)
        return {
            "Total": len(members) + len(self.one.absent),
            "Counted": len(members),
            "WithRegions": sum(member.n_regions > 0 for member in members),
            "Empty": sum(member.n_regions == 0 for member in members),
            "NotCounted": dict(sorted(statuses.items())),
        }
