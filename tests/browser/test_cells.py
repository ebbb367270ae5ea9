"""Rows one by one: their cells, their marks, where they lead to and what a click on them does; rules of table.js."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import samples
from browser.conftest import Opened, Opener
from browser.test_page_tables import MOTOR, table_of

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    made = opened("motor").ready()
    table_of(made, MOTOR)
    made.page.evaluate("() => { window.table = page.tables.get('motor-1-regions'); }")
    yield made
    assert not made.complaints


def test_a_sub_peak_keeps_its_row_when_its_region_is_marked(shown: Opened) -> None:
    """Any other row gives way to the region's; none is marked where there is no region."""
    ask = """() => {
      table.unfold(true);
      const places = table.list.map((entry) => (typeof entry === "number" ? table.cell(entry, "index") : "peak"));
      const peak = places.indexOf("peak");
      const own = Number(table.cell(table.list[peak].line, "index"));
      const other = own + 1;
      const state = () => [table.active, [...table.body.querySelectorAll("[aria-current]")].map((row) => row.entry.at)];
      const after = (active, index) => {
        table.mark(0);
        table.activate(active);
        table.mark(index);
        return state();
      };
      return { peak, own: places.indexOf(String(own)), other: places.indexOf(String(other)),
               found: [after(peak, own), after(peak, other), after(0, other), after(peak, 0), after(peak, 999)] };
    }"""
    said = shown.page.evaluate(ask)
    peak, own, other = said["peak"], said["own"], said["other"]
    assert said["found"] == [[peak, [own]], [other, [other]], [other, [other]], [peak, []], [peak, []]]


def test_a_row_says_where_it_stands_and_what_its_file_has(shown: Opened) -> None:
    """Numbered after the head; a cell that is rounded or long has all of it on hovering."""
    ask = """() => {
      table.unfold(true);
      table.activate(1);
      table.paint(true);
      return [...table.body.rows].map((row) => ({
        index: row.getAttribute("aria-rowindex"), tab: row.tabIndex, peak: row.className.includes("peak"),
        buttons: [...row.querySelectorAll("button")].map((button) => button.tabIndex), movable: row.matches(".movable"),
        cells: [...row.cells].map((cell) => [cell.title, cell.textContent]),
        names: [...row.querySelectorAll(".go, .fold")].map((one) => [one.getAttribute("aria-label"), one.title]),
      }));
    }"""
    rows = shown.page.evaluate(ask)
    table = samples.motor_page().sections[0].entries[0].regions
    assert table is not None
    _, *lines = [line.split("\t") for line in table.tsv.splitlines()]
    _, *peaks = [line.split("\t") for line in samples.motor_page().sections[0].entries[0].peaks.splitlines()]
    others = {line[0]: [peak for peak in peaks if peak[0] == line[0] and peak[1] != "1"] for line in lines}
    assert [row["index"] for row in rows] == [str(at + 2) for at in range(len(rows))]
    assert [row["tab"] for row in rows] == [0 if at == 1 else -1 for at in range(len(rows))]
    assert all(row["movable"] and set(row["buttons"]) == {row["tab"]} for row in rows)
    at = 0
    for line in lines:
        more = others[line[0]]
        assert not rows[at]["peak"]
        assert all(title in {"", *line} for title, _ in rows[at]["cells"])
        assert all(title != text for title, text in rows[at]["cells"])
        names = [[f"Region {line[0]}: show its peak", ""]]
        words = "sub-peak" if len(more) == 1 else "sub-peaks"
        names += [[f"{len(more)} {words} of region {line[0]}", "Fold the sub-peaks"]] if more else []
        assert rows[at]["names"] == names
        for peak, row in zip(more, rows[at + 1 : at + 1 + len(more)], strict=True):
            assert row["peak"]
            assert row["names"] == [[f"Region {peak[0]}, peak {peak[1]}: show it", ""]]
            assert row["cells"][0][1] == f"peak {peak[1]}"
        at += 1 + len(more)
    assert at == len(rows)


def test_a_share_is_told_as_its_counts_where_it_has_some(opened: Opener) -> None:
    """None where there is no value, and per cent of a sub-peak, which has no counts; then in the words of people."""
    ask = """(cases) => cases.map(([column, text, cells]) => DataTable.prototype.wordsOf.call(
      { header: ["share", "n", "all"], words: { sign: { positive: "more" }, share: { "n/a": "none" } } },
      { decimals: "", kind: "number", column: "share", ...column }, text, cells))"""
    of: dict[str, Any] = {"decimals": "of:n:all", "column": "other"}
    cells = ["0.5", "1500", "3000"]
    cases: list[tuple[dict[str, Any], str, list[str] | None, str]] = [
        (of, "0.5", cells, "1,500 of 3,000"), (of, "n/a", cells, "n/a"), (of, "0.5", None, "50 %"),
        ({"decimals": "%"}, "0.5", cells, "50 %"),
        ({"column": "share"}, "n/a", cells, "none"), ({"kind": "text", "column": "sign"}, "positive", cells, "more"),
        ({"kind": "text"}, "0.123456", cells, "0.123456"), ({"decimals": "2"}, "0.123456", cells, "0.12"),
    ]  # fmt: skip
    found = opened("none").page.evaluate(ask, [case[:3] for case in cases])
    assert found == [case[3] for case in cases]


def test_rows_are_counted_in_words(shown: Opened) -> None:
    ask = """(cases) => cases.map(([shown, all]) => DataTable.prototype.countText.call(
      { shown: { length: shown }, lines: { length: all } }))"""
    cases = {(1, 1): "1 row", (6, 6): "6 rows", (0, 0): "0 rows", (0, 1): "0 of 1 rows", (3, 6): "3 of 6 rows"}
    assert shown.page.evaluate(ask, list(cases)) == list(cases.values())


# ------------------------------------------------------------------------------------------- where rows lead to


def test_a_region_of_vertices_lies_on_its_side_and_one_of_voxels_does_not(opened: Opener) -> None:
    ask = """([row, peak, sides]) => {
      const header = ["index", "rank", "hemi", "vertex", "x", "y", "z"];
      const own = Object.assign(Object.create(DataTable.prototype), {
        peakHeader: header, cell: (_, name) => row[name], firstRow: sides && ((side) => sides[side] ?? null),
      });
      return [own.sheetPlace(0, peak), own.placeOf(0, peak)];
    }"""
    sides = {"L": 0, "R": 100}
    place = {"peak_x": "1.5", "peak_y": "-2", "peak_z": "3"}
    peak = ["1", "2", "R", "7", "4", "5", "6.5"]
    voxels = [*peak[:2], "n/a", "n/a", *peak[4:]]
    right, mm = [105, 0, 0], [1.5, -2, 3]
    cases: list[tuple[list[Any], list[Any]]] = [
        ([{"hemi": "R", "peak_vertex": "5"}, None, sides], [right, right]),
        ([{"hemi": "L", "peak_vertex": "0"}, None, sides], [[0, 0, 0], [0, 0, 0]]),
        ([{"hemi": "M", "peak_vertex": "5"} | place, None, sides], [None, mm]),
        ([{"hemi": "R", "peak_vertex": "5"} | place, None, None], [None, mm]),
        ([{"hemi": "n/a", "peak_vertex": "n/a"} | place, None, sides], [None, mm]),
        ([place, None, sides], [None, mm]),
        ([{"peak_x": "n/a", "peak_y": "-2", "peak_z": "3"}, None, None], [None, None]),
        ([place, peak, sides], [[107, 0, 0], [107, 0, 0]]),
        ([place, voxels, sides], [None, [4, 5, 6.5]]),
    ]
    page = opened("none").page
    for asked, wanted in cases:
        assert page.evaluate(ask, asked) == wanted, asked


def test_sub_peaks_are_kept_by_their_region_without_its_main_one(opened: Opener) -> None:
    ask = """(text) => {
      const own = {};
      DataTable.prototype.readPeaks.call(own, text);
      return [own.peakHeader, [...own.peaks]];
    }"""
    page = opened("none").page
    head = ["index", "rank", "value"]
    text = "index\trank\tvalue\n1\t1\t9\n1\t2\t8\n1\t3\t7\n2\t1\t5\n3\t1\t4\n3\t2\t3\n"
    wanted = [["1", [["1", "2", "8"], ["1", "3", "7"]]], ["3", [["3", "2", "3"]]]]
    assert page.evaluate(ask, text) == [head, wanted]
    assert page.evaluate(ask, "") == [[], []]


def test_a_row_of_values_leads_to_the_region_of_its_set(opened: Opener) -> None:
    ask = """([id, shows, row]) => {
      const element = { id, dataset: shows ? { shows: "yes" } : {} };
      return DataTable.prototype.targetOf.call({ element, shows: shows ?? {}, cell: (_, name) => row[name] }, 0);
    }"""
    page = opened("none").page
    row = {"index": "4", "set": "a", "region": "7"}
    assert page.evaluate(ask, ["own", None, row]) == {"table": "own", "region": "4"}
    assert page.evaluate(ask, ["own", {"a": "one", "": "all"}, row]) == {"table": "one", "region": "7"}
    assert page.evaluate(ask, ["own", {"b": "one", "": "all"}, row]) == {"table": "all", "region": "7"}
    assert page.evaluate(ask, ["own", {"": "all"}, {"region": "7"}]) == {"table": "all", "region": "7"}


def test_only_a_plain_click_on_a_row_chooses_it(shown: Opened) -> None:
    """Not one on a link, nor one that ends a selection of text; a fold folds."""
    ask = """([what, selected]) => {
      const row = table.rowAt(2);
      const link = make("a", { href: "#x", textContent: "x" });
      row.cells[1].append(link);
      const fold = table.body.querySelector(".fold");
      const target = { row, link, cell: row.cells[3], spacer: table.spacer(3), fold }[what];
      const did = [];
      const told = { choose: (one) => did.push(one.entry.at), toggle: (index) => did.push(index) };
      const own = Object.assign(Object.create(table), told);
      getSelection().removeAllRanges();
      if (selected) getSelection().selectAllChildren(row.cells[3]);
      DataTable.prototype.onClick.call(own, { target });
      getSelection().removeAllRanges();
      link.remove();
      return did;
    }"""
    cases = {("row", False): [2], ("cell", False): [2], ("cell", True): [], ("link", False): [], ("spacer", False): [],
             ("fold", False): ["1"]}  # fmt: skip
    for asked, wanted in cases.items():
        assert shown.page.evaluate(ask, list(asked)) == wanted, asked


def test_a_chosen_row_of_another_tables_regions_is_marked_itself(shown: Opened) -> None:
    ask = """([canMove, shows]) => {
      const told = [];
      const chosen = (_, entry) => told.push(entry.at);
      const own = Object.assign(Object.create(table), { canMove, started: false, chosen });
      for (const row of table.body.rows) row.toggleAttribute("aria-current", row.entry.at === 5);
      if (shows) table.element.dataset.shows = "{}";
      own.choose(table.rowAt(3));
      delete table.element.dataset.shows;
      const marked = [...table.body.rows].filter((row) => row.hasAttribute("aria-current"));
      return [told, own.started, marked.map((row) => row.entry.at)];
    }"""
    assert shown.page.evaluate(ask, [True, False]) == [[3], True, [5]]
    assert shown.page.evaluate(ask, [True, True]) == [[3], True, [3]]
    assert shown.page.evaluate(ask, [False, True]) == [[], False, [5]]


def test_enter_in_the_filter_leads_to_its_first_row(shown: Opened) -> None:
    for key, count in (("Enter", "4 of 6 rows"), ("ArrowDown", "6 rows"), ("ArrowUp", "6 rows")):
        found = shown.page.evaluate(
            """(key) => {
              const search = table.element.querySelector("[type=search]");
              const went = [];
              const { goToRow } = table;
              table.goToRow = (at) => went.push(at);
              search.value = key === "Enter" ? " negative " : "";
              const stopped = !search.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
              table.goToRow = goToRow;
              const said = table.count.textContent;
              table.filter("");
              return [went, stopped, said];
            }""",
            key,
        )
        assert found == [[] if key == "ArrowUp" else [0], key != "ArrowUp", count]
