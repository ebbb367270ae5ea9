import json
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import trees
from bids import BIDSLayout
from hypothesis import given
from hypothesis import strategies as st
from validator import issues_of

from bids_regions.dataset import Selection, describe_output, find_maps, is_standard_space, open_dataset, read_map_name
from bids_regions.errors import BadDataset, Contradiction
from bids_regions.results.placement import check_collisions, name_group_outputs, name_outputs, name_owner
from bids_regions.results.uris import source_uri

OUT = Path("/out")


def named(relpath, entry="thr3p0", **more):
    return name_outputs(read_map_name(Path("/data"), relpath), entry, OUT, **more)


def shown(paths):
    return paths.labels.relative_to(OUT).as_posix().removesuffix("_dseg.nii.gz")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (  # the contract's own example
            "sub-01/ses-1/func/sub-01_ses-1_task-x_run-1_space-S_res-2_contrast-a_stat-z_statmap.nii.gz",
            "sub-01/ses-1/func/sub-01_ses-1_task-x_run-1_space-S_seg-contrast+a+stat+z_res-2_desc-thr3p0",
        ),
        (  # schema order, whatever the source's
            "sub-01_part-mag_echo-2_dir-AP_rec-r_ce-c_acq-q_task-x_stat-z_statmap.nii",
            "sub-01/func/sub-01_task-x_acq-q_ce-c_rec-r_dir-AP_echo-2_part-mag_seg-stat+z_desc-thr3p0",
        ),
        ("sub-01/sub-01_contrast-a_stat-z_statmap.nii.gz", "sub-01/sub-01_seg-contrast+a+stat+z_desc-thr3p0"),
        ("sub-1/sub-1_ses-2_stat-z_statmap.nii.gz", "sub-1/ses-2/sub-1_ses-2_seg-stat+z_desc-thr3p0"),
        (  # folders first, then the order of the file; desc, seg, hemi, label, cohort, den and unknown keys folded
            "node-n/level-l/sub-01_task-x_xyz-1_desc-d_seg-s_hemi-L_label-GM_cohort-2_den-32k_stat-z_statmap.nii.gz",
            "sub-01/func/sub-01_task-x_seg-node+n+level+l+xyz+1+desc+d+seg+s+hemi+L+label+GM+cohort+2+den+32k+stat+z"
            "_desc-thr3p0",
        ),
        (  # what a folder repeats keeps its place in the file name
            "func/task-x_feature-f/model-M/task-x_feature-f_seed-s_model-M_stat-z_statmap.nii.gz",
            "tpl-group/tpl-group_task-x_seg-feature+f+seed+s+model+M+stat+z_desc-thr3p0",
        ),
        ("group/contrast-a_stat-z_statmap.nii.gz", "tpl-group/tpl-group_seg-contrast+a+stat+z_desc-thr3p0"),
        ("space-S_task-x_stat-z_statmap.nii.gz", "tpl-S/tpl-S_task-x_seg-stat+z_desc-thr3p0"),
        ("tpl-S/tpl-S_res-1_stat-z_statmap.nii.gz", "tpl-S/tpl-S_seg-stat+z_res-1_desc-thr3p0"),
        ("tpl-S_space-T_stat-z_statmap.nii.gz", "tpl-T/tpl-T_seg-tpl+S+stat+z_desc-thr3p0"),
        ("sub-01_run-A_echo-x_stat-z_statmap.nii.gz", "sub-01/sub-01_seg-run+A+echo+x+stat+z_desc-thr3p0"),
        ("sub-01_run-01_stat-z_statmap.nii.gz", "sub-01/sub-01_run-01_seg-stat+z_desc-thr3p0"),
        (
            "sub-01_contrast-two_back_stat-z_statmap.nii.gz",
            "sub-01/sub-01_seg-contrast+two+back+fa1174+stat+z_desc-thr3p0",
        ),
        ("sub-01_desc-stat-t_statmap.nii.gz", "sub-01/sub-01_seg-desc+stat+t_desc-thr3p0"),
        ("sub-01_stray_task-x_stat-z_statmap.nii.gz", "sub-01/func/sub-01_task-x_seg-stray+stat+z_desc-thr3p0"),
    ],
)
def test_places_follow_the_contract(source, target):
    assert shown(named(source)) == target


def test_the_assumed_space_is_named_where_the_map_names_none():
    source = "sub-01_task-x_stat-z_statmap.nii.gz"
    assert shown(named(source, assume_space="MNI")) == "sub-01/func/sub-01_task-x_space-MNI_seg-stat+z_desc-thr3p0"
    assert shown(named("stat-z_statmap.nii.gz", assume_space="MNI")) == "tpl-MNI/tpl-MNI_seg-stat+z_desc-thr3p0"
    assert "space-S_" in shown(named("sub-01_space-S_stat-z_statmap.nii.gz", assume_space="MNI"))


def test_every_output_has_its_name():
    paths = named("sub-01/ses-1/sub-01_ses-1_task-x_stat-z_statmap.nii.gz", "pct97")
    stem = "sub-01_ses-1_task-x_seg-stat+z_desc-pct97"
    assert (paths.owner, paths.stem) == ("sub-01", stem)
    assert paths.folder == OUT / "sub-01/ses-1/func"
    assert paths.table == paths.folder / f"{stem}_dseg.tsv"
    assert paths.sidecar == paths.folder / f"{stem}_dseg.json"
    assert paths.peaks == paths.folder / f"{stem}_peaks.tsv"
    assert paths.thresholded == paths.folder / f"{stem}Thresholded_statmap.nii.gz"
    assert paths.regions4d == paths.folder / f"{stem}Regions_statmap.nii.gz"
    assert paths.figure.parent == OUT / "sub-01" / "figures"
    assert paths.failure == OUT / "logs" / "failed" / "sub=01" / f"{stem.replace('-', '=')}.json"
    assert named("stat-z_statmap.nii").figure.parent == OUT / "figures"


def test_a_set_of_participants_has_its_names():
    paths = name_group_outputs((("sub", "01"), ("task", "x"), ("space", "S"), ("stat", "z")), "thr3p0", OUT)
    base = "tpl-S/tpl-S_task-x_seg-stat+z_desc-thr3p0"
    assert paths.positive.share_files == (OUT / f"{base}PosPrevalence_probseg.nii.gz",)
    assert paths.negative.share_files == (OUT / f"{base}NegPrevalence_probseg.nii.gz",)
    assert paths.coverage.share_files == (OUT / f"{base}Coverage_probseg.nii.gz",)
    assert paths.coverage.share_sidecar == OUT / f"{base}Coverage_probseg.json"
    assert paths.consensus.labels == OUT / f"{base}Consensus_dseg.nii.gz"


def test_a_name_that_would_be_too_long_gets_a_hash():
    long = named("sub-01_task-x_" + "_".join(f"{key}-{'y' * 20}" for key in "abcdefghi") + "_stat-z_statmap.nii.gz")
    other = named("sub-01_task-x_" + "_".join(f"{key}-{'y' * 20}" for key in "abcdefghj") + "_stat-z_statmap.nii.gz")
    assert re.fullmatch(r"sub-01/func/sub-01_task-x_seg-[0-9a-f]{32}_desc-thr3p0", shown(long))
    assert long.stem != other.stem
    passed = named(f"sub-01_task-x_acq-{'q' * 90}_rec-{'r' * 90}_space-S_stat-z_statmap.nii.gz")
    assert re.fullmatch(r"sub-01/func/sub-01_task-x_space-S_seg-[0-9a-f]{32}_desc-thr3p0", shown(passed))
    fits = named("sub-01_task-x_a-" + "y" * 150 + "_stat-z_statmap.nii.gz")
    assert "seg-a+yyy" in fits.stem


@pytest.mark.parametrize("entry", ["thr3p0", "x" * 64])
@pytest.mark.parametrize("length", [48, 49, 230])
def test_labels_without_measure_still_have_a_name_each(entry, length):
    long = {"sub": "s" * length, "ses": "e" * length} | {key: key * 40 for key in ("task", "space", "res")}
    long["run"] = "1" * 200
    folders = [f"{key}-{label}" for key, label in long.items()]
    paths = [named("/".join(folders[n:]) + f"/stat-{stat}_statmap.nii", entry) for n in range(6) for stat in "zt"]
    names = [path.thresholded.name for path in paths]
    assert max(map(len, names)) <= 255
    assert len(set(names)) == 12
    first = paths[0]
    owner, session = first.owner, first.folder.parent.name
    assert first.folder == OUT / owner / session / "func"
    assert first.stem.startswith(f"{owner}_{session}_task-task")


def test_the_owner_is_told_without_an_entry():
    for source in ("sub-a.b_task-x_stat-z_statmap.nii", "stat-z_statmap.nii", f"sub-{'s' * 60}_stat-z_statmap.nii"):
        mapfile = read_map_name(Path("/data"), source)
        assert name_owner(mapfile, "MNI") == named(source, assume_space="MNI").owner


@pytest.mark.parametrize("entry", ["", "a b", "a-b", "a_b", "ä", "../x", "x" * 65])
def test_an_entry_name_that_is_no_label_is_refused(entry):
    with pytest.raises(Contradiction, match="cannot be the label of desc-"):
        named("sub-01_stat-z_statmap.nii", entry)


@given(st.lists(st.tuples(st.sampled_from(["sub", "ses", "task", "run", "space", "a", "x.y"]), st.text()), max_size=5))
def test_no_output_leaves_the_output_folder_whatever_the_labels(pairs):
    name = "_".join(f"{key}-{label}" for key, label in pairs).replace("/", "").replace("\0", "")
    paths = named(f"..-../{name}_stat-z_statmap.nii.gz")
    for path in (paths.labels, paths.figure, paths.thresholded, paths.failure):
        assert Path(os.path.normpath(path)) == path
        assert path.is_relative_to(OUT)
        assert len(os.fsencode(path.name)) <= 255
    assert re.fullmatch(r"[0-9a-zA-Z+_-]+", paths.stem)


def test_two_maps_under_one_name_are_refused_and_both_are_named():
    first, second = "a/sub-01_stat-z_statmap.nii.gz", "b/sub-01_stat-z_statmap.nii.gz"
    with pytest.raises(BadDataset, match=f"{first} and {second} would both become"):
        check_collisions([named(first), named(second)])


def test_names_that_differ_in_case_only_collide():
    sources = [f"sub-01_contrast-{c}_stat-z_statmap.nii" for c in "yY"]
    with pytest.raises(BadDataset, match=r"contrast-y.*contrast-Y.* differ in case alone"):
        check_collisions([named(source) for source in sources])


def test_punctuation_that_becomes_the_same_label_collides():
    sources = [f"sub-01_contrast-{c}_stat-z_statmap.nii" for c in ("a>b", "aGtb")]
    with pytest.raises(BadDataset, match=r"a>b.*aGtb"):
        check_collisions([named(source) for source in sources])


def test_entries_of_one_name_on_one_map_are_a_contradiction():
    source = "sub-01_stat-z_statmap.nii"
    with pytest.raises(Contradiction, match="both match sub-01"):
        check_collisions([named(source, "a"), named(source, "A")])
    check_collisions([named(source, "a"), named(source, "b")])


def save(path, kind, sidecar):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    Path(f"{str(path).removesuffix('.nii.gz')}.json").write_text(json.dumps({"Description": "x", **sidecar}))
    if kind == "dseg":
        Path(f"{str(path).removesuffix('.nii.gz')}.tsv").write_text("index\tname\n")


def save_all(mapfile, out):
    """All that one map and its set of participants leave, as far as the validator sees it."""
    sidecar = {"Sources": [source_uri(mapfile.relpath)]}
    if not is_standard_space(mapfile.entity("space")):
        sidecar["SpatialReference"] = source_uri(mapfile.relpath)
    if mapfile.entity("res"):
        sidecar["Resolution"] = "as the source"
    paths = name_outputs(mapfile, "thr3p0", out)
    save(paths.labels, "dseg", sidecar)
    trees.write_map(paths.thresholded)
    for path in (paths.peaks, paths.figure, paths.failure, out / f"{paths.owner}.html"):
        trees.touch(path, b"{}")
    group = name_group_outputs(mapfile.entities, "thr3p0", out)
    for path in (path for place in (group.positive, group.negative, group.coverage) for path in place.share_files):
        save(path, "probseg", sidecar)
    save(group.consensus.labels, "dseg", sidecar)
    return paths


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """An output of maps from every shape of dataset, and hostile names: only names, tables and sidecars matter here."""
    base = tmp_path_factory.mktemp("placed")
    out = base / "out"
    hostile = trees.describe(base / "hostile")
    for name in ("sub-ü.1_task-a b_space-T1w", "sub-02_run-A_task-x_contrast-<b>", "sub-02_space-fsaverage_res-2_a"):
        trees.write_map(hostile / f"{name}_stat-z_statmap.nii.gz")
    trees.write_map(hostile / ("sub-02_task-x_contrast-" + "long" * 45 + "_stat-z_statmap.nii.gz"))
    shapes = [trees.fitlins, trees.halfpipe, trees.fmriprep_like, trees.tedana]
    places = []
    for root in [shape(base / shape.__name__) for shape in shapes] + [hostile]:
        dataset = open_dataset(root)
        places += [save_all(mapfile, out) for mapfile in find_maps(dataset, Selection(asked={"stat": ("z", "t")})).maps]
        describe_output(out, dataset, "1.2.3", {})
    check_collisions(places)
    for name in ("group.html", "group_values.tsv", "group_values.json"):
        trees.touch(out / name, b"{}")
    return out


def test_the_validator_finds_no_error_in_what_was_placed(output):
    issues = issues_of(output)
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert {issue["code"] for issue in issues} <= {"TOO_FEW_AUTHORS", "SIDECAR_KEY_RECOMMENDED"}


def test_pybids_reads_the_outputs_back(output):
    layout = BIDSLayout(output, config=["bids", "derivatives"], validate=False)
    found = layout.get(
        subject="01", session="1", task="nback", run=1, space="MNI152NLin6Asym", desc="thr3p0", suffix="dseg", res="2"
    )
    assert {file.entities["extension"] for file in found} == {".nii.gz", ".json", ".tsv"}
    assert {file.entities["segmentation"] for file in found} == {
        "contrast+twoBack+stat+t",
        "contrast+twoBack+stat+z",
        "contrast+zeroBack+stat+t",
    }
    assert layout.get(subject="u+1", suffix="dseg", extension=".nii.gz")[0].entities["task"] == "a+b"


def test_a_set_of_participants_on_surfaces_has_its_names():
    entities = (("sub", "01"), ("task", "x"), ("space", "S"), ("stat", "z"), ("den", "32k"))
    pair = name_group_outputs(entities, "thr3p0", OUT, form="gifti").on_sides(("L", "R"))
    assert [
        path.relative_to(OUT).as_posix() for path in (*pair.negative_lower.share_files, *pair.consensus.label_files)
    ] == [
        f"tpl-S/tpl-S_task-x_hemi-{side}_seg-stat+z_den-32k_desc-thr3p0{ending}"
        for ending in ("NegSurfacePrevalenceLower_probseg.shape.gii", "Consensus_dseg.label.gii")
        for side in "LR"
    ]
    assert pair.coverage.share_sidecar.name == "tpl-S_task-x_seg-stat+z_den-32k_desc-thr3p0SurfaceCoverage_probseg.json"
    whole = name_group_outputs(entities, "thr3p0", OUT, form="cifti")
    assert [path.name for path in whole.positive.share_files] == [
        "tpl-S_task-x_seg-stat+z_den-32k_desc-thr3p0PosSurfacePrevalence_probseg.dscalar.nii"
    ]
    assert whole.consensus.labels.name == "tpl-S_task-x_seg-stat+z_den-32k_desc-thr3p0Consensus_dseg.dlabel.nii"
