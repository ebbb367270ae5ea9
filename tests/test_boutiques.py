"""boutiques.json against the parser, option by option, against Boutiques' own checks, and run on a dataset."""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import HANG
from trees import fitlins

from bids_regions import settings
from bids_regions.cli import build_parser, main

ROOT = Path(__file__).parent.parent
DESCRIPTOR = ROOT / "boutiques.json"
DESCRIBED: dict[str, Any] = json.loads(DESCRIPTOR.read_text(encoding="utf-8"))
INPUTS: dict[str, dict[str, Any]] = {each["id"]: each for each in DESCRIBED["inputs"]}
OPTIONS = {a.dest: a for a in build_parser()._actions if a.option_strings and a.dest not in ("help", "version")}
BOSH = Path(sys.executable).with_name("bosh")


def made_anew() -> str:
    command = [sys.executable, ROOT / "tools" / "make_boutiques.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def bosh(*arguments: str | Path, cwd: Path | None = None, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": os.pathsep.join([str(path), os.environ["PATH"]])}
    return subprocess.run(
        [BOSH, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=HANG
    )


@pytest.fixture
def command_folder(tmp_path: Path) -> Path:
    """A folder for PATH with the command of this very checkout, installed or not."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "bids_regions"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bids_regions "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture
def invocation(tmp_path: Path) -> Path:
    dataset = fitlins(tmp_path / "a dataset", participants=("01",), stats=("z",))
    asked = {
        "bids_dir": str(dataset),
        "output_dir": str(tmp_path / "its regions"),
        "analysis_level": ["participant"],
        "threshold": ["97%", "p=0.001"],
        "participant_label": ["01"],
        "max_peaks": 2,
        "quiet": True,
    }
    path = tmp_path / "invocation.json"
    path.write_text(json.dumps(asked))
    return path


def test_the_committed_descriptor_is_the_one_that_is_made() -> None:
    assert made_anew() == DESCRIPTOR.read_text(encoding="utf-8")


def test_every_option_is_described_and_nothing_else() -> None:
    positionals = {"bids_dir", "output_dir", "participants_output_dir", "analysis_level"}
    assert set(INPUTS) - positionals == set(OPTIONS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_an_option_is_described_as_the_parser_takes_it(name: str) -> None:
    action, described = OPTIONS[name], INPUTS[name]
    assert described["command-line-flag"] in action.option_strings
    assert described["description"] == (action.help or "").replace("%%", "%")
    assert described.get("list", False) == (action.nargs == "+")
    assert described.get("value-choices", []) == list(action.choices or ())
    assert described["optional"]
    assert described["value-key"] in DESCRIBED["command-line"].split()
    is_switch = action.nargs == 0
    assert (described["type"] == "Flag") == is_switch
    assert described.get("default-value") == (None if is_switch else action.default)


@pytest.mark.parametrize("name", sorted(n for n, each in INPUTS.items() if each["type"] == "Number"))
def test_a_number_has_the_bounds_that_the_parser_keeps(name: str) -> None:
    action, described = OPTIONS[name], INPUTS[name]
    read: Any = action.type
    if described.get("value-choices"):
        assert {read(str(choice)) for choice in described["value-choices"]} == set(action.choices or ())
        return
    assert described.get("integer", False) == isinstance(read("1"), int)
    low, high = described.get("minimum"), described.get("maximum")
    for bound, beyond, open_end in (
        (low, -1, described.get("exclusive-minimum", False)),
        (high, 1, described.get("exclusive-maximum", False)),
    ):
        if bound is None:
            continue
        with pytest.raises(ValueError, match=str(bound + beyond)):
            read(str(bound + beyond))
        with pytest.raises(ValueError) if open_end else contextlib.nullcontext():  # noqa: PT011 # any refusal
            read(str(bound))


@pytest.mark.parametrize("name", sorted(n for n, each in INPUTS.items() if each["type"] == "File"))
def test_a_file_is_what_the_parser_takes_as_a_path(name: str) -> None:
    if name in OPTIONS:
        (option,) = (each for each in settings.OPTIONS if each.name == name)
        assert option.kind is Path


def test_levels_are_the_parsers() -> None:
    level = next(a for a in build_parser()._actions if a.dest == "analysis_level")
    assert INPUTS["analysis_level"]["value-choices"] == list(level.choices or ())
    assert INPUTS["analysis_level"]["list"]
    assert level.nargs == "+"


def test_exit_codes_are_those_that_the_help_tells() -> None:
    told = build_parser().epilog or ""
    for each in DESCRIBED["error-codes"]:
        assert f" {each['code']} " in told.replace("\n", " ")


def test_the_command_line_of_all_inputs_parses() -> None:
    """Each value-key stands once, after the positionals, and no key is part of another."""
    command = DESCRIBED["command-line"].removeprefix("mkdir -p [OUTPUT_DIR]; ").split()
    assert command[:6] == [
        "bids_regions", "[BIDS_DIR]", "[OUTPUT_DIR]", "[ANALYSIS_LEVEL]", "[PARTICIPANT_LABEL]", "[SESSION_LABEL]",
    ]  # fmt: skip
    assert len(command) == len(set(command)) == len(OPTIONS) + 4


def test_the_app_prints_the_descriptor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--bids-exec-spec"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out) == DESCRIBED


@pytest.mark.parametrize("extra", [(), ("--bids",)])
def test_boutiques_validates_it(extra: tuple[str, ...]) -> None:
    told = bosh("validate", *extra, DESCRIPTOR)
    assert told.returncode == 0, told.stdout + told.stderr


def test_boutiques_simulates_a_call(invocation: Path) -> None:
    told = bosh("exec", "simulate", "-i", invocation, DESCRIPTOR)
    assert told.returncode == 0, told.stdout + told.stderr
    command = told.stdout.strip().splitlines()[-1]
    parsed = build_parser().parse_args(_words(command))
    asked = json.loads(invocation.read_text())
    assert parsed.threshold == ["97%", "p=0.001"]
    assert (str(parsed.bids_dir), str(parsed.output_dir)) == (asked["bids_dir"], asked["output_dir"])
    assert (parsed.max_peaks, parsed.quiet, parsed.force) == (2, True, False)


def _words(command: str) -> list[str]:
    words = shlex.split(command.partition("; ")[2])
    assert words[0] == "bids_regions"
    return words[1:]


def test_boutiques_refuses_what_the_parser_refuses(tmp_path: Path, invocation: Path) -> None:
    wrong = {**json.loads(invocation.read_text()), "tail": "neither"}
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(wrong))
    assert bosh("invocation", "-i", path, DESCRIPTOR).returncode != 0


def test_boutiques_runs_it(tmp_path: Path, invocation: Path, command_folder: Path) -> None:
    told = bosh(
        "exec", "launch", "--no-container", "--skip-data-collection", DESCRIPTOR, invocation,
        cwd=tmp_path, path=command_folder,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert (tmp_path / "its regions" / "sub-01.html").is_file()
    assert len(list((tmp_path / "its regions").rglob("*_desc-p0p001_dseg.json"))) == 3


def test_parser_actions_are_of_known_kinds() -> None:
    """A new kind of action would slip through the comparison above."""
    kinds = {type(action) for action in OPTIONS.values()}
    assert {kind.__name__ for kind in kinds} == {
        "_StoreAction",
        "_ExtendAction",
        "_StoreTrueAction",
        "_CountAction",
        "_PrintDescriptor",
    }
    assert all(isinstance(action, argparse.Action) for action in OPTIONS.values())
