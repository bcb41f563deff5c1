"""A network of DHT nodes (engine.directory.dht) under churn and attack, on a virtual clock.

Every honest node is the core that real nodes run, with the defaults they run with. What is left
out: links (a message is a cell that takes its time), signatures of records (the check is replaced;
records keep their size), and layer A's gossip: the set of relays is one for all and holds a node
from its start until `linger_s` after its death, as adverts do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from engine.directory.dht.core import UPKEEP_S, Dht
from engine.directory.dht.lookup import Lookup
from engine.directory.dht.members import POSITION_BITS, Member, Members
from engine.directory.dht.publication import Publication
from engine.directory.dht.settings import DhtSettings
from engine.sim.events import Events
from engine.sim.sybils import Sybil
from engine.sim.weather import Climate, Weather
from engine.wire import dht as wire
from engine.wire.cells import RECORD_BYTES as CELL_ON_THE_WIRE
from engine.wire.network import MAIN_NETWORK

START_S = 1_800_000_000.0
HOUR_S = 3_600.0
TCP_IP_BYTES = 40
WIRE_BYTES = CELL_ON_THE_WIRE + TCP_IP_BYTES
ADVERT_LIFE_S = 6 * HOUR_S  # engine.relay_role


@dataclass(frozen=True, slots=True)
class Scene:
    """What a network is like. Rates are shares of the nodes per hour."""

    nodes: int
    churn: float = 0.0
    sybils: float = 0.0  # share of all identities
    sybil_prefixes: int = 0  # /24s that they lie in; 0 stands for as many as they like
    linger_s: float = ADVERT_LIFE_S
    seed: int = 1
    settings: DhtSettings = field(default_factory=DhtSettings)
    climate: Climate = field(default_factory=Climate)


def accept(_key: bytes, _raw: bytes, _now: float) -> int:
    """Stands in for the check of a record's signature and work."""
    return 0


class Network:
    """Nodes, their messages, and time."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.rng = Random(f"network {scene.seed} {scene.nodes}")
        self.events = Events(START_S)
        self.members = Members()  # layer A's set: one for all
        self.nodes: dict[bytes, Dht] = {}
        self.sybils: dict[bytes, Sybil] = {}
        self.guests: set[bytes] = set()  # nodes that nobody else publishes or searches through
        self.ring = Members()
        self.cells = 0
        self.weather = Weather(self.rng, scene.climate)
        self._ticking: dict[bytes, float] = {}
        self._populate()

    # -- who there is --------------------------------------------------------------------------

    def _populate(self) -> None:
        scene = self.scene
        bad = round(scene.nodes * scene.sybils)
        honest = [self._member() for _ in range(scene.nodes - bad)]
        kind = [self._member(self._sybil_prefix(number)) for number in range(bad)]
        gone = round(len(honest) * scene.churn * scene.linger_s / HOUR_S)
        dead = [self._member() for _ in range(gone)]
        self.members.replace([*honest, *kind, *dead])
        self.enlist(kind)
        for member in dead:  # they died at even intervals before we began to look
            self.events.after(self.rng.uniform(0, scene.linger_s), self._forgetting(member))
        for member in honest:
            self.start(member)

    def _member(self, prefix: bytes = b"") -> Member:
        rng = self.rng
        return Member(rng.randbytes(32), rng.getrandbits(POSITION_BITS), prefix or rng.randbytes(3))

    def _sybil_prefix(self, number: int) -> bytes:
        most = self.scene.sybil_prefixes
        return b"S" + (number % most).to_bytes(2, "big") if most else b""

    def enlist(self, kind: Iterable[Member]) -> None:
        """More Sybils; they must be members already."""
        for member in kind:
            self.ring.add(member)
            self.sybils[member.node_id] = Sybil(member, self.ring)

    def grind(self, key: bytes, count: int) -> None:
        """Sybils right beside a key, each in a prefix of its own: all its closest members."""
        target = int.from_bytes(key, "big")
        near = [
            Member(self.rng.randbytes(32), target ^ (number + 1), self.rng.randbytes(3))
            for number in range(count)
        ]
        for member in near:
            self.members.add(member)
        self.enlist(near)

    def start(self, member: Member, members: Members | None = None) -> Dht:
        """A node that begins to run."""
        node = Dht(
            member,
            self.members if members is None else members,
            network=MAIN_NETWORK,
            rng=Random(self.rng.getrandbits(64)),
            settings=self.scene.settings,
            check=accept,
        )
        self.nodes[member.node_id] = node
        return node

    def furnish(self) -> None:
        """Give every node the table it would have after some hours: members that are alive, at
        random from each bucket, each of which was looked into at some time of the last hour."""
        living = [node.own for node in self.nodes.values()]
        living += [sybil.member for sybil in self.sybils.values()]
        living.sort(key=lambda member: member.position)
        for node in self.nodes.values():
            self._furnish(node, living)
            self._wake_later(node, self.rng.uniform(0, UPKEEP_S))

    def _furnish(self, node: Dht, living: Sequence[Member]) -> None:
        """From the far half of the network inwards, until nobody but the node is left."""
        settings, low, high, index = node.settings, 0, len(living), 0
        while high - low > 1:
            rest = POSITION_BITS - index - 1
            border = (node.own.position >> rest | 1) << rest
            middle = bisect_left(living, border, low, high, key=lambda member: member.position)
            ours_is_upper = node.own.position >= border
            far = living[low:middle] if ours_is_upper else living[middle:high]
            low, high = (middle, high) if ours_is_upper else (low, middle)
            heard = self.events.now - self.rng.uniform(0, settings.refresh_s)
            for member in self.rng.sample(far, min(len(far), settings.k)):
                node.table.answered(member, heard)
            node.table.look_into(index, heard)
            index += 1

    # -- life and death ------------------------------------------------------------------------

    def churn_for(self, seconds: float) -> None:
        """Plan deaths and births at even rates for this long."""
        rate = self.scene.churn * len(self.nodes) / HOUR_S
        moment = self.rng.expovariate(rate) if rate else seconds
        while moment < seconds:
            self.events.after(moment, self._replace_one)
            moment += self.rng.expovariate(rate)

    def _replace_one(self) -> None:
        victim = self.rng.choice(list(self.nodes))
        dead = self.nodes.pop(victim)
        self._ticking.pop(victim, None)
        self.events.after(self.scene.linger_s, self._forgetting(dead.own))
        fresh = self._member()
        self.members.add(fresh)
        node = self.start(fresh)
        node.join(self.events.now)
        self._after(node)

    def _forgetting(self, member: Member) -> Callable[[], None]:
        def forget() -> None:
            self.members.remove(member.node_id)

        return forget

    # -- messages and time ---------------------------------------------------------------------

    def _after(self, node: Dht) -> None:
        """What every call of a core must be followed by: send, and wake it in time."""
        while node.outbox:
            waiting, node.outbox = node.outbox, []
            for send in waiting:
                self._deliver(node.own.node_id, send.to, send.message)
        due = node.due()
        if due is not None:
            self._wake_later(node, max(0.0, due - self.events.now))

    def _deliver(self, source: bytes, target: bytes, message: wire.Message) -> None:
        self.cells += 1
        delay = self.weather.delay(source, target)
        if delay is not None:
            self.events.after(delay, lambda: self._arrive(source, target, message))

    def _arrive(self, source: bytes, target: bytes, message: wire.Message) -> None:
        sybil = self.sybils.get(target)
        node = self.nodes.get(target)
        if sybil is not None:
            answer = sybil.answer(message)
        elif node is not None:
            answer = node.receive(source, message, self.events.now)
            self._after(node)
        else:
            return  # it is dead
        if answer is not None:
            self._deliver(target, source, answer)

    def _wake_later(self, node: Dht, delay: float) -> None:
        name, moment = node.own.node_id, self.events.now + delay
        if self._ticking.get(name, moment + 1) <= moment:
            return
        self._ticking[name] = moment
        self.events.after(delay, lambda: self._tick(node, moment))

    def _tick(self, node: Dht, moment: float) -> None:
        name = node.own.node_id
        if self._ticking.get(name) != moment:
            return
        del self._ticking[name]
        node.tick(self.events.now)
        self._after(node)

    # -- what is asked of it -------------------------------------------------------------------

    def somebody(self) -> Dht:
        """An honest node at random."""
        while (name := self.rng.choice(list(self.nodes))) in self.guests:
            pass
        return self.nodes[name]

    def look_for(self, key: bytes, node: Dht) -> Lookup:
        """Start a look-up of a key."""
        lookup = node.find_values(key, self.events.now)
        self._after(node)
        return lookup

    def publish(self, key: bytes, record: bytes) -> Publication:
        """Store a record by way of some node."""
        node = self.somebody()
        publication = node.publish(key, record, self.events.now)
        self._after(node)
        return publication

    def join(self, node: Dht, through: Sequence[Member]) -> Lookup:
        """Let a newcomer look for its own place."""
        lookup = node.join(self.events.now, through)
        self._after(node)
        return lookup

    def wait(self, lookups: Sequence[Lookup], most_s: float = 60.0) -> None:
        """Let time pass until these are done."""
        until = self.events.now + most_s
        while self.events.now < until and not all(lookup.done for lookup in lookups):
            self.events.run_for(0.5)
