"""Lists of labels as the field writes them."""

from pathlib import Path

import pytest
from atlas_files import FSL
from hypothesis import given
from hypothesis import strategies as st

from bids_regions.atlases.label_lists import clean_name, read_label_list
from bids_regions.errors import MissingInput


def listed(tmp_path: Path, name: str, text: str | bytes) -> dict[int, str]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_list(path).names


# Lists of labels


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.tsv", "index\tname\n1\tLeft A\n2\tB\n", {1: "Left A", 2: "B"}),
        ("a.tsv", "\ufeffindex\tname\r\n1\tA\r\n\r\n2\tB", {1: "A", 2: "B"}),  # Windows, with a byte order mark
        ("a.tsv", "name\tcolor\tindex\nA\t#ff0000\t7\n", {7: "A"}),
        ("a.tsv", "index\tname\txyz\n0\tBackground\t\n1\tCortex \t58, 37, 50\n", {0: "Background", 1: "Cortex"}),
        ("a.tsv", "Component\tDifumo_names\tGM\n1\tHeschl’s gyrus\t0.6\n", {1: "Heschl’s gyrus"}),  # DiFuMo
        ("a.tsv", "indexname\n1\tL_V1\n1001\tR_V1\n", {1: "L_V1", 1001: "R_V1"}),  # TemplateFlow's GlasserHCPMMP1
        ("a.tsv", "index\tname\n1.0\tA\n2\tn/a\n3\t\n", {1: "A", 2: "label 2", 3: "label 3"}),
        ("a.csv", 'component,difumo_names\n1,"Gyrus, left"\n', {1: "Gyrus, left"}),
        ("a.csv", "1,A\n2,B\n", {1: "A", 2: "B"}),
        ("a.txt", "#No. Label Name: R G B A\n0 Unknown 0 0 0 0\n2  L-WM  245 245 245 0\n", {0: "Unknown", 2: "L-WM"}),
        ("a.ctab", "1\tArea one\t1\t2\t3\t0\n2\tArea two\t9\t8\t7\t0\n", {1: "Area one", 2: "Area two"}),
        ("a.txt", "1 Precentral_L 2001\n2 Precentral_R 2002\n", {1: "Precentral_L", 2: "Precentral_R"}),  # AAL
        ("a.txt", "1 Area 1\n2 Area 2\n", {1: "Area 1", 2: "Area 2"}),  # its numbers tell the names apart
        ("a.txt", "1: one two\n2: three\n", {1: "one two", 2: "three"}),
        ("a.lut", '1 255 0 0 1 1 1 "Box; one"\n2 0 255 0 1 1 1 "Box two"\n', {1: "Box, one", 2: "Box two"}),  # ITK-SNAP
        ("a.lut", "1 0.47 0.07 0.5 Vis\n2 0.27 0.5 0.7 SomMot\n", {1: "Vis", 2: "SomMot"}),  # cerebellar atlases
        ("a.txt", "HIP-rh\nAMY-rh\n", {1: "HIP-rh", 2: "AMY-rh"}),  # Tian: names only
    ],
)  # fmt: skip
def test_lists_are_read_as_the_field_writes_them(
    tmp_path: Path, name: str, text: str, expected: dict[int, str]
) -> None:
    assert listed(tmp_path, name, text) == expected


def test_fsl_descriptions_count_from_zero_and_their_maximum_images_from_one(tmp_path: Path) -> None:
    probable = listed(tmp_path, "a.xml", FSL.format(type="Probabilistic").encode("latin-1"))
    assert probable == {1: "Frontal Pôle", 2: "B & C"}
    assert listed(tmp_path, "a.xml", FSL.format(type="Label").encode("latin-1")) == {0: "Frontal Pôle", 1: "B & C"}
    valued = '<atlas><data><label index="0" value="17">A</label></data></atlas>'
    assert listed(tmp_path, "a.xml", valued) == {17: "A"}


def test_aal_descriptions_have_children(tmp_path: Path) -> None:
    text = "<atlas><data><label><index>2001</index><name>Precentral_L</name></label></data></atlas>"
    assert listed(tmp_path, "a.xml", text) == {2001: "Precentral_L"}


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><atlas><label index="1">&y;</label></atlas>'
OUTSIDE = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><atlas><label index="1">A</label></atlas>'


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.tsv", "1\tA\n2\tB\n", "has no header with the columns index and name (its first line holds '1', 'A')"),
        ("a.tsv", "index\tname\n1\tA\n2\tB\n1\tC\n", "names the index 1 twice: 'A' in line 2 and 'C' in line 4"),
        ("a.tsv", "index\tname\n1\n", "has only 1 cell(s) in line 2"),
        ("a.tsv", "index\tname\none\tA\n", "has no whole number as index in line 2 but 'one'"),
        ("a.tsv", "index\tname\n1.5\tA\n", "has no whole number as index in line 2 but '1.5'"),
        ("a.tsv", "index\tname\n-1\tA\n", "has no whole number as index in line 2 but '-1'"),
        ("a.tsv", "index\tname\n", "has a header but no label"),
        ("a.tsv", "", "is empty"),
        ("a.tsv", b"index\tname\n1\tP\xf4le\n", "is not UTF-8 text"),
        ("a.csv", 'index,name\n1,"A', "is not valid CSV"),
        ("a.txt", "# nothing\n", "holds only comments"),
        ("a.txt", "1 A\nB\n", "has no index at the start of line 2 ('B')"),
        ("a.xml", "<atlas><data></data></atlas>", "has no label element"),
        ("a.xml", "<atlas><label>", "is not valid XML"),
        ("a.xml", "<atlas><label>A</label></atlas>", "has no whole number as index in label 1 but ''"),
        ("a.xml", BOMB, "has a document type declaration, which is refused"),
        ("a.xml", OUTSIDE, "has a document type declaration, which is refused"),
        ("a.tsv", "x" * ((16 << 20) + 1), "is larger than 16 MiB: no list of labels"),
    ],
)
def test_each_broken_list_has_its_sentence(tmp_path: Path, name: str, text: str | bytes, sentence: str) -> None:
    with pytest.raises(MissingInput) as caught:
        listed(tmp_path, name, text)
    assert sentence in caught.value.sentence
    assert str(tmp_path / name) in caught.value.sentence
    assert caught.value.exit_code == 66


def test_a_name_listed_twice_alike_is_no_fault(tmp_path: Path) -> None:
    assert listed(tmp_path, "a.tsv", "index\tname\n1\tA\n1\tA\n") == {1: "A"}


def test_labels_keep_commas_and_letters_of_all_languages_and_lose_what_breaks_a_table() -> None:
    assert clean_name("Gyrus, längs\u2028der\tMitte") == "Gyrus, längs der Mitte"
    assert clean_name('"Area 4; right"\x07') == "'Area 4, right'\\x07"
    assert len(clean_name("x" * 10_000)) == 200


@given(st.text(max_size=40))
def test_no_label_can_forge_a_second_cell_or_entry(text: str) -> None:
    assert not set(clean_name(text)) & set(';"\t\n\r')
