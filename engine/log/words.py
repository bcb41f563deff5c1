"""What a field of a log line may hold: numbers, and words that stand in our own source.

A word is made from an exception's class, from a place in the code or from a table of ours; never
from text that a peer, a user, a provider or a mint has written. So nothing of theirs can end up in
a line, whatever they send.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

Count: TypeAlias = int
Seconds: TypeAlias = int
MOST_PLACES = 4
OTHER = "other"
_ROOTS = tuple(
    sorted({str(Path(__file__).parents[2]), *filter(None, sys.path)}, key=len, reverse=True)
)


class Word(str):
    """A word that may stand in a line. Make one with the class methods below, never from text."""

    __slots__ = ()


class Code(Word):
    """The stable code of an error, as its class has it."""

    __slots__ = ()

    @classmethod
    def of(cls, error: BaseException) -> Code:
        """The class's code; what an instance says of itself counts for nothing."""
        return cls(getattr(type(error), "code", "internal"))


class Kind(Word):
    """The name of a class of exceptions or warnings."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: type[BaseException]) -> Kind:
        return cls(kind.__name__)


class Fault(Word):
    """Kinds of exceptions and where they were raised: modules and lines, no text, no value."""

    __slots__ = ()

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        found = [_fault(leaf) for leaf in leaves(error)]
        more = f" and {len(found) - MOST_PLACES} more" if len(found) > MOST_PLACES else ""
        return cls(", ".join(found[:MOST_PLACES]) + more)


class Named(Word):
    """One of the names that a table of ours holds, or `other`."""

    __slots__ = ()

    @classmethod
    def among(cls, name: str, table: Container[str]) -> Named:
        return cls(name if name in table else OTHER)


class Library(Word):
    """The top-level name of a module that is loaded, or `other`."""

    __slots__ = ()

    @classmethod
    def of(cls, logger: str) -> Library:
        top = logger.partition(".")[0]
        return cls(top if top in sys.modules else OTHER)


Names: TypeAlias = tuple[Named, ...]


def names(wanted: Iterable[str], table: Container[str]) -> Names:
    """Names of a table, in alphabetical order."""
    return tuple(Named.among(name, table) for name in sorted(wanted))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, and of the groups in it; else the one itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def _fault(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {_module(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


def _module(file: str) -> str:
    """`engine.exit.live` for its file: where the program is installed is nobody's business."""
    for root in _ROOTS:
        if file.startswith(root + "/"):
            return file[len(root) + 1 :].removesuffix(".py").replace("/", ".")
    return Path(file).stem
