"""Choosing one of a list: a traffic shape, a mint, whatever has a few choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.app.shapes import ShapeOffer
from tui.app.text import ellipsis, money

if TYPE_CHECKING:
    from tui.app.app import PeerApp


class PickScreen(ModalScreen[str | None]):
    """A list to choose from, begun at what holds now; Esc chooses nothing.

    `preview` is told of each choice as the cursor comes to it.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel", show=False)]

    def __init__(
        self,
        title: str,
        intro: str,
        options: list[tuple[str, Content]],
        *,
        current: str = "",
        preview: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._intro, self._options = title, intro, options
        self._current, self._preview = current, preview

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self._title)
            dialog.border_subtitle = "↑ ↓ choose   Enter takes   Esc leaves"
            if self._intro:
                yield Static(self._intro, classes="dialog-intro", markup=False)
            yield OptionList(*(self._option(name, label) for name, label in self._options))

    def _option(self, name: str, label: Content) -> Option:
        now = Content.styled("  now", "$muted") if name == self._current else Content("")
        return Option(label + now, id=name)

    def on_mount(self) -> None:
        names = [name for name, _label in self._options]
        place = names.index(self._current) if self._current in names else 0
        self.query_one(OptionList).highlighted = place

    @on(OptionList.OptionHighlighted)
    def _reached(self, event: OptionList.OptionHighlighted) -> None:
        if self._preview is not None and event.option.id:
            self._preview(event.option.id)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_leave(self) -> None:
        self.dismiss(None)


async def pick_model(app: PeerApp) -> str | None:
    """The name of a model, or None."""
    from tui.app.screens.models import ModelScreen

    if not app.model.offers:
        app.say("No ghost offers a model now.", "warning")
        return None
    return await app.push_screen_wait(ModelScreen(app))


async def pick_shape(app: PeerApp) -> str | None:
    """The name of a traffic shape, or None."""
    shapes = app.model.shapes
    if not shapes:
        app.say("The node has not said which traffic shapes it knows.", "warning")
        return None
    options = [(shape.name, _describe_shape(shape)) for shape in shapes]
    intro = (
        "Agreed with the ghost before it sees your question, and kept for this conversation. "
        "Another shape means another circuit."
    )
    return await app.push_screen_wait(PickScreen("Choose the traffic shape", intro, options))


async def pick_mint(app: PeerApp, title: str, without: str = "") -> str | None:
    """The URL of a mint: the only one without asking, else the user's choice."""
    mints = [mint for mint in app.model.wallet.mints if mint.url != without]
    if not mints:
        app.say("This wallet has no mint yet. Press a on the Mints pane to add one.", "warning")
        return None
    if len(mints) == 1:
        return mints[0].url
    options = [
        (
            mint.url,
            Content.assemble(
                (ellipsis(mint.title, 40), "bold"), f"\n  {money(mint.available_sat, mint.unit)}"
            ),
        )
        for mint in mints
    ]
    return await app.push_screen_wait(PickScreen(title, "Which mint?", options))


def _describe_shape(shape: ShapeOffer) -> Content:
    usual = "   used when none is chosen\n" if shape.default else "\n"
    return Content.assemble(
        (shape.name, "bold $warning" if shape.weak else "bold"),
        (usual, "$muted"),
        f"  {shape.cost}\n",
        (f"  {shape.words}", "$muted"),
    )
