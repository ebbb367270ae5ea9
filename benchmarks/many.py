"""Where the time of many small things goes: 300 maps of one participant, 2,000 participants with one map each.

python benchmarks/many.py [--maps 300] [--participants 2000]

A run in this process, with one worker; the processor time of each step is read around it, so that nothing is slowed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from measuring import save
from simulating import make_participants

STEPS = {  # a step: the module that calls it, and its name there
    "finding the maps, the plan": ("bids_regions.workflow.levels", "make_plan"),
    "reading, thresholding, regions, peaks": ("bids_regions.maps.maps", "_compute"),
    "label image, tables, record written": ("bids_regions.maps.maps", "_write"),
    "packing the map for the page": ("bids_regions.pages.sections", "pack_volume"),
    "composing the figure": ("bids_regions.pages.sections", "compose_map"),
    "the figure as SVG": ("bids_regions.pages.sections", "encode"),
    "packing its labels": ("bids_regions.pages.sections", "pack_labels"),
    "rendering the page": ("bids_regions.pages.page", "render_participant"),
}


def main() -> None:
    """Measure both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--maps", type=int, default=300)
    parser.add_argument("--participants", type=int, default=2000)
    parser.add_argument("--dataset", type=Path, help="measure the run over this one here, and print what was found")
    options = parser.parse_args()
    if options.dataset:
        print(json.dumps(measure(options.dataset)))
        return
    found = {}
    shapes = {"one participant": (1, options.maps), "many participants": (options.participants, 1)}
    with tempfile.TemporaryDirectory() as folder:
        for name, (participants, contrasts) in shapes.items():
            dataset = make_participants(Path(folder) / name.replace(" ", "-"), participants, contrasts)
            command = [sys.executable, __file__, "--dataset", str(dataset)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            told = json.loads(done.stdout.splitlines()[-1])
            found[name] = {"participants": participants, "maps": participants * contrasts, **told}
    save("many", found)


def measure(dataset: Path) -> dict[str, Any]:
    """Processor time of a run over a dataset and of its steps, in ms, and the size of what was written."""
    spent = dict.fromkeys(STEPS, 0.0)
    for step, (module, name) in STEPS.items():
        home = import_module(module)
        setattr(home, name, timed(getattr(home, name), step, spent))
    from bids_regions.cli import main as run  # noqa: PLC0415 # after what it calls is timed

    with tempfile.TemporaryDirectory() as out:
        started = time.process_time()
        code = run([str(dataset), out, "participant", "--threshold", "3.0", "--nprocs", "1", "-q"])
        whole = time.process_time() - started
        files = [path for path in Path(out).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        largest_page = max(path.stat().st_size for path in Path(out).glob("sub-*.html"))
    if code:
        raise SystemExit(code)
    return {
        "cpu_ms": round(1000 * whole, 1),
        "steps_ms": {step: round(1000 * seconds, 1) for step, seconds in spent.items()},
        "files": len(files),
        "bytes": size,
        "page_bytes": largest_page,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def timed(function: Callable[..., Any], step: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The function, its processor time added up."""

    @wraps(function)
    def timing(*args: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*args, **options)
        finally:
            spent[step] += time.process_time() - started

    return timing


if __name__ == "__main__":
    main()
