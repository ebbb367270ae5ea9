"""CIFTI-2: maps and brain models as nibabel reads them, what is refused and in which words, what is written."""

import os
import struct

import nibabel as nib
import numpy as np
import pytest
from surface_bytes import NAMES, VERTICES, VOLUME, VOXELS, cifti, cifti_xml, put

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.images import cifti_header
from bids_regions.images.cifti import is_cifti, read_cifti, save_cifti_labels, save_cifti_map

THREE = np.arange(15, dtype=np.float32).reshape(3, 5)
NAMED = "".join(f"<NamedMap><MapName>m{k}</MapName></NamedMap>" for k in range(3))


def axes(path):
    """Nibabel's view of the grayordinates, as plain values."""
    axis = nib.load(path).header.get_axis(1)
    return [
        (name.removeprefix("CIFTI_STRUCTURE_"), rows.start, part.vertex.tolist(), part.voxel.tolist())
        for name, rows, part in axis.iter_structures()
    ]


def ours(found):
    return [
        (m.structure, m.offset, [-1] * m.size if m.vertices is None else m.vertices.tolist(),
         [[-1] * 3] * m.size if m.ijk is None else m.ijk.tolist())
        for m in found.grayordinates.models
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1"])
def test_a_map_is_read_as_nibabel_reads_it(tmp_path, order, dtype):
    data = np.arange(5).astype(dtype).reshape(1, 5)
    path = put(tmp_path / "a.dscalar.nii", cifti(data, order=order))
    found = read_cifti(path)
    assert np.array_equal(found.data, np.asarray(nib.load(path).dataobj)[0])
    assert found.data.dtype == (np.float32 if dtype == "f4" else np.float64)
    assert (found.kind, found.n_maps, found.map_name) == ("dscalar", 1, "motor")
    assert ours(found) == axes(path)
    assert np.array_equal(found.grayordinates.affine, nib.load(path).header.get_axis(1).affine)
    assert found.grayordinates.volume_shape == (3, 4, 5)
    assert is_cifti(path.read_bytes()[:540])


def test_brain_models_stand_in_any_order_and_structures_may_be_missing(tmp_path):
    voxels = VOXELS.replace('IndexOffset="3"', 'IndexOffset="0"')
    vertices = VERTICES.replace('IndexOffset="0"', 'IndexOffset="2"').replace("CORTEX_LEFT", "CEREBELLUM_RIGHT")
    for models in (vertices + VOLUME + voxels, voxels + vertices + VOLUME):
        path = put(tmp_path / "a.dscalar.nii", cifti(xml=cifti_xml(models)))
        assert ours(read_cifti(path)) == [
            ("THALAMUS_LEFT", 0, [-1, -1], [[0, 0, 0], [1, 0, 0]]),
            ("CEREBELLUM_RIGHT", 2, [0, 1, 3], [[-1] * 3] * 3),
        ]
    path = put(tmp_path / "a.dscalar.nii", cifti(np.ones((1, 3), np.float32), cifti_xml(VERTICES)))
    assert read_cifti(path).grayordinates.affine is None


def test_scaled_numbers_and_metres(tmp_path):
    xml = cifti_xml().replace('MeterExponent="-3"', 'MeterExponent="0"').replace("-2 0 0 90", "-0.002 0 0 0.09")
    xml = xml.replace("0 2 0 -126 0 0 2 -72", "0 0.002 0 -0.126 0 0 0.002 -0.072")
    path = put(tmp_path / "a.dscalar.nii", cifti(np.ones((1, 5), np.int16), xml, scl_slope=0.5, scl_inter=2))
    found = read_cifti(path)
    assert found.data.tolist() == [2.5] * 5
    assert np.allclose(found.grayordinates.affine, [[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])


def test_of_several_maps_one_is_taken_by_its_number(tmp_path, monkeypatch):
    path = put(tmp_path / "a.dscalar.nii", cifti(THREE, cifti_xml(names=NAMED)))
    with pytest.raises(UnsuitableMap, match=r"holds 3 maps.*--volumes"):
        read_cifti(path)
    for part in (1 << 20, 16):
        monkeypatch.setattr("bids_regions.images.cifti.PART", part)
        for k in range(3):
            found = read_cifti(path, k)
            assert np.array_equal(found.data, THREE[k])
            assert found.map_name == f"m{k}"
    with pytest.raises(BadMap, match="has no map 4"):
        read_cifti(path, 3)


def test_a_series_of_one_point_is_a_map(tmp_path):
    xml = cifti_xml(names="", kind="SERIES")
    path = put(tmp_path / "a.dtseries.nii", cifti(xml=xml, intent_code=3002))
    assert read_cifti(path).kind == "dtseries"
    assert read_cifti(path).data.tolist() == [1, 2, 3, 4, 5]


def test_labels_have_names(tmp_path):
    label = '<Label Key="1" Red="1" Green="0" Blue="0" Alpha="1">A</Label>'
    table = f"<NamedMap><MapName>p</MapName><LabelTable>{label}</LabelTable></NamedMap>"
    path = put(tmp_path / "a.dlabel.nii", cifti(xml=cifti_xml(names=table, kind="LABELS"), intent_code=3007))
    found = read_cifti(path)
    assert (found.kind, found.labels[1].name, found.labels[1].rgba) == ("dlabel", "A", (1, 0, 0, 1))


@pytest.mark.parametrize(("ending", "kind"), [("dscalar", "dscalar"), ("dtseries", "dtseries")])
def test_a_file_as_nibabel_writes_it_where_nobody_names_the_intent(tmp_path, ending, kind):
    """Its intent is 3000, unknown: the XML tells that it is a map of grayordinates."""
    image = nib.load(put(tmp_path / "a.dscalar.nii", cifti()))
    rows = image.header.get_axis(0) if kind == "dscalar" else nib.cifti2.SeriesAxis(0, 1, 1)
    path = tmp_path / f"b.{ending}.nii"
    nib.save(nib.Cifti2Image(image.get_fdata(dtype=np.float32), header=(rows, image.header.get_axis(1))), path)
    assert int(nib.load(path).nifti_header["intent_code"]) == 3000
    found = read_cifti(path)
    assert (found.kind, is_cifti(path.read_bytes()[:540])) == (kind, True)
    assert np.array_equal(found.data, read_cifti(tmp_path / "a.dscalar.nii").data)


def test_what_follows_the_numbers_is_left_and_said(tmp_path):
    found = read_cifti(put(tmp_path / "a.dscalar.nii", cifti() + b"xxxx"))
    assert found.notes == ("4 bytes after the numbers were not read",)
    assert np.array_equal(found.data, read_cifti(put(tmp_path / "b.dscalar.nii", cifti())).data)


def test_brain_models_are_read_once_whatever_stands_around_them(tmp_path, monkeypatch):
    monkeypatch.setattr(cifti_header, "_KNOWN", {})
    first = read_cifti(put(tmp_path / "a.dscalar.nii", cifti()))
    second = read_cifti(put(tmp_path / "b.dscalar.nii", cifti(xml=cifti_xml(names=NAMES.replace("motor", "rest")))))
    assert first.grayordinates is second.grayordinates
    assert second.map_name == "rest"
    for k in range(20):
        xml = cifti_xml().replace('SurfaceNumberOfVertices="4"', f'SurfaceNumberOfVertices="{k + 4}"')
        assert read_cifti(put(tmp_path / "c.dscalar.nii", cifti(xml=xml))).grayordinates.models[0].n_vertices == k + 4
    assert len(cifti_header._KNOWN) <= 8


def test_another_encoding_of_the_xml_is_read_too(tmp_path):
    xml = cifti_xml().replace('encoding="UTF-8"', 'encoding="UTF-16"')
    content = cifti()
    path = tmp_path / "a.dscalar.nii"
    packed = xml.encode("utf-16")
    size = -(-(len(packed) + 8) // 16) * 16
    header = bytearray(content[:540])
    header[168:176] = struct.pack("<q", 544 + size)  # vox_offset
    path.write_bytes(
        bytes(header)
        + bytes([1, 0, 0, 0])
        + struct.pack("<2i", size, 32)
        + packed.ljust(size - 8, b"\0")
        + content[-20:]
    )
    found = read_cifti(path)
    assert [m.structure for m in found.grayordinates.models] == ["CORTEX_LEFT", "THALAMUS_LEFT"]
    assert found.map_name == "motor"


def changed(old, new, models=VOLUME + VERTICES + VOXELS):
    assert old in cifti_xml(models)
    return cifti(xml=cifti_xml(models).replace(old, new))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (cifti()[:-4], "is truncated"),
        (cifti()[:600], "is truncated"),
        (cifti(intent_code=0), "no CIFTI file"),
        (cifti(dim=[6, 1, 1, 1, 1, 1, 6, 1]), "contradicts itself"),
        (cifti(dim=[6, 1, 1, 1, 1, 1 << 40, 5, 1]), "more than can be numbered"),
        (cifti(dim=[9, 1, 1, 1, 1, 1, 5, 1]), "9 dimensions"),
        (cifti(vox_offset=10), "begins the numbers at byte 10"),
        (cifti(vox_offset=1 << 60), "begins the numbers"),
        (cifti(datatype=12345), "unknown type 12345"),
        (b"\x5c\x01\0\0" + bytes(700), "no CIFTI-2 file"),
        (cifti()[:540] + bytes(len(cifti()) - 540), "has no CIFTI header"),
        (cifti(xml="<CIFTI"), "XML is broken"),
        (cifti(xml="<html/>"), "the root element html"),
        (cifti(xml='<!DOCTYPE a [<!ENTITY x "y">]>' + cifti_xml().partition("?>")[2]), "needs XML entities"),
        (changed('IndexCount="3"', 'IndexCount="4"'), "3 grayordinates of CORTEX_LEFT, where it promises 4"),
        (changed('IndexOffset="3"', 'IndexOffset="2"'), "overlap or leave gaps"),
        (changed('IndexOffset="3"', 'IndexOffset="x"'), "IndexOffset is 'x'"),
        (changed("0 1 3", "0 1 4"), "beyond its 4, or twice"),
        (changed("0 1 3", "0 1 1"), "beyond its 4, or twice"),
        (changed("0 1 3", "0 1 -3"), "no whole numbers"),
        (changed("0 1 3", "0 1 99999999999"), "that no brain has"),
        (changed("0 0 0\n1 0 0", "0 0 0\n3 0 0"), "outside its volume"),
        (changed("0 0 0\n1 0 0", "0 0 0\n0 0 0"), "stand twice"),
        (changed("0 0 0\n1 0 0", "0 0 0\n0 0"), "without three indices"),
        (changed("THALAMUS_LEFT", "CORTEX_LEFT"), "two brain models of one structure"),
        (changed("CIFTI_STRUCTURE_THALAMUS_LEFT", ""), "without structure"),
        (changed("3,4,5", "3,4"), "dimensions cannot be believed"),
        (changed("-2 0 0 90", "-2 0 0 x"), "without an affine of 16 numbers"),
        (changed("-2 0 0 90", "0 0 0 90"), "no scan can have"),
        (changed("-2 0 0 90 0 2 0 -126", "-2 2 0 90 0 0 0 -126"), "singular"),
        (changed('MeterExponent="-3"', 'MeterExponent="many"'), "units of 10"),
        (cifti(xml=cifti_xml(VERTICES + VOXELS)), "no volume that they lie in"),
    ],
)  # fmt: skip
def test_broken_and_hostile_files_end_in_a_sentence(tmp_path, content, words):
    with pytest.raises(BadMap, match=words) as found:
        read_cifti(put(tmp_path / "a.dscalar.nii", content))
    assert "a.dscalar.nii" in str(found.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (cifti(intent_code=3008), "numbers of parcels"),
        (cifti(intent_code=3001), "matrix of connections"),
        (cifti(xml=cifti_xml().replace('Version="2"', 'Version="1"')), "version '1'"),
        (cifti(xml=cifti_xml().replace("BRAIN_MODELS", "PARCELS")), "PARCELS along dimension 1"),
        (cifti(xml=cifti_xml(VOLUME)), "no grayordinates"),
        (cifti(np.ones((1, 5), np.complex64)), "complex64"),
    ],
)
def test_other_kinds_are_no_map_of_grayordinates(tmp_path, content, words):
    with pytest.raises(UnsuitableMap, match=words):
        read_cifti(put(tmp_path / "a.dscalar.nii", content))


@pytest.mark.parametrize(("most", "dtype"), [(1, np.uint8), (300, np.uint16), (70_000, np.int32)])
def test_labels_are_read_back_by_nibabel(tmp_path, most, dtype):
    source = read_cifti(put(tmp_path / "a.dscalar.nii", cifti()))
    labels = np.array([0, 1, 1, 0, most])
    table = [(1, "V1 <left>", "#e69f00"), *([(most, "x", "#56b4e9")] if most > 1 else [])]
    save_cifti_labels(tmp_path / "a.dlabel.nii", labels, source.grayordinates, table, "thr3p0")
    save_cifti_labels(tmp_path / "b.dlabel.nii", labels, source.grayordinates, table, "thr3p0")
    assert (tmp_path / "a.dlabel.nii").read_bytes() == (tmp_path / "b.dlabel.nii").read_bytes()
    image = nib.load(tmp_path / "a.dlabel.nii")
    assert image.get_data_dtype() == dtype
    assert np.asarray(image.dataobj)[0].tolist() == labels.tolist()
    (name,), (names,) = image.header.get_axis(0).name, image.header.get_axis(0).label
    assert name == "thr3p0"
    assert names[1][0] == "V1 <left>"
    assert names[0] == ("???", (0, 0, 0, 0))
    assert image.header.get_axis(1) == nib.load(tmp_path / "a.dscalar.nii").header.get_axis(1)
    assert image.nifti_header.get_intent()[0] == "ConnDenseLabel"


def test_maps_are_read_back(tmp_path):
    source = read_cifti(put(tmp_path / "a.dscalar.nii", cifti()))
    save_cifti_map(tmp_path / "b.dscalar.nii", np.linspace(0, 1, 5), source.grayordinates, "prevalence")
    image = nib.load(tmp_path / "b.dscalar.nii")
    assert np.allclose(np.asarray(image.dataobj)[0], np.linspace(0, 1, 5))
    assert ours(read_cifti(tmp_path / "b.dscalar.nii")) == axes(tmp_path / "a.dscalar.nii")
    with pytest.raises(ValueError, match="cannot lie on 5 grayordinates"):
        save_cifti_map(tmp_path / "c.dscalar.nii", np.zeros(4), source.grayordinates, "x")


@pytest.mark.parametrize(
    ("limit", "said"), [("MAX_MODELS", "more than 1 brain models"), ("MAX_MAPS", "more maps than can be")]
)
def test_a_header_may_have_as_many_models_and_maps_as_the_limit(tmp_path, monkeypatch, limit, said):
    path = put(tmp_path / "a.dscalar.nii", cifti(np.ones((2, 5), np.float32), cifti_xml(names=NAMES * 2)))
    monkeypatch.setattr(cifti_header, limit, 2)
    assert read_cifti(path, 1).data.tolist() == [1] * 5
    monkeypatch.setattr(cifti_header, limit, 1)
    monkeypatch.setattr(cifti_header, "_KNOWN", {})
    with pytest.raises(BadMap, match=said):
        read_cifti(path, 1)


def test_a_file_of_equal_content_is_not_written_again(tmp_path):
    """So that file systems, backups and version control see no change where there is none."""
    source = read_cifti(put(tmp_path / "a.dscalar.nii", cifti()))
    labels, table = np.array([0, 1, 1, 0, 1]), [(1, "V1", "#e69f00")]
    save = {
        tmp_path / "b.dlabel.nii": lambda path: save_cifti_labels(path, labels, source.grayordinates, table, "x"),
        tmp_path / "c.dscalar.nii": lambda path: save_cifti_map(path, labels / 2, source.grayordinates, "x"),
    }
    for path, write in save.items():
        first = write(path)
        os.utime(path, (1, 1))
        assert write(path) == first
        assert path.stat().st_mtime == 1
