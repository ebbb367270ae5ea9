"""The commands that pages print: run as they stand, they give the same bytes."""

import html
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import trees

from bids_regions.cli import main

COMMAND = re.compile(r'<pre class="command"[^>]*>(.*?)</pre>', re.DOTALL)
RESULTS = ("_dseg.nii.gz", "_dseg.tsv", "_dseg.json", "_peaks.tsv", "_statmap.nii.gz")


@pytest.fixture
def dataset(tmp_path):
    root = trees.describe(tmp_path / "in")
    for label in ("01", "02"):
        for stat in ("t", "z"):
            for contrast in ("face>house", "two words"):
                trees.write_map(
                    root / f"sub-{label}/func/sub-{label}_task-a_contrast-{contrast}_stat-{stat}_statmap.nii"
                )
    return root


def printed(page):
    (command,) = COMMAND.findall(page.read_text())
    return shlex.split(html.unescape(re.sub(r"<[^>]+>", "", command)))


def shown(page, name):
    """What the page shows beside the word `name`."""
    found = re.findall(rf"<dt[^>]*>{re.escape(name)}</dt>\s*<dd[^>]*>(.*?)</dd>", page.read_text(), re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)) for text in found]


def run(words, dataset, output, folder):
    """Run a printed command in a folder that holds the files it names."""
    place = {"BIDS_DIR": str(dataset), "OUTPUT_DIR": str(output)}
    given = [place.get(word, word) for word in words[1:]]
    given = [str(folder / word) if (folder / word).is_file() else word for word in given]
    return main([*given, "-q"])


def bytes_of(output, endings=None):
    files = (path for path in Path(output).rglob("*") if path.is_file() and "logs" not in path.parts)
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in files
        if endings is None or path.name.endswith(endings)
    }


OPTIONS = {
    "defaults": (),
    "several": ("--threshold", "3.0", "97%", "--min-region-voxels", "5", "--also-write", "thresholded"),
    "selection": ("--stat", "t", "--assume-space", "MNI152NLin6Asym", "--contrast", "face>house", "--dof", "20"),
    "p": ("--stat", "t", "--threshold", "p=0.001", "--dof", "20", "--tail", "positive", "--connectivity", "26"),
    "convention": ("--convention", "fsl", "--threshold", "3.1", "--min-region-size", "100"),
    "nilearn": ("--convention", "nilearn", "--threshold", "95%", "--percentile-over", "nonzero"),
    "background": ("--background", "none", "--mask", "none", "--max-peaks", "1"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_printed_command_gives_the_same_bytes(dataset, tmp_path, options):
    assert main([str(dataset), str(tmp_path / "out"), "participant", *options, "-q"]) == 0
    words = printed(tmp_path / "out" / "sub-01.html")
    assert run(words, dataset, tmp_path / "again", tmp_path) == 0
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")


def test_a_configuration_and_a_filter_are_shown_and_replayed(dataset, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'min_region_size = 200\n[[regions]]\nname = "one"\nthreshold = "97%"\ntail = "two"\n'
        '[[regions]]\nname = "other"\nthreshold = 3\nconvention = "spm"\n'
        'match = { contrast = ["face>house", "x"], run = false }\n'
    )
    trees.write_json(tmp_path / "mine.json", {"statmap": {"task": ["a", "b"], "run": None}})
    words = ["--config-file", str(tmp_path / "mine.toml"), "--bids-filter-file", str(tmp_path / "mine.json")]
    assert main([str(dataset), str(tmp_path / "out"), "participant", *words, "-q"]) == 0
    page = tmp_path / "out" / "sub-01.html"
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "settings.toml").write_text(shown(page, "settings.toml")[-1])
    (folder / "filter.json").write_text(shown(page, "filter.json")[-1])
    assert run(printed(page), dataset, tmp_path / "again", folder) == 0
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")


def test_every_entry_has_a_command_of_its_own_and_earlier_settings_are_marked(dataset, tmp_path):
    out = tmp_path / "out"
    assert main([str(dataset), str(out), "participant", "--threshold", "4.0", "--stat", "t", "-q"]) == 0
    assert main([str(dataset), str(out), "participant", "--threshold", "97%", "--min-region-size", "100", "-q"]) == 0
    page = out / "sub-01.html"
    commands = shown(page, "command")
    assert len(commands) == 4  # two maps under each entry
    assert shown(page, "settings") == ["earlier ones, not those of the run that wrote this page"] * 2
    for command in commands:
        assert run(shlex.split(command), dataset, tmp_path / "again", tmp_path) == 0
    ours = {name: content for name, content in bytes_of(out, RESULTS).items() if name.startswith("sub-01")}
    assert bytes_of(tmp_path / "again", RESULTS) == ours


def test_the_command_of_an_entry_with_a_name_of_its_own_shows_its_configuration(dataset, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[regions]]\nname = "mine"\nthreshold = 3.5\nmatch = { contrast = "face>house" }\n'
    )
    words = ["--config-file", str(tmp_path / "mine.toml"), "--participant-label", "01"]
    assert main([str(dataset), str(tmp_path / "out"), "participant", *words, "-q"]) == 0
    page = tmp_path / "out" / "sub-01.html"
    (command,) = shown(page, "command")
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "settings.toml").write_text(shown(page, "settings.toml")[0])
    assert run(shlex.split(command), dataset, tmp_path / "again", folder) == 0
    assert bytes_of(tmp_path / "again", RESULTS) == bytes_of(tmp_path / "out", RESULTS)


def test_the_groups_command_is_quoted_and_gives_the_same_bytes(dataset, tmp_path):
    table = "participant_id\tfirst group\nsub-01\ta\nsub-02\tb\n"
    (dataset / "participants.tsv").write_text(table)
    words = ["--stat", "z", "--threshold", "3.0", "97%", "--contrast", "two words"]
    group = ["--group-by", "first group", "--min-prevalence", "0.4"]
    assert main([str(dataset), str(tmp_path / "out"), "participant", "group", *words, *group, "-q"]) == 0
    command = printed(tmp_path / "out" / "group.html")
    assert command[:4] == ["bids_regions", "BIDS_DIR", "OUTPUT_DIR", "group"]
    assert main([str(dataset), str(tmp_path / "again"), "participant", *words, "-q"]) == 0
    assert run(command, dataset, tmp_path / "again", tmp_path) == 0
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")


def test_the_groups_command_names_its_people_their_table_and_what_was_left_out(dataset, tmp_path):
    for label in ("03", "04"):
        for session in ("1", "2"):
            name = f"sub-{label}/ses-{session}/func/sub-{label}_ses-{session}_task-a_contrast-c_stat-z_statmap.nii"
            trees.write_map(dataset / name)
    (tmp_path / "people.tsv").write_text("participant_id\tsite\nsub-02\ta\nsub-03\tb\nsub-04\tb\n")
    words = ["--participant-label", "02", "03", "04", "--group-by", "site", "--reliability", "none"]
    words += ["--participants-tsv", str(tmp_path / "people.tsv")]
    assert main([str(dataset), str(tmp_path / "out"), "participant", "-q"]) == 0
    assert main([str(dataset), str(tmp_path / "again"), "participant", "-q"]) == 0
    assert main([str(dataset), str(tmp_path / "out"), "group", *words, "-q"]) == 0
    command = printed(tmp_path / "out" / "group.html")
    assert run(command, dataset, tmp_path / "again", tmp_path) == 0
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")
    assert "people.tsv" in command
    assert not (tmp_path / "again" / "group_reliability.tsv").exists()


def test_a_dataset_that_was_not_validated_is_replayed(dataset, tmp_path):
    (dataset / "dataset_description.json").write_text("{")
    words = ["participant", "--skip-bids-validation", "--participant-label", "01", "-q"]
    assert main([str(dataset), str(tmp_path / "out"), *words]) == 0
    page = tmp_path / "out" / "sub-01.html"
    for command in (printed(page), *map(shlex.split, shown(page, "command"))):
        assert run(command, dataset, tmp_path / "again", tmp_path) == 0


def test_each_entry_of_a_raw_dataset_names_its_derivatives(dataset, tmp_path):
    raw = trees.describe(tmp_path / "raw")
    (raw / "derivatives").mkdir()
    for name in ("one", "two"):
        shutil.copytree(dataset, raw / "derivatives" / name)
    words = ["participant", "--derivatives", "two", "--participant-label", "01", "-q"]
    assert main([str(raw), str(tmp_path / "out"), *words]) == 0
    page = tmp_path / "out" / "sub-01.html"
    for command in (printed(page), *map(shlex.split, shown(page, "command"))):
        assert run(command, raw, tmp_path / "again", tmp_path) == 0


def test_a_volume_of_another_suffix_names_both(tmp_path):
    trees.tedana(tmp_path / "in")
    words = ["--suffix", "components", "--volumes", "1", "2", "--min-region-size", "500", "-q"]
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", *words]) == 0
    page = tmp_path / "out" / "sub-01.html"
    assert run(printed(page), tmp_path / "in", tmp_path / "again", tmp_path) == 0
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")
    assert all("--suffix components --volumes" in command for command in shown(page, "command"))
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("*_dseg.json")]
    assert len(records) == len(shown(page, "command"))
