"""The tables of the group page: values, participants, all regions; what they hold stands in `tables` and `values`.

A *link* leads from a participant to the page of the same. How a table looks is the report's.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bids_regions.group.measures import SHOWN_ROWS, SetResult
from bids_regions.group.page_links import Pages, pages_of
from bids_regions.group.tables import participant_columns
from bids_regions.pages.wording import slug
from bids_regions.report import model
from bids_regions.results.placement import OutputPaths
from bids_regions.tables import Column, region_columns, table_text

__all__ = ["all_regions_table", "consensus_table", "set_tables", "shown_as"]

# How a table of consensus regions is read: its values are fractions of people.
CONSENSUS_SHOWN: Mapping[str, Any] = {
    "headings": {
        "peak_value": "participants",
        "mean_value": "mean share",
        "prevalence_lower": "of all people, at least",
    },
    "folded": frozenset({"n_sharing", "n_with_data"}),
    "shares": {"peak_value": ("n_sharing", "n_with_data"), "mean_value": (), "prevalence_lower": ()},
}


def shown_as(columns: Sequence[Column]) -> dict[str, Any]:
    """The headings of a table and what it folds, as its columns say."""
    return {
        "headings": {column.name: column.heading for column in columns if column.heading},
        "folded": frozenset(column.name for column in columns if column.shown == "folded"),
    }


def consensus_table(key: str, paths: OutputPaths, record: Mapping[str, Any], text: str) -> model.Table:
    """The consensus regions of a set, described as in their record."""
    columns = text.partition("\n")[0].split("\t")
    return model.Table(
        key=f"{key}-consensus",
        caption="Consensus regions, and how many participants share them",
        tsv=text,
        file_name=paths.table.name,
        descriptions={name: record[name]["Description"] for name in columns if name in record},
        href=paths.table.relative_to(paths.output_dir).as_posix(),
        **CONSENSUS_SHOWN,
    )


def set_tables(key: str, result: SetResult, value_columns: Sequence[Column], pages: Pages) -> tuple[model.Table, ...]:
    """The values in the regions of a set, and its participants."""
    rows = result.rows[:SHOWN_ROWS]
    links = pages_of([row.participant for row in rows], pages)
    columns = participant_columns([result.one])
    people = model.Table(
        key=f"{key}-participants",
        caption="Participants" + _cut(len(result.rows), "group_participants.tsv"),
        tsv=table_text(columns[1:], rows),  # the set is the same in all rows
        file_name=f"{result.one.name}_participants.tsv",
        descriptions={column.name: column.description for column in columns},
        href="group_participants.tsv",
        links=links,
        link_column="participant_id",
        **shown_as(columns),
    )
    if not result.n_values:
        return (people,)
    own = {region.index for region in result.consensus.naming.regions} if result.consensus else set()
    values = model.Table(
        key=f"{key}-values",
        caption="Each participant's values in these regions" + _cut(result.n_values, "group_values.tsv"),
        tsv=result.values,
        file_name=f"{result.one.name}_values.tsv",
        descriptions={column.name: column.description for column in value_columns},
        href="group_values.tsv",
        links=links,
        link_column="participant_id",
        shows={"": f"{key}-consensus"} if own and set(result.region_numbers) == own else {},
        **shown_as(value_columns),
    )
    return (values, people)


def _cut(n: int, where: str) -> str:
    return f": the first {SHOWN_ROWS:,} of {n:,} rows; {where} holds all" if n > SHOWN_ROWS else ""


def all_regions_table(
    output_dir: Path, pages: Pages, results: Sequence[SetResult], titles: Mapping[str, str]
) -> model.Table:
    """All regions of all participants, as far as a page can show them; `titles` of the sets by their names."""
    path = output_dir / "group_regions.tsv"
    with path.open(encoding="utf-8") as stream:
        lines = list(islice(stream, SHOWN_ROWS + 1))
        more = next(stream, None) is not None
    participants = sorted({line.split("\t", 2)[1] for line in lines[1:]})
    note = f": the first {SHOWN_ROWS:,} rows; the file holds all" if more else ""
    return model.Table(
        key="all-regions",
        caption="All regions of all participants" + note,
        tsv="".join(lines),
        file_name=path.name,
        descriptions={column.name: column.description for column in region_columns(sheets=True)},
        href=path.name,
        links=pages_of(participants, pages),
        link_column="participant_id",
        shows={
            one.one.name: f"set-{slug(one.one.name)}-consensus"
            for one in results
            if one.consensus and one.consensus.naming.regions
        },
        headings={"participant_id": "participant"},
        folded=frozenset({"map"} if len(titles) > 1 else {"map", "set"}),
        words={"set": titles},
    )
