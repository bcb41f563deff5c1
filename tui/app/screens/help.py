"""The help screen: what each number at the bottom means, and the keys of the pane in front."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.action import ANYWHERE, PANE_TITLES, Action
from tui.app.alerts import alerts
from tui.app.explain import figures
from tui.app.places import place
from tui.app.text import wrap

if TYPE_CHECKING:
    from tui.app.app import PeerApp

PROTECTION = (
    "What this does not protect against: somebody who watches the whole network at once; the ghost "
    "and the provider reading what you write; you naming yourself in a question; a way of writing "
    "that gives you away; a computer that is not only yours."
)


INDENT = 18


class HelpScreen(ModalScreen[None]):
    """Scrolls; any of the usual leaving keys closes it."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f1,question_mark,enter", "leave", "Close", show=False)
    ]

    def __init__(self, app: PeerApp, pane: str) -> None:
        super().__init__()
        self.peer, self._pane = app, pane
        focused = app.focused
        chain = focused.ancestors_with_self if focused is not None else []
        self._place = place([node.id for node in chain if node.id])

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-help") as dialog:
            dialog.border_title = "Help"
            dialog.border_subtitle = "↑ ↓ PgUp PgDn scroll   Esc closes"
            with VerticalScroll(classes="dialog-body"):
                yield Static(self._text())

    def _text(self) -> Content:
        parts = [*self._warnings(), *self._here(), *self._numbers()]
        parts += self._keys(
            f"Keys on {PANE_TITLES[self._pane]}", self.peer.actions.of_group(self._pane)
        )
        parts += self._keys("Keys anywhere", self.peer.actions.of_group(ANYWHERE))
        status = self.peer.model.status
        facts = [f"themes folder: {self.peer.config / 'themes'}"]
        if status.node:
            facts.insert(0, f"node {status.node[:8]}, version {status.version}")
        if status.home:
            facts.insert(1, f"its state: {status.home}")
        parts += [Content("\n"), *(Content.styled(f"{fact}\n", "$muted") for fact in facts)]
        return Content("").join(parts)

    def _here(self) -> list[Content]:
        """What the thing with the focus is."""
        if self._place is None:
            return []
        title, words = self._place
        return [_heading(title), Content(f"{words}\n\n")]

    def _numbers(self) -> list[Content]:
        parts = [_heading("The numbers at the bottom")]
        for figure in figures(self.peer.model):
            label = f"{figure.name}: " if figure.name else ""
            parts.append(
                Content.assemble(
                    (label, "bold"),
                    (f"{figure.long}\n", f"bold ${figure.tone}"),
                    f"{figure.meaning}\n\n",
                )
            )
        parts.append(Content.styled(f"{PROTECTION}\n\n", "$warning"))
        return parts

    def _warnings(self) -> list[Content]:
        warnings = alerts(self.peer.model)
        if not warnings:
            return []
        lines = [Content.styled(f"! {warning}\n", "$warning") for warning in warnings]
        return [_heading("What is wrong now"), *lines, Content("\n")]

    def _keys(self, title: str, actions: list[Action]) -> list[Content]:
        if not actions:
            return []
        parts = [_heading(title)]
        for action in actions:
            keys = action.key_words or "by name: Ctrl+P"
            parts += [
                Content.styled(f"{keys:<{INDENT}}", "bold $primary"),
                Content.styled(f"{action.title}\n", "bold"),
            ]
            for line in wrap(action.help, self._width() - INDENT):
                parts.append(Content.styled(" " * INDENT + line + "\n", "$muted"))
        return [*parts, Content("\n")]

    def _width(self) -> int:
        """Columns of text in the dialog (see `.dialog-help` in the style sheet)."""
        return max(40, min(92, self.app.size.width * 96 // 100) - 6)

    def action_leave(self) -> None:
        self.dismiss(None)


def _heading(text: str) -> Content:
    return Content.styled(f"{text}\n", "bold $accent")
