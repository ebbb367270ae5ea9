"""Reliability on the group page: a lead sentence, the coefficients of each region, each participant with itself.

Nothing is computed here (`reliability` does that), and how a table looks is the report's.
"""

from collections.abc import Sequence

import numpy as np

from bids_regions.group.page_links import Pages, pages_of
from bids_regions.group.page_strips import LEAST
from bids_regions.group.page_tables import shown_as
from bids_regions.group.reliability import FOUND_HERE, RELIABILITY_COLUMNS, RETEST_COLUMNS, FamilyResult, Retest
from bids_regions.group.titles import set_group, set_title
from bids_regions.pages.wording import slug
from bids_regions.report import model
from bids_regions.tables import table_text

__all__ = ["show_families"]

PAIRS = 3  # of occasions with a strip plot
SHOWN_ROWS = 2000  # of the table of participants; all of them are in the file


def show_families(families: Sequence[FamilyResult], pages: Pages) -> tuple[model.ReliabilityView, ...]:
    """What the page shows of each family."""
    return tuple(_show(found, pages) for found in families)


def _show(found: FamilyResult, pages: Pages) -> model.ReliabilityView:
    family = found.family
    key = f"reliability-{family.entity}-{slug(family.name)}"
    return model.ReliabilityView(
        key=key,
        title=f"Reliability over {family.words} · {set_title(family.pooled)}",
        lead=f"{found.sentence}.",
        group=set_group(family.pooled),
        notes=(*found.notes, *((FOUND_HERE,) if found.circular else ())),
        metrics=tuple(_strips(found, pages)),
        tables=(_regions_table(found, key), _people_table(found, key, pages)),
    )


def _strips(found: FamilyResult, pages: Pages) -> list[model.Metric]:
    pairs: dict[tuple[str, str], list[Retest]] = {}
    for retest in found.retests:
        pairs.setdefault((retest.first, retest.second), []).append(retest)
    return [
        model.Metric(
            key=f"{first}-{second}",
            name=f"Dice of a person's regions in {first} and {second}",
            points=tuple(
                model.Point(
                    participant=retest.participant,
                    value=retest.dice if np.isfinite(retest.dice) else None,
                    href=pages.get(retest.participant, ""),
                )
                for retest in retests
            ),
        )
        for (first, second), retests in list(pairs.items())[:PAIRS]
        if len(retests) >= LEAST
    ]


def _regions_table(found: FamilyResult, key: str) -> model.Table:
    return model.Table(
        key=f"{key}-regions",
        caption="Intraclass correlations of the mean values in each region, with 95 % limits",
        tsv=table_text(RELIABILITY_COLUMNS[1:], found.regions),
        file_name=f"{found.family.name}_reliability.tsv",
        descriptions={column.name: column.description for column in RELIABILITY_COLUMNS},
        href="group_reliability.tsv",
        **shown_as(RELIABILITY_COLUMNS),
    )


def _people_table(found: FamilyResult, key: str, pages: Pages) -> model.Table:
    shown = found.retests[:SHOWN_ROWS]
    cut = len(found.retests) > SHOWN_ROWS
    more = f": the first {SHOWN_ROWS:,} of {len(found.retests):,} rows; group_retest.tsv holds all" if cut else ""
    return model.Table(
        key=f"{key}-people",
        caption="Each participant with itself" + more,
        tsv=table_text(RETEST_COLUMNS[1:], shown),
        file_name=f"{found.family.name}_retest.tsv",
        descriptions={column.name: column.description for column in RETEST_COLUMNS},
        href="group_retest.tsv",
        **shown_as(RETEST_COLUMNS),
        links=pages_of([retest.participant for retest in shown], pages),
        link_column="participant_id",
    )
