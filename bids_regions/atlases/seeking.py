"""Where an atlas lies: in TemplateFlow's folder for a map's space and mesh, and the other hemisphere beside a file.

TemplateFlow names files in more than one order of entities, so entities are compared and never names. Only files that
are there are found: nothing is downloaded. A *group* is the files of one atlas on surfaces: two label files, which
differ in their `hemi-` alone, or one dlabel file.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.atlases.requests import IMAGE, Request, entities_in, parse_requests, suffix_of
from bids_regions.atlases.sheets import count_vertices, is_dlabel, is_sheet_file
from bids_regions.errors import Contradiction, MissingInput
from bids_regions.files import expand_home
from bids_regions.frozen import dataclass

__all__ = ["FSAVERAGE", "AtlasUser", "OtherMesh", "find_in_templateflow", "find_space", "read_requests", "tell_home"]

FSAVERAGE = re.compile(r"^fsaverage[3-7]$")  # meshes of one space, told apart by their number of vertices
PREFERRED_RESOLUTION = "2"  # of several in TemplateFlow: 2 mm in its MNI spaces, the grid of most statistical maps
HEMI = "hemi"
OF_GRAYORDINATES = {"91k": "32k", "170k": "59k"}  # den- of all grayordinates: that of the vertices of a hemisphere
Kind = Callable[[Path], bool]  # whether a file is of the kind that is sought


@dataclass(frozen=True, kw_only=True)
class AtlasUser:
    """What decides which atlases a map may take."""

    space: str  # "" where it is not known; with +cohort for infant templates
    participant: str | None = None  # label; None for a group map
    own: tuple[Path | None, ...] = ()  # the participant's own images, in the order of `own_entities`; None: none found
    form: str = "volume"  # or gifti, cifti
    n_vertices: int = 0  # of a hemisphere's mesh; 0 for a volume, and where it was not counted

    @property
    def on_surfaces(self) -> bool:
        """Whether it has vertices, or vertices and voxels, which atlases of voxels do not name."""
        return self.form != "volume"

    @property
    def as_anybody(self) -> "AtlasUser":
        """The same without the person, of whom no template depends."""
        return replace(self, participant=None, own=())


@dataclass(frozen=True)
class OtherMesh:
    """An atlas that is there for other meshes of the space only."""

    reason: str  # a sentence with both counts


def read_requests(specs: Sequence[str]) -> list[Request]:
    """The requests; to a template's file of one hemisphere comes that of the other, where it stands beside it."""
    return [_complete(request) for request in parse_requests(specs)]


def _complete(request: Request) -> Request:
    path = request.path
    if path is None or request.other or not _is_label_file(path) or not {"tpl", HEMI} <= entities_in(path).keys():
        return request
    found = sorted(other for other in path.parent.glob("*") if _is_label_file(other) and _group(other) == _group(path))
    side = entities_in(path)[HEMI]
    across = [other for other in found if entities_in(other)[HEMI] not in ("", side)]
    across = [other for other in across if other.is_file() and other.stat().st_size > 0]
    return replace(request, other=across[0]) if across else request


def find_space(path: Path, told: str = "") -> str:
    """The space of an image: as `told`, else as its name or its folder `tpl-*` tells; "" where nothing does."""
    if told:
        return told
    entities = entities_in(path)
    for folder in reversed(path.resolve().parts[:-1]):
        found = re.fullmatch(r"(tpl|cohort)-([0-9a-zA-Z+]+)", folder)
        if found:
            entities.setdefault(found[1], found[2])
    if "space" in entities:
        return entities["space"]
    return "+".join(filter(None, (entities.get("tpl"), entities.get("cohort")))) if "tpl" in entities else ""


def tell_home() -> Path:
    """TemplateFlow's folder; a MissingInput where there is none."""
    given = os.environ.get("TEMPLATEFLOW_HOME")
    try:
        home = Path(given) if given else expand_home("~/.cache/templateflow")
    except RuntimeError:  # no home folder, as for an arbitrary uid in a container
        home = Path("/templateflow")
    if not home.is_dir():
        hint = "Set TEMPLATEFLOW_HOME to a folder into which TemplateFlow has fetched the atlas; nothing is downloaded"
        raise MissingInput(f"There is no TemplateFlow folder at {home}", hint=hint)
    return home


def find_in_templateflow(request: Request, user: AtlasUser) -> Request | OtherMesh | None:
    """The request with its files for maps such as the user's; None where TemplateFlow has it in other spaces only."""
    home = tell_home()
    template = request.option("tpl") or user.space
    kind: Kind = _is_labels_on_surfaces if user.on_surfaces else _is_volume
    if user.on_surfaces:
        template = FSAVERAGE.sub("fsaverage", template)
    found = [path for path in _walk(home, template, kind) if _matches(path, request)] if template else []
    if found:
        return _choose_group(request, found, user) if user.on_surfaces else _choose_volume(request, found)
    if not any(
        _matches(path, request) for path in _walk(home, "", lambda one: _is_volume(one) or _is_labels_on_surfaces(one))
    ):
        hint = "Fetch it once with the templateflow package, or fix the name; nothing is downloaded here"
        raise MissingInput(f"{home} has no atlas that fits {request.text}", hint=hint)
    return None


def _choose_volume(request: Request, found: list[Path]) -> Request:
    """Labels before probabilities, then one resolution."""
    found = [path for path in found if suffix_of(path) == "dseg"] or found
    resolutions = {_plain(entities_in(path).get("res", "")) for path in found}
    chosen = PREFERRED_RESOLUTION if PREFERRED_RESOLUTION in resolutions else min(resolutions)
    best = [path for path in found if _plain(entities_in(path).get("res", "")) == chosen]
    if len(best) > 1:
        raise _several(request, best)
    return replace(request, path=best[0])


def _choose_group(request: Request, found: list[Path], user: AtlasUser) -> Request | OtherMesh:
    """The label files, or the dlabel file, for the mesh of a map, of the map's own form where both are there."""
    groups: dict[object, dict[str, Path]] = {}
    for path in found:
        groups.setdefault(_group(path), {}).setdefault(entities_in(path).get(HEMI, ""), path)
    files = [tuple(by_side[side] for side in sorted(by_side))[:2] for by_side in groups.values()]
    fitting = [paths for paths in files if not user.n_vertices or _may_fit(paths[0], user.n_vertices)]
    if not fitting:
        return OtherMesh(_tell_meshes(request, [paths[0] for paths in files], user.n_vertices))
    own = [paths for paths in fitting if is_dlabel(paths[0]) == (user.form == "cifti")]
    best = own or fitting
    if len(best) > 1 and user.n_vertices:  # a map whose vertices cannot be counted fails by itself, and ends no run
        raise _several(request, [paths[0] for paths in best])
    path, *others = best[0]
    return replace(request, path=path, other=others[0] if others else None)


def _several(request: Request, paths: Sequence[Path]) -> Contradiction:
    names = sorted(path.name for path in paths)
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    entities = [entities_in(path) for path in paths]
    keys = dict.fromkeys(key for each in entities for key in each if key != HEMI)
    telling = [key for key in keys if len({each.get(key) for each in entities}) == len(entities)]
    example = next((f"?{key}={each[key]}" for key in telling for each in entities if key in each), "")
    hint = f"Add what tells them apart after ?, such as {example or '?desc=400Parcels7Networks'}"
    return Contradiction(f"--atlas {request.text} fits {len(paths)} atlases: {shown}", hint=hint)


def _may_fit(path: Path, n_vertices: int) -> bool:
    """Whether a file has labels for so many vertices; one that was not fetched is believed by its `den-`."""
    counted = count_vertices(path)
    if counted:
        return counted == n_vertices
    density = entities_in(path).get("den", "")
    density = OF_GRAYORDINATES.get(density, density)
    return density in ("", str(n_vertices), f"{round(n_vertices / 1000)}k")


def _tell_meshes(request: Request, paths: Sequence[Path], n_vertices: int) -> str:
    told = {str(n) if (n := count_vertices(path)) else f"den-{entities_in(path)['den']}" for path in paths}
    counts = sorted(told, key=lambda count: (len(count), count))
    its = f"{', '.join(counts[:-1])} or {counts[-1]}" if len(counts) > 1 else counts[0]
    return f"The atlas {request.template_name} has {its} vertices in a hemisphere in TemplateFlow, the map {n_vertices}"


def _walk(home: Path, space: str, is_wanted: Kind) -> Iterator[Path]:
    """The segmentations of one space in TemplateFlow's folder (of all, where it is not given)."""
    template, _, cohort = space.partition("+")
    for folder in sorted(home.glob(f"tpl-{template or '*'}")):
        for parent, folders, files in os.walk(folder):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for path in (Path(parent, file) for file in sorted(files) if not file.startswith(".")):
                if is_wanted(path):
                    its = find_space(path).partition("+")[2]
                    if not cohort or not its or its == cohort:
                        yield path


def _is_volume(path: Path) -> bool:
    is_image = IMAGE.match(path.name) is not None and not is_sheet_file(path)
    return is_image and suffix_of(path) in {"dseg", "probseg"}


def _is_label_file(path: Path) -> bool:
    """Whether a file is one of labels for a hemisphere, as its name tells."""
    return path.name.lower().endswith((".label.gii", ".label.gii.gz"))


def _is_labels_on_surfaces(path: Path) -> bool:
    return suffix_of(path) == "dseg" and (_is_label_file(path) or is_dlabel(path))


def _group(path: Path) -> tuple[frozenset[tuple[str, str]], str, bool]:
    entities = frozenset(pair for pair in entities_in(path).items() if pair[0] != HEMI)
    return entities, suffix_of(path), is_dlabel(path)


def _matches(path: Path, request: Request) -> bool:
    entities: Mapping[str, str] = entities_in(path) | {"suffix": suffix_of(path)}
    left_out = {"name", "tpl", HEMI} if is_sheet_file(path) else {"name", "tpl"}  # an atlas has both hemispheres
    wanted = [(key, value) for key, value in request.options if key not in left_out]
    return request.template_name in (entities.get("atlas"), entities.get("seg")) and all(
        _plain(entities.get(key, "")) == _plain(value) for key, value in wanted
    )


def _plain(value: str) -> str:
    return value.lstrip("0") if value.isdigit() else value
