"""The entity vocabulary: pybids' own patterns, and beside them those that statistical maps are named with.

pybids' default configuration drops every statistical map and knows neither `contrast-` nor `stat-`; the configuration
here is explicit. This is the one home of pybids; it is imported when the first name is read, once in a run.
"""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from bids_regions.surroundings import ensure_home

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "INDEX_ENTITIES",
    "describe_name",
    "is_standard_space",
    "long_names",
    "pybids_configuration",
    "standard_spaces",
]

# long name: short key; what FitLins, nilearn, HALFpipe and tedana write and pybids' own configurations do not know
OURS = {
    "contrast": "contrast",
    "stat": "stat",
    "node": "node",
    "level": "level",
    "name": "name",
    "feature": "feature",
    "taskcontrast": "taskcontrast",
    "seed": "seed",
    "map": "map",
    "component": "component",
    "algorithm": "algorithm",
    "cohort": "cohort",
    "template": "tpl",
    "scale": "scale",
}

# Entities whose label is a number, so that `run-01` and `run-1` are the same run.
INDEX_ENTITIES = frozenset({"run", "echo", "flip", "inv", "chunk", "split", "inversion"})

SHORT_KEY = re.compile(r"([a-zA-Z]+)-\(")


def pybids_configuration() -> list[Any]:
    """The `config` that pybids needs to read these datasets: `BIDSLayout(..., config=pybids_configuration())`."""
    entities = [{"name": long, "pattern": rf"[_/\\]+{short}-([a-zA-Z0-9+]+)"} for long, short in OURS.items()]
    return ["bids", "derivatives", {"name": "bids_regions", "entities": entities}]


def is_standard_space(label: str | None) -> bool:
    """Whether BIDS defines the space with this label, so that no SpatialReference is needed."""
    return label in standard_spaces()


@cache
def standard_spaces() -> frozenset[str]:
    """The labels of the spaces that BIDS defines, those it has withdrawn left out: the schema's own list."""
    from bidsschematools.schema import load_schema  # noqa: PLC0415  # comes with pybids, as late as pybids

    return frozenset(map(str, load_schema()["objects"]["enums"]["_StandardTemplateCoordSys"]["enum"]))


@cache
def _patterns() -> tuple[Any, ...]:
    ensure_home()  # pybids asks for it while it loads
    from bids.layout.models import Config  # noqa: PLC0415  # costs 0.4 s: paid by a run, not by --help

    known: dict[str, Any] = {}
    for config in pybids_configuration():
        known.update(Config.load(config).entities)
    return tuple(known.values())


@cache
def long_names() -> "Mapping[str, str]":
    """The short key of each entity -> its long name in pybids: `sub` -> `subject`."""
    found = ((SHORT_KEY.search(pattern.pattern or ""), pattern.name) for pattern in _patterns())
    return {match[1]: name for match, name in found if match}


@lru_cache(maxsize=4096)
def describe_name(relpath: str) -> tuple[tuple[str, str], ...]:
    """What pybids reads in a path relative to the dataset: long entity names, suffix, extension, datatype.

    >>> found = dict(describe_name("sub-01/func/sub-01_task-x_run-02_contrast-a_stat-z_statmap.nii.gz"))
    >>> found["subject"], found["run"], found["contrast"], found["suffix"], found["datatype"]
    ('01', '02', 'a', 'statmap', 'func')
    """
    from bids.layout import parse_file_entities  # noqa: PLC0415  # as above

    found = parse_file_entities("/" + relpath, entities=_patterns())
    return tuple((name, str(value)) for name, value in found.items())
