"""The page's sections on many participants: the group level, clusters, and fifty thousand on paper."""

from collections.abc import Iterator
from typing import Any

from page_words import table, told_load, verdict

COHORT, CONTRASTS, ENTRIES = 50_000, 6, 1  # of the extrapolation
HOUR = 3_600_000  # ms


def group(found: dict[str, Any]) -> Iterator[str]:
    """The group level."""
    yield (
        f"## Cohorts\n\n2 mm maps, one each, {found['nprocs']} workers, `benchmarks/group.py`. The maps are made from "
        f"a real one, nilearn's motor map, by a gain and smooth noise in the brain; `benchmarks/simulating.py` makes "
        f"datasets of any size so. The group level:\n"
    )
    rows = [
        [
            f"{one['participants']:,}",
            *(str(one[key]) for key in ("seconds", "processor_seconds", "peak_mib", "page_mib")),
        ]
        for one in found["cohorts"]
    ]
    yield from table(["participants", "wall, s", "processor, s", "peak memory, MiB", "page, MiB"], rows)
    yield from _group_targets(found["cohorts"])
    yield f"The participant level, {found['cohorts'][0]['sample']} participants named by `--participant-label`:\n"
    rows = [
        [f"{one['participants']:,}", str(one["sample_seconds"]), str(one["sample_processor_seconds"])]
        for one in found["cohorts"]
    ]
    yield from table(["of participants", "wall, s", "processor, s"], rows)


def _group_targets(cohorts: list[dict[str, Any]]) -> Iterator[str]:
    """What one map more costs, from the two largest cohorts, and the memory of the largest."""
    last, rows = cohorts[-1], []
    if len(cohorts) > 1:
        before = cohorts[-2]
        more = last["participants"] - before["participants"]
        each = 1000 * (last["processor_seconds"] - before["processor_seconds"]) / more
        slope = 1000 * (last["peak_mib"] - before["peak_mib"]) / more
        at_most = last["peak_mib"] + slope * max(0, 10_000 - last["participants"]) / 1000
        words = f"processor time of a map more, {before['participants']:,} to {last['participants']:,}"
        rows.append([words, f"{each:.1f} ms", "at most 15 ms", verdict(each <= 15)])
        words = "memory at 10,000 participants" + ("" if last["participants"] >= 10_000 else ", on paper")
        rows.append([words, f"{at_most:.0f} MiB", "at most 300 MiB", verdict(at_most <= 300)])
    if rows:
        yield from table(["group level", "measured", "target", ""], rows)


def clusters(found: dict[str, Any]) -> Iterator[str]:
    """A cohort by one run, an array and Dask."""
    n = found["participants"]
    yield (
        f"## On a cluster\n\n{told_load(found)} {n:,} participants with one 2 mm map each, reports included; "
        "`benchmarks/clusters.py`. The Slurm has one node, this machine.\n"
    )
    ways = [one for one in found.values() if isinstance(one, dict) and "words" in one]
    rows = [[w["words"], str(w["seconds"]), str(w["processor"]), f"{1000 * w['processor'] / n:.0f}"] for w in ways]
    yield from table(["how", "wall, s", "processor, s", "processor, ms a participant"], rows)
    same = "have the same bytes" if found["same bytes"] else "**differ**"
    yield f"The three output folders {same} outside `logs/`.\n"


def extrapolate(found: dict[str, Any]) -> Iterator[str]:
    """A large cohort on paper."""
    output, maps_measured = found["parallel"]["output"], found["parallel"]["maps"]
    people = found["parallel"]["participants"]
    n_maps = COHORT * CONTRASTS * ENTRIES
    per_map = found["parallel"]["runs"]["one"]["cpu_ms"] / maps_measured
    files, folders = output["files"] / maps_measured, output["folders"] / people
    size = output["bytes"] / maps_measured
    people_found, walks = list(found["discovery"]["whole"].items())[-1]
    walk = walks["ours"]["cpu_ms"] / int(people_found)
    hours = n_maps * per_map / HOUR
    alone = found.get("start", {}).get("participant of one map", {}).get("ours", {}).get("cpu_ms", 0.0)
    yield f"## {COHORT:,} participants, {CONTRASTS} contrasts each\n"
    yield f"On paper, from the numbers above; 2 mm, one threshold: {COHORT:,} x {CONTRASTS} = {n_maps:,} maps.\n"
    rows = [
        ["files", f"{files:.1f} a map x {n_maps:,}", f"{files * n_maps / 1e6:.2f} million"],
        ["folders", f"{folders:.1f} a participant x {COHORT:,}", f"{folders * COHORT / 1e6:.2f} million"],
        ["inodes", "files and folders", f"{(files * n_maps + folders * COHORT) / 1e6:.2f} million"],
        ["bytes", f"{size / 1e3:.0f} kB a map x {n_maps:,}", f"{size * n_maps / 1e9:.0f} GB"],
        ["processor hours, participants", f"{per_map:.0f} ms a map with its page x {n_maps:,}", f"{hours:.1f}"],
        ["the same on 100 processors", f"{hours:.1f} h / 100, if they read as fast", f"{60 * hours / 100:.0f} minutes"],
        [
            "processor hours of an array, a task a participant",
            f"({alone:.0f} ms with its first map + {CONTRASTS - 1} x {per_map:.0f} ms) x {COHORT:,}",
            f"{COHORT * (alone + (CONTRASTS - 1) * per_map) / HOUR:.1f}",
        ],
        ["finding all maps", f"{walk:.2f} ms a participant x {COHORT:,}", f"{walk * COHORT / 1000:.0f} s"],
    ]
    if "group" in found:
        rows += list(_group_rows(found["group"]["cohorts"]))
    else:
        rows.append(["time and memory of the group level", "`benchmarks/run.py --only group`", "not measured yet"])
    yield from table(["what", "arithmetic", "result"], rows)
    yield (
        "A run of an array's task over one participant also pays its start (above) and its own look at the dataset, "
        "which lists one folder and reads one participant's. Files are counted with figures, pages and logs.\n"
    )


def _group_rows(cohorts: list[dict[str, Any]]) -> Iterator[list[str]]:
    """The group level, from the largest cohort for time and from the two largest for memory."""
    last = cohorts[-1]
    n_maps = COHORT * CONTRASTS
    per_map = last["processor_seconds"] / last["participants"]
    yield [
        "processor hours, group",
        f"{1000 * per_map:.0f} ms a map ({last['participants']:,} measured) x {n_maps:,}",
        f"{per_map * n_maps / 3600:.1f}",
    ]
    if len(cohorts) > 1:
        before = cohorts[-2]
        slope = (last["peak_mib"] - before["peak_mib"]) / (last["participants"] - before["participants"])
        memory = last["peak_mib"] + slope * (COHORT - last["participants"])
        yield [
            "memory of the group level, a contrast at a time",
            f"{last['peak_mib']} MiB + {1000 * slope:.0f} MiB a thousand x {(COHORT - last['participants']) / 1000:g}",
            f"{memory / 1024:.1f} GiB",
        ]
