"""Cortical sheets packed for a page: the viewer gets the mesh back, rounded to a known step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_regions.report.sheets import pack_sheet, unpack_sheet


def ball(n=12):
    """A sphere of 80 mm, wound outwards."""
    polar, turn = np.meshgrid(np.linspace(0.02, np.pi - 0.02, n), np.arange(2 * n) * np.pi / n, indexing="ij")
    xyz = 80 * np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    row, column = np.meshgrid(np.arange(n - 1), np.arange(2 * n), indexing="ij")
    a, b = row * 2 * n + column, row * 2 * n + (column + 1) % (2 * n)
    triangles = np.concatenate([np.stack([a, a + 2 * n, b], -1).reshape(-1, 3),
                                np.stack([b, a + 2 * n, b + 2 * n], -1).reshape(-1, 3)])  # fmt: skip
    return xyz.reshape(-1, 3), triangles


def pack(xyz, triangles, folding=None):
    return pack_sheet(xyz, triangles, folding, key="sheet", name="ball", side="L")


def test_places_come_back_within_half_a_step_and_triangles_exactly():
    xyz, triangles = ball()
    packed = pack(xyz, triangles)
    places, faces = unpack_sheet(packed)
    assert np.abs(places - xyz).max() <= packed.step / 2 + 1e-9
    assert packed.step < 0.1
    assert (faces == triangles).all()
    assert (packed.n_vertices, packed.n_triangles) == (len(xyz), len(triangles))


def test_triangles_are_turned_outwards_whichever_way_they_came():
    """The viewer draws what turns towards the eye only."""
    xyz, triangles = ball()
    _, faces = unpack_sheet(pack(xyz, triangles[:, ::-1]))
    a, b, c = (xyz[faces[:, corner]] for corner in range(3))
    outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c)
    assert (outward > 0).all()


@given(st.permutations(range(40)), st.integers(0, 2**31 - 1))
def test_any_order_of_vertices_survives(order, seed):
    xyz = np.random.default_rng(seed).normal(size=(40, 3)) * 50
    triangles = np.array(order[:39]).reshape(-1, 3)
    packed = pack(xyz, triangles)
    places, faces = unpack_sheet(packed)
    assert np.abs(places - xyz).max() <= packed.step / 2 + 1e-6
    assert {frozenset(face) for face in faces.tolist()} == {frozenset(face) for face in triangles.tolist()}


@pytest.mark.parametrize("folding", [None, "z", "flat", "nan"])
def test_the_same_sheet_has_the_same_text(folding):
    xyz, triangles = ball()
    depths = {"z": xyz[:, 2], "flat": np.zeros(len(xyz)), "nan": np.where(xyz[:, 0] > 0, np.nan, xyz[:, 2])}
    depth = depths.get(folding)
    assert pack(xyz, triangles, depth) == pack(xyz.copy(), triangles.copy(), depth)
