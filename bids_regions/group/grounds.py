"""What a set's maps lie on, and how its results become files: a grid of voxels, or vertices of template meshes.

A *ground* is the one domain of a set with what its files need. All arrays of a set are rows of its ground's domain;
what differs between voxels and vertices is asked of the ground and known nowhere else at the group level.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_regions.dataset.mapfiles import Form
from bids_regions.extraction import Criteria, Region
from bids_regions.frozen import dataclass
from bids_regions.images import StoredGrid, save_labels, save_map
from bids_regions.images.structures import HEMISPHERES
from bids_regions.maps.sheet_files import save_sheet_labels, save_sheet_shares
from bids_regions.maps.sheet_maps import SheetLayout, describe_density
from bids_regions.maps.sheets import MeshUsed
from bids_regions.results.placement import OutputPaths
from bids_regions.space import Grayordinates

__all__ = ["Ground", "SheetGround", "Smallest", "VolumeGround", "rows_of_peaks"]

ROUNDING = 1e-9  # relative; a size that is equal in decimals is equal
ABOVE_NOTHING = 1e-9  # mm2 that is more than none

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Smallest:
    """The participants' minimum size of a region, as it holds on the ground of a set."""

    voxels: int = 0
    volume: float = 0.0  # mm3
    vertices: int = 0
    area: float = 0.0  # mm2; none is asked where areas are not known

    def reached(self, n: Array, extent: Floats, on_sheet: Flags) -> Flags:
        """Whether some elements of each region (n,), of some mm3 or mm2, are enough of them."""
        enough = np.where(on_sheet, n >= self.vertices, n >= self.voxels)
        least = np.where(on_sheet, self.area, self.volume)
        reached: Flags = (n > 0) & enough & ((extent >= least * (1 - ROUNDING)) | (least == 0))
        return reached

    @property
    def record(self) -> dict[str, float]:
        """The rules that there are, for a sidecar."""
        rules: dict[str, float] = {
            "MinVoxels": self.voxels, "MinVolume": self.volume, "MinVertices": self.vertices, "MinArea": self.area,
        }  # fmt: skip
        return {name: value for name, value in rules.items() if value}


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeGround:
    """Voxels of a grid."""

    grid: StoredGrid
    form: Form = "volume"
    unit: str = "voxel"
    units: str = "voxels"
    sides: tuple[str, ...] = ()

    @property
    def domain(self) -> StoredGrid:
        """The grid."""
        return self.grid

    def describe(self) -> str:
        """In words: "53 x 63 x 46 voxels of 3 mm"."""
        sizes = list(dict.fromkeys(f"{zoom:.3g}" for zoom in self.grid.zooms))
        return f"{' x '.join(map(str, self.grid.shape))} voxels of {' x '.join(sizes)} mm"

    def smallest(self, usual: Mapping[str, Any]) -> Smallest:
        """The participants' minimum size in voxels of this grid."""
        volume, asked = self.grid.voxel_volume, float(usual.get("min_region_size", 0))
        strict = Criteria(convention=usual.get("convention")).size_strict
        whole = math.floor(asked / volume) + 1 if strict else math.ceil(asked / volume * (1 - ROUNDING))
        return Smallest(voxels=max(1, whole, int(usual.get("min_region_voxels", 0))))

    def criteria(self, usual: Mapping[str, Any]) -> Criteria:
        """How consensus voxels become regions: connected as the participants' are, and as large at least."""
        return Criteria(
            threshold="0",
            tail="bi",
            connectivity=usual["connectivity"],
            extract_type="connected_components",
            min_region_voxels=self.smallest(usual).voxels,
            max_peaks=usual["max_peaks"],
            min_peak_distance=usual["min_peak_distance"],
        )

    def sizes(self, numbers: NDArray[np.intp]) -> dict[str, float]:
        """What regions of some elements take together, by the column of a table."""
        return {"volume_mm3": numbers.size * self.grid.voxel_volume}

    def about(self, entities: Mapping[str, str]) -> dict[str, Any]:
        """What a sidecar says of the ground."""
        del entities
        return {}

    def save_labels(self, paths: OutputPaths, labels: Array, regions: Sequence[Region]) -> None:
        """Write the label image, of the shape of the grid."""
        del regions
        save_labels(paths.labels, labels, self.grid)

    def save_shares(self, paths: OutputPaths, row: Floats) -> None:
        """Write a row of fractions of people."""
        (path,) = paths.share_files
        save_map(path, self.grid.unflatten(row), self.grid)


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetGround:
    """Vertices of template meshes, and voxels of structures where the maps are CIFTI."""

    domain: Grayordinates
    layout: SheetLayout  # the same rows, as files have them
    meshes: tuple[MeshUsed, ...]
    form: Form

    @property
    def unit(self) -> str:
        """What one element is called."""
        return "vertex" if self.form == "gifti" else "grayordinate"

    @property
    def units(self) -> str:
        """What several are called."""
        return "vertices" if self.form == "gifti" else "grayordinates"

    @property
    def sides(self) -> tuple[str, ...]:
        """The hemispheres, each with a file of its own where the maps are GIFTI."""
        return tuple(HEMISPHERES.get(part.structure, "") for part in self.layout.parts)

    def describe(self) -> str:
        """In words: "2 x 32,492 vertices"."""
        sheets = [part.n_vertices for part in self.layout.parts if part.ijk is None]
        counts = dict.fromkeys(sheets)
        told = " and ".join(f"{sheets.count(n)} x {n:,} vertices" if sheets.count(n) > 1 else f"{n:,} vertices"
                            for n in counts)  # fmt: skip
        solids = sum(part.size for part in self.layout.parts if part.ijk is not None)
        return told + (f", {solids:,} voxels of structures" if solids else "")

    @cached_property
    def extents(self) -> Floats:
        """(rows,) mm2 or mm3 of each element; nan where it is not known."""
        everyone = np.arange(self.domain.size)
        elements = self.domain.at(everyone, everyone)
        found = np.empty(everyone.size)
        found[elements.memory] = self.domain.extents(elements, everyone, np.ones(everyone.size, np.intp)).size
        return found

    @cached_property
    def on_sheet(self) -> Flags:
        """(rows,) whether each element is a vertex."""
        parts = self.layout.parts
        return np.repeat([part.ijk is None for part in parts], [part.size for part in parts])

    @property
    def has_areas(self) -> bool:
        """Whether the area of every vertex is known."""
        return bool(np.isfinite(self.extents).all())

    def smallest(self, usual: Mapping[str, Any]) -> Smallest:
        """The participants' minimum sizes; that of areas where these are known."""
        strict = Criteria(convention=usual.get("convention"), on_surfaces=True).size_strict
        area = float(usual.get("min_region_area", 0))
        if strict and "min_region_area" in usual:
            area = max(area * (1 + 2 * ROUNDING), ABOVE_NOTHING)
        solids = not self.on_sheet.all()
        return Smallest(
            voxels=int(usual.get("min_region_voxels", 0)) if solids else 0,
            volume=float(usual.get("min_region_size", 0)) if solids else 0.0,
            vertices=int(usual.get("min_region_vertices", 0)),
            area=area if self.has_areas else 0.0,
        )

    def criteria(self, usual: Mapping[str, Any]) -> Criteria:
        """How consensus vertices become regions: along edges, and as large at least as the participants' are."""
        least = self.smallest(usual)
        return Criteria(
            on_surfaces=True,
            threshold="0",
            tail="bi",
            min_region_voxels=least.voxels,
            min_region_size=least.volume,
            min_region_vertices=least.vertices,
            min_region_area=least.area if self.has_areas else None,
            max_peaks=usual["max_peaks"],
            min_peak_distance=usual["min_peak_distance"],
        )

    def sizes(self, numbers: NDArray[np.intp]) -> dict[str, float]:
        """What regions of some elements take together, by the column of a table."""
        extents, on_sheet = self.extents[numbers], self.on_sheet[numbers]
        found = {"n_vertices": float(np.count_nonzero(on_sheet)), "area_mm2": float(extents[on_sheet].sum())}
        return found | ({} if self.on_sheet.all() else {"volume_mm3": float(extents[~on_sheet].sum())})

    def about(self, entities: Mapping[str, str]) -> dict[str, Any]:
        """What a sidecar says of the ground: what `den-` stands for, and where meshes and areas are from."""
        label = entities.get("den")
        density = {"Density": describe_density(label, self.layout)} if label else {}
        used = {mesh.structure or "unknown": {"Mesh": mesh.mesh, "Areas": mesh.areas} for mesh in self.meshes}
        return density | {"Surfaces": used}

    def save_labels(self, paths: OutputPaths, labels: Array, regions: Sequence[Region]) -> None:
        """Write the label files."""
        save_sheet_labels(paths, labels, self.layout, regions)

    def save_shares(self, paths: OutputPaths, row: Floats) -> None:
        """Write a row of fractions of people."""
        save_sheet_shares(paths, row, self.layout)


Ground = VolumeGround | SheetGround


def rows_of_peaks(ground: Ground, regions: Sequence[Region]) -> NDArray[np.intp]:
    """The row of each region's main peak."""
    if isinstance(ground, VolumeGround):
        ijk = np.array([region.peak.ijk for region in regions], np.intp).reshape(-1, 3)
        where = np.ravel_multi_index((ijk[:, 0], ijk[:, 1], ijk[:, 2]), ground.grid.shape, order="F")
        return np.asarray(where, np.intp)
    starts = np.cumsum([0, *(part.size for part in ground.layout.parts)]).tolist()
    rows = []
    for region in regions:
        for start, part in zip(starts, ground.layout.parts, strict=False):
            if part.structure == (region.structure or "") and (part.ijk is None) == (region.peak.vertex is not None):
                rows.append(start + part.find(region.peak.vertex, region.peak.ijk))
    return np.array(rows, np.intp)
