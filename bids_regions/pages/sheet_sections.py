"""A map on surfaces as its part of the page: sentence, counts, table; it has no picture, and the page says so."""

from collections.abc import Sequence

from bids_regions.dataset import MapFile
from bids_regions.files import read_text
from bids_regions.pages.sections import HEADING, Drawn, Finished, mask_words, place_links, regions_table, section_key
from bids_regions.pages.telling import entry_titles
from bids_regions.pages.wording import entry_facts, threshold_sentence, title_of
from bids_regions.report import model
from bids_regions.results.records import Record
from bids_regions.tables import rows_of

__all__ = ["tell_section"]

NO_PICTURE = "A map on surfaces: its regions are in the table and the label files; this page has no picture of it."


def tell_section(mapfile: MapFile, done: Sequence[Finished]) -> Drawn:
    """The entries of one map side by side."""
    entities = dict(mapfile.entities)
    titles = entry_titles([each.record for each in done])
    section = model.Section(
        key=section_key(mapfile),
        title=title_of(entities),
        group=", ".join(f"{name}-{entities[name]}" for name in HEADING if name in entities),
        source=" and ".join((mapfile.relpath, *mapfile.others)),
        facts=(*_mesh_facts(done[0].record), ("mask", mask_words(done))),
        entries=tuple(_tell_entry(each, title) for each, title in zip(done, titles, strict=True)),
        warnings=(NO_PICTURE,),
    )
    return Drawn(section=section, volume=None, backgrounds=(), files={})


def _tell_entry(done: Finished, title: str) -> model.EntryView:
    place, record, table = done.place, done.record, read_text(done.place.table)
    return model.EntryView(
        name=place.entry,
        title=title,
        sentence=threshold_sentence(record),
        facts=entry_facts(record),
        n_regions=len(rows_of(table)),
        regions=regions_table(place, record, table, title),
        peaks=read_text(place.peaks),
        warnings=record.warnings,
        links=place_links(place),
    )


def _mesh_facts(record: Record) -> tuple[tuple[str, str], ...]:
    """Where meshes and areas came from; once where all are alike."""
    meshes = dict.fromkeys(used.get("Mesh", "") for used in record.surfaces.values())
    areas = dict.fromkeys(used.get("Areas", "") for used in record.surfaces.values())
    return ("mesh", ", ".join(meshes)), ("areas of vertices", ", ".join(areas))
