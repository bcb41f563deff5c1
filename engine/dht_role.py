"""The DHT half of a serving node: a relay takes part and looks up for clients, a ghost publishes.

Settings in, services out; decides nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from engine.control.protocol.network import DhtInfo
from engine.directory.dht.exits import LookupService
from engine.directory.dht.publisher import Publisher
from engine.directory.dht.service import DhtService
from engine.directory.dht.settings import DhtSettings
from engine.directory.network_settings import NetworkSettings
from engine.directory.relays import RelaySet
from engine.identity import Identity
from engine.relay_role import RelayRole
from engine.wire.record import Capability, model_capability

NO_CAP = 1 << 30  # a test network lies in one prefix


class DhtRole:
    """A node's part in the DHT. `models` are those that its ghost serves, if it has one."""

    def __init__(
        self,
        relay: RelayRole,
        relays: RelaySet,
        identity: Identity,
        network: NetworkSettings,
        *,
        serves: bool,
        models: Sequence[str] = (),
        clock: Callable[[], float],
    ) -> None:
        usual = DhtSettings(work_bits=network.work_bits)
        spread = replace(usual, per_prefix_bucket=NO_CAP, per_prefix_table=NO_CAP)
        self.dht = DhtService(
            relay.links,
            relays,
            relay.advert,
            network=network.tag,
            settings=spread if network.test else usual,
            serves=serves,
            may_dial=relay.may_dial,
            clock=clock,
        )
        self._network = network
        self.lookups = LookupService(self.dht.find_values) if serves else None
        self.publisher = Publisher(
            self.dht,
            identity,
            self._capabilities(models),
            relay.advert,
            bits=network.work_bits,
            clock=clock,
        )

    def _capabilities(self, models: Sequence[str]) -> list[Capability]:
        return [model_capability(self._network.tag, model) for model in models]

    def offer(self, models: Sequence[str]) -> None:
        """The ghost serves these models from now on."""
        self.publisher.offer(self._capabilities(models))

    async def run(self) -> None:
        """Take part until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.dht.run)
            nursery.start_soon(self.publisher.run)

    def info(self) -> DhtInfo:
        """How the DHT fares: counts alone."""
        core, counts = self.dht.core, self.dht.core.counts
        return DhtInfo(
            members=self.dht.members,
            contacts=len(core.table),
            records=len(core.store),
            published=self.publisher.records,
            lookups=counts.lookups,
            lookups_for_clients=self.lookups.served if self.lookups is not None else 0,
            asked=counts.asked,
            unanswered=counts.unanswered,
            served=counts.served,
            limited=counts.limited,
            refused=counts.refused,
        )
