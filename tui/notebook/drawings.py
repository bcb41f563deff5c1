"""Small pictures drawn here from numbers alone, with a form in characters for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tui.app.text import spark
from tui.notebook.view import Picture

_WIDTH: Final = 240
_HEIGHT: Final = 36


def bars(values: Sequence[int], what: str) -> Picture:
    """A bar for each value, in the colour of the text. `what` is ours and goes into the label."""
    top = max(max(values, default=0), 1)
    step = _WIDTH / max(len(values), 1)
    drawn = "".join(
        f'<rect x="{n * step:.1f}" y="{_HEIGHT - _HEIGHT * max(0, value) / top:.1f}" '
        f'width="{step * 0.8:.1f}" height="{_HEIGHT * max(0, value) / top:.1f}"/>'
        for n, value in enumerate(values)
    )
    svg = (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{what}" '
        f'fill="currentColor" opacity="0.7">{drawn}</svg>'
        f'<div style="opacity:.72;font-size:.92em">{what}</div>'
    )
    return Picture(svg, f"{spark(values, len(values))}  {what}")


def qr(text: str) -> Picture | None:
    """A QR code, dark on white in every theme; None for what is too long for one."""
    import segno

    from tui.cli.qr import qr_lines

    lines = qr_lines(text)
    if not lines:
        return None
    code = segno.make(text.upper(), error="l", micro=False)
    svg = code.svg_inline(scale=3, border=3, dark="#000", light="#fff", lineclass=None)
    return Picture(svg, "\n".join(lines))
