"""What holds for every test: no limit of time may decide, for other work on the machine would; nor what was killed."""

from collections.abc import Generator

import pytest
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
