"""Where the results of a map go: every output path of a map and entry is named here, once.

An owner is the folder at the top of the output, `sub-01` for a participant, `tpl-S` for what has no participant. The
stem is the name without suffix and extension. Entities that the BIDS schema allows on a segmentation pass through;
all others are folded into `seg-` verbatim, so that no two maps share a name. Nothing is written here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Self, get_args

from bids_regions.dataset import MapFile
from bids_regions.dataset.mapfiles import Form
from bids_regions.dataset.names import PASSED, PASSED_ON_SURFACES, Entities, clean_label, fold_label
from bids_regions.errors import BadDataset, Contradiction
from bids_regions.files import hash_of
from bids_regions.frozen import dataclass

__all__ = [
    "ALL_LABELS",
    "LABELS",
    "SIDECAR",
    "TABLE",
    "GroupPaths",
    "OutputPaths",
    "check_collisions",
    "failures_folder",
    "name_found",
    "name_group_outputs",
    "name_outputs",
    "name_owner",
    "name_participant",
]

LABELS = "_dseg.nii.gz"  # what follows the stem
GIFTI_LABELS, CIFTI_LABELS = "_dseg.label.gii", "_dseg.dlabel.nii"
ALL_LABELS = (LABELS, GIFTI_LABELS, CIFTI_LABELS)
SHARES: Mapping[Form, str] = {  # images of fractions of people
    "volume": "_probseg.nii.gz", "gifti": "_probseg.shape.gii", "cifti": "_probseg.dscalar.nii",
}  # fmt: skip
LOCK = "logs/.lock"  # of the output folder, a byte for each record and for each owner
TABLE = "_dseg.tsv"
SIDECAR = "_dseg.json"
PEAKS = "_peaks.tsv"

NAME_LIMIT = 255  # bytes of a file name, on every file system in use
ENTRY_LIMIT = 64  # characters of an entry's name
LONGEST_SUFFIX = "Thresholded_statmap.nii.gz"  # what may follow `_desc-<entry>`
NUMBERS = frozenset({"run", "echo"})  # BIDS wants digits in these labels
HASH = 32  # hexadecimal digits: 128 bits
SHORT_HASH = 16  # hexadecimal digits, where there is little room
LAST = ("res", "den")  # entities that stand after seg-
AFTER_HEMI = frozenset({"space", "seg", "den", "desc"})  # the first of these in a name stands behind hemi-
FOLDERS = ("sub", "ses", "space")  # entities that name folders, so that their labels cannot be left out of a name
ONE_CASE = "BIDS allows no two, and many disks hold but one"
FOLDER_LIMIT = 48  # characters of such a label; a longer one is hashed


def failures_folder(output_dir: Path, owner: str = "") -> Path:
    """Where the notes of failures lie: of one owner, or of all.

    pybids must read no entity in these names: a map that failed is none of the dataset's.
    """
    return output_dir / "logs" / "failed" / _without_entities(owner)


def _without_entities(name: str) -> str:
    return name.replace("-", "=")


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputPaths:
    """The paths of all that one map and entry may leave."""

    output_dir: Path
    folder: Path  # of the label image and its companions
    base: str  # the name up to `_desc-`
    entry: str  # name of the entry, the label of desc-
    owner: str  # "sub-01" or "tpl-S"
    source: str  # relative path of the map, or words for a set of maps
    form: Form = "volume"
    sides: tuple[str, ...] = ()  # hemispheres that have a label file of their own: L, R

    @property
    def stem(self) -> str:
        """The name without suffix and extension."""
        return f"{self.base}_desc-{self.entry}"

    @property
    def labels(self) -> Path:
        """The label image; of two hemispheres the first one's."""
        return self.label_files[0]

    @property
    def label_files(self) -> tuple[Path, ...]:
        """The label image, or one for each hemisphere; its name alone has `hemi-`."""
        return self._files(dict(zip(get_args(Form), ALL_LABELS, strict=True)))

    @property
    def share_files(self) -> tuple[Path, ...]:
        """An image of fractions of people, or one for each hemisphere."""
        return self._files(SHARES)

    @property
    def share_sidecar(self) -> Path:
        """What describes that image, or both hemispheres'."""
        return self.folder / f"{self.stem}_probseg.json"

    def _files(self, endings: Mapping[Form, str]) -> tuple[Path, ...]:
        stems = [_with_hemi(self.stem, side) for side in self.sides] if self.form == "gifti" else [self.stem]
        return tuple(self.folder / f"{stem}{endings[self.form]}" for stem in stems)

    @property
    def table(self) -> Path:
        """The table of regions."""
        return self.folder / f"{self.stem}{TABLE}"

    @property
    def sidecar(self) -> Path:
        """The record of what was done, written last."""
        return self.folder / f"{self.stem}{SIDECAR}"

    @property
    def peaks(self) -> Path:
        """The table of sub-peaks."""
        return self.folder / f"{self.stem}{PEAKS}"

    @property
    def thresholded(self) -> Path:
        """The map with everything outside the regions set to zero."""
        return self.folder / f"{self.stem}Thresholded_statmap.nii.gz"

    @property
    def regions4d(self) -> Path:
        """One volume per region."""
        return self.folder / f"{self.stem}Regions_statmap.nii.gz"

    @property
    def figures(self) -> Path:
        """The folder of the owner's figures."""
        return self.output_dir / (f"{self.owner}/figures" if self.owner.startswith("sub-") else "figures")

    @property
    def figure(self) -> Path:
        """The static figure of the report; its suffix is that of no image and no table."""
        return self.figures / f"{self.stem}_figure.svg"

    @property
    def failure(self) -> Path:
        """What is left of a map that failed: its reason, for the group level and the report."""
        return failures_folder(self.output_dir, self.owner) / f"{_without_entities(self.stem)}.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPaths:
    """The paths of what a set of participants leaves."""

    positive: OutputPaths  # prevalence of positive regions: fractions, with their sidecar
    negative: OutputPaths
    positive_lower: OutputPaths  # its lower bound
    negative_lower: OutputPaths
    coverage: OutputPaths  # fraction of participants with data
    consensus: OutputPaths  # consensus regions: label image, table, sidecar, peaks, figure
    pooled: OutputPaths  # the same of maps of all sessions or runs together

    def on_sides(self, sides: tuple[str, ...]) -> Self:
        """The same of maps on these hemispheres."""
        return type(self)(**{each.name: replace(getattr(self, each.name), sides=sides) for each in fields(self)})


def name_outputs(
    mapfile: MapFile, entry_name: str, output_dir: Path, *, assume_space: str | None = None
) -> OutputPaths:
    """Where the results of `mapfile` under the entry `entry_name` go."""
    paths = _paths(mapfile.entities, (entry_name, ""), output_dir, (assume_space, mapfile.form), mapfile.title)
    return replace(paths, form=mapfile.form, sides=mapfile.sides) if mapfile.form != "volume" else paths


def name_found(sidecar: Path, entry_name: str, output_dir: Path, owner: str, mapfile: MapFile) -> OutputPaths | None:
    """The paths beside a sidecar of a map that stands; None where its name is not one of this entry."""
    stem, end = sidecar.name.removesuffix(SIDECAR), f"_desc-{entry_name}"
    if not stem.endswith(end):
        return None
    base = stem.removesuffix(end)
    return OutputPaths(
        output_dir=output_dir, folder=sidecar.parent, base=base, entry=entry_name, owner=owner, source=mapfile.title,
        form=mapfile.form, sides=mapfile.sides,
    )  # fmt: skip


def name_owner(mapfile: MapFile, assume_space: str | None = None) -> str:
    """The owner of what comes of a map: `sub-01`, or `tpl-S` for a map without a participant."""
    return _own(_sort_out(mapfile.entities, assume_space, PASSED)[0])


def name_participant(label: str) -> str:
    """The owner of what comes of a participant's maps: `sub-01`; characters that are none of BIDS are folded."""
    return _own(_sort_out((("sub", label),), None, PASSED)[0])


def name_group_outputs(
    entities: Entities,
    entry_name: str,
    output_dir: Path,
    *,
    assume_space: str | None = None,
    form: Form = "volume",
) -> GroupPaths:
    """Where the results of a set go: `entities` are those its maps share, all but `sub`.

    Maps on hemispheres have their `sides` yet to be told.
    """
    shared = tuple(pair for pair in entities if pair[0] != "sub")
    words = "the participants' " + "_".join("-".join(pair) for pair in shared)

    def of(kind: str) -> OutputPaths:
        paths = _paths(shared, (entry_name, kind), output_dir, (assume_space, form), words)
        return replace(paths, form=form)

    surface = "" if form == "volume" else "Surface"
    return GroupPaths(
        positive=of(f"Pos{surface}Prevalence"),
        negative=of(f"Neg{surface}Prevalence"),
        positive_lower=of(f"Pos{surface}PrevalenceLower"),
        negative_lower=of(f"Neg{surface}PrevalenceLower"),
        coverage=of(f"{surface}Coverage"),
        consensus=of("Consensus"),
        pooled=of("PooledConsensus"),
    )


def check_collisions(outputs: Iterable[OutputPaths]) -> None:
    """Refuse two results under one name, before anything is written; disks that ignore case count too."""
    seen: dict[str, OutputPaths] = {}
    for paths in outputs:
        key = f"{paths.folder}/{paths.stem}".lower()
        other = seen.setdefault(key, paths)
        if other is paths:
            continue
        if other.source == paths.source:
            raise Contradiction(
                f"Two entries named {other.entry} and {paths.entry} both match {paths.source}",
                hint="Give the entries different names, or match tables that cannot both hold",
            )
        same = (other.folder, other.stem) == (paths.folder, paths.stem)
        become = f"both become {paths.labels.name}" if same else f"become names that differ in case alone ({ONE_CASE})"
        raise BadDataset(
            f"{other.source} and {paths.source} would {become}",
            hint="Rename one of them, or select only one by --contrast, --task-id, --derivatives, --suffix "
            "or --bids-filter-file",
        )


def _with_hemi(stem: str, side: str) -> str:
    """A name with the `hemi-` of one hemisphere where the schema has it; unchanged where the side is not known.

    >>> _with_hemi("sub-01_task-x_space-fsLR_seg-a_desc-b", "L")
    'sub-01_task-x_hemi-L_space-fsLR_seg-a_desc-b'
    """
    parts = stem.split("_")
    at = next(k for k, part in enumerate(parts) if part.partition("-")[0] in AFTER_HEMI)
    return "_".join([*parts[:at], *([f"hemi-{side}"] if side else []), *parts[at:]])


def _paths(
    entities: Entities, named: tuple[str, str], output_dir: Path, where: tuple[str | None, Form], source: str
) -> OutputPaths:
    """The paths of an entry; `named` are its name and what is said after it, as PosPrevalence."""
    entry_name, kind = named
    if not (entry_name.isascii() and entry_name.isalnum() and len(entry_name) <= ENTRY_LIMIT):
        raise Contradiction(
            f"The entry name {entry_name!r} cannot be the label of desc-",
            hint=f"Use letters and digits only, at most {ENTRY_LIMIT} of them",
        )
    assume_space, form = where
    passed, folded = _sort_out(entities, assume_space, PASSED if form == "volume" else PASSED_ON_SURFACES)
    owner = _own(passed)
    folder = output_dir / owner
    if owner.startswith("sub-"):
        folder /= f"ses-{passed['ses']}" if "ses" in passed else ""
        folder /= "func" if "task" in passed and form == "volume" else ""  # there the schema allows no surfaces
    entry = entry_name + kind
    base = _fit_name(owner, passed, folded, entry)
    return OutputPaths(output_dir=output_dir, folder=folder, base=base, entry=entry, owner=owner, source=source)


def _own(passed: dict[str, str]) -> str:
    """The owner of what has these labels; takes from `passed` what the owner's name says."""
    label = passed.pop("sub", None)
    return f"sub-{label}" if label else f"tpl-{passed.pop('space', 'group')}"


def _sort_out(entities: Entities, assume_space: str | None, passing: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """The labels that pass through by key in the schema's order, and all other entities folded into one label."""
    passed: dict[str, str] = {}
    folded = []
    space = dict(entities).get("space") or assume_space
    for key, label in entities:
        cleaned = clean_label(label)
        fits = key in passing and cleaned and key not in passed and (key not in NUMBERS or _is_number(cleaned))
        if fits:
            passed[key] = cleaned
        elif key == "tpl" and not any(k == "sub" for k, _ in entities) and space in (None, label):
            space = label  # a template map says its space by tpl-
        else:
            folded.append("+".join(part for part in (clean_label(key), fold_label(key, label)) if part))
    if space and clean_label(space):
        passed.setdefault("space", clean_label(space))
    for key in FOLDERS:
        if len(passed.get(key, "")) > FOLDER_LIMIT:
            passed[key] = hash_of(passed[key])[:SHORT_HASH]
    return {key: passed[key] for key in passing if key in passed}, "+".join(folded)


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _fit_name(owner: str, passed: dict[str, str], folded: str, entry_name: str) -> str:
    """The name up to `_desc-`; where it would be too long for a file name, a hash of all of it stands in `seg-`."""
    room = NAME_LIMIT - len(f"_desc-{entry_name}{LONGEST_SUFFIX}")
    whole = hash_of([owner, passed, folded])
    essential = {key: label for key, label in passed.items() if key in ("ses", "task", "run", "space", *LAST)}
    least = {key: label[:SHORT_HASH] for key, label in passed.items() if key == "task"}
    least = {key: label for key, label in passed.items() if key == "ses"} | least
    variants = ((passed, folded), (passed, whole[:HASH]), (essential, whole[:HASH]), (least, whole[:SHORT_HASH]))
    names = (_join(owner, labels, seg) for labels, seg in variants)
    return next(name for name in names if len(name) <= room)  # the last always fits: its parts are bounded


def _join(owner: str, labels: dict[str, str], seg: str) -> str:
    before = [f"{key}-{label}" for key, label in labels.items() if key not in LAST]
    after = [f"{key}-{labels[key]}" for key in LAST if key in labels]
    return "_".join([owner, *before, *([f"seg-{seg}"] if seg else []), *after])
