#!/usr/bin/env python3
"""Compares two output folders byte by byte: `same.py ONE OTHER`; exit code 1 and a list where they differ.

logs/ tells of times and hosts and is left out; of dataset_description.json the container's own entry is.
"""

import json
import sys
from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` that must not depend on who wrote it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith("logs/"):
            found[name] = path.read_bytes()
    description = json.loads(found["dataset_description.json"])
    for maker in description["GeneratedBy"]:
        maker.pop("Container", None)
    found["dataset_description.json"] = json.dumps(description).encode()
    return found


def main(one: Path, other: Path) -> int:
    """The exit code: 1 where something differs."""
    left, right = contents(one), contents(other)
    differing = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    for name in differing:
        where = one if name not in right else other if name not in left else None
        sys.stdout.write(f"only in {where}: {name}\n" if where else f"differs: {name}\n")
    if len(left) < 10:
        sys.stdout.write(f"{one} holds {len(left)} files: too few to compare\n")
        return 1
    if not differing:
        sys.stdout.write(f"{len(left)} files are the same, byte for byte\n")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
