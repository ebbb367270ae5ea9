"""What a release says of itself is the same in every file: version, licence, what it needs; no address is made up."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from bids_regions.version import REPOSITORY, __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CODEMETA = json.loads((ROOT / "codemeta.json").read_text())
ZENODO = json.loads((ROOT / ".zenodo.json").read_text())
RECIPE = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ON_CONDA_FORGE = {"isal": "python-isal", "matplotlib": "matplotlib-base"}  # without Qt
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_version_is_the_same_everywhere() -> None:
    newest = re.search(r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", CHANGELOG, re.MULTILINE)
    assert newest is not None
    told = {
        "CHANGELOG.md": newest[1],
        "CITATION.cff": CITATION["version"],
        "codemeta.json": CODEMETA["version"],
        "recipe.yaml": RECIPE["context"]["version"],
        "boutiques.json": json.loads((ROOT / "boutiques.json").read_text())["tool-version"],
    }
    assert told == dict.fromkeys(told, __version__)


def test_the_date_is_the_changelogs_and_none_before_the_release() -> None:
    (date,) = re.findall(rf"^## {re.escape(__version__)} \((.*)\)$", CHANGELOG, re.MULTILINE)
    told = (str(CITATION.get("date-released", "unreleased")), CODEMETA.get("datePublished", "unreleased"))
    assert told == (date, date)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_image_that_a_page_names_is_of_this_version(page: Path) -> None:
    assert set(re.findall(r"\bbids_regions:(\d[\w.]*)", page.read_text())) <= {__version__}


def test_title_keywords_and_licence_are_the_same_everywhere() -> None:
    assert CITATION["keywords"] == CODEMETA["keywords"] == ZENODO["keywords"] == PROJECT["keywords"]
    assert CODEMETA["description"] == RECIPE["about"]["summary"] == PROJECT["description"]
    assert CITATION["title"] == ZENODO["title"]
    assert CITATION["abstract"] in ZENODO["description"]
    licences = {CITATION["license"], ZENODO["license"], RECIPE["about"]["license"], CODEMETA["license"].split("/")[-1]}
    assert licences == {PROJECT["license"]}
    people = {CITATION["authors"][0]["name"], CODEMETA["author"][0]["name"], ZENODO["creators"][0]["name"]}
    assert people == {PROJECT["authors"][0]["name"]}


def test_licences_of_what_is_carried_go_along() -> None:
    assert RECIPE["about"]["license_file"] == PROJECT["license-files"]
    assert all((ROOT / path).is_file() for path in PROJECT["license-files"])
    notices = {str(path.relative_to(ROOT)) for path in (ROOT / "bids_regions").rglob("NOTICE.*")}
    assert {"LICENSE", *notices} == set(PROJECT["license-files"])


def test_what_is_needed_is_the_same_everywhere() -> None:
    needed = dict(re.fullmatch(r"([\w.-]+)(>=[\d.]+)", each).groups() for each in PROJECT["dependencies"])  # type: ignore[union-attr]
    assert {each["name"]: each["version"] for each in CODEMETA["softwareRequirements"]} == needed
    python, *others = RECIPE["requirements"]["run"]
    assert (
        python.replace("${{ python_min }}", RECIPE["context"]["python_min"]) == f"python {PROJECT['requires-python']}"
    )
    assert sorted(others) == sorted(f"{ON_CONDA_FORGE.get(name, name)} {floor}" for name, floor in needed.items())
    commands = [f"{name} = {entry}" for name, entry in PROJECT["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == commands


def test_no_address_of_the_project_is_made_up() -> None:
    """The one placeholder is `REPOSITORY`; as long as it is empty nothing that a user gets names a place of ours."""
    told = {
        CITATION.get("repository-code", ""),
        CODEMETA.get("codeRepository", ""),
        RECIPE["about"].get("repository", ""),
        json.loads((ROOT / "boutiques.json").read_text()).get("url", ""),
        PROJECT.get("urls", {}).get("Repository", ""),
    }
    assert told == {REPOSITORY}
    files = [*ROOT.glob("*"), *ROOT.glob("*/*"), *(ROOT / "bids_regions").rglob("*.py"), *WORKFLOWS, *PAGES]
    for path in files:
        if path.is_file() and path.suffix in ("", ".md", ".py", ".json", ".toml", ".cff", ".yml", ".yaml"):
            text = path.read_text(errors="replace")
            made_up = re.findall(r"https?://[^\s)\"'>]*bids[-_]regions[^\s)\"'>]*", text)
            assert [address for address in made_up if not REPOSITORY or REPOSITORY not in address] == [], path
    assert "REPOSITORY" in (ROOT / "CONTRIBUTING.md").read_text()
    assert "image.source" not in (ROOT / "Dockerfile").read_text()


def test_the_readme_of_a_package_index_leads_nowhere_beside_itself() -> None:
    """There are no files beside it: pictures and pages have the repository's address, or none."""
    place = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert place is not None
    assert place.loader is not None
    build = importlib.util.module_from_spec(place)
    place.loader.exec_module(build)
    text = "![a picture](docs/a.webp)\n\nSee [`usage`](docs/usage.md#b), [SemVer](https://semver.org), [here](#top)."
    rest = "[SemVer](https://semver.org), [here](#top)."
    assert build.as_shown(text, "", "1.0").split("\n\n")[-1] == f"See `usage`, {rest}"
    assert "picture" not in build.as_shown(text, "", "1.0")
    assert build.as_shown(text, "https://host/us", "1.0") == (
        "![a picture](https://host/us/raw/v1.0/docs/a.webp)\n\n"
        f"See [`usage`](https://host/us/blob/v1.0/docs/usage.md#b), {rest}"
    )
    shown = build.as_shown((ROOT / "README.md").read_text(), REPOSITORY, __version__)
    assert re.findall(r"\]\((?!\w+:|#)[^)]*\)", shown) == []
    assert "find_regions(image" in shown


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_is_there(path: Path) -> None:
    text = path.read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    for words in re.findall(r"(?:run: |&& )make (.+)$", text, re.MULTILINE):
        for target in words.split():
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    sessions = {name for job in jobs.values() for name in job.get("strategy", {}).get("matrix", {}).get("session", ())}
    assert all(f"def {name}(" in (ROOT / "noxfile.py").read_text() for name in sessions)
    tags = re.findall(r"uses: \S+@(\S+)", text)
    assert all(re.fullmatch(r"v\d+|release/v\d+", tag) for tag in tags)


def test_a_request_is_told_the_commands_that_are_there() -> None:
    template = (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text()
    assert "`make check`" in template
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= set(form)
        assert all({"id", "attributes", "type"} <= set(field) for field in form["body"])
