"""A dialog of names and values, with warnings below. Shows; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class FactsScreen(ModalScreen[None]):
    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "leave", "Close", show=False)
    ]

    def __init__(
        self, title: str, facts: Sequence[tuple[str, str]], warnings: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._title, self._facts, self._warnings = title, facts, warnings

    def compose(self) -> ComposeResult:
        width = max(len(name) for name, _ in self._facts)
        lines = [
            Content.assemble((name.ljust(width + 2), "$muted"), value)
            for name, value in self._facts
        ]
        lines += [Content.styled(f"! {words}", "$warning") for words in self._warnings]
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self._title)
            with VerticalScroll(classes="dialog-body"):
                yield Static(Content("\n").join(lines))
            yield Static(Content.from_markup("[bold $primary]Esc[/] [$muted]close[/]"))

    def action_leave(self) -> None:
        self.dismiss(None)
