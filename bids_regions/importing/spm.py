"""Folders of SPM: `SPM.mat`, and the images that its contrasts name beside it.

How the result is written is `writing`'s; voxels are not looked at.
"""

import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bids_regions.errors import BadMap, MissingInput, tell_error
from bids_regions.executors import Task, WorkerLost, Workers, check_workers, run_tasks
from bids_regions.images import voxel_axes
from bids_regions.importing.labels import distinct_labels, find_clues
from bids_regions.importing.model import Find, Source

__all__ = ["read_spm"]

HDF = b"\x89HDF\r\n\x1a\n"
PAIRS = (".img", ".hdr")  # of SPM8 and before: written as NIfTI


def read_spm(path: Path) -> Source:
    """The folder of an SPM.mat.

    Raises
    ------
    MissingInput
        The file cannot be read, or holds no contrast whose image is there.
    """
    design = _load(path / "SPM.mat")
    contrasts = _listed(getattr(design, "xCon", None))
    labels, notes = distinct_labels([(n, str(getattr(c, "name", ""))) for n, c in enumerate(contrasts, 1)])
    notes = [f"{path}: {note}" for note in notes]
    smoothness = _smoothness(path, design, notes)
    finds: list[Find] = []
    for number, contrast in enumerate(contrasts, 1):
        finds += _contrast(path, (number, labels[number], contrast), design, smoothness, notes)
    if not any(dict(find.entities)["stat"] in ("t", "F") for find in finds):
        told = "no contrast" if not contrasts else "no image of its contrasts"
        raise MissingInput(f"{path} holds {told}", hint="Estimate the contrasts in SPM, and give the folder with them")
    mask = _image(path, _text(design, "VM", "fname") or "mask.nii")
    if mask:
        finds.append(Find(path=mask, convert=mask.suffix in PAIRS, entities=(("desc", "brain"),), suffix="mask"))
    else:
        notes.append(f"{path} has no mask.nii")
    first_level = hasattr(design, "Sess")
    scans = [str(scan) for scan in _listed(getattr(getattr(design, "xY", None), "P", None))]
    clues = find_clues([*scans, str(path.absolute())] if first_level else scans)
    return Source(
        path=path, kind="SPM first level" if first_level else "SPM group", finds=tuple(finds),
        clues=clues if first_level else {key: label for key, label in clues.items() if key == "task"},
        of_participant=first_level, notes=tuple(notes),
    )  # fmt: skip


def _load(path: Path) -> Any:
    """The design, read by a process of its own: damaged files end scipy's reader by signals that no exception tells."""
    workers, _ = check_workers(Workers(n=2))
    ((_, design),) = run_tasks(deque([Task(function=_load_design, argument=path)]), workers)
    if isinstance(design, WorkerLost):
        raise MissingInput(f"{path} cannot be read: it ends its reader", hint="Give a whole SPM.mat")
    return design


def _load_design(path: Path) -> Any:
    from scipy import io  # noqa: PLC0415 # --help must not pay for it

    try:
        content = io.loadmat(path, struct_as_record=False, squeeze_me=True, variable_names=["SPM"])
    except Exception as error:
        if isinstance(error, NotImplementedError) or _is_hdf(path):
            raise MissingInput(
                f"{path} is a MATLAB v7.3 file, which cannot be read",
                hint="Load it in MATLAB and save it again: load SPM; save('SPM.mat', 'SPM', '-v7')",
            ) from error
        raise MissingInput(f"{path} cannot be read: {tell_error(error)}", hint="Give a whole SPM.mat") from error
    if not hasattr(content.get("SPM"), "_fieldnames"):
        raise MissingInput(f"{path} holds no design named SPM", hint="Give a folder that SPM made")
    return content["SPM"]


def _is_hdf(path: Path) -> bool:
    """Whether it is the container of v7.3, which lies behind MATLAB's header or alone."""
    try:
        with path.open("rb") as stream:
            begin = stream.read(520)
    except OSError:
        return False
    return HDF in (begin[:8], begin[512:])


def _listed(value: Any) -> list[Any]:
    """A structure's array as a list, however many it has; an empty one is none."""
    if value is None or (hasattr(value, "size") and value.size == 0):
        return []
    return list(value.ravel()) if hasattr(value, "ravel") else [value]


def _text(design: Any, *names: str) -> str:
    for name in names:
        design = getattr(design, name, None)
    return design.strip() if isinstance(design, str) else ""


def _numbers(value: Any) -> list[float]:
    try:
        return [float(number) for number in _listed(value)]
    except (TypeError, ValueError):
        return []


def _image(path: Path, name: str) -> Path | None:
    """The image of this name beside SPM.mat, wherever the analysis was made; packed ones too."""
    plain = _plain(name)
    candidates = [plain, plain + ".gz", re.sub(r"\.img$", ".nii", plain)]
    return next((path / each for each in candidates if each and (path / each).is_file()), None)


def _plain(name: str) -> str:
    """The name alone of a path of any system, without the number of a volume."""
    return re.split(r"[/\\]", name.partition(",")[0])[-1]


def _contrast(
    path: Path, asked: tuple[int, str, Any], design: Any, smoothness: dict[str, Any], notes: list[str]
) -> Iterable[Find]:
    """The statistic of one contrast, and its estimate."""
    number, label, contrast = asked
    kind = {"T": "t", "F": "F"}.get(_text(contrast, "STAT").upper())
    if kind is None:
        notes.append(f"{path}: contrast {number} is left out: it is neither T nor F")
        return
    sidecar: dict[str, Any] = {"ContrastName": str(getattr(contrast, "name", label))}
    wanted = [(_text(contrast, "Vspm", "fname") or f"spm{kind.upper()}_{number:04d}.nii", kind)]
    if kind == "t":
        wanted.append((_text(contrast, "Vcon", "fname") or f"con_{number:04d}.nii", "effect"))
    for name, stat in wanted:
        image = _image(path, name)
        if image is None:
            notes.append(f"{path} has no {_plain(name)}")
            continue
        facts = {**_dof(kind, contrast, design), **smoothness} if stat == kind else {}
        yield Find(
            path=image, convert=image.suffix in PAIRS, entities=(("contrast", label), ("stat", stat)),
            sidecar={**sidecar, **facts},
        )  # fmt: skip


def _dof(kind: str, contrast: Any, design: Any) -> dict[str, Any]:
    error = _numbers(getattr(getattr(design, "xX", None), "erdf", None))
    effect = _numbers(getattr(contrast, "eidf", None))
    if not error or (kind == "F" and not effect):
        return {}
    return {"DegreesOfFreedom": error[0] if kind == "t" else [effect[0], error[0]]}


def _smoothness(path: Path, design: Any, notes: list[str]) -> dict[str, Any]:
    """The FWHM of the residuals in mm along the axes nearest to x, y, z, and the voxels searched."""
    volume: Any = getattr(design, "xVol", None)
    fwhm, searched = _numbers(getattr(volume, "FWHM", None)), _numbers(getattr(volume, "S", None))
    try:
        axes = voxel_axes(volume.M)
    except (AttributeError, BadMap):
        axes = None
    if len(fwhm) != 3 or axes is None or not all(each > 0 for each in fwhm):
        notes.append(f"{path}: SPM.mat does not tell the smoothness of the residuals")
        return {}
    told: dict[str, Any] = {"FWHM": [fwhm[axis] * zoom for axis, zoom in axes]}
    if searched and searched[0] >= 1:
        told["Volume"] = int(searched[0])
    return {"Smoothness": told}
