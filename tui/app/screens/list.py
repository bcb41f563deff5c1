"""What the pickers that filter as you type share: a field, a long list, and words below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

R = TypeVar("R")
PAGE = 8


class ListScreen(ModalScreen[R | None]):
    """Keys go to the field, the arrows to the list. Answers None when the user leaves."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("pagedown", f"move({PAGE})", "Down", show=False),
        Binding("pageup", f"move(-{PAGE})", "Up", show=False),
    ]
    HEADING = ""
    FIELD = ""
    """Id of the field, by which the help knows where one is."""
    PLACEHOLDER = ""
    EMPTY = ""
    """What the list says before there is anything in it."""

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-list") as self.dialog:
            self.dialog.border_title = self.HEADING
            field = Input(placeholder=self.PLACEHOLDER, compact=True, id=self.FIELD)
            field.cursor_blink = False
            yield field
            yield LineList(self.peer.look, empty=self.EMPTY)
            yield Static("", classes="list-detail", markup=False)

    def on_mount(self) -> None:
        self.lines = self.query_one(LineList)
        self.detail = self.query_one(".list-detail", Static)
        self.lines.can_focus, self.lines.lit = False, True
        self.query_one(Input).focus()
        self.begin()

    # -- what differs

    def begin(self) -> None:
        """The frame stands: fill it."""

    def typed(self, text: str) -> None:
        """The field says something else."""
        raise NotImplementedError

    def answers(self) -> list[R]:
        """What each row of the list stands for."""
        raise NotImplementedError

    def describe(self, row: int) -> Text:
        """More about the row under the cursor."""
        raise NotImplementedError

    # -- what is shared

    def show_detail(self) -> None:
        """Bring the words below the list up to date."""
        self.detail.update(self.describe(self.lines.cursor) if self.answers() else "")

    def action_move(self, step: int) -> None:
        self.lines.action_move(step)
        self.show_detail()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.typed(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        if rows := self.answers():
            self.dismiss(rows[self.lines.cursor])

    @on(LineList.Chosen)
    def _clicked(self, event: LineList.Chosen) -> None:
        self.dismiss(self.answers()[event.index])

    def action_leave(self) -> None:
        self.dismiss(None)
