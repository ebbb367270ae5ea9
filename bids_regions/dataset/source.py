"""The dataset that maps are taken from: BIDS_DIR itself, or one of the derivatives it holds.

A dataset is a folder with maps below it; `dataset_description.json` says what it is. A raw BIDS dataset has no maps
of its own but a folder `derivatives/`; so has, in effect, a folder that holds nothing but derivatives.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_regions.dataset.walk import DESCRIPTION, STATMAP, Walk, is_own_output
from bids_regions.errors import BadDataset, MissingInput
from bids_regions.files import read_json
from bids_regions.frozen import dataclass

__all__ = ["LINK", "SourceDataset", "has_maps", "open_dataset"]

LINK = "input"  # the name of the source dataset in DatasetLinks and in every BIDS URI
PROBED = 100  # participants looked into to learn whether a dataset has maps, before all are
MOUNT_HINT = "Check the spelling; in a container, check that the folder is mounted"


@dataclass(frozen=True, kw_only=True)
class SourceDataset:
    """Where the maps come from."""

    root: Path  # absolute; relative paths of maps start here
    bids_dir: Path  # as the user named it, absolute: root itself, or the dataset whose derivative root is
    folders: tuple[str, ...] = ("",)  # of root, searched for maps
    name: str  # as its description says, else its folder's
    description: Mapping[str, Any]  # dataset_description.json; empty where there is none
    notices: tuple[str, ...] = ()  # sentences for the log and the report
    checked: bool = True  # a description that cannot be parsed was refused

    @property
    def derivatives(self) -> tuple[str, ...]:
        """The names of the derivatives of BIDS_DIR that maps are taken from; none where they lie in BIDS_DIR itself."""
        taken = (self.root / folder for folder in self.folders)
        return tuple(folder.name for folder in taken if folder != self.bids_dir)


def open_dataset(
    bids_dir: str | Path,
    derivatives: Iterable[str] = (),
    participants: Iterable[str] = (),
    *,
    suffixes: tuple[str, ...] = STATMAP,
    check: bool = True,
) -> SourceDataset:
    """The dataset to take maps from.

    `derivatives` names folders of `derivatives/`; `participants` are labels that are looked into first; maps have one
    of `suffixes`. Without `check` a description that cannot be parsed counts as empty.

    Raises
    ------
    MissingInput
        There is no such folder, or no statistical map anywhere in it.
    BadDataset
        A dataset_description.json cannot be parsed, or several derivatives have maps and none is named.
    """
    top = _existing_folder(Path(bids_dir))
    description = _read_description(top, check=check)
    probe = _Probe(participants=frozenset(label.removeprefix("sub-") for label in participants), suffixes=suffixes)
    chosen = tuple(dict.fromkeys(derivatives))
    if chosen:
        return _take(top, [_named_derivative(top, name) for name in chosen], description, check=check)
    if is_own_output(top):
        raise BadDataset(f"{top} is the output of bids_regions, not its input", hint="Name the dataset with the maps")
    found = _derivatives_with_maps(top, probe) if _holds_datasets(top, description, probe) else []
    if len(found) > 1:
        raise BadDataset(
            f"{top} has several derivatives with statistical maps: {', '.join(f.name for f in found)}",
            hint=f"Choose by --derivatives, such as --derivatives {found[0].name}",
        )
    if not found:
        return _take(top, [top], description, check=check)
    taken = _take(top, found, description, check=check)
    notice = f"{top} has no statistical maps of its own; those of {_below(found[0], top)} are taken"
    return replace(taken, notices=(notice, *taken.notices))


def has_maps(folder: Path, participants: frozenset[str] = frozenset(), *, suffixes: tuple[str, ...] = STATMAP) -> bool:
    """Whether there is any statistical map in a folder; a hundred participants are looked into before all are."""
    probe = _Probe(participants=participants, suffixes=suffixes)
    return any(next(probe.walk(folder, at_most=n).files(), None) is not None for n in (PROBED, None))


def _existing_folder(path: Path) -> Path:
    top = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would hide the name that the user gave
    try:
        with os.scandir(top):
            return top
    except FileNotFoundError as error:
        raise MissingInput(f"{top} does not exist", hint=MOUNT_HINT) from error
    except NotADirectoryError as error:
        raise MissingInput(f"{top} is not a folder", hint="Give the folder of a BIDS dataset") from error
    except OSError as error:
        raise MissingInput(f"{top} cannot be read: {error.strerror}", hint=MOUNT_HINT) from error


def _read_description(folder: Path, *, check: bool) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        return read_json(path) if os.path.lexists(path) else {}
    except BadDataset:
        if check:
            raise
        return {}


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """What maps are sought by, where it is asked whether a folder has any."""

    participants: frozenset[str]
    suffixes: tuple[str, ...]

    def walk(self, folder: Path, *, at_most: int | None) -> Walk:
        labels = {"sub": self.participants} if at_most else {}
        return Walk(root=str(folder), labels=labels, suffixes=self.suffixes, at_most=at_most)


def _holds_datasets(top: Path, description: Mapping[str, Any], probe: _Probe) -> bool:
    """Whether maps are to be sought in the datasets below `top` and not in `top` itself."""
    inside = [] if description else list_folders(top)  # one folder per participant: not looked into without need
    if inside and all((child / DESCRIPTION).is_file() for child in inside):
        return True
    if not (top / "derivatives").is_dir():
        return False
    return next(probe.walk(top, at_most=PROBED).files(), None) is None


def _derivatives_with_maps(top: Path, probe: _Probe) -> list[Path]:
    candidates = [folder for folder in _derivatives(top) if not is_own_output(folder)]
    for at_most in (PROBED, None):  # a pipeline whose first hundred participants have no map has none
        walks = [probe.walk(folder, at_most=at_most) for folder in candidates]
        found = [f for f, walk in zip(candidates, walks, strict=True) if next(walk.files(), None) is not None]
        if found:
            return found
    return []


def _derivatives(top: Path) -> list[Path]:
    """The folders that may be derivatives: those of `derivatives/`, else those below `top` that describe themselves."""
    inside = top / "derivatives"
    return list_folders(inside) if inside.is_dir() else [f for f in list_folders(top) if (f / DESCRIPTION).is_file()]


def list_folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted; none where it cannot be read."""
    try:
        return sorted(child for child in path.iterdir() if child.name[0] != "." and os.path.isdir(child))  # noqa: PTH112 # False, not an error, where one may not look
    except OSError:
        return []


def _named_derivative(top: Path, name: str) -> Path:
    for folder in (top / "derivatives" / name, top / name):
        if name.strip("./") and ".." not in Path(name).parts and os.path.isdir(folder):  # noqa: PTH112 # False where it can be no name
            return folder
    there = ", ".join(folder.name for folder in _derivatives(top)) or "none"
    raise MissingInput(f"{top} has no derivatives named {name}", hint=f"It has: {there}")


def _take(top: Path, chosen: list[Path], description: Mapping[str, Any], *, check: bool) -> SourceDataset:
    root = chosen[0] if len(chosen) == 1 else top
    own = description if root == top else _read_description(root, check=check)
    notices = [
        f"{_below(folder, top)} has no {DESCRIPTION}" for folder in chosen if not os.path.lexists(folder / DESCRIPTION)
    ]
    for folder in chosen:
        _read_description(folder, check=check)  # one that cannot be parsed is refused here, whichever of several it is
    name = own.get("Name")
    return SourceDataset(
        root=root,
        bids_dir=top,
        folders=("",) if len(chosen) == 1 else tuple(folder.relative_to(top).as_posix() for folder in chosen),
        name=name.strip() if isinstance(name, str) and name.strip() else root.name,
        description=own,
        notices=tuple(notices),
        checked=check,
    )


def _below(folder: Path, top: Path) -> str:
    return str(top) if folder == top else folder.relative_to(top).as_posix()
