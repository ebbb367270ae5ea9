"""Atlases on surfaces by TemplateFlow's names: a folder such as its, and which files a map of a mesh gets from it.

Labels are halves and quarters of the numbers of the vertices, so that what a region must be called is known by its
peak's number.
"""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import surface_cohort as group
import trees
from cohorts import find, rows
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis
from scipy import ndimage
from surface_bytes import data_array, gifti, put
from surface_trees import SIDE, fslr, put_pair, record, run, table
from test_app_surface_atlases import check_against_triangles, keys, put_labels, sheets

from bids_regions import find_regions
from bids_regions.atlases import AtlasUser, fit_to_maps
from bids_regions.errors import Contradiction, MissingInput
from bids_regions.tables import rows_of

__all__ = ["sheets"]  # a fixture

DESC = "100Parcels7Networks"
SPEC = f"templateflow:Schaefer2018?desc={DESC}"
FEW = SIDE * SIDE


def halves(n, names=("Low", "High")):
    """Two labels: the vertices below the middle number, and the others."""
    return np.where(np.arange(n) < n // 2, 1, 2).astype(np.int32), {0: "???", 1: names[0], 2: names[1]}


def put_sides(folder, stem, n, names=("Low", "High")):
    """A label file for each hemisphere; `stem` has {hemi}."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        put_labels(folder / f"{stem.format(hemi=f'hemi-{side}')}_dseg.label.gii", *halves(n, names)) for side in "LR"
    ]


def put_dlabel(path, axis, values, names):
    table = {key: (name, (0.5, 0.5, 0.5, float(key > 0))) for key, name in names.items()}
    image = Cifti2Image(np.asarray(values, np.float32)[None], (LabelAxis(["labels"], [table]), axis))
    image.nifti_header.set_intent("ConnDenseLabel")
    nib.save(image, path)
    return path


def cortex_of(n):
    """All vertices of two meshes."""
    sides = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")
    return sum(
        (BrainModelAxis.from_surface(np.arange(n), n, name) for name in sides[1:]),
        BrainModelAxis.from_surface(np.arange(n), n, sides[0]),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of TemplateFlow: fsLR in two densities and as a dlabel, fsaverage in two, a volume of the same name."""
    home = tmp_path_factory.mktemp("made")
    tail = f"atlas-Schaefer2018_desc-{DESC}"
    for template, order, densities in (
        ("fsLR", "den-{}_{{hemi}}", {"32k": 32492, "164k": 163842}),
        ("fsaverage", "{{hemi}}_den-{}", {"10k": 10242, "164k": 163842}),
    ):
        for density, n in densities.items():
            put_sides(home / f"tpl-{template}", f"tpl-{template}_{order.format(density)}_{tail}", n)
    stem = f"tpl-MNI152NLin6Asym_res-02_{tail}_dseg"
    trees.write_map(home / "tpl-MNI152NLin6Asym" / f"{stem}.nii.gz", np.ones(trees.SHAPE, np.uint8))
    (home / "tpl-MNI152NLin6Asym" / f"{stem}.tsv").write_text("index\tname\n1\tVoxels\n")
    values, names = halves(32492)
    dlabel = home / "tpl-fsLR" / f"tpl-fsLR_den-91k_{tail}_dseg.dlabel.nii"
    put_dlabel(dlabel, cortex_of(32492), np.tile(values, 2), names)
    return home


@pytest.fixture
def flow(made, tmp_path, monkeypatch):
    """A copy of it, of which a test may lose files."""
    home = shutil.copytree(made, tmp_path / "flow")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home))
    return home


def fit_one(spec, space="fsLR", form="gifti", n=32492):
    """What one request comes to for one map."""
    user = AtlasUser(space=space, form=form, n_vertices=n)
    (fitting,) = fit_to_maps([spec], [user])[user]
    return fitting


def names_of(fitting):
    return [path.name for path in fitting.atlas.paths]


@pytest.mark.parametrize(
    ("space", "form", "n", "stem"),
    [
        ("fsLR", "gifti", 32492, "tpl-fsLR_den-32k_{hemi}"),
        ("fsLR", "gifti", 163842, "tpl-fsLR_den-164k_{hemi}"),
        ("fsLR", "cifti", 32492, "tpl-fsLR_den-91k"),
        ("fsLR", "cifti", 163842, "tpl-fsLR_den-164k_{hemi}"),
        ("fsaverage", "gifti", 10242, "tpl-fsaverage_{hemi}_den-10k"),
        ("fsaverage5", "gifti", 10242, "tpl-fsaverage_{hemi}_den-10k"),
        ("fsaverage7", "gifti", 163842, "tpl-fsaverage_{hemi}_den-164k"),
    ],
)
@pytest.mark.usefixtures("flow")
def test_a_map_gets_the_files_of_its_template_mesh_and_form(space, form, n, stem):
    fitting = fit_one(SPEC, space, form, n)
    name = f"{stem}_atlas-Schaefer2018_desc-{DESC}_dseg."
    pair = [f"{name.format(hemi=f'hemi-{side}')}label.gii" for side in "LR"]
    assert names_of(fitting) == (pair if "hemi" in stem else [f"{name}dlabel.nii"])
    assert fitting.name == "Schaefer2018"
    assert sorted(set(fitting.atlas.names.values())) == ["High", "Low"]


@pytest.mark.usefixtures("flow")
def test_entities_of_one_hemisphere_find_both():
    assert names_of(fit_one(f"{SPEC}&den=32k&hemi=R")) == names_of(fit_one(SPEC))


@pytest.mark.parametrize("moved", ["L", "R"])
def test_entities_may_stand_in_another_order_on_the_other_side(flow, moved):
    folder, tail = flow / "tpl-fsLR", f"atlas-Schaefer2018_desc-{DESC}_dseg.label.gii"
    (folder / f"tpl-fsLR_den-32k_hemi-{moved}_{tail}").rename(folder / f"tpl-fsLR_hemi-{moved}_den-32k_{tail}")
    (given,) = folder.glob(f"tpl-fsLR_hemi-{moved}_den-32k_*")
    assert len(names_of(fit_one(SPEC))) == 2
    assert sorted(names_of(fit_one(str(given)))) == sorted(names_of(fit_one(SPEC)))


def test_of_one_file_of_a_template_the_other_hemisphere_is_found(flow):
    left, right = sorted((flow / "tpl-fsLR").glob("*_den-32k_hemi-*"))
    assert names_of(fit_one(str(left))) == [left.name, right.name]
    assert names_of(fit_one(str(right))) == [right.name, left.name]
    assert names_of(fit_one(f"{left}?name=Mine")) == [left.name, right.name]
    right.write_bytes(b"")  # as TemplateFlow keeps what it has not fetched
    assert names_of(fit_one(str(left))) == [left.name]
    right.unlink()
    assert names_of(fit_one(str(left))) == [left.name]


def test_what_was_not_fetched_is_told_and_another_density_is_none_of_it(flow):
    for path in (flow / "tpl-fsLR").glob("*_den-164k_*"):
        path.write_bytes(b"")
    assert len(names_of(fit_one(SPEC))) == 2
    for path in (flow / "tpl-fsLR").glob("*_den-91k_*"):
        path.write_bytes(b"")
    with pytest.raises(MissingInput, match="is empty"):
        fit_one(SPEC, form="cifti")
    for path in (flow / "tpl-fsLR").glob("*_den-32k_hemi-R*"):
        path.write_bytes(b"")
    with pytest.raises(MissingInput, match=r"hemi-R.*is empty"):
        fit_one(SPEC)


def test_files_are_believed_before_their_names(flow):
    tail = f"atlas-Schaefer2018_desc-{DESC}_dseg.label.gii"
    for side in "LR":
        coarse, fine = (flow / "tpl-fsLR" / f"tpl-fsLR_den-{den}_hemi-{side}_{tail}" for den in ("32k", "164k"))
        content = coarse.read_bytes()
        coarse.write_bytes(fine.read_bytes())
        fine.write_bytes(content)
    assert all("_den-164k_" in name for name in names_of(fit_one(SPEC)))


@pytest.mark.usefixtures("flow")
def test_a_mesh_that_is_not_there_is_refused_with_both_counts():
    sentence = "The atlas Schaefer2018 has 32492 or 163842 vertices in a hemisphere in TemplateFlow, the map 59292"
    with pytest.raises(Contradiction) as caught:
        fit_one(SPEC, n=59292)
    assert sentence in str(caught.value)
    assert "on the mesh of the maps" in caught.value.hint
    with pytest.raises(Contradiction, match="has 163842 vertices in a hemisphere in TemplateFlow, the map 32492"):
        fit_one(f"{SPEC}&den=164k")
    one, other = (AtlasUser(space="fsLR", form="gifti", n_vertices=n) for n in (32492, 59292))
    fitted = fit_to_maps([SPEC], [one, other])
    assert fitted[one][0].atlas
    assert fitted[other][0].reason == sentence


def test_of_meshes_that_were_not_fetched_the_density_is_told(flow):
    for path in (flow / "tpl-fsaverage").iterdir():
        path.write_bytes(b"")
    with pytest.raises(Contradiction, match="has den-10k or den-164k vertices in a hemisphere"):
        fit_one(SPEC, "fsaverage6", n=40962)


def test_several_atlases_that_fit_are_told_with_what_tells_them_apart(flow):
    put_sides(flow / "tpl-fsLR", "tpl-fsLR_den-32k_{hemi}_atlas-Schaefer2018_desc-200Parcels7Networks", 32492)
    with pytest.raises(Contradiction, match="fits 2 atlases") as caught:
        fit_one("templateflow:Schaefer2018?den=32k")
    assert "such as ?desc=100Parcels7Networks" in caught.value.hint
    assert "hemi-R" not in str(caught.value)


@pytest.mark.usefixtures("flow")
def test_another_template_is_never_taken():
    for spec, space in ((SPEC, "onavg"), (SPEC, ""), (f"{SPEC}&tpl=fsaverage", "fsLR")):
        with pytest.raises(Contradiction):
            fit_one(spec, space, n=10242)
    with pytest.raises(MissingInput, match="has no atlas that fits"):
        fit_one("templateflow:Nowhere")


def test_regions_are_named_by_a_pair_of_the_maps_template(sheets, monkeypatch):
    folder, area = sheets
    home = folder / "flow" / "tpl-plane"
    home.mkdir(parents=True)
    for stem in ("tpl-plane_den-144_hemi-L", "tpl-plane_hemi-R_den-144"):
        put_labels(home / f"{stem}_atlas-Three_dseg.label.gii", keys())
    put_sides(home, "tpl-plane_den-100_{hemi}_atlas-Three", 100)
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home.parent))
    meshes = (folder / "L.surf.gii", folder / "R.surf.gii")
    words = ("--threshold", 2, "--min-region-vertices", 3, "--surfaces", *meshes, "--atlas", "templateflow:Three")
    assert run(folder / "in", folder / "out", *words) == 0
    check_against_triangles(folder, area)
    (said,) = record(folder / "out")["Atlases"]
    files = "tpl-plane_den-144_hemi-L_atlas-Three_dseg.label.gii, tpl-plane_hemi-R_den-144_atlas-Three_dseg.label.gii"
    assert (said["File"], said["Space"], said["OnSurfaces"]) == (files, "plane", True)
    assert run(folder / "in", folder / "no", *words, "--atlas", "templateflow:Three?den=100") == 64
    assert not (folder / "no").exists()
    found = find_regions(
        tuple(sorted((folder / "in").rglob("*_statmap.func.gii"))), threshold=2.0, min_region_vertices=3,
        surfaces=meshes, atlas="templateflow:Three", space="plane",
    )  # fmt: skip
    assert found.to_dataframe().Three_peak.tolist() == [row["Three_peak"] for row in table(folder / "out")]


def test_one_request_names_volumes_pairs_and_cifti_in_one_run(flow, tmp_path):
    root, out = trees.describe(tmp_path / "in"), tmp_path / "out"
    stem = "sub-0{}_task-{}_space-{}_contrast-a_stat-z_statmap"
    trees.write_map(root / "sub-01" / "func" / f"{stem.format(1, 'v', 'MNI152NLin6Asym')}.nii.gz")
    smooth = ndimage.gaussian_filter1d(np.random.default_rng(1).standard_normal(32492), 20)
    smooth = (3 * smooth / smooth.std()).astype(np.float32)
    put_pair(root / "sub-02", stem.format(2, "g_{hemi}", "fsLR"), L=smooth, R=-smooth)
    (root / "sub-03").mkdir()
    put(root / "sub-03" / f"{stem.format(3, 'c', 'fsLR')}.dscalar.nii", fslr())
    words = ("--threshold", 4, "--min-region-vertices", 10, "--min-region-voxels", 1, "--atlas", SPEC)
    assert run(root, out, *words) == 0
    seen = {}
    for path in sorted(out.rglob("*_dseg.tsv")):
        person = path.name[:6]
        for row in rows_of(path.read_text()):
            number = row.get("peak_vertex", "n/a")
            wanted = "Voxels" if person == "sub-01" else "unlabelled"
            if number != "n/a":
                wanted = "Low" if int(number) < 32492 // 2 else "High"
            assert row["Schaefer2018_peak"] == wanted
            seen.setdefault(person, set()).add(wanted)
    assert seen == {"sub-01": {"Voxels"}, "sub-02": {"Low", "High"}, "sub-03": {"Low", "High", "unlabelled"}}
    assert not [
        word
        for path in out.rglob("*_dseg.json")
        for word in json.loads(path.read_text())["Warnings"]
        if "atlas" in word
    ]
    assert flow


def test_a_broken_map_ends_no_run_and_node_indices_tell_the_mesh(flow, tmp_path):
    root, out = trees.describe(tmp_path / "in"), tmp_path / "out"
    values, stem = np.zeros(32492, np.float32), "sub-0{}_hemi-L_space-fsLR_contrast-a_stat-z_statmap.func.gii"
    index = np.arange(20000, 20400, dtype=np.int32)
    arrays = (data_array(index, "NODE_INDEX"), data_array(np.full(400, 5, np.float32)))
    contents = {1: gifti(data_array(values))[:400], 2: gifti(*arrays)}
    for k, content in contents.items():
        (root / f"sub-0{k}").mkdir()
        put(root / f"sub-0{k}" / stem.format(k), content)
    assert run(root, out, "--threshold", 4, "--min-region-vertices", 10, "--atlas", SPEC) == 1
    assert {row["Schaefer2018_peak"] for row in table(out)} == {"High"}
    assert flow


def test_the_consensus_of_a_group_is_named_as_its_people_are(tmp_path, monkeypatch):
    root = group.start(tmp_path / "maps")
    for k in range(3):
        group.put_person(root, k)
    put_sides(tmp_path / "flow" / "tpl-plane", "tpl-plane_{hemi}_den-144_atlas-Half", FEW)
    put_sides(tmp_path / "flow" / "tpl-plane", "tpl-plane_{hemi}_den-100_atlas-Half", 100)
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "flow"))
    assert group.on_plane(root, tmp_path / "out", "--atlas", "templateflow:Half") == 0
    named = rows(find(tmp_path / "out", "Consensus_dseg.tsv"))
    assert {row["hemi"] for row in named} == {"L", "R"}
    for row in named:
        assert row["Half_peak"] == ("Low" if int(row["peak_vertex"]) < FEW // 2 else "High")
