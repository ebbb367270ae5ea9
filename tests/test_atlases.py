"""Atlases found on disk: what their files say, and which maps they fit."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from atlas_files import FSL, MNI, Region, fit, line_of, peak_at, place, save, save_pair, save_probabilities
from numpy.typing import NDArray

from bids_regions.atlases import (
    AtlasUser,
    cite_atlases,
    describe_atlas,
    describe_locations,
    describe_naming,
    fit_atlases,
    fit_to_maps,
    name_regions,
    own_entities,
)
from bids_regions.demo_atlas import make_demo_atlas
from bids_regions.errors import Contradiction, MissingInput
from bids_regions.images import make_grid

# Atlases on disk


def test_a_pair_is_found_with_all_its_files_say(tmp_path: Path) -> None:
    folder = tmp_path / f"tpl-{MNI}"
    path = save_pair(folder, line_of(0, 1, 2), "index\tname\n1\tA\n2\tB\n")
    facts = {"License": "MIT", "Version": "0.14", "ReferencesAndLinks": ["One", "Two"]}
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(facts))
    (tmp_path / "dataset_description.json").write_text(json.dumps({"License": "CC0", "HowToAcknowledge": "Cite  us"}))
    atlas = fit(path).atlas
    assert atlas
    assert (atlas.name, atlas.space, atlas.probabilistic, dict(atlas.names)) == ("Toy", MNI, False, {1: "A", 2: "B"})
    assert (atlas.license, atlas.version, atlas.citation, atlas.notes) == ("MIT", "0.14", "Cite us", ())
    record = describe_atlas(fit(path))
    assert record["File"] == path.name
    assert len(record["SHA256"]) == 64
    assert record["Space"] == MNI
    assert str(tmp_path) not in json.dumps(record)


def test_lists_and_facts_are_inherited_as_in_templateflow(tmp_path: Path) -> None:
    """The image has a resolution, the table has none: BIDS's inheritance principle."""
    folder = tmp_path / f"tpl-{MNI}"
    save(folder / f"tpl-{MNI}_res-02_atlas-Toy_desc-2Parcels_dseg.nii.gz", line_of(0, 1, 2))
    (folder / f"tpl-{MNI}_atlas-Toy_desc-2Parcels_dseg.tsv").write_text("index\tname\n1\tA\n2\tB\n")
    (folder / f"tpl-{MNI}_atlas-Toy_desc-1Parcels_dseg.tsv").write_text("index\tname\n1\tanother\n2\tatlas\n")
    (folder / f"tpl-{MNI}_atlas-Toy_dseg.tsv").write_text("index\tname\n1\tless\n2\tspecific\n")
    (folder / f"tpl-{MNI}_atlas-Toy_dseg.json").write_text('{"License": "GPL-3.0"}')
    atlas = fit(folder / f"tpl-{MNI}_res-02_atlas-Toy_desc-2Parcels_dseg.nii.gz").atlas
    assert atlas
    assert dict(atlas.names) == {1: "A", 2: "B"}
    assert atlas.license == "GPL-3.0"


def test_probabilities_may_share_the_table_of_the_labels(tmp_path: Path) -> None:
    path = save_probabilities(tmp_path)
    path.with_name(path.name.replace(".nii.gz", ".tsv")).unlink()
    (tmp_path / f"tpl-{MNI}_atlas-Soft_dseg.tsv").write_text("index\tname\n0\tBackground\n1\tA\n2\tB\n")
    atlas = fit(path).atlas
    assert atlas
    assert dict(atlas.names) == {1: "A", 2: "B"}


def test_a_broken_description_costs_only_what_it_says(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n")
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text("{")
    atlas = fit(path).atlas
    assert atlas
    assert atlas.license == ""
    assert "could not be read" in atlas.notes[0]


def test_a_plain_image_takes_list_space_and_name_after_a_question_mark(tmp_path: Path) -> None:
    path = save(tmp_path / "HO-maxprob.nii.gz", line_of(0, 1, 2))
    (tmp_path / "HarvardOxford.xml").write_bytes(FSL.format(type="Probabilistic").encode("latin-1"))
    fitting = fit(f"{path}?labels=HarvardOxford.xml&space={MNI}&name=HarvardOxford")
    assert fitting.atlas
    assert (fitting.name, fitting.atlas.names[1]) == ("HarvardOxford", "Frontal Pôle")
    assert fit(f"{path}?labels={tmp_path}/HarvardOxford.xml&space={MNI}").name == "HOmaxprob"


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".lut", ".ctab", ".nii.txt", ".nii.gz.txt", ".xml"])
def test_a_list_of_the_same_stem_is_found(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / "AAL.nii.gz", line_of(0, 1))
    text = '<a><label index="0">A</label></a>' if suffix == ".xml" else "1,A" if suffix == ".csv" else "1 A"
    (tmp_path / f"AAL{suffix}").write_text(text)
    atlas = fit(path, unchecked=True).atlas
    assert atlas
    assert dict(atlas.names) == {1: "A"}


def test_what_image_and_list_do_not_share_is_told(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(0, 1, 3, 9), "index\tname\n0\tFrontal Pole\n1\tA\n5\tnowhere\n")
    atlas = fit(path).atlas
    assert atlas
    assert dict(atlas.names) == {1: "A", 3: "label 3", 9: "label 9"}
    assert atlas.notes == (
        f"{path.name} has values that its list does not name (3, 9): 'label 3' and so on",
        f"The list of {path.name} names 1 value(s) that no voxel has (5)",
        f"The list of {path.name} calls the value 0 'Frontal Pole': 0 is taken as unlabelled all the same",
    )
    assert describe_atlas(fit(path))["Notes"] == list(atlas.notes)


def test_what_was_guessed_of_a_list_is_told(tmp_path: Path) -> None:
    atlas = fit(save_pair(tmp_path, line_of(0, 1), "indexname\n1\tA\n")).atlas
    assert atlas
    assert "lacks its tab" in atlas.notes[0]
    save(tmp_path / "names.nii.gz", line_of(0, 1)).with_name("names.txt").write_text("A\nB\n")
    atlas = fit(tmp_path / "names.nii.gz", unchecked=True).atlas
    assert atlas
    assert "in their order" in atlas.notes[0]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (line_of(0, 7, 8), "has none of the 1 values that its list names, but 7, 8"),
        (line_of(0, 0), "has no label: every voxel is 0"),
        (line_of(0, 1).astype(np.float32) / 2, "holds fractions and no labels"),
        (np.ones((2, 2, 2, 2, 2), np.float32), "is 5-D"),
    ],
)
def test_each_unusable_image_has_its_sentence(tmp_path: Path, data: NDArray[Any], sentence: str) -> None:
    path = save_pair(tmp_path, data, "index\tname\n1\tA\n")
    with pytest.raises(MissingInput) as caught:
        fit(path)
    assert sentence in caught.value.sentence
    assert "atlas" in caught.value.sentence


def test_values_below_zero_count_as_unlabelled(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(-1, 0, 1), "index\tname\n1\tA\n")
    assert place(fit(path), make_grid((3, 1, 1), np.eye(4))).codes.tolist() == [0, 0, 1]


def test_a_missing_or_truncated_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="is not there"):
        fit(tmp_path / "none_dseg.nii.gz")
    link = tmp_path / "annexed_dseg.nii.gz"
    link.symlink_to("nowhere")
    with pytest.raises(MissingInput, match="datalad get"):
        fit(link)
    path = save(tmp_path / "alone.nii.gz", line_of(0, 1))
    with pytest.raises(MissingInput, match="There is no list of labels for the atlas"):
        fit(path)
    path.with_name("alone.tsv").write_text("index\tname\n1\tA\n")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(MissingInput, match="cannot be used"):
        fit(path)


# One space


def test_the_space_of_an_atlas_must_be_that_of_the_map(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n")
    assert fit(path).atlas
    other = fit(path, "MNI152NLin6Asym")
    assert other.atlas is None
    assert other.reason == f"The atlas Toy is in the space {MNI} and the maps are in MNI152NLin6Asym"
    assert fit(path, "").reason == f"The atlas Toy is in the space {MNI} and the maps do not say theirs"
    assert fit(path, "MNI152NLin6Asym", unchecked=True).atlas
    nameless = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n", "toy")
    assert fit(nameless, "").reason == "The atlas toy does not say its space and the maps do not say theirs"
    assert describe_atlas(other) == {"Name": "Toy", "NotUsed": other.reason}


@pytest.mark.parametrize(
    ("where", "space"),
    [
        (f"atlas-Toy_space-{MNI}_dseg.nii.gz", MNI),  # AtlasPack
        ("tpl-MNIInfant/cohort-2/anat/tpl-MNIInfant_cohort-2_atlas-Toy_dseg.nii.gz", "MNIInfant+2"),
        ("tpl-MNI305/anat/toy.nii.gz", "MNI305"),
        ("toy.nii.gz", ""),
    ],
)
def test_the_space_is_read_from_the_name_or_the_folder(tmp_path: Path, where: str, space: str) -> None:
    path = save(tmp_path / where, line_of(0, 1))
    path.with_name(path.name.replace(".nii.gz", ".tsv")).write_text("index\tname\n1\tA\n")
    atlas = fit(path, "X", unchecked=True).atlas
    assert atlas
    assert atlas.space == space


def test_an_atlas_that_fits_no_map_is_told_before_any_work(tmp_path: Path) -> None:
    path = str(save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n"))
    mni, native = AtlasUser(space=MNI), AtlasUser(space="T1w", participant="01")
    fitted = fit_to_maps([path], [native, mni, mni])
    assert {user: each.atlas is not None for user, (each,) in fitted.items()} == {mni: True, native: False}
    assert fit_to_maps([], [mni]) == {mni: ()}
    assert fit_to_maps([path], []) == {}
    with pytest.raises(Contradiction, match="--atlas-space-unchecked") as caught:
        fit_to_maps([path], [native, AtlasUser(space="")])
    assert "the maps are in T1w" in caught.value.problems[0]
    assert caught.value.exit_code == 64


@pytest.mark.parametrize("name", ["sub-01_space-T1w_atlas-Toy_dseg", "sub-01/anat/space-fsnative_atlas-Toy_dseg"])
def test_a_file_in_one_brains_own_space_serves_its_participant_alone(tmp_path: Path, name: str) -> None:
    """Two brains share no voxel, though the spaces of both are called T1w."""
    space = "T1w" if "T1w" in name else "fsnative"
    path = save_pair((tmp_path / name).parent, line_of(0, 1), "index\tname\n1\tA\n", Path(name).name)
    own, other = (AtlasUser(space=space, participant=label) for label in ("01", "02"))
    group = AtlasUser(space=space)
    fitted = fit_to_maps([str(path)], [own, other, group])
    assert [each.atlas is not None for (each,) in fitted.values()] == [True, False, False]
    assert f"native space {space} of sub-01 and may not be laid on a map of sub-02" in fitted[other][0].reason
    assert fit_to_maps([str(path)], [other], unchecked=True)[other][0].atlas


def test_each_participants_own_is_taken_as_it_was_found(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n", "sub-01_desc-aparcaseg_dseg")
    broken = save_pair(tmp_path, line_of(0, 1), "no table", "sub-03_desc-aparcaseg_dseg")
    specs = ["desc=aparcaseg", "atlas=Toy&desc=x?name=mine"]
    assert own_entities(specs) == [(("desc", "aparcaseg"),), (("atlas", "Toy"), ("desc", "x"))]
    assert own_entities([str(path), "templateflow:Toy"]) == []
    users = [
        AtlasUser(space="T1w", participant=label, own=(found, found))
        for label, found in (("01", path), ("02", None), ("03", broken))
    ]
    fitted = fit_to_maps(specs, users)
    assert [[each.name for each in row] for row in fitted.values()] == [["aparcaseg", "mine"]] * 3
    assert [row[0].atlas is not None for row in fitted.values()] == [True, False, False]
    assert fitted[users[1]][0].reason == "No desc-aparcaseg segmentation in the space T1w was found of sub-02"
    assert str(broken.with_suffix("").with_suffix(".tsv")) in fitted[users[2]][0].reason
    with pytest.raises(MissingInput, match="No desc-aparcaseg segmentation"):
        fit_to_maps(specs[:1], users[1:2])


def test_equal_names_are_told_apart_or_refused(tmp_path: Path) -> None:
    few = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n", f"tpl-{MNI}_atlas-Toy_desc-few_dseg")
    many = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n", f"tpl-{MNI}_atlas-toy_desc-many_dseg")
    names = [each.name for each in fit_atlases([str(few), str(many)], space=MNI)]
    assert names == ["Toyfew", "toymany"]
    with pytest.raises(Contradiction, match="two atlases would both be called Toyfew"):
        fit_atlases([str(few), str(few)], space=MNI)
    assert [each.name for each in fit_atlases([str(few), f"{few}?name=again"], space=MNI)] == ["Toy", "again"]


@pytest.mark.parametrize(
    "spec", ["a.nii.gz?labels", "a.nii.gz?colour=red", "a.nii.gz?name=a&name=b", "templateflow:", "templateflow:a/b"]
)
def test_a_request_that_cannot_be_read_is_refused(spec: str) -> None:
    with pytest.raises(Contradiction, match="--atlas"):
        fit(spec)


def test_a_path_may_hold_a_question_mark(tmp_path: Path) -> None:
    path = save_pair(tmp_path / "why?", line_of(0, 1), "index\tname\n1\tA\n")
    assert fit(path).atlas


# TemplateFlow


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TemplateFlow folder with one atlas in two spaces, sizes and resolutions."""
    home = tmp_path / "flow"
    for space in (MNI, "MNI152NLin6Asym"):
        for parcels in ("100Parcels", "200Parcels"):
            for resolution in ("01", "02"):
                name = f"tpl-{space}_res-{resolution}_atlas-Schaefer2018_desc-{parcels}_dseg.nii.gz"
                save(home / f"tpl-{space}" / name, line_of(0, int(resolution), 9))
            table = home / f"tpl-{space}" / f"tpl-{space}_atlas-Schaefer2018_desc-{parcels}_dseg.tsv"
            table.write_text(f"index\tname\n1\t{space} fine\n2\t{space} coarse\n9\t{parcels}\n")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home))
    return home


def test_templateflow_atlases_are_found_for_the_space_of_the_map(flow: Path) -> None:
    for space in (MNI, "MNI152NLin6Asym"):
        fitting = fit("templateflow:Schaefer2018?desc=100Parcels", space)
        assert fitting.atlas
        assert (fitting.name, fitting.atlas.space) == ("Schaefer2018", space)
        assert dict(fitting.atlas.names) == {2: f"{space} coarse", 9: "100Parcels"}, "2 mm is preferred"
    fine = fit("templateflow:Schaefer2018?desc=100Parcels&res=1").atlas
    assert fine
    assert 1 in fine.names
    assert flow


@pytest.mark.usefixtures("flow")
def test_templateflow_atlases_of_one_name_are_told_apart() -> None:
    with pytest.raises(Contradiction, match="fits 2 atlases") as caught:
        fit("templateflow:Schaefer2018")
    assert "100Parcels" in caught.value.sentence
    specs = [f"templateflow:Schaefer2018?desc={parcels}" for parcels in ("100Parcels", "200Parcels")]
    assert [each.name for each in fit_atlases(specs, space=MNI)] == ["Schaefer2018100Parcels", "Schaefer2018200Parcels"]


def test_of_labels_and_probabilities_the_labels_are_taken(flow: Path) -> None:
    folder = flow / f"tpl-{MNI}"
    save_pair(folder, line_of(0, 1), "index\tname\n1\tA\n", f"tpl-{MNI}_atlas-Both_dseg")
    save_pair(folder, np.ones((1, 1, 1, 2), np.float32), "index\tname\n1\tA\n", f"tpl-{MNI}_atlas-Both_probseg")
    for spec, probabilistic in (("templateflow:Both", False), ("templateflow:Both?suffix=probseg", True)):
        atlas = fit(spec).atlas
        assert atlas
        assert atlas.probabilistic is probabilistic


@pytest.mark.usefixtures("flow")
def test_templateflow_never_serves_another_space() -> None:
    spec = "templateflow:Schaefer2018?desc=100Parcels"
    for space in ("MNI305", ""):
        assert "is not in" in fit(spec, space).reason
    assert (
        fit(f"{spec}&tpl={MNI}", "MNI305").reason
        == f"The atlas Schaefer2018 is in the space {MNI} and the maps are in MNI305"
    )
    assert fit(f"{spec}&tpl={MNI}", "MNI305", unchecked=True).atlas
    with pytest.raises(MissingInput, match="has no atlas that fits"):
        fit("templateflow:Schaefer2018?desc=300Parcels")


def test_templateflow_placeholders_and_a_missing_folder_say_what_to_do(
    flow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = flow / f"tpl-{MNI}" / f"tpl-{MNI}_res-02_atlas-Schaefer2018_desc-100Parcels_dseg.nii.gz"
    image.write_bytes(b"")
    with pytest.raises(MissingInput, match="TemplateFlow keeps such a placeholder"):
        fit("templateflow:Schaefer2018?desc=100Parcels")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(flow / "gone"))
    with pytest.raises(MissingInput, match="Set TEMPLATEFLOW_HOME"):
        fit("templateflow:Schaefer2018")


def test_a_cohort_is_a_space_of_its_own(flow: Path) -> None:
    for cohort in ("1", "2"):
        folder = flow / "tpl-MNIInfant" / f"cohort-{cohort}"
        name = f"tpl-MNIInfant_cohort-{cohort}_atlas-Baby_dseg"
        save_pair(folder, line_of(0, 1), f"index\tname\n1\tcohort {cohort}\n", name)
    atlas = fit("templateflow:Baby", "MNIInfant+2").atlas
    assert atlas
    assert dict(atlas.names) == {1: "cohort 2"}


# Words


def test_columns_say_what_they_hold() -> None:
    words = describe_locations("Toy", probabilistic=False)
    assert list(words) == ["Toy_peak", "Toy_overlap"]
    assert "10 percent" in words["Toy_overlap"]
    assert "25 percent" in words["Toy_overlap"]
    assert "probable" in describe_locations("Toy", probabilistic=True)["Toy_peak"]


def test_methods_text_and_citations_come_from_the_sidecars(tmp_path: Path) -> None:
    hard = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n")
    hard.with_name(hard.name.replace(".nii.gz", ".json")).write_text('{"Version": "3", "HowToAcknowledge": "Toy 2020"}')
    soft = save_probabilities(tmp_path)
    records = [describe_atlas(fit(path)) for path in (hard, soft, hard)] + [describe_atlas(fit(hard, "T1w"))]
    text = describe_naming(records)
    assert text.startswith("Regions and peaks were named by the atlases Toy (version 3) and Soft.")
    assert "at least 10 % of the region" in text
    assert "at least 25 % of the label" in text
    assert "mean probability" in text
    assert "probability" not in describe_naming(records[:1])
    assert cite_atlases(records) == ("Toy: Toy 2020",)
    assert describe_naming([describe_atlas(fit(hard, "T1w"))]) == ""


def test_a_form_to_fill_in_is_no_citation(tmp_path: Path) -> None:
    path = save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n")
    facts = {"HowToAcknowledge": "Reference the following entries: {1}", "ReferencesAndLinks": ["Doi one", "Doi two"]}
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(facts))
    atlas = fit(path).atlas
    assert atlas
    assert atlas.citation == "Doi one; Doi two"


def test_the_demonstration_atlas_is_made_of_boxes_and_says_so(tmp_path: Path) -> None:
    demo = make_demo_atlas()
    path = save(tmp_path / f"tpl-{MNI}_atlas-Boxes_dseg.nii.gz", demo.labels, demo.affine)
    path.with_name(path.name.replace(".nii.gz", ".tsv")).write_text(demo.tsv)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(demo.sidecar))
    fitting = fit(path)
    assert fitting.atlas
    assert len(fitting.atlas.names) == 24
    assert "not an anatomical atlas" in fitting.atlas.citation
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = [-78, -112, -50]
    placed = place(fitting, make_grid((53, 63, 46), affine))
    labels = np.zeros((53, 63, 46), np.uint8, order="F")
    labels[12, 30, 33] = 1  # -42, -22, 49
    region = Region((peak_at((12, 30, 33), affine),))
    assert name_regions(labels, [region], [placed], sided=True).names == ("Left Middle Top Box",)


def test_no_home_folder_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987654321)
    with pytest.raises(MissingInput, match="There is no TemplateFlow folder"):
        fit("templateflow:Schaefer2018")
