"""Files that are sound enough to be read, and are, with what was odd said; files of other kinds, with a reason."""

import gzip
import json
import os
import struct

import nibabel as nib
import numpy as np
import pytest
import trees
from nifti_bytes import nifti, ramp

from bids_regions.cli import main
from bids_regions.dataset import Participants, Selection, find_maps, open_dataset, read_map_name
from bids_regions.dataset.metadata import find_dof, read_sidecars
from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import read_json, same_inflated
from bids_regions.images import load_label_image, load_labels, load_statmap, load_volumes

RAW = nifti(ramp((4, 5, 3)))
PACKED = gzip.compress(RAW, mtime=0)


def name(label="01", contrast="x", stat="z", extension=".nii.gz"):
    return f"sub-{label}/func/sub-{label}_task-a_space-T_contrast-{contrast}_stat-{stat}_statmap{extension}"


def run(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr().err


# ---- bytes after the image


@pytest.mark.parametrize(
    ("file", "content", "n_beyond"),
    [
        ("x.nii.gz", PACKED + bytes(5000), 0),  # gzip's own padding
        ("x.nii.gz", PACKED + b"\xff" * 100, 100),
        ("x.nii.gz", PACKED + bytes(99) + b"x", 1),
        ("x.nii.gz", PACKED + b"\x1f", 1),
        ("x.nii.gz", gzip.compress(RAW + bytes(512)), 512),
        ("x.nii.gz", PACKED + gzip.compress(b"a note"), 6),
        ("x.nii", RAW + bytes(512), 512),
        ("x.nii", RAW + b"note", 4),
    ],
)
def test_what_follows_the_image_is_passed_over_and_said(tmp_path, file, content, n_beyond):
    found = load_statmap(trees.touch(tmp_path / file, content))
    assert np.array_equal(found.data, ramp((4, 5, 3)))
    said = [note for note in found.notes if "after the image" in note]
    assert said == ([f"{n_beyond} bytes after the image were not read"] if n_beyond else [])


def test_a_series_may_be_followed_by_a_note(tmp_path):
    series = nifti(ramp((4, 5, 3, 2)))
    assert len(list(load_volumes(trees.touch(tmp_path / "x.nii.gz", gzip.compress(series) + b"note")))) == 2


# ---- labels that are whole but for rounding


def test_labels_beside_whole_numbers_are_rounded_and_said(tmp_path):
    labels = np.arange(60, dtype=np.float32).reshape(4, 5, 3)
    image = load_label_image(trees.touch(tmp_path / "x.nii", nifti(labels * np.float32(1.00001))))
    assert np.array_equal(image.labels, labels)
    (note,) = image.notes
    assert note.startswith("x.nii holds numbers up to 0.00059 beside whole ones")
    assert load_label_image(trees.touch(tmp_path / "y.nii", nifti(labels))).notes == ()


@pytest.mark.parametrize("highest", [48, 2035])
def test_labels_that_nibabel_scaled_into_int16_are_rounded(tmp_path, highest):
    labels = np.random.default_rng(1).integers(0, highest + 1, (8, 9, 7)).astype(float)
    image = nib.Nifti1Image(labels, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "x.nii.gz")
    assert not np.array_equal(np.asarray(nib.load(tmp_path / "x.nii.gz").dataobj), labels)
    assert np.array_equal(load_labels(tmp_path / "x.nii.gz")[0], labels)


@pytest.mark.parametrize("fraction", [0.0011, 0.01, 0.5])
def test_fractions_stay_refused(tmp_path, fraction):
    with pytest.raises(BadMap, match="holds fractions and no labels"):
        load_labels(trees.touch(tmp_path / "x.nii", nifti(np.full((2, 2, 2), 1 + fraction))))


# ---- surfaces stored as NIfTI


@pytest.mark.parametrize(
    "shape", [(27307, 1, 6), (6827, 1, 6), (10242, 1, 1), (1, 32492, 1), (2561, 1, 2), (642, 1, 1)]
)
def test_vertices_in_a_volume_are_no_voxels(tmp_path, shape):
    with pytest.raises(UnsuitableMap, match=f"a surface stored as NIfTI .*{np.prod(shape)} vertices, no voxels"):
        load_statmap(trees.touch(tmp_path / "x.nii", nifti(np.zeros(shape, np.float32))))


def test_more_vertices_than_16_bits_count_are_told_as_well(tmp_path):
    """FreeSurfer writes -1 into the header then, and their number elsewhere."""
    header = bytearray(nifti(np.zeros((1, 1, 1), np.float32))[:352])
    struct.pack_into("<h", header, 42, -1)
    struct.pack_into("<i", header, 144, 163842)
    path = trees.touch(tmp_path / "x.nii", bytes(header) + bytes(4 * 163842))
    assert nib.load(path).shape[0] == 163842
    with pytest.raises(UnsuitableMap, match="163842 vertices, no voxels"):
        load_statmap(path)


@pytest.mark.parametrize("shape", [(64, 64, 1), (1, 1, 1), (1, 200, 300), (512, 512, 1), (1000, 1, 1)])
def test_slices_and_rows_of_voxels_are_still_read(tmp_path, shape):
    assert load_statmap(trees.touch(tmp_path / "x.nii", nifti(np.zeros(shape, np.float32)))).data.shape == shape


# ---- near names, and twins


@pytest.mark.parametrize("extension", [".NII.GZ", ".NII", ".nii.GZ"])
def test_a_name_in_capitals_is_read(tmp_path, extension, capsys):
    trees.describe(tmp_path / "in")
    data = nifti(trees.make_data("a"))
    trees.touch(tmp_path / "in" / name(extension=extension), gzip.compress(data) if "GZ" in extension else data)
    assert run(capsys, tmp_path / "in", tmp_path / "out", "participant")[0] == 0
    assert len(list((tmp_path / "out").rglob("*_dseg.nii.gz"))) == 1


@pytest.mark.parametrize(
    "extension", ["+tlrc.HEAD", "+orig.BRIK.gz", ".nii.bz2", ".nii.zip", ".npy", ".gz", ".nrrd", ".IMG", ".nii.gz.part"]
)
def test_other_formats_are_skipped_with_a_reason(tmp_path, extension):
    trees.describe(tmp_path)
    trees.touch(tmp_path / name(extension=extension))
    found = find_maps(open_dataset(tmp_path), Selection())
    (one,) = found.skipped
    read = "only NIfTI (.nii, .nii.gz), GIFTI (.gii) and CIFTI files (.dscalar.nii, .dtseries.nii) are read"
    assert (one.participant, one.reason) == ("01", f"a {extension} file: {read}")


@pytest.mark.parametrize("copy", ["Copy of ", "Kopie von ", "old copy "])
def test_a_copy_under_another_name_is_skipped_with_a_reason(tmp_path, copy):
    trees.describe(tmp_path)
    trees.write_map(tmp_path / name().replace("/func/sub", f"/func/{copy}sub"))
    found = find_maps(open_dataset(tmp_path), Selection())
    assert not found.maps
    assert [one.reason for one in found.skipped] == [
        f"its name begins with '{copy}sub', which is no entity: a copy, it seems"
    ]


@pytest.mark.parametrize("folder", ["__MACOSX", "lost+found", "$RECYCLE.BIN", "@eaDir", "#recycle", "~old", ".trash"])
def test_folders_that_systems_make_are_not_opened(tmp_path, folder):
    trees.describe(tmp_path)
    trees.write_map(tmp_path / name())
    for place in (folder, f"sub-01/func/{folder}"):
        trees.write_map(tmp_path / place / name(contrast="other").rpartition("/")[2])
    found = find_maps(open_dataset(tmp_path), Selection())
    assert [mapfile.relpath for mapfile in found.maps] == [name()]
    assert not found.skipped


@pytest.mark.parametrize("mark", ["~$", "#", "._", "@"])
def test_files_that_programs_leave_beside_a_map_are_no_maps(tmp_path, mark):
    trees.describe(tmp_path)
    trees.write_map(tmp_path / name())
    trees.touch(tmp_path / name().replace("/func/", f"/func/{mark}"))
    found = find_maps(open_dataset(tmp_path), Selection())
    assert [mapfile.relpath for mapfile in found.maps] == [name()]
    assert not found.skipped


def test_a_suffix_in_other_letters_is_skipped_with_a_reason(tmp_path):
    trees.describe(tmp_path)
    trees.write_map(tmp_path / name().replace("_statmap", "_Statmap"))
    (one,) = find_maps(open_dataset(tmp_path), Selection()).skipped
    assert one.reason == "its suffix is Statmap, in other letters than statmap"


@pytest.mark.parametrize("extension", [".json", ".tsv", ".svg", ".json.gz.tsv", ".png", ".txt"])
def test_what_stands_beside_a_map_is_none(tmp_path, extension):
    trees.describe(tmp_path)
    trees.touch(tmp_path / name(extension=extension))
    found = find_maps(open_dataset(tmp_path), Selection())
    assert (found.n_found, found.skipped) == (0, ())


def test_twins_of_equal_content_are_one_map(tmp_path, capsys):
    trees.describe(tmp_path / "in")
    data = nifti(trees.make_data("a"))
    trees.touch(tmp_path / "in" / name(), gzip.compress(data))
    trees.touch(tmp_path / "in" / name(extension=".nii"), data)
    trees.write_map(tmp_path / "in" / name("02"))
    code, said = run(capsys, tmp_path / "in", tmp_path / "out", "participant")
    assert code == 0
    assert "its content is that of sub-01_task-a_space-T_contrast-x_stat-z_statmap.nii.gz, which is taken" in said
    (record,) = (tmp_path / "out" / "sub-01").rglob("*_dseg.json")
    assert json.loads(record.read_text())["Sources"][0].endswith(".nii.gz")
    assert len(list((tmp_path / "out").rglob("*_dseg.json"))) == 2


def test_twins_of_different_content_would_write_one_output(tmp_path, capsys):
    trees.describe(tmp_path / "in")
    trees.touch(tmp_path / "in" / name(), gzip.compress(nifti(trees.make_data("a"))))
    trees.touch(tmp_path / "in" / name(extension=".nii"), nifti(trees.make_data("b")))
    code, said = run(capsys, tmp_path / "in", tmp_path / "out", "participant")
    assert code == 16
    assert "statmap.nii and sub-01" in said
    assert not (tmp_path / "out" / "sub-01").exists()


def test_files_are_compared_by_what_they_inflate_to(tmp_path):
    one, other = trees.touch(tmp_path / "a", PACKED), trees.touch(tmp_path / "b", RAW)
    assert same_inflated(one, other)
    assert same_inflated(other, other)
    assert not same_inflated(one, trees.touch(tmp_path / "c", RAW + b"x"))
    assert not same_inflated(trees.touch(tmp_path / "d", PACKED[:-9]), other)
    assert not same_inflated(tmp_path / "none", other)


# ---- sidecars


def test_numbers_that_json_has_no_word_for_are_absent(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": NaN, "b": {"c": -Infinity, "d": 1}, "e": [2, NaN], "f": Infinity}')
    assert read_json(path) == {"b": {"d": 1}, "e": [2, None]}


def broken_sidecars():
    return {
        "empty": b"",
        "list": b"[1]",
        "latin": '{"Description": "größe"}'.encode("latin-1"),
        "folder": None,
        "link": "nowhere.json",
    }


@pytest.mark.parametrize("kind", list(broken_sidecars()))
@pytest.mark.parametrize("stat", ["z", "t"])
def test_a_sidecar_that_cannot_be_read_is_a_warning_where_nothing_in_it_is_needed(tmp_path, kind, stat, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name(stat=stat))
    sidecar, content = root / "task-a_statmap.json", broken_sidecars()[kind]
    if content is None:
        sidecar.mkdir()
    elif isinstance(content, str):
        sidecar.symlink_to(content)
    else:
        sidecar.write_bytes(content)
    assert run(capsys, root, tmp_path / "out", "participant")[0] == 0
    (record,) = (tmp_path / "out").rglob("*_dseg.json")
    assert any("task-a_statmap.json" in each for each in json.loads(record.read_text())["Warnings"])


def test_a_map_that_needs_what_stands_in_it_fails_and_says_both(tmp_path, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name(stat="t"))
    trees.write_map(root / name("02", stat="t"))
    trees.touch(root / "sub-01/func/sub-01_task-a_statmap.json", b"[]")
    trees.touch(root / "sub-02/func/sub-02_task-a_statmap.json", b'{"DegreesOfFreedom": 20, "MeanFD": NaN}')
    code, said = run(capsys, root, tmp_path / "out", "participant", "--threshold", "p=0.001")
    assert code == 1
    (told,) = {line for line in said.splitlines() if line.startswith("failed")}
    assert "degrees of freedom" in told
    assert "sub-01_task-a_statmap.json" in told
    assert len(list((tmp_path / "out").rglob("*_dseg.json"))) == 1


def test_a_sidecar_farther_away_still_tells(tmp_path):
    root = trees.describe(tmp_path)
    trees.write_map(root / name(stat="t"))
    trees.touch(root / "statmap.json", b'{"DegreesOfFreedom": 20}')
    trees.touch(root / "task-a_statmap.json", b"{")
    mapfile = read_map_name(root, name(stat="t"))
    assert find_dof(mapfile).value == 20
    assert [str(one) for one in read_sidecars(mapfile)[1]] != []


# ---- participants.tsv


def table(*labels):
    return Participants(path=trees.Path("x.tsv"), columns=("group",), rows={one: {"group": one} for one in labels})


@pytest.mark.parametrize(
    ("rows", "labels", "found"),
    [
        (("1", "2"), ("01", "02"), {"01": "1", "02": "2"}),
        (("001", "2.0"), ("1", "2"), {"1": "001", "2": "2.0"}),
        (("1", "01"), ("01",), {"01": "01"}),  # its own label first
        (("1", "01"), ("001",), {"001": "n/a"}),  # either
        (("1",), ("01", "001"), {"01": "n/a", "001": "n/a"}),  # either
        (("1",), ("1", "01"), {"1": "1", "01": "n/a"}),
        (("a1",), ("a01",), {"a01": "n/a"}),
        (("0",), ("00",), {"00": "0"}),
    ],
)
def test_ids_without_their_leading_zeros_are_known_where_there_is_no_doubt(rows, labels, found):
    matched = table(*rows).matched(set(labels))
    assert {label: matched.value(label, "group") for label in labels} == found
    assert len(matched.rows) == len(rows)


def cohort(tmp_path, participants):
    root = trees.describe(tmp_path / "in")
    for label in ("01", "02", "03", "04"):
        trees.write_map(root / name(label))
    (root / "participants.tsv").write_text(participants)
    return root


def test_participants_without_leading_zeros_make_their_sets(tmp_path, capsys):
    root = cohort(tmp_path, "participant_id\tgroup\n1\ta\n2\ta\n3\tb\n4\tb\n")
    assert run(capsys, root, tmp_path / "out", "participant", "group", "--group-by", "group")[0] == 0
    assert len(list((tmp_path / "out").rglob("*Consensus_dseg.nii.gz"))) == 2
    people = (tmp_path / "out" / "group_participants.tsv").read_text()
    assert "missing" not in people


@pytest.mark.parametrize(
    ("rows", "there"),
    [("x1\ta\nx2\tb\n", "sub-x1, sub-x2."), ("01\tn/a\n02\tn/a\n", "sub-01, sub-02."), ("", "no participant.")],
)
def test_a_column_that_answers_for_nobody_is_refused(tmp_path, capsys, rows, there):
    root = cohort(tmp_path, "participant_id\tgroup\n" + rows)
    code, said = run(capsys, root, tmp_path / "out", "participant", "group", "--group-by", "group")
    assert code == 64
    assert "none of the 4 participants with results has a value in" in said
    assert f"Fill that column; the file has {there}" in said


# ---- named files


@pytest.mark.parametrize("option", ["--mask", "--background", "--participants-tsv", "--regions-from", "--atlas"])
@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_named_file_that_is_not_what_it_must_be_is_told_before_any_map(tmp_path, capsys, option, content):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name())
    given = tmp_path / "given.nii.gz"
    given.mkdir() if content is None else given.write_bytes(content)
    code, said = run(capsys, root, tmp_path / "out", "participant", "group", option, given)
    assert (code, "given.nii.gz" in said) == (66, True)
    assert not (tmp_path / "out" / "sub-01").exists()


def test_a_mask_without_a_voxel_is_none(tmp_path, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name())
    trees.write_map(tmp_path / "mask.nii", np.zeros(trees.SHAPE, np.uint8))
    code, said = run(capsys, root, tmp_path / "out", "participant", "--mask", tmp_path / "mask.nii")
    assert code == 66
    assert "mask.nii is empty: no voxel is above 0" in said


def test_a_named_file_that_may_not_be_read_is_told(tmp_path, capsys):
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / name())
    os.mkfifo(tmp_path / "pipe.nii")
    assert run(capsys, root, tmp_path / "out", "participant", "--mask", tmp_path / "pipe.nii")[0] == 66


def test_a_participant_whom_no_file_could_be_named_after_is_missing(tmp_path, capsys):
    """A table gone wrong: a label longer than any name, and one that holds a null."""
    root = trees.describe(tmp_path / "in")
    trees.write_map(root / "sub-01" / "func" / "sub-01_task-x_space-S_contrast-a_stat-z_statmap.nii")
    (root / "participants.tsv").write_text(f"participant_id\tage\nsub-01\t3\nsub-{'9' * 5000}\t4\nsub-a\0b\t5\n")
    assert main([str(root), str(tmp_path / "out"), "participant", "group", "--nprocs", "1"]) == 0
    assert "2 missing" in capsys.readouterr().err
    assert (tmp_path / "out" / "group.html").is_file()
