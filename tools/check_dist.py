"""Checks the wheel and the sdist in dist/: what is in them, and that they run where nothing else is installed.

`python tools/check_dist.py [DIST]`, after `python -m build`: every file of the package and nothing else, the
licences of the data it carries, an environment with the wheel and what it asks for alone, in which the README's recipes
are run on the demo's dataset. The demo's dataset is made by the Python that runs this script, which has nilearn.
"""

import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
UNWANTED = re.compile(
    r"(^|/)(tests?|docs|benchmarks|__pycache__|\.[a-z]+_cache|\.venv.*|conftest\.py)(/|$)|\.py[co]$|~$"
)
BESIDES = {
    "pyproject.toml",
    "hatch_build.py",
    "PKG-INFO",
    ".gitignore",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "boutiques.json",
}
MOST_BYTES = 8_000_000  # of either file; the carried meshes and the picture are most of it
BESIDE = re.compile(r"\]\(((?!\w+:|#)[^)]+)\)")
RECIPES = re.compile(r"^bids_regions demo-output/.*$", re.MULTILINE)


def files_of_the_package() -> set[str]:
    """What git holds of the package, in whose words the distribution is judged."""
    listed = subprocess.run(
        ["git", "ls-files", "bids_regions"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return set(listed.split("\n")) - {""}


def names_in(path: Path) -> dict[str, int]:
    """Name and size of each file in a wheel or an sdist; an sdist's leading folder is left out."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {each.filename: each.file_size for each in wheel.infolist()}
    with tarfile.open(path) as sdist:
        return {each.name.partition("/")[2]: each.size for each in sdist if each.isfile()}


def problems_of(names: dict[str, int], expected: set[str], licences: set[str]) -> list[str]:
    """What is in a distribution that should not be, and the other way round."""
    found = [f"unwanted: {name}" for name in names if UNWANTED.search(name)]
    found += [f"missing: {name}" for name in sorted(expected - set(names))]
    held = {name for name in names if ".dist-info/" not in name}
    found += [f"not of the package: {name}" for name in sorted(held - expected)]
    found += [f"no licence: {name}" for name in licences if not any(each.endswith(name) for each in names)]
    return found


def beside(path: Path) -> list[str]:
    """The links of a distribution's description that lead nowhere on the page of a package index."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            (name,) = [each for each in wheel.namelist() if each.endswith(".dist-info/METADATA")]
            text = wheel.read(name).decode()
    else:
        with tarfile.open(path) as sdist:
            held = sdist.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
            text = held.read().decode() if held else ""
    return BESIDE.findall(text) if "From a statistical map" in text.partition("\n\n")[2] else ["no description"]


def check_contents(wheel: Path, sdist: Path) -> list[str]:
    """The problems of both, in words."""
    package = files_of_the_package()
    licences = {"LICENSE"} | {name for name in package if "/NOTICE." in name}
    problems = []
    for path, expected in ((wheel, package | {"bids_regions/boutiques.json"}), (sdist, package | BESIDES)):
        names = names_in(path)
        sys.stdout.write(f"{path.name}: {len(names)} files, {path.stat().st_size} bytes\n")
        for name, size in sorted(names.items()):
            sys.stdout.write(f"  {size:9d} {name}\n")
        problems += [f"{path.name}: {each}" for each in problems_of(names, expected, licences)]
        problems += [f"{path.name}: its page of a package index points beside itself: {link}" for link in beside(path)]
        if path.stat().st_size > MOST_BYTES:
            problems.append(f"{path.name}: larger than {MOST_BYTES} bytes")
    return problems


def run_installed(wheel: Path, sdist: Path, version: str) -> None:
    """Install each where nothing else is, and run what the README tells."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        environment = {
            key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }
        environment["PATH"] = f"{work / 'env' / 'bin'}{os.pathsep}{environment['PATH']}"

        def run(*words: str | Path) -> str:
            sys.stdout.write(f"$ {shlex.join(map(str, words))}\n")
            sys.stdout.flush()
            ended = subprocess.run(words, cwd=work, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            return ended.stdout

        subprocess.run([sys.executable, "-m", "bids_regions.demo", work / "demo-output"], cwd=ROOT, check=True)
        run(sys.executable, "-m", "venv", work / "env")
        pip = (work / "env" / "bin" / "python", "-m", "pip")
        run(*pip, "install", "--quiet", wheel)
        run(*pip, "check")
        expect(run("bids_regions", "--version"), f"bids_regions {version}\n")
        expect(run("python", "-c", "import bids_regions; print(bids_regions.__file__)"), str(work), exactly=False)
        for recipe in RECIPES.findall((ROOT / "README.md").read_text()):
            run("sh", "-euc", recipe)
        expect("".join(path.name for path in (work / "two-rules").glob("*.html")), "group.html", exactly=False)
        run(*pip, "install", "--quiet", "--no-deps", "--force-reinstall", sdist)
        expect(run("bids-regions", "--version"), f"bids_regions {version}\n")
        run("bids_regions-import", "--help")


def expect(told: str, wanted: str, *, exactly: bool = True) -> None:
    """End where a command told something else."""
    if (told != wanted) if exactly else (wanted not in told):
        sys.exit(f"told {told!r} in place of {wanted!r}")


def main() -> None:
    """Check the one wheel and the one sdist of this version."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    (version,) = re.findall(
        r'^__version__ = "(.*)"$', (ROOT / "bids_regions" / "version.py").read_text(), flags=re.MULTILINE
    )
    wheel, sdist = folder / f"bids_regions-{version}-py3-none-any.whl", folder / f"bids_regions-{version}.tar.gz"
    if problems := check_contents(wheel, sdist):
        sys.exit("\n".join(problems))
    run_installed(wheel, sdist, version)
    sys.stdout.write("wheel and sdist: all well\n")


if __name__ == "__main__":
    main()
