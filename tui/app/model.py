"""Everything the screen shows, as plain data. No Textual, no sockets, no clock of its own.

The link feeds answers and events in; painters look at `revision` counters and paint what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.app.chats import ChatModel
from tui.app.circuits import CircuitBook
from tui.app.earnings import EarningsView
from tui.app.ghosts import GhostsView
from tui.app.jsonish import Json, line, lines, maybe_real, maybe_whole, record, records, whole
from tui.app.network import NetworkView
from tui.app.shapes import ShapeOffer
from tui.app.wallet import WalletView


@dataclass(slots=True, eq=False, repr=False)
class LinkState:
    """The connection to the node."""

    state: str = "connecting"  # connecting, up, lost
    since: float = 0.0
    attempts: int = 0
    reason: str = ""
    ever_up: bool = False
    boot: str = ""  # the run of the node that was spoken to last


@dataclass(slots=True, repr=False)
class NodeStatus:
    """What `status` says, field by field."""

    node: str = ""
    version: str = ""
    roles: list[str] = field(default_factory=list)
    home: str = ""
    uptime_s: float | None = None
    relays_known: int | None = None
    ghosts_known: int | None = None
    circuits_open: int | None = None
    wallet_sat: int | None = None
    shape_class: str = ""
    tick_ms: int | None = None
    tier: str = ""
    set_size: int | None = None
    guard_age_s: float | None = None
    shape_leak_bound: str = ""
    last_cost_msat: int | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, value: object) -> NodeStatus:
        source = record(value)
        return cls(
            node=line(source, "node"),
            version=line(source, "version"),
            roles=lines(source, "roles"),
            home=line(source, "home"),
            uptime_s=maybe_real(source, "uptime_s"),
            relays_known=maybe_whole(source, "relays_known"),
            ghosts_known=maybe_whole(source, "ghosts_known"),
            circuits_open=maybe_whole(source, "circuits_open"),
            wallet_sat=maybe_whole(source, "wallet_sat"),
            shape_class=line(source, "shape_class"),
            tick_ms=maybe_whole(source, "tick_ms"),
            tier=line(source, "tier"),
            set_size=maybe_whole(source, "set_size"),
            guard_age_s=maybe_real(source, "guard_age_s"),
            shape_leak_bound=line(source, "shape_leak_bound"),
            last_cost_msat=maybe_whole(source, "last_cost_msat"),
            warnings=lines(source, "warnings"),
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModelOffer:
    """A model some ghost offers, and its price."""

    name: str
    ghost: str
    in_price: int
    out_price: int
    chunk_msat: int
    cap_msat: int
    mints: tuple[str, ...]
    score: float | None = None  # what is thought of the ghost for it, from 0 to 1
    why: str = ""
    latency_ms: float | None = None
    misfit: str = ""  # why it would not be asked
    features: tuple[str, ...] = ()
    context: int = 0  # tokens; 0: not known
    policy: str = ""  # what its ghost says it keeps and refuses

    @classmethod
    def of(cls, source: Json) -> ModelOffer:
        return cls(
            name=line(source, "model"),
            ghost=line(source, "ghost")[:8],
            in_price=whole(source, "in_price"),
            out_price=whole(source, "out_price"),
            chunk_msat=whole(source, "chunk_msat"),
            cap_msat=whole(source, "cap_msat"),
            mints=tuple(lines(source, "mints")),
            score=maybe_real(source, "score"),
            why=line(source, "why"),
            latency_ms=maybe_real(source, "latency_ms"),
            misfit=line(source, "misfit") or line(source, "quarantined"),
            features=tuple(lines(source, "features")),
            context=whole(source, "context"),
            policy=_policy(source.get("policy")),
        )


_READERS = {
    "rules": "patterns of its operator look at questions first",
    "command": "a program of its operator looks at questions first",
    "provider": "a moderation service reads questions first",
}


def _policy(value: object) -> str:
    """What a ghost says it does with questions, in a line; empty when it said nothing."""
    source = record(value)
    if not source:
        return ""
    kept = line(source, "retention", "none")
    words = ["it keeps nothing" if kept == "none" else f"it keeps: {kept}"]
    if reader := _READERS.get(line(source, "moderation")):
        words.append(reader)
    if refused := lines(source, "refused"):
        words.append(f"refuses {', '.join(refused)}")
    if provider := line(source, "provider"):
        words.append(f"provider {provider}")
    if place := line(source, "jurisdiction"):
        words.append(f"law of {place}")
    return "; ".join(words)


class AppModel:
    """The whole state behind the screen."""

    def __init__(self) -> None:
        self.link = LinkState()
        self.status = NodeStatus()
        self.offers: list[ModelOffer] = []
        self.shapes: list[ShapeOffer] = []
        self.chat = ChatModel()
        self.circuits = CircuitBook()
        self.wallet = WalletView()
        self.earnings = EarningsView()
        self.network = NetworkView()
        self.ghosts = GhostsView()
        self.earnings_from_demo_ghost = False
        self.revision = 0

    # -- the link ----------------------------------------------------------------------------

    def link_up(self, now: float, boot: str = "") -> None:
        """`boot` names the run of the node. A new one is told before anything can be asked of it,
        so that no question to the new node is taken for one that the old one was answering."""
        if self.link.boot and boot != self.link.boot:
            self.chat.node_restarted()
        self.link.boot = boot
        self.link.state, self.link.since = "up", now
        self.link.attempts, self.link.reason, self.link.ever_up = 0, "", True
        self.revision += 1

    def link_lost(self, now: float, reason: str) -> None:
        if self.link.state == "up" or not self.link.since:
            self.link.since = now
        self.link.state = "lost"
        self.link.attempts += 1
        self.link.reason = reason
        self.revision += 1

    # -- snapshots ---------------------------------------------------------------------------

    def set_status(self, value: object) -> None:
        fresh = NodeStatus.of(value)
        if fresh != self.status:
            self.status = fresh
            self.revision += 1

    def set_offers(self, value: object) -> None:
        self.offers = [ModelOffer.of(item) for item in records(value)]
        if not self.chat.current.model and self.offers:
            self.chat.current.model = self.offers[0].name
        self.revision += 1

    def set_network(self, value: object) -> None:
        self.circuits.network(value)
        self.network.update(value)

    def set_shapes(self, value: object) -> None:
        self.shapes = [ShapeOffer.of(item) for item in records(value)]
        self.revision += 1

    def event(self, name: str, data: Mapping[str, object], now: float, wall: float) -> None:
        """Take one event of the node. Unknown events are for newer screens; they are ignored."""
        if name.startswith("ask."):
            self.chat.event(name, data, now)
            if name == "ask.done":
                self._last_cost(data)
        elif name == "sessions.changed":
            self.chat.changed_elsewhere(line(data, "session_id"))
        elif name == "circuit.changed":
            self.circuits.changed(data, wall)
        elif name == "wallet.restoring":
            self.wallet.restoring(data)
        elif name == "log" and line(data, "level") in ("warning", "error"):
            self.circuits.note(wall, line(data, "message"))

    def _last_cost(self, data: Json) -> None:
        cost = maybe_whole(record(data.get("result")), "cost_msat")
        if cost is not None:
            self.status.last_cost_msat = cost
            self.revision += 1

    # -- questions of the screen -------------------------------------------------------------

    def offer(self, name: str) -> ModelOffer | None:
        """The cheapest offer of a model (by its cap, then by price)."""
        fitting = [offer for offer in self.offers if offer.name == name]
        return min(fitting, key=lambda o: (o.cap_msat, o.out_price, o.ghost), default=None)

    def shape(self) -> ShapeOffer | None:
        """The traffic shape of the conversation in front: its own, else the node's default."""
        chosen = self.chat.current.shape
        named = (s for s in self.shapes if s.name == chosen or (not chosen and s.default))
        return next(named, None)

    def wallet_sat(self) -> int | None:
        return self.wallet.total_sat if self.wallet.known else self.status.wallet_sat
