"""No result is lost to another source: names tell contrasts apart, and places belong to whoever wrote there."""

import gzip
import json
import shutil

import numpy as np
import pytest
import trees

from bids_regions import demo
from bids_regions.cli import main
from bids_regions.dataset import read_map_name
from bids_regions.dataset.names import fold_label
from bids_regions.results.placement import name_outputs


def name(contrast="x", label="01", extension=".nii.gz"):
    return f"sub-{label}/func/sub-{label}_task-a_space-T_contrast-{contrast}_stat-z_statmap{extension}"


def dataset(root, *contrasts, seed=""):
    trees.describe(root)
    for contrast in contrasts:
        trees.write_map(root / name(contrast), trees.make_data(contrast + seed))
    return root


def run(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr().err


def stem(contrast):
    paths = name_outputs(read_map_name(trees.Path("/in"), name(contrast)), "a", trees.Path("/out"))
    return paths.stem


# ---- names


@pytest.mark.parametrize(
    ("label", "folded"),
    [
        ("faces", "faces"),
        ("face>house", "faceGthouse"),
        ("face<house", "faceLthouse"),
        ("face-house", "faceMinushouse"),
        ("face+house", "face+house"),
        ("a=b", "aEqb"),
        ("a>=b", "aGtEqb"),
        ("a-b-c", "aMinusbMinusc"),
    ],
)
@pytest.mark.parametrize("key", ["contrast", "taskcontrast"])
def test_signs_of_contrasts_become_words(key, label, folded):
    assert fold_label(key, label) == folded


@pytest.mark.parametrize("label", ["two_back", "two back", "größe", "-a", "a-", "a.b", "a*b", ">", "左"])
def test_what_is_lost_beyond_is_told_by_six_digits(label):
    folded = fold_label("contrast", label)
    if label == ">":
        assert folded == "Gt"
    else:
        assert len(folded.rpartition("+")[2]) == 6
        assert set(folded.rpartition("+")[2]) <= set("0123456789abcdef")
    assert folded.replace("+", "").isalnum()
    assert folded.isascii()


def test_labels_of_other_entities_stay_as_they_were():
    assert fold_label("feature", "two_back") == "two+back"
    assert fold_label("model", "a>b") == "a+b"


def test_contrasts_that_differ_in_signs_alone_have_names_of_their_own():
    labels = [
        "face>house",
        "face<house",
        "face-house",
        "face+house",
        "face=house",
        "face_house",
        "face house",
        "facehouse",
    ]
    assert len({stem(label).lower() for label in labels}) == len(labels)


def test_all_of_them_are_done_in_one_run(tmp_path, capsys):
    root = dataset(tmp_path / "in", "face>house", "face<house", "face-house", "face_house")
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0
    assert len(list((tmp_path / "out").rglob("*_dseg.json"))) == 4


# ---- whose results stand there


def source_of(output):
    (record,) = output.rglob("*_dseg.json")
    return json.loads(record.read_text())["Sources"][0]


def test_results_of_another_dataset_are_not_overwritten(tmp_path, capsys):
    one, other = dataset(tmp_path / "one", "x"), dataset(tmp_path / "other", "x", seed="!")
    assert run(capsys, one, tmp_path / "out", "participant")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out" / "sub-01").rglob("*") if path.is_file()}
    code, said = run(capsys, other, tmp_path / "out", "participant")
    assert code == 16
    assert str(tmp_path / "one" / name()) in said
    assert "--force" in said
    assert before == {path: path.read_bytes() for path in (tmp_path / "out" / "sub-01").rglob("*") if path.is_file()}
    description = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert description["DatasetLinks"]["input"].endswith("one")
    assert run(capsys, other, tmp_path / "out", "participant", "--force")[0] == 0


@pytest.mark.parametrize(
    ("contrasts", "more"), [("x", ""), ("xy", ", and 1 more like it"), ("xyz", ", and 2 more like it")]
)
def test_of_several_results_of_another_dataset_the_first_is_named_and_the_others_counted(
    tmp_path, capsys, contrasts, more
):
    one, other = dataset(tmp_path / "one", *contrasts), dataset(tmp_path / "other", *contrasts, seed="!")
    assert run(capsys, one, tmp_path / "out", "participant")[0] == 0
    _, said = run(capsys, other, tmp_path / "out", "participant", "--dry-run")
    assert f"holds the results of {tmp_path / 'one' / name()}{more}. Give an output folder" in said


def test_a_dry_run_tells_it_too(tmp_path, capsys):
    one, other = dataset(tmp_path / "one", "x"), dataset(tmp_path / "other", "x", seed="!")
    assert run(capsys, one, tmp_path / "out", "participant")[0] == 0
    assert run(capsys, other, tmp_path / "out", "participant", "--dry-run")[0] == 16


def test_the_same_content_elsewhere_is_the_same_source(tmp_path, capsys):
    one = dataset(tmp_path / "one", "x")
    assert run(capsys, one, tmp_path / "out", "participant")[0] == 0
    shutil.copytree(one, tmp_path / "copy")
    assert run(capsys, tmp_path / "copy", tmp_path / "out", "participant")[0] == 0


def test_a_changed_map_of_the_same_name_is_the_same_source(tmp_path, capsys):
    root = dataset(tmp_path / "in", "x")
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0
    trees.write_map(root / name(), -trees.make_data("new"))
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0


def test_a_map_that_was_unpacked_is_the_same_source(tmp_path, capsys):
    root = dataset(tmp_path / "in", "x")
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0
    (root / name(extension=".nii")).write_bytes(gzip.decompress((root / name()).read_bytes()))
    (root / name()).unlink()
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0
    assert source_of(tmp_path / "out").endswith(".nii")


def test_a_source_that_is_gone_is_replaced_and_said(tmp_path, capsys):
    one, other = dataset(tmp_path / "one", "x"), dataset(tmp_path / "other", "x", seed="!")
    assert run(capsys, one, tmp_path / "out", "participant")[0] == 0
    shutil.rmtree(one)
    code, said = run(capsys, other, tmp_path / "out", "participant")
    assert code == 0
    assert f"held the results of {name()}, which is gone, and is replaced" in said
    code, said = run(capsys, other, tmp_path / "out", "participant")
    assert (code, "gone" in said) == (0, False)


def test_a_dataset_that_moved_with_its_results_is_the_same(tmp_path, capsys):
    root = dataset(tmp_path / "study" / "in", "x")
    assert run(capsys, root, tmp_path / "study" / "out", "participant")[0] == 0
    (tmp_path / "study").rename(tmp_path / "moved")
    trees.write_map(tmp_path / "moved" / "in" / name(), -trees.make_data("new"))
    assert run(capsys, tmp_path / "moved" / "in", tmp_path / "moved" / "out", "participant")[0] == 0


# ---- entries that match nothing


def configured(tmp_path, match, **stats):
    root = trees.describe(tmp_path / "in")
    for stat in stats or {"z": 1}:
        trees.write_map(root / name().replace("stat-z", f"stat-{stat}"))
    file = tmp_path / "c.toml"
    rest = f'[[regions]]\nname = "lost"\nthreshold = "3"\nmatch = {{ {match} }}\n'
    file.write_text('[[regions]]\nname = "all"\nthreshold = "3"\n' + rest)
    return [root, tmp_path / "out", "participant", "--config-file", file]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ('contrast = "xx"', "no map has contrast-xx; the nearest there is is contrast-x"),
        ('task = ["b", "c"]', "no map has task-b or c; the nearest there is is task-a"),
        ('run = "*"', "no map has the entity run"),
        ("task = false", "every map has task-"),
        ('stat = "t"', "maps with stat-t are left out unless asked for: add --stat t z"),
    ],
)
def test_an_entry_that_matches_no_map_is_said_with_what_there_is(tmp_path, capsys, match, words):
    code, said = run(capsys, *configured(tmp_path, match, z=1, t=1))
    assert code == 0
    assert f"The entry lost matches no selected map: {words}" in said


def test_entries_that_match_are_not_told_of(tmp_path, capsys):
    _, said = run(capsys, *configured(tmp_path, 'task = "a"'))
    assert "matches no" not in said


# ---- options that change nothing

IDLE = "was given and changes nothing"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--smoothing-fwhm", "4"], f"smoothing_fwhm {IDLE}: it needs extract_type local_regions"),
        (["--percentile-over", "mask"], f"percentile_over {IDLE}: it needs a percentile or a ratio as threshold"),
        (["--smoothness", "8", "8", "8"], f"smoothness {IDLE}: it needs grf, rft or an fwe= threshold"),
        (["--min-peak-distance", "4", "--max-peaks", "1"], f"min_peak_distance {IDLE}: it needs max_peaks above 1"),
        (["--surfaces", "none"], f"surfaces {IDLE}: it needs a map on surfaces"),
        (["--vertex-areas", "none"], f"vertex_areas {IDLE}: it needs a map on surfaces"),
        (["--min-region-area", "5"], f"min_region_area {IDLE}: it needs a map on surfaces"),
        (["--min-region-vertices", "5"], f"min_region_vertices {IDLE}: it needs a map on surfaces"),
    ],
)
def test_an_option_without_effect_is_said(tmp_path, capsys, options, words):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name())
    code, said = run(capsys, root, tmp_path / "out", "participant", *options)
    assert (code, words in said) == (0, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--smoothing-fwhm", "4", "--extract-type", "local_regions"],
        ["--smoothing-fwhm", "4", "--convention", "nilearn"],
        ["--percentile-over", "nonzero", "--threshold", "3", "97%"],
        ["--percentile-over", "nonzero", "--threshold", "ratio=0.05"],
        ["--min-peak-distance", "4"],
        [],
    ],
)
def test_an_option_that_decides_in_one_entry_is_not_told_of(tmp_path, capsys, options):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name())
    code, said = run(capsys, root, tmp_path / "out", "participant", *options)
    assert (code, IDLE in said) == (0, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--min-region-size", "5"], f"min_region_size {IDLE}: it needs a map with voxels"),
        (["--min-region-voxels", "5"], f"min_region_voxels {IDLE}: it needs a map with voxels"),
        (["--also-write", "thresholded"], f"also_write {IDLE}: it needs a volume"),
    ],
)
def test_an_option_that_no_hemisphere_asks_is_said_unless_there_are_volumes(tmp_path, capsys, options, words):
    root = tmp_path / "in"
    demo.make_surface_demo(root, demo.find_real_map())
    code, said = run(capsys, root, tmp_path / "out", "participant", *options)
    assert (code, words in said) == (0, True)
    trees.write_map(root / name())
    code, said = run(capsys, root, tmp_path / "out", "participant", "--min-region-area", "5", *options)
    assert (code, IDLE in said) == (0, False)


# ---- nothing to do


def test_18_where_every_file_was_skipped(tmp_path, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name(), np.zeros((4, 5, 3, 2), np.float32))
    code, said = run(capsys, root, tmp_path / "out", "participant")
    assert code == 18
    assert said.splitlines()[-1].startswith("bids_regions: there was nothing to do")
    assert run(capsys, root, tmp_path / "out", "participant", "group")[0] == 18
    trees.write_map(root / name("y", "02"))
    assert run(capsys, root, tmp_path / "out", "participant", "--participant-label", "02")[0] == 0
    assert run(capsys, root, tmp_path / "out", "group")[0] == 0


def test_18_names_what_the_default_leaves_out(tmp_path, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name().replace("stat-z", "stat-effect"))
    code, said = run(capsys, root, tmp_path / "out", "participant")
    assert code == 18
    assert "By default maps of stat-z are taken" in said
    assert "Ask for others by --stat; there is effect" in said
