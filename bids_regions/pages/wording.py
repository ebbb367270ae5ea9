"""Numbers as sentences: what a threshold, a map and its counts say to a reader.

A *slug* is a text made an anchor, a *title* what tells a map apart. Nothing is computed but words.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bids_regions.extraction.conventions import convention_knobs, kept_words, minimum_words
from bids_regions.extraction.grammar import THRESHOLDS
from bids_regions.extraction.tails import TAILS
from bids_regions.results.records import FieldTheoryUsed, Record, SmoothnessUsed, StatisticUsed, ThresholdUsed

__all__ = [
    "counted",
    "elements_of",
    "entry_facts",
    "footnote",
    "ordinal",
    "place_words",
    "signed",
    "slug",
    "spoken",
    "threshold_sentence",
    "title_of",
]


def spoken(number: float, digits: int = 4) -> str:
    """A number for a sentence.

    >>> spoken(2.594678401, 4), spoken(153594), spoken(3.0)
    ('2.595', '153,594', '3')
    """
    if isinstance(number, int):
        return f"{number:,}"
    return f"{number:.{digits}g}"


def signed(value: float, digits: int = 4) -> str:
    """A value for a sentence, with a minus sign.

    >>> signed(-12.5), signed(7.9413)
    ('−12.5', '7.941')
    """
    return spoken(value, digits).replace("-", "−")


def counted(number: int, noun: str) -> str:
    """How many of something.

    >>> counted(1, "voxel"), counted(2520, "voxel")
    ('1 voxel', '2,520 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def place_words(xyz: tuple[float, float, float]) -> str:
    """A place in mm, to a tenth.

    >>> place_words((39.0, -22.04, 58.25))
    '39, −22, 58.2 mm'
    """
    return ", ".join(f"{round(value, 1) + 0:g}" for value in xyz).replace("-", "−") + " mm"


def ordinal(number: float) -> str:
    """A place in a row.

    >>> ordinal(97), ordinal(92), ordinal(11), ordinal(97.5)
    ('97th', '92nd', '11th', '97.5th')
    """
    if number != int(number) or number % 100 in (11, 12, 13):
        return f"{number:g}th"
    return f"{number:g}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(int(number) % 10, 'th') }"


def slug(text: str) -> str:
    """Text as an anchor: letters, digits, `-` and `_`; different texts stay different.

    >>> slug("seg-a+b"), slug("seg-a_2b_b")
    ('seg-a_2b_b', 'seg-a__2b__b')
    """
    return "".join(
        c if c.isascii() and (c.isalnum() or c == "-") else "__" if c == "_" else f"_{ord(c):x}_" for c in text
    )


def threshold_sentence(record: Record) -> str:
    """What was kept, in one sentence."""
    height, tail = _height(record.threshold, record.statistic, record.criteria), TAILS[record.threshold.tail]
    words = "without signs" if record.statistic.p_scale and not tail.both else tail.sentence
    if record.surfaces:
        height = height.replace("voxels", elements_of(record))
    return f"{height}; {words}; {_extent(record.criteria)}."


def elements_of(record: Record) -> str:
    """What a map has values on."""
    if not record.surfaces:
        return "voxels"
    return "grayordinates" if "min_region_size" in record.criteria else "vertices"


def _height(threshold: ThresholdUsed, statistic: StatisticUsed, criteria: Mapping[str, Any]) -> str:
    tail = TAILS[threshold.tail]
    rule, on_p = THRESHOLDS[threshold.kind], statistic.p_scale is not None
    how = (rule.sentence_on_p if on_p else rule.sentence).format(
        asked=threshold.asked,
        place=ordinal(float(threshold.asked.removesuffix("%"))) if threshold.kind == "percentile" else "",
        n=spoken(threshold.population_size),
        population=threshold.population,
        tested=spoken(threshold.population_size if threshold.n_tested is None else threshold.n_tested),
        halved=", halved for two tails" if tail.both and not on_p else "",
    )
    if threshold.cutoff is None:
        return f"No voxel can pass: {how}"
    at, _ = kept_words(convention_knobs(criteria.get("convention")))
    if statistic.p_scale == "p":
        at = at.replace("above", "below")
    side = f"{tail.magnitude.format(s=statistic.kind)} {at} {spoken(threshold.cutoff, 5)}"
    if threshold.dof is None:
        return f"{side}, {how}"
    dof = threshold.dof if isinstance(threshold.dof, tuple) else (threshold.dof,)
    return f"{side}, {how}, {' and '.join(map(spoken, dof))} degrees of freedom"


def _extent(criteria: Mapping[str, Any]) -> str:
    sizes = []
    more, _ = minimum_words(convention_knobs(criteria.get("convention")))
    if "min_region_size" in criteria:
        sizes.append(f"{spoken(criteria['min_region_size'])} mm³")
    if "min_region_voxels" in criteria:
        sizes.append(f"{spoken(criteria['min_region_voxels'])} voxels")
    if "connectivity" not in criteria:  # of a map on surfaces
        areas = [f"{spoken(criteria['min_region_area'])} mm²"] if "min_region_area" in criteria else []
        areas += [f"{spoken(criteria['min_region_vertices'])} vertices"] if "min_region_vertices" in criteria else []
        rules = [" and ".join(sizes_of_kind) for sizes_of_kind in (areas, sizes) if sizes_of_kind]
        sized = f" of {more} {', of voxels '.join(rules)}" if rules else ""
        return f"regions{sized}, vertices joined by edges"
    kind = "local regions" if criteria["extract_type"] == "local_regions" else "regions"
    sized = f" of {more} {' and '.join(sizes)}" if sizes else ""
    return f"{kind}{sized}, voxels joined by {criteria['connectivity']} neighbours"


def entry_facts(record: Record) -> tuple[tuple[str, str], ...]:
    """The counts of one entry."""
    counts, what = record.counts, elements_of(record)
    facts = [
        (f"{what} above the cutoff", spoken(counts.above)),
        ("regions kept", spoken(counts.kept)),
        ("regions removed", f"{spoken(counts.removed)} ({spoken(counts.removed_voxels)} {what})"),
    ]
    if record.smoothness is not None:
        smoothness = record.smoothness
        facts.append(("smoothness", _smoothness_words(smoothness)))
    return tuple(facts)


def footnote(record: Record) -> str:
    """What stands under the table of regions, as under an SPM table: what the p rest on; "" where there are none."""
    if record.smoothness is None:
        return ""
    parts = [f"Random field theory: {_smoothness_words(record.smoothness)}"]
    parts += [f"{name}: {words}" for name, words in _field_facts(record.field_theory)] if record.field_theory else []
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."


def _smoothness_words(smoothness: SmoothnessUsed) -> str:
    origin = {"map": "estimated from the map", "sidecar": "as the sidecar tells", "option": "as given"}
    fwhm = f"FWHM {' × '.join(spoken(f, 3) for f in smoothness.fwhm)} mm" if smoothness.fwhm else "FWHM not told"
    return f"{fwhm}, {spoken(smoothness.volume)} voxels, {origin.get(smoothness.origin, smoothness.origin)}"


def _field_facts(theory: FieldTheoryUsed) -> Iterator[tuple[str, str]]:
    """The footer of an SPM table."""
    resels = ", ".join(spoken(r) for r in theory.resels)
    yield "search volume", f"{spoken(theory.search_volume)} voxels; resels {resels}"
    each = f" of {spoken(theory.expected_voxels)} voxels" if theory.expected_voxels is not None else ""
    yield "expected in noise", f"{spoken(theory.expected_clusters)} clusters{each}"
    yield "the set", f"{theory.set_clusters} clusters, p of so many {spoken(theory.set_p, 3)}"
    critical = (
        ("a height of {} (family-wise)", theory.fwe_p),
        ("maxima from {} (FDR)", theory.fdr_p),
        ("clusters of {} voxels (family-wise)", theory.fwe_c),
        ("clusters of {} voxels (FDR)", theory.fdr_c),
    )
    told = [words.format(spoken(number)) for words, number in critical if number is not None]
    yield "significant at 0.05", ", ".join(told) or "nothing"


def title_of(entities: Mapping[str, str]) -> str:
    """A map's title: its contrast and statistic first, else whatever tells it apart.

    >>> title_of({"sub": "01", "task": "motor", "contrast": "leftVsRight", "stat": "z"})
    'leftVsRight, z'
    >>> title_of({"sub": "01", "contrast": "faces", "stat": "t", "volume": "2"})
    'faces, volume 2, t'
    >>> title_of({"sub": "01", "task": "motor", "stat": "z"})
    'z map'
    """
    stat = entities.get("stat", "")
    if "contrast" in entities:
        main = ", volume ".join(entities[key] for key in ("contrast", "volume") if key in entities)
    else:
        apart = ("sub", "ses", "task", "run", "space", "res", "stat")
        main = " ".join(f"{key} {label}" for key, label in entities.items() if key not in apart)
        if not main:
            return f"{stat} map".lstrip()
    return f"{main}, {stat}" if stat else main
