"""Frozen dataclasses that cost little to define: `dataclass`, the standard library's for everyone but the interpreter.

The library writes and compiles six functions for each frozen class, and a start of this program defines two hundred:
that was a third of it. The methods here are written once and look the fields up. `fields`, `replace` and `asdict` of
`dataclasses` take these classes for their own, and so does the type checker.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *,
        frozen: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        repr: bool = True,  # noqa: A002 # the library's own name
        **other: bool,
    ) -> Callable[..., Any]:
        """As `dataclasses.dataclass`, which also makes what is not frozen, or is asked for with more than these.

        >>> @dataclass(frozen=True, kw_only=True)
        ... class Point:
        ...     x: int
        ...     y: int = 0
        >>> Point(x=1), Point(x=1) == Point(x=1, y=0), dataclasses.replace(Point(x=1), y=2)
        (Point(x=1, y=0), True, Point(x=1, y=2))
        >>> Point(x=1).x = 2
        Traceback (most recent call last):
        dataclasses.FrozenInstanceError: cannot assign to field 'x'
        """
        if not frozen or other:
            return dataclasses.dataclass(frozen=frozen, kw_only=kw_only, eq=eq, repr=repr, **other)
        define = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)

        def make(cls: type) -> type:
            return _with_methods(define(cls), {**METHODS, **(BY_VALUE if eq else {}), **(SHOWN if repr else {})})

        return make


def _with_methods(cls: type, methods: Mapping[str, Any]) -> type:
    """A dataclass with the methods of a frozen one, but those that it has itself."""
    fields = dataclasses.fields(cls)
    of = {
        "_frozen_names": tuple(field.name for field in fields),
        "_frozen_places": tuple(field.name for field in fields if not field.kw_only),
        "_frozen_shown": tuple(field.name for field in fields if field.repr),
        "_frozen_compared": tuple(field.name for field in fields if field.compare),
        "__init__": _init_of(fields, hasattr(cls, "__post_init__")),
        **methods,
    }
    for name, value in of.items():
        if name not in vars(cls) or vars(cls)[name] is None:
            setattr(cls, name, value)
    return cls


def _init_of(fields: tuple[dataclasses.Field[Any], ...], goes_on: bool) -> Callable[..., None]:
    """An `__init__` that copies what is given at once; a map makes hundreds of objects, so each look-up counts."""
    missing, n = dataclasses.MISSING, len(fields)
    blank = {field.name: field.default for field in fields}
    factories = {f.name: f.default_factory for f in fields if f.default_factory is not missing}
    names = frozenset(blank)
    required = frozenset(name for name, default in blank.items() if default is missing and name not in factories)

    def init(self: Any, *args: Any, **given: Any) -> None:
        if args:
            given = _with_placed(self, args, given)
        values = self.__dict__
        if len(given) < n:
            values.update(blank)  # all names: an unknown one makes more of them
        values.update(given)
        if len(values) != n or not (given.keys() >= required if len(given) < n else given.keys() == names):
            raise TypeError(_misfit(self, given, required))
        for name, make in factories.items() if factories else ():
            if name not in given:
                values[name] = make()
        if goes_on:
            self.__post_init__()

    init.__name__ = init.__qualname__ = "__init__"
    return init


def _with_placed(self: Any, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
    """What is given by name, and by place."""
    if len(args) > len(self._frozen_places):
        raise TypeError(f"{type(self).__qualname__} takes {len(self._frozen_places)} values by place, not {len(args)}")
    placed = dict(zip(self._frozen_places, args, strict=False))
    if twice := placed.keys() & given.keys():
        raise TypeError(f"{type(self).__qualname__}: given by place and by name: {', '.join(sorted(twice))}")
    return placed | given


def _misfit(self: Any, given: dict[str, Any], required: frozenset[str]) -> str:
    unknown = [name for name in given if name not in self._frozen_names]
    missing = [name for name in self._frozen_names if name in required and name not in given]
    return f"{type(self).__qualname__}: unknown {unknown}, missing {missing}"


def _repr(self: Any) -> str:
    told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._frozen_shown)
    return f"{type(self).__qualname__}({told})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self._frozen_compared])


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse_to_set(self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


METHODS = {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
SHOWN = {"__repr__": _repr}
BY_VALUE = {"__eq__": _eq, "__hash__": _hash}
