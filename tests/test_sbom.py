"""The bill of materials names what the container is made of, and is the same bytes whoever makes it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bids_regions.version import __version__

ROOT = Path(__file__).parent.parent
NOT_HERE = "python_full_version >= '3.12'"


def make(path: Path, **environment: str) -> bytes:
    subprocess.run([sys.executable, ROOT / "tools" / "make_sbom.py", path], check=True, env=environment)
    return path.read_bytes()


@pytest.fixture(scope="module")
def bom(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return json.loads(make(tmp_path_factory.mktemp("sbom") / "bom.json"))


def test_it_is_the_same_bytes_each_time_and_tells_no_time(tmp_path: Path) -> None:
    one, other = (
        make(tmp_path / "a.json", PYTHONHASHSEED="1"),
        make(tmp_path / "b.json", PYTHONHASHSEED="2", TZ="Asia/Tokyo"),
    )
    assert one == other
    assert b"timestamp" not in one


def test_every_pin_of_the_containers_python_is_there_with_its_hashes(bom: dict) -> None:
    text = (ROOT / "container" / "requirements.txt").read_text().replace("\\\n", " ")
    pinned = {}
    for line in text.splitlines():
        if NOT_HERE not in line:
            name, version = re.match(r"([\w.-]+)==([\w.]+)", line).groups()
            pinned[name.lower()] = (version, sorted(re.findall(r"sha256:([0-9a-f]{64})", line)))
    found = {
        component["name"]: (
            component["version"],
            [each["content"] for each in component["externalReferences"][0]["hashes"]],
        )
        for component in bom["components"]
    }
    assert found == pinned
    assert len(found) > 30


def test_the_app_is_its_subject_and_needs_what_it_says(bom: dict) -> None:
    app = bom["metadata"]["component"]
    assert (app["name"], app["version"]) == ("bids_regions", __version__)
    assert app["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    (own,) = bom["dependencies"]
    assert own["ref"] == app["bom-ref"]
    refs = {component["bom-ref"] for component in bom["components"]}
    assert set(own["dependsOn"]) <= refs
    named = {ref.partition("@")[0].rpartition("/")[2] for ref in own["dependsOn"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
    assert named == {re.match(r"[\w-]+", each)[0].lower() for each in asked}
    assert {"numpy", "distributed"} <= named
