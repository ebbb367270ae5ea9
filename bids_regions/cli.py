"""The command line: arguments in, exit code out. It knows no map and imports no library that computes."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from bids_regions.errors import LONGEST, Fault, printable, tell_os_error
from bids_regions.settings import LEVELS, OPTIONS, Option
from bids_regions.surroundings import ensure_home, ensure_streams, run_command
from bids_regions.version import __version__

__all__ = ["build_parser", "main", "run"]

PROGRAM = "bids_regions"
EPILOG = """exit codes: 0 all well, also when no region survived; 1 some maps failed, the others are done; 2 a bad
value; 16 a dataset that cannot be understood; 18 an empty selection; 64 contradictory options or a fault of the
configuration
file; 66 missing input; 73 output refused; 74 a read or write error; 143 stopped by SIGTERM"""
SHORT_USAGE = f"""usage: {PROGRAM} BIDS_DIR OUTPUT_DIR {{participant,group}} [{{participant,group}}] [options]

From the statistical maps of a BIDS derivatives dataset to their regions (clusters). Most often:

  {PROGRAM} BIDS_DIR OUTPUT_DIR participant --dry-run
      list the maps that would be worked on, and write nothing
  {PROGRAM} BIDS_DIR OUTPUT_DIR participant group
      every participant, then the group: |value| >= 3.0, 1500 mm3; open OUTPUT_DIR/group.html
  {PROGRAM} BIDS_DIR OUTPUT_DIR participant --threshold 97% p=0.001 --participant-label 01
      two rules side by side for one participant; open OUTPUT_DIR/sub-01.html

{PROGRAM} --help tells every option and exit code.
"""
DEFECT = f"This is a defect of {PROGRAM}: run again with -v and report what it prints"

SURFACES = (".gii", ".gii.gz")  # endings of files that are one of two hemispheres


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line, made from the table of options."""
    parser = _Parser(
        prog=PROGRAM,
        description="From statistical maps to their regions: threshold, connected regions, tables and reports "
        "for a whole BIDS derivatives dataset.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("bids_dir", metavar="BIDS_DIR", type=_folder, help="the dataset that holds the maps")
    parser.add_argument("output_dir", metavar="OUTPUT_DIR", type=_folder, help="where the results go")
    parser.add_argument(
        "analysis_level", metavar="{participant,group}", choices=LEVELS, nargs="+", help="what to do: one or both"
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(option.group for option in OPTIONS)}
    for option in OPTIONS:
        groups[option.group].add_argument(*option.spellings, **_argument(option))
    return parser


def _argument(option: Option) -> dict[str, Any]:
    argument: dict[str, Any] = {"dest": option.name, "help": option.help, "default": option.default}
    if option.name == "bids_exec_spec":
        return {**argument, "action": _PrintDescriptor}
    if option.counts:
        return {**argument, "action": "count"}
    if option.kind is None:
        return {**argument, "action": "store_true", "default": False}
    if option.choices:
        argument["choices"] = option.choices
    if option.metavar:
        argument["metavar"] = option.metavar
    if option.many:
        argument |= {"nargs": "+", "action": "extend"}  # one that stands several times adds up
    return {**argument, "type": _reader(option)}


class _BadValueError(argparse.ArgumentTypeError, ValueError):
    """What is wrong with a value, in our words and not in argparse's."""


def _folder(text: str) -> Path:
    """A folder; an empty text is a variable that is not set, and not the folder one stands in."""
    if not text:
        raise _BadValueError("the path is empty")
    return Path(text)


def _reader(option: Option) -> Callable[[str], Any]:
    """What reads a value of the option; what is wrong with one is told as in a configuration file."""

    def read(text: str) -> Any:
        try:
            return option.read(text)
        except (ValueError, OverflowError) as error:
            raise _BadValueError(str(error).rstrip(".")) from error

    return read


class _Parser(argparse.ArgumentParser):
    """Answers a fault with a sentence, and not with the list of all options."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with the code of bad values."""
        text = re.sub(r"^argument (--?[^/:]+)(/[^:]+)?:", r"\1:", message)
        if not text.startswith("-"):
            near = _nearest_flag(text)
            text = f"{text}{near or '.'} {PROGRAM} --help lists all"
        _say(f"error: {printable(text, LONGEST)} (exit code 2)")
        raise SystemExit(2)


def _nearest_flag(text: str) -> str:
    import difflib  # noqa: PLC0415 # a fault pays for it, not --help

    _, _, unknown = text.partition("unrecognized arguments: ")
    flags = [flag for option in OPTIONS for flag in option.flags]
    near = difflib.get_close_matches(unknown.split()[0], flags, n=1) if unknown.strip() else []
    return f"; did you mean {near[0]}?" if near else ""


def _bound(arguments: Sequence[str]) -> list[str]:
    """The arguments with the values of options that take a path, or a surface's file for each hemisphere, tied to them.

    Such an option may stand before BIDS_DIR, which it must not take for its second value.

    >>> _bound(["--mask", "none", "DS", "OUT"]), _bound(["--mask", "L.gii", "R.gii", "DS"])
    (['--mask=none', 'DS', 'OUT'], ['--mask=L.gii', '--mask=R.gii', 'DS'])
    """
    flags = {spelling for option in OPTIONS if option.paths for spelling in option.spellings}
    bound: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word not in flags or not rest or rest[0].startswith("-"):
            bound.append(word)
            continue
        bound.append(f"{word}={rest.pop(0)}")
        if rest and all(value.lower().endswith(SURFACES) for value in (bound[-1], rest[0])):
            bound.append(f"{word}={rest.pop(0)}")
    return bound


class _PrintDescriptor(argparse.Action):
    """Prints the Boutiques descriptor and ends, as --version does."""

    def __init__(self, option_strings: Sequence[str], dest: str, default: object, help: str) -> None:  # noqa: A002 # argparse's own name
        super().__init__(option_strings, dest, nargs=0, default=default, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        packaged = Path(__file__).parent / "boutiques.json"
        beside = Path(__file__).parent.parent / "boutiques.json"
        with suppress(OSError):  # nobody listens any more, as for --help
            sys.stdout.write((packaged if packaged.is_file() else beside).read_text(encoding="utf-8"))
            sys.stdout.flush()
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app on a command line and say how it ended: the exit code."""
    ensure_streams()
    ensure_home()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        sys.stdout.write(SHORT_USAGE)
        return 0
    parser = build_parser()
    given = parser.parse_args(_bound(arguments))
    from bids_regions.settings import make_settings  # noqa: PLC0415 # --help needs the options alone

    try:
        settings = make_settings(given, command=(PROGRAM, *arguments))
    except Fault as fault:
        return _tell(fault)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(settings.workers.omp_nthreads)  # read when numpy loads, which is only below
    from bids_regions.workflow import run_levels  # noqa: PLC0415 # --help must not pay for numpy

    try:
        return run_levels(settings)
    except Fault as fault:
        return _tell(fault)
    except OSError as error:
        return _tell(tell_os_error(error))
    except Exception as error:
        if settings.verbose:
            raise
        _say(f"{type(error).__name__}: {printable(error, LONGEST)}. {DEFECT}.")
        return 1


def _tell(fault: Fault) -> int:
    problems = getattr(fault, "problems", ())
    if len(problems) > 1:
        _say(*problems, f"{len(problems)} problems; nothing was done (exit code {fault.exit_code})")
    else:
        _say(f"{fault} (exit code {fault.exit_code})")
    return fault.exit_code


def _say(*sentences: str) -> None:
    with suppress(OSError):  # nobody listens any more; the exit code still tells
        sys.stderr.write("".join(f"{PROGRAM}: {sentence}\n" for sentence in sentences))


def run() -> None:
    """The console script."""
    run_command(main)
