import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bids_regions import files
from bids_regions.errors import BadDataset, MissingInput, OutputRefused, StorageFault
from bids_regions.images.writing import gzip_bytes


def test_a_file_is_whole_and_no_temporary_stays(tmp_path):
    files.write_bytes(tmp_path / "a" / "b.txt", b"content")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"content"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_unchanged_content_is_not_written_again(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    before = path.stat().st_mtime_ns, path.stat().st_ino
    files.write_json(path, {"a": 1}, only_if_changed=True)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    files.write_json(path, {"a": 2}, only_if_changed=True)
    assert json.loads(path.read_text()) == {"a": 2}


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(errno.ENOSPC, StorageFault, 74), (errno.EDQUOT, StorageFault, 74), (errno.EIO, StorageFault, 74),
     (errno.ESTALE, StorageFault, 74), (errno.EROFS, OutputRefused, 73), (errno.EACCES, OutputRefused, 73)],
)  # fmt: skip
def test_a_failed_write_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, number, kind, code):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail(self, target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(kind, match=r"a\.txt .*" + os.strerror(number)) as caught:
        files.write_bytes(path, b"new")
    assert caught.value.exit_code == code
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_process_that_ended_and_is_not_waited_for_writes_no_more(tmp_path):
    """A killed worker whose parent is gone waits for process 1, which takes its time, or in a container never comes."""
    host = files.hash_bytes(os.uname().nodename.encode())[:8]
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / f".{host}-{child.pid}-0123456789ab.tmp").write_bytes(b"")
    files.sweep_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())
    child.wait()


def test_only_what_dead_processes_left_is_swept(tmp_path):
    host = files.hash_bytes(os.uname().nodename.encode())[:8]
    dead = tmp_path / f".{host}-{2**22 + 5}-0123456789ab.tmp"
    alive = tmp_path / f".{host}-{os.getpid()}-0123456789ab.tmp"
    elsewhere = tmp_path / ".ffffffff-1-0123456789ab.tmp"
    stale = tmp_path / ".ffffffff-2-0123456789ab.tmp"
    for path in (dead, alive, elsewhere, stale):
        path.write_bytes(b"")
    os.utime(stale, (0, 0))
    files.sweep_temporaries(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, elsewhere])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ("[1]", "holds no JSON object but a list"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}", "nested deeper than 100"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "not valid JSON"),
    ],
)
def test_ambiguous_or_hostile_json_is_refused_by_name(tmp_path, text, told):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BadDataset, match=told) as caught:
        files.read_json(path)
    assert "x.json" in str(caught.value)


def test_text_that_is_not_there_or_not_utf8(tmp_path):
    with pytest.raises(MissingInput, match="No such file"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(BadDataset, match="not UTF-8"):
        files.read_json(tmp_path / "latin.json")
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfabc")
    assert files.read_text(tmp_path / "bom.txt") == "abc"


def test_a_file_too_large_for_a_sidecar_is_not_read(tmp_path):
    with (tmp_path / "x.json").open("wb") as stream:
        stream.truncate(files.JSON_LIMIT + 1)
    with pytest.raises(BadDataset, match="larger than 64 MiB"):
        files.read_json(tmp_path / "x.json")


def test_gzip_bytes_are_readable_and_carry_no_time():
    packed = gzip_bytes(b"abc" * 1000)
    assert gzip.decompress(packed) == b"abc" * 1000
    assert packed == gzip_bytes(memoryview(b"abc" * 1000))
    assert packed[4:8] == bytes(4)


@given(
    lengths=st.lists(st.sampled_from([1, 4095, 4096, 4097, 8192]) | st.integers(0, 9000), max_size=8),
    value=st.integers(0, 255),
    cut=st.integers(0, 20_000),
)
@example(lengths=[0, 4096, 4096, 4096], value=1, cut=4096)  # whole pieces: only a full flush forgets the first ones
def test_gzip_bytes_hold_long_and_short_stretches_of_zeros_between_others(lengths, value, cut):
    raw = b"".join(bytes([value * (n % 2)]) * length for n, length in enumerate(lengths))
    assert gzip.decompress(gzip_bytes(raw)) == raw
    assert gzip.decompress(gzip_bytes(raw[:cut], raw[cut:])) == raw


def test_a_lock_keeps_another_process_out_and_ends_with_its_holder(tmp_path):
    path = tmp_path / "logs" / ".lock"
    code = (
        "import sys; from pathlib import Path; from bids_regions.files import locked\n"
        "with locked(Path(sys.argv[1]), sys.argv[2], wait=False) as held: print(held)"
    )

    def elsewhere(name):
        command = [sys.executable, "-c", code, path, name]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()

    with files.locked(path, "a") as held:
        assert held
        assert elsewhere("a") == "False"
        assert elsewhere("b") == "True"
    assert elsewhere("a") == "True"
    assert path.read_bytes() == b""


def test_where_nothing_can_be_locked_the_work_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with files.locked(tmp_path / "file" / ".lock", "a", wait=False) as held:
        assert held

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "lockf", refuse)
    with files.locked(tmp_path / ".lock", "a", wait=False) as held:
        assert held


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_folder_that_cannot_be_listed_is_no_empty_folder(tmp_path, monkeypatch, number):
    assert files.list_names(tmp_path / "none") == []
    (tmp_path / "b").touch()
    (tmp_path / "a").touch()
    assert files.list_names(tmp_path) == ["a", "b"]

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises((StorageFault, MissingInput), match=os.strerror(number)):
        files.list_names(tmp_path)
    if number == errno.EACCES:
        assert files.list_names(tmp_path, strict=False) == []


def test_a_pipe_is_no_text_and_a_device_is_read_up_to_a_limit(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "x.json")
    for read in (files.read_text, files.read_json):
        with pytest.raises(BadDataset, match=r"x\.json is no plain file but a pipe"):
            read(tmp_path / "x.json")
    monkeypatch.setattr(files, "TEXT_LIMIT", 1 << 20)
    with pytest.raises(BadDataset, match="zero is larger than 1 MiB"):
        files.read_text(Path("/dev/zero"))
