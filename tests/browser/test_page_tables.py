"""Tables in the page: sort, filter, copy, download, fold, with six rows and with a hundred thousand."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import samples
from browser.conftest import ENDLESS, Opened, Opener
from playwright.sync_api import Locator, expect

from bids_regions.report import pages

pytestmark = pytest.mark.browser

MOTOR = "#motor-1-regions"
COUNT_COMPARED = """() => {
  window.compared = 0;
  const { sort } = Array.prototype;
  Array.prototype.sort = function (compare) {
    return sort.call(this, compare && ((a, b) => { window.compared++; return compare(a, b); }));
  };
}"""


def tsv_of(number: int = 0) -> str:
    table = samples.motor_page().sections[0].entries[number].regions
    assert table is not None
    return table.tsv


def table_of(shown: Opened, selector: str) -> Locator:
    shown.page.evaluate("() => document.querySelectorAll('details.overview').forEach((fold) => { fold.open = true; })")
    table = shown.page.locator(selector)
    table.scroll_into_view_if_needed()
    expect(table).to_have_class(re.compile(r"\bready\b"))
    return table


def column(table: Locator, name: str) -> list[str]:
    """The shown texts of a column, without sub-peaks."""
    at: int = table.evaluate(
        "(t, name) => [...t.querySelectorAll('th')].findIndex(h => h.dataset.column === name)", name
    )
    found: list[str] = table.evaluate(
        "(t, at) => [...t.querySelectorAll('tbody tr:not(.peak):not(.spacer):not(.sizer)')]"
        ".map(r => r.cells[at].title || r.cells[at].textContent)",
        at,
    )
    return found


def sort(table: Locator, name: str) -> None:
    table.locator(f"th[data-column={name}] .sort").click()


def test_numbers_sort_from_the_largest_then_the_other_way_then_as_in_the_file(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    original = column(table, "peak_value")
    sort(table, "peak_value")
    values = [float(text) for text in column(table, "peak_value")]
    assert values == sorted(values, reverse=True)
    expect(table.locator("th[data-column=peak_value]")).to_have_attribute("aria-sort", "descending")
    sort(table, "peak_value")
    values = [float(text) for text in column(table, "peak_value")]
    assert values == sorted(values)
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    sort(table, "peak_value")
    assert column(table, "peak_value") == original
    expect(table.locator("th[aria-sort]")).to_have_count(0)


def test_what_has_no_value_sorts_last_both_ways_and_names_sort_as_people_count(opened: Opener, tmp_path: Path) -> None:
    page = samples.motor_page()
    overview = opened(samples.write_page(pages.render_participant(page), tmp_path / "p.html"))
    table = table_of(overview, "#overview-table")
    for _ in range(2):
        sort(table, "largest_voxels")
        assert column(table, "largest_voxels")[-1] == "n/a"
    sort(table, "entry")
    assert column(table, "entry") == sorted(column(table, "entry"))


def test_a_filter_leaves_the_rows_that_hold_the_text(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    table.get_by_role("searchbox").fill("NEGATIVE")
    expect(table.locator("tbody tr")).to_have_count(4)
    assert set(column(table, "sign")) == {"negative"}
    expect(table.locator(".count")).to_have_text("4 of 6 rows")
    table.get_by_role("searchbox").fill("nothing like this")
    expect(table.locator("tbody tr")).to_have_count(0)
    table.get_by_role("searchbox").fill("")
    expect(table.locator(".count")).to_have_text("6 rows")


def test_copy_gives_the_shown_rows_in_their_order_with_every_digit(opened: Opener) -> None:
    shown = opened("motor", permissions=["clipboard-read", "clipboard-write"]).ready()
    table = table_of(shown, MOTOR)
    table.get_by_role("searchbox").fill("negative")
    sort(table, "n_voxels")
    sort(table, "n_voxels")
    copy = table.get_by_role("button", name="Copy all")
    copy.click()
    expect(copy).to_have_text("Copied")
    lines = tsv_of().splitlines()
    negative = sorted((line for line in lines[1:] if "negative" in line), key=lambda line: int(line.split("\t")[3]))
    assert shown.page.evaluate("() => navigator.clipboard.readText()") == "\n".join([lines[0], *negative]) + "\n"


def test_copy_works_where_the_clipboard_is_closed(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    shown.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    copied = shown.page.evaluate(
        """() => new Promise((done) => {
          const took = () => done(getSelection().toString() || document.activeElement.value);
          document.addEventListener("copy", took, { once: true });
          document.querySelector("#motor-1-regions button[aria-label^='Copy all']").click();
        })"""
    )
    assert copied == tsv_of()
    expect(table.get_by_role("button", name="Copy all")).to_have_text("Copied")


def test_download_gives_the_files_own_bytes(opened: Opener, tmp_path: Path) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    table.get_by_role("searchbox").fill("negative")
    with shown.page.expect_download() as waiting:
        table.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "sub-01_task-motor_desc-pct97_dseg.tsv"
    waiting.value.save_as(tmp_path / "got.tsv")
    assert (tmp_path / "got.tsv").read_text() == tsv_of()


def test_sub_peaks_unfold_under_their_region(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    expect(table.locator("tr.peak")).to_have_count(0)
    fold = table.locator(".fold").first
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(fold).to_be_focused()
    expect(table.locator("tr.peak")).to_have_count(2)
    expect(table.locator("tr:nth-child(2) .go")).to_have_text("peak 2")
    shown.page.keyboard.press("Enter")
    expect(table.locator("tr.peak")).to_have_count(0)
    table.get_by_role("checkbox", name="Sub-peaks").check()
    every = sum(
        line.split("\t")[1] != "1" for line in samples.motor_page().sections[0].entries[0].peaks.splitlines()[1:]
    )
    expect(table.locator("tr.peak")).to_have_count(every)


def test_all_columns_can_be_asked_for(opened: Opener) -> None:
    shown = opened("motor").ready()
    table = table_of(shown, MOTOR)
    expect(table.locator("th[data-column=com_x]")).to_be_hidden()
    table.get_by_label("All columns").check()
    expect(table.locator("th[data-column=com_x]")).to_be_visible()
    assert table.locator("th:visible").count() == len(tsv_of().splitlines()[0].split("\t"))


def plain_cells(table: Locator) -> list[list[str]]:
    found: list[list[str]] = table.evaluate(
        "t => [...t.querySelectorAll('tbody tr')].map(r => [...r.cells].filter(c => !c.classList.contains('minor'))"
        ".map(c => c.textContent.replace(/\\+\\d+$/, '')))"
    )
    return found


@pytest.mark.parametrize("name", ["motor", "regions200", "group"])
def test_rows_read_alike_with_and_without_script(opened: Opener, name: str) -> None:
    """Python makes the plain rows, JavaScript those one works with: both round and order alike."""
    without = opened(name, java_script_enabled=False)
    with_script = opened(name).ready()
    with_script.page.evaluate("() => document.querySelectorAll('.away').forEach((one) => one.classList.remove('away'))")
    for number in range(with_script.page.locator(".table").count()):
        plain = without.page.locator(".table").nth(number)
        live = with_script.page.locator(".table").nth(number)
        live.evaluate("(table) => page.tables.get(table.id).ready()")
        if live.get_by_role("checkbox", name="Sub-peaks").count():
            live.get_by_role("checkbox", name="Sub-peaks").check()
        assert plain_cells(plain) == plain_cells(live)


@pytest.fixture(scope="module")
def vast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group page whose values table has 100,002 rows."""
    page = samples.group_page(16_667, regions=6, thumbnails=False)
    return samples.write_page(pages.render_group(page), tmp_path_factory.mktemp("vast") / "group.html")


def test_a_hundred_thousand_rows_stay_usable(opened: Opener, vast: Path) -> None:
    """Rows are made for the part that is seen; a column is sorted in as many comparisons as sorting takes."""
    shown = opened(vast)
    table = table_of(shown, "#motor-values")
    expect(table.locator(".count")).to_have_text("100002 rows")
    assert table.locator("tbody tr").count() < 120  # a window of them
    expect(table.locator("table")).to_have_attribute("aria-rowcount", "100003")

    shown.page.evaluate(COUNT_COMPARED)
    sort(table, "peak_value")
    values = [float(text) for text in column(table, "peak_value")]
    assert values == sorted(values, reverse=True)
    assert 100_001 <= shown.page.evaluate("() => compared") <= 100_002 * math.log2(100_002)
    assert table.locator("tbody tr").count() < 120
    table.get_by_role("searchbox").fill("sub-16667")
    expect(table.locator(".count")).to_have_text("6 of 100002 rows")
    table.get_by_role("searchbox").fill("")
    expect(table.locator(".count")).to_have_text("100002 rows")
    sort(table, "peak_value")
    sort(table, "peak_value")
    table.locator(".scroll").evaluate("area => area.scrollTop = area.scrollHeight")
    expect(table.get_by_role("link", name="sub-16667").last).to_be_visible()
    assert column(table, "region")[-1] == "6"
    assert table.locator("tbody tr").count() < 120
    assert shown.work() < ENDLESS
    assert shown.heap() < 150


def test_columns_keep_their_width_while_one_scrolls(opened: Opener, vast: Path) -> None:
    shown = opened(vast)
    table = table_of(shown, "#motor-values")
    table.locator(".scroll").evaluate("area => area.scrollTop = 500000")
    shown.settle(200)
    widths = "t => [...t.querySelectorAll('th')].map(h => h.offsetWidth)"
    wide = table.evaluate(widths)
    table.locator(".scroll").evaluate("area => area.scrollTop = 0")
    shown.settle(200)
    assert table.evaluate(widths) == pytest.approx(wide, abs=1)


def test_a_marked_row_comes_into_view_in_a_long_table(opened: Opener) -> None:
    shown = opened("regions200").ready()
    table = table_of(shown, "#blobs-1-regions")
    shown.page.evaluate("() => page.viewer.goTo(page.tables.get('blobs-1-regions').placeOf(150))")
    row = table.locator("tr[aria-current=true]")
    expect(row.locator(".go")).to_have_text("151")
    inside = row.evaluate(
        """row => {
          const [it, area] = [row, row.closest(".scroll")].map((element) => element.getBoundingClientRect());
          return it.top >= area.top && it.bottom <= area.bottom;
        }"""
    )
    assert inside


def test_fractions_of_people_are_told_as_counts_by_the_script_and_without_it(opened: Opener, tmp_path: Path) -> None:
    page = samples.motor_page()
    entry = page.sections[0].entries[0]
    assert entry.regions is not None
    head, *lines = entry.regions.tsv.splitlines()
    at = head.split("\t").index("peak_value")
    cells = [line.split("\t") for line in lines]
    shares = ["0.8333333333", "0.5", "-0.6666666667", "-0.5", "-1", "-0.04"]
    rows = [
        "\t".join([*row[:at], share, *row[at + 1 :], "5", "6", "0.41"])
        for row, share in zip(cells, shares, strict=True)
    ]
    table = replace(
        entry.regions,
        tsv="\n".join([f"{head}\tn_sharing\tn_with_data\tlower", *rows]) + "\n",
        headings={"peak_value": "participants"},
        folded=frozenset({"n_sharing", "n_with_data"}),
        shares={"peak_value": ("n_sharing", "n_with_data"), "lower": ()},
        words={"sign": {"positive": "more", "negative": "less"}},
    )
    section = replace(page.sections[0], entries=(replace(entry, regions=table),))
    path = samples.write_page(pages.render_participant(replace(page, sections=(section,))), tmp_path / "people.html")

    def texts(shown: Opened) -> list[list[str]]:
        found: list[list[str]] = shown.page.locator(MOTOR).evaluate(
            """(t) => [...t.querySelectorAll("tbody tr:not(.peak)")].map((row) => [...row.cells].filter((c) =>
              getComputedStyle(c).display !== "none").map((cell) => cell.innerText.trim()))"""
        )
        return found

    shown = opened(path).ready()
    made = table_of(shown, MOTOR)
    expect(made.locator("th[data-column=peak_value]")).to_contain_text("participants")
    assert [row[4] for row in texts(shown)] == ["5 of 6"] * 6
    assert [row[-1] for row in texts(shown)] == ["41 %"] * 6
    assert {row[1] for row in texts(shown)} == {"more", "less"}
    sort(made, "peak_value")
    assert column(made, "peak_value")[0] == shares[0]
    plain = opened(path, java_script_enabled=False)
    assert [row[1:] for row in texts(plain)] == [row[1:] for row in texts(opened(path).ready())]


def three_atlases(tsv: str) -> str:
    """A table of regions with the columns of three atlases, two of which say the same."""
    head, *lines = tsv.splitlines()
    names = [
        "Left Inferior Frontal Gyrus, pars opercularis, anterior division of it",
        "Right Precentral Gyrus",
        "Left Crus I",
    ]
    columns = "".join(f"\t{atlas}_peak\t{atlas}_overlap" for atlas in ("HarvardOxford", "AAL", "Copy"))
    rows = []
    for number, line in enumerate(lines):
        cells, name = line.split("\t"), names[number % 3]
        cells[1] = name
        rows.append(
            "\t".join([*cells, name, f"{name} 62%", f"Frontal_Inf_Oper_L_anterior_{number}", "n/a", name, "n/a"])
        )
    return "\n".join([head + columns, *rows]) + "\n"


def test_no_column_is_cut_at_1440_and_none_repeats_another(opened: Opener, tmp_path: Path) -> None:
    page = samples.motor_page()
    entry = page.sections[0].entries[0]
    assert entry.regions is not None
    table = replace(entry.regions, tsv=three_atlases(entry.regions.tsv))
    section = replace(page.sections[0], entries=(replace(entry, regions=table, peaks=""),))
    path = samples.write_page(pages.render_participant(replace(page, sections=(section,))), tmp_path / "atlases.html")
    for what in (path, "group"):
        shown = opened(what, viewport={"width": 1440, "height": 900}).ready()
        for made in shown.page.locator(".table").all():
            if not made.is_visible():
                continue
            made.scroll_into_view_if_needed()
            expect(made).to_have_class(re.compile("ready"))
            room = made.locator(".scroll").evaluate("(area) => [area.scrollWidth, area.clientWidth]")
            assert room[0] <= room[1], made.get_attribute("id")
    shown = opened(path, viewport={"width": 1440, "height": 900}).ready()
    seen = table_of(shown, MOTOR).locator("th:visible").evaluate_all("(all) => all.map((th) => th.dataset.column)")
    assert "AAL_peak" in seen
    assert not {"HarvardOxford_peak", "Copy_peak"} & set(seen)
