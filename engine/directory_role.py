"""The directory half of a node: who is asked, who is answered, what is kept between two runs.

A relay or ghost serves its set of adverts and gossips; a client completes its own over circuits and
serves nobody. Both take their first contacts from the settings, from `join` and from last time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from engine.acquaintance import Acquaintance
from engine.circuit.pool import CircuitPool
from engine.crypto.suite import default_suite
from engine.directory.bootstrap import Bootstrap
from engine.directory.exchange import (
    BEGIN,
    DirectoryService,
    compare,
    compare_directly,
    fetch_sheet,
)
from engine.directory.gossip import Gossip
from engine.directory.introductions import Introductions
from engine.directory.paths import to_hop
from engine.directory.reconcile import Report
from engine.directory.refresh import Refresh
from engine.errors import CircuitClosed
from engine.link.manager import LinkManager
from engine.wire.advert import MAX_SKEW_S, Advert, UntimelyAdvert
from engine.wire.shape import BULK_PLAN

PURPOSE = "directory"
OWN_CHECK_S = 30.0
PATIENCE_S = 10.0  # a client waits so long for more than one source before its first path
COMPARE_TIMEOUT_S = 60.0
FAREWELL_S = 3.0  # to tell others that this node leaves


class ServingDirectory:
    """A relay's or ghost's part: serve the set, gossip, keep its own advert in it."""

    def __init__(
        self,
        people: Acquaintance,
        links: LinkManager,
        own_node_id: bytes,
        own_advert: Callable[[], bytes],
        *,
        sheet: bytes = b"",
        listed: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.people = people
        self._links = links
        self._own_advert = own_advert
        self._own_node_id = own_node_id
        self._listed = listed
        self._clock = clock
        self._adverts = people.relays.adverts
        self._renewed = trio.Event()
        self.bootstrap = Bootstrap(
            links,
            Introductions(links, own_advert),
            people.relays,
            lambda: [c for c in people.contacts() if c.node_id != own_node_id],
            look=people.look,
            suite=default_suite(),
            push=True,
            clock=clock,
        )
        self.gossip = Gossip(
            people.relays,
            own_node_id,
            self._compare,
            bootstrap=self.bootstrap.run,
            steady_s=float(people.settings.gossip_s),
        )
        self.service = DirectoryService(
            self._adverts, on_news=self.gossip.on_news, sheet=sheet, clock=clock
        )

    async def run(self) -> None:
        """Gossip until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.people.save_often)
            if self._listed:
                nursery.start_soon(self._keep_own_advert)
            nursery.start_soon(self.gossip.run)

    async def _keep_own_advert(self) -> None:
        while True:
            self._renewed = trio.Event()
            self._keep_own()
            with trio.move_on_after(OWN_CHECK_S):
                await self._renewed.wait()

    def _keep_own(self) -> None:
        raw, now = self._own_advert(), int(self._clock())
        try:
            advert = Advert.decode(raw, now)
        except UntimelyAdvert:
            # The clock has just been set, and the keys follow within the hour: until then this node
            # is no hop, for itself as for others.
            self._adverts.forget(self._own_node_id)
            return
        known = self._adverts.get(advert.node_id)
        if known is not None and known.published > now + MAX_SKEW_S:
            self._adverts.forget(advert.node_id)  # of the time when the clock was fast
        if known is None or known.raw != raw:
            self._adverts.keep(advert, raw)
            self.gossip.on_news()

    def renew(self) -> None:
        """The own advert is another one: spread it at once."""
        self._renewed.set()

    async def withdraw(self) -> None:
        """The own advert says by now that the node leaves: tell a few others. Bounded."""
        if not self._listed or not self._own_advert():
            return
        self._keep_own()
        with trio.move_on_after(FAREWELL_S):
            await self.gossip.farewell()

    def offer(self, sheet: bytes) -> None:
        """Serve another sheet, and spread the advert that names it at once."""
        self.service.offer(sheet)
        self.renew()

    async def _compare(self, peer: Advert) -> bool:
        report = await compare_directly(
            self._links,
            to_hop(peer, PURPOSE, int(self._clock())),
            self._adverts,
            suite=default_suite(),
            push=True,
            clock=self._clock,
        )
        return bool(report.kept)


class AskingDirectory:
    """A client's part: complete the set over circuits, notice when sources differ."""

    def __init__(
        self,
        people: Acquaintance,
        links: LinkManager,
        pool: CircuitPool,
        *,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.people = people
        self._pool = pool
        self._on_change = on_change
        self._clock = clock
        self.bootstrap = Bootstrap(
            links,
            Introductions(links, None),
            people.relays,
            people.contacts,
            look=people.look,
            patience_s=PATIENCE_S,
            suite=default_suite(),
            push=False,
            clock=clock,
        )
        self.refresh = Refresh(
            people.relays,
            self._compare,
            bootstrap=self.bootstrap.run,
            changed=self._changed,
            allowed=pool.rules.allowed,
            refresh_s=float(people.settings.refresh_s),
            clock=clock,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the set fresh until cancelled."""
        await self.refresh.run(task_status=task_status)

    async def _compare(self, relay: Advert) -> Report:
        circuit = await self._pool.build_to_relay(relay, PURPOSE, BULK_PLAN)
        try:
            with trio.move_on_after(COMPARE_TIMEOUT_S):
                return await compare(
                    circuit.open_stream(BEGIN),
                    self.people.relays.adverts,
                    push=False,
                    clock=self._clock,
                )
        finally:
            self._pool.retire(circuit)
        raise CircuitClosed("A directory took too long.")

    async def fetch_sheet(self, ghost: Advert) -> bytes:
        """The capability sheet of a ghost, over a circuit to it. Raises CircuitClosed, NoRoute or
        ProtocolError."""
        circuit = await self._pool.build_to(ghost, PURPOSE, BULK_PLAN)
        try:
            with trio.move_on_after(COMPARE_TIMEOUT_S):
                return await fetch_sheet(circuit.open_stream(BEGIN))
        finally:
            self._pool.retire(circuit)
        raise CircuitClosed("A ghost took too long.")

    async def _changed(self) -> None:
        await self.people.save()
        self._on_change()
