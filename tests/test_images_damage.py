"""Paths that are no file, storage that fails, and damage of every kind that only ends in a sentence."""

import errno
import gzip
import io
import logging
import os
import random
from pathlib import Path

import numpy as np
import pytest
from fuzz_images import INFLATION, SEEDS, Damage, check, draw_damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nifti_bytes import OBLIQUE, nifti, put, ramp

from bids_regions.errors import BadMap, StorageFault
from bids_regions.images import (
    load_labels,
    load_statmap,
)


def test_a_broken_link_says_how_to_get_its_content(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to("../.git/annex/objects/none")
    said = r"x.nii.gz is a symbolic link to a file that is not there\. Get its content, with `datalad get` for instance"
    with pytest.raises(BadMap, match=said):
        load_statmap(tmp_path / "x.nii.gz")


def test_a_loop_of_links(tmp_path):
    (tmp_path / "a.nii").symlink_to("b.nii")
    (tmp_path / "b.nii").symlink_to("a.nii")
    with pytest.raises(BadMap, match=r"a.nii is a loop of symbolic links"):
        load_statmap(tmp_path / "a.nii")


def test_a_folder(tmp_path):
    with pytest.raises(BadMap, match="is a folder and no file"):
        load_statmap(tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(BadMap, match=r"x.nii is not there. Check the path"):
        load_statmap(tmp_path / "x.nii")
    put(tmp_path / "file", b"")
    with pytest.raises(BadMap, match=r"x.nii is not there. Check the path"):
        load_statmap(tmp_path / "file" / "x.nii")


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "x.nii")
    with pytest.raises(BadMap, match=r"x.nii is no plain file but a pipe, socket or device"):
        load_statmap(tmp_path / "x.nii")
    with pytest.raises(BadMap, match="zero is no plain file"):
        load_statmap(Path("/dev/zero"))


def test_a_path_of_4000_characters(tmp_path):
    folder = str(tmp_path)
    deep = Path(folder + "/" + "/".join(["f" * 99] * ((4000 - len(folder)) // 100)))
    deep.mkdir(parents=True)
    assert len(str(deep)) > 3800
    assert np.array_equal(load_statmap(put(deep / "x.nii.gz", nifti())).data, ramp())
    with pytest.raises(BadMap, match=r"x.nii has a path that is too long for this system"):
        load_statmap(deep / ("f" * 250) / "x.nii")
    with pytest.raises(BadMap, match=r"f+ has a path that is too long for this system"):
        load_statmap(tmp_path / ("f" * 4000))


def test_a_name_with_a_nul(tmp_path):
    with pytest.raises(BadMap, match="is no name of a file"):
        load_statmap(tmp_path / "x\0.nii")


def test_a_name_cannot_forge_a_line(tmp_path):
    path = put(tmp_path / "x\nall well.nii", b"")
    with pytest.raises(BadMap) as caught:
        load_statmap(path)
    assert str(caught.value) == r"x\nall well.nii is empty (0 bytes). Fetch or compute this file again."


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.EIO, StorageFault, "x.nii could not be read: Input/output error. Fix the storage and run again"),
        (errno.ESTALE, StorageFault, "x.nii could not be read: Stale file handle"),
        (errno.EACCES, BadMap, "x.nii may not be read. Check the path and its permissions"),
        (errno.ENOENT, BadMap, "x.nii is not there"),
    ],
)
@pytest.mark.parametrize("place", ["stat", "open", "read", "later read"])
def test_storage_that_fails(tmp_path, monkeypatch, number, kind, sentence, place):
    path = put(tmp_path / "x.nii", nifti(np.zeros((50, 50, 50), np.float32)))

    class Failing(io.RawIOBase):
        reads = 0

        def fileno(self):
            return real.fileno()

        def read(self, size=-1):
            self.reads += 1
            if place == "read" or self.reads > 2:
                raise OSError(number, os.strerror(number))
            return real.read(size)

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with path.open("rb") as real:
        if place in ("stat", "open"):
            monkeypatch.setattr(Path, place, refuse)
            monkeypatch.setattr(Path, "is_symlink", lambda _: False)
        else:
            failing = Failing()
            monkeypatch.setattr(Path, "open", lambda *_, **__: failing)
        with pytest.raises(kind, match=sentence):
            load_statmap(path)
    assert place in ("stat", "open") or failing.closed


def test_files_are_closed_also_when_they_are_broken(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for content in (nifti(), nifti()[:-1], b"x", gzip.compress(nifti())[:-3]):
        path = put(tmp_path / "x.nii", content)
        for load in (load_statmap, load_labels):
            try:
                load(path)
            except BadMap:
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_nibabel_says_nothing_of_headers_it_would_mend(tmp_path, caplog, recwarn):
    content = nifti(affine=OBLIQUE, pixdim={0: 7, 1: -1}, sform_code=9, qform_code=1, bitpix=77, glmin=-1)
    with caplog.at_level(logging.DEBUG):
        load_statmap(put(tmp_path / "x.nii", content))
    assert not caplog.records
    assert not recwarn.list


# ---- damage of every kind


def edits(most):
    places = st.integers(0, 600) | st.integers(0, 120_000)
    return st.lists(st.tuples(places, st.binary(min_size=1, max_size=8)), max_size=most).map(tuple)


DAMAGES = st.builds(
    Damage,
    edits=edits(4),
    cut=st.none() | st.integers(0, 1200),
    tail=st.binary(max_size=20),
    packed=st.booleans(),
    packed_edits=edits(2),
    packed_cut=st.none() | st.integers(0, 1200),
    packed_tail=st.sampled_from([b"", b"\0\0", b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(9), b"x"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.sampled_from(SEEDS), damage=DAMAGES)
def test_damage_ends_in_a_sentence(tmp_path_factory, content, damage):
    path = tmp_path_factory.getbasetemp() / "damaged.nii.gz"
    path.write_bytes(damage.apply(content))
    logging.disable(logging.ERROR)
    try:
        assert check(path) in {"read", "BadMap", "UnsuitableMap"}
    finally:
        logging.disable(logging.NOTSET)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=2000), magic=st.sampled_from([b"", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x5c\x01\0\0"]))
def test_any_bytes_end_in_a_sentence(tmp_path_factory, content, magic):
    path = tmp_path_factory.getbasetemp() / "any.nii"
    path.write_bytes(magic + content)
    assert check(path) != "read"


def test_the_fuzz_target_reaches_every_ending(tmp_path):
    """Its drawings are neither all refused nor all harmless, and it fails where it should."""
    chance = random.Random(0)  # noqa: S311 -- no secret
    endings = set()
    logging.disable(logging.ERROR)
    try:
        for _ in range(60):
            path = put(tmp_path / "x.nii", draw_damage(chance).apply(chance.choice(SEEDS)))
            endings.add(check(path))
    finally:
        logging.disable(logging.NOTSET)
    assert endings == {"read", "BadMap", "UnsuitableMap"}
    assert INFLATION == 1032


def test_the_line_ends_of_a_nifti_2_header_stand_or_are_left_empty_and_nothing_else(tmp_path):
    told, empty = (13, 10, 26, 10), (0, 0, 0, 0)
    for at, ends in enumerate((told, empty)):
        path = put(tmp_path / f"{at}.nii", nifti(version=2, eol_check=ends))
        assert load_statmap(path).data.tolist() == ramp().tolist()
        for place in range(4):
            changed = (*ends[:place], ends[place] + 1, *ends[place + 1 :])
            with pytest.raises(BadMap, match="line ends were changed"):
                load_statmap(put(tmp_path / "x.nii", nifti(version=2, eol_check=changed)))
