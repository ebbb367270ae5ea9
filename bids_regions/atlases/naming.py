"""From regions and an atlas on the same voxels to names: what lies under each peak, what each region overlaps.

A *share* is how much of a region lies in a label. A *placed atlas* has a code for every voxel of a map's grid (0 where
it has no label) or, where it is probabilistic, a probability for each of its labels. This module knows no file.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_regions.frozen import dataclass
from bids_regions.libraries import Late
from bids_regions.space.grid import to_mm
from bids_regions.tables import NO_VALUE

if TYPE_CHECKING:
    from scipy import ndimage, sparse, spatial
else:
    ndimage = Late("scipy.ndimage")
    sparse = Late("scipy.sparse")
    spatial = Late("scipy.spatial")

__all__ = [
    "MIDLINE",
    "MIN_PERCENT_OF_LABEL",
    "MIN_PERCENT_OF_REGION",
    "NEAR",
    "Location",
    "Naming",
    "Overlap",
    "PlacedAtlas",
    "describe_locations",
    "name_regions",
    "split_side",
]

MIN_PERCENT_OF_REGION = 10.0  # a label is listed that holds at least so much of the region ...
MIN_PERCENT_OF_LABEL = 25.0  # ... or of which the region covers at least so much (both as AFNI's gen_cluster_table)
MIDLINE = 1.0  # mm; a peak nearer to x = 0 is on no side
NEAR = 10.0  # mm; a peak farther from every label is not named after the nearest one
UNLABELLED = "unlabelled"
TIE = 1e-6  # mm; labels nearer together than this are equally near, and the lower value wins

Counts = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]


class PeakToName(Protocol):
    """Where a peak lies."""

    @property
    def xyz(self) -> tuple[float, float, float]:
        """Mm, RAS+."""

    @property
    def ijk(self) -> tuple[int, int, int] | None:
        """Voxel, 0-based, the map's own axes; None for a vertex."""

    @property
    def vertex(self) -> int | None:
        """Number in the mesh, 0-based; None for a voxel."""


class RegionToName(Protocol):
    """What naming asks of a region."""

    @property
    def peaks(self) -> Sequence[PeakToName]:
        """By rank, the main peak first."""

    @property
    def structure(self) -> str | None:
        """CORTEX_LEFT, ...; None on a plain grid."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedAtlas:
    """An atlas on the elements of a map: voxels flat in Fortran order, or the rows of a map on surfaces."""

    names: tuple[str, ...]  # of the codes 0 (unlabelled) to n, in the order of the atlas's own values
    shape: tuple[int, ...]  # voxels of the map along i, j, k; (rows,) on surfaces
    affine: NDArray[np.float64] | None  # 4 x 4, ijk of the map -> mm, RAS+; None on surfaces
    codes: NDArray[np.integer[Any]]  # (voxels,): the label, for a probabilistic atlas the most probable one
    probabilities: "sparse.csr_array | None" = None  # (voxels, n + 1), 0 to 1; column 0 is empty
    totals: Counts = field(repr=False)  # (n + 1,): voxels of each label on the map's grid, or sum of its probabilities
    weights: Counts | None = field(default=None, repr=False)  # (rows,) mm2 or mm3; None: each voxel counts 1

    @cached_property
    def _border(self) -> "tuple[spatial.cKDTree, NDArray[np.integer[Any]]]":
        """The labelled voxels that have an unlabelled neighbour, in mm, and their codes.

        Coming from an unlabelled voxel, the nearest labelled one is always such a voxel.
        """
        codes = self.codes.reshape(self.shape, order="F")
        labelled = codes > 0
        border = labelled & ~ndimage.binary_erosion(labelled, np.ones((3, 3, 3), dtype=bool), border_value=1)
        ijk = np.argwhere(border)
        assert self.affine is not None
        return spatial.cKDTree(to_mm(self.affine, ijk.T).T), codes[border]

    def find_rows(self, regions: Sequence[RegionToName]) -> NDArray[np.intp]:
        """Where the peaks of all regions, one after the other, stand among the elements."""
        ijk = np.array([peak.ijk for region in regions for peak in region.peaks], dtype=np.intp).reshape(-1, 3)
        return np.ravel_multi_index((ijk[:, 0], ijk[:, 1], ijk[:, 2]), self.shape, order="F")

    def side_of(self, region: RegionToName, *, sided: bool) -> str:
        """Left or Right, by the x of the main peak where x = 0 is the midline; "" near it."""
        x = region.peaks[0].xyz[0]
        return ("Left" if x < 0 else "Right") if sided and abs(x) >= MIDLINE else ""

    def find_nearest(self, xyz: Counts) -> tuple[NDArray[np.intp], Counts]:
        """For points (m, 3) in mm outside every label: the nearest label's code and its distance in mm."""
        tree, codes = self._border
        if not tree.n:
            return np.zeros(len(xyz), dtype=np.intp), np.full(len(xyz), np.inf)
        distance = np.asarray(tree.query(xyz)[0])
        tied = tree.query_ball_point(xyz, distance + TIE)
        ends = np.cumsum([len(each) for each in tied])
        found = codes[np.fromiter(chain.from_iterable(tied), dtype=np.intp, count=ends[-1])]
        return np.minimum.reduceat(found, np.append(0, ends[:-1])).astype(np.intp), distance


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What a region and one label have in common."""

    label: str
    of_region: float  # percent of the region's voxels or area; for a probabilistic atlas its mean probability
    of_label: float | None  # percent of the label (of its summed probability) on the map's grid; None for unlabelled


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where one region lies by one atlas; texts as they stand in tables."""

    peak: str  # "Precentral Gyrus"; "Precentral Gyrus (3.2 mm)" outside; "Precentral Gyrus (62%)" by probability
    peaks: tuple[str, ...]  # the same for every peak by rank, the main one first
    overlap: str  # "label 62%; label 21%; unlabelled 17%", percent of the region
    overlaps: tuple[Overlap, ...]  # the same with both percents


@dataclass(frozen=True, kw_only=True)
class Naming:
    """The names of the regions of one map."""

    names: tuple[str, ...]  # one per region: "Left Precentral Gyrus", "Left Precentral Gyrus (2)", "region-1"
    locations: tuple[tuple[Location, ...], ...]  # per atlas, one per region


NOWHERE = Location(peak=NO_VALUE, peaks=(), overlap=NO_VALUE, overlaps=())


def name_regions(
    labels: Labels, regions: Sequence[RegionToName], atlases: Sequence[PlacedAtlas | None], *, sided: bool
) -> Naming:
    """Name regions by atlases.

    Parameters
    ----------
    labels
        3-D or a row, region numbers 1..n in the order of `regions`, 0 elsewhere; any memory order.
    regions
        Their peaks (mm RAS+ and voxels of `labels`).
    atlases
        On the grid of `labels`; the first that there is gives the names. None: this atlas has no place here (it
        belongs to another space), and its texts are n/a.
    sided
        Whether x = 0 is the midline of the brain, so that the side of a peak follows from its x: true of template
        spaces, not of a scanner's frame.

    Returns
    -------
    Naming
        A label is listed when it holds at least 10 percent of the region or the region covers at least 25 percent of
        it; where no label does, the largest. `unlabelled` comes last, by the first rule.

    Raises
    ------
    ValueError
        An atlas has another shape than `labels`.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> labels = np.array([1, 1, 1, 1, 0]).reshape(5, 1, 1)
    >>> box = PlacedAtlas(names=("unlabelled", "Box"), shape=(5, 1, 1), affine=np.diag([-2.0, 2, 2, 1]),
    ...                   codes=np.array([0, 1, 1, 1, 1]), totals=np.array([1.0, 4]))
    >>> peak = Some(xyz=(-4.0, 0.0, 0.0), ijk=(2, 0, 0))
    >>> named = name_regions(labels, [Some(peaks=(peak,))], [box], sided=True)
    >>> named.names, named.locations[0][0].overlap
    (('Left Box',), 'Box 75%; unlabelled 25%')
    """
    numbered = tuple(f"region-{index}" for index in range(1, len(regions) + 1))
    if all(atlas is None for atlas in atlases):  # looking for every region's voxels would be for nothing
        return Naming(names=numbered, locations=((NOWHERE,) * len(regions),) * len(atlases))
    flat = labels.ravel(order="F")
    voxels = np.flatnonzero(flat)
    numbers = flat[voxels].astype(np.intp) - 1  # of each voxel's region, from 0
    locations: list[tuple[Location, ...]] = []
    names: tuple[str, ...] = ()
    for atlas in atlases:
        if atlas is None:
            locations.append((NOWHERE,) * len(regions))
            continue
        if atlas.shape != labels.shape:
            raise ValueError(f"the atlas has the shape {atlas.shape}, the labels have {labels.shape}")
        found = _find_peaks(atlas, regions)
        overlaps = _find_overlaps(atlas, voxels, numbers, len(regions))
        locations.append(_write_locations(atlas, regions, found, overlaps))
        names = names or _choose_names(atlas, regions, found, sided=sided)
    return Naming(names=names or numbered, locations=tuple(locations))


def describe_locations(atlas: str, *, probabilistic: bool, on_surfaces: bool = False) -> dict[str, str]:
    """What the columns of one atlas hold, by the column's name."""
    where = f"Label of {atlas} at the peak"
    near = "the nearest label with its distance where the peak is outside every label"
    share = "percent of the region"
    if on_surfaces:
        near = f"{UNLABELLED} where the peak is outside every label"
        share = "percent of the region's area (of its voxels in volumes, of its vertices where no areas are known)"
    if probabilistic:
        where, share = f"Most probable label of {atlas} at the peak", "mean probability over the region"
    return {
        f"{atlas}_peak": f"{where}{', with its probability' if probabilistic else ''}; {near}",
        f"{atlas}_overlap": (
            f"Labels of {atlas} with their {share}: those with at least {MIN_PERCENT_OF_REGION:g} percent of the "
            f"region or covered by it to at least {MIN_PERCENT_OF_LABEL:g} percent, or else the largest; "
            f"separated by '; '"
        ),
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _PeakLabels:
    """The labels at all peaks of all regions, one after the other."""

    first: NDArray[np.intp]  # (regions + 1,): where each region's peaks begin
    codes: NDArray[np.intp]  # (peaks,): the label, the nearest one where there is none; 0: the atlas is empty
    distances: Counts  # (peaks,): mm to that label, 0 inside
    probabilities: Counts | None  # (peaks,): of that label at the peak


def _find_peaks(atlas: PlacedAtlas, regions: Sequence[RegionToName]) -> _PeakLabels:
    peaks = [peak for region in regions for peak in region.peaks]
    first = np.cumsum([0, *(len(region.peaks) for region in regions)], dtype=np.intp)
    flat = atlas.find_rows(regions)
    codes = atlas.codes[flat].astype(np.intp)
    distances, probabilities = np.zeros(len(peaks)), None
    if atlas.probabilities is not None:
        probabilities = np.asarray(atlas.probabilities[flat].max(axis=1).toarray(), dtype=np.float64).ravel()
    outside = np.flatnonzero(codes == 0)
    if outside.size:
        xyz = np.array([peaks[n].xyz for n in outside], dtype=np.float64)
        codes[outside], distances[outside] = atlas.find_nearest(xyz)
    return _PeakLabels(first=first, codes=codes, distances=distances, probabilities=probabilities)


def _find_overlaps(
    atlas: PlacedAtlas, voxels: NDArray[np.intp], numbers: NDArray[np.intp], n_regions: int
) -> list[tuple[Overlap, ...]]:
    """What each region has in common with the labels, as far as it is listed."""
    weights = None
    if atlas.weights is not None:  # a region whose areas are all 0, as on a medial wall, counts vertices
        weights = atlas.weights[voxels]
        weights = np.where(np.bincount(numbers, weights, n_regions)[numbers] > 0, weights, 1.0)
    shares = _find_shares(atlas, voxels, numbers, weights, n_regions)
    sizes = np.bincount(numbers, weights, minlength=n_regions).astype(np.float64)
    return _list_overlaps(atlas, shares, sizes)


def _find_shares(
    atlas: PlacedAtlas,
    voxels: NDArray[np.intp],
    numbers: NDArray[np.intp],
    weights: Counts | None,
    n_regions: int,
) -> "sparse.csr_array":
    """(regions, codes): voxels, area or summed probability that each region has in each label, but unlabelled."""
    if atlas.probabilities is not None:
        ones, columns = np.ones(len(voxels)), np.arange(len(voxels))
        belongs = sparse.csr_array((ones, (numbers, columns)), shape=(n_regions, len(voxels)))
        return sparse.csr_array(belongs @ atlas.probabilities[voxels])
    codes = atlas.codes[voxels]
    inside = codes > 0
    n_codes = len(atlas.names)
    pairs = numbers[inside] * n_codes + codes[inside]
    # bincount holds every possible pair; a thousand regions by a thousand labels are 8 MB, more are sorted instead
    inner = None if weights is None else weights[inside]
    if n_regions * n_codes <= 1 << 20:
        counts = np.bincount(pairs, inner, minlength=n_regions * n_codes).reshape(n_regions, n_codes)
        return sparse.csr_array(counts.astype(np.float64))
    found, which = np.unique(pairs, return_inverse=True)
    counts = np.bincount(which, inner)
    where = np.divmod(found, n_codes)
    return sparse.csr_array((counts.astype(np.float64), where), shape=(n_regions, n_codes))


def _list_overlaps(atlas: PlacedAtlas, shares: "sparse.csr_array", sizes: Counts) -> list[tuple[Overlap, ...]]:
    table = shares.tocoo()
    rows, codes = table.coords
    of_region = 100 * table.data / sizes[rows]
    totals = atlas.totals[codes]
    of_label = np.divide(100 * table.data, totals, out=np.zeros(len(totals)), where=totals > 0)
    largest = np.zeros(len(sizes))
    np.maximum.at(largest, rows, of_region)
    kept = (of_region >= MIN_PERCENT_OF_REGION) | (of_label >= MIN_PERCENT_OF_LABEL)
    listed = np.zeros(len(sizes), dtype=bool)
    listed[rows[kept]] = True
    kept |= ~listed[rows] & (of_region == largest[rows])
    order = np.flatnonzero(kept)
    order = order[np.lexsort((codes[order], -of_region[order], rows[order]))]
    overlaps: list[list[Overlap]] = [[] for _ in sizes]
    for n in order.tolist():
        share = Overlap(label=atlas.names[codes[n]], of_region=float(of_region[n]), of_label=float(of_label[n]))
        overlaps[rows[n]].append(share)
    rest = 100 * (sizes - np.bincount(rows, weights=table.data, minlength=len(sizes))) / sizes
    for listing, percent in zip(overlaps, rest.tolist(), strict=True):
        if percent >= MIN_PERCENT_OF_REGION:
            listing.append(Overlap(label=UNLABELLED, of_region=percent, of_label=None))
    return [tuple(listing) for listing in overlaps]


def _write_locations(
    atlas: PlacedAtlas, regions: Sequence[RegionToName], found: _PeakLabels, overlaps: list[tuple[Overlap, ...]]
) -> tuple[Location, ...]:
    texts = [_write_peak(atlas, found, n) for n in range(len(found.codes))]
    locations = []
    for number in range(len(regions)):
        peaks = tuple(texts[found.first[number] : found.first[number + 1]])
        listing = overlaps[number]
        overlap = "; ".join(f"{each.label} {_percent(each.of_region)}" for each in listing)
        locations.append(Location(peak=peaks[0] if peaks else NO_VALUE, peaks=peaks, overlap=overlap, overlaps=listing))
    return tuple(locations)


def _write_peak(atlas: PlacedAtlas, found: _PeakLabels, n: int) -> str:
    code = int(found.codes[n])
    if not code:
        return UNLABELLED
    name = atlas.names[code]
    if found.distances[n]:
        return f"{name} ({found.distances[n]:.1f} mm)"
    return name if found.probabilities is None else f"{name} ({_percent(100 * float(found.probabilities[n]))})"


def _percent(number: float) -> str:
    """A percentage as a reader wants it: whole, and with one or two digits where it is below 1.

    >>> [_percent(n) for n in (62.4, 99.7, 0.123, 0.0)]
    ['62%', '100%', '0.12%', '0%']
    """
    if number >= 1:
        return f"{number:.0f}%"
    return np.format_float_positional(number, precision=2, fractional=False, trim="-") + "%"


def _choose_names(
    atlas: PlacedAtlas, regions: Sequence[RegionToName], found: _PeakLabels, *, sided: bool
) -> tuple[str, ...]:
    names = []
    for region, n in zip(regions, found.first[:-1].tolist(), strict=True):
        distance, code = found.distances[n], int(found.codes[n])
        known = code > 0 and distance <= NEAR
        side, rest = split_side(atlas.names[code]) if known else ("", UNLABELLED)
        side = side or atlas.side_of(region, sided=sided)
        names.append(f"{'near ' if known and distance else ''}{side}{' ' if side else ''}{rest}")
    repeated = {name for name, times in Counter(names).items() if times > 1}
    seen: Counter[str] = Counter()
    for n, name in enumerate(names):
        if name in repeated:
            seen[name] += 1
            names[n] = f"{name} ({seen[name]})"
    return tuple(names)


SIDES = {"left": "Left", "lh": "Left", "l": "Left", "right": "Right", "rh": "Right", "r": "Right"}
SIDE_WORD = re.compile(r"(?:^|(?<=[\s_.\-,(]))(left|right|lh|rh|LEFT|RIGHT|LH|RH|Left|Right|Lh|Rh)(?=$|[\s_.\-,)])")
# a single letter only where atlases put it: in front, or at the end (also before _ROI); "area 4 r" is an area
SIDE_LETTER = re.compile(r"^([LR])(?=[\s_.\-])|(?<=[\s_.\-])([LR])(?=$|[_\s]ROI$)")


def split_side(label: str) -> tuple[str, str]:
    """The side a label says it is on (or nothing), and the rest of it.

    >>> [split_side(label) for label in ("Left Thalamus", "ctx-rh-precentral", "7Networks_LH_Vis_1", "Insula")]
    [('Left', 'Thalamus'), ('Right', 'ctx-precentral'), ('Left', '7Networks_Vis_1'), ('', 'Insula')]
    """
    found = SIDE_WORD.search(label) or SIDE_LETTER.search(label)
    if found is None:
        return "", label
    before, after = label[: found.start()], label[found.end() :]
    if before and after:
        rest = before + after[1:] if before[-1] != "(" else before[:-1].rstrip() + after[1:]
    else:
        rest = before + after
    rest = rest.strip(" _.-,")
    return (SIDES[found[0].lower()], rest) if rest else ("", label)
