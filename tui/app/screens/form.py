"""Small dialogs: a form with a few fields, and a yes-or-no question. They return typed results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.app.widgets.choice import Choice

if TYPE_CHECKING:
    from textual.suggester import Suggester

    from tui.app.app import PeerApp

Check = Callable[[str], str]
"""Takes what was typed, returns what is wrong with it, or an empty text."""


BUTTON_KEYS: list[BindingType] = [
    Binding("left", "app.focus_previous", "Before", show=False),
    Binding("right", "app.focus_next", "Next", show=False),
]
"""From button to button; a field with the focus keeps its arrows."""

# More fields than these fill a small window, so they stand closer together.
SHORT_FORM = 3


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    value: str = ""
    placeholder: str = ""
    check: Check | None = None
    secret: bool = False  # typed without being shown
    suggester: Suggester | None = None
    choices: tuple[str, ...] = ()  # one of these words; then nothing else can be typed


class FormScreen(ModalScreen[dict[str, str] | None]):
    """Asks for a few texts. Enter goes on, Esc leaves without doing anything."""

    AUTO_FOCUS = ""  # it would scroll past the words above the first field
    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        *BUTTON_KEYS,
    ]

    def __init__(self, title: str, intro: str, fields: list[Field], button: str = "OK") -> None:
        super().__init__()
        self._title, self._intro = title, intro
        self._fields, self._button = fields, button

    def compose(self) -> ComposeResult:
        long = len(self._fields) > SHORT_FORM
        with Vertical(classes="dialog dialog-long" if long else "dialog") as dialog:
            dialog.border_title = Content(self._title)
            dialog.border_subtitle = "Tab, Enter next   Esc leaves"
            with VerticalScroll(classes="dialog-body", can_focus=False):
                if self._intro:
                    yield Static(self._intro, classes="dialog-intro", markup=False)
                for field in self._fields:
                    yield Static(field.label, classes="field-label", markup=False)
                    yield _input(field)
                yield Static("", id="form-error", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(self._button, variant="primary", id="ok", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.query(Input).first().focus(scroll_visible=False)
        body = self.query_one(VerticalScroll)
        self.call_after_refresh(body.scroll_home, animate=False)  # the words come first

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        place = inputs.index(event.input)
        if place + 1 < len(inputs):
            inputs[place + 1].focus()
        else:
            self._finish()

    @on(Button.Pressed, "#ok")
    def _finish(self) -> None:
        answers: dict[str, str] = {}
        for field, widget in zip(self._fields, self.query(Input), strict=True):
            text = widget.value.strip()
            if wrong := _wrong(field, text):
                self.query_one("#form-error", Static).update(f"{field.label}: {wrong}")
                widget.focus()
                return
            answers[field.name] = text
        self.dismiss(answers)

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        self.dismiss(None)


class ConfirmScreen(ModalScreen[bool]):
    """A question whose safe answer is the focused one."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "no", "No", show=False),
        Binding("y", "yes", "Yes", show=False),
        *BUTTON_KEYS,
    ]

    def __init__(self, question: str, detail: str, yes: str) -> None:
        super().__init__()
        self._question, self._detail, self._yes = question, detail, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self._question)
            yield Static(self._detail, classes="dialog-intro", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"{self._yes} (y)", variant="warning", id="yes", compact=True)
                yield Button("Cancel (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    @on(Button.Pressed, "#yes")
    def action_yes(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#no")
    def action_no(self) -> None:
        self.dismiss(False)


def _wrong(field: Field, text: str) -> str:
    """What is wrong with what stands in a field."""
    if field.check is not None:
        return field.check(text)
    return "" if text or field.choices else "This is needed."


def _input(field: Field) -> Input:
    if field.choices:
        return Choice(field.value, field.choices)
    widget = Input(
        field.value,
        placeholder=field.placeholder,
        suggester=field.suggester,
        compact=True,
        password=field.secret,
    )
    widget.cursor_blink = False
    return widget


def amount(text: str) -> str:
    """What is wrong with an amount of ecash."""
    digits = text.replace(",", "").replace(" ", "")
    if not digits.isdecimal() or len(digits) > 12 or int(digits) < 1:
        return "a whole number, at least 1."
    return "" if int(digits) <= 100_000_000 else "that is more than this wallet should hold."


def read_amount(text: str) -> int:
    return int(text.replace(",", "").replace(" ", ""))


def optional(check: Check | None = None) -> Check:
    """What may be left empty."""
    return lambda text: check(text) if text and check is not None else ""


def whole_number(text: str) -> str:
    """What is wrong with a count."""
    return "" if text.isascii() and text.isdigit() and len(text) < 8 else "a whole number."


def seconds(text: str) -> str:
    """What is wrong with a span of time."""
    good = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 8
    return "" if good else "a number of seconds."


def yes_or_no(name: str, label: str, value: object) -> Field:
    """A field that is on or off."""
    return Field(name, label, "yes" if value is True else "no", choices=("yes", "no"))


async def ask_form(
    app: PeerApp, title: str, intro: str, fields: list[Field], button: str = "OK"
) -> dict[str, str] | None:
    return await app.push_screen_wait(FormScreen(title, intro, fields, button))


async def confirm(app: PeerApp, question: str, detail: str, yes: str) -> bool:
    answer: bool = await app.push_screen_wait(ConfirmScreen(question, detail, yes))
    return answer
