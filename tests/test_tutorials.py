"""The tutorials and usage.md, run as a reader would: commands and Python in order; what they show is what comes."""

import re
import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import trees
from PIL import Image
from served import serve

from bids_regions.cli import main
from bids_regions.settings import OPTIONS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "tutorials"
TUTORIALS = sorted(path for path in FOLDER.glob("*.md") if path.name != "index.md")
PAGES = [*TUTORIALS, ROOT / "docs" / "usage.md"]
STARTED = "reading_the_report"  # the page whose commands are those that are installed, each a process from its start
OTHERS_OPTIONS = {  # of other programs, and of bids_regions-import
    *("--space", "--task", "--array", "--cpus-per-task", "--time", "--containall", "--cleanenv"),
    *("--thresh", "--olmax", "--cope"),
}


def load_tool():
    spec = spec_from_file_location("run_page", ROOT / "tools" / "run_page.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The commands, in processes that have loaded what they need."""
    folder = tmp_path_factory.mktemp("programs")
    maps = trees.fitlins(folder / "maps", stats=("z",))
    assert main([str(maps), str(folder / "regions"), "participant", "group", "--nprocs", "1", "-q"]) == 0
    with serve(folder) as served:
        yield served


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_line_works(page, tmp_path, monkeypatch, programs):
    """Each page in a folder of its own: whoever begins with any of them has all that it needs."""
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "argv", [str(page)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries say of themselves
        warnings.filterwarnings("error", module=r"bids_regions\b")
        tool.run_page(page, tmp_path, *([] if page.stem == STARTED else [programs]))
    plt.close("all")
    plt.switch_backend(backend)
    for name in tool.pictures_of(page):
        with (
            Image.open(tmp_path / f"{name}.png") as drawn,
            Image.open(ROOT / "docs" / "images" / f"{name}.webp") as kept,
        ):
            assert drawn.width / drawn.height == pytest.approx(kept.width / kept.height, rel=0.05)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_page_runs_something_and_names_what_exists(page):
    text = page.read_text("utf-8")
    languages = [language for language, _ in tool.blocks_of(text)]
    assert {"sh", "python"} & set(languages)
    known = {spelling for option in OPTIONS for spelling in option.spellings} | OTHERS_OPTIONS
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", text)) <= known
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    images = ROOT / "docs" / "images"
    assert all((images / shown).is_file() for shown in re.findall(r"images/([\w-]+\.webp)", text))


@pytest.mark.parametrize(
    ("shown", "printed", "holds"),
    [
        ("a\nb\n", "x\na\ny\nb\n", True),
        ("b\na\n", "a\nb\n", False),
        ("1 ... done\n", "1 map of 2 done\n", True),
        ("1 map\n", "11 map\n", False),
    ],
)
def test_what_is_shown_is_compared(shown, printed, holds):
    if holds:
        tool.compare(shown, printed)
    else:
        with pytest.raises(AssertionError, match="is not among"):
            tool.compare(shown, printed)


def test_a_served_command_speaks_and_ends_as_itself(programs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = tool.run_shell("bids_regions nowhere out participant || echo it was $?; python -c 'print(6 * 7)'", programs)
    assert said.splitlines()[-3].startswith("bids_regions: ")
    assert said.splitlines()[-2:] == ["it was 66", "42"]
    with pytest.raises(AssertionError, match="ended with 66"):
        tool.run_shell("bids_regions nowhere out participant; true", programs)


def test_a_page_that_lies_is_seen(tmp_path):
    for body, told in (
        ("```sh\nfalse\n```\n", "ended with 1"),
        ("```python\n1 + 1\n# -> 3\n```\n", "gives 2"),
        ("```sh\necho a\n```\n```text\nb\n```\n", "is not among"),
    ):
        (tmp_path / "page.md").write_text(body)
        with pytest.raises(AssertionError, match=told):
            tool.run_page(tmp_path / "page.md", tmp_path)
