"""What a map on surfaces is laid on: the mesh, the areas and the mask of each hemisphere, and where they come from.

The mesh of a map is sought in this order: files named by `--surfaces`; the participant's own midthickness;
TemplateFlow's; the triangles that the package carries, which have no coordinates. Areas come with the mesh, but of a
template they are the mean of people, not those of an average surface, which is too smooth. How a mesh is made of its
files is not known here (`sheet_meshes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset import MapFile, SourceDataset
from bids_regions.dataset.names import split_name
from bids_regions.dataset.sheets import (
    DENSITIES,
    find_own_masks,
    find_own_surfaces,
    find_sheet_siblings,
    find_template_files,
)
from bids_regions.errors import BadMap, MissingInput, UnsuitableMap
from bids_regions.frozen import dataclass
from bids_regions.images import cifti
from bids_regions.images.structures import HEMISPHERES
from bids_regions.maps.sheet_maps import Part, SheetLayout, SheetMap, load_sheet_map
from bids_regions.maps.sheet_meshes import (
    Areas,
    find_numbers,
    lay_out,
    load_carried_mesh,
    load_mesh,
    load_numbers,
    load_surface,
    side_of,
)
from bids_regions.meshes import find_template, load_cortex, load_triangles
from bids_regions.settings import Entry, make_entry
from bids_regions.space import Grayordinates, Mesh

__all__ = ["MeshUsed", "SheetFiles", "find_sheet_files", "lay_on_own_triangles", "lay_on_template", "reload_mask"]

GIVE_MESH = "Give --surfaces the mesh that the map was made on, or --assume-space where only the space is missing"
GIVE_SIDE = "Tell it by hemi-L or hemi-R in its name, or by AnatomicalStructurePrimary in its metadata"
GIVE_MASK = "Give --mask a file for each hemisphere of this mesh, or none"


@dataclass(frozen=True, kw_only=True)
class MeshUsed:
    """Where the mesh and the areas of one structure came from, for the record."""

    structure: str
    mesh: str
    areas: str


@dataclass(frozen=True, kw_only=True)
class SheetFiles:
    """The files that may tell what a map lies on, as their names tell; which of them fit is seen when they are read."""

    mapfile: MapFile
    entry: Entry
    space: str
    own: Mapping[str, tuple[Path, ...]]  # midthickness surfaces by hemisphere
    template: Mapping[str, tuple[Path, ...]]
    areas: Mapping[str, tuple[Path, ...]]  # mean areas of TemplateFlow
    own_masks: Mapping[str, tuple[Path, ...]]
    values: tuple[Path, ...]  # of the second map
    peaks: tuple[Path, ...]  # of the map that tells peaks and values, where a p map has one
    dof: tuple[Path, ...]  # of the map of degrees of freedom

    @property
    def paths(self) -> Iterator[tuple[str, Path]]:
        """Every file with a name for it, the same on every machine."""
        named = (("surfaces", self.entry.surfaces), ("areas", self.entry.vertex_areas), ("mask", self.entry.masks))
        for kind, words in named:
            yield from ((f"{kind} {k}", Path(word)) for k, word in enumerate(words) if word not in ("auto", "none"))
        groups = (("own", self.own), ("template", self.template), ("mean", self.areas), ("masks", self.own_masks))
        for kind, found in groups:
            yield from ((f"{kind} {s} {k}", path) for s, paths in found.items() for k, path in enumerate(paths))
        beside = (("values", self.values), ("peaks", self.peaks), ("dof", self.dof))
        for kind, paths in beside:
            yield from ((f"{kind} {k}", path) for k, path in enumerate(paths))

    def lay(self, sheetmap: SheetMap | SheetLayout) -> tuple[Grayordinates, tuple[MeshUsed, ...]]:
        """What the map lies on, and where its meshes came from.

        Raises
        ------
        BadMap
            There is no mesh for it, or one that was named does not fit: the sentence tells both counts.
        """
        meshes: list[Mesh | None] = []
        used: list[MeshUsed] = []
        for part in sheetmap.parts:
            mesh, told = self._find_mesh(part, sheetmap) if part.ijk is None else (None, None)
            meshes.append(mesh)
            used += [told] if told else []
        return lay_out(tuple(sheetmap.parts), tuple(meshes), sheetmap.grayordinates), tuple(used)

    def load_mask(self, sheetmap: SheetMap) -> tuple[NDArray[np.bool_] | None, str, str]:
        """The mask, its source for the record and a note on it; (None, "none", why) where there is none.

        Raises
        ------
        BadMap
            A mask that was named does not fit, or is empty.
        """
        if self.entry.mask == "none":
            return None, "none", ""
        if self.entry.masks:
            mask = _named_mask(self.entry.masks, sheetmap)
            if not mask.any():
                raise BadMap(f"The mask {self.entry.mask} is empty: no vertex is above 0", hint=GIVE_MASK)
            return mask, ", ".join(Path(path).name for path in self.entry.masks), ""
        if sheetmap.grayordinates is not None:
            return None, "none", "the file itself names the vertices and voxels that have data"
        return self._auto_mask(sheetmap)

    def load_beside(self, paths: Sequence[Path], sheetmap: SheetMap) -> NDArray[Any] | None:
        """Another map on the same vertices; None where there is none."""
        if not paths:
            return None
        try:
            second = load_sheet_map(self.mapfile, paths)
        except UnsuitableMap as error:
            raise BadMap(error.sentence, hint="Fix this map, or do without it") from error
        if [part.shape for part in second.parts] != [part.shape for part in sheetmap.parts]:
            raise BadMap(f"{paths[0]} has other vertices than {self.mapfile.path}", hint="Give maps of one mesh")
        return second.data

    def _auto_mask(self, sheetmap: SheetMap) -> tuple[NDArray[np.bool_] | None, str, str]:
        masks, sources = [], []
        for part in sheetmap.parts:
            side = HEMISPHERES.get(part.structure, "")
            n, own = part.n_vertices, self.own_masks.get(side, ())
            path = next((path for path in own if find_numbers(path, n) is not None), None)
            cortex = load_numbers(path, n) > 0 if path else load_cortex(self.space, n, side) if side else None
            if cortex is None:
                return None, "none", "no mask with the map's entities was found"
            masks.append(np.asarray(cortex))
            sources.append(path.name if path else f"{self.space} cortex, carried by bids_regions")
        return np.concatenate(masks), ", ".join(dict.fromkeys(sources)), ""

    def _find_mesh(self, part: Part, sheetmap: SheetMap | SheetLayout) -> tuple[Mesh, MeshUsed]:
        side, n = HEMISPHERES.get(part.structure, ""), part.n_vertices
        named = _of_part(self.entry.surfaces, part, sheetmap, "--surfaces")
        areas, told_areas = self.named_areas(part, sheetmap)
        if named is not None:
            surface = load_surface(named)
            if len(surface.xyz) != n:
                raise BadMap(
                    f"{named.name} has {len(surface.xyz)} vertices, the map {part.path.name} {n}", hint=GIVE_MESH
                )
            return load_mesh(named, areas), _used(part, named.name, told_areas or "of this surface")
        if self.entry.surfaces == ("auto",):
            for path in self.own.get(side, ()):
                if len(load_surface(path).xyz) == n:
                    return load_mesh(path, areas), _used(part, path.name, told_areas or "of this surface")
        return self._find_template_mesh(part, side, (areas, told_areas))

    def _find_template_mesh(self, part: Part, side: str, given: tuple[Areas | None, str]) -> tuple[Mesh, MeshUsed]:
        n, (areas, told) = part.n_vertices, given
        space = self.space or _told_by_vertices(part, side)
        if areas is None and self.entry.vertex_areas == ("auto",):
            areas, told = self._mean_areas(space, side, n)
        if self.entry.surfaces == ("auto",):
            for path in self.template.get(side, ()):
                if _may_fit(path, n) and len(load_surface(path).xyz) == n:
                    return load_mesh(path, areas), _used(part, path.name, told or "of this surface")
        sides = (side,) if side else ("L", "R") if space.startswith("fsaverage") else ()
        if not sides and any(load_triangles(space, n, one) is not None for one in ("L", "R")):
            raise BadMap(f"{part.path.name}: neither name nor metadata tells its hemisphere", hint=GIVE_SIDE)
        if not sides or load_triangles(space, n, sides[0]) is None:
            where = f"space {space}" if space else "an unknown space"
            raise BadMap(f"{part.path.name}: no mesh of {n} vertices is known for {where}", hint=GIVE_MESH)
        mesh = load_carried_mesh(space, n, sides[0], areas)
        return mesh, _used(part, f"{space} triangles, carried by bids_regions", told or "none")

    def _mean_areas(self, space: str, side: str, n: int) -> tuple[Areas | None, str]:
        for path in self.areas.get(side, ()):
            if _may_fit(path, n) and find_numbers(path, n) is not None:
                return Areas.in_file(path), path.name
        if side and find_template(space, n):
            return Areas(space=space, n=n, side=side), "mean areas of people, carried by bids_regions"
        return None, ""

    def named_areas(self, part: Part, sheetmap: SheetMap | SheetLayout) -> tuple[Areas | None, str]:
        """The areas in the file that was named for a structure, and its name; none where none was."""
        path = _of_part(self.entry.vertex_areas, part, sheetmap, "--vertex-areas")
        if path is None:
            return None, ""
        load_numbers(path, part.n_vertices)  # refused here where it does not fit
        return Areas.in_file(path), path.name


def find_sheet_files(mapfile: MapFile, dataset: SourceDataset, entry: Entry, space: str) -> SheetFiles:
    """The files for a map on surfaces; only names are read.

    Raises
    ------
    MissingInput
        A named file or a second map that is not there.
    """
    for path in (*entry.masks, *entry.surfaces, *entry.vertex_areas):
        if path not in ("auto", "none") and not Path(path).is_file():
            raise MissingInput(f"{path} is not there", hint="Check the path; in a container, the mounts")
    values = _find_beside(mapfile, entry.values_from, "--values-from")
    peaks = _find_beside(mapfile, entry.peaks_from, "--peaks-from")
    if entry.peaks_from is None and mapfile.told()[1].is_p:
        siblings = (find_sheet_siblings(mapfile, {"stat": stat}) for stat in ("z", "t"))
        peaks = next((found for found in siblings if found), ())
    auto, on_vertices = entry.surfaces == ("auto",), mapfile.form == "gifti"
    return SheetFiles(
        mapfile=mapfile, entry=entry, space=space, values=values, peaks=() if peaks == mapfile.paths else peaks,
        dof=find_sheet_siblings(mapfile, {"stat": "dof"}) or (),
        own=find_own_surfaces(mapfile, dataset, space) if auto and mapfile.participant else {},
        template=find_template_files(space) if auto else {},
        areas=find_template_files(space, areas=True) if entry.vertex_areas == ("auto",) else {},
        own_masks=find_own_masks(mapfile, dataset, space) if entry.mask == "auto" and on_vertices else {},
    )  # fmt: skip


def reload_mask(
    sheetmap: SheetMap, mapfile: MapFile, dataset: SourceDataset, space: str, named: tuple[str, ...]
) -> tuple[NDArray[np.bool_] | None, str]:
    """The mask that a map was worked on in, by the paths that were named, or found as then; and what it is called."""
    entry = replace(make_entry("mask", {"mask": named or "auto"}), masks=named)
    own = find_own_masks(mapfile, dataset, space) if not named and mapfile.form == "gifti" else {}
    mask, told, _ = _only(mapfile, entry, space, own_masks=own).load_mask(sheetmap)
    return mask, told


def lay_on_template(
    layout: SheetLayout, mapfile: MapFile, entry: Entry, space: str
) -> tuple[Grayordinates, tuple[MeshUsed, ...]]:
    """What the maps of many people lie on: a template's meshes, or those that were named; nobody's own.

    Raises
    ------
    BadMap
        There is no mesh for them.
    """
    auto = entry.surfaces == ("auto",)
    areas = find_template_files(space, areas=True) if entry.vertex_areas == ("auto",) else {}
    files = _only(mapfile, entry, space, template=find_template_files(space) if auto else {}, areas=areas)
    return files.lay(layout)


def lay_on_own_triangles(
    layout: SheetLayout, mapfile: MapFile, dataset: SourceDataset, space: str
) -> tuple[Grayordinates, tuple[MeshUsed, ...]]:
    """What the maps of many people lie on, where no template is at hand: the triangles of one's own surface.

    Surfaces of one space share their triangles; where they lie and how large they are is each person's own.

    Raises
    ------
    BadMap
        That person has no surface of this mesh.
    """
    own = find_own_surfaces(mapfile, dataset, space)
    meshes: list[Mesh | None] = []
    used: list[MeshUsed] = []
    for part in layout.parts:
        if part.ijk is not None:
            meshes.append(None)
            continue
        found = (load_surface(path) for path in own.get(HEMISPHERES.get(part.structure, ""), ()))
        surface = next((surface for surface in found if len(surface.xyz) == part.n_vertices), None)
        if surface is None:
            where = f"space {space}" if space else "an unknown space"
            raise BadMap(f"no mesh of {part.n_vertices} vertices is known for {where}", hint=GIVE_MESH)
        meshes.append(Mesh(n_vertices=part.n_vertices, triangles=surface.triangles))
        used.append(_used(part, "triangles of the participants' midthickness", "none"))
    return lay_out(layout.parts, tuple(meshes), layout.grayordinates), tuple(used)


def _only(mapfile: MapFile, entry: Entry, space: str, **given: Mapping[str, tuple[Path, ...]]) -> SheetFiles:
    """Some files and no others."""
    groups: dict[str, Mapping[str, tuple[Path, ...]]] = {name: {} for name in ("own", "template", "areas", "own_masks")}
    return SheetFiles(mapfile=mapfile, entry=entry, space=space, **(groups | given), values=(), peaks=(), dof=())


def _told_by_vertices(part: Part, side: str) -> str:
    """fsLR, where a CIFTI file has the very vertices of its cortex: another mesh has another medial wall."""
    if not side or part.vertices is None:
        return ""
    cortex = load_cortex("fsLR", part.n_vertices, side)
    return "fsLR" if cortex is not None and np.array_equal(part.vertices, np.flatnonzero(cortex)) else ""


def _find_beside(mapfile: MapFile, named: tuple[str, str] | None, option: str) -> tuple[Path, ...]:
    """The files of the sibling that an option asks for; none where it does not ask."""
    found = find_sheet_siblings(mapfile, dict([named])) if named else ()
    if found is None:
        wanted = "-".join(named or ())
        raise MissingInput(f"{mapfile.path} has no sibling with {wanted}", hint=f"Fix {option}, or leave this map out")
    return found


def _of_part(words: Sequence[str], part: Part, sheetmap: SheetMap | SheetLayout, option: str) -> Path | None:
    """Of files that were named the one of a part's hemisphere; a single file belongs to the only hemisphere."""
    paths = [Path(word) for word in words if word not in ("auto", "none")]
    if not paths:
        return None
    sheets = [each for each in sheetmap.parts if each.ijk is None]
    if len(paths) == 1 and len(sheets) == 1:
        return paths[0]
    side = HEMISPHERES.get(part.structure, "")
    for path in paths:
        if side and side_of(path) == side:
            return path
    raise BadMap(
        f"{option} has no file for {part.structure or 'the hemisphere'} of {part.path.name}: "
        f"{', '.join(path.name for path in paths)}",
        hint="Give one file for each hemisphere, their sides in metadata or names (hemi-L, .L., lh, left)",
    )


def _named_mask(paths: Sequence[str], sheetmap: SheetMap) -> NDArray[np.bool_]:
    """The mask in files that were named: one for each hemisphere, or a CIFTI file of the same grayordinates."""
    if Path(paths[0]).name.endswith(".nii"):
        found = cifti.read_cifti(Path(paths[0]))
        if sheetmap.grayordinates is None or found.data.size != sheetmap.data.size:
            sentence = (
                f"The mask {Path(paths[0]).name} has {found.data.size} grayordinates, the map {sheetmap.data.size}"
            )
            raise BadMap(f"{sentence} numbers", hint=GIVE_MASK)
        return np.asarray(found.data > 0)
    masks = []
    for part in sheetmap.parts:
        if part.ijk is not None:
            masks.append(np.ones(len(part.ijk), bool))  # a mask of vertices says nothing of voxels
            continue
        path = _of_part(paths, part, sheetmap, "--mask")
        assert path is not None
        inside = load_numbers(path, part.n_vertices) > 0
        masks.append(inside if part.vertices is None else inside[part.vertices])
    return np.concatenate(masks)


def _may_fit(path: Path, n: int) -> bool:
    """Whether a file's `den-`, where it is one that is known, is that of `n` vertices."""
    return DENSITIES.get(dict(split_name(path.name)[0]).get("den", ""), n) == n


def _used(part: Part, mesh: str, areas: str) -> MeshUsed:
    return MeshUsed(structure=part.structure, mesh=mesh, areas=areas)
