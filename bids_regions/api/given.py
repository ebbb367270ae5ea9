"""What a user of Python gives, made one thing: the values of a map, what they lie on, and what was told of them.

What a user *gives* is a path, an image of nibabel or nilearn, an array with an affine, or a mesh with values. What is
asked of the map, and what becomes of it, is not known here.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_regions.api.surfaces import Sheets, is_surface, take_surfaces
from bids_regions.dataset.names import read_entities, split_name
from bids_regions.errors import BadMap, Contradiction, MissingInput
from bids_regions.extraction import Criteria, Smoothness, Statistic
from bids_regions.extraction.criteria import is_number
from bids_regions.extraction.smoothness import smoothness_from_fwhm
from bids_regions.extraction.statistics import P_LOGARITHMS, told_kind
from bids_regions.frozen import dataclass
from bids_regions.images import StoredGrid, Volume, is_image, load_mask, load_statmap, make_grid, volume_of
from bids_regions.space import Grayordinates, Grid, Mesh
from bids_regions.space.grid import is_singular

__all__ = [
    "Given", "Where", "refuse_untold", "space_of", "take_map", "take_mask", "take_second", "take_smoothness",
    "take_statistic",
]  # fmt: skip

Array = NDArray[Any]
Where = Grid | Grayordinates | Mesh | ArrayLike
TELL = 'Give statistic="z", or Statistic("t", dof=20); an image\'s intent or its name (stat-t) tells it as well'
DOF = {1: 'Statistic("{kind}", dof=20)', 2: 'Statistic("{kind}", dof=(2, 98))'}
DOF_TOLD = "Give an image whose intent tells them, or statistic="
AFFINE = "Give the 4 x 4 affine from voxels to mm (RAS+), as nibabel's image.affine, or the image itself"
ONE_GRID = "Resample it to the map's grid, or give the map of the same vertices"


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """A map as it was given."""

    data: Array  # as stored, infinities in their places
    where: Any  # the affine of voxels, a Grid, Grayordinates or a Mesh; None where sheets are not laid yet
    grid: StoredGrid | None = None  # of voxels
    sheets: Sheets | None = None  # of a map on surfaces that was given as files or images
    intent: int = 0  # NIfTI code
    dof: Any = field(default_factory=dict)  # degrees of freedom by intent
    name: str = ""  # of the file it came from

    @property
    def on_surfaces(self) -> bool:
        """Whether it has vertices."""
        return self.grid is None


def take_map(image: Any, affine: Where | None) -> Given:
    """The map in an image, a file, a pair or an array.

    Raises
    ------
    BadMap, MissingInput, Contradiction, UnsuitableMap
        It is no map, or does not say where its values lie.
    """
    if is_image(image) or is_surface(image) or isinstance(image, str | os.PathLike):
        if affine is not None:
            raise Contradiction("an affine is given beside an image that has one", hint="Leave it out")
        return _from_surfaces(image) if is_surface(image) else _from_volume(image)
    data = _array(image, "the map")
    if affine is None:
        raise BadMap("an array alone does not say where its voxels lie", hint=AFFINE)
    if isinstance(affine, Grid):
        stored = affine if isinstance(affine, StoredGrid) else make_grid(affine.shape, affine.affine)
        return Given(data=data, where=affine, grid=stored)
    if isinstance(affine, Grayordinates | Mesh):
        return Given(data=data, where=affine)
    return _from_array(data, affine)


def _from_surfaces(image: Any) -> Given:
    sheets = take_surfaces(image)
    found = sheets.map
    name = "" if sheets.form == "nilearn" else sheets.mapfile.path.name
    return Given(data=found.stored, where=None, sheets=sheets, intent=found.intent, dof=found.dof, name=name)


def _from_volume(image: Any) -> Given:
    if is_image(image):
        volume = volume_of(image)
        return Given(
            data=volume.data, where=volume.grid.affine, grid=volume.grid, intent=volume.intent, dof=volume.dof,
            name=volume.name,
        )  # fmt: skip
    path = take_path(image, "")
    found = load_statmap(path, nan=math.nan)
    return Given(
        data=found.stored, where=found.grid.affine, grid=found.grid, intent=found.intent, dof=found.dof, name=path.name
    )


def _from_array(data: Array, affine: Any) -> Given:
    try:
        matrix = np.asarray(affine, np.float64)
    except (TypeError, ValueError) as error:
        raise BadMap("the affine is no 4 x 4 matrix that places voxels in mm", hint=AFFINE) from error
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or is_singular(matrix):
        raise BadMap("the affine is no 4 x 4 matrix that places voxels in mm", hint=AFFINE)
    if data.ndim != 3:
        raise BadMap(f"the array has the shape {data.shape} and is not 3-D", hint="Give one 3-D volume")
    grid = make_grid((int(data.shape[0]), int(data.shape[1]), int(data.shape[2])), matrix)
    grid = replace(grid, affine=matrix)
    return Given(data=data, where=grid.affine, grid=grid)


def _array(values: Any, what: str) -> Array:
    try:
        data = _without_masked(values) if np.ma.isMaskedArray(values) else np.asarray(values)
    except ValueError as error:
        raise BadMap(f"{what} is no array of numbers", hint="Give an array, an image or a path") from error
    if data.dtype.kind not in "biuf":
        raise BadMap(
            f"{what}, a {type(values).__name__}, is no array of real numbers", hint="Give an array, an image or a path"
        )
    return data


def _without_masked(values: Any) -> Array:
    """The numbers of a masked array: what is masked is no data, and in a mask it is outside."""
    if values.dtype.kind not in "iuf":
        return np.asarray(values.filled(False) if values.dtype.kind == "b" else values)
    if not np.ma.is_masked(values):
        return np.asarray(values.data)
    real = values if values.dtype.kind == "f" else values.astype(np.float64)
    return np.asarray(real.filled(np.nan))


def take_statistic(given: Statistic | str | None, one: Given) -> Statistic:
    """What the numbers are: as given, else by the image's name and intent; the intent's degrees of freedom."""
    if isinstance(given, Statistic):
        return _with_plain_dof(given)
    if given is not None and not isinstance(given, str):
        raise Contradiction(f"statistic is a {type(given).__name__}", hint=TELL)
    entities = dict(read_entities("", one.name)) if one.name else {}
    others = (split_name(one.name)[1], entities.get("desc", ""), _numbered_word(one.name)) if one.name else ()
    word, rule = told_kind(given or entities.get("stat", ""), others, one.intent)
    dof = next((one.dof[intent] for intent in rule.intents if intent in one.dof), ())
    freedom = None if not dof else dof[0] if len(dof) == 1 else (dof[0], dof[1])
    return Statistic(word, freedom, rule, one_sign=one.intent in P_LOGARITHMS)


def _numbered_word(name: str) -> str:
    """The word of a name as SPM and FSL number their maps; one or two letters, as in t1.nii, tell nothing.

    >>> _numbered_word("spmT_0001.nii"), _numbered_word("zstat1.nii.gz"), _numbered_word("t1.nii")
    ('spmT', 'zstat', '')
    """
    found = re.fullmatch(r"([A-Za-z]{3,})_?[0-9]+", name.partition(".")[0])
    return found[1] if found else ""


def _with_plain_dof(statistic: Statistic) -> Statistic:
    """Degrees of freedom as a number or a pair; those that are none are a slip, whatever is asked of the map."""
    dof, n = statistic.dof, statistic.rule.n_dof
    if dof is None or not n:
        return statistic
    numbers = tuple(dof) if isinstance(dof, tuple | list) else (dof,)
    if len(numbers) != n or not all(is_number(each) and 0 < float(each) < math.inf for each in numbers):
        takes = "one number" if n == 1 else "a pair of numbers"
        hint = f"Give {DOF[n].format(kind=statistic.kind)}"
        raise Contradiction(f"dof = {dof!r}: {statistic.kind} takes {takes} above 0", hint=hint)
    return replace(statistic, dof=numbers[0] if n == 1 else (numbers[0], numbers[1]))


def refuse_untold(criteria: Criteria, statistic: Statistic) -> None:
    """A p is made of what the numbers are: a t map is never taken for z."""
    needs = [f"threshold {criteria.spec.text}"] if criteria.spec.rule.population == "tested" else []
    needs += [name for name in ("grf", "rft", "tdp") if getattr(criteria, name)]
    if needs and statistic.kind == "unknown":
        raise BadMap(f"{' and '.join(needs)}: nothing tells what the map's numbers are", hint=TELL)
    if needs and statistic.rule.n_dof and statistic.dof is None and statistic.dof_map is None:
        raise BadMap(
            f"{' and '.join(needs)}: the {statistic.kind} map's degrees of freedom are not known",
            hint=DOF_TOLD + DOF[statistic.rule.n_dof].format(kind=statistic.kind),
        )


def take_mask(mask: Any, one: Given) -> NDArray[np.bool_] | None:
    """Where the map has data; None for no mask. Images of another grid are resampled, surfaces must have its mesh."""
    if mask is None or (isinstance(mask, str) and mask == "none"):
        return None
    if one.grid is not None and isinstance(mask, str | os.PathLike) and not is_surface(mask):
        return load_mask(take_path(mask, "the mask "), one.grid)[0]
    if one.grid is not None and is_image(mask):
        return _resampled(volume_of(mask), one.grid)
    if is_image(mask) or is_surface(mask) or isinstance(mask, str | os.PathLike):
        return np.asarray(_beside(mask, one, "the mask") > 0)
    return _array(mask, "the mask").astype(bool)


def take_path(given: str | os.PathLike[str], what: str) -> Path:
    """The path of a file that is there; `what` stands before it in the sentence."""
    if not os.fspath(given):
        raise MissingInput(f"the path {'of ' * bool(what)}{what}is empty", hint="Check the path")
    path = Path(given).expanduser()
    if not path.exists():
        raise MissingInput(f"{what}{path} is not there", hint="Check the path")
    return path


def _resampled(mask: Volume, grid: StoredGrid) -> NDArray[np.bool_]:
    inside = mask.data > 0
    found = np.asarray(mask.grid.resample(inside, grid), bool)
    if inside.any() and not found.any():
        sentence = "the mask does not overlap the map: it has no voxel in the map's field of view"
        raise BadMap(sentence, hint="Give a mask of the same space, or none")
    return found


def take_second(values: Any, one: Given) -> Array | None:
    """A second map on what the map lies on."""
    if values is None:
        return None
    if not (is_image(values) or is_surface(values) or isinstance(values, str | os.PathLike)):
        return _array(values, "the second map")
    return _beside(values, one, "the second map")


def _beside(value: Any, one: Given, what: str) -> Array:
    """The values of another image, which must lie on what the map lies on."""
    other = take_map(value, None)
    if one.grid is not None and other.grid is not None:
        if (data := other.grid.reorder(other.data, one.grid)) is None:
            raise BadMap(f"{what} lies on another grid than the map", hint=ONE_GRID)
        return data
    if one.on_surfaces != other.on_surfaces or _shapes(one) != _shapes(other):
        raise BadMap(f"{what} lies on something else than the map", hint=ONE_GRID)
    return other.data


def _shapes(one: Given) -> Sequence[Any]:
    """What two maps must share to have their numbers in the same places."""
    return [part.shape for part in one.sheets.map.parts] if one.sheets else [("", 0, one.data.size)]


def take_smoothness(
    given: Smoothness | Sequence[float] | None, one: Given, mask: NDArray[np.bool_] | None
) -> Smoothness | None:
    """How smooth the residuals are, for random field theory."""
    if given is None or isinstance(given, Smoothness):
        return given
    if one.grid is None:
        raise Contradiction("smoothness is of voxels, and the map lies on a surface", hint="Leave smoothness out")
    try:
        numbers = tuple(float(number) if is_number(number) else math.nan for number in given)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(np.isfinite(number) and number > 0 for number in numbers):
        raise Contradiction(
            f"smoothness = {given!r} is not three FWHM in mm", hint="Give three, such as (8.2, 8.1, 7.9)"
        )
    n_voxels = int(np.count_nonzero(one.data if mask is None else mask))
    voxel_volume = float(abs(np.linalg.det(one.grid.affine[:3, :3])))
    return smoothness_from_fwhm(
        (numbers[0], numbers[1], numbers[2]), volume=n_voxels, voxel_volume=voxel_volume, origin="option"
    )


def space_of(name: str) -> str:
    """The space that a file's name tells; "" for none."""
    return dict(read_entities("", name)).get("space", "") if name else ""
