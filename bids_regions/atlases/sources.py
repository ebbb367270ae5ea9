"""Atlases on disk: what a user asked for, where it is, what its files say of it, and which maps it fits.

An *atlas* is an image with a name for each of its values (for each of its volumes, where it is probabilistic) in one
space. A *request* is an atlas as a user writes it: a path, or `templateflow:` and the name of an atlas; nothing is ever
downloaded. A *fitting* is what a request came to for the maps of one space.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bids_regions.atlases.label_lists import LABEL_LIST_SUFFIXES, read_label_list, unusable
from bids_regions.atlases.placing import check_names
from bids_regions.errors import Contradiction, Fault, MissingInput, printable
from bids_regions.files import hash_of, read_json

__all__ = ["Atlas", "Fitting", "fit_atlases", "fit_to_spaces"]

FLOW = "templateflow:"
FILE_KEYS = {"labels", "space", "name"}  # what a path may be followed by
IMAGE = re.compile(r"(?P<stem>.+?)\.nii(?:\.gz)?$", re.IGNORECASE)
ENTITY = re.compile(r"(?:^|_)([a-z][a-zA-Z0-9]*)-([0-9a-zA-Z+]+)")
TELLING = ({"scale", "res", "desc", "den", "suffix"}, {"tpl", "space", "cohort"})  # keys that tell atlases apart
PREFERRED_RESOLUTION = "2"  # of several in TemplateFlow: 2 mm in its MNI spaces, the grid of most statistical maps
LEVELS_UP = 4  # folders above an image in which what describes it is looked for
TEXT_LIMIT = 1000  # characters of a licence or a citation
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


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """What one request came to for the maps of one space."""

    name: str  # heads the columns, also where the atlas does not fit
    atlas: Atlas | None
    reason: str = ""  # why there is none


@dataclass(frozen=True, kw_only=True)
class Request:
    """An atlas as a user wrote it."""

    text: str
    path: Path | None = None  # None: in TemplateFlow
    template_name: str = ""  # atlas- or seg- label in TemplateFlow
    options: Mapping[str, str] = field(default_factory=dict)  # labels, space, name; entities in TemplateFlow


def fit_to_spaces(
    specs: Sequence[str], spaces: Iterable[str], *, unchecked: bool = False
) -> dict[str, tuple[Fitting, ...]]:
    """The atlases for the maps of each space ("" for maps that have none), so that all faults are told before any work.

    Raises
    ------
    Contradiction
        An atlas that fits no map at all; a request that cannot be understood.
    MissingInput
        An atlas that is not there or cannot be read.
    """
    fitted = {space: fit_atlases(specs, space=space, unchecked=unchecked) for space in sorted(set(spaces))}
    problems = [
        "; ".join(dict.fromkeys(each.reason for each in column))
        for column in zip(*fitted.values(), strict=True)
        if all(each.atlas is None for each in column)
    ]
    if problems:
        raise Contradiction(problems=problems, hint=f"Give an atlas in the space of the maps, {UNCHECKED}")
    return fitted


def fit_atlases(specs: Sequence[str], *, space: str, unchecked: bool = False) -> tuple[Fitting, ...]:
    """One fitting per request, in order, for maps of `space` ("" where they have none)."""
    requests = [_parse(spec) for spec in specs]
    names = _choose_names(requests)
    return tuple(_fit(request, name, space, unchecked=unchecked) for request, name in zip(requests, names, strict=True))


def _parse(spec: str) -> Request:
    text = spec.strip()
    if text.startswith(FLOW):
        name, _, query = text.removeprefix(FLOW).partition("?")
        if not re.fullmatch(r"[0-9a-zA-Z+]+", name):
            raise Contradiction(f"--atlas {text!r} names no atlas", hint=f"Write {FLOW}Schaefer2018?desc=...")
        return Request(text=text, template_name=name, options=_parse_query(text, query, None))
    whole = Path(text).expanduser()
    if "?" not in text or whole.exists():
        return Request(text=text, path=whole)
    path, _, query = text.partition("?")
    return Request(text=text, path=Path(path).expanduser(), options=_parse_query(text, query, FILE_KEYS))


def _parse_query(text: str, query: str, known: set[str] | None) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if not value or not key.isalnum() or key in options or (known is not None and key not in known):
            allowed = f" with the keys {', '.join(sorted(known))}" if known else ""
            hint = f"After ? write key=value pairs separated by &{allowed}, and quote it all for the shell"
            raise Contradiction(f"--atlas {text!r} has a part that cannot be read: {part!r}", hint=hint)
        options[key] = value
    return options


def _choose_names(requests: Sequence[Request]) -> list[str]:
    """A name of letters and digits for each request; equal ones take what else tells the atlases apart."""
    names = [_short_name(request) for request in requests]
    for keys in TELLING:
        folded = [name.lower() for name in names]
        for n, request in enumerate(requests):
            if folded.count(folded[n]) > 1 and "name" not in request.options:
                entities = _entities(request.path) if request.path else request.options
                names[n] += _alphanumeric("".join(value for key, value in entities.items() if key in keys))
    twice = sorted({name for name in names if [other.lower() for other in names].count(name.lower()) > 1})
    if twice:
        sentence = f"two atlases would both be called {twice[0]} in the tables"
        raise Contradiction(sentence, hint="Give each once, or tell them apart by ?name=LABEL")
    return names


def _short_name(request: Request) -> str:
    named = request.options.get("name") or request.template_name
    if not named and request.path:
        entities = _entities(request.path)
        named = entities.get("atlas") or entities.get("seg") or entities.get("atl") or _stem(request.path)
    return _alphanumeric(named) or "atlas"


def _alphanumeric(text: str) -> str:
    return re.sub(r"[^0-9a-zA-Z]", "", text)


def _stem(path: Path) -> str:
    found = IMAGE.match(path.name)
    return found["stem"] if found else path.stem


def _entities(path: Path) -> dict[str, str]:
    return dict(ENTITY.findall(_stem(path)))


def _suffix(path: Path) -> str:
    return _stem(path).rpartition("_")[2]


def _fit(request: Request, name: str, space: str, *, unchecked: bool) -> Fitting:
    path = request.path or _find_in_templateflow(request, space)
    if path is None:
        where = f"the space {space}" if space else "maps that do not say their space"
        return Fitting(name=name, atlas=None, reason=f"{request.text} is not in {_templateflow_home()} for {where}")
    own_space = _find_space(path, request.options)
    atlas = _load(path, request.options, name, own_space)
    reason = "" if unchecked else _misfit(name, own_space, space)
    return Fitting(name=name, atlas=None if reason else atlas, reason=reason)


def _misfit(name: str, own_space: str, space: str) -> str:
    if own_space and own_space == space:
        return ""
    its = f"is in the space {own_space}" if own_space else "does not say its space"
    theirs = f"the maps are in {space}" if space else "the maps do not say theirs"
    return f"The atlas {name} {its} and {theirs}"


def _find_space(path: Path, options: Mapping[str, str]) -> str:
    if "space" in options:
        return options["space"]
    entities = _entities(path)
    for folder in reversed(path.resolve().parts[:-1]):
        found = re.fullmatch(r"(tpl|cohort)-([0-9a-zA-Z+]+)", folder)
        if found:
            entities.setdefault(found[1], found[2])
    if "space" in entities:
        return entities["space"]
    return "+".join(filter(None, (entities.get("tpl"), entities.get("cohort")))) if "tpl" in entities else ""


def _templateflow_home() -> Path:
    given = os.environ.get("TEMPLATEFLOW_HOME")
    try:
        home = Path(given) if given else Path("~/.cache/templateflow").expanduser()
    except RuntimeError:  # no home folder, as for an arbitrary uid in a container
        home = Path("/templateflow")
    if not home.is_dir():
        hint = "Set TEMPLATEFLOW_HOME to a folder into which TemplateFlow has fetched the atlas; nothing is downloaded"
        raise MissingInput(f"There is no TemplateFlow folder at {home}", hint=hint)
    return home


def _find_in_templateflow(request: Request, space: str) -> Path | None:
    """The image for maps of `space`; None where TemplateFlow has it in other spaces only."""
    home = _templateflow_home()
    template = request.options.get("tpl") or space
    wanted = {key: value for key, value in request.options.items() if key not in {"name", "tpl"}}
    found = [path for path in _walk_images(home, template) if _matches(path, request.template_name, wanted)]
    if template and found:
        best = _prefer(found)
        if len(best) == 1:
            return best[0]
        shown = ", ".join(sorted(path.name for path in best)[:4]) + (", ..." if len(best) > 4 else "")
        hint = "Add what tells them apart after ?, such as ?desc=400Parcels7Networks"
        raise Contradiction(f"--atlas {request.text} fits {len(best)} atlases: {shown}", hint=hint)
    if not any(_matches(path, request.template_name, wanted) for path in _walk_images(home, "")):
        hint = "Fetch it once with the templateflow package, or mend the name; nothing is downloaded here"
        raise MissingInput(f"{home} has no atlas that fits {request.text}", hint=hint)
    return None


def _walk_images(home: Path, space: str) -> Iterator[Path]:
    """The segmentations of one space in TemplateFlow's folder (of all, where it is not given)."""
    template, _, cohort = space.partition("+")
    for folder in sorted(home.glob(f"tpl-{template or '*'}")):
        for parent, folders, files in os.walk(folder):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for file in sorted(files):
                path = Path(parent, file)
                if IMAGE.match(file) and _suffix(path) in {"dseg", "probseg"}:
                    its = _find_space(path, {}).partition("+")[2]
                    if not cohort or not its or its == cohort:
                        yield path


def _matches(path: Path, name: str, wanted: Mapping[str, str]) -> bool:
    entities = _entities(path) | {"suffix": _suffix(path)}
    return name in (entities.get("atlas"), entities.get("seg")) and all(
        _plain(entities.get(key, "")) == _plain(value) for key, value in wanted.items()
    )


def _plain(value: str) -> str:
    return value.lstrip("0") if value.isdigit() else value


def _prefer(paths: list[Path]) -> list[Path]:
    """Labels before probabilities, then one resolution."""
    paths = [path for path in paths if _suffix(path) == "dseg"] or paths
    resolutions = {_plain(_entities(path).get("res", "")) for path in paths}
    chosen = PREFERRED_RESOLUTION if PREFERRED_RESOLUTION in resolutions else min(resolutions)
    return [path for path in paths if _plain(_entities(path).get("res", "")) == chosen]


def _load(path: Path, options: Mapping[str, str], name: str, space: str) -> Atlas:
    _check_there(path)
    listed = read_label_list(_find_list(path, options))
    content = check_names(path, listed.names)
    metadata, notes = _read_metadata(path)
    return Atlas(
        fingerprint=hash_of([content.file_hash, sorted(content.names.items())]),
        name=name,
        path=path,
        names=content.names,
        space=space,
        probabilistic=content.probabilistic,
        file_hash=content.file_hash,
        version=_text(metadata, "Version", "DatasetVersion"),
        license=_text(metadata, "License"),
        citation=_text(metadata, "HowToAcknowledge", "ReferencesAndLinks", "DatasetDOI"),
        notes=(*listed.notes, *content.notes, *notes),
    )


def _check_there(path: Path) -> None:
    if not path.is_file():
        fetch = "Fetch its content, with `datalad get` for instance" if path.is_symlink() else "Check the path"
        raise unusable(path, "is not there", fetch)
    if not path.stat().st_size:
        hint = "TemplateFlow keeps such a placeholder until it has fetched the file: fetch it once"
        raise unusable(path, "is empty (0 bytes)", hint)


def _find_list(path: Path, options: Mapping[str, str]) -> Path:
    if "labels" in options:
        given = Path(options["labels"]).expanduser()
        return beside if (beside := path.parent / given).exists() else given
    stem = path.parent / _stem(path)
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
    entities, suffix = set(_entities(path).items()), suffix or _suffix(path)
    if not entities:
        return
    for folder in _folders_up(path):
        shared = [other for other in folder.glob(f"*_{suffix}{extension}") if _own(other, extension) <= entities]
        yield from sorted(shared, key=lambda other: (-len(_own(other, extension)), other.name))


def _own(path: Path, extension: str) -> set[tuple[str, str]]:
    return set(ENTITY.findall(path.name.removesuffix(extension)))


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
    entities = _entities(path)
    found = [path.parent / f"{_stem(path)}.json", *_inherited(path, ".json")]
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
