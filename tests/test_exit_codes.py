"""Every exit code of the contract, one by one, through the command itself, with the last line it prints."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from processes import HANG, Ended, fork_app
from trees import describe, fitlins, make_data, write_map

from bids_regions.cli import main
from bids_regions.settings import OPTIONS

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
os.execv(sys.argv[1], sys.argv[1:])
"""


def run_app(*arguments: str | Path, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Exit code, last line of stderr, and all of it."""
    ended: subprocess.CompletedProcess[str] | Ended
    if before:
        command = [*before, sys.executable, "-m", "bids_regions", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=HANG)
    else:
        ended = fork_app(*arguments)
    assert "Traceback" not in ended.stderr
    return ended.returncode, (ended.stderr.strip().splitlines() or [""])[-1], ended.stderr


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """One participant with one z map."""
    root = describe(tmp_path / "maps")
    write_map(root / "sub-01" / "sub-01_task-a_space-S_contrast-x_stat-z_statmap.nii.gz")
    return root


def test_0_all_well(dataset: Path, tmp_path: Path) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", before=("env",))
    assert code == 0
    assert last.startswith("bids_regions: 1 map done with ")
    assert last.endswith("0 failed (exit code 0)")


def test_0_no_region_survived(dataset: Path, tmp_path: Path) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", "--threshold", "1000")
    assert (code, last) == (
        0, "bids_regions: 1 map done with 0 regions, 1 result empty, 0 files skipped, 0 failed (exit code 0)"
    )  # fmt: skip


def test_0_help_without_arguments() -> None:
    command = [sys.executable, "-m", "bids_regions"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=HANG)
    assert ended.returncode == 0
    assert ended.stdout.startswith("usage: bids_regions")


def test_0_the_commands_of_the_short_usage(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments: a screen's half, three commands, and each runs; --help stays whole."""
    assert main([]) == 0
    told = capsys.readouterr().out
    assert len(told.splitlines()) <= 15
    commands = re.findall(r"^  bids_regions (.*)$", told, re.MULTILINE)
    assert len(commands) == 3
    for n, words in enumerate(commands):
        places = words.replace("BIDS_DIR", str(dataset)).replace("OUTPUT_DIR", str(tmp_path / str(n)))
        assert main(places.split()) == 0
    assert (tmp_path / "1" / "group.html").is_file()
    assert (tmp_path / "2" / "sub-01.html").is_file()
    with pytest.raises(SystemExit):
        main(["--help"])
    whole = capsys.readouterr().out
    assert all(option.flags[0] in whole for option in OPTIONS)


@pytest.mark.parametrize("level", ["participant", "participant group"])
def test_1_a_map_failed_and_the_others_are_done(dataset: Path, tmp_path: Path, level: str) -> None:
    (dataset / "sub-02").mkdir()
    (dataset / "sub-02" / "sub-02_task-a_space-S_contrast-x_stat-z_statmap.nii.gz").touch()
    code, last, _ = run_app(dataset, tmp_path / "out", *level.split())
    assert code == 1
    assert last.startswith("bids_regions: 1 map done with ")
    assert "1 failed" in last
    assert last.endswith("(exit code 1)")
    assert (tmp_path / "out" / "sub-01.html").exists()


def test_1_p_asked_of_a_t_map_without_dof(dataset: Path, tmp_path: Path) -> None:
    write_map(dataset / "sub-02" / "sub-02_task-a_space-S_contrast-x_stat-t_statmap.nii.gz")
    code, last, said = run_app(dataset, tmp_path / "out", "participant", "--threshold", "p=0.001")
    assert code == 1
    assert last.endswith("1 failed (exit code 1)")
    assert "degrees of freedom" in said
    assert "--dof" in said


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--connectivity", "7"), "--connectivity"),
        (("--threshold", "150%"), "--threshold"),
        (("--min-region-size", "nan"), "--min-region-size"),
        (("--no-such-option",), "--no-such-option"),
    ],
)
def test_2_a_bad_value(dataset: Path, tmp_path: Path, options: tuple[str, ...], named: str) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", *options)
    assert code == 2
    assert last.startswith("bids_regions: error:")
    assert named in last
    assert not (tmp_path / "out").exists()


def test_2_no_such_level(dataset: Path, tmp_path: Path) -> None:
    assert run_app(dataset, tmp_path / "out", "session")[0] == 2


def test_16_a_description_that_cannot_be_read(dataset: Path, tmp_path: Path) -> None:
    (dataset / "dataset_description.json").write_text("{")
    code, last, _ = run_app(dataset, tmp_path / "out", "participant")
    assert code == 16
    assert "dataset_description.json" in last
    assert last.endswith("(exit code 16)")


def test_16_several_derivatives_and_none_named(tmp_path: Path) -> None:
    raw = describe(tmp_path / "raw", DatasetType="raw")
    for name in ("one", "two"):
        fitlins(raw / "derivatives" / name, participants=("01",), stats=("z",))
    code, last, _ = run_app(raw, tmp_path / "out", "participant")
    assert code == 16
    assert "--derivatives" in last
    assert last.endswith("(exit code 16)")


def test_18_an_empty_selection(dataset: Path, tmp_path: Path) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", "--participant-label", "77")
    assert code == 18
    assert last.endswith("(exit code 18)")


def test_64_contradictory_options(dataset: Path, tmp_path: Path) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", "--force", "--dry-run")
    assert code == 64
    assert "--force and --dry-run" in last
    assert last.endswith("(exit code 64)")


def test_64_a_faulty_configuration(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('thresold = "3.0"\ntail = "none"\n')
    code, last, said = run_app(dataset, tmp_path / "out", "participant", "--config-file", tmp_path / "wrong.toml")
    assert code == 64
    assert last.endswith("nothing was done (exit code 64)")
    assert "thresold" in said
    assert "tail" in said


def test_66_no_bids_dir(tmp_path: Path) -> None:
    code, last, _ = run_app(tmp_path / "absent", tmp_path / "out", "participant")
    assert code == 66
    assert "absent" in last
    assert last.endswith("(exit code 66)")


def test_66_no_map_anywhere(tmp_path: Path) -> None:
    code, last, _ = run_app(describe(tmp_path / "bare"), tmp_path / "out", "participant")
    assert code == 66
    assert last.endswith("(exit code 66)")


@pytest.mark.parametrize("option", ["--config-file", "--bids-filter-file", "--mask", "--background"])
def test_66_a_named_file_is_missing(dataset: Path, tmp_path: Path, option: str) -> None:
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", option, tmp_path / "absent.x")
    assert code == 66
    assert "absent.x" in last
    assert last.endswith("(exit code 66)")


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "out"


def in_the_kernel(_folder: Path) -> Path:
    return Path("/proc/bids_regions")


@pytest.mark.parametrize("place", [below_a_file, in_the_kernel])
def test_73_an_output_that_cannot_be_made(dataset: Path, tmp_path: Path, place: Callable[[Path], Path]) -> None:
    code, last, _ = run_app(dataset, place(tmp_path), "participant")
    assert code == 73
    assert last.endswith("(exit code 73)")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_74_a_disk_that_takes_no_more(dataset: Path, tmp_path: Path, workers: str) -> None:
    """Files beyond 20 kB are refused with EFBIG, as a full disk refuses with ENOSPC."""
    rough = np.random.default_rng(1).normal(0, 3, (40, 40, 40)).astype(np.float32)
    write_map(dataset / "sub-02" / "sub-02_task-a_space-S_contrast-x_stat-z_statmap.nii.gz", rough)
    code, last, _ = run_app(
        dataset, tmp_path / "out", "participant", "--threshold", "0.5", "--min-region-voxels", "1", "--nprocs", workers,
        before=(sys.executable, "-c", LIMITED),
    )  # fmt: skip
    assert code == 74
    assert last.endswith("(exit code 74)")
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_the_log_agrees_with_the_last_line(dataset: Path, tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    (dataset / "sub-02").mkdir()
    write_map(dataset / "sub-02" / "sub-02_task-a_space-S_contrast-x_stat-t_statmap.nii.gz", make_data("t"))
    code, last, _ = run_app(dataset, tmp_path / "out", "participant", "--threshold", "fdr=0.05")
    (log,) = (tmp_path / "out" / "logs").glob("log-*.json")
    told = json.loads(log.read_text())
    assert told["exit_code"] == code == 1
    assert f"bids_regions: {told['reason']} (exit code {code})" == last


def test_a_map_that_broke_after_it_was_done_fails_once(tmp_path, capsys):
    path = write_map(describe(tmp_path / "in") / "sub-01/sub-01_space-T_contrast-x_stat-z_statmap.nii.gz")
    words = [str(tmp_path / "in"), str(tmp_path / "out"), "participant"]
    assert main(words) == 0
    path.write_bytes(path.read_bytes()[:-2000])
    capsys.readouterr()
    assert main([*words, "--force"]) == 1
    said = capsys.readouterr().err
    assert said.count("failed: ") == 1
    assert said.splitlines()[-1].endswith("1 failed (exit code 1)")
    assert "cannot be drawn" not in (tmp_path / "out" / "sub-01.html").read_text()
