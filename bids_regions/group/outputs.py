"""What a set leaves in OUTPUT_DIR: prevalence, coverage, consensus regions, each with its sidecar, the record last.

A *consensus* is what the first pass made of a set. Values and agreement are `tables`' to write.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.aggregate import (
    Tally,
    coverage,
    find_consensus,
    least_participants,
    prevalence,
    prevalence_lower,
)
from bids_regions.atlases import AtlasReader, fit_atlases
from bids_regions.dataset import is_standard_space
from bids_regions.errors import Fault, MissingInput
from bids_regions.extraction import Extraction, Statistic, find_regions
from bids_regions.extraction.tails import SIGN_WORDS, TAILS
from bids_regions.files import hash_file, hash_of, remove_file, write_json, write_text
from bids_regions.frozen import dataclass
from bids_regions.group.grounds import Ground, rows_of_peaks
from bids_regions.group.members import Member
from bids_regions.group.sets import MapSet
from bids_regions.maps.naming import NamedRegions, name_extraction
from bids_regions.results.placement import OutputPaths
from bids_regions.results.records import DEFINED, library_versions, spatial_fields
from bids_regions.results.uris import output_uri, source_uri
from bids_regions.results.walk import read_logs
from bids_regions.settings import GroupSettings, without_folders
from bids_regions.tables import (
    Cells,
    describe_columns,
    format_cell,
    peak_columns,
    peaks_table,
    region_columns,
    regions_table,
)

__all__ = ["Consensus", "fingerprint", "write_set"]

Floats = NDArray[np.float64]

PREVALENCE = Statistic("prevalence")  # a signed fraction, with no p behind it


@dataclass(frozen=True, kw_only=True, eq=False)
class Consensus:
    """What the first pass made of a set."""

    tally: Tally
    ground: Ground
    shared: NDArray[np.int8]  # row: the sign of consensus voxels, 0 elsewhere
    signs: tuple[int, ...]  # those that were looked for
    rate: float  # false-positive rate of a voxel in one tail; nan where it is not known
    extraction: Extraction  # consensus regions of the signed prevalence
    naming: NamedRegions
    usual: Mapping[str, Any]  # the participants' criteria
    record: dict[str, Any]  # the sidecar's content

    @property
    def positive(self) -> Floats:
        """Prevalence, as a map of the ground."""
        return self.ground.domain.unflatten(prevalence(self.tally, 1))

    @property
    def negative(self) -> Floats:
        """Prevalence, as a map of the ground."""
        return self.ground.domain.unflatten(prevalence(self.tally, -1))

    @property
    def signed(self) -> Floats:
        """The prevalence of both signs in one map: where both occur the larger one, a tie as positive."""
        positive, negative = self.positive, self.negative
        return np.where(positive >= negative, positive, -negative)

    @property
    def coverage(self) -> Floats:
        """Fraction of participants with data, as a map of the ground."""
        return self.ground.domain.unflatten(coverage(self.tally))


def write_set(
    one: MapSet, tally: Tally, settings: GroupSettings, atlases: AtlasReader, *, pooled: bool = False
) -> Consensus:
    """Find the consensus regions of a set and write its images, tables and sidecars; what is equal stays untouched.

    Of maps that are `pooled` over sessions or runs only the consensus regions are written: people count several times.
    """
    ground = one.ground
    assert ground is not None
    tail = TAILS[one.members[0].tail].signs
    signs = tuple(sign for sign in (1, -1) if sign in tail or tally.of(sign).any())  # of maps of p the regions tell
    signed = find_consensus(tally, min_prevalence=settings.min_prevalence, min_coverage=settings.min_coverage)
    usual = one.members[0].criteria
    domain = ground.domain
    extraction = find_regions(domain.unflatten(signed), domain, ground.criteria(usual), statistic=PREVALENCE)
    naming = _name(extraction, one, settings, atlases)
    rates = [math.nan] if pooled else [member.rate for member in one.members]
    rate = math.nan if any(map(math.isnan, rates)) else max(rates)
    naming = replace(naming, region_cells=(*_share_cells(extraction, ground, tally, rate), *naming.region_cells))
    writer = _SidecarWriter(one=one, settings=settings, usual=usual, rate=rate, pooled=pooled)
    made = () if pooled else writer.write_maps(tally, signs)
    record = writer.write_consensus(extraction, naming, signs, made)
    return Consensus(
        tally=tally,
        ground=ground,
        shared=np.sign(signed).astype(np.int8),
        signs=signs,
        rate=rate,
        extraction=extraction,
        naming=naming,
        usual=usual,
        record=record,
    )


def _share_cells(extraction: Extraction, ground: Ground, tally: Tally, rate: float) -> tuple[Cells, ...]:
    """How many participants share each region at its peak, and how small the prevalence there may still be."""
    regions, unit = extraction.regions, ground.unit
    at = rows_of_peaks(ground, regions).tolist()
    signs = [1 if region.sign == "positive" else -1 for region in regions]
    found = np.array([tally.of(sign)[k] for sign, k in zip(signs, at, strict=True)], np.int64)
    tested = tally.data[at].astype(np.int64)
    cells = [
        Cells(name="n_sharing", description=f"Participants whose regions of this sign cover the peak {unit}",
              cells=tuple(map(str, found.tolist()))),
        Cells(name="n_with_data", description=f"Participants that have data at the peak {unit}",
              cells=tuple(map(str, tested.tolist()))),
    ]  # fmt: skip
    if math.isfinite(rate):
        lower = prevalence_lower(found, tested, rate)
        what = f"Lower bound (95 %) of the prevalence at the peak {unit}, false positives of a {unit} taken off"
        cells.append(Cells(name="prevalence_lower", description=what, cells=tuple(map(format_cell, lower.tolist()))))
    return tuple(cells)


def fingerprint(member: Member) -> str:
    """A short word for the content of a participant's map."""
    return member.source_hash[:16]


def _name(extraction: Extraction, one: MapSet, settings: GroupSettings, atlases: AtlasReader) -> NamedRegions:
    """Names as the participants' regions have them: from their atlases, where these are still at hand."""
    usual = one.members[0].criteria
    if not usual.get("atlas"):
        return NamedRegions(regions=extraction.regions)
    cohort = dict(one.entities).get("cohort")
    space = f"{one.space}+{cohort}" if one.space and cohort and "+" not in one.space else one.space
    assert one.ground is not None
    try:
        specs = [_find_again(spec, settings) for spec in usual["atlas"]]
        fittings = fit_atlases(
            specs,
            space=space,
            unchecked=bool(usual.get("atlas_space_unchecked")),
            domain=one.ground.domain,
            reader=atlases,
        )
        return name_extraction(extraction, one.ground.domain, fittings, sided=is_standard_space(one.space))
    except Fault as fault:
        return NamedRegions(regions=extraction.regions, warnings=(f"regions are not named: {fault}",))


def _find_again(spec: str, settings: GroupSettings) -> str:
    """A request for an atlas with its folders, as this run has it or else as the latest run's log tells.

    Raises
    ------
    MissingInput
        No run with this output folder tells, or the atlas is no longer where it was.
    """
    known = {without_folders(own): own for own in settings.atlases}
    if spec in known or spec.startswith("templateflow:"):
        return known.get(spec, spec)
    for atlases in read_logs(settings.output_dir, "atlases"):
        found = atlases.get(spec)
        if found is None:
            continue
        if not Path(found.partition("?")[0]).is_file():
            break
        return str(found)
    raise MissingInput(f"the atlas {spec} is not where it was", hint="Give its --atlas to the group level as well")


def _lower_words(sign: int, rate: float, unit: str) -> str:
    return (
        f"Lower bound (95 %) of the prevalence of {SIGN_WORDS[sign]} regions, given that a {unit} without an effect is "
        f"found with a probability of {rate:.4g} at most; 0 where nobody has data"
    )


def _prevalence_words(sign: int, unit: str) -> str:
    return (
        f"Prevalence of {SIGN_WORDS[sign]} regions: the fraction of participants whose {SIGN_WORDS[sign]} regions "
        f"cover the {unit}, among those that have data there; 0 where nobody has"
    )


@dataclass(frozen=True, kw_only=True)
class _SidecarWriter:
    """What the sidecars of a set share."""

    one: MapSet
    settings: GroupSettings
    usual: Mapping[str, Any]  # the participants' criteria
    rate: float  # false-positive rate of a voxel in one tail; nan where it is not known
    pooled: bool  # maps of all sessions or runs together

    @property
    def ground(self) -> Ground:
        """What the set's maps lie on."""
        assert self.one.ground is not None
        return self.one.ground

    def write_maps(self, tally: Tally, signs: tuple[int, ...]) -> tuple[Path, ...]:
        """Prevalence, its lower bounds, coverage; the images that stand, those of an earlier run's signs removed."""
        paths = self.one.paths
        made: list[OutputPaths] = []
        for sign, share, lower in (
            (1, paths.positive, paths.positive_lower),
            (-1, paths.negative, paths.negative_lower),
        ):
            made += self._write_prevalence(sign, tally, (share, lower), wanted=sign in signs)
        words = "Fraction of the participants that have data"
        self.write_map(paths.coverage, coverage(tally), words, self.map_sources())
        return tuple(path for one in (*made, paths.coverage) for path in one.share_files)

    def _write_prevalence(
        self, sign: int, tally: Tally, outputs: tuple[OutputPaths, OutputPaths], *, wanted: bool
    ) -> tuple[OutputPaths, ...]:
        share, lower = outputs
        known, unit = math.isfinite(self.rate), self.ground.unit
        if wanted:
            self.write_map(share, prevalence(tally, sign), _prevalence_words(sign, unit), self.label_sources())
        if wanted and known:
            bound = prevalence_lower(tally.of(sign), tally.data, self.rate)
            self.write_map(lower, bound, _lower_words(sign, self.rate, unit), self.label_sources())
        n_made = int(wanted) + int(wanted and known)
        for gone in outputs[n_made:]:
            for path in (*gone.share_files, gone.share_sidecar):
                remove_file(path)
        return outputs[:n_made]

    def label_sources(self) -> list[str]:
        return [output_uri(name) for member in self.one.members for name in member.label_files]

    def map_sources(self) -> list[str]:
        return [source_uri(name) for member in self.one.members for name in member.sources]

    def write_map(self, paths: OutputPaths, row: Floats, words: str, sources: Sequence[str]) -> None:
        self.ground.save_shares(paths, row)
        write_json(
            paths.share_sidecar,
            {"Description": words, "Sources": list(sources), **self._shared(), "Versions": library_versions()},
            only_if_changed=True,
        )

    def write_consensus(
        self, extraction: Extraction, naming: NamedRegions, signs: tuple[int, ...], made: tuple[Path, ...]
    ) -> dict[str, Any]:
        paths = self.one.paths.pooled if self.pooled else self.one.paths.consensus
        sheets = self.one.form != "volume"
        table = regions_table(naming.regions, sheets=sheets, extra=naming.region_cells)
        peaks = peaks_table(naming.regions, sheets=sheets, extra=naming.peak_cells)
        self.ground.save_labels(paths, extraction.labels, naming.regions)
        write_text(paths.table, table, only_if_changed=True)
        write_text(paths.peaks, peaks, only_if_changed=True)
        sources = [output_uri(path.relative_to(self.settings.output_dir).as_posix()) for path in made]
        record = {
            "Description": self._consensus_words(),
            "Sources": sources or self.label_sources(),
            **self._shared(),
            "RegionsEntry": self.one.entry,
            "Criteria": dict(self.usual),
            "Consensus": {
                "MinPrevalence": self.settings.min_prevalence,
                "MinCoverage": self.settings.min_coverage,
                **({} if sheets else {"Connectivity": self.usual["connectivity"]}),
                "SignsLookedFor": [SIGN_WORDS[sign] for sign in signs],
                "BothSigns": "the larger prevalence wins, a tie is neither",
                "Maps": [fingerprint(member) for member in self.one.members],
                **self.ground.smallest(self.usual).record,
                "LeastParticipants": least_participants(len(self.one.members), self.settings.min_prevalence),
                **({"FalsePositiveRate": self.rate} if math.isfinite(self.rate) else {}),
            },
            "Participants": self._participants(),
            "Counts": {"RegionsKept": len(extraction.regions), "VoxelsAboveThreshold": extraction.n_above},
            "Warnings": [*self.one.notes, *naming.warnings],
            **({"Atlases": [dict(atlas) for atlas in naming.atlases]} if naming.atlases else {}),
            "Versions": library_versions(),
            **describe_columns(
                [*(c for c in region_columns(sheets=sheets) if c.name not in DEFINED), *naming.region_cells]
            ),
            "PeaksColumns": describe_columns((*peak_columns(sheets=sheets), *naming.peak_cells)),
            "Outputs": {p.name: hash_file(p) for p in (*paths.label_files, paths.table, paths.peaks, *made)},
            "InputHash": hash_of([[m.participant, m.source_hash, m.settings_hash] for m in self.one.members]),
        }
        write_json(paths.sidecar, record, only_if_changed=True)
        return record

    def _shared(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"SharedEntities": dict(self.one.entities)}
        if self.one.split:
            fields["GroupBy"] = dict(self.one.split)
        reference = source_uri(self.one.reference)
        entities = dict(self.one.entities)
        resolution = entities.get("res") if self.one.form == "volume" else None
        fields |= self.ground.about(entities)
        return fields | spatial_fields(self.one.space or None, resolution, reference)

    def _consensus_words(self) -> str:
        who = "maps, of all sessions or runs together," if self.pooled else "participants"
        return (
            f"Consensus regions, one number per region: connected {self.ground.units} that lie in regions of at least "
            f"{self.settings.min_prevalence:.4g} of the {who} with data there, where at least "
            f"{self.settings.min_coverage:.4g} of these have data. The values of the tables are "
            "prevalences, negative for negative regions"
        )

    def _participants(self) -> dict[str, Any]:
        members = self.one.members
        if self.pooled:
            return {"Counted": len({member.participant for member in members})}
        statuses = Counter(absence.status for absence in self.one.absent)
        return {
            "Total": len(members) + len(self.one.absent),
            "Counted": len(members),
            "WithRegions": sum(member.n_regions > 0 for member in members),
            "Empty": sum(member.n_regions == 0 for member in members),
            "NotCounted": dict(sorted(statuses.items())),
        }
