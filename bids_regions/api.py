"""For notebooks and scripts: from an image, a file or an array to its regions, as tables and images.

The same steps as the BIDS App's, on one map: what the map's numbers are is told, or read from its intent or its name;
never taken for granted. This room writes no file and knows no dataset.
"""

import io
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_regions import extraction
from bids_regions.atlases import fit_atlases
from bids_regions.dataset import is_standard_space
from bids_regions.dataset.names import read_entities, split_name
from bids_regions.errors import BadMap, Contradiction, MissingInput
from bids_regions.extraction import CONVENTIONS, Asked, Criteria, Extraction, Peak, Region, Smoothness, Statistic
from bids_regions.extraction.smoothness import smoothness_from_fwhm
from bids_regions.extraction.statistics import P_LOGARITHMS, told_kind
from bids_regions.images import (
    StoredGrid,
    Volume,
    image_of_labels,
    is_image,
    load_mask,
    load_statmap,
    make_grid,
    volume_of,
)
from bids_regions.maps.naming import NamedRegions, name_extraction
from bids_regions.space import Grayordinates, Grid, Mesh
from bids_regions.space.grid import is_singular
from bids_regions.tables import peaks_table, regions_table
from bids_regions.version import __version__

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CONVENTIONS",
    "Criteria",
    "Extraction",
    "Peak",
    "Region",
    "Regions",
    "Smoothness",
    "Statistic",
    "__version__",
    "find_regions",
]

Array = NDArray[Any]
Where = Grid | Grayordinates | Mesh | ArrayLike
TELL = 'Give statistic="z", or Statistic("t", dof=20); an image\'s intent or its name (stat-t) tells it as well'
AFFINE = "Give the 4 x 4 affine from voxels to mm (RAS+), as nibabel's image.affine, or the image itself"


@dataclass(frozen=True, kw_only=True, repr=False)
class Regions(Extraction):
    """The regions of one map, and what can be made of them; iterating gives each `Region`."""

    criteria: Criteria
    grid: StoredGrid | None  # of the map; None on a surface
    naming: NamedRegions
    with_values: bool  # a second map was measured as well

    def __len__(self) -> int:
        return len(self.regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self.regions)

    def to_dataframe(self) -> "pd.DataFrame":
        """A row per region, with the columns of `*_dseg.tsv`; no value is NaN."""
        fields = self.criteria.rft
        return _frame(
            regions_table(self.regions, fields=fields, values=self.with_values, extra=self.naming.region_cells)
        )

    def peaks_dataframe(self) -> "pd.DataFrame":
        """A row per peak, with the columns of `*_peaks.tsv`."""
        return _frame(peaks_table(self.regions, fields=self.criteria.rft, extra=self.naming.peak_cells))

    def to_image(self) -> Any:
        """The label image as nibabel has it, on the exact grid of the map.

        Raises
        ------
        BadMap
            The map lies on a surface.
        """
        if self.grid is None:
            raise BadMap("the map lies on a surface and has no image of voxels", hint="Use its labels, one per vertex")
        return image_of_labels(self.labels, self.grid)


def find_regions(  # noqa: PLR0913 # independent facts about one map
    image: Any,
    affine: Where | None = None,
    criteria: Criteria | None = None,
    *,
    mask: Any = None,
    statistic: Statistic | str | None = None,
    values: Any = None,
    peaks: Any = None,
    smoothness: Smoothness | Sequence[float] | None = None,
    atlas: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    space: str = "",
    **asked: Unpack[Asked],
) -> Regions:
    """The connected regions of a statistical map.

    Parameters
    ----------
    image
        An image of nibabel or nilearn, the path of a NIfTI file, or an array, which needs `affine`.
    affine
        For an array: 4 x 4, voxel -> mm, RAS+; or what the values of a surface lie on, a Mesh or Grayordinates.
    criteria
        What makes a region. Its choices can be given one by one as well: `threshold="97%", min_region_size=500`.
    mask
        Where the map has data: an array of the map's shape, an image or a path (resampled where its grid differs).
    statistic
        What the numbers are: a word (`"z"`), or `Statistic("t", dof=20)`. Where it is not given the image's intent or
        its name tells; where neither does, whatever needs a p is refused.
    values
        A second map on the same grid, as array, image or path, for the columns `values_*`.
    peaks
        A map on the same grid that tells peaks and their values, and the sign where the map has none: of a map of p
        the z or t map.
    smoothness
        For random field theory: FWHM of the residuals in mm, along the voxel axes nearest x, y, z; for cluster p
        estimated from map and mask where not given.
    atlas
        One or several, as `--atlas` takes them: paths, `templateflow:NAME`.
    space
        The map's space, where its name does not tell it; without it an atlas is taken to lie in the map's.

    Raises
    ------
    Fault
        A subclass says what is wrong and what to do: BadMap, MissingInput, Contradiction, UnsuitableMap.

    Examples
    --------
    >>> data = np.zeros((6, 5, 5))
    >>> data[1:3, 2, 2], data[4, 2, 2] = (4.0, 5.0), -6.0
    >>> found = find_regions(data, np.diag([2.0, 2.0, 2.0, 1.0]), threshold=3.0, min_region_voxels=1)
    >>> found
    <2 regions, 3 of 3 above the cutoff; threshold 3.0, cutoff 3, tail bi>
    >>> list(found)[1]
    <Region 2: region-2, negative, 1 voxels, peak -6 at (8, 4, 4)>
    """
    criteria = _criteria(criteria, asked)
    volume, where = _volume(image, affine)
    told = _statistic(statistic, volume)
    _refuse_untold(criteria, told)
    inside = _mask(mask, volume)
    found = extraction.find_regions(
        volume.data,
        where,
        criteria,
        mask=inside,
        statistic=told,
        values=_values(values, volume),
        peaks=_values(peaks, volume),
        smoothness=_smoothness(smoothness, volume, inside),
    )
    grid = volume.grid if where is volume.grid.affine else None
    naming, notes = _name(found, grid, atlas, space or _space(volume.name))
    own = {each.name: getattr(found, each.name) for each in fields(Extraction)}
    own |= {"regions": naming.regions, "warnings": (*found.warnings, *notes)}
    return Regions(**own, criteria=criteria, grid=grid, naming=naming, with_values=values is not None)


def _criteria(criteria: Criteria | None, asked: Mapping[str, Any]) -> Criteria:
    if criteria is not None and not isinstance(criteria, Criteria):
        raise Contradiction(
            f"criteria is a {type(criteria).__name__}", hint='Give Criteria(...), or its choices: threshold="97%"'
        )
    if criteria is not None and asked:
        raise Contradiction(
            f"criteria and {', '.join(sorted(asked))} are given beside each other", hint="Put all choices into one"
        )
    unknown = sorted(asked.keys() - Asked.__annotations__.keys())
    if unknown:
        raise Contradiction(
            f"find_regions has no choice named {', '.join(unknown)}", hint=f"It has {', '.join(Asked.__annotations__)}"
        )
    return Criteria(**asked) if criteria is None else criteria


def _volume(image: Any, affine: Where | None) -> tuple[Volume, Where]:
    """The map with its grid, and what it lies on."""
    if is_image(image) or isinstance(image, str | os.PathLike):
        if affine is not None:
            raise Contradiction("an affine is given beside an image that has one", hint="Leave it out")
        volume = volume_of(image) if is_image(image) else _load(Path(image))
        return volume, volume.grid.affine
    data = _array(image, "the map")
    if affine is None:
        raise BadMap("an array alone does not say where its voxels lie", hint=AFFINE)
    if isinstance(affine, Grid | Grayordinates | Mesh):
        return Volume(data=data, grid=make_grid((1, 1, 1), np.eye(4))), affine
    matrix = np.asarray(affine)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or is_singular(matrix):
        raise BadMap("the affine is no 4 x 4 matrix that places voxels in mm", hint=AFFINE)
    if data.ndim != 3:
        raise BadMap(f"the array has the shape {data.shape} and is not 3-D", hint="Give one 3-D volume")
    grid = make_grid((int(data.shape[0]), int(data.shape[1]), int(data.shape[2])), matrix)
    grid = replace(grid, affine=np.asarray(matrix, np.float64))
    return Volume(data=data, grid=grid), grid.affine


def _array(values: Any, what: str) -> Array:
    try:
        data = np.asarray(values)
    except ValueError as error:
        raise BadMap(f"{what} is no array of numbers: {error}", hint="Give an array, an image or a path") from error
    if data.dtype.kind not in "biuf":
        raise BadMap(
            f"{what}, a {type(values).__name__}, is no array of real numbers", hint="Give an array, an image or a path"
        )
    return data


def _load(path: Path) -> Volume:
    path = path.expanduser()
    if not path.exists():
        raise MissingInput(f"{path} is not there", hint="Check the path")
    found = load_statmap(path, nan=math.nan)
    return Volume(data=found.stored, grid=found.grid, intent=found.intent, dof=found.dof, name=path.name)


def _statistic(given: Statistic | str | None, volume: Volume) -> Statistic:
    """What the numbers are: as given, else by the image's name and intent; the intent's degrees of freedom."""
    if isinstance(given, Statistic):
        return given
    if given is not None and not isinstance(given, str):
        raise Contradiction(f"statistic is a {type(given).__name__}", hint=TELL)
    entities = dict(read_entities("", volume.name)) if volume.name else {}
    others = (split_name(volume.name)[1], entities.get("desc", ""), _numbered_word(volume.name)) if volume.name else ()
    word, rule = told_kind(given or entities.get("stat", ""), others, volume.intent)
    dof = next((volume.dof[intent] for intent in rule.intents if intent in volume.dof), ())
    freedom = None if not dof else dof[0] if len(dof) == 1 else (dof[0], dof[1])
    return Statistic(word, freedom, rule, one_sign=volume.intent in P_LOGARITHMS)


def _numbered_word(name: str) -> str:
    """The word of a name as SPM and FSL number their maps; one or two letters, as in t1.nii, tell nothing.

    >>> _numbered_word("spmT_0001.nii"), _numbered_word("zstat1.nii.gz"), _numbered_word("t1.nii")
    ('spmT', 'zstat', '')
    """
    found = re.fullmatch(r"([A-Za-z]{3,})_?[0-9]+", name.partition(".")[0])
    return found[1] if found else ""


def _refuse_untold(criteria: Criteria, statistic: Statistic) -> None:
    """A p is made of what the numbers are: a t map is never taken for z."""
    needs = [f"threshold {criteria.spec.text}"] if criteria.spec.rule.population == "tested" else []
    needs += [name for name in ("grf", "rft", "tdp") if getattr(criteria, name)]
    if needs and statistic.kind == "unknown":
        raise BadMap(f"{' and '.join(needs)}: nothing tells what the map's numbers are", hint=TELL)
    if needs and statistic.rule.n_dof and statistic.dof is None and statistic.dof_map is None:
        raise BadMap(f"{' and '.join(needs)}: the {statistic.kind} map's degrees of freedom are not known", hint=TELL)


def _mask(mask: Any, volume: Volume) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    if isinstance(mask, str | os.PathLike):
        path = Path(mask).expanduser()
        if not path.exists():
            raise MissingInput(f"the mask {path} is not there", hint="Check the path")
        return load_mask(path, volume.grid)[0]
    if is_image(mask):
        own = volume_of(mask)
        return np.asarray(own.grid.resample(own.data > 0, volume.grid), bool)
    return _array(mask, "the mask").astype(bool)


def _values(values: Any, volume: Volume) -> Array | None:
    if values is None:
        return None
    if not (is_image(values) or isinstance(values, str | os.PathLike)):
        return _array(values, "the second map")
    own = volume_of(values) if is_image(values) else _load(Path(values))
    if not own.grid.same_as(volume.grid):
        raise BadMap("the second map lies on another grid than the map", hint="Resample it to the map's grid")
    return own.data


def _smoothness(
    given: Smoothness | Sequence[float] | None, volume: Volume, mask: NDArray[np.bool_] | None
) -> Smoothness | None:
    if given is None or isinstance(given, Smoothness):
        return given
    numbers = tuple(float(number) for number in given)
    if len(numbers) != 3 or not all(np.isfinite(number) and number > 0 for number in numbers):
        raise Contradiction(
            f"smoothness = {given!r} is not three FWHM in mm", hint="Give three, such as (8.2, 8.1, 7.9)"
        )
    n_voxels = int(np.count_nonzero(volume.data if mask is None else mask))
    voxel_volume = float(abs(np.linalg.det(volume.grid.affine[:3, :3])))
    return smoothness_from_fwhm(
        (numbers[0], numbers[1], numbers[2]), volume=n_voxels, voxel_volume=voxel_volume, origin="option"
    )


def _space(name: str) -> str:
    return dict(read_entities("", name)).get("space", "") if name else ""


def _name(
    found: Extraction,
    grid: StoredGrid | None,
    atlas: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    space: str,
) -> tuple[NamedRegions, tuple[str, ...]]:
    """The regions with their names, and what is to be said of the atlases."""
    specs = [os.fspath(each) for each in ((atlas,) if isinstance(atlas, str | os.PathLike) else atlas)]
    if not specs:
        return NamedRegions(regions=found.regions), ()
    if grid is None:
        raise BadMap("atlases of voxels cannot name the regions of a surface", hint="Leave atlas out")
    fittings = fit_atlases(specs, space=space, unchecked=not space)
    lost = [fitting.reason for fitting in fittings if fitting.atlas is None]
    if lost:
        raise Contradiction(problems=lost, hint='Give an atlas in the space of the map, or the right space="..."')
    naming = name_extraction(found, grid, fittings, sided=is_standard_space(space))
    note = "the map's space is not told: the atlas is taken to lie in it"
    return naming, naming.warnings if space else (note, *naming.warnings)


def _frame(table: str) -> "pd.DataFrame":
    """A table's text as pandas has it."""
    import pandas as pd  # noqa: PLC0415 # loaded when a table is asked for

    return pd.read_csv(io.StringIO(table), sep="\t", na_values=["n/a"], keep_default_na=False)
