"""How often random field theory calls pure noise significant, and the table of docs/methods.md made of it.

Stationary Gaussian fields whose autocorrelation on the lattice is exactly that of a continuous field of a known FWHM,
in an ellipsoid. Family-wise at 0.05: a field counts when any of its clusters, or its highest maximum, has p < 0.05.

python benchmarks/false_positives.py [--fields N]
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
from scipy import fft, ndimage, stats

from bids_regions.extraction.field_theory import (
    FieldStatistic,
    Search,
    cluster_p_values,
    count_resels,
    judge,
    peak_p_values,
)
from bids_regions.extraction.smoothness import estimate_smoothness

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "false_positives.json"
PAGE = HERE.parent / "docs" / "methods.md"
BEGIN, END = "<!-- false positives -->\n", "<!-- end of false positives -->"
SHAPE = (54, 60, 50)
FWHM = (1, 1.5, 2, 3, 4, 5)  # voxels
HEIGHTS = (2.3, 3.1)  # z
ALPHA = 0.05
WAYS = {
    "grf": "`--grf`, smoothness of the map",
    "grf_bi": "`--grf`, both tails",
    "rft": "`--rft` `p_cluster`, smoothness given",
    "rft_bi": "the same, both tails",
}


def ellipsoid() -> np.ndarray:
    """The search region: 3 voxels of air around it."""
    axes = [(np.arange(n) - (n - 1) / 2) / ((n - 6) / 2) for n in SHAPE]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.asarray(x**2 + y**2 + z**2 <= 1)


def amplitude(n: int, fwhm: float) -> np.ndarray:
    """Per frequency of one axis, the square root of the spectrum of a sampled Gaussian autocorrelation."""
    sigma = fwhm / math.sqrt(8 * math.log(2))
    lag = np.minimum(np.arange(n), n - np.arange(n))
    return np.sqrt(np.maximum(fft.fft(np.exp(-(lag**2) / (4 * sigma**2))).real, 0))


def noise(rng: np.random.Generator, fwhm: float) -> np.ndarray:
    """A field of unit variance, periodic over the whole grid."""
    spectrum = fft.fftn(rng.standard_normal(SHAPE))
    for axis, n in enumerate(SHAPE):
        spectrum *= amplitude(n, fwhm).reshape([-1 if k == axis else 1 for k in range(3)])
    return np.asarray(fft.ifftn(spectrum).real)


def sizes(z: np.ndarray, height: float, neighbours: int) -> np.ndarray:
    """Voxels of the clusters above a height."""
    labels, _ = ndimage.label(z >= height, ndimage.generate_binary_structure(3, {18: 2, 26: 3}[neighbours]))
    return np.bincount(labels.ravel())[1:]


def judged(field: np.ndarray, mask: np.ndarray, search: Search) -> dict[str, bool]:
    """Which ways call one field significant."""
    z = np.where(mask, field, 0)
    own = estimate_smoothness(z, mask, (1.0, 1.0, 1.0))
    maxima = np.array([z.max(), (-z).max()])
    found = {
        "peak": bool(peak_p_values(maxima, FieldStatistic(), search)[0] < ALPHA),
        "peak_bi": bool(peak_p_values(maxima, FieldStatistic(), search, tails=2).min() < ALPHA),
    }
    for height in HEIGHTS:
        for tails, suffix in ((1, ""), (2, "_bi")):
            maps = (z, -z)[:tails]
            by_corners = np.concatenate([sizes(one, height, 26) for one in maps])
            p = cluster_p_values(by_corners, height=height, smoothness=own, two_tailed=tails == 2)
            found[f"grf{suffix}_{height}"] = bool(p.min(initial=1) < ALPHA)
            by_edges = np.concatenate([sizes(one, height, 18) for one in maps])
            told = judge(by_edges, np.empty(0), height=height, field=FieldStatistic(), search=search, tails=tails)
            found[f"rft{suffix}_{height}"] = bool(told.p_cluster.min(initial=1) < ALPHA)
    return found


def simulate(n_fields: int) -> dict[str, dict[str, int]]:
    """The number of fields called significant, by FWHM and way."""
    mask, counts = ellipsoid(), {}
    for fwhm in FWHM:
        rng = np.random.default_rng(int(100 * fwhm))
        search = Search(
            n_voxels=int(mask.sum()), resels=count_resels(mask, (fwhm,) * 3), voxels_per_resel=float(fwhm) ** 3
        )
        total: dict[str, int] = {}
        for _ in range(n_fields):
            for way, significant in judged(noise(rng, fwhm), mask, search).items():
                total[way] = total.get(way, 0) + significant
        counts[f"{fwhm:g}"] = total
        print(fwhm, total, flush=True)
    return counts


def cell(count: int, n: int) -> str:
    """A rate in percent with its exact 95 % interval (Clopper & Pearson)."""
    low, high = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return f"{100 * count / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def table(found: dict[str, object]) -> str:
    """The rows for the page."""
    counts, n = found["counts"], found["fields"]
    assert isinstance(counts, dict)
    assert isinstance(n, int)
    lines = [
        f"| family-wise error in %, nominal 5, of {n} fields | z | " + " | ".join(f"FWHM {f}" for f in counts) + " |",
        "|---|---|" + "---|" * len(counts),
    ]
    rows = [(f"{way}_{height}", words, f"{height}") for way, words in WAYS.items() for height in HEIGHTS]
    rows += [("peak", "`--rft` `p_peak`, smoothness given", ""), ("peak_bi", "the same, both tails", "")]
    lines += [
        f"| {words} | {height} | " + " | ".join(cell(each[key], n) for each in counts.values()) + " |"
        for key, words, height in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, keep the counts, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=int, default=400, help="per FWHM (default: 400)")
    n = parser.parse_args().fields
    found = {"fields": n, "voxels": int(ellipsoid().sum()), "counts": simulate(n)}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(found) + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
