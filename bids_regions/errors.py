"""What a user can fix: each fault is one sentence, what to do about it, and the exit code it leads to.

This room knows no file, no map and no option: it is the ground floor, and every other room may stand on it.
"""

from collections.abc import Iterable

__all__ = [
    "LONGEST",
    "BadDataset",
    "BadMap",
    "Contradiction",
    "EmptySelection",
    "Fault",
    "MissingInput",
    "OutputRefused",
    "StorageFault",
    "UnsuitableMap",
    "WrongCall",
    "printable",
    "tell_error",
    "tell_os_error",
]


LONGEST = 6000  # characters of a sentence: a path may have 4096


def printable(text: object, limit: int = 500) -> str:
    r"""`text` on one line, without control characters, so that no name from a dataset can forge a line of a log.

    >>> printable("sub-01\nall well")
    'sub-01\\nall well'
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def tell_error(error: BaseException) -> str:
    """What an exception of a library says: some of them tell the whole file.

    >>> tell_error(ValueError("no number"))
    'ValueError: no number'
    """
    return f"{type(error).__name__}: {printable(error)}"


class Fault(Exception):
    """Something a user can fix.

    Parameters
    ----------
    sentence
        Names the file, map or option and says what is wrong with it.
    hint
        What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = printable(sentence, LONGEST)
        self.hint = printable(hint, 2000)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes whole: the hint is not among `args`."""
        return (_rebuild, (type(self), self.sentence, self.hint, {}))

    def __str__(self) -> str:
        parts = [p.rstrip(". ") for p in (self.sentence, self.hint) if p]
        return " ".join(part if part.endswith("?") else part + "." for part in parts)


def _rebuild(kind: type[Fault], sentence: str, hint: str, state: dict[str, object]) -> Fault:
    fault = kind(sentence, hint=hint)
    fault.__dict__.update(state)
    return fault


class BadMap(Fault, ValueError):
    """A map that cannot be used as asked: broken, or without what the settings need."""


class UnsuitableMap(Fault, ValueError):
    """A file that is no 3-D statistical map; it is skipped with this reason, which is no failure."""

    exit_code = 0


class Contradiction(Fault, ValueError):
    """Options or configuration keys that cannot hold together; all of them are told at once."""

    exit_code = 64

    def __init__(self, sentence: str = "", *, hint: str = "", problems: Iterable[str] = ()) -> None:
        self.problems = tuple(printable(p, 2000) for p in problems) or ((sentence,) if sentence else ())
        super().__init__(sentence or "; ".join(self.problems), hint=hint)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.sentence, self.hint, {"problems": self.problems}))


class WrongCall(Contradiction, TypeError):
    """An argument that a function does not have, or lacks: from Python alone."""


class BadDataset(Fault, ValueError):
    """A dataset that does not say what it is, or says it in a way that cannot be read."""

    exit_code = 16


class EmptySelection(Fault, LookupError):
    """Maps exist, and the selection left none of them."""

    exit_code = 18


class MissingInput(Fault, FileNotFoundError):
    """A dataset or a named file that is not there or cannot be read, or a dataset without any map."""

    exit_code = 66


class OutputRefused(Fault, OSError):
    """The output folder cannot be made or written."""

    exit_code = 73


class StorageFault(Fault, OSError):
    """Reading or writing failed on the way: a full disk, a lost file system."""

    exit_code = 74


def tell_os_error(error: OSError) -> StorageFault:
    """What the operating system refused, as a fault: for calls whose own room could not say it better.

    >>> str(tell_os_error(OSError(5, "Input/output error", "/data/a.tsv")))
    '/data/a.tsv: Input/output error. Fix the storage and run again.'
    """
    where = f"{error.filename}: " if error.filename else ""
    return StorageFault(f"{where}{error.strerror or error}", hint="Fix the storage and run again")
