"""The lock: hides everything until the store's passphrase is typed. The node goes on working."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.app.jsonish import record
from tui.app.link import CallFailed

if TYPE_CHECKING:
    from tui.app.app import PeerApp


class LockScreen(ModalScreen[None]):
    """Nothing of what lies below shows through. Only leaving works besides unlocking."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "app.do('quit')", "Leave", show=False, priority=True)
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self._asks = True

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Locked"
            yield Static(
                "The node goes on working. Ctrl+Q leaves the screen.", classes="dialog-intro"
            )
            yield Input(password=True, placeholder="Passphrase", compact=True, id="passphrase")
            yield Static("", id="form-error", markup=False)

    def on_mount(self) -> None:
        entry = self.query_one(Input)
        entry.cursor_blink = False
        entry.focus()
        self._ask_how()

    @work
    async def _ask_how(self) -> None:
        """A store that a key file opens has no passphrase to ask for: Enter opens the screen."""
        try:
            how = record(await self.peer.link.call("store.check", passphrase=""))
        except CallFailed:
            return
        if not self.is_attached:
            return
        self._asks = how.get("passphrase") is not False
        if not self._asks:
            self.query_one(Input).placeholder = "A key file opens this store: Enter unlocks"

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self._asks:
            self.dismiss(None)
        elif event.value:
            self._check(event.value)

    @work(exclusive=True)
    async def _check(self, passphrase: str) -> None:
        entry, error = self.query_one(Input), self.query_one("#form-error", Static)
        entry.value = ""
        error.update("Checking …")
        try:
            await self.peer.link.call("store.check", passphrase=passphrase)
        except CallFailed as exc:
            error.update(f"{exc.trouble.message} {exc.trouble.hint}".strip())
        else:
            self.dismiss(None)
