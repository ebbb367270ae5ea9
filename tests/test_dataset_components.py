"""The names of tedana's components, as its tables tell them."""

from bids_regions.dataset.components import _accepted


def test_a_short_row_of_the_table_is_no_component():
    head = ["Component", "kappa", "classification"]
    rows = [head, ["a", "1", "accepted"], ["a note", "0"], [], ["b", "2", "rejected"], ["c", "3", "accepted"]]
    assert _accepted(rows) == ["a", "c"]
