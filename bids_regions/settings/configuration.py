"""The configuration file: TOML with defaults for every entry, and a `[[regions]]` table per entry.

Everything that is wrong in a file is told at once, each with the key and what to do.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bids_regions.entity_names import short_key
from bids_regions.errors import BadDataset, Contradiction
from bids_regions.extraction.conventions import BUILT_IN
from bids_regions.settings.entries import Entry, make_entry, merge_layers
from bids_regions.settings.options import REGION_OPTIONS, Option

__all__ = ["read_configuration"]

OPTION_OF = {option.name: option for option in REGION_OPTIONS}
OWN_KEYS = ("name", "match")
NEUTRAL = ("threshold", "extract_type")  # an unreadable one must not be taken for a convention's, which contradicts
LIMIT = 1 << 20  # characters; a longer file is no configuration
DOTS = 200  # in one line: no key has so many parts
NAME = re.compile(r"[0-9a-zA-Z]{1,64}", re.ASCII)


def read_configuration(path: Path) -> tuple[Entry, ...]:
    """The entries of the configuration file at `path`.

    Raises
    ------
    MissingInput
        The file is not there.
    Contradiction
        All that is wrong in it: syntax, unknown keys, wrong types, contradictions, names that clash.
    """
    import tomllib  # noqa: PLC0415 # --help must not pay for this

    try:
        content = tomllib.loads(_read_limited(path))
    except BadDataset as error:
        raise Contradiction(error.sentence, hint=error.hint) from error
    except (ValueError, RecursionError) as error:
        raise Contradiction(f"{path} is not valid TOML: {error}", hint="Fix the line it names") from error
    problems: list[str] = []
    tables = content.pop("regions", None)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        problems.append("no [[regions]] table; give one for each output, with a name and a threshold")
        tables = []
    top = _checked(content, "at the top", problems, ())
    entries = [entry for n, table in enumerate(tables, 1) if (entry := _read_entry(n, table, top, problems))]
    problems += _clashes(tables)
    if problems:
        raise Contradiction(problems=[f"{path}: {problem}" for problem in problems])
    return tuple(entries)


def _read_limited(path: Path) -> str:
    """The text of a configuration, before a parser whose time grows with the square of what a hostile one holds."""
    from bids_regions.files import read_text  # noqa: PLC0415 # --help must not pay for hashlib and json

    text = read_text(path)
    if len(text) > LIMIT:
        raise BadDataset(f"{path} is larger than {LIMIT >> 20} MiB: no configuration", hint="Give another file")
    if any(line.count(".") > DOTS for line in text.splitlines()):
        raise BadDataset(f"{path} has a line of more than {DOTS} dots: no configuration", hint="Give another file")
    return text


def _read_entry(number: int, table: dict[str, Any], top: Mapping[str, Any], problems: list[str]) -> Entry | None:
    name = table.get("name")
    where = f"regions {name!r}" if isinstance(name, str) else f"regions number {number}"
    before = len(problems)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        problems.append(f"{where}: name = {name!r}; give one of letters and digits, 64 at most; it becomes desc-<name>")
    match = table.get("match", {})
    problems += [f"{where}: match: {problem}" for problem in _match_problems(match)]
    options = _checked(table, where, problems, OWN_KEYS)
    unread = table.keys() - options.keys()
    sound = {key: value for key, value in merge_layers((top, options)).items() if key not in unread}
    neutral = {key: BUILT_IN[key] for key in NEUTRAL if key in unread}
    try:
        entry = make_entry(str(name), sound | neutral, match if isinstance(match, dict) else {})
    except Contradiction as error:
        problems += [f"{where}: {problem}" for problem in error.problems]
        return None
    return entry if len(problems) == before else None


def _checked(table: Mapping[str, Any], where: str, problems: list[str], own: tuple[str, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in table.items():
        if key in own:
            continue
        option = OPTION_OF.get(key)
        if option is None:
            problems.append(f"{where}: unknown key {key!r}{_suggestion(key, own)}")
            continue
        try:
            options[key] = _value(option, value)
        except (ValueError, OverflowError) as error:
            problems.append(f"{where}: {key} = {value!r}: {error}")
    return options


def _suggestion(key: str, own: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key.replace("-", "_"), (*OPTION_OF, *own), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; the keys are {', '.join((*own, *OPTION_OF))}"


def _value(option: Option, value: object) -> object:
    if option.kind is None:
        if not isinstance(value, bool):
            raise ValueError("write true or false")
        return value
    if option.many and option.name != "threshold":
        values = value if isinstance(value, list) else [value]
        return [_single(option, each) for each in values]
    return _single(option, value)


def _single(option: Option, value: object) -> object:
    numeric = option.kind is not str and option.name not in ("threshold", "values_from", "peaks_from")
    allowed = (int, float) if numeric else (str, int, float) if option.name == "threshold" else (str,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise ValueError(f"write {'a number' if numeric else 'one text in quotes'}")
    return option.read(str(value))


def _match_problems(match: object) -> Iterator[str]:
    if not isinstance(match, dict):
        yield 'write a table, such as { stat = "z", run = false }'
        return
    for entity, value in match.items():
        values = value if isinstance(value, list) else [value]
        if not entity.isalnum():
            yield f"{entity!r} is no entity's name"
        if not values or any(each is True or not isinstance(each, str | int) for each in values):
            yield f'{entity} = {value!r}; write a label, a list of labels, false (absent) or "*" (any)'


def _clashes(tables: list[dict[str, Any]]) -> Iterator[str]:
    """Equal names, told beside what else is wrong with their entries; what an unreadable match takes is not known."""
    told = [(table.get("name"), table.get("match", {})) for table in tables]
    named = [
        (name, {short_key(key): value for key, value in match.items()})
        for name, match in told
        if isinstance(name, str) and not any(_match_problems(match))
    ]
    for n, (name, match) in enumerate(named):
        for other_name, other in named[:n]:
            apart = any(_exclude(entity, match[entity], other[entity]) for entity in match.keys() & other.keys())
            if name == other_name and not apart:
                yield (
                    f"two entries are named {name!r} and could both match a map; "
                    "give them different names, or matches that cannot both hold"
                )


def _exclude(entity: str, one: object, other: object) -> bool:
    if one is False or other is False:
        return one is not other
    if "*" in (one, other):
        return False
    sets = ({_label(entity, v) for v in (value if isinstance(value, list) else [value])} for value in (one, other))
    return not set.intersection(*sets)


def _label(entity: str, value: object) -> str:
    text = str(value).lower() if entity == "stat" else str(value)
    return text.lstrip("0") or "0" if text.isdigit() else text
