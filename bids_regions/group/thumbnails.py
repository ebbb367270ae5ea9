"""A small picture of one participant's map, drawn as everybody's of its set: the same cuts, the same colours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bids_regions.aggregate import ParticipantMap
from bids_regions.figures import FigureStyle, Picture, draw_thumbnail
from bids_regions.group.grounds import Ground, VolumeGround
from bids_regions.group.members import Member
from bids_regions.pages.marks import marks_of_table

__all__ = ["draw_member"]


def draw_member(
    member: Member, one: ParticipantMap, rows: Sequence[Mapping[str, str]], ground: Ground, view: FigureStyle
) -> Picture | None:
    """The picture; None where there is nothing to draw the map on."""
    style = replace(view, cutoff=member.cutoff)
    if not isinstance(ground, VolumeGround):
        return None
    data, labels = (ground.grid.unflatten(row) for row in (one.data, one.labels))
    return draw_thumbnail(data, labels, ground.grid.affine, marks_of_table(rows, member.table), style)
