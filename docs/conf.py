"""The documentation as a site: `make docs`. Pages are MyST Markdown, the reference comes from numpydoc docstrings."""

import dataclasses
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bids_regions.version import REPOSITORY, __version__  # noqa: E402 # of this very checkout

project = "bids_regions"
author = "The bids_regions developers"
copyright = author  # noqa: A001 # Sphinx's own name
version = release = __version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
highlight_language = "none"  # a block that names no language is what a program printed
exclude_patterns = ["_build"]
nitpicky = False

myst_heading_anchors = 4
default_role = "code"  # `x` of a docstring is code
smartquotes = False  # --atlas has two hyphens

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc tells them in words
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"bids_regions {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_prompt_text = r">>> |\.\.\. |\$ "  # of a doctest or a terminal: not copied
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_selector = "div:not(.highlight-none) > div.highlight > pre"  # what is to be run, not what was printed
html_show_copyright = False
html_theme_options = {"source_repository": REPOSITORY, "source_branch": "main", "source_directory": "docs/"}
if not REPOSITORY:
    html_theme_options = {}
html_copy_source = False
pygments_style = "default"

linkcheck_ignore = [r"https?://"]  # listed in _build/links/output.json, not fetched; those within the site are followed

MARKUP, ESCAPED = re.compile(r"([|*_\\])"), r"\\\1"  # what a comment has and reStructuredText would read

BESIDE = {  # pages of the repository that the site shows under names of its own
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
    "../SECURITY.md": "security.md",
}


def _within_the_site(_app: object, _name: str, source: list[str]) -> None:
    """Turn links to pages beside docs/ to what the site has of them."""
    for path, page in BESIDE.items():
        source[0] = source[0].replace(f"]({path}", f"]({page}")


def _fields_in_words(_app: object, what: str, _name: str, thing: object, _options: object, lines: list[str]) -> None:
    """The fields of a dataclass with the comments that stand beside them: units and frame."""
    if what != "class" or not dataclasses.is_dataclass(thing) or not inspect.isclass(thing):
        return
    told = []
    for owner in reversed(thing.__mro__[:-1]):
        source = inspect.getsource(owner) if dataclasses.is_dataclass(owner) else ""
        for name, kind, comment in re.findall(
            r"^    (\w+): ([^=#\n]+?)(?: = [^#\n]*)?(?:  # (.*))?$", source, re.MULTILINE
        ):
            told += [f"{name} : {kind}", *([f"    {MARKUP.sub(ESCAPED, comment)}"] if comment else []), ""]
    if told and "Attributes" not in lines:
        lines += ["", "Attributes", "----------", *told]


def _options_whole(_app: object, _page: str, _template: str, context: dict[str, object], _tree: object) -> None:
    """A span around each option of a command: a browser would break the line after its hyphens."""
    if isinstance(body := context.get("body"), str):
        context["body"] = re.sub(
            r'<div class="highlight-(?:sh|bash) .*?</pre>',
            lambda block: re.sub(r"(?<![\w-])--?[a-z][a-z-]*", r'<span class="option">\g<0></span>', block[0]),
            body,
            flags=re.DOTALL,
        )


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _within_the_site)  # type: ignore[attr-defined]
    app.connect("html-page-context", _options_whole)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", _fields_in_words, priority=100)  # type: ignore[attr-defined] # before numpydoc
