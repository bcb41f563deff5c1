"""How a client keeps the whole set of adverts without telling anyone what it is about to do.

It completes the set from several relays in different networks, each over a circuit of its own, at
times that do not depend on what its user does, and never asks for single nodes. Sources are
compared: one that lacks much of what the others hold is reported. DESIGN section 5, layer A.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random, SystemRandom

import trio

from engine.directory.paths import network_of
from engine.directory.reconcile import Report
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError, NoRoute, ProtocolError
from engine.wire.advert import Advert, Role

SOURCES = 3
REFRESH_S = 1_800.0
RETRY_S = (1.0, 2.0, 5.0, 10.0, 20.0)  # after the first, second, ... pass without a source
SPREAD_S = 300.0  # an advert younger than this may not have reached everybody
LACKS_SHARE = 0.10
"""A source that lacks more than this of the adverts that had time to spread is named."""

Compare = Callable[[Advert], Awaitable[Report]]
"""Completes the set from one relay over a circuit. Raises CircuitClosed, NoRoute, ProtocolError."""


@dataclass(frozen=True)
class ViewAgreement:
    """What the last comparison of sources found. `at` is unix seconds."""

    at: float
    sources: int
    known: int
    lowest: float  # the smallest share of the union that a source held
    dissenting: tuple[bytes, ...]  # NodeIDs of sources that lack more than LACKS_SHARE

    @property
    def agree(self) -> bool:
        """True when no source lacks much of what the others hold."""
        return not self.dissenting


class Refresh:
    """Keeps a client's set fresh. Owns no sockets."""

    def __init__(
        self,
        relays: RelaySet,
        compare: Compare,
        *,
        bootstrap: Callable[[], Awaitable[object]],
        changed: Callable[[], Awaitable[None]],
        allowed: Callable[[list[Advert]], list[Advert]] = list,
        refresh_s: float = REFRESH_S,
        spread_s: float = SPREAD_S,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
    ) -> None:
        """`allowed` names those of the relays that may be asked."""
        self.agreement: ViewAgreement | None = None
        self._relays = relays
        self._compare = compare
        self._bootstrap = bootstrap
        self._changed = changed
        self._allowed = allowed
        self._refresh_s = refresh_s
        self._spread_s = spread_s
        self._clock = clock
        self._rng = rng or SystemRandom()
        self._fruitless = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Refresh until cancelled; reports started after the first pass over the contacts."""
        if not self._relays.with_role(Role.RELAY):
            await self._bootstrap()
            await self._changed()
        task_status.started()
        while True:
            await trio.sleep(await self._pass() * self._rng.uniform(0.7, 1.3))

    async def _pass(self) -> float:
        """One refresh; how long to wait until the next."""
        self._relays.expire()
        reports = await self._ask_sources()
        if not reports:
            await self._bootstrap()
            await self._changed()
            self._fruitless += 1
            return RETRY_S[min(self._fruitless, len(RETRY_S)) - 1]
        self._fruitless = 0
        self.agreement = judge(reports, self._settled(), len(self._relays.adverts), self._clock())
        await self._changed()
        return self._refresh_s

    def _settled(self) -> set[bytes]:
        """The adverts that gossip has had time to spread."""
        return self._relays.adverts.ids_before(self._clock() - self._spread_s)

    async def _ask_sources(self) -> dict[bytes, Report]:
        reports: dict[bytes, Report] = {}
        candidates = self._allowed(self._relays.with_role(Role.RELAY))
        self._rng.shuffle(candidates)
        networks: set[str] = set()
        for relay in candidates:
            if len(reports) >= SOURCES:
                break
            where = {network_of(address.host) for address in relay.addresses}
            if where & networks:
                continue
            try:
                reports[relay.node_id] = await self._compare(relay)
            except (CircuitClosed, LinkError, ProtocolError):
                continue
            except NoRoute:
                break
            networks |= where
        return reports


def judge(reports: dict[bytes, Report], union: set[bytes], known: int, now: float) -> ViewAgreement:
    """Hold the sources against the union of all: who lacks much of it, and how much at worst.

    What counts is which adverts a source lacks, not how many it has: it could invent those.
    """
    shares = {
        node: len(report.held & union) / len(union) if union else 1.0
        for node, report in reports.items()
    }
    return ViewAgreement(
        at=now,
        sources=len(reports),
        known=known,
        lowest=min(1.0, *shares.values()) if shares else 0.0,
        dissenting=tuple(node for node, share in shares.items() if share < 1 - LACKS_SHARE),
    )
