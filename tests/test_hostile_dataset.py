"""One dataset with every hostile file at once, through the command: each ends in its sentence, no other suffers.

The app runs with little memory and a time limit, so that nothing hangs and nothing is allocated that no file can hold.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trees
from nifti_bytes import AFFINE, nifti, put, ramp
from processes import HANG, fork_app

pytestmark = pytest.mark.slow

MEMORY = 3 << 30  # bytes of addresses
WORDS = ("--min-region-voxels", "1", "--threshold", "1.0", "--nprocs", "1")
BLOB = np.zeros((6, 7, 5), np.float32)
BLOB[1:4, 2:5, 1:4] = 4
BLOB[2, 3, 2] = 5
COLOURS = np.zeros((4, 5, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


def flipped_bits():
    packed = bytearray(gzip.compress(nifti(np.random.default_rng(0).standard_normal((20, 20, 20))), 1, mtime=0))
    packed[len(packed) // 2] ^= 0x55
    return bytes(packed)


def bomb():
    return gzip.compress(nifti(np.zeros((4, 4, 4), np.uint8))[:352] + bytes(60 << 20), 9, mtime=0)


FAILING = {  # contrast: bytes, sentence
    "empty": (b"", "0 bytes"),
    "short": (nifti()[:200], "too short for a NIfTI header"),
    "text": (b"<html>" * 100, "no NIfTI file"),
    "magic": (nifti(magic=b"n+7"), "its magic is"),
    "truncated": (gzip.compress(nifti(ramp((20, 20, 20))), mtime=0)[:-40], "truncated"),
    "bits": (flipped_bits(), "its gzip data"),
    "terabytes": (nifti(dim={1: 32767, 2: 32767, 3: 32767}), "promises 128 TiB"),
    "terabytesPacked": (gzip.compress(nifti(dim={1: 32767, 2: 32767, 3: 32767}), mtime=0), "promises 128 TiB"),
    "bomb": (bomb(), "holds more data than its header promises"),
    "negativeSize": (nifti(dim={1: -4}), "a dimension of size -4"),
    "nanAffine": (nifti(srow_x=[np.nan] * 4), "an affine with numbers that are not finite"),
    "zeroZooms": (nifti(sform=0, qform=0, pixdim={1: 0, 2: 0, 3: 0}), "a singular affine"),
    "extension": (
        nifti(extensions=(-16).to_bytes(4, "little", signed=True) + bytes(28)),
        "header extension of -16 bytes",
    ),
}
SKIPPED = {
    "complex": (nifti(ramp(dtype="c8")), "holds complex numbers"),
    "colours": (nifti(COLOURS), "holds colours (RGB)"),
    "fourD": (nifti(ramp((4, 5, 3, 2))), "4-D"),
    "flat": (nifti(ramp((4, 5))), "2-D"),
}
SOUND = {  # contrast: bytes, regions
    "oneVoxel": (nifti(np.full((1, 1, 1), 5, np.float32)), 1),
    "allNaN": (nifti(np.full((4, 5, 3), np.nan, np.float32)), 0),
    "allEqual": (nifti(np.full((4, 5, 3), 2, np.float32)), 1),
    "allZero": (nifti(np.zeros((4, 5, 3), np.float32)), 0),
    "int16": (nifti(BLOB.astype(np.int16)), 1),
    "bigEndian": (nifti(BLOB, order=">"), 1),
    "forms": (nifti(BLOB, affine=AFFINE, qform=1, qoffset_x=500), 1),
    "größe": (nifti(BLOB), 1),
}


def run_limited(*words: object):
    """Exit code and what was said, with little memory and against the clock."""
    done = subprocess.run(
        [sys.executable, "-m", "bids_regions", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=HANG, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    return well_said(done)


def run_app(root: Path, *words: object, level: str = "participant"):
    """Exit code and what was said, where memory is not the question."""
    return well_said(fork_app(root / "in", root / "out", level, *WORDS, *words))


def well_said(done):
    """Exit code and what was said, which is a sentence."""
    assert "Traceback" not in done.stderr
    assert "This is a defect" not in done.stderr
    assert "Report this" not in done.stderr
    assert done.stderr.rstrip().endswith(f"(exit code {done.returncode})"), done.stderr
    return done.returncode, done.stderr


def name(contrast: str, label: str = "01") -> str:
    return f"sub-{label}_task-x_contrast-{contrast}_stat-z_statmap.nii.gz"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """All of them below one participant, beside a sound one."""
    root = tmp_path_factory.mktemp("hostile")
    trees.describe(root / "in")
    func = root / "in" / "sub-01" / "func"
    func.mkdir(parents=True)
    for contrast, (content, _) in {**FAILING, **SKIPPED, **SOUND}.items():
        put(func / name(contrast), content, compress=None if content[:2] != b"\x1f\x8b" else False)
    outside = trees.write_map(root / "elsewhere" / "a.nii.gz")
    (func / name("linkedOut")).symlink_to(outside)
    (func / name("linkLoop")).symlink_to(func / name("linkLoop2"))
    (func / name("linkLoop2")).symlink_to(func / name("linkLoop"))
    (func / name("linkBroken")).symlink_to("../../.git/annex/objects/none")
    (func / "loop").symlink_to(root / "in")
    os.mkfifo(func / name("pipe"))
    trees.write_map(root / "in" / "sub-02" / "func" / name("good", "02"))
    code, said = run_limited(root / "in", root / "out", "participant", *WORDS)
    return root, code, said


def test_it_ends_with_1_and_the_sound_ones_are_done(finished):
    root, code, said = finished
    assert code == 1
    broken = len(FAILING) + 4  # two loops of links, a broken link, a pipe
    assert f"{broken} failed" in said.splitlines()[-1]
    assert f"{len(SKIPPED)} files skipped" in said.splitlines()[-1]
    assert len(list((root / "out").rglob("*_dseg.json"))) == len(SOUND) + 2
    assert list((root / "out" / "sub-02").rglob("*_dseg.nii.gz"))
    assert not list((root / "out").rglob(".*.tmp"))


@pytest.mark.parametrize(("contrast", "sentence"), [(key, words) for key, (_, words) in FAILING.items()])
def test_a_broken_file_has_its_sentence(finished, contrast, sentence):
    root, _, said = finished
    (line, *_) = [line for line in said.splitlines() if line.startswith("failed: ") and f"contrast-{contrast}_" in line]
    assert sentence in line
    assert f"contrast-{contrast}_" in (root / "out" / "sub-01.html").read_text()


@pytest.mark.parametrize(("contrast", "sentence"), [(key, words) for key, (_, words) in SKIPPED.items()])
def test_a_file_that_is_no_map_is_skipped_with_its_reason(finished, contrast, sentence):
    _, _, said = finished
    (line,) = [line for line in said.splitlines() if line.startswith("skipped: ") and f"contrast-{contrast}_" in line]
    assert sentence in line


@pytest.mark.parametrize(("contrast", "n"), [(key, n) for key, (_, n) in SOUND.items()])
def test_an_odd_but_sound_map_is_an_answer(finished, contrast, n):
    root, _, _ = finished
    records = [json.loads(path.read_text()) for path in (root / "out" / "sub-01").rglob("*_dseg.json")]
    (record,) = [record for record in records if record["SourceEntities"]["contrast"] == contrast]
    assert record["Counts"]["RegionsKept"] == n
    if contrast == "forms":
        assert any("sform" in warning for warning in record["Warnings"])
    if contrast == "allNaN":
        assert record["Counts"]["NonFiniteVoxels"] == 60


@pytest.mark.parametrize(
    ("contrast", "words"),
    [("linkLoop", "loop"), ("linkLoop2", "loop"), ("linkBroken", "link"), ("pipe", "pipe")],
)
def test_what_is_no_file_fails_by_name(finished, contrast, words):
    _, _, said = finished
    (line, *_) = [line for line in said.splitlines() if line.startswith("failed: ") and f"contrast-{contrast}_" in line]
    assert words in line


def test_a_link_out_of_the_dataset_is_read_and_its_results_stay_in_the_output(finished):
    root, _, _ = finished
    assert [path.name for path in (root / "elsewhere").iterdir()] == ["a.nii.gz"]
    (record,) = (root / "out" / "sub-01").rglob("*linkedOut*_dseg.json")
    assert json.loads(record.read_text())["Sources"] == [f"bids:input:sub-01/func/{name('linkedOut')}"]
    assert sorted(path.name for path in root.iterdir()) == ["elsewhere", "in", "out"]


def test_paths_of_4000_characters(tmp_path):
    """The dataset lies so deep that some of its paths are beyond what the system opens."""
    deep = Path(f"{tmp_path}/" + "/".join(["f" * 99] * ((3900 - len(str(tmp_path))) // 100)))
    deep.mkdir(parents=True)
    (tmp_path / "near").symlink_to(deep)
    trees.describe(tmp_path / "near" / "in")
    trees.write_map(tmp_path / "near" / "in" / "sub-01" / name("a"))
    code, said = run_app(deep)
    assert code in (0, 1, 66, 73), said
    assert len(said.splitlines()[-1]) < 9000
    code, said = run_app(Path("/" + "x" * 4000))
    assert code == 66
    assert "File name too long" in said or "does not exist" in said


SIDECARS = {
    "duplicate": ('{"DegreesOfFreedom": 1, "DegreesOfFreedom": 2}', "stands twice"),
    "deep": ('{"a": ' * 200_000, "not valid JSON"),
    "deepish": ('{"a": ' * 150 + "1" + "}" * 150, "nested deeper than 100"),
    "list": ("[1, 2]", "no JSON object"),
    "digits": ('{"DegreesOfFreedom": ' + "9" * 5000 + "}", "not valid JSON"),
    "bytes": ('{"a": "\udcff"}', "not UTF-8"),
    "cut": ('{"DegreesOfFreedom": ', "not valid JSON"),
}
LIVED_WITH = {
    "nan": '{"DegreesOfFreedom": NaN}',
    "infinite": '{"DegreesOfFreedom": -Infinity}',
    "string": '{"DegreesOfFreedom": "twenty"}',
    "object": '{"DegreesOfFreedom": {"a": 1}}',
    "huge": '{"DegreesOfFreedom": 1e400}',
    "long": '{"DegreesOfFreedom": ' + "9" * 400 + "}",
    "negative": '{"DegreesOfFreedom": -3}',
    "code": "{\"DegreesOfFreedom\": \"__import__('os').system('touch /tmp/forged')\"}",
}


def test_hostile_sidecars_fail_their_map_with_the_place_named(tmp_path):
    trees.describe(tmp_path / "in")
    func = tmp_path / "in" / "sub-01" / "func"
    for contrast, text in {**{key: text for key, (text, _) in SIDECARS.items()}, **LIVED_WITH}.items():
        trees.write_map(func / name(contrast).replace("stat-z", "stat-t"))
        sidecar = func / name(contrast).replace("stat-z", "stat-t").replace(".nii.gz", ".json")
        sidecar.write_bytes(text.encode(errors="surrogateescape"))
    trees.write_map(func / name("pipe").replace("stat-z", "stat-t"))
    os.mkfifo(func / name("pipe").replace("stat-z", "stat-t").replace(".nii.gz", ".json"))
    trees.write_map(func / name("good"))
    code, said = run_limited(tmp_path / "in", tmp_path / "out", "participant", *WORDS, "--threshold", "p=0.001")
    assert code == 1
    told = {line.split("contrast-")[1].split("_")[0]: line for line in said.splitlines() if line.startswith("failed: ")}
    for contrast, (_, words) in SIDECARS.items():
        assert words in told[contrast]
        assert f"contrast-{contrast}_stat-t_statmap.json" in told[contrast]
    for contrast in LIVED_WITH:
        assert "degrees of freedom" in told[contrast]
    assert "no plain file but a pipe" in told["pipe"]
    assert len(list((tmp_path / "out").rglob("*_desc-p0p001_dseg.json"))) == 1
    assert not Path("/tmp/forged").exists()  # noqa: S108 # it is not written


def test_files_from_elsewhere_are_data(tmp_path):
    """A .bidsignore, a description and a table of participants of any content, in the dataset and in the output."""
    trees.describe(tmp_path / "in", Name="a\nbids_regions: all well (exit code 0)", License="${HOME} `id` {version}")
    trees.write_map(tmp_path / "in" / "sub-01" / "func" / name("a"))
    trees.touch(tmp_path / "in" / ".bidsignore", b"**\n!../../\n(a+)+$\n/etc/passwd\n\x00\xff")
    table = "participant_id\tnote\nsub-01\t=cmd|' /C calc'!A0\x1b[2J <script>x</script>\nsub-../../../x\t1\n"
    trees.touch(tmp_path / "in" / "participants.tsv", table.encode())
    trees.touch(tmp_path / "out" / ".bidsignore", b"!sub-01\n")
    assert run_app(tmp_path)[0] == 0
    code, said = run_app(tmp_path, "--group-by", "note", level="group")
    assert code == 0
    assert [line for line in said.splitlines() if line.startswith("bids_regions: all well")] == []
    assert "\x1b" not in said
    assert b"*.html" in (tmp_path / "out" / ".bidsignore").read_bytes()  # ours, written anew
    page = (tmp_path / "out" / "group.html").read_text()
    assert "<script>x" not in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    described = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert described["License"] == "${HOME} `id` {version}"


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--config-file", "threshold = " + "[" * 100_000, "not valid TOML"),
        ("--config-file", "a" + ".a" * 100_000 + " = 1", "more than 200 dots"),
        ("--config-file", "# " + "x" * (2 << 20), "larger than 1 MiB"),
        ("--config-file", "min_region_size = " + "9" * 5000, "not valid TOML"),
        ("--config-file", "\udcff\udcfd", "not UTF-8"),
        ("--config-file", '"a\\u001b[2J\\nbids_regions: well (exit code 0)" = 1', "unknown key 'a\\x1b[2J\\nbids"),
        ("--config-file", '[[regions]]\nname = "../../x"\nthreshold = "3"', "letters and digits"),
        ("--bids-filter-file", '{"statmap": ' + "[" * 100_000, "not valid JSON"),
        ("--bids-filter-file", '{"statmap": {"run": ' + "9" * 5000 + "}}", "not valid JSON"),
        ("--bids-filter-file", '{"statmap": {"contrast": "(a+)+$"}}', "leaves no statistical map"),
    ],
)
def test_configuration_from_elsewhere_is_refused_in_a_sentence(tmp_path, option, content, words):
    trees.describe(tmp_path / "in")
    trees.write_map(tmp_path / "in" / "sub-01" / "func" / name("a" * 40))
    given = trees.touch(tmp_path / "given", content.encode(errors="surrogateescape"))
    done = fork_app(tmp_path / "in", tmp_path / "out", "participant", option, given)
    assert done.returncode in (18, 64, 66), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"(exit code {done.returncode})")
    assert not (tmp_path / "out").exists() or done.returncode == 18
