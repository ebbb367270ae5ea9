"""Libraries that wait: one loads when its first name is asked for, of another only files are read.

A library that most runs do not need costs them nothing so. What is imported late is still imported in its one home,
for the reader, the type checker and the test of the architecture; this module knows none of them.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Late", "find_package"]


class Late:
    """A module that is imported when one of its names is first asked for.

    >>> text = Late("string")
    >>> text.digits
    '0123456789'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)  # from here on as fast as a module
        return value


def find_package(name: str) -> Path:
    """The folder of an installed package, which is not imported.

    Raises
    ------
    ModuleNotFoundError
        It is not installed.
    """
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return Path(found.origin).parent
