"""The walk through a dataset's folders: where files that are named like statistical maps lie.

Folders that the selection rules out are not opened, so one participant costs the same in a dataset of ten and of ten
thousand. Links to folders are followed, each real folder is walked once, and a link to a folder that holds the
dataset is not. The walk reads names only.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from pathlib import Path

from bids_regions.dataset.mapfiles import Skipped
from bids_regions.errors import Fault
from bids_regions.files import read_json
from bids_regions.frozen import dataclass

__all__ = ["OWN_NAME", "Walk", "is_made_by", "is_map_name", "is_own_output"]

STATMAP = ("statmap",)
OWN_NAME = "bids_regions"
DESCRIPTION = "dataset_description.json"

# Folders that hold no map of this dataset: other datasets, programs, logs, pictures, intermediate results.
CLOSED = frozenset({"code", "derivatives", "figures", "logs", "sourcedata", "stimuli", "work",
                    "__MACOSX", "lost+found", "System Volume Information"})  # fmt: skip

# Files and folders that systems, editors and network disks make for themselves begin so.
NOT_OURS = ".@#$~"

# What ends so is a file: no need to ask the disk whether a link of this name leads to a folder.
FILE_ENDINGS = (".gz", ".nii", ".json", ".tsv", ".svg", ".html", ".gii", ".txt", ".png", ".h5", ".csv", ".md", ".pdf")


# What stands beside a map and is none; whatever else has a map's name is read, or named among the skipped.
BESIDE = (".json", ".tsv", ".svg", ".html", ".txt", ".png", ".jpg", ".h5", ".csv", ".md", ".pdf", ".yaml", ".toml",
          ".log", ".mat", ".js", ".css", ".tmp", ".lock")  # fmt: skip

# What ends so is neither a folder nor a map: most files of a dataset, of which nothing else is asked.
PLAIN = tuple(ending for ending in FILE_ENDINGS if ending in BESIDE)


@dataclass(kw_only=True)
class Walk:
    """One walk, and what it met on the way."""

    root: str  # of the dataset
    labels: Mapping[str, Collection[str]] = field(default_factory=dict)  # sub, ses -> the labels to open; none: all
    suffixes: tuple[str, ...] = STATMAP  # of the files that are maps
    at_most: int | None = None  # participant folders opened in each folder beyond those asked for; None: all
    failed: list[Skipped] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _marks: tuple[str, ...] = ()
    _walked: set[str] = field(default_factory=set)  # real paths
    _links: list[tuple[str, str]] = field(default_factory=list)  # path, relative path

    def __post_init__(self) -> None:
        """AFNI goes on after the suffix with `+`, as in `statmap+tlrc.HEAD`."""
        self._marks = tuple(f"_{suffix.lower()}{end}" for suffix in self.suffixes for end in ".+")

    def files(self, start: str = "") -> Iterator[str]:
        """The relative paths of the files named like maps below the folder `start` of the dataset, in no order."""
        pending = [(os.path.realpath(os.path.join(self.root, start)), start)]  # noqa: PTH118  # strings: a third faster
        while pending or self._links:
            if not pending:
                pending = self._follow_links()
                continue
            real, rel = pending.pop()
            if real in self._walked:
                continue
            self._walked.add(real)
            folders, names = self._read_folder(real, rel)
            prefix = f"{rel}/" if rel else ""
            yield from (prefix + name for name in names)
            pending += [(f"{real}/{name}", prefix + name) for name in folders]

    def _read_folder(self, real: str, rel: str) -> tuple[list[str], list[str]]:
        """The folders to open next, and the files named like maps."""
        folders: list[str] = []
        maps: list[str] = []
        described = False
        try:
            with self._entries(real, rel) as entries:
                for entry in entries:
                    name = entry.name
                    if name.endswith(PLAIN):
                        described = described or name == DESCRIPTION
                    elif self._is_marked(name) and name[0] not in NOT_OURS:
                        maps += [name] if is_map_name(name, self.suffixes) else []
                    elif not name.endswith(FILE_ENDINGS) and self._is_open(name) and self._is_folder(entry, rel):
                        folders.append(name)
        except OSError as error:
            self._fail(rel or ".", f"the folder cannot be read: {error.strerror}")
        if described and rel and is_own_output(real):
            return [], []
        return self._limited(folders), maps

    def _entries(self, real: str, rel: str) -> AbstractContextManager[Iterable[os.DirEntry[str] | Path]]:
        """What lies in a folder, without the folders of participants that nobody asked for: there may be thousands."""
        labels = self.labels.get("sub", ())
        if not labels or self.at_most or "sub-" in rel:
            return os.scandir(real)
        asked = {f"sub-{label}" for label in labels}
        os.stat(f"{real}/.")  # noqa: PTH116 # a folder to list but not to enter would look empty
        names = os.listdir(real)  # noqa: PTH208 # with the test below in the time that scandir takes alone
        kept = [n for n in names if not "sub-" < n < "sub." or "_" in n or n in asked]  # a map's name has a _
        return nullcontext([Path(real, name) for name in kept])

    def _is_marked(self, name: str) -> bool:
        lower = name.lower()
        for mark in self._marks:  # noqa: SIM110 # any() takes three times as long, for each file of a dataset
            if mark in lower:
                return True
        return False

    def _is_open(self, name: str) -> bool:
        if name in CLOSED or name[0] in NOT_OURS:
            return False
        key, _, label = name.partition("-")
        return key not in self.labels or label in self.labels[key] or (key == "sub" and self.at_most is not None)

    def _is_folder(self, entry: os.DirEntry[str] | Path, rel: str) -> bool:
        """Whether to open this entry now; a link to a folder is noted for later."""
        if not entry.is_symlink():
            return entry.is_dir()
        below = f"{rel}/{entry.name}" if rel else entry.name
        try:
            os.stat(entry)  # noqa: PTH116  # a DirEntry answers False alike for a file and a broken link
        except OSError as error:
            if entry.name.startswith(("sub-", "ses-")):
                self._fail(below, f"the link leads nowhere: {error.strerror}")
            return False
        if entry.is_dir():
            self._links.append((os.fspath(entry), below))
        return False

    def _limited(self, folders: list[str]) -> list[str]:
        if self.at_most is None:
            return folders
        asked = self.labels.get("sub", ())
        participants = sorted(name for name in folders if name.startswith("sub-"))
        chosen = set(participants[: self.at_most]) | {name for name in participants if name[4:] in asked}
        return [name for name in folders if name in chosen or not name.startswith("sub-")]

    def _follow_links(self) -> list[tuple[str, str]]:
        """The real folders that links met so far lead to, but for those that hold the dataset itself."""
        home = os.path.realpath(self.root)
        followed = []
        for path, rel in sorted(self._links, key=lambda link: link[1]):
            real = os.path.realpath(path)
            if home == real or home.startswith(real.rstrip("/") + "/"):
                self.notices.append(f"{rel} is a link to a folder that holds the dataset; it was not followed")
            else:
                followed.append((real, rel))
        self._links.clear()
        return followed[::-1]

    def _fail(self, rel: str, reason: str) -> None:
        label = next((part[4:] for part in rel.split("/") if part.startswith("sub-")), None)
        self.failed.append(Skipped(relpath=rel, reason=reason, participant=label))


def is_map_name(name: str, suffixes: Collection[str] = STATMAP) -> bool:
    """Whether a file name is that of a map with one of these suffixes, in whatever format and case."""
    last = name.rpartition("_")[2].lower()
    suffix = re.split(r"[.+]", last, maxsplit=1)[0]
    return suffix in {each.lower() for each in suffixes} and not last.endswith((*BESIDE, "."))


def is_own_output(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a dataset that this app wrote, whose maps are results and not input."""
    return bool(is_made_by(OWN_NAME, folder))


def is_made_by(program: str, folder: str | os.PathLike[str]) -> bool | None:
    """Whether a dataset's description names a program as its maker; None where no description can be read."""
    try:
        description = read_json(Path(folder, DESCRIPTION))
    except Fault:
        return None
    makers = description.get("GeneratedBy")
    named = isinstance(makers, list) and any(isinstance(m, dict) and m.get("Name") == program for m in makers)
    return named if description else None
