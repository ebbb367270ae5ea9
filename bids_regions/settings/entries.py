"""One entry: a name, the maps it is for, and everything that is done to them.

An *entry* is a `[[regions]]` table of a configuration file, or one `--threshold` of the command line.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import field, replace
from pathlib import Path
from typing import Any, TypeVar

from bids_regions.errors import Contradiction
from bids_regions.extraction.conventions import BUILT_IN, convention_knobs
from bids_regions.extraction.criteria import AREA_RULES, HOLDS_FOR, SIZE_RULES, VOXELS_ONLY, Asked, Criteria, tell_idle
from bids_regions.extraction.grammar import parse_threshold
from bids_regions.frozen import dataclass

__all__ = [
    "Entry",
    "entries_of_command",
    "make_entry",
    "merge_layers",
    "name_of_threshold",
    "with_folders",
    "without_folders",
]

CRITERIA_KNOBS = frozenset(Asked.__annotations__)

T = TypeVar("T")
OWN_ATLAS = re.compile(r"[a-zA-Z]+=[0-9a-zA-Z+]+")  # each participant's own, by an entity of its name


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is done to the maps that match, under one name."""

    name: str  # becomes desc-<name>
    criteria: Criteria
    match: Mapping[str, Any] = field(
        default_factory=dict
    )  # entity: value(s), False for absent, "*" for any; empty: every map
    mask: str = "auto"  # auto, none or a path
    masks: tuple[str, ...] = ()  # every path that was given: on surfaces a file for each hemisphere
    surfaces: tuple[str, ...] = ("auto",)  # auto, none or a path for each hemisphere
    vertex_areas: tuple[str, ...] = ("auto",)  # the same
    on_surfaces: Criteria | None = None  # the criteria for maps on surfaces
    form: str = "volume"  # what the entry is for: volume, gifti, cifti
    voxels_only: tuple[str, ...] = ()  # what was asked and holds for voxels alone, by the options' names
    asked: frozenset[str] = frozenset()  # the options that were given, of which some may decide nothing
    dof: tuple[float, ...] = ()  # degrees of freedom: one for t maps, two for F maps
    p_scale: str = "auto"  # of p maps: auto, p, 1-p or log10
    peaks_from: tuple[str, str] | None = None  # entity, value
    smoothness: tuple[float, float, float] | None = None  # mm, FWHM of the residuals along the axes nearest x, y, z
    values_from: tuple[str, str] | None = None  # entity, value
    atlas: tuple[str, ...] = ()
    atlas_space_unchecked: bool = False
    background: str = "auto"  # auto, none or a path
    also_write: tuple[str, ...] = ()

    def for_surfaces(self, form: str) -> "Entry":
        """The same entry with the criteria that hold for maps on surfaces, GIFTI or CIFTI."""
        return replace(self, criteria=self.on_surfaces or self.criteria, form=form)

    def in_forms(self, forms: Iterable[str]) -> "list[Entry]":
        """The entry once for volumes and once for surfaces, where maps of these `forms` are; itself without any."""
        own = set(forms)
        sheets = [form for form in ("cifti", "gifti") if form in own][:1]  # what is said of CIFTI files holds for both
        return [*([self] if "volume" in own or not sheets else []), *(self.for_surfaces(form) for form in sheets)]

    def idle_among(self, forms: Set[str]) -> Mapping[str, str]:
        """A sentence for each option that was given and decides nothing on maps of these forms, by its name."""
        needs = {name: words for name, (held, words) in HOLDS_FOR.items() if forms and not forms & set(held)}
        needs |= self.criteria.without_effect
        return {name: tell_idle(name, words) for name, words in needs.items() if name in self.asked}

    def as_options(self) -> dict[str, Any]:
        """The canonical settings: every resolved choice by its option's name, the same on every machine.

        What only draws is not among them, nor where a mask or an atlas lies: its content's hash stands for that.
        """
        left_out = SIZE_RULES if self.form == "gifti" else ()  # no voxels
        criteria = {name: value for name, value in self.criteria.as_options().items() if name not in left_out}
        options: dict[str, Any] = {**criteria, **self._files()}
        if self.dof:
            options["dof"] = list(self.dof) if len(self.dof) > 1 else self.dof[0]
        if self.p_scale != "auto":
            options["p_scale"] = self.p_scale
        if self.peaks_from:
            options["peaks_from"] = "=".join(self.peaks_from)
        if self.smoothness:
            options["smoothness"] = list(self.smoothness)
        if self.values_from:
            options["values_from"] = "=".join(self.values_from)
        if self.atlas:
            options["atlas"] = [without_folders(spec) for spec in self.atlas]
            options["atlas_space_unchecked"] = self.atlas_space_unchecked
        if self.also_write:
            options["also_write"] = list(self.also_write)
        return options

    def _files(self) -> dict[str, Any]:
        """What stands for masks, meshes and areas: words, or the names of files."""
        given = {"mask": self.masks or (self.mask,), "surfaces": self.surfaces, "vertex_areas": self.vertex_areas}
        names = {name: [Path(word).name for word in words] for name, words in given.items()}
        return {
            name: words if len(words) > 1 else words[0]
            for name, words in names.items()
            if name == "mask" or words != ["auto"]
        }


def without_folders(spec: str) -> str:
    """A request for an atlas without the folders of its files.

    >>> without_folders("/data/atlas.nii.gz?labels=/data/names.tsv&space=MNI152Lin")
    'atlas.nii.gz?labels=names.tsv&space=MNI152Lin'
    """
    return re.sub(r"(^|[?&]labels=)[^?&]*/", r"\1", spec)


def with_folders(spec: str) -> str:
    """A request for an atlas that means the same from any working directory.

    >>> with_folders("/data/x/../atlas.nii.gz?labels=/data/names.tsv"), with_folders("templateflow:Schaefer2018")
    ('/data/atlas.nii.gz?labels=/data/names.tsv', 'templateflow:Schaefer2018')
    >>> with_folders("desc=aparcaseg?labels=/data/lut/names.txt")
    'desc=aparcaseg?labels=/data/lut/names.txt'
    """
    if spec.startswith("templateflow:"):
        return spec
    of_each_participant = OWN_ATLAS.match(spec) and not os.path.exists(spec.partition("?")[0])  # noqa: PTH110 # False, not an error, for odd names
    return re.sub(
        r"([?&]labels=)([^?&]+)" if of_each_participant else r"(^|[?&]labels=)([^?&]+)",
        lambda found: found[1] + os.path.abspath(os.path.expanduser(found[2])),  # noqa: PTH100, PTH111 # links stay
        spec,
    )


def name_of_threshold(text: str) -> str:
    """The name of a command line's entry, from its threshold as typed.

    >>> [name_of_threshold(t) for t in ("3.0", "97%", "p=1e-3", "bonferroni=0.05")]
    ['thr3p0', 'pct97', 'p1em3', 'bonf0p05']
    """
    spec = parse_threshold(text)
    return spec.rule.prefix + re.sub(r"[^0-9a-zA-Z]", "", spec.digits.replace(".", "p").replace("-", "m"))


def merge_layers(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Options of several layers in one, later layers first; a layer that gives one size rule replaces the other's."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for rules in (SIZE_RULES, AREA_RULES):
            if layer.keys() & set(rules):
                merged = {name: value for name, value in merged.items() if name not in rules}
        merged.update(layer)
    return merged


def make_entry(name: str, options: Mapping[str, Any], match: Mapping[str, Any] | None = None) -> Entry:
    """The entry of one name from its given options; what is not given comes from the convention or the defaults.

    Raises
    ------
    Contradiction
        Options that cannot hold together, all of them at once.
    """
    asked: Any = {key: value for key, value in options.items() if key in CRITERIA_KNOBS}
    problems: list[str] = []
    criteria = _read(problems, Criteria, **asked)
    masks, surfaces, areas = (
        _read(problems, _one_or_two, name, options.get(name)) for name in ("mask", "surfaces", "vertex_areas")
    )
    dof = _read(problems, _degrees_of_freedom, options.get("dof"))
    smoothness = _read(problems, _three, options.get("smoothness"))
    if problems or criteria is None:
        raise Contradiction(problems=problems)
    knobs = convention_knobs(criteria.convention)
    given = frozenset(name for name, value in options.items() if value not in (None, False))
    return Entry(
        name=name,
        criteria=criteria,
        match=dict(match or {}),
        mask=masks[0] if masks else str("auto" if criteria.searches else knobs["mask"]),
        masks=() if masks is None or masks in ((), ("auto",), ("none",)) else masks,
        surfaces=surfaces or ("auto",),
        vertex_areas=areas or ("auto",),
        on_surfaces=Criteria(**{**asked, "on_surfaces": True}),
        voxels_only=tuple(name for name in VOXELS_ONLY if name in given and options[name] != "connected_components"),
        asked=given,
        dof=dof or (),
        p_scale=str(options.get("p_scale", "auto")),
        peaks_from=_entity_and_value(options.get("peaks_from")),
        values_from=_entity_and_value(options.get("values_from")),
        smoothness=smoothness,
        atlas=_several(options.get("atlas")),
        atlas_space_unchecked=bool(options.get("atlas_space_unchecked")),
        background=str(options.get("background", "auto")),
        also_write=tuple(sorted(set(_several(options.get("also_write"))))),
    )


def _read(problems: list[str], reader: Callable[..., T], *given: object, **asked: Any) -> T | None:
    """What a reader makes of its part of the options; None where it refuses it, and `problems` say why."""
    try:
        return reader(*given, **asked)
    except Contradiction as error:
        problems += [str(error).rstrip(".")] if error.hint else error.problems
        return None


def _three(value: Sequence[float] | None) -> tuple[float, float, float] | None:
    """The smoothness along x, y, z."""
    if value is None:
        return None
    numbers = list(value) if isinstance(value, Sequence) else [value]
    if len(numbers) != 3:
        raise Contradiction(
            f"smoothness = {' '.join(f'{n:g}' for n in numbers)} is not three numbers",
            hint="Give the FWHM of the residuals in mm along x, y and z",
        )
    return numbers[0], numbers[1], numbers[2]


def _entity_and_value(text: object) -> tuple[str, str] | None:
    entity, _, value = str(text or "").partition("=")
    return (entity, value) if value else None


def _degrees_of_freedom(value: float | Sequence[float] | None) -> tuple[float, ...]:
    numbers = () if value is None else (value,) if isinstance(value, int | float) else tuple(value)
    if len(numbers) > 2:
        raise Contradiction(
            f"dof = {', '.join(f'{n:g}' for n in numbers)} are {len(numbers)} numbers",
            hint="Give one for t maps, two for F maps",
        )
    return numbers


def _one_or_two(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The paths of one option, one for each hemisphere, or one word."""
    values = _several(value)
    if len(values) > 2 or (len(values) > 1 and {"auto", "none"} & set(values)):
        sentence = f"{name} = {', '.join(values)}: that is neither one word nor a file for each hemisphere"
        raise Contradiction(sentence, hint="Give auto, none, or one path for each hemisphere")
    return values


def _several(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def entries_of_command(options: Mapping[str, Any]) -> tuple[Entry, ...]:
    """One entry per threshold of the command line.

    Raises
    ------
    Contradiction
        Options that cannot hold together, or two thresholds that would share one name.
    """
    thresholds = options.get("threshold") or [BUILT_IN["threshold"]]
    names = [name_of_threshold(text) for text in thresholds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Contradiction(f"two thresholds would both be written as desc-{twice[0]}", hint="Give each threshold once")
    return tuple(make_entry(name, {**options, "threshold": text}) for name, text in zip(names, thresholds, strict=True))
