"""The methods text of the group level: the participants' criteria, and how their regions were put together."""

from collections.abc import Sequence

from bids_regions.pages.methods import write_methods
from bids_regions.report.model import Methods, Reference
from bids_regions.settings import Entry, Settings

__all__ = ["write_group_methods"]

DICE = Reference(
    text="Dice (1945). Measures of the amount of ecologic association between species. Ecology 26, 297-302.",
    doi="10.2307/1932409",
)
OUTLIERS = Reference(text="Iglewicz & Hoaglin (1993). How to Detect and Handle Outliers. ASQC Quality Press.")


def write_group_methods(entries: Sequence[Entry], settings: Settings) -> Methods:
    """Paragraphs and references for sets made from these entries."""
    participants = write_methods(entries)
    where = "the consensus regions; as these were found in the same maps, one-sample tests on the values are circular"
    if settings.regions_from:
        where = f"the regions of {settings.regions_from.name}"
    paragraph = (
        "Across participants, prevalence was computed per voxel and sign as the fraction of participants whose regions "
        "cover the voxel among those with data there (inside their mask, or, without one, where the map is finite and "
        f"not zero). Consensus regions are connected voxels with a prevalence of {settings.min_prevalence:.4g} or more "
        f"where at least {settings.min_coverage:.4g} of the participants have data; where both signs reach it the "
        f"larger prevalence decides. Values were taken per participant in {where}. Agreement is the Dice overlap "
        "(Dice, 1945) of voxels of equal sign. Participants whose number or volume of regions, largest magnitude or "
        "coverage has a robust z above 3.5 (Iglewicz & Hoaglin, 1993) are flagged and stay in all results."
    )
    return Methods(
        paragraphs=(*participants.paragraphs, paragraph), references=(*participants.references, DICE, OUTLIERS)
    )
