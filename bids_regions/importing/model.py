"""What is known of a source before anything is written."""

import math
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from bids_regions.frozen import dataclass

__all__ = ["PROGRAM", "Find", "Source", "left_out", "read_number"]

PROGRAM = "bids_regions-import"  # as it calls itself, and as what it makes names its maker


@dataclass(frozen=True, kw_only=True)
class Find:
    """One image of a source, and what it is."""

    path: Path
    volume: int | None = None  # sub-brick of an AFNI dataset, from 0
    convert: bool = False  # has to be written as NIfTI
    entities: tuple[tuple[str, str], ...]  # those of the image alone: contrast, stat, ...
    suffix: Literal["statmap", "mask"] = "statmap"
    sidecar: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One folder, prefix or dataset, and what it tells."""

    path: Path
    kind: str  # in words
    finds: tuple[Find, ...]
    clues: Mapping[str, str] = field(default_factory=dict)  # sub, ses, task, run, as far as it tells them
    space: str | None = None
    of_participant: bool = False  # a first level: it belongs to one person, whether or not it tells to whom
    notes: tuple[str, ...] = ()  # sentences: what is missing or left out


def left_out(source: Path, names: list[str], why: str) -> tuple[str, ...]:
    """A sentence on images of a source that are not taken; none where there are none."""
    return (f"{source}: left out, {why}: {', '.join(names)}",) if names else ()


def read_number(text: str) -> float | None:
    """A number of a text, as a whole one where it is one; None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) else number
