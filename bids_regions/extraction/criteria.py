"""Which voxels make a region: the criteria, and the peers' conventions as data.

A *knob* is one choice (the threshold, the connectivity, ...). A *convention* is one peer's setting of every knob. This
room knows no array: it is plain data, importable without numpy.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from bids_regions.errors import Contradiction

__all__ = ["BUILT_IN", "CONVENTIONS", "Criteria", "ThresholdSpec", "parse_threshold"]

Tail = Literal["bi", "two", "positive", "negative"]
PercentileOver = Literal["image", "mask", "nonzero"]
ExtractType = Literal["connected_components", "local_regions"]
Kind = Literal["value", "percentile", "p", "fdr", "bonferroni", "ratio"]

PROBABILITIES = ("p", "fdr", "bonferroni")
TWO_TAILS = ("bi", "two")
NUMBER = r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
GRAMMAR = re.compile(rf"(?:(?P<kind>p|fdr|bonferroni|ratio)=)?{NUMBER}(?P<percent>%)?", re.ASCII)
GRAMMAR_HINT = "Write 3.0, 97%, p=0.001, fdr=0.05, bonferroni=0.05 or ratio=0.05"

BUILT_IN: Mapping[str, Any] = MappingProxyType(
    {
        "threshold": "3.0",
        "percentile_over": "image",
        "tail": "bi",
        "connectivity": 6,
        "extract_type": "connected_components",
        "smoothing_fwhm": 6.0,
        "min_region_size": 1500.0,
        "min_region_voxels": None,
        "max_peaks": 3,
        "min_peak_distance": 8.0,
        "mask": "auto",
        "strict": False,
        "percentile_offset": 0.0,
        "size_strict": False,
        "peak_neighbourhood": 26,
        "peak_distance_inclusive": False,
        "order": "size",
        "walker": "exact",
    }
)

PEERS: dict[str, dict[str, Any]] = {
    "nilearn": {
        "tail": "two",
        "extract_type": "local_regions",
        "min_region_size": 1350.0,
        "max_peaks": 4,
        "mask": "none",
        "percentile_offset": 1e-5,
        "size_strict": True,
        "order": "scan",
        "walker": "nilearn",
    },
    "fsl": {
        "tail": "positive",
        "connectivity": 26,
        "min_region_size": None,
        "min_region_voxels": 1,
        "max_peaks": 6,
        "min_peak_distance": 0.0,
        "peak_distance_inclusive": True,
        "mask": "none",
    },
    "spm": {
        "tail": "positive",
        "connectivity": 18,
        "min_region_size": None,
        "min_region_voxels": 1,
        "mask": "none",
        "strict": True,
        "peak_neighbourhood": 18,
    },
    "afni": {"min_region_size": None, "min_region_voxels": 1, "max_peaks": 1, "mask": "none"},
}
CONVENTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {name: MappingProxyType({**BUILT_IN, **knobs}) for name, knobs in PEERS.items()}
)


@dataclass(frozen=True, kw_only=True)
class ThresholdSpec:
    """What a threshold's text asks for."""

    kind: Kind
    number: float  # a value, a percentage, a probability or a fraction, by kind
    text: str  # as typed


def parse_threshold(text: str | float) -> ThresholdSpec:
    """The meaning of a threshold's text.

    Raises
    ------
    Contradiction
        The text is not of the grammar, or its number is out of range.

    Examples
    --------
    >>> parse_threshold("97%").kind, parse_threshold("97%").number
    ('percentile', 97.0)
    >>> parse_threshold("p=0.001").kind
    'p'
    >>> parse_threshold(3).text
    '3'
    """
    typed = str(text).strip()
    found = GRAMMAR.fullmatch(typed)
    if not found or (found["kind"] and found["percent"]):
        raise Contradiction(f"threshold {typed!r} is not understood", hint=GRAMMAR_HINT)
    kind = cast(Kind, found["kind"] or ("percentile" if found["percent"] else "value"))
    number = float(found["number"])
    problem = _range_problem(kind, number)
    if problem:
        raise Contradiction(f"threshold {typed!r}: {problem}", hint=GRAMMAR_HINT)
    return ThresholdSpec(kind=kind, number=number, text=typed)


def _range_problem(kind: Kind, number: float) -> str:
    if not math.isfinite(number):
        return "the number is not finite"
    if kind == "percentile" and not 0 <= number <= 100:
        return "a percentile lies between 0% and 100%"
    if kind == "ratio" and not 0 <= number <= 1:
        return "a ratio lies between 0 and 1"
    if kind in PROBABILITIES and not 0 < number < 1:
        return "a probability lies between 0 and 1, both excluded"
    return ""


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Every choice that decides which voxels make a region.

    A knob that is not given (None) is taken from the convention, or else from the built-in defaults. Of the two size
    rules, giving one replaces the other's default; giving both applies both.

    Raises
    ------
    Contradiction
        Knobs that cannot be or cannot hold together, all of them at once in `problems`.

    Examples
    --------
    >>> Criteria().connectivity, Criteria(convention="fsl").connectivity
    (6, 26)
    >>> Criteria(convention="fsl", connectivity=6).min_region_voxels
    1
    """

    threshold: str | float = None  # type: ignore[assignment] # the grammar's text
    percentile_over: PercentileOver = None  # type: ignore[assignment]
    tail: Tail = None  # type: ignore[assignment]
    connectivity: int = None  # type: ignore[assignment] # 6, 18 or 26
    extract_type: ExtractType = None  # type: ignore[assignment]
    smoothing_fwhm: float = None  # type: ignore[assignment] # mm; of the seeds of local_regions; 0 for none
    min_region_size: float | None = None  # mm3
    min_region_voxels: int | None = None  # voxels
    max_peaks: int = None  # type: ignore[assignment] # the main peak counted
    min_peak_distance: float = None  # type: ignore[assignment] # mm
    convention: str | None = None  # nilearn, fsl, spm, afni
    grf: bool = False  # cluster p by Gaussian random field theory
    cluster_alpha: float | None = None  # keep regions whose cluster p lies below
    tdp: bool = False  # true-discovery proportion by all-resolutions inference

    def __post_init__(self) -> None:
        if self.convention is not None and self.convention not in CONVENTIONS:
            raise Contradiction(f"convention {self.convention!r} is unknown", hint=f"Use {', '.join(CONVENTIONS)}")
        self._resolve()
        problems = tuple(_problems(self))
        if problems:
            raise Contradiction(problems=problems)

    def _resolve(self) -> None:
        sized = self.min_region_size is not None or self.min_region_voxels is not None
        if self.cluster_alpha is not None:
            object.__setattr__(self, "grf", True)
        for field in fields(self):
            name = field.name
            if name not in BUILT_IN or getattr(self, name) is not None or (sized and name in SIZE_RULES):
                continue
            value = self._knobs[name]
            if name == "connectivity" and self.grf and self.convention is None:
                value = 26  # the formulas of random field theory hold for clusters that touch by corners
            object.__setattr__(self, name, value)
        object.__setattr__(self, "threshold", parse_threshold(self.threshold).text)

    @property
    def _knobs(self) -> Mapping[str, Any]:
        return BUILT_IN if self.convention is None else CONVENTIONS[self.convention]

    @cached_property
    def spec(self) -> ThresholdSpec:
        """What the threshold's text asks for."""
        return parse_threshold(self.threshold)

    @property
    def strict(self) -> bool:
        """Whether a voxel equal to the cutoff is left out."""
        return bool(self._knobs["strict"])

    @property
    def percentile_offset(self) -> float:
        """What is added to a percentile (nilearn adds 1e-5)."""
        return float(self._knobs["percentile_offset"])

    @property
    def size_strict(self) -> bool:
        """Whether a region of exactly the minimum size is left out."""
        return bool(self._knobs["size_strict"])

    @property
    def peak_neighbourhood(self) -> int:
        """Which neighbours a local maximum must not lie below: 6, 18 or 26 (FSL searches 6 with connectivity 6)."""
        if self.convention == "fsl" and self.connectivity == 6:
            return 6
        return int(self._knobs["peak_neighbourhood"])

    @property
    def peak_distance_inclusive(self) -> bool:
        """Whether two peaks at exactly the minimum distance are both kept."""
        return bool(self._knobs["peak_distance_inclusive"])

    @property
    def order(self) -> Literal["size", "scan"]:
        """By size, or by the first voxel in the scan of the file's axes (nilearn)."""
        order: Literal["size", "scan"] = self._knobs["order"]
        return order

    @property
    def walker(self) -> Literal["exact", "nilearn"]:
        """Whose rule splits a component into local regions."""
        walker: Literal["exact", "nilearn"] = self._knobs["walker"]
        return walker

    def as_options(self) -> dict[str, Any]:
        """The resolved knobs by their options' names: the canonical settings, in the order of the fields."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in chosen.items() if value is not None}


SIZE_RULES = ("min_region_size", "min_region_voxels")


def _problems(c: Criteria) -> list[str]:
    spec = c.spec
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
                            ("max_peaks", 1), ("min_peak_distance", 0))
        if getattr(c, name) is not None and not (math.isfinite(getattr(c, name)) and getattr(c, name) >= least)
    ]  # fmt: skip
    if spec.kind == "value" and spec.number < 0:
        problems.append(
            f"threshold {spec.text} is negative; give the magnitude, and --tail negative for the negative tail"
        )
    if c.cluster_alpha is not None and not 0 < c.cluster_alpha <= 1:
        problems.append(f"cluster_alpha = {c.cluster_alpha!r} is no probability; give a number above 0, at most 1")
    return problems + (_field_theory_problems(c) if c.grf else [])


def _field_theory_problems(c: Criteria) -> list[str]:
    problems = []
    if c.spec.kind in ("percentile", "ratio", "fdr"):
        problems.append(
            f"grf with threshold {c.spec.text}: cluster p needs a height fixed beforehand; "
            "give a value, p=... or bonferroni=..."
        )
    if c.extract_type == "local_regions":
        problems.append("grf with local_regions: cluster p holds for whole connected components only; leave one out")
    if c.connectivity != 26:
        problems.append(f"grf with connectivity {c.connectivity}: the formulas hold for 26; give connectivity 26")
    return problems
