"""What holds for every test: no limit of time may decide, for other work on the machine would; nor what was killed."""

import fcntl
import traceback
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trees
from _pytest.doctest import DoctestModule
from coverage_files import drop_broken
from hypothesis import HealthCheck, settings

settings.register_profile("any load", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")


@pytest.hookimpl(wrapper=True, trylast=True)  # inside of what measures coverage: before its files are put together
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Remove files of coverage that killed processes left half written."""
    ended = yield
    if not hasattr(session.config, "workerinput"):
        own = [path for path in session.config.rootpath.glob(".coverage.*") if path.is_file()]
        drop_broken(own)
    return ended


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for no examples in the docstrings of tests, which have none."""
    return [found for found in (yield) if not isinstance(found, DoctestModule)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give whole files to workers, so that what a file's tests share is made once."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 # one process needs no xdist

    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def one_processor() -> Generator[None]:
    """Let the app run in one process here, on whatever machine, unless a test asks for more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bids_regions.settings.run.count_processors", lambda: 1)
        yield


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """A folder that the first test to ask for it fills, for all tests and workers of the session: to be read only.

    Where that fails it is not tried again: whoever asks later is told what happened.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done, failed = (shared / f"{name}{ending}" for ending in ("", "-is-whole", "-failed"))
        with (shared / f"{name}-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if failed.exists():
                pytest.fail(f"{name} could not be made, and its first maker was told:\n{failed.read_text()}")
            if not done.exists():
                folder.mkdir()
                try:
                    make(folder)
                except BaseException:
                    failed.write_text(traceback.format_exc())
                    raise
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def nilearn_tree(once: Once) -> Path:
    """What nilearn's save_glm_to_bids writes."""
    return once("nilearn-tree", trees.nilearn_glm)
