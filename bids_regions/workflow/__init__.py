"""The steps in their order: one map, one participant, the group. Only this room knows all the others."""

from bids_regions.workflow.levels import run_levels

__all__ = ["run_levels"]
