"""What sets are called on the page: the map and the rule in words, as their participants' pages say them.

A *title* tells a map and its rule; sets of one title are told apart by their *group*, the entities above it.
"""

from bids_regions.group.sets import MapSet
from bids_regions.pages.wording import title_of

__all__ = ["set_group", "set_title"]

HEADING = ("ses", "task", "acq", "dir", "run", "space")  # entities that stand above a title


def set_group(one: MapSet) -> str:
    """What tells a set from others of its title: "ses-1, task-x"."""
    entities = dict(one.entities)
    return ", ".join(f"{name}-{entities[name]}" for name in HEADING if name in entities)


def set_title(one: MapSet) -> str:
    """The map, the rule, and which participants a set is of."""
    rule = one.members[0].rule if one.members else one.entry
    split = ", ".join(f"{column} {value}" for column, value in one.split)
    return " · ".join(part for part in (title_of(dict(one.entities)), rule, split) if part)
