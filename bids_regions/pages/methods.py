"""The methods text: what was done, to paste into a paper, with what to cite; from settings, never from results.

What a kind of threshold, a tail or a convention says of itself stands in the tables of `extraction`.
"""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bids_regions.atlases import cite_atlases, describe_naming
from bids_regions.extraction import Criteria
from bids_regions.extraction.conventions import minimum_words
from bids_regions.files import write_text
from bids_regions.pages.wording import ordinal
from bids_regions.report.model import Methods, Reference
from bids_regions.settings import Entry
from bids_regions.version import __version__

__all__ = ["methods_html", "methods_markdown", "write_citation", "write_methods"]

SOFTWARE = {
    "numpy": Reference(text="Harris et al. (2020). Array programming with NumPy. Nature 585, 357-362.",
                       doi="10.1038/s41586-020-2649-2"),
    "scipy": Reference(text="Virtanen et al. (2020). SciPy 1.0: fundamental algorithms for scientific computing in "
                       "Python. Nature Methods 17, 261-272.", doi="10.1038/s41592-019-0686-2"),
    "pybids": Reference(text="Yarkoni et al. (2019). PyBIDS: Python tools for BIDS datasets. Journal of Open Source "
                        "Software 4(40), 1294.", doi="10.21105/joss.01294"),
    "bids": Reference(text="Gorgolewski et al. (2016). The brain imaging data structure, a format for organizing and "
                      "describing outputs of neuroimaging experiments. Scientific Data 3, 160044.",
                      doi="10.1038/sdata.2016.44"),
}  # fmt: skip
WALKER = Reference(text="Grady (2006). Random walks for image segmentation. IEEE Transactions on Pattern Analysis and "
                   "Machine Intelligence 28, 1768-1783.", doi="10.1109/TPAMI.2006.233")  # fmt: skip
FIELDS = Reference(text="Friston et al. (1994). Assessing the significance of focal activations using their spatial "
                   "extent. Human Brain Mapping 1, 210-220.", doi="10.1002/hbm.460010306")  # fmt: skip
WORSLEY = Reference(text="Worsley et al. (1996). A unified statistical approach for determining significant signals in "
                    "images of cerebral activation. Human Brain Mapping 4, 58-73.",
                    doi="10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO;2-O")  # fmt: skip
SETS = Reference(text="Friston et al. (1996). Detecting activations in PET and fMRI: levels of inference and power. "
                 "NeuroImage 4, 223-235.", doi="10.1006/nimg.1996.0074")  # fmt: skip
TOPOLOGICAL = Reference(text="Chumbley et al. (2010). Topological FDR for neuroimaging. NeuroImage 49, 3057-3064.",
                        doi="10.1016/j.neuroimage.2009.10.090")  # fmt: skip
ARI = Reference(text="Rosenblatt et al. (2018). All-resolutions inference for brain imaging. NeuroImage 181, 786-796.",
                doi="10.1016/j.neuroimage.2018.07.060")  # fmt: skip
OVER = {
    "image": "all voxels of the image",
    "mask": "the voxels of the brain mask",
    "nonzero": "the non-zero voxels",
}


UNITS = {"volume": "voxels", "gifti": "vertices", "cifti": "grayordinates"}
SHARED = {6: "shared faces", 18: "shared faces or edges", 26: "shared faces, edges or corners"}


def write_methods(
    entries: Sequence[Entry],
    atlases: Sequence[Mapping[str, Any]] = (),
    of_p: Mapping[str, Collection[bool]] = MappingProxyType({}),
) -> Methods:
    """The paragraphs and references for a run's entries and what the sidecars say of its atlases.

    An entry for volumes and for maps on surfaces stands twice, once in each form. `of_p`: by an entry's name, whether
    its maps hold p: True, False, or both where some do.
    """
    opening = (
        f"Statistical maps were thresholded and their connected regions extracted with bids_regions {__version__}, "
        "a BIDS App (Gorgolewski et al., 2016) based on pybids (Yarkoni et al., 2019), NumPy (Harris et al., 2020) and "
        "SciPy (Virtanen et al., 2020)."
    )
    references = {reference.text: reference for entry in entries for reference in _references(entry.criteria)}
    naming = describe_naming(atlases)
    cited = tuple(Reference(text=text) for text in cite_atlases(atlases))
    return Methods(
        paragraphs=(
            opening,
            *(_paragraph(entry, of_p.get(entry.name, ())) for entry in entries),
            *([naming] if naming else []),
        ),
        references=(*SOFTWARE.values(), *references.values(), *cited),
    )


def _paragraph(entry: Entry, of_p: Collection[bool]) -> str:
    c = entry.criteria
    sentences = _found_sentences(entry, of_p)
    if c.convention:
        sentences.append(f"The criteria follow the convention of {c.convention}, except where stated.")
    if c.grf:
        sentences.append(
            "Cluster p values were computed by Gaussian random field theory (Friston et al., 1994; Worsley et al., "
            "1996) with FSL's formulas, which assume a smooth, stationary field and a high cluster-forming threshold."
        )
    if c.rft:
        sentences.append(
            "Family-wise and uncorrected p of clusters, family-wise p of peaks and the probability of the set were "
            "computed by random field theory (Friston et al., 1994, 1996; Worsley et al., 1996), and the false "
            "discovery rates of clusters and peaks above the height as Chumbley et al. (2010) define them, with the "
            "formulas of SPM12; family-wise p were doubled where both tails were tested."
        )
    if c.takes_smoothness:
        sentences.append(_smoothness_sentence(entry))
    if c.cluster_alpha is not None:
        sentences.append(f"Regions with a cluster p of {c.cluster_alpha:g} or more were removed.")
    if c.tdp:
        sentences.append(
            "A lower bound of the proportion of true discoveries per region was computed by all-resolutions inference "
            "(Rosenblatt et al., 2018) at alpha = 0.05, halved per tail where both are tested."
        )
    return " ".join(sentences)


def _found_sentences(entry: Entry, of_p: Collection[bool]) -> list[str]:
    """How the regions of an entry were found: height, connection and size, mask, peaks."""
    c = entry.criteria
    which = "maps" if entry.form == "volume" else "maps on surfaces"
    only_p = True in of_p and False not in of_p
    of_others, heights_on_p = _heights(c)
    heights = heights_on_p if only_p else of_others
    if True in of_p and heights_on_p not in (heights, of_others):
        heights += f" (maps of p {heights_on_p})"
    signs = c.tail_rule.methods
    if True in of_p and c.tail_rule.both:
        signs += "; maps of p without signs in their one tail"
    found = f"{which}{' of p' if only_p else ''} were thresholded {heights}, {signs}".replace(
        "voxels", UNITS[entry.form]
    )
    shaped = [_regions_sentence(c), _mask_sentence(entry)]
    if entry.form != "volume":
        shaped = [_sheet_sentence(entry), _sheet_mask_sentence(entry)]
    sentences = [f"Entry {entry.name}: {found}.", *shaped, _peaks_sentence(c)]
    if True in of_p or entry.peaks_from:
        sentences.append("Peaks of maps of p and their values were taken from the z or t map beside them, if any.")
    return sentences


def _heights(c: Criteria) -> tuple[str, str]:
    """The cutoff in words, and as it holds for maps of p."""
    rule, number = c.spec.rule, c.spec.number
    told = {"number": number, "place": ordinal(number), "over": OVER[c.percentile_over]}
    halved = ", halved for the two tails" if c.tail_rule.both else ""
    return rule.methods.format(**told, halved=halved), (rule.methods_on_p or rule.methods).format(**told, halved="")


def _smoothness_sentence(entry: Entry) -> str:
    if entry.smoothness:
        x, y, z = entry.smoothness
        return f"The smoothness of the noise was given as an FWHM of {x:g}, {y:g} and {z:g} mm along x, y and z."
    if entry.criteria.spec.kind == "fwe":
        return "The smoothness of the noise was that of the residuals, as the maps' sidecars tell it."
    return (
        "The smoothness of the noise was that of the residuals where a map's sidecar tells it, and else estimated from "
        "the map within its mask."
    )


def _regions_sentence(c: Criteria) -> str:
    kind = f"Clusters were defined with {c.connectivity}-connectivity ({SHARED[c.connectivity]})"
    if c.extract_type == "local_regions":
        kind += (
            " and were split into local regions by a random walker (Grady, 2006) from the local maxima of the map "
            f"smoothed by {c.smoothing_fwhm:g} mm"
        )
        kind += " as nilearn does" if c.walker == "nilearn" else ", solved exactly"
    sizes = [f"{c.min_region_size:g} mm3"] if c.min_region_size is not None else []
    sizes += [f"{c.min_region_voxels} voxels"] if c.min_region_voxels is not None else []
    more, _ = minimum_words(c.knobs)
    return f"{kind}; those of {more} {' and '.join(sizes)} were kept as regions." if sizes else f"{kind}."


def _sheet_sentence(entry: Entry) -> str:
    """How vertices became regions, and of a CIFTI file voxels; the minimum sizes that hold where these are known."""
    c, in_voxels = entry.criteria, entry.form == "cifti"
    kind = "Clusters were connected along the edges of the mesh, within each hemisphere"
    kind += ", and voxels of other structures through shared faces, within each structure" if in_voxels else ""
    sizes = [f"{c.smallest_area:g} mm2"] if c.smallest_area is not None else []
    sizes += [f"{c.min_region_vertices} vertices"] if c.min_region_vertices is not None else []
    of_voxels = [f"{c.smallest_in_structure:g} mm3"] if in_voxels and c.smallest_in_structure is not None else []
    of_voxels += [f"{c.min_region_voxels} voxels"] if in_voxels and c.min_region_voxels is not None else []
    every = [f"{' and '.join(sizes)} on the cortex" if of_voxels else " and ".join(sizes)] if sizes else []
    every += [f"{' and '.join(of_voxels)} in voxels"] if of_voxels else []
    more, _ = minimum_words(c.knobs)
    return f"{kind}; those of {more} {', or '.join(every)} were kept as regions." if every else f"{kind}."


def _sheet_mask_sentence(entry: Entry) -> str:
    if entry.mask == "none":
        return "No mask was applied."
    if entry.masks:
        names = " and ".join(Path(path).name for path in entry.masks)
        return f"{UNITS[entry.form].capitalize()} outside the mask {names} were left out."
    if entry.form == "cifti":
        return "The vertices and voxels are those that the files name."
    return (
        "Vertices outside the mask that the dataset holds for a map, or else on fsLR outside the cortex, were left out."
    )


def _mask_sentence(entry: Entry) -> str:
    if entry.mask == "none":
        return "No mask was applied."
    if entry.mask == "auto":
        return "Voxels outside the brain mask that the dataset holds for a map were left out, where it holds one."
    return f"Voxels outside the mask {entry.mask.rpartition('/')[2]} were left out."


def _peaks_sentence(c: Criteria) -> str:
    if c.max_peaks == 1:
        return "The peak of each region is reported."
    apart = f"more than {c.min_peak_distance:g} mm apart" if c.min_peak_distance else "at any distance"
    if c.on_surfaces:
        apart += " along the surface"
    return f"Up to {c.max_peaks} peaks of each region, {apart}, are reported."


def _references(c: Criteria) -> list[Reference]:
    chosen = [(c.extract_type == "local_regions", WALKER), (c.grf or c.rft, FIELDS), (c.takes_smoothness, WORSLEY),
        (c.rft, SETS), (c.rft, TOPOLOGICAL), (c.tdp, ARI)]  # fmt: skip
    height, convention = (
        [Reference(text=cited.text, doi=cited.doi)] if cited else []
        for cited in (c.spec.rule.reference, c.knobs["reference"])
    )
    return [*height, *(reference for wanted, reference in chosen if wanted), *convention]


def methods_markdown(methods: Methods) -> str:
    """The methods text for logs/CITATION.md."""
    references = [f"* {r.text}" + (f" https://doi.org/{r.doi}" if r.doi else "") for r in methods.references]
    return "\n\n".join(["# Methods", *methods.paragraphs, "## References", "\n".join(references)]) + "\n"


def methods_html(methods: Methods) -> str:
    """The methods text for logs/CITATION.html."""
    paragraphs = "".join(f"<p>{escape(p)}</p>\n" for p in methods.paragraphs)
    items = "".join(f"<li>{escape(r.text)}{_link(r.doi)}</li>\n" for r in methods.references)
    head = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Methods</title>\n'
    return f"{head}<h1>Methods</h1>\n{paragraphs}<h2>References</h2>\n<ul>\n{items}</ul>\n</html>\n"


def write_citation(output_dir: Path, methods: Methods) -> None:
    """The methods text in `logs/`, for who cites."""
    write_text(output_dir / "logs" / "CITATION.md", methods_markdown(methods), only_if_changed=True)
    write_text(output_dir / "logs" / "CITATION.html", methods_html(methods), only_if_changed=True)


def _link(doi: str) -> str:
    return f' <a href="https://doi.org/{escape(doi)}">{escape(doi)}</a>' if doi else ""
