"""find_regions for notebooks and scripts: from what a user has to `Regions`, by the same steps as the BIDS App.

Knows no output folder, no entry and no page; what was given is made one thing in `given`, what was found is `regions`'.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Unpack

from bids_regions import extraction
from bids_regions.api.given import (
    Given,
    Where,
    refuse_untold,
    space_of,
    take_map,
    take_mask,
    take_second,
    take_smoothness,
    take_statistic,
)
from bids_regions.api.regions import Regions
from bids_regions.api.words import in_python
from bids_regions.atlases import fit_atlases
from bids_regions.dataset import is_standard_space
from bids_regions.errors import BadMap, Contradiction, WrongCall
from bids_regions.extraction import Asked, Criteria, Extraction, Smoothness, Statistic
from bids_regions.extraction.criteria import HOLDS_FOR, VOXELS_ONLY, tell_idle
from bids_regions.maps.naming import NamedRegions, name_extraction
from bids_regions.space import Grayordinates, Mesh, as_domain

__all__ = ["find_regions"]

OTHER = "Choose another convention, or its choices one by one"
AtlasSpecs = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@in_python
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
    atlas: AtlasSpecs = (),
    space: str = "",
    surfaces: Any = "auto",
    vertex_areas: Any = "auto",
    **asked: Unpack[Asked],
) -> Regions:
    """The connected regions of a statistical map.

    Parameters
    ----------
    image
        An image of nibabel or nilearn; the path of a NIfTI, GIFTI or CIFTI file; a pair of GIFTI files or images,
        left and right; nilearn's SurfaceImage; or an array, which needs `affine`.
    affine
        For an array: 4 x 4, voxel -> mm, RAS+; or what the values of a surface lie on, a Mesh or Grayordinates.
    criteria
        What makes a region. Its choices can be given one by one as well: `threshold="97%", min_region_size=500`.
    mask
        Where the map has data: an array of its shape, an image or a path (resampled where its grid differs).
    statistic
        What the numbers are: a word (`"z"`), or `Statistic("t", dof=20)`. Where it is not given the image's intent or
        its name tells; where neither does, whatever needs a p is refused.
    values, peaks
        Other maps on the same grid, as array, image or path: one for the columns `values_*`; one that tells peaks and
        their values, and the sign where the map has none: of a map of p the z or t map.
    smoothness
        For random field theory: FWHM of the residuals in mm, along the voxel axes nearest x, y, z; for cluster p
        estimated from map and mask where not given.
    atlas, space
        One or several atlases, as `--atlas` takes them: paths, `templateflow:NAME`; on surfaces label files of the
        mesh. The map's space, where its name does not tell it; without it an atlas is taken to lie in the map's.
    surfaces
        Of a map on surfaces, its midthickness: a path, a pair, nilearn's PolyMesh, "none"; "auto" is the mesh of a
        SurfaceImage, else TemplateFlow's of the space, else the triangles that the package carries.
    vertex_areas
        Of a map on surfaces, files with the area of each vertex in mm2; "auto" or "none".
    **asked
        The choices of `Criteria` by name: threshold, tail, connectivity, min_region_size, convention and the others.

    Raises
    ------
    Fault
        A subclass says what is wrong and what to do: BadMap, MissingInput, Contradiction, UnsuitableMap.

    Examples
    --------
    >>> import numpy as np
    >>> data = np.zeros((6, 5, 5))
    >>> data[1:3, 2, 2], data[4, 2, 2] = (4.0, 5.0), -6.0
    >>> found = find_regions(data, np.diag([2.0, 2.0, 2.0, 1.0]), threshold=3.0, min_region_voxels=1)
    >>> found
    <2 regions, 3 of 3 above the cutoff; threshold 3.0, cutoff 3, tail bi>
    >>> list(found)[1]
    <Region 2: region-2, negative, 1 voxels, peak -6 at (8, 4, 4)>
    """
    criteria = _criteria(criteria, asked)
    given = take_map(image, affine)
    _refuse_sheet_files(given, surfaces=surfaces, vertex_areas=vertex_areas)
    criteria = _on_surfaces(criteria) if given.on_surfaces else _in_voxels(criteria)
    space = _label_of(space) or space_of(given.name)
    told = take_statistic(statistic, given)
    refuse_untold(criteria, told)
    inside = take_mask(mask, given)
    where = given.sheets.lay(space, surfaces, vertex_areas, criteria) if given.sheets else given.where
    found = extraction.find_regions(
        given.data, where, criteria, mask=inside, statistic=told,
        values=take_second(values, given), peaks=take_second(peaks, given),
        smoothness=take_smoothness(smoothness, given, inside),
    )  # fmt: skip
    idle = _tell_idle({**asked, "smoothness": smoothness}, criteria, given)
    found = replace(found, warnings=(*found.warnings, *idle))
    return _named(found, given, (where, space, atlas), criteria, told, with_values=values is not None)


def _named(  # what is known of one map
    found: Extraction, given: Given, whereabouts: tuple[Any, str, AtlasSpecs], criteria: Criteria, told: Statistic, *,
    with_values: bool,
) -> Regions:  # fmt: skip
    """The regions with their names, and everything that pictures and tables ask of them."""
    where, space, atlas = whereabouts
    laid = as_domain(given.data, where) if isinstance(where, Mesh) else where
    naming, notes = _name(found, laid if isinstance(laid, Grayordinates) else given.grid, atlas, space)
    own = {each.name: getattr(found, each.name) for each in fields(Extraction)}
    own |= {"regions": naming.regions, "warnings": (*found.warnings, *notes)}
    return Regions(
        **own, criteria=criteria, naming=naming, with_values=with_values, given=given, statistic=told, space=space,
        domain=laid if given.on_surfaces else None,
    )  # fmt: skip


def _refuse_sheet_files(given: Given, **asked: Any) -> None:
    """Meshes and areas of a map that lies in voxels, or that brings what it lies on, would change nothing."""
    named = ((name, value) for name, value in asked.items() if value is not None)
    names = [name for name, value in named if not (isinstance(value, str) and value in ("auto", "none"))]
    if names and given.sheets is None:
        where = "the array brings what it lies on" if given.on_surfaces else "the map lies in voxels"
        verb = "is" if len(names) == 1 else "are"
        raise Contradiction(
            f"{' and '.join(names)} {verb} of a map on surfaces in files or images, and {where}",
            hint=f"Leave {' and '.join(names)} out",
        )


def _tell_idle(asked: Mapping[str, Any], criteria: Criteria, given: Given) -> list[str]:
    """A sentence for each choice that was made and decides nothing here."""
    form = "volume" if not given.on_surfaces else given.sheets.form if given.sheets else "cifti"
    needs = {name: words for name, (forms, words) in HOLDS_FOR.items() if form.replace("nilearn", "gifti") not in forms}
    needs |= criteria.without_effect
    return [tell_idle(name, needs[name]) for name in sorted(needs) if asked.get(name) is not None]


def _label_of(space: str) -> str:
    if not isinstance(space, str):
        raise Contradiction(f"space is a {type(space).__name__}", hint="Give its label, such as MNI152NLin6Asym")
    return space


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
        raise WrongCall(
            f"find_regions has no choice named {', '.join(unknown)}", hint=f"It has {', '.join(Asked.__annotations__)}"
        )
    return Criteria(**asked) if criteria is None else criteria


def _in_voxels(criteria: Criteria) -> Criteria:
    """The criteria, where they are not for surfaces alone."""
    if criteria.knobs["surfaces_only"]:
        raise BadMap(f"the map lies in voxels, and the convention {criteria.convention} is for surfaces", hint=OTHER)
    return criteria


def _on_surfaces(criteria: Criteria) -> Criteria:
    """The same criteria as they hold for maps on surfaces."""
    if criteria.knobs["voxels_only"]:
        raise BadMap(f"the map lies on surfaces, and the convention {criteria.convention} is for voxels", hint=OTHER)
    usual = Criteria(convention=criteria.convention).as_options()
    own = {n: value for n, value in criteria.as_options().items() if n == "convention" or value != usual.get(n)}
    voxels = [f"{name} = {own[name]}" for name in VOXELS_ONLY if own.get(name)]
    if voxels:
        raise Contradiction(
            f"{' and '.join(voxels)}: known for voxels only, and the map lies on a surface", hint="Leave it out for it"
        )
    return Criteria(**own, on_surfaces=True)


def _name(found: Extraction, domain: Any, atlas: AtlasSpecs, space: str) -> tuple[NamedRegions, tuple[str, ...]]:
    """The regions with their names, and what is to be said of the atlases."""
    try:
        specs = [os.fspath(each) for each in ((atlas,) if isinstance(atlas, str | os.PathLike) else atlas)]
    except TypeError as error:
        raise Contradiction(
            f"atlas is a {type(atlas).__name__}", hint="Give paths, or templateflow:NAME, as --atlas takes them"
        ) from error
    if not specs:
        return NamedRegions(regions=found.regions), ()
    fittings = fit_atlases(specs, space=space, unchecked=not space, domain=domain)
    lost = [fitting.reason for fitting in fittings if fitting.atlas is None]
    if lost:
        raise Contradiction(problems=lost, hint='Give an atlas in the space of the map, or the right space="..."')
    naming = name_extraction(found, domain, fittings, sided=is_standard_space(space))
    note = "the map's space is not told: the atlas is taken to lie in it"
    return naming, naming.warnings if space else (note, *naming.warnings)
