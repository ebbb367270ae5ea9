"""The meshes that the package carries, against nilearn's fsaverage5 and what is known of each template."""

import numpy as np
import pytest
from nilearn import datasets, surface

from bids_regions.meshes import TEMPLATES, find_template, load_areas, load_cortex, load_inflated, load_triangles
from bids_regions.meshes.coding import pack_integers

EACH = sorted({(space, n) for space, sizes in TEMPLATES.items() for n in sizes if space != "fsaverage7"})


def turned(triangles):
    """Triangles as a set that knows their winding."""
    first = np.argmin(triangles, axis=1)[:, None]
    return set(map(tuple, np.take_along_axis(triangles, (first + np.arange(3)) % 3, axis=1).tolist()))


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(("space", "n"), EACH)
def test_each_mesh_is_a_closed_sheet_of_twelve_corners_of_degree_five(space, n, side):
    triangles = load_triangles(space, n, side)
    assert triangles.shape == (2 * n - 4, 3)
    first, second = np.concatenate([triangles[:, pair] for pair in ((0, 1), (1, 2), (2, 0))]).astype(np.int64).T
    there = np.unique(first * n + second)
    assert len(there) == len(first) == 6 * n - 12
    assert np.array_equal(
        np.unique(second * n + first), there
    )  # each edge is met once in each direction: closed, of one winding
    degree = np.bincount(triangles.ravel(), minlength=n)
    assert np.unique(degree, return_counts=True)[1].tolist() == [12, n - 12]
    assert sorted(set(degree.tolist())) == [5, 6]


@pytest.mark.parametrize("side", ["L", "R"])
def test_fsaverage5_is_nilearns(side):
    name = {"L": "left", "R": "right"}[side]
    shipped = datasets.fetch_surf_fsaverage("fsaverage5")
    mesh = surface.load_surf_mesh(shipped[f"infl_{name}"])
    assert turned(load_triangles("fsaverage5", 10242, side)) == turned(mesh.faces)
    drawn = load_inflated("fsaverage5", 10242, side)
    middle = (mesh.coordinates.max(axis=0) + mesh.coordinates.min(axis=0)) / 2
    assert np.abs(drawn.xyz - (mesh.coordinates - middle)).max() < 0.07  # mm, of 12 bits
    sulc = surface.load_surf_data(shipped[f"sulc_{name}"])
    assert np.corrcoef(drawn.folding, sulc)[0, 1] > 0.95


@pytest.mark.parametrize("side", ["L", "R"])
def test_areas_are_those_of_people_whichever_the_mesh(side):
    whole = load_areas("fsaverage", 163842, side).sum()
    assert 94_000 < whole < 97_000  # mm2
    assert 94_000 < load_areas("fsLR", 32492, side).sum() < 95_000
    for n in (2562, 10242, 40962):
        assert load_areas("fsaverage", n, side).sum() == pytest.approx(whole)
        assert load_areas("fsaverage", n, side).min() > 0


def test_the_medial_wall_of_fslr_is_that_of_every_91k_file():
    assert [load_cortex("fsLR", 32492, side).sum() for side in "LR"] == [29696, 29716]
    assert load_cortex("fsaverage", 10242, "L") is None


def test_finer_sheets_are_drawn_on_the_middles_of_the_coarser_ones_edges():
    coarse, fine = load_inflated("fsaverage", 10242, "L"), load_inflated("fsaverage", 40962, "L")
    assert np.array_equal(fine.xyz[:10242], coarse.xyz)
    assert "interpolated" in fine.name
    joined = {
        tuple(sorted(edge)) for t in fine.triangles.tolist() for edge in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))
    }
    ends = {}
    for low, high in joined:
        if low < 10242 <= high:
            ends.setdefault(high, []).append(low)
    for new in (10242, 25000, 40961):
        assert fine.xyz[new] == pytest.approx(coarse.xyz[ends[new]].mean(axis=0))


def test_the_sulci_of_fslr_lie_deep():
    drawn = load_inflated("fsLR", 32492, "L")
    assert "S1200" in drawn.name
    assert drawn.folding.min() == -1
    assert drawn.folding.max() == 1
    assert drawn.xyz.shape == (32492, 3)


def test_what_is_not_carried_is_none():
    assert find_template("onavg", 10242) == ""
    assert load_triangles("fsLR", 10242, "L") is None
    assert load_areas("fsnative", 32492, "L") is None
    assert load_inflated("dhcpAsym", 32492, "R") is None


def test_numbers_beyond_24_bits_are_refused():
    with pytest.raises(ValueError, match="24 bits"):
        pack_integers(np.array([1 << 25]))
