"""Our JSON is the library's, letter for letter; a column's cells are those of its values one by one."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_regions.files import encode_json
from bids_regions.tables import Column, format_cell, table_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.dictionaries(st.integers() | st.booleans(), inner, max_size=2)
    ),
    max_leaves=20,
)
CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([-0.0, -0.4, math.nan])


@given(VALUES)
def test_json_is_that_of_the_library(content: object) -> None:
    assert encode_json(content) == json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_holds_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"a": [value]})


@given(st.lists(CELLS, max_size=5) | st.lists(st.floats(), max_size=5) | st.lists(st.text(), max_size=5))
def test_a_column_has_the_cells_of_its_values(values: list[object]) -> None:
    text = table_text([Column(name="one", description="", of=lambda row: row)], values)
    assert text == "".join(f"{cell}\n" for cell in ["one", *map(format_cell, values)])
