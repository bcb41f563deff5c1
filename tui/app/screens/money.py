"""Dialogs about money that is text: an invoice with its live state, a token, a request, a key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.jsonish import line, whole
from tui.app.link import CallFailed
from tui.app.screens.qr import WholeQr, fitted, write_picture
from tui.app.text import age, clean_line, money

if TYPE_CHECKING:
    from tui.app.app import PeerApp

# The node waits for the mint so long before it is asked anew; a failed wait is tried again.
WAIT_S = 3600.0
RETRY_S = 5.0
CHROME_LINES, CHROME_COLUMNS = 10, 8

BEARER = (
    "This text is the money. Whoever receives it first, has it. While nobody took it, it can be "
    "taken back: {key} lists the tokens that are out."
)


class TextScreen(ModalScreen[bool]):
    """A text to hand on, with its QR code where that fits. `True` when what it waits for happened.

    `waits` names what the node should wait for meanwhile: (kind, id, mint).
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
        Binding("w", "picture", "Picture", show=False),
        Binding("z", "whole", "Whole screen", show=False),
    ]

    def __init__(
        self,
        app: PeerApp,
        title: str,
        intro: str,
        text: str,
        what: str,
        *,
        waits: tuple[str, str, str] | None = None,
        code: str = "",
    ) -> None:
        """`what` is the text's name in words; `code` goes into the QR code instead of it."""
        super().__init__()
        self.peer, self._title, self._intro = app, title, intro
        self._text, self._what, self._waits = clean_line(text, 1_000_000), what, waits
        self._code = code or self._text
        self._happened = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-tall") as dialog:
            dialog.border_title = Content(self._title)
            yield Static("", id="text-state")
            if self._intro:
                yield Static(self._intro, classes="dialog-intro", markup=False)
            with VerticalScroll(classes="dialog-body"):
                yield Static("", id="text-qr")
                yield Static(self._text, id="text-text", markup=False)
            yield Static(
                Content.from_markup(
                    "[bold $primary]c[/] [$muted]copy[/]   "
                    "[bold $primary]z[/] [$muted]QR alone[/]   "
                    "[bold $primary]w[/] [$muted]QR as a picture[/]   "
                    "[bold $primary]Esc[/] [$muted]close[/]"
                ),
                id="text-keys",
            )

    def on_mount(self) -> None:
        chrome = CHROME_LINES + (3 if self._intro else 0)
        size = self.app.size
        code = fitted(self._code, size.height - chrome, size.width - CHROME_COLUMNS)
        self.query_one("#text-qr", Static).update(code)
        self.show_state("")
        if self._waits is not None:
            self.set_interval(30 if self.peer.profile.ticking else 120, self._tick)
            self._wait(*self._waits)

    @work(exclusive=True)
    async def _wait(self, kind: str, name: str, mint: str) -> None:
        import asyncio

        while not self._happened:
            try:
                answer = await self.peer.controller.wait_for(kind, name, mint, WAIT_S)
            except CallFailed as exc:
                self.show_state(f"Cannot ask the mint: {exc.trouble.message}")
                await asyncio.sleep(RETRY_S)
                continue
            if line(answer, "state"):
                self._happened = True
                self.show_state(self.ended(line(answer, "state"), whole(answer, "minted_sat")))

    def _tick(self) -> None:
        if not self._happened:
            self.show_state("")

    def waiting_words(self) -> str:
        """What is waited for, in words."""
        return ""

    def ended(self, state: str, minted: int) -> str:
        """How it ended, in words."""
        del minted
        return state

    def show_state(self, words: str) -> None:
        widget = self.query_one("#text-state", Static)
        widget.display = self._waits is not None
        if self._happened:
            widget.update(Content.styled(f"✓ {words}", "bold $success"))
        elif words:
            widget.update(Content.styled(words, "$warning"))
        else:
            widget.update(Content.styled(f"◌ {self.waiting_words()}", "$accent"))

    def action_copy(self) -> None:
        self.peer.copy(self._text, f"The {self._what}")

    def action_picture(self) -> None:
        self.peer.say(write_picture(self._code, self._what.replace(" ", "-")))

    def action_whole(self) -> None:
        self.peer.push_screen(WholeQr(self._code))

    def action_leave(self) -> None:
        self.dismiss(self._happened)


class InvoiceScreen(TextScreen):
    """An invoice to pay from elsewhere; the mint is waited for until it is paid."""

    def __init__(
        self,
        app: PeerApp,
        quote_id: str,
        mint: str,
        invoice: str,
        amount: int,
        unit: str,
        expiry: float | None,
    ) -> None:
        self._amount, self._unit, self._expiry = amount, unit, expiry
        super().__init__(
            app,
            f"Fund the wallet with {money(amount, unit)}",
            "",
            clean_line(invoice, 4000),
            "invoice",
            waits=("fund", quote_id, mint),
            code=clean_line(invoice, 4000).upper(),
        )

    def waiting_words(self) -> str:
        left = f", {age(self._expiry - time.time())} left" if self._expiry else ""
        return f"Waiting for the payment{left}"

    def ended(self, state: str, minted: int) -> str:
        del state
        return f"Paid. {money(minted or self._amount, self._unit)} are in the wallet."


class TokenScreen(TextScreen):
    """A token that is money: whoever has it can spend it. With `watched` the mint is waited for
    until somebody took it."""

    def __init__(
        self,
        app: PeerApp,
        token: str,
        amount: int,
        unit: str,
        *,
        watched: str = "",
        intro: str = "",
    ) -> None:
        super().__init__(
            app,
            f"A token worth {money(amount, unit)}",
            intro or BEARER.format(key=app.actions.by_name["sent_tokens"].key_words),
            token,
            "token",
            waits=("sent", watched, "") if watched else None,
        )

    def waiting_words(self) -> str:
        return "Nobody has taken it yet; the mint is asked while this is open"

    def ended(self, state: str, minted: int) -> str:
        del minted
        return "It was taken." if state == "taken" else "It is back in the wallet."
