"""CIFTI at the group level: grayordinates are matched by structure and vertex or voxel, whatever the files' order."""

import nibabel as nib
import numpy as np
import pytest
import trees
from cohorts import contents, find, rows, run
from scipy import ndimage
from surface_bytes import cifti, cifti_xml, data_array, gifti, mesh, metadata, put
from surface_trees import SIDE, plane
from validator import validate

N = SIDE * SIDE
SHAPE = (6, 5, 4)
VOLUME = (
    '<Volume VolumeDimensions="6,5,4"><TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent="-3">'
    "{zoom} 0 0 -6 0 {zoom} 0 -5 0 0 {zoom} -4 0 0 0 1</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>"
)
VOXELS = np.argwhere(np.ones(SHAPE, bool))[:100]
ALL = {"CORTEX_LEFT": np.arange(N - 10), "CORTEX_RIGHT": np.arange(5, N), "THALAMUS_LEFT": VOXELS}
PATCH = {"CORTEX_LEFT": np.arange(N) >= 30, "CORTEX_RIGHT": np.arange(N) < 70}  # of vertices


def layout(k):
    """What the map of participant k has, in its file's order: others lack some vertices, a structure, or turn round."""
    own = dict(ALL)
    if k == 1:
        own = dict(reversed(own.items()))
    if k == 2:
        own = {**own, "CORTEX_LEFT": own["CORTEX_LEFT"][7:][::-1], "THALAMUS_LEFT": VOXELS[10:]}
    if k == 3:
        del own["THALAMUS_LEFT"]
    return own


def value(k, structure, place):
    """A person's value at a vertex or voxel: high in a patch of each structure, less so in odd ones, else near one."""
    rng = np.random.default_rng([k, *map(ord, structure), *np.atleast_1d(place)])
    calm = rng.normal(1, 0.1)
    if structure == "THALAMUS_LEFT":
        inside = place[0] < 3
        return calm - (6 if inside and k != 0 else 0)
    return calm + (5 if PATCH[structure][place] and (k + place) % 5 else 0)


def xml(own, zoom=2):
    """The brain models of a layout."""
    parts, offset = [VOLUME.format(zoom=zoom)], 0
    for structure, places in own.items():
        head = f'<BrainModel IndexOffset="{offset}" IndexCount="{len(places)}" '
        head += f'BrainStructure="CIFTI_STRUCTURE_{structure}" '
        offset += len(places)
        if structure == "THALAMUS_LEFT":
            numbers = "\n".join(" ".join(map(str, ijk)) for ijk in places.tolist())
            inner = f'ModelType="CIFTI_MODEL_TYPE_VOXELS"><VoxelIndicesIJK>{numbers}</VoxelIndicesIJK>'
        else:
            numbers = " ".join(map(str, places.tolist()))
            kind = f'ModelType="CIFTI_MODEL_TYPE_SURFACE" SurfaceNumberOfVertices="{N}">'
            inner = f"{kind}<VertexIndices>{numbers}</VertexIndices>"
        parts.append(f"{head}{inner}</BrainModel>")
    return cifti_xml("".join(parts))


def put_person(root, k, own=None, zoom=2):
    folder = root / f"sub-{k:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    own = layout(k) if own is None else own
    data = [
        value(k, name, tuple(p) if name == "THALAMUS_LEFT" else int(p)) for name, places in own.items() for p in places
    ]
    name = f"sub-{k:02d}_task-x_space-plane_contrast-a_stat-z_statmap.dscalar.nii"
    put(folder / name, cifti(np.array([data], np.float32), xml(own, zoom)))


def start(root):
    root.mkdir(parents=True)
    trees.describe(root)
    for side in "LR":
        put(root.parent / f"{side}.surf.gii", mesh(*plane()))
    return root


def on_plane(root, out, *words):
    surfaces = [root.parent / f"{side}.surf.gii" for side in "LR"]
    return run(root, out, "--surfaces", *surfaces, "--min-region-area", 20, "--min-region-size", 40, *words)


def by_place(path):
    """What a CIFTI file has at each place, read by nibabel."""
    image = nib.load(path)
    found = {}
    for name, where, model in image.header.get_axis(1).iter_structures():
        places = model.voxel.tolist() if model.voxel.max() >= 0 else model.vertex.tolist()
        structure = name.removeprefix("CIFTI_STRUCTURE_")
        for place, number in zip(places, np.asarray(image.dataobj)[0][where].tolist(), strict=True):
            found[structure, tuple(place) if isinstance(place, list) else place] = number
    return found


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = start(tmp_path_factory.mktemp("cifti") / "maps")
    for k in range(5):
        put_person(root, k)
    return root


@pytest.fixture(scope="module")
def out(cohort):
    folder = cohort.parent / "out"
    assert on_plane(cohort, folder) == 0
    return folder


def regions_of(out):
    """Each person's signs at each place, from its own label file and table."""
    people = []
    for path in sorted(out.glob("sub-*/*_dseg.dlabel.nii")):
        table = {int(row["index"]): row["sign"] for row in rows(path.with_name(path.name[:-11] + ".tsv"))}
        people.append({place: table.get(int(number), "") for place, number in by_place(path).items()})
    return people


def test_prevalence_and_coverage_are_counted_place_by_place(out):
    people = regions_of(out)
    places = {place for one in people for place in one}
    found = {
        n: by_place(find(out, f"{n}_probseg.dscalar.nii"))
        for n in ("PosSurfacePrevalence", "NegSurfacePrevalence", "SurfaceCoverage")
    }
    assert (
        found["SurfaceCoverage"].keys()
        == places
        == {(s, tuple(p) if s[0] == "T" else int(p)) for s, all_ in ALL.items() for p in all_}
    )
    for place in places:
        have = [one[place] for one in people if place in one]
        assert found["SurfaceCoverage"][place] == np.float32(len(have) / 5)
        for name, sign in (("PosSurfacePrevalence", "positive"), ("NegSurfacePrevalence", "negative")):
            assert found[name][place] == np.float32(have.count(sign) / len(have))


def test_consensus_voxels_are_the_components_of_scipy_and_never_join_the_cortex(out):
    labels, negative = (
        by_place(find(out, "Consensus_dseg.dlabel.nii")),
        by_place(find(out, "NegSurfacePrevalence_probseg.dscalar.nii")),
    )
    volume = np.zeros(SHAPE, bool)
    for (structure, place), share in negative.items():
        if structure == "THALAMUS_LEFT":
            volume[place] = share >= 0.5
    components, n = ndimage.label(volume)
    assert n == 1
    table = [row for row in rows(find(out, "Consensus_dseg.tsv")) if row["structure"] == "THALAMUS_LEFT"]
    assert [(row["n_voxels"], row["n_vertices"], row["hemi"]) for row in table] == [(str(components.sum()), "n/a", "L")]
    own = {place for place, number in labels.items() if number == int(table[0]["index"])}
    assert own == {("THALAMUS_LEFT", tuple(ijk)) for ijk in np.argwhere(volume).tolist()}
    assert float(table[0]["volume_mm3"]) == 8 * components.sum()


def test_values_say_the_structure_and_count_voxels_or_vertices(out):
    table = rows(out / "group_values.tsv")
    for row in table:
        of_voxels = row["structure"] == "THALAMUS_LEFT"
        assert (row["n_vertices"] == "n/a", row["n_voxels"] == "n/a") == (of_voxels, not of_voxels)
    lacking = [row for row in table if row["participant_id"] == "sub-03" and row["structure"] == "THALAMUS_LEFT"]
    assert [(row["n_voxels"], row["mean_value"], row["dice"]) for row in lacking] == [("0", "n/a", "n/a")]


def test_the_page_says_who_lacks_what(out):
    page = (out / "group.html").read_text()
    assert "sub-03 has no thalamus left" in page
    assert "1 of 5 maps lack some of the 373 vertices and voxels" in page


def test_the_output_is_valid(out):
    assert validate(out) == []


def test_files_of_any_order_give_the_same_results(out, cohort, tmp_path):
    """The same maps, every structure turned round in its file: the same shares at the same places, the same table."""
    turned = start(tmp_path / "maps")
    for k in range(5):
        own = dict(reversed([(name, places[::-1]) for name, places in layout(k).items()]))
        put_person(turned, k, own)
    assert on_plane(turned, tmp_path / "out") == 0
    for path in out.glob("tpl-*/*.nii"):
        assert (tmp_path / "out" / "tpl-plane" / path.name).read_bytes() == path.read_bytes()
    for name in ("group_values.tsv", "group_participants.tsv", "group_agreement.tsv"):
        assert (tmp_path / "out" / name).read_text() == (out / name).read_text()


def test_workers_change_no_byte(cohort, out):
    assert on_plane(cohort, cohort.parent / "again", "--nprocs", 2) == 0
    assert contents(cohort.parent / "again") == contents(out)


def test_voxels_of_another_volume_are_never_mixed(tmp_path):
    root = start(tmp_path / "maps")
    for k, zoom in enumerate((2, 2, 3)):
        put_person(root, k, dict(ALL), zoom)
    assert on_plane(root, tmp_path / "out") == 0
    status = {row["participant_id"]: row["status"] for row in rows(tmp_path / "out" / "group_participants.tsv")}
    assert status == {"sub-00": "ok", "sub-01": "ok", "sub-02": "left out"}


def test_values_in_regions_of_a_dlabel_file(cohort, out, tmp_path):
    """A consensus of the same maps comes back: the same means, and still circular; label.gii files serve as well."""
    again = tmp_path / "again"
    labels = find(out, "Consensus_dseg.dlabel.nii")
    assert on_plane(cohort, again, "--regions-from", labels) == 0
    mine, told = rows(out / "group_values.tsv"), rows(again / "group_values.tsv")
    assert [(row["participant_id"], row["region"], row["mean_value"]) for row in mine] == [
        (row["participant_id"], row["region"], row["mean_value"]) for row in told
    ]
    assert "circular" in (again / "group_values.json").read_text()


def test_a_key_of_both_hemispheres_is_two_regions(cohort, out, tmp_path):
    names = '<LabelTable><Label Key="7" Red="1" Green="0" Blue="0" Alpha="1">V1</Label></LabelTable>'
    for side, word in (("L", "CortexLeft"), ("R", "CortexRight")):
        keys = np.where(np.arange(N) < 60, 7, 0).astype(np.int32)
        front = metadata(AnatomicalStructurePrimary=word) + names
        put(tmp_path / f"atlas_hemi-{side}_dseg.label.gii", gifti(data_array(keys, "LABEL"), front=front))
    files = [tmp_path / f"atlas_hemi-{side}_dseg.label.gii" for side in "LR"]
    assert on_plane(cohort, tmp_path / "out", "--regions-from", *files) == 0
    table = rows(tmp_path / "out" / "group_values.tsv")
    assert {(row["region"], row["region_name"], row["hemi"]) for row in table} == {
        ("7", "Left V1", "L"),
        ("17", "Right V1", "R"),
    }
    right = next(row for row in table if row["participant_id"] == "sub-00" and row["hemi"] == "R")
    expected = np.mean([np.float32(value(0, "CORTEX_RIGHT", place)) for place in range(5, 60)])
    assert float(right["mean_value"]) == pytest.approx(expected, rel=1e-6)
    assert "circular" not in (tmp_path / "out" / "group_values.json").read_text()
