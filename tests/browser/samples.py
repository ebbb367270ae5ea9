"""Sample pages: the real motor map that nilearn ships, maps of known values, and cohorts; small enough for a test.

Run `python tests/browser/samples.py FOLDER` to write them all and look at them.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import nilearn
import numpy as np

from bids_regions import figures
from bids_regions.extraction import Criteria, Extraction, find_regions
from bids_regions.report import model, pages, payload
from bids_regions.tables import peaks_table, regions_table

Array = np.ndarray[Any, Any]

DATA = Path(nilearn.__file__).parent / "datasets" / "data"
METHODS = model.Methods(
    paragraphs=(
        "Regions were extracted with bids_regions 0.2.0. Each statistical map was thresholded at the value below which "
        "97 % of its magnitudes lie, and at |z| ≥ 3.0. Voxels that share a face (6-connectivity) and a sign form a "
        "region; regions of less than 1500 mm³ were removed.",
    ),
    references=(
        model.Reference(
            text="Harris CR, et al. (2020). Array programming with NumPy. Nature 585, 357-362.",
            doi="10.1038/s41586-020-2649-2",
        ),
    ),
)
PROVENANCE = model.Provenance(
    command="bids_regions BIDS_DIR OUTPUT_DIR participant --threshold 97% 3.0 --min-region-size 1500",
    inputs=(("dataset", "motor"),),
    settings=(("connectivity", "6"), ("min_region_size", "1500"), ("tail", "bi")),
    versions=(("bids_regions", "0.2.0"), ("numpy", np.__version__)),
)


@cache
def motor_map() -> tuple[Array, Array]:
    """The real z map of a motor contrast and its affine."""
    image = nib.load(DATA / "image_10426.nii.gz")
    return np.nan_to_num(np.asarray(image.dataobj)).astype(np.float32), image.affine


@cache
def brain() -> tuple[Array, Array]:
    """A T1-weighted template and its affine."""
    image = nib.load(DATA / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    return np.asarray(image.dataobj)[::2, ::2, ::2], image.affine @ np.diag([2.0, 2.0, 2.0, 1.0])


def blobs(count: int, seed: int = 0, shape: tuple[int, int, int] = (91, 109, 91)) -> tuple[Array, Array]:
    """A 2 mm map with `count` blobs of either sign, on a lattice so that none touch."""
    random = np.random.default_rng(seed)
    data = random.normal(0, 0.4, shape).astype(np.float32)
    places = [(i, j, k) for i in range(12, 80, 11) for j in range(12, 98, 11) for k in range(12, 80, 11)]
    grid = np.indices((9, 9, 9)) - 4
    ball = 7 * np.exp(-(grid**2).sum(axis=0) / 10)
    for at in random.permutation(len(places))[:count]:
        i, j, k = places[int(at)]
        data[i - 4 : i + 5, j - 4 : j + 5, k - 4 : k + 5] += ball * random.choice([1, -1]) * random.uniform(0.8, 1.3)
    affine = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    return data, affine


def make_figure(data: Array, affine: Array, found: Extraction, cuts: Sequence[float], background: bool) -> model.Figure:
    """A real picture of the figures room."""
    marks = [
        figures.Mark(index=r.index, color=r.color, n_voxels=r.n_voxels, peak_value=r.peak.value, peak_xyz=r.peak.xyz)
        for r in found.regions
    ]
    view = figures.FigureStyle(cuts=tuple(cuts), cutoff=found.cutoff.value, layout=figures.PanelLayout(columns=4))
    below = figures.Underlay(data=brain()[0], affine=brain()[1]) if background else None
    picture = figures.encode(figures.compose_map(data, found.labels, affine, marks, view, below))
    return model.Figure(
        data=picture.data, mime=picture.mime, alt=picture.alt, width=picture.width, height=picture.height
    )


def make_entry(
    key: str,
    name: str,
    data: Array,
    affine: Array,
    *,
    volume: str,
    threshold: str = "3.0",
    picture: bool = True,
    background: str = "brain",
    cuts: Sequence[float] = (-24, -6, 6, 18, 30, 42, 54, 66),
    **criteria: Any,
) -> model.EntryView:
    """One entry, from the real extraction."""
    found = find_regions(data, affine, Criteria(threshold=threshold, **criteria))
    value = found.cutoff.value
    pictures = (make_figure(data, affine, found, cuts, background != ""),) if picture else ()
    table = model.Table(
        key=f"{key}-regions",
        caption=f"Regions of {name}",
        tsv=regions_table(found.regions),
        file_name=f"sub-01_task-motor_desc-{name}_dseg.tsv",
        descriptions={},
        href=f"sub-01/sub-01_task-motor_desc-{name}_dseg.tsv",
    )
    return model.EntryView(
        name=name,
        sentence=f"|z| at or above {value:.4g} ({threshold}), of {data.size} voxels; regions of at least 1500 mm³.",
        facts=(("voxels above", str(found.n_above)), ("regions removed", str(found.n_removed_regions))),
        n_regions=len(found.regions),
        figures=pictures,
        views=(model.View(volume=volume, cutoff=value if np.isfinite(value) else None, background=background),),
        labels=payload.pack_labels(found.labels) if found.regions else None,
        regions=table,
        peaks=peaks_table(found.regions),
        warnings=found.warnings,
        links=(model.Link(text="label image", href=f"sub-01/sub-01_task-motor_desc-{name}_dseg.nii.gz"),),
    )


def participant_page(
    sections: Sequence[model.Section], volumes: Sequence[model.Volume], **fields: Any
) -> model.ParticipantPage:
    """A page around sections, with the T1w template as background."""
    background = payload.pack_background(*brain(), key="brain", name="T1-weighted template")
    return model.ParticipantPage(
        participant="sub-01",
        dataset="Motor",
        version="0.2.0",
        sections=tuple(sections),
        volumes=tuple(volumes),
        backgrounds=(background,),
        methods=METHODS,
        provenance=PROVENANCE,
        **fields,
    )


def motor_page() -> model.ParticipantPage:
    """The gallery's two strategies on the real map; an empty map, a skipped and a failed file."""
    data, affine = motor_map()
    volume = payload.pack_volume(data, affine, key="motor", name="left - right, z", quantity="z")
    weak = (data * 0.3).astype(np.float32)
    faint = payload.pack_volume(weak, affine, key="faint", name="faint, z", quantity="z")
    entries = (
        make_entry("motor-1", "pct97", data, affine, volume="motor", threshold="97%"),
        make_entry("motor-2", "thr3p0", data, affine, volume="motor", threshold="3.0"),
    )
    empty = (make_entry("faint-1", "thr3p0", weak, affine, volume="faint", threshold="3.0"),)
    sections = (
        model.Section(
            key="motor",
            title="contrast leftVsRight, z",
            group="task-motor, run-1",
            entries=entries,
            source="sub-01/func/sub-01_task-motor_run-1_contrast-leftVsRight_stat-z_statmap.nii.gz",
            facts=(("grid", "53 × 63 × 46, 3 mm"), ("mask", "none found; every voxel counts")),
        ),
        model.Section(
            key="faint",
            title="contrast faint, z",
            group="task-motor, run-1",
            entries=empty,
            source="sub-01/func/sub-01_task-motor_run-1_contrast-faint_stat-z_statmap.nii.gz",
            warnings=("12 voxels were not finite and count as 0.",),
        ),
    )
    return participant_page(
        sections,
        (volume, faint),
        skipped=(
            model.Problem(
                source="sub-01/func/sub-01_stat-p_statmap.nii.gz",
                reason="A p map: thresholding it upward would be wrong.",
            ),
        ),
        failures=(
            model.Problem(
                source="sub-01/func/sub-01_contrast-broken_stat-z_statmap.nii.gz",
                reason="The file ends too early.",
                hint="Fetch it again.",
                details="EOFError: Compressed file ended before the end-of-stream marker",
            ),
        ),
    )


def empty_page() -> model.ParticipantPage:
    """A participant without any usable map."""
    return replace(participant_page((), ()), notices=("No statistical map of this participant fits the selection.",))


def blob_page(count: int, **criteria: Any) -> model.ParticipantPage:
    """One map with `count` regions."""
    data, affine = blobs(count)
    volume = payload.pack_volume(data, affine, key="blobs", name="blobs", quantity="z")
    entry = make_entry(
        "blobs-1", "thr3p0", data, affine, volume="blobs", min_region_voxels=5, cuts=(-40, -20, 0, 20, 40), **criteria
    )
    return participant_page((model.Section(key="blobs", title="blobs, z", entries=(entry,)),), (volume,))


def grid_page(data: Array, affine: Array, **fields: Any) -> model.ParticipantPage:
    """One map on a grid of its own, without background and picture: for reading coordinates."""
    volume = payload.pack_volume(data, affine, key="grid", name="grid", quantity="t")
    entry = make_entry(
        "grid-1", "thr", data, affine, volume="grid", picture=False, background="", min_region_voxels=1, **fields
    )
    page = participant_page((model.Section(key="grid", title="grid", entries=(entry,)),), (volume,))
    return replace(page, backgrounds=())


def many_maps_page(count: int = 300) -> model.ParticipantPage:
    """Very many maps of one participant: each with its volume, labels, picture and table."""
    data, affine = motor_map()
    random = np.random.default_rng(1)
    entry = make_entry("motor-1", "thr3p0", data, affine, volume="motor-1")
    sections, volumes = [], []
    for number in range(1, count + 1):
        noisy = data + random.normal(0, 0.2, data.shape).astype(np.float32) * (data != 0)
        volumes.append(payload.pack_volume(noisy, affine, key=f"motor-{number}", name=f"run {number}", quantity="z"))
        assert entry.regions is not None
        table = replace(entry.regions, key=f"motor-{number}-regions")
        view = replace(entry.views[0], volume=f"motor-{number}")
        sections.append(
            model.Section(
                key=f"map-{number}",
                title=f"contrast c{number:03d}, z",
                group=f"task-motor, run-{1 + number // 20}",
                entries=(replace(entry, regions=table, views=(view,)),),
            )
        )
    return participant_page(sections, volumes)


# ------------------------------------------------------------------------------------------------------ group


def make_metric(
    key: str, name: str, values: Mapping[str, float], unit: str = "", flags: Mapping[str, str] | None = None
) -> model.Metric:
    """A strip plot."""
    points = tuple(
        model.Point(participant=who, value=value, href=f"{who}.html", flag=(flags or {}).get(who, ""))
        for who, value in values.items()
    )
    return model.Metric(key=key, name=name, unit=unit, points=points)


def value_lines(people: Sequence[str], regions: int, seed: int = 3) -> str:
    """A values table: participant x region."""
    random = np.random.default_rng(seed)
    header = [
        "set",
        "participant_id",
        "region",
        "sign",
        "n_voxels",
        "mean_value",
        "peak_value",
        "dice",
        "peak_distance_mm",
        "age",
    ]
    lines = ["\t".join(header)]
    for number, who in enumerate(people):
        age = str(18 + number % 60)
        for region in range(1, regions + 1):
            mean, peak, dice, far = random.normal(3, 1), random.normal(6, 1), random.random(), random.gamma(2, 3)
            cells = ["motor", who, str(region), "positive", str(random.integers(10, 3000)), f"{mean:.10g}"]
            lines.append("\t".join([*cells, f"{peak:.10g}", f"{dice:.6g}", f"{far:.6g}", age]))
    return "\n".join(lines) + "\n"


def group_page(count: int = 60, regions: int = 6, thumbnails: bool = True) -> model.GroupPage:
    """A cohort with a planted outlier, a failed participant and a values table of `count` x `regions` rows."""
    random = np.random.default_rng(2)
    people = [f"sub-{number:04d}" for number in range(1, count + 1)]
    data, affine = motor_map()
    positive = np.clip(data / 8 + random.normal(0, 0.02, data.shape), 0, 1).astype(np.float32) * (data != 0)
    volumes = (
        payload.pack_volume(
            100 * positive,
            affine,
            key="positive",
            name="positive prevalence",
            quantity="% of participants",
            palette="positive",
        ),
        payload.pack_volume(
            -100 * np.clip(-data / 8, 0, 1),
            affine,
            key="negative",
            name="negative prevalence",
            quantity="% of participants",
            palette="negative",
        ),
    )
    entry = make_entry("motor-1", "Consensus", data, affine, volume="positive", threshold="4.0")
    views = (
        model.View(volume="positive", name="positive", cutoff=50.0, tail="positive", background="brain"),
        model.View(volume="negative", name="negative", cutoff=50.0, tail="negative", background="brain"),
    )
    thumb = make_figure(data, affine, find_regions(data, affine, Criteria()), (12.0, 48.0, 69.0), background=False)
    dice = np.clip(random.normal(0.6, 0.12, (min(count, 300), min(count, 300))), 0, 1)
    dice = np.round((dice + dice.T) / 2, 4)
    np.fill_diagonal(dice, 1)
    rows: list[tuple[float | None, ...]] = [tuple(float(v) for v in row) for row in dice]
    rows[1] = (None, *rows[1][1:])
    volume_of = {who: float(random.gamma(9, 900)) for who in people}
    volume_of[people[3]] = 61000.0
    flag = {people[3]: "high volume (robust z = 8.1)"}
    values = model.Table(
        key="motor-values",
        caption="Values of participants in the consensus regions",
        tsv=value_lines(people, regions),
        file_name="group_values.tsv",
        descriptions={"dice": "overlap with the consensus region"},
        href="group_values.tsv",
        links={who: f"{who}.html" for who in people},
        link_column="participant_id",
    )
    one = model.GroupSet(
        key="motor",
        title="contrast leftVsRight, z, thr3p0",
        group="task-motor, MNI152NLin2009cAsym",
        facts=(("participants", str(count)), ("grid", "one: 53 × 63 × 46, 3 mm"), ("smallest coverage used", "50 %")),
        consensus=replace(
            entry,
            views=views,
            sentence="Voxels in the regions of at least 50 % of the participants that have data there.",
        ),
        metrics=(
            make_metric("n", "number of regions", {who: float(random.integers(3, 9)) for who in people}),
            make_metric("volume", "suprathreshold volume", volume_of, "mm³", flag),
            make_metric("peak", "largest magnitude", {who: float(random.normal(7, 1)) for who in people}, "z"),
            make_metric("dice", "Dice with the consensus", {who: float(random.beta(8, 4)) for who in people}),
        ),
        tables=(values,),
        agreement=model.Agreement(
            participants=tuple(people[:300]),
            values=tuple(rows),
            sentence="Ordered by their median agreement with the others.",
        ),
        outliers=(f"{people[3]}: {flag[people[3]]}",),
        problems=(model.Problem(source="sub-9999", reason="Its only map failed: the file ends too early."),),
        notes=(
            "The regions come from these very maps: a one-sample test of the values in them is circular. "
            "Take independent regions with --regions-from.",
        ),
        thumbnails=tuple(
            model.Thumbnail(participant=who, figure=replace(thumb, alt=f"{who}: {thumb.alt}"), href=f"{who}.html")
            for who in (people if thumbnails else ())
        ),
    )
    return model.GroupPage(
        dataset="Motor",
        version="0.2.0",
        counts=(("participants", count + 1), ("with regions", count), ("without regions", 0), ("failed", 1)),
        sets=(one,),
        volumes=volumes,
        backgrounds=(payload.pack_background(*brain(), key="brain", name="T1-weighted template"),),
        methods=METHODS,
        provenance=PROVENANCE,
    )


def hostile_page() -> model.ParticipantPage:
    """Names that try to become markup, script or another address."""
    evil = "\"><script>window.broken=1</script><img src=x onerror=window.broken=2>'</script><!--"
    page = blob_page(2)
    section = page.sections[0]
    entry = section.entries[0]
    assert entry.regions is not None
    tsv = entry.regions.tsv.replace("region-1", evil).replace("region-2", evil)
    table = replace(
        entry.regions,
        caption=evil,
        tsv=tsv,
        file_name=f"{evil}.tsv",
        href="javascript:window.broken=3",
        descriptions={"name": evil},
    )
    entry = replace(
        entry,
        name=evil,
        sentence=evil,
        regions=table,
        warnings=(evil,),
        facts=((evil, evil),),
        links=(
            model.Link(text=evil, href="javascript:window.broken=4"),
            model.Link(text="percent", href="a b/%2e#c?d.tsv"),
        ),
    )
    section = replace(
        section, title=evil, group=evil, source=evil, entries=(entry,), facts=((evil, evil),), warnings=(evil,)
    )
    problem = model.Problem(source=evil, reason=evil, hint=evil, details=evil)
    return replace(
        page,
        participant=f"sub-{evil}",
        dataset=evil,
        sections=(section, replace(section, key="other", entries=())),
        notices=(evil,),
        failures=(problem,),
        skipped=(problem,),
        methods=model.Methods(paragraphs=(evil,), references=(model.Reference(text=evil, doi=evil),)),
        provenance=model.Provenance(command=evil, settings=((evil, evil),)),
        volumes=(replace(page.volumes[0], name=evil, quantity=evil),),
    )


SAMPLES = {
    "motor": lambda: pages.render_participant(motor_page()),
    "none": lambda: pages.render_participant(empty_page()),
    "zero": lambda: pages.render_participant(blob_page(0)),
    "one": lambda: pages.render_participant(blob_page(1)),
    "regions200": lambda: pages.render_participant(blob_page(200)),
    "maps300": lambda: pages.render_participant(many_maps_page()),
    "group": lambda: pages.render_group(group_page(regions=2)),
    "hostile": lambda: pages.render_participant(hostile_page()),
}


def write_page(rendered: model.Rendered, path: Path) -> Path:
    """A page and its side files on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rendered.html)
    for name, content in rendered.side_files:
        beside = path.parent / name
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for sample in sys.argv[2:] or SAMPLES:
        written = write_page(SAMPLES[sample](), folder / f"{sample}.html")
        sys.stdout.write(f"{written} {written.stat().st_size / 1e6:.2f} MB\n")
