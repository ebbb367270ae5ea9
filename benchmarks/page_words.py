"""What the sections of the page are made of: tables, ratios, verdicts."""

import statistics
from typing import Any


def verdict(reached: bool) -> str:
    """Whether a target holds."""
    return "reached" if reached else "**missed**"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown, and an empty line."""
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]] + [""]


def told_load(found: dict[str, Any]) -> str:
    """The circumstances of a result."""
    machine = found["machine"]
    return f"{machine['cores']} cores, load {machine['load'][0]} at the end, Python {machine['python']}."


def ratio(found: dict[str, Any], one: str, other: str, clock: str = "cpu_ms") -> float:
    """How many times `other` the way `one` takes."""
    return float(found[one][clock] / found[other][clock])


def middle_half(found: dict[str, Any], one: str, other: str) -> tuple[float, float]:
    """Between which ratios the middle half of the rounds lies."""
    rounds = zip(found[one]["cpu_ms_of_each"], found[other]["cpu_ms_of_each"], strict=True)
    low, _, high = statistics.quantiles([mine / theirs for mine, theirs in rounds], n=4)
    return low, high
