"""What workers make once for all of them, and what they are told where that fails."""

import pytest


def test_it_is_made_once(once):
    made = []
    for _ in range(2):
        folder = once("a-folder-made-once", lambda folder: made.append((folder / "a").write_text("x")))
        assert (folder / "a").read_text() == "x"
    assert len(made) == 1


def test_whoever_asks_after_a_failure_is_told_its_cause(once):
    def fail(folder):
        (folder / "half").touch()
        raise ZeroDivisionError("the very cause")

    with pytest.raises(ZeroDivisionError):
        once("a-folder-never-made", fail)
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception, match=r"(?s)never-made could not.*Error: the very"):
            once("a-folder-never-made", fail)
