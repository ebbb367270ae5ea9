"""What the image is made from agrees with the project: pins, hashes, versions; an ignored rule has its reason."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bids_regions.version import __version__

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dask"]]
PINS = {
    name: (ROOT / "container" / name).read_text().replace("\\\n", " ").splitlines()
    for name in ("requirements.txt", "requirements-build.txt")
}


@pytest.mark.parametrize("name", sorted(PINS))
def test_every_line_is_one_version_with_its_hashes(name: str) -> None:
    for line in PINS[name]:
        requirement, *hashes = re.split(r"\s+--hash=", line)
        assert re.fullmatch(r"==[\w.]+", str(Requirement(requirement).specifier)), line
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes), line


@pytest.mark.parametrize("wanted", WANTED)
def test_the_projects_dependencies_are_pinned_within_its_bounds(wanted: str) -> None:
    asked = Requirement(wanted)
    pins = [Requirement(re.split(r"\s+--hash=", line)[0]) for line in PINS["requirements.txt"]]
    own = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(asked.name)]
    assert own
    for pin in own:  # several where a version of Python has its own
        assert asked.specifier.contains(str(pin.specifier).removeprefix("==")), f"{pin}: run tools/pin_container.sh"


def test_the_image_has_the_version_of_the_app() -> None:
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, flags=re.MULTILINE) == [__version__]


def test_each_ignored_rule_has_its_reason() -> None:
    lines = DOCKERFILE.splitlines()
    ignored = [n for n, line in enumerate(lines) if line.startswith("# hadolint ignore=")]
    assert [lines[n] for n in ignored] == ["# hadolint ignore=DL3008"] * 2
    assert all(lines[n - 1].startswith("# ") and "pinned" in "".join(lines[n - 2 : n]) for n in ignored)


def test_the_image_runs_as_no_one_special() -> None:
    assert "\nUSER 1000:1000\n" in DOCKERFILE
    assert DOCKERFILE.rstrip().endswith('ENTRYPOINT ["/opt/bids_regions/bin/bids_regions"]')
