"""The page of one participant: every finished map of that participant in the output, drawn and written once.

A page ends with a comment that holds hashes of what it was made from and of what it is; by them a rerun knows whether
the page, and the figures beside it, still stand. What stands in a section is not known here (`sections`), nor when a
page is due.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bids_regions.errors import Fault
from bids_regions.files import hash_bytes, hash_file, hash_of, write_bytes
from bids_regions.frozen import dataclass
from bids_regions.pages.sections import Drawn
from bids_regions.report import model
from bids_regions.report.pages import render_participant
from bids_regions.results.failures import find_failures
from bids_regions.results.records import library_versions
from bids_regions.results.walk import Result

__all__ = ["PageContext", "PageJob", "is_current", "neighbours_of", "page_key", "told_failures", "write_page"]

MARK = b"<!-- bids_regions page "


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What all pages of a run share."""

    skipped: Mapping[str, tuple[model.Problem, ...]]  # by owner
    notices: tuple[str, ...]
    methods: model.Methods
    provenance: model.Provenance
    dataset_name: str
    redraw: bool  # pages are written again, however they stand


@dataclass(frozen=True, kw_only=True)
class PageJob:
    """Everything a participant's page is made of."""

    owner: str  # "sub-01"
    output_dir: Path
    key: str
    drawn: tuple[Drawn, ...]
    skipped: tuple[model.Problem, ...]
    failures: tuple[model.Problem, ...]
    notices: tuple[str, ...]
    methods: model.Methods
    provenance: model.Provenance
    dataset_name: str
    neighbours: tuple[model.Link, ...] = ()
    appendix: tuple[model.Table, ...] = ()


def told_failures(output_dir: Path, owner: str) -> tuple[model.Problem, ...]:
    """The failures of one owner, of this run and of earlier ones that nothing has cleared since."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}  # one problem of a file, whatever the entries
    for _, failure in find_failures(output_dir, owner):
        what = (failure.source, failure.reason, failure.hint, failure.crash)
        alike.setdefault(what, []).append(failure.entry)
    return tuple(
        model.Problem(source=f"{source} ({', '.join(dict.fromkeys(entries))})", reason=reason, hint=hint, details=crash)
        for (source, reason, hint, crash), entries in alike.items()
    )


def page_key(results: Iterable[Result], told: Mapping[str, Any]) -> str:
    """The hash of everything a page is made from: its records, and what is told beside them."""
    records = sorted((each.paths.sidecar.name, each.digest) for each in results)
    return hash_of({"records": records, **told, **library_versions()})


def is_current(output_dir: Path, owner: str, key: str) -> bool:
    """Whether the page of `owner` was made from just this and stands undamaged, with its figures."""
    try:
        content = (output_dir / f"{owner}.html").read_bytes()
    except OSError:
        return False
    body, mark, rest = content.rpartition(MARK)
    if not mark:
        return False
    try:
        trailer = json.loads(base64.b64decode(rest.removesuffix(b" -->\n"), validate=True))
        beside = all(hash_file(output_dir / name) == digest for name, digest in trailer["files"].items())
        return bool(trailer["key"] == key and trailer["body"] == hash_bytes(body) and beside)
    except (Fault, ValueError, KeyError, TypeError, AttributeError):
        return False


def neighbours_of(owner: str, dataset_root: Path) -> tuple[model.Link, ...]:
    """Links to the group's page and to the participants before and after, by the folders of the source dataset.

    Whether a page stands there yet is not asked: the pages of equal runs are equal, whatever ran before. A folder
    without an image has no page, and is passed over.
    """
    owners = _owners(dataset_root, dataset_root.stat().st_mtime_ns)
    at = owners.index(owner) if owner in owners else len(owners)
    before = (name for name in reversed(owners[:at]) if owner in owners and _holds_images(dataset_root / name))
    after = (name for name in owners[at + 1 :] if _holds_images(dataset_root / name))
    beside = [name for name in (next(before, ""), next(after, "")) if name]
    return (model.Link(text="Group", href="group.html"), *(model.Link(text=o, href=f"{o}.html") for o in beside))


@lru_cache(maxsize=1)
def _owners(dataset_root: Path, _mtime: int) -> list[str]:
    return sorted(path.name for path in dataset_root.glob("sub-*") if path.is_dir())


def _holds_images(folder: Path) -> bool:
    """Whether an image lies there; a folder that cannot be read has a page, which says so."""

    def tell(error: OSError) -> None:
        raise error

    try:
        return any(
            name.startswith("sub-") and name.endswith((".nii", ".nii.gz", ".gii"))
            for _, _, names in os.walk(folder, onerror=tell)  # Path.rglob passes over what may not be read
            for name in names
        )
    except OSError:
        return True


def write_page(job: PageJob) -> str:
    """Render and write one participant's page, the files beside it first; returns the participant."""
    backgrounds = {b.key: b for drawn in job.drawn for b in drawn.backgrounds}
    rendered = render_participant(
        model.ParticipantPage(
            participant=job.owner,
            dataset=job.dataset_name,
            version=library_versions()["bids_regions"],
            sections=tuple(drawn.section for drawn in job.drawn),
            volumes=tuple(volume for drawn in job.drawn for volume in drawn.volumes),
            backgrounds=tuple(backgrounds.values()),
            sheets=tuple({sheet.key: sheet for drawn in job.drawn for sheet in drawn.sheets}.values()),
            skipped=job.skipped,
            failures=job.failures,
            notices=job.notices,
            methods=job.methods,
            provenance=job.provenance,
            neighbours=job.neighbours,
            appendix=job.appendix,
        )
    )
    files = {name: digest for drawn in job.drawn for name, digest in drawn.files.items()}
    for name, content in rendered.side_files:
        write_bytes(job.output_dir / name, content, only_if_changed=True)
        files[name] = hash_bytes(content)
    html = seal_page(rendered.html, job.key, files)
    write_bytes(job.output_dir / f"{job.owner}.html", html, only_if_changed=True)
    return job.owner


def seal_page(html: bytes, key: str, files: Mapping[str, str]) -> bytes:
    """The page with the comment that tells what it was made from and what stands beside it."""
    trailer = json.dumps({"key": key, "body": hash_bytes(html), "files": dict(sorted(files.items()))})
    return html + MARK + base64.b64encode(trailer.encode()) + b" -->\n"
