"""A map with finished results, drawn again for its page.

A *drawing* is asked for one map: the results that stand, and the job whose images are read for it.
What stands on the page beside it, and when the page is written, is not known here.
"""

import traceback

from bids_regions.errors import Fault, tell_error
from bids_regions.frozen import dataclass
from bids_regions.images import load_statmap
from bids_regions.maps.maps import (
    MapJob,
    add_anatomy,
)
from bids_regions.maps.sheet_maps import load_sheet_map
from bids_regions.pages.sections import Drawn, draw_section
from bids_regions.pages.sheet_sections import draw_sheet_section
from bids_regions.report import model
from bids_regions.results.walk import Result

__all__ = ["DrawJob", "draw_map_section"]


@dataclass(frozen=True, kw_only=True)
class DrawJob:
    """One map with all its finished entries, to be drawn again."""

    job: MapJob
    done: tuple[Result, ...]


def draw_map_section(drawing: DrawJob) -> Drawn | model.Problem:
    """The map's part of the page; a problem where the map can no longer be read."""
    mapfile = drawing.job.mapfile
    backgrounds = {entry.name: entry for entry in drawing.job.entries}
    try:
        done = [
            add_anatomy(drawing.job, backgrounds.get(each.paths.entry), each.paths, each.record)
            for each in drawing.done
        ]
        if mapfile.form != "volume":
            return draw_sheet_section(mapfile, load_sheet_map(mapfile, mapfile.paths), done)
        return draw_section(mapfile, load_statmap(mapfile.path, mapfile.volume), done)
    except Fault as fault:
        return model.Problem(source=mapfile.title, reason=f"finished, but cannot be drawn: {fault}")
    except Exception as error:  # noqa: BLE001 # a picture's defect must not take the page along
        reason = f"finished, but cannot be drawn: {tell_error(error)}"
        return model.Problem(source=mapfile.title, reason=reason, details=traceback.format_exc())
