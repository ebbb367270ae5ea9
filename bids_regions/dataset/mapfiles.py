"""A statistical map as its name describes it, and which maps a user asks for.

A `MapFile` is a path with its entities; entities end here, no room above takes a name apart again. A selection holds
what the command line and a filter file ask for. The contents of the maps are not known here.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from bids_regions.dataset.names import Entities, read_entities, split_name
from bids_regions.dataset.vocabulary import INDEX_ENTITIES, describe_name, long_names
from bids_regions.entity_names import short_key
from bids_regions.extraction.statistics import Kind, told_kind
from bids_regions.frozen import dataclass

__all__ = ["Discovery", "MapFile", "Selection", "Skipped", "matches", "read_map_name"]

PARTICIPANT = re.compile(r"(?<=[/_])sub-([a-zA-Z0-9+]+)(?=[/_])")

WHOLE = ("suffix", "extension", "datatype")  # what pybids reads in a name beside its key-label pairs

Form = Literal["volume", "gifti", "cifti"]
Wanted = object  # a label, a number, a list of them, "*" for any, None or False for absent, True for present


@dataclass(frozen=True, kw_only=True, slots=True)
class MapFile:
    """One statistical map of a dataset, as its path describes it."""

    root: Path  # of the dataset
    relpath: str  # relative to root, with forward slashes
    entities: Entities  # short key, label; verbatim; those only folders name first, then in the order of the name
    described: Entities = field(repr=False)  # long name, label, as pybids reads them; suffix, extension, datatype too
    suffix: str
    extension: str  # with its dot
    volume: int | None = None  # of a 4-D file, from 1: the map is this volume
    others: tuple[str, ...] = ()  # relative paths of the map's further files: the other hemisphere
    sides: tuple[str, ...] = ()  # of GIFTI files, those of the map in order: L, R, or "" where the name does not tell

    @property
    def form(self) -> Form:
        """What the file is by its ending: a volume, a surface in GIFTI, or CIFTI."""
        if self.extension.endswith((".gii", ".gii.gz")):
            return "gifti"
        return "cifti" if self.extension.count(".") > 1 and self.extension.endswith(".nii") else "volume"

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file of the map, the left hemisphere's first."""
        return tuple(self.root / relpath for relpath in (self.relpath, *self.others))

    @property
    def path(self) -> Path:
        """Where the map lies."""
        return self.root / self.relpath

    @property
    def title(self) -> str:
        """What tells this map from all others: its relative path, and the volume where it is one of several."""
        return self.relpath if self.volume is None else f"{self.relpath} (volume {self.volume})"

    def take_volume(self, number: int) -> "MapFile":
        """One volume of this 4-D file as a map of its own, with `volume` as its last entity."""
        pair = ("volume", str(number))
        return replace(self, entities=(*self.entities, pair), described=(*self.described, pair), volume=number)

    @property
    def participant(self) -> str | None:
        """The label of `sub-`; None for a group map."""
        return self.entity("sub")

    @property
    def stat(self) -> str:
        """The label of `stat-`, verbatim; empty without one."""
        return self.entity("stat") or ""

    @property
    def kind(self) -> Kind:
        """What sort of numbers the map holds, as far as its name tells."""
        return self.told()[1]

    def told(self, intent: int = 0) -> tuple[str, Kind]:
        """The word that tells what the map is, and its kind: `stat-`, else suffix, `desc-`, or the NIfTI intent."""
        stat = self.stat
        return told_kind(stat, () if stat else (self.suffix, self.entity("desc") or ""), intent)

    def entity(self, key: str) -> str | None:
        """The label of the entity with this short key or long name; None without it."""
        for sought in dict.fromkeys((key, short_key(key))):
            for pairs in (self.entities, self.described):
                for name, label in pairs:
                    if name == sought:
                        return label
        return None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which maps of a dataset are wanted; an empty field wants all."""

    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)  # labels by short key; stat: none for the default
    filters: Mapping[str, Wanted] = field(default_factory=dict)  # short or long entity name -> what is wanted
    assume_space: str | None = None  # the space of the maps that name none
    suffixes: tuple[str, ...] = ()  # what the maps are called at the end of their names; none: statmap
    volumes: tuple[str, ...] = ()  # of 4-D files, which are maps of their own then: "all", or numbers from 1

    @property
    def endings(self) -> tuple[str, ...]:
        """The suffixes of the maps that are sought."""
        return self.suffixes or ("statmap",)

    def takes_volume(self, number: int) -> bool:
        """Whether a volume of a 4-D file is wanted."""
        return not self.volumes or "all" in self.volumes or str(number) in self.volumes

    def labels(self) -> dict[str, frozenset[str]]:
        """The asked labels by short key, without the prefix that a user may have typed."""
        return {
            key: frozenset(v.removeprefix(f"{key}-") for v in values) for key, values in self.asked.items() if values
        }


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that is left out, and why, in words."""

    relpath: str
    reason: str
    participant: str | None = None  # label, where the name tells it


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What a search found; all tuples sorted by relative path."""

    maps: tuple[MapFile, ...]
    skipped: tuple[Skipped, ...]  # unfit for this app: no failure
    failed: tuple[Skipped, ...]  # broken: the run ends with exit code 1
    notices: tuple[str, ...]  # sentences for the log and the report
    n_found: int  # maps seen on the way, before the selection
    stats_left: tuple[str, ...] = ()  # `stat-` in lower case of maps that only the default choice of z and t leaves out


def read_map_name(root: Path, relpath: str) -> MapFile:
    """The `MapFile` of a path in a dataset."""
    labels = set(PARTICIPANT.findall("/" + relpath))
    if len(labels) != 1:
        entities, described, suffix, extension = _read_form(relpath)
    else:
        entities, described, suffix, extension = _read_form(PARTICIPANT.sub("sub-0", "/" + relpath)[1:])
        own = ("sub", labels.pop())
        entities = tuple(own if pair[0] == "sub" else pair for pair in entities)
    return MapFile(
        root=root, relpath=relpath, entities=entities, described=described, suffix=suffix, extension=extension
    )


@lru_cache(maxsize=65536)
def _read_form(relpath: str) -> tuple[Entities, Entities, str, str]:
    """One form of name; ten thousand participants of a study share a few dozen of them."""
    folders, _, name = relpath.rpartition("/")
    entities = read_entities(folders, name)
    _, suffix, extension = split_name(name)
    known = long_names()
    own = {known[key]: label for key, label in reversed(entities) if key in known}  # the first of a key counts
    read = dict(describe_name(relpath))
    described = {key: own.get(key, label) for key, label in read.items() if key in own or key in WHOLE} | own
    described.pop("subject", None)
    return entities, tuple(described.items()), suffix, extension


def matches(mapfile: MapFile, match: Mapping[str, Wanted]) -> bool:
    """Whether a map has all that `match` wants of it; filter files and `match` tables of the configuration read alike.

    A label or a list of labels is compared verbatim, numbers of runs and other indices as numbers too; `"*"` and True
    want any label, None and False want none. Entity names may be short or long.
    """
    return all(_is_wanted(key, mapfile.entity(key), wanted) for key, wanted in match.items())


def _is_wanted(key: str, label: str | None, wanted: Wanted) -> bool:
    if isinstance(wanted, list | tuple | set | frozenset):
        return any(_is_wanted(key, label, one) for one in wanted)
    if wanted is None or wanted is False:
        return label is None
    if label is None:
        return False
    if wanted is True or wanted == "*":
        return True
    return same_label(key, label, str(wanted))


def same_label(key: str, label: str, wanted: str) -> bool:
    """Whether two labels of one entity mean the same; numbers of an index entity may be padded."""
    if label == wanted:
        return True
    if key in INDEX_ENTITIES:
        return label.isdecimal() and wanted.isdecimal() and int(label) == int(wanted)
    if key == "stat":
        return label.lower() == wanted.lower()
    return key == "extension" and label.removeprefix(".") == wanted.removeprefix(".")


def is_among(key: str, label: str, wanted: Collection[str]) -> bool:
    """Whether a label means the same as one of `wanted`."""
    if label in wanted:
        return True
    return (key in INDEX_ENTITIES or key == "stat") and any(same_label(key, label, one) for one in wanted)


def is_selected(mapfile: MapFile, labels: Mapping[str, Collection[str]], assume_space: str | None) -> bool:
    """Whether a map has one of the asked labels for each entity asked for."""
    for key, wanted in labels.items():
        label = mapfile.entity(key)
        if label is None and key == "space":
            label = assume_space
        if label is None or not is_among(key, label, wanted):
            return False
    return True
