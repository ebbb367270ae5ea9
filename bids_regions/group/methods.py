"""The methods text of the group level: the participants' criteria, and how their regions were put together.

The participants' paragraphs are those of `pages.methods`, the group's follow them. From settings and records, never
from values.
"""

from collections.abc import Collection, Mapping, Sequence

from bids_regions.pages.methods import write_methods
from bids_regions.report.model import Methods, Reference
from bids_regions.settings import Entry, GroupSettings

__all__ = ["write_group_methods"]

DICE = Reference(
    text="Dice (1945). Measures of the amount of ecologic association between species. Ecology 26, 297-302.",
    doi="10.2307/1932409",
)
OUTLIERS = Reference(
    text="Rosner (1983). Percentage points for a generalized ESD many-outlier procedure. Technometrics 25, 165-172.",
    doi="10.1080/00401706.1983.10487848",
)
BOUNDS = Reference(
    text="Friston, Holmes & Worsley (1999). How many subjects constitute a study? NeuroImage 10, 1-5.",
    doi="10.1006/nimg.1999.0439",
)
CORRELATIONS = Reference(
    text="Shrout & Fleiss (1979). Intraclass correlations: uses in assessing rater reliability. Psychological Bulletin "
    "86, 420-428.",
    doi="10.1037/0033-2909.86.2.420",
)
LIMITS = Reference(
    text="McGraw & Wong (1996). Forming inferences about some intraclass correlation coefficients. Psychological "
    "Methods 1, 30-46.",
    doi="10.1037/1082-989X.1.1.30",
)


def write_group_methods(
    entries: Sequence[Entry],
    settings: GroupSettings,
    *,
    of_p: Mapping[str, Collection[bool]],
    bounded: bool = False,
    occasions: Sequence[str] = (),
) -> Methods:
    """Paragraphs and references for sets made from these entries.

    `of_p`: as `write_methods` takes it; `bounded`: prevalence has lower bounds;
    `occasions`: what people have several of, sessions or runs.
    """
    participants = write_methods(entries, of_p=of_p)
    paragraph = " ".join([_prevalence(settings), *([BOUND] if bounded else []), _values(settings), OUTLYING])
    paragraphs = [paragraph, *([_reliability(settings, occasions)] if occasions else [])]
    references = [DICE, OUTLIERS, *([BOUNDS] if bounded else []), *([CORRELATIONS, LIMITS] if occasions else [])]
    return Methods(
        paragraphs=(*participants.paragraphs, *paragraphs), references=(*participants.references, *references)
    )


BOUND = (
    "Lower bounds (95 %) of the prevalence were computed from the number of participants with a region and the "
    "false-positive rate of a voxel (Friston et al., 1999, for any number of them)."
)
OUTLYING = (
    "Participants whose number or size of regions, largest magnitude, coverage or Dice overlap with the others "
    "stands out by the generalized extreme Studentized deviate (Rosner, 1983; 5 % over all five measures) are flagged "
    "and stay in all results."
)


def _prevalence(settings: GroupSettings) -> str:
    return (
        "Across participants, prevalence was computed per voxel (on surfaces per vertex of the template) and sign as "
        "the fraction of participants whose regions cover it among those with data there (inside their mask, if there "
        "is one, where the map is finite and not zero). Consensus regions are connected voxels (vertices) with a "
        f"prevalence of {settings.min_prevalence:.4g} or more "
        f"where at least {settings.min_coverage:.4g} of the participants have data, of the participants' minimum size; "
        "where both signs reach it the larger prevalence decides, and a tie belongs to neither."
    )


def _values(settings: GroupSettings) -> str:
    where = (
        "the consensus regions; as these were found in the same maps, one-sample tests on the values are circular, "
        "also on those in the voxels that the other participants alone would have chosen"
    )
    if settings.regions_from:
        where = f"the regions of {settings.regions_name}"
    agreement = "Agreement is the Dice overlap (Dice, 1945) of voxels (vertices) of equal sign."
    return f"Values were taken per participant in {where}. {agreement}"


def _reliability(settings: GroupSettings, occasions: Sequence[str]) -> str:
    where = "a consensus over all of these maps pooled"
    if settings.regions_from:
        where = f"the regions of {settings.regions_name}"
    return (
        f"Reliability over {' and '.join(occasions)} is the Dice overlap of each participant's regions, and the "
        "single-measure intraclass correlations ICC(1,1), ICC(2,1) and ICC(3,1) (Shrout & Fleiss, 1979) with 95 % "
        f"limits (McGraw & Wong, 1996) of the mean values in {where}."
    )
