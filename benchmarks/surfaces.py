"""Surfaces: pairs of fsLR 32k and fsaverage 164k, CIFTI of 91k, from files to table and label files, beside others.

python benchmarks/surfaces.py [--rounds 15]. Each way begins with the files of a map and ends with files, in a folder
that is there, the mesh known before. nilearn's table of clusters runs in this process, with a smallest size of as many
vertices as our 100 mm2 have in the mean, and without one; wb_command, where it is installed, as a whole process for
each sign (and hemisphere) that it needs. Times are of the processor.
"""

import argparse
import shutil
import subprocess
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from measuring import alternate, run_command, save
from nibabel import cifti2
from nilearn.reporting import get_clusters_table
from nilearn.surface import PolyMesh, SurfaceImage
from scipy.sparse import coo_array
from simulating import smooth_map

from bids_regions.dataset import Selection, find_maps, open_dataset
from bids_regions.images.gifti import save_gifti_map
from bids_regions.maps import maps
from bids_regions.meshes import load_areas, load_cortex, load_inflated
from bids_regions.results.placement import name_outputs
from bids_regions.settings import make_entry

SIDES = {"L": ("CORTEX_LEFT", "left"), "R": ("CORTEX_RIGHT", "right")}
TEMPLATES = {"32k": ("fsLR", 32492), "164k": ("fsaverage", 163842)}
GRAYORDINATES = 91_282  # of the HCP's CIFTI files
STEPS = 60  # of smoothing along edges
SMALLEST = 100  # mm2, the default
NAME = "sub-01_hemi-{}_space-{}_contrast-a_stat-z_statmap.func.gii"


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")  # nilearn says much
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size, (space, n) in TEMPLATES.items():
            found[size] = measure(Path(folder) / size, space, n, rounds)
        found["cifti"] = measure_cifti(Path(folder) / "cifti", rounds)
    save("surfaces", found)


def make_folder(folder: Path) -> Path:
    """Where the maps of a dataset's only participant go."""
    place = folder / "in" / "sub-01"
    place.mkdir(parents=True)
    (folder / "in" / "dataset_description.json").write_text('{"Name": "surfaces", "BIDSVersion": "1.10.0"}')
    return place


def measure_cifti(folder: Path, rounds: int) -> dict[str, Any]:
    """Both cortices of fsLR 32k without the medial wall, and voxels of 2 mm in two boxes that make it 91,282."""
    place, (space, n) = make_folder(folder), TEMPLATES["32k"]
    axes, values = [], []
    for side, (structure, _) in SIDES.items():
        sheet, cortex = load_inflated(space, n, side), load_cortex(space, n, side)
        assert sheet is not None
        assert cortex is not None
        axes.append(cifti2.BrainModelAxis.from_mask(cortex, name=structure))
        values.append(smooth(sheet.triangles, n, ord(side))[cortex])
    left = GRAYORDINATES - sum(part.size for part in values)
    noise = smooth_map(2, head=False)
    data = noise.get_fdata(dtype=np.float32)
    for structure, corner, size in (("THALAMUS_LEFT", 60, left // 2), ("THALAMUS_RIGHT", 10, left - left // 2)):
        box = np.zeros(data.shape, bool)
        box[corner : corner + 25, 30:60, 20:60] = True
        box.ravel()[np.flatnonzero(box.ravel())[size:]] = False
        axes.append(cifti2.BrainModelAxis.from_mask(box, affine=noise.affine, name=structure))
        values.append(data[box])
    row = np.concatenate(values)[None]
    header = cifti2.Cifti2Header.from_axes((cifti2.ScalarAxis(["z"]), axes[0] + axes[1] + axes[2] + axes[3]))
    nib.save(nib.Cifti2Image(row, header), place / f"sub-01_space-{space}_den-91k_stat-z_statmap.dscalar.nii")
    once = pipeline(folder)
    once()
    found: dict[str, Any] = alternate({"bids_regions": once}, rounds)
    if shutil.which("wb_command"):
        found["wb_command, two calls"] = {"cpu_ms": 1000 * min(workbench_cifti(folder, place) for _ in range(3))}
    return {**found, "peak": peak_of(once, row.size)}


def peak_of(once: Callable[[], object], n: int) -> dict[str, int]:
    """The peak of memory that Python and numpy take, and the size of the values."""
    tracemalloc.start()
    once()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"bytes": peak, "of values": 4 * n}


def measure(folder: Path, space: str, n: int, rounds: int) -> dict[str, Any]:
    """One template."""
    make_folder(folder)
    meshes, values = {}, {}
    for side, (structure, part) in SIDES.items():
        sheet = load_inflated(space, n, side)
        assert sheet is not None
        values[part] = smooth(sheet.triangles, n, ord(side))
        save_gifti_map(folder / "in" / "sub-01" / NAME.format(side, space), values[part], structure)
        meshes[part] = write_mesh(folder / f"{side}.surf.gii", sheet.xyz, sheet.triangles, structure)
    once = pipeline(folder)
    once()
    areas = [load_areas(space, n, side) for side in SIDES]
    smallest = round(SMALLEST / np.mean([np.mean(each) for each in areas if each is not None]))
    files = {part: folder / "in" / "sub-01" / NAME.format(side, space) for side, (_, part) in SIDES.items()}
    mesh = PolyMesh(**meshes)
    ways = {
        "bids_regions": once,
        "nilearn's table": lambda: nilearn_table(mesh, files, smallest),
        "nilearn's table, any size": lambda: nilearn_table(mesh, files, 0),
    }
    found: dict[str, Any] = alternate(ways, rounds, fewer={name: 3 for name in ways if "nilearn" in name})
    if shutil.which("wb_command"):
        found["wb_command, four calls"] = {"cpu_ms": 1000 * min(workbench(folder, meshes) for _ in range(3))}
    found["peak"] = peak_of(once, 2 * n)
    return found


def nilearn_table(mesh: PolyMesh, files: dict[str, Path], smallest: int) -> None:
    """The table that nilearn makes, from files to a file, of clusters of at least `smallest` vertices."""
    image = SurfaceImage(mesh=mesh, data={part: str(path) for part, path in files.items()})
    found = get_clusters_table(image, stat_threshold=3.0, cluster_threshold=smallest, two_sided=True)
    found.to_csv(files["left"].parents[2] / "nilearn.tsv", sep="\t")


def pipeline(folder: Path) -> Callable[[], object]:
    """What the app does for the map, from its files to table and label files, the template known."""
    dataset = open_dataset(folder / "in", (), ())
    (mapfile,) = find_maps(dataset, Selection()).maps
    entry = make_entry("thr3p0", {"threshold": "3.0"}).for_surfaces(mapfile.form)
    number = count()

    def once() -> None:  # one folder, as that of a participant's maps: each time under another name
        paths = name_outputs(mapfile, f"{entry.name}n{next(number)}", folder / "out")
        job = maps.MapJob(
            mapfile=mapfile, dataset=dataset, output_dir=paths.output_dir, entries=(entry,), outputs=(paths,),
            fittings=((),),
        )  # fmt: skip
        lazy = maps._LazyMap(mapfile)
        inputs = maps.find_inputs(mapfile, dataset, entry, mapfile.entity("space") or "")
        maps._write(entry, paths, maps._compute(job, lazy, entry, inputs))

    return once


def workbench(folder: Path, meshes: dict[str, Path]) -> float:
    """Processor seconds of wb_command for both signs of both hemispheres."""
    seconds = 0.0
    for side, (_, part) in SIDES.items():
        (metric,) = (folder / "in" / "sub-01").glob(f"*hemi-{side}_*")
        for threshold, less in (("3", []), ("-3", ["-less-than"])):
            out = folder / "wb.func.gii"
            words = ["wb_command", "-metric-find-clusters", meshes[part], metric, threshold, "100", out, *less]
            seconds += run_command(words)[1]
    return seconds


def workbench_cifti(folder: Path, place: Path) -> float:
    """Processor seconds of wb_command for both signs of a CIFTI file."""
    (file,) = place.glob("*.dscalar.nii")
    meshes, seconds = [], 0.0
    for side, (structure, part) in SIDES.items():
        sheet = load_inflated(*TEMPLATES["32k"], side)
        assert sheet is not None
        path = folder / f"{side}.surf.gii"
        meshes += [
            f"-{part}-surface",
            path if path.exists() else write_mesh(path, sheet.xyz, sheet.triangles, structure),
        ]
    for threshold, less in (("3", []), ("-3", ["-less-than"])):
        sizes = [threshold, "100", threshold, "200", "COLUMN"]
        words = ["wb_command", "-cifti-find-clusters", file, *sizes, folder / "wb.dscalar.nii", *less, *meshes]
        seconds += run_command(words)[1]
    return seconds


def smooth(triangles: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Noise smoothed along edges, its SD 1.5."""
    edges = np.concatenate([triangles[:, pair] for pair in ((0, 1), (1, 2), (2, 0))])
    joined = coo_array((np.ones(len(edges), np.float32), edges.T), shape=(n, n)).tocsr()
    values, degree = np.random.default_rng(seed).standard_normal(n), joined.sum(axis=1)
    for _ in range(STEPS):
        values = (values + joined @ values) / (1 + degree)
    return (1.5 * values / values.std()).astype(np.float32)


def write_mesh(path: Path, xyz: np.ndarray, triangles: np.ndarray, structure: str) -> Path:
    """A surface file that every tool reads."""
    arrays = [
        nib.gifti.GiftiDataArray(xyz.astype(np.float32), intent="NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(triangles.astype(np.int32), intent="NIFTI_INTENT_TRIANGLE"),
    ]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    if shutil.which("wb_command"):
        subprocess.run(["wb_command", "-set-structure", path, structure, "-surface-type", "INFLATED"], check=True)
    return path


if __name__ == "__main__":
    main()
