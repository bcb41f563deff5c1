"""One page of the guided start. Returns what the user wants next."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.app.first_run.steps import STEPS, Step
from tui.app.screens.form import BUTTON_KEYS

Wish = Literal["act", "next", "back", "later"]


class PageScreen(ModalScreen[Wish]):
    """Words, what is known about the step, and where to go."""

    CSS_PATH = "../screens/dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "later", "Later", show=False),
        *BUTTON_KEYS,
    ]

    def __init__(self, step: Step, facts: list[tuple[str, bool]], *, done: bool) -> None:
        super().__init__()
        self._step, self._facts, self._done = step, facts, done

    def compose(self) -> ComposeResult:
        place = STEPS.index(self._step)
        last = place == len(STEPS) - 1
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"{place + 1} of {len(STEPS)}  {self._step.title}"
            dialog.border_subtitle = "← → choose   Enter takes   Esc goes on another time"
            with VerticalScroll(classes="dialog-body"):
                yield Static(self._step.words, classes="dialog-intro", markup=False)
                yield Static(self._said(), classes="dialog-intro")
            with Horizontal(classes="dialog-buttons"):
                if self._step.act:
                    kind: Literal["default", "primary"] = "default" if self._done else "primary"
                    yield Button(self._step.act, variant=kind, id="act", compact=True)
                if place:
                    yield Button("Back", id="back", compact=True)
                forward = "Begin" if last else "Go on" if self._ready else "Skip"
                kind = "primary" if self._ready else "default"
                yield Button(forward, variant=kind, id="next", compact=True)

    @property
    def _ready(self) -> bool:
        return self._done or not self._step.act

    def _said(self) -> Content:
        lines = [
            Content.styled(f"{'✓' if good else '!'} {words}", "$success" if good else "$warning")
            for words, good in self._facts
        ]
        return Content("\n").join(lines)

    def on_mount(self) -> None:
        self.query_one("#next" if self._ready else "#act", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        wishes: dict[str | None, Wish] = {"act": "act", "back": "back", "next": "next"}
        self.dismiss(wishes[event.button.id])

    def action_later(self) -> None:
        self.dismiss("later")
