"""XML of strangers, read forward only: elements, their attributes and their text, and nothing that XML can do besides.

A document may name a document type, as every GIFTI file does, but may not define one: entities, which is what makes
XML dangerous, are refused, and nothing is ever fetched. What one tag may take is limited, and how deep tags nest.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol
from xml.parsers import expat

from bids_regions.errors import BadMap, Fault
from bids_regions.images.inflation import FETCH_AGAIN

__all__ = ["Elements", "parse_xml"]

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


def parse_xml(blocks: Iterable[bytes | memoryview], elements: Elements, name: str) -> None:
    """Tell `elements` of the document that comes in `blocks`; `name` is what sentences call the file.

    Raises
    ------
    BadMap
        The document is broken, ends too early, or does what no harmless one does.
    """
    guard, fed = _Guard(elements, name), 0
    parser = guard.parser
    try:
        for block in blocks:
            parser.Parse(bytes(block), False)
            fed += len(block)
            if fed - parser.CurrentByteIndex > TAG + len(block):
                raise BadMap(f"{name} has an XML tag of more than {TAG >> 20} MiB", hint=FETCH_AGAIN)
        parser.Parse(b"", True)
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

    def __init__(self, elements: Elements, name: str) -> None:
        self.elements, self.name = elements, name
        self.depth = self.n_elements = 0
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

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
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
