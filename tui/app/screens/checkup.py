"""The node's examination of itself: what was found, what it means, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.jsonish import Json, line, record, records

if TYPE_CHECKING:
    from tui.app.app import PeerApp

NAME_WIDTH = 10
# Words beside the colours: a state must show without them, too.
STYLES = {
    "ok": ("ok", "$success"),
    "warn": ("look", "$warning"),
    "fail": ("bad", "$error"),
    "skip": ("-", "$muted"),
}


class CheckupScreen(ModalScreen[None]):
    """Asks the node at once; mints are asked over circuits, so it takes some seconds."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "leave", "Close", show=False)
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self._peer = app

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "This node"
            with VerticalScroll(classes="dialog-body"):
                yield Static("Looking; the mints are asked over circuits ...", id="findings")
            yield Static(Content.from_markup("[bold $primary]Esc[/] [$muted]close[/]"))

    def on_mount(self) -> None:
        self._peer.act(self._examine())

    async def _examine(self) -> None:
        from tui.app.link import CallFailed

        try:
            found = record(await self._peer.link.call("node.doctor"))
        except CallFailed:
            self.action_leave()
            raise
        if self.is_attached:
            findings = records(found.get("findings"))
            self.query_one("#findings", Static).update(Content("\n").join(lines_of(findings)))

    def action_leave(self) -> None:
        self.dismiss(None)


def lines_of(findings: Sequence[Json]) -> list[Content]:
    """The bad first, each with its meaning and what to do; then what is good, in a line each."""
    order = ("fail", "warn", "ok", "skip")
    by_state = sorted(findings, key=lambda one: order.index(_state(one)))
    return [row for finding in by_state for row in _lines(finding)]


def _state(finding: Json) -> str:
    state = line(finding, "state")
    return state if state in STYLES else "warn"


def _lines(finding: Json) -> list[Content]:
    word, style = STYLES[_state(finding)]
    head = Content.assemble(
        (word.ljust(5), f"bold {style}"),
        (line(finding, "check").ljust(NAME_WIDTH), "bold"),
        line(finding, "found"),
    )
    more = [line(finding, name) for name in ("means", "advice")]
    if _state(finding) not in ("fail", "warn"):
        return [head]
    return [head, *(Content.styled(f"      {words}", "$muted") for words in more if words)]
