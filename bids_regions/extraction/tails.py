"""Which signs of a map are looked at: the tails, each with its signs, its words and whether signs are merged.

Whoever needs to know what a tail is reads TAILS: thresholds, components, reports, the group level. No numpy here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from bids_regions.frozen import dataclass

__all__ = ["SIGN_WORDS", "TAILS", "Tail", "TailRule"]

Tail = Literal["bi", "two", "positive", "negative"]

SIGN_WORDS = MappingProxyType({1: "positive", -1: "negative"})


@dataclass(frozen=True, kw_only=True)
class TailRule:
    """What one tail means."""

    signs: tuple[int, ...]  # of the values that may pass, 1 and -1
    merged: bool = False  # voxels of opposite signs may form one region
    magnitude: str  # how a report writes the magnitude of the statistic {s}
    sentence: str  # for the report
    methods: str  # for the methods text

    @property
    def both(self) -> bool:
        """Whether two tails are tested, so that alpha is halved."""
        return len(self.signs) > 1


TAILS: Mapping[str, TailRule] = MappingProxyType({
    "bi": TailRule(signs=(1, -1), magnitude="|{s}|", sentence="both signs, each region of one sign",
                   methods="for both signs, each region holding voxels of one sign"),
    "two": TailRule(signs=(1, -1), merged=True, magnitude="|{s}|", sentence="both signs merged",
                    methods="for both signs, merged"),
    "positive": TailRule(signs=(1,), magnitude="{s}", sentence="positive values only",
                         methods="for positive values"),
    "negative": TailRule(signs=(-1,), magnitude="−{s}", sentence="negative values only",
                         methods="for negative values"),
})  # fmt: skip
