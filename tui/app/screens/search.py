"""Search over all conversations: results as you type, Enter opens the message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.app.found import Found
from tui.app.jsonish import records
from tui.app.link import CallFailed
from tui.app.look import Look
from tui.app.text import ellipsis, moment
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

PAUSE_S = 0.12
"""After the last key before the node is asked."""
LIMIT = 100


class SearchScreen(ModalScreen[Found | None]):
    """Answers with the message to open; None when the user leaves."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("pagedown", "move(8)", "Down", show=False),
        Binding("pageup", "move(-8)", "Up", show=False),
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self.found: list[Found] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-list") as dialog:
            dialog.border_title = "Search all conversations"
            dialog.border_subtitle = "↑ ↓ choose   Enter opens   Esc leaves"
            field = Input(
                placeholder='Words; the last may be a beginning; "..." is a phrase',
                compact=True,
                id="search-text",
            )
            field.cursor_blink = False
            yield field
            yield LineList(self.peer.look, id="search-found", empty="Type what you look for.")
            yield Static("", id="search-preview", markup=False)

    def on_mount(self) -> None:
        self.lines = self.query_one(LineList)
        self.preview = self.query_one("#search-preview", Static)
        self.lines.can_focus, self.lines.lit = False, True
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.run_worker(self._search(event.value), exclusive=True, exit_on_error=False)

    async def _search(self, text: str) -> None:
        text = text.strip()
        await asyncio.sleep(PAUSE_S)
        empty, found = "Type what you look for.", []
        if text:
            empty = "No message has these words."
            try:
                value = await self.peer.link.call("sessions.search", text=text, limit=LIMIT)
            except CallFailed as exc:
                empty, value = f"{exc.trouble.message} {exc.trouble.hint}", []
            found = [Found.of(item) for item in records(value)]
        self.found = found
        self.lines.cursor = 0
        self.lines.show(found, _row, self.peer.look, empty=empty)
        self._preview()

    def action_move(self, step: int) -> None:
        self.lines.action_move(step)
        self._preview()

    def _preview(self) -> None:
        """The words around the hit under the cursor, as many as fit."""
        if not self.found:
            self.preview.update("")
            return
        self.preview.update(_marked(self.found[self.lines.cursor], self.peer.look, 400))

    @on(Input.Submitted)
    def _entered(self) -> None:
        if self.found:
            self.dismiss(self.found[self.lines.cursor])

    @on(LineList.Chosen)
    def _clicked(self, event: LineList.Chosen) -> None:
        self.dismiss(self.found[event.index])

    def action_leave(self) -> None:
        self.dismiss(None)


def _row(found: Found, width: int, look: Look) -> Text:
    """Conversation, who said it, and the words."""
    title = max(12, width // 4)
    text = Text(ellipsis(found.title, title).ljust(title + 2), look.muted)
    text.append("you  " if found.role == "user" else "     ", look.user)
    text.append_text(_marked(found, look, max(10, width - title - 7)))
    return text


def _marked(found: Found, look: Look, width: int) -> Text:
    """The snippet with its marks; its beginning gives way when the first mark is far in."""
    first = found.marks[0][0] if found.marks else 0
    start = max(0, first - width // 3) if len(found.snippet) > width else 0
    text = Text(found.snippet, look.base)
    for left, right in found.marks:
        text.stylize("bold reverse", left, right)
    shown = text[start:]
    if width > 200:
        when = moment(found.created, "%d %b %Y %H:%M")
        away = ", put away" if found.archived else ""
        shown = Text(f"{found.title}, {when}{away}\n", look.muted) + shown
    return shown
