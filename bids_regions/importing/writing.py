"""From sources to a BIDS derivatives dataset: names, links or copies, sidecars.

A link is relative, and made where one folder other than / holds both ends, so that the tree can be moved as a whole.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_regions.dataset import is_standard_space
from bids_regions.dataset.walk import is_made_by
from bids_regions.errors import Contradiction, OutputRefused
from bids_regions.files import copy_file, link_file, list_names, make_folder, read_json, write_json, write_text
from bids_regions.frozen import dataclass
from bids_regions.images import save_as_nifti
from bids_regions.importing.labels import label_of
from bids_regions.importing.model import PROGRAM, Find, Source
from bids_regions.version import __version__

__all__ = ["Plan", "plan_dataset", "write_dataset"]

BIDS_VERSION = "1.11.0"
FROM = "ImportedFrom"  # the sidecar's key: the image, relative to the dataset
IGNORED = "*_statmap.*\n*_name-*\n*_taskcontrast-*\ngroup\n"  # names that BIDS has no rule for, those of masks too
ORDER = ("sub", "ses", "task", "run", "space", "name", "taskcontrast", "contrast", "stat", "desc")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One image and where it goes."""

    find: Find
    target: Path
    sidecar: Mapping[str, Any]


def plan_dataset(sources: Sequence[Source], dataset: Path) -> tuple[list[Plan], list[str]]:
    """Every file that will be, and sentences on names that were changed; nothing is written.

    Raises
    ------
    Contradiction
        Two images that would have one name, or the dataset lies inside of a source.
    OutputRefused
        The dataset is one of something else.
    """
    _check_dataset(sources, dataset)
    notes: list[str] = []
    sources = [_as_it_stands(source, dataset) for source in sources]
    plans = _name(sources, dataset)
    clashing = {id(source) for source, _ in _clashes(plans) if not _stands(source, dataset)}
    if clashing:
        renamed = [_with_folder(source, notes) if id(source) in clashing else source for source in sources]
        plans = _name(renamed, dataset)
        for one, other in _clashes(plans):
            raise Contradiction(
                f"{one.path} and {other.path} would both be written under the same names",
                hint="Give them one by one with --participant-label or --task, or into two datasets",
            )
    made = [plan for _, plan in plans]
    for plan in made:
        _check_standing(plan)
    return made, notes


def _check_dataset(sources: Sequence[Source], dataset: Path) -> None:
    where = Path(os.path.realpath(dataset))
    for source in sources:
        folder = Path(os.path.realpath(source.path))
        if where == folder or folder in where.parents:
            raise Contradiction(f"{dataset} lies in {source.path}", hint="Give a dataset folder outside of the source")
    names = [name for name in list_names(dataset) if name[0] != "."]
    if not names:
        return
    if not is_made_by(PROGRAM, dataset):
        raise OutputRefused(f"{dataset} holds something else than an import", hint="Give a new folder for the dataset")


def _name(sources: Sequence[Source], dataset: Path) -> list[tuple[Source, Plan]]:
    return [(source, _plan(source, find, dataset)) for source in sources for find in source.finds]


def _as_it_stands(source: Source, dataset: Path) -> Source:
    """A source under the names that an earlier call gave its images to tell them from others."""
    if _stands(source, dataset):
        return source
    named = _with_folder(source, [])
    return named if _stands(named, dataset) else source


def _stands(source: Source, dataset: Path) -> bool:
    """Whether images of this source are in the dataset under the names that they would have."""
    plans = [_plan(source, find, dataset) for find in source.finds]
    return any(_origin_of(plan) == plan.sidecar[FROM] for plan in plans)


def _origin_of(plan: Plan) -> object:
    """Where what has this name came from; None where nothing has it."""
    sidecar = _sidecar(plan.target)
    return read_json(sidecar).get(FROM) if sidecar.is_file() else None


def _target(source: Source, find: Find, dataset: Path) -> Path:
    labels = {**source.clues, **({"space": source.space} if source.space else {}), **dict(find.entities)}
    folder = dataset / "group"
    if "sub" in labels:
        folder = dataset / f"sub-{labels['sub']}" / (f"ses-{labels['ses']}" if "ses" in labels else "") / "func"
    stem = "_".join(f"{key}-{labels[key]}" for key in ORDER if key in labels)
    ending = ".nii.gz" if find.convert or find.path.name.endswith(".gz") else ".nii"
    return folder / f"{stem}_{find.suffix}{ending}"


def _plan(source: Source, find: Find, dataset: Path) -> Plan:
    target = _target(source, find, dataset)
    origin = os.path.relpath(os.path.realpath(find.path), os.path.realpath(dataset))
    told = {**find.sidecar, FROM: origin + (f"[{find.volume}]" if find.volume is not None else "")}
    return Plan(
        find=find, target=target, sidecar=told | (_mask_facts(source, dataset) if find.suffix == "mask" else {})
    )


def _mask_facts(source: Source, dataset: Path) -> dict[str, str]:
    """What BIDS asks of a mask: its kind, and in no space that it defines an image that lies as the mask does."""
    reference = _target(source, source.finds[0], dataset).relative_to(dataset).as_posix()
    known = is_standard_space(source.space)
    return {"Type": "Brain"} | ({} if known else {"SpatialReference": f"bids::{reference}"})


def _clashes(plans: Iterable[tuple[Source, Plan]]) -> list[tuple[Source, Source]]:
    """Pairs of sources with a name in common, letter case and packing aside; both ways round."""
    seen: dict[str, tuple[Source, Plan]] = {}
    found = []
    for source, plan in plans:
        other, standing = seen.setdefault(str(plan.target).lower().removesuffix(".gz"), (source, plan))
        if standing is not plan:
            found += [(other, source), (source, other)]
    return found


def _with_folder(source: Source, notes: list[str]) -> Source:
    """A source whose images are named after its folder, too."""
    name = label_of(source.path.name.rpartition(".")[0] or source.path.name)
    if not name or any(key == "name" for find in source.finds for key, _ in find.entities):
        return source
    notes.append(f"{source.path}: its images are told from others of the same names by name-{name}")
    finds = tuple(replace(find, entities=(("name", name), *find.entities)) for find in source.finds)
    return replace(source, finds=finds)


def _check_standing(plan: Plan) -> None:
    """Refuse to replace what was imported from somewhere else."""
    standing = _origin_of(plan)
    if _sidecar(plan.target).is_file() and standing != plan.sidecar[FROM]:
        raise Contradiction(
            f"{plan.target} is there already, from {standing}",
            hint="Give --participant-label or --task, or another dataset folder",
        )


def _sidecar(target: Path) -> Path:
    return target.parent / (target.name.partition(".")[0] + ".json")


def write_dataset(plans: Sequence[Plan], dataset: Path, *, copy: bool) -> list[str]:
    """Write the dataset; sentences on what became a copy and not a link.

    Raises
    ------
    OutputRefused, StorageFault
        It cannot be written.
    """
    make_folder(dataset)
    copied = 0
    for plan in plans:
        if plan.find.convert:
            save_as_nifti(plan.find.path, plan.target, plan.find.volume)
        elif copy or not _linked(plan, dataset):
            copy_file(plan.target, plan.find.path)
            copied += 1
        write_json(_sidecar(plan.target), dict(plan.sidecar), only_if_changed=True)
    maker = {"Name": PROGRAM, "Version": __version__}
    described = {
        "Name": "Statistical maps of other programs", "BIDSVersion": BIDS_VERSION, "DatasetType": "derivative",
        "GeneratedBy": [maker],
    }  # fmt: skip
    write_json(dataset / "dataset_description.json", described, only_if_changed=True)
    write_text(dataset / ".bidsignore", IGNORED, only_if_changed=True)
    if copied and not copy:
        return [f"{copied} images were copied: no folder but / holds both them and {dataset}"]
    return []


def _linked(plan: Plan, dataset: Path) -> bool:
    """Link the image, where one folder other than / holds both ends."""
    source, root = os.path.realpath(plan.find.path), os.path.realpath(dataset)
    if os.path.commonpath([source, root]) == os.sep:
        return False
    make_folder(plan.target.parent)
    link_file(plan.target, os.path.relpath(source, os.path.realpath(plan.target.parent)))
    return True
