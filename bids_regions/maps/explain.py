"""What each of the four conventions would keep of one map, and why: the table of --explain.

Every convention is run on the same map with the entry's own threshold; a voxel on which it and the entry disagree is
put down to the first rule that tells them apart: mask, tail, cutoff, a value equal to the cutoff, size, split. What a
convention says stands in `extraction.conventions`; where the table is shown is not known here.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_regions.errors import Fault
from bids_regions.extraction import CONVENTIONS, Criteria, Extraction, find_regions
from bids_regions.extraction.conventions import kept_words, minimum_words
from bids_regions.extraction.probabilities import as_shown
from bids_regions.frozen import dataclass
from bids_regions.images import StatMap
from bids_regions.maps.inputs import LoadedInputs
from bids_regions.settings import Entry
from bids_regions.tables import Column, table_text

__all__ = ["EXPLAIN_COLUMNS", "Explained", "align_table", "explain_map", "explain_table"]

MOST = 30_000  # voxels above the cutoff that nilearn's random walker is run on: seconds, not minutes
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One convention on one map, beside the entry's own settings."""

    entry: str
    convention: str  # "yours" for the entry itself
    rule: str  # kept voxels, tail, connectivity, minimum, in words
    n_regions: int
    n_voxels: int
    largest: int  # voxels
    n_more: int  # voxels that it keeps and the entry does not
    n_less: int  # voxels that the entry keeps and it does not
    why: str


EXPLAIN_COLUMNS: tuple[Column, ...] = (
    Column(name="entry", description="Entry of the settings", of=lambda r: r.entry),
    Column(name="convention", description="Whose rules; yours: the entry's own", of=lambda r: r.convention),
    Column(name="rule", description="What is kept", of=lambda r: r.rule),
    Column(name="regions", description="Regions kept", of=lambda r: r.n_regions),
    Column(name="voxels", description="Voxels in regions", of=lambda r: r.n_voxels),
    Column(name="largest", description="Voxels of the largest region", of=lambda r: r.largest),
    Column(name="more", description="Voxels that it keeps and yours does not", of=lambda r: r.n_more),
    Column(name="less", description="Voxels that yours keeps and it does not", of=lambda r: r.n_less),
    Column(name="why", description="The rule that tells them apart, by number of voxels", of=lambda r: r.why),
)


def align_table(text: str) -> str:
    r"""A tab-separated table for the terminal.

    >>> print(align_table("a\tlonger\n100\t2\n"))
    a    longer
    100  2
    """
    rows = [line.split("\t") for line in text.splitlines()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def explain_table(rows: Sequence[Explained]) -> str:
    """The text of the table, tab-separated."""
    return table_text(EXPLAIN_COLUMNS, rows)


def explain_map(statmap: StatMap, entry: Entry, loaded: LoadedInputs) -> Iterator[Explained]:
    """The entry's own result, then each convention's."""
    own = _Side.of(statmap, entry.criteria, loaded, loaded.mask)
    data, _ = as_shown(loaded.stored, math.inf, loaded.statistic)
    yield _row(entry.name, "yours", own, own, data)
    for name, knobs in CONVENTIONS.items():
        if knobs["surfaces_only"]:
            continue
        criteria = Criteria(convention=name, threshold=entry.criteria.threshold)
        if criteria.walker == "nilearn" and criteria.extract_type == "local_regions" and own.extraction.n_above > MOST:
            yield _untold(entry, name, criteria, f"{name}'s random walker would take minutes on so many voxels: run it")
            continue
        try:
            other = _Side.of(statmap, criteria, loaded, loaded.mask if criteria.searches else None)
        except Fault as fault:
            yield _untold(entry, name, criteria, f"cannot be applied: {fault.sentence}")
            continue
        yield _row(entry.name, name, other, own, data)


def _untold(entry: Entry, name: str, criteria: Criteria, why: str) -> Explained:
    return Explained(
        entry=entry.name, convention=name, rule=_rule(criteria), n_regions=0, n_voxels=0, largest=0, n_more=0,
        n_less=0, why=why,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """One set of criteria with what it made of the map."""

    criteria: Criteria
    extraction: Extraction
    mask: Mask | None
    cutoff: float  # as the data are shown

    @classmethod
    def of(cls, statmap: StatMap, criteria: Criteria, loaded: LoadedInputs, mask: Mask | None) -> "_Side":
        extraction = find_regions(
            loaded.stored,
            statmap.grid,
            criteria,
            mask=mask,
            peaks=loaded.peaks,
            statistic=loaded.statistic,
            smoothness=loaded.smoothness,
        )
        _, cutoff = as_shown(np.zeros(1), extraction.cutoff.value, loaded.statistic)
        return cls(criteria=criteria, extraction=extraction, mask=mask, cutoff=cutoff)

    @property
    def kept(self) -> Mask:
        inside: Mask = self.extraction.labels > 0
        return inside


def _row(entry: str, name: str, side: _Side, own: _Side, data: npt.NDArray[Any]) -> Explained:
    more, less = side.kept & ~own.kept, own.kept & ~side.kept
    causes = _causes(own, data, more) + _causes(side, data, less)
    sizes = [region.n_elements for region in side.extraction.regions]
    return Explained(
        entry=entry,
        convention=name,
        rule=_rule(side.criteria),
        n_regions=len(sizes),
        n_voxels=sum(sizes),
        largest=max(sizes, default=0),
        n_more=int(more.sum()),
        n_less=int(less.sum()),
        why=", ".join(f"{cause} {n}" for cause, n in causes.most_common()) or "the same voxels",
    )


def _causes(side: _Side, data: npt.NDArray[Any], lost: Mask) -> Counter[str]:
    """Why `side` does not keep the voxels of `lost`, by number of voxels."""
    values = data[lost]
    left = np.ones(values.size, dtype=bool)
    cutoff = side.cutoff
    signs = side.criteria.tail_rule.signs
    tests = (
        ("mask", np.zeros(values.size, bool) if side.mask is None else ~side.mask[lost]),
        ("tail", (values > 0) & (1 not in signs) | (values < 0) & (-1 not in signs)),
        ("cutoff", np.abs(values) < values.dtype.type(cutoff)),
        ("equal to the cutoff", (np.abs(values) == values.dtype.type(cutoff)) & side.criteria.strict),
    )
    causes: Counter[str] = Counter()
    for cause, found in tests:
        causes[cause] += int((found & left).sum())
        left &= ~found
    rest = "size or split" if side.criteria.extract_type == "local_regions" else "size"
    causes[rest] += int(left.sum())
    return +causes


def _rule(c: Criteria) -> str:
    sizes = [f"{c.min_region_size:g} mm3"] if c.min_region_size is not None else []
    sizes += [f"{c.min_region_voxels} voxels"] if c.min_region_voxels is not None else []
    (_, at), (_, more) = kept_words(c.knobs), minimum_words(c.knobs)
    kind = "local regions" if c.extract_type == "local_regions" else "components"
    rule = f"{c.threshold} ({at}), {c.tail}, {c.connectivity} neighbours, {kind} {more} {' and '.join(sizes) or '0'}"
    return rule if c.cluster_alpha is None else f"{rule}, cluster p < {c.cluster_alpha:g} ({'rft' if c.rft else 'grf'})"
