"""What a user asked of `--atlas`, read: a path, an atlas of TemplateFlow, or each participant's own segmentation.

A *request* is an atlas as a user writes it: a path, `templateflow:` and the name of an atlas, or `ENTITY=VALUE`. This
module reads texts and names of files; it does not know whether the files are there.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.errors import Contradiction
from bids_regions.files import expand_home
from bids_regions.frozen import dataclass
from bids_regions.images.structures import find_side

__all__ = [
    "IMAGE",
    "Request",
    "choose_names",
    "entities_in",
    "label_of",
    "parse_request",
    "parse_requests",
    "person_in",
    "stem_of",
    "suffix_of",
]

FLOW = "templateflow:"
OWN = re.compile(r"[a-zA-Z]+=[0-9a-zA-Z+]+(&[a-zA-Z]+=[0-9a-zA-Z+]+)*(\?.*)?")  # each participant's own
FILE_KEYS = {"labels", "space", "name"}  # what a path may be followed by
OWN_KEYS = {"labels", "name"}  # what a request for each participant's own may be followed by
SHEET = re.compile(r"(?P<stem>.+?)(?:(?:\.label|\.shape|\.func|\.annot)?\.gii|\.dlabel\.nii)(?:\.gz)?$", re.IGNORECASE)
ONE_SIDE = re.compile(r"(?<![a-zA-Z0-9])(?:hemi-[LR]|[lr]h|[LR])(?![a-zA-Z0-9])|left|right", re.IGNORECASE)
IMAGE = re.compile(r"(?P<stem>.+?)\.nii(?:\.gz)?$", re.IGNORECASE)
ENTITY = re.compile(r"(?:^|_)([a-z][a-zA-Z0-9]*)-([0-9a-zA-Z+]+)")
TELLING = ({"scale", "res", "desc", "den", "suffix"}, {"tpl", "space", "cohort"})  # keys that tell atlases apart


@dataclass(frozen=True, kw_only=True)
class Request:
    """An atlas as a user wrote it."""

    text: str
    path: Path | None = None  # None: in TemplateFlow, or each participant's own
    other: Path | None = None  # the other hemisphere's file, of an atlas on surfaces
    template_name: str = ""  # atlas- or seg- label in TemplateFlow
    own: tuple[tuple[str, str], ...] = ()  # entities of each participant's own image
    options: tuple[tuple[str, str], ...] = ()  # labels, space, name; entities in TemplateFlow

    def option(self, key: str) -> str:
        """What the request says of `key`, "" for nothing."""
        return dict(self.options).get(key, "")


def parse_request(spec: str) -> Request:
    """A request; one that cannot be understood is a Contradiction."""
    text = spec.strip()
    if text.startswith(FLOW):
        name, _, query = text.removeprefix(FLOW).partition("?")
        if not re.fullmatch(r"[0-9a-zA-Z+]+", name):
            raise Contradiction(f"--atlas {text!r} names no atlas", hint=f"Write {FLOW}Schaefer2018?desc=...")
        return Request(text=text, template_name=name, options=_parse_query(text, query, None))
    whole = expand_home(text)
    if OWN.fullmatch(text) and not whole.exists():
        entities, _, query = text.partition("?")
        own = tuple((key, value) for key, _, value in (part.partition("=") for part in entities.split("&")))
        return Request(text=text, own=own, options=_parse_query(text, query, OWN_KEYS))
    if "?" not in text or whole.exists():
        return Request(text=text, path=whole)
    path, _, query = text.partition("?")
    return Request(text=text, path=expand_home(path), options=_parse_query(text, query, FILE_KEYS))


def parse_requests(specs: Sequence[str]) -> list[Request]:
    """The requests, where a file for one hemisphere and the file for the other, by their names' sides, are one.

    A file belongs to the next that differs from it in its side alone, or else to its neighbour of another side.
    """
    left = [parse_request(spec) for spec in specs]
    joined: list[Request] = []
    while left:
        one = left.pop(0)
        other = _find_other(one, left)
        if other is not None:
            left.remove(other)
            joined.append(replace(one, other=other.path, options=one.options or other.options))
        else:
            joined.append(one)
    return joined


def _find_other(one: Request, later: Sequence[Request]) -> Request | None:
    if one.path is None or not is_of_one_side(one.path):
        return None
    files = [each for each in later if each.path is not None and is_of_one_side(each.path)]
    side, stem = find_side(one.path.name), sideless(one.path)
    across = [each for each in files if each.path and (not side or side != find_side(each.path.name))]
    alike = (each for each in across if each.path and sideless(each.path) == stem)
    return next(alike, across[0] if across and across[0] is later[0] else None)


def is_of_one_side(path: Path) -> bool:
    """Whether a file can only hold one hemisphere."""
    return path.name.lower().endswith((".gii", ".gii.gz"))


def sideless(path: Path) -> str:
    """The name of a file without its side.

    >>> sideless(Path("lh.aparc.label.gii")), sideless(Path("tpl-fsLR_hemi-L_atlas-A_dseg.label.gii"))
    ('aparc', 'tpl-fsLR_atlas-A_dseg')
    """
    return re.sub(r"([._-])[._-]+", r"\1", ONE_SIDE.sub("", stem_of(path))).strip("._-")


def _parse_query(text: str, query: str, known: set[str] | None) -> tuple[tuple[str, str], ...]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if not value or not key.isalnum() or key in options or (known is not None and key not in known):
            allowed = f" with the keys {', '.join(sorted(known))}" if known else ""
            hint = f"After ? write key=value pairs separated by &{allowed}, and quote it all for the shell"
            raise Contradiction(f"--atlas {text!r} has a part that cannot be read: {part!r}", hint=hint)
        options[key] = value
    return tuple(options.items())


def choose_names(requests: Sequence[Request]) -> list[str]:
    """A name of letters and digits for each request; equal ones take what else tells the atlases apart."""
    names = [_short_name(request) for request in requests]
    for keys in TELLING:
        folded = [name.lower() for name in names]
        for n, request in enumerate(requests):
            if folded.count(folded[n]) > 1 and not request.option("name"):
                entities = entities_in(request.path) if request.path else dict(request.options)
                names[n] += label_of("".join(value for key, value in entities.items() if key in keys))
    twice = sorted({name for name in names if [other.lower() for other in names].count(name.lower()) > 1})
    if twice:
        sentence = f"two atlases would both be called {twice[0]} in the tables"
        raise Contradiction(sentence, hint="Give each once, or tell them apart by ?name=LABEL")
    return names


def _short_name(request: Request) -> str:
    named = request.option("name") or request.template_name or "".join(value for _, value in request.own)
    if not named and request.path:
        entities = entities_in(request.path)
        stem = sideless(request.path) if request.other else stem_of(request.path)
        named = entities.get("atlas") or entities.get("seg") or entities.get("atl") or stem
    return label_of(named) or "atlas"


def label_of(text: str) -> str:
    """The letters and digits of a text."""
    return re.sub(r"[^0-9a-zA-Z]", "", text)


def stem_of(path: Path) -> str:
    """The name of an image without its extension."""
    found = SHEET.match(path.name) or IMAGE.match(path.name)
    return found["stem"] if found else path.stem


def entities_in(path: Path) -> dict[str, str]:
    """The entities of a file's name."""
    return dict(ENTITY.findall(stem_of(path)))


def suffix_of(path: Path) -> str:
    """The last word of a file's name."""
    return stem_of(path).rpartition("_")[2]


def person_in(name: str) -> str | None:
    """The participant whose label the name of a file or folder begins with."""
    found = re.match(r"sub-([0-9a-zA-Z+]+)(?:_|$)", name)
    return found[1] if found else None
