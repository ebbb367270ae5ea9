"""What a run puts on its pages: backgrounds, figures, warnings, counts, words for people."""

import html
import json
import os
import re
import shutil

import cohorts
import numpy as np
import pytest
import trees

from bids_regions.cli import main
from bids_regions.pages.page import neighbours_of

SPACE = "MNI152NLin6Asym"
NAME = f"sub-01_task-x_space-{SPACE}_contrast-{{}}_stat-{{}}_statmap.nii.gz"


def run(*words):
    return main([*map(str, words), "--nprocs", "1", "-q"])


def page_of(out, owner="sub-01"):
    return (out / f"{owner}.html").read_text()


def backgrounds(page):
    """The backgrounds in a page, and those that its views are drawn on."""
    held = re.findall(r'id="background-([^"]+)"', page)
    views = json.loads(re.search(r'id="views"[^>]*>([^<]+)<', page)[1])
    return held, {view["background"].removeprefix("background-") for view in views}


def anatomy(path, value=100.0):
    """A block of tissue on a finer grid of its own."""
    data = np.zeros((24, 28, 20), np.float32)
    data[4:-4, 4:-4, 4:-4] = value + np.arange(12, dtype=np.float32)
    return trees.write_map(path, data, trees.AFFINE @ np.diag([0.5, 0.5, 0.5, 1.0]))


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Two maps of one participant in a standard space; no template at hand."""
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    root = trees.describe(tmp_path / "in")
    for contrast in ("a", "b"):
        trees.write_map(root / "sub-01" / "func" / NAME.format(contrast, "z"))
    return root


def template(home):
    return anatomy(home / f"tpl-{SPACE}" / f"tpl-{SPACE}_res-02_T1w.nii.gz")


def t1w(root):
    return anatomy(root / "sub-01" / "anat" / f"sub-01_space-{SPACE}_desc-preproc_T1w.nii.gz")


def test_the_background_is_the_own_t1w_else_the_template_else_the_carried_one(dataset, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run(dataset, out, "participant") == 0
    carried = "bg-ICBM152NLin2009aSym__res-2mm__T1w"
    assert backgrounds(page_of(out)) == ([carried], {carried})
    assert page_of(out).count("ICBM 152 2009a symmetric, T1w, 2 mm") >= 3  # under the viewer and both pictures
    template(tmp_path / "flow")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "flow"))
    assert run(dataset, out, "participant") == 0  # it has come since: the page is made anew
    other = "bg-tpl-MNI152NLin6Asym__res-02__T1w"
    assert backgrounds(page_of(out)) == ([other], {other})
    t1w(dataset)
    assert run(dataset, out, "participant") == 0
    own = "bg-sub-01__space-MNI152NLin6Asym__desc-preproc__T1w"
    assert backgrounds(page_of(out)) == ([own], {own})  # one for both maps
    assert run(dataset, out, "participant", "--background", "none") == 0
    _, used = backgrounds(page_of(out))
    assert all(name.endswith("coverage") for name in used)


def test_a_named_background_is_taken_at_both_levels(dataset, tmp_path):
    path = anatomy(tmp_path / "mine.nii.gz")
    assert run(dataset, tmp_path / "out", "participant", "group", "--background", path) == 0
    for owner in ("sub-01", "group"):
        assert backgrounds(page_of(tmp_path / "out", owner)) == (["bg-mine"], {"bg-mine"})


def test_a_background_changes_the_pages_and_nothing_else(dataset, tmp_path):
    path = anatomy(tmp_path / "mine.nii.gz")
    for name, words in (("a", ("none",)), ("b", (path,))):
        assert run(dataset, tmp_path / name, "participant", "--background", *words) == 0
    one, other = (
        {f.relative_to(out): f.read_bytes() for f in out.rglob("*") if f.is_file() and "logs" not in f.parts}
        for out in (tmp_path / "a", tmp_path / "b")
    )
    assert {str(name) for name in one if one[name] != other[name]} == {
        "sub-01.html",
        *(str(name) for name in one if "figures" in name.parts),
    }


def test_a_background_that_cannot_be_read_is_said_and_stops_nothing(dataset, tmp_path):
    t1w(dataset).write_bytes(b"no image")
    assert run(dataset, tmp_path / "out", "participant", "group") == 0
    page = page_of(tmp_path / "out")
    assert "_T1w.nii.gz cannot be read; what is shown lies on the coverage of the data" in page
    assert all(name.endswith(("coverage", "ground")) for name in backgrounds(page)[1])
    path = trees.touch(tmp_path / "mine.nii.gz", b"no image")
    assert run(dataset, tmp_path / "out", "participant", "--background", path) == 66
    assert run(dataset, tmp_path / "out", "participant", "--background", tmp_path / "gone.nii.gz") == 66


def test_entries_of_a_map_are_drawn_at_identical_cuts(dataset, tmp_path):
    assert run(dataset, tmp_path / "out", "participant", "--threshold", "3.0", "99%", "--min-region-voxels", "1") == 0
    figures = {path.name: path.read_text() for path in (tmp_path / "out" / "sub-01" / "figures").iterdir()}
    assert len(figures) == 4
    cuts = {name: re.findall(r"z [−\d]+ mm", svg) for name, svg in figures.items()}
    for contrast in ("a", "b"):
        one, other = (found for name, found in sorted(cuts.items()) if f"contrast+{contrast}" in name)
        assert one == other
        assert len(one) > 3
    page = page_of(tmp_path / "out")
    assert page.count("data:image/svg+xml,%3Csvg") == 8  # each with its glass brain
    for name in figures:
        assert f'href="sub-01/figures/{name}"' in page


def notes(page):
    return [html.unescape(text) for text in re.findall(r"<li><strong>Note.</strong> (.*?)</li>", page)]


def test_what_a_reader_must_know_stands_beside_the_map(tmp_path, monkeypatch):
    """Saturated, not finite, a percentile over background, t without degrees of freedom, a mask resampled."""
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    root = trees.describe(tmp_path / "in")
    data = trees.make_data("x")
    data[:, :, :3] = 0
    data[0, 0, 5:8] = np.nan
    trees.write_map(root / "sub-01" / "func" / NAME.format("a", "t"), np.clip(data, -4, 4))
    mask = np.ones((6, 7, 5), np.uint8)
    trees.write_map(tmp_path / "mask.nii.gz", mask, trees.AFFINE @ np.diag([2.0, 2, 2, 1]))
    out = tmp_path / "out"
    assert run(root, out, "participant", "--threshold", "97%", "--mask", tmp_path / "mask.nii.gz") == 0
    said = notes(page_of(out))
    for words in (
        r"\d+ voxels share the largest magnitude, 4: the map looks clipped, .*\.",
        r"The mask mask.nii.gz lies on another grid .* and was resampled \(nearest\)\.",
        r"3 voxels were not a number \(NaN\) and count as no data\.",
        r"30 % of the image are zero voxels, and the percentile is taken over all of it: .*\.",
        r"t map without known degrees of freedom: the cutoff is a t value, with no p behind it\.",
    ):
        assert [text for text in said if re.fullmatch(words, text)], words
    (record,) = out.rglob("*_dseg.json")
    assert [f"{text}." for text in json.loads(record.read_text())["Warnings"]] == said


def test_settings_and_masks_are_told_as_people_write_them(dataset, tmp_path):
    mask = trees.write_mask(dataset / "sub-01" / "func" / f"sub-01_task-x_space-{SPACE}_desc-brain_mask.nii.gz")
    assert run(dataset, tmp_path / "out", "participant", "--threshold", "92%") == 0
    page = page_of(tmp_path / "out")
    assert "the 92nd percentile of 1,680 voxels" in page
    assert f"<dt>mask</dt><dd>sub-01/func/{mask.name}</dd>" in page
    assert "smoothing_fwhm = 6, min_region_size = 1500," in page
    assert "grf = false" in page
    assert run(dataset, tmp_path / "out2", "participant", "--mask", "none") == 0
    assert "<dt>mask</dt><dd>none: every voxel counts</dd>" in page_of(tmp_path / "out2")


def test_masks_that_differ_between_entries_are_told_apart(dataset, tmp_path):
    trees.write_mask(dataset / "sub-01" / "func" / f"sub-01_task-x_space-{SPACE}_desc-brain_mask.nii.gz")
    config = tmp_path / "c.toml"
    config.write_text('[[regions]]\nname = "inside"\n[[regions]]\nname = "all"\nmask = "none"\n')
    assert run(dataset, tmp_path / "out", "participant", "--config-file", config) == 0
    told = re.search(r"<dt>mask</dt><dd>(.*?)</dd>", page_of(tmp_path / "out"))[1]
    assert told.endswith("_desc-brain_mask.nii.gz (inside); none: every voxel counts (all)")


def test_the_group_figure_has_a_file_for_papers(tmp_path):
    root = cohorts.start(tmp_path / "in")
    for label in ("01", "02", "03"):
        cohorts.write_person(root, label, cohorts.person(label, a=True))
    out = tmp_path / "out"
    assert cohorts.run(root, out) == 0
    (svg,) = (out / "figures").glob("*Consensus_figure.svg")
    assert "</svg>" in svg.read_text()
    page = page_of(out, "group")
    assert f'href="figures/{svg.name}"' in page
    assert "of at least 50 % of the participants with data there" in page


def test_participants_who_lack_the_same_are_told_together(tmp_path):
    root = cohorts.start(tmp_path / "in")
    for label in ("01", "02", "03", "04"):
        cohorts.write_person(root, label, cohorts.person(label, a=label in ("01", "02")))
    (root / "participants.tsv").write_text("participant_id\n" + "".join(f"sub-{n:02d}\n" for n in range(1, 8)))
    assert cohorts.run(root, tmp_path / "out") == 0
    page = page_of(tmp_path / "out", "group")
    told = re.findall(r"<p><code>(.*?)</code></p>\s*<p>(.*?)</p>", page)
    assert told == [
        ("sub-03, sub-04", "empty: no region survived; counted all the same."),
        ("sub-05, sub-06, sub-07", "missing: no such map in the dataset."),
    ]


OWNERS = ("sub-01", "sub-02", "sub-03", "group")


def test_a_page_leads_to_the_group_and_to_the_participants_beside(dataset, tmp_path):
    for label in ("02", "03"):
        shutil.copytree(dataset / "sub-01", dataset / f"sub-{label}")
        for path in list((dataset / f"sub-{label}").rglob("sub-01*")):
            path.rename(path.with_name(path.name.replace("sub-01", f"sub-{label}")))
    assert run(dataset, tmp_path / "out", "participant", "group") == 0
    links = {owner: set(re.findall(r'<a href="([^"#]+\.html)"', page_of(tmp_path / "out", owner))) for owner in OWNERS}
    assert links["sub-01"] == {"group.html", "sub-02.html"}
    assert links["sub-02"] == {"group.html", "sub-01.html", "sub-03.html"}
    assert links["group"] >= {"sub-01.html", "sub-02.html", "sub-03.html"}


@pytest.mark.parametrize("denied", ["sub-02", "sub-02/func"])
def test_a_neighbour_that_cannot_be_read_has_a_page_and_one_without_images_none(tmp_path, monkeypatch, denied):
    for name in ("sub-01", "sub-02", "sub-04"):
        trees.write_map(tmp_path / name / "func" / f"{name}_stat-z_statmap.nii.gz")
    (tmp_path / "sub-03" / "func").mkdir(parents=True)
    listed = os.scandir

    def deny(path="."):
        if os.fspath(path).endswith(denied):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listed(path)

    assert [link.text for link in neighbours_of("sub-04", tmp_path)] == ["Group", "sub-02"]
    monkeypatch.setattr(os, "scandir", deny)
    assert [link.text for link in neighbours_of("sub-01", tmp_path)] == ["Group", "sub-02"]
    assert [link.text for link in neighbours_of("sub-04", tmp_path)] == ["Group", "sub-02"]
