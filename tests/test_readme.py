"""The README tells what the code does: every option, the commands that CI runs, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from bids_regions.settings import OPTIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_its_row_in_the_words_of_the_parser(option):
    flags = ", ".join(f"`{flag}`" for flag in option.flags)
    rows = [line for line in README.splitlines() if line.startswith(f"| {flags}")]
    assert len(rows) == 1
    assert option.help.replace("%%", "%") in rows[0].replace("\\|", "|")


def test_no_row_tells_of_an_option_that_is_not_there():
    told = set(re.findall(r"^\| `(--[a-z0-9-]+)`", README, re.MULTILINE))
    assert told == {option.flags[0] for option in OPTIONS}


def test_ci_runs_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make demo" in README
    assert "make test" in README
    assert re.search(r"^make demo$", script, re.MULTILINE)
    assert re.search(r"^make test$", script, re.MULTILINE)


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
