"""Every tree that the tests write opens in pybids, alone and as a derivative of its raw dataset.

What stands in it is what the maps say; nothing of ours adds an entity to it.
"""

import json
import warnings

import pytest
import trees
from bids import BIDSLayout
from bids.layout.models import BIDSFile

from bids_regions.cli import main
from bids_regions.dataset import pybids_configuration
from bids_regions.dataset.vocabulary import long_names
from bids_regions.entity_names import ENTITY_NAMES
from bids_regions.tables import Column, describe_columns

SPACE = "MNI152NLin6Asym"


def sessions(root, runs=("1", "2")):
    """Two sessions and runs of one participant, one of another, and one who has a session that failed."""
    trees.describe(root, GeneratedBy=[{"Name": "made"}])
    for label in ("01", "02"):
        for session in ("pre", "post") if label == "01" else ("pre",):
            for run in runs if label == "01" else runs[:1]:
                stem = f"sub-{label}_ses-{session}_task-a_run-{run}_space-{SPACE}_contrast-x_stat-z"
                trees.write_map(root / f"sub-{label}/ses-{session}/func/{stem}_statmap.nii.gz")
    stem = f"sub-03_ses-lost_task-gone_run-7_space-{SPACE}_contrast-x_stat-z"
    trees.touch(root / f"sub-03/ses-lost/func/{stem}_statmap.nii.gz", b"")
    trees.touch(root / "participants.tsv", b"participant_id\tsession\tscale\nsub-01\ta\t1\nsub-02\tb\t2\n")
    return root


TREES = {
    "sessions": sessions,
    "fitlins": lambda root: trees.fitlins(root, stats=("effect", "z")),
    "halfpipe": trees.halfpipe,
    "tedana": trees.tedana,
}


@pytest.fixture(scope="module", params=list(TREES))
def study(request, tmp_path_factory):
    """A raw dataset with the maps and the results among its derivatives."""
    raw = tmp_path_factory.mktemp(request.param) / "raw"
    trees.describe(raw, DatasetType="raw")
    maps = TREES[request.param](raw / "derivatives" / "maps")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words = ["participant", "group", "--also-write", "thresholded", "regions4d", "-q", "--min-region-size", "100"]
        assert main([str(maps), str(raw / "derivatives" / "regions"), *words]) in (0, 1)
    return raw


@pytest.fixture(autouse=True)
def asked_once(monkeypatch):
    """For each name pybids asks its database what each file has; of a file that does not change once is enough."""
    ask, told = BIDSFile.get_entities, {}

    def remember(file, metadata=False, values="tags"):
        key = file.path, metadata, values
        if key not in told:
            told[key] = ask(file, metadata, values)
        return told[key]

    monkeypatch.setattr(BIDSFile, "get_entities", remember)


def opened(root, **how):
    """A layout, one in a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pybids' own, of what it will change
        return BIDSLayout(root, validate=False, **how)


def labels(layout, name):
    return {str(label) for label in layout.get(return_type="id", target=name)}


def listed(layout):
    """Every entity of the names, with its labels."""
    return {name: labels(layout, name) for name in layout.get_entities(metadata=False)}


def maps_say(study, name):
    """The labels that the finished maps have, as their records hold them."""
    short = {long: key for key, long in long_names().items()}[name]
    records = (json.loads(path.read_text()) for path in (study / "derivatives" / "regions" / "sub-01").rglob("*.json"))
    others = (json.loads(path.read_text()) for path in (study / "derivatives" / "regions" / "sub-02").rglob("*.json"))
    found = (record.get("SourceEntities", {}) for record in (*records, *others))
    return {entities[short] for entities in found if short in entities}


@pytest.mark.parametrize("how", [{}, {"config": pybids_configuration()}])
def test_the_output_opens_alone(study, how):
    layout = opened(study / "derivatives" / "regions", **how)
    assert "Sessions" in str(layout)
    found = listed(layout)
    for name in ("session", "run", "task", "space"):
        told = {label.lstrip("0") for label in found.get(name, set())}
        assert told == {label.lstrip("0") for label in maps_say(study, name)}, name
    metadata = None if study.parent.name.startswith(("sessions", "tedana")) and not how else False  # None: that too
    for name in layout.get_entities(metadata=metadata):
        assert isinstance(layout.get(return_type="id", target=name), list), name


def test_the_output_opens_as_a_derivative_of_its_raw_dataset(study):
    layout = opened(study, derivatives=True)
    str(layout)
    assert set(layout.derivatives) >= {"bids_regions"} or len(layout.derivatives)
    assert all(label.isdigit() for label in map(str, layout.get_runs(scope="all")))
    for name in layout.get_entities(scope="all", metadata=False):
        assert isinstance(layout.get(return_type="id", target=name, scope="all"), list), name


def test_a_map_that_failed_adds_no_entity(tmp_path):
    maps = sessions(tmp_path / "in", runs=("1",))
    assert main([str(maps), str(tmp_path / "out"), "participant", "group", "-q"]) == 1
    assert (tmp_path / "out" / "group.html").is_file()
    layout = opened(tmp_path / "out")
    assert labels(layout, "session") == {"pre", "post"}
    assert labels(layout, "task") == {"a"}
    assert labels(layout, "run") == {"1"}
    assert list((tmp_path / "out" / "logs" / "failed").rglob("*.json"))


def test_columns_named_as_an_entity_are_described_apart():
    columns = [Column(name=name, description=name, of=str) for name in ("session", "region")]
    assert describe_columns(columns) == {
        "region": {"Description": "region"},
        "EntityColumns": {"session": {"Description": "session"}},
    }


def test_the_names_kept_apart_are_those_that_pybids_knows():
    assert set(long_names().values()) <= ENTITY_NAMES
