"""What a threshold's text may say: the table of its kinds, and the reading of a text by it.

A *kind* is one way to arrive at a cutoff: a value, a percentile, a probability. A row of THRESHOLDS is all that the
package knows of one: how it is written, what its number may be, how entries are named after it, what reports and the
methods text say, what to cite, and the function of `thresholds` that makes a height of it. Plain data: `--help` reads
it, so numpy stays outside.
"""

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from bids_regions.errors import Contradiction
from bids_regions.frozen import dataclass

__all__ = ["GRAMMAR_HINT", "THRESHOLDS", "Citation", "ThresholdKind", "ThresholdSpec", "grammar_examples",
           "parse_threshold"]  # fmt: skip

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
SIGNS_OF_COMPARISON = re.compile(r"\s*(?:<=|>=|==|<|>|:|≤|≥|=)\s*")


class Citation(NamedTuple):
    """What to cite."""

    text: str
    doi: str


@dataclass(frozen=True, kw_only=True)
class ThresholdKind:
    """One kind of threshold; {number} and the like in its texts are filled in where they are read."""

    example: str  # how it is written, for help and hints
    before: str = ""  # what stands before the number
    after: str = ""  # what stands behind it
    bounds: tuple[float, float] = (-math.inf, math.inf)  # of the number
    open: bool = False  # the bounds themselves are excluded
    range: str = ""  # the bounds in words
    prefix: str  # of the entry's name, desc-<prefix><number>
    sentence: str  # in a report: {asked} {place} {n} {population} {tested} {halved}
    methods: str  # in the methods text: {number} {place} {over} {halved}
    sentence_on_p: str = "{asked}"  # the same of a map whose numbers are p
    methods_on_p: str = ""  # in the methods text of such maps: {number}; "" where it is `methods` without the halving
    reference: Citation | None = None
    percent: Callable[[float], float] | None = None  # of its number, where it asks for a percentile
    population: Literal["applied", "ranked", "tested"]  # its voxels: those compared, those ranked, those tested
    corrects: bool = False  # its cutoff depends on the number of tests
    fixed: bool = True  # its height does not depend on the values of the map, as cluster p needs it
    height: str  # the function of `thresholds` that finds the height; named, for numpy must stay outside
    on_p: str = ""  # the same for a map whose numbers are p; "" where that makes no sense


FDR = Citation(
    "Benjamini & Hochberg (1995). Controlling the false discovery rate: a practical and powerful "
    "approach to multiple testing. Journal of the Royal Statistical Society B 57, 289-300.",
    "10.1111/j.2517-6161.1995.tb02031.x",
)
WORSLEY = Citation(
    "Worsley et al. (1996). A unified statistical approach for determining significant signals in images of cerebral "
    "activation. Human Brain Mapping 4, 58-73.",
    "10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO;2-O",
)
PROBABILITY = "a probability lies between 0 and 1, both excluded"

THRESHOLDS: Mapping[str, ThresholdKind] = MappingProxyType({
    "value": ThresholdKind(
        example="3.0", prefix="thr", bounds=(0, math.inf),
        range="a value is a magnitude; the negative tail is asked by --tail negative",
        population="applied", height="height_by_value", on_p="p_height_by_value",
        sentence="the value given",
        sentence_on_p="the value given",
        methods="at a magnitude of {number:g}",
    ),
    "percentile": ThresholdKind(
        example="97%", after="%", bounds=(0, 100), range="a percentile lies between 0% and 100%", prefix="pct",
        population="ranked", percent=float, fixed=False, height="height_by_rank",
        sentence="the {place} percentile of {n} voxels ({population})",
        methods="at the {place} percentile of the magnitudes over {over}",
    ),
    "p": ThresholdKind(
        example="p=0.001", before="p=", bounds=(0, 1), open=True, range=PROBABILITY, prefix="p",
        population="tested", height="height_by_p", on_p="p_height_by_p",
        sentence="uncorrected {asked}{halved}",
        sentence_on_p="{asked} as the map has it",
        methods="at an uncorrected p of {number:g}{halved}",
        methods_on_p="where their p is {number:g} or less, as it stands",
    ),
    "fdr": ThresholdKind(
        example="fdr=0.05", before="fdr=", bounds=(0, 1), open=True, range=PROBABILITY, prefix="fdr",
        population="tested", corrects=True, fixed=False, height="height_by_false_discovery",
        on_p="p_height_by_false_discovery", reference=FDR,
        sentence="{asked}, Benjamini-Hochberg over {tested} tests ({population})",
        sentence_on_p="{asked}, Benjamini-Hochberg over {tested} tests ({population})",
        methods="at a false discovery rate of {number:g} (Benjamini-Hochberg)",
    ),
    "bonferroni": ThresholdKind(
        example="bonferroni=0.05", before="bonferroni=", bounds=(0, 1), open=True, range=PROBABILITY, prefix="bonf",
        population="tested", corrects=True, height="height_by_bonferroni",
        on_p="p_height_by_bonferroni",
        sentence="{asked}, Bonferroni over {tested} tests ({population}){halved}",
        sentence_on_p="{asked}, Bonferroni over {tested} tests ({population})",
        methods="at p = {number:g}, Bonferroni corrected{halved}",
    ),
    "ratio": ThresholdKind(
        example="ratio=0.05", before="ratio=", bounds=(0, 1), range="a ratio lies between 0 and 1", prefix="ratio",
        population="ranked", percent=lambda ratio: round(100 - 100 * ratio, 10), fixed=False, height="height_by_rank",
        sentence="the fraction {asked} of {n} voxels ({population})",
        methods="so that a fraction of {number:g} of {over} passes",
    ),
    "fwe": ThresholdKind(
        example="fwe=0.05", before="fwe=", bounds=(0, 1), open=True, range=PROBABILITY, prefix="fwe",
        population="tested", corrects=True, height="height_by_family_wise_error", reference=WORSLEY,
        sentence="{asked}, family-wise by random field theory over {tested} voxels ({population}){halved}",
        methods="at a family-wise p of {number:g} by random field theory{halved}",
    ),
})  # fmt: skip


def grammar_examples() -> str:
    """Every kind as it is written, for help and hints."""
    *most, last = (kind.example for kind in THRESHOLDS.values())
    return f"{', '.join(most)} or {last}"


GRAMMAR_HINT = f"Write {grammar_examples()}"


@dataclass(frozen=True, kw_only=True)
class ThresholdSpec:
    """What a threshold's text asks for."""

    kind: str  # a name in THRESHOLDS
    number: float  # a value, a percentage, a probability or a fraction, by kind
    text: str  # as typed

    @property
    def rule(self) -> ThresholdKind:
        """The row of its kind."""
        return THRESHOLDS[self.kind]

    @property
    def digits(self) -> str:
        """The number as typed."""
        return self.text.removeprefix(self.rule.before).removesuffix(self.rule.after)


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
    name = _kind_of(typed)
    if not name:
        raise Contradiction(f"threshold {typed!r} is not understood", hint=_hint_for(typed))
    rule = THRESHOLDS[name]
    number = float(typed.removeprefix(rule.before).removesuffix(rule.after))
    problem = _range_problem(rule, number)
    if problem:
        raise Contradiction(f"threshold {typed!r}: {problem}", hint=GRAMMAR_HINT)
    return ThresholdSpec(kind=name, number=number, text=typed)


def _kind_of(typed: str) -> str:
    """The kind that a text is written as; "" for none."""
    for name, rule in THRESHOLDS.items():
        framed = typed.startswith(rule.before) and typed.endswith(rule.after)
        if framed and NUMBER.fullmatch(typed.removeprefix(rule.before).removesuffix(rule.after)):
            return name
    return ""


def _hint_for(typed: str) -> str:
    """The text that was meant, where the signs alone are others (`p<0.001`, `97 %`, `3,1`); else the whole grammar."""
    tight = typed.lower().replace(" ", "").replace(",", ".").replace("percent", "%")
    readings = (
        SIGNS_OF_COMPARISON.sub("=", tight, count=1),
        re.sub(r"^(?:pct|perc|percentile=?)([\d.]+)$", r"\1%", tight),
        re.sub(r"^[|ztf]*[<>]=?", "", tight),
    )
    meant = next((reading for reading in readings if _kind_of(reading)), "")
    return f"write {meant}" if meant else GRAMMAR_HINT


def _range_problem(rule: ThresholdKind, number: float) -> str:
    if not math.isfinite(number):
        return "the number is not finite"
    low, high = rule.bounds
    inside = low < number < high if rule.open else low <= number <= high
    return "" if inside else rule.range
