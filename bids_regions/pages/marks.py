"""Regions as far as a picture shows them: number, colour, size and peak; from regions, or from their table.

A *mark* is what a figure needs of one region; it knows neither name nor voxels.
"""

from collections.abc import Iterable, Mapping

from bids_regions.errors import BadDataset
from bids_regions.extraction import Region
from bids_regions.figures import Mark
from bids_regions.tables import NO_VALUE

__all__ = ["marks_of", "marks_of_table"]


def marks_of(regions: Iterable[Region]) -> list[Mark]:
    """The marks of regions."""
    return [
        Mark(
            index=region.index,
            color=region.color,
            n_voxels=region.n_elements,
            peak_value=region.peak.value,
            peak_xyz=region.peak.xyz,
        )
        for region in regions
    ]


def marks_of_table(rows: Iterable[Mapping[str, str]], name: str) -> list[Mark]:
    """The marks of the rows of a table of ours, which `name` names.

    Raises
    ------
    BadDataset
        The table is not one that was written here.
    """
    try:
        return [
            Mark(
                index=int(row["index"]),
                color=row["color"],
                n_voxels=int(row["n_voxels"]),
                peak_value=0.0 if row["peak_value"] == NO_VALUE else float(row["peak_value"]),  # of infinities alone
                peak_xyz=(float(row["peak_x"]), float(row["peak_y"]), float(row["peak_z"])),
            )
            for row in rows
        ]
    except (KeyError, ValueError) as error:
        raise BadDataset(f"{name} is damaged ({error})", hint="Run the participant level again") from error
