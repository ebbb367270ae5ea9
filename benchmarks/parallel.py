"""Two workers against one on three hundred 2 mm maps, and what two processes can at best attain here at the same time.

python benchmarks/parallel.py [--participants 60] [--rounds 2]
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import alternate_commands, save
from simulating import make_participants

CONTRASTS = 5
BURN = "import zlib\nd=bytes(range(256))*4000\nfor _ in range(120): zlib.compress(d)"
BOTH = (
    "import subprocess, sys\np=[subprocess.Popen([sys.executable, '-c', sys.argv[1]]) for _ in 'ab']\n"
    "sys.exit(max(one.wait() for one in p))"
)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--participants", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = make_participants(folder / "in", options.participants, CONTRASTS)

        def run(nprocs: int) -> Callable[[], list[object]]:
            def prepare() -> list[object]:
                shutil.rmtree(folder / "out", ignore_errors=True)
                app = [sys.executable, "-m", "bids_regions", dataset, folder / "out", "participant", "-q"]
                return [*app, "--threshold", "3.0", "--nprocs", str(nprocs)]

            return prepare

        ways = {
            "one": run(1),
            "two": run(2),
            "burn once": lambda: [sys.executable, "-c", BURN],
            "burn twice at once": lambda: [sys.executable, "-c", BOTH, BURN],
        }
        found = alternate_commands(ways, options.rounds)
        files = sum(1 for path in (folder / "out").rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
        folders = sum(1 for path in (folder / "out").rglob("*") if path.is_dir())
    maps = options.participants * CONTRASTS
    output = {"files": files, "folders": folders, "bytes": size}
    save("parallel", {"participants": options.participants, "maps": maps, "output": output, "runs": found})


if __name__ == "__main__":
    main()
