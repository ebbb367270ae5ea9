"""What was asked and does nothing, by a slip of the pen mostly: entries that match no map, options without effect."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bids_regions.dataset import Discovery, matches
from bids_regions.settings import Entry

__all__ = ["tell_idle_entries", "tell_idle_options"]


def tell_idle_options(entries: Sequence[Entry], discovery: Discovery) -> Iterator[str]:
    """A sentence for each option that decides nothing in any of the entries it was given for, or on any of the maps."""
    forms = {mapfile.form for mapfile in discovery.maps}
    idle = [(entry.asked, entry.idle_among(forms)) for entry in entries]
    sentences = {name: sentence for _, one in idle for name, sentence in one.items()}
    yield from (s for name, s in sorted(sentences.items()) if all(name in one for asked, one in idle if name in asked))


def tell_idle_entries(entries: Sequence[Entry], discovery: Discovery) -> Iterator[str]:
    """A sentence for each entry that matches none of the maps."""
    for entry in entries:
        if not any(matches(mapfile, entry.match) for mapfile in discovery.maps):
            reasons = [reason for key in entry.match if (reason := _reason(key, entry.match, discovery))]
            why = "; ".join(reasons) or "no map has all of what it asks for"
            yield f"The entry {entry.name} matches no selected map: {why}"


def _reason(key: str, match: Mapping[str, Any], discovery: Discovery) -> str:
    """Why one entity of a match rules out every map; empty where it does not."""
    if not discovery.maps or any(matches(mapfile, {key: match[key]}) for mapfile in discovery.maps):
        return ""
    wanted = [str(each) for each in (match[key] if isinstance(match[key], list) else [match[key]])]
    there = sorted({label for mapfile in discovery.maps if (label := mapfile.entity(key)) is not None})
    if match[key] is False:
        return f"every map has {key}-"
    if not there:
        return f"no map has the entity {key}"
    hidden = [label for label in wanted if key == "stat" and label.lower() in discovery.stats_left]
    if hidden:
        ask = " ".join(sorted({*there, *hidden}))
        return f"maps with stat-{hidden[0]} are left out unless asked for: add --stat {ask}"
    near = difflib.get_close_matches(wanted[0], there, n=1, cutoff=0.0)
    return f"no map has {key}-{' or '.join(wanted)}; the nearest there is is {key}-{near[0] if near else there[0]}"
