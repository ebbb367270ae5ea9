"""What there is to do, settled before anything is written: maps, entries, output paths, and what is left out.

A *plan* is all of it; faults that would end the run are found here. Nothing is read but names, headers and JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.atlases import AtlasUser, asks_templateflow, fit_to_maps, own_entities
from bids_regions.dataset import (
    Discovery,
    MapFile,
    Selection,
    Skipped,
    SourceDataset,
    check_selection,
    find_maps,
    find_segmentation,
    matches,
    open_dataset,
    read_filter_file,
    read_table,
)
from bids_regions.dataset.hemispheres import read_map_names
from bids_regions.errors import Contradiction, EmptySelection
from bids_regions.frozen import dataclass
from bids_regions.maps.inputs import MASK_HINT, mask_misfit
from bids_regions.maps.maps import MapJob
from bids_regions.maps.sheet_maps import count_vertices_of
from bids_regions.planning.matching import tell_idle_entries, tell_idle_options
from bids_regions.planning.named_files import check_named_files
from bids_regions.planning.volumes import take_volumes
from bids_regions.results.ownership import check_owners
from bids_regions.results.placement import check_collisions, name_outputs, name_owner
from bids_regions.settings import Entry, SelectionSettings, Settings

__all__ = ["Plan", "check_plan", "list_plan", "make_plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The work of one run."""

    dataset: SourceDataset
    selection: Selection
    discovery: Discovery  # every selected map, also of a level that is not asked for
    participants: Mapping[str, Sequence[MapJob]]  # by owner, "sub-01"
    group: Sequence[MapJob]  # maps that belong to no participant
    broken: Sequence[tuple[MapJob, Skipped]]  # files that cannot be read at all
    skipped: Sequence[Skipped]
    notices: tuple[str, ...]  # what a user should know; stands on the pages too
    asides: tuple[str, ...]  # the same of this run's command alone

    @property
    def jobs(self) -> Iterator[MapJob]:
        """Every map to be done."""
        for jobs in (*self.participants.values(), self.group):
            yield from jobs


def list_plan(plan: Plan) -> Iterator[str]:
    """What would be done, a line for each output and each file that is left out."""
    for job in plan.jobs:
        for paths in job.outputs:
            folder = paths.sidecar.parent.relative_to(job.output_dir).as_posix()
            yield f"{job.mapfile.title} -> {folder}/{paths.stem}_dseg.*"
    yield from (f"skipped: {one.relpath}: {one.reason}" for one in plan.skipped)
    yield from (f"failed: {one.relpath}: {one.reason}" for _, one in plan.broken)


def make_plan(settings: Settings) -> Plan:
    """Find the maps, match the entries, name every output. What a plan says is told before it is checked.

    Raises
    ------
    MissingInput, BadDataset, EmptySelection
        There is no dataset, no map, or none that was asked for.
    Contradiction
        What was asked fits none of the maps.
    """
    notices = [*check_named_files(settings.entries, settings.group.participants_tsv, settings.group.regions_from)]
    dataset, selection, discovery = _find(settings.bids_dir, settings.selection)
    if settings.group.group_by:  # before any map is touched, not after the last participant
        read_table(dataset, settings.group.participants_tsv, settings.group.group_by)
    wanted = [mapfile for mapfile in discovery.maps if _level_of(mapfile.participant) in settings.levels]
    jobs = _fit_atlases([_make_job(mapfile, dataset, settings) for mapfile in wanted])
    notices += (*dataset.notices, *discovery.notices)
    unmatched = [job.mapfile.relpath for job in jobs if not job.entries]
    if unmatched:
        notices.append(f"{len(unmatched)} of {len(jobs)} maps are matched by no entry, such as {unmatched[0]}")
    notices += tell_idle_entries(settings.entries if settings.configured else (), discovery)
    matched = [job for job in jobs if job.entries]
    broken = [
        (_make_job(read_map_names(dataset.root, [one.relpath]), dataset, settings), one)
        for one in discovery.failed
        if _level_of(one.participant) in settings.levels
    ]
    return Plan(
        dataset=dataset,
        selection=selection,
        discovery=discovery,
        participants=_by_owner([job for job in matched if job.mapfile.participant is not None], broken),
        group=[job for job in matched if job.mapfile.participant is None],
        broken=broken,
        skipped=discovery.skipped,
        notices=tuple(dict.fromkeys(notices)),
        asides=tuple(tell_idle_options(settings.entries, discovery)),
    )


def check_plan(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Refuse a plan that cannot be done as asked; what it would replace, a sentence each.

    Raises
    ------
    EmptySelection
        There is nothing to do.
    Contradiction
        Options that hold for none of the maps, or two entries of one name for one map.
    BadDataset
        Two maps would write one output, or it holds the results of another map.
    """
    jobs = list(plan.jobs)
    _refuse_misplaced_masks(settings.entries, jobs)
    if all(one.form != "volume" for one in plan.discovery.maps if _level_of(one.participant) in settings.levels):
        _refuse_voxel_options(jobs)
    if not (any(job.entries for job in jobs) or plan.broken or "group" in settings.levels):
        _refuse_nothing(plan.discovery)
    check_collisions(paths for job in jobs for paths in job.outputs)
    if settings.force or settings.reports_only:
        return ()
    claims = ((job.mapfile, paths) for job in jobs for paths in job.outputs)
    return check_owners(claims, plan.dataset, settings.output_dir)


def _find(bids_dir: Path, asked: SelectionSettings) -> tuple[SourceDataset, Selection, Discovery]:
    """The dataset, what is asked of it, and the maps in it that are asked for."""
    selection = Selection(
        asked=asked.labels,
        filters=read_filter_file(asked.bids_filter_file, asked.suffixes) if asked.bids_filter_file else {},
        assume_space=asked.assume_space,
        suffixes=asked.suffixes,
        volumes=asked.volumes,
    )
    dataset = open_dataset(
        bids_dir,
        asked.derivatives,
        asked.participants,
        suffixes=selection.endings,
        check=not asked.skip_bids_validation,
    )
    discovery = take_volumes(find_maps(dataset, selection), selection)
    check_selection(dataset, discovery, selection.endings)
    return dataset, selection, discovery


def _level_of(participant: str | None) -> str:
    return "group" if participant is None else "participant"


def _make_job(mapfile: MapFile, dataset: SourceDataset, settings: Settings) -> MapJob:
    entries = tuple(entry for entry in settings.entries if matches(mapfile, entry.match))
    if mapfile.form != "volume":
        entries = tuple(entry.for_surfaces(mapfile.form) for entry in entries)
    return MapJob(
        mapfile=mapfile,
        dataset=dataset,
        output_dir=settings.output_dir,
        entries=entries,
        outputs=tuple(
            name_outputs(mapfile, entry.name, settings.output_dir, assume_space=settings.selection.assume_space)
            for entry in entries
        ),
        fittings=((),) * len(entries),
        assume_space=settings.selection.assume_space,
        force=settings.force,
        finished_only=settings.reports_only,
        explain=settings.explain,
    )


def _fit_atlases(jobs: Sequence[MapJob]) -> list[MapJob]:
    """The jobs with the atlases of their entries, each request resolved once for all maps, faults told at once."""
    users = [_atlas_users(job) for job in jobs]
    asked: dict[tuple[tuple[str, ...], bool], list[AtlasUser]] = {}
    for job, its in zip(jobs, users, strict=True):
        for entry, user in zip(job.entries, its, strict=True):
            asked.setdefault((entry.atlas, entry.atlas_space_unchecked), []).append(user)
    fitted = {key: fit_to_maps(key[0], found, unchecked=key[1]) for key, found in asked.items()}
    return [
        replace(
            job,
            fittings=tuple(
                fitted[entry.atlas, entry.atlas_space_unchecked][user]
                for entry, user in zip(job.entries, its, strict=True)
            ),
        )
        for job, its in zip(jobs, users, strict=True)
    ]


def _refuse_misplaced_masks(entries: Sequence[Entry], jobs: Sequence[MapJob]) -> None:
    """A named mask that fits no map is a contradiction; where it fits some, the others fail, each by itself."""
    problems = []
    for entry in entries:
        matched = [job for job in jobs if entry in job.entries]
        reasons = {mask_misfit(entry, job.atlas_space, job.mapfile.participant) for job in matched}
        if entry.mask not in ("auto", "none") and reasons and "" not in reasons:
            problems.append("; ".join(sorted(reasons)))
    if problems:
        raise Contradiction(problems=list(dict.fromkeys(problems)), hint=MASK_HINT)


def _refuse_voxel_options(jobs: Sequence[MapJob]) -> None:
    """Options for voxels alone, of maps that all lie on surfaces; beside volumes they hold for those."""
    asked = {name: entry.name for job in jobs for entry in job.entries for name in entry.voxels_only}
    if asked:
        options = ", ".join("--" + name.replace("_", "-") for name in asked)
        raise Contradiction(
            f"{options}: for voxels alone, and every selected map lies on surfaces",
            hint="Leave these options out, or select volumes",
        )


def _atlas_users(job: MapJob) -> list[AtlasUser]:
    """What each entry of a job wants atlases for; vertices are counted where an atlas has to be sought by them."""
    by_mesh = job.mapfile.form != "volume" and asks_templateflow([spec for each in job.entries for spec in each.atlas])
    n_vertices = count_vertices_of(job.mapfile) if by_mesh else 0
    users = []
    for entry in job.entries:
        wanted = own_entities(entry.atlas)
        own = (find_segmentation(job.mapfile, job.dataset, each, space=job.space) for each in wanted)
        users.append(
            AtlasUser(
                space=job.atlas_space,
                participant=job.mapfile.participant,
                own=tuple(own),
                form=job.mapfile.form,
                n_vertices=n_vertices,
            )
        )
    return users


def _refuse_nothing(discovery: Discovery) -> None:
    if not discovery.maps and discovery.skipped:
        return  # skipped with a reason each, which is an answer
    if any(mapfile.participant is None for mapfile in discovery.maps):
        raise EmptySelection("all selected maps belong to the group, to no participant", hint="Add the level group")
    raise EmptySelection(
        "no entry of the configuration matches a selected map", hint="Fix the match of the entries, as the notes say"
    )


def _by_owner(jobs: Sequence[MapJob], broken: Sequence[tuple[MapJob, Skipped]]) -> dict[str, Sequence[MapJob]]:
    """The jobs by owner; an owner whose maps are all broken has a page as well, from jobs without entries."""
    owners: dict[str, list[MapJob]] = {}
    for job in jobs:
        owners.setdefault(job.outputs[0].owner, []).append(job)
    for job, _ in broken:
        if job.mapfile.participant is not None:
            owner = name_owner(job.mapfile, job.assume_space)
            owners.setdefault(owner, [replace(job, entries=(), outputs=(), fittings=())])
    return dict(sorted(owners.items()))
