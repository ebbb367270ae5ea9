"""The commands of a page's shell, each in a fork of a process that has loaded all that they need.

A shell finds `bids_regions`, `bids_regions-import` and `python -m bids_regions.demo` in a folder of these scripts. Each
tells a process that waits its own id, and ends as the fork does that became it: in its folder, with its words, its
environment and its streams. The demo is made once and then copied.
"""

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from processes import forget_pytest

from bids_regions import cli, demo
from bids_regions.importing import cli as importing

SCRIPT = """#!/bin/sh
{others}mkfifo "{place}/$$"
echo "$$" > "{place}/asked"
read -r code < "{place}/$$"
exit "$code"
"""
OTHERS = f'[ "$1 $2" = "-m bids_regions.demo" ] || exec "{sys.executable}" "$@"\n'  # all else of Python is Python's


@contextmanager
def serve(place: Path) -> Iterator[Path]:
    """The folder of the scripts, which are served until it is left; what this process has loaded they have."""
    programs = place / "bin"
    programs.mkdir()
    for name in ("bids_regions", "bids_regions-import", "python"):
        script = programs / name
        script.write_text(SCRIPT.format(place=place, others=OTHERS if name == "python" else ""))
        script.chmod(0o755)
    os.mkfifo(place / "asked")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of threads, which do not fork
        server = os.fork()
    if server == 0:
        try:
            _answer(place)
        finally:
            os._exit(0)
    with (place / "asked").open("w") as asked:  # it ends with this process, however that does
        yield programs
        asked.write("end\n")
    os.waitpid(server, 0)


def _answer(place: Path) -> None:
    """Become each script that asks, one after the other, until there is an end."""
    with (place / "asked").open(encoding="ascii") as asked:
        for line in iter(asked.readline, ""):
            if line == "end\n":
                return
            child = os.fork()
            if child == 0:
                _become(Path("/proc", line.strip()), place / "demos")
            _, status = os.waitpid(child, 0)
            (place / line.strip()).write_text(f"{os.waitstatus_to_exitcode(status) % 256}\n")


def _become(process: Path, demos: Path) -> None:
    """Run what the script stands for where and as it runs, and end."""
    code: object = 70
    try:
        for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)):
            os.dup2(os.open(process / "fd" / str(number), mode), number)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        forget_pytest()
        os.chdir(process / "cwd")
        os.environ.clear()
        for pair in (process / "environ").read_bytes().split(b"\0")[:-1]:
            os.environb.__setitem__(*pair.split(b"=", 1))
        _, *sys.argv = os.fsdecode((process / "cmdline").read_bytes()).split("\0")[:-1]
        run = {"bids_regions": cli.run, "bids_regions-import": importing.run}.get(Path(sys.argv[0]).name)
        code = run() if run else _copy_demo(sys.argv[3:], demos)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 # whatever it is, the child tells it and ends
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 70)


def _copy_demo(words: list[str], demos: Path) -> int:
    """The demo in a folder here: made by the program the first time, with what it says."""
    here, made = Path.cwd(), demos / "-".join(words)
    if not made.exists():
        made.mkdir(parents=True)
        os.chdir(made)
        with redirect_stdout(StringIO()) as said:
            code = demo.run(words)
        if code:
            return code
        (demos / "said").write_text(said.getvalue())
        os.chdir(here)
    shutil.copytree(made, here, dirs_exist_ok=True)
    sys.stdout.write((demos / "said").read_text())
    return 0
