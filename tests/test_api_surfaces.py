"""Maps on surfaces in Python: files, images, pairs and nilearn's SurfaceImage in; label images of the same kind out."""

import nibabel as nib
import numpy as np
import pytest
from nilearn import surface
from nilearn.datasets import load_fsaverage

from bids_regions import demo, find_regions, read_results
from bids_regions.cli import main
from bids_regions.errors import BadMap, Contradiction, MissingInput, UnsuitableMap
from bids_regions.space import Grayordinates, Mesh, Sheet


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The demo's real map on fsaverage5, left and right."""
    folder = tmp_path_factory.mktemp("surfaces")
    demo.make_surface_demo(folder, demo.find_real_map())
    return sorted(folder.rglob("*_statmap.func.gii"))


@pytest.fixture(scope="module")
def arrays(pair):
    return [nib.load(path).agg_data() for path in pair]


def surface_image(arrays):
    return surface.SurfaceImage(load_fsaverage("fsaverage5")["pial"], dict(zip(("left", "right"), arrays, strict=True)))


def sizes(found):
    return [(region.hemi, region.sign, region.n_vertices) for region in found]


def test_a_pair_of_files_gives_the_tables_of_the_app(pair, tmp_path):
    dataset = pair[0].parent.parent
    assert main([str(dataset), str(tmp_path / "out"), "participant", "--nprocs", "1"]) == 0
    (result,) = read_results(tmp_path / "out")
    found = find_regions(tuple(pair), threshold="3.0")
    assert found.to_dataframe().equals(result.to_dataframe())
    assert found.peaks_dataframe().equals(result.peaks_dataframe())
    for ours, theirs in zip(found.to_image(), result.image(), strict=True):
        assert ours.to_bytes() == theirs.to_bytes()
    assert found.to_dataframe().columns[3:7].tolist() == ["hemi", "structure", "n_vertices", "area_mm2"]


def test_pairs_come_in_every_form(pair):
    expected = sizes(find_regions(tuple(pair), threshold=3.0))
    assert len(expected) == 5
    images = [nib.load(path) for path in pair]
    for given in (
        list(map(str, pair)),
        pair[::-1],  # their names tell the sides
        {"left": pair[0], "right": pair[1]},
        {"right": images[1], "left": images[0]},
        images,
    ):
        assert sizes(find_regions(given, threshold=3.0, space="fsaverage5")) == expected
    left = find_regions(pair[0], threshold=3.0)
    assert sizes(left) == [row for row in expected if row[0] == "L"]
    assert isinstance(left.to_image(), nib.gifti.GiftiImage)
    assert np.array_equal(left.to_image().agg_data(), left.labels)


def test_an_image_of_nilearn_comes_back_as_one(pair, arrays):
    found = find_regions(surface_image(arrays), threshold=3.0)
    labels = found.to_image()
    assert isinstance(labels, surface.SurfaceImage)
    assert labels.data.parts["left"].dtype.kind in "iu"
    assert np.array_equal(np.concatenate([labels.data.parts[side] for side in ("left", "right")]), found.labels)
    by_files = find_regions(tuple(pair), threshold=3.0)
    assert {row[2] for row in sizes(found)} == {row[2] for row in sizes(by_files)}
    areas = found.to_dataframe().area_mm2
    mesh = load_fsaverage("fsaverage5")["pial"].parts["right"]
    a, b, c = (mesh.coordinates[mesh.faces[:, k]] for k in range(3))
    third = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    own = np.bincount(mesh.faces.ravel(), np.repeat(third, 3))[found.labels[10242:] == 1].sum()
    assert areas[0] == pytest.approx(own)
    assert found.to_dataframe().peak_x.notna().all()  # its mesh has places
    named = find_regions(tuple(pair), threshold=3.0, surfaces=load_fsaverage("fsaverage5")["pial"])
    assert named.to_dataframe().equals(found.to_dataframe())


def test_the_sizes_are_those_of_nilearn(arrays):
    image = surface_image(arrays)
    labels = find_regions(image, threshold=3.0, convention="nilearn", tail="bi").labels
    for k, side in enumerate(("left", "right")):
        own = labels[10242 * k : 10242 * (k + 1)]
        edges = np.concatenate([image.mesh.parts[side].faces[:, pair] for pair in ((0, 1), (1, 2), (2, 0))])
        joined = (own[edges[:, 0]] > 0) & (own[edges[:, 1]] > 0)
        same_sign = np.sign(arrays[k][edges[:, 0]]) == np.sign(arrays[k][edges[:, 1]])
        assert (own[edges[:, 0]] == own[edges[:, 1]])[joined & same_sign].all()
        assert ((own > 0) == (np.abs(arrays[k]) >= 3.0)).all()


def test_masks_and_second_maps_on_surfaces(pair, arrays):
    mask = [np.zeros(10242, bool), np.ones(10242, bool)]
    image = surface_image(arrays)
    inside = surface.SurfaceImage(image.mesh, {"left": mask[0].astype(float), "right": mask[1].astype(float)})
    for given in (np.concatenate(mask), inside):
        assert {row[0] for row in sizes(find_regions(tuple(pair), threshold=3.0, mask=given))} == {"R"}
    table = find_regions(tuple(pair), threshold=3.0, values=tuple(pair)).to_dataframe()
    assert np.allclose(table.values_at_peak, table.peak_value)
    with pytest.raises(BadMap, match="the mask lies on something else"):
        find_regions(tuple(pair), threshold=3.0, mask=pair[0])


def test_cifti_comes_back_as_labels_of_the_same_grayordinates(tmp_path):
    left = nib.cifti2.BrainModelAxis.from_surface(np.arange(100, 10242), 10242, "CortexLeft")
    solid = nib.cifti2.BrainModelAxis.from_mask(np.ones((4, 4, 4), bool), "THALAMUS_LEFT", np.diag([2.0, 2, 2, 1]))
    axes = (nib.cifti2.ScalarAxis(["map"]), left + solid)
    data = np.zeros((1, len(left) + 64), np.float32)
    data[0, :50], data[0, -64:] = 4.0, 5.0
    image = nib.Cifti2Image(data, nib.Cifti2Header.from_axes(axes))
    path = tmp_path / "a_space-fsaverage5_stat-z_statmap.dscalar.nii"
    image.to_filename(path)
    for given in (image, path, nib.load(path)):
        found = find_regions(given, threshold=3.0, min_region_vertices=1, min_region_voxels=1, space="fsaverage5")
        labels = found.to_image()
        assert isinstance(labels, nib.Cifti2Image)
        assert np.array_equal(labels.get_fdata().ravel(), found.labels)
        assert labels.header.get_axis(1) == axes[1]
        assert 64 in found.to_dataframe().n_voxels.tolist()
        assert len(found.plot().axes) == 2


def test_regions_below_the_cortex_are_told_where_no_sheet_shows_them(tmp_path):
    left = nib.cifti2.BrainModelAxis.from_surface(np.arange(10242), 10242, "CortexLeft")
    solid = nib.cifti2.BrainModelAxis.from_mask(np.ones((4, 4, 4), bool), "THALAMUS_LEFT", np.diag([2.0, 2, 2, 1]))
    data = np.zeros((1, len(left) + 64), np.float32)
    data[0, :50], data[0, -64:] = 1.0, 5.0
    image = nib.Cifti2Image(data, nib.Cifti2Header.from_axes((nib.cifti2.ScalarAxis(["map"]), left + solid)))
    only_below = find_regions(image, threshold=3.0, min_region_voxels=1, space="fsaverage5")
    assert len(only_below) == 1
    assert only_below.plot().figure.get_suptitle() == ""
    html = only_below._repr_html_()
    assert html.endswith("<p>Not in the picture: 1 region in voxels below the cortex.</p>")
    assert "No region survived" not in html
    nothing = find_regions(image, threshold=6.0, space="fsaverage5")
    assert nothing.plot().figure.get_suptitle().startswith("No region survived")
    assert "below the cortex" not in nothing._repr_html_()


def test_what_a_surface_has_not_is_refused(pair, arrays, tmp_path):
    with pytest.raises(BadMap, match="no mesh of 10242 vertices is known for an unknown space") as told:
        find_regions([nib.load(path) for path in pair], threshold=3.0)
    assert "--" not in str(told.value)
    assert "space where only the space is missing" in told.value.hint
    with pytest.raises(Contradiction, match="grf = True: known for voxels only"):
        find_regions(tuple(pair), threshold=3.1, grf=True)
    with pytest.raises(BadMap, match="the convention fsl is for voxels"):
        find_regions(tuple(pair), convention="fsl")
    with pytest.raises(Contradiction, match="connectivity = 26"):
        find_regions(tuple(pair), connectivity=26)
    with pytest.raises(MissingInput, match="nowhere"):
        find_regions(tmp_path / "nowhere.func.gii")
    with pytest.raises(MissingInput, match=r"mid\.surf\.gii is not there"):
        find_regions(tuple(pair), surfaces=("mid.surf.gii", "other.surf.gii"))
    with pytest.raises(Contradiction, match="surfaces is a int"):
        find_regions(tuple(pair), surfaces=3)
    with pytest.raises(BadMap, match="Name them left and right"):
        find_regions({"top": pair[0]})
    with pytest.raises(UnsuitableMap, match="not one number for each vertex"):
        find_regions(surface_image([np.stack([each, each], 1) for each in arrays]))
    with pytest.raises(Contradiction, match="smoothness is of voxels"):
        find_regions(tuple(pair), threshold=3.0, smoothness=(8, 8, 8))
    corners = surface.InMemoryMesh(np.eye(3), np.array([[0, 1, 2]]))
    small = surface.PolyMesh(left=corners, right=corners)
    with pytest.raises(BadMap, match="has 3 vertices, the map 10242"):
        find_regions(tuple(pair), threshold=3.0, surfaces=small)
    with pytest.raises(BadMap, match="a pair of GiftiImage and PosixPath"):
        find_regions((nib.load(pair[0]), pair[1]))


def test_an_array_on_a_mesh_of_ones_own(arrays):
    mesh = load_fsaverage("fsaverage5")["pial"].parts["left"]
    laid = Mesh(n_vertices=10242, triangles=mesh.faces, coordinates=mesh.coordinates)
    found = find_regions(arrays[0], laid, threshold=3.0)
    assert len(found) == 3
    assert np.array_equal(found.to_image().agg_data(), found.labels)


def test_the_view_in_a_notebook_is_a_table_and_a_picture(pair):
    html = find_regions(tuple(pair), threshold=3.0)._repr_html_()
    assert "n_vertices" in html
    assert '<img src="data:image/webp;base64,' in html


def test_an_atlas_on_the_mesh_names_the_regions(pair, tmp_path):
    """A pair of label files: the front half of each hemisphere, by the y of the vertices, and the back half."""
    pial = load_fsaverage("fsaverage5")["pial"]
    paths = []
    for side, letter in (("left", "L"), ("right", "R")):
        keys = np.where(pial.parts[side].coordinates[:, 1] > 0, 1, 2).astype(np.int32)
        table = nib.gifti.GiftiLabelTable()
        for key, name in ((0, "???"), (1, "front"), (2, "back")):
            label = nib.gifti.GiftiLabel(key, 1, 0, 0, 1)
            label.label = name
            table.labels.append(label)
        array = nib.gifti.GiftiDataArray(keys, intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32")
        path = tmp_path / f"tpl-fsaverage_hemi-{letter}_den-10k_atlas-Halves_dseg.label.gii"
        nib.save(nib.gifti.GiftiImage(darrays=[array], labeltable=table), path)
        paths.append(path)
    found = find_regions(tuple(pair), threshold=3.0, atlas=paths)
    keys = np.concatenate([nib.load(path).agg_data() for path in paths])
    first = {"L": 0, "R": 10242}
    for region, peak in zip(found, found.to_dataframe().Halves_peak, strict=True):
        assert peak == {1: "front", 2: "back"}[keys[first[region.hemi] + region.peak.vertex]]
        assert region.name.startswith("Left" if region.hemi == "L" else "Right")
    with pytest.raises(Contradiction, match="of vertices"):
        find_regions(demo.find_real_map(), threshold=3.0, atlas=paths, space="fsaverage")


def test_a_sheet_is_known_by_its_content():
    """A mesh that is gone may leave its address to another one: drawn poses are kept by what was drawn."""
    corners = np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    triangles = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])

    def drawn(xyz, faces):
        mesh = Mesh(n_vertices=4, triangles=faces, coordinates=xyz)
        laid = Grayordinates(pieces=(Sheet(structure="CORTEX_LEFT", mesh=mesh),))
        found = find_regions(np.array([5.0, 5, 0, 0]), laid, threshold=3.0, min_region_vertices=1)
        return found.shown.hemispheres()[0].sheet

    one = drawn(corners, triangles)
    assert drawn(corners.copy(), triangles.copy()) == one
    assert drawn(corners * 2, triangles) != one
    assert drawn(corners, triangles[:3]) != one


def test_what_changes_nothing_is_refused_or_said(pair, arrays):
    volume = nib.Nifti1Image(np.full((4, 4, 4), 5, np.float32), np.eye(4))
    for asked, words in (
        ({"surfaces": "mid.surf.gii"}, "surfaces is of a map on surfaces in files or images, and the map lies in vox"),
        ({"vertex_areas": ("a.gii", "b.gii"), "surfaces": "none"}, "vertex_areas is of a map on surfaces"),
        ({"vertex_areas": "a.gii", "surfaces": "b.gii"}, "surfaces and vertex_areas are of a map on surfaces"),
    ):
        with pytest.raises(Contradiction, match=words):
            find_regions(volume, threshold=3.0, **asked)
    mesh = Mesh(n_vertices=3, triangles=np.array([[0, 1, 2]]))
    with pytest.raises(Contradiction, match=r"and the array brings what it lies on. Leave surfaces out"):
        find_regions(np.ones(3), mesh, surfaces="mid.surf.gii")
    said = find_regions(volume, threshold=3.0, min_region_area=5.0, smoothness=(8, 8, 8), surfaces="none").warnings
    assert [words.partition(":")[0] for words in said] == [
        "min_region_area was given and changes nothing", "smoothness was given and changes nothing",
    ]  # fmt: skip
    (only,) = find_regions(tuple(pair), threshold=3.0, min_region_voxels=5).warnings
    assert only.startswith("min_region_voxels was given and changes nothing: it needs a map with voxels")
    assert find_regions(volume, threshold=3.0, min_region_voxels=5, min_peak_distance=4.0).warnings == ()
    assert find_regions(volume, threshold=3.0, surfaces=None, vertex_areas=None).warnings == ()


def test_named_areas_hold_beside_the_mesh_that_an_image_brings(arrays, tmp_path):
    paths = []
    for side, numbers in zip("LR", arrays, strict=True):
        one = nib.gifti.GiftiDataArray(np.full(numbers.size, 2, np.float32), datatype="NIFTI_TYPE_FLOAT32")
        paths.append(tmp_path / f"hemi-{side}_area.shape.gii")
        nib.save(nib.gifti.GiftiImage(darrays=[one]), paths[-1])
    found = find_regions(surface_image(arrays), threshold=3.0, vertex_areas=tuple(paths))
    assert len(found) > 2
    assert [region.area_mm2 for region in found] == [2 * region.n_vertices for region in found]


def test_of_several_maps_one_is_asked_for_in_words_of_python(arrays, tmp_path):
    several = nib.gifti.GiftiImage(darrays=[nib.gifti.GiftiDataArray(arrays[0].astype(np.float32))] * 2)
    with pytest.raises(UnsuitableMap, match=r"holds 2 arrays. Give a file or an image that holds one of them.$"):
        find_regions(several)
