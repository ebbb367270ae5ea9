"""XML of strangers, read forward only: elements, their attributes and their text, and nothing that XML can do besides.

A document may name a document type, as every GIFTI file does, but may not define one: entities, which is what makes
XML dangerous, are refused, and nothing is ever fetched. What one tag may take is limited, and how deep tags nest.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol
from xml.parsers import expat

from bids_regions.errors import BadMap, Fault
from bids_regions.frozen import dataclass
from bids_regions.images.inflation import FETCH_AGAIN

__all__ = ["Bulk", "Elements", "parse_xml"]

DEPTH = 24  # nested elements; GIFTI and CIFTI need eight
N_ELEMENTS = 1 << 20  # of one document: a series of some ten thousand arrays
TAG = 1 << 20  # bytes of one tag; those of real files have less than a thousand
HANDLERS = (
    "StartElementHandler", "EndElementHandler", "CharacterDataHandler", "StartDoctypeDeclHandler", "EntityDeclHandler",
    "ExternalEntityRefHandler", "SkippedEntityHandler",
)  # fmt: skip
BUFFER = 1 << 14  # characters of text handed over at once


class Elements(Protocol):
    """Who is told of what stands in a document, in its order."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def text(self, text: str) -> None:
        """A piece of text; what stands between two tags may come in several pieces."""

    def end(self, name: str) -> None:
        """The element `name`, the last that began and has not ended, ends."""


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """Who takes long text past the parser, in half of the time."""

    tag: bytes  # behind which it stands, as mostly written
    take: Callable[[bytes], bool]  # False, and nothing is done, unless each byte means itself in every XML document


def parse_xml(blocks: Iterable[bytes | memoryview], elements: Elements, name: str, bulk: Bulk | None = None) -> None:
    """Tell `elements` of the document that comes in `blocks`; `name` is what sentences call the file.

    Raises
    ------
    BadMap
        The document is broken, ends too early, or does what no harmless one does.
    """
    guard = _Guard(elements, name, bulk)
    try:
        for block in blocks:
            guard.pass_on(bytes(block))
        guard.parser.Parse(b"", True)
    except Fault:
        raise
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code) or "an unknown fault"
        raise BadMap(
            f"{name} is damaged: its XML is broken in line {error.lineno} ({what})", hint=FETCH_AGAIN
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that there is not, or that has no place in XML
        raise BadMap(f"{name} is damaged: its XML is in an unknown encoding", hint=FETCH_AGAIN) from error
    finally:
        guard.let_go()


class _Guard:
    """Passes on what is harmless and refuses the rest."""

    def __init__(self, elements: Elements, name: str, bulk: Bulk | None) -> None:
        self.elements, self.name, self.bulk = elements, name, bulk
        self.depth = self.n_elements = 0
        self.fed = 0  # bytes that the parser got
        self.begun = -1  # where among them the last element began
        self.in_bulk = False
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text, parser.buffer_size = True, BUFFER
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = elements.text
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.entity
        parser.ExternalEntityRefHandler = self.entity
        parser.SkippedEntityHandler = self.entity

    def let_go(self) -> None:
        """Part from the parser, which holds all that was told until somebody looks for such rings."""
        for handler in HANDLERS:
            setattr(self.parser, handler, None)

    def pass_on(self, block: bytes) -> None:
        """Hand a block to the parser, but for bulk text."""
        tag = self.bulk.tag if self.bulk else b""
        at = self.pass_bulk(block, 0)
        while at < len(block):
            there = block.find(tag, at) if tag else -1
            end = len(block) if there < 0 else there + len(tag)
            self.parse(block[at:end])
            self.in_bulk = there >= 0 and self.begun + len(tag) == self.fed
            if there >= 0 and not self.in_bulk:  # in a comment, which the parser reads anew each time it gets more
                self.parse(block[end:])
                return
            at = self.pass_bulk(block, end)

    def pass_bulk(self, block: bytes, at: int) -> int:
        """Where the text ends that the parser need not see, of which there may be none."""
        if not self.in_bulk or self.bulk is None:
            return at
        there = block.find(b"<", at)
        end = len(block) if there < 0 else there
        taken = self.bulk.take(block[at:end])
        self.in_bulk = taken and there < 0
        return end if taken else at

    def parse(self, part: bytes) -> None:
        self.parser.Parse(part, False)
        self.fed += len(part)
        if self.fed - self.parser.CurrentByteIndex > TAG + len(part):
            raise BadMap(f"{self.name} has an XML tag of more than {TAG >> 20} MiB", hint=FETCH_AGAIN)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.begun = self.parser.CurrentByteIndex
        self.depth += 1
        self.n_elements += 1
        if self.depth > DEPTH or self.n_elements > N_ELEMENTS:
            what = f"nested deeper than {DEPTH}" if self.depth > DEPTH else f"more than {N_ELEMENTS}"
            raise BadMap(f"{self.name} has XML elements {what}: no image has", hint=FETCH_AGAIN)
        self.elements.start(name, attributes)

    def end(self, name: str) -> None:
        self.depth -= 1
        self.elements.end(name)

    def doctype(self, _name: str, _system: str | None, _public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            self.entity()

    def entity(self, *_: object) -> int:
        raise BadMap(f"{self.name} needs XML entities, which no image has: it is not read", hint=FETCH_AGAIN)
