"""The DHT on a node's links: cells in and out, links dialled where there are none, timers.

Owns no decisions: those are engine.directory.dht.core's. Whoever is asked is a member, and dialled
at the address in its own signed advert. Nothing of keys and peers is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random, SystemRandom

import trio

from engine.directory.dht.core import Dht
from engine.directory.dht.members import Member, Members, member_of
from engine.directory.dht.publication import Publication
from engine.directory.dht.settings import DhtSettings
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue
from engine.wire import dht as wire
from engine.wire.advert import Advert, Role
from engine.wire.cells import HEADER, LINK_CIRC_ID, Command

SYNC_S = 5.0  # between two looks at the set of relays
MAX_QUEUED = 64  # DHT cells that wait on one link; a neighbour that does not read loses the rest
MAX_DIALS = 64  # links opened for the DHT at once

MayDial = Callable[[bytes, str, int], bool]


class DhtService:
    """One node's DHT over its links."""

    def __init__(
        self,
        links: LinkManager,
        relays: RelaySet,
        own_advert: Callable[[], bytes],
        *,
        network: bytes,
        settings: DhtSettings,
        serves: bool,
        may_dial: MayDial,
        clock: Callable[[], float],
        rng: Random | None = None,
    ) -> None:
        self._links = links
        self._relays = relays
        self._own_advert = own_advert
        self._may_dial = may_dial
        self._clock = clock
        self._known: list[Advert] = []
        self._cache: dict[bytes, tuple[Advert, Member]] = {}
        self._queues: dict[Link, CellQueue] = {}
        self._dialling: dict[bytes, list[bytes]] = {}
        self._nursery: trio.Nursery | None = None
        self._wake = trio.Event()
        self._sleeps_until = 0.0
        self.core = Dht(
            self._own_member(),
            Members(),
            network=network,
            settings=settings,
            serves=serves,
            rng=rng or SystemRandom(),
        )
        links.on_link_cell[Command.DHT] = self._on_cell

    # -- using it ------------------------------------------------------------------------------

    @property
    def members(self) -> int:
        """How many relays take part, this one included."""
        return len(self.core.members)

    @property
    def holders(self) -> int:
        """How many members a record of ours should lie with."""
        return min(self.core.settings.k, self.members)

    async def find_values(self, key: bytes) -> list[bytes]:
        """The valid records found under `key`."""
        self._sync()
        lookup = self.core.find_values(key, self._clock())
        done = trio.Event()
        lookup.on_done = done.set
        self._send_out()
        if not lookup.done:
            await done.wait()
        return lookup.records

    async def publish(self, key: bytes, record: bytes) -> Publication:
        """Store a record of ours with the members closest to `key`; what came of it."""
        self._sync()
        publication = self.core.publish(key, record, self._clock())
        done = trio.Event()
        publication.on_done = done.set
        self._send_out()
        if not publication.done:
            await done.wait()
        return publication

    # -- life ----------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer, ask and look after the table until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await self._keep_time()
        finally:
            self._nursery = None

    async def _keep_time(self) -> None:
        joined = False
        while True:
            self._sync()
            now = self._clock()
            if not joined and len(self.core.members) > 1:
                joined = True
                self.core.join(now)
            self.core.tick(now)
            self._wake = trio.Event()
            self._sleeps_until = min(self.core.due() or now + SYNC_S, now + SYNC_S)
            self._send_out()
            with trio.move_on_after(max(0.0, self._sleeps_until - self._clock())):
                await self._wake.wait()

    def _sync(self) -> None:
        """Take up changes of the relay set and of our own place."""
        known = self._relays.with_role(Role.RELAY)
        own = self._own_member()
        if known == self._known and own == self.core.own:
            return
        self._known = known
        self._cache = {advert.node_id: self._member(advert) for advert in known}
        self.core.members.replace(member for _, member in self._cache.values())
        self.core.sync(own)

    def _member(self, advert: Advert) -> tuple[Advert, Member]:
        cached = self._cache.get(advert.node_id)
        return cached if cached and cached[0] is advert else (advert, member_of(advert))

    def _own_member(self) -> Member:
        return member_of(Advert.decode(self._own_advert(), int(self._clock())))

    # -- cells ---------------------------------------------------------------------------------

    def _on_cell(self, link: Link, body: memoryview) -> None:
        message = wire.parse(body)  # a WireError closes the link
        answer = self.core.receive(link.peer_node_id, message, self._clock())
        if answer is not None:
            self._put(link, wire.encode(answer))
        self._send_out()

    def _put(self, link: Link, body: bytes) -> None:
        queue = self._queues.get(link)
        if queue is None:
            self._queues = {one: q for one, q in self._queues.items() if not one.closed}
            queue = self._queues[link] = CellQueue()
        if len(queue.cells) >= MAX_QUEUED:
            return
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, LINK_CIRC_ID, Command.DHT)
        cell.body[:] = body
        link.enqueue(queue, cell)
        link.flush()

    def _send_out(self) -> None:
        """Send the core's questions, over new links where there are none."""
        while self.core.outbox:
            waiting, self.core.outbox = self.core.outbox, []
            for send in waiting:
                self._send(send.to, wire.encode(send.message))
        due = self.core.due()
        if due is not None and due < self._sleeps_until:
            self._wake.set()

    def _send(self, to: bytes, body: bytes) -> None:
        link = self._links.find(to)
        if link is not None:
            self._put(link, body)
        elif to in self._dialling:
            self._dialling[to].append(body)
        elif self._nursery is not None and len(self._dialling) < MAX_DIALS:
            self._dialling[to] = [body]
            self._nursery.start_soon(self._dial, to)
        # Else the question waits in vain, like one that was lost on the way.

    async def _dial(self, to: bytes) -> None:
        link = await self._link_to(to)
        bodies = self._dialling.pop(to)
        if link is None:
            self.core.unreachable(to, self._clock())
        else:
            for body in bodies:
                self._put(link, body)
        self._send_out()

    async def _link_to(self, to: bytes) -> Link | None:
        advert = self._relays.get(to)
        for address in advert.addresses if advert is not None else ():
            if not self._may_dial(to, address.host, address.port):
                continue
            try:
                return await self._links.get(to, address.host, address.port)
            except (CircuitClosed, LinkError):
                continue
        return None
