"""What there is to do, settled before anything is written: maps, entries, output paths, and what is left out.

A *plan* is all of it. The files a user names are opened here, and every fault that would end the run is found here.
Knows names, headers and JSON; no voxel, and nothing of how the work is done.
"""

from bids_regions.planning.plan import Plan, check_plan, list_plan, make_plan

__all__ = ["Plan", "check_plan", "list_plan", "make_plan"]
