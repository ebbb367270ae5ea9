"""Frozen dataclasses as JSON objects: the key of a field stands beside the field, and nowhere else.

A *key* is what a field is called in JSON. A field that equals its default is not written, and one that is not there is
read as its default; JSON's null is never written. The fields without a name of their own (`SPREAD`) lie in the object
itself, beside the named ones. Which keys a record has is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

from bids_regions.errors import BadDataset

__all__ = ["decode", "encode", "key", "keys_of", "one_of", "texts"]

Read = Callable[[Any], Any] | type  # a dataclass is read by its own keys
T = TypeVar("T")


def key(name: str, read: Read = str, *, spread: bool = False) -> dict[str, Any]:
    """The metadata of a field: its key, and what makes its value of JSON's; `spread` as told above."""
    return {"key": name, "read": read, "spread": spread}


def one_of(words: tuple[str, ...]) -> Read:
    """What takes one of these words alone."""
    return {word: word for word in words}.__getitem__


def texts(value: object) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(str(each) for each in value)


def keys_of(cls: type) -> tuple[str, ...]:
    """The keys of a dataclass in their order."""
    return tuple(each.metadata["key"] for each in _named(cls))


def encode(value: Any) -> dict[str, Any]:
    """The JSON object of a dataclass, keys in the order of its fields."""
    content: dict[str, Any] = {}
    for each in _named(value):
        own = getattr(value, each.name)
        if own == _default(each):
            continue
        if each.metadata["spread"]:
            content |= own
        else:
            content[each.metadata["key"]] = _plain(own)
    return content


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return encode(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, Mapping) else value


def decode(cls: type[T], content: object, where: str = "") -> T:
    """The dataclass that a JSON object tells of; keys it does not know are passed over.

    Raises
    ------
    BadDataset
        A key is missing, or its value is of another kind; the sentence names it.
    """
    if not isinstance(content, Mapping):
        raise BadDataset(f"{where or 'the record'} is no JSON object")
    given: dict[str, Any] = {}
    for each in _named(cls):
        name, read = each.metadata["key"], each.metadata["read"]
        if each.metadata["spread"]:
            known = {own.metadata["key"] for own in _named(cls)}
            given[each.name] = read({other: own for other, own in content.items() if other not in known})
        elif name in content:
            given[each.name] = _read(read, content[name], f"{where}{name}")
        elif _default(each) is MISSING:
            raise BadDataset(f"it lacks {where}{name}")
    return cls(**given)


def _read(read: Read, value: object, where: str) -> Any:
    if isinstance(read, type) and is_dataclass(read):
        return decode(read, value, f"{where}.")
    try:
        return read(value)
    except (LookupError, TypeError, ValueError) as error:
        raise BadDataset(f"{where} is not what it must be") from error


def _named(value: Any) -> tuple[Field[Any], ...]:
    return _fields_of(value if isinstance(value, type) else type(value))


@cache
def _fields_of(cls: type) -> tuple[Field[Any], ...]:
    """The fields that have a key; a class is asked once, as a cohort has many records."""
    return tuple(each for each in fields(cls) if "key" in each.metadata)


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()
