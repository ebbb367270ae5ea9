"""What the numbers of a map are: one table of kinds, told by words and NIfTI intents.

A *kind* says which tails a map has, on which scale its numbers lie, and what a p is made of. A *word* is the label of
`stat-`, a suffix or the label of `desc-`; letter case does not count. Whoever needs to know what a map is (selection,
thresholds, inference, figures, reports) reads KINDS. Plain data, no numpy.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from bids_regions.errors import Contradiction
from bids_regions.frozen import dataclass

__all__ = [
    "KINDS",
    "P_LOGARITHMS",
    "P_SCALES",
    "SIGNED",
    "Freedom",
    "Kind",
    "PScale",
    "Statistic",
    "intent_of",
    "kind_of_intent",
    "kind_of_word",
    "on_scale",
    "told_kind",
]

PScale = Literal["p", "1-p", "log10", "ln"]
P_LOGARITHMS = (23, 24)  # NIfTI intents of logarithms of p, whose sign means nothing
P_SCALES: tuple[PScale, ...] = ("p", "1-p", "log10", "ln")
Freedom = float | tuple[float, float]  # degrees of freedom; of F the effect's and the error's
Distribution = Literal["normal", "t", "F", "chi2"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A sort of numbers, and what follows from it."""

    name: str  # as records and reports write it; "" where the map's own word is written
    title: str  # for the table of the documentation
    words: tuple[str, ...] = ()  # in lower case
    intents: tuple[int, ...] = ()  # NIfTI codes
    both: bool = False  # large magnitudes of either sign count; else those of the positive sign alone
    distribution: Distribution | None = None  # that a p is made of
    scale: PScale | None = None  # of maps whose numbers are p
    is_p: bool = False  # the numbers are p, perhaps on a scale that nobody told
    uncorrected: tuple[str, ...] = ()  # words of a p kind whose p is not yet corrected for multiple tests
    selected: bool = False  # taken where --stat asks for nothing
    asked_only: bool = False  # taken only where --stat asks for it

    @property
    def n_dof(self) -> int:
        """How many degrees of freedom its distribution takes."""
        return {"t": 1, "chi2": 1, "F": 2}.get(self.distribution or "", 0)

    @property
    def sequential(self) -> bool:
        """Whether its numbers have one sign by their nature, so that one range of colours shows them."""
        return not self.both


KINDS: tuple[Kind, ...] = (
    Kind(name="z", title="z", words=("z", "zstat"), intents=(5,), both=True, distribution="normal", selected=True),
    Kind(name="t", title="t", words=("t", "tstat", "spmt"), intents=(3,), both=True, distribution="t", selected=True),
    Kind(name="z", title="z of an F (zfstat)", words=("zfstat",), distribution="normal", selected=True),
    Kind(name="F", title="F", words=("f", "fstat", "spmf"), intents=(4,), distribution="F"),
    Kind(name="chi2", title="chi-squared", words=("chi2", "chisq"), intents=(6,), distribution="chi2"),
    Kind(name="", title="signed effects, and any word that is not known", both=True,
         words=("effect", "beta", "cope", "con", "psc", "d", "g", "r"), intents=(2,)),
    Kind(name="", title="one-sided measures", asked_only=True,
         words=("variance", "var", "varcope", "sd", "std", "se", "stderr", "r2", "rsquare", "rsquared", "mse", "rmse",
                "resms", "tsnr", "snr", "dof")),
    Kind(name="", title="p", words=("p", "pval", "pvalue"), intents=(22,), scale="p", is_p=True,
         uncorrected=("p", "pval", "pvalue")),
    Kind(name="", title="1 - p", words=("1mp", "oneminusp"), scale="1-p", is_p=True),
    Kind(name="", title="-log10 p, also signed", words=("logp", "neglogp", "log10p", "sig"), intents=(24,), both=True,
         scale="log10", is_p=True, uncorrected=("sig",)),
    Kind(name="", title="ln p", intents=(23,), both=True, scale="ln", is_p=True),
    Kind(name="", title="p of an inference, its scale not told", is_p=True, uncorrected=("uncp",),
         words=("uncp", "fwep", "fdrp", "tfcep", "pfwe", "corrp")),
)  # fmt: skip
BY_WORD: Mapping[str, Kind] = MappingProxyType({word: kind for kind in KINDS for word in kind.words})
SIGNED = BY_WORD["effect"]
LOGARITHM = re.compile(r"(?:neg|minus)?log(?:10)?p.*", re.DOTALL)  # words that begin so tell their scale
PART = r"(?:unc|uncorr|uncorrected|corr|corrected|adj|adjusted|m?c?fwer?|m?c?fdr|perm|tfce|vox|voxel|clus|cluster[em]?|max|size|mass)"  # noqa: E501
INFERENCE = re.compile(rf"(?:1m|oneminus|n|m|ln)?{PART}*(?:log(?:10)?)?[pq](?:val|vals|value|values|map)?{PART}*")
INTENT_NAMES = MappingProxyType({2: "r", 22: "p", 23: "lnp", 24: "log10p"})


@lru_cache(maxsize=256)  # the maps of a study share a few words
def kind_of_word(word: str) -> Kind | None:
    """The kind that a word tells; None for a word that is not known.

    >>> kind_of_word("spmT").name, kind_of_word("logp_max_t").scale, kind_of_word("tfce_corrp").scale
    ('t', 'log10', None)
    >>> kind_of_word("statmap") is None
    True
    """
    plain = _plain(word)
    if plain in BY_WORD:
        return BY_WORD[plain]
    if LOGARITHM.fullmatch(plain):
        return BY_WORD["logp"]
    return BY_WORD["corrp"] if INFERENCE.fullmatch(plain) else None


def _plain(word: str) -> str:
    return re.sub(r"[^0-9a-z]", "", word.lower())


def kind_of_intent(code: int) -> tuple[str, Kind] | None:
    """The word and the kind of a NIfTI intent; None for an intent that tells none."""
    for kind in KINDS:
        if code in kind.intents:
            return INTENT_NAMES.get(code, kind.name), kind
    return None


def intent_of(statistic: "Statistic") -> int:
    """The NIfTI code that says what the numbers are; 0 where there is none.

    >>> intent_of(Statistic("t")), intent_of(Statistic("effect")), intent_of(Statistic("corrp", scale="1-p"))
    (3, 0, 0)
    """
    rule = statistic.rule
    if rule.is_p:
        return {"p": 22, "ln": 23, "log10": 24}.get(statistic.scale or "", 0)
    return rule.intents[0] if rule.distribution and rule.intents else 0


def told_kind(stat: str, others: Iterable[str] = (), intent: int = 0) -> tuple[str, Kind]:
    """What a map is: the word that tells it, as records write it, and its kind.

    Parameters
    ----------
    stat
        The label of `stat-`; it decides, known or not; "" without one.
    others
        Suffix and label of `desc-`: the first that is known decides where there is no `stat-`.
    intent
        The NIfTI code, which decides after them.

    Examples
    --------
    >>> told_kind("Zstat")[0], told_kind("foo")[1].both, told_kind("", ["statmap", "varcope"])[0]
    ('z', True, 'varcope')
    >>> told_kind("", ["statmap"], 4)[0], told_kind("")[0]
    ('F', 'unknown')
    """
    words = [stat] if stat else [word for word in others if word and kind_of_word(word)]
    if words:
        kind = kind_of_word(words[0]) or SIGNED
        return kind.name or words[0], kind
    return kind_of_intent(intent) or ("unknown", SIGNED)


def on_scale(word: str, kind: Kind, scale: PScale | None) -> Kind:
    """The kind of a p map whose scale is told apart from its word; others stay what they are.

    >>> on_scale("corrp", BY_WORD["corrp"], "1-p").scale, on_scale("z", BY_WORD["z"], "1-p").scale
    ('1-p', None)
    """
    if scale in (None, kind.scale) or not (kind.is_p or kind_of_word(word) is None):
        return kind
    return replace(kind if kind.is_p else BY_WORD["corrp"], scale=scale, both=scale in ("log10", "ln"))


@dataclass(frozen=True)
class Statistic:
    """What the numbers of a map are.

    Examples
    --------
    >>> Statistic("t", dof=12).kind, Statistic("F", dof=(2, 98)).rule.distribution
    ('t', 'F')
    >>> Statistic("zstat").kind, Statistic("corrp", scale="1-p").rule.scale
    ('z', '1-p')
    """

    kind: str = "z"  # z, t, F, chi2, or any other word: effect, variance, logp, ...
    dof: Freedom | None = None
    rule: Kind = None  # type: ignore[assignment] # of the table; told by `kind` where it is not given
    scale: PScale | None = None  # of a p map; the rule's where it is not given
    dof_map: Any = None  # (shape of the map) degrees of freedom of each voxel, 0 for none
    one_sign: bool = False  # a map of one sign has no sign, as the NIfTI intents of logarithms of p mean it

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise Contradiction(f"statistic is a {type(self.kind).__name__}", hint='Give a word, such as "z" or "t"')
        if self.scale not in (None, *get_args(PScale)):
            raise Contradiction(f"scale = {self.scale!r} is none of p, 1-p, log10", hint="Give one of them as scale")
        word, told = told_kind(self.kind) if self.kind != "unknown" else ("unknown", SIGNED)
        rule = on_scale(word, self.rule or told, self.scale)
        given = {"kind": word if self.rule is None else self.kind, "rule": rule, "scale": rule.scale}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Statistic):
            return NotImplemented
        one, two = self.dof_map, other.dof_map
        same = one is two or (one is not None and two is not None and one.shape == two.shape and (one == two).all())
        return self._told == other._told and bool(same)

    def __hash__(self) -> int:
        return hash(self._told)

    @property
    def _told(self) -> tuple[object, ...]:
        """All but the map of degrees of freedom."""
        return self.kind, self.dof, self.rule, self.scale, self.one_sign

    @property
    def uncorrected(self) -> bool:
        """Whether its p, where it is a map of p, is not yet corrected for multiple tests."""
        return _plain(self.kind) in self.rule.uncorrected
