"""Every option of the command line, once: parser, configuration files, boutiques.json and docs/usage.md follow it.

An *option* is one choice a user makes; a *region option* may also stand as a key in a configuration file.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bids_regions.errors import Contradiction
from bids_regions.extraction.conventions import CONVENTIONS
from bids_regions.extraction.grammar import grammar_examples, parse_threshold
from bids_regions.frozen import dataclass

__all__ = ["LEVELS", "OPTIONS", "REGION_OPTIONS", "Option"]

LEVELS = ("participant", "group")
EMPTY = "the value is empty; write one, or leave it out"
DIGITS = re.compile(r"[+-]?\d*\.?\d+")


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option: how it is written, what it takes, what it means."""

    flags: tuple[str, ...]  # the first is the one shown; `_` spellings are added by the parser
    help: str
    group: str
    kind: Callable[[str], Any] | None = str  # reads one value; None for a switch
    choices: tuple[Any, ...] = ()
    many: bool = False  # takes several values
    paths: bool = False  # its values are paths, one for each hemisphere, or one word
    counts: bool = False  # may be repeated, and the repetitions count
    metavar: str = ""
    default: Any = None
    entity: str = ""  # the short key of the entity whose labels it asks for: it selects maps by them

    @property
    def name(self) -> str:
        """The attribute and, for a region option, the key in a configuration file."""
        return self.flags[0].lstrip("-").replace("-", "_")

    def read(self, text: str) -> Any:
        """One value; ValueError says what is wrong with it, the same on a command line and in a configuration."""
        assert self.kind is not None
        if self.kind in (str, Path) and not self.choices and not text.strip():
            raise ValueError(EMPTY)  # a script's variable that is not set must not ask for everything
        value = self.kind(text)
        if self.choices and value not in self.choices:
            words = [str(choice) for choice in self.choices]
            near = next((word for word in words if word.lower() == text.strip().lower()), "")
            raise ValueError(
                f"{text!r} is no choice; " + (f"write {near}" if near else f"choose from {', '.join(words)}")
            )
        return value

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way to write it: multi-word flags with `-` and with `_`."""
        both = (spelling for flag in self.flags for spelling in (flag, "--" + flag[2:].replace("-", "_")))
        return tuple(dict.fromkeys(s for s in both if not s.startswith("---") and len(s) > 1 and s != "--"))


def threshold_text(text: str) -> str:
    """A threshold of the grammar, as typed."""
    try:
        return parse_threshold(text).text
    except Contradiction as error:
        raise ValueError(str(error)) from error


def entity_value(text: str) -> str:
    """ENTITY=VALUE."""
    entity, _, value = text.partition("=")
    if not entity.isalnum() or not value:
        raise ValueError(f"{text!r} is not of the form ENTITY=VALUE, such as stat=effect")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        meant = text.strip().replace(",", ".")
        hint = f"; write {meant}" if meant != text and DIGITS.fullmatch(meant) else ""
        raise ValueError(f"{text!r} is no number{hint}") from None


def whole_number(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def positive(text: str) -> float:
    """A finite number above zero."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{text} is not a finite number above 0")
    return number


def not_negative(text: str) -> float:
    """A finite number of at least zero."""
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{text} is not a finite number of at least 0")
    return number


def count(text: str) -> int:
    """A whole number of at least one."""
    number = whole_number(text)
    if number < 1:
        raise ValueError(f"{text} is not a whole number of at least 1")
    return number


def whole(text: str) -> int:
    """A whole number of at least zero."""
    number = whole_number(text)
    if number < 0:
        raise ValueError(f"{text} is not a whole number of at least 0")
    return number


def fraction(text: str) -> float:
    """A number above 0, at most 1."""
    number = _number(text)
    if not 0 < number <= 1:
        raise ValueError(f"{text} does not lie above 0 and at most at 1")
    return number


def suffix(text: str) -> str:
    """The suffix of a file name: letters and digits."""
    word = text.removeprefix("_")
    if not (word.isascii() and word.isalnum()):
        raise ValueError(f"{text!r} is no suffix; write a word, such as components for *_components.nii.gz")
    return word


def volume(text: str) -> str:
    """`all`, or the number of a volume, from 1."""
    if text != "all" and not (text.isdecimal() and int(text) >= 1):
        raise ValueError(f"{text!r} is no volume; write all, or numbers from 1")
    return text if text == "all" else str(int(text))


def memory(text: str) -> int:
    """An amount of memory in bytes: a number with the suffix K, M, G or T; megabytes without one."""
    scales = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    digits = text.strip().upper().removesuffix("B")
    scale = scales.get(digits[-1:], 0)
    try:
        amount = float(digits[:-1] if scale else digits) * (scale or 2**20)
    except ValueError:
        amount = 0
    if not 1 <= amount < 2**60:
        raise ValueError(f"{text} is no amount of memory; write 8G or 8000M")
    return int(amount)


SELECTION, REGIONS, CONFIGURATION, GROUP, RUNNING = "selection", "regions", "configuration", "group", "running"

OPTIONS: tuple[Option, ...] = (
    Option(flags=("--participant-label",), group=SELECTION, entity="sub", many=True, metavar="LABEL",
           help="participants to work on, with or without sub-; or @FILE with one label per line"),
    Option(flags=("--session-label",), group=SELECTION, entity="ses", many=True, metavar="LABEL",
           help="sessions to work on, with or without ses-"),
    Option(flags=("--task-id", "-t"), group=SELECTION, entity="task", many=True, metavar="LABEL",
           help="tasks to work on"),
    Option(flags=("--run-id",), group=SELECTION, entity="run", many=True, metavar="INDEX", help="runs to work on"),
    Option(flags=("--space",), group=SELECTION, entity="space", many=True, metavar="LABEL", help="spaces to work on"),
    Option(flags=("--contrast",), group=SELECTION, entity="contrast", many=True, metavar="LABEL",
           help="contrasts to work on"),
    Option(flags=("--stat",), group=SELECTION, entity="stat", many=True, metavar="LABEL",
           help="statistics to work on (default: z, and t for a map that has no z sibling)"),
    Option(flags=("--derivatives",), group=SELECTION, many=True, metavar="NAME",
           help="which derivatives of a raw BIDS_DIR hold the maps"),
    Option(flags=("--bids-filter-file",), group=SELECTION, kind=Path, metavar="FILE",
           help='JSON file {"statmap": {"entity": value}}; null means absent, "*" means any'),
    Option(flags=("--suffix",), group=SELECTION, many=True, metavar="WORD", kind=suffix,
           help="suffixes of the maps (default: statmap); maps of a named suffix are taken whatever their stat-"),
    Option(flags=("--volumes",), group=SELECTION, many=True, metavar="all|N", kind=volume,
           help="volumes of 4-D files to work on as maps of their own: all, or their numbers from 1"),
    Option(flags=("--assume-space",), group=SELECTION, metavar="LABEL", help="space of the maps whose name tells none"),
    Option(flags=("--threshold",), group=REGIONS, kind=threshold_text, many=True, metavar="SPEC",
           help=f"{grammar_examples().replace('%', '%%')}; several give an output each (default: 3.0)"),
    Option(flags=("--percentile-over",), group=REGIONS, choices=("image", "mask", "nonzero"),
           help="the voxels a percentile is taken over (default: image)"),
    Option(flags=("--tail",), group=REGIONS, choices=("bi", "two", "positive", "negative"),
           help="bi: both signs, regions of one sign each; two: both signs merged (default: bi)"),
    Option(flags=("--connectivity",), group=REGIONS, kind=whole_number, choices=(6, 18, 26),
           help="neighbours that join voxels: by faces, edges, corners (default: 6)"),
    Option(flags=("--extract-type",), group=REGIONS, choices=("connected_components", "local_regions"),
           help="whole components, or components split around their local maxima (default: connected_components)"),
    Option(flags=("--smoothing-fwhm",), group=REGIONS, kind=not_negative, metavar="MM",
           help="smoothing that finds the seeds of local_regions, 0 for none (default: 6)"),
    Option(flags=("--min-region-size",), group=REGIONS, kind=not_negative, metavar="MM3",
           help="smallest region kept, in mm3 (default: 1500)"),
    Option(flags=("--min-region-voxels",), group=REGIONS, kind=whole, metavar="N",
           help="smallest region kept, in voxels; replaces the default in mm3"),
    Option(flags=("--min-region-area",), group=REGIONS, kind=not_negative, metavar="MM2",
           help="smallest region kept on a surface, in mm2 (default: 100)"),
    Option(flags=("--min-region-vertices",), group=REGIONS, kind=whole, metavar="N",
           help="smallest region kept on a surface, in vertices; replaces the default in mm2"),
    Option(flags=("--mask",), group=REGIONS, many=True, paths=True, metavar="auto|none|PATH",
           help="brain mask: the dataset's own, none, or an image; on surfaces a file for each hemisphere "
                "(default: auto)"),
    Option(flags=("--surfaces",), group=REGIONS, many=True, paths=True, metavar="auto|none|PATH",
           help="midthickness surfaces of the maps, a file for each hemisphere: auto, the participant's own, else "
                "TemplateFlow's, else those of the package (default: auto)"),
    Option(flags=("--vertex-areas",), group=REGIONS, many=True, paths=True, metavar="auto|none|PATH",
           help="area of each vertex in mm2, a file for each hemisphere, in place of the surfaces' own "
                "(default: auto)"),
    Option(flags=("--dof",), group=REGIONS, kind=positive, many=True, metavar="N",
           help="degrees of freedom, before what the dataset tells: one number for t maps, two for F maps"),
    Option(flags=("--p-scale",), group=REGIONS, choices=("auto", "p", "1-p", "log10"),
           help="how p maps hold their p (default: as stat- or PScale in the sidecar tells)"),
    Option(flags=("--peaks-from",), group=REGIONS, kind=entity_value, metavar="ENTITY=VALUE",
           help="peaks and their values from the sibling map that differs in this entity alone "
                "(default of p maps: the z, else the t map beside it)"),
    Option(flags=("--smoothness",), group=REGIONS, kind=positive, many=True, metavar="MM",
           help="smoothness of the noise: FWHM of the residuals in mm along the voxel axes nearest x, y, z, three "
                "numbers (default: as the sidecar of the map tells)"),
    Option(flags=("--max-peaks",), group=REGIONS, kind=count, metavar="N",
           help="peaks listed per region, the main one counted (default: 3)"),
    Option(flags=("--min-peak-distance",), group=REGIONS, kind=not_negative, metavar="MM",
           help="distance between any two listed peaks of a region (default: 8)"),
    Option(flags=("--convention",), group=REGIONS, choices=tuple(CONVENTIONS),
           help="reproduce the clusters of this tool; an option given beside it overrides that one choice"),
    Option(flags=("--grf",), group=REGIONS, kind=None,
           help="cluster p values by Gaussian random field theory, FSL's formulas (connectivity 26)"),
    Option(flags=("--rft",), group=REGIONS, kind=None,
           help="p and q of clusters and peaks by random field theory, SPM's columns (connectivity 18)"),
    Option(flags=("--cluster-alpha",), group=REGIONS, kind=fraction, metavar="P",
           help="keep regions whose cluster p lies below; implies --grf unless --rft is given"),
    Option(flags=("--tdp",), group=REGIONS, kind=None,
           help="true-discovery proportion per region by all-resolutions inference"),
    Option(flags=("--values-from",), group=REGIONS, kind=entity_value, metavar="ENTITY=VALUE",
           help="also measure each region in the sibling map that differs in this entity alone, such as stat=effect"),
    Option(flags=("--atlas",), group=REGIONS, many=True, metavar="SPEC",
           help="name regions by a label image, a probabilistic atlas, label files of a mesh (one per hemisphere, or a "
                "dlabel), templateflow:NAME?desc=LABEL, or each participant's own segmentation by an entity of its "
                "name, such as desc=aparcaseg"),
    Option(flags=("--atlas-space-unchecked",), group=REGIONS, kind=None,
           help="take the atlas's space to be that of the maps"),
    Option(flags=("--background",), group=REGIONS, metavar="auto|none|PATH",
           help="anatomical picture under the maps of the report (default: auto)"),
    Option(flags=("--also-write",), group=REGIONS, many=True, choices=("thresholded", "regions4d"),
           help="also write the thresholded map, or a 4D image with a volume per region"),
    Option(flags=("--config-file",), group=CONFIGURATION, kind=Path, metavar="FILE.toml",
           help="settings per map, in place of the region options"),
    Option(flags=("--min-prevalence",), group=GROUP, kind=fraction, metavar="F", default=0.5,
           help="share of participants at which a voxel joins a consensus region (default: 0.5)"),
    Option(flags=("--min-coverage",), group=GROUP, kind=fraction, metavar="F", default=0.5,
           help="share of participants that must have data there (default: 0.5)"),
    Option(flags=("--group-by",), group=GROUP, many=True, metavar="COLUMN",
           help="columns of participants.tsv that split the participants into sets"),
    Option(flags=("--participants-tsv",), group=GROUP, kind=Path, metavar="PATH",
           help="table of participants, where it does not lie beside the maps or the raw dataset"),
    Option(flags=("--regions-from",), group=GROUP, kind=Path, many=True, metavar="LABEL_IMAGE",
           help="take the values in the regions of this label image, independent of the maps; on surfaces a file for "
                "each hemisphere"),
    Option(flags=("--reliability",), group=GROUP, choices=("auto", "none"), default="auto",
           help="agreement over sessions and runs, where participants have several (default: auto)"),
    Option(flags=("--nprocs", "--n-cpus", "--nthreads"), group=RUNNING, kind=count, metavar="N",
           help="maps worked on at once (default: the processors at hand)"),
    Option(flags=("--omp-nthreads",), group=RUNNING, kind=count, metavar="N", default=1,
           help="threads within one map (default: 1)"),
    Option(flags=("--mem",), group=RUNNING, kind=memory, metavar="SIZE",
           help="memory to use, such as 8G; limits the number of maps worked on at once"),
    Option(flags=("--work-dir", "-w"), group=RUNNING, kind=Path, metavar="DIR",
           help="folder for temporary files (default: the system's)"),
    Option(flags=("--executor",), group=RUNNING, choices=("process", "dask"), default="process",
           help="where the work is done: processes here, or a Dask cluster (default: process)"),
    Option(flags=("--scheduler-address",), group=RUNNING, metavar="ADDRESS",
           help="the Dask scheduler, such as tcp://host:8786"),
    Option(flags=("--dry-run",), group=RUNNING, kind=None, help="list what would be done, and do nothing"),
    Option(flags=("--explain",), group=RUNNING, kind=None,
           help="print what the four conventions would keep on each map, and write no result; with --reports-only "
                "also on the pages"),
    Option(flags=("--reports-only",), group=RUNNING, kind=None, help="write the reports again from finished results"),
    Option(flags=("--boilerplate-only",), group=RUNNING, kind=None, help="write the methods text and nothing else"),
    Option(flags=("--force",), group=RUNNING, kind=None, help="do everything again, also what is finished"),
    Option(flags=("--stop-on-first-crash",), group=RUNNING, kind=None, help="stop at the first map that fails"),
    Option(flags=("--skip-bids-validation", "--skip-bids-validator"), group=RUNNING, kind=None,
           help="go on where a dataset_description.json of BIDS_DIR cannot be parsed"),
    Option(flags=("--verbose", "-v"), group=RUNNING, kind=None, counts=True, default=0,
           help="say more; twice for details of each step"),
    Option(flags=("--quiet", "-q"), group=RUNNING, kind=None, help="say only what went wrong, and the result"),
    Option(flags=("--bids-exec-spec",), group=RUNNING, kind=None, help="print the Boutiques descriptor and stop"),
)  # fmt: skip

REGION_OPTIONS: tuple[Option, ...] = tuple(option for option in OPTIONS if option.group == REGIONS)
