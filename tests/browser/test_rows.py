"""What rows say and how they are ordered: the rules of table.js by themselves, beside Python's for the plain rows."""

import itertools
from collections.abc import Iterator

import pytest
from browser import samples
from browser.conftest import Opened, Opener
from browser.test_page_tables import MOTOR, table_of

from bids_regions.report.presentation import show_number

pytestmark = pytest.mark.browser

TEXTS = (
    "", "n/a", "0", "0.0", "-0.0", "1", "-12", "+3", "39.0", "7.941344261", "-22.5", "-0.04", "0.00001234", "0.0009994",
    "0.001", "0.00100001", "0.04321", "0.1", "0.0999", "0.5", "-0.8333", "0.995", "0.9951", "0.9949", "0.99999", "1.0",
    "999.94", "1000.4", "15678.9", "123456", "1e15", "2.5e15", "9.9e14", "3.1e-11", "1e-300", "abc",
)  # fmt: skip
DECIMALS = ("", "w", "p", "%", "of:a:b", "0", "1", "2", "4")


def test_the_script_rounds_as_the_plain_rows_do(opened: Opener) -> None:
    cases = list(itertools.product(TEXTS, DECIMALS))
    found = opened("none").page.evaluate("(cases) => cases.map((one) => showNumber(...one))", cases)
    wanted = [show_number(*case) for case in cases]
    assert [(*case, text) for case, text in zip(cases, found, strict=True)] == [
        (*case, text) for case, text in zip(cases, wanted, strict=True)
    ]


SORT = """([lines, sorted]) => {
  const order = [...lines.keys()].filter((at) => at !== 4); // a filter may have left lines out
  return DataTable.prototype.sortLines.call({ lines, sorted }, order);
}"""


@pytest.mark.parametrize("direction", [1, -1])
def test_what_is_no_number_comes_last_both_ways_in_the_files_order(opened: Opener, direction: int) -> None:
    values = ["n/a", "5", "", "-3", "77", "12", "n/a", "5.0", "1e-3", "", "-20"]
    sort = {"position": 1, "direction": direction, "kind": "number"}
    found = opened("none").page.evaluate(SORT, [[f"{at}\t{value}" for at, value in enumerate(values)], sort])
    known = [at for at, value in enumerate(values) if value not in {"", "n/a"} and at != 4]
    empty = [at for at, value in enumerate(values) if value in {"", "n/a"}]
    assert found == sorted(known, key=lambda at: (direction * float(values[at]), at)) + empty


@pytest.mark.parametrize("direction", [1, -1])
def test_names_are_ordered_as_people_count(opened: Opener, direction: int) -> None:
    names = ["sub-10", "sub-2", "Sub-1", "sub-2", "x", "alpha", "sub-01"]
    sort = {"position": 0, "direction": direction, "kind": "text"}
    found = opened("none").page.evaluate(SORT, [names, sort])
    wanted = [5, 2, 6, 1, 3, 0] if direction == 1 else [0, 1, 3, 2, 6, 5]
    assert [names[at].lower().replace("sub-01", "sub-1") for at in found] == [
        names[at].lower().replace("sub-01", "sub-1") for at in wanted
    ]
    assert found.index(1) < found.index(3)  # equals stay as in the file


def test_a_third_click_gives_the_files_order_back(opened: Opener) -> None:
    """Numbers begin at the largest, text and links at A; another column begins anew."""
    ask = """(clicks) => {
      const heads = ["number", "text", "link"].map((kind, position) => ({ head: make("th"), position, kind }));
      const table = { columns: heads, sorted: { position: -1, direction: 1 }, arrange() {} };
      return clicks.map((at) => {
        DataTable.prototype.sortBy.call(table, heads[at]);
        const { position, direction, kind } = table.sorted;
        return [position, direction, kind ?? "", heads.map(({ head }) => head.getAttribute("aria-sort") ?? "")];
      });
    }"""
    down, up = "descending", "ascending"
    assert opened("none").page.evaluate(ask, [0, 0, 0, 1, 1, 1, 2, 0]) == [
        [0, -1, "number", [down, "", ""]],
        [0, 1, "number", [up, "", ""]],
        [-1, 1, "", ["", "", ""]],
        [1, 1, "text", ["", up, ""]],
        [1, -1, "text", ["", down, ""]],
        [-1, 1, "", ["", "", ""]],
        [2, 1, "text", ["", "", up]],
        [0, -1, "number", [down, "", ""]],
    ]


# ------------------------------------------------------------------------------------------- sentences

REGION = {
    "index": "2", "name": "region-2", "sign": "positive", "n_voxels": "1234", "volume_mm3": "33318",
    "peak_value": "7.941344261", "peak_x": "6", "peak_y": "-10.25", "peak_z": "52", "p_cluster": "n/a",
}  # fmt: skip
SHEET = {
    "index": "1", "name": "", "sign": "negative", "n_vertices": "2048", "area_mm2": "1234.5", "hemi": "R",
    "peak_vertex": "77", "peak_value": "-5.5", "n_voxels": "n/a", "p_cluster": "0.0004",
}  # fmt: skip
PEAK = {"value": "4.5", "x": "1", "y": "2", "z": "-3.04", "rank": "2", "vertex": "99"}
MNI = {"quantity": "z", "space": "MNI152NLin6Asym"}
PLACE = "x = 6, y = −10.3, z = 52 mm"
SENTENCES = [
    (REGION, None, MNI, "A positive cluster of 1,234 voxels (33.3 cm³) with its peak at "
     f"{PLACE} in MNI152NLin6Asym (z = 7.941)."),
    (REGION | {"n_voxels": "1", "volume_mm3": "999.6", "sign": "both", "name": "Left Insula", "p_cluster": "0.0312"},
     None, {}, "A cluster of 1 voxel (1,000 mm³) in Left Insula with its peak at "
     f"{PLACE} (value = 7.941, cluster p = 0.031)."),
    (REGION | {"p_cluster": "0.0009", "name": "n/a", "volume_mm3": "1000"}, PEAK, MNI,
     "A positive cluster of 1,234 voxels (1 cm³); peak 2 of it at x = 1, y = 2, z = −3 mm in MNI152NLin6Asym "
     "(z = 4.5, cluster p < 0.001)."),
    (REGION | {"p_cluster": "0.001"}, None, MNI | {"space": ""},
     f"A positive cluster of 1,234 voxels (33.3 cm³) with its peak at {PLACE} (z = 7.941, cluster p = 0.001)."),
    (SHEET, None, {"quantity": "t", "space": "fsLR"},
     "A negative cluster of 2,048 vertices (12.35 cm²) of the right hemisphere with its peak at vertex 77 of fsLR "
     "(t = −5.5, cluster p < 0.001)."),
    (SHEET | {"n_vertices": "1", "area_mm2": "n/a", "hemi": "L", "p_cluster": "", "name": "V1"}, PEAK,
     {"quantity": "t"}, "A negative cluster of 1 vertex of the left hemisphere in V1; "
     "peak 2 of it at vertex 99 (t = 4.5)."),
]  # fmt: skip


def test_a_region_and_a_peak_are_told_as_a_manuscript_would(opened: Opener) -> None:
    page = opened("none").page
    for *asked, wanted in SENTENCES:
        assert page.evaluate("(asked) => regionSentence(...asked)", asked) == wanted


def test_names_and_atlases_are_told_where_they_say_something(opened: Opener) -> None:
    ask = """([rows, pairs]) => [
      rows.map((row) => DataTable.prototype.nameOf.call({ cell: (_, name) => row[name] }, 0)),
      pairs.map((one) => DataTable.prototype.atlasWords.call({}, one)),
    ]"""
    rows = [
        {"index": "3", "name": "region-3"},
        {"index": "3", "name": "region-2"},
        {"index": "3", "name": ""},
        {"index": "3"},
    ]
    pairs = [
        [["A_overlap", "Insula 62%"], ["B_overlap", "n/a"]],
        [["A_overlap", "Insula 62%"], ["B_overlap", "Area 13"], ["C_overlap", ""]],
        [["A_overlap", "n/a"]],
    ]
    assert opened("none").page.evaluate(ask, [rows, pairs]) == [
        ["3", "3 · region-2", "3", "3"],
        ["Insula 62%", "A: Insula 62% · B: Area 13", ""],
    ]


# ------------------------------------------------------------------------------------------- the motor map's table


@pytest.fixture
def shown(opened: Opener) -> Iterator[Opened]:
    made = opened("motor").ready()
    table_of(made, MOTOR)
    made.page.evaluate("() => { window.table = page.tables.get('motor-1-regions'); }")
    yield made
    assert not made.complaints


def tsv() -> tuple[list[str], list[list[str]]]:
    table = samples.motor_page().sections[0].entries[0].regions
    assert table is not None
    header, *lines = [line.split("\t") for line in table.tsv.splitlines()]
    return header, lines


def test_the_viewer_learns_every_region_and_peak_of_a_table(shown: Opened) -> None:
    found = shown.page.evaluate(
        """async () => {
          const { colours, names, atlas, peaks, list, first } = await table.regions();
          return { ...{ list, first }, colours: [...colours], names: [...names], atlas: [...atlas], peaks: [...peaks] };
        }"""
    )
    header, lines = tsv()
    cells = [dict(zip(header, line, strict=True)) for line in lines]
    head, *peaks = [line.split("\t") for line in samples.motor_page().sections[0].entries[0].peaks.splitlines()]
    of_peaks = [dict(zip(head, line, strict=True)) for line in peaks]
    places = [[float(row[f"peak_{axis}"]) for axis in "xyz"] for row in cells]
    assert found["list"] == [{"index": at, "mm": mm} for at, mm in enumerate(places, start=1)]
    assert found["first"] == places[0]
    rgb = [[int(row["color"][at : at + 2], 16) for at in (1, 3, 5)] + [255] for row in cells]
    assert found["colours"] == [[at, colour] for at, colour in enumerate(rgb, start=1)]
    assert found["names"] == [[at, str(at)] for at in range(1, len(cells) + 1)]
    assert found["atlas"] == [[at, ""] for at in range(1, len(cells) + 1)]
    main = {
        " ".join(row[f"peak_{axis}"] for axis in "ijk"): {"index": row["index"], "rank": 1, "value": row["peak_value"]}
        for row in cells
    }
    others = {" ".join(row[axis] for axis in "ijk"): {name: row[name] for name in ("index", "rank", "value")}
              for row in of_peaks if row["rank"] != "1"}  # fmt: skip
    assert others
    assert dict(found["peaks"]) == main | others


def test_keys_go_from_row_to_row_and_stop_at_the_ends(shown: Opened) -> None:
    ask = """([at, key, modifiers]) => {
      const row = table.rowAt(at);
      const went = [];
      let stopped = 0;
      const told = { goToRow: (to) => went.push(to), choose: () => went.push("choose") };
      const own = Object.assign(Object.create(table), told);
      const event = { key, target: row, preventDefault: () => (stopped += 1), ...modifiers };
      DataTable.prototype.onKey.call(own, event);
      return [went, stopped];
    }"""
    _, lines = tsv()
    negative = [at for at, line in enumerate(lines) if "negative" in line]
    keys = {"ArrowDown": 4, "ArrowUp": 2, "Home": 0, "End": 5, "PageDown": 13, "PageUp": -7, "+": 0, "=": 0,
            "-": negative[0], "Enter": "choose"}  # fmt: skip
    for key, to in keys.items():
        assert shown.page.evaluate(ask, [3, key, {}]) == [[to], 1], key
        for modifier in ("ctrlKey", "metaKey", "altKey"):
            assert shown.page.evaluate(ask, [3, key, {modifier: True}]) == [[], 0]
    assert shown.page.evaluate(ask, [3, "x", {}]) == [[], 0]


def test_the_row_to_go_to_is_within_the_table_and_gets_the_focus_it_had(shown: Opened) -> None:
    ask = """([at, words]) => {
      document.activeElement.blur();
      const chosen = [];
      const own = Object.assign(Object.create(table), { chosen: (_, entry) => chosen.push(entry.at) });
      own.goToRow(at, words ?? undefined);
      const tabs = [...table.body.rows].map((row) => [row.tabIndex, row.querySelector("button").tabIndex]);
      return [chosen, document.activeElement.entry?.at ?? null, own.active, tabs];
    }"""
    for at, to in ((2, 2), (-4, 0), (99, 5)):
        tabs = [[0, 0] if row == to else [-1, -1] for row in range(6)]
        assert shown.page.evaluate(ask, [at, None]) == [[to], to, to, tabs]
        assert shown.page.evaluate(ask, [at, {"focus": False}]) == [[to], None, to, tabs]


def test_the_next_and_previous_peak_go_around(shown: Opened) -> None:
    ask = """([current, started, active, direction]) => {
      const own = Object.assign(Object.create(table), { current, started, active });
      own.goToRow = (at, words) => (own.went = [at, words.focus]);
      own.step(direction);
      return own.went;
    }"""
    cases = [((0, False, 0, 1), 0), ((0, False, 3, -1), 0), ((1, False, 0, 1), 1), ((1, False, 0, -1), 5),
             ((6, False, 5, 1), 0), ((0, True, 2, 1), 3)]  # fmt: skip
    for asked, wanted in cases:
        assert shown.page.evaluate(ask, list(asked)) == [wanted, False], asked


def test_the_largest_region_of_a_sign_is_the_first_of_equals(shown: Opened) -> None:
    ask = """([size, rows, list, sign]) => DataTable.prototype.largestOf.call(
      { header: [size], list, cell: (line, name) => rows[line][name === "sign" ? 1 : 0] }, sign)"""
    rows = [["5", "positive"], ["9", "negative"], ["30", "positive"], ["30", "positive"], ["12", "negative"]]
    order = [0, 1, {"line": 2, "peak": ["9"]}, 2, 3, 4]
    for size in ("n_voxels", "n_vertices"):
        assert shown.page.evaluate(ask, [size, rows, order, "positive"]) == 3
        assert shown.page.evaluate(ask, [size, rows, order, "negative"]) == 5
        assert shown.page.evaluate(ask, [size, rows, order, "both"]) == -1
        assert shown.page.evaluate(ask, [size, [["9", "positive"], ["5", "positive"]], [0, 1], "positive"]) == 0


def test_paper_gets_every_sub_peak_and_the_screen_what_it_had(shown: Opened) -> None:
    found = shown.page.evaluate(
        """() => {
          const count = () => table.body.querySelectorAll("tr.peak").length;
          table.toggle("1");
          const before = count();
          window.dispatchEvent(new Event("beforeprint"));
          const printed = count();
          table.filter("negative"); // nothing changes on paper
          window.dispatchEvent(new Event("beforeprint"));
          const again = count();
          table.filter("");
          window.dispatchEvent(new Event("afterprint"));
          window.dispatchEvent(new Event("afterprint"));
          return [before, printed, again, count(), table.opened.size];
        }"""
    )
    every = sum(
        line.split("\t")[1] != "1" for line in samples.motor_page().sections[0].entries[0].peaks.splitlines()[1:]
    )
    assert found == [2, every, every, 2, 1]


def test_what_is_on_the_clipboard_is_said_where_it_was_asked_for(opened: Opener) -> None:
    """On the button, or beside the number of rows; and taken back."""
    shown = opened("motor", permissions=["clipboard-read", "clipboard-write"]).ready()
    table_of(shown, MOTOR)
    found = shown.page.evaluate(
        """async () => {
          const table = page.tables.get("motor-1-regions");
          const seen = [];
          const { setTimeout: real } = window;
          const back = [];
          window.setTimeout = (act) => back.push(act);
          const button = make("button", { textContent: "Copy" });
          for (const place of [button, table.count]) {
            await table.hand(place, "text");
            seen.push(place.textContent);
            back.pop()();
            seen.push(place.textContent);
          }
          window.setTimeout = real;
          return [...seen, await navigator.clipboard.readText()];
        }"""
    )
    assert found == ["Copied", "Copy", "Copied", "6 rows", "text"]


# ------------------------------------------------------------------------------------------- windows of long tables


@pytest.fixture
def long(opened: Opener) -> Opened:
    made = opened("regions200").ready()
    table_of(made, "#blobs-1-regions")
    return made


def test_a_window_of_rows_reaches_twenty_beyond_what_is_seen(shown: Opened) -> None:
    ask = """([top, client, rows, height]) => DataTable.prototype.span.call(
      { height, scroll: { scrollTop: top, clientHeight: client }, list: { length: rows } })"""
    cases = {
        (0, 300, 1000, 25): [0, 52], (1000, 300, 1000, 25): [20, 72], (1010, 310, 1000, 25): [20, 73],
        (24_700, 300, 1000, 25): [968, 1000], (99_999, 300, 10, 25): [9, 10], (0, 300, 0, 25): [0, 0],
        (3000, 300, 1000, None): [80, 130],
    }  # fmt: skip
    for asked, wanted in cases.items():
        assert shown.page.evaluate(ask, list(asked)) == wanted, asked


def test_a_row_is_brought_into_view_only_where_it_is_not(long: Opened) -> None:
    """It then lies in the middle of the room below the heads."""
    ask = """([at, top]) => {
      const table = page.tables.get("blobs-1-regions");
      const { scroll } = table;
      scroll.scrollTop = top;
      const before = scroll.scrollTop;
      table.reveal(at);
      const [row, area] = [table.rowAt(at), scroll].map((one) => one?.getBoundingClientRect());
      const moved = scroll.scrollTop !== before;
      if (!row) return { moved };
      return { moved, over: row.top - area.top - table.table.tHead.offsetHeight, under: area.bottom - row.bottom };
    }"""
    for at, top in ((150, 0), (5, 4000), (199, 0), (100, 1000)):
        found = long.page.evaluate(ask, [at, top])
        assert found["moved"]
        assert min(found["over"], found["under"]) > -2, (at, found)
        again = long.page.evaluate("(at) => page.tables.get('blobs-1-regions').scroll.scrollTop", at)
        assert not long.page.evaluate(ask, [at, again])["moved"]
    middle = long.page.evaluate(ask, [100, 0])
    assert abs(middle["over"] - middle["under"]) < 60
    assert not long.page.evaluate(ask, [-1, 50])["moved"]
