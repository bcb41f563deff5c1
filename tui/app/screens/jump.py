"""Jump mode: a letter on everything that can have the focus; the letter goes there."""

from __future__ import annotations

from string import ascii_lowercase
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static


class JumpScreen(ModalScreen[Widget | None]):
    """Labels over the screen below. Any other key leaves."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        self._targets = dict(zip(ascii_lowercase, targets(below), strict=False))

    def compose(self) -> ComposeResult:
        for letter, widget in self._targets.items():
            label = Static(f" {letter} ")
            label.styles.offset = Offset(widget.region.x, widget.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(self._targets.get(event.key))


def targets(screen: Screen[object]) -> list[Widget]:
    """What can have the focus and is in view, from the top left."""
    shown = [widget for widget in screen.focus_chain if widget.region.area]
    return sorted(shown, key=lambda widget: (widget.region.y, widget.region.x))
