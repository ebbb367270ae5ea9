"""The README as a package index shows it, for the build: an index has no files beside it.

Pictures and pages beside the README get the address of the repository, at the tag of the version. While that address
is not known (`REPOSITORY` in bids_regions/version.py is empty) the picture is left out and links are their own words.
"""

import re
import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

BESIDE = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")  # not an address, nor a place on the page itself


def as_shown(text: str, repository: str, version: str) -> str:
    """The text with nothing in it that only stands in the repository."""

    def elsewhere(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/v{version}/{path})"

    return re.sub(r"\n{3,}", "\n\n", BESIDE.sub(elsewhere, text))


class Readme(MetadataHookInterface):
    """Gives the build its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README into what the distribution says of itself."""
        root = Path(self.root)
        told = runpy.run_path(str(root / "bids_regions" / "version.py"))
        text = as_shown((root / "README.md").read_text(encoding="utf-8"), told["REPOSITORY"], told["__version__"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
