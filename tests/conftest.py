"""What holds for every test: no limit of time may decide, for other work on the machine would; nor what was killed."""

import fcntl
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trees
from coverage_files import drop_broken
from hypothesis import HealthCheck, settings

settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")


@pytest.hookimpl(wrapper=True, trylast=True)  # inside of what measures coverage: before its files are put together
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Remove files of coverage that killed processes left half written."""
    ended = yield
    if not hasattr(session.config, "workerinput"):
        own = [path for path in session.config.rootpath.glob(".coverage.*") if path.is_file()]
        drop_broken(own)
    return ended


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """A folder that the first test to ask for it fills, for all tests and workers of the session: to be read only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}-is-whole"
        with (shared / f"{name}-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def nilearn_tree(once: Once) -> Path:
    """What nilearn's save_glm_to_bids writes."""
    return once("nilearn-tree", trees.nilearn_glm)
