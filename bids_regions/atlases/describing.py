"""Atlases in words: what a sidecar keeps of each, and what a methods section says of them all.

Which region an atlas named, and how, is not known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bids_regions.atlases.naming import MIN_PERCENT_OF_LABEL, MIN_PERCENT_OF_REGION
from bids_regions.atlases.sources import Fitting

__all__ = ["cite_atlases", "describe_atlas", "describe_naming"]


def describe_atlas(fitting: Fitting) -> dict[str, Any]:
    """What the sidecar's list `Atlases` holds of one atlas: no path, so that it reads the same on every machine."""
    atlas = fitting.atlas
    if atlas is None:
        return {"Name": fitting.name, "NotUsed": fitting.reason}
    known = {"Space": atlas.space, "Version": atlas.version, "License": atlas.license, "Citation": atlas.citation}
    record: dict[str, Any] = {
        "Name": fitting.name,
        "File": ", ".join(path.name for path in atlas.paths),
        "SHA256": atlas.file_hash,
        "Probabilistic": atlas.probabilistic,
        "NumberOfLabels": len(atlas.names),
    }
    if atlas.labels:
        record["OnSurfaces"] = True
    record |= {key: text for key, text in known.items() if text}
    if atlas.notes:
        record["Notes"] = list(atlas.notes)
    return record


def describe_naming(records: Sequence[Mapping[str, Any]]) -> str:
    """A methods paragraph from the sidecars' `Atlases`; empty where no atlas was used.

    >>> describe_naming([{"Name": "Boxes", "Version": "2", "Probabilistic": False}]).partition(".")[0]
    'Regions and peaks were named by the atlas Boxes (version 2)'
    """
    used = _distinct(records)
    if not used:
        return ""
    names = [f"{each['Name']} (version {each['Version']})" if "Version" in each else each["Name"] for each in used]
    parts = [
        f"Regions and peaks were named by the atlas{'es' if len(names) > 1 else ''} {_listed(names)}",
        "A peak has the label it lies in or, outside every label of a volume, the nearest one with its distance",
        f"A label is listed for a region when it holds at least {MIN_PERCENT_OF_REGION:g} % of the region or the "
        f"region covers at least {MIN_PERCENT_OF_LABEL:g} % of the label, else the largest one",
    ]
    if any(each.get("Probabilistic") for each in used):
        parts.append(
            "Of a probabilistic atlas a peak has the most probable label, and a region's share of a label is the "
            "mean probability over the region"
        )
    if any(each.get("OnSurfaces") for each in used):
        parts.append("On surfaces shares are of area, and an atlas has the very vertices of the map")
    if not all(each.get("OnSurfaces") for each in used):
        parts.append("Atlases of voxels were resampled to the grid of each map (nearest neighbour)")
    return ". ".join(parts) + "."


def cite_atlases(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the atlases' files ask to cite, each with the atlas's name.

    >>> cite_atlases([{"Name": "Boxes", "Citation": "Box et al."}, {"Name": "Other"}])
    ('Boxes: Box et al.',)
    """
    return tuple(f"{each['Name']}: {each['Citation']}" for each in _distinct(records) if each.get("Citation"))


def _distinct(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    used: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in records:
        if "NotUsed" not in each:
            used.setdefault((str(each["Name"]), str(each.get("SHA256", ""))), each)
    return list(used.values())


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
