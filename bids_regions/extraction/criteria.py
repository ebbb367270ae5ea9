"""Which voxels make a region: what a user asked for, and the criteria that come of it.

`Asked` holds the choices somebody made, `Criteria` every choice there is: what was not asked for is taken from the
convention, or else from the built-in defaults. This room knows no array: it is plain data, importable without numpy.
"""

import math
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cached_property
from numbers import Real
from typing import Any, Literal, TypedDict, Unpack, get_args

from bids_regions.errors import Contradiction, WrongCall
from bids_regions.extraction.conventions import BUILT_IN, CONVENTIONS, convention_knobs
from bids_regions.extraction.grammar import ThresholdSpec, parse_threshold
from bids_regions.extraction.tails import TAILS, Tail, TailRule
from bids_regions.frozen import dataclass

__all__ = [
    "AREA_RULES",
    "BUILT_IN",
    "CONVENTIONS",
    "HOLDS_FOR",
    "SIZE_RULES",
    "VOXELS_ONLY",
    "Asked",
    "Criteria",
    "ThresholdSpec",
    "is_number",
    "parse_threshold",
    "tell_idle",
]

PercentileOver = Literal["image", "mask", "nonzero"]
ExtractType = Literal["connected_components", "local_regions"]
SIZE_RULES = ("min_region_size", "min_region_voxels")  # giving one replaces the other's default
WHOLE = ("min_region_voxels", "min_region_vertices", "max_peaks")  # counts
AREA_RULES = ("min_region_area", "min_region_vertices")  # the same on surfaces
VOXELS_ONLY = (
    "connectivity",
    "extract_type",
    "smoothing_fwhm",
    "grf",
    "rft",
    "cluster_alpha",
)  # not for maps on surfaces
SURFACES = ("gifti", "cifti")
HOLDS_FOR: Mapping[str, tuple[tuple[str, ...], str]] = {  # forms of maps, in words; without such a map nothing asks it
    **dict.fromkeys(("surfaces", "vertex_areas", *AREA_RULES), (SURFACES, "a map on surfaces")),
    **dict.fromkeys(SIZE_RULES, (("volume", "cifti"), "a map with voxels")),
    "also_write": (("volume",), "a volume"),
}


class Asked(TypedDict, total=False):
    """The choices that were made; None and a missing key mean the same."""

    threshold: str | float | None  # the grammar's text
    percentile_over: PercentileOver | None
    tail: Tail | None
    connectivity: int | None  # 6, 18 or 26
    extract_type: ExtractType | None
    smoothing_fwhm: float | None  # mm; of the seeds of local_regions; 0 for none
    min_region_size: float | None  # mm3
    min_region_voxels: int | None  # voxels
    min_region_area: float | None  # mm2
    min_region_vertices: int | None  # vertices
    max_peaks: int | None  # the main peak counted
    min_peak_distance: float | None  # mm
    convention: str | None  # a name in CONVENTIONS
    grf: bool  # cluster p by Gaussian random field theory, FSL's formulas
    rft: bool  # p and q of clusters and peaks by random field theory, SPM's columns
    cluster_alpha: float | None  # keep regions whose cluster p lies below
    tdp: bool  # true-discovery proportion by all-resolutions inference
    on_surfaces: bool  # the criteria are for a map on surfaces: what holds for voxels alone is left out


@dataclass(frozen=True, kw_only=True, init=False)
class Criteria:
    """Every choice that decides which voxels make a region.

    Made of what was asked for: a choice that was not made is taken from the convention, or else from the built-in
    defaults. Of the two size rules, giving one replaces the other's default; giving both applies both.

    Raises
    ------
    Contradiction
        Choices that cannot be or cannot hold together, all of them at once in `problems`.

    Examples
    --------
    >>> Criteria().connectivity, Criteria(convention="fsl").connectivity
    (6, 26)
    >>> Criteria(convention="fsl", connectivity=6).min_region_voxels
    1
    """

    threshold: str  # the grammar's text
    percentile_over: PercentileOver
    tail: Tail
    connectivity: int  # 6, 18 or 26
    extract_type: ExtractType
    smoothing_fwhm: float  # mm; of the seeds of local_regions; 0 for none
    min_region_size: float | None  # mm3
    min_region_voxels: int | None  # voxels
    min_region_area: float | None = None  # mm2; as asked, see smallest_area
    min_region_vertices: int | None = None  # vertices; as asked
    max_peaks: int  # the main peak counted
    min_peak_distance: float  # mm
    convention: str | None = None  # a name in CONVENTIONS
    grf: bool = False  # cluster p by Gaussian random field theory, FSL's formulas
    rft: bool = False  # p and q of clusters and peaks by random field theory, SPM's columns
    cluster_alpha: float | None = None  # keep regions whose cluster p lies below
    tdp: bool = False  # true-discovery proportion by all-resolutions inference

    # What holds where there are vertices, or voxels of structures (which are few): as asked, or the default.
    smallest_area: float | None = field(init=False)  # mm2
    smallest_in_structure: float | None = field(init=False)  # mm3
    on_surfaces: bool = field(init=False)  # whether these are for a map on surfaces

    # What a convention alone decides; no option asks for it.
    strict: bool = field(init=False)  # a voxel equal to the cutoff is left out
    percentile_offset: float = field(init=False)  # added to a percentile (nilearn adds 1e-5)
    size_strict: bool = field(init=False)  # a region of exactly the minimum size is left out
    peak_neighbourhood: int = field(init=False)  # neighbours a maximum must not lie below: 6, 18 or 26
    peak_distance_inclusive: bool = field(init=False)  # two peaks at exactly the minimum distance are both kept
    infinite_is_zero: bool = field(init=False)  # infinities are no data (nilearn)
    order: Literal["size", "scan"] = field(init=False)  # by size, or by the first voxel in the file's scan (nilearn)
    walker: Literal["exact", "nilearn"] = field(init=False)  # whose rule splits a component into local regions

    def __init__(self, **asked: Unpack[Asked]) -> None:
        convention = asked.get("convention")
        if convention is not None and convention not in CONVENTIONS:
            raise Contradiction(f"convention {convention!r} is unknown", hint=f"Use {', '.join(CONVENTIONS)}")
        for name, value in _resolve(asked).items():
            object.__setattr__(self, name, value)
        problems = tuple(_problems(self))
        if problems:
            raise Contradiction(problems=problems)

    def __repr__(self) -> str:
        """What differs from the convention or the defaults; evaluated, it makes the same criteria.

        >>> Criteria(threshold="97%", min_region_voxels=20)
        Criteria(threshold='97%', min_region_voxels=20)
        """
        usual = Criteria(convention=self.convention).as_options()
        own = {n: value for n, value in self.as_options().items() if n == "convention" or value != usual.get(n)}
        return f"Criteria({', '.join(f'{name}={value!r}' for name, value in own.items())})"

    @cached_property
    def spec(self) -> ThresholdSpec:
        """What the threshold's text asks for."""
        return parse_threshold(self.threshold)

    @property
    def searches(self) -> bool:
        """Whether inference over a search volume is asked for, which needs the mask."""
        return self.tdp or self.takes_smoothness

    @property
    def takes_smoothness(self) -> bool:
        """Whether random field theory is asked for, by threshold or inference: it needs the noise's smoothness."""
        return self.grf or self.rft or self.spec.kind == "fwe"

    @property
    def needs_p(self) -> bool:
        """Whether the p of the map's values are needed, by threshold or inference."""
        return self.spec.rule.population == "tested" or self.searches

    @property
    def counts_tests(self) -> bool:
        """Whether the number of voxels tested decides anything."""
        return self.spec.rule.corrects or self.searches

    @property
    def asks(self) -> str:
        """What needs the number of tests, in words."""
        if self.spec.rule.corrects:
            return f"threshold {self.threshold}"
        if self.grf or self.rft:
            return "cluster p"
        return "a true-discovery proportion"

    @property
    def without_effect(self) -> Mapping[str, str]:
        """The choices that decide nothing beside the others, by their options' names, each with what it needs."""
        needs = {
            "smoothing_fwhm": (self.extract_type == "local_regions", "extract_type local_regions"),
            "percentile_over": (self.spec.rule.population == "ranked", "a percentile or a ratio as threshold"),
            "min_peak_distance": (self.max_peaks > 1, "max_peaks above 1"),
            "smoothness": (self.takes_smoothness, "grf, rft or an fwe= threshold"),
        }
        return {name: what for name, (met, what) in needs.items() if not met}

    @property
    def knobs(self) -> Mapping[str, Any]:
        """Every knob of the convention."""
        return convention_knobs(self.convention, on_surfaces=self.on_surfaces)

    @property
    def tail_rule(self) -> TailRule:
        """What the tail means."""
        return TAILS[self.tail]

    def as_options(self) -> dict[str, Any]:
        """The resolved choices by their options' names: the canonical settings, in the order of the fields."""
        chosen = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        if self.on_surfaces:
            chosen = {name: value for name, value in chosen.items() if name not in VOXELS_ONLY}
            chosen |= {"min_region_size": self.smallest_in_structure, "min_region_area": self.smallest_area}
        return {name: value for name, value in chosen.items() if value is not None}


def tell_idle(name: str, needs: str) -> str:
    """The sentence on a choice that decides nothing, by its option's name, for what it needs is not there."""
    return f"{name} was given and changes nothing: it needs {needs}. Add that, or leave it out"


def _resolve(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every field: as asked for, else of the convention, else built in."""
    unknown = asked.keys() - Asked.__annotations__.keys()
    if unknown:
        hint = f"It has {', '.join(Asked.__annotations__)}"
        raise WrongCall(f"Criteria has no choice named {', '.join(sorted(unknown))}", hint=hint)
    given = {"on_surfaces": False} | {name: value for name, value in asked.items() if value is not None}
    if given["on_surfaces"]:
        given = {name: value for name, value in given.items() if name not in VOXELS_ONLY}
    knobs = convention_knobs(given.get("convention"), on_surfaces=given["on_surfaces"])
    names = {each.name for each in fields(Criteria)}
    chosen = {name: value for name, value in knobs.items() if name in names}
    if "cluster_alpha" in given and not given.get("rft"):
        given["grf"] = True
    if "convention" not in given and (given.get("grf") or given.get("rft")):
        chosen["connectivity"] = 26 if given.get("grf") else 18  # the clusters that the formulas are about
    if given.keys() & set(SIZE_RULES):
        chosen |= dict.fromkeys(SIZE_RULES)
        chosen["smallest_in_structure"] = given.get("min_region_size")
    if given.keys() & set(AREA_RULES):
        chosen["smallest_area"] = given.get("min_region_area")
    chosen |= given
    if chosen["connectivity"] == 6 and knobs["peak_neighbourhood_by_faces"]:
        chosen["peak_neighbourhood"] = knobs["peak_neighbourhood_by_faces"]
    counts = {name: int(chosen[name]) for name in WHOLE if _is_at_least(chosen.get(name), 0) and not chosen[name] % 1}
    return chosen | counts | {"threshold": parse_threshold(chosen["threshold"]).text}


def _problems(c: Criteria) -> list[str]:
    problems = [
        f"{name} = {getattr(c, name)!r} is none of {', '.join(map(str, allowed))}"
        for name, allowed in (
            ("tail", get_args(Tail)),
            ("percentile_over", get_args(PercentileOver)),
            ("extract_type", get_args(ExtractType)),
            ("connectivity", (6, 18, 26)),
        )
        if getattr(c, name) not in allowed
    ]
    problems += [
        f"{name} = {getattr(c, name)!r} must be a finite number of at least {least}"
        for name, least in (("smoothing_fwhm", 0), ("min_region_size", 0), ("min_region_voxels", 0),
                            ("min_region_area", 0), ("min_region_vertices", 0),
                            ("max_peaks", 1), ("min_peak_distance", 0))
        if getattr(c, name) is not None and not _is_at_least(getattr(c, name), least)
    ]  # fmt: skip
    problems += [
        f"{name} = {getattr(c, name)!r} must be a whole number"
        for name in WHOLE
        if _is_at_least(getattr(c, name), 0) and getattr(c, name) % 1
    ]
    problems += [
        f"{name} = {getattr(c, name)!r} must be True or False"
        for name in ("grf", "rft", "tdp")
        if getattr(c, name) not in (True, False) or is_number(getattr(c, name))
    ]
    if c.cluster_alpha is not None and not (is_number(c.cluster_alpha) and 0 < c.cluster_alpha <= 1):
        problems.append(f"cluster_alpha = {c.cluster_alpha!r} is no probability; give a number above 0, at most 1")
    if c.grf and c.rft:
        return [*problems, "grf with rft: cluster p by FSL's formulas, or the columns of SPM; leave one out"]
    return problems + (_grf_problems(c) if c.grf else _rft_problems(c) if c.rft else [])


def is_number(value: object) -> bool:
    """Whether a value is a real number; True and False, which Python counts among them, are none.

    >>> [is_number(value) for value in (2, 0.5, True, "2", None)]
    [True, True, False, False, False]
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_at_least(value: Any, least: float) -> bool:
    return is_number(value) and math.isfinite(value) and bool(value >= least)


def _grf_problems(c: Criteria) -> list[str]:
    problems = []
    if not c.spec.rule.fixed:
        problems.append(
            f"grf with threshold {c.spec.text}: cluster p needs a height fixed beforehand; "
            "give a value such as 3.1, p=0.001 or bonferroni=0.05"
        )
    if c.extract_type == "local_regions":
        problems.append("grf with local_regions: cluster p holds for whole connected components only; leave one out")
    if c.connectivity != 26:
        problems.append(f"grf with connectivity {c.connectivity}: the formulas hold for 26; give connectivity 26")
    return problems


def _rft_problems(c: Criteria) -> list[str]:
    problems = []
    if c.spec.rule.population == "ranked":
        problems.append(
            f"rft with threshold {c.spec.text}: a height is needed; "
            "give a value such as 3.1, p=0.001, fwe=0.05, bonferroni=0.05 or fdr=0.05"
        )
    if c.extract_type == "local_regions":
        problems.append("rft with local_regions: the theory holds for whole connected components only; leave one out")
    return problems
