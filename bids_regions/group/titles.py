"""What sets are called on the page: the map and the rule in words, as their participants' pages say them."""

from pathlib import Path

from bids_regions.group.sets import MapSet
from bids_regions.pages.telling import rule_title
from bids_regions.pages.wording import title_of
from bids_regions.results.records import load_record

__all__ = ["set_title"]


def set_title(one: MapSet, output_dir: Path) -> str:
    """The map, the rule, and which participants a set is of."""
    rule = rule_title(load_record(output_dir / one.members[0].sidecar)) if one.members else one.entry
    split = ", ".join(f"{column} {value}" for column, value in one.split)
    return " · ".join(part for part in (title_of(dict(one.entities)), rule, split) if part)
