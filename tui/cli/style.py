"""Plain text for terminals: emphasis where it is wanted, no foreign control characters, tables.

Mint names, model names and answers come from strangers. Before they reach a terminal their control
characters are taken out, so that they cannot move the cursor or rewrite what was printed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without control characters, except newline and tab."""
    return _CONTROL.sub("", text)


def unit(mint: str | None) -> str:
    """The unit of an amount at this mint: what stands after `#` in its name, else sat."""
    return clean(mint or "").partition("#")[2] or "sat"


def amount(counted: int, unit: str) -> int | Decimal:
    """An amount as people write it: a mint counts usd in cents."""
    return Decimal(counted).scaleb(-2) if unit == "usd" else counted


def money(counted: int, unit: str) -> str:
    """An amount with its unit."""
    return f"{amount(counted, unit)} {unit}"


def one_line(text: str, width: int = 60) -> str:
    """The text cleaned, on one line and not longer than `width`."""
    line = " ".join(clean(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def coloured(stream: TextIO) -> bool:
    """Whether escape sequences are welcome there; NO_COLOR and dumb terminals say no."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def bold(text: str, stream: TextIO | None = None) -> str:
    return f"\x1b[1m{text}\x1b[0m" if coloured(stream or sys.stdout) else text


def width() -> int:
    """Columns of the terminal, 80 when unknown."""
    return shutil.get_terminal_size().columns


def height() -> int:
    """Lines of the terminal, 24 when unknown."""
    return shutil.get_terminal_size().lines


def facts(rows: Iterable[tuple[str, object]]) -> None:
    """Print names and values in two columns; rows without a value are left out."""
    kept = [(name, value) for name, value in rows if value not in (None, "", [])]
    column = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        print(f"{bold(name.ljust(column))}  {clean(str(value))}")


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under headings, numbers to the right; one sentence when there are none."""
    if not rows:
        print(empty)
        return
    numeric = [
        all(isinstance(row[n], int | float | Decimal) for row in rows) for n in range(len(headings))
    ]
    cells = [[one_line(_cell(value)) for value in row] for row in rows]
    widths = [max(len(headings[n]), *(len(row[n]) for row in cells)) for n in range(len(headings))]
    print(bold(_line(headings, widths, numeric)))
    for row in cells:
        print(_line(row, widths, numeric))


def many(number: int, name: str) -> str:
    """ "1 relay", "2 relays"."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def sat(msat: int) -> str:
    """An amount in millisatoshi for people."""
    whole, rest = divmod(msat, 1000)
    return f"{whole} sat" if not rest else f"{msat / 1000:.3f} sat"


def age(seconds: float) -> str:
    """A span of time in its two largest units."""
    seconds = max(0, int(seconds))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 s"


def moment(timestamp: float) -> str:
    """A point in time in local time, to the minute."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(timestamp))
    except (OverflowError, ValueError, OSError):
        return "?"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return "-" if value is None else str(value)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (
        cell.rjust(size) if right else cell.ljust(size)
        for cell, size, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(padded).rstrip()
