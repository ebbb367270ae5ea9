"""Imports only run down, and each library has one home. The table is the architecture page of the documentation."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bids_regions"

# room: (rooms it may import, libraries that live there); a room may import only what stands above it here
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "version": (set(), set()),
    "errors": (set(), set()),
    "entity_names": (set(), set()),
    "stopping": (set(), set()),
    "surroundings": ({"stopping"}, set()),
    "frozen": (set(), set()),
    "libraries": ({"errors"}, set()),
    "files": ({"errors"}, set()),
    "logbook": ({"version", "errors", "files"}, set()),
    "space": ({"errors"}, {"numpy", "scipy"}),
    "anatomy": (set(), set()),
    "extraction": ({"errors", "space"}, {"numpy", "scipy"}),
    "images": ({"errors", "files", "space"}, {"numpy", "scipy", "nibabel", "deflate", "isal"}),
    "tables": ({"errors", "entity_names", "files", "extraction"}, set()),
    "dataset": ({"version", "errors", "entity_names", "surroundings", "files", "extraction", "tables"}, {"bids"}),
    "meshes": (set(), {"numpy"}),
    "aggregate": ({"errors"}, {"numpy", "scipy"}),
    "atlases": ({"errors", "files", "images", "space", "tables"}, {"numpy", "scipy"}),
    "figures": ({"errors", "space", "extraction"}, {"numpy", "deflate", "matplotlib", "PIL"}),
    "report": ({"errors", "files", "tables"}, {"deflate", "numpy", "jinja2", "markupsafe"}),
    "executors": ({"errors", "stopping"}, {"concurrent", "multiprocessing", "distributed"}),
    "settings": ({"errors", "entity_names", "surroundings", "files", "extraction"}, {"tomllib"}),
    "results": (
        {"version", "errors", "files", "extraction", "images", "dataset", "tables", "settings"},
        {"numpy", "scipy"},
    ),
    "pages": (
        {"version", "errors", "files", "anatomy", "extraction", "images", "dataset", "meshes", "atlases", "figures",
         "tables", "report", "settings", "results"},
        {"numpy"},
    ),
    "maps": (
        {"errors", "files", "space", "extraction", "images", "dataset", "meshes", "atlases", "tables", "report",
         "settings", "results", "pages"},
        {"numpy"},
    ),
    "group": (
        {"version", "errors", "files", "space", "extraction", "images", "dataset", "aggregate", "atlases", "figures",
         "tables", "report", "executors", "settings", "results", "pages", "maps"},
        {"numpy", "scipy"},
    ),
    "api": (
        {"version", "errors", "entity_names", "files", "space", "extraction", "images", "dataset", "meshes", "atlases",
         "figures", "tables", "settings", "results", "pages", "maps"},
        {"numpy", "pandas"},
    ),
    "planning": (
        {"errors", "images", "dataset", "atlases", "settings", "results", "maps"},
        {"numpy"},
    ),
    "workflow": (
        {"version", "errors", "stopping", "files", "logbook", "images", "dataset", "atlases", "figures", "report",
         "executors", "settings", "results", "pages", "maps", "group", "planning"},
        set(),
    ),
    "cli": ({"version", "errors", "surroundings", "settings", "workflow"}, {"argparse"}),
    "importing": (
        {"version", "errors", "surroundings", "files", "images", "dataset", "executors"},
        {"argparse", "scipy"},
    ),
    "__main__": ({"cli"}, set()),
    "demo_atlas": (set(), {"numpy"}),
    "demo": ({"errors", "files", "images", "demo_atlas"}, {"numpy", "scipy"}),
    "__init__": ({"version", "api"}, set()),
}  # fmt: skip
GROUND = {"frozen", "libraries"}  # the language's own, made cheap: every room stands on them
LATE = ("Late", "find_package", "import_module", "find_spec")  # what names a library in a text
HOMED = {
    "nibabel",
    "pandas",
    "bids",
    "matplotlib",
    "PIL",
    "jinja2",
    "argparse",
    "distributed",
    "concurrent",
    "numpy",
    "scipy",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(source: str, package: str) -> set[str]:
    """The dotted names that a module imports, also inside functions; relative ones made absolute."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "bids_regions" else {module}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            found |= {str(node.args[0].value)} if called in LATE else set()
    return found


def faults(room: str, names: set[str]) -> list[str]:
    rooms, libraries = ROOMS[room]
    told = []
    for name in sorted(names):
        top, _, rest = name.partition(".")
        if top == "bids_regions":
            other = rest.partition(".")[0] or "__init__"
            if other in ROOMS and other not in rooms | GROUND | {room}:
                told.append(f"{room} imports {other}")
        elif top in HOMED - libraries:
            told.append(f"{room} imports {top}")
    return told


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_run_down_and_libraries_stay_home(path):
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    assert faults(room_of(path), imports_of(path.read_text(), package)) == []


def test_the_table_itself_only_runs_down():
    order = list(ROOMS)
    upward = {(room, other) for room, (rooms, _) in ROOMS.items() for other in rooms
              if order.index(other) >= order.index(room)}  # fmt: skip
    assert upward == set()
    assert {room_of(path) for path in PACKAGE.rglob("*.py")} == set(ROOMS)


@pytest.mark.parametrize(
    "source",
    [
        "import bids_regions.workflow",
        "from ..workflow import levels",
        "from .. import workflow",
        "from bids_regions import workflow",
        "def f():\n    from bids_regions.workflow import run_levels",
        "import nibabel",
        "from matplotlib import colors",
        "special = Late('pandas')",
        "importlib.import_module('matplotlib.colors')",
        "def f():\n    return find_package('bids')",
    ],
)
def test_the_check_sees_every_form_of_import(source):
    assert faults("extraction", imports_of(source, "bids_regions.extraction"))


def test_rooms_get_only_their_part_of_the_settings():
    """Which rooms name a part, but for the one that defines it; by imports alone it can only travel down."""
    parts = {"Settings": 2, "SelectionSettings": 2, "WorkerSettings": 1, "GroupSettings": 2, "Entry": 6}
    named = {
        (node.id, room_of(path))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id in parts
    }
    rooms = {part: [room for name, room in named if name == part and room != "settings"] for part in parts}
    assert {part: len(found) for part, found in rooms.items()} == parts, rooms


def test_the_documentation_holds_the_same_table():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE))
    told = {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows.items()}
    assert told == {room: rooms for room, (rooms, _) in ROOMS.items() if not room.startswith("__")}
