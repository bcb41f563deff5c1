"""A view as HTML for notebooks: everything escaped, no script, no link, nothing fetched.

Colours are the page's own, so that light and dark themes both read well. The classes keep formula
renderers out: what a stranger wrote is not typeset.
"""

from __future__ import annotations

from html import escape
from typing import Final

from tui.app.text import clean, clean_line
from tui.notebook.markdown import answer_html
from tui.notebook.view import Answered, Block, Facts, Folded, Picture, Table, Verbatim, View, Words

_FRAME: Final = (
    '<div class="peer2prompt tex2jax_ignore mathjax_ignore" dir="auto" '
    'style="color:inherit;background:transparent;line-height:1.45;max-width:60em">'
)
_TITLE: Final = '<div style="font-weight:bold;margin:.2em 0 .4em">'
_LINE: Final = "1px solid rgba(128,128,128,.35)"
_QUIET: Final = "opacity:.72;font-size:.92em"
_LOUD: Final = "border-left:3px solid rgb(200,130,0);padding-left:.6em"
_COPY: Final = (
    '<pre style="white-space:pre-wrap;overflow-wrap:anywhere;color:inherit;margin:.4em 0;'
    'padding:.4em .7em;background:rgba(128,128,128,.13);border-radius:4px">'
)
_TABLE: Final = (
    '<table style="border-collapse:collapse;margin:.3em 0;color:inherit;background:transparent">'
)


def html(view: View) -> str:
    """The whole view as one element."""
    title = f"{_TITLE}{_escaped(view.title)}</div>" if view.title else ""
    return f"{_FRAME}{title}{''.join(_block(block) for block in view.blocks)}</div>"


def _block(block: Block) -> str:
    match block:
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Words():
            style = _LOUD if block.loud else _QUIET if block.quiet else ""
            words = _escaped(block.text, 4000)
            return f'<div style="margin:.3em 0;{style}">{words}</div>'
        case Answered():
            return f"<div>{answer_html(block.text)}</div>"
        case Verbatim():
            return f"{_COPY}{escape(clean(block.text))}</pre>"
        case Picture():
            return f'<div style="margin:.4em 0">{block.svg}</div>'
        case Folded():
            summary = f'<summary style="{_QUIET}">{_escaped(block.title)}</summary>'
            return f"<details>{summary}{_COPY}{escape(clean(block.text))}</pre></details>"


def _facts(block: Facts) -> str:
    rows = "".join(
        f'<tr style="background:transparent"><td style="{_cell(name=True)}">{_escaped(name)}</td>'
        f'<td style="{_cell()}">{_escaped(value)}</td></tr>'
        for name, value in block.shown()
    )
    return f"{_TABLE}<tbody>{rows}</tbody></table>"


def _table(block: Table) -> str:
    if not block.rows:
        return f'<div style="{_QUIET}">{_escaped(block.empty)}</div>'
    right = [block.numeric(column) for column in range(len(block.headings))]
    head = "".join(
        f'<th style="{_cell(right=to_right)};border-bottom:{_LINE}">{_escaped(heading)}</th>'
        for heading, to_right in zip(block.headings, right, strict=True)
    )
    rows = "".join(
        '<tr style="background:transparent">'
        + "".join(
            f'<td style="{_cell(right=to_right)}">{_escaped(cell)}</td>'
            for cell, to_right in zip(row, right, strict=True)
        )
        + "</tr>"
        for row in block.cells()
    )
    return f"{_TABLE}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(*, right: bool = False, name: bool = False) -> str:
    side = "right" if right else "left"
    quiet = ";opacity:.72" if name else ""
    return f"text-align:{side};padding:.15em .8em .15em 0;vertical-align:top{quiet}"


def _escaped(text: str, limit: int = 400) -> str:
    return escape(clean_line(text, limit))
