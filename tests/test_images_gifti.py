"""GIFTI: every encoding as nibabel reads it, meshes, labels, what is refused and in which words, what is written."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from surface_bytes import TETRAHEDRON, data_array, gifti, mesh, metadata, put

from bids_regions.errors import BadMap, Fault, UnsuitableMap
from bids_regions.images.gifti import load_surface, read_gifti, save_gifti_labels, save_gifti_map
from bids_regions.images.gifti_arrays import Decoder
from bids_regions.images.inflation import ByteStream

VALUES = np.array([[1.5, -2, 0], [np.nan, 4, 5e-7]], np.float32)
BOMB = (
    '<!DOCTYPE GIFTI [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1"])
@pytest.mark.parametrize("encoding", ["ASCII", "Base64Binary", "GZipBase64Binary"])
@pytest.mark.parametrize("indexing", ["RowMajorOrder", "ColumnMajorOrder"])
@pytest.mark.parametrize("endian", ["LittleEndian", "BigEndian"])
def test_every_encoding_is_read_as_nibabel_reads_it(tmp_path, dtype, encoding, indexing, endian):
    values = (np.nan_to_num(VALUES) if np.dtype(dtype).kind in "iu" else VALUES).astype(dtype)
    values = np.abs(values) if dtype == "u1" else values
    written = data_array(values, Encoding=encoding, ArrayIndexingOrder=indexing, Endian=endian)
    path = put(tmp_path / "a.gii", gifti(written))
    (array,) = read_gifti(path).arrays
    (expected,) = nib.load(path).darrays
    assert array.values.dtype == np.dtype(dtype)
    assert np.array_equal(array.values, expected.data, equal_nan=True)


def test_long_arrays_come_in_pieces_and_as_gzip_too(tmp_path):
    values = np.random.default_rng(1).standard_normal(50_000).astype(np.float32)
    for encoding in ("ASCII", "Base64Binary", "GZipBase64Binary"):
        written = data_array(values, Encoding=encoding)
        spaced = written.replace("<Data>", "<Data>\n ").replace("</Data>", "\n </Data>")
        assert np.array_equal(read_gifti(put(tmp_path / "a.gii", gifti(spaced))).arrays[0].values, values)
    packed = put(tmp_path / "b.gii.gz", gzip.compress(gifti(written)))
    assert np.array_equal(read_gifti(packed).arrays[0].values, values)


def read_in_blocks(monkeypatch, size):
    """Let files come in blocks of this size."""

    def blocks(self, whole=ByteStream.blocks):
        return (block[at : at + size] for block in whole(self) for at in range(0, len(block), size))

    monkeypatch.setattr(ByteStream, "blocks", blocks)


@pytest.mark.parametrize("encoding", ["Base64Binary", "GZipBase64Binary"])
def test_numbers_are_the_same_wherever_the_blocks_that_are_read_end(tmp_path, encoding, monkeypatch):
    values = np.random.default_rng(2).standard_normal(40_000).astype(np.float32)
    arrays = data_array(values, Encoding=encoding), data_array(values[:30], Encoding=encoding)
    read_in_blocks(monkeypatch, 1999)
    for shift in range(8):
        path = put(tmp_path / "a.gii", gifti(*arrays, front=metadata(Name="x" * shift)))
        first, second = read_gifti(path).arrays
        assert np.array_equal(first.values, values)
        assert np.array_equal(second.values, values[:30])


def test_plain_base64_goes_past_the_parser_and_nothing_else_does(tmp_path, monkeypatch):
    """What XML reads otherwise than as it stands comes by the parser: references, sections, comments, white space."""
    seen = []
    feed = Decoder.feed
    monkeypatch.setattr(Decoder, "feed", lambda self, text: (seen.append(text), feed(self, text)))
    plain = data_array(VALUES, Encoding="Base64Binary")
    text = plain.partition("<Data>")[2].partition("<")[0]
    ways = {
        text: False, f"&#{ord(text[0])};{text[1:]}": True, f"<![CDATA[{text}]]>": True,
        f"<!-- <Data>AAAA</Data> -->{text}": True, f"{text[:4]}<!-- <Data> -->{text[4:]}": True,
        f"{text[:4]}\n{text[4:]}\n": True,
    }  # fmt: skip
    for written, by_parser in ways.items():
        seen.clear()
        content = gifti(plain.replace(text, written), plain, front="" if text == written else "<!-- <Data>AAAA -->")
        for array in read_gifti(put(tmp_path / "a.gii", content)).arrays:
            assert np.array_equal(array.values, VALUES, equal_nan=True)
        assert bool(seen) == by_parser


ODD = (
    b"\n", b"&#65;", b"<!-- <Data>AAAA -->", b"<![CDATA[AAAA]]>", b"<Data>", b"</Data>", b"<Data>AAAA</Data>", b"<x/>",
    b"=", b"AAAA", b"&amp;", b"<?x <Data> ?>",
)  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 64, 65536])
def test_damaged_files_end_the_same_whether_or_not_text_goes_past_the_parser(tmp_path, monkeypatch, size):
    def read(bulk):
        with monkeypatch.context() as patch:
            if not bulk:
                patch.setattr("bids_regions.images.gifti.Bulk", lambda **_: None)
            try:
                return [array.values.tobytes() for array in read_gifti(path).arrays]
            except Fault as fault:
                return type(fault)

    read_in_blocks(monkeypatch, size)
    rng, ends = np.random.default_rng(size), set()
    for _ in range(80):
        values = rng.standard_normal(rng.choice([3, 30, 300])).astype(np.float32)
        encoding = rng.choice(["Base64Binary", "GZipBase64Binary", "ASCII"])
        content = bytearray(gifti(data_array(values, Encoding=encoding), data_array(values[:2])))
        for _ in range(rng.integers(1, 3)):
            inside = (
                content.find(b"<Data>") + 6 + rng.integers(12) if rng.random() < 0.5 else rng.integers(len(content))
            )
            content[inside : inside + rng.integers(2)] = ODD[rng.integers(len(ODD))]
        path = put(tmp_path / "a.gii", bytes(content))
        ends.add(type(read(bulk=True)))
        assert read(bulk=True) == read(bulk=False), bytes(content)
    assert len(ends) == 2


def test_a_reference_in_base64_is_read_wherever_the_blocks_that_are_read_end(tmp_path, monkeypatch):
    read_in_blocks(monkeypatch, 64)
    plain = data_array(VALUES, Encoding="Base64Binary")
    text = plain.partition("<Data>")[2].partition("<")[0]
    for k in range(0, len(text), 3):
        written = f"{text[:k]}&#{ord(text[k])};{text[k + 1 :]}"
        for shift in range(64):
            content = gifti(plain.replace(text, written), front=" " * shift)
            (array,) = read_gifti(put(tmp_path / "a.gii", content)).arrays
            assert np.array_equal(array.values, VALUES, equal_nan=True)


def test_what_a_file_says_of_itself_is_kept(tmp_path):
    inside = metadata(Name="first &amp; best", Intent_p1="12")
    front = metadata(AnatomicalStructurePrimary="CortexRight") + (
        '<LabelTable><Label Key="0" Alpha="0">???</Label>'
        '<Label Key="7" Red="1" Green="0.5" Blue="0">V1</Label></LabelTable>'
    )
    arrays = [data_array(VALUES, "ZSCORE", inside), data_array(VALUES, "TTEST")]
    found = read_gifti(put(tmp_path / "a.gii", gifti(*arrays, front=front)))
    assert found.structure == "CORTEX_RIGHT"
    assert found.labels[7].name == "V1"
    assert found.labels[7].rgba == (1, 0.5, 0, 1)
    assert [a.intent for a in found.of_values()] == ["ZSCORE", "TTEST"]
    assert found.arrays[0].metadata == {"Name": "first & best", "Intent_p1": "12"}


def test_arrays_that_are_not_wanted_take_no_memory(tmp_path):
    arrays = [data_array(VALUES, "ZSCORE", Data="@@@ broken @@@"), data_array(VALUES, "ZSCORE")]
    found = read_gifti(put(tmp_path / "a.gii", gifti(*arrays)), lambda number, _: number == 1)
    assert found.arrays[0].values is None
    assert np.array_equal(found.arrays[1].values, VALUES, equal_nan=True)


def test_numbers_in_a_file_beside_are_read_and_in_any_other_are_not(tmp_path):
    inside = tmp_path / "dataset"
    (inside / "deep").mkdir(parents=True)
    stored = VALUES.astype("<f4").tobytes()
    for place in (inside / "a.dat", inside / "deep" / "a.dat", tmp_path / "secret.dat"):
        place.write_bytes(b"####" + stored)

    def read(name, offset="4", values=VALUES):
        told = {"Encoding": "ExternalFileBinary", "ExternalFileName": name, "ExternalFileOffset": offset, "Data": " "}
        return read_gifti(put(inside / "a.gii", gifti(data_array(values, **told))))

    first = read("a.dat")
    assert np.array_equal(first.arrays[0].values, VALUES, equal_nan=True)
    assert np.array_equal(read("deep/a.dat").arrays[0].values, VALUES, equal_nan=True)
    (inside / "a.dat").write_bytes(b"####" + stored[::-1])
    assert read("a.dat").content_hash != first.content_hash
    for name in ("../secret.dat", str(tmp_path / "secret.dat"), "deep/../../secret.dat", ""):
        with pytest.raises(BadMap, match="no file beside it"):
            read(name)
    with pytest.raises(BadMap, match=r"^a\.gii keeps its numbers in a file beside it: a\.dat is too short"):
        read("a.dat", "9")
    with pytest.raises(BadMap, match=r"^a\.gii keeps its numbers in a file beside it: b\.dat is not there\. Check"):
        read("b.dat")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gifti(data_array(VALUES), doctype=BOMB), "needs XML entities"),
        (gifti(data_array(VALUES), doctype='<!DOCTYPE GIFTI [<!ENTITY x SYSTEM "file:///etc/x">]>'), "needs XML"),
        (gifti(data_array(VALUES), doctype='<!DOCTYPE GIFTI [<!ELEMENT GIFTI ANY>]>'), "needs XML entities"),
        (gifti(data_array(VALUES), front="&undefined;"), "needs XML entities"),
        (gifti(data_array(VALUES))[:-60], "XML is broken"),
        (gifti("<A>" * 40 + "</A>" * 40), "nested deeper than 24"),
        (gifti(f'<A b="{"x" * (3 << 20)}"/>'), "tag of more than 1 MiB"),
        (b"<html><body/></html>", "no GIFTI file"),
        (gifti(data_array(VALUES, Dim0="3")), "is truncated"),
        (gifti(data_array(VALUES, Dim0="1")), "more data than it promises"),
        (gifti(data_array(VALUES, Encoding="Base64Binary", Dim0="1")), "more data than it promises"),
        (gifti(data_array(VALUES, Encoding="ASCII", Dim0="1")), "more data than it promises"),
        (gifti(data_array(VALUES, Dim0="99999999")), "bytes cannot hold"),
        (gifti(data_array(VALUES, Dim0="99999999999999999")), "more than can be numbered"),
        (gifti(data_array(VALUES, Dim0="-3")), "size is given as '-3'"),
        (gifti(data_array(VALUES, Dim0=None)), "size is given as ''"),
        (gifti(data_array(VALUES, Dimensionality="9")), "array of 9 dimensions"),
        (gifti(data_array(VALUES, Encoding="Zip", Data="x")), "unknown encoding"),
        (gifti(data_array(VALUES, Endian="MiddleEndian")), "unknown byte order"),
        (gifti(data_array(VALUES, Data="!!!!")), "base64 is broken"),
        (gifti(data_array(VALUES, Data="AAAA")), "compressed data is broken"),
        (gifti(data_array(VALUES, Data=data_array(VALUES).partition("<Data>")[2][:12])), "is truncated"),
        (gifti(data_array(VALUES, Data="AAAAA", Encoding="Base64Binary")), "is truncated"),
        (gifti(data_array(VALUES, Encoding="ASCII", Data="1 2 x 4 5 6")), "text among its numbers"),
        (gifti(data_array(VALUES, inside=data_array(VALUES))), "data array within another"),
        (gifti(front='<LabelTable><Label Key="x">a</Label></LabelTable>'), "key or colour is no number"),
        (gifti(front='<LabelTable><Label Key="1" Red="nan">a</Label></LabelTable>'), "cannot be believed"),
        (gifti(data_array(VALUES)).replace(b"UTF-8", b"UTF-99"), "unknown encoding"),
        (gifti(data_array(VALUES)).replace(b"UTF-8", b"utf-7"), "unknown encoding"),
        (b"", "is empty"),
    ],
)  # fmt: skip
def test_broken_and_hostile_files_end_in_a_sentence(tmp_path, content, words):
    with pytest.raises(BadMap, match=words) as found:
        read_gifti(put(tmp_path / "a.gii", content))
    assert "a.gii" in str(found.value)


def test_colours_and_complex_numbers_are_no_map(tmp_path):
    with pytest.raises(UnsuitableMap, match="NIFTI_TYPE_RGB24"):
        read_gifti(put(tmp_path / "a.gii", gifti(data_array(VALUES, DataType="NIFTI_TYPE_RGB24"))))


def test_a_mesh_is_its_coordinates_and_triangles(tmp_path):
    found = load_surface(put(tmp_path / "a.surf.gii", mesh(structure="CortexLeft")))
    assert np.array_equal(found.xyz, TETRAHEDRON[0])
    assert np.array_equal(found.triangles, TETRAHEDRON[1])
    assert found.structure == "CORTEX_LEFT"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gifti(data_array(VALUES)), "holds no mesh"),
        (mesh(TETRAHEDRON[0][:3]), "triangles of vertices 0 to 3, of which there are 3"),
        (mesh(TETRAHEDRON[0] + np.float32(np.inf)), "not finite"),
        (mesh(TETRAHEDRON[0][:, :2].copy()), "coordinates of shape"),
        (mesh(triangles=TETRAHEDRON[1].astype(np.float32)), "no whole numbers"),
        (gifti(data_array(VALUES, "POINTSET", DataType="NIFTI_TYPE_RGB24")), "no map's"),
    ],
)
def test_what_is_no_mesh_is_refused(tmp_path, content, words):
    with pytest.raises(BadMap, match=words) as found, np.errstate(all="ignore"):
        load_surface(put(tmp_path / "a.surf.gii", content))
    assert "Give a surface" in str(found.value)


def test_labels_are_read_back_by_nibabel_with_names_and_colours(tmp_path):
    labels = np.array([0, 2, 1, 1, 70000])
    table = [(1, "Angular <L> & co", "#e69f00"), (2, "region-2", "#56b4e9"), (70000, "x", "#ffffff")]
    first = save_gifti_labels(tmp_path / "a.label.gii", labels, "CORTEX_LEFT", table)
    assert save_gifti_labels(tmp_path / "b.label.gii", labels, "CORTEX_LEFT", table) == first
    image = nib.load(tmp_path / "a.label.gii")
    (array,) = image.darrays
    assert array.data.dtype == np.int32
    assert array.data.tolist() == labels.tolist()
    assert array.intent == nib.nifti1.intent_codes["NIFTI_INTENT_LABEL"]
    assert image.meta["AnatomicalStructurePrimary"] == "CortexLeft"
    assert image.labeltable.get_labels_as_dict() == {0: "???", **{key: name for key, name, _ in table}}
    for label, color in zip(image.labeltable.labels[1:], ("e69f00", "56b4e9", "ffffff"), strict=True):
        assert "".join(f"{round(255 * part):02x}" for part in label.rgba[:3]) == color
    assert image.labeltable.labels[0].rgba == (0, 0, 0, 0)


def test_maps_are_read_back(tmp_path):
    data = np.array([0.25, 1, 0])
    save_gifti_map(tmp_path / "a.shape.gii", data, "CORTEX_RIGHT")
    image = nib.load(tmp_path / "a.shape.gii")
    assert np.array_equal(image.darrays[0].data, data.astype(np.float32))
    assert read_gifti(tmp_path / "a.shape.gii").structure == "CORTEX_RIGHT"


def test_a_series_of_arrays_needs_the_memory_of_one(tmp_path):
    values = np.random.default_rng(0).standard_normal(300_000).astype(np.float32)
    path = put(tmp_path / "a.gii", gifti(*[data_array(values) for _ in range(8)]))
    read_gifti(path, lambda number, _: number == 0)
    tracemalloc.start()
    found = read_gifti(path, lambda number, _: number == 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found.arrays[3].values, values)
    assert peak < 3 * values.nbytes


@pytest.mark.parametrize("n", [16383, 16384, 16388, 40000])
def test_what_the_inflater_holds_back_is_asked_for(tmp_path, n):
    path = put(tmp_path / "a.gii", gifti(data_array(np.zeros(n, np.float32))))
    assert np.array_equal(read_gifti(path).arrays[0].values, np.zeros(n))
