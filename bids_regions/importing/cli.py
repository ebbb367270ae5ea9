"""The command `bids_regions-import`: arguments in, exit code out.

Knows its options and words for what is missing; no format of a source.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bids_regions.errors import LONGEST, Contradiction, Fault, MissingInput, printable, tell_os_error
from bids_regions.importing.model import PROGRAM, Source
from bids_regions.surroundings import ensure_home, ensure_streams, run_command
from bids_regions.version import __version__

__all__ = ["main", "run"]

LABEL = re.compile(r"(?:sub-)?[0-9a-zA-Z+]+")
EPILOG = """exit codes: 0 all well, what a source lacks is named and left out; 1 some sources failed, the others are
done; 2 a bad value; 64 something must be told, or names collide; 66 nothing to import; 73 output refused; 74 a read or
write error"""


class _Parser(argparse.ArgumentParser):
    """Answers a fault with a sentence, and not with the list of all options."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with the code of bad values."""
        text = re.sub(r"^argument (--?[^/:]+)(/[^:]+)?:", r"\1:", message)
        hint = "" if text.startswith("-") else f". {PROGRAM} --help lists all"
        raise SystemExit(_end(f"error: {text}{hint}", 2))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Make a BIDS derivatives dataset of links from the folders of FSL, SPM, randomise, PALM and AFNI, "
        "so that bids_regions runs on it with masks, degrees of freedom and smoothness known.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", metavar="SOURCE ... DATASET", nargs="*",
        help="FEAT or gfeat folders, folders with SPM.mat, prefixes of randomise's or PALM's outputs, or AFNI datasets "
        "(+tlrc, +orig); last the dataset to make, or to add to",
    )  # fmt: skip
    parser.add_argument(
        "--participant-label", "--participant_label", metavar="LABEL", nargs="+", default=[],
        action="extend",
        help="whose the sources are, with or without sub-: one label for all first levels, or one for each source; "
        "needed where a first level does not tell it",
    )  # fmt: skip
    parser.add_argument("--task", "--task-id", "--task_id", metavar="LABEL", type=_label, help="the task")
    parser.add_argument(
        "--space", metavar="LABEL", type=_label,
        help="the space of the images, such as MNI152NLin6Asym, where a source does not tell it "
        "(FEAT first levels: func)",
    )  # fmt: skip
    parser.add_argument(
        "--p-scale", "--p_scale", choices=("p", "1-p", "log10"),
        help="what PALM's images of p hold, where there is no record of its options (PREFIX_palmconfig.txt)",
    )  # fmt: skip
    parser.add_argument("--copy", action="store_true", help="copy the images, and never link them")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _label(text: str) -> str:
    label = re.sub(r"^(task|space)-", "", text)
    if not re.fullmatch(r"[0-9a-zA-Z+]+", label):
        raise argparse.ArgumentTypeError(f"{text!r} is no BIDS label: letters and digits alone")
    return label


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; paths that follow --participant-label are told from labels by what no label can be."""
    parser = build_parser()
    given = parser.parse_intermixed_args(arguments)
    labels: list[str] = list(given.participant_label)
    ends = [n for n, text in enumerate(labels) if not LABEL.fullmatch(text) or (n and Path(text).exists())]
    if ends[:1] == [0]:
        parser.error(f"argument --participant-label: {labels[0]!r} is no BIDS label: letters and digits alone")
    n_labels = min([len(labels), *ends])
    lacking = max(0, 2 - len(given.paths) - (len(labels) - n_labels))  # a dataset to be made looks like a label
    n_labels = max(1, n_labels - lacking)
    paths: list[str] = [*given.paths, *labels[n_labels:]]
    labels = [text.removeprefix("sub-") for text in labels[:n_labels]]
    if len(paths) < 2:
        parser.error("a SOURCE and the DATASET are needed")
    given.source, given.dataset, given.participant_label = [Path(p) for p in paths[:-1]], Path(paths[-1]), labels
    return given


def main(argv: Sequence[str] | None = None) -> int:
    """Import on a command line and say how it ended: the exit code."""
    ensure_streams()
    ensure_home()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        build_parser().print_help()
        return 0
    given = _parse(arguments)
    try:
        return _import(given)
    except Fault as fault:
        return _end(str(fault), fault.exit_code)
    except OSError as error:
        told = tell_os_error(error)
        return _end(str(told), told.exit_code)


def _end(sentence: str, code: int) -> int:
    _say(f"{printable(sentence, LONGEST - 20)} (exit code {code})")
    return code


def _say(sentence: str) -> None:
    with suppress(OSError):  # nobody listens any more; the exit code still tells
        sys.stderr.write(f"{PROGRAM}: {printable(sentence, LONGEST)}\n")


def _import(given: argparse.Namespace) -> int:
    from bids_regions.importing.sources import read_source  # noqa: PLC0415 # --help must not pay for numpy
    from bids_regions.importing.writing import plan_dataset, write_dataset  # noqa: PLC0415 # as above

    if len(given.participant_label) not in (0, 1, len(given.source)):
        raise Contradiction(
            f"{len(given.participant_label)} participants for {len(given.source)} sources",
            hint="Give one label, or one for each source",
        )
    sources: list[Source] = []
    faults: list[MissingInput] = []
    for number, path in enumerate(given.source):
        try:
            found = read_source(path, p_scale=given.p_scale)
        except MissingInput as fault:
            faults.append(fault)
            continue
        sources += [_tell(source, given, number) for source in found]
    if not sources:
        raise faults[0] if len(faults) == 1 else MissingInput(" ".join(map(str, faults)))
    plans, notes = plan_dataset(sources, given.dataset)
    notes = [note for source in sources for note in source.notes] + notes
    if silent := [str(source.path) for source in sources if not source.space]:
        notes.append(
            f"the space is not told by {', '.join(silent)}: give --space for atlases and for a group of several grids"
        )
    notes += write_dataset(plans, given.dataset, copy=given.copy)
    for sentence in (*filter(None, notes), *map(str, faults)):
        _say(sentence)
    maps = sum(plan.find.suffix == "statmap" for plan in plans)
    failed = f", {len(faults)} of {len(given.source)} sources failed" if faults else ""
    taken = len(given.source) - len(faults)
    told = f"{maps} map{'' if maps == 1 else 's'} of {taken} source{'' if taken == 1 else 's'}"
    return _end(f"{told} {'is' if maps == 1 else 'are'} in {given.dataset}{failed}", int(bool(faults)))


def _tell(source: Source, given: argparse.Namespace, number: int) -> Source:
    """A source with what the command line says of it."""
    clues, labels = dict(source.clues), given.participant_label
    one_each = len(labels) == len(given.source)
    if labels and (
        one_each or source.of_participant
    ):  # one label for several sources is not that of a group among them
        clues["sub"] = labels[number if one_each else 0]
    if given.task:
        clues["task"] = given.task
    if source.of_participant and "sub" not in clues:
        raise Contradiction(
            f"{source.path} is of one participant and does not tell which one", hint="Give --participant-label"
        )
    return replace(source, clues=clues, space=given.space or source.space)


def run() -> None:
    """The console script."""
    run_command(main)
