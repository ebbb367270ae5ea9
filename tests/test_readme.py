"""README and usage tell what the code does: the commands that CI runs, every option, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from bids_regions.cli import build_parser
from bids_regions.extraction import CONVENTIONS
from bids_regions.settings import OPTIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
USAGE = (ROOT / "docs" / "usage.md").read_text()
TABLES = USAGE.partition("\n## All options\n")[2]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_its_row_in_the_words_of_the_parser(option):
    flags = ", ".join(f"`{flag}`" for flag in option.flags)
    rows = [line for line in TABLES.splitlines() if line.startswith(f"| {flags}")]
    assert len(rows) == 1
    assert option.help.replace("%%", "%") in rows[0].replace("\\|", "|")
    if option.choices:
        assert f"{{{','.join(map(str, option.choices))}}}" in rows[0]


def test_usage_names_every_convention_where_it_tells_of_them():
    assert f"`--convention {'|'.join(CONVENTIONS)}`" in USAGE
    assert f'# convention = "fsl"              # {", ".join(CONVENTIONS)}' in USAGE


def test_no_row_tells_of_an_option_that_is_not_there():
    told = set(re.findall(r"^\| `(--[a-z0-9-]+)`", TABLES, re.MULTILINE))
    assert told == {option.flags[0] for option in OPTIONS}


def test_ci_runs_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make demo" in README
    assert "make test" in README
    assert re.search(r"^make demo$", script, re.MULTILINE)
    assert re.search(r"^make test$", script, re.MULTILINE)


def test_the_readme_is_short_and_says_at_once_what_it_is():
    first = README.split("\n\n")[1]
    assert "cluster" in first
    assert len(README.splitlines()) < 120


def test_the_recipes_of_the_readme_parse():
    recipes = re.findall(r"^bids_regions (demo-output/.*)$", README, re.MULTILINE)
    assert len(recipes) == 3
    for words in recipes:
        assert build_parser().parse_args(words.split()).bids_dir == Path("demo-output/dataset")


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
