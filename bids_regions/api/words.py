"""What a fault says to who calls from Python: options under the names that arguments have."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bids_regions.errors import Contradiction, Fault, WrongCall

__all__ = ["in_python"]

Given = ParamSpec("Given")
Found = TypeVar("Found")

SEE = "help(bids_regions.find_regions) and help(bids_regions.Criteria) list the choices"
OPTION = re.compile(r"--([a-z][a-z0-9-]*)(?: (?:(auto|none|nonzero|positive|log10)|PATH|X Y Z|N N|N|all)(?![A-Za-z]))?")
PHRASES = {  # whole, because what they advise is another thing in Python
    "--mask auto or a path": "mask as an image or a path",
    "Take its volumes by --volumes all, or by their numbers": "Give one of its volumes, such as image.slicer[..., 0]",
    "Give --dof N N (of the effect and of the error)": 'Give statistic=Statistic("F", dof=(2, 98))',
    "put the pair into its JSON sidecar (DegreesOfFreedom) or its NIfTI intent": "an image whose intent has the pair",
    "put the degrees of freedom into its JSON sidecar, its NIfTI intent or a stat-dof map beside it": (
        "an image whose intent has them"
    ),
}
ONE_OF_SEVERAL = re.compile(r"Name those to take with --volumes, of 1 to \d+, or all")
ELSEWHERE = {  # options that are no argument of the same name
    "dof": 'statistic=Statistic("t", dof=...)',
    "p-scale": 'statistic=Statistic("p", scale=...), scale',
    "volumes": "one of its volumes as an image",
    "atlas-space-unchecked": "space",
    "assume-space": "space",
}


def in_python(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """A function whose faults name its arguments and not the options of the command line."""

    def _bind(*arguments: object, **named: object) -> None:
        try:
            signature.bind(*arguments, **named)
        except TypeError as error:
            name = function.__name__
            raise WrongCall(f"{name}: {error}", hint=f"help(bids_regions.{name}) lists what it takes") from error

    signature = inspect.signature(function)

    @functools.wraps(function)
    def told(*arguments: Given.args, **named: Given.kwargs) -> Found:
        try:
            _bind(*arguments, **named)
            return function(*arguments, **named)
        except Fault as fault:
            fault.sentence, fault.hint = _renamed(fault.sentence), _renamed(fault.hint) or SEE
            fault.args = (fault.sentence,)
            if isinstance(fault, Contradiction):
                fault.problems = tuple(_renamed(problem) for problem in fault.problems)
            raise

    return told


def _renamed(text: str) -> str:
    """A text with the names of arguments in place of options.

    >>> _renamed("Give --min-region-vertices, or --surfaces none; give --mask auto or a path")
    'Give min_region_vertices, or surfaces="none"; give mask as an image or a path'
    >>> _renamed("Give them with --dof")
    'Give them with statistic=Statistic("t", dof=...)'
    >>> _renamed("Give --mask PATH, or --percentile-over nonzero; --smoothness X Y Z is another")
    'Give mask, or percentile_over="nonzero"; smoothness is another'
    """
    text = ONE_OF_SEVERAL.sub("Give a file or an image that holds one of them", text)
    for words, ours in PHRASES.items():
        text = text.replace(words, ours)
    return OPTION.sub(_argument, text)


def _argument(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    return name.replace("-", "_") + (f'="{value}"' if value else "")
