"""Folders that list their names in an order of ours, as file systems do in theirs."""

import os
from collections.abc import Iterator

import pytest


def list_by_name(monkeypatch: pytest.MonkeyPatch, *, backwards: bool) -> list[str]:
    """Have folders list their names from a to z or backwards; what was listed is noted in the list returned."""
    scandir, listdir = os.scandir, os.listdir
    listed: list[str] = []

    class Listing:
        """A listing in order, usable in a `with` statement as the real one is."""

        def __init__(self, path: object = ".") -> None:
            listed.append(str(path))
            with scandir(path) as entries:  # type: ignore[call-overload]
                self.entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=backwards))

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            return self.entries

        def __next__(self) -> os.DirEntry[str]:
            return next(self.entries)

        def __enter__(self) -> "Listing":
            return self

        def __exit__(self, *_: object) -> None:
            return

        def close(self) -> None:
            return

    monkeypatch.setattr(os, "scandir", Listing)
    monkeypatch.setattr(os, "listdir", lambda path=".": sorted(listdir(path), reverse=backwards))
    return listed
