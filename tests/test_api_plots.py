"""Figures for papers: slices, a glass brain and sheets on axes of matplotlib, with the values the report shows."""

import io
import re
import subprocess
import sys
from unittest.mock import Mock

import matplotlib as mpl
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest
from PIL import Image, ImageFont

from bids_regions import demo, find_regions, plot_regions
from bids_regions.errors import Contradiction, Fault, MissingInput, OutputRefused
from bids_regions.figures import compose_map
from bids_regions.figures.colors import PAPER
from bids_regions.figures.lettering import load_font
from bids_regions.figures.plotting import _project


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


@pytest.fixture(scope="module")
def found():
    return find_regions(demo.find_real_map(), threshold=3.0, statistic="z", space="MNI152Lin")


@pytest.fixture(scope="module")
def on_surfaces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surfaces")
    demo.make_surface_demo(folder, demo.find_real_map())
    return find_regions(tuple(sorted(folder.rglob("*_statmap.func.gii"))), threshold=3.0)


def values_shown(axes):
    return axes.images[-1].get_array()


def test_a_figure_is_taken_apart_as_that_of_subplots(found):
    figure, axes = found.plot(title="left > right")
    assert isinstance(figure, mpl.figure.Figure)
    assert len(axes) == 7
    assert figure._suptitle.get_text() == "left > right"
    assert [each.get_title() for each in axes] == sorted(
        [each.get_title() for each in axes], key=lambda title: float(title.split()[2])
    )
    plot = found.plot(colorbar=False, numbers=False, outlines=False, cuts=[52.0])
    assert plot.bar is None
    assert len(plot.axes) == 1
    assert not plot.axes[0].collections
    assert repr(plot).startswith("<Plot of 1 picture")
    assert plot.get_axes() == list(plot.axes)  # what else a figure has
    with pytest.raises(AttributeError):
        plot._nothing  # noqa: B018


def test_slices_show_the_very_values_of_the_map(found):
    """Every pixel of an axial slice is the voxel of the map at its place, the numbers on it those of the regions."""
    data, labels = found.given.data, found.labels
    (axes,) = found.plot(cuts=[52.0], background=None).axes
    shown = values_shown(axes)
    left, right, bottom, top = axes.images[-1].get_extent()
    inverse = np.linalg.inv(found.grid.affine)
    rows, columns = shown.shape
    for row in range(0, rows, 5):
        for column in range(0, columns, 5):
            x = left + (column + 0.5) * (right - left) / columns
            y = top + (row + 0.5) * (bottom - top) / rows
            i, j, k = np.floor(inverse[:3] @ (x, y, 52.0, 1) + 0.5 + 1e-6).astype(int)
            assert shown[row, column] == np.nan_to_num(data[i, j, k])
    assert {text.get_text() for text in axes.texts} - {"L", "R"} <= {str(n) for n in np.unique(labels)}


def test_the_colours_are_those_of_the_picture_of_the_report(found):
    """The report composes its picture from the same planes; what matplotlib makes of them differs by its 256 levels."""
    style = found.shown.style(cuts=[52.0])
    drawing = compose_map(found.shown.values, found.labels, found.grid.affine, found.shown.marks, style)
    (axes,) = found.plot(cuts=[52.0], background=None, outlines=False, numbers=False, colorbar=False).axes
    below, image = axes.images
    grey = np.asarray(below.get_array())
    over = image.cmap(image.norm(np.asarray(image.get_array())))[..., :3] * 255
    alpha = np.asarray(image.get_alpha())[..., None]
    mixed = over * alpha + grey[..., None] * (1 - alpha)
    rows, columns = mixed.shape[:2]
    tile = [(n, np.count_nonzero((drawing.canvas != PAPER).any(axis=2).any(axis=n))) for n in (1, 0)]
    assert tile[0][1] >= rows  # the report enlarges voxels by a whole number
    step = max(1, round(tile[0][1] / rows))
    inside = (drawing.canvas != PAPER).any(axis=2)
    top, left = np.flatnonzero(inside.any(axis=1))[0], np.flatnonzero(inside.any(axis=0))[0]
    ours = (mixed.round() != PAPER).any(axis=2)
    first = np.flatnonzero(ours.any(axis=1))[0], np.flatnonzero(ours.any(axis=0))[0]
    part = drawing.canvas[top + step // 2 :: step, left + step // 2 :: step][: rows - first[0], : columns - first[1]]
    theirs = mixed[first[0] :, first[1] :][: part.shape[0], : part.shape[1]]
    assert np.abs(part.astype(float) - theirs).max() <= 8  # the report's pictures have 256 levels of value and opacity


@pytest.mark.parametrize(("axis", "plane"), [("x", 0), ("y", 1), ("z", 2)])
def test_slices_along_every_axis(axis, plane):
    """One voxel: it is seen at its place, in mm, on the slice through it and on no other."""
    data = np.zeros((9, 10, 11), np.float32)
    data[2, 3, 7] = 5.0
    data += 0.1
    affine = np.array([[-2.0, 0, 0, 8], [0, 3, 0, -9], [0, 0, 4, -20], [0, 0, 0, 1]])
    found = find_regions(data, affine, threshold=3.0, min_region_voxels=1)
    place = (affine @ (2, 3, 7, 1))[:3]
    here, there = found.plot(axis=axis, cuts=[place[plane], place[plane] + 8], background=None).axes
    assert values_shown(there).max() < 1
    right, up = (place[k] for k in range(3) if k != plane)
    rows, columns = np.nonzero(np.asarray(values_shown(here)) > 3)
    left, last, bottom, top = here.images[-1].get_extent()
    shape = values_shown(here).shape
    assert left + (columns.mean() + 0.5) * (last - left) / shape[1] == pytest.approx(right)
    assert top + (rows.mean() + 0.5) * (bottom - top) / shape[0] == pytest.approx(up)
    assert here.get_title().startswith(f"{axis} = ")


def test_the_glass_brain_projects_the_largest_magnitudes(found):
    plot = found.plot("glass")
    assert [each.get_title() for each in plot.axes] == ["from the right", "from behind", "from above"]
    labelled = np.where(found.labels > 0, found.given.data, 0)
    for axes in plot.axes:
        shown = values_shown(axes)
        assert shown.max() == labelled.max()
        assert shown.min() == labelled.min()
    above = np.abs(labelled).max(axis=2)  # of voxels along z
    assert np.count_nonzero(values_shown(plot.axes[2])) == np.count_nonzero(above)
    assert _project(labelled, labelled, found.grid.affine, "z")[2].any()


def test_sheets_show_the_vertices(on_surfaces):
    plot = on_surfaces.plot()
    assert [axes.get_title() for axes in plot.axes] == ["left lateral", "left medial", "right medial", "right lateral"]
    for axes, side in zip(plot.axes, (0, 0, 1, 1), strict=True):
        values = on_surfaces.given.data[10242 * side : 10242 * (side + 1)]
        assert np.isin(values_shown(axes), values).all()
    numbers = [text.get_text() for axes in plot.axes for text in axes.texts]
    assert sorted(numbers) == [str(region.index) for region in on_surfaces]


def test_everything_is_the_users_to_change(found, tmp_path):
    figure, axes = found.plot(cuts=3, width=3.5)
    assert figure.get_size_inches()[0] == 3.5
    axes[0].set_title("A")
    axes[0].images[-1].set_cmap("PiYG")
    figure.set_size_inches(5, 2)
    plot = found.plot(cuts=1, width=2)
    plot.bar.set_label("z of left > right")
    for ending, begin in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        plot.savefig(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes().startswith(begin)
    text = (tmp_path / "a.svg").read_text()
    assert ">z of left &gt; right<" in text  # letters stay letters
    with Image.open(tmp_path / "a.png") as picture:
        assert round(picture.info["dpi"][0]) == 300


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(found, ending):
    files = []
    for _ in range(2):
        stream = io.BytesIO()
        found.plot(cuts=1, width=2).savefig(stream, format=ending)
        files.append(stream.getvalue())
    assert files[0] == files[1]


def test_a_figure_of_ones_own_is_drawn_into(found, on_surfaces):
    figure = plt.figure(figsize=(8, 4), layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    assert found.plot(figure=upper, cuts=4).figure is upper
    on_surfaces.plot(figure=lower)
    assert len(figure.axes) == 4 + 1 + 4 + 1
    assert len(plt.get_fignums()) == 1


def test_a_map_without_regions_says_so_and_is_shown_whole():
    data = np.random.default_rng(0).normal(size=(8, 8, 8))
    found = find_regions(data, np.eye(4), threshold=50.0)
    for kind in ("slices", "glass"):
        plot = found.plot(kind, background=None)
        assert "No region survived" in plot.figure._suptitle.get_text()
    assert "No region survived" in found._repr_html_()


def test_a_map_of_p_is_shown_as_its_logarithm():
    p = np.ones((8, 8, 8))
    p[2:5, 2:5, 2:5] = 0.001
    found = find_regions(p, np.eye(4), threshold="p=0.01", statistic="p", min_region_voxels=1)
    plot = found.plot(cuts=[3.0], background=None)
    assert values_shown(plot.axes[0]).max() == pytest.approx(3)
    assert plot.bar.ax.get_ylabel() == "-log10 p"


def test_the_letter_of_a_unit_stands_upright(found):
    bar = found.plot(cuts=1).bar
    assert (bar.ax.get_title(), bar.ax.get_ylabel()) == ("z", "")


def test_a_millimetre_is_as_long_on_all_three_views_of_the_glass_brain(found):
    plot = found.plot("glass")
    plot.figure.canvas.draw()
    boxes = [(axes.get_window_extent(), axes.get_xlim()) for axes in plot.axes]
    lengths = [box.width / abs(right - left) for box, (left, right) in boxes]
    assert lengths == pytest.approx([lengths[0]] * 3, rel=0.02)
    assert len({round(box.y1) for box, _ in boxes}) == 1  # titles on one line


def test_the_table_of_a_notebook_has_numbers_to_the_right_and_words_to_the_left(found):
    rows = re.findall(r"<tr>(.*?)</tr>", found._repr_html_())
    for row in rows:
        sides = re.findall(r"text-align: (\w+); white-space: nowrap\">", row)
        assert sides == ["right", "left", "left", *["right"] * (len(sides) - 3)]


def test_infinite_values_have_the_colour_of_the_largest():
    data = np.zeros((8, 8, 8))
    data[2:5, 2:5, 2:5], data[3, 3, 3] = 4.0, np.inf
    found = find_regions(data, np.eye(4), threshold=3.0, min_region_voxels=1)
    assert values_shown(found.plot(cuts=[3.0], background=None).axes[0]).max() == 4


def test_one_voxel_and_a_number_of_numpy():
    found = find_regions(np.full((1, 1, 1), 5.0), np.eye(4), min_region_voxels=1, threshold=3.0)
    assert len(found.plot("glass").axes) == 3
    assert len(found.plot(cuts=np.int64(1)).axes) == 1


def test_backgrounds(found, tmp_path):
    anatomy = nib.Nifti1Image(np.random.default_rng(0).uniform(50, 100, (20, 20, 20)), np.diag([9.0, 9, 9, 1]))
    nib.save(anatomy, tmp_path / "t1.nii.gz")
    for given in (anatomy, tmp_path / "t1.nii.gz", "auto", "none", None):
        (axes,) = found.plot(cuts=[50.0], background=given).axes
        assert len(axes.images) == 2
    with pytest.raises(MissingInput, match="background"):
        found.plot(background="nowhere.nii.gz")
    with pytest.raises(Contradiction, match="background is a int"):
        found.plot(background=3)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"kind": "sphere"}, "kind = 'sphere' is none of slices, glass, surfaces"),
        ({"axis": "w"}, "axis = 'w' is none of x, y, z"),
        ({"cuts": 0}, "cuts = 0 are no slices"),
        ({"cuts": ["a"]}, "are no places in mm"),
        ({"scale": -1}, "scale = -1 is no number above 0"),
        ({"width": "a"}, "width = 'a' is no number above 0"),
        ({"columns": 0}, "columns = 0 is no number above 0"),
        ({"columns": True}, "columns = True is no number above 0"),
        ({"cuts": True}, "cuts = True are no slices"),
        ({"cuts": [0, True]}, "are no places in mm"),
        ({"figure": 3}, "figure is a int"),
        ({"kind": "surfaces"}, "lies in voxels and not on surfaces"),
    ],
)
def test_what_cannot_be_drawn_is_refused(found, asked, told):
    with pytest.raises(Contradiction, match=told) as refused:
        plot_regions(found, **asked)
    assert refused.value.hint


def test_a_surface_has_no_slices_and_a_list_no_regions(on_surfaces):
    with pytest.raises(Contradiction, match="has no slices"):
        on_surfaces.plot("slices")
    with pytest.raises(Contradiction, match="a list is nothing that was found"):
        plot_regions([1])


def test_a_figure_that_cannot_be_saved_is_our_fault_to_tell(found, tmp_path):
    plot = found.plot(cuts=1)
    with pytest.raises(Contradiction, match=r"Give a name that ends in \.pdf"):
        plot.savefig(tmp_path / "a.xyz")
    with pytest.raises(OutputRefused, match="cannot be written"):
        plot.savefig(tmp_path / "nowhere" / "a.png")


def test_the_view_in_a_notebook_is_a_table_and_a_picture(found):
    html = found._repr_html_()
    assert "<table>" in html
    assert html.count("<tr>") == len(found) + 1
    assert '<img src="data:image/webp;base64,' in html


def test_opacities_are_those_of_the_report(found):
    (axes,) = found.plot(cuts=[52.0], background=None).axes
    style = found.shown.style(cuts=[52.0])
    assert style.cutoff == 3.0
    image = axes.images[-1]
    legend_scale = image.norm.vmax
    faint = np.abs(np.asarray(image.get_array())) < 3.0
    expected = (np.abs(np.asarray(image.get_array())) / 3.0) ** 2
    assert legend_scale > 3.0
    assert np.allclose(np.asarray(image.get_alpha())[faint], expected[faint], atol=1e-4)


def test_nothing_of_matplotlib_is_loaded_before_a_figure_is_asked_for():
    code = (
        "import sys, numpy as np; from bids_regions import find_regions; "
        "data = np.zeros((9, 9, 9)); data[2:5, 2:5, 2:5] = 4; "
        "found = find_regions(data, np.eye(4), threshold=3.0, min_region_voxels=1); repr(found); "
        "print(sorted({'matplotlib', 'pandas', 'PIL'} & {*sys.modules})); found.plot(background=None); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue\n"


@pytest.mark.parametrize(("library", "ask"), [("matplotlib", "plot"), ("pandas", "to_dataframe")])
def test_a_library_that_is_not_installed_is_named(found, monkeypatch, library, ask):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingInput, match=f"{library}, which .* is not installed") as told:
        getattr(found, ask)()
    assert isinstance(told.value, Fault)
    assert told.value.hint == f"pip install {library}"


def test_a_notebook_without_matplotlib_has_the_table_and_a_sentence(found, monkeypatch):
    load_font.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    html = find_regions(found.to_image(), threshold=1.0)._repr_html_()  # not drawn before
    assert "<table>" in html
    assert "<p>No picture: matplotlib, which has the letters of pictures, is not installed. pip install" in html
    assert "<img" not in html


def test_letters_that_cannot_be_read_are_a_sentence(monkeypatch):
    load_font.cache_clear()
    monkeypatch.setattr(ImageFont, "truetype", Mock(side_effect=OSError("cannot open resource")))
    with pytest.raises(MissingInput, match=r"DejaVuSans\.ttf, letters of pictures, cannot be read\. Install"):
        load_font(11.0, False)


@pytest.mark.parametrize(
    ("asked", "told"), [({"colour": 3}, "unexpected keyword argument 'colour'"), ({"title": 3}, "title is a int")]
)
def test_a_call_that_no_figure_takes_is_our_fault_to_tell(found, asked, told):
    with pytest.raises(Contradiction, match=told) as refused:
        found.plot(**asked)
    assert refused.value.hint
