"""The network pane: how much is known and from whom, offers and prices, ghosts and what is thought
of them, all nodes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.app.ghosts import GhostLine, Price, price_of
from tui.app.look import Look
from tui.app.network import NodeLine
from tui.app.panes.base import Pane, style_sheet
from tui.app.panes.network_deeds import NetworkDeeds
from tui.app.text import age, ellipsis, took
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

NAME_WIDTH = 10
PRICE_WIDTH = 12
GHOSTS_WIDTH = 6
NAME_MOST = 60  # a wider column would tear names and prices apart
OFFER_MARGINS = GHOSTS_WIDTH + 12  # the table's frame, and what stands between its columns
GHOST_COLUMNS = (10, 5, 14, 10, 15)
"""Id, score, state, first word, price; then the model and, where there is room, why."""
MODEL_WIDTH = 26


class NetworkPane(NetworkDeeds, Pane):
    group = "network"
    DEFAULT_CSS = style_sheet("tables", "network")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="network-facts")
        offers: DataTable[Content | str] = DataTable(id="network-offers", cursor_type="row")
        yield offers
        with Vertical(id="network-body"):
            yield LineList(self.peer.look, id="network-ghosts")
            yield LineList(self.peer.look, id="network-nodes")

    def on_mount(self) -> None:
        self.facts = self.query_one("#network-facts", Static)
        self.offers = self.query_one("#network-offers", DataTable)
        self.ghosts = self.query_one("#network-ghosts", LineList)
        self.nodes = self.query_one("#network-nodes", LineList)
        self.offers.border_title = "Models on offer; prices in sat for a million tokens"

    def focus_first(self) -> None:
        self.ghosts.focus()

    def paint(self) -> None:
        view = self.model.network
        trouble = self.peer.link.troubles.get("network")
        known = (self.model.ghosts.revision, self.model.revision, self.peer.theme_file.name)
        fresh = (view.revision, self.size, trouble, known)
        if fresh == self._seen or not self.size.width:
            return
        self._seen = fresh
        self._paint_facts(trouble.message if trouble is not None else "")
        self._paint_offers()
        self._paint_ghosts()
        self._paint_nodes()

    def _paint_facts(self, trouble: str) -> None:
        view = self.model.network
        if not view.known:
            self.facts.update(Content.styled(trouble or "Reading the network …", "$muted"))
            return
        room = self.size.width - NAME_WIDTH - 6
        lines = [
            Content.assemble(
                (fact.name.ljust(NAME_WIDTH), "$muted"),
                ("! " if fact.worry else "  ", "$warning"),
                (ellipsis(fact.words, room), "$warning" if fact.worry else ""),
            )
            for fact in view.facts
        ]
        self.facts.update(Content("\n").join(lines))

    def _paint_offers(self) -> None:
        prices = self.model.network.prices
        row = self.offers.cursor_row
        self.offers.clear(columns=True)
        into = max([PRICE_WIDTH, *(len(offer.in_price) for offer in prices)])
        out = max([PRICE_WIDTH, *(len(offer.out_price) for offer in prices)])
        room = max(14, min(NAME_MOST, self.size.width - into - out - OFFER_MARGINS))
        self.offers.add_column("model", width=room)
        for label, width in (("ghosts", GHOSTS_WIDTH), ("in", into), ("out", out)):
            self.offers.add_column(label.rjust(width), width=width)
        for offer in prices:
            self.offers.add_row(
                Content(ellipsis(offer.model, room)),
                f"{offer.ghosts:>{GHOSTS_WIDTH}}",
                offer.in_price.rjust(into),
                offer.out_price.rjust(out),
            )
        self.offers.display = bool(prices)
        if prices:
            self.offers.move_cursor(row=min(row, len(prices) - 1), animate=False)

    def _paint_ghosts(self) -> None:
        view = self.model.ghosts
        left = sum(1 for ghost in view.ghosts if ghost.quarantine is not None)
        self.ghosts.border_title = (
            "Ghosts, the best first; price of a million tokens in/out, in sat"
        )
        self.ghosts.border_subtitle = f"{left} left alone" if left else ""
        words = "No ghost is known yet." if view.known else "Reading what is known of ghosts …"
        prices = {g.short_id: price_of(g.short_id, self.model.offers) for g in view.ghosts}
        now = time.time()

        def draw(ghost: GhostLine, width: int, look: Look) -> Text:
            return ghost_line(ghost, prices[ghost.short_id], now, width, look)

        self.ghosts.show(view.ghosts, draw, self.peer.look, empty=words, head=ghost_head)

    def _paint_nodes(self) -> None:
        nodes = self.model.network.nodes
        self.nodes.border_title = f"Nodes: {len(nodes):,}"
        self.nodes.show(nodes, node_line, self.peer.look, empty="No node is known yet.")

    def chosen_ghost(self) -> GhostLine | None:
        ghosts, row = self.model.ghosts.ghosts, self.ghosts.cursor
        return ghosts[row] if 0 <= row < len(ghosts) else None

    @on(LineList.Chosen, "#network-ghosts")
    def _open_ghost(self) -> None:
        self.peer.perform("ghost_facts")


def ghost_head(width: int) -> str:
    """The names of a ghost line's columns."""
    ident, score, state, wait, price = GHOST_COLUMNS
    head = f"  {'ghost':<{ident}}{'score':<{score}}  {'state':<{state}}"
    head += f"{'first word':>{wait}}{'price':>{price}}  "
    model, why = _rest(width - len(head))
    return head + ellipsis("model", model).ljust(model) + ("why" if why else "")


def ghost_line(ghost: GhostLine, price: Price | None, now: float, width: int, look: Look) -> Text:
    """Glyph, id, score, state, first word, price, then its model and why as there is room."""
    ident, score, state, waited, priced = GHOST_COLUMNS
    tone = look.warning if ghost.quarantine else look.success if ghost.trusted else look.base
    text = Text(f"{ghost.glyph} {ghost.short_id:<{ident}}", tone)
    text.append(f"{ghost.score:<{score}.2f}  ", look.strong)
    text.append(ellipsis(ghost.state(now), state).ljust(state), tone)
    wait = "–" if ghost.latency_ms is None else took(ghost.latency_ms)
    text.append(f"{wait:>{waited}}", look.base)
    cell, name = ("", "") if price is None else (price.cell, price.name)
    text.append(f"{ellipsis(cell, priced):>{priced}}  ", look.base)
    model, why = _rest(width - text.cell_len)
    if not name and not why:
        name = ghost.why  # nothing else stands there
    text.append(ellipsis(name, model - 1).ljust(model), look.base)
    text.append(ellipsis(ghost.why, why), look.muted)
    return text


def _rest(room: int) -> tuple[int, int]:
    """Columns for the model and for why; a narrow window has none for why (Enter tells it)."""
    return (MODEL_WIDTH, room - MODEL_WIDTH) if room > 2 * MODEL_WIDTH else (max(0, room), 0)


def node_line(node: NodeLine, width: int, look: Look) -> Text:
    """Id, roles, and how old its advert is."""
    text = Text(f"{node.short_id:<10}", look.base)
    room = max(8, width - 10 - 14)
    text.append(ellipsis(node.roles, room - 2).ljust(room), look.base)
    text.append(f"advert {age(node.age_s)}", look.muted)
    return text
