"""Frozen dataclasses are those of the standard library, in all that they are asked for."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from dataclasses import field
from functools import cached_property

import pytest

import bids_regions
from bids_regions.frozen import dataclass

MAKERS = [dataclasses.dataclass, dataclass]


@dataclass(frozen=True, kw_only=True)
class Peak:
    """One that can be pickled: it stands in a module."""

    value: float
    xyz: tuple[float, ...] = ()
    notes: list[str] = field(default_factory=list, compare=False)


def both(**how):
    """The same class as the library makes it, and as we do."""
    made = []
    for make in MAKERS:

        @make(frozen=True, **how)
        class Thing:
            """A thing."""

            a: int
            b: str = "x"
            c: list[int] = field(default_factory=list, compare=False, repr=False)

            @cached_property
            def twice(self):
                return 2 * self.a

        made.append(Thing)
    return made


@pytest.mark.parametrize("how", [{}, {"kw_only": True}, {"eq": False}, {"kw_only": True, "repr": False}])
def test_fields_words_and_equality_are_the_librarys(how):
    theirs, ours = ([cls(a=1), cls(a=1, b="x", c=[3]), cls(a=2, b="y")] for cls in both(**how))
    names = [
        [(f.name, f.default, f.kw_only, f.compare, f.repr) for f in dataclasses.fields(one[0])]
        for one in (theirs, ours)
    ]
    assert names[0] == names[1]
    if how.get("repr", True):
        assert [repr(one) for one in theirs] == [repr(one) for one in ours]
    assert [[one == other for other in theirs] for one in theirs] == [[one == other for other in ours] for one in ours]
    if how.get("eq", True):
        assert len(set(ours)) == len(set(theirs)) == 2
    assert [one.twice for one in ours] == [2, 2, 4]
    assert ours[0] != theirs[0]


@pytest.mark.parametrize("make", range(2))
def test_nothing_can_be_set_or_deleted(make):
    thing = both()[make](1)
    for change in (lambda: setattr(thing, "a", 2), lambda: delattr(thing, "a"), lambda: setattr(thing, "new", 2)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()


@pytest.mark.parametrize("make", range(2))
@pytest.mark.parametrize(
    ("args", "given"),
    [
        ((), {}),
        ((1,), {"d": 2}),
        ((1, "x", [], 4), {}),
        ((), {"b": "y"}),
        ((1,), {"a": 2}),  # by place and by name
        ((1,), {"b": "y", "d": 2}),  # as many as there are fields, one of them unknown
        ((1, "x", []), {"d": 2}),
    ],
)
def test_what_is_missing_or_unknown_is_refused(make, args, given):
    with pytest.raises(TypeError):
        both()[make](*args, **given)


def test_keywords_alone_are_keywords_alone():
    with pytest.raises(TypeError):
        both(kw_only=True)[1](1)


def test_factories_make_a_new_one_for_each():
    cls = both()[1]
    assert cls(1).c is not cls(1).c


def test_replace_copy_and_pickle():
    peak = Peak(value=2.0, xyz=(1.0,), notes=["a"])
    assert dataclasses.replace(peak, value=3.0) == Peak(value=3.0, xyz=(1.0,))
    for other in (copy.deepcopy(peak), pickle.loads(pickle.dumps(peak))):  # noqa: S301 # our own
        assert (other, other.notes) == (peak, ["a"])
    assert dataclasses.asdict(peak) == {"value": 2.0, "xyz": (1.0,), "notes": ["a"]}


def test_own_methods_stay_and_post_init_is_called():
    @dataclass(frozen=True, kw_only=True)
    class Odd:
        """One with methods of its own."""

        n: int

        def __post_init__(self):
            if self.n % 2 == 0:
                raise ValueError("even")

        def __repr__(self):
            return "odd"

    assert repr(Odd(n=1)) == "odd"
    with pytest.raises(ValueError, match="even"):
        Odd(n=2)


def test_what_is_not_frozen_or_asks_for_more_is_the_librarys():
    @dataclass(kw_only=True)
    class Counter:
        """One that changes."""

        n: int = 0

    counter = Counter()
    counter.n += 1
    assert counter == Counter(n=1)

    @dataclass(frozen=True, slots=True)
    class Slim:
        """One without a dictionary."""

        n: int = 0

    assert not hasattr(Slim(1), "__dict__")


def classes_of_the_package():
    for module in pkgutil.walk_packages(bids_regions.__path__, "bids_regions."):
        if not module.name.endswith("__main__"):
            for thing in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(thing) and thing.__module__ == module.name and dataclasses.is_dataclass(thing):
                    yield thing


def test_what_holds_arrays_is_equal_to_itself_alone():
    """An array has no truth and no hash, so that a class compared by it fails in `==`, in sets and as a key."""
    by_value = [each for each in classes_of_the_package() if each.__eq__ is not object.__eq__]
    assert len(by_value) > 100
    compared = {each: [f.name for f in dataclasses.fields(each) if f.compare and "ndarray" in str(f.type)]
                for each in by_value}  # fmt: skip
    assert {each: names for each, names in compared.items() if names} == {}
