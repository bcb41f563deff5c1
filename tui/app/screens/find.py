"""Find a setting or a key by a part of its name or of what it does. It only finds, and changes
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from tui.app.look import Look
from tui.app.screens.list import ListScreen
from tui.app.text import ellipsis

if TYPE_CHECKING:
    from tui.app.app import PeerApp

VALUE_WIDTH = 24


@dataclass(frozen=True)
class Entry:
    """One line of the settings: its id there, what it is called, has now, and means."""

    name: str
    title: str
    value: str
    meaning: str


def having(entries: Sequence[Entry], text: str) -> list[Entry]:
    """Those with all words, first those that have them in their title."""
    words = text.casefold().split()

    def within(text: str) -> bool:
        return all(word in text.casefold() for word in words)

    found = [e for e in entries if within(f"{e.title} {e.name} {e.value} {e.meaning}")]
    return sorted(found, key=lambda entry: not within(entry.title))


class FindScreen(ListScreen[str]):
    """Answers with the name of the line to go to."""

    HEADING = "Find a setting or a key"
    FIELD = "find-text"
    PLACEHOLDER = "A part of its name, its key, or what it does"

    def __init__(self, app: PeerApp, entries: Sequence[Entry]) -> None:
        super().__init__(app)
        self.all = entries
        self.found: list[Entry] = []

    def begin(self) -> None:
        self.dialog.border_subtitle = "↑ ↓ choose   Enter goes there   Esc leaves"
        self.typed("")

    def typed(self, text: str) -> None:
        self.found = having(self.all, text)
        self.lines.cursor = 0
        self.lines.show(self.found, _row, self.peer.look, empty="Nothing is called so.")
        self.show_detail()

    def answers(self) -> list[str]:
        return [entry.name for entry in self.found]

    def describe(self, row: int) -> Text:
        return Text(self.found[row].meaning, self.peer.look.base)


def _row(entry: Entry, width: int, look: Look) -> Text:
    room = max(16, width - VALUE_WIDTH - 2)
    text = Text(ellipsis(entry.title, room).ljust(room + 2), look.base)
    return text.append(ellipsis(entry.value, VALUE_WIDTH), look.muted)
