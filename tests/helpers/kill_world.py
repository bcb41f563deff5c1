"""A whole market in one process, in which any part can be killed while an answer streams.

Relays with mailboxes, a ghost with a scripted provider, a client with its chats: all real code over
real links on loopback, with the market's fakes for mints, and virtual time. Threads run inline, as
virtual time does not wait for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.pool import CircuitPool
from engine.circuit.shape_menu import ShapeMenu
from engine.circuit.stream import CircuitStream
from engine.control.events import EventBus
from engine.crypto.suite import default_suite
from engine.directory.guards import GuardList
from engine.directory.relays import RelaySet
from engine.exit.backends.base import Backend
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.mailbox.client import MailboxClient
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.pickup import Pickup
from engine.mailbox.sender import ReplySender
from engine.mailbox.settings import MailboxSettings
from engine.session.chat import ChatService
from engine.session.mailroad import MailRoad
from engine.session.opening import Surroundings
from engine.session.route import Route
from engine.wire.advert import Advert, Role
from engine.wire.directory_file import format_directory
from engine.wire.frames import Purpose
from engine.wire.quote import ModelOffer
from engine.wire.shape import BULK_PLAN, ShapeClass
from tests.helpers.mailbox import MailboxRelay
from tests.helpers.market_fakes import (
    MINT,
    FakeEarner,
    FakeMint,
    FakePayer,
    FakeStore,
    ScriptedBackend,
)
from tests.helpers.market_world import MODEL, terms
from tests.helpers.network import LocalNode
from wallet.store import ChatMessage, KeyFile, Store
from wallet.wallet import Wallet

RELAYS = 7
PAUSE_S = 0.06
WORDS = [f"word{index} " for index in range(50)]
ANSWER = "".join(WORDS)
CHEAP = ModelOffer.plain(MODEL, 1_000_000, 10_000_000, 1000)  # one chunk buys the whole answer


@dataclass
class _Balance:
    available_sat: int
    url: str = MINT


class SimWallet(FakePayer):
    """The fake payer with the one thing more that chats ask for."""

    async def balances(self) -> list[_Balance]:
        await trio.lowlevel.checkpoint()
        return [_Balance(self.balance_sat)]


class Part:
    """Something that runs until it is killed: at once, with all its sockets."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    async def start(self, nursery: trio.Nursery, work: Callable[..., Any]) -> None:
        async def run(task_status: trio.TaskStatus[None]) -> None:
            with self._scope:
                await work(task_status)

        await nursery.start(run)

    def kill(self) -> None:
        self._scope.cancel()


class Relay(Part):
    """A relay with mailboxes."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.node = LocalNode(host, {})
        self.mailbox = MailboxRelay(self.node, MailboxSettings(hold_ms=50), trio.current_time)

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.node.run)
            await nursery.start(self.mailbox.service.run)
            task_status.started()


class Ghost(Part):
    """A ghost that answers in words with pauses between them."""

    def __init__(self, host: str, mint: FakeMint, backend: Backend | None = None) -> None:
        super().__init__()
        self.node = LocalNode(host, {Purpose.SESSION: self._serve})
        self.books = FakeStore()
        self.backend = ScriptedBackend(WORDS, usage=(20, 50), gate=self._pause)
        self.earner = FakeEarner(mint, self.books.credits)
        self.service = GhostService(
            identity=self.node.identity,
            wallet=self.earner,
            store=self.books,
            backend=backend or self.backend,
            terms=terms(models=(CHEAP,)),
        )
        outlet = PacketOutlet(self.node.links)
        self.service.mail_by(ReplySender(outlet, address_ok=lambda _node, _host, _port: True))

    @staticmethod
    async def _pause(_index: int) -> None:
        await trio.sleep(PAUSE_S)

    async def _serve(self, stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        await self.service.serve_session(stream)

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.service.run)
            await nursery.start(self.node.run)
            task_status.started()


class Client(Part):
    """One process of the client: what it keeps is in the store, the wallet and the guards."""

    def __init__(self, world: KillWorld) -> None:
        super().__init__()
        self.links = LinkManager(Identity.generate(), default_suite(), on_create=None)
        relays = world.directory
        self.pool = CircuitPool(
            self.links,
            relays,
            GuardList(world.guards),
            suite=default_suite(),
            save_guards=world.save_guards,
            on_change=lambda *_change: None,
        )

        async def build(advert: Advert, purpose: str) -> ClientCircuit:
            return await self.pool.build_to_relay(advert, purpose, BULK_PLAN)

        self.bus = EventBus()
        around = Surroundings(
            world.store,
            cast(Wallet, world.wallet),
            relays,
            lambda ghost, plan: Route(self.pool, relays, ghost, plan),
            ShapeMenu(ShapeClass.BULK),
            self.bus,
            MailRoad(MailboxClient(build, relays, rules=self.pool.rules), relays, self._guards),
        )
        self.chats = ChatService(around)

    def _guards(self) -> list[bytes]:
        in_use = self.pool.guards.in_use
        return [] if in_use is None else [bytes.fromhex(in_use.node_id)]

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.links.run)
            await nursery.start(self.pool.run)
            await nursery.start(self.chats.run)
            task_status.started()

    def path(self) -> list[bytes]:
        """The relays of the chat's circuit: guard, middle, middle; empty while there is none."""
        circuit = self.circuit()
        return [] if circuit is None else [hop.node_id for hop in circuit.path[:3]]

    def circuit(self) -> ClientCircuit | None:
        """The chat's circuit. Another one may lead over the same relays."""
        for circuit in self.pool.circuits.values():
            if circuit.purpose == "chat" and len(circuit.path) == 4:
                return circuit
        return None

    def mail_relays(self) -> list[bytes]:
        """Return relays and mailboxes that stand by for the answer."""
        found: list[bytes] = []
        for pinned in self.chats.desk.open_sessions:
            for pickup in pinned.shelf.pickups if pinned.shelf is not None else ():
                found += [leg.node_id for leg in cast(Pickup, pickup).legs]
        return found


@dataclass
class KillWorld:
    """Everything a run looks at."""

    nursery: trio.Nursery
    folder: Path
    store: Store
    relays: dict[bytes, Relay] = field(default_factory=dict)
    guards: list[dict[str, object]] = field(default_factory=list)
    mint: FakeMint = field(default_factory=FakeMint)
    backend: Backend | None = None
    """What the ghost asks, where it is not the scripted provider."""

    def __post_init__(self) -> None:
        self.wallet = SimWallet(self.mint, 1000)
        self.ghost = Ghost(f"127.{RELAYS + 1}.0.1", self.mint, self.backend)
        self.directory = RelaySet(self.folder / "directory", test_network=True)

    async def save_guards(self, sample: list[dict[str, object]]) -> None:
        await trio.lowlevel.checkpoint()
        self.guards = [dict(guard) for guard in sample]

    async def start(self) -> None:
        for place in range(RELAYS):
            relay = Relay(f"127.{place + 1}.0.1")
            await relay.start(self.nursery, relay.run)
            self.relays[relay.node.identity.node_id] = relay
        await self.ghost.start(self.nursery, self.ghost.run)
        lines = [r.mailbox.advert.encode(r.node.identity) for r in self.relays.values()]
        node = self.ghost.node
        lines.append(node.advert(Role.GHOST).encode(node.identity))
        (self.folder / "directory").write_text(format_directory(lines))
        self.directory.reload()

    async def new_client(self) -> Client:
        client = Client(self)
        await client.start(self.nursery, client.run)
        return client

    def kill_relay(self, node_id: bytes) -> None:
        self.relays[node_id].kill()

    def cut_ghost_links(self) -> None:
        """Every link of the ghost breaks; new ones can be made."""
        for link in list(self.ghost.node.links.links):
            link.close()

    async def answers(self, chat: str) -> list[ChatMessage]:
        """The messages of the assistant in a chat."""
        return [m for m in await self.store.messages.list(chat) if m.role == "assistant"]


@asynccontextmanager
async def kill_world(folder: Path, backend: Backend | None = None) -> AsyncIterator[KillWorld]:
    """A running network, a ghost and an empty store; no client yet."""
    store = await Store.open(folder / "store.db", KeyFile(folder / "key", create=True), create=True)
    async with store, trio.open_nursery() as nursery:
        world = KillWorld(nursery, folder, store, backend=backend)
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


# -- runs ------------------------------------------------------------------------------------------

LONGEST_S = 700.0
VICTIMS = ("guard", "middle", "last", "ghost link", "return relay", "mailbox")
ASK = {
    "text": "What is an onion?",
    "session_id": None,
    "model": None,
    "max_tokens": None,
    "temperature": None,
    "settle": False,
    "shape": None,
}


@dataclass(frozen=True)
class Fate:
    """What happens in one run, drawn from its seed. `early` kills counts from the question, others
    from the first word. `away_s` is for a client that dies too; then `ghost_stops` tells whether
    the ghost shuts down, for good, before it is back."""

    victim: str
    early: bool
    after_s: float
    away_s: float | None
    ghost_stops: bool
    settle: bool

    @classmethod
    def of(cls, seed: int) -> Fate:
        rng = Random(seed)
        victim = rng.choice(VICTIMS)
        away = rng.random() < 0.4
        early = not away and rng.random() < 0.2
        after_s = rng.uniform(0.0, 0.1 if early else PAUSE_S * len(WORDS))
        stops = away and rng.random() < 0.5
        away_s = rng.uniform(30.0, 90.0) if stops else rng.uniform(0.0, 90.0)
        return cls(victim, early, after_s, away_s if away else None, stops, rng.random() < 0.3)


@dataclass(frozen=True)
class Outcome:
    """How one run ended; `way` is "", "resume" or "mailbox"."""

    completed: bool
    way: str
    why: str = ""


async def run_fate(folder: Path, fate: Fate) -> Outcome:
    """One question, one kill, and what the user finds in the chat afterwards."""
    async with kill_world(folder) as world:
        client = await world.new_client()
        await client.chats.desk.warm()
        await trio.sleep(10)
        before = client.path()
        started = await client.chats.ask({**ASK, "settle": fate.settle})
        if not fate.early:
            await _until(lambda: world.ghost.backend.yielded > 0, 30)
        await trio.sleep(fate.after_s)
        _strike(world, client, fate)
        if fate.away_s is not None:
            client.kill()
            await trio.sleep(0 if not fate.ghost_stops else 25)
            if fate.ghost_stops:
                with trio.move_on_after(12):
                    await world.ghost.service.drain()
                await trio.sleep(2)
                world.ghost.kill()
            await trio.sleep(fate.away_s)
            client = await world.new_client()
        outcome = await _wait_for_end(world, started.session_id)
        moved = fate.away_s is not None or client.path() != before
        client.kill()
        return (
            outcome
            if not outcome.completed or outcome.way
            else Outcome(True, "resume" if moved else "")
        )


def _strike(world: KillWorld, client: Client, fate: Fate) -> None:
    if fate.victim == "ghost link":
        world.cut_ghost_links()
    else:
        world.kill_relay(_victim(client, fate))


def _victim(client: Client, fate: Fate) -> bytes:
    path, mail = client.path(), client.mail_relays()
    places = {"guard": 0, "middle": 1, "last": 2}
    if fate.victim in places and path:
        return path[places[fate.victim]]
    if mail:
        return mail[0 if fate.victim == "return relay" else 1]
    return path[0]


async def _until(true: Callable[[], bool], longest_s: float) -> None:
    with trio.fail_after(longest_s):
        while not true():
            await trio.sleep(0.02)


async def _wait_for_end(world: KillWorld, chat: str) -> Outcome:
    with trio.move_on_after(LONGEST_S):
        while True:
            messages = await world.answers(chat)
            if messages and messages[-1].meta["state"] != "streaming":
                return _judge(world, messages)
            await trio.sleep(1)
    return Outcome(False, "", "it never ended")


def _judge(world: KillWorld, messages: list[ChatMessage]) -> Outcome:
    if len(messages) != 1:
        return Outcome(False, "", "there is more than one message")
    (message,) = messages
    if message.text != ANSWER or message.meta["state"] != "done":
        error = message.meta.get("error", {}).get("message", "")
        why = f"{message.meta['state']} with {len(message.text)} bytes: {error}"
        return Outcome(False, "", why)
    bills = world.ghost.books.earnings.rows
    if len(bills) != 1 or bills[0][4] != message.meta["cost_msat"]:
        return Outcome(False, "", "the cost is not what was billed, once")
    return Outcome(True, "mailbox" if message.meta["by_mail"] else "")
