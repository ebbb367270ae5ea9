"""Pictures of many participants: strip plots as places of dots, and the agreement matrix in a few words.

A *strip* has one dot per participant, side by side where values are near each other. Above a thousand dots a strip
shows how many there are as bars, and only the flagged participants as dots: a page of ten thousand stays light.
"""

import base64
import math
import statistics
from collections.abc import Iterable

import numpy as np

from bids_regions.frozen import dataclass
from bids_regions.report.model import Agreement, Metric, Point, Thumbnail
from bids_regions.report.payload import draw_matrix, matrix_colour
from bids_regions.report.presentation import show_number

__all__ = ["PER_PAGE", "Matrix", "Strip", "Thumbs", "lay_out_matrix", "lay_out_strip", "lay_out_thumbs"]

PER_PAGE = 50  # thumbnails: as many as one looks through with care
_MANY = 1000  # dots of a strip
_NAMED = 24  # rows of a matrix that have room for their names
_TINY = 1e-200  # an axis shorter than this cannot be divided

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _FLOOR, _MIDDLE, _RADIUS = 640, 126, 14, 626, 92, 46, 4.0
_HALF = 38  # room above and below the middle line


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A number on the axis."""

    x: float
    text: str
    anchor: str = "middle"  # at the ends of the axis the number stands inside


@dataclass(frozen=True, kw_only=True)
class Box:
    """The middle half of all values."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How many participants lie in a stretch of the axis."""

    x: float
    width: float
    half: float


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One participant."""

    participant: str
    x: float
    y: float
    href: str
    flag: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A strip plot, laid out in SVG units."""

    key: str
    name: str
    words: str  # what it shows, for who cannot see it
    low: float  # value at `left`
    high: float  # value at `right`
    ticks: tuple[Tick, ...]
    box: Box | None
    bars: tuple[Bar, ...]
    dots: tuple[Dot, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    floor: int = _FLOOR
    middle: int = _MIDDLE
    radius: float = _RADIUS
    beside: bool = False  # one of two that stand side by side


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """An agreement matrix as a picture with its sentences."""

    picture: str  # data URI
    size: int  # CSS pixels
    words: str
    sentence: str
    summary: str
    shades: tuple[str, ...]
    names: tuple[str, ...]  # beside the rows, where there is room for them
    gap_shade: str  # of a pair without a value; empty where there is none


@dataclass(frozen=True, kw_only=True)
class Thumbs:
    """The first page of thumbnails; the others are unpacked on demand."""

    first: tuple[Thumbnail, ...]
    rest: tuple[tuple[Thumbnail, ...], ...]
    total: int
    n_pages: int


def nice_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers between `low` and `high`.

    >>> nice_ticks(0.3, 9.7)
    [2.0, 4.0, 6.0, 8.0]
    """
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [float(f"{n * step:.12g}") for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def lay_out_strip(metric: Metric, key: str) -> Strip | None:
    """A strip plot of one metric; None where no participant has a value."""
    points = [point for point in metric.points if point.value is not None and math.isfinite(point.value)]
    if not points:
        return None
    values = [_value(point) for point in points]
    low, high = _range(min(values), max(values), metric.bounds)
    scale = (_RIGHT - _LEFT) / (high - low)

    def place(value: float) -> float:
        return round(_LEFT + (value - low) * scale, 2)

    many = len(points) > _MANY
    unit = f", {metric.unit}" if metric.unit else ""
    lower, middle, upper = _quartiles(values)
    words = (
        f"{metric.name}{unit}: {len(points)} participant{'s' * (len(points) > 1)}, median {show_number(repr(middle))}, "
        f"from {show_number(repr(min(values)))} to {show_number(repr(max(values)))}"
    )
    return Strip(
        key=f"{key}-{metric.key}",
        beside=metric.beside,
        name=f"{metric.name}{unit}",
        words=words,
        low=low,
        high=high,
        ticks=tuple(_tick(place(at), f"{at:g}") for at in nice_ticks(low, high)),
        box=Box(low=place(lower), middle=place(middle), high=place(upper)) if len(points) > 3 else None,
        bars=_bars([place(value) for value in values]) if many else (),
        dots=_swarm([(p, place(_value(p))) for p in points if p.flag or not many], metric),
    )


def _tick(x: float, text: str) -> Tick:
    room = 4.5 * len(text)  # half a number's width
    return Tick(x=x, text=text, anchor="start" if x - room < 0 else "end" if x + room > _WIDTH else "middle")


def _value(point: Point) -> float:
    return float(point.value) if point.value is not None else math.nan


def _range(low: float, high: float, bounds: tuple[float | None, float | None] = (None, None)) -> tuple[float, float]:
    """Values with a little air, as far as the quantity goes; one value alone stands in the middle.

    >>> _range(3.0, 9.0, (0.0, None)), _range(0.5, 1.0, (0.0, 1.0)), _range(0.0, 0.0, (0.0, None))
    ((2.82, 9.18), (0.485, 1.0), (0.0, 1.0))
    """
    air = (high - low) * 0.03 or abs(high) * 0.1
    air = air if air > _TINY else 1.0
    least, most = bounds
    lower = low - air if least is None else max(least, low - air)
    upper = high + air if most is None else min(most, high + air)
    return lower, upper


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def _bars(places: list[float]) -> tuple[Bar, ...]:
    width = (_RIGHT - _LEFT) / 80
    tally: dict[int, int] = {}
    for place in places:
        at = min(79, int((place - _LEFT) / width))
        tally[at] = tally.get(at, 0) + 1
    largest = max(tally.values())
    return tuple(
        Bar(x=round(_LEFT + at * width, 2), width=round(width - 0.6, 2), half=round(_HALF * number / largest, 2))
        for at, number in sorted(tally.items())
    )


def _swarm(points: list[tuple[Point, float]], metric: Metric) -> tuple[Dot, ...]:
    """Dots at their values; those that would overlap go above and below the middle line in turn."""
    columns: dict[int, int] = {}
    taken = [(point, x, int(x // (2 * _RADIUS + 0.5))) for point, x in points]
    for _, _, column in taken:
        columns[column] = columns.get(column, 0) + 1
    farthest = max(max(columns.values(), default=1) // 2, 1)  # dots above or below the one in the middle
    pitch = min(2 * _RADIUS + 0.5, _HALF / farthest)
    placed: dict[int, int] = {}
    dots = []
    for point, x, column in taken:
        rank = placed.get(column, 0)
        placed[column] = rank + 1
        offset = (rank + 1) // 2 * (pitch if rank % 2 else -pitch)
        said = f"{point.participant}: {show_number(repr(point.value))}{' ' + metric.unit if metric.unit else ''}"
        words = f"{said}; {point.flag}" if point.flag else said
        y = round(_MIDDLE + offset, 2)
        dots.append(Dot(participant=point.participant, x=x, y=y, href=point.href, flag=point.flag, words=words))
    return tuple(dots)


def lay_out_matrix(agreement: Agreement) -> Matrix | None:
    """The matrix as a picture, and what it says in two sentences; None for fewer than two participants."""
    size = len(agreement.participants)
    if size < 2:
        return None
    values = agreement_array(agreement)
    pairs = values[np.triu_indices(size, 1)]
    pairs = pairs[np.isfinite(pairs)]
    summary = f"{size} participants; no pair has a value."
    if pairs.size:
        low, middle, high = (float(np.quantile(pairs, at)) for at in (0, 0.5, 1))
        summary = f"Median of all pairs {middle:.2f}, from {low:.2f} to {high:.2f}."
    picture = base64.b64encode(draw_matrix(values)).decode("ascii")
    return Matrix(
        picture=f"data:image/png;base64,{picture}",
        size=size,
        words=f"Matrix of pairwise {agreement.name} of {size} participants. {summary}",
        sentence=agreement.sentence,
        summary=summary,
        shades=tuple(matrix_colour(step / 9) for step in range(10)),
        names=agreement.participants if size <= _NAMED else (),
        gap_shade=matrix_colour(None) if np.isnan(values).any() else "",
    )


def agreement_array(agreement: Agreement) -> np.ndarray:
    """The matrix with NaN where there is no value."""
    return np.array([[math.nan if value is None else value for value in row] for row in agreement.values], np.float64)


def lay_out_thumbs(thumbnails: Iterable[Thumbnail]) -> Thumbs | None:
    """Thumbnails in pages of fifty; None where there are none."""
    items = tuple(thumbnails)
    pages = [items[start : start + PER_PAGE] for start in range(0, len(items), PER_PAGE)]
    if not pages:
        return None
    return Thumbs(first=pages[0], rest=tuple(pages[1:]), total=len(items), n_pages=len(pages))
