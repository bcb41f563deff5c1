"""Choosing a model: price, speed, what is thought of its ghosts, what it can; with filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.app.look import Look
from tui.app.model import ModelOffer
from tui.app.text import ellipsis, msat, percent, plural, took
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

FAR = float("inf")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model with all its offers, the one most likely to be asked first."""

    name: str
    offers: tuple[ModelOffer, ...]

    @property
    def best(self) -> ModelOffer:
        return self.offers[0]

    @property
    def misfit(self) -> str:
        """Why no ghost would be asked for it."""
        return self.best.misfit

    @property
    def price(self) -> tuple[int, int]:
        return min((o.out_price, o.in_price) for o in self.offers)

    @property
    def latency_ms(self) -> float | None:
        return min((o.latency_ms for o in self.offers if o.latency_ms is not None), default=None)

    @property
    def score(self) -> float | None:
        return max((o.score for o in self.offers if o.score is not None), default=None)


Order = Callable[[ModelRow], tuple[object, ...]]
ORDERS: dict[str, Order] = {
    "name": lambda row: (row.name,),
    "price": lambda row: (row.price, row.name),
    "speed": lambda row: (FAR if row.latency_ms is None else row.latency_ms, row.name),
    "score": lambda row: (-(row.score or 0.0), row.name),
}


def rows_of(offers: Sequence[ModelOffer]) -> list[ModelRow]:
    """One row for each model. Offers that would not be asked stand behind those that would."""
    by_name: dict[str, list[ModelOffer]] = {}
    for offer in offers:
        by_name.setdefault(offer.name, []).append(offer)
    return [
        ModelRow(
            name,
            tuple(sorted(found, key=lambda o: (bool(o.misfit), -(o.score or 0.0), o.cap_msat))),
        )
        for name, found in by_name.items()
    ]


def shown_rows(rows: list[ModelRow], text: str, order: str, hide: bool) -> list[ModelRow]:
    """Those with all words in their name or among what they can, in an order."""
    words = text.lower().split()
    fitting = [
        row
        for row in rows
        if not (hide and row.misfit)
        and all(word in f"{row.name} {' '.join(row.best.features)}".lower() for word in words)
    ]
    return sorted(fitting, key=ORDERS[order])


class ModelScreen(ModalScreen[str | None]):
    """Answers with a model's name; None when the user leaves."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("pagedown", "move(8)", "Down", show=False),
        Binding("pageup", "move(-8)", "Up", show=False),
        Binding("ctrl+s", "order", "Sort", show=False),
        Binding("ctrl+x", "hide", "Hide misfits", show=False, priority=True),
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self.order = "name"
        self.hide = False
        self.rows: list[ModelRow] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-list") as dialog:
            dialog.border_title = "Choose the model"
            field = Input(
                placeholder="A part of the name, or what it must be able to: images, tools …",
                compact=True,
                id="model-text",
            )
            field.cursor_blink = False
            yield field
            yield LineList(self.peer.look, id="model-rows")
            yield Static("", id="model-detail", markup=False)

    def on_mount(self) -> None:
        self.lines = self.query_one(LineList)
        self.detail = self.query_one("#model-detail", Static)
        self.lines.can_focus, self.lines.lit = False, True
        self.query_one(Input).focus()
        self.all = rows_of(self.peer.model.offers)
        current = self.peer.model.chat.current.model
        self._show()
        self.lines.cursor = next((i for i, r in enumerate(self.rows) if r.name == current), 0)
        self._show()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._show()

    def _show(self) -> None:
        text = self.query_one(Input).value
        self.rows = shown_rows(self.all, text, self.order, self.hide)
        empty = "No model fits." if self.all else "No ghost offers a model now."
        self.lines.show(self.rows, _line, self.peer.look, empty=empty)
        hidden = "show misfits" if self.hide else "hide misfits"
        dialog = self.query_one(".dialog", Vertical)
        dialog.border_subtitle = f"by {self.order}   Ctrl+S sorts   Ctrl+X {hidden}   Enter takes"
        self._detail()

    def _detail(self) -> None:
        """Everything about the model under the cursor."""
        if not self.rows:
            self.detail.update("")
            return
        self.detail.update(_details(self.rows[self.lines.cursor], self.peer.look))

    def action_move(self, step: int) -> None:
        self.lines.action_move(step)
        self._detail()

    def action_order(self) -> None:
        names = list(ORDERS)
        self.order = names[(names.index(self.order) + 1) % len(names)]
        self.lines.cursor = 0
        self._show()

    def action_hide(self) -> None:
        self.hide = not self.hide
        self._show()

    @on(Input.Submitted)
    def _entered(self) -> None:
        if self.rows:
            self.dismiss(self.rows[self.lines.cursor].name)

    @on(LineList.Chosen)
    def _clicked(self, event: LineList.Chosen) -> None:
        self.dismiss(self.rows[event.index].name)

    def action_leave(self) -> None:
        self.dismiss(None)


def _line(row: ModelRow, width: int, look: Look) -> Text:
    """Name, price of a million tokens in and out, first word, score."""
    name = max(16, width - 52)
    text = Text(ellipsis(row.name, name).ljust(name + 2), look.muted if row.misfit else look.base)
    text.append(f"{msat(row.best.in_price)} / {msat(row.best.out_price)}".rjust(24), look.base)
    text.append((took(row.latency_ms) if row.latency_ms is not None else "–").rjust(9), look.base)
    text.append((percent(row.score) if row.score is not None else "–").rjust(7), look.base)
    text.append(f"  {plural(len(row.offers), 'ghost')}", look.muted)
    return text


def _details(row: ModelRow, look: Look) -> Text:
    best = row.best
    text = Text(f"At most {msat(best.cap_msat)} an answer", look.base)
    text.append(f", {msat(best.chunk_msat)} paid ahead; ghost {best.ghost}.", look.muted)
    if best.context:
        text.append(f" Context {best.context:,} tokens.", look.base)
    if best.features:
        text.append(f" Can: {', '.join(best.features)}.", look.base)
    if row.misfit:
        text.append(f"\nWould not be asked: {row.misfit}", look.warning)
    if best.why:
        text.append(f"\n{best.why}", look.base)
    if best.policy:
        text.append(f"\nIts ghost says: {best.policy}", look.muted)
    return text
