"""A client's search for ghosts that its set of adverts does not name, by what they can do.

The four keys of a capability go to four relays that have nothing in common, each over a circuit of
its own: one relay learns one key. What comes back is verified here; nothing a relay says is
believed. A search is made when the user wants something that nobody known offers, not again soon
after, and never for a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom

import trio

from engine.circuit.client import ClientCircuit
from engine.directory.dht.exits import BEGIN, ask
from engine.directory.relays import RelaySet
from engine.directory.rules import PathRules
from engine.errors import CircuitClosed, LinkError, NoRoute, ProtocolError, WireError
from engine.wire.advert import Advert, Role
from engine.wire.record import SALTS, Capability, Record

AGAIN_S = 300.0  # a capability is not searched for again before
AGAIN_EMPTY_S = 30.0  # when nothing was found
SEARCH_TIMEOUT_S = 20.0
GRACE_S = 2.0  # for the other relays when one has named a ghost
TRIES = 2  # relays asked for one key
REMEMBERED = 256

Build = Callable[[Advert], Awaitable[ClientCircuit]]
Retire = Callable[[ClientCircuit], None]


@dataclass
class _Search:
    capability: Capability
    keys: tuple[bytes, ...]
    found: dict[bytes, Advert] = field(default_factory=dict)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class GhostFinder:
    """Finds ghosts and makes them known to `relays` as such, for this client alone."""

    def __init__(
        self,
        build: Build,
        retire: Retire,
        relays: RelaySet,
        *,
        rules: PathRules,
        work_bits: int,
        clock: Callable[[], float],
        rng: Random | None = None,
    ) -> None:
        self.searches = 0
        self._build = build
        self._retire = retire
        self._relays = relays
        self._rules = rules
        self._work_bits = work_bits
        self._clock = clock
        self._rng = rng or SystemRandom()
        self._again: dict[Capability, float] = {}

    async def find(self, capability: Capability) -> list[bytes]:
        """NodeIDs of ghosts with the capability that were found now; often none.

        Never raises for what the network does.
        """
        now = trio.current_time()
        if self._again.get(capability, 0.0) > now:
            return []
        if len(self._again) >= REMEMBERED:
            self._again.clear()
        self._again[capability] = now + AGAIN_EMPTY_S
        self.searches += 1
        search = _Search(capability, capability.keys(capability.epoch_at(self._clock())))
        search.scope.deadline = now + SEARCH_TIMEOUT_S
        with search.scope:
            await self._ask_all(search)
        known = [node for node, advert in search.found.items() if self._relays.introduce(advert)]
        if known:
            self._again[capability] = now + AGAIN_S
        return known

    async def _ask_all(self, search: _Search) -> None:
        relays = self._choose()
        keys = list(search.keys)
        self._rng.shuffle(keys)
        async with trio.open_nursery() as nursery:
            for place, key in enumerate(keys):
                # Nobody gets two keys: they would show that both are of one capability.
                mine = relays[place::SALTS]
                if mine:
                    nursery.start_soon(self._ask_for, search, key, mine[:TRIES])

    def _choose(self) -> list[Advert]:
        """Relays at random, no two of which have anything in common."""
        candidates = self._rules.allowed(self._relays.with_role(Role.RELAY))
        self._rng.shuffle(candidates)
        chosen: list[Advert] = []
        for candidate in candidates:
            if len(chosen) >= SALTS * TRIES:
                break
            if self._rules.fits(candidate, chosen):
                chosen.append(candidate)
        return chosen

    async def _ask_for(self, search: _Search, key: bytes, relays: Sequence[Advert]) -> None:
        for relay in relays:
            try:
                records = await self._ask(relay, key)
            except (CircuitClosed, LinkError, ProtocolError, NoRoute):
                continue
            for raw in records:
                self._take(search, key, raw)
            return

    async def _ask(self, relay: Advert, key: bytes) -> tuple[bytes, ...]:
        circuit = await self._build(relay)
        try:
            return await ask(circuit.open_stream(BEGIN), key)
        finally:
            self._retire(circuit)

    def _take(self, search: _Search, key: bytes, raw: bytes) -> None:
        now = int(self._clock())
        try:
            record = Record.parse(raw)
            record.check(search.capability.network, key, now, self._work_bits)
            advert = record.open(search.capability, key, now)
        except WireError:
            return
        known = search.found.get(advert.node_id)
        if known is None or known.published < advert.published:
            search.found[advert.node_id] = advert
            search.scope.deadline = min(search.scope.deadline, trio.current_time() + GRACE_S)
