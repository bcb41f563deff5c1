"""QR codes in half blocks: beside other words where they fit, else alone on the whole screen."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

INK = "#000000 on #ffffff"
# Phones read a code with one light module around it; the norm asks for four.
BORDER, LEAST_BORDER = 2, 1
MOST_CHARS = 2900


def qr_lines(text: str, border: int = BORDER) -> list[str]:
    """A QR code in half blocks, two modules a character, with its quiet zone."""
    import segno

    code = segno.make(text, error="l", micro=False)
    rows = [[bool(cell) for cell in row] for row in code.matrix_iter(border=border)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [
        "".join(blocks[pair] for pair in zip(rows[i], rows[i + 1], strict=True))
        for i in range(0, len(rows), 2)
    ]


def write_picture(text: str, name: str = "invoice") -> str:
    """Write the QR code as an SVG file only the user can read; says where."""
    import segno

    try:
        handle, path = tempfile.mkstemp(prefix=f"peer2prompt-{name}-", suffix=".svg")
        with os.fdopen(handle, "wb") as file:
            segno.make(text, error="l", micro=False).save(file, kind="svg", scale=8, border=4)
    except OSError as exc:
        return f"The picture could not be written: {exc}"
    return f"The QR code is in {Path(path)}"


def fitted(text: str, height: int, width: int) -> Content:
    """The code when it fits whole, because half a code helps nobody; else words about it."""
    if len(text) > MOST_CHARS:
        return Content.styled("This is too long for a QR code: copy it.", "$muted")
    code = qr_lines(text)
    if len(code) <= height and len(code[0]) <= width:
        return Content.styled("\n".join(code), INK)
    return Content.styled(
        f"A QR code of this needs {len(code)} lines and this window has room for "
        f"{max(0, height)}. z shows it alone on the whole screen; or copy the text, write the "
        "picture, or enlarge the window and open it again.",
        "$muted",
    )


class WholeQr(ModalScreen[None]):
    """A code and nothing else. Any key goes back."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,z", "leave", "Back", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        yield Static(id="whole-qr")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        widget = self.query_one("#whole-qr", Static)
        height, width = self.app.size.height, self.app.size.width
        code = qr_lines(self._text)
        if len(code) > height or len(code[0]) > width:
            code = qr_lines(self._text, LEAST_BORDER)
        if len(code) <= height and len(code[0]) <= width:
            widget.update(Content.styled("\n".join(code), INK))
        else:
            widget.update(
                f"The code needs {len(code)} lines and {len(code[0])} columns; this window has "
                f"{height} and {width}. Esc goes back."
            )

    def action_leave(self) -> None:
        self.dismiss(None)
