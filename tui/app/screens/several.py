"""Choosing several of a list, each with what it means. Enter or Space marks, Ctrl+S keeps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static

if TYPE_CHECKING:
    from tui.app.app import PeerApp


class SeveralScreen(ModalScreen[list[str] | None]):
    """Esc leaves and changes nothing. What is marked is seen without colour."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("ctrl+s", "keep", "Keep", show=False, priority=True),
    ]

    def __init__(
        self, title: str, intro: str, options: Sequence[tuple[str, str]], chosen: Collection[str]
    ) -> None:
        super().__init__()
        self._title, self._intro, self._options = title, intro, options
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-tall") as dialog:
            dialog.border_title = Content(self._title)
            yield Static(self._intro, classes="dialog-intro", markup=False)
            yield OptionList(*(self._line(place) for place in range(len(self._options))))
            with Horizontal(classes="dialog-buttons"):
                yield Button("Keep (Ctrl+S)", variant="primary", id="keep", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.options = self.query_one(OptionList)
        self.options.highlighted = 0
        self.options.focus()

    def _line(self, place: int) -> Content:
        name, words = self._options[place]
        return Content(f"[{'x' if name in self._chosen else ' '}] {words}")

    @on(OptionList.OptionSelected)
    def action_mark(self) -> None:
        place = self.options.highlighted
        if place is None:
            return
        self._chosen ^= {self._options[place][0]}
        self.options.replace_option_prompt_at_index(place, self._line(place))

    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        self.dismiss([name for name, _ in self._options if name in self._chosen])

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        self.dismiss(None)


async def pick_several(
    app: PeerApp,
    title: str,
    intro: str,
    options: Sequence[tuple[str, str]],
    chosen: Collection[str],
) -> list[str] | None:
    return await app.push_screen_wait(SeveralScreen(title, intro, options, chosen))
