"""Many DHT cores in one queue of messages with a virtual clock: no sockets, no waiting."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from engine.directory.dht.core import Dht
from engine.directory.dht.members import Member, Members
from engine.directory.dht.settings import DhtSettings
from engine.wire import dht as wire
from engine.wire.network import MAIN_NETWORK
from tests.helpers.records import NOW, member

Hook = Callable[[bytes, bytes, wire.Message], wire.Answer | None]
"""(from, to, request): what a node of the adversary's answers; None for silence."""

RTT_S = 0.08


class DhtNet:
    """`count` honest members. `hooks` replace nodes by the adversary's."""

    def __init__(
        self,
        count: int,
        *,
        seed: int = 1,
        settings: DhtSettings | None = None,
        members: list[Member] | None = None,
    ) -> None:
        self.rng = Random(seed)
        self.now = float(NOW)
        self.settings = settings or DhtSettings()
        found = members or [member(self.rng) for _ in range(count)]
        self.members = Members(found)
        self.hooks: dict[bytes, Hook] = {}
        self.dead: set[bytes] = set()
        self.cells = 0
        self.asked: dict[bytes, set[bytes]] = {}  # who sent a question to whom
        self.nodes: dict[bytes, Dht] = {one.node_id: self.make(one) for one in found}
        self._queue: list[tuple[float, int, bytes, bytes, wire.Message]] = []

    def make(self, own: Member, *, serves: bool = True) -> Dht:
        """A core over the members of this network."""
        return Dht(
            own,
            self.members,
            network=MAIN_NETWORK,
            rng=Random(self.rng.random()),
            settings=self.settings,
            serves=serves,
        )

    def add(self, own: Member, *, serves: bool = True) -> Dht:
        """One more node; a member when it serves."""
        if serves:
            self.members.add(own)
        self.nodes[own.node_id] = made = self.make(own, serves=serves)
        return made

    @property
    def cores(self) -> list[Dht]:
        return [self.nodes[one] for one in sorted(self.nodes)]

    def join_all(self) -> None:
        """Everybody joins through somebody who has, and fills the table."""
        before: list[Member] = []
        for core in self.cores:
            through = [self.rng.choice(before)] if before else []
            core.join(self.now, through)
            before.append(core.own)
            self.run(0.5)
        for _ in range(12):
            self.run(5)

    def run(self, seconds: float) -> None:
        """Deliver and tick for so long."""
        ends = self.now + seconds
        while True:
            for core in self.nodes.values():
                self._drain(core)
            upcoming = self._queue[0][0] if self._queue else ends
            timers = [d for core in self.nodes.values() if (d := core.due()) is not None]
            at = min([upcoming, *timers])
            if at > ends:
                break
            self.now = max(self.now, at)
            if upcoming <= at and self._queue:
                self._deliver(*heapq.heappop(self._queue)[2:])
                continue
            if not timers or min(timers) > self.now:
                break
            for core in list(self.nodes.values()):
                if (due := core.due()) is not None and due <= self.now:
                    core.tick(self.now)
        self.now = ends

    def _drain(self, core: Dht) -> None:
        for send in core.outbox:
            self.asked.setdefault(core.own.node_id, set()).add(send.to)
            self._put(core.own.node_id, send.to, send.message)
        core.outbox.clear()

    def _put(self, source: bytes, to: bytes, message: wire.Message) -> None:
        wire.parse(wire.encode(message))  # everything fits a cell
        self.cells += 1
        latency = RTT_S / 2 * self.rng.uniform(0.5, 1.5)
        heapq.heappush(self._queue, (self.now + latency, self.cells, source, to, message))

    def _deliver(self, source: bytes, to: bytes, message: wire.Message) -> None:
        if to in self.dead or to not in self.nodes:
            return
        hook = self.hooks.get(to)
        is_request = isinstance(message, wire.Ping | wire.FindNode | wire.FindValue | wire.Store)
        if hook is not None and is_request:
            answer = hook(source, to, message)
        else:
            answer = self.nodes[to].receive(source, message, self.now)
            self._drain(self.nodes[to])
        if answer is not None:
            self._put(to, source, answer)
