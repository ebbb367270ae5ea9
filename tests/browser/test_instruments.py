"""The slider, the histogram over it and the words below: each number of instruments.js beside numpy's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser.conftest import Opened, Opener

pytestmark = pytest.mark.browser

Array = np.ndarray[Any, Any]
WIDTH, HEIGHT = 50, 24
START = """([width, height]) => {
  window.told = [];
  const element = make("div");
  for (const name of ["reset", "cutoff", "cutoff-text", "limit-text", "threshold-text", "share"]) {
    element.append(make(name === "reset" ? "button" : "span"));
    element.lastChild.dataset.part = name;
  }
  const bar = make("canvas", { width, height });
  bar.dataset.part = "bar";
  const slider = make("input", { type: "range", min: 0 });
  slider.dataset.part = "threshold";
  element.append(bar, slider);
  document.body.prepend(element);
  window.part = (name) => element.querySelector(`[data-part="${name}"]`);
  window.instruments = new Instruments(part, (value) => told.push(value));
  instruments.colours = colourTable();
  window.show = ({ data, labels, view, ...volume }) => {
    told.length = 0;
    const asked = { palette: "diverging", step: 1, people: 0, quantity: "z", ...volume, data: Float32Array.from(data) };
    const rule = { tail: "two", strict: false, decides: true, ...view };
    instruments.open({ volume: asked, view: rule, labels: labels ? { data: labels } : null });
  };
}"""


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    """A page without maps, on which the instruments stand by themselves."""
    made = opened("none")
    made.page.evaluate(START, [WIDTH, HEIGHT])
    yield made
    assert not made.complaints


def show(shown: Opened, data: Any, **words: Any) -> None:
    shown.page.evaluate("(asked) => show(asked)", {"data": np.asarray(data).ravel().tolist(), **words})


def texts(shown: Opened) -> dict[str, Any]:
    found: dict[str, Any] = shown.page.evaluate(
        """() => ({
          ...Object.fromEntries(
            ["cutoff-text", "limit-text", "threshold-text", "share"].map((name) => [name, part(name).textContent])),
          ...{ max: Number(part("threshold").max), step: Number(part("threshold").step), value: instruments.value },
          mark: [part("cutoff").hidden, part("cutoff").style.left, part("cutoff").className.trim()],
          said: part("threshold").getAttribute("aria-valuetext"), reset: part("reset").disabled, told,
        })"""
    )
    return found


def test_the_slider_ends_at_the_largest_magnitude_and_begins_at_the_cutoff(shown: Opened) -> None:
    show(shown, [1, -2, 8], limit=8, view={"cutoff": 4})
    found = texts(shown)
    assert (found["max"], found["value"], found["told"], found["reset"]) == (8, 4, [4], True)
    assert found["step"] == pytest.approx(8 / 500)
    assert found["mark"] == [False, "50%", "cutoff"]
    assert (found["cutoff-text"], found["limit-text"]) == ("cutoff 4", "8")
    assert (found["threshold-text"], found["said"]) == ("4", "4 z")


@pytest.mark.parametrize(
    ("cutoff", "side", "end"),
    [(1.5, "cutoff left", "8"), (1.6, "cutoff", "8"), (5.44, "cutoff", "8"), (5.5, "cutoff", ""), (6.4, "cutoff", ""),
     (6.5, "cutoff right", ""), (7.95, "cutoff right", ""), (10, "cutoff right", "")],
)  # fmt: skip
def test_the_cutoffs_words_stand_on_the_side_with_room(shown: Opened, cutoff: float, side: str, end: str) -> None:
    """And the largest magnitude's give way to them; a cutoff that nothing reaches has room after it."""
    show(shown, [8], limit=8, view={"cutoff": cutoff})
    found = texts(shown)
    top = max(8, cutoff * 1.02)
    assert found["max"] == pytest.approx(top)
    assert found["mark"][2] == side
    assert float(found["mark"][1].rstrip("%")) == pytest.approx(100 * cutoff / top, abs=1e-3)
    assert found["limit-text"] == end


def test_without_a_cutoff_there_is_no_mark_and_nothing_to_go_back_to(shown: Opened) -> None:
    show(shown, [1, -2, 8], limit=8, view={"cutoff": None})
    found = texts(shown)
    assert (found["mark"][0], found["reset"], found["value"], found["max"]) == (True, True, 8, 8)
    assert (found["cutoff-text"], found["limit-text"]) == ("", "8")
    shown.page.evaluate("() => instruments.set(4)")
    assert texts(shown)["reset"] is True


def test_the_reader_moves_the_slider_and_goes_back(shown: Opened) -> None:
    show(shown, [1, -2, 8], limit=8, view={"cutoff": 4})
    shown.page.evaluate("() => { part('threshold').value = 6; part('threshold').dispatchEvent(new Event('input')); }")
    found = texts(shown)
    assert (found["value"], found["reset"], found["told"]) == (pytest.approx(6), False, [4, pytest.approx(6)])
    shown.page.evaluate("() => part('reset').click()")
    assert texts(shown)["value"] == 4


# ------------------------------------------------------------------------------------------- the histogram


@pytest.fixture(scope="module")
def stored() -> Array:
    found = np.random.default_rng(9).integers(-80, 81, 4000)
    found[:500] = 0
    return found


@pytest.mark.parametrize("cutoff", [3.0, 20.0])
def test_the_histogram_counts_voxels_of_either_sign(shown: Opened, stored: Array, cutoff: float) -> None:
    """The largest magnitude, which is the slider's end, in the last bin."""
    labels = (np.arange(stored.size) % 7 == 0).astype(int)
    show(shown, stored, labels=labels.tolist(), limit=8.0, step=0.1, view={"cutoff": cutoff})
    bins, with_data, kept = shown.page.evaluate(
        "() => [instruments.bins.map((one) => [...one]), instruments.withData, instruments.kept]"
    )
    end = max(8.0, cutoff * 1.02)
    for sign, found in zip((1, -1), bins, strict=True):
        own = 0.1 * np.abs(stored[stored * sign > 0])
        wanted = np.bincount(np.minimum(WIDTH - 1, np.floor(own * WIDTH / end)).astype(int), minlength=WIDTH)
        assert found == wanted.tolist()
    assert (with_data, kept) == (np.count_nonzero(stored), labels.sum())


PICTURE = "() => [...part('bar').getContext('2d').getImageData(0, 0, part('bar').width, part('bar').height).data]"


@pytest.mark.parametrize("palette", ["diverging", "positive", "negative"])
@pytest.mark.parametrize("cutoff", [3.0, 12.0])
def test_bars_grow_away_from_a_strip_of_the_maps_colours(
    shown: Opened, stored: Array, palette: str, cutoff: float
) -> None:
    """Four rows are the strip; above it a bar of the logarithm of the count, at least two rows where there is any."""
    show(shown, stored**3 // 6400, limit=8.05, step=0.1, palette=palette, view={"cutoff": cutoff})
    bins = np.array(shown.page.evaluate("() => instruments.bins.map((one) => [...one])"))
    picture = np.array(shown.page.evaluate(PICTURE)).reshape(HEIGHT, WIDTH, 4)
    table = np.array(shown.page.evaluate("() => [...instruments.colours]")).reshape(255, 3)
    end = max(8.05, cutoff * 1.02)
    wanted = np.zeros((HEIGHT, WIDTH, 4))
    two = palette == "diverging"
    room = HEIGHT // 2 if two else HEIGHT
    for which, sign in ((0, 1), (1, -1)):
        if not two and (palette == "negative") != (sign < 0):
            continue
        for x in range(WIDTH):
            share = (x + 0.5) / WIDTH * end / 8.05
            if share > 1:
                continue
            count = np.log1p(bins[which, x]) / np.log1p(bins.max()) * (room - 5)
            full = max(2, int(np.floor(count + 0.5))) if bins[which, x] else 0
            for y in range(min(room, 4 + full)):
                row = HEIGHT - 1 - y if not two else HEIGHT // 2 - 1 - y if sign > 0 else HEIGHT // 2 + y
                wanted[row, x, :3] = table[int(np.floor(127 + sign * share * 127 + 0.5))]
                wanted[row, x, 3] = 255
    assert picture.tolist() == wanted.tolist()
    heights = np.count_nonzero(picture[..., 3], axis=0)
    assert len(set(heights.tolist())) > 4


def test_the_bars_of_an_empty_map_are_the_strip_alone(shown: Opened) -> None:
    show(shown, [0, 0], limit=8, view={"cutoff": 3})
    picture = np.array(shown.page.evaluate(PICTURE)).reshape(HEIGHT, WIDTH, 4)
    assert (np.count_nonzero(picture[..., 3], axis=0) == 8).all()
    assert texts(shown)["share"] == "In regions: 0 of 0 voxels with data (0\u00a0%)."


# ------------------------------------------------------------------------------------------- the words


@pytest.mark.parametrize(
    ("view", "value", "wanted"),
    [({"cutoff": 3}, 3, "In regions: 3 of 8"), ({"cutoff": 3}, 4, "Past the slider: 3 of 8"),
     ({"cutoff": 3}, 2, "Past the slider: 7 of 8"), ({"cutoff": 3, "decides": False}, 3, "Past the cutoff: 4 of 8"),
     ({"cutoff": 3, "decides": False, "strict": True}, 3, "Past the cutoff: 3 of 8"),
     ({"cutoff": 3, "tail": "negative"}, 2, "Past the slider: 3 of 8"),
     ({"cutoff": 3, "tail": "positive"}, 4, "Past the slider: 2 of 8"),
     ({"cutoff": 3}, 0, "Past the slider: 8 of 8")],
)  # fmt: skip
def test_what_lies_beyond_the_slider_is_counted(shown: Opened, view: dict[str, Any], value: float, wanted: str) -> None:
    data = [1, 2, -2, -2, 3, 5, 6, -7, 0, 0]
    show(shown, data, limit=8, labels=[0, 0, 0, 0, 1, 1, 1, 0, 0, 0], view=view)
    shown.page.evaluate("(value) => instruments.set(value)", value)
    assert texts(shown)["share"].startswith(f"{wanted} voxels with data (")


def test_the_words_tell_vertices_and_people(shown: Opened) -> None:
    show(shown, [0.2, 0.5], limit=1, people=8, quantity="share", view={"cutoff": 0.5, "sheets": ["s"]})
    found = texts(shown)
    assert found["share"] == "In regions: 0 of 2 vertices in anybody's regions (0\u00a0%)."
    assert (found["threshold-text"], found["said"]) == ("50\u00a0%", "50\u00a0% share")
    assert found["cutoff-text"] == "cutoff 50\u00a0%"
    show(shown, [0.2, 0.5], limit=1, people=8, view={"cutoff": 0.5, "decides": False, "sheets": []})
    assert texts(shown)["share"] == "Past the cutoff: 1 of 2 voxels with data (50\u00a0%)."


def test_shares_and_values_have_the_digits_that_mean_something(shown: Opened) -> None:
    show(shown, [1], limit=8, view={"cutoff": 3})
    ask = "() => [0, 0.0005, 0.001, 0.0123, 0.0996, 0.1, 0.456, 1].map((share) => instruments.percent(share))"
    wanted = ["0", "below 0.1", "0.1", "1.2", "10.0", "10", "46", "100"]
    assert shown.page.evaluate(ask) == [f"{text}\u00a0%" for text in wanted]
    numbers = """(people) => {
      instruments.volume.people = people;
      return [0.123456, 3, 12345.6].map((value) => instruments.number(value));
    }"""
    assert shown.page.evaluate(numbers, 0) == ["0.1235", "3", "12350"]
    assert shown.page.evaluate(numbers, 5)[:2] == ["12.3\u00a0%", "300\u00a0%"]
