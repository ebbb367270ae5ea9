"""Make bids_regions/figures/matplotlib_tables.py from the installed matplotlib: `python tools/make_picture_tables.py`.

Its colour maps and the widths of its font's letters are all that pictures of a report need of it; to import it for
them costs more than to draw. A test compares the tables with matplotlib as it is installed.
"""

import base64
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import ImageFont

from bids_regions import figures

TABLES = Path(figures.__file__).with_name("matplotlib_tables.py")
COLORS = ("RdBu_r", "YlOrRd")
CODES = "*range(0x20, 0x7F), *range(0xA1, 0x180), 0x2026, 0x2212, 0x2264, 0x2265"
UNITS = 2048  # of DejaVu's em: at this size a letter's width is a whole number


def main() -> None:
    """Write the module."""
    lines = [
        f'"""What pictures need of matplotlib, made by tools/make_picture_tables.py of {mpl.__version__}: do not edit.',
        "",
        "RdBu_r and YlOrRd are of ColorBrewer (Cynthia Brewer, Mark Harrower and The Pennsylvania State University,",
        "Apache-2.0), as matplotlib interpolates them.",
        '"""',
        "",
        '__all__ = ["COLORS", "LETTERS", "UNITS", "WIDTHS"]',
        "",
        f"UNITS = {UNITS}  # of the font's em",
        "COLORS = {  # base64 of 256 times red, green, blue",
    ]
    for name in COLORS:
        table = mpl.colormaps[name](np.arange(256), bytes=True)[:, :3]
        lines += [f'    "{name}": (', *_quoted(base64.b64encode(table.tobytes()).decode("ascii")), "    ),"]
    lines += ["}", f"LETTERS = tuple(map(chr, ({CODES})))"]
    lines += ["WIDTHS = {  # whether bold: of each letter of DejaVu Sans, in units, as three hexadecimal digits"]
    letters = tuple(map(chr, eval(f"({CODES})")))  # noqa: S307  written above
    for bold in (False, True):
        path = Path(mpl.get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' * bold}.ttf")
        font = ImageFont.truetype(path, UNITS, layout_engine=ImageFont.Layout.BASIC)
        lines += [f"    {bold}: (", *_quoted("".join(f"{round(font.getlength(c)):03x}" for c in letters)), "    ),"]
    TABLES.write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")


def _quoted(text: str) -> list[str]:
    return [f'        "{text[k : k + 104]}"' for k in range(0, len(text), 104)]


if __name__ == "__main__":
    main()
