"""Layer A at scale: the gossip, sets and comparisons of real nodes, with streams of no bytes.

Each node is engine.directory.gossip.Gossip over its own set; a comparison runs the two sides of
engine.directory.reconcile against each other and counts the cells that its messages would fill.
Time is trio's, so it is virtual under a MockClock. Adverts are real; each is verified once for all
nodes together, because a thousand nodes verifying a thousand adverts would measure Ed25519.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import trio

from engine.directory.adverts import AdvertSet, Outcome
from engine.directory.gossip import Gossip
from engine.directory.reconcile import Librarian, Reconciler
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, WireError
from engine.identity import Identity
from engine.sim.weather import Weather
from engine.wire import directory as wire
from engine.wire.advert import Address, Advert, OnionKey, Role
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import MAX_FRAME_DATA

START_S = 1_800_000_000
HOUR_S = 3_600.0
ADVERT_LIFE_S = 6 * 3_600  # engine.relay_role
RENEW_S = 3_600.0
TCP_IP_BYTES = 40
CIRCUIT_CELLS = 8  # CREATE, CREATED, BEGIN, its answer, an end mark each way, END, DESTROY
SETTLING_S = 1.0


class Notary:
    """Verifies each advert once, for every node."""

    def __init__(self) -> None:
        self._known: dict[bytes, Advert | None] = {}

    def advert(self, raw: bytes, now: int) -> Advert | None:
        """The verified advert, None when it is not valid."""
        if raw not in self._known:
            try:
                self._known[raw] = Advert.decode(raw, now)
            except WireError:
                self._known[raw] = None
        return self._known[raw]


class NotarySet(AdvertSet):
    """A set whose signatures are checked by the notary."""

    def __init__(self, notary: Notary) -> None:
        super().__init__(max_per_network=1 << 30)
        self._notary = notary

    def add(self, raw: bytes, now: int) -> Outcome:
        """As AdvertSet.add does."""
        if self.knows(wire.advert_id(raw)):
            return Outcome.KNOWN
        advert = self._notary.advert(raw, now)
        if advert is None or advert.expires <= now:
            return Outcome.REFUSED
        return self.keep(advert, raw)


class GossipNode:
    """A relay: its set, its gossip, its own advert."""

    def __init__(self, world: GossipWorld, number: int) -> None:
        self.identity = Identity(world.rng.randbytes(32))
        self.relays = RelaySet(None, test_network=True, clock=world.clock)
        self.relays.adverts = NotarySet(world.notary)
        self.alive = True
        self.scope = trio.CancelScope()
        self._world = world
        self._host = f"127.{number // 62_500 + 1}.{number // 250 % 250}.{number % 250 + 1}"
        self.gossip = Gossip(
            self.relays,
            self.node_id,
            self._compare,
            bootstrap=self._bootstrap,
            rng=Random(world.rng.getrandbits(64)),
        )

    @property
    def node_id(self) -> bytes:
        return self.identity.node_id

    @property
    def adverts(self) -> AdvertSet:
        return self.relays.adverts

    def sign(self) -> bytes:
        """Make this node's advert anew, and keep it."""
        now = int(self._world.clock())
        key = b"\x09" + bytes(31)
        raw = Advert(
            ed25519_public=self.identity.public,
            link_static=key,
            onion_keys=(OnionKey(key, now, now + 86_400),),
            roles=Role.RELAY,
            published=now,
            expires=now + ADVERT_LIFE_S,
            addresses=(Address(self._host, 9_001),),
        ).encode(self.identity)
        self.adverts.add(raw, now)
        return raw

    async def run(self) -> None:
        """Gossip and renew until the node dies."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.gossip.run)
                nursery.start_soon(self._renew)

    async def _renew(self) -> None:
        await trio.sleep(self._world.rng.uniform(0, RENEW_S))
        while True:
            self.sign()
            self.gossip.on_news()
            await trio.sleep(RENEW_S)

    def kill(self) -> None:
        """End without a word."""
        self.alive = False
        self.scope.cancel()

    async def _bootstrap(self) -> None:
        with contextlib.suppress(CircuitClosed):
            await self._world.compare(self, self._world.rng.choice(self._world.nodes))

    async def _compare(self, peer: Advert) -> bool:
        return await self._world.compare(self, self._world.by_id[peer.node_id])


@dataclass
class Traffic:
    """What comparisons cost."""

    comparisons: int = 0
    cells: int = 0

    def bytes_per_node_hour(self, nodes: int, seconds: float) -> float:
        """Sent and received by a node, on the wire."""
        return 2 * self.cells * (RECORD_BYTES + TCP_IP_BYTES) / nodes * HOUR_S / seconds


class GossipWorld:
    """Nodes that compare their sets, in one nursery."""

    def __init__(self, nodes: int, seed: int, nursery: trio.Nursery) -> None:
        self.rng = Random(f"gossip {seed} {nodes}")
        self.notary = Notary()
        self.traffic = Traffic()
        self.by_id: dict[bytes, GossipNode] = {}
        self.nodes: list[GossipNode] = []
        self._nursery = nursery
        self._weather = Weather(self.rng)
        self._began = trio.current_time()
        for _ in range(nodes):
            self._make()

    def clock(self) -> float:
        """Unix seconds, virtual."""
        return START_S + trio.current_time() - self._began

    def _make(self) -> GossipNode:
        node = GossipNode(self, len(self.by_id))
        self.by_id[node.node_id] = node
        self.nodes.append(node)
        return node

    def acquaint(self) -> None:
        """Let everyone know everyone, as in a network some hours old, and begin."""
        raws = [node.sign() for node in self.nodes]
        now = int(self.clock())
        for node in self.nodes:
            for raw in raws:
                node.adverts.add(raw, now)
            self._nursery.start_soon(node.run)

    def newcomer(self) -> GossipNode:
        """A node that knows one other."""
        contact = self.rng.choice(self.nodes)
        node = self._make()
        raw = node.sign()
        now = int(self.clock())
        node.adverts.add(contact.sign(), now)
        contact.adverts.add(raw, now)  # it is introduced when it asks
        contact.gossip.on_news()
        self._nursery.start_soon(node.run)
        return node

    def replace_one(self) -> GossipNode:
        """One dies, another comes."""
        victim = self.nodes.pop(self.rng.randrange(len(self.nodes)))
        victim.kill()
        return self.newcomer()

    async def compare(self, asking: GossipNode, serving: GossipNode) -> bool:
        """One comparison; True when it brought the asking side news. Raises CircuitClosed."""
        delay = self._weather.delay(asking.node_id, serving.node_id)
        if not serving.alive or delay is None:
            await trio.sleep(SETTLING_S)
            raise CircuitClosed("A relay could not be reached.")
        now = int(self.clock())
        reconciler = Reconciler(asking.adverts, now, push=True)
        librarian = Librarian(serving.adverts)
        self.traffic.comparisons += 1
        self.traffic.cells += CIRCUIT_CELLS
        while (request := reconciler.request) is not None:
            answer = librarian.answer(request, now)
            self.traffic.cells += _cells(wire.encode(request)) + _cells(wire.encode(answer))
            if isinstance(answer, wire.Kept) and answer.kept:
                serving.gossip.on_news()
            await trio.sleep(2 * delay)
            reconciler.answer(answer)
        return bool(reconciler.report.kept)

    def missing(self) -> float:
        """The share of all (node, living other) pairs in which the one does not know the other."""
        names = [node.node_id for node in self.nodes]
        lacking = sum(node.adverts.get(name) is None for node in self.nodes for name in names)
        return lacking / len(names) ** 2

    def knowing(self, name: bytes) -> float:
        """The share of nodes that know this one."""
        return sum(node.adverts.get(name) is not None for node in self.nodes) / len(self.nodes)


def _cells(message: bytes) -> int:
    return math.ceil(len(message) / MAX_FRAME_DATA)


async def spread_times(world: GossipWorld, marks: Sequence[float], most_s: float) -> list[float]:
    """How long a newcomer's advert takes to be with these shares of the nodes, rising."""
    name = world.newcomer().node_id
    begun = trio.current_time()
    found: list[float] = []
    while len(found) < len(marks) and trio.current_time() - begun < most_s:
        while len(found) < len(marks) and world.knowing(name) >= marks[len(found)]:
            found.append(trio.current_time() - begun)
        await trio.sleep(0.25)
    return found + [math.inf] * (len(marks) - len(found))
