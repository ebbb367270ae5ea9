"""A set of maps on surfaces on the group page: its consensus on the cortex, and its table."""

from bids_regions.frozen import dataclass
from bids_regions.group.measures import SetResult
from bids_regions.group.outputs import Consensus
from bids_regions.group.page_links import links_of
from bids_regions.group.page_tables import CONSENSUS_SHOWN
from bids_regions.pages.wording import spoken
from bids_regions.report import model
from bids_regions.settings import GroupSettings
from bids_regions.tables import peaks_table, regions_table

__all__ = ["SheetConsensus"]


@dataclass(frozen=True, kw_only=True)
class SheetConsensus:
    """A set's pictures and what its viewer takes."""

    key: str
    result: SetResult
    settings: GroupSettings

    def backgrounds(self) -> list[model.Background]:
        """What the viewer draws under voxels."""
        return []

    def volumes(self) -> list[model.Volume]:
        """The prevalence maps and the coverage, for the viewer."""
        return []

    def show(self, consensus: Consensus) -> model.EntryView:
        """The consensus as an entry of the page."""
        regions, units = consensus.naming.regions, consensus.ground.units
        return model.EntryView(
            name="consensus",
            sentence=self._sentence(units),
            facts=(("consensus regions", spoken(len(regions))), (units, spoken(consensus.extraction.n_above))),
            n_regions=len(regions),
            regions=self._table(consensus),
            peaks=peaks_table(regions, sheets=True, extra=consensus.naming.peak_cells),
            links=links_of(self.result.one.paths, consensus.signs, self.settings.output_dir),
        )

    def _sentence(self, units: str) -> str:
        prevalence, coverage = 100 * self.settings.min_prevalence, 100 * self.settings.min_coverage
        return (
            f"{units[0].upper()}{units[1:]} that lie in regions of at least {prevalence:.4g} % of the participants "
            f"with data there, where at least {coverage:.4g} % of the participants have data; connected as the "
            "participants' regions are. Where both signs reach it the larger wins."
        )

    def _table(self, consensus: Consensus) -> model.Table:
        place = self.result.one.paths.consensus
        text = regions_table(consensus.naming.regions, sheets=True, extra=consensus.naming.region_cells)
        columns = text.partition("\n")[0].split("\t")
        return model.Table(
            key=f"{self.key}-consensus",
            caption="Consensus regions, and how many participants share them",
            tsv=text,
            file_name=place.table.name,
            descriptions={n: consensus.record[n]["Description"] for n in columns if n in consensus.record},
            href=place.table.relative_to(self.settings.output_dir).as_posix(),
            **CONSENSUS_SHOWN,
        )
