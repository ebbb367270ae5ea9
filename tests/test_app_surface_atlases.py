"""Names of regions on surfaces: label files that nibabel writes, shares by area against sums over triangles by hand."""

import nibabel as nib
import numpy as np
import pytest
import trees
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis
from surface_bytes import mesh, put
from surface_trees import SIDE, bumps, fslr, labels, plane, put_pair, record, run, table

from bids_regions.cli import main
from bids_regions.meshes import load_areas

N = SIDE * SIDE
NAMES = {0: "???", 1: "West", 2: "East", 7: "Rim"}


def keys():
    """Two labels that cross the plane's bumps, a third, and a strip without one."""
    x = np.arange(N) // SIDE
    return np.where(x < 4, 1, np.where(x < 8, 2, np.where(x < 10, 7, 0))).astype(np.int32)


def put_labels(path, values, names=NAMES, structure=""):
    table = nib.gifti.GiftiLabelTable()
    for key, name in names.items():
        label = nib.gifti.GiftiLabel(key=key, red=1, green=0, blue=0, alpha=1)
        label.label = name
        table.labels.append(label)
    array = nib.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32")
    meta = nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure} if structure else {})
    nib.save(nib.gifti.GiftiImage(darrays=[array], labeltable=table, meta=meta), path)
    return path


def areas(xyz, triangles):
    """A third of every triangle for each of its corners."""
    found = np.zeros(len(xyz))
    for corners in triangles:
        a, b, c = xyz[corners].astype(float)
        for corner in corners:
            found[corner] += np.linalg.norm(np.cross(b - a, c - a)) / 6
    return found


@pytest.fixture
def sheets(tmp_path):
    """Maps of both hemispheres on a plane whose squares grow along x, and its meshes."""
    trees.describe(tmp_path / "in")
    put_pair(tmp_path / "in" / "sub-01", L=bumps(1), R=bumps(2))
    xyz, triangles = plane()
    xyz[:, 0] **= 1.5
    for side in "LR":
        put(tmp_path / f"{side}.surf.gii", mesh(xyz, triangles))
    return tmp_path, areas(xyz, triangles)


def extract(folder, *words):
    meshes = (folder / "L.surf.gii", folder / "R.surf.gii")
    words = ("--threshold", 2, "--min-region-vertices", 3, "--surfaces", *meshes, *words)
    return run(folder / "in", folder / "out", *words)


def shares(text):
    return {name: float(share.rstrip("%")) for name, _, share in (part.rpartition(" ") for part in text.split("; "))}


def check_against_triangles(folder, area, atlas="Three", names=NAMES):
    rows = table(folder / "out")
    assert len(rows) > 3
    crossing = 0
    for row in rows:
        own = labels(folder / "out", row["hemi"]) == int(row["index"])
        peak = keys()[int(row["peak_vertex"])]
        assert row[f"{atlas}_peak"] == (names[peak] if peak else "unlabelled")
        expected = {}
        for key, name in names.items():
            inside = own & (keys() == key)
            of_region = 100 * area[inside].sum() / area[own].sum()
            of_label = 100 * area[inside].sum() / area[keys() == key].sum()
            if of_region >= 10 or (key and of_label >= 25):
                expected["unlabelled" if key == 0 else name] = of_region
        crossing += len(expected) > 1
        assert shares(row[f"{atlas}_overlap"]) == pytest.approx(expected, abs=0.51)
        side = {"L": "Left", "R": "Right"}[row["hemi"]]
        assert row["name"].startswith(f"{side} {names[peak] if peak else 'unlabelled'}")
    assert crossing > 2
    return rows


def test_a_pair_of_label_files_names_regions_by_area(sheets):
    folder, area = sheets
    pair = [put_labels(folder / f"tpl-plane_hemi-{s}_atlas-Three_dseg.label.gii", keys()) for s in "LR"]
    assert extract(folder, "--atlas", *pair) == 0
    check_against_triangles(folder, area)
    counts = {}
    for row in table(folder / "out", "_peaks.tsv"):
        counts[row["Three_peak"]] = counts.get(row["Three_peak"], 0) + 1
    assert counts.keys() <= {"West", "East", "Rim", "unlabelled"}
    (said,) = record(folder / "out")["Atlases"]
    assert said["File"] == ", ".join(path.name for path in pair)
    assert (said["OnSurfaces"], said["NumberOfLabels"], said["Space"]) == (True, 6, "plane")


def test_sides_are_told_by_metadata_before_names_and_a_list_beside_names_the_keys(sheets):
    folder, area = sheets
    pair = [
        put_labels(folder / f"{name}.gii", keys(), {}, structure)
        for name, structure in (("one", "CortexRight"), ("two", "CortexLeft"))
    ]
    names = {1: "Occident", 2: "Orient", 7: "Edge"}
    for path in pair:
        put(path.with_suffix(".tsv"), "\n".join(["index\tname", *(f"{k}\t{v}" for k, v in names.items())]).encode())
    words = (f"{pair[0]}?space=plane&name=Lists", f"{pair[1]}?space=plane")
    assert extract(folder, "--atlas", *words) == 0
    check_against_triangles(folder, area, "Lists", {0: "???", **names})


def test_a_single_file_names_its_hemisphere_alone(sheets):
    folder, _ = sheets
    assert extract(folder, "--atlas", put_labels(folder / "tpl-plane_hemi-R_atlas-Three_dseg.label.gii", keys())) == 0
    found = {(row["hemi"], row["Three_overlap"] == "unlabelled 100%") for row in table(folder / "out")}
    assert ("L", True) in found
    assert ("L", False) not in found
    assert ("R", False) in found


def test_an_atlas_of_another_mesh_or_of_voxels_is_not_applicable_and_the_record_says_why(sheets, capsys):
    folder, _ = sheets
    other = put_labels(folder / "tpl-plane_hemi-L_atlas-Few_dseg.label.gii", keys()[:100])
    voxels = folder / "tpl-plane_atlas-Box_dseg.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), voxels)
    put(folder / "tpl-plane_atlas-Box_dseg.tsv", b"index\tname\n1\tBox\n")
    assert extract(folder, "--atlas", other, voxels) == 0
    for row in table(folder / "out"):
        assert {row[name] for name in ("Few_peak", "Few_overlap", "Box_peak", "Box_overlap")} == {"n/a"}
        assert row["name"] == f"region-{row['index']}"
    reasons = [each["NotUsed"] for each in record(folder / "out")["Atlases"]]
    assert reasons == [
        "The atlas Few has 100 vertices in CORTEX_LEFT, the map 144",
        "The atlas Box is of voxels and the map is on surfaces",
    ]
    assert all(any(reason in warning for warning in record(folder / "out")["Warnings"]) for reason in reasons)


def test_an_atlas_of_another_space_or_without_labels_is_refused(sheets, capsys):
    folder, _ = sheets
    elsewhere = put_labels(folder / "tpl-fsLR_hemi-L_atlas-Three_dseg.label.gii", keys())
    assert extract(folder, "--atlas", elsewhere) == 64
    assert extract(folder, "--atlas", elsewhere, "--atlas-space-unchecked") == 0
    empty = put_labels(folder / "tpl-plane_hemi-L_atlas-None_dseg.label.gii", 0 * keys())
    assert extract(folder, "--atlas", empty) == 66
    twice = [put_labels(folder / f"{name}_atlas-A.label.gii", keys(), structure="CortexLeft") for name in "ab"]
    assert extract(folder, "--atlas", *(f"{path}?space=plane" for path in twice)) == 66
    assert "is of the same hemisphere" in capsys.readouterr().err


def test_a_surface_atlas_is_not_applicable_on_volumes(tmp_path):
    source = tmp_path / "in"
    trees.describe(source)
    trees.write_map(source / "sub-01" / "func" / "sub-01_task-x_space-fsLR_contrast-a_stat-z_statmap.nii.gz")
    atlas = put_labels(tmp_path / "tpl-fsLR_hemi-L_atlas-Three_dseg.label.gii", keys())
    assert main([str(source), str(tmp_path / "out"), "participant", "--atlas", str(atlas)]) == 0
    assert all(row["Three_peak"] == "n/a" for row in table(tmp_path / "out"))
    (said,) = record(tmp_path / "out")["Atlases"]
    assert said["NotUsed"] == "The atlas Three is of vertices and the map is of voxels"


def check_bands(row, found, area):
    """The overlap of one region, by the areas that the package carries for fsLR."""
    vertices, numbers = found[f"CIFTI_STRUCTURE_{row['structure']}"]
    own = vertices[numbers == int(row["index"])]
    band = np.where(own % 8000 < 900, 0, 1 + own // 8000)
    whole = {int(key): 100 * area[own[band == key]].sum() / area[own].sum() for key in np.unique(band)}
    expected = {f"Band {k}" if k else "unlabelled": share for k, share in whole.items() if share >= 10}
    assert shares(row["Bands_overlap"]) == pytest.approx(expected, abs=0.51)


def test_a_dlabel_file_names_the_vertices_and_voxels_of_a_cifti_map(tmp_path):
    source = tmp_path / "in"
    trees.describe(source)
    stem = source / "sub-01" / "sub-01_task-y_space-fsLR_den-91k_contrast-a_stat-z_statmap.dscalar.nii"
    stem.parent.mkdir(parents=True)
    put(stem, fslr())
    models = nib.load(stem).header.get_axis(1)
    pieces = [(name, axis) for name, _, axis in models.iter_structures()]
    # the atlas has its structures the other way round: what counts is the vertex, not the row
    turned = sum((axis for _, axis in pieces[:-1][::-1]), pieces[-1][1])
    assert isinstance(turned, BrainModelAxis)
    values = np.where(turned.surface_mask, 1 + turned.vertex // 8000, 9).astype(np.float32)
    values[turned.surface_mask & (turned.vertex % 8000 < 900)] = 0
    names = {
        0: ("???", (0, 0, 0, 0)),
        9: ("Deep", (1, 0, 0, 1)),
        **{k: (f"Band {k}", (0, 1, 0, 1)) for k in range(1, 6)},
    }
    atlas = tmp_path / "tpl-fsLR_atlas-Bands_den-91k_dseg.dlabel.nii"
    image = Cifti2Image(values[None], (LabelAxis(["bands"], [names]), turned))
    image.nifti_header.set_intent("ConnDenseLabel")
    nib.save(image, atlas)
    out = tmp_path / "out"
    assert (
        run(source, out, "--threshold", 4, "--min-region-voxels", 1, "--min-region-vertices", 5, "--atlas", atlas) == 0
    )
    image, rows, seen = nib.load(next(out.rglob("*_dseg.dlabel.nii"))), table(out), set()
    data, structures = np.asarray(image.dataobj)[0], list(image.header.get_axis(1).iter_structures())
    found = {name: (model.vertex, data[part]) for name, part, model in structures}
    for row in rows:
        if row["peak_vertex"] == "n/a":
            assert (row["Bands_peak"], row["Bands_overlap"]) == ("Deep", "Deep 100%")
        else:
            vertex = int(row["peak_vertex"])
            expected = "unlabelled" if vertex % 8000 < 900 else f"Band {1 + vertex // 8000}"
            assert row["Bands_peak"] == expected
            check_bands(row, found, load_areas("fsLR", 32492, row["hemi"]))
        seen.add(row["Bands_peak"])
    assert {"Deep", "unlabelled", "Band 1", "Band 4"} <= seen
