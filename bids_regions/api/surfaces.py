"""Maps on surfaces as a user of Python has them: files and images of GIFTI and CIFTI, nilearn's SurfaceImage.

A *pair* is one of two hemispheres: a tuple or list of two, left and right where nothing else tells their sides, or a
mapping with the keys left and right. What such a map lies on is found as the app finds it: by the meshes that were
given or that the image brings, else TemplateFlow's or those that the package carries.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset.mapfiles import MapFile, read_map_name
from bids_regions.dataset.sheets import find_template_files
from bids_regions.errors import BadMap, Contradiction, MissingInput, UnsuitableMap
from bids_regions.extraction import Criteria
from bids_regions.frozen import dataclass
from bids_regions.images.handed import as_files, cifti_of_labels, gifti_of_labels, is_cifti_image, is_gifti_image
from bids_regions.images.structures import CORTEX, find_side
from bids_regions.maps.sheet_maps import Part, SheetMap, load_sheet_map, sheet_map_of
from bids_regions.maps.sheets import SheetFiles
from bids_regions.settings import Entry
from bids_regions.space import Grayordinates, Mesh, Sheet

__all__ = ["Sheets", "is_surface", "take_surfaces"]

Form = Literal["gifti", "cifti", "nilearn"]
SIDES = ("L", "R")
SIDE_KEYS = {"left": "L", "right": "R", "L": "L", "R": "R", "lh": "L", "rh": "R"}
CIFTI_ENDINGS = (".dscalar.nii", ".dtseries.nii", ".dlabel.nii")
NOWHERE = Path()  # the folder of a map that is in no dataset
GIVE_MESHES = 'Give "auto", "none", the file of a midthickness surface, one for each hemisphere, or nilearn\'s PolyMesh'


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheets:
    """A map on surfaces, and how it was given."""

    form: Form
    map: SheetMap
    mapfile: MapFile
    single: bool  # one file or image was given, and no pair
    image: Any = None  # nilearn's

    def lay(self, space: str, surfaces: Any, vertex_areas: Any, criteria: Criteria) -> Grayordinates:
        """What the map lies on.

        Raises
        ------
        BadMap
            There is no mesh for it, or one that does not fit.
        """
        is_auto = isinstance(surfaces, str) and surfaces == "auto"
        mesh = self.image.mesh if self.form == "nilearn" and is_auto else surfaces
        brought = hasattr(mesh, "parts") and not isinstance(mesh, str)
        entry = Entry(
            name="python", criteria=criteria, surfaces=("auto",) if brought else _words(surfaces, "surfaces"),
            vertex_areas=_words(vertex_areas, "vertex_areas"),
        )  # fmt: skip
        auto, mean = entry.surfaces == ("auto",), entry.vertex_areas == ("auto",)
        files = SheetFiles(
            mapfile=self.mapfile, entry=entry, space=space, own={}, own_masks={}, values=(), peaks=(), dof=(),
            template=find_template_files(space) if auto else {},
            areas=find_template_files(space, areas=True) if mean else {},
        )  # fmt: skip
        return _lay_parts(self.map, mesh.parts, files) if brought else files.lay(self.map)[0]

    def image_of(self, labels: NDArray[Any], table: Sequence[tuple[int, str, str]]) -> Any:
        """Labels in the form in which the map was given: of a pair a tuple, the left hemisphere first."""
        if self.form == "cifti":
            assert self.map.grayordinates is not None
            return cifti_of_labels(labels, self.map.grayordinates, table, "regions")
        ends = np.cumsum([part.n_vertices for part in self.map.parts]).tolist()
        pieces = [labels[end - part.n_vertices : end] for part, end in zip(self.map.parts, ends, strict=True)]
        if self.form == "nilearn":
            keys = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}
            data = {keys[part.structure]: piece for part, piece in zip(self.map.parts, pieces, strict=True)}
            return type(self.image)(mesh=self.image.mesh, data=data)
        made = [
            gifti_of_labels(piece, part.structure, table) for part, piece in zip(self.map.parts, pieces, strict=True)
        ]
        return made[0] if self.single else tuple(made)


def is_surface(value: object) -> bool:
    """Whether this is a map on surfaces, or the pair of one."""
    if isinstance(value, Mapping):
        return True
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(_is_file(each) or is_gifti_image(each) for each in value)
    if isinstance(value, str | os.PathLike):
        return _is_gifti_name(os.fspath(value)) or os.fspath(value).lower().endswith(CIFTI_ENDINGS)
    return is_gifti_image(value) or is_cifti_image(value) or _is_nilearn(value)


def take_surfaces(value: Any) -> Sheets:
    """The map on surfaces that a user gives.

    Raises
    ------
    MissingInput, BadMap, UnsuitableMap
        It is not there, or holds no one number for each vertex.
    """
    if _is_nilearn(value):
        return _take_nilearn(value)
    given, sides = _pair_of(value)
    if all(_is_file(each) for each in given):
        return _read([Path(os.fspath(each)).expanduser() for each in given], sides)
    if not all(is_gifti_image(each) or is_cifti_image(each) for each in given):
        kinds = " and ".join(type(each).__name__ for each in given)
        raise BadMap(f"a pair of {kinds} is no map on two hemispheres", hint="Give two GIFTI files or images")
    with as_files(given) as paths:
        return _read(paths, sides)


def _is_file(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_gifti_name(name: str) -> bool:
    return name.lower().endswith((".gii", ".gii.gz"))


def _is_nilearn(value: object) -> bool:
    """Whether this is a SurfaceImage, which is known by what it has: nilearn need not be installed."""
    return hasattr(getattr(value, "data", None), "parts") and hasattr(getattr(value, "mesh", None), "parts")


def _pair_of(value: Any) -> tuple[list[Any], tuple[str, ...]]:
    """The files or images of a map, and the side that their place in a pair tells."""
    if isinstance(value, Mapping):
        unknown = [str(key) for key in value if key not in SIDE_KEYS]
        if unknown or not value:
            raise BadMap(f"hemispheres named {', '.join(unknown) or 'by nothing'}", hint="Name them left and right")
        return list(value.values()), tuple(SIDE_KEYS[key] for key in value)
    if isinstance(value, list | tuple):
        return list(value), SIDES
    return [value], ("",)


def _read(paths: Sequence[Path], sides: Sequence[str]) -> Sheets:
    for path in paths:
        if not path.exists():
            raise MissingInput(f"{path} is not there", hint="Check the path")
    named = read_map_name(NOWHERE, paths[0].name)
    mapfile = replace(
        named,
        root=paths[0].parent,
        entities=tuple(pair for pair in named.entities if pair[0] != "hemi"),
        described=tuple(pair for pair in named.described if pair[0] != "hemi"),
        others=tuple(os.path.abspath(path) for path in paths[1:]),  # noqa: PTH100 # links stay
        sides=tuple(find_side(path.name) or side for path, side in zip(paths, sides, strict=True)),
    )
    form: Form = "gifti" if _is_gifti_name(paths[0].name) else "cifti"
    return Sheets(form=form, map=load_sheet_map(mapfile, paths), mapfile=mapfile, single=len(paths) == 1)


def _take_nilearn(image: Any) -> Sheets:
    values, parts = [], []
    for key in sorted(image.data.parts):  # left before right
        own = np.asarray(image.data.parts[key])
        own = own[:, 0] if own.ndim == 2 and own.shape[1] == 1 else own
        if own.ndim != 1 or own.dtype.kind not in "biuf":
            raise UnsuitableMap(
                f"the {key} hemisphere holds {own.dtype} of shape {own.shape}, not one number for each vertex",
                hint="Give one map, such as nilearn.image.index_img(image, 0)",
            )
        values.append(own.astype(np.float64) if own.dtype != np.float32 else own)
        structure = CORTEX[SIDE_KEYS[key]]
        parts.append(Part(structure=structure, n_vertices=own.size, vertices=None, ijk=None, path=Path(key)))
    return Sheets(
        form="nilearn", map=sheet_map_of(np.concatenate(values), parts), mapfile=read_map_name(NOWHERE, "image.gii"),
        single=True, image=image,
    )  # fmt: skip


def _lay_parts(sheetmap: SheetMap, parts: Mapping[str, Any], files: SheetFiles) -> Grayordinates:
    """The meshes that nilearn has, under the names of their sides, with the areas that were named."""
    by_structure = {CORTEX[SIDE_KEYS[key]]: mesh for key, mesh in parts.items()}
    pieces = []
    for part in sheetmap.parts:
        mesh = by_structure.get(part.structure)
        if mesh is None or part.ijk is not None:
            raise BadMap(f"the meshes have none for {part.structure or 'the hemisphere'}", hint=GIVE_MESHES)
        xyz = np.asarray(mesh.coordinates, np.float64)
        if len(xyz) != part.n_vertices:
            raise BadMap(
                f"the mesh of {part.structure} has {len(xyz)} vertices, the map {part.n_vertices}",
                hint="Give the mesh that the map was made on",
            )
        areas = files.named_areas(part, sheetmap)[0]
        laid = Mesh(
            n_vertices=len(xyz), triangles=np.asarray(mesh.faces), coordinates=xyz,
            given_areas=areas.load(len(xyz)) if areas else None,
        )  # fmt: skip
        pieces.append(Sheet(structure=part.structure, mesh=laid, vertices=part.vertices))
    return Grayordinates(pieces=tuple(pieces))


def _words(given: Any, name: str) -> tuple[str, ...]:
    """What was given for meshes or areas, as the app has it."""
    many = list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else [given]
    if not many or not all(_is_file(each) for each in many):
        raise Contradiction(f"{name} is a {type(given).__name__}", hint=GIVE_MESHES)
    words = tuple(os.fspath(each) for each in many)
    for word in words:
        if word not in ("auto", "none") and not Path(word).expanduser().is_file():
            raise MissingInput(f"{word} is not there", hint="Check the path")
    return tuple(word if word in ("auto", "none") else os.fspath(Path(word).expanduser()) for word in words)
