"""A plot of bars made of block characters, readable without colour. Pure."""

from __future__ import annotations

from collections.abc import Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"


def columns(values: Sequence[float], width: int, height: int) -> list[str]:
    """`height` lines of `width` characters: a bar for each value, the last one at the right.

    Values below 0 count as 0; something that is not 0 is never invisible. Where there is room a
    bar is more than one character wide, with a gap; where there is not, the oldest are left out.
    """
    if width <= 0 or height <= 0:
        return []
    shown = [max(0.0, value) for value in values][-width:]
    if not shown:
        return [" " * width] * height
    step = max(1, width // len(shown))
    bar = step - 1 if step > 2 else 1
    top = max(shown)
    levels = [_level(value, top, height) for value in shown]
    lines = []
    for row in range(height - 1, -1, -1):
        cells = (EIGHTHS[max(0, min(8, level - 8 * row))] for level in levels)
        lines.append("".join((cell * bar).ljust(step) for cell in cells).ljust(width)[:width])
    return lines


def _level(value: float, top: float, height: int) -> int:
    """The bar's height in eighths of a line."""
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(8 * height, round(8 * height * value / top)))
