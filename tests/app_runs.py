"""Short ways to run the app in this process and to read what it wrote."""

import csv
import hashlib

from bids_regions.cli import main


def run(*words, nprocs=1):
    return main([*map(str, words), "--nprocs", str(nprocs), "-q"])


def digests(folder, *, without=("logs",)):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in without
    }


def table(folder, entry, suffix="dseg", owner="sub-01"):
    (path,) = (folder / owner).rglob(f"*_desc-{entry}_{suffix}.tsv")
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))
