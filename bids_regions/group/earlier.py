"""What earlier runs of the group level left in OUTPUT_DIR, and this one neither made nor removed.

Sets of other columns of `--group-by`, of other contrasts or entries, may be wanted beside those of this run: they stay,
and it is said that they are not of it. Nothing is removed here.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from bids_regions.errors import Fault
from bids_regions.files import list_names, read_json
from bids_regions.group.sets import name_some
from bids_regions.results.placement import SIDECAR
from bids_regions.results.walk import find_sidecars

__all__ = ["sidecar_of", "tell_earlier_sets"]


SHOWN = 3  # of their names, which are long


def tell_earlier_sets(output_dir: Path, made: Iterable[Path]) -> tuple[str, ...]:
    """A sentence on the consensus regions whose records are not among those `made`; none without any."""
    folders = [output_dir / name for name in list_names(output_dir) if name.startswith("tpl-")]
    known = set(made)
    names = [
        path.name.removesuffix(SIDECAR)
        for folder in sorted(folders)
        for path in find_sidecars(folder)
        if path not in known and _is_consensus(path)
    ]
    if not names:
        return ()
    return (
        f"Consensus regions of an earlier run of the group level stand in OUTPUT_DIR, and this run did not make them: "
        f"{name_some(names, SHOWN)}; delete what is no longer wanted",
    )


def sidecar_of(labels: Path) -> Path:
    """The record beside a label file of ours, which both hemispheres share."""
    return labels.absolute().with_name(re.sub(r"_hemi-[^_]+", "", labels.name.partition("_dseg.")[0]) + SIDECAR)


def _is_consensus(sidecar: Path) -> bool:
    try:
        content = read_json(sidecar)
    except Fault:
        return False
    return "Consensus" in content and "RegionsEntry" in content
