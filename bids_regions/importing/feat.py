"""FEAT folders of FSL, first level and group (`.gfeat`), as they stand.

A FEAT folder holds `stats/` with `cope`, `varcope`, `tstat`, `zstat`, `fstat` images numbered by contrast, `dof` and
`smoothness` as text, `design.con` with the contrasts' names and `mask`. A `.gfeat` folder holds one FEAT folder for
each contrast of the level below, whose name is in `design.lev`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_regions.errors import Fault, MissingInput
from bids_regions.files import list_names, read_text
from bids_regions.importing.labels import distinct_labels, find_clues, label_of
from bids_regions.importing.model import Find, Source, left_out, read_number

__all__ = ["is_feat", "is_gfeat", "read_feat", "read_gfeat"]

STATS = {"zstat": "z", "tstat": "t", "fstat": "F", "cope": "effect", "varcope": "variance", "tdof_t": "dof"}
IMAGE = re.compile(r"(zstat|tstat|zfstat|fstat|cope|varcope|tdof_t)(\d+)\.nii(\.gz)?")
SETTING = re.compile(r"^set\s+(?:fmri\(([^)]*)\)|(feat_files\(\d+\)))\s+\"?([^\"\n]*)\"?\s*$", re.MULTILINE)
FSL_TEMPLATE, STANDARD = re.compile(r"MNI152_T1_\d", re.IGNORECASE), "MNI152NLin6Asym"  # the standard of FSL
NATIVE = "func"  # the space of a first level that nobody named
CONTRASTS_FILE, NUMERATOR_FILE = "design.con", "design.fts"
OF_CONTRAST = ("zstat", "tstat", "cope", "varcope")  # what FEAT writes of each contrast


def is_feat(path: Path) -> bool:
    """Whether a folder is one of FEAT, whole or not."""
    return path.suffix == ".feat" or ((path / CONTRASTS_FILE).is_file() and (path / "stats").is_dir())


def is_gfeat(path: Path) -> bool:
    """Whether a folder is a group's."""
    return path.suffix == ".gfeat" or any(re.fullmatch(r"cope\d+\.feat", name) for name in list_names(path))


def read_gfeat(path: Path) -> list[Source]:
    """The FEAT folders of a group folder.

    Raises
    ------
    MissingInput
        It holds none.
    """
    names = [name for name in list_names(path) if re.fullmatch(r"cope\d+\.feat", name)]
    if not names:
        raise MissingInput(f"{path} holds no cope1.feat", hint="Give the group folder that FEAT has finished")
    folders = sorted((path / name for name in names), key=lambda folder: int(re.sub(r"\D", "", folder.stem)))
    lower, notes = distinct_labels([(n, _name_below(folder)) for n, folder in enumerate(folders, 1)])
    sources: list[Source] = []
    faults: list[str] = []
    for n, folder in enumerate(folders, 1):
        try:
            sources.append(read_feat(folder, lower=lower[n], notes=tuple(notes) if n == 1 else ()))
        except MissingInput as fault:
            faults.append(str(fault))
    if not sources:
        raise MissingInput(" ".join(faults))
    first = sources[0]
    return [replace(first, notes=(*first.notes, *faults)), *sources[1:]]


def _name_below(folder: Path) -> str:
    """The name of the contrast of the level below."""
    try:
        name = read_text(folder / "design.lev").strip()
    except Fault:
        name = ""
    return name if label_of(name) else folder.stem


def read_feat(path: Path, *, lower: str | None = None, notes: tuple[str, ...] = ()) -> Source:
    """One FEAT folder; `lower` is the label of the contrast of the level below, for one of a group.

    Raises
    ------
    MissingInput
        It has no statistical image.
    """
    images = _images(path / "stats")
    if not images:
        raise MissingInput(
            f"{path} is a FEAT folder without statistical images in stats/", hint="Give one that FEAT has finished"
        )
    design = _design(path)
    first_level = lower is None and design.get("level", "1") == "1" and not (path / "design.lev").is_file()
    finds, said = _finds((path, design), images, () if lower is None else (("taskcontrast", lower),))
    inputs = [value for key, value in design.items() if key.startswith("feat_files(")]
    clues = find_clues([*inputs, str(path.absolute())] if first_level else inputs)
    clues = clues if first_level or "sub" in clues else {key: clues[key] for key in clues if key == "task"}
    return Source(
        path=path,
        kind="FEAT first level" if first_level else "FEAT group",
        finds=tuple(finds),
        clues=clues,
        space=NATIVE if first_level else STANDARD if FSL_TEMPLATE.search(design.get("regstandard", "")) else None,
        of_participant=first_level,
        notes=(*notes, *said),
    )


def _images(stats: Path) -> dict[tuple[str, int], Path]:
    """The statistical images by kind and number; a link to nowhere is none."""
    found = ((IMAGE.fullmatch(name), stats / name) for name in list_names(stats))
    return {(match[1], int(match[2])): image for match, image in found if match and image.is_file()}


def _design(path: Path) -> dict[str, str]:
    """The settings of design.fsf, of the folder or of the group folder around it; none where there is none."""
    for file in (path / "design.fsf", path.parent / "design.fsf"):
        try:
            text = read_text(file)
        except Fault:
            continue
        return {key or files: value.strip() for key, files, value in SETTING.findall(text)}
    return {}


def _finds(
    folder: tuple[Path, Mapping[str, str]], images: Mapping[tuple[str, int], Path], lower: tuple[tuple[str, str], ...]
) -> tuple[list[Find], list[str]]:
    path, design = folder
    names = _contrast_names(path, design)
    numbers = sorted({number for kind, number in images if kind not in ("fstat", "zfstat")})
    labels, notes = distinct_labels([(n, names.get(n, "")) for n in numbers])
    notes = [f"{path}: {note}" for note in notes]
    smoothness, dof = _smoothness(path / "stats"), _dof(path / "stats")
    notes += _lacking(path, images, {*numbers, *names}) + [f"{path} has no {what}" for what, there in (
        ("stats/smoothness", smoothness), ("stats/dof", dof), ("design.fsf", design),
        ("design.con with names of contrasts", any((folder / CONTRASTS_FILE).is_file() for folder in _around(path))),
    ) if not there]  # fmt: skip
    finds = []
    for (kind, number), image in sorted(images.items(), key=lambda one: (one[0][1], one[0][0])):
        if kind == "zfstat":
            continue
        label = f"F{number}" if kind == "fstat" else labels[number]
        sidecar: dict[str, Any] = {} if kind == "fstat" else {"ContrastName": names.get(number, label)}
        sidecar |= _facts(path, kind, number, dof=None if kind == "tstat" and ("tdof_t", number) in images else dof)
        if kind in ("zstat", "tstat", "fstat") and smoothness:
            sidecar["Smoothness"] = smoothness
        entities = (*lower, ("contrast", label), ("stat", STATS[kind]))
        finds.append(Find(path=image, entities=entities, sidecar=sidecar))
    zf = [image.name for (kind, number), image in sorted(images.items()) if kind == "zfstat"]
    notes += left_out(path, zf, "for fstat images say the same with their degrees of freedom")
    mask = next((path / name for name in ("mask.nii.gz", "mask.nii") if (path / name).is_file()), None)
    if mask:
        finds.append(Find(path=mask, entities=(*lower, ("desc", "brain")), suffix="mask"))
    else:
        notes.append(f"{path} has no mask.nii.gz")
    return finds, notes


def _lacking(path: Path, images: Mapping[tuple[str, int], Path], contrasts: Iterable[int]) -> list[str]:
    """A sentence on what FEAT writes of each contrast and F test, and is not there."""
    tests, found = _tests(path), {number for kind, number in images if kind == "fstat"}
    lacking = [f"stats/{kind}{n}" for n in sorted(contrasts) for kind in OF_CONTRAST if (kind, n) not in images]
    lacking += [f"stats/fstat{n}" for n in range(1, len(tests) + 1) if n not in found]
    lacking += [NUMERATOR_FILE] if found and not tests else []
    return [f"{path} has no {', '.join(lacking)}"] if lacking else []


def _facts(path: Path, kind: str, number: int, *, dof: float | None) -> dict[str, Any]:
    """Degrees of freedom, where they are those of the whole map."""
    if dof is None or kind not in ("tstat", "fstat"):
        return {}
    if kind == "tstat":
        return {"DegreesOfFreedom": dof}
    effect = _effect_dof(path, number)
    return {"DegreesOfFreedom": [effect, dof]} if effect else {}


def _contrast_names(path: Path, design: Mapping[str, str]) -> dict[int, str]:
    """By design.con, of the folder or of the group folder around it, else by design.fsf."""
    for folder in _around(path):
        try:
            text = read_text(folder / CONTRASTS_FILE)
        except Fault:
            continue
        found = re.findall(r"^/ContrastName(\d+)[ \t]*([^\n]*)$", text, re.MULTILINE)
        if found:
            return {int(number): name.strip() for number, name in found}
    told = {key.rpartition(".")[2]: name for key, name in design.items() if key.startswith("conname_real.")}
    return {int(number): name for number, name in told.items() if number.isdecimal()}


def _around(path: Path) -> list[Path]:
    """The folder, and the group folder that it is of."""
    return [path, *([path.parent] if path.parent.suffix == ".gfeat" else [])]


def _effect_dof(path: Path, number: int) -> int | None:
    """The contrasts that an F test joins."""
    joined = [sum(cell != "0" for cell in row) for row in _tests(path)]
    return joined[number - 1] or None if number <= len(joined) else None


def _tests(path: Path) -> list[list[str]]:
    """The F tests, each as the contrasts that it joins."""
    try:
        lines = read_text(path / NUMERATOR_FILE).partition("/Matrix")[2].splitlines()
    except Fault:
        return []
    return [line.split() for line in lines if line.strip()]


def _smoothness(stats: Path) -> dict[str, Any]:
    """What `smoothest` printed: DLH, VOLUME and RESELS, which are voxels per resel; newer ones the FWHM in mm, too."""
    told = dict(_words(stats / "smoothness"))
    names = {"dlh": "DLH", "Volume": "VOLUME", "VoxelsPerResel": "RESELS"}
    numbers = {key: read_number(told.get(name, "")) for key, name in names.items()}
    known: dict[str, Any] = {key: number for key, number in numbers.items() if number is not None and number > 0}
    fwhm = [read_number(word) for word in told.get("FWHMMM", "").split()]
    if len(fwhm) == 3 and all(number is not None and number > 0 for number in fwhm):
        known["FWHM"] = fwhm
    return known


def _words(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = read_text(path).splitlines()
    except Fault:
        return
    for line in lines:
        name, _, value = line.strip().partition(" ")
        yield name.upper(), value.strip()


def _dof(stats: Path) -> float | None:
    try:
        return read_number(read_text(stats / "dof").split()[0])
    except (Fault, IndexError):
        return None
