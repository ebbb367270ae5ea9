"""Strip plots of a set: a point per participant for each measure, and for the values in the largest regions.

A *metric* is one strip: a title, and a value for each participant. How it is drawn is the report's.
"""

from collections.abc import Sequence

import numpy as np

from bids_regions.group.measures import SetResult
from bids_regions.group.page_links import Pages
from bids_regions.group.tables import SIGNS
from bids_regions.report import model
from bids_regions.tables import is_named

__all__ = ["LEAST", "finite", "strips_of"]

LEAST = 2  # participants that can be compared
STRIP_REGIONS = 4  # regions with strip plots of their mean values

COUNT, SHARE = (0.0, None), (0.0, 1.0)  # what a quantity can be: no axis goes beyond
MEASURES: tuple[tuple[str, str, str, str, tuple[float, float | None]], ...] = (
    ("regions", "number of regions", "", "n_regions", COUNT),
    ("volume", "volume of regions", "mm³", "volume_mm3", COUNT),
    ("area", "area of regions", "mm²", "area_mm2", COUNT),
    ("vertices", "vertices in regions", "", "n_vertices", COUNT),
    ("largest", "largest magnitude", "", "max_abs", COUNT),
    ("coverage", "coverage", "share of the common area", "coverage", SHARE),
    ("dice_loo", "Dice with what the others share", "", "dice_loo", SHARE),
    ("dice", "Dice with the consensus, oneself included", "", "dice", SHARE),
    ("agreement", "mean Dice with the others", "", "mean_dice", SHARE),
)


FLAGS = {
    "regions": "number of regions", "volume": "volume", "area": "area", "vertices": "of vertices", "largest": "largest",
    "coverage": "coverage", "dice_loo": "Dice",
}  # measure: the word that its flag has # fmt: skip


def strips_of(result: SetResult, pages: Pages) -> tuple[model.Metric, ...]:
    """A strip plot for each measure, and for the mean in each of the first regions; none of one participant alone,
    whose numbers the tables hold.
    """
    counted = [row for row in result.rows if row.status in ("ok", "empty")]
    if result.consensus is None or len(counted) < LEAST:
        return ()
    metrics: list[model.Metric] = []
    for key, name, unit, field, bounds in MEASURES:
        words = FLAGS.get(key)
        points = tuple(
            model.Point(
                participant=row.participant,
                value=finite(getattr(row, field)),
                href=pages.get(row.participant, ""),
                flag="; ".join(flag for flag in row.outlier.split("; ") if words and words in flag),
            )
            for row in counted
        )
        told = key == "vertices" and any(metric.key == "area" for metric in metrics)
        if not told and any(point.value is not None for point in points):
            metrics.append(model.Metric(key=key, name=name, unit=unit, points=points, bounds=bounds))
    return (*metrics, *_region_metrics(result, pages))


def _region_metrics(result: SetResult, pages: Pages) -> list[model.Metric]:
    """Strips of the largest regions, both signs among them: their means, and those that the others alone choose."""
    metrics = []
    for at in _largest(result.region_signs, result.region_sizes):
        number, sign = result.region_numbers[at], SIGNS[result.region_signs[at]]
        named = is_named(str(number), own := result.region_names[at])
        name = f"mean in {own} (region {number}, {sign})" if named else f"mean in region {number} ({sign})"
        for key, words, means in (
            (f"region{number}", name, result.region_means),
            (
                f"region{number}loo",
                f"{name}, where the others alone choose",
                result.region_means_loo,
            ),
        ):
            points = tuple(
                model.Point(
                    participant=member.participant, value=finite(own[at]), href=pages.get(member.participant, "")
                )
                for member, own in zip(result.one.members, means, strict=True)
            )
            if any(point.value is not None for point in points):
                unit = result.one.members[0].kind
                metrics.append(model.Metric(key=key, name=words, unit=unit, points=points, beside=True))
    return metrics


def _largest(signs: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Which regions have strips: the largest of each sign in turn, then whatever is largest.

    >>> _largest([1, 1, 1, 1, -1], [9, 8, 7, 6, 2])
    [0, 4, 1, 2]
    """
    by_size = sorted(range(len(sizes)), key=lambda at: (-sizes[at], at))
    first = [next(at for at in by_size if signs[at] == sign) for sign in dict.fromkeys(signs[at] for at in by_size)]
    return list(dict.fromkeys([*first, *by_size]))[:STRIP_REGIONS]


def finite(value: float | None) -> float | None:
    """A number for the page; None where there is none."""
    return None if value is None or not np.isfinite(value) else float(value)
