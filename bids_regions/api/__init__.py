"""For notebooks and scripts: from an image, a file or an array to its regions, as tables, images and figures.

The same steps as the BIDS App's, on one map: what the map's numbers are is told, or read from its intent or its name;
never taken for granted. `read_results` reads what the app left in its output folder. This room writes no result.
"""

from bids_regions.api.finding import find_regions
from bids_regions.api.outputs import Result, Results, read_results
from bids_regions.api.pictures import plot_regions
from bids_regions.api.regions import Regions
from bids_regions.extraction import CONVENTIONS, Criteria, Extraction, Peak, Region, Smoothness, Statistic
from bids_regions.figures.plotting import Plot
from bids_regions.version import __version__

__all__ = [
    "CONVENTIONS",
    "Criteria",
    "Extraction",
    "Peak",
    "Plot",
    "Region",
    "Regions",
    "Result",
    "Results",
    "Smoothness",
    "Statistic",
    "__version__",
    "find_regions",
    "plot_regions",
    "read_results",
]
