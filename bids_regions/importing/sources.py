"""Which of the ways in a path is, and what it holds."""

from pathlib import Path

from bids_regions.dataset.source import list_folders
from bids_regions.errors import MissingInput
from bids_regions.importing.afni import is_afni, read_afni
from bids_regions.importing.feat import is_feat, is_gfeat, read_feat, read_gfeat
from bids_regions.importing.model import Source
from bids_regions.importing.permutation import has_prefix, read_prefix
from bids_regions.importing.spm import read_spm

__all__ = ["read_source"]

SHOWN = 5
KNOWN = (
    "Give a FEAT or gfeat folder, a folder with SPM.mat, the prefix of randomise's or PALM's outputs, or an AFNI "
    "dataset (+tlrc, +orig)"
)


def read_source(path: Path, *, p_scale: str | None = None) -> list[Source]:
    """What a path holds: one source, or the folders of a group.

    Raises
    ------
    MissingInput
        It is not there, is nothing known, or holds nothing that can be imported.
    Contradiction
        Something has to be told.
    """
    if path.is_file() and path.name == "SPM.mat":
        path = path.parent
    if path.is_dir():
        return _read_folder(path)
    if is_afni(path):
        return [read_afni(path)]
    if has_prefix(path):
        return [read_prefix(path, p_scale=p_scale)]
    told = "is nothing that can be imported" if path.exists() else "is not there"
    raise MissingInput(f"{path} {told}", hint=KNOWN)


def _read_folder(path: Path) -> list[Source]:
    if (path / "SPM.mat").exists():
        return [read_spm(path)]
    if is_gfeat(path):
        return read_gfeat(path)
    if is_feat(path):
        return [read_feat(path)]
    if any(path.glob("spm[TF]_*.*")):
        raise MissingInput(f"{path} has images of SPM and no SPM.mat", hint="Give the folder in which SPM.mat lies")
    inside = sorted(
        each.name for each in list_folders(path) if (each / "SPM.mat").exists() or is_gfeat(each) or is_feat(each)
    )
    hint = f"It holds {', '.join(inside[:SHOWN])}{', ...' if len(inside) > SHOWN else ''}: give these" if inside else ""
    raise MissingInput(f"{path} is a folder of none of the kinds that can be imported", hint=hint or KNOWN)
