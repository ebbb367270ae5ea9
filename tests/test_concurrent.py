"""Several runs at once write into one OUTPUT_DIR: what a serial run would have written, or a sentence that refuses."""

import hashlib
import json
from pathlib import Path

import pytest
from processes import Forked
from trees import describe, write_map

from bids_regions.files import locked
from bids_regions.workflow.group_level import LOCK

pytestmark = pytest.mark.slow

PARTICIPANTS = tuple(f"{n:02d}" for n in range(1, 9))
ROUNDS = 3


def start(dataset: Path, out: Path, *options: str, level: str = "participant") -> Forked:
    return Forked(dataset, out, level, "--nprocs", "1", *options)


def finish(apps: list[Forked]) -> None:
    ended = [app.wait() for app in apps]
    assert [app.returncode for app in ended] == [0] * len(apps), "\n".join(app.stderr for app in ended)


def contents(out: Path) -> dict[str, str]:
    """Every file with a hash of its bytes; of the logs, those that tell of a single run are left out."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith("log-")
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = describe(tmp_path_factory.mktemp("concurrent") / "maps")
    for label in PARTICIPANTS:
        write_map(root / f"sub-{label}" / f"sub-{label}_task-a_space-S_contrast-x_stat-z_statmap.nii.gz")
    return root


@pytest.fixture(scope="module")
def serial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("serial") / "out"
    finish([start(dataset, out)])
    return contents(out)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_eight_tasks_at_once_write_what_a_serial_run_writes(
    dataset: Path, serial: dict[str, str], tmp_path: Path, turn: int
) -> None:
    out = tmp_path / f"out{turn}"  # each round makes its folders anew, which is where tasks meet
    finish([start(dataset, out, "--participant-label", label) for label in PARTICIPANTS])
    assert contents(out) == serial
    logs = [json.loads(log.read_text()) for log in (out / "logs").glob("log-*.json")]
    assert [log["exit_code"] for log in logs] == [0] * len(PARTICIPANTS)
    assert {label for log in logs for label in PARTICIPANTS if log["command"].endswith(f" {label}")} == {*PARTICIPANTS}


def test_the_same_participant_twice_at_once_is_whole(dataset: Path, serial: dict[str, str], tmp_path: Path) -> None:
    """A requeued task whose first life has not ended yet."""
    out = tmp_path / "out"
    finish([start(dataset, out, "--participant-label", "01", "--force") for _ in range(4)])
    own = {name: digest for name, digest in serial.items() if "sub-0" not in name or "sub-01" in name}
    assert contents(out) == own


def test_two_runs_with_other_settings_never_mix_their_files(dataset: Path, tmp_path: Path) -> None:
    """Both write under the same names; each record that stands agrees with every file it names."""
    out = tmp_path / "out"
    few = ("--participant-label", "01", "02", "03")
    finish([start(dataset, out, *few, "--force", "--min-region-voxels", size) for size in ("5", "40", "5", "40")])
    found = sorted(out.rglob("sub-*_dseg.json"))
    assert len(found) == 3
    for path in found:
        record = json.loads(path.read_text())
        for name, digest in record["Outputs"].items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
    assert not list(out.rglob(".*.tmp"))
    alone = tmp_path / "alone"
    for folder in (out, alone):
        finish([start(dataset, folder, *few, "--min-region-voxels", "5")])
    assert contents(out) == contents(alone)


def test_two_runs_with_other_thresholds_share_one_page_that_shows_both(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    few = ("--participant-label", "01", "02", "03")
    finish([start(dataset, out, *few, "--threshold", threshold) for threshold in ("2.0", "3.0", "4.0")])
    for label in few[1:]:
        page = (out / f"sub-{label}.html").read_text()
        assert all(entry in page for entry in ("thr2p0", "thr3p0", "thr4p0")), label


SENTENCES = {0: "", 1: "", 18: "no participant has results", 66: "cannot be read", 73: "another run of the group level"}


def test_a_group_run_while_participants_still_write_is_right_or_refused(dataset: Path, tmp_path: Path) -> None:
    """The group again and again, until all participants are done; then it is what it is without any race."""
    out, alone = tmp_path / "out", tmp_path / "alone"
    finish([start(dataset, alone)])
    finish([start(dataset, alone, level="group")])
    writers = [start(dataset, out, "--force") for _ in range(2)]
    codes = []
    while not codes or any(writer.poll() is None for writer in writers):
        group = start(dataset, out, level="group")
        said = group.wait().stderr
        codes.append(group.returncode)
        assert "Traceback" not in said
        assert said.splitlines()[-1].endswith(f"(exit code {group.returncode})"), said
        assert SENTENCES[group.returncode] in said.splitlines()[-1], said
        check_group(out)
    finish(writers)
    finish([start(dataset, out, level="group")])
    assert contents(out) == contents(alone)


def check_group(out: Path) -> None:
    """Every table of the group is whole, and its consensus is of those who are counted."""
    for path in out.glob("group_*.tsv"):
        lines = path.read_text().splitlines()
        assert len({line.count("\t") for line in lines}) == 1, path.name
    for path in out.glob("tpl-*/*Consensus_dseg.json"):
        record = json.loads(path.read_text())
        for name, digest in record["Outputs"].items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name


def test_a_second_group_run_is_refused_while_one_is_at_work(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    finish([start(dataset, out)])
    with locked(out / LOCK, "group") as ours:
        assert ours
        second = start(dataset, out, level="group")
        said = second.wait().stderr
    assert second.returncode == 73
    assert "another run of the group level is writing to" in said.splitlines()[-1]
    assert not (out / "group.html").exists()
    finish([start(dataset, out, level="group")])
