"""How relays keep the whole set of adverts: each compares with others, at random and on news.

A *rumour* (an advert new to us, or our own renewed) is carried to a few random peers within
seconds; the slow comparison with one random peer mends whatever rumours missed (anti-entropy).
DESIGN section 5, layer A. Peers are drawn from the set itself. The contacts handed in are asked
when it holds nobody else, and now and then all the same: two parts of a network that forgot each
other, because they were parted for longer than adverts live, find each other through them alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random, SystemRandom

import trio

from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError, ProtocolError
from engine.wire.advert import Advert

STEADY_S = 60.0  # between two comparisons when nothing happens
RUMOUR_S = 2.0  # news are gathered for this long before they are carried on
RUMOUR_FANOUT = 3
RUMOUR_EVERY_S = 30.0  # at most: in a large network there are always news; or half of STEADY_S
LONELY_S = 3.0  # between tries while nobody else is known
CONTACTS_EVERY_S = 1_800.0  # between two times that contacts are asked although peers are known
FAILED_PEERS_KEPT = 256
RETRY_AFTER_S = 600.0  # a peer that failed is passed over for this long

Compare = Callable[[Advert], Awaitable[bool]]
"""Compares with a node; True when it brought news. Raises CircuitClosed or ProtocolError."""


class Gossip:
    """Decides whom to compare with, and when. Owns no sockets."""

    def __init__(
        self,
        relays: RelaySet,
        own_node_id: bytes,
        compare: Compare,
        *,
        bootstrap: Callable[[], Awaitable[object]],
        steady_s: float = STEADY_S,
        rng: Random | None = None,
    ) -> None:
        self.rounds = 0
        self.failures = 0
        self._relays = relays
        self._own = own_node_id
        self._compare = compare
        self._bootstrap = bootstrap
        self._steady_s = steady_s
        self._rumour_every_s = min(RUMOUR_EVERY_S, steady_s / 2)
        self._rng = rng or SystemRandom()
        self._news = trio.Event()
        self._failed: dict[bytes, float] = {}
        self._contacts_at = 0.0
        self._rumour_at = 0.0

    def on_news(self) -> None:
        """An advert that others may not know yet has come, or ours has changed."""
        self._news.set()

    async def run(self) -> None:
        """Gossip until cancelled."""
        self._contacts_at = self._next_contacts()
        while True:
            self._relays.expire()
            peers = self._peers()
            if not peers:
                await self._bootstrap()
                peers = self._peers()
            if not peers:
                await self._rest(LONELY_S)
                continue
            await self._tell(peers)
            await self._rest(self._steady_s)

    async def farewell(self) -> None:
        """Carry what is news now to a few peers at once: this node ends."""
        self._news.set()
        if peers := self._peers():
            await self._tell(peers)

    async def _tell(self, peers: Sequence[Advert]) -> None:
        """Carry news to a few peers, or compare with one."""
        count = 1
        if self._news.is_set():
            count = RUMOUR_FANOUT
            self._rumour_at = trio.current_time() + self._rumour_every_s * self._rng.uniform(
                0.5, 1.5
            )
        self._news = trio.Event()
        chosen = self._rng.sample(peers, min(count, len(peers)))
        async with trio.open_nursery() as nursery:
            for peer in chosen:
                nursery.start_soon(self._round, peer)
            if trio.current_time() >= self._contacts_at:
                self._contacts_at = self._next_contacts()
                nursery.start_soon(self._bootstrap)

    def _next_contacts(self) -> float:
        return trio.current_time() + CONTACTS_EVERY_S * self._rng.uniform(0.5, 1.5)

    async def _round(self, peer: Advert) -> None:
        try:
            news = await self._compare(peer)
        except (CircuitClosed, ProtocolError, LinkError):
            self.failures += 1
            self._remember_failure(peer.node_id)
            return
        self.rounds += 1
        self._failed.pop(peer.node_id, None)
        if news:
            self.on_news()

    def _remember_failure(self, node_id: bytes) -> None:
        if len(self._failed) >= FAILED_PEERS_KEPT:
            self._failed.pop(next(iter(self._failed)))
        self._failed[node_id] = trio.current_time() + RETRY_AFTER_S

    def _peers(self) -> list[Advert]:
        """Everyone but us and who has left; those that failed lately only when there is nobody
        else."""
        now = trio.current_time()
        known = self._relays.adverts
        others = [advert for advert in known if advert.roles and advert.node_id != self._own]
        rested = [a for a in others if self._failed.get(a.node_id, 0.0) <= now]
        return rested or others

    async def _rest(self, seconds: float) -> None:
        """Wait, at random around `seconds`; news shorten it to a gathering pause.

        The first news are carried on at once; those after it wait for the next rumour's turn.
        """
        with trio.move_on_after(seconds * self._rng.uniform(0.5, 1.5)):
            await self._news.wait()
            gathering = RUMOUR_S * self._rng.uniform(0.2, 1.0)
            await trio.sleep(max(gathering, self._rumour_at - trio.current_time()))
