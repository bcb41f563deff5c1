"""An invoice as a QR code of half blocks, where the terminal has room for it."""

from __future__ import annotations

import sys

from tui.cli import style

_BLOCKS = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
"""Two modules, upper and lower, in one character; light modules are drawn, dark ones left out, so
that a dark terminal shows a light code with its border."""

_BORDER = 2


def print_qr(text: str, short: str = "", *, besides: int = 0) -> None:
    """Print the code when standard output is a terminal that shows it whole; otherwise say what
    it needs, because a part of a code is of no use.

    `short` is taken where the code of `text` and `besides` more lines do not fit.
    """
    if not sys.stdout.isatty():
        return
    lines = qr_lines(text)
    if short and len(lines) + besides >= style.height():
        lines = qr_lines(short)
    if not lines or not _can_print(lines[0]):
        return
    if len(lines) >= style.height() or len(lines[0]) > style.width():
        print(
            f"Its QR code needs a window of {len(lines[0])} columns and {len(lines) + 1} lines; "
            f"this one has {style.width()} and {style.height()}.\n"
            "Enlarge the window or make its letters smaller, then run this again; for an\n"
            "invoice the screen (`peer2prompt`) also writes the code as a picture file."
        )
        print()
        return
    for line in lines:
        # Explicit colours where allowed: a light terminal would show the code inverted.
        print(f"\x1b[97;40m{line}\x1b[0m" if style.coloured(sys.stdout) else line)
    print()


def qr_lines(text: str) -> list[str]:
    """The code's lines. Upper case, as invoices allow, makes it smaller."""
    import segno

    try:
        code = segno.make(text.upper(), error="l", micro=False)
    except (segno.DataOverflowError, ValueError):
        return []
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _can_print(line: str) -> bool:
    try:
        line.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
