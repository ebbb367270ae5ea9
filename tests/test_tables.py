import math

import numpy as np
import pytest

from bids_regions.errors import BadDataset
from bids_regions.tables import (
    PEAK_COLUMNS,
    REGION_COLUMNS,
    Cells,
    Column,
    format_cell,
    peak_columns,
    read_rows,
    region_columns,
    regions_table,
    rows_of,
    table_text,
)

PRODUCT_COLUMNS = (
    "index name sign n_voxels volume_mm3 peak_value peak_x peak_y peak_z peak_i peak_j peak_k com_x com_y com_z "
    "com_in_region mean_value sd_value sum_value p_cluster tdp color"
)


def test_columns_are_those_promised_in_that_order():
    assert " ".join(column.name for column in REGION_COLUMNS) == PRODUCT_COLUMNS
    assert " ".join(column.name for column in PEAK_COLUMNS) == ("index rank value x y z i j k z_equivalent p_unc")
    more = region_columns(fields=True, values=True)[len(REGION_COLUMNS) :]
    assert " ".join(column.name for column in more) == (
        "p_cluster_unc q_cluster p_peak q_peak "
        "values_mean values_at_peak values_peak values_peak_x values_peak_y values_peak_z"
    )
    assert [column.name for column in peak_columns(fields=True)[-2:]] == ["p_fwe", "q_fdr"]


def test_a_table_without_regions_is_its_header():
    extra = Cells(name="boxes_peak", description="d", cells=())
    assert regions_table((), values=True, extra=[extra]).split("\t")[-3:] == [
        "values_peak_y", "values_peak_z", "boxes_peak\n"]  # fmt: skip
    assert rows_of(regions_table(())) == []


def test_a_short_line_is_refused_with_its_number(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n1\t2\n3\n")
    with pytest.raises(BadDataset, match="line 3 is not as long as the header"):
        read_rows(tmp_path / "x.tsv")


@pytest.mark.parametrize(
    "values",
    [
        [1.5, 2.0, -7.941444396972656, 1e-300, 1e300],
        [1.5, -0.0, 3.0],
        [1.5, math.nan],
        [math.inf, 2.0],
        [2.0, -math.inf],
        [1, 22, -3],
        [True, False],
        [1, 2.5, None, True, "a  b"],
        [np.float64(0.1), 0.1],
        [np.int64(4), 5],
        [],
    ],
)
def test_a_column_says_what_its_cells_say_one_by_one(values):
    text = table_text([Column(name="x", description="d", of=lambda row: row)], values)
    assert text.splitlines() == ["x", *map(format_cell, values)]


@pytest.mark.parametrize("cells", [("older", "old\x00er"), ("old\x00er",), ("a b", "\x1b[31mred\x9f")])
def test_control_characters_are_written_as_a_log_writes_them(cells):
    written = table_text((Column(name="a", description="", of=str),), cells).splitlines()[1:]
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in "".join(written))
    assert written[-1] in ("old\\x00er", "\\x1b[31mred\\x9f")
    assert written[:-1] == list(cells[:-1])
