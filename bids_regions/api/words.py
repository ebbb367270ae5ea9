"""What a fault says to who calls from Python: options under the names that arguments have."""

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bids_regions.errors import Contradiction, Fault

__all__ = ["in_python"]

Given = ParamSpec("Given")
Found = TypeVar("Found")

SEE = "help(bids_regions.find_regions) and help(bids_regions.Criteria) list the choices"
OPTION = re.compile(r"--([a-z][a-z0-9-]*)(?: (auto|none|nonzero|positive|log10)\b)?")
ELSEWHERE = {  # options that are no argument of the same name
    "dof": 'statistic=Statistic("t", dof=...)',
    "p-scale": 'statistic=Statistic("p", scale=...), scale',
    "volumes": "one of its volumes as an image",
    "atlas-space-unchecked": "space",
    "assume-space": "space",
}


def in_python(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """A function whose faults name its arguments and not the options of the command line."""

    @functools.wraps(function)
    def told(*arguments: Given.args, **named: Given.kwargs) -> Found:
        try:
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
    """
    return OPTION.sub(_argument, text.replace("--mask auto or a path", "mask as an image or a path"))


def _argument(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    return name.replace("-", "_") + (f'="{value}"' if value else "")
