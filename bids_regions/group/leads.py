"""The lead of a set: what its participants share, how sure that is, and who differs, in a sentence or three.

It words what `measures` and `outputs` found; how the page shows it is not known here.
"""

from collections.abc import Sequence

from bids_regions.aggregate import least_participants, prevalence
from bids_regions.group.measures import SetResult
from bids_regions.group.outputs import Consensus
from bids_regions.group.tables import ParticipantRow
from bids_regions.pages.wording import spoken
from bids_regions.tables import is_named

__all__ = ["lead_of"]

ALONE = 0.05  # Dice with the others below which a participant agrees with nobody
NAMED = 3  # participants named


def lead_of(result: SetResult, min_prevalence: float) -> str:
    """What is to be said of a set first; empty where nothing was put together."""
    consensus = result.consensus
    if consensus is None:
        return ""
    told = _shared(consensus) if consensus.naming.regions else _nothing(consensus, min_prevalence)
    lacking = sum(row.status not in ("ok", "empty") for row in result.rows)
    told.append(_who_differs(result.rows))
    told.append(f"{spoken(lacking)} participant{'s are' if lacking > 1 else ' is'} not counted." if lacking else "")
    return " ".join(sentence for sentence in told if sentence)


def _shared(consensus: Consensus) -> list[str]:
    regions = consensus.naming.regions
    cells = {column.name: column.cells for column in consensus.naming.region_cells}
    at = max(range(len(regions)), key=lambda k: (regions[k].n_elements, -k))
    largest = regions[at]
    signs = [sum(region.sign == sign for region in regions) for sign in ("positive", "negative")]
    parts = [f"{spoken(n)} {sign}" for n, sign in zip(signs, ("positive", "negative"), strict=True) if n]
    found = f"{spoken(len(regions))} consensus region{'s' if len(regions) > 1 else ''} ({' and '.join(parts)})"
    sharing, having = (int(cells[name][at]) for name in ("n_sharing", "n_with_data"))
    name = largest.name if is_named(str(largest.index), largest.name) else f"region {largest.index}"
    share = "share" if sharing > 1 else "has"
    lead = f"{spoken(sharing)} of {spoken(having)} {share} the largest, {name} ({largest.sign}), at its peak; {found}."
    if consensus.tally.n == 1:
        which = "it is" if len(regions) == 1 else "the largest is"
        lead = f"One participant alone: {found.replace('consensus ', '')}; {which} {name}."
    sentences = [lead]
    if "prevalence_lower" in cells:
        bound = 100 * float(cells["prevalence_lower"][at])
        bound = min(bound, 99.0) if bound < 100 else bound  # a bound below all people is not rounded to all
        sentences.append(f"At least {bound:.0f} % of all people have a region there (95 % lower bound).")
    return sentences


def _nothing(consensus: Consensus, min_prevalence: float) -> list[str]:
    tally = consensus.tally
    most = max(int(tally.of(sign).max(initial=0)) for sign in consensus.signs)
    highest = max(float(prevalence(tally, sign).max(initial=0)) for sign in consensus.signs)
    if not most:
        return [
            f"None of {spoken(tally.n)} participants has a region." if tally.n > 1 else "The one participant has none."
        ]
    least = least_participants(tally.n, min_prevalence)
    wanted = f"a consensus needs {least} of {tally.n}" + (" and the minimum size" if highest >= min_prevalence else "")
    return [f"No consensus region: at most {most} of {spoken(tally.n)} share a {consensus.ground.unit}; {wanted}."]


def _who_differs(rows: Sequence[ParticipantRow]) -> str:
    flagged = [row for row in rows if row.outlier]
    if not flagged:
        return ""
    if len(flagged) == 1:
        return f"{_word(flagged[0])}."
    named = [row.participant for row in flagged[:NAMED]]
    named += [f"{spoken(len(flagged) - NAMED)} more"] if len(flagged) > NAMED else []
    return f"{', '.join(named[:-1])} and {named[-1]} stand out; how is told below."


def _word(row: ParticipantRow) -> str:
    if row.dice_loo is not None and row.dice_loo < ALONE and "low Dice" in row.outlier:
        return f"{row.participant} agrees with nobody (Dice {row.dice_loo:.2f})"
    return f"{row.participant} stands out: {row.outlier}"
