"""Places named: labels at peaks, overlaps of regions, sides; probabilities; one grid for all."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from atlas_files import Peak, Region, fit, line_of, peak_at, place, save, save_pair, save_probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bids_regions.atlases import (
    Naming,
    PlacedAtlas,
    name_regions,
    place_atlas,
)
from bids_regions.atlases.naming import split_side
from bids_regions.errors import MissingInput
from bids_regions.images import make_grid
from bids_regions.space import Grid

# On the grid of a map


def test_an_atlas_is_resampled_to_the_nearest_voxel_and_ends_where_it_ends(tmp_path: Path) -> None:
    """Voxels of 2 mm from x = 0 on; the map has 1 mm from x = -3 on."""
    path = save(tmp_path / "toy.nii.gz", line_of(1, 2), np.diag([2.0, 1, 1, 1]))
    (tmp_path / "toy.tsv").write_text("index\tname\n1\tA\n2\tB\n")
    affine = np.eye(4)
    affine[0, 3] = -3
    placed = place(fit(path, unchecked=True), make_grid((9, 1, 1), affine))
    # x:                            -3 -2 -1  0  1  2  3  4  5; midway between two voxels the lower one counts
    assert placed.codes.tolist() == [0, 0, 0, 1, 1, 2, 2, 0, 0]
    assert placed.totals[1:].tolist() == [2, 2]


def test_placing_happens_once_for_each_atlas_and_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = fit(save_pair(tmp_path, line_of(0, 1), "index\tname\n1\tA\n")).atlas
    assert atlas
    grids: list[Grid] = []

    def count(own: Grid, data: NDArray[Any], to: Grid) -> NDArray[Any]:
        grids.append(to)
        return resample(own, data, to)

    resample = Grid.resample
    monkeypatch.setattr(Grid, "resample", count)
    grid, other = make_grid((2, 1, 1), np.eye(4)), make_grid((3, 1, 1), np.eye(4))
    first = place_atlas(atlas, grid)
    assert place_atlas(pickle.loads(pickle.dumps(atlas)), make_grid((2, 1, 1), np.eye(4))) is first  # noqa: S301
    assert place_atlas(atlas, other) is not first
    assert len(grids) == 2


def test_large_values_are_looked_up_too(tmp_path: Path) -> None:
    data = np.array([0, 5_000_000, 7], dtype=np.int32).reshape(3, 1, 1)
    path = save_pair(tmp_path, data, "index\tname\n7\tA\n5000000\tB\n")
    placed = place(fit(path), make_grid((3, 1, 1), np.eye(4)))
    assert [placed.names[code] for code in placed.codes] == ["unlabelled", "B", "A"]


# Location


def name_line(atlas: tuple[int, ...], region: tuple[int, ...], peaks: tuple[int, ...], x0: float = 0.0) -> Naming:
    """Name one region on a row of voxels of 2 mm that begins at x0."""
    affine = np.diag([2.0, 2, 2, 1])
    affine[0, 3] = x0
    n = max(atlas)
    names = ("unlabelled", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n])
    placed = PlacedAtlas(
        names=names,
        shape=(len(atlas), 1, 1),
        affine=affine,
        codes=np.array(atlas),
        totals=np.bincount(atlas, minlength=n + 1).astype(float),
    )
    regions = [Region(tuple(peak_at((i, 0, 0), affine) for i in peaks))]
    return name_regions(line_of(*region), regions, [placed], sided=True)


def overlap_of(atlas: tuple[int, ...], region: tuple[int, ...]) -> str:
    return name_line(atlas, region, (region.index(1),)).locations[0][0].overlap


def test_labels_are_listed_by_their_share_and_unlabelled_comes_last() -> None:
    assert overlap_of((1, 1, 1, 2, 0, 0, 0, 0, 0, 0), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)) == "A 30%; B 10%; unlabelled 60%"
    assert overlap_of((2, 2, 2, 1, 1, 1, 0), (1, 1, 1, 1, 1, 1, 0)) == "A 50%; B 50%", "equal shares: by value"
    assert overlap_of((0, 0, 0), (0, 1, 1)) == "unlabelled 100%"


def test_a_label_is_listed_from_ten_percent_of_the_region_or_a_quarter_of_the_label() -> None:
    region = (1,) * 20 + (0,) * 6
    two_of_twenty = (1,) * 18 + (2,) * 2 + (2,) * 6
    assert overlap_of(two_of_twenty, region) == "A 90%; B 10%"
    one_of_twenty = (1,) * 19 + (2,) * 1 + (2,) * 3 + (0,) * 3
    assert overlap_of(one_of_twenty, region) == "A 95%; B 5%", "5 % of the region, 25 % of the label"
    one_of_five = (1,) * 19 + (2,) * 1 + (2,) * 4 + (0,) * 2
    assert overlap_of(one_of_five, region) == "A 95%", "5 % of the region, 20 % of the label"
    one_unlabelled = (1,) * 19 + (0,) * 7
    assert overlap_of(one_unlabelled, region) == "A 95%"


def test_where_no_label_reaches_its_share_the_largest_is_listed() -> None:
    atlas = tuple(range(1, 21)) + tuple(range(1, 21)) * 4
    assert overlap_of(atlas, (1,) * 20 + (0,) * 80) == "; ".join(f"{c} 5%" for c in "ABCDEFGHIJKLMNOPQRST")
    atlas = tuple(range(1, 12)) + (1,) + tuple(range(1, 12)) * 8
    assert overlap_of(atlas, (1,) * 12 + (0,) * 88) == "A 17%"
    twenty = (1, 1, *range(2, 20), *(list(range(1, 20)) * 9))
    assert overlap_of(twenty[:], (1,) * 20 + (0,) * (len(twenty) - 20)) == "A 10%"


def test_both_percents_are_kept_for_the_report() -> None:
    (place_,) = name_line((1, 1, 1, 1, 0), (1, 1, 0, 0, 0), (0,)).locations[0]
    assert [(each.label, each.of_region, each.of_label) for each in place_.overlaps] == [("A", 100.0, 50.0)]
    (place_,) = name_line((1, 0, 0, 0), (1, 1, 1, 1), (0,)).locations[0]
    assert [(each.label, each.of_region, each.of_label) for each in place_.overlaps] == [
        ("A", 25.0, 100.0),
        ("unlabelled", 75.0, None),
    ]


def test_each_peak_has_its_label_or_the_nearest_with_its_distance() -> None:
    (place_,) = name_line((1, 1, 0, 0, 0, 2), (1, 1, 1, 1, 1, 1), (0, 3, 4, 5)).locations[0]
    assert place_.peaks == ("A", "A (4.0 mm)", "B (2.0 mm)", "B")
    assert place_.peak == "A"
    (place_,) = name_line((2, 0, 1), (1, 1, 1), (1,)).locations[0]
    assert place_.peak == "A (2.0 mm)", "equally near: the lower value"
    assert name_line((0, 0), (1, 1), (0,)).locations[0][0].peak == "unlabelled"


# Names


def test_names_take_the_side_of_the_label_or_of_the_peak() -> None:
    assert name_line((1, 1), (1, 1), (0,), x0=-40).names == ("Left A",)
    assert name_line((1, 1), (1, 1), (0,), x0=40).names == ("Right A",)
    assert name_line((1, 1), (1, 1), (0,), x0=0.5).names == ("A",), "on the midline"
    assert name_line((1, 0), (0, 1), (1,), x0=-40).names == ("near Left A",)
    assert name_line((1, *(0,) * 9), (0,) * 9 + (1,), (9,), x0=-40).names == ("Left unlabelled",), "18 mm away"


@pytest.mark.parametrize(
    ("label", "side", "rest"),
    [
        ("Left Precentral Gyrus", "Left", "Precentral Gyrus"),
        ("Right-Thalamus-Proper", "Right", "Thalamus-Proper"),
        ("ctx_lh_G_precentral", "Left", "ctx_G_precentral"),
        ("lh.precentral", "Left", "precentral"),
        ("7Networks_RH_Vis_1", "Right", "7Networks_Vis_1"),
        ("Precentral_L", "Left", "Precentral"),
        ("L_V1_ROI", "Left", "V1_ROI"),
        ("HIP-rh", "Right", "HIP"),
        ("Paracentral gyrus RH", "Right", "Paracentral gyrus"),
        ("Thalamus (left)", "Left", "Thalamus"),
        ("GM Amygdala_laterobasal group L", "Left", "GM Amygdala_laterobasal group"),
        ("Insula", "", "Insula"),
        ("Area 25 r", "", "Area 25 r"),
        ("Leftover", "", "Leftover"),
        ("Layer_L_deep", "", "Layer_L_deep"),
        ("Left", "", "Left"),
    ],
)
def test_sides_are_read_as_atlases_write_them(label: str, side: str, rest: str) -> None:
    assert split_side(label) == (side, rest)


def two_boxes(**changes: Any) -> tuple[NDArray[np.int16], list[Region], PlacedAtlas]:
    affine = np.diag([2.0, 2, 2, 1])
    affine[0, 3] = -20
    labels = line_of(1, 0, 2, 0, 3, 0)
    regions = [Region((peak_at((i, 0, 0), affine),)) for i in (0, 2, 4)]
    facts: dict[str, Any] = {
        "names": ("unlabelled", "A", "Right B"),
        "shape": (6, 1, 1),
        "affine": affine,
        "codes": np.array([1, 1, 1, 1, 2, 2]),
        "totals": np.array([0.0, 4, 2]),
    }
    return labels, regions, PlacedAtlas(**(facts | changes))


def test_names_that_repeat_are_numbered_in_the_order_of_the_table() -> None:
    labels, regions, atlas = two_boxes()
    assert name_regions(labels, regions, [atlas], sided=True).names == ("Left A (1)", "Left A (2)", "Right B")
    assert name_regions(labels, regions, [atlas], sided=False).names == ("A (1)", "A (2)", "Right B")


def test_without_an_atlas_a_region_has_its_number() -> None:
    labels, regions, _ = two_boxes()
    assert name_regions(labels, regions, [], sided=True) == Naming(
        names=("region-1", "region-2", "region-3"), locations=()
    )


def test_an_atlas_of_another_space_gives_no_names_and_no_values() -> None:
    labels, regions, atlas = two_boxes()
    named = name_regions(labels, regions, [None, atlas], sided=True)
    assert named.names[0] == "Left A (1)"
    assert {(each.peak, each.overlap) for each in named.locations[0]} == {("n/a", "n/a")}
    assert [each.peak for each in named.locations[1]] == ["A", "A", "Right B"]


def test_the_first_atlas_gives_the_names_and_each_its_places() -> None:
    labels, regions, atlas = two_boxes()
    _, _, other = two_boxes(names=("unlabelled", "C", "D"))
    named = name_regions(labels, regions, [other, atlas], sided=True)
    assert named.names == ("Left C (1)", "Left C (2)", "Left D")
    assert [each.peak for each in named.locations[1]] == ["A", "A", "Right B"]


def test_no_region_has_no_name() -> None:
    _, _, atlas = two_boxes()
    assert name_regions(np.zeros((6, 1, 1), np.uint8), [], [atlas], sided=True) == Naming(names=(), locations=((),))


def test_an_atlas_on_another_grid_is_refused() -> None:
    labels, regions, atlas = two_boxes()
    with pytest.raises(ValueError, match="the atlas has the shape"):
        name_regions(labels[:5], regions, [atlas], sided=True)


# Against a plain reimplementation


Row = tuple[str, float, float | None]


def plain_places(
    labels: NDArray[Any], regions: list[Region], codes: NDArray[Any], affine: NDArray[np.float64]
) -> list[tuple[list[str], list[Row]]]:
    """A mask per region and label, a distance to every voxel."""
    found = []
    for number, region in enumerate(regions, start=1):
        inside = labels == number
        every: list[Row] = []
        for code in range(1, int(codes.max()) + 1):
            here = int((inside & (codes == code)).sum())
            if here:
                every.append((f"label {code}", 100 * here / inside.sum(), 100 * here / (codes == code).sum()))
        rows = [row for row in every if row[1] >= 10 or (row[2] or 0) >= 25]
        rows = rows or [row for row in every if row[1] == max(each[1] for each in every)]
        rows.sort(key=lambda row: -row[1])
        rest = 100 * (inside & (codes == 0)).sum() / inside.sum()
        if rest >= 10 or not rows:
            rows.append(("unlabelled", rest, None))
        found.append(([plain_peak(peak, codes, affine) for peak in region.peaks], rows))
    return found


def plain_peak(peak: Peak, codes: NDArray[Any], affine: NDArray[np.float64]) -> str:
    if codes[peak.ijk]:
        return f"label {codes[peak.ijk]}"
    ijk = np.argwhere(codes > 0)
    mm = np.sqrt(((ijk @ affine[:3, :3].T + affine[:3, 3] - peak.xyz) ** 2).sum(axis=1))
    nearest = min(int(codes[tuple(each)]) for each in ijk[mm <= mm.min() + 1e-6])
    return f"label {nearest} ({mm.min():.1f} mm)"


def random_scene(seed: int, n_labels: int) -> tuple[NDArray[Any], list[Region], NDArray[Any], NDArray[np.float64]]:
    """Blocks of regions over blocks of labels, on an anisotropic, rotated grid; no unlabelled region is empty."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(5, 9, 3).tolist())
    codes = np.kron(rng.integers(0, n_labels + 1, (3, 3, 3)), np.ones((3, 3, 3), int))[
        : shape[0], : shape[1], : shape[2]
    ]
    codes[0, 0, 0] = n_labels
    labels = np.kron(rng.integers(0, 6, (3, 3, 3)), np.ones((3, 3, 3), int))[: shape[0], : shape[1], : shape[2]]
    labels = np.unique(labels, return_inverse=True)[1].reshape(shape)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.5, 2, 3])
    affine[:3, 3] = rng.normal(size=3) * 20
    regions = []
    for number in range(1, int(labels.max()) + 1):
        voxels = np.argwhere(labels == number)
        chosen = voxels[rng.choice(len(voxels), min(3, len(voxels)), replace=False)]
        regions.append(Region(tuple(peak_at((int(i), int(j), int(k)), affine) for i, j, k in chosen)))
    return labels.astype(np.uint8), regions, codes, affine


def placed_of(codes: NDArray[Any], affine: NDArray[np.float64], order: NDArray[Any] | None = None) -> PlacedAtlas:
    n = int(codes.max())
    order = np.arange(1, n + 1) if order is None else order
    return PlacedAtlas(
        names=("unlabelled", *(f"label {each}" for each in order)),
        shape=codes.shape,
        affine=affine,
        codes=codes.ravel(order="F"),
        totals=np.bincount(codes.ravel(), minlength=n + 1).astype(float),
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_places_agree_with_a_mask_per_region_and_label(seed: int, n_labels: int) -> None:
    labels, regions, codes, affine = random_scene(seed, n_labels)
    expected = plain_places(labels, regions, codes, affine)
    for stored in (np.asfortranarray(labels), np.ascontiguousarray(labels)):
        named = name_regions(stored, regions, [placed_of(codes, affine)], sided=False).locations[0]
        for place_, (texts, rows) in zip(named, expected, strict=True):
            assert list(place_.peaks) == texts
            assert [(each.label, each.of_label) for each in place_.overlaps] == [(label, pct) for label, _, pct in rows]
            assert [each.of_region for each in place_.overlaps] == pytest.approx([pct for _, pct, _ in rows])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_neither_the_order_of_labels_nor_flipped_storage_changes_what_is_named(seed: int) -> None:
    """Labels that tie are ordered by value, so the permutation is checked as a set."""
    labels, regions, codes, affine = random_scene(seed, 6)
    n = int(codes.max())
    usual = name_regions(labels, regions, [placed_of(codes, affine)], sided=False).locations[0]

    order = np.random.default_rng(seed).permutation(n) + 1
    back = np.concatenate([[0], np.argsort(order) + 1])
    permuted = name_regions(labels, regions, [placed_of(back[codes], affine, order)], sided=False).locations[0]
    for one, other in zip(usual, permuted, strict=True):
        assert set(one.overlaps) == set(other.overlaps)

    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = codes.shape[0] - 1
    turned = [
        Region(tuple(Peak((codes.shape[0] - 1 - peak.ijk[0], *peak.ijk[1:]), peak.xyz) for peak in region.peaks))
        for region in regions
    ]
    flipped = name_regions(labels[::-1], turned, [placed_of(codes[::-1], affine @ flip)], sided=False).locations[0]
    assert [(each.peaks, each.overlap) for each in flipped] == [(each.peaks, each.overlap) for each in usual]


def test_many_regions_and_labels_are_counted_without_a_table_of_all_pairs() -> None:
    n = 1200
    codes = np.arange(1, n + 1).reshape(n, 1, 1)
    labels = codes.astype(np.uint16)
    regions = [Region((peak_at((i, 0, 0), np.eye(4)),)) for i in range(n)]
    named = name_regions(labels, regions, [placed_of(codes, np.eye(4))], sided=False)
    assert [each.overlap for each in named.locations[0]] == [f"label {i} 100%" for i in range(1, n + 1)]


# Probabilities


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_probabilities_at_the_peak_and_over_the_region(tmp_path: Path, scale: float) -> None:
    fitting = fit(save_probabilities(tmp_path, scale))
    assert fitting.atlas
    assert fitting.atlas.probabilistic
    affine = np.eye(4)
    placed = place(fitting, make_grid((5, 1, 1), affine))
    region = Region(tuple(peak_at((i, 0, 0), affine) for i in (0, 1, 2, 3, 4)))
    (place_,) = name_regions(line_of(1, 1, 1, 1, 1), [region], [placed], sided=True).locations[0]
    assert place_.peaks == ("A (90%)", "A (50%)", "B (80%)", "B (10%)", "B (1.0 mm)")
    assert place_.overlap == "A 32%; B 28%; unlabelled 40%"
    shares = [(each.of_region, each.of_label) for each in place_.overlaps]
    assert np.array(shares[:2]) == pytest.approx(np.array([[32, 100], [28, 100]]))
    (place_,) = name_regions(line_of(0, 0, 1, 1, 0), [Region(region.peaks[2:4])], [placed], sided=True).locations[0]
    assert place_.overlap == "B 45%; A 10%; unlabelled 45%"
    assert place_.overlaps[0].of_label == pytest.approx(100 * 0.9 / 1.4)


@pytest.mark.parametrize(
    ("tsv", "names"),
    [
        ("index\tname\n0\tA\n1\tB\n", {1: "A", 2: "B"}),  # counted from zero
        ("index\tname\n0\tBackground\n1\tA\n2\tB\n", {1: "A", 2: "B"}),
        ("index\tname\n2\tB\n", {1: "label 1", 2: "B"}),
    ],
)
def test_volumes_are_named_by_their_number(tmp_path: Path, tsv: str, names: dict[int, str]) -> None:
    atlas = fit(save_probabilities(tmp_path, tsv=tsv)).atlas
    assert atlas
    assert dict(atlas.names) == names


def test_a_list_for_more_volumes_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="has 2 volumes and its list names volume 3, 4"):
        fit(save_probabilities(tmp_path, tsv="index\tname\n1\tA\n3\tC\n4\tD\n"))


@pytest.mark.parametrize(
    ("scale", "sentence"),
    [(5.0, "holds values up to 4.5: neither"), (1000.0, "up to 900"), (-1.0, "has negative values in volume 1")],
)
def test_weights_are_not_taken_for_probabilities(tmp_path: Path, scale: float, sentence: str) -> None:
    fitting = fit(save_probabilities(tmp_path, scale))
    with pytest.raises(MissingInput, match=sentence):
        place(fitting, make_grid((5, 1, 1), np.eye(4)))
