"""Finding maps: one participant among few and among many, and whole datasets against a bare walk.

python benchmarks/discovery.py [--participants 10000] [--unrelated 20] [--rounds 3]
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from measuring import alternate, alternate_commands, save
from simulating import NAME, describe

from bids_regions.dataset import Selection, find_maps, open_dataset

FEW = 10
SMALLER = (100, 1000)
ONE_LABEL_ROUNDS = 31
COMMAND_ROUNDS = 7


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--participants", type=int, default=10_000)
    parser.add_argument("--unrelated", type=int, default=20, help="files without a map beside each map")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.participants <= FEW:
        parser.error(f"--participants has to be above {FEW}")
    with tempfile.TemporaryDirectory() as name:
        sizes = [FEW, *(n for n in SMALLER if n < options.participants), options.participants]
        trees = {n: make_tree(Path(name) / str(n), n, options.unrelated) for n in sizes}
        few, many = trees[FEW], trees[options.participants]
        names = os.listdir(many)  # noqa: PTH208 # as below
        one = alternate(
            {
                "few": lambda: find(few, ("00001",)),
                "many": lambda: find(many, ("00001",)),
                "names": lambda: os.listdir(many),  # noqa: PTH208 # the bare call is the yardstick
                "listing": lambda: listing(many),
                "joining": lambda: "/".join(names),
            },
            ONE_LABEL_ROUNDS,
        )
        runs = alternate_commands({"few": lambda: command(few), "many": lambda: command(many)}, COMMAND_ROUNDS)
        whole = {str(n): compare_walks(tree, options.rounds) for n, tree in trees.items() if n != FEW}
        count = find(many, ())
    save(
        "discovery",
        {
            "participants": options.participants,
            "few": FEW,
            "unrelated": options.unrelated,
            "maps": count,
            "one label": one,
            "one label, command": runs,
            "whole": whole,
        },
    )


def compare_walks(tree: Path, rounds: int) -> dict[str, dict[str, float]]:
    """All maps of a dataset, ours and the least that anyone could do."""
    return alternate({"ours": lambda: find(tree, ()), "bare walk": lambda: bare_walk(tree)}, rounds)


def make_tree(root: Path, participants: int, unrelated: int) -> Path:
    """A dataset of names: every map is a link to one small file, the other files are empty."""
    describe(root)
    content = root.parent / f"{root.name}.nii.gz"
    content.write_bytes(b"x" * 400)
    for k in range(participants):
        folder = root / f"sub-{k:05d}" / "func"
        folder.mkdir(parents=True)
        os.link(content, folder / NAME.format(label=f"{k:05d}", contrast="a"))
        for n in range(unrelated):
            (folder / f"sub-{k:05d}_task-x_run-{n:02d}_desc-confounds_timeseries.tsv").touch()
    return root


def find(root: Path, participants: tuple[str, ...]) -> int:
    """The number of maps that a run would find."""
    return len(find_maps(open_dataset(root, (), participants), Selection(asked={"sub": participants})).maps)


def command(root: Path) -> list[str | Path]:
    """A whole run over one participant that only lists what it would do."""
    words = ["participant", "--participant-label", "00001", "--dry-run"]
    return [sys.executable, "-m", "bids_regions", root, root.parent / "out", *words]


def listing(root: Path) -> list[str]:
    """The names in a folder, as the bare walk reads them."""
    with os.scandir(root) as entries:
        return [entry.name for entry in entries]


def bare_walk(root: Path) -> list[dict[str, str]]:
    """The entities of every file, by os.scandir and str.split alone."""
    found, folders = [], [os.fspath(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    pairs = (part.partition("-") for part in entry.name.split("_"))
                    found.append({key: value for key, dash, value in pairs if dash})
    return found


if __name__ == "__main__":
    main()
