"""What the record of one map and entry says: from what was found to the fields of a `Record`.

The hashes of the outputs are not known yet: they are filled in when the outputs are written.
"""

import math

from bids_regions.dataset import find_component_name
from bids_regions.extraction import Cutoff, Extraction, Smoothness
from bids_regions.images import StatMap
from bids_regions.maps.inputs import LoadedInputs, MapInputs, hash_inputs
from bids_regions.maps.map_warnings import find_warnings
from bids_regions.maps.naming import NamedRegions
from bids_regions.maps.sheet_maps import SheetMap, describe_density
from bids_regions.results.records import (
    DEFINED,
    CountsFound,
    FieldTheoryUsed,
    Record,
    SmoothnessUsed,
    StatisticUsed,
    ThresholdUsed,
    hash_settings,
    library_versions,
    spatial_fields,
)
from bids_regions.tables import describe_columns, peak_columns, region_columns

__all__ = ["compose_record"]


def compose_record(
    inputs: MapInputs,
    statmap: StatMap | SheetMap,
    loaded: LoadedInputs,
    extraction: Extraction,
    naming: NamedRegions,
    assume_space: str | None,
) -> Record:
    """The record of what `extraction` found, before its outputs are written."""
    mapfile, entry = inputs.mapfile, inputs.entry
    named_space, options = mapfile.entity("space"), entry.as_options()
    sources = inputs.sources
    on_sheets, density = mapfile.form != "volume", mapfile.entity("den")
    resolution = None if on_sheets else mapfile.entity("res")
    space = spatial_fields(named_space or assume_space, resolution, sources[0])
    columns = region_columns(fields=entry.criteria.rft, values=entry.values_from is not None, sheets=on_sheets)
    described = (column for column in columns if column.name not in DEFINED)
    return Record(
        description=f"Connected regions of {' and '.join(path.name for path in mapfile.paths)}, one number per region",
        sources=sources,
        entities=dict(mapfile.entities),
        spatial_reference=space.get("SpatialReference"),
        resolution=space.get("Resolution"),
        density=describe_density(density, statmap) if density and isinstance(statmap, SheetMap) else None,
        surfaces={mesh.structure or "unknown": {"Mesh": mesh.mesh, "Areas": mesh.areas} for mesh in loaded.meshes},
        assumed_space=None if named_space else assume_space,
        component=find_component_name(mapfile) or None,
        entry=entry.name,
        values=next(iter(inputs.values_sources), None),
        values_files=inputs.values_sources if len(inputs.values_sources) > 1 else (),
        criteria=options,
        statistic=StatisticUsed(kind=loaded.statistic.kind, dof=loaded.statistic.dof, p_scale=loaded.statistic.scale),
        peaks_from=loaded.peaks_source or None,
        threshold=_threshold(extraction.cutoff, statmap),
        counts=_counts(extraction, statmap),
        mask=loaded.mask_used,
        warnings=(
            *(fault.sentence for fault in inputs.unread),
            *find_warnings(statmap, entry, loaded, extraction),
            *naming.warnings,
        ),
        smoothness=_smoothness(extraction.smoothness, statmap.grid.zooms_ras)
        if extraction.smoothness and isinstance(statmap, StatMap)
        else None,
        field_theory=_field_theory(extraction),
        atlases=naming.atlases,
        versions=library_versions(),
        columns=describe_columns((*described, *naming.region_cells)),
        peak_columns=describe_columns((*peak_columns(fields=entry.criteria.rft, sheets=on_sheets), *naming.peak_cells)),
        source_hash=statmap.content_hash,
        input_hash=hash_inputs(statmap.content_hash, inputs),
        settings_hash=hash_settings(options),
    )


def _counts(extraction: Extraction, statmap: StatMap | SheetMap) -> CountsFound:
    return CountsFound(
        above=extraction.n_above,
        kept=len(extraction.regions),
        removed=extraction.n_removed_regions,
        removed_voxels=extraction.n_removed_voxels,
        nonfinite=statmap.n_nan + statmap.infinite.size,
        infinite=statmap.infinite.size,
    )


def _threshold(cutoff: Cutoff, statmap: StatMap | SheetMap) -> ThresholdUsed:
    one, several = "voxel", "voxels"
    if isinstance(statmap, SheetMap):
        one, several = ("vertex", "vertices") if statmap.grayordinates is None else ("grayordinate", "grayordinates")
    finite = math.isfinite(cutoff.value)
    return ThresholdUsed(
        asked=cutoff.asked,
        kind=cutoff.kind,
        cutoff=cutoff.value if finite else None,
        cutoff_range=cutoff.range if finite else None,
        nothing_passes=not finite,
        population=cutoff.population.replace("voxels", several).replace("voxel", one),
        population_size=cutoff.population_size,
        n_tested=cutoff.n_tested,
        dof=cutoff.dof,
        tail=cutoff.tail,
        precision=cutoff.dtype,
    )


def _smoothness(smoothness: Smoothness, zooms: tuple[float, float, float]) -> SmoothnessUsed:
    return SmoothnessUsed(
        dlh=smoothness.dlh,
        volume=smoothness.volume,
        voxels_per_resel=smoothness.voxels_per_resel,
        fwhm=smoothness.fwhm_used(zooms),
        origin=smoothness.origin,
    )


def _field_theory(extraction: Extraction) -> FieldTheoryUsed | None:
    theory = extraction.field_theory
    if theory is None:
        return None
    return FieldTheoryUsed(
        search_volume=theory.search.n_voxels,
        fwhm=theory.search.fwhm_mm or (),
        resels=theory.search.resels,
        expected_voxels=theory.expected_voxels,
        expected_clusters=theory.expected_clusters,
        set_clusters=theory.set_clusters,
        set_p=theory.set_p,
        fwe_p=theory.critical_height,
        fdr_p=theory.critical_peak_q,
        fwe_c=theory.critical_size,
        fdr_c=theory.critical_size_q,
    )
