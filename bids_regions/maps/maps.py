"""One map: read it once, and for each entry find its regions, measure them, write them, record them.

A *job* is one map with the entries that match it and where their results go; an *outcome* is how it ended. Which other
maps there are, and who runs the jobs, is not known here.
"""

import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bids_regions.atlases import Fitting
from bids_regions.dataset import MapFile, SourceDataset, is_standard_space
from bids_regions.errors import BadMap, Fault, OutputRefused, UnsuitableMap, tell_error, tell_os_error
from bids_regions.extraction import Extraction, find_regions
from bids_regions.extraction.statistics import PScale, intent_of
from bids_regions.files import hash_bytes, hash_file, locked, remove_file, sweep_temporaries, write_text
from bids_regions.frozen import dataclass
from bids_regions.images import StatMap, load_statmap, save_labels, save_map
from bids_regions.maps.explain import Explained, explain_map
from bids_regions.maps.inputs import MapInputs, find_inputs, hash_inputs
from bids_regions.maps.naming import NamedRegions, name_extraction
from bids_regions.maps.recording import compose_record
from bids_regions.maps.sheet_files import save_sheet_labels
from bids_regions.maps.sheet_maps import SheetMap, load_sheet_map
from bids_regions.pages.backgrounds import find_background, load_anatomy
from bids_regions.pages.sections import Drawn, Finished, draw_section
from bids_regions.pages.sheet_sections import draw_sheet_section
from bids_regions.results.failures import write_failure
from bids_regions.results.placement import LOCK, OutputPaths
from bids_regions.results.records import Record, hash_settings, load_record, read_finished, write_record
from bids_regions.settings import Entry
from bids_regions.space import Grayordinates
from bids_regions.tables import peaks_table, regions_table

Array = npt.NDArray[Any]

__all__ = ["EntryOutcome", "MapJob", "MapOutcome", "add_anatomy", "choose_background", "load_map", "process_map"]


@dataclass(frozen=True, kw_only=True)
class MapJob:
    """One map with the entries that match it, and where the results go."""

    mapfile: MapFile
    dataset: SourceDataset
    output_dir: Path
    entries: tuple[Entry, ...]
    outputs: tuple[OutputPaths, ...]  # of the entries, in their order
    fittings: tuple[tuple[Fitting, ...], ...]  # the atlases of each entry, for the map's space
    assume_space: str | None = None
    force: bool = False
    draw: bool = False  # draw the section also when nothing had to be done
    finished_only: bool = False  # --reports-only: compute nothing
    explain: bool = False  # also compare the conventions

    @property
    def space(self) -> str | None:
        """The map's space, as its name tells or as it was assumed."""
        return self.mapfile.entity("space") or self.assume_space

    @property
    def atlas_space(self) -> str:
        """The space the map's atlases must be in, the cohort of an infant template included; "" where not known."""
        space, cohort = self.space or "", self.mapfile.entity("cohort")
        return f"{space}+{cohort}" if space and cohort and "+" not in space else space


@dataclass(frozen=True, kw_only=True)
class EntryOutcome:
    """How one entry of one map ended: with a record, or with a fault."""

    name: str
    paths: OutputPaths
    record: Record | None = None
    fresh: bool = False  # computed in this run
    fault: Fault | None = None
    crash: str = ""  # the traceback of what no one foresaw


@dataclass(frozen=True, kw_only=True)
class MapOutcome:
    """How one map ended."""

    mapfile: MapFile
    entries: tuple[EntryOutcome, ...] = ()
    skipped: str = ""  # the reason, for a file that is no map of ours
    drawn: Drawn | None = None  # its part of the page
    explained: tuple[Explained, ...] = ()

    @property
    def failures(self) -> tuple[EntryOutcome, ...]:
        """The entries that failed."""
        return tuple(entry for entry in self.entries if entry.fault)


@dataclass(frozen=True, kw_only=True)
class _Computed:
    """What there is to write for one entry."""

    statmap: StatMap | SheetMap
    extraction: Extraction
    naming: NamedRegions
    record: Record  # without the hashes of its outputs
    intent: int  # NIfTI code of what the numbers are


@dataclass(frozen=True)
class _LazyMap:
    """The map, read when first asked for: a rerun with nothing to do hashes it and never inflates it."""

    mapfile: MapFile

    @cached_property
    def loaded(self) -> StatMap | SheetMap:
        return load_map(self.mapfile)

    @cached_property
    def digest(self) -> str:
        if "loaded" in self.__dict__:
            return self.loaded.content_hash
        hashes = [hash_file(path) for path in self.mapfile.paths]
        return hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode())


def load_map(mapfile: MapFile) -> StatMap | SheetMap:
    """The map in its file, or in those of its hemispheres."""
    return (
        load_statmap(mapfile.path, mapfile.volume)
        if mapfile.form == "volume"
        else load_sheet_map(mapfile, mapfile.paths)
    )


class _Task(NamedTuple):
    """One entry of one map."""

    entry: Entry
    paths: OutputPaths
    fittings: tuple[Fitting, ...]


def process_map(job: MapJob) -> MapOutcome:
    """Everything for one map.

    Raises
    ------
    OutputRefused, StorageFault
        Results cannot be written: nothing else will fare better, so the run ends.
    """
    lazy = _LazyMap(job.mapfile)
    for folder in {f for paths in job.outputs for f in (paths.folder, paths.figures, paths.failure.parent)}:
        sweep_temporaries(folder)
    try:
        tasks = zip(job.entries, job.outputs, job.fittings, strict=True)
        outcomes = [_process_entry(job, lazy, _Task(*each)) for each in tasks]
    except UnsuitableMap as reason:
        return MapOutcome(mapfile=job.mapfile, skipped=str(reason))
    return MapOutcome(
        mapfile=job.mapfile,
        entries=tuple(outcomes),
        drawn=_draw(job, lazy, outcomes),
        explained=tuple(_explain(job, lazy, outcomes)),
    )


def explain_job(job: MapJob) -> MapOutcome:
    """What each convention would keep of a map, without any result; why not, where it cannot be told."""
    lazy = _LazyMap(job.mapfile)
    rows: list[Explained] = []
    try:
        loaded = lazy.loaded
        if not isinstance(loaded, StatMap):
            return MapOutcome(mapfile=job.mapfile, skipped="a map on surfaces: the conventions compared are of volumes")
        for entry in job.entries:
            inputs = find_inputs(job.mapfile, job.dataset, entry, job.atlas_space)
            rows += explain_map(loaded, entry, inputs.load(loaded))
    except Fault as fault:
        return MapOutcome(mapfile=job.mapfile, skipped=str(fault))
    return MapOutcome(mapfile=job.mapfile, explained=tuple(rows))


def _process_entry(job: MapJob, lazy: _LazyMap, task: _Task) -> EntryOutcome:
    entry, paths, fittings = task
    if job.finished_only:
        return EntryOutcome(name=entry.name, paths=paths, record=_load_standing(paths))
    try:
        inputs = find_inputs(job.mapfile, job.dataset, entry, job.atlas_space, fittings)
        record = None if job.force else _find_finished(lazy, entry, paths, inputs)
        computed = None if record else _compute(job, lazy, entry, inputs)
    except UnsuitableMap:
        raise
    except Fault as fault:
        return _note_failure(job, entry, paths, fault, "")
    except OSError as error:
        return _note_failure(job, entry, paths, tell_os_error(error), "")
    except Exception as error:  # noqa: BLE001 # one map's defect must not take the others along
        defect = Fault(f"{job.mapfile.path}: {tell_error(error)}", hint="Report this with its crash text")
        return _note_failure(job, entry, paths, defect, traceback.format_exc())
    if computed:
        record = _write(entry, paths, computed)
    remove_file(paths.failure)
    return EntryOutcome(name=entry.name, paths=paths, record=record, fresh=computed is not None)


def _load_standing(paths: OutputPaths) -> Record | None:
    try:
        return load_record(paths.sidecar)
    except Fault:
        return None


def _find_finished(lazy: _LazyMap, entry: Entry, paths: OutputPaths, inputs: MapInputs) -> Record | None:
    if not paths.sidecar.exists():
        return None
    return read_finished(
        paths.sidecar,
        input_hash=hash_inputs(lazy.digest, inputs),
        settings_hash=hash_settings(entry.as_options()),
    )


def _compute(job: MapJob, lazy: _LazyMap, entry: Entry, inputs: MapInputs) -> _Computed:
    statmap = lazy.loaded
    loaded = inputs.load(statmap)
    try:
        extraction = find_regions(
            loaded.stored,
            loaded.domain,
            entry.criteria,
            mask=loaded.mask,
            peaks=loaded.peaks,
            statistic=loaded.statistic,
            values=loaded.values,
            smoothness=loaded.smoothness,
        )
    except BadMap as fault:
        if not inputs.unread:
            raise
        told = (fault, *inputs.unread)  # sidecars that may have told what the map lacks
        raise BadMap(" ".join(f"{one.sentence}." for one in told), hint=inputs.unread[0].hint) from fault
    sided = is_standard_space(job.atlas_space.partition("+")[0])
    on_sheets = loaded.domain if isinstance(loaded.domain, Grayordinates) else None
    domain = statmap.grid if isinstance(statmap, StatMap) else on_sheets
    naming = name_extraction(extraction, domain, inputs.fittings, sided=sided)
    record = compose_record(inputs, statmap, loaded, extraction, naming, job.assume_space)
    intent = intent_of(loaded.statistic)
    return _Computed(statmap=statmap, extraction=extraction, naming=naming, record=record, intent=intent)


def _write(entry: Entry, paths: OutputPaths, computed: _Computed) -> Record:
    """Write the results, the record last: where it stands, everything it names stands too.

    Another run that writes the same names waits, so that the files of a record are of one run.
    """
    extraction, naming, statmap = computed.extraction, computed.naming, computed.statmap
    with locked(paths.output_dir / LOCK, paths.sidecar.relative_to(paths.output_dir).as_posix()):
        remove_file(paths.sidecar)  # from here until the end this entry counts as unfinished
        sheets, fields = isinstance(statmap, SheetMap), entry.criteria.rft
        regions = regions_table(
            naming.regions, fields=fields, values=entry.values_from is not None, sheets=sheets,
            extra=naming.region_cells,
        )  # fmt: skip
        peaks = peaks_table(naming.regions, fields=fields, sheets=sheets, extra=naming.peak_cells)
        if isinstance(statmap, SheetMap):
            outputs = save_sheet_labels(paths, extraction.labels, statmap, naming.regions)
        else:
            outputs = {paths.labels.name: save_labels(paths.labels, extraction.labels, statmap.grid)}
        outputs[paths.table.name] = write_text(paths.table, regions)
        outputs[paths.peaks.name] = write_text(paths.peaks, peaks)
        if isinstance(statmap, StatMap):
            for path, image in _also_written(entry, paths, extraction, statmap, computed.record.statistic.p_scale):
                outputs[path.name] = save_map(path, image, statmap.grid, intent=computed.intent)
        record = replace(computed.record, outputs=outputs)
        write_record(paths.sidecar, record)
        return record


def _also_written(
    entry: Entry, paths: OutputPaths, extraction: Extraction, statmap: StatMap, scale: PScale | None
) -> Iterator[tuple[Path, Array]]:
    if "thresholded" in entry.also_write:
        nothing = 1 if scale == "p" else 0
        yield paths.thresholded, np.where(extraction.labels != 0, statmap.data, nothing)
    else:
        remove_file(paths.thresholded)  # of an earlier run that asked for it
    if "regions4d" in entry.also_write:
        yield paths.regions4d, _one_volume_each(extraction, statmap.data)
    else:
        remove_file(paths.regions4d)


def _one_volume_each(extraction: Extraction, data: Array) -> Array:
    """A volume per region, float32: the map inside the region, zero elsewhere; one empty volume where none survived."""
    volumes = np.zeros((*data.shape, max(1, len(extraction.regions))), dtype=np.float32, order="F")
    inside = extraction.labels > 0
    i, j, k = np.nonzero(inside)
    volumes[i, j, k, extraction.labels[inside].astype(np.intp) - 1] = data[inside]
    return volumes


def _draw(job: MapJob, lazy: _LazyMap, outcomes: list[EntryOutcome]) -> Drawn | None:
    if not (job.draw or any(outcome.fresh for outcome in outcomes)):
        return None
    try:
        return _draw_finished(job, lazy, outcomes)
    except OutputRefused:
        raise
    except Exception:  # noqa: BLE001 # the results stand; drawing is tried once more on its own, where a fault is told
        return None


def _draw_finished(job: MapJob, lazy: _LazyMap, outcomes: list[EntryOutcome]) -> Drawn | None:
    done = [
        add_anatomy(job, entry, outcome.paths, outcome.record)
        for entry, outcome in zip(job.entries, outcomes, strict=True)
        if outcome.record
    ]
    if not done:
        return None
    loaded = lazy.loaded
    if isinstance(loaded, StatMap):
        return draw_section(job.mapfile, loaded, done)
    return draw_sheet_section(job.mapfile, loaded, done)


def _explain(job: MapJob, lazy: _LazyMap, outcomes: list[EntryOutcome]) -> Iterator[Explained]:
    for entry, outcome in zip(job.entries, outcomes, strict=True):
        if job.explain and outcome.record and isinstance(lazy.loaded, StatMap):
            loaded = find_inputs(job.mapfile, job.dataset, entry, job.atlas_space).load(lazy.loaded)
            yield from explain_map(lazy.loaded, entry, loaded)


def add_anatomy(job: MapJob, entry: Entry | None, paths: OutputPaths, record: Record) -> Finished:
    """A finished entry with what its map is drawn on; an entry of an earlier run is drawn on what is there."""
    anatomy, note = load_anatomy(choose_background(job, entry))
    earlier = entry is None or hash_settings(entry.as_options()) != record.settings_hash
    return Finished(paths=paths, record=record, dataset=job.dataset, anatomy=anatomy, note=note, earlier=earlier)


def choose_background(job: MapJob, entry: Entry | None) -> Path | None:
    """The file to draw the map of `job` on."""
    asked = entry.background if entry else "auto"
    return find_background(job.mapfile, job.dataset, asked, job.assume_space)


def _note_failure(job: MapJob, entry: Entry, paths: OutputPaths, fault: Fault, crash: str) -> EntryOutcome:
    write_failure(job.mapfile, paths, fault, crash)
    return EntryOutcome(name=entry.name, paths=paths, fault=fault, crash=crash)
