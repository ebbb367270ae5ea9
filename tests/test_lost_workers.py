"""A worker that is killed for memory: its map is named and failed, the others go on, the exit code is 1."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trees
from processes import HANG

from bids_regions.cli import main
from bids_regions.group import passes, reading
from bids_regions.images import load_statmap
from bids_regions.maps import maps
from bids_regions.pages import page

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FATAL = "sub-02_task-x_space-MNI152Lin_contrast-a_stat-z_statmap.nii.gz"


def killing(function, word):
    """`function`, but a worker that is given `word` among its arguments dies as the kernel would kill it."""
    own = os.getpid()

    def call(*words, **named):
        if word in str(words[0]) and os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*words, **named)

    return call


@pytest.fixture
def root(tmp_path):
    trees.describe(tmp_path / "in")
    for label in ("01", "02", "03", "04"):
        name = f"sub-{label}_task-x_space-MNI152Lin_contrast-a_stat-z_statmap.nii.gz"
        trees.write_map(tmp_path / "in" / f"sub-{label}" / "func" / name)
    return tmp_path


def run(root, *levels):
    return main([str(root / "in"), str(root / "out"), *levels, "--min-region-voxels", "5", "--nprocs", "2"])


def test_the_map_is_named_and_the_others_are_done(root, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        patched.setattr(maps, "load_statmap", killing(load_statmap, FATAL))
        assert run(root, "participant", "group") == 1
    told = capsys.readouterr().err
    assert f"failed: sub-02/func/{FATAL} (thr3p0): its worker process died twice, killed for memory most likely" in told
    assert told.splitlines()[-1].endswith("1 failed, 1 set of participants put together (exit code 1)")
    finished = sorted(path.parts[-3] for path in (root / "out").rglob("sub-*_dseg.json"))
    assert finished == ["sub-01", "sub-03", "sub-04"]
    assert "killed for memory" in (root / "out" / "sub-02.html").read_text()
    assert "killed for memory" in (root / "out" / "group_participants.tsv").read_text()
    assert run(root, "participant", "group") == 0
    assert not list((root / "out" / "logs" / "failed").rglob("*.json"))


def test_a_lost_page_is_a_failure(root, monkeypatch, capsys):
    monkeypatch.setattr(page, "write_bytes", killing(page.write_bytes, "sub-02.html"))
    assert run(root, "participant") == 1
    told = capsys.readouterr().err
    assert "failed: sub-02.html: its worker process died twice" in told
    assert told.splitlines()[-1].endswith("1 failed (exit code 1)")
    assert sorted(page.name for page in (root / "out").glob("*.html")) == ["sub-01.html", "sub-03.html", "sub-04.html"]


def test_at_the_group_level_the_participant_is_named_and_left_out(root, monkeypatch, capsys):
    assert run(root, "participant") == 0
    with monkeypatch.context() as patched:
        patched.setattr(reading, "load_statmap", killing(load_statmap, FATAL))
        assert run(root, "group") == 1
    told = capsys.readouterr().err
    assert f"sub-02/func/{FATAL}: its worker process died twice, killed for memory most likely" in told
    (record,) = (root / "out").glob("tpl-*/*Consensus_dseg.json")
    assert json.loads(record.read_text())["Participants"]["Counted"] == 3
    rows = (root / "out" / "group_participants.tsv").read_text().splitlines()
    assert [row.split("\t")[3] for row in rows[1:]] == ["ok", "failed", "ok", "ok"]
    assert run(root, "group") == 0
    assert json.loads(record.read_text())["Participants"]["Counted"] == 4


def test_a_worker_lost_while_measuring_ends_the_group_in_a_sentence(root, monkeypatch, capsys):
    assert run(root, "participant") == 0
    monkeypatch.setattr(passes, "measure_map", killing(passes.measure_map, ""))
    assert run(root, "group") == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("bids_regions: a worker of the group level was lost: its worker process died twice")
    assert told.endswith("(exit code 1)")


KILLER = """
import os, signal
from bids_regions.images import load_statmap as real
from bids_regions.maps import maps
def load(path, *words, **named):
    if "sub-02_" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *words, **named)
maps.load_statmap = load
"""


def test_on_a_cluster_too(root):
    (root / "preload.py").write_text(KILLER)
    environment = {
        **os.environ,
        "DASK_DISTRIBUTED__WORKER__PRELOAD": f'["{root / "preload.py"}"]',
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",  # as many deaths as there are workers to spare
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",  # and nobody waits behind the one that kills
    }
    command = [sys.executable, HERE / "dask_cluster.py", root / "in", root / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG, env=environment)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["exit_code"] == 1, told["said"]
    assert f"failed: sub-02/func/{FATAL} (thr3p0): its worker process died twice" in told["said"]
    assert sorted(path.parts[-3] for path in (root / "out").rglob("sub-*_dseg.json")) == ["sub-01", "sub-03", "sub-04"]
