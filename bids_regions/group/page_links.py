"""Where a page leads: to the files of a set, and to the pages of participants.

An *address* is relative to OUTPUT_DIR. What the files hold is not known here.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bids_regions.report import model
from bids_regions.results.placement import GroupPaths

__all__ = ["Pages", "find_participant_pages", "links_of", "pages_of"]

Pages = Mapping[str, str]  # participants who have a page -> its address

SIDES = {"L": "left ", "R": "right "}


def find_participant_pages(output_dir: Path) -> Pages:
    """Who has a page in the output folder."""
    with os.scandir(output_dir) as found:
        names = [each.name for each in found if each.name.endswith(".html") and each.is_file()]
    return {name.removesuffix(".html"): name for name in names}


def pages_of(participants: Sequence[str], pages: Pages) -> dict[str, str]:
    """The addresses of those who have a page, in their order."""
    return {one: pages[one] for one in participants if one in pages}


def links_of(paths: GroupPaths, signs: Sequence[int], output_dir: Path) -> tuple[model.Link, ...]:
    """Links to the images and tables of a set; of two hemispheres to the files of both."""
    consensus, coverage = paths.consensus, paths.coverage
    sides = [SIDES.get(side, "") for side in consensus.sides] if consensus.form == "gifti" else [""]
    shown = [(f"{side}label image", path) for side, path in zip(sides, consensus.label_files, strict=True)]
    shown += [("table", consensus.table), ("sidecar", consensus.sidecar)]
    images = [("coverage", coverage)]
    images += [("positive prevalence", paths.positive)] if 1 in signs else []
    images += [("negative prevalence", paths.negative)] if -1 in signs else []
    for text, image in images:
        shown += [(f"{side}{text}", path) for side, path in zip(sides, image.share_files, strict=True)]
    return tuple(model.Link(text=text, href=path.relative_to(output_dir).as_posix()) for text, path in shown)
