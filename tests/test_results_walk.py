"""What runs logged, as later ones read it."""

from bids_regions.results.walk import read_logs


def test_logs_are_read_the_latest_first_and_what_cannot_be_read_is_passed_over(tmp_path):
    (tmp_path / "logs").mkdir()
    for name, text in {
        "log-20260101": '{"atlases": {"a": "old"}}',
        "log-20260102": '{"atlases": {"a": "new"}}',
        "log-20260103": '{"atlases": ["a"]}',
        "log-20260104": '{"surfaces": {}}',
        "log-20260105": "{",
    }.items():
        (tmp_path / "logs" / f"{name}.json").write_text(text)
    assert list(read_logs(tmp_path, "atlases")) == [{"a": "new"}, {"a": "old"}]
    assert list(read_logs(tmp_path / "elsewhere", "atlases")) == []
