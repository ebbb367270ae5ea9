"""The same bytes outside logs/, at both levels: for two runs, workers, hash seeds, and any order of listing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kills import PARTICIPANTS, WORDS, differences, digests, make_dataset
from listings import list_by_name

from bids_regions.cli import main

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "bids_regions")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A dataset, and what a run on one worker makes of it."""
    root = tmp_path_factory.mktemp("determinism")
    make_dataset(root / "in")
    assert main([str(root / "in"), str(root / "out"), *WORDS, "--nprocs", "1"]) == 0
    return root, digests(root / "out")


def test_pages_figures_and_json_are_among_what_is_compared(sample: tuple[Path, dict[str, str]]) -> None:
    root, reference = sample
    endings = {re.sub(r".*?([.](?:nii[.]gz|\w+))$", r"\1", name) for name in reference}
    assert {".html", ".json", ".md", ".nii.gz", ".svg", ".tsv"} <= endings
    assert {f"sub-{label}.html" for label in PARTICIPANTS} | {"group.html"} <= reference.keys()
    assert any(name.startswith("tpl-") for name in reference)
    day = r"20\d\d-[01]\d-[0-3]\d[T ]\d\d:"
    assert not [name for name in reference if re.search(day.encode(), (root / "out" / name).read_bytes())]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_runs_and_workers_change_no_byte(sample: tuple[Path, dict[str, str]], workers: str) -> None:
    root, reference = sample
    out = root / f"again{workers}"
    assert main([str(root / "in"), str(out), *WORDS, "--nprocs", workers]) == 0
    assert differences(digests(out), reference) == []


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_hash_seeds_change_no_byte(sample: tuple[Path, dict[str, str]], seed: str) -> None:
    root, reference = sample
    out = root / f"seed{seed}"
    command = (*COMMAND, root / "in", out, *WORDS, "--nprocs", "1")
    subprocess.run(command, check=True, env={**ENVIRONMENT, "PYTHONHASHSEED": seed}, stderr=subprocess.DEVNULL)
    assert differences(digests(out), reference) == []


def test_the_order_in_which_files_are_listed_changes_no_byte(
    sample: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, reference = sample
    listed = list_by_name(monkeypatch, backwards=True)
    assert main([str(root / "in"), str(root / "reversed"), *WORDS, "--nprocs", "1"]) == 0
    monkeypatch.undo()
    assert [path for path in listed if path.startswith(str(root / "in"))]
    assert [path for path in listed if path.startswith(str(root / "reversed"))]
    assert differences(digests(root / "reversed"), reference) == []
