"""Templates compiled once: jinja2's byte-code beside the templates, as Python keeps its own beside its modules.

To compile them takes longer than to fill them in. What is kept is told by the text of the template, the options it was
compiled with, jinja2 and Python; where it cannot be written (a folder of the system, PYTHONDONTWRITEBYTECODE) templates
are compiled in each run.
"""

import inspect
import sys
from contextlib import suppress
from pathlib import Path

from jinja2 import BytecodeCache, Environment
from jinja2 import __version__ as JINJA_VERSION  # noqa: N812
from jinja2.bccache import Bucket

from bids_regions.errors import Fault
from bids_regions.files import hash_bytes, write_bytes

__all__ = ["TEMPLATES", "CompiledTemplates"]

TEMPLATES = Path(__file__).parent / "templates"
APART = {"extensions", "enable_async", "loader", "cache_size", "auto_reload", "bytecode_cache"}  # or not compiled in
OPTIONS = ("is_async", *(name for name in inspect.signature(Environment).parameters if name not in APART))


class CompiledTemplates(BytecodeCache):
    """Byte-code of templates in `__pycache__`, each behind its hash; of another template, or broken, it is none."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._folder = folder / "__pycache__"

    def _path(self, bucket: Bucket) -> Path:
        versions = f"{sys.implementation.cache_tag}.jinja2-{JINJA_VERSION}"
        return self._folder / f"{bucket.key}.{hash_bytes(_compiled_in(bucket.environment))[:16]}.{versions}.bytecode"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Put what is kept into the bucket, if it is whole and of its template."""
        with suppress(OSError):
            digest, _, code = self._path(bucket).read_bytes().partition(b"\n")
            if digest == hash_bytes(code).encode():
                bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what the bucket holds, where that can be."""
        if not sys.dont_write_bytecode:
            with suppress(OSError, Fault):
                self._folder.mkdir(exist_ok=True)
                code = bucket.bytecode_to_string()
                write_bytes(self._path(bucket), hash_bytes(code).encode() + b"\n" + code)


def _compiled_in(environment: Environment) -> bytes:
    """What of an environment goes into byte-code: its options, and how each filter and test is called."""
    options = {name: getattr(environment, name) for name in OPTIONS}
    told = {name: getattr(value, "__qualname__", None) or repr(value) for name, value in options.items()}
    called = {
        f"{kind} {name}": str(getattr(function, "jinja_pass_arg", ""))
        for kind, functions in (("filter", environment.filters), ("test", environment.tests))
        for name, function in functions.items()
    }
    return repr((sorted(told.items()), sorted(environment.extensions), sorted(called.items()))).encode()
