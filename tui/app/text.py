"""Words and numbers for people: amounts, ages, rates, and cleaning of text that others wrote.

Pure functions. Nothing here may import Textual: the same words serve tests and screens alike.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

# C0 and C1 controls except newline and tab, and marks that reorder text on screen. A ghost's
# answer, a mint's name or an error must never drive the terminal or lie about the order of words.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]"
)
SPARKS = "▁▂▃▄▅▆▇█"


def clean(text: object, limit: int = 4_000_000) -> str:
    """Text from outside, without anything a terminal would obey."""
    raw = str(text)[:limit].replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub("", raw)


def clean_line(text: object, limit: int = 400) -> str:
    """The same on one line."""
    return " ".join(clean(text, limit).split())


def ellipsis(text: str, width: int) -> str:
    """Cut to `width` characters, saying so with an ellipsis."""
    if width <= 0:
        return ""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def sat(amount: int | float | None) -> str:
    """Whole satoshi with thousands separators."""
    return "unknown" if amount is None else f"{int(amount):,} sat"


def msat(amount: int | None) -> str:
    """Millisatoshi shown as satoshi, with as many digits as matter."""
    if amount is None:
        return "unknown"
    if amount % 1000 == 0 or abs(amount) >= 1_000_000:
        return f"{amount // 1000:,} sat"
    return f"{amount / 1000:,.3f}".rstrip("0").rstrip(".") + " sat"


def in_sat(amount_msat: int) -> str:
    """The same without its unit, where the head of a column says it."""
    return msat(amount_msat).removesuffix(" sat")


def number(value: float) -> str:
    """A count that stays short: 999, 12.3 k, 4.5 M."""
    if value < 10_000:
        return f"{value:,.0f}"
    if value < 1_000_000:
        return f"{value / 1000:.1f} k"
    return f"{value / 1_000_000:.1f} M"


def rate(value: float) -> str:
    """Cells per second."""
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def age(seconds: float | None) -> str:
    """An age in its largest whole unit: 42 s, 5 min, 3 h, 12 d."""
    if seconds is None:
        return "unknown"
    value = max(0.0, float(seconds))
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    if value < 172_800:
        return f"{value / 3600:.0f} h"
    return f"{value / 86_400:.0f} d"


def moment(ts: float, form: str) -> str:
    """A point in local time, by a form of `strftime`; nothing for one that no calendar has."""
    try:
        return time.strftime(form, time.localtime(ts))
    except (OverflowError, ValueError, OSError):
        return ""


def took(milliseconds: float | None) -> str:
    """A duration that was measured."""
    if milliseconds is None:
        return "unknown"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def spark(values: Iterable[float], width: int) -> str:
    """A line of block characters; survives without colour."""
    series: Sequence[float] = list(values)[-width:]
    if not series:
        return ""
    top = max(series) * 1.3  # a steady rate is a line in the middle, not a wall
    if top <= 0:
        return SPARKS[0] * len(series)
    return "".join(SPARKS[min(7, int(7 * max(0.0, value) / top + 0.5))] for value in series)


def wrap(text: str, width: int) -> list[str]:
    """Plain wrapping at words that keeps the writer's own line breaks and indents."""
    from rich.cells import cell_len, chop_cells

    width = max(1, width)
    lines: list[str] = []
    for source in text.expandtabs(4).split("\n"):
        line = ""
        for word in re.findall(r"\s+|\S+", source):
            if cell_len(line) + cell_len(word) <= width:
                line += word
                continue
            if line.strip():
                lines.append(line.rstrip())
                word = word.lstrip()
            pieces = chop_cells(word, width) or [""]
            lines.extend(pieces[:-1])
            line = pieces[-1]
        lines.append(line.rstrip())
    return lines


def money(amount: int, unit: str = "sat", *, sign: bool = False) -> str:
    """An amount of ecash in the unit of its account; usd is counted in cents."""
    shown = f"{amount:+,}" if sign else f"{amount:,}"
    if unit == "usd":
        mark = "-" if amount < 0 else "+" if sign else ""
        return f"{mark}{abs(amount) // 100:,}.{abs(amount) % 100:02} usd"
    return f"{shown} {unit}"
