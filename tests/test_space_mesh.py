"""Vertices: edges, areas and ways along the sheet against loops, flat paper, and nilearn's own mesh."""

import itertools
import math
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.surface import InMemoryMesh
from nilearn.surface.surface import find_surface_clusters
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, floyd_warshall

from bids_regions.errors import BadMap
from bids_regions.extraction import Criteria, find_regions
from bids_regions.space import Grayordinates, Mesh, Sheet

FSAVERAGE5 = Path(nilearn.__file__).parent / "datasets" / "data" / "fsaverage5"


def paper(rows, columns, step=1.0):
    """A flat sheet: vertex i * columns + j lies at (i, j); every square has the diagonal from (i, j) on."""
    corners = np.array([(i * step, j * step, 0.0) for i in range(rows) for j in range(columns)])
    squares = [(i * columns + j) for i in range(rows - 1) for j in range(columns - 1)]
    triangles = [t for v in squares for t in ((v, v + columns, v + columns + 1), (v, v + columns + 1, v + 1))]
    return Mesh(n_vertices=rows * columns, triangles=np.array(triangles).reshape(-1, 3), coordinates=corners)


def pial(side="left"):
    coordinates, triangles = nib.load(FSAVERAGE5 / f"pial_{side}.gii.gz").agg_data(("pointset", "triangle"))
    return Mesh(n_vertices=len(coordinates), triangles=triangles, coordinates=coordinates)


def edges_by_hand(mesh):
    return {frozenset(pair) for t in mesh.triangles.tolist() for pair in itertools.combinations(t, 2)} - {
        frozenset([v]) for v in range(mesh.n_vertices)
    }


def regions_of(data, domain, **knobs):
    knobs = {"threshold": "1", "min_region_vertices": 1} | knobs
    return find_regions(np.asarray(data, np.float32), domain, Criteria(**knobs)).regions


# --- edges and areas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mesh", [paper(4, 5), pial(), pial("right")], ids=["paper", "left", "right"])
def test_an_edge_is_a_side_of_a_triangle_once(mesh):
    edges = mesh.edges.T.tolist()
    assert len(edges) == len({tuple(edge) for edge in edges})
    assert all(low < high for low, high in edges)
    assert {frozenset(edge) for edge in edges} == edges_by_hand(mesh)


@pytest.mark.parametrize("mesh", [paper(4, 5, step=2.5), pial()], ids=["paper", "left"])
def test_a_vertex_has_a_third_of_each_of_its_triangles_by_herons_formula(mesh):
    expected = np.zeros(mesh.n_vertices)
    for triangle in mesh.triangles.tolist():
        a, b, c = (math.dist(*(mesh.coordinates[v] for v in pair)) for pair in itertools.combinations(triangle, 2))
        s = (a + b + c) / 2
        expected[triangle] += math.sqrt(max(s * (s - a) * (s - b) * (s - c), 0)) / 3
    np.testing.assert_allclose(mesh.areas, expected, rtol=1e-4, atol=1e-6)


def test_areas_that_are_given_count():
    given_areas = np.arange(20.0)
    mesh = Mesh(n_vertices=20, triangles=paper(4, 5).triangles, given_areas=given_areas)
    (region,) = regions_of([0] * 16 + [2] * 4, mesh)
    assert (region.n_vertices, region.area_mm2) == (4, 16.0 + 17 + 18 + 19)


# --- ways along the sheet ---------------------------------------------------------------------------------------------


def side_of(begin, end, point):
    """On which side of a line a point lies, by its sign."""
    (a, b), (c, d) = end - begin, point - begin
    return a * d - b * c


def ways_on_paper(mesh):
    """All distances on flat paper: edges, and lines between far corners that cross the edge between them."""
    at, n = mesh.coordinates[:, :2], mesh.n_vertices
    graph = np.full((n, n), np.inf)
    for one, other in map(tuple, edges_by_hand(mesh)):
        graph[one, other] = graph[other, one] = math.dist(at[one], at[other])
        far = [next(iter(set(t) - {one, other})) for t in mesh.triangles.tolist() if {one, other} <= set(t)]
        if len(far) == 2:
            (a, b), (p, q) = (at[one], at[other]), (at[far[0]], at[far[1]])
            if side_of(p, q, a) * side_of(p, q, b) <= 0:
                graph[far[0], far[1]] = graph[far[1], far[0]] = min(math.dist(p, q), graph[far[0], far[1]])
    return floyd_warshall(graph)


def skewed(mesh, seed):
    """The paper with every vertex moved a little within it."""
    moved = mesh.coordinates.copy()
    moved[:, :2] += np.random.default_rng(seed).uniform(-0.3, 0.3, (mesh.n_vertices, 2))
    return Mesh(n_vertices=mesh.n_vertices, triangles=mesh.triangles, coordinates=moved)


@pytest.mark.parametrize("seed", range(4))
def test_distances_on_paper_are_those_of_edges_and_of_lines_across_them(seed):
    mesh = skewed(paper(5, 4), seed)
    one, other = (grid.ravel() for grid in np.meshgrid(np.arange(20), np.arange(20)))
    found = mesh.distances(one, other, limit=np.inf)
    np.testing.assert_allclose(found.reshape(20, 20), ways_on_paper(mesh), atol=1e-9)


def test_the_ways_near_a_vertex_and_those_of_the_whole_mesh_are_equally_long():
    """To the last bit: which of the two is used depends on how often a mesh was asked."""
    one = np.arange(10242)
    fresh, asked = pial(), pial()
    for source in range(0, 10242, 400):
        other = np.full(10242, source)
        near = fresh.ways_near(other[:1], 8.0).between(one, other, 8.0)
        assert np.array_equal(near, asked.distances(one, other, 8.0))
        assert 5 < np.isfinite(near).sum() < 200
    assert "_all_ways" in vars(asked)


def test_folding_the_paper_changes_no_distance():
    """A fold along a row of vertices, and one along the diagonals: the sheet stays as long as it was."""
    flat = paper(6, 6)
    one, other = (grid.ravel() for grid in np.meshgrid(np.arange(36), np.arange(36)))
    straight = flat.distances(one, other, limit=np.inf)
    x, y, _ = flat.coordinates.T
    folded = np.stack([x, np.minimum(y, 3), np.maximum(y - 3, 0)], axis=1)
    over = (y - x) / math.sqrt(2)
    fold = np.stack([x, y, np.zeros(36)], axis=1) - np.maximum(over, 0)[:, None] * np.array([-1, 1, 0]) / math.sqrt(2)
    fold[:, 2] = np.maximum(over, 0)
    for coordinates in (folded, fold):
        mesh = Mesh(n_vertices=36, triangles=flat.triangles, coordinates=coordinates)
        np.testing.assert_allclose(mesh.distances(one, other, limit=np.inf), straight, atol=1e-9)


def test_what_lies_beyond_the_limit_is_far_and_at_it_is_not():
    line = paper(2, 9)
    found = line.distances(np.arange(9), np.zeros(9, int), limit=5.0)
    assert found.tolist() == [0, 1, 2, 3, 4, 5, np.inf, np.inf, np.inf]


def test_banks_of_a_sulcus_are_near_in_space_and_far_along_the_sheet():
    """Two maxima 1 mm apart across a fold 10 mm deep are two peaks; on paper rolled out flat as well."""
    flat = paper(3, 22)
    _, y, _ = flat.coordinates.T
    deep = np.stack([flat.coordinates[:, 0], (y > 10).astype(float), -np.minimum(y, 21 - y)], axis=1)
    data = np.ones(66)
    data[[22 + 1, 22 + 20]] = 5.0, 4.0
    for coordinates in (deep, flat.coordinates):
        mesh = Mesh(n_vertices=66, triangles=flat.triangles, coordinates=coordinates)
        (region,) = regions_of(data, mesh, min_peak_distance=8, threshold="0.5")
        assert [peak.vertex for peak in region.peaks] == [23, 42]
        (region,) = regions_of(data, mesh, min_peak_distance=19.5, threshold="0.5")
        assert [peak.vertex for peak in region.peaks] == [23]


def test_a_flat_vertex_without_a_triangle_and_triangles_without_height_do_no_harm():
    mesh = Mesh(n_vertices=5, triangles=np.array([[0, 1, 2], [1, 0, 3]]), coordinates=np.eye(5, 3) * [1, 0, 0])
    assert np.isfinite(mesh.areas).all()
    assert mesh.distances(np.arange(4), np.zeros(4, int), limit=9).tolist() == [0, 1, 1, 1]
    assert [r.n_vertices for r in regions_of(np.ones(5), mesh)] == [4, 1]


# --- regions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoff", [0.05, 0.1, 0.2, 0.3])
def test_the_regions_of_a_real_sheet_are_nilearns_clusters_and_scipys_components(cutoff):
    """Both signs of a map of curvature; sizes by nilearn, members by a graph of its own."""
    mesh, curvature = pial(), nib.load(FSAVERAGE5 / "curv_left.gii.gz").agg_data().astype(np.float32)
    found = find_regions(curvature, mesh, Criteria(threshold=cutoff, min_region_vertices=1))
    theirs = InMemoryMesh(np.asarray(mesh.coordinates), np.asarray(mesh.triangles))
    pairs = np.array([tuple(edge) for edge in edges_by_hand(mesh)]).T
    for sign, name in ((1, "positive"), (-1, "negative")):
        kept = sign * curvature >= np.float32(cutoff)
        sizes = sorted(r.n_vertices for r in found.regions if r.sign == name)
        assert sizes == sorted(find_surface_clusters(theirs, kept)[0]["size"])
        one, other = pairs[:, kept[pairs].all(axis=0)]
        graph = coo_array((np.ones(one.size), (one, other)), shape=(kept.size, kept.size))
        component = connected_components(graph, directed=False)[1][kept]
        together = {(a, b) for a, b in zip(component.tolist(), found.labels[kept].tolist(), strict=True)}
        assert len(together) == len(set(component.tolist())) == len(sizes)
    for region in found.regions:
        mine = np.flatnonzero(found.labels == region.index)
        assert region.area_mm2 == pytest.approx(mesh.areas[mine].sum(), rel=1e-9)
        assert region.peak.vertex == mine[np.abs(curvature[mine]).argmax()]
        assert region.peak.xyz == tuple(mesh.coordinates[region.peak.vertex].astype(float).tolist())
        weight = np.abs(curvature[mine]).astype(float) * mesh.areas[mine]
        np.testing.assert_allclose(region.com_xyz, weight @ mesh.coordinates[mine] / weight.sum(), atol=1e-4)
        assert (region.n_voxels, region.volume_mm3, region.com_in_region, region.peak.ijk) == (None,) * 4


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_paper_is_labelled_like_a_picture_whose_pixels_touch_along_one_diagonal(seed, rows, columns):
    data = np.random.default_rng(seed).integers(-2, 3, (rows, columns)).astype(np.float32)
    touching = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    found = find_regions(data.ravel(), paper(rows, columns), Criteria(threshold="1", min_region_vertices=1)).labels
    expected = np.concatenate([np.zeros(0, int), ndimage.label(data > 0, touching)[0].ravel()])
    below, n = ndimage.label(data < 0, touching)[0].ravel(), expected.max()
    expected = np.where(below > 0, below + n, expected)
    groups = {(a, b) for a, b in zip(expected.tolist(), found.tolist(), strict=True)}
    assert len(groups) == len({a for a, _ in groups}) == len({b for _, b in groups})


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_other_numbers_for_the_vertices_change_nothing_but_names(seed):
    """Values without ties: then nothing is decided by a vertex's number."""
    rng = np.random.default_rng(seed)
    mesh = skewed(paper(7, 8), seed)
    data = rng.standard_normal(56)
    new = rng.permutation(56)  # new[v] is the new number of vertex v
    coordinates, values = np.empty((56, 3)), np.empty(56)
    coordinates[new], values[new] = mesh.coordinates, data
    triangles = rng.permutation(new[mesh.triangles])
    renamed = Mesh(n_vertices=56, triangles=triangles, coordinates=coordinates)
    criteria = Criteria(threshold="0.5", min_region_vertices=2, min_peak_distance=2, max_peaks=5)
    before, after = find_regions(data, mesh, criteria), find_regions(values, renamed, criteria)
    assert np.array_equal(after.labels[new], before.labels)
    for one, other in zip(before.regions, after.regions, strict=True):
        assert [(p.rank, int(new[p.vertex]), p.value) for p in one.peaks] == [
            (p.rank, p.vertex, p.value) for p in other.peaks
        ]
        assert (one.sign, one.n_vertices) == (other.sign, other.n_vertices)
        np.testing.assert_allclose(
            [one.area_mm2, one.mean_value, one.sd_value, *one.com_xyz],
            [other.area_mm2, other.mean_value, other.sd_value, *other.com_xyz], atol=1e-9,
        )  # fmt: skip


def test_the_order_is_size_then_height_then_side_then_vertex():
    """And a minimum of vertices or mm2 removes; equal ones stay."""
    sheet, left, right = paper(2, 9), np.zeros(18), np.zeros(18)
    left[[0, 1]], left[[4, 5]], left[[8]] = 2, 3, 9
    right[[0, 1]], right[[4, 5, 6]] = 3, -1
    pair = Grayordinates(
        pieces=(Sheet(structure="CORTEX_RIGHT", mesh=sheet), Sheet(structure="CORTEX_LEFT", mesh=sheet))
    )
    found = regions_of(np.concatenate([right, left]), pair)
    assert [(r.hemi, r.structure, r.n_vertices, r.peak.vertex) for r in found] == [
        ("L", "CORTEX_LEFT", 2, 4), ("R", "CORTEX_RIGHT", 2, 0), ("L", "CORTEX_LEFT", 2, 0), ("L", "CORTEX_LEFT", 1, 8),
        ("R", "CORTEX_RIGHT", 3, 4),
    ]  # fmt: skip
    kept = regions_of(np.concatenate([right, left]), pair, min_region_vertices=2)
    assert [r.n_vertices for r in kept] == [2, 2, 2, 3]
    exact = regions_of(np.concatenate([right, left]), pair, min_region_vertices=None, min_region_area=found[0].area_mm2)
    assert [r.area_mm2 for r in exact] == [1.0, 1.5]


def test_swapped_hemispheres_swap():
    left, right = pial(), pial("right")
    data = [nib.load(FSAVERAGE5 / f"curv_{side}.gii.gz").agg_data().astype(float) for side in ("left", "right")]
    one, other = (
        Grayordinates(pieces=(Sheet(structure="CORTEX_LEFT", mesh=a), Sheet(structure="CORTEX_RIGHT", mesh=b)))
        for a, b in ((left, right), (right, left))
    )
    criteria = Criteria(threshold="97%")
    found, swapped = (
        find_regions(np.concatenate(data), one, criteria),
        find_regions(np.concatenate(data[::-1]), other, criteria),
    )
    assert found.cutoff.value == swapped.cutoff.value
    assert len(found.regions) > 10
    flipped = {"L": "R", "R": "L"}
    assert [(r.n_vertices, flipped[r.hemi], r.peak.vertex, r.area_mm2, r.com_xyz) for r in found.regions] == [
        (r.n_vertices, r.hemi, r.peak.vertex, r.area_mm2, r.com_xyz) for r in swapped.regions
    ]
    half = data[0].size
    assert np.array_equal(np.concatenate([found.labels[half:], found.labels[:half]]), swapped.labels)


def test_a_plateau_gives_its_first_vertex_whether_or_not_it_is_known_where_it_lies():
    sheet, data = paper(3, 5), np.zeros(15)
    data[[1, 2, 3, 11, 12]] = 2
    nowhere = Mesh(n_vertices=15, triangles=sheet.triangles)
    for mesh in (sheet, nowhere):
        assert [r.peak.vertex for r in regions_of(data, mesh)] == [1, 11]
        labels = find_regions(data, mesh, Criteria(threshold="1", min_region_vertices=1)).labels
        assert labels.tolist() == [0, 1, 1, 1] + [0] * 7 + [2, 2, 0, 0]


def test_without_coordinates_there_are_no_millimetres_and_one_peak():
    data = np.zeros(20)
    data[[0, 4]], data[1:4] = (5, 6), 1
    mesh = Mesh(n_vertices=20, triangles=paper(4, 5).triangles)
    found = find_regions(data, mesh, Criteria(threshold="0.5", min_peak_distance=0))
    (region,) = found.regions
    assert [peak.vertex for peak in region.peaks] == [4]
    assert all(map(math.isnan, (*region.peak.xyz, *region.com_xyz)))
    assert region.area_mm2 is None
    assert found.warnings == ("the vertices' areas are not known: the smallest area of 100 mm2 was not applied",)
    with pytest.raises(BadMap, match="smallest area of 20 mm2 was asked") as refused:
        find_regions(data, mesh, Criteria(min_region_area=20, threshold="0.5"))
    assert "--vertex-areas" in refused.value.hint
    assert find_regions(data, mesh, Criteria(threshold="0.5", min_region_vertices=1)).warnings == ()


def test_the_default_minimum_is_100_square_millimetres():
    sheet = paper(5, 5, step=5.0)
    data = np.zeros((5, 5))
    data[0, :], data[3:, 0] = 4, 4  # 5 vertices on the rim of 25 mm2 triangles, and 2
    areas = {r.n_vertices: r.area_mm2 for r in regions_of(data.ravel(), sheet)}
    assert areas[5] < 100
    assert find_regions(data.ravel(), sheet).regions == ()
    data[1, :] = 4
    (region,) = find_regions(data.ravel(), sheet).regions
    assert region.n_vertices == 10
    assert region.area_mm2 > 100


def test_a_mask_counts_and_vertices_outside_it_join_nothing():
    sheet, mask = paper(3, 5), np.ones(15, bool)
    mask[[2, 7, 12]] = False
    found = find_regions(np.full(15, 4.0), sheet, Criteria(min_region_vertices=1), mask=mask)
    assert found.labels.reshape(3, 5)[0].tolist() == [1, 1, 0, 2, 2]
    assert (found.n_above, found.cutoff.population_size) == (12, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"triangles": np.array([[0, 1, 4]])}, "triangles of vertices up to 4, and 4 vertices"),
        ({"triangles": np.array([[0, -1, 2]])}, "and 4 vertices"),
        ({"triangles": np.array([0, 1, 2])}, r"triangles have shape \(3,\)"),
        ({"coordinates": np.zeros((3, 3))}, r"4 vertices, and coordinates of shape \(3, 3\)"),
        ({"given_areas": np.zeros((4, 1))}, r"4 vertices, and areas of shape \(4, 1\)"),
    ],
)
def test_a_mesh_that_does_not_fit_itself_is_refused(change, message):
    with pytest.raises(BadMap, match=message) as refused:
        Mesh(**{"n_vertices": 4, "triangles": np.array([[0, 1, 2]])} | change)
    assert refused.value.hint


def test_a_map_of_another_mesh_is_refused_with_both_counts():
    with pytest.raises(BadMap, match="map has 16 values, its meshes and structures 15"):
        find_regions(np.zeros(16), paper(3, 5))


@pytest.mark.parametrize(
    ("knobs", "what"),
    [
        ({"extract_type": "local_regions"}, "local_regions"),
        ({"convention": "nilearn"}, "local_regions"),
        ({"grf": True}, "random field theory"),
    ],
)
def test_what_is_known_of_voxels_alone_is_refused(knobs, what):
    with pytest.raises(BadMap, match=f"{what} was asked of a surface map"):
        find_regions(np.linspace(0.1, 4, 15), paper(3, 5), Criteria(**knobs))
