"""An invite to hand over: as text to copy, and as a QR code that fits the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.screens.qr import qr_lines
from tui.app.text import clean_line

if TYPE_CHECKING:
    from tui.app.app import PeerApp

BESIDES = 4  # lines that the text and the keys need


class InviteScreen(ModalScreen[None]):
    """The whole window: at 80x24 every line is needed."""

    DEFAULT_CSS = """
    InviteScreen { background: $background; }
    #invite-qr { width: auto; height: auto; }
    #invite-body { scrollbar-size: 0 1; height: 1fr; align-horizontal: center; }
    #invite-text { height: auto; max-height: 3; padding: 0 1; }
    #invite-keys { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "leave", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
    ]

    def __init__(self, app: PeerApp, invite: str, short: str) -> None:
        super().__init__()
        self.peer = app
        self._invite, self._short = clean_line(invite, 4_000), clean_line(short, 4_000)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="invite-body"):
            yield Static("", id="invite-qr")
        yield Static("", id="invite-text")
        yield Static(
            Content.from_markup(
                "[bold $primary]c[/] [$muted]copy the invite[/]   "
                "[bold $primary]Esc[/] [$muted]close[/]"
            ),
            id="invite-keys",
        )

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        """The whole invite where its code fits, else the one that names a single node."""
        height, width = self.app.size.height - BESIDES, self.app.size.width
        for invite in (self._invite, self._short):
            code = qr_lines(invite) if invite else []
            if code and len(code) <= height and len(code[0]) <= width:
                picture = Content.styled("\n".join(code), "#000000 on #ffffff")
                self.query_one("#invite-qr", Static).update(picture)
                break
        else:
            self.query_one("#invite-qr", Static).update(
                Content.styled("The window is too small for a QR code.", "$muted")
            )
        self.query_one("#invite-text", Static).update(Content(self._invite))

    def action_copy(self) -> None:
        self.peer.copy(self._invite, "The invite")

    def action_leave(self) -> None:
        self.dismiss(None)
