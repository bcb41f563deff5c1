"""Choosing a model: price, speed, what is thought of its ghosts, what it can; with filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.app.look import Look
from tui.app.model import ModelOffer
from tui.app.screens.list import ListScreen
from tui.app.text import ellipsis, in_sat, msat, percent, took

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


class ModelScreen(ListScreen[str]):
    """Answers with a model's name."""

    HEADING = "Choose the model; prices in sat for a million tokens"
    FIELD = "model-text"
    PLACEHOLDER = "A part of the name, or what it must be able to: images, tools …"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "order", "Sort", show=False),
        Binding("ctrl+x", "hide", "Hide misfits", show=False, priority=True),
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self.order = "name"
        self.hide = False
        self.rows: list[ModelRow] = []
        self.all = rows_of(app.model.offers)

    def begin(self) -> None:
        self._show("")
        current = self.peer.model.chat.current.model
        self.lines.cursor = next((i for i, r in enumerate(self.rows) if r.name == current), 0)
        self._show("")

    def typed(self, text: str) -> None:
        self._show(text)

    def answers(self) -> list[str]:
        return [row.name for row in self.rows]

    def describe(self, row: int) -> Text:
        return _details(self.rows[row], self.peer.look)

    def _show(self, text: str) -> None:
        self.rows = shown_rows(self.all, text, self.order, self.hide)
        empty = "No model fits." if self.all else "No ghost offers a model now."
        self.lines.show(self.rows, _line, self.peer.look, empty=empty, head=_head)
        hidden = "show misfits" if self.hide else "hide misfits"
        keys = f"Ctrl+S sorts: by {self.order}   Ctrl+X {hidden}   Enter takes   Esc leaves"
        self.dialog.border_subtitle = keys
        self.show_detail()

    def _again(self) -> None:
        self._show(self.query_one(Input).value)

    def action_order(self) -> None:
        names = list(ORDERS)
        self.order = names[(names.index(self.order) + 1) % len(names)]
        self.lines.cursor = 0
        self._again()

    def action_hide(self) -> None:
        self.hide = not self.hide
        self._again()


NUMBERS = 47
"""Columns of a row beside the model's name."""


def _head(width: int) -> str:
    return _columns("model", ("in", "out", "first word", "score", "ghosts"), width)


def _line(row: ModelRow, width: int, look: Look) -> Text:
    """Name, price of a million tokens in and out, first word, score, how many ghosts."""
    cells = (
        in_sat(row.best.in_price),
        in_sat(row.best.out_price),
        took(row.latency_ms) if row.latency_ms is not None else "–",
        percent(row.score) if row.score is not None else "–",
        f"{len(row.offers):,}",
    )
    return Text(_columns(row.name, cells, width), look.muted if row.misfit else look.base)


def _columns(name: str, cells: tuple[str, str, str, str, str], width: int) -> str:
    room = max(16, width - NUMBERS)
    into, out, word, score, ghosts = cells
    return (
        f"{ellipsis(name, room):<{room}}{into:>10}{out:>10}{word:>12}{score:>7}{ghosts:>8}".rstrip()
    )


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
