"""Search over all conversations: results as you type, Enter opens the message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.text import Text

from tui.app.found import Found
from tui.app.jsonish import records
from tui.app.link import CallFailed
from tui.app.look import Look
from tui.app.screens.list import ListScreen
from tui.app.text import ellipsis, moment

if TYPE_CHECKING:
    from tui.app.app import PeerApp

PAUSE_S = 0.12
"""After the last key before the node is asked."""
LIMIT = 100


class SearchScreen(ListScreen[Found]):
    """Answers with the message to open."""

    HEADING = "Search all conversations"
    FIELD = "search-text"
    PLACEHOLDER = 'Words; the last may be a beginning; "..." is a phrase'
    EMPTY = "Type what you look for."

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self.found: list[Found] = []

    def begin(self) -> None:
        self.dialog.border_subtitle = "↑ ↓ choose   Enter opens   Esc leaves"

    def typed(self, text: str) -> None:
        self.run_worker(self._search(text.strip()), exclusive=True, exit_on_error=False)

    def answers(self) -> list[Found]:
        return self.found

    async def _search(self, text: str) -> None:
        await asyncio.sleep(PAUSE_S)
        empty, found = self.EMPTY, []
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
        self.show_detail()

    def describe(self, row: int) -> Text:
        """The words around the hit, as many as fit."""
        return _marked(self.found[row], self.peer.look, 400)


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
