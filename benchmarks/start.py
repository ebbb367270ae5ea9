"""What a process costs before and around its work: --help, --version, one participant with one map and with five.

python benchmarks/start.py [--rounds 9]
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from measuring import alternate_commands, save
from simulating import make_participants

APP = [sys.executable, "-m", "bids_regions"]
LIBRARIES = "import numpy, nibabel, jinja2"  # what a report cannot do without


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    started = alternate_commands(
        {
            "bare interpreter": lambda: [sys.executable, "-c", "pass"],
            "--help": lambda: [*APP, "--help"],
            "--version": lambda: [*APP, "--version"],
        },
        options.rounds,
        warm=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single = make_participants(folder / "single", participants=1, contrasts=1)

        def one_map() -> list[object]:
            shutil.rmtree(folder / "one", ignore_errors=True)
            return [*APP, single, folder / "one", "participant", "--threshold", "3.0", "-q"]

        ways = {"ours": one_map, "libraries": lambda: [sys.executable, "-c", LIBRARIES]}
        participant_of_one = alternate_commands(ways, options.rounds, warm=True)
        dataset = make_participants(folder / "in", participants=1, contrasts=5)
        maps = sorted(dataset.rglob("*.nii.gz"))

        def ours() -> list[object]:
            shutil.rmtree(folder / "out", ignore_errors=True)
            return [*APP, dataset, folder / "out", "participant", "--threshold", "3.0", "--nprocs", "1", "-q"]

        ways = {
            "ours": ours,
            "nilearn": lambda: [sys.executable, Path(__file__).parent / "peer.py", folder / "peer", *maps],
        }
        participant = alternate_commands(ways, min(options.rounds, 3))
    found = {"participant of one map": participant_of_one, "participant of five maps": participant}
    save("start", {"start": started, **found})


if __name__ == "__main__":
    main()
