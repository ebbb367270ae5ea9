"""What a run was asked to do: every string of the command line ends here.

`Settings` stays with the run, which takes it apart: a room below gets one part, such as an entry or `GroupSettings`.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from bids_regions.errors import Contradiction, MissingInput
from bids_regions.frozen import dataclass
from bids_regions.settings.configuration import read_configuration
from bids_regions.settings.entries import Entry, entries_of_command
from bids_regions.settings.options import LEVELS, OPTIONS, REGION_OPTIONS
from bids_regions.surroundings import count_processors

__all__ = ["GroupSettings", "SelectionSettings", "Settings", "WorkerSettings", "make_settings"]


@dataclass(frozen=True, kw_only=True)
class SelectionSettings:
    """Which maps a run is for, as it was asked."""

    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by entity, without its prefix
    derivatives: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()  # of the maps; none: statmap
    volumes: tuple[str, ...] = ()  # of 4-D files: "all", or numbers from 1
    bids_filter_file: Path | None = None
    assume_space: str | None = None
    skip_bids_validation: bool = False

    @property
    def participants(self) -> tuple[str, ...]:
        """The labels of the participants asked for; none: all."""
        return self.labels.get("sub", ())


@dataclass(frozen=True, kw_only=True)
class GroupSettings:
    """How participants are put together."""

    output_dir: Path
    participants: tuple[str, ...] = ()  # labels; none: all
    min_prevalence: float = 0.5
    min_coverage: float = 0.5
    group_by: tuple[str, ...] = ()  # columns of participants.tsv
    participants_tsv: Path | None = None
    regions_from: tuple[Path, ...] = ()  # a label image, or label files of surfaces
    reliability: Literal["auto", "none"] = "auto"
    atlases: tuple[str, ...] = ()  # every request of every entry, with its folders
    sheet_files: tuple[str, ...] = ()  # every mesh and file of areas of every entry, with its folders

    @property
    def regions_name(self) -> str:
        """What the regions from elsewhere are called: the names of their files."""
        return " and ".join(path.name for path in self.regions_from)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What of the machine a run may use."""

    nprocs: int = 1
    omp_nthreads: int = 1
    mem: int | None = None  # bytes
    work_dir: Path | None = None
    executor: Literal["process", "dask"] = "process"
    scheduler_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run was asked to do."""

    bids_dir: Path
    output_dir: Path
    levels: tuple[str, ...]
    entries: tuple[Entry, ...]
    configured: bool = False  # the entries are those of a configuration file
    selection: SelectionSettings = SelectionSettings()
    group: GroupSettings
    workers: WorkerSettings = WorkerSettings()
    dry_run: bool = False
    explain: bool = False
    reports_only: bool = False
    boilerplate_only: bool = False
    force: bool = False
    stop_on_first_crash: bool = False
    verbose: int = 0
    quiet: bool = False
    command: tuple[str, ...] = ()  # as typed, for the log alone


def make_settings(given: SimpleNamespace | Any, command: tuple[str, ...] = ()) -> Settings:
    """The settings of a parsed command line.

    Raises
    ------
    Contradiction
        Options that cannot hold together, or a fault of the configuration file.
    MissingInput
        A named file that is not there.
    """
    options = {option.name: getattr(given, option.name) for option in OPTIONS}
    _refuse_contradictions(given, options)
    region_options = {
        option.name: options[option.name] for option in REGION_OPTIONS if options[option.name] not in (None, False)
    }
    config_file = options["config_file"]
    entries = read_configuration(config_file) if config_file else entries_of_command(region_options)
    sheets = (word for entry in entries for word in (*entry.surfaces, *entry.vertex_areas))
    output_dir = _absolute(given.output_dir)
    selection = SelectionSettings(
        labels={
            option.entity: _labels(options[option.name], f"{option.entity}-")
            for option in OPTIONS
            if option.entity and options[option.name]
        },
        derivatives=tuple(options["derivatives"] or ()),
        suffixes=tuple(dict.fromkeys(options["suffix"] or ())),
        volumes=tuple(dict.fromkeys(options["volumes"] or ())),
        **_taken(options, "bids_filter_file", "assume_space", "skip_bids_validation"),
    )
    return Settings(
        bids_dir=_absolute(given.bids_dir),
        output_dir=output_dir,
        levels=tuple(level for level in LEVELS if level in given.analysis_level),
        entries=entries,
        configured=bool(config_file),
        selection=selection,
        group=GroupSettings(
            output_dir=output_dir,
            participants=selection.participants,
            group_by=tuple(dict.fromkeys(options["group_by"] or ())),
            regions_from=tuple(dict.fromkeys(options["regions_from"] or ())),
            sheet_files=tuple(dict.fromkeys(word for word in sheets if word not in ("auto", "none"))),
            atlases=tuple(dict.fromkeys(spec for entry in entries for spec in entry.atlas)),
            **_taken(options, "min_prevalence", "min_coverage", "participants_tsv", "reliability"),
        ),
        workers=WorkerSettings(
            nprocs=options["nprocs"] or count_processors(),
            **_taken(options, "omp_nthreads", "mem", "work_dir", "executor", "scheduler_address"),
        ),
        command=command,
        **_taken(options, "dry_run", "explain", "reports_only", "boilerplate_only", "force", "stop_on_first_crash"),
        **_taken(options, "verbose", "quiet"),
    )


def _taken(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names}


def _refuse_contradictions(given: SimpleNamespace, options: Mapping[str, Any]) -> None:
    problems = []
    if options["config_file"]:
        problems += [
            f"{option.flags[0]} beside --config-file; write {option.name} into the file instead"
            for option in REGION_OPTIONS
            if options[option.name] not in (None, False)
        ]
    if (options["executor"] == "dask") != bool(options["scheduler_address"]):
        problems.append("--executor dask and --scheduler-address belong together; give both or neither")
    for one, other in EXCLUSIVE:
        if options[one] and options[other]:
            problems.append(f"{_flag(one)} and {_flag(other)} exclude each other; give one of them")
    problems += _misplaced(_absolute(given.output_dir).resolve(), _absolute(given.bids_dir).resolve())
    if "group" not in given.analysis_level:
        problems += [f"{_flag(name)} is for the group level; add group" for name in GROUP_ONLY if options[name]]
    if problems:
        raise Contradiction(problems=problems)


EXCLUSIVE = (
    ("force", "reports_only"),
    ("force", "dry_run"),
    ("reports_only", "dry_run"),
    ("boilerplate_only", "reports_only"),
    ("boilerplate_only", "force"),
    ("quiet", "verbose"),
)
QUOTED = ("sub-", "ses-", "run-")  # several in one word, as some launchers quote them; other labels may hold spaces
HEADERS = ("participant_id", "session_id")  # of a file of labels that is a table
GROUP_ONLY = ("group_by", "participants_tsv", "regions_from")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _misplaced(output_dir: Path, bids_dir: Path) -> Iterable[str]:
    """Why an output folder would hide maps of the dataset."""
    if output_dir == bids_dir:
        yield "OUTPUT_DIR is BIDS_DIR; give a folder of its own, such as BIDS_DIR/derivatives/bids_regions"
    if bids_dir in output_dir.parents:
        inside = [part for part in output_dir.relative_to(bids_dir).parts if part.startswith("sub-")]
        if inside:
            yield f"OUTPUT_DIR lies in {inside[0]} of BIDS_DIR, whose maps it would hide; give a folder outside of it"


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 # resolve() would follow links out of a datalad dataset


def _labels(values: list[str] | None, prefix: str) -> tuple[str, ...]:
    labels: list[str] = []
    for value in values or ():
        if value.startswith("@"):
            from bids_regions.files import read_text  # noqa: PLC0415 # --help must not pay for hashlib and json

            lines = [line.split("\t")[0].strip() for line in read_text(Path(value[1:])).splitlines()]
            named = [line for line in lines if line and line not in HEADERS]
            if not named:
                raise MissingInput(f"{value[1:]} has no label", hint="Write one on each line, or leave the option out")
            labels += named
        else:
            labels += value.split() if prefix in QUOTED else [value.strip()]
    return tuple(dict.fromkeys(label.removeprefix(prefix) for label in labels))
