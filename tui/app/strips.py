"""Small helps for drawing by lines."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip


def over(strip: Strip, style: Style) -> Strip:
    """A row with a style above its own. (`Strip.apply_style` goes below: a row that has a
    background keeps it.)"""
    return Strip(Segment.apply_style(strip, None, style), strip.cell_length)
