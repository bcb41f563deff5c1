"""What a result shows, before it is text or HTML: so that both say the same, and one place escapes.

A view is made of blocks. Everything in one is plain text from anybody, but `Picture.svg`, which is
drawn here from numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tui.app.text import clean_line

T = TypeVar("T")
_AMOUNT = re.compile(r"[+-]?\d[\d,.]*( %| [a-zµ]{1,4})?")  # 7, -4 sat, 0.73, 12 ms, 86 %


@dataclass(frozen=True)
class Facts:
    """Names and values; those without a value are left out."""

    rows: Sequence[tuple[str, object]]

    def shown(self) -> list[tuple[str, str]]:
        return [(name, _words(value)) for name, value in self.rows if value not in (None, "", [])]


@dataclass(frozen=True)
class Table:
    """Rows under headings, or one sentence when there are none. Numbers stand to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."

    def cells(self) -> list[list[str]]:
        return [[_words(value) for value in row] for row in self.rows]

    def numeric(self, column: int) -> bool:
        known = [_words(row[column]) for row in self.rows if row[column] is not None]
        return bool(known) and all(_AMOUNT.fullmatch(text) for text in known)


@dataclass(frozen=True)
class Words:
    """A sentence or two; `quiet` ones stand back, `loud` ones are warnings."""

    text: str
    quiet: bool = False
    loud: bool = False


@dataclass(frozen=True)
class Answered:
    """An answer's Markdown. Nobody answers for what is in it."""

    text: str


@dataclass(frozen=True)
class Verbatim:
    """Text to be copied as it is: an invoice, a token, arguments of a call."""

    text: str


@dataclass(frozen=True)
class Picture:
    """Our own drawing, and the same in characters."""

    svg: str
    text: str


@dataclass(frozen=True)
class Folded:
    """Text that is looked at when wanted; as characters only its length is told."""

    title: str
    text: str


Block = Facts | Table | Words | Answered | Verbatim | Picture | Folded


@dataclass(frozen=True)
class View:
    """A result as it is shown; without a title the blocks stand alone."""

    title: str
    blocks: Sequence[Block]


class Shown:
    """Gives a result its three faces: `repr`, IPython's text, and HTML."""

    __slots__ = ()

    def _view(self) -> View:
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from tui.notebook.plain import plain

        return plain(self._view())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))

    def _repr_html_(self) -> str:
        from tui.notebook.html import html

        return html(self._view())


class Guarded(Shown):
    """A result that holds words of a chat, a path or money: `repr`, which ends up in logs, says
    only what kind of thing it is. `str` and the notebook show it."""

    __slots__ = ()

    def _summary(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {clean_line(self._summary())}>"

    # IPython takes the first class that has either of the two.
    _repr_pretty_ = Shown._repr_pretty_


class Shelf(Shown, list[T]):
    """A list of results that shows itself as a table."""

    __slots__ = ()


class GuardedShelf(Guarded, list[T]):
    """The same for what must not end up in logs."""

    __slots__ = ()

    def _summary(self) -> str:
        return str(len(self))


def _words(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
