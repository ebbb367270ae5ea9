"""Where on disk the results of a set are, for its page."""

from collections.abc import Sequence
from pathlib import Path

from bids_regions.report import model
from bids_regions.results.placement import GroupPaths

__all__ = ["links_of"]

SIDES = {"L": "left ", "R": "right "}


def links_of(paths: GroupPaths, signs: Sequence[int], output_dir: Path) -> tuple[model.Link, ...]:
    """Links to the images and tables of a set; of two hemispheres to the files of both."""
    place, coverage = paths.consensus, paths.coverage
    sides = [SIDES.get(side, "") for side in place.sides] if place.form == "gifti" else [""]
    shown = [(f"{side}label image", path) for side, path in zip(sides, place.label_files, strict=True)]
    shown += [("table", place.table), ("sidecar", place.sidecar)]
    images = [("coverage", coverage)]
    images += [("positive prevalence", paths.positive)] if 1 in signs else []
    images += [("negative prevalence", paths.negative)] if -1 in signs else []
    for text, image in images:
        shown += [(f"{side}{text}", path) for side, path in zip(sides, image.share_files, strict=True)]
    return tuple(model.Link(text=text, href=path.relative_to(output_dir).as_posix()) for text, path in shown)
