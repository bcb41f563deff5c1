"""Dialogs about money: an invoice with its QR code and live state, and a token to hand on."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.link import CallFailed
from tui.app.text import age, clean_line, sat

if TYPE_CHECKING:
    from tui.app.app import PeerApp

CHECK_EVERY_S = 1.5
PAID = ("paid", "issued")


class InvoiceScreen(ModalScreen[bool]):
    """An invoice to pay from elsewhere; watches until it is paid."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
        Binding("w", "picture", "Picture", show=False),
    ]

    def __init__(
        self, app: PeerApp, quote_id: str, invoice: str, amount_sat: int, expiry: float | None
    ) -> None:
        super().__init__()
        self.peer, self._quote_id = app, quote_id
        self._invoice = clean_line(invoice, 4000)
        self._amount_sat, self._expiry = amount_sat, expiry
        self._paid = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-tall") as dialog:
            dialog.border_title = f"Fund the wallet with {sat(self._amount_sat)}"
            yield Static("", id="invoice-state")
            with VerticalScroll(classes="dialog-body"):
                yield Static("", id="invoice-qr")
                yield Static(self._invoice, id="invoice-text", markup=False)
            yield Static(
                Content.from_markup(
                    "[bold $primary]c[/] [$muted]copy the invoice[/]   "
                    "[bold $primary]w[/] [$muted]QR as a picture file[/]   "
                    "[bold $primary]Esc[/] [$muted]close[/]"
                ),
                id="invoice-keys",
            )

    def on_mount(self) -> None:
        self._draw_qr()
        self._show_state("")
        self._watch()

    def _draw_qr(self) -> None:
        """Only when it fits whole: half a QR code helps nobody."""
        code = qr_lines(self._invoice.upper())
        widget = self.query_one("#invoice-qr", Static)
        room = (self.app.size.height - 10, self.app.size.width - 8)
        if len(code) <= room[0] and len(code[0]) <= room[1]:
            widget.update(Content.styled("\n".join(code), "#000000 on #ffffff"))
        else:
            widget.update(
                Content.styled(
                    f"A QR code of this invoice needs {len(code)} lines and this window has room "
                    f"for {max(0, room[0])}. Copy the invoice, write the picture, or enlarge the "
                    "window and open it again.",
                    "$muted",
                )
            )

    @work(exclusive=True)
    async def _watch(self) -> None:
        import asyncio

        while not self._paid:
            try:
                state, minted = await self.peer.controller.fund_state(self._quote_id)
            except CallFailed as exc:
                self._show_state(f"Cannot ask the mint: {exc.trouble.message}")
            else:
                if state in PAID:
                    self._paid = True
                    self._show_state(f"Paid. {sat(minted or self._amount_sat)} are in the wallet.")
                    return
                self._show_state("")
            await asyncio.sleep(CHECK_EVERY_S)

    def _show_state(self, words: str) -> None:
        widget = self.query_one("#invoice-state", Static)
        if self._paid:
            widget.update(Content.styled(f"✓ {words}", "bold $success"))
        elif words:
            widget.update(Content.styled(words, "$warning"))
        else:
            left = ""
            if self._expiry:
                left = f", {age(self._expiry - time.time())} left"
            widget.update(Content.styled(f"◌ Waiting for the payment{left}", "$accent"))

    def action_copy(self) -> None:
        self.peer.copy(self._invoice, "The invoice")

    def action_picture(self) -> None:
        self.peer.say(write_picture(self._invoice.upper()))

    def action_leave(self) -> None:
        self.dismiss(self._paid)


class TokenScreen(ModalScreen[None]):
    """A token that is money: whoever has it can spend it."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
    ]

    def __init__(self, app: PeerApp, token: str, amount_sat: int) -> None:
        super().__init__()
        self.peer, self._token, self._amount_sat = app, clean_line(token, 1_000_000), amount_sat

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-tall") as dialog:
            dialog.border_title = f"A token worth {sat(self._amount_sat)}"
            yield Static(
                "This text is the money. Whoever receives it first, has it. If nobody takes it, "
                "receive it here again.",
                classes="dialog-intro",
                markup=False,
            )
            with VerticalScroll(classes="dialog-body"):
                yield Static(self._token, id="token-text", markup=False)
            yield Static(
                Content.from_markup(
                    "[bold $primary]c[/] [$muted]copy[/]   [bold $primary]Esc[/] [$muted]close[/]"
                )
            )

    def action_copy(self) -> None:
        self.peer.copy(self._token, "The token")

    def action_leave(self) -> None:
        self.dismiss(None)


def qr_lines(text: str) -> list[str]:
    """A QR code in half blocks, two modules a character, with its quiet zone."""
    import segno

    code = segno.make(text, error="l", micro=False)
    rows = [[bool(cell) for cell in row] for row in code.matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [
        "".join(blocks[pair] for pair in zip(rows[i], rows[i + 1], strict=True))
        for i in range(0, len(rows), 2)
    ]


def write_picture(text: str) -> str:
    """Write the QR code as an SVG file only the user can read; says where."""
    import segno

    try:
        handle, name = tempfile.mkstemp(prefix="peer2prompt-invoice-", suffix=".svg")
        with os.fdopen(handle, "wb") as file:
            segno.make(text, error="l", micro=False).save(file, kind="svg", scale=8, border=4)
    except OSError as exc:
        return f"The picture could not be written: {exc}"
    return f"The QR code is in {Path(name)}"
