"""Whether the terminal can show the screen: size, characters, colours. Looks at this process."""

from __future__ import annotations

import os
import sys

from engine.control.protocol.overview import Finding
from tui.cli import style

LEAST_COLUMNS, LEAST_LINES = 80, 24
NAME = "terminal"


def terminal() -> Finding:
    """The terminal that this command runs in."""
    if not sys.stdout.isatty():
        return Finding(NAME, "ok", "Output goes to no terminal.")
    kind, encoding = os.environ.get("TERM", ""), (sys.stdout.encoding or "").lower()
    told = f"{kind or 'no TERM'}, {style.width()} x {style.height()}, {encoding}, {_colours(kind)}"
    if kind in ("", "dumb"):
        return _warn(told, "The screen needs a terminal that can move its cursor.", "Set TERM.")
    if encoding.replace("-", "") != "utf8":
        return _warn(told, "Lines and marks will show as question marks.", "Use a UTF-8 locale.")
    if style.width() < LEAST_COLUMNS or style.height() < LEAST_LINES:
        return _warn(
            told,
            f"The screen is made for {LEAST_COLUMNS} x {LEAST_LINES} and more.",
            "Make the window larger.",
        )
    return Finding(NAME, "ok", told)


def _warn(told: str, means: str, advice: str) -> Finding:
    return Finding(NAME, "warn", told, means, advice)


def _colours(kind: str) -> str:
    if os.environ.get("NO_COLOR"):
        return "no colours wanted"
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "16 million colours"
    return "256 colours" if "256" in kind else "few colours"
