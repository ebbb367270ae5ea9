"""The pages in docs/ tell what the code does: columns, keys, options, and Python that runs."""

import json
import re
import runpy
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bids_regions.dataset import description
from bids_regions.extraction import THRESHOLDS, Criteria, criteria, find_regions
from bids_regions.group import reliability as group_reliability
from bids_regions.group import tables as group_tables
from bids_regions.group import values as group_values
from bids_regions.results import records
from bids_regions.results.keys import keys_of
from bids_regions.settings import OPTIONS, REGION_OPTIONS, read_configuration
from bids_regions.tables import (
    FIELD_COLUMNS,
    PEAK_COLUMNS,
    PEAK_FIELD_COLUMNS,
    REGION_COLUMNS,
    VALUE_COLUMNS,
)

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
OUTPUTS = (DOCS / "outputs.md").read_text()
USAGE = (DOCS / "usage.md").read_text()
METHODS = (DOCS / "methods.md").read_text()

COLUMNS = {
    "REGION_COLUMNS": REGION_COLUMNS,
    "FIELD_COLUMNS": FIELD_COLUMNS,
    "VALUE_COLUMNS": VALUE_COLUMNS,
    "PEAK_FIELD_COLUMNS": PEAK_FIELD_COLUMNS,
    "PEAK_COLUMNS": PEAK_COLUMNS,
    "VALUES": group_values.VALUES,
    "PARTICIPANT_COLUMNS": group_tables.PARTICIPANT_COLUMNS,
    "RELIABILITY_COLUMNS": group_reliability.RELIABILITY_COLUMNS,
    "RETEST_COLUMNS": group_reliability.RETEST_COLUMNS,
    "AGREEMENT_COLUMNS": group_tables.AGREEMENT_COLUMNS,
}
OTHERS_OPTIONS = {  # of other programs, as the pages' commands give them; add what a new command needs
    *("--help", "--version"),  # argparse's own
    *("--only", "--quick"),  # benchmarks/run.py
    *("--most", "--scripts", "--random-order", "--random-order-seed"),  # tools/mutate.py, pytest
    *("--rm", "--entrypoint", "--read-only", "--tmpfs", "--network", "--user", "--cap-drop"),  # docker run
    *("--tag", "--build-arg", "--secret"),  # docker build
    *("--containall", "--cleanenv", "--no-home", "--bind", "--env", "--pwd"),  # apptainer
    *("--account", "--array", "--cpus-per-task", "--dependency", "--export", "--job-name", "--kill-on-invalid-dep"),
    *("--output", "--parsable", "--requeue", "--time"),  # with those above: Slurm
    *("--copy", "--task", "--p-scale"),  # bids_regions-import
    *("--url", "--container-ds", "--container-name", "--container-config", "--processing-level", "--queue"),  # BABS
    *("--study", "--skip-container", "--pipeline", "--pipeline-step"),  # Nipoppy
    "--session",  # nox
    "--upgrade",  # apt, pip
}  # fmt: skip


def table_after(mark, text=OUTPUTS):
    """The first cells of the table that follows a mark in a page."""
    lines = text.partition(mark)[2].lstrip("\n").splitlines()
    rows = lines[2 : next(n for n, line in enumerate(lines) if not line.startswith("|"))]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_has_its_row_in_order(name):
    assert table_after(f"<!-- columns: {name} -->") == [column.name for column in COLUMNS[name]]


@pytest.mark.parametrize("name", ["SHEET_VALUES", "SHEET_PARTICIPANT_COLUMNS"])
def test_every_column_of_surfaces_at_the_group_level_has_its_row(name):
    columns = getattr(group_values if name == "SHEET_VALUES" else group_tables, name)
    told = table_after(f"<!-- columns: {name} -->", (DOCS / "surfaces.md").read_text())
    assert told == [column.name for each in columns.values() for column in each]


def test_units_are_those_of_the_columns():
    told = OUTPUTS.partition("<!-- columns: REGION_COLUMNS -->")[2]
    for column in REGION_COLUMNS:
        row = next(line for line in told.splitlines() if line.startswith(f"| `{column.name}` |"))
        assert bool(column.units) == bool(re.search(r"\| mm3?\b", row)), column.name


def test_every_key_of_the_record_has_its_row():
    keys = {*keys_of(records.Record), records.HASH} - {""}  # the columns are told by name
    assert keys == set(table_after("<!-- keys: record -->"))
    row = next(line for line in OUTPUTS.splitlines() if line.startswith("| `Threshold` |"))
    assert set(keys_of(records.ThresholdUsed)) == set(re.findall(r"`(\w+)`", row)) - {"Threshold"}


def test_bidsignore_is_told_as_it_is_written():
    told = OUTPUTS.partition("<!-- bidsignore -->\n```\n")[2].partition("```")[0]
    assert tuple(told.split()) == description.IGNORED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_is_named_exists(page):
    known = {spelling for option in OPTIONS for spelling in option.spellings} | OTHERS_OPTIONS
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", page.read_text())) <= known


def test_every_option_is_told_in_usage_or_methods():
    told = USAGE + METHODS + OUTPUTS
    missing = [option.flags[0] for option in OPTIONS if option.flags[0] not in told]
    assert missing == []


def test_usage_names_every_key_of_a_configuration_file():
    told = USAGE.partition("## Configuration file")[2].partition("\n## ")[0]
    missing = [option.name for option in REGION_OPTIONS if not re.search(rf"^#? ?{option.name} = ", told, re.MULTILINE)]
    assert missing == []


def test_the_configuration_of_usage_is_one(tmp_path):
    told = USAGE.partition("## Configuration file")[2].partition("\n## ")[0]
    blocks = re.findall(r"```toml\n(.*?)```", told, re.DOTALL)
    assert len(blocks) >= 2
    for n, block in enumerate(blocks):
        path = tmp_path / f"{n}.toml"
        path.write_text(block)
        assert read_configuration(path)


def test_every_kind_of_threshold_is_told_with_its_name():
    for kind, rule in THRESHOLDS.items():
        assert f"`{rule.prefix}" in OUTPUTS
        if kind not in ("value", "percentile"):
            assert f"`{kind}=" in METHODS


def test_the_table_of_conventions_is_that_of_the_code():
    """Rows of methods.md, section 17: here, nilearn, fsl, spm, afni."""
    told = METHODS.partition("## 17.")[2]
    sides = (criteria.BUILT_IN, *(criteria.CONVENTIONS[name] for name in ("nilearn", "fsl", "spm", "afni")))

    def cells(begin):
        row = next(line for line in told.splitlines() if line.startswith(f"| {begin} |"))
        return [cell.strip().replace("*", "") for cell in row.split("|")[2:-1]]

    assert [int(re.match(r"\d+", cell)[0]) for cell in cells("connectivity")] == [k["connectivity"] for k in sides]
    assert ["not" in cell for cell in cells("a voxel equal to the cutoff")] == [k["strict"] for k in sides]
    assert ["1e-5" in cell for cell in cells("a voxel equal to the cutoff")] == [
        k["percentile_offset"] > 0 for k in sides
    ]
    assert [cell == "none" for cell in cells("mask")] == [k["mask"] == "none" for k in sides]
    tails = {"bi": "apart", "two": "merged", "positive": "positive"}
    assert all(tails[k["tail"]] in cell for cell, k in zip(cells("tail"), sides, strict=True))
    peaks = cells("peaks of a region")
    assert [int(cell.split(",")[0]) for cell in peaks] == [k["max_peaks"] for k in sides]
    near = [int(re.match(r"\d+", cell)[0]) for cell in cells("peak's neighbours")]
    assert near == [k["peak_neighbourhood"] for k in sides]
    for cell, k in zip(cells("smallest region"), sides, strict=True):
        size = k["min_region_size"]
        assert cell.startswith(f"{size:g} mm3" if size else f"{k['min_region_voxels']} voxel")
        assert not size or (cell.endswith(">") == k["size_strict"])


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "usage.md"], ids=lambda page: page.name)
def test_python_of_the_pages_runs(page, tmp_path, monkeypatch):
    """Run all blocks of a page in order, in one namespace; `# -> text` is what the line above gives."""
    monkeypatch.chdir(tmp_path)
    data = np.random.default_rng(3).standard_normal((12, 12, 12)).astype(np.float32)
    data[2:6, 2:6, 2:6] += 9
    namespace = {"np": np, "data": data, "affine": np.diag([2.0, 2.0, 2.0, 1.0])}
    namespace["image"] = nib.Nifti1Image(data, namespace["affine"])
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        code: list[str] = []
        for line in block.splitlines():
            if line.startswith("# -> "):
                expression = code.pop()
                run("\n".join(code), namespace)
                assert repr(eval(expression, namespace)) == line.removeprefix("# -> ")  # noqa: S307 # our own page
                code = []
            else:
                code.append(line)
        run("\n".join(code), namespace)


def run(code, namespace):
    exec(compile(code, "a block of the page", "exec"), namespace)  # noqa: S102 # our own page


def test_usage_has_python_that_is_checked():
    blocks = "".join(re.findall(r"```python\n(.*?)```", USAGE, re.DOTALL))
    assert blocks.count("# -> ") >= 3


@pytest.mark.parametrize("name", ["report.webp", "group.webp"])
def test_pictures_are_small_and_shown(name):
    path = DOCS / "images" / name
    assert path.stat().st_size < 250_000
    with Image.open(path) as picture:
        assert picture.format == "WEBP"
        assert min(picture.size) > 600
    shown = [page for page in PAGES if f"images/{name}" in page.read_text()]
    assert shown
    for page in shown:
        assert re.search(rf"!\[[^\]]{{20,}}\]\([^)]*images/{name}\)", page.read_text()), "a picture needs a description"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_headings_that_are_linked_exist(page):
    text = page.read_text()
    slugs = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= slugs


def rows_shown(begin):
    """The rows, by column, of the table of numbers in usage.md that follows a line which begins so."""
    block = re.split(r"```\n```(?:text)?\n", USAGE.partition(begin)[2], maxsplit=1)[1].partition("```")[0]
    header, *lines = (re.split(r" {2,}", line.strip()) for line in block.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_the_false_positives_of_methods_are_those_that_were_counted():
    """The table is made of the counts that `benchmarks/false_positives.py` left; no bound of it fails the theory."""
    spec = spec_from_file_location("false_positives", ROOT / "benchmarks" / "false_positives.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    counted = json.loads(script.RESULTS.read_text())
    assert script.table(counted) in METHODS
    n = counted["fields"]
    smooth = [rates for fwhm, rates in counted["counts"].items() if float(fwhm) >= 2]
    assert max(rates[way] / n for rates in smooth for way in rates) < 0.06


@pytest.fixture(scope="module")
def motor():
    image = nib.load(Path(find_spec("nilearn").origin).parent / "datasets" / "data" / "image_10426.nii.gz")
    data = np.asanyarray(image.dataobj)
    return data, image.affine, data != 0


def test_thresholds_of_usage_are_those_of_the_demo(motor):
    data, affine, brain = motor
    shown = re.findall(r"^\| `(\w+=[\d.]+)` \| ([\d.]+) \| (\d+) .*\| (\d+) \|$", USAGE, re.MULTILINE)
    assert len(shown) == 4
    for text, cutoff, population, n_regions in shown:
        found = find_regions(data, affine, Criteria(threshold=text, percentile_over="nonzero"), mask=brain)
        assert f"{found.cutoff.value:.6f}" == cutoff
        assert (found.cutoff.population_size, len(found.regions)) == (int(population), int(n_regions))
    whole = find_regions(data, affine, Criteria(threshold="97%")).cutoff.value
    assert f"is {whole:.6f} over the image" in USAGE


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("bids_regions demo/dataset negative participant --participant-label 01 --threshold 3.0 --tail negative",
         Criteria(threshold=3.0, tail="negative", connectivity=26, min_region_voxels=20)),
        ("bids_regions demo/dataset as-fsl participant --participant-label 01 --convention fsl",
         Criteria(threshold=3.1, convention="fsl", grf=True)),
    ],
    ids=["tail negative", "convention fsl"],
)  # fmt: skip
def test_tables_of_usage_are_those_of_the_demo(motor, command, asked):
    data, affine, brain = motor
    shown = rows_shown(command)
    assert len(shown) >= 3
    for row, region in zip(shown, find_regions(data, affine, asked, mask=brain).regions, strict=False):
        assert (row["index"], row["sign"], row["n_voxels"]) == (str(region.index), region.sign, str(region.n_voxels))
        assert float(row["peak_value"]) == pytest.approx(region.peak.value)
        assert float(row["volume_mm3"]) == pytest.approx(region.volume_mm3)
        assert "p_cluster" not in row or float(row["p_cluster"]) == pytest.approx(region.p_cluster)


def test_the_comparison_of_usage_is_that_of_the_demo(motor):
    data, affine, brain = motor
    shown = rows_shown("bids_regions demo/dataset out participant --participant-label 01 --threshold 3.0 --explain")
    assert [row["convention"] for row in shown] == [
        "yours",
        *(name for name, k in criteria.CONVENTIONS.items() if not k["surfaces_only"]),
    ]
    for row in shown:
        own = row["convention"] == "yours"
        asked = Criteria(threshold=3.0, convention=None if own else row["convention"])
        sizes = [region.n_voxels for region in find_regions(data, affine, asked, mask=brain if own else None).regions]
        assert [int(row[name]) for name in ("regions", "voxels", "largest")] == [len(sizes), sum(sizes), max(sizes)]


def test_the_site_breaks_no_option_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser breaks lines after hyphens; what is no command stays as it is."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # Sphinx's configuration puts the checkout there
    conf = runpy.run_path(str(ROOT / "docs" / "conf.py"))
    command = '<div class="highlight-sh notranslate"><div class="highlight"><pre><span></span>bids_regions a-b{}</pre>'
    printed = '<div class="highlight-none notranslate"><pre>--tail</pre></div>'
    context = {"body": f"<p>--tail</p>{command.format(' --min-region-size 3 -w out')}{printed}"}
    conf["_options_whole"](None, "", "", context, None)
    spans = (' <span class="option">--min-region-size</span> 3 <span class="option">-w</span> out',)
    assert context["body"] == f"<p>--tail</p>{command.format(*spans)}{printed}"
    assert ".option" in (ROOT / "docs" / "_static" / "site.css").read_text()
