"""Options that stand several times add up; a bad value is answered by a sentence, as in a configuration file."""

import ast
import gzip
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
import trees

import bids_regions
from bids_regions.cli import build_parser, main
from bids_regions.errors import Contradiction
from bids_regions.extraction.criteria import BUILT_IN
from bids_regions.settings import OPTIONS, make_settings, read_configuration
from bids_regions.settings.options import count, fraction, memory, not_negative, positive, suffix, volume, whole


def parse(*words):
    return build_parser().parse_args(["a", "b", "participant", *words])


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.many], ids=lambda option: option.name)
def test_an_option_of_several_values_adds_up(option):
    one, two, three = (option.choices * 3)[:3] if option.choices else ("1", "2", "3")
    flag = option.flags[0]
    found = getattr(parse(flag, str(one), str(two), flag, str(three)), option.name)
    assert found == [option.kind(str(each)) for each in (one, two, three)]


def test_an_option_without_values_keeps_its_default():
    assert all(getattr(parse(), option.name) is None for option in OPTIONS if option.many and option.default is None)


TOLD = {  # option: the default that its help tells, where that is a plain value that stands somewhere
    option.name: found[1]
    for option in OPTIONS
    if (found := re.search(r"\(default: ([\w.]+)\)", option.help or ""))
    and option.name not in ("suffix", "surfaces", "vertex_areas")
}


@pytest.mark.parametrize("name", TOLD)
def test_the_default_that_the_help_tells_is_the_one_taken(name):
    (entry,) = make_settings(parse()).entries
    places = (vars(parse()), BUILT_IN, vars(entry), vars(entry.criteria))
    own = {"min_region_area": "smallest_area"}.get(name, name)
    value = next(place[own] for place in places if place.get(own) is not None)
    assert (f"{value:g}" if isinstance(value, float) else str(value)) == TOLD[name]


def test_the_defaults_are_told():
    assert len(TOLD) > 15


def test_repeated_options_are_all_done(tmp_path, capsys):
    for label in ("01", "02", "03"):
        trees.write_map(tmp_path / "in" / f"sub-{label}/func/sub-{label}_task-a_space-T_contrast-x_stat-z_statmap.nii")
    trees.describe(tmp_path / "in")
    words = ["--participant-label", "01", "--participant_label", "02", "--threshold", "3.0", "--threshold", "97%"]
    assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", *words]) == 0
    assert len(list((tmp_path / "out").rglob("*_dseg.tsv"))) == 4


def test_a_percentile_without_its_sign_is_done_and_told(tmp_path, capsys):
    trees.write_map(trees.describe(tmp_path / "in") / "sub-01/sub-01_space-T_contrast-x_stat-z_statmap.nii")
    words = [str(tmp_path / "in"), str(tmp_path / "out"), "participant"]
    assert main([*words, "--threshold", "97"]) == 0
    (record,) = (tmp_path / "out").rglob("*_dseg.json")
    told = "a percentile is written 97%"
    assert any(told in warning for warning in json.loads(record.read_text())["Warnings"])
    assert told in capsys.readouterr().err.splitlines()[-2]
    assert main([*words, "--threshold", "97", "3.0"]) == 0
    assert told in capsys.readouterr().err.splitlines()[-2]
    assert main([*words, "--threshold", "4.9", "97%"]) == 0
    assert told not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stat", "height", "told"),
    [
        ("1mp", "3.0", "No value of the map can reach 3, for its numbers are 1 - p; p <= 0.05 is written p=0.05"),
        ("1mp", "97", "No value of the map can reach 97, for its numbers are 1 - p; p <= 0.05 is written p=0.05"),
        ("1mp", "0.05", "0.05 is a cutoff of 1 - p, and keeps p up to 0.95; p <= 0.05 is written p=0.05"),
        ("1mp", "0.95", ""),
        ("r", "3.0", "No value of the map reaches 3, for none lies outside of -1 to 1"),
        ("r", "1", ""),
        ("effect", "0.5", ""),
    ],
)
def test_a_height_that_no_number_of_the_map_can_have_is_done_and_told(tmp_path, capsys, stat, height, told):
    data = trees.make_data("x")
    data *= 0.99 / np.abs(data).max()
    data = np.abs(data) if stat == "1mp" else data
    path = trees.describe(tmp_path / "in") / f"sub-01/sub-01_space-T_contrast-x_stat-{stat}_statmap.nii"
    trees.write_map(path, data=data)
    assert (
        main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--stat", stat, "--threshold", height]) == 0
    )
    (record,) = (tmp_path / "out").rglob("*_dseg.json")
    warnings = json.loads(record.read_text()).get("Warnings", [])
    said, page = capsys.readouterr().err.splitlines(), (tmp_path / "out" / "sub-01.html").read_text()
    if told:
        assert told in warnings
        assert told in said[-2]
        assert html.escape(told) in page
    else:
        assert not any("No value" in text or "a cutoff of 1 - p" in text for text in (*warnings, *said))


def test_a_map_without_data_and_a_mask_beside_it_are_told(tmp_path):
    data = np.zeros((12, 12, 12), np.float32)
    path = trees.describe(tmp_path / "in") / "sub-01/sub-01_space-T_contrast-x_stat-z_statmap.nii"
    mask = trees.write_map(tmp_path / "mask.nii", data=np.float32(np.indices(data.shape)[0] < 3))

    def warnings(*words):
        trees.write_map(path, data=data)
        assert main([str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--force", *words]) == 0
        (record,) = (tmp_path / "out").rglob("*_dseg.json")
        return " ".join(json.loads(record.read_text())["Warnings"])

    assert "The map has no data: every value is 0" in warnings()
    data[6:9] = 5
    assert "no data" not in warnings()
    assert "The map has no data within the mask" in warnings("--mask", str(mask))
    data[1] = 5
    assert "no data" not in warnings("--mask", str(mask))


def write_maps(root, *stems):
    trees.describe(root)
    for stem in stems:
        trees.write_map(root / f"{stem}_statmap.nii")
    return root


def test_what_is_skipped_for_one_reason_is_one_line_and_each_with_v(tmp_path, capsys):
    root = write_maps(tmp_path / "in", *(f"sub-{n:02d}/sub-{n:02d}_contrast-x_stat-z" for n in range(3)))
    for n in range(5):
        path = root / f"sub-{n:02d}/sub-{n:02d}_contrast-y_stat-z_statmap.nii.gz"
        trees.write_map(path, trees.np.zeros((4, 5, 3, 2), trees.np.float32))
        trees.touch(path.with_name(path.name.replace("nii.gz", "mgz")))
    words = [str(root), str(tmp_path / "out"), "participant"]
    assert main(words) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped")]
    assert len(lines) == 2
    assert all(line.startswith("skipped: 5 files, such as sub-00/") for line in lines)
    (log,) = (tmp_path / "out" / "logs").glob("log-*.json")
    assert [len(each["files"]) for each in json.loads(log.read_text())["skipped"]] == [5, 5]
    assert main([*words, "-v"]) == 0
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped: sub-")]) == 10


def test_the_last_line_tells_what_was_done_and_what_was_found_done(tmp_path, capsys):
    root = write_maps(tmp_path / "in", *(f"sub-{n:02d}/sub-{n:02d}_contrast-x_stat-z" for n in range(2)))
    words = [str(root), str(tmp_path / "out"), "participant"]
    assert main([*words, "--participant-label", "00"]) == 0
    assert "bids_regions: 1 map done with 2 regions, 0 results empty" in capsys.readouterr().err
    assert main(words) == 0
    assert "1 map done with 2 regions, 1 map already done with 2 regions, 0 results" in capsys.readouterr().err
    assert main(words) == 0
    assert "bids_regions: 2 maps already done with 4 regions, 0 results" in capsys.readouterr().err


def test_a_failure_is_told_once(tmp_path, capsys):
    root = write_maps(tmp_path / "in", "sub-01/sub-01_contrast-x_stat-z")
    trees.touch(root / "sub-01/sub-01_contrast-y_stat-z_statmap.nii", b"")
    trees.touch(root / "sub-01/sub-01_contrast-w_stat-z_statmap.nii", b"no image" * 100)
    assert main([str(root), str(tmp_path / "out"), "participant"]) == 1
    said = capsys.readouterr().err
    assert said.count("sub-01_contrast-y_stat-z_statmap.nii") == 1
    assert len([line for line in said.splitlines() if line.startswith("failed")]) == 2


def test_the_page_counts_files_as_the_terminal_does(tmp_path, capsys):
    root = write_maps(tmp_path / "in", "sub-01/sub-01_contrast-x_stat-z")
    trees.touch(root / "sub-01/sub-01_contrast-y_stat-z_statmap.nii", b"")
    trees.touch(root / "sub-01/sub-01_contrast-w_stat-z_statmap.mgz", b"x")
    assert main([str(root), str(tmp_path / "out"), "participant", "--threshold", "3.0", "97%"]) == 1
    told = "1 map done with 3 regions, 0 results empty, 1 file skipped, 1 failed"
    assert told in capsys.readouterr().err
    page = re.sub(r"<[^>]+>|\s+", " ", (tmp_path / "out" / "sub-01.html").read_text())
    assert re.search(r"1 +map +3 +regions +1 +skipped +1 +failed", page)
    assert "(pct97, thr3p0)" in page


def test_files_of_one_reason_are_one_line_whatever_is_each_ones_own(tmp_path, capsys):
    root = write_maps(tmp_path / "in", "sub-01/sub-01_contrast-x_stat-z")
    for n in (2, 3, 4):  # volumes, as every participant has other components
        trees.write_map(root / f"sub-0{n}" / f"sub-0{n}_contrast-x_stat-z_statmap.nii.gz", np.ones((*trees.SHAPE, n)))
        whole = trees.write_map(root / f"sub-0{n}" / f"sub-0{n}_contrast-y_stat-z_statmap.nii.gz")
        trees.touch(whole.with_suffix(""), gzip.decompress(whole.read_bytes()))
    assert main([str(root), str(tmp_path / "out"), "participant"]) == 0
    twins, more = sorted(line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped"))
    assert twins.startswith("skipped: 3 files, such as sub-02/sub-02_contrast-x_")
    assert twins.endswith(": 4-D and no 3-D map. Take its volumes by --volumes all, or by their numbers.")
    assert more.endswith(": its content is that of another file, which is taken")
    (log,) = (tmp_path / "out" / "logs").glob("log-*.json")
    assert [len(each["files"]) for each in json.loads(log.read_text())["skipped"]] == [3, 3]


def said_by(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("p<0.001", "write p=0.001"),
        ("-3", "a value is a magnitude"),
        ("p < 0.001", "write p=0.001"),
        ("FDR=0.05", "write fdr=0.05"),
        ("3,1", "write 3.1"),
        ("97 %", "write 97%"),
        ("p97", "Write 3.0, 97%"),
        ("z>3.1", "write 3.1"),
        ("97percent", "write 97%"),
        ("pct97", "write 97%"),
        ("three", "Write 3.0, 97%"),
    ],
)
def test_a_threshold_is_answered_with_what_was_meant(tmp_path, capsys, typed, hint):
    said = said_by(capsys, "--threshold", typed)
    assert len(said.splitlines()) == 1
    sentence = said.removeprefix("bids_regions: error: --threshold: ").removesuffix(" (exit code 2)\n")
    assert hint in sentence
    (tmp_path / "c.toml").write_text(f"[[regions]]\nname = 'a'\nthreshold = {json.dumps(typed)}\n")
    with pytest.raises(Contradiction) as refused:
        read_configuration(tmp_path / "c.toml")
    assert sentence.rstrip(".") in str(refused.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--values-from", "effect"), "--values-from: 'effect' is not of the form ENTITY=VALUE, such as stat=effect"),
        (("--min-region-size", "1,5"), "--min-region-size: '1,5' is no number; write 1.5"),
        (("--min-region-size", "x,5"), "--min-region-size: 'x,5' is no number"),
        (("--nprocs", "1.5"), "--nprocs: '1.5' is no whole number"),
        (("--mem", "lots"), "--mem: lots is no amount of memory; write 8G or 8000M"),
        (("--connectivity", "x"), "--connectivity: 'x' is no whole number"),
        (("--convention", "SPM"), "--convention: 'SPM' is no choice; write spm"),
        (("--reliability", "x"), "--reliability: 'x' is no choice; choose from auto, none"),
        (("--connectivity", "7"), "--connectivity: '7' is no choice; choose from 6, 18, 26"),
        (("--thresold", "3"), "unrecognized arguments: --thresold 3; did you mean --threshold? bids_regions --help"),
        (("--threshold",), "--threshold: expected at least one argument"),
        (("--participant-label", ""), "--participant-label: the value is empty; write one, or leave it out"),
        (("--task-id", "x", " "), "--task-id: the value is empty; write one, or leave it out"),
        (("--mask", ""), "--mask: the value is empty; write one, or leave it out"),
        (("--work-dir=",), "--work-dir: the value is empty; write one, or leave it out"),
    ],
)
def test_a_bad_value_is_answered_in_one_line(capsys, words, sentence):
    said = said_by(capsys, *words)
    assert said.startswith(f"bids_regions: error: {sentence}")
    assert said.endswith("(exit code 2)\n")
    assert len(said.splitlines()) == 1


def test_maps_without_results_are_not_told_as_done(tmp_path, capsys):
    root = write_maps(tmp_path / "in", "sub-01/sub-01_contrast-x_stat-z", "sub-02/sub-02_contrast-x_stat-z")
    words = [str(root), str(tmp_path / "out"), "participant"]
    assert main([*words, "--participant-label", "01"]) == 0
    capsys.readouterr()
    assert main([*words, "--reports-only"]) == 0
    *told, last = capsys.readouterr().err.splitlines()
    assert last.startswith("bids_regions: 1 map already done with 2 regions, ")
    assert any("sub-02: no results, " in line for line in told)


def test_every_option_that_a_sentence_names_is_one():
    known = {spelling for option in OPTIONS for spelling in option.spellings} | {"--help", "--version"}
    package = Path(bids_regions.__file__).parent
    named = {}
    for path in package.rglob("*.py"):
        if path.parent.name != "importing":  # a command with options of its own
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    named |= dict.fromkeys(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", node.value), path.name)
    assert len(named) > 30
    assert {option: where for option, where in named.items() if option not in known} == {}


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (positive, {"0.001": 0.001, "1": 1.0}, ("0", "-1", "inf", "nan")),
        (not_negative, {"0": 0.0, "0.001": 0.001}, ("-0.001", "inf", "nan")),
        (count, {"1": 1, "2": 2}, ("0", "-1")),
        (whole, {"0": 0, "1": 1}, ("-1",)),
        (fraction, {"0.001": 0.001, "1": 1.0}, ("0", "1.001", "nan")),
        (suffix, {"components": "components", "_x1": "x1"}, ("a-b", "caf\xe9", "", "_")),
        (volume, {"all": "all", "1": "1", "012": "12"}, ("0", "-1", "1.5", "ALL", "")),
        (
            memory,
            {
                "1K": 2**10,
                "1": 2**20,
                "0.5m": 2**19,
                "8GB": 2**33,
                "1T": 2**40,
                "1048575.5T": 2**60 - 2**39,
                "0.0009765625K": 1,
            },
            ("0", "-1G", "1048576T", "inf", "G", "0.0009765624K", "1Q"),
        ),
    ],
)
def test_the_bounds_of_a_value_are_taken_and_what_lies_beyond_is_refused(kind, taken, refused):
    assert {text: kind(text) for text in taken} == taken
    for text in refused:
        with pytest.raises(ValueError, match=r"is no|is not|does not lie"):
            kind(text)
