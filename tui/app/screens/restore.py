"""Restoring from the seed with its progress, and the seed words themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.jsonish import whole
from tui.app.link import CallFailed
from tui.app.text import money, plural

if TYPE_CHECKING:
    from tui.app.app import PeerApp

PAINT_S = 0.5
# Words that somebody forgot on a screen are hidden again.
SHOWN_S = 120.0
COLUMNS = 3


class RestoreScreen(ModalScreen[None]):
    """Asks every mint; a line for each as it answers."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "leave", "Close", show=False)]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self._end = ""
        self._failed = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Restore from the seed"
            yield Static("", id="restore-lines")
            yield Static(Content.from_markup("[bold $primary]Esc[/] [$muted]close[/]"))

    def on_mount(self) -> None:
        self.peer.model.wallet.restored.clear()
        self.set_interval(PAINT_S, self._paint)
        self._paint()
        self._restore()

    @work(exclusive=True)
    async def _restore(self) -> None:
        try:
            found = await self.peer.controller.wallet_call("wallet.restore")
            self._end = f"Done. {money(whole(found, 'recovered_sat'))} were found."
        except CallFailed as exc:
            self._failed = f"{exc.trouble.message} {exc.trouble.hint}".strip()
        self._paint()

    def _paint(self) -> None:
        wallet = self.peer.model.wallet
        done = wallet.restored
        lines = []
        for mint in wallet.mints:
            found, trouble = done.get(mint.url, (0, ""))
            if trouble:
                lines.append(Content.styled(f"✗ {mint.title}: {trouble}", "$warning"))
            elif mint.url in done:
                words = f"✓ {mint.title}: {money(found, mint.unit)}"
                lines.append(Content.styled(words, "$success"))
            else:
                mark = "–" if self._end or self._failed else "◌"
                lines.append(Content.styled(f"{mark} {mint.title}", "$muted"))
        answered = sum(not trouble for _, trouble in done.values())
        lines.append(Content(f"{answered} of {plural(len(wallet.mints), 'account')} answered."))
        if self._end:
            lines.append(Content.styled(self._end, "bold"))
        if self._failed:
            lines.append(Content.styled(self._failed, "$error"))
        self.query_one("#restore-lines", Static).update(Content("\n").join(lines))

    def action_leave(self) -> None:
        self.dismiss(None)


class WordsScreen(ModalScreen[None]):
    """The seed words. They are not copied: a clipboard is read by other programs."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "leave", "Close", show=False)]

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        rows = -(-len(self._words) // COLUMNS)
        lines = [
            "".join(
                f"{place + 1:>3}  {self._words[place]:<14}"
                for place in range(row, len(self._words), rows)
            )
            for row in range(rows)
        ]
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "The seed words of this wallet"
            yield Static("\n".join(lines), id="seed-words", markup=False)
            yield Static(
                "Write them on paper, in this order: they bring the ecash back on any machine. "
                "They cannot be copied here, because other programs read the clipboard.",
                classes="dialog-intro",
                markup=False,
            )
            yield Static(Content.from_markup("[bold $primary]Esc[/] [$muted]hide them[/]"))

    def on_mount(self) -> None:
        self.set_timer(SHOWN_S, self.action_leave)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)
