"""Array tasks: eight processes at once write into one OUTPUT_DIR, a participant each, as a serial run would have."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from trees import describe, write_map

PARTICIPANTS = tuple(f"{n:02d}" for n in range(1, 9))
ROUNDS = 3
COMMAND = (sys.executable, "-m", "bids_regions")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OPENBLAS_NUM_THREADS": "1"}


def start(dataset: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    words = (*COMMAND, dataset, out, "participant", "--nprocs", "1", *options)
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def finish(apps: list[subprocess.Popen[str]]) -> None:
    said = [app.communicate(timeout=280)[1] for app in apps]
    assert [app.returncode for app in apps] == [0] * len(apps), "\n".join(said)


def contents(out: Path) -> dict[str, str]:
    """Every file with a hash of its bytes; of the logs, those that tell of a single run are left out."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith("run-")
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
    logs = [json.loads(log.read_text()) for log in (out / "logs").glob("run-*.json")]
    assert [log["exit_code"] for log in logs] == [0] * len(PARTICIPANTS)
    assert {label for log in logs for label in PARTICIPANTS if log["command"].endswith(f" {label}")} == {*PARTICIPANTS}


def test_the_same_participant_twice_at_once_is_whole(dataset: Path, serial: dict[str, str], tmp_path: Path) -> None:
    """A requeued task whose first life has not ended yet."""
    out = tmp_path / "out"
    finish([start(dataset, out, "--participant-label", "01", "--force") for _ in range(4)])
    own = {name: digest for name, digest in serial.items() if "sub-0" not in name or "sub-01" in name}
    assert contents(out) == own
