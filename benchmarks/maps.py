"""One map at 3, 2 and 1 mm: the floor, bids_regions, nilearn; with figures; local regions; memory.

python benchmarks/maps.py [--rounds 31] [--without-slow]
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
import zlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import deflate
import numpy as np
from measuring import alternate, peak_growth, save
from scipy import ndimage
from simulating import describe, place_map, real_map, smooth_map

from bids_regions.extraction import find_regions
from bids_regions.extraction.criteria import Criteria
from bids_regions.images import load_statmap
from bids_regions.maps import maps
from bids_regions.planning import make_plan
from bids_regions.settings import GroupSettings, Settings, make_entry

OPTIONS: dict[str, Any] = {"threshold": "3.0", "extract_type": "connected_components", "min_region_size": 1350.0}
GZIP = 31  # zlib's wbits


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--without-slow", action="store_true", help="leave nilearn out at 1 mm")
    parser.add_argument("--memory", metavar="WAY", help="only the peak growth, of the map on standard input")
    options = parser.parse_args()
    if options.memory:
        path = Path(sys.stdin.readline().strip())
        warnings.simplefilter("ignore")
        others = options.memory in OTHERS
        print(json.dumps(memory_of_others(options.memory) if others else memory(path, options.memory)))
        return
    warnings.simplefilter("ignore")  # nilearn says much
    found: dict[str, Any] = {"maps": {}, "options": OPTIONS}
    images = {"3 mm": real_map(), "2 mm": smooth_map(2), "1 mm": smooth_map(1)}
    with tempfile.TemporaryDirectory() as folder:
        for size, image in images.items():
            slow = size == "1 mm"
            case = Case(Path(folder) / size[0], image)
            found["maps"][size] = case.measure(options.rounds, slow=slow, peer=not (slow and options.without_slow))
            if slow:
                asked = ["3.0", "97%", "label once", *([] if options.without_slow else ["nilearn"])]
                found["memory"] = {one: ask_memory(case.path, one) for one in asked}
                found["memory"]["no zeros"] = ask_memory(
                    Case(Path(folder) / "full", smooth_map(1, head=False)).path, "3.0"
                )
            save("maps", found)  # after each size, the last may take long


class Case:
    """One map in a dataset of its own."""

    def __init__(self, root: Path, image: Any) -> None:
        describe(root / "in")
        self.image = image
        self.path = place_map(root / "in", image)
        self.folder = root
        self.job = make_job(root, OPTIONS)

    def measure(self, rounds: int, *, slow: bool, peer: bool) -> dict[str, Any]:
        """The whole case: results without and with figures, local regions."""
        self.ours()
        found: dict[str, Any] = self.facts()
        fewer = {"nilearn": 1 if slow else 3}
        ways = {"inflate": self.inflate, "label once": self.label_once, "ours": self.ours, "read": self.read}
        ways |= {f"find_regions {one}": self.finder(threshold=one) for one in ("3.0", "97%")}
        found["steps"] = alternate(ways | ({"nilearn": self.peer} if peer else {}), rounds, fewer, self.clear)
        ways = {"ours": self.ours_drawn} | ({"nilearn": self.peer_drawn} if peer else {})
        found["drawn"] = alternate(ways, rounds, {"nilearn": 1 if slow else 2}, self.clear)
        ways = {"ours": self.finder(threshold="3.0", extract_type="local_regions")}
        if peer:
            from peer import split_peer  # noqa: PLC0415 # --memory must not load nilearn

            ways["nilearn"] = lambda: split_peer(self.image)
        found["local_regions"] = alternate(ways, min(rounds, 5), {"nilearn": 1 if slow else 3})
        return found

    def clear(self) -> None:
        """Remove what an earlier round wrote, so that each writes its files anew."""
        for made in self.folder.iterdir():
            if made.is_dir() and made.name != "in":
                shutil.rmtree(made)
            elif made.is_file():
                made.unlink()

    def facts(self) -> dict[str, Any]:
        """What the map is like."""
        data = self.image.get_fdata(dtype=np.float32)
        result = find_regions(data, self.image.affine, Criteria(**OPTIONS))
        return {
            "shape": list(data.shape),
            "bytes": self.path.stat().st_size,
            "share_above": round(result.n_above / data.size, 4),
            "regions": len(result.regions),
        }

    def inflate(self) -> bytes:
        """The file's content by zlib."""
        return zlib.decompress(self.path.read_bytes(), GZIP)

    def label_once(self) -> None:
        """Inflate by what is fastest, label once, write the labels: the least that anyone could do."""
        inflated = deflate.gzip_decompress(self.path.read_bytes(), 352 + 4 * math.prod(self.image.shape))
        raw = np.frombuffer(inflated, np.float32, offset=352).reshape(self.image.shape, order="F")
        labels, _ = ndimage.label(np.abs(raw.T) >= 3)
        packed = zlib.compressobj(1, wbits=GZIP, strategy=zlib.Z_RLE)
        (self.folder / "labels.nii.gz").write_bytes(packed.compress(labels.astype(np.uint16)) + packed.flush())

    def read(self) -> None:
        """Our reading alone."""
        load_statmap(self.path)

    def finder(self, **options: Any) -> Any:
        """find_regions on the map in memory."""
        statmap, criteria = load_statmap(self.path), Criteria(**{**OPTIONS, **options})
        return lambda: find_regions(statmap.data, statmap.affine, criteria)

    def ours(self) -> None:
        """Everything of a map without its figure: label image, both tables, record."""
        with patch.object(maps, "_draw", lambda *_: None):
            maps.process_map(self.job)

    def ours_drawn(self) -> None:
        """Everything of a map."""
        if maps.process_map(self.job).drawn is None:
            raise SystemExit("nothing was drawn")

    def peer(self) -> None:
        """Nilearn, without figures."""
        from peer import run_peer  # noqa: PLC0415 # --memory must not load nilearn

        run_peer(self.path, self.folder, figures=False)

    def peer_drawn(self) -> None:
        """Nilearn with its two figures."""
        from peer import run_peer  # noqa: PLC0415 # --memory must not load nilearn

        run_peer(self.path, self.folder, figures=True)


OTHERS = {"label once": Case.label_once, "nilearn": Case.peer}


def make_job(root: Path, options: dict[str, Any]) -> maps.MapJob:
    """The job of the only map in a dataset, as a run would plan it."""
    entry = make_entry("bench", options)
    out = root / "out"
    settings = Settings(
        bids_dir=root / "in",
        output_dir=out,
        levels=("participant",),
        entries=(entry,),
        group=GroupSettings(output_dir=out),
        force=True,
    )
    return make_plan(settings).participants["sub-01"][0]


def ask_memory(path: Path, way: str) -> dict[str, float]:
    """The peak growth in a process of its own; `way` is our threshold or who else does it."""
    command = [sys.executable, __file__, "--memory", way]
    return json.loads(subprocess.run(command, input=f"{path}\n", check=True, capture_output=True, text=True).stdout)


def memory(path: Path, threshold: str) -> dict[str, float]:
    """Peak growth, in sizes of the float32 map: of the process for the whole map without and with its figure, of numpy
    for find_regions alone.
    """
    with tempfile.TemporaryDirectory() as small:
        describe(Path(small) / "in")
        place_map(Path(small) / "in", smooth_map(3))
        maps.process_map(make_job(Path(small), OPTIONS))  # every library is loaded
        job = make_job(path.parents[3], {**OPTIONS, "threshold": threshold})
        with patch.object(maps, "_draw", lambda *_: None):
            growth = peak_growth(lambda: maps.process_map(job))
        drawn = peak_growth(lambda: maps.process_map(job))
    statmap = load_statmap(path)
    tracemalloc.start()
    find_regions(statmap.data, statmap.affine, Criteria(**{**OPTIONS, "threshold": threshold}))
    _, peak = tracemalloc.get_traced_memory()
    size = 4 * statmap.data.size
    return {
        "map_mib": round(size / 2**20, 1),
        "process": round(growth / size, 2),
        "drawn": round(drawn / size, 2),
        "find_regions": round(peak / size, 2),
    }


def memory_of_others(way: str) -> dict[str, float]:
    """Peak growth, in sizes of the float32 map, of the least that anyone could do or of nilearn without figures."""
    with tempfile.TemporaryDirectory() as small:
        first, case = Case(Path(small) / "3", real_map()), Case(Path(small) / "1", smooth_map(1))
        OTHERS[way](first)  # every library is loaded
        growth = peak_growth(lambda: OTHERS[way](case))
    return {"process": round(growth / (4 * math.prod(case.image.shape)), 2)}


if __name__ == "__main__":
    main()
