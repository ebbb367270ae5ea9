"""All benchmarks, one after the other, and the page made of what they found: `make bench`.

python benchmarks/run.py [--quick] [--only TOPIC ...] [--page-only]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from measuring import ONE_THREAD, RESULTS
from page import write_page

HERE = Path(__file__).parent
QUICK = {
    "maps": ["--rounds", "5", "--without-slow"],
    "start": ["--rounds", "3"],
    "discovery": ["--participants", "1000", "--rounds", "2"],
    "many": ["--maps", "20", "--participants", "20"],
    "parallel": ["--participants", "4", "--rounds", "1"],
    "surfaces": ["--rounds", "9"],
    "group": ["--participants", "100", "400", "1400"],
    "clusters": ["--participants", "20"],
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="less than ten minutes instead of half an hour; less exact"
    )
    parser.add_argument("--only", nargs="+", choices=QUICK, default=list(QUICK))
    parser.add_argument("--page-only", action="store_true", help="make the page of earlier results")
    options = parser.parse_args()
    for topic in [] if options.page_only else options.only:
        command = [sys.executable, str(HERE / f"{topic}.py"), *(QUICK[topic] if options.quick else [])]
        print(" ".join(command), flush=True)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD})
        if topic == "group":  # it prints its result and leaves the keeping to its caller
            (RESULTS / "group.json").write_text(json.dumps(json.loads(done.stdout), indent=2) + "\n")
    print(write_page())


if __name__ == "__main__":
    main()
