import base64
import zlib
from io import BytesIO
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from browser.samples import motor_map
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nibabel.affines import apply_affine
from PIL import Image

from bids_regions.extraction import Criteria, find_regions
from bids_regions.report import payload

Array = np.ndarray[Any, Any]

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e6, 1e6, width=32)), st.sampled_from("CF"))
def test_every_value_comes_back_within_a_step(data: Array, order: Any) -> None:
    """Zero stays zero, and nothing else becomes it; the order in memory does not matter."""
    volume = payload.pack_volume(np.asarray(data, order=order), np.eye(4), key="m", name="m")
    stored = payload.unpack(volume.array)
    assert stored.shape == data.shape
    apart = np.abs(stored * volume.step - data.astype(np.float64))
    assert apart.max(initial=0) <= volume.step * (1 + 1e-6)
    assert apart[np.abs(data) > volume.step].max(initial=0) <= volume.step / 2 * (1 + 1e-6)
    assert np.array_equal(stored == 0, data == 0)
    assert volume.limit == (np.abs(data).max(initial=0) or 1.0)


def test_the_first_axis_is_the_fastest() -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    packed = payload.pack_labels(labels)
    raw = zlib.decompress(base64.b64decode(packed.text))
    assert raw[:3] == bytes([0b11111110, 0xFF, 0xFF])  # a bit for each voxel; the first one holds zero
    assert list(raw[3:]) == labels.ravel(order="F")[1:].tolist()


@given(hnp.arrays(np.uint32, SHAPES, elements=st.sampled_from([0, 0, 0, 1, 255, 256, 70_000])))
def test_what_is_packed_is_unpacked(labels: Array) -> None:
    assert np.array_equal(payload.unpack(payload.pack_labels(labels)), labels)
    assert np.array_equal(payload.unpack(payload.pack_array(labels, "float32")), labels)


@pytest.mark.parametrize(("largest", "dtype"), [(0, "uint8"), (255, "uint8"), (256, "uint16"), (65536, "uint32")])
def test_labels_take_the_smallest_type(largest: int, dtype: str) -> None:
    labels = np.zeros((2, 2, 2), np.int32)
    labels[1, 0, 1] = largest
    packed = payload.pack_labels(labels)
    assert packed.dtype == dtype
    assert payload.unpack(packed)[1, 0, 1] == largest


def test_one_extreme_voxel_does_not_make_all_others_one_number() -> None:
    """Sixteen bits of a map with a peak of 10000 would have steps of a third of its spread; it keeps its floats."""
    data = np.random.default_rng(0).normal(0, 1, (20, 20, 20)).astype(np.float32)
    assert payload.pack_volume(data, np.eye(4), key="m", name="m").array.dtype == "int16"
    data[0, 0, 0] = 10_000
    volume = payload.pack_volume(data, np.eye(4), key="m", name="m")
    assert volume.array.dtype == "float32"
    assert np.array_equal(payload.unpack(volume.array), data)


CUTOFFS = st.integers(1, 60_000).map(lambda number: number / 1000)


def kept_as_stored(volume: Any, cutoff: float, *, strict: bool) -> Array:
    """What the viewer finds past a cutoff: the stored number times the step, in double precision."""
    magnitude = np.abs(payload.unpack(volume.array).astype(np.float64) * volume.step)
    return magnitude > cutoff if strict else magnitude >= cutoff


@settings(deadline=None, max_examples=200)
@given(
    hnp.arrays(st.sampled_from([np.float32, np.float64]), SHAPES, elements=st.floats(-60, 60, width=32)),
    st.lists(st.tuples(CUTOFFS, st.booleans()), min_size=1, max_size=3, unique_by=lambda pair: pair[0]),
    st.integers(0, 10),
)
def test_rounding_carries_no_voxel_over_a_cutoff(data: Array, wanted: Any, spot: int) -> None:
    """Also a voxel that equals the cutoff in the precision of the map, and cutoffs within one step of each other."""
    data.flat[spot % data.size] = wanted[0][0]
    heights = [payload.Height(cutoff=cutoff, strict=strict) for cutoff, strict in wanted]
    volume = payload.pack_volume(data, np.eye(4), key="m", name="m", heights=heights)
    for cutoff, strict in wanted:
        least = data.dtype.type(cutoff)
        expected = np.abs(data) > least if strict else np.abs(data) >= least
        assert np.array_equal(kept_as_stored(volume, cutoff, strict=strict), expected)


@pytest.mark.parametrize("threshold", ["3.0", "97%", "2.0", "fdr=0.05"])
def test_what_is_painted_as_kept_is_the_label_image(threshold: str) -> None:
    """On the real map, where every region is kept: 0 voxels differ."""
    data, affine = motor_map()
    found = find_regions(data, affine, Criteria(threshold=threshold, min_region_voxels=1, min_region_size=None))
    heights = [payload.Height(cutoff=found.cutoff.value)]
    volume = payload.pack_volume(data, affine, key="m", name="m", heights=heights)
    assert np.array_equal(kept_as_stored(volume, found.cutoff.value, strict=False), found.labels > 0)


def test_what_is_infinite_is_drawn_as_the_largest_and_no_data_as_none() -> None:
    data = np.array([[[np.inf, -np.inf, np.nan, 4.0, -1.0]]], np.float32)
    volume = payload.pack_volume(data, np.eye(4), key="m", name="m", heights=[payload.Height(cutoff=3.0)])
    assert volume.limit == 4
    assert (payload.unpack(volume.array) * volume.step)[0, 0].tolist() == pytest.approx([4, -4, 0, 4, -1], abs=2e-4)


def test_a_map_of_equal_values_but_for_rounding_stays_small() -> None:
    """The spread of their rounding is nothing that a reader looks for."""
    data = np.full((4, 4, 4), 7.3)
    data[::2] = np.nextafter(7.3, 8)
    volume = payload.pack_volume(data, np.eye(4), key="m", name="m")
    assert payload.unpack(volume.array).dtype == np.int16
    uneven = data + 1e-5 * np.arange(64).reshape(data.shape)
    volume = payload.pack_volume(uneven, np.eye(4), key="m", name="m")
    assert payload.unpack(volume.array).dtype == np.float32


@given(
    hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-50, 50, width=32)),
    st.integers(1, 5),
    st.sampled_from([1, 3]),
)
def test_the_spread_of_some_blocks_is_never_above_that_of_all(values: Array, every: int, block: int) -> None:
    with patch.object(payload, "_BLOCK", block):
        some, whole = payload._spread(values, every), payload._spread(values)
    known = values[values != 0].astype(np.float64)
    assert whole == pytest.approx(known.std() if known.size else 0, rel=1e-6, abs=1e-6)
    assert some <= whole + 1e-6 * (1 + np.abs(values).max())


def test_an_empty_map_has_a_scale() -> None:
    volume = payload.pack_volume(np.zeros((2, 3, 4), np.float32), np.eye(4), key="m", name="m")
    assert volume.limit == 1.0
    assert not payload.unpack(volume.array).any()


def test_a_volume_needs_three_axes() -> None:
    with pytest.raises(ValueError, match="a volume has three axes, this array has 2"):
        payload.pack_volume(np.zeros((2, 3)), np.eye(4), key="m", name="m")


def test_packing_twice_gives_the_same_text() -> None:
    data = np.random.default_rng(0).normal(size=(9, 8, 7))
    one, two = (payload.pack_volume(data.copy(order=order), np.eye(4), key="m", name="m") for order in ("C", "F"))
    assert one == two


def test_a_background_keeps_its_places_when_it_is_cropped_and_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bright block in a dark head: its middle in mm is the same, however small the picture was made."""
    affine = np.array([[-1.0, 0.1, 0, 40], [0, 1.2, 0, -30], [0.2, 0, 1.1, -20], [0, 0, 0, 1]])
    picture = np.zeros((40, 44, 36), np.float32)
    picture[6:34, 8:38, 4:32] = 10 + np.random.default_rng(0).random((28, 30, 28))
    picture[14:24, 20:32, 12:20] = 100
    expected = apply_affine(affine, (18.5, 25.5, 15.5))
    for limit in (10**9, 9000):
        monkeypatch.setattr(payload, "_LARGE", limit)
        packed = payload.pack_background(picture, affine, key="b", name="b")
        stored = payload.unpack(packed.array)
        assert stored.size <= limit
        assert stored.min() >= 0
        middle = np.argwhere(stored > 200).mean(axis=0)
        assert apply_affine(np.array(packed.affine), middle) == pytest.approx(expected, abs=1e-9)


def test_outside_stays_outside_and_the_rest_spreads_over_the_greys() -> None:
    picture = np.zeros((4, 4, 4))
    picture[1:3] = np.linspace(50, 90, 32).reshape(2, 4, 4)
    stored = payload.unpack(payload.pack_background(picture, np.eye(4), key="b", name="b", crop=False).array)
    assert not stored[0].any()
    assert stored[1:3].min() == 1
    assert stored[1:3].max() == 255


@pytest.mark.parametrize("value", [0, 7])
def test_an_even_background_is_one_grey_or_nothing(value: int) -> None:
    packed = payload.pack_background(np.full((3, 3, 3), value), np.eye(4), key="b", name="b")
    assert set(payload.unpack(packed.array).ravel().tolist()) == ({200} if value else {0})


def test_a_name_that_is_no_text_is_packed_all_the_same() -> None:
    assert payload.pack_text("sub-\udcff") == payload.pack_text("sub-?")


def test_a_matrix_is_a_picture_of_its_cells() -> None:
    values = np.array([[1.0, 0.0], [np.nan, 0.5]])
    picture = np.asarray(Image.open(BytesIO(payload.draw_matrix(values))))
    assert picture[0].tolist() == [[18, 60, 105], [255, 255, 255]]
    assert picture[1].tolist() == [[244, 214, 206], [136, 158, 180]]
