"""A view as text, for terminals and for readers of a notebook's source. Obeys nobody's controls."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tui.app.text import clean, clean_line, ellipsis
from tui.notebook.view import Answered, Block, Facts, Folded, Picture, Table, Verbatim, View, Words

_WIDTH = 100
_CELL = 60


def plain(view: View) -> str:
    """The whole view; blocks are set apart by empty lines."""
    pieces = [_block(block) for block in view.blocks]
    shown = "\n\n".join(piece for piece in pieces if piece)
    return f"{clean_line(view.title)}\n\n{shown}".strip("\n") if view.title else shown


def _block(block: Block) -> str:
    match block:
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Words():
            mark = "! " if block.loud else ""
            return textwrap.fill(mark + clean_line(block.text, 4000), _WIDTH)
        case Answered() | Verbatim():
            return clean(block.text).strip("\n")
        case Picture():
            return block.text
        case Folded():
            return f"({clean_line(block.title)}: {len(block.text):,} characters)"


def _facts(block: Facts) -> str:
    rows = block.shown()
    column = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name.ljust(column)}  {clean_line(value)}" for name, value in rows)


def _table(block: Table) -> str:
    if not block.rows:
        return block.empty
    columns = range(len(block.headings))
    cells = [[ellipsis(clean_line(cell), _CELL) for cell in row] for row in block.cells()]
    widths = [max(len(block.headings[n]), *(len(row[n]) for row in cells)) for n in columns]
    right = [block.numeric(n) for n in columns]
    return "\n".join(_line(row, widths, right) for row in [list(block.headings), *cells])


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()
