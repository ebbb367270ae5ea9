"""Datasets of every shape found in the wild, generated: FitLins, nilearn, HALFpipe, fMRIPrep-like, tedana, raw.

Each function writes below a folder and returns it. Maps are small volumes with two blobs of either sign, seeded by
their path; `write_map` makes one with any data.
"""

import json
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock, create_autospec, patch

import nibabel as nib
import numpy as np

from bids_regions.dataset import Selection, find_maps, open_dataset

SHAPE = (12, 14, 10)
AFFINE = np.array([[4.0, 0, 0, -22], [0, 4.0, 0, -26], [0, 0, 4.0, -18], [0, 0, 0, 1]])
STATS = ("effect", "p", "t", "variance", "z")


def describe(root: Path, **fields: Any) -> Path:
    """Write dataset_description.json; a field given as None is left out."""
    root.mkdir(parents=True, exist_ok=True)
    content = {"Name": root.name, "BIDSVersion": "1.9.0", "DatasetType": "derivative", **fields}
    (root / "dataset_description.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return root


def write_json(path: Path, content: object) -> Path:
    """Write a sidecar or any JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def make_data(seed: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Noise around zero, a positive and a negative blob of some 60 voxels each."""
    random = np.random.default_rng(zlib.crc32(seed.encode(errors="surrogateescape")))
    data = random.normal(0, 0.4, shape).astype(np.float32)
    data[2:6, 3:7, 3:7] += 5
    data[7:11, 8:12, 4:8] -= 4.5
    return data


def write_map(path: Path, data: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> Path:
    """Write a volume; without data the blobs of `make_data`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(make_data(path.name) if data is None else data, affine), path)
    return path


def write_mask(path: Path) -> Path:
    """Write a brain mask: all but the outermost voxels."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    return write_map(path, mask)


def touch(path: Path, content: bytes = b"x") -> Path:
    """Write a file of which only the name matters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def fitlins(root: Path, participants: Iterable[str] = ("01", "02"), stats: Iterable[str] = STATS) -> Path:
    """As FitLins writes: nodes at the top, participants below, no datatype folder; the dataset level has no task."""
    describe(root, Name="FitLins", PipelineDescription={"Name": "FitLins", "Version": "0.11.0"})
    for label in participants:
        for stat in stats:
            for run in ("1", "2"):
                name = f"sub-{label}_task-faces_run-{run}_space-MNI152NLin2009cAsym_contrast-facesGtHouses_stat-{stat}"
                write_map(root / "node-runLevel" / f"sub-{label}" / f"{name}_statmap.nii.gz")
            name = f"sub-{label}_contrast-facesGtHouses_stat-{stat}_statmap.nii.gz"
            write_map(root / "node-subjectLevel" / f"sub-{label}" / name)
    for stat in stats:
        write_map(root / "node-dataLevel" / f"contrast-facesGtHouses_stat-{stat}_statmap.nii.gz")
    touch(root / "reports" / "model-x.html")
    touch(root / "node-runLevel" / "sub-01" / "sub-01_task-faces_run-1_desc-design_matrix.tsv")
    return root


def save_glm(model: Any, **how: Any) -> None:
    """What nilearn's save_glm_to_bids writes, with its pictures and its report empty: nothing reads what they show."""
    from matplotlib.figure import Figure  # noqa: PLC0415 # what only these tests need
    from nilearn.interfaces.bids import save_glm_to_bids  # noqa: PLC0415

    report = Mock(**{"save_as_html.side_effect": Path.touch})
    asked = create_autospec(type(model).generate_report, return_value=report)  # its options are looked up
    drawn = patch.object(Figure, "savefig", lambda _figure, path, **_how: Path(path).touch())
    with drawn, patch.object(type(model), "generate_report", asked):
        save_glm_to_bids(model, **how)


def nilearn_glm(root: Path, participants: Iterable[str] = ("01", "02"), *, group: bool = True) -> Path:
    """What nilearn's save_glm_to_bids writes, by running it on simulated series."""
    from nilearn.glm.first_level import FirstLevelModel  # noqa: PLC0415 # 2 s, for the tests that need it
    from nilearn.glm.second_level import SecondLevelModel  # noqa: PLC0415

    effects = []
    mask = nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in participants:
            series, events = _simulate(label)
            model = FirstLevelModel(t_r=2.0, mask_img=mask, minimize_memory=False, drift_model=None)
            model.fit(series, events=events)
            effects.append(model.compute_contrast("faces", output_type="effect_size"))
            save_glm(
                model,
                contrasts="faces",
                out_dir=root,
                prefix=f"sub-{label}_task-faces_space-MNI152NLin2009cAsym",
                plot_type="slice",
            )
        if group:
            import pandas as pd  # noqa: PLC0415

            design = pd.DataFrame({"intercept": np.ones(len(effects))})
            second = SecondLevelModel(mask_img=mask, minimize_memory=False).fit(effects, design_matrix=design)
            save_glm(second, contrasts="intercept", out_dir=root, prefix="", plot_type="slice")
    return root


def _simulate(label: str) -> tuple[nib.Nifti1Image, Any]:
    import pandas as pd  # noqa: PLC0415

    random = np.random.default_rng(zlib.crc32(label.encode()))
    n_scans = 40
    series = random.normal(100, 1, (*SHAPE, n_scans)).astype(np.float32)
    onsets = np.arange(0, 80, 20.0)
    for onset in onsets:
        series[2:6, 3:7, 3:7, int(onset / 2) + 2 : int(onset / 2) + 6] += 3
    events = pd.DataFrame({"onset": onsets, "duration": 8.0, "trial_type": "faces"})
    return nib.Nifti1Image(series, AFFINE), events


def halfpipe(root: Path, participants: Iterable[str] = ("01", "02")) -> Path:
    """As HALFpipe writes: a folder per task, statistics with their dof map, groups by model."""
    describe(root, Name="HALFpipe")
    for label in participants:
        folder = root / f"sub-{label}" / "func" / "task-rest"
        stem = f"sub-{label}_task-rest_feature-seedCorr_seed-acc"
        for stat in ("effect", "variance", "z", "dof"):
            data = np.full(SHAPE, 57, np.float32) if stat == "dof" else None
            write_map(folder / f"{stem}_stat-{stat}_statmap.nii.gz", data)
        write_json(folder / f"{stem}_stat-effect_statmap.json", {"FWHM": [6.0, 6.0, 6.0], "MeanGMTSNR": 41.5})
        write_mask(folder / f"{stem}_mask.nii.gz")
        touch(folder / f"sub-{label}_task-rest_feature-seedCorr_desc-confounds_regressors.tsv")
    folder = root / "grouplevel" / "func" / "task-rest_feature-seedCorr" / "model-intercept"
    for stat in ("effect", "z"):
        name = f"task-rest_feature-seedCorr_seed-acc_taskcontrast-a_model-intercept_contrast-intercept_stat-{stat}"
        write_map(folder / f"{name}_statmap.nii.gz")
    write_map(folder / "task-rest_feature-seedCorr_model-intercept_algorithm-mcar_stat-z_statmap.nii.gz")
    return root


def fmriprep_like(
    root: Path, participants: Iterable[str] = ("01", "02"), sessions: Iterable[str | None] = ("1",)
) -> Path:
    """Maps in `sub-X/[ses-Y]/func/` beside brain masks and anatomy, as in an fMRIPrep dataset."""
    describe(root, Name="first levels", Authors=["A. Author", "B. Author"], License="CC0")
    for label in participants:
        for session in sessions:
            folder = root / f"sub-{label}" / (f"ses-{session}" if session else "")
            who = f"sub-{label}" + (f"_ses-{session}" if session else "")
            for run in ("01", "02"):
                stem = f"{who}_task-nback_run-{run}_space-MNI152NLin6Asym_res-2"
                for stat in ("t", "z"):
                    write_map(folder / "func" / f"{stem}_contrast-twoBack_stat-{stat}_statmap.nii.gz")
                write_map(folder / "func" / f"{stem}_contrast-zeroBack_stat-t_statmap.nii.gz")
                write_mask(folder / "func" / f"{stem}_desc-brain_mask.nii.gz")
                touch(folder / "func" / f"{stem}_desc-preproc_bold.json", b"{}")
            write_mask(folder / "anat" / f"{who}_space-MNI152NLin6Asym_res-2_desc-brain_mask.nii.gz")
            write_map(folder / "anat" / f"{who}_space-MNI152NLin6Asym_res-2_desc-preproc_T1w.nii.gz")
            write_map(folder / "anat" / f"{who}_desc-preproc_T1w.nii.gz")
    write_json(root / "task-nback_statmap.json", {"DegreesOfFreedom": 120, "RepetitionTime": 2.0})
    return root


def tedana(root: Path) -> Path:
    """As tedana 26 writes into a participant's folder by `--prefix sub-01_task-rest`, of 8 components 6 accepted; and
    maps of other programs with entities in another order and a `+` in labels.
    """
    describe(root, Name="tedana")
    folder = root / "sub-01" / "func"
    stem = "sub-01_task-rest"
    names = [f"ICA_{number}" for number in range(8)]
    series = np.stack([make_data(name) for name in names], axis=-1)
    for desc in ("ICAT2", "ICAS0", "PCAT2", "PCAS0"):
        write_map(folder / f"{stem}_desc-{desc}_stat-F_statmap.nii.gz", series)
    for name in ("desc-ICA", "desc-ICA_stat-z", "desc-ICAAveragingWeights", "desc-PCA_stat-z", "echo-1_desc-ICA"):
        write_map(folder / f"{stem}_{name}_components.nii.gz", series)
    for name in ("desc-ICAAccepted", "desc-ICAAccepted_stat-z"):
        write_map(folder / f"{stem}_{name}_components.nii.gz", series[..., 2:])
    write_map(folder / f"{stem}_desc-rmse_statmap.nii.gz", np.abs(series[..., 0]))
    touch(folder / f"{stem}_desc-ICA_mixing.tsv", ("\t".join(names) + "\n" + "\t".join("0" * 8) + "\n").encode())
    rows = [f"{name}\t{100 - n}\t{'rejected' if n < 2 else 'accepted'}" for n, name in enumerate(names)]
    table = "\n".join(["Component\tkappa\tclassification", *rows])
    touch(folder / f"{stem}_desc-tedana_metrics.tsv", table.encode())
    write_map(folder / f"{stem}_stat-variance_desc-t2star_statmap.nii.gz")
    write_map(folder / f"{stem}_stat-z_desc-t2star+s0_statmap.nii.gz")
    return root


def raw_dataset(root: Path, participants: Iterable[str] = ("01", "02")) -> Path:
    """A raw dataset: series, participants.tsv, and a folder for derivatives without any."""
    describe(root, Name="A raw dataset", DatasetType="raw", DatasetDOI="doi:10.18112/openneuro.ds000001.v1.0.0")
    lines = ["participant_id\tage\tgroup"]
    for number, label in enumerate(participants):
        touch(root / f"sub-{label}" / "func" / f"sub-{label}_task-faces_bold.nii.gz")
        lines.append(f"sub-{label}\t{20 + number}\t{'patient' if number % 2 else 'control'}")
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    (root / "derivatives").mkdir(exist_ok=True)
    return root


def raw_with_derivatives(root: Path, names: Iterable[str] = ("fitlins",)) -> Path:
    """A raw dataset whose `derivatives/` hold fMRIPrep's output without any map, and FitLins' under each name."""
    raw_dataset(root)
    prep = describe(root / "derivatives" / "fmriprep", Name="fMRIPrep")
    for label in ("01", "02"):
        stem = f"sub-{label}/func/sub-{label}_task-faces_run-1_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz"
        write_mask(prep / stem)
        name = f"sub-{label}_space-MNI152NLin2009cAsym_desc-preproc_T1w.nii.gz"
        write_map(prep / f"sub-{label}" / "anat" / name)
    for name in names:
        fitlins(root / "derivatives" / name)
    return root


def faults(root: Path) -> Path:
    """One participant with a sound map and one of every sort that is skipped or fails."""
    describe(root)
    func = root / "sub-01" / "func"

    def name(contrast: str, ending: str = "stat-z_statmap.nii.gz") -> Path:
        return func / f"sub-01_task-x_contrast-{contrast}_{ending}"

    write_map(name("sound"))
    write_map(name("fourD"), np.zeros((*SHAPE, 2), np.float32))
    write_map(name("oneVolume"), make_data("one")[..., None])
    touch(name("gifti", "hemi-L_stat-z_statmap.func.gii"))
    touch(name("cifti", "stat-z_statmap.dscalar.nii"))
    write_map(name("sound", "stat-p_statmap.nii.gz"))
    write_map(name("sound", "stat-logpFWE_statmap.nii.gz"))
    touch(name("empty"), b"")
    touch(name("truncated"), write_map(root / "whole.nii.gz").read_bytes()[:200])
    (root / "whole.nii.gz").unlink()
    name("annexed").symlink_to("../../.git/annex/objects/XX/YY/MD5E-s1--0.nii.gz")
    return root


def many(root: Path, n_participants: int, *, unrelated: int = 20, tasks: Sequence[str] = ("rest",)) -> Path:
    """Participants with a map per task and unrelated files; only names, for measuring discovery."""
    describe(root)
    for number in range(n_participants):
        label = f"{number:05d}"
        func = root / f"sub-{label}" / "func"
        func.mkdir(parents=True)
        for task in tasks:
            (func / f"sub-{label}_task-{task}_space-MNI152NLin6Asym_contrast-a_stat-z_statmap.nii.gz").write_bytes(b"x")
        for other in range(unrelated):
            (func / f"sub-{label}_task-rest_run-{other}_space-MNI152NLin6Asym_desc-preproc_bold.json").touch()
    return root


KEYS = {"participants": "sub", "sessions": "ses", "tasks": "task", "runs": "run", "spaces": "space",
        "contrasts": "contrast", "stats": "stat"}  # fmt: skip


def selection(**wanted):
    """A selection, its labels by the plural of what they name."""
    asked = {KEYS[name]: labels for name, labels in wanted.items() if name in KEYS}
    return Selection(asked=asked, **{name: value for name, value in wanted.items() if name not in KEYS})


def find(root, **wanted):
    """The maps that a selection finds."""
    return find_maps(open_dataset(root), selection(**wanted))


def names(discovery):
    """Of the maps found."""
    return [mapfile.relpath for mapfile in discovery.maps]
