"""A small picture of one participant's map, drawn as everybody's of its set: the same cuts, the same colours.

How a set is cut and coloured is settled before (`measures`); where the pictures stand is the page's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bids_regions.aggregate import ParticipantMap
from bids_regions.figures import (
    FigureStyle,
    Hemisphere,
    PanelLayout,
    Picture,
    compose_surfaces,
    draw_thumbnail,
    encode,
)
from bids_regions.group.grounds import Ground, VolumeGround
from bids_regions.group.members import Member
from bids_regions.pages.marks import marks_of_table
from bids_regions.pages.sheet_parts import find_cortex, load_sheet, on_sheet, sheet_mark

__all__ = ["draw_member"]

ON_SHEETS = PanelLayout(columns=4, tile=96, font=14, annotated=False)


def draw_member(
    member: Member, one: ParticipantMap, rows: Sequence[Mapping[str, str]], ground: Ground, view: FigureStyle
) -> Picture | None:
    """The picture; None where there is nothing to draw the map on."""
    style = replace(view, cutoff=member.cutoff)
    if isinstance(ground, VolumeGround):
        data, labels = (ground.grid.unflatten(row) for row in (one.data, one.labels))
        return draw_thumbnail(data, labels, ground.grid.affine, marks_of_table(rows, member.table), style)
    cortex = find_cortex(ground.layout, member.space)
    if cortex is None:
        return None
    parts = zip(cortex.cut(cortex.spread(one.data)), cortex.cut(cortex.spread(one.labels)), strict=True)
    hemispheres = [
        Hemisphere(side=side, sheet=load_sheet(cortex.space, n, side)[0], values=values, labels=labels)
        for side, n, (values, labels) in zip(cortex.sides, cortex.sizes, parts, strict=True)
    ]
    marks = [sheet_mark(row) for row in rows if on_sheet(row)]
    shown = replace(style, title="", layout=ON_SHEETS)
    return encode(compose_surfaces(hemispheres, marks, shown, n_below=len(rows) - len(marks)), "webp")
