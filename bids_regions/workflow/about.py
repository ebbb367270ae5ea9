"""What a run says of itself: to its log, in the methods text, on each of its pages.

It is taken from what was asked and planned; nothing is known here of what was found.
"""

import os
import shlex
from collections.abc import Sequence
from typing import Any

from bids_regions.atlases import describe_atlas
from bids_regions.dataset import read_map_name
from bids_regions.errors import printable
from bids_regions.pages.methods import write_methods
from bids_regions.pages.page import PageContext
from bids_regions.pages.provenance import describe_provenance
from bids_regions.planning import Plan
from bids_regions.report import model
from bids_regions.results.placement import name_owner
from bids_regions.settings import Entry, Settings, with_folders, without_folders

__all__ = ["log_facts", "page_context", "run_methods"]


def log_facts(settings: Settings) -> dict[str, Any]:
    """What the log keeps of what was asked; the group level finds an atlas again by the request that records keep."""
    requests = [spec for entry in settings.entries for spec in entry.atlas]
    return {
        "command": shlex.join(settings.command),
        "bids_dir": printable(settings.bids_dir, 4000),
        "output_dir": printable(settings.output_dir, 4000),
        "levels": list(settings.levels),
        "entries": {entry.name: {"match": dict(entry.match), **entry.as_options()} for entry in settings.entries},
        "atlases": {without_folders(spec): with_folders(spec) for spec in requests},
        "surfaces": {os.path.basename(path): os.path.abspath(path) for path in settings.group.sheet_files},  # noqa: PTH100, PTH119 # links stay
    }


def run_methods(entries: Sequence[Entry], plan: Plan) -> model.Methods:
    """The methods text of what is done."""
    fittings = dict.fromkeys(fitting for job in plan.jobs for each in job.fittings for fitting in each)
    return write_methods(_used_entries(entries, plan), list(map(describe_atlas, fittings)), _maps_of_p(plan))


def page_context(settings: Settings, plan: Plan, methods: model.Methods) -> PageContext:
    """What every page of the run shares."""
    provenance = describe_provenance(
        settings.entries,
        settings.selection,
        dataset=plan.dataset.name,
        filters=plan.selection.filters,
        configured=settings.configured,
    )
    return PageContext(
        skipped=_skipped_by_owner(plan),
        notices=tuple(text.replace(str(settings.bids_dir), "BIDS_DIR") for text in plan.notices),
        methods=methods,
        provenance=provenance,
        dataset_name=plan.dataset.name,
        redraw=settings.force or settings.reports_only,
    )


def _used_entries(entries: Sequence[Entry], plan: Plan) -> list[Entry]:
    """The entries in each form that they were used in: for volumes, for maps on surfaces; unused ones as they are."""
    forms: dict[str, set[str]] = {}
    for job in plan.jobs:
        for entry in job.entries:
            forms.setdefault(entry.name, set()).add(entry.form)
    return [used for entry in entries for used in entry.in_forms(forms.get(entry.name, set()))]


def _maps_of_p(plan: Plan) -> dict[str, set[bool]]:
    """By an entry's name, whether its maps hold p, as far as names tell: some, all or none of them."""
    found: dict[str, set[bool]] = {}
    for job in plan.jobs:
        is_p = job.mapfile.kind.is_p
        for entry in job.entries:
            found.setdefault(entry.name, set()).add(is_p or entry.p_scale != "auto")
    return found


def _skipped_by_owner(plan: Plan) -> dict[str, tuple[model.Problem, ...]]:
    owners: dict[str, list[model.Problem]] = {}
    for one in plan.skipped:
        owner = name_owner(read_map_name(plan.dataset.root, one.relpath)) if one.participant else ""
        owners.setdefault(owner, []).append(model.Problem(source=one.relpath, reason=one.reason))
    return {owner: tuple(problems) for owner, problems in owners.items()}
