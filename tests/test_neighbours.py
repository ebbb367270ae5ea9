"""The examples for BABS and Nipoppy (docs/hpc.md) name this version and options that there are; see also noxfile.py."""

import json
import re
from pathlib import Path

import pytest
import yaml

from bids_regions.cli import build_parser
from bids_regions.version import __version__

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
BABS = yaml.safe_load((EXAMPLES / "babs" / "bids_regions.yaml").read_text())
NIPOPPY = json.loads((EXAMPLES / "nipoppy" / "config.json").read_text())
INPUTS = {each["id"] for each in json.loads((ROOT / "boutiques.json").read_text())["inputs"]}
DASHED = __version__.replace(".", "-")


def test_the_arguments_that_babs_is_told_are_the_apps() -> None:
    told = {flag: value for flag, value in BABS["bids_app_args"].items() if not flag.startswith("$")}
    words = [word for flag, value in told.items() for word in (flag, *value.split())]
    given = build_parser().parse_args(["IN", "OUT", "participant", *words, "--participant-label", "sub-01"])
    assert BABS["bids_app_args"]["$SUBJECT_SELECTION_FLAG"] == "--participant-label"
    assert (given.threshold, given.nprocs, str(given.work_dir)) == (["97%", "3.0"], 1, "$BABS_TMPDIR")


def test_the_version_is_this_one() -> None:
    assert BABS["zip_foldernames"] == {"bids_regions": DASHED}
    assert NIPOPPY["VERSION"] == __version__
    page = (ROOT / "docs" / "hpc.md").read_text()
    assert set(re.findall(r"bids[-_]regions[-_](\d+[-.]\d+[-.]\d+)", page)) == {DASHED, __version__}
    assert f'"bids-regions-{DASHED}"' in (ROOT / "tools" / "check_babs.py").read_text()


@pytest.mark.parametrize("level", ["participant", "group"])
def test_nipoppys_invocation_is_of_inputs_that_there_are(level: str) -> None:
    invocation = json.loads((EXAMPLES / "nipoppy" / f"{level}.json").read_text())
    assert set(invocation) <= INPUTS
    assert invocation["analysis_level"] == [level]


def test_nipoppys_folder_holds_what_it_names_but_the_descriptor() -> None:
    named = {value for step in NIPOPPY["STEPS"] for key, value in step.items() if key.endswith("_FILE")}
    there = {path.name for path in (EXAMPLES / "nipoppy").iterdir()}
    assert named == there - {"config.json"} | {"descriptor.json"}
    assert all("[[MAPS]]" in (EXAMPLES / "nipoppy" / f"{level}.json").read_text() for level in ("participant", "group"))
    assert set(NIPOPPY["VARIABLES"]) == {"MAPS"}
