"""The entity vocabulary: pybids' own patterns, and beside them those that statistical maps are named with.

pybids' default configuration drops every statistical map and knows neither `contrast-` nor `stat-`; the configuration
here is explicit. This is the one home of pybids. What it knows lies in files of its package, and is read there: to
import it loads the database below its layouts, which costs more than a participant's map, and names ask none of it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from typing import Any

from bids_regions.frozen import dataclass
from bids_regions.libraries import find_package

__all__ = [
    "INDEX_ENTITIES",
    "Entity",
    "describe_name",
    "entities",
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
    schema = (
        find_package("bidsschematools").joinpath("data", "schema.json").read_text(encoding="utf-8")
    )  # pybids brings it
    start = schema.index("{", schema.index('"_StandardTemplateCoordSys":'))  # the rest of it is not looked at
    return frozenset(map(str, json.JSONDecoder().raw_decode(schema, start)[0]["enum"]))


@dataclass(frozen=True)
class Entity:
    """One entity of pybids: what it is called, and what a path looks like that has it."""

    name: str
    pattern: str  # its first group is the label

    @cached_property
    def key(self) -> str:
        """The short key before the label; empty where the label has none, as suffix and extension."""
        match = SHORT_KEY.search(self.pattern)
        return match[1] if match else ""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled when the first path comes that may have the entity."""
        return re.compile(self.pattern)

    def label(self, path: str) -> str | None:
        """The label in a path, None where the path does not have the entity."""
        match = self.regex.search(path) if f"{self.key}-" in path or not self.key else None
        return match[1] if match else None


@cache
def entities() -> tuple[Entity, ...]:
    """Those of every configuration; of two with one name the last, as in pybids."""
    folder = find_package("bids") / "layout" / "config"
    known: dict[str, str] = {}
    for config in pybids_configuration():
        told = config if isinstance(config, dict) else json.loads((folder / f"{config}.json").read_bytes())
        known.update((entity["name"], entity["pattern"]) for entity in told["entities"])
    return tuple(Entity(name, pattern) for name, pattern in known.items())


@cache
def long_names() -> Mapping[str, str]:
    """The short key of each entity -> its long name in pybids: `sub` -> `subject`."""
    return {entity.key: entity.name for entity in entities() if entity.key}


@lru_cache(maxsize=4096)
def describe_name(relpath: str) -> tuple[tuple[str, str], ...]:
    """What pybids reads in a path relative to the dataset: long entity names, suffix, extension, datatype.

    >>> found = dict(describe_name("sub-01/func/sub-01_task-x_run-02_contrast-a_stat-z_statmap.nii.gz"))
    >>> found["subject"], found["run"], found["contrast"], found["suffix"], found["datatype"]
    ('01', '02', 'a', 'statmap', 'func')
    """
    path = "/" + relpath
    found = ((entity.name, entity.label(path)) for entity in entities())
    return tuple((name, label) for name, label in found if label is not None)
