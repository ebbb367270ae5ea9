"""What matters most about a map, in a sentence or three: what was found by which rule, the largest, what was lost.

A *lead* is what stands above the viewer of a map. Words for single facts are `wording`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.extraction.conventions import convention_knobs
from bids_regions.extraction.tails import TAILS, Tail
from bids_regions.frozen import dataclass
from bids_regions.pages.wording import counted, elements_of, place_words, signed, spoken
from bids_regions.report.payload import find_extreme
from bids_regions.results.records import Record
from bids_regions.tables import NO_VALUE, is_named

__all__ = ["Told", "entry_title", "entry_titles", "lead_of", "opening", "region_words", "rule_title", "tell_entry"]

CORRECTED = {"fdr": "FDR", "bonferroni": "Bonferroni-corrected p", "fwe": "family-wise p", "p": "uncorrected p"}
# A map (i, j, k), its labels on the same grid, and the affine to mm, RAS+.
DrawnOn = tuple[NDArray[np.floating], NDArray[np.integer], NDArray[np.float64]]
RANKED = {"bi": "strongest", "two": "strongest", "positive": "highest", "negative": "lowest"}
OPENINGS = {words.partition(" ")[0] for words in (*RANKED.values(), *CORRECTED.values())}  # first words of titles


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one entry found and lost, as far as the lead tells it."""

    title: str
    n_regions: int
    largest: Mapping[str, str]  # row of the table; empty where there is none
    strongest: tuple[float, tuple[float, float, float]] | None  # value and x, y, z in mm; None where everything is zero
    lost: bool  # the strongest voxel passes the cutoff and lies in no region
    masked: bool  # a mask kept voxels out
    n_above: int  # voxels past the cutoff
    peak_statistic: str = ""  # what peak values are, where another map tells them


def entry_title(record: Record) -> str:
    """An entry's rule as people say it: `|z| ≥ 3.0`, `strongest 3 % of the voxels`, `FDR 0.05 (|z| ≥ 3.4)`."""
    threshold, tail = record.threshold, TAILS[record.threshold.tail]
    split = ", local regions" if record.criteria.get("extract_type") == "local_regions" else ""
    number = threshold.asked.removesuffix("%").rpartition("=")[2]
    if threshold.kind in ("percentile", "ratio"):
        share = 100 - float(number) if threshold.kind == "percentile" else 100 * float(number)
        unit = elements_of(record)
        whose = {"nonzero": f"non-zero {unit}", "mask": f"{unit} in the mask"}.get(threshold.population, unit)
        return f"{RANKED[threshold.tail]} {spoken(round(share, 6))} % of the {whose}{split}"
    if threshold.cutoff is None:
        return f"{threshold.asked}: no voxel can pass{split}"
    at = ">" if convention_knobs(record.criteria.get("convention"))["strict"] else "≥"
    if record.statistic.p_scale == "p":  # small is significant
        at = at.replace(">", "<").replace("≥", "≤")
    cutoff = threshold.asked if threshold.kind == "value" else spoken(threshold.cutoff)  # as it was typed: 3.0
    height = f"{tail.magnitude.format(s=record.statistic.kind)} {at} {cutoff}"
    if threshold.kind == "p" and record.statistic.p_scale:  # corrected or not is the map's own word's to say
        return (height if record.statistic.p_scale == "p" else f"p {number} ({height})") + split
    if threshold.kind in CORRECTED:
        height = f"{CORRECTED[threshold.kind]} {number} ({height})"
    return height + split


def rule_title(record: Record) -> str:
    """The rule of an entry as it holds for many maps: without the cutoff where each map has its own."""
    title = entry_title(record)
    return title.partition(" (")[0] if record.threshold.kind in CORRECTED else title


def entry_titles(records: Sequence[Record]) -> list[str]:
    """A title for each entry of a map; entries of one rule are told apart by their names."""
    titles = [entry_title(record) for record in records]
    return [
        title if titles.count(title) == 1 else f"{title} ({record.entry})"
        for title, record in zip(titles, records, strict=True)
    ]


def tell_entry(record: Record, title: str, rows: Sequence[Mapping[str, str]], drawn: DrawnOn) -> Told:
    """What there is to say of one entry: its table's `rows`, and its map with labels and affine."""
    data, labels, affine = drawn
    at, value = _strongest(data, record.threshold.tail)
    lost = False
    if at is not None and rows:
        order: Literal["C", "F"] = "F" if data.flags.f_contiguous else "C"  # as it lies in memory: it is quicker
        inside = data.ravel(order=order)[labels.ravel(order=order) > 0]
        lost = abs(_strongest(inside, record.threshold.tail)[1]) < abs(value)  # equal ones are a plateau that was kept
    return Told(
        title=title,
        n_regions=len(rows),
        largest=max(rows, key=lambda row: float(row["n_voxels"])) if rows else {},
        strongest=None if at is None else (value, _to_mm(at, affine)),
        lost=lost and not record.threshold.nothing_passes,
        masked=record.mask.source != "none",
        n_above=record.counts.above,
        peak_statistic="value" if record.peaks_from else "",
    )


def _strongest(data: NDArray[np.floating], tail: Tail) -> tuple[tuple[int, ...] | None, float]:
    """The voxel that stands out most on a tail, and its value; none where there is nothing but zeros."""
    voxels = [find_extreme(data, sign) for sign in (1, -1) if sign in TAILS[tail].signs]
    found = [(ijk, float(data[ijk])) for ijk in voxels if ijk is not None]
    return max(found, key=lambda pair: abs(pair[1]), default=(None, 0.0))


def _to_mm(ijk: tuple[int, ...], affine: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (affine @ np.array([*ijk, 1.0]))[:3].tolist()
    return x, y, z


def lead_of(entries: Sequence[Told], statistic: str, *, sided: bool) -> str:
    """The lead of a map, a line for each entry.

    `sided`: its mm have their zero between the hemispheres, so that a side can be named.
    """
    if all(one.strongest is None for one in entries) and not any(one.n_regions for one in entries):
        return "There is nothing to find: the map is zero wherever it was looked at."
    lost = [_lost(one, statistic) for one in entries]
    common = lost[0] if len(entries) > 1 and len(set(lost)) == 1 else ""
    lines = [
        " ".join(sentence for sentence in (_found(one, statistic, sided=sided), "" if common else own) if sentence)
        for one, own in zip(entries, lost, strict=True)
    ]
    return "\n".join([*lines, common] if common else lines)


def _found(one: Told, statistic: str, *, sided: bool) -> str:
    if not one.n_regions:
        return _nothing(one, statistic)
    which = "the largest " if one.n_regions > 1 else ""
    words = region_words(one.largest, one.peak_statistic or statistic, sided=sided)
    return f"{opening(one.title)}: {counted(one.n_regions, 'region')}, {which}{words}."


def _lost(one: Told, statistic: str) -> str:
    """That the strongest voxel is in no region, where there are regions; empty where it is in one."""
    if not (one.lost and one.strongest and one.n_regions):
        return ""
    value, xyz = one.strongest
    why = f"it lies {'outside the mask or ' if one.masked else ''}in a piece below the minimum size"
    return f"The strongest voxel, {statistic} = {signed(value)} at {place_words(xyz)}, is in no region: {why}."


def opening(title: str) -> str:
    """An entry's title at the beginning of a sentence; the letter of a statistic stays as it is.

    >>> opening("strongest 3 % of the voxels"), opening("z ≥ 3.0"), opening("pFWE ≤ 0.05")
    ('Strongest 3 % of the voxels', 'z ≥ 3.0', 'pFWE ≤ 0.05')
    """
    return title[0].upper() + title[1:] if title.partition(" ")[0] in OPENINGS else title


def _nothing(one: Told, statistic: str) -> str:
    if one.strongest is None:
        return f"{opening(one.title)}: no region; no value of that sign."
    value, xyz = one.strongest
    why = (
        f"{counted(one.n_above, 'voxel')} pass, in pieces below the minimum size"
        if one.n_above
        else f"the strongest voxel has {statistic} = {signed(value)} at {place_words(xyz)}"
    )
    return f"{opening(one.title)}: no region survived; {why}."


def region_words(row: Mapping[str, str], statistic: str, *, sided: bool) -> str:
    """A region as a reader would speak of it: its name and side, its size, its peak."""
    name = f"in {row['name']}, " if is_named(row["index"], row["name"]) else ""
    x, y, z = (float(row[f"peak_{axis}"]) for axis in "xyz")
    side = ("on the right, " if x > 0 else "on the left, " if x < 0 else "") if sided else ""
    n_voxels, volume = int(row["n_voxels"]), float(row["volume_mm3"])
    size = f"{counted(n_voxels, 'voxel')}, {spoken(volume / 1000, 3)} cm³"
    peak = (
        "without a finite value"
        if row["peak_value"] == NO_VALUE
        else f"{statistic} = {signed(float(row['peak_value']))}"
    )
    return f"{name}{side}{size}, peak {peak} at {place_words((x, y, z))}"
