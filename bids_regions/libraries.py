"""Libraries that wait: one loads when its first name is asked for, of another only files are read.

A library that most runs do not need costs them nothing so. What is imported late is still imported in its one home,
for the reader, the type checker and the test of the architecture; this module knows none of them.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bids_regions.errors import MissingInput

__all__ = ["Late", "find_package"]

FOR = {  # what is read of each, in the words of who lacks it
    "bids": "which knows the names of a dataset's files",
    "bidsschematools": "which knows the spaces of BIDS",
    "matplotlib": "which has the letters of pictures",
}
FROM = {"bids": "pybids"}  # under another name at PyPI


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
    MissingInput
        It is not installed.
    """
    found = find_spec(name)
    if found is None or found.origin is None:
        raise MissingInput(f"{name}, {FOR[name]}, is not installed", hint=f"pip install {FROM.get(name, name)}")
    return Path(found.origin).parent
