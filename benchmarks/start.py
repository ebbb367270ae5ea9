"""What a process costs before and around its work: --help, --version, one participant with five maps.

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
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
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
    save("start", {"start": started, "participant of five maps": participant})


if __name__ == "__main__":
    main()
