"""docs/performance.md from benchmarks/results/*.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import RESULTS
from page_cohorts import clusters, extrapolate, group
from page_words import middle_half, ratio, table, told_load, verdict

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"

HEAD = """# How fast it is

This page is written by `benchmarks/run.py` from `benchmarks/results/*.json`; change those, not this.

```sh
make bench                                        # everything; allow half an hour
.venv/bin/python benchmarks/run.py --quick        # less than ten minutes, less exact
.venv/bin/python benchmarks/run.py --only maps    # one topic; --help lists them
```

Times are medians of processor time on a shared machine, with one BLAS thread. What is compared ran in turns in one run,
so that the ratios carry over to other machines where the times do not. A target is what we set ourselves before we
measured; one that is missed says so. How often each way was repeated stands in the JSON (`rounds`): the slow ones
only once.
"""


def write_page() -> Path:
    """Write the page; its path."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    parts = [HEAD]
    makers = {
        "maps": maps,
        "start": start,
        "discovery": discovery,
        "parallel": parallel,
        "many": many,
        "group": group,
        "surfaces": surfaces,
        "clusters": clusters,
    }
    parts += ["\n".join(maker(found[name])) for name, maker in makers.items() if name in found]
    if {"maps", "parallel", "discovery"} <= found.keys():
        parts.append("\n".join(extrapolate(found)))
    parts.append(SETTING)
    PAGE.write_text("\n".join(parts))
    return PAGE


SETTING = """## What to set

* **`--nprocs`**: the processors you have. Workers take maps, not participants, so that one participant with many maps
  uses them too. More workers than processors gain nothing.
* **`--omp-nthreads`**: leave it at 1, the default. The app sets OMP, OpenBLAS and MKL to it itself; many small sums
  are slower on many threads, and eight workers with eight threads each hold each other up.
* **`--mem`**: what the job may use, such as `--mem 8G`. The number of workers is cut so that 250 MB and eight times the
  largest inflated map fit for each. The group level uses as many.
* **Slurm arrays**: one task per participant is the simple way; what a label costs in a large dataset stands above.
  A task pays its start once, so give a task several labels where participants are short; [scripts](hpc.md) are ready.
* **Inodes**: where they are scarce, run only the thresholds you need; every entry of every map is a handful of files.
* **Byte-code**: Python keeps that of modules and the app that of the report's templates beside them. Where whoever runs
  the app may not write there, or PYTHONDONTWRITEBYTECODE is set, let an administrator run once `python -m compileall`
  over the package, and `python -c "from bids_regions.report.pages import compile_templates; compile_templates()"`; the
  container has both. Without them each start takes a second more.
* **indexed_gzip** is not used by our reader; whether it is installed makes no difference.
"""


def maps(found: dict[str, Any]) -> Iterator[str]:
    """One map."""
    yield f"## One map\n\n{told_load(found)} Threshold 3.0 in both tails, regions of at least 1350 mm³.\n"
    sizes = found["maps"]
    rows = []
    names = {
        "inflate": "inflate the file with zlib (the floor)",
        "label once": "inflate with libdeflate, `ndimage.label` once, write the labels",
        "read": "our reading alone",
        "find_regions 3.0": "`find_regions` alone, 3.0",
        "find_regions 97%": "`find_regions` alone, 97 %",
        "ours": "**ours: read, regions, peaks; labels, tables, record written**",
        "nilearn": "nilearn: threshold, regions, table, saved",
    }
    for key, words in names.items():
        cells = [f"{one['steps'][key]['cpu_ms']:.1f}" if key in one["steps"] else "not run" for one in sizes.values()]
        rows.append([words, *cells])
    for part, key, words in (
        ("drawn", "ours", "**ours, with its figures**"),
        ("drawn", "nilearn", "nilearn, with two figures"),
        ("local_regions", "ours", "**ours: local regions**, in memory"),
        ("local_regions", "nilearn", "nilearn: local regions, in memory"),
    ):
        cells = [f"{one.get(part, {}).get(key, {}).get('cpu_ms', 0):.1f}" for one in sizes.values()]
        rows.append([words, *("not run" if cell == "0.0" else cell for cell in cells)])
    yield from table(["processor time, ms", *sizes], rows)
    yield from table(["ratio", "map", "measured", "target", ""], list(_map_ratios(sizes)))
    yield "What the maps are like: " + "; ".join(
        f"{size}: {'x'.join(map(str, one['shape']))} voxels, {one['bytes'] / 1e6:.1f} MB, "
        f"{100 * one['share_above']:.1f} % of the voxels above the threshold, {one['regions']} regions"
        for size, one in sizes.items()
    )
    yield "\nThe map of 3 mm is nilearn's motor map; the others are smooth Gaussian noise within a head.\n"
    if "memory" in found:
        yield from _memory(found["memory"])


def _map_ratios(sizes: dict[str, Any]) -> Iterator[list[str]]:
    for size, limit in (("3 mm", None), ("2 mm", 2.5), ("1 mm", 2.0)):
        value = ratio(sizes[size]["steps"], "ours", "inflate")
        aim = ["", ""] if limit is None else [f"at most {limit}", verdict(value <= limit)]
        low, high = middle_half(sizes[size]["steps"], "ours", "inflate")
        yield ["ours to inflating the file", size, f"{value:.2f}; half of the rounds {low:.2f} to {high:.2f}", *aim]
    for part, words, goals in (
        ("steps", "nilearn to ours, without figures", {"3 mm": None, "2 mm": 40, "1 mm": 150}),
        ("drawn", "nilearn to ours, with figures", {"3 mm": None, "2 mm": 90}),
        ("local_regions", "nilearn to ours, local regions", {"3 mm": None, "2 mm": 5, "1 mm": 20}),
    ):
        for size, goal in goals.items():
            ways = sizes[size][part]
            if "nilearn" not in ways:
                continue
            value = ratio(ways, "nilearn", "ours")
            aim = ["", ""] if goal is None else [f"at least {goal}", verdict(value >= goal)]
            yield [words, size, f"{value:.0f}", *aim]
    drawing, theirs = (
        sizes["2 mm"]["drawn"][key]["cpu_ms"] - sizes["2 mm"]["steps"][key]["cpu_ms"] for key in ("ours", "nilearn")
    )
    value = drawing / theirs
    yield ["figures alone, ours to nilearn's", "2 mm", f"{value:.3f}", "at most 0.1", verdict(value <= 0.1)]
    yield [
        "a figure, and its map packed for the page",
        "2 mm",
        f"{drawing:.1f} ms",
        "at most 25 ms",
        verdict(drawing <= 25),
    ]


def _memory(found: dict[str, Any]) -> Iterator[str]:
    """Peak growth at 1 mm."""
    rows = []
    for threshold, limit in (("3.0", 1.0), ("97%", 2.0)):
        one = found[threshold]
        reached = verdict(one["process"] <= limit)
        others = [f"{one[key]:.2f}" if key in one else "not run" for key in ("drawn", "find_regions")]
        rows.append([threshold, f"{one['process']:.2f}", f"at most {limit:g}", reached, *others])
    if "no zeros" in found:
        one = found["no zeros"]
        others = [f"{one[key]:.2f}" for key in ("drawn", "find_regions")]
        rows.append(["3.0, a map without zeros", f"{one['process']:.2f}", "", "", *others])
    for way, words in (("label once", "nobody's: label once"), ("nilearn", "nilearn, 3.0")):
        if way in found:
            rows.append([words, f"{found[way]['process']:.2f}", "", "", "", ""])
    size = found["3.0"]["map_mib"]
    yield f"Peak growth of memory over the loaded program, in sizes of the 1 mm map in float32 ({size} MiB):\n"
    alone = "`find_regions` alone, the map not counted"
    yield from table(["threshold", "whole map, not drawn", "target", "", "with its figure", alone], rows)
    yield (
        "A map that takes 16 MiB or more is read in parts, and of its zeros nothing is held: outside of the head lie "
        "three quarters of these voxels, as of those of MNI152. A map without zeros is held whole. Smaller maps are "
        "inflated at once, which is faster.\n"
    )


def start(found: dict[str, Any]) -> Iterator[str]:
    """Starting."""
    yield f"## Start\n\n{told_load(found)}\n"
    rows = []
    for name, one in found["start"].items():
        aim = ["", ""] if name == "bare interpreter" else ["below 100", verdict(one["cpu_ms"] < 100)]
        rows.append([name, f"{one['cpu_ms']:.0f}", *aim])
    one, most = found["participant of one map"], 2.2
    times = ratio(one, "ours", "libraries")
    rows += [
        ["`python -c 'import numpy, nibabel, jinja2'`", f"{one['libraries']['cpu_ms']:.0f}", "", ""],
        [
            "one participant, one 2 mm map, whole process with report",
            f"{one['ours']['cpu_ms']:.0f}, {times:.2f} times these imports",
            f"at most {most} times",
            verdict(times <= most),
        ],
    ]
    whole = found["participant of five maps"]
    share = ratio(whole, "ours", "nilearn")
    ours, theirs = (whole[name]["cpu_ms"] for name in ("ours", "nilearn"))
    rows.append(["nilearn's script, five 2 mm maps with tables and figures", f"{theirs:.0f}", "", ""])
    rows.append(
        [
            "one participant, five 2 mm maps, whole process with report",
            f"{ours:.0f}, a share of {share:.3f}",
            "a share of at most 0.1",
            verdict(share <= 0.1),
        ]
    )
    yield from table(["", "processor time, ms", "target", ""], rows)


def discovery(found: dict[str, Any]) -> Iterator[str]:
    """Finding maps."""
    one, n = found["one label"], found["participants"]
    yield (
        f"## Finding maps\n\n{told_load(found)} {n:,} participants with one map and {found['unrelated']} unrelated "
        f"files each.\n"
    )
    few, many = one["few"]["cpu_ms"], one["many"]["cpu_ms"]
    runs = found["one label, command"]
    dearer = ratio(runs, "many", "few")
    rows = [
        [f"`--participant-label`, whole process, among {found['few']}", f"{runs['few']['cpu_ms']:.0f}", "", ""],
        [
            f"the same among {n:,}",
            f"{runs['many']['cpu_ms']:.0f}, ratio {dearer:.2f}",
            "at most 1.2",
            verdict(dearer <= 1.2),
        ],
        [f"of it the looking, among {found['few']}", f"{few:.2f}", "", ""],
        [f"of it the looking, among {n:,}", f"{many:.2f}", "", ""],
    ]
    for key, words in (("listing", "`os.scandir`"), ("names", "`os.listdir`")):
        times = (many - one[key]["cpu_ms"]) / few
        rows.append([f"one listing of that dataset's folder by {words}", f"{one[key]['cpu_ms']:.2f}", "", ""])
        rows.append(
            [
                "looking among many without that listing, to few",
                f"ratio {times:.2f}",
                "at most 1.2",
                verdict(times <= 1.2),
            ]
        )
    yield from table(["one participant", "processor time, ms", "target", ""], rows)
    extra, least = (1e6 * ms / n for ms in (many - few - one["names"]["cpu_ms"], one["joining"]["cpu_ms"]))
    yield (
        f"The looking lists the dataset's folder once and reads one participant's; the command's time is what a user "
        f"waits for. Beyond the names of that listing the looking asks of each whether it is wanted, {extra:.0f} ns a "
        f"participant; a fifth of the looking among {found['few']} would leave {1e6 * 0.2 * few / n:.0f} ns, and "
        f"merely to join the names to one text takes {least:.0f} ns of each.\n"
    )
    rows = []
    for people, ways in found["whole"].items():
        walk = ratio(ways, "ours", "bare walk")
        cells = [f"{int(people):,}", *(f"{ways[key]['cpu_ms']:.0f}" for key in ("bare walk", "ours")), f"{walk:.2f}"]
        rows.append([*cells, "at most 3", verdict(walk <= 3)])
    head = ["all participants", "a bare `os.scandir` walk that splits the names, ms", "ours, ms", "ratio", "target", ""]
    yield from table(head, rows)


def parallel(found: dict[str, Any]) -> Iterator[str]:
    """Workers."""
    runs = found["runs"]
    gain = ratio(runs, "one", "two", "wall_ms")
    room = 2 / ratio(runs, "burn twice at once", "burn once", "wall_ms")
    yield f"## Two workers\n\n{told_load(found)} {found['maps']} maps of 2 mm, whole process with reports, wall time.\n"
    rows = [
        ["`--nprocs 1`", f"{runs['one']['wall_ms'] / 1000:.1f} s", "", ""],
        ["`--nprocs 2`", f"{runs['two']['wall_ms'] / 1000:.1f} s", "", ""],
        ["gain", f"{gain:.2f}", "at least 1.7", verdict(gain >= 1.7)],
        ["gain of two bare processes that only compute, at the same time", f"{room:.2f}", "", ""],
        ["processor time of two workers to one", f"{ratio(runs, 'two', 'one'):.2f}", "", ""],
    ]
    yield from table(["", "", "target", ""], rows)
    yield (
        "What two bare processes gain is what the machine had to give at the same time. The bare ones are short, so "
        "that their gain is rough; the app's start is never shared, so that few maps gain less than many.\n"
    )


def many(found: dict[str, Any]) -> Iterator[str]:
    """Many small things."""
    runs = {name: one for name, one in found.items() if name != "machine"}
    yield f"## Many small things\n\n{told_load(found)} 2 mm, one threshold, one worker; `benchmarks/many.py`.\n"
    head = [
        "processor time, ms a map",
        *(f"{r['participants']:,} x {r['maps'] // r['participants']}" for r in runs.values()),
    ]
    steps = list(next(iter(runs.values()))["steps_ms"])
    rows = [[step, *(f"{r['steps_ms'][step] / r['maps']:.2f}" for r in runs.values())] for step in steps]
    rest = [f"{(r['cpu_ms'] - sum(r['steps_ms'].values())) / r['maps']:.2f}" for r in runs.values()]
    rows.append(["all else: start, other files of a page, log", *rest])
    rows.append(["**the whole run**", *(f"**{r['cpu_ms'] / r['maps']:.2f}**" for r in runs.values())])
    rows.append(["files a map", *(f"{r['files'] / r['maps']:.1f}" for r in runs.values())])
    rows.append(["kB a map", *(f"{r['bytes'] / r['maps'] / 1000:.0f}" for r in runs.values())])
    rows.append(["peak memory, MiB", *(str(r["peak_mib"]) for r in runs.values())])
    yield from table(head, rows)
    yield (
        "Columns are participants x maps of each. Of 300 maps of one participant the page holds their volumes in files "
        "beside it. Start is paid once in these runs; in an array it is paid by each task.\n"
    )


PEERS_ON_SURFACES = {  # how many times our time they should take, 0 for a number beside
    "nilearn's table": 40, "nilearn's table, any size": 0, "wb_command, four calls": 30, "wb_command, two calls": 30,
}  # fmt: skip


def surfaces(found: dict[str, Any]) -> Iterator[str]:
    """Maps on surfaces."""
    yield (
        f"## Maps on surfaces\n\n{told_load(found)} From files to table, record and label files, the template known; "
        "smooth noise on both hemispheres, threshold 3.0 in both tails, smallest area 100 mm2 (and 200 mm3). nilearn "
        "makes its table alone, from the same files, its smallest size as many vertices as 100 mm2 have, or none; "
        "wb_command writes its cluster file alone, once for each sign (and hemisphere), whole processes.\n"
    )
    sizes = {"32k": ("GIFTI pair, fsLR 32k", 10), "cifti": ("CIFTI, 91,282", 12), "164k": ("GIFTI pair, 164k", 50)}
    rows = []
    for size, (words, limit) in sizes.items():
        if size not in found:
            continue
        one = found[size]
        ours = one["bids_regions"]["cpu_ms"]
        rows.append([words, "processor time", f"{ours:.1f} ms", f"at most {limit} ms", verdict(ours <= limit)])
        share = one["peak"]["bytes"] / one["peak"]["of values"]
        rows.append([words, "peak memory, in sizes of the values", f"{share:.1f}", "below 3", verdict(share < 3)])
        for other, least in PEERS_ON_SURFACES.items():
            if other in one:
                times = ratio(one, other, "bids_regions")
                told = [f"at least {least}", verdict(times >= least)] if least else ["", ""]
                rows.append([words, f"{other}, to ours", f"{times:.0f}", *told])
    yield from table(["map", "what", "measured", "target", ""], rows)
