"""Where a page comes from, as two runs write it alike: commands that give the same results, settings, versions.

A command tells no path and no time: BIDS_DIR and OUTPUT_DIR stand for the folders, a named file for its path; what a
configuration or a filter file holds is shown. The exact command, times and paths are the log's.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bids_regions.dataset import MapFile, SourceDataset
from bids_regions.errors import Fault
from bids_regions.report import model
from bids_regions.results.records import Record, library_versions
from bids_regions.settings import OPTIONS, REGION_OPTIONS, Entry, SelectionSettings, make_entry, name_of_threshold

__all__ = ["command_facts", "describe_provenance"]

WORDS = ("bids_regions", "BIDS_DIR", "OUTPUT_DIR")
CONFIGURATION = "settings.toml"
FILTER = "filter.json"
ALONE = ("threshold", "convention")  # what stands in a command whatever the defaults are
SELECTING = {option.entity: option.flags[0] for option in OPTIONS if option.entity}  # by entity
STATMAP = "statmap"


def describe_provenance(
    entries: Sequence[Entry],
    asked: SelectionSettings,
    *,
    dataset: str,
    filters: Mapping[str, object] | None = None,
    configured: bool = False,
) -> model.Provenance:
    """What a page says of its making; participants are not among the selection, for each has a page."""
    words = [*WORDS, "participant", *_selection(asked)]
    files = []
    if filters:
        query = (asked.suffixes or (STATMAP,))[0]
        files.append((FILTER, json.dumps({query: filters}, ensure_ascii=False)))
        words += ["--bids-filter-file", FILTER]
    if configured:
        files.append((CONFIGURATION, "\n".join(_table(entry.name, _whole(entry), entry.match) for entry in entries)))
        words += ["--config-file", CONFIGURATION]
    else:
        first = entries[0]
        words += ["--threshold", *(str(entry.criteria.threshold) for entry in entries)]
        words += _region_words(least_options(first.name, _whole(first)))
    return model.Provenance(
        command=shlex.join(words),
        settings=tuple((f"entry {entry.name}", _entry_words(entry)) for entry in entries),
        versions=tuple(library_versions().items()),
        inputs=(("dataset", dataset), *files),
    )


def command_facts(
    record: Record, mapfile: MapFile, dataset: SourceDataset, *, earlier: bool
) -> tuple[tuple[str, str], ...]:
    """How one entry of one map is made again: the command, the configuration it reads, and whether settings differ."""
    options = {key: value for key, value in record.criteria.items() if key != "name"}
    words = [*WORDS, "participant" if mapfile.participant else "group", *_one_map(record, mapfile, dataset)]
    facts = []
    if _name_of(options) == record.entry:
        words += ["--threshold", str(options["threshold"]), *_region_words(least_options(record.entry, options))]
    else:
        words += ["--config-file", CONFIGURATION]
        facts.append((CONFIGURATION, _table(record.entry, options, {})))
    if earlier:
        facts.append(("settings", "earlier ones, not those of the run that wrote this page"))
    return (("command", shlex.join(words)), *facts)


def _name_of(options: Mapping[str, Any]) -> str:
    try:
        return name_of_threshold(str(options.get("threshold", "")))
    except (Fault, ValueError):
        return ""


def _whole(entry: Entry) -> dict[str, Any]:
    """The settings of an entry, what only draws included."""
    drawn = {} if entry.background in ("auto", "none") else {"background": entry.background.rpartition("/")[2]}
    return {**entry.as_options(), **({"background": "none"} if entry.background == "none" else drawn)}


def _selection(asked: SelectionSettings) -> Iterator[str]:
    """The words that select maps, as they were asked for."""
    for key, labels in asked.labels.items():
        if key != "sub" and labels:
            yield from (SELECTING[key], *labels)
    for flag, values in (
        ("--derivatives", asked.derivatives),
        ("--suffix", asked.suffixes),
        ("--volumes", asked.volumes),
        ("--assume-space", (asked.assume_space,) if asked.assume_space else ()),
    ):
        if values:
            yield from (flag, *values)
    if asked.skip_bids_validation:
        yield "--skip-bids-validation"


def _one_map(record: Record, mapfile: MapFile, dataset: SourceDataset) -> Iterator[str]:
    """The words that select one map, as far as options can."""
    for key, flag in SELECTING.items():
        label = mapfile.entity(key)
        if label:
            yield from (flag, label)
    if dataset.derivatives:
        yield from ("--derivatives", *dataset.derivatives)
    if not dataset.checked:
        yield "--skip-bids-validation"
    if mapfile.suffix != STATMAP:
        yield from ("--suffix", mapfile.suffix)
    if mapfile.volume is not None:
        yield from ("--volumes", str(mapfile.volume))
    if record.assumed_space:
        yield from ("--assume-space", record.assumed_space)


def least_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from the defaults or the convention: fewer words that give the same settings."""
    stated = {key: options[key] for key in ALONE if key in options}
    try:
        usual = make_entry(name, stated).as_options()
        kept = {key: value for key, value in options.items() if key in ALONE or usual.get(key) != value}
        same = make_entry(name, kept).as_options() == {k: v for k, v in options.items() if k != "background"}
    except (Fault, ValueError, TypeError, KeyError):
        same = False
    return kept if same else dict(options)


def _region_words(options: Mapping[str, Any]) -> Iterator[str]:
    for option in REGION_OPTIONS:
        value = options.get(option.name)
        if option.name != "threshold" and value is not None and value is not False:
            yield option.flags[0]
            yield from _words(value)


def _words(value: object) -> list[str]:
    if value is True:
        return []
    if isinstance(value, (list, tuple)):
        return [word for each in value for word in _words(each)]
    return [f"{value:.12g}" if isinstance(value, float) else str(value)]


def _table(name: str, options: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    """An entry as a `[[regions]]` table of a configuration file."""
    known = {option.name: option for option in REGION_OPTIONS}
    lines = ["[[regions]]", f"name = {json.dumps(name)}"]
    if match:
        pairs = (f"{json.dumps(key)} = {_toml(value)}" for key, value in match.items())
        lines.append(f"match = {{ {', '.join(pairs)} }}")
    lines += [f"{key} = {_toml(value)}" for key, value in least_options(name, options).items() if key in known]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


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
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_plain(each) for each in value)}]"
    return str(value)
