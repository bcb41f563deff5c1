"""The tokens that are out: copied again, taken back, asked about, watched until they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.jsonish import whole
from tui.app.look import Look
from tui.app.text import ellipsis, moment, money
from tui.app.wallet import SentLine
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

WORDS = {"waiting": "not taken yet", "taken": "taken", "returned": "back in the wallet"}
LIMIT = 500


class SentScreen(ModalScreen[None]):
    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
        Binding("t", "take_back", "Take back", show=False),
        Binding("k", "check", "Ask the mint", show=False),
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self.tokens: list[SentLine] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-list") as dialog:
            dialog.border_title = "Tokens that are out"
            yield Static(
                "Asking a mint about a token tells it that the token once was yours, so the wallet "
                "asks rarely by itself, and about one at a time.",
                classes="dialog-intro",
                markup=False,
            )
            yield LineList(self.peer.look, empty="Reading …", id="sent")
            yield Static(
                Content.from_markup(
                    "[bold $primary]Enter[/] [$muted]watch[/]  "
                    "[bold $primary]c[/] [$muted]copy[/]  "
                    "[bold $primary]t[/] [$muted]take back[/]  "
                    "[bold $primary]k[/] [$muted]ask the mint[/]  "
                    "[bold $primary]Esc[/] [$muted]close[/]"
                )
            )

    def on_mount(self) -> None:
        self.query_one(LineList).focus()
        self.peer.act(self._read())

    async def _read(self) -> None:
        found = await self.peer.controller.wallet_list("wallet.sent", limit=LIMIT)
        if self.is_mounted:
            self.tokens = [SentLine.of(item) for item in found]
            self._show()

    def _show(self) -> None:
        lines = self.query_one(LineList)
        lines.show(self.tokens, self._line, self.peer.look, empty="No token was made yet.")

    def _line(self, token: SentLine, width: int, look: Look) -> Text:
        when = moment(token.ts, "%d %b %H:%M")
        text = Text(f"{when}  ", look.muted)
        text.append(money(token.amount_sat, token.unit).rjust(13), look.base)
        tone = look.warning if token.state == "waiting" else look.muted
        text.append("  " + WORDS.get(token.state, token.state).ljust(20), tone)
        title = self.peer.model.wallet.title(token.mint)
        text.append(ellipsis(title, max(0, width - 50)), look.muted)
        return text

    def _chosen(self) -> SentLine | None:
        row = self.query_one(LineList).cursor
        return self.tokens[row] if row < len(self.tokens) else None

    def _waiting(self) -> SentLine | None:
        """The chosen token while it can still be used; says so otherwise."""
        token = self._chosen()
        if token is None or token.state == "waiting":
            return token
        self.peer.say(f"This token is {WORDS.get(token.state, token.state)}.")
        return None

    @on(LineList.Chosen)
    def _open(self) -> None:
        if (token := self._waiting()) is not None:
            self.peer.act(self._watch(token))

    async def _watch(self, token: SentLine) -> None:
        from tui.app.screens.money import TokenScreen

        screen = TokenScreen(
            self.peer, token.token, token.amount_sat, token.unit, watched=token.op_id
        )
        await self.peer.push_screen_wait(screen)
        await self._read()

    def action_copy(self) -> None:
        if (token := self._waiting()) is not None:
            self.peer.copy(token.token, "The token")

    def action_take_back(self) -> None:
        if (token := self._waiting()) is not None:
            self.peer.act(self._take_back(token))

    async def _take_back(self, token: SentLine) -> None:
        try:
            back = await self.peer.controller.wallet_call("wallet.sent.back", op_id=token.op_id)
            self.peer.say(f"{money(whole(back, 'amount_sat'), token.unit)} are back.")
        finally:
            await self._read()

    def action_check(self) -> None:
        if (token := self._waiting()) is not None:
            self.peer.act(self._check(token))

    async def _check(self, token: SentLine) -> None:
        found = await self.peer.controller.wallet_call("wallet.sent.check", op_id=token.op_id)
        state = SentLine.of(found).state
        self.peer.say(f"The mint says: {WORDS.get(state, state)}.")
        await self._read()

    def action_leave(self) -> None:
        self.dismiss(None)
