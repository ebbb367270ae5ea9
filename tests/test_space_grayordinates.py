"""Meshes and structures in one map: pieces are never joined, and the order of the file's rows decides nothing."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from test_space_mesh import paper

from bids_regions.errors import BadMap
from bids_regions.extraction import Criteria, find_regions
from bids_regions.meshes import load_triangles
from bids_regions.space import Grayordinates, Grid, Mesh, Sheet, Solid

VOLUME = Grid(shape=(6, 5, 7), affine=np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]))
ALL = {"threshold": "1", "min_region_vertices": 1, "min_region_voxels": 1}


def halves():
    """Two structures that touch: the volume's halves along i, each in the order of the file."""
    ijk = np.stack(np.unravel_index(np.arange(VOLUME.size), VOLUME.shape, order="F"))
    return tuple(
        Solid(structure=name, ijk=ijk[:, half], grid=VOLUME)
        for name, half in (("THALAMUS_LEFT", ijk[0] < 3), ("BRAIN_STEM", ijk[0] >= 3))
    )


def brain():
    """A left cortex without vertices 5 and 6, a whole right one, and two structures."""
    sheet = paper(4, 5)
    left = Sheet(structure="CORTEX_LEFT", mesh=sheet, vertices=np.delete(np.arange(20), [5, 6]))
    return Grayordinates(pieces=(left, Sheet(structure="CORTEX_RIGHT", mesh=sheet), *halves()))


def shuffled(domain, rng):
    """The same elements with pieces, and rows within them, in another order; and the old row of each new one."""
    starts = np.cumsum([0, *(piece.rows.size for piece in domain.pieces)])
    pieces, rows = [], []
    for k in rng.permutation(len(domain.pieces)).tolist():
        piece, order = domain.pieces[k], rng.permutation(domain.pieces[k].rows.size)
        if isinstance(piece, Sheet):
            pieces.append(replace(piece, vertices=piece.rows[order]))
        else:
            pieces.append(replace(piece, ijk=piece.ijk[:, order]))
        rows.append(order + starts[k])
    return Grayordinates(pieces=tuple(pieces)), np.concatenate(rows)


def test_voxels_touch_by_faces_within_a_structure_only():
    """Sizes by scipy, structure by structure."""
    data = np.random.default_rng(3).integers(0, 2, VOLUME.shape)
    domain = Grayordinates(pieces=halves())
    row = np.concatenate([data[tuple(piece.ijk)] for piece in domain.pieces]).astype(float)
    found = find_regions(row, domain, Criteria(**ALL, connectivity=26))
    for name, half in (("THALAMUS_LEFT", data[:3]), ("BRAIN_STEM", data[3:])):
        components, n = ndimage.label(half)
        sizes = np.bincount(components.ravel())[1:]
        assert sorted(r.n_voxels for r in found.regions if r.structure == name) == sorted(sizes.tolist())
        assert n == sum(r.structure == name for r in found.regions)
    assert domain.units == "mm3"


def test_the_measures_of_a_structures_region_are_those_of_the_grid():
    data = np.zeros(VOLUME.shape)
    data[0:3, 1:4, 2:5], data[1, 2, 3], data[0, 1, 2] = 2.0, 5.0, 4.0
    structure = halves()[0]
    (there,) = find_regions(data, VOLUME.affine, Criteria(threshold="1", min_region_voxels=1)).regions
    (here,) = find_regions(data[tuple(structure.ijk)], Grayordinates(pieces=(structure,)), Criteria(**ALL)).regions
    assert (here.structure, here.hemi, there.structure, there.hemi) == ("THALAMUS_LEFT", "L", None, None)
    assert replace(here, structure=None, com_xyz=(0.0,) * 3) == replace(there, com_xyz=(0.0,) * 3)
    np.testing.assert_allclose(here.com_xyz, there.com_xyz, atol=1e-12)


def test_the_smallest_region_of_a_structure_is_200_mm3_unless_another_is_asked():
    data = np.zeros(VOLUME.shape)
    data[0:3, 0:3, 0:3], data[0:3, 4, 0:6] = 3.0, 3.0  # 27 and 18 voxels of 8 mm3
    structure = halves()[0]
    row, domain = data[tuple(structure.ijk)], Grayordinates(pieces=(structure,))

    def sizes(**knobs):
        return [r.n_voxels for r in find_regions(row, domain, Criteria(**knobs)).regions]

    assert sizes() == [27]
    assert sizes(min_region_size=144) == [27, 18]
    assert sizes(min_region_size=217) == []
    assert sizes(min_region_voxels=18) == [27, 18]
    assert sizes(min_region_area=1) == [27]
    assert sizes(min_region_size=1500) == []


def test_no_region_crosses_the_medial_wall_or_the_midline():
    domain = brain()
    found = find_regions(np.full(domain.size, 2.0), domain, Criteria(**ALL))
    assert [(r.structure, r.n_voxels or r.n_vertices) for r in found.regions] == [
        ("BRAIN_STEM", 105), ("THALAMUS_LEFT", 105), ("CORTEX_RIGHT", 20), ("CORTEX_LEFT", 18)
    ]  # fmt: skip
    assert domain.units == "mm2"
    walls = Grayordinates(pieces=(replace(domain.pieces[0], vertices=np.array([0, 1, 2, 3, 4, 15, 16, 17, 18, 19])),))
    assert [r.n_vertices for r in find_regions(np.full(10, 2.0), walls, Criteria(**ALL)).regions] == [5, 5]


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_and_pieces_decides_nothing(seed):
    """To the last bit, plateaus and equal values included."""
    rng, domain = np.random.default_rng(seed), brain()
    data = rng.integers(-3, 4, domain.size).astype(float)
    other, rows = shuffled(domain, rng)
    criteria = Criteria(**ALL, max_peaks=5, min_peak_distance=2)
    before, after = find_regions(data, domain, criteria), find_regions(data[rows], other, criteria)
    assert repr(before.regions) == repr(after.regions)  # nan included
    assert np.array_equal(before.labels[rows], after.labels)
    assert np.array_equal(domain.resample(data, other), data[rows])
    assert other.resample(data[rows], domain).tolist() == data.tolist()
    assert domain.same_as(brain())
    assert domain.resample(data, brain()) is data


def test_other_elements_are_refused():
    domain = brain()
    for other in (
        Grayordinates(pieces=domain.pieces[:2]),
        Grayordinates(pieces=(replace(domain.pieces[0], vertices=np.arange(18)), *domain.pieces[1:])),
        Grayordinates(pieces=(*domain.pieces[:3], replace(domain.pieces[3], structure="THALAMUS_RIGHT"))),
        Grayordinates(pieces=(*domain.pieces[:3], replace(domain.pieces[3], grid=replace(VOLUME, affine=np.eye(4))))),
        VOLUME,
    ):
        assert not domain.same_as(other)
        with pytest.raises(BadMap, match="different meshes"):
            domain.resample(np.zeros(domain.size), other)
    with pytest.raises(BadMap, match="cannot be brought to vertices"):
        VOLUME.resample(np.zeros(VOLUME.shape), domain)
    assert not VOLUME.same_as(domain)


def test_elements_that_the_pieces_do_not_have_are_refused():
    sheet = paper(4, 5)
    with pytest.raises(BadMap, match="CORTEX_LEFT: the map has vertex 20, the mesh 20 vertices"):
        find_regions(np.zeros(1), Grayordinates(pieces=(Sheet(structure="CORTEX_LEFT", mesh=sheet, vertices=[20]),)))
    with pytest.raises(BadMap, match="CORTEX_LEFT: an element stands twice"):
        find_regions(
            np.full(2, 4.0), Grayordinates(pieces=(Sheet(structure="CORTEX_LEFT", mesh=sheet, vertices=[2, 2]),))
        )
    with pytest.raises(BadMap, match="BRAIN_STEM: a voxel lies outside"):
        find_regions(
            np.zeros(1), Grayordinates(pieces=(Solid(structure="BRAIN_STEM", ijk=[[0], [5], [0]], grid=VOLUME),))
        )


def test_a_region_where_the_areas_are_zero_has_a_centre():
    """Area files are 0 on the medial wall."""
    sheet = replace(paper(4, 5), given_areas=np.zeros(20))
    data = np.zeros(20)
    data[5:8] = 1, 2, 1
    (region,) = find_regions(data, sheet, Criteria(**ALL)).regions
    assert (region.area_mm2, region.com_xyz) == (0.0, (1.0, 1.0, 0.0))


def test_the_vertex_nearest_to_the_centre_is_known():
    domain = Grayordinates(pieces=(Sheet(structure="CORTEX_LEFT", mesh=paper(4, 5)),))
    elements = domain.at(np.arange(5, 10), np.array([1.0, 1, 1, 1, 9]))
    centres = domain.centres(elements, elements.values, np.zeros(5, int), 1)
    np.testing.assert_allclose(centres.xyz.T, [(1.0, 3.0, 0.0)])  # the ends of a row have half the area
    assert centres.nearest.tolist() == [3]
    assert centres.inside == (None,)


def test_no_way_leads_from_a_sheet_to_another_piece():
    """Vertices of one sheet are as far apart as their mesh says, voxels as the ruler; whatever pair is asked first."""
    domain = brain()
    elements = domain.at(np.arange(domain.size), np.zeros(domain.size))
    starts = np.cumsum([0, *(piece.rows.size for piece in domain.canonical)]).tolist()
    place = dict(zip((piece.structure for piece in domain.canonical), starts, strict=False))
    left, right = place["CORTEX_LEFT"], place["CORTEX_RIGHT"]
    stem, thalamus = place["BRAIN_STEM"], place["THALAMUS_LEFT"]
    pairs = np.array([
        (right, right + 3), (left, left + 3), (left, right), (right, left), (left + 2, stem), (stem, right),
        (stem, stem + 4), (stem, thalamus),
    ]).T  # fmt: skip
    sheet, xyz = domain.canonical[0].mesh, domain.xyz(elements)
    along = sheet.distances(np.array([0]), np.array([3]), np.inf)[0]
    straight = [np.linalg.norm(xyz[:, a] - xyz[:, b]) for a, b in ((stem, stem + 4), (stem, thalamus))]
    expected = np.array([along, along, *[np.inf] * 4, *straight])
    for order in (np.arange(8), np.arange(8)[::-1], np.roll(np.arange(8), 3)):
        found = domain.distances(elements, np.inf)(*pairs[:, order])
        assert np.allclose(found, expected[order])


def test_a_pair_of_hemispheres_takes_the_memory_of_two_maps_more():
    """Of smooth noise with a twentieth above the threshold, many small regions among it, which are removed."""
    domain = Grayordinates(pieces=tuple(
        Sheet(structure=name, mesh=Mesh(n_vertices=40962, triangles=load_triangles("fsaverage6", 40962, side)))
        for side, name in (("L", "CORTEX_LEFT"), ("R", "CORTEX_RIGHT"))
    ))  # fmt: skip
    one, other = np.concatenate([piece.mesh.edges + 40962 * k for k, piece in enumerate(domain.pieces)], axis=1)
    values = np.random.default_rng(0).standard_normal(domain.size)
    for _ in range(20):
        values += np.bincount(one, values[other], domain.size) + np.bincount(other, values[one], domain.size)
        values /= values.std()
    data, criteria = (1.5 * values).astype(np.float32), Criteria(threshold="3", min_region_vertices=20)
    assert find_regions(data, domain, criteria).n_removed_regions > 10
    tracemalloc.start()
    find_regions(data, domain, criteria)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.8 * data.nbytes


def test_the_peaks_of_more_elements_than_16_bits_number_are_those_of_the_grid():
    """One structure that fills a box of 36,000 voxels, all of them above the threshold; peaks by scipy."""
    grid = Grid(shape=(40, 30, 30), affine=np.diag([2.0, 2, 2, 1]))
    data = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal(grid.shape), 2) + 10
    ijk = np.stack(np.unravel_index(np.arange(grid.size), grid.shape, order="F"))
    domain = Grayordinates(pieces=(Solid(structure="OTHER", ijk=ijk, grid=grid),))
    criteria = Criteria(**ALL, max_peaks=10**6, min_peak_distance=0)
    found = find_regions(data[tuple(ijk)], domain, criteria)
    faces = ndimage.generate_binary_structure(3, 1)
    tops = data[data == ndimage.maximum_filter(data, footprint=faces, mode="constant")]
    assert tops.size > 50
    (region,) = found.regions
    assert sorted(peak.value for peak in region.peaks) == sorted(tops.tolist())
