"""What the output says about itself: dataset_description.json, README.md and .bidsignore.

The source dataset is named by DatasetLinks: relative to the output where both lie in one place, so that a study can
be moved as a whole, else as a file URI. Authors, acknowledgements and licence are the source's; where it names none,
none are made up. Runs at the same time write the same bytes, whole or not at all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bids_regions.dataset.source import LINK, SourceDataset
from bids_regions.dataset.walk import DESCRIPTION, OWN_NAME, is_made_by
from bids_regions.errors import OutputRefused, printable
from bids_regions.files import write_json, write_text
from bids_regions.version import REPOSITORY

__all__ = ["check_output", "describe_output", "describe_source"]

BIDS_VERSION = "1.11.0"
IGNORED = (
    "*_peaks.tsv",
    "*.html",
    "figures",
    "**/figures",
    "group_*.tsv",
    "group_*.json",
    "*_statmap.*",
    "*Surface*_probseg.*",
    "*SurfacePrevalence_probseg.*",  # and each by itself, for a validator that takes no star within a pattern
    "*SurfacePrevalenceLower_probseg.*",
    "*SurfaceCoverage_probseg.*",
)
CONTAINERS = (("singularity", "URI", "BIDS_REGIONS_SINGULARITY_URL"), ("docker", "Tag", "BIDS_REGIONS_DOCKER_TAG"))

README = """# Regions of statistical maps

bids_regions {version} thresholded the statistical maps of **{name}** and extracted their connected regions.

For each map and each entry of the settings there is

* `*_dseg.nii.gz`: the label image, on the grid of the map; 0 is background, 1 to n are the regions,
* `*_dseg.tsv`: one row for each region: size, peak, centre of mass, values; millimetres are RAS+,
* `*_dseg.json`: the record: the map, the settings, the threshold that was used, counts, columns explained,
* `*_peaks.tsv`: the local peaks of each region.

`sub-*.html` and `group.html` are the reports; `logs/` holds commands, times and the citation to use.
`seg-` in a name holds what BIDS has no place for: `seg-contrast+faces+stat+z` is the map `contrast-faces_stat-z`;
`desc-` names the entry of the settings. A map without any region has an empty label image and a table of one line.
"""
TITLE = README.partition("\n")[0].encode()


def check_output(output_dir: Path) -> None:
    """See that no other dataset would be overwritten; one whose description cannot be read may be ours, damaged.

    Raises
    ------
    OutputRefused
        The folder is a dataset that something else made, or a raw one.
    """
    if is_made_by(OWN_NAME, output_dir) is False:
        raise OutputRefused(
            f"OUTPUT_DIR {output_dir} is another dataset, which bids_regions did not write",
            hint=f"Give a folder of its own, such as {output_dir / 'derivatives' / OWN_NAME}",
        )


def describe_output(
    output_dir: Path, source: SourceDataset, version: str, environment: Mapping[str, str] = os.environ
) -> None:
    """Write the three files that make `output_dir` a BIDS derivative, where they are not there as they should be."""
    description = describe_source(output_dir, source, version, environment)
    write_json(output_dir / DESCRIPTION, description, only_if_changed=True)
    name = printable(source.name, 200)
    if _may_replace(output_dir / "README.md"):
        write_text(output_dir / "README.md", README.format(version=version, name=name), only_if_changed=True)
    write_text(output_dir / ".bidsignore", "\n".join(IGNORED) + "\n", only_if_changed=True)


def describe_source(
    output_dir: Path, source: SourceDataset, version: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The content of dataset_description.json; nothing in it is null."""
    maker: dict[str, Any] = {"Name": OWN_NAME, "Version": version}
    if REPOSITORY:
        maker["CodeURL"] = REPOSITORY
    if container := _container(environment):
        maker["Container"] = container
    description: dict[str, Any] = {
        "Name": f"Regions of statistical maps: {printable(source.name, 200)}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
    }
    authors = source.description.get("Authors")
    if isinstance(authors, list) and (named := [a.strip() for a in authors if isinstance(a, str) and a.strip()]):
        description["Authors"] = named
    if licence := _text(source.description.get("License")):
        description["License"] = licence
    description["HowToAcknowledge"] = "Cite the works that logs/CITATION.md names, and the source dataset."
    description["GeneratedBy"] = [maker]
    if doi := _text(source.description.get("DatasetDOI")):
        description["SourceDatasets"] = [{"DOI": doi}]
    description["DatasetLinks"] = {LINK: _link(source.root, output_dir)}
    return description


def _may_replace(readme: Path) -> bool:
    """Whether a README.md is an earlier one of ours, whole or cut short, or not there at all."""
    try:
        text = readme.read_bytes()[: len(TITLE)]
    except OSError:
        return True
    return TITLE.startswith(text)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _container(environment: Mapping[str, str]) -> dict[str, str]:
    """The container's type, and its tag or URI; Apptainer tells of itself, also in an image made for Docker."""
    apptainer = any(environment.get(variable) for variable in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"))
    for kind, key, variable in CONTAINERS:
        if value := environment.get(variable, "").strip():
            return {"Type": "singularity" if apptainer else kind, key: value}
    return {}


def _link(root: Path, output_dir: Path) -> str:
    """Where the source dataset lies, as a URI: relative when both share a folder other than the file system's root."""
    source, target = os.path.realpath(root), os.path.realpath(output_dir)
    if os.path.commonpath([source, target]) == "/":
        return "file://" + quote(os.fsencode(source))
    return quote(os.fsencode(os.path.relpath(source, target)))
