"""A half-written file of coverage must not end a run whose tests have all passed."""

from pathlib import Path

import pytest
from coverage import Coverage, CoverageData
from coverage.exceptions import DataError
from coverage_files import drop_broken, is_sound


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / ".coverage.sound"
    data = CoverageData(path.as_posix())
    data.add_arcs({f"/a/{n}.py": {(line, line + 1) for line in range(50)} for n in range(60)})
    data.write()
    data.close()
    return path


def combine(folder: Path) -> None:
    Coverage(data_file=folder / ".coverage", config_file=False).combine([folder.as_posix()])


def test_a_file_of_which_a_page_was_not_written_is_removed_before_it_does_harm(sound: Path) -> None:
    content = sound.read_bytes()
    broken = sound.with_name(".coverage.broken")
    half = content[: len(content) // 2] + bytes(len(content) - len(content) // 2)
    broken.write_bytes(half)
    with pytest.raises(DataError):
        combine(sound.parent)
    sound.write_bytes(content)
    broken.write_bytes(half)
    assert drop_broken(sorted(sound.parent.glob(".coverage.*"))) == [broken]
    assert (sound.exists(), broken.exists()) == (True, False)
    combine(sound.parent)


@pytest.mark.parametrize("length", [100, 4096, 20_000])
def test_a_file_that_ends_too_early_is_not_sound(sound: Path, length: int) -> None:
    assert is_sound(sound)
    sound.write_bytes(sound.read_bytes()[:length])
    assert not is_sound(sound)
