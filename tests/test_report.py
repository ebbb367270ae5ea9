import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from browser import samples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bids_regions.report import cohort, model, pages, parts, presentation
from bids_regions.tables import PEAK_COLUMNS, REGION_COLUMNS, VALUE_COLUMNS, region_columns


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[dict[str, str], str]] = []
        self.open: dict[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.found.append((tag, attributes))
        if tag in {"script", "style"}:
            self.open = attributes | {"tag": tag}
            self.texts.append((self.open, ""))

    def handle_data(self, data: str) -> None:
        if self.open is not None:
            self.texts[-1] = (self.open, self.texts[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self.open = None


@pytest.fixture(scope="module")
def motor() -> str:
    return pages.render_participant(samples.motor_page()).html.decode()


@pytest.fixture(scope="module")
def group() -> str:
    return pages.render_group(samples.group_page(12)).html.decode()


@pytest.mark.parametrize("name", ["motor", "group"])
def test_the_policy_names_exactly_the_scripts_and_the_style_of_the_page(name: str, request: Any) -> None:
    page = Elements(request.getfixturevalue(name))
    policy = next(a["content"] for tag, a in page.found if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    hashes = {"script": set(), "style": set()}
    for attributes, text in page.texts:
        if "type" not in attributes:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            hashes[attributes["tag"]].add(f"'sha256-{digest}'")
    assert set(rules["script-src"].split()) == hashes["script"]
    assert set(rules["style-src"].split()) == hashes["style"]
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy


def test_only_a_heavy_page_may_load_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "HEAVY", 10)
    rendered = pages.render_participant(samples.blob_page(1))
    policy = re.search(rb'Content-Security-Policy" content="([^"]*)', rendered.html)
    assert policy is not None
    assert b"&#39;self&#39;; style-src" in policy[1]
    assert b"img-src data: &#39;self&#39;" in policy[1]
    names = [name for name, _ in rendered.side_files]
    assert names == sorted(names)
    assert all(name.startswith("sub-01/figures/report/") for name in names)
    assert len(rendered.html) < 200_000


@pytest.mark.parametrize("name", ["motor", "group"])
def test_no_element_carries_style_or_script_of_its_own(name: str, request: Any) -> None:
    for _, attributes in Elements(request.getfixturevalue(name)).found:
        assert "style" not in attributes
        assert not [attribute for attribute in attributes if attribute.startswith("on")]


@pytest.mark.parametrize("name", ["motor", "group"])
def test_identities_are_unique_and_anchors_exist(name: str, request: Any) -> None:
    found = Elements(request.getfixturevalue(name)).found
    identities = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(identities) == len(set(identities))
    anchors = {a["href"][1:] for tag, a in found if tag == "a" and a.get("href", "").startswith("#")}
    assert anchors <= set(identities)


def test_nothing_is_fetched_from_anywhere(motor: str, group: str) -> None:
    for html in (motor, group):
        for tag, attributes in Elements(html).found:
            assert not attributes.get("src", "data:").startswith(("http", "//")), tag
            assert tag not in {"iframe", "object", "embed", "base"}
            if tag == "link":
                assert attributes["href"] == "data:,"


def test_equal_keys_are_refused() -> None:
    page = samples.blob_page(1)
    with pytest.raises(ValueError, match="keys of a page must differ: blobs"):
        pages.render_participant(replace(page, sections=page.sections * 2))


def test_a_page_without_anything_says_so() -> None:
    html = pages.render_participant(samples.empty_page()).html.decode()
    assert "No map of this participant could be used." in html
    assert "No errors to report." in html
    assert "No statistical map of this participant fits the selection." in html


def test_pages_of_many_sections_keep_their_content_as_text_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "noscript" not in pages.render_participant(samples.motor_page()).html.decode().split("<script>")[0]
    monkeypatch.setattr(pages, "_MANY_SECTIONS", 1)
    assert pages.render_participant(samples.motor_page()).html.count(b'<noscript class="later">') == 2


def test_a_page_of_very_many_rows_keeps_fewer_of_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_PAGE_ROWS", 60)
    html = pages.render_participant(samples.blob_page(200)).html.decode()
    assert "These are the first 31 of 200 rows" in html
    assert 'href="sub-01/sub-01_task-motor_desc-thr3p0_dseg.tsv"' in html


def test_addresses_are_paths_beside_the_page_whatever_the_name() -> None:
    address = parts.address_of
    assert address("sub-01/a+b,c=d.tsv") == "sub-01/a+b,c=d.tsv"
    assert address("javascript:alert(1)") == "javascript%3Aalert(1)"
    assert address("a b/%2e#c?d") == "a%20b/%252e%23c%3Fd"
    assert address("#map-1") == "#map-1"
    assert address("sub-\udcff.tsv") == "sub-%FF.tsv"


def test_a_name_that_is_no_text_does_not_stop_the_page() -> None:
    page = replace(samples.empty_page(), notices=("sub-\udcff is no UTF-8",))
    assert b"sub-? is no UTF-8" in pages.render_participant(page).html


# ------------------------------------------------------------------------------------------------ tables


def test_every_column_of_the_regions_table_has_a_head_with_its_description() -> None:
    entry = samples.motor_page().sections[0].entries[0]
    assert entry.regions is not None
    shown = presentation.show_table(entry.regions, entry.peaks)
    assert [head.column for head in shown.heads] == [column.name for column in REGION_COLUMNS]
    for head, column in zip(shown.heads, REGION_COLUMNS, strict=True):
        assert column.description in head.title
    assert {head.column for head in shown.heads if not head.minor} == {
        "index", "sign", "n_voxels", "volume_mm3", "peak_value", "peak_x", "peak_y", "peak_z", "mean_value",
    }  # fmt: skip


def test_what_was_asked_for_is_shown() -> None:
    header = [column.name for column in (*REGION_COLUMNS, *VALUE_COLUMNS)] + ["AAL_peak"]
    row = dict.fromkeys(header, "1") | {
        "color": "#e69f00",
        "name": "left precentral",
        "p_cluster": "0.0001",
        "tdp": "n/a",
    }
    tsv = "\t".join(header) + "\n" + "\t".join(row[name] for name in header) + "\n"
    table = model.Table(key="t", caption="t", tsv=tsv, file_name="t.tsv", descriptions={})
    minor = {head.column for head in presentation.show_table(table).heads if head.minor}
    assert not minor & {"name", "p_cluster", "values_mean", "values_at_peak", "AAL_peak"}
    assert "tdp" in minor


@pytest.mark.parametrize(("structure", "folded"), [("CORTEX_LEFT", True), ("THALAMUS_LEFT", False)])
def test_a_structure_that_the_hemisphere_tells_is_folded(structure: str, folded: bool) -> None:
    header = [column.name for column in region_columns(sheets=True)]
    row = dict.fromkeys(header, "1") | {"hemi": "L", "structure": structure, "color": "#e69f00"}
    tsv = "\t".join(header) + "\n" + "\t".join(row[name] for name in header) + "\n"
    table = model.Table(key="t", caption="t", tsv=tsv, file_name="t.tsv", descriptions={})
    heads = {head.column: head for head in presentation.show_table(table).heads}
    assert heads["structure"].minor is folded
    assert (heads["n_vertices"].heading, heads["area_mm2"].heading, heads["area_mm2"].unit) == (
        "vertices",
        "area",
        "mm²",
    )


def test_sub_peaks_stand_under_their_region_in_its_columns() -> None:
    entry = samples.motor_page().sections[0].entries[0]
    assert entry.regions is not None
    shown = presentation.show_table(entry.regions, entry.peaks)
    heads = [head.column for head in shown.heads if not head.minor]
    assert [row.is_peak for row in shown.rows[:4]] == [False, True, True, False]
    peak = dict(zip(heads, (cell.text for cell in shown.rows[1].cells), strict=True))
    assert peak["index"] == "peak 2"
    assert peak["n_voxels"] == ""
    header, rows = presentation.parse_tsv(entry.peaks)
    second = dict(zip(header, rows[1], strict=True))
    assert second["rank"] == "2"
    assert [peak[f"peak_{axis}"] for axis in "xyz"] == [second[axis] for axis in "xyz"]
    assert {"index", "rank", "value", "x"} <= {column.name for column in PEAK_COLUMNS}


@pytest.mark.parametrize(
    ("texts", "decimals"),
    [
        (["1", "22", "-3"], "w"),
        (["7.94", "3.1"], "3"),
        (["7.94", "n/a", "310.25"], "1"),
        (["12345.5"], "0"),
        (["0.5", "0.01"], "4"),
        (["0.5", "0.00001"], ""),
        (["n/a"], "w"),
    ],
)
def test_a_column_of_numbers_has_one_number_of_decimals(texts: list[str], decimals: str) -> None:
    assert presentation._decimals("dice", texts) == decimals


@settings(deadline=None)
@given(st.floats(-1e300, 1e300), st.sampled_from(["", "1", "4"]))
def test_a_shown_number_is_the_number_to_four_digits(value: float, decimals: str) -> None:
    shown = float(presentation.show_number(repr(value), decimals))
    assert shown == pytest.approx(value, rel=0.06 if abs(value) < 0.001 else 6e-4, abs=10.0 ** -int(decimals or 300))


def test_a_colour_that_is_none_is_not_drawn() -> None:
    table = samples.blob_page(1).sections[0].entries[0].regions
    assert table is not None
    header, rows = presentation.parse_tsv(table.tsv)
    wrong = table.tsv.replace(rows[0][header.index("color")], '#1" onload="x')
    assert presentation.show_table(replace(table, tsv=wrong)).rows[0].cells[0].colour == ""
    assert presentation.show_table(table).rows[0].cells[0].colour.startswith("#")


def test_the_overview_names_each_map_once_and_leads_to_it() -> None:
    page = samples.motor_page()
    one = page.sections[0]
    maps = (
        one,
        replace(one, key="again", group="run-2\twith a tab"),
        replace(one, key="whole", group=""),
        replace(one, key="here", group="run-3", source="node-a/map.nii.gz"),
        replace(one, key="there", group="run-3", source="node-b/map.nii.gz"),
        replace(one, key="other", title="contrast faint, z"),
    )
    table = presentation.overview_table(maps)
    assert table.links == {
        "contrast leftVsRight, z (task-motor, run-1)": "#motor",
        "contrast leftVsRight, z (run-2 with a tab)": "#again",
        "contrast leftVsRight, z": "#whole",
        "contrast leftVsRight, z (node-a/map.nii.gz)": "#here",
        "contrast leftVsRight, z (node-b/map.nii.gz)": "#there",
        "contrast faint, z": "#other",
    }
    header, rows = presentation.parse_tsv(table.tsv)
    assert len(rows) == 12
    assert dict(zip(header, rows[0], strict=True))["largest_voxels"] == "2520"


# ------------------------------------------------------------------------------------------------ strips


def metric(values: list[float | None], flag_at: int = -1) -> model.Metric:
    points = tuple(
        model.Point(participant=f"sub-{n}", value=value, flag="far" if n == flag_at else "")
        for n, value in enumerate(values)
    )
    return model.Metric(key="m", name="number", points=points)


@settings(deadline=None)
@example([0.0] * 10)  # an even number at one place
@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=60))
def test_every_participant_with_a_value_has_a_dot_inside_the_plot(values: list[float | None]) -> None:
    strip = cohort.lay_out_strip(metric(values), "set")
    known = [value for value in values if value is not None]
    if not known:
        assert strip is None
        return
    assert strip is not None
    assert len(strip.dots) == len(known)
    for dot in strip.dots:
        assert strip.left <= dot.x <= strip.right
        assert strip.radius <= dot.y <= strip.floor - strip.radius
    for dot, value in zip(strip.dots, known, strict=True):
        back = strip.low + (dot.x - strip.left) / (strip.right - strip.left) * (strip.high - strip.low)
        assert back == pytest.approx(value, abs=(strip.high - strip.low) / 1000)
    assert 0 < len(strip.ticks) <= 12
    assert all(strip.left - 0.01 <= tick.x <= strip.right + 0.01 for tick in strip.ticks)


def test_above_a_thousand_dots_bars_say_how_many() -> None:
    strip = cohort.lay_out_strip(metric([float(n % 97) for n in range(3000)], flag_at=5), "set")
    assert strip is not None
    assert [dot.participant for dot in strip.dots] == ["sub-5"]
    assert max(bar.half for bar in strip.bars) == 38
    assert "3000 participants, median" in strip.words


def test_dots_of_equal_value_do_not_cover_each_other() -> None:
    strip = cohort.lay_out_strip(metric([4.0] * 9), "set")
    assert strip is not None
    assert len({dot.y for dot in strip.dots}) == 9


@pytest.mark.parametrize(("low", "high"), [(0.3, 9.7), (-1e-4, 1e-4), (1e5, 3e6), (-7, -2)])
def test_ticks_are_round_and_between(low: float, high: float) -> None:
    ticks = cohort.nice_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert all(low <= tick <= high for tick in ticks)


def test_agreement_needs_two_and_says_its_median() -> None:
    one = model.Agreement(participants=("sub-1",), values=((1.0,),))
    assert cohort.lay_out_matrix(one) is None
    two = model.Agreement(
        participants=("sub-1", "sub-2", "sub-3"), values=((1.0, 0.2, None), (0.2, 1.0, 0.6), (None, 0.6, 1.0))
    )
    matrix = cohort.lay_out_matrix(two)
    assert matrix is not None
    assert matrix.summary == "Median of all pairs 0.40, from 0.20 to 0.60."
    nothing = model.Agreement(participants=("a", "b"), values=((None, None), (None, None)))
    assert cohort.lay_out_matrix(nothing).summary == "2 participants; no pair has a value."  # type: ignore[union-attr]


def test_a_small_matrix_names_its_rows_and_says_what_has_no_value() -> None:
    def matrix(size: int, *, gap: bool) -> cohort.Matrix:
        values = tuple(tuple(None if gap and a == b else 0.5 for a in range(size)) for b in range(size))
        people = tuple(f"sub-{n}" for n in range(size))
        found = cohort.lay_out_matrix(model.Agreement(participants=people, values=values))
        assert found is not None
        return found

    assert matrix(24, gap=False).names[::23] == ("sub-0", "sub-23")
    assert matrix(25, gap=False).names == ()
    assert matrix(3, gap=False).gap_shade == ""
    assert matrix(3, gap=True).gap_shade == "#f4d6ce"
    html = pages.render_group(samples.group_page(12)).html.decode()
    assert "<li>sub-0001</li><li>sub-0002</li>" in html
    assert "<span>no value</span>" in html


def test_participants_without_a_page_have_no_link() -> None:
    page = samples.group_page(51)
    one = page.sets[0]
    thumbs = tuple(replace(thumb, href="" if n in (3, 50) else thumb.href) for n, thumb in enumerate(one.thumbnails))
    html = pages.render_group(replace(page, sets=(replace(one, thumbnails=thumbs),))).html.decode()
    first = html[html.index("data-thumbs=") :]
    assert first[: first.index("</ul>")].count("<a href=") == 49
    assert 'href=""' not in html


def test_failures_of_the_group_are_counted_in_red_and_lead_to_their_reasons() -> None:
    page = samples.group_page(5)
    counts = (("participants", 4), ("failed", 1), ("missing", 0))
    html = pages.render_group(replace(page, counts=counts)).html.decode()
    assert '<li class="tile bad"><a href="#errors"><span class="number">1</span>' in html
    assert '<li class="tile quiet"><span class="number">0</span> <span class="words">missing</span>' in html
    none = pages.render_group(replace(page, counts=(("failed", 0),))).html.decode()
    assert '<li class="tile quiet"><span class="number">0</span> <span class="words">failed</span>' in none


def test_a_command_breaks_between_its_options_and_keeps_its_text(motor: str) -> None:
    command = re.search(r'id="command-text">(.*?)</pre>', motor)
    assert command is not None
    pieces = re.findall(r'<span class="option">(.*?)</span>', command[1])
    assert pieces == [
        "bids_regions BIDS_DIR OUTPUT_DIR participant",
        "--threshold 97% 3.0",
        "--min-region-size 1500",
    ]
    assert re.sub("<[^>]*>", "", command[1]) == samples.PROVENANCE.command


def test_long_texts_are_kept_narrow_and_whole_on_hovering() -> None:
    name = "tpl-S_task-x_seg-contrast+a+stat+z_desc-thr3p0"
    tsv = f"set\tparticipant_id\tsession\tmap\tindex\tpeak_value\n{name}\tsub-01\tn/a\ta/map.nii.gz\t1\t2.5\n"
    shown = presentation.show_table(
        model.Table(key="t", caption="t", tsv=tsv, file_name="t.tsv", descriptions={}, link_column="participant_id")
    )
    heads = {head.column: head for head in shown.heads}
    assert heads["set"].classes == "text long end"
    assert heads["participant_id"].classes == "link"
    assert (heads["map"].minor, heads["session"].minor) == (True, True)
    assert {cell.head.column: cell.exact for cell in shown.rows[0].cells if cell.head.kind == "text"} == {"set": name}


def test_thumbnails_are_paged_by_fifty() -> None:
    items = samples.group_page(101).sets[0].thumbnails
    thumbs = cohort.lay_out_thumbs(items)
    assert thumbs is not None
    assert [len(thumbs.first), *(len(page) for page in thumbs.rest)] == [50, 50, 1]
    assert cohort.lay_out_thumbs(()) is None


@pytest.mark.parametrize(
    ("text", "decimals", "shown"),
    [("2.5", "0", "3"), ("-2.5", "0", "-3"), ("0.125", "2", "0.13"), ("-0.375", "2", "-0.38"), ("1000.5", "", "1001"),
     ("0.00005", "", "5.0e-5"), ("12.25", "1", "12.3")],
)  # fmt: skip
def test_a_half_is_rounded_away_from_zero_as_readers_do(text, decimals, shown):
    assert presentation.show_number(text, decimals) == shown
