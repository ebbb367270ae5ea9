"""What JSON sidecars say about a map: the inheritance principle, read when it is asked for, and degrees of freedom.

A sidecar of a map lies in its folder or in any folder above, up to the dataset's root; it has the map's suffix, and
no entity that the map has not. What lies nearer overrides what lies farther away.
"""

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bids_regions.dataset.companions import find_sibling, says_no_more
from bids_regions.dataset.mapfiles import MapFile
from bids_regions.dataset.names import Entities, read_entities, split_name
from bids_regions.errors import BadMap, Fault
from bids_regions.extraction.statistics import P_SCALES, Freedom, PScale
from bids_regions.files import list_names, read_json
from bids_regions.frozen import dataclass

__all__ = ["DegreesOfFreedom", "find_dof", "read_metadata", "read_sidecars", "tell_p_scale"]

# As producers spell it, without case and underscores; first come first served.
DOF_KEYS = (
    "degreesoffreedom",
    "errordegreesoffreedom",  # NIDM-Results
    "effectivedegreesoffreedom",
    "residualdegreesoffreedom",
    "dof",
    "df",
    "errordof",
    "residualdof",
    "dferror",
    "dfresid",
    "dfresidual",
)
NESTED = ("modelparameters", "statistic", "model")  # objects of a sidecar that may hold them instead


@dataclass(frozen=True, kw_only=True)
class DegreesOfFreedom:
    """The degrees of freedom of a map, as far as its files tell them."""

    value: Freedom | None  # of t and chi-squared one, of F the effect's and the error's; None: sidecars do not say
    map_path: Path | None  # a stat-dof map, asked only where the sidecars do not say
    source: str  # in words, for the sidecar and the report


def read_metadata(mapfile: MapFile) -> dict[str, Any]:
    """The sidecar of a map with all it inherits.

    Raises
    ------
    BadMap
        One of the sidecars cannot be read.
    """
    metadata, unread = read_sidecars(mapfile)
    if unread:
        raise BadMap(unread[0].sentence, hint=unread[0].hint)
    return metadata


def read_sidecars(mapfile: MapFile) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """The sidecar of a map with all it inherits from those that can be read, and what is wrong with the others."""
    metadata: dict[str, Any] = {}
    unread = []
    for path in find_sidecars(mapfile):
        try:
            metadata.update(read_json(path))
        except Fault as fault:
            where = f"{path}".replace(f"{mapfile.root}/", "")
            what = fault.sentence.removeprefix(f"{path} ")
            unread.append(Fault(f"The sidecar {where} of {mapfile.relpath} cannot be used: it {what}", hint=fault.hint))
    return metadata, tuple(unread)


def find_sidecars(mapfile: MapFile) -> list[Path]:
    """The sidecars that apply to a map, the farthest and least specific first."""
    found = []
    folders = mapfile.relpath.split("/")[:-1]
    for depth in range(len(folders) + 1):
        below = "/".join(folders[:depth])
        applying = [
            (len(entities), name)
            for name, entities in _sidecars_in(mapfile.root, below, mapfile.suffix)
            if says_no_more(entities, mapfile)
        ]
        found += [mapfile.root / below / name for _, name in sorted(applying)]
    return found


def find_dof(mapfile: MapFile, content: Mapping[str, Any] | None = None, *, pair: bool = False) -> DegreesOfFreedom:
    """The degrees of freedom that the sidecars of a map tell, else the `stat-dof` map beside it.

    Parameters
    ----------
    mapfile
        The map.
    content
        Its sidecar, where it is read already; else as far as it can be read.
    pair
        Two are sought, as F has them; no map beside it tells both.
    """
    metadata = _plain_keys(read_sidecars(mapfile)[0] if content is None else content)
    inner = [_plain_keys(metadata[name]) for name in NESTED if isinstance(metadata.get(name), dict)]
    for told in (metadata, *inner):
        for key in DOF_KEYS:
            value = _positive_pair(told.get(key)) if pair else _positive_number(told.get(key))
            if value is not None:
                return DegreesOfFreedom(value=value, map_path=None, source="the sidecar of the map")
    path = None if pair else find_sibling(mapfile, {"stat": "dof"})
    source = f"the map {path.name}" if path else "nothing in the dataset"
    return DegreesOfFreedom(value=None, map_path=path, source=source)


def _sidecars_in(root: Path, below: str, suffix: str) -> tuple[tuple[str, Entities], ...]:
    try:
        changed = os.stat(root / below).st_mtime_ns  # noqa: PTH116  # once per map and folder
    except FileNotFoundError:
        return ()
    return _list_sidecars(root, below, suffix, changed)


@lru_cache(maxsize=256)
def _list_sidecars(root: Path, below: str, suffix: str, changed: int) -> tuple[tuple[str, Entities], ...]:
    """The JSON files of a folder with this suffix; remembered until the folder changes, for roots are long lists."""
    del changed
    ending = f"{suffix}.json"
    names = [name for name in list_names(root / below) if name.endswith(ending) and split_name(name)[1] == suffix]
    return tuple((name, read_entities(below, name)) for name in names if name[0] != ".")


def _plain_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "").replace(" ", "").lower(): value for key, value in content.items()}


def tell_p_scale(content: Mapping[str, Any]) -> PScale | None:
    """The scale of p that a sidecar tells as `PScale`: p, 1-p, log10 or ln.

    Raises
    ------
    BadMap
        It tells another one.

    Examples
    --------
    >>> tell_p_scale({"PScale": "1-P"}), tell_p_scale({})
    ('1-p', None)
    """
    told = _plain_keys(content).get("pscale")
    if told is None:
        return None
    for scale in P_SCALES:
        if str(told).strip().lower().removeprefix("-") == scale:
            return scale
    raise BadMap(f"the sidecar's PScale is {told!r}", hint=f"Write one of {', '.join(P_SCALES)}")


def _positive_pair(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = map(_positive_number, value)
    return None if first is None or second is None else (first, second)


def _positive_number(value: object) -> float | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
