"""Folders as FSL, SPM, PALM and AFNI leave them, generated small: text, matrices and images of the same layout."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import io
from trees import AFFINE, SHAPE, make_data, write_map, write_mask

from bids_regions.importing.cli import main

CONTRASTS = ("faces > houses", "tone counting")


def feat(
    path: Path, contrasts: Sequence[str] = CONTRASTS, *, source: str = "/data/sub-07_task-tones_bold", level: int = 1
) -> Path:
    """A FEAT folder; `source` is what design.fsf names as its data."""
    (path / "stats").mkdir(parents=True)
    names = "".join(f"/ContrastName{n}\t{name} \n" for n, name in enumerate(contrasts, 1))
    (path / "design.con").write_text(f"{names}/NumWaves\t2\n/NumContrasts\t{len(contrasts)}\n\n/Matrix\n1 0\n0 1\n")
    (path / "design.fts").write_text("/NumWaves\t2\n/NumContrasts\t1\n\n/Matrix\n1 1\n")
    (path / "design.fsf").write_text(
        f'set fmri(level) {level}\nset fmri(regstandard) "/opt/fsl/MNI152_T1_2mm_brain"\nset feat_files(1) "{source}"\n'
    )
    (path / "stats" / "dof").write_text("102  \n")
    (path / "stats" / "smoothness").write_text("DLH 0.0577\nVOLUME 960\nRESELS 80\n")
    for n in range(1, len(contrasts) + 1):
        for kind in ("cope", "varcope", "tstat", "zstat"):
            write_map(path / "stats" / f"{kind}{n}.nii.gz")
    write_map(path / "stats" / "fstat1.nii.gz")
    write_map(path / "stats" / "zfstat1.nii.gz")
    write_mask(path / "mask.nii.gz")
    return path


def gfeat(path: Path, lower: Sequence[str] = CONTRASTS, *, sources: str = "/data/sub-0{}.feat") -> Path:
    """A group folder with a FEAT folder for each contrast below; voxel-wise degrees of freedom."""
    for n, name in enumerate(lower, 1):
        folder = feat(path / f"cope{n}.feat", ("group mean",), level=2)
        (folder / "design.fsf").unlink()
        (folder / "design.lev").write_text(name)
        write_map(folder / "stats" / "tdof_t1.nii.gz", np.full(SHAPE, 19.0, np.float32))
    files = "".join(f'set feat_files({n}) "{sources.format(n)}"\n' for n in (1, 2, 3))
    (path / "design.fsf").write_text(
        f'set fmri(level) 2\nset fmri(regstandard) "/opt/fsl/MNI152_T1_2mm_brain"\n{files}'
    )
    return path


def spm(
    path: Path,
    contrasts: Sequence[tuple[str, str]] = (("tone counting", "T"), ("all effects", "F")),
    *,
    scans: Sequence[str] = ("/old/swsub-03_task-tones_bold.nii,1", "/old/swsub-03_task-tones_bold.nii,2"),
    first_level: bool = True,
) -> Path:
    """An SPM folder; without `first_level` one of a group, which has no sessions."""
    path.mkdir(parents=True)
    cons = []
    for n, (name, kind) in enumerate(contrasts, 1):
        estimate = f"con_{n:04d}.nii" if kind == "T" else f"ess_{n:04d}.nii"
        cons.append(
            {"name": name, "STAT": kind, "eidf": 1.0 if kind == "T" else 2.0, "c": np.ones(3),
             "Vspm": {"fname": f"spm{kind}_{n:04d}.nii"}, "Vcon": {"fname": f"/old/place/{estimate}"}}
        )  # fmt: skip
        write_map(path / f"spm{kind}_{n:04d}.nii")
        write_map(path / estimate)
    matrix = AFFINE.copy()
    matrix[:3, 3] -= AFFINE[:3, :3].sum(axis=1)  # MATLAB counts from 1
    design = {
        "xY": {"P": np.array(scans, object)},
        "xX": {"erdf": 97.99999},
        "xVol": {"FWHM": np.array([2.5, 2.25, 2.0]), "R": np.array([6.0, 1, 2, 3]), "S": 960.0, "M": matrix},
        "VM": {"fname": "mask.nii"},
        "xCon": np.array(cons, object) if cons else np.empty(0),
        **({"Sess": {"row": np.arange(2)}} if first_level else {}),
    }
    io.savemat(path / "SPM.mat", {"SPM": design})
    write_mask(path / "mask.nii")
    return path


def randomise(prefix: Path) -> Path:
    """The outputs of randomise; the prefix."""
    for rest in ("tstat1", "tstat2", "fstat1"):
        write_map(prefix.parent / f"{prefix.name}_{rest}.nii.gz")
    for rest in ("vox_corrp_tstat1", "tfce_corrp_tstat1", "clustere_corrp_tstat1"):
        corrected = np.clip(make_data(f"{prefix.name}_tstat1.nii.gz") / 5, 0, 1)
        write_map(prefix.parent / f"{prefix.name}_{rest}.nii.gz", corrected)
    return prefix


def palm(prefix: Path, options: str | None = "-i x.nii -logp -n 500") -> Path:
    """The outputs of PALM; without `options` there is no record of them."""
    for rest in ("vox_tstat_c1", "vox_tstat_fwep_c1", "vox_tstat_uncp_c1", "tfce_tstat_c1", "tfce_tstat_fwep_c1"):
        write_map(prefix.parent / f"{prefix.name}_{rest}.nii")
    if options is not None:
        (prefix.parent / f"{prefix.name}_palmconfig.txt").write_text(f"# palm\n{options}\n")
    return prefix


def afni(  # one argument per attribute that matters
    path: Path,
    bricks: Sequence[tuple[str, int, tuple[int, ...]]] = (
        ("Full_Fstat", 4, (2, 98)),
        ("vis#0_Coef", 0, ()),
        ("vis#0_Tstat", 3, (98,)),
        ("vis_R^2", 2, (98, 1, 1)),
        ("V-A_GLT#0_Coef", 0, ()),
        ("V-A_GLT#0_Tstat", 3, (98,)),
    ),
    *,
    history: str = "3dDeconvolve -input run",
    space: str = "TLRC",
) -> Path:
    """An AFNI dataset, .HEAD and .BRIK, of 16-bit bricks with factors; `path` is without the endings."""  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    volumes = [make_data(label) for label, _, _ in bricks]
    factors = [float(np.abs(v).max() / 32000) for v in volumes]
    stored = [np.round(v / f).astype("<i2").ravel(order="F") for v, f in zip(volumes, factors, strict=True)]
    (path.parent / f"{path.name}.BRIK").write_bytes(b"".join(one.tobytes() for one in stored))
    aux = [n for at, (_, code, more) in enumerate(bricks) if code for n in (at, code, len(more), *more)]
    size = len(bricks)
    attributes = [
        _whole("DATASET_RANK", [3, size, 0, 0, 0, 0, 0, 0]),
        _whole("DATASET_DIMENSIONS", [*SHAPE, 0, 0]),
        _whole("ORIENT_SPECIFIC", [1, 2, 4]),  # L-R, P-A, I-S: AFNI's names of the ends where an axis begins
        _real("ORIGIN", [-AFFINE[0, 3], -AFFINE[1, 3], AFFINE[2, 3]]),
        _real("DELTA", [-4.0, -4.0, 4.0]),
        _real("IJK_TO_DICOM_REAL", [*-AFFINE[0], *-AFFINE[1], *AFFINE[2]]),  # mm to the left, to the back, up
        _whole("SCENE_DATA", [2 if path.name.endswith("tlrc") else 0, 11, 1]),
        _text("TYPESTRING", "3DIM_HEAD_FUNC"),
        _text("BYTEORDER_STRING", "LSB_FIRST"),
        _whole("BRICK_TYPES", [1] * size),
        _real("BRICK_FLOAT_FACS", factors),
        _real("BRICK_STATS", [0.0, 1.0] * size),
        _text("BRICK_LABS", "~".join(label for label, _, _ in bricks)),
        _text("HISTORY_NOTE", history),
        *([_text("TEMPLATE_SPACE", space)] if space else []),
        *([_real("BRICK_STATAUX", aux)] if aux else []),
    ]
    (path.parent / f"{path.name}.HEAD").write_text("\n".join(attributes))
    return path


def _whole(name: str, numbers: Sequence[int]) -> str:
    return f"type = integer-attribute\nname = {name}\ncount = {len(numbers)}\n {' '.join(map(str, numbers))}\n"


def _real(name: str, numbers: Sequence[float]) -> str:
    return f"type = float-attribute\nname = {name}\ncount = {len(numbers)}\n {' '.join(f'{n:.9g}' for n in numbers)}\n"


def _text(name: str, text: str) -> str:
    return f"type = string-attribute\nname = {name}\ncount = {len(text) + 1}\n'{text}~\n"


def stored(path: Path) -> np.ndarray:
    """An image's values."""
    return np.asanyarray(nib.load(path).dataobj)


FEAT_NAMES = {
    f"sub-07_task-tones_space-func_contrast-{contrast}_stat-{stat}_statmap"
    for contrast in ("facesGtHouses", "toneCounting")
    for stat in ("z", "t", "effect", "variance")
} | {"sub-07_task-tones_space-func_contrast-F1_stat-F_statmap", "sub-07_task-tones_space-func_desc-brain_mask"}


@pytest.fixture
def run(tmp_path, capsys):
    """Import into tmp_path / "out" and look: exit code and what was said."""

    def imported(*arguments, out="out"):
        code = main([*map(str, arguments), str(tmp_path / out)])
        return code, capsys.readouterr().err

    return imported


def images(root):
    return {path.name.partition(".")[0]: path for path in sorted(root.rglob("*.nii*"))}


def sidecar(root, part):
    (path,) = [path for path in root.rglob("*.json") if part in path.name]
    return json.loads(path.read_text())
