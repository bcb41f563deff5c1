"""What every pane has: the model, the controller, and a way to be painted and focused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.containers import Vertical

if TYPE_CHECKING:
    from tui.app.action import Action
    from tui.app.app import PeerApp
    from tui.app.controller import Controller
    from tui.app.model import AppModel


def style_sheet(*names: str) -> str:
    """Style sheets of this folder. Read with the pane's module, so the start does not pay."""
    folder = Path(__file__).parent
    return "\n".join((folder / f"{name}.tcss").read_text(encoding="utf-8") for name in names)


class Pane(Vertical):
    """One of the panes. `group` names its actions in the table."""

    group = ""

    def __init__(self, app: PeerApp) -> None:
        super().__init__(id=f"pane-{self.group}", classes="pane")
        self.peer = app
        self.ready = False  # true once the pane's own widgets exist
        self.model: AppModel = app.model
        self.controller: Controller = app.controller
        self._own_bindings = self._bindings
        self.bind_keys()

    def bind_keys(self) -> None:
        """The keys of this pane's actions."""
        self._bindings = self._own_bindings.copy()
        for action in self.peer.actions.of_group(self.group):
            for key in action.keys if action.bound else ():
                first = key.startswith("ctrl+")
                deed = f"app.do('{action.name}')"
                binding = Binding(key, deed, action.title, show=False, priority=first)
                self._bindings.key_to_bindings.setdefault(key, []).append(binding)

    def on_mount(self) -> None:
        """Runs after the pane's own `on_mount` (Textual calls every class's, the nearest first)."""
        self.ready = True
        self.peer.arrived(self)

    def paint(self) -> None:
        """Bring the widgets up to date with the model. Called on a timer while in front."""

    def paint_fast(self) -> None:
        """The same at 10 Hz, for what streams."""

    def hinted(self) -> list[Action]:
        """Actions for the line of keys, the most useful first."""
        return [action for action in self.peer.actions.of_group(self.group) if action.hint]

    def focus_first(self) -> None:
        """Put the focus where the user will want it."""
