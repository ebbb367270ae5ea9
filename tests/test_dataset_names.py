from pathlib import Path

import pytest
from bids.layout import parse_file_entities
from bids.layout.models import Config
from bidsschematools.schema import load_schema
from hypothesis import given
from hypothesis import strategies as st

from bids_regions.dataset import is_standard_space, matches, pybids_configuration, read_map_name
from bids_regions.dataset.names import clean_label
from bids_regions.dataset.vocabulary import describe_name, entities, long_names
from bids_regions.entity_names import short_key

ROOT = Path("/data")
LABEL = st.text("abcXYZ019+", min_size=1, max_size=6)


def read(relpath):
    return read_map_name(ROOT, relpath)


def test_a_name_is_read_verbatim_and_in_its_order():
    mapfile = read("node-run/sub-01/ses-1/sub-01_ses-1_task-A_run-01_stat-z_desc-t2star+s0_statmap.nii.gz")
    assert mapfile.entities == (
        ("node", "run"),
        ("sub", "01"),
        ("ses", "1"),
        ("task", "A"),
        ("run", "01"),
        ("stat", "z"),
        ("desc", "t2star+s0"),
    )
    assert (mapfile.stat, mapfile.kind.name, mapfile.suffix, mapfile.extension) == ("z", "z", "statmap", ".nii.gz")
    assert mapfile.path == ROOT / mapfile.relpath


def test_short_and_long_names_find_the_same_label():
    mapfile = read("sub-01/func/sub-01_task-a_acq-b_rec-c_dir-d_seg-e_contrast-f_stat-z_statmap.nii")
    pairs = {"sub": "subject", "acq": "acquisition", "rec": "reconstruction", "dir": "direction", "seg": "segmentation"}
    for short, long in pairs.items():
        assert mapfile.entity(short) == mapfile.entity(long) is not None
    assert mapfile.entity("datatype") == "func"
    assert mapfile.entity("session") is None


def test_every_long_name_of_bids_and_of_pybids_means_its_short_key():
    told = {name: each["name"] for name, each in load_schema().objects.entities.to_dict().items()}
    told |= {long: key for key, long in long_names().items()}
    assert {name: short_key(name) for name in told} == told | {"volume": "volume"}
    mapfile = read("sub-01_hemi-L_res-2_den-32k_desc-x_stat-z_statmap.nii.gz")
    wanted = {"resolution": 2, "density": "32k", "hemisphere": "L", "description": "x", "processing": None}
    assert matches(mapfile, wanted)
    assert not matches(mapfile, {"resolution": 3})


def test_a_key_that_only_ends_like_a_known_one_is_another():
    mapfile = read("sub-01_fullmodel-x_stat-z_statmap.nii.gz")
    assert mapfile.entity("model") is None
    assert mapfile.entity("fullmodel") == "x"


def test_a_map_without_sub_is_a_group_map():
    assert read("group/contrast-a_stat-z_statmap.nii.gz").participant is None


def test_a_map_named_without_sub_belongs_to_the_participant_of_its_folder():
    assert read("sub-07/contrast-a_stat-z_statmap.nii.gz").participant == "07"


def test_an_underscore_in_a_contrast_is_part_of_its_label():
    assert read("sub-01_contrast-two_back_stat-z_statmap.nii.gz").entity("contrast") == "two_back"


@pytest.mark.parametrize("folder", ["fmriprep-23.1.3", "first_level", "x-", "-x"])
def test_a_folder_that_only_looks_like_an_entity_is_none(folder):
    assert read(f"{folder}/sub-01_stat-z_statmap.nii").entities == (("sub", "01"), ("stat", "z"))


@given(LABEL, LABEL, LABEL, st.sampled_from(["node", "feature", "model", "task", "level"]))
def test_long_names_are_what_pybids_reads_with_our_configuration(participant, contrast, label, folder):
    """The memory of name forms must not change what pybids would have answered for the name itself."""
    relpath = f"{folder}-{label}/sub-{participant}/sub-{participant}_run-01_contrast-{contrast}_stat-z_statmap.nii.gz"
    config = [Config.load(one) for one in pybids_configuration()]
    expected = {k: str(v) for k, v in parse_file_entities("/" + relpath, config=config).items()}
    found = read(relpath)
    assert {"subject": found.participant, **dict(found.described)} == expected


def test_the_vocabulary_is_that_of_the_installed_pybids():
    """Every entity of its live configuration, in its order, with its pattern; none has a type that changes labels."""
    known = {}
    for one in pybids_configuration():
        known.update(Config.load(one).entities)
    assert [(entity.name, entity.pattern) for entity in entities()] == [(e.name, e.pattern) for e in known.values()]
    assert {entity.dtype.__name__ for entity in known.values()} <= {"str", "PaddedInt"}  # of which str is the label


@pytest.mark.parametrize(
    "relpath",
    [
        "sub-01/ses-a/func/sub-01_ses-a_task-t_run-01_space-X_res-2_desc-a_statmap.nii.gz",
        "sub-01/anat/sub-01_from-T1w_to-MNI_mode-image_xfm.h5",
        "sub-01/anat/sub-01_from-T1w_to-MNI_mode-image.h5",
        "sub-01/meg/sub-01_acq-crosstalk_proc-tsss_meg.fif",
        "sub-01/fmap/sub-01_dir-AP_run-1_epi.nii.gz",
        "sub-01_hemi-L_den-32k_statmap.shape.gii",
        "sub-01_hemi-left_mt-off_part-mag_echo-2_statmap.nii",
        "sub-/run-x/_run-x_statmap",
        "fullmodel-x/tpl-Y_cohort-1_level-2_scans.tsv",
        ".hidden/sub-01.nii",
        "no entity at all",
    ],
)
def test_every_name_is_read_as_pybids_reads_it(relpath):
    config = [Config.load(one) for one in pybids_configuration()]
    expected = {k: str(v) for k, v in parse_file_entities("/" + relpath, config=config).items()}
    assert dict(describe_name(relpath)) == expected


@given(
    st.lists(
        st.sampled_from([*"abz01+-_/.", "sub", "ses", "run", "from", "_xfm", "func", "hemi-L", ".nii"]), max_size=14
    )
)
def test_no_text_is_read_otherwise_than_by_pybids(pieces):
    relpath = "/".join(part for part in "".join(pieces).split("/") if part not in ("", ".", "..")) or "a"
    config = [Config.load(one) for one in pybids_configuration()]
    expected = {k: str(v) for k, v in parse_file_entities("/" + relpath, config=config).items()}
    assert dict(describe_name(relpath)) == expected


def test_every_entity_of_pybids_has_a_short_key():
    names = long_names()
    assert names["sub"] == "subject"
    assert names["tpl"] == "template"
    assert names["mt"] == "mt"
    assert len(names) > 40


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("two-back", "two+back"),
        ("a_b.c d", "a+b+c+d"),
        ("é", "e"),
        ("左", "u5de6"),
        ("a\nb", "au000ab"),
        ("\u0301", "u0301"),
    ],
)
def test_labels_keep_to_the_characters_of_bids(text, cleaned):
    assert clean_label(text) == cleaned


@given(st.text(min_size=1))
def test_a_cleaned_label_is_never_empty_nor_a_path(text):
    assert clean_label(text)
    assert set(clean_label(text)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+")


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({"task": "a"}, True),
        ({"task": "A"}, False),
        ({"task": ".a"}, False),
        ({"task": ["b", "a"]}, True),
        ({"task": ["b", None]}, False),
        ({"run": 1}, True),
        ({"run": "1"}, True),
        ({"run": "001"}, True),
        ({"run": "2"}, False),
        ({"session": 1}, False),
        ({"session": "01"}, True),
        ({"ses": "*"}, True),
        ({"ses": True}, True),
        ({"ses": None}, False),
        ({"ses": False}, False),
        ({"acquisition": None}, True),
        ({"acq": False}, True),
        ({"acq": [None, "x"]}, True),
        ({"acq": "*"}, False),
        ({"stat": "Z"}, True),
        ({"extension": "nii.gz"}, True),
        ({"suffix": "statmap", "datatype": "func"}, True),
        ({"no such": None}, True),
        ({"no such": "x"}, False),
        ({}, True),
    ],
)
def test_match_means_what_it_says(match, holds):
    mapfile = read("sub-01/ses-01/func/sub-01_ses-01_task-a_run-01_stat-z_statmap.nii.gz")
    assert matches(mapfile, match) is holds


def test_the_standard_spaces_are_those_of_the_bids_schema():
    enum = load_schema()["objects"]["enums"]["_StandardTemplateCoordSys"]["enum"]
    assert all(map(is_standard_space, enum))
    assert {"MNI152Lin", "MNIColin27", "Talairach", "fsLR", "fsaverage"} <= set(enum)
    assert not is_standard_space("fsaverage5")  # withdrawn
    assert is_standard_space("MNI152NLin6Asym")
    assert not is_standard_space("T1w")
    assert not is_standard_space(None)
