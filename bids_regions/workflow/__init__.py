"""A whole run: the plan, the participants, the group. Only this room knows all the others.

A *run* does the *levels* asked for, participant before group. `levels` reads like its docstring: plan, do, say how it
ended.
"""

from bids_regions.workflow.levels import run_levels

__all__ = ["run_levels"]
