"""Cortical sheets as pictures: what is painted is the map's vertices; left, right, front and back are in place."""

import io

import numpy as np
import pytest
from PIL import Image

from bids_regions.figures import FigureStyle, Mark, PanelLayout, compose_map, encode
from bids_regions.figures.surfaces import Hemisphere, Sheet, SheetMark, _shoot, compose_surfaces, stack_drawings

COLORS = ("#e41a1c", "#377eb8")


def ball(n=24):
    """A sphere of 50 mm, n rings of 2 n vertices; its triangles are wound outwards."""
    polar, turn = np.meshgrid(np.linspace(0.02, np.pi - 0.02, n), np.arange(2 * n) * np.pi / n, indexing="ij")
    xyz = 50 * np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    row, column = np.meshgrid(np.arange(n - 1), np.arange(2 * n), indexing="ij")
    a, b = row * 2 * n + column, row * 2 * n + (column + 1) % (2 * n)
    c, d = a + 2 * n, b + 2 * n
    triangles = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return xyz.reshape(-1, 3), triangles


def hemisphere(side, where, value=5.0, label=1):
    """A ball with one region where `where` of its coordinates is true."""
    xyz, triangles = ball()
    inside = where(xyz)
    return Hemisphere(
        side=side,
        sheet=Sheet(fingerprint=f"ball-{side}", xyz=xyz, triangles=triangles, folding=xyz[:, 2]),
        values=np.where(inside, value, 0.5).astype(np.float32),
        labels=np.where(inside, label, 0),
    )


def mark(of, index=1):
    inside = np.flatnonzero(of.labels == index)
    return SheetMark(
        index=index,
        color=COLORS[index - 1],
        n_vertices=len(inside),
        peak_value=5.0,
        side=of.side,
        vertex=int(inside[0]),
    )


def tiles(drawing, n):
    """The labels of the first row of views, cut where the columns of a picture of n views lie."""
    names = sorted((letter for letter in drawing.letters if "al" in letter.text), key=lambda one: one.x)
    middles = [round(letter.x) for letter in names[:n]]
    half = (middles[1] - middles[0]) // 2 - 10
    return {name.text: drawing.labels[:, m - half : m + half] for name, m in zip(names, middles, strict=True)}


@pytest.mark.parametrize(
    ("side", "where", "seen_on"),
    [
        ("L", lambda xyz: xyz[:, 0] < -40, "left lateral"),
        ("L", lambda xyz: xyz[:, 0] > 40, "left medial"),
        ("R", lambda xyz: xyz[:, 0] > 40, "right lateral"),
        ("R", lambda xyz: xyz[:, 0] < -40, "right medial"),
    ],
)
def test_outside_and_inside_are_seen_from_their_own_side(side, where, seen_on):
    one = hemisphere(side, where)
    drawing = compose_surfaces([one], [mark(one)], FigureStyle(cuts=(), cutoff=3.0))
    assert {name for name, labels in tiles(drawing, 2).items() if labels.any()} == {seen_on}


def test_the_front_of_the_left_side_is_left_from_outside_and_right_from_inside():
    one = hemisphere("L", lambda xyz: xyz[:, 1] > 40)
    shown = tiles(compose_surfaces([one], [mark(one)], FigureStyle(cuts=(), cutoff=3.0)), 2)
    share = {name: np.nonzero(labels)[1].mean() / labels.shape[1] for name, labels in shown.items()}
    assert share["left lateral"] < 0.2
    assert share["left medial"] > 0.8


def test_up_is_up():
    one = hemisphere("R", lambda xyz: xyz[:, 2] > 40)
    drawing = compose_surfaces([one], [mark(one)], FigureStyle(cuts=(), cutoff=3.0))
    assert np.nonzero(drawing.labels)[0].mean() < drawing.labels.shape[0] / 3


def test_a_pixel_shows_its_nearest_vertex_of_the_sheet_in_front():
    """Against a ray through every pixel's centre, solved for every triangle by linear algebra."""
    xyz, triangles = ball(8)
    shot = _shoot(Sheet(fingerprint="small", xyz=xyz, triangles=triangles), "R", "lateral", 60)
    low, high = xyz[:, 1].min(), xyz[:, 1].max()
    zoom = 58 / (high - low)
    for row, column in [(30, 30), (12, 25), (47, 40), (30, 5), (1, 1)]:
        y = low + (column + 0.5 - 1) / zoom
        z = xyz[:, 2].max() - (row + 0.5 - 1) / zoom
        best, nearest = -np.inf, -1
        for corners in triangles:
            a, b, c = xyz[corners]
            system = np.array([[b[1] - a[1], c[1] - a[1]], [b[2] - a[2], c[2] - a[2]]])
            if abs(np.linalg.det(system)) < 1e-9:
                continue
            of_b, of_c = np.linalg.solve(system, [y - a[1], z - a[2]])
            weights = np.array([1 - of_b - of_c, of_b, of_c])
            depth = weights @ xyz[corners][:, 0]
            if (weights >= 0).all() and depth > best:
                best, nearest = depth, corners[weights.argmax()]
        assert shot.vertex[row, column] == nearest


def test_what_is_painted_in_full_is_the_labelled_vertices():
    """Two hemispheres; every pixel of a region has the colour of its value and every other one is fainter."""
    left = hemisphere("L", lambda xyz: xyz[:, 0] < -30)
    right = hemisphere("R", lambda xyz: xyz[:, 0] > 45, value=-4.0, label=2)
    drawing = compose_surfaces([left, right], [mark(left), mark(right, 2)], FigureStyle(cuts=(), cutoff=3.0))
    canvas = drawing.canvas.astype(int)
    red = canvas[..., 0] - canvas[..., 2]
    assert (red[drawing.labels == 1] > 60).all()
    assert (red[drawing.labels == 2] < -60).all()
    views = np.arange(canvas.shape[1]) <= drawing.labels.nonzero()[1].max()  # left of the colour bar
    assert (abs(red[(drawing.labels == 0) & views]) < 60).all()
    assert set(np.unique(drawing.labels)) == {0, 1, 2}
    assert [letter.text for letter in drawing.letters if letter.text.isdigit()][:2] == ["1", "2"]
    assert drawing.alt.startswith("2 regions on the cortex; largest")


def test_without_a_region_the_whole_map_is_shown_and_said():
    one = hemisphere("L", lambda xyz: xyz[:, 0] < -30, label=0)
    drawing = compose_surfaces([one], [], FigureStyle(cuts=(), cutoff=9.0, title="a map"))
    assert drawing.alt == "No region survived"
    assert any(letter.text.startswith("No region survived") for letter in drawing.letters)


@pytest.mark.parametrize("on_top", [0, 1])
def test_regions_in_the_voxels_below_are_regions_too(on_top):
    one = hemisphere("L", lambda xyz: xyz[:, 0] < -30, label=on_top)
    small = FigureStyle(cuts=(), cutoff=3.0, layout=PanelLayout(columns=4, annotated=False))
    drawing = compose_surfaces([one], [mark(one)] if on_top else [], small, n_below=2)
    assert [letter.text for letter in drawing.letters if "region" in letter.text] == [f"{on_top + 2} regions"]
    assert drawing.alt.startswith("1 region on the cortex" if on_top else "No region on the cortex")


def test_numbers_that_do_not_fit_are_refused():
    one = hemisphere("L", lambda xyz: xyz[:, 0] < -30)
    short = Hemisphere(side="L", sheet=one.sheet, values=one.values[:-1], labels=one.labels)
    with pytest.raises(ValueError, match="1151 values and 1152 labels on 1152 vertices"):
        compose_surfaces([short], [], FigureStyle(cuts=(), cutoff=3.0))
    with pytest.raises(ValueError, match="needs a hemisphere"):
        compose_surfaces([], [], FigureStyle(cuts=(), cutoff=3.0))


def test_the_same_picture_has_the_same_bytes_and_narrow_ones_two_columns():
    one, two = (hemisphere(side, lambda xyz: xyz[:, 2] > 30) for side in "LR")
    view = FigureStyle(cuts=(), cutoff=3.0, layout=PanelLayout(columns=4, font=21))
    first, second = (encode(compose_surfaces([one, two], [mark(one)], view), "png") for _ in range(2))
    wide = compose_surfaces([one, two], [mark(one)], FigureStyle(cuts=(), cutoff=3.0))
    assert first == second
    assert first.width < wide.canvas.shape[1]
    assert Image.open(io.BytesIO(first.data)).size == (first.width, first.height)


def test_cortex_and_slices_become_one_picture():
    one = hemisphere("L", lambda xyz: xyz[:, 2] > 30)
    upper = compose_surfaces([one], [mark(one)], FigureStyle(cuts=(), cutoff=3.0))
    data = np.zeros((6, 6, 6), np.float32)
    data[2:4, 2:4, 2:4] = 4
    labels = (data > 0).astype(np.uint8) * 2
    below = Mark(index=2, color=COLORS[1], n_voxels=8, peak_value=4.0, peak_xyz=(2.0, 2.0, 2.0))
    lower = compose_map(data, labels, np.eye(4), [below], FigureStyle(cuts=(2.0,), cutoff=3.0))
    both = stack_drawings(upper, lower)
    assert both.canvas.shape[0] == upper.canvas.shape[0] + lower.canvas.shape[0]
    assert set(np.unique(both.labels)) == {0, 1, 2}
    assert both.colors == {1: COLORS[0], 2: COLORS[1]}
    assert min(letter.y for letter in both.letters[len(upper.letters) :]) > upper.canvas.shape[0]
    assert "in the volume below: 1 region; 8 voxels" in both.alt
    assert encode(both, "svg").data.startswith(b"<svg")
