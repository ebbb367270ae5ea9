"""Atlases on disk: what a user asked for, where it is, what its files say of it, and which maps it fits.

An *atlas* is an image with a name for each of its values (for each of its volumes, where it is probabilistic) in one
space. A *request* is an atlas as a user writes it: a path, `templateflow:` and the name of an atlas, or `ENTITY=VALUE`
for each participant's own segmentation; nothing is ever downloaded. A *user* of atlases is a map: its space and its
participant. A *fitting* is what a request came to for one user. This module does not know where a participant's own
segmentation lies: whoever asks has found it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bids_regions.atlases.label_lists import LABEL_LIST_SUFFIXES, read_label_list, unusable
from bids_regions.atlases.placing import Content, check_names
from bids_regions.atlases.requests import (
    Request,
    choose_names,
    entities_in,
    parse_request,
    person_in,
    stem_of,
    suffix_of,
)
from bids_regions.atlases.seeking import (
    FSAVERAGE,
    AtlasUser,
    OtherMesh,
    find_in_templateflow,
    find_space,
    read_requests,
    tell_home,
)
from bids_regions.atlases.sheets import SheetContent, check_sheets, is_sheet_file
from bids_regions.errors import Contradiction, Fault, MissingInput, printable
from bids_regions.files import expand_home, hash_of, read_json
from bids_regions.frozen import dataclass
from bids_regions.space import Grayordinates, Grid, Sheet

__all__ = [
    "Atlas",
    "AtlasReader",
    "AtlasUser",
    "Fitting",
    "asks_templateflow",
    "fit_atlases",
    "fit_to_maps",
    "misplaced",
    "own_entities",
]

# spaces of one person's brain, in lower case: BIDS's image-based ones and the words that datasets use
IMAGES = ("anat", "bold", "boldref", "dwi", "flair", "func", "orig", "t1w", "t2w")
NATIVE_SPACES = frozenset((*IMAGES, "acpc", "fsnative", "individual", "scanner"))
LEVELS_UP = 4  # folders above an image in which what describes it is looked for
TEXT_LIMIT = 1000  # characters of a licence or a citation
OTHER_MESH = "Give an atlas on the mesh of the maps: fetch its files of that den-, or name them by their paths"
UNCHECKED = "or give --atlas-space-unchecked where you know that they are the same"


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """An atlas that was found and can be read; two are equal when their content is."""

    fingerprint: str  # SHA-256 of the image's bytes and the names, in hexadecimal digits
    name: str = field(compare=False)  # alphanumeric; heads the columns <name>_peak and <name>_overlap
    path: Path = field(compare=False)  # the image
    names: Mapping[int, str] = field(compare=False)  # value, or volume counted from one -> name
    space: str = field(compare=False)  # "" where it is not known
    probabilistic: bool = field(compare=False)  # 4-D, one volume of probabilities for each label
    file_hash: str = field(compare=False)  # SHA-256 of the image's bytes
    version: str = field(compare=False)  # "" where its files do not say, as the next two
    license: str = field(compare=False)
    citation: str = field(compare=False)
    notes: tuple[str, ...] = field(compare=False)  # sentences
    other: Path | None = field(compare=False, default=None)  # on surfaces, the other hemisphere's file
    labels: tuple[tuple[str, int], ...] = field(compare=False, default=())  # on surfaces, structure and key of each

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files."""
        return (self.path, self.other) if self.other else (self.path,)


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """What one request came to for one user."""

    name: str  # heads the columns, also where the atlas does not fit
    atlas: Atlas | None
    reason: str = ""  # why there is none
    other_kind: bool = False  # it is of voxels and the map of vertices, or the other way round: no contradiction
    other_mesh: bool = False  # it has other numbers of vertices than the map


def fit_to_maps(
    specs: Sequence[str], users: Iterable[AtlasUser], *, unchecked: bool = False
) -> dict[AtlasUser, tuple[Fitting, ...]]:
    """The atlases for each map, so that all faults are told before any work.

    Raises
    ------
    Contradiction
        An atlas that fits no map at all; a request that cannot be understood.
    MissingInput
        An atlas that is not there or cannot be read; one that is each participant's own, and no participant has it.
    """
    requests = read_requests(specs)
    reader = AtlasReader.remembering()
    fitted = {user: _fit_all(requests, user, reader, unchecked=unchecked) for user in dict.fromkeys(users)}
    columns = zip(requests, zip(*fitted.values(), strict=True), strict=bool(fitted))
    unfit = [(request, column) for request, column in columns if all(each.atlas is None for each in column)]
    unfit = [(request, column) for request, column in unfit if not all(each.other_kind for each in column)]
    lost = [(request, "; ".join(dict.fromkeys(each.reason for each in column))) for request, column in unfit]
    if absent := [reason for request, reason in lost if request.own]:
        hint = "It is sought beside the maps and in the datasets of DatasetLinks; or give --atlas a path"
        raise MissingInput(absent[0].partition("; ")[0], hint=hint)
    if lost:
        on_other_mesh = all(each.other_mesh for _, column in unfit for each in column)
        hint = OTHER_MESH if on_other_mesh else f"Give an atlas in the space of the maps, {UNCHECKED}"
        raise Contradiction(problems=[reason for _, reason in lost], hint=hint)
    return fitted


def fit_atlases(
    specs: Sequence[str],
    *,
    space: str,
    participant: str | None = None,
    unchecked: bool = False,
    domain: Grid | Grayordinates | None = None,
    reader: "AtlasReader | None" = None,
) -> tuple[Fitting, ...]:
    """One fitting per request, in order, for maps of `space` ("" where they have none) that lie on `domain`.

    `reader` is one that remembers, where there are many such maps.
    """
    user = AtlasUser(space=space, participant=participant, **_tell_mesh(domain))
    return _fit_all(read_requests(specs), user, reader or AtlasReader.remembering(), unchecked=unchecked)


def _tell_mesh(domain: Grid | Grayordinates | None) -> dict[str, Any]:
    """The form of maps that lie on `domain`, and the vertices of a hemisphere's mesh."""
    if not isinstance(domain, Grayordinates):
        return {}
    sheets = [piece for piece in domain.pieces if isinstance(piece, Sheet)]
    is_cifti = len(sheets) < len(domain.pieces) or any(sheet.vertices is not None for sheet in sheets)
    return {
        "form": "cifti" if is_cifti else "gifti",
        "n_vertices": next((sheet.mesh.n_vertices for sheet in sheets), 0),
    }


def own_entities(specs: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
    """The entities of each request for the participants' own segmentation, in the order of the requests."""
    return [request.own for request in map(parse_request, specs) if request.own]


def asks_templateflow(specs: Sequence[str]) -> bool:
    """Whether an atlas has to be sought in TemplateFlow's folder."""
    return any(request.template_name for request in map(parse_request, specs))


class AtlasReader(NamedTuple):
    """How atlases are found and read."""

    seek: Callable[[Request, AtlasUser], Request | OtherMesh | None]
    load: Callable[[Path, Request, str, str], Atlas]

    @classmethod
    def remembering(cls) -> "AtlasReader":
        """One that looks for and reads each atlas once, for the many maps of a run."""
        return cls(seek=cache(find_in_templateflow), load=cache(_load))


def _fit_all(
    requests: Sequence[Request], user: AtlasUser, reader: AtlasReader, *, unchecked: bool
) -> tuple[Fitting, ...]:
    own = iter(user.own)
    fitted = []
    for request, name in zip(requests, choose_names(requests), strict=True):
        if request.own:
            fitted.append(_fit_own(request, name, next(own, None), user, reader))
        else:
            fitted.append(_fit(request, name, user, reader, unchecked=unchecked))
    return tuple(fitted)


def _fit_own(request: Request, name: str, path: Path | None, user: AtlasUser, reader: AtlasReader) -> Fitting:
    """A participant's own segmentation; one that is missing or broken costs its names and nothing else."""
    if user.on_surfaces:
        return _of_other_kind(name, user)
    if path is None:
        wanted = "_".join(f"{key}-{value}" for key, value in request.own)
        whose = f"sub-{user.participant}" if user.participant else "the group, which has no brain of its own"
        its = f" in the space {user.space}" if user.space else ""
        return Fitting(name=name, atlas=None, reason=f"No {wanted} segmentation{its} was found of {whose}")
    try:
        return Fitting(name=name, atlas=reader.load(path, request, name, user.space))
    except Fault as fault:
        return Fitting(name=name, atlas=None, reason=fault.sentence)


def _of_other_kind(name: str, user: AtlasUser) -> Fitting:
    its, theirs = ("of voxels", "on surfaces") if user.on_surfaces else ("of vertices", "of voxels")
    reason = f"The atlas {name} is {its} and the map is {theirs}"
    return Fitting(name=name, atlas=None, reason=reason, other_kind=True)


def _fit(request: Request, name: str, user: AtlasUser, reader: AtlasReader, *, unchecked: bool) -> Fitting:
    found = request if request.path else reader.seek(request, user.as_anybody)
    if isinstance(found, OtherMesh):
        return Fitting(name=name, atlas=None, reason=found.reason, other_mesh=True)
    if found is None or found.path is None:
        where = f"the space {user.space}" if user.space else "maps that do not say their space"
        return Fitting(name=name, atlas=None, reason=f"{request.text} is not in {tell_home()} for {where}")
    request, path = found, found.path
    own_space = find_space(path, request.option("space"))
    atlas = reader.load(path, request, name, own_space)
    if is_sheet_file(path) != user.on_surfaces:
        return _of_other_kind(name, user)
    reason = "" if unchecked else _misfit(name, own_space, user.space)
    if not (reason or unchecked) and (wrong := _wrong_person(path, own_space, user.participant)):
        reason = f"The atlas {name} {wrong}"
    return Fitting(name=name, atlas=None if reason else atlas, reason=reason)


def misplaced(path: Path, user: AtlasUser, told: str = "") -> str:
    """Why an image that says its space may not be laid on a user's map; "" where it may, or where one does not say.

    Masks are held to this. Of an atlas more is asked: it must say its space, and so must the map.
    """
    own_space = find_space(path, told)
    if own_space and user.space and own_space != user.space:
        return f"is in the space {own_space} and the map is in {user.space}"
    return _wrong_person(path, own_space, user.participant)


def _wrong_person(path: Path, own_space: str, participant: str | None) -> str:
    """Why an image in one person's own space may not be laid on a map of `participant`."""
    if own_space.lower() not in NATIVE_SPACES:
        return ""
    whose = next((label for part in (path.name, *reversed(path.parts[:-1])) if (label := person_in(part))), None)
    if whose is not None and whose == participant:
        return ""
    its = f"of sub-{whose}" if whose else "of one person whose label it does not say"
    theirs = f"a map of sub-{participant}" if participant else "a group map"
    return f"is in the native space {own_space} {its} and may not be laid on {theirs}"


def _misfit(name: str, own_space: str, space: str) -> str:
    if own_space and FSAVERAGE.sub("fsaverage", own_space) == FSAVERAGE.sub("fsaverage", space):
        return ""
    its = f"is in the space {own_space}" if own_space else "does not say its space"
    theirs = f"the maps are in {space}" if space else "the maps do not say theirs"
    return f"The atlas {name} {its} and {theirs}"


def _load(path: Path, request: Request, name: str, space: str) -> Atlas:
    _check_there(path)
    if is_sheet_file(path):
        return _load_sheets(path, request, name, space)
    listed = read_label_list(_find_list(path, request.option("labels")))
    content = check_names(path, listed.names)
    told = _told_of(path, content, listed.notes)
    return Atlas(name=name, path=path, space=space, probabilistic=content.probabilistic, **told)


def _load_sheets(path: Path, request: Request, name: str, space: str) -> Atlas:
    if request.other:
        _check_there(request.other)
    paths = (path, request.other) if request.other else (path,)
    told = request.option("labels")
    content = check_sheets(paths, lambda one: _find_list(one, told), listed=bool(told))
    return Atlas(
        name=name, path=path, other=request.other, space=space, probabilistic=False, labels=content.labels,
        **_told_of(path, content),
    )  # fmt: skip


def _told_of(path: Path, content: Content | SheetContent, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the files of an atlas say of its labels, and those beside it of its version, licence and authors."""
    metadata, unread = _read_metadata(path)
    return {
        "fingerprint": hash_of([content.file_hash, sorted(content.names.items())]),
        "names": content.names,
        "file_hash": content.file_hash,
        "version": _text(metadata, "Version", "DatasetVersion"),
        "license": _text(metadata, "License"),
        "citation": _text(metadata, "HowToAcknowledge", "ReferencesAndLinks", "DatasetDOI"),
        "notes": (*notes, *content.notes, *unread),
    }


def _check_there(path: Path) -> None:
    if not path.is_file():
        fetch = "Fetch its content, with `datalad get` for instance" if path.is_symlink() else "Check the path"
        raise unusable(path, "is not there", fetch)
    if not path.stat().st_size:
        hint = "TemplateFlow keeps such a placeholder until it has fetched the file: fetch it once"
        raise unusable(path, "is empty (0 bytes)", hint)


def _find_list(path: Path, told: str) -> Path:
    if told:
        given = expand_home(told)
        return beside if (beside := path.parent / given).exists() else given
    stem = path.parent / stem_of(path)
    candidates = [stem.with_name(stem.name + suffix) for suffix in LABEL_LIST_SUFFIXES]
    candidates += [path.with_name(path.name + ".txt"), stem.with_name(stem.name + ".nii.txt")]
    # TemplateFlow keeps one table, of the suffix dseg, for the labels and the probabilities of Harvard-Oxford
    for candidate in (*candidates, *_inherited(path, ".tsv"), *_inherited(path, ".tsv", "dseg")):
        if candidate.is_file():
            return candidate
    sentence = f"There is no list of labels for the atlas {path}"
    hint = f"Put {stem.name}.tsv with the columns index and name beside it, or write {path.name}?labels=FILE"
    raise MissingInput(sentence, hint=hint)


def _inherited(path: Path, extension: str, suffix: str = "") -> Iterator[Path]:
    """Files by BIDS's inheritance principle: same suffix, no entity the image does not have; the nearest first."""
    entities, suffix = set(entities_in(path).items()), suffix or suffix_of(path)
    if not entities:
        return
    for folder in _folders_up(path):
        shared = [other for other in folder.glob(f"*_{suffix}{extension}") if _own(other, extension) <= entities]
        yield from sorted(shared, key=lambda other: (-len(_own(other, extension)), other.name))


def _own(path: Path, extension: str) -> set[tuple[str, str]]:
    return set(entities_in(Path(path.name.removesuffix(extension))).items())


def _folders_up(path: Path) -> Iterator[Path]:
    folders = path.resolve().parents
    for folder in list(folders)[:LEVELS_UP]:
        yield folder
        if (folder / "dataset_description.json").exists() or folder.name.startswith("tpl-"):
            root = folder.parent
            if folder.name.startswith("tpl-") and (root / "dataset_description.json").exists():
                yield root
            return


def _read_metadata(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the atlas's JSON files say of it, the nearest first; a dataset's description speaks for its atlas files."""
    entities = entities_in(path)
    found = [path.parent / f"{stem_of(path)}.json", *_inherited(path, ".json")]
    for folder in _folders_up(path) if entities.keys() & {"atlas", "tpl"} else ():
        label = entities.get("atlas") or entities.get("seg")
        found += [folder / f"atlas-{label}_description.json", folder / "dataset_description.json"]
    metadata: dict[str, object] = {}
    notes = []
    for file in dict.fromkeys(found):
        if file.is_file():
            try:
                metadata = read_json(file) | metadata
            except Fault as error:
                notes.append(f"{file.name} could not be read ({error.sentence}): what it says is left out")
    return metadata, tuple(notes)


def _text(metadata: Mapping[str, object], *keys: str) -> str:
    for key in keys:
        value = metadata.get(key)
        text = "; ".join(str(each) for each in value) if isinstance(value, list) else str(value or "")
        if text.strip() and "{" not in text:  # TemplateFlow's HowToAcknowledge may be a form to fill in
            return printable(" ".join(text.split()), TEXT_LIMIT)
    return ""
