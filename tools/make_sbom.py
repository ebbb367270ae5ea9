"""The bill of materials of the container's Python: `make sbom` writes dist/bids_regions-VERSION.cdx.json (CycloneDX).

It is made from the pins alone, holds no time and no random number: the same pins give the same bytes, on any machine.
Debian's packages are not in it: they are what the image's own database says (docs/container.md).
"""

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PINS = ROOT / "container" / "requirements.txt"
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"}  # Debian 12's
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:bids_regions")


def read_pins() -> list[tuple[Requirement, list[str]]]:
    """Each pinned requirement of the container, with the hashes of its files."""
    pins = []
    for line in PINS.read_text().replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
        pin = Requirement(requirement)
        if pin.marker is None or pin.marker.evaluate(PYTHON):
            pins.append((pin, [digest.strip() for digest in hashes]))
    return pins


def describe(pin: Requirement, hashes: list[str]) -> dict[str, object]:
    """A library as CycloneDX has it; any of the files with these hashes may have been installed."""
    name, version = canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")
    purl = f"pkg:pypi/{name}@{version}"
    source = {
        "type": "distribution",
        "url": f"https://pypi.org/simple/{name}/",
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(hashes)],
    }
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "externalReferences": [source],
    }


def make_sbom() -> dict[str, object]:
    """The whole document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.findall(r'^__version__ = "(.+)"', (ROOT / "bids_regions" / "version.py").read_text(), re.MULTILINE)[-1]
    components = sorted((describe(*pin) for pin in read_pins()), key=lambda component: str(component["name"]))
    refs = {str(component["name"]): str(component["bom-ref"]) for component in components}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
    own = f"pkg:pypi/bids-regions@{version}"
    app = {
        "type": "application",
        "bom-ref": own,
        "name": project["name"],
        "version": version,
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
        "purl": own,
    }
    direct = sorted(refs[canonicalize_name(Requirement(each).name)] for each in wanted)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps([app, components]))}",
        "version": 1,
        "metadata": {"component": app},
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": direct}],
    }


def main() -> None:
    """Write it where the first argument says, or beside the release's other files."""
    bom = make_sbom()
    version = bom["metadata"]["component"]["version"]  # type: ignore[index]
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / f"bids_regions-{version}.cdx.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bom, indent=1) + "\n")
    sys.stdout.write(f"{path}: {len(bom['components'])} components\n")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
