"""A small BIDS derivatives dataset around one real map, for `make demo` and for trying the app.

sub-01 is the motor map that nilearn ships (left against right button presses, NeuroVault image 10426), unchanged.
sub-02 to sub-05 are made from it by a seeded perturbation: its values times a gain, plus smooth Gaussian noise inside
the brain. sub-06 is such noise alone. They are no people, and every file of the dataset that speaks of them says so.

A second dataset has the same real map on the cortex: sampled half-way between the white and the pial surface of
fsaverage5, which nilearn ships too.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import ndimage

from bids_regions.demo_atlas import make_demo_atlas
from bids_regions.errors import Fault, MissingInput
from bids_regions.files import write_json, write_text
from bids_regions.images import StoredGrid, load_statmap, make_grid, save_labels, save_map
from bids_regions.images.gifti import load_surface, save_gifti_map

__all__ = ["make_demo", "make_surface_demo", "run", "write_demo_atlas"]

SPACE = "MNI152Lin"
STEM = "task-localizer_space-" + SPACE
GAINS = {"02": 0.9, "03": 0.75, "04": 1.1, "05": 0.5, "06": 0.0}  # sub-01 is the map itself
NOISE_SD = 1.0  # z
NOISE_FWHM = 6.0  # mm
SEED = 10426
TASK = {"TaskName": "localizer", "Description": "Motor map of nilearn, or made from it; see README.md"}
README = """# A dataset for the demo of bids_regions

sub-01 is a real map: the motor contrast (left against right button presses) that nilearn ships, NeuroVault image 10426.
sub-02 to sub-05 are **made from it**: its values times a gain (0.9, 0.75, 1.1, 0.5), plus Gaussian noise of standard
deviation 1 smoothed to 6 mm inside the brain (numpy's default generator, seed 10426). sub-06 is such noise alone. The
columns of participants.tsv are made up. The space is named so that files can be told apart; nobody measured it here.
"""

SURFACE_README = """# A dataset on surfaces for the demo of bids_regions

sub-01 is the motor map that nilearn ships, NeuroVault image 10426, sampled linearly half-way between the white and the
pial surface of fsaverage5, which nilearn ships too. It comes from a template's volume and was not measured on a cortex.
"""
MAKER = {"Name": "bids_regions.demo", "Description": "Made from a map that nilearn ships; see README.md"}


def make_demo(folder: Path, real_map: Path) -> None:
    """Write the demo dataset into `folder`, around the map at `real_map`."""
    statmap = load_statmap(real_map)
    brain = statmap.data != 0
    random = np.random.default_rng(SEED)
    _write_map(folder, "01", statmap.data, brain, statmap.grid)
    sigma = [NOISE_FWHM / (zoom * np.sqrt(8 * np.log(2))) for zoom in statmap.grid.zooms]
    for label, gain in GAINS.items():
        noise = ndimage.gaussian_filter(random.standard_normal(brain.shape), sigma)
        noise *= NOISE_SD / noise[brain].std()
        _write_map(folder, label, np.where(brain, gain * statmap.data + noise, 0), brain, statmap.grid)
    _describe(folder)


def make_surface_demo(folder: Path, real_map: Path) -> None:
    """Write a dataset with the map at `real_map` on the cortex into `folder`."""
    statmap = load_statmap(real_map)
    meshes = real_map.with_name("fsaverage5")
    inverse = np.linalg.inv(statmap.affine)
    for side, name, structure in (("L", "left", "CORTEX_LEFT"), ("R", "right", "CORTEX_RIGHT")):
        white, pial = (load_surface(meshes / f"{kind}_{name}.gii.gz").xyz for kind in ("white", "pial"))
        ijk = inverse[:3, :3] @ ((white + pial) / 2).T + inverse[:3, 3:]
        values = ndimage.map_coordinates(statmap.data.astype(np.float64), ijk, order=1)
        stem = f"sub-01_task-localizer_hemi-{side}_space-fsaverage5_contrast-leftVsRight_stat-z_statmap"
        save_gifti_map(folder / "sub-01" / f"{stem}.func.gii", values, structure)
    description = {"Name": "Demo of bids_regions on surfaces", "BIDSVersion": "1.11.0", "DatasetType": "derivative"}
    write_json(folder / "dataset_description.json", {**description, "GeneratedBy": [MAKER]})
    write_text(folder / "README.md", SURFACE_README)


def _write_map(folder: Path, label: str, data: np.ndarray, brain: np.ndarray, grid: StoredGrid) -> None:
    stem = folder / f"sub-{label}" / "func" / f"sub-{label}_{STEM}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    save_map(Path(f"{stem}_contrast-leftVsRight_stat-z_statmap.nii.gz"), data, grid, intent=5)
    save_labels(Path(f"{stem}_desc-brain_mask.nii.gz"), brain.astype(np.uint8), grid)


def write_demo_atlas(folder: Path) -> Path:
    """Write the atlas of boxes into `folder`; returns its label image."""
    atlas = make_demo_atlas()
    shape = (atlas.labels.shape[0], atlas.labels.shape[1], atlas.labels.shape[2])
    stem = folder / f"tpl-{SPACE}" / f"tpl-{SPACE}_atlas-Boxes_dseg"
    save_labels(Path(f"{stem}.nii.gz"), atlas.labels, make_grid(shape, atlas.affine))
    write_text(Path(f"{stem}.tsv"), atlas.tsv)
    write_json(Path(f"{stem}.json"), atlas.sidecar)
    return Path(f"{stem}.nii.gz")


def _describe(folder: Path) -> None:
    description = {"Name": "Demo of bids_regions", "BIDSVersion": "1.11.0", "DatasetType": "derivative"}
    write_json(folder / "dataset_description.json", {**description, "GeneratedBy": [MAKER]})
    write_text(folder / "README.md", README)
    write_json(folder / "task-localizer_statmap.json", TASK)
    ages = dict(zip(("01", *GAINS), (24, 31, 28, 35, 41, 22), strict=True))
    rows = [f"sub-{label}\t{age}\t{'ab'[n % 2]}" for n, (label, age) in enumerate(ages.items())]
    write_text(folder / "participants.tsv", "\n".join(["participant_id\tage\tgroup", *rows]) + "\n")
    columns = {"age": {"Description": "Made up", "Units": "year"}, "group": {"Description": "Made up"}}
    write_json(folder / "participants.json", columns)


def find_real_map() -> Path:
    """The motor map in nilearn's installation; nilearn itself is not imported."""
    spec = find_spec("nilearn")
    found = Path(spec.origin).parent / "datasets" / "data" / "image_10426.nii.gz" if spec and spec.origin else None
    if found is None or not found.is_file():
        raise MissingInput("nilearn, which ships the demo's map, is not installed", hint="Install bids_regions[demo]")
    return found


def run(arguments: list[str]) -> int:
    """`python -m bids_regions.demo FOLDER`: FOLDER/dataset, FOLDER/surfaces, and the atlas in FOLDER/atlas."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        asked = arguments in (["-h"], ["--help"])
        print("usage: python -m bids_regions.demo FOLDER", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    folder = Path(arguments[0])
    try:
        make_demo(folder / "dataset", find_real_map())
        make_surface_demo(folder / "surfaces", find_real_map())
        atlas = write_demo_atlas(folder / "atlas")
    except Fault as fault:
        print(fault, file=sys.stderr)
        return fault.exit_code
    print(f"the demo dataset is in {folder / 'dataset'}, the atlas of boxes is {atlas}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
