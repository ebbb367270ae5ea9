"""Where a page comes from, as two runs write it alike: a canonical command, settings, versions; no time, no path.

The exact command, times and paths are the log's.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from bids_regions.dataset import SourceDataset
from bids_regions.report import model
from bids_regions.results.records import library_versions
from bids_regions.settings import Entry, Settings

__all__ = ["describe_provenance"]


def describe_provenance(settings: Settings, dataset: SourceDataset) -> model.Provenance:
    """What a page says of its making."""
    return model.Provenance(
        command=_canonical_command(settings),
        settings=tuple((f"entry {entry.name}", _entry_words(entry)) for entry in settings.entries),
        versions=tuple(library_versions().items()),
        inputs=(("dataset", dataset.name),),
    )


def _canonical_command(settings: Settings) -> str:
    """The command with every region option written out, without what differs between equal runs (levels, workers)."""
    words = ["bids_regions", "BIDS_DIR", "OUTPUT_DIR", "participant"]
    if settings.config_file:
        return shlex.join([*words, "--config-file", settings.config_file.name])
    options = settings.entries[0].as_options()
    words += ["--threshold", *(str(entry.criteria.threshold) for entry in settings.entries)]
    for name, value in options.items():
        if name != "threshold" and value is not False:
            words += [f"--{name.replace('_', '-')}", *_words(value)]
    return shlex.join(words)


def _words(value: object) -> list[str]:
    if value is True:
        return []
    if isinstance(value, list):
        return [str(each) for each in value]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _entry_words(entry: Entry) -> str:
    options: Mapping[str, Any] = {**({"match": dict(entry.match)} if entry.match else {}), **entry.as_options()}
    return ", ".join(f"{name} = {_plain(value)}" for name, value in options.items())


def _plain(value: object) -> str:
    """A value as a configuration file would have it, without its quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_plain(each)}' for key, each in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_plain(each) for each in value)}]"
    return str(value)
