"""A whole run: the plan, the participants, the group, the log. Only this room knows all the others."""

from bids_regions.workflow.levels import run_levels

__all__ = ["run_levels"]
