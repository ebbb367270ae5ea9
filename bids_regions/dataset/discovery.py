"""The statistical maps of a dataset: which are taken, which are left out and why, which are broken.

A map is *skipped* when it is sound but no 3-D statistical volume to threshold upward; it has *failed* when its file
is broken. A z sibling of a t map has the same name but for `stat-`. Nothing is opened here: sizes and names only.
"""

import errno
import os
import re
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from bids_regions.dataset.hemispheres import join_hemispheres
from bids_regions.dataset.mapfiles import (
    Discovery,
    MapFile,
    Selection,
    Skipped,
    is_among,
    is_selected,
    matches,
    read_map_name,
)
from bids_regions.dataset.names import PASSED
from bids_regions.dataset.source import SourceDataset, has_maps
from bids_regions.dataset.walk import STATMAP, Walk
from bids_regions.errors import BadDataset, EmptySelection, MissingInput
from bids_regions.files import read_json, same_inflated

__all__ = ["check_selection", "find_maps", "read_filter_file"]

VOLUMES = (".nii.gz", ".nii")
SHEETS = (".gii", ".func.gii", ".shape.gii")  # GIFTI files that hold a number for each vertex, compressed or not
READ = "only NIfTI (.nii, .nii.gz), GIFTI (.gii) and CIFTI files (.dscalar.nii, .dtseries.nii) are read"
OTHER_SHEETS = {  # endings of surface and CIFTI files that are no map, and what they are
    ".surf.gii": "a GIFTI surface: a mesh and no map",
    ".label.gii": "a GIFTI label file: labels and no map",
    ".dlabel.nii": "a CIFTI label file: labels and no map",
    ".pscalar.nii": "a CIFTI file of parcels (pscalar), which have no place",
    ".ptseries.nii": "a CIFTI file of parcels over time (ptseries)",
    ".dconn.nii": "a CIFTI matrix of connections (dconn)",
    ".pconn.nii": "a CIFTI matrix of connections (pconn)",
}
DENSE = (".dscalar.nii", ".dtseries.nii")
FILTER_QUERY = "statmap"
FILTER_HINT = 'Its form is {"statmap": {"task": "rest", "run": null}}'
VOLUME = "volume"  # the entity of a volume of a 4-D file
SHOWN = 10  # labels named in a sentence


def find_maps(dataset: SourceDataset, selection: Selection) -> Discovery:
    """The maps that `selection` asks for, sorted by their relative paths."""
    labels = selection.labels()
    folders = {key: wanted for key, wanted in labels.items() if key in ("sub", "ses")}
    walk = Walk(root=str(dataset.root), labels=folders, suffixes=selection.endings)
    found = [read_map_name(dataset.root, rel) for start in dataset.folders for rel in walk.files(start)]
    found.sort(key=lambda mapfile: mapfile.relpath)
    stats = labels.pop("stat", frozenset())
    filters = {key: want for key, want in selection.filters.items() if key != VOLUME}  # known once files are opened
    wanted = [m for m in found if is_selected(m, labels, selection.assume_space) and matches(m, filters)]
    maps: list[MapFile] = []
    skipped: list[Skipped] = []
    failed = list(walk.failed)
    twins = _find_twins(wanted)
    of_stat = _of_wanted_stat(wanted, stats, selection)
    chosen = join_hemispheres([mapfile for mapfile in of_stat if mapfile.relpath not in twins])
    for mapfile in (*chosen, *(mapfile for mapfile in of_stat if mapfile.relpath in twins)):
        unfit = _unfit(mapfile, selection.endings) or _unasked(mapfile, stats, selection)
        if reason := unfit or twins.get(mapfile.relpath, ""):
            skipped.append(_leave(mapfile, reason))
        elif reason := _broken(mapfile):
            failed.append(_leave(mapfile, reason))
        else:
            maps.append(mapfile)
    notices = [*walk.notices, *_unmatched(found, selection)]
    return Discovery(
        maps=tuple(maps),
        skipped=tuple(skipped),
        failed=tuple(sorted(failed, key=lambda one: one.relpath)),
        notices=tuple(notices),
        n_found=len(found),
        stats_left=tuple(sorted({m.stat.lower() for m in wanted} - {m.stat.lower() for m in chosen})),
    )


def check_selection(dataset: SourceDataset, discovery: Discovery, endings: tuple[str, ...] = STATMAP) -> None:
    """Refuse to go on where there is nothing to do.

    Raises
    ------
    MissingInput
        The dataset has no statistical map at all.
    EmptySelection
        It has some, and the selection left none; the sentence says which labels no map has.
    """
    if discovery.maps or discovery.skipped or discovery.failed:
        return
    if not discovery.n_found and not any(
        has_maps(dataset.root / folder, suffixes=endings) for folder in dataset.folders
    ):
        raise MissingInput(
            f"{dataset.root} has no statistical map (a file named *_{endings[0]}.nii.gz, .nii, .gii or .dscalar.nii)",
            hint="Give the derivatives dataset with the maps, such as the output of FitLins or nilearn; maps of other "
            "suffixes are asked for by --suffix",
        )
    hint = "Change --participant-label, --task-id, --contrast, --stat or --bids-filter-file"
    told = ["The selection leaves no statistical map.", *discovery.notices]
    if discovery.stats_left:
        told.append("By default maps of stat-z are taken, and those of stat-t that have no z beside them.")
        hint = f"Ask for others by --stat; there is {', '.join(stat for stat in discovery.stats_left if stat)}"
    raise EmptySelection(" ".join(told), hint=hint)


def read_filter_file(path: Path, endings: tuple[str, ...] = STATMAP) -> dict[str, object]:
    """The query of a filter file in fMRIPrep's form: of the first of these suffixes that it has, else of statmap.

    Raises
    ------
    MissingInput
        The file is not there, cannot be read, or is not of the form {"statmap": {"entity": value}}.
    """
    try:
        content = read_json(path)
    except BadDataset as fault:
        raise MissingInput(fault.sentence, hint=fault.hint) from fault
    query = next((content[ending] for ending in (*endings, FILTER_QUERY) if ending in content), None)
    if not isinstance(query, dict):
        raise MissingInput(f"{path} has no {[*endings, FILTER_QUERY][0]!r} query", hint=FILTER_HINT)
    wrong = [key for key, w in query.items() if not all(isinstance(each, str | int | None) for each in _listed(w))]
    if wrong:
        sentence = f'{path}: {", ".join(wrong)} wants no label, number, null, "*" or list of these'
        raise MissingInput(sentence, hint=FILTER_HINT)
    return query


def _listed(wanted: object) -> list[object]:
    return wanted if isinstance(wanted, list) else [wanted]


def _of_wanted_stat(maps: list[MapFile], stats: Collection[str], selection: Selection) -> list[MapFile]:
    """The maps of the statistics asked for; by default z, t without a z sibling, and every map without `stat-`."""
    if stats:
        return [m for m in maps if is_among("stat", m.stat or m.told()[0], stats)]
    if "stat" in selection.filters or selection.suffixes:  # a suffix that was named is wanted whatever it holds
        return maps
    kinds = [(mapfile, mapfile.kind) for mapfile in maps]
    with_z = {_family(mapfile) for mapfile, kind in kinds if kind.distribution == "normal" and kind.both}
    return [
        mapfile
        for mapfile, kind in kinds
        if not mapfile.stat or (kind.selected and not (kind.name == "t" and _family(mapfile) in with_z))
    ]


def _family(mapfile: MapFile) -> tuple[object, ...]:
    """What the maps of one contrast share whatever their statistic."""
    folder = mapfile.relpath.rpartition("/")[0]
    others = frozenset(pair for pair in mapfile.entities if pair[0] != "stat")
    return folder, others, mapfile.extension.removesuffix(".gz") if mapfile.form != "volume" else ""


def _leave(mapfile: MapFile, reason: str) -> Skipped:
    return Skipped(relpath=mapfile.relpath, reason=reason, participant=mapfile.participant)


def _find_twins(maps: Iterable[MapFile]) -> dict[str, str]:
    """Maps that stand beside another of their name, compressed or not, with the same content: why they are left."""
    reasons: dict[str, str] = {}
    first: dict[str, MapFile] = {}
    for mapfile in sorted(maps, key=lambda one: (-len(one.extension), one.relpath)):  # .nii.gz comes first
        if mapfile.form == "volume" and mapfile.extension.lower() not in VOLUMES:
            continue
        stem = mapfile.relpath.removesuffix(mapfile.extension)
        kind = "" if mapfile.form == "volume" else mapfile.extension.removesuffix(".gz")
        other = first.setdefault(stem + kind, mapfile)
        if other is not mapfile and same_inflated(other.path, mapfile.path):
            reasons[mapfile.relpath] = f"its content is that of {other.relpath.rpartition('/')[2]}, which is taken"
    return reasons


def _unfit(mapfile: MapFile, suffixes: Collection[str] = STATMAP) -> str:
    """Why a map is skipped, told by its name; empty for one that is taken."""
    first = re.split("[_-]", mapfile.relpath.rpartition("/")[2], maxsplit=1)[0]
    if " " in first:
        return f"its name begins with {first!r}, which is no entity: a copy, it seems"
    if mapfile.suffix not in suffixes:
        return f"its suffix is {mapfile.suffix}, in other letters than {' '.join(suffixes)}"
    if mapfile.form != "volume":
        ending = mapfile.extension.removesuffix(".gz")
        if ending not in (*SHEETS, *DENSE):
            return OTHER_SHEETS.get(ending, f"a {mapfile.extension} file: no map of a surface that is read")
    elif mapfile.extension.lower() not in VOLUMES:
        return f"a {mapfile.extension} file: {READ}"
    unlabelled = [key for key, label in mapfile.entities if key in PASSED and not label]
    return f"its name has {unlabelled[0]}- without a label" if unlabelled else ""


def _unasked(mapfile: MapFile, stats: Collection[str], selection: Selection) -> str:
    """Why a map without `stat-`, which no default leaves out, is skipped all the same; empty for one that is taken."""
    if mapfile.stat or stats or "stat" in selection.filters or mapfile.suffix in set(selection.suffixes) - set(STATMAP):
        return ""
    word, kind = mapfile.told()
    return f"a map of {word}, which is taken only where --stat asks for it" if kind.asked_only else ""


def _broken(mapfile: MapFile) -> str:
    """Why a map has failed, told without opening it; empty for one that has not."""
    folder = next((part[4:] for part in mapfile.relpath.split("/")[:-1] if part.startswith("sub-")), None)
    if folder is not None and folder != mapfile.participant:
        return f"it lies in the folder of sub-{folder} and is named for sub-{mapfile.participant}"
    root = os.fspath(mapfile.root)
    if reason := _broken_file(f"{root}/{mapfile.relpath}"):
        return reason
    broken = ((other, _broken_file(f"{root}/{other}")) for other in mapfile.others)  # a map is named by its first file
    return next((f"{other.rpartition('/')[2]}: {reason}" for other, reason in broken if reason), "")


def _broken_file(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116  # strings: a third of the time of Path.stat, once per map
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a loop of symbolic links"
        link = os.path.islink(path)  # noqa: PTH114  # as above
        words = "a link to a file that is not there (git annex get?)" if link else "the file cannot be read"
        return f"{words}: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    return "" if status.st_size else "an empty file (0 bytes)"


def _unmatched(found: list[MapFile], selection: Selection) -> list[str]:
    """For each asked label that no map has, a sentence that says so, and what there is."""
    sentences = []
    for key, asked in selection.labels().items():
        there = {label for mapfile in found if (label := mapfile.entity(key)) is not None}
        if key == "space" and selection.assume_space:
            there.add(selection.assume_space)
        shown = ", ".join(sorted(there)[:SHOWN]) + (", ..." if len(there) > SHOWN else "")
        known = f"; there is {shown}" if there and key != "sub" else ""
        missing = [label for label in sorted(asked) if not is_among(key, label, there)]
        sentences += [f"No statistical map has {key}-{label}{known}." for label in missing]
    return sentences + [
        f"No statistical map has the entity {key!r} of the filter file."
        for key, wanted in selection.filters.items()
        if wanted not in (None, False) and key != VOLUME and found and not any(mapfile.entity(key) for mapfile in found)
    ]
