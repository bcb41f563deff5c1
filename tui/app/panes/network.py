"""The network pane: how much is known and from whom, what is offered at which price, all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.app.jsonish import line, record, whole
from tui.app.panes.base import Pane, style_sheet
from tui.app.text import age, ellipsis, plural

if TYPE_CHECKING:
    from tui.app.app import PeerApp

NAME_WIDTH = 10
ROWS = 500  # nodes listed; their number stands on top


class NetworkPane(Pane):
    group = "network"
    DEFAULT_CSS = style_sheet("tables", "network")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="network-facts")
        offers: DataTable[str] = DataTable(id="network-offers", cursor_type="row")
        yield offers
        nodes: DataTable[str] = DataTable(id="network-nodes", cursor_type="row")
        yield nodes

    def on_mount(self) -> None:
        self.facts = self.query_one("#network-facts", Static)
        self.offers = self.query_one("#network-offers", DataTable)
        self.nodes = self.query_one("#network-nodes", DataTable)
        self.offers.border_title = "Offered, a million tokens"
        self.nodes.border_title = "Nodes"
        for label, width in (("node", 8), ("roles", 32), ("advert age", 10)):
            self.nodes.add_column(label, width=width)

    def focus_first(self) -> None:
        self.nodes.focus()

    def paint(self) -> None:
        view = self.model.network
        trouble = self.peer.link.troubles.get("network")
        fresh = (view.revision, self.size.width, trouble)
        if fresh == self._seen or not self.size.width:
            return
        self._seen = fresh
        self._paint_facts(trouble.message if trouble is not None else "")
        self._paint_offers()
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
        prices, room = self.model.network.prices, max(14, self.size.width - 66)
        row = self.offers.cursor_row
        self.offers.clear(columns=True)
        widths = (("model", room), ("ghosts", 6), ("in", 22), ("out", 22))
        for label, width in widths:
            self.offers.add_column(label, width=width)
        for offer in prices:
            name = ellipsis(offer.model, room)
            self.offers.add_row(name, f"{offer.ghosts:>6}", offer.in_price, offer.out_price)
        self.offers.display = bool(prices)
        if prices:
            self.offers.move_cursor(row=min(row, len(prices) - 1), animate=False)

    def _paint_nodes(self) -> None:
        nodes, row = self.model.network.nodes[:ROWS], self.nodes.cursor_row
        self.nodes.clear()
        for node in nodes:
            self.nodes.add_row(node.short_id, ellipsis(node.roles, 32), age(node.age_s).rjust(10))
        if nodes:
            self.nodes.move_cursor(row=min(row, len(nodes) - 1), animate=False)

    # -- deeds -------------------------------------------------------------------------------

    async def do_invite(self) -> None:
        from tui.app.screens.invite import InviteScreen

        answer = record(await self.controller.link.call("network.invite"))
        screen = InviteScreen(self.peer, line(answer, "invite"), line(answer, "short"))
        await self.peer.push_screen_wait(screen)

    async def do_join(self) -> None:
        from tui.app.screens.form import Field, ask_form

        intro = "Paste an invite: the nodes it names are asked for the network, now and later."
        fields = [Field("invite", "Invite", placeholder="P2P1…")]
        answer = await ask_form(self.peer, "Join by an invite", intro, fields, "Join")
        if answer is None:
            return
        joined = record(await self.controller.join(answer["invite"]))
        answered, contacts = whole(joined, "answered"), whole(joined, "contacts")
        known = plural(whole(joined, "relays_known"), "relay")
        if answered:
            self.peer.say(f"{answered} of {plural(contacts, 'node')} answered; {known} known now.")
        else:
            self.peer.say("Nobody answered. The invite is kept and tried again.", "warning")
