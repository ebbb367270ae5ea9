"""Which view a row, an address and a key lead to, and what is scrolled for it: the rules of page.js by themselves."""

from typing import Any

import pytest
from browser.conftest import Opened, Opener

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(opened: Opener) -> Opened:
    return opened("motor").ready()


def test_an_address_names_the_place_that_is_shown(shown: Opened) -> None:
    ask = """([section, entry, cursor]) => {
      const { viewer } = page;
      page.viewer = { view: { section, entry }, region: 3, cursor };
      const place = page.place();
      page.viewer = viewer;
      return place;
    }"""
    assert shown.page.evaluate(ask, ["a/b", "x y", [1.234, -5, 0.0051]]) == "#a%2Fb/x%20y/3/1.23,-5,0.01"


def test_only_an_address_of_a_section_and_three_numbers_is_a_place(shown: Opened) -> None:
    """Of an entry that is not there the section's first one; the row of a region that is, else the viewer, is shown."""
    ask = """async (hash) => {
      history.replaceState(null, "", hash);
      const did = [];
      const { show, bring } = page;
      page.show = async (key, mm) => did.push([page.views.findIndex((view) => view.key === key), ...mm]);
      page.bring = (table, { at }) => did.push([table.element.id, at]);
      page.viewer.element.scrollIntoView = () => did.push(["viewer"]);
      const found = await page.openPlace();
      Object.assign(page, { show, bring });
      return [found, ...did];
    }"""
    cases: dict[str, list[Any]] = {
        "": [False], "#motor": [False], "#motor/pct97/1": [False], "#motor/pct97/1/1,2": [False],
        "#motor/pct97/1/1,2,3,4": [False], "#motor/pct97/1/1,b,3": [False], "#gone/pct97/1/1,2,3": [False],
        "#motor/pct97/2/1,-2,3.5": [True, [0, 1, -2, 3.5], ["motor-1-regions", 1]],
        "#motor/thr3p0/1/1,2,3": [True, [1, 1, 2, 3], ["motor-2-regions", 0]],
        "#motor/gone/0/1,2,3": [True, [0, 1, 2, 3], ["viewer"]],
        "#motor/pct97/99/1,2,3": [True, [0, 1, 2, 3], ["viewer"]],
    }  # fmt: skip
    for hash_, wanted in cases.items():
        assert shown.page.evaluate(ask, hash_ or "#") == wanted, hash_


CHOOSE = """async ([views, now, target, onSheet, mm, elsewhere]) => {
  const did = [];
  const kept = { ...page };
  page.views = views;
  page.viewer = now === null ? null : { view: views[now] };
  page.show = async (key, place) => did.push([key, place]);
  page.bring = () => did.push("bring");
  page.remember = () => did.push("remember");
  page.placeOfRegion = async () => elsewhere;
  const table = {
    element: null, targetOf: () => ({ table: target, region: "1" }),
    sheetPlace: () => (onSheet ? [0, 0, 0] : null), placeOf: () => mm,
  };
  await page.onChosen(table, { line: 0, peak: null });
  Object.assign(page, kept);
  return did;
}"""


def test_a_row_opens_the_view_that_can_show_it(shown: Opened) -> None:
    """That of its table; the one in use, if it can; of a table of vertices and voxels the one with the right kind."""

    def choose(*asked: Any) -> Any:
        return shown.page.evaluate(CHOOSE, list(asked))

    after = ["bring", "remember"]
    maps = [{"key": key, "table": table} for key, table in (("a", "one"), ("b", "two"), ("c", "two"))]
    mm = [1, 2, 3]
    assert choose(maps, 0, "two", False, mm, None) == [["b", mm], *after]
    assert choose(maps, 2, "two", False, mm, None) == [["c", mm], *after]
    assert choose(maps, None, "one", False, mm, None) == [["a", mm], *after]
    assert choose(maps, 0, "three", False, mm, None) == []
    assert choose(maps, 0, "two", False, None, [4, 5, 6]) == [["b", [4, 5, 6]], *after]
    assert choose(maps, 0, "two", False, None, None) == []
    both = [{"key": "sheets", "table": "one", "sheets": ["s"]}, {"key": "voxels", "table": "one", "sheets": []}]
    for now in (None, 0, 1):
        assert choose(both, now, "one", True, mm, None) == [["sheets", mm], *after]
        assert choose(both, now, "one", False, mm, None) == [["voxels", mm], *after]
    assert choose(both[:1], None, "one", False, mm, None) == [["sheets", mm], *after]  # there is no other


def test_the_place_of_a_region_is_that_of_its_row_in_its_own_table(shown: Opened) -> None:
    ask = """async (regions) => {
      const found = [];
      for (const [table, region] of regions) found.push(await page.placeOfRegion({ table, region }));
      return found;
    }"""
    found = shown.page.evaluate(ask, [["motor-2-regions", "2"], ["motor-2-regions", "999"], ["gone", "1"]])
    wanted = shown.page.evaluate("() => page.tables.get('motor-2-regions').placeOf(1)")
    assert found == [wanted, None, None]


def test_rows_of_a_side_begin_after_the_sheets_before_it(shown: Opened) -> None:
    ask = """() => {
      const { header } = payload;
      payload.header = (id) => ({ a: { side: "L", size: 10 }, b: { side: "R", size: 5 } })[id];
      page.views.push({ table: "t", sheets: [] }, { table: "t", sheets: ["a", "b"] }, { table: "u", sheets: [] });
      const rows = page.rowsOf("t");
      const found = [rows("L"), rows("R"), rows("M"), page.rowsOf("u"), page.rowsOf("gone")];
      page.views.length -= 3;
      payload.header = header;
      return found;
    }"""
    assert shown.page.evaluate(ask) == [0, 10, None, None, None]


def test_keys_go_around_the_entries_of_a_map(shown: Opened) -> None:
    tabs = shown.page.locator("#motor [role=tab]")
    tabs.first.focus()
    for key, chosen in (("ArrowLeft", 1), ("ArrowRight", 0), ("ArrowRight", 1), ("a", 1)):
        shown.page.keyboard.press(key)
        found = tabs.evaluate_all(
            """(all) => all.map((one) => [
              one === document.activeElement, one.getAttribute("aria-selected"), one.tabIndex])"""
        )
        assert found == [[at == chosen, str(at == chosen).lower(), 0 if at == chosen else -1] for at in range(2)]


UNCOVER = """([box, height, after, hidden, apart]) => {
  const place = make("div", { className: "workbench" });
  const viewer = make("div");
  const target = make("button");
  viewer.getBoundingClientRect = () => ({ bottom: 100 });
  target.getBoundingClientRect = () => ({ top: box, height });
  place.append(...(after ? [viewer, target] : [target, viewer]));
  if (apart) document.body.append(target);
  document.body.append(place);
  viewer.hidden = hidden;
  const did = [];
  const { scrollBy } = window;
  const { viewer: own } = page;
  window.scrollBy = (_, by) => did.push(by);
  page.viewer = { element: viewer };
  page.uncover(target);
  if (after) { viewer.append(target); page.uncover(target); }
  page.viewer = own;
  window.scrollBy = scrollBy;
  place.remove();
  target.remove();
  return did;
}"""


def test_what_the_viewer_lies_over_is_scrolled_out_from_under_it(shown: Opened) -> None:
    """Nothing that is free of it, before it, in it, beside another map, or too high to be shown below it."""
    cases = {
        (80, 20, True, False, False): [-24], (100, 20, True, False, False): [], (120, 20, True, False, False): [],
        (80, 20, False, False, False): [], (80, 20, True, True, False): [], (80, 20, True, False, True): [],
        (80, 549, True, False, False): [-24], (80, 550, True, False, False): [],
    }  # fmt: skip
    for asked, wanted in cases.items():
        assert shown.page.evaluate(UNCOVER, list(asked)) == wanted, asked
