"""Run a tutorial as its reader would: every block of sh and Python in order, in one folder.

    python tools/run_page.py docs/tutorials/surfaces.md [--pictures]

What a block of `text` after a block of sh shows must be in what the commands print, line by line in this order; `...`
stands for anything. In Python `# -> text` is what the expression above gives. Blocks of `bash` are shown and not run:
they need what a tutorial cannot bring. `--pictures` puts what a page draws (`name.png`) where it is shown
(docs/images/name.webp).
"""

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from PIL import Image

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"!\[[^\]]{20,}\]\(\.\./images/([\w-]+)\.webp\)")
WIDTH = 1400  # pixels of a picture in the documentation


def blocks_of(text: str) -> Iterator[tuple[str, str]]:
    """The language and the content of each fenced block of a page."""
    for found in BLOCK.finditer(text):
        yield found[1], found[2]


def run_page(page: Path, folder: Path, programs: Path = Path(sys.executable).parent) -> None:
    """Run a page in a folder; an AssertionError tells what differs from what the page shows.

    The shell finds its commands in the folder of programs first.
    """
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = ""
    with chdir(folder):
        for language, content in blocks_of(page.read_text("utf-8")):
            if language == "sh":
                printed = run_shell(content, programs)
            elif language == "python":
                run_python(content, namespace)
            elif language == "text":
                compare(content, printed)


def run_shell(commands: str, programs: Path) -> str:
    """What commands print to both streams; they must end with 0."""
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(  # noqa: S603 # our own page
        ["/bin/sh", "-e", "-c", commands],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
    )
    printed = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{commands}\nended with {done.returncode}:\n{printed}"
    return printed


def run_python(content: str, namespace: dict[str, Any]) -> None:
    """Run a block; `# -> text` is what the expression above it gives."""
    code: list[str] = []
    for line in [*content.splitlines(), ""]:
        if not line.startswith("# -> "):
            code.append(line)
            continue
        *before, last = ast.parse("\n".join(code)).body
        assert isinstance(last, ast.Expr), f"{code[-1]} gives nothing"
        execute(ast.Module(body=before, type_ignores=[]), namespace)
        given = repr(eval(compile(ast.Expression(last.value), "a block of the page", "eval"), namespace))  # noqa: S307 # our own page
        assert given == line.removeprefix("# -> "), f"{ast.unparse(last)} gives {given}"
        code = []
    execute(ast.parse("\n".join(code)), namespace)


def execute(tree: ast.Module, namespace: dict[str, Any]) -> None:
    """Run statements of a page."""
    exec(compile(tree, "a block of the page", "exec"), namespace)  # noqa: S102 # our own page


def compare(shown: str, printed: str) -> None:
    """Every line that is shown is among those that were printed, in this order."""
    left = printed.splitlines()
    for line in shown.splitlines():
        if line.strip() in ("", "..."):
            continue
        wanted = re.compile(".*".join(map(re.escape, line.rstrip().split("..."))) + r"\s*")
        at = next((k for k, each in enumerate(left) if wanted.fullmatch(each)), None)
        assert at is not None, f"{line!r} is not among what was printed:\n{printed}"
        left = left[at + 1 :]


def pictures_of(page: Path) -> list[str]:
    """The names of the pictures that a page shows and draws itself."""
    text = page.read_text("utf-8")
    return [name for name in SHOWN.findall(text) if f'"{name}.png"' in text]


def main() -> None:
    """Run the pages that are named."""
    parser = argparse.ArgumentParser(description="Run tutorials.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--pictures", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    for page in given.pages:
        with tempfile.TemporaryDirectory() as folder:
            run_page(page.resolve(), Path(folder))
            for name in pictures_of(page) if given.pictures else ():
                with Image.open(Path(folder, f"{name}.png")) as picture:
                    height = round(picture.height * WIDTH / picture.width)
                    small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
                small.save(page.parent.parent / "images" / f"{name}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
